"""The student stays a plain model, and what it learns beside its own losses is what the losses say of both models'
features.
"""

import copy

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import get_state_dict
from torch import nn

from attn_plugins.distillation import distillation_of
from attn_plugins.distillation.losses import KnowledgeDistillation
from attn_plugins.errors import UserError
from attn_plugins.ops.activation_map import activation_map
from tests.distillation.models import (
    PAIRS,
    boxes,
    build,
    classifier,
    detector,
    labels,
    masks,
    segmentor,
)

AT = dict(type='attn_plugins.ActivationTransfer')
FULL = dict(type='attn_plugins.FullActivationTransfer')
KD = dict(type='attn_plugins.KnowledgeDistillation')
GRADIENT = dict(type='attn_plugins.GradientTransfer')
EVERY = [
    AT,
    FULL,
    KD,
    GRADIENT,
    dict(type='attn_plugins.GradientNorm'),
    dict(type='attn_plugins.GradientSymmetry'),
]


def step(model, images=None, samples=None) -> dict:
    torch.manual_seed(1)
    images = torch.randn(4, 3, 32, 32) if images is None else images
    return model(inputs=images, data_samples=labels(len(images)) if samples is None else samples, mode='loss')


def test_the_student_is_a_plain_model_for_whoever_saves_trains_or_copies_it():
    plain = MODELS.build(classifier())
    model = build(classifier(), classifier(1), losses=EVERY, pairs=PAIRS, logits='head.fc')
    assert type(model) is type(plain)
    for keys in (model.state_dict().keys(), get_state_dict(model).keys()):
        assert keys == plain.state_dict().keys()
    model.load_state_dict(plain.state_dict(), strict=True)
    own = {name for name, _ in plain.named_parameters()}
    more = {name for name, _ in model.named_parameters()} - own
    assert more and all(name.startswith('distillation.losses.1.adapters.') for name in more)
    optimizer = build_optim_wrapper(model, dict(optimizer=dict(type='SGD', lr=0.1))).optimizer
    trained = sum(len(group['params']) for group in optimizer.param_groups)
    assert trained == len(own) + len(more)
    assert isinstance(distillation_of(ExponentialMovingAverage(model)), nn.Module)
    twin = copy.deepcopy(model)
    assert distillation_of(twin).features is not distillation_of(model).features
    assert step(twin).keys() == step(model).keys()


def test_the_teacher_is_frozen_in_eval_mode_and_runs_once_per_step_however_many_losses_there_are():
    model = build(classifier(), classifier(1), losses=EVERY, pairs=PAIRS, logits='head.fc')
    teacher = distillation_of(model).teacher.model
    calls = dict(teacher=0, student=0)
    teacher.backbone.register_forward_hook(lambda *_: calls.update(teacher=calls['teacher'] + 1))
    model.backbone.register_forward_hook(lambda *_: calls.update(student=calls['student'] + 1))
    before = copy.deepcopy(teacher.state_dict())
    model.train()
    total, _ = model.parse_losses(step(model))
    total.backward()
    assert calls == dict(teacher=1, student=2)  # the second of the student is of mirrored images
    assert not any(module.training for module in teacher.modules())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(before[key], value) for key, value in teacher.state_dict().items())
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_losses_are_those_of_the_features_and_the_students_own_stay_bit_for_bit():
    model = build(classifier(), classifier(1), losses=[AT, KD], pairs=PAIRS[1:], logits='head.fc')
    plain = MODELS.build(classifier()).train()
    plain.load_state_dict(model.state_dict())
    seen, images = {}, torch.randn(4, 3, 32, 32)
    teacher = distillation_of(model).teacher.model
    for whose, network in (('student', plain), ('teacher', teacher)):
        for name in ('backbone.layer2', 'backbone.layer3', 'head.fc'):
            network.get_submodule(name).register_forward_hook(
                lambda module, args, output, key=(whose, name): seen.__setitem__(key, output.detach())
            )
    own = plain(inputs=images, data_samples=labels(), mode='loss')
    losses = step(model, images)
    at = 0.0
    for name in ('backbone.layer2', 'backbone.layer3'):
        maps = [activation_map(seen[whose, name]).flatten(1) for whose in ('student', 'teacher')]
        a, b = (m / m.norm(dim=1, keepdim=True) for m in maps)
        at += (a - b).square().mean()
    torch.testing.assert_close(losses['loss_at'], 1000 * at)
    kd = KnowledgeDistillation()(seen['student', 'head.fc'], seen['teacher', 'head.fc'])
    torch.testing.assert_close(losses['loss_kd'], 0.9 * kd)
    torch.testing.assert_close(losses['loss'], 0.1 * own['loss'], rtol=1e-6, atol=0)
    only = build(classifier(), classifier(1), losses=[AT], pairs=PAIRS)
    only.load_state_dict(plain.state_dict())
    plain.load_state_dict(model.state_dict())  # the step has moved its running statistics
    only.load_state_dict(model.state_dict())
    assert torch.equal(
        step(only, images)['loss'], plain(inputs=images, data_samples=labels(), mode='loss')['loss']
    )


