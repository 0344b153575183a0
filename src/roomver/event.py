"""`Event`, a read-only view of one PDU.

Only a PDU in the event format of its room version becomes an `Event`. So the modules that build on this
one can rely on the types of its top-level keys, the grammar of its identifiers and its size. Inside
``content`` is whatever canonical JSON allows.
The checks of the event format are in `roomver.event_format`.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Self, cast

from .canonical import load_json, plain_object, shorten
from .errors import Defect, MalformedEvent, NotCanonical
from .event_format import MAX_AUTH_EVENTS, MAX_EVENT_BYTES, MAX_PREV_EVENTS, find_defects, has_right_types
from .hashing import essential_bytes, event_id_of_bytes
from .types import EventId, JsonObject, RoomId, UserId
from .versions import EventIdForm, RoomIdForm, RoomVersion, version_record

__all__ = ["MAX_AUTH_EVENTS", "MAX_EVENT_BYTES", "MAX_PREV_EVENTS", "Event", "find_defects", "parse_event"]

_CREATE_HASH: Final = RoomIdForm.CREATE_HASH


class Fields:
    """The writable base of `Event`. An event is built as one of these."""

    __slots__ = (
        "_event_id",
        "_memo",
        "_room_id",
        "auth_event_ids",
        "auth_parents",
        "content",
        "depth",
        "origin_server_ts",
        "pdu",
        "prev_event_ids",
        "redacts",
        "room_version",
        "sender",
        "state_key",
        "type",
    )

    _event_id: EventId | None
    _memo: Any
    _room_id: RoomId | None
    auth_event_ids: tuple[EventId, ...]
    auth_parents: tuple[EventId, ...]
    content: JsonObject
    depth: int
    origin_server_ts: int
    pdu: JsonObject
    prev_event_ids: tuple[EventId, ...]
    redacts: EventId | None
    room_version: RoomVersion
    sender: UserId
    state_key: str | None
    type: str


class Event(Fields):
    """One event: a read-only view of a PDU in the event format of its room version.

    `parse_event` makes events, and `Event.trusted` makes them from a server's own store. An event keeps the
    dict it was made from and does not copy it, so do not change that dict afterwards. Threads may share an
    event. Unpickling does not check it, so unpickle only what you trust.

    Events are equal if they have the same event ID and room version, so a copy from a cache or from
    another process equals the original. The redacted form has the same event ID and is equal too.

    Attributes:
        pdu: the PDU as it is on the wire.
        room_version: the record of its room version.
        type, sender, content, origin_server_ts, depth: as in the PDU.
        state_key: None if the PDU has none. Only an event with a state key is a state event.
        prev_event_ids, auth_event_ids: the IDs in the PDU's order. The hashes beside them in versions
            1 and 2, which no server checks, are left out.
        auth_parents: the next events of the auth chain: the auth events, and after them in version 12
            the create event, which the room ID names. For a create event, only its auth events.
        redacts: the target of an ``m.room.redaction`` event, read from where the room version puts it.
            None for other types, and if the target is missing or not a string.
    """

    __slots__ = ()

    # Self, though it never returns: with NoReturn, isinstance would not narrow to Event in mypy.
    def __new__(cls) -> Self:
        raise TypeError("make an Event with parse_event")

    @classmethod
    def trusted(cls, pdu: JsonObject, version: RoomVersion | str, event_id: EventId) -> "Event":
        """Return an event that was checked before, from a server's own store.

        It takes about a fifth of the time of `parse_event`, because it looks at little: the types of the
        keys that the rules read, and the types of the entries of ``prev_events`` and ``auth_events``. **Not
        checked:** the size, the grammar of the sender and of the room ID, the range of numbers, how many
        events are cited, what is inside ``content``, ``signatures`` and ``unsigned``, and whether all of it
        is canonical JSON. The event ID is taken as it is.

        So use it only for a PDU that `parse_event` has accepted, and with the ID of that event. An event that
        `parse_event` would not accept may get a verdict that no server shares.

        Args:
            pdu: the PDU as a dict, as `json.loads` returns it. It is not copied.
            version: the room version of its room.
            event_id: its event ID. In versions 1 and 2 it must be the one in the PDU.

        Raises:
            MalformedEvent: with the defects that `find_defects` returns, if a type is wrong or a key is
                missing, or if the event ID is not the one in the PDU.
            UnknownRoomVersion: if there is no such version.

        >>> pdu = {"type": "m.room.name", "state_key": "", "sender": "@a:b", "room_id": "!r:b", "depth": 1,
        ...        "origin_server_ts": 1, "hashes": {}, "prev_events": [], "auth_events": [], "content": {}}
        >>> Event.trusted(pdu, "11", "$stored")
        <Event $stored v11 "m.room.name" state_key="" by "@a:b">
        """
        record = version_record(version)
        if type(event_id) is not str:
            raise MalformedEvent([Defect("event_id", "a string", shorten(event_id))], record.identifier)
        if type(pdu) is not dict or not has_right_types(pdu, record):
            raise MalformedEvent(find_defects(pdu, record), record.identifier)
        event = _build(pdu, record, event_id)
        if event._event_id != event_id:  # versions 1 and 2
            defect = Defect("event_id", f"{shorten(event_id)}, which was passed in", shorten(event._event_id))
            raise MalformedEvent([defect], record.identifier)
        return event

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Event is read-only: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an Event is read-only: {name}")

    @property
    def event_id(self) -> EventId:
        """The event ID. From version 3 on it is the reference hash, computed on first access."""
        known = self._event_id
        if known is None:
            known = event_id_of_bytes(essential_bytes(self.pdu, self.room_version), self.room_version)
            set_event_id(self, known)
        return known

    @property
    def room_id(self) -> RoomId:
        """The room ID, as in the PDU. For a version 12 create event it is derived from the event ID."""
        known = self._room_id
        if known is None:
            known = "!" + self.event_id[1:]
            _set_room_id(self, known)
        return known

    @property
    def hashes(self) -> JsonObject:
        """The ``hashes`` of the PDU, which include ``sha256``."""
        return cast(JsonObject, self.pdu["hashes"])

    @property
    def signatures(self) -> JsonObject:
        """The ``signatures`` of the PDU, by server name and key ID; ``{}`` if it has none."""
        return cast(JsonObject, self.pdu.get("signatures", {}))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Event):
            return NotImplemented
        return self.event_id == other.event_id and self.room_version == other.room_version

    def __hash__(self) -> int:
        return hash(self.event_id)

    def __repr__(self) -> str:
        key = "" if self.state_key is None else f" state_key={shorten(self.state_key)}"
        kind = shorten(self.type)
        return f"<Event {self.event_id} {self.room_version.label} {kind}{key} by {shorten(self.sender)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.pdu, self.room_version, self._event_id)


# The slots' own setters bypass the read-only __setattr__.
set_event_id: Callable[[Event, EventId], None] = vars(Fields)["_event_id"].__set__
"""``set_event_id(event, event_id)`` tells an event its ID, which has been computed elsewhere."""
_set_room_id: Callable[[Event, RoomId], None] = vars(Fields)["_room_id"].__set__
remember: Callable[[Event, object], None] = vars(Fields)["_memo"].__set__
"""``remember(event, value)`` keeps one derived value with an event, in ``event._memo``. `roomver.power`
keeps parsed power levels with the event they come from."""


def parse_event(
    pdu: Mapping[str, object] | str | bytes,
    version: RoomVersion | str,
    *,
    event_id: EventId | None = None,
    unique_keys: bool = False,
    lenient_identifiers: bool = False,
) -> Event:
    """Check that a PDU is in the event format of its room version, and return it as an `Event`.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu,
    check 1.

    Args:
        pdu: the JSON object on the wire, or its text (UTF-8 if it is bytes). A dict is not copied. The
            values inside it must be of the exact types that `encode_canonical` takes.
        version: the room version of its room. The PDU does not name its room version.
        event_id: the event's ID, if the caller knows it. It is then trusted and not computed. Used
            only from version 3 on; earlier events carry their ID.
        unique_keys: refuse text in which a key occurs twice in an object. Otherwise the last value wins.
        lenient_identifiers: accept any text with a ``:`` as sender and room ID, as Synapse does.

    Raises:
        MalformedEvent: with the defects that `find_defects` returns.
        UnknownRoomVersion: if there is no such version.

    Cost: one visit to each value in the PDU. `Event.event_id` computes the hash when it is needed.

    >>> try:
    ...     parse_event('{"type": "m.room.message", "content": []}', "11")
    ... except MalformedEvent as error:
    ...     for defect in error.defects:
    ...         print(defect)
    content: expected an object, found []
    sender: expected a user ID, found nothing
    room_id: expected a room ID, found nothing
    depth: expected an integer from 0 to 2^53 - 1, found nothing
    origin_server_ts: expected a 64-bit integer, found nothing
    hashes: expected an object, found nothing
    prev_events: expected an array, found nothing
    auth_events: expected an array, found nothing
    """
    record = version_record(version)
    plain = pdu if type(pdu) is dict else _read_object(pdu, record, unique_keys)
    defects = find_defects(plain, record, lenient_identifiers=lenient_identifiers)
    if defects:
        raise MalformedEvent(defects, record.identifier)
    return _build(plain, record, event_id)


def build_unverified(pdu: JsonObject, version: RoomVersion, event_id: EventId | None) -> Event:
    """Return an `Event` with an ID that is taken as given. The types of its keys must have been checked."""
    return _build(pdu, version, event_id)


def _read_object(pdu: object, version: RoomVersion, unique_keys: bool) -> JsonObject:
    """Return a PDU that is text, or a mapping, as a dict."""
    if isinstance(pdu, str | bytes):
        try:
            pdu = load_json(pdu, unique_keys=unique_keys)
        except NotCanonical as error:
            raise MalformedEvent([Defect(error.path, "JSON", error.reason)], version.identifier) from None
    plain = plain_object(pdu)
    if plain is None:
        raise MalformedEvent([Defect("", "a JSON object", shorten(pdu))], version.identifier)
    return plain


def _build(pdu: JsonObject, version: RoomVersion, event_id: EventId | None) -> Event:
    # The fields are set on the writable base, and the class is changed last. That is one plain store
    # per slot; bypassing the read-only __setattr__ would cost one call per slot, for millions of events.
    fields: Any = Fields()
    fields.pdu = pdu
    fields.room_version = version
    fields.type = kind = pdu["type"]
    fields.state_key = pdu.get("state_key")
    fields.sender = pdu["sender"]
    fields.content = content = pdu["content"]
    fields.origin_server_ts = pdu["origin_server_ts"]
    fields.depth = pdu["depth"]
    previous: Any = pdu["prev_events"]
    authorising: Any = pdu["auth_events"]
    if version.references_carry_hashes:
        fields.prev_event_ids = tuple([reference[0] for reference in previous])
        cited = tuple([reference[0] for reference in authorising])
    else:
        fields.prev_event_ids = tuple(previous)
        cited = tuple(authorising)
    fields.auth_event_ids = fields.auth_parents = cited
    fields.redacts = None
    if kind == "m.room.redaction":
        target = content.get("redacts") if version.redacts_in_content else pdu.get("redacts")  # type: ignore[union-attr]
        if type(target) is str:
            fields.redacts = target
    fields._event_id = pdu["event_id"] if version.event_id_form is EventIdForm.CHOSEN else event_id
    fields._room_id = room_id = pdu.get("room_id")
    if version.room_id_form is _CREATE_HASH and kind != "m.room.create":
        # Computed here and not when asked for: a plain slot makes walks of auth chains in version 12 up
        # to twice as fast, and costs 0.2 us per event.
        fields.auth_parents = cited + (_create_id(room_id),)  # type: ignore[arg-type]  # noqa: RUF005 - unpacking is slower
    fields._memo = None
    fields.__class__ = Event
    return cast(Event, fields)


@lru_cache(maxsize=128)
def _create_id(room_id: RoomId) -> EventId:
    # Cached, so that the events of a room share one string.
    return "$" + room_id[1:]


def _restore(pdu: JsonObject, version: RoomVersion, event_id: EventId | None) -> Event:
    # For unpickling. The PDU was checked when the event was made.
    return _build(pdu, version, event_id)
