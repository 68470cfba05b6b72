"""The gates of a model's layers for one image: what each layer multiplied its map by."""

from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attn_plugins.errors import UserError
from attn_plugins.insertion.tree import inserted_layers
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.registry import nearest
from attn_plugins.visualization.network import Network

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Gate:
    """What a layer did to its map.

    Attributes:
        layer: Its name in the model.
        type: Its class.
        factor: (C, H, W), by which each value was multiplied, of a norm layer the finished batch norm's; None where a layer
            does something else than multiply.
        change: (H, W), |y - x| / |x| with the norms over the channels, x of a norm layer being the batch norm's output.
    """

    layer: str
    type: str
    factor: Tensor | None
    change: Tensor

    @property
    def kind(self) -> str:
        """'none' for no gate; 'channels', 'places', 'strips' (a factor per row times one per column) or 'values'."""
        if self.factor is None:
            return 'none'
        factor = self.factor.double()
        rows, columns, whole = factor.mean(2, True), factor.mean(1, True), factor.mean((1, 2), True)
        if _equal(factor, whole):
            return 'channels'
        if _equal(factor, factor.mean(0, True)):
            return 'places'
        return 'strips' if _equal(factor * whole, rows * columns) else 'values'


def choose_layers(model: nn.Module, names: list[str] | None, of: str) -> dict[str, nn.Module]:
    """The inserted layers that a user names, by default all.

    Raises:
        UserError: The model has no inserted layers, or none of that name.
    """
    layers = inserted_layers(model)
    if not layers:
        raise UserError(f'{of} has no inserted layers, so no gates: choose a preset that inserts some')
    for name in names or ():
        if name not in layers:
            raise UserError(f'{of} has no inserted layer {name!r}: {nearest(name, layers)}')
    return {name: layers[name] for name in names or layers}


@torch.no_grad()
def read_gates(network: Network, inputs: Tensor, names: list[str] | None = None) -> list[Gate]:
    """The gates of the inserted layers in one pass, in the order of the model's modules.

    A layer whose output is its input times something, and nothing else, is a gate. A layer that several blocks share is
    read at each of them and numbered.

    Args:
        network: The model.
        inputs: (1, C, h, w).
        names: Of the layers; by default all.

    Raises:
        UserError: The model has no inserted layers, or none of that name.
    """
    layers = choose_layers(network.model, names, network.subject.name)
    found: dict[str, list[Gate]] = {name: [] for name in layers}
    with ExitStack() as stack:
        factors = stack.enter_context(_Factors())
        for name, layer in layers.items():

            def read(module, args, y, name=name):
                x, factor = factors.of(y)
                change = (y - x).norm(dim=1) / x.norm(dim=1).clamp(min=torch.finfo(x.dtype).tiny)
                number = f' #{len(found[name]) + 1}' if found[name] else ''
                factor = None if factor is None else factor[0]
                found[name].append(Gate(name + number, type(module).__name__, factor, change[0]))

            stack.callback(layer.register_forward_hook(read).remove)
        # After the hooks that read: the norm inside a norm layer may be another norm layer.
        for layer in layers.values():
            if isinstance(layer, NormLayer):
                stack.callback(layer.bn.register_forward_hook(lambda bn, args, y: factors.begin(y)).remove)
            else:
                stack.callback(layer.register_forward_pre_hook(lambda _, args: factors.begin(args[0])).remove)
        network(inputs)
    unused = [name for name, gates in found.items() if not gates]
    if unused:
        raise UserError(
            f'{unused[0]} takes no part in a pass of {network.subject.name}: choose another layer'
        )
    return [gate for gates in found.values() for gate in gates]


class _Factors(TorchFunctionMode):
    """Follows a map through the products of a layer, and knows by what each of them has multiplied it so far."""

    def __init__(self):
        super().__init__()
        self.known: dict[int, tuple[Tensor, Tensor]] = {}
        self.start: Tensor | None = None

    def begin(self, x: Tensor) -> None:
        """Follows another map from here on."""
        # A copy, as the host may go on to overwrite its own.
        self.start = x.clone()
        self.known = {id(x): (x, torch.ones_like(x))}

    def of(self, y: Tensor) -> tuple[Tensor, Tensor | None]:
        """The map that was begun with, and the factor of what came of it; None if `y` is no product of it."""
        factor = self.known.get(id(y), (None, None))[1]
        return self.start, factor

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in (torch.Tensor.mul, torch.mul, torch.Tensor.__mul__, torch.Tensor.__rmul__):
            for x, other in (args, args[::-1]):
                self._follow(x, result, lambda factor, other=other: factor * other)
        elif func in (torch.Tensor.reshape, torch.Tensor.view, torch.Tensor.unflatten, torch.Tensor.flatten):
            self._follow(args[0], result, lambda factor: factor.reshape(result.shape))
        elif func is torch.addcmul:  # IEBN: a batch norm times a gate, and a shift that belongs to it
            self._follow(args[1], result, lambda factor: factor * args[2])
        return result

    def _follow(self, x, result, change) -> None:
        if id(x) in self.known and id(result) not in self.known:
            self.known[id(result)] = (result, change(self.known[id(x)][1]))


def _equal(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b.expand_as(a), rtol=TOLERANCE, atol=TOLERANCE)
