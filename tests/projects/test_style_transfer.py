"""Style transfer with four kinds of norm: network, losses and images as they are described, and the command by the
user's way.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models import VGG16_Weights, resnet18, vgg16
from torchvision.transforms.functional import normalize

from attn_plugins import inserted_layers
from attn_plugins.errors import UserError
from attn_plugins.layers import IEBN, SE
from projects import trainings
from projects.iebn.style_transfer import figures, images, study
from projects.iebn.style_transfer.features import load_features, random_features
from projects.iebn.style_transfer.losses import (
    STYLE_LAYERS,
    PerceptualLoss,
    Weights,
    gram,
    total_variation,
)
from projects.iebn.style_transfer.network import NORMS, style_network
from projects.iebn.style_transfer.train import main

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = ROOT / 'projects' / 'iebn' / 'style_transfer' / 'offline'
# Convolutions of the network that a norm follows.
NORMED = 3 + 2 * 5 + 2
TINY = (
    '--steps 2 --size 16 --style-size 16 --picture-size 16 --width 4 --reduction 2 --batch-size 2 '
    '--every 1 --device cpu'
)


@pytest.fixture(scope='module')
def features():
    return random_features()


# --- the network


@pytest.mark.parametrize('size', [(5, 5), (16, 24), (17, 30), (38, 21)])
@pytest.mark.parametrize('norm', NORMS)
def test_any_size_comes_out_as_it_went_in(norm, size):
    y = style_network(norm, 4, 2)(torch.rand(2, 3, *size))
    assert y.shape == (2, 3, *size)
    assert y.min() >= 0 and y.max() <= 1


def test_an_image_too_small_for_the_reflection_is_refused():
    with pytest.raises(UserError, match='4x9 is too small .* at least 5x5'):
        style_network('bn', 4)(torch.rand(1, 3, 4, 9))


def test_each_kind_of_norm_has_its_layers():
    networks = {norm: style_network(norm, 4, 2) for norm in NORMS}
    plain = {
        norm: [m for m in net.modules() if isinstance(m, (nn.BatchNorm2d, nn.InstanceNorm2d))]
        for norm, net in networks.items()
    }
    kinds = {norm: (len(found), {type(m) for m in found}) for norm, found in plain.items()}
    assert kinds == {
        'bn': (NORMED, {nn.BatchNorm2d}),
        'in': (NORMED, {nn.InstanceNorm2d}),
        'bn_se': (NORMED, {nn.BatchNorm2d}),
        'iebn': (NORMED, {nn.BatchNorm2d}),
    }
    assert all(norm.affine for norm in plain['in'])
    layers = {norm: list(inserted_layers(net).values()) for norm, net in networks.items()}
    assert [len(layers[norm]) for norm in NORMS] == [0, 0, NORMED, NORMED]
    assert {type(layer) for layer in layers['bn_se']} == {SE}
    assert {type(layer) for layer in layers['iebn']} == {IEBN}


@pytest.mark.parametrize('norm', ['bn_se', 'iebn'])
def test_with_open_gates_the_network_is_the_one_with_batch_norm(norm):
    """So SE stands behind each batch norm, IEBN in the place of each, and nothing else differs."""
    torch.manual_seed(3)
    plain = style_network('bn', 4)
    torch.manual_seed(3)
    gated = style_network(norm, 4, 2)
    x = torch.rand(2, 3, 16, 16)
    assert not torch.allclose(gated(x), plain(x), atol=1e-3)
    for layer in inserted_layers(gated).values():
        last = layer.excitation.fc2 if norm == 'bn_se' else None
        weight, bias = (last.weight, last.bias) if last else (layer.gate_weight, layer.gate_bias)
        nn.init.zeros_(weight)
        nn.init.constant_(bias, 30)  # sigmoid(30) is 1 in float32
    torch.testing.assert_close(gated(x), plain(x), rtol=1e-5, atol=1e-5)


def test_same_seed_same_convolutions_for_every_norm():
    starts = []
    for norm in NORMS:
        torch.manual_seed(1)
        convs = [
            m
            for m in style_network(norm, 4, 2).modules()
            if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)
        ]
        starts.append(torch.cat([conv.weight.flatten() for conv in convs]))
    assert all(torch.equal(start, starts[0]) for start in starts)


def test_parameters_of_the_published_width():
    """9x9x3x32, 3x3 to 64 and to 128, ten 3x3 of 128, back to 64 and 32, 9x9 to pixels with a bias; weight and bias
    of norms.
    """
    convs = 81 * 3 * 32 + 9 * (32 * 64 + 64 * 128 + 10 * 128 * 128 + 128 * 64 + 64 * 32) + 81 * 32 * 3 + 3
    norms = 2 * (32 + 64 + 128 + 10 * 128 + 64 + 32)
    count = {norm: sum(p.numel() for p in style_network(norm).parameters()) for norm in NORMS}
    assert count['bn'] == count['in'] == convs + norms
    assert count['iebn'] == convs + 2 * norms


def test_a_norm_that_is_none_is_refused():
    with pytest.raises(UserError, match="there is no norm 'iebnn': did you mean iebn"):
        style_network('iebnn')


# --- the losses


def test_gram_is_the_plain_formula():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    wanted = torch.empty(2, 3, 3, dtype=torch.float64)
    for n in range(2):
        for i in range(3):
            for j in range(3):
                wanted[n, i, j] = (x[n, i] * x[n, j]).sum() / (3 * 4 * 5)
    torch.testing.assert_close(gram(x), wanted)


def test_total_variation_is_the_plain_formula():
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    wanted = 0.0
    for n, c, i, j in np.ndindex(*x.shape):
        if i + 1 < 4:
            wanted += (x[n, c, i + 1, j] - x[n, c, i, j]) ** 2
        if j + 1 < 5:
            wanted += (x[n, c, i, j + 1] - x[n, c, i, j]) ** 2
    torch.testing.assert_close(total_variation(x), wanted / (2 * 3 * 4 * 5))


@pytest.mark.parametrize('layer', ['relu2_2', 'relu3_3'])
def test_the_losses_are_the_equation(features, layer):
    x, y, s = torch.rand(2, 3, 16, 24), torch.rand(2, 3, 16, 24), torch.rand(1, 3, 32, 16)
    losses = PerceptualLoss(features, s, Weights(2, 3, 4), layer)(y, x)
    of_x, of_y, of_s = (features(image) for image in (x, y, s))
    style = [((gram(of_y[name]) - gram(of_s[name])) ** 2).sum((1, 2)) for name in STYLE_LAYERS]
    torch.testing.assert_close(losses.content, ((of_y[layer] - of_x[layer]) ** 2).mean())
    torch.testing.assert_close(losses.style, torch.stack(style).sum(0).mean())
    torch.testing.assert_close(losses.tv, total_variation(y))
    torch.testing.assert_close(losses.total, 2 * losses.content + 3 * losses.style + 4 * losses.tv)


def test_the_image_itself_has_no_content_loss_and_the_style_no_style_loss(features):
    s = torch.rand(1, 3, 16, 16)
    losses = PerceptualLoss(features, s, Weights(1, 1, 1))(s, s)
    assert losses.content == losses.style == 0 < losses.tv


@pytest.mark.parametrize('norm', NORMS)
def test_gradients_reach_the_network_and_not_vgg(features, norm):
    network = style_network(norm, 4, 2)
    x = torch.rand(2, 3, 16, 16)
    PerceptualLoss(features, torch.rand(1, 3, 16, 16), Weights(1, 5, 1))(network(x), x).total.backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert all(p.grad is None and not p.requires_grad for p in features.parameters())


# --- VGG16


@pytest.fixture(scope='module')
def vgg_file(tmp_path_factory) -> tuple[Path, nn.Sequential]:
    """A state dict as torchvision's, its classifier cut down, and the layers it came from."""
    with torch.device('meta'):
        layers = vgg16().features
    layers = layers.to_empty(device='cpu')
    for parameter in layers.parameters():
        nn.init.normal_(parameter, std=0.05)
    path = tmp_path_factory.mktemp('vgg') / 'vgg16.pth'
    weights = {f'features.{key}': value for key, value in layers.state_dict().items()}
    torch.save({**weights, 'classifier.6.bias': torch.zeros(1000)}, path)
    return path, layers


