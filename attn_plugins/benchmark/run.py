"""Carry out one run in a process of its own: train, test, count, and leave result.json.

`python -m attn_plugins.benchmark.run FOLDER` needs nothing but the run's folder (config.py, run.json), so any engine can
start it anywhere. It may be killed at any moment; started again, it goes on from the last checkpoint.
"""

import argparse
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import attn_plugins
from attn_plugins.analysis.machine import git_commit, machine, versions
from attn_plugins.benchmark.record import RESULT, RUN, folder_lock, read_json, write_json
from attn_plugins.engine.checkpoint import latest_checkpoint

# Seconds between two notes of the time trained so far: what a kill can cost the record.
HEARTBEAT = 5.0
LOG_TAIL = 20
PR_SET_PDEATHSIG = 1


class StepError(Exception):
    """A step of the run did not end well; `log` is the log that says why, if there is one."""

    def __init__(self, message: str, log: Path | None = None):
        super().__init__(message)
        self.log = log


def tools_folder() -> Path:
    """Where train.py and test.py lie: beside the package in the repository, inside it when installed."""
    package = Path(attn_plugins.__file__).parent
    return next(
        folder for folder in (package.parent / 'tools', package / '.mim' / 'tools') if folder.is_dir()
    )


def die_with(parent: int):
    """Have the kernel kill this process when its parent dies, even by kill -9 (Linux only).

    Args:
        parent: Process id of the parent, which may have died before the call.
    """
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def carry_out(folder: Path, tools: Path):
    """Train, test and count, from where an earlier call was cut off; write the result, finished or failed."""
    started = time.time()
    try:
        train(folder, tools)
        result = dict(state='finished', **test(folder, tools), **count_cost(folder))
    except StepError as error:
        result = dict(state='failed', error=str(error), log_tail=tail(error.log) if error.log else [])
    record = read_json(folder / RUN)
    keep = ('name', 'config_key', 'config', 'preset', 'seed', 'config_hash', 'train_seconds', 'memory_mb')
    write_json(
        folder / RESULT,
        dict(
            result,
            **{key: record[key] for key in keep},
            versions=versions(),
            git_commit=git_commit(),
            machine=machine(),
            threads=int(os.environ.get('OMP_NUM_THREADS', 0)) or None,
            last_part_seconds=time.time() - started,
        ),
    )


def train(folder: Path, tools: Path):
    """Run tools/train.py, which resumes by itself, adding its time to what earlier parts took."""
    record = read_json(folder / RUN)
    if record['step'] != 'train' and latest_checkpoint(folder):
        return
    before = record['train_seconds']
    log = folder / 'train.log'
    command = [tools / 'train.py', folder / 'config.py', '--work-dir', folder]
    for seconds in execute(command, log):
        write_json(folder / RUN, dict(record, train_seconds=before + seconds))
    if latest_checkpoint(folder) is None:
        raise StepError('training ended without a checkpoint; its config needs a CheckpointHook', log)
    # Linux gives a new process its parent's peak to begin with; this process is far smaller than one that trains.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    write_json(
        folder / RUN,
        dict(record, train_seconds=before + seconds, memory_mb=max(peak, record['memory_mb']), step='test'),
    )


def test(folder: Path, tools: Path) -> dict:
    """Run tools/test.py on the last checkpoint and return its metrics."""
    checkpoint, log, metrics = latest_checkpoint(folder), folder / 'test.log', folder / 'metrics.json'
    metrics.unlink(missing_ok=True)
    command = [
        tools / 'test.py',
        folder / 'config.py',
        checkpoint,
        '--work-dir',
        folder,
        '--out-metrics',
        metrics,
    ]
    *_, seconds = execute(command, log)
    if not read_json(metrics):
        raise StepError('the test gave no metrics; its config needs a test_evaluator', log)
    return dict(metrics=read_json(metrics), test_seconds=seconds, checkpoint=checkpoint.name)


def count_cost(folder: Path) -> dict:
    """Count the trained model's parameters and multiply-adds. A model that cannot be counted keeps its other results."""
    from mmengine.config import Config

    from attn_plugins.analysis.cost import count_madds, count_parameters
    from attn_plugins.analysis.subject import make_input, model_under_test

    try:
        cfg = Config.fromfile(folder / 'config.py')
        model, inputs = model_under_test(cfg), make_input(cfg)
        return dict(
            parameters=count_parameters(model),
            madds=count_madds(model, inputs)[''],
            input_shape=list(inputs.shape),
        )
    except Exception as error:  # any model's own error: a finished training must not be lost to it
        return dict(
            parameters=None, madds=None, input_shape=None, cost_error=f'{type(error).__name__}: {error}'
        )


def execute(command: list, log: Path) -> Iterable[float]:
    """Run a Python program with its output appended to a log, and yield the seconds it has taken, the last at its end.

    Raises:
        StepError: It did not exit with 0.
    """
    command = [sys.executable, *map(str, command)]
    me, start = os.getpid(), time.monotonic()
    with log.open('a') as output:
        print('$', *command, file=output, flush=True)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: die_with(me),
        )
        code = None
        while code is None:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=HEARTBEAT)
            yield time.monotonic() - start
    if code:
        raise StepError(_why(Path(command[1]).name, code, log), log)


def _why(program: str, code: int, log: Path) -> str:
    if code < 0:
        hint = ' (out of memory?)' if code == -signal.SIGKILL else ''
        return f'{program} was ended by {signal.Signals(-code).name}{hint}'
    lines = [line for line in tail(log) if line.strip()]
    return f'{program} exited with {code}: {lines[-1].strip().removeprefix("error: ")}'


def tail(log: Path, lines: int = LOG_TAIL) -> list[str]:
    """Last lines of a log."""
    return log.read_text(errors='replace').splitlines()[-lines:] if log.is_file() else []


def main():
    """Command line of the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder of the run, with config.py and run.json')
    parser.add_argument('--parent', type=int, help='die when this process, which must be the parent, dies')
    parser.add_argument('--tools', type=Path, default=tools_folder(), help='folder of train.py and test.py')
    args = parser.parse_args()
    if args.parent:
        die_with(args.parent)
    # A killed run's children need a moment to go: they still hold the folder until then.
    with folder_lock(args.folder, patience=10):
        carry_out(args.folder, args.tools)


if __name__ == '__main__':
    main()
