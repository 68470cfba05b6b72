"""A student trained with a teacher by train.py, cut off, resumed and tested; teachers that cannot teach."""

import re
import shutil

import pytest
import torch

from tests.cli.conftest import CONFIGS, SHORT, error_line

STUDENT = CONFIGS / 'wideresnet' / 'wrn10-transfer_digitscenes.py'
PLAIN = CONFIGS / 'wideresnet' / 'wrn10_digitscenes.py'
NARROW = ['train_cfg.max_epochs=2']
# mmengine does not bring random crops back.
SAME = ['randomness.seed=0', 'train_dataloader.dataset.pipeline.2.type=CenterCrop']
TEACHER = ['model.teacher.init_cfg.type=Pretrained']


def teacher_file(path, seed=0):
    """A teacher's checkpoint, whose weights are random."""
    from attn_plugins.training.config import load_config
    from attn_plugins.training.library import build_model

    torch.manual_seed(seed)
    cfg = load_config(PLAIN, 'none', {'model.backbone.widen_factor': 2, 'model.head.in_channels': 128})
    model = build_model(cfg)
    model.init_weights()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


def command(preset, *options, teacher='teacher.pth', tested=False):
    more = [] if tested else ['custom_hooks.1.test_teacher=False']
    return [
        STUDENT, '--attention', preset, '--cfg-options', *SHORT, *NARROW, *TEACHER,
        f'model.teacher.init_cfg.checkpoint={teacher}', *more, *options,
    ]  # fmt: skip


@pytest.mark.parametrize('preset', ['full_activation', 'at_kd'])
def test_a_training_that_is_cut_off_goes_on_as_if_it_had_not_been(workspace, preset):
    teacher_file(workspace.folder / 'teacher.pth')
    whole = workspace.run('train.py', *command(preset, *SAME), '--work-dir', 'whole')
    assert whole.returncode == 0, whole.stderr
    shutil.copytree(workspace.folder / 'whole', workspace.folder / 'cut')
    (workspace.folder / 'cut' / 'epoch_2.pth').unlink()
    (workspace.folder / 'cut' / 'last_checkpoint').write_text('cut/epoch_1.pth')
    cut = workspace.run('train.py', *command(preset, *SAME), '--work-dir', 'cut')
    assert cut.returncode == 0 and 'resuming from cut/epoch_1.pth' in cut.stdout, cut.stdout + cut.stderr
    ours, theirs = (
        torch.load(workspace.folder / d / 'epoch_2.pth', weights_only=False) for d in ('whole', 'cut')
    )
    assert 'loss_' in cut.stdout
    for key, value in ours['state_dict'].items():
        assert torch.equal(value, theirs['state_dict'][key]), key
    assert not any('distillation' in key or 'teacher' in key for key in ours['state_dict'])
    if preset == 'full_activation':
        state, resumed = ours['distillation']['loss_fact'], theirs['distillation']['loss_fact']
        assert state and all(torch.equal(value, resumed[key]) for key, value in state.items())
    # The checkpoint is that of the plain model, which test.py compares weight by weight.
    tested = workspace.run('test.py', PLAIN, 'whole/epoch_2.pth')
    assert tested.returncode == 0 and 'accuracy/top1' in tested.stdout, tested.stdout + tested.stderr


def test_a_teacher_that_knows_nothing_is_refused_before_training(workspace):
    teacher_file(workspace.folder / 'teacher.pth')
    refused = workspace.run('train.py', *command('at', tested=True))
    assert re.search(
        r'the teacher teacher.pth scores like chance on the validation data: accuracy/top1 [\d.]+, where up to '
        r'[\d.]+ is '
        'chance; give one that was trained',
        error_line(refused),
    )
    assert 'Epoch(train)' not in refused.stdout


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (
            ['model.teacher.init_cfg=None'],
            'the teacher has no trained weights, so there is nothing to learn from it',
        ),
        (['model.teacher.init_cfg.checkpoint=nowhere.pth'], 'there is no checkpoint nowhere.pth'),
        (
            ['model.teacher.backbone.widen_factor=1', 'model.teacher.head.in_channels=64'],
            'teacher.pth is the checkpoint of another model',
        ),
        (['model.pairs=[backbone.layer7]'], "the student has no module 'backbone.layer7'"),
        (['model.teacher.config=nowhere.py'], 'there is no config nowhere.py'),
        (['model.losses.0.schedule.begin=2'], 'loss_at begins at 2 of 2 epochs, so it never acts'),
        (['model.losses.0.q=2'], "attn_plugins.ActivationTransfer has no option 'q'"),
        (['custom_hooks=None'], 'add it to the config'),
    ],
)
def test_one_sentence(workspace, options, sentence):
    teacher_file(workspace.folder / 'teacher.pth')
    assert sentence in error_line(workspace.run('train.py', *command('at', *options)))


def test_the_hook_alone_has_nothing_to_do(workspace):
    result = workspace.run(
        'train.py', PLAIN, '--cfg-options', *SHORT, 'custom_hooks.0.type=attn_plugins.DistillationHook'
    )
    assert 'DistillationHook is for a model of type attn_plugins.Distiller' in error_line(result)
