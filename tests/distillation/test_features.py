"""What a module hands on is what is kept of it, whatever the host does to it afterwards."""

import torch
import torch.nn.functional as F
from torch import nn

from attn_plugins.distillation import distillation_of
from attn_plugins.distillation.features import Features, maps_of
from tests.distillation.models import build, labels


class Host(nn.Module):
    """Changes in place what its modules have just handed on, a map and a list of two."""

    def __init__(self):
        super().__init__()
        self.conv, self.pair, self.last = nn.Conv2d(3, 4, 3, padding=1), Pair(), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = F.relu_(self.conv(x))
        first, second = self.pair(x)
        first += 1
        second.mul_(2)
        return self.last(first + second)


class Pair(nn.Module):
    """A list of two maps."""

    def forward(self, x):
        return [x * 3, x - 1]


PATHS = ['backbone.bn1', 'backbone.layer1.0.bn2']


def resnet() -> dict:
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=10,
            in_channels=64,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor'),
    )


def test_in_place_changes_of_the_host_reach_neither_values_nor_gradients():
    torch.manual_seed(0)
    host = Host().double()
    features = Features(host, ['conv', 'pair'], 'student')
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    with features.reading():
        y = host(x)
        kept = features.kept
    conv = host.conv(x)
    assert torch.equal(maps_of(kept, 'conv', 'student')[0], conv) and conv.min() < 0
    first, second = maps_of(kept, 'pair', 'student')
    assert torch.equal(first, 3 * conv.relu()) and torch.equal(second, conv.relu() - 1)
    # What is compared, and the host's own result, differentiated twice: as without any change in place.
    expected = host.last(3 * conv.relu() + 1 + 2 * (conv.relu() - 1)).square().sum() + conv.pow(3).sum()
    gradients = []
    for total in (y.square().sum() + maps_of(kept, 'conv', 'student')[0].pow(3).sum(), expected):
        (gradient,) = torch.autograd.grad(total, x, create_graph=True)
        gradients.append((gradient, torch.autograd.grad(gradient.square().sum(), x)[0]))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_a_resnet_is_compared_by_what_its_norms_hand_on():
    """`bn2` of a block, to which the shortcut is added in place, and `bn1` of the stem, before a ReLU in place; of
    both models.
    """
    model = build(resnet(), resnet(), losses=[dict(type='attn_plugins.ActivationTransfer')], pairs=PATHS)
    distillation = distillation_of(model)
    handed, compared = [], []
    for network in (model, distillation.teacher.model):
        for path in PATHS:
            network.get_submodule(path).register_forward_hook(
                lambda module, args, output: handed.append(output.detach().clone()), prepend=True
            )
    distillation.losses[0].register_forward_pre_hook(lambda loss, args: compared.append(args))
    model(inputs=torch.randn(2, 3, 32, 32), data_samples=labels(2), mode='loss')
    ours, theirs = zip(*compared, strict=True)
    assert len(handed) == 4
    for kept, true in zip((*ours, *theirs), handed, strict=True):
        assert torch.equal(kept, true) and true.min() < 0
