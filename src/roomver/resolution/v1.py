"""State resolution of room version 1.

Source: https://spec.matrix.org/latest/rooms/v1/#state-resolution
"""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha1

from ..auth import check_against_state
from ..event import Event
from ..selection import auth_types
from ..types import EventId, StateKey
from .need import Known, Steps
from .split import Split
from .trace import Check, Trace


class _State(Mapping[StateKey, Event]):
    """*R*: the state resolved so far, as events, with one candidate on top."""

    __slots__ = ("_events", "_key", "_resolved", "_split", "candidate")

    def __init__(
        self, split: Split, resolved: Mapping[StateKey, EventId], events: Mapping[EventId, Event]
    ) -> None:
        self._split = split
        self._resolved = resolved
        self._events = events
        self._key: StateKey | None = None
        self.candidate: Event | None = None

    def put(self, key: StateKey, candidate: Event | None) -> None:
        """Put a candidate in a key's place; None for nothing."""
        self._key = key
        self.candidate = candidate

    def __getitem__(self, key: StateKey) -> Event:
        if key == self._key:
            found = self.candidate
        else:
            event_id = self._resolved.get(key) or self._split.get(key)
            found = None if event_id is None else self._events.get(event_id)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[StateKey]:
        raise NotImplementedError  # pragma: no cover - the rules look keys up, and never list them

    def __len__(self) -> int:
        raise NotImplementedError  # pragma: no cover


# The passes in order. What is left, third-party invites among it, is of no concern to the others.
_PASSES = ("m.room.power_levels", "m.room.join_rules", "m.room.member")


def resolve_v1(split: Split, known: Known, trace: Trace | None) -> Steps[dict[StateKey, EventId]]:
    """Resolve by the algorithm of version 1.

    Args:
        split: by the definition of later versions; a key that only some states have is no conflict
            here, and keeps its event.
        known: the events.
        trace: filled, if there is one.

    Returns:
        The event of each key in which the states differ.
    """
    # A conflict occurs where states have different event IDs for the same key: an absent one is none.
    resolved: dict[StateKey, EventId] = {}
    conflicts: dict[StateKey, list[EventId]] = {}
    for key, masks in split.conflicted.items():
        ids = [event_id for event_id in masks if event_id not in known.lost]
        if len(masks) == 1:
            resolved[key] = next(iter(masks))
        elif ids:
            conflicts[key] = ids
    if trace is not None:
        trace.unconflicted = {**split.unconflicted, **resolved}
        trace.conflicted = {key: split.conflicted[key] for key in conflicts}
    # The rules may look at any of these, and nothing else can be told to be needed beforehand.
    yield from known.need(_looked_at(split, resolved, conflicts, known))
    state = _State(split, resolved, known.events)

    # Start by setting R to the union of the states to be resolved, excluding any conflicting events.
    # Then conflicts between power levels, then between join rules, then between members: the list
    # of the specification is one for each key, and nothing of a pass is seen before its end.
    for kind in _PASSES:
        decided = {}
        for key in [key for key in conflicts if key[0] == kind]:
            decided[key] = _first_that_fails_stops(key, conflicts.pop(key), state, known, trace)
        resolved.update(decided)
    # No other events affect the authorisation rules: pick the one with the highest depth and lowest
    # sha1(event_id) that passes.
    decided = {key: _first_that_passes(key, ids, state, known, trace) for key, ids in conflicts.items()}
    resolved.update(decided)
    return resolved


def _looked_at(
    split: Split,
    resolved: Mapping[StateKey, EventId],
    conflicts: Mapping[StateKey, list[EventId]],
    known: Known,
) -> set[EventId]:
    wanted = {("m.room.create", "")}
    for ids in conflicts.values():
        for event_id in ids:
            wanted |= auth_types(known.events[event_id])
    found = [resolved.get(key) or split.get(key) for key in wanted]
    return {event_id for event_id in found if event_id is not None}


def _order(known: Known) -> Callable[[EventId], tuple[int, int]]:
    """Ascending depth, then descending sha1(event_id)."""

    def sort_key(event_id: EventId) -> tuple[int, int]:
        digest = sha1(event_id.encode(), usedforsecurity=False).digest()
        return known.events[event_id].depth, -int.from_bytes(digest)

    return sort_key


def _first_that_fails_stops(
    key: StateKey, ids: list[EventId], state: _State, known: Known, trace: Trace | None
) -> EventId:
    first, *others = sorted(ids, key=_order(known))
    # Add the first event in the list to R.
    chosen = first
    if trace is not None:
        trace.checks.append(Check(first, key, key[0], None, True, None))
    # For each subsequent event in the list, check that the event would be allowed by the rules for a
    # room in state R. If it would, update R and continue. If it would not, stop.
    for event_id in others:
        state.put(key, known.events[chosen])
        verdict = check_against_state(known.events[event_id], state)
        if trace is not None:
            replaced = chosen if verdict.allowed else None
            trace.checks.append(Check(event_id, key, key[0], verdict, verdict.allowed, replaced))
        if not verdict.allowed:
            break
        chosen = event_id
    state.put(key, None)
    return chosen


def _first_that_passes(
    key: StateKey, ids: list[EventId], state: _State, known: Known, trace: Trace | None
) -> EventId:
    event_id = ""
    state.put(key, None)
    for event_id in sorted(ids, key=_order(known), reverse=True):
        verdict = check_against_state(known.events[event_id], state)
        if trace is not None:
            trace.checks.append(Check(event_id, key, "rest", verdict, verdict.allowed, None))
        if verdict.allowed:
            return event_id
    # The specification does not say what if none passes; servers take the last.
    if trace is not None:
        trace.checks.append(Check(event_id, key, "rest", None, True, None))
    return event_id
