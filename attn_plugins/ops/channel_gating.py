"""A gate per channel, from statistics of the channel's map: SE, ECA, SRM, FCA, GCT, SEM, DIA and every composition of
their parts.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from attn_plugins.compat import strict_zip
from attn_plugins.ops.gating import BackwardInputs, Gating, Tensors
from attn_plugins.ops.maps import scale_and_shift, sum_of_products
from attn_plugins.ops.recalibrate import recalibrate
from attn_plugins.ops.statistics import Statistic


class ChannelGating(Gating):
    """y_nc = x_nc * gate_nc; the descriptors are the values of the statistics, in this order.

    Args:
        statistics (sequence): Statistics to which the map is squeezed; their constants are the weights of `gated`.
    """

    few = 400_000

    def __init__(self, statistics: Sequence[Statistic]):
        self.statistics = statistics

    def squeeze(self, x: Tensor, *weights: Tensor) -> Tensors:
        """Squeezes the map to its statistics: (N, C, H, W) -> (N, C) each."""
        if (
            len(self.statistics) == 1
        ):  # the usual case: on small maps the loop over several would cost as much as the op itself
            return self.statistics[0].formula(x, *weights)
        given = iter(weights)
        return tuple(
            value for part in self.statistics for value in part.formula(x, *_take(given, part.constants))
        )

    def squeeze_saving(self, x: Tensor, *weights: Tensor) -> tuple[Tensors, Tensors]:
        """Squeezes the map in as few passes as the statistics need."""
        given = iter(weights)
        measured = [part.measure(x, *_take(given, part.constants)) for part in self.statistics]
        more = tuple(tensor for _, kept in measured for tensor in kept)
        return tuple(value for values, _ in measured for value in values), more

    def recalibrate(self, x: Tensor, gate: Tensor) -> Tensor:
        """Multiplies each channel by its gate: (N, C, H, W), (N, C) -> (N, C, H, W)."""
        return recalibrate(x, gate[:, :, None, None])

    def gate_gradients(self, dy: Tensor, x: Tensor, gates: Tensors) -> Tensors:
        """Computes dgate_nc = sum_hw dy x."""
        return (sum_of_products(dy, x).to(gates[0].dtype),)

    def map_gradient(self, given: BackwardInputs) -> Tensors:
        """Computes dx = gate * dy + slope * x + constant + the rest."""
        dy, x, gates, weights, descriptors, kept, gradients = given
        values, of_values = iter(descriptors), iter(gradients)
        slope = constant = None
        for part in self.statistics:
            affine = part.affine_gradient(x, _take(values, part.number), _take(of_values, part.number))
            slope, constant = (_sum(*pair) for pair in strict_zip((slope, constant), affine))
        dx = scale_and_shift(dy, gates[0].to(dy.dtype), None if constant is None else constant.to(dy.dtype))
        if slope is not None:
            dx.addcmul_(x, slope[:, :, None, None].to(dx.dtype))
        of_values, given, rest = iter(gradients), iter(weights), iter(kept)
        for part in self.statistics:
            part.add_gradient_(
                dx,
                x,
                _take(given, part.constants),
                _take(rest, part.keeps),
                _take(of_values, part.number),
            )
        return dx, *[None] * len(weights)


def _take(tensors: Iterator[Tensor], number: int) -> Tensors:
    return tuple(next(tensors) for _ in range(number))


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b
