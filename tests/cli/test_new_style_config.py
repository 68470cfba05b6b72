"""A config of mmengine's new style, with classes and our function in place of names, and a layer of the user's own."""

import json

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


def test_it_is_inspected_and_counted(workspace):
    (workspace.folder / 'my_twice.py').write_text(LAYER)
    (workspace.folder / 'new_style.py').write_text(CONFIG)
    variables = dict(PYTHONPATH=str(workspace.folder))
    result = workspace.run('inspect_model.py', 'new_style.py', '--json', '--shape', '32', '32', **variables)
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer['layers'] == 9
    se = sum(2 * (2 * c * (c // 4) + c // 4 + c) for c in (8, 16, 32, 64))  # two blocks per stage
    assert answer['added_parameters'] == se + 8 * 8 + 8
    result = workspace.run(
        'cost.py', 'new_style.py', '--shape', '3', '32', '32', '--repeats', '1', '--json', **variables
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)['counted']['parameters'] == answer['parameters']
