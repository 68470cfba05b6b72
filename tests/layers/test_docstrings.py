"""What the layers' docstrings must say so that their pages are right."""

import re

import pytest

from attn_plugins.registry import MODELS
from layer_docs.docstrings import read


def documented() -> dict[str, type]:
    """Every registered layer and convolution."""
    MODELS.import_from_location()
    return {name: cls for name, cls in MODELS.module_dict.items() if hasattr(cls, '_abbr_')}


@pytest.mark.parametrize('name', documented())
def test_a_page_begins_no_part_with_a_symbol_of_another_case(name):
    """A page writes the first letter after a label as a capital, and k is not K."""
    cls = documented()[name]
    for label in ('Parameters', 'Deviations'):
        first = re.search(rf'^ *{label}: (\S+)', cls.__doc__, re.MULTILINE)[1]
        assert not re.match(r'[a-z]([^a-z]|$)', first), f'{label} begins with {first!r}'


@pytest.mark.parametrize('name', ['ECA', 'AAConv', 'DynamicConv', 'CBAM', 'TripletAttention', 'GALA'])
def test_the_kernel_size_is_k_everywhere(name):
    text = read(MODELS.get(f'attn_plugins.{name}'))
    option = next(option for option in text.options if option.name == 'kernel_size')
    words = ' '.join([text.equation, *text.legend])
    assert option.text.startswith('k') and re.search(r'\bk\b|_kxk|1d_k', words)
    assert re.search(r'\bk\b', text.parameters) and not re.search(r'\bK\b', text.parameters)


@pytest.mark.parametrize(
    'name, words',
    [
        ('DynamicConv', ['predicted from', 'bias', 'DropConnect']),
        ('SKConv', ['50 layers', '101 layers']),
        ('GE', ['third party', 'bias=True']),
    ],
)
def test_known_deviations_and_ports_are_named(name, words):
    text = read(MODELS.get(f'attn_plugins.{name}'))
    said = ' '.join([text.deviations, *text.notes])
    assert not [word for word in words if word not in said]
