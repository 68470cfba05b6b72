"""The global context of GC (Cao et al., ICCV Workshops 2019, arXiv:1904.11492): one attended mean per map."""

from torch import Tensor


def attention_pool(x: Tensor, logits: Tensor) -> Tensor:
    """z_nc = sum_hw softmax_hw(logits)_nhw x_nchw: a mean over space whose weights all channels share.

    It is computed as published.

    Args:
        x (Tensor): The map, (N, C, H, W).
        logits (Tensor): One per place, (N, 1, H, W).

    Returns:
        Tensor: The descriptor, (N, C), in the dtype of `x`.
    """
    weights = logits.flatten(1).softmax(1).to(x.dtype)
    return (x.flatten(2) @ weights[:, :, None])[:, :, 0]
