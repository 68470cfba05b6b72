"""Write the generated blocks of README.md, docs/results.md and the projects' pages, and the projects' plots.

`--check` writes nothing and says whether they are up to date.
"""

import argparse
import json
import re
import sys
from contextlib import suppress
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import project_plots  # noqa: E402
import project_tables  # noqa: E402

from layer_docs.markdown import prose, table  # noqa: E402
from projects.empirical_attention.translation import table as translation_table  # noqa: E402
from projects.iebn.style_transfer import figures  # noqa: E402


def models() -> str:
    """Every config of a published row: the published and the reproduced result in columns of their own."""
    rows = []
    for file in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']:
        for model in yaml.safe_load((ROOT / file).read_text())['Models']:
            published = model['Published']
            if published is None:
                continue
            result = model['Results'][0]
            ((metric, measured),) = result['Metrics'].items()
            rows.append(
                [
                    f'[{model["Name"]}](../{model["Config"]})',
                    f'{result["Dataset"]}, {metric}',
                    published['Metrics'][metric] or 'not published',
                    'not run yet' if measured is None else measured,
                    f'{model["Metadata"]["Parameters"]:,}',
                    published['Source'] or 'none',
                ]
            )
    return table(
        [
            'config',
            'metric',
            'published',
            'reproduced here',
            'parameters (counted)',
            'source of the published number',
        ],
        rows,
    )


DEMO = ROOT / 'docs' / 'demo_report.json'


def demo() -> str:
    """The whole table of `make demo`, from the report that was kept."""
    report = json.loads(DEMO.read_text())
    rows = [
        [
            comparison['name'],
            result['preset'],
            _score(result['score']),
            _difference(result['difference']),
            f'{result["parameters"]:,}',
            f'{result["madds"] / 1e6:.2f} M',
            f'{result["latency"]["median_ms"]:.2f} ms',
            f'{result["train_seconds"]:.0f} s',
        ]
        for comparison in report['comparisons']
        for result in comparison['presets']
    ]
    header = [
        'task',
        'preset',
        'score, %',
        'minus none, 95 %',
        'parameters (counted)',
        'M-Adds (counted)',
        'latency (measured)',
        'training (measured)',
    ]
    return f'{table(header, rows)}\n\n{prose(report["verdict"] + " " + _demo_made_with(report))}'


def demo_in_short() -> str:
    """A line for each task of `make demo`, from the same report."""
    report = json.loads(DEMO.read_text())
    presets = [result['preset'] for result in report['comparisons'][0]['presets']]
    rows = [
        [
            f'{comparison["name"]}, {comparison["metric"]["name"]}',
            *(
                _score(result['score'])
                + (f' ({_difference(result["difference"])})' if result['difference'] else '')
                for result in comparison['presets']
            ),
        ]
        for comparison in report['comparisons']
    ]
    return f'{table(["task", *presets], rows)}\n\n{prose(_demo_made_with(report))}'


def _score(score: dict) -> str:
    return f'{score["mean"]:.1f} ± {score["std"]:.1f}'


def _difference(difference: dict | None) -> str:
    if not difference:
        return ''
    low, high = difference['interval']
    return f'{difference["mean"]:+.1f} [{low:+.1f}, {high:+.1f}]'


def _demo_made_with(report: dict) -> str:
    (machine,) = report['made_with']['machines']
    (versions,) = report['made_with']['versions']
    (commit,) = report['made_with']['git_commits']
    return (
        f'{len(report["made_with"]["seeds"])} seeds: mean ± standard deviation, paired difference to none with its '
        f'95 % interval. Measured at commit {commit[:7]} by `make demo` on one kind of processor: {machine["cpu"]}, '
        f'{machine["cores"]} cores, torch {versions["torch"]}. Another kind rounds otherwise and gives other scores.'
    )


def style_transfer() -> str:
    """What was run offline of the style transfer of projects/iebn."""
    folder = ROOT / 'projects' / 'iebn' / 'style_transfer' / 'offline'
    return figures.table(json.loads((folder / 'losses.json').read_text()))


def translation() -> str:
    """What was run offline of the translation of projects/empirical_attention."""
    folder = ROOT / 'projects' / 'empirical_attention' / 'translation' / 'offline'
    return translation_table.table(json.loads((folder / 'results.json').read_text()))


FILES = {
    'README.md': {'demo': demo_in_short},
    'docs/results.md': {'demo': demo, 'models': models},
    **{f'projects/{project}/results.md': made for project, made in project_tables.BLOCKS.items()},
    'projects/iebn/style_transfer/README.md': {'offline': style_transfer},
    'projects/empirical_attention/translation/README.md': {'offline': translation},
}


def filled(file: str) -> str:
    """A file's text with its tables as they should be.

    Raises:
        SystemExit: A table has lost its place.
    """
    text = (ROOT / file).read_text()
    for name, make in FILES[file].items():
        begin, end = f'<!-- begin: {name} -->', f'<!-- end: {name} -->'
        block = f'{begin}\n{make()}\n{end}'
        text, count = re.subn(f'{begin}\n.*?{end}', lambda _, block=block: block, text, flags=re.DOTALL)
        if count != 1:
            sys.exit(f'{file} has no block {name!r}: put {begin} and {end} back')
    return text


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--check', action='store_true', help='write nothing; exit 1 if a table is out of date'
    )
    args = parser.parse_args()
    texts = {file: filled(file) for file in FILES}
    texts['docs/demo.svg'] = project_plots.draw_differences(json.loads(DEMO.read_text()))
    for project, pictures in project_plots.PLOTS.items():
        for name, draw in pictures.items():
            with suppress(FileNotFoundError):  # not run yet, as the table says
                texts[f'projects/{project}/{name}'] = draw(project)
    stale = [
        file
        for file, text in texts.items()
        if not (ROOT / file).is_file() or (ROOT / file).read_text() != text
    ]
    if args.check:
        if stale:
            print(
                f'the tables of {", ".join(stale)} are out of date: run python .dev_scripts/update_readme.py'
            )
        return int(bool(stale))
    for file in stale:
        (ROOT / file).write_text(texts[file])
    return 0


if __name__ == '__main__':
    sys.exit(main())
