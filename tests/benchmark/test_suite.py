"""Suites: what they expand to, and one sentence for each thing that can be wrong in one."""

from pathlib import Path

import pytest

from attn_plugins.benchmark.plan import plan_suite
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.errors import UserError


def test_expands_to_runs_in_dependency_order(project):
    target_first = dict(
        target=dict(config='toy.py', weights_from=dict(backbone='source')), source=dict(config='toy.py')
    )
    suite = read_suite(project.suite(seeds=[0, 3], configs=target_first))
    assert [run.name for run in suite.runs] == [
        f'{key}/{preset}/seed{seed}'
        for key in ('source', 'target')
        for seed in (0, 3)
        for preset in ('none', 'ca')
    ]
    needs = {run.name: [other.name for other in run.needs] for run in suite.runs}
    assert needs['source/ca/seed3'] == []
    assert needs['target/ca/seed3'] == ['source/ca/seed3']
    assert str(suite.runs[1].folder) == 'work_dirs/toys/source/ca/seed0'


def test_a_config_may_have_its_own_presets_seeds_and_options(project):
    configs = dict(
        a=dict(config='toy.py'), b=dict(config='toy.py', presets=['eca'], seeds=[7], cfg_options={'x': 1})
    )
    last = read_suite(project.suite(configs=configs), work_dir='elsewhere').runs[-1]
    assert (last.name, last.cfg_options, str(last.folder)) == (
        'b/eca/seed7',
        {'x': 1},
        'elsewhere/b/eca/seed7',
    )


def test_configs_are_found_from_another_directory(project, tmp_path_factory, monkeypatch):
    path = project.suite()
    monkeypatch.chdir(tmp_path_factory.mktemp('elsewhere'))
    assert read_suite(path).runs[0].config.samefile(project.config)


WIDE = {'model.backbone.depth': 34, 'x': 2}


def wide(**changes):
    """The presets none and the variant `wide`."""
    return ['none', {'wide': dict(dict(preset='none', cfg_options=WIDE), **changes)}]


def test_a_variant_is_a_preset_with_a_name_and_options_of_its_own(project):
    (project.folder / 'se4.py').touch()
    configs = dict(
        a=dict(config='toy.py', cfg_options={'x': 1, 'y': 1}),
        b=dict(config='toy.py', presets=['ca', {'small': dict(preset='se4.py', cfg_options={'z': 3})}]),
    )
    runs = {run.name: run for run in read_suite(project.suite(presets=wide(), configs=configs)).runs}
    assert list(runs) == ['a/none/seed0', 'a/wide/seed0', 'b/ca/seed0', 'b/small/seed0']
    plain, variant = runs['a/none/seed0'], runs['a/wide/seed0']
    assert (plain.cfg_options, plain.variant_options) == ({'x': 1, 'y': 1}, {})
    assert (variant.preset, variant.preset_name, str(variant.folder)) == (
        'none',
        'wide',
        'work_dirs/toys/a/wide/seed0',
    )
    assert (variant.cfg_options, variant.variant_options) == ({'y': 1, **WIDE}, WIDE)
    assert list(variant.cfg_options)[0] == 'y', "the variant's are merged last"
    assert variant != plain
    assert runs['b/small/seed0'].preset == 'se4.py'


def test_the_preset_of_a_variant_is_none_if_it_does_not_say(project):
    suite = project.suite(presets=[{'wide': dict(cfg_options=WIDE)}], configs=entry())
    assert [run.preset for run in read_suite(suite).runs] == ['none']


def test_a_variant_starts_from_the_weights_of_the_variant_of_its_name(project):
    suite = read_suite(project.suite(presets=wide()))
    needs = {run.name: [other.name for other in run.needs] for run in suite.runs}
    assert needs['target/wide/seed0'] == ['source/wide/seed0'] and needs['target/none/seed0'] == [
        'source/none/seed0'
    ]
    configs = dict(
        source=dict(config='toy.py', presets=['none']),
        target=dict(config='toy.py', weights_from=dict(backbone='source')),
    )
    with pytest.raises(
        UserError, match=r"'target' with preset 'wide' and seed 0 needs the weights of 'source'"
    ):
        read_suite(project.suite(presets=wide(), configs=configs))
    configs['target']['weights_from'] = dict(backbone=dict(config='source', preset='none'))
    runs = {run.name: run for run in read_suite(project.suite(presets=wide(), configs=configs)).runs}
    assert [run.name for run in runs['target/wide/seed0'].needs] == ['source/none/seed0']


