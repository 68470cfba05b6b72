"""Carries runs out on this machine, side by side: on its GPUs, or on the cores where there is none."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

import attn_plugins
from attn_plugins.benchmark.executors.base import Executor
from attn_plugins.benchmark.run_folder import LOG
from attn_plugins.benchmark.suite import Run
from attn_plugins.machine import cores
from attn_plugins.training.preloaded_process import SERVER_DIED, Process, start_plain_process, start_process

# Memory to leave to each run on a CPU, so that many cores and little memory do not end in a crash.
BYTES_PER_RUN = 3 * 2**30
# The variables by which torchrun tells a process which it is.
LAUNCHERS = (
    'RANK',
    'LOCAL_RANK',
    'GROUP_',
    'ROLE_',
    'WORLD_SIZE',
    'LOCAL_WORLD_SIZE',
    'MASTER_',
    'TORCHELASTIC_',
)


@dataclass
class Job:
    """A run at work: its process, the slots it takes, and how to start it again if the server of its process dies."""

    run: Run
    process: Process
    slots: list[str]
    start_again: Callable[[], Process] | None


class LocalExecutor(Executor):
    """One process per GPU; without a GPU one per core, as far as memory allows.

    Two runs of one thread each do more than one run of two threads. A run of more processes than there are slots takes
    them all. A run's threads follow from what the machine has, whatever is free of it: a training that is resumed with
    other threads rounds otherwise.

    Args:
        jobs: Runs at the same time. By default as many as fit.
        worker: The module that carries out a run.
        preload: Take the processes from a server that has imported the libraries.
    """

    def __init__(self, jobs: int | None = None, worker: str = Executor.WORKER, preload: bool = True):
        self.gpus = visible_gpus()
        self.devices = len(self.gpus) or cores()
        self.most = len(self.gpus) or None
        memory = psutil.virtual_memory()
        most, fit = (max(1, min(cores(), size // BYTES_PER_RUN)) for size in (memory.total, memory.available))
        # A slot is a GPU, or on a CPU a share of the cores.
        self._slots = self.gpus or [f'share {i}' for i in range(jobs or fit)]
        self._shares = len(self.gpus) or jobs or most
        self.parallel = min(jobs or len(self._slots), len(self._slots))
        self.threads = max(1, cores() // self._shares)
        self.jobs, self.worker, self.preload = jobs, worker, preload
        self._free = list(self._slots)
        self._working: list[Job] = []

    @property
    def running(self) -> list[Run]:
        return [job.run for job in self._working]

    def has_room(self, processes: int) -> bool:
        if self.jobs and len(self._working) >= self.jobs:
            return False
        return len(self._free) >= min(processes, len(self._slots))

    def start(self, run: Run, processes: int) -> None:
        taken = [self._free.pop(0) for _ in range(min(processes, len(self._slots)))]
        threads = str(max(1, cores() * len(taken) // self._shares // processes))
        # What a launcher around the suite has set is not of the run.
        outside = {key: value for key, value in os.environ.items() if not key.startswith(LAUNCHERS)}
        env = dict(outside, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, PYTHONPATH=_python_path())
        if self.gpus:
            env['CUDA_VISIBLE_DEVICES'] = ','.join(taken)
        args = [*_launch(processes), '-m', self.worker, str(run.folder)]
        begin = partial(_begin, args=args, env=env, log=run.folder / LOG)
        # torchrun starts the processes of a run of several itself.
        preload = self.preload and processes == 1
        process = begin(start_process if preload else start_plain_process)
        self._working.append(
            Job(run, process, taken, partial(begin, start_plain_process) if preload else None)
        )

    def ended(self) -> list[tuple[Run, int]]:
        for job in self._working:
            if job.process.poll() == SERVER_DIED and job.start_again:
                _end_group(job.process)
                job.process, job.start_again = job.start_again(), None
        over = [job for job in self._working if job.process.poll() is not None]
        for job in over:
            self._let_go(job)
        return [(job.run, job.process.returncode) for job in over]

    def stop(self) -> None:
        for job in list(self._working):
            _end_group(job.process)
            job.process.wait()
            self._let_go(job)

    def _let_go(self, job: Job) -> None:
        self._working.remove(job)
        self._free += job.slots


def visible_gpus() -> list[str]:
    """List the ids of the GPUs this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    count = torch.cuda.device_count()
    return named.split(',')[:count] if named else [str(i) for i in range(count)]


def _launch(processes: int) -> list[str]:
    """Give the words that start several processes: torchrun, which finds a free port itself (`--standalone`)."""
    return (
        ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}']
        if processes > 1
        else []
    )


def _begin(start: Callable[..., Process], args: list[str], env: dict[str, str], log: Path) -> Process:
    with log.open('a') as file:
        return start(args, env=env, stdout=file, stderr=file)


def _end_group(process: Process) -> None:
    """Kill a process and those that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it ended by itself, or has only just been forked and leads no group yet
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)


def _python_path() -> str:
    """Let runs import this package from where this process does, installed or not."""
    here = str(Path(attn_plugins.__file__).parents[1])
    return os.pathsep.join(filter(None, (here, os.environ.get('PYTHONPATH'))))
