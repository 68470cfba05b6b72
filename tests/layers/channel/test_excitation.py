"""Excitations: formulas in float64."""

import torch
import torch.nn.functional as F

from attn_plugins.registry import EXCITATIONS
from tests.layers.check import scramble
from tests.layers.helpers import random_map


def test_excitations_are_their_formulas():
    descriptor = random_map(3, 8)
    several = random_map(3, 8, 2)
    parts = {}
    for name, options in {
        'fc': dict(reduction=2, features=2),
        'conv1d': dict(kernel_size=3, features=2),
        'style': dict(features=2),
        'instance_enhance': {},
        'normalized_scale': dict(p=1),
        'identity': {},
    }.items():
        torch.manual_seed(0)
        parts[name] = EXCITATIONS.build(dict(type=name, in_channels=8, **options)).double().eval()
        scramble(parts[name])
    fc = parts['fc']
    hidden = (several.reshape(3, 16) @ fc.fc1.weight.T + fc.fc1.bias).relu()
    torch.testing.assert_close(fc(several), hidden @ fc.fc2.weight.T + fc.fc2.bias)
    kernel = parts['conv1d'].conv.weight[0]  # (2, 3)
    padded = F.pad(several, (0, 0, 1, 1))
    expected = sum(padded[:, i : i + 8] @ kernel[:, i] for i in range(3))
    torch.testing.assert_close(parts['conv1d'](several), expected)
    style = parts['style']
    z = (several * style.weight).sum(2)
    z = (z - style.norm.running_mean) / (style.norm.running_var + style.norm.eps).sqrt()
    torch.testing.assert_close(style(several), z * style.norm.weight + style.norm.bias)
    enhance = parts['instance_enhance']
    torch.testing.assert_close(enhance(descriptor), descriptor * enhance.weight + enhance.bias)
    scale = parts['normalized_scale']
    s = descriptor * scale.alpha
    s = s * scale.gamma / (s.abs().mean(1, keepdim=True) + 1e-5)
    torch.testing.assert_close(scale(descriptor), s + scale.beta)
    assert torch.equal(parts['identity'](descriptor), descriptor)
