"""Numbers the batches of a training, and has the random numbers of each image follow from where it stands in them.

With one seed every image is then augmented alike: whatever the model draws, with any number of workers, and in a
training that was cut off and resumed. mmengine seeds each worker once, so there what an image gets depends on all
that its worker did before."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from attn_plugins.randomness import Stream, random_state_kept, seed_streams

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
        """Says which batch comes first, and the number of the first one of the sampler's pass, from which it is
        counted.
        """
        self.base, self.first = base, first

    def __iter__(self) -> Iterator[Numbered]:
        if self.base is None:
            return
        number, passes = self.base, 0
        order = Stream(*self.key, 'order', number)  # of samplers that draw from torch's own
        while True:
            before = number
            with order:
                batches = iter(self.batches)
            while (batch := order.next(batches)) is not None:
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


def _drawn(dataset: Any, indices: list) -> list:
    """The images of a batch, as `__getitems__` gives them to a loader: each from random numbers of its own."""
    if not isinstance(indices, Numbered):
        return _images(dataset, indices)
    if get_worker_info() is not None:
        return _images(dataset, indices, indices.key)
    with random_state_kept():  # the training's own process
        return _images(dataset, indices, indices.key)


def _images(dataset: Any, indices: list, key: tuple | None = None) -> list:
    own = getattr(type(dataset), '__getitems__', None)
    if own:
        if key:
            seed_streams(*key)
        return own(dataset, list(indices))
    images = []
    for place, index in enumerate(indices):
        if key:
            seed_streams(*key, place)
        images.append(dataset[index])
    return images


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
    try:  # a loader asks it for whole batches where there is one
        dataset.__getitems__ = partial(_drawn, dataset)
    except AttributeError:  # a list, or a class with slots
        return None
    batches = NumberedBatches(loader.batch_sampler, key, endless)
    # torch lets nobody set it, as a loader's workers may be at it already; these are not.
    vars(loader)['batch_sampler'] = batches
    return batches


def draws_alike(dataset: Dataset) -> bool:
    """Whether an image that is drawn again from the same random numbers is the same, whatever was drawn in between."""
    indices = Numbered(range(min(DRAWN_TWICE, len(dataset))))
    indices.key = ('twice',)
    with random_state_kept():
        first = dataset.__getitems__(indices)
        dataset.__getitems__(list(indices))
        return same(first, dataset.__getitems__(indices))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the last number, however deep they are."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if hasattr(one, '__dict__'):
        return same(vars(one), vars(other))
    return one == other or one != one  # a number that is none is itself
