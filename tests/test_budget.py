"""The table of what the tests take."""

from pathlib import Path

from tests.budget import BUDGET, folder_of, table


def test_every_folder_and_file_has_a_budget():
    root = Path(__file__).parent
    nodes = [path.relative_to(root.parent).as_posix() for path in root.rglob('test_*.py')]
    assert {folder_of(node) for node in nodes} == set(BUDGET)


def test_what_takes_more_than_planned_is_said():
    lines, over = table(
        [
            ('tests/cli/test_a.py::test_b', 1.0),
            ('tests/cli/test_c.py::test_d[x/y]', 2.4),
            ('tests/test_docs.py::t', 1e4),
        ]
    )
    assert [line.split() for line in lines[1:3]] == [['cli', '3s', '230s'], ['docs', '10000s', '30s']]
    assert len(over) == 1 and over[0].startswith('tests of docs took 10000 s where 30 are planned')
