"""Switchable self-attention module, SEM (Zhong et al., 2022, arXiv:2209.05680).

Checked against Qrange-group/SEM db5e194.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from attn_plugins.layers.channel.attention import ChannelAttention, build_excitation
from attn_plugins.layers.place import Place
from attn_plugins.registry import EXCITATIONS, MODELS

# The functions that turn the scores of a switch, (N, M), into weights.
DECISIONS = {'sigmoid': torch.sigmoid, 'softmax': partial(torch.softmax, dim=1)}


@EXCITATIONS.register_module('instance_enhance')
class InstanceEnhanceExcitation(nn.Module):
    """The instance enhancement of IEBN, e_c = w_c z_c + b_c, from w = 0 and b = -1. Parameters: 2 C.

    Args:
        in_channels (int): C.
    """

    def __init__(self, in_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels))
        self.bias = nn.Parameter(torch.empty(in_channels))
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as published: weight 0, bias -1."""
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, -1)

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        return self.weight * descriptor + self.bias


@EXCITATIONS.register_module('switch')
class SwitchExcitation(nn.Module):
    """The switch of SEM over any list of excitations: e_i = v_i E_i(z), v = sigmoid(F z + f), a number per sample.

    The M weighted logits stay apart, (N, C, M), so that each goes through the gate and the gates multiply. A list of
    one is that excitation with a switch before its gate.
    Parameters: those of the excitations and M K C + M.

    Args:
        in_channels (int): C.
        excitations (list): M names or configs of excitations with one logit per channel.
        decision (str): What weighs them: 'sigmoid' as published; 'softmax', where they compete, v = softmax(F z + f);
            or 'none', v = 1, which has no switch.
        features (int): K.
    """

    def __init__(
        self,
        in_channels: int,
        excitations: Sequence[str | dict] = ('fc', 'conv1d', 'instance_enhance'),
        decision: str = 'sigmoid',
        features: int = 1,
    ):
        super().__init__()
        if decision not in (*DECISIONS, 'none'):
            raise ValueError(
                f'decision={decision!r} of a switch must be one of {", ".join(DECISIONS)} or none'
            )
        if isinstance(excitations, (str, dict)) or not excitations:
            raise ValueError(f'excitations={excitations!r} of a switch must be a list of at least one')
        self.excitations = nn.ModuleList(build_excitation(cfg, in_channels, features) for cfg in excitations)
        if any(isinstance(excitation, SwitchExcitation) for excitation in self.excitations):
            raise ValueError('a switch cannot hold another switch: put all excitations into one list')
        self.decide = DECISIONS.get(decision)
        self.switch = (
            None if self.decide is None else nn.Linear(in_channels * features, len(self.excitations))
        )

    def init_weights(self) -> None:
        """Initialises the excitations by their own `init_weights`, the switch by torch's default."""
        if self.switch is not None:
            self.switch.reset_parameters()
        for excitation in self.excitations:
            excitation.init_weights()

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) or (N, C, K) -> (N, C, M)."""
        logits = torch.stack([excitation(descriptor) for excitation in self.excitations], 2)
        if self.switch is None:
            return logits
        weights = self.decide(self.switch(descriptor.flatten(1).to(self.switch.weight.dtype)))
        return logits * weights[:, None]


@MODELS.register_module()
class SEM(ChannelAttention):
    """Switchable attention: the gates of several excitations multiply, a switch weighs them per sample.

    Equation:
        y = x * prod_i sigmoid(v_i E_i(z))
        z = mean_hw(x)
        v = sigmoid(F z + f)

    The E_i are the excitations of SE (fc), ECA (conv1d) and IEBN (instance_enhance), or any other list. The switch
    weighs the logits, before the sigmoids; the gates multiply. The gate starts near 0.5 * 0.5 * sigmoid(-0.5) = 0.094.

    Parameters: 2 C m + m + C with m = C // reduction (fc), k (conv1d), 2 C (instance_enhance), 3 C + 3 (switch).

    Deviations: None known.

    In the authors' code only bottleneck blocks have it.

    Args:
        in_channels (int): C.
        reduction (int): C // m of the fc in the default list.
        excitations (list, optional): Names or configs of excitations; None is the published list.
        decision (str): What weighs them: 'sigmoid' as published; 'softmax', where they compete, v = softmax(F z + f);
            or 'none', v = 1, which has no switch.
    """

    _abbr_ = 'attn_sem'
    place = Place(
        'After the last norm of every residual block, before the addition.',
        plugins=[dict(position='after_conv3')],
        read_in='Qrange-group/SEM: models/sem.py',
    )
    examples = [
        dict(reduction=4),
        dict(excitations=['normalized_scale', 'conv1d'], decision='softmax'),
        dict(excitations=['instance_enhance'], decision='none'),
    ]
    official_names = {
        'switch_fc': 'excitation.switch',
        'fc1': 'excitation.excitations.0.fc1',
        'fc2': 'excitation.excitations.0.fc2',
        'conv': 'excitation.excitations.1.conv',
        'w1': 'excitation.excitations.2.weight',
        'b1': 'excitation.excitations.2.bias',
    }

    def __init__(
        self,
        in_channels: int,
        reduction: int = 16,
        excitations: Sequence[str | dict] | None = None,
        decision: str = 'sigmoid',
    ):
        if excitations is None:
            excitations = [dict(type='fc', reduction=reduction), 'conv1d', 'instance_enhance']
        super().__init__(
            in_channels,
            squeeze='mean',
            excitation=dict(type='switch', excitations=excitations, decision=decision),
        )
