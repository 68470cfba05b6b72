"""What every convolution does: the layer contract with other channels and sizes, mmcv's and a host's use, bad input."""

import copy

import pytest
import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.utils import fuse_conv_bn

from attn_plugins import layers
from tests.layers import check
from tests.layers.conv.build import GEOMETRIES
from tests.layers.examples import CONV_SIZES, CONVS, is_first
from tests.layers.helpers import make


@pytest.mark.parametrize('name', CONVS)
@pytest.mark.parametrize('geometry', GEOMETRIES, ids=str)
def test_shapes_are_those_of_the_convolution_it_replaces(name, geometry):
    cfg = {**CONV_SIZES, **CONVS[name], **geometry}
    check.check_shapes(cfg, 8)
    check.check_channels_last(cfg, 8)


@pytest.mark.parametrize('name', CONVS)
def test_contract(name):
    check.check_layer({**CONV_SIZES, **CONVS[name]}, 8, exports=is_first(CONVS, name))


@pytest.mark.parametrize('name', CONVS)
def test_conv_module_takes_it(name):
    torch.manual_seed(0)
    cfg = {key: value for key, value in CONVS[name].items() if key not in ('bias', 'groups')}
    module = ConvModule(8, 12, 3, stride=2, padding=1, conv_cfg=cfg, norm_cfg=dict(type='BN'))
    assert (module.in_channels, module.out_channels, module.stride) == (8, 12, (2, 2))
    assert not module.transposed and module.conv.padding == (1, 1)
    check.scramble(module)
    x = torch.randn(2, 8, 5, 7)
    y = module.eval()(x)
    assert y.shape == (2, 12, 3, 4)
    torch.testing.assert_close(fuse_conv_bn(copy.deepcopy(module))(x), y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', layers.conv.__all__)
def test_a_resnet_takes_it_in_place_of_its_3x3_convolutions(name):
    mmdet = pytest.importorskip('mmdet.models')
    options = dict(depth=50, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,), base_channels=16)
    host = mmdet.ResNet(**options, dcn=dict(type=f'attn_plugins.{name}'), stage_with_dcn=(True,))
    torch.manual_seed(0)
    host.init_weights()
    layer = host.layer1[0].conv2
    assert type(layer).__name__ == name
    twin = copy.deepcopy(layer)
    twin.init_weights()
    for (key, value), again in zip(layer.named_parameters(), twin.parameters(), strict=True):
        if value.numel() > 100:
            assert abs(value.std() / again.std() - 1) < 0.3, f'the host overwrote {key}'
    assert host(torch.randn(2, 3, 32, 32))[0].shape == (2, 64, 8, 8)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(kernel_size=4), 'kernel_size=4 must be odd.*: try 5'),
        (dict(kernel_size=(3, 5)), r'kernel_size=\(3, 5\) must be square: try 3'),
        (dict(groups=3), 'groups=3 must divide in_channels=16 and out_channels=16'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    sizes = dict(in_channels=16, out_channels=16, kernel_size=3, padding=1)
    with pytest.raises(ValueError, match=message):
        make('SKConv', **{**sizes, **options})
