"""Gated Channel Transformation (Yang et al., CVPR 2020, arXiv:1909.11519). Checked against z-x-yang/GCT 68983ed."""

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.place import Place
from attn_plugins.registry import MODELS


@MODELS.register_module()
class GCT(ChannelAttention):
    """Gated channel transformation: channels compete or support each other through one norm over all of them.

    Equation:
        y = x * (1 + tanh(gamma_c s_c / sqrt(mean_c s_c^2 + eps) + beta_c))
        s_c = alpha_c sqrt(sum_hw x^2 + eps)

    With `mode='l1'` s_c = alpha_c sum_hw |x|, divided by mean_c |s_c| + eps. It starts as the identity: alpha = 1,
    gamma = beta = 0.

    Parameters: 3 C.

    Deviations: the authors' l1 mode can leave out the absolute value after a ReLU (`after_relu`), where it changes
    nothing; here it is always taken.

    The authors put it before every convolution and train beta without weight decay.

    Args:
        in_channels (int): C.
        mode (str): 'l2' or 'l1'.
        eps (float): In both roots.
    """

    _abbr_ = 'attn_gct'
    place = Place(
        'Before every convolution, also that of the stem and those of the projection shortcuts.',
        plugins=[dict(before='**.conv*'), dict(before='**.downsample.0')],
        read_in='z-x-yang/GCT: PyTorch/resnet.py',
    )
    examples = [dict(), dict(mode='l1')]
    official_names = {
        'alpha': 'excitation.alpha',
        'gamma': 'excitation.gamma',
        'beta': 'excitation.beta',
    }

    def __init__(self, in_channels: int, mode: str = 'l2', eps: float = 1e-5):
        if mode not in ('l1', 'l2'):
            raise ValueError(f"mode={mode!r} must be 'l1' or 'l2'")
        squeeze = dict(type='l2', eps=eps) if mode == 'l2' else 'l1'
        excitation = dict(type='normalized_scale', p=int(mode[1]), eps=eps)
        super().__init__(in_channels, squeeze=squeeze, excitation=excitation, gate='one_plus_tanh')
