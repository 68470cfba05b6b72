"""The private names of torch and mmengine that this package leans on: each with what it is for and where it was last seen.

Everything else takes them from here, so that a new version of either breaks this file and no other.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ['CPU_ATTENTION', 'TorchDispatchMode']

# --- torch ---

# TorchDispatchMode: sees every operation with its results, which is how live memory is followed. It has no public
# name; `torch.utils.flop_counter` builds on it too. Seen in torch 2.1.2 and 2.12.1.

# The CPU's fused attention kernel. `torch.utils.flop_counter` counts those of GPUs and leaves this one out. Seen in
# torch 2.12.1; torch 2.1.2 has no such kernel, so None.
CPU_ATTENTION = getattr(torch.ops.aten, '_scaled_dot_product_flash_attention_for_cpu', None)
