"""Draws a census: the spreads of every layer's gates side by side, and the decisions of SEM's switches."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import matplotlib

matplotlib.use('Agg')
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from attn_plugins.gates.gate_statistics import ALL

# From top to bottom: the bars of a layer.
DEVIATIONS = {
    'between_images': ('between images', '#3b76af'),
    'between_channels': ('between channels', '#ef8636'),
    'between_places': ('between places', '#5fa55a'),
}
# Height of a layer's row in inches.
LINE = 0.34
NO_GATE = '#777777'
# Most columns of a heat map.
MOST_CLASSES = 40
STYLE = {
    'font.size': 8,
    'axes.titlesize': 8,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'svg.fonttype': 'none',
    'svg.hashsalt': 'census',
}


def draw_census(layers: Sequence[dict], title: str, path: Path) -> None:
    """Draws one row per layer with its deviations, its mean between them, and its distance under each attack.

    Args:
        layers: The `result()` of each layer.
        title: Which gates were measured, over which data.
        path: The file, `.svg` or `.png`.
    """
    attacks = list(dict.fromkeys(attack for layer in layers for attack in layer.get('distance', {})))
    widths = [3.2, 1.6, *([2.0] if attacks else [])]
    longest = max(len(layer['layer']) for layer in layers)
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(
            1,
            len(widths),
            figsize=(sum(widths) + 0.065 * longest + 0.6, LINE * len(layers) + 1.3),
            width_ratios=widths,
            sharey=True,
            layout='constrained',
        )
        for i, layer in enumerate(layers):
            _draw_layer(panels, i, layer, attacks)
        panels[0].set_yticks(range(len(layers)), [f'{layer["layer"]}\n{layer["type"]}' for layer in layers])
        panels[0].tick_params(axis='y', labelsize=6.5, length=0)
        panels[0].set_ylim(len(layers) - 0.4, -0.6)
        panels[0].set_xlim(left=0)
        panels[0].set_xlabel('standard deviation of the gate')
        panels[1].set_xlabel('mean (dot); share of\nsaturated gates (bar)')
        panels[1].set_xlim(left=0)
        handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for _, colour in DEVIATIONS.values()]
        labels = [name for name, _ in DEVIATIONS.values()]
        if attacks:
            panels[2].set_xlabel('relative distance from the clean gate')
            panels[2].set_xlim(left=0)
            handles += [plt.Rectangle((0, 0), 1, 1, color=f'C{3 + j}') for j in range(len(attacks))]
            labels += [fill(f'distance: {attack}', 44, break_long_words=False) for attack in attacks]
        figure.legend(handles, labels, loc='outside lower center', ncols=len(DEVIATIONS), frameon=False)
        figure.suptitle(title, fontsize=8.5, x=0.01, ha='left')
        _save(figure, path)


def _draw_layer(panels: Sequence[Axes], i: int, layer: dict, attacks: Sequence[str]) -> None:
    if not layer['gate']:
        words = f'no gate: changes its map by {layer["relative_change"]:.0%}'
        panels[0].annotate(words, (0, i), (3, 0), textcoords='offset points', va='center', color=NO_GATE)
        return
    for at, (name, (_, colour)) in zip((-0.25, 0, 0.25), DEVIATIONS.items(), strict=True):
        value = layer['deviations'][name]
        panels[0].barh(i + at, value, 0.23, color=colour)
        panels[0].annotate(
            f'{value:.2g}', (value, i + at), (2, 0), textcoords='offset points', va='center', fontsize=5.5
        )
    saturated = layer['saturated']
    panels[1].barh(i, saturated['low'] + saturated['high'], 0.5, color='#d9d9d9')
    panels[1].plot(layer['mean'], i, 'o', color='black', markersize=3)
    for j, attack in enumerate(attacks):
        at = i + (j - (len(attacks) - 1) / 2) * 0.7 / len(attacks)
        # A layer that is missing in an attacked model has no distance.
        value = layer['distance'].get(attack, float('nan'))
        panels[2].barh(at, value, 0.6 / len(attacks), color=f'C{3 + j}')


def draw_decisions(layers: Sequence[dict], path: Path) -> bool:
    """Draws a heat map per excitation, layers by classes, of the weights of SEM's switches; False if there are none."""
    layers = [layer for layer in layers if 'decisions' in layer]
    if not layers:
        return False
    names = list(dict.fromkeys(name for layer in layers for name in layer['decisions'][ALL]))
    classes = sorted({name for layer in layers for name in layer['decisions']} - {ALL}, key=int)
    # More would be too narrow; the JSON has all.
    classes = [ALL, *classes] if len(classes) <= MOST_CLASSES else [ALL]
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(
            1,
            len(names),
            figsize=(len(names) * (0.2 * len(classes) + 0.8) + 3.2, 0.2 * len(layers) + 1.1),
            sharey=True,
            squeeze=False,
            layout='constrained',
        )
        for axes, name in zip(panels[0], names, strict=True):
            table = [
                [layer['decisions'].get(one, {}).get(name, np.nan) for one in classes] for layer in layers
            ]
            image = axes.imshow(np.array(table), cmap='viridis', vmin=0, vmax=1, aspect='auto')
            axes.set_title(name)
            axes.set_xticks(range(len(classes)), classes, fontsize=6)
            axes.spines[:].set_visible(False)
        panels[0, 0].set_yticks(range(len(layers)), [layer['layer'] for layer in layers], fontsize=6)
        figure.supxlabel('class of the image', fontsize=7)
        figure.colorbar(image, ax=panels[0], label='weight v of the switch')
        _save(figure, path)
    return True


def _save(figure, path: Path) -> None:
    nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type')) if path.suffix == '.svg' else {}
    figure.savefig(path, metadata=nothing, dpi=160)
    plt.close(figure)
