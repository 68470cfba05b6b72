"""Weights that are loaded into a part of a plugged model, and layers in parts of plugged models."""

import pytest
import torch
from mmengine.registry import MODELS

from attn_plugins import InsertionError, inserted_layers
from tests.insertion.hosts import ANCHORS, CA, HOSTS, IEBN, SE

R18 = dict(depth=18, base_channels=16, stem_channels=16)
WHERE = {'SE': dict(position='after_conv2'), 'IEBN': dict(norm='main')}
CFGS = {'SE': SE, 'IEBN': IEBN}


def backbone(kind: str, **options) -> torch.nn.Module:
    """A trained classifier's backbone with layers."""
    model = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='mmdet.ResNet',
            plugins=[dict(cfg=CFGS[kind], **WHERE[kind])],
            **R18,
            **options,
        )
    )
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1)
    return model


def detector(
    init_cfg: dict | None, entries: list, backbone_entries: list | None = None, **options
) -> torch.nn.Module:
    inner = dict(type='mmdet.ResNet', out_indices=(0, 1, 2, 3), init_cfg=init_cfg, **R18)
    if backbone_entries is not None:
        inner = dict(inner, type='attn_plugins.Plugged', host='mmdet.ResNet', plugins=backbone_entries)
    return MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='mmdet.RetinaNet',
            plugins=entries,
            backbone=inner,
            neck=dict(type='mmdet.FPN', in_channels=[16, 32, 64, 128], out_channels=16, num_outs=5),
            bbox_head=dict(
                type='mmdet.RetinaHead',
                num_classes=3,
                in_channels=16,
                feat_channels=16,
                stacked_convs=1,
                anchor_generator=ANCHORS,
                bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
            ),
            **options,
        )
    )


@pytest.mark.parametrize('kind', CFGS)
@pytest.mark.parametrize('inside', [False, True], ids=['at detector level', 'backbone in a plugged detector'])
def test_layers_keep_the_weights_that_a_part_of_the_model_loads(kind, inside, tmp_path, log_lines):
    trained = backbone(kind)
    torch.save({'state_dict': trained.state_dict()}, tmp_path / 'trained.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))
    entry = dict(cfg=CFGS[kind], **WHERE[kind])
    neck = dict(cfg=CA, position='fpn_output')
    model = detector(init_cfg, [neck] if inside else [entry, neck], [entry] if inside else None)
    model.init_weights()
    lost = [
        key
        for key, value in trained.state_dict().items()
        if not torch.equal(model.backbone.state_dict()[key], value)
    ]
    assert not lost, f'{len(lost)} of {len(trained.state_dict())}: {lost[:3]}'
    layer = model.neck.fpn_convs[0].attn_layer
    assert (layer.conv1.bias == 0).all()
    assert not [line for line in log_lines if line.startswith('the checkpoint has')]


def test_a_part_that_loads_a_plain_checkpoint_says_so(tmp_path, log_lines):
    plain = MODELS.build(dict(type='mmdet.ResNet', **R18))
    torch.save({'state_dict': plain.state_dict()}, tmp_path / 'plain.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'plain.pth'))
    model = detector(init_cfg, [dict(cfg=SE, position='after_conv2')])
    model.init_weights()
    lines = [line for line in log_lines if line.startswith('the checkpoint has')]
    assert len(lines) == 1 and 'no fitting weights for 8 inserted layers (layer1.0.bn2.attn_se' in lines[0]
    strict = detector(init_cfg, [dict(cfg=SE, position='after_conv2')], strict_plugins=True)
    with pytest.raises(InsertionError, match='strict_plugins=True refuses it'):
        strict.init_weights()


def test_a_partly_loaded_layer_keeps_what_was_loaded(tmp_path):
    trained = backbone('SE').state_dict()
    del trained['layer1.0.bn2.attn_se.excitation.fc2.bias']
    torch.save({'state_dict': trained}, tmp_path / 'part.pth')
    model = detector(
        dict(type='Pretrained', checkpoint=str(tmp_path / 'part.pth')), [dict(cfg=SE, position='after_conv2')]
    )
    model.init_weights()
    layer = inserted_layers(model)['backbone.layer1.0.bn2.attn_se']
    assert torch.equal(layer.excitation.fc1.weight, trained['layer1.0.bn2.attn_se.excitation.fc1.weight'])
    assert abs(layer.excitation.fc2.bias).max() < 0.5  # its own start, and not mmengine's on what was there


def test_a_second_init_weights_does_not_draw_the_layers_anew():
    model = backbone('SE')
    model.init_weights()
    with torch.no_grad():
        for p in model.parameters():
            p.uniform_()
    trained = {key: value.clone() for key, value in model.state_dict().items()}
    model.init_weights()
    now = model.state_dict()
    assert all(torch.equal(now[key], value) for key, value in trained.items())


def test_what_was_loaded_before_stays_where_the_host_leaves_it():
    """A host without an `init_cfg` keeps what it has; so do its layers."""
    entry = dict(cfg=CA, position='fpn_output')
    neck = dict(
        type='attn_plugins.Plugged',
        host='mmdet.FPN',
        in_channels=[8, 16],
        out_channels=8,
        num_outs=2,
        plugins=[entry],
    )
    trained = MODELS.build(dict(neck)).state_dict()
    for init_cfg, kept in ((None, True), (dict(type='Xavier', layer='Conv2d'), False)):
        model = MODELS.build(dict(neck, init_cfg=init_cfg))
        model.load_state_dict(trained)
        for module in model.modules():
            if hasattr(module, 'init_cfg') and module is not model:
                module.init_cfg = None
        model.init_weights()
        key = 'fpn_convs.0.attn_ca.conv1.weight'
        assert torch.equal(model.state_dict()[key], trained[key]) == kept


@pytest.mark.parametrize('position, count', [('fpn_output', 2), ('lateral_output', 2)])
def test_stages_are_those_of_the_part_that_has_the_position(position, count):
    """At detector level the backbone's stages are not the neck's levels."""
    model = detector(None, [dict(cfg=CA, position=position, stages=(True, False, True, False))])
    assert len(inserted_layers(model)) == count
    assert all(key.startswith('neck.') for key in inserted_layers(model))


def test_norm_eval_of_a_detectors_backbone_is_said(log_lines):
    detector(None, [dict(cfg=CA, position='after_conv2')])
    assert any(
        'norm_eval=True also fixes the batch norms inside 8 inserted layers (backbone.' in line
        for line in log_lines
    )


def test_a_users_own_layer_is_a_layer(log_lines):
    """It starts as it was built, is missed in a checkpoint, and is listed."""
    from tests.insertion.test_host_tables import Scale

    host, defaults, position, count = HOSTS['mmdet MobileNetV2']
    model = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host=host,
            plugins=[dict(cfg=dict(type=Scale), position=position)],
            **defaults,
        )
    )
    layers = inserted_layers(model)
    assert len(layers) == count
    with torch.no_grad():
        for layer in layers.values():
            layer.scale.fill_(3)
    model.init_weights()
    assert all((layer.scale == 1).all() for layer in layers.values())
    state = {key: value for key, value in model.state_dict().items() if 'scale' not in key}
    model.load_state_dict(state, strict=False)
    assert any('no fitting weights for 17 inserted layers' in line for line in log_lines)
    strict = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host=host,
            strict_plugins=True,
            plugins=[dict(cfg=dict(type=Scale), position=position)],
            **defaults,
        )
    )
    with pytest.raises(InsertionError, match='strict_plugins=True'):
        strict.load_state_dict(state, strict=False)


