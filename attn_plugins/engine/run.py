"""One run of a config: training that resumes by itself, and testing of a checkpoint that is known to fit."""

import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from attn_plugins.datasets.check import check_data
from attn_plugins.engine.checkpoint import (
    check_fits,
    latest_checkpoint,
    numbered_checkpoints,
    progress_of,
    read_checkpoint,
)
from attn_plugins.engine.config import load_config, preset_of
from attn_plugins.engine.launch import end_distributed, init_distributed
from attn_plugins.engine.library import build_model, library_of, prepare
from attn_plugins.errors import UserError


def prepare_run(
    config: str,
    attention: str | None = None,
    cfg_options: dict | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
) -> Config:
    """Loads a config and makes it ready to run: its values, its work dir, its processes.

    Args:
        config (str): The config file.
        attention (str, optional): Name of a preset.
        cfg_options (dict, optional): Single values of the config.
        work_dir (str, optional): By default the config's own, else `work_dirs/<config>[-<preset>]`.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        UserError: Something of it does not exist or does not fit together.
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
) -> None:
    """Trains, from the work dir's last checkpoint if there is one.

    Args:
        cfg (Config): A config from :func:`prepare_run`.
        resume (str, optional): A checkpoint to resume from in place of the work dir's; 'auto' is the work dir's.
        from_scratch (bool): Starts over; the checkpoints that are there move to a folder beside.
        amp (bool): Trains in automatic mixed precision.
        auto_scale_lr (bool): Scales the learning rate by the batch size.

    Raises:
        UserError: Data are missing, a checkpoint cannot be used, or an option cannot work here.
    """
    check_data(cfg, ('train_dataloader', 'val_dataloader'))
    if amp:
        _use_amp(cfg)
    if auto_scale_lr:
        if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise UserError(
                '--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in the config: add it there'
            )
        cfg.auto_scale_lr.enable = True
    if from_scratch:
        _put_aside(Path(cfg.work_dir))
    else:
        _resume(cfg, resume)
    _runner(cfg).train()
    end_distributed()


def test(cfg: Config, checkpoint: str) -> dict[str, float]:
    """Tests a checkpoint and returns its metrics by name.

    Raises:
        UserError: Data are missing, or the checkpoint is cut short or of another model.
    """
    if cfg.get('test_cfg') is None:
        raise UserError(
            f'{cfg.filename} has no test_cfg: add test_cfg, test_dataloader and test_evaluator to it'
        )
    check_data(cfg, ('test_dataloader',))
    check_fits(
        read_checkpoint(checkpoint),
        build_model(cfg),
        checkpoint,
        'give the config, and the --attention, that it was trained with',
    )
    cfg.load_from = str(checkpoint)
    cfg.resume = False
    metrics = _runner(cfg).test()
    end_distributed()
    return {name: float(value) for name, value in metrics.items()}


def how_to_resume(work_dir: str, from_scratch: bool = False) -> str:
    """What to do after a run was cut off, for the end of a sentence."""
    path = latest_checkpoint(work_dir)
    if path is None:
        return 'run the same command again: no checkpoint was written yet, so it starts from the beginning'
    without = ' without --from-scratch' if from_scratch else ''
    return f'run the same command again{without}: it resumes from {progress_of(path)}'


def _use_amp(cfg: Config) -> None:
    """Sets what OpenMMLab's --amp sets."""
    if not torch.cuda.is_available():
        raise UserError('--amp needs a GPU: leave it out on this machine')
    if cfg.optim_wrapper.get('type', 'OptimWrapper') not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise UserError(
            f'--amp does not work with optim_wrapper.type = {cfg.optim_wrapper.type!r}: leave it out'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _resume(cfg: Config, resume: str | None) -> None:
    """Lets the Runner resume, once it is known that the checkpoint is whole and of this model."""
    path = Path(resume) if resume not in (None, 'auto') else latest_checkpoint(cfg.work_dir)
    if path is None:
        return
    check_fits(
        read_checkpoint(path),
        build_model(cfg),
        path,
        'choose another --work-dir, or start over with --from-scratch',
    )
    cfg.resume = True
    cfg.load_from = str(path)
    if is_main_process():
        print(f'resuming from {path} (--from-scratch starts over)', flush=True)


def _put_aside(work_dir: Path) -> None:
    """Moves the checkpoints of an earlier run into a folder beside, so that none of them is resumed from."""
    earlier = [*numbered_checkpoints(work_dir), *work_dir.glob('last_checkpoint')]
    if earlier and is_main_process():
        folder = work_dir / time.strftime('before_%Y%m%d_%H%M%S')
        folder.mkdir()
        for path in earlier:
            path.rename(folder / path.name)
        print(f'starting over: the earlier checkpoints are in {folder}', flush=True)
    barrier()


def _runner(cfg: Config) -> Runner:
    prepare(cfg)
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
