"""Weights of a layer are never dropped silently."""

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict

from attn_plugins import InsertionError
from tests.insertion.hosts import CA, IEBN, SE, plain, plugged

NAME = 'mmpretrain MobileNetV2'


def warnings_of(log_lines: list[str]) -> list[str]:
    return [line for line in log_lines if line.startswith('the checkpoint has')]


@pytest.mark.parametrize(
    'load', [lambda model, state: model.load_state_dict(state, strict=False), load_state_dict]
)
def test_a_checkpoint_without_the_layers_is_named_in_one_line(log_lines, load):
    load(plugged(NAME, CA), plain(NAME).state_dict())
    assert warnings_of(log_lines) == [
        'the checkpoint has no fitting weights for 17 inserted layers '
        '(layer1.0.conv.0.attn_ca and 16 more), which stay as initialised'
    ]


def test_a_checkpoint_with_other_layers_is_named(log_lines):
    load_state_dict(plugged(NAME, CA), plugged(NAME, SE).state_dict())
    (line,) = warnings_of(log_lines)
    assert (
        'no fitting weights for 17' in line
        and 'weights of layers that the model lacks (layer1.0.conv.0.attn_se' in line
    )


def test_layers_that_the_plain_model_lacks_are_named(log_lines):
    """The preset `none` is a Plugged host without layers."""
    for cfg in (CA, IEBN):
        load_state_dict(plugged(NAME, None), plugged(NAME, cfg).state_dict())
    assert len(warnings_of(log_lines)) == 2 and all(
        'which are dropped' in line for line in warnings_of(log_lines)
    )


def test_layers_of_another_size_are_named(log_lines):
    load_state_dict(plugged(NAME, dict(CA, min_channels=16)), plugged(NAME, CA).state_dict())
    assert 'only a part of the weights of 17 inserted layers' in warnings_of(log_lines)[0]


def test_a_fitting_checkpoint_is_loaded_in_silence(log_lines):
    for cfg in (CA, IEBN, None):
        load_state_dict(plugged(NAME, cfg), plugged(NAME, cfg).state_dict())
    load_state_dict(
        torch.nn.ModuleDict({'backbone': plugged(NAME, CA), 'head': torch.nn.Linear(2, 2)}),
        {'head.weight': torch.zeros(2, 2)},
    )
    assert not warnings_of(log_lines)


def test_strict_plugins_makes_it_an_error():
    model = plugged(NAME, CA, strict_plugins=True)
    model.load_state_dict(model.state_dict())
    for state in (plain(NAME).state_dict(), plugged(NAME, SE).state_dict()):
        with pytest.raises(InsertionError, match='strict_plugins=True refuses it'):
            model.load_state_dict(state, strict=False)


def test_pretrained_weights_come_after_the_initialisation(tmp_path):
    """Weights trained with attention survive `init_weights` with a Pretrained init_cfg, below a prefix as well."""
    trained = plugged(NAME, CA)
    for value in trained.parameters():
        value.data.uniform_()
    torch.save(
        {'state_dict': {f'backbone.{key}': value for key, value in trained.state_dict().items()}},
        tmp_path / 'classifier.pth',
    )
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'classifier.pth'), prefix='backbone.')
    model = plugged(NAME, CA, init_cfg=init_cfg)
    model.init_weights()
    for key, value in trained.state_dict().items():
        assert torch.equal(model.state_dict()[key], value)
