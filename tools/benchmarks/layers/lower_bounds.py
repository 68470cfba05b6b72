"""Gives lower bounds of a layer's memory traffic: maps that any implementation reads and writes in a training step."""

from typing import NamedTuple


class Floor(NamedTuple):
    """The maps that are read and written, counted each time, in the forward and in the backward pass, and why."""

    forward: float
    backward: float
    reason: str


_ONE_GATE = (
    'forward: read x for the squeeze, then read x and write y; backward: read dy and x for the gradient of the gate, '
    'then read dy and write dx'
)
_STATISTICS = (
    'forward: read x for the statistics, then read x and write y; backward: read dy and x for the sums, then read both '
    'again and write dx, which depends on x'
)
# Layer -> its lower bound, for maps that do not fit the caches, so that what a later pass needs is read again. Vectors,
# strips and maps of one channel are left out. Maps that are saved for the backward pass in place of another, such as
# the places of maxima, are left out too.
LOWER_BOUNDS = {
    'BatchNorm2d': Floor(3, 5, _STATISTICS),
    'IEBN': Floor(3, 5, _STATISTICS + "; the gate's sums are of the same passes"),
    'NoisyBN': Floor(3, 5, _STATISTICS + '; the noise is one scale and shift per channel'),
    'SE': Floor(3, 4, _ONE_GATE),
    'ECA': Floor(3, 4, _ONE_GATE),
    'SEM': Floor(3, 4, _ONE_GATE),
    'FCA': Floor(3, 4, _ONE_GATE + '; the bases are separable, so they are strips'),
    'GE': Floor(3, 4, _ONE_GATE),
    'CoordAttention': Floor(3, 4, _ONE_GATE + '; both strips come from one reading'),
    'TripletAttention': Floor(
        3, 4, _ONE_GATE + '; all three poolings come from one reading, maxima have known places'
    ),
    'SRM': Floor(3, 5, _STATISTICS + ' by way of the deviation'),
    'GCT': Floor(3, 5, _STATISTICS + ' by way of the norm'),
    'SimAM': Floor(3, 5, _STATISTICS + ', as the gate itself does'),
    'SGE': Floor(
        3,
        5,
        _STATISTICS
        + "; likeness is linear in x, so its mean and variance follow from the group's means and covariance",
    ),
    'GC': Floor(
        3,
        4,
        'forward: read x once for logits and their weighted sum, softmax taken along the way, then read x and write y; '
        "backward: read dy for the context's gradient, then read dy and x and write dx",
    ),
    'CBAM': Floor(
        4,
        5,
        'forward: read x for the gate of channels, x for the poolings over gated channels, then read x and write y; '
        'backward: read dy and x for the gradient of the gate of places, x for that of channels, which needs the first '
        'whole, then read dy and write dx',
    ),
    'BAM': Floor(
        3 + 6 / 16,
        5 + 10 / 16,
        'as a gate, and a reading of x more for the gradient of the weights of the first 1x1 convolution; the '
        'three maps of C/16 channels are written once and read once in the forward pass, and in the backward '
        'pass read seven times, with their gradients written and read',
    ),
    'GALA': Floor(
        3 + 3 / 4,
        5 + 4 / 4,
        'as a gate, and a reading of x more for the gradient of the weights of the first 1x1 convolution; of '
        'the two maps of C/4 channels the first is written and read, the second written, and in the backward '
        'pass both are read, and a gradient of that size is written and read',
    ),
}
