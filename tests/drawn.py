"""Rooms for drawings of their graphs, and what a drawing says, traced back to edges."""

from collections.abc import Iterable, Sequence
from random import Random

from builder import ALICE, BOB
from command_line import public_room
from played_rooms import arrived_late, drawn_history, played

from roomver import Event
from roomver.cli.graph_words import RowText
from roomver.cli.lane_text import LaneText
from roomver.entry import Entry, Place
from roomver.explain.lanes import Row
from roomver.room_check import RoomCheck, check_room


def checked(events: Iterable[Event], version: str) -> RoomCheck:
    """A room that has been checked, without signatures."""
    entries = [Entry(Place(None, ""), event.event_id, event.pdu) for event in events]
    return check_room(entries, version, keys=None)


def random_room(seed: int, version: str = "11", *, most: int = 40) -> RoomCheck:
    """A room whose branches part and meet. Some have lost events, and some have a late beginning."""
    rng = Random(f"drawn/{version}/{seed}")
    events = played(rng, version, rng.randrange(3, most), odd=rng.random() < 0.3)
    kind = rng.randrange(3)
    if kind == 1:
        gone = set(rng.sample([event.event_id for event in events[6:]], min(2, len(events) - 6)))
        events = [event for event in events if event.event_id not in gone]
    elif kind == 2:
        gone = drawn_history(rng, events)
        events = arrived_late(events, gone)
    return checked(events, version)


def braided(seed: int) -> RoomCheck:
    """A room with long straight branches, which seldom part and meet."""
    rng = Random(f"braid/{seed}")
    built = public_room()
    assert built.last is not None
    ends = [built.last]
    for number in range(rng.randrange(40, 120)):
        prev = rng.sample(ends, min(len(ends), 2 if rng.random() < 0.04 else 1))
        sent = built.add("m.room.message", rng.choice([ALICE, BOB]), {"n": number}, prev=prev)
        keeps = prev[:1] if rng.random() < 0.05 else []
        ends = [*(one for one in ends if one not in prev), *keeps, sent]
    return checked(built.events.values(), "11")


def above(rows: Sequence[Sequence[int]]) -> list[set[int]]:
    """For each row, the rows from which edges lead to it, also through others."""
    reached: list[set[int]] = [set() for _ in rows]
    for number, parents in enumerate(rows):
        for parent in parents:
            reached[parent] |= reached[number] | {number}
    return reached


_UP, _DOWN, _SIDEWAYS = "╵│╯╰┤├┴┼", "╷│╮╭┤├┬┼", "╯╰╮╭┤├┴┬┼"


def traced(lines: Iterable[str], rows: int) -> list[list[int]]:
    """Follow the lines of a drawing without notes, in which the text of each row is its number.

    Returns:
        For each row, the rows that its edges lead to.
    """
    edges: list[list[int]] = [[] for _ in range(rows)]
    open_lanes: dict[int, set[int]] = {}  # each lane, and the rows whose edges are in it
    at, number = -1, -1
    for line in lines:
        if "─" in line:
            _follow(open_lanes, line, at, number)
            continue
        words = line.split()
        lanes = line[: len(line) - len(words[-1])] if "*" in line else line
        for lane in [*open_lanes]:
            if lanes[2 * lane : 2 * lane + 1] not in ("│", "*"):
                del open_lanes[lane]
        if "*" in line:
            at, number = lanes.index("*") // 2, int(words[-1])
            for child in open_lanes.pop(at, ()):
                edges[child].append(number)
            open_lanes[at] = {number}  # unless the next line shows that it ends here
    return edges


def _follow(open_lanes: dict[int, set[int]], line: str, at: int, number: int) -> None:
    """Follow the line on which the edges of a row run sideways."""
    del open_lanes[at]
    meets = {number}
    for lane, glyph in enumerate(line[::2]):
        assert lane == at or (glyph in _UP) == (lane in open_lanes), line
        if lane == at or glyph not in _SIDEWAYS:
            continue
        if glyph in _DOWN:
            open_lanes[lane] = {number} | open_lanes.get(lane, set())
        else:
            meets |= open_lanes.pop(lane)
    if line[2 * at] in _DOWN:
        open_lanes[at] = meets
    else:
        assert meets == {number}, line


def drawn_lines(text: LaneText, rows: Iterable[Row]) -> list[str]:
    """The lines that draw rows, with the number of each row beside it."""
    said = ((row, RowText("*", str(row.number))) for row in rows)
    return ["".join(part.text for part in line) for line in text.lines(said)]
