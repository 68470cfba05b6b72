"""A suite: a YAML file that names a matrix of configs x presets x seeds, read, checked and expanded to runs."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from attn_plugins.benchmark.seeds import MoreSeeds
from attn_plugins.benchmark.steps import steps_of
from attn_plugins.benchmark.suite_file import TEST, ConfigEntry, find_suite, read_suite_file
from attn_plugins.benchmark.suite_presets import Preset
from attn_plugins.benchmark.tuning import HELD_OUT, Tuning
from attn_plugins.errors import UserError


@dataclass(frozen=True)
class Weights:
    """Weights that a part of a run's model starts from: those under `prefix` in the last checkpoint of another run."""

    part: str
    run: 'Run'
    prefix: str


@dataclass(frozen=True)
class Run:
    """One (config, preset, seed): its steps are carried out in a folder of its own, and leave a result there.

    Attributes:
        config_key: The config's key in the suite.
        preset: A preset's name, or the path of its file.
        preset_name: What the preset, or the variant of it, is called in tables and folders.
        seed: Of every random choice.
        config: The config file.
        folder: Where everything of the run lies.
        cfg_options: Single values of the config, a variant's own among them.
        variant_options: Those that a variant has of its own; none of a preset as it is.
        tests: Test's name -> single values of the config in that test.
        weights: What parts of the model start from; those runs come first.
        processes: How many processes train it; None leaves it to the config's batch size.
        trial: The number of the combination of values that it tries for others (tuning.py); None of a run that counts.
        trials: Those of which its own values are the best ones.
        tuning: What is tuned, of a trial and of what is trained after it.
        is_shown: Whether pictures of its predictions are drawn: it has the first seed of its config and preset.
    """

    config_key: str
    preset: str
    preset_name: str
    seed: int
    config: Path
    folder: Path
    cfg_options: dict = field(default_factory=dict, compare=False)
    variant_options: dict = field(default_factory=dict, compare=False)
    tests: dict[str, dict] = field(default_factory=lambda: {TEST: {}}, compare=False)
    weights: tuple[Weights, ...] = field(default=(), compare=False)
    processes: int | None = field(default=None, compare=False)
    trial: int | None = None
    trials: tuple['Run', ...] = field(default=(), compare=False)
    tuning: Tuning | None = field(default=None, compare=False)
    is_shown: bool = field(default=False, compare=False)

    @property
    def name(self) -> str:
        """Name of the run within its suite, e.g. 'detection/ca/seed0' or 'detection/ca/trial2/seed1000'."""
        trial = '' if self.trial is None else f'trial{self.trial}/'
        return f'{self.config_key}/{self.preset_name}/{trial}seed{self.seed}'

    @property
    def needs(self) -> list['Run']:
        """The runs that must have finished before this one starts."""
        return [*(weights.run for weights in self.weights), *self.trials]

    @property
    def steps(self) -> list[dict]:
        """What is carried out, in order, as run.json has it (steps.py)."""
        return steps_of(self)


@dataclass(frozen=True)
class Suite:
    """A checked suite.

    Attributes:
        name: Its name.
        about: What its author says of it, at the head of the report.
        path: Its file.
        folder: Where its runs lie.
        runs: In dependency order: what a run needs comes before it.
        controls: Config's key -> preset -> those it is compared with beside the plain model.
        comparisons: Config's key -> the pairs of presets that the report gives a verdict of.
        margins: Config's key -> what difference does not matter, in points; None where none is declared.
        spreads: Config's key -> declared standard deviation of a paired difference, in points; None where none is.
        more_seeds: Config's key -> the rule by which its later seeds are trained or not (seeds.py); None where all are.
    """

    name: str
    about: str
    path: Path
    folder: Path
    runs: tuple[Run, ...]
    controls: dict[str, dict[str, list[str]]]
    comparisons: dict[str, list[tuple[str, str]]]
    margins: dict[str, float | None]
    spreads: dict[str, float | None]
    more_seeds: dict[str, MoreSeeds | None]

    @property
    def config_keys(self) -> list[str]:
        """Config keys in the order of the runs."""
        return list(dict.fromkeys(run.config_key for run in self.runs))


