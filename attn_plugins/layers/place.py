"""The place where the authors put a layer: the class attribute `place`.

The layer's page is generated from it, and the layer's preset is checked against it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """The place of a layer in a host.

    Attributes:
        where: The place in words.
        plugins: The entries of `plugins=` that put the layer there, as `Plugged` takes them, but `cfg` holds options
            only: the type is the layer's own. An entry without options needs no `cfg`.
        read_in: The authors' file in which the place was read; if it is empty, the place is only an example.
        host: The host's `type` in the library, and those of its options that belong to the place.
        library: The library to which the host belongs.
    """

    where: str
    plugins: list[dict]
    read_in: str = ''
    host: dict = field(default_factory=lambda: dict(type='ResNet'))
    library: str = 'mmdet'


def place_of(layer: type) -> Place:
    """Returns the layer's own place; one inherited from a base class is that of another layer and does not count.

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
    """Builds the complete entries of `plugins=` that put the layer into its place.

    Raises:
        ValueError: The layer has no place.
    """
    own = dict(type=f'attn_plugins.{layer.__name__}')
    entries = []
    for entry in place_of(layer).plugins:
        given = dict(entry)
        entries.append(dict(cfg={**own, **given.pop('cfg', {})}, **given))
    return entries
