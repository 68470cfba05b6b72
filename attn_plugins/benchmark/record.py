"""The files of a run's folder: records that are whole or absent, each with one writer, and a lock that dies with its holder."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

# Written by the suite before the run starts: the whole config, and what to do with it.
CONFIG = 'config.py'
RUN = 'run.json'
# Written by the run's process: how far it is (engine/hooks.py), and what came of each step.
PROGRESS = 'progress.json'
RESULT = 'result.json'
# Written by a process of a run that is not the first and has failed: 'failure.rank1.json'.
RANK_FAILURES = 'failure.rank*.json'
# Written by the suite when a run's process has died, or could not be started.
FAILURE = 'failure.json'
LOCK = '.lock'
HOLDER = '.lock.pid'


def write_json(path: Path, content: dict) -> None:
    """Write a record so that a reader, or a kill at any moment, sees the old content or the new one.

    JSON has no numbers that are not finite: they become 'nan', 'inf' and '-inf', which `float` reads.
    """
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    with part.open('w') as file:
        json.dump(_strict(content), file, indent=2, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _strict(content):
    """The content with words for the numbers that JSON has none of."""
    if isinstance(content, dict):
        return {key: _strict(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_strict(value) for value in content]
    return str(content) if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: Path) -> dict | None:
    """Read a record; None when it is absent, or is no record, as a power cut leaves a file that was being written.

    Older records have NaN and Infinity, which are read as such.
    """
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


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
    """Whether a living process holds the folder."""
    if not (folder / LOCK).is_file():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
