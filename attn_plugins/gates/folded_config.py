"""Writes the config of a model with folded layers: without them, and with the others where they stayed."""

from copy import deepcopy

from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from attn_plugins.cost.model_tree import without_layers
from attn_plugins.insertion.apply_entry import Insertion
from attn_plugins.insertion.entry import entries_of_host, read_entries
from attn_plugins.insertion.locate import InsertionPoints
from attn_plugins.insertion.plug import Plugged
from attn_plugins.insertion.tree import inserted_layers, sharing
from attn_plugins.training.library import build_model, library_of

PLUGGED = ('attn_plugins.Plugged', Plugged)


def folded_config(cfg: Config, model: nn.Module) -> Config | None:
    """Makes a config whose model is the folded one and takes its weights; None if `plugins=` cannot express it.

    If no layer is left, the hosts are built by their own library, without `Plugged`. A position that kept some of its
    layers selects them by `stages=`; a glob and `norm=` list their modules one by one.

    Args:
        cfg: The config of the original model; it is not changed.
        model: The folded model.
    """
    left = _layers(model)
    new = without_layers(cfg) if not left else deepcopy(cfg)
    new.pop('attention', None)
    with DefaultScope.overwrite_default_scope(library_of(cfg)):
        fits = _rewrite(new.model, model, '', bool(left))
    return new if fits and _is_config_of(new, model) else None


def _layers(model: nn.Module) -> dict[str, type]:
    """Returns the class of each layer by name, also under the names of the blocks that share it."""
    layers = inserted_layers(model)
    names = {name: type(layer) for name, layer in layers.items()}
    return names | {name: names[owner] for name, owner in sharing(model).items()}


def _is_config_of(cfg: Config, model: nn.Module) -> bool:
    """Tells whether the config's model has the same layers and the same weights by name and shape."""
    built = build_model(cfg)
    shapes, own = ({k: v.shape for k, v in m.state_dict().items()} for m in (built, model))
    return shapes == own and _layers(built) == _layers(model)


def _rewrite(part, model: nn.Module, path: str, keeps: bool) -> bool:
    """Rewrites every `Plugged` below a part of a config; False if one cannot be rewritten."""
    if isinstance(part, dict):
        if part.get('type') in PLUGGED:
            host = _submodule(model, path)
            if keeps and (host is None or not _keep(part, host)):
                return False
            if not part.get('plugins'):
                part['type'] = part.pop('host')
                for word in ('plugins', 'place', 'strict_plugins'):
                    part.pop(word, None)
        items = part.items()
    elif isinstance(part, (list, tuple)):
        items = enumerate(part)
    else:
        return True
    return all(_rewrite(value, model, f'{path}.{key}'.lstrip('.'), keeps) for key, value in list(items))


def _submodule(model: nn.Module, path: str) -> nn.Module | None:
    try:
        return model.get_submodule(path)
    except AttributeError:  # its host builds it under another name
        return None


def _keep(part: dict, folded: nn.Module) -> bool:
    """Keeps only the entries of a `Plugged`, and of their places, whose layers still exist."""
    left = _layers(folded)
    options = {key: deepcopy(value) for key, value in part.items() if key not in ('type', 'plugins')}
    host = Plugged(**options)
    plugins = part.get('plugins') or []
    plugins = entries_of_host(plugins, host) if isinstance(plugins, dict) else plugins
    kept = []
    for raw in plugins:
        for entry in read_entries([raw], part.get('place'), host):
            places, before = InsertionPoints(host), set(_layers(host))
            Insertion(host).put_in(entry)
            own = [name for name in _layers(host) if name not in before]
            stay = [name for name in own if name in left]
            if len(stay) == len(own):
                kept.append(raw)
            elif stay and entry.word == 'position':
                switches = _switches(places, entry.where, stay)
                if switches is None:
                    return False
                kept.append(dict(raw, position=entry.where, stages=switches))
            elif stay and entry.word == 'norm':
                raw = {key: value for key, value in raw.items() if key != 'stages'}
                kept += [dict(raw, norm=name) for name in stay]
            elif stay:
                kept.append({**raw, entry.word: [name.rpartition('.')[0] for name in stay]})
    part['plugins'] = kept
    return True


def _switches(places: InsertionPoints, position: str, stay: list[str]) -> tuple | None:
    """Makes the `stages=` that select the layers that stay; None for a position without blocks, such as an output."""
    modules = {name.rpartition('.')[0] for name in stay}
    switches = [
        tuple(unit.target is not None and unit.target.node.name in modules for unit in units)
        for units in places.by_stage(position).values()
    ]
    return tuple(blocks[0] if len(set(blocks)) == 1 else blocks for blocks in switches) or None
