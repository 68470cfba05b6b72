"""The configs that the contract tests build, by what they are: the `examples` of every layer."""

from attn_plugins import layers
from attn_plugins.layers.conv.base import ConvLike


def examples_of(name: str) -> dict[str, dict]:
    """The configs of a layer; examples that it inherits are another layer's.

    Args:
        name (str): The layer's type.

    Returns:
        dict[str, dict]: 'SE(reduction=4)' -> the config without channels.
    """
    return {
        f'{name}({", ".join(f"{key}={value!r}" for key, value in options.items())})': dict(
            options, type=f'attn_plugins.{name}'
        )
        for options in vars(getattr(layers, name)).get('examples', ())
    }


def _all(convolutions: bool) -> dict[str, dict]:
    found = {}
    for name in layers.__all__:
        if issubclass(getattr(layers, name), ConvLike) is convolutions:
            found |= examples_of(name)
    return found


def is_first(configs: dict[str, dict], name: str) -> bool:
    """Whether a config is the first of its layer."""
    return next(key for key, cfg in configs.items() if cfg['type'] == configs[name]['type']) == name


# Of the convolutions where a test says nothing else.
CONV_SIZES = dict(out_channels=12, kernel_size=3, padding=1)
LAYERS = _all(convolutions=False)
CONVS = _all(convolutions=True)
