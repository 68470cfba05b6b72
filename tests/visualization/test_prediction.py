"""Predictions and truths of the three libraries, drawn in the pictures' size, and where a score comes from."""

from dataclasses import replace
from types import SimpleNamespace

import mmcv
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData

from attn_plugins.visualization.boxes import draw_boxes, light_colour
from attn_plugins.visualization.evidence import LEAST_PLACES, draw_evidence, find_evidence
from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.prediction import LONGER, draw, key, predicted, resized, truth
from tests.visualization.models import BrightSpot, Strips, TinyClassifier, network_of, picture_of

CLASSES = ('sky', 'road', 'cat', 'dog', 'car')
GREY = np.full((40, 64, 3), 128, np.uint8)
PICTURE = SimpleNamespace(inputs=None, samples=[])


def subject(library: str, answer=None) -> LoadedModel:
    """A subject whose model gives this data sample."""
    return LoadedModel('tiny', SimpleNamespace(), library, lambda *args, mode: [answer], CLASSES, 'random')


@pytest.mark.parametrize(
    ('shape', 'size'),
    [
        ((64, 64), (256, 256)),
        ((24, 24), (264, 264)),
        ((128, 96), (384, 288)),
        ((300, 20), (600, 40)),
        ((256, 310), (256, 310)),
        ((600, 1200), (160, 320)),
    ],
)
def test_small_images_are_enlarged_by_whole_pixels_and_large_ones_shrunk(shape, size):
    pixels = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    drawn = resized(pixels)
    assert drawn.shape == (*size, 3) and max(size) <= LONGER
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
    drawn = draw(found, subject('mmdet'), GREY, None)
    assert drawn.shape == (280, 448, 3) and sample.pred_instances.bboxes[1, 0] == 30, 'a copy is scaled'
    rows, columns = np.nonzero((drawn[150:200] == light_colour(4)).all(-1))
    assert np.abs(np.array([columns.min(), columns.max()]) - [210, 420]).max() <= 4, 'seven times the box'
    few = DetDataSample(pred_instances=boxes(scores=torch.tensor([0.2, 0.1])))
    assert predicted(subject('mmdet', few), PICTURE).words == 'no box of at least 0.3; the best: cat (0.20)'
    none = DetDataSample(pred_instances=boxes(scores=torch.tensor([0.2, 0.1]))[:0])
    answer = predicted(subject('mmdet', none), PICTURE)
    assert answer.words == 'nothing' and (draw(answer, subject('mmdet'), GREY, None) == 128).all()


def test_a_box_is_a_thin_light_line_and_its_name_is_large():
    """The page shows a picture at some 150 pixels: letters of a fourteenth of that can be read, dark lines are lost."""
    black, box = np.zeros((256, 256, 3), np.uint8), torch.tensor([[100.0, 100, 150, 160]])
    for label in range(5):
        colour = light_colour(label)
        assert np.dot(colour, (0.299, 0.587, 0.114)) > 140
        drawn = draw_boxes(black, InstanceData(bboxes=box, labels=torch.tensor([label])), ['a name'])
        line = (drawn[130] == colour).all(-1)
        assert 2 <= line.sum() <= 6 and set(np.nonzero(line)[0]) <= {*range(97, 104), *range(147, 154)}
        name = (drawn[:98] == colour).all(-1).any(1).sum()
        assert name >= 256 / 14 and (drawn[:98] < 60).all(-1).any(), 'dark letters on the colour'


def test_neighbouring_classes_have_unlike_colours():
    colours = np.array([light_colour(label) for label in range(10)])
    assert np.abs(np.diff(colours, axis=0)).sum(1).min() > 100


def test_a_name_stays_within_its_picture():
    def behind_letters(*box) -> int:
        found = InstanceData(bboxes=torch.tensor([box]), labels=torch.tensor([0]))
        named, bare = (
            draw_boxes(np.zeros((256, 256, 3), np.uint8), found, [name]) for name in ('a name', '')
        )
        return (named != bare).any(-1).sum()

    whole = behind_letters(100.0, 100, 140, 140)
    for corner in ((2.0, 2, 40, 40), (216.0, 2, 254, 40), (216.0, 216, 254, 254), (2.0, 216, 40, 254)):
        assert behind_letters(*corner) > 0.85 * whole, 'but for the lines, which it covers'


