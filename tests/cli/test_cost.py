"""cost.py: counts and measures a config's model without its data set."""

import json

import pytest

from attn_plugins.cli.cost import main
from tests.cli.conftest import CLASSIFICATION, error_line
from tests.cli.families import write_config

SMALL = ['--shape', '32', '40', '--repeats', '3']


def test_presets_are_compared(capsys):
    main([str(CLASSIFICATION), *SMALL, '--attention', 'none', 'ca', 'iebn', '--batch', '2', '--json'])
    none, ca, iebn = json.loads(capsys.readouterr().out)
    assert none['input_shape'] == [2, 3, 32, 40]
    assert ca['counted']['parameters'] > iebn['counted']['parameters'] > none['counted']['parameters']
    assert ca['counted']['madds'] > none['counted']['madds'] > 0
    assert iebn['counted']['madds'] == none['counted']['madds'], (
        'IEBN has no convolution and no matrix product'
    )
    assert set(ca['measured']) == {'latency', 'peak_memory_bytes'}
    assert (ca['measured']['latency']['repeats'], ca['measured']['latency']['batch']) == (3, 2)


@pytest.mark.parametrize('family', ['Faster R-CNN', 'Sparse R-CNN', 'DETR', 'UPerNet', 'ResNet'])
def test_models_of_every_kind_are_measured(family, tmp_path, capsys):
    config, size = write_config(tmp_path, family)
    main([str(config), '--shape', str(size), '--repeats', '1', '--json'])
    cost = json.loads(capsys.readouterr().out)
    assert cost['input_shape'] == [1, 3, size, size]
    assert cost['proposals'] == {'Faster R-CNN': 20, 'Sparse R-CNN': 10}.get(family)
    assert cost['measured']['latency']['median_ms'] > 0
    assert cost['measured']['peak_memory_bytes'] > 4 * cost['counted']['parameters']


def test_the_table_says_what_it_holds_for(capsys):
    main([str(CLASSIFICATION), *SMALL, '--cfg-options', 'model.backbone.widen_factor=0.25'])
    shown = ' '.join(capsys.readouterr().out.split())
    assert 'as given' in shown and 'input 1 × 3 × 32 × 40' in shown
    assert 'counted: parameters, multiply-adds; measured: latency' in shown
    assert 'without post-processing' in shown


def test_a_wrong_preset_in_a_process_of_its_own(workspace):
    assert 'iebn' in error_line(workspace.run('cost.py', CLASSIFICATION, '--attention', 'iebm'))


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        ('--device cuda:99', 'cuda:99 cannot be used on this machine'),
        ('--device gpu', 'gpu cannot be used on this machine'),
        ('--batch 0', '0 is too small, the smallest is 1'),
        ('--repeats 0', '0 is too small, the smallest is 1'),
        ('--repeats x', "invalid whole number value: 'x'"),
        ('--shape 1 48 48', '--shape takes H W, or one number for both, not 1 48 48: leave the channels out'),
        ('--shape 0 5', '0 is too small, the smallest is 1'),
    ],
)
def test_numbers_and_devices_that_cannot_be(words, sentence, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([str(CLASSIFICATION), *words.split()])
    assert exit_.value.code == 2 and sentence in capsys.readouterr().err


def test_images_that_are_too_small_for_the_network(tmp_path, capsys):
    config, _ = write_config(tmp_path, 'SSD')
    with pytest.raises(SystemExit) as exit_:
        main([str(config), '--shape', '8', '9'])
    assert exit_.value.code == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(
        'error: SingleStageDetector cannot run on an input of 1 × 3 × 8 × 9 (RuntimeError: '
    )
    assert line.endswith('choose another size of image or batch')


def test_a_width_with_as_many_parameters_as_a_preset(capsys):
    words = [str(CLASSIFICATION), '--match', 'model.backbone.widen_factor', '--attention', 'se']
    main(words)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('model.backbone.widen_factor=0.5') and ' parameters (se: ' in line
    main([*words, 'simam', '--json'])
    se, simam = json.loads(capsys.readouterr().out)
    assert f'={se["value"]}: {se["parameters"]:,} parameters (se: {se["wanted"]:,}' in line
    assert simam['own'] and not se['own']


def test_a_match_without_a_preset(capsys):
    with pytest.raises(SystemExit) as exit_:
        main([str(CLASSIFICATION), '--match', 'model.backbone.widen_factor'])
    assert exit_.value.code == 2 and '--match takes --attention PRESET' in capsys.readouterr().err
