"""Writes a report as Markdown, HTML, CSV and LaTeX, and shows it on the screen: each walks over its sections."""

import csv
import io
import re

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column
from rich.table import Table as ScreenTable
from rich.text import Text

from attn_plugins.benchmark.report.section import Cell, Grid, Report, Section, Table

CSV_COLUMNS = ('section', 'table', 'row', 'column', 'value', 'std', 'n', 'low', 'high', 'text', 'detail')
# What Markdown takes for markup; an underscore within a word is none.
MARKUP = re.compile(r'[\\`*<|]|(?<!\w)_|_(?!\w)')
# What LaTeX takes for a command, and characters that its fonts may lack.
LATEX = {
    '\\': r'\textbackslash{}',
    '{': r'\{',
    '}': r'\}',
    '$': r'\$',
    '&': r'\&',
    '%': r'\%',
    '#': r'\#',
    '_': r'\_',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
    '"': r'\textquotedbl{}',
    '±': r'$\pm$',
    '×': r'$\times$',
    '−': '$-$',
    '–': r'\textendash{}',
    "'": r'\textquotesingle{}',
    '`': r'\textasciigrave{}',
    '[': '{[}',  # would be an option at the beginning of a row
    '*': '{*}',
}
# Characters of a cell of words that are broken to several lines.
WIDE = 32
LATEX_HEAD = r'% For \input{report}, after \usepackage[T1]{fontenc} and \usepackage{booktabs}.'


def show(report: Report, console: Console) -> None:
    """Show the tables on a screen, and last, where it is seen, what they allow to say."""
    for section in report.sections:
        if section.table:
            _show_table(section, console)
            for finding in section.findings:
                console.print(finding, markup=False, highlight=False)
            for note in section.notes:
                console.print(note, style='dim', markup=False)
    console.print(report.summary, style='dim', markup=False)
    if report.about:
        console.print(report.about, style='dim', markup=False)
    console.print(report.verdict, style='italic', markup=False)


