"""Defines what a report is made of: a head and sections, over which every writer walks (writers.py)."""

from dataclasses import dataclass, field

from attn_plugins.benchmark.statistics import Estimate


@dataclass(frozen=True)
class Cell:
    """A table cell.

    Attributes:
        text: What it shows.
        order: What it sorts by; None goes last.
        detail: A second, smaller line.
        estimate: The mean over seeds that it shows, if it shows one.
        is_bad: Whether it is to be shown in red.
    """

    text: str
    order: float | str | None
    detail: str = ''
    estimate: Estimate | None = None
    is_bad: bool = False


@dataclass(frozen=True)
class Table:
    """A table: the names of its columns, and its rows."""

    header: list[str]
    rows: list[list[Cell]]

    @property
    def is_text(self) -> list[bool]:
        """Of each column, whether it holds words, which are aligned to the left, and not numbers."""
        return [any(isinstance(row[i].order, str) for row in self.rows) for i in range(len(self.header))]


@dataclass(frozen=True)
class Picture:
    """A picture of a page: its data URI, what it shows in words, and its size in pixels."""

    source: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Swatch:
    """A colour of a picture, '#rrggbb', and what it stands for."""

    colour: str
    words: str


@dataclass(frozen=True)
class GridCell:
    """Pictures side by side, and below them words, the key of their colours, and a line of its own on a map."""

    pictures: list[Picture]
    words: str
    key: list[Swatch] = field(default_factory=list)
    about_map: str = ''


@dataclass(frozen=True)
class Grid:
    """Rows of pictures.

    Attributes:
        header: The names of its columns.
        rows: Its cells.
        folders: Name of a column -> where its pictures lie as files, for pages that cannot hold them.
    """

    header: list[str]
    rows: list[list[GridCell]]
    folders: dict[str, str]


@dataclass(frozen=True)
class Section:
    """One item of a report.

    Attributes:
        title: Its heading.
        table: Its table, if it has one.
        level: Of the heading: 2, or 3 for a part of the section of level 2 before it.
        about: The file that it is about, below the heading.
        findings: Sentences that say what the table shows: above it on a page, below it on a screen, whose end is seen.
        notes: Paragraphs below the table.
        legend: Paragraphs that explain its numbers; the report prints each of them once, below all tables.
        grid: Its pictures in rows, if it has any to show.
        plots: Plots, as `<svg>` elements. A section of pictures alone is for pages that can show them.
    """

    title: str
    table: Table | None = None
    level: int = 2
    about: str = ''
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    legend: list[str] = field(default_factory=list)
    grid: Grid | None = None
    plots: list[str] = field(default_factory=list)

    @property
    def is_text(self) -> bool:
        """Whether there is anything to show without pictures."""
        return self.table is not None or not (self.plots or self.grid)


@dataclass(frozen=True)
class Report:
    """A report: its title, how many runs it is of, what its comparisons allow to say, and its sections.

    `about` is what the author of the suite says of it.
    """

    title: str
    summary: str
    verdict: str
    sections: list[Section]
    about: str = ''
