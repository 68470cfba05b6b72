"""Kills trainings at random moments, resumes them, and compares them bit for bit with uninterrupted ones.

`python .dev_scripts/check_resume.py [NAME ...] [--kills 3] [--seed 0] [--out docs/benchmarks/resuming.md]`

Each training is `tools/train.py CONFIG` with DigitScenes that are drawn for it, first in one piece, then killed
(SIGKILL, the whole process group) after a random number of iterations and started again with the same words until it
ends. Weights, those averaged (EMA), the optimizer, schedules, the losses' own weights and all validation metrics are
compared at tolerance 0."""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from attn_plugins.datasets.digit_scenes import write_digit_scenes  # noqa: E402
from attn_plugins.training.preloaded_process import Process, start_process  # noqa: E402

COMMON = ('randomness.seed=7', 'default_hooks.logger.interval=1', 'train_dataloader.batch_size=4')
FOUR = ('train_cfg.max_epochs=4', 'train_cfg.val_interval=1')
WITHIN = ('default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.interval=3')
CLS, DET, SEG = (
    f'configs/{name}_digitscenes.py'
    for name in ('mobilenetv2/mobilenetv2', 'ssdlite/ssdlite_mobilenetv2', 'deeplabv3/deeplabv3_mobilenetv2')
)
ITERATIONS = """
_base_ = ['{root}/{base}']
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=24, val_interval=6)
train_dataloader = dict(num_workers=2, sampler=dict(type='{sampler}', shuffle=True))
param_scheduler = [dict(type='PolyLR', by_epoch=False, eta_min=1e-4, power=0.9, begin=0, end=24)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5), logger=dict(interval=1, log_metric_by_epoch=False))
custom_hooks = [dict(type='EMAHook', momentum=0.05)]
"""
STOPPING = """
_base_ = ['{root}/{base}']
train_cfg = dict(max_epochs=6, val_interval=1)
custom_hooks = [dict(type='EarlyStoppingHook', monitor='accuracy/top1', rule='greater', patience=2, min_delta=60)]
param_scheduler = [dict(type='ReduceOnPlateauParamScheduler', param_name='lr', monitor='accuracy/top1', rule='greater', patience=1, factor=0.3)]
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater', max_keep_ckpts=2))
"""
MOSAIC = """
_base_ = ['{root}/{base}']
train_dataloader = dict(num_workers=2, dataset=dict(
    _delete_=True, type='MultiImageMixDataset',
    dataset=dict(type='CocoDataset', data_root='data/digit_scenes/coco/', metainfo=dict(classes=tuple('0123456789')),
                 ann_file='annotations/instances_train.json', data_prefix=dict(img='train/'),
                 pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]),
    pipeline=[dict(type='Mosaic', img_scale=(128, 128)), dict(type='RandomAffine', border=(-64, -64)),
              dict(type='MixUp', img_scale=(128, 128)), dict(type='RandomFlip', prob=0.5),
              dict(type='Resize', scale=(128, 128), keep_ratio=False), dict(type='PackDetInputs')]))
model = dict(data_preprocessor=dict(batch_augments=[
    dict(type='BatchSyncRandomResize', random_size_range=(96, 160), size_divisor=32, interval=4)]))
"""
DISTILL = """
_base_ = ['{root}/{base}']
train_cfg = dict(max_epochs=4, val_interval=1)
model = dict(_delete_=True, type='attn_plugins.Distiller', student={{{{_base_.model}}}}, random_teacher=True,
    teacher=dict(config='{root}/{base}', backbone=dict(widen_factor=0.7), head=dict(in_channels=1280)),
    losses=[dict(type='attn_plugins.FullActivationTransfer', weight=1.0)], pairs=['backbone.layer4'])
custom_hooks = [dict(type='attn_plugins.DistillationHook', test_teacher=False)]
"""


def text(form: str, base: str, **values: str) -> str:
    """A config file's text on a base."""
    return form.format(root=ROOT, base=base, **values)


class Training(NamedTuple):
    """A training: its config, by a file's name or as text, and what else stands on the command line."""

    config: str
    preset: str = 'none'
    options: tuple[str, ...] = ()
    processes: int = 1


TRAININGS = {
    'classifier, 2 workers': Training(CLS, 'ca', (*FOUR, 'train_dataloader.num_workers=2')),
    'classifier, within epochs': Training(CLS, 'se', (*FOUR, *WITHIN)),
    'classifier, a worker that stays, within epochs': Training(
        CLS,
        'dia',
        (*FOUR, *WITHIN, 'train_dataloader.num_workers=1', 'train_dataloader.persistent_workers=True'),
    ),
    'classifier, gradients of 4 batches': Training(
        CLS, 'iebn', (*FOUR, *WITHIN, 'optim_wrapper.accumulative_counts=4')
    ),
    'classifier, stops early, best checkpoint, plateau': Training(text(STOPPING, CLS)),
    'classifier, two processes': Training(CLS, 'cbam', (*FOUR, *WITHIN, 'train_dataloader.num_workers=1'), 2),
    'classifier, shuffled gates, within epochs': Training(CLS, 'se_shuffled', (*FOUR, *WITHIN)),
    'classifier, distilled': Training(text(DISTILL, CLS), 'none', WITHIN),
    'classifier, mixed data': Training(
        'configs/resnet/resnet20_digitscenes-mixed.py',
        'iebn',
        (*FOUR, 'train_dataloader.batch_sampler.foreign=2'),
    ),
    'detector': Training(DET, 'ca', (*FOUR, 'train_dataloader.num_workers=2')),
    'detector, by iterations, EMA': Training(text(ITERATIONS, DET, sampler='InfiniteSampler'), 'se'),
    'detector, mosaic, sizes by batch': Training(text(MOSAIC, DET), 'none', (*FOUR, *WITHIN)),
    'segmentor': Training(SEG, 'gc', FOUR),
    'segmentor, by iterations, finite sampler, EMA': Training(
        text(ITERATIONS, SEG, sampler='DefaultSampler'), 'ca'
    ),
}


