"""A plain model with as many parameters: found, against models built one by one, or refused in a sentence."""

import pytest

from attn_plugins.cost.cost import count_parameters
from attn_plugins.cost.match import _bracket, match_parameters
from attn_plugins.errors import UserError
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model
from tests.cli.conftest import CLASSIFICATION, CONFIGS

WIDEN = 'model.backbone.widen_factor'
RESNET = CONFIGS / 'resnet/resnet18_digitscenes.py'


def parameters(preset, **options):
    return count_parameters(build_model(load_config(CLASSIFICATION, preset, options or None)))


@pytest.mark.parametrize('preset', ['se', 'ca'])
def test_the_nearest_width_of_all(preset):
    """Channels are multiples of eight, so the count goes in steps: of the two around the preset's the nearer is
    taken.
    """
    match = match_parameters(CLASSIFICATION, preset, WIDEN)
    wanted = parameters(preset)
    counts = [parameters('none', **{WIDEN: 0.5 + i / 200}) for i in range(14)]
    assert counts[0] < wanted < counts[-1]
    assert match.wanted == wanted and match.parameters == parameters('none', **{WIDEN: match.value})
    assert abs(match.parameters - wanted) <= min(abs(count - wanted) for count in counts)
    assert match.value == round(match.value, 4) and not match.own
    assert str(match).startswith(
        f'{WIDEN}={match.value}: {match.parameters:,} parameters ({preset}: {wanted:,}, '
    )
    assert str(match).endswith(
        f'in a suite: {{wide: {{preset: none, cfg_options: {{{WIDEN}: {match.value}}}}}}}'
    )


def test_what_is_set_besides_holds_for_both():
    """A narrower config, and a preset with fewer weights in it: what is met is that model, not the config's own."""
    match = match_parameters(CLASSIFICATION, 'se', WIDEN, {WIDEN: 0.25})
    assert match.wanted == parameters('se', **{WIDEN: 0.25}) and 0.25 <= match.value < 0.5


def test_a_preset_without_parameters_needs_no_other_width():
    match = match_parameters(CLASSIFICATION, 'simam', WIDEN)
    assert (match.value, match.own, match.parameters) == (0.5, True, match.wanted)
    assert str(match).endswith('that is the value of the config, so none itself is the nearest')


@pytest.mark.parametrize(
    ('config', 'preset', 'option', 'words'),
    [
        (
            CLASSIFICATION,
            'se',
            'train_cfg.max_epochs',
            ['train_cfg.max_epochs changes nothing: with 8 and with '],
        ),
        (
            CLASSIFICATION,
            'se',
            'model.backbone.widen',
            ['sets no model.backbone.widen ', 'did you mean widen_factor?'],
        ),
        (
            CLASSIFICATION,
            'se',
            'model.backbone.type',
            ["is 'attn_plugins.Plugged': --match takes a positive number"],
        ),
        (
            RESNET,
            'se',
            'model.backbone.depth',
            ['cannot be built with model.backbone.depth=19', 'invalid depth 19'],
        ),
        (
            RESNET,
            'generalized_attention',
            'model.head.num_classes',
            ['does not lead to the 908,966 parameters of generalized_attention', '703,010 with 10 and '],
        ),
        (
            RESNET,
            'generalized_attention',
            'model.backbone.base_channels',
            [
                'cannot run (mat1 and mat2',
                'another number must follow it, model.head.in_channels=128 perhaps',
            ],
        ),
    ],
)
def test_what_leads_to_no_model_is_said_in_one_sentence(config, preset, option, words):
    with pytest.raises(UserError) as error:
        match_parameters(config, preset, option)
    assert all(word in str(error.value) for word in words), error.value
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('wanted', [1, 9, 26, 27, 28, 1000])
def test_what_is_sought_lies_in_the_bracket(wanted):
    below, above, _ = _bracket(lambda i: i**3, wanted, 3)
    assert below**3 < wanted <= above**3 if wanted > 1 else (below, above) == (None, None)
