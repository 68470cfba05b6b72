"""Puts suites side by side: for what they share the scores of each, and those of each other one minus the first's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attn_plugins.benchmark.metrics import Metric
from attn_plugins.benchmark.report.caveats import unshared
from attn_plugins.benchmark.report.compare import Comparison, PresetResult, compare, finite_scores
from attn_plugins.benchmark.results import RunState
from attn_plugins.benchmark.run_folder import RUN
from attn_plugins.benchmark.statistics import PairedDifference, paired_difference
from attn_plugins.benchmark.suite import Suite
from attn_plugins.errors import UserError
from attn_plugins.files import read_json

# Config's key, test, preset.
Place = tuple[str, str, str]
NOT_SET = 'not set'


@dataclass(frozen=True)
class Side:
    """One of the suites: what it is called here, its runs, its comparisons by config's key and test."""

    label: str
    suite: Suite
    states: Sequence[RunState]
    comparisons: Mapping[tuple[str, str], Comparison]

    @property
    def results(self) -> dict[Place, PresetResult]:
        """What each preset came to."""
        return {(*key, result.preset): result for key, c in self.comparisons.items() for result in c.presets}


@dataclass(frozen=True)
class Across:
    """A preset's scores in one suite minus those in the first.

    Attributes:
        difference: Over the seeds in common; None where there are none, or the metrics differ.
        of_means: The difference of the two means, where no seed is in common; None otherwise, or if one has no mean.
        pairs: How the two are paired, or why they are not, in words.
        seeds: Which seeds have a score in one of the two alone, in words; empty if none has.
    """

    difference: PairedDifference | None
    of_means: float | None
    pairs: str
    seeds: str


@dataclass(frozen=True)
class Row:
    """A preset that the first suite shares: its result in each suite, and the differences of the others to the first.

    A suite that does not have it has None.
    """

    preset: str
    results: list[PresetResult | None]
    differences: list[Across | None]


@dataclass(frozen=True)
class Together:
    """A config in a test that suites share."""

    name: str
    configs: list[str]
    metric: Metric | None
    rows: list[Row]


@dataclass(frozen=True)
class Setting:
    """A value of the config that differs between runs of equal name: its values, suite by suite, and the runs."""

    name: str
    values: list[str]
    runs: list[str]


def sides_of(suites: Sequence[tuple[Suite, Sequence[RunState]]]) -> list[Side]:
    """Name the suites and compare the presets of each; where two have one name, they go by their folders.

    Raises:
        UserError: A suite stands there twice, has no result, or the first shares nothing with the others.
    """
    folders: set = set()
    for suite, states in suites:
        if suite.folder.resolve() in folders:
            raise UserError(
                f'suite {suite.name} in {suite.folder} is named twice: name two suites, or say by a --work-dir for '
                'each in which folders they lie'
            )
        folders.add(suite.folder.resolve())
        if not any(state.state == 'finished' and state.run.trial is None for state in states):
            raise UserError(f'suite {suite.name} has no finished run in {suite.folder}: run it first')
    labels = next(
        words
        for words in (
            [suite.name for suite, _ in suites],
            [suite.folder.resolve().name for suite, _ in suites],
            [str(suite.folder) for suite, _ in suites],
        )
        if len(set(words)) == len(words)
    )
    sides = [
        Side(
            label,
            suite,
            states,
            {(c.key, c.test): c for c in compare(suite, states)},
        )
        for label, (suite, states) in zip(labels, suites, strict=True)
    ]
    if not together(sides):
        raise UserError(
            f'{" and ".join(labels)} have no config, test and preset of equal names in common, so nothing stands '
            'side by side: name suites that share some'
        )
    return sides


