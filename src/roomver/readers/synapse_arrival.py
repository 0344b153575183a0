"""How and when the events of a room came, as Synapse's database tells it.

An event has one place in one of two streams. It is above zero if the server received the event as it was
sent, and below zero if the server fetched it: from the history of the room, or as an auth event. Synapse
keeps that place when an outlier later becomes an event of the room's graph. The place at which it did is in
the table ``ex_outlier_stream``, with the same sign.
"""

from collections.abc import Iterator
from heapq import merge
from typing import Final, NamedTuple

from ..types import EventId, RoomId
from .database import Database, Row, number_of, rows_among, text_of

_COLUMNS: Final = "SELECT event_id, outlier, rejection_reason, stream_ordering, topological_ordering, room_id"
_EVENTS: Final = f"{_COLUMNS} FROM events WHERE room_id = ?"
_RECEIVED: Final = f"{_EVENTS} AND stream_ordering >= 0 ORDER BY stream_ordering"
# When they came is not known. A replay puts each before the first event that needs it.
_FETCHED: Final = f"{_EVENTS} AND stream_ordering < 0 ORDER BY topological_ordering, stream_ordering DESC"
_AMONG: Final = f"{_COLUMNS} FROM events WHERE event_id"
# The table has no index that serves this. It is gone through once.
_BECAME: Final = (
    "SELECT event_id, event_stream_ordering FROM ex_outlier_stream"
    " WHERE event_id IN (SELECT event_id FROM events WHERE room_id = ?)"
)


class Arrived(NamedTuple):
    """An event's row, without its JSON.

    Attributes:
        event_id: its ID; None if it is not text.
        outlier, rejected: what the server decided.
        fetched: whether the server fetched it. None if the database contradicts itself on it.
    """

    event_id: EventId | None
    outlier: bool
    rejected: bool
    fetched: bool | None


def rows_in_order(database: Database, room_id: RoomId) -> Iterator[Arrived]:
    """Yield the events of a room: first those received, in the order of their arrival, then those fetched.

    An event that was an outlier comes where it became an event of the room's graph.
    """
    became = _read_places(database, room_id)
    moved: dict[bool, list[tuple[tuple[int, int], Row]]] = {False: [], True: []}
    for row in rows_among(database, _AMONG, became):
        event_id = text_of(row[0])
        if event_id is not None and text_of(row[5]) == room_id:
            place = became[event_id][0]
            moved[place < 0].append((_place(row, place), row))
    for fetched, sql in ((False, _RECEIVED), (True, _FETCHED)):
        kept = (
            (_place(row, number_of(row[3]) or 0), row)
            for row in database.rows(sql, room_id)
            if text_of(row[0]) not in became
        )
        for _, row in merge(kept, sorted(moved[fetched], key=_first), key=_first):
            yield _arrived(row, became, fetched=fetched)


def _read_places(database: Database, room_id: RoomId) -> dict[EventId, list[int]]:
    """Return the places at which outliers became events of the graph, lowest first."""
    found: dict[EventId, list[int]] = {}
    if {"event_id", "event_stream_ordering"} <= database.columns("ex_outlier_stream"):
        for raw_id, raw_place in database.rows(_BECAME, room_id):
            event_id, place = text_of(raw_id), number_of(raw_place)
            if event_id is not None and place is not None:
                found.setdefault(event_id, []).append(place)
    return {event_id: sorted(places) for event_id, places in found.items()}


def _place(row: Row, place: int) -> tuple[int, int]:
    """Return what a row is sorted by: its place if it was received; if fetched, the event's depth first."""
    return (number_of(row[4]) or 0, -place) if place < 0 else (place, 0)


def _first(one: tuple[tuple[int, int], Row]) -> tuple[int, int]:
    return one[0]


def _arrived(row: Row, became: dict[EventId, list[int]], *, fetched: bool) -> Arrived:
    event_id = text_of(row[0])
    known = len(became.get(event_id or "", ())) < 2  # it became an event of the graph once
    return Arrived(event_id, bool(row[1]), row[2] is not None, fetched if known else None)
