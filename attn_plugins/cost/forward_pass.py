"""Runs one forward pass of a config's model on an input like those of its tests, without post-processing."""

from collections.abc import Sequence

import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor, nn

from attn_plugins.datasets.heads import built_model
from attn_plugins.datasets.sources import type_name
from attn_plugins.errors import UserError
from attn_plugins.training.library import library_of

# Height and width when no pipeline of the config fixes them: the sizes of the libraries' own base configs.
DEFAULT_SIZES = {'mmpretrain': (224, 224), 'mmdet': (800, 1333), 'mmseg': (512, 1024)}
# For data sets whose images all have one size and need no transform that sets it.
OWN_SIZES = {'CIFAR10': (32, 32), 'CIFAR100': (32, 32)}
# Arguments of the transforms that set an image's size. mmdet, mmseg and mmcv order pairs (width, height).
SIZE_ARGUMENTS = ('scale', 'size', 'crop_size')
# Proposals per image if the config has no limit: that of mmdet's own two-stage base configs.
PROPOSALS = 1000


def input_size(cfg: Config) -> tuple[int, int]:
    """Returns the height and width of the images that the config's network gets in a test.

    A segmentor that slides a window over the image gets windows. Otherwise the size is the one that the last
    size-setting transform gives, else the one that mmseg's preprocessor pads to, else the size of all images of the
    data set, else the library's usual one.
    """
    model = built_model(cfg)
    test_cfg = model.get('test_cfg') or {}
    if test_cfg.get('mode') == 'slide':
        return tuple(test_cfg['crop_size'])
    size = (model.get('data_preprocessor') or {}).get('size')
    for loader in ('val_dataloader', 'test_dataloader'):
        dataset = (cfg.get(loader) or {}).get('dataset') or {}
        size = OWN_SIZES.get(type_name(dataset)) or size
        for transform in dataset.get('pipeline') or []:
            size = _size_of(transform) or size
    return tuple(size or DEFAULT_SIZES[library_of(cfg)])


def _size_of(transform: dict) -> tuple[int, int] | None:
    """Returns the (height, width) that a transform gives, or None if it does not fix both."""
    value = next((transform[name] for name in SIZE_ARGUMENTS if transform.get(name)), None)
    if isinstance(value, int):
        kind = transform['type']  # a class in configs of mmengine's new style
        # ResizeEdge fixes one side only.
        return None if getattr(kind, '__name__', kind).endswith('ResizeEdge') else (value, value)
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(v, int) for v in value):
        width, height = value
        return (height, width)
    return None


def make_input(cfg: Config, model: nn.Module, size: tuple[int, int] | None = None, batch: int = 1) -> Tensor:
    """Makes a batch of noise in the form that the network gets it, on the model's device.

    The images pass through the model's own preprocessor, so they are padded as in a test: 800x1333 becomes 800x1344
    where it pads to multiples of 32.

    Args:
        cfg: The config.
        model: The config's model; the channels are those of its preprocessor.
        size: Height and width of the images; by default `input_size(cfg)`.
        batch: Number of images.

    Returns:
        Tensor: (batch, C, H, W), H and W after padding.
    """
    preprocessor = model.data_preprocessor
    mean = getattr(preprocessor, 'mean', ())
    channels = (built_model(cfg).get('backbone') or {}).get('in_channels') or len(mean) or 3
    height, width = size or input_size(cfg)
    images = [255 * torch.rand(channels, height, width) for _ in range(batch)]
    inputs = preprocessor(dict(inputs=images, data_samples=_data_samples(batch, height, width)))['inputs']
    return inputs if isinstance(inputs, Tensor) else torch.stack(inputs)


def proposals_of(model: nn.Module) -> int | None:
    """Returns the number of proposals per image that a detector's second stage gets; None for other models.

    It is the most that the config allows: in a real test the NMS may leave fewer, depending on the weights.
    """
    if not hasattr(model, 'roi_head'):
        return None
    limit = ((model.test_cfg or {}).get('rpn') or {}).get('max_per_img', PROPOSALS)
    return getattr(model.rpn_head, 'num_proposals', limit) if model.with_rpn else limit