def test_features_are_torchvisions_at_those_layers(vgg_file):
    path, layers = vgg_file
    known = VGG16_Weights.IMAGENET1K_V1.transforms()
    image = torch.rand(2, 3, 32, 40)
    x, wanted, block, conv = normalize(image, known.mean, known.std), {}, 1, 0
    for layer in layers:
        x = layer(x)
        conv += isinstance(layer, nn.Conv2d)
        if isinstance(layer, nn.ReLU):
            wanted[f'relu{block}_{conv}'] = x.clone()
        if isinstance(layer, nn.MaxPool2d):
            block, conv = block + 1, 0
    features = load_features(path)
    maps = features(image)
    assert tuple(maps) == ('relu1_2', 'relu2_2', 'relu3_3', 'relu4_3')
    for name, value in maps.items():
        torch.testing.assert_close(value, wanted[name])
    assert tuple(features(image, last='relu2_2')) == ('relu1_2', 'relu2_2')
    assert re.fullmatch(r'VGG16 with the weights of vgg16.pth \(sha256 [0-9a-f]{8}\)', features.label)


def test_random_features_are_the_same_every_time_and_say_what_they_are(features):
    torch.manual_seed(5)
    again = random_features().state_dict()
    assert all(torch.equal(value, again[key]) for key, value in features.state_dict().items())
    assert 'untrained' in features.label
    size = features(torch.randn(1, 3, 64, 64))
    assert all(0.1 < value.std() < 10 for value in size.values())


