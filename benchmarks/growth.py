"""How do time and memory grow with the room, beside other implementations?

Measures two shapes at five sizes each, warm, with each program in a process of its own as in `peers`. In `hq`
the room grows and the fork keeps its length; roomver is also measured with states kept. In `busy` the fork
grows with the room. `--plots` draws the results.
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
