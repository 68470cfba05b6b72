"""Counts the bytes that a layer's operators read and write, which is the same on every machine."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from attn_plugins.compat import CompilerBytes, TorchDispatchMode, changed_arguments


class Traffic(TorchDispatchMode):
    """Adds up the bytes that every operator inside it reads and writes; `bytes` is the sum.

    An operator reads each of its distinct tensors once and writes each result that has memory of its own. It is free if
    it only gives its input another shape (views). One that works in place reads and writes its tensor, or only writes
    it if the old values do not matter (`copy_`, `fill_`). A tensor counts with the memory that it touches: an expanded
    one with the memory before expansion. So a batch norm, whose kernels read the map twice, counts one read: this is
    the least that the operators, each by itself, could do.
    """

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.bytes += _moved(func, args, kwargs or {}, result)
        return result


# Operators that use only shapes; torch 2.1 calls them before every backward pass.
SHAPES_ALONE = {'is_same_size'}
# Operators that allocate memory without writing it.
EMPTY = {'empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided', 'empty_permuted'}
# Operators that write a tensor in place without reading it.
OVERWRITES = {'copy_', 'fill_', 'zero_'}


def _moved(func, args: tuple, kwargs: dict, result) -> int:
    """Counts the bytes that one operator reads and writes."""
    name = func.overloadpacket.__name__
    if name in EMPTY or name in SHAPES_ALONE:
        return 0
    given = {_place(tensor): tensor for tensor in _tensors((args, kwargs))}
    changed = {_place(tensor): tensor for tensor in _tensors(changed_arguments(func, args, kwargs))}
    old = {_storage(tensor) for tensor in given.values()}
    results = list(_tensors(result))
    made = {_place(tensor): tensor for tensor in results if _storage(tensor) not in old}
    if results and not made and not changed:  # a view
        return 0
    read = given
    if name in OVERWRITES:
        read = {place: tensor for place, tensor in given.items() if place not in changed}
    return sum(map(_sum, (read, changed, made)))


def _tensors(value) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _storage(tensor: Tensor) -> int:
    return StorageWeakRef(tensor.untyped_storage()).cdata


def _place(tensor: Tensor) -> tuple:
    """Identifies the memory of a tensor: two tensors of the same piece of memory have the same key."""
    return _storage(tensor), tensor.storage_offset(), tuple(tensor.shape), tensor.stride()


def _sum(tensors: dict) -> int:
    return sum(touched_bytes(tensor) for tensor in tensors.values())


def touched_bytes(tensor: Tensor) -> int:
    """Counts the bytes of a tensor's distinct values: an expanded one by its original, a slice by itself."""
    if tensor.numel() == 0:
        return 0
    numel = extent = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        numel *= size if stride else 1
        extent += (size - 1) * stride
    return min(numel, extent) * tensor.element_size()


def count_traffic(call: Callable[[Tensor], Tensor], x: Tensor) -> dict[str, int]:
    """Counts the bytes that all operators of one forward and one backward pass read and write.

    Args:
        call: A function of one tensor, or a module in its present mode, of which a copy is counted.
        x: Its input. The gradients of input and parameters are computed.

    Returns:
        dict: `forward` and `backward`, in bytes.
    """
    if isinstance(call, nn.Module):
        call = deepcopy(call)
        call.zero_grad(set_to_none=True)  # the first backward pass of a step adds to no gradient
    x, forward, backward = x.detach().requires_grad_(), Traffic(), Traffic()
    with forward:
        y = call(x)
    dy = torch.randn_like(y)
    with backward:
        y.backward(dy)
    return dict(forward=forward.bytes, backward=backward.bytes)


def count_compiled_traffic(call: Callable[[Tensor], Tensor], x: Tensor) -> dict[str, int]:
    """Counts as :func:`count_traffic` the kernels that `torch.compile` makes, by the compiler's own count.

    The compiler counts each buffer once for every kernel that reads or writes it, so a kernel that reads a row twice
    from the cache has read it once.

    Args:
        call: A function or module that was not called yet: this first call compiles it.
        x: As for :func:`count_traffic`.

    Returns:
        dict: `forward` and `backward`, in bytes.

    Raises:
        ValueError: Nothing is compiled by this call; the same code was compiled before.
    """
    x = x.detach().requires_grad_()
    with CompilerBytes() as counter:
        y = call(x)
        forward = counter.bytes
        y.backward(torch.randn_like(y))
    if not forward:
        raise ValueError(
            'nothing was compiled, so nothing was counted: compat.forget_graphs() forgets what was'
        )
    return dict(forward=forward, backward=counter.bytes - forward)
