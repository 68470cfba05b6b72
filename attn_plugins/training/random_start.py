"""Warns if a backbone starts with random weights: detectors and segmentors usually start from ImageNet weights."""

import logging

from mmengine.config import Config
from mmengine.logging import print_log

from attn_plugins.datasets.heads import built_model


def warn_of_random_start(cfg: Config) -> None:
    """Warns once if a detector or segmentor gets no trained backbone.

    This is not an error, but the published results did not do it. The warning names stages that are frozen at random
    weights, and batch norms that keep the statistics of no data.
    """
    model = built_model(cfg)
    backbone = model.get('backbone') or {}
    start = backbone.get('init_cfg')
    starts = start if isinstance(start, (list, tuple)) else [start]
    given = any(isinstance(item, dict) and item.get('type') == 'Pretrained' for item in starts)
    if (
        cfg.default_scope == 'mmpretrain'
        or given
        or cfg.get('load_from')
        or backbone.get('pretrained')
        or model.get('pretrained')
    ):
        return
    kept = []
    if backbone.get('frozen_stages', -1) >= 0:
        kept.append(f'frozen_stages={backbone.frozen_stages} keeps the first stages so')
    if backbone.get('norm_eval'):
        kept.append('norm_eval=True keeps batch norms at the statistics of no data')
    print_log(
        f'the backbone starts at random{"".join(f", and {what}" for what in kept)}: give it trained weights '
        'with --cfg-options '
        'model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE, and '
        'model.backbone.init_cfg.prefix=backbone. for those of a classifier',
        'current',
        logging.WARNING,
    )
