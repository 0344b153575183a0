"""Compare an anonymised room with the room that it was made of: what the new event IDs changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..replay import Replay
from ..room_check import RoomCheck
from ..state import entries_of
from ..types import EventId, StateKey, StateMap
from .names import Names

__all__ = ["Changes", "compare"]

_MOST_COMPARED: Final = 5_000_000  # entries of states before merges


@dataclass(slots=True)
class Changes:
    """What differs between a room and the anonymised one, in the names of the anonymised one.

    Attributes:
        events: events that are decided differently, each with what it was and what it is.
        keys: the keys of the current state that have another event.
        merges: the events before which states merge differently.
        extremities: forward extremities that only one of the rooms has.
        current_known: whether only one of the current states is known.
        compared_all: whether all merges were compared.
    """

    events: dict[EventId, tuple[str, str]] = field(default_factory=dict)
    keys: list[StateKey] = field(default_factory=list)
    merges: list[EventId] = field(default_factory=list)
    extremities: list[EventId] = field(default_factory=list)
    current_known: bool = False
    compared_all: bool = True

    @property
    def none(self) -> bool:
        """Whether nothing differs."""
        found = self.events or self.keys or self.merges or self.extremities or self.current_known
        return not found


def compare(old: RoomCheck, new: RoomCheck, names: Names) -> Changes:
    """Compare the results for a room and for the anonymised one.

    Cost: linear in the events, and in the states before merges up to a bound.
    """
    changes = Changes()
    ids = names.events
    was = {ids[one]: _decision(old, one) for one in ids if one in old.gathered.events}
    now = {one: _decision(new, one) for one in new.gathered.events}
    for one in dict.fromkeys((*was, *now)):
        before, after = was.get(one, "dropped"), now.get(one, "dropped")
        if before != after:
            changes.events[one] = before, after
    ends = {ids[one] for one in old.replay.forward_extremities}
    changes.extremities = sorted(ends.symmetric_difference(new.replay.forward_extremities))
    states = old.replay.current_state, new.replay.current_state
    changes.current_known = (states[0] is None) is not (states[1] is None)
    if states[0] is not None and states[1] is not None:
        changes.keys = _differing(states[0], states[1], names)
    _compare_merges(old.replay, new.replay, names, changes)
    return changes


def _decision(found: RoomCheck, event_id: EventId) -> str:
    outcome = found.replay.outcomes.get(event_id)
    if outcome is None:
        return "not judged"
    if event_id in found.replay.soft_failed:
        return "soft-failed"
    return outcome.status.value


def _differing(old: StateMap[EventId], new: StateMap[EventId], names: Names) -> list[StateKey]:
    expected = {names.state_key(key): names.events[one] for key, one in entries_of(old).items()}
    found: Mapping[StateKey, EventId] = entries_of(new)
    return sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))


def _compare_merges(old: Replay, new: Replay, names: Names, changes: Changes) -> None:
    left = _MOST_COMPARED
    for merge in old.merges:
        if merge.event_id is None:
            continue  # the current state
        one = names.events[merge.event_id]
        if one not in new.events:
            continue
        before, after = old.state_before(merge.event_id), new.state_before(one)
        if before is None or after is None:
            continue  # a decision tells
        left -= len(entries_of(before))
        if left < 0:
            changes.compared_all = False
            return
        if _differing(before, after, names):
            changes.merges.append(one)
