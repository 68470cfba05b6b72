"""Times a training step of ResNet-50 with each layer against the plain model, eager and compiled, in both layouts."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn

from attn_plugins.compat import forget_graphs
from attn_plugins.insertion import compile_layers
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model
from benchmarks.layers.measure import Contender, compile_in_place, time_in_turn

PLAIN = 'none'
# Name in the table -> the preset, and the attention type if the preset has another.
PRESETS = {
    PLAIN: ('none', None),
    'SE': ('se', None),
    'ECA': ('eca', None),
    'CBAM': ('cbam', None),
    'CoordAttention': ('ca', None),
    'TripletAttention': ('triplet_attention', None),
    'IEBN': ('iebn', None),
    'GC': ('gc', None),
    'GeneralizedAttention 0010': ('generalized_attention', '0010'),
    'GeneralizedAttention 1111': ('generalized_attention', '1111'),
}
EAGER, LAYERS, WHOLE = 'eager', 'compiled layers', 'compiled whole'
WAYS = (EAGER, LAYERS, WHOLE)
FORMATS = {'NCHW': torch.contiguous_format, 'NHWC': torch.channels_last}
BATCHES = (1, 64)
# The most that SE and ECA may add to the plain model's step.
LIMITS = {EAGER: 0.05, LAYERS: 0.08, WHOLE: 0.08}


class Network(nn.Module):
    """A config's backbone under autocast: image to last map."""

    def __init__(self, backbone: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.backbone, self.dtype = backbone, dtype

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C, h, w)."""
        with torch.autocast(x.device.type, self.dtype):
            return self.backbone(x)[-1]


def build_network(
    config: Path, name: str, dtype: torch.dtype = torch.bfloat16, options: dict | None = None
) -> Network:
    """Builds the config's backbone in training, with a preset of `PRESETS`.

    Args:
        config: A config that takes presets.
        name: Key of `PRESETS`.
        dtype: Of autocast.
        options: Values of the config to change, `{'model.backbone.depth': 50}`.
    """
    preset, bits = PRESETS[name]
    cfg = load_config(config, preset, options)
    if bits is not None:
        for entries in cfg.model.backbone.plugins.values():
            for entry in entries:
                entry.cfg.attention_type = bits
    backbone = build_model(cfg).backbone
    backbone.train()  # mmpretrain's return None here
    return Network(backbone, dtype)


def prepared(network: Network, way: str) -> Network:
    """Prepares the network to run in one of `WAYS`."""
    if way == LAYERS:
        compile_layers(network.backbone)
    return compile_in_place(network) if way == WHOLE else network


def measure_networks(
    build: Callable[[str], Network],
    names: Sequence[str] = tuple(PRESETS),
    ways: Sequence[str] = WAYS,
    batches: Sequence[int] = BATCHES,
    size: int = 224,
    repeats: int = 20,
    device: str = 'cuda',
    tick: Callable[[], None] = lambda: None,
) -> Iterator[dict]:
    """Times a training step of every network; all networks of one way, layout and batch are timed in turn.

    Args:
        build: Builds the network for a key of `PRESETS`.
        names: Keys of `PRESETS`, the plain network first.
        ways: Some of `WAYS`.
        batches: Images per batch.
        size: Height and width of the images.
        repeats: Timed steps of each.
        device: Where they run.
        tick: Called after every timed step.

    Yields:
        dict: `network`, `way`, `format`, `batch`, `quartiles` in milliseconds and `over_plain`, the added share of the
            plain network's median.
    """
    for way, (layout, memory_format), batch in product(ways, FORMATS.items(), batches):
        forget_graphs()
        images = torch.randn(batch, 3, size, size).to(device, memory_format=memory_format)
        contenders = [
            Contender(name, prepared(build(name).to(device, memory_format=memory_format), way))
            for name in names
        ]
        time_in_turn(contenders, images, repeats, tick, input_gradient=False)
        plain = contenders[0].quartiles()[1]
        for contender in contenders:
            yield dict(
                network=contender.way,
                way=way,
                format=layout,
                batch=batch,
                quartiles=contender.quartiles(),
                over_plain=contender.quartiles()[1] / plain - 1,
            )
