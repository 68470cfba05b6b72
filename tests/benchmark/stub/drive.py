"""`tools/benchmark.py run SUITE` with the stand-ins of this folder: arguments SUITE and, if wanted, --redo."""

import sys
from pathlib import Path

from rich.console import Console

from attn_plugins.benchmark.engine import RUN_COMMAND, LocalEngine
from attn_plugins.benchmark.plan import plan_suite
from attn_plugins.benchmark.progress import view_of
from attn_plugins.benchmark.schedule import work_off
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.cli.errors import friendly_errors

with friendly_errors():
    suite = read_suite(sys.argv[1])
    engine = LocalEngine(2, (*RUN_COMMAND, '--tools', str(Path(__file__).parent)))
    with view_of(suite, engine.slots, Console()) as view:
        work_off(suite, plan_suite(suite), engine, view, '--redo' in sys.argv)
