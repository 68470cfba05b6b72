"""Prepares a trained checkpoint for publication: only weights, named by their hash, with its config and its cost."""

import hashlib
import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader

from attn_plugins.datasets.heads import built_model
from attn_plugins.errors import UserError
from attn_plugins.files import write_json, write_text
from attn_plugins.training.checkpoint import check_file, check_fits, weights_of
from attn_plugins.training.library import build_model

# What a config says about the machine or the run: others should not get it or cannot use it.
OF_A_RUN = ('work_dir', 'load_from', 'resume', 'launcher', 'env_variables')
# What a checkpoint says about its training that others want to know.
KEPT = ('dataset_meta', 'epoch', 'iter', 'seed')


def publish(cfg: Config, checkpoint: Path, folder: Path, name: str, facts: dict) -> list[Path]:
    """Writes the weights of a checkpoint, the config and a description into a folder.

    The weights are those that the checkpoint tests with (EMA's if it has them), in the order of the model, on the CPU.
    The file's name ends with the first eight digits of its SHA-256, as OpenMMLab's published files do;
    `torch.load(weights_only=True)` reads it.

    Args:
        cfg (Config): The config that the checkpoint was trained with.
        checkpoint (Path): A checkpoint of a training run.
        folder (Path): Where to write; it is created.
        name (str): The name of the files.
        facts (dict): More facts about the model, as plain values: its cost, versions.

    Returns:
        list[Path]: The checkpoint, the config, the description in JSON.

    Raises:
        UserError: The checkpoint is not whole, or of another model.
    """
    check_file(checkpoint)
    content = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    model = build_model(cfg)
    check_fits(content, model, checkpoint, 'give the config, and the preset, that it was trained with')
    weights = weights_of(content)
    own = {key: weights[key].clone() for key in model.state_dict() if key in weights}
    text = _as_published(cfg)
    known = content.get('meta') or {}
    meta = {key: known[key] for key in KEPT if key in known} | dict(cfg=text)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f'{name}.pth.part'
    try:
        torch.save(dict(state_dict=own, meta=meta), part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        paths = [folder / f'{name}-{digest[:8]}{suffix}' for suffix in ('.pth', '.py', '.json')]
        if paths[0].exists():
            raise UserError(f'{paths[0]} is there already, with the same bytes: there is nothing to do')
        write_text(paths[1], text)
        described = dict(checkpoint=paths[0].name, sha256=digest, bytes=part.stat().st_size, **facts)
        write_json(paths[2], described)
        os.replace(part, paths[0])
    finally:
        part.unlink(missing_ok=True)
    return paths


def _as_published(cfg: Config) -> str:
    """Returns the whole config as text, without what belongs to one run."""
    content = {key: value for key, value in cfg.to_dict().items() if key not in OF_A_RUN}
    backbone = built_model(content).get('backbone') or {}
    start = backbone.get('init_cfg')
    if isinstance(start, dict) and start.get('type') == 'Pretrained':
        backbone.pop('init_cfg')  # a path on the machine that trained it
    return Config(content).pretty_text
