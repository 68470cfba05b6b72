"""A uniform sample of the rows that have gone by (reservoir sampling: Vitter, ACM TOMS 1985, algorithm R), to draw
others from.
"""

import torch
from torch import Tensor


class Reservoir:
    """Gives each row another one of all that have gone by; it draws from a stream of random numbers of its own.

    Args:
        size (int): How many rows are kept.
        seed (int): Of its stream.
    """

    def __init__(self, size: int = 1024, seed: int = 0):
        self.size, self.seen = size, 0
        self.rows: Tensor | None = None
        self.generator = torch.Generator().manual_seed(seed)

    def exchange(self, rows: Tensor) -> Tensor:
        """Draws for each row, uniformly, one of those kept or one that comes with it, never itself; then takes them in.

        A row that is the first and alone is given back.
        """
        pool = rows if self.rows is None else torch.cat([self.rows.to(rows), rows])
        first, others = len(pool) - len(rows), len(pool) - 1
        given = rows
        if others > 0:
            drawn = torch.randint(others, (len(rows),), generator=self.generator)
            drawn += drawn >= torch.arange(first, len(pool))  # itself is passed over
            given = pool[drawn.to(rows.device)]
        self._take_in(pool.detach(), first)
        return given

    def _take_in(self, pool: Tensor, first: int) -> None:
        """Keeps of the pool, of which those from `first` on are new, what the sample is now."""
        kept = list(range(first))
        chances = torch.rand(len(pool) - first, generator=self.generator, dtype=torch.float64).tolist()
        for place, chance in enumerate(chances, first):
            self.seen += 1
            if len(kept) < self.size:
                kept.append(place)
            elif (left := int(chance * self.seen)) < self.size:
                kept[left] = place
        self.rows = pool[kept]
