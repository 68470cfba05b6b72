"""`plug` puts layers into any live model, `Plugged` builds a host first."""

import functools
import inspect
import logging
import re
from collections.abc import Callable, Sequence

from mmcv.cnn.bricks.plugin import infer_abbr
from mmengine.logging import print_log
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from attn_plugins.insertion.convs import sizes_of
from attn_plugins.insertion.entry import Entry, read_entries
from attn_plugins.insertion.errors import InsertionError
from attn_plugins.insertion.folding import refuse_folding
from attn_plugins.insertion.levels import NAME as LEVEL_OUTPUT
from attn_plugins.insertion.levels import Levels, add_levels, remove_levels
from attn_plugins.insertion.plugs import FirstOfStage, LastOfStage, Plug, SharingPlug
from attn_plugins.insertion.shapes import Shapes, static_channels
from attn_plugins.insertion.share import check_channels, groups, has_state
from attn_plugins.insertion.start import IdentityStart
from attn_plugins.insertion.targets import Places, Target
from attn_plugins.insertion.tree import Node, inserted_layers, own_keys
from attn_plugins.insertion.weights import watch
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.registry import MODELS, build_part, nearest


def plug(model: nn.Module, plugins: Sequence[dict], strict_plugins: bool = False) -> nn.Module:
    """Puts layers into a live model, of OpenMMLab, torchvision, timm or your own, and returns it.

    Each entry of `plugins` has `cfg`, the layer's config (`None` leaves the entry out; `postfix` in it names a second
    layer of one type at the same place), and says where:

    * `position='after_conv3'`: a named place in every block, at the end of every stage (`stage_output`) or at what is
      handed on (`level_output`); `stages=(False, True, True, (True, False))` chooses stages, or blocks of a stage.
    * `after='layer3.*.conv2'`, `before='**.conv*'`, `replace='**.se'`: a glob over module names, or a list of globs. A
      convolution of this package replaces one of the host's and takes its sizes.
    * `norm='main'` (all batch norms but those of projection shortcuts), `'all'` or a glob: for norm layers; `stages`
      leaves those inside the stages that are switched on.

    An entry may have `norm` beside one of the others: an attention layer goes to the place, a norm layer replaces the
    norms, so that one config serves every preset; `stages` then belongs to the place. `share='stage'` gives one layer
    to all blocks of a stage, and its state goes from block to block if it has one (DIA). `start='identity'` lets a
    layer compute y = x + a (layer(x) - x) with a learnable a = 0. Entries are applied in order; several layers at one
    place run in the order of the entries.

    Args:
        model (nn.Module): The host. It is changed in place.
        plugins (Sequence[dict]): The entries.
        strict_plugins (bool): Makes it an error if a checkpoint lacks weights of a layer or has others; else a warning.

    Returns:
        nn.Module: The model, with its own state-dict keys and the layers' beside them.

    Raises:
        InsertionError: A word is unknown, nothing matches, a block of a stage has no such place, or channels do not
            fit; the nearest choices are named. The model is then as it was.
    """
    shapes, undo = Shapes(model), []
    try:
        for entry in read_entries(plugins):
            _insert(model, entry, shapes, undo)
    except InsertionError:
        for step in reversed(undo):
            step()
        raise
    watch(model, strict_plugins)
    refuse_folding(model)
    _follow(model)
    _warn_of_untrained(model)
    return model


@MODELS.register_module()
def Plugged(
    host: str | type, plugins: Sequence[dict] = (), strict_plugins: bool = False, **host_options
) -> nn.Module:
    """Builds a backbone, neck, head or whole model in the current scope, and plugs layers into it.

    Args:
        host (str or type): Type of the host, with or without a scope: 'ResNet', 'mmpretrain.MobileNetV2', or the class.
        plugins (Sequence[dict]): The entries, as `plug` takes them.
        strict_plugins (bool): As in `plug`.
        host_options: The host's own arguments.

    Returns:
        nn.Module: The host itself, of its own class.

    Raises:
        InsertionError: There is no such host or option; or as `plug`.
    """
    return plug(_build_host(host, host_options), plugins, strict_plugins)


def _build_host(host: str | type, options: dict) -> nn.Module:
    with MMENGINE_MODELS.switch_scope_and_registry(None) as registry:
        cls = registry.get(host) if isinstance(host, str) else host
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
                f'{cls.__name__} has no option {unknown[1]!r}: {nearest(unknown[1], known)}'
            ) from error


def _insert(host: nn.Module, entry: Entry, shapes: Shapes, undo: list[Callable[[], None]]) -> None:
    """Carries out one entry, and appends what takes each step back."""
    places = Places(host)
    if entry.is_a(NormLayer):
        _replace_norms(host, places.norms(entry.where, entry.stages), entry, undo)
    elif entry.is_a(ConvLike):
        _replace_convs(host, _targets(places, entry), entry, undo)
    elif entry.word == 'position' and entry.where == LEVEL_OUTPUT:
        _insert_at_levels(host, entry, shapes, undo)
    else:
        for group in groups(_targets(places, entry), entry.share):
            _insert_attention(host, group, entry, shapes, undo)


