"""Computes D-RISE maps: which masked images keep a detection; for any detector, without gradients.

Petsiuk et al., CVPR 2021, arXiv:2006.03204.
"""

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor

from attn_plugins.visualization.network import Network
from attn_plugins.visualization.target import Target, overlap

# From the paper: cells of a mask along each side, and the share of them that is kept.
CELLS, KEPT = 16, 0.5
BATCH = 8


@torch.no_grad()
def drise(network: Network, inputs: Tensor, target: Target, masks: int, seed: int = 0) -> Tensor:
    """Computes the saliency of a detection.

    Equation:
        S = sum_i (s_i - mean s) M_i,  s_i = max_j IoU(box, box_ij) * score_ij, detections j of its class in image * M_i

    Masked places have the value 0 of the normalised input, which is the mean colour. The paper compares all class
    probabilities by their cosine; mmdet's detectors return only one class and its score, which are used instead. The
    paper does not subtract the mean of s. Apart from chance (how often each place was kept) it adds the same to all
    places.

    Args:
        network: The detector.
        inputs: (1, C, h, w).
        target: The detection.
        masks: Number of masks; the paper has 5000.
        seed: Seed of the masks.

    Returns:
        Tensor: (h, w), of the inputs' size.
    """
    size = inputs.shape[2:]
    generator = torch.Generator().manual_seed(seed)
    saliency, left, total = torch.zeros(size), torch.zeros(size), 0.0
    starts = range(0, masks, BATCH)
    for start in track(starts, f'D-RISE, {masks} masks', transient=True):
        batch = random_masks(min(BATCH, masks - start), size, generator)
        network(inputs * batch)
        for mask, found in zip(batch[:, 0], network.detections, strict=True):
            right = found.labels == target.label
            likeness = overlap(target.box, found.bboxes[right]) * found.scores[right]
            score = float(likeness.max()) if len(likeness) else 0.0
            saliency, left, total = saliency + score * mask, left + mask, total + score
    return saliency - total / masks * left


def random_masks(number: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Makes coarse random grids, enlarged bilinearly and shifted by up to a cell: (number, 1, h, w), 0 to 1."""
    height, width = size
    cell = (-(-height // CELLS), -(-width // CELLS))
    grid = (torch.rand(number, 1, CELLS, CELLS, generator=generator) < KEPT).float()
    large = F.interpolate(grid, size=((CELLS + 1) * cell[0], (CELLS + 1) * cell[1]), mode='bilinear')
    shifts = torch.stack([torch.randint(0, c, (number,), generator=generator) for c in cell], 1).tolist()
    return torch.stack(
        [mask[:, y : y + height, x : x + width] for mask, (y, x) in zip(large, shifts, strict=True)]
    )
