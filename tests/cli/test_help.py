"""`--help` answers at once: the words come before the heavy imports. What is imported is counted, nothing is timed."""

import subprocess
import sys
from pathlib import Path

import pytest

from attn_plugins.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
TOOLS = [path for path in (ROOT / 'tools').rglob('*.py') if path.name != '_environment.py']
# torch's import alone takes longer than an answer may, and each of the others takes a good part of it.
HEAVY = {
    *('torch', 'torchvision', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain'),
    *('cv2', 'jinja2', 'matplotlib', 'pandas', 'scipy', 'sklearn', 'sympy'),
}


def imported_for(*words) -> set[str]:
    """The packages that Python imports for a command line that asks for help."""
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', *map(str, words)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 'usage:' in done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith('import time:')]
    return {line.rpartition('|')[2].strip().partition('.')[0] for line in lines}


@pytest.mark.parametrize('tool', TOOLS, ids=lambda path: path.stem)
def test_tools_answer_without_heavy_imports(tool):
    imported = imported_for(tool, '--help')
    assert 'attn_plugins' in imported
    assert not imported & HEAVY


@pytest.mark.parametrize(
    'words', [(), ('--help',), ('benchmark', 'run', '--help'), ('visualize', 'cam', '--help')], ids=' '.join
)
def test_the_installed_command_answers_without_heavy_imports(words):
    assert not imported_for('-m', 'attn_plugins', *words) & HEAVY


def test_every_command_has_a_tool():
    """So the tools' answers are those of `attn-plugins COMMAND --help`."""
    imports = '\n'.join(tool.read_text() for tool in TOOLS)
    assert all(f'from attn_plugins.cli.{command} import main' in imports for command in COMMANDS)
