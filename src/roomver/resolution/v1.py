"""State resolution of room version 1.

Source: https://spec.matrix.org/latest/rooms/v1/#state-resolution

How it works: R, the resolved state, is built in four passes, for power levels, join rules, members and
everything else. A pass resolves each conflicted key on its own, and its results are put into R when it ends.
The rules read only a few keys of R, and only these are looked up.
"""

from collections.abc import Mapping
from hashlib import sha1

from ..auth import Checker, check_against_state
from ..power import CREATE, POWER_LEVELS
from ..selection import SELECTING_MORE, select_auth_types
from ..types import EventId, StateKey
from .need import KnownEvents, Steps
from .problem import Problem
from .split import Split
from .trace import Check, Trace

# The passes in order. The last pass takes all other events, third-party invites included: no event is
# authorised by another event of that pass.
_PASSES = ("m.room.power_levels", "m.room.join_rules", "m.room.member")


# "Start by setting R to the union of the states to be resolved, excluding any conflicting events."
#
# "A conflict occurs between states where those states have different event_ids for the same
# (event_type, state_key). The events thus affected are said to be conflicting events."
def resolve_v1(problem: Problem) -> Steps[dict[StateKey, EventId]]:
    """Resolve by the algorithm of version 1.

    The states were split by the definition of later versions. Here a key that only some of the states have
    is not a conflict, and keeps its event.

    Returns:
        The event of each key for which the states differ.
    """
    split, known, trace = problem.split, problem.known, problem.trace
    skips = problem.skips
    resolved: dict[StateKey, EventId] = {}
    conflicts: dict[StateKey, list[EventId]] = {}
    # If only one event of a key is left, it wins unchecked, and R, as in Synapse, does not hold it during the
    # passes.
    alone: dict[StateKey, EventId] = {}
    for key, masks in split.conflicted.items():
        ids = [event_id for event_id in masks if event_id not in known.lost and not skips(event_id)]
        if len(masks) == 1:
            resolved[key] = next(iter(masks))
        elif len(ids) == 1:
            alone[key] = ids[0]
        elif ids:
            conflicts[key] = ids
    if trace is not None:
        trace.conflicted = {key: split.conflicted[key] for key in (*conflicts, *alone)}
        trace.unconflicted = {**split.unconflicted, **resolved}
    # These are the unconflicted events that the rules may read: ask for all of them at once.
    looked_at = _looked_at(split, resolved, conflicts, known)
    yield from known.need(looked_at.values())
    events = known.events
    known.check_room([event_id for event_id in looked_at.values() if event_id in events])
    # The part of R that the rules read. While the events of a key are checked, the key holds the event that
    # was accepted last.
    state = {
        key: events[event_id]
        for key, event_id in looked_at.items()
        if event_id in events and not skips(event_id)
    }

    checker = Checker(state)
    # "First we resolve conflicts between m.room.power_levels events. [...]
    # Repeat the above process for conflicts between m.room.join_rules events.
    # Repeat the above process for conflicts between m.room.member events."
    # The specification speaks of one list of events. Here, as in the servers, there is one list per key, and
    # the results of a pass are not in R before its end.
    for kind in _PASSES:
        decided = {}
        for key in [key for key in conflicts if key[0] == kind]:
            decided[key] = _first_that_fails_stops(key, conflicts.pop(key), checker, known, trace)
        resolved.update(decided)
        state.update((key, events[event_id]) for key, event_id in decided.items())
    # "No other events affect the authorisation rules, so for all other conflicts, just pick the event with
    # the highest depth and lowest sha1(event_id) that passes authentication in R and add it to R."
    decided = {key: _first_that_passes(key, ids, checker, known, trace) for key, ids in conflicts.items()}
    return {**resolved, **decided, **alone}


def _looked_at(
    split: Split,
    resolved: Mapping[StateKey, EventId],
    conflicts: Mapping[StateKey, list[EventId]],
    known: KnownEvents,
) -> dict[StateKey, EventId]:
    """Return the unconflicted events that the rules may read, by key."""
    wanted = {CREATE, POWER_LEVELS, ("m.room.join_rules", "")}
    # Equivalent to `select_auth_types` of each event, but faster. Beyond the three keys above, that selects
    # the member events of the sender and of the target. The target's key is the conflicted one. Only an
    # invite with a token and a restricted join need more.
    users = set()
    for ids in conflicts.values():
        for event_id in ids:
            event = known.events[event_id]
            users.add(event.sender)
            if event.type == "m.room.member" and not SELECTING_MORE.isdisjoint(event.content):
                wanted |= select_auth_types(event)
    wanted.update([("m.room.member", user) for user in users])
    found = {key: resolved.get(key) or split.get(key) for key in wanted}
    return {key: event_id for key, event_id in found.items() if event_id is not None}


# "Sort the list by ascending depth then descending sha1(event_id)."
def _sort(ids: list[EventId], known: KnownEvents) -> list[EventId]:
    """Return events by ascending depth, then descending sha1(event_id)."""
    events = known.events
    depths = {event_id: events[event_id].depth for event_id in ids}
    if len(set(depths.values())) == len(ids):  # the hash decides nothing
        return sorted(ids, key=depths.__getitem__)

    def sort_key(event_id: EventId) -> tuple[int, int]:
        digest = sha1(event_id.encode(), usedforsecurity=False).digest()
        return depths[event_id], -int.from_bytes(digest)

    return sorted(ids, key=sort_key)


# "Add the first event in the list to R. For each subsequent event in the list, check that the event would be
# allowed by the authorisation rules for a room in state R. If the event would be allowed, then update R with
# the event and continue with the next event in the list. If it would not be allowed, stop and continue
# below with m.room.join_rules events."
def _first_that_fails_stops(
    key: StateKey, ids: list[EventId], checker: Checker, known: KnownEvents, trace: Trace | None
) -> EventId:
    """Return the event of a key in one of the first three passes."""
    first, *others = _sort(ids, known)
    chosen = first
    if trace is not None:
        trace.checks.append(Check(first, key, key[0], None, True, None))
    state, events = checker.state, known.events
    for event_id in others:
        state[key] = events[chosen]
        allowed = checker.allows(events[event_id])
        if trace is not None:
            verdict = check_against_state(events[event_id], state)
            trace.checks.append(Check(event_id, key, key[0], verdict, allowed, chosen if allowed else None))
        if not allowed:
            break
        chosen = event_id
    state.pop(key, None)  # the result is not in R before the end of the pass
    return chosen


def _first_that_passes(
    key: StateKey, ids: list[EventId], checker: Checker, known: KnownEvents, trace: Trace | None
) -> EventId:
    """Return the event of a key in the last pass."""
    event_id = ""
    for event_id in reversed(_sort(ids, known)):
        event = known.events[event_id]
        allowed = checker.allows(event)
        if trace is not None:
            verdict = check_against_state(event, checker.state)
            trace.checks.append(Check(event_id, key, "rest", verdict, allowed, None))
        if allowed:
            return event_id
    # The specification does not say what happens if no event passes. Servers take the last one checked.
    if trace is not None:
        trace.checks.append(Check(event_id, key, "rest", None, True, None))
    return event_id
