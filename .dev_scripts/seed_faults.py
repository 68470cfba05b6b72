"""Puts known faults into copies of the code, one at a time, and says which test notices each: a check of the tests.

After tests were made cheaper, `python .dev_scripts/seed_faults.py REVISION` shows whether they still notice what those of the
revision did. A fault that no test notices is an error.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Fault(NamedTuple):
    """A wrong line.

    Attributes:
        name: What is wrong.
        file: Where.
        right: The text that stands there.
        wrong: What it is replaced by.
        tests: The files and folders of tests that should notice.
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: str


FAULTS = [
    Fault('the gate closes where it should open', 'attn_plugins/ops/recalibrate.py', 'x = x * gate.to(x.dtype)', 'x = x * (1 - gate.to(x.dtype))', 'tests/layers'),
    Fault('the gradient of the gate has the wrong sign', 'attn_plugins/ops/channel_gating.py', 'return (sum_of_products(dy, x)', 'return (-sum_of_products(dy, x)', 'tests/layers'),
    Fault('coordinate attention has another activation', 'attn_plugins/layers/spatial/coord_attention.py', 'nn.Hardswish()', 'nn.ReLU6()', 'tests/layers/spatial tests/layers/test_golden.py'),
    Fault('the bases of the cosine transform are half a place off', 'attn_plugins/ops/dct.py', '(p + 0.5)', 'p', 'tests/ops tests/layers/channel tests/layers/test_golden.py'),
    Fault("IEBN's gate starts at zero", 'attn_plugins/layers/norm/iebn.py', 'nn.init.constant_(self.gate_bias, -1)', 'nn.init.constant_(self.gate_bias, 0)', 'tests/layers/norm tests/insertion/test_invariants.py'),
    Fault('a compiler sees the fast form', 'attn_plugins/ops/mode.py', '        in_compiler()  # first: torch 2.1 cannot compile the next line\n        or type', '        type', 'tests/layers/test_contract.py'),
    Fault('a trace sees the fast form', 'attn_plugins/ops/mode.py', '        or torch.jit.is_tracing()\n', '', 'tests/layers/test_contract.py'),
    Fault("the layers' start is not restored after the host's", 'attn_plugins/insertion/weights.py', '        _restore(layer)\n    return result', '    return result', 'tests/insertion/test_initialisation.py tests/insertion/test_invariants.py'),
    Fault('a key of the layers is dropped when a checkpoint is looked at', 'attn_plugins/insertion/weights.py', '(absent if not found else partly).append(name)', 'absent.append(name) if not found else None', 'tests/insertion'),
    Fault('stages that are switched off get layers too', 'attn_plugins/insertion/locate.py', 'chosen = [unit for unit, on in self._switched(by_stage, stages) if on]', 'chosen = [unit for unit, on in self._switched(by_stage, stages) if on or stages]', 'tests/insertion tests/test_presets.py'),
    Fault('a norm that is kept from fusion is skipped', 'attn_plugins/insertion/containers.py', 'leaf = self.attn_fx_node(*args, **kwargs)\n        return self.wrapped(*args, **kwargs) if leaf is None else leaf\n', 'return args[0]\n', 'tests/insertion/test_guards.py tests/insertion/test_families.py'),
    Fault('a plug that shares a layer has its own module for it', 'attn_plugins/insertion/containers.py', "return self.attn_owner[0].attn_layer", "return self.wrapped", 'tests/insertion/test_dia.py tests/insertion/test_families.py tests/insertion/test_entry.py'),
    Fault('frozen stages leave their layers free', 'attn_plugins/insertion/guards.py', '    host.train(host.training)\n', '', 'tests/insertion'),
    Fault('multiply-adds are counted twice', 'attn_plugins/cost/cost.py', 'counter.get_total_flops() // 2', 'counter.get_total_flops()', 'tests/cost tests/gates tests/test_configs.py'),
    Fault('a training begins anew and does not resume', 'attn_plugins/training/resume.py', '    checkpoint = latest_checkpoint(work_dir)\n    if checkpoint is None:', '    checkpoint = None\n    if checkpoint is None:', 'tests/cli/test_train.py tests/cli/test_resuming.py'),
    Fault('a missing image passes the check of the data', 'attn_plugins/datasets/survey.py', '        if name not in names[folder]:', '        if name not in names[folder] and absent:', 'tests/datasets tests/cli/test_bad_input.py tests/test_configs.py'),
    Fault('the teacher learns too', 'attn_plugins/distillation/teacher.py', '.eval().requires_grad_(False)', '.train().requires_grad_(False)', 'tests/distillation tests/cli/test_distillation.py'),
    Fault('a loss acts one epoch longer', 'attn_plugins/distillation/losses/loss_schedule.py', 'if not self.begin <= now < end:', 'if not self.begin <= now <= end:', 'tests/distillation/losses tests/distillation'),
    Fault('seeds are not paired', 'attn_plugins/benchmark/statistics.py', '(scores[seed], others[seed]) for seed in seeds', 'pair for pair in zip(scores.values(), others.values())', 'tests/benchmark'),
    Fault('a preset has another reduction', 'configs/_base_/attention/cbam.py', 'reduction=16))', 'reduction=8))', 'tests/test_presets.py tests/test_configs.py tests/test_docs.py tests/projects'),
    Fault('a published leaf names another preset', 'configs/ssdlite/ssdlite_mobilenetv2-ca_8xb32-200k_coco.py', "'../_base_/attention/ca.py'", "'../_base_/attention/ca_r16.py'", 'tests/test_configs.py'),
    Fault('a data base has no boxes left', 'configs/_base_/datasets/coco_ssdlite320.py', "dict(type='LoadAnnotations', with_bbox=True)", "dict(type='LoadAnnotations', with_bbox=False)", 'tests/test_configs.py'),
]  # fmt: skip


