"""The accepted events whose check against the current state is unknown, in words and as JSON."""

from typing import Final

from ..room_check import RoomCheck
from ..types import JsonObject, JsonValue
from .escaped import printable
from .lacking import advice_for, dropped_data, missing_text

# Finding the missing events behind an unknown check may cost as much as a walk through the room.
MOST_REASONS: Final = 100


def unknown_checks_data(result: RoomCheck) -> list[JsonValue]:
    """Return the events whose check against the current state is unknown; the first few with the reason."""
    data: list[JsonValue] = []
    replayed = result.replay
    for event_id in replayed.current_unknown:
        one: JsonObject = {"event_id": event_id}
        if len(data) < MOST_REASONS:
            check = replayed.current_check(event_id)
            dropped = dropped_data(check.missing, result.dropped)
            one |= {"why": check.why, "missing": list(check.missing), "dropped": dropped}
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
        missing = f"; {missing_text(check.missing, result.dropped)}" if check.missing else ""
        if not check.missing:
            missing = f"; {advice_for(result.gathered.lack_behind(check.why))}"
        lines += [
            f"{place}  {event_id}  {event.type}  {event.sender}",
            f"  {check.why}{missing}",
        ]
    if most is not None and len(unknown) > most:
        lines.append(f"and {len(unknown) - most:,} more: --all lists them")
    return [printable(line) for line in lines]