def describe_input(shape: Sequence[int], size: Sequence[int], proposals: int | None) -> str:
    """Describes the input of a forward pass in words: the batch, its images' size before padding, proposals."""
    images = '' if list(shape[-2:]) == list(size) else f' ({_times(size)}, padded by the data_preprocessor)'
    return _times(shape) + images + (f' with {proposals} proposals an image' if proposals else '')


def _times(sizes: Sequence[int]) -> str:
    return ' × '.join(map(str, sizes))


class ForwardPass(nn.Module):
    """A forward pass of a model's network that can be repeated: `ForwardPass(model, inputs)()`.

    Post-processing is left out: its work depends on what the weights say about an image, and the images are noise.
    By the kind of model that is

    What is run depends on the kind of model:

    Args:
        model: The model, called in its present mode (train or eval).
        inputs: A batch (N, C, H, W), images that fill it.
    """

    def __init__(self, model: nn.Module, inputs: Tensor):
        super().__init__()
        self.training = model.training
        self.model = model
        self.inputs = inputs
        self.data_samples = _data_samples(len(inputs), *inputs.shape[2:]) if inputs.dim() == 4 else None
        number = proposals_of(model)
        self.boxes = [_random_boxes(number, *inputs.shape[2:]).to(inputs) for _ in inputs] if number else None

    def forward(self):
        """Returns the network's outputs.

        Raises:
            UserError: The network cannot run on this input.
        """
        try:
            return self._run()
        except UserError:
            raise
        except Exception as error:  # a network may raise any error for a size that it was not made for
            reason = (str(error).strip().splitlines() or [''])[0]
            raise UserError(
                f'{type(self.model).__name__} cannot run on an input of {_times(self.inputs.shape)} '
                f'({type(error).__name__}: {reason}): choose another size of image or batch'
            ) from error

    def _run(self):
        model, inputs, data_samples = self.model, self.inputs, self.data_samples
        if not hasattr(model, 'data_preprocessor'):
            return model(inputs)
        if hasattr(model, 'encode_decode'):
            return model.encode_decode(inputs, [sample.metainfo for sample in data_samples])
        if not hasattr(model, 'roi_head'):
            return model(inputs, data_samples, mode='tensor')
        features = model.extract_feat(inputs)
        found = model.rpn_head.predict(features, data_samples, rescale=False) if model.with_rpn else []
        if any('features' in proposals for proposals in found):  # learned ones
            for proposals, boxes in zip(found, self.boxes, strict=True):
                proposals.bboxes = boxes
            return model.roi_head.predict(features, found, data_samples, rescale=False)
        return model.roi_head.forward(
            features, [InstanceData(bboxes=boxes) for boxes in self.boxes], data_samples
        )


def _data_samples(batch: int, height: int, width: int) -> list[BaseDataElement]:
    """Makes the data samples that the libraries need: each image is as large as the batch."""
    size = (height, width)
    shapes = dict(img_shape=size, ori_shape=size, pad_shape=size, batch_input_shape=size)
    return [BaseDataElement(metainfo=dict(shapes, scale_factor=(1.0, 1.0))) for _ in range(batch)]


def _random_boxes(number: int, height: int, width: int) -> Tensor:
    """Makes the same random boxes (number, 4) each time, as (x1, y1, x2, y2).

    They are of all sizes, so that every level of a pyramid gets some.
    """
    generator = torch.Generator().manual_seed(0)
    places, lengths = torch.rand(2, number, 2, generator=generator)
    image = torch.tensor([width, height])
    sides = image * 0.5 ** (5 * lengths)  # from 1/32 of the image to the whole
    corners = places * (image - sides)
    return torch.cat([corners, corners + sides], dim=1)
