"""Rooms for the explaining commands: checked ones, and hostile ones."""

from collections.abc import Iterable
from random import Random
from typing import Any

from builder import ALICE, BOB, Room

from roomver import Event
from roomver.entry import Entry, Place
from roomver.room_check import RoomCheck, check_room

NASTY = (
    "\x1b[2J\x1b[31mred",
    "\u202eltr\u2066",
    "a\nb\r\nc\u2028d",
    "[bold red]markup[/] :smile:",
    "<script>alert(1)</script>",
    "a" + "\u0301" * 300,
    "roomver --also",
    "{why} {0} %s",
    "",
)


def checked(events: Iterable[Event], version: str, **options: Any) -> RoomCheck:
    """Check events that nobody signed."""
    entries = [Entry(Place(n, ""), one.event_id, one.pdu) for n, one in enumerate(events, 1)]
    return check_room(entries, version, keys=None, **options)


def nasty_room(seed: int, version: str = "11") -> Room:
    """Return a room in which every text that the format leaves free is hostile."""
    rng = Random(f"{version}/{seed}")
    room = Room(version)
    room.join(ALICE)
    room.power({"users": {} if version == "12" else {ALICE: 100}, "users_default": rng.choice([0, 50])})
    room.join_rule("public")
    room.join(BOB)
    fork, last = dict(room.state), room.last
    ends = []
    for _ in range(3):
        room.state, room.last = dict(fork), last
        for _ in range(4):
            text, key, kind = (rng.choice(NASTY) for _ in range(3))
            sender = rng.choice([ALICE, BOB])
            match rng.randrange(6):
                case 0:
                    room.add("m.room.topic", sender, {"topic": text}, state_key="")
                case 1:
                    room.add(f"x.{kind[:100]}", sender, {"body": text}, state_key=key[:100])
                case 2:
                    room.member(BOB, rng.choice(["ban", "leave", text]), by=ALICE)
                case 3:
                    room.join_rule(text)
                case 4:
                    room.power({"users": {}, "ban": 60, "events": {kind: 70}}, by=sender)
                case _:
                    room.add("m.room.message", sender, {"body": text, "msgtype": kind})
        assert room.last is not None
        ends.append(room.last)
    room.state = dict(fork)
    room.add("m.room.message", ALICE, {"body": rng.choice(NASTY)}, prev=ends)
    return room
