"""The layer contract: one function per point, and one that runs them all; `.dev_scripts/check_layers.py` tabulates
them.
"""

import copy
import inspect
import pickle
import re
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.fx
from mmengine.registry import MODELS

from attn_plugins.compat import has_hooks
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.ops.mode import reference
from tests.stack import AUTOCAST, onnx_session

SHAPES = [(2, 5, 7), (1, 4, 9), (2, 1, 1), (3, 8, 3)]
TOLERANCES = {torch.float16: 1e-2, torch.bfloat16: 8e-2}


def build(cfg: dict, channels: int) -> torch.nn.Module:
    """Builds a layer from mmengine's root registry, as a config does, with random weights in place of the initial."""
    torch.manual_seed(0)
    layer = MODELS.build(dict(cfg, **{_channels_name(cfg): channels}))
    scramble(layer)
    return layer


def _channels_name(cfg: dict) -> str:
    parameters = inspect.signature(MODELS.get(cfg['type'])).parameters
    return 'num_features' if 'num_features' in parameters else 'in_channels'


def scramble(layer: torch.nn.Module) -> None:
    """Gives every parameter and running statistic a value that no initialisation has; constants are not saved and
    stay.
    """
    for name, value in layer.state_dict(keep_vars=True).items():
        if value.is_floating_point():
            value.data = torch.rand_like(value) + 0.5 if 'var' in name else torch.randn_like(value) * 0.5


def plain(cfg: dict, channels: int) -> torch.nn.Module:
    """What the layer stands in for, whose shapes and dtypes it has: the identity, or a plain convolution."""
    if not issubclass(MODELS.get(cfg['type']), ConvLike):
        return torch.nn.Identity()
    sizes = {key: cfg[key] for key in inspect.signature(ConvLike).parameters if key in cfg}
    return torch.nn.Conv2d(**{**sizes, 'in_channels': channels})


def inputs(
    layer: torch.nn.Module, channels: int, memory_format: torch.memory_format
) -> Iterator[torch.Tensor]:
    """Maps of all kinds of sizes."""
    for batch, height, width in SHAPES:
        if layer.training and any(isinstance(module, torch.nn.BatchNorm1d) for module in layer.modules()):
            batch = max(batch, 2)  # a batch norm of the descriptor has one value per sample and channel
        yield torch.randn(batch, channels, height, width).contiguous(memory_format=memory_format)


def check_shapes(cfg: dict, channels: int) -> None:
    """Any H and W from 1x1 up and batch 1, in both modes; the input is not modified."""
    layer, host = build(cfg, channels), plain(cfg, channels)
    for training in (False, True):
        layer.train(training)
        for x in inputs(layer, channels, torch.contiguous_format):
            before = x.clone()
            y = layer(x)
            assert y.shape == host(x).shape and y.dtype == x.dtype
            assert y.is_contiguous() and torch.isfinite(y).all()
            assert torch.equal(x, before), 'the layer modified its input'


def check_calls(cfg: dict, channels: int) -> None:
    """The map may be given by keyword, and a batch of none gives a batch of none, in both modes."""
    x = torch.randn(2, channels, 5, 7)
    layer, host = build(cfg, channels).eval(), plain(cfg, channels)
    assert torch.equal(layer(x=x), layer(x))
    for training in (False, True):
        none = x[:0].clone().requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # torch's own, of variances over nothing
            y = layer.train(training)(none)
        assert y.shape == host(none).shape and y.dtype == none.dtype
        y.sum().backward()
        assert none.grad.shape == none.shape
        for name, value in layer.state_dict().items():
            assert torch.isfinite(value).all(), f'no samples made {name} infinite'


def check_channels_last(cfg: dict, channels: int) -> None:
    """A map in channels_last stays in channels_last, with the same values."""
    layer = build(cfg, channels)
    for training in (False, True):
        layer.train(training)
        for x in inputs(layer, channels, torch.channels_last):
            y = copy.deepcopy(layer)(x)
            assert y.is_contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(y, copy.deepcopy(layer)(x.contiguous()))


