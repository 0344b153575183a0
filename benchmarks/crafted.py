"""How does the replay of a room grow that was made to be expensive?

Each room is replayed at three sizes, each twice as large as the one before. The slope is the growth of time
against size, both as logarithms: 1 if time is linear in size, 2 if it is quadratic.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from math import log
from random import Random
from typing import Any, Final

import roomver
from roomver.types import EventId

from .measure import Contender, Goal, Row
from .run import Run
from .shapes import CREATOR, Builder, State

OURS: Final = "roomver"
BOB: Final = "@bob:bob.example"
MESSAGE: Final = "m.room.message"
TOPIC: Final = "m.room.topic"
SIZE: Final = 1_000


@dataclass
class Crafted:
    """A room with a public join rule in which Bob may set the state, and the end of it."""

    room: Builder = field(default_factory=lambda: Builder("11"))
    last: list[EventId] = field(default_factory=list)

    def __post_init__(self) -> None:
        room = self.room
        create, _ = room.events
        room.events = {create: room.events[create]}
        room.state = {("m.room.create", ""): create}
        self.last = [create]
        self.send("m.room.member", {"membership": "join"}, CREATOR)
        self.send("m.room.power_levels", {"users": {CREATOR: 100, BOB: 50}}, "")
        self.send("m.room.join_rules", {"join_rule": "public"}, "")
        self.send("m.room.member", {"membership": "join"}, BOB, sender=BOB)

    def send(  # noqa: PLR0913 - the fields of an event, by keyword
        self,
        kind: str,
        content: dict[str, object],
        state_key: str | None = None,
        *,
        sender: str = CREATOR,
        after: Iterable[EventId] | None = None,
        state: State | None = None,
        timestamp: int | None = None,
    ) -> EventId:
        """Add an event after some events, by default after the last one, and return its ID."""
        prev = self.last if after is None else list(after)
        event_id = self.room.add(
            kind, sender, content, state_key, state=state, prev=prev, timestamp=timestamp
        )
        self.last = [event_id]
        return event_id

    def topic(self, number: int, **options: Any) -> EventId:
        """Set the topic."""
        return self.send(TOPIC, {"topic": str(number)}, "", **options)

    def thing(self, key: int, number: int, after: Iterable[EventId], state: State) -> EventId:
        """Set one of many keys."""
        return self.send("x.thing", {"n": number}, str(key), after=after, state=state)

    @property
    def events(self) -> list[roomver.Event]:
        """The events in the order in which they were added."""
        return list(self.room.events.values())


def old_branch(size: int) -> list[roomver.Event]:
    """Make topics, and messages each of which follows one topic and an old branch whose topic wins."""
    made = Crafted()
    fork, state = made.last, dict(made.room.state)
    old = made.topic(-1, state=state, timestamp=10**14)
    made.last = fork
    for number in range(size):
        last = made.topic(number)
        made.send(MESSAGE, {"n": number}, after=[last, old])
        made.last = [last]
    return made.events


def many_ends(size: int, *, refused: bool = False) -> list[roomver.Event]:
    """Make state entries, then as many ends, each of which changes one; each may have a rejected follower."""
    made = Crafted()
    for number in range(size):
        made.thing(number, 0, made.last, made.room.state)
    fork = made.last
    for number in range(size):
        end = made.thing(number, 1, fork, dict(made.room.state))
        if refused:
            made.send(MESSAGE, {"n": number}, sender="@nobody:x.example", after=[end])
    return made.events


def many_levels(size: int) -> list[roomver.Event]:
    """Make power levels, then merges of two topics."""
    made = Crafted()
    for number in range(size):
        made.send("m.room.power_levels", {"users": {CREATOR: 100, BOB: 50}, "ban": number % 50}, "")
    for number in range(size):
        fork = made.last
        ends = [made.topic(2 * number + side, after=fork, state=dict(made.room.state)) for side in (0, 1)]
        made.send(MESSAGE, {"n": number}, after=ends)
    return made.events


def soft_failed(size: int) -> list[roomver.Event]:
    """Make soft-failed messages beside a branch that changes one key after another, and 50 more branches."""
    made = Crafted()
    for number in range(size):
        made.thing(number, 0, made.last, made.room.state)
    fork, before = made.last, dict(made.room.state)
    for number in range(50):
        made.thing(size + number, 1, fork, dict(before))
    head = made.send("m.room.member", {"membership": "ban"}, BOB, after=fork)
    for number in range(size):
        head = made.thing(number, 1, [head], made.room.state)
        made.send(MESSAGE, {"n": number}, sender=BOB, after=fork, state=before)
    return made.events


def wide_conflict(size: int) -> list[roomver.Event]:
    """Set as many keys on each of two branches, then send messages that follow both ends, and each other."""
    made = Crafted()
    fork, ends = made.last, []
    for side in (0, 1):
        state, last = dict(made.room.state), fork
        for number in range(size):
            last = [made.thing(number, side, last, state)]
        ends += last
    for number in range(size):
        made.send(MESSAGE, {"n": number}, after=[*made.last, *ends] if number else ends)
    return made.events


def tangle(size: int, keys: int = 200) -> list[roomver.Event]:
    """Set a number of keys again and again, each time after 20 random events among as many last ones."""
    made, rng = Crafted(), Random(20)
    past = list(made.last)
    for number in range(size):
        after = rng.sample(past[-keys:], min(len(past), 20))
        past.append(made.thing(rng.randrange(keys), number, after, dict(made.room.state)))
    return made.events


CRAFTED: Final[dict[str, Callable[[int], list[roomver.Event]]]] = {
    "old branch": old_branch,
    "many ends": many_ends,
    "refused after many ends": partial(many_ends, refused=True),
    "many levels": many_levels,
    "soft-failed": soft_failed,
    "wide conflict": wide_conflict,
    "tangle": tangle,
}

GOALS = [Goal(name, "slope", "", at_most=1.3) for name in CRAFTED]


def ask(run: Run) -> Iterator[Row]:
    """Replay each room at three sizes."""
    for name, make in CRAFTED.items():
        sizes = [run.count(SIZE) * factor for factor in (1, 2, 4)]
        rooms = [make(size) for size in sizes]
        contenders = [
            Contender(f"{OURS}, size {size}", partial(replayed, room))
            for size, room in zip(sizes, rooms, strict=True)
        ]
        row = run.compare(name, contenders, rounds=min(run.rounds, 3), note="all three sizes are replayed")
        times = [row.times[contender.name].median for contender in contenders]
        row.figures["slope"] = log(times[-1] / times[0]) / log(sizes[-1] / sizes[0])
        row.figures["events"] = len(rooms[-1])
        yield row


def replayed(events: list[roomver.Event]) -> None:
    """Replay a room. The rooms differ, so there is no answer to compare."""
    roomver.replay_room(events)
