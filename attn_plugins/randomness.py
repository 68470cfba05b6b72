"""Provides separate random streams: drawing from one does not advance those of Python, NumPy and torch."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Restores the streams of Python, NumPy and torch, on every device in use, at the end of the block."""
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(_devices()):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def own_stream(*key: int | str) -> Iterator[None]:
    """Draws from separate streams: the same key gives the same numbers, and the outer streams do not advance."""
    with random_state_kept():
        seed_streams(*key)
        yield


class Stream:
    """Separate streams that continue where they stopped each time they are entered; on the CPU."""

    def __init__(self, *key: int | str):
        with own_stream(*key):
            self._states = _states()

    def __enter__(self) -> None:
        self._outside = _states()
        _set(self._states)

    def __exit__(self, *error: object) -> None:
        self._states = _states()
        _set(self._outside)

    def next(self, iterator: Iterator) -> Any:
        """Returns an iterator's next item, with random numbers from this stream; None at its end."""
        with self:
            return next(iterator, None)


def _states() -> tuple:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _set(states: tuple) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


def seed_streams(*key: int | str) -> None:
    """Seeds the streams of Python, NumPy and torch by a key of numbers and words."""
    seed = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7], 'big')
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # Not `torch.manual_seed`: a GPU that is first used later would then start with this seed.
    torch.default_generator.manual_seed(seed)
    if _devices():
        torch.cuda.manual_seed_all(seed)


def next_number() -> int:
    """Returns the number that torch's stream would give next, without advancing it.

    It serves as a seed that depends on the run and on the moment.
    """
    with torch.random.fork_rng([]):
        return int(torch.randint(2**62, (), device='cpu'))


def _devices() -> range:
    """Returns the GPUs, once anything is on one of them."""
    return range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)
