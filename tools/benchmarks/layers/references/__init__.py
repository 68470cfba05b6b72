"""Other implementations of the layers' functions, to compare with: the authors' way, timm's and OpenMMLab's modules."""

from benchmarks.layers.references.libraries import LIBRARIES
from benchmarks.layers.references.published_channel import CHANNEL
from benchmarks.layers.references.published_spatial import SPATIAL
from benchmarks.layers.references.reference import AUTHORS, OPENMMLAB, TIMM, Reference

__all__ = ['AUTHORS', 'OPENMMLAB', 'REFERENCES', 'TIMM', 'Reference']

# Layer's type -> the implementations of the same function.
REFERENCES: dict[str, list[Reference]] = {
    name: [*filter(None, (CHANNEL.get(name) or SPATIAL.get(name),)), *LIBRARIES.get(name, ())]
    for name in {**CHANNEL, **SPATIAL, **LIBRARIES}
}
