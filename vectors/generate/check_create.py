"""Cases of ``check`` with further events of the type of a create event."""

from collections.abc import Iterator
from copy import deepcopy

from .check import CHECKS
from .constants import CREATE
from .rooms import BOB, plain_room
from .suite import EventsFile, File
from .versions import ALL


def files() -> Iterator[File]:
    """Yield the vector file."""
    file = EventsFile(
        "resolution/rooms_odd_create.json", "Whole rooms with a second event of the type m.room.create"
    )
    for version in ALL:
        _altered(file, version, "state_key", "x", "the state key x")
        _altered(file, version, "message", None, "no state key")
    yield file


def _altered(file: File, version: str, name: str, state_key: str | None, described: str) -> None:
    room = plain_room(version, {BOB: 50}, joined=[BOB])
    state = sorted(room.state.values())
    odd = room.make(BOB, CREATE, {}, state_key)
    pdu = deepcopy(room.events[odd])
    pdu["stray"] = 1
    room.events[odd] = pdu
    notes = (
        f"Bob sends an m.room.create event with {described}. A key was added to it after it was hashed, so"
        " only its redacted form is used. No create event may follow others, so it is rejected. From version"
        " 12 on redaction also removes its room ID. Whatever that leads to, the rest of the room is valid."
    )
    expected = {"rejected": {odd: True}, "state": state}
    file.add(f"check.odd_create.{name}", version, {"events": room.events}, expected, spec=CHECKS, notes=notes)
