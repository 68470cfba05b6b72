"""Counts every config x preset of a project's suites into its counted.json: parameters, M-Adds, memory of a training step."""

import argparse
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
from attn_plugins.engine.config import load_config  # noqa: E402
from attn_plugins.engine.library import build_model  # noqa: E402


def count(config: Path, preset: str, options: dict) -> dict[str, int]:
    """What can be counted of one; a segmentor on the crop that it trains on."""
    cfg = load_config(config, preset, options or None)
    size = (cfg.model.get('data_preprocessor') or {}).get('size')
    model = build_model(cfg).eval()
    inputs = make_input(cfg, model, size, batch=2)
    memory = count_training_memory(model, inputs)
    return dict(
        parameters=count_parameters(model),
        madds=count_madds(model, inputs[:1])[''],
        size=list(inputs.shape[2:]),
        weights_bytes=memory['weights'],
        bytes_per_image=memory['per_image'],
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('project', type=Path, help='projects/NAME')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    runs = {}
    for path in sorted(args.project.glob('suites/*.yml')):
        for run in read_suite(path).runs:
            runs.setdefault(f'{path.stem}/{run.config_key}/{run.preset_name}', run)
    counted = {
        name: count(run.config, run.preset, run.cfg_options) for name, run in track(runs.items(), 'counted')
    }
    (args.project / 'counted.json').write_text(json.dumps(counted, indent=0) + '\n')


if __name__ == '__main__':
    main()
