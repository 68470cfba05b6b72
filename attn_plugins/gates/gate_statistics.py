"""Computes statistics of gates batch by batch: their spread, the share of saturated ones, a switch's decisions."""

from collections.abc import Sequence

import torch
from torch import Tensor

# Shares of the range within which a gate counts as saturated, and the bins that count gates: 0.05 wide, from -20 to 20.
EDGE = 0.05
BINS = torch.arange(-400, 401, dtype=torch.float64) / 20
ALL = 'all'


class Spread:
    """Mean and spreads of the gates g_ncp of images n, channels c and places p, one batch after the other, in float64.

    With m_nc = mean_p g, m_c = mean_n m_nc and m = mean_c m_c the variance is a sum of three terms,

        mean_ncp (g - m)^2 = mean_c (m_c - m)^2 + mean_nc (m_nc - m_c)^2 + mean_ncp (g - m_nc)^2
                             between channels     between images           between places

    where the variance between images is taken within each channel. Every image has the same weight, whatever its size.
    If each channel's gate is replaced by its own constant m_c, only the first term remains; the deviation from m_c in
    channel c is

        s_c^2 = mean_n (m_nc - m_c)^2 + mean_np (g - m_nc)^2      and relative    s = sqrt(sum_c s_c^2 / sum_c m_c^2).

    Attributes:
        samples: N, the images so far; for a layer in a head the windows or proposals.
        mean: m_c, (C,).
    """

    def __init__(self):
        self.samples = 0
        self.mean = self._of_images = self._of_places = torch.zeros(())

    def add(self, factor: Tensor, channels: int) -> None:
        """Adds the gates of a batch, which broadcast to (N, C, H, W)."""
        gates = factor.double().cpu()
        means = gates.mean((2, 3), keepdim=True)
        places = (gates - means).square().mean((2, 3)).expand(-1, channels)
        means = means[:, :, 0, 0].expand(-1, channels)
        number, mean = len(means), means.mean(0)
        total = self.samples + number
        shift = mean - self.mean
        # Chan's formula for adding two sums of squares, each around its own mean.
        self._of_images = self._of_images + (means - mean).square().sum(0)
        self._of_images = self._of_images + shift.square() * (self.samples * number / total)
        self._of_places = self._of_places + places.sum(0)
        self.mean = self.mean + shift * (number / total)
        self.samples = total

    def deviations(self) -> dict[str, float]:
        """Returns the standard deviations `between_images`, `between_channels`, `between_places`, and `total`."""
        variances = dict(
            between_images=(self._of_images / self.samples).mean(),
            between_channels=(self.mean - self.mean.mean()).square().mean(),
            between_places=(self._of_places / self.samples).mean(),
        )
        variances['total'] = sum(variances.values())
        return {name: float(variance.sqrt()) for name, variance in variances.items()}

    def of_channels(self) -> Tensor:
        """Returns the deviation s_c of each channel, (C,)."""
        return ((self._of_images + self._of_places) / self.samples).sqrt()

    def relative(self) -> float:
        """Returns the relative deviation s."""
        return float(self.of_channels().norm() / self.mean.norm())


class Saturation:
    """Counts the gates that are near an end of their range [a, b].

    a and b are the nearest whole numbers around every gate so far. Gates below a + 0.05 (b - a) and above b - 0.05 (b -
    a) are near an end. Every image has the same weight.
    """

    def __init__(self):
        self.samples = 0
        self.counts = torch.zeros(len(BINS) + 1, dtype=torch.float64)
        self.low, self.high = float('inf'), float('-inf')

    def add(self, factor: Tensor) -> None:
        """Adds the gates of a batch, which broadcast to (N, C, H, W)."""
        gates = factor.detach().double().cpu().flatten()
        self.counts += torch.bincount(torch.bucketize(gates, BINS), minlength=len(BINS) + 1) * (
            len(factor) / len(gates)
        )
        self.samples += len(factor)
        self.low, self.high = min(self.low, float(gates.min())), max(self.high, float(gates.max()))

    def result(self) -> dict:
        """Returns `range`, and the shares `low` and `high`."""
        low, high = torch.tensor(self.low).floor(), torch.tensor(self.high).ceil()
        high = torch.maximum(high, low + 1)
        edge = EDGE * (high - low)
        shares = self.counts / self.samples
        # Bin i holds the gates above BINS[i - 1], up to BINS[i].
        at_low, at_high = (torch.searchsorted(BINS, at.double() - 1e-4) for at in (low + edge, high - edge))
        return dict(
            range=[float(low), float(high)],
            low=float(shares[: at_low + 1].sum()),
            high=float(shares[at_high + 1 :].sum()),
        )


class Decisions:
    """The weights v that SEM's switch gives its excitations, by the image's class."""

    def __init__(self, excitations: Sequence[str]):
        self.excitations = excitations
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, weights: Tensor, classes: Sequence[str]) -> None:
        """Adds v of a batch, (N, M), and each sample's class."""
        if len(classes) != len(weights):  # windows or proposals, several per image
            classes = [ALL] * len(weights)
        for row, name in zip(weights.double().cpu(), classes, strict=True):
            self.sums[name] = self.sums.get(name, 0) + row
            self.counts[name] = self.counts.get(name, 0) + 1

    def result(self) -> dict:
        """Returns the mean v of each excitation, over all samples and over those of each class."""
        means = {ALL: sum(self.sums.values()) / sum(self.counts.values())}
        means |= {name: self.sums[name] / self.counts[name] for name in self.sums if name != ALL}
        return {name: dict(zip(self.excitations, mean.tolist(), strict=True)) for name, mean in means.items()}
