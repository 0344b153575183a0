"""How many bytes per event does a `RoomGraph` take beyond the events, and how long does it take to build?

Measured with `tracemalloc` on the `hq` room. The strings of the event IDs belong to the events and do not
count.
"""

import gc
import tracemalloc
from collections.abc import Iterator

from .measure import Contender, Goal, Row
from .run import Run

OURS = "roomver"

GOALS = [Goal("hq", "bytes per event", "B/event", at_most=200)]


def ask(run: Run) -> Iterator[Row]:
    """Build the graph on the clock, and build it again while memory is traced."""
    shape = run.shape("hq", "11")
    row = run.compare(
        "hq",
        [Contender(OURS, shape.build_graph)],
        units=len(shape.events),
        same=None,
        note=f"{len(shape.events)} events; seconds per event to build",
    )
    gc.collect()
    tracemalloc.start()
    try:
        graph = shape.build_graph()
        row.figures["bytes per event"] = tracemalloc.get_traced_memory()[0] / len(graph)
    finally:
        tracemalloc.stop()
    yield row
