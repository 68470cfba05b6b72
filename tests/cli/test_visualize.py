"""visualize.py: pictures of models of all three libraries, and one sentence for each thing that cannot be."""

from pathlib import Path

import matplotlib.image
import pytest
import torch
import yaml

from attn_plugins.cli.visualize import main
from attn_plugins.datasets.digit_scenes import write_digit_scenes
from tests.cli.conftest import CLASSIFICATION, DETECTION, SEGMENTATION, write_checkpoint

CONFIGS = dict(classification=CLASSIFICATION, detection=DETECTION, segmentation=SEGMENTATION)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with the data, and checkpoints as trainings leave them, of models that were not trained."""
    folder = tmp_path_factory.mktemp('visualize')
    write_digit_scenes(folder / 'data' / 'digit_scenes', train=2, val=3, size=128, progress=False)
    torch.manual_seed(0)
    for key, config in CONFIGS.items():
        for preset in ('none', 'ca'):
            run = folder / 'work_dirs' / 'demo' / key / preset / 'seed0'
            write_checkpoint(run / 'epoch_1.pth', config, preset)
    return folder


@pytest.fixture(autouse=True)
def there(trained, monkeypatch):
    monkeypatch.chdir(trained)


def picture(capsys, *words):
    main([*map(str, words), '--out', 'out.png'])
    out = capsys.readouterr().out
    assert out == 'out.png\n'
    image = matplotlib.image.imread('out.png')
    assert image.std() > 0.05
    return image


SUITE = ('--suite', 'demo', '--presets', 'none', 'ca', '--config')
IMAGE = 'data/digit_scenes/coco/val/val_000000.jpg'


def test_maps_of_a_suite_side_by_side(capsys):
    one = picture(capsys, 'cam', *SUITE, 'classification', '--first', 1)
    two = picture(capsys, 'cam', *SUITE, 'classification', '--first', 2)
    assert two.shape[1] == one.shape[1] and two.shape[0] > one.shape[0]


def test_a_checkpoint_of_a_wrapped_model_is_loaded(capsys):
    """Its names begin with `module.`; weights that are not taken leave a picture of random ones."""
    path = Path('work_dirs/demo/classification/ca/seed0/epoch_1.pth')
    content = torch.load(path)
    content['state_dict'] = {f'module.{key}': value for key, value in content['state_dict'].items()}
    wrapped = Path('wrapped') / path.name  # the caption has the name
    wrapped.parent.mkdir(exist_ok=True)
    torch.save(content, wrapped)
    one, two = (picture(capsys, 'cam', '--model', f'ca={file}', '--first', 1) for file in (path, wrapped))
    assert (one == two).all()


def test_boxes_of_detectors_by_name(capsys):
    runs = 'work_dirs/demo/detection'
    models = ('--model', f'plain={runs}/none/seed0', '--model', f'ca={runs}/ca/seed0/epoch_1.pth')
    few = ('--images', IMAGE, '--score-threshold', 0.02)
    picture(capsys, 'cam', *models, *few, '--box', 0, 1)
    picture(capsys, 'cam', *models[:2], *few, '--method', 'drise', '--masks', 8)


def test_a_class_of_a_segmentor_at_a_layer(capsys):
    words = (SEGMENTATION, '--attention', 'ca', '--images', IMAGE, '--class', '7', '--method', 'layercam')
    picture(capsys, 'cam', *words, '--layer', 'backbone.layer2')


def test_gates_and_receptive_fields(capsys):
    picture(capsys, 'gates', CLASSIFICATION, '--attention', 'ca', '--images', IMAGE)
    picture(capsys, 'gates', '--suite', 'demo', '--config', 'detection', '--presets', 'ca', '--first', 1)
    picture(capsys, 'receptive-field', *SUITE, 'classification')
    layer = 'backbone.layer3.1.conv.1.attn_ca'
    picture(capsys, 'receptive-field', DETECTION, '--attention', 'ca', '--layer', layer, '--images', IMAGE)


def test_attention_maps_of_student_and_teacher(capsys):
    run = 'work_dirs/demo/classification'
    pair = ('--model', f'student={run}/none/seed0', '--model', f'teacher={run}/ca/seed0', '--first', 1)
    six = picture(capsys, 'attention-maps', *pair)
    two = picture(capsys, 'attention-maps', *pair, '--p', 2)
    assert two.shape[1] < six.shape[1] / 2
    own = ('--layers', 'backbone.layer3', '--layers', 'backbone.layer4')
    one = picture(capsys, 'attention-maps', *pair, '--map', 'max', *own)
    assert one.shape[1] == six.shape[1] and one.shape[0] < six.shape[0] / 2
    picture(capsys, 'attention-maps', '--suite', 'demo', '--config', 'detection', '--presets', 'ca')
    picture(capsys, 'attention-maps', SEGMENTATION, '--images', IMAGE)


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (f'gates {CLASSIFICATION} --attention none --images {IMAGE}', 'no inserted layers, so no gates'),
        (f'cam {DETECTION} --images {IMAGE} --score-threshold 0.02 --box 99', 'there is no box 99: '),
        (
            f'cam {DETECTION} --images {IMAGE} --score-threshold 1',
            'finds nothing in val_000000.jpg with a score',
        ),
        (f'cam {CLASSIFICATION} --images data/no.jpg', 'there is no image data/no.jpg'),
        (f'cam {CLASSIFICATION} --images work_dirs/text.jpg', 'cannot be read as an image'),
        (f'cam {CLASSIFICATION} --images {IMAGE} --layer backbone.layer33', 'did you mean backbone.layer3'),
        (
            f'attention-maps {CLASSIFICATION} --images {IMAGE} --layers backbone.layer33',
            'did you mean backbone.layer3',
        ),
        (
            f'attention-maps {CLASSIFICATION} --images {IMAGE} --layers backbone --layers head',
            '--layers is given 2 times for 1 model',
        ),
        (f'attention-maps {CLASSIFICATION} --images {IMAGE} --layers head', 'gives no map (N, C, H, W)'),
        (f'cam {CLASSIFICATION} --images {IMAGE} --method gradcamm', 'did you mean gradcam'),
        (f'cam {CLASSIFICATION} --images {IMAGE} --class 10', 'has 10 classes, counted from 0'),
        (f'cam {SEGMENTATION} --images {IMAGE} --class backgruond', 'did you mean background?'),
        (
            f'cam {CLASSIFICATION} work_dirs/none.pth --images {IMAGE}',
            'there is no checkpoint work_dirs/none.pth',
        ),
        (
            f'cam {CLASSIFICATION} work_dirs/demo/detection/none/seed0/epoch_1.pth --images {IMAGE}',
            'is the checkpoint of another model',
        ),
        (f'cam --model work_dirs --images {IMAGE}', "--model takes NAME=PATH, not 'work_dirs'"),
        (f'cam --model a=work_dirs --images {IMAGE}', 'work_dirs holds no whole checkpoint'),
        ('cam --suite demo --config detektion', 'did you mean detection or segmentation?'),
        ('cam --suite demo --config detection --presets cas', 'did you mean ca?'),
        ('cam --suite demo --config detection --seed 3', 'does not train detection with seed 3'),
        ('cam --suite demo --config detection', 'work_dirs/demo/detection/iebn/seed0 is not there'),
        (f'cam {CLASSIFICATION} --images {IMAGE} --out a.svg', 'a.svg is no PNG file'),
        (f'cam {CLASSIFICATION} --images {IMAGE} --out no/a.png', 'there is no folder no'),
    ],
)
def test_bad_input_gets_one_sentence(words, sentence, trained, capsys):
    (trained / 'work_dirs' / 'text.jpg').write_text('no image')
    with pytest.raises(SystemExit) as exit_:
        main(words.split())
    assert exit_.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert sentence in line


def test_models_of_two_libraries_and_checkpoints_without_a_config(trained, capsys):
    run = trained / 'work_dirs' / 'demo'
    bare = trained / 'bare.pth'
    torch.save(torch.load(run / 'detection/none/seed0/epoch_1.pth')['state_dict'], bare)
    for words, sentence in (
        (
            [f'a={run}/detection/none/seed0', f'b={run}/segmentation/none/seed0'],
            'of one library stand side by',
        ),
        ([f'a={bare}'], 'does not hold the config that it was trained with'),
        ([f'a={run}', f'a={run}'], "two models are called 'a'"),
    ):
        with pytest.raises(SystemExit):
            main(['cam', *(part for word in words for part in ('--model', word)), '--images', IMAGE])
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    'words',
    ['cam', f'cam {CLASSIFICATION} --suite demo', 'cam --suite demo', 'cam a.py --images b --first 2'],
)
def test_the_models_are_named_in_one_way(words, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(words.split())
    assert exit_.value.code == 2 and 'error: ' in capsys.readouterr().err


def test_a_plain_twin_has_no_gates_to_show(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wide = dict(wide=dict(preset='none', cfg_options={'model.backbone.widen_factor': 1.1}))
    content = dict(name='toys', seeds=[0], presets=['none', wide, 'ca'])
    (tmp_path / 'toys.yml').write_text(
        yaml.safe_dump(content | dict(configs=dict(toy=dict(config=str(CLASSIFICATION)))))
    )
    with pytest.raises(SystemExit):
        main(['gates', '--suite', 'toys.yml', '--config', 'toy'])
    assert 'work_dirs/toys/toy/ca/seed0 is not there' in capsys.readouterr().err