def test_controls_of_the_suite_hold_where_a_config_trains_them_and_its_own_replace_them(project):
    presets = ['none', 'ca', 'se', *wide()[1:]]
    configs = dict(
        a=dict(config='toy.py'),
        b=dict(config='toy.py', presets=['none', 'ca', 'se']),
        c=dict(config='toy.py', presets=['none', 'se']),
        d=dict(config='toy.py', controls=dict(se=['ca'])),
    )
    configs[5] = dict(config='toy.py', controls=None)
    suite = read_suite(project.suite(presets=presets, configs=configs, controls=dict(ca=['wide', 'se'])))
    assert suite.controls == {
        'a': dict(ca=['wide', 'se']),
        'b': dict(ca=['se']),
        'c': {},
        'd': dict(se=['ca']),
        '5': {},
    }
    assert read_suite(project.suite()).controls == dict(source={}, target={})


def test_controls_of_a_presets_file_are_named_by_name_or_path(project):
    (project.folder / 'se4.py').touch()
    for name in ('se4', 'se4.py'):
        suite = project.suite(presets=['ca', 'se4.py'], configs=entry(controls={name: ['ca']}))
        assert read_suite(suite).controls == dict(toy=dict(se4=['ca']))


def test_every_difference_to_none_and_to_controls_is_compared_by_default(project):
    presets = ['none', 'ca', 'se']
    configs = dict(a=dict(config='toy.py'), b=dict(config='toy.py', presets=['ca', 'se']))
    suite = read_suite(project.suite(presets=presets, configs=configs, controls=dict(ca=['se'])))
    assert suite.comparisons == dict(a=[('ca', 'none'), ('se', 'none'), ('ca', 'se')], b=[('ca', 'se')])


def test_declared_comparisons_hold_where_a_config_trains_both_and_its_own_replace_them(project):
    (project.folder / 'se4.py').touch()
    presets = ['none', 'ca', 'se4.py', *wide()[1:]]
    configs = dict(
        a=dict(config='toy.py'),
        b=dict(config='toy.py', presets=['none', 'ca']),
        c=dict(config='toy.py', comparisons=[['none', 'ca']]),
        d=dict(config='toy.py', presets=['se4.py']),
    )
    suite = read_suite(
        project.suite(presets=presets, configs=configs, comparisons=['se4.py', ['ca', 'wide'], 'ca'])
    )
    assert suite.comparisons == dict(
        a=[('se4', 'none'), ('ca', 'wide'), ('ca', 'none')],
        b=[('ca', 'none')],
        c=[('none', 'ca')],
        d=[],
    )


def test_margin_and_spread_are_the_suites_or_a_configs(project):
    configs = dict(a=dict(config='toy.py'), b=dict(config='toy.py', margin=2, spread=None))
    suite = read_suite(project.suite(configs=configs, margin=0.5, spread=0.3))
    assert (suite.margins, suite.spreads) == (dict(a=0.5, b=2), dict(a=0.3, b=None))
    assert read_suite(project.suite()).margins == dict(source=None, target=None)


