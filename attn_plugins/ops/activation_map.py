"""The activation map of attention transfer (Zagoruyko and Komodakis, ICLR 2017): how strong a map is at each place."""

from torch import Tensor

from attn_plugins.ops.pool import at_least_float32, maximum
from attn_plugins.registry import nearest

KINDS = ('max', 'sum')


def check_activation_map(kind: str, p: float) -> None:
    """Refuses an unknown kind of activation map or a wrong p.

    Raises:
        ValueError: `kind` is none of `KINDS`, or `p` is no number from 1 up.
    """
    if kind not in KINDS:
        raise ValueError(f'there is no activation map {kind!r}: {nearest(kind, KINDS)}')
    # Below 1 the derivative at an activation of 0 is infinite.
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not p >= 1:
        raise ValueError(f'p={p!r} of the activation map must be a number of at least 1')


def activation_map(x: Tensor, kind: str = 'sum', p: float = 2) -> Tensor:
    """Computes sum_c |x_nchw|^p, or max_c |x_nchw|^p for 'max': (N, C, H, W) -> (N, H, W), at least float32.

    Raises:
        ValueError: The map does not exist (`check_activation_map`).
    """
    check_activation_map(kind, p)
    x = at_least_float32(x)
    if kind == 'max':
        return _power(maximum(x.abs(), 1), p)
    return _power(x, p).sum(1)


def _power(x: Tensor, p: float) -> Tensor:
    """Computes |x|^p, for p = 2 without the absolute value: with it torch's second derivative is 0 where x is 0."""
    return x.square() if p == 2 else x.abs().pow(p)
