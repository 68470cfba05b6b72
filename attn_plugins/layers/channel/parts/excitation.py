"""Excitations: from the descriptor (N, C), or (N, C, K) with K values per channel, to logits; the gate comes after.

An excitation gives one logit per channel, (N, C), or M of them, (N, C, M), whose gates multiply. Those that can read
K values have the option `features`, which `ChannelAttention` fills in. They work at the precision of their parameters.
"""

import inspect
import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.fx
from mmcv.cnn import build_activation_layer
from torch import Tensor, nn

from attn_plugins.layers.checks import check_batch_size, check_kernel_size, hidden_channels
from attn_plugins.ops.pool import at_least_float32
from attn_plugins.registry import EXCITATIONS, build_part

# A symbolic trace takes it as it is: it asks for the dtype.
torch.fx.wrap('at_least_float32')


def build_excitation(cfg: str | dict, in_channels: int, features: int) -> nn.Module:
    """An excitation for descriptors (N, C), or (N, C, K) with K = `features` > 1.

    Raises:
        ValueError: The type or an option does not exist, or the excitation reads one value per channel only.
    """
    if features == 1:
        return build_part(cfg, EXCITATIONS, in_channels=in_channels)
    name = cfg if isinstance(cfg, str) else cfg.get('type')
    cls = EXCITATIONS.get(name) if isinstance(name, str) else name
    if cls is not None and not _reads_several(cls):
        able = sorted(key for key, part in EXCITATIONS.module_dict.items() if _reads_several(part))
        raise ValueError(
            f'the squeeze gives {features} values per channel but the excitation {name!r} reads one: '
            f'choose from {", ".join(able)}'
        )
    return build_part(cfg, EXCITATIONS, in_channels=in_channels, features=features)


def _reads_several(excitation: type) -> bool:
    return 'features' in inspect.signature(excitation).parameters


@EXCITATIONS.register_module('fc')
class FCExcitation(nn.Module):
    """The bottleneck of SE, e = W2 act(W1 z + b1) + b2, with C // reduction hidden channels.

    Parameters: 2 C m + m + C with m = C // reduction; without bias 2 C m; K > 1 values per channel add (K - 1) C m.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        bias (bool): Whether both layers have a bias.
        act_cfg (dict): Activation between them.
        features (int): K.
    """

    def __init__(
        self,
        in_channels: int,
        reduction: int = 16,
        bias: bool = True,
        act_cfg: dict | None = None,
        features: int = 1,
    ):
        super().__init__()
        hidden = hidden_channels(in_channels, reduction)
        self.features = features
        self.fc1 = nn.Linear(in_channels * features, hidden, bias=bias)
        self.act = build_activation_layer(act_cfg or dict(type='ReLU'))
        self.fc2 = nn.Linear(hidden, in_channels, bias=bias)

    def init_weights(self) -> None:
        """Draws both layers anew by torch's default for linear layers."""
        self.fc1.reset_parameters()
        self.fc2.reset_parameters()

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) or (N, C, K) -> (N, C)."""
        fc1 = self.fc1
        if self.features > 1:
            descriptor = descriptor.flatten(1)
        return self.fc2(self.act(fc1(descriptor.to(fc1.weight.dtype))))


@EXCITATIONS.register_module('conv1d')
class Conv1dExcitation(nn.Module):
    """The local cross-channel interaction of ECA: e = conv1d_k(z) along the channels, without bias.

    Parameters: k K. By default k follows the channels: t = int(|(log2 C + 1) / 2|), k = t if t is odd, else t + 1.

    Args:
        in_channels (int): C.
        kernel_size (int, optional): k, odd; None computes it from C.
        features (int): K.
    """

    def __init__(self, in_channels: int, kernel_size: int | None = None, features: int = 1):
        super().__init__()
        if kernel_size is None:
            kernel_size = int(abs((math.log2(in_channels) + 1) / 2)) // 2 * 2 + 1
        check_kernel_size(kernel_size)
        self.conv = nn.Conv1d(features, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def init_weights(self) -> None:
        """Draws the kernel anew by torch's default for convolutions."""
        self.conv.reset_parameters()

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) or (N, C, K) -> (N, C)."""
        signals = descriptor[:, None] if self.conv.in_channels == 1 else descriptor.transpose(1, 2)
        return self.conv(signals.to(self.conv.weight.dtype))[:, 0]


@EXCITATIONS.register_module('identity')
class IdentityExcitation(nn.Module):
    """e = z: the descriptor is the logit (GE without parameters). Parameters: none.

    Args:
        in_channels (int): C.
    """

    def __init__(self, in_channels: int):
        super().__init__()

    def init_weights(self) -> None:
        """There is nothing to initialise."""

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        return descriptor


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
        """As published: weight 0, bias -1."""
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, -1)

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        return self.weight * descriptor + self.bias


@EXCITATIONS.register_module('style')
class StyleExcitation(nn.Module):
    """The style integration of SRM, e = BN(sum_k w_ck z_ck): each channel weighs its own values.

    Parameters: K C + 2 C. In training the batch norm needs more than one sample: N > 1.

    Args:
        in_channels (int): C.
        features (int): K.
    """

    def __init__(self, in_channels: int, features: int = 1):
        super().__init__()
        self.features = features
        self.weight = nn.Parameter(torch.empty(in_channels, features))
        self.norm = nn.BatchNorm1d(in_channels)
        self.init_weights()

    def init_weights(self) -> None:
        """As published: weights 0, a plain batch norm."""
        nn.init.zeros_(self.weight)
        self.norm.reset_parameters()

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) or (N, C, K) -> (N, C)."""
        if self.features == 1:
            descriptor = descriptor[:, :, None]
        check_batch_size(descriptor, self.norm)
        return self.norm((descriptor * self.weight).sum(2))


