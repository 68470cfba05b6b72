"""The files of a run's folder: records that are whole or absent, and locks that die with their holder."""

import fcntl
import json
import os
import time
from contextlib import contextmanager
from pathlib import Path

# What the run is and how far it has come; written before it starts and while it trains.
RUN = 'run.json'
# How it ended; its presence is what makes a run finished or failed.
RESULT = 'result.json'
LOCK = '.lock'


def write_json(path: Path, content: dict):
    """Write a record so that a reader, or a kill at any moment, sees the old content or the new one."""
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    with part.open('w') as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_json(path: Path) -> dict | None:
    """Content of a record; None when it is absent."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


class Locked(Exception):
    """The folder belongs to another process; `pid` is its id (None when it has not said)."""

    def __init__(self, pid: int | None):
        super().__init__(f'locked by process {pid}')
        self.pid = pid


@contextmanager
def folder_lock(folder: Path, patience: float = 1.0):
    """Hold a folder for this process. The kernel frees it when the process ends, however it ends.

    Args:
        folder: The folder, made when absent.
        patience: Seconds to wait for another holder: a look (`is_locked`) holds it for an instant, and a process
            that has just been killed takes a moment to go.

    Raises:
        Locked: Another process still holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open('a+') as file:
        deadline = time.monotonic() + patience
        while not _try_lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                file.seek(0)
                pid = file.read().strip()
                raise Locked(int(pid) if pid else None)
            time.sleep(0.05)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_locked(folder: Path) -> bool:
    """Whether a living process holds the folder."""
    try:
        with (folder / LOCK).open() as file:
            return not _try_lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _try_lock(file, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
