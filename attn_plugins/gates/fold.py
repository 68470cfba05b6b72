"""Merges nearly constant gates into the weights next to them: the layer is removed, its mean gate per channel remains.

A gate g_c that is the same for every image and place scales channel c, and a scale can be merged

    back into the norm or convolution that made the map:  g (w x_hat + b) = (g w) x_hat + g b,
    back through a ReLU on the way, if g >= 0:            g relu(x) = relu(g x),
    forward into the convolutions that read it:           sum_c W_oc (g_c x_c) = sum_c (W_oc g_c) x_c,
    of IEBN into its batch norm's weight:                 g (h - b) + b = (g w) x_hat + b with h = w x_hat + b,

tried in this order. In between, nothing else may read the map or the weights, and nothing may pass the map on to a
reader that is not seen: `Dataflow` records all readers. If a gate cannot be merged, the layer stays and the reason is
given. For gates that are constant the folded model computes the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_plugins.compat import children_of
from attn_plugins.gates.census import LayerCensus
from attn_plugins.gates.dataflow import Call, Dataflow, Step, Value
from attn_plugins.gates.watch import choose_layers
from attn_plugins.insertion.identity_start import IdentityStart
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.layers.norm.iebn import IEBN

TOLERANCE = 0.05
NORMS = {F.batch_norm, F.group_norm, F.instance_norm}
CONVS = {F.conv2d}
# g f(x) = f(g x) for g >= 0.
HOMOGENEOUS = {F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.leaky_relu}


class NotFoldable(Exception):
    """A layer cannot be removed; the message says why."""


@dataclass
class Merge:
    """One change of weights: each weight is multiplied by a scale that broadcasts to it."""

    scales: list[tuple[nn.Parameter, Tensor]]
    into: str


@dataclass
class Folded:
    """The outcome for a layer.

    Attributes:
        layer: Its name in the model.
        type: Its class.
        spread: The relative spread of its gates, the largest of the blocks that share it; None if it is no gate.
        into: What its mean was merged into, at each block; empty if it stays.
        reason: Why it stays.
    """

    layer: str
    type: str
    spread: float | None
    into: list[str] = field(default_factory=list)
    reason: str = ''


@torch.no_grad()
def fold_layers(
    model: nn.Module,
    census: dict[str, LayerCensus],
    run: Callable[[nn.Module], object],
    tolerance: float = TOLERANCE,
    force: bool = False,
    names: Sequence[str] | None = None,
) -> list[Folded]:
    """Folds the layers whose gates are constant enough, and removes them from the model.

    A layer that blocks share is folded in all of them, each with its own mean, or in none.

    Args:
        model: In eval mode; it is changed in place.
        census: The statistics of its gates, from `take_census`.
        run: Runs a model on one batch; every part of it that is ever used must take part.
        tolerance: The largest relative spread s (`Spread`) of a gate that is folded.
        force: Folds gates of a larger spread too.
        names: The layers' names; by default all.

    Returns:
        One entry per layer, in the model's order.
    """
    report = []
    for name, layer in choose_layers(model, list(names) if names else None, 'the model').items():
        counts = [found for key, found in census.items() if key.partition(' ')[0] == name]
        gates = all(count.gate for count in counts)
        spread = max((count.spread.relative() for count in counts), default=None) if gates else None
        entry = Folded(name, type(layer).__name__, spread)
        report.append(entry)
        try:
            if not counts:
                raise NotFoldable('it takes no part in the passes that were counted')
            if spread is None:
                raise NotFoldable('it does something else than multiply its map by a gate')
            # A gate that is not finite cannot be merged into a weight.
            if not spread <= (float('inf') if force else tolerance):
                raise NotFoldable(
                    f'its gate varies by {spread:.1%} between images and places, more than {tolerance:.1%}'
                )
            _fold(model, layer, [count.spread.mean for count in counts], run, entry)
        except NotFoldable as error:
            entry.reason = str(error)
    return report


def _fold(model: nn.Module, layer: nn.Module, gates: list[Tensor], run: Callable, entry: Folded) -> None:
    """Merges a layer's gates and removes it, everywhere or nowhere.

    Raises:
        NotFoldable: It cannot be merged.
    """
    held = next(
        (m for m in model.modules() if isinstance(m, IdentityStart) and children_of(m)['wrapped'] is layer),
        layer,
    )
    with Dataflow(model, [held]) as flow:
        run(model)
    if len(flow.calls) != len(gates):
        raise NotFoldable(
            f'it runs {len(flow.calls)} times in a pass and was counted at {len(gates)} places: more than one window, '
            'or branches'
        )
    slots = _slots(model, held, flow.calls)
    names = dict(model.named_parameters(remove_duplicate=False))
    merges = []
    for call, gate in zip(flow.calls, gates, strict=True):
        if isinstance(layer, NormLayer):
            merges.append(_into_inner_norm(model, layer, gate))
        else:
            merges.append(_beside(call, gate, flow))
    for merge in merges:
        tied = [p for p, _ in merge.scales if sum(other is p for other in names.values()) > 1]
        if tied:
            raise NotFoldable('the weights beside it are those of another module too')
    changed = [id(parameter) for merge in merges for parameter, _ in merge.scales]
    if len(changed) != len(set(changed)):
        raise NotFoldable('the blocks that share it share the weights beside it too')
    for merge in merges:
        for parameter, scale in merge.scales:
            parameter.mul_(scale.to(parameter))
        weight = next(name for name, parameter in names.items() if parameter is merge.scales[0][0])
        entry.into.append(f'{weight.rpartition(".")[0]} ({merge.into})')
    for (parent, key), left in slots:
        children_of(parent)[key] = left


def _slots(
    model: nn.Module, held: nn.Module, calls: list[Call]
) -> list[tuple[tuple[nn.Module, str], nn.Module]]:
    """Finds the slot (parent and key) of the layer at each call, and the module that remains there without it."""
    slots = []
    for call in calls:
        outer = call.plug or held
        found = [(m, key) for m in model.modules() for key, child in children_of(m).items() if child is outer]
        if len(found) != 1:
            raise NotFoldable(f'it stands at {len(found)} places of the model under one name')
        if call.plug is not None:
            left = call.plug.wrapped
        elif isinstance(held, (NormLayer, IdentityStart)):
            inner = held.wrapped if isinstance(held, IdentityStart) else held
            left = inner.bn if isinstance(inner, NormLayer) else nn.Identity()
        else:
            left = nn.Identity()
        slots.append((found[0], left))
    if len({(id(parent), key) for (parent, key), _ in slots}) != len(slots):
        raise NotFoldable('one module runs it several times in a pass, each time with another map')
    return slots


def _into_inner_norm(model: nn.Module, layer: NormLayer, gate: Tensor) -> Merge:
    """Merges IEBN's gate into its batch norm's weight: the gate multiplies the norm's output without the bias."""
    if not isinstance(layer, IEBN):
        raise NotFoldable(f'{type(layer).__name__} is no gate on the scale of its batch norm')
    if any(isinstance(m, NormLayer) and m.bn is layer for m in model.modules()):
        raise NotFoldable('another norm layer stands around it, which reads its weight')
    norm = layer.bn
    while isinstance(norm, (NormLayer, IdentityStart)):
        norm = norm.wrapped if isinstance(norm, IdentityStart) else norm.bn
    if norm.weight is None:
        raise NotFoldable('its batch norm has no weight')
    return Merge([(norm.weight, gate)], 'its weight')