# --- the images


@pytest.fixture
def folder(tmp_path) -> Path:
    """Five images of one grey each, one of them smaller than the crops and one in a folder below, and a text."""
    root = tmp_path / 'photos'
    for i, (name, size) in enumerate(
        {'a.png': 40, 'b.jpg': 40, 'c.PNG': 7, 'd.bmp': 30, 'more/e.png': 64}.items()
    ):
        mmcv.imwrite(np.full((size, 2 * size, 3), 50 * i, np.uint8), str(root / name))
    (root / 'notes.txt').write_text('no image')
    return root


def test_crops_of_a_folder(folder):
    found = images.find_images(str(folder))
    assert [path.name for path in found] == ['a.png', 'b.jpg', 'c.PNG', 'd.bmp', 'e.png']
    crops = images.Crops(found, 16, 12, seed=0)
    batches = torch.cat(list(DataLoader(crops, 4)))
    assert batches.shape == (12, 3, 16, 16)
    greys = (batches.mean((1, 2, 3)) * 255 / 50).round().int().tolist()
    assert sorted(greys[:5]) == sorted(greys[5:10]) == [0, 1, 2, 3, 4]
    assert greys[:5] != greys[5:10]


def test_crops_come_from_the_seed_alone():
    found = images.find_images('embedded')
    one, two, other = (images.Crops(found, 16, 6, seed) for seed in (1, 1, 2))
    torch.manual_seed(9)
    in_order = [one[i] for i in range(6)]
    assert all(torch.equal(two[i], in_order[i]) for i in reversed(range(6)))
    assert not any(torch.equal(other[i], in_order[i]) for i in range(6))


def test_resizing_keeps_the_shape():
    assert images.resize_to(torch.rand(3, 20, 31), 40).shape == (3, 40, 62)
    assert images.resize_to(torch.rand(3, 31, 20), 10).shape == (3, 16, 10)


@pytest.mark.parametrize('name', images.TEXTURES)
def test_textures_are_images_with_colours(name):
    texture = images.style_image(name)
    assert texture.shape == (3, 256, 256)
    assert texture.min() >= 0 and texture.max() <= 1
    assert texture.std((1, 2)).min() > 0.1
    assert torch.equal(texture, images.style_image(name))


# --- the command


def refused(capsys, *words) -> str:
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    assert exit_.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    return line


