"""Batch norm under constant noise, the attack of the IEBN paper (Liang et al., AAAI 2020, arXiv:1908.04008).

No code of it was published.
"""

import math

from torch import Tensor

from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.layers.place import Place
from attn_plugins.registry import MODELS


def add_noise(normalized: Tensor, na: float, nb: float, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Computes weight * (na * x_hat + nb) + bias from the finished h = weight * x_hat + bias.

    It is one scale and shift per channel, na * h + (weight * nb + bias * (1 - na)), so h can come from any batch norm
    (SyncBN, frozen, evaluating).

    Args:
        normalized (Tensor): h, the batch norm's output, (N, C, H, W).
        na (float): The factor on x_hat.
        nb (float): The summand on x_hat.
        weight (Tensor, optional): The batch norm's weight, (C,); None for a batch norm without affine.
        bias (Tensor, optional): The batch norm's bias, (C,).

    Returns:
        Tensor: Shape and dtype of `normalized`.
    """
    if weight is None:
        return normalized * na + nb
    shift = weight * nb + bias * (1 - na)
    return normalized * na + shift[:, None, None].to(normalized.dtype)


def add_noise_as_published(
    x_hat: Tensor, na: float, nb: float, weight: Tensor | None, bias: Tensor | None
) -> Tensor:
    """Computes weight * (na * x_hat + nb) + bias from the values before weight and bias."""
    noisy = na * x_hat + nb
    return noisy if weight is None else weight[:, None, None] * noisy + bias[:, None, None]


@MODELS.register_module()
class NoisyBN(NormLayer):
    """Batch norm whose normalised values are disturbed by constants.

    Equation:
        y = weight * (na * x_hat + nb) + bias
        x_hat = (x - mu) / sqrt(var + eps)

    mu and var are the batch's in training and the running ones in evaluation; the running statistics themselves see no
    noise.

    Parameters: 2 C, batch norm's own.

    Deviations: the pairs (na, nb) of the paper and whether it keeps the noise in testing are not known here, so the
    defaults are this package's choice and a result with them reproduces no published number. The noise follows the
    layer's own training mode, so a host's `norm_eval`, which fixes the batch norm inside, leaves it on.

    State-dict keys are batch norm's own. `Plugged(norm='main')` keeps the host's batch norms inside; their kind, eps,
    momentum, weight and bias stay as they are.

    Args:
        num_features (int): C.
        na (float): Factor on x_hat, not zero.
        nb (float): Summand on x_hat.
        at_train (bool): Whether there is noise in training.
        at_test (bool): Whether there is noise in evaluation.
        eps (float): Added to the variance.
        momentum (float): Of the running statistics.
        affine (bool): Whether there are weight and bias.
        track_running_stats (bool): As in batch norm.
        sync (bool): Whether statistics are taken over all processes.

    Raises:
        ValueError: The constants are not finite, na is zero, or there is no noise at any time.
    """

    place = Place(
        'In place of the batch norms of the stem and of the blocks.',
        plugins=[dict(norm='main')],
        host=dict(type='ResNet', norm_eval=False),
    )
    examples = [dict(), dict(na=0.5, nb=-0.25, at_test=True), dict(at_train=False, at_test=True)]
    official_names = {
        name: name for name in ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    }

    def __init__(
        self,
        num_features: int,
        na: float = 0.8,
        nb: float = 0.8,
        at_train: bool = True,
        at_test: bool = False,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        sync: bool = False,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, sync)
        if na == 0 or not math.isfinite(na) or not math.isfinite(nb):
            raise ValueError(f'na={na}, nb={nb} must be finite and na not zero: na=1, nb=0 is no noise')
        if not (at_train or at_test):
            raise ValueError('NoisyBN with at_train=False and at_test=False is a plain batch norm: take BN')
        self.na = na
        self.nb = nb
        self.at_train = at_train
        self.at_test = at_test

    def adapt(self, x: Tensor, y: Tensor) -> Tensor:
        """Adds the noise to the normalised map: (N, C, H, W) -> (N, C, H, W)."""
        if not (self.at_train if self.training else self.at_test):
            return y
        return add_noise(y, self.na, self.nb, self.bn.weight, self.bn.bias)
