"""The graph of a room as JSON, and as a scenario for the viewer TARDIS. Both are written row by row."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from ..explain.drawing import Drawing, Kind, Node
from ..explain.lanes import LANES, lay_out
from ..types import EventId
from .escaped import ascii_json
from .graph_words import Words
from .loaded import LoadedRoom


def json_chunks(loaded: LoadedRoom, drawing: Drawing) -> Iterator[str]:
    """Yield the lines of a JSON document with the rows of a drawing. Characters beyond ASCII are escaped."""
    replayed = loaded.replay
    head = {
        "room_id": loaded.found.gathered.room_id,
        "room_version": str(loaded.version),
        "events": drawing.events,
        "hidden": drawing.hidden,
        "forks": drawing.forks,
        "merges": drawing.merges,
        "forward_extremities": list(replayed.forward_extremities),
        "extremities_known": replayed.extremities_known,
        "resets_now": [list(key) for key in drawing.resets_now],
        "lanes": LANES,
    }
    ends = set(replayed.forward_extremities)
    rows = (
        ascii_json({**row.to_dict(), **_about(loaded, drawing, drawing.nodes[row.number], ends)})
        for row in lay_out((node.parents for node in drawing.nodes), LANES)
    )
    return _document(head, "rows", rows)


def _document(head: dict[str, Any], name: str, items: Iterator[str]) -> Iterator[str]:
    """Yield the lines of an object with some members, and an array whose items have a line each."""
    yield f'{ascii_json(head)[:-1]}, "{name}": ['
    last: str | None = None
    for item in chain(items, (None,)):
        if last is not None:
            yield f" {last}" if item is None else f" {last},"
        last = item
    yield "]}"


def _about(loaded: LoadedRoom, drawing: Drawing, node: Node, ends: set[EventId]) -> dict[str, Any]:
    single = node.kind in (Kind.EVENT, Kind.JUNCTION)
    about: dict[str, Any] = {
        "kind": node.kind.value,
        "mark": node.mark.to_dict(),
        "event": None,
        "folded": None,
    }
    if single:
        event = loaded.replay.events[node.events[0]]
        about["event"] = {
            "event_id": event.event_id,
            "type": event.type,
            "state_key": event.state_key,
            "sender": event.sender,
            "origin_server_ts": event.origin_server_ts,
            "extremity": event.event_id in ends,
        }
    else:
        about["folded"] = drawing.folded(node).to_dict()
    return about


def tardis_chunks(loaded: LoadedRoom, drawing: Drawing, words: Words) -> Iterator[str]:
    """Yield the lines of a scenario for TARDIS: the events that were asked for, parents first.

    TARDIS reads JSON5, of which this is a part, in a file whose name ends in ``.json5``. The events have
    their IDs; what is remarkable about one is its annotation.

    Source: https://github.com/matrix-org/tardis, src/scenario.ts at 04e6469.
    """
    shown = [node for node in reversed(drawing.nodes) if node.kind is Kind.EVENT]
    notes = {}
    for node in shown:
        said = words(node)
        judged = [node.mark.judged.value] if said.text.startswith(f"{node.mark.judged.value}: ") else []
        if judged or said.notes:
            notes[node.events[0]] = "; ".join([*judged, *said.notes])
    head = {
        "tardis_version": 1,
        "room_version": str(loaded.version),
        "room_id": loaded.found.gathered.room_id,
        "calculate_event_ids": False,
        "annotations": {"title": "\n".join(words.summary()), "titles": {}, "events": notes},
    }
    events = loaded.replay.events
    items = (ascii_json({"event_id": one, **events[one].pdu}) for node in shown for one in node.events)
    return _document(head, "events", items)
