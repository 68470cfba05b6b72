"""Pictures of predictions: a step that a finished run can lack, that costs no run, and that the report shows."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from attn_plugins.benchmark import pictures, steps, worker
from attn_plugins.benchmark.report.write import write_report
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.run_folder import PICTURES, RESULT, RUN
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.benchmark.tuning import HELD_OUT
from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json
from tests.benchmark import stub
from tests.benchmark.test_scheduler import finish

TOYS = dict(toy=dict(config='toy.py'))
STEP = dict(kind='pictures', name='pictures', cfg_options={})


def steps_of(run) -> list[str]:
    return [step['name'] for step in run.steps]


def test_only_the_first_seed_of_each_config_and_preset_is_drawn_and_no_trial(project):
    tune = {'tune': {'lr': [0.1, 0.3]}, 'tune_seeds': [3]}
    project.config.write_text(project.config.read_text() + 'lr = 0.1\n')
    runs = read_suite(project.suite(seeds=[3, 4], configs=dict(toy=dict(config='toy.py', **tune)))).runs
    drawn = [run.name for run in runs if 'pictures' in steps_of(run)]
    assert drawn == ['toy/none/seed3', 'toy/ca/seed3'] and any(HELD_OUT in run.tests for run in runs)


def test_they_are_of_the_first_test(project):
    tests = dict(noisy={'noise': 5}, clean={})
    [run, _] = read_suite(project.suite(configs=dict(toy=dict(config='toy.py', tests=tests)))).runs
    assert run.steps[-1] == dict(STEP, cfg_options={'noise': 5})


@pytest.fixture
def older(project, monkeypatch):
    """A suite that a version without pictures has finished, with a word of that version in its results."""
    path = project.suite(presets=['none'], configs=TOYS)
    with monkeypatch.context() as before:
        before.delitem(steps.STEPS, 'pictures')
        finish(path)
        [run] = read_suite(path).runs
        result = read_json(run.folder / RESULT)
        assert list(result['steps']) == ['train', 'test', 'count'] and result['state'] == 'finished'
    write_json(run.folder / RESULT, dict(result, git_commit='older'))
    return path


def test_results_of_an_older_version_are_finished_and_say_what_they_lack(older):
    suite = read_suite(older)
    [state] = read_results(suite)
    assert state.state == 'finished' and state.lacks_extras
    for suffix in ('md', 'html'):
        text = write_report(suite, [state])[suffix].read_text()
        assert '1 of 1 runs finished' in text and 'by a version that drew none' in text


def test_the_next_run_makes_up_for_them_without_training_and_keeps_the_rest(older):
    [run] = read_suite(older).runs
    before, config = read_json(run.folder / RESULT), (run.folder / 'config.py').read_bytes()
    finish(older)
    after = read_json(run.folder / RESULT)
    assert after['steps'].pop('pictures')['why_not'] == 'the stub sees nothing'
    assert after == before and (run.folder / 'config.py').read_bytes() == config
    log = (run.folder / 'run.log').read_text()
    assert log.count('$ train') == log.count('$ test') == log.count('$ pictures') == 1
    finish(older)
    assert (run.folder / 'run.log').read_text() == log, 'nothing is left to do'


def test_a_process_that_dies_as_it_draws_leaves_a_finished_run(project, monkeypatch):
    path = project.suite(presets=['none'], configs=TOYS)

    def die(folder, run, step):
        assert read_json(folder / RESULT)['state'] == 'finished'
        raise KeyboardInterrupt

    monkeypatch.setitem(stub.STEPS, 'pictures', steps.StepKind(die, is_extra=True))
    with pytest.raises(KeyboardInterrupt):
        finish(path)
    [state] = read_results(read_suite(path))
    assert state.state == 'finished' and state.lacks_extras


def test_what_cannot_be_drawn_costs_no_run_and_gives_its_reason(tmp_path, monkeypatch):
    for error, reason in (
        (UserError('the checkpoint is gone'), 'the checkpoint is gone'),
        (ZeroDivisionError('a model of a user'), 'ZeroDivisionError: a model of a user'),
    ):

        def fail(folder, options, error=error):
            raise error

        monkeypatch.setattr(pictures, 'draw_pictures', fail)
        assert steps.pictures(tmp_path, {}, STEP) == dict(images=[], why_not=reason)


def test_of_several_processes_the_first_draws(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, 'draw_pictures', lambda folder, options: drawn.append(folder) or ['image'])
    write_json(tmp_path / RUN, dict(config_hash='', processes=2, steps=[STEP]))
    for rank in ('1', '0'):
        monkeypatch.setenv('RANK', rank)
        assert worker.carry_out(tmp_path) == 0
    assert drawn == [tmp_path]
    assert read_json(tmp_path / RESULT)['steps']['pictures']['images'] == ['image']


def put_pictures(run, **changes) -> dict:
    """The step of a run that has drawn one image."""
    (run.folder / PICTURES).mkdir(parents=True, exist_ok=True)
    image = dict(name='a<b>.jpg')
    for name, words in dict(truth='7', prediction='3 (0.90)', evidence='3 (0.90), by backbone').items():
        file = f'{PICTURES}/0_{name}.jpg'
        cv2.imwrite(str(run.folder / file), np.zeros((8, 8, 3), np.uint8))
        image[name] = dict(file=file, words=words, width=8, height=8)
    image.update(changes)
    return dict(pictures=dict(images=[{k: v for k, v in image.items() if v}], why_not=''))


def report(project, pictures_of=put_pictures) -> tuple[SimpleNamespace, object]:
    suite = read_suite(project.suite(configs=TOYS))
    for run in suite.runs:
        project.put_result(run, 90.0, **pictures_of(run))
    paths = write_report(suite, read_results(suite))
    return SimpleNamespace(**{suffix: path.read_text() for suffix, path in paths.items()}), suite


def test_the_page_has_them_and_markdown_their_folders(project):
    shown, suite = report(project)
    assert shown.html.count('<img src="data:image/jpeg;base64,') == 1 + 2 * 2
    assert 'alt="a&lt;b&gt;, ca predicts: 3 (0.90)"' in shown.html and '<th scope="col">ca</th>' in shown.html
    assert '<small>3 (0.90)</small>' in shown.html
    assert f'* ca: `{suite.runs[1].folder}/{PICTURES}`' in shown.md
    assert 'Predictions' not in shown.csv + shown.tex
    [comparison] = json.loads(shown.json)['comparisons']
    assert comparison['presets'][1]['drawn']['images'][0]['prediction']['words'] == '3 (0.90)'


def test_a_record_of_an_older_version_says_what_its_maps_explain(project):
    shown, _ = report(project)
    assert shown.html.count('<small>map: 3 (0.90), by backbone</small>') == 2
    assert '1 image spread evenly over the test split; models of seed 0. Bright places' in shown.html


def drawn(run, library: str, explains: str = '3 (0.90)', key: list | None = None, **changes) -> dict:
    """The step of a run as this version keeps it."""
    step = put_pictures(run, library=library, **changes)
    [image] = step['pictures']['images']
    image['evidence']['explains'] = explains
    for name in ('truth', 'prediction'):
        image[name] |= {'key': key} if key else {}
    return step


def test_each_map_says_what_it_explains(project):
    own = dict(none='3 (0.90)', ca='7 (0.41), as 3 is missed')
    shown, _ = report(project, lambda run: drawn(run, 'mmdet', own[run.preset]))
    for words in own.values():
        assert f'<small>map: {words}</small>' in shown.html
    assert 'by backbone</small>' not in shown.html


def test_the_note_is_short_and_of_its_own_task_alone(project):
    words = dict(mmpretrain='predicted class', mmdet='box in white', mmseg='true class besides background')
    for library in words:
        shown, _ = report(project, lambda run, library=library: drawn(run, library))
        [note] = re.findall(r'<p class="quiet">([^<]*spread evenly over the test split[^<]*)', shown.html)
        assert note.startswith('1 image spread') and len(note.split()) <= 50
        assert [name for name, own in words.items() if own in note] == [library]


def test_colours_of_masks_have_a_key_in_place_of_words(project):
    key = [dict(name='c<t', share=0.24, colour=[255, 0, 16])]
    shown, _ = report(project, lambda run: drawn(run, 'mmseg', key=key))
    swatch = '<span class="key"><i style="background: #ff0010"></i>c&lt;t (24%)</span>'
    assert shown.html.count(swatch) == 1 + 2 and '<small>3 (0.90)' not in shown.html


def test_names_of_files_break_at_underscores_alone_and_have_no_ending(project):
    shown, _ = report(project, lambda run: put_pictures(run, name='val_000000_leftImg8bit.png'))
    assert '<small>val_<wbr>000000_<wbr>leftImg8bit: 7</small>' in shown.html
    assert 'leftImg8bit.png' not in shown.html


def test_pictures_that_are_gone_are_missed_in_a_sentence(project):
    _, suite = report(project)
    for file in (suite.runs[1].folder / PICTURES).iterdir():
        file.unlink()
    shown = write_report(suite, read_results(suite))
    assert shown['html'].read_text().count('<img') == 1 + 2
    for suffix in ('html', 'md'):
        assert 'ca: the pictures that its run has drawn are not in' in shown[suffix].read_text()


def test_what_is_missing_of_an_image_is_said(project):
    why = dict(pictures=dict(images=[], why_not='no image files'))
    bare = dict(truth=None, evidence=None, no_evidence='gives no map')
    shown, _ = report(project, lambda run: why if run.preset == 'ca' else put_pictures(run, **bare))
    assert 'ca: no pictures (no image files).' in shown.html
    assert 'none: where scores come from is not shown for a&lt;b&gt;.jpg (gives no map).' in shown.html
    assert 'the data set does not say what is true' in shown.html and shown.html.count('<img') == 1


def test_a_test_cannot_be_called_pictures(project):
    with pytest.raises(UserError, match="'tests' maps a name of its own"):
        read_suite(project.suite(configs=dict(toy=dict(config='toy.py', tests=dict(pictures={})))))
    assert Path(PICTURES).name == PICTURES
