"""Other implementations of the layers' functions, to compare with: the authors' way, timm's and OpenMMLab's modules."""

from attn_plugins.analysis.rivals.libraries import LIBRARIES
from attn_plugins.analysis.rivals.published_channel import CHANNEL
from attn_plugins.analysis.rivals.published_spatial import SPATIAL
from attn_plugins.analysis.rivals.rival import AUTHORS, OPENMMLAB, TIMM, Rival

__all__ = ['AUTHORS', 'OPENMMLAB', 'RIVALS', 'TIMM', 'Rival']

# Layer's type -> what computes the same.
RIVALS: dict[str, list[Rival]] = {
    name: [*filter(None, (CHANNEL.get(name) or SPATIAL.get(name),)), *LIBRARIES.get(name, ())]
    for name in {**CHANNEL, **SPATIAL, **LIBRARIES}
}