def _put(slot: tuple[nn.Module, str], module: nn.Module, undo: list[Callable[[], None]]) -> None:
    """Puts a module into its place in the tree."""
    parent, key = slot
    undo.append(functools.partial(parent._modules.__setitem__, key, parent._modules[key]))
    parent._modules[key] = module


def _targets(places: Places, entry: Entry) -> list[Target]:
    if entry.word == 'position':
        return places.at(entry.where, entry.stages)
    return places.by_glob(entry.where, entry.word)


def _insert_attention(
    host: nn.Module, group: list[Target], entry: Entry, shapes: Shapes, undo: list[Callable[[], None]]
) -> None:
    """Puts one layer at a place, or between the places that share it."""
    found = [_channels_at(host, target, entry, shapes) for target in group]
    check_channels(group, found)
    place = group[0].node.name
    layer, name = _build_layer(entry, f'at {place} ({found[0]} channels)', in_channels=found[0])
    stateful = has_state(host, layer, entry.share is not None, place)
    owner = None
    for target in group:
        node, side = target.node, 'before' if target.side == 'before' else 'after'
        _check_name(node, name)
        slot = node.outer if target.side == 'after' else node.inner
        module = nn.Identity() if target.side == 'replace' else slot[0]._modules[slot[1]]
        if owner is None:
            _to_host(layer, node.module, host)
            owner = new = (FirstOfStage if stateful else Plug)(module, layer, name, side, found[0])
        else:
            new = (LastOfStage if stateful and target is group[-1] else SharingPlug)(module, owner)
        new.training = node.module.training
        _put(slot, new, undo)


def _insert_at_levels(host: nn.Module, entry: Entry, shapes: Shapes, undo: list[Callable[[], None]]) -> None:
    """Puts a layer on each map that the host hands on."""
    name = type(host).__name__
    seen = shapes.at('')
    if seen is None or not isinstance(seen.after, tuple):
        what = 'what it hands on cannot be seen' if seen is None else f'it hands on {_words(seen.after)}'
        raise InsertionError(
            f'level_output is for a backbone or a neck that hands on several maps, and of {name} {what}: plug the backbone '
            "or the neck itself, as backbone=dict(type='attn_plugins.Plugged', host=..., plugins=[...])"
        )
    levels = range(len(seen.after))
    switches = entry.stages or [True] * len(levels)
    if len(switches) != len(levels) or not all(isinstance(switch, bool) for switch in switches):
        raise InsertionError(
            f'stages={entry.stages} with level_output needs a switch for each of the {len(levels)} levels'
        )
    if entry.share is not None:
        raise InsertionError("share='stage' with level_output: every level is a stage of its own")
    for index in (index for index in levels if switches[index]):
        channels = entry.cfg.get('in_channels', seen.after[index])
        layer, layer_name = _build_layer(
            entry, f'at level {index} ({channels} channels)', in_channels=channels
        )
        if not isinstance(host, Levels):
            undo.append(functools.partial(remove_levels, host))
        slots = add_levels(host, len(levels))
        _check_name(Places(host).by_name[f'{LEVEL_OUTPUT}.{index}'], layer_name)
        _to_host(layer, host, host)
        new = Plug(slots[str(index)], layer, layer_name, channels=channels)
        new.training = host.training
        _put((slots, str(index)), new, undo)


def _replace_convs(
    host: nn.Module, targets: list[Target], entry: Entry, undo: list[Callable[[], None]]
) -> None:
    """Puts one convolution for each of the host's; one that the host shares (levels of a head) stays shared."""
    by_conv: dict[int, list[Target]] = {}
    for target in targets:
        by_conv.setdefault(id(target.node.module), []).append(target)
    for shared in by_conv.values():
        _check_all_shared(host, shared)
        options, sizes = sizes_of(shared[0], entry.cfg, _type_name(entry.cfg))
        layer, name = _build_layer(entry, f'at {shared[0].node.name}', cfg=options, **sizes)
        _to_host(layer, shared[0].node.module, host)
        new = Plug(nn.Identity(), layer, name, channels=sizes['in_channels'])
        new.train(shared[0].node.module.training)
        for target in shared:
            _put(target.node.inner, new, undo)


def _check_all_shared(host: nn.Module, targets: list[Target]) -> None:
    module = targets[0].node.module
    names = {node.name for node in Places(host).nodes if node.module is module}
    if left := names - {target.node.name for target in targets}:
        raise InsertionError(
            f'{targets[0].node.name} is one module with {", ".join(sorted(left)[:3])}: replace them all, or none'
        )


