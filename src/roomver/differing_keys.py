"""Different keys that sources give under one key ID, and which of them the events are signed with."""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Final

from .contributions import Difference, DifferenceKind, Origin, Saying
from .errors import counted
from .event import Event
from .keys import KeyClash, KeyRing
from .signatures import count_verified
from .types import ServerName
from .unpadded import encode_unpadded

__all__ = ["find_differing_keys"]

_TRIED: Final = 100  # events, with each of different keys under one ID


def find_differing_keys(origins: Sequence[Origin], events: Iterable[Event]) -> Iterable[Difference]:
    """Yield where sources give different keys under one ID, with how many signatures each key verifies.

    Args:
        origins: the sources.
        events: the usable events. The first of them that the server has signed with such a key are tried.
    """
    kept = [*events]
    for clash in KeyRing.joined(origin.keys for origin in origins).clashes:
        held = [(o.name, o.keys.find(clash.server, clash.key_id)) for o in origins]
        by_source = [(name, keys) for name, keys in held if keys]
        if len({frozenset(key.key for key in keys) for _, keys in by_source}) > 1:
            signed = (e for e in kept if clash.key_id in _signatures_of(e, clash.server))
            some = [*islice(signed, _TRIED)]
            texts = {key.key: _key_text(key.key, clash, some) for key in clash.keys}
            says = tuple(
                Saying(name, None, ", ".join(texts[key.key] for key in keys)) for name, keys in by_source
            )
            yield Difference(DifferenceKind.KEY, says, server=clash.server, key_id=clash.key_id)


def _signatures_of(event: Event, server: ServerName) -> Collection[str]:
    found = event.signatures.get(server)
    return found if type(found) is dict else ()


def _key_text(key: bytes, clash: KeyClash, events: Sequence[Event]) -> str:
    """Name one of several keys under one ID, and say how many signatures it verifies."""
    good, tried = count_verified(events, clash.server, clash.key_id, key)
    of = counted(tried, "signature", "signatures") + (" that were tried" if len(events) == _TRIED else "")
    return f"{encode_unpadded(key)} verifies {good:,} of {of}"