def _show_table(section: Section, console: Console) -> None:
    """Show a table; a row whose first number is missing is dimmed. Where words would be cut, rows are lists."""
    shown = ScreenTable(
        title=Text(section.title + (f' ({section.about})' if section.about else '')),
        title_justify='left',
        title_style='bold',
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table = section.table
    for column, is_text in enumerate(table.is_text):
        words = ' '.join(
            [table.header[column], *(f'{row[column].text} {row[column].detail}' for row in table.rows)]
        )
        shown.add_column(
            Text(table.header[column]),
            justify='left' if is_text else 'right',
            min_width=max(map(cell_len, words.split())),
        )
    for row in table.rows:
        texts = ('\n'.join(filter(None, (cell.text, cell.detail))) for cell in row)
        shown.add_row(
            *(Text(text, 'red' if cell.is_bad else '') for text, cell in zip(texts, row, strict=True)),
            style='dim' if row[1].order is None else None,
        )
    # With a space after each column and two at the ends; rich itself would cut words.
    if sum(column.min_width + 1 for column in shown.columns) + 2 > console.width:
        _show_lists(section, console)
    else:
        console.print(shown)


def _show_lists(section: Section, console: Console) -> None:
    """Show each row of a table as its name, and below it a line for each other cell: its column, text and detail."""
    about = f' ({section.about})' if section.about else ''
    console.print(f'\n{section.title}{about}', style='bold', markup=False, highlight=False)
    for row in section.table.rows:
        lines = ScreenTable(
            *(Column(overflow='fold'), Column(overflow='fold')),
            title=Text(row[0].text),
            title_justify='left',
            show_header=False,
            box=None,
            padding=(0, 1),
        )
        for name, cell in list(zip(section.table.header, row, strict=True))[1:]:
            text = cell.text + (f' ({cell.detail})' if cell.detail else '')
            lines.add_row(Text(name, 'dim'), Text(text, 'red' if cell.is_bad else ''))
        console.print(lines)


def markdown(report: Report) -> str:
    """Write a page of Markdown."""
    blocks = [f'# {escape_markdown(report.title)}', *map(escape_markdown, _head(report))]
    for section in report.sections:
        if section.is_text or section.grid:
            blocks.append(f'{"#" * section.level} {escape_markdown(section.title)}')
            blocks += [f'`{section.about}`'] if section.about else []
            blocks += (
                ['\n'.join(f'* {escape_markdown(text)}' for text in section.findings)]
                if section.findings
                else []
            )
            blocks += [_markdown_table(section.table)] if section.table else []
            blocks += [_markdown_folders(section.grid)] if section.grid and section.grid.folders else []
            blocks += map(escape_markdown, section.notes)
    return '\n\n'.join(blocks) + '\n'


def _head(report: Report) -> list[str]:
    """List the paragraphs below the title."""
    return list(filter(None, (report.about, report.summary, report.verdict)))


def _markdown_table(table: Table) -> str:
    rows = [table.header]
    rows += [[cell.text + (f' ({cell.detail})' if cell.detail else '') for cell in row] for row in table.rows]
    lines = [f'| {" | ".join(map(escape_markdown, row))} |' for row in rows]
    lines.insert(1, f'|{"|".join("---" if is_text else "--:" for is_text in table.is_text)}|')
    return '\n'.join(lines)


def _markdown_folders(grid: Grid) -> str:
    return '\n'.join(f'* {escape_markdown(name)}: `{folder}`' for name, folder in grid.folders.items())


def escape_markdown(text: str) -> str:
    """Escape what Markdown or HTML takes for markup; write it in one line."""
    return MARKUP.sub(r'\\\g<0>', _one_line(text))


def html(report: Report) -> str:
    """Write a page that needs nothing but itself."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader('attn_plugins.benchmark'),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template('report.html.j2').render(report=report)


def csv_text(report: Report) -> str:
    """Write a line for each cell, with plain numbers: the value, and of means over seeds their std, n and interval.

    Head and notes are lines too. Any spreadsheet or `pandas.read_csv` reads it; `text` is what the other forms show.
    """
    file, part = io.StringIO(), ''
    writer = csv.DictWriter(file, CSV_COLUMNS, lineterminator='\n')
    writer.writeheader()
    if report.about:
        writer.writerow(dict(section=report.title, row='about', text=report.about))
    writer.writerow(dict(section=report.title, row='summary', text=report.summary))
    writer.writerow(dict(section=report.title, row='verdict', text=report.verdict))
    for section in report.sections:
        part = section.title if section.level == 2 else part
        where = dict(section=part, table=section.title)
        if section.about:
            writer.writerow(dict(where, row='about', text=section.about))
        for row in section.table.rows if section.table else ():
            for column, cell in zip(section.table.header, row, strict=True):
                writer.writerow(dict(where, row=row[0].text, column=column, **_csv_cell(cell)))
        writer.writerows(dict(where, row='finding', text=text) for text in section.findings)
        if section.is_text:
            writer.writerows(dict(where, row='note', text=note) for note in section.notes)
    return file.getvalue()


def _csv_cell(cell: Cell) -> dict:
    found = dict(text=cell.text, detail=cell.detail)
    if not isinstance(cell.order, str):
        found['value'] = cell.order
    if cell.estimate:
        low, high = cell.estimate.interval or (None, None)
        found |= dict(std=cell.estimate.std, n=cell.estimate.n, low=low, high=high)
    return found


def latex(report: Report) -> str:
    """Write a part of a LaTeX document: its tables by booktabs, each with its notes."""
    blocks = [LATEX_HEAD, rf'\section*{{{escape_latex(report.title)}}}']
    blocks += map(escape_latex, _head(report))
    for section in report.sections:
        if section.is_text:
            command = 'subsection' if section.level == 2 else 'subsubsection'
            blocks.append(rf'\{command}*{{{escape_latex(section.title)}}}')
            blocks += [rf'\texttt{{{escape_latex(section.about)}}}'] if section.about else []
            blocks += map(escape_latex, section.findings)
            blocks += [_latex_table(section.table)] if section.table else []
            blocks += map(escape_latex, section.notes)
    return '\n\n'.join(blocks) + '\n'


def _latex_table(table: Table) -> str:
    columns = ''.join('l' if is_text else 'r' for is_text in table.is_text)
    rows = [[escape_latex(name) for name in table.header]]
    rows += [
        [_latex_cell(cell, column) for cell, column in zip(row, columns, strict=True)] for row in table.rows
    ]
    head, *body = (' & '.join(row) + r' \\' for row in rows)
    return '\n'.join(
        [
            rf'\begin{{tabular}}{{{columns}}}',
            r'\toprule',
            head,
            r'\midrule',
            *body,
            r'\bottomrule',
            r'\end{tabular}',
        ]
    )


def _latex_cell(cell: Cell, column: str) -> str:
    """Write a cell, its detail on a smaller line below; words are broken to lines of that column."""
    lines = escape_latex(cell.text)
    if cell.detail:
        lines += rf' \\ \footnotesize {escape_latex(cell.detail)}'
    if column == 'l' and (cell.detail or len(cell.text) > WIDE):
        return rf'\parbox[t]{{{WIDE // 2}em}}{{\raggedright {lines}}}'
    return rf'\begin{{tabular}}[t]{{@{{}}r@{{}}}}{lines}\end{{tabular}}' if cell.detail else lines


def escape_latex(text: str) -> str:
    """Write a text so that LaTeX prints it as it is, in one paragraph."""
    escaped = ''.join(LATEX.get(letter, letter) for letter in _one_line(text))
    return re.sub('-(?=-)', '-{}', escaped)  # two hyphens would be one dash


def _one_line(text: str) -> str:
    return ' '.join(text.splitlines())


# By the suffix of the file.
WRITERS = {'md': markdown, 'html': html, 'csv': csv_text, 'tex': latex}
