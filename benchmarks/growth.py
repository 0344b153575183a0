"""How do time and memory grow with the room, beside other implementations?

Two shapes at five sizes each, warm, every program a process of its own as in `peers`. In `hq` the fork keeps
its length and the room grows, and roomver is measured with states that are kept as well; in `busy` the fork
grows with the room. `--plots` draws this.
"""

from collections.abc import Iterator
from typing import Final

from .measure import Goal, Row
from .peers import WARM, Problem, Processes, measured, problem
from .run import Run

SHAPES: Final = (("hq", "11"), ("busy", "11"))
SIZES: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
GOALS: list[Goal] = []


def ask(run: Run) -> Iterator[Row]:
    """Measure each shape at each size."""
    with Processes(keep=run.quick) as processes:
        for name, version in SHAPES:
            if not run.wants(name):
                continue
            for size in SIZES[-2:] if run.quick else SIZES:
                shape = run.shape(name, version, size)
                body, events = problem(shape), len(shape.events)
                del shape
                run.forget()
                row = Row(f"{name} v{version}, {events:,} events", run.full)
                row.figures["events"] = events
                yield measured(run, row, processes, Problem(name, version, WARM, "", body))
