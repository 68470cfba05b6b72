"""The input that a config's model is tried with, and what runs on it."""

import pytest
import torch
from mmcv.transforms import CenterCrop, Resize
from mmengine.config import Config

from attn_plugins.cost.cost import count_madds
from attn_plugins.cost.forward_pass import (
    ForwardPass,
    describe_input,
    input_size,
    make_input,
    proposals_of,
)
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model
from tests.cli.families import write_config


@pytest.mark.parametrize(
    ('scope', 'pipeline', 'size'),
    [
        (
            'mmpretrain',
            [dict(type='ResizeEdge', scale=256), dict(type='CenterCrop', crop_size=224)],
            (224, 224),
        ),
        (
            'mmdet',
            [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(320, 240), keep_ratio=False)],
            (240, 320),
        ),
        ('mmseg', [dict(type='Resize', scale=(2048, 1024), keep_ratio=True)], (1024, 2048)),
        ('mmdet', [dict(type='LoadImageFromFile')], (800, 1333)),
    ],
)
def test_input_size_is_that_of_the_test_images(scope, pipeline, size):
    cfg = Config(dict(default_scope=scope, test_dataloader=dict(dataset=dict(pipeline=pipeline))))
    assert input_size(cfg) == size


def test_input_size_is_what_the_preprocessor_pads_to_where_no_transform_fixes_it():
    cfg = Config(
        dict(
            default_scope='mmseg',
            model=dict(data_preprocessor=dict(size=(96, 128))),
            test_dataloader=dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile')])),
        )
    )
    assert input_size(cfg) == (96, 128)


def test_input_size_of_cifar_is_that_of_its_images():
    dataset = dict(type='CIFAR100', pipeline=[dict(type='PackInputs')])
    cfg = Config(dict(default_scope='mmpretrain', model={}, test_dataloader=dict(dataset=dataset)))
    assert input_size(cfg) == (32, 32)


def test_input_size_is_the_window_that_slides_over_the_image():
    test_cfg = dict(mode='slide', crop_size=(64, 48), stride=(42, 42))
    cfg = Config(
        dict(
            default_scope='mmseg',
            model=dict(test_cfg=test_cfg),
            test_dataloader=dict(dataset=dict(pipeline=[dict(type='Resize', scale=(584, 565))])),
        )
    )
    assert input_size(cfg) == (64, 48)


@pytest.mark.parametrize(
    ('transform', 'size'),
    [(dict(type=CenterCrop, crop_size=96), (96, 96)), (dict(type=Resize, scale=(80, 60)), (60, 80))],
)
def test_input_size_of_a_config_that_names_classes(transform, size):
    cfg = dict(default_scope='mmpretrain', test_dataloader=dict(dataset=dict(pipeline=[transform])))
    assert input_size(cfg) == size


def test_images_pass_through_the_models_own_preprocessor(tmp_path):
    cfg = load_config(write_config(tmp_path, 'RetinaNet')[0])
    inputs = make_input(cfg, build_model(cfg), (50, 70), batch=2)
    assert inputs.shape == (2, 3, 64, 96)
    assert (inputs[:, :, 50:] == 0).all() and inputs[:, :, :50, :70].std() > 0.5
    assert (
        describe_input(inputs.shape, (50, 70), None)
        == '2 × 3 × 64 × 96 (50 × 70, padded by the data_preprocessor)'
    )
    assert describe_input(inputs.shape, (64, 96), 5) == '2 × 3 × 64 × 96 with 5 proposals an image'


def test_a_two_stage_detector_costs_the_same_whatever_its_weights_find(tmp_path):
    cfg = load_config(write_config(tmp_path, 'Faster R-CNN')[0])
    counts = []
    for _ in range(2):
        model = build_model(cfg).eval()
        counts.append(count_madds(model, torch.randn(1, 3, 64, 64)))
    assert counts[0] == counts[1]
    hidden, roi = 1024, 256 * 7 * 7
    assert counts[0]['roi_head.bbox_head'] == proposals_of(model) * hidden * (roi + hidden + 81 + 80 * 4)


def test_a_segmentors_scores_have_the_size_of_its_input(tmp_path):
    cfg = load_config(write_config(tmp_path, 'PSPNet')[0])
    with torch.no_grad():
        assert ForwardPass(build_model(cfg).eval(), torch.randn(2, 3, 64, 96))().shape == (2, 19, 64, 96)