def read_suite(path: str | Path, work_dir: str | Path | None = None) -> Suite:
    """Read and check a suite file.

    Args:
        path: The YAML file, or the name of a suite of this package: 'demo'.
        work_dir: Folder of the suite's runs; `work_dirs/<name>` by default.

    Raises:
        UserError: The file is missing, is no YAML or says something that no run can be made of.
    """
    path = find_suite(path)
    name, about, entries = read_suite_file(path)
    folder = Path(work_dir) if work_dir else Path('work_dirs') / name
    matrix = _Matrix(path, folder)
    for key, entry in entries.items():
        matrix.add(key, entry)
    return Suite(
        name,
        about,
        path,
        folder,
        runs=tuple(matrix.runs),
        controls={key: entry.controls for key, entry in entries.items()},
        comparisons={key: entry.comparisons for key, entry in entries.items()},
        margins={key: entry.margin for key, entry in entries.items()},
        spreads={key: entry.spread for key, entry in entries.items()},
        more_seeds={key: entry.more_seeds for key, entry in entries.items()},
    )


class _Matrix:
    """The runs of a suite, config by config, each of which finds those whose weights it starts from."""

    def __init__(self, path: Path, folder: Path):
        self.path, self.folder = path, folder
        self.runs: list[Run] = []
        self._of: dict[tuple[str, str, int], Run] = {}

    def add(self, key: str, entry: ConfigEntry) -> None:
        """Add the runs of a config: trials first, whose best values the others are trained with."""
        trials = {preset.name: self._trials(key, entry, preset) for preset in entry.presets}
        self.runs += [trial for each in trials.values() for trial in each]
        for seed in entry.seeds:
            for preset in entry.presets:
                folder = self.folder / key / preset.name / f'seed{seed}'
                run = self._run(key, entry, preset, seed, seed, folder)
                run = replace(
                    run, trials=trials[preset.name], tuning=entry.tuning, is_shown=seed == entry.seeds[0]
                )
                self._of[key, preset.name, seed] = run
                self.runs.append(run)

    def _trials(self, key: str, entry: ConfigEntry, preset: Preset) -> tuple[Run, ...]:
        """Make the trials of a preset, as many as of any other. Their weights are those of the first seed."""
        trials = []
        for number, candidate in enumerate(entry.tuning.candidates if entry.tuning else ()):
            for seed in entry.tuning.seeds:
                folder = self.folder / key / preset.name / f'trial{number}' / f'seed{seed}'
                run = self._run(key, entry, preset, seed, entry.seeds[0], folder)
                others = {name: value for name, value in run.cfg_options.items() if name not in candidate}
                tried = dict(cfg_options=others | candidate, tests={HELD_OUT: {}})
                trials.append(replace(run, **tried, trial=number, tuning=entry.tuning))
        return tuple(trials)

    def _run(
        self, key: str, entry: ConfigEntry, preset: Preset, seed: int, source_seed: int, folder: Path
    ) -> Run:
        """Make a run that starts from the weights of runs of the source seed."""
        return Run(
            config_key=key,
            preset=preset.preset,
            preset_name=preset.name,
            seed=seed,
            config=entry.config,
            folder=folder,
            cfg_options=preset.merged_over(entry.cfg_options),
            variant_options=preset.cfg_options,
            tests=entry.tests,
            weights=tuple(
                Weights(part, self._source(key, preset.name, source, source_seed), source['prefix'])
                for part, source in entry.weights_from.items()
            ),
            processes=entry.processes,
        )

    def _source(self, key: str, preset: str, source: dict, seed: int) -> Run:
        """Find the run whose weights another one starts from."""
        wanted = (source['config'], source['preset'] or preset, seed)
        if wanted not in self._of:
            raise UserError(
                f"suite {self.path}: '{key}' with preset '{preset}' and seed {seed} needs the weights of '{wanted[0]}' "
                f"with preset '{wanted[1]}' and the same seed, which the suite does not train; add them there"
            )
        return self._of[wanted]
