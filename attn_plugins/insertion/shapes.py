"""What enters and leaves every module of a host, seen in a forward pass on torch's meta device, which computes shapes only."""

import copy
import functools
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attn_plugins.insertion.tree import walk

IMAGE = 224
# The parts of a whole model that its `extract_feat` calls, and what is no part of a forward pass.
NOT_HEADS = ('backbone', 'neck', 'data_preprocessor')

#: Channels of a map (N, C, H, W), those of several maps, or in words what else it is.
What = int | tuple[int, ...] | str


class Seen(NamedTuple):
    """What enters and what leaves a module."""

    before: What
    after: What


class Shapes:
    """The channels at every module of a host, read when they are first asked for.

    Args:
        host (nn.Module): Before any layer is put in.
    """

    def __init__(self, host: nn.Module):
        self.host = host

    def at(self, name: str) -> Seen | None:
        """What was seen at a module; '' is the host itself. None if it was not called."""
        return self._seen[0].get(name)

    @property
    def complete(self) -> bool:
        """Whether the host's own forward ran to its end: a module that was not seen is not called in it."""
        return self._seen[1]

    @cached_property
    def _seen(self) -> tuple[dict[str, Seen], bool]:
        best: dict[str, Seen] = {}
        for make in (
            _on_meta,
            copy.deepcopy,
        ):  # the second where an operator has no kernel for the meta device
            try:
                twin = make(self.host)
            except Exception:  # some module cannot be copied: what its channels are stays unknown
                continue
            for module in twin.modules():
                module.training = False
            for call in _calls(twin):
                seen, ended = _watch(twin, call)
                if ended:
                    return seen, '' in seen
                best = max(best, seen, key=len)
        return best, False


def _on_meta(host: nn.Module) -> nn.Module:
    """A copy without any numbers."""
    memo = {}
    for tensor in [*host.parameters(), *host.buffers()]:
        empty = torch.empty_like(tensor, device='meta')
        memo[id(tensor)] = nn.Parameter(empty, False) if isinstance(tensor, nn.Parameter) else empty
    return copy.deepcopy(host, memo)


def _calls(host: nn.Module) -> Iterator[Callable[[], object]]:
    """Ways to call a host, the likelier first: a whole model, a head or neck on maps, anything on an image."""
    parameter = next(host.parameters(), torch.empty(0, device='meta'))

    def empty(channels: int, height: int, width: int) -> Tensor:
        return torch.zeros(1, channels, height, width, device=parameter.device, dtype=parameter.dtype)

    def level(channels: int, index: int = 2) -> Tensor:
        size = max(128 >> index, 1)
        return empty(channels, size, size)

    # Three colours, unless the first convolution takes something else: a focus stem rearranges three into twelve.
    convs = (module.in_channels for module in host.modules() if isinstance(module, nn.Conv2d))
    size = getattr(host, 'img_size', IMAGE)
    height, width = (size, size) if isinstance(size, int) else size
    images = [empty(number, height, width) for number in dict.fromkeys((3, next(convs, 3)))]
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
    """Backbone and neck, then every head that takes their maps."""
    features = model.extract_feat(image)
    for name, head in model.named_children():
        if name not in NOT_HEADS:
            try:
                head(features)
            except Exception:  # a head that takes something else stays unseen
                continue


def _watch(host: nn.Module, call: Callable[[], object]) -> tuple[dict[str, Seen], bool]:
    """What is seen at each module in one call, and whether it ran to its end."""
    seen: dict[str, Seen] = {}
    handles = []
    for name, module in [('', host), *((node.name, node.module) for node in walk(host))]:

        def look(module, args, kwargs, output, name=name):
            values = [*args, *kwargs.values()]
            new = Seen(_what(values[0]) if values else 'nothing', _what(output))
            old = seen.get(name, new)
            seen[name] = Seen(_same(old.before, new.before), _same(old.after, new.after))

        handles.append(module.register_forward_hook(look, with_kwargs=True))
    try:
        with torch.no_grad():
            call()
        ended = True
    except Exception:  # not the way to call this host
        ended = False
    for handle in handles:
        handle.remove()
    return seen, ended


def _what(value: object) -> What:
    if isinstance(value, Tensor):
        return value.shape[1] if value.dim() == 4 else f'a tensor {tuple(value.shape)}'
    if isinstance(value, (list, tuple)):
        parts = [_what(part) for part in value]
        if parts and all(isinstance(part, int) for part in parts):
            return tuple(parts)
        return f'a {type(value).__name__} of {len(parts)}'
    return f'a {type(value).__name__}'


def _same(old: What, new: What) -> What:
    """What is true of both calls of a module."""
    return old if old == new else f'{in_words(old)} in one call and {in_words(new)} in another'


def in_words(what: What) -> str:
    """For a message."""
    if isinstance(what, int):
        return f'a map of {what} channels'
    return f'{len(what)} maps' if isinstance(what, tuple) else what
