"""mmengine's constructor of optimizers with the names of the state dict, in which the containers of layers are not
seen.
"""

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from attn_plugins.layers.state_dict_keys import Wrapper
from attn_plugins.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """`DefaultOptimWrapperConstructor` whose `custom_keys` match a host's parameters whether layers stand there or
    not.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._wrapped: set[str] = set()  # the names that a wrapper's level would add

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', is_dcn_module=None) -> None:
        """As mmengine's, which walks the tree of modules and joins their names to `prefix`."""
        if prefix in self._wrapped:
            prefix = prefix.rpartition('.')[0]
        if isinstance(module, Wrapper):
            self._wrapped.add(f'{prefix}.{module.attn_wrapped}')
        super().add_params(params, module, prefix, is_dcn_module)
