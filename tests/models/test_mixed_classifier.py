"""Foreign images pollute a batch's statistics, and neither the loss nor its divisor knows of them."""

from copy import deepcopy

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample
from torch.nn import functional as F

from attn_plugins.errors import UserError
from attn_plugins.explain import explain
from attn_plugins.training.library import register

OWN, FOREIGN, CLASSES = 4, 3, 5


@pytest.fixture(autouse=True)
def mmpretrain():
    register('mmpretrain')
    init_default_scope('mmpretrain')


def build(kind='attn_plugins.MixedDataClassifier', classes=CLASSES, **options):
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type=kind,
            backbone=dict(
                type='ResNet', depth=18, stem_channels=8, base_channels=8, deep_stem=False, out_indices=(2, 3)
            ),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=classes, in_channels=64),
            **options,
        )
    )
    return model.train()


def batch(foreign_loss=False, foreign=FOREIGN):
    """Images, the foreign ones between the own ones and of another mean, and their samples."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(OWN + foreign, 3, 32, 32, generator=generator)
    samples = []
    for i in range(OWN + foreign):
        is_foreign = 1 <= i <= foreign
        sample = DataSample(metainfo=dict(foreign=is_foreign, in_loss=foreign_loss or not is_foreign))
        sample.set_gt_label(i % CLASSES if sample.in_loss else -1)
        if is_foreign:
            inputs[i] = 3 + 2 * inputs[i]
        samples.append(sample)
    return inputs, samples


def own_indices(samples):
    return [i for i, sample in enumerate(samples) if not sample.foreign]


def test_the_loss_is_of_the_own_features_of_a_polluted_batch():
    inputs, samples = batch()
    model = build()
    reference = deepcopy(model)
    own = own_indices(samples)
    logits = reference.head.fc(reference.extract_feat(inputs)[-1])[own]
    labels = torch.cat([samples[i].gt_label for i in own])
    wanted = sum(F.cross_entropy(logits[i], labels[i]) for i in range(OWN)) / OWN
    loss = model.loss(inputs, samples)['loss']
    assert torch.allclose(loss, wanted, rtol=1e-6)
    loss.backward()
    wanted.backward()
    for a, b in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(loss, build().loss(inputs[own], [samples[i] for i in own])['loss'], rtol=1e-2)


def test_the_running_statistics_are_of_all_images():
    inputs, samples = batch()
    model = build()
    model.loss(inputs, samples)
    maps = model.backbone.conv1(inputs)
    norm = model.backbone.norm1
    assert torch.allclose(norm.running_mean, norm.momentum * maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-6)
    assert torch.allclose(
        norm.running_var, 1 - norm.momentum + norm.momentum * maps.var((0, 2, 3)), rtol=1e-4
    )
    own = model.backbone.conv1(inputs[own_indices(samples)])
    assert not torch.allclose(norm.running_mean, norm.momentum * own.mean((0, 2, 3)), rtol=0.1)


def test_no_gradient_reaches_foreign_images_but_through_the_statistics():
    """With the running statistics there is none at all."""
    inputs, samples = batch()
    inputs.requires_grad_()
    model = build().eval()
    model.loss(inputs, samples)['loss'].backward()
    reached = inputs.grad.abs().amax((1, 2, 3)) > 0
    assert reached.tolist() == [not sample.foreign for sample in samples]
    inputs.grad = None
    build().loss(inputs, samples)['loss'].backward()
    assert (inputs.grad.abs().amax((1, 2, 3)) > 0).all()


@pytest.mark.parametrize('foreign, foreign_loss', [(0, False), (FOREIGN, True)])
def test_without_foreign_images_and_with_a_part_in_the_loss_it_is_the_plain_classifier(foreign, foreign_loss):
    inputs, samples = batch(foreign_loss, foreign)
    model, plain = build(), build('ImageClassifier')
    assert torch.equal(model.loss(inputs, samples)['loss'], plain.loss(inputs, samples)['loss'])
    assert model.state_dict().keys() == plain.state_dict().keys()
    scores = [
        [sample.pred_score for sample in net.eval().predict(inputs, deepcopy(samples))]
        for net in (model, plain)
    ]
    assert torch.equal(torch.stack(scores[0]), torch.stack(scores[1]))


def test_samples_of_other_datasets_are_all_in_the_loss():
    inputs, _ = batch(foreign=0)
    samples = [DataSample().set_gt_label(i) for i in range(OWN)]
    assert torch.equal(
        build().loss(inputs, samples)['loss'], build('ImageClassifier').loss(inputs, samples)['loss']
    )


def test_a_head_of_too_few_classes_is_refused():
    inputs, samples = batch(foreign_loss=True)
    for sample in samples:
        sample.set_metainfo(dict(num_classes=12))
    with pytest.raises(
        UserError, match='the head has 5 classes, .* 12 together .*: set model.head.num_classes=12'
    ):
        build().loss(inputs, samples)
    build(classes=12).loss(inputs, samples)


@pytest.mark.parametrize(
    'options',
    [
        dict(train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8)])),
        dict(data_preprocessor=dict(num_classes=CLASSES, to_onehot=True)),
    ],
)
def test_what_would_mix_foreign_images_into_own_ones_is_refused(options):
    with pytest.raises(UserError, match='takes batches without mixup and the like'):
        build(**options)


def test_a_classifier_that_does_not_leave_foreign_images_out_fails_with_a_sentence():
    inputs, samples = batch()
    with pytest.raises(IndexError) as failed:
        build('ImageClassifier').loss(inputs, samples)
    assert 'give the model the type attn_plugins.MixedDataClassifier' in explain(failed.value)
