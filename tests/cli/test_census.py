"""census.py: over models of all three libraries, under attacks, and one sentence for each thing that cannot be."""

import json
import re
from pathlib import Path

import pytest
import torch

from attn_plugins.cli.census import main
from tests.cli.conftest import CLASSIFICATION, CONFIGS, DETECTION, SEGMENTATION, write_checkpoint

RESNET = CONFIGS / 'resnet' / 'resnet18_digitscenes.py'
MODELS = {
    'classification': (CLASSIFICATION, 'sem'),
    'detection': (DETECTION, 'ca'),
    'segmentation': (SEGMENTATION, 'iebn'),
    'adds': (RESNET, 'gc'),
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory, scenes):
    """A folder with the data and a checkpoint per task."""
    folder = tmp_path_factory.mktemp('census')
    (folder / 'data').mkdir()
    (folder / 'data' / 'digit_scenes').symlink_to(scenes)
    torch.manual_seed(0)
    for name, (config, preset) in MODELS.items():
        write_checkpoint(folder / f'{name}.pth', config, preset)
    return folder


@pytest.fixture(autouse=True)
def there(trained, monkeypatch):
    monkeypatch.chdir(trained)


def census(key: str, *words, out: str = 'out') -> dict:
    config, preset = MODELS[key]
    main([str(config), f'{key}.pth', '--attention', preset, '--out', out, *words])
    return json.loads(Path(out, 'census.json').read_text())


def test_a_classifier_with_its_decisions_by_class(capsys):
    report = census('classification', '--images', '7')
    assert report['images'] == 7 and {layer['samples'] for layer in report['layers']} == {7}
    first = report['layers'][0]
    assert first['type'] == 'SEM' and first['deviations']['between_places'] == 0
    assert (
        set(first['decisions']['all']) == {'fc', 'conv1d', 'instance_enhance'} and len(first['decisions']) > 1
    )
    # The data set stands class by class: drawn images are of several, and of the same ones each time.
    assert len(first['decisions']) > 3
    assert re.fullmatch(r'7 of \d+ test images, drawn with the seed 0', report['which'])
    assert census('classification', '--images', '7')['layers'] == report['layers']
    assert Path('out', 'census.svg').stat().st_size and Path('out', 'decisions.svg').stat().st_size
    table = ' '.join(capsys.readouterr().out.split())  # where lines break depends on the path of the config
    assert 'attn_sem (SEM)' in table and report['which'] in table


def test_a_detector_whose_gates_depend_on_places():
    report = census('detection', '--format', 'png', '--layers', 'backbone.layer2.0.conv.1.attn_ca', out='det')
    (layer,) = report['layers']
    assert layer['type'] == 'CoordAttention' and layer['deviations']['between_places'] > 0
    assert layer['samples'] == report['images'] == 4 and Path('det', 'census.png').stat().st_size
    assert not Path('det', 'decisions.png').exists()


def test_a_segmentor_under_two_attacks():
    attacks = [
        'model.backbone.plugins.0.cfg.type=attn_plugins.IEBN',
        'model.data_preprocessor.std=[30,30,30]',
    ]
    report = census('segmentation', '--attacked', attacks[0], '--attacked', attacks[1], out='seg')
    assert report['attacks'] == attacks
    for layer in report['layers']:
        # The gate starts at sigmoid(-1) for every image, so no attack moves it.
        assert layer['mean'] == pytest.approx(0.2689, abs=1e-4)
        assert layer['distance'] == pytest.approx(dict.fromkeys(attacks, 0), abs=1e-6)


def test_an_attack_moves_what_depends_on_the_image():
    """And is called by the name that it was given."""
    attack = 'model.data_preprocessor.std=[30,30,30]'
    report = census('detection', '--attacked', 'brighter', attack, out='attacked')
    assert report['attacks'] == ['brighter']
    # Nothing was trained, so what comes deeper in the network hardly depends on the image.
    assert 1e-4 < report['layers'][0]['distance']['brighter'] < 1


def test_a_layer_that_adds_is_listed(capsys):
    # Without a test it is the validation's data.
    report = census(
        'adds', '--images', '2', '--cfg-options', 'test_cfg=None', 'test_dataloader=None', out='adds'
    )
    assert report['layers'] and not any(layer['gate'] for layer in report['layers'])
    assert 'no gate' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (f'{CLASSIFICATION} classification.pth --attention none', 'is the checkpoint of another model'),
        (
            f'{CLASSIFICATION} plain.pth --attention none',
            'has no inserted layers, so no gates: choose a preset',
        ),
        (f'{CLASSIFICATION} classification.pth --attention sem --layers attn_sem', 'has no inserted layer'),
        (f'{CLASSIFICATION} no.pth --attention sem', 'there is no checkpoint no.pth'),
        (
            f'{DETECTION} detection.pth --attention ca --cfg-options test_dataloader.dataset.ann_file=no.json',
            'no.json',
        ),
        (
            f'{CLASSIFICATION} classification.pth --attention sem --cfg-options test_cfg=None val_cfg=None',
            'has no test',
        ),
    ],
)
def test_bad_input_gets_one_sentence(words, sentence, trained, capsys):
    if not (trained / 'plain.pth').exists():
        write_checkpoint(trained / 'plain.pth', CLASSIFICATION, 'none')
    with pytest.raises(SystemExit) as exit_:
        main(words.split())
    assert exit_.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert sentence in line


def test_no_pairs(capsys):
    with pytest.raises(SystemExit) as exit_:
        main([str(CLASSIFICATION), 'classification.pth', '--attacked', 'model'])
    assert exit_.value.code == 2 and '--attacked takes KEY=VALUE' in capsys.readouterr().err
