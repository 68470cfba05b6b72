"""The hook changes the memory format of every map and nothing of the numbers."""

from types import SimpleNamespace

import torch
from mmengine.registry import HOOKS

from tests.insertion.hosts import CA, plugged


def test_maps_follow_and_numbers_stay():
    model = plugged('mmpretrain MobileNetV2', CA).double()
    model.eval()
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    expected = model(x)[-1]
    HOOKS.build(dict(type='attn_plugins.ChannelsLastHook')).before_run(SimpleNamespace(model=model))
    formats = []
    for name, module in model.named_modules():
        if name.endswith('attn_ca'):
            module.register_forward_hook(
                lambda module, args, output: formats.append(
                    output.is_contiguous(memory_format=torch.channels_last)
                )
            )
    torch.testing.assert_close(model(x)[-1], expected)
    assert len(formats) == 17 and all(formats)
