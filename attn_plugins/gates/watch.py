"""Observes from outside by what the inserted layers of a live model multiply their maps, image by image."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attn_plugins.compat import children_of
from attn_plugins.errors import UserError
from attn_plugins.insertion.identity_start import IdentityStart
from attn_plugins.insertion.tree import inserted_layers
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.registry import nearest

PRODUCTS = {torch.mul, torch.Tensor.mul, torch.Tensor.__mul__, torch.Tensor.__rmul__}
SUMS = {torch.add, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__}
DIFFERENCES = {torch.sub, torch.Tensor.sub, torch.Tensor.__sub__}
SHAPES = {torch.Tensor.reshape, torch.Tensor.view, torch.Tensor.unflatten, torch.Tensor.flatten}


@dataclass(frozen=True)
class Reading:
    """What a layer did in one call.

    Attributes:
        layer: Its name in the model, followed by ` #2`, ` #3` if it runs again in the same pass.
        type: Its class.
        x: The map, (N, C, H, W); for a norm layer the finished batch norm's output.
        y: The layer's output, (N, C, H, W).
        factor: The factor that multiplied x; it broadcasts to (N, C, H, W). None if the layer does something else.
            IEBN's factor multiplies the batch norm's output without the bias. That of `start='identity'` is 1 + a
            (factor - 1).
    """

    layer: str
    type: str
    x: Tensor
    y: Tensor
    factor: Tensor | None

    def change(self) -> Tensor:
        """Computes |y - x| / |x| with the norms over the channels, (N, H, W)."""
        return (self.y - self.x).norm(dim=1) / self.x.norm(dim=1).clamp(min=torch.finfo(self.x.dtype).tiny)


def choose_layers(model: nn.Module, names: list[str] | None, of: str) -> dict[str, nn.Module]:
    """Returns the inserted layers that a user names, by default all; no convolutions, since they compute new maps.

    Raises:
        UserError: The model has no inserted layers, or none of that name.
    """
    layers = {
        name: layer for name, layer in inserted_layers(model).items() if not isinstance(layer, ConvLike)
    }
    if not layers:
        raise UserError(f'{of} has no inserted layers, so no gates: choose a preset that inserts some')
    for name in names or ():
        if name not in layers:
            raise UserError(f'{of} has no inserted layer {name!r}: {nearest(name, layers)}')
    return {name: layers[name] for name in names or layers}


def check_used(layers: dict[str, nn.Module], seen: set[str], of: str) -> None:
    """Raises a UserError if a layer was not called in a pass."""
    unused = [name for name in layers if name not in seen]
    if unused:
        raise UserError(f'{unused[0]} takes no part in a pass of {of}: choose another layer')


@contextmanager
def watch_gates(
    model: nn.Module, layers: dict[str, nn.Module], see: Callable[[Reading], None]
) -> Iterator[None]:
    """Reports every call of a layer: `with watch_gates(model, layers, see): model.test_step(data)`.

    A layer that blocks share is reported at each of them. Its numbers restart when the network does, which happens for
    every window of a segmentor with sliding windows.

    Args:
        model: The whole model.
        layers: Its layers, by name.
        see: Gets each reading and may keep it; none of its tensors is written to again but `y`, which is the host's.
    """
    starts = {child.wrapped: child for child in model.modules() if isinstance(child, IdentityStart)}
    calls: Counter[str] = Counter()
    with ExitStack() as stack:
        factors = stack.enter_context(Factors())
        for name, layer in layers.items():

            def read(_, args, y, name=name, layer=layer):
                x, factor = factors.of(y)
                calls[name] += 1
                number = f' #{calls[name]}' if calls[name] > 1 else ''
                see(Reading(name + number, type(layer).__name__, x, y, factor))

            stack.callback(starts.get(layer, layer).register_forward_hook(read).remove)
        # After the hooks that read: the norm inside a norm layer may be another norm layer.
        for layer in layers.values():
            if isinstance(layer, NormLayer):
                stack.callback(layer.bn.register_forward_hook(lambda bn, args, y: factors.begin(y)).remove)
            else:
                begin = starts.get(layer, layer).register_forward_pre_hook(
                    lambda _, args: factors.begin(args[0])
                )
                stack.callback(begin.remove)
        _count_by_pass(model, calls, stack)
        yield


def _count_by_pass(model: nn.Module, calls: Counter, stack: ExitStack) -> None:
    """Resets the counts of calls when the part of a model that ran first, and has weights, runs again."""
    first = []

    def run(part, args):
        first.append(part)
        if part is first[0]:
            calls.clear()

    for part in children_of(model).values():
        if part is not None and next(part.parameters(), None) is not None:
            stack.callback(part.register_forward_pre_hook(run).remove)


class Factors(TorchFunctionMode):
    """Tracks a map through a layer's products and their sums, and the factor that it has been multiplied by so far."""

    def __init__(self):
        super().__init__()
        self.known: dict[int, tuple[Tensor, Tensor]] = {}
        self.start: Tensor | None = None

    def begin(self, x: Tensor) -> None:
        """Starts to track another map."""
        # A copy, as the host may overwrite its own.
        self.start = x.clone()
        self.known = {id(x): (x, x.new_ones(()))}

    def of(self, y: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns the tracked map and its factor in `y`, which broadcasts to it; None if `y` is no product."""
        factor = self.known.get(id(y), (None, None))[1]
        return self.start, factor

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in PRODUCTS:
            for x, other in (args, args[::-1]):
                self._follow(result, lambda factor, other=other: factor * other, x)
        elif func in SUMS and not kwargs:  # x + x * g
            self._follow(result, torch.add, *args)
        elif func in DIFFERENCES and not kwargs:
            self._follow(result, torch.sub, *args)
        elif func in SHAPES:
            shape = args[0].shape
            self._follow(result, lambda factor: factor.expand(shape).reshape(result.shape), args[0])
        elif func is torch.addcmul:  # IEBN: a batch norm times a gate, and a shift that belongs to it
            self._follow(result, lambda factor: factor * args[2], args[1])
        return result

    def _follow(self, result, change: Callable, *maps) -> None:
        """Tracks `result`, which is computed from the maps, if all of them are tracked."""
        if all(id(x) in self.known for x in maps) and id(result) not in self.known:
            self.known[id(result)] = (result, change(*(self.known[id(x)][1] for x in maps)))
