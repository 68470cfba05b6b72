"""Make the tables of the studies' results.md from metafiles, published.yml, counted.json, configs and kept reports."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial, wraps
from pathlib import Path
from statistics import mean

import yaml
from scipy import stats

from attn_plugins.benchmark.decision import p_text
from attn_plugins.benchmark.decision import verdicts as verdicts_of
from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.statistics import paired_difference
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.datasets.known import KNOWN
from attn_plugins.training.config import load_config
from layer_docs.markdown import prose, table

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = ROOT / 'projects'
# The plain model, and every choice of the four terms of generalized attention.
SETTINGS = (BASELINE, *(f'{bits:04b}' for bits in range(16)))
# Whose papers print medians over seeds.
MEDIANS = ('attention_transfer',)
# Sustained operations per second of one GPU that the hours are reckoned with.
RATE = 1e13


def _models() -> list[dict]:
    return [
        model
        for file in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
        for model in yaml.safe_load((ROOT / file).read_text())['Models']
    ]


def published_configs(datasets: tuple[str, ...]) -> str:
    """Every config with a published number on some data sets: published and reproduced, printed and counted, apart."""
    groups: dict[str, list] = {}
    for model in _models():
        (result,) = model['Results']
        if model['Published'] and result['Dataset'].startswith(datasets):
            ((metric, measured),) = result['Metrics'].items()
            groups.setdefault(f'{result["Dataset"]}, {metric}', []).append((model, metric, measured))
    parts = []
    for title, rows in groups.items():
        lines = []
        for model, metric, measured in rows:
            given, counted = model['Published'], model['Metadata']
            lines.append(
                [
                    f'[{model["Name"]}](../../{model["Config"]})',
                    given['Metrics'][metric],
                    'not run yet' if measured is None else measured,
                    given['Parameters'] or 'not printed',
                    f'{counted["Parameters"]:,}',
                    given.get('M-Adds', 'not printed'),
                    f'{counted["M-Adds"] / 1e6:,.0f} M at {counted["Input Size"]}',
                    given.get('Note', ''),
                ]
            )
        header = ['config', 'published', 'reproduced', 'parameters (printed)', 'parameters (counted)']
        header += ['M-Adds (printed)', 'M-Adds (counted)', 'where printed and counted differ']
        parts.append(f'**{title}**\n\n{table(header, lines)}')
    return '\n\n'.join(parts)


# What rows of published.yml may have besides, all measured by those who published them.
MEASURED = {'memory': 'training memory, GB (published)', 'latency': 'inference, ms (published)'}


def published_runs(project: str) -> str:
    """Every run of a project's suites with a published number: published and reproduced, printed and counted, apart."""
    known = yaml.safe_load((PROJECTS / project / 'published.yml').read_text())
    content = json.loads((PROJECTS / project / 'counted.json').read_text())
    measured = [key for key in MEASURED if any(key in row for row in known['rows'])]
    rows = []
    for row in known['rows']:
        cost = content[f'{row["suite"]}/{row["config"]}/{row["preset"]}']
        printed, exact = row['parameters'], f'{cost["parameters"]:,}'
        cells = [
            row['suite'],
            row['config'],
            row['preset'],
            f'{row["published"]:.2f}',
            'not run yet',
            'not printed' if printed is None else f'{printed} M',
            exact,
            *(row.get(key, 'not printed') for key in measured),
            row['source'],
        ]
        rows.append([f'**{cell}**' for cell in cells] if row.get('highlighted') else cells)
    header = ['suite', 'config', 'preset', 'published, %', 'reproduced', 'parameters (printed)']
    header += ['parameters (counted)', *(MEASURED[key] for key in measured), 'source']
    sources = '; '.join(f'*{name}*: {source}' for name, source in known['sources'].items())
    return f'{table(header, rows)}\n\n{prose(sources)}'


TERMS = {
    'E1': 'query and key content',
    'E2': 'query content and position',
    'E3': 'key content',
    'E4': 'position',
}


