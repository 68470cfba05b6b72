"""The images: a folder of anyone's, or what is there offline, two photographs and generated textures."""

from collections.abc import Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
from scipy.spatial import KDTree
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from attn_plugins.errors import UserError

EMBEDDED = 'embedded'
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
# Pixels of a side of a generated texture, and the seed of its points.
TEXTURE_SIZE = 256
TEXTURE_SEED = 0


def find_images(where: str) -> list[Path | np.ndarray]:
    """The images of a folder and the folders in it by name, or the two photographs that scikit-learn carries for
    'embedded'.

    Raises:
        UserError: There is no such folder, or no image in it.
    """
    if where == EMBEDDED:
        return list(load_sample_images().images)
    folder = Path(where)
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: give a folder of images, or '{EMBEDDED}'")
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UserError(
            f'{folder} holds no image ({", ".join(SUFFIXES)}): give another folder, or {EMBEDDED!r}'
        )
    return paths


def read_image(image: Path | np.ndarray) -> Tensor:
    """A file, or an image that is read, (H, W, 3), RGB, 0 to 255 -> (3, H, W), 0 to 1.

    Raises:
        UserError: The file is missing or no image.
    """
    if isinstance(image, Path):
        if not image.is_file():
            raise UserError(f'there is no image {image}: put its path right')
        try:
            pixels = mmcv.imread(str(image), channel_order='rgb')
        except Exception as error:  # whatever the bytes made of the image reader
            raise UserError(f'{image} cannot be read as an image: name a JPEG or PNG file') from error
        if pixels is None:
            raise UserError(f'{image} cannot be read as an image: name a JPEG or PNG file')
        image = pixels
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def resize_to(image: Tensor, short_side: int) -> Tensor:
    """(3, H, W) -> (3, h, w), whose shorter side has that many pixels."""
    h, w = image.shape[-2:]
    scale = short_side / min(h, w)
    return _resize(image, (max(short_side, round(h * scale)), max(short_side, round(w * scale))))


class Crops(Dataset):
    """Square crops of images, each at random between `size` and the whole image's shorter side, resized to `size`.

    Smaller images are enlarged. The images come in a new order every time all have been seen. Item i is the same in
    every process and for every network: all that is random in it comes from (seed, i).

    Args:
        images (Sequence[Path or np.ndarray]): What `find_images` finds.
        size (int): Pixels of a side.
        count (int): Number of crops.
        seed (int): Of order and crops.
    """

    def __init__(self, images: Sequence[Path | np.ndarray], size: int, count: int, seed: int):
        self.images, self.size, self.seed = images, size, seed
        rounds = -(-count // len(images))
        rng = np.random.default_rng(seed)
        self.order = np.concatenate([rng.permutation(len(images)) for _ in range(rounds)])[:count]

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> Tensor:
        """(3, size, size), 0 to 1."""
        image = read_image(self.images[self.order[i]])
        h, w = image.shape[-2:]
        rng = np.random.default_rng((self.seed, i))
        short = min(h, w)
        side = int(rng.integers(min(self.size, short), short, endpoint=True))
        top, left = int(rng.integers(h - side, endpoint=True)), int(rng.integers(w - side, endpoint=True))
        return _resize(image[:, top : top + side, left : left + side], (self.size, self.size))


def style_image(style: str) -> Tensor:
    """A generated texture by its name, or a file -> (3, H, W), 0 to 1.

    Raises:
        UserError: It is neither, or the file cannot be read.
    """
    if style in TEXTURES:
        return TEXTURES[style]()
    if not Path(style).is_file():
        raise UserError(f'there is no image {style}: put its path right, or take {" or ".join(TEXTURES)}')
    return read_image(Path(style))


def mosaic() -> Tensor:
    """Cells around random points, each of one colour, with dark joints: (3, 256, 256)."""
    rng = np.random.default_rng(TEXTURE_SEED)
    points = rng.uniform(0, TEXTURE_SIZE, (220, 2))
    palette = np.array([[0.86, 0.18, 0.12], [0.97, 0.75, 0.16], [0.10, 0.30, 0.62], [0.08, 0.55, 0.48]])
    colours = np.clip(
        palette[rng.integers(len(palette), size=len(points))] + rng.normal(0, 0.05, (220, 3)), 0, 1
    )
    grid = np.stack(np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE], -1)
    distances, nearest = KDTree(points).query(grid, k=2)
    joint = distances[..., 1] - distances[..., 0] < 1.5
    cells = np.where(joint[..., None], 0, colours[nearest[..., 0]])
    return torch.from_numpy(cells).permute(2, 0, 1).float()


def waves() -> Tensor:
    """Warped stripes in three colours: (3, 256, 256)."""
    y, x = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE] / TEXTURE_SIZE * 2 * np.pi
    phase = 9 * x + 3 * np.sin(2 * y) + 2 * np.sin(3 * x + y)
    channels = [np.sin(phase + shift) for shift in (0, 1, 2.5)]
    return torch.from_numpy((np.stack(channels) + 1) / 2).float()


# Name -> what generates it.
TEXTURES = {'mosaic': mosaic, 'waves': waves}


def _resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(image[None], size=size, mode='bilinear', antialias=True)[0].clamp(0, 1)
