"""Numbers the batches of a training, and has the random numbers of each image follow from where it stands in them.

With one seed every image is then augmented alike: whatever the model draws, with any number of workers, and in a training that was
cut off and resumed. mmengine seeds each worker once, so there what an image gets depends on all that its worker did before.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from attn_plugins.randomness import random_state_kept, seed_streams

# How many images are drawn twice to see whether they depend on what was drawn before.
DRAWN_TWICE = 4


class Numbered(list):
    """The indices of a batch, with the key that its random numbers follow from."""

    key: tuple = ()


class NumberedBatches:
    """Hands on the batches of a batch sampler with the run's seed, the process and their number as their key.

    Args:
        batches: The batch sampler. What else is asked of it is its own.
        key (tuple): The run's seed, and the process.
        endless (bool): Whether the next pass over the data follows the last by itself, as in a training by iterations.
    """

    def __init__(self, batches: Any, key: tuple[int, int], endless: bool):
        self.batches, self.key, self.endless = batches, key, endless
        self.base: int | None = None  # nothing is handed on before `begin`
        self.first = 0

    def begin(self, base: int, first: int) -> None:
        """Says which batch comes first, and the number of the first one of the sampler's pass, from which it is counted."""
        self.base, self.first = base, first

    def __iter__(self) -> Iterator[Numbered]:
        if self.base is None:
            return
        number, passes = self.base, 0
        while True:
            before = number
            for batch in self.batches:
                if number >= self.first:
                    numbered = Numbered(batch)
                    numbered.key = (*self.key, number)
                    yield numbered
                number += 1
            if not self.endless or number == before:
                return
            passes += 1
            sampler = getattr(self.batches, 'sampler', None)
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(passes)

    def __len__(self) -> int:
        return len(self.batches)

    def __getattr__(self, name: str) -> Any:
        if name == 'batches':  # while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self.batches, name)


@cache
def _seeded(kind: type) -> type:
    """A dataset's class that draws each image of a numbered batch from random numbers of its own; it has the dataset's name."""
    own = getattr(kind, '__getitems__', None)

    def drawn(self, indices: Numbered) -> list:
        if own:
            seed_streams(*indices.key)
            return own(self, list(indices))
        images = []
        for place, index in enumerate(indices):
            seed_streams(*indices.key, place)
            images.append(self[index])
        return images

    def __getitems__(self, indices: list) -> list:
        if not isinstance(indices, Numbered):
            return own(self, indices) if own else [self[index] for index in indices]
        if get_worker_info() is not None:
            return drawn(self, indices)
        with random_state_kept():  # the training's own process
            return drawn(self, indices)

    def __reduce_ex__(self, protocol):
        function, args, *rest = kind.__reduce_ex__(self, protocol)
        return _rebuild, (kind, function, *(kind if arg is type(self) else arg for arg in args)), *rest

    names = {'__module__': kind.__module__, '__qualname__': kind.__qualname__, '__doc__': kind.__doc__}
    return type(kind.__name__, (kind,), names | dict(__getitems__=__getitems__, __reduce_ex__=__reduce_ex__))


def _rebuild(kind: type, function: Callable, *args) -> Dataset:
    """Unpickles a dataset by its class's own name."""
    dataset = function(*args)
    dataset.__class__ = _seeded(kind)
    return dataset


def number_batches(loader: DataLoader, key: tuple[int, int], endless: bool) -> NumberedBatches | None:
    """Numbers a loader's batches and seeds its images; None where its data have no batches of indices.

    Args:
        loader (DataLoader): It is changed in place.
        key (tuple): The run's seed, and the process.
        endless (bool): As of :class:`NumberedBatches`.
    """
    dataset = loader.dataset
    if isinstance(dataset, IterableDataset) or loader.batch_sampler is None:
        return None
    dataset.__class__ = _seeded(type(dataset))
    batches = NumberedBatches(loader.batch_sampler, key, endless)
    vars(loader)['batch_sampler'] = (
        batches  # which torch lets nobody set, as a loader's workers may be at it already
    )
    return batches


def draws_alike(dataset: Dataset) -> bool:
    """Whether an image that is drawn again from the same random numbers is the same, whatever was drawn in between."""
    indices = Numbered(range(min(DRAWN_TWICE, len(dataset))))
    indices.key = ('twice',)
    with random_state_kept():
        first = dataset.__getitems__(indices)
        dataset.__getitems__(list(indices))
        return _same(first, dataset.__getitems__(indices))


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if hasattr(one, '__dict__'):
        return _same(vars(one), vars(other))
    return one == other or one != one  # a number that is none is itself