def check_gradients(cfg: dict, channels: int) -> None:
    """The gradient of input and parameters agrees with finite differences in float64, in both modes."""
    for training in (False, True):
        layer = build(cfg, channels).double().train(training)
        x = torch.randn(2, channels, 3, 4, dtype=torch.float64, requires_grad=True)
        names = [name for name, _ in layer.named_parameters()]
        parameters = [p.detach().requires_grad_() for p in layer.parameters()]
        buffers = {name: b.clone() for name, b in layer.named_buffers()}

        def call(x, *parameters, layer=layer, names=names, buffers=buffers):
            state = {
                **dict(zip(names, parameters, strict=True)),
                **{name: b.clone() for name, b in buffers.items()},
            }
            return torch.func.functional_call(layer, state, (x,))

        # Along one random direction: check_reference compares every element with the formula's own gradient.
        assert torch.autograd.gradcheck(call, (x, *parameters), fast_mode=True)


def check_reference(cfg: dict, channels: int) -> None:
    """The result, every gradient and statistic are those of the published formula, in all shapes and layouts, in both
    modes.

    In float64 up to rounding. In float32 each is as near to the formula in float64 as the formula in float32 is, up
    to a factor of ten; not on maps of one place, where a batch norm of two samples that hardly differ leaves neither
    many digits."""
    for training in (False, True):
        layer = build(cfg, channels).train(training)
        for memory_format in (torch.contiguous_format, torch.channels_last):
            for x in inputs(layer, channels, memory_format):
                with reference():
                    exact, theirs = (_step(layer, x.to(dtype)) for dtype in (torch.float64, torch.float32))
                for ours, value in zip(_step(layer, x.double()), exact, strict=True):
                    torch.testing.assert_close(
                        ours, value, rtol=1e-9, atol=1e-9 * max(1.0, float(value.abs().max()))
                    )
                if x.shape[2:].numel() == 1:
                    continue
                for ours, single, value in zip(_step(layer, x), theirs, exact, strict=True):
                    allowed = 10 * (single - value).abs().max() + 1e-5 * value.abs().max().clamp(min=1)
                    assert (ours - value).abs().max() <= allowed


def _step(layer: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Result, gradients and buffers of a copy, in the map's precision."""
    layer, x = copy.deepcopy(layer).to(x.dtype), x.clone().requires_grad_()
    y = layer(x)
    (y * torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()).sum().backward()
    gradients = [x.grad, *(p.grad for p in layer.parameters() if p.grad is not None)]
    return [value.detach() for value in (y, *gradients, *layer.buffers()) if value.is_floating_point()]


def check_autocast(cfg: dict, channels: int, dtype: torch.dtype) -> None:
    """Under autocast half precision stays half precision, near the float32 result; float32 becomes what the host
    makes it.
    """
    layer, host = build(cfg, channels).eval(), plain(cfg, channels)
    x = torch.randn(2, channels, 5, 7)
    exact = layer(x)
    with torch.autocast('cpu', dtype):
        for given in (x, x.to(dtype)):
            y = layer(given)
            assert y.dtype == host(given).dtype
            assert (y.float() - exact).abs().max() <= TOLERANCES[dtype] * exact.abs().max()


def check_copies(cfg: dict, channels: int) -> None:
    """Deep copies and pickles compute the same and share nothing."""
    layer = build(cfg, channels).eval()
    x = torch.randn(2, channels, 5, 7)
    y = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin(x), y)
        scramble(layer)
        torch.testing.assert_close(twin(x), y)
        layer.load_state_dict(twin.state_dict())


def check_trace(cfg: dict, channels: int) -> None:
    """A trace computes the same, also on a map of another size."""
    layer = build(cfg, channels).eval()
    other = torch.randn(1, channels, 8, 4)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        traced = torch.jit.trace(layer, torch.randn(2, channels, 5, 7))
    torch.testing.assert_close(traced(other), layer(other))


