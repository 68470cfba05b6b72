"""The charts of the layers' pages show the layer where the entries of its place put it."""

import re

import pytest

from attn_plugins.layers.place import Place
from layer_docs.diagram import diagram


def edges(chart: str) -> set[str]:
    """The arrows of a chart, by the labels of what they join."""
    labels = {name: label.replace('<br>', ' ') for name, label in re.findall(r'(n\d+)\["(.*?)"]', chart)}
    chains = [line.split() for line in chart.splitlines() if '-->' in line]
    pairs = [pair for chain in chains for pair in zip(chain[::2], chain[2::2], strict=False)]
    dashed = re.findall(r'(n\d+) -. one layer .- (n\d+)', chart)
    return {f'{labels[one]} > {labels[other]}' for one, other in pairs} | {
        f'{labels[one]} = {labels[other]}' for one, other in dashed
    }


@pytest.mark.parametrize(
    'entries, host, expected',
    [
        ([dict(position='after_conv1')], 'ResNet', {'conv 1x1 norm ReLU > SA', 'SA > conv 3x3 norm ReLU'}),
        ([dict(position='after_conv2')], 'ResNet', {'conv 3x3 norm ReLU > SA', 'SA > conv 1x1 norm'}),
        ([dict(position='after_conv3')], 'ResNet', {'conv 1x1 norm > SA', 'SA > + ReLU'}),
        ([dict(position='block_output')], 'ResNet', {'+ ReLU > SA'}),
        ([dict(after='layer*.0.bn3')], 'ResNet', {'conv 1x1 norm > SA', 'SA > + ReLU'}),
        ([dict(after='**.conv2')], 'ResNet', {'conv 3x3 > SA', 'SA > norm ReLU'}),
        (
            [dict(before='**.conv1'), dict(before='**.conv2')],
            'ResNet',
            {'x > SA', 'SA > conv 1x1 norm ReLU', 'conv 1x1 norm ReLU > SA', 'SA > conv 3x3 norm ReLU'},
        ),
        ([dict(replace='**.conv2')], 'ResNeXt', {'conv 1x1 norm ReLU > SA', 'SA > norm ReLU'}),
        ([dict(norm='main')], 'ResNet', {'conv 1x1 > SA', 'conv 3x3 > SA', 'SA > ReLU', 'SA > + ReLU'}),
        ([dict(after='layer1')], 'ResNet', {'layer1 > SA', 'SA > layer2'}),
        ([dict(after='layer3.1')], 'ResNet', {'block 1 > SA', 'SA > block 2'}),
        (
            [dict(position='after_conv3', share='stage')],
            'ResNet',
            {'branch of block 0 > SA', 'branch of block 1 > SA', 'SA > +', 'SA = SA'},
        ),
        (
            [dict(position='after_depthwise')],
            'MobileNetV2',
            {'depthwise 3x3 norm ReLU6 > SA', 'SA > conv 1x1 norm'},
        ),
        ([dict(position='block_output')], 'MobileNetV2', {'+ > SA'}),
        ([dict(replace='cca')], 'CCHead', {'conv 3x3 > SA', 'SA > SA', 'SA > conv 3x3', 'SA = SA'}),
        ([dict(replace='pam')], 'DAHead', {'conv 3x3 > SA', 'SA > conv 3x3'}),
        ([dict(position='fpn_output')], 'FPN', {'fpn_output > SA'}),
        ([dict(before='**.attn')], 'SwinTransformer', {'SA > **.attn'}),
    ],
    ids=lambda value: ', '.join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_the_layer_is_drawn_in_its_place(entries, host, expected):
    layer = type('SA', (), dict(place=Place('Somewhere.', entries, host=dict(type=host))))
    chart = diagram(layer)
    assert {edge for edge in edges(chart) if 'SA' in edge} == expected
    marked = re.search(r'class (\S+) layer', chart)[1].split(',')
    assert marked == [name for name, label in re.findall(r'(n\d+)\["(.*?)"]', chart) if label == 'SA']


def test_the_shortcut_is_drawn():
    chart = diagram(type('SA', (), dict(place=Place('Somewhere.', [dict(position='after_conv3')]))))
    assert 'x > + ReLU' in edges(chart) and 'title: Bottleneck block of a ResNet' in chart