def together(sides: Sequence[Side]) -> list[Together]:
    """Find what the first suite shares with any other, in its order."""
    first, *others = sides
    results, found = [side.results for side in sides], []
    for key, comparison in first.comparisons.items():
        rows = [
            Row(
                result.preset,
                [of.get((*key, result.preset)) for of in results],
                [
                    _across(first, other, (*key, result.preset)) if (*key, result.preset) in of else None
                    for other, of in zip(others, results[1:], strict=True)
                ],
            )
            for result in comparison.presets
            if any((*key, result.preset) in of for of in results[1:])
        ]
        if rows:
            configs = [side.comparisons[key].config for side in sides if key in side.comparisons]
            found.append(Together(comparison.name, list(dict.fromkeys(configs)), comparison.metric, rows))
    return found


def not_shared(sides: Sequence[Side]) -> list[tuple[Place, list[str]]]:
    """List what some of the suites do not have, each with those that have it."""
    places = dict.fromkeys(place for side in sides for place in side.results)
    having = {place: [side.label for side in sides if place in side.results] for place in places}
    return [(place, labels) for place, labels in having.items() if len(labels) < len(sides)]


def _across(first: Side, other: Side, place: Place) -> Across:
    """Compare a preset of two suites, seed by seed."""
    key, test, preset = place
    runs = [
        [s for s in side.states if (s.run.config_key, s.run.preset_name, s.run.trial) == (key, preset, None)]
        for side in (first, other)
    ]
    own, its = (finite_scores(states, test) for states in runs)
    seeds = _seeds_alone({first.label: own, other.label: its})
    metrics = [side.comparisons[key, test].metric for side in (first, other)]
    if not (own and its):
        labels = ' and '.join(side.label for side, scores in ((first, own), (other, its)) if not scores)
        return Across(None, None, f'no score in {labels}', seeds)
    if metrics[0].key != metrics[1].key:
        return Across(None, None, f'{metrics[0].name} and {metrics[1].name} are no scores of one kind', seeds)
    common = [seed for seed in own if seed in its]
    if not common:
        means = [sum(scores.values()) / len(scores) for scores in (its, own)]
        return Across(None, means[0] - means[1], 'unpaired: no seed in common', seeds)
    folders = [{state.run.seed: state.run.folder for state in states} for states in runs]
    start = unshared([(folders[0][seed], folders[1][seed]) for seed in common])
    pairs = f'unpaired: with one seed they {start}' if start else 'paired: one seed, one start'
    return Across(paired_difference(its, own), None, pairs, seeds)


def _seeds_alone(scores: Mapping[str, Mapping[int, float]]) -> str:
    """Say which seeds have a score in one suite alone: 'seeds 3, 4 in A alone'."""
    words = []
    for label, own in scores.items():
        others = {seed for other, its in scores.items() if other != label for seed in its}
        alone = [str(seed) for seed in sorted(set(own) - others)]
        if alone:
            words.append(f'seed{"s" if alone[1:] else ""} {", ".join(alone)} in {label} alone')
    return '; '.join(words)


def settings_that_differ(sides: Sequence[Side]) -> tuple[list[Setting], int, list[str]]:
    """Compare the settings of runs of equal name, as they were when the runs began.

    Returns:
        tuple: Those that differ, how many runs were compared, and the names of runs whose settings are not on record.
    """
    by_name = [{s.run.name: s.run.folder for s in side.states if s.run.trial is None} for side in sides]
    names = [name for name in by_name[0] if all(name in of for of in by_name)]
    differing: dict[tuple[str, ...], list[str]] = {}
    unknown = []
    for name in names:
        records = [(read_json(of[name] / RUN) or {}).get('settings') for of in by_name]
        if None in records:
            unknown.append(name)
            continue
        for setting in dict.fromkeys(setting for record in records for setting in record):
            values = tuple(record.get(setting, NOT_SET) for record in records)
            if len(set(values)) > 1:
                differing.setdefault((setting, *values), []).append(name)
    found = [Setting(setting, values, runs) for (setting, *values), runs in differing.items()]
    return found, len(names) - len(unknown), unknown
