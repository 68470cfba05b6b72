"""D-RISE is the same with the same seed, and peaks on what the detector looks at."""

import pytest
import torch

from attn_plugins.visualization.drise import drise, random_masks
from attn_plugins.visualization.target import choose_target, overlap
from tests.visualization.models import BrightSpot, network_of, picture_of


def test_the_same_seed_gives_the_same_map_which_peaks_on_the_object():
    network = network_of(BrightSpot(), 'mmdet')
    inputs = torch.ones(1, 3, 32, 32)
    target = choose_target(network, picture_of(inputs))
    first, again, other = (drise(network, inputs, target, 400, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    x1, y1, x2, y2 = BrightSpot.box
    y, x = divmod(int(first.argmax()), 32)
    assert x1 <= x < x2 and y1 <= y < y2
    assert first[y1:y2, x1:x2].mean() > 3 * first[:, 24:].abs().mean()


def test_masks_are_half_open_and_between_0_and_1():
    masks = random_masks(64, (40, 50), torch.Generator().manual_seed(0))
    assert masks.shape == (64, 1, 40, 50)
    assert masks.min() >= 0 and masks.max() <= 1 and float(masks.mean()) == pytest.approx(0.5, abs=0.03)


def test_overlap_is_intersection_over_union():
    boxes = torch.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6]])
    torch.testing.assert_close(overlap(boxes[0], boxes), torch.tensor([1, 1 / 7, 0]))
