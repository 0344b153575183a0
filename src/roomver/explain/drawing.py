"""The graph of a room as rows to draw, newest first: events, folded runs, and what is left out beside them.

`draw` chooses the rows. `roomver.explain.lanes` gives them lanes.

* Order: that of the replay, backwards. So the events that an event follows are always further down.
* Selection: if only some events are asked for, the others are left out, and edges lead through them. A merge
  that was not asked for is kept as a junction where it joins lines of events that were.
* Folding: a long straight run of events, each judged alike and with nothing else to say, is one row. So is a
  long run of events that nothing connects, such as the state that a server gave of a room it was asked about,
  and one of events that all follow the same event and that nothing follows, such as thousands of forward
  extremities.
* Window: of long drawings a part can be asked for. All rows above it are one row then, and all rows below it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from heapq import heapify, heappop, heappush
from typing import Any, Final, NamedTuple

from ..event import Event
from ..replay import Replay
from ..room_check import RoomCheck
from ..types import EventId, StateKey
from .folding import Folding
from .marks import PLAIN, Mark, find_marks, find_reset_keys

SMALL: Final = 30
"""How many rows are not folded, whatever they are: they fit a screen."""

_STEPS: Final = 64  # rows that are looked at to find that one parent is behind another


class Kind(Enum):
    """What a row stands for."""

    EVENT = "event"
    JUNCTION = "junction"
    RUN = "run"
    APART = "apart"
    FAN = "fan"
    NEWER = "newer"
    OLDER = "older"


class Node(NamedTuple):
    """What a row stands for, and the rows that it follows.

    Attributes:
        kind: an event that was asked for; a merge that was not, and joins events that were; a straight run of
            events; a run of events that no edge connects; one of events that follow the same event, and that
            nothing follows; or all rows above or below the part that was asked for.
        events: the events, the newest first. Only an event and a junction have exactly one.
        parents: the rows of the nodes that it follows, further down, the nearest first.
        mark: what is remarkable about the event; of a run, how each of its events was judged.
    """

    kind: Kind
    events: tuple[EventId, ...]
    parents: tuple[int, ...]
    mark: Mark = PLAIN


@dataclass(frozen=True, slots=True)
class Folded:
    """What a row that stands for several events says of them.

    Attributes:
        events: how many there are.
        senders: how many users sent them.
        states: how many of them are state events.
        oldest, newest: the first and the last in the order of the replay.
        marked: how many are rejected, soft-failed, undecided, or otherwise remarkable.
    """

    events: int
    senders: int
    states: int
    oldest: EventId
    newest: EventId
    marked: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON."""
        return {
            "events": self.events,
            "senders": self.senders,
            "states": self.states,
            "oldest": self.oldest,
            "newest": self.newest,
            "marked": self.marked,
        }


@dataclass(slots=True)
class Drawing:
    """The rows to draw of a room.

    Attributes:
        nodes: the rows, newest first.
        marks: what is remarkable about the room's events; events with nothing remarkable are left out.
        events: how many events the room has.
        hidden: how many of them were not asked for. No row stands for them, except junctions.
        forks: how many events of the room are followed by several.
        merges: how many follow several.
        resets_now: the keys that were reset where the forward extremities were merged.
    """

    nodes: list[Node]
    marks: dict[EventId, Mark]
    events: int
    hidden: int = 0
    forks: int = 0
    merges: int = 0
    resets_now: tuple[StateKey, ...] = ()
    _replay: Replay | None = field(default=None, repr=False)

    def folded(self, node: Node) -> Folded:
        """Return what a row that stands for several events says of them."""
        assert self._replay is not None
        events = [self._replay.events[one] for one in node.events]
        return Folded(
            len(events),
            len({event.sender for event in events}),
            len(events) - [event.state_key for event in events].count(None),
            events[-1].event_id,
            events[0].event_id,
            sum(map(self.marks.__contains__, node.events)),
        )


