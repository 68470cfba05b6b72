"""Compiles the layers in a model with `torch.compile`, each on its own, and leaves the host as it is.

Detectors do not compile as a whole, but their layers do, and it is the layers that read a map many times. The compiled
call is attached to a layer as `torch.nn.Module.compile` attaches it: state dicts, copies and pickles do not contain it,
and a copy runs eagerly."""

import functools
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn

from attn_plugins.compat import (
    call_module,
    compile_function,
    counts_graphs_by_function,
    set_compiled_call,
)
from attn_plugins.insertion.tree import held_layers
from attn_plugins.ops.mode import runs_eagerly

#: Most graphs of one kind of layer: for training and evaluation, fixed and changing sizes, and each precision.
MOST_GRAPHS = 32


def compile_layers(model: nn.Module) -> nn.Module:
    """Has every inserted layer of a model run through `torch.compile`, from its next call on.

    Layers that are built alike share their graphs, in all models of a process. Every other width has its own graphs,
    so no width uses up the limit of another. A second map size makes torch compile a graph for changing sizes. The
    first call of each kind of layer takes seconds, which is logged. The compiled code is kept in a folder
    (`TORCHINDUCTOR_CACHE_DIR`, by default `~/.cache/attn_plugins/inductor`) for the next run. The results equal those
    of the eager layers up to rounding. A compiled layer cannot be differentiated twice; torch then raises an error.

    If nothing can be compiled, because there is no C++ compiler or torch is too old, one warning says why, and the
    layers stay eager. Layers with a batch norm over all processes (SyncBN) always stay eager.

    Args:
        model (nn.Module): A model with layers in it; it is changed in place. A second call changes nothing.

    Returns:
        nn.Module: The model.
    """
    layers = _outermost(model)
    eager = [layer for layer in layers if _synchronizes(layer)]
    if eager:
        print_log(f'{len(eager)} layers with a batch norm over all processes are not compiled', 'current')
    elif not layers:
        print_log('there is no layer to compile in this model', 'current')
    layers = [layer for layer in layers if layer not in eager]
    if layers and _compiles(_device(model).type):
        for layer in layers:
            set_compiled_call(layer, _Compiled(layer))
    return model


def _outermost(model: nn.Module) -> list[nn.Module]:
    """Lists each layer once, without those that are inside another layer."""
    layers = list(dict.fromkeys(layer for _, layer in held_layers(model)))
    inside = {id(part) for layer in layers for part in layer.modules() if part is not layer}
    return [layer for layer in layers if id(layer) not in inside]


def _synchronizes(layer: nn.Module) -> bool:
    return any(isinstance(module, nn.SyncBatchNorm) for module in layer.modules())


def _device(model: nn.Module) -> torch.device:
    return next((tensor.device for tensor in model.state_dict().values()), torch.device('cpu'))


class _Compiled:
    """Calls a layer through its graph.

    While torch traces, transforms or compiles the whole model, it calls the layer itself.
    """

    def __init__(self, layer: nn.Module):
        self.layer, self.structure = layer, _structure(layer)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not runs_eagerly(args[0] if args else next(iter(kwargs.values()))):
            return call_module(self.layer, *args, **kwargs)
        if self.structure in _called:
            return _runner(self.structure)(self.layer, *args, **kwargs)
        _called.add(self.structure)
        started = time.monotonic()
        y = _runner(self.structure)(self.layer, *args, **kwargs)
        seconds = time.monotonic() - started
        print_log(f'compiled {self.structure[0]} in {seconds:.0f} s, layer kind {len(_called)}', 'current')
        return y


#: The structures of the layers that have been called through a graph in this process.
_called: set[tuple] = set()


def _structure(layer: nn.Module) -> tuple:
    """Describes what two layers must have in common to share graphs: their parts and the shapes of their parameters."""
    shapes = tuple((name, tuple(tensor.shape)) for name, tensor in layer.state_dict().items())
    return type(layer).__name__, repr(layer), shapes


@functools.cache
def _runner(structure: tuple) -> Callable:
    """Returns a compiled function that calls a layer of this structure.

    Its code object is its own, because torch counts graphs by the code object.
    """
    code = call_module.__code__.replace(co_name=f'call_{structure[0]}')
    return compile_function(FunctionType(code, call_module.__globals__), recompile_limit=MOST_GRAPHS)


@functools.cache
def _compiles(device: str) -> bool:
    """Tells whether torch can compile on this device, and sets the folder in which it keeps its graphs.

    If it cannot, one warning in a process says why.
    """
    folder = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'attn_plugins' / 'inductor'
    os.environ.setdefault('TORCHINDUCTOR_CACHE_DIR', str(folder))
    reason = ''
    if not counts_graphs_by_function():
        reason = (
            f'torch {torch.__version__} has no limit of graphs for each function, and would stop compiling at '
            'the eighth width without a word'
        )
    else:
        try:
            compile_function(lambda x: (2 * x).sin(), MOST_GRAPHS)(torch.ones(2, device=device))
        except Exception as error:  # whatever a missing or broken compiler raises
            reason = f'torch.compile fails here ({str(error).strip().splitlines()[0]})'
    if reason:
        warnings.warn(f'the layers are not compiled and run as they are: {reason}', stacklevel=3)
    return not reason
