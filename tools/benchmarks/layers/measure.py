"""Measures a layer against other implementations: first checks that they are equal, then counts, then times them in
turn.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random

import numpy as np
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from attn_plugins.compat import forget_graphs
from attn_plugins.cost.cost import count_training_memory
from attn_plugins.ops.mode import reference
from benchmarks.layers.equality import ROUNDING, TOLERANCE, errors, results, scramble, worst
from benchmarks.layers.lower_bounds import LOWER_BOUNDS
from benchmarks.layers.references import REFERENCES, Reference
from benchmarks.layers.traffic import count_compiled_traffic, count_traffic

# The layer itself, in its two ways to run.
EAGER, COMPILED = 'eager', 'compiled'


class BatchNorm2d(nn.BatchNorm2d):
    """Torch's own, with a forward defined in this file: the compiler skips torch's modules that stand alone."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return super().forward(x)


@dataclass(frozen=True)
class Case:
    """A layer with its options.

    Attributes:
        name: Its name in the table.
        type: Its type.
        options: Given a map (N, C, H, W), its options without channels.
        pairwise: Whether it compares all places, so that it is measured on a smaller map and has no lower bound of
            traffic.
        group: Neighbours of one group are timed in turn, each next to the others; '' is none.
    """

    name: str
    type: str
    options: Callable[[Sequence[int]], dict] = lambda shape: {}
    pairwise: bool = False
    group: str = ''

    def build(self, shape: Sequence[int]) -> nn.Module:
        """Builds the layer for maps of a shape, in training, with weights for which no term vanishes."""
        cls = BatchNorm2d if self.type == 'BatchNorm2d' else MODELS.get(f'attn_plugins.{self.type}')
        layer = cls(shape[1], **self.options(shape))
        scramble(layer)
        return layer.train()


def _generalized(bits: str) -> Case:
    options = dict(num_heads=8, attention_type=bits)
    return Case(f'GeneralizedAttention {bits}', 'GeneralizedAttention', lambda shape: options, pairwise=True)


# Options are the layers' own defaults; FCA's bases have the map's size, as in the authors' ResNet.
CASES = [
    *(Case(name, name, group='norms') for name in ('BatchNorm2d', 'IEBN', 'NoisyBN')),
    *(Case(name, name) for name in ('SE', 'ECA', 'SEM', 'GE', 'SRM', 'GCT')),
    Case('FCA', 'FCA', lambda shape: dict(dct_size=tuple(max(7, size) for size in shape[2:]))),
    *(Case(name, name) for name in ('GC', 'CBAM', 'BAM', 'SGE', 'SimAM')),
    *(Case(name, name) for name in ('CoordAttention', 'TripletAttention', 'GALA')),
    *(
        Case(name, name, pairwise=True)
        for name in ('NonLocal', 'PAM', 'CAM', 'CrissCross', 'DoubleAttention')
    ),
    *map(_generalized, ('0010', '1111')),
]


@dataclass
class Contender:
    """One implementation of a case's function.

    Attributes:
        way: `EAGER`, `COMPILED`, or the source of a reference.
        module: In training, with the case's weights; None if it cannot be built.
        reason: Why it cannot be built.
        differs: The tensor that differs most from the eager layer's in float64.
        error: That difference, relative to the tensor's largest value.
        equal: Whether the difference is only rounding. Only equal contenders are timed.
        traffic: Bytes that the compiler counts, by 'forward' and 'backward'; None if nothing was compiled.
        milliseconds: Of every timed step.
    """

    way: str
    module: nn.Module | None
    reason: str = ''
    differs: str = ''
    error: float | None = None
    equal: bool = False
    traffic: dict[str, int] | None = None
    milliseconds: list[float] = field(default_factory=list)

    def judge(self, relative: dict[str, float], allowed: dict[str, float]) -> None:
        """Records the worst tensor, and whether all tensors differ by no more than they may."""
        self.differs = worst(relative, allowed)
        self.error = relative[self.differs]
        self.equal = all(relative[name] <= allowed[name] for name in relative)

    def quartiles(self) -> tuple[float, float, float] | None:
        """Returns the first quartile, median and third quartile, in milliseconds."""
        return tuple(np.percentile(self.milliseconds, [25, 50, 75]).tolist()) if self.milliseconds else None


