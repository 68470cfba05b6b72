"""Where the inputs of a pipeline lie in the image, and maps put back there."""

import cv2
import numpy as np
import pytest
import torch

from attn_plugins.errors import UserError
from attn_plugins.visualization.geometry import find_region


def run_with(pipeline):
    return lambda change: torch.from_numpy(
        pipeline(change(dict(img=np.zeros((60, 100, 3), np.uint8)))['img']).copy()
    ).permute(2, 0, 1)


def test_resized_cropped_and_padded():
    """Half the size, then 10 columns cut off at the left, then grey padding at the right and below."""

    def pipeline(image):
        image = cv2.resize(image, (50, 30))[:, 10:]
        return np.pad(image, ((0, 2), (0, 7), (0, 0)), constant_values=114)

    region = find_region(run_with(pipeline))
    assert region.shown == (slice(0, 30), slice(0, 40))
    assert region.x == pytest.approx((2, 20.5), abs=0.1) and region.y == pytest.approx((2, 0.5), abs=0.1)
    map_ = np.full((32, 47), 9.0)
    map_[:30, :40] = np.linspace(0, 1, 40)
    spread = region.spread(map_, (60, 100))
    assert spread.shape == (60, 100)
    assert np.isnan(spread[:, :19]).all() and not np.isnan(spread[:, 21:]).any()
    assert spread[30, 99] == pytest.approx(1, abs=0.01) and spread[30, 60] == pytest.approx(0.506, abs=0.01)


def test_flipped():
    region = find_region(run_with(lambda image: image[:, ::-1]))
    assert region.x == pytest.approx((-1, 99), abs=0.1) and region.y == pytest.approx((1, 0), abs=0.1)
    map_ = np.tile(np.arange(100.0), (60, 1))
    np.testing.assert_allclose(region.spread(map_, (60, 100))[5], np.arange(99, -1, -1), atol=0.2)


def test_a_pipeline_that_changes_colours():
    with pytest.raises(UserError, match='more to an image than resize, crop and pad'):
        find_region(run_with(lambda image: image * 0 + 3))
