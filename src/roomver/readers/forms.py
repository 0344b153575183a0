"""Files that are not rooms: events of the client-server API, lists of event IDs, templates and others.

One message says what such a file is, and what to use instead. Checked with the answers of Synapse 1.163.2;
the scenarios of TARDIS are those of its commit 8c22b34.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from ..canonical import shorten
from ..entry import Entry, Place
from ..errors import NotCanonical
from ..types import EventId, JsonObject, JsonValue
from .entries import (
    LISTS,
    SYNC_PARTS,
    UNCHANGED,
    WIRE_ONLY,
    InputError,
    NoRoom,
    Read,
    count_stripped,
    entries_in,
    find_wrapper,
    holds_events,
    is_pdu,
    is_sync,
)
from .unreadable import LOG

_CLIENT_ONLY: Final = frozenset({"event_id", "origin_server_ts", "age"})
# Keys of responses of the client-server API that hold events in arrays.
_CLIENT_ANSWERS: Final = frozenset({"chunk", "next_batch", "events_before", "events_after"})
# The sections of a response to /sync that may have rooms with events.
_SYNC_ROOMS: Final = ("join", "leave", "invite", "knock")
ID_LISTS: Final = ("pdu_ids", "auth_chain_ids", "event_ids")
"""The keys under which a document may have arrays of event IDs."""


_HERE: Final = Place(None, "")
MAX_JUNK: Final = 10_000
"""How many values may come before the first event of a file."""

_LOOKED_AT: Final = 16  # entries, before a file is called client-server JSON

CLIENT_JSON: Final = (
    "this is client-server JSON: its events lack auth_events, prev_events, depth, hashes and signatures, so"
    " nothing can be checked. Ask a server for the PDUs: in Synapse GET"
    " /_synapse/admin/v1/fetch_event/<event ID> or the table event_json, in continuwuity `debug get-pdu`,"
    " over federation, signed by a server in the room, GET /_matrix/federation/v1/event/<event ID>"
)
SYNC_PART: Final = (
    "this is a part of a response to /sync, or several in one array. Give whole responses, one per line, and"
    " choose one of their rooms with --room '!…'"
)
IDS_ONLY: Final = (
    "this file has only event IDs. Give a file with the events; this file can go with it, as the current"
    " state in `--also IDS`, or as one of several in `roomver resolve FILE --sets IDS`"
)
TEMPLATE: Final = (
    "this is the template of an event, as a server answers /make_join: it has no hash and no signatures yet,"
    " so it can only be judged as a draft: `roomver auth --state STATE FILE`"
)
STRIPPED: Final = (
    "this is stripped state: its events have only a type, a state key, a sender and a content, so nothing can"
    " be checked. Ask a server in the room for its state, over federation, signed by another one, GET"
    " /_matrix/federation/v1/state/<room ID>?event_id=<event ID>"
)
SENT: Final = (
    "this is a server's response to a transaction: it names the events that the server took, and has none of"
    " them. Give the body of the transaction, PUT /_matrix/federation/v1/send/<transaction ID>"
)
EXPORTED: Final = f"this is a chat that Element has exported. {CLIENT_JSON[0].upper()}{CLIENT_JSON[1:]}"
NOT_EVENTS: Final = f"a JSON object that is not an event and has none of {', '.join(LISTS)}"
NOT_THERE: Final = (
    "this is an empty response: the server does not have what was asked for; ask another one in the room"
)
IN_A_STRING: Final = "the JSON is in a string; unpack it: jq -r . FILE | roomver … -"
ABOUT_ROOMS: Final = (
    "this is a response of Synapse's admin API about rooms: it has no events. Read the server's database:"
    " roomver check homeserver.db --room '!…'"
)
SERVER_KEYS: Final = "these are keys of servers, not events: give them beside a room, as --keys FILE"


# What holds the event itself, or is in each event beside its ID.
_OF_EVENT: Final = frozenset({"auth_events", "prev_events", "hashes", "signatures"})
_WRAPPERS: Final = frozenset({"pdu", "json", "event_json", "event"})
# Commands of roomver, with keys of what --json prints.
_OUTPUTS: Final = (
    ("check", {"files", "ok"}),
    ("auth", {"against", "allowed", "result"}),
    ("rooms", {"room_id", "version", "membership", "rejected"}),
    ("hash", {"content_hash", "reference_hash", "check"}),
    ("versions", {"versions", "features"}),
)


class IdsOnly(NoRoom):
    """An input that has event IDs and no events. It may go with another that has the events."""

    def __init__(self, name: str) -> None:
        super().__init__(name, IDS_ONLY)


def is_client_event(value: JsonValue) -> bool:
    """Tell whether a value is an event in the format of the client-server API, which lacks the other keys of
    a PDU."""
    return (
        type(value) is dict
        and is_pdu(value)
        and not WIRE_ONLY & value.keys()
        and bool(_CLIENT_ONLY & value.keys())
    )


def names_event(value: "JsonValue | NotCanonical") -> bool:
    """Tell whether a value is an event ID, alone or in a row of a table that does not have the event.

    What is not JSON is neither.
    """
    if type(value) is not dict:
        return type(value) is str and value.startswith("$")
    event_id = value.get("event_id")
    if type(event_id) is not str or not event_id.startswith("$") or type(value.get("content")) is dict:
        return False
    return not (_OF_EVENT | _WRAPPERS) & value.keys() and output_of(value) is None


def output_of(value: JsonValue) -> str | None:
    """Say which command of roomver has printed a value, if that is not a room; None for any other value."""
    first = value[0] if type(value) is list and value else value
    if type(first) is not dict or is_pdu(first):
        return None
    command = next((name for name, keys in _OUTPUTS if keys <= first.keys()), None)
    if command is None:
        return None
    return f"this is what `roomver {command} --json` prints, which has no events; give the room itself"


def client_answer(value: JsonObject) -> str | None:
    """Say what a response of the client-server API that holds events is; None for any other object."""
    if is_pdu(value):
        return None
    if type(value.get("messages")) is list and "exported_by" in value:
        return EXPORTED
    sections = list(_sync_sections(value))
    if not sections and not _CLIENT_ANSWERS & value.keys():
        return None
    first = next((event for section in sections for event in section), None)
    return SYNC_PART if type(first) is dict and WIRE_ONLY & first.keys() else CLIENT_JSON


def _sync_sections(value: JsonObject) -> Iterator[list[JsonValue]]:
    """Yield the arrays of events in a response to /sync, or in the part of it about one room."""
    rooms = value.get("rooms")
    parts = [rooms.get(name) for name in _SYNC_ROOMS] if type(rooms) is dict else []
    by_id = [part for part in parts if type(part) is dict]
    for room in (value, *(room for part in by_id for room in part.values())):
        if type(room) is dict:
            for name in SYNC_PARTS:
                section = room.get(name)
                if type(section) is dict and type(events := section.get("events")) is list:
                    yield events


def holds_ids(value: JsonObject) -> bool:
    """Tell whether an object holds event IDs and no events, such as a response to ``/state_ids``."""
    if is_pdu(value) or type(value.get("events")) is dict:
        return False
    lists = [value[key] for key in (*LISTS, *ID_LISTS) if type(value.get(key)) is list]
    return any(lists) and all(type(item) is str for one in lists for item in one)  # type: ignore[union-attr]


def check_document(value: JsonObject, name: str) -> None:
    """Check that an object has the form of one event, or holds events.

    Raises:
        InputError: saying what it is instead.
    """
    if is_template(value):
        return  # the commands that take a draft read it
    if names_event(value):
        raise IdsOnly(name)
    if (output := output_of(value)) is not None:
        raise InputError(name, output)
    if is_pdu(value) or find_wrapper(value) is not None:
        return
    answer = client_answer(value)
    if answer is not None and not (is_sync(value) and any(entries_in(Read(value, _HERE), UNCHANGED))):
        raise InputError(name, answer)
    if holds_ids(value):
        raise IdsOnly(name)
    if type(value.get("errcode")) is str:
        said = (one for key in ("errcode", "error") if type(one := value.get(key)) is str)
        what = ": ".join(one[:200] for one in said)
        raise InputError(name, f"this is a server's error, not its answer: {what}")
    if type(value.get("pdus")) is dict:
        raise InputError(name, SENT)
    if _holds_keys(value):
        raise NoRoom(name, SERVER_KEYS)
    if _is_about_rooms(value):
        raise InputError(name, ABOUT_ROOMS)
    if _is_logged(value):
        raise InputError(name, LOG)
    if not holds_events(value):
        raise InputError(name, NOT_EVENTS)
    if _has_only_stripped(value):
        raise InputError(name, STRIPPED)


def _holds_keys(value: JsonObject) -> bool:
    """Tell whether an object is a response from the key API, or a table of keys as ``--keys`` takes it."""
    if type(value.get("verify_keys")) is dict or type(value.get("server_keys")) is list:
        return True
    by_server = [one for one in value.values() if type(one) is dict]
    keys = [key for one in by_server for key in one.values()]
    return len(by_server) == len(value) and bool(keys) and all(type(k) is dict and "key" in k for k in keys)


def _is_about_rooms(value: JsonObject) -> bool:
    """Tell whether an object is a room, a list of rooms, of members or of forward extremities."""
    one_of = ({"rooms", "total_rooms"}, {"members", "total"}, {"results", "count"})
    return any(keys <= value.keys() for keys in one_of) or (
        "joined_local_members" in value and "state_events" in value
    )


def _is_logged(value: JsonValue) -> bool:
    """Tell whether a value is a line of a log that Synapse or journald writes as JSON."""
    lines = ({"log", "level"}, {"MESSAGE", "__REALTIME_TIMESTAMP"})
    return type(value) is dict and not is_pdu(value) and any(keys <= value.keys() for keys in lines)


def check_string(value: str, name: str) -> None:
    """Check a document that is a string.

    Raises:
        InputError: if it is an empty answer, or has JSON in it.
    """
    if not value:
        raise InputError(name, NOT_THERE)
    if value.lstrip().startswith(("{", "[")):
        raise InputError(name, IN_A_STRING)


def _has_only_stripped(value: JsonObject) -> bool:
    stripped = count_stripped(value)
    lists = [one for key in LISTS if type(one := value.get(key)) is list]
    return bool(stripped) and "event" not in value and stripped == sum(map(len, lists))


def is_template(value: JsonObject) -> bool:
    """Tell whether an object is a response to ``/make_join`` or another request for a template."""
    event = value.get("event")
    return (
        not is_pdu(value)
        and type(event) is dict
        and is_pdu(event)
        and "hashes" not in event
        and "signatures" not in event
        and ("room_version" in value or bool(WIRE_ONLY & event.keys()))
        and not holds_events(value)
    )


def check_form(entries: Iterator[Entry], name: str) -> Iterator[Entry]:
    """Return the same entries, unless the first of them show that the file holds no PDUs.

    Raises:
        InputError: if they are events of the client-server API, or IDs, or very many values without an event.
    """
    first: list[Entry] = []
    for entry in islice(entries, _LOOKED_AT):
        first.append(entry)
        pdu = entry.pdu
        told = type(pdu) is str or _names_event(entry) or _from_client(entry) or _is_logged(pdu)
        if entry.error is not None or not told:
            return until_junk(chain(first, entries), name)
    if first and all(map(_names_event, first)):
        raise IdsOnly(name)
    if first and type(text := first[0].pdu) is str:
        check_string(text, name)
    if first and type(pdu := first[0].pdu) is dict and (answer := client_answer(pdu)) is not None:
        raise InputError(name, answer)
    if first and _is_logged(first[0].pdu):
        raise InputError(name, LOG)
    if first and all(_from_client(entry) for entry in first):
        raise InputError(name, CLIENT_JSON)
    return until_junk(chain(first, entries), name)


def until_junk(entries: Iterator[Entry], name: str) -> Iterator[Entry]:
    """Yield the same entries, as long as not very many come before the first event.

    Raises:
        InputError: naming the first entry.
    """
    first: Entry | None = None
    for count, entry in enumerate(entries, 1):
        first = first or entry
        if type(entry.pdu) is dict and is_pdu(entry.pdu):
            yield entry
            break
        if count == MAX_JUNK and _names_event(first):
            raise IdsOnly(name)
        if count == MAX_JUNK:
            reason = first.error or f"expected an event, found {shorten(first.pdu)}"
            raise InputError(
                name, f"none of its first {MAX_JUNK:,} values is an event: {first.place}: {reason}"
            )
        yield entry
    yield from entries


def _names_event(entry: Entry) -> bool:
    # An ID in a wrapper does not count: the entry is what the wrapper has as the event.
    return names_event(_with_id(entry.pdu, entry.carried_id))


def _from_client(entry: Entry) -> bool:
    pdu = _with_id(entry.pdu, entry.claimed_id)
    return type(pdu) is dict and (client_answer(pdu) is not None or is_client_event(pdu))


def _with_id(pdu: JsonValue, event_id: EventId | None) -> JsonValue:
    """Return the value of an entry with an event ID that the reader has taken out."""
    return pdu if type(pdu) is not dict or event_id is None else {**pdu, "event_id": event_id}
