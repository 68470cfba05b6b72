"""Starts a tool again in the environment that `make install` has made, if this Python has no attn_plugins."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec('attn_plugins') is None:
    venv = Path(__file__).resolve().parents[1] / '.venv'
    python = venv / 'bin' / 'python'
    # An installation that was cut off leaves a .venv without the package: then this is that Python already.
    if not python.exists() or Path(sys.prefix).resolve() == venv.resolve():
        sys.exit(
            'error: attn_plugins is not installed for this Python: run `make install`, or `pip install .` in '
            'your environment'
        )
    os.execv(python, [str(python), *sys.orig_argv[1:]])
