"""Imports what most processes of this package need; the server of `preloaded_process.py` only imports it and forks.

Nothing is computed here: forks of a process that has run a parallel operation hang with GNU OpenMP (pytorch#41197).
"""

import gc
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module

from setproctitle import setproctitle

# The environment that the libraries are imported under; some set variables themselves.
ENVIRONMENT = dict(os.environ)
# For `ps`; the first call must come before the environment changes, else no fork can be named.
setproctitle('attn_plugins, the server with the libraries')
# Ctrl-C is handled by the processes, each of which sets its own handler.
signal.signal(signal.SIGINT, signal.SIG_IGN)
# Checks for a GPU without starting CUDA, which no fork survives.
os.environ['PYTORCH_NVML_BASED_CUDA_CHECK'] = '1'
# A process that starts by itself also logs what the libraries print at their import.
_nowhere = os.open(os.devnull, os.O_RDWR)
for _descriptor in (1, 2):
    os.dup2(_nowhere, _descriptor)

from attn_plugins.training.library import LIBRARIES, register  # noqa: E402

for _library in LIBRARIES:
    with suppress(
        Exception
    ):  # what is missing or broken here is so in the process that needs it, which reports it
        register(_library)
for _module in ('attn_plugins.training.runner', 'attn_plugins.insertion', 'attn_plugins.cost.cost'):
    with suppress(Exception):
        import_module(_module)
del os.environ['PYTORCH_NVML_BASED_CUDA_CHECK']
SET_BY_IMPORTS = {name: value for name, value in os.environ.items() if ENVIRONMENT.get(name) != value}


def _modified(path: str) -> int | None:
    """Returns when a file was last written, in nanoseconds; None if there is no such file."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


# torch 2.1 writes this module into a temporary folder and imports it once; the first fork that ends removes the folder.
WRITTEN_BY_TORCH = '_remote_module_non_scriptable'
# Every imported file, and when it was last written.
IMPORTED = {
    path: _modified(path)
    for name, module in list(sys.modules.items())
    if (path := getattr(module, '__file__', None)) and name != WRITTEN_BY_TORCH
}


def changed_file() -> str | None:
    """Returns a file that was rewritten since the server imported it, if there is one."""
    return next((path for path, written in IMPORTED.items() if _modified(path) != written), None)


gc.collect()
gc.freeze()  # a fork's garbage collector ignores the objects that all forks share
