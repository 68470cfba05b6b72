"""Own and foreign images in one batch: which are drawn, when they are the same again, and what is refused."""

import random
import re

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.registry import DATA_SAMPLERS, DATASETS, init_default_scope
from mmengine.runner import Runner
from torch.utils.data import BatchSampler

from attn_plugins.datasets.mixed import MixedBatchSampler, MixedDataset
from attn_plugins.errors import UserError
from attn_plugins.training.library import register
from tests.datasets.trees import write_mnist

PACK = [dict(type='PackInputs')]
OWN, FOREIGN = 10, 6


@pytest.fixture(autouse=True)
def mmpretrain():
    register('mmpretrain')
    init_default_scope('mmpretrain')


def images(kind: str, number: int, **options) -> dict:
    defaults = dict(type='attn_plugins.ForeignImages', size=8, pipeline=PACK)
    return defaults | dict(kind=kind, number=number, **options)


def mixed(**options) -> MixedDataset:
    config = dict(dataset=images('photographs', OWN), foreign=images('digits', FOREIGN), **options)
    return DATASETS.build(dict(type='attn_plugins.MixedDataset', **config))


def test_own_images_come_first_and_foreign_ones_have_no_label():
    dataset = mixed()
    assert len(dataset) == OWN and dataset.foreign_indices == range(OWN, OWN + FOREIGN)
    for i in range(OWN + FOREIGN):
        sample = dataset[i]['data_samples']
        part = dataset.dataset[i] if i < OWN else dataset.foreign[i - OWN]
        assert torch.equal(dataset[i]['inputs'], part['inputs'])
        assert sample.foreign == (i >= OWN) and sample.in_loss == (i < OWN)
        assert sample.gt_label == (part['data_samples'].gt_label if i < OWN else -1)
    assert dataset.metainfo['classes'] == ('china', 'flower')


def test_with_a_part_in_the_loss_foreign_classes_follow_the_own_ones():
    dataset = mixed(foreign_loss=True)
    assert dataset.metainfo['classes'] == ('china', 'flower', *'0123456789')
    for i in range(OWN + FOREIGN):
        sample = dataset[i]['data_samples']
        assert sample.in_loss and sample.num_classes == 12
        own = dataset.dataset[i] if i < OWN else dataset.foreign[i - OWN]
        assert sample.gt_label == own['data_samples'].gt_label + 2 * (i >= OWN)


def test_images_of_another_shape_are_refused_with_what_puts_it_right(tmp_path):
    """The transforms that the sentence names make MNIST's 28 x 28 x 1 fit."""
    write_mnist(tmp_path / 'mnist', packed=False)
    mnist = dict(type='MNIST', data_root=str(tmp_path / 'mnist'), download=False)
    own = images('noise', 2, size=32)
    with pytest.raises(UserError) as refused:
        MixedDataset(own, dict(mnist, pipeline=PACK))
    sentence = re.fullmatch(
        r'the foreign images have the shape \(1, 28, 28\) \(channels, height, width\) and the own ones \(3, 32, 32\): '
        "add (.+) to the foreign dataset's pipeline, before PackInputs",
        str(refused.value),
    )
    dataset = MixedDataset(own, dict(mnist, pipeline=[*eval(f'[{sentence[1]}]'), *PACK]))
    assert dataset[2]['inputs'].shape == (3, 32, 32)
    with pytest.raises(UserError, match='add what gives 1 channels to'):
        MixedDataset(dict(mnist, pipeline=PACK), images('noise', 2, size=28))


def test_the_shape_of_every_foreign_image_is_looked_at():
    dataset = mixed()
    whole = dataset.dataset[0]
    dataset.foreign.pipeline = lambda info: dict(whole, inputs=torch.zeros(3, 8, 9))
    with pytest.raises(UserError, match=r'\(3, 8, 9\).* and the own ones \(3, 8, 8\): add'):
        dataset[OWN + 1]


def test_parts_that_cannot_be_mixed():
    with pytest.raises(UserError, match="end the pipeline of each part with dict\\(type='PackInputs'\\)"):
        MixedDataset(images('noise', 2), images('digits', 2, pipeline=[]))
    with pytest.raises(UserError, match='ForeignImages names no classes'):
        MixedDataset(images('noise', 2), images('digits', 2, metainfo=dict(classes=None)), foreign_loss=True)


def test_random_numbers_are_where_they_were():
    """So that a training without foreign images has the augmentation of a plain one."""
    own = images('noise', 2, pipeline=[dict(type='RandomCrop', crop_size=6), *PACK])
    foreign = images('digits', 2, size=6)

    def state():
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()

    before = state()
    MixedDataset(own, foreign)
    assert state() == before


