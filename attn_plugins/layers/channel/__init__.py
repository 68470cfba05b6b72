"""Channel attention: squeeze the map to a descriptor, excite it to a gate per channel, recalibrate the map."""

from attn_plugins.layers.channel import dct, excitation, gate, lstm, squeeze
from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.channel.dia import DIA
from attn_plugins.layers.channel.eca import ECA
from attn_plugins.layers.channel.fca import FCA
from attn_plugins.layers.channel.gc import GC
from attn_plugins.layers.channel.gct import GCT
from attn_plugins.layers.channel.se import SE
from attn_plugins.layers.channel.sem import SEM
from attn_plugins.layers.channel.srm import SRM

# The parts (dct, excitation, gate, lstm, squeeze) register themselves under the names that configs use.
__all__ = [
    'DIA',
    'ECA',
    'FCA',
    'GC',
    'GCT',
    'SE',
    'SEM',
    'SRM',
    'ChannelAttention',
    'dct',
    'excitation',
    'gate',
    'lstm',
    'squeeze',
]
