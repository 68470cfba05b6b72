"""SimAM, a parameter-free attention module (Yang et al., ICML 2021). Checked against ZjjConan/SimAM ae98f43."""

from torch import Tensor

from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.energy import EnergyGate
from attn_plugins.ops.fused import fused
from attn_plugins.registry import MODELS


@MODELS.register_module()
class SimAM(Layer):
    """Parameter-free attention: a gate per value, by how far the value is from the mean of its channel.

    Equation:
        y = x * sigmoid((x - mu)^2 / (4 (v + lambda)) + 1/2)
        v = sum_hw (x - mu)^2 / (H W - 1)

    mu and v are those of the sample's channel.

    Parameters: 0.

    Deviations: on a map of one value the authors' code divides zero by zero; here v is 0 and the gate sigmoid(1/2).

    The authors put it between a 3x3 convolution and that convolution's batch norm; their code's default for lambda is
    1e-4, their ImageNet and COCO runs use 0.1.

    Args:
        in_channels (int): C; any number works.
        e_lambda (float): lambda, positive.

    Raises:
        ValueError: lambda is not positive.
    """

    _abbr_ = 'attn_simam'
    place = Place(
        'Between the 3x3 convolution and its norm, in every block; in MobileNetV2 between the depthwise convolution '
        'and its norm.',
        plugins=[dict(after='**.conv2')],
        read_in='ZjjConan/SimAM: networks/cifar/block.py, networks/imagenet/mobilenetv2.py',
    )
    examples = [dict()]
    official_names = {}

    def __init__(self, in_channels: int, e_lambda: float = 1e-4):
        super().__init__(in_channels)
        if not e_lambda > 0:
            raise ValueError(
                f'e_lambda={e_lambda} must be positive, or a flat map divides by zero: the authors use 1e-4 and 0.1'
            )
        self.e_lambda = e_lambda

    def init_weights(self) -> None:
        """Does nothing: there are no parameters."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return fused(EnergyGate(self.e_lambda), x)
