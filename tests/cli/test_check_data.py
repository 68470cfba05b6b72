"""check_data.py: one line per dataset, what is missing and how to get it, exit code 1 if anything is."""

import os
import re
import sys
from dataclasses import replace

import pytest

from attn_plugins.cli.check_data import main
from attn_plugins.datasets.known import KNOWN
from tests.cli.conftest import CLASSIFICATION, DETECTION, SEGMENTATION


@pytest.fixture(autouse=True)
def folder(workspace, monkeypatch):
    monkeypatch.chdir(workspace.folder)
    monkeypatch.delenv('ATTENTION', raising=False)


def test_complete_data(capsys):
    assert main([str(DETECTION), str(SEGMENTATION), str(CLASSIFICATION)]) == 0
    train, val = (f'data/digit_scenes/coco/annotations/instances_{split}.json' for split in ('train', 'val'))
    # So few scenes lack a digit or two, which is said.
    lines = [line for line in capsys.readouterr().out.splitlines() if ': warning: ' not in line]
    assert lines[:6] == [
        str(DETECTION),
        f'  train: ok: 8 images of {train}',
        f'  val, test: ok: 4 images of {val}',
        str(SEGMENTATION),
        '  train: ok: 8 images in data/digit_scenes/cityscapes/leftImg8bit/train/scenes',
        '  val, test: ok: 4 images in data/digit_scenes/cityscapes/leftImg8bit/val/scenes',
    ]
    assert lines[6] == str(CLASSIFICATION)
    assert re.fullmatch(
        r'  train: ok: \d+ images in \d+ folders of data/digit_scenes/classes/train', lines[7]
    )


def test_every_config_without_data(workspace, capsys):
    (workspace.folder / 'data' / 'digit_scenes').unlink()
    assert main(['--all']) == 1
    out = capsys.readouterr().out
    assert '  train, val, test: wrong: the folder data/digit_scenes/coco is missing (data holds ' in out
    assert 'data/imagenet' in out
    assert {line.strip() for line in out.splitlines() if ' ok: ' in line} == {
        'train: ok: 1000 images of ForeignImages'
    }


def test_every_config_with_its_data(data_trees, workspace, monkeypatch, capsys, any_md5):
    monkeypatch.chdir(data_trees.parent)
    assert main(['--all']) == 0
    assert ': wrong: ' not in capsys.readouterr().out


def test_no_config_is_named(capsys):
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 1
    assert capsys.readouterr().err == (
        'error: name at least one config or data set (coco, voc, voc12aug, cityscapes, imagenet, cifar10, cifar100, '
        'mnist, fashion_mnist), or use --all\n'
    )


def test_data_sets_by_name(data_trees, monkeypatch, capsys):
    """Small trees are whole but not the published ones: the numbers are said."""
    monkeypatch.chdir(data_trees.parent)
    assert main(['coco', 'voc', 'voc12aug', 'cityscapes', 'imagenet']) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        'coco',
        '  train2017: wrong: 4 images of data/coco/annotations/instances_train2017.json, not the published 118287 '
        '(cocodataset.org)',
    ]
    published = [118287, 5000, 5011, 4952, 11540, 1464, 9118, 1449, 2975, 500, 1281167, 50000]
    assert [
        int(line.split(' published ')[1].split()[0]) for line in said if ' published ' in line
    ] == published
    assert main(['cityscapes', '--root', 'data/cityscapes/', '--read-files']) == 1
    out = capsys.readouterr().out
    assert '4 images in data/cityscapes/leftImg8bit/train/ulm, not the published 2975 (cityscapes' in out
    assert '  val: read: 2 samples without a fault' in out


def test_a_data_set_of_the_published_size(data_trees, monkeypatch, capsys):
    monkeypatch.chdir(data_trees.parent)
    coco = KNOWN['coco']
    splits = tuple(replace(split, images=images) for split, images in zip(coco.splits, (4, 2), strict=True))
    monkeypatch.setitem(KNOWN, 'coco', replace(coco, splits=splits))
    assert main(['coco']) == 0
    files = [f'data/coco/annotations/instances_{split}2017.json' for split in ('train', 'val')]
    assert capsys.readouterr().out.splitlines() == [
        'coco',
        f'  train2017: ok: 4 images of {files[0]}',
        f'  val2017: ok: 2 images of {files[1]}',
    ]


def test_names_without_data(capsys):
    assert main([*KNOWN]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(' ')] == [*KNOWN]
    assert all(': wrong: the folder data/' in line for line in lines if line.startswith(' '))
    assert (
        '  train, test: wrong: the folder data/mnist is missing (data holds digit_scenes/): get '
        in '\n'.join(lines)
    )


@pytest.mark.parametrize(
    'words, sentence',
    [
        (['cocoo'], 'there is no data set cocoo: did you mean coco or voc?'),
        (['coco', 'voc', '--root', 'x'], '--root takes one data set by its name: choose from coco, voc, '),
        (['run.py', '--root', 'x'], '--root takes one data set by its name: choose from coco, voc, '),
    ],
)
def test_words_that_are_wrong(words, sentence, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 1
    assert capsys.readouterr().err.startswith(f'error: {sentence}')


def test_files_of_configs_are_read(capsys):
    assert main([str(DETECTION), str(SEGMENTATION), str(CLASSIFICATION), '--read-files']) == 0
    out = capsys.readouterr().out
    assert out.count('without a fault') == 6
    # Val and test are one dataset, which is read once and said of both.
    assert '  val, test: read: 4 samples without a fault' in out


def test_a_reader_that_has_seen_enough(monkeypatch, capfd):
    """`check_data.py --all | head`: no traceback, and none from Python's own last flush either."""
    read, write = os.pipe()
    os.close(read)
    # The end of the block closes stdout, as Python does at its own end: what is left in it must not raise there.
    with open(write, 'w') as stdout:
        monkeypatch.setattr(sys, 'stdout', stdout)
        with pytest.raises(SystemExit) as exit_:
            main(['--all'])
    assert exit_.value.code == 141
    assert capfd.readouterr().err == ''
