"""What is counted and measured on a layer itself: parameters, multiply-adds, how far from the identity it starts."""

import inspect
from copy import deepcopy
from functools import cache
from typing import NamedTuple

import torch
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import nn

from attn_plugins.cost.cost import count_madds, count_parameters
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.layers.state_dict_keys import Wrapper
from attn_plugins.registry import MODELS

# Widths and their map sizes at 224 x 224: stages 1, 3 and 4 of ResNet-18, the 3x3 convolutions of ResNet-50.
SIZES = {64: 56, 256: 14, 512: 7}
# A layer that differs from the identity by less than this, relative to the largest input, is the identity in float32.
ROUNDING = 1e-5


class Start(NamedTuple):
    """A layer at its initialisation: y = layer(x) for a random x.

    Attributes:
        factor: Mean of y / x over the values that are not near zero, |x| > max |x| / 100, in evaluation.
        deviation: max |y - x| / max |x| in evaluation.
        in_training: The same in training.
    """

    factor: float
    deviation: float
    in_training: float

    @property
    def identity(self) -> str:
        """Whether the layer starts as the identity: 'yes', 'no' or 'in evaluation only'."""
        if self.deviation > ROUNDING:
            return 'no'
        return 'yes' if self.in_training <= ROUNDING else 'in evaluation only'


def layers() -> dict[str, type]:
    """Every registered layer by the name of its type."""
    MODELS.import_from_location()
    return {name: cls for name, cls in sorted(MODELS.module_dict.items()) if hasattr(cls, '_abbr_')}


def is_conv(layer: type) -> bool:
    """Whether the layer replaces a convolution."""
    return issubclass(layer, ConvLike)


def config(name: str, width: int) -> dict:
    """The layer with its defaults; a convolution is 3x3 and keeps the channels."""
    known = inspect.signature(MODELS.get(name)).parameters
    wanted = dict(in_channels=width, num_features=width, out_channels=width, kernel_size=3, padding=1)
    required = ('in_channels', 'num_features') if 'out_channels' not in known else tuple(wanted)
    return {
        'type': f'attn_plugins.{name}',
        **{key: value for key, value in wanted.items() if key in known and key in required},
    }


def build(name: str, width: int) -> nn.Module:
    """The layer with its defaults, in evaluation."""
    return MMENGINE_MODELS.build(config(name, width)).eval()


@cache
def parameters(name: str, width: int) -> int:
    """Learnable scalars of the layer with its defaults."""
    return count_parameters(build(name, width))


@cache
def madds(name: str, width: int) -> int:
    """Multiply-adds for one map of the width's size. Nothing is computed: the meta device has shapes only."""
    size = SIZES[width]
    return count_madds(build(name, width).to('meta'), torch.empty(1, width, size, size, device='meta'))['']


@cache
def start(name: str) -> Start | None:
    """Where the layer starts; None for a convolution, which maps to other channels.

    A norm layer is compared with the batch norm in whose place it stands.
    """
    if is_conv(MODELS.get(name)):
        return None
    torch.manual_seed(0)
    layer = build(name, 64)
    x = torch.randn(2, 64, 14, 14)
    plain = nn.BatchNorm2d(64) if isinstance(layer, Wrapper) else nn.Identity()
    deviations = []
    for training in (True, False):
        with torch.no_grad():
            # Copies: training moves running statistics.
            y = deepcopy(layer).train(training)(x)
            reference = deepcopy(plain).train(training)(x)
        deviations.append(((y - reference).abs().max() / reference.abs().max()).item())
    far = reference.abs() > reference.abs().max() / 100
    return Start((y[far] / reference[far]).mean().item(), *reversed(deviations))
