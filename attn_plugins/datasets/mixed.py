"""Mixes k foreign images into every batch, whose statistics they pollute: the mixed-data attack (IEBN).

Liang et al., AAAI 2020, mix images of MNIST or Fashion-MNIST into the batches of CIFAR-100. How many, and whether they
contribute to the loss, is not published: both are options here.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset, Sampler

from attn_plugins.errors import UserError
from attn_plugins.randomness import random_state_kept
from attn_plugins.registry import DATA_SAMPLERS, DATASETS

NO_LABEL = -1  # for images that do not contribute to the loss: a model that uses this label in a loss fails
TO_COLOUR = (
    "dict(type='NumpyToPIL'), dict(type='torchvision/Grayscale', num_output_channels=3), "
    "dict(type='PILToNumpy')"
)


@DATASETS.register_module()
class MixedDataset(Dataset):
    """A classifier's own images, followed by the foreign ones, each with its own pipeline.

    Its length is that of the own images, so every sampler draws from these; `foreign_indices` are those of the foreign
    images, which `MixedBatchSampler` adds to each batch. With another batch sampler, or none, no batch has foreign
    images.

    Every data sample says in its metainfo whether it is `foreign` and whether it is `in_loss` (contributes to the
    loss); `MixedDataClassifier` reads both. A foreign image that does not contribute to the loss has the label -1.

    Args:
        dataset (dict or Dataset): The own images.
        foreign (dict or Dataset): The foreign ones, of the same channels, height and width after their pipeline.
        foreign_loss (bool): Whether the foreign images contribute to the loss: their classes follow the own ones, so
            that the head needs as many as both have together.

    Raises:
        UserError: A foreign image has another shape than the own ones; a pipeline does not end in PackInputs; or a part
            that needs labels of its own names no classes.
    """

    def __init__(self, dataset: dict | Dataset, foreign: dict | Dataset, foreign_loss: bool = False) -> None:
        self.dataset, self.foreign = _build(dataset), _build(foreign)
        self.foreign_loss = foreign_loss
        self._metainfo = dict(self.dataset.metainfo)
        if foreign_loss:
            own, others = (_classes(part) for part in (self.dataset, self.foreign))
            self._shift = len(own)
            self._metainfo['classes'] = (*own, *others)
        with (
            random_state_kept()
        ):  # so that a training without foreign images draws the same random numbers as a plain one
            self._shape = _shape(self.dataset[0])
            self[len(self.dataset)]

    @property
    def metainfo(self) -> dict:
        """The own images' metainfo, with the foreign classes after the own ones if they contribute to the loss."""
        return self._metainfo

    @property
    def foreign_indices(self) -> range:
        """The indices of the foreign images."""
        return range(len(self.dataset), len(self.dataset) + len(self.foreign))

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        foreign = index in self.foreign_indices
        item = self.foreign[index - len(self.dataset)] if foreign else self.dataset[index]
        shape, sample = _shape(item), item['data_samples']
        if foreign:
            self._check(shape)
            sample.set_gt_label(sample.gt_label + self._shift if self.foreign_loss else NO_LABEL)
        sample.set_metainfo(dict(foreign=foreign, in_loss=self.foreign_loss or not foreign))
        if self.foreign_loss:
            sample.set_metainfo(dict(num_classes=len(self._metainfo['classes'])))
        return item

    def _check(self, shape: tuple[int, ...]) -> None:
        """Refuses images of another shape: mmpretrain would silently pad the smaller ones with zeros."""
        if shape == self._shape:
            return
        channels, height, width = self._shape
        more = [] if shape[1:] == (height, width) else [f"dict(type='Resize', scale=({width}, {height}))"]
        if shape[0] != channels:
            more.append(TO_COLOUR if (shape[0], channels) == (1, 3) else f'what gives {channels} channels')
        raise UserError(
            f'the foreign images have the shape {shape} (channels, height, width) and the own ones {self._shape}: add '
            f"{', '.join(more)} to the foreign dataset's pipeline, before PackInputs"
        )


@DATA_SAMPLERS.register_module()
class MixedBatchSampler(Sampler):
    """Batches of own images, each followed by k foreign ones, from a `MixedDataset`.

    The foreign images of a batch are all different. They depend only on the sampler's seed, the epoch, the process and
    the batch's number: each process adds its own k, and a resumed training gets the same ones as an uninterrupted one.
    A last batch with fewer own images also gets k foreign ones.

    `batch_sampler = dict(type='attn_plugins.MixedBatchSampler', foreign=8)`; mmengine gives the sampler and the
    dataloader's batch size.

    Args:
        sampler (Sampler): Draws the own images; one with a seed, as mmengine's DefaultSampler and InfiniteSampler.
        batch_size (int): Own images in a batch.
        foreign (int): k, 0 to `batch_size`; 0 is a plain training.
        drop_last (bool): Leaves a last batch with fewer own images out.

    Raises:
        UserError: k is negative, larger than the batch, or larger than the number of foreign images; or the sampler has
            no seed, or no MixedDataset.
    """

    def __init__(self, sampler: Sampler, batch_size: int, foreign: int, drop_last: bool = False) -> None:
        if not 0 <= foreign <= batch_size:
            raise UserError(
                f'foreign={foreign} images cannot be added to a batch of {batch_size} own ones: give '
                f'batch_sampler.foreign from 0 to {batch_size}'
            )
        indices = getattr(getattr(sampler, 'dataset', None), 'foreign_indices', None)
        if indices is None or not hasattr(sampler, 'seed'):
            raise UserError(
                'MixedBatchSampler draws from an attn_plugins.MixedDataset, by a sampler with a seed: make it '
                'the outermost dataset of the dataloader, with the sampler DefaultSampler or InfiniteSampler'
            )
        if foreign > len(indices):
            raise UserError(
                f'foreign={foreign} different images cannot be drawn from {len(indices)} foreign ones: give '
                'batch_sampler.foreign no more, or a larger foreign dataset'
            )
        self.sampler, self.batch_size, self.foreign, self.drop_last = sampler, batch_size, foreign, drop_last
        self._indices = indices

    def __iter__(self) -> Iterator[list[int]]:
        own = iter(self.sampler)
        number = 0
        while batch := list(islice(own, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch + self._foreign_of(number)
            number += 1

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def _foreign_of(self, number: int) -> list[int]:
        """Draws the foreign images of a batch by its number in the epoch; an infinite sampler has one epoch."""
        origin = [getattr(self.sampler, name, 0) for name in ('seed', 'epoch', 'rank')]
        rng = np.random.default_rng([*origin, number])
        drawn = rng.choice(len(self._indices), self.foreign, replace=False)
        return [self._indices[int(i)] for i in drawn]


def _build(dataset: dict | Dataset) -> BaseDataset:
    dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
    dataset.full_init()
    return dataset


def _classes(dataset: Dataset) -> tuple[str, ...]:
    classes = dataset.metainfo.get('classes')
    if not classes:
        raise UserError(
            f'{type(dataset).__name__} names no classes, by which foreign_loss=True numbers the foreign '
            'labels: give it metainfo=dict(classes=...)'
        )
    return tuple(classes)


def _shape(item: dict) -> tuple[int, ...]:
    if not {'inputs', 'data_samples'} <= item.keys() or 'gt_label' not in item['data_samples']:
        raise UserError(
            "MixedDataset mixes a classifier's images: end the pipeline of each part with dict(type='PackInputs')"
        )
    return tuple(item['inputs'].shape)
