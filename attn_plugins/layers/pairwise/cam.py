"""Channel attention of DANet (Fu et al., CVPR 2019, arXiv:1809.02983). Checked against junfu1115/DANet b0a0fa0."""

import torch
import torch.fx
from torch import Tensor, nn

from attn_plugins.layers.checks import follows_code
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.attention import attend_channels
from attn_plugins.ops.residual import add_branch
from attn_plugins.registry import MODELS

# A symbolic trace must not look inside this function: it reads the device.
torch.fx.wrap('attend_channels')


@MODELS.register_module()
class CAM(Layer):
    """Every channel attends to every channel.

    Equation:
        y_c = x_c + gamma sum_d softmax_d(s x_c . x_d) x_d

    The sign s is where paper and code disagree. The paper's is +1: similar channels support each other. The authors'
    code takes softmax(max_d(x_c . x_d) - x_c . x_d), which is s = -1: a softmax does not see the constant. gamma = 0 at
    the start, so the layer starts as the identity.

    Parameters: 1.

    Deviations: under autocast the products are taken in float32, where the authors' would overflow half precision.

    The products are not scaled, as published, so they grow with H W.

    Args:
        in_channels (int): C. The layer has no parameter that depends on it.
        variant (str): 'code', which gave the published numbers, or 'paper'.

    Raises:
        ValueError: The variant does not exist.
    """

    _abbr_ = 'attn_cam'
    place = Place(
        "In DANet's segmentation head only: PAM and CAM stand side by side, each between two 3x3 convolutions.",
        plugins=[dict(cfg=dict(in_channels=512), replace='cam')],
        read_in='junfu1115/DANet: encoding/models/sseg/danet.py',
        host=dict(type='DAHead'),
        library='mmseg',
    )
    examples = [dict(), dict(variant='paper')]
    official_names = {'gamma': 'gamma'}

    def __init__(self, in_channels: int, variant: str = 'code'):
        super().__init__(in_channels)
        self.sign = -1.0 if follows_code(variant) else 1.0
        self.gamma = nn.Parameter(torch.zeros(1))

    def init_weights(self) -> None:
        """Initialises as published: gamma = 0."""
        nn.init.zeros_(self.gamma)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return add_branch(x, attend_channels(x, self.sign), self.gamma)