@pytest.mark.parametrize('shared', [True, False])
def test_shared_and_unshared_checkpoints_do_not_mix_in_silence(shared, log_lines):
    def build(share: str | None, **options) -> torch.nn.Module:
        entry = dict(cfg=SE, position='after_conv3', share=share)
        narrow = dict(depth=50, base_channels=8, stem_channels=8)
        return MODELS.build(
            dict(type='attn_plugins.Plugged', host='mmdet.ResNet', plugins=[entry], **narrow, **options)
        )

    model, other = build('stage' if shared else None), build(None if shared else 'stage')
    model.load_state_dict(other.state_dict(), strict=False)
    message = (
        'weights of layers that the model lacks' if shared else 'no fitting weights for 12 inserted layers'
    )
    assert any(message in line for line in log_lines)
    strict = build('stage' if shared else None, strict_plugins=True)
    with pytest.raises(InsertionError, match='strict_plugins=True'):
        strict.load_state_dict(other.state_dict(), strict=False)


@pytest.mark.parametrize('cfg', [SE, dict(type='attn_plugins.DIA', reduction=4)], ids=['SE', 'DIA'])
def test_shared_layers_train_with_parameter_groups(cfg):
    """RTMDet's and most schedules of mmpretrain have a `paramwise_cfg`."""
    from mmengine.optim import build_optim_wrapper

    model = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='mmpretrain.ResNet',
            plugins=[dict(cfg=cfg, position='after_conv2', share='stage')],
            **R18,
        )
    )
    wrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='SGD', lr=0.1, weight_decay=0.1),
            paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=False),
        ),
    )
    held = [p for group in wrapper.optimizer.param_groups for p in group['params']]
    assert {id(p) for p in model.parameters()} <= {id(p) for p in held} and len(held) == len(
        set(map(id, held))
    )
    before = [p.clone() for layer in inserted_layers(model).values() for p in layer.parameters()]
    model.train()
    wrapper.update_params(model(torch.randn(4, 3, 32, 32))[-1].square().mean())
    after = [p for layer in inserted_layers(model).values() for p in layer.parameters()]
    assert all(not torch.equal(one, other) for one, other in zip(before, after, strict=True))
