"""The private names of torch that this package leans on: each with what it is for and where it was last seen.

Everything else takes them from here, so that a new version breaks this file and no other; those of mmengine stand in
`mim.py`, which must not import torch. Two private names cannot stand here: `_load_from_state_dict`, torch's way to
rename keys before they are loaded, and `_save_to_state_dict` are overridden in the classes that need it (`Wrapper`,
`GeneralizedAttention`,
`Adapter`). Seen in torch 2.1.2 and
2.12.1, unless another is named.
"""

import inspect
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = [
    'CPU_ATTENTION',
    'IN_PLACE_PRODUCTS',
    'BatchNorm',
    'CompilerBytes',
    'OldFlopCounterMode',
    'TorchDispatchMode',
    'buffers_of',
    'call_module',
    'changed_arguments',
    'children_of',
    'compile_function',
    'counts_graphs_by_function',
    'differentiable_once',
    'forget_graphs',
    'has_hooks',
    'in_backward',
    'in_compiler',
    'in_forward_mode',
    'in_function_transform',
    'parameters_of',
    'register_load_state_dict_pre_hook',
    'register_state_dict_hook',
    'set_compiled_call',
    'traced_zip',
]

# BatchNorm: what all batch norms, SyncBN too, have in common. The public classes have no common name.

# TorchDispatchMode: sees every operation with its results, which is how live memory is followed. It has no public
# name; `torch.utils.flop_counter` builds on it too.

# The CPU's fused attention kernel. `torch.utils.flop_counter` counts those of GPUs and leaves this one out. Seen in
# torch 2.12.1; torch 2.1.2 has no such kernel, so None.
CPU_ATTENTION = getattr(torch.ops.aten, '_scaled_dot_product_flash_attention_for_cpu', None)

# Products that write into what they are added to: mmcv's deformable convolutions end in the first,
# `ops/attention_in_parts.py` has the second. `torch.utils.flop_counter` counts `addmm` and `baddbmm` and leaves these
# out. Seen in torch 2.12.1.
IN_PLACE_PRODUCTS = (torch.ops.aten.addmm_, torch.ops.aten.baddbmm_)

# Whether a compiler or an exporter reads the code. `torch.compiler` has it since torch 2.3; it is a constant in a
# compiled graph.
in_compiler = getattr(torch.compiler, 'is_compiling', None) or torch._utils.is_compiling


def in_function_transform() -> bool:
    """Whether a transform of `torch.func` is at work, which takes no `torch.autograd.Function` with a context of its
    own.
    """
    return torch._C._are_functorch_transforms_active()


def in_forward_mode() -> bool:
    """Whether forward-mode differentiation is at work (`torch.autograd.forward_ad.dual_level`)."""
    return forward_ad._current_level >= 0


def in_backward() -> bool:
    """Whether a backward pass is at work, in which activation checkpointing runs parts of the forward pass again."""
    return torch._C._current_graph_task_id() != -1


def differentiable_once(node) -> str | None:
    """The name of a graph node's `torch.autograd.Function`, if its backward is marked `@once_differentiable`.

    The mark is a function around the backward that torch wrote; others, as `custom_bwd`, may stand around it in turn.
    """
    function = getattr(node, '_forward_cls', None)
    backward = getattr(function, 'backward', None)
    while backward is not None:
        if getattr(backward, '__code__', None) is _ONCE:
            return function.__name__
        backward = getattr(backward, '__wrapped__', None)
    return None


# The code of the function that `once_differentiable` puts around every backward.
_ONCE = torch.autograd.function.once_differentiable(lambda ctx: None).__code__


def call_module(module: nn.Module, *args, **kwargs) -> torch.Tensor:
    """A module's call with its hooks, and without what `set_compiled_call` hung on it."""
    return module._call_impl(*args, **kwargs)


def set_compiled_call(module: nn.Module, call: Callable) -> None:
    """Has `call` run in place of the module, as `nn.Module.compile` does; copies and pickles leave it out."""
    module._compiled_call_impl = call


def counts_graphs_by_function() -> bool:
    """Whether `torch.compile` takes the number of graphs that it may make of a function. Seen in torch 2.12.1, not in
    2.1.2.
    """
    return 'recompile_limit' in inspect.signature(torch.compile).parameters


