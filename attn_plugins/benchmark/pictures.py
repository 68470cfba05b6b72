"""Draws what a run's model predicts for a few images of its test, and where each prediction's score comes from."""

from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.device import get_device

from attn_plugins.benchmark.run_folder import CONFIG, PICTURES
from attn_plugins.errors import UserError
from attn_plugins.randomness import random_state_kept
from attn_plugins.training.checkpoint import latest_checkpoint
from attn_plugins.visualization.evidence import draw_evidence, find_evidence
from attn_plugins.visualization.loaded_model import LoadedModel, load_subject
from attn_plugins.visualization.network import Network
from attn_plugins.visualization.picture import build_test_data, read_picture
from attn_plugins.visualization.prediction import draw, key, predicted, truth

# Images of a run, spread evenly over the test, as images are often sorted by class; the same ones for every preset.
IMAGES = 3
# Of a JPEG file: some 15 kB of each picture.
QUALITY = 85


def draw_pictures(folder: Path, cfg_options: dict) -> list[dict]:
    """Draw the pictures into a folder of the run's, and return what stands in them, image by image.

    Args:
        folder: The run's folder; its last checkpoint is used.
        cfg_options: Single values of the config in the test whose images are taken.

    Returns:
        list[dict]: Of each image its `name`, the model's `library`, and `truth`, `prediction` and `evidence`: each what
            it is in `words`, and the picture's `file` in the run's folder, its `width` and `height`. Masks have a `key`
            too: the `name`, `share` of the image and `colour` of each class; and evidence has what it `explains`. No
            `truth` where the data set has none; no file of a classifier's prediction, which is words alone;
            `no_evidence`, a reason, in place of `evidence`.

    Raises:
        UserError: The checkpoint is gone, or the data set has no image files.
    """
    checkpoint = latest_checkpoint(folder)
    if checkpoint is None:
        raise UserError('the checkpoint is gone')
    cfg = Config.fromfile(folder / CONFIG)
    cfg.merge_from_dict(cfg_options)
    with random_state_kept():
        subject = load_subject(cfg, checkpoint)
        subject.model.to(get_device())
        dataset = build_test_data(cfg, subject.library)
        chosen = dict.fromkeys(i * len(dataset) // IMAGES for i in range(IMAGES))
        infos = [dataset.get_data_info(i) for i in chosen]
        if not all(info.get('img_path') for info in infos):
            raise UserError('the test data set does not hold its images as files')
        (folder / PICTURES).mkdir(exist_ok=True)
        palette = dataset.metainfo.get('palette')
        return [_draw_image(folder, i, subject, info, palette) for i, info in enumerate(infos)]


def _draw_image(folder: Path, number: int, subject: LoadedModel, info: dict, palette) -> dict:
    picture = read_picture(subject, info['img_path'])

    def save(name: str, pixels: np.ndarray, words: str) -> dict:
        file = f'{PICTURES}/{number}_{name}.jpg'
        mmcv.imwrite(mmcv.rgb2bgr(pixels), str(folder / file), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        return dict(file=file, words=words, height=pixels.shape[0], width=pixels.shape[1])

    found = dict(name=picture.name, library=subject.library)
    true = truth(subject, info)
    for name, answer in (('truth', true), ('prediction', predicted(subject, picture))):
        if answer and (answer.is_drawn or name == 'truth'):
            found[name] = save(name, draw(answer, subject, picture.pixels, palette), answer.words)
        elif answer:
            found[name] = dict(words=answer.words)
        if answer and answer.areas:
            found[name]['key'] = key(answer, subject, palette)
    try:
        evidence = find_evidence(Network(subject, picture.samples), picture, true)
    except UserError as error:
        return dict(found, no_evidence=str(error))
    drawn = save('evidence', draw_evidence(evidence, picture.pixels), evidence.words)
    return dict(found, evidence=dict(drawn, explains=evidence.explains))
