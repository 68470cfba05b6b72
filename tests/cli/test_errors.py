"""friendly_errors: which exceptions become one line, which exit code they give, and which keep their traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from mmengine.registry import MODELS

from attn_plugins.cli.errors import friendly_errors
from attn_plugins.errors import UserError
from attn_plugins.insertion import InsertionError
from attn_plugins.layers import SE
from tests.cli.conftest import ROOT


def leave(error: BaseException, capsys, **options) -> tuple[int, str]:
    with pytest.raises(SystemExit) as exit_, friendly_errors(**options):
        raise error
    return exit_.value.code, capsys.readouterr().err


def disk_full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_sentence_is_printed_in_one_line_and_nothing_else(capsys):
    assert leave(UserError('this is\n   wrong: do that'), capsys) == (1, 'error: this is wrong: do that\n')
    assert leave(InsertionError('no such place'), capsys) == (1, 'error: no such place\n')


def test_an_error_that_led_to_another_is_the_one_that_is_told(capsys):
    try:
        try:
            raise InsertionError('at layer1: it does not fit')
        except ValueError as cause:
            raise RuntimeError('could not build') from cause
    except RuntimeError as error:
        assert leave(error, capsys) == (1, 'error: at layer1: it does not fit\n')


def test_a_full_disk_and_ctrl_c_say_how_to_go_on(capsys):
    advice = dict(advice=lambda: 'run it again')
    assert leave(disk_full(), capsys, **advice) == (
        1,
        'error: the disk is full: free space and run it again\n',
    )
    assert leave(disk_full(), capsys) == (1, 'error: the disk is full: free space\n')
    assert leave(KeyboardInterrupt(), capsys, **advice) == (130, 'interrupted: run it again\n')
    assert leave(SystemExit(143), capsys, **advice) == (143, 'terminated: run it again\n')
    try:
        try:
            raise KeyboardInterrupt
        except:  # noqa: E722  as in mmengine's Config.pretty_text
            raise SyntaxError('failed to format the config') from None
    except SyntaxError as taken_for:
        assert leave(taken_for, capsys, **advice) == (130, 'interrupted: run it again\n')


@pytest.mark.parametrize(
    ('encoding', 'closed'), [('ascii', ''), ('latin-1', ''), ('utf-8', '>&-'), ('utf-8', '2>&-')]
)
def test_every_text_can_be_printed(encoding, closed):
    code = (
        "from attn_plugins.cli.errors import friendly_errors\nwith friendly_errors():\n    print('−1.5 … 漢')"
    )
    result = subprocess.run(
        ['bash', '-c', f'exec "$0" -c "$1" {closed}', sys.executable, code],
        env=dict(os.environ, PYTHONIOENCODING=encoding, PYTHONPATH=str(ROOT)),
        capture_output=True,
    )
    assert (result.returncode, result.stderr) == (0, b'')
    assert closed == '>&-' or b'1.5' in result.stdout


def test_torchs_own_writer_on_a_full_disk(capsys):
    with pytest.raises(SystemExit), friendly_errors():
        torch.save(torch.zeros(1 << 20), '/dev/full')
    assert capsys.readouterr().err == 'error: the disk is full: free space\n'


def test_a_file_or_folder_that_cannot_be_used(capsys):
    """What only a user with fewer rights meets; the rest is called as a user would in tests/cli/test_bad_input.py."""
    denied = PermissionError(errno.EACCES, 'Permission denied', 'runs/a.log')
    assert leave(denied, capsys) == (
        1,
        'error: runs/a.log cannot be used (Permission denied): choose a place that can be read and written\n',
    )
    with pytest.raises(SystemExit), friendly_errors():
        Path(os.curdir).read_text()
    assert capsys.readouterr().err == 'error: . is a folder: give the path of a file\n'


def test_types_and_options_of_the_libraries(capsys):
    with pytest.raises(SystemExit), friendly_errors():
        MODELS.build(dict(type='mmdet.SingleStageDetectr'))
    line = capsys.readouterr().err
    assert line.startswith(
        "error: the config names an unknown model 'mmdet.SingleStageDetectr': did you mean "
    )
    assert 'SingleStageDetector' in line
    with pytest.raises(SystemExit), friendly_errors():
        MODELS.build(dict(type='BaseDataPreprocessor', blocking=True))
    assert 'blocking' in capsys.readouterr().err


def test_a_defect_and_debug_keep_the_traceback():
    with pytest.raises(ZeroDivisionError), friendly_errors():
        1 / 0  # noqa: B018
    with pytest.raises(UserError), friendly_errors(debug=True):
        raise UserError('wrong')


def test_nested_the_inner_one_speaks(capsys):
    with pytest.raises(SystemExit) as exit_, friendly_errors(), friendly_errors(advice=lambda: 'again'):
        raise disk_full()
    assert exit_.value.code == 1
    assert capsys.readouterr().err.count('error:') == 1


def test_a_missing_optional_package_names_the_extra(capsys):
    error = ModuleNotFoundError("No module named 'sklearn'", name='sklearn.datasets')
    assert leave(error, capsys)[1] == (
        'error: this takes sklearn.datasets, which is not installed: run `pip install "attn_plugins[benchmark]"`, in a '
        "checkout `pip install '.[benchmark]'`\n"
    )
    with pytest.raises(ModuleNotFoundError), friendly_errors():
        raise ModuleNotFoundError("No module named 'attn_plugins.lost'", name='attn_plugins.lost')


def test_a_full_memory_says_what_makes_it_less(capsys):
    error = torch.cuda.OutOfMemoryError(
        'CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 9 GiB'
    )
    assert leave(error, capsys)[1].endswith(
        '...: set a smaller batch_size of the dataloader, or train with --amp\n'
    )


def test_weights_that_would_be_downloaded(capsys):
    def fetch(url):
        raise URLError('Temporary failure in name resolution')

    with pytest.raises(SystemExit), friendly_errors():
        fetch('https://download.pytorch.org/models/resnet50.pth')
    assert capsys.readouterr().err == (
        'error: https://download.pytorch.org/models/resnet50.pth cannot be downloaded (Temporary failure in '
        'name resolution): '
        'get it elsewhere and name the file, as init_cfg.checkpoint or load_from\n'
    )


def test_a_layers_own_value_error(capsys):
    with pytest.raises(SystemExit), friendly_errors():
        SE(64)(torch.zeros(1, 48, 4, 4))
    assert capsys.readouterr().err.startswith(
        'error: SE was built for 64 channels, but the map (1, 48, 4, 4) has 48: '
    )
    with pytest.raises(ValueError), friendly_errors():  # anyone else's keeps its traceback
        raise ValueError('too many values')


@pytest.mark.parametrize(
    'command, absent, args, words',
    [
        (
            'make_digit_scenes',
            'sklearn',
            ['--root', 'x'],
            'error: this takes sklearn, which is not installed: run `pip',
        ),
        ('benchmark', 'psutil', ['status', 'demo'], ''),  # which it does without
        (
            'benchmark',
            'filelock',
            ['status', 'demo'],
            'error: this takes filelock, which is not installed: run `pip',
        ),
    ],
)
def test_a_tool_without_an_optional_package(command, absent, args, words, tmp_path):
    code = (
        'import sys\n'
        'class Absent:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        f'        if name.partition(".")[0] == {absent!r}:\n'
        '            raise ModuleNotFoundError(f"No module named {name!r}", name=name)\n'
        'sys.meta_path.insert(0, Absent())\n'
        f'from attn_plugins.cli.{command} import main\n'
        f'main({args!r})\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert 'Traceback' not in done.stderr and done.returncode == bool(words), done.stderr
    assert done.stderr.startswith(words)
