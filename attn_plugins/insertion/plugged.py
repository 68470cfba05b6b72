"""`Plugged`: builds a host and puts layers into it."""

import inspect
import logging
import re
from collections.abc import Sequence

from mmcv.cnn.bricks.plugin import infer_abbr
from mmengine.logging import print_log
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from attn_plugins.insertion.convs import in_place_of, is_conv
from attn_plugins.insertion.errors import InsertionError
from attn_plugins.insertion.plug import Plug, StatefulPlug
from attn_plugins.insertion.share import carry_state, check_channels, groups
from attn_plugins.insertion.targets import Target, by_glob, by_position, norms
from attn_plugins.insertion.tree import Node, channels, inserted_layers
from attn_plugins.insertion.weights import watch
from attn_plugins.layers.wrapper import Wrapper
from attn_plugins.registry import MODELS, build_part, nearest

WHERE = ('position', 'after', 'before', 'replace', 'norm')
ENTRY = ('cfg', 'stages', 'share', *WHERE)


@MODELS.register_module()
def Plugged(
    host: str, plugins: Sequence[dict] = (), strict_plugins: bool = False, **host_options
) -> nn.Module:
    """Builds a backbone, neck, head or whole model in the current scope, puts layers in, and returns the host itself.

    Each entry of `plugins` has `cfg`, the layer's config (`None` leaves the entry out; `postfix` names a second
    layer of one type at the same place), and says where:

    * `position='after_conv3'`: a named place in every block; `stages=(False, True, True, True)` chooses stages.
    * `after='layer3.*.conv2'`, `before='**.conv*'`, `replace='**.se'`: a glob over module names. A convolution of this
      package replaces one of the host's and takes its sizes.
    * `norm='main'` (all batch norms but those of projection shortcuts), `'all'` or a glob: for norm layers.

    An entry may have `norm` beside one of the others: an attention layer goes to the place, a norm layer replaces the
    norms, so that one config serves every preset; `stages` belongs to `position`. `share='stage'` gives one layer to
    all blocks of a stage, and its state goes from block to block if it has one (DIA). Entries are applied in order; several layers at one place run in the order of the entries.

    Args:
        host (str): Type of the host, with or without a scope: 'ResNet', 'mmpretrain.MobileNetV2'.
        plugins (Sequence[dict]): The entries.
        strict_plugins (bool): Makes it an error if a checkpoint lacks weights of a layer or has others; else a warning.
        host_options: The host's own arguments.

    Returns:
        nn.Module: The host, of its own class, with its own state-dict keys and the layers' beside them.

    Raises:
        InsertionError: A word is unknown, nothing matches, or channels do not fit; the nearest choices are named.
    """
    model = _build_host(host, host_options)
    for entry in plugins:
        _insert(model, entry)
    watch(model, inserted_layers(model), strict_plugins)
    # Hosts freeze stages and norms in train(): what was put in follows before an optimizer or DDP sees it.
    model.train(model.training)
    _warn_of_untrained(model)
    return model


def _build_host(host: str, options: dict) -> nn.Module:
    with MMENGINE_MODELS.switch_scope_and_registry(None) as registry:
        cls = registry.get(host)
        if cls is None:
            hint = (
                '' if registry.scope != 'mmengine' else "; without a default scope write it as 'mmdet.ResNet'"
            )
            raise InsertionError(f'there is no host {host!r}: {nearest(host, registry.module_dict)}{hint}')
        try:
            return registry.build(dict(type=cls, **options))
        except TypeError as error:
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if unknown is None or unknown[1] not in options:
                raise
            known = {name for base in cls.__mro__ for name in inspect.signature(base.__init__).parameters}
            raise InsertionError(
                f'{host} has no option {unknown[1]!r}: {nearest(unknown[1], known)}'
            ) from error


