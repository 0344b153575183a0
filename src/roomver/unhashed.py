"""Events taken as they are given: with made-up event IDs, and without hashes and signatures.

Tests of implementations, and scenarios that people write by hand, have such events. A state can be resolved
from them, but nothing about them is verified. The event ID is the one that the input gives.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from .check import unreadable
from .entry import Entry
from .errors import Defect
from .event import Event, build_unverified
from .event_format import find_defects
from .findings import EventCheck, Finding, FindingKind, Reason
from .identifiers import server_of
from .types import EventId, JsonObject, JsonValue, RoomId
from .versions import EventIdForm, RoomIdForm, RoomVersion, version_record

__all__ = ["take_as_given"]

_NO_HASH: Final = {"sha256": "A" * 43}

# The keys that may be made up in any form.
_MADE_UP: Final = frozenset({"event_id", "room_id"})


def take_as_given(entries: Iterable[Entry], version: RoomVersion | str) -> Iterator[tuple[Entry, EventCheck]]:
    """Yield entries with the events in them, in order. Only the types of their keys are checked.

    These may be missing: ``hashes`` and ``signatures``; ``depth``, which is then one more than that of the
    prev events; ``origin_server_ts``, which is then a millisecond after the event before it in the input; and
    ``room_id``: all such events are then of one room.

    Args:
        entries: of one room. All of them are read first.
        version: the version of the room.

    Raises:
        UnknownRoomVersion: if there is no such version.
    """
    record = version_record(version)
    held = list(entries)
    room_id = _room_id(held, record)
    time = 0
    depths: dict[EventId, int] = {}
    for entry in held:
        if entry.error is not None:
            yield entry, unreadable(entry.error, entry.claimed_id, is_row=entry.is_row)
            continue
        pdu = entry.pdu
        if type(pdu) is not dict:
            defect = Defect("", "a JSON object", "another value")
            yield entry, _malformed([defect], entry.claimed_id)
            continue
        completed = _completed(pdu, record, room_id)
        completed.setdefault("origin_server_ts", time)
        completed.setdefault("depth", 1 + _deepest(pdu.get("prev_events"), depths))
        given = completed["origin_server_ts"]
        time = given + 1 if type(given) is int else time
        event_id = entry.claimed_id
        if record.event_id_form is EventIdForm.CHOSEN:
            inside = completed.get("event_id", event_id)
            event_id = inside if type(inside) is str else None
            completed["event_id"] = event_id
        event = _event(completed, record, event_id)
        if isinstance(event, Event):
            depths.setdefault(event.event_id, event.depth)
            yield entry, EventCheck(event.event_id, event, ())
        else:
            yield entry, _malformed(event, event_id)


def _deepest(references: JsonValue, depths: Mapping[EventId, int]) -> int:
    """Return the greatest depth of the events that an event refers to; 0 without any."""
    held = references if type(references) is list else []
    ids = [one[0] if type(one) is list and one else one for one in held]
    return max((depths.get(one, 0) for one in ids if type(one) is str), default=0)


def _completed(pdu: JsonObject, version: RoomVersion, room_id: RoomId) -> JsonObject:
    """Return a copy of an event with a room, and with references in the form of its version."""
    completed: JsonObject = {"room_id": room_id, **pdu}
    by_hash = version.room_id_form is RoomIdForm.CREATE_HASH
    if by_hash and _is_create(pdu):
        del completed["room_id"]
    elif by_hash and ":" in str(completed["room_id"]):
        completed["room_id"] = room_id  # in this version a room ID with a server name is made up
    if version.references_carry_hashes:
        for key in ("prev_events", "auth_events"):
            if type(ids := pdu.get(key)) is list:
                completed[key] = [[one, {}] if type(one) is str else one for one in ids]
    return completed


def _room_id(entries: list[Entry], version: RoomVersion) -> RoomId:
    """Return the room of the events that do not name one."""
    pdus = [entry.pdu for entry in entries]
    if version.room_id_form is RoomIdForm.CREATE_HASH:
        ids = (entry.claimed_id for entry in entries if _is_create(entry.pdu))
        return "!" + (next(ids, None) or "$unknown")[1:]
    for pdu in pdus:
        if type(pdu) is dict and type(room_id := pdu.get("room_id")) is str:
            return room_id
    # A create event must be sent from the server in the room ID.
    senders = (pdu.get("sender") for pdu in pdus if type(pdu) is dict and _is_create(pdu))
    sender = next(senders, None)
    return f"!unhashed:{server_of(sender) if type(sender) is str else ''}"


def _is_create(pdu: JsonValue) -> bool:
    return type(pdu) is dict and pdu.get("type") == "m.room.create" and pdu.get("state_key") == ""


def _event(pdu: JsonObject, version: RoomVersion, event_id: EventId | None) -> Event | list[Defect]:
    """Return the event of a completed PDU, or what is wrong with it."""
    defects = [
        defect for defect in find_defects({"hashes": _NO_HASH, **pdu}, version) if defect.path not in _MADE_UP
    ]
    if "room_id" in pdu and type(pdu["room_id"]) is not str:
        defects.append(Defect("room_id", "a string", "another value"))
    if event_id is None:
        defects.append(Defect("event_id", "an event ID, which is taken as given", "nothing"))
    return defects or build_unverified(pdu, version, event_id)


def _malformed(defects: list[Defect], event_id: EventId | None) -> EventCheck:
    reasons = tuple(Reason(one.path, f"expected {one.expected}, found {one.found}") for one in defects)
    return EventCheck(event_id, None, (Finding(FindingKind.MALFORMED, reasons),))
