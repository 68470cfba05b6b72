"""A suite at work, as processes: killed, interrupted, failing, alone in its folder. Nothing is trained (stub.py)."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import yaml
from rich.console import Console

from attn_plugins.benchmark.executors import LocalExecutor, local
from attn_plugins.benchmark.plan import plan_suite
from attn_plugins.benchmark.progress import PlainView
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.scheduler import run_suite
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.errors import UserError
from attn_plugins.files import read_json
from attn_plugins.training.preloaded_process import SERVER_DIED
from tests.benchmark.conftest import REPOSITORY
from tests.benchmark.stub import InlineExecutor

STUB = 'tests.benchmark.stub'


def drive(suite: Path) -> subprocess.Popen:
    """Start the suite; its output goes to drive.log."""
    with open('drive.log', 'w') as log:
        return subprocess.Popen(
            [sys.executable, '-m', STUB, 'drive', suite],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, PYTHONPATH=str(REPOSITORY), CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1'),
        )


def finish(path: Path, executor=None, looks=None) -> str:
    """Run the suite to its end from this process; return what it printed. `looks` is called while it works."""
    suite, console = read_suite(path), Console(file=io.StringIO(), width=200)
    executor = executor or InlineExecutor()
    view = PlainView(suite, executor.parallel, console)
    view.show = lambda states: looks and looks()
    view.every = 0.3
    run_suite(suite, plan_suite(suite, executor.devices), executor, view)
    return console.file.getvalue()


def wait_for(condition, seconds: float = 180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, Path('drive.log').read_text()
        time.sleep(0.05)


def training(suite: Path) -> list[psutil.Process]:
    """The stand-in's workers of this suite's folder."""
    found = []
    for process in psutil.process_iter(['cmdline', 'cwd', 'status']):
        # One from the server has its command line in one word.
        line, alive = ' '.join(process.info['cmdline'] or []), process.info['status'] != psutil.STATUS_ZOMBIE
        if (
            alive
            and process.info['cwd'] == str(suite.parent)
            and f'-m {STUB} ' in line
            and 'drive' not in line
        ):
            found.append(process)
    return found


def states(suite: Path) -> dict[str, str]:
    return {state.run.name: state.state for state in read_results(read_suite(suite))}


def test_killed_anywhere_the_same_command_goes_on_and_ends_with_the_same_results(project):
    """kill -9 of the benchmark alone, twice: while the first runs train, and when one has finished."""
    configs = dict(
        source=dict(config='toy.py'), target=dict(config='toy.py', weights_from=dict(backbone='source'))
    )
    suite = project.suite(configs=configs, presets=['none'])
    source, target = (run.folder for run in read_suite(suite).runs)
    for hold, folder, last in (('source 2', source, 'epoch_1.pth'), ('target 3', target, 'epoch_2.pth')):
        Path('hold').write_text(hold)
        process = drive(suite)
        wait_for((folder / last).exists)
        process.kill()
        process.wait()
        wait_for(lambda: not training(suite), seconds=10)
        # A process that is killed loses its command line an instant before it lets go of its folder.
        name = f'{folder.parts[-3]}/none/seed0'
        wait_for(lambda name=name: states(suite)[name] == 'cut off', seconds=10)
    Path('hold').unlink()
    first = read_json(source / 'result.json')
    finish(suite)
    assert read_json(source / 'result.json') == first, 'what had finished is not done again'
    result = read_json(target / 'result.json')
    assert result['steps']['test']['metrics'] == {'accuracy/top1': 90.0, 'accuracy/top5': 99.0}
    logs = [(folder / 'run.log').read_text() for folder in (source, target)]
    assert [log.count('$ train') for log in logs] == [2, 2], 'each was resumed once'
    assert [log.count('trained epoch 1') for log in logs] == [1, 1], 'no epoch was trained twice'
    assert result['steps']['train']['train_seconds'] == 3.0, 'the parts of a training add up'
    before = {path: path.stat().st_mtime_ns for path in Path('work_dirs').rglob('*.json')}
    assert 'started' not in finish(suite)
    assert before == {path: path.stat().st_mtime_ns for path in Path('work_dirs').rglob('*.json')}


def test_a_variant_is_trained_in_a_folder_of_its_own_and_not_again(project):
    variant = {'long': dict(preset='ca', cfg_options={'train_cfg.max_epochs': 5})}
    suite = project.suite(configs=dict(toy=dict(config='toy.py')), presets=['ca', variant])
    assert 'started toy/long/seed0' in finish(suite)
    assert states(suite) == {'toy/ca/seed0': 'finished', 'toy/long/seed0': 'finished'}
    ca, long = (run.folder for run in read_suite(suite).runs)
    assert (ca.name, ca.parent.name, long.parent.name) == ('seed0', 'ca', 'long')
    assert (
        read_json(long / 'progress.json')['text'] == 'epoch 5/5'
        and read_json(long / 'run.json')['preset'] == 'ca'
    )
    assert 'started' not in finish(suite)


def test_a_run_whose_server_died_is_started_again_without_it(project, monkeypatch):
    suite = project.suite(configs=dict(toy=dict(config='toy.py')), presets=['none'])
    monkeypatch.setenv('PYTHONPATH', str(REPOSITORY))

    class Died:
        pid, returncode = 2**30, SERVER_DIED

        def __init__(self, args, *, stdout, **others):
            print('trained nothing', file=stdout)

        def poll(self):
            return self.returncode

        def send_signal(self, signum):
            pass

    monkeypatch.setattr(local, 'start_process', Died)
    said = finish(suite, LocalExecutor(1, worker=STUB))
    assert states(suite) == {'toy/none/seed0': 'finished'} and 'failed' not in said
    log = (read_suite(suite).runs[0].folder / 'run.log').read_text()
    assert log.startswith('trained nothing\n$ train\ntrained epoch 1')


@pytest.mark.parametrize(('sent', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_stops_at_once_and_holds_its_folder_until_then(project, sent, code):
    suite = project.suite(configs=dict(toy=dict(config='toy.py')), presets=['none'])
    Path('hold').write_text('toy 2')
    process = drive(suite)
    wait_for(lambda: states(suite) == {'toy/none/seed0': 'running'})
    if sent == signal.SIGINT:
        with pytest.raises(
            UserError, match=rf'another benchmark \(process {process.pid}\) is at work in work_dirs/toys'
        ):
            finish(suite)
        assert training(suite)
    process.send_signal(sent)
    assert process.wait(timeout=20) == code
    assert not training(suite)
    assert 'Traceback' not in Path('drive.log').read_text()
    assert states(suite) == {'toy/none/seed0': 'cut off'}


@pytest.mark.parametrize('preload', [True, False])
def test_a_run_that_has_only_just_been_started_is_stopped_at_once(project, monkeypatch, preload):
    """A fork leads no group of its own yet."""
    suite = project.suite(configs=dict(toy=dict(config='toy.py')), presets=['none'])
    monkeypatch.setenv('PYTHONPATH', str(REPOSITORY))
    [run] = read_suite(suite).runs
    run.folder.mkdir(parents=True)
    executor = LocalExecutor(1, worker=STUB, preload=preload)
    for _ in range(3):  # the first may wait for the server
        executor.start(run, 1)
        [job] = executor._working
        executor.stop()
        assert job.process.returncode == -signal.SIGKILL
    assert (run.folder / 'run.log').read_text() == ''


@pytest.mark.parametrize(
    ('total', 'available', 'parallel', 'threads'), [(64, 64, 8, 1), (64, 7, 2, 1), (7, 7, 2, 4), (2, 1, 1, 8)]
)
def test_threads_follow_from_the_machine_and_not_from_what_is_free(
    monkeypatch, total, available, parallel, threads
):
    memory = SimpleNamespace(total=total * 2**30, available=available * 2**30)
    monkeypatch.setattr(local, 'cores', lambda: 8)
    monkeypatch.setattr(local, 'visible_gpus', list)
    monkeypatch.setattr(local.psutil, 'virtual_memory', lambda: memory)
    executor = LocalExecutor()
    assert (executor.parallel, executor.threads) == (parallel, threads)
    assert LocalExecutor(2).threads == 4


def test_a_failed_run_is_recorded_the_others_go_on_and_it_is_tried_again(project):
    configs = dict(
        bad=dict(config='toy.py', cfg_options={'breaks': True}),
        needs_bad=dict(config='toy.py', weights_from=dict(backbone='bad')),
        good=dict(config='toy.py'),
    )
    suite = project.suite(configs=configs, presets=['none'])
    said = finish(suite)
    assert states(suite) == {
        'bad/none/seed0': 'failed',
        'needs_bad/none/seed0': 'blocked',
        'good/none/seed0': 'finished',
    }
    result = read_json(read_suite(suite).runs[0].folder / 'result.json')
    assert result['error'] == 'train: the disk is full: make room'
    assert 'failed bad/none/seed0: train: the disk is full' in said
    assert 'blocked needs_bad/none/seed0: it needs bad/none/seed0' in said
    content = yaml.safe_load(suite.read_text())
    del content['configs']['bad']['cfg_options']
    suite.write_text(yaml.safe_dump(content, sort_keys=False))
    finish(suite)
    assert set(states(suite).values()) == {'finished'}


def test_a_run_whose_process_dies_is_recorded(project):
    suite = project.suite(configs=dict(toy=dict(config='toy.py')), presets=['none'])
    Path('hold').write_text('toy 2')
    checkpoint = read_suite(suite).runs[0].folder / 'epoch_1.pth'
    said = finish(
        suite,
        LocalExecutor(2, worker=STUB),
        lambda: [p.kill() for p in training(suite) if checkpoint.exists()],
    )
    assert not training(suite)
    assert states(suite) == {'toy/none/seed0': 'failed'}
    assert "toy/none/seed0: the run's process left no result: ended by SIGKILL (out of memory?)" in said
    Path('hold').unlink()
    finish(suite)
    assert states(suite) == {'toy/none/seed0': 'finished'}


def test_a_run_whose_inputs_cannot_be_written_fails_alone(project):
    """The checkpoint that one run starts from is gone: the others go on, and nothing that runs is killed."""
    configs = dict(
        source=dict(config='toy.py'),
        target=dict(config='toy.py', weights_from=dict(backbone='source')),
        other=dict(config='toy.py'),
    )
    finish(project.suite(configs=dict(source=configs['source']), presets=['none']))
    suite = project.suite(configs=configs, presets=['none'])
    source = read_suite(suite).runs[0].folder
    for file in ('epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth', 'last_checkpoint'):
        (source / file).unlink()
    said = finish(suite)
    assert states(suite) == {
        'source/none/seed0': 'finished',
        'target/none/seed0': 'failed',
        'other/none/seed0': 'finished',
    }
    assert 'whose checkpoint is gone: delete work_dirs/toys/source/none/seed0 to train it again' in said


def test_a_test_that_a_finished_suite_gets_is_done_without_training(project):
    configs = dict(toy=dict(config='toy.py', tests={'clean': {}}))
    finish(project.suite(configs=configs, presets=['none']))
    configs['toy']['tests']['noisy'] = {'noise': 5}
    suite = project.suite(configs=configs, presets=['none'])
    assert states(suite) == {'toy/none/seed0': 'cut off'}
    finish(suite)
    folder = read_suite(suite).runs[0].folder
    steps = read_json(folder / 'result.json')['steps']
    assert [steps[test]['metrics']['accuracy/top1'] for test in ('clean', 'noisy')] == [90.0, 85.0]
    log = (folder / 'run.log').read_text()
    assert (log.count('$ train'), log.count('$ clean'), log.count('$ noisy')) == (1, 1, 1)
