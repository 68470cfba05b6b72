"""What comes of the study as pictures and a table: loss curves, the four results side by side, differences to BN."""

from pathlib import Path
from statistics import mean

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot as plt

from attn_plugins.benchmark.statistics import Estimate, estimate
from projects.iebn.style_transfer.network import NORMS
from projects.iebn.style_transfer.study import CONTENT_PICTURE, STYLE_PICTURE, picture_file

CURVES, PICTURES, TABLE = 'losses.svg', 'pictures.png', 'table.md'
BASELINE = 'bn'
# The final loss of a training is the mean of this share of its steps that were written down, the last ones.
LAST = 0.1
COLOURS = {'bn': '#4c4c4c', 'in': '#0072b2', 'bn_se': '#d55e00', 'iebn': '#009e73'}
TERMS = ('total', 'content', 'style', 'tv')


def write_figures(out: Path, result: dict) -> list[Path]:
    """Writes `losses.svg`, `pictures.png` and `table.md` into the folder of the results.

    Args:
        out (Path): The folder.
        result (dict): What its `losses.json` holds.

    Returns:
        list[Path]: The files.
    """
    draw_curves(out / CURVES, result)
    draw_pictures(out, out / PICTURES, result)
    (out / TABLE).write_text(table(result) + '\n')
    return [out / CURVES, out / PICTURES, out / TABLE]


def draw_curves(path: Path, result: dict) -> None:
    """The total training loss over the steps, on a log axis: each seed a thin line, their mean a thick one."""
    with plt.rc_context({'svg.hashsalt': 'style_transfer', 'svg.fonttype': 'none', 'font.size': 9}):
        figure, axes = plt.subplots(figsize=(7, 4.2), layout='constrained')
        for norm, runs in _by_norm(result).items():
            colour = COLOURS[norm]
            for run in runs:
                axes.plot(run['step'], run['total'], color=colour, linewidth=0.5, alpha=0.5)
            means = [mean(values) for values in zip(*[run['total'] for run in runs], strict=True)]
            axes.plot(runs[0]['step'], means, color=colour, linewidth=2, label=NORMS[norm])
        axes.set_yscale('log')
        axes.set_xlabel('step')
        axes.set_ylabel('training loss')
        axes.set_title(_title(result), fontsize=9)
        axes.grid(which='both', linewidth=0.3)
        axes.legend(frameon=False)
        figure.savefig(path, metadata=dict(Date=None))
        plt.close(figure)


def draw_pictures(out: Path, path: Path, result: dict) -> None:
    """Content, style, and what the network of each norm makes of the content with the first seed."""
    norms, seed = _by_norm(result), result['runs'][0]['seed']
    shown = {'content': out / CONTENT_PICTURE, 'style': out / STYLE_PICTURE}
    shown |= {NORMS[norm]: picture_file(out, norm, seed) for norm in norms}
    height, width = plt.imread(shown['content']).shape[:2]
    figure, grid = plt.subplots(
        1, len(shown), figsize=(2.2 * len(shown), 2.2 * height / width + 0.6), layout='constrained'
    )
    for axes, (name, file) in zip(grid, shown.items(), strict=True):
        axes.imshow(plt.imread(file))
        axes.set_title(name, fontsize=9)
        axes.set_axis_off()
    figure.suptitle(f'{_title(result)}, seed {seed}', fontsize=9)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def table(result: dict) -> str:
    """Final losses by norm and their differences to BN, as two tables of Markdown, and what they come from."""
    norms = _by_norm(result)
    final = {norm: {run['seed']: _final(run) for run in runs} for norm, runs in norms.items()}
    losses = [
        [NORMS[norm], f'{runs[0]["parameters"]:,}']
        + [_with_spread(estimate([run[term] for run in final[norm].values()])) for term in TERMS]
        for norm, runs in norms.items()
    ]
    differences = [
        [NORMS[norm], *(_with_interval(estimate(_paired(final, norm, term))) for term in TERMS)]
        for norm in norms
        if norm != BASELINE
    ]
    return '\n\n'.join(
        [
            _markdown(['final training loss', 'parameters', *TERMS], losses),
            _markdown(['minus BN, same seed', *TERMS], differences),
            _explained(result),
        ]
    )


def _explained(result: dict) -> str:
    settings, first = result['settings'], result['runs'][0]
    seeds = sorted({run['seed'] for run in result['runs']})
    return (
        f'Means of the last {LAST:.0%} of {settings["steps"]} steps (of those written down), each over seeds '
        f'{", ".join(map(str, seeds))} with their standard deviation (n = {len(seeds)}); differences with the '
        '95 % t interval, half of whose width is the smallest that these seeds could have shown. Content, '
        f'style and tv are unweighted, total = {settings["content_weight"]:g} content + '
        f'{settings["style_weight"]:g} style + {settings["tv_weight"]:g} tv. Loss network: '
        f'{result["features"]}. Crops of {settings["size"]} pixels in batches of {settings["batch_size"]}, '
        f'width {settings["width"]}, SE with reduction {settings["reduction"]}. Trained on {first["device"]} '
        f'of {first["machine"]["cpu"]} with {first["threads"]} thread{"s" if first["threads"] > 1 else ""}, '
        f'torch {first["versions"]["torch"]}.'
    )


def _by_norm(result: dict) -> dict[str, list[dict]]:
    norms = dict.fromkeys(run['norm'] for run in result['runs'])
    return {norm: [run for run in result['runs'] if run['norm'] == norm] for norm in norms}


def _final(run: dict) -> dict[str, float]:
    number = max(1, round(LAST * len(run['step'])))
    return {term: mean(run[term][-number:]) for term in TERMS}


def _paired(final: dict, norm: str, term: str) -> list[float]:
    """Differences to BN over the seeds that both have."""
    base = final.get(BASELINE, {})
    return [run[term] - base[seed][term] for seed, run in final[norm].items() if seed in base]


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    return '\n'.join(f'| {" | ".join(line)} |' for line in [header, ['---'] * len(header), *rows])


def _with_spread(value: Estimate) -> str:
    return f'{value.mean:.4f}' + (f' ± {value.std:.4f}' if value.std is not None else ' (one seed)')


def _with_interval(value: Estimate | None) -> str:
    if value is None:
        return 'no pair'
    interval = f' ({value.interval[0]:+.4f} to {value.interval[1]:+.4f})' if value.interval else ' (one seed)'
    return f'{value.mean:+.4f}{interval}'


def _title(result: dict) -> str:
    return f'Style transfer, loss network: {result["features"]}'
