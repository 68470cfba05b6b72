"""The schedule of a loss: when in a training it acts, and how its weight decays meanwhile."""

import math
from dataclasses import dataclass, fields

from attn_plugins.registry import nearest

# The factor of the weight after a share t of the time, 0 <= t < 1.
DECAYS = {
    'none': lambda t: 1.0,
    'linear': lambda t: 1.0 - t,
    'cosine': lambda t: (1.0 + math.cos(math.pi * t)) / 2,
}


@dataclass(frozen=True)
class Schedule:
    """The factor of a loss's weight over a training.

    Equation:
        factor = d((now - begin) / (end - begin)) for begin <= now < end, else 0
        d(t) = 1 ('none'), 1 - t ('linear'), (1 + cos(pi t)) / 2 ('cosine')

    Args:
        begin (float): The first epoch, or iteration, in which the loss acts, counted from 0.
        end (float, optional): The first in which it acts no more; the end of the training by default.
        decay (str): 'none', 'linear' or 'cosine'.
        by_epoch (bool): Whether these are epochs; else iterations.

    Raises:
        ValueError: A value is of the wrong kind, or `end` is not after `begin`.
    """

    begin: float = 0
    end: float | None = None
    decay: str = 'none'
    by_epoch: bool = True

    def __post_init__(self):
        for option, value in dict(begin=self.begin, end=self.end).items():
            if not (option == 'end' and value is None) and not (_is_number(value) and value >= 0):
                raise ValueError(f'{option}={value!r} of a schedule must be a number of at least 0')
        if self.end is not None and self.end <= self.begin:
            raise ValueError(f'end={self.end} of a schedule must be after begin={self.begin}')
        if self.decay not in tuple(DECAYS):
            raise ValueError(f'a schedule has no decay {self.decay!r}: {nearest(self.decay, DECAYS)}')
        if not isinstance(self.by_epoch, bool):
            raise ValueError(f'by_epoch={self.by_epoch!r} of a schedule must be True or False')

    @classmethod
    def from_config(cls, cfg: dict | None) -> 'Schedule':
        """Builds the schedule from a config; without one (None) the loss always acts.

        Raises:
            ValueError: An option does not exist; the message names the nearest.
        """
        options = [field.name for field in fields(cls)]
        if cfg is not None and not isinstance(cfg, dict):
            raise ValueError(f'a schedule is a dict of {", ".join(options)}, not {cfg!r}')
        for option in cfg or {}:
            if option not in options:
                raise ValueError(f'a schedule has no option {option!r}: {nearest(option, options)}')
        return cls(**(cfg or {}))

    def factor(self, now: float, last: float) -> float:
        """Returns the factor of the loss's weight at a moment of the training.

        Args:
            now (float): The epoch, or iteration, counted from 0.
            last (float): How many epochs, or iterations, the training has.
        """
        end = last if self.end is None else self.end
        if not self.begin <= now < end:
            return 0.0
        return DECAYS[self.decay]((now - self.begin) / (end - self.begin))


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
