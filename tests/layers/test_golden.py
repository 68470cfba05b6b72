"""Every layer equals the authors' code: outputs in both modes, gradients of input and parameters, running statistics.

The files hold inputs, random weights and results of the authors' published modules (float32), under their own
parameter names; they are loaded through `load_official`.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from attn_plugins import load_official
from attn_plugins.official.layer import in_our_names

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden'
CASES = json.loads((GOLDEN / 'cases.json').read_text())
TOLERANCE = 1e-5  # relative to the largest value: float32's accuracy for sums of this length


def load(case: str) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """The layer with the authors' weights, and the case's tensors."""
    data = {key: torch.from_numpy(value) for key, value in np.load(GOLDEN / f'{case}.npz').items()}
    layer = MODELS.build(dict(CASES[case]['kwargs'], type='attn_plugins.' + CASES[case]['type']))
    load_official(layer, {key[6:]: value for key, value in data.items() if key.startswith('state/')})
    return layer, data


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference, relative to the largest of their values."""
    theirs = theirs.reshape(ours.shape)
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def relative_errors(case: str) -> dict[str, float]:
    """The relative error of every tensor that the case holds, by name."""
    layer, data = load(case)
    layer.eval()
    errors = {'y_eval': relative_error(layer(data['x']), data['y_eval'])}
    if 'y_train' not in data:  # the published code cannot be trained
        return errors
    layer.train()
    x = data['x'].clone().requires_grad_()
    y = layer(x)
    y.backward(data['dy'])
    errors |= {'y_train': relative_error(y, data['y_train']), 'dx': relative_error(x.grad, data['dx'])}
    ours = layer.state_dict(keep_vars=True)
    gradients = {key[5:]: value for key, value in data.items() if key.startswith('grad/')}
    assert len(gradients) == len(list(layer.parameters()))
    largest = max((value.abs().max() for value in gradients.values()), default=None)
    for key, value in in_our_names(layer, gradients).items():
        if value.abs().max() < TOLERANCE * largest:
            # A bias before a batch norm: zero, and rounding is all there is.
            errors[f'gradient of {key}'] = (ours[key].grad.abs().max() / largest).item()
        else:
            errors[f'gradient of {key}'] = relative_error(ours[key].grad, value)
    statistics = {key[6:]: value for key, value in data.items() if key.startswith('after/')}
    assert len(statistics) == sum('running' in key for key in ours)
    for key, value in in_our_names(layer, statistics).items():
        errors[key] = relative_error(ours[key], value)
    return errors


@pytest.mark.parametrize('case', CASES)
def test_equals_the_authors_code(case):
    errors = relative_errors(case)
    assert not {name: error for name, error in errors.items() if not error <= TOLERANCE}


def test_a_wrong_number_is_noticed():
    layer, data = load('se')
    layer.eval()
    y = layer(data['x'])
    assert relative_error(y, data['y_eval']) <= TOLERANCE < relative_error(y, data['y_eval'] * (1 + 1e-4))


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda state: state.pop('fc.0.bias'), 'have nothing for excitation.fc1.bias'),
        (lambda state: state.update(extra=torch.zeros(1)), "no place for the key 'extra'"),
        (lambda state: state.update({'fc.0.weight': torch.zeros(3, 32)}), r'has shape \(3, 32\)'),
    ],
)
def test_nothing_missing_nothing_left_over(change, message):
    layer, data = load('se')
    state = {key[6:]: value for key, value in data.items() if key.startswith('state/')}
    change(state)
    with pytest.raises(ValueError, match=message):
        load_official(layer, state)
