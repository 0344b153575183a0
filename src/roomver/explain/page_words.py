"""The sentences of the page: why events have their outcomes, and why resets came about, as JSON.

Explaining one event costs a few passes over the room, so the larger the room, the fewer events are explained.
Those that are not accepted come first, then those with resets.
"""

from collections.abc import Callable
from typing import Any, Final

from ..event import Event
from ..room_check import RoomCheck
from ..types import EventId, StateKey
from .event import explain_event
from .said import Part, PartKind, Said

MOST_STEPS: Final = 1_000_000
"""How many visits to an event all explanations may take together, about."""


def explain_events(
    found: RoomCheck, order: tuple[Event, ...], status: tuple[int, ...]
) -> dict[EventId, Said]:
    """Return why events have their outcomes, one paragraph for each.

    Args:
        found: the room.
        order: its events, newest first.
        status: for each event, a number that is 0 if it is accepted.
    """
    most = max(20, MOST_STEPS // max(1, len(order)))
    resets = found.replay.resets()
    undone = {one.merge for one in resets} | {one.lost for one in resets}

    def rank(number: int) -> int:
        return 0 if status[number] else 1 if order[number].event_id in undone else 2

    chosen = [order[number].event_id for number in sorted(range(len(order)), key=rank)[:most]]
    return {event_id: explain_event(found, event_id).why for event_id in chosen}


def said_numbers(
    sentence: Said,
    number: Callable[[EventId], int],
    key_number: Callable[[StateKey], int],
    shown: Callable[[object], str],
) -> list[Any]:
    """Return a sentence as JSON: words are texts, other parts pairs of their kind and a number or a text."""

    def part(one: Part) -> Any:
        match one.kind:
            case PartKind.WORDS:
                return one.value
            case PartKind.EVENT:
                assert isinstance(one.value, str)
                return ["event", number(one.value)]
            case PartKind.KEY:
                assert isinstance(one.value, list | tuple)
                kind, key = map(str, one.value)
                return ["key", key_number((kind, key))]
            case _:
                return [one.kind.value, shown(one.value)]

    return [part(one) for one in sentence]
