"""How a command line was called is written as it was typed, whichever way that was."""

import sys
from pathlib import Path

import pytest

from attn_plugins.cli import main as commands
from attn_plugins.cli.called import command_line, interpreter, other_command, python_command

HERE = str(Path(sys.executable).parent)


@pytest.mark.parametrize(
    'argv, typed, said, other',
    [
        ('tools/benchmark.py', 'python', 'python tools/benchmark.py', 'python tools/visualize.py'),
        (
            'tools/benchmark.py',
            '.venv/bin/python',
            '.venv/bin/python tools/benchmark.py',
            '.venv/bin/python tools/',
        ),
        ('attn-plugins benchmark', '/x/python', 'attn-plugins benchmark', 'attn-plugins visualize'),
        (
            'python -m attn_plugins benchmark',
            '/x/python',
            'python -m attn_plugins benchmark',
            'python -m attn_pl',
        ),
    ],
)
def test_as_it_was_typed(monkeypatch, argv, typed, said, other):
    monkeypatch.setattr(sys, 'argv', [argv])
    monkeypatch.setattr(sys, 'orig_argv', [typed])
    assert command_line(['run', 'a b.yml', '--jobs', '1']) == f"{said} run 'a b.yml' --jobs 1"
    assert other_command('visualize', ['cam']).startswith(other)


def test_a_tool_that_started_itself_again_is_called_by_any_python(monkeypatch, tmp_path):
    """As tools/_environment.py does it: the path of that Python is not what was typed."""
    (tmp_path / '.venv').mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'prefix', str(tmp_path / '.venv'))
    monkeypatch.setattr(sys, 'argv', [str(tmp_path / 'tools' / 'benchmark.py')])
    monkeypatch.setattr(sys, 'orig_argv', [str(tmp_path / '.venv/bin/python')])
    monkeypatch.setenv('PATH', HERE)
    assert command_line(['run', 'demo']) == 'python tools/benchmark.py run demo'


def test_python_is_the_one_that_has_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv('PATH', HERE)
    assert interpreter() == 'python' and python_command('print(1)') == 'python -c "print(1)"'
    monkeypatch.setenv('PATH', '/usr/bin')
    monkeypatch.setattr(sys, 'executable', str(tmp_path / '.venv/bin/python'))
    monkeypatch.chdir(tmp_path)
    assert interpreter() == '.venv/bin/python'


@pytest.mark.parametrize(
    'program, name',
    [
        ('/x/attn_plugins/__main__.py', 'python -m attn_plugins benchmark'),
        ('/x/attn-plugins', 'attn-plugins benchmark'),
    ],
)
def test_the_commands_know_how_they_were_called(monkeypatch, program, name):
    seen = []
    monkeypatch.setattr(sys, 'argv', [program, 'benchmark', 'status', 'demo'])
    monkeypatch.setattr('attn_plugins.cli.benchmark.main', lambda argv: seen.append((sys.argv[0], argv)))
    commands.main()
    assert seen == [(name, ['status', 'demo'])]
