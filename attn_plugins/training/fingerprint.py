"""Turns a config's training settings into flat text that can be stored beside a training and compared later."""

from collections.abc import Iterator, Mapping

from mmengine.config import Config

# Where a run writes, how it is started and how fast its data load: none of it changes what is trained.
ELSEWHERE = (
    'work_dir',
    'resume',
    'launcher',
    'model_wrapper_cfg',
    'log_level',
    'env_cfg',
    'visualizer',
    'vis_backends',
)
SPEED = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor')
# What is displayed, and what is tested, apart from the training.
SHOWN = ('log_processor', 'default_hooks.logger', 'default_hooks.visualization', 'val_dataloader.batch_size')
TESTED = ('test_cfg', 'test_dataloader', 'test_evaluator')
# How many differences a sentence lists at most.
MOST = 3


def settings_of(cfg: Config, tested: bool = False) -> dict[str, str]:
    """Returns every config value that decides what is trained, by its dotted name: `{'randomness.seed': '0'}`.

    Args:
        cfg (Config): The config.
        tested (bool): Whether to include the values that decide the result of its test.
    """
    left_out = (*ELSEWHERE, *SHOWN, *(() if tested else TESTED))
    return {
        name: text
        for name, text in _flat(_without_compiling(cfg.to_dict()), '')
        if name.split('.')[-1] not in SPEED
        and not any(name == word or name.startswith(f'{word}.') for word in left_out)
    }


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Describes how two settings differ: 'train_cfg.max_epochs (was 12, is 24)'; '' if they are equal."""
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    words = [f'{name} (was {before.get(name, "not set")}, is {now.get(name, "not set")})' for name in changed]
    more = f' and {len(words) - MOST} more' if len(words) > MOST else ''
    return ', '.join(words[:MOST]) + more


def _without_compiling(content: dict) -> dict:
    """Removes the hook that compiles layers from the settings.

    Compiling changes only the speed of a training, so it may be turned on or off when the training is resumed.
    """
    if not isinstance(content.get('custom_hooks'), list):
        return content
    kept = [hook for hook in content['custom_hooks'] if hook.get('type') != 'attn_plugins.CompileLayersHook']
    others = {name: value for name, value in content.items() if name != 'custom_hooks'}
    return dict(others, custom_hooks=kept) if kept else others


def _flat(value, name: str) -> Iterator[tuple[str, str]]:
    """Yields the values within dicts and lists, each under its dotted name; an empty dict or list is a value."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if _holds_dicts(value) else ()
    below = [pair for key, item in items for pair in _flat(item, f'{name}.{key}' if name else str(key))]
    yield from below or [(name, _text(value))]


def _holds_dicts(value) -> bool:
    return isinstance(value, (list, tuple)) and any(
        isinstance(item, (Mapping, list, tuple)) for item in value
    )


def _text(value) -> str:
    """Returns a value as text.

    A tuple reads as the same list; a class or function is its name, as its repr may hold an address.
    """
    if callable(value):
        return f'{value.__module__}.{value.__qualname__}'
    return repr(list(value)) if isinstance(value, tuple) else repr(value)
