"""Wraps a model as a plain function of its inputs, with gradients of its predictions' scores, and a tap at one map."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attn_plugins.cost.forward_pass import ForwardPass
from attn_plugins.errors import UserError
from attn_plugins.registry import nearest
from attn_plugins.visualization.loaded_model import LoadedModel


class Tap(nn.Module):
    """Passes a map on and keeps it: a layer's own output may be one of several, and may be overwritten in place."""

    def __init__(self):
        super().__init__()
        self.map: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), the same."""
        self.map = x.clone()
        return self.map


class Network(nn.Module):
    """A model as a function from inputs to outputs; the user needs no data sample.

    The outputs are, by library: logits (N, K) of mmpretrain's classifiers, logits (N, K, H, W) of mmseg's segmentors in
    the size of the inputs, and the scores (N, D) of the D detections that mmdet's own `predict` returns for each image.
    The scores have gradients: every `detach` on the way is ignored, so the gradient is that of the score as computed.

    Args:
        subject: The model.
        samples: One data sample, of the image that the inputs show. Without it a pass ends before post-processing and
            returns the network's raw outputs: for maps of noise, in which there is nothing to find.

    Attributes:
        detections: Of a detector's last pass: for each image `bboxes` (x1, y1, x2, y2 in the image's own pixels),
            `labels`, `scores`, the highest score first.
    """

    def __init__(self, subject: LoadedModel, samples: list):
        super().__init__()
        self.subject, self.samples = subject, samples
        self.model = subject.model
        self.tap = Tap()
        self.detections = []
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, C, H, W) -> the outputs."""
        self.calls = 0
        if not self.samples:
            return ForwardPass(self.model, inputs)()
        if self.subject.library == 'mmseg':
            metas = [self.samples[0].metainfo] * len(inputs)
            return _of_two_classes(self.model, self.model.encode_decode(inputs, metas))
        samples = [deepcopy(self.samples[0]) for _ in inputs]
        if self.subject.library == 'mmpretrain':
            logits = self.model(inputs, samples, mode='tensor')
            if not isinstance(logits, Tensor) or logits.dim() != 2:
                raise UserError(
                    f'{type(self.model).__name__} gives no class scores (N, K): choose the config of a classifier'
                )
            return logits
        with _Attached():
            answers = self.model.predict(inputs, samples, rescale=True)
        self.detections = [_sorted(answer.pred_instances) for answer in answers]
        return self.detections[0].scores[None] if len(inputs) == 1 else None

    @contextmanager
    def tapped(self, layer: str) -> Iterator[Tap]:
        """Puts the tap after a layer: a module's name, followed by [i] if the module returns several maps.

        Raises:
            UserError: There is no such module; or, in the pass that follows, it gives no map.
        """
        name, index = re.fullmatch(r'(.*?)(?:\[(\d+)\])?', layer).groups()
        modules = dict(self.model.named_modules())
        if name not in modules or not name:
            raise UserError(
                f'{self.subject.name} has no layer {name!r}: {nearest(name, [key for key in modules if key])}'
            )

        def through_tap(module, args, output):
            several = isinstance(output, (tuple, list))
            maps = list(output) if several else [output]
            if index is None and len(maps) > 1 or int(index or 0) >= len(maps):
                raise UserError(
                    f'{name} gives {len(maps)} maps: choose from {", ".join(f"{name}[{i}]" for i in range(len(maps)))}'
                )
            map_ = maps[int(index or 0)]
            if not isinstance(map_, Tensor) or map_.dim() != 4:
                shape = tuple(map_.shape) if isinstance(map_, Tensor) else type(map_).__name__
                raise UserError(f'{layer} gives no map (N, C, H, W) but {shape}: choose another layer')
            self.calls += 1
            if self.calls > 1:
                raise UserError(f'{layer} runs several times in one pass: choose a layer that runs once')
            # The host gets a copy, which it may overwrite.
            maps[int(index or 0)] = self.tap(map_).clone()
            return type(output)(maps) if several else maps[0]

        handle = modules[name].register_forward_hook(through_tap)
        try:
            yield self.tap
        finally:
            handle.remove()
        if not self.calls:
            raise UserError(f'{layer} takes no part in a pass of {self.subject.name}: choose another layer')


def backbone_layers(network: Network, inputs: Tensor) -> list[str]:
    """Lists the maps that the backbone returns, as layers: 'backbone[0]', 'backbone[1]'.

    Raises:
        UserError: The model has no backbone.
    """
    backbone = getattr(network.model, 'backbone', None)
    if not isinstance(backbone, nn.Module):
        raise UserError(f'{network.subject.name} has no backbone: name a layer with --layer')
    with torch.no_grad():
        output = backbone(inputs)
    return (
        [f'backbone[{i}]' for i in range(len(output))] if isinstance(output, (tuple, list)) else ['backbone']
    )


def finer_layer(network: Network, inputs: Tensor, least: int) -> str | None:
    """Returns the last part of the backbone with a map of at least `least` pixels per side; None if there is none."""
    found = []

    def look(name, module, args, output):
        if isinstance(output, Tensor) and output.dim() == 4 and min(output.shape[2:]) >= least:
            found.append(name)

    parts = getattr(network.model, 'backbone', nn.Module()).named_children()
    handles = [part.register_forward_hook(partial(look, name)) for name, part in parts]
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return f'backbone.{found[-1]}' if found else None


def _of_two_classes(model: nn.Module, logits: Tensor) -> Tensor:
    """Returns the logits (N, K, H, W); if the head has only a channel for class 1, it adds the other class's.

    mmseg predicts class 1 where sigmoid(x) exceeds the head's threshold t. With the logits (2 logit(t) - x, x) class
    1 is the largest at the same places.
    """
    head = model.decode_head[-1] if isinstance(model.decode_head, nn.ModuleList) else model.decode_head
    if logits.shape[1] != 1 or head.num_classes != 2:
        return logits
    threshold = torch.tensor(0.3 if head.threshold is None else head.threshold, dtype=logits.dtype)
    return torch.cat([2 * torch.logit(threshold).to(logits.device) - logits, logits], dim=1)


class _Attached(TorchFunctionMode):
    """Ignores `detach`, by which mmdet's heads separate their predictions from the network."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return args[0] if func is torch.Tensor.detach else func(*args, **(kwargs or {}))


def _sorted(instances):
    return instances[instances.scores.argsort(descending=True, stable=True)]
