"""Instance Enhancement Batch Normalization (Liang et al., AAAI 2020, arXiv:1908.04008).

Checked against gbup-group/IEBN ed6d563.
"""

import torch
from torch import Tensor, nn

from attn_plugins.compat import children_of, has_hooks
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.layers.place import Place
from attn_plugins.ops.fused import fused
from attn_plugins.ops.instance_enhance import EnhancedBatchNorm, apply_instance_gate, instance_gate
from attn_plugins.ops.mode import runs_eagerly
from attn_plugins.registry import MODELS


@MODELS.register_module()
class IEBN(NormLayer):
    """Batch norm whose scale is gated per instance by the layer's own input.

    Equation:
        y_nc = weight_c * delta_nc * (x_nc - mu_c) / sqrt(var_c + eps) + bias_c
        delta_nc = sigmoid(gate_weight_c * mean_hw(x_nc) + gate_bias_c)

    mu and var are the batch's in training and the running ones in evaluation; delta is the instance's own in both. The
    gate starts at sigmoid(-1) = 0.2689 everywhere.

    Parameters: 4 C instead of batch norm's 2 C.

    Deviations: the authors' class is a batch norm, this one holds one: conversions of SyncBN replace subclasses by plain
    batch norm and would drop the gate. State-dict keys are batch norm's own plus `gate_weight` and `gate_bias`, all of
    shape (C,) (the authors': (1, C, 1, 1)).

    In the authors' ResNet the batch norm of a projection shortcut stays plain: `norm='main'` of `Plugged` does that,
    `norm_cfg=dict(type='attn_plugins.IEBN')` replaces every one.

    Args:
        num_features (int): C.
        eps (float): Added to the variance.
        momentum (float): Of the running statistics.
        affine (bool): Whether there are weight and bias.
        track_running_stats (bool): As in batch norm.
        sync (bool): Whether statistics are taken over all processes; the gate is per sample and needs none.
    """

    place = Place(
        'In place of the batch norms of the stem and of the blocks; those of the projection shortcuts stay plain.',
        plugins=[dict(norm='main')],
        read_in='gbup-group/IEBN: models/cifar/iebn_resnet.py',
        host=dict(type='ResNet', norm_eval=False),
    )
    examples = [dict()]
    official_names = {
        'weight': 'weight',
        'bias': 'bias',
        'weight_readjust': 'gate_weight',
        'bias_readjust': 'gate_bias',
        'running_mean': 'running_mean',
        'running_var': 'running_var',
        'num_batches_tracked': 'num_batches_tracked',
    }

    def make_parameters(self) -> None:
        """One weight and one bias of the gate per channel."""
        self.gate_weight = nn.Parameter(torch.empty(self.num_features))
        self.gate_bias = nn.Parameter(torch.empty(self.num_features))

    def init_weights(self) -> None:
        """The published start of the gate. The batch norm's weight is the host's matter (zero-init residuals)."""
        nn.init.zeros_(self.gate_weight)
        nn.init.constant_(self.gate_bias, -1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        bn = self.bn
        if not (self._fits(x) and runs_eagerly(x)):
            return super().forward(x)
        by_batch = bn.training or bn.running_mean is None
        momentum = bn.momentum
        if bn.training and bn.num_batches_tracked is not None:
            bn.num_batches_tracked.add_(1)
            momentum = 1 / float(bn.num_batches_tracked) if momentum is None else momentum
        running = (
            (bn.running_mean, bn.running_var) if bn.track_running_stats or not bn.training else (None, None)
        )
        op = EnhancedBatchNorm(*running, by_batch, momentum or 0.0, bn.eps)
        return fused(op, x, bn.weight, bn.bias, self.gate_weight, self.gate_bias)

    def _fits(self, x: Tensor) -> bool:
        """Whether norm and gate can be one op: a plain batch norm, whole, of a map in its own precision with several values."""
        bn = children_of(self)['bn']
        return (
            type(bn) is nn.BatchNorm2d
            and not has_hooks(bn)
            and bn.affine
            and isinstance(x, Tensor)
            and x.dtype == bn.weight.dtype == self.gate_weight.dtype
            and x.numel() > x.shape[1]
        )

    def adapt(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return apply_instance_gate(y, instance_gate(x, self.gate_weight, self.gate_bias), self.bn.bias)
