"""State resolution of room version 1.

Source: https://spec.matrix.org/latest/rooms/v1/#state-resolution
"""

from collections.abc import Container, Mapping
from hashlib import sha1
from typing import Final

from ..auth import check_against_state
from ..event import Event
from ..power import CREATE, POWER_LEVELS
from ..selection import select_auth_types
from ..types import EventId, StateKey
from .need import Known, Steps
from .problem import Problem
from .split import Split
from .trace import Check, Trace

# The passes in order. What is left, third-party invites among it, is of no concern to the others.
_PASSES = ("m.room.power_levels", "m.room.join_rules", "m.room.member")


def resolve_v1(problem: Problem) -> Steps[dict[StateKey, EventId]]:
    """Resolve by the algorithm of version 1.

    The states are split by the definition of later versions; a key that only some have is no conflict here,
    and keeps its event.

    Returns:
        The event of each key in which the states differ.
    """
    split, known, trace = problem.split, problem.known, problem.trace
    skipped: Container[EventId] = problem.rejected if problem.skip_rejected else ()
    # A conflict occurs where states have different event IDs for the same key: an absent one is none.
    resolved: dict[StateKey, EventId] = {}
    conflicts: dict[StateKey, list[EventId]] = {}
    # Where all but one are left out, that one stays untried. As in Synapse, no rule looks at it.
    alone: dict[StateKey, EventId] = {}
    for key, masks in split.conflicted.items():
        ids = [event_id for event_id in masks if event_id not in known.lost and event_id not in skipped]
        if len(masks) == 1:
            resolved[key] = next(iter(masks))
        elif len(ids) == 1:
            alone[key] = ids[0]
        elif ids:
            conflicts[key] = ids
    if trace is not None:
        trace.conflicted = {key: split.conflicted[key] for key in (*conflicts, *alone)}
        trace.unconflicted = {**split.unconflicted, **resolved}
    # The rules may look at any of these, and nothing else can be told to be needed beforehand.
    looked_at = _looked_at(split, resolved, conflicts, known)
    yield from known.need(looked_at.values())
    events = known.events
    known.check_room([event_id for event_id in looked_at.values() if event_id in events])
    # R, as far as the rules look at it; a candidate is put into the place of its key while others are tried.
    state = {
        key: events[event_id]
        for key, event_id in looked_at.items()
        if event_id in events and event_id not in skipped
    }

    # Start by setting R to the union of the states to be resolved, excluding any conflicting events.
    # Then conflicts between power levels, then between join rules, then between members: the list
    # of the specification is one for each key, and nothing of a pass is seen before its end.
    for kind in _PASSES:
        decided = {}
        for key in [key for key in conflicts if key[0] == kind]:
            decided[key] = _first_that_fails_stops(key, conflicts.pop(key), state, known, trace)
        resolved.update(decided)
        state.update((key, events[event_id]) for key, event_id in decided.items())
    # No other events affect the authorisation rules: pick the one with the highest depth and lowest
    # sha1(event_id) that passes.
    decided = {key: _first_that_passes(key, ids, state, known, trace) for key, ids in conflicts.items()}
    return {**resolved, **decided, **alone}


_SELECTED: Final = frozenset({"third_party_invite", "join_authorised_via_users_server"})
"""What makes a membership look at more than the members that it speaks of."""


def _looked_at(
    split: Split,
    resolved: Mapping[StateKey, EventId],
    conflicts: Mapping[StateKey, list[EventId]],
    known: Known,
) -> dict[StateKey, EventId]:
    """The events without a conflict that the rules may look at, by key."""
    wanted = {CREATE, POWER_LEVELS, ("m.room.join_rules", "")}
    # The selection of each event, with less ado: but for these keys, the token of an invite and the
    # authoriser of a restricted join, it is the member events of its sender and of its target, whose
    # key is the one in conflict.
    users = set()
    for ids in conflicts.values():
        for event_id in ids:
            event = known.events[event_id]
            users.add(event.sender)
            if event.type == "m.room.member" and not _SELECTED.isdisjoint(event.content):
                wanted |= select_auth_types(event)
    wanted.update([("m.room.member", user) for user in users])
    found = {key: resolved.get(key) or split.get(key) for key in wanted}
    return {key: event_id for key, event_id in found.items() if event_id is not None}


def _in_order(ids: list[EventId], known: Known) -> list[EventId]:
    """Ascending depth, then descending sha1(event_id)."""
    events = known.events
    depths = {event_id: events[event_id].depth for event_id in ids}
    if len(set(depths.values())) == len(ids):  # nothing for the hash to decide
        return sorted(ids, key=depths.__getitem__)

    def sort_key(event_id: EventId) -> tuple[int, int]:
        digest = sha1(event_id.encode(), usedforsecurity=False).digest()
        return depths[event_id], -int.from_bytes(digest)

    return sorted(ids, key=sort_key)


def _first_that_fails_stops(
    key: StateKey, ids: list[EventId], state: dict[StateKey, Event], known: Known, trace: Trace | None
) -> EventId:
    first, *others = _in_order(ids, known)
    # Add the first event in the list to R.
    chosen = first
    if trace is not None:
        trace.checks.append(Check(first, key, key[0], None, True, None))
    # For each subsequent event in the list, check that the event would be allowed by the rules for a
    # room in state R. If it would, update R and continue. If it would not, stop.
    for event_id in others:
        state[key] = known.events[chosen]
        verdict = check_against_state(known.events[event_id], state)
        if trace is not None:
            replaced = chosen if verdict.allowed else None
            trace.checks.append(Check(event_id, key, key[0], verdict, verdict.allowed, replaced))
        if not verdict.allowed:
            break
        chosen = event_id
    state.pop(key, None)  # nothing of a pass is seen before its end
    return chosen


def _first_that_passes(
    key: StateKey, ids: list[EventId], state: dict[StateKey, Event], known: Known, trace: Trace | None
) -> EventId:
    event_id = ""
    for event_id in reversed(_in_order(ids, known)):
        verdict = check_against_state(known.events[event_id], state)
        if trace is not None:
            trace.checks.append(Check(event_id, key, "rest", verdict, verdict.allowed, None))
        if verdict.allowed:
            return event_id
    # The specification does not say what if none passes; servers take the last.
    if trace is not None:
        trace.checks.append(Check(event_id, key, "rest", None, True, None))
    return event_id