def _beside(call: Call, gate: Tensor, flow: Dataflow) -> Merge:
    """Finds the weights before or behind a layer that its gate can be merged into."""
    try:
        return _back(call, gate, flow)
    except NotFoldable as before:
        try:
            return _forward(call, gate, flow)
        except NotFoldable as behind:
            raise NotFoldable(f'before it {before}, and behind it {behind}') from None


def _back(call: Call, gate: Tensor, flow: Dataflow) -> Merge:
    value: Value = call.x
    through = ''
    others = [step for step in value.readers if step.call is not call]
    while True:
        if others:
            raise NotFoldable(f'its map is read by {others[0].name} too')
        if value.leaves_by is not None:
            raise NotFoldable(f'{value.leaves_by} hands its map on without the gate')
        step = value.maker
        if step is None:
            raise NotFoldable('nothing makes its map')
        if step.func in NORMS | CONVS:
            return _into_outputs(step, gate, flow, through)
        if step.func not in HOMOGENEOUS:
            raise NotFoldable(f'stands {step.name}, which a scale cannot pass')
        if not bool((gate >= 0).all()):
            raise NotFoldable(f'stands {step.name}, which a negative gate cannot pass')
        value, through = step.values[0], f', through {step.name}'
        others = [other for other in value.readers if other is not step]


def _into_outputs(step: Step, gate: Tensor, flow: Dataflow, through: str) -> Merge:
    """Merges the gate into the weight and bias of a norm or convolution: it scales each output channel."""
    parameters = _weights_of(step, gate, flow)
    scales = [(p, gate.view(-1, *[1] * (p.dim() - 1))) for p in parameters]
    return Merge(scales, f'the {"norm" if step.func in NORMS else "convolution"} before it{through}')


def _forward(call: Call, gate: Tensor, flow: Dataflow) -> Merge:
    readers = call.y.readers
    if not readers or call.y is call.x:
        raise NotFoldable('nothing reads its map')
    if call.y.leaves_by is not None:
        raise NotFoldable(f'{call.y.leaves_by} hands its map on, where nothing is seen to read it')
    scales = []
    for step in readers:
        if step.func not in CONVS or step.values[0] is not call.y or step.call is not None:
            raise NotFoldable(f'stands {step.name}, which is no convolution')
        weight, *_ = _weights_of(step, None, flow)
        # (O, I / groups, ...): the outputs of group k read its own I / groups channels.
        groups = len(gate) // weight.shape[1]
        scale = gate.view(groups, 1, -1).expand(-1, len(weight) // groups, -1).reshape(len(weight), -1, 1, 1)
        scales.append((weight, scale))
    return Merge(scales, f'the convolution{"s" if len(readers) > 1 else ""} behind it')


def _weights_of(step: Step, gate: Tensor | None, flow: Dataflow) -> list[nn.Parameter]:
    """Returns the weights of a norm's or a convolution's step, which nothing else may have read."""
    parameters = step.parameters
    others = [t for t in step.tensors[1:] if not isinstance(t, nn.Parameter)]
    if not parameters or step.func in CONVS and others:
        raise NotFoldable(f'stands {step.name} without weights of its own')
    if any(flow.uses[id(parameter)] > 1 for parameter in parameters):
        raise NotFoldable(f'stands {step.name}, whose weights are used several times')
    if gate is not None and any(len(parameter) != len(gate) for parameter in parameters):
        raise NotFoldable(f'stands {step.name} of other channels')
    return parameters