def drawn_order(replayed: Replay) -> list[EventId]:
    """Return the events of a room in the order in which they are drawn, the newest first.

    It is the order of the replay, backwards. Events on cycles have no place there: they come before the first
    event that cites one of them, or at the end if none does.
    """
    order = replayed.order
    if len(order) < len(replayed.outcomes):
        placed = set(order)
        cyclic = [one for one in replayed.outcomes if one not in placed]
        behind = set(cyclic)
        at = next((n for n, one in enumerate(order) if _cites(replayed.events[one], behind)), len(order))
        order = [*order[:at], *cyclic, *order[at:]]
    return order[::-1]


def _cites(event: Event, some: Collection[EventId]) -> bool:
    return any(one in some for one in (*event.prev_event_ids, *event.auth_event_ids))


def draw(
    found: RoomCheck,
    *,
    wanted: Callable[[Event], bool] | None = None,
    fold: bool = True,
    around: EventId | None = None,
    count: int | None = None,
) -> Drawing:
    """Choose the rows of a drawing of a room's graph.

    Args:
        found: the room.
        wanted: tells which events to draw; None for all.
        fold: fold long straight runs, if there are more rows than fit a screen.
        around: an event. With `count`, the drawing has it, and up to `count` rows above and below it.
        count: how many rows there are at most, beside the one that stands for the rows below them.

    Cost: linear in the events and edges.
    """
    replayed = found.replay
    order = drawn_order(replayed)
    place = {event_id: number for number, event_id in enumerate(order)}
    parents = _rows_followed(replayed, order, place)
    drawing = Drawing([], find_marks(found), len(order), _replay=replayed)
    drawing.resets_now = find_reset_keys(found).get(None, ())
    children = _count_children(parents)
    drawing.forks = _count_several(children)
    drawing.merges = _count_several([*map(len, parents)])
    active: Sequence[int] = range(len(order))
    kept: Collection[int] = active
    if wanted is not None:
        kept = {n for n, one in enumerate(order) if one == around or wanted(replayed.events[one])}
        drawing.hidden = len(order) - len(kept)
        active = _contract(parents, kept)
        children = _count_children(parents, active)
    runs: dict[int, tuple[int, ...]] = {}
    if fold and len(active) > SMALL:
        runs = Folding(drawing.marks, order, parents, children, around).runs(active)
    drawing.nodes = _nodes(drawing.marks, order, parents, children, active, kept, runs)
    if count is not None:
        middle = None if around is None else _row_of(drawing.nodes, around)
        drawing.nodes = _window(drawing.nodes, middle, count)
    return drawing


def _count_several(numbers: Sequence[int]) -> int:
    return len(numbers) - numbers.count(0) - numbers.count(1)


def _count_children(parents: Sequence[Sequence[int]], active: Sequence[int] | None = None) -> list[int]:
    children = [0] * len(parents)
    for number in range(len(parents)) if active is None else active:
        for parent in parents[number]:
            children[parent] += 1
    return children


def _contract(parents: list[list[int]], kept: Collection[int]) -> list[int]:
    """Leave out all rows but some, and lead edges through the others.

    Args:
        parents: the rows that each row follows; changed in place.
        kept: the rows that stay.

    Returns:
        The rows that stay, and the junctions above which one of them is.
    """
    through: list[int | None] = [None] * len(parents)  # the first row at or below that is left
    for number in range(len(parents) - 1, -1, -1):
        above = {at for one in parents[number] if (at := through[one]) is not None}
        parents[number] = _nearest(parents, above)
        if number in kept or len(above := set(parents[number])) > 1:
            through[number] = number
        else:
            through[number] = next(iter(above), None)
    cited: set[int] = set()
    active = []
    for number, some in enumerate(parents):
        if number in kept or number in cited:
            active.append(number)
            cited.update(some)
    return active


