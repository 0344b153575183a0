"""The events of a case as its displays name them: by number, parents first, with type and sender."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from ...canonical import shorten
from ...errors import CyclicGraph
from ...ordering import in_order
from ...types import EventId, JsonObject, JsonValue

Renumber: TypeAlias = Callable[[str], str]
"""Replaces the event IDs in a text with the numbers of the events."""


def order_events(events: JsonObject) -> tuple[list[EventId], bool]:
    """Return the IDs, parents first, and true; or in the order given, and false, if some cite each other."""
    parents = {
        event_id: [e for e in cited_ids(pdu, "auth_events") + cited_ids(pdu, "prev_events") if e in events]
        for event_id, pdu in events.items()
    }
    try:
        return in_order(parents), True
    except CyclicGraph:
        return list(events), False


def cited_ids(pdu: JsonValue, field: str) -> list[EventId]:
    """Return the IDs that a PDU cites in this field, in the form of any room version. Skips anything else."""
    cited = pdu.get(field) if type(pdu) is dict else None
    if type(cited) is not list:
        return []
    ids = [one[0] if type(one) is list and one else one for one in cited]
    return [one for one in ids if type(one) is str]


def numbers_of(order: Iterable[EventId]) -> Mapping[EventId, str]:
    """Return ``[number]`` for each of these event IDs, from 1."""
    return {event_id: f"[{number}]" for number, event_id in enumerate(order, 1)}


def renumbering(numbers: Mapping[EventId, str]) -> Renumber:
    """Return a function that replaces each of these event IDs in a text with its number."""
    if not numbers:
        return str
    # The longest first, because an ID that a sender chose may begin with another ID.
    pattern = re.compile("|".join(map(re.escape, sorted(numbers, key=len, reverse=True))))
    return lambda text: pattern.sub(lambda found: numbers[found[0]], text)


def event_words(pdu: JsonValue) -> str:
    """Return type, state key and sender of a PDU in one line, or what is in its place."""
    if type(pdu) is not dict:
        return shorten(pdu)
    key = f" {shorten(pdu['state_key'])}" if "state_key" in pdu else ""
    return f"{_text(pdu.get('type'))}{key} by {_text(pdu.get('sender'))}"


def _text(value: JsonValue) -> str:
    return value if type(value) is str else shorten(value)
