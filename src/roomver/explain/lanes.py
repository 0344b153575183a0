"""Lanes for drawing a graph of events: which column each row and each edge has.

This module knows nothing of Matrix. A row is a number; rows are drawn from the top, and each edge leads from
a row to one of its parents, further down. All open edges to one parent share a lane, so an edge that meets
another one on its way to the same parent merges into it.

We looked for a library. Those for Python that lay out directed graphs, such as grandalf and the bindings of
Graphviz, place nodes in two dimensions. That takes more than linear time, and does not give the columns of a
log.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import chain
from typing import Any, Final, NamedTuple

LANES: Final = 30
"""How many lanes are drawn at most, if nothing else is asked for."""


class Edge(NamedTuple):
    """An edge from a row to a parent.

    Attributes:
        parent: the number of the parent's row.
        lane: the lane that the edge has below its row. It stays there until the parent's row, unless the row
            of another child moves it: see `Row.moved`.
    """

    parent: int
    lane: int


class Row(NamedTuple):
    """One row of a drawn graph.

    Attributes:
        number: of the row, from 0 at the top.
        lane: where the row's node is drawn. Lanes are numbered from 0 at the left; the one after the last,
            `limit` of `lay_out`, stands for all lanes that are not drawn.
        edges: to the row's parents, the nearest first. If none of them has the row's own lane, that lane ends
            here.
        tip: whether no edge leads to the row.
        moved: the lane from which the edges to the parent in the row's own lane move there, below this row;
            None if that parent had no lane before, or no parent has the row's lane.
        beyond: how many lanes are open below this row and not drawn.
    """

    number: int
    lane: int
    edges: tuple[Edge, ...]
    tip: bool
    moved: int | None
    beyond: int

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return {
            "row": self.number,
            "lane": self.lane,
            "edges": [{"row": edge.parent, "lane": edge.lane} for edge in self.edges],
            "tip": self.tip,
            "moved": self.moved,
            "beyond": self.beyond,
        }


class Stretch(NamedTuple):
    """A straight part of a lane, which leads down to a parent.

    Attributes:
        lane: the lane.
        top: the row below which it begins.
        bottom: the row at which it ends: the parent's row, or the row below which it moves to another lane.
        parent: the number of the parent's row.
    """

    lane: int
    top: int
    bottom: int
    parent: int


def lay_out(parents: Iterable[Sequence[int]], limit: int = LANES) -> Iterator[Row]:
    """Give each row and each edge of a graph a lane.

    An edge joins the lane that already leads to its parent. Of the other parents, and those whose lane is to
    the right, the nearest gets the row's own lane. The rest get the leftmost free lanes. Edges for which no
    lane is left share the one after the last, and are counted.

    Args:
        parents: for each row, from the top, the numbers of its parents' rows. Each is greater than that of
            the row itself.
        limit: how many lanes are drawn.

    Yields:
        The rows in order, as soon as their parents are given.

    Raises:
        ValueError: if a parent is not below its row, or `limit` is less than 1.

    Cost: linear in the edges, times the logarithm of `limit`. Only open edges and rows' numbers are held.

    >>> [(row.lane, *row.edges) for row in lay_out([[1, 2], [3], [3], []])]  # a merge and a fork
    [(0, Edge(parent=1, lane=0), Edge(parent=2, lane=1)), (0, Edge(parent=3, lane=0)), \
(1, Edge(parent=3, lane=0)), (0,)]
    """
    if limit < 1:
        raise ValueError("at least one lane must be drawn")
    lanes: dict[int, int] = {}  # the row to which a lane leads, to the lane
    free = list(range(limit))  # a heap
    beyond = 0
    for number, cited in enumerate(parents):
        lane = lanes.pop(number, None)
        tip = lane is None
        if lane is None:
            lane = heappop(free) if free else limit
        elif lane == limit:
            beyond -= 1
        wanted: Sequence[int] = cited if len(cited) == 1 else sorted(set(cited))
        if wanted and wanted[0] <= number:
            raise ValueError(f"row {wanted[0]} is a parent of row {number} and not below it")
        heir = None
        if lane < limit:
            for one in wanted:
                if lanes.get(one, limit) > lane:
                    heir = one
                    break
        moved = None if heir is None else lanes.get(heir)
        if heir is not None:
            lanes[heir] = lane
            beyond -= moved == limit
        for one in wanted:
            if one not in lanes:
                lanes[one] = heappop(free) if free else limit
                beyond += lanes[one] == limit
        for left in (lane if heir is None else limit, limit if moved is None else moved):
            if left < limit:
                heappush(free, left)
        yield Row(number, lane, tuple([Edge(one, lanes[one]) for one in wanted]), tip, moved, beyond)


def stretches(rows: Iterable[Row]) -> Iterator[Stretch]:
    """Yield the straight parts of all lanes, by the row at which they end.

    A part of a drawing needs those that overlap it: the stretches with ``top < last`` and ``bottom > first``.
    At most one stretch per edge begins, and one per move.

    >>> [tuple(one) for one in stretches(lay_out([[1, 2], [3], [3], []]))]
    [(0, 0, 1, 1), (1, 0, 2, 2), (0, 1, 3, 3)]
    """
    begun: dict[int, tuple[int, int]] = {}  # the parent to the lane that leads to it, and its top
    for row in rows:
        if row.number in begun:
            lane, top = begun.pop(row.number)
            yield Stretch(lane, top, row.number, row.number)
        for edge in row.edges:
            lane, top = begun.get(edge.parent, (edge.lane, row.number))
            if lane != edge.lane:
                yield Stretch(lane, top, row.number, edge.parent)
                top = row.number
            begun[edge.parent] = edge.lane, top


class OpenLanes:
    """Which lanes are open between two rows, for a drawing from the top. The lanes not drawn are left out.

    Attributes:
        leads_to: each open lane, with the number of the parent's row to which it leads.
    """

    def __init__(self, limit: int = LANES) -> None:
        self._limit = limit
        self.leads_to: dict[int, int] = {}

    def pass_row(self, row: Row) -> None:
        """Take the step from above a row to below it."""
        self.leads_to.pop(row.lane, None)
        if row.moved is not None:
            self.leads_to.pop(row.moved, None)
        for edge in row.edges:
            if edge.lane < self._limit:
                self.leads_to[edge.lane] = edge.parent


def widest(rows: Iterable[Row]) -> int:
    """Return how many lanes a drawing of rows needs; one more than its last lane."""
    return max(chain((0,), (1 + one for row in rows for one in (row.lane, *(e.lane for e in row.edges)))))
