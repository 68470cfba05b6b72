"""Numbers the batches of a training and seeds each image's random numbers by its position in them.

With the same seed every image is then augmented in the same way: whatever random numbers the model draws, with any
number of workers, and in a training that was interrupted and resumed. mmengine seeds each worker only once, so there an
image's augmentation depends on everything that its worker did before.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from attn_plugins.randomness import Stream, random_state_kept, seed_streams

# How many images are drawn twice to check whether they depend on what was drawn before.
DRAWN_TWICE = 4


class Numbered(list):
    """The indices of a batch, with the key that seeds its random numbers."""

    key: tuple = ()


class NumberedBatches:
    """Passes on the batches of a batch sampler, each with its key: the run's seed, the process and the batch's number.

    Args:
        batches: The batch sampler. All other attributes are looked up in it.
        key (tuple): The run's seed, and the process.
        endless (bool): Whether the next pass over the data begins by itself, as in a training by iterations.
    """

    def __init__(self, batches: Any, key: tuple[int, int], endless: bool):
        self.batches, self.key, self.endless = batches, key, endless
        self.base: int | None = None  # nothing is passed on before `begin`
        self.first = 0

    def begin(self, base: int, first: int) -> None:
        """Sets the first batch to pass on.

        Args:
            base: The number of the first batch of the sampler's pass, from which batches are counted.
            first: The number of the first batch to pass on.
        """
        self.base, self.first = base, first

    def __iter__(self) -> Iterator[Numbered]:
        if self.base is None:
            return
        number, passes = self.base, 0
        order = Stream(*self.key, 'order', number)  # for samplers that draw from torch's own generator
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
        if name == 'batches':  # during copying or unpickling
            raise AttributeError(name)
        return getattr(self.batches, name)


def _drawn(dataset: Any, indices: list) -> list:
    """Loads the images of a batch for a loader's `__getitems__`, each with random numbers of its own."""
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
    """Numbers a loader's batches and seeds its images; None if its data have no batches of indices.

    Args:
        loader (DataLoader): It is changed in place.
        key (tuple): The run's seed, and the process.
        endless (bool): As for :class:`NumberedBatches`.
    """
    dataset = loader.dataset
    if isinstance(dataset, IterableDataset) or loader.batch_sampler is None:
        return None
    try:  # a loader fetches whole batches if the dataset has this method
        dataset.__getitems__ = partial(_drawn, dataset)
    except AttributeError:  # a list, or a class with slots
        return None
    batches = NumberedBatches(loader.batch_sampler, key, endless)
    # torch forbids setting it, since a loader's workers may be running already; here none are.
    vars(loader)['batch_sampler'] = batches
    return batches


def draws_alike(dataset: Dataset) -> bool:
    """Tells whether images drawn again from the same random numbers are equal, whatever was drawn in between."""
    indices = Numbered(range(min(DRAWN_TWICE, len(dataset))))
    indices.key = ('twice',)
    with random_state_kept():
        first = dataset.__getitems__(indices)
        dataset.__getitems__(list(indices))
        return same(first, dataset.__getitems__(indices))


def same(one: Any, other: Any) -> bool:
    """Tells whether two nested values are equal in every number."""
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
    return one == other or one != one  # NaN is equal to itself here
