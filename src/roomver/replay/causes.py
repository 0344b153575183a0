"""What leaves an event undecided or a state unknown: missing events, and what given states do not tell."""

from typing import TYPE_CHECKING, Final, NamedTuple

from ..state import Unknown, unknown_of
from ..types import EventId
from .outcome import Status

if TYPE_CHECKING:
    from .result import Replay


MERGED: Final = "branches known in part were merged"
UNDECIDED: Final = "an event is undecided"
SEVERAL_UNDECIDED: Final = "several events are undecided"
CONSEQUENCES: Final = frozenset({MERGED, UNDECIDED, SEVERAL_UNDECIDED})
"""The reasons of an `Unknown` that follows from something else that is unknown or undecided."""


class Causes(NamedTuple):
    """What leaves something undecided or unknown.

    Attributes:
        missing: the events that are missing or lie on a cycle, sorted.
        unknown: what is unknown in the states on the way, in the order in which they were met.
    """

    missing: list[EventId]
    unknown: list[Unknown]


def find_causes(replayed: "Replay", *event_ids: EventId | None, at_arrival: bool = False) -> Causes:
    """Return what leaves events undecided, or the states before them unknown.

    Args:
        replayed: the replay.
        event_ids: the IDs of events in the room; None stands for its current state.
        at_arrival: also what leaves the current state at the arrival of an accepted event unknown.

    Cost: linear in the events that are undecided or have an unknown state for the same reason.
    """
    found: set[EventId] = set()
    unknown: dict[Unknown, None] = {}
    todo: list[EventId] = []
    for event_id in event_ids:
        todo += _at_the_end(replayed, unknown) if event_id is None else [event_id]
        if at_arrival and event_id is not None:
            todo += replayed._unchecked_for.get(event_id, ())
    seen = set(todo)
    while todo:
        event_id = todo.pop()
        outcome = replayed.outcomes.get(event_id)
        if outcome is None or outcome.status is Status.CYCLIC:
            found.add(event_id)
            continue
        causes = [*outcome.missing, *replayed.gaps.get(event_id, ())]
        before = replayed._before.get(event_id)
        if before in replayed._unknown:
            causes += _of_group(replayed, before, unknown)
            if event_id not in replayed._bridges:
                # The states after its prev events could not be merged, or one is known in part.
                for parent in replayed.events[event_id].prev_event_ids:
                    causes += _of_group(replayed, replayed._after.get(parent), unknown)
        for lack in causes:
            if lack not in seen:
                seen.add(lack)
                todo.append(lack)
    return Causes(sorted(found), [*unknown])


def _of_group(replayed: "Replay", group: int | None, unknown: dict[Unknown, None]) -> list[EventId]:
    """Return the events that leave a state unknown in part, and note what is unknown in it."""
    of_state = () if group is None else replayed._unknown.get(group, ())
    unknown.update(dict.fromkeys(of_state))
    return [one.event_id for one in of_state if one.event_id is not None]


def _at_the_end(replayed: "Replay", unknown: dict[Unknown, None]) -> list[EventId]:
    """Return the events that leave the current state unknown, and note what is unknown in a given one."""
    if replayed._given_current is not None:
        unknown.update(dict.fromkeys(unknown_of(replayed._given_current)))
        return []
    causes = dict.fromkeys(replayed._unclear_ends)
    todo = list(causes)
    while todo:
        more = [one for one in replayed._unchecked_for.get(todo.pop(), ()) if one not in causes]
        causes.update(dict.fromkeys(more))
        todo += more
    of_ends = (_of_group(replayed, replayed._after.get(e), unknown) for e in replayed.forward_extremities)
    return [*causes, *(one for some in of_ends for one in some)]
