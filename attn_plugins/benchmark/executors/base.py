"""Defines the methods that a suite calls to start, watch and stop its runs."""

from abc import ABC, abstractmethod

from attn_plugins.benchmark.suite import Run


class Executor(ABC):
    """Starts runs somewhere, says which have ended, and can stop them.

    A run reads and writes nothing but its folder: what is started is `WORKER` with that folder, in as many processes as
    asked for. After the runs the measurement of latencies is started in the same way, alone (latency.py).

    Attributes:
        devices: How many processes have a device of their own: GPUs, or cores where there is none.
        most: How many processes a run can have at all; None if any number.
        parallel: How many runs of one process fit at the same time, to estimate the time left.
        threads: How many threads a run of one process has.
    """

    WORKER = 'attn_plugins.benchmark.worker'

    devices: int
    most: int | None = None
    parallel: int
    threads: int

    @property
    @abstractmethod
    def running(self) -> list[Run]:
        """List runs that were started and not yet reported as ended."""

    @abstractmethod
    def has_room(self, processes: int) -> bool:
        """Tell whether a run of so many processes can start now. With nothing running, any can."""

    @abstractmethod
    def start(self, run: Run, processes: int) -> None:
        """Start a run and return at once."""

    @abstractmethod
    def ended(self) -> list[tuple[Run, int]]:
        """List runs that ended since the last call, each with its exit code (negative: the signal that ended it)."""

    @abstractmethod
    def stop(self) -> None:
        """End everything that runs, at once: a run that is cut off goes on from its last checkpoint."""
