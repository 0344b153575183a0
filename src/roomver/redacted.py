"""Which redactions name an event, and whether they apply to it."""

from collections.abc import Iterable
from typing import NamedTuple

from .auth import redaction_applies
from .errors import MissingEvents, UnknownState
from .known_states import Redaction
from .replay import Replay, Status
from .state import EventsOf
from .types import EventId

__all__ = ["Redacted", "find_redactions"]


class Redacted(NamedTuple):
    """A redaction that names an event."""

    event_id: EventId
    """Of the redaction."""
    applies: bool | None
    """Whether it applies to the event; None if that is unknown."""
    reason: str
    """Why, or why it is unknown."""
    cut: bool | None = None
    """Whether the server has already removed the event's content; None if the source does not say."""


def find_redactions(replayed: Replay, event_id: EventId, stored: Iterable[Redaction] = ()) -> list[Redacted]:
    """Return the redactions that name an event of a room, in the order of the room.

    Args:
        replayed: the room.
        event_id: the event.
        stored: the redactions of it that the server has stored. Those that are not among the events of the
            room come last.

    Cost: one pass over the events of the room.
    """
    cut = {one.event_id: one.cut for one in stored}
    redactions = {
        one.event_id
        for one in replayed.events.values()
        if one.type == "m.room.redaction" and one.redacts == event_id
    }
    in_order = [one for one in replayed.order if one in redactions] if redactions else []
    found = [Redacted(one, *_applies(replayed, one, event_id), cut.pop(one, None)) for one in in_order]
    missing = "it is not among the replayed events"
    return found + [Redacted(one, None, missing, done) for one, done in sorted(cut.items())]


def _applies(replayed: Replay, event_id: EventId, target: EventId) -> tuple[bool | None, str]:
    outcome = replayed.outcomes[event_id]
    if outcome.status is Status.UNDECIDED:
        return None, "it is undecided"
    if not outcome.accepted:
        return False, "it is rejected"
    state = replayed.state_before(event_id)
    if state is None:
        return None, "the state before it is unknown"
    events = replayed.events
    try:
        decision = redaction_applies(events[event_id], events[target], EventsOf(state, events))
    except (MissingEvents, UnknownState) as error:
        return None, str(error)
    return decision.applies, decision.reason
