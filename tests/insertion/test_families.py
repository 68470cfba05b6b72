"""What insertion promises, on every family of hosts: copies, averages, SyncBN there and back, fusion, weights in and
out.
"""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.model import ExponentialMovingAverage
from mmengine.model.utils import convert_sync_batchnorm, revert_sync_batchnorm
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from attn_plugins import inserted_layers, plug
from attn_plugins.insertion.locate import InsertionPoints
from tests.insertion.families import FAMILIES, Family
from tests.insertion.test_host_tables import Scale, entry_of, outputs

# One place each, those of the residual branch first.
PREFERRED = ('after_conv2', 'after_depthwise', 'block_output', 'fpn_output', 'stage_output', 'level_output')


def plugged(family: Family) -> nn.Module:
    """The host with a layer at a place and IEBN in place of its batch norms, with random weights, settled."""
    host = family.host()
    position = next(word for word in PREFERRED if isinstance(family.places[word], int))
    entries = [entry_of(host, position)]
    norms = [module for module in host.modules() if isinstance(module, _BatchNorm)]
    if norms and not any(hasattr(norm, 'act') for norm in norms):  # some of timm's hold their activation
        entries.append(dict(cfg=dict(type='attn_plugins.IEBN'), norm='all'))
    return settle(family, plug(host, entries))


def settle(family: Family, model: nn.Module) -> nn.Module:
    """Random weights of a moderate size, and batch norms with the statistics of their own input, in float64."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.mul_(1 + 0.2 * noise).add_(0.02 * noise)
    model.double()
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    outputs(family, model, example(family))
    for module in model.modules():
        module.training = False
    return model


def example(family: Family):
    """A fixed input of two images."""
    generator = torch.Generator().manual_seed(1)
    shapes = [(1, 3, family.inputs, family.inputs)] if isinstance(family.inputs, int) else family.inputs
    maps = [torch.randn(2, *shape[1:], generator=generator, dtype=torch.float64) for shape in shapes]
    return maps[0] if isinstance(family.inputs, int) else maps


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(
        (a - b).abs().max() <= 1e-9 * max(1, float(a.abs().max())) for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope='module')
def one_process():
    """A process group of this process alone."""
    distributed.init_process_group('gloo', rank=0, world_size=1, store=distributed.HashStore())
    yield
    distributed.destroy_process_group()


def changed(change: Callable[[nn.Module], nn.Module], model: nn.Module) -> nn.Module:
    """A converted copy in evaluation: mmengine's new norms are in training."""
    twin = change(copy.deepcopy(model))
    for module in twin.modules():
        module.training = False
    return twin


def check_ddp(family: Family, model: nn.Module, x) -> None:
    """DDP's reducer knows every parameter and gives every gradient; test_ddp.py compares two processes with one."""
    twin = copy.deepcopy(model)
    for module in (DistributedDataParallel(twin, find_unused_parameters=True), model):
        sum(part.square().mean() for part in outputs(family, module, x)).backward()
    gradients = {key: p.grad for key, p in twin.named_parameters()}
    expected = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
    assert any('scale' in key for key in expected)
    assert all(equal([gradients[key]], [value]) for key, value in expected.items())


@pytest.mark.parametrize('name', FAMILIES)
def test_what_insertion_promises(name, one_process):
    family = FAMILIES[name]
    model, x = plugged(family), example(family)
    run = lambda m: outputs(family, m, x)  # noqa: E731
    with torch.no_grad():
        y = run(model)
        assert all(torch.isfinite(part).all() and part.std() > 0 for part in y)
        names = set(inserted_layers(model))
        assert {key for key, _ in [*model.named_parameters(), *model.named_buffers()]} == set(
            model.state_dict()
        )

        twins = [copy.deepcopy(model)]
        if not name.startswith('torchvision'):  # its builders hold lambdas, plugged or not
            twins.append(pickle.loads(pickle.dumps(model)))
        average = ExponentialMovingAverage(model, momentum=0.5)
        average.update_parameters(model)
        twins.append(average.module)
        fresh = plugged(family)
        for value in fresh.state_dict().values():
            value.zero_()
        fresh.load_state_dict(model.state_dict())
        twins.append(fresh)
        scaled = []
        for twin in twins:
            assert set(inserted_layers(twin)) == names
            for layer in inserted_layers(twin).values():
                if isinstance(layer, Scale):
                    layer.scale.mul_(3)
            scaled.append(run(twin))
        # Each has the model's weights, and layers of its own, which run: the model's are as they were.
        assert all(equal(other, scaled[0]) for other in scaled[1:]) and not equal(scaled[0], y)
        assert equal(run(model), y)
        for layer in inserted_layers(twins[0]).values():
            if isinstance(layer, Scale):
                layer.scale.div_(3)
        assert equal(run(twins[0]), y)

        plain = settle(family, family.host())
        of_plain = run(plain)
        for change in (lambda m: revert_sync_batchnorm(convert_sync_batchnorm(m)), fuse_conv_bn):
            if change is fuse_conv_bn and name in ('mmseg PIDNet', 'mmseg DDRNet'):
                continue  # mmcv takes their norms before a convolution for norms behind one, with or without layers
            # timm's norms hold their activation, which the conversion loses with or without layers.
            if equal(run(changed(change, plain)), of_plain):
                twin = changed(change, model)
                assert set(inserted_layers(twin)) == names and equal(run(twin), y)
            else:
                assert name.startswith('timm')
        assert InsertionPoints(model).positions() == InsertionPoints(plain).positions()
    check_ddp(family, model, x)
