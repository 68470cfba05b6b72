"""Attention and norm layers for OpenMMLab models: the layers, their insertion, and studies of their gain and cost.

Importing this package needs only mmengine, not torch: public names are imported on first use, by `__getattr__`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from attn_plugins.errors import InsertionError
from attn_plugins.mim import register_configs
from attn_plugins.moved import keep_old_names
from attn_plugins.registry import MODELS
from attn_plugins.version import __version__

if TYPE_CHECKING:  # type checkers do not follow `__getattr__`
    from attn_plugins import insertion as insertion
    from attn_plugins import layers as layers
    from attn_plugins import official as official
    from attn_plugins import ops as ops
    from attn_plugins.distillation import Distiller as Distiller
    from attn_plugins.distillation.hook import DistillationHook as DistillationHook
    from attn_plugins.insertion import Plugged as Plugged
    from attn_plugins.insertion import compile_layers as compile_layers
    from attn_plugins.insertion import inserted_layers as inserted_layers
    from attn_plugins.insertion import plug as plug
    from attn_plugins.models.aspp_head import DeepLabV3Head as DeepLabV3Head
    from attn_plugins.models.backbones.cifar_resnet import CifarResNet as CifarResNet
    from attn_plugins.models.backbones.hbonet import HBONet as HBONet
    from attn_plugins.models.backbones.mobilenext import MobileNeXt as MobileNeXt
    from attn_plugins.models.backbones.nin import NIN as NIN
    from attn_plugins.models.backbones.preact_resnet import PreResNet as PreResNet
    from attn_plugins.models.backbones.preact_resnet import WideResNet as WideResNet
    from attn_plugins.models.dropout_head import DropoutClsHead as DropoutClsHead
    from attn_plugins.models.mixed_classifier import MixedDataClassifier as MixedDataClassifier
    from attn_plugins.models.ssdlite_head import SSDLiteHead as SSDLiteHead
    from attn_plugins.models.ssdlite_neck import SSDLiteNeck as SSDLiteNeck
    from attn_plugins.official import load_official as load_official
    from attn_plugins.training.hooks import CompileLayersHook as CompileLayersHook

# Public name -> its module. These need torch and `mmcv.cnn`, whose import takes as long as torch's.
_PUBLIC = {
    'CompileLayersHook': 'attn_plugins.training.hooks',
    'DistillationHook': 'attn_plugins.distillation.hook',
    'Distiller': 'attn_plugins.distillation',
    'Plugged': 'attn_plugins.insertion',
    'compile_layers': 'attn_plugins.insertion',
    'inserted_layers': 'attn_plugins.insertion',
    'load_official': 'attn_plugins.official',
    'plug': 'attn_plugins.insertion',
}
# Models, most of which need one of the three libraries. mmengine's registries resolve
# `type='attn_plugins.SSDLiteHead'` by the same attribute access.
_MODELS = {
    'CifarResNet': 'attn_plugins.models.backbones.cifar_resnet',
    'DeepLabV3Head': 'attn_plugins.models.aspp_head',
    'DropoutClsHead': 'attn_plugins.models.dropout_head',
    'HBONet': 'attn_plugins.models.backbones.hbonet',
    'MixedDataClassifier': 'attn_plugins.models.mixed_classifier',
    'MobileNeXt': 'attn_plugins.models.backbones.mobilenext',
    'NIN': 'attn_plugins.models.backbones.nin',
    'PreResNet': 'attn_plugins.models.backbones.preact_resnet',
    'SSDLiteHead': 'attn_plugins.models.ssdlite_head',
    'SSDLiteNeck': 'attn_plugins.models.ssdlite_neck',
    'WideResNet': 'attn_plugins.models.backbones.preact_resnet',
}
# Packages that are available without an import of their own: `attn_plugins.layers.SE`.
_PACKAGES = {'insertion', 'layers', 'official', 'ops'}

__all__ = ['MODELS', 'InsertionError', '__version__', *_PUBLIC]

keep_old_names()
register_configs()


if not TYPE_CHECKING:  # or a misspelt name would pass a type checker

    def __getattr__(name: str) -> Any:
        if name in _PACKAGES:
            return import_module(f'{__name__}.{name}')
        module = _PUBLIC.get(name) or _MODELS.get(name)
        if module is None:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_MODELS, *_PACKAGES})
