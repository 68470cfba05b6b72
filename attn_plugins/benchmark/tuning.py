"""Tunes all presets equally: each tries the same values on held-out training images, and is trained with its best."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, isfinite, nan
from pathlib import Path
from statistics import fmean

from mmengine.config import Config

from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.suite_checks import check_options
from attn_plugins.errors import UserError

# The test of a trial; the share of images and the seeds where the suite does not say.
HELD_OUT = 'held out'
SHARE, SEEDS = 0.2, (1000,)


@dataclass(frozen=True)
class Tuning:
    """What a suite tunes of a config.

    Attributes:
        candidates: Combinations of values, each as single values of the config.
        share: Of the training images that are held out from training, to choose by.
        seeds: With which each combination is tried.
    """

    candidates: tuple[dict, ...]
    share: float
    seeds: tuple[int, ...]


def read_tuning(entry: dict, content: dict, presets: Sequence, where: str) -> Tuning | None:
    """Read what the suite, or its entry of a config, says of tuning; None where it says nothing.

    Args:
        entry: What the suite says of the config.
        content: The whole suite.
        presets: The config's presets and variants.
        where: Words that errors begin with.

    Raises:
        UserError: A grid is empty or touches the test data, or a share or seeds are none.
    """
    said = {key: entry.get(key, content.get(key)) for key in ('tune', 'tune_share', 'tune_seeds')}
    if said['tune'] is None:
        if 'tune' in {**content, **entry}:
            raise UserError(
                f"{where}: 'tune' is empty: name values to try, as {{optim_wrapper.optimizer.lr: [0.01, 0.03]}}"
            )
        if idle := next((key for key in ('tune_share', 'tune_seeds') if said[key] is not None), None):
            raise UserError(
                f"{where}: '{idle}' without 'tune' changes nothing: name what is tuned, or leave it out"
            )
        return None
    values = check_options(said['tune'], 'tune', where)
    if not values:
        raise UserError(
            f"{where}: 'tune' is empty: name values to try, as {{optim_wrapper.optimizer.lr: [0.01, 0.03]}}"
        )
    for name, tried in values.items():
        _check_values(name, tried, presets, where)
    share = SHARE if said['tune_share'] is None else said['tune_share']
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
        raise UserError(
            f"{where}: 'tune_share' is the share of the training images that are held out, between 0 and 1, not "
            f'{share!r}'
        )
    seeds = list(SEEDS) if said['tune_seeds'] is None else said['tune_seeds']
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise UserError(f"{where}: 'tune_seeds' must be a list like [1000, 1001], not {seeds!r}")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{where}: 'tune_seeds' names {next(s for s in seeds if seeds.count(s) > 1)} twice")
    candidates = tuple(dict(zip(values, each, strict=True)) for each in product(*values.values()))
    return Tuning(candidates, share, tuple(seeds))


def _check_values(name: str, tried: object, presets: Sequence, where: str) -> None:
    if name.startswith(('test_', 'val_')):
        raise UserError(
            f"{where}: 'tune' names {name}, which is of the data that the result is measured on: tune values of the "
            'training alone'
        )
    if not isinstance(tried, list) or len(tried) < 2:
        raise UserError(f"{where}: 'tune' needs a list of at least two values of {name}, not {tried!r}")
    twice = [value for value in tried if tried.count(value) > 1]
    if twice:
        raise UserError(f"{where}: 'tune' names {twice[0]!r} twice for {name}")
    for preset in presets:
        for option in preset.cfg_options:
            if f'{option}.'.startswith(f'{name}.') or f'{name}.'.startswith(f'{option}.'):
                raise UserError(
                    f"{where}: 'tune' tries values of {name}, which variant '{preset.name}' sets by {option}: leave "
                    'one of them out'
                )


def choose(scores: Mapping[int, Sequence[float]]) -> int | None:
    """Choose the best candidate by its mean score over seeds, the first of equal ones; None if none has a score.

    Args:
        scores: Candidate's number -> its scores; one with a score that is not finite is out.
    """
    means = {
        number: fmean(each) if each and all(map(isfinite, each)) else -inf for number, each in scores.items()
    }
    best = max(means, key=lambda number: (means[number], -number), default=None)
    return None if best is None or means[best] == -inf else best


def trial_score(state: str, steps: Mapping) -> float:
    """Read the score of a trial from its state and the results of its steps; NaN if it diverged."""
    return headline(steps[HELD_OUT]['metrics']).value if state == 'finished' else nan


@dataclass(frozen=True)
class Tried:
    """The result of one combination of values for a preset.

    Attributes:
        values: The values, in words.
        score: Mean score on the held-out images, over the seeds of the trials; None before that, or if one diverged.
        what: Why there is none.
        is_chosen: Whether the preset is trained with it.
    """

    values: str
    score: float | None
    what: str
    is_chosen: bool


def tried(states: Sequence) -> dict[str, list[Tried]]:
    """Collect the results of all combinations of values, by preset, from the states of a config's trials."""
    by_preset: dict[str, list] = {}
    for state in states:
        by_preset.setdefault(state.run.preset_name, []).append(state)
    return {preset: _tried(trials) for preset, trials in by_preset.items()}


