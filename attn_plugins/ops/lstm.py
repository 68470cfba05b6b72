"""One step of the recurrence of DIA (Huang et al., AAAI 2020, arXiv:1905.10671)."""

import torch
from torch import Tensor


def lstm_step(logits: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) sigmoid(c').

    The output is the sigmoid of the cell and not, as in an LSTM, its tanh: so it lies between 0 and 1 and is a gate.
    It is computed as published.

    Args:
        logits (Tensor): i, f, g and o in this order, (N, 4 C).
        cell (Tensor): c, (N, C) or what broadcasts to it.

    Returns:
        tuple[Tensor, Tensor]: h' and c', (N, C) each.
    """
    i, f, g, o = logits.chunk(4, 1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.sigmoid(cell), cell
