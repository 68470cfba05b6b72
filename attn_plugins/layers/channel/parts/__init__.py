"""Parts of channel attention: squeezes, excitations and gates, found by `SQUEEZES`, `EXCITATIONS` and `GATES`."""

from attn_plugins.layers.discover import export_layers

__all__ = export_layers(globals())
