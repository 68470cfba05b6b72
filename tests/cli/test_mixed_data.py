"""The mixed-data attack by the command line: trained, cut off and resumed, in two processes, and what is refused
before.
"""

import shutil
from pathlib import Path

import pytest
import torch

from attn_plugins.cli.check_data import main as check_data
from attn_plugins.cli.train import main
from tests.cli.batches import recorded
from tests.cli.conftest import CONFIGS, ROOT
from tests.cli.test_dist import free_port

BASE = CONFIGS / '_base_'
OWN, BATCH, STEPS = 18, 8, 3  # own images, those of a batch, batches of an epoch


def config(folder: Path, data: str = 'digitscenes_classification_32_mixed', more: str = '') -> Path:
    """A config of a user, whose own pipeline draws no random numbers, which mmengine does not resume."""
    path = folder / 'mixed.py'
    files = [
        'models/resnet18_digitscenes',
        f'datasets/{data}',
        'schedules/digitscenes_adamw_4e',
        'runtime_mmpretrain',
    ]
    path.write_text(f"""
_base_ = {[str(BASE / f'{file}.py') for file in files]}
custom_imports = dict(imports=['tests.cli.batches'], allow_failed_imports=False)
custom_hooks = [dict(type='RecordBatches')]
randomness = dict(seed=0)
param_scheduler = None
{more}
""")
    return path


MIXED = """
model = dict(type='attn_plugins.MixedDataClassifier')
train_dataloader = dict(
    batch_size=8, batch_sampler=dict(foreign=3),
    dataset=dict(dataset=dict(pipeline={{_base_.test_pipeline}}, indices=18)))
"""
BY_EPOCH = 'train_cfg = dict(max_epochs=2, val_interval=2)'
BY_ITERATION = """
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=6, val_interval=6)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=4, max_keep_ckpts=-1))
log_processor = dict(by_epoch=False)
"""
INFINITE = "train_dataloader['sampler'] = dict(type='InfiniteSampler', shuffle=True)"


@pytest.fixture
def train(workspace, monkeypatch, capfd):
    """Calls train.py's command line in the workspace; returns its exit code and what it printed."""
    monkeypatch.chdir(workspace.folder)
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    monkeypatch.delenv('ATTENTION', raising=False)

    def run(path, work_dir='run', *options):
        code = 0
        try:
            main(
                [str(path), '--work-dir', work_dir, '--cfg-options', f'visualizer.name={work_dir}', *options]
            )
        except SystemExit as end:
            code = end.code
        return code, *capfd.readouterr()

    return run


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=False)['state_dict']


def differing(one: Path, other: Path) -> list[str]:
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    return [key for key in one if not torch.equal(one[key], other[key])]


@pytest.mark.parametrize(
    'length, first, last, done',
    [
        (BY_EPOCH, 'epoch_1.pth', 'epoch_2.pth', 3),
        (BY_ITERATION, 'iter_4.pth', 'iter_6.pth', 4),
        (BY_ITERATION + INFINITE, 'iter_4.pth', 'iter_6.pth', 4),
    ],
    ids=['by epoch', 'by iteration', 'by iteration, infinite'],
)
def test_a_training_that_was_cut_off_goes_on_with_the_batches_of_an_uninterrupted_one(
    length, first, last, done, workspace, train
):
    folder = workspace.folder
    path = config(folder, more=MIXED + length)
    code, _, err = train(path)
    assert code == 0, err
    whole = recorded(folder)
    assert len(whole) == 2 * STEPS
    sizes = [(len(own), len(foreign)) for own, foreign in whole]
    rest = BATCH if 'Infinite' in length else OWN - 2 * BATCH
    assert sizes == 2 * [(BATCH, 3), (BATCH, 3), (rest, 3)]
    assert len({tuple(foreign) for _, foreign in whole}) == 2 * STEPS, 'other foreign images in every batch'
    kept = folder / 'kept.pth'
    shutil.move(folder / 'run' / last, kept)
    (folder / 'run' / 'last_checkpoint').unlink()
    code, out, err = train(path)
    assert code == 0, err
    assert f'resuming from run/{first}' in out
    assert recorded(folder)[2 * STEPS :] == whole[done:]
    assert differing(folder / 'run' / last, kept) == []


def test_no_foreign_image_is_the_plain_training(workspace, train):
    """Bit by bit, with random crops; with foreign images another network comes of it."""
    one_epoch = 'train_cfg = dict(max_epochs=1, val_interval=1)\n'
    k = (
        "model = dict(type='attn_plugins.MixedDataClassifier')\ntrain_dataloader = "
        'dict(batch_sampler=dict(foreign={}))\n'
    )
    for name, data, more in (
        ('plain', 'digitscenes_classification_32', ''),
        ('k0', 'digitscenes_classification_32_mixed', k.format(0)),
        ('k8', 'digitscenes_classification_32_mixed', k.format(8)),
    ):
        code, _, err = train(config(workspace.folder, data, one_epoch + more), name)
        assert code == 0, err
    plain, k0, k8 = (workspace.folder / name / 'epoch_1.pth' for name in ('plain', 'k0', 'k8'))
    assert differing(plain, k0) == []
    assert {'backbone.layer4.1.bn2.running_mean', 'head.fc.weight'} <= set(differing(plain, k8))


