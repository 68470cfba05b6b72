"""train.py and test.py: a run cut off by Ctrl-C and by a full disk, resumed by the same command, and tested."""

import json
import re
import signal
import time

import pytest

from tests.cli.conftest import CLASSIFICATION, SHORT, error_line, write_checkpoint

# A run that waits before its second epoch while the file `wait` is there: a signal finds it between two checkpoints.
CONFIG = f"""
_base_ = {str(CLASSIFICATION)!r}
train_cfg = dict(max_epochs=2)
custom_imports = dict(imports=['waiting'])
custom_hooks = [dict(type='WaitHook')]
"""
HOOK = """
import time
from pathlib import Path
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class WaitHook(Hook):
    def before_train_epoch(self, runner):
        if runner.epoch == 1 and Path('wait').exists():
            print('waiting', flush=True)
            time.sleep(600)
"""


@pytest.fixture
def command(workspace):
    """The one command that is run again and again."""
    workspace.folder.joinpath('run.py').write_text(CONFIG)
    workspace.folder.joinpath('waiting.py').write_text(HOOK)
    return ['run.py', '--attention', 'ca', '--cfg-options', *SHORT]


def test_a_run_survives_ctrl_c_a_full_disk_and_half_written_files(workspace, command):
    run = workspace.folder / 'work_dirs' / 'run-ca'
    _interrupt(workspace, command)
    assert [path.name for path in run.glob('*.pth')] == ['epoch_1.pth']

    # The second checkpoint finds a full disk: Linux gives the error itself.
    (run / 'epoch_2.pth').symlink_to('/dev/full')
    result = workspace.run('train.py', *command, PYTHONPATH='.')
    assert error_line(result) == (
        'error: the disk is full: free space and run the same command again: it resumes from epoch 1'
    )
    assert 'resuming from work_dirs/run-ca/epoch_1.pth (--from-scratch starts over)' in result.stdout
    (run / 'epoch_2.pth').unlink()

    # What a disk that fills up leaves: half a checkpoint, and an empty note of which is the last.
    whole = (run / 'epoch_1.pth').read_bytes()
    (run / 'epoch_2.pth').write_bytes(whole[: len(whole) // 2])
    (run / 'last_checkpoint').write_text('')
    result = workspace.run('train.py', *command, PYTHONPATH='.')
    assert result.returncode == 0, result.stderr
    assert 'resuming from work_dirs/run-ca/epoch_1.pth' in result.stdout
    assert 'Epoch(train) [1]' not in result.stdout and 'Epoch(train) [2]' in result.stdout

    _test_reports_what_it_prints(workspace, command, run)
    _a_test_refuses(workspace, command, run)


def _interrupt(workspace, command):
    (workspace.folder / 'wait').touch()
    out, errors = workspace.folder / 'out.txt', workspace.folder / 'errors.txt'
    process = workspace.start('train.py', *command, out=out, errors=errors, PYTHONPATH='.')
    while 'waiting\n' not in out.read_text():
        assert process.poll() is None, errors.read_text()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130, errors.read_text()
    assert 'interrupted: run the same command again: it resumes from epoch 1\n' in errors.read_text()
    assert 'Traceback' not in out.read_text() + errors.read_text()
    (workspace.folder / 'wait').unlink()


def _test_reports_what_it_prints(workspace, command, run):
    result = workspace.run(
        'test.py',
        command[0],
        run / 'epoch_2.pth',
        *command[1:],
        '--work-dir',
        'tested',
        '--out-metrics',
        'metrics.json',
        PYTHONPATH='.',
    )
    assert result.returncode == 0, result.stderr
    metrics = json.loads((workspace.folder / 'metrics.json').read_text())
    printed = re.search(r'Epoch\(test\).*accuracy/top1: ([\d.]+)', result.stdout)
    assert metrics == {'accuracy/top1': pytest.approx(float(printed[1]), abs=1e-4)}


def _a_test_refuses(workspace, command, run):
    """A checkpoint that is cut short, and one of another model."""
    half = workspace.folder / 'half.pth'
    half.write_bytes((run / 'epoch_2.pth').read_bytes()[:9999])
    result = workspace.run('test.py', command[0], half, *command[1:], PYTHONPATH='.')
    assert (
        error_line(result)
        == f'error: {half} is cut short or no checkpoint: get or train it again, or use another one'
    )
    result = workspace.run('test.py', CLASSIFICATION, run / 'epoch_2.pth')
    assert re.search(
        r'epoch_2.pth is the checkpoint of another model, its weights are \d+ unexpected \(first: '
        r'backbone.layer2.0.conv.1.attn_ca',
        error_line(result),
    )


def test_a_test_of_shuffled_gates_goes_through_its_images_in_a_drawn_order(workspace):
    write_checkpoint(workspace.folder / 'shuffled.pth', CLASSIFICATION, 'se_shuffled')
    result = workspace.run('test.py', CLASSIFICATION, 'shuffled.pth', '--attention', 'se_shuffled')
    assert result.returncode == 0, result.stderr
    assert 'test_dataloader come in an order drawn with the seed 0' in result.stdout + result.stderr
