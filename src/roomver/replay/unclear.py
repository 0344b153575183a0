"""What leaves the ends of a room unclear, or an event unchecked at its arrival: for `Replay.lacking`."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from ..errors import UnknownState
from ..types import EventId
from .outcome import Status
from .result import Replay

# How many events that leave an event unchecked are kept.
_MOST: Final = 64


def causes_of(result: Replay, unclear: Iterable[EventId]) -> list[EventId]:
    """Return what leaves some unclear events unclear: undecided events, missing ones, or they themselves.

    What leaves an unchecked event unchecked was found when it arrived. A rejected, soft-failed or backfilled
    event is unclear because of the missing events that it follows.
    """
    found: list[EventId] = []
    for one in unclear:
        if one in result._unchecked_for:
            found += result._unchecked_for[one]
        elif result.outcomes[one].status is Status.UNDECIDED:
            found.append(one)
        else:
            parents = result.events[one].prev_event_ids
            found += [parent for parent in parents if parent not in result.events] or [one]
    return found


def note_unchecked(
    result: Replay, event_id: EventId, causes: Iterable[EventId], error: UnknownState | None
) -> None:
    """Keep some of the events that leave an event unchecked, and why a state is known in part, if one is."""
    if error is not None:
        result._why_unchecked[event_id] = error.reason, error.lack
    result._unchecked_for[event_id] = tuple(sorted(islice(dict.fromkeys(causes), _MOST)))
