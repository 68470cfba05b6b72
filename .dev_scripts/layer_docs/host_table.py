"""The table of hosts and positions in docs/insertion.md, from the hosts that the tests build."""

from attn_plugins.insertion.host_tables import POSITIONS
from attn_plugins.insertion.locate import InsertionPoints
from tests.insertion.families import FAMILIES

BEGIN, END = '<!-- begin: hosts -->', '<!-- end: hosts -->'


def fill_in(text: str) -> str:
    """The page with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f'{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}'


def table() -> str:
    """Markdown: a row per host, and below it why a host lacks what it lacks."""
    reasons: dict[str, int] = {}
    rows = [
        f'| host | stages | {" | ".join(f"`{position}`" for position in POSITIONS)} |',
        '| --- ' * (len(POSITIONS) + 2) + '|',
    ]
    for name, family in FAMILIES.items():
        places = InsertionPoints(family.host())
        cells = [_cell(places, position, family.places[position], reasons) for position in POSITIONS]
        rows.append(f'| {name} | {family.stages or ""} | {" | ".join(cells)} |')
    notes = [f'{number}. {reason}.' for reason, number in reasons.items()]
    return '\n'.join([*rows, '', *notes])


def _cell(places: InsertionPoints, position: str, there: int | str, reasons: dict[str, int]) -> str:
    if isinstance(there, str):
        return str(reasons.setdefault(there, len(reasons) + 1))
    if position == 'level_output':
        return 'all'
    return 'all' if all(switch is True for switch in places.having(position)) else 'some'
