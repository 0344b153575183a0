"""Files that are not rooms: events of the client-server API, and lists of event IDs.

One message says what such a file is, and what to use instead.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from ..entry import Entry
from ..types import JsonObject, JsonValue
from .entries import LISTS, InputError, is_pdu

_WIRE_ONLY: Final = frozenset({"auth_events", "prev_events", "hashes", "depth", "signatures"})
_CLIENT_ONLY: Final = frozenset({"event_id", "origin_server_ts", "age"})
# Keys of responses of the client-server API that hold events in arrays.
_CLIENT_ANSWERS: Final = frozenset({"chunk", "next_batch", "events_before", "events_after"})
# The sections of a response to /sync, and of one room in it.
_SYNC_ROOMS: Final = ("join", "leave", "invite", "knock")
_SYNC_EVENTS: Final = ("timeline", "state", "state_after")
_ID_LISTS: Final = ("pdu_ids", "auth_chain_ids", "event_ids")

_LOOKED_AT: Final = 16  # entries, before a file is called client-server JSON

CLIENT_JSON: Final = (
    "this is client-server JSON: its events lack auth_events, prev_events, depth, hashes and signatures, so"
    " nothing can be checked. Ask a server for the PDUs: in Synapse GET"
    " /_synapse/admin/v1/fetch_event/<event ID> or the table event_json, in continuwuity `debug get-pdu`,"
    " over federation GET /_matrix/federation/v1/event/<event ID>"
)
SYNC_PDUS: Final = (
    "this is a response to /sync. With event_format: federation in its filter, its events are PDUs: take out"
    " those of one room, as with jq '.rooms.join[\"!room\"] | .state.events + .timeline.events'"
)
IDS_ONLY: Final = (
    "this file has only event IDs. Give a file with the events; this file can go with it, in"
    " `roomver resolve FILE --sets IDS`"
)


def is_client_event(value: JsonValue) -> bool:
    """Tell whether a value is an event in the format of the client-server API, which lacks the other keys of
    a PDU."""
    return (
        type(value) is dict
        and is_pdu(value)
        and not _WIRE_ONLY & value.keys()
        and bool(_CLIENT_ONLY & value.keys())
    )


def client_answer(value: JsonObject) -> str | None:
    """Say what a response of the client-server API that holds events is; None for any other object."""
    if is_pdu(value):
        return None
    sections = list(_sync_sections(value))
    if not sections and not _CLIENT_ANSWERS & value.keys():
        return None
    first = next((event for section in sections for event in section), None)
    return SYNC_PDUS if type(first) is dict and _WIRE_ONLY & first.keys() else CLIENT_JSON


def _sync_sections(value: JsonObject) -> Iterator[list[JsonValue]]:
    """Yield the arrays of events in a response to /sync, or in the part of it about one room."""
    rooms = value.get("rooms")
    parts = [rooms.get(name) for name in _SYNC_ROOMS] if type(rooms) is dict else []
    by_id = [part for part in parts if type(part) is dict]
    for room in (value, *(room for part in by_id for room in part.values())):
        if type(room) is dict:
            for name in _SYNC_EVENTS:
                section = room.get(name)
                if type(section) is dict and type(events := section.get("events")) is list:
                    yield events


def holds_ids(value: JsonObject) -> bool:
    """Tell whether an object holds event IDs and no events, such as a response to ``/state_ids``."""
    if is_pdu(value) or type(value.get("events")) is dict:
        return False
    lists = [value[key] for key in (*LISTS, *_ID_LISTS) if type(value.get(key)) is list]
    return any(lists) and all(type(item) is str for one in lists for item in one)  # type: ignore[union-attr]


def check_form(entries: Iterator[Entry], name: str) -> Iterator[Entry]:
    """Return the same entries, unless the first of them show that the file holds no PDUs.

    Raises:
        InputError: if they are events of the client-server API, or IDs.
    """
    first: list[Entry] = []
    for entry in islice(entries, _LOOKED_AT):
        first.append(entry)
        if entry.error is not None or not (_is_id(entry.pdu) or _from_client(entry)):
            return chain(first, entries)
    if first and all(_is_id(entry.pdu) for entry in first):
        raise InputError(name, IDS_ONLY)
    if first and type(pdu := first[0].pdu) is dict and (answer := client_answer(pdu)) is not None:
        raise InputError(name, answer)
    if first and all(_from_client(entry) for entry in first):
        raise InputError(name, CLIENT_JSON)
    return chain(first, entries)


def _is_id(pdu: JsonValue) -> bool:
    return type(pdu) is str and pdu.startswith("$")


def _from_client(entry: Entry) -> bool:
    pdu = entry.pdu
    if type(pdu) is not dict:
        return False
    if entry.claimed_id is not None:
        pdu = {**pdu, "event_id": entry.claimed_id}  # the reader has taken it out
    return client_answer(pdu) is not None or is_client_event(pdu)
