"""prepare_run and train: the work dir, starting over, and options that cannot work here, before anything is built."""

import pytest
from mmengine.config import Config

from attn_plugins.engine import run
from attn_plugins.engine.run import how_to_resume, prepare_run, train
from attn_plugins.errors import UserError
from tests.engine.test_checkpoint import save


def config(**more) -> Config:
    return Config(dict(default_scope='mmdet', model=dict(), optim_wrapper=dict(), work_dir='run', **more))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_work_dir_is_given_or_the_configs_or_named_after_it(folder):
    (folder / 'plain.py').write_text("default_scope = 'mmdet'\n")
    (folder / 'own.py').write_text("default_scope = 'mmdet'\nwork_dir = 'mine'\n")
    assert prepare_run('plain.py').work_dir == 'work_dirs/plain'
    assert prepare_run('own.py').work_dir == 'mine'
    assert prepare_run('own.py', work_dir='given').work_dir == 'given'


def test_starting_over_moves_the_earlier_checkpoints_aside(folder, monkeypatch, capsys):
    built = []

    class Runner:
        def train(self):
            built.append(sorted(path.name for path in (folder / 'run').glob('*.*')))

    monkeypatch.setattr(run, '_runner', lambda cfg: Runner())
    (folder / 'run').mkdir()
    save(folder / 'run' / 'epoch_1.pth')
    (folder / 'run' / 'notes.txt').touch()
    (folder / 'run' / 'last_checkpoint').write_text('run/epoch_1.pth')
    assert how_to_resume('run') == 'run the same command again: it resumes from epoch 1'
    assert how_to_resume('run', from_scratch=True) == (
        'run the same command again without --from-scratch: it resumes from epoch 1'
    )
    train(config(), from_scratch=True)
    assert built == [['notes.txt']]
    moved = next((folder / 'run').glob('before_*'))
    assert sorted(path.name for path in moved.iterdir()) == ['epoch_1.pth', 'last_checkpoint']
    assert f'starting over: the earlier checkpoints are in run/{moved.name}' in capsys.readouterr().out
    assert 'no checkpoint was written yet' in how_to_resume('run')


def test_options_that_cannot_work_here(monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    with pytest.raises(UserError, match='--amp needs a GPU: leave it out'):
        train(config(), amp=True)
    with pytest.raises(UserError, match='--auto-scale-lr needs auto_scale_lr = dict'):
        train(config(), auto_scale_lr=True)
    with pytest.raises(UserError, match='there is no checkpoint run/epoch_7.pth'):
        train(config(), resume='run/epoch_7.pth')
