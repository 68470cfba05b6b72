"""`--help` and `status` answer at once: no heavy import comes before. What is imported is counted, nothing is timed."""

import subprocess
import sys
from pathlib import Path

import pytest

from attn_plugins.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]
TOOLS = [path for path in (ROOT / 'tools').glob('*.py') if path.name != '_environment.py']
# torch's import alone takes longer than an answer may, and each of the others takes a good part of it.
HEAVY = {
    *('torch', 'torchvision', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain'),
    *('cv2', 'jinja2', 'matplotlib', 'pandas', 'scipy', 'sklearn', 'sympy'),
}


def imported_for(*words, says: str = 'usage:') -> set[str]:
    """The packages that Python imports for a command line, which prints what is asked of it."""
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', *map(str, words)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith('import time:')]
    names = [line.rpartition('|')[2].strip() for line in lines]
    # An import that is refused leaves a line too, but none of a submodule.
    return {name.partition('.')[0] for name in names if '.' in name}


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


def test_a_suites_status_comes_without_heavy_imports():
    assert not imported_for('tools/benchmark.py', 'status', 'demo', says='detection/iebn/seed0') & HEAVY


def test_every_command_has_a_tool():
    """So the tools' answers are those of `attn-plugins COMMAND --help`."""
    imports = '\n'.join(tool.read_text() for tool in TOOLS)
    assert all(f'from attn_plugins.cli.{command} import main' in imports for command in COMMANDS)


def test_a_command_that_is_not_there(capsys):
    assert main(['trian', 'x']) == 2
    assert capsys.readouterr().err == "error: there is no command 'trian': did you mean train?\n"
    assert main(['benchmark-layers']) == 2
    assert 'python tools/benchmark_layers.py' in capsys.readouterr().err
    assert main([]) == main(['--help']) == 0
    assert 'usage: attn-plugins COMMAND' in capsys.readouterr().out
