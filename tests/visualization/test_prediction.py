"""Predictions and truths of the three libraries, drawn in the pictures' size, and where a score comes from."""

from types import SimpleNamespace

import mmcv
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData

from attn_plugins.visualization.evidence import LEAST_PLACES, draw_evidence, find_evidence
from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.prediction import SIDE, draw, predicted, resized, truth
from tests.visualization.models import BrightSpot, TinyClassifier, network_of, picture_of

CLASSES = ('sky', 'road', 'cat', 'dog', 'car')
GREY = np.full((40, 64, 3), 128, np.uint8)
PICTURE = SimpleNamespace(inputs=None, samples=[])


def subject(library: str, answer=None) -> LoadedModel:
    """A subject whose model gives this data sample."""
    return LoadedModel('tiny', SimpleNamespace(), library, lambda *args, mode: [answer], CLASSES, 'random')


@pytest.mark.parametrize(
    ('shape', 'size'),
    [((24, 24), (312, 312)), ((128, 96), (256, 192)), ((200, 310), (200, 310)), ((600, 1200), (160, 320))],
)
def test_small_images_are_enlarged_by_whole_pixels_and_large_ones_shrunk(shape, size):
    pixels = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    drawn = resized(pixels)
    assert drawn.shape == (*size, 3) and max(size) <= SIDE
    factor = size[0] // shape[0]
    if factor:
        assert (drawn[::factor, ::factor] == pixels).all()


def boxes(**scores) -> InstanceData:
    return InstanceData(
        bboxes=torch.tensor([[4.0, 8, 20, 24], [30, 10, 60, 30]]), labels=torch.tensor([2, 4]), **scores
    )


def test_boxes_of_a_detector():
    from mmdet.structures import DetDataSample

    sample = DetDataSample(pred_instances=boxes(scores=torch.tensor([0.2, 0.9])))
    sample.gt_instances = InstanceData()  # as a test pipeline leaves it, without any box
    found = predicted(subject('mmdet', sample), PICTURE)
    assert found.words == 'car (0.90)', 'the best first, those below the threshold not at all'
    drawn = draw(found, subject('mmdet'), GREY, [(255, 0, 0)] * 5)
    assert drawn.shape == (200, 320, 3) and sample.pred_instances.bboxes[1, 0] == 30, 'a copy is scaled'
    red = np.argwhere((drawn[..., 0] > 180) & (drawn[..., 1] < 120))
    assert np.abs(np.array([red[:, 1].min(), red[:, 1].max()]) - [150, 300]).max() <= 4, 'five times the box'
    few = DetDataSample(pred_instances=boxes(scores=torch.tensor([0.2, 0.1])))
    assert predicted(subject('mmdet', few), PICTURE).words == 'no box of at least 0.3; the best: cat (0.20)'
    none = DetDataSample(pred_instances=boxes(scores=torch.tensor([0.2, 0.1]))[:0])
    answer = predicted(subject('mmdet', none), PICTURE)
    assert answer.words == 'nothing' and (draw(answer, subject('mmdet'), GREY, None) == 128).all()


def test_true_boxes_of_a_detector():
    objects = [dict(bbox=[4, 8, 20, 24], bbox_label=3), dict(bbox=[0, 0, 9, 9], bbox_label=1, ignore_flag=1)]
    found = truth(subject('mmdet'), dict(instances=objects))
    assert found.words == 'dog' and (draw(found, subject('mmdet'), GREY, None) != 128).any()
    assert truth(subject('mmdet'), {}) is None


def test_masks_of_a_segmentor(tmp_path):
    from mmseg.structures import SegDataSample

    mask = np.zeros((40, 64), np.uint8)
    mask[:, 48:] = 2
    mask[0, 0] = 255  # no class
    found = predicted(
        subject('mmseg', SegDataSample(pred_sem_seg=PixelData(data=torch.from_numpy(mask)[None]))), PICTURE
    )
    palette = [(0, 0, 0), (1, 1, 1), (255, 0, 0), (2, 2, 2), (3, 3, 3)]
    mmcv.imwrite(mask, str(tmp_path / 'mask.png'))
    told = truth(
        subject('mmseg'),
        dict(seg_map_path=str(tmp_path / 'mask.png'), reduce_zero_label=False, label_map=None),
    )
    for answer in (found, told):
        assert answer.words == 'sky (75%), cat (25%)'
        drawn = draw(answer, subject('mmseg'), GREY, palette)
        assert drawn.shape == (200, 320, 3)
        assert drawn[100, 300, 0] > 180 and drawn[100, 300, 1] < 60 and drawn[100, 230, 0] < 60
    assert truth(subject('mmseg'), {}) is None


def test_the_class_of_a_classifier_is_words_alone():
    from mmpretrain.structures import DataSample

    sample = DataSample().set_pred_score(torch.tensor([0.1, 0.2, 0.6, 0.05, 0.05])).set_pred_label(2)
    found = predicted(subject('mmpretrain', sample), PICTURE)
    told = truth(subject('mmpretrain'), dict(gt_label=3))
    assert (found.words, told.words) == ('cat (0.60)', 'dog') and not found.is_drawn
    assert (draw(told, subject('mmpretrain'), GREY, None) == 128).all()
    many = DataSample().set_gt_label([0, 1, 2, 3, 4])
    assert (
        truth(subject('mmpretrain'), dict(gt_label=many.gt_label)).words == 'sky, road, cat, dog and 1 more'
    )


def test_a_map_of_the_prediction_is_drawn_over_the_image_and_changes_no_weight():
    network = network_of(TinyClassifier(), 'mmpretrain')
    before = {name: value.clone() for name, value in network.model.state_dict().items()}
    picture = picture_of(torch.randn(1, 3, 32, 32))
    evidence = find_evidence(network, picture)
    assert evidence.words.endswith('by backbone of 8 × 8 places') or evidence.cam.is_flat
    assert draw_evidence(evidence, np.full((32, 32, 3), 200, np.uint8)).shape == (320, 320, 3)
    assert all((value == before[name]).all() for name, value in network.model.state_dict().items())


def test_a_coarse_map_gives_way_to_a_finer_one_of_an_earlier_part():
    network = network_of(TinyClassifier(), 'mmpretrain')
    network.model.backbone.append(torch.nn.AdaptiveAvgPool2d(2))
    evidence = find_evidence(network, picture_of(torch.randn(1, 3, 32, 32)))
    assert min(evidence.cam.size) >= LEAST_PLACES and evidence.cam.layer.startswith('backbone.')


def test_the_best_box_is_framed_whatever_its_score():
    network = network_of(BrightSpot(), 'mmdet')
    inputs = torch.zeros(1, 3, 32, 32)
    inputs[..., 12:18, 8:14] = 0.05
    evidence = find_evidence(network, picture_of(inputs))
    drawn = draw_evidence(evidence, np.zeros((32, 32, 3), np.uint8))
    assert evidence.target.text == 'b (0.05)' and (drawn[120, 80:140] == 255).all()