def settings(project: str) -> str:
    """The 16 settings of the four terms with regular and deformable convolution: what a layer of each adds, and keeps
    in memory.
    """
    content = json.loads((PROJECTS / project / 'counted.json').read_text())
    regular, deformable = [
        {name: content[f'study/{config}/{name}'] for name in SETTINGS}
        for config in ('faster-rcnn', 'faster-rcnn deformable')
    ]
    rows = []
    for name in SETTINGS:
        terms = [term for term, bit in zip(TERMS, name, strict=False) if bit == '1']
        plain = name == BASELINE
        row = [name, '' if plain else ' + '.join(terms) or 'no term: the mean']
        row.append('' if plain else f'{regular[name]["parameters"] - regular[BASELINE]["parameters"]:,}')
        for costs in (regular, deformable):
            cells = [
                f'{costs[name]["madds"] / 1e9:.1f} G',
                f'{(costs[name]["weights"] + 2 * costs[name]["per_image"]) / 2**30:.2f} GiB',
            ]
            row += [f'**{cell}**' for cell in cells] if name == '0010' and costs is deformable else cells
        rows.append(row)
    header = ['setting', 'terms', 'parameters added', 'M-Adds', 'memory', 'M-Adds, deformable']
    terms = ', '.join(f'{term}: {words}' for term, words in TERMS.items())
    explained = prose(
        f'{terms}. All counted, in Faster R-CNN: M-Adds of an image of 800 x 1333, memory of the weights, '
        'their gradients '
        'and momenta, and of the maps that a training step of two images keeps for the backward pass.'
    )
    return f'{table([*header, "memory, deformable"], rows)}\n\n{explained}'


def counted(project: str) -> str:
    """Every config and preset of the suites: what the layer adds."""
    content = json.loads((PROJECTS / project / 'counted.json').read_text())
    rows = []
    for name, cost in content.items():
        suite, config, preset = name.split('/')
        if suite in ('digitscenes', 'gates'):
            continue
        plain = content.get(f'{suite}/{config}/{BASELINE}')
        more = [
            '' if preset == BASELINE or plain is None else f'{100 * (cost[key] / plain[key] - 1):+.1f} %'
            for key in ('parameters', 'madds')
        ]
        size = 'x'.join(map(str, cost['size']))
        rows.append(
            [
                suite,
                config,
                preset,
                f'{cost["parameters"]:,}',
                more[0],
                f'{cost["madds"] / 1e6:,.1f} M',
                more[1],
                size,
            ]
        )
    return table(['suite', 'config', 'preset', 'parameters', 'to none', 'M-Adds', 'to none', 'input'], rows)


def hours(project: str) -> str:
    """What a plain run of each config asks for, reckoned from what is counted."""
    content = json.loads((PROJECTS / project / 'counted.json').read_text())
    rows = []
    for path in sorted((PROJECTS / project).glob('suites/*.yml')):
        suite = read_suite(path)
        for key in suite.config_keys:
            run = next(run for run in suite.runs if run.config_key == key)
            cfg = load_config(run.config, attention=run.preset)
            if 'auto_scale_lr' not in cfg:  # DigitScenes
                continue
            batch, each = cfg.auto_scale_lr.base_batch_size, cfg.train_dataloader.batch_size
            cost = content[f'{path.stem}/{key}/{run.preset_name}']
            seen = _images_seen(cfg, batch)
            operations = 6 * cost['madds'] * seen
            memory = (cost['weights'] + each * cost['per_image']) / 2**30
            rows.append(
                [
                    path.stem,
                    key,
                    f'{batch // each} x {each}',
                    f'{seen / 1e6:.1f} M',
                    f'{operations / 1e15:,.0f}',
                    f'{operations / RATE / 3600:,.1f}',
                    f'{operations / RATE / 3600 / 8:,.1f}',
                    f'{memory:.1f} GiB',
                    len({run.preset_name for run in suite.runs if run.config_key == key}),
                ]
            )
    header = [
        'suite',
        'config',
        'GPUs x batch',
        'images seen',
        'Pflop',
        'hours on 1 GPU',
        'on 8',
        'memory per GPU',
        'presets',
    ]
    return table(header, rows)


