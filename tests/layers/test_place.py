"""A layer's place becomes complete entries of `plugins=`, and is never that of the class it is derived from."""

import pytest

from attn_plugins.layers import SE
from attn_plugins.layers.place import Place, place_of, plugins_of


def test_entries_are_completed_with_the_layers_own_type():
    class Mine(SE):
        place = Place('Here.', [dict(cfg=dict(reduction=8), after='layer1'), dict(norm='main')])

    assert plugins_of(Mine) == [
        dict(cfg=dict(type='attn_plugins.Mine', reduction=8), after='layer1'),
        dict(cfg=dict(type='attn_plugins.Mine'), norm='main'),
    ]
    assert 'type' not in Mine.place.plugins[0]['cfg'] and 'cfg' not in Mine.place.plugins[1]


def test_a_missing_place_is_said_with_what_to_add():
    class Mine(SE):
        pass

    with pytest.raises(ValueError, match=r'^Mine has no place: add place = Place\(.*se.py does$'):
        place_of(Mine)
