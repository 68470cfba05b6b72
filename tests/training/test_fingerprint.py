"""Settings: what decides a training, flat, and what differs between two."""

from mmengine.config import Config

from attn_plugins.training.fingerprint import differences, settings_of


def settings(**content):
    return settings_of(Config(content))


def test_dicts_and_lists_are_flat_and_numbers_stay_apart():
    assert settings(
        model=dict(type='A', stages=(1, 2)), pipeline=[dict(type='B', p=0.5), dict(type='C')]
    ) == {
        'model.type': "'A'",
        'model.stages': '[1, 2]',
        'pipeline.0.type': "'B'",
        'pipeline.0.p': '0.5',
        'pipeline.1.type': "'C'",
    }


def test_where_and_how_fast_it_runs_is_no_setting():
    same = settings(lr=1, loader=dict(batch_size=2))
    assert same == settings(
        lr=1,
        loader=dict(batch_size=2, num_workers=4, pin_memory=True),
        work_dir='x',
        resume=True,
        launcher='slurm',
        env_cfg=dict(cudnn_benchmark=True),
    )
    assert same != settings(lr=1, loader=dict(batch_size=4))


def test_compiling_the_layers_is_no_setting():
    """So a training goes on with or without; other hooks are."""
    compiling, last = dict(type='attn_plugins.CompileLayersHook'), dict(type='attn_plugins.ChannelsLastHook')
    assert settings(lr=1) == settings(lr=1, custom_hooks=[compiling])
    assert settings(custom_hooks=[last]) == settings(custom_hooks=[compiling, last])
    assert settings(lr=1) != settings(lr=1, custom_hooks=[last])


def test_a_list_is_the_same_as_a_tuple_and_an_empty_dict_is_a_value():
    assert settings(a=(1, 2)) == settings(a=[1, 2])
    assert settings(a=dict()) != settings() and settings(a=[]) != settings(a=None)


def test_differences_are_named_with_both_values():
    assert differences(settings(a=1), settings(a=1)) == ''
    assert differences(settings(a=1, b=2), settings(a=3, c=4)) == (
        'a (was 1, is 3), b (was 2, is not set), c (was not set, is 4)'
    )
    many = settings(**{f'k{i}': i for i in range(18)})
    assert differences({}, many).endswith('and 15 more')
