"""The losses in addition to a student's own: a module inside the student, called by hooks on the student."""

from collections.abc import Callable

from torch import Tensor, nn

from attn_plugins.distillation.compare import compare
from attn_plugins.distillation.features import Features, find, maps_of
from attn_plugins.distillation.logits import Logits, agreed_head
from attn_plugins.distillation.losses import DistillationLoss
from attn_plugins.distillation.losses.input_gradient import check_twice_differentiable, input_gradient
from attn_plugins.distillation.pairs import Pair
from attn_plugins.distillation.teacher import Teacher
from attn_plugins.errors import UserError
from attn_plugins.insertion.shapes import Shapes
from attn_plugins.insertion.tree import walk
from attn_plugins.randomness import next_number, own_stream

# The name of the module in the student. It has no weights in a state dict.
NAME = 'distillation'


class Distillation(nn.Module):
    """The losses in addition to a student's own; hooks on the student call it.

    Args:
        terms (list): Pairs of a loss and the module pairs that it compares.
        teacher (Teacher): The teacher, not built yet.
    """

    def __init__(self, terms: list[tuple[DistillationLoss, list[Pair]]], teacher: Teacher):
        super().__init__()
        self.losses = nn.ModuleList(loss for loss, _ in terms)
        self.pairs = [pairs for _, pairs in terms]
        self.teacher = teacher
        self.heads: dict[Pair, Logits | None] = {}
        self.now = None
        self.checked = self.mirroring = False
        names = [loss.name for loss in self.losses]
        if len(set(names)) < len(names):
            raise UserError(
                f'two losses have one name in {", ".join(names)}: give one of them another with name='
            )
        if self.needs_teacher and not teacher.given:
            raise UserError(
                f'{names[[loss.needs_teacher for loss in self.losses].index(True)]} compares with a teacher: '
                'give teacher='
            )

    @property
    def needs_teacher(self) -> bool:
        """Whether any loss compares with a teacher."""
        return any(loss.needs_teacher for loss in self.losses)

    def attach(self, student: nn.Module) -> None:
        """Adds itself and its hooks to the student, and tells losses with weights of their own the channels."""
        self.features = Features(student, (pair.student for pairs in self.pairs for pair in pairs), 'student')
        _check_layouts(student, [pair.student for pair in self._feature_pairs()], 'student')
        adapting = [
            (loss, pairs) for loss, pairs in zip(self.losses, self.pairs, strict=True) if loss.needs_channels
        ]
        if adapting:
            own, other = Shapes(student), Shapes(self.teacher.build())
            for loss, pairs in adapting:
                for pair in pairs:
                    channels = (
                        _channels(own, pair.student, 'student'),
                        _channels(other, pair.teacher, 'teacher'),
                    )
                    for ours, theirs in zip(*channels, strict=True):
                        loss.build_adapter(ours, theirs)
        student.add_module(NAME, self)
        student.register_forward_pre_hook(self._before, with_kwargs=True)
        student.register_forward_hook(self._after, with_kwargs=True)

    def apply(self, fn: Callable[[nn.Module], None]) -> 'Distillation':
        """Applies a function to all parts, as torch does; OpenMMLab initialises modules by it.

        The losses' own weights are drawn from a random stream of their own.
        """
        with own_stream(next_number(), 'distillation'):
            return super().apply(fn)

    def make_teacher(self, student: nn.Module) -> nn.Module:
        """Builds the teacher on the student's device; it has no weights yet.

        Args:
            student (nn.Module): The student that this module is in.

        Returns:
            nn.Module: The teacher, frozen, in eval mode.

        Raises:
            UserError: It sees other images than the student, a path is not in it, or its head turns logits into
                probabilities in another way.
        """
        teacher = self.teacher.make(student, [pair.teacher for pairs in self.pairs for pair in pairs])
        _check_layouts(teacher, [pair.teacher for pair in self._feature_pairs()], 'teacher')
        for loss, pairs in zip(self.losses, self.pairs, strict=True):
            if loss.asks_head:
                self.heads |= {pair: agreed_head(loss, pair, student, teacher) for pair in pairs}
        return teacher

    def at(self, iteration: int, iterations: int, epochs: int) -> None:
        """Tells the losses how far the training is: which iteration begins, of how many in how many epochs."""
        self.now = (iteration, iterations, epochs)

    def _feature_pairs(self) -> list[Pair]:
        by_loss = zip(self.losses, self.pairs, strict=True)
        return [pair for loss, pairs in by_loss if loss.reads == 'features' for pair in pairs]

    def _factor(self, loss: DistillationLoss) -> float:
        iteration, iterations, epochs = self.now
        if loss.schedule.by_epoch:
            return loss.schedule.factor(iteration * epochs / iterations, epochs)
        return loss.schedule.factor(iteration, iterations)

    def _is_asked(self, student: nn.Module, kwargs: dict) -> bool:
        """Tells whether this is the forward pass of a training step, and not the one of mirrored images inside it."""
        return (
            student.training and kwargs.get('mode') == 'loss' and len(self.losses) > 0 and not self.mirroring
        )

    def _before(self, student: nn.Module, args: tuple, kwargs: dict):
        """Starts to keep the student's features, and makes the images differentiable if a loss needs it."""
        if not self._is_asked(student, kwargs):
            return None
        if self.now is None:
            raise UserError(
                "a Distiller is trained with custom_hooks=[dict(type='attn_plugins.DistillationHook')], which "
                'loads and tests '
                'the teacher: add it to the config'
            )
        self.features.start()
        if not any(loss.reads == 'input_gradient' and self._factor(loss) for loss in self.losses):
            return None
        images = kwargs['inputs'] if 'inputs' in kwargs else args[0]
        images = images.detach().requires_grad_()
        return (args, {**kwargs, 'inputs': images}) if 'inputs' in kwargs else ((images, *args[1:]), kwargs)

    def _after(self, student: nn.Module, args: tuple, kwargs: dict, losses: dict) -> dict | None:
        """Adds the losses to the student's own."""
        if not self._is_asked(student, kwargs):
            return None
        kept = self.features.stop()
        batch = dict(zip(('inputs', 'data_samples'), args, strict=False)) | kwargs
        # A loss with weights of its own is computed even at factor 0: DDP waits for the gradient of every weight.
        acting = [
            (loss, pairs, factor)
            for loss, pairs in zip(self.losses, self.pairs, strict=True)
            if (factor := self._factor(loss)) or any(True for _ in loss.parameters())
        ]
        taught, gradient = {}, None
        if any(loss.needs_teacher for loss, *_ in acting):
            by_gradient = any(loss.needs_teacher and loss.reads == 'input_gradient' for loss, *_ in acting)
            taught, gradient = self.teacher.run(batch, by_gradient)
        added, share = {}, 1.0
        own_gradient = None
        for loss, pairs, factor in acting:
            if loss.reads == 'input_gradient':
                if own_gradient is None:
                    own_gradient = self._differentiate(student, losses, batch['inputs'])
                value = self._compare_gradients(loss, student, own_gradient, gradient, batch)
            else:
                maps = [
                    (pair, maps_of(kept, pair.student, 'student'), maps_of(taught, pair.teacher, 'teacher'))
                    for pair in pairs
                ]
                value = compare(loss, maps, len(batch['inputs']), self.heads)
            added[loss.name] = loss.weight * factor * value
            if factor:
                share *= loss.own_share
        return {
            key: _times(value, share) if 'loss' in key else value for key, value in losses.items()
        } | added

    def _differentiate(self, student: nn.Module, losses: dict, images: Tensor) -> Tensor:
        """Computes the gradient of the student's own losses with respect to the images; it is itself differentiable."""
        total, _ = student.parse_losses(losses)
        gradient = input_gradient(total, images, len(images), create_graph=True)
        if not self.checked:
            check_twice_differentiable(gradient, [p for p in student.parameters() if p.requires_grad])
            self.checked = True
        return gradient

    def _compare_gradients(
        self, loss: DistillationLoss, student: nn.Module, gradient: Tensor, taught: Tensor | None, batch: dict
    ) -> Tensor:
        if loss.needs_teacher:
            return loss(gradient, taught)
        if not loss.needs_flip:
            return loss(gradient)
        if any('gt_instances' in sample or 'gt_sem_seg' in sample for sample in batch['data_samples']):
            raise UserError(
                f'{loss.name} mirrors the images, and boxes and masks would have to be mirrored with them: it '
                'is for classifiers'
            )
        self.mirroring = True
        try:
            images = batch['inputs'].detach().flip(-1).requires_grad_()
            losses = student(**{**batch, 'inputs': images})
            return loss(gradient, self._differentiate(student, losses, images))
        finally:
            self.mirroring = False


