"""What each folder of tests may take: `make test` prints it beside what was taken, and warns; no test fails by a
clock.
"""

from collections import Counter
from collections.abc import Iterable

# Seconds of one core of a machine with two free ones. Their sum over two is what `make test` takes: ten minutes.
BUDGET = {
    'benchmark': 110,
    'benchmarks': 50,
    'budget': 1,
    'cli': 230,
    'configs': 180,
    'cost': 30,
    'datasets': 40,
    'demo': 5,
    'diagram': 1,
    'distillation': 30,
    'docs': 30,
    'files': 1,
    'frozen': 90,
    'gates': 20,
    'insertion': 208,
    'layers': 100,
    'models': 20,
    'moved': 5,
    'official': 10,
    'ops': 20,
    'packaging': 10,
    'presets': 40,
    'projects': 50,
    'readme': 30,
    'registry': 20,
    'training': 30,
    'visualization': 10,
}


def folder_of(node: str) -> str:
    """'tests/cli/test_train.py::test_x' -> 'cli', 'tests/test_docs.py::test_y' -> 'docs'."""
    part = node.removeprefix('tests/').partition('::')[0].partition('/')[0]
    return part.removeprefix('test_').removesuffix('.py')


def table(durations: Iterable[tuple[str, float]]) -> tuple[list[str], list[str]]:
    """What was taken beside what may be.

    Args:
        durations: Node and seconds of every setup, call and teardown.

    Returns:
        tuple: Lines of a table, and a warning for each folder that took more.
    """
    taken = Counter()
    for node, seconds in durations:
        taken[folder_of(node)] += seconds
    lines = [f'{"folder":14}{"taken":>8}{"budget":>8}']
    lines += [f'{name:14}{seconds:7.0f}s{BUDGET.get(name, 0):7}s' for name, seconds in sorted(taken.items())]
    lines.append(f'{"all":14}{taken.total():7.0f}s{sum(BUDGET.values()):7}s')
    over = [
        f'tests of {name} took {seconds:.0f} s where {BUDGET.get(name, 0)} are planned (tests/budget.py): '
        'make them cheaper, or this machine was busy'
        for name, seconds in sorted(taken.items())
        if seconds > BUDGET.get(name, 0)
    ]
    return lines, over
