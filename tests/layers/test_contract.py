"""Every layer passes the whole layer contract."""

from importlib import import_module
from importlib.util import find_spec

import pytest

from attn_plugins import layers
from attn_plugins.layers.place import place_of
from attn_plugins.layers.state_dict_keys import Wrapper
from tests.layers.check import check_layer
from tests.layers.examples import LAYERS, examples_of, is_first


@pytest.mark.parametrize('name', LAYERS)
def test_contract(name):
    check_layer(LAYERS[name], exports=is_first(LAYERS, name))


@pytest.mark.parametrize('name', layers.__all__)
def test_every_layer_says_its_place_and_what_to_check(name):
    assert place_of(getattr(layers, name)).plugins
    assert examples_of(name), (
        f'{name} has no examples: add examples = [dict(reduction=4)] to the class, the options that the contract '
        'tests build it with'
    )


@pytest.mark.parametrize('name', layers.__all__)
def test_every_layer_has_its_start_tested(name):
    """In the file that mirrors its own."""
    family, file = getattr(layers, name).__module__.split('.')[2:]
    mirror = f'tests.layers.{family}.test_{file}'
    tests = import_module(mirror) if find_spec(mirror) else None
    assert hasattr(tests, 'test_start'), (
        f'{name} has no test of its start: add test_start to tests/layers/{family}/test_{file}.py, which calls '
        'assert_start '
        'with the published distribution of every parameter, as tests/layers/channel/test_se.py does'
    )


def test_abbreviations_are_unique():
    """Norm layers are all `bn`: they take the place of the batch norm that they hold."""
    classes = [getattr(layers, name) for name in layers.__all__]
    abbreviations = [cls._abbr_ for cls in classes if not issubclass(cls, Wrapper)]
    assert len(set(abbreviations)) == len(abbreviations)