class Comparison(NamedTuple):
    """How often it was killed, what was said at each resuming, what the uninterrupted training came to, and what
    differs.
    """

    killed: int
    said: list[str]
    whole: dict
    differences: list[str]


def start(folder: Path, work_dir: str, training: Training, log: Path) -> Process:
    """Starts `tools/train.py`, or `dist_train.sh`, in a folder that has the data."""
    config = ROOT / training.config
    if '\n' in training.config:
        config = folder / 'mine.py'
        config.write_text(training.config)
    words = [
        '--attention',
        training.preset,
        '--work-dir',
        work_dir,
        '--cfg-options',
        *COMMON,
        *training.options,
    ]
    env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', PYTHON=sys.executable)
    with log.open('w') as out:
        files = dict(env=env, cwd=folder, stdout=out, stderr=out)
        if training.processes == 1:
            return start_process([str(ROOT / 'tools' / 'train.py'), str(config), *words], **files)
        env['PORT'] = str(random.randint(20000, 40000))
        command = [
            'bash',
            str(ROOT / 'tools' / 'dist_train.sh'),
            str(config),
            str(training.processes),
            *words,
        ]
        return subprocess.Popen(command, start_new_session=True, **files)


def compare(folder: Path, training: Training, kills: int, dice: random.Random) -> Comparison:
    """Trains twice in a folder that has the data, once with kills."""
    log = folder / 'whole.log'
    if start(folder, 'whole', training, log).wait():
        raise SystemExit(f'{log}:\n{log.read_text()[-3000:]}')
    killed, said = train_with_kills(folder, training, kills, dice, log.read_text().count('(train)'))
    whole = state(folder / 'whole')
    return Comparison(killed, said, whole, differences(whole, state(folder / 'broken')))


def kill(process: Process) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def train_with_kills(
    folder: Path, training: Training, kills: int, dice: random.Random, iterations: int
) -> tuple[int, list[str]]:
    """Kills it after a random number of iterations, as often as asked or until it ends; returns how often, and what
    was said at resuming.
    """
    done, said = 0, []
    while True:
        log = folder / f'broken{done}.log'
        process = start(folder, 'broken', training, log)
        lines = dice.randint(max(2, iterations // 5), max(2, iterations // 2))
        while process.poll() is None:
            time.sleep(0.01)
            if done < kills and log.read_text().count('(train)') >= lines:
                time.sleep(dice.uniform(0, 0.1))
                kill(process)
                break
        said += [line for line in log.read_text().splitlines() if 'resumed' in line and 'break' in line]
        if process.returncode == 0:
            return done, said
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f'{log}:\n{log.read_text()[-3000:]}')
        done += 1


def state(folder: Path) -> dict:
    """What the last checkpoint holds, and the metrics of all validations (the last of each iteration)."""
    checkpoint = torch.load(
        folder / Path((folder / 'last_checkpoint').read_text().strip()).name, weights_only=False
    )
    scores = {}
    for file in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            point = json.loads(line)
            if 'loss' not in point:
                scores[point['step']] = {k: v for k, v in point.items() if 'time' not in k}
    kept = {key: checkpoint[key] for key in checkpoint if key not in ('meta', 'message_hub')}
    return dict(
        kept,
        validations=scores,
        best=sorted(path.name for path in folder.glob('best*.pth')),
        epoch=checkpoint['meta']['epoch'],
    )


def differences(one, other, name='') -> list[str]:
    if isinstance(one, torch.Tensor):
        return (
            []
            if one.shape == other.shape and torch.equal(one.nan_to_num(7.5), other.nan_to_num(7.5))
            else [name]
        )
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [f'{name}: {sorted(map(str, set(one) ^ set(other)))[:4]}']
        return [d for key in one for d in differences(one[key], other[key], f'{name}.{key}')]
    if isinstance(one, (list, tuple)):
        if len(one) != len(other):
            return [name]
        return [
            d
            for i, (a, b) in enumerate(zip(one, other, strict=True))
            for d in differences(a, b, f'{name}.{i}')
        ]
    return [] if one == other or one != one else [f'{name}: {one} {other}']


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', default=list(TRAININGS))
    parser.add_argument('--kills', type=int, default=3)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    dice, rows, bad = random.Random(args.seed), [], 0
    with tempfile.TemporaryDirectory(prefix='resume_') as root:
        write_digit_scenes(Path(root, 'digit_scenes'), train=24, val=4, size=128, progress=False)
        for number, name in enumerate(args.names):
            data = Path(root, str(number), 'data')
            data.mkdir(parents=True)
            (data / 'digit_scenes').symlink_to(Path(root, 'digit_scenes'))
            found = compare(data.parent, TRAININGS[name], args.kills, dice)
            bad += bool(found.differences)
            weights, validations = len(found.whole['state_dict']), len(found.whole['validations'])
            rows.append(
                f'| {name} | {found.killed} | {len(found.said)} | {weights} | {validations} | '
                f'{len(found.differences)} |'
            )
            print(
                rows[-1],
                found.differences[:4],
                [line for line in found.said if 'but' in line][:1],
                flush=True,
            )
    if args.out:
        args.out.write_text(
            '# Trainings that were killed and resumed\n\n'
            + f'`python .dev_scripts/check_resume.py --kills {args.kills} --seed {args.seed}`\n\n'
            '| training | kills | resumed from a checkpoint | weights compared | validations compared | '
            'differences |\n|---|---|---|---|---|---|\n' + '\n'.join(rows) + '\n'
        )
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main())
