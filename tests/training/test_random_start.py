"""A backbone that starts at random is told of, with what would stay at random; one with weights is not."""

import logging
from pathlib import Path

import pytest

from attn_plugins.training import runner
from attn_plugins.training.config import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.mark.parametrize(
    ('leaf', 'options', 'said'),
    [
        ('ssdlite/ssdlite_mobilenetv2_8xb32-200k_coco.py', {}, ['starts at random: give it']),
        (
            'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
            {},
            ['frozen_stages=1 keeps the first stages so', 'norm_eval=True keeps'],
        ),
        ('mobilenetv2/mobilenetv2_4xb64-200e_in1k.py', {}, None),
        (
            'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
            {'model.backbone.init_cfg': dict(type='Pretrained', checkpoint='x.pth')},
            None,
        ),
        ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', {'load_from': 'x.pth'}, None),
    ],
)
def test_a_random_start_is_said(leaf, options, said, monkeypatch):
    lines = []
    monkeypatch.setattr(runner, 'print_log', lambda text, logger, level: lines.append((text, level)))
    runner.warn_of_random_start(load_config(CONFIGS / leaf, cfg_options=options))
    if said is None:
        assert not lines
    else:
        ((line, level),) = lines
        assert level == logging.WARNING and all(words in line for words in said)
