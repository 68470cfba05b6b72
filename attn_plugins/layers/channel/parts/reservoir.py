"""Keeps a uniform sample of all rows seen so far (reservoir sampling: Vitter, ACM TOMS 1985, algorithm R)."""

import torch
from torch import Tensor


class Reservoir:
    """Exchanges each row for another one of all rows seen so far; it has a random number stream of its own.

    Args:
        size (int): How many rows are kept.
        seed (int): The seed of its stream.
    """

    def __init__(self, size: int = 1024, seed: int = 0):
        self.size, self.seen = size, 0
        self.rows: Tensor | None = None
        self.generator = torch.Generator().manual_seed(seed)

    def exchange(self, rows: Tensor) -> Tensor:
        """Draws for each row, uniformly, another row of those kept or given with it; then adds the given rows.

        The first row of all, if it comes alone, is returned itself.
        """
        pool = rows if self.rows is None else torch.cat([self.rows.to(rows), rows])
        first, others = len(pool) - len(rows), len(pool) - 1
        given = rows
        if others > 0:
            drawn = torch.randint(others, (len(rows),), generator=self.generator)
            drawn += drawn >= torch.arange(first, len(pool))  # skips the row itself
            given = pool[drawn.to(rows.device)]
        self._take_in(pool.detach(), first)
        return given

    def _take_in(self, pool: Tensor, first: int) -> None:
        """Updates the sample from the pool, whose rows from `first` on are new."""
        kept = list(range(first))
        chances = torch.rand(len(pool) - first, generator=self.generator, dtype=torch.float64).tolist()
        for place, chance in enumerate(chances, first):
            self.seen += 1
            if len(kept) < self.size:
                kept.append(place)
            elif (left := int(chance * self.seen)) < self.size:
                kept[left] = place
        self.rows = pool[kept]