def entry(**changes):
    return dict(toy=dict(dict(config='toy.py'), **changes))


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(presests=['ca']), ["unknown key 'presests'", 'did you mean presets']),
        (dict(configs=entry(sed=[1])), ["unknown key 'sed'", 'did you mean seeds']),
        (dict(name=None), ["no 'name'"]),
        (dict(configs=None), ["no 'configs'"]),
        (dict(presets=['none', 'mine/coord.py']), ['no preset mine/coord.py']),
        (dict(presets=None), ["neither the config nor the suite has 'presets'", '[none, ca]']),
        (dict(processes=0), ["'processes' must be a number from 1 up, not 0"]),
        (dict(configs=entry(cfg_options={'lr': '1e-3'})), ["sets lr to the text '1e-3'", '0.001']),
        (dict(configs=entry(cfg_options={'randomness.seed': 1})), ['leave that to', 'seeds']),
        (dict(configs=entry(tests=['clean'])), ["'tests' must be a mapping", '{clean: {}']),
        (dict(configs=entry(tests=dict(train={}))), ["'tests' maps a name of its own"]),
        (
            dict(configs=entry(weights_from='toy')),
            ["'weights_from' must be a mapping", '{backbone: classification}'],
        ),
        (dict(configs=entry(weights_from=dict(backbone=dict(conf='toy')))), ["unknown key 'conf'"]),
        (dict(presets=[None]), ["'presets' must be a list"]),
        (dict(controls=['ca']), ["'controls' must be a mapping", '{se: [se_mean, wide]}']),
        (dict(controls=dict(ca='se')), ["'controls' maps a preset to a list", "not ca: 'se'"]),
        (dict(controls=dict(ca=[])), ["'controls' maps a preset to a list", 'not ca: []']),
        (dict(controls=dict(ca=[1])), ["'controls' maps a preset to a list", 'not ca: [1]']),
        (dict(controls={1: ['ca']}), ["'controls' maps a preset to a list", "not 1: ['ca']"]),
        (
            dict(presets=['se', *wide()], controls=dict(se=['wiide'])),
            ["toys.yml: 'controls' names 'wiide', which is no preset there: did you mean wide?"],
        ),
        (dict(controls=dict(cca=['ca'])), ["'controls' names 'cca'", 'did you mean ca?']),
        (dict(controls=dict(ca=['none'])), ["'controls' names none", 'leave it out']),
        (dict(controls=dict(ca=['ca'])), ["'controls' of ca names 'ca' twice, or as its own control"]),
        (dict(presets=['ca', 'se'], controls=dict(ca=['se', 'se'])), ["'controls' of ca names 'se' twice"]),
        (
            dict(
                presets=['ca', 'se'],
                configs=dict(entry(presets=['ca'], controls=dict(ca=['se'])), b=dict(config='toy.py')),
            ),
            ["config 'toy': 'controls' names 'se', which is no preset there: choose from ca"],
        ),
        (dict(comparisons='ca'), ["'comparisons' must be a list", '[se, [ca, se]]', "not 'ca'"]),
        (dict(comparisons=[]), ["'comparisons' must be a list", 'not []']),
        (dict(comparisons=[1]), ["'comparisons' lists presets and pairs of presets", 'not 1']),
        (dict(comparisons=[['ca']]), ["'comparisons' lists presets and pairs of presets", "not ['ca']"]),
        (dict(comparisons=[['ca', 'se', 'none']]), ["'comparisons' lists presets and pairs of presets"]),
        (
            dict(presets=['none', 'se', *wide()[1:]], comparisons=['se', ['wide', 'see']]),
            ["'comparisons' names 'see', which is no preset there: did you mean se?"],
        ),
        (dict(comparisons=['ca', ['ca', 'none']]), ["'comparisons' names ca against none twice"]),
        (dict(comparisons=['ca', ['none', 'ca']]), ["'comparisons' names none against ca twice"]),
        (dict(comparisons=[['ca', 'ca']]), ["'comparisons' names ca against itself"]),
        (dict(comparisons=['none']), ["'comparisons' names none against itself"]),
        (
            dict(
                configs=dict(entry(presets=['none', 'ca']), b=dict(config='toy.py', presets=['none', 'se'])),
                comparisons=[['ca', 'se']],
            ),
            ["'comparisons' names ca against se, which no config trains both: train both in one"],
        ),
        (
            dict(configs=entry(comparisons=['se'])),
            ["config 'toy': 'comparisons' names 'se', which is no preset there: choose from"],
        ),
        (dict(margin=0), ["'margin' must be a positive number of points, as margin: 0.5, not 0"]),
        (dict(margin=-1.0), ["'margin' must be a positive number", 'not -1.0']),
        (dict(margin=True), ["'margin' must be a positive number", 'not True']),
        (dict(margin=float('inf')), ["'margin' must be a positive number", 'not inf']),
        (dict(margin=float('nan')), ["'margin' must be a positive number", 'not nan']),
        (dict(configs=entry(spread='0.5')), ["config 'toy': 'spread' must be a positive number", "'0.5'"]),
        (dict(presets=['ca', 'ca']), ["'presets' names 'ca' twice"]),
        (dict(presets=['wide', *wide()]), ['two presets are called wide']),
        (
            dict(presets=[{'wide': {}, 'thin': {}}]),
            ["a variant in 'presets' is a name and what it is", '{wide: {preset'],
        ),
        (dict(presets=[{'wide': 17}]), ["a variant in 'presets' is a name and what it is", "{'wide': 17}"]),
        (dict(presets=[{}]), ["a variant in 'presets' is a name and what it is"]),
        (dict(presets=[{17: dict(cfg_options=WIDE)}]), ["variant '17'", 'one word']),
        (dict(presets=[{'a/b': dict(cfg_options=WIDE)}]), ["variant 'a/b'", 'one word']),
        (dict(presets=[{'none': dict(cfg_options=WIDE)}]), ["variant 'none'", 'rename the variant']),
        (
            dict(presets=wide(presets='ca')),
            ["variant 'wide' has an unknown key 'presets'", 'did you mean preset'],
        ),
        (dict(presets=wide(preset=['ca'])), ["variant 'wide': 'preset' must be the name", "['ca']"]),
        (dict(presets=wide(preset='mine/coord.py')), ["variant 'wide': there is no preset mine/coord.py"]),
        (dict(presets=wide(cfg_options=None)), ["variant 'wide' has no 'cfg_options'"]),
        (dict(presets=wide(cfg_options=[1])), ["variant 'wide': 'cfg_options' must be a mapping"]),
        (
            dict(presets=wide(cfg_options={'work_dir': 'x'})),
            ["variant 'wide': 'cfg_options' sets work_dir", '--work-dir'],
        ),
        (
            dict(presets=wide(cfg_options={'randomness.seed': 1})),
            ["variant 'wide'", "leave that to the suite's seeds"],
        ),
        (dict(presets=wide(cfg_options={17: 1})), ["variant 'wide': 'cfg_options' maps names", 'not 17']),
        (
            dict(presets=wide(cfg_options={'model': {}}), configs=entry(cfg_options={'model.type': 'Toy'})),
            ["variant 'wide': 'cfg_options' sets model,", 'set model.type'],
        ),
        (dict(seeds=3), ["'seeds' must be a list", 'not 3']),
        (dict(seeds=[1, 1]), ["'seeds' names 1 twice"]),
        (dict(configs=entry(config='tooy.py')), ['no config tooy.py', 'did you mean toy.py']),
        (dict(configs=dict(toy=dict(seeds=[1]))), ['does not say which config']),
        (dict(configs=entry(weights_from=dict(backbone='toyy'))), ["names 'toyy'", 'did you mean toy']),
        (dict(configs=entry(weights_from=dict(backbone='toy'))), ['circle: toy -> toy']),
        (
            dict(
                configs=dict(
                    a=dict(config='toy.py', weights_from=dict(backbone='b')),
                    b=dict(config='toy.py', weights_from=dict(backbone='a')),
                )
            ),
            ['circle: a -> b -> a'],
        ),
        (
            dict(
                configs=dict(
                    a=dict(config='toy.py', presets=['ca']),
                    b=dict(config='toy.py', weights_from=dict(backbone='a')),
                )
            ),
            ["'b' with preset 'none' and seed 0", "weights of 'a'"],
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(project, changes, words):
    with pytest.raises(UserError) as error:
        read_suite(project.suite(**changes))
    message = str(error.value)
    assert all(word in message for word in words), message
    assert '\n' not in message


def test_a_suite_that_is_missing_or_no_yaml(project):
    path = project.suite()
    with pytest.raises(UserError, match='no suite .*toy.yml: did you mean .*toys.yml'):
        read_suite(path.with_name('toy.yml'))
    path.write_text('name: toys\nseeds: [0\npresets: x')
    with pytest.raises(UserError, match=r'no valid YAML \(line 3\)'):
        read_suite(path)
    path.write_text('- toys')
    with pytest.raises(UserError, match='must be a mapping'):
        read_suite(path)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    """YAML's own loader drops the first without a word."""
    path = tmp_path / 'twice.yml'
    path.write_text('name: twice\nseeds: [0, 1, 2]\nconfigs:\n  a: {config: x.py}\n  a: {config: y.py}\n')
    with pytest.raises(UserError, match=r"twice.yml is no valid YAML \(line 5\): 'a' stands twice"):
        read_suite(path)
    path.write_text('name: twice\nseeds: [0, 1, 2]\nconfigs:\n  a: {config: x.py}\nseeds: [0]\n')
    with pytest.raises(UserError, match=r"\(line 5\): 'seeds' stands twice"):
        read_suite(path)


def test_a_mapping_that_is_merged_may_be_overridden(project):
    path = Path(project.suite())
    path.write_text(
        'name: merged\nseeds: [0]\npresets: [none]\nconfigs:\n'
        '  a: &a {config: toy.py, seeds: [0, 1]}\n  b: {<<: *a, seeds: [2]}\n'
    )
    assert [run.name for run in read_suite(path).runs] == ['a/none/seed0', 'a/none/seed1', 'b/none/seed2']


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(configs={'a': dict(config=5)}), 'does not say which config it is'),
        (dict(configs={1: dict(config='toy.py'), '1': dict(config='toy.py')}), 'there are two of the name 1'),
        (dict(configs={'..': dict(config='toy.py')}), "a config's key names a folder"),
        (dict(name='..'), "'name' must be one word"),
        (dict(about=['a', 'list']), "'about' must be text"),
        (dict(presets=['none', {'..': dict(cfg_options={'x': 1})}]), 'its name must be one word'),
        (
            dict(
                configs=dict(
                    a=dict(config='toy.py'),
                    b=dict(config='toy.py', weights_from=dict(backbone=dict(config='a', prefix=3))),
                )
            ),
            "'prefix' is the beginning of names, not 3",
        ),
    ],
)
def test_what_names_no_folder_or_file_is_refused(project, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        read_suite(project.suite(**changes))
    assert '\n' not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(project):
    path = project.suite()
    path.write_bytes(b'name: \xff\xfe')
    with pytest.raises(UserError, match='is no valid YAML'):
        read_suite(path)


def test_a_tests_option_that_changes_nothing_is_refused(project):
    configs = dict(a=dict(config='toy.py', tests=dict(small={'test_dataloadr.batch_size': 1})))
    with pytest.raises(UserError, match='test_dataloadr'):
        plan_suite(read_suite(project.suite(configs=configs)), devices=1)
