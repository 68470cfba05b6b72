"""Starts Python processes at once from a server that has already imported the libraries, which saves 15 seconds each.

The server is that of multiprocessing's start method `forkserver`. It imports (preload.py), computes nothing, forks, and
ends with the process that started it. A fork becomes what `python ARGS` would be: with its own session, environment,
output and exit code. If the server imported under another environment, or files have changed since, its imports cannot
be used: the process then starts as a plain Python instead, and says so.
"""

import atexit
import ctypes
import importlib.machinery
import multiprocessing
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import forkserver
from multiprocessing.reduction import DupFd
from pathlib import Path
from types import ModuleType
from typing import IO

from setproctitle import setproctitle

PR_SET_PDEATHSIG = 1
# The variables that Python and the libraries read once, when they start.
READ_AT_START = re.compile('(PYTHON|LD_|MALLOC_|OMP_|GOMP_|KMP_|MKL_|OPENBLAS_|TORCH_|PYTORCH_|MPL).+')
# Those of them that a fork can take up afterwards.
TAKEN_UP = ('PYTHONPATH', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS')
# The exit code of a process whose server died with it.
SERVER_DIED = 255


def die_with_parent(parent: int | None = None) -> None:
    """Makes the kernel kill this process when its parent dies, even by kill -9 (Linux only).

    Args:
        parent: The parent's process id, if it is known: it may have died before the call.
    """
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:
            os._exit(1)


def start_process(
    args: Sequence[str], *, env: Mapping[str, str], stdout: IO, stderr: IO, cwd: str | Path | None = None
) -> 'Process':
    """Starts `python ARGS` from the server, or as a plain Python if there can be no server.

    The process has its own session, so Ctrl-C does not reach it, no standard input, and dies with this process.

    Args:
        args: What follows `python`: a script or `-m MODULE`, and its arguments.
        env: Its environment.
        stdout: An open file.
        stderr: An open file.
        cwd: Its working directory; by default this process's.

    Returns:
        Process: Has pid, returncode, poll, wait and send_signal.
    """
    if 'forkserver' in multiprocessing.get_all_start_methods():
        for again in (True, False):
            try:
                return PreloadedProcess(args, env=env, stdout=stdout, stderr=stderr, cwd=cwd)
            except (
                OSError,
                EOFError,
            ) as error:  # a server that is just dying is restarted once it is gone
                if not again:
                    stderr.write(f'started without the preloaded libraries: {error!r}\n')
                    stderr.flush()
                time.sleep(0.2)
    return start_plain_process(args, env=env, stdout=stdout, stderr=stderr, cwd=cwd)


def start_plain_process(
    args: Sequence[str], *, env: Mapping[str, str], stdout: IO, stderr: IO, cwd: str | Path | None = None
) -> subprocess.Popen:
    """Starts `python ARGS` as :func:`start_process` does, without the server."""
    return subprocess.Popen(
        [sys.executable, *args],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )


class PreloadedProcess:
    """A process forked from the server, with the methods of :class:`subprocess.Popen` that are used here.

    Args:
        args: What would follow `python`: a script or `-m MODULE`, and its arguments.
        env: The process's environment.
        cwd: Its working directory.
        stdout: An open file.
        stderr: An open file.

    Raises:
        OSError, EOFError: The server could not be started.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | Path | None = None,
        stdout: IO,
        stderr: IO,
    ):
        env = dict(env)  # it may be os.environ itself
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload(['attn_plugins.training.preload'])
        process = context.Process(
            target=_Fork(list(args), env, str(cwd or Path.cwd()), stdout.fileno(), stderr.fileno())
        )
        with _start_from(env):
            process.start()
        self._process, self.pid = process, process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, minus a signal's number, SERVER_DIED; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self.returncode

    def send_signal(self, signum: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, signum)


Process = PreloadedProcess | subprocess.Popen


class _Fork:
    """What a fork runs; made by the owner and sent to the fork, with its open files."""

    def __init__(self, args: list[str], env: dict[str, str], cwd: str, stdout: int, stderr: int):
        self.args, self.env, self.cwd = args, env, cwd
        self.stdout, self.stderr = stdout, stderr

    def __getstate__(self) -> dict:
        return dict(vars(self), stdout=DupFd(self.stdout), stderr=DupFd(self.stderr))

    def __call__(self) -> None:
        # By this pipe multiprocessing's server lives as long as its forks; here it ends with its owner, and its forks
        # end with it.
        os.close(forkserver._forkserver._forkserver_alive_fd)
        os.setsid()
        die_with_parent()
        for descriptor, number in ((self.stdout.detach(), 1), (self.stderr.detach(), 2)):
            os.dup2(descriptor, number)
            os.close(descriptor)
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        multiprocessing.set_start_method(None, force=True)  # as in a process that starts by itself
        os.chdir(self.cwd)
        why = self._take_up()
        if why:
            print(f'started without the preloaded libraries: {why}', file=sys.stderr, flush=True)
            os.execve(sys.executable, [sys.executable, *self.args], self.env)
        setproctitle(' '.join([sys.executable, *self.args]))  # for `ps` and similar tools
        try:
            if self.args[0] == '-m':
                sys.argv = self.args[1:]
                runpy.run_module(self.args[1], run_name='__main__', alter_sys=True)
            else:
                sys.argv = self.args
                runpy.run_path(self.args[0], run_name='__main__')
        finally:
            # multiprocessing ends its processes without calling them: temporary folders would stay.
            atexit._run_exitfuncs()

    def _take_up(self) -> str | None:
        """Makes this process the one that was asked for, or returns why it cannot be."""
        from attn_plugins.training.preload import ENVIRONMENT as before
        from attn_plugins.training.preload import SET_BY_IMPORTS, changed_file

        names = [name for name in {*before, *self.env} if READ_AT_START.match(name)]
        for name in sorted({*names} - {*TAKEN_UP}):
            if self.env.get(name) not in (before.get(name), SET_BY_IMPORTS.get(name)):
                return f'{name} is {self.env.get(name)} and not {before.get(name)}'
        changed = changed_file()
        if changed:
            return f'{changed} has changed'
        first = self.cwd if self.args[0] == '-m' else str(Path(self.args[0]).resolve().parent)
        own = [path for path in self.env.get('PYTHONPATH', '').split(os.pathsep) if path]
        servers = {'', *before.get('PYTHONPATH', '').split(os.pathsep)}
        sys.path[:] = [first, *own, *(path for path in sys.path[1:] if path not in servers)]
        for name in _packages():
            found = importlib.machinery.PathFinder.find_spec(name)
            if found and found.origin != sys.modules[name].__file__:
                return f'{name} is here that of {found.origin}'
        os.environ.clear()
        os.environ.update(SET_BY_IMPORTS)
        os.environ.update(self.env)
        _draw_and_compute_as(self.env)
        return None


def _packages() -> list[str]:
    """Lists the imported packages that a package in a user's folder could shadow."""
    from attn_plugins.training.library import LIBRARIES

    return [name for name in ('attn_plugins', 'mmengine', 'mmcv', *LIBRARIES, 'torch') if name in sys.modules]


def _draw_and_compute_as(env: Mapping[str, str]) -> None:
    """Gives a fork its own random numbers, as a new process has, and its number of threads."""
    import numpy as np
    import torch
    from threadpoolctl import threadpool_limits

    np.random.seed()
    torch.default_generator.seed()
    threads = env.get('OMP_NUM_THREADS', '')
    if threads.isdigit() and int(threads) != torch.get_num_threads():
        threadpool_limits(int(threads))
        torch.set_num_threads(int(threads))


@contextmanager
def _start_from(env: Mapping[str, str]) -> Iterator[None]:
    """Sets the environment and the main module that multiprocessing passes on to the server and its forks.

    Within the block the environment is `env`, and the main module is an empty one instead of this process's.
    """
    before, main = dict(os.environ), sys.modules['__main__']
    os.environ.clear()
    os.environ.update(env)
    sys.modules['__main__'] = ModuleType('__main__')
    try:
        yield
    finally:
        sys.modules['__main__'] = main
        os.environ.clear()
        os.environ.update(before)
