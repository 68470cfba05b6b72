"""Channel attention: squeeze the map to a descriptor, excite it to a gate per channel, recalibrate the map."""

from attn_plugins.layers.discover import export_layers

__all__ = export_layers(globals())
