"""A linear classifier with dropout before it, as in MobileNetV2, MobileNeXt and EfficientNet; mmpretrain has none."""

from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from attn_plugins.registry import MODELS


@MODELS.register_module()
class DropoutClsHead(LinearClsHead):
    """mmpretrain's `LinearClsHead` on features of which a random part is set to zero in training.

    Equation:
        logits = W dropout(x) + b

    Shapes:
        The last of the given features, (N, in_channels), gives (N, num_classes).

    Args:
        dropout (float): Probability of a feature to be zeroed.
        **kwargs: `LinearClsHead`'s. The state-dict keys are its own.
    """

    def __init__(self, dropout: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.dropout = nn.Dropout(dropout)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Returns the features that go into the linear layer."""
        return self.dropout(super().pre_logits(feats))
