"""A module around another one that does not change any name of the wrapped module."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

from torch import Tensor, nn
from torch.fx import Proxy

from attn_plugins.compat import buffers_of, children_of, parameters_of, register_state_dict_hook
from attn_plugins.errors import PassedBy
from attn_plugins.randomness import next_number, own_stream


class Wrapper(nn.Module):
    """Holds one module and adds to it without renaming it.

    State-dict keys and the names of parameters, buffers and modules are those of the wrapped module, as if the wrapper
    were not there; the wrapper's own are beside them. So a plain checkpoint loads with only the wrapper's own keys
    missing, a checkpoint of the wrapper loads into the plain module, and code that uses the names of
    `named_parameters()` (layer-wise learning rates) keeps working. Attributes that the wrapper lacks are read from and
    written to the wrapped module (`norm3.weight`), so hosts that reach into their children keep working. Neither deep
    copies nor the replacement of the wrapped module (SyncBN conversion) break it: hooks are plain functions and find
    the wrapped module by name. The wrapper's own attributes are called `attn_*`, so that they never hide an attribute
    of a host."""

    #: The attribute under which the wrapped module is held.
    attn_wrapped = 'wrapped'
    #: Attributes read from a norm or a convolution to fold it into other weights, which would drop the wrapper.
    attn_folding = frozenset({'eps', '_conv_forward'})

    def __init__(self):
        super().__init__()
        register_state_dict_hook(self, _give_keys_back)
        self.register_load_state_dict_post_hook(_give_missing_keys_back)
        self.attn_prefix = ''
        self.attn_number = 0  # its number among the wrappers that were put into a host together

    def __getattr__(self, name: str):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == '_modules':  # `__init__` has not run, and `children_of` reads this attribute
                raise
            wrapped = children_of(self).get(self.attn_wrapped)
            if wrapped is None:
                raise
            if name in self.attn_folding:
                raise PassedBy(
                    f'{type(self).__name__} around {type(wrapped).__name__} cannot be folded into the weights of a '
                    'convolution, as what it adds depends on the input: keep the model as it was trained'
                ) from None
            if 'forward' in name:
                raise PassedBy(
                    f'{name} of {type(wrapped).__name__} would pass by the {type(self).__name__} around it, so a layer '
                    'cannot stand at this module: choose one inside it'
                ) from None
            return getattr(wrapped, name)

    def __setattr__(self, name: str, value) -> None:
        wrapped = children_of(self).get(self.attn_wrapped)
        if wrapped is None or self._has(name) or not (name in self.attn_folding or hasattr(wrapped, name)):
            super().__setattr__(name, value)
        elif name in parameters_of(wrapped) and isinstance(value, Tensor):
            parameters_of(wrapped)[name] = (
                value  # torch.func.functional_call swaps parameters for plain tensors
            )
        else:
            setattr(wrapped, name, value)

    def _has(self, name: str) -> bool:
        """Tells whether an attribute is the wrapper's own.

        Private ones are: in them torch and mmengine keep notes on a module.
        """
        own = (self.__dict__, children_of(self), parameters_of(self), buffers_of(self))
        return name.startswith('_') or any(name in names for names in own) or hasattr(type(self), name)

    def named_modules(
        self, memo: set | None = None, prefix: str = '', remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Module]]:
        """Yields modules as torch does, but the wrapped module has the wrapper's own name."""
        if memo is None:  # the wrapper is the root, so the wrapped module has no name yet
            yield from super().named_modules(memo, prefix, remove_duplicate)
            return
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        for name, module in children_of(self).items():
            if name == self.attn_wrapped:
                yield from module.named_modules(memo, prefix, remove_duplicate)
                yield prefix, self  # last, as `get_submodule` finds the wrapper under this name
            elif module is not None:
                yield from module.named_modules(memo, f'{prefix}.{name}'.lstrip('.'), remove_duplicate)

    def apply(self, fn: Callable[[nn.Module], None]) -> 'Wrapper':
        """Applies a function to all parts, as torch does; OpenMMLab initialises modules by it.

        Random numbers for the wrapper's own parts come from a stream of their own.
        """
        for name, module in children_of(self).items():
            own = name != self.attn_wrapped
            with own_stream(next_number(), self.attn_number, name) if own else nullcontext():
                module.apply(fn)
        fn(self)
        return self

    def attn_own_keys(self) -> set[str]:
        """Returns the state-dict keys that the wrapper adds to those of the wrapped module, without prefix."""
        return set(self.state_dict()) - set(children_of(self)[self.attn_wrapped].state_dict())

    def attn_fx_node(self, *args, **kwargs) -> Proxy | None:
        """Creates one graph node for the whole wrapper while torch.fx traces a model that holds it; else None.

        Its parts share their name with it, so a trace through them would find the wrong module.
        """
        for value in (
            (*args, *kwargs.values()) if kwargs else args
        ):  # in every call: a generator would cost more
            if isinstance(value, Proxy):
                path = value.tracer.path_of_module(self)
                return value.tracer.create_proxy('call_module', path, args, kwargs) if path else None
        return None

    def _load_from_state_dict(self, state_dict, prefix, *args):
        self.attn_prefix = prefix
        own = {*children_of(self), *parameters_of(self), *buffers_of(self)}
        own.discard(self.attn_wrapped)
        for key in list(state_dict):
            if key.startswith(prefix) and key[len(prefix) :].split('.')[0] not in own:
                state_dict[prefix + self.attn_wrapped + '.' + key[len(prefix) :]] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _give_keys_back(module: Wrapper, state_dict: dict, prefix: str, local_metadata: dict) -> None:
    """Removes the wrapper's level from the keys that were just saved."""
    inner = prefix + module.attn_wrapped + '.'
    for key in [key for key in state_dict if key.startswith(inner)]:
        state_dict[prefix + key[len(inner) :]] = state_dict.pop(key)
    metadata = getattr(state_dict, '_metadata', None)
    if metadata is not None:
        for key in [key for key in metadata if (key + '.').startswith(inner)]:
            metadata[(prefix + (key + '.')[len(inner) :])[:-1]] = metadata.pop(key)


def _give_missing_keys_back(module: Wrapper, incompatible_keys) -> None:
    """Removes the wrapper's level from the names that are reported as missing or unexpected."""
    prefix = module.attn_prefix
    inner = prefix + module.attn_wrapped + '.'
    for keys in incompatible_keys:
        keys[:] = [prefix + key[len(inner) :] if key.startswith(inner) else key for key in keys]
