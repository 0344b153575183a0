"""What a replay still tells if newer events are lost: a source names them, and they are not among the events.

A lost event may replace any entry of the current state. It may also have arrived before events that are here,
and may have been part of the current state that these were checked against.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..errors import SHOWN, Lack, gravest
from ..power import CREATE
from ..state import PartialState, Unknown, changed_entries, entries_of, known_in_part, unknown_of
from ..types import EventId, StateMap
from .arrival import was_checked
from .result import Replay
from .states import plain

# How many lost events an unchecked event names as causes.
_CAUSES: Final = 16


class Lost(NamedTuple):
    """The newest events of one source, as far as they are lost."""

    event_ids: tuple[EventId, ...]
    """Their IDs, sorted; at least one."""
    reason: str
    """What is lost, in a few words: the reason of an `Unknown`."""
    lack: Lack
    """What would tell: events that are missing, or valid copies of dropped ones."""
    state: StateMap[EventId] | None = None
    """The current state that the source lists, as far as its events are here; None if it lists none."""


def keep_agreed(state: StateMap[EventId], lost: Lost) -> StateMap[EventId]:
    """Return what is known of the current state, from the state without the lost events.

    The entries on which that state and the one that the source lists agree are known. The others are unknown.
    A key is known to be absent if it is so in both.
    """
    if lost.state is None:
        return PartialState({}, [Unknown.everything(lost.reason, lack=lost.lack)])
    ours, theirs = entries_of(state), entries_of(lost.state)
    differing = frozenset(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
    unknown = [one.renewed() for one in unknown_of(state)]
    if isinstance(lost.state, PartialState):
        unknown.append(Unknown.everything(lost.reason, lack=lost.lack))
    elif differing:
        unknown.append(Unknown(lost.reason, keys=differing, lack=lost.lack))
    agreed = changed_entries(ours, dict.fromkeys(differing & ours.keys()))
    return known_in_part(agreed, unknown)


def forget_doubtful(result: Replay, lost: Sequence[Lost]) -> None:
    """Make unknown, in a replay that has ended, what lost events may change.

    Known remain the verdicts and the states of the events, and what `keep_agreed` returns of the current
    state. The forward extremities are uncertain. The check of an event against the current state at its
    arrival is unknown: the lost events, or others that they follow, may have arrived before it.

    Args:
        result: the replay. It is changed.
        lost: at least one.
    """
    state: StateMap[EventId] | None = result.current_state
    for one in lost:
        state = None if state is None else keep_agreed(state, one)
    # A state without entries is not known at all.
    result.current_state = None if state is None or not entries_of(state) else plain(state)
    # The state that was given may be older than the lost events too.
    result._given_current = None
    result.too_many_states = False
    ids = {event_id for one in lost for event_id in one.event_ids}
    result._unclear_ends = tuple(sorted(ids.union(result._unclear_ends)))
    result._unclear_extremities = tuple(sorted(ids.union(result._unclear_extremities)))
    # The lost events are merged at the end too.
    result.merges = [merge for merge in result.merges if merge.event_id is not None]
    result.unsought = [event_id for event_id in result.unsought if event_id is not None]
    result._resets = [reset for reset in result._resets if reset.merge is not None]
    causes = tuple(sorted(ids))[:_CAUSES]
    why = "; ".join(one.reason for one in lost[:SHOWN]), gravest(one.lack for one in lost)
    for event_id in result.outcomes:
        event = result.events[event_id]
        # The rules on create events read no state.
        if (event.type, event.state_key) != CREATE and was_checked(result, event_id):
            result.soft_failed.pop(event_id, None)
            result._read_at_arrival.pop(event_id, None)
            result._unchecked_for[event_id] = causes
            result._why_unchecked[event_id] = why
