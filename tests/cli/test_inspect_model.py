"""inspect_model.py: every inserted layer in the tree, and counts that are those of the models themselves."""

import json
import re

import pytest

from attn_plugins.cli.inspect_model import main
from tests.cli.conftest import CLASSIFICATION
from tests.cli.families import FAMILIES, write_config


def layers_of(part: dict, prefix: str = '') -> dict:
    found = {}
    for child in part['children']:
        name = prefix + child['name']
        found.update({name: child} if child['channels'] is not None else layers_of(child, name + '.'))
    return found


def test_the_tree_fits_a_screen_and_the_counts_are_right(workspace):
    # Stages 2 to 7 of MobileNetV2 have 16 blocks; their depthwise convolutions have these channels at half width.
    expanded = [48, 96, 96, 96, 96, 192, 192, 192, 192, 288, 288, 288, 480, 480, 480]
    result = workspace.run(
        'inspect_model.py', CLASSIFICATION, '--attention', 'se', '--json', '--shape', '32', '64'
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    layers = layers_of(answer['tree'])
    assert list(layers)[:2] == ['backbone.layer2.0.conv.1.attn_se', 'backbone.layer2.1.conv.1.attn_se']
    channels = [layer['channels'] for layer in layers.values()]
    assert {layer['type'] for layer in layers.values()} == {'SE'}
    assert answer['input_shape'] == [1, 3, 32, 64]
    assert answer['layers'] == len(channels) == 16 and set(channels) == set(expanded)
    # SE's two matrices c x c/16 without bias: what each adds is what the whole model has more than the plain host.
    assert answer['added_parameters'] == sum(layer['parameters'] for layer in layers.values()) > 0
    assert answer['added_madds'] == sum(layer['madds'] for layer in layers.values()) > 0
    assert answer['madds'] == answer['tree']['madds'] and answer['parameters'] == answer['tree']['parameters']

    result = workspace.run('inspect_model.py', CLASSIFICATION, '--attention', 'iebn')
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) <= 50 and all(len(line) <= 140 for line in lines)
    inserted = [line for line in lines if '+ ' in line]
    assert sum(1 + int((re.search(r'and (\d+) alike', line) or [0, 0])[1]) for line in inserted) == 52
    assert re.match(r'52 inserted layers add [\d,]+ parameters to the plain [\d,]+, and 0.00 to ', lines[-2])
    assert lines[-1].startswith('input 1 × 3 × 48 × 48; the network without post-processing')


@pytest.mark.parametrize('family', FAMILIES)
def test_every_family_is_counted_with_and_without_its_layers(family, tmp_path, capsys):
    config, size = write_config(tmp_path, family)
    main([str(config), '--shape', str(size), '--json'])
    answer = json.loads(capsys.readouterr().out)
    layers = layers_of(answer['tree']).values()
    assert answer['input_shape'] == [1, 3, size, size]
    assert answer['layers'] == len(layers) > 0 and {layer['type'] for layer in layers} == {'SE'}
    assert answer['added_parameters'] == sum(layer['parameters'] for layer in layers) > 0
    assert answer['added_madds'] == sum(layer['madds'] for layer in layers) > 0
    assert answer['madds'] == answer['tree']['madds'] > answer['added_madds']


def test_the_last_lines_say_what_was_counted(tmp_path, capsys):
    config, _ = write_config(tmp_path, 'Faster R-CNN')
    main([str(config), '--shape', '50', '70', '--cfg-options', 'model.backbone.plugins=[]'])
    shown = ' '.join(capsys.readouterr().out.split())
    assert 'no inserted layers; 41,753,056 parameters, ' in shown
    assert (
        'input 1 × 3 × 64 × 96 (50 × 70, padded by the data_preprocessor) with 20 proposals an image; the network '
        'without post-processing' in shown
    )


@pytest.mark.parametrize('words', ['--shape 0 5', '--shape 1 48 48', '--depth -1'])
def test_numbers_that_cannot_be(words, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([str(CLASSIFICATION), *words.split()])
    assert exit_.value.code == 2 and 'error: ' in capsys.readouterr().err
