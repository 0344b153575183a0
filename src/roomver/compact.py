"""`Compactor` makes equal events that take a quarter of the memory and unpack their PDUs when asked.

A room of millions of events is mostly dicts and short strings, which take several times the memory of their
JSON text. What the rules read of every event stays as it is; the rest is kept as bytes. `Events` is for
files: compact events as a few large objects.
"""

import marshal
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from operator import eq
from typing import Any, Final, cast

from .event import Event, Fields, build_unverified
from .types import EventId, JsonObject, JsonValue
from .versions import RoomVersion

__all__ = ["Compactor", "Events"]

_REMEMBERED: Final = 8192
_AS_READ: Final = 4096  # events: to make one smaller takes a little time, and in a small room gains nothing

# The rules read these for every event of a room, and power levels are long.
_READ_OFTEN: Final = frozenset(
    {
        "m.room.create",
        "m.room.join_rules",
        "m.room.power_levels",
        "m.room.policy",
        "m.room.third_party_invite",
    }
)

# The keys of a PDU whose values are fields of the event too. Lists of events are so only without hashes.
_SINGLE: Final = {
    "type": "type",
    "state_key": "state_key",
    "sender": "sender",
    "origin_server_ts": "origin_server_ts",
    "depth": "depth",
    "room_id": "_room_id",
}
_LISTS: Final = {"prev_events": "prev_event_ids", "auth_events": "auth_event_ids"}

# In a compact event, these two fields hold bytes and the keys of the PDU. The bytes are the length of the
# content, the content, and the list of the values that are not fields. No input is ever read as such bytes.
_HEAD: Final = 4
_bytes_of = vars(Fields)["pdu"].__get__
_keys_of = vars(Fields)["content"].__get__


@lru_cache(maxsize=64)
def _others(keys: tuple[str, ...], references_carry_hashes: bool) -> tuple[str, ...]:
    """Return the keys of a PDU whose values are not fields of the event. Most events have the same keys."""
    lists = {} if references_carry_hashes else _LISTS
    return tuple(key for key in keys if key not in _SINGLE and key not in lists and key != "content")


class _CompactEvent(Event):
    """An event whose `pdu` and `content` are new dicts each time."""

    __slots__ = ()

    @property
    def content(self) -> JsonObject:  # type: ignore[override]
        """The content of the PDU."""
        return cast(JsonObject, marshal.loads(_bytes_of(self)[_HEAD:]))  # it ignores what follows

    @property
    def pdu(self) -> JsonObject:  # type: ignore[override]
        """The PDU as it is on the wire."""
        held = _bytes_of(self)
        length = int.from_bytes(held[:_HEAD], "big")
        content, rest = marshal.loads(held[_HEAD:]), iter(marshal.loads(held[_HEAD + length :]))
        lists = {} if self.room_version.references_carry_hashes else _LISTS
        pdu: dict[str, Any] = {}
        for key in _keys_of(self):
            if key in _SINGLE:
                pdu[key] = getattr(self, _SINGLE[key])
            elif key in lists:
                pdu[key] = list(getattr(self, lists[key]))
            else:
                pdu[key] = content if key == "content" else next(rest)
        return pdu


class Compactor:
    """Make events smaller, and let them share what they have in common.

    Keep one for the events of one room. It remembers the last few thousand IDs, lists of IDs and lists of
    keys, because the next events probably have the same.
    """

    __slots__ = ("_left", "_shared")

    def __init__(self, as_read: int = _AS_READ) -> None:
        self._left = as_read
        self._shared: Callable[[Any], Any] = lru_cache(maxsize=_REMEMBERED)(lambda value: value)

    def __reduce__(self) -> tuple[Any, ...]:
        # What it remembers is of no use elsewhere.
        return Compactor, (self._left,)

    def take(self, event: Event) -> Event:
        """Return an equal event: the first few thousand as they are, the others compact."""
        if self._left:
            self._left -= 1
            return event
        return self.compact(event)

    def compact(self, event: Event) -> Event:
        """Return an equal event that takes less memory; an event that the rules read often as it is.

        The `pdu` and the `content` of the result are new dicts each time, so that they do not stay in memory.
        """
        kind = event.type
        if kind in _READ_OFTEN:
            return event
        shared = self._shared
        pdu, version = event.pdu, event.room_version
        keys = shared(tuple(pdu))
        rest: list[JsonValue] = [pdu[key] for key in _others(keys, version.references_carry_hashes)]
        fields: Any = Fields()
        # marshal keeps each JSON value as it is, and reads it twice as fast as a parser reads its text.
        content = marshal.dumps(event.content)
        fields.pdu = len(content).to_bytes(_HEAD, "big") + content + marshal.dumps(rest)
        fields.content = keys
        fields.room_version = version
        fields.type = shared(kind)
        fields.sender = sender = shared(event.sender)
        fields.state_key = sender if event.state_key == sender else event.state_key
        fields.origin_server_ts, fields.depth = event.origin_server_ts, event.depth
        fields.prev_event_ids = shared(event.prev_event_ids)
        fields.auth_event_ids = shared(event.auth_event_ids)
        fields.auth_parents = shared(event.auth_parents)
        fields.redacts = event.redacts
        fields._event_id = event.event_id
        fields._room_id = shared(event.room_id)
        fields._memo = None
        fields.__class__ = _CompactEvent
        return cast(Event, fields)


