"""One layer's page: what its docstrings say, what is counted and measured on it, where it goes."""

import inspect
import json
from pathlib import Path

from attn_plugins.layers.place import place_of
from layer_docs import measure
from layer_docs.diagram import diagram
from layer_docs.docstrings import Text, read
from layer_docs.markdown import linked, prose, table
from layer_docs.snippet import snippet

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / 'tests' / 'data' / 'golden'
CASES = {
    **json.loads((GOLDEN / 'cases.json').read_text()),
    **json.loads((GOLDEN / 'models.json').read_text()),
}
COUNTED = (
    'Both are counted on the layer with its defaults{size}; M-Adds are the multiply-adds of convolutions, matrix '
    'products and attention products for one map, of the sizes that the stages of a ResNet have at 224 x 224. Biases, '
    'norms, activations, pooling and other element-wise work are not counted, though they take time.'
)
STARTS = {
    'yes': 'It starts as the identity, so it can be added to plain pretrained weights.',
    'no': 'It does not start as the identity: added to plain pretrained weights it changes what they compute, unless its '
    "entry has [`start='identity'`](../insertion.md#starts-and-pretrained-weights).",
    'in evaluation only': 'It starts as the identity in evaluation, but not in training.',
}


def page(name: str, layer: type) -> str:
    """The page as Markdown.

    Raises:
        ValueError: A docstring does not follow the convention, or the layer has no place.
    """
    text = read(layer)
    file = Path(inspect.getsourcefile(layer)).relative_to(ROOT)
    parts = [
        f'<!-- Written by `make docs` from {file}: change that. -->\n# {name}',
        linked(' '.join(text.source)),
        text.summary,
        f'## Equation\n\n```text\n{text.equation}\n```',
        *text.legend,
        f'Shapes: `{text.shapes.rstrip(".")}`.',
        *_where(layer),
        f'## Options\n\n{_options(layer, text)}',
        *_cost(name, layer, text),
        f'## Start\n\n{_start(name)}',
        f'## Deviations\n\n{linked(text.deviations)}',
    ]
    if text.notes:
        parts += ['## Notes', *map(linked, text.notes)]
    parts += [f'## Source\n\nCode: [{file}](../../{file}).', _checked(name)]
    paragraphs = '\n\n'.join(parts).split('\n\n')
    return '\n\n'.join(map(_in_lines, paragraphs)) + '\n'


def _in_lines(paragraph: str) -> str:
    """A paragraph of prose in lines of a page's width; all else, which has lines or marks of its own, as it is."""
    if '\n' in paragraph or paragraph.startswith(('#', '|', '```')):
        return paragraph
    return prose(paragraph)


def _where(layer: type) -> list[str]:
    place = place_of(layer)
    known = (
        f'Read in {place.read_in}.'
        if place.read_in
        else 'The published place is not known here: this is an example.'
    )
    return [
        f'## Where it goes\n\n{diagram(layer)}',
        f'{place.where} {known}',
        f'In an {place.library} project, on top of the config of a model that has a {place.host["type"]}:',
        f'```python\n{snippet(layer)}\n```',
    ]


def _options(layer: type, text: Text) -> str:
    parameters = inspect.signature(layer).parameters
    rows = []
    for option in text.options:
        default = parameters[option.name].default
        shown = 'required' if default is inspect.Parameter.empty else f'`{default!r}`'
        rows.append([f'`{option.name}`', option.kind, shown, option.text])
    return table(['option', 'type', 'default', 'meaning'], rows)


def _cost(name: str, layer: type, text: Text) -> list[str]:
    rows = [
        [
            f'{width} at {size} x {size}',
            f'{measure.parameters(name, width):,}',
            f'{measure.madds(name, width):,}',
        ]
        for width, size in measure.SIZES.items()
    ]
    counted = COUNTED.format(size=', as a 3x3 convolution that keeps C' if measure.is_conv(layer) else '')
    return [
        f'## Cost\n\nParameters: {text.parameters}',
        table(['C', 'parameters', 'M-Adds'], rows),
        counted,
    ]


def _start(name: str) -> str:
    start = measure.start(name)
    if start is None:
        return 'It replaces a convolution and its pretrained weights, so there is no identity to start from.'
    return (
        f'{STARTS[start.identity]} In evaluation the mean of y / x is {start.factor:.3f} and max |y - x| / max |x| is '
        f'{start.deviation:.3f} ([measured](README.md#which-layers-start-as-the-identity)).'
    )


def _checked(name: str) -> str:
    cases = {case: entry['source'] for case, entry in CASES.items() if entry['type'] == name}
    if not cases:
        return "Golden cases of the authors' code: none. The tests compare with an independent formula in float64."
    listed = '\n'.join(f'* `{case}`: {source}' for case, source in cases.items())
    return f"Golden cases of the authors' code ([how near](checks.md)):\n\n{listed}"