def _insert(host: nn.Module, entry: dict) -> None:
    """Carries out one entry."""
    entry = dict(entry)
    for word in entry:
        if word not in ENTRY:
            raise InsertionError(f'an entry of plugins has no {word!r}: {nearest(word, ENTRY)}')
    cfg = entry.get('cfg')
    if cfg is None:
        return
    cfg = dict(cfg)
    postfix = str(cfg.pop('postfix', ''))
    places = [word for word in WHERE if word != 'norm' and entry.get(word) is not None]
    if _is_norm(cfg):
        if entry.get('norm') is None:
            raise InsertionError(
                f"{cfg['type']} is a norm layer: say which norms it replaces, as norm='main'"
            )
        _replace_norms(norms(host, entry['norm']), cfg)
        return
    if len(places) != 1:
        raise InsertionError(
            f'{cfg.get("type")} needs exactly one of position=, after=, before= and replace=, '
            f'but has {", ".join(places) or "none"}'
        )
    word = places[0]
    if word == 'position':
        targets = by_position(host, entry['position'], entry.get('stages'))
    else:
        targets = by_glob(host, entry[word], 'before' if word == 'before' else 'after')
    if is_conv(cfg):
        for target in targets:
            options, sizes = in_place_of(target, cfg, word)
            layer = _build_layer(options, f'at {target.node.name}', **sizes)
            _put(target, layer, infer_abbr(type(layer)) + postfix, True)
        return
    for group in groups(targets, entry.get('share'), word):
        found = [_channels_at(target, cfg, word == 'replace') for target in group]
        check_channels(group, found)
        place = group[0].node.name
        layer = _build_layer(cfg, f'at {place} ({found[0]} channels)', in_channels=found[0])
        name = infer_abbr(type(layer)) + postfix
        stateful = carry_state(host, layer, entry.get('share'), place)
        for target in group:
            ends = dict(first=target is group[0], last=target is group[-1]) if stateful else None
            _put(target, layer, name, word == 'replace', ends)


def _is_norm(cfg: dict) -> bool:
    cls = MODELS.get(cfg['type']) if isinstance(cfg.get('type'), str) else cfg.get('type')
    return isinstance(cls, type) and issubclass(cls, Wrapper)


def _channels_at(target: Target, cfg: dict, replace: bool) -> int:
    """The host's channels at a place, or the config's word for them where the host cannot be read."""
    found = channels(target.node.module, 'before' if replace else target.side) or cfg.get('in_channels')
    if found is None:
        raise InsertionError(
            f'the channels at {target.node.name} cannot be read from the host: give in_channels in the cfg'
        )
    return found


def _build_layer(cfg: dict, where: str, **given) -> nn.Module:
    try:
        return build_part(cfg, MODELS, **given)
    except ValueError as error:
        raise InsertionError(f'{where}: {error}') from error


def _put(
    target: Target, layer: nn.Module, name: str, replace: bool, ends: dict[str, bool] | None = None
) -> None:
    """Puts a plug where the module stood: outside the plugs that are there, or inside if it comes before.

    `ends` says whether a layer with a state starts or ends it here.
    """
    parent, key = target.node.inner if replace or target.side == 'before' else target.node.outer
    parts = nn.Identity() if replace else parent._modules[key], layer, name, target.side
    try:
        parent._modules[key] = Plug(*parts) if ends is None else StatefulPlug(*parts, **ends)
    except InsertionError as error:
        raise InsertionError(f'at {target.node.name}: {error}') from error


def _replace_norms(nodes: list[Node], cfg: dict) -> None:
    """Puts a norm layer around each batch norm, which stays inside with its own settings."""
    for node in nodes:
        norm = node.module
        layer = _build_layer(
            cfg, f'at {node.name} ({norm.num_features} channels)', num_features=norm.num_features
        )
        setattr(layer, layer.wrapped_name, norm)
        parent, key = node.inner
        parent._modules[key] = layer


def _warn_of_untrained(host: nn.Module) -> None:
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
    if getattr(host, 'norm_eval', False):
        normed = [
            name
            for name, layer in layers.items()
            if not isinstance(layer, Wrapper)
            and any(isinstance(module, _BatchNorm) for module in layer.modules())
        ]
        if normed:
            print_log(
                f'norm_eval=True also fixes the batch norms inside {len(normed)} inserted layers ({normed[0]}, '
                '...) at their initial statistics unless a checkpoint has theirs: set norm_eval=False to train '
                'them',
                logger='current',
                level=logging.WARNING,
            )
