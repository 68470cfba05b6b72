"""Splits a data set in two by a hash of each image's name, so that values are not tuned on the test images."""

import hashlib
from pathlib import Path

from mmengine.dataset import BaseDataset

from attn_plugins.errors import UserError
from attn_plugins.registry import DATASETS


@DATASETS.register_module()
def Split(dataset: dict, share: float, held_out: bool) -> BaseDataset:
    """Builds a data set and keeps either the held-out images or the others.

    An image is held out if the SHA-256 of its file's and folder's name, or of its number if it has no file, is among
    the lowest `share` of all values. So the same images are held out in every run, whatever else is filtered.

    Args:
        dataset (dict): The data set's config.
        share (float): The share of images that are held out, between 0 and 1.
        held_out (bool): Whether those are kept, or the others.

    Raises:
        UserError: It is no mmengine data set, or no image is left.
    """
    if not 0 < share < 1:
        raise UserError(f'share={share} of a data set cannot be held out: give a number between 0 and 1')
    built = DATASETS.build(dataset)
    if not isinstance(built, BaseDataset):
        raise UserError(
            f'{type(built).__name__} is no BaseDataset of mmengine, whose images can be chosen: split its '
            'files, and name the two parts in the config'
        )
    built.full_init()
    kept = [index for index in range(len(built)) if _is_held_out(built, index, share) == held_out]
    if not kept:
        raise UserError(
            f'{share:.0%} of the {len(built)} images of {type(built).__name__} leave a part without any'
        )
    built.get_subset_(kept)
    return built


def _is_held_out(dataset: BaseDataset, index: int, share: float) -> bool:
    path = Path(str(dataset.get_data_info(index).get('img_path', index)))
    name = '/'.join(path.parts[-2:])  # independent of the data's place on this machine
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'big') < share * 2**64
