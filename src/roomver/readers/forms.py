"""Files that are not rooms: events of the client-server API, and lists of event IDs.

One message says what such a file is, and what to hand in instead.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from ..entry import Entry
from ..types import JsonObject, JsonValue
from .entries import LISTS, InputError, is_pdu

_WIRE_ONLY: Final = frozenset({"auth_events", "prev_events", "hashes", "depth", "signatures"})
_CLIENT_ONLY: Final = frozenset({"event_id", "origin_server_ts", "age"})
# Keys of answers of the client-server API that hold events in arrays.
_CLIENT_ANSWERS: Final = frozenset({"chunk", "next_batch", "events_before", "events_after"})
_ID_LISTS: Final = ("pdu_ids", "auth_chain_ids", "event_ids")

_LOOKED_AT: Final = 16  # entries, before a file is called client-server JSON

CLIENT_JSON: Final = (
    "this is client-server JSON: its events lack auth_events, prev_events, depth, hashes and signatures, so"
    " nothing can be checked. Ask a server for the PDUs: in Synapse GET"
    " /_synapse/admin/v1/fetch_event/<event ID> or the table event_json, in continuwuity `debug get-pdu`,"
    " over federation GET /_matrix/federation/v1/event/<event ID>"
)
IDS_ONLY: Final = (
    "there are only event IDs in it. Give a file with the events; this one can stand beside it, in"
    " `roomver resolve FILE --sets IDS`"
)


def is_client_event(value: JsonValue) -> bool:
    """Tell whether a value is an event in the form of the client-server API, which leaves out the rest."""
    return (
        type(value) is dict
        and is_pdu(value)
        and not _WIRE_ONLY & value.keys()
        and bool(_CLIENT_ONLY & value.keys())
    )


def is_client_answer(value: JsonObject) -> bool:
    """Tell whether an object is an answer of the client-server API that holds events."""
    return bool(_CLIENT_ANSWERS & value.keys()) and not is_pdu(value)


def holds_ids(value: JsonObject) -> bool:
    """Tell whether an object holds event IDs and no events, such as an answer to ``/state_ids``."""
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
    if first and all(_from_client(entry) for entry in first):
        raise InputError(name, CLIENT_JSON)
    return chain(first, entries)


def _is_id(pdu: JsonValue) -> bool:
    return type(pdu) is str and pdu.startswith("$")


def _from_client(entry: Entry) -> bool:
    pdu = entry.pdu
    if type(pdu) is not dict:
        return False
    # The reader has taken the ID out of it.
    return is_client_event({**pdu, "event_id": entry.claimed_id} if entry.claimed_id is not None else pdu)
