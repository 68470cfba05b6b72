"""library_of and prepare: the library of a config, and the defaults of that library's own tools."""

from copy import deepcopy

import pytest
import torch
from mmengine.config import Config

from attn_plugins.errors import UserError
from attn_plugins.training.library import LIBRARIES, build_model, library_of, prepare


def test_the_library_is_that_of_the_default_scope():
    assert library_of(Config(dict(default_scope='mmseg'))) == 'mmseg'
    with pytest.raises(
        UserError, match="default_scope = 'mmpose': build it on one of configs/_base_/runtime_"
    ):
        library_of(Config(dict(default_scope='mmpose')))
    with pytest.raises(UserError, match='default_scope = None'):
        library_of(Config())


def test_mmpretrains_defaults_give_way_to_the_config():
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            train_dataloader=dict(num_workers=2, collate_fn=dict(type='mine')),
            val_dataloader=dict(num_workers=0),
            test_dataloader=None,
        )
    )
    prepare(cfg)
    gpu = torch.cuda.is_available()
    assert cfg.train_dataloader == dict(
        num_workers=2, collate_fn=dict(type='mine'), pin_memory=gpu, persistent_workers=True
    )
    assert cfg.val_dataloader == dict(
        num_workers=0, collate_fn=dict(type='default_collate'), pin_memory=gpu, persistent_workers=False
    )
    assert cfg.test_dataloader is None


def test_the_others_dataloaders_are_left_alone():
    for library in ('mmdet', 'mmseg'):
        cfg = Config(dict(default_scope=library, train_dataloader=dict(num_workers=2)))
        prepare(cfg)
        assert cfg.train_dataloader == dict(num_workers=2)


@pytest.mark.parametrize('library', LIBRARIES)
def test_without_workers_none_persist_or_fetch_ahead(library):
    """A config of data sets keeps its workers; `train_dataloader.num_workers=0`, for a debugger, is all that it
    takes.
    """
    loader = dict(
        num_workers=0, persistent_workers=True, prefetch_factor=4, batch_size=1, dataset=[0], sampler=None
    )
    cfg = Config(dict(default_scope=library, train_dataloader=loader))
    prepare(cfg)
    assert cfg.train_dataloader.persistent_workers is False and 'prefetch_factor' not in cfg.train_dataloader


def test_two_builds_of_a_config_share_nothing_and_leave_it_as_it_is():
    plugin = dict(cfg=dict(type='attn_plugins.SE', reduction=4), position='block_output')
    backbone = dict(type='attn_plugins.Plugged', host='ResNetV1c', depth=18, plugins=[plugin])
    head = dict(
        type='FCNHead', in_channels=512, in_index=3, channels=8, num_classes=2, norm_cfg=dict(type='BN')
    )
    model = dict(
        type='EncoderDecoder', pretrained='open-mmlab://resnet18_v1c', backbone=backbone, decode_head=head
    )
    cfg = Config(dict(default_scope='mmseg', model=dict(model, test_cfg=dict(mode='whole'))))
    before = deepcopy(cfg.to_dict())
    first, second = build_model(cfg), build_model(cfg)
    assert cfg.to_dict() == before
    assert not {*map(id, first.parameters())} & {*map(id, second.parameters())}
    first.decode_head.norm_cfg['type'] = 'GN'
    first.test_cfg['mode'] = 'slide'
    assert second.decode_head.norm_cfg == dict(type='BN') and second.test_cfg == dict(mode='whole')
    assert cfg.to_dict() == before


def test_a_preprocessor_beside_the_model_is_built_into_it():
    backbone = dict(type='ResNet', depth=18)
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(type='ImageClassifier', backbone=backbone),
            data_preprocessor=dict(mean=[10.0], std=[2.0]),
        )
    )
    assert build_model(cfg).data_preprocessor.mean.flatten().tolist() == [10.0]
