"""Prepares images as a model gets them: through the config's own test pipeline and the model's preprocessor."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DATASETS, DefaultScope
from torch import Tensor
from torch.utils.data import Dataset

from attn_plugins.datasets.check import check_data
from attn_plugins.errors import UserError
from attn_plugins.visualization.geometry import Region, find_region
from attn_plugins.visualization.loaded_model import LoadedModel


@dataclass(frozen=True)
class Picture:
    """An image and the input that a model gets for it.

    Attributes:
        name: The file's name.
        pixels: The image, (H, W, 3), RGB, 0 to 255.
        inputs: The network's input, (1, C, h, w), after resizing, cropping, normalising and padding.
        samples: One data sample, with the sizes that the libraries need.
        region: Which part of the image the inputs show.
    """

    name: str
    pixels: np.ndarray
    inputs: Tensor
    samples: list
    region: Region


def read_picture(subject: LoadedModel, path: str | Path) -> Picture:
    """Reads an image for a model.

    Raises:
        UserError: It is missing, cannot be read, or the pipeline changes it beyond recognition.
    """
    path = Path(path)
    pixels = _read_pixels(path)
    loader, *rest = _test_pipeline(subject.cfg, path)
    with DefaultScope.overwrite_default_scope(subject.library):
        load, finish = Compose([loader]), Compose(rest)
        # Fields that data sets add to every image; the libraries' packers copy them.
        info = dict(img_path=str(path), img_id=0, sample_idx=0, seg_fields=[], reduce_zero_label=False)
        packed = finish(load(info))
        region = find_region(lambda change: finish(change(load(dict(info))))['inputs'])
        data = subject.model.data_preprocessor(pseudo_collate([packed]), False)
    return Picture(path.name, pixels, data['inputs'], data['data_samples'], region)


def first_images(cfg: Config, library: str, number: int) -> list[Path]:
    """Lists the first images of a config's test data set.

    Raises:
        UserError: The data are missing, or the data set has no image files.
    """
    if cfg.get('test_dataloader') is None:
        raise UserError('the config has no test_dataloader: name images with --images')
    check_data(cfg, ('test_dataloader',))
    dataset = build_test_data(cfg, library)
    paths = [dataset.get_data_info(i).get('img_path') for i in range(min(number, len(dataset)))]
    if None in paths:
        raise UserError('the test data set does not hold its images as files: name images with --images')
    return [Path(path) for path in paths]


def build_test_data(cfg: Config, library: str) -> Dataset:
    """Builds a config's test data set."""
    with DefaultScope.overwrite_default_scope(library):
        return DATASETS.build(cfg.test_dataloader.dataset)


def _read_pixels(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UserError(f'there is no image {path}: put its path right')
    try:
        pixels = mmcv.imread(str(path), channel_order='rgb')
    except Exception as error:  # corrupt bytes raise any error of the image reader
        raise UserError(f'{path} cannot be read as an image: name a JPEG or PNG file') from error
    if pixels is None:
        raise UserError(f'{path} cannot be read as an image: name a JPEG or PNG file')
    return pixels


def _test_pipeline(cfg: Config, path: Path) -> Iterator[dict]:
    """Yields the transforms of the test pipeline, the image's loader first, without those for annotations.

    Raises:
        UserError: There is none that reads a file.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    kinds = [str(getattr(step['type'], '__name__', step['type'])) for step in dataset.get('pipeline') or []]
    steps = [
        step
        for step, kind in zip(dataset.get('pipeline') or [], kinds, strict=True)
        if not kind.startswith(('Load', 'mmdet.Load')) or kind.endswith('LoadImageFromFile')
    ]
    if not any(kind.endswith('LoadImageFromFile') for kind in kinds):
        raise UserError(
            f"the config's test pipeline reads no image files, so not {path}: let "
            'test_dataloader.dataset.pipeline begin '
            'with LoadImageFromFile'
        )
    return steps
