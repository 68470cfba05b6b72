"""Hooks for configs (`ChannelsLastHook`, `CompileLayersHook`), and for our train and test tools (checkpoints,
progress).
"""

import gc
import resource
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import MMSeparateDistributedDataParallel, is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json
from attn_plugins.insertion import compile_layers, inserted_layers
from attn_plugins.registry import HOOKS
from attn_plugins.training.checkpoint import check_fits, read_weights
from attn_plugins.training.exact_resume import INEXACT

# Options of DistributedDataParallel, and of mmengine's, that can be read from one.
DISTRIBUTED = (
    'device_ids',
    'process_group',
    'broadcast_buffers',
    'find_unused_parameters',
    'static_graph',
    'gradient_as_bucket_view',
    'detect_anomalous_params',
)

# Channels that oneDNN computes together with AVX-512; with AVX2 they are 8.
ONEDNN_BLOCK = 16


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Converts the model's convolutions to channels_last; their outputs, and so all maps, follow.

    The results are the same up to rounding. On a CPU it halves the time of a training step of MobileNetV2
    (widen_factor 0.5, batch 32, 64 pixels, one thread: 86 ms against 52 ms).

    On a CPU a model with a narrow strided 1x1 convolution stays as it is, which is said: oneDNN's gradient of its
    weights writes beyond its memory in channels_last (github.com/uxlfoundation/oneDNN/issues/6035), and the process
    crashes (seen with torch 2.12.1 and 2.1.2: 8 channels, stride 2, 64 x 64 pixels).
    """

    def before_run(self, runner: Runner) -> None:
        """Converts the model before training, validation and test.

        DistributedDataParallel is wrapped around the model anew: it lays out its gradient buffers when it is built, and
        if the weights' layout changes after that, it copies the first gradients into wrong places (torch 2.1.2 and
        2.12.1).
        """
        crashing = _crashing_convolution(runner.model)
        if crashing:
            print_log(
                f'ChannelsLastHook: the model is not converted, since {crashing} may crash in channels_last on a CPU '
                '(a strided 1x1 convolution of few channels, oneDNN issue 6035)',
                'current',
            )
            return
        runner.model.to(memory_format=torch.channels_last)
        if not isinstance(runner.optim_wrapper, (OptimWrapper, OptimWrapperDict)):
            return  # no gradients: a validation or a test
        if isinstance(runner.model, MMSeparateDistributedDataParallel):
            for name in [name for name, _ in runner.model.module.named_children()]:
                _wrap_anew(runner.model.module, name)
        else:
            _wrap_anew(runner, 'model')


def _crashing_convolution(model: nn.Module) -> str | None:
    """Names the first convolution whose gradient may crash in channels_last on a CPU; None if there is none."""
    for name, module in model.named_modules():
        if (
            isinstance(module, nn.Conv2d)
            and module.weight.device.type == 'cpu'
            and module.kernel_size == (1, 1)
            and max(module.stride) > 1
            and module.in_channels // module.groups < ONEDNN_BLOCK
        ):
            return name
    return None


def _wrap_anew(owner: object, name: str) -> None:
    """Wraps a distributed model of its owner anew, with the options that it had; leaves any other as it is."""
    wrapper = getattr(owner, name)
    if isinstance(wrapper, DistributedDataParallel):
        kind, plain = type(wrapper), wrapper.module
        options = {option: getattr(wrapper, option) for option in DISTRIBUTED if hasattr(wrapper, option)}
        del wrapper
        setattr(owner, name, plain)
        gc.collect()  # the old wrapper's hooks on the weights are removed with it
        setattr(owner, name, kind(plain, **options))


@HOOKS.register_module()
class CompileLayersHook(Hook):
    """Runs the model's inserted layers, and not the host, through `torch.compile` (`attn_plugins.compile_layers`).

    `custom_hooks = [dict(type='attn_plugins.CompileLayersHook')]`. Checkpoints, resuming, EMA and evaluation are not
    affected.
    """

    priority = 'LOW'  # after EMA has made its copy

    def before_run(self, runner: Runner) -> None:
        """Compiles the layers before training, validation and test."""
        compile_layers(runner.model)


class CheckpointFitsHook(Hook):
    """Compares a checkpoint that is to be resumed or tested with the model before its weights are loaded.

    Args:
        path (Path): Where it is read from, for the message.
        advice (str): What to do if it is of another model.
    """

    def __init__(self, path: Path, advice: str):
        self.path, self.advice = path, advice

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuses a checkpoint of another model."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        check_fits(checkpoint, model, self.path, self.advice)


class StartWeightsHook(Hook):
    """Refuses to train if given start weights do not fit the part of the model that should start from them.

    They do not fit if weights of the part are missing there or have another shape. mmengine loads what fits and
    mentions the rest in one line of the log. If the weights are of a plain model without any inserted layer, inserted
    layers keep their own initial values, and so do the offsets of deformable convolutions; this is logged.

    Args:
        part (str): The part's name in the model.
        path (str): The checkpoint that the weights come from.
        prefix (str): The beginning of their names there.
    """

    def __init__(self, part: str, path: str, prefix: str):
        self.part, self.path, self.prefix = part, path, prefix

    def before_train(self, runner: Runner) -> None:
        """Compares the part with the loaded weights; a resumed training was compared when it began."""
        if runner.iter > 0:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        name = self.part
        if isinstance(runner.cfg.model.get('student'), dict):  # of a Distiller
            if name.split('.')[0] == 'teacher':
                return  # DistillationHook compares all of its weights
            name = name.removeprefix('student').removeprefix('.')
        part = model.get_submodule(name)
        own = part.state_dict()
        given = {
            key.removeprefix(self.prefix): value.shape
            for key, value in read_weights(self.path).items()
            if key.startswith(self.prefix)
        }
        kept = {words: keys for words, keys in _own_starts(part).items() if keys.isdisjoint(given)}
        own = {key: value for key, value in own.items() if not any(key in keys for keys in kept.values())}
        absent = [
            key
            for key, value in own.items()
            if given.get(key) != value.shape and not key.endswith('num_batches_tracked')
        ]
        if absent:
            raise UserError(
                f'{len(absent)} of the {len(own)} weights of {self.part} are not in {self.path} under '
                f'{self.prefix!r}, or of another shape (first: {absent[0]}): start it from a run whose '
                f'{self.part} is built alike'
            )
        for words in kept:
            runner.logger.info(
                f'{self.part} starts from {self.path}, a plain one; its {words} from their own start'
            )


def _own_starts(part: nn.Module) -> dict[str, set[str]]:
    """Returns the parts that a plain model has no weights for, described in words, and their keys.

    These are inserted layers and the offsets of mmcv's deformable convolutions.
    """
    offsets = [name for name, _ in part.named_modules() if name.endswith('.conv_offset')]
    layers = inserted_layers(part)
    groups = {
        f'{len(layers)} inserted layers': layers,
        f'{len(offsets)} offsets of deformable convolutions': offsets,
    }
    return {
        words: {key for key in part.state_dict() if key.startswith(tuple(f'{name}.' for name in names))}
        for words, names in groups.items()
        if names
    }


class ProgressHook(Hook):
    """Writes the progress of a training, its time and memory, and its learning curve into one JSON file.

    The file has `step` ('train' or 'test'), `done` (0 to 1), `text` ('epoch 3/8'), `train_seconds` (over all parts of a
    resumed training, with validation), `memory_mb` and `memory_of` ('GPU', the most that torch's allocator held, or
    'process', the largest resident size), `inexact` (why it differs from the same training without an interruption),
    `loss` (pairs of iteration and the mean training loss since the last pair) and `validation` (pairs of iteration and
    metrics).

    Args:
        path (Path): The file; a resumed training continues it.
        every (float): Minimum of seconds between two writes.
    """

    priority = 'VERY_LOW'  # the other hooks have then written losses and metrics
    POINTS = 100  # of the loss curve
    KEY = 'attn_losses'  # in a checkpoint

    def __init__(self, path: Path, every: float = 2.0):
        self.path, self.every = Path(path), every
        self.losses: list[float] = []
        self.content: dict[str, Any] = dict(
            step='train',
            done=0.0,
            text='starting',
            train_seconds=0.0,
            memory_mb=0.0,
            memory_of='GPU' if torch.cuda.is_available() else 'process',
            inexact='',
            loss=[],
            validation=[],
        )

    def before_train(self, runner: Runner) -> None:
        """Reads what an earlier part of the training wrote, up to the checkpoint that was resumed."""
        if runner.iter > 0 and (earlier := read_json(self.path)):
            self.content.update(earlier, step='train')
            for name in ('loss', 'validation'):
                self.content[name] = [point for point in earlier[name] if point[0] <= runner.iter]
        self.before, self.started, self.written = self.content['train_seconds'], time.monotonic(), 0.0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Adds the loss to the curve, and writes the file when it is time."""
        step, steps = runner.iter + 1, runner.max_iters
        self.losses.append(float(runner.message_hub.get_scalar('train/loss').current()))
        if step * self.POINTS // steps > (step - 1) * self.POINTS // steps or step == steps:
            self.content['loss'].append([step, sum(self.losses) / len(self.losses)])
            self.losses = []
        by_epoch = runner.max_epochs is not None and runner.max_epochs > 1
        text = f'epoch {runner.epoch + 1}/{runner.max_epochs}' if by_epoch else f'iteration {step}/{steps}'
        self._write(done=step / steps, text=text)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Saves the losses since the last point of the curve in the checkpoint."""
        checkpoint[self.KEY] = self.losses

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restores the losses of a training that is resumed."""
        self.losses = list(checkpoint.get(self.KEY, []))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Adds the metrics of a validation; one that was due at an interruption is run again."""
        scores = {name: float(value) for name, value in (metrics or {}).items()}
        earlier = [point for point in self.content['validation'] if point[0] != runner.iter]
        self.content['validation'] = [*earlier, [runner.iter, scores]]

    def after_train(self, runner: Runner) -> None:
        """Writes the total time, the memory, and whether it was resumed exactly."""
        self._write(now=True, inexact=runner.message_hub.get_info(INEXACT) or '')

    def before_test(self, runner: Runner) -> None:
        """Notes that the test runs now, after a training in the same process or in an earlier one."""
        self.content.update(read_json(self.path) or {})
        self.written = 0.0
        self._put(step='test', done=1.0, text='testing')

    def _write(self, now: bool = False, **changes: Any) -> None:
        if now or time.monotonic() - self.written > self.every:
            self._put(train_seconds=self.before + time.monotonic() - self.started, **changes)

    def _put(self, **changes: Any) -> None:
        self.written = time.monotonic()
        memory = max(self.content['memory_mb'], _peak_memory())
        self.content.update(changes, memory_mb=memory)
        if is_main_process():
            write_json(self.path, self.content, indent=0)


def _peak_memory() -> float:
    """Returns the peak memory so far, in MB of 2**20 bytes: of the GPU if there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
