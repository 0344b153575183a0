"""The small rooms of the pages. Their events are valid and signed, and they fork as the pages tell.

A room is written as a recording, so every command can read it. Its events have short labels, which the pages
use beside the IDs: C is the create event, MA Alice's join (m.room.member), P0 the first power levels.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from vectors.generate.constants import JOIN_RULES, MEMBER, MESSAGE, NAME, POWER_LEVELS, START, TOPIC, Key
from vectors.generate.independent import public_key, seed_of
from vectors.generate.rooms import ROOM_KEY_ID, Room, server_of

FOLDER: Final = Path(__file__).parent / "rooms"
"""Where the recordings are."""

ALICE: Final = "@alice:a.example"
BOB: Final = "@bob:b.example"
CAROL: Final = "@carol:c.example"
DAVE: Final = "@dave:d.example"
EVE: Final = "@eve:e.example"

_MINUTE: Final = 60_000
_OPENED: Final = START - START % _MINUTE
"""The minute in which each room was created, in milliseconds."""
_VALID_UNTIL: Final = START + 365 * 24 * 3_600_000


@dataclass(frozen=True)
class SmallRoom:
    """A room of the pages.

    Attributes:
        name: the name of its file, without the extension.
        labels: each label with the ID of its event, in the order in which the events arrived.
        lines: the lines of the recording.
    """

    name: str
    labels: Mapping[str, str]
    lines: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The file of the recording."""
        return FOLDER / f"{self.name}.jsonl"

    @property
    def text(self) -> str:
        """The recording."""
        return "".join(f"{line}\n" for line in self.lines)


class _Builder:
    """A room of version 11 that grows. Its events have labels.

    Args:
        name: the name of the room; its ID has it too.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._room = Room("11", creator=ALICE, name=name)
        self._ids: dict[str, str] = {"C": self._room.create}
        self._after: dict[str, dict[Key, str]] = {"C": dict(self._room.state)}
        self._given: dict[str, list[str]] = {}
        self._minute = 0

    def put(
        self,
        label: str,
        sender: str,
        kind: str,
        content: Mapping[str, Any],
        *after: str,
        state_key: str | None = "",
        minute: int | None = None,
    ) -> None:
        """Add an event.

        Args:
            label: its label.
            sender: who sends it.
            kind: its type.
            content: its content.
            after: the labels of the events that it follows; by default the one that was added last. Its auth
                events come from the state after the first of them.
            state_key: its state key; None for a message.
            minute: its time, in minutes after the creation of the room; by default one more than the last.
        """
        self._minute = self._minute + 1 if minute is None else minute
        followed = after or (next(reversed(self._ids)),)
        before = self._after[followed[0]]
        self._room.state = dict(before)
        prev = [self._ids[one] for one in followed]
        top = {"origin_server_ts": _OPENED + _MINUTE * self._minute}
        event_id = self._room.make(sender, kind, content, state_key, prev=prev, top=top)
        self._ids[label] = event_id
        self._after[label] = dict(before) if state_key is None else {**before, (kind, state_key): event_id}

    def join(self, label: str, user: str, *after: str, **more: Any) -> None:
        """Let a user join."""
        self.put(label, user, MEMBER, {"membership": "join"}, *after, state_key=user, **more)

    def levels(self, label: str, sender: str, *after: str, **users: int) -> None:
        """Set power levels. The keywords are first letters of users; Alice always has 100."""
        named = {_USERS[letter]: level for letter, level in users.items()}
        self.put(label, sender, POWER_LEVELS, {"users": {ALICE: 100, **named}}, *after)

    def give(self, label: str, state: str) -> None:
        """Let the state before an event be what another server said, as labels."""
        self._given[label] = state.split()

    def built(self, left_out: str = "") -> SmallRoom:
        """Return the room, without an event that never arrived."""
        known = {label: event_id for label, event_id in self._ids.items() if label != left_out}
        events = self._room.events
        servers = sorted({server_of(events[one]["sender"]) for one in known.values()})
        header: dict[str, Any] = {
            "format": "roomver-room/2" if self._given else "roomver-room/1",
            "room_version": self._room.version,
            "room_id": self._room.room_id,
            "keys": {server: _keys(server) for server in servers},
        }
        if self._given:
            header["states"] = {
                self._ids[label]: {"state": sorted(self._ids[one] for one in state)}
                for label, state in self._given.items()
            }
        lines = [header, *({"event_id": one, "pdu": events[one]} for one in known.values())]
        texts = tuple(json.dumps(line, separators=(",", ":"), ensure_ascii=False) for line in lines)
        return SmallRoom(self._name, known, texts)


_USERS: Final = {"b": BOB, "c": CAROL, "d": DAVE, "e": EVE}


def _hello(body: str) -> dict[str, str]:
    return {"msgtype": "m.text", "body": body}


def _keys(server: str) -> dict[str, Any]:
    key = public_key(seed_of(server, ROOM_KEY_ID))
    return {ROOM_KEY_ID: {"key": key, "valid_until_ts": _VALID_UNTIL}}


def _opened(name: str, **users: int) -> _Builder:
    """Return a public room that Alice created, with a topic. Its events are C, MA, P0, JR and T0."""
    room = _Builder(name)
    room.join("MA", ALICE)
    room.levels("P0", ALICE, **users)
    room.put("JR", ALICE, JOIN_RULES, {"join_rule": "public"})
    room.put("T0", ALICE, TOPIC, {"topic": "We read Emma"})
    return room


def _ban() -> SmallRoom:
    """Alice bans Bob while Bob, who does not know it yet, uses his power."""
    room = _opened("ban", b=50)
    room.join("MB", BOB)
    room.join("MC", CAROL)
    room.join("MD", DAVE)
    room.put("NB", BOB, NAME, {"name": "Bob's book club"}, minute=9)
    room.levels("P1", BOB, b=50, c=50)
    room.put("TC", CAROL, TOPIC, {"topic": "We read Dracula"})
    # This copy of the room is of a server that heard from Bob's server first.
    room.put("ban", ALICE, MEMBER, {"membership": "ban"}, "MD", state_key=BOB, minute=8)
    room.put("end", DAVE, MESSAGE, _hello("Hello"), "ban", "TC", state_key=None, minute=12)
    return room.built()


def _promotions() -> SmallRoom:
    """Alice promotes Bob, who promotes Carol. Eve's server gives a state with the oldest power levels."""
    room = _opened("promotions")
    room.join("MB", BOB)
    room.join("MC", CAROL)
    room.levels("P1", ALICE, b=75)
    room.levels("P2", BOB, b=75, c=50)
    room.join("MD", DAVE)
    room.put("TC", CAROL, TOPIC, {"topic": "We read Dracula"})
    room.put("NC", CAROL, NAME, {"name": "Carol's book club"})
    room.join("ME", EVE, "MD")
    room.put("lost", EVE, MESSAGE, _hello("Hello"), state_key=None)
    room.put("XE", EVE, MESSAGE, _hello("Is anyone here?"), state_key=None)
    room.give("XE", "C MA P0 JR T0 MB MC MD ME")
    room.put("end", DAVE, MESSAGE, _hello("Hello"), "NC", "XE", state_key=None)
    return room.built("lost")


