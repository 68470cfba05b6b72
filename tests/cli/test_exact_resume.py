"""A training that is killed and resumed ends with the bits of one that was not. What cannot be so is marked."""

import json
import os
import random

import pytest
import torch
from check_resume import TRAININGS, compare

from attn_plugins.datasets.digit_scenes import write_digit_scenes
from attn_plugins.training.exact_resume import INEXACT, KEY
from tests.cli.conftest import CLASSIFICATION, DETECTION, SHORT, Workspace

EXACT = 'resumed as if there had been no break, to the bit'


@pytest.fixture(scope='session')
def more_scenes(tmp_path_factory):
    """Enough to be killed in."""
    root = tmp_path_factory.mktemp('more_scenes') / 'digit_scenes'
    write_digit_scenes(root, train=16, val=4, size=128, progress=False)
    return root


@pytest.fixture
def folder(tmp_path, more_scenes):
    """With the data."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'digit_scenes').symlink_to(more_scenes)
    return tmp_path


@pytest.mark.parametrize(
    'name',
    [
        'classifier, gradients of 4 batches',
        'classifier, stops early, best checkpoint, plateau',
        'classifier, distilled',
        'detector, by iterations, EMA',
        'detector, mosaic, sizes by batch',
        'segmentor, by iterations, finite sampler, EMA',
    ],
)
def test_killed_anywhere(folder, name):
    """`.dev_scripts/check_resume.py` does more of it, with more kills (docs/benchmarks/resuming.md)."""
    found = compare(folder, TRAININGS[name], kills=2, dice=random.Random(name))
    assert found.differences == [] and found.killed == 2 and found.said
    assert all(EXACT in line for line in found.said)


def test_two_processes(folder):
    found = compare(folder, TRAININGS['classifier, two processes'], kills=1, dice=random.Random(4))
    assert found.differences == [] and found.killed == 1 and found.said
    assert all(EXACT in line for line in found.said)


@pytest.fixture
def train(workspace: Workspace):
    """Trains two epochs, or what is left of them; returns what was said of a break."""

    def run(*words: str, config=CLASSIFICATION, options=('randomness.seed=0',), **variables: str) -> str:
        options = ('--cfg-options', *SHORT, 'train_cfg.max_epochs=2', *options)
        result = workspace.run('train.py', config, *words, *options, **variables)
        assert result.returncode == 0, result.stderr
        lines = [line for line in result.stdout.splitlines() if 'break' in line]
        return '\n'.join(line.partition(' - ')[2] for line in lines)

    return run


@pytest.fixture
def cut(workspace: Workspace):
    """Leaves a work dir as a training leaves it that was cut off in its second epoch."""

    def back(name: str = 'mobilenetv2_digitscenes'):
        folder = workspace.folder / 'work_dirs' / name
        (folder / 'epoch_2.pth').unlink()
        (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
        return folder

    return back


def without_record(path) -> None:
    """As a checkpoint of OpenMMLab's own tools."""
    checkpoint = torch.load(path, weights_only=False)
    del checkpoint[KEY]
    torch.save(checkpoint, path)


def test_a_checkpoint_of_another_tool_is_resumed_and_marked_for_good(train, cut):
    train()
    folder = cut()
    without_record(folder / 'epoch_1.pth')
    said = train()
    assert (
        'WARNING - resumed, but not as if there had been no break: its checkpoint is of another tool' in said
    )
    checkpoint = torch.load(folder / 'epoch_2.pth', weights_only=False)
    assert checkpoint['message_hub']['runtime_info'][INEXACT].startswith('its checkpoint is of another tool')
    said = train('--resume', options=('randomness.seed=0', 'train_cfg.max_epochs=3'))
    assert 'its checkpoint is of another tool' in said, 'what follows rests on it'


def test_transforms_that_remember_images_are_marked(train, cut, workspace):
    config = workspace.folder / 'mine.py'
    config.write_text(
        f"_base_ = ['{DETECTION}']\n"
        "train_dataloader = dict(dataset=dict(_delete_=True, type='MultiImageMixDataset',\n"
        "    dataset=dict(type='CocoDataset', data_root='data/digit_scenes/coco/',\n"
        "        metainfo=dict(classes=tuple('0123456789')), ann_file='annotations/instances_train.json',\n"
        "        data_prefix=dict(img='train/'),\n"
        "        pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]),\n"
        "    pipeline=[dict(type='CachedMosaic', img_scale=(128, 128), max_cached_images=8), "
        "dict(type='PackDetInputs')]))\n"
    )
    assert train(config=config) == ''
    cut('mine')
    said = train(config=config)
    assert (
        'not as if there had been no break: what its transforms make of an image depends on the images'
        in said
    )


