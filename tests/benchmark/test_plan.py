"""Plans: resolved configs, the hash that tells results apart, and what happens when a config changes."""

import runpy
import zipfile

import pytest

from attn_plugins.benchmark.plan import check_all_data, notes, plan_suite, settle_changes, write_inputs
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json
from tests.datasets.trees import write_image


def plan(project, work_dir=None, **changes):
    suite = read_suite(project.suite(**changes), work_dir)
    return suite, {run.name: plan for run, plan in plan_suite(suite, devices=2).items()}


def finish(suite, plans):
    """Leave what finished runs of these plans leave."""
    for each in plans.values():
        each.run.folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(each.run.folder / 'epoch_3.pth', 'w') as file:
            file.writestr('weights', '')
        (each.run.folder / 'last_checkpoint').write_text('/moved/away/epoch_3.pth')
        write_inputs(each, suite, 1)
        write_json(each.run.folder / 'result.json', dict(state='finished', steps={}))


def test_the_hash_is_of_what_decides_a_result(project):
    _, plans = plan(project, seeds=[0, 1])
    hashes = {name: each.config_hash for name, each in plans.items()}
    assert len(set(hashes.values())) == 8
    _, moved = plan(project, seeds=[0, 1], work_dir='elsewhere')
    assert hashes == {name: each.config_hash for name, each in moved.items()}
    project.config.write_text(project.config.read_text() + '# a remark\n')
    _, remarked = plan(project, seeds=[0, 1])
    assert hashes == {name: each.config_hash for name, each in remarked.items()}
    project.config.write_text(project.config.read_text() + 'batch = 2\n')
    _, changed = plan(project, seeds=[0, 1])
    assert not set(hashes.values()) & {each.config_hash for each in changed.values()}


def test_the_inputs_of_a_run(project):
    suite, plans = plan(project, seeds=[5])
    finish(suite, plans)
    source, target = (
        runpy.run_path(str(plans[f'{key}/ca/seed5'].run.folder / 'config.py')) for key in suite.config_keys
    )
    assert source['randomness'] == dict(seed=5)
    assert source['attention'][0]['cfg']['type'] == 'attn_plugins.CoordAttention'
    assert 'init_cfg' not in source['model']['backbone']
    assert target['model']['backbone']['init_cfg'] == dict(
        type='Pretrained', checkpoint='work_dirs/toys/source/ca/seed5/epoch_3.pth', prefix='backbone.'
    )
    record = read_json(plans['target/ca/seed5'].run.folder / 'run.json')
    assert record['needs'] == ['source/ca/seed5']
    assert [step['name'] for step in record['steps']] == ['train', 'test', 'count', 'pictures']
    assert record['settings']['train_cfg.max_epochs'] == '3'


def test_a_changed_value_is_named_and_nothing_is_touched(project):
    finish(*plan(project))
    settle_changes({each.run: each for each in plan(project)[1].values()}, redo=False)
    project.config.write_text(project.config.read_text() + 'batch = 2\n')
    suite, plans = plan(project)
    with pytest.raises(
        UserError,
        match=r'^batch \(was not set, is 2\) changed since source/none/seed0, .*--redo .*--work-dir',
    ):
        settle_changes({each.run: each for each in plans.values()}, redo=False)
    assert all((run.folder / 'result.json').is_file() for run in suite.runs)
    settle_changes({each.run: each for each in plans.values()}, redo=True)
    assert not any(run.folder.exists() for run in suite.runs)


def test_an_option_of_the_suite_is_named_and_redo_takes_only_what_it_affects(project):
    finish(*plan(project))
    configs = dict(
        source=dict(config='toy.py'),
        target=dict(
            config='toy.py', weights_from=dict(backbone='source'), cfg_options={'model.backbone.depth': 34}
        ),
    )
    suite, plans = plan(project, configs=configs)
    with pytest.raises(UserError, match=r'^model.backbone.depth \(was 18, is 34\) changed since target/none'):
        settle_changes({each.run: each for each in plans.values()}, redo=False)
    settle_changes({each.run: each for each in plans.values()}, redo=True)
    assert {run.name for run in suite.runs if run.folder.exists()} == {'source/none/seed0', 'source/ca/seed0'}


def test_what_starts_from_another_backbone_now_is_outdated_too(project):
    finish(*plan(project))
    configs = dict(
        source=dict(config='toy.py', cfg_options={'train_cfg.max_epochs': 9}),
        target=dict(config='toy.py', weights_from=dict(backbone='source'), cfg_options={}),
    )
    suite, plans = plan(project, configs=configs)
    settle_changes({each.run: each for each in plans.values()}, redo=True)
    assert not any(run.folder.exists() for run in suite.runs)


def test_a_variant_is_planned_with_its_own_options(project):
    variant = {'deep': dict(preset='ca', cfg_options={'model.backbone.depth': 34})}
    _, plans = plan(project, presets=['none', 'ca', variant])
    deep, ca = (plans[f'source/{name}/seed0'] for name in ('deep', 'ca'))
    assert deep.cfg.model.backbone.depth == 34 and deep.cfg.attention == ca.cfg.attention
    assert set(deep.settings.items()) ^ set(ca.settings.items()) == {
        ('model.backbone.depth', '34'),
        ('model.backbone.depth', '18'),
    }
    assert plans['target/deep/seed0'].settings['weights_from.backbone'].endswith(deep.config_hash[:12])


