"""Non-local block (Wang et al., CVPR 2018, arXiv:1711.07971).

Checked against open-mmlab/mmcv a8073c7 (NonLocal2d); facebookresearch/video-nonlocal-net c253ed5 is the authors' code.
"""

import torch.fx
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from attn_plugins.layers.checks import hidden_channels
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.attention import attend, attend_by_sum, attend_linearly, join_heads, split_heads
from attn_plugins.ops.pool import max_pool_2x2
from attn_plugins.ops.residual import add_branch
from attn_plugins.registry import MODELS, nearest

# A symbolic trace must not look inside these functions: they read the device or the size.
torch.fx.wrap('attend')
torch.fx.wrap('max_pool_2x2')

MODES = ('gaussian', 'embedded_gaussian', 'dot_product', 'concatenation')


@MODELS.register_module()
class NonLocal(Layer):
    """Every place attends to every place, with a choice of kernels.

    Equation:
        y_i = x_i + W_o (1/Z sum_j f(x_i, x_j) g(x_j)) + b_o
        f/Z = softmax_j(x_i . x_j)                    'gaussian', without theta and phi
        f/Z = softmax_j(theta_i . phi_j / sqrt(m))    'embedded_gaussian'
        f/Z = theta_i . phi_j / M                     'dot_product'
        f/Z = relu(w . [theta_i, phi_j]) / M          'concatenation'

    There are M key places; theta, phi and g are 1x1 convolutions to m = max(1, C // reduction) channels with bias.
    W_o, or the norm after it, is zero at the start, so the layer starts as the identity.

    Parameters: 4 C m + 3 m + C (2 C^2 + 2.5 C by default); 'concatenation' 2 m more; 'gaussian' 2 C m + m + C. A norm
    adds 2 C and takes b_o, C, away.

    Deviations: the structure is mmcv's; the authors' block for video has a batch norm after W_o and b_o
    (`norm_cfg=dict(type='BN')`, where b_o is left out because the batch norm takes it up) and pools phi and g
    (`sub_sample=True`). 'dot_product' holds no (H W)^2 map; the two Gaussian modes hold none where torch's
    scaled_dot_product_attention has a fused kernel; 'concatenation' holds one number per pair, and unlike mmcv's can
    be trained. `sub_sample` leaves an axis of length 1 as it is.

    A batch norm needs more than one value per channel in training.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        mode (str): One of the four above.
        use_scale (bool): Whether 'embedded_gaussian' divides by sqrt(m).
        sub_sample (bool): Whether phi and g are max-pooled 2x2, which leaves a quarter of the key places.
        norm_cfg (dict, optional): Config of a norm after the last convolution.

    Raises:
        ValueError: The mode does not exist, or the reduction is less than one.
    """

    _abbr_ = 'attn_non_local'
    place = Place(
        'After whole residual blocks: the second and the fourth of the second stage, the second, the fourth and the '
        'sixth of the third stage, which is drawn.',
        plugins=[dict(after=f'layer{block}') for block in ('2.1', '2.3', '3.1', '3.3', '3.5')],
        read_in='facebookresearch/video-nonlocal-net: lib/core/config.py, resnet_video.py',
    )
    examples = [
        dict(),
        dict(use_scale=False, sub_sample=True),
        dict(mode='gaussian', sub_sample=True),
        dict(mode='dot_product'),
        dict(mode='concatenation'),
        dict(norm_cfg=dict(type='BN')),
    ]
    official_names = {
        'g.conv': 'g',
        'g.0.conv': 'g',
        'phi.conv': 'phi',
        'phi.0.conv': 'phi',
        'theta.conv': 'theta',
        'concat_project.conv': 'concat_project',
        'conv_out.conv': 'conv_out',
        'conv_out.bn': 'norm',
    }

    def __init__(
        self,
        in_channels: int,
        reduction: int = 2,
        mode: str = 'embedded_gaussian',
        use_scale: bool = True,
        sub_sample: bool = False,
        norm_cfg: dict | None = None,
    ):
        super().__init__(in_channels)
        if mode not in MODES:
            raise ValueError(f'mode={mode!r} does not exist: {nearest(mode, MODES)}')
        hidden = hidden_channels(in_channels, reduction, minimum=1)
        self.mode = mode
        self.scale = hidden**-0.5 if use_scale and mode == 'embedded_gaussian' else 1.0
        self.sub_sample = sub_sample
        self.g = nn.Conv2d(in_channels, hidden, 1)
        if mode != 'gaussian':
            self.theta = nn.Conv2d(in_channels, hidden, 1)
            self.phi = nn.Conv2d(in_channels, hidden, 1)
        if mode == 'concatenation':
            self.concat_project = nn.Conv2d(2 * hidden, 1, 1, bias=False)
        self.conv_out = nn.Conv2d(hidden, in_channels, 1, bias=norm_cfg is None)
        self.norm = None if norm_cfg is None else build_norm_layer(norm_cfg, in_channels)[1]
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as mmcv does: theta, phi and g N(0, 0.01), the last step zero."""
        for name in ('g', 'theta', 'phi'):
            if hasattr(self, name):
                nn.init.normal_(getattr(self, name).weight, std=0.01)
                nn.init.zeros_(getattr(self, name).bias)
        if self.mode == 'concatenation':
            nn.init.kaiming_normal_(self.concat_project.weight, mode='fan_out', nonlinearity='relu')
        if self.norm is None:
            nn.init.zeros_(self.conv_out.weight)
            nn.init.zeros_(self.conv_out.bias)
        else:
            nn.init.kaiming_normal_(self.conv_out.weight, mode='fan_out', nonlinearity='relu')
            nn.init.zeros_(self.norm.weight)
            nn.init.zeros_(self.norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        gaussian = self.mode == 'gaussian'
        theta, phi = (x, x) if gaussian else (self.theta(x), self.phi(x))
        rows = self._attend(theta, self._pooled(phi), split_heads(self._pooled(self.g(x))))
        y = self.conv_out(join_heads(rows, x.shape[2], x.shape[3]))
        return add_branch(x, y if self.norm is None else self.norm(y))

    def _attend(self, theta: Tensor, phi: Tensor, g: Tensor) -> Tensor:
        """Computes the weighted sum over the places by the chosen mode, (N, 1, H * W, m)."""
        if self.mode == 'dot_product':
            return attend_linearly(split_heads(theta), split_heads(phi), g)
        if self.mode == 'concatenation':
            of_theta, of_phi = self.concat_project.weight.chunk(2, 1)
            return attend_by_sum(
                split_heads(F.conv2d(theta, of_theta)), split_heads(F.conv2d(phi, of_phi)), g
            )
        return attend(split_heads(theta), split_heads(phi).to(g.dtype), g, self.scale)

    def _pooled(self, x: Tensor) -> Tensor:
        """Pools 2x2 by maxima if `sub_sample` is set; an axis of length 1 stays."""
        return max_pool_2x2(x) if self.sub_sample else x
