"""What keeps the order of events in an anonymised room: their times, and their IDs where these break ties.

Source: https://spec.matrix.org/latest/rooms/v2/#definitions and
https://spec.matrix.org/latest/rooms/v1/#state-resolution
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha1
from typing import Final, NamedTuple

from ..event import Event
from ..types import EventId
from ..versions import EventIdForm, RoomVersion, StateResolution

__all__ = ["Place", "find_places", "fraction_of", "make_times", "sha1_fraction"]

START_MS: Final = 1_600_000_000_000
"""The time of the earliest event."""

_LARGEST_TIE: Final = 256  # events with the same time whose IDs are kept in order
# In the order of their characters.
_ALPHABETS: Final[Mapping[EventIdForm, str]] = {
    EventIdForm.HASH: "+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    EventIdForm.URLSAFE_HASH: "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
}


class Place(NamedTuple):
    """Where an ID must lie among those that it is compared with: in one of `size` equal parts."""

    rank: int
    size: int

    def holds(self, fraction: float) -> bool:
        """Tell whether a place in the order of all IDs, from 0 to 1, lies in the part."""
        return int(fraction * self.size) == self.rank


def find_places(copies: Mapping[EventId, Sequence[Event]], version: RoomVersion) -> dict[EventId, Place]:
    """Return the places of the events that state resolution may order by their IDs."""
    first_version = version.state_resolution is StateResolution.V1
    if version.event_id_form is EventIdForm.CHOSEN and not first_version:
        return {}  # made-up IDs are in order
    ties: dict[int, list[EventId]] = {}
    for event_id, (event, *_) in copies.items():
        ties.setdefault(event.depth if first_version else event.origin_server_ts, []).append(event_id)
    places: dict[EventId, Place] = {}
    for tied in ties.values():
        if 1 < len(tied) <= _LARGEST_TIE:
            tied.sort(key=sha1_fraction if first_version else None)
            places.update((event_id, Place(rank, len(tied))) for rank, event_id in enumerate(tied))
    return places


def fraction_of(event_id: EventId, version: RoomVersion) -> float:
    """Return the place of an event ID that is a hash in the order of all of them, from 0 to 1."""
    value = 0
    for character in event_id[1:7]:
        value = value * 64 + _ALPHABETS[version.event_id_form].index(character)
    return float(value / 64**6)


def sha1_fraction(event_id: EventId) -> float:
    """Return the place of an event ID in the order of state resolution v1."""
    return float(int.from_bytes(sha1(event_id.encode(), usedforsecurity=False).digest()[:6]) / 2**48)


def make_times(stamps: Iterable[int], version: RoomVersion) -> Callable[[int], int]:
    """Return a function that makes up times: in the same order, and usually as far apart."""
    ordered = sorted(set(stamps))
    most = 2**53 - 1 if version.strict_canonical_json else 2**63 - 1
    if not ordered:
        return lambda time: time
    shift = START_MS - ordered[0]
    if ordered[-1] + shift <= most:
        return lambda time: time + shift
    return lambda time: START_MS + 1000 * (bisect_right(ordered, time) - 1)
