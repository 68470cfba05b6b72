"""fold.py: models of all three tasks, whose folded config and checkpoint load and compute the same where gates are
constant.
"""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from attn_plugins.cli.fold import main
from attn_plugins.cost.forward_pass import ForwardPass, make_input
from attn_plugins.insertion.tree import inserted_layers
from attn_plugins.training.config import load_config
from attn_plugins.training.evaluation import load_model
from attn_plugins.training.library import build_model
from tests.cli.conftest import CLASSIFICATION, CONFIGS, DETECTION, SEGMENTATION
from tests.gates.test_fold import constant

TOLERANCE = 1e-6
WORDS = ('--repeats', '1', '--tolerance', str(TOLERANCE))
RESNET = CONFIGS / 'deeplabv3' / 'deeplabv3_r18_digitscenes.py'
# Which layers' gates depend on the image, though little, as nothing was trained; the others' are constant.
MODELS = {
    'classification': (CLASSIFICATION, 'se', ()),
    'detection': (DETECTION, 'se', ('backbone.layer3.1.conv.1.attn_se',)),
    'segmentation': (SEGMENTATION, 'iebn', ('backbone.conv1.bn', 'backbone.layer2.0.conv.0.bn')),
    'resnet': (RESNET, 'se', ()),
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory, scenes):
    """A folder with the data and a checkpoint per task."""
    folder = tmp_path_factory.mktemp('fold')
    (folder / 'data').mkdir()
    (folder / 'data' / 'digit_scenes').symlink_to(scenes)
    torch.manual_seed(0)
    for name, (config, preset, vary) in MODELS.items():
        cfg = load_config(config, preset)
        cfg.model.backbone.pop('init_cfg', None)
        model = constant(build_model(cfg))
        layers = inserted_layers(model)
        for layer in vary:
            for key, parameter in layers[layer].named_parameters():
                if key.endswith('weight') and not key.startswith('bn.'):
                    nn.init.normal_(parameter, std=3)
        torch.save(
            dict(state_dict=model.state_dict(), meta=dict(cfg='', dataset_meta={})), folder / f'{name}.pth'
        )
    return folder


@pytest.fixture(autouse=True)
def there(trained, monkeypatch):
    monkeypatch.chdir(trained)


def fold(key: str, *words) -> dict:
    config, preset, _ = MODELS[key]
    main([str(config), f'{key}.pth', '--attention', preset, '--out', key, *WORDS, *words])
    return json.loads(Path(key, 'fold.json').read_text())


def check_written(key: str) -> Config:
    """The model of the written config and checkpoint computes what the whole one does."""
    config, preset, vary = MODELS[key]
    whole, _ = load_model(load_config(config, preset), f'{key}.pth')
    cfg = Config.fromfile(Path(key, 'folded.py'))
    folded, _ = load_model(cfg, Path(key, 'folded.pth'))
    assert tuple(inserted_layers(folded)) == vary
    inputs = make_input(cfg, folded)
    with torch.no_grad():
        pairs = [tensors(ForwardPass(model, inputs)()) for model in (folded, whole)]
    for a, b in zip(*pairs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(b.abs().max()))
    return cfg


def tensors(found) -> list[torch.Tensor]:
    return (
        [found] if isinstance(found, torch.Tensor) else [tensor for part in found for tensor in tensors(part)]
    )


def test_a_classifier_becomes_a_plain_one(capsys):
    report = fold('classification')
    assert not any(layer['reason'] for layer in report['layers'])
    model = check_written('classification').model
    assert model.backbone.type == 'mmpretrain.MobileNetV2' and 'attn_plugins' not in str(model)
    assert report['after']['metrics'] == report['before']['metrics']
    assert report['after']['parameters'] < report['before']['parameters']
    assert report['after']['latency']['median_ms'] > 0
    assert 'folded.py is the config that loads it' in capsys.readouterr().out


def test_a_detector_keeps_the_layer_that_varies_at_its_block():
    report = fold('detection')
    (stays,) = [layer for layer in report['layers'] if layer['reason']]
    assert 'varies by' in stays['reason'] and stays['spread'] > TOLERANCE
    (entry,) = check_written('detection').model.backbone.plugins
    assert entry.position == 'after_depthwise'
    assert entry.stages == (False, False, (False, True, False), False, False, False, False)
    assert report['after']['metrics'] == pytest.approx(report['before']['metrics'], abs=1e-3)


def test_a_segmentor_keeps_the_norms_that_vary_by_their_names():
    report = fold('segmentation')
    assert sum(bool(layer['reason']) for layer in report['layers']) == 2
    entries = check_written('segmentation').model.backbone.plugins
    assert [entry.norm for entry in entries] == ['conv1.bn', 'layer2.0.conv.0.bn']


def test_a_resnet_with_a_layer_after_its_last_norm():
    report = fold('resnet', '--images', '2')
    assert report['images'] == 2 and report['which'] == '2 of 4 test images, drawn with the seed 0'
    assert {layer['into'][0].partition(' ')[2] for layer in report['layers']} == {'(the norm before it)'}
    check_written('resnet')


def test_one_by_one_and_forced(capsys):
    config, preset, (name,) = MODELS['detection']
    words = ['--force', '--one-by-one', '--layers', name]
    main([str(config), 'detection.pth', '--attention', preset, '--out', 'forced', *WORDS, *words])
    report = json.loads(Path('forced', 'fold.json').read_text())
    (layer,) = report['layers']
    assert (
        layer['spread'] > TOLERANCE
        and layer['into']
        and set(layer['metrics']) == set(report['before']['metrics'])
    )
    assert 'folded alone' in capsys.readouterr().out


def test_what_cannot_be_folded_leaves_no_model(capsys):
    config, preset, (name,) = MODELS['detection']
    words = [*WORDS, '--layers', name, '--images', '4']
    main([str(config), 'detection.pth', '--attention', preset, '--out', 'refused', *words])
    assert not Path('refused', 'folded.pth').exists()
    assert 'No layer could be folded' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        ('--attention none', 'is the checkpoint of another model'),
        ('--attention se --layers attn_se', 'has no inserted layer'),
        ('--attention se --tolerance -1', '--tolerance -1.0 must be 0 or more'),
    ],
)
def test_bad_input_gets_one_sentence(words, sentence, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([str(CLASSIFICATION), 'classification.pth', '--out', 'bad', *words.split()])
    assert exit_.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert sentence in line
