"""What comes of the study as a table: scores, paired differences to the full attention, costs."""

from attn_plugins.benchmark.statistics import Estimate, estimate, paired_difference
from projects.empirical_attention.translation.network import FULL

HEADER = [
    'encoder',
    'decoder',
    'encoder-decoder',
    'seeds',
    'BLEU',
    'to 1111, paired [95 %]',
    'least that could show',
]
HEADER += [
    'exact, %',
    'to 1111, paired [95 %]',
    'least that could show',
    'parameters (counted)',
    'training (measured)',
]


def table(result: dict) -> str:
    """A line of Markdown for every setting, those of 1111 first, and what the numbers come from."""
    groups: dict[tuple, list[dict]] = {}
    for run in result['runs']:
        groups.setdefault(tuple(run['places'].values()), []).append(run)
    by_metric = {
        metric: {places: {run['seed']: run[metric] for run in runs} for places, runs in groups.items()}
        for metric in ('bleu', 'exact')
    }
    rows = [HEADER, ['---'] * len(HEADER)]
    for places in sorted(groups, key=_order):
        runs, cells = groups[places], []
        for scores in by_metric.values():
            cells.append(_with_spread(estimate(list(scores[places].values()))))
            cells += (
                ['', '']
                if places == FULL
                else _difference(paired_difference(scores[places], scores.get(FULL, {})))
            )
        seconds = estimate([run['seconds'] for run in runs]).mean
        rows.append([*places, str(len(runs)), *cells, f'{runs[0]["parameters"]:,}', f'{seconds:.0f} s'])
    lines = '\n'.join(f'| {" | ".join(row)} |' for row in rows)
    return f'{lines}\n\n{_explained(result)}'


def _order(places: tuple[str, ...]) -> tuple:
    """All full, then without the others full, and by falling bits."""
    return (places != FULL, places[2] != '1111', [-int(bits, 2) for bits in places])


def _with_spread(value: Estimate) -> str:
    return f'{value.mean:.1f}' + (f' ± {value.std:.1f}' if value.std is not None else ' (one seed)')


def _difference(value: Estimate | None) -> list[str]:
    if value is None:
        return ['no pair', '']
    if value.interval is None:
        return [f'{value.mean:+.1f} (one seed)', '']
    low, high = value.interval
    return [f'{value.mean:+.1f} [{low:+.1f}, {high:+.1f}]', f'{value.half_width:.1f}']


def _explained(result: dict) -> str:
    settings, first = result['settings'], result['runs'][0]
    seeds = ', '.join(map(str, sorted({run['seed'] for run in result['runs']})))
    return (
        f'Seeds {seeds}; scores with their standard deviation, differences of the same seeds with the 95 % t '
        f'interval, half of whose width is "least that could show". BLEU by sacrebleu ({first["signature"]}); '
        f'exact is the share of translations that are the reference. {settings["steps"]} steps of at most '
        f'{settings["tokens"]} tokens, width {settings["width"]}, {settings["heads"]} heads, '
        f'{settings["encoder_layers"]} + {settings["decoder_layers"]} layers. Trained on {first["device"]} of '
        f'{first["machine"]["cpu"]} with {first["threads"]} thread{"s" if first["threads"] > 1 else ""}, torch '
        f'{first["versions"]["torch"]}.'
    )
