"""The hook of a Distiller: loads and tests the teacher, tells how far training is, saves the losses' own weights."""

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from attn_plugins.distillation import Distillation, distillation_of
from attn_plugins.errors import UserError
from attn_plugins.randomness import next_number, own_stream
from attn_plugins.registry import HOOKS
from attn_plugins.training.scores import chance

# The key in a checkpoint, beside the student's weights, of the weights of losses that have some.
KEY = 'distillation'
# Number of batches in the teacher's test between two lines of the log.
INTERVAL = 50


@HOOKS.register_module()
class DistillationHook(Hook):
    """Prepares the teacher of an `attn_plugins.Distiller` before training, which does not run without this hook.

    The teacher gets its weights, all of them, and is tested on the validation data with the validation's metrics. A
    teacher that scores like chance is refused: otherwise a student would train with it for days without an error.
    Chance is the share of the most frequent class (top-1, plus three standard deviations), one over the number of
    classes (mIoU), and a mAP of 0.01. A resumed training has begun with the same teacher and does not test it again.

    Args:
        test_teacher (bool): Whether the teacher is tested; False for one of another task than the student.
    """

    priority = 'VERY_HIGH'  # the losses need to know how far the training is before the iteration runs

    def __init__(self, test_teacher: bool = True):
        self.test_teacher = test_teacher

    def before_train(self, runner: Runner) -> None:
        """Prepares the teacher; the student already has its weights, also those of a resumed training."""
        made = self._of(runner)
        _check_schedules(made, runner)
        if not made.needs_teacher:
            return
        # With the same seed the training is the same with any teacher.
        with own_stream(next_number(), 'teacher'):
            self._prepare(runner, made)

    def _prepare(self, runner: Runner, made: Distillation) -> None:
        """Builds, loads and tests the teacher."""
        start = made.teacher.start
        student = runner.model.module if is_model_wrapper(runner.model) else runner.model
        teacher = made.make_teacher(student)
        made.teacher.load_weights()
        if self.test_teacher and runner.iter == 0 and start is not None:
            _refuse_chance(runner, teacher, start['checkpoint'])

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Tells the losses how far the training is."""
        self._of(runner).at(runner.iter, runner.max_iters, runner.max_epochs)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Saves the losses' own weights beside the student's, which stay those of a plain model."""
        states = {loss.name: loss.state() for loss in self._of(runner).losses}
        if any(states.values()):
            checkpoint[KEY] = states

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restores the losses' own weights; a checkpoint to start from need not have any."""
        for loss in self._of(runner).losses:
            state = checkpoint.get(KEY, {}).get(loss.name)
            if state is not None:
                loss.load_state(state)

    def _of(self, runner: Runner) -> Distillation:
        made = distillation_of(runner.model)
        if made is None:
            raise UserError(
                'DistillationHook is for a model of type attn_plugins.Distiller, and this one is none: take '
                'the hook out of custom_hooks, or make the model one'
            )
        return made


def _check_schedules(made: Distillation, runner: Runner) -> None:
    """Refuses a loss that would never act in this training."""
    for loss in made.losses:
        last = runner.max_epochs if loss.schedule.by_epoch else runner.max_iters
        if loss.schedule.begin >= last:
            unit = 'epochs' if loss.schedule.by_epoch else 'iterations'
            raise UserError(
                f'{loss.name} begins at {loss.schedule.begin:g} of {last} {unit}, so it never acts: change '
                'begin or by_epoch in its schedule'
            )


def _refuse_chance(runner: Runner, teacher: nn.Module, path: str) -> None:
    """Tests the teacher as the student is validated.

    Raises:
        UserError: It scores like chance.
    """
    loop = runner.val_loop
    if loop is None:
        runner.logger.warning('the config has no validation: the teacher is not tested before training')
        return
    runner.logger.info(f'testing the teacher, {path}')
    number = len(loop.dataloader)
    with torch.no_grad():
        for done, batch in enumerate(loop.dataloader, start=1):
            try:
                outputs = teacher.val_step(batch)
            except (AssertionError, RuntimeError, TypeError, ValueError) as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise UserError(
                    f"the teacher cannot take the student's images ({reason}): give student and teacher images "
                    'of one size, '
                    'and models of one task'
                ) from error
            loop.evaluator.process(data_samples=outputs, data_batch=batch)
            if done % INTERVAL == 0:
                runner.logger.info(f'testing the teacher: batch {done} of {number}')
    scores = loop.evaluator.evaluate(len(loop.dataloader.dataset))
    bounds = {name: chance(name, loop.dataloader.dataset) for name in scores}
    known = {name: bound for name, bound in bounds.items() if bound is not None}
    said = ', '.join(
        f'{name} {float(value):.4g}' + (f' (chance: up to {known[name]:.4g})' if name in known else '')
        for name, value in scores.items()
    )
    runner.logger.info(f'the teacher: {said}')
    for name, bound in known.items():
        if not float(scores[name]) > bound:
            raise UserError(
                f'the teacher {path} scores like chance on the validation data: {name} '
                f'{float(scores[name]):.4g}, where up to {bound:.4g} is chance; give one that was trained for '
                'these data and classes, in this order and at this size (DistillationHook(test_teacher=False) '
                'takes it as it is)'
            )
    if not known:
        runner.logger.warning(
            f'what chance is for {", ".join(scores)} is not known here: look at the scores yourself'
        )
