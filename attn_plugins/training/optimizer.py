"""mmengine's optimizer constructor with the names of the state dict, which leave out the containers of layers."""

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from attn_plugins.layers.state_dict_keys import Wrapper
from attn_plugins.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """`DefaultOptimWrapperConstructor` whose `custom_keys` match host parameters with or without inserted layers."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._wrapped: set[str] = set()  # the names that a wrapper's level would add

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', is_dcn_module=None) -> None:
        """Adds parameters as mmengine does, which walks the tree of modules and joins their names to `prefix`."""
        if prefix in self._wrapped:
            prefix = prefix.rpartition('.')[0]
        if isinstance(module, Wrapper):
            self._wrapped.add(f'{prefix}.{module.attn_wrapped}')
        super().add_params(params, module, prefix, is_dcn_module)
