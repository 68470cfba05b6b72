"""Draws where a layer goes: the host's boxes in grey, the layer in blue, as SVG with the same bytes every time."""

import io

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from layer_docs.hosts import HOSTS
from layer_docs.place import Place

# All lengths in points.
HEIGHT, GAP, MARGIN, LEVEL = 24, 15, 10, 44
FONT = 8.5
HOST, LAYER, LINE = '#eceff3', '#1a5fb4', '#57606a'
SETTINGS = {
    'svg.fonttype': 'none',
    'svg.hashsalt': 'attn_plugins',
    'font.family': ['sans-serif'],
    'font.sans-serif': ['DejaVu Sans'],
    'path.simplify': False,
}


class Item:
    """A box with its place in the drawing."""

    def __init__(self, name: str, label: str, is_layer: bool):
        self.name = name
        self.label = label
        self.is_layer = is_layer
        self.width = max(26, 5.6 * len(label) + 12)
        self.x = self.y = 0.0


def draw(name: str, place: Place) -> str:
    """The picture of a layer's place.

    Args:
        name (str): The layer's type, written into its boxes.
        place (Place): Where it stands.

    Returns:
        str: SVG.
    """
    host = HOSTS[place.picture]
    rows = [_items(row, name, place.marks) for row in host.rows]
    tail = _items(host.tail, name, place.marks)
    end = max(_lay(row, MARGIN + 2 * GAP, index) for index, row in enumerate(rows))
    if tail:
        end = _lay(tail, end + 2 * GAP, (len(rows) - 1) / 2)
    width = end + GAP + MARGIN
    top = 34 if host.skips else 20
    height = top + LEVEL * (len(rows) - 1) + HEIGHT + MARGIN + (22 if host.shared else 0)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width / 72, height / 72), facecolor='white')
        canvas = FigureCanvasSVG(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        _Pen(axes, top).host(host, rows, tail, width)
        buffer = io.StringIO()
        canvas.print_svg(buffer, metadata={'Date': None, 'Creator': None})
    return '\n'.join(line.rstrip() for line in buffer.getvalue().splitlines()) + '\n'


def _items(row: tuple, name: str, marks: tuple) -> list[Item]:
    """The boxes of a row with the layer's among them."""
    items = []
    for box, label in row:
        if ('before', box) in marks:
            items.append(Item('', name, True))
        replaced = ('replace', box) in marks
        items.append(Item(box, name if replaced else label, replaced))
        if ('after', box) in marks:
            items.append(Item('', name, True))
    return items


def _lay(items: list[Item], x: float, level: float) -> float:
    """Places boxes one after another and gives the end of the last."""
    for item in items:
        item.x, item.y = x, level * LEVEL
        x += item.width + GAP
    return x - GAP


class _Pen:
    """Draws on the axes; boxes know their level, `top` is where the first begins."""

    def __init__(self, axes, top: float):
        self.axes = axes
        self.top = top

    def host(self, host, rows: list[list[Item]], tail: list[Item], width: float) -> None:
        """The whole drawing."""
        self.axes.text(MARGIN, 12, host.title, fontsize=FONT, color=LINE, va='baseline')
        start, middle = MARGIN, (rows[0][0].y + rows[-1][0].y) / 2
        for row in rows:
            self.chain(row)
            self.line((start, middle), (start + GAP, middle), (start + GAP, row[0].y), (row[0].x, row[0].y))
        if tail:
            self.chain(tail)
            for row in rows:
                end, bend = row[-1].x + row[-1].width, tail[0].x - GAP
                self.line((end, row[-1].y), (bend, row[-1].y), (bend, middle), (tail[0].x, middle))
        last = (tail or rows[0])[-1]
        self.line((last.x + last.width, last.y), (width - MARGIN, last.y))
        boxes = {item.name: item for row in (*rows, tail) for item in row}
        for first, final in host.skips:
            self.skip(rows[0], boxes[first], boxes[final])
        if host.shared:
            self.share([item for row in rows for item in row if item.is_layer])

    def chain(self, items: list[Item]) -> None:
        """Boxes and the arrows between them."""
        for item in items:
            self.box(item)
        for item, following in zip(items, items[1:], strict=False):
            self.line((item.x + item.width, item.y), (following.x, following.y))

    def box(self, item: Item) -> None:
        """One box with its label."""
        y = self.top + item.y
        face, ink = (LAYER, 'white') if item.is_layer else (HOST, 'black')
        style = 'round,pad=0,rounding_size=4'
        self.axes.add_patch(
            FancyBboxPatch((item.x, y), item.width, HEIGHT, style, facecolor=face, edgecolor=LINE, lw=0.8)
        )
        weight = 'bold' if item.is_layer else 'normal'
        self.axes.text(
            item.x + item.width / 2,
            y + HEIGHT / 2 + 3,
            item.label,
            fontsize=FONT,
            color=ink,
            weight=weight,
            ha='center',
            va='baseline',
        )

    def line(self, *points: tuple[float, float], arrow: bool = True, dashed: bool = False) -> None:
        """A path through points at the height of the boxes' middles, with a head at its end."""
        shifted = [(x, self.top + HEIGHT / 2 + y) for x, y in points]
        style = dict(color=LINE, lw=1, linestyle=(0, (3, 2)) if dashed else '-', solid_joinstyle='miter')
        self.axes.plot(*zip(*shifted, strict=True), **style)
        if arrow:
            (before, _), (x, y) = shifted[-2:]
            if x > before:
                head = [(x, y), (x - 5, y - 2.5), (x - 5, y + 2.5)]
            else:
                head = [(x, y), (x - 2.5, y - 5), (x + 2.5, y - 5)]
            self.axes.fill(*zip(*head, strict=True), color=LINE, lw=0)

    def skip(self, row: list[Item], first: Item, final: Item) -> None:
        """From before `first` (or the layer that stands before it) over the boxes into the top of `final`."""
        index = row.index(first)
        if index and row[index - 1].is_layer and not row[index - 1].name:
            first = row[index - 1]
        x, up = first.x - GAP + 4, -HEIGHT / 2 - 9
        target = final.x + final.width / 2
        self.line((x, 0), (x, up), (target, up), (target, -HEIGHT / 2))

    def share(self, items: list[Item]) -> None:
        """A dashed line below the boxes that are one layer."""
        below = HEIGHT / 2 + 8
        ends = [item.x + item.width / 2 for item in items]
        for x in ends:
            self.line((x, HEIGHT / 2), (x, below), arrow=False, dashed=True)
        self.line((ends[0], below), (ends[-1], below), arrow=False, dashed=True)
        middle = (ends[0] + ends[-1]) / 2
        y = self.top + HEIGHT / 2 + below + 11
        self.axes.text(middle, y, 'one layer', fontsize=FONT, color=LAYER, ha='center', va='baseline')
