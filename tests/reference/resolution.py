"""State resolution of all room versions, as the specification defines it, without optimisation.

Source: https://spec.matrix.org/latest/rooms/v1/#state-resolution,
https://spec.matrix.org/latest/rooms/v2/#state-resolution and
https://spec.matrix.org/latest/rooms/v12/#state-resolution

Every definition is a function of its own, and nothing is cached between them. The authorisation rules are
the library's. The power levels that order events are not.

Where the pages are silent or ambiguous, this module follows the library:

- The full auth chain of a state includes the state's own events. Without them, an event that is in every
  state could be in the full conflicted set.
- A power event of type ``m.room.power_levels`` or ``m.room.join_rules`` has the state key ``""``. The create
  event is a power event too.
- *X* is enlarged only by events that are reached from a power event inside the full conflicted set. The graph
  that orders it has the direct edges between its members.
- In version 12, the create event that a room ID names counts as an auth event.
- If an event cites several power-levels events, which the rules forbid, the first one counts. The same holds
  for any key that the state lacks.
- An event that is not a state event is never applied.
- In version 1, a conflict is about a type and a state key. No result of a pass is seen before its end. If no
  event passes, the last one that was tried is taken.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha1
from itertools import chain
from typing import Any

from roomver import Event, check_against_state, select_auth_types

from . import auth

Key = tuple[str, str]
State = Mapping[Key, str]
Events = Mapping[str, Event]

INFINITE = float("inf")
CREATE = ("m.room.create", "")
POWER_LEVELS = ("m.room.power_levels", "")


def auth_events(event: Event, events: Events) -> list[str]:
    """Return the IDs of an event's auth events that are known."""
    cited = list(event.auth_event_ids)
    if event.room_version.identifier == "12" and event.type != "m.room.create":
        cited.append("$" + event.room_id[1:])
    return [event_id for event_id in cited if event_id in events]


def key_of(event: Event) -> tuple[str, str | None]:
    return event.type, event.state_key


# Definitions


def split(state_sets: Sequence[State]) -> tuple[dict[Key, str], set[str]]:
    """The unconflicted state map and the conflicted state set.

    If a given key K is present in every S_i with the same value V in each state map, then the pair
    (K, V) belongs to the unconflicted state map. Otherwise, V belongs to the conflicted state set.
    """
    unconflicted, conflicted = {}, set()
    for state in state_sets:
        for key, value in state.items():
            if all(key in other and other[key] == value for other in state_sets):
                unconflicted[key] = value
            else:
                conflicted.add(value)
    return unconflicted, conflicted


def auth_chain(event_id: str, events: Events) -> set[str]:
    """All of E's auth events, all of their auth events, and so on."""
    reached: set[str] = set()
    frontier = {event_id}
    while frontier:
        frontier = {a for e in frontier for a in auth_events(events[e], events)} - reached
        reached |= frontier
    return reached


def full_auth_chain(state: State, events: Events) -> set[str]:
    """The union of the auth chains for each event in S_i, and these events themselves."""
    here = [event_id for event_id in state.values() if event_id in events]
    return {*here, *chain.from_iterable(auth_chain(event_id, events) for event_id in here)}


def auth_difference(state_sets: Sequence[State], events: Events) -> set[str]:
    """If C_i is the full auth chain of S_i: the union of all C_i, minus their intersection."""
    chains: list[set[str]] = [full_auth_chain(state, events) for state in state_sets]
    return set().union(*chains) - chains[0].intersection(*chains)


def paths(start: str, ends: Collection[str], events: Events) -> Iterable[list[str]]:
    """Every path from an event, along auth_events, to another one of some events."""
    stack = [[start]]
    while stack:
        path = stack.pop()
        for parent in auth_events(events[path[-1]], events):
            longer = [*path, parent]
            if parent in ends:
                yield longer
            stack.append(longer)


def conflicted_state_subgraph(conflicted: Collection[str], events: Events) -> set[str]:
    """The union of all paths between any pair of events in the conflicted state set, endpoints included.

    It is found by enumerating the paths, of which there may be very many.
    """
    found: set[str] = set()
    for start in conflicted:
        for path in paths(start, conflicted, events):
            found.update(path)
    return found


def conflicted_state_subgraph_by_chains(conflicted: Collection[str], events: Events) -> set[str]:
    """The same: conflicted events, and events that are above one and below one in auth chains."""
    chains = {event_id: auth_chain(event_id, events) for event_id in events}
    return {
        event_id
        for event_id in events
        if any(e == event_id or event_id in chains[e] for e in conflicted)
        and any(e == event_id or e in chains[event_id] for e in conflicted)
    }


