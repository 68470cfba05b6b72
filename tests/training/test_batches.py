"""Batches with numbers, and images whose random numbers follow from them, whatever was drawn before and by whom."""

import copy
import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler, pseudo_collate
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, Subset

from attn_plugins.training.batches import draws_alike, number_batches, same


class Noise(Dataset):
    """Draws from all three streams, at times more than once."""

    def __init__(self, length: int = 10):
        self.length, self.metainfo = length, dict(classes=('a',))

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        for _ in range(random.randint(0, 3)):
            torch.rand(())
        return index, random.random(), np.random.rand(), float(torch.rand(()))


class Remembering(Noise):
    """As a transform that keeps images of before (CachedMosaic)."""

    def __init__(self, length: int = 10):
        super().__init__(length)
        self.before = 0.0

    def __getitem__(self, index):
        item = super().__getitem__(index)
        self.before, before = item[1], self.before
        return (*item, before)


def loader(
    dataset=None, workers=0, batch_size=3, endless=False, sampler=DefaultSampler, key=(5, 0), **options
):
    dataset = Noise() if dataset is None else dataset
    made = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler(dataset, shuffle=True, seed=1),
        num_workers=workers,
        collate_fn=list,
        **options,
    )
    return made, number_batches(made, key, endless)


def batches(made, numbered, base=0, first=0, count=None):
    numbered.begin(base, first)
    drawn = []
    for batch in made:
        drawn.append(batch)
        if len(drawn) == count:
            break
    return drawn


def test_images_do_not_depend_on_workers_or_on_what_was_drawn_before():
    plain = batches(*loader())
    torch.manual_seed(3)
    random.seed(4)
    assert batches(*loader()) == plain
    assert batches(*loader(workers=1)) == plain and batches(*loader(workers=3)) == plain
    stays = loader(workers=2, persistent_workers=True)
    assert batches(*stays) == plain and batches(*stays) == plain
    assert len({item[1] for batch in plain for item in batch}) == 10, (
        'no two images of an epoch are drawn alike'
    )


def test_other_epochs_processes_and_seeds_are_drawn_otherwise():
    plain = batches(*loader())
    for other in (
        batches(*loader(), base=4, first=4),
        batches(*loader(key=(5, 1))),
        batches(*loader(key=(6, 0))),
    ):
        drawn = {item[1] for batch in other for item in batch}
        assert len(drawn) == 10 and drawn.isdisjoint(item[1] for batch in plain for item in batch)


@pytest.mark.parametrize('workers', [0, 2])
def test_an_epoch_is_entered_in_its_middle(workers):
    plain = batches(*loader(), base=8, first=8)
    assert batches(*loader(workers=workers), base=8, first=10) == plain[2:]
    assert batches(*loader(workers=workers), base=8, first=12) == []


@pytest.mark.parametrize('sampler', [DefaultSampler, InfiniteSampler])
@pytest.mark.parametrize('workers', [0, 2])
def test_an_endless_training_is_entered_anywhere(workers, sampler):
    """A sampler that ends is begun anew, with its next epoch, as mmengine does it."""
    plain = batches(*loader(endless=True, sampler=sampler), count=13)
    assert batches(*loader(endless=True, sampler=sampler, workers=workers), first=6, count=7) == plain[6:]
    assert batches(*loader(endless=True, sampler=sampler, workers=workers), first=12, count=1) == plain[12:]
    order = [item[0] for batch in plain for item in batch]
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10)) and order[:10] != order[10:20]


def test_nothing_is_drawn_before_the_training_begins():
    made, numbered = loader(sampler=InfiniteSampler, endless=True)
    assert list(made) == []
    numbered.begin(0, 0)
    assert next(iter(made)) == batches(*loader(sampler=InfiniteSampler, endless=True), count=1)[0]


def test_the_trainings_own_streams_stay_where_they_are():
    made, numbered = loader()
    numbered.begin(0, 0)
    drawing = iter(made)
    torch.manual_seed(1)
    expected = float(torch.rand(()))
    torch.manual_seed(1)
    next(drawing)
    assert float(torch.rand(())) == expected


