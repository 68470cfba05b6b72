"""Counts false verdicts in drawn suites, through the functions that a report goes through; prints
docs/benchmarks/verdicts.md.
"""

import argparse
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from attn_plugins.benchmark.decision import BETTER, EQUAL, LEAST_SEEDS, WORSE, decide
from attn_plugins.benchmark.statistics import (
    equivalence_p,
    mean_errors,
    score_step,
    seeds_needed,
    spread,
    t_test_p,
)

SEEDS = (2, 3, 4, 5, 6, 8, 10, 14, 20)
FAMILIES = (1, 5, 10, 27)
CORRELATIONS = (0.0, 0.5, 0.9)
# Of Stein's rule: the first stage, and the most seeds of a suite.
FIRST, MOST = 5, 20
# Scores are at most this.
SCALE = 100.0
COLLAPSED = 0.1
MARGIN = 3  # standard deviations of a difference


class Scores(NamedTuple):
    """How the scores of equal models spread over seeds.

    Attributes:
        name: What they are.
        std: Of one model's scores (of those that do not collapse).
        draw: (generator, shape (suites, models, seeds), correlation of two models) -> scores.
        step: That they come in; 0 where they do not.
    """

    name: str
    std: float
    draw: Callable
    step: float = 0.0


def _mixed(rng, shape, correlation, draw) -> np.ndarray:
    """A part that all models of a seed share, and each model's own."""
    suites, _, seeds = shape
    shared, own = draw(rng, (suites, 1, seeds)), draw(rng, shape)
    return math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own


def _normal(rng, shape, correlation) -> np.ndarray:
    return 60 + _mixed(rng, shape, correlation, lambda rng, size: rng.standard_normal(size))


def _heavy(rng, shape, correlation) -> np.ndarray:
    return 60 + _mixed(rng, shape, correlation, lambda rng, size: rng.standard_t(3, size))


def _rounded(rng, shape, correlation) -> np.ndarray:
    return np.round(
        50 + 0.1 * (_normal(rng, shape, correlation) - 60) + 0.1 * rng.random((shape[0], 1, 1)), 1
    )


def _accuracy(rng, shape, correlation, images, share) -> np.ndarray:
    """All models of a seed are right at the same images of a part of the test."""
    common, (suites, _, seeds) = round(correlation * images), shape
    right = rng.binomial(common, share, (suites, 1, seeds)) + rng.binomial(images - common, share, shape)
    return 100 * right / images


def _collapsing(rng, shape, correlation) -> np.ndarray:
    suites, _, seeds = shape
    together = rng.random((suites, 1, seeds)) < COLLAPSED
    collapsed = np.where(rng.random(shape) < correlation, together, rng.random(shape) < COLLAPSED)
    return np.where(collapsed, 10.0, _normal(rng, shape, correlation))


def _accuracies(images: int, share: float) -> Scores:
    std = 100 * math.sqrt(share * (1 - share) / images)
    draw = partial(_accuracy, images=images, share=share)
    return Scores(f'accuracy, {images:,} images, {share:.0%}', std, draw, 100 / images)


KINDS = [
    Scores('normal', 1.0, _normal),
    Scores('heavy tails (t with 3 degrees of freedom)', math.sqrt(3), _heavy),
    *(_accuracies(images, share) for images in (240, 5000) for share in (0.6, 0.95)),
    Scores('box mAP to 0.1, standard deviation 0.1', 0.1, _rounded, 0.1),
    Scores('normal, 10 % of seeds collapse', 1.0, _collapsing),
]


def words(scores: np.ndarray, margin: float | None, first: int | None, mended: bool = True) -> np.ndarray:
    """The words of suites in which every model but the first is compared with it.

    Args:
        scores: (suites, models, seeds), the first stage first.
        margin: Of equivalence, if one is declared.
        first: Seeds of the first stage.
        mended: Whether the step of the scores and the spread of both stages count, as in a report.
    """
    none, presets = np.broadcast_arrays(scores[:, :1], scores[:, 1:])
    differences = presets - none
    step = score_step(presets, none, SCALE) if mended else 0.0
    errors = mean_errors(differences, SCALE, first, step)[0 if mended else -1 :]
    mean = differences.mean(-1)
    equal = np.ones_like(mean) if margin is None else equivalence_p(mean, errors, margin)
    return decide(np.full(mean.shape, scores.shape[-1]), mean, t_test_p(mean, errors), equal)[0]


