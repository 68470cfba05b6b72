"""Observes the inputs and outputs of every module of a host in a forward pass on torch's meta device.

The meta device computes shapes only.
"""

import copy
import functools
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_plugins.insertion.tree import walk

# Two image sizes, neither of them square: only the channels of a map are the same for both. Hosts that are built for
# one size get that size.
SIZES = ((128, 192), (256, 320))
# Children of a whole model that are no heads: those that `extract_feat` calls, and the data preprocessor.
NOT_HEADS = ('backbone', 'neck', 'data_preprocessor')

#: The channels of a map (N, C, H, W), those of several maps, or a description of anything else.
MapKind = int | tuple[int, ...] | str


class ModuleIO(NamedTuple):
    """The input and output of a module.

    Attributes:
        before: What its first argument is.
        after: What it returns.
        calls: How often it is called in one forward pass.
        keeps_size: Whether the output has the size of the input.
    """

    before: MapKind
    after: MapKind
    calls: int
    keeps_size: bool


class Shapes:
    """The channels at every module of a host; the forward pass runs when they are first needed.

    Args:
        host (nn.Module): The host before any layer is put in.
    """

    def __init__(self, host: nn.Module):
        self.host = host

    def at(self, name: str) -> ModuleIO | None:
        """Returns what was seen at a module ('' is the host itself); None if it was not called."""
        return self._seen[0].get(name)

    @property
    def complete(self) -> bool:
        """Whether the host's own forward ran to its end; a module that was not seen is then never called in it."""
        return self._seen[1]

    @cached_property
    def _seen(self) -> tuple[dict[str, ModuleIO], bool]:
        best: dict[str, ModuleIO] = {}
        for make in (
            _on_meta,
            copy.deepcopy,
        ):  # the second where an operator has no kernel for the meta device
            try:
                twin = make(self.host)
            except Exception:  # some module cannot be copied, so the channels stay unknown
                continue
            for module in twin.modules():
                module.training = False
            size = getattr(twin, 'img_size', None)
            fixed = [(size, size)] if isinstance(size, int) else [tuple(size)] if size else []
            for sizes in (SIZES, *([size] * 2 for size in (*fixed, (224, 224)))):
                for first, second in zip(*(_calls(twin, size) for size in sizes), strict=True):
                    seen, ended = _observe(twin, first, second)
                    if ended:
                        return seen, '' in seen
                    best = max(best, seen, key=len)
        return best, False


def keeps_shape(layer: nn.Module, channels: int) -> bool:
    """Tells whether a layer keeps the shape of a map; True also if that cannot be found out."""
    try:
        twin = _on_meta(layer)
        for module in twin.modules():
            module.training = False
        y = twin(torch.empty(1, channels, 12, 16, device='meta'))
    except Exception:  # no kernel for the meta device, or another size is needed
        return True
    return isinstance(y, Tensor) and y.shape == (1, channels, 12, 16)


def _on_meta(host: nn.Module) -> nn.Module:
    """Copies a host to the meta device, without its weights."""
    memo = {}
    for tensor in [*host.parameters(), *host.buffers()]:
        empty = torch.empty_like(tensor, device='meta')
        memo[id(tensor)] = nn.Parameter(empty, False) if isinstance(tensor, nn.Parameter) else empty
    return copy.deepcopy(host, memo)


