"""The pictures of the projects' studies: paired differences to the plain model, from the report that was kept; accuracy beside cost."""

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
    """A line for each preset with its difference to the plain model and the 95 % interval, as SVG.

    An interval that leaves out zero has another colour.
    """
    report = json.loads((PROJECTS / project / 'digitscenes_report.json').read_text())
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
    """Scores of the offline form with their 95 % intervals over counted M-Adds and over measured latency, a row for each task."""
    report, content, latency = (
        json.loads((PROJECTS / project / f'{name}.json').read_text())
        for name in ('digitscenes_report', 'counted', 'latency')
    )
    tasks = [c for c in report['comparisons'] if f'digitscenes/{c["key"]}/{CHOSEN}' in latency['runs']]
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(tasks), 2, figsize=(9, 3.2 * len(tasks)), layout='constrained', squeeze=False, sharey='row'
        )
        for axes, task in zip(grid, tasks, strict=True):
            for result in task['presets']:
                score, run = result['score'], f'digitscenes/{task["key"]}/{result["preset"]}'
                if not score:
                    continue
                costs = (content[run]['madds'] / 1e6, latency['runs'][run]['median_ms'])
                for ax, cost in zip(axes, costs, strict=True):
                    _point(ax, cost, score['mean'], result['preset'], score['interval'])
            axes[0].set_ylabel(f'{task["name"]}: {task["metric"]["name"]}, %, mean of seeds, 95 % interval')
            axes[0].set_xlabel('M-Adds, millions (counted)')
            axes[1].set_xlabel('latency of an image, ms (measured)')
        return _as_svg(figure)


def published(project: str) -> str:
    """Published scores over M-Adds counted here and over published latency; no interval was published."""
    known = yaml.safe_load((PROJECTS / project / 'published.yml').read_text())
    content = json.loads((PROJECTS / project / 'counted.json').read_text())
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout='constrained', sharey=True)
        for row in known['rows']:
            if 'latency' not in row:
                continue
            name = row['preset'] + (' + deformable' if 'deformable' in row['config'] else '')
            cost = content[f'{row["suite"]}/{row["config"]}/{row["preset"]}']
            for ax, x in zip(axes, (cost['madds'] / 1e9, row['latency']), strict=True):
                _point(ax, x, row['published'], name)
        axes[0].set_ylabel('box AP on COCO, % (published)')
        axes[0].set_xlabel('M-Adds, billions (counted)')
        axes[1].set_xlabel('latency of an image, ms (published, V100)')
        return _as_svg(figure)


def _point(axes: plt.Axes, x: float, y: float, name: str, interval: list[float] | None = None) -> None:
    """A result with its name; what the study recommends has another colour and shape."""
    chosen = name.startswith(CHOSEN)
    colour = CLEAR if chosen else UNCLEAR
    if interval:
        axes.plot([x, x], interval, color=colour, linewidth=0.7, alpha=0.6)
    axes.plot(x, y, 'D' if chosen else 'o', color=colour, markersize=6 if chosen else 3.5)
    weight = 'bold' if chosen else 'normal'
    axes.annotate(name, (x, y), xytext=(4, 3), textcoords='offset points', fontsize=6.5, weight=weight)


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