def test_weights_that_cannot_be_used_are_refused(tmp_path, capsys, vgg_file):
    assert 'there is no file no.pth: give torchvision' in refused(capsys, '--vgg', 'no.pth')
    text = tmp_path / 'text.pth'
    text.write_text('no weights')
    assert 'cannot be read as weights' in refused(capsys, '--vgg', text)
    other = tmp_path / 'resnet.pth'
    torch.save(resnet18().state_dict(), other)
    sentence = (
        '20 of 20 weights are missing or have another shape, the first is features.0.weight (64, 3, 3, 3)'
    )
    assert sentence in refused(capsys, '--vgg', other)
    weights = torch.load(vgg_file[0])
    torch.save({**weights, 'features.21.bias': torch.zeros(3)}, other)
    assert '1 of 20 weights' in refused(capsys, '--vgg', other)
    torch.save([1, 2], other)
    assert 'is no state dict of vgg16' in refused(capsys, '--vgg', other)


def test_a_gpu_that_is_not_there_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert 'there is no GPU in sight' in refused(capsys, '--random-vgg', '--device', 'cuda')


def test_without_a_word_about_vgg_nothing_starts(capsys):
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 2
    assert 'one of the arguments --vgg --random-vgg is required' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        ('--images none', 'there is no folder none: give a folder of images'),
        ('--images empty', 'empty holds no image (.jpg, '),
        ('--images broken', 'error: broken/a.jpg cannot be read as an image: name'),
        ('--images broken --picture good.png', 'error: broken/a.jpg cannot be read as an image: name'),
        (
            '--images broken --picture good.png --workers 1',
            'error: broken/a.jpg cannot be read as an image: name',
        ),
        ('--style none.png', 'there is no image none.png: put its path right, or take mosaic or waves'),
        ('--picture none.png', 'there is no image none.png'),
        ('--norms bn batch', "there is no norm 'batch'"),
        ('--reduction 16', 'choose a reduction of at most 4'),
        ('--out a_file', 'there is a file where a folder is needed'),
        ('--learning-rate 1e30 --norms bn', 'bn with seed 0 has no finite loss at step 2'),
    ],
)
def test_bad_input_gets_one_sentence_before_anything_is_trained(
    words, sentence, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'broken').mkdir()
    (tmp_path / 'broken' / 'a.jpg').write_text('no image')
    (tmp_path / 'a_file').write_text('')
    mmcv.imwrite(np.zeros((20, 20, 3), np.uint8), 'good.png')
    assert sentence in refused(capsys, '--random-vgg', *TINY.split(), *words.split())
    assert list(tmp_path.rglob('runs/*.json')) == []


def losses_of(out: Path) -> list:
    """All that must not change from one run to the next."""
    kept = ('norm', 'seed', 'step', 'content', 'style', 'tv', 'total')
    return [[run[key] for key in kept] for run in json.loads((out / 'losses.json').read_text())['runs']]


