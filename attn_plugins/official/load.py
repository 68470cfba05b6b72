"""`load_official` loads the authors' weights of a layer or of a whole model."""

from collections.abc import Mapping

from torch import Tensor, nn

from attn_plugins.insertion.tree import is_layer
from attn_plugins.official.layer import in_our_names
from attn_plugins.official.model import names_in_model


def load_official(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Loads published weights: maps their names and shapes, and refuses missing or left-over tensors.

    Each layer has its own map, `official_names`, in its file: from the authors' name, or the beginning of one, to ours.
    Tensors that they save but a layer computes are in its `official_constants()` and must agree. In a whole model the
    layers find their weights by these maps, and the host's weights are matched in order (`names_in_model`).

    Args:
        model (nn.Module): One of our layers, or a model with some of them, built with the options with which the
            weights were trained.
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