def forget_graphs() -> None:
    """Forgets all that was compiled in this process, which counts against the limit of graphs of a function."""
    torch._dynamo.reset()


def compile_function(function: Callable, recompile_limit: int) -> Callable:
    """`torch.compile` of one function; the first graph is for the sizes that are met, the next for changing ones."""
    return torch.compile(function, recompile_limit=recompile_limit)


class CompilerBytes:
    """Within it torch's compiler counts the bytes that its kernels read and write; `bytes` is the sum of all graphs
    yet.

    The compiler counts only where its log of metrics is on, and a graph from its caches counts what was counted when it
    was stored, which may be nothing: so the caches are off. The log's lines are kept to itself. Seen in torch 2.12.1;
    the compiler of torch 2.1 has no such log."""

    def __enter__(self):
        # Here, since they take a second to import and need a compiler's packages.
        from torch._functorch import config as autograd_config
        from torch._inductor import compile_fx, config, metrics

        self._metrics, self._log = metrics, compile_fx.inductor_metrics_log
        self._was = self._log.level, self._log.propagate, self._log.handlers
        self._log.setLevel(logging.INFO)
        self._log.propagate, self._log.handlers = False, [logging.NullHandler()]
        self._no_caches = ExitStack()
        self._no_caches.enter_context(config.patch(fx_graph_cache=False))
        self._no_caches.enter_context(autograd_config.patch(enable_autograd_cache=False))
        self._before = metrics.num_bytes_accessed
        return self

    def __exit__(self, *error):
        self._no_caches.close()
        level, self._log.propagate, self._log.handlers = self._was
        self._log.setLevel(level)

    @property
    def bytes(self) -> int:
        """Bytes of the graphs that were compiled since it was entered."""
        return self._metrics.num_bytes_accessed - self._before


def changed_arguments(operator: Callable, args: tuple, kwargs: dict) -> list:
    """The arguments of a call that the operator's schema says it changes (those of `add_`, `out=`)."""
    return [
        args[i] if i < len(args) else kwargs.get(argument.name)
        for i, argument in enumerate(operator._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]


def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
    """A module's own dict of its children, to be read and written.

    `named_children()` leaves out a child that stands there twice and one that is None, and `setattr` would go through
    what a module makes of it. Empty before the module's `__init__` has run. Not by `__dict__`, which torch 2.1 cannot
    compile."""
    return getattr(module, '_modules', {})


class OldFlopCounterMode(FlopCounterMode):
    """The counter of M-Adds as torch has it before 2.4, whose hooks hand on several arguments for one that is a tuple.

    A neck's maps are such a tuple. Its hooks are for backward passes, which are not counted here; these note modules
    alone."""

    def _enter_module(self, name: str) -> Callable:
        def enter(module, inputs):
            self.parents.append(name)

        return enter

    def _exit_module(self, name: str) -> Callable:
        def leave(module, inputs, outputs):
            self.parents.pop()

        return leave


def traced_zip(*sequences: Collection) -> Iterator[tuple]:
    """`zip(..., strict=True)` for what a layer runs: torch 2.1 cannot compile that word.

    Raises:
        ValueError: One is longer than the others.
    """
    for sequence in sequences:
        if len(sequence) != len(sequences[0]):
            raise ValueError(
                f'of what goes together one has {len(sequences[0])} parts and one {len(sequence)}'
            )
    return zip(*sequences)  # noqa: B905


def has_hooks(module: nn.Module) -> bool:
    """Whether something wants to be told when the module runs, so that its work cannot be done without running it."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def parameters_of(module: nn.Module) -> dict[str, nn.Parameter | None]:
    """A module's own dict of its parameters; `torch.func.functional_call` puts plain tensors there."""
    return module._parameters


def buffers_of(module: nn.Module) -> dict[str, torch.Tensor | None]:
    """A module's own dict of its buffers."""
    return module._buffers


def register_state_dict_hook(module: nn.Module, hook: Callable) -> None:
    """Has `hook(module, state_dict, prefix, local_metadata)` change what was saved; public since torch 2.5 only."""
    module._register_state_dict_hook(hook)


def register_load_state_dict_pre_hook(module: nn.Module, hook: Callable) -> None:
    """Has `hook(module, state_dict, prefix, ...)` look at what is loaded; public since torch 2.5 only."""
    module._register_load_state_dict_pre_hook(hook, with_module=True)
