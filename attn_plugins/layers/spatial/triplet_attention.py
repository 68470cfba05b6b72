"""Triplet attention (Misra et al., WACV 2021, arXiv:2010.03045).

Checked against landskape-ai/triplet-attention 2cf02fb.
"""

from torch import Tensor, nn

from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.layers.spatial.cbam import SpatialGate
from attn_plugins.ops.gating import gated
from attn_plugins.ops.plane_gating import PlaneGating
from attn_plugins.registry import MODELS


@MODELS.register_module()
class TripletAttention(Layer):
    """Triplet attention: a gate over each pair of the axes C, H and W.

    Equation:
        y = x * (g_cw + g_ch + g_hw) / 3
        g = sigmoid(BN(conv_kxk([max; mean])))

    Maximum and mean are taken along the axis that the pair lacks: g_cw is (N, C, 1, W), g_ch (N, C, H, 1) and g_hw
    (N, 1, H, W). Without `spatial` y = x * (g_cw + g_ch) / 2.

    Parameters: 3 (2 k^2 + 2), without `spatial` 2 (2 k^2 + 2), whatever C is.

    Deviations: the gates are added before the one multiplication with the map (the authors add three gated maps).

    Args:
        in_channels (int): C; any number works.
        kernel_size (int): k, odd.
        spatial (bool): Whether g_hw is there.

    Raises:
        ValueError: The kernel has no centre.
    """

    _abbr_ = 'attn_triplet'
    place = Place(
        'After the last norm of every residual block, before the addition. In MobileNetV2 after the '
        "projection's norm: `position='after_linear'`.",
        plugins=[dict(position='after_conv3')],
        read_in='landskape-ai/triplet-attention: MODELS/resnet.py, MODELS/mobilenet.py',
    )
    examples = [dict(), dict(kernel_size=3, spatial=False)]
    official_names = {
        'ChannelGateH.spatial.conv': 'gate_cw.conv',
        'ChannelGateH.spatial.bn': 'gate_cw.norm',
        'ChannelGateW.spatial.conv': 'gate_ch.conv',
        'ChannelGateW.spatial.bn': 'gate_ch.norm',
        'SpatialGate.spatial.conv': 'gate_hw.conv',
        'SpatialGate.spatial.bn': 'gate_hw.norm',
    }

    def __init__(self, in_channels: int, kernel_size: int = 7, spatial: bool = True):
        super().__init__(in_channels)
        self.gate_cw = SpatialGate(kernel_size)
        self.gate_ch = SpatialGate(kernel_size)
        self.gate_hw = SpatialGate(kernel_size) if spatial else None
        self.gating = PlaneGating('hwc' if spatial else 'hw')
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as in the authors' ResNet: the norm starts at zero in the gate over H and W only."""
        for gate in (self.gate_cw, self.gate_ch, self.gate_hw):
            if gate is not None:
                gate.init_weights()
        nn.init.ones_(self.gate_cw.norm.weight)
        nn.init.ones_(self.gate_ch.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return gated(self.gating, x, self._gates)

    def _gates(self, *planes: Tensor) -> tuple[Tensor, ...]:
        """Computes the gates (N, 1, C, W), (N, 1, H, C), (N, 1, H, W) from the planes left by pooling H, W and C."""
        gates = [gate for gate in (self.gate_cw, self.gate_ch, self.gate_hw) if gate is not None]
        return tuple(gate(planes[i]) for i, gate in enumerate(gates))
