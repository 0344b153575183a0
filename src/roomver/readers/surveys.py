"""Long documents: what must be known of one before its first event, found without parsing it whole."""

from dataclasses import dataclass, field
from typing import Final

from ..types import JsonObject
from .entries import LISTS, STATE_FLAGS
from .forms import ID_LISTS
from .values import Values

# The keys of an event, and those under which an object may hold events.
_HOLDING: Final = frozenset({*LISTS, "type", "pdu", "event", "events", "rooms"})


@dataclass(slots=True)
class Long:
    """What a first pass found in a document that is too long to be parsed whole.

    Attributes:
        is_event: whether it is one event, which is then too long.
        has_status: whether it is an array of an HTTP status and the object that the rest is about.
        by_id: whether it has nothing but objects under keys that begin like event IDs.
        has_ids: whether it has arrays under the keys for those of event IDs.
        holds: whether it may hold events, under any of its keys.
        keys: the keys under which it has arrays or objects of events.
        fields: the values of ``room_version``, of ``keys``, of `STATE_FLAGS` and of ``next_batch``.
    """

    is_event: bool = False
    has_status: bool = False
    by_id: bool = True
    has_ids: bool = False
    holds: bool = False
    keys: set[str] = field(default_factory=set)
    fields: JsonObject = field(default_factory=dict)


def survey_body(values: Values, long: Long) -> None:
    """Survey the body of version 1 of the response to a join, if the only document is such a response."""
    values.take(b"[")
    if values.peek().isdigit():
        values.value()
        if values.take(b",", b"]") == b"," and values.peek() == b"{":
            survey(values, long)
            long.has_status = values.peek() == b"]"


def survey(values: Values, long: Long) -> None:
    """Take an object, and note what it has."""
    for key in values.members():
        first = values.peek()
        piece = values.value()
        long.by_id = long.by_id and key.startswith("$") and first == b"{"
        long.holds = long.holds or key in _HOLDING
        long.has_ids = long.has_ids or (key in ID_LISTS and first == b"[")
        if key in ("type", "pdu"):
            long.is_event = True
        elif (key in LISTS and first == b"[") or (key == "events" and first == b"{"):
            long.keys.add(key)
        elif key in ("room_version", "keys", "next_batch", *STATE_FLAGS):
            long.fields[key] = piece.load()
    long.holds = long.holds or long.by_id
