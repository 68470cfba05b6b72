"""The pictures of the projects' offline studies: the paired difference of every preset to the plain model, from the report that was kept."""

import io
import json
from pathlib import Path

import matplotlib

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
            'paired difference to none in points of accuracy, 95 % interval (red: leaves out zero)'
        )
        text = io.StringIO()
        nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
        figure.savefig(text, format='svg', metadata=nothing)
        plt.close(figure)
    return '\n'.join(line.rstrip() for line in text.getvalue().splitlines()) + '\n'


PLOTS = dict.fromkeys(('iebn', 'sem', 'dianet'), differences)
