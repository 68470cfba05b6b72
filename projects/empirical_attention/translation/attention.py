"""Attention between two sequences from any of four terms, each with a switch: the study's factors in one dimension."""

import torch
from torch import Tensor, nn

from attn_plugins.errors import UserError
from attn_plugins.ops.attention import attend
from attn_plugins.ops.generalized_attention import attend_along_sequence
from attn_plugins.ops.relative_position import position_angles


class FactoredAttention(nn.Module):
    """Multi-head attention of the positions i of one sequence to the positions j of another, or of the same.

    Equation:
        y_i = W_o sum_j softmax_j((E1 + E2 + E3 + E4) / sqrt(d)) v_j + b_o
        E1 = q_i . k_j    query and key content ('1000')
        E2 = q_i . P      query content and relative position ('0100')
        E3 = u . k_j      key content only ('0010')
        E4 = v . P        relative position only ('0001')
        P = W_p p(i - j)

    p are width / 2 sines and as many cosines of the distance, in tokens, of wave lengths up to 2000 pi (those of
    `position_angles`). The terms are divided by sqrt(d), d = width / heads, as in the Transformer (arXiv:1706.03762);
    on maps the study's released code does not do so. Between two sequences the distance is that of the position in
    the target from the position in the source, both counted from 0. Whether the study did either so is not known
    here.

    Parameters: with w = width, 2 w^2 + w; w^2 more with E1 or E2; w^2 more with E1 or E3; w^2 more with E2 or E4; w
    more with E3; w more with E4.

    Args:
        width (int): Channels, a multiple of `heads`, and of 2 where there is a term of position.
        heads (int): Number of heads.
        setting (str): Four bits, which of E1, E2, E3, E4 are there.

    Raises:
        UserError: The setting is not four bits or has none set, or heads and width do not fit.
    """

    def __init__(self, width: int, heads: int, setting: str):
        super().__init__()
        check_setting(setting)
        if width % heads:
            raise UserError(f'width {width} is not a multiple of {heads} heads: change one of the two')
        self.heads, self.setting = heads, setting
        self.content, self.content_position, self.key_only, self.position_only = (
            bit == '1' for bit in setting
        )
        self.has_position = self.content_position or self.position_only
        if self.has_position and width % 2:
            raise UserError(
                f'width {width} is odd, and has no sine and cosine for each wave length: take an even one'
            )
        self.value, self.out = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        if self.content or self.content_position:
            self.query = nn.Linear(width, width, bias=False)
        if self.content or self.key_only:
            self.key = nn.Linear(width, width, bias=False)
        if self.has_position:
            self.position = nn.Linear(width, width, bias=False)
        if self.key_only:
            self.u = nn.Parameter(torch.empty(heads, 1, width // heads))
        if self.position_only:
            self.v = nn.Parameter(torch.empty(heads, 1, width // heads))
        self.init_weights()

    def init_weights(self) -> None:
        """Xavier uniform, as is usual in Transformers; u and v uniform up to 1 / sqrt(2 d), as in
        GeneralizedAttention.
        """
        for module in self.children():
            nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(self.out.bias)
        bound = (2 * self.out.in_features // self.heads) ** -0.5
        for parameter in (getattr(self, name) for name in ('u', 'v') if hasattr(self, name)):
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, L, width) and (N, M, width) -> (N, L, width); `mask` is True where j is visible from i, (N or 1, 1, L
        or 1, M).
        """
        value = self._split(self.value(memory))
        query = self._split(self.query(x)) if hasattr(self, 'query') else None
        key = self._split(self.key(memory)) if hasattr(self, 'key') else None
        of_content = None if key is None else self._scaled(query if self.content else None, 'u')
        if not self.has_position:
            rows = attend(of_content.expand(len(x), -1, x.shape[1], -1), key, value, mask=mask)
        else:
            rows = attend_along_sequence(
                of_content,
                key,
                value,
                self._scaled(query if self.content_position else None, 'v'),
                self.position.weight.unflatten(0, (self.heads, -1)),
                self._angles(x),
                self._angles(memory),
                mask,
            )
        return self.out(rows.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        """(N, L, width) -> (N, heads, L, d)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _scaled(self, query: Tensor | None, name: str) -> Tensor:
        """What is multiplied with keys or positions: the query, the vectors u or v, or the sum of those there, over
        sqrt(d).
        """
        vectors = getattr(self, name, None)
        if query is None:
            total = vectors[None]
        else:
            total = query if vectors is None else query + vectors
        return total * total.shape[-1] ** -0.5

    def _angles(self, x: Tensor) -> Tensor:
        """Of the positions 0, 1, ...: (L, width / 2)."""
        return position_angles(x.shape[1], 1.0, 2 * x.shape[2], x)


def check_setting(setting: str) -> None:
    """Whether a setting is one.

    Raises:
        UserError: It is not.
    """
    if not isinstance(setting, str) or len(setting) != 4 or set(setting) - set('01'):
        raise UserError(
            f'there is no setting {setting!r}: give four bits, one for each of E1, E2, E3 and E4, such as '
            "'1111' or '0010'"
        )
    if setting == '0000':
        raise UserError("the setting '0000' has no term: set at least one bit, such as '0010'")
