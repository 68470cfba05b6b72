"""Translating with a trained network: beam search, which with one beam is greedy."""

import torch
import torch.nn.functional as F
from torch import Tensor

from projects.empirical_attention.translation.network import Transformer
from projects.empirical_attention.translation.text import BEGIN, END, PAD, UNKNOWN


@torch.no_grad()
def translate(
    network: Transformer, source: Tensor, beam: int = 1, length_penalty: float = 0.0
) -> list[list[int]]:
    """The best translations of a batch, without begin and end; the longest has as many tokens as the network positions.

    Hypotheses compete by their log likelihood; of those left at the end the one with the greatest
    log likelihood / ((5 + length) / 6)^length_penalty is taken, as in GNMT (arXiv:1609.08144).

    Args:
        network (Transformer): In evaluation.
        source (Tensor): (N, M), filled up with PAD.
        beam (int): Hypotheses per sentence.
        length_penalty (float): 0 takes the log likelihood as it is.

    Returns:
        list[list[int]]: Tokens of each of the N.
    """
    number = len(source)
    memory, visible = (part.repeat_interleave(beam, 0) for part in network.encode(source))
    tokens = torch.full((number * beam, 1), BEGIN, device=source.device)
    # At first all hypotheses of a sentence are the same one.
    scores = torch.full((number, beam), float('-inf'), device=source.device)
    scores[:, 0] = 0
    first = torch.arange(number, device=source.device)[:, None] * beam
    for _ in range(network.positions):
        new = F.log_softmax(network.decode(tokens, memory, visible)[:, -1].float(), -1)
        new[:, [PAD, UNKNOWN, BEGIN]] = float('-inf')
        ended = (tokens[:, -1] == END) | (tokens[:, -1] == PAD)
        new[ended] = float('-inf')
        new[ended, PAD] = 0
        words = new.shape[1]
        scores, best = (scores[:, :, None] + new.view(number, beam, words)).flatten(1).topk(beam)
        parents = (first + best // words).flatten()
        tokens = torch.cat([tokens[parents], (best % words).view(-1, 1)], 1)
        if bool(((tokens[:, -1] == END) | (tokens[:, -1] == PAD)).all()):
            break
    tokens = tokens[:, 1:].unflatten(0, (number, beam))
    lengths = (tokens != PAD).sum(2)
    chosen = (scores / ((5 + lengths) / 6) ** length_penalty).argmax(1)
    rows = tokens[torch.arange(number, device=source.device), chosen].tolist()
    return [[token for token in row if token not in (END, PAD)] for row in rows]
