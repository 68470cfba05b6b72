"""Reads a layer's docstrings as the parts of its page; the convention is in CONTRIBUTING.md, section 3, point 6.

docstring_parser reads Google's sections; the paragraphs before them, which are ours, are recognised by their labels.
"""

import inspect
import re
import sys
from textwrap import dedent
from typing import NamedTuple

from docstring_parser import DocstringParam, DocstringStyle, parse


class Option(NamedTuple):
    """One line of the Args section."""

    name: str
    kind: str
    text: str


class Text(NamedTuple):
    """What the docstrings of a layer say.

    Attributes:
        source: Paragraphs of the file's docstring: method, paper, authors' code with commit.
        summary: The first sentence.
        equation: Plain text of one or more lines.
        legend: Paragraphs between the equation and the parameter count.
        parameters: The formula of the parameter count.
        deviations: From paper and authors' code, or 'None known.'
        notes: Paragraphs after the deviations.
        options: The Args section.
        shapes: The first line of the docstring of `forward`.
    """

    source: list[str]
    summary: str
    equation: str
    legend: list[str]
    parameters: str
    deviations: str
    notes: list[str]
    options: list[Option]
    shapes: str


def read(layer: type) -> Text:
    """The parts of a layer's docstrings.

    Raises:
        ValueError: A part is missing, out of order, or Args and signature differ; the message says which.
    """
    docstring = parse(layer.__dict__.get('__doc__') or '', DocstringStyle.GOOGLE)
    paragraphs = (docstring.description or '').split('\n\n')
    starts = [_find(layer, paragraphs, label) for label in ('Equation:\n', 'Parameters:', 'Deviations:')]
    equation, parameters, deviations = starts
    if starts != sorted(starts) or equation != 1:
        raise _failure(
            layer, 'needs one sentence, then Equation:, Parameters: and Deviations: in this order, then Args:'
        )
    shapes = inspect.getdoc(layer.forward).splitlines()[0]
    if not re.fullmatch(r"\(N, C, H, W\) -> \(N, C'?, H'?, W'?\)\.", shapes):
        raise _failure(layer, 'needs its shapes in the first line of the docstring of forward')
    return Text(
        source=_joined(inspect.cleandoc(sys.modules[layer.__module__].__doc__).split('\n\n')),
        summary=_joined(paragraphs[:1])[0],
        equation=dedent(paragraphs[equation].partition('\n')[2]),
        legend=_joined(paragraphs[equation + 1 : parameters]),
        parameters=_labelled(paragraphs[parameters]),
        deviations=_labelled(paragraphs[deviations]),
        notes=_joined(paragraphs[deviations + 1 :]),
        options=_options(layer, docstring.params),
        shapes=shapes,
    )


def _find(layer: type, paragraphs: list[str], label: str) -> int:
    found = [i for i, paragraph in enumerate(paragraphs) if paragraph.startswith(label)]
    if len(found) != 1:
        raise _failure(
            layer, f'needs exactly one paragraph that starts with {label.strip()!r}, not {len(found)}'
        )
    return found[0]


def _joined(paragraphs: list[str]) -> list[str]:
    """Paragraphs as one line each; the items of a list stay on lines of their own."""
    return [re.sub(r'\n(?!\* )\s*', ' ', paragraph) for paragraph in paragraphs]


def _labelled(paragraph: str) -> str:
    """The text after the label, as a sentence."""
    text = _joined([paragraph])[0].partition(': ')[2]
    return text[:1].upper() + text[1:]


def _options(layer: type, params: list[DocstringParam]) -> list[Option]:
    options = []
    for param in params:
        if not param.type_name or not param.description:
            raise _failure(layer, "needs Args written as 'name (type): text'")
        kind = f'{param.type_name}, optional' if param.is_optional else param.type_name
        options.append(Option(param.arg_name, kind, _joined([param.description])[0]))
    known = list(inspect.signature(layer).parameters)
    if [option.name for option in options] != known:
        raise _failure(layer, f'needs Args for {", ".join(known)}, in this order')
    return options


def _failure(layer: type, message: str) -> ValueError:
    return ValueError(f'the docstring of {layer.__name__} {message}: see CONTRIBUTING.md, section 3, point 6')
