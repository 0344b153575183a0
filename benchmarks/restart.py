"""How long does a server take to have the graph of a room of 1,000,000 events again after a restart?

It loads the bytes that `RoomGraph.dump` wrote, or builds the graph from the IDs of all auth events, which are
in memory already. To have read them from a store is not counted. Every event is one that others may cite, so
this is the largest graph that so many events make. `dump` is what the server does beforehand.
"""

from collections.abc import Iterator
from functools import partial

from roomver import RoomGraph

from .measure import Contender, Goal, Row
from .run import Run
from .sort import hubs

LOADED = "RoomGraph.load"
BUILT = "RoomGraph.extend"
DUMPED = "RoomGraph.dump"
EVENTS = 1_000_000

GOALS = [
    Goal("graph", f"{BUILT} / {LOADED}", "x", at_least=3),
    Goal("graph", "bytes per event", "B/event", at_most=50),
]


def ask(run: Run) -> Iterator[Row]:
    """Load and build the same graph, and make bytes of it."""
    parents, _ = hubs(run.count(EVENTS))
    graph = _built(parents)
    data = graph.dump()
    size = f"{len(parents):,} events, {sum(map(len, parents.values())):,} auth events, {len(data):,} bytes"
    row = run.compare(
        "graph",
        [Contender(LOADED, partial(RoomGraph.load, data)), Contender(BUILT, partial(_built, parents))],
        same=RoomGraph.dump,
        note=size,
    )
    row.figures["bytes per event"] = len(data) / len(parents)
    yield row
    yield run.compare("dump", [Contender(DUMPED, graph.dump)], same=None, note=size)


def _built(parents: dict[str, list[str]]) -> RoomGraph:
    graph = RoomGraph()
    graph.extend(parents)
    return graph