def _nearest(parents: Sequence[Sequence[int]], some: set[int]) -> list[int]:
    """Return rows without those that are found to be behind others of them."""
    if 2 <= len(some) <= _STEPS:
        lowest = max(some)
        todo = [one for row in some for one in parents[row]]
        heapify(todo)
        seen: set[int] = set()
        while todo and len(seen) < _STEPS:
            row = heappop(todo)
            if row in seen or row > lowest:
                continue
            seen.add(row)
            for one in parents[row]:
                heappush(todo, one)
        some = some - seen or some
    return sorted(some)


def _rows_followed(
    replayed: Replay, order: Sequence[EventId], place: Mapping[EventId, int]
) -> list[list[int]]:
    """Return, for each row, the rows below it that it follows, from the top."""
    followed = []
    for number, event_id in enumerate(order):
        prev = replayed.events[event_id].prev_event_ids
        if len(prev) == 1:
            at = place.get(prev[0], -1)
            followed.append([at] if at > number else [])
        else:
            followed.append(sorted({at for one in prev if (at := place.get(one, -1)) > number}))
    return followed


def _nodes(  # noqa: PLR0913, PLR0917 - the rows as `draw` has them
    marks: dict[EventId, Mark],
    order: Sequence[EventId],
    parents: Sequence[Sequence[int]],
    children: Sequence[int],
    active: Sequence[int],
    kept: Collection[int],
    runs: dict[int, tuple[int, ...]],
) -> list[Node]:
    """Return one node for each row that is left, numbered anew."""
    inside = bytearray(len(order))
    for run in runs.values():
        for row in run[1:]:
            inside[row] = True
    left = [row for row in active if not inside[row]]
    # No edge from elsewhere leads into a run, except to its first row.
    renumbered = {row: number for number, row in enumerate(left)}
    nodes = []
    for row in left:
        rows = runs.get(row)
        if rows is None:
            kind = Kind.EVENT if row in kept else Kind.JUNCTION
            events: tuple[EventId, ...] = (order[row],)
            above = parents[row]
        else:
            kind = Kind.APART if not parents[row] else Kind.RUN if children[row] else Kind.FAN
            events = tuple([order[one] for one in rows])
            above = parents[rows[-1]]
        mark = marks.get(events[0], PLAIN)
        if kind is Kind.APART:
            mark = Mark(mark.judged, mark.unsure)
        nodes.append(Node(kind, events, tuple([renumbered[one] for one in above]), mark))
    return nodes


def _row_of(nodes: Sequence[Node], event_id: EventId) -> int:
    return next(n for n, node in enumerate(nodes) if node.kind is Kind.EVENT and node.events[0] == event_id)


def _window(nodes: Sequence[Node], middle: int | None, count: int) -> list[Node]:
    """Return a part of the rows, with one row for those above it and one for those below it.

    Args:
        nodes: all rows.
        middle: the row that has `count` rows above and below it; None for the first `count` rows.
        count: see there.
    """
    start = 0 if middle is None else max(0, middle - count)
    stop = count if middle is None else middle + count + 1
    part = list(_renumbered(nodes, start, stop))
    if start:
        above = nodes[:start]
        follows = {max(0, min(one, stop) - start + 1) for node in above for one in node.parents}
        # An edge to another row above stays inside.
        part.insert(0, Node(Kind.NEWER, _events_of(above), tuple(sorted(follows - {0}))))
    if nodes[stop:]:
        part.append(Node(Kind.OLDER, _events_of(nodes[stop:]), ()))
    return part


def _renumbered(nodes: Sequence[Node], start: int, stop: int) -> Iterator[Node]:
    """Yield a part of the rows. Edges to rows below it lead to the row after the last of them."""
    first = 1 if start else 0
    for node in nodes[start:stop]:
        parents = sorted({min(one, stop) - start + first for one in node.parents})
        yield Node(node.kind, node.events, tuple(parents), node.mark)


def _events_of(nodes: Sequence[Node]) -> tuple[EventId, ...]:
    return tuple(one for node in nodes if node.kind is not Kind.JUNCTION for one in node.events)