@pytest.mark.parametrize(
    'options, said',
    [
        (['randomness.seed=1'], 'it was begun with other settings: randomness.seed (was 0, is 1)'),
        (['randomness.seed=0', 'optim_wrapper.optimizer.lr=0.1'], 'optimizer.lr (was 0.003, is 0.1)'),
    ],
)
def test_other_settings_are_marked(train, cut, options, said):
    train()
    cut()
    assert said in train('--resume', options=options)


def test_another_number_of_threads_is_marked(train, cut):
    """It splits sums otherwise, which then round otherwise."""
    train()
    cut()
    said = train('--resume', OMP_NUM_THREADS='2')
    assert 'not as if there had been no break: its number of CPU threads was 1 and is 2' in said


def test_a_training_without_a_seed_goes_on_with_the_one_that_it_drew(train, cut):
    train(options=())
    folder = cut()
    [whole] = losses(folder)
    assert EXACT in train(options=())
    assert losses(folder) == [whole, {step: whole[step] for step in whole if step > max(whole) // 2}]


def losses(folder) -> list[dict[int, float]]:
    """The loss by iteration, of each part of a training."""
    return [
        {
            line['step']: line['loss']
            for line in map(json.loads, file.read_text().splitlines())
            if 'loss' in line
        }
        for file in sorted(folder.glob('*/vis_data/scalars.json'))
    ]


def test_a_training_that_was_cut_off_in_its_last_validation_makes_up_for_it(train, workspace):
    train()
    record = workspace.folder / 'work_dirs' / 'mobilenetv2_digitscenes' / 'training.json'
    content = json.loads(record.read_text())
    assert content['finished'] is True
    record.write_text(json.dumps(dict(content, finished=False)))  # as its last checkpoint has left it
    assert 'the validation that was due at the break' in train()
    assert json.loads(record.read_text())['finished'] is True
    assert train() == ''


USERS = """
_base_ = ['{base}']
custom_imports = dict(imports=['mine_mod'], allow_failed_imports=False)
{more}
"""
MODULE = """
import torch
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS, HOOKS
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS


@HOOKS.register_module()
class CountingHook(Hook):
    def __init__(self):
        self.count = 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.count += 1


@DATA_SAMPLERS.register_module()
class Unseeded(torch.utils.data.Sampler):
    def __init__(self, dataset, seed=None, **options):
        self.size = len(dataset)

    def __iter__(self):
        return iter(torch.randperm(self.size).tolist())

    def __len__(self):
        return self.size


@MODELS.register_module()
class Counting(LinearClsHead):
    def __init__(self, **options):
        super().__init__(**options)
        self.seen, self.mean = dict(n=0), torch.zeros(())

    def loss(self, feats, data_samples, **options):
        self.seen['n'] += 1
        losses = super().loss(feats, data_samples, **options)
        self.mean = 0.9 * self.mean + 0.1 * losses['loss'].detach()
        losses['loss'] = losses['loss'] * (1 + 0.01 * self.seen['n']) + self.mean
        return losses
"""


@pytest.fixture
def users(train, cut, workspace, monkeypatch):
    """Trains with parts of a user's own, whole and from the middle; returns what was said and whether the losses are
    the same.
    """
    (workspace.folder / 'mine_mod.py').write_text(MODULE)
    config = workspace.folder / 'mine.py'
    monkeypatch.setenv('PYTHONPATH', f'{workspace.folder}:{os.environ.get("PYTHONPATH", "")}')

    def run(more: str) -> tuple[str, bool]:
        config.write_text(USERS.format(base=CLASSIFICATION, more=more))
        train(config=config)
        folder = cut('mine')
        said = train(config=config)
        whole, rest = losses(folder)
        return said, all(rest[step] == whole[step] for step in rest)

    return run


def test_a_hook_of_a_users_own_that_counts_is_marked(users):
    said, _ = users("custom_hooks = [dict(type='CountingHook')]")
    assert 'CountingHook had changed values of its own by then, which no checkpoint has' in said


def test_a_sampler_that_draws_from_torchs_stream_is_exact(users):
    said, same = users("train_dataloader = dict(sampler=dict(_delete_=True, type='Unseeded'))")
    assert EXACT in said and same


def test_a_head_that_counts_in_tensors_and_dicts_is_exact(users):
    said, same = users("model = dict(head=dict(type='Counting'))")
    assert EXACT in said and same
