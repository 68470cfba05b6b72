"""What a model costs: parameters and multiply-adds (counted), latency and peak memory (measured)."""

from collections.abc import Iterator
from contextlib import nullcontext
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

# The CPU's fused attention kernel, which torch's table of counted operations lacks; torch 2.1 has no such kernel.
CPU_ATTENTION = getattr(torch.ops.aten, '_scaled_dot_product_flash_attention_for_cpu', None)


def count_parameters(model: nn.Module) -> int:
    """Number of learnable scalars; a parameter shared by several modules counts once, buffers do not count."""
    return sum(p.numel() for p in model.parameters())


def predict(model: nn.Module, inputs: Tensor):
    """One forward pass without post-processing: OpenMMLab models by `mode='tensor'`, others by a plain call."""
    if hasattr(model, 'data_preprocessor'):
        return model(inputs, mode='tensor')
    return model(inputs)


def count_madds(model: nn.Module, inputs: Tensor) -> dict[str, int]:
    """Multiply-adds of one forward pass, by module.

    Half of what `torch.utils.flop_counter` counts: convolutions, matrix products and attention products, from the
    shapes that really pass through. Biases, norms, activations, pooling, resizing and other element-wise work are
    not counted. So a layer without convolution or matrix product (IEBN, SimAM) adds 0, though it does take time.

    Args:
        model: The model, called in its present mode (train or eval).
        inputs: A batch (N, C, H, W); the count is of the whole batch.

    Returns:
        Module name -> multiply-adds; '' is the whole model. Names are paths in the tree of modules, in which a plug
        and the module inside it are two (`layer1.0.bn3`, `layer1.0.bn3.wrapped`). Modules without any are absent,
        except ''.
    """
    # Before torch 2.4 modules were counted only when they were handed over; since then that gives a warning.
    mods = None if torch.__version__ >= (2, 4) else model
    counter = FlopCounterMode(mods, display=False, custom_mapping={CPU_ATTENTION: _attention_flops})
    with torch.no_grad(), counter:
        predict(model, inputs)
    names = set(_paths(model))
    root = type(model).__name__ + '.'
    counts = {'': counter.get_total_flops() // 2}
    for name, by_op in counter.get_flop_counts().items():
        if name.startswith(root) and name.removeprefix(root) in names and by_op:
            counts[name.removeprefix(root)] = sum(by_op.values()) // 2
    return counts


def _paths(module: nn.Module, prefix: str = '') -> Iterator[str]:
    for name, child in module.named_children():
        yield prefix + name
        yield from _paths(child, f'{prefix}{name}.')


def _attention_flops(query: tuple, key: tuple, value: tuple, *_, **__) -> int:
    """Operations of both products of an attention kernel, from the shapes of its inputs."""
    return sdpa_flop_count(query, key, value)


def measure_latency(model: nn.Module, inputs: Tensor, warmup: int = 10, repeats: int = 40) -> dict:
    """Wall time of one forward pass without gradients, in the model's present mode.

    Every repeat is timed alone, from an idle device to an idle device.

    Returns:
        dict: `median_ms`, `p20_ms`, `p80_ms` and what they hold for: `repeats`, `batch`, `threads`, `dtype`, `device`.
    """
    on_gpu = inputs.device.type == 'cuda'
    times = []
    with torch.inference_mode():
        for _ in range(warmup + repeats):
            if on_gpu:
                torch.cuda.synchronize(inputs.device)
            start = perf_counter()
            predict(model, inputs)
            if on_gpu:
                torch.cuda.synchronize(inputs.device)
            times.append(1e3 * (perf_counter() - start))
    p20, median, p80 = np.percentile(times[warmup:], [20, 50, 80]).tolist()
    return dict(
        median_ms=median,
        p20_ms=p20,
        p80_ms=p80,
        repeats=repeats,
        batch=len(inputs),
        threads=torch.get_num_threads(),
        dtype=str(inputs.dtype).removeprefix('torch.'),
        device=str(inputs.device),
    )


class LiveTensors(TorchDispatchMode):
    """Follows the bytes of all tensors made inside it that are alive at the same time; `peak` is the most there were.

    Memory belongs to storages: views and in-place results are not counted again, and a storage leaves the sum when
    the last tensor on it is gone.
    """

    def __init__(self, already: set[int]):
        """Args: already: `_cdata` of the storages made before, which the caller counts (weights, input)."""
        super().__init__()
        self.already = already
        self.live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.live = {key: entry for key, entry in self.live.items() if not entry[0].expired()}
        for tensor in tree_flatten(result)[0]:
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in self.already:
                storage = tensor.untyped_storage()
                self.live[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.peak = max(self.peak, sum(nbytes for _, nbytes in self.live.values()))
        return result


def peak_memory(model: nn.Module, inputs: Tensor) -> int:
    """Most bytes held at one time during one forward pass without gradients: weights, buffers, input, activations.

    On a GPU this is the caching allocator's own record (`torch.cuda.max_memory_allocated`). On a CPU it is the sum
    of all live tensors, followed operation by operation; scratch space inside an operation is not seen there. The
    resident size of the process is not used: it also holds what the allocator has not given back.
    """
    on_gpu = inputs.device.type == 'cuda'
    given = {
        t.untyped_storage()._cdata: t.untyped_storage().nbytes()
        for t in (*model.parameters(), *model.buffers(), inputs)
    }
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(inputs.device)
    tensors = nullcontext() if on_gpu else LiveTensors(set(given))
    with torch.no_grad(), tensors:
        predict(model, inputs)
    return torch.cuda.max_memory_allocated(inputs.device) if on_gpu else sum(given.values()) + tensors.peak


def count_cost(cfg):
    """Temporary: replaced by the analysis branch."""
    from attn_plugins.analysis.subject import make_input, model_under_test

    model, inputs = model_under_test(cfg), make_input(cfg)
    return dict(
        parameters=count_parameters(model),
        madds=count_madds(model, inputs)[''],
        input_shape=list(inputs.shape),
    )
