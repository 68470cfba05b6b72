"""Files that are whole or absent, and strict JSON."""

import json
import math

import pytest
import yaml

from attn_plugins.files import read_json, read_yaml, write_json


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


def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / 'record.json'
    write_json(path, dict(a=1))
    monkeypatch.setattr('os.fsync', lambda descriptor: (_ for _ in ()).throw(OSError('no space')))
    with pytest.raises(OSError, match='no space'):
        write_json(path, dict(a=2))
    assert read_json(path) == dict(a=1)
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / 'file.yml'
    path.write_text('base: &base {a: 1, b: 2}\nmine: {<<: *base, a: 3}\n')
    assert read_yaml(path) == dict(base=dict(a=1, b=2), mine=dict(a=3, b=2))
    path.write_text('a: 1\nb: 2\na: 3\n')
    with pytest.raises(yaml.YAMLError) as caught:
        read_yaml(path)
    assert (caught.value.problem, caught.value.problem_mark.line) == ("'a' stands twice", 2)