@dataclass
class Measured:
    """All results for one case; bytes are of the whole batch.

    Attributes:
        case: Its name.
        shape: The map's shape.
        map_bytes: Bytes of one map, the unit of traffic.
        traffic: Counted for the operators, by 'forward' and 'backward'.
        compiled_traffic: Counted by the compiler for its kernels; None if nothing was compiled.
        floor: Maps that any implementation must move; None if there is no lower bound.
        kept: Bytes that a training step must hold for the backward pass, by contender.
        contenders: In the order of measurement.
    """

    case: str
    shape: list[int]
    map_bytes: int
    traffic: dict[str, int]
    compiled_traffic: dict[str, int] | None
    floor: dict | None
    kept: dict[str, int]
    contenders: dict[str, Contender]

    def speed_up(self, way: str, rival: str) -> float | None:
        """Returns the ratio of the reference's time to the layer's; None unless both were equal and timed."""
        ours, theirs = self.contenders.get(way), self.contenders.get(rival)
        if ours is None or theirs is None or not (ours.equal and theirs.equal):
            return None
        if not ours.milliseconds or not theirs.milliseconds:
            return None
        return theirs.quartiles()[1] / ours.quartiles()[1]


def compile_in_place(module: nn.Module) -> nn.Module:
    """Compiles a module, in the one way that all measurements use."""
    module.compile(fullgraph=True)
    return module


def compiled(layer: nn.Module) -> nn.Module:
    """Returns a compiled copy of a layer."""
    return compile_in_place(deepcopy(layer))


def contenders_of(
    case: Case,
    layer: nn.Module,
    x: Tensor,
    compile_it: bool = True,
    rivals: Sequence[Reference] | None = None,
) -> dict[str, Contender]:
    """Prepares the layer (eager and compiled) and its references, each checked to compute the same in training.

    All are compared with the published formula in float64 on the same map. The eager layer and the references are
    computed in float64. The compiled layer is computed in the measured precision: there each of its tensors may differ
    ten times as much as the eager layer's.

    Args:
        case: The case.
        layer: Its layer, for `x`.
        x: The map, (N, C, H, W).
        compile_it: Whether the layer is compiled too.
        rivals: By default those of `REFERENCES`.
    """
    exact = deepcopy(layer).double()
    dy = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(x)
    with reference():
        expected = results(exact, x.double(), dy.double())
    rounding = errors(results(layer, x, dy), expected)
    found = {EAGER: Contender(EAGER, layer)}
    relative = errors(results(exact, x.double(), dy.double()), expected)
    found[EAGER].judge(relative, dict.fromkeys(relative, TOLERANCE))
    if compile_it:
        contender = found[COMPILED] = Contender(COMPILED, compiled(layer))
        contender.traffic = count_compiled_traffic(contender.module, x)
        allowed = {name: max(10 * error, ROUNDING) for name, error in rounding.items()}
        contender.judge(errors(results(contender.module, x, dy), expected), allowed)
    for rival in REFERENCES.get(case.type, ()) if rivals is None else rivals:
        try:
            theirs = rival.with_weights_of(exact)
        except ImportError as error:
            found[rival.source] = Contender(rival.source, None, reason=f'{error.name} is not installed')
            continue
        contender = found[rival.source] = Contender(rival.source, rival.with_weights_of(layer))
        renamed = _as_rivals(rival, theirs, expected)
        relative = errors(results(theirs, x.double(), dy.double()), renamed)
        contender.judge(relative, dict.fromkeys(relative, TOLERANCE))
    return found


