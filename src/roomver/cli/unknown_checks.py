"""The accepted events whose check against the current state is unknown, in words and as JSON."""

from collections import Counter
from typing import Final

from ..errors import listed
from ..replay import Replay
from ..room_check import RoomCheck
from ..types import JsonObject, JsonValue
from .escaped import printable

# Finding the missing events behind an unknown check may cost as much as a walk through the room.
MOST_REASONS: Final = 100


def unknown_checks_data(replayed: Replay) -> list[JsonValue]:
    """Return the events whose check against the current state is unknown; the first few with the reason."""
    data: list[JsonValue] = []
    for event_id in replayed.current_unknown:
        one: JsonObject = {"event_id": event_id}
        if len(data) < MOST_REASONS:
            check = replayed.current_check(event_id)
            one |= {"why": check.why, "missing": list(check.missing)}
        data.append(one)
    return data


def unknown_check_lines(result: RoomCheck, most: int | None) -> list[str]:
    """Return the accepted events whose check against the current state is unknown, with reasons."""
    replayed = result.replay
    unknown = [one for one in replayed.current_unknown if one not in replayed.unchecked]
    if not unknown:
        return []
    events = "1 accepted event" if len(unknown) == 1 else f"{len(unknown):,} accepted events"
    lines = [f"check against the current state unknown for {events}:"]
    for event_id in unknown[:most]:
        place, event = result.gathered.places[event_id], result.gathered.events[event_id]
        check = replayed.current_check(event_id)
        missing = f"; missing events: {listed(check.missing)}" if check.missing else ""
        lines += [
            f"{place}  {event_id}  {event.type}  {event.sender}",
            f"  {check.why}{missing}",
        ]
    if most is not None and len(unknown) > most:
        lines.append(f"and {len(unknown) - most:,} more: --all lists them")
    return [printable(line) for line in lines]


def bound_lines(replayed: Replay) -> list[str]:
    """Say what the bounds on a replay left out."""
    lines = [
        f"{counted(number, 'event', 'events')} not checked against the current state: {why}"
        for why, number in Counter(replayed.unchecked.values()).items()
    ]
    if replayed.unsought:
        merges = counted(len(replayed.unsought), "merge", "merges")
        lines.append(f"state resets not sought at {merges}: the search costs too much")
    return lines


def counted(number: int, one: str, more: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else more}"
