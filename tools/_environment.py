"""Starts a tool again in the environment that `make install` has made, if this Python has no attn_plugins."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec('attn_plugins') is None:
    python = Path(__file__).resolve().parents[1] / '.venv' / 'bin' / 'python'
    if not python.exists():
        sys.exit(
            'error: attn_plugins is not installed for this Python: run `make install`, or `pip install .` in your environment'
        )
    os.execv(python, [str(python), *sys.orig_argv[1:]])
