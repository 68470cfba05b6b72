"""Builds a dataset as a runner does, by its own class, without side effects on what comes after."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from io import StringIO

from mmengine.registry import DATASETS, DefaultScope
from torch.utils.data import Dataset

from attn_plugins.randomness import random_state_kept
from attn_plugins.registry import LIBRARIES, register

# Keys and attributes in which datasets that repeat, join or mix others keep them.
INNER = ('dataset', 'datasets', 'foreign')


def named_parts(config: dict | list | None, key: str) -> Iterator[tuple[str, dict]]:
    """Yields the configs of the datasets that read files, with their keys, from inside those that wrap others."""
    if isinstance(config, (list, tuple)):
        for i, item in enumerate(config):
            yield from named_parts(item, f'{key}.{i}')
    elif config:
        inner = [name for name in INNER if config.get(name)]
        for name in inner:
            yield from named_parts(config[name], f'{key}.{name}')
        if not inner:
            yield key, config


def innermost(config: dict | list | None) -> Iterator[dict]:
    """Yields the configs of the datasets that read files, from inside those that repeat, join or mix them."""
    yield from (part for _, part in named_parts(config, ''))


def innermost_built(dataset: Dataset | list | tuple) -> Iterator[Dataset]:
    """Yields the built datasets that read files, in the order of `innermost`."""
    if isinstance(dataset, (list, tuple)):
        for item in dataset:
            yield from innermost_built(item)
        return
    inner = [
        getattr(dataset, name) for name in INNER if isinstance(getattr(dataset, name, None), (Dataset, list))
    ]
    for item in inner:
        yield from innermost_built(item)
    if not inner:
        yield dataset


def build_dataset(config: dict) -> Dataset:
    """Builds a dataset and loads its list, as mmengine's `Runner.build_dataloader` does."""
    dataset = DATASETS.build(deepcopy(config))
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset


def library_of_dataset(config: dict, default: str | None) -> str | None:
    """Returns the library that a dataset's type names before its dot, else the given one."""
    kind = config.get('type')
    prefix = (kind.__module__ if isinstance(kind, type) else str(kind)).partition('.')[0]
    return prefix if prefix in LIBRARIES else default


@contextmanager
def as_a_runner(scope: str | None) -> Iterator[None]:
    """Resolves names in a library's scope; mutes messages that the runner will repeat, and restores random states."""
    if scope in LIBRARIES:
        register(scope)
    with (
        DefaultScope.overwrite_default_scope(scope),
        redirect_stdout(StringIO()),
        warnings.catch_warnings(),
        random_state_kept(),
    ):
        warnings.simplefilter('ignore')
        yield