def test_the_command_and_going_on_after_a_stop(tmp_path, monkeypatch, capsys):
    words = ['--random-vgg', *TINY.split(), '--seeds', '3']
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    done = subprocess.run(
        [sys.executable, '-m', 'projects.iebn.style_transfer.train', *words, '--out', str(whole)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('loss network: untrained VGG16')
    result = json.loads((whole / 'losses.json').read_text())
    assert 'untrained' in result['features']
    assert [(run['seed'], run['norm']) for run in result['runs']] == [(3, norm) for norm in NORMS]
    for run in result['runs']:
        assert run['step'] == [1, 2]
        assert run['machine']['cpu'] and run['versions']['torch'] == torch.__version__.split('+')[0]
        weighted = zip(run['content'], run['style'], run['tv'], strict=True)
        np.testing.assert_allclose(run['total'], [c + 5 * s + tv for c, s, tv in weighted], rtol=1e-3)
    svg = (whole / 'losses.svg').read_text()
    assert 'untrained' in svg and all(f'>{name}<' in svg for name in NORMS.values())
    assert mmcv.imread(str(whole / 'pictures.png')).std() > 10

    trained, train = [], study._train

    def cut_off(settings, norm, seed, *rest):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append((norm, seed))
        return train(settings, norm, seed, *rest)

    assert 'one seed' in (whole / 'table.md').read_text()
    monkeypatch.setattr(study, '_train', cut_off)
    with pytest.raises(SystemExit) as exit_:
        main([*words, '--out', str(stopped)])
    assert exit_.value.code == 130
    assert 'run the same command again, what is finished is kept' in capsys.readouterr().err
    assert not (stopped / 'losses.json').exists()
    monkeypatch.setattr(
        study, '_train', lambda s, n, i, *rest: trained.append((n, i)) or train(s, n, i, *rest)
    )
    main([*words, '--out', str(stopped)])
    assert trained == [(norm, 3) for norm in NORMS]
    assert '3 of 4 trainings are finished' in capsys.readouterr().out
    assert losses_of(stopped) == losses_of(whole)
    assert 'width was 4 and is 8' in refused(capsys, *words, '--width', '8', '--out', stopped)


def test_a_folder_and_weights_from_a_file(folder, vgg_file, tmp_path, monkeypatch):
    commits = iter(['at the start', *['later'] * 9])
    monkeypatch.setattr(trainings, 'git_commit', lambda: next(commits))
    style, out = folder / 'more' / 'e.png', tmp_path / 'out'
    words = [
        '--images',
        folder,
        '--vgg',
        vgg_file[0],
        '--style',
        style,
        '--out',
        out,
        '--norms',
        'in',
        'iebn',
    ]
    assert main([str(word) for word in (*words, *TINY.split(), '--seeds', 5, 4)]) == 0
    assert 'VGG16 with the weights of vgg16.pth' in (out / 'losses.svg').read_text()
    runs = json.loads((out / 'losses.json').read_text())['runs']
    assert [run['commit'] for run in runs] == ['at the start'] * 4
    table = (out / 'table.md').read_text()
    assert 'no pair' in table and 'seeds 4, 5' in table and 'untrained' not in table


def test_a_picture_is_stylised_with_the_running_statistics():
    network = style_network('bn', 4).train()
    network(torch.rand(4, 3, 16, 16))
    picture = torch.rand(3, 16, 16)
    by_batch = network(picture[None])[0]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    made = study._stylised(network, picture)
    assert torch.equal(made, network.eval()(picture[None])[0])
    assert not torch.allclose(made, by_batch, atol=1e-3)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


# --- the report


def test_the_table_is_the_plain_formula():
    """The last tenth of twenty steps is two; differences are of the same seed."""
    rng = np.random.default_rng(0)
    where = dict(machine=dict(cpu='a CPU'), versions=dict(torch='2'), device='cpu', threads=1)
    runs = [
        dict(norm=norm, seed=seed, parameters=1000, seconds=20.0, step=list(range(1, 21)), **where)
        | {term: rng.uniform(1, 9, 20).tolist() for term in ('content', 'style', 'tv', 'total')}
        for seed in (0, 1, 2)
        for norm in ('bn', 'iebn')
    ]
    settings = dict(steps=20, content_weight=1, style_weight=5, tv_weight=1, size=16, batch_size=4, width=4)
    table = figures.table(dict(features='untrained', settings=dict(settings, reduction=2), runs=runs))
    final = {
        norm: np.array([np.mean(r['total'][-2:]) for r in runs if r['norm'] == norm])
        for norm in ('bn', 'iebn')
    }
    difference = final['iebn'] - final['bn']
    half = stats.t.ppf(0.975, 2) * difference.std(ddof=1) / 3**0.5
    low, high = difference.mean() - half, difference.mean() + half
    losses, differences = (line for line in table.splitlines() if line.startswith('| IEBN'))
    assert f'| 1,000 | {final["iebn"].mean():.4f} ± {final["iebn"].std(ddof=1):.4f} |' in losses
    assert differences.startswith(f'| IEBN | {difference.mean():+.4f} ({low:+.4f} to {high:+.4f}) |')


def test_what_was_run_offline_is_what_its_files_say():
    result = json.loads((OFFLINE / 'losses.json').read_text())
    assert {(run['norm'], run['seed']) for run in result['runs']} == {
        (n, s) for n in NORMS for s in (0, 1, 2)
    }
    assert 'untrained' in result['features'] and result['features'] in (OFFLINE / 'losses.svg').read_text()
    readme = (OFFLINE.parent / 'README.md').read_text()
    assert figures.table(result) in readme
