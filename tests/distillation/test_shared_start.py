"""With one seed a student starts alike whatever it learns from, and draws alike afterwards."""

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import set_random_seed

from tests.distillation.models import PAIRS, classifier

LOSSES = ['ActivationTransfer', 'KnowledgeDistillation', 'GradientTransfer', 'FullActivationTransfer']


def start(losses: list[dict], teacher: dict | None, **options) -> tuple[dict, float]:
    set_random_seed(3)
    model = MODELS.build(
        dict(
            type='attn_plugins.Distiller',
            student=dict(classifier(), **options),
            teacher=teacher,
            random_teacher=True,
            losses=losses,
            pairs=PAIRS,
            logits='head.fc',
        )
    )
    model.init_weights()
    return {key: value.clone() for key, value in model.state_dict().items()}, float(torch.rand(()))


@pytest.mark.parametrize('init_cfg', [None, dict(type='Normal', layer=['Conv2d', 'Linear'], std=0.1)])
@pytest.mark.parametrize('loss', LOSSES)
def test_the_student_starts_alike(loss, init_cfg):
    plain, number = start([], None, init_cfg=init_cfg)
    ours, next_number = start([dict(type=f'attn_plugins.{loss}')], classifier(2), init_cfg=init_cfg)
    assert plain.keys() == ours.keys() and number == next_number
    assert all(torch.equal(value, ours[key]) for key, value in plain.items())
