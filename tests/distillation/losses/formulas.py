"""The losses written out with loops over Python's own numbers, and random float64 maps."""

import math

import torch
from torch import Tensor


def random(*shape: int, seed: int = 0) -> Tensor:
    """Normally distributed, float64; another seed gives other values."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def activation_maps(x: Tensor, kind: str, p: float) -> list[list[list[float]]]:
    """(N, C, H, W) -> a map for each sample, as rows."""
    combine = dict(sum=sum, max=max)[kind]
    return [
        [
            [combine([abs(value) ** p for value in x[n, :, i, j].tolist()]) for j in range(x.shape[3])]
            for i in range(x.shape[2])
        ]
        for n in range(len(x))
    ]


def resized(rows: list[list[float]], height: int, width: int) -> list[list[float]]:
    """A map at another size, bilinearly: the values lie in the middle of their places, and go on beyond the
    outermost.
    """

    def at(i: float, size: int) -> tuple[int, int, float]:
        i = min(max(i, 0.0), size - 1.0)
        low = min(int(i), size - 1)
        return low, min(low + 1, size - 1), i - low

    result = []
    for i in range(height):
        top, bottom, down = at((i + 0.5) * len(rows) / height - 0.5, len(rows))
        row = []
        for j in range(width):
            left, right, along = at((j + 0.5) * len(rows[0]) / width - 0.5, len(rows[0]))
            upper = rows[top][left] * (1 - along) + rows[top][right] * along
            lower = rows[bottom][left] * (1 - along) + rows[bottom][right] * along
            row.append(upper * (1 - down) + lower * down)
        result.append(row)
    return result


def unit(values: list[float]) -> list[float]:
    """A vector of norm 1 in the same direction."""
    norm = max(math.sqrt(sum(value * value for value in values)), 1e-12)
    return [value / norm for value in values]


def distances(student: list[list[float]], teacher: list[list[float]]) -> list[float]:
    """The squared distances of the normalised vectors of each sample."""
    return [
        sum((a - b) ** 2 for a, b in zip(unit(ours), unit(theirs), strict=True))
        for ours, theirs in zip(student, teacher, strict=True)
    ]


def softmax(logits: list[float], temperature: float) -> list[float]:
    """Probabilities of softened logits."""
    powers = [math.exp(value / temperature) for value in logits]
    return [power / sum(powers) for power in powers]


def divergence(teacher: list[float], student: list[float]) -> float:
    """KL(teacher || student)."""
    return sum(t * math.log(t / s) for t, s in zip(teacher, student, strict=True))
