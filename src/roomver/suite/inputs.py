"""The parts of a case's input, read and checked: events, states, keys.

Each function raises `BadVectors` if what it reads has the wrong form.
"""

from collections.abc import Mapping
from dataclasses import replace

from ..canonical import join_path, shorten
from ..errors import MissingEvents, RoomverError
from ..event import Event, parse_event
from ..keys import KeyRing, read_key_table
from ..types import EventId, JsonObject, JsonValue, StateKey
from ..versions import EventIdForm, RoomVersion, derived, get_room_version


class BadVectors(RoomverError):
    """An invalid vector document, or a case that cannot be run.

    Attributes:
        where: the case, by name or by its place in the document, and the path inside it.
        reason: what is wrong there.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(where, reason)

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


def read_version(identifier: str, definition: JsonValue = None) -> RoomVersion:
    """Return the room version of a case.

    Args:
        identifier: its name: of a version that this package has, or of the definition.
        definition: ``based_on`` and ``changes``, as in `RoomVersion.derive`; None for a version that this
            package has.

    Raises:
        UnknownRoomVersion: if there is no version of this name, or with the name that it is based on.
        BadVectors: if the definition has another form.
        RoomverError: if it contradicts itself.
    """
    if definition is None:
        return get_room_version(identifier)
    if type(definition) is not dict or definition.keys() != {"based_on", "changes"}:
        raise BadVectors("version", "must be an object with based_on and changes")
    based_on, changes = definition["based_on"], definition["changes"]
    if type(based_on) is not str or type(changes) is not dict:
        raise BadVectors("version", "based_on must be a string, and changes an object")
    return derived(identifier, based_on, changes)


def read_keys(case_input: JsonObject) -> KeyRing:
    """Return the keys of a case, which are all the keys that exist."""
    return replace(read_key_table(case_input["keys"]), complete=True)


def read_rejected(case_input: JsonObject) -> frozenset[EventId]:
    """Return the IDs of the events that a case lists as rejected.

    Raises:
        BadVectors: if the value is not an array of event IDs.
    """
    return frozenset(read_ids(case_input, "rejected")) if "rejected" in case_input else frozenset()


def read_states(case_input: JsonObject, events: Mapping[EventId, Event]) -> list[dict[StateKey, EventId]]:
    """Return the states of a case of the operation ``resolve``, in the order of ``state_sets``.

    Raises:
        MissingEvents: if a state names an event that is not in `events`.
        BadVectors: if a state is not an array of the IDs of state events with different keys.
    """
    sets = case_input["state_sets"]
    if type(sets) is not list:
        raise BadVectors("input.state_sets", f"must be an array of states, not {shorten(sets)}")
    return [
        {key: event.event_id for key, event in read_state({"state": one}, events).items()} for one in sets
    ]


def read_events(case_input: JsonObject, version: RoomVersion) -> dict[EventId, Event]:
    """Return the events of a case by event ID.

    From room version 3 on the keys of ``events`` are taken as the IDs: a case may use readable ones.

    Raises:
        BadVectors: if ``events`` is not an object of objects, or an ID in a PDU is not its key.
        RoomverError: if an event is malformed.
    """
    events = {}
    for key, pdu in read_object(case_input, "events").items():
        if type(pdu) is not dict:
            raise BadVectors(join_path("input.events", key), f"must be an object, not {shorten(pdu)}")
        event = parse_event(pdu, version, event_id=key)
        if version.event_id_form is EventIdForm.CHOSEN and event.event_id != key:
            raise BadVectors(join_path("input.events", key), "must have its own event_id as its key")
        events[key] = event
    return events


def read_event(case_input: JsonObject, key: str, events: Mapping[EventId, Event]) -> Event:
    """Return the event whose ID is at a key.

    Raises:
        MissingEvents: if it is not in `events`.
    """
    wanted = read_text(case_input, key)
    if wanted not in events:
        raise MissingEvents([wanted])
    return events[wanted]


def read_ids(case_input: JsonObject, key: str) -> list[EventId]:
    """Return the array of event IDs at a key."""
    value = case_input[key]
    if type(value) is not list:
        raise BadVectors(f"input.{key}", f"must be an array of event IDs, not {shorten(value)}")
    ids = [item for item in value if type(item) is str]
    if len(ids) != len(value):
        raise BadVectors(f"input.{key}", "must be an array of event IDs")
    return ids


def read_state(case_input: JsonObject, events: Mapping[EventId, Event]) -> dict[StateKey, Event]:
    """Return the state that a case lists by event IDs."""
    state: dict[StateKey, Event] = {}
    ids = read_ids(case_input, "state")
    missing = [one for one in ids if one not in events]
    if missing:
        raise MissingEvents(missing)
    for one in ids:
        event = events[one]
        if event.state_key is None or (event.type, event.state_key) in state:
            why = "is not a state event" if event.state_key is None else "has the key of an earlier event"
            raise BadVectors("input.state", f"{shorten(one)} {why}")
        state[event.type, event.state_key] = event
    return state


def read_text(case_input: JsonObject, key: str) -> str:
    """Return the string at a key."""
    value = case_input[key]
    if type(value) is not str:
        raise BadVectors(f"input.{key}", f"must be a string, not {shorten(value)}")
    return value


def read_object(case_input: JsonObject, key: str) -> JsonObject:
    """Return the object at a key."""
    value = case_input[key]
    if type(value) is not dict:
        raise BadVectors(f"input.{key}", f"must be an object, not {shorten(value)}")
    return value
