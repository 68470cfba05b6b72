"""Counts every config x preset of a project's suites into its counted.json; what is there already is kept, it may be stopped."""

import argparse
import gc
import json
import logging
import sys
from pathlib import Path

from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from attn_plugins.analysis.cost import count_madds, count_parameters, count_training_memory  # noqa: E402
from attn_plugins.analysis.forward_pass import make_input  # noqa: E402
from attn_plugins.benchmark.suite import read_suite  # noqa: E402
from attn_plugins.benchmark.suite_presets import BASELINE  # noqa: E402
from attn_plugins.engine.config import built_model, load_config  # noqa: E402
from attn_plugins.engine.library import build_model  # noqa: E402


def count(config: Path, preset: str, options: dict) -> dict:
    """What can be counted of one; a segmentor on the crop that it trains on. Memory of the plain model alone."""
    cfg = load_config(config, preset, options or None)
    size = (built_model(cfg).get('data_preprocessor') or {}).get('size')
    model = build_model(cfg).eval()
    inputs = make_input(cfg, model, size, batch=2)
    counted = dict(
        parameters=count_parameters(model),
        madds=count_madds(model, inputs[:1])[''],
        size=list(inputs.shape[2:]),
    )
    if preset == BASELINE:
        counted |= count_training_memory(model, inputs)
    return counted


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('project', type=Path, help='projects/NAME')
    parser.add_argument('--anew', action='store_true', help='count what has been counted too')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    path = args.project / 'counted.json'
    known = {} if args.anew or not path.is_file() else json.loads(path.read_text())
    runs = {}
    for suite in sorted(args.project.glob('suites/*.yml')):
        for run in read_suite(suite).runs:
            runs.setdefault(f'{suite.stem}/{run.config_key}/{run.preset_name}', run)
    content = {}
    for name, run in track(runs.items(), 'counted'):
        content[name] = known.get(name) or count(run.config, run.preset, run.cfg_options)
        path.write_text(
            json.dumps(content | {key: known[key] for key in known if key in runs}, indent=0) + '\n'
        )
        gc.collect()  # a detector's graph is gigabytes, in a cycle
    path.write_text(json.dumps(content, indent=0) + '\n')


if __name__ == '__main__':
    main()
