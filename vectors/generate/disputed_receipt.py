"""Disputed cases about what happens to an event before the authorisation rules are asked.

Two questions: does ``unsigned`` count toward the size limit, and what becomes of power levels with a number
that no binary64 holds?
"""

from math import inf
from typing import Any

from .constants import POWER_LEVELS
from .event_format import SIZES
from .events import whole
from .independent import canonical
from .rooms import ALICE, BOB, Room
from .suite import ERROR, EventsFile, File, either, page
from .versions import since


class _BeyondFile(EventsFile):
    """A vector file with numbers that no binary64 holds. Python reads them as infinity."""

    def text(self) -> str:
        """Return the text of the file, without the final newline."""
        return super().text().replace("Infinity", "1e400")


def _sizes() -> File:
    file = File("disputed/event_size.json", "The size of an event with `unsigned`, on which readings differ")
    for version in ("2", "5", "6", "11", "12"):
        event = whole(version)
        filled = {**event, "unsigned": {"org.example.note": "x" * 65536}}
        assert len(canonical(event)) < 1500
        expected = either(
            ({"valid": False}, "the complete event is measured, and `unsigned` is a part of it: ruma"),
            ({"valid": True}, "`unsigned` is removed first: Synapse, gomatrixserverlib"),
        )
        notes = "Too large only with `unsigned`, which any server on the way can change: no hash covers it."
        file.add("event_format.size.unsigned", version, {"event": filled}, expected, spec=SIZES, notes=notes)
    return file


def _beyond() -> File:
    title = "Power levels with a number that no binary64 holds, which versions 1 to 5 reject"
    file = _BeyondFile("disputed/beyond_binary64_numbers.json", title)
    expected = either(
        (
            {"allowed": False},
            "a value outside the range of binary64 causes rejection: ruma, gomatrixserverlib",
        ),
        (ERROR, "the event cannot be hashed, so the rules are not asked: Synapse"),
    )
    notes = (
        "It must not count as the greatest level, nor as absent. The specification says what such a number"
        " means and not how it is written in canonical JSON. So the event's hash and signature are those of"
        " the same event with 50 in its place."
    )
    for version in since("1", "5"):
        for slug, put in (("user", _user), ("named", _named)):
            room = Room(version)
            room.member(ALICE, "join")
            event = room.make(ALICE, POWER_LEVELS, put(room, 50), "")
            events = room.chain([event])
            events[event] = {**events[event], "content": put(room, inf)}
            given = {"events": events, "event": event}
            spec = page(version, "mroompower_levels-events-accept-values-as-floats")
            file.add(f"auth.beyond_binary64.{slug}", version, given, expected, spec=spec, notes=notes)
    return file


def _user(room: Room, level: Any) -> dict[str, Any]:
    content: dict[str, Any] = room.levels({BOB: level})
    return content


def _named(room: Room, level: Any) -> dict[str, Any]:
    content: dict[str, Any] = room.levels(ban=level)
    return content


def files() -> list[File]:
    """Return the files of this area."""
    return [_sizes(), _beyond()]
