"""Attention and norm layers for OpenMMLab models: the layers, their insertion, and the study of what they gain and cost.

Importing this package needs torch, mmengine and `mmcv.cnn` only. Models are imported on first use.
"""

from importlib import import_module

from attn_plugins.insertion import InsertionError, Plugged, inserted_layers, plug
from attn_plugins.mim import register_configs
from attn_plugins.official import load_official
from attn_plugins.registry import MODELS
from attn_plugins.version import __version__

# Models, most of which need one of the three libraries: name -> module. mmengine's registries resolve
# `type='attn_plugins.SSDLiteHead'` through this attribute access.
_MODELS = {
    'DeepLabV3Head': 'attn_plugins.models.aspp_head',
    'DropoutClsHead': 'attn_plugins.models.dropout_head',
    'HBONet': 'attn_plugins.models.backbones.hbonet',
    'MobileNeXt': 'attn_plugins.models.backbones.mobilenext',
    'SSDLiteHead': 'attn_plugins.models.ssdlite_head',
    'SSDLiteNeck': 'attn_plugins.models.ssdlite_neck',
}

__all__ = ['MODELS', 'InsertionError', 'Plugged', '__version__', 'inserted_layers', 'load_official', 'plug']

register_configs()


def __getattr__(name: str):
    if name in _MODELS:
        return getattr(import_module(_MODELS[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
