"""check_data.py: one line per dataset, what is missing and how to get it, exit code 1 if anything is."""

import os
import sys

import pytest

from attn_plugins.cli.check_data import main
from tests.cli.conftest import CLASSIFICATION, DETECTION, SEGMENTATION


@pytest.fixture(autouse=True)
def folder(workspace, monkeypatch):
    monkeypatch.chdir(workspace.folder)
    monkeypatch.delenv('ATTENTION', raising=False)


def test_complete_data(capsys):
    assert main([str(DETECTION), str(SEGMENTATION), str(CLASSIFICATION)]) == 0
    train, val = (f'data/digit_scenes/coco/annotations/instances_{split}.json' for split in ('train', 'val'))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        str(DETECTION),
        f'  train: ok: 8 files of {train}',
        f'  val, test: ok: 4 files of {val}',
        str(SEGMENTATION),
        '  train: ok: 8 images with masks in data/digit_scenes/cityscapes/leftImg8bit/train',
        '  val, test: ok: 4 images with masks in data/digit_scenes/cityscapes/leftImg8bit/val',
    ]
    assert lines[6] == str(CLASSIFICATION) and len(lines) == 9
    assert lines[7].startswith('  train: ok: ') and lines[7].endswith(f' files of the digits of {train}')


def test_every_config_without_data(workspace, capsys):
    (workspace.folder / 'data' / 'digit_scenes').unlink()
    assert main(['--all']) == 1
    out = capsys.readouterr().out
    assert (
        '  train, val, test: missing: the folder data/digit_scenes/coco is missing: run `python tools/make_'
        in out
    )
    assert ' ok: ' not in out and 'data/imagenet' in out


def test_every_config_with_its_data(data_trees, workspace, monkeypatch, capsys):
    monkeypatch.chdir(data_trees.parent)
    assert main(['--all']) == 0
    assert 'missing' not in capsys.readouterr().out


def test_no_config_is_named(capsys):
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 1
    assert capsys.readouterr().err == 'error: name at least one config or data set (coco, voc, voc12aug, cityscapes, imagenet, cifar10, cifar100, mnist, '
        'fashion_mnist), or use --all\n'


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
