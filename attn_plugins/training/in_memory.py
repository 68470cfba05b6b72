"""Keeps decoded images in memory, so that a training of small images decodes each only once and not in every epoch."""

import logging
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from attn_plugins.registry import HOOKS

# Transforms whose result depends only on the file: at the beginning of a pipeline they are run only once.
DETERMINISTIC = {'LoadImageFromFile', 'LoadAnnotations', 'Resize'}
LIBRARIES = ('mmcv.', 'mmdet.', 'mmseg.', 'mmpretrain.')


@HOOKS.register_module()
class InMemoryHook(Hook):
    """Caches the results of the first, deterministic transforms of the training data, as far as the memory allows.

    `custom_hooks = [dict(type='attn_plugins.InMemoryHook')]`. The batches are the same bit for bit: transforms that
    draw random numbers are run anew each time. It pays if decoding an image costs about as much as training on it. Each
    worker of a dataloader has its own cache, so the hook is made for `num_workers=0` or `persistent_workers=True`.

    Args:
        gib (float): The size of a process's cache, in GiB of 2**30 bytes; samples beyond it are read each time.
    """

    def __init__(self, gib: float = 1.0):
        self.bytes = int(gib * 2**30)

    def before_train(self, runner: Runner) -> None:
        """Puts the cache before the transforms of every dataset that reads files."""
        datasets = [
            dataset for dataset in _datasets(runner.train_dataloader.dataset) if _leading(dataset.pipeline)
        ]
        for dataset in datasets:
            count = _leading(dataset.pipeline)
            first, rest = dataset.pipeline.transforms[:count], dataset.pipeline.transforms[count:]
            dataset.pipeline.transforms = [_Remembered(first, self.bytes // len(datasets)), *rest]
        if not datasets:
            _warn('no training data begin with transforms that are the same each time, so nothing is kept')
        loader = runner.train_dataloader
        if getattr(loader, 'num_workers', 0) and not loader.persistent_workers:
            _warn(
                'the workers of train_dataloader end with each epoch, and what they kept with them: set '
                'persistent_workers=True, or num_workers=0'
            )


def _warn(text: str) -> None:
    print_log(f'InMemoryHook: {text}', logger='current', level=logging.WARNING)


class _Remembered:
    """Transforms whose results are cached by the sample's number.

    Args:
        transforms: Those whose result is the same each time.
        room: Bytes that may be cached.
    """

    def __init__(self, transforms: list, room: int):
        self.transforms, self.room = Compose(transforms), room
        self.kept: dict[int, dict] = {}

    def __call__(self, results: dict) -> dict | None:
        number = results.get('sample_idx')
        kept = self.kept.get(number)
        if kept is not None:
            return deepcopy(kept)  # the next transforms may write into it
        made = self.transforms(results)
        size = sum(value.nbytes for value in (made or {}).values() if isinstance(value, np.ndarray))
        if made is not None and number is not None and size <= self.room:
            self.room -= size
            self.kept[number] = deepcopy(made)
        return made


def _datasets(dataset: Any) -> Iterator[BaseDataset]:
    """Yields the datasets that read files, from inside datasets that repeat, join or mix them."""
    if isinstance(dataset, BaseDataset):
        yield dataset
        return
    for name in ('dataset', 'own', 'foreign'):
        if getattr(dataset, name, None) is not None:
            yield from _datasets(getattr(dataset, name))
    for part in getattr(dataset, 'datasets', None) or ():
        yield from _datasets(part)


def _leading(pipeline: Compose) -> int:
    """Counts the transforms at the beginning of a pipeline whose result is the same each time."""
    count = 0
    for transform in pipeline.transforms:
        kind = type(transform)
        if kind.__name__ not in DETERMINISTIC or not kind.__module__.startswith(LIBRARIES):
            break
        count += 1
    return count
