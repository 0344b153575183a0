"""Rooms in which the tests of the authorisation rules check events."""

from typing import Any

from builder import ALICE, BOB, CAROL, DAVE, Content, Room

MEMBERSHIPS = ["absent", "join", "invite", "leave", "ban", "knock"]
JOIN_RULES = [
    "absent",
    "missing",
    "public",
    "invite",
    "knock",
    "restricted",
    "knock_restricted",
    "private",
    5,
]


def open_room(version: str, **create: Any) -> Room:
    """Return a public room that ALICE made, with BOB in it. ALICE has the highest level."""
    content: Content = {"room_version": version, **create}
    if int(version) <= 10:
        content.setdefault("creator", ALICE)
    room = Room(version, content=content, signed=False)
    room.join(ALICE)
    room.power({"users": {} if version == "12" else {ALICE: 100}})
    room.join_rule("public")
    room.join(BOB)
    return room


def room_with(version: str, join_rule: Any = "public", power: Content | None = None, **members: Any) -> Room:
    """Return a room that ALICE made and is in, with other users in given memberships: ``bob="ban"``."""
    users = {"bob": BOB, "carol": CAROL, "dave": DAVE}
    room = Room(version, signed=False)
    room.join(ALICE)
    content: Content = {"users": {} if version == "12" else {ALICE: 100}, **(power or {})}
    room.power(content)
    if join_rule != "absent":
        room.join_rule(join_rule)
    for name, membership in members.items():
        if membership != "absent":
            # How the user came to this membership does not matter here.
            room.member(users[name], membership, auth=[])
    return room


def levels(**users: Any) -> Content:
    """Return the content of power levels. Users are given by name, as ``bob=50``, other keys as they are."""
    ids = {"alice": ALICE, "bob": BOB, "carol": CAROL, "dave": DAVE}
    listed = {ids[name]: level for name, level in users.items() if name in ids}
    return {"users": listed, **{name: level for name, level in users.items() if name not in ids}}
