"""Draws where a layer goes as a Mermaid flow chart: the host's modules in the page's colours, the layer in blue."""

from fnmatch import fnmatch
from typing import NamedTuple

from attn_plugins.layers.place import place_of


class Drawing(NamedTuple):
    """A part of a host.

    Attributes:
        title: What it is.
        inside: The name of the module that holds the drawn ones, with a dot.
        paths: 'module: label > module: label' from left to right, one path per line; they meet in boxes of the same name.
            A name alone is its own label. A word behind it is the position behind the box, or tells boxes of one
            module apart.
    """

    title: str
    inside: str
    paths: str


RESNET = (
    Drawing(
        'Bottleneck block of a ResNet',
        'layer3.0.',
        'x > conv1: conv 1x1 > bn1: norm > relu after_conv1: ReLU > conv2: conv 3x3 > bn2: norm > relu after_conv2: ReLU > '
        'conv3: conv 1x1 > bn3 after_conv3: norm > sum: + > relu block_output: ReLU\nx > sum',
    ),
    Drawing(
        'Blocks of a stage of a ResNet',
        'layer3.',
        'x > 0.bn3 after_conv3: branch of block 0 > sum 0: + > 1.bn3 after_conv3: branch of block 1 > sum 1: +\n'
        'x > sum 0 > sum 1',
    ),
    Drawing(
        'Third stage of a ResNet-50',
        'layer3.',
        '0: block 0 > 1: block 1 > 2: block 2 > 3: block 3 > 4: block 4 > 5: block 5',
    ),
    Drawing(
        'ResNet',
        '',
        'stem > layer1 stage_output: layer1 > layer2 stage_output: layer2 > layer3 stage_output: layer3 > layer4',
    ),
)
MOBILENETV2 = Drawing(
    'Inverted residual block of MobileNetV2',
    'layer3.0.',
    'x > expand_conv.conv: conv 1x1 > expand_conv.bn: norm > expand_conv.activate after_expand: ReLU6 > '
    'depthwise_conv.conv: depthwise 3x3 > depthwise_conv.bn: norm > depthwise_conv.activate after_depthwise: ReLU6 > '
    'linear_conv.conv: conv 1x1 > linear_conv.bn after_linear: norm > sum block_output: +\nx > sum block_output',
)
CCNET = Drawing(
    'Segmentation head of CCNet',
    '',
    'x > conv 1: conv 3x3 > cca 1 > cca 2 > conv 2: conv 3x3 > concat > conv 3: conv 3x3 > classifier\nx > concat',
)
DANET = Drawing(
    'Segmentation head of DANet',
    '',
    'x > conv 1: conv 3x3 > pam: PAM > conv 2: conv 3x3 > sum: + > classifier\n'
    'x > conv 3: conv 3x3 > cam: CAM > conv 4: conv 3x3 > sum',
)
HOSTS = dict(ResNet=RESNET, ResNeXt=RESNET, MobileNetV2=(MOBILENETV2,), CCHead=(CCNET,), DAHead=(DANET,))
# What is drawn in one box with the convolution or sum that it follows, unless the layer comes between.
FOLLOWERS = ('norm', 'ReLU', 'ReLU6')
CHART = """```mermaid
---
title: {title}
config:
  flowchart:
    nodeSpacing: 20
    rankSpacing: 20
---
flowchart LR
  {lines}
  classDef layer fill:#1a5fb4,stroke:#1a5fb4,color:#fff
  class {layers} layer
```"""


class Box(NamedTuple):
    """A node of the chart; `at` is the module at which the layer in it stands, empty for the host's own boxes."""

    name: str
    label: str
    at: str = ''


def diagram(layer: type) -> str:
    """The part of the host that shows the layer's place, as Markdown; the entries' own words where no drawing does."""
    place = place_of(layer)
    marks = [_mark(entry) for entry in place.plugins]
    shared = any('share' in entry for entry in place.plugins)
    words = Drawing(place.host['type'], '', '\n'.join(where for _, where in marks))
    for drawing in (*HOSTS.get(place.host['type'], ()), words):
        chains = [_chain(path, drawing.inside, layer.__name__, marks) for path in drawing.paths.splitlines()]
        layers = {box.name: box.at for chain in chains for box in chain if box.at}
        if len(layers) > shared:  # what several blocks share is seen where there are several
            break
    labels = {}
    for box in (box for chain in chains for box in chain):
        labels.setdefault(box.name, box.label)
    ids = {name: f'n{index}' for index, name in enumerate(labels)}
    lines = [f'{ids[name]}["{label}"]' for name, label in labels.items()]
    lines += [' --> '.join(ids[box.name] for box in chain) for chain in chains]
    for one, other in zip(layers, list(layers)[1:], strict=False):
        if shared or layers[one] == layers[other]:
            lines.append(f'{ids[one]} -. one layer .- {ids[other]}')
    return CHART.format(
        title=drawing.title, lines='\n  '.join(lines), layers=','.join(ids[name] for name in layers)
    )


def _mark(entry: dict) -> tuple[str, str]:
    """'before', 'after' or 'replace', and a position or a glob for modules."""
    if 'norm' in entry:
        return 'replace', '*.bn*'
    return next(
        ('after' if word == 'position' else word, entry[word])
        for word in ('position', 'before', 'after', 'replace')
        if word in entry
    )


def _chain(path: str, inside: str, layer: str, marks: list[tuple[str, str]]) -> list[Box]:
    """The boxes of a path with the layer's among them."""
    chain = []
    for text in path.split(' > '):
        name, _, label = text.partition(': ')
        module, _, position = name.partition(' ')
        sides = {side for side, where in marks if where == position or fnmatch(inside + module, where)}
        if 'before' in sides:
            chain.append(Box(f'before {name}', layer, module))
        if 'replace' in sides:
            chain.append(Box(name, layer, module))
        elif label in FOLLOWERS and not chain[-1].at and 'before' not in sides:
            chain[-1] = chain[-1]._replace(label=f'{chain[-1].label}<br>{label}')
        else:
            chain.append(Box(name, label or name))
        if 'after' in sides:
            chain.append(Box(f'after {name}', layer, module))
    return chain
