"""How long do the commands that explain a room take with 100,000 events, and how much memory?

`python -m benchmarks.explaining` makes a room with forks, merges and state resets, runs `roomver` on it as a
process, and prints a table: without a cache, making one, and starting from it. Wall time and peak memory
include Python and the imports. CPU time and memory are those of `roomver` alone. Byte code is kept, whatever
PYTHONDONTWRITEBYTECODE says, and each command is started once before anything is measured: on a normal
installation nothing is compiled either.

Events have genuine hashes and IDs, and no signatures. One event in fifty begins a fork. At a tenth of the
forks, one branch demotes a moderator who changes the topic on the other, or makes the room invite-only while
users join on the other: the merge resets the topic, or the joins.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table

from roomver.hashing import compute_content_hash, compute_event_id
from roomver.types import EventId, JsonObject, StateKey

from .databases import measured
from .measure import machine

VERSION: Final = "11"
EVENTS: Final = 100_000
ADMIN: Final = "@alice:hq.example"
MODERATORS: Final = tuple(f"@mod{n}:server{n}.example" for n in range(5))

State: TypeAlias = dict[StateKey, EventId]


class MadeRoom:
    """A room as lines of JSON."""

    def __init__(self, events: int) -> None:
        self.lines: list[str] = []
        self._random = Random(1)
        self._depth = 0
        self._time = 1_700_000_000_000
        self._joined: list[str] = []
        self.state: State = {}
        self.last = [self.send("m.room.create", ADMIN, {"room_version": VERSION}, self.state, [], "")]
        self._go("m.room.member", ADMIN, {"membership": "join"}, ADMIN)
        self._set_levels(dict.fromkeys(MODERATORS, 50))
        self._go("m.room.join_rules", ADMIN, {"join_rule": "public"}, "")
        for user in MODERATORS:
            self._go("m.room.member", user, {"membership": "join"}, user)
        while len(self.lines) < events:
            choice = self._random.random()
            if choice < 0.002:
                self._reset()
            elif choice < 0.02:
                self._fork()
            else:
                self.last = [self._act(self.state, self.last)]

    def send(
        self,
        kind: str,
        sender: str,
        content: JsonObject,
        state: State,
        prev: Sequence[EventId],
        key: str | None = None,
    ) -> EventId:
        """Add an event, also to the state, and return its ID."""
        self._depth += 1
        self._time += self._random.randrange(200, 60_000)
        wanted = [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", sender)]
        if kind == "m.room.member":
            wanted.append(("m.room.join_rules", ""))
        pdu: JsonObject = {
            "type": kind,
            "sender": sender,
            "room_id": "!big:hq.example",
            "content": content,
            "depth": self._depth,
            "origin_server_ts": self._time,
            "prev_events": [*prev],
            "auth_events": [state[one] for one in wanted if one in state],
            "signatures": {},
        }
        if key is not None:
            pdu["state_key"] = key
        pdu["hashes"] = {"sha256": compute_content_hash(pdu, VERSION)}
        event_id = compute_event_id(pdu, VERSION)
        self.lines.append(json.dumps(pdu))
        if key is not None:
            state[kind, key] = event_id
        return event_id

    def _go(self, kind: str, sender: str, content: JsonObject, key: str | None = None) -> None:
        self.last = [self.send(kind, sender, content, self.state, self.last, key)]

    def _set_levels(self, moderators: dict[str, int], *, state: State | None = None) -> EventId:
        content: JsonObject = {"users": {ADMIN: 100, **moderators}, "n": self._depth}
        at = self.state if state is None else state
        event_id = self.send("m.room.power_levels", ADMIN, content, at, self.last, "")
        if state is None:
            self.last = [event_id]
        return event_id

    def _act(self, state: State, prev: Sequence[EventId]) -> EventId:
        """Add what happens in a room: a message, now and then a join or a topic."""
        choice = self._random.random()
        if choice < 0.08:
            user = f"@user{self._depth}:server{self._depth % 97}.example"
            self._joined.append(user)
            return self.send("m.room.member", user, {"membership": "join"}, state, prev, user)
        if choice < 0.09:
            content: JsonObject = {"topic": f"Topic {self._depth}"}
            return self.send("m.room.topic", MODERATORS[self._depth % 5], content, state, prev, "")
        sender = self._random.choice(self._joined) if self._joined else ADMIN
        if ("m.room.member", sender) not in state:
            sender = ADMIN
        body = "word " * self._random.randrange(1, 12)
        return self.send("m.room.message", sender, {"msgtype": "m.text", "body": body}, state, prev)

    def _fork(self) -> None:
        """Add two or three branches, and a message that follows them."""
        ends, states = [], []
        for _ in range(self._random.choice((2, 2, 2, 3))):
            state, end = dict(self.state), self.last
            for _ in range(self._random.randrange(1, 10)):
                end = [self._act(state, end)]
            ends += end
            states.append(state)
        for state in states:
            self.state.update(state)
        self.last = ends
        self._go("m.room.message", ADMIN, {"msgtype": "m.text", "body": "merge"})

    def _reset(self) -> None:
        """Add a fork and its merge at which state goes back, and then make the room as it was."""
        one, other = dict(self.state), dict(self.state)
        if self._depth % 2:
            end = self.send("m.room.topic", MODERATORS[0], {"topic": "lost"}, one, self.last, "")
            demoted = self._set_levels(dict.fromkeys(MODERATORS[1:], 50), state=other)
        else:
            user = f"@late{self._depth}:server1.example"
            end = self.send("m.room.member", user, {"membership": "join"}, one, self.last, user)
            demoted = self.send("m.room.join_rules", ADMIN, {"join_rule": "invite"}, other, self.last, "")
        self.state = other
        self.last = [end, demoted]
        self._go("m.room.message", ADMIN, {"msgtype": "m.text", "body": "merge"})
        self._set_levels(dict.fromkeys(MODERATORS, 50))
        self._go("m.room.join_rules", ADMIN, {"join_rule": "public"}, "")


def commands(room: MadeRoom) -> Iterator[list[str]]:
    """Yield the arguments of what is measured, without the source."""
    yield ["explain", room.state["m.room.topic", ""]]
    yield ["history", "m.room.topic"]
    yield ["resets"]
    yield ["graph"]


def yardstick() -> float:
    """Return how long CPython takes for a loop of 10,000,000 additions: the speed of the machine today."""
    begun = time.process_time()
    total = 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - begun


def main(argv: Sequence[str] | None = None) -> None:
    """Make the room, measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explaining")
    parser.add_argument("--events", type=int, default=EVENTS, help="how many events the room has")
    given = parser.parse_args(argv)
    told = Console(stderr=True)
    found = Table("roomver", "", "wall time", "CPU time", "peak memory", box=box.MARKDOWN)
    with TemporaryDirectory(prefix="roomver-explaining-") as folder:
        room = MadeRoom(given.events)
        source = Path(folder) / "room.jsonl"
        source.write_text("".join(f"{line}\n" for line in room.lines), encoding="utf-8")
        kept = ["--cache", str(Path(folder) / "kept")]
        plain: list[str] = []
        # Each run would compile all modules, which takes longer than some of the commands.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "byte code")
        for name, *_ in commands(room):
            measured([name, "--help"], (0,), environment)
        runs = [("without a cache", call, plain) for call in commands(room)]
        runs.append(("makes the cache", ["resets"], kept))
        runs += [("with the cache", call, kept) for call in commands(room)]
        for how, (name, *rest), more in runs:
            call = [name, str(source), *rest, "--unsigned", *more]
            taken, worked, peak = measured(call, (0, 1), environment)
            found.add_row(f"`{name}`", how, f"{taken:.1f} s", f"{worked:.1f} s", f"{peak / 2**20:,.0f} MB")
            told.print(f"{name} {how}: {taken:.1f} s, {worked:.1f} s of CPU time")
    console = Console(width=100)
    loop = f"{yardstick():.1f} s"
    console.print(found)
    told_of = ", ".join(f"{name}: {value}" for name, value in machine().items())
    console.print(f"{len(room.lines):,} events; 10,000,000 additions in a loop: {loop}; {told_of}")


if __name__ == "__main__":
    main()
