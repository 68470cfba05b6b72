"""Loads weights that the authors' own code saved into our layers and models."""

from attn_plugins.official.load import load_official

__all__ = ['load_official']
