"""Names the files of a run's folder, each with one writer, and locks the folder for one process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

# Written by the suite before the run starts: the whole config, and what to do with it.
CONFIG = 'config.py'
RUN = 'run.json'
# Written by the run's process: how far it is (training/hooks.py), and the result of each step.
PROGRESS = 'progress.json'
RESULT = 'result.json'
START = 'start.json'  # a digest of each weight it began with (training/shared_start.py)
LOG = 'run.log'  # all that the run's process printed
PICTURES = 'pictures'  # a folder: what the model predicts for images of its test (pictures.py)
# Written by a process of a run that is not the first and has failed: 'failure.rank1.json'.
RANK_FAILURES = 'failure.rank*.json'
# Written by the suite when a run's process has died, or could not be started.
FAILURE = 'failure.json'
LOCK = '.lock'
HOLDER = '.lock.pid'


class Locked(Exception):
    """The folder belongs to another process; `pid` is its id (None when it has not said)."""

    def __init__(self, pid: int | None):
        super().__init__(f'locked by process {pid}')
        self.pid = pid


@contextmanager
def folder_lock(folder: Path, patience: float = 1.0) -> Iterator[None]:
    """Hold a folder for this process. The kernel frees it when the process ends, however it ends.

    Args:
        folder: The folder, made when absent.
        patience: Seconds to wait for another holder: a look (`is_locked`) holds it for an instant, and a process
            that has just been killed takes a moment to go.

    Raises:
        Locked: Another process still holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=patience)
    except Timeout as error:
        holder = folder / HOLDER
        pid = holder.read_text() if holder.is_file() else ''
        raise Locked(int(pid) if pid else None) from error
    try:
        (folder / HOLDER).write_text(str(os.getpid()))
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Tell whether a living process holds the folder."""
    if not (folder / LOCK).is_file():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
