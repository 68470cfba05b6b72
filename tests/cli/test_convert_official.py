"""convert_official.py: the authors' whole network becomes a checkpoint of a config."""

from pathlib import Path

import numpy as np
import pytest
import torch

from attn_plugins import load_official
from attn_plugins.cli.convert_official import main
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model
from tests.layers.test_golden import GOLDEN

CONFIG = """
_base_ = ['attn_plugins::_base_/attention/ca.py', 'attn_plugins::_base_/runtime_mmpretrain.py']
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='attn_plugins.Plugged',
        host='mmpretrain.MobileNetV2',
        widen_factor=0.25,
        plugins={{_base_.attention}},
        place=dict(position='after_depthwise', stages=(False,) + (True,) * 6)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=1280))
"""


@pytest.fixture
def official(tmp_path, monkeypatch):
    """The authors' MobileNetV2 with Coordinate Attention at width 0.25, as they save it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'ca.py').write_text(CONFIG)
    golden = np.load(GOLDEN / 'model_mobilenetv2_ca.npz')
    weights = {
        key.removeprefix('state/'): torch.from_numpy(golden[key])
        for key in golden.files
        if key.startswith('state/')
    }
    torch.save(dict(state_dict={f'module.{key}': value for key, value in weights.items()}), 'official.pth')
    return weights


def test_what_is_written_is_a_checkpoint_of_the_config(official, capsys):
    main(['ca.py', 'official.pth', 'ours.pth'])
    assert 'ours.pth: ' in capsys.readouterr().out
    written = torch.load('ours.pth')['state_dict']
    model = build_model(load_config('ca.py'))
    expected = build_model(load_config('ca.py'))
    load_official(expected, official)
    model.load_state_dict(written)
    assert all(torch.equal(value, expected.state_dict()[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (
            ['official.pth', 'ours.pth', '--cfg-options', 'model.head.num_classes=12'],
            'official.pth does not fit ca.py',
        ),
        (['official.pth', 'official.pth'], 'official.pth is there already'),
        (['absent.pth', 'ours.pth'], 'there is no checkpoint absent.pth'),
        (
            ['official.pth', 'ours.pth', '--part', 'bakbone'],
            "no part 'bakbone': choose from data_preprocessor, backbone",
        ),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(official, capsys, words, said):
    with pytest.raises(SystemExit, match='1'):
        main(['ca.py', *words])
    assert said in capsys.readouterr().err
    assert not (set(map(str, Path().glob('*.pth'))) - {'official.pth'})
