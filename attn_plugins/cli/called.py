"""Writes how this command line was called, and how another one is called in the same way."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def command_line(words: Sequence[str]) -> str:
    """Writes this command and its words as they are typed in a shell."""
    return shlex.join([*_program(), *words])


def other_command(name: str, words: Sequence[str]) -> str:
    """Writes another command of this package, such as visualize, called as this one is: as a tool or by its name."""
    *start, last = _program()
    last = str(Path(last).with_name(f'{name}.py')) if last.endswith('.py') else name
    return shlex.join([*start, last, *words])


def python_command(code: str) -> str:
    """Writes a line that runs code in this environment."""
    return f'{shlex.quote(interpreter())} -c "{code}"'


def interpreter() -> str:
    """Returns how a shell finds this Python: `python`, or else its path."""
    found = shutil.which('python')
    return 'python' if found and Path(found).parent == Path(sys.executable).parent else shown(sys.executable)


def shown(path: str | Path) -> str:
    """Writes a path from the current folder if it lies within, else in full; links are left as they are."""
    path = os.path.abspath(path)
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path


def _program() -> list[str]:
    """Splits what stands before a command's own words: `python tools/benchmark.py`, `attn-plugins benchmark`."""
    program = sys.argv[0]
    if not program.endswith('.py'):
        return program.split()  # as cli/main.py writes it
    typed = sys.orig_argv[0]
    if os.path.isabs(typed):
        # Also after a tool has started itself again in the environment of `make install`, as any Python makes it do.
        own = Path(program).resolve().parents[1] / '.venv'
        starts_again = shutil.which('python') and Path(sys.prefix).resolve() == own.resolve()
        typed = 'python' if starts_again else interpreter()
    return [typed, shown(program)]
