"""A section of a report is one item: every writer shows it, and none knows it."""

import csv
import io

import pytest
from rich.console import Console

from attn_plugins.benchmark.report import print_report, sections, write_report, writers
from attn_plugins.benchmark.report.cells import difference_cell, number_cell, word_cell
from attn_plugins.benchmark.report.section import Cell, Report, Section, Table
from attn_plugins.benchmark.report.writers import escape_latex, escape_markdown
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.statistics import paired_difference
from attn_plugins.benchmark.suite import read_suite

LEGEND = 'Sharpness is what a user of ours measures.'


@pytest.fixture
def suite(project):
    suite = read_suite(
        project.suite(seeds=[0, 1], configs=dict(a=dict(config='toy.py'), b=dict(config='toy.py')))
    )
    for run in suite.runs:
        project.put_result(run, 90.0 + run.seed * (run.preset == 'ca'))
    return suite


def sharpness(comparison):
    rows = [
        [word_cell(result.preset), number_cell(12.5 * len(result.preset))] for result in comparison.presets
    ]
    table = Table(['preset', 'sharp & sound'], rows)
    yield Section('Sharpness', table, level=3, notes=[f'Of {comparison.name} alone.'], legend=[LEGEND])


def test_what_the_author_says_of_a_suite_heads_every_form(project):
    suite = read_suite(project.suite(about='Digits,\n  and no photographs.'))
    assert suite.about == 'Digits, and no photographs.'
    console = Console(record=True, width=200)
    for path in write_report(suite, read_results(suite)).values():
        assert path.suffix == '.json' or suite.about in path.read_text(), path
    print_report(suite, read_results(suite), console)
    assert suite.about in console.export_text()


@pytest.mark.parametrize(('last', 'is_flat'), [([90.0, 90.9, 90.8], True), ([80.0, 90.0, 100.0], False)])
def test_that_no_curve_was_still_rising_is_said(project, last, is_flat):
    suite = read_suite(project.suite(configs=dict(toy=dict(config='toy.py'))))
    for run in suite.runs:
        scores = [10.0, 50.0, 75.0, *(last if run.preset == 'ca' else [90.0] * 3)]
        validation = [[step, {'accuracy/top1': score}] for step, score in enumerate(scores)]
        project.put_result(run, scores[-1], curve=dict(loss=[[0, 1.0], [5, 0.5]], validation=validation))
    page = write_report(suite, read_results(suite))['html'].read_text()
    assert ('a line per run; no line was still rising at its end.' in page) is is_flat
    assert ('still improving' in page) is not is_flat


def test_a_report_of_a_suite_that_never_ran_says_so(project):
    suite = read_suite(project.suite())
    text = write_report(suite, read_results(suite))['md'].read_text()
    assert '| Command | none yet; it is run by python tools/benchmark.py run ' in text


@pytest.mark.parametrize('width', [40, 60, 80, 100, 200])
def test_no_number_or_word_is_cut_on_a_narrow_screen(suite, width):
    console = Console(record=True, width=width, file=io.StringIO())
    print_report(suite, read_results(suite), console)
    text = console.export_text()
    assert '…' not in text
    words = ' '.join(text.split())
    assert all(number in words for number in ('2.000', '50.0', '900'))
    assert max(map(len, text.splitlines())) <= width


def test_a_new_section_reaches_every_writer(suite, monkeypatch):
    monkeypatch.setattr(sections, 'OF_A_COMPARISON', [*sections.OF_A_COMPARISON, sharpness])
    states, console = read_results(suite), Console(record=True, width=200)
    print_report(suite, states, console)
    shown = {suffix: path.read_text() for suffix, path in write_report(suite, states).items()}
    shown['screen'] = console.export_text()
    assert set(shown) == {'json', 'md', 'html', 'csv', 'tex', 'screen'}
    for suffix, text in shown.items():
        assert (LEGEND in text) == (suffix != 'screen'), suffix
        if suffix != 'json':
            assert all(part in text for part in ('Sharpness', '50.00', 'Of a alone.', 'Of b alone.')), suffix
    for suffix, head in dict(
        md='### Sharpness', html='<h3>Sharpness</h3>', tex=r'\subsubsection*{Sharpness}'
    ).items():
        assert shown[suffix].count(head) == 2 and shown[suffix].count(LEGEND) == 1


def test_every_writer_has_the_head_the_failures_and_what_the_results_were_made_with(suite, project):
    project.put_failure(suite.runs[0], 'the disk is full')
    states, console = read_results(suite), Console(record=True, width=200)
    print_report(suite, states, console)
    shown = {suffix: path.read_text() for suffix, path in write_report(suite, states).items()}
    for text in (console.export_text(), *(shown[suffix] for suffix in writers.WRITERS)):
        assert '7 of 8 runs finished; made on' in text and '2 comparisons: 2 have no verdict' in text
        assert 'a/none/seed0' in text and 'the disk is full' in text
        assert (
            'Toy CPU, 2 cores' in text and 'torch 2.12.1' in text and 'python tools/benchmark.py run' in text
        )


