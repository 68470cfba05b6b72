"""Style-based Recalibration Module (Lee et al., ICCV 2019, arXiv:1903.10829).

Checked against hyunjaelee410/style-based-recalibration-module f6221c7.
"""

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.checks import follows_code
from attn_plugins.layers.place import Place
from attn_plugins.registry import MODELS


@MODELS.register_module()
class SRM(ChannelAttention):
    """Style-based recalibration: a gate per channel from the channel's own mean and deviation.

    Equation:
        y = x * sigmoid(BN(w_c1 mean_hw(x) + w_c2 std_hw(x)))
        std_hw(x) = sqrt(var_hw(x) + 1e-5)

    There are two weights per channel. The gate starts at 0.5 everywhere.

    Parameters: 4 C.

    Deviations: the authors' code divides the variance by H W - 1 (`variant='code'`, checked against it). `variant='paper'`
    divides by H W, the plain variance of the map's values; the paper itself was not checked. A 1x1 map has variance 0
    (the authors' code gives nan).

    In training the batch norm needs more than one sample: N > 1. The authors train weights and batch norm without weight
    decay.

    Args:
        in_channels (int): C.
        variant (str): 'code' (the published numbers) or 'paper'.
    """

    _abbr_ = 'attn_srm'
    place = Place(
        'After the last norm of every residual block, before the addition.',
        plugins=[dict(position='after_conv3')],
        read_in='hyunjaelee410/style-based-recalibration-module: models/resnet.py',
    )
    examples = [dict(), dict(variant='paper')]
    official_names = {'cfc': 'excitation.weight', 'bn': 'excitation.norm'}

    def __init__(self, in_channels: int, variant: str = 'code'):
        squeeze = dict(type='mean_std', unbiased=follows_code(variant))
        super().__init__(in_channels, squeeze=squeeze, excitation='style')
