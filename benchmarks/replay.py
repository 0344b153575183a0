"""How long does the replay of a whole room take, and how much memory beyond its events?

`history`: 100,000 events, 20,000 members, 2,000 forks; every event is checked against its auth events and
against the state before it, and every fork's states are resolved.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import roomver

from .measure import Contender, Goal, Row, peak, reset_peak
from .run import Run, load
from .shapes import Shape

VERSION = "11"
OURS = "roomver"

GOALS = [
    Goal("history", f"{OURS} seconds", "s", at_most=60),
    Goal("history", f"{OURS} bytes", "B", at_most=1e9),
]


def ask(run: Run) -> Iterator[Row]:
    """Replay the room."""
    shape = run.shape("history", VERSION)
    row = run.compare(
        "history",
        [Contender(OURS, lambda: fold(shape))],
        rounds=min(run.rounds, 3),
        note=f"{len(shape.events)} events",
    )
    row.figures["events a second"] = len(shape.events) / row.times[OURS].median
    if run.memory:
        used = run.peak("replay", run.shape_file("history", VERSION), OURS)
        if used is not None:
            row.remember(OURS, used)
    yield row


def fold(shape: Shape) -> int:
    """Replay, and return how many events were accepted."""
    replayed = roomver.replay_room(shape.events.values())
    return sum(outcome.accepted for outcome in replayed.outcomes.values())


def main(file: str) -> None:
    """Print the peak memory in bytes beyond the events; run in a process of its own."""
    shape = load(Path(file))
    before = reset_peak()
    replayed = roomver.replay_room(shape.events.values())
    print(max(0, peak() - before))
    assert replayed.outcomes


if __name__ == "__main__":
    main(sys.argv[1])
