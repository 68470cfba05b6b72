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

from attn_plugins.benchmark.decision import p_text  # noqa: E402
from layer_docs.markdown import prose, table  # noqa: E402
from projects.empirical_attention.translation import table as translation_table  # noqa: E402
from projects.iebn.style_transfer import figures  # noqa: E402


def result() -> str:
    """What losses of attention transfer change in a student, and whether that is decided."""
    report = json.loads((ROOT / 'projects' / 'attention_transfer' / 'digitscenes_report.json').read_text())
    titles = {
        'full_activation': 'Matching whole activations',
        'at': 'Attention transfer',
        'kd': 'Knowledge distillation',
    }
    found = {name: rest for name, *rest in project_tables.differences('attention_transfer', 'student')}
    lines = []
    for name, title in titles.items():
        difference, verdict = found[name]
        low, high = difference.interval
        lines.append(
            f'* {title}: {difference.mean:+.1f} points of top-1 accuracy [{low:+.1f}, {high:+.1f}], **{verdict.word}** '
            f'(p {p_text(verdict.p_holm)}).'
        )
    (commit,) = report['made_with']['git_commits']
    how = (
        f"{len(report['made_with']['seeds'])} seeds, paired; p after Holm's correction over {len(found)} "
        'comparisons; the '
        f'weight of attention transfer was chosen on seed 0. Measured at commit {commit[:7]} by `python '
        'tools/benchmark.py '
        f'run {report["suite_file"]}`. [All seven, and what they do not show](projects/attention_transfer/README.md).'
    )
    return '\n'.join(lines) + f'\n\n{prose(how)}'


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


def demo() -> str:
    """The measured table of `make demo`, from the report that was kept."""
    report = json.loads((ROOT / 'docs' / 'demo_report.json').read_text())
    rows = []
    for comparison in report['comparisons']:
        for result in comparison['presets']:
            difference = result['difference']
            rows.append(
                [
                    comparison['name'],
                    result['preset'],
                    f'{comparison["metric"]["name"]} {result["score"]["mean"]:.2f} %',
                    f'{difference["mean"]:+.2f} (n = {difference["n"]})' if difference else '',
                    f'{result["parameters"]:,}',
                    f'{result["madds"] / 1e6:.1f} M',
                    f'{result["train_seconds"]:.0f} s',
                ]
            )
    (machine,) = report['made_with']['machines']
    (versions,) = report['made_with']['versions']
    where = (
        f'Measured on {machine["cpu"]}, {machine["cores"]} cores, torch {versions["torch"]}, mmcv {versions["mmcv"]}, '
        f'seed {report["made_with"]["seeds"][0]}.'
    )
    header = [
        'task',
        'preset',
        'score',
        'difference to none',
        'parameters (counted)',
        'M-Adds (counted)',
        'training (measured)',
    ]
    return f'{table(header, rows)}\n\n{prose(report["verdict"] + " " + where)}'


def style_transfer() -> str:
    """What was run offline of the style transfer of projects/iebn."""
    folder = ROOT / 'projects' / 'iebn' / 'style_transfer' / 'offline'
    return figures.table(json.loads((folder / 'losses.json').read_text()))


def translation() -> str:
    """What was run offline of the translation of projects/empirical_attention."""
    folder = ROOT / 'projects' / 'empirical_attention' / 'translation' / 'offline'
    return translation_table.table(json.loads((folder / 'results.json').read_text()))


FILES = {
    'README.md': {'result': result},
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
