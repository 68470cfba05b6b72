"""Trains and tests a config: a training resumes by itself if it is the same one; a tested checkpoint fits its model."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import format_exception, walk_tb

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger, print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, TestLoop, ValLoop

from attn_plugins.datasets.check import check_data
from attn_plugins.datasets.heads import built_model
from attn_plugins.errors import UserError
from attn_plugins.explain import explain, explain_batch, is_disk_full
from attn_plugins.training.checkpoint import check_file, seed_of
from attn_plugins.training.config import load_config
from attn_plugins.training.divergence import FiniteLossHook
from attn_plugins.training.drawn_order import DrawnOrderHook
from attn_plugins.training.exact_resume import ResumeHook
from attn_plugins.training.hooks import CheckpointFitsHook
from attn_plugins.training.launch import init_distributed
from attn_plugins.training.library import library_of, prepare
from attn_plugins.training.loops import ExactRunner
from attn_plugins.training.presets import preset_of
from attn_plugins.training.resume import (
    Decision,
    TrainingRecordHook,
    decide,
    put_aside,
    say,
    training_settings,
)
from attn_plugins.training.scores import NoDetectionsHook


def prepare_run(
    config: str,
    attention: str | None = None,
    cfg_options: dict | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
) -> Config:
    """Loads a config and prepares it for a run: its values, its work dir, its processes.

    Args:
        config (str): The config file.
        attention (str, optional): A preset.
        cfg_options (dict, optional): Single values of the config.
        work_dir (str, optional): By default the config's own, else `work_dirs/<config>[-<preset>]`.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        UserError: A file or value does not exist, or they do not fit together.
    """
    cfg = load_config(config, attention, cfg_options)
    library_of(cfg)
    preset = preset_of(cfg)
    default = Path('work_dirs', Path(config).stem + (f'-{preset}' if preset else ''))
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(default)
    init_distributed(cfg, launcher)
    return cfg


def train(
    cfg: Config,
    resume: str | None = None,
    from_scratch: bool = False,
    amp: bool = False,
    auto_scale_lr: bool = False,
    hooks: Sequence[Hook] = (),
) -> None:
    """Trains a config; goes on from the work dir's last checkpoint if that is of the same training.

    Args:
        cfg (Config): A config from :func:`prepare_run`.
        resume (str, optional): A checkpoint to resume from in place of the work dir's; 'auto' is the work dir's. Both
            go on even if the settings have changed.
        from_scratch (bool): Starts over; existing checkpoints move to a folder beside.
        amp (bool): Trains in automatic mixed precision.
        auto_scale_lr (bool): Scales the learning rate by the batch size.
        hooks (Sequence[Hook]): More hooks of this training, beside the config's.

    Raises:
        UserError: Data are missing, the work dir holds another training, a checkpoint cannot be used, or an option
            cannot work here.
    """
    # Quick checks come first, then the data, whose classes need their library.
    interval = (cfg.get('train_cfg') or {}).get('val_interval', 1)
    if not isinstance(interval, int) or interval < 1:
        raise UserError(
            f'train_cfg.val_interval is {interval!r}: set how many epochs, or iterations, stand between validations'
        )
    _check_weights(cfg)
    if amp:
        _use_amp(cfg)
    if auto_scale_lr:
        if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise UserError(
                '--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in the config: add it there'
            )
        cfg.auto_scale_lr.enable = True
    warnings = check_data(cfg, ('train_dataloader', 'val_dataloader'))
    prepare(cfg)  # before its settings are read: a dumped config has the settings after it
    work_dir = Path(cfg.work_dir)
    settings = training_settings(cfg, work_dir)
    hooks = [*hooks, TrainingRecordHook(work_dir, settings), FiniteLossHook()]
    if from_scratch:
        put_aside(work_dir)
        decision = Decision()
    else:
        decision = decide(cfg, work_dir, resume, settings)
    if decision.checkpoint is not None and decision.end:
        say(
            f'{work_dir}: this training has finished, {decision.checkpoint.name} is {decision.end} '
            '(--from-scratch starts over)'
        )
        return
    if decision.checkpoint is not None:
        cfg.resume, cfg.load_from = True, str(decision.checkpoint)
        if cfg.get('randomness', {}).get('seed') is None:  # mmengine would draw one for the data
            cfg.randomness = {**cfg.get('randomness', {}), 'seed': seed_of(decision.checkpoint)}
        advice = 'choose another --work-dir, or start over with --from-scratch'
        hooks.append(CheckpointFitsHook(decision.checkpoint, advice))
        say(f'resuming from {decision.checkpoint} (--from-scratch starts over)')
    runner = _build(cfg, [*hooks, ResumeHook(decision.changed)])
    # Into the run's log, which exists now.
    for text in warnings:
        runner.logger.warning(text)
    warn_of_random_start(cfg)
    begun = runner.iter
    with _first_batch_explained(lambda: runner.iter == begun):
        runner.train()


def test(cfg: Config, checkpoint: str | Path, hooks: Sequence[Hook] = ()) -> dict[str, float]:
    """Tests a checkpoint and returns its metrics by name.

    Raises:
        UserError: Data are missing, or the checkpoint is cut short or of another model.
    """
    if cfg.get('test_cfg') is None:
        raise UserError(
            f'{cfg.filename} has no test_cfg: add test_cfg, test_dataloader and test_evaluator to it'
        )
    check_file(checkpoint)
    warnings = check_data(cfg, ('test_dataloader',))
    cfg.load_from, cfg.resume = str(checkpoint), False
    fits = CheckpointFitsHook(
        Path(checkpoint), 'give the config, and the --attention, that it was trained with'
    )
    prepare(cfg)
    runner = _build(cfg, [*hooks, fits])
    for text in warnings:
        runner.logger.warning(text)
    with _first_batch_explained(lambda: True):
        metrics = runner.test()
    return {name: float(value) for name, value in metrics.items()}


def _check_weights(cfg: Config) -> None:
    """Refuses start weights if their file is missing or no checkpoint: `load_from`, `init_cfg` and `pretrained`."""
    names = []

    def collect(part: object) -> None:
        if isinstance(part, dict):
            init_cfg = part.get('init_cfg')
            for each in init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]:
                names.append(each.get('checkpoint') if isinstance(each, dict) else None)
            names.append(part.get('pretrained'))
        for child in (
            part.values() if isinstance(part, dict) else part if isinstance(part, (list, tuple)) else ()
        ):
            collect(child)

    collect(cfg.get('model'))
    # The value may also be something else than a file, such as a name on a hub.
    for name in [
        cfg.get('load_from'),
        *(n for n in names if isinstance(n, str) and n.endswith(('.pth', '.pt'))),
    ]:
        if name:
            check_file(name)


def warn_of_random_start(cfg: Config) -> None:
    """One warning for a detector or segmentor that gets no trained backbone.

    Nothing of it is wrong, and nothing of it is what the published results did. Stages that are frozen at random, and
    batch norms that keep the statistics of no data, are named.
    """
    model = built_model(cfg)
    backbone = model.get('backbone') or {}
    start = backbone.get('init_cfg')
    starts = start if isinstance(start, (list, tuple)) else [start]
    given = any(isinstance(item, dict) and item.get('type') == 'Pretrained' for item in starts)
    if (
        cfg.default_scope == 'mmpretrain'
        or given
        or cfg.get('load_from')
        or backbone.get('pretrained')
        or model.get('pretrained')
    ):
        return
    kept = []
    if backbone.get('frozen_stages', -1) >= 0:
        kept.append(f'frozen_stages={backbone["frozen_stages"]} keeps the first stages so')
    if backbone.get('norm_eval'):
        kept.append('norm_eval=True keeps batch norms at the statistics of no data')
    print_log(
        f'the backbone starts at random{"".join(f", and {what}" for what in kept)}: give it trained weights '
        'with --cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE, '
        'and model.backbone.init_cfg.prefix=backbone. for those of a classifier',
        'current',
        logging.WARNING,
    )


def _use_amp(cfg: Config) -> None:
    """Sets the values that OpenMMLab's --amp sets."""
    if not torch.cuda.is_available():
        raise UserError('--amp needs a GPU: leave it out on this machine')
    if cfg.optim_wrapper.get('type', 'OptimWrapper') not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise UserError(
            f'--amp does not work with optim_wrapper.type = {cfg.optim_wrapper.type!r}: leave it out'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


@contextmanager
def _first_batch_explained(is_first: Callable[[], bool]) -> Iterator[None]:
    """Explains in a sentence why a model cannot take its first batch; an error at a later step would be a defect.

    The traceback of any error also goes into the run's log file, so that it is not lost.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        MMLogger.get_current_instance().error(''.join(format_exception(error)))
        # Also in a validation: what its model cannot do now, it could not do at the start.
        frames = (frame.f_locals.get('self') for frame, _ in walk_tb(error.__traceback__))
        is_explained = is_first() or any(isinstance(loop, (ValLoop, TestLoop)) for loop in frames)
        sentence = explain_batch(error) if is_explained and explain(error) is None else None
        if sentence is None or is_disk_full(error):
            raise
        raise UserError(sentence) from error


def _build(cfg: Config, hooks: Sequence[Hook]) -> Runner:
    """Builds the Runner of a prepared config, with more hooks than the config's."""
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else ExactRunner.from_cfg(cfg)
    for hook in (NoDetectionsHook(), DrawnOrderHook(), *hooks):
        runner.register_hook(hook)
    return runner
