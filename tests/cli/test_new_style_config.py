"""A config of mmengine's new style, with classes and our function in place of names, and a layer of the user's own."""

import json

from attn_plugins.cli import cost, inspect_model

LAYER = """
from torch import nn


class Twice(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, in_channels, 1)

    def forward(self, x):
        return self.conv(x)
"""
CONFIG = """
from mmengine.config import read_base
from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, ResNet

from attn_plugins import Plugged
from attn_plugins.layers import SE
from my_twice import Twice

default_scope = 'mmpretrain'
model = dict(
    type=ImageClassifier,
    backbone=dict(
        type=Plugged,
        host=ResNet,
        depth=18,
        base_channels=8,
        stem_channels=8,
        plugins=[
            dict(cfg=dict(type=SE, reduction=4), position='after_conv2'),
            dict(cfg=dict(type=Twice), position='stage_output', stages=(True, False, False, False)),
        ],
    ),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=3, in_channels=64),
)
"""


def test_it_is_inspected_and_counted(tmp_path, monkeypatch, capsys):
    (tmp_path / 'my_twice.py').write_text(LAYER)
    (tmp_path / 'new_style.py').write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    inspect_model.main(['new_style.py', '--json', '--shape', '32', '32'])
    answer = json.loads(capsys.readouterr().out)
    assert answer['layers'] == 9
    se = sum(2 * (2 * c * (c // 4) + c // 4 + c) for c in (8, 16, 32, 64))  # two blocks per stage
    assert answer['added_parameters'] == se + 8 * 8 + 8
    cost.main(['new_style.py', '--shape', '32', '32', '--repeats', '1', '--json'])
    assert json.loads(capsys.readouterr().out)['counted']['parameters'] == answer['parameters']
