"""benchmark_layers.py: files are written, what is not equal is said and not compared, bad input gets one sentence."""

import csv

import pytest
import torch

from benchmarks.layers import measure
from benchmarks.layers.cli import main
from benchmarks.layers.references import AUTHORS, REFERENCES, TIMM, Reference
from tests.cli.conftest import error_line

SMALL = ['--shape', '2', '32', '7', '8', '--pairwise-shape', '1', '32', '4', '4', '--repeats', '2']
SMALL += ['--threads', '1', '--no-compile', '--no-networks']


@pytest.fixture(autouse=True)
def threads():
    """As many as before: `--threads` is the process's."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def rows_of(folder):
    with (folder / 'layers.csv').open() as file:
        return {row['layer']: row for row in csv.DictReader(file)}


def test_files(tmp_path, capsys):
    assert main([*SMALL, '--layers', 'BatchNorm2d', 'IEBN', 'SE', 'PAM', '--out', str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [
        str(tmp_path / f'layers.{suffix}') for suffix in ('csv', 'md', 'svg')
    ]
    rows = rows_of(tmp_path)
    assert list(rows) == ['BatchNorm2d', 'IEBN', 'SE', 'PAM']
    se = rows['SE']
    assert se['shape'] == '2x32x7x8' and rows['PAM']['shape'] == '1x32x4x4'
    assert float(se['eager_q1_ms']) <= float(se['eager_median_ms']) <= float(se['eager_q3_ms'])
    for rival in ('authors', 'timm', 'openmmlab'):
        assert se[f'{rival}_equal'] == 'True' and float(se[f'eager_over_{rival}']) == pytest.approx(
            float(se[f'{rival}_median_ms']) / float(se['eager_median_ms'])
        )
    assert (se['floor_forward_maps'], se['floor_backward_maps']) == ('3', '4')
    assert rows['PAM']['floor_forward_maps'] == se['compiled_median_ms'] == ''
    page = (tmp_path / 'layers.md').read_text()
    for words in (
        'tools/benchmark_layers.py --shape 2 32 7 8',
        '1 thread',
        'torch ',
        'timm ',
        '| SE | ',
        '| 3 + 5 |',
        '## Map 1 x 32 x 4 x 4',
        'Nothing was compiled',
        'No GPU at hand: none of these were measured.',
        '(layers.svg)',
    ):
        assert words in page, words
    assert 'SE' in (tmp_path / 'layers.svg').read_text()


def test_a_wrong_rival_is_red(tmp_path, capsys, monkeypatch):
    (right,) = [rival for rival in REFERENCES['GE'] if rival.source == AUTHORS]

    class Wrong(type(right.build(None))):
        def forward(self, x):
            return super().forward(x) * 1.001

    monkeypatch.setitem(
        measure.REFERENCES,
        'GE',
        [Reference(AUTHORS, lambda layer: Wrong()), *(r for r in REFERENCES['GE'] if r.source == TIMM)],
    )
    assert main([*SMALL, '--layers', 'GE', '--out', str(tmp_path)]) == 1
    (row,) = rows_of(tmp_path).values()
    assert row['authors_equal'] == 'False' and float(row['authors_error']) == pytest.approx(1e-3, rel=0.01)
    assert row['authors_median_ms'] == row['eager_over_authors'] == ''
    assert row['timm_equal'] == 'True' and float(row['eager_over_timm']) > 0
    assert 'GE, authors: not equal' in capsys.readouterr().err
    page = (tmp_path / 'layers.md').read_text()
    (line,) = [line for line in page.splitlines() if line.startswith('| GE |')]
    cells = [cell.strip() for cell in line.split('|')]
    assert cells[7].startswith('not equal: ') and cells[7].endswith(' by 1e-03') and cells[10] == '–'
    assert 'Not equal, so nothing is compared:' in page


def test_in_a_process_of_its_own(workspace):
    done = workspace.run('benchmark_layers.py', *SMALL, '--layers', 'ECA', '--out', 'measured')
    assert done.returncode == 0, done.stderr
    assert (workspace.folder / 'measured' / 'layers.md').is_file()


def test_a_layer_that_is_not_there(workspace):
    done = workspace.run('benchmark_layers.py', '--layers', 'SEE')
    assert "there is nothing to measure of 'SEE': did you mean SE" in error_line(done)


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        ('--shape 1 2 3', 'expected 4 arguments'),
        ('--repeats 0', '0 is too small, the smallest is 1'),
    ],
)
def test_bad_numbers(words, sentence, capsys):
    with pytest.raises(SystemExit):
        main(words.split())
    assert sentence in capsys.readouterr().err
