"""train.py run again in the same work dir: what it resumes, what it refuses, what it says. In this process."""

import shutil
from pathlib import Path

import pytest
import torch

from attn_plugins.cli.train import main
from tests.cli.conftest import CLASSIFICATION, SHORT

TINY = [*SHORT, 'train_cfg.max_epochs=1', 'randomness.seed=0']
RUN = Path('work_dirs/mobilenetv2_digitscenes')


@pytest.fixture
def train(workspace, monkeypatch, capfd):
    """Calls train.py's command line; returns its exit code and what it printed on stdout and stderr."""
    monkeypatch.chdir(workspace.folder)
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)

    def run(*words, options=()):
        code = 0
        try:
            main([str(CLASSIFICATION), *words, '--cfg-options', *TINY, *options])
        except SystemExit as end:
            code = end.code
        return code, *capfd.readouterr()

    return run


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A place for the work dir of one finished training, which the first test that asks for it fills."""
    return tmp_path_factory.mktemp('trained') / 'run'


@pytest.fixture
def finished(train, trained):
    """A work dir whose training has finished."""
    if trained.exists():
        shutil.copytree(trained, RUN)
    else:
        assert train()[0] == 0
        shutil.copytree(RUN, trained)
    return train


def test_a_training_that_has_finished_is_said_so_and_left_alone(finished):
    before = {path: path.stat().st_mtime_ns for path in RUN.rglob('*')}
    code, out, _ = finished()
    assert code == 0
    assert 'has finished, epoch_1.pth is epoch 1 of 1 (--from-scratch starts over)' in out
    assert 'Epoch(train)' not in out
    assert before == {path: path.stat().st_mtime_ns for path in RUN.rglob('*')}


@pytest.mark.parametrize(
    ('words', 'options', 'said'),
    [
        ([], ['randomness.seed=1'], 'randomness.seed (was 0, is 1)'),
        ([], ['optim_wrapper.optimizer.lr=0.1'], 'optim_wrapper.optimizer.lr (was 0.003, is 0.1)'),
        ([], ['train_cfg.max_epochs=2'], 'train_cfg.max_epochs (was 1, is 2)'),
        (['--attention', 'se', '--work-dir', str(RUN)], [], 'SE'),
    ],
)
def test_another_training_in_the_same_work_dir_is_refused(finished, words, options, said):
    code, out, err = finished(*words, options=options)
    assert code == 1 and 'Epoch(train)' not in out
    assert err.startswith(f'error: {RUN} holds another training, which differs in ') and said in err
    assert 'choose another --work-dir, start over with --from-scratch, or go on' in err
    assert err.count('\n') == 1


def test_what_does_not_change_the_training_may_change(finished):
    code, out, _ = finished(
        options=[
            'train_dataloader.num_workers=1',
            'log_level=WARNING',
            'test_dataloader.batch_size=1',
            'default_hooks.logger.interval=7',
        ]
    )
    assert code == 0 and 'has finished' in out


def test_the_config_that_mmengine_has_dumped_is_the_same_training(finished, capfd):
    main([str(RUN / 'mobilenetv2_digitscenes.py')])
    assert 'has finished, epoch_1.pth is epoch 1 of 1' in capfd.readouterr().out


def test_resume_goes_on_with_other_settings_nevertheless(finished):
    code, out, err = finished('--resume', options=['train_cfg.max_epochs=2'])
    assert code == 0, err
    assert f'resuming from {RUN}/epoch_1.pth' in out
    assert 'Epoch(train) [1]' not in out and (RUN / 'epoch_2.pth').is_file()
    code, out, _ = finished(options=['train_cfg.max_epochs=2'])
    assert code == 0 and 'epoch_2.pth is epoch 2 of 2' in out, (
        'the settings that were resumed with are the ones now'
    )


def test_a_refused_resume_leaves_the_record_as_it_is(finished):
    """Otherwise the other settings would be taken for those that were trained."""
    before = (RUN / 'training.json').read_text()
    code, _, err = finished('--resume', '--attention', 'se', '--work-dir', str(RUN))
    assert code == 1 and 'holds another training, which has finished and differs in' in err
    code, _, err = finished('--resume', options=['optim_wrapper.optimizer.lr=0.1'])
    assert code == 1 and 'which has finished and differs in optim_wrapper.optimizer.lr' in err
    words = ['--resume', '--attention', 'se', '--work-dir', str(RUN)]
    code, _, err = finished(*words, options=['train_cfg.max_epochs=2'])
    assert code == 1 and 'is the checkpoint of another model' in err
    assert (RUN / 'training.json').read_text() == before
    assert finished()[0] == 0


@pytest.mark.parametrize('content', ['', '{"randomness', None])
def test_a_work_dir_that_does_not_say_what_was_trained(finished, content):
    """Of OpenMMLab's own tools, or of a disk that was full."""
    (RUN / 'training.json').unlink()
    if content is not None:
        (RUN / 'training.json').write_text(content)
    code, out, _ = finished()
    assert code == 0 and f'nothing in {RUN} says with which settings it was trained' in out