def _left() -> SmallRoom:
    """Alice makes the room invite-only and leaves. Carol's server gives a state with the old join rule."""
    room = _opened("left", b=50)
    room.join("MB", BOB)
    room.join("MC", CAROL)
    room.put("JR2", ALICE, JOIN_RULES, {"join_rule": "invite"})
    room.put("leave", ALICE, MEMBER, {"membership": "leave"}, state_key=ALICE)
    room.put("XB", BOB, MESSAGE, _hello("Hello"), state_key=None)
    room.put("lost", CAROL, MESSAGE, _hello("Hello"), "leave", state_key=None)
    room.put("XC", CAROL, MESSAGE, _hello("Alice has gone?"), state_key=None)
    room.give("XC", "C leave P0 JR T0 MB MC")
    room.put("end", BOB, MESSAGE, _hello("Yes."), "XB", "XC", state_key=None)
    return room.built("lost")


def _late() -> SmallRoom:
    """Bob is banned. A topic of his arrives afterwards, which follows what came before the ban."""
    room = _opened("late", b=50)
    room.join("MB", BOB)
    room.join("MD", DAVE)
    room.put("ban", ALICE, MEMBER, {"membership": "ban"}, state_key=BOB)
    room.put("TB", BOB, TOPIC, {"topic": "We read nothing"}, "MD")
    room.put("XA", ALICE, MESSAGE, _hello("Bob is banned."), "ban", state_key=None)
    room.put("XD", DAVE, MESSAGE, _hello("Why?"), "ban", "TB", state_key=None)
    return room.built()


@cache
def small_rooms() -> Mapping[str, SmallRoom]:
    """Return the rooms by their names."""
    return {room.name: room for room in (_ban(), _promotions(), _left(), _late())}


def recordings() -> Iterator[tuple[Path, str]]:
    """Yield the files of the rooms, with their texts."""
    for room in small_rooms().values():
        yield room.path, room.text
