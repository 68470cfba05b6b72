"""Instance Enhancement Batch Normalization (Liang et al., AAAI 2020, arXiv:1908.04008).

Checked against gbup-group/IEBN ed6d563.
"""

import torch
from torch import Tensor, nn

from attn_plugins.compat import BatchNorm, children_of, has_hooks, in_compiler
from attn_plugins.layers.channel.parts.gate import build_gate
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.layers.place import Place
from attn_plugins.ops.fused import fused
from attn_plugins.ops.instance_enhance import EnhancedBatchNorm, apply_instance_gate, instance_logits
from attn_plugins.ops.mode import follows_reference, runs_eagerly
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

    Deviations: the authors' class is a batch norm, this one holds one: conversions of SyncBN replace subclasses by
    plain batch norm and would drop the gate. State-dict keys are batch norm's own plus `gate_weight` and `gate_bias`,
    all of shape (C,) (the authors': (1, C, 1, 1)).

    In the authors' ResNet the batch norm of a projection shortcut stays plain: `norm='main'` of `Plugged` does that,
    `norm_cfg=dict(type='attn_plugins.IEBN')` replaces every one.

    Args:
        num_features (int): C.
        eps (float): Added to the variance.
        momentum (float): Of the running statistics.
        affine (bool): Whether there are weight and bias.
        track_running_stats (bool): As in batch norm.
        sync (bool): Whether statistics are taken over all processes; the gate is per sample and needs none.
        gate (str or dict): What makes delta of the gate's logits: any gate of `ChannelAttention`, also a control as
            dict(type='mean_over_images').
    """

    place = Place(
        'In place of the batch norms of the stem and of the blocks; those of the projection shortcuts stay plain.',
        plugins=[dict(norm='main')],
        read_in='gbup-group/IEBN: models/cifar/iebn_resnet.py',
        host=dict(type='ResNet', norm_eval=False),
    )
    examples = [dict(), dict(gate='hard_sigmoid')]
    official_names = {
        'weight': 'weight',
        'bias': 'bias',
        'weight_readjust': 'gate_weight',
        'bias_readjust': 'gate_bias',
        'running_mean': 'running_mean',
        'running_var': 'running_var',
        'num_batches_tracked': 'num_batches_tracked',
    }

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        sync: bool = False,
        gate: str | dict = 'sigmoid',
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, sync)
        self.gate = build_gate(gate, num_features)

    def make_parameters(self) -> None:
        """Adds one weight and one bias of the gate per channel."""
        self.gate_weight = nn.Parameter(torch.empty(self.num_features))
        self.gate_bias = nn.Parameter(torch.empty(self.num_features))

    def init_weights(self) -> None:
        """Initialises the gate as published; the host initialises the batch norm's weight (zero-init residuals)."""
        nn.init.zeros_(self.gate_weight)
        nn.init.constant_(self.gate_bias, -1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        bn = children_of(self)['bn']
        if follows_reference() or not self._fits(x):
            return super().forward(x)
        by_batch = bn.training or bn.running_mean is None
        count = x.numel() // x.shape[1]
        op = EnhancedBatchNorm(
            None if by_batch else (bn.running_mean, bn.running_var),
            bn.eps,
            (lambda mean, variance: _update(bn, count, mean, variance))
            if bn.training and bn.track_running_stats
            else None,
        )
        parameters = (bn.weight, bn.bias, self.gate_weight, self.gate_bias)
        return op.compiled(x, *parameters) if in_compiler() else fused(op, x, *parameters)

    def _fits(self, x: Tensor) -> bool:
        """Tells whether norm and gate can be computed by one op.

        They can for a plain batch norm with weight and bias, without hooks, and a map in its precision with several
        values. Plain means that it runs torch's own forward: so does the norm that mmengine puts in place of SyncBN in
        one process.
        """
        bn = children_of(self)['bn']
        return (
            type(self.gate) is nn.Sigmoid
            and getattr(type(bn), 'forward', None) is BatchNorm.forward
            and not has_hooks(bn)
            and bn.affine
            and (runs_eagerly(x) or in_compiler())
            and x.dtype == bn.weight.dtype == self.gate_weight.dtype
            and x.numel() > x.shape[1]
        )

    def adapt(self, x: Tensor, y: Tensor) -> Tensor:
        """Applies the gate to the normalised map: (N, C, H, W) -> (N, C, H, W)."""
        delta = self.gate(instance_logits(x, self.gate_weight, self.gate_bias))
        return apply_instance_gate(y, delta[:, :, None, None], self.bn.bias)


def _update(bn: nn.BatchNorm2d, count: int, mean: Tensor, variance: Tensor) -> None:
    """Updates a batch norm's running statistics as in a training step, with the variance over count - 1."""
    bn.num_batches_tracked.add_(1)
    momentum = 1 / bn.num_batches_tracked.to(mean.dtype) if bn.momentum is None else bn.momentum
    bn.running_mean.lerp_(mean, momentum)
    bn.running_var.lerp_(variance * (count / (count - 1)), momentum)
