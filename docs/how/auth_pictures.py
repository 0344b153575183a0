"""Pictures of the auth events of a merge: who cites whom, and in which sets of the algorithm an event is.

They use the lanes and shapes of `roomver graph --svg`. A line leads from an event down to one of
its auth events. Lines that follow from others are left out: if an event cites P1 and P0, and P1 cites P0, no
line leads from the event to P0.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from roomver.cli.people import time_text
from roomver.cli.svg import ROW, bends, element, ground, lane_x, opening, straight
from roomver.explain.lanes import Row, lay_out, stretches, widest
from roomver.types import EventId

from .merges import Merge
from .words import words_of

_COLUMN: Final = 74
_WIDTH_OF_TEXT: Final = 7.0  # pixels that a character takes, at most
_LINE, _TINT = "#333333", "#fff3c4"


@dataclass(frozen=True)
class Column:
    """A column beside the events.

    Attributes:
        title: its heading.
        mark: what it says of an event; an empty text for nothing.
    """

    title: str
    mark: Callable[[EventId], str]


def in_set(title: str, some: Collection[EventId], mark: str = "●") -> Column:
    """Return the column of a set of events."""
    return Column(title, lambda event_id: mark if event_id in some else "")


def set_columns(merge: Merge, algorithm: str) -> list[Column]:
    """Return a column for each state, and for each set that version 2 or 2.1 makes of them."""
    steps = merge.steps(algorithm)
    names = "ABCD"
    states = [
        in_set(f"state {names[number]}", set(state.values()), names[number])
        for number, state in enumerate(merge.states)
    ]
    conflicted = {one for masks in steps.conflicted.values() for one in masks}
    columns = [*states, in_set("conflicted", conflicted), in_set("auth diff.", steps.auth_difference)]
    if algorithm == "v2.1":
        columns.append(in_set("subgraph", steps.conflicted_subgraph))
    return columns


def auth_picture(
    merge: Merge,
    title: str,
    columns: Sequence[Column],
    tinted: Collection[EventId] = (),
    events: Collection[EventId] | None = None,
) -> str:
    """Return a picture of events and their auth events, newest first.

    Args:
        merge: the room.
        title: the line above it.
        columns: what stands beside the events.
        tinted: the events whose rows are coloured.
        events: the events to draw; by default the states with their auth chains.
    """
    drawn = [one for one in merge.events if one in events] if events else merge.state_events()
    order = drawn[::-1]
    place = {event_id: number for number, event_id in enumerate(order)}
    parents = [sorted(place[one] for one in _cited(merge, event_id, place)) for event_id in order]
    rows = list(lay_out(parents))
    return "".join(f"{part}\n" for part in _parts(merge, title, columns, tinted, order, rows))


def _cited(merge: Merge, event_id: EventId, drawn: Mapping[EventId, int]) -> set[EventId]:
    """Return the auth events of an event to which lines lead."""
    cited = {one for one in merge.events[event_id].auth_parents if one in drawn}
    behind: set[EventId] = set()
    todo = list(cited)
    while todo:
        for one in merge.events[todo.pop()].auth_parents:
            if one not in behind:
                behind.add(one)
                todo.append(one)
    return cited - behind


def _parts(
    merge: Merge,
    title: str,
    columns: Sequence[Column],
    tinted: Collection[EventId],
    order: Sequence[EventId],
    rows: Sequence[Row],
) -> Iterator[str]:
    events = merge.events
    texts = [words_of(events[one]) for one in order]
    labels = [merge.names[one] for one in order]
    left = lane_x(widest(rows)) + 4
    after_label = left + max(map(len, labels)) * 8 + 10
    after_id = after_label + 82
    after_time = after_id + 66
    after_text = after_time + max(map(len, texts)) * _WIDTH_OF_TEXT + 12
    width = max(after_text + _COLUMN * len(columns), 16 + len(title) * _WIDTH_OF_TEXT)
    top = 2 * ROW + 14
    height = top + ROW * (len(rows) - 1) + 20
    start, end = opening(width, height)
    yield start
    yield ground()
    yield element("text", {"x": "8", "y": "20", "font-weight": "bold", "fill": _LINE}, title)
    for number, column in enumerate(columns):
        at = {"x": f"{after_text + _COLUMN * (number + 0.5):.0f}", "y": f"{ROW + 20}"}
        yield element(
            "text", {**at, "text-anchor": "middle", "font-size": "12", "fill": "#555555"}, column.title
        )
    for number, event_id in enumerate(order):
        if event_id in tinted:
            box = {"x": "0", "y": f"{top + ROW * number - ROW / 2:g}", "width": "100%", "height": f"{ROW}"}
            yield element("rect", {**box, "fill": _TINT})
    for one in stretches(rows):
        if one.bottom > one.top + 1:
            yield straight(one, top + ROW * (one.top + 1), top + ROW * one.bottom)
    for row, event_id, text, label in zip(rows, order, texts, labels, strict=True):
        y = top + ROW * row.number
        yield from bends(row, y, y + ROW)
        circle = {"cx": f"{lane_x(row.lane)}", "cy": f"{y}", "r": "5", "stroke": _LINE, "stroke-width": "2"}
        yield element("circle", {**circle, "fill": "#ffffff"}, title=event_id)
        base = f"{y + 4}"
        yield element("text", {"x": f"{left}", "y": base, "font-weight": "bold", "fill": _LINE}, label)
        grey = {"y": base, "font-family": "monospace", "font-size": "12", "fill": "#666666"}
        yield element("text", {"x": f"{after_label}", **grey}, merge.short(event_id))
        moment = time_text(events[event_id].origin_server_ts)[11:19]
        yield element("text", {"x": f"{after_id}", **grey}, moment)
        yield element("text", {"x": f"{after_time}", "y": base, "fill": _LINE}, text)
        for number, column in enumerate(columns):
            mark = column.mark(event_id)
            if mark:
                at = {"x": f"{after_text + _COLUMN * (number + 0.5):.0f}", "y": base}
                yield element("text", {**at, "text-anchor": "middle", "fill": _LINE}, mark)
    yield end
