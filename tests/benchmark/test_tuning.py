"""Every preset tries the same values on held-out training images, and is trained with its own best ones."""

import io

import pytest
from mmengine.config import Config
from rich.console import Console

from attn_plugins.benchmark.plan import plan_suite
from attn_plugins.benchmark.progress import PlainView
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.scheduler import run_suite
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.benchmark.tuning import choose, hold_out
from attn_plugins.errors import UserError
from attn_plugins.files import read_json
from tests.benchmark.stub import InlineExecutor
from tests.benchmark.test_scheduler import finish

NAN = float('nan')
# A config with a data set, of which a part can be held out, and a learning rate.
TUNED = """
_base_ = ['toy.py']
lr = 0.1
train_dataloader = dict(dataset=dict(type='Images', ann_file='train.txt'))
val_dataloader = dict(dataset=dict(type='Images', ann_file='val.txt', test_mode=True))
test_dataloader = dict(dataset=dict(type='Images', ann_file='test.txt', test_mode=True))
val_evaluator = test_evaluator = dict(type='Accuracy')
"""


@pytest.fixture
def tuned(project, monkeypatch):
    """A suite of a config that is tuned; the stand-in of the trainings scores none best at lr 0.1 and ca at 0.3."""
    (project.folder / 'tuned.py').write_text(TUNED)
    monkeypatch.setattr('attn_plugins.benchmark.scheduler.check_all_data', lambda plans: None)

    def suite(**changes):
        said = dict(
            seeds=[0, 1],
            tune={'lr': [0.03, 0.1, 0.3]},
            tune_seeds=[7, 8],
            configs=dict(a=dict(config='tuned.py')),
        )
        return project.suite(**(said | changes))

    return suite


def test_each_preset_is_trained_with_its_own_best_values(tuned):
    path = tuned()
    finish(path)
    suite = read_suite(path)
    states = {state.run.name: state for state in read_results(suite)}
    assert {state.state for state in states.values()} == {'finished'} and len(states) == 2 * (3 * 2 + 2)
    for preset, best in (('none', 0.1), ('ca', 0.3)):
        for seed in (0, 1):
            record = read_json(states[f'a/{preset}/seed{seed}'].run.folder / 'run.json')
            assert record['settings']['lr'] == repr(best)
    trial = states['a/ca/trial2/seed8'].run.folder
    assert Config.fromfile(trial / 'config.py').lr == 0.3


def test_the_test_data_do_not_occur_in_a_trial(tuned):
    plans = plan_suite(read_suite(tuned(tune_share=0.3)), devices=1)
    trials = [plan for run, plan in plans.items() if run.trial is not None]
    assert len(trials) == 12
    for plan in trials:
        text = repr(plan.cfg.to_dict())
        assert 'test.txt' not in text and 'val.txt' not in text
        parts = [plan.cfg[f'{name}_dataloader']['dataset'] for name in ('train', 'val', 'test')]
        assert [part['held_out'] for part in parts] == [False, True, True]
        assert all(part['share'] == 0.3 and part['dataset']['ann_file'] == 'train.txt' for part in parts)
        assert [part['dataset'].get('test_mode', False) for part in parts] == [False, True, True]
    assert all('test.txt' in repr(plan.cfg.to_dict()) for run, plan in plans.items() if run.trial is None)


def test_a_finished_suite_is_left_alone(tuned):
    finish(tuned())
    assert 'started' not in finish(tuned())


def states_of(path) -> dict[str, str]:
    suite = read_suite(path)
    return {state.run.name: state.state for state in read_results(suite, plan_suite(suite, devices=1))}


def test_a_longer_grid_trains_its_new_trials_and_what_has_another_best_then(tuned):
    """ca is best at 0.3, which is new, and none stays best at 0.1."""
    finish(tuned(tune={'lr': [0.1, 0.2]}))
    path = tuned(tune={'lr': [0.1, 0.2, 0.3]})
    before = states_of(path)
    assert before['a/none/seed0'] == 'waiting' and before['a/none/trial2/seed7'] == 'waiting'
    said = finish(path)
    assert 'outdated a/ca/seed0: other values are best now' in said and 'started a/none/seed0' not in said
    after = states_of(path)
    assert (after['a/none/seed0'], after['a/ca/seed0']) == ('finished', 'outdated')
    with pytest.raises(UserError, match=r'lr \(was 0.2, is 0.3\) changed since a/ca/seed0.* --redo'):
        finish(path)
    executor = InlineExecutor()
    suite = read_suite(path)
    view = PlainView(suite, 1, Console(file=io.StringIO()))
    run_suite(suite, plan_suite(suite, devices=1), executor, view, redo=True)
    assert set(states_of(path).values()) == {'finished'}
    record = read_json(suite.folder / 'a/ca/seed0/run.json')
    assert record['settings']['lr'] == '0.3'