def is_power_event(event: Event) -> bool:
    """Tell whether an event might remove someone's ability to do something in the room."""
    if event.type in ("m.room.power_levels", "m.room.join_rules", "m.room.create"):
        return event.state_key == ""
    if event.type == "m.room.member":
        removed = event.content.get("membership") in ("leave", "ban")
        return removed and event.state_key is not None and event.sender != event.state_key
    return False


def set_x(full_conflicted_set: Collection[str], events: Events) -> set[str]:
    """Step 1: the power events, and the events of the full conflicted set in their auth chains."""
    x = {event_id for event_id in full_conflicted_set if is_power_event(events[event_id])}
    while True:
        larger = x | {a for e in x for a in auth_events(events[e], events) if a in full_conflicted_set}
        if larger == x:
            return x
        x = larger


def sender_level(event: Event, events: Events) -> float:
    """The power level of an event's sender when looking at its auth events."""
    version = int(event.room_version.identifier)
    cited = [events[event_id] for event_id in auth_events(event, events)]
    creates = [other for other in cited if key_of(other) == CREATE]
    power_levels = [other for other in cited if key_of(other) == POWER_LEVELS]
    if version >= 12:
        if key_of(event) == CREATE:
            creates = [event]
        more: Any = creates[0].content.get("additional_creators") if creates else None
        if creates and event.sender in [creates[0].sender, *(more if isinstance(more, list) else [])]:
            return INFINITE
    if not power_levels:
        if not creates:
            return 0
        creator = creates[0].content.get("creator") if version <= 10 else creates[0].sender
        return 100 if creator == event.sender else 0
    content = power_levels[0].content
    users = content.get("users")
    level = auth.level(users.get(event.sender), version) if isinstance(users, dict) else None
    if level is None:
        level = auth.level(content.get("users_default"), version)
    return 0 if level is None else level


def reverse_topological_power_ordering(event_ids: Collection[str], events: Events) -> list[str]:
    """At each step, take the smallest event whose auth events in the set have all been taken."""

    def comparison(event_id: str) -> tuple[float, int, str]:
        event = events[event_id]
        return -sender_level(event, events), event.origin_server_ts, event_id

    left = set(event_ids)
    ordered: list[str] = []
    while left:
        candidates = [e for e in left if not left.intersection(auth_events(events[e], events))]
        smallest = min(candidates, key=comparison)
        ordered.append(smallest)
        left.remove(smallest)
    return ordered


def power_levels_of(event_id: str, events: Events) -> str | None:
    """The m.room.power_levels event in the auth_events of an event."""
    for cited in events[event_id].auth_event_ids:
        if cited in events and key_of(events[cited]) == POWER_LEVELS:
            return cited
    return None


def mainline_of(p: str | None, events: Events) -> list[str]:
    """[P_0, P_1, ..., P_n], where P_i+1 is the m.room.power_levels event in the auth_events of P_i."""
    mainline = []
    while p is not None and p in events:
        mainline.append(p)
        p = power_levels_of(p, events)
    return mainline


def mainline_position(event_id: str, mainline: Sequence[str], events: Events) -> float:
    """The index i of the first e_j, j ≥ 1, that belongs to the mainline of P; otherwise ∞."""
    listed = mainline_of(power_levels_of(event_id, events), events)
    for e_j in listed:
        if e_j in mainline:
            return mainline.index(e_j)
    return INFINITE


def mainline_ordering(event_ids: Iterable[str], mainline: Sequence[str], events: Events) -> list[str]:
    """Greater position first, then the earlier timestamp, then the smaller event ID."""

    def comparison(event_id: str) -> tuple[float, int, str]:
        position = mainline_position(event_id, mainline, events)
        return -position, events[event_id].origin_server_ts, event_id

    return sorted(event_ids, key=comparison)