def _calls(host: nn.Module, size: tuple[int, int]) -> Iterator[Callable[[], object]]:
    """Yields ways to call a host with images of a size, the likelier first.

    They are for a whole model, for a head or neck on maps, and for any other host.
    """
    parameter = next(host.parameters(), torch.empty(0, device='meta'))

    def empty(channels: int, height: int, width: int) -> Tensor:
        return torch.zeros(1, channels, height, width, device=parameter.device, dtype=parameter.dtype)

    def level(channels: int, index: int = 2) -> Tensor:
        return empty(channels, *(max(side // 2 >> index, 1) for side in size))

    # Three channels, and what the first convolution takes: a focus stem rearranges three into twelve.
    convs = (module.in_channels for module in host.modules() if isinstance(module, nn.Conv2d))
    images = [empty(number, *size) for number in dict.fromkeys((3, next(convs, 3)))]
    if hasattr(host, 'extract_feat'):
        for image in images:
            yield functools.partial(_call_model, host, image)
        return
    channels = getattr(host, 'in_channels', None)
    if isinstance(channels, int) and hasattr(host, 'in_index'):  # a segmentation head
        yield lambda: host([level(channels)])
    if isinstance(channels, (list, tuple)) and all(isinstance(value, int) for value in channels):
        order = getattr(host, 'in_index', range(len(channels)))
        if not isinstance(order, int):
            maps = {index: level(value, index) for index, value in zip(order, channels, strict=False)}
            yield lambda: host(tuple(maps.get(index, level(1)) for index in range(max(maps) + 1)))
    strides = getattr(host, 'strides', None) or getattr(
        getattr(host, 'prior_generator', None), 'strides', None
    )
    if isinstance(channels, int) and isinstance(strides, (list, tuple)):  # a dense head
        yield lambda: host(tuple(level(channels, index) for index in range(len(strides))))
    for image in images:
        yield functools.partial(host, image)
    if isinstance(channels, int):
        yield lambda: host(level(channels))
        yield lambda: host((level(channels),))


def _call_model(model: nn.Module, image: Tensor) -> None:
    """Runs backbone and neck, then every head that accepts their maps."""
    features = model.extract_feat(image)
    for name, head in model.named_children():
        if name not in NOT_HEADS:
            try:
                head(features)
            except Exception:  # a head that takes something else stays unseen
                continue


def _observe(
    host: nn.Module, first: Callable[[], object], second: Callable[[], object]
) -> tuple[dict[str, ModuleIO], bool]:
    """Records inputs and outputs of each module in two calls of different sizes, and whether both calls finished."""
    records: list[dict[str, list]] = []
    handles = []
    for name, module in [('', host), *((node.name, node.module) for node in walk(host))]:

        def look(module, args, kwargs, output, name=name):
            values = [*args, *kwargs.values()]
            records[-1].setdefault(name, []).append((_shapes(values[0]) if values else None, _shapes(output)))

        handles.append(module.register_forward_hook(look, with_kwargs=True))
    ended = True
    for call in (first, second):
        records.append({})
        try:
            with torch.no_grad():
                call()
        except Exception:  # not the way to call this host, or not the size
            ended = False
            break
    for handle in handles:
        handle.remove()
    one, other = records[0], records[-1]
    # Modules that see one size only (behind a global pooling) are recorded in both calls too.
    seen = {name: _read(one[name], other[name]) for name in one if len(one[name]) == len(other.get(name, ()))}
    return seen, ended


def _shapes(value: object):
    """Returns the shape of a tensor, a list of shapes for several tensors, or a description of anything else."""
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, Tensor) for part in value):
        return [tuple(part.shape) for part in value]
    size = f' of {len(value)}' if isinstance(value, (list, tuple)) else ''
    return f'a {type(value).__name__}{size}'


def _read(one: list, other: list) -> ModuleIO:
    """Combines all calls of a module in the two passes."""
    calls = [
        ModuleIO(_what(a[0], b[0]), _what(a[1], b[1]), len(one), _size(a[0]) == _size(a[1]))
        for a, b in zip(one, other, strict=True)
    ]
    before, after = (_same([getattr(call, side) for call in calls]) for side in ('before', 'after'))
    return ModuleIO(before, after, len(one), all(call.keeps_size for call in calls))


def _what(one, other) -> MapKind:
    """Describes a value by its shapes in the two passes."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        parts = [_what(a, b) for a, b in zip(one, other, strict=True)]
        return (
            tuple(parts)
            if all(isinstance(part, int) for part in parts)
            else f'{len(parts)} tensors {one[0]}, ...'
        )
    if not isinstance(one, tuple) or not isinstance(other, tuple):
        return one if isinstance(one, str) else 'nothing'
    if len(one) != 4 or len(other) != 4:
        return f'a tensor {one}'
    if one[:2] != other[:2] or not _is_spatial(one, other):
        return f'a tensor {one}, which is no map (N, C, H, W)'
    return one[1]


def _is_spatial(one: tuple, other: tuple) -> bool:
    """Tells whether the last two axes are height and width: they change with the image, or are pooled to a square.

    A host that scales its images to one height itself, as torchvision's detectors do, keeps that height and the aspect
    ratio.
    """
    if one == other:
        return one[2] == one[3]
    scaled = one[2] == other[2] and all(
        abs(shape[3] - shape[2] * width / height) <= max(1.5, 0.1 * shape[3])
        for shape, (height, width) in zip((one, other), SIZES, strict=True)
    )
    return scaled or all(a != b or a == 1 for a, b in zip(one[2:], other[2:], strict=True))


def _size(shape) -> tuple | None:
    return shape[2:] if isinstance(shape, tuple) else None


def _same(kinds: list[MapKind]) -> MapKind:
    """Combines the descriptions of all calls of a module into one."""
    different = list(dict.fromkeys(kinds))
    return (
        kinds[0]
        if len(different) == 1
        else ' in one call and '.join(map(in_words, different[:2])) + ' in another'
    )


def in_words(what: MapKind) -> str:
    """Describes channels or maps in words, for a message."""
    if isinstance(what, int):
        return f'a map of {what} channels'
    return f'{len(what)} maps' if isinstance(what, tuple) else what
