"""What the tests of the channel compositions, SGE and GE share: layers with random weights, maps of many sizes."""

import torch
from mmengine.registry import MODELS

from attn_plugins.layers.channel import dct, fca, gct, sem, srm  # noqa: F401
from attn_plugins.layers.spatial import ge, sge  # noqa: F401
from tests.layers.check import scramble

MAPS = [(5, 7), (1, 1), (1, 4), (9, 3), (20, 16)]


def build(**cfg) -> torch.nn.Module:
    """A layer in float64, in evaluation, with random weights; the bases of a DCT are left as they are."""
    torch.manual_seed(0)
    layer = MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type'])).double().eval()
    scramble(layer.excitation if hasattr(layer, 'excitation') else layer)
    return layer


def random_map(*shape: int) -> torch.Tensor:
    """Normally distributed, float64."""
    return torch.randn(*shape, dtype=torch.float64)
