"""Gather-Excite (Hu et al., NeurIPS 2018, arXiv:1810.12348).

Structure and initialisation are those of hujie-frank/GENet ae791f8.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from attn_plugins.layers.checks import hidden_channels
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.channel_gating import ChannelGating
from attn_plugins.ops.gating import gated
from attn_plugins.ops.pool import strided_mean
from attn_plugins.ops.recalibrate import recalibrate, upsample
from attn_plugins.ops.statistics import Mean
from attn_plugins.registry import MODELS

EXTENTS = {2: 1, 4: 2, 8: 3}  # extent: convolutions of stride 2 that gather it
MODES = ('theta_minus', 'theta', 'theta_plus')


@MODELS.register_module()
class GE(Layer):
    """Gather-excite: a gate per channel and place, gathered from an extent of e places.

    Equation:
        y = x * sigmoid(interpolate(excite(gather(x))))

    * theta_minus: gather is average pooling, with a window of 2 e - 1 and stride e, or the global mean; excite is
    nothing.
    * theta: gather is depthwise convolutions 3 x 3 of stride 2, log2 e of them, each with batch norm, ReLU between
      them; for the global extent one depthwise convolution as large as the map, with batch norm.
    * theta_plus: a ReLU follows, then excite is W2 relu(W1 z + b1) + b2 at each gathered place.

    The interpolation is nearest neighbour.

    Parameters: 0; theta 9 C n + 2 C n with n = log2 e, global C H W + 2 C; theta_plus adds 2 C m + m + C with
    m = C // reduction; with bias theta and theta_plus have C n more, global C more.

    Deviations: choices the release does not show: average pooling counts what lies inside the map, theta_plus is at
    extents 2, 4, 8 what it is globally.

    The authors' gathering convolutions have no bias. That of a third party's port has one, which the batch norm after
    it takes up (hyunjaelee410/style-based-recalibration-module f6221c7): `bias=True`.

    The global extent with parameters is bound to one map size, `spatial_size`. In training the batch norms need more
    than one value per channel: more than one gathered place or sample. The authors' release is in Caffe and has no
    golden
    case: the tests compare with the written formula in float64.

    Args:
        in_channels (int): C.
        extent (int or str): e: 2, 4, 8 or 'global'.
        mode (str): 'theta_minus', 'theta' or 'theta_plus'.
        reduction (int): C // m, of theta_plus.
        spatial_size (tuple[int] or int, optional): H and W, for the global extent with parameters.
        bias (bool): Whether the gathering convolutions have a bias; the authors' have none.
    """

    _abbr_ = 'attn_ge'
    place = Place(
        'After the last norm of every residual block, before the addition.',
        plugins=[dict(position='after_conv3')],
        read_in='hujie-frank/GENet: models/RN50-GEPF.prototxt',
    )
    examples = [
        dict(),
        dict(extent=8),
        dict(extent=2, mode='theta'),
        dict(extent=4, mode='theta_plus', reduction=4),
        dict(extent=8, mode='theta', bias=True),
    ]

    def __init__(
        self,
        in_channels: int,
        extent: int | str = 'global',
        mode: str = 'theta_minus',
        reduction: int = 16,
        spatial_size: Sequence[int] | int | None = None,
        bias: bool = False,
    ):
        super().__init__(in_channels)
        if extent != 'global' and extent not in EXTENTS:
            raise ValueError(f"extent={extent!r} must be 2, 4, 8 or 'global'")
        if mode not in MODES:
            raise ValueError(f'mode={mode!r} must be one of {", ".join(MODES)}')
        self.extent = extent
        self.spatial_size = _map_size(spatial_size, extent, mode)
        self.gather = self.excite = self.gating = None
        if extent == 'global' and mode == 'theta_minus':
            self.gating = ChannelGating([Mean()])
        if mode != 'theta_minus':
            self.gather = self._make_gather(in_channels, bias)
        if mode == 'theta_plus':
            hidden = hidden_channels(in_channels, reduction)
            self.excite = nn.Sequential(
                nn.ReLU(), nn.Conv2d(in_channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, in_channels, 1)
            )
        self.init_weights()

    def _make_gather(self, channels: int, bias: bool) -> nn.Sequential:
        if self.extent == 'global':
            conv = nn.Conv2d(channels, channels, self.spatial_size, groups=channels, bias=bias)
            return nn.Sequential(conv, nn.BatchNorm2d(channels))
        layers = []
        for _ in range(EXTENTS[self.extent]):
            conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels, bias=bias)
            layers += [conv, nn.BatchNorm2d(channels), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def init_weights(self) -> None:
        """Initialises as released: gathering N(0, 2 / fan_in), excitation N(0, 0.01^2), zero biases, plain norms."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.excite or ():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W).

        Raises:
            ValueError: The layer is bound to another map size.
        """
        if self.gating is not None:
            return gated(self.gating, x, lambda mean: (torch.sigmoid(mean),))
        self._check_size(x)
        gathered = strided_mean(x, self.extent) if self.gather is None else self.gather(x)
        if self.excite is not None:
            gathered = self.excite(gathered)
        gate = torch.sigmoid(gathered)
        return recalibrate(x, gate if self.extent == 'global' else upsample(gate, x))

    def _check_size(self, x: Tensor) -> None:
        # torch.fx passes a proxy without a shape.
        if self.spatial_size is None or not isinstance(x, Tensor):
            return
        if tuple(x.shape[2:]) != self.spatial_size:
            raise ValueError(
                f'the global extent with parameters was built for maps of {self.spatial_size}, not '
                f"{tuple(x.shape[2:])}: give spatial_size, or extent=8 or mode='theta_minus', which fit any size"
            )


def _map_size(size: Sequence[int] | int | None, extent: int | str, mode: str) -> tuple[int, int] | None:
    """Returns the (H, W) that the layer is bound to, or None; refuses a size that is missing or has no use."""
    bound = extent == 'global' and mode != 'theta_minus'
    if not bound and size is None:
        return None
    if not bound:
        raise ValueError(
            f'spatial_size={size} has no use with extent={extent!r} and mode={mode!r}, which fit any map: leave it out'
        )
    if size is None:
        raise ValueError(
            f"extent='global' with mode={mode!r} needs spatial_size, the map's (H, W): give it, or choose extent=8 "
            "or mode='theta_minus', which fit any map"
        )
    size = (size, size) if isinstance(size, int) else tuple(size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f'spatial_size={size} must be one or two sizes of at least 1')
    return size
