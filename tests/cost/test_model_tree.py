"""describe, draw and without_layers on a model small enough to count by hand."""

import torch
from mmengine.config import Config
from rich.console import Console
from torch import nn

from attn_plugins.cost.cost import count_madds
from attn_plugins.cost.model_tree import describe, draw, without_layers
from attn_plugins.insertion import Plug
from attn_plugins.registry import MODELS


def model() -> nn.Module:
    def block(reduction: int) -> nn.Module:
        layer = MODELS.build(dict(type='SE', in_channels=8, reduction=reduction))
        return nn.Sequential(Plug(nn.Conv2d(8, 8, 1, bias=False), layer, 'attn_se', channels=8), nn.ReLU())

    return nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.Sequential(block(4), block(4), block(2)))


def text_of(tree) -> str:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(tree)
    return capture.get()


def test_layers_stand_beside_what_they_follow_under_their_state_dict_names():
    net = model()
    info = describe(net, {'': 10, '1.0.0.wrapped': 7, '1.0.0.attn_se': 3})
    layers = list(info.layers())
    assert [layer.name for layer in layers] == ['1.0.0.attn_se', '1.1.0.attn_se', '1.2.0.attn_se']
    for layer in layers:
        assert layer.channels == 8
        assert layer.parameters == sum(
            v.numel() for k, v in net.state_dict().items() if k.startswith(layer.name + '.')
        )
    assert (
        layers[0].madds == 3
        and info.madds == 10
        and info.parameters == sum(p.numel() for p in net.parameters())
    )
    block = info.children[1].children[0]
    assert [(child.name, child.madds) for child in block.children] == [('0', 7), ('0.attn_se', 3), ('1', 0)]
    assert block.madds == 10  # its own forward was not counted


def test_a_module_that_blocks_share_counts_once():
    conv = nn.Conv2d(3, 3, 1, bias=False)
    shared = nn.Sequential(nn.Sequential(conv), nn.Sequential(conv))
    info = describe(shared, count_madds(shared, torch.zeros(1, 3, 4, 4)))
    assert info.madds == sum(child.madds for child in info.children) == 2 * 16 * 9


def test_like_layers_share_a_line_and_what_has_no_parameters_has_none():
    text = text_of(draw(describe(model(), {}), 1))
    assert '+ 0.0.attn_se and 1 alike SE, 8 channels' in text and '+ 2.0.attn_se SE, 8 channels' in text
    assert 'each' in text and 'ReLU' not in text_of(draw(describe(model(), {}), 3))


def test_the_plain_host_of_a_config():
    cfg = Config(
        dict(
            model=dict(
                backbone=dict(type='attn_plugins.Plugged', plugins=[dict(cfg=1)]),
                neck=dict(type='ResNet', plugins=[dict(cfg=1)]),
                heads=[
                    dict(norm_cfg=dict(type='attn_plugins.IEBN', sync=True)),
                    dict(norm_cfg=dict(type='GN', num_groups=2)),
                ],
            )
        )
    )
    plain = without_layers(cfg).model
    assert plain.backbone.plugins == [] and plain.neck.plugins is None
    assert plain.heads[0].norm_cfg == dict(type='BN', requires_grad=True)
    assert plain.heads[1] == cfg.model.heads[1] and cfg.model.backbone.plugins


def test_norm_layers_count_without_the_norm_they_hold():
    layer = MODELS.build(dict(type='IEBN', num_features=8))
    info = describe(nn.Sequential(layer, nn.Conv2d(8, 1, 1)), {})
    assert info.children[0].channels == 8
    assert info.children[0].parameters == sum(p.numel() for k, p in layer.named_parameters() if 'gate_' in k)
    assert torch.tensor(info.parameters) == 16 + info.children[0].parameters + 9
