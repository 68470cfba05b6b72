"""The plain model with as many parameters as one with attention: the value of one number of its config, such as a
width.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import floor, log10
from pathlib import Path

from mmengine.config import Config

from attn_plugins.cost.cost import count_madds, count_parameters
from attn_plugins.cost.forward_pass import make_input
from attn_plugins.errors import UserError
from attn_plugins.registry import nearest
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model
from attn_plugins.training.presets import preset_name

# The preset that leaves the plain model.
PLAIN = 'none'
# Significant digits of a float.
DIGITS = 4
# The search ends at this many times the config's own value.
MOST = 8


@dataclass(frozen=True)
class Match:
    """What was found.

    Attributes:
        attention: The preset whose parameters were to be met.
        wanted: Their number.
        option: The number of the config that was chosen, by its dotted name.
        value: What it was set to.
        own: Whether that is the config's own value.
        parameters: Those of the plain model with that value.
    """

    attention: str
    wanted: int
    option: str
    value: int | float
    own: bool
    parameters: int

    def __str__(self):
        difference = f'{self.parameters / self.wanted - 1:+.2%}'.replace('%', ' %')
        return (
            f'{self.option}={self.value}: {self.parameters:,} parameters ({preset_name(self.attention)}: '
            f'{self.wanted:,}, {difference}); '
            + (
                f'that is the value of the config, so {PLAIN} itself is the nearest'
                if self.own
                else f'in a suite: {{wide: {{preset: {PLAIN}, cfg_options: {{{self.option}: {self.value}}}}}}}'
            )
        )


def match_parameters(
    config: str | Path,
    attention: str,
    option: str,
    cfg_options: dict | None = None,
    size: tuple[int, int] | None = None,
) -> Match:
    """The value of a number with which the plain model has the parameters nearest to the config's with a preset.

    Models are built and their parameters counted, which takes about ten of them: the number is doubled in steps away
    from the config's own until the count is passed, then halved in. The count must not fall where the number grows.
    Floats are tried to four significant digits.

    Args:
        config: The config file.
        attention: The preset.
        option: Dotted name of a positive number that the config sets.
        cfg_options: Single values of the config, with the preset and without.
        size: Height and width of the images on which it is seen that the model runs; by default those of the config.

    Raises:
        UserError: The config sets no such number, it changes nothing or does not lead to that count, or the model
            cannot be built or run with another value of it.
    """
    wanted = count_parameters(build_model(load_config(config, attention, cfg_options)))
    start = _number(load_config(config, PLAIN, cfg_options), option, config)
    # Places of a grid: whole numbers for both kinds.
    places = 0 if isinstance(start, int) else DIGITS - 1 - floor(log10(start))
    first = round(start * 10**places)

    def value(i: int) -> int | float:
        if i == first:
            return start
        return i if isinstance(start, int) else round(i / 10**places, places)

    def load(i: int) -> Config:
        return load_config(config, PLAIN, {**(cfg_options or {}), option: value(i)})

    @cache
    def count(i: int) -> int:
        cfg = load(i)
        try:
            return count_parameters(build_model(cfg))
        except Exception as error:  # a host says in its own way what it was not made for
            if i == first:
                raise
            reason = (str(error).strip().splitlines() or [''])[-1]
            raise UserError(
                f'the plain model cannot be built with {option}={value(i)} ({type(error).__name__}: {reason}): '
                'choose an option that takes any number'
            ) from error

    if count(first) == wanted:
        return Match(attention, wanted, option, start, True, wanted)
    below, above, last = _bracket(count, wanted, first)
    if above is None:
        if count(last) == count(first):
            raise UserError(
                f'{option} changes nothing: with {value(first)} and with {value(last)} the plain model has '
                f'{count(last):,} parameters'
            )
        raise UserError(
            f'{option} does not lead to the {wanted:,} parameters of {preset_name(attention)}: the plain model has '
            f'{count(first):,} with {value(first)} and {count(last):,} with {value(last)}'
        )
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if count(middle) < wanted else (below, middle)
    best = min((below, above), key=lambda i: abs(count(i) - wanted))
    _check_runs(load(best), option, value(best), size)
    return Match(attention, wanted, option, value(best), best == first, count(best))


def _number(cfg: Config, option: str, config: str | Path) -> int | float:
    """What the config sets an option to."""
    found, path = cfg.to_dict(), []
    for key in option.split('.'):
        keys = found if isinstance(found, dict) else []
        if key not in keys:
            raise UserError(
                f'{config} sets no {option} (what it leaves to a default is set by --cfg-options {option}=...), '
                f'{".".join(path) or "it"} has no {key}: {nearest(key, keys)}'
            )
        found = found[key]
        path.append(key)
    if type(found) not in (int, float) or found <= 0:
        raise UserError(f'{option} is {found!r}: --match takes a positive number, such as a width')
    return found


def _bracket(count: Callable[[int], int], wanted: int, first: int) -> tuple[int | None, int | None, int]:
    """Two places, the count of the first below `wanted` and that of the second not, or None twice; the last that was
    tried.
    """
    grows = count(first) < wanted
    here, step = first, max(1, first // 16)
    while (here < MOST * first) if grows else here > 1:
        last, here = here, (here + step if grows else max(1, here - step))
        step *= 2
        if grows and count(here) >= wanted:
            return last, here, here
        if not grows and count(here) < wanted:
            return here, last, here
    return None, None, here


def _check_runs(cfg: Config, option: str, value: float, size: tuple[int, int] | None) -> None:
    """Refuse a model whose parts do not fit one another: it can be built, and its parameters be counted, all the
    same.
    """
    model = build_model(cfg).eval()
    inputs = make_input(cfg, model, size)
    try:
        count_madds(model, inputs)
    except UserError as error:
        reason = (str(error.__cause__).strip().splitlines() or [''])[0]
        others = [f'{name}={number}' for name, number in _followers(cfg.model, 'model.') if name != option]
        raise UserError(
            f'with {option}={value} the plain model can be built and cannot run ({reason}): another number '
            'must follow it'
            + (f', {" or ".join(others)} perhaps' if others else '')
            + '; choose one that the whole model follows'
        ) from error


def _followers(part: Mapping, prefix: str) -> Iterator[tuple[str, int]]:
    """Numbers that say what a part of a model is given."""
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from _followers(value, f'{prefix}{key}.')
        elif key == 'in_channels':
            yield prefix + key, value