def test_what_starts_from_a_tuned_run_can_be_continued(tuned):
    configs = dict(
        source=dict(config='tuned.py'), target=dict(config='tuned.py', weights_from=dict(backbone='source'))
    )
    path = tuned(tune={'lr': [0.3, 0.1]}, configs=configs, seeds=[0])
    finish(path)
    assert set(states_of(path).values()) == {'finished'}
    assert 'started' not in finish(path)


def test_a_value_with_which_a_trial_diverges_is_not_chosen(tuned):
    path = tuned(tune={'lr': [5.0, 0.2]})
    finish(path)
    states = {state.run.name: state for state in read_results(read_suite(path))}
    assert states['a/ca/trial0/seed7'].state == 'diverged' and states['a/ca/seed0'].state == 'finished'
    assert read_json(states['a/ca/seed0'].run.folder / 'run.json')['settings']['lr'] == '0.2'


def test_without_any_value_that_trains_nothing_is_trained(tuned):
    path = tuned(tune={'lr': [5.0, 6.0]})
    assert 'blocked a/none/seed0' in finish(path)


@pytest.mark.parametrize(
    'scores, best',
    [
        ({0: [70, 72], 1: [73, 70]}, 1),
        ({0: [71, 71], 1: [71, 71], 2: [70, 70]}, 0),
        ({0: [90, NAN], 1: [10, 10]}, 1),
        ({0: [NAN], 1: [float('inf')]}, None),
        ({}, None),
    ],
)
def test_the_best_mean_is_chosen(scores, best):
    assert choose(scores) == best


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(tune={}), "'tune' is empty: name values to try"),
        (dict(tune={'lr': []}), "'tune' needs a list of at least two values of lr, not \\[\\]"),
        (dict(tune={'lr': [0.1]}), 'at least two values of lr'),
        (dict(tune={'lr': [0.1, 0.1]}), "'tune' names 0.1 twice for lr"),
        (dict(tune={'lr': [0, 0]}), "'tune' names 0 twice for lr"),
        (dict(tune={'lr': 0.1}), 'at least two values of lr, not 0.1'),
        (dict(tune={'test_dataloader.batch_size': [1, 2]}), 'of the data that the result is measured on'),
        (dict(tune={'val_evaluator.topk': [1, 2]}), 'of the data that the result is measured on'),
        (
            dict(tune={'randomness.seed': [1, 2]}),
            "'tune' sets randomness.seed: leave that to the suite's seeds",
        ),
        (dict(tune=[0.1, 0.2]), "'tune' must be a mapping like"),
        (dict(tune_share=0), "'tune_share' is the share of the training images"),
        (dict(tune_share=True), "'tune_share' is the share of the training images"),
        (dict(tune_seeds=[]), "'tune_seeds' must be a list like"),
        (dict(tune_seeds=[1, 1]), "'tune_seeds' names 1 twice"),
        (dict(tune=None, tune_seeds=None, tune_share=0.1), "'tune_share' without 'tune' changes nothing"),
        (
            dict(presets=['none', {'fast': dict(cfg_options={'lr': 1.0})}]),
            "tries values of lr, which variant 'fast' sets by lr: leave one of them out",
        ),
        (
            dict(configs=dict(a=dict(config='toy.py')), tune={'train_cfg.max_epochs': [1, 2]}),
            'tune holds out images of one training data set',
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused(tuned, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        plan_suite(read_suite(tuned(**changes)), devices=1)
    assert '\n' not in str(caught.value)


def config(**changes) -> Config:
    dataset = dict(type='CocoDataset', ann_file='train.json', pipeline=[dict(type='LoadAnnotations')])
    tested = dict(
        type='CocoDataset', ann_file='val.json', test_mode=True, pipeline=[dict(type='mmdet.PackDetInputs')]
    )
    said = dict(
        train_dataloader=dict(dataset=dict(type='MultiImageMixDataset', dataset=dataset, pipeline=[])),
        test_dataloader=dict(batch_size=3, dataset=tested),
        test_evaluator=dict(type='CocoMetric', ann_file='val.json', metric='bbox'),
    )
    return Config(said | changes, filename=__file__)


def test_a_detectors_metric_reads_what_is_true_from_the_images():
    cfg = config()
    hold_out(cfg, 0.1)
    assert cfg.train_dataloader.dataset.type == 'MultiImageMixDataset'
    assert cfg.train_dataloader.dataset.dataset.type == 'attn_plugins.Split'
    assert cfg.test_evaluator.ann_file is None
    held = cfg.test_dataloader.dataset.dataset
    assert held.ann_file == 'train.json' and 'instances' in held.pipeline[0].meta_keys
    assert cfg.test_dataloader.batch_size == 3 and 'val.json' not in repr(cfg.to_dict())


def test_a_metric_with_a_file_of_its_own_is_refused():
    with pytest.raises(UserError, match='LVISMetric reads what is true from lvis.json'):
        hold_out(config(test_evaluator=dict(type='LVISMetric', ann_file='lvis.json')), 0.1)
