"""The table of layers x checks, from what `check_layers.py` measured."""

from layer_docs.markdown import table

COLUMNS = {
    'compile': 'torch.compile',
    'onnx': 'ONNX',
    'fp16': 'autocast fp16',
    'bf16': 'autocast bf16',
    'channels_last': 'channels_last',
}
TEXT = """<!-- Written by `make docs` from checks.json. -->
# Checks of the layers

Written by `{command}` on {cpu}, {cores} cores: {versions}.

* golden cases: the layer with the authors' weights equals the authors' code: outputs in both modes, gradients of input and
  parameters, running statistics. The worst relative error is the largest difference of all of a layer's tensors, relative
  to the largest value of its tensor; at most {tolerance:g} passes. Whole models of the authors count as
  cases of their layer, the MobileNetV2 with CoordAttention by its output in evaluation only: one rounding of its weights
  moves its training output by more than the limit. Layers without a golden case are compared with an
  independent formula in float64 by the tests.
* torch.compile: one graph (`fullgraph=True`, backend `aot_eager`), in training, same numbers.
* ONNX: exported with a free batch size, same numbers in onnxruntime.
* autocast: half precision stays half precision and near the float32 result, on the CPU.
* channels_last: kept in both modes at several sizes, same numbers.

The engineering checks run on every config of the layer that the contract tests have: passed of all.
"""


def render(record: dict) -> str:
    """checks.md."""
    machine, versions = record['machine'], record['versions']
    text = TEXT.format(
        command=record['command'],
        cpu=machine['cpu'],
        cores=machine['cores'],
        versions=', '.join(f'{name} {number}' for name, number in versions.items()),
        tolerance=record['tolerance'],
    )
    header = ['type', 'golden cases passed', 'worst relative error', *COLUMNS.values()]
    rows = [
        [
            f'[{name}]({name}.md)',
            *_golden(layer['golden']),
            *(_passed(layer['checks'][key]) for key in COLUMNS),
        ]
        for name, layer in record['layers'].items()
    ]
    failed = failures(record)
    said = '\n'.join(f'* {failure}' for failure in failed) if failed else 'None.'
    return f'{text}\n{table(header, rows)}\n\n## Failures\n\n{said}\n'


def failures(record: dict) -> list[str]:
    """One line for each check that failed."""
    lines = []
    for name, layer in record['layers'].items():
        results = {f'golden case {case}': result.get('failure') for case, result in layer['golden'].items()}
        for key, passed in layer['checks'].items():
            results |= {f'{COLUMNS[key]} of {config}': failure for config, failure in passed.items()}
        lines += [f'{name}, {what}: {failure}' for what, failure in results.items() if failure is not None]
    return lines


def _golden(cases: dict[str, dict]) -> tuple[str, str]:
    if not cases:
        return 'none: float64 formula', ''
    errors = [result['error'] for result in cases.values() if 'failure' not in result]
    return f'{len(errors)} of {len(cases)}', f'{max(errors):.1e}'.replace('0.0e+00', '0') if len(
        errors
    ) == len(cases) else 'failed'


def _passed(results: dict[str, str | None]) -> str:
    return f'{sum(failure is None for failure in results.values())} of {len(results)}'
