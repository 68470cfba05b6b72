"""The model and the input that a config stands for: what is built to count and measure its cost, without a data set."""

import torch
from mmengine.config import Config
from torch import Tensor, nn

from attn_plugins.engine.library import build_model, library_of

# Height and width when no pipeline of the config fixes them: the sizes of the libraries' own base configs.
DEFAULT_SIZES = {'mmpretrain': (224, 224), 'mmdet': (800, 1333), 'mmseg': (512, 1024)}
# Arguments of the transforms that give an image its size. mmdet, mmseg and mmcv order pairs (width, height).
SIZE_ARGUMENTS = ('scale', 'size', 'crop_size')


def model_under_test(cfg: Config, device: str = 'cpu') -> nn.Module:
    """Build the config's model as it is tested (eval mode), with random weights: nothing is downloaded or loaded."""
    return build_model(cfg).eval().to(device)


def input_size(cfg: Config) -> tuple[int, int]:
    """Height and width of the images the config tests on.

    Those of the last transform that fixes them, else those that mmseg's preprocessor pads to, else the library's usual.
    """
    size = (cfg.get('model', {}).get('data_preprocessor') or {}).get('size')
    for loader in ('val_dataloader', 'test_dataloader'):
        pipeline = (cfg.get(loader) or {}).get('dataset', {}).get('pipeline') or []
        for transform in pipeline:
            size = _size_of(transform) or size
    return size or DEFAULT_SIZES[library_of(cfg)]


def _size_of(transform: dict) -> tuple[int, int] | None:
    """(height, width) that a transform leaves, or None when it does not fix both."""
    value = next((transform[name] for name in SIZE_ARGUMENTS if transform.get(name)), None)
    if isinstance(value, int):
        # ResizeEdge fixes one side only.
        return None if transform['type'].endswith('ResizeEdge') else (value, value)
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(v, int) for v in value):
        width, height = value
        return (height, width)
    return None


def make_input(
    cfg: Config, shape: tuple[int, int, int] | None = None, batch: int = 1, device: str = 'cpu'
) -> Tensor:
    """A batch of noise: (batch, *shape), or (batch, 3, *input_size(cfg)) without a shape."""
    return torch.randn(batch, *(shape or (3, *input_size(cfg))), device=device)