def test_the_gradient_of_the_image_is_each_samples_own():
    model = build(classifier(), classifier(1), losses=[GRADIENT])
    model.eval().double()
    for module in model.modules():
        module.training = module is model  # norms by their running statistics, so that samples do not meet
    teacher = distillation_of(model).teacher.model.double()
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    expected = 0.0
    for i in range(3):
        gradients = []
        for network in (model, teacher):
            image = images[i : i + 1].clone().requires_grad_()
            score = network.head(network.extract_feat(image))
            loss = nn.functional.cross_entropy(score, torch.tensor([i]))
            gradients.append(torch.autograd.grad(loss, image)[0])
        expected += (gradients[0] - gradients[1]).square().sum() / 2 / 3
    torch.testing.assert_close(step(model, images)['loss_grad'], expected)


@pytest.mark.parametrize(
    ('student', 'teacher', 'pairs', 'samples'),
    [
        (detector, lambda: detector(50), ['neck', 'backbone.layer4'], boxes),
        (segmentor, lambda: segmentor(50), ['backbone.layer4'], masks),
    ],
)
def test_detectors_and_segmentors_learn_too(student, teacher, pairs, samples):
    logits = dict(logits='decode_head.conv_seg') if student is segmentor else {}
    losses = [AT, FULL, *([KD] if logits else [])]
    model = build(student(), teacher(), losses=losses, pairs=pairs, **logits)
    plain = MODELS.build(student()).train()
    plain.load_state_dict(model.state_dict(), strict=True)
    images, batch = torch.randn(2, 3, 64, 64), samples()
    own = plain(inputs=images, data_samples=copy.deepcopy(batch), mode='loss')
    losses = step(model, images, batch)
    assert set(losses) - set(own) == {'loss_at', 'loss_fact', *(['loss_kd'] if logits else [])}
    model.parse_losses(losses)[0].backward()
    adapters = distillation_of(model).losses[1].adapters
    assert len(adapters) == (3 if student is detector else 1)
    assert all(parameter.grad is not None for parameter in adapters.parameters())


def test_a_teacher_of_another_library_guides_a_detectors_backbone():
    teacher = dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='mmpretrain.ResNet', depth=34, stem_channels=8, base_channels=8),
        data_preprocessor=detector()['data_preprocessor'],
    )
    model = build(detector(), teacher, losses=[AT], pairs=['backbone.layer3', 'backbone.layer4'])
    assert step(model, torch.randn(2, 3, 64, 64), boxes())['loss_at'] > 0


def test_a_schedule_switches_a_loss_and_the_share_that_it_leaves():
    late = dict(schedule=dict(begin=6))
    model = build(
        classifier(), classifier(1), losses=[{**KD, **late}, {**FULL, **late}], logits='head.fc', pairs=PAIRS
    )
    made = distillation_of(model)
    before = step(model)
    assert 'loss_kd' not in before and before['loss_fact'] == 0
    model.parse_losses(before)[0].backward()
    assert all(parameter.grad is not None for parameter in made.losses[1].parameters())  # DDP waits for them
    made.at(59, 100, 10)
    assert step(model)['loss_fact'] == 0
    made.at(60, 100, 10)
    after = step(model)
    assert after['loss_kd'] > 0 and after['loss_fact'] > 0
    torch.testing.assert_close(after['loss'], 0.1 * before['loss'], rtol=1e-4, atol=0)


