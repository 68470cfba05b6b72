"""Maps are those of formulas written out with autograd, and depend on the model's weights."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attn_plugins.errors import UserError
from attn_plugins.visualization.cam import LIBRARY, PERTURBING, check_method, compute_cam
from attn_plugins.visualization.network import finer_layer
from attn_plugins.visualization.odam import odam, strongest_layer
from attn_plugins.visualization.target import choose_target
from tests.visualization.models import BrightSpot, TinyClassifier, network_of, picture_of


@pytest.fixture
def classifier():
    network = network_of(TinyClassifier(), 'mmpretrain')
    return network, picture_of(torch.randn(1, 3, 32, 32))


def by_hand(model, inputs, label):
    """The last map and its gradient."""
    map_ = model.backbone(inputs).detach().requires_grad_(True)
    model.head(map_.mean((2, 3)))[0, label].backward()
    return map_.detach(), map_.grad


def scaled(heat, inputs):
    """As pictures show it: enlarged, from 0 to 1."""
    heat = F.interpolate(heat[None, None], size=inputs.shape[2:], mode='bilinear')[0, 0]
    return ((heat - heat.min()) / (heat.max() - heat.min())).numpy()


def test_grad_cam_is_its_formula(classifier):
    network, picture = classifier
    target = choose_target(network, picture, 'c')
    cam = compute_cam(network, picture, target, 'gradcam')
    map_, gradient = by_hand(network.model, picture.inputs, 2)
    heat = (gradient.mean((2, 3), keepdim=True) * map_).sum(1)[0].relu()
    assert (cam.layer, cam.size) == ('backbone', (8, 8))
    if heat.max() == 0:
        assert cam.is_flat
    else:
        np.testing.assert_allclose(cam.heat, scaled(heat, picture.inputs), atol=1e-4)


def test_odam_is_gradient_times_map_also_where_the_host_overwrites_it(classifier):
    network, picture = classifier
    target = choose_target(network, picture)
    x = network.model.backbone[:3](picture.inputs).detach().requires_grad_(True)
    out = network.model.head(x.relu().mean((2, 3)))[0]
    assert target.label == int(out.argmax())
    out[target.label].backward()
    found = odam(network, picture.inputs, target, 'backbone.2')
    torch.testing.assert_close(found, (x.grad * x).sum(1)[0].relu().detach())


def test_odam_of_a_box_goes_through_the_detach_of_the_head():
    network = network_of(BrightSpot(), 'mmdet')
    inputs = torch.rand(1, 3, 32, 32) * 0.5 + 0.5
    target = choose_target(network, picture_of(inputs), box=0)
    x1, y1, x2, y2 = BrightSpot.box
    wanted = torch.zeros(32, 32)
    wanted[y1:y2, x1:x2] = inputs[0, :, y1:y2, x1:x2].sum(0) / (3 * 6 * 6)
    torch.testing.assert_close(odam(network, inputs, target, 'backbone'), wanted)


def test_the_default_layer_is_the_one_that_the_box_depends_on(classifier):
    network, picture = classifier
    target = choose_target(network, picture)
    layers = ['backbone.1', 'backbone.3']
    sums = [float(odam(network, picture.inputs, target, layer).sum()) for layer in layers]
    assert strongest_layer(network, picture.inputs, target, layers) == layers[sums[1] >= sums[0]]


@pytest.mark.parametrize('method', LIBRARY)
def test_every_method_of_the_library_runs(method, classifier):
    network, picture = classifier
    cam = compute_cam(network, picture, choose_target(network, picture), method)
    assert cam.heat.shape == (32, 32) and np.isfinite(cam.heat).all()
    assert cam.is_flat or (cam.heat.min(), cam.heat.max()) == pytest.approx((0, 1))
    assert not network.model.backbone._forward_hooks


@pytest.mark.parametrize('method', ['odam', 'layercam'])
def test_random_weights_change_the_map(method, classifier):
    """A map that stays when the weights go shows the image, not the model (Adebayo et al., NeurIPS 2018)."""
    network, picture = classifier
    target = choose_target(network, picture, 'b')
    first = compute_cam(network, picture, target, method).heat
    assert np.array_equal(first, compute_cam(network, picture, target, method).heat)
    torch.manual_seed(1)
    for module in network.model.modules():
        if hasattr(module, 'reset_parameters'):
            module.reset_parameters()
    other = compute_cam(network, picture, target, method).heat
    assert np.abs(first - other).mean() > 0.05


def test_methods_and_layers_that_cannot_be(classifier):
    network, picture = classifier
    target = choose_target(network, picture)
    with pytest.raises(UserError, match=r"no method 'gradcan': did you mean gradcam"):
        check_method('gradcan', 'mmseg')
    for method in PERTURBING:
        with pytest.raises(UserError, match='use odam, which needs a gradient, or drise'):
            check_method(method, 'mmdet')
    with pytest.raises(UserError, match='with a detector, and scorecam here'):
        check_method('drise', 'mmpretrain')
    with pytest.raises(UserError, match=r"no layer 'backbon': did you mean backbone"):
        odam(network, picture.inputs, target, 'backbon')
    with pytest.raises(UserError, match=r'gives no map .* but \(1, 5\)'):
        odam(network, picture.inputs, target, 'head')
    with pytest.raises(UserError, match='backbone gives 1 maps: choose from'):
        odam(network, picture.inputs, target, 'backbone[3]')


def test_boxes_and_classes_that_are_not_there():
    network = network_of(BrightSpot(), 'mmdet')
    picture = picture_of(torch.ones(1, 3, 32, 32))
    with pytest.raises(UserError, match='there is no box 1: tiny finds 1 in made.png'):
        choose_target(network, picture, box=1)
    with pytest.raises(UserError, match=r'finds nothing of class a .* the best has 0\.100'):
        choose_target(network, picture, 'a')
    with pytest.raises(UserError, match="no class 'z': choose from a, b"):
        choose_target(network, picture, 'z')


class OneChannel(nn.Module):
    """A segmentor of two classes with one channel, whose logit is the brightness."""

    def __init__(self, threshold):
        super().__init__()
        self.decode_head = nn.Module()
        self.decode_head.num_classes, self.decode_head.threshold = 2, threshold

    def encode_decode(self, inputs, metas):
        return inputs.mean(1, keepdim=True)


@pytest.mark.parametrize('threshold', [0.3, 0.7])
def test_a_segmentor_of_one_channel_has_two_classes(threshold):
    """mmseg predicts class 1 where the sigmoid exceeds the head's threshold."""
    network = network_of(OneChannel(threshold), 'mmseg')
    inputs = torch.randn(1, 3, 32, 32)
    outputs = network(inputs)
    assert outputs.shape == (1, 2, 32, 32)
    assert torch.equal(outputs.argmax(1), (inputs.mean(1).sigmoid() > threshold).long())
    bright = picture_of(torch.full((1, 3, 32, 32), 3.0))
    target = choose_target(network, bright)
    assert target.label == 1 and target.text == 'b (100.0% of the image)'
    assert float(target.value(network(bright.inputs)[0])) == 3


@pytest.mark.parametrize('least, layer', [(9, 'backbone.1'), (8, 'backbone.3'), (20, None)])
def test_a_finer_layer_is_the_last_that_is_fine_enough(least, layer, classifier):
    network, picture = classifier
    assert finer_layer(network, picture.inputs, least) == layer
