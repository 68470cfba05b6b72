"""Puts layers into hosts: any backbone, neck, head or whole model of the three libraries, and any other live model."""

from attn_plugins.errors import InsertionError
from attn_plugins.insertion.compiling import compile_layers
from attn_plugins.insertion.containers import Plug
from attn_plugins.insertion.plug import Plugged, plug
from attn_plugins.insertion.tree import inserted_layers

__all__ = ['InsertionError', 'Plug', 'Plugged', 'compile_layers', 'inserted_layers', 'plug']