def test_the_csv_has_plain_numbers(suite):
    lines = list(csv.DictReader(io.StringIO(write_report(suite, read_results(suite))['csv'].read_text())))
    [line] = [
        line for line in lines if (line['section'], line['row'], line['column']) == ('a', 'ca', 'minus none')
    ]
    expected = paired_difference({0: 90.0, 1: 91.0}, {0: 90.0, 1: 90.0})
    numbers = [float(line[name]) for name in ('value', 'std', 'n', 'low', 'high')]
    assert numbers == pytest.approx([expected.mean, expected.std, 2, *expected.interval])
    assert line['text'] == '+0.50 ± 0.71' and line['table'] == 'a'
    [p] = [line for line in lines if (line['section'], line['column']) == ('b', 'p (t)')]
    assert (p['table'], p['row'], float(p['value'])) == ('Differences', 'ca minus none', pytest.approx(0.5))
    assert [line['text'] for line in lines if line['section'] == 'a' and line['row'] == 'about'] == ['toy.py']


def test_a_csv_keeps_what_spreadsheets_would_split():
    table = Table(['preset', 'score'], [[Cell('a,"b"', 'a,"b"'), Cell('1\n2', None)]])
    text = writers.csv_text(Report('r', '', '', [Section('s; t', table)]))
    *_, line = csv.DictReader(io.StringIO(text))
    assert (line['row'], line['text'], line['section'], line['value']) == ('a,"b"', '1\n2', 's; t', '')


@pytest.mark.parametrize(
    'text, written',
    [
        ('50 % of a_b & c #1', r'50 \% of a\_b \& c \#1'),
        (r'C:\x{y}^~$', r'C:\textbackslash{}x\{y\}\textasciicircum{}\textasciitilde{}\$'),
        ('a<b>|c', r'a\textless{}b\textgreater{}\textbar{}c'),
        ('−1.50 ± 0.71 × 2 – 3', r'$-$1.50 $\pm$ 0.71 $\times$ 2 \textendash{} 3'),
        ('run --redo, ---', 'run -{}-redo, -{}-{}-'),
        (
            '[x] * "y"\n`z\'',
            r'{[}x] {*} \textquotedbl{}y\textquotedbl{} \textasciigrave{}z\textquotesingle{}',
        ),
    ],
)
def test_latex_prints_a_text_as_it_is(text, written):
    assert escape_latex(text) == written


def test_a_table_of_latex():
    difference = paired_difference({0: 91.0, 1: 94.0}, {0: 90.0, 1: 92.0})
    rows = [[word_cell('a_b'), difference_cell(difference), word_cell('no verdict', 'n = 2')]]
    section = Section(
        '100 %', Table(['preset', 'minus none', 'verdict'], rows), about='x_y.py', notes=['A & B.']
    )
    text = writers.latex(Report('toys', 'Sum', 'Said', [section]))
    assert text.split('\n\n')[1:] == [
        r'\section*{toys}',
        'Sum',
        'Said',
        r'\subsection*{100 \%}',
        r'\texttt{x\_y.py}',
        r"""\begin{tabular}{lrl}
\toprule
preset & minus none & verdict \\
\midrule
a\_b & \begin{tabular}[t]{@{}r@{}}+1.50 $\pm$ 0.71 \\ \footnotesize n = 2, 95 \%: $-$4.85 to +7.85, includes 0"""
        r"""\end{tabular} & \parbox[t]{16em}{\raggedright no verdict \\ \footnotesize n = 2} \\
\bottomrule
\end{tabular}""",
        'A \\& B.\n',
    ]


def test_pictures_alone_are_for_the_page():
    section = Section('Pictures', level=3, notes=['A circle.'], plots=['<svg></svg>'])
    report, console = (
        Report('toys', '', '', [Section('Text', notes=['Words.']), section]),
        Console(record=True),
    )
    writers.show(report, console)
    for text in (
        console.export_text(),
        writers.markdown(report),
        writers.csv_text(report),
        writers.latex(report),
    ):
        assert 'circle' not in text
    page = writers.html(report)
    assert '<svg></svg>' in page and 'A circle.' in page and '<h3>Pictures</h3>' in page


@pytest.mark.parametrize(
    'text, escaped',
    [
        ('a_b, 3 * 2', r'a_b, 3 \* 2'),
        ('<b> | `x`', r'\<b> \| \`x\`'),
        ('_x_ and\nmore', r'\_x\_ and more'),
        ('−1.50 ± 0.71 (n = 2)', '−1.50 ± 0.71 (n = 2)'),
    ],
)
def test_markdown_shows_names_as_they_are(text, escaped):
    assert escape_markdown(text) == escaped


def test_names_with_dollars_are_no_mathematics(project):
    """matplotlib refuses them otherwise, and no report was written."""
    variant = {'$^$': {'cfg_options': {'model.backbone.depth': 34}}}
    suite = read_suite(project.suite(presets=['none', variant], configs=dict(toy=dict(config='toy.py'))))
    curve = dict(loss=[[1, 2.0], [2, 1.0]], validation=[])
    for run in suite.runs:
        project.put_result(run, 90.0, curve=curve)
    assert '$^$' in write_report(suite, read_results(suite))['html'].read_text()
