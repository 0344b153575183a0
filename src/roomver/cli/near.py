"""The event type that may be meant by another one."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_ALIKE: Final = 0.8
_LONGEST: Final = 255  # characters of a type that is compared; a comparison costs their product


def near_type(kind: str, known: Iterable[str]) -> str | None:
    """Return the known type that ends with a text after a dot, or is most like it; None if none is.

    >>> near_type("topic", ["m.room.name", "m.room.topic"]), near_type("m.room.topik", ["m.room.topic"])
    ('m.room.topic', 'm.room.topic')
    """
    types = sorted(one for one in known if len(one) <= _LONGEST)
    if len(kind) > _LONGEST:
        return None
    ending = next((one for one in types if kind and one.endswith(f".{kind}")), None)
    return ending or next(iter(get_close_matches(kind, types, 1, _ALIKE)), None)
