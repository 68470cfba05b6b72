"""Finds the layers of a package by their files, so that adding one needs no edit anywhere else."""

import pkgutil
from importlib import import_module

from attn_plugins.registry import MODELS


def export_layers(namespace: dict) -> list[str]:
    """Imports every module of a package and puts the layers that they register into the package's namespace.

    Args:
        namespace (dict): `globals()` of the package's `__init__`.

    Returns:
        list[str]: The layers' names, for `__all__`.
    """
    prefix = namespace['__name__'] + '.'
    for module in pkgutil.iter_modules(namespace['__path__'], prefix):
        import_module(module.name)
    layers = {name: cls for name, cls in MODELS.module_dict.items() if cls.__module__.startswith(prefix)}
    namespace.update(layers)
    return sorted(layers)