@EXCITATIONS.register_module('normalized_scale')
class NormalizedScaleExcitation(nn.Module):
    """The channel normalisation of GCT: s = alpha z, e_c = gamma_c s_c / norm(s) + beta_c.

    norm(s) is sqrt(mean_c s_c^2 + eps) for p = 2 and mean_c |s_c| + eps for p = 1. It starts at alpha = 1, gamma = beta = 0.
    Parameters: 3 C.

    Args:
        in_channels (int): C.
        p (int): 2 or 1.
        eps (float): In the norm.
    """

    def __init__(self, in_channels: int, p: int = 2, eps: float = 1e-5):
        super().__init__()
        if p not in (1, 2):
            raise ValueError(f'p={p} must be 1 or 2')
        self.p = p
        self.eps = eps
        self.alpha = nn.Parameter(torch.empty(in_channels))
        self.gamma = nn.Parameter(torch.empty(in_channels))
        self.beta = nn.Parameter(torch.empty(in_channels))
        self.init_weights()

    def init_weights(self) -> None:
        """As published: alpha 1, gamma and beta 0."""
        nn.init.ones_(self.alpha)
        nn.init.zeros_(self.gamma)
        nn.init.zeros_(self.beta)

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        scaled = at_least_float32(self.alpha) * at_least_float32(descriptor)
        if self.p == 2:
            norm = (scaled.square().mean(1, keepdim=True) + self.eps).sqrt()
        else:
            norm = scaled.abs().mean(1, keepdim=True) + self.eps
        return self.gamma * (scaled / norm) + self.beta


# What a switch makes of its scores, (N, M).
DECISIONS = {'sigmoid': torch.sigmoid, 'softmax': partial(torch.softmax, dim=1)}


@EXCITATIONS.register_module('switch')
class SwitchExcitation(nn.Module):
    """The switch of SEM over any list of excitations: e_i = v_i E_i(z), v = sigmoid(F z + f), a number per sample.

    The M weighted logits stay apart, (N, C, M), so that each goes through the gate and the gates multiply. A list of one is
    that excitation with a switch before its gate.
    Parameters: those of the excitations and M K C + M.

    Args:
        in_channels (int): C.
        excitations (list): M names or configs of excitations with one logit per channel.
        decision (str): What weighs them: 'sigmoid' as published; 'softmax', where they compete, v = softmax(F z + f); or
            'none', v = 1, which has no switch.
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
        """The excitations' own initialisation; torch's default for the switch."""
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
