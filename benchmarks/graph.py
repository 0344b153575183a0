"""How many bytes an event does a `RoomGraph` take beyond the events, and how long does it take to build?

Measured by `tracemalloc` on the `hq` room. The event IDs' texts are the events' own and not counted.
"""

import gc
import tracemalloc
from collections.abc import Iterator

from .measure import Contender, Goal, Row
from .run import Run

OURS = "roomver"

GOALS = [Goal("hq", "bytes an event", "B/event", at_most=200)]


def ask(run: Run) -> Iterator[Row]:
    """Build the graph on the clock, and once more while memory is traced."""
    shape = run.shape("hq", "11")
    row = run.compare(
        "hq",
        [Contender(OURS, shape.build_graph)],
        units=len(shape.events),
        same=None,
        note=f"{len(shape.events)} events; seconds an event to build",
    )
    gc.collect()
    tracemalloc.start()
    try:
        graph = shape.build_graph()
        row.figures["bytes an event"] = tracemalloc.get_traced_memory()[0] / len(graph)
    finally:
        tracemalloc.stop()
    yield row
