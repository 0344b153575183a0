"""Feed the example server with a script of events, and kill it again and again while it stores them."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from roomver import Event, parse_event, replay_room

from . import dying
from .crafted import ALICE, NAME, Peer, Script
from .example import MODULE, Example
from .link import HttpError
from .sides import Facts

EXAMPLE_NAME = "small.example"
USER = f"@dora:{EXAMPLE_NAME}"
# What a request ends in if the server dies under it.
GONE = (OSError, http.client.HTTPException)
SECONDS = 60
LOOKED_AT = 8
T = TypeVar("T")

Death = int | float | None
"""Before which writing statement a server dies, or how many seconds after its start; None if it lives."""


def by_statement(most: int) -> Iterator[Death]:
    """Die before the first statement, then before the second, and so on, and after `most` begin again."""
    while True:
        yield from range(1, most + 1)


def by_time(seed: int, most: float) -> Iterator[Death]:
    """Die after a random time."""
    dice = random.Random(seed)
    while True:
        yield dice.uniform(0, most)


@dataclass
class Fed:
    """What became of a fed server.

    Attributes:
        kills: how often it was killed.
        facts: what it has of the room at the end.
        right: what the crafted server has of it.
        sent: the events that it made and said to have stored.
        got: the events that it has sent.
    """

    kills: int = 0
    facts: Facts = field(default_factory=Facts)
    right: Facts = field(default_factory=Facts)
    sent: set[str] = field(default_factory=set)
    got: set[str] = field(default_factory=set)


class Feeding:
    """One example server that is fed.

    Args:
        version: the room version.
        folder: where its database is.
        deaths: when it dies, the first time and each time after.
        talks: whether one of its users says something now and then.
        kills: after so many it is left alone.
    """

    def __init__(
        self, version: str, folder: Path, deaths: Iterable[Death], *, talks: bool = False, kills: int = 1000
    ) -> None:
        self.fed = Fed()
        self._deaths = iter(deaths)
        self._module: tuple[str, ...] = MODULE
        self._most = kills
        self._talks = talks
        self._example = Example(EXAMPLE_NAME, folder / "example.db")
        self._script = Script(version)
        self._peer = Peer(self._script, self._example.base, EXAMPLE_NAME)
        self._example.peers = {NAME: self._peer.base}
        self._version = version
        self._room_id = self._script.room_id
        # What the server said to have done and stored, and when, in nanoseconds.
        self._joined = 0
        self._acknowledged: dict[str, int] = {}
        self._timer: threading.Timer | None = None

    def run(self) -> Fed:
        """Feed it, and look after each death at what it has."""
        with ExitStack() as stack:
            stack.enter_context(self._peer)
            stack.callback(self._example.stop)
            stack.callback(self._disarm)
            self._revive()
            self._until_done(lambda: self._example.tell("join", room_id=self._room_id, user=USER, via=NAME))
            self._joined = time.monotonic_ns()
            for number, batch in enumerate(_batches(self._script.events)):
                for event in self._script.events[: self._script.events.index(batch[-1]) + 1]:
                    if event.event_id not in self._peer.store.stored:
                        self._peer.take(event.pdu)
                self._send(f"batch{number}", batch)
                if self._talks and number % 3 == 1:
                    self._talk(f"Between {number}")
            self._disarm()
            self._send("last", [self._peer.make(ALICE, "All branches")])
            if self._talks:
                self._talk("The end")
            self._finish()
        return self.fed

    def run_copied(self, copies: Path) -> list[str]:
        """Feed it, and then look at what `kill -9` would have left before each statement that it wrote.

        Args:
            copies: a new folder for the copies of the database.

        Returns:
            The statements.
        """
        copies.mkdir()
        self._module = (*dying.MODULE, str(copies))
        self.run()
        lines = [json.loads(line) for line in (copies / dying.COPIES).read_text().splitlines()]
        # The latest time at which each copy is what would be left.
        latest = {number: when for when, _, number in lines}
        with self._peer.again() as peer:
            for number, when in latest.items():
                acknowledged = [event_id for event_id, said in self._acknowledged.items() if said < when]
                example = Example(EXAMPLE_NAME, copies / str(number) / "example.db")
                example.peers = {NAME: peer.base}
                peer.other = example.base
                with example:
                    look_at(example, peer, acknowledged, joined=0 < self._joined < when)
        return [statement for _, statement, _ in lines]

    def _finish(self) -> None:
        """Keep what both have at the end."""
        example, store = self._example, self._peer.store
        waited = threading.Event()
        for _ in range(SECONDS * 20):
            if self.fed.sent <= set(self._peer.got):
                break
            waited.wait(0.05)
        self.fed.got = set(self._peer.got)
        self._look()
        self.fed.facts = example.facts(self._room_id)
        self.fed.right = Facts(
            pdus={event_id: dict(stored.event.pdu) for event_id, stored in store.stored.items()},
            state=self._peer.current_state(),
            extremities=frozenset(store.extremities),
            rejected=frozenset(event_id for event_id, stored in store.stored.items() if stored.rejected),
            soft_failed=frozenset(
                event_id for event_id, stored in store.stored.items() if stored.soft_failed
            ),
        )

    def _send(self, transaction: str, events: list[Event]) -> None:
        results = self._until_done(lambda: self._peer.send(transaction, events))
        wrong = {event_id: result for event_id, result in results.items() if "error" in result}
        assert not wrong, wrong
        self._acknowledged |= dict.fromkeys((event.event_id for event in events), time.monotonic_ns())

    def _talk(self, body: str) -> None:
        content = {
            "room_id": self._room_id,
            "user": USER,
            "type": "m.room.message",
            "content": {"body": body},
        }
        event_id = self._until_done(lambda: self._example.tell("send", **content))["event_id"]
        self._acknowledged[event_id] = time.monotonic_ns()
        self.fed.sent.add(event_id)

    # Deaths.

    def _until_done(self, work: Callable[[], T]) -> T:
        """Do something again until the server lives long enough to answer."""
        while True:
            try:
                return work()
            except GONE:
                process = self._example.process
                assert process is not None
                process.wait(SECONDS)  # it is dead, or does not answer for another reason
                self._revive()

    def _revive(self) -> None:
        """Start the server, again if it dies at once, and look at what it has."""
        while True:
            self._disarm()
            if self._example.process is not None:
                self._example.kill()
                self.fed.kills += 1
            death = next(self._deaths) if self.fed.kills < self._most else None
            self._example.module = (*dying.MODULE, str(death)) if isinstance(death, int) else self._module
            self._example.start(wait=False)
            if self._example.answers():
                try:
                    self._look()
                except GONE:
                    continue
                process = self._example.process
                assert process is not None
                if isinstance(death, float):
                    self._timer = threading.Timer(death, process.kill)
                    self._timer.start()
                return
            assert death is not None, f"the server does not start again:\n{self._example.log_tail()}"

    def _look(self) -> None:
        look_at(self._example, self._peer, self._acknowledged, joined=bool(self._joined))

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None


def look_at(example: Example, peer: Peer, acknowledged: Collection[str], *, joined: bool) -> None:
    """Compare what a server has stored with what it said, and with a replay of what it has stored.

    Args:
        example: the server, which runs.
        peer: the crafted server.
        acknowledged: the events that it said to have stored.
        joined: whether it said to have joined the room.
    """
    script = peer.script
    try:
        facts = example.facts(script.room_id)
    except HttpError:
        facts = Facts()
    if not facts.extremities:
        assert not joined, "the room is lost"
        return
    # An event without a state is one of those that a join brings.
    lost = set(acknowledged) - (set(facts.pdus) - facts.outliers)
    assert not lost, "acknowledged events are lost"
    events = {event_id: parse_event(pdu, script.version) for event_id, pdu in facts.pdus.items()}
    assert all(event.event_id == event_id for event_id, event in events.items())
    # In the order in which it received them.
    replay = replay_room(events.values(), policy_server=False, resets=False)
    assert not replay.undecided
    assert facts.rejected == replay.rejected
    assert facts.soft_failed == set(replay.soft_failed)
    assert facts.extremities == set(replay.forward_extremities)
    assert facts.state == dict(replay.current_state or {})
    for event_id in [one for one in events if one not in facts.outliers][-LOOKED_AT:]:
        before = replay.state_before(event_id)
        assert before is not None
        assert peer.state_ids(event_id) == set(before.values())


def _batches(events: list[Event]) -> Iterator[list[Event]]:
    """Split a script into transactions. Some events are left out: the server has to ask for them."""
    for start in range(0, len(events), 3):
        batch = events[start : start + 3]
        yield batch[1:] if start % 2 and start + 3 < len(events) else batch
