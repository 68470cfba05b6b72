"""Layers: modules that map (N, C, H, W) to the same shape. One file per published method."""

from typing import TYPE_CHECKING, Any

from attn_plugins.layers.discover import export_layers

__all__ = export_layers(globals())

if TYPE_CHECKING:  # the names are found when this is imported

    def __getattr__(name: str) -> Any: ...
