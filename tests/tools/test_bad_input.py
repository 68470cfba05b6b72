"""What is misspelt or missing gets one sentence that says what is wrong and what to do."""

import re

import pytest

from tests.tools.conftest import CLASSIFICATION, DETECTION, SEGMENTATION, error_line

PLUGIN = f"""
_base_ = {str(CLASSIFICATION)!r}
model = dict(backbone=dict(plugins=[dict(cfg=dict(type={{type!r}}, {{option}}=8), position={{position!r}})]))
"""


def test_a_config_or_preset_that_does_not_exist(workspace):
    wrong = CLASSIFICATION.with_name('mobilenetv2_digitscene.py')
    line = error_line(workspace.run('train.py', wrong))
    assert line == f'error: there is no config {wrong}: did you mean {CLASSIFICATION}?'
    line = error_line(workspace.run('train.py', CLASSIFICATION, '--attention', 'cax'))
    assert line.startswith(
        "error: there is no attention preset 'cax', did you mean ca_x: choose from aa_conv, bam, ca, ca_x, ca_y, cam, "
    )
    assert line.endswith(", or give the path of your own preset's .py file")
    line = error_line(workspace.run('train.py', CLASSIFICATION, '--attention', 'my/se4.py'))
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
def test_an_unknown_layer_option_or_position(workspace, type_, option, position, words):
    workspace.folder.joinpath('run.py').write_text(
        PLUGIN.format(type=type_, option=option, position=position)
    )
    line = error_line(workspace.run('train.py', 'run.py'))
    for word in words:
        assert re.search(rf'\b{re.escape(word)}\b', line), line


def test_data_that_are_absent_or_half_there(tmp_path, workspace):
    data = workspace.folder / 'data' / 'digit_scenes'
    home = data.resolve()
    data.unlink()
    line = error_line(workspace.run('train.py', DETECTION))
    assert line.startswith(
        'error: the folder data/digit_scenes/coco is missing: run `python tools/make_digit_scenes.py`'
    )
    # The same set with one image less: a half that looks whole until training comes to it.
    for file in home.rglob('*.*'):
        copy = data / file.relative_to(home)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.name != 'train_000003.jpg':
            copy.symlink_to(file)
    line = error_line(workspace.run('train.py', DETECTION))
    assert (
        '1 of the 8 files of data/digit_scenes/coco/annotations/instances_train.json are missing (first: '
        in line
    )
    assert (
        error_line(workspace.run('test.py', SEGMENTATION, 'none.pth'))
        == 'error: there is no checkpoint none.pth'
    )
