"""Measures the overhead of insertion: hosts with plugged layers against hosts with the layers in their code, on this
CPU.

Small images and batch 1, where Python's part of the time is largest. Both have the same weights, and their outputs are
compared before anything is timed. Every round times all models once, in an order that rotates, and gives one ratio; a
second model written by hand shows the measured difference of two equal models.
"""

import argparse
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from statistics import median, quantiles

import torch
from mmengine.registry import MODELS
from mmpretrain.models.backbones.mobilenet_v2 import InvertedResidual
from mmpretrain.models.backbones.resnet import Bottleneck
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from attn_plugins import inserted_layers, plug
from attn_plugins.machine import machine, versions


class BottleneckByHand(Bottleneck):
    """A bottleneck whose author calls the layer after the last norm."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.relu(self.norm2(self.conv2(x)))
        x = self.attn(self.norm3(self.conv3(x)))
        x = self.drop_path(x)
        x += identity  # in place, as the host does
        return self.relu(x)


def write_into_bottleneck(block: Bottleneck, layer: nn.Module) -> None:
    """Makes the block one whose author calls the layer."""
    block.__class__ = BottleneckByHand
    block.attn = layer


def write_into_inverted_residual(block: InvertedResidual, layer: nn.Module) -> None:
    """Puts the layer after the depthwise convolution, where authors write it: into the sequence, before the last."""
    block.conv.insert(len(block.conv) - 1, layer)


# Host -> its config, the layers' position, its blocks, and the function that writes a layer into a block.
HOSTS = {
    'ResNet-50': (
        dict(type='mmpretrain.ResNet', depth=50),
        dict(position='after_conv3'),
        Bottleneck,
        write_into_bottleneck,
    ),
    'MobileNetV2': (
        dict(type='mmpretrain.MobileNetV2'),
        dict(position='after_depthwise'),
        InvertedResidual,
        write_into_inverted_residual,
    ),
}
LAYERS = ('SE', 'CoordAttention')


def plugged_and_by_hand(host: str, layer: str) -> tuple[nn.Module, nn.Module]:
    """Builds two models of the same weights: one plugged, one with the layers in its blocks."""
    cfg, place, block, write_into = HOSTS[host]
    torch.manual_seed(0)
    by_hand = MODELS.build(dict(cfg))
    plugged = plug(deepcopy(by_hand), [dict(cfg=dict(type=f'attn_plugins.{layer}'), **place)])
    layers = iter(inserted_layers(plugged).values())
    for module in list(by_hand.modules()):
        if type(module) is block:
            write_into(module, deepcopy(next(layers)))
    assert next(layers, None) is None
    return plugged, by_hand


def evaluate(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Runs a forward pass in evaluation; returns the model's last map."""
    model.eval()
    with torch.no_grad():
        return [model(x)[-1]]


def train(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Runs a forward and a backward pass in training; returns the model's last map and all gradients."""
    model.train()
    model.zero_grad()
    y = model(x)[-1]
    y.square().mean().backward()
    return [y, *(p.grad for p in model.parameters())]


STEPS = {'evaluation': evaluate, 'training': train}


def check_equal(step: Callable, models: list[nn.Module], x: Tensor) -> None:
    """Exits unless the models compute the same; the order of the parameters is each model's own."""
    first, *others = (sorted(step(model, x), key=lambda y: (y.shape, y.double().sum())) for model in models)
    for other in others:
        if len(first) != len(other) or not all(map(torch.equal, first, other)):
            sys.exit('error: the plugged model and the one by hand do not compute the same')


def time_rounds(step: Callable, models: list[nn.Module], x: Tensor, rounds: int) -> list[list[float]]:
    """Measures milliseconds of processor time: one list for each model, one value for each round."""
    times = [[0.0] * rounds for _ in models]
    for turn in range(-3, rounds):  # three rounds to warm up
        for i in range(len(models)):
            which = (turn + i) % len(models)
            start = time.process_time()
            step(models[which], x)
            passed = 1e3 * (time.process_time() - start)
            if turn >= 0:
                times[which][turn] = passed
    return times


def overhead(times: list[float], reference: list[float]) -> str:
    """Formats the median of the rounds' ratios and their middle half."""
    ratios = [100 * (a / b - 1) for a, b in zip(times, reference, strict=True)]
    low, _, high = quantiles(ratios, n=4)
    return f'{median(ratios):+.2f} % ({low:+.1f} to {high:+.1f})'


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=int, default=64, help='height and width of the image (default: 64)')
    parser.add_argument('--rounds', type=int, default=300, help='of each row (default: 300)')
    args = parser.parse_args()
    torch.set_num_threads(1)
    x = torch.randn(1, 3, args.size, args.size)
    table = Table(title=f'batch 1, {args.size}x{args.size}, 1 thread, medians of {args.rounds} rounds')
    for name in ('host', 'layer', 'layers', 'pass', 'by hand', 'plugged beyond it', 'the same by hand again'):
        table.add_column(name)
    for host in HOSTS:
        for layer in LAYERS:
            plugged, by_hand = plugged_and_by_hand(host, layer)
            models = [by_hand, plugged, deepcopy(by_hand)]
            for name, step in STEPS.items():
                check_equal(step, models, x)
                reference, *others = time_rounds(step, models, x, args.rounds)
                table.add_row(
                    *(host, layer, str(len(inserted_layers(plugged))), name, f'{median(reference):.1f} ms'),
                    *(overhead(times, reference) for times in others),
                )
    console = Console(width=140)
    console.print(table)
    console.print({**machine(), **versions()})


if __name__ == '__main__':
    main()
