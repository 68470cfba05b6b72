"""Collects the private names of torch that this package uses: what each is for and where it was last seen.

All other files take them from here, so that a new version of torch breaks only this file; mmengine's private names are
in `mim.py`, which must not import torch. Two private names cannot be here: `_load_from_state_dict`, torch's way to
rename keys before they are loaded, and `_save_to_state_dict` are overridden in the classes that need it (`Wrapper`,
`GeneralizedAttention`, `Adapter`). Seen in torch 2.1.2 and 2.12.1, unless another version is named.
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
    'strict_zip',
]

# BatchNorm: the common base class of all batch norms, SyncBN too. The public classes have no common name.

# TorchDispatchMode: sees every operation with its results, which makes it possible to track live memory. It has no
# public name; `torch.utils.flop_counter` builds on it too.

# The CPU's fused attention kernel. `torch.utils.flop_counter` counts those of GPUs but not this one. Seen in torch
# 2.12.1; torch 2.1.2 has no such kernel, so None.
CPU_ATTENTION = getattr(torch.ops.aten, '_scaled_dot_product_flash_attention_for_cpu', None)

# Products that write into the matrix that they are added to: mmcv's deformable convolutions end in the first,
# `ops/attention_in_parts.py` has the second. `torch.utils.flop_counter` counts `addmm` and `baddbmm` but not these.
# Seen in torch 2.12.1.
IN_PLACE_PRODUCTS = (torch.ops.aten.addmm_, torch.ops.aten.baddbmm_)

# Whether a compiler or an exporter traces the code. `torch.compiler` has it since torch 2.3; it is a constant in a
# compiled graph.
in_compiler = getattr(torch.compiler, 'is_compiling', None) or torch._utils.is_compiling


def in_function_transform() -> bool:
    """Tells whether a transform of `torch.func` is active.

    Such a transform refuses a `torch.autograd.Function` with a context of its own.
    """
    return torch._C._are_functorch_transforms_active()


def in_forward_mode() -> bool:
    """Tells whether forward-mode differentiation is active (`torch.autograd.forward_ad.dual_level`)."""
    return forward_ad._current_level >= 0


def in_backward() -> bool:
    """Tells whether a backward pass runs, in which activation checkpointing repeats parts of the forward pass."""
    return torch._C._current_graph_task_id() != -1


def differentiable_once(node) -> str | None:
    """Returns the name of a graph node's `torch.autograd.Function` if its backward is marked `@once_differentiable`.

    The mark is a function of torch's that wraps the backward; others, as `custom_bwd`, may wrap it in turn.
    """
    function = getattr(node, '_forward_cls', None)
    backward = getattr(function, 'backward', None)
    while backward is not None:
        if getattr(backward, '__code__', None) is _ONCE:
            return function.__name__
        backward = getattr(backward, '__wrapped__', None)
    return None


# The code of the function with which `once_differentiable` wraps every backward.
_ONCE = torch.autograd.function.once_differentiable(lambda ctx: None).__code__


def call_module(module: nn.Module, *args, **kwargs) -> torch.Tensor:
    """Calls a module with its hooks, but without the call that `set_compiled_call` has set."""
    return module._call_impl(*args, **kwargs)


def set_compiled_call(module: nn.Module, call: Callable) -> None:
    """Makes `call` run in place of the module, as `nn.Module.compile` does; copies and pickles leave it out."""
    module._compiled_call_impl = call


def counts_graphs_by_function() -> bool:
    """Tells whether `torch.compile` accepts a limit on the number of graphs of a function.

    Seen in torch 2.12.1, not in 2.1.2.
    """
    return 'recompile_limit' in inspect.signature(torch.compile).parameters


def forget_graphs() -> None:
    """Forgets everything compiled in this process, which counts against a function's limit of graphs."""
    torch._dynamo.reset()


def compile_function(function: Callable, recompile_limit: int) -> Callable:
    """Compiles one function by `torch.compile`; the first graph is for the first sizes, the next for changing ones."""
    return torch.compile(function, recompile_limit=recompile_limit)


class CompilerBytes:
    """Makes torch's compiler count the bytes that its kernels read and write.

    `bytes` is the sum over all graphs so far. The compiler counts only while its log of metrics is on. A graph from its
    caches has the count of when it was stored, which may be nothing: so the caches are off. The log's lines are not
    shown. Seen in torch 2.12.1; the compiler of torch 2.1 has no such log.
    """

    def __enter__(self):
        # Imported here: they take a second and need a compiler's packages.
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
        """Bytes of the graphs that were compiled since entering."""
        return self._metrics.num_bytes_accessed - self._before


def changed_arguments(operator: Callable, args: tuple, kwargs: dict) -> list:
    """Returns a call's arguments that the operator changes, according to its schema (those of `add_`, `out=`)."""
    return [
        args[i] if i < len(args) else kwargs.get(argument.name)
        for i, argument in enumerate(operator._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]


def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
    """Returns a module's own dict of its children, for reading and writing.

    `named_children()` leaves out a child that is registered twice and one that is None, and a module may override what
    `setattr` does. The dict is empty before the module's `__init__` has run. It is not read from `__dict__`, which
    torch 2.1 cannot compile.
    """
    return getattr(module, '_modules', {})


class OldFlopCounterMode(FlopCounterMode):
    """The counter of M-Adds for torch before 2.4, whose hooks pass on several arguments in place of one tuple.

    A neck's maps are such a tuple. Torch's hooks are for backward passes, which are not counted here; these only note
    modules.
    """

    def _enter_module(self, name: str) -> Callable:
        def enter(module, inputs):
            self.parents.append(name)

        return enter

    def _exit_module(self, name: str) -> Callable:
        def leave(module, inputs, outputs):
            self.parents.pop()

        return leave


def strict_zip(*sequences: Collection) -> Iterator[tuple]:
    """Works like `zip(..., strict=True)` in code that a layer runs: torch 2.1 cannot compile that argument.

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
    """Tells whether a module has hooks, so that its work cannot be done without calling it."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def parameters_of(module: nn.Module) -> dict[str, nn.Parameter | None]:
    """Returns a module's own dict of its parameters; `torch.func.functional_call` puts plain tensors there."""
    return module._parameters


def buffers_of(module: nn.Module) -> dict[str, torch.Tensor | None]:
    """Returns a module's own dict of its buffers."""
    return module._buffers


def register_state_dict_hook(module: nn.Module, hook: Callable) -> None:
    """Registers `hook(module, state_dict, prefix, local_metadata)` to change what was saved; public since torch 2.5."""
    module._register_state_dict_hook(hook)


def register_load_state_dict_pre_hook(module: nn.Module, hook: Callable) -> None:
    """Registers `hook(module, state_dict, prefix, ...)` to read what will be loaded; public since torch 2.5."""
    module._register_load_state_dict_pre_hook(hook, with_module=True)