def distillation_of(model: nn.Module) -> Distillation | None:
    """Finds the `Distillation` that `Distiller` has put into a model, also behind wrappers."""
    return next((module for module in model.modules() if isinstance(module, Distillation)), None)


def _check_layouts(model: nn.Module, paths: list[str], whose: str) -> None:
    """Refuses modules that are seen to return no maps, such as those with the channels last.

    Modules that are not seen are accepted.
    """
    shapes = Shapes(model)
    for path in paths:
        seen = shapes.at(find(list(walk(model)), path, whose).name)
        if seen is not None and isinstance(seen.after, str) and seen.after.startswith('a tensor'):
            raise UserError(
                f'{path!r} of the {whose} is {seen.after}: compare modules that hand on maps (N, C, H, W)'
            )


def _channels(shapes: Shapes, path: str, whose: str) -> tuple[int, ...]:
    """Finds the channels of the maps that a module returns."""
    seen = shapes.at(find(list(walk(shapes.host)), path, whose).name)
    channels = seen.after if seen else 'not seen in a forward pass'
    if isinstance(channels, int):
        return (channels,) * seen.calls
    if isinstance(channels, str):
        raise UserError(
            f'{path!r} of the {whose} is {channels}: compare modules that hand on maps (N, C, H, W)'
        )
    return channels


def _times(value, share: float):
    """Multiplies a loss, or a list of losses of several levels, by the share that is left to it."""
    if share == 1:
        return value
    return [part * share for part in value] if isinstance(value, list) else value * share
