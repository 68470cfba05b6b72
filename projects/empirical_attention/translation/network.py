"""An encoder-decoder Transformer whose three kinds of attention have any setting of the four factors each."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_plugins.errors import UserError
from projects.empirical_attention.translation.attention import FactoredAttention, check_setting
from projects.empirical_attention.translation.text import PAD


class Places(NamedTuple):
    """The setting of each kind of attention, as four bits: of E1, E2, E3 and E4."""

    encoder: str
    decoder: str
    encoder_decoder: str


FULL = Places('1111', '1111', '1111')


def read_places(text: str) -> Places:
    """'1111 0111 1111': the settings of encoder, decoder and encoder-decoder.

    Raises:
        UserError: There are not three, or one of them is no setting.
    """
    words = text.split() if isinstance(text, str) else []
    if len(words) != 3:
        raise UserError(
            f'{text!r} is no setting of three places: give those of encoder, decoder and encoder-decoder, such as '
            "'1111 0111 1111'"
        )
    for word in words:
        check_setting(word)
    return Places(*words)


class Residual(nn.Module):
    """x + dropout(f(norm(x))): norm first, which trains without care for the warm-up (a choice of ours)."""

    def __init__(self, width: int, dropout: float, inner: nn.Module):
        super().__init__()
        self.norm, self.inner, self.dropout = nn.LayerNorm(width), inner, nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """(N, L, width) -> (N, L, width); attention without a memory is to x itself."""
        y = self.norm(x)
        if isinstance(self.inner, FactoredAttention):
            return x + self.dropout(self.inner(y, y if memory is None else memory, mask))
        return x + self.dropout(self.inner(y))


class Transformer(nn.Module):
    """Tokens of a source and of a target so far -> logits of the target's next token at every position.

    Embeddings of both languages and the weights of the logits are one matrix. Positions are known by the terms E2 and
    E4
    alone: there is no absolute encoding in the embeddings, which E1 and E3 could read too.

    Args:
        tokens (int): Size of the vocabulary.
        places (Places): Settings of the attentions.
        width, heads, feed_forward (int): Channels, heads, and channels inside the feed-forward network.
        encoder_layers, decoder_layers (int): Numbers of layers.
        dropout (float): Of embeddings and residual branches.
        positions (int): The longest sequence, in tokens, with its end.
    """

    def __init__(
        self,
        tokens: int,
        places: Places,
        width: int,
        heads: int,
        feed_forward: int,
        encoder_layers: int,
        decoder_layers: int,
        dropout: float,
        positions: int,
    ):
        super().__init__()
        self.positions = positions
        self.embedding = nn.Embedding(tokens, width, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.dropout = nn.Dropout(dropout)

        def attention(setting: str) -> Residual:
            return Residual(width, dropout, FactoredAttention(width, heads, setting))

        def feed() -> Residual:
            inner = nn.Sequential(nn.Linear(width, feed_forward), nn.ReLU(), nn.Linear(feed_forward, width))
            return Residual(width, dropout, inner)

        self.encoder = nn.ModuleList(
            nn.ModuleList([attention(places.encoder), feed()]) for _ in range(encoder_layers)
        )
        self.decoder = nn.ModuleList(
            nn.ModuleList([attention(places.decoder), attention(places.encoder_decoder), feed()])
            for _ in range(decoder_layers)
        )
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """(N, M) and (N, L), filled up with PAD at their ends -> (N, L, tokens)."""
        return self.decode(target, *self.encode(source))

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(N, M) -> the memory (N, M, width), and which of it is no filling, (N, 1, 1, M)."""
        x, visible = self._embed(source), (source != PAD)[:, None, None]
        for attention, feed in self.encoder:
            x = feed(attention(x, mask=visible))
        return self.encoder_norm(x), visible

    def decode(self, target: Tensor, memory: Tensor, visible: Tensor) -> Tensor:
        """(N, L) -> (N, L, tokens); what a position says depends on the target up to it."""
        x = self._embed(target)
        # The filling is behind all that is read, so that no position before sees it.
        past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
        for attention, to_source, feed in self.decoder:
            x = feed(to_source(attention(x, mask=past), memory, visible))
        return F.linear(self.decoder_norm(x), self.embedding.weight)

    def _embed(self, tokens: Tensor) -> Tensor:
        """(N, L) -> (N, L, width).

        Raises:
            UserError: There are more tokens than positions.
        """
        if tokens.shape[1] > self.positions:
            raise UserError(
                f'a sentence of {tokens.shape[1]} tokens is longer than the model, which has {self.positions} '
                'positions: split it, or train with more `positions`'
            )
        return self.dropout(self.embedding(tokens) * self.embedding.embedding_dim**0.5)