def check_symbolic_trace(cfg: dict, channels: int) -> None:
    """`torch.fx` traces the layer inside of a model, in both modes; the graph computes the same on maps of other
    sizes.
    """
    for training in (False, True):
        model = torch.nn.Sequential(build(cfg, channels)).train(training)
        graph = torch.fx.symbolic_trace(copy.deepcopy(model))
        for shape in ((2, channels, 5, 7), (3, channels, 8, 4)):
            x = torch.randn(shape)
            torch.testing.assert_close(graph(x), model(x))


def check_compile(cfg: dict, channels: int) -> None:
    """`torch.compile` takes the layer as one graph, in training, and it computes the same."""
    layer = build(cfg, channels).train()
    x = torch.randn(2, channels, 5, 7)
    torch._dynamo.reset()
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(x), layer(x))


def check_onnx(cfg: dict, channels: int) -> None:
    """The exported file computes the same in onnxruntime, also for another batch size."""
    layer = build(cfg, channels).eval()
    session = onnx_session(layer, torch.randn(2, channels, 5, 7))
    three = torch.randn(3, channels, 5, 7)
    np.testing.assert_allclose(
        session.run(None, {'x': three.numpy()})[0], layer(three).detach().numpy(), rtol=1e-4, atol=1e-5
    )


def check_initialisation(cfg: dict, channels: int) -> None:
    """`init_weights` starts from any state alike: the same seed gives the same numbers, and constants are a new
    layer's.

    From which distributions the numbers come is tested with each layer (`tests/layers/starts.py`).
    """
    layer = build(cfg, channels)
    states = []
    for _ in range(2):
        torch.manual_seed(1)
        layer.init_weights()
        states.append(copy.deepcopy(layer.state_dict()))
    fresh = MODELS.build(dict(cfg, **{_channels_name(cfg): channels})).state_dict()
    for name, first in states[0].items():
        assert torch.equal(first, states[1][name]), name
        # Weight and bias of an inner batch norm are the host's matter, and so are its running statistics.
        if name in ('weight', 'bias') and _channels_name(cfg) == 'num_features' or 'running' in name:
            continue
        if fresh[name].is_floating_point() and (fresh[name] == fresh[name].flatten()[0]).all():
            assert torch.equal(first, fresh[name]), name


def check_bad_maps(cfg: dict, channels: int) -> None:
    """A map of another rank or of other channels is refused in one sentence that quotes it and says what would work."""
    layer, name = build(cfg, channels), cfg['type'].split('.')[1]
    other = channels + 4
    for shape, message in (
        (
            (2, channels),
            f'{name} needs a map (N, C, H, W) with C = {channels}, but is given the shape (2, {channels})',
        ),
        (
            (channels, 5, 7),
            f'{name} needs a map (N, C, H, W) with C = {channels}, but is given the shape {(channels, 5, 7)}',
        ),
        (
            (2, other, 5, 7),
            f'{name} was built for {channels} channels, but the map {(2, other, 5, 7)} has {other}: build it with',
        ),
    ):
        with pytest.raises(ValueError, match='^' + re.escape(message)):
            layer(torch.zeros(shape))
    assert not has_hooks(layer), 'one hook takes every call off the short way of torch'


def check_layer(cfg: dict, channels: int = 16, exports: bool = True) -> None:
    """Everything that the contract asks of a layer.

    Args:
        cfg (dict): The layer's config without its channels.
        channels (int): Channels to build it with.
        exports (bool): Compile and export it too, which takes most of the time; once for a layer is enough.
    """
    abbr = MODELS.get(cfg['type'])._abbr_
    assert abbr.startswith('attn_') or _channels_name(cfg) == 'num_features' and abbr == 'bn'
    check_shapes(cfg, channels)
    check_bad_maps(cfg, channels)
    check_calls(cfg, channels)
    check_channels_last(cfg, channels)
    check_gradients(cfg, min(channels, 8))
    check_reference(cfg, channels)
    for dtype in AUTOCAST:
        check_autocast(cfg, channels, dtype)
    check_copies(cfg, channels)
    check_trace(cfg, channels)
    check_symbolic_trace(cfg, channels)
    if exports:
        check_compile(cfg, channels)
        check_onnx(cfg, channels)
    check_initialisation(cfg, 4 * channels)
