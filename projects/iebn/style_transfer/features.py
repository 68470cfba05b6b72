"""VGG16 as a loss network: torchvision's, with weights from a file or, if asked, random ones. Nothing is downloaded."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from attn_plugins.errors import UserError

# Layer -> its index in torchvision's `vgg16().features`.
LAYERS = {'relu1_2': 3, 'relu2_2': 8, 'relu3_3': 15, 'relu4_3': 22}
# Of ImageNet's pixels, 0 to 1, with which torchvision's weights were trained.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
RANDOM_SEED = 0


class VGGFeatures(nn.Module):
    """Maps of VGG16 up to relu4_3. Its weights are fixed; gradients pass through it to the image.

    Args:
        weights (dict[str, Tensor]): As `features` of torchvision's `vgg16` names them: '0.weight'.
        label (str): Which weights these are, for all that is made with them.
    """

    def __init__(self, weights: dict[str, Tensor], label: str):
        super().__init__()
        self.label = label
        self.layers = _skeleton().to_empty(device='cpu')
        self.layers.load_state_dict(weights)
        self.requires_grad_(False)
        self.register_buffer('mean', torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer('std', torch.tensor(STD).view(3, 1, 1))

    def forward(self, image: Tensor, last: str = 'relu4_3') -> dict[str, Tensor]:
        """(N, 3, H, W), 0 to 1 -> the maps by layer, up to `last`."""
        x, maps = (image - self.mean) / self.std, {}
        names = {index: name for name, index in LAYERS.items()}
        for index, layer in enumerate(self.layers[: LAYERS[last] + 1]):
            x = layer(x)
            if index in names:
                maps[names[index]] = x
        return maps


def random_features() -> VGGFeatures:
    """VGG16 that was never trained: He et al.'s start, which keeps the size of the maps over the depth, of a fixed
    seed.
    """
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    weights = {key: torch.zeros(value.shape) for key, value in _skeleton().state_dict().items()}
    for key, value in weights.items():
        if key.endswith('weight'):
            nn.init.kaiming_normal_(value, nonlinearity='relu', generator=generator)
    return VGGFeatures(weights, f'untrained VGG16, random features of seed {RANDOM_SEED}')


def load_features(path: str | Path) -> VGGFeatures:
    """VGG16 with the weights of a file, torchvision's state dict of `vgg16` (the classifier's weights are not needed).

    Raises:
        UserError: The file is missing, no state dict, or one of another model.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"there is no file {path}: give torchvision's VGG16 weights (vgg16-397923af.pth, from a machine "
            'that has them), '
            'or --random-vgg for features that were never trained'
        )
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # whatever the bytes made of the reader
        raise UserError(
            f"{path} cannot be read as weights: give torchvision's state dict of vgg16"
        ) from error
    wanted = {f'features.{key}': value for key, value in _skeleton().state_dict().items()}
    given = content if isinstance(content, dict) else {}
    wrong = [key for key, value in wanted.items() if getattr(given.get(key), 'shape', None) != value.shape]
    if wrong:
        shape = tuple(wanted[wrong[0]].shape)
        raise UserError(
            f'{path} is no state dict of vgg16: {len(wrong)} of {len(wanted)} weights are missing or have '
            'another shape, '
            f"the first is {wrong[0]} {shape}; give torchvision's"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    weights = {key.removeprefix('features.'): given[key] for key in wanted}
    return VGGFeatures(weights, f'VGG16 with the weights of {path.name} (sha256 {digest})')


def _skeleton() -> nn.Sequential:
    """The layers without values: the classifier's 124 million weights are never made."""
    with torch.device('meta'):
        return vgg16(weights=None).features[: LAYERS['relu4_3'] + 1]
