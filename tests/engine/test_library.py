"""library_of and prepare: the library of a config, and the defaults of that library's own tools."""

import pytest
import torch
from mmengine.config import Config

from attn_plugins.engine.library import library_of, prepare
from attn_plugins.errors import UserError


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