def test_a_suite_sets_kind_and_number_by_single_values(workspace, train):
    path = config(workspace.folder, more=MIXED + 'train_cfg = dict(max_epochs=1, val_interval=1)')
    for kind in ('digits', 'noise'):
        options = [
            'train_dataloader.batch_sampler.foreign=5',
            f'train_dataloader.dataset.foreign.kind={kind}',
        ]
        code, _, err = train(path, kind, *options)
        assert code == 0, err
    digits, noise = recorded(workspace.folder)[:STEPS], recorded(workspace.folder)[STEPS:]
    assert [len(foreign) for _, foreign in digits + noise] == 2 * STEPS * [5]
    assert [own for own, _ in digits] == [own for own, _ in noise]
    assert not {i for _, images in digits for i in images} & {i for _, images in noise for i in images}


@pytest.mark.parametrize(
    'option, sentence',
    [
        (
            'train_dataloader.batch_sampler.foreign=9',
            'foreign=9 images cannot be added to a batch of 8 own ones',
        ),
        ('train_dataloader.dataset.foreign.kind=noize', 'did you mean noise?'),
        (
            'train_dataloader.dataset.foreign.size=24',
            "add dict(type='Resize', scale=(32, 32)) to the foreign",
        ),
        ('train_dataloader.dataset.foreign_loss=True', 'set model.head.num_classes=20'),
        ('model.type=ImageClassifier', 'give the model the type attn_plugins.MixedDataClassifier'),
        ('data_preprocessor.to_onehot=True', 'takes batches without mixup and the like'),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(option, sentence, workspace, train):
    code, _, err = train(config(workspace.folder, more=MIXED + BY_EPOCH), 'run', option)
    lines = [line for line in err.splitlines() if line.startswith('error: ')]
    assert code == 1 and len(lines) == 1 and sentence in lines[0], err
    assert 'Traceback' not in err


def test_images_that_are_made_need_no_files(workspace, monkeypatch, capsys):
    monkeypatch.chdir(workspace.folder)
    assert check_data([str(config(workspace.folder, more=MIXED)), '--read-files']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert '  train: ok: 1000 images of ForeignImages' in lines
    assert lines[1].endswith(' folders of data/digit_scenes/classes/train')


def test_two_processes_add_foreign_images_each(workspace):
    path = config(workspace.folder, more=MIXED + 'train_cfg = dict(max_epochs=1, val_interval=1)')
    result = workspace.run(
        'dist_train.sh', path, 2, '--work-dir', 'two', PORT=free_port(), PYTHONPATH=str(ROOT)
    )
    assert result.returncode == 0, result.stderr
    both = [recorded(workspace.folder, rank) for rank in range(2)]
    for batches in both:
        assert [(len(own), len(foreign)) for own, foreign in batches] == [(BATCH, 3), (OWN // 2 - BATCH, 3)]
    own, foreign = ([{i for batch in batches for i in batch[part]} for batches in both] for part in (0, 1))
    assert not own[0] & own[1] and len(own[0] | own[1]) == OWN
    assert foreign[0] != foreign[1]
    assert (workspace.folder / 'two' / 'epoch_1.pth').is_file()


CIFAR = """
model = dict(type='attn_plugins.MixedDataClassifier', head=dict(num_classes=100))
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False, batch_sampler=dict(foreign=2),
    dataset=dict(dataset=dict(indices=4)))
val_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False)
train_cfg = dict(max_epochs=1, val_interval=1)
"""


@pytest.mark.parametrize('foreign', ['mnist', 'fashion_mnist'])
def test_the_articles_pairs(foreign, workspace, data_trees, train, any_md5, capfd):
    """Both parts are looked for before anything starts, and nothing is downloaded."""
    folder = workspace.folder
    name = 'cifar100_mixed' if foreign == 'mnist' else 'cifar100_mixed_fashion_mnist'
    path = config(folder, name, CIFAR)
    assert check_data([str(path)]) == 1
    out = capfd.readouterr().out
    assert (
        '  train, val, test: wrong: the folder data/cifar100 is missing (data holds digit_scenes/): get cifar'
        in out
    )
    assert (
        f'  train: wrong: the folder data/{foreign} is missing (data holds digit_scenes/): get train-im'
        in out
    )
    shutil.copytree(data_trees / 'cifar100', folder / 'data/cifar100')
    code, _, err = train(path)
    assert code == 1 and err.startswith(
        f'error: train_dataloader.dataset.foreign: the folder data/{foreign} is missing (data holds cifar100/, '
        'digit_scenes/): '
    )
    shutil.copytree(data_trees / foreign, folder / 'data' / foreign)
    code, _, err = train(path)
    assert code == 0, err
    ((own, images),) = recorded(folder)
    assert (len(own), len(images)) == (4, 2)


def test_other_files_than_cifars_are_named(workspace, data_trees, train):
    shutil.copytree(data_trees / 'cifar100', workspace.folder / 'data/cifar100')
    shutil.copytree(data_trees / 'mnist', workspace.folder / 'data/mnist')
    code, _, err = train(config(workspace.folder, 'cifar100_mixed', CIFAR))
    assert code == 1
    assert err.startswith(
        'error: train_dataloader.dataset.dataset: data/cifar100/cifar-100-python/train is not the published '
        'file: its MD5 sum '
    )
