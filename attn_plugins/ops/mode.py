"""Chooses the form in which an op runs: the formula as it is written, or the form that moves less memory.

Both compute the same numbers up to rounding; `tests/ops` compares values and all gradients.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from attn_plugins.compat import in_compiler, in_forward_mode, in_function_transform

_reference = os.environ.get('ATTN_PLUGINS_REFERENCE', '0') not in ('', '0')


_small_too = False


@contextmanager
def reference() -> Iterator[None]:
    """Makes every op run as published in this context, as the environment variable `ATTN_PLUGINS_REFERENCE=1` does."""
    global _reference
    before, _reference = _reference, True
    try:
        yield
    finally:
        _reference = before


def follows_reference() -> bool:
    """Tells whether ops are computed as published."""
    return _reference


@contextmanager
def on_small_maps_too() -> Iterator[None]:
    """Makes small maps also use the form that moves less memory in this context, so that it can be tested on them."""
    global _small_too
    before, _small_too = _small_too, True
    try:
        yield
    finally:
        _small_too = before


def is_small(x: Tensor, few: int) -> bool:
    """Tells whether a map is so small that the overhead of Python and of torch's graph matters more than the memory."""
    return x.is_cpu and x.numel() < few and not _small_too


def without_autocast(x: Tensor) -> AbstractContextManager:
    """Switches autocast off in this context, so that products have their operands' dtype.

    The meta device, on which costs are counted, knows no autocast.

    Autocast computes matrix products in half precision but not sums of element-wise products. So a matrix product can
    replace such a sum only if nothing is cast, in the forward pass and in a backward pass under autocast.
    """
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


def with_formula(op: Callable) -> Callable:
    """Decorates an op: in reference mode `<its name>_as_published` of the same file is called in its place."""

    @functools.wraps(op)
    def chosen(*args, **kwargs):
        if _reference:
            return op.__globals__[f'{op.__name__}_as_published'](*args, **kwargs)
        return op(*args, **kwargs)

    return chosen


def runs_eagerly(x: Tensor) -> bool:
    """Tells whether an op may be computed in another way than by the formula."""
    return not is_watched(x) and not _reference


def is_watched(x: Tensor) -> bool:
    """Tells whether something else sees the single steps of an op.

    Compilers fuse the plain formula themselves, traces and exports write it down, and the transforms of `torch.func`
    and forward mode differentiate it.
    """
    return (
        in_compiler()  # first: torch 2.1 cannot compile the next line
        or type(x) is not Tensor
        or torch.jit.is_tracing()
        or is_transformed()
    )


def is_transformed() -> bool:
    """Tells whether a `torch.func` transform or forward mode is active; they differentiate in their own ways."""
    return not in_compiler() and (in_function_transform() or in_forward_mode())
