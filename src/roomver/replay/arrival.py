"""What became of an event's check against the current state at its arrival (checks 6 and 7)."""

from typing import TYPE_CHECKING

from ..errors import Lack
from ..event import Event
from ..policy import POLICY
from ..power import CREATE
from ..selection import select_auth_types
from ..state import entries_of, known_in_part, unknown_of
from ..types import EventId, StateMap
from .outcome import CurrentCheck, Status

if TYPE_CHECKING:
    from .result import Replay

_UNPLACED = "nothing tells when the server received the event"


def check_at_arrival(replayed: "Replay", event_id: EventId) -> CurrentCheck:
    """Return the result of checking an event against the current state at its arrival."""
    check = _made_at_arrival(replayed, event_id)
    if check.allowed is not None or not check.made:
        return check
    if replayed.outcomes[event_id].status is Status.UNDECIDED:
        return check._replace(missing=tuple(replayed.lacking(event_id)))
    causes = replayed._unchecked_for.get(event_id, ())
    here = [one for one in causes if one in replayed.events]
    missing = {*replayed.lacking(*here), *(one for one in causes if one not in replayed.events)}
    return check._replace(missing=tuple(sorted(missing)))


def was_checked(replayed: "Replay", event_id: EventId) -> bool:
    """Tell whether an event was checked against the current state at its arrival, with a result."""
    check = _made_at_arrival(replayed, event_id)
    return check.failure is not None or check.allowed is True


def is_soft_failed(replayed: "Replay", event_id: EventId) -> bool:
    """Tell whether an event is known to be soft-failed."""
    if event_id in replayed.soft_failed:
        return True
    return replayed._decisions is not None and _made_at_arrival(replayed, event_id).allowed is False


def unknown_at_arrival(replayed: "Replay") -> list[EventId]:
    """Return the accepted events whose check a server makes, with a result that is unknown here, in order."""
    open_ones = {*replayed.unchecked, *replayed._unchecked_for, *replayed.unplaced}
    found = []
    for event_id in replayed.order if open_ones else ():
        if event_id in open_ones and replayed.outcomes[event_id].accepted:
            check = _made_at_arrival(replayed, event_id)
            if check.allowed is None and check.made:
                found.append(event_id)
    return found


def _made_at_arrival(replayed: "Replay", event_id: EventId) -> CurrentCheck:
    """Return what became of the check, without the missing events that leave its result unknown."""
    if event_id in replayed.soft_failed:
        return CurrentCheck(False, replayed.soft_failed[event_id])
    outcome = replayed.outcomes[event_id]
    if outcome.status is Status.UNDECIDED:
        return CurrentCheck(None, why="the event is undecided")
    if not outcome.accepted:
        return CurrentCheck(None, why="the event is rejected", made=False)
    if replayed._decisions is not None and replayed._decisions.made_for(event_id):
        if event_id in replayed._decisions.soft_failed:
            return CurrentCheck(False, why="soft-failed, as recorded")
        return CurrentCheck(None, why="the recording server decides", made=False)
    if not replayed._soft_failure:
        return CurrentCheck(None, why="it was left out", made=False)
    if event_id in replayed.unchecked:
        return CurrentCheck(None, why=replayed.unchecked[event_id])
    if event_id in replayed._unchecked_for:
        why, lack = "the current state is unknown", Lack.STATE
        if event_id in replayed._why_unchecked:
            reason, lack = replayed._why_unchecked[event_id]
            why += f": {reason}"
        return CurrentCheck(None, why=why, lack=lack)
    if event_id in replayed.unplaced:
        return CurrentCheck(None, why=_UNPLACED, lack=Lack.ORDER)
    if event_id in replayed.backfilled:
        return CurrentCheck(None, why="it was fetched from the history", made=False)
    if event_id in replayed._not_received or event_id not in replayed._before:
        return CurrentCheck(None, why="the event comes with a given state", made=False)
    return CurrentCheck(True)


def entries_at_arrival(replayed: "Replay", event_id: EventId) -> StateMap[EventId] | None:
    """Return the entries of the current state at an event's arrival that its check read."""
    if not was_checked(replayed, event_id):
        return None
    kept = replayed._read_at_arrival.get(event_id)
    if kept is not None:
        return kept
    # What the check read is the same in the state before the event.
    before = replayed.state_before(event_id)
    return None if before is None else _entries_read(replayed.events[event_id], before)


def differing_entries(
    event: Event, state: StateMap[EventId], before: StateMap[EventId] | None
) -> StateMap[EventId] | None:
    """Return the entries of the current state that an event's check reads; None if the state before has them.

    Args:
        event: the event.
        state: the current state at its arrival.
        before: the state before the event; None if it is unknown.
    """
    read = _entries_read(event, state)
    return None if before is not None and read == _entries_read(event, before) else read


def _entries_read(event: Event, state: StateMap[EventId]) -> StateMap[EventId]:
    known = entries_of(state)
    keys = (CREATE, POLICY, *select_auth_types(event))
    return known_in_part({key: known[key] for key in keys if key in known}, unknown_of(state))
