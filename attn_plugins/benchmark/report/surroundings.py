"""Says what else the machine did while times were measured: the runs beside a training, other work beside latencies."""

from collections.abc import Sequence
from pathlib import Path

from attn_plugins.benchmark.other_work import LITTLE
from attn_plugins.benchmark.results import RunState

# By how much a load may exceed the cores, or the suite's own threads, before other work is said to be the reason.
MORE_LOAD = 1.0


def of_training(states: Sequence[RunState]) -> list[str]:
    """Say how many runs ran side by side on how many cores, and the load when they ended, of trainings on record."""
    loads: dict[str, list[float]] = {}
    others: dict[int, list[float]] = {}
    for state in states:
        step, made_with = state.steps['train'], state.made_with
        parallel, load, cores = step.get('parallel'), step.get('load'), made_with['machine']['cores']
        if parallel is None or load is None:
            continue
        together = f'up to {parallel} runs side by side' if parallel > 1 else 'one run at a time'
        loads.setdefault(f'{together} on {_cores(cores)}', []).append(load)
        own = parallel * (made_with['processes'] or 1) * (made_with['threads'] or 1)
        if load > max(own, cores) + MORE_LOAD:
            others.setdefault(cores, []).append(load)
    words = [f'{text} (load {_range(found)} at their end)' for text, found in loads.items()]
    if sum(map(len, loads.values())) < len(states):
        words.append(
            f'what ran beside {"some of them" if loads else "them"} is not on record (an older version)'
        )
    notes = [f'Train times were measured with {"; ".join(words)}.'] if loads else []
    if not loads and words:
        notes = [f'Train times: {words[0]}.']
    notes += [
        f'{len(found)} of {len(states)} trainings ran beside other work (load {_range(found)} on {_cores(cores)}), '
        'which makes their times longer.'
        for cores, found in others.items()
    ]
    return notes


def is_busy(latencies: dict) -> bool:
    """Tell whether other processes took more than a little while a config's latencies were measured."""
    return latencies.get('other_cores', 0.0) > LITTLE


def of_latency(latencies: dict, folder: Path) -> list[str]:
    """Say how latencies were measured, whether beside other work, and why some are missing.

    Args:
        latencies: Those of a config, as `latency.read_latencies` gives them.
        folder: Where they are kept.
    """
    notes = []
    if latencies['presets']:
        one, step = next(iter(latencies['presets'].values())), latencies['step']
        on = step['machine']['gpus'][0] if one['device'] != 'cpu' else step['machine']['cpu']
        passes = _range([each['repeats'] for each in latencies['presets'].values()], '{:.0f}')
        threads = f'{one["threads"]} thread{"s" if one["threads"] > 1 else ""}'
        notes.append(
            f'Latency: one image, median of {passes} passes of each preset in turn, below it the 20th to the 80th '
            f'percentile; {threads}, {one["dtype"]}, {on}, when all runs were over.'
        )
        if is_busy(latencies):
            notes.append(
                f'Latency (busy) was measured while other processes took {latencies["other_cores"]:.1f} cores (load '
                f'{latencies["load_before"]:.1f} before): to measure it alone, delete {folder} and run the suite again.'
            )
    reasons: dict[str, list[str]] = {}
    for preset, why in latencies['why_not'].items():
        reasons.setdefault(why, []).append(preset)
    return notes + [f'no latency ({", ".join(presets)}): {why}' for why, presets in reasons.items()]


def _cores(number: int) -> str:
    return f'{number} core{"s" if number > 1 else ""}'


def _range(values: Sequence[float], form: str = '{:.1f}') -> str:
    """Write the smallest and the largest, or the one that all are."""
    return ' to '.join(dict.fromkeys(form.format(value) for value in (min(values), max(values))))
