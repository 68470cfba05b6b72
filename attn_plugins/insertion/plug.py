"""`plug` puts layers into any live model, `Plugged` builds a host first."""

import inspect
import re
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import nn

from attn_plugins.errors import InsertionError
from attn_plugins.insertion.apply_entry import Insertion
from attn_plugins.insertion.entry import read_entries
from attn_plugins.insertion.guards import follow_freezing, keep_from_fusion, refuse_folding, warn_of_untrained
from attn_plugins.insertion.weights import keep_weights
from attn_plugins.randomness import random_state_kept
from attn_plugins.registry import MODELS, nearest

Entries = Sequence[dict] | dict[str, Sequence[dict]]


def plug(
    model: nn.Module, plugins: Entries | None, strict_plugins: bool = False, place: dict | None = None
) -> nn.Module:
    """Puts layers into a live model, of OpenMMLab, torchvision, timm or your own, and returns it.

    Each entry of `plugins` has `cfg`, the layer's config (`None` leaves the entry out; `postfix` in it names a second
    layer of one type at the same place), and says where:

    * `position='after_conv3'`: a named place in every block, at the end of every stage (`stage_output`) or on the maps
      that the model returns (`level_output`); `stages=(False, True, True, (True, False))` chooses stages, or blocks of
      a stage.
    * `after='layer3.*.conv2'`, `before='**.conv*'`, `replace='**.se'`: a glob over module names, or a list of globs. A
      convolution of this package replaces one of the host's and takes its sizes.
    * `norm='main'` (all batch norms but those of projection shortcuts), `'all'` or a glob: for norm layers; `stages`
      limits them to the stages that are switched on.

    An entry of an attention layer that says none of these goes to `place`. `share='stage'` gives one layer to all
    blocks of a stage; if the layer has a state, it goes from block to block (DIA). `start='identity'` lets a layer
    compute y = x + a (layer(x) - x) with a learnable a = 0. Entries are applied in order; several layers at one place
    run in the order of the entries.

    Args:
        model (nn.Module): The host. It is changed in place.
        plugins (Sequence[dict] or dict): The entries; or a list of them for each class of host, as
            `dict(ResNet=[...], others=[...])`, where the class of a block of the host also works (`BasicBlock`).
        strict_plugins (bool): Makes it an error if a checkpoint lacks weights of a layer or has weights of layers that
            are not there; else it is a warning.
        place (dict, optional): `position`, `after`, `before` or `replace`, and `stages`, as in an entry: for entries
            that have none of the four. Entries with `stages` of their own keep them.

    Returns:
        nn.Module: The model, with its own state-dict keys and the layers' beside them.

    Raises:
        InsertionError: A key is unknown, no list is for this host, nothing matches, a block of a stage has no such
            place, or channels do not fit; the message names the nearest choices. The model is then as it was.
    """
    if not isinstance(model, nn.Module):
        raise InsertionError(
            f"plug takes a model that is built, not {model!r}: Plugged(host='ResNet', ...) builds one"
        )
    # Layers made in inference mode could never be trained. Nothing here advances the random number stream of the host
    # and of what is built after it.
    with torch.inference_mode(False), random_state_kept():
        _plug(model, plugins, strict_plugins, place)
    return model


def _plug(model: nn.Module, plugins: Entries | None, strict_plugins: bool, place: dict | None) -> None:
    insertion = Insertion(model)
    try:
        for entry in read_entries(plugins, place, model):
            insertion.put_in(entry)
    except BaseException:
        insertion.take_back()
        raise
    keep_weights(model, strict_plugins)
    keep_from_fusion(model)
    refuse_folding(model)
    follow_freezing(model)
    warn_of_untrained(model)


def Plugged(
    host: str | type | None = None,
    plugins: Entries | None = (),
    strict_plugins: bool = False,
    place: dict | None = None,
    **host_options: Any,
) -> nn.Module:
    """Builds a backbone, neck, head or whole model in the current scope, and plugs layers into it.

    Args:
        host (str or type): Type of the host, with or without a scope: 'ResNet', 'mmpretrain.MobileNetV2', or the class.
        plugins (Sequence[dict] or dict): The entries, as `plug` takes them.
        strict_plugins (bool): As in `plug`.
        place (dict, optional): As in `plug`.
        host_options: The host's own arguments.

    Returns:
        nn.Module: The host itself, of its own class.

    Raises:
        InsertionError: There is no such host or option; or as `plug`.
    """
    if isinstance(host, nn.Module):
        raise InsertionError('host= is a type, and this one is built: use attn_plugins.plug(model, plugins)')
    if not isinstance(host, (str, type)):
        raise InsertionError(
            f"host={host!r} must be a type, with its options beside it: host='ResNet', depth=50"
        )
    return plug(_build_host(host, host_options), plugins, strict_plugins, place)


MODELS.register_module(
    module=Plugged
)  # no decorator: mmengine's has no types, and the function would have none


def _build_host(host: str | type, options: dict) -> nn.Module:
    with MMENGINE_MODELS.switch_scope_and_registry(None) as registry:
        cls = registry.get(host) if isinstance(host, str) else host
        if cls is None:
            hint = (
                '' if registry.scope != 'mmengine' else "; without a default scope write it as 'mmdet.ResNet'"
            )
            raise InsertionError(
                f'there is no host {host!r}: {nearest(str(host), registry.module_dict)}{hint}'
            )
        try:
            return registry.build(dict(type=cls, **options))
        except TypeError as error:
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if unknown is None or unknown[1] not in options:
                raise
            known = {
                name
                for base in cls.__mro__
                for name in inspect.signature(vars(base).get('__init__', object)).parameters
            }
            known |= {'plugins', 'place', 'strict_plugins'}
            raise InsertionError(
                f'{cls.__name__} has no option {unknown[1]!r}: {nearest(unknown[1], known)}'
            ) from error