def share(scores: np.ndarray, false: tuple[str, ...], staged: float | None = None, **options) -> float:
    """The share of suites with a false word.

    Args:
        scores: (suites, models, seeds).
        false: The words that are false.
        staged: Half-width of the interval by which Stein's rule adds seeds to the first five; None takes all seeds of
            the scores.
    """
    if staged is None:
        return np.isin(words(scores, first=None, **options), false).any(-1).mean()
    spreads = spread(scores[:, 1:, :FIRST] - scores[:, :1, :FIRST], SCALE)
    needed = np.minimum(MOST, seeds_needed(spreads, FIRST, staged).max(-1))
    wrong = 0
    for n in np.unique(needed):
        found = words(scores[needed == n, :, :n], first=FIRST, **options)
        wrong += np.isin(found, false).any(-1).sum()
    return wrong / len(scores)


def shares_of(
    kind: Scores, correlation: float, n: int | None, suites: int, rng, mended: bool = True
) -> dict[str, list[float]]:
    """The shares of suites with a false word, for each size of family.

    Args:
        kind: The scores.
        correlation: Of two models' scores with the same seed.
        n: How many seeds; None adds them by Stein's rule.
        suites: How many to draw.
        rng: The generator.
        mended: As in `words`.
    """
    std = kind.std * math.sqrt(2 * (1 - correlation))
    margin = kind.step * round(MARGIN * std / kind.step) if kind.step else MARGIN * std
    equal = kind.draw(rng, (suites, 1 + max(FAMILIES), n or MOST), correlation)
    worse = equal - np.array([0.0] + [margin] * max(FAMILIES))[:, None]
    options = dict(staged=None if n else std, mended=mended)
    return {
        'different': [share(equal[:, : 1 + m], (BETTER, WORSE), margin=None, **options) for m in FAMILIES],
        'equal': [share(worse[:, : 1 + m], (EQUAL,), margin=margin, **options) for m in FAMILIES],
    }


def drawn(suites: int, rng, mended: bool) -> dict[tuple, dict[str, list[float]]]:
    """All cells: (scores, correlation, seeds) -> their shares."""
    return {
        (kind, correlation, n): shares_of(kind, correlation, n, suites, rng, mended)
        for kind in KINDS
        for correlation in CORRELATIONS
        for n in (*SEEDS, None)
    }


def _table(cells: dict, word: str) -> str:
    enough = [n for n in SEEDS if n >= LEAST_SEEDS]
    lines = [
        [
            'scores',
            'correlation',
            f'2 to {LEAST_SEEDS - 1}',
            *map(str, enough),
            f'{FIRST} to {MOST} by spread',
        ],
        ['---', *['---:'] * (len(enough) + 3)],
    ]
    for kind in KINDS:
        for correlation in CORRELATIONS:
            shares = {n: cells[kind, correlation, n][word] for n in (*SEEDS, None)}
            few = max(value for n in SEEDS if n not in enough for value in shares[n])
            texts = [' / '.join(f'{100 * value:.1f}' for value in shares[n]) for n in (*enough, None)]
            lines.append([kind.name, f'{correlation:g}', f'{100 * few:.1f}', *texts])
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _most(cells: dict, word: str, suites: int, rng, mended: bool = True) -> str:
    """The greatest share, and what the same cell has when it is drawn anew, which is no longer the greatest of many."""
    (kind, correlation, n), size, value = max(
        ((key, i, value) for key, cell in cells.items() for i, value in enumerate(cell[word])),
        key=lambda entry: entry[-1],
    )
    again = np.mean([shares_of(kind, correlation, n, suites, rng, mended)[word][size] for _ in range(5)])
    seeds, comparisons = f'{n} seeds' if n else 'seeds by spread', FAMILIES[size]
    return (
        f'{100 * value:.1f} % ({kind.name}, correlation {correlation:g}, {seeds}, {comparisons} '
        f'comparison{"s" if comparisons > 1 else ""}; drawn anew with '
        f'{5 * suites:,} suites: {100 * again:.1f} %)'
    )


