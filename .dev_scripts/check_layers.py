"""Runs every layer's golden cases and engineering checks; writes docs/layers/checks.json and the table in checks.md."""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from attn_plugins.machine import machine, versions  # noqa: E402
from attn_plugins.ops.mode import on_small_maps_too  # noqa: E402
from layer_docs import checks, measure  # noqa: E402
from layer_docs.page import CASES  # noqa: E402
from tests.layers import check, examples, test_golden  # noqa: E402
from tests.official import test_models  # noqa: E402

FOLDER = ROOT / 'docs' / 'layers'
# By the names of checks.COLUMNS.
CHECKS = {
    'compile': check.check_compile,
    'onnx': check.check_onnx,
    'fp16': partial(check.check_autocast, dtype=torch.float16),
    'bf16': partial(check.check_autocast, dtype=torch.bfloat16),
    'channels_last': check.check_channels_last,
}


def configs() -> dict[str, tuple[dict, int]]:
    """Every config of the contract tests with the channels that it is tested with."""
    convs = {name: {**examples.CONV_SIZES, **cfg} for name, cfg in examples.CONVS.items()}
    return {
        **{name: (cfg, 16) for name, cfg in examples.LAYERS.items()},
        **{name: (cfg, 8) for name, cfg in convs.items()},
    }


def attempt(run: Callable) -> tuple:
    """(result, None), or (None, what went wrong in one line)."""
    try:
        return run(), None
    except Exception as error:  # a failure of any kind is a result here
        lines = str(error).strip().splitlines()
        return None, f'{type(error).__name__}: {lines[0] if lines else "no message"}'


def relative_errors(case: str) -> dict[str, float]:
    """Those of a layer's or of a whole model's tensors."""
    if case in test_golden.CASES:
        return test_golden.relative_errors(case)
    return test_models.published_errors(case)


def golden_case(case: str) -> dict:
    """The tensor of a case that is farthest from the authors', or what went wrong."""
    errors, failure = attempt(lambda: relative_errors(case))
    if failure is not None:
        return dict(failure=failure)
    # A difference that is no number is the worst of all.
    worst = max(errors, key=lambda name: (errors[name] != errors[name], errors[name]))
    if not errors[worst] <= test_golden.TOLERANCE:
        return dict(failure=f'{worst} differs by {errors[worst]:.1e}')
    return dict(tensor=worst, error=errors[worst], tensors=len(errors))


def main() -> int:
    """The command line: 0 if everything passed."""
    layers = {name: dict(golden={}, checks={key: {} for key in CHECKS}) for name in measure.layers()}
    console = Console(stderr=True)
    # A plain host's case is no layer's.
    cases = {case: entry for case, entry in CASES.items() if entry['type'] in layers}
    for case, entry in track(cases.items(), 'golden cases', console=console):
        layers[entry['type']]['golden'][case] = golden_case(case)
    for name, (cfg, channels) in track(configs().items(), 'configs', console=console):
        passed = layers[cfg['type'].removeprefix('attn_plugins.')]['checks']
        for key, run in CHECKS.items():
            passed[key][name] = attempt(partial(run, cfg, channels))[1]
    record = dict(
        command='python .dev_scripts/check_layers.py',
        machine=machine(),
        versions={**versions(), 'onnx': version('onnx'), 'onnxruntime': version('onnxruntime')},
        tolerance=test_golden.TOLERANCE,
        layers=layers,
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / 'checks.json').write_text(json.dumps(record, indent=1) + '\n')
    (FOLDER / 'checks.md').write_text(checks.render(record))
    failures = checks.failures(record)
    print(f'docs/layers/checks.md: {len(layers)} layers, {len(failures)} failures')
    for failure in failures:
        print(failure)
    return int(bool(failures))


if __name__ == '__main__':
    argparse.ArgumentParser(description=__doc__).parse_args()
    with on_small_maps_too():  # the cases are small, and the fast forms are to be compared
        sys.exit(main())
