"""Computes what a model costs: parameters and multiply-adds (counted), latency and peak memory (measured)."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from copy import deepcopy
from math import prod

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from attn_plugins.compat import CPU_ATTENTION, IN_PLACE_PRODUCTS, OldFlopCounterMode, TorchDispatchMode
from attn_plugins.cost.forward_pass import ForwardPass, make_input
from attn_plugins.errors import UserError
from attn_plugins.training.library import build_model

# Timed passes of each model that are made whatever they take.
LEAST_REPEATS = 3


def count_cost(cfg: Config, size: tuple[int, int] | None = None) -> dict:
    """Counts a config's parameters and multiply-adds for one image in evaluation; the same on every machine.

    Args:
        cfg: The config. It is not changed.
        size: Height and width of the image; by default that of the config's test images.

    Returns:
        dict: `parameters`, `madds` and the `input_shape` [1, C, H, W] that they were counted at.

    Raises:
        UserError: The model cannot be counted; the sentence says why.
    """
    model = build_model(cfg).eval()
    inputs = make_input(cfg, model, size)
    return dict(
        parameters=count_parameters(model),
        madds=count_madds(model, inputs)[''],
        input_shape=list(inputs.shape),
    )


def count_parameters(model: nn.Module) -> int:
    """Counts the learnable scalars; a parameter shared by several modules counts once, buffers do not count."""
    return sum(p.numel() for p in model.parameters())


class EveryOperation(TorchFunctionMode):
    """Shows an operation counter what torch would fuse.

    In evaluation `nn.MultiheadAttention` and `nn.TransformerEncoderLayer` (batch first) run as one operation that no
    counter knows, so they would cost nothing. They do not fuse while a function mode is active, even one that does
    nothing.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def count_madds(model: nn.Module, inputs: Tensor) -> dict[str, int]:
    """Counts the multiply-adds of one forward pass, by module.

    The result is half of what `torch.utils.flop_counter` counts: convolutions, matrix products and attention products,
    from the shapes that really pass through. Biases, norms, activations, pooling, resizing and other element-wise work
    are not counted. So a layer without convolution or matrix product (IEBN, SimAM) adds 0, though it does take time.
    :class:`ForwardPass` says what is run; post-processing is not.

    Args:
        model: The model, in its present mode (train or eval). A copy is counted; it stays as it is.
        inputs: A batch (N, C, H, W); the count is of the whole batch.

    Returns:
        Module name -> multiply-adds; '' is the whole model. Names are paths in the tree of modules, in which a plug
        and the module inside it are two (`layer1.0.bn3`, `layer1.0.bn3.wrapped`). Modules without any are absent,
        except ''.

    Raises:
        UserError: The model cannot run on this input.
    """
    try:
        # The meta device computes only shapes: a second where the CPU needs a minute, and the same count.
        counter = _count(model, inputs.to('meta'))
    except (
        UserError
    ):  # an operation without a meta kernel, or a real error, which is then raised on the real device
        counter = _count(model, inputs)
    names = set(_module_paths(model))
    root = f'{ForwardPass.__name__}.model.'
    counts = {'': counter.get_total_flops() // 2}
    for name, by_op in counter.get_flop_counts().items():
        if name.startswith(root) and name.removeprefix(root) in names and by_op:
            counts[name.removeprefix(root)] = sum(by_op.values()) // 2
    return counts


def _count(model: nn.Module, inputs: Tensor) -> FlopCounterMode:
    """Runs torch's counter over one forward pass of a copy of the model on the input's device.

    Nothing in the copy requires a gradient: the parts of a split parameter (Deformable DETR's queries) would still
    require one under `no_grad`, without a history, and the counter fails on that.
    """
    run = ForwardPass(deepcopy(model).to(inputs.device).requires_grad_(False), inputs)
    # Before torch 2.4 modules were counted only if they were passed in; since then passing them gives a warning.
    mode, mods = (FlopCounterMode, None) if torch.__version__ >= (2, 4) else (OldFlopCounterMode, run)
    more = {CPU_ATTENTION: _attention_flops, **dict.fromkeys(IN_PLACE_PRODUCTS, _product_flops)}
    counter = mode(mods, display=False, custom_mapping=more)
    with torch.no_grad(), EveryOperation(), counter:
        run()
    return counter


def _module_paths(module: nn.Module, prefix: str = '') -> Iterator[str]:
    """Yields every module's path as the counter names it; `named_modules` leaves the levels of plugs out."""
    for name, child in module.named_children():
        yield prefix + name
        yield from _module_paths(child, f'{prefix}{name}.')


def _attention_flops(query: tuple, key: tuple, value: tuple, *_, **__) -> int:
    """Counts the operations of both products of an attention kernel, from the shapes of its inputs."""
    return sdpa_flop_count(query, key, value)


def _product_flops(result: tuple, left: tuple, right: tuple, *_, **__) -> int:
    """Counts the operations of matrix products that are added to another matrix, from their shapes."""
    return 2 * prod(left) * right[-1]


def measure_latency(model: nn.Module, inputs: Tensor, repeats: int = 20) -> dict:
    """Measures the wall time of one forward pass without gradients, in the model's present mode.

    Every pass is timed alone by `torch.utils.benchmark`, from an idle device to an idle device, after two
    passes that are not timed.

    Args:
        model: The model.
        inputs: A batch (N, C, H, W).
        repeats: Number of timed passes.

    Returns:
        dict: `median_ms`, `p20_ms`, `p80_ms` and what they hold for: `repeats`, `batch`, `threads`, `dtype`, `device`.

    Raises:
        UserError: The model cannot run on this input.
    """
    return measure_in_turn({'': (model, inputs)}, repeats)['']


def measure_in_turn(
    models: Mapping[str, tuple[nn.Module, Tensor]],
    repeats: int = 20,
    seconds: float | None = None,
    after_round: Callable[[float], None] = lambda done: None,
) -> dict[str, dict]:
    """Measures several models as :func:`measure_latency` does, one pass of each and then the next of each.

    So slow changes of the machine reach all of them alike.

    Args:
        models: Name -> model and its batch (N, C, H, W).
        repeats: Number of timed passes of each.
        seconds: Ends with fewer passes, but at least three of each, when another round would take longer in all.
        after_round: Called after each round with the share of the work that is done.

    Returns:
        dict: Name -> what :func:`measure_latency` returns; `repeats` are those that were made.

    Raises:
        UserError: A model cannot run on its input.
    """
    threads = torch.get_num_threads()
    # Timer sets the number of threads, to one unless told otherwise, and synchronises only the current device.
    timers = {
        name: Timer('run()', globals=dict(run=ForwardPass(*model)), num_threads=threads)
        for name, model in models.items()
    }
    times: dict[str, list[float]] = {name: [] for name in models}
    started = time.monotonic()
    for done in range(1, repeats + 1):
        for name, (_, inputs) in models.items():
            device = torch.cuda.device(inputs.device) if inputs.device.type == 'cuda' else nullcontext()
            with torch.inference_mode(), device:
                times[name].append(1e3 * timers[name].timeit(1).median)
        taken = time.monotonic() - started
        after_round(done / repeats)
        if seconds is not None and done >= LEAST_REPEATS and taken * (done + 1) / done > seconds:
            break
    return {name: _latency(times[name], inputs, threads) for name, (_, inputs) in models.items()}


def _latency(times: list[float], inputs: Tensor, threads: int) -> dict:
    p20, median, p80 = np.percentile(times, [20, 50, 80]).tolist()
    return dict(
        median_ms=median,
        p20_ms=p20,
        p80_ms=p80,
        repeats=len(times),
        batch=len(inputs),
        threads=threads,
        dtype=str(inputs.dtype).removeprefix('torch.'),
        device=str(inputs.device),
    )


def peak_memory(model: nn.Module, inputs: Tensor) -> int:
    """Measures the most bytes held at one time during one forward pass without gradients.

    Weights, buffers, input and activations count. On a GPU, what the pass adds is the caching allocator's own record
    (`torch.cuda.max_memory_allocated`). On a CPU it is the sum of all live tensors, followed operation by operation;
    scratch space inside an operation is not seen there. The resident size of the process is not used: it also holds
    what the allocator has not given back.

    Raises:
        UserError: The model cannot run on this input.
    """
    run = ForwardPass(model, inputs)
    given = {s.data_ptr(): s.nbytes() for s in map(_storage, (*model.parameters(), *model.buffers(), inputs))}
    on_gpu, device = inputs.device.type == 'cuda', inputs.device
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    tensors = nullcontext() if on_gpu else LiveTensors(set(given))
    with torch.no_grad(), tensors:
        run()
    added = torch.cuda.max_memory_allocated(device) - before if on_gpu else tensors.peak
    return sum(given.values()) + added


class LiveTensors(TorchDispatchMode):
    """Tracks the total bytes of all tensors made inside it that are alive at the same time; `peak` is the maximum.

    Memory is counted by storage: views and in-place results are not counted again, and a storage leaves the sum when
    its last tensor is gone.

    Args:
        already: Addresses of the storages made before, which the caller counts (weights, input).
    """

    def __init__(self, already: set[int]):
        super().__init__()
        self.already = already
        self.live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.live = {key: entry for key, entry in self.live.items() if not entry[0].expired()}
        for storage in map(_storage, _tensors(result)):
            if storage.data_ptr() not in self.already:
                self.live[storage.data_ptr()] = StorageWeakRef(storage), storage.nbytes()
        self.peak = max(self.peak, sum(nbytes for _, nbytes in self.live.values()))
        return result


def _tensors(result) -> Iterator[Tensor]:
    """Yields the tensors that an operation returns: one, several, or lists of them."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, (tuple, list)):
        for item in result:
            yield from _tensors(item)


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    return tensor.untyped_storage()


def count_training_memory(model: nn.Module, inputs: Tensor) -> dict[str, int]:
    """Counts the bytes that one training step must hold, without what the device's kernels need besides.

    Args:
        model (nn.Module): The model; a copy in training mode is counted.
        inputs (Tensor): At least two images (N, C, H, W): batch norms over a map of one pixel need more than one value.

    Returns:
        dict: `weights`, for the weights with gradient and momentum, and `per_image`, for the maps that the backward
            pass needs, each storage once, divided by N. Those of the loss itself are not counted.

    Raises:
        UserError: The model cannot run on this input.
    """
    try:
        kept = _saved(model, inputs.to('meta'))
    except UserError:  # as in count_madds
        kept = _saved(model, inputs)
    weights = 3 * sum(p.numel() * p.element_size() for p in model.parameters())
    return dict(weights=weights, per_image=kept // len(inputs))


def _saved(model: nn.Module, inputs: Tensor) -> int:
    """Counts the bytes of the storages that autograd keeps for the backward pass, without weights."""
    model = deepcopy(model).to(inputs.device)
    model.train()  # the libraries' backbones return None here
    own = {StorageWeakRef(_storage(tensor)).cdata for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = _storage(tensor)
        key = StorageWeakRef(storage).cdata
        if key not in own:
            kept[key] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = ForwardPass(model, inputs)()
    del outputs  # it held the graph, and with it every storage whose address was noted
    return sum(kept.values())
