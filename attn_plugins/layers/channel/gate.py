"""Gates: from logits to factors. Where torch has the function, it gets the name here that configs use."""

import torch
from torch import Tensor, nn

from attn_plugins.registry import GATES

IdentityGate = GATES.register_module(
    'identity', module=nn.Identity
)  # e, where the excitation's output is the factor
SigmoidGate = GATES.register_module('sigmoid', module=nn.Sigmoid)  # 1 / (1 + exp(-e))
HardSigmoidGate = GATES.register_module('hard_sigmoid', module=nn.Hardsigmoid)  # min(max(e + 3, 0), 6) / 6


@GATES.register_module('one_plus_tanh')
class OnePlusTanhGate(nn.Module):
    """1 + tanh(e), between 0 and 2: the identity at logit 0 (GCT)."""

    def forward(self, logits: Tensor) -> Tensor:
        """Any shape to the same."""
        return 1 + torch.tanh(logits)


@GATES.register_module('softmax')
class SoftmaxGate(nn.Softmax):
    """exp(e_c) / sum_c exp(e_c): the channels compete, their factors add up to one."""

    def __init__(self):
        super().__init__(dim=1)
