"""The papers' way: a classifier is trained with attention inside, and detectors and segmentors of all libraries start
from it.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from mmdet.registry import MODELS as MMDET  # noqa: F401  the scopes must be known
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS as MMPRETRAIN  # noqa: F401
from mmseg.registry import MODELS as MMSEG  # noqa: F401
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from attn_plugins import inserted_layers
from tests.insertion.hosts import ANCHORS, CA, IEBN, SE


class Case(NamedTuple):
    """A host with layers.

    Attributes:
        hosts: Its names in mmpretrain, mmdet and mmseg; the first is the classifier's.
        options: Of all of them, `plugins` among them.
        out_indices: Maps of strides 4 to 32, at which the hosts agree.
        channels: Of the last output of the classifier's backbone.
        layers: How many layers there are.
    """

    hosts: tuple[str, str, str]
    options: dict
    out_indices: tuple[int, ...]
    channels: int
    layers: int


def resnet(depth: int, entry: dict, channels: int, layers: int) -> Case:
    return Case(
        ('mmpretrain.ResNet', 'mmdet.ResNet', 'mmseg.ResNet'),
        dict(depth=depth, base_channels=8, stem_channels=8, plugins=[entry]),
        (0, 1, 2, 3),
        channels,
        layers,
    )


CASES = {
    'MobileNetV2 CA': Case(
        # The blocks of mmdet's own have other names.
        ('mmpretrain.MobileNetV2', 'mmpretrain.MobileNetV2', 'mmseg.MobileNetV2'),
        dict(
            widen_factor=0.1,
            plugins=[dict(cfg=CA, position='after_depthwise', stages=(False, *[True] * 6))],
        ),
        (1, 2, 4, 6),
        32,
        16,
    ),
    'ResNet-18 SE': resnet(18, dict(cfg=SE, position='after_conv2'), 64, 8),
    'ResNet-18 IEBN': resnet(18, dict(cfg=IEBN, norm='main'), 64, 17),
    'ResNet-50 SE': resnet(50, dict(cfg=SE, position='after_conv3'), 256, 16),
    'MobileNeXt CA': Case(
        ('attn_plugins.MobileNeXt',) * 3,
        dict(
            widen_factor=0.1,
            plugins=[
                dict(
                    cfg=CA,
                    position='after_depthwise',
                    stages=(True, True, *[(False, *[True] * n) for n in (2, 2, 3, 3, 2)], True),
                )
            ],
        ),
        (0, 2, 3, 7),
        1280,
        15,
    ),
}


def classifier(backbone: dict, channels: int) -> dict:
    head = dict(type='mmpretrain.LinearClsHead', num_classes=5, in_channels=channels)
    neck = dict(type='mmpretrain.GlobalAveragePooling')
    return dict(type='mmpretrain.ImageClassifier', backbone=backbone, neck=neck, head=head)


def detector(backbone: dict, channels: int) -> dict:
    head = dict(
        type='mmdet.RetinaHead',
        num_classes=3,
        in_channels=channels,
        feat_channels=8,
        stacked_convs=1,
        anchor_generator=ANCHORS,
        bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
    )
    return dict(type='mmdet.RetinaNet', backbone=backbone, neck=None, bbox_head=head)


def segmentor(backbone: dict, channels: int) -> dict:
    head = dict(type='mmseg.FCNHead', in_channels=channels, channels=8, num_classes=3, num_convs=1)
    return dict(type='mmseg.EncoderDecoder', backbone=backbone, decode_head=head)


BUILDERS: dict[str, Callable[[dict, int], dict]] = {
    'mmpretrain': classifier,
    'mmdet': detector,
    'mmseg': segmentor,
}


def build(case: Case, library: str, **options) -> torch.nn.Module:
    """A whole model of a library on the case's host, in that library's scope, as its `init_weights` leaves it."""
    init_default_scope(library)
    host = case.hosts[list(BUILDERS).index(library)]
    backbone = dict(
        type='attn_plugins.Plugged', host=host, out_indices=case.out_indices, **case.options, **options
    )
    model = MODELS.build(BUILDERS[library](backbone, case.channels))
    model.init_weights()
    model.eval()
    return model


def trained(case: Case) -> torch.nn.Module:
    """A classifier no number of which is that of a start."""
    model = build(case, 'mmpretrain')
    for parameter in model.parameters():
        parameter.data.mul_(1 + 0.3 * torch.rand_like(parameter)).add_(0.05 * torch.rand_like(parameter))
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return model


@pytest.mark.parametrize('name', CASES)
def test_a_classifier_with_layers_is_the_start_of_all_libraries(name, tmp_path):
    """A checkpoint of mmengine's Runner, read by `Pretrained` with the prefix of the backbone: not one bit of a map
    differs.
    """
    case = CASES[name]
    source = trained(case)
    runner = Runner(
        source,
        str(tmp_path),
        train_dataloader=DataLoader([0]),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_scope='mmpretrain',
        experiment_name=name.replace(' ', '_'),
    )
    runner.save_checkpoint(str(tmp_path), 'classifier.pth', save_optimizer=False, save_param_scheduler=False)
    start = dict(type='Pretrained', checkpoint=str(tmp_path / 'classifier.pth'), prefix='backbone.')
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        expected = source.eval().backbone(x)
        assert len(expected) == 4 and all(y.isfinite().all() and y.std() > 0 for y in expected)
        for library in BUILDERS:
            model = build(case, library, init_cfg=start)
            assert len(inserted_layers(model.backbone)) == case.layers
            maps = model.backbone(x)
            assert [torch.equal(*pair) for pair in zip(maps, expected, strict=True)] == [True] * 4, library
            other = build(case, library)
            assert not torch.equal(other.backbone(x)[0], expected[0])
