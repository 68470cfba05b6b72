"""A module around another that leaves no trace in the state dict: the wrapped module's keys keep their own names."""

from torch import nn


class Wrapper(nn.Module):
    """Holds one module and adds to it without renaming it.

    A plain checkpoint of the wrapped module loads, with only what the wrapper adds missing; what the wrapper saves
    loads into the plain module. Attributes that the wrapper lacks are the wrapped module's own (`norm3.weight`), so
    hosts that reach into their children keep working. Neither deep copies nor the replacement of the wrapped module
    (SyncBN conversion) break it: hooks are plain functions and find the wrapped module by name.
    """

    #: The attribute under which the wrapped module is held.
    wrapped_name = 'wrapped'

    def __init__(self):
        super().__init__()
        self._register_state_dict_hook(_give_keys_back)
        self.register_load_state_dict_post_hook(_give_missing_keys_back)
        self._loading_prefix = ''

    def __getattr__(self, name: str):
        try:
            return super().__getattr__(name)
        except AttributeError:
            wrapped = self._modules.get(self.wrapped_name)
            if wrapped is None:
                raise
            return getattr(wrapped, name)

    def own_keys(self) -> set[str]:
        """The state-dict keys that the wrapper adds to those of the wrapped module, without prefix."""
        inner = self.wrapped_name + '.'
        names = [name for name, _ in self.named_parameters()] + [name for name, _ in self.named_buffers()]
        return {name for name in names if not name.startswith(inner)}

    def _load_from_state_dict(self, state_dict, prefix, *args):
        self._loading_prefix = prefix
        own = set(self._modules) | set(self._parameters) | set(self._buffers)
        own.discard(self.wrapped_name)
        for key in list(state_dict):
            if key.startswith(prefix) and key[len(prefix) :].split('.')[0] not in own:
                state_dict[prefix + self.wrapped_name + '.' + key[len(prefix) :]] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _give_keys_back(module: Wrapper, state_dict: dict, prefix: str, local_metadata: dict) -> None:
    """Takes the wrapper's level out of the keys that were just saved."""
    inner = prefix + module.wrapped_name + '.'
    for key in [key for key in state_dict if key.startswith(inner)]:
        state_dict[prefix + key[len(inner) :]] = state_dict.pop(key)
    metadata = getattr(state_dict, '_metadata', None)
    if metadata is not None:
        for key in [key for key in metadata if (key + '.').startswith(inner)]:
            metadata[(prefix + (key + '.')[len(inner) :])[:-1]] = metadata.pop(key)


def _give_missing_keys_back(module: Wrapper, incompatible_keys) -> None:
    """Takes the wrapper's level out of the names that are reported as missing or unexpected."""
    prefix = module._loading_prefix
    inner = prefix + module.wrapped_name + '.'
    for keys in incompatible_keys:
        keys[:] = [prefix + key[len(inner) :] if key.startswith(inner) else key for key in keys]