def _tried(trials: Sequence) -> list[Tried]:
    tuning = trials[0].run.tuning
    scores: dict[int, list[float]] = {}
    for state in trials:
        if state.state in ('finished', 'diverged'):
            scores.setdefault(state.run.trial, []).append(trial_score(state.state, state.steps))
    best = choose(scores) if sum(map(len, scores.values())) == len(trials) else None
    made = []
    for number, candidate in enumerate(tuning.candidates):
        each, states = scores.get(number, []), {s.state for s in trials if s.run.trial == number}
        has_score = len(each) == len(tuning.seeds) and all(map(isfinite, each))
        what = '' if has_score else ', '.join(sorted(states - {'finished'})) or 'no finite score'
        words = ', '.join(f'{name.rpartition(".")[2]} {value}' for name, value in candidate.items())
        made.append(Tried(words, fmean(each) if has_score else None, what, number == best))
    return made


def hold_out(cfg: Config, share: float) -> None:
    """Change a config to that of a trial: trained without a share of the training images, and tested on that share.

    It is validated on that share too; the images that it was validated and tested on before do not occur in it.

    Raises:
        UserError: Its training data, or its metric, cannot be split so.
    """
    parts, tested = (
        list(_parts(cfg.get(loader), 'dataset')) for loader in ('train_dataloader', 'test_dataloader')
    )
    if len(parts) != 1 or len(tested) != 1:
        raise UserError(
            f'{cfg.filename}: tune holds out images of one training data set, tested as one is, and here are '
            f'{len(parts)} and {len(tested)}: leave tune out'
        )
    (holder, key), (test_holder, test_key) = parts[0], tested[0]
    train, test = holder[key], test_holder[test_key]
    held = {**train, **{name: test[name] for name in ('pipeline', 'test_mode') if name in test}}
    evaluator = _evaluator_without_file(cfg.test_evaluator, held, cfg.filename)
    holder[key] = dict(type='attn_plugins.Split', dataset=train, share=share, held_out=False)
    loader = {
        **cfg.test_dataloader,
        'dataset': dict(type='attn_plugins.Split', dataset=held, share=share, held_out=True),
    }
    cfg.test_dataloader, cfg.test_evaluator = loader, evaluator
    if cfg.get('val_dataloader'):
        cfg.val_dataloader, cfg.val_evaluator = loader, evaluator


def _parts(parent: dict | None, key: str) -> Iterator[tuple[dict, str]]:
    """Find the configs of the data sets that read files: (what holds one, its key there)."""
    config = (parent or {}).get(key)
    if isinstance(config, (list, tuple)):
        for number, part in enumerate(config):
            yield from _parts({number: part}, number)
    elif config:
        inner = [name for name in ('dataset', 'datasets') if config.get(name)]
        for name in inner:
            yield from _parts(config, name)
        if not inner:
            yield parent, key


def _evaluator_without_file(evaluator: dict | list, held: dict, filename: str | Path) -> dict | list:
    """Let metrics take the truth from the images' own annotations, as a file has those of other images too."""
    if isinstance(evaluator, (list, tuple)):
        return [_evaluator_without_file(metric, held, filename) for metric in evaluator]
    if not evaluator.get('ann_file'):
        return evaluator
    kind = str(evaluator['type']).rpartition('.')[2]
    if kind != 'CocoMetric':
        raise UserError(
            f'{filename}: {kind} reads what is true from {evaluator["ann_file"]}, so it cannot be had of held-out '
            'training images: leave tune out, or use CocoMetric'
        )
    pack = next((step for step in held['pipeline'] if str(step['type']).endswith('PackDetInputs')), None)
    if pack is not None:
        keys = pack.get(
            'meta_keys',
            ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction'),
        )
        packed = {**pack, 'meta_keys': (*keys, 'instances')}
        held['pipeline'] = [packed if step is pack else step for step in held['pipeline']]
    return {**evaluator, 'ann_file': None}
