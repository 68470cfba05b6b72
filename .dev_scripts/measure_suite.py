"""Measures the latency of every config x preset of a project's offline suite, in turn, into the project's
latency.json.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from attn_plugins.benchmark.suite import read_suite  # noqa: E402
from attn_plugins.cost.cost import measure_in_turn  # noqa: E402
from attn_plugins.cost.forward_pass import make_input  # noqa: E402
from attn_plugins.machine import machine, versions  # noqa: E402
from attn_plugins.training.config import load_config  # noqa: E402
from attn_plugins.training.library import build_model  # noqa: E402


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'suite', type=Path, help='projects/NAME/suites/SUITE.yml, of models that a CPU can pay for'
    )
    parser.add_argument('--repeats', type=int, default=30, help='timed passes of each (default: 30)')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    built = {}
    for run in read_suite(args.suite).runs:
        name = f'{args.suite.stem}/{run.config_key}/{run.preset_name}'
        if name not in built:
            cfg = load_config(run.config, run.preset, run.cfg_options or None)
            model = build_model(cfg).eval()
            built[name] = model, make_input(cfg, model)
    runs = {
        name: {key: round(latency[key], 3) for key in ('p20_ms', 'median_ms', 'p80_ms')}
        for name, latency in measure_in_turn(built, args.repeats).items()
    }
    content = dict(
        machine=machine(),
        versions=versions(),
        threads=torch.get_num_threads(),
        repeats=args.repeats,
        runs=runs,
    )
    path = args.suite.resolve().parents[1] / 'latency.json'
    path.write_text(json.dumps(content, indent=1) + '\n')
    print(f'{len(runs)} models: {path}')


if __name__ == '__main__':
    main()
