"""The example homeserver and a real Synapse in shared rooms: everything that the two do, once.

At the end of each room both hold the same events, have accepted the same ones, and are in the same state, and
so is a replay of the events.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("synapse", reason="needs matrix-synapse, of the group `peer`")
pytest.importorskip("aiosqlite", reason="needs aiosqlite and aiohttp, of the group `example`")

from .compared import differences
from .example import Example, ExampleSide
from .link import Homeserver, HttpError, Json, Link, settings
from .sides import Facts, SynapseSide

pytestmark = [pytest.mark.peer, pytest.mark.slow]

SYNAPSE = "big.example"
EXAMPLE = "small.example"
VERSIONS = ("10", "11", "12")
WAIT_SECONDS = 30
MEMBER = "m.room.member"
MESSAGE = "m.room.message"


@dataclass
class Pair:
    """The two servers, and the link between them."""

    synapse: Homeserver
    big: SynapseSide
    example: Example
    small: ExampleSide
    link: Link

    def message(self, room_id: str, side: SynapseSide | ExampleSide, user: str, body: str) -> str:
        return side.send(room_id, user, MESSAGE, {"msgtype": "m.text", "body": body})

    def arrived(self, room_id: str, side: SynapseSide | ExampleSide, event_id: str) -> None:
        wait_for(f"{event_id} at {side.name}", lambda: side.has(room_id, event_id))

    def facts(self, room_id: str) -> tuple[Facts, Facts]:
        return self.big.facts(room_id), self.small.facts(room_id)

    def settle(self, room_id: str, big_user: str, small_user: str) -> None:
        """Let both send until both have merged all branches."""

        def settled() -> bool:
            # After a cut, Synapse tries again only when there is something new to send.
            theirs = self.message(room_id, self.big, big_user, "One")
            ours = self.message(room_id, self.small, small_user, "Two")
            for _ in range(40):
                time.sleep(0.05)
                if self.small.has(room_id, theirs) and self.big.has(room_id, ours):
                    break
            # What each sends now follows what it has of the other.
            first, second = self.facts(room_id)
            return len(first.extremities) == 1 and first.extremities == second.extremities

        def merged() -> bool:
            if settled():
                return True
            self.arrived(room_id, self.small, self.message(room_id, self.big, big_user, "Both branches"))
            first, second = self.facts(room_id)
            return len(first.extremities) == 1 and first.extremities == second.extremities

        wait_for("both to merge all branches", merged)


def wait_for(what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"waited {WAIT_SECONDS} s for {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("homeserver")
    synapse = Homeserver(SYNAPSE, "a_big1")
    example = Example(EXAMPLE, folder / "example.db")
    with Link(synapse.base, example.base, folder) as link:
        synapse.extra = settings({EXAMPLE: link.to_second})
        example.peers = {SYNAPSE: f"http://{link.to_first}"}
        with synapse, example:
            yield Pair(synapse, SynapseSide(synapse), example, ExampleSide(example), link)


def body_of(facts: Facts, event_id: str) -> object:
    return facts.pdus[event_id]["content"].get("body")


def join_in_part(pair: Pair, room: str) -> None:
    """Join without members, which come later, and fetch the history from before the join."""
    big, small, link = pair.big, pair.small, pair.link
    (anna, _), bob = small.users, big.users[1]
    link.first_gate.released.clear()
    pair.example.tell("join", room_id=room, user=anna, via=SYNAPSE, partial=True)
    assert (MEMBER, bob) not in small.facts(room).state  # a member that was omitted
    spoken = pair.message(room, small, anna, "I do not know who is here")
    pair.arrived(room, big, spoken)
    link.first_gate.released.set()
    wait_for("all members", lambda: (MEMBER, bob) in small.facts(room).state)
    assert pair.example.tell("backfill", room_id=room, via=SYNAPSE)["events"] > 0


def redact(pair: Pair, room: str) -> None:
    """Send messages both ways, and redact both."""
    big, small = pair.big, pair.small
    (alice, bob, *_), anna = big.users, small.users[0]
    ours, theirs = pair.message(room, small, anna, "Regretted"), pair.message(room, big, bob, "Rude")
    pair.arrived(room, big, ours)
    pair.arrived(room, small, theirs)
    pair.arrived(room, small, big.redact(room, alice, ours))
    pair.arrived(room, big, small.redact(room, anna, theirs))
    for event_id in (ours, theirs):
        assert body_of(small.facts(room), event_id) is None
        assert big.redacted(room, alice, event_id)


def fork(pair: Pair, room: str) -> None:
    """Send state on both sides of a cut, and merge it."""
    big, small, link = pair.big, pair.small, pair.link
    alice, anna = big.users[0], small.users[0]
    pair.settle(room, alice, anna)
    link.cut()
    big.send(room, alice, "m.room.topic", {"topic": "Theirs"}, "")
    small.send(room, anna, "m.room.topic", {"topic": "Ours"}, "")
    small.send(room, anna, "m.room.name", {"name": "Ours"}, "")
    for number in range(30):
        pair.message(room, big, alice, f"Alone {number}")
        pair.message(room, small, anna, f"Alone {number}")
    link.heal()
    pair.settle(room, alice, anna)


def _has_lost_more(link: Link, before: int) -> bool:
    return link.second_gate.dropped > before


def leave_a_gap(pair: Pair, room: str) -> None:
    """Lose events. Synapse tells none of those in between, so the state is asked for."""
    big, small, link = pair.big, pair.small, pair.link
    alice, anna = big.users[0], small.users[0]
    asked = link.first_gate.counted("state_ids")
    link.second_gate.lost.add(room)
    for number in range(5):
        lost = link.second_gate.dropped
        big.send(room, alice, "m.room.topic", {"topic": f"Unseen {number}"}, "")
        wait_for("a lost transaction", partial(_has_lost_more, link, lost))
    link.second_gate.lost.clear()
    link.first_gate.missing_limit = 0
    pair.arrived(room, small, pair.message(room, big, alice, "After the gap"))
    link.first_gate.missing_limit = None
    assert link.first_gate.counted("state_ids") > asked
    pair.example.tell("backfill", room_id=room, via=SYNAPSE)
    pair.settle(room, alice, anna)


def invite_and_kick(pair: Pair, room: str) -> None:
    """Invite both ways, and kick both ways."""
    big, small = pair.big, pair.small
    (alice, bob, carol, dora), (anna, ben) = big.users, small.users
    pair.arrived(room, small, big.send(room, alice, "m.room.join_rules", {"join_rule": "invite"}, ""))
    with pytest.raises(HttpError):
        small.join(room, ben)
    big.member(room, alice, ben, "invite")
    small.member(room, anna, carol, "invite")
    with pytest.raises(HttpError):
        big.join(room, dora)
    wait_for("the invite", lambda: (MEMBER, ben) in small.facts(room).state)
    small.join(room, ben)
    big.join(room, carol)
    pair.settle(room, alice, anna)
    small.member(room, anna, bob, "kick")
    big.member(room, alice, ben, "kick")
    pair.settle(room, alice, anna)
    contents = small.contents(room)
    assert [contents[MEMBER, user]["membership"] for user in (bob, ben, carol)] == ["leave", "leave", "join"]
    with pytest.raises(HttpError):
        pair.message(room, small, ben, "I was kicked")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_example_joins_a_room_of_synapse(pair: Pair, version: str) -> None:
    big, small = pair.big, pair.small
    big.register([f"{name}{version}" for name in ("alice", "bob", "carol", "dora")])
    small.register([f"{name}{version}" for name in ("anna", "ben")])
    (alice, bob, *_), anna = big.users, small.users[0]
    levels: Json = {"users": {alice: 100, anna: 60}, "invite": 50}
    if version == "12":
        del levels["users"][alice]
    room = big.make_room(alice, version, levels)
    big.join(room, bob)
    # Without a name, some members would be told to name the room by.
    big.send(room, alice, "m.room.name", {"name": "Theirs"}, "")
    pair.message(room, big, bob, "Before anybody came")

    join_in_part(pair, room)
    redact(pair, room)
    pair.settle(room, alice, anna)
    fork(pair, room)
    leave_a_gap(pair, room)
    invite_and_kick(pair, room)
    assert differences(version, *pair.facts(room)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_synapse_joins_a_room_of_the_example(pair: Pair, version: str) -> None:
    big, small, link = pair.big, pair.small, pair.link
    big.register([f"{name}{version}" for name in ("eve", "fay")])
    small.register([f"{name}{version}" for name in ("gus", "hal")])
    (eve, fay), (gus, hal) = big.users, small.users
    levels: Json = {"users": {} if version == "12" else {gus: 100}, "state_default": 0, "invite": 0}
    room = small.make_room(gus, version, levels)
    small.join(room, hal)
    big.join(room, eve, EXAMPLE)
    pair.settle(room, eve, gus)
    link.cut()
    big.send(room, eve, "m.room.topic", {"topic": "Theirs"}, "")
    small.member(room, gus, hal, "kick")
    link.heal()
    pair.settle(room, eve, gus)
    small.send(room, gus, "m.room.join_rules", {"join_rule": "invite"}, "")
    small.member(room, gus, fay, "invite")
    big.join(room, fay, EXAMPLE)
    big.member(room, fay, "", "leave")
    pair.settle(room, eve, gus)
    first, second = pair.facts(room)
    assert first.state == second.state
    # Synapse has the state from before it joined, and not the messages.
    assert first.accepted <= second.accepted
    assert not second.rejected


@pytest.mark.parametrize("version", VERSIONS)
def test_invites_into_rooms_in_which_the_other_server_is_not(pair: Pair, version: str) -> None:
    big, small = pair.big, pair.small
    big.register([f"ida{version}"])
    small.register([f"jon{version}"])
    (ida,), (jon,) = big.users, small.users
    theirs = big.make_room(ida, version, {})
    big.send(theirs, ida, "m.room.join_rules", {"join_rule": "invite"}, "")
    ours = pair.example.tell("make_room", user=jon, version=version, join_rule="invite")["room_id"]
    with pytest.raises(HttpError):
        small.join(theirs, jon, SYNAPSE)
    with pytest.raises(HttpError):
        big.join(ours, ida, EXAMPLE)
    big.member(theirs, ida, jon, "invite")
    small.member(ours, jon, ida, "invite")
    small.join(theirs, jon, SYNAPSE)
    big.join(ours, ida, EXAMPLE)
    for room in (theirs, ours):
        pair.settle(room, ida, jon)
        first, second = pair.facts(room)
        assert first.state == second.state
