"""Gates, from logits to factors, and the controls of them: whether a gain is attention shows where the gate cannot attend."""

import warnings

import torch
from torch import Tensor, nn

from attn_plugins.ops.recalibrate import multiply_gates
from attn_plugins.registry import GATES, build_part

ALONE = (
    'shuffled_images: a batch of one image keeps its own gate, so it is no control of it: train and test with batches of several, '
    'as test_dataloader.batch_size=8 (where parameters and latency are counted, one image is enough)'
)

# Where torch has the function, it gets the name here that configs use.
GATES.register_module('identity', module=nn.Identity)  # e, where the excitation's output is the factor
GATES.register_module('sigmoid', module=nn.Sigmoid)  # 1 / (1 + exp(-e))
GATES.register_module('hard_sigmoid', module=nn.Hardsigmoid)  # min(max(e + 3, 0), 6) / 6
GATES.register_module('tanh', module=nn.Tanh)


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


def build_gate(cfg: str | dict, in_channels: int) -> nn.Module:
    """A gate from its name or config; the controls are told how many channels there are."""
    name = cfg if isinstance(cfg, str) else cfg.get('type')
    control = getattr(GATES.get(name) if isinstance(name, str) else name, 'over_images', False)
    return build_part(cfg, GATES, **(dict(in_channels=in_channels) if control else {}))


@GATES.register_module('mean_over_images')
class MeanOverImages(nn.Module):
    """A gate frozen at its mean: every image gets the factors that the images have on average.

    In training that is the mean over the batch; in evaluation the running one, which begins with the first batch and takes a
    tenth of each later one, as batch norm's does. Without any batch it is 1. Factors of several logits are multiplied first.

    Where blocks share the layer, its running mean is that over all of them, so `share='stage'` refuses it.

    Args:
        in_channels (int): C.
        gate (str or dict): The gate whose mean it is.
        momentum (float): Part of a batch in the running mean.
    """

    over_images = True
    #: The running mean is of one place.
    attn_one_place = True

    def __init__(self, in_channels: int, gate: str | dict = 'sigmoid', momentum: float = 0.1):
        super().__init__()
        self.gate = build_gate(gate, in_channels)
        self.momentum = momentum
        self.register_buffer('mean', torch.ones(in_channels))
        self.register_buffer('num_batches_tracked', torch.tensor(0))

    def forward(self, logits: Tensor) -> Tensor:
        """(N, C) or (N, C, M) -> (N, C), the same for all N."""
        factors = multiply_gates(self.gate(logits))
        if self.training:
            mean = factors.mean(0)
            self._update(mean.detach())
        else:
            mean = self.mean.to(factors.dtype)
        return mean.expand_as(factors)

    def _update(self, mean: Tensor) -> None:
        part = torch.where(self.num_batches_tracked == 0, 1.0, self.momentum).to(self.mean.dtype)
        self.num_batches_tracked.add_(1)
        self.mean.lerp_(mean.to(self.mean.dtype), part)


@GATES.register_module('shuffled_images')
class ShuffledImages(nn.Module):
    """Gates shuffled between the images of a batch: every image gets the factors of another one.

    The batch is rolled on, by a random number of images in training, by one in evaluation. A batch of one image, as detectors
    test, has no other and keeps its own, with a warning: then nothing is controlled.

    Args:
        in_channels (int): C.
        gate (str or dict): The gate that is shuffled.
    """

    over_images = True

    def __init__(self, in_channels: int, gate: str | dict = 'sigmoid'):
        super().__init__()
        self.gate = build_gate(gate, in_channels)

    def forward(self, logits: Tensor) -> Tensor:
        """(N, ...) -> the same shape."""
        factors, images = self.gate(logits), len(logits)
        if images == 1:
            warnings.warn(ALONE, stacklevel=2)
            return factors
        by = int(torch.randint(1, images, ())) if self.training else 1
        return factors.roll(by, 0)
