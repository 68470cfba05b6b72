"""What a host freezes is frozen in its layers too, and said."""

import logging

from mmengine.logging import print_log
from torch import nn

from attn_plugins.compat import BatchNorm
from attn_plugins.insertion.tree import inserted_layers
from attn_plugins.layers.norm.base import NormLayer


def follow_freezing(host: nn.Module) -> None:
    """Freezes what was put into frozen stages before an optimizer or DDP sees it; the modes of all modules stay.

    OpenMMLab's backbones freeze stages and norms in train().
    """
    modes = {module: module.training for module in host.modules()}
    host.train(host.training)
    if len(set(modes.values())) > 1:  # not as it was built: someone has chosen them
        for module, mode in modes.items():
            module.training = mode


def warn_of_untrained(host: nn.Module) -> None:
    """Says which layers the host's own freezing leaves untrained."""
    layers = inserted_layers(host)
    frozen = [
        name
        for name, layer in layers.items()
        if any(True for _ in layer.parameters()) and not any(p.requires_grad for p in layer.parameters())
    ]
    if frozen:
        print_log(
            f'{len(frozen)} inserted layers are in frozen stages ({frozen[0]}, ...) and keep their initial '
            'weights unless a checkpoint has theirs: leave those stages out with stages=(False, ...)',
            logger='current',
            level=logging.WARNING,
        )
    fixed = [module for module in host.modules() if getattr(module, 'norm_eval', False) is True]
    normed = [
        name
        for name, layer in layers.items()
        if not isinstance(layer, NormLayer)
        and any(isinstance(part, BatchNorm) for part in layer.modules())
        and any(layer is part for module in fixed for part in module.modules())
    ]
    if normed:
        print_log(
            f'norm_eval=True also fixes the batch norms inside {len(normed)} inserted layers ({normed[0]}, '
            '...) at their initial statistics unless a checkpoint has theirs: set norm_eval=False to train '
            'them',
            logger='current',
            level=logging.WARNING,
        )
