"""The base class of backbones with a stem and numbered stages: returns their maps and freezes stages."""

from collections.abc import Mapping, Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from attn_plugins.compat import BatchNorm
from attn_plugins.errors import UserError

# Convolutions N(0, 2 / (k^2 * out_channels)), norms 1 and 0.
START = (
    dict(type='Kaiming', layer='Conv2d', mode='fan_out', nonlinearity='relu', distribution='normal'),
    dict(type='Constant', layer=['_BatchNorm', 'GroupNorm'], val=1, bias=0),
)


def make_divisible(value: float, divisor: int) -> int:
    """Rounds a width to the nearest multiple of `divisor`, or to the next one if that would lose over a tenth."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * value else nearest + divisor


class StagedBackbone(BaseModule):
    """A stem and stages that run one after the other, under the names of OpenMMLab's MobileNetV2.

    Args:
        stem (nn.Module): Registered as `conv1`.
        stages (Mapping[str, nn.Module]): The stages by their names, in their order.
        out_indices (Sequence[int]): Stages, from 0, whose output is returned.
        frozen_stages (int): How many stages are frozen besides the stem; 0 freezes the stem alone, -1 nothing.
        norm_eval (bool): Keeps batch norms at their statistics in training.
        init_cfg (dict or Sequence[dict], optional): As in mmengine's `BaseModule`.

    Raises:
        UserError: There is no stage of an index.
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: Mapping[str, nn.Module],
        out_indices: Sequence[int],
        frozen_stages: int,
        norm_eval: bool,
        init_cfg: dict | Sequence[dict] | None,
    ) -> None:
        super().__init__(list(init_cfg) if isinstance(init_cfg, tuple) else init_cfg)
        self.layers = list(stages)
        self.check_indices('out_indices', out_indices)
        if frozen_stages not in range(-1, len(stages) + 1):
            raise UserError(
                f'{type(self).__name__} cannot freeze frozen_stages={frozen_stages}: give -1 for none, or how many of '
                f'its {len(stages)} stages are frozen after the stem'
            )
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.conv1 = stem
        for name, stage in stages.items():
            self.add_module(name, stage)

    def check_indices(self, option: str, indices: Sequence[int]) -> None:
        """Refuses an index without a stage.

        Raises:
            UserError: There is no stage of an index.
        """
        wrong = [index for index in indices if index not in range(len(self.layers))]
        if wrong:
            raise UserError(
                f'{type(self).__name__} has no stage {wrong[0]} for {option}: choose from 0 ({self.layers[0]}) to '
                f'{len(self.layers) - 1} ({self.layers[-1]})'
            )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) images to the maps that are returned, in the order of the network."""
        x = self.conv1(x)
        outs = []
        for index, name in enumerate(self.layers):
            x = self.run_stage(index, getattr(self, name), x, outs)
            if index in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def run_stage(self, index: int, stage: nn.Module, x: Tensor, outs: list[Tensor]) -> Tensor:
        """Returns a stage's output; adds to `outs` any map from inside a stage that the backbone returns too."""
        return stage(x)

    def train(self, mode: bool = True) -> 'StagedBackbone':
        """Sets the mode, except for frozen modules and, with `norm_eval`, batch norms."""
        super().train(mode)
        frozen = ['conv1', *self.layers[: self.frozen_stages]] if self.frozen_stages >= 0 else []
        for name in frozen:
            getattr(self, name).eval()
            for parameter in getattr(self, name).parameters():
                parameter.requires_grad = False
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, BatchNorm):
                    module.eval()
        return self