def sampler_of(k: int, seed=0, epoch=0, batch_size=4, dataset=None, infinite=False, **options):
    dataset = dataset or mixed()
    sampler = (InfiniteSampler if infinite else DefaultSampler)(dataset, seed=seed)
    sampler.set_epoch(epoch)
    config = dict(type='attn_plugins.MixedBatchSampler', foreign=k, **options)
    return DATA_SAMPLERS.build(config, default_args=dict(sampler=sampler, batch_size=batch_size))


@pytest.mark.parametrize('drop_last', [False, True])
@pytest.mark.parametrize('k', [0, 1, 4])
def test_each_batch_has_k_different_foreign_images_behind_the_own_ones(k, drop_last):
    sampler = sampler_of(k, drop_last=drop_last)
    batches = list(sampler)
    assert len(batches) == len(sampler) == (2 if drop_last else 3)
    own = list(BatchSampler(DefaultSampler(mixed(), seed=0), 4, drop_last))
    assert [batch[: len(batch) - k] for batch in batches] == own
    for batch in batches:
        foreign = batch[len(batch) - k :]
        assert len(set(foreign)) == k and set(foreign) <= set(range(OWN, OWN + FOREIGN))


def foreign_of(batches) -> list[list[int]]:
    return [[i for i in batch if i >= OWN] for batch in batches]


def test_foreign_images_depend_on_seed_epoch_process_and_batch_alone(monkeypatch):
    dataset = mixed()
    drawn = foreign_of(sampler_of(2, dataset=dataset))
    assert foreign_of(sampler_of(2, dataset=dataset)) == drawn
    torch.rand(3), np.random.rand(3), random.random()
    assert foreign_of(sampler_of(2, dataset=dataset)) == drawn
    again = sampler_of(2, dataset=dataset)
    assert foreign_of(again) == foreign_of(again) == drawn
    assert len({tuple(batch) for batch in drawn}) > 1
    assert foreign_of(sampler_of(2, dataset=dataset, seed=1)) != drawn
    assert foreign_of(sampler_of(2, dataset=dataset, epoch=1)) != drawn
    of_processes = []
    for rank in range(2):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        sampler = sampler_of(2, dataset=dataset)
        of_processes.append(list(sampler))
        assert len(of_processes[-1]) == len(sampler) == 2
    assert foreign_of(of_processes[0]) != foreign_of(of_processes[1])
    own = [{i for batch in batches for i in batch if i < OWN} for batches in of_processes]
    assert own[0] | own[1] == set(range(OWN)) and not own[0] & own[1]


def test_an_infinite_sampler_goes_on_past_the_end_of_the_images():
    stream = iter(sampler_of(2, infinite=True))
    batches = [next(stream) for _ in range(8)]
    assert all(len(batch) == 6 for batch in batches)
    assert len({tuple(batch) for batch in foreign_of(batches)}) > 4


@pytest.mark.parametrize(
    'k, sentence',
    [
        (
            -1,
            'foreign=-1 images cannot be added to a batch of 8 own ones: give batch_sampler.foreign from 0 to 8',
        ),
        (
            9,
            'foreign=9 images cannot be added to a batch of 8 own ones: give batch_sampler.foreign from 0 to 8',
        ),
        (
            7,
            'foreign=7 different images cannot be drawn from 6 foreign ones: give batch_sampler.foreign no more',
        ),
    ],
)
def test_numbers_of_foreign_images_that_cannot_be(k, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        sampler_of(k, batch_size=8)


def test_samplers_that_cannot_be_added_to():
    plain = DATASETS.build(images('noise', 8))
    for sampler in (DefaultSampler(plain), torch.utils.data.SequentialSampler(mixed())):
        with pytest.raises(
            UserError, match='draws from an attn_plugins.MixedDataset, by a sampler with a seed'
        ):
            MixedBatchSampler(sampler, 4, 1)


def test_a_dataloader_of_mmengine_with_processes_that_load():
    loader = Runner.build_dataloader(
        dict(
            dataset=dict(
                type='attn_plugins.MixedDataset',
                dataset=images('photographs', OWN),
                foreign=images('digits', FOREIGN),
            ),
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='attn_plugins.MixedBatchSampler', foreign=3),
            batch_size=4,
            num_workers=1,
            collate_fn=dict(type='default_collate'),
        ),
        seed=0,
    )
    assert len(loader) == 3
    shown = [[sample.foreign for sample in batch['data_samples']] for batch in loader]
    assert shown == [[False] * own + [True] * 3 for own in (4, 4, 2)]
