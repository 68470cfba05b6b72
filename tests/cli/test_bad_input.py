"""What is misspelt or missing gets one sentence that says what is wrong and what to do."""

import re
from importlib import import_module

import pytest

from tests.cli.conftest import CLASSIFICATION, DETECTION, SEGMENTATION, error_line

PLUGIN = f"""
_base_ = {str(CLASSIFICATION)!r}
model = dict(backbone=dict(plugins=[dict(cfg=dict(type={{type!r}}, {{option}}=8), position={{position!r}})]))
"""
# As much of a training as it takes to come to the first step.
SMALL = ['--cfg-options', 'train_dataloader.batch_size=4', 'param_scheduler=None']


@pytest.fixture
def refused(workspace, monkeypatch, capsys):
    """Calls a command in the workspace and returns the one line in which it refuses its input."""
    monkeypatch.chdir(workspace.folder)
    monkeypatch.delenv('ATTENTION', raising=False)
    monkeypatch.setenv('LOCAL_RANK', '0')  # which train.py sets

    def call(command: str, *args) -> str:
        with pytest.raises(SystemExit) as exit_:
            import_module(f'attn_plugins.cli.{command}').main([str(arg) for arg in args])
        assert exit_.value.code == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
        return line

    return call


def test_a_config_or_preset_that_does_not_exist(workspace, refused):
    wrong = CLASSIFICATION.with_name('mobilenetv2_digitscene.py')
    line = error_line(workspace.run('train.py', wrong))  # as a process: no traceback after the line either
    assert line == f'error: there is no config {wrong}: did you mean {CLASSIFICATION}?'
    line = refused('train', CLASSIFICATION, '--attention', 'cax')
    assert line.startswith(
        "error: there is no attention preset 'cax', did you mean ca_x: choose from aa_conv, bam, ca, ca_r12, "
    )
    assert line.endswith(", or give the path of your own preset's .py file")
    line = refused('train', CLASSIFICATION, '--attention', 'my/se4.py')
    assert line.startswith('error: there is no attention preset my/se4.py: give the path of a .py file')


@pytest.mark.parametrize(
    'type_, option, position, words',
    [
        (
            'attn_plugins.CoordAtention',
            'reduction',
            'after_depthwise',
            ('CoordAtention', 'attn_plugins.CoordAttention'),
        ),
        ('attn_plugins.SE', 'reductoin', 'after_depthwise', ('reductoin', 'reduction')),
        ('attn_plugins.SE', 'reduction', 'after_deptwise', ('after_deptwise', 'after_depthwise')),
    ],
)
def test_an_unknown_layer_option_or_position(workspace, refused, type_, option, position, words):
    workspace.folder.joinpath('run.py').write_text(
        PLUGIN.format(type=type_, option=option, position=position)
    )
    line = refused('train', 'run.py')
    for word in words:
        assert re.search(rf'\b{re.escape(word)}\b', line), line


def test_data_that_are_absent_or_half_there(workspace, refused):
    data = workspace.folder / 'data' / 'digit_scenes'
    home = data.resolve()
    data.unlink()
    line = refused('train', DETECTION)
    assert line.startswith(
        'error: train_dataloader.dataset: the folder data/digit_scenes/coco is missing (data holds nothing): '
        'run `python tools/make_digit_scenes.py`'
    )
    # The same set with one image less: a half that looks whole until training comes to it.
    for file in home.rglob('*.*'):
        copy = data / file.relative_to(home)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.name != 'train_000003.jpg':
            copy.symlink_to(file)
    line = refused('train', DETECTION)
    assert (
        '1 of the 8 files that it lists as img_path are missing (first: data/digit_scenes/coco/train/train_000003.jpg) '
        in line
    )
    assert refused('test', SEGMENTATION, 'none.pth') == 'error: there is no checkpoint none.pth'


@pytest.mark.parametrize('command', ['train', 'check_data', 'cost', 'inspect_model'])
def test_a_file_that_is_no_config(workspace, refused, command):
    (workspace.folder / 'README.md').write_text('# Mine\n')
    assert refused(command, 'README.md') == 'error: README.md is no config: give the path of a .py file'


@pytest.mark.parametrize(
    'line, words',
    [
        (
            "custom_imports = dict(imports=['my_layers.mine'])",
            'my run.py imports my_layers, which is not found: put PYTHONPATH=FOLDER, the folder that holds it, before ',
        ),
        (
            'from os import absent',
            "my run.py imports what cannot be imported (cannot import name 'absent' from 'os'",
        ),
        (
            'epochs = twelve',
            "my run.py cannot be read (NameError: name 'twelve' is not defined): put it right, --debug ",
        ),
        (
            "custom_hooks = [dict(type='Early Stopping')]",
            "the config names an unknown hook 'Early Stopping': did you mean EarlyStoppingHook?",
        ),
    ],
)
def test_a_config_that_cannot_be_run(workspace, refused, line, words):
    (workspace.folder / 'my run.py').write_text(f'_base_ = {str(CLASSIFICATION)!r}\n{line}\n')
    assert refused('train', 'my run.py', *SMALL).startswith(f'error: {words}')


@pytest.mark.parametrize(
    'option, words',
    [
        (
            'train_cfg.type=mmpretrain.EpochBasedTrainLop',
            "the config names an unknown loop 'mmpretrain.EpochBasedTrainLop': did you mean "
            'mmpretrain.EpochBasedTrainLoop',
        ),
        ('log_processor.type=LogProcesor', "unknown log processor 'LogProcesor': did you mean LogProcessor"),
        (
            'load_from=README.md',
            'error: README.md is cut short or no checkpoint: get or train it again, or use another one',
        ),
        ('load_from=absent.pth', 'error: there is no checkpoint absent.pth'),
    ],
)
def test_a_word_of_the_config_that_names_nothing(workspace, refused, option, words):
    (workspace.folder / 'README.md').write_text('# Mine\n')
    assert words in refused('train', CLASSIFICATION, *SMALL, option)


def test_a_place_that_cannot_be_written(workspace, refused):
    (workspace.folder / 'file').write_text('x')
    file = 'error: {} cannot be used, there is a file where a folder is needed: choose another place'
    # Nobody, not even root, can make a folder in /proc.
    proc = 'error: nothing can be written into /proc (No such file or directory): choose another place'
    assert refused('train', CLASSIFICATION, '--work-dir', 'file', *SMALL) == file.format(
        workspace.folder / 'file'
    )
    assert refused('train', CLASSIFICATION, '--work-dir', '/proc/runs', *SMALL) == proc
    few = ('--train', 1, '--val', 1)
    assert refused('make_digit_scenes', *few, '--root', 'file/digit_scenes') == file.format('file')
    for root in ('/proc/digit_scenes', '/proc/data/digit_scenes'):
        assert refused('make_digit_scenes', *few, '--root', root) == proc
