"""A stand-in for the worker that trains nothing: the same steps, records, checkpoints, resuming and failures.

`python -m tests.benchmark.stub FOLDER` carries out a run; `python -m tests.benchmark.stub drive SUITE` is
`tools/benchmark.py run SUITE` with it. `InlineExecutor` needs no process.
"""

import runpy
import sys
import time
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from attn_plugins.benchmark import worker
from attn_plugins.benchmark.executors import Executor
from attn_plugins.benchmark.run_folder import LOG, PROGRESS
from attn_plugins.benchmark.steps import StepKind, seconds_trained
from attn_plugins.benchmark.suite import Run
from attn_plugins.errors import Diverged, UserError
from attn_plugins.files import read_json, write_json


def train(folder: Path, run: dict, step: dict) -> dict:
    cfg = runpy.run_path(str(folder / 'config.py'))
    if cfg.get('breaks'):
        raise UserError('the disk is full: make room')
    if cfg.get('lr', 0) > 1:
        raise Diverged('the loss is nan at iteration 7 of 9, so this training has diverged')
    pointer = folder / 'last_checkpoint'
    first = int(Path(pointer.read_text()).stem.removeprefix('epoch_')) + 1 if pointer.is_file() else 1
    epochs = cfg['train_cfg']['max_epochs']
    # 'target 3': wait in the third epoch of the runs of the config 'target' while the file says so.
    hold = Path('hold')
    for epoch in range(first, epochs + 1):
        while hold.is_file() and hold.read_text() == f'{run["config_key"]} {epoch}':
            time.sleep(0.05)
        print(f'trained epoch {epoch}', flush=True)
        seconds = (read_json(folder / PROGRESS) or dict(train_seconds=0.0))['train_seconds'] + 1.0
        write_json(
            folder / PROGRESS,
            dict(
                step='train',
                done=epoch / epochs,
                text=f'epoch {epoch}/{epochs}',
                train_seconds=seconds,
                loss=[[epoch, 1 / epoch]],
                validation=[],
            ),
        )
        checkpoint = folder / f'epoch_{epoch}.pth'
        with zipfile.ZipFile(checkpoint, 'w') as file:
            file.writestr('trained', f'{first}..{epoch}')
        pointer.write_text(str(checkpoint))
    return dict(train_seconds=seconds, memory_mb=100.0, memory_of='process', checkpoint=checkpoint.name)


def test(folder: Path, run: dict, step: dict) -> dict:
    """A made-up accuracy that depends on the config, the preset, the seed and the test's options alone."""
    cfg = runpy.run_path(str(folder / 'config.py'))
    top1 = (
        90.0 + cfg['randomness']['seed'] + 1.5 * (run['preset'] == 'ca') - step['cfg_options'].get('noise', 0)
    )
    if 'lr' in cfg:  # best at 0.1, of ca at 0.3
        top1 -= 100 * abs(cfg['lr'] - (0.3 if run['preset'] == 'ca' else 0.1))
    return dict(metrics={'accuracy/top1': top1, 'accuracy/top5': 99.0}, seconds=1.0)


def count(folder: Path, run: dict, step: dict) -> dict:
    return dict(parameters=1000, madds=10, input_shape=[1, 3, 8, 8])


def latency(folder: Path, run: dict, step: dict) -> dict:
    """Made-up milliseconds: 10, of ca 12; a model called `broken` cannot be measured."""
    hold = Path('hold')
    write_json(folder / PROGRESS, dict(text='measuring latency, 0 of 1', done=0.0))
    while hold.is_file() and hold.read_text() == f'latency {step["name"]}':
        time.sleep(0.05)
    print(f'measured {step["name"]}', flush=True)
    presets = {
        preset: dict(
            median_ms=12.0 if preset == 'ca' else 10.0,
            p20_ms=9.5,
            p80_ms=12.5,
            repeats=20,
            batch=1,
            threads=step['threads'],
            dtype='float32',
            device='cpu',
        )
        for preset in step['models']
        if preset != 'broken'
    }
    why_not = {'broken': 'it has no forward'} if 'broken' in step['models'] else {}
    return dict(presets=presets, why_not=why_not, load_before=0.1, other_cores=0.0)


def pictures(folder: Path, run: dict, step: dict) -> dict:
    return dict(images=[], why_not='the stub sees nothing')


STEPS = dict(
    train=StepKind(train, seconds_before=seconds_trained),
    test=StepKind(test),
    count=StepKind(count),
    latency=StepKind(latency),
    pictures=StepKind(pictures, is_extra=True),
)


class InlineExecutor(Executor):
    """Carries a run out when it is started, in this process: where a process is not the point."""

    devices = parallel = threads = 1

    def __init__(self):
        self._over: list[tuple[Run, int]] = []

    @property
    def running(self) -> list[Run]:
        return [run for run, _ in self._over]

    def has_room(self, processes: int) -> bool:
        return not self._over

    def start(self, run: Run, processes: int) -> None:
        with (run.folder / LOG).open('a') as log, redirect_stdout(log), redirect_stderr(log):
            self._over.append((run, worker.carry_out(run.folder, STEPS)))

    def ended(self) -> list[tuple[Run, int]]:
        over, self._over = self._over, []
        return over

    def stop(self) -> None:
        pass


def drive(suite: str) -> None:
    from attn_plugins.benchmark import executors
    from attn_plugins.benchmark.executors import LocalExecutor
    from attn_plugins.cli import benchmark

    executors.LocalExecutor = lambda jobs: LocalExecutor(2, worker=__spec__.name, preload=False)
    sys.exit(benchmark.main(['run', suite]))


if __name__ == '__main__':
    if sys.argv[1] == 'drive':
        drive(sys.argv[2])
    sys.exit(worker.main(STEPS))
