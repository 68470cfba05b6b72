"""The index of all layers, and the table of what they start as."""

import sys

from layer_docs import measure
from layer_docs.docstrings import read
from layer_docs.markdown import linked, table

HEAD = """<!-- Written by `make docs`: change .dev_scripts/layer_docs/ or the layers' docstrings. -->
# Layers

One page per type: equation, place, options, cost, deviations, source. Which of them pass which check, and how near they
are to the authors' code, is in [checks.md](checks.md).
"""
ISSUES = 'https://github.com/open-mmlab/mmdetection/issues'
COUNTED = """Parameters and M-Adds are counted on the layer with its defaults, a convolution as 3x3 with C channels in and out.
M-Adds are the multiply-adds of convolutions, matrix products and attention products for one map; element-wise work is
not counted. The maps are those of a ResNet's stages at 224 x 224."""
START = """## Which layers start as the identity

A layer that starts as the identity can be added to plain pretrained weights: the model computes at first what it was
trained to compute. The others change every block's result from the first step, and users report a lower mAP for SE and
CBAM on plain pretrained ResNets ([open-mmlab/mmdetection#3233]({issues}/3233), [#3247]({issues}/3247)): train the
classifier with the layer first and start the detector from it, or give the entry
[`start='identity'`](../insertion.md#starts-and-pretrained-weights), with which every layer of this table is the
identity, bit for bit, until the first step.

Measured on the layer with its defaults at its initialisation, y = layer(x) for a standard normal x of shape
(2, 64, 14, 14), seed 0: the identity in both modes up to {rounding:g}, the numbers in evaluation. The mean of y / x is
taken where |x| > max |x| / 100. Norm layers are compared with the batch norm in whose place they stand. {convs} replace a
convolution and its pretrained weights and are not in the table."""


def index() -> str:
    """docs/layers/README.md."""
    layers = measure.layers()
    return f'{HEAD}\n{_methods(layers)}\n\n{COUNTED}\n\n{_starts(layers)}\n'


def _methods(layers: dict[str, type]) -> str:
    rows = []
    for name, layer in layers.items():
        counts = [f'{measure.parameters(name, width):,}' for width in measure.SIZES]
        madds = [f'{measure.madds(name, width):,}' for width in measure.SIZES]
        kind = layer.__module__.split('.')[2]
        source = linked(sys.modules[layer.__module__].__doc__.splitlines()[0].rstrip('.'))
        rows.append([f'[{name}]({name}.md)', kind, read(layer).summary, source, *counts, *madds])
    header = [
        'type',
        'kind',
        'what it does',
        'published',
        *(f'parameters, C = {width}' for width in measure.SIZES),
        *(f'M-Adds, C = {width} at {size} x {size}' for width, size in measure.SIZES.items()),
    ]
    return table(header, rows)


def _starts(layers: dict[str, type]) -> str:
    rows, convs = [], []
    for name in layers:
        start = measure.start(name)
        if start is None:
            convs.append(name)
            continue
        rows.append([f'[{name}]({name}.md)', start.identity, f'{start.factor:.3f}', f'{start.deviation:.3f}'])
    header = ['type', 'starts as the identity', 'mean of y / x', 'max abs(y - x) / max abs(x)']
    text = START.format(convs=', '.join(convs), rounding=measure.ROUNDING, issues=ISSUES)
    return f'{text}\n\n{table(header, rows)}'
