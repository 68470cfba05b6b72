"""Streams of random numbers of their own: what is drawn from one leaves those of Python, NumPy and torch where they
were.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Puts the streams of Python, NumPy and torch, on every device that is in use, back to where they were."""
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(_devices()):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def own_stream(*key: int | str) -> Iterator[None]:
    """Draws from streams of their own: the same key gives the same numbers, and those outside do not move on."""
    with random_state_kept():
        seed_streams(*key)
        yield


class Stream:
    """Streams of their own that go on from where they were each time they are entered; on the CPU."""

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
        """What an iterator gives next, drawn from here; None at its end."""
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
    # Not `torch.manual_seed`, which has a GPU that is used for the first time later begin with this seed.
    torch.default_generator.manual_seed(seed)
    if _devices():
        torch.cuda.manual_seed_all(seed)


def next_number() -> int:
    """Reads the number that torch's stream would give next, and leaves it there: a seed that is the run's and the
    moment's.
    """
    with torch.random.fork_rng([]):
        return int(torch.randint(2**62, (), device='cpu'))


def _devices() -> range:
    """The GPUs, once there is anything on one."""
    return range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)
