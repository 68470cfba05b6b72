"""Engines carry out runs: each is a small class that starts processes somewhere, says which have ended, and can stop them."""

import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch

import attn_plugins
from attn_plugins.analysis.machine import cores
from attn_plugins.benchmark.suite import Run

RUN_COMMAND = (sys.executable, '-m', 'attn_plugins.benchmark.run')
# Memory to leave to each run on a CPU, so that many cores and little memory do not end in a crash.
BYTES_PER_RUN = 3 * 2**30


class Engine(ABC):
    """What the queue needs of a place to run in. A run's inputs lie in its folder, and so does all it leaves.

    Attributes:
        slots: How many runs fit at the same time.
    """

    slots: int

    @property
    @abstractmethod
    def running(self) -> list[Run]:
        """Runs that were started and not yet reported as ended."""

    @abstractmethod
    def start(self, run: Run):
        """Start a run and return at once; called while fewer than `slots` run."""

    @abstractmethod
    def ended(self) -> list[tuple[Run, int]]:
        """Runs that have ended since the last call, each with its process's exit code."""

    @abstractmethod
    def stop(self):
        """End everything that runs, at once. Runs can be cut off anywhere, so nothing is asked to finish first."""


@dataclass
class Slot:
    """A place for one run: its environment and the process in it, if any."""

    env: dict[str, str]
    run: Run | None = None
    process: subprocess.Popen | None = field(default=None, repr=False)


class LocalEngine(Engine):
    """Runs on this machine: one per GPU, or side by side on the CPU's cores.

    Args:
        jobs: Runs at the same time. By default one per GPU; without a GPU one per core, as far as memory allows:
            two runs of one thread each do more than one run of two threads.
        command: What starts a run, its folder to be added.
    """

    def __init__(self, jobs: int | None = None, command: tuple[str, ...] = RUN_COMMAND):
        gpus = visible_gpus()
        self.slots = (
            jobs or len(gpus) or max(1, min(cores(), psutil.virtual_memory().available // BYTES_PER_RUN))
        )
        self.command = command
        threads = str(max(1, cores() // self.slots))
        # The package need not be installed: what this process imports, its runs do.
        path = os.pathsep.join(
            filter(None, (str(Path(attn_plugins.__file__).parents[1]), os.environ.get('PYTHONPATH')))
        )
        self._places = []
        for i in range(self.slots):
            env = dict(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, PYTHONPATH=path)
            if gpus:
                env['CUDA_VISIBLE_DEVICES'] = gpus[i % len(gpus)]
            self._places.append(Slot(env))

    @property
    def running(self) -> list[Run]:
        return [slot.run for slot in self._places if slot.run]

    def start(self, run: Run):
        slot = next(slot for slot in self._places if slot.run is None)
        with (run.folder / 'run.log').open('w') as log:
            slot.process = subprocess.Popen(
                [*self.command, str(run.folder), '--parent', str(os.getpid())],
                env={**os.environ, **slot.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C reaches the benchmark alone, which then stops the whole group.
                start_new_session=True,
            )
        slot.run = run

    def ended(self) -> list[tuple[Run, int]]:
        ended = []
        for slot in self._places:
            if slot.run and slot.process.poll() is not None:
                ended.append((slot.run, slot.process.returncode))
                slot.run = slot.process = None
        return ended

    def stop(self):
        for slot in self._places:
            if slot.run:
                with suppress(ProcessLookupError):  # it ended by itself
                    os.killpg(slot.process.pid, signal.SIGKILL)
                slot.process.wait()
                slot.run = slot.process = None


def visible_gpus() -> list[str]:
    """Ids of the GPUs this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    count = torch.cuda.device_count()
    return named.split(',')[:count] if named else [str(i) for i in range(count)]
