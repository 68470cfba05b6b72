"""Counts every config x preset of a project's suites into its counted.json; what is there already is kept, it may be
stopped.
"""

import argparse
import gc
import json
import logging
import sys
from pathlib import Path

from mmcv.ops import deform_conv
from rich.progress import track
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from attn_plugins.benchmark.suite import read_suite  # noqa: E402
from attn_plugins.cost.cost import count_madds, count_parameters, count_training_memory  # noqa: E402
from attn_plugins.cost.forward_pass import make_input  # noqa: E402
from attn_plugins.datasets.heads import built_model  # noqa: E402
from attn_plugins.training.config import load_config  # noqa: E402
from attn_plugins.training.library import build_model  # noqa: E402

KERNELS = deform_conv.ext_module


class Counter:
    """Counts runs, a segmentor on the crop that it trains on.

    What stands beside the backbone costs the same in every run that leaves it as it is, and is counted once: a
    detector's heads have no kernels for shapes alone, and take a minute."""

    def __init__(self):
        self.beside = {}

    def count(self, config: Path, preset: str, options: dict) -> dict:
        """Parameters, multiply-adds, and the bytes that a training step must hold."""
        cfg = load_config(config, preset, options or None)
        size = (built_model(cfg).get('data_preprocessor') or {}).get('size')
        rest = {key: value for key, value in built_model(cfg).to_dict().items() if key != 'backbone'}
        model = build_model(cfg).eval()
        inputs = make_input(cfg, model, size, batch=2)
        backbone = _costs(model.backbone, inputs)
        key = repr((rest, inputs.shape))
        if key not in self.beside:
            whole = _costs(model, inputs)
            self.beside[key] = {cost: whole[cost] - backbone[cost] for cost in whole}
        return dict(
            parameters=count_parameters(model),
            size=list(inputs.shape[2:]),
            **{cost: value + self.beside[key][cost] for cost, value in backbone.items()},
        )


def _costs(model: nn.Module, inputs: Tensor) -> dict:
    memory = count_training_memory(model, inputs)
    return dict(madds=count_madds(model, inputs[:1])[''], **memory)


class ShapesAlone:
    """mmcv's kernels of deformable convolution, for shapes alone: the product that they end in, which is what is
    counted.
    """

    def deform_conv_forward(
        self, x: Tensor, weight: Tensor, offset: Tensor, output: Tensor, *more, **options
    ) -> None:
        """As mmcv's, for x on the meta device; any other is left to it."""
        if not x.is_meta:
            KERNELS.deform_conv_forward(x, weight, offset, output, *more, **options)
            return
        places = output[:, 0].numel()
        columns = x.new_empty(weight[0].numel(), places)
        x.new_empty(len(weight), places).addmm_(weight.flatten(1), columns)


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
    deform_conv.ext_module = ShapesAlone()
    content, counter = {}, Counter()
    for name, run in track(runs.items(), 'counted'):
        content[name] = known.get(name) or counter.count(run.config, run.preset, run.cfg_options)
        path.write_text(
            json.dumps(content | {key: known[key] for key in known if key in runs}, indent=0) + '\n'
        )
        gc.collect()  # a detector's graph is gigabytes, in a cycle
    path.write_text(json.dumps(content, indent=0) + '\n')


if __name__ == '__main__':
    main()