def test_boxes_without_an_area_are_left_out_and_masks_drawn():
    masks = torch.zeros(1, 64, 64, dtype=torch.bool)
    masks[:, 10:20] = True
    found = InstanceData(bboxes=torch.zeros(1, 4), labels=torch.tensor([1]), masks=masks)
    drawn = draw_boxes(np.zeros((64, 64, 3), np.uint8), found, ['a'])
    assert drawn[:, :, 0].any(1).nonzero()[0].tolist() == list(range(10, 20))


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
        assert drawn.shape == (280, 448, 3)
        assert drawn[140, 420, 0] > 180 and drawn[140, 420, 1] < 60 and drawn[140, 322, 0] < 60
        sky, cat = key(answer, subject('mmseg'), palette)
        assert cat == dict(name='cat', share=0.25, colour=[255, 0, 0]) and sky['colour'] == [0, 0, 0]
        assert len(key(answer, subject('mmseg'), None)) == 2
    assert truth(subject('mmseg'), {}) is None


def test_background_and_specks_of_a_mask_are_not_in_its_words_nor_in_its_key():
    from mmseg.structures import SegDataSample

    mask = np.zeros((40, 64), np.uint8)
    mask[:, 48:] = 2
    mask[0, :20] = 3  # below 1 %
    sample = SegDataSample(pred_sem_seg=PixelData(data=torch.from_numpy(mask)[None]))
    model = replace(subject('mmseg', sample), classes=('background', *CLASSES[1:]))
    found = predicted(model, PICTURE)
    assert found.words == 'cat (25%)' and [each['name'] for each in key(found, model, None)] == ['cat']


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
    assert draw_evidence(evidence, np.full((32, 32, 3), 200, np.uint8)).shape == (256, 256, 3)
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
    assert evidence.target.text == 'b (0.05)' and (drawn[96, 64:112] == 255).all()


def spotted(*objects) -> tuple:
    """A detector that finds class 'a' in a corner, and rates a 'b' beside it higher; and these true objects."""
    inputs = torch.zeros(1, 3, 32, 32)
    inputs[..., 12:18, 8:14] = 0.05
    found = truth(subject('mmdet'), dict(instances=[dict(bbox=box, bbox_label=n) for box, n in objects]))
    return network_of(BrightSpot(), 'mmdet'), picture_of(inputs), found


def test_a_map_explains_the_detection_of_the_largest_true_object():
    evidence = find_evidence(*spotted(((9, 13, 12, 16), 1), ((0, 0, 5, 6), 0)))
    assert evidence.target.box.tolist() == [0, 0, 5, 5], 'though the best box is another'
    assert evidence.explains.startswith('a (0.01)') and 'missed' not in evidence.explains


@pytest.mark.parametrize('largest', [((0, 0, 5, 6), 1), ((20, 20, 30, 30), 0)], ids=['class', 'place'])
def test_where_a_detector_misses_the_largest_object_its_map_is_of_its_best_box_and_says_so(largest):
    evidence = find_evidence(*spotted(((9, 13, 12, 16), 1), largest))
    assert evidence.explains == f'b (0.05), as {"ab"[largest[1]]} is missed'
    assert evidence.words.startswith(f'{evidence.explains}, by backbone')


def test_without_true_objects_a_map_is_of_the_best_box():
    assert find_evidence(*spotted()).explains == 'b (0.05)'


@pytest.mark.parametrize(
    ('widths', 'explains'),
    [((10, 12, 10), 'b (25.0% of the image)'), ((0, 0, 32), 'c (50.0% of the image)'),
     ((10, 4, 0, 18), 'c (50.0% of the image), as d is missed')],
)  # fmt: skip
def test_a_map_explains_the_largest_true_class_besides_background(tmp_path, widths, explains):
    """The segmentor predicts 8 columns of background, 8 of 'b' and 16 of 'c'."""
    network = network_of(Strips((8, 8, 16)), 'mmseg')
    network.subject = replace(network.subject, classes=('background', *'bcde'))
    mask = np.repeat(np.arange(len(widths), dtype=np.uint8), widths)[None].repeat(32, 0)
    mmcv.imwrite(mask, str(tmp_path / 'mask.png'))
    info = dict(seg_map_path=str(tmp_path / 'mask.png'), reduce_zero_label=False, label_map=None)
    evidence = find_evidence(network, picture_of(torch.rand(1, 3, 32, 32)), truth(network.subject, info))
    assert evidence.explains.removesuffix(', the same everywhere') == explains