def test_a_changed_variant_alone_is_done_again(project):
    def presets(depth):
        return ['none', {'deep': dict(preset='none', cfg_options={'model.backbone.depth': depth})}]

    finish(*plan(project, presets=presets(34)))
    suite, plans = plan(project, presets=presets(50))
    with pytest.raises(
        UserError, match=r'^model.backbone.depth \(was 34, is 50\) changed since source/deep/seed0'
    ):
        settle_changes({each.run: each for each in plans.values()}, redo=False)
    settle_changes({each.run: each for each in plans.values()}, redo=True)
    assert {run.name for run in suite.runs if run.folder.exists()} == {
        'source/none/seed0',
        'target/none/seed0',
    }


def test_a_run_that_failed_before_its_first_checkpoint_may_be_mended(project):
    suite, plans = plan(project)
    run = suite.runs[0]
    write_inputs(plans[run.name], suite, 1)
    write_json(run.folder / 'result.json', dict(state='failed', error='no such optimizer'))
    project.config.write_text(project.config.read_text() + 'batch = 2\n')
    settle_changes({each.run: each for each in plan(project)[1].values()}, redo=False)


def test_weights_go_into_a_part_that_is_there(project):
    project.config.write_text(project.config.read_text().replace('backbone', 'trunk'))
    with pytest.raises(UserError, match=r"cannot take weights_from 'backbone': its model has no backbone"):
        plan(project)


def test_a_teacher_beside_a_backbone(project):
    """A run starts from two others: one of the same preset, and the whole of a plain one."""
    project.config.write_text(project.config.read_text() + "model['teacher'] = dict(type='Toy')\n")
    configs = dict(
        source=dict(config='toy.py'),
        target=dict(
            config='toy.py',
            presets=['ca'],
            weights_from=dict(backbone='source', teacher=dict(config='source', preset='none', prefix='')),
        ),
    )
    suite, plans = plan(project, configs=configs)
    finish(suite, plans)
    model = runpy.run_path(str(plans['target/ca/seed0'].run.folder / 'config.py'))['model']
    folder = 'work_dirs/toys/source'
    assert model['backbone']['init_cfg']['checkpoint'] == f'{folder}/ca/seed0/epoch_3.pth'
    assert model['teacher']['init_cfg'] == dict(
        type='Pretrained', checkpoint=f'{folder}/none/seed0/epoch_3.pth', prefix=None
    )


BIG_BATCH = """
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
auto_scale_lr = dict(enable=False, base_batch_size=256)
"""


@pytest.mark.parametrize(
    ('devices', 'given', 'processes', 'note'),
    [
        (8, None, 8, None),
        (16, None, 8, None),
        (2, None, 2, 'here 2 x 32 = 64 images make a batch, and the learning rate is 0.025'),
        (2, 8, 8, None),
        (8, 1, 1, 'here 1 x 32 = 32 images make a batch, and the learning rate is 0.0125'),
    ],
)
def test_a_batch_of_eight_processes(project, devices, given, processes, note):
    project.config.write_text(project.config.read_text() + BIG_BATCH)
    suite = read_suite(project.suite(configs=dict(toy=dict(config='toy.py')), processes=given))
    [plain, other] = plan_suite(suite, devices).values()
    assert plain.processes == other.processes == processes
    assert plain.cfg.auto_scale_lr.enable is (note is not None)
    assert notes([plain, other]) == (
        [f'toy: its learning rate 0.1 is for a batch of 256 (8 processes of 32); {note}'] if note else []
    )


def test_a_run_that_has_begun_keeps_its_processes_wherever_it_is_looked_at(project):
    project.config.write_text(project.config.read_text() + BIG_BATCH)
    suite = read_suite(project.suite(configs=dict(toy=dict(config='toy.py')), presets=['none']))
    [trained] = plan_suite(suite, devices=8).values()
    finish(suite, {'toy': trained})
    [looked_at] = plan_suite(suite, devices=1).values()
    assert looked_at.processes == 8 and looked_at.config_hash == trained.config_hash
    assert not looked_at.is_outdated and looked_at.note is None


def test_a_config_that_could_not_be_tested_is_refused_before_it_is_trained(project):
    project.config.write_text(project.config.read_text() + 'test_evaluator = None\n')
    with pytest.raises(UserError, match='toy.py has no test_evaluator, by which a suite tests'):
        plan(project)


def test_the_data_of_every_test_are_checked_before_anything_is_trained(project, tmp_path):
    project.config.write_text(
        project.config.read_text()
        + "test_dataloader = dict(dataset=dict(type='mmpretrain.CustomDataset', "
        + f'data_root={str(tmp_path / "images")!r}))\n'
    )
    write_image(tmp_path / 'images/a/1.png', 0)
    tests = dict(clean={}, gone={'test_dataloader.dataset.data_root': 'data/nowhere'})
    configs = dict(toy=dict(config='toy.py', tests=dict(clean={})))
    check_all_data(plan(project, configs=configs)[1].values())
    configs['toy']['tests'] = tests
    with pytest.raises(UserError, match='the folder data/nowhere is missing'):
        check_all_data(plan(project, configs=configs)[1].values())
