"""All losses are built from configs in the same words, and say what whoever calls them must know."""

import copy
import inspect
import pickle

import pytest
from mmengine.config import Config

from attn_plugins.distillation import losses
from attn_plugins.distillation.losses import DistillationLoss, Schedule
from attn_plugins.registry import LOSSES, build_part

FACTS = {
    'ActivationTransfer': dict(name='loss_at', weight=1000, reads='features'),
    'FullActivationTransfer': dict(name='loss_fact', weight=1000, reads='features'),
    'KnowledgeDistillation': dict(name='loss_kd', weight=0.9, reads='logits', own_share=1 - 0.9),
    'GradientTransfer': dict(name='loss_grad', weight=1, reads='input_gradient'),
    'GradientNorm': dict(name='loss_min_l2', weight=1, reads='input_gradient', needs_teacher=False),
    'GradientSymmetry': dict(
        name='loss_flip', weight=1, reads='input_gradient', needs_teacher=False, needs_flip=True
    ),
}


def test_every_loss_has_a_line_here():
    build_part('ActivationTransfer', LOSSES)
    assert set(FACTS) == set(LOSSES.module_dict)
    assert set(losses.__all__) == {*FACTS, 'DistillationLoss', 'Schedule'}


@pytest.mark.parametrize('scope', ['', 'attn_plugins.'])
@pytest.mark.parametrize('name', FACTS)
def test_a_config_builds_it(name, scope):
    loss = build_part(scope + name, LOSSES)
    assert type(loss) is getattr(losses, name)
    facts = dict(needs_teacher=True, needs_flip=False, own_share=1, pairs=None, schedule=Schedule())
    for key, value in {**facts, **FACTS[name]}.items():
        assert getattr(loss, key) == value, key


@pytest.mark.parametrize('name', FACTS)
def test_all_take_the_common_options(name):
    cfg = Config(
        dict(
            loss=dict(
                type=f'attn_plugins.{name}',
                weight=3,
                schedule=dict(begin=60, decay='cosine'),
                pairs=[['layer3', 'layer4']],
                name='loss_mine',
            )
        )
    )
    loss = build_part(cfg.loss, LOSSES)
    assert (loss.weight, loss.name, loss.pairs) == (3, 'loss_mine', [['layer3', 'layer4']])
    assert loss.schedule == Schedule(begin=60, decay='cosine')
    assert list(inspect.signature(type(loss)).parameters)[-4:] == ['weight', 'schedule', 'pairs', 'name']


@pytest.mark.parametrize('name', FACTS)
def test_it_survives_copies_and_shows_its_weight(name):
    loss = build_part(name, LOSSES)
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert again.weight == loss.weight
    assert f'weight={loss.weight}' in repr(loss)


@pytest.mark.parametrize(
    'cfg, message',
    [
        (dict(type='attn_plugins.ActivationTransfr'), 'did you mean attn_plugins.ActivationTransfer or'),
        (
            dict(type='GradientNorms'),
            "there is no loss of type 'GradientNorms': did you mean GradientNorm or",
        ),
        (dict(type='attn_plugins.GradientNorm', weights=1), "has no option 'weights': did you mean weight"),
        (dict(type='GradientNorm', weight='1'), 'needs a number of at least 0 as weight, not'),
        (dict(type='GradientNorm', weight=-1), 'needs a number of at least 0 as weight, not -1'),
        (dict(type='GradientNorm', weight=float('inf')), 'needs a number of at least 0 as weight, not inf'),
        (dict(type='GradientNorm', weight=float('nan')), 'needs a number of at least 0 as weight, not nan'),
        (dict(type='GradientNorm', weight=True), 'needs a number of at least 0 as weight, not True'),
        (dict(type='GradientNorm', name='grad'), "'grad' does not: try 'loss_grad'"),
        (dict(type='GradientNorm', name=3), "must contain 'loss'"),
        (
            dict(type='GradientNorm', pairs='layer3'),
            "pairs of GradientNorm must be a list of pairs, not 'layer3'",
        ),
        (dict(type='GradientNorm', pairs=[]), 'pairs of GradientNorm must be a list of pairs'),
        (dict(type='GradientNorm', pairs=3), 'pairs of GradientNorm must be a list of pairs'),
        (
            dict(type='GradientNorm', schedule=dict(decya='none')),
            "a schedule has no option 'decya': did you mean decay",
        ),
    ],
)
def test_what_cannot_work_is_refused(cfg, message):
    with pytest.raises(ValueError, match=message):
        build_part(cfg, LOSSES)


def test_the_base_is_no_loss_itself():
    class Half(DistillationLoss):
        default_weight, default_name = 1, 'loss'

    with pytest.raises(NotImplementedError):
        Half()(None, None)