def _as_rivals(rival: Reference, theirs: nn.Module, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the layer's results under the names of a reference's parameters."""
    prefix = 'gradient of '
    maps = {name: expected[name] for name in ('output', 'gradient of the input')}
    gradients = {name.removeprefix(prefix): value for name, value in expected.items() if name not in maps}
    named = rival.in_rivals_names(theirs, gradients)
    return {**maps, **{prefix + name: value for name, value in named.items()}}


def time_in_turn(
    contenders: Sequence[Contender],
    x: Tensor,
    repeats: int,
    tick: Callable[[], None] = lambda: None,
    input_gradient: bool = True,
) -> None:
    """Times a training step of each contender round by round, each round in another order.

    The timer is `torch.utils.benchmark`. Slow changes of the machine affect all of them equally, and none always runs
    after the same one, whose maps it would find in the cache. A timed step follows two that are not timed.

    Args:
        contenders: What is timed; each gets its milliseconds.
        x: The map or image, (N, C, H, W).
        repeats: Number of rounds.
        tick: Called after every timed step.
        input_gradient: Whether the step computes that of `x`.
    """
    threads = torch.get_num_threads()
    timers = [
        Timer('step()', globals=dict(step=Step(c.module, x, input_gradient)), num_threads=threads)
        for c in contenders
    ]
    order, pairs = Random(0), list(zip(contenders, timers, strict=True))
    for _ in range(repeats):
        for contender, timer in order.sample(pairs, len(pairs)):
            contender.milliseconds.append(1e3 * timer.timeit(1).median)
            tick()


class Step:
    """The forward and backward pass of a module in training; deletes the gradients first, as a training does.

    Args:
        module: It returns one tensor.
        x: Its input.
        input_gradient: Whether the gradient of `x` is computed.
    """

    def __init__(self, module: nn.Module, x: Tensor, input_gradient: bool):
        self.module, self.x = module, x.detach().requires_grad_(input_gradient)
        with torch.no_grad():
            self.dy = torch.randn_like(module(x))

    def __call__(self) -> None:
        self.module.zero_grad(set_to_none=True)
        self.x.grad = None
        self.module(self.x).backward(self.dy)


def measure(
    cases: Sequence[Case],
    shape: Sequence[int],
    repeats: int,
    compile_it: bool = True,
    tick: Callable[[], None] = lambda: None,
) -> list[Measured]:
    """Counts and times cases, which are timed in turn.

    Args:
        cases: The cases.
        shape: Of the map, (N, C, H, W).
        repeats: Timed steps of each contender.
        compile_it: Whether the layers are compiled too.
        tick: Called after every timed step.
    """
    forget_graphs()
    x = torch.randn(tuple(shape), generator=torch.Generator().manual_seed(0))
    layers = [case.build(shape) for case in cases]
    contenders = [
        contenders_of(case, layer, x, compile_it) for case, layer in zip(cases, layers, strict=True)
    ]
    timed = [contender for found in contenders for contender in found.values() if contender.equal]
    time_in_turn(timed, x, repeats, tick)
    return [
        _count(case, layer, x, found) for case, layer, found in zip(cases, layers, contenders, strict=True)
    ]


def _count(case: Case, layer: nn.Module, x: Tensor, contenders: dict[str, Contender]) -> Measured:
    """Adds all counted values to what was timed."""
    floor = None if case.pairwise else LOWER_BOUNDS.get(case.type)
    return Measured(
        case=case.name,
        shape=list(x.shape),
        map_bytes=x.numel() * x.element_size(),
        traffic=count_traffic(layer, x),
        compiled_traffic=contenders[COMPILED].traffic if COMPILED in contenders else None,
        floor=floor and floor._asdict(),
        kept={c.way: _kept(c.module, x) for c in contenders.values() if c.equal and c.way != COMPILED},
        contenders=contenders,
    )


def _kept(module: nn.Module, x: Tensor) -> int:
    """Counts the bytes of the maps that the backward pass needs, for the whole batch."""
    return len(x) * count_training_memory(module, x)['per_image']
