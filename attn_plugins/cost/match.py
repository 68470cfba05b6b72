"""Finds the plain model with as many parameters as one with attention by changing one number, such as a width."""

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

# The preset of the plain model.
PLAIN = 'none'
# Significant digits of a float.
DIGITS = 4
# The search ends at this many times the config's own value.
MOST = 8


@dataclass(frozen=True)
class Match:
    """The result of the search.

    Attributes:
        attention: The preset whose number of parameters is to be matched.
        wanted: That number.
        option: The number of the config that was changed, by its dotted name.
        value: What it was set to.
        own: Whether that is the config's own value.
        parameters: The number of parameters of the plain model with that value.
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
    """Finds the value of a number of the config with which the plain model best matches a preset's parameters.

    Models are built and their parameters counted, about ten of them: the search moves away from the config's own value
    in steps that double until the count is passed, then bisects. The count must not fall where the number grows. Floats
    are tried to four significant digits.

    Args:
        config: The config file.
        attention: The preset.
        option: Dotted name of a positive number that the config sets.
        cfg_options: Single values of the config, with the preset and without.
        size: Height and width of the images for the check that the model runs; by default those of the config.

    Raises:
        UserError: The config sets no such number, the number changes nothing or does not lead to that count, or the
            model cannot be built or run with another value of it.
    """
    wanted = count_parameters(build_model(load_config(config, attention, cfg_options)))
    start = _number(load_config(config, PLAIN, cfg_options), option, config)
    # Positions on a grid: integers for ints and floats alike.
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
        except Exception as error:  # a host may raise any error for a value that it was not made for
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
    """Returns the config's value of an option, which must be a positive number."""
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
    """Finds two grid positions, the first with a count below `wanted` and the second not.

    Both are None if there are none; the third result is the last position that was tried.
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
    """Refuses a model whose parts do not fit each other, which can still be built and its parameters counted."""
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
    """Yields the numbers that a part of a model gives as the size of its input."""
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from _followers(value, f'{prefix}{key}.')
        elif key == 'in_channels':
            yield prefix + key, value