def _images_seen(cfg, batch: int) -> int:
    """Images of a whole training."""
    if 'max_iters' in cfg.train_cfg:
        return cfg.train_cfg.max_iters * batch
    dataset = cfg.train_dataloader.dataset
    times = dataset.get('times', 1)
    root = str((dataset.dataset if 'dataset' in dataset else dataset).data_root)
    known = next(known for known in KNOWN.values() if root.startswith(known.home))
    return cfg.train_cfg.max_epochs * times * known.splits[0].images


def once_run(make: Callable[[str], str]) -> Callable[[str], str]:
    """Has a table say so where one of the files that it is made of is not there yet."""

    @wraps(make)
    def made(project: str) -> str:
        try:
            return make(project)
        except FileNotFoundError as error:
            return f'Not run yet: there is no `{Path(error.filename).name}`.'

    return made


def _report(project: str) -> dict:
    return json.loads((PROJECTS / project / 'digitscenes_report.json').read_text())


def _paired(difference: dict | None) -> list[str]:
    """A paired difference with its interval, and the least that could show."""
    if not difference or difference['n'] < 2:
        return ['', '']
    low, high = difference['interval']
    return [f'{difference["mean"]:+.1f} [{low:+.1f}, {high:+.1f}]', f'{(high - low) / 2:.1f}']


def _clear(report: dict) -> str:
    """Which differences to the plain model have an interval that excludes zero, in a sentence."""
    found = [
        (f'{comparison["name"]}/{result["preset"]}', result['difference'])
        for comparison in report['comparisons']
        for result in comparison['presets']
        if result['difference'] and result['difference']['interval']
    ]
    clear = [
        f'{name} ({difference["mean"]:+.1f})'
        for name, difference in found
        if difference['interval'][0] > 0 or difference['interval'][1] < 0
    ]
    return (
        f'The 95 % interval of the difference to the plain model excludes zero in {len(clear)} of {len(found)} '
        'comparisons'
        f'{": " + ", ".join(clear) if clear else ""}. If no preset changed anything, one comparison in twenty '
        'would still '
        'do so.'
    )


@once_run
def offline(project: str) -> str:
    """The study on DigitScenes: scores, paired differences with their intervals, and what the seeds could have
    shown.
    """
    report = _report(project)
    rows = []
    medians = project in MEDIANS
    for comparison in report['comparisons']:
        for result in comparison['presets']:
            score = result['score']
            rows.append(
                [
                    comparison['name'],
                    result['preset'],
                    f'{score["mean"]:.1f} ± {score["std"]:.1f}'
                    if score and score['std'] is not None
                    else 'not finished',
                    *([f'{score["median"]:.1f}' if score else ''] if medians else []),
                    score['n'] if score else 0,
                    *_paired(result['difference']),
                    f'{result["parameters"]:,}' if result['parameters'] else '',
                    f'{result["madds"] / 1e6:.1f} M' if result['madds'] else '',
                    f'{result["train_seconds"]:.0f} s' if result['train_seconds'] else '',
                ]
            )
    header = ['task', 'preset', 'score, %', *(['median'] if medians else []), 'seeds']
    header += ['to none, paired [95 %]', 'least that could show']
    header += ['parameters (counted)', 'M-Adds (counted)', 'training (measured)']
    machine, versions = report['made_with']['machines'][0], report['made_with']['versions'][0]
    where = f'{machine["cpu"]}, {machine["cores"]} cores, torch {versions["torch"]}, mmcv {versions["mmcv"]}'
    metrics = ', '.join(
        f'{comparison["name"]}: {comparison["metric"]["name"]}'
        for comparison in report['comparisons']
        if comparison['metric']
    )
    pairs = sorted({r['score']['n'] for c in report['comparisons'] for r in c['presets'] if r['score']})
    errors = ', '.join(f'{stats.t.ppf(0.975, n - 1):.2f} with {n} seeds' for n in pairs if n > 1)
    explained = prose(
        f"{metrics}. Measured on {where}. The interval is Student's t over the paired differences (standard "
        'errors to each '
        f'side: {errors}); a difference smaller than half of it, "least that could show", could not have been seen.'
    )
    return f'{table(header, rows)}\n\n{explained}\n\n{prose(_clear(report))}'


