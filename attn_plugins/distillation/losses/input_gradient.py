"""Computes the gradient of a loss with respect to the images, and refuses models that cannot differentiate it again."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from attn_plugins.compat import differentiable_once
from attn_plugins.errors import UserError
from attn_plugins.ops.pool import at_least_float32

# In half precision a sample's gradient underflows without this factor. It is a power of two, so that in full precision
# nothing changes, and small enough that gradients up to 256 stay below float16's largest number.
SCALE = 256
# The messages of torch and torchvision about a missing second derivative, with the operation if they name it.
MISSING = (
    r"derivative for '?([\w:]+)'? is not implemented",
    r'[Dd]ouble backwards? on (\w+) (?:is )?not supported',
    r'(torch\.compile) with aot_autograd does not currently support double backward',
)


def input_gradient(total: Tensor, inputs: Tensor, samples: int, create_graph: bool) -> Tensor:
    """Computes d(samples * total) / d inputs, in the inputs' shape, at least float32.

    For a loss that is a mean over the batch this is each sample's own gradient. Against underflow in half precision the
    loss is multiplied by `SCALE` before and the gradient divided by it afterwards. If that overflows, the gradient is
    computed again without it.

    Args:
        total (Tensor): The scalar loss.
        inputs (Tensor): The images, (N, C, H, W), which required a gradient when the loss was computed.
        samples (int): N, over which the loss is a mean.
        create_graph (bool): Whether the gradient will be differentiated itself: a student's, not a teacher's.

    Raises:
        UserError: The loss does not depend on the inputs, or, with `create_graph`, an operation between them is
            marked as differentiable only once.
    """
    if create_graph:
        _refuse_once_differentiable(total, inputs)
    gradient = None
    for scale in (SCALE, 1):
        # A backward pass has the precision of the ops in the forward pass and needs no autocast of its own.
        if total.requires_grad:
            with torch.autocast(inputs.device.type, enabled=False):
                (gradient,) = torch.autograd.grad(
                    total,
                    inputs,
                    torch.full_like(total, samples * scale),
                    retain_graph=True,
                    create_graph=create_graph,
                    allow_unused=True,
                )
        if gradient is None:
            raise UserError(
                'the loss does not depend on the images, so it has no input gradient: choose '
                'attn_plugins.ActivationTransfer, or a model whose losses are computed from the images without a detach'
            )
        if gradient.isfinite().all():
            break
    return at_least_float32(gradient) / scale


def check_twice_differentiable(gradient: Tensor, parameters: Sequence[Tensor]) -> None:
    """Checks once in a training that an input gradient can be differentiated with respect to the parameters.

    Args:
        gradient (Tensor): The result of `input_gradient` with `create_graph`.
        parameters (sequence): The trained parameters.

    Raises:
        UserError: An operation of the model has no second derivative, or the gradient depends on none of the
            parameters.
    """
    found = []
    if gradient.requires_grad:
        try:
            found = torch.autograd.grad(
                gradient.square().sum(), parameters, retain_graph=True, allow_unused=True
            )
        except RuntimeError as error:
            matches = [re.search(pattern, str(error)) for pattern in MISSING]
            names = [match[1] for match in matches if match]
            if not names:
                raise
            raise _no_second_derivative(names[0]) from error
    if all(part is None for part in found):
        raise UserError(
            "the model's input gradient depends on no weight that is trained, so that it cannot be changed: "
            'train layers '
            'between the images and the loss, or choose attn_plugins.ActivationTransfer'
        )


def _refuse_once_differentiable(total: Tensor, inputs: Tensor) -> None:
    """Refuses Python autograd functions marked as once differentiable, which torch's messages do not name.

    Nothing is computed for it.
    """
    for node in _between(total, inputs):
        name = differentiable_once(node)
        if name is not None:
            raise _no_second_derivative(name)


def _between(total: Tensor, inputs: Tensor) -> list:
    """Lists the nodes of the graph on all paths from the loss to the inputs."""
    parents, todo = {total.grad_fn: []}, [total.grad_fn]
    while todo:
        node = todo.pop()
        for child, _ in node.next_functions if node is not None else ():
            if child not in parents:
                parents[child] = []
                todo.append(child)
            parents[child].append(node)
    start = inputs.view_as(inputs).grad_fn.next_functions[0][0]
    found, todo = {start}, [start]
    while todo:
        for parent in parents.get(todo.pop(), ()):
            if parent not in found:
                found.add(parent)
                todo.append(parent)
    return list(found)


def _no_second_derivative(operation: str) -> UserError:
    return UserError(
        f'the model has an operation without a second derivative, {operation}, which losses of the input '
        'gradient need: choose attn_plugins.ActivationTransfer, or a model without it'
    )