def test_an_epoch_begins_with_its_first_iteration():
    """Iterations over iterations times epochs would be a little less than 29 there."""
    model = build(classifier(), classifier(1), losses=[{**KD, 'schedule': dict(begin=29)}], logits='head.fc')
    made = distillation_of(model)
    made.at(29 * 7 - 1, 700, 100)
    assert 'loss_kd' not in step(model)
    made.at(29 * 7, 700, 100)
    assert 'loss_kd' in step(model)


def test_without_losses_and_in_evaluation_nothing_is_added():
    images = torch.randn(4, 3, 32, 32)
    assert step(build(classifier(), classifier(1)), images).keys() == {'loss'}
    model = build(classifier(), classifier(1), losses=[AT], pairs=PAIRS)
    assert step(model.eval(), images).keys() == {'loss'}
    assert model(inputs=images, mode='tensor').shape == (4, 10)


def test_an_inserted_layer_is_part_of_what_is_compared():
    """The path names the place; what a plug there hands on is what the next module reads."""
    plugged = classifier()
    plugged['backbone'] = dict(
        type='attn_plugins.Plugged',
        host='attn_plugins.WideResNet',
        depth=10,
        widen_factor=0.5,
        plugins=[dict(cfg=dict(type='attn_plugins.SE', reduction=4), position='stage_output')],
    )
    model = build(plugged, classifier(1), losses=[AT], pairs=['backbone.layer3'])
    seen = []
    model.backbone.final.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    kept = []
    loss = distillation_of(model).losses[0]
    loss.register_forward_pre_hook(lambda module, args: kept.append(args[0]))
    step(model)
    assert torch.equal(seen[0], kept[0])


def test_under_autocast_all_is_finite():
    model = build(classifier(), classifier(1), losses=EVERY, pairs=PAIRS, logits='head.fc')
    with torch.autocast('cpu', torch.bfloat16):
        losses = step(model)
        total, _ = model.parse_losses(losses)
    total.backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (
            dict(losses=[AT], pairs=['backbone.layer5']),
            "the student has no module 'backbone.layer5': did you mean",
        ),
        (
            dict(losses=[AT], pairs=['backbone.layer*']),
            "'backbone.layer\\*' matches 3 modules of the student",
        ),
        (
            dict(losses=[AT], pairs=[['backbone.layer1', 'backbone.stage1']]),
            "the teacher has no module 'backbone.stage1'",
        ),
        (dict(losses=[AT], pairs=[['backbone.layer1'] * 3]), 'is no pair of modules'),
        (dict(losses=[AT]), 'loss_at compares features: say of which modules with pairs='),
        (
            dict(losses=[KD], pairs=PAIRS),
            "loss_kd compares logits: say of which modules with logits='head.fc'",
        ),
        (
            dict(losses=[{**GRADIENT, 'pairs': PAIRS}]),
            'loss_grad differentiates the whole model: leave its pairs out',
        ),
        (dict(losses=[AT, AT], pairs=PAIRS), 'two losses have one name in loss_at, loss_at'),
        (dict(losses=[FULL], pairs=['head.fc']), "'head.fc' of the student is a tensor"),
    ],
)
def test_what_cannot_be_is_refused_before_training(options, sentence):
    with pytest.raises(UserError, match=sentence):
        build(classifier(), classifier(1), **options)