class Resolution:
    """The resolution of states by the algorithm of version 2 or 2.1, with its intermediate results.

    Attributes:
        unconflicted, conflicted, auth_difference, subgraph, full_conflicted_set, power_order,
        partial_state, mainline, mainline_order, state: see the definitions.
        checks: each event that was tried, and whether it was allowed.
    """

    def __init__(
        self,
        state_sets: Sequence[State],
        events: Events,
        *,
        v2_1: bool,
        rejected: Collection[str] = (),
        skip_rejected: bool = False,
        enumerate_paths: bool = False,
    ) -> None:
        self.events = events
        self.rejected = rejected
        self.skip_rejected = skip_rejected
        self.checks: list[tuple[str, bool]] = []

        self.unconflicted, conflicted = split(state_sets)
        self.conflicted = {event_id for event_id in conflicted if event_id in events}
        self.auth_difference = auth_difference(state_sets, events) if self.conflicted else set()
        self.subgraph: set[str] = set()
        if v2_1 and enumerate_paths:
            self.subgraph = self.conflicted | conflicted_state_subgraph(self.conflicted, events)
        elif v2_1:
            self.subgraph = conflicted_state_subgraph_by_chains(self.conflicted, events)
        self.full_conflicted_set = self.conflicted | self.auth_difference | self.subgraph

        # 1. Select the set X, enlarge it, and sort it.
        x = set_x(self.full_conflicted_set, events)
        self.power_order = reverse_topological_power_ordering(x, events)
        # 2. Apply the iterative auth checks algorithm, starting from the unconflicted state map (in
        #    version 12: an empty state map).
        start = {} if v2_1 else self.unconflicted
        self.partial_state = self.iterative_auth_checks(start, self.power_order)
        # 3. Take all remaining events and order them by the mainline ordering.
        self.mainline = mainline_of(self.partial_state.get(POWER_LEVELS), events)
        self.mainline_order = mainline_ordering(self.full_conflicted_set - x, self.mainline, events)
        # 4. Apply the iterative auth checks algorithm on the partial resolved state.
        state = self.iterative_auth_checks(self.partial_state, self.mainline_order)
        # 5. Update the result by replacing any event with the event with the same key from the
        #    unconflicted state map, if such an event exists.
        self.state = {**state, **self.unconflicted}

    def iterative_auth_checks(self, initial: State, ordered: Iterable[str]) -> dict[Key, str]:
        events, rejected = self.events, self.rejected
        state = dict(initial)
        for event_id in ordered:
            event = events[event_id]
            if event.state_key is None or (self.skip_rejected and event_id in rejected):
                continue
            # If a key that is required is not present in the state, then the appropriate state event
            # from the event's auth_events is used if the auth event is not rejected.
            required: dict[Key, Event] = {}
            for key in [CREATE, *select_auth_types(event)]:
                current = state.get(key)
                if self.skip_rejected and current in rejected:
                    current = None
                if current is not None and current in events:
                    required[key] = events[current]
                    continue
                for cited in auth_events(event, events):
                    if key_of(events[cited]) == key and cited not in rejected:
                        required[key] = events[cited]
                        break
            allowed = check_against_state(event, required).allowed
            self.checks.append((event_id, allowed))
            if allowed:
                state[event.type, event.state_key] = event_id
        return state


# Version 1


def resolve_v1(state_sets: Sequence[State], events: Events, skipped: Collection[str] = ()) -> dict[Key, str]:
    """Resolve states by the algorithm of version 1.

    Events that are missing or skipped are left out of conflicts, and no event is checked against them. If one
    event is left of a conflict, no event is checked against it either, as in Synapse.
    """
    events = {event_id: event for event_id, event in events.items() if event_id not in skipped}
    keys = {key for state in state_sets for key in state}
    values = {key: {state[key] for state in state_sets if key in state} for key in keys}
    # Start by setting R to the union of the states to be resolved, excluding any conflicting events.
    r = {key: min(ids) for key, ids in values.items() if len(ids) == 1}
    conflicts: dict[Key, list[str]] = {}
    alone = {}
    for key, all_ids in values.items():
        left = [event_id for event_id in all_ids if event_id in events]
        if len(all_ids) > 1 and len(left) == 1:
            alone[key] = left[0]
        elif len(all_ids) > 1:
            conflicts[key] = left  # may be empty

    def digest(event_id: str) -> int:
        return int(sha1(event_id.encode(), usedforsecurity=False).hexdigest(), 16)

    def allowed(event_id: str, room: Mapping[Key, str]) -> bool:
        state = {key: events[e] for key, e in room.items() if e in events}
        return check_against_state(events[event_id], state).allowed

    for kind in ("m.room.power_levels", "m.room.join_rules", "m.room.member"):
        before = dict(r)
        for key, ids in conflicts.items():
            if key[0] != kind or not ids:
                continue
            # Sort the list by ascending depth then descending sha1(event_id).
            listed = sorted(ids, key=lambda e: (events[e].depth, -digest(e)))
            # Add the first event in the list to R. For each subsequent event, check that it would be
            # allowed for a room in state R. If so, update R and continue. If not, stop.
            room = {**before, key: listed[0]}
            for event_id in listed[1:]:
                if not allowed(event_id, room):
                    break
                room[key] = event_id
            r[key] = room[key]

    # For all other conflicts, pick the event with the highest depth and lowest sha1(event_id) that
    # passes authentication in R.
    before = dict(r)
    for key, ids in conflicts.items():
        if key in r or not ids:
            continue
        listed = sorted(ids, key=lambda e: (-events[e].depth, digest(e)))
        r[key] = next((event_id for event_id in listed if allowed(event_id, before)), listed[-1])
    return {**r, **alone}
