"""How long does a whole resolution take, warm and cold, and how much memory beyond its inputs?

*Warm* is a server that keeps its index of auth events from one resolution to the next: `RoomGraph` here,
the table of each event's auth events in the peer. *Cold* counts building it. All contenders have the
events parsed, in memory, and must come to the same state.
"""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import roomver
from roomver.event import remember

from . import synapse
from .measure import Contender, Goal, Row, peak, reset_peak
from .run import Run, load
from .shapes import Shape, State

WARM, COLD = "warm", "cold"
OURS = "roomver"
NO_GRAPH = "roomver, no graph"
THEIRS = "Synapse"
GIVEN = "Synapse, difference given"

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
"""Shapes with their room versions."""

GOALS = [
    Goal("toy v11 warm", f"{OURS} seconds", "s", at_most=150e-6),
    Goal("hq v11 warm", f"{OURS} seconds", "s", at_most=0.05),
    Goal("hq v11 warm", f"{THEIRS} / {OURS}", "x", at_least=50),
    Goal("merge v5 warm", f"{OURS} seconds", "s", at_most=30),
    Goal("merge v5 warm", f"{OURS} bytes", "B", at_most=1e9),
    Goal("merge v5 warm", f"{THEIRS} / {OURS}", "x", at_least=10),
    Goal("storm v1 warm", f"{THEIRS} / {OURS}", "x", at_least=20),
    Goal("deep v11 growth", "time / size", "x", at_most=1.5),
]


def ask(run: Run) -> Iterator[Row]:
    """Measure every shape."""
    for name, version in ROOMS:
        shape = run.shape(name, version)
        resolver = synapse.Resolver(shape) if synapse.installed() else None
        for kind in (WARM, COLD) if shape.version != "1" else (WARM,):
            yield _row(run, shape, resolver, kind)
        if name == "hq" and version == "11":
            yield _row(run, shuffled(shape), resolver, WARM, "shuffled")
        del resolver, shape
        run.forget()
    yield _growth(run)


def _row(run: Run, shape: Shape, resolver: synapse.Resolver | None, kind: str, variant: str = "") -> Row:
    subject = f"{shape.name} v{shape.version} {variant or kind}"
    row = run.compare(
        subject,
        contenders(shape, resolver, kind),
        full=run.full or (shape.name == "toy" and not run.quick),
        same=synapse.as_state,
        note=f"{len(shape.events)} events, {len(shape.state_sets)} states",
    )
    if resolver is None:
        row.skipped[THEIRS] = synapse.HOW_TO_INSTALL
    if run.memory and not variant and shape.name != "toy":
        file = run.shape_file(shape.name, shape.version)
        for name in row.times:
            used = run.peak("resolution", file, f"{kind}/{name}")
            if used is not None:
                row.remember(name, used)
    return row


def _growth(run: Run) -> Row:
    """`deep` at a quarter, half and full size: linear if the time grows as the size does."""
    sizes = (0.25, 0.5, 1.0)
    row = Row("deep v11 growth", run.full, note="seconds at full size over 4 times those at a quarter")
    for size in sizes:
        shape = run.shape("deep", "11", size)
        name = f"{OURS}, {len(shape.events)} events"
        part = run.compare("", contenders(shape, None, WARM)[:1])
        row.times[name] = part.times[OURS]
        del shape
        run.forget()
    first, *_, last = row.times.values()
    row.figures["time / size"] = last.median / first.median / (sizes[-1] / sizes[0])
    return row


def shuffled(shape: Shape) -> Shape:
    """The same states with their entries in another order each, their texts not shared: as states are
    that a server reads from its database one by one."""
    rng = Random(9)
    states = []
    for state in shape.state_sets:
        keys = list(state)
        rng.shuffle(keys)
        states.append({(_copy(k), _copy(s)): _copy(state[k, s]) for k, s in keys})
    return Shape(shape.name, shape.version, shape.events, states)


def _copy(text: str) -> str:
    return text.encode().decode()


def contenders(shape: Shape, resolver: synapse.Resolver | None, kind: str) -> list[Contender[State]]:
    """Return who resolves a shape, the first being roomver with its graph."""
    if shape.version == "1":
        found = [Contender(OURS, partial(_resolve, shape, None))]
        if resolver is not None:
            found.append(Contender(THEIRS, resolver.by_v1))  # type: ignore[arg-type]
        return found
    if kind == WARM:
        found = [Contender(OURS, partial(_resolve, shape, shape.build_graph()))]
        if resolver is not None:
            index = resolver.index()
            found += [
                Contender(THEIRS, partial(resolver.by_v2, index)),  # type: ignore[arg-type]
                Contender(GIVEN, partial(resolver.by_v2, None, resolver.answer())),  # type: ignore[arg-type]
            ]
        return found
    anew = partial(_forget_levels, shape)
    found = [
        Contender(OURS, partial(_build_and_resolve, shape), anew),
        Contender(NO_GRAPH, partial(_resolve, shape, None), anew),
    ]
    if resolver is not None:
        found.append(Contender(THEIRS, lambda: resolver.by_v2(resolver.index())))  # type: ignore[arg-type, return-value]
    return found


def _resolve(shape: Shape, graph: roomver.RoomGraph | None) -> State:
    return roomver.resolve(shape.state_sets, shape.events, graph=graph).state


def _build_and_resolve(shape: Shape) -> State:
    return _resolve(shape, shape.build_graph())


def _forget_levels(shape: Shape) -> tuple[()]:
    """Make events as they were when they had just been parsed."""
    for event in shape.events.values():
        remember(event, None)
    return ()


def main(file: str, contender: str) -> None:
    """Print the peak memory of one contender, in bytes beyond its inputs; run in a process of its own."""
    shape = load(Path(file))
    kind, _, name = contender.partition("/")
    resolver = synapse.Resolver(shape) if name.startswith(THEIRS) else None
    found = {c.name: c for c in contenders(shape, resolver, kind)}[name]
    before = reset_peak()
    result = found.run()
    print(max(0, peak() - before))
    assert result


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
