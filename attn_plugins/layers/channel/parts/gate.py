"""Gates, which turn logits into factors, and controls, which are gates that cannot attend.

If a control gains as much as the layer itself, the gain does not come from attention.
"""

import warnings
from collections import deque

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_plugins.compat import in_backward
from attn_plugins.layers.channel.parts.reservoir import Reservoir
from attn_plugins.layers.recurrent import PartOfBlocks
from attn_plugins.ops.mode import is_watched
from attn_plugins.ops.recalibrate import multiply_gates
from attn_plugins.registry import GATES, build_part

ALONE = (
    'shuffled_images: a batch of one image keeps its own gate in training, so it is no control of it: train '
    'with batches of several, as train_dataloader.batch_size=8'
)
FIRST = (
    'shuffled_images: the first image of a test by single images keeps its own gate, as there is no other yet'
)
# How many random shifts of a training are kept because activation checkpointing may need them again: those of the
# forward passes whose backward has not run yet.
DRAWS = 256

# Functions that torch has get their names for configs here.
GATES.register_module('identity', module=nn.Identity)  # e, if the excitation's output is the factor
GATES.register_module('sigmoid', module=nn.Sigmoid)  # 1 / (1 + exp(-e))
GATES.register_module('tanh', module=nn.Tanh)


@GATES.register_module('hard_sigmoid')
class HardSigmoidGate(nn.Module):
    """min(max(e + 3, 0), 6) / 6, twice differentiable, unlike torch's own `Hardsigmoid`."""

    def forward(self, logits: Tensor) -> Tensor:
        """Computes the factors from logits of any shape."""
        return F.relu6(logits + 3) / 6


@GATES.register_module('one_plus_tanh')
class OnePlusTanhGate(nn.Module):
    """1 + tanh(e), between 0 and 2: the identity at logit 0 (GCT)."""

    def forward(self, logits: Tensor) -> Tensor:
        """Computes the factors from logits of any shape."""
        return 1 + torch.tanh(logits)


@GATES.register_module('softmax')
class SoftmaxGate(nn.Softmax):
    """exp(e_c) / sum_c exp(e_c): the channels compete, their factors add up to one."""

    def __init__(self):
        super().__init__(dim=1)


def build_gate(cfg: str | dict, in_channels: int) -> nn.Module:
    """Builds a gate from its name or config; controls also get the number of channels."""
    name = cfg if isinstance(cfg, str) else cfg.get('type')
    control = getattr(GATES.get(name) if isinstance(name, str) else name, 'over_images', False)
    return build_part(cfg, GATES, **(dict(in_channels=in_channels) if control else {}))


@GATES.register_module('mean_over_images')
class MeanOverImages(nn.Module):
    """A gate frozen at its mean: every image gets the factors that the images have on average.

    In training it is the mean over the batch; in evaluation the running mean, which begins with the first batch and
    takes a tenth of each later one, as batch norm's does. Before any batch it is 1. Factors of several logits are
    multiplied first.

    If blocks shared the layer, the running mean would be that over all of them, so `share='stage'` refuses it.

    Args:
        in_channels (int): C.
        gate (str or dict): The gate of which the mean is taken.
        momentum (float): Part of a batch in the running mean.
    """

    over_images = True
    #: The running mean belongs to one place in the host.
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
class ShuffledImages(PartOfBlocks):
    """Gates shuffled between images: every image gets the factors of another one.

    In training it is another image of the batch, which is rolled by a number of images that is drawn anew at each step.
    In evaluation it is any of the images seen since `eval()` was called, because test sets come class by class and
    detectors take one image at a time. A uniform sample of 1024 of them is kept, which is no part of the state dict.
    The first image of a test by single images and a training batch of one have no other image: they keep their own
    gate, with a warning. If a compiler, a trace or an export sees the single steps, the batch is rolled by one.

    torch's own random number stream is not advanced, so a host's dropout is that of a training without the layer.

    Args:
        in_channels (int): C.
        gate (str or dict): The gate that is shuffled.
    """

    over_images = True
    #: Whether an image's result depends on the images before it, and so on the order of a test.
    order_matters = True

    def __init__(self, in_channels: int, gate: str | dict = 'sigmoid'):
        super().__init__()
        self.gate = build_gate(gate, in_channels)
        self.seed: int | None = None
        self.steps = self.block = 0
        self._forget()

    def __getstate__(self) -> dict:
        return dict(self.__dict__, draws=deque(maxlen=DRAWS), reservoirs={})

    def train(self, mode: bool = True) -> 'ShuffledImages':
        """Forgets all images; torch's `eval()` does so too, because it calls this method."""
        self._forget()
        return super().train(mode)

    def start(self) -> None:
        """Begins again with the first of the blocks that share the layer; each of them has its own factors."""
        self.block = 0

    def forward(self, logits: Tensor) -> Tensor:
        """(N, ...) -> the same shape."""
        factors = self.gate(logits)
        if is_watched(factors) or factors.is_meta:
            return factors.roll(1, 0)
        if self.training:
            return factors.roll(self._by(factors), 0)
        reservoir = self.reservoirs.setdefault(self.block, Reservoir())
        self.block += self.shared
        if reservoir.seen == 0 and len(factors) == 1:
            warnings.warn(FIRST, stacklevel=2)
        return reservoir.exchange(factors)

    def _by(self, factors: Tensor) -> int:
        """Draws the number of images by which a batch is rolled.

        If activation checkpointing runs a block again, the number is the same as before.
        """
        images = len(factors)
        if images < 2:
            if images:
                warnings.warn(ALONE, stacklevel=3)
            return 0
        mark = factors.detach().sum(dtype=torch.float64).view(torch.int64)
        if in_backward():
            for by, known in reversed(self.draws):
                if torch.equal(known, mark):
                    return by
            raise RuntimeError(
                'shuffled_images: activation checkpointing has run a block again and the gates are others '
                'than before, so that they cannot be shuffled alike: switch it off (with_cp=False)'
            )
        if self.seed is None:
            with torch.random.fork_rng(devices=[]):  # reads torch's stream without advancing it
                self.seed = hash((int(torch.randint(2**62, ())), int(mark)))  # marks differ between layers
        generator = torch.Generator().manual_seed(self.seed + self.steps)
        self.steps += 1
        by = int(torch.randint(1, images, (), generator=generator))
        self.draws.append((by, mark))
        return by

    def _forget(self) -> None:
        self.draws: deque[tuple[int, Tensor]] = deque(maxlen=DRAWS)
        self.reservoirs: dict[int, Reservoir] = {}
