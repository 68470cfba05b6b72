"""Where the authors put a layer: the class attribute `place`, of which the layer's page is made and to which its
preset is held.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """The place of a layer in a host.

    Attributes:
        where: The place in words.
        plugins: The entries of `plugins=` that put the layer there, as `Plugged` takes them, but `cfg` holds options
            only: the type is the layer's own. An entry without options needs no `cfg`.
        read_in: The authors' file in which the place was read; empty if it is not known, then the place is an example.
        host: The host's `type` in the library, and the options of it that belong to the place.
        library: Whose project the host belongs to.
    """

    where: str
    plugins: list[dict]
    read_in: str = ''
    host: dict = field(default_factory=lambda: dict(type='ResNet'))
    library: str = 'mmdet'


def place_of(layer: type) -> Place:
    """The layer's own place; that of the class it is derived from is another's.

    Raises:
        ValueError: It has none.
    """
    place = vars(layer).get('place')
    if not isinstance(place, Place):
        raise ValueError(
            f"{layer.__name__} has no place: add place = Place('After ...', plugins=[dict(position='after_conv3')], "
            "read_in='authors/repository: file') to the class, as attn_plugins/layers/channel/se.py does"
        )
    return place


def plugins_of(layer: type) -> list[dict]:
    """The entries of `plugins=` that put the layer into its place, complete.

    Raises:
        ValueError: The layer has no place.
    """
    own = dict(type=f'attn_plugins.{layer.__name__}')
    entries = []
    for entry in place_of(layer).plugins:
        given = dict(entry)
        entries.append(dict(cfg={**own, **given.pop('cfg', {})}, **given))
    return entries