def _looked_at(suites: int, rng) -> float:
    """The share of suites of equal models that are decided at some time when somebody looks after each seed from the
    fifth on.
    """
    scores = _normal(rng, (suites, 2, MOST), 0.0)
    found = [
        np.isin(words(scores[..., :n], None, None), (BETTER, WORSE)) for n in range(LEAST_SEEDS, MOST + 1)
    ]
    return np.any(found, 0).mean()


def _unseen(suites: int, rng) -> list[float]:
    """The share of presets that are called equal within the margin though, alone, they collapse in 10 % of their
    seeds.
    """
    shares = []
    for n in (5, 10, 20):
        scores = _normal(rng, (suites, 2, n), 0.0)
        scores[:, 1] = np.where(rng.random((suites, n)) < COLLAPSED, 10.0, scores[:, 1])
        shares.append(share(scores, (EQUAL,), margin=MARGIN * math.sqrt(2)))
    return shares


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--suites', type=int, default=6000, help='drawn for each cell')
    suites = parser.parse_args().suites
    rng = np.random.default_rng(0)
    cells, plain = drawn(suites, rng, mended=True), drawn(suites // 2, rng, mended=False)
    fixed, staged = ({key: cell for key, cell in plain.items() if bool(key[2]) == by} for by in (True, False))
    error = 100 * math.sqrt(0.05 * 0.95 / suites)
    unseen = ', '.join(f'{100 * value:.0f} %' for value in _unseen(suites, rng))
    print(f"""# False verdicts

How often a suite says something false of its models, by the functions that its report goes through (`attn_plugins/benchmark/statistics.py`,
`decision.py`). `python .dev_scripts/simulate_verdicts.py --suites {suites} > docs/benchmarks/verdicts.md` writes this page in about three
minutes of one core. Each number is of {suites:,} drawn suites; its standard error is {error:.2f} where it is 5.0, so the
greatest of a thousand such numbers is about {5 + 3.2 * error:.1f}.

A suite compares {', '.join(map(str, FAMILIES[:-1]))} or {FAMILIES[-1]} presets with the plain model; a cell has a number for each, in per cent of suites with at least one
false verdict. Columns are numbers of seeds; fewer than {LEAST_SEEDS} give no verdict. In the last column Stein's rule adds seeds to the first {FIRST}, up to {MOST}, until every 95 % interval
should be at most one standard deviation of a difference to each side. *Correlation* is that of two models' scores with the same seed.

## Equal models that are called better or worse

At most {_most(cells, 'different', suites, rng)}.

{_table(cells, 'different')}

## Models that differ by exactly m and are called equal within m

m is {MARGIN} standard deviations of a difference. At most {_most(cells, 'equal', suites, rng)}.

{_table(cells, 'equal')}

## What the rule is made of

* Without the step of the scores as a further error (`mean_errors`), the plain t tests reach
  {_most(fixed, 'different', suites, rng, mended=False)}.
* With Stein's interval alone, which rests on the spread of the first stage, seeds that collapse later make
  {_most(staged, 'different', suites, rng, mended=False)} of suites wrong. So both his test and that of all seeds must hold.

## What it does not guard against

* Looking after each seed and stopping at the first verdict: {100 * _looked_at(suites, rng):.0f} % of suites with one comparison of equal models (normal, {LEAST_SEEDS} to {MOST} seeds) then have a
  false one. The seeds are to be named beforehand, or added by the spread alone.
* What no seed has shown. A preset that equals the plain model but collapses in 10 % of its seeds is called equal within {MARGIN} standard deviations in {unseen} of
  suites with 5, 10 and 20 seeds.""")


if __name__ == '__main__':
    main()