def tree_of(revision: str | None, folder: Path) -> None:
    """Writes the files of a revision, or those of the work tree, into a folder."""
    if revision is None:
        files = subprocess.run(
            ['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split('\n')
        archive = subprocess.run(
            ['tar', '-c', *filter(None, files)], cwd=ROOT, capture_output=True, check=True
        ).stdout
    else:
        archive = subprocess.run(
            ['git', 'archive', revision], cwd=ROOT, capture_output=True, check=True
        ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter='data')


def noticed_by(fault: Fault, revision: str | None) -> str | None:
    """The first test of a revision that fails under a fault."""
    with tempfile.TemporaryDirectory() as folder:
        tree_of(revision, Path(folder))
        path = Path(folder) / fault.file
        text = path.read_text()
        if text.count(fault.right) < 1:
            sys.exit(f'error: {fault.file} has no {fault.right!r} (fault "{fault.name}")')
        path.write_text(text.replace(fault.right, fault.wrong, 1))
        done = subprocess.run(
            [
                sys.executable,
                '-m',
                'pytest',
                '-q',
                '-x',
                '-n',
                '2',
                '-p',
                'no:cacheprovider',
                *fault.tests.split(),
            ],
            cwd=folder,
            env=dict(os.environ, PYTHONPATH=folder, OMP_NUM_THREADS='1'),
            capture_output=True,
            text=True,
        )
    failed = re.search(r'^(?:FAILED|ERROR) (\S+)', done.stdout, re.MULTILINE)
    if done.returncode and not failed:
        sys.exit(
            f'error: the tests did not run under "{fault.name}":\n{done.stdout[-2000:]}{done.stderr[-2000:]}'
        )
    return failed[1] if failed else None


def main() -> int:
    """Prints a row for each fault; 1 if one is noticed by no test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'revision', nargs='?', help='the revision whose tests are tried beside those of the work tree'
    )
    parser.add_argument('--only', help='words in the name of a fault')
    args = parser.parse_args()
    revisions = [None, args.revision] if args.revision else [None]
    print('| fault | file | noticed by |' + ' noticed before by |' * (len(revisions) - 1))
    print('| --- ' * (len(revisions) + 2) + '|')
    unnoticed = 0
    for fault in FAULTS:
        if args.only and args.only not in fault.name:
            continue
        tests = [noticed_by(fault, revision) for revision in revisions]
        unnoticed += tests[0] is None
        shown = ' | '.join(f'`{test}`' if test else '**none**' for test in tests)
        print(f'| {fault.name} | {fault.file} | {shown} |', flush=True)
    return int(unnoticed > 0)


if __name__ == '__main__':
    sys.exit(main())