@once_run
def controls(project: str) -> str:
    """Each preset with controls: its gain beside theirs, and the paired difference to each."""
    rows = []
    for comparison in _report(project)['comparisons']:
        for controlled in comparison['controls']:
            for control in controlled['controls']:
                rows.append(
                    [
                        comparison['name'],
                        controlled['preset'],
                        _paired(controlled['gain'])[0],
                        control['preset'],
                        _paired(control['gain'])[0],
                        *_paired(control['difference']),
                    ]
                )
    header = ['task', 'preset', 'gain to none', 'control', "the control's gain", 'preset minus control']
    return table([*header, 'least that could show'], rows)


@once_run
def terms(project: str) -> str:
    """What each term adds: the eight settings with it against the eight without it, alike in the other three, paired
    by seed.
    """
    report = _report(project)
    rows = []
    for comparison in report['comparisons']:
        scores: dict[str, dict[int, float]] = {}
        for run in report['runs']:
            if run['config_key'] == comparison['key']:
                score = headline(run['steps']['test']['metrics']).value
                scores.setdefault(run['preset'], {})[run['seed']] = score
        if not set(SETTINGS) <= set(scores):
            continue
        bits = SETTINGS[1:]
        contrasts = {
            f'{term} ({words})': ([b for b in bits if b[i] == '1'], [b for b in bits if b[i] == '0'])
            for i, (term, words) in enumerate(TERMS.items())
        }
        contrasts['any term: all others to 0000'] = (bits[1:], bits[:1])
        contrasts['any layer: all 16 to none'] = (bits, [BASELINE])
        for name, (these, others) in contrasts.items():
            difference = paired_difference(_mean_by_seed(scores, these), _mean_by_seed(scores, others))
            rows.append([comparison['name'], name, difference.n, *_paired(asdict(difference))])
    return table(
        ['task', 'what is added', 'seeds', 'to without it, paired [95 %]', 'least that could show'], rows
    )


def differences(project: str, config: str) -> list[tuple]:
    """Name each preset's paired difference to the plain model with its verdict, by the rule for reports of today.

    Args:
        project: Whose report was kept.
        config: Key of the suite's config, whose presets are all that is compared.
    """
    scores: dict[str, dict[int, float]] = {}
    for run in _report(project)['runs']:
        if run['config_key'] == config:
            score = headline(run['steps']['test']['metrics']).value
            scores.setdefault(run['preset'], {})[run['seed']] = score
    plain = scores.pop(BASELINE)
    found = [paired_difference(each, plain) for each in scores.values()]
    return list(zip(scores, found, verdicts_of(found), strict=True))


@once_run
def verdicts(project: str) -> str:
    """The verdict of each paired difference, after Holm's correction over all of them."""
    (comparison,) = [c for c in _report(project)['comparisons'] if any(p['difference'] for p in c['presets'])]
    rows = [
        [name, difference.n, *_paired(asdict(difference)), verdict.word, f'p {p_text(verdict.p_holm)}']
        for name, difference, verdict in differences(project, comparison['key'])
    ]
    header = ['preset', 'seeds', 'to none, paired [95 %]', 'least that could show', 'verdict', 'after Holm']
    return table(header, rows)


def _mean_by_seed(scores: dict[str, dict[int, float]], presets: Sequence[str]) -> dict[int, float]:
    return {seed: mean(scores[preset][seed] for preset in presets) for seed in scores[presets[0]]}