def test_the_dataset_is_what_it_was_to_everyone_else():
    dataset = Noise()
    made, _ = loader(dataset)
    assert made.dataset is dataset and isinstance(dataset, Noise) and type(dataset).__name__ == 'Noise'
    assert made.batch_size == 3 and len(made) == 4 and made.dataset.metainfo == dict(classes=('a',))
    assert made.batch_sampler.sampler is made.sampler
    for copied in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        assert type(copied) is Noise and copied.length == 10
        copied.length = 5
        assert len(copied.__getitems__([0])) == 1 and copied.__getitems__.args == (copied,)
    numbered = made.batch_sampler
    assert len(pickle.loads(pickle.dumps(numbered))) == len(copy.deepcopy(numbered)) == 4


def test_batches_of_a_sampler_and_of_a_dataset_of_their_own():
    """mmdet sorts images by their shape; torch's Subset fetches whole batches."""
    dataset = Noise()
    own = BatchSampler(DefaultSampler(dataset, shuffle=True, seed=1), 3, drop_last=True)
    made = DataLoader(dataset, batch_sampler=own, collate_fn=list)
    assert batches(made, number_batches(made, (5, 0), False)) == batches(*loader())[:3]
    made, numbered = loader(Subset(Noise(20), range(10)))
    whole = batches(made, numbered)
    assert batches(made, numbered, first=2) == whole[2:]


def test_data_without_batches_of_indices_are_left_alone():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(3))

    assert number_batches(DataLoader(Stream(), batch_size=2), (5, 0), False) is None
    assert number_batches(DataLoader(Noise(), batch_size=None), (5, 0), False) is None
    assert number_batches(DataLoader([1, 2, 3], batch_size=2), (5, 0), False) is None


@pytest.mark.parametrize('dataset, alike', [(Noise(), True), (Remembering(), False), (Noise(1), True)])
def test_transforms_that_remember_are_found(dataset, alike):
    made, _ = loader(dataset)
    torch.manual_seed(1)
    expected = float(torch.rand(()))
    torch.manual_seed(1)
    assert draws_alike(made.dataset) == alike
    assert float(torch.rand(())) == expected


def test_mmengines_own_collation():
    dataset = Noise()
    made = DataLoader(dataset, batch_size=4, collate_fn=pseudo_collate, num_workers=1)
    numbered = number_batches(made, (5, 0), False)
    numbered.begin(0, 0)
    assert [len(batch[0]) for batch in made] == [4, 4, 2]


class Older(Noise):
    """As users wrote it before `super()` needed no words."""

    def __getitem__(self, index):
        return super(self.__class__, self).__getitem__(index)


def test_a_data_sets_class_stays_its_own():
    assert batches(*loader(Older())) == batches(*loader())


class Unseeded(torch.utils.data.Sampler):
    """A user's sampler, which draws from torch's own stream, here at its start and there image by image."""

    def __init__(self, dataset, shuffle, seed):
        self.size = len(dataset)

    def __iter__(self):
        yield from torch.randperm(self.size)[:5].tolist()
        for _ in range(5):
            yield int(torch.randint(self.size, ()))

    def __len__(self):
        return self.size


@pytest.mark.parametrize('workers', [0, 2])
def test_a_sampler_that_draws_from_torchs_stream(workers):
    plain = batches(*loader(sampler=Unseeded), base=4, first=4)
    torch.manual_seed(9)
    assert batches(*loader(sampler=Unseeded, workers=workers), base=4, first=6) == plain[2:]
    other = batches(*loader(sampler=Unseeded), base=8, first=8)
    assert [[item[0] for item in batch] for batch in other] != [
        [item[0] for item in batch] for batch in plain
    ]


@pytest.mark.parametrize(
    'one, other, equal',
    [
        (dict(a=[1, torch.ones(2)]), dict(a=[1, torch.ones(2)]), True),
        (dict(a=[1, torch.ones(2)]), dict(a=[1, torch.zeros(2)]), False),
        (float('nan'), float('nan'), True),
        ((1, 2), [1, 2], False),
        (np.ones(3), np.ones(4), False),
    ],
)
def test_values_are_compared_to_the_last_number(one, other, equal):
    assert same(one, other) is equal