class Events(dict[EventId, Event]):
    """Events by ID, which a pickle has as a table: one list for each field.

    Without it, a pickle has several objects for each event, and takes five times as long to read. The events
    that are read back are equal, and compact, except those that the rules read often.
    """

    __slots__ = ("_whole",)

    _whole: "Events | None"

    def part(self, event_ids: Collection[EventId]) -> "Events":
        """Return some of the events, in this order: this object if it has the same ones in the same order.

        A pickle of both has the events once.
        """
        if len(event_ids) == len(self) and all(map(eq, event_ids, self)):
            return self
        some = Events((event_id, self[event_id]) for event_id in event_ids)
        some._whole = self
        return some

    def __reduce__(self) -> tuple[Any, ...]:
        whole: Events | None = getattr(self, "_whole", None)
        if whole is not None and all(whole.get(event_id) is event for event_id, event in self.items()):
            return _chosen, (whole, [*self])
        version = next((event.room_version for event in self.values()), None)
        if version is None or any(event.room_version is not version for event in self.values()):
            return Events, ([*self.items()],)
        return _unpacked, (version, *_columns(self))


def _chosen(whole: Events, event_ids: list[EventId]) -> Events:
    # For unpickling.
    return whole.part(event_ids)


def _columns(events: Events) -> Iterator[Any]:
    """Yield the event IDs, and then a column for each field; of one value, if it has no other."""
    compact = Compactor().compact
    held = [event if type(event) is _CompactEvent else compact(event) for event in events.values()]
    # A pickle has an object once, and equal ones as often as there are: events cite each other by their own
    # copies of the IDs.
    ids = {event_id: event_id for event_id in events}
    values: dict[Any, Any] = {}

    def shared(value: Any) -> Any:
        return values.setdefault(value, value)

    def cited(event_ids: tuple[EventId, ...]) -> tuple[EventId, ...]:
        known = values.get(event_ids)
        if known is None:
            known = values[event_ids] = tuple([ids.setdefault(one, one) for one in event_ids])
        return cast("tuple[EventId, ...]", known)

    packed = [type(event) is _CompactEvent for event in held]
    auth_events = [cited(event.auth_event_ids) for event in held]
    auth_parents = [cited(event.auth_parents) for event in held]
    yield [*events]
    for column in (
        [shared(event.type) for event in held],
        [shared(event.sender) for event in held],
        [None if event.state_key is None else shared(event.state_key) for event in held],
        _numbers([event.origin_server_ts for event in held]),
        _numbers([event.depth for event in held]),
        [cited(event.prev_event_ids) for event in held],
        auth_events,
        auth_events if auth_parents == auth_events else auth_parents,
        [event.redacts for event in held],
        [shared(event.room_id) for event in held],
        [shared(_keys_of(event)) if one else None for event, one in zip(held, packed, strict=True)],
        [_bytes_of(event) if one else event.pdu for event, one in zip(held, packed, strict=True)],
    ):
        alike = len(column) > 1 and all(one is column[0] for one in column)
        yield column[:1] if alike else column


def _numbers(numbers: list[int]) -> "array[int] | list[int]":
    """Return numbers in a form that takes no time to read, if they are as small as those of most events."""
    try:
        return array("q", numbers)
    except OverflowError:
        return numbers


def _unpacked(version: RoomVersion, ids: list[EventId], *columns: Sequence[Any]) -> Events:
    # For unpickling. One plain store per slot, as in `_build` of `roomver.event`.
    number = len(ids)
    for column in columns:
        if len(column) not in (1, number):
            raise ValueError(f"a column of a table of events has {len(column)} values for {number} events")
    events = Events()
    for (
        event_id,
        kind,
        sender,
        state_key,
        origin_server_ts,
        depth,
        prev_event_ids,
        auth_event_ids,
        auth_parents,
        redacts,
        room_id,
        keys,
        held,
    ) in zip(ids, *(repeat(one[0], number) if len(one) == 1 else one for one in columns), strict=True):
        if keys is None:
            events[event_id] = build_unverified(held, version, event_id)
            continue
        fields: Any = Fields()
        fields.pdu = held
        fields.content = keys
        fields.room_version = version
        fields.type = kind
        fields.sender = sender
        fields.state_key = state_key
        fields.origin_server_ts = origin_server_ts
        fields.depth = depth
        fields.prev_event_ids = prev_event_ids
        fields.auth_event_ids = auth_event_ids
        fields.auth_parents = auth_parents
        fields.redacts = redacts
        fields._event_id = event_id
        fields._room_id = room_id
        fields._memo = None
        fields.__class__ = _CompactEvent
        events[event_id] = fields
    return events