@once_run
def trade_off(project: str) -> str:
    """What each setting of the offline form costs beside what it scores: counted and measured apart."""
    folder = PROJECTS / project
    content, latency = (json.loads((folder / f'{name}.json').read_text()) for name in ('counted', 'latency'))
    rows = []
    for comparison in _report(project)['comparisons']:
        for result in comparison['presets']:
            run = f'digitscenes/{comparison["key"]}/{result["preset"]}'
            if result['preset'] not in SETTINGS or run not in latency['runs']:
                continue
            cost, time = content[run], latency['runs'][run]
            rows.append(
                [
                    comparison['name'],
                    result['preset'],
                    f'{result["score"]["mean"]:.1f}' if result['score'] else 'not finished',
                    f'{cost["madds"] / 1e6:.1f} M',
                    f'{cost["per_image"] / 2**20:.2f} MiB',
                    f'{time["median_ms"]:.1f} ({time["p20_ms"]:.1f} to {time["p80_ms"]:.1f})',
                ]
            )
    header = ['task', 'preset', 'score, %', 'M-Adds (counted)', 'memory of an image in training (counted)']
    machine, versions = latency['machine'], latency['versions']
    explained = prose(
        f'Latency of one image without gradients, {latency["repeats"]} passes of each, all in turn; {machine["cpu"]}, '
        f'{latency["threads"]} thread(s), torch {versions["torch"]}, mmcv {versions["mmcv"]}.'
    )
    return f'{table([*header, "latency, ms, median (20 % to 80 %, measured)"], rows)}\n\n{explained}'


def gates(project: str) -> str:
    """Census and fold of the models of projects/*/gates: how constant the gates are, and the model without those that
    are.
    """
    rows = []
    for folder in sorted((PROJECTS / project / 'gates').iterdir()):
        census, fold = (json.loads((folder / f'{name}.json').read_text()) for name in ('census', 'fold'))
        layers = [layer for layer in census['layers'] if layer['gate']]
        spreads = [layer['relative_spread'] for layer in layers]
        metric = next(iter(fold['before']['metrics']))
        before, after = (fold[when] for when in ('before', 'after'))
        latencies = [
            f'{t["median_ms"]:.1f} ({t["p20_ms"]:.1f} to {t["p80_ms"]:.1f})'
            for t in (before['latency'], after['latency'])
        ]
        distances = [
            f'{name}: {max(layer["distance"][name] for layer in layers):.0%}' for name in census['attacks']
        ]
        rows.append(
            [
                folder.name.replace('_', ', '),
                f'{min(layer["mean"] for layer in layers):.2f} to {max(layer["mean"] for layer in layers):.2f}',
                f'{min(spreads):.1%} to {max(spreads):.1%}',
                f'{sum(bool(layer["into"]) for layer in fold["layers"])} of {len(fold["layers"])}',
                f'{metric}: {before["metrics"][metric]:.4g} to {after["metrics"][metric]:.4g}',
                f'{before["parameters"]:,} to {after["parameters"]:,}',
                ' to '.join(latencies),
                ', '.join(distances),
            ]
        )
    header = ['model', 'mean gate of a layer', 'spread of a gate', 'layers folded', 'score', 'parameters']
    return table([*header, 'latency, ms (20 % to 80 %)', 'greatest distance under attack'], rows)


def blocks(project: str, *names: str) -> dict:
    """The tables of a project that its results.md has."""
    return {name: partial(globals()[name], project) for name in names}


BLOCKS = {
    'coordinate_attention': {
        'published': partial(published_configs, ('ImageNet', 'COCO', 'VOC', 'Cityscapes')),
        **blocks('coordinate_attention', 'counted', 'hours', 'offline'),
    },
    **{
        project: blocks(project, 'published_runs', 'counted', 'hours', 'offline', 'controls')
        for project in ('iebn', 'sem', 'dianet')
    },
    'attention_transfer': blocks(
        'attention_transfer', 'published_runs', 'counted', 'hours', 'offline', 'verdicts'
    ),
    'empirical_attention': blocks(
        'empirical_attention',
        'published_runs',
        'settings',
        'counted',
        'hours',
        'offline',
        'terms',
        'controls',
        'trade_off',
    ),
}
BLOCKS['iebn'] |= blocks('iebn', 'gates')
