"""Variables of config files: names that the files themselves read, so that setting them later changes nothing.

`data_root = 'data/coco/'` at the top of a base file is read when the dataloaders below it are written. If
`--cfg-options data_root=...`, or a config built on it, sets the name again, mmengine has already put the old value into
them.
"""

import ast
import difflib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from attn_plugins.datasets.heads import SPARE
from attn_plugins.errors import UserError

# What a runner, the libraries' tools or ours read at the top of a config. It is not taken from mmengine's signature:
# importing that takes torch.
RUNNER = (
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg', 'test_cfg',
    'auto_scale_lr', 'optim_wrapper', 'param_scheduler',
    'val_evaluator', 'test_evaluator', 'default_hooks', 'custom_hooks',
    'data_preprocessor', 'load_from', 'resume', 'launcher', 'env_cfg', 'log_processor', 'log_level', 'visualizer',
    'default_scope', 'randomness', 'experiment_name', 'cfg',
)  # fmt: skip
# Read from the whole config later, by the runner and by the libraries' train.py and test.py.
LATER = (
    'runner_type', 'custom_imports', 'tta_model', 'tta_pipeline',
    'sync_bn', 'model_wrapper_cfg', 'find_unused_parameters', 'compile',
    'efficient_conv_bn_eval', 'strategy', 'activation_checkpointing',
)  # fmt: skip
READ = {*RUNNER, *LATER, 'attention', SPARE}
# Words that people use, and what they are called in a config.
ALIASES = {
    'lr': 'optim_wrapper.optimizer.lr', 'learning_rate': 'optim_wrapper.optimizer.lr', 'epochs': 'train_cfg.max_epochs',
    'max_epochs': 'train_cfg.max_epochs', 'max_iters': 'train_cfg.max_iters', 'iterations': 'train_cfg.max_iters',
    'batch_size': 'train_dataloader.batch_size',
    'num_workers': 'train_dataloader.num_workers', 'seed': 'randomness.seed',
    'weight_decay': 'optim_wrapper.optimizer.weight_decay', 'optimizer': 'optim_wrapper.optimizer',
    'checkpoint': 'load_from', 'pretrained': 'model.backbone.init_cfg', 'val_interval': 'train_cfg.val_interval',
    'num_classes': 'num_classes of every head',
}  # fmt: skip
SHOWN = 5  # keys in a sentence


def refuse_variables_in_vain(cfg: Config) -> None:
    """Refuses a config file that sets a variable of its base files without reading it itself.

    Raises:
        UserError: Names the variable, and the keys that hold its value.
    """
    *bases, (own_path, own) = list(_files(cfg.text)) or [(None, None)]
    if own is None:
        return
    read = _names_read(own)
    for name, value in _assigned(own).items():
        if name in READ or name in read or name.startswith('_'):
            continue
        earlier = [
            (path, _assigned(tree)[name])
            for path, tree in bases
            if name in _assigned(tree) and name in _names_read(tree)
        ]
        if not earlier or ast.dump(earlier[-1][1]) == ast.dump(value):
            continue
        places = _places(cfg, name, Config.fromfile(earlier[-1][0]).get(name))
        text = (
            f'{os.path.relpath(own_path)} sets {name}, which changes nothing: the files that it is built on '
            f'have put its value in its places before; {_advice(places, "")}'
        )
        if '.mim' in Path(own_path).parts:  # some configs of OpenMMLab's set one
            print_log(text, 'current', logging.WARNING)
            continue
        raise UserError(text)


def refuse_options_in_vain(cfg: Config, cfg_options: dict) -> None:
    """Refuses `--cfg-options` that name a variable of the config files, or nothing at all.

    Args:
        cfg (Config): The config as its files have it.
        cfg_options (dict): What will be merged into it.

    Raises:
        UserError: Names the option, and the keys that hold its value, or the nearest key that there is.
    """
    read = set().union(*(_names_read(tree) for _, tree in _files(cfg.text)), set())
    for option in cfg_options:
        name, _, rest = option.partition('.')
        if name in READ:
            continue
        if name in read and name in cfg:
            places = _places(cfg, name, cfg[name])
            raise UserError(
                f'--cfg-options {option} changes nothing, mmengine has put the value of {name} in its places before: '
                f'{_advice(places, rest)}'
            )
        if name not in cfg:
            keys = [ALIASES[name]] if name in ALIASES else []
            keys += [
                key
                for key, _ in _items(cfg, '')
                if key.rpartition('.')[2] == name and key.partition('.')[0] in READ
            ]
            close = difflib.get_close_matches(name, {*READ, *cfg}, n=1, cutoff=0.8)
            if keys or close:
                hint = (
                    f'set {", ".join(dict.fromkeys(keys[:SHOWN]))}' if keys else f'did you mean {close[0]}?'
                )
                raise UserError(f'--cfg-options {option} changes nothing, the config has no {name}: {hint}')
            print_log(
                f'the config has no {name}: --cfg-options {option} counts only if code of your own reads it',
                'current',
                logging.WARNING,
            )


def _advice(places: list[str], rest: str) -> str:
    if not places:
        return 'set the keys that it was put into'
    keys = [f'{place}.{rest}' if rest else place for place in places]
    more = f' and {len(keys) - SHOWN} more' if len(keys) > SHOWN else ''
    return f'set {", ".join(keys[:SHOWN])}{more}'


def _places(cfg: Config, name: str, value) -> list[str]:
    """Lists the keys whose value is that of a variable.

    Numbers are often equal by chance, so for them the key must also have the variable's name.
    """
    found = [
        key for key, other in _items(cfg, '') if key != name and type(other) is type(value) and other == value
    ]
    found = [key for key in found if key.partition('.')[0] in READ]
    named = [key for key in found if key.rpartition('.')[2] == name]
    return named if named or isinstance(value, (int, float)) else found


def _items(value, key: str) -> Iterator[tuple[str, object]]:
    if key:
        yield key, value
    pairs = (
        value.items()
        if isinstance(value, (dict, Config))
        else enumerate(value)
        if isinstance(value, (list, tuple))
        else ()
    )
    for name, child in pairs:
        yield from _items(child, f'{key}.{name}' if key else str(name))


def _files(text: str) -> Iterator[tuple[str, ast.Module]]:
    """Yields the files that are joined in a config's text, as path and syntax tree; skips files that do not parse."""
    path, lines = None, []
    for line in [*text.splitlines(), '/end.py']:
        if line == '/end.py' or (line.endswith('.py') and os.path.isfile(line)):
            if path is not None:
                with suppress(SyntaxError):  # mmengine's placeholders in braces
                    yield path, ast.parse('\n'.join(lines))
            path, lines = line, []
        else:
            lines.append(line)


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """Returns the names that a file sets at its top level, with their values."""
    found = {}
    for node in tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name):
                found[target.id] = node.value
    return found


def _names_read(tree: ast.Module) -> set[str]:
    """Collects the names that a file reads.

    These are its own variables, and those of its bases as `_base_.NAME` or `{{_base_.NAME}}`.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Load, ast.Del)):
            found.add(node.id)
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == '_base_'
        ):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(re.findall(r'\{\{\s*_base_\.(\w+)', node.value))
    return found