def _replace_norms(host: nn.Module, nodes: list[Node], entry: Entry, undo: list[Callable[[], None]]) -> None:
    """Puts a norm layer around each batch norm, which stays inside with its own settings."""
    name = _type_name(entry.cfg)
    inner = [option for option in NormLayer.inner_options if option in entry.cfg]
    if inner:
        raise InsertionError(
            f"{name}: {inner[0]} is the host's batch norm's own, which stays inside: set it in the host's norm_cfg"
        )
    for node in nodes:
        norm = node.module
        layer, _ = _build_layer(
            entry, f'at {node.name} ({norm.num_features} channels)', num_features=norm.num_features
        )
        if own_keys(layer) & set(norm.state_dict()):
            raise InsertionError(f'at {node.name}: there is a {name} already')
        _to_host(layer, norm, host)
        held = layer.wrapped if isinstance(layer, IdentityStart) else layer
        setattr(held, held.wrapped_name, norm)
        _put(node.inner, layer, undo)


def _channels_at(host: nn.Module, target: Target, entry: Entry, shapes: Shapes) -> int:
    """The channels at a place: the config's word, what a forward pass has shown, or what the module says itself."""
    node, side = target.node, 'after' if target.side == 'after' else 'before'
    seen, own = shapes.at(node.name), entry.cfg.get('in_channels')
    what = None if seen is None else getattr(seen, side)
    if own is not None:
        if isinstance(what, int) and what != own:
            print_log(
                f'in_channels={own} in the cfg is not what {type(host).__name__} has at {node.name}, {what} channels',
                logger='current',
                level=logging.WARNING,
            )
        return own
    if isinstance(what, int):
        if target.side == 'replace' and seen.after != what:
            raise InsertionError(
                f'{node.name} makes {_words(seen.after)} from {what} channels: what takes its place keeps the channels'
            )
        return what
    if what is not None:
        hint = (
            ", or position='level_output' of the backbone or neck itself" if isinstance(what, tuple) else ''
        )
        verb = 'hands on' if side == 'after' else 'is given'
        raise InsertionError(f'{node.name} {verb} {_words(what)}: a layer needs one map (N, C, H, W){hint}')
    if shapes.complete or isinstance(node.module, (nn.ModuleList, nn.ModuleDict)):
        raise InsertionError(
            f'{node.name} is not called in a forward of {type(host).__name__}, so a layer there would never run: choose a '
            'module that is, or give in_channels in the cfg if it is called in training'
        )
    found = static_channels(node, side)
    if found is None:
        raise InsertionError(
            f'the channels at {node.name} cannot be read from the host: give in_channels in the cfg'
        )
    return found


def _words(what) -> str:
    if isinstance(what, int):
        return f'a map of {what} channels'
    return f'{len(what)} maps' if isinstance(what, tuple) else what


def _build_layer(entry: Entry, where: str, cfg: dict | None = None, **given) -> tuple[nn.Module, str]:
    """The layer and its name in the state dict."""
    try:
        layer = build_part(cfg or entry.cfg, MODELS, **given)
    except ValueError as error:
        raise InsertionError(f'{where}: {error}') from error
    name = infer_abbr(type(layer)) + entry.postfix
    return (IdentityStart(layer) if entry.identity else layer), name


def _type_name(cfg: dict) -> str:
    return cfg['type'].split('.')[-1] if isinstance(cfg['type'], str) else cfg['type'].__name__


def _check_name(node: Node, name: str) -> None:
    """Refuses a name that a layer or a part of the module has: both would have the same keys."""
    layers = [plug.layer_name for plug in node.plugs()]
    parts = {key.split('.')[0] for key in node.module.state_dict()}
    if name in layers or name in parts:
        raise InsertionError(
            f"at {node.name}: there is a {name} already: give the second one a postfix in its cfg, as postfix='_2'"
        )


def _to_host(layer: nn.Module, module: nn.Module, host: nn.Module) -> None:
    """Device, precision and mode of the place; of the host where the module has no parameters."""
    like = next((p for part in (module, host) for p in part.parameters()), None)
    if like is not None and like.is_floating_point():
        layer.to(like.device, like.dtype)
    layer.train(module.training)


def _follow(host: nn.Module) -> None:
    """Freezes what was put into frozen stages before an optimizer or DDP sees it; the modes of all modules stay.

    OpenMMLab's backbones freeze stages and norms in train().
    """
    modes = {module: module.training for module in host.modules()}
    host.train(host.training)
    if len(set(modes.values())) > 1:  # not as it was built: someone has chosen them
        for module, mode in modes.items():
            module.training = mode


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
    fixed = [module for module in host.modules() if getattr(module, 'norm_eval', False) is True]
    normed = [
        name
        for name, layer in layers.items()
        if not isinstance(layer, NormLayer)
        and any(isinstance(part, _BatchNorm) for part in layer.modules())
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