def test_starting_over_moves_the_earlier_training_aside(finished):
    code, out, err = finished('--from-scratch', options=['randomness.seed=1'])
    assert code == 0, err
    [earlier] = RUN.glob('before_*')
    assert sorted(path.name for path in earlier.iterdir()) == [
        'epoch_1.pth',
        'last_checkpoint',
        'training.json',
    ]
    assert f'starting over: the earlier checkpoints are in {earlier}' in out
    assert (RUN / 'epoch_1.pth').is_file()


def test_a_clock_that_was_set_back_costs_no_earlier_training(finished, monkeypatch):
    monkeypatch.setattr('time.strftime', lambda *args: 'before_20260101_000000')
    for number in (1, 2):
        assert finished('--from-scratch', options=[f'randomness.seed={number}'])[0] == 0
    assert sorted(path.name[-2:] for path in RUN.glob('before_*')) == ['00', '_2']


def test_a_broken_checkpoint_that_is_passed_over_is_named(finished):
    whole = (RUN / 'epoch_1.pth').read_bytes()
    (RUN / 'epoch_2.pth').write_bytes(whole[: len(whole) // 2])
    code, out, _ = finished()
    assert code == 0
    assert f'passed over, since cut short: {RUN}/epoch_2.pth' in out and 'epoch_1.pth is epoch 1 of 1' in out


def test_a_resumed_model_is_built_and_read_once(finished, monkeypatch):
    import mmpretrain.models

    built, read = [], []
    init, load = mmpretrain.models.ImageClassifier.__init__, torch.load
    monkeypatch.setattr(
        mmpretrain.models.ImageClassifier,
        '__init__',
        lambda self, *args, **options: (built.append(1), init(self, *args, **options))[1],
    )
    monkeypatch.setattr(torch, 'load', lambda *args, **options: (read.append(1), load(*args, **options))[1])
    code, _, err = finished('--resume', options=['train_cfg.max_epochs=2'])
    assert code == 0, err
    assert (len(built), len(read)) == (1, 1)


def test_the_checkpoint_of_another_model_is_refused(finished):
    """Of a work dir that OpenMMLab's own tools have filled: there are no settings to compare."""
    (RUN / 'training.json').unlink()
    code, out, err = finished('--attention', 'se', '--work-dir', str(RUN), options=['train_cfg.max_epochs=2'])
    assert code == 1 and 'Epoch(train)' not in out
    line = err.strip().splitlines()[-1]
    assert line.startswith(f'error: {RUN}/epoch_1.pth is the checkpoint of another model, its weights are ')
    assert 'attn_se' in line and line.endswith('choose another --work-dir, or start over with --from-scratch')


def test_options_that_cannot_work_here(train):
    assert 'error: --amp needs a GPU: leave it out' in train('--amp')[2]
    assert 'error: --auto-scale-lr needs auto_scale_lr = dict' in train('--auto-scale-lr')[2]
    assert 'error: there is no checkpoint run/epoch_7.pth' in train('--resume', 'run/epoch_7.pth')[2]
