"""How long does the replay of a whole room take, and how much memory does it need beyond the events?

`history` has 100,000 events, 20,000 members and 2,000 forks. The replay checks every event against its auth
events and against the state before it, and resolves the states of every fork.
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
    row.figures["events per second"] = len(shape.events) / row.times[OURS].median
    if run.memory:
        used = run.peak("replay", run.shape_file("history", VERSION), OURS)
        if used is not None:
            row.remember(OURS, used)
    yield row


def fold(shape: Shape) -> int:
    """Replay the room, and return the number of accepted events."""
    replayed = roomver.replay_room(shape.events.values())
    return sum(outcome.accepted for outcome in replayed.outcomes.values())


def main(file: str) -> None:
    """Print the peak memory beyond the events, in bytes; run this in a process of its own."""
    shape = load(Path(file))
    before = reset_peak()
    replayed = roomver.replay_room(shape.events.values())
    print(max(0, peak() - before))
    assert replayed.outcomes


if __name__ == "__main__":
    main(sys.argv[1])
