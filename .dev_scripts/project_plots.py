"""The pictures of the projects' studies: paired differences to the plain model, from the report that was kept;
accuracy beside cost.
"""

import io
import json
from pathlib import Path

import matplotlib
import yaml

matplotlib.use('Agg')
from matplotlib import pyplot as plt

PROJECTS = Path(__file__).resolve().parents[1] / 'projects'
# Inches of a line.
LINE = 0.2
STYLE = {
    'font.size': 8,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'svg.fonttype': 'none',
    'svg.hashsalt': 'project',
}
CLEAR, UNCLEAR = '#c23b22', '#3b76af'


def differences(project: str) -> str:
    """The differences of a study's offline form."""
    return draw_differences(json.loads((PROJECTS / project / 'digitscenes_report.json').read_text()))


def draw_differences(report: dict) -> str:
    """A line for each preset with its difference to the plain model and the 95 % interval, as SVG.

    An interval that leaves out zero has another colour.
    """
    lines = [
        (comparison['name'], result['preset'], result['difference'])
        for comparison in report['comparisons']
        for result in comparison['presets']
        if result['difference'] and result['difference']['interval']
    ]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7, LINE * len(lines) + 0.8), layout='constrained')
        for i, (_, _, difference) in enumerate(lines):
            low, high = difference['interval']
            colour = UNCLEAR if low <= 0 <= high else CLEAR
            axes.plot([low, high], [i, i], color=colour, linewidth=1)
            axes.plot(difference['mean'], i, 'o', color=colour, markersize=3.5)
        axes.axvline(0, color='#888888', linewidth=0.7)
        axes.set_yticks(range(len(lines)), [f'{task}: {preset}' for task, preset, _ in lines])
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.set_xlabel(
            'paired difference to none in percent points of the score, 95 % interval (red: leaves out zero)'
        )
        return _as_svg(figure)


def _as_svg(figure: plt.Figure) -> str:
    """The figure's text, the same for the same numbers."""
    text = io.StringIO()
    nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
    figure.savefig(text, format='svg', metadata=nothing)
    plt.close(figure)
    return '\n'.join(line.rstrip() for line in text.getvalue().splitlines()) + '\n'


# The setting that the study recommends.
CHOSEN = '0010'


def efficiency(project: str) -> str:
    """Scores of the offline form with their 95 % intervals over counted M-Adds and over measured latency, a row for
    each task.
    """
    report, content, latency = (
        json.loads((PROJECTS / project / f'{name}.json').read_text())
        for name in ('digitscenes_report', 'counted', 'latency')
    )
    tasks = [c for c in report['comparisons'] if f'digitscenes/{c["key"]}/{CHOSEN}' in latency['runs']]
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(tasks), 2, figsize=(10, 4.2 * len(tasks)), layout='constrained', squeeze=False, sharey='row'
        )
        for axes, task in zip(grid, tasks, strict=True):
            scores = {result['preset']: result['score'] for result in task['presets'] if result['score']}
            runs = {preset: f'digitscenes/{task["key"]}/{preset}' for preset in scores}
            costs = (
                {preset: content[run]['madds'] / 1e6 for preset, run in runs.items()},
                {preset: latency['runs'][run]['median_ms'] for preset, run in runs.items()},
            )
            for ax, cost in zip(axes, costs, strict=True):
                for preset, x in cost.items():
                    ax.plot(
                        [x, x], scores[preset]['interval'], color=_colour(preset), linewidth=0.6, alpha=0.5
                    )
                _points(ax, {preset: (cost[preset], scores[preset]['mean']) for preset in scores})
            axes[0].set_ylabel(f'{task["name"]}: {task["metric"]["name"]}, %, 95 % interval')
            axes[0].set_xlabel('M-Adds, millions (counted)')
            axes[1].set_xlabel('latency of an image, ms (measured)')
        return _as_svg(figure)


def published(project: str) -> str:
    """Published scores over M-Adds counted here and over published latency; no interval was published."""
    known = yaml.safe_load((PROJECTS / project / 'published.yml').read_text())
    content = json.loads((PROJECTS / project / 'counted.json').read_text())
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout='constrained', sharey=True)
        rows = {
            row['preset'] + (' + deformable' if 'deformable' in row['config'] else ''): row
            for row in known['rows']
            if 'latency' in row
        }
        costs = (
            {n: content[f'{r["suite"]}/{r["config"]}/{r["preset"]}']['madds'] / 1e9 for n, r in rows.items()},
            {name: row['latency'] for name, row in rows.items()},
        )
        for ax, cost in zip(axes, costs, strict=True):
            _points(ax, {name: (cost[name], row['published']) for name, row in rows.items()})
        axes[0].set_ylabel('box AP on COCO, % (published)')
        axes[0].set_xlabel('M-Adds, billions (counted)')
        axes[1].set_xlabel('latency of an image, ms (published, V100)')
        return _as_svg(figure)


def _colour(name: str) -> str:
    """Of what the study recommends, and of the others."""
    return CLEAR if name.startswith(CHOSEN) else UNCLEAR


def _points(axes: plt.Axes, results: dict[str, tuple[float, float]]) -> None:
    """Results with their names, moved up where they would cover one another; what the study recommends has another
    shape.
    """
    xs = [x for x, _ in results.values()]
    for name, (x, y) in results.items():
        chosen = name.startswith(CHOSEN)
        axes.plot(x, y, 'D' if chosen else 'o', color=_colour(name), markersize=6 if chosen else 3.5)
    # A name's share of the axes.
    wide, high = 0.09 * (max(xs) - min(xs)), 0.035 * (axes.get_ylim()[1] - axes.get_ylim()[0])
    placed: list[tuple[float, float]] = []
    for name, (x, y) in sorted(results.items(), key=lambda item: item[1][1]):
        at = y
        while any(abs(x - other) < wide and abs(at - height) < high for other, height in placed):
            at += high / 4
        placed.append((x, at))
        axes.annotate(
            name,
            (x, y),
            xytext=(x + wide / 6, at),
            fontsize=6.5,
            va='center',
            weight='bold' if name.startswith(CHOSEN) else 'normal',
            arrowprops=dict(arrowstyle='-', linewidth=0.3, color='#888888', shrinkA=0, shrinkB=0),
        )


# Project -> picture -> what draws it.
PLOTS = {
    **{
        project: {'digitscenes.svg': differences}
        for project in ('attention_transfer', 'iebn', 'sem', 'dianet')
    },
    'empirical_attention': {
        'digitscenes.svg': differences,
        'efficiency.svg': efficiency,
        'published.svg': published,
    },
}
