"""Check the pages: those of the layers are what code says and their configs run; all are short and their links
exist.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import mmdet.models  # noqa: F401  the scopes must be known
import mmseg.models  # noqa: F401
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import attn_plugins
from attn_plugins import inserted_layers
from attn_plugins.layers.place import place_of
from layer_docs import checks, measure
from layer_docs.docstrings import read
from layer_docs.page import CASES
from tests.layers.examples import examples_of

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / 'docs' / 'layers'
LAYERS = measure.layers()

# What makes the hosts of the pages' configs small; in a user's project it comes from the config that is inherited.
SMALL = {
    'ResNet': dict(depth=50, base_channels=16, stem_channels=16),
    'ResNeXt': dict(depth=50, base_channels=16, stem_channels=16, base_width=1),
    'MobileNetV2': dict(widen_factor=0.25, out_indices=(7,)),
    'DAHead': dict(in_channels=16, in_index=0, channels=512, pam_channels=8, num_classes=3),
    'CCHead': dict(in_channels=16, in_index=0, channels=64, num_classes=3),
}


def test_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / '.dev_scripts' / 'make_docs.py', '--check'], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize('name', LAYERS)
def test_docstrings_follow_the_convention(name):
    text = read(LAYERS[name])
    assert text.equation.startswith(('y', 'h')) and text.parameters and text.deviations.endswith('.')
    assert text.summary.endswith('.') and all(part.endswith('.') for part in text.source)


GOOD = """One sentence.

    Equation:
        y = x

    Parameters: 0.

    Deviations: None known.

    Args:
        in_channels (int): C.
            And more.
    """


@pytest.mark.parametrize(
    'change, message',
    [
        (('Equation:', 'Formula:'), "exactly one paragraph that starts with 'Equation:', not 0"),
        (('Deviations: None known.', 'It has none.'), "starts with 'Deviations:', not 0"),
        (('One sentence.', 'Parameters: 1.\n\n    One sentence.'), "starts with 'Parameters:', not 2"),
        (('One sentence.', 'One sentence.\n\n    Another.'), 'in this order'),
        (('in_channels (int)', 'channels (int)'), 'needs Args for in_channels, in this order'),
        (('in_channels (int)', 'in_channels'), r"needs Args written as 'name \(type\): text'"),
    ],
)
def test_docstrings_that_do_not_are_named(change, message):
    class Fake(nn.Module):
        def __init__(self, in_channels):
            super().__init__()

        def forward(self, x):
            """(N, C, H, W) -> (N, C, H, W)."""

    Fake.__doc__ = GOOD
    assert read(Fake).options[0].text == 'C. And more.'
    Fake.__doc__ = GOOD.replace(*change)
    with pytest.raises(ValueError, match=f'the docstring of Fake .*{message}'):
        read(Fake)
    Fake.__doc__ = GOOD
    Fake.forward.__doc__ = 'Computes y.'
    with pytest.raises(ValueError, match='needs its shapes'):
        read(Fake)


def build(cfg: dict, library: str) -> nn.Module:
    with DefaultScope.overwrite_default_scope(library):
        model = MODELS.build(cfg)
    model.eval()
    return model


@pytest.mark.parametrize('name', LAYERS)
def test_the_config_of_a_page_runs(name):
    """In its library, beside the plain host, whose shapes it keeps."""
    place = place_of(LAYERS[name])
    (code,) = re.findall(r'```python\n(.*?)```', (FOLDER / f'{name}.md').read_text(), re.DOTALL)
    ((part, cfg),) = Config.fromstring(code, '.py').model.items()
    host = cfg.get('host', cfg.type)
    cfg.update(SMALL[host])
    model = build(cfg, place.library)
    layers = inserted_layers(model)
    assert {type(layer).__name__ for layer in layers.values()} == {name}
    assert len(layers) >= max(1, len(place.plugins))
    plain = build(dict(type=host, **SMALL[host]), place.library)
    x = torch.randn(2, 3, 64, 64) if part == 'backbone' else (torch.randn(2, 16, 8, 6),)
    with torch.no_grad():
        ys, expected = model(x), plain(x)
    assert [y.shape for y in ys] == [y.shape for y in expected]
    assert all(torch.isfinite(y).all() for y in ys)


def test_what_is_counted_and_measured():
    assert measure.parameters('SE', 64) == 2 * 64 * 4 + 4 + 64
    places, d, c = 14 * 14, 32, 256
    assert measure.madds('PAM', 256) == places * (2 * c * d + c * c) + places**2 * (d + c)
    assert measure.madds('CAM', 512) == 2 * 512**2 * 49 and measure.madds('IEBN', 64) == 0
    assert measure.start('SKConv') is None and measure.start('GC') == (1, 0, 0)
    starts = {name: measure.start(name) for name in ('IEBN', 'SRM', 'SGE', 'SEM', 'NoisyBN', 'PAM')}
    gates = dict(IEBN=torch.tensor(-1.0).sigmoid(), SRM=0.5, SGE=torch.tensor(1.0).sigmoid())
    for name, gate in gates.items():
        assert abs(starts[name].factor - gate) < 1e-4 and starts[name].identity == 'no'
        assert abs(starts[name].deviation - (1 - gate)) < 1e-4
    assert abs(starts['SEM'].factor - 0.094) < 0.01
    assert (starts['NoisyBN'].identity, starts['PAM'].identity) == ('in evaluation only', 'yes')


def test_the_checks_cover_every_layer_and_case():
    """What `python .dev_scripts/check_layers.py` wrote is of the layers, configs and cases that there are."""
    record = json.loads((FOLDER / 'checks.json').read_text())
    assert record['layers'].keys() == LAYERS.keys()
    for name, layer in record['layers'].items():
        assert layer['golden'].keys() == {case for case, cfg in CASES.items() if cfg['type'] == name}
        tested = examples_of(name).keys()
        assert layer['checks'].keys() == checks.COLUMNS.keys()
        assert tested and all(passed.keys() == tested for passed in layer['checks'].values())


def test_a_failed_check_is_shown_as_one():
    passed = {key: {'a': None} for key in checks.COLUMNS}
    record = dict(
        command='c',
        machine=dict(cpu='x', cores=1),
        versions={},
        tolerance=1e-5,
        layers=dict(
            Good=dict(golden={'g': dict(tensor='dx', error=2e-6, tensors=3)}, checks=passed),
            Bad=dict(
                golden={
                    'g': dict(failure='dx differs by 1.0e-02'),
                    'h': dict(tensor='dx', error=0.0, tensors=3),
                },
                checks={**passed, 'onnx': {'a': None, 'b': 'TypeError: no'}},
            ),
        ),
    )
    text = checks.render(record)
    assert '| [Good](Good.md) | 1 of 1 | 2.0e-06 | 1 of 1 |' in text
    assert '| [Bad](Bad.md) | 1 of 2 | failed | 1 of 1 | 1 of 2 |' in text
    assert checks.failures(record) == [
        'Bad, golden case g: dx differs by 1.0e-02',
        'Bad, ONNX of b: TypeError: no',
    ]


def test_the_readme_counts_the_hosts_and_positions_that_are_tested():
    from attn_plugins.insertion.host_tables import POSITIONS
    from tests.insertion.families import FAMILIES

    assert f'{len(FAMILIES)} hosts, {len(POSITIONS)} named places' in (ROOT / 'README.md').read_text()


PAGES = [
    path for pattern in ('*.md', 'docs/**/*.md', 'projects/**/*.md') for path in sorted(ROOT.glob(pattern))
]


def test_pages_are_short():
    """The first page, how to work, and each study."""
    most = {ROOT / 'README.md': 130, ROOT / 'CONTRIBUTING.md': 80}
    most |= dict.fromkeys(ROOT.glob('projects/*/README.md'), 80)
    assert len(most) == 8
    long = {str(path): n for path in most if (n := len(path.read_text().splitlines())) > most[path]}
    assert long == {}


def test_prose_has_lines_of_at_most_120_characters():
    """Written by hand: tables, code, pictures, generated blocks and generated pages may be wider."""
    wide = []
    for path in PAGES:
        if path.parent in (FOLDER, ROOT / 'docs' / 'benchmarks'):
            continue
        text = path.read_text()
        text = re.sub(r'<!-- begin: (\S+) -->\n.*?<!-- end: \1 -->', '', text, flags=re.DOTALL)
        text = re.sub(r'^```.*?^```$', '', text, flags=re.DOTALL | re.MULTILINE)
        lines = (line for line in text.splitlines() if not line.startswith(('|', '![')))
        wide += [f'{path.relative_to(ROOT)}: {line}' for line in lines if len(line) > 120]
    assert wide == []


def test_links_lead_to_files_that_exist():
    """`make site` checks them in a browser's terms, anchors too, and needs an environment of its own."""
    missing = []
    for path in PAGES:
        text = re.sub(r'^```.*?^```$', '', path.read_text(), flags=re.DOTALL | re.MULTILINE)
        for link in re.findall(r'\]\(([^)\s#:]+)(?=[)#])', text):
            if not (path.parent / link).exists():
                missing.append(f'{path.relative_to(ROOT)}: {link}')
    assert missing == []


def test_the_citation_has_the_version_of_the_package():
    assert f'version: {attn_plugins.__version__}\n' in (ROOT / 'CITATION.cff').read_text()
