"""Generalized attention (An Empirical Study of Spatial Attention; Zhu et al., ICCV 2019, arXiv:1904.05873).

Checked against open-mmlab/mmcv a8073c7 where that is right, and against a double loop over all places everywhere.
"""

from collections.abc import Callable

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn

from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.attention import attend, join_heads, map_of_rows, rows_of_heads, split_heads
from attn_plugins.ops.generalized_attention import attend_with_positions
from attn_plugins.ops.grid_attention import attend_separably
from attn_plugins.ops.pool import at_least_float32
from attn_plugins.ops.relative_position import (
    axis_energies,
    axis_weights,
    position_angles,
    visible_keys,
    visible_pairs,
)
from attn_plugins.ops.residual import add_branch
from attn_plugins.registry import MODELS

# A symbolic trace must not look inside these functions: they read the device, the dtype or the size, or unpack lists.
torch.fx.wrap('at_least_float32')
torch.fx.wrap('attend')
torch.fx.wrap('attend_with_positions')
torch.fx.wrap('position_angles')
torch.fx.wrap('visible_keys')


@MODELS.register_module()
class GeneralizedAttention(Layer):
    """Attention from any of four terms, of content and of relative position.

    Equation:
        y_i = x_i + gamma (W_o sum_j softmax_j(E1 + E2 + E3 + E4) v_j + b_o)
        E1 = q_i . k_j    query and key content ('1000')
        E2 = q_i . P      query content and relative position ('0100')
        E3 = u . k_j      key content only ('0010')
        E4 = v . P        relative position only ('0001')
        P = (W_x p(dx) + W_y p(dy)) / sqrt(2)

    The query q_i and the key k_j of a head have d = C // num_heads channels each; (dx, dy) is the distance of their
    places in pixels and p are sines and cosines of it. u and v are vectors of the head. q, k and the values are 1x1
    convolutions without bias. The products are not scaled. gamma = 0 at the start, so the layer starts as the
    identity. '0000' has no
    term: all keys have the same weight, and y_i = x_i + gamma (W_o mean_j v_j + b_o), the control of all others.

    Parameters: for O = d num_heads and D = position_embedding_dim, 2 C O + C + 1; C O more with E1 or E2; C O more with
    E1 or E3; D O more with E2 or E4; O more with E3; O more with E4.

    Deviations: from mmcv's module, whose names and weights are kept: '0100', '0110', '1100' and '1110' follow the
    definition above on every map (mmcv takes the vertical position of another place, and fails where H != W);
    `spatial_range` works for any C, map, stride and type; no map over all pairs is held: terms
    of position beside content are energies of columns and rows, and on a CPU the weights are made part by part
    (`ops/attention_in_parts.py`), elsewhere features serve where torch's scaled_dot_product_attention has a fused
    kernel; '0001' is two softmaxes, one per axis; '0011' is one over the keys of every row and one over the rows, exact
    however large the energies are; '0010' is one vector for the whole map, projected after the sum.

    Args:
        in_channels (int): C.
        spatial_range (int): How many pixels up, down, left and right are visible, rounded outwards to the keys' grid
            (one more to the right and below, as in mmcv, where kv_stride is 1); -1 for all. It costs a boolean map
            over all pairs, shared by samples and heads, with '1000' and '1010', and where a fused kernel serves.
        num_heads (int): Number of heads.
        position_embedding_dim (int): D, a multiple of 4; -1 for C.
        position_magnitude (float): Factor of the distances.
        kv_stride (int): Every how many-th row and column is a key.
        q_stride (int): Every how many-th row and column is a query; the result is interpolated bilinearly.
        attention_type (str): Four bits, which of E1, E2, E3, E4 are there; '0000' is the mean of the values.

    Raises:
        ValueError: The type is not four bits, or heads, strides, range or D are impossible.
    """

    _abbr_ = 'attn_generalized'
    place = Place(
        'After the 3x3 convolution, its norm and activation, in every block of the last two stages, with 8 heads.',
        plugins=[dict(cfg=dict(num_heads=8), position='after_conv2', stages=(False, False, True, True))],
        read_in='mmdet: configs/empirical_attention',
    )
    examples = [
        *(dict(num_heads=4, attention_type=f'{bits:04b}') for bits in range(16)),
        dict(num_heads=8),
        dict(num_heads=3, q_stride=2),
        dict(num_heads=2, q_stride=2, attention_type='0001'),
        dict(num_heads=2, spatial_range=1, q_stride=2),
        dict(num_heads=2, spatial_range=0, attention_type='0001'),
    ]
    official_names = {
        name: name
        for name in (
            'query_conv',
            'key_conv',
            'value_conv',
            'proj_conv',
            'appr_geom_fc_x',
            'appr_geom_fc_y',
            'appr_bias',
            'geom_bias',
            'gamma',
        )
    }

    def __init__(
        self,
        in_channels: int,
        spatial_range: int = -1,
        num_heads: int = 9,
        position_embedding_dim: int = -1,
        position_magnitude: float = 1,
        kv_stride: int = 2,
        q_stride: int = 1,
        attention_type: str = '1111',
    ):
        super().__init__(in_channels)
        self.position_dim = in_channels if position_embedding_dim == -1 else position_embedding_dim
        self.num_heads = num_heads
        self.spatial_range = spatial_range
        self.position_magnitude = position_magnitude
        self.kv_stride = kv_stride
        self.q_stride = q_stride
        self.attention_type = attention_type
        _check_type(attention_type)
        self.content, self.content_position, self.key_only, self.position_only = (
            bit == '1' for bit in attention_type
        )
        self._check_numbers(in_channels)
        self._make_parameters(in_channels, in_channels // num_heads * num_heads)
        self.init_weights()

    def _check_numbers(self, in_channels: int) -> None:
        if not 1 <= self.num_heads <= in_channels:
            raise ValueError(
                f'num_heads={self.num_heads} leaves no channel per head for in_channels={in_channels}: '
                f'choose from 1 to {in_channels}'
            )
        for name in ('kv_stride', 'q_stride'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name}={getattr(self, name)} must be at least 1')
        if self.spatial_range < -1:
            raise ValueError(
                f'spatial_range={self.spatial_range} must be at least 0, or -1 for the whole map'
            )
        if self.has_position and (self.position_dim < 4 or self.position_dim % 4):
            raise ValueError(
                f'position_embedding_dim={self.position_dim} must be a positive multiple of 4 (sine and cosine of '
                f'two axes): try {max(4, (self.position_dim + 3) // 4 * 4)}'
            )

    @property
    def has_position(self) -> bool:
        """Whether a term reads the relative position."""
        return self.content_position or self.position_only

    def _make_parameters(self, in_channels: int, out_channels: int) -> None:
        """Adds the parameters that the terms need, under mmcv's names."""
        if self.content or self.content_position:
            self.query_conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        if self.content or self.key_only:
            self.key_conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.value_conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        if self.has_position:
            self.appr_geom_fc_x = nn.Linear(self.position_dim // 2, out_channels, bias=False)
            self.appr_geom_fc_y = nn.Linear(self.position_dim // 2, out_channels, bias=False)
        if self.key_only:
            self.appr_bias = nn.Parameter(self.value_conv.weight.new_empty(out_channels))
        if self.position_only:
            self.geom_bias = nn.Parameter(self.value_conv.weight.new_empty(out_channels))
        self.proj_conv = nn.Conv2d(out_channels, in_channels, 1)
        self.gamma = nn.Parameter(self.value_conv.weight.new_zeros(1))

    def init_weights(self) -> None:
        """Initialises as published.

        That is Kaiming uniform with a = 1, u and v uniform up to 1 / sqrt(2 d), b_o and gamma zero.
        """
        for module in self.children():
            nn.init.kaiming_uniform_(module.weight, a=1)
        bound = (2 * self.proj_conv.in_channels // self.num_heads) ** -0.5
        for name in ('appr_bias', 'geom_bias'):
            if hasattr(self, name):
                nn.init.uniform_(getattr(self, name), -bound, bound)
        nn.init.zeros_(self.proj_conv.bias)
        nn.init.zeros_(self.gamma)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        queries, keys = _subsample(x, self.q_stride), _subsample(x, self.kv_stride)
        one_context = self.attention_type in ('0000', '0010') and self.spatial_range < 0
        if one_context:
            out = self._one_context(keys)
        elif self.content or self.content_position:
            out = self._attend(queries, keys)
        elif self.attention_type == '0001':
            out = self._attend_along_axes(queries, keys)
        else:
            out = self._attend_in_two_steps(queries, keys)
        y = self.proj_conv(out)
        if self.q_stride > 1 and not one_context:
            y = F.interpolate(y, size=x.shape[2:], mode='bilinear', align_corners=False)
        return add_branch(x, y, self.gamma)

    def _attend(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Attends with a term of the query's content and any others, (N, O, H_q, W_q)."""
        height, width = queries.shape[2], queries.shape[3]
        split = rows_of_heads if self.has_position else split_heads
        value, query = [
            split(projected, self.num_heads)
            for projected in (self.value_conv(keys), self.query_conv(queries))
        ]
        if self.content:
            of_query = self._query_vector(query, 'appr_bias')
            of_key = split(self.key_conv(keys), self.num_heads)
        elif self.key_only:
            of_key = split(self._key_energies(keys), self.num_heads)
            of_query = torch.ones_like(of_key[:, :, :1])
        else:
            of_query = of_key = None
        visible = self._visible_axes(queries, keys)
        if not self.has_position:
            return join_heads(attend(of_query, of_key, value, mask=visible_pairs(visible)), height, width)
        of_position = self._query_vector(query if self.content_position else None, 'geom_bias')
        rows = attend_with_positions(
            of_query,
            of_key,
            value,
            of_position.unflatten(2, (height, width) if self.content_position else (1, 1)),
            self._position_weights(),
            self._angles(queries, self.q_stride),
            self._angles(keys, self.kv_stride),
            visible,
        )
        return map_of_rows(rows, height, width)

    def _one_context(self, keys: Tensor) -> Tensor:
        """Computes '0010' and '0000', (N, O, 1, 1): every query gets the same sum, which is projected afterwards."""
        weights = torch.softmax(self._key_energies(keys).flatten(2), 2).to(keys.dtype)
        context = weights @ keys.flatten(2).transpose(1, 2)
        weight = self.value_conv.weight.view(self.num_heads, -1, self.in_channels)
        return torch.einsum('nhc,hdc->nhd', context, weight).flatten(1)[:, :, None, None]

    def _attend_in_two_steps(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Attends to the keys of every row first, then to the rows, (N, O, H_q, W_q).

        This is for '0011', and for '0010' and '0000' in a range.
        """
        value, visible = self._values_on_grid(keys), self._visible_axes(queries, keys)
        if self.position_only:
            of_axes = self._along_axes(axis_energies, queries, keys)
        else:
            of_axes = [
                torch.zeros_like(seen, dtype=torch.float32).masked_fill(~seen, float('-inf'))[None]
                for seen in visible
            ]
        return attend_separably(self._key_energies(keys), value.permute(0, 1, 3, 4, 2), *of_axes).flatten(
            1, 2
        )

    def _attend_along_axes(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Computes '0001', (N, O, H_q, W_q), axis by axis.

        The softmax of a sum over the two axes is the product of their softmaxes.
        """
        value = self._values_on_grid(keys)
        of_x, of_y = [
            weights.to(value.dtype)[:, None] for weights in self._along_axes(axis_weights, queries, keys)
        ]
        return (of_y @ (value @ of_x.transpose(2, 3))).flatten(1, 2)

    def _along_axes(self, of_axis: Callable, queries: Tensor, keys: Tensor) -> list[Tensor]:
        """Computes energies or weights of columns and of rows for the vectors v, (heads, queries, keys) each."""
        angles, key_angles = self._angles(queries, self.q_stride), self._angles(keys, self.kv_stride)
        weights, visible = self._position_weights(), self._visible_axes(queries, keys)
        vectors = self._vectors(self.geom_bias)[0, :, 0]
        return [of_axis(vectors, weights[i], angles[i], key_angles[i], visible[i]) for i in (0, 1)]

    def _values_on_grid(self, keys: Tensor) -> Tensor:
        """Computes the values as maps, (N, heads, e, H_k, W_k)."""
        return self.value_conv(keys).unflatten(1, (self.num_heads, -1))

    def _key_energies(self, keys: Tensor) -> Tensor:
        """Computes u . k_j, or zeros without E3: (N, heads, H_k, W_k), at least float32.

        It is one convolution with a channel per head.
        """
        if not self.key_only:
            return at_least_float32(torch.zeros_like(keys[:, :1])).expand(-1, self.num_heads, -1, -1)
        vectors = self.appr_bias.view(self.num_heads, 1, -1)
        weight = vectors @ self.key_conv.weight.view(self.num_heads, -1, self.in_channels)
        return at_least_float32(F.conv2d(keys, weight.view(self.num_heads, -1, 1, 1)))

    def _query_vector(self, query: Tensor | None, name: str) -> Tensor:
        """Returns the vector that multiplies a key: the query, the vectors u or v of that name, or the sum of both."""
        if not hasattr(self, name):
            return query
        vectors = self._vectors(getattr(self, name))
        return vectors if query is None else query + vectors

    def _vectors(self, bias: Tensor) -> Tensor:
        """Reshapes u or v to (1, heads, 1, d)."""
        return bias.view(1, self.num_heads, 1, -1)

    def _position_weights(self) -> tuple[Tensor, Tensor]:
        """Computes W_x and W_y over sqrt(2), each (heads, d, D / 2)."""
        layers = (self.appr_geom_fc_x, self.appr_geom_fc_y)
        return tuple(layer.weight.unflatten(0, (self.num_heads, -1)) * 0.5**0.5 for layer in layers)

    def _angles(self, places: Tensor, stride: int) -> tuple[Tensor, Tensor]:
        """Computes the angles of the columns and of the rows."""
        step = stride * self.position_magnitude
        width, height = places.shape[3], places.shape[2]
        return tuple(position_angles(length, step, self.position_dim, places) for length in (width, height))

    def _visible_axes(self, queries: Tensor, keys: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Computes which columns and which rows of the keys every query sees; None for all."""
        if self.spatial_range < 0:
            return None, None
        return tuple(
            visible_keys(
                queries.shape[axis],
                self.q_stride,
                keys.shape[axis],
                self.kv_stride,
                self.spatial_range,
                keys.device,
            )
            for axis in (3, 2)
        )

    def official_constants(self) -> dict[str, Tensor]:
        """Computes mmcv's window, a parameter there, which hides what is 1; it exists for 256 and 512 channels only."""
        length = {256: 84, 512: 42}.get(self.in_channels)
        if self.spatial_range < 0 or length is None:
            return {}
        key_length = (length - 1) // self.kv_stride + 1
        seen = visible_keys(length, 1, key_length, self.kv_stride, self.spatial_range, self.gamma.device)
        return {'local_constraint_map': (~(seen[:, None, :, None] & seen[None, :, None, :])).byte()}

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        """Drops mmcv's window, which mmcv stores as a parameter; here it follows from the sizes."""
        state_dict.pop(f'{prefix}local_constraint_map', None)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _check_type(attention_type: str) -> None:
    if not isinstance(attention_type, str) or len(attention_type) != 4 or set(attention_type) - set('01'):
        raise ValueError(
            f"attention_type={attention_type!r} must be a string of four bits such as '1111' or '0010'"
        )


def _subsample(x: Tensor, stride: int) -> Tensor:
    return x if stride == 1 else x[:, :, ::stride, ::stride]


def _join_features(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)
