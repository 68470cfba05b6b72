"""The recipes of attention transfer: they load, and a step has the losses that they say."""

from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope

from attn_plugins.distillation import distillation_of
from attn_plugins.training.config import load_config
from attn_plugins.training.library import register

RECIPES = Path(__file__).resolve().parents[2] / 'projects' / 'attention_transfer' / 'recipes'


@pytest.mark.parametrize(('recipe', 'classes'), [('cub', 200), ('scenes', 67)])
def test_a_recipe_fine_tunes_a_student_with_fixed_norms_and_first_stage(recipe, classes):
    register('mmpretrain')
    init_default_scope('mmpretrain')
    from mmpretrain.structures import DataSample

    cfg = load_config(RECIPES / f'{recipe}.py')
    cfg.model.student.backbone.pop('init_cfg')
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor)).train()
    distillation_of(model).make_teacher(model)
    distillation_of(model).at(0, 10, 10)
    samples = [DataSample().set_gt_label(classes - 1) for _ in range(2)]
    losses = model(inputs=torch.randn(2, 3, 64, 64), data_samples=samples, mode='loss')
    assert set(losses) == {'loss', 'loss_at'}
    assert not any(module.training for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    frozen = {name.split('.')[1] for name, value in model.named_parameters() if not value.requires_grad}
    assert frozen == {'conv1', 'bn1', 'layer1'}
    assert load_config(RECIPES / f'{recipe}.py', 'none').model.losses == []
    assert cfg.train_dataloader.dataset.type == dict(cub='CUB', scenes='CustomDataset')[recipe]
