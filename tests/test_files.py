"""Files that are whole or absent, and strict JSON."""

import json
import math

import pytest

from attn_plugins.files import read_json, write_json


@pytest.mark.parametrize('content', ['', '{"done": 0.5', 'null', '[1]'])
def test_a_record_that_was_cut_is_an_absent_one(content, tmp_path):
    """A power cut leaves a file that was being written empty."""
    path = tmp_path / 'progress.json'
    path.write_text(content)
    assert read_json(path) is None


def test_a_record_is_strict_json_whatever_is_in_it(tmp_path):
    """What is not finite becomes a word that float() reads; older records have NaN."""
    path = tmp_path / 'result.json'
    write_json(path, dict(a=[math.nan, (1.0, math.inf)], b={'c': -math.inf, 0: 2}))

    def refuse(word):
        raise AssertionError(word)

    content = json.loads(path.read_text(), parse_constant=refuse)
    assert content == dict(a=['nan', [1.0, 'inf']], b={'c': '-inf', '0': 2})
    assert float(content['b']['c']) == -math.inf
    path.write_text('{"loss": NaN}')
    assert math.isnan(read_json(path)['loss'])
