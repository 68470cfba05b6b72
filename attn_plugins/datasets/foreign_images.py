"""Generates images of another distribution than a data set's own: the embedded default of the mixed-data attack."""

from functools import cache

import cv2
import numpy as np
from mmengine.dataset import BaseDataset
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_images

from attn_plugins.errors import UserError
from attn_plugins.registry import DATASETS, nearest

SMOOTHNESS = (0.5, 3.0)  # standard deviation of the filter over noise, in pixels
GREY, SPREAD = 127.5, 60.0  # mean and standard deviation of noise


@DATASETS.register_module()
class ForeignImages(BaseDataset):
    """Images of one kind, drawn when they are requested; nothing is read from a disk or downloaded.

    * 'digits': scikit-learn's 8 x 8 digits enlarged, dark on white; ten classes. They are of those that DigitScenes
      trains on, so none that it validates with is ever seen.
    * 'photographs': squares of scikit-learn's two sample photographs, from `size` pixels to the whole height, scaled to
      `size`; two classes, which photograph it is.
    * 'noise': smoothed gaussian noise in every colour, finer or coarser; one class.

    Image i depends on seed, kind and i alone.

    Args:
        kind (str): 'digits', 'photographs' or 'noise'.
        size (int): Height and width in pixels.
        number (int): Number of images.
        seed (int): Seed of the images.
        channel_order (str): 'bgr', as mmcv reads files, or 'rgb', as mmpretrain's CIFAR has its images.
        **kwargs: mmengine's BaseDataset's: `pipeline`, `indices`, `metainfo`.

    Shapes:
        `img` of a sample, which the pipeline gets, is (size, size, 3), uint8.

    Raises:
        UserError: An unknown kind or channel order, a `size` or `number` below 1, or a negative seed.
    """

    def __init__(
        self,
        kind: str,
        size: int = 32,
        number: int = 1000,
        seed: int = 0,
        channel_order: str = 'bgr',
        **kwargs,
    ) -> None:
        if kind not in KINDS:
            raise UserError(f'ForeignImages has no kind {kind!r}: {nearest(kind, KINDS)}')
        if size < 1 or number < 1 or seed < 0 or channel_order not in ('bgr', 'rgb'):
            raise UserError(
                "ForeignImages needs size >= 1, number >= 1, seed >= 0 and channel_order 'bgr' or 'rgb': change "
                f'size={size}, number={number}, seed={seed}, channel_order={channel_order!r}'
            )
        self.kind, self.size, self.number, self.seed = kind, size, number, seed
        self.channel_order = channel_order
        metainfo = dict(classes=KINDS[kind][0]) | (kwargs.pop('metainfo', None) or {})
        super().__init__(metainfo=metainfo, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Lists the images' numbers."""
        return [dict(number=i) for i in range(self.number)]

    def get_data_info(self, idx: int) -> dict:
        """Draws an image (size, size, 3) as `img`, with its class as `gt_label`."""
        info = super().get_data_info(idx)
        draw = KINDS[self.kind][1]
        rng = np.random.default_rng([self.seed, list(KINDS).index(self.kind), info['number']])
        image, label = draw(rng, self.size)
        if self.channel_order == 'bgr':
            image = image[..., ::-1]
        shape = (self.size, self.size)
        return dict(info, img=np.ascontiguousarray(image), gt_label=label, img_shape=shape, ori_shape=shape)


def draw_digit(rng: np.random.Generator, size: int) -> tuple[np.ndarray, int]:
    """Draws one of scikit-learn's digits, (size, size, 3), dark on white."""
    digits = _digits()
    digit = digits[rng.integers(len(digits))]
    ink = cv2.resize(digit.ink.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    grey = (255 * (1 - ink)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2), digit.label


def draw_photograph(rng: np.random.Generator, size: int) -> tuple[np.ndarray, int]:
    """Cuts a square from a sample photograph, (size, size, 3) RGB; also returns which of the two photographs it is."""
    photographs = _photographs()
    label = int(rng.integers(len(photographs)))
    height, width = photographs[label].shape[:2]
    side = int(rng.integers(min(size, height), height + 1))
    top, left = (int(rng.integers(length - side + 1)) for length in (height, width))
    square = photographs[label][top : top + side, left : left + side]
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA), label


def draw_noise(rng: np.random.Generator, size: int) -> tuple[np.ndarray, int]:
    """Draws smoothed gaussian noise, (size, size, 3)."""
    sigma = rng.uniform(*SMOOTHNESS)
    noise = gaussian_filter(rng.normal(size=(size, size, 3)), (sigma, sigma, 0), mode='wrap')
    noise *= SPREAD / max(
        float(noise.std()), 1e-6
    )  # the filter has reduced it, and for a single pixel it is 0
    return np.clip(GREY + noise, 0, 255).astype(np.uint8), 0


# Kind -> its classes, and the function that draws an image of it.
KINDS = {
    'digits': (tuple('0123456789'), draw_digit),
    'photographs': (('china', 'flower'), draw_photograph),
    'noise': (('noise',), draw_noise),
}


@cache
def _digits():
    # Imported here: DigitScenes writes COCO's masks with pycocotools, which machines used only for classification often
    # lack.
    from attn_plugins.datasets.digit_scenes import split_digits

    return split_digits()['train']


@cache
def _photographs() -> list[np.ndarray]:
    return load_sample_images().images
