"""Embedded foreign images: each depends on its seed, kind and number alone, and looks like its kind."""

import cv2
import numpy as np
import pytest

from attn_plugins.datasets.digit_scenes import split_digits
from attn_plugins.datasets.foreign_images import KINDS, ForeignImages, draw_digit
from attn_plugins.errors import UserError


def drawn(kind: str, **options) -> list[dict]:
    dataset = ForeignImages(kind, **{'number': 6, **options})
    return [dataset[i] for i in range(len(dataset))]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('size', [1, 8, 32, 500])
def test_images_of_any_size_with_labels_of_their_classes(kind, size):
    classes = ForeignImages(kind, number=1).metainfo['classes']
    for item in drawn(kind, size=size):
        assert item['img'].shape == (size, size, 3) and item['img'].dtype == np.uint8
        assert item['img'].flags.c_contiguous and item['img_shape'] == (size, size)
        assert 0 <= item['gt_label'] < len(classes)


@pytest.mark.parametrize('kind', KINDS)
def test_an_image_depends_on_seed_kind_and_number_alone(kind):
    images = [item['img'] for item in drawn(kind)]
    longer = ForeignImages(kind, number=9)
    np.random.seed(5)
    for i in (5, 0, 3):
        assert np.array_equal(longer[i]['img'], images[i])
    assert np.array_equal(ForeignImages(kind, number=9, indices=[4])[0]['img'], images[4])
    others = [item['img'] for item in drawn(kind, seed=1)]
    assert not np.array_equal(others, images)
    assert len({image.tobytes() for image in images}) > 1


def test_digits_are_dark_on_white_and_none_that_digit_scenes_validates_with():
    train, val = ({digit.ink.tobytes() for digit in split_digits()[split]} for split in ('train', 'val'))
    rng = np.random.default_rng(0)
    labels = set()
    for _ in range(200):
        image, label = draw_digit(rng, 8)
        ink = np.round((1 - image[..., 0] / 255) * 16) / 16
        assert ink.tobytes() in train - val
        assert (image == image[..., :1]).all()
        labels.add(label)
    assert labels == set(range(10))
    large = np.stack([item['img'] for item in drawn('digits', number=50)])
    assert large[:, :, 0].mean() > 230 > large.mean() > 128 and large.min() == 0 and large.max() == 255


def test_photographs_have_the_colours_of_the_channel_order():
    """The sky over the Chinese temple is bluish, the flower orange."""
    bgr = drawn('photographs', number=40)
    rgb = drawn('photographs', number=40, channel_order='rgb')
    assert all(np.array_equal(a['img'][..., ::-1], b['img']) for a, b in zip(bgr, rgb, strict=True))
    means = [np.mean([item['img'].mean((0, 1)) for item in rgb if item['gt_label'] == i], 0) for i in (0, 1)]
    assert means[1][0] > means[1][2] + 10, 'red above blue'
    assert means[0][2] > means[1][2] + 30


def test_noise_is_coloured_and_of_several_finenesses():
    images = [item['img'].astype(np.float32) for item in drawn('noise', number=40)]
    assert abs(np.mean(images) - 127.5) < 8 and 45 < np.std(images) < 65
    rough = [np.abs(np.diff(image, axis=0)).mean() for image in images]
    assert max(rough) > 3 * min(rough)
    greyed = [np.abs(image - cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None]).mean() for image in images]
    assert min(greyed) > 10


@pytest.mark.parametrize(
    'options, sentence',
    [
        (dict(kind='digit'), "ForeignImages has no kind 'digit': did you mean digits?"),
        (dict(kind='x'), "ForeignImages has no kind 'x': choose from digits, noise, photographs"),
        (dict(kind='noise', size=0), 'ForeignImages needs size >= 1'),
        (dict(kind='noise', number=0), 'change size=32, number=0, seed=0'),
        (dict(kind='noise', seed=-1), 'seed=-1'),
        (dict(kind='noise', channel_order='grb'), "channel_order='grb'"),
    ],
)
def test_options_that_cannot_be(options, sentence):
    with pytest.raises(UserError) as refused:
        ForeignImages(**options)
    assert sentence in str(refused.value)