def test_what_shows_only_in_a_forward_pass_is_refused_there():
    model = build(classifier(), classifier(1), losses=[AT], pairs=['backbone'])
    assert step(model)['loss_at'] > 0  # a tuple of one map
    model = build(classifier(), classifier(1), losses=[AT], pairs=['data_preprocessor'])
    with pytest.raises(UserError, match="'data_preprocessor' of the student is not called"):
        step(model)
    two = classifier(out_indices=(1, 2))
    model = build(two, classifier(1), losses=[AT], pairs=['backbone'])
    with pytest.raises(UserError, match='hands on 2 maps and .* of the teacher 1'):
        step(model)
    eleven = classifier(1)
    eleven['head']['num_classes'] = 11
    model = build(classifier(), eleven, losses=[KD], logits='head.fc')
    with pytest.raises(
        UserError, match='loss_kd: logits must be .* take a teacher that was trained for the same classes'
    ):
        step(model)
    model = build(detector(), None, losses=[dict(type='attn_plugins.GradientSymmetry')])
    with pytest.raises(UserError, match='loss_flip mirrors the images, and boxes and masks'):
        step(model, torch.randn(2, 3, 64, 64), boxes())


def convnext() -> dict:
    """Its blocks compute with the channels last."""
    model = classifier()
    arch = dict(depths=[1, 1, 1, 1], channels=[8, 8, 16, 32])
    model['backbone'] = dict(type='mmpretrain.ConvNeXt', arch=arch, gap_before_final_norm=False)
    return model


@pytest.mark.parametrize('whose', ['student', 'teacher'])
def test_maps_with_the_channels_last_are_refused_before_training(whose):
    """Their rows would be taken for channels."""
    maps, turned = 'backbone.stages.3', 'backbone.stages.3.0.pointwise_conv2'
    assert (
        step(build(convnext(), convnext(), losses=[AT], pairs=[maps]), torch.randn(2, 3, 64, 64))['loss_at']
        > 0
    )
    with pytest.raises(UserError, match=f'{turned}. of the {whose} is a tensor .*, which is no map'):
        build(
            convnext(),
            convnext(),
            losses=[AT],
            pairs=[[turned, maps] if whose == 'student' else [maps, turned]],
        )


def test_what_nothing_can_be_learned_from_is_refused():
    images = torch.randn(2, 3, 64, 64)
    model = build(resnet18(), resnet18(), losses=[AT], pairs=['backbone.layer4'])
    assert step(model, images)['loss_at'] > 0
    with pytest.raises(
        UserError, match=r'loss_at: \(2, 64, 1, 1\) has one place, where an activation map is 1 whatever'
    ):
        step(model, images[:, :, :32, :32])
    for options in (dict(frozen_stages=2), dict(with_cp=True)):
        model = build(resnet18(**options), resnet18(), losses=[AT], pairs=['backbone.layer2.0.bn2'])
        with pytest.raises(
            UserError, match="'backbone.layer2.0.bn2' of the student is frozen, or inside of what activation"
        ):
            step(model, images)


def test_a_level_of_one_place_beside_others_adds_nothing():
    """As the last one of an SSD."""
    model = build(detector(), detector(), losses=[AT], pairs=['neck'])
    losses = step(model, torch.randn(2, 3, 32, 32), boxes())
    assert losses['loss_at'] > 0


def resnet18(**options) -> dict:
    model = classifier()
    model['backbone'] = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8, **options)
    model['head']['in_channels'] = 64
    return model


def test_a_student_without_a_teacher_or_a_hook_or_with_other_images_is_refused():
    with pytest.raises(UserError, match='loss_at compares with a teacher: give teacher='):
        build(classifier(), losses=[AT], pairs=PAIRS)
    model = build(classifier(), classifier(1), losses=[AT], pairs=PAIRS)
    distillation_of(model).now = None
    with pytest.raises(UserError, match=r"custom_hooks=\[dict\(type='attn_plugins.DistillationHook'\)\]"):
        step(model)
    other = classifier(1)
    other['data_preprocessor'] = dict(other['data_preprocessor'], mean=[0.0] * 3)
    with pytest.raises(UserError, match="the teacher's data_preprocessor makes other values of an image"):
        build(classifier(), other, losses=[AT], pairs=PAIRS)
    bgr = classifier(1)
    bgr['data_preprocessor'] = dict(bgr['data_preprocessor'], to_rgb=True)
    with pytest.raises(UserError, match='order of colours'):
        build(classifier(), bgr, losses=[AT], pairs=PAIRS)
