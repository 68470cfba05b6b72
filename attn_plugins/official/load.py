"""`load_official`: the authors' weights of a layer or of a whole model."""

from collections.abc import Mapping

from torch import Tensor, nn

from attn_plugins.insertion.tree import is_layer
from attn_plugins.official.layer import in_our_names
from attn_plugins.official.model import names_in_model


def load_official(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Loads published weights: names mapped, shapes reshaped, nothing missing, nothing left over.

    Each layer's file carries its own map, `official_names`: the authors' name, or the beginning of one, to ours. What
    they save but a layer computes is in its `official_constants()` and must agree. In a whole model the layers find
    their weights by these maps, and the host's follow in order (`names_in_model`).

    Args:
        model (nn.Module): One of our layers, or a model with some, built with the options that the weights were trained
            with.
        state_dict (Mapping[str, Tensor]): The authors' state dict of that layer or model.

    Raises:
        ValueError: A key has no place here, a parameter finds no key, or the element counts differ.
    """
    if is_layer(model):
        loaded = in_our_names(model, state_dict)
        missing = model.state_dict().keys() - loaded.keys()
        if missing:
            raise ValueError(f'the published weights have nothing for {", ".join(sorted(missing))}')
    else:
        loaded = own = model.state_dict()
        for key, name in names_in_model(model, state_dict).items():
            if name:
                loaded[name] = state_dict[key].reshape(own[name].shape)
    model.load_state_dict(loaded)
