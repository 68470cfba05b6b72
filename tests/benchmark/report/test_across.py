"""Suites side by side: what they share, what they do not, and how they differ; nothing is dropped."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from attn_plugins.benchmark.report.side_by_side import sides_of, together
from attn_plugins.benchmark.report.write import write_across, write_report
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.run_folder import RUN
from attn_plugins.benchmark.suite import Suite, read_suite
from attn_plugins.cli.benchmark import main
from attn_plugins.errors import UserError
from attn_plugins.files import write_json

TOY = dict(toy=dict(config='toy.py'))
OTHER_START = {'conv1.weight': '8x3x3x3 ffff'}


def put(project, name, scores, settings=(), start=None, **changes) -> Suite:
    """A suite with results of what has a score, and its file beside the others."""
    seeds = sorted({seed for _, seed in scores})
    presets = list(dict.fromkeys(preset for preset, _ in scores))
    path = project.suite(name=name, **dict(dict(seeds=seeds, presets=presets, configs=TOY), **changes))
    suite = read_suite(path.rename(path.with_name(f'{name}.yml')))
    for run in suite.runs:
        if (run.preset_name, run.seed) in scores:
            project.put_result(run, scores[run.preset_name, run.seed], start=start)
            write_json(
                run.folder / RUN,
                dict(config_hash='x', settings={'lr': '0.1', 'depth': '18', **dict(settings)}),
            )
    return suite


def written(*suites, out=None) -> dict[str, str]:
    """What each writer shows of the suites."""
    console = Console(record=True, width=300)
    sides = sides_of([(suite, read_results(suite)) for suite in suites])
    paths = write_across(sides, console, out)
    return {suffix: path.read_text() for suffix, path in paths.items()} | {'screen': console.export_text()}


@pytest.fixture
def before(project):
    return put(project, 'before', {('none', 0): 90.0, ('none', 1): 91.0, ('ca', 0): 91.0, ('ca', 1): 92.0})


def test_scores_stand_beside_each_other_with_the_difference_of_the_seeds_in_common(project, before):
    after = put(
        project, 'after', {('ca', 0): 92.0, ('ca', 1): 94.0, ('ca', 2): 99.0, ('se', 0): 90.0}, {'lr': '0.2'}
    )
    shown = written(before, after)
    assert {path.name for path in Path('work_dirs/before-after').iterdir()} == {
        f'report.{suffix}' for suffix in ('json', 'md', 'html', 'csv', 'tex')
    }
    # 92 - 91 and 94 - 92: mean 1.5, std 0.7071, t(0.975, 1) = 12.7062.
    row = next(line for line in shown['md'].splitlines() if line.startswith('| ca '))
    assert row == (
        '| ca | 91.50 ± 0.71 (n = 2) | 95.00 ± 3.61 (n = 3; median 94.00) | +1.50 ± 0.71 (n = 2, 95 %: −4.85 to +7.85, '
        'includes 0) | paired: one seed, one start (seed 2 in after alone) |'
    )
    assert '| preset | top-1, before, % | top-1, after, % | after minus before | pairs |' in shown['md']
    said = (
        ': top-1 1.50 points above its score in before on the mean of 2 seeds (95 %: −4.85 to +7.85), higher '
        'in 2 of 2 seeds.'
    )
    for suffix in ('screen', 'md', 'html', 'csv', 'tex'):
        text = shown[suffix]
        assert all(part in text for part in ('Not in all suites', 'toy/test/none', 'toy/test/se')), suffix
        assert 'No verdict is given across suites' in text and 'Settings that differ' in text
        assert 'Made with: before' in text and 'Made with: after' in text
        assert 'ca in after' in text and said in text.replace(r'$-$', '−').replace(r'\%', '%'), suffix
    content = json.loads(shown['json'])
    assert content['settings'] == [
        dict(name='lr', values=['0.1', '0.2'], runs=['toy/ca/seed0', 'toy/ca/seed1'])
    ]
    assert content['not_shared'][0] == dict(config='toy', test='test', preset='none', suites=['before'])
    lines = csv.DictReader(io.StringIO(shown['csv']))
    [cell] = [line for line in lines if (line['row'], line['column']) == ('ca', 'after minus before')]
    assert (float(cell['value']), cell['n']) == (1.5, '2')


def test_other_starts_and_no_common_seed_are_said_to_be_unpaired(project, before):
    other = put(project, 'other', {('ca', 0): 92.0, ('ca', 1): 92.5}, start=OTHER_START)
    text = written(before, other)['md']
    assert 'unpaired: with one seed they start from other values in 1 of 1 weights' in text
    later = put(project, 'later', {('ca', 7): 95.0})
    text = written(before, later)['md']
    row = next(line for line in text.splitlines() if line.startswith('| ca '))
    assert (
        '| +3.50 (of the two means) | unpaired: no seed in common (seeds 0, 1 in before alone; seed 7 in'
        in row
    )
    assert 'ca in later: +3.50 from mean to mean; unpaired: no seed in common.' in text


def test_a_third_suite_has_its_own_columns_and_a_gap_where_it_lacks_a_preset(project, before):
    after = put(project, 'after', {('ca', 0): 92.0, ('none', 0): 90.5})
    third = put(project, 'third', {('none', 0): 89.0})
    text = written(before, after, third)['md']
    assert '| after minus before | pairs of after | third minus before | pairs of third |' in text
    row = next(line for line in text.splitlines() if line.startswith('| ca '))
    assert row.endswith('| +1.00 (n = 1) | paired: one seed, one start (seed 1 in before alone) | – | – |')
    assert '| toy/test/ca | before, after | third |' in text
    assert 'one seed does not tell how much a result moves' in text


def test_caveats_come_first(project, before):
    nan = put(project, 'nan', {('ca', 0): float('nan'), ('ca', 1): 93.0})
    text = written(before, nan)['md']
    assert (
        'ca in nan: caution, in nan 1 of 2 seeds without a finite score; top-1 1.00 points above its score in before '
        'with 1 seed;' in text
    )


def test_scores_of_two_kinds_have_no_difference(project, before):
    other = put(project, 'other', {('ca', 0): 92.0})
    result = other.runs[0].folder / 'result.json'
    result.write_text(result.read_text().replace('accuracy/top1', 'mIoU'))
    text = written(before, other)['md']
    assert '| – | top-1 and mIoU are no scores of one kind (seed 1 in before alone) |' in text


def test_settings_that_are_the_same_or_not_on_record(project, before):
    after = put(project, 'after', {('ca', 0): 92.0, ('ca', 1): 92.0})
    assert 'No setting differs between the 2 runs of equal name.' in written(before, after)['md']
    (after.runs[0].folder / RUN).unlink()
    text = written(before, after)['md']
    assert 'The settings of 1 runs are not on record: toy/ca/seed0.' in text


def test_suites_of_one_name_go_by_their_folders(project, before):
    again = read_suite(before.path, 'work_dirs/again')
    for run in again.runs:
        project.put_result(run, 95.0)
    sides = sides_of([(suite, read_results(suite)) for suite in (before, again)])
    assert [side.label for side in sides] == ['before', 'again']
    assert [row.preset for row in together(sides)[0].rows] == ['none', 'ca']


def test_what_cannot_stand_side_by_side_gets_a_sentence(project, before):
    empty = put(project, 'empty', {('ca', 0): 1.0})
    (empty.runs[0].folder / 'result.json').unlink()
    apart = put(project, 'apart', {('se', 0): 92.0})

    def refused(*suites):
        with pytest.raises(UserError) as error:
            sides_of([(suite, read_results(suite)) for suite in suites])
        return str(error.value)

    assert 'suite before in work_dirs/before is named twice' in refused(before, before)
    assert refused(before, empty) == 'suite empty has no finished run in work_dirs/empty: run it first'
    assert 'before and apart have no config, test and preset of equal names in common' in refused(
        before, apart
    )


def test_the_command_line(project, before, capsys):
    put(project, 'after', {('ca', 0): 92.0})
    assert main(['report', 'before.yml', 'after.yml', '--out', 'both']) == 0
    assert 'both/report.html' in capsys.readouterr().out.splitlines()
    folders = ['--work-dir', 'work_dirs/before', '--work-dir', 'work_dirs/after']
    assert main(['report', 'before.yml', 'before.yml', *folders]) == 0
    assert 'work_dirs/before-after/report.html' in capsys.readouterr().out.splitlines()
    assert main(['report', 'after.yml', '--work-dir', 'work_dirs/after', '--out', 'alone']) == 0
    assert Path('alone/report.html').is_file()
    with pytest.raises(SystemExit):
        main(['report', 'before.yml', 'after.yml', '--work-dir', 'x'])
    assert 'there 1 times and there are 2 suites: give it once for each suite' in capsys.readouterr().err


def test_no_report_is_written_over_that_of_a_suite(project, before):
    after = put(project, 'after', {('ca', 0): 92.0})
    write_json(after.folder / 'commands.json', dict(commands=['x']))
    with pytest.raises(UserError, match='work_dirs/after is the folder of a suite'):
        written(before, after, out=after.folder)
    with pytest.raises(UserError, match='name another by --out'):
        write_report(before, read_results(before), after.folder)
    assert write_report(after, read_results(after))['md'].is_file()
