"""What does roomver's resolution cost with a kept graph, a new graph and no graph, and with states that share
common entries; and how does the cost grow?

Measures only roomver, in this process, with parsed events. `peers` measures whole resolutions beside other
implementations.
"""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import roomver
from roomver.event import remember
from roomver.resolution import RoomState
from roomver.types import EventId, StateMap

from .measure import Contender, Goal, Row, peak, reset_peak
from .run import Run, load
from .shapes import Shape

OURS = "roomver"
BUILT = "roomver, graph built"
NO_GRAPH = "roomver, no graph"
KEPT = "roomver, states kept"

ROOMS = [
    ("toy", "11"),
    ("toy", "12"),
    ("hq", "11"),
    ("hq", "12"),
    ("merge", "5"),
    ("storm", "1"),
    ("busy", "11"),
    ("busy", "12"),
    ("deep", "11"),
    ("wide", "11"),
]
"""The shapes with their room versions."""

SHUFFLED = ("hq", "11")
"""The shape that is resolved a second time, with its states `shuffled`."""

GOALS = [
    Goal("toy v11", f"{OURS} seconds", "s", at_most=150e-6),
    Goal("hq v11", f"{OURS} seconds", "s", at_most=0.05),
    Goal("merge v5", f"{OURS} seconds", "s", at_most=30),
    Goal("merge v5", f"{OURS} bytes", "B", at_most=1e9),
    Goal("deep v11 growth", "time / size", "x", at_most=1.5),
]


def ask(run: Run) -> Iterator[Row]:
    """Measure every shape."""
    for name, version in ROOMS:
        shape = run.shape(name, version)
        yield _row(run, shape)
        if (name, version) == SHUFFLED:
            yield _row(run, shuffled(shape), " shuffled")
        del shape
        run.forget()
    yield _growth(run)


def _row(run: Run, shape: Shape, variant: str = "") -> Row:
    row = run.compare(
        f"{shape.name} v{shape.version}{variant}",
        contenders(shape),
        full=run.full or (shape.name == "toy" and not run.quick),
        note=f"{len(shape.events)} events, {len(shape.state_sets)} states",
    )
    if run.memory and not variant and shape.name != "toy":
        file = run.shape_file(shape.name, shape.version)
        for name in row.times:
            used = run.peak("resolution", file, name)
            if used is not None:
                row.remember(name, used)
    return row


def _growth(run: Run) -> Row:
    """Measure `deep` at a quarter, half and full size: linear if the time grows as the size does."""
    sizes = (0.25, 0.5, 1.0)
    row = Row("deep v11 growth", run.full, note="seconds at full size / (4 x seconds at a quarter)")
    for size in sizes:
        shape = run.shape("deep", "11", size)
        name = f"{OURS}, {len(shape.events)} events"
        part = run.compare("", contenders(shape)[:1])
        row.times[name] = part.times[OURS]
        del shape
        run.forget()
    first, *_, last = row.times.values()
    row.figures["time / size"] = last.median / first.median / (sizes[-1] / sizes[0])
    return row


def shuffled(shape: Shape) -> Shape:
    """Return a shape whose states have their entries in different orders and share no strings.

    States that a server reads from its database one by one are like this.
    """
    rng = Random(9)
    states = []
    for state in shape.state_sets:
        keys = list(state)
        rng.shuffle(keys)
        states.append({(_copy(k), _copy(s)): _copy(state[k, s]) for k, s in keys})
    return Shape(shape.name, shape.version, shape.events, states)


def _copy(text: str) -> str:
    return text.encode().decode()


def contenders(shape: Shape) -> list[Contender[StateMap[EventId]]]:
    """Return the ways to resolve a shape, first the one with a kept graph; version 1 has only one way."""
    if shape.version == "1":
        return [Contender(OURS, partial(_resolve, shape, None))]
    anew = partial(_forget_levels, shape)
    graph = shape.build_graph()
    return [
        Contender(OURS, partial(_resolve, shape, graph)),
        Contender(BUILT, partial(_build_and_resolve, shape), anew),
        Contender(NO_GRAPH, partial(_resolve, shape, None), anew),
        Contender(KEPT, partial(_resolve, _sharing(shape), graph)),
    ]


def _sharing(shape: Shape) -> Shape:
    """Return a shape whose states share common entries."""
    return Shape(shape.name, shape.version, shape.events, [*RoomState.sharing(shape.state_sets)])


def _resolve(shape: Shape, graph: roomver.RoomGraph | None) -> StateMap[EventId]:
    return roomver.resolve(shape.state_sets, shape.events, graph=graph).state


def _build_and_resolve(shape: Shape) -> StateMap[EventId]:
    return _resolve(shape, shape.build_graph())


def _forget_levels(shape: Shape) -> tuple[()]:
    """Reset the events to how they were just after parsing."""
    for event in shape.events.values():
        remember(event, None)
    return ()


def main(file: str, contender: str) -> None:
    """Print the peak memory of a contender beyond its inputs, in bytes; run this in a process of its own."""
    shape = load(Path(file))
    found = {c.name: c for c in contenders(shape)}[contender]
    before = reset_peak()
    result = found.run()
    print(max(0, peak() - before))
    assert result


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
