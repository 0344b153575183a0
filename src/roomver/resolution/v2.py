"""State resolution of room versions 2 to 11 (version 2) and of 12 (version 2.1).

Source: https://spec.matrix.org/latest/rooms/v2/#state-resolution and
https://spec.matrix.org/latest/rooms/v12/#state-resolution

Where the specification and the servers read differently, the comments say so. The steps are numbered as
in its section "Algorithm".
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from math import inf

from ..auth import check_against_state
from ..errors import CyclicGraph
from ..event import Event
from ..graph import lexicographic_topological_sort
from ..power import CREATE, POWER_LEVELS, Level, Levels
from ..selection import select_auth_types
from ..types import EventId, StateKey
from ..versions import RoomIdForm, StateResolution
from .need import Known, Steps
from .problem import Problem
from .room_graph import RoomGraph, auth_parents
from .split import Split
from .trace import Check

_NO_STATE = Split({}, {})


def resolve_v2(problem: Problem) -> Steps[dict[StateKey, EventId]]:
    """Resolve by the algorithm of version 2 or 2.1.

    Returns:
        The resolved event of each key that the states do not agree on: keys that none of them has are
        among them, if an event for one was replayed.
    """
    known, trace, split = problem.known, problem.trace, problem.split
    full = yield from _full_conflicted_set(problem)
    yield from known.need(full)
    full = {event_id for event_id in full if event_id in known.events}
    known.check_room(full)
    events = known.events
    # Levels, and what a check falls back on, come from the events' own auth events.
    yield from known.need({parent for event_id in full for parent in auth_parents(events[event_id])})

    # 1. Select the set X of all power events that appear in the full conflicted set. For each such
    #    power event P, enlarge X by adding the events in the auth chain of P which also belong to the
    #    full conflicted set. Sort X into a list using the reverse topological power ordering.
    power_order = _power_order(full, known)

    # 2. Apply the iterative auth checks algorithm, starting from the unconflicted state map (in
    #    version 2.1: from an empty state map), to the list of events from the previous step to get a
    #    partially resolved state.
    base = _NO_STATE if problem.algorithm is StateResolution.V2_1 else split
    changes: dict[StateKey, EventId] = {}
    yield from known.prefetch(lambda: _looked_up(full, base, known))
    yield from _iterative_auth_checks(power_order, "power", base, changes, problem)

    # 3. Take all remaining events that weren't picked in step 1 and order them by the mainline
    #    ordering based on the power level in the partially resolved state obtained in step 2.
    picked = set(power_order)
    remaining = [event_id for event_id in full if event_id not in picked]
    power_levels = changes.get(POWER_LEVELS) or base.get(POWER_LEVELS)
    mainline = yield from _mainline(power_levels, known)
    mainline_order = yield from _mainline_order(remaining, mainline, known)
    if trace is not None:
        trace.power_order = tuple(power_order)
        trace.partial_state = {**base.unconflicted, **changes}
        trace.mainline = tuple(mainline)
        trace.mainline_order = tuple(mainline_order)

    # 4. Apply the iterative auth checks algorithm on the partial resolved state and the list of
    #    events from the previous step.
    yield from _iterative_auth_checks(mainline_order, "mainline", base, changes, problem)

    # 5. Update the result by replacing any event with the event with the same key from the
    #    unconflicted state map, if such an event exists, to get the final resolved state.
    result = {}
    for key, event_id in changes.items():
        agreed = split.get(key)
        if agreed is None:
            result[key] = event_id
        elif trace is not None and agreed != event_id:
            trace.restored[key] = event_id
    return result


def _looked_up(event_ids: Iterable[EventId], base: Split, known: Known) -> set[EventId]:
    """Return what the checks of some events will look up in the state that they start from."""
    keys = {key for event_id in event_ids for key in select_auth_types(known.events[event_id])}
    return {event_id for key in keys if (event_id := base.get(key)) is not None}


def _full_conflicted_set(problem: Problem) -> Steps[set[EventId]]:
    """The union of the conflicted state set, the auth difference and, in version 2.1, the conflicted
    state subgraph."""
    known, trace = problem.known, problem.trace
    conflicted = problem.split.conflicted_ids - known.lost
    subgraph_wanted = problem.algorithm is StateResolution.V2_1
    difference = problem.auth_difference
    subgraph = problem.conflicted_subgraph if subgraph_wanted else ()
    if difference is None or subgraph is None:
        masks = {
            event_id: mask
            for by_id in problem.split.conflicted.values()
            for event_id, mask in by_id.items()
            if event_id in conflicted
        }
        graph = problem.graph
        if graph is None:
            graph, is_shared = yield from _graph_of_chains(problem, conflicted, known)
        else:
            is_shared = _shared_by_key(problem.split, known)
        if difference is None:
            difference = graph.auth_difference(masks, (1 << problem.states) - 1, is_shared)
        if subgraph is None:
            subgraph = graph.conflicted_subgraph(conflicted)
    if trace is not None:
        trace.auth_difference = frozenset(difference)
        trace.conflicted_subgraph = frozenset(subgraph)
        trace.full_conflicted_set = frozenset(conflicted.union(difference, subgraph))
    return conflicted.union(difference, subgraph)


def _shared_by_key(split: Split, known: Known) -> Callable[[EventId], bool]:
    """Tell whether an event is in every state by looking up its key, which costs nothing to set up; a
    set of the IDs is made only if an event comes up that is not at hand."""
    events = known.events
    ids: set[EventId] | None = None

    def is_shared(event_id: EventId) -> bool:
        nonlocal ids
        event = events.get(event_id)
        if event is not None:
            return event.state_key is not None and split.get((event.type, event.state_key)) == event_id
        if ids is None:
            ids = set(split.unconflicted.values())
        return event_id in ids

    return is_shared


def _graph_of_chains(
    problem: Problem, conflicted: Collection[EventId], known: Known
) -> Steps[tuple[RoomGraph, Callable[[EventId], bool]]]:
    """Without a graph of the room: make one of the auth chains of the conflicted events alone, and
    gather the auth chains of the unconflicted ones as a set, level by level in C."""
    chains = yield from _closure(conflicted, known)
    shared = yield from _closure(problem.split.unconflicted.values(), known)
    events = known.events
    graph = RoomGraph()
    graph.extend({e: [p for p in auth_parents(events[e]) if p in events] for e in chains})
    return graph, shared.__contains__


def _closure(event_ids: Iterable[EventId], known: Known) -> Steps[set[EventId]]:
    """Return events and all that lies above them."""
    reached: set[EventId] = set()
    level = set(event_ids)
    while level:
        yield from known.need(level)
        level -= known.lost
        reached |= level
        events = known.events
        level = set().union(*[auth_parents(events[event_id]) for event_id in level])
        level -= reached
        level -= known.lost
    return reached


def _is_power_event(event: Event) -> bool:
    """A power event is one that might remove someone's ability to do something in the room.

    The definition names the types of power levels and join rules alone. Synapse and ruma ask for the
    state key "" as well, and count the create event; so does this.
    """
    kind, state_key = event.type, event.state_key
    if kind == "m.room.member":
        banned_or_kicked = event.content.get("membership") in ("leave", "ban")
        return banned_or_kicked and state_key is not None and event.sender != state_key
    return state_key == "" and kind in ("m.room.power_levels", "m.room.join_rules", "m.room.create")


def _power_order(full: set[EventId], known: Known) -> list[EventId]:
    """Step 1: X, in reverse topological power ordering."""
    events = known.events
    picked = {event_id for event_id in full if _is_power_event(events[event_id])}
    # The auth chains are followed through the full conflicted set alone, as Synapse and ruma do: a
    # chain that leaves it and comes back does not count, which matters where an unconflicted event
    # lies between.
    stack = list(picked)
    while stack:
        for parent in auth_parents(events[stack.pop()]):
            if parent in full and parent not in picked:
                picked.add(parent)
                stack.append(parent)

    def sort_key(event_id: EventId) -> tuple[Level, int, EventId]:
        event = events[event_id]
        return -_sender_level(event, events), event.origin_server_ts, event_id

    return lexicographic_topological_sort(
        sorted(picked), lambda event_id: auth_parents(events[event_id]), sort_key
    )


def _sender_level(event: Event, events: Mapping[EventId, Event]) -> Level:
    """The level of an event's sender by the event's own auth events; of a power-levels event that is
    the level before it."""
    power_levels = create = None
    by_room_id = event.room_version.room_id_form is RoomIdForm.CREATE_HASH
    if by_room_id and (event.type, event.state_key) == CREATE:
        create = event
    for parent in auth_parents(event):
        other = events.get(parent)
        if other is None:
            continue
        if other.state_key == "":
            if other.type == "m.room.power_levels" and power_levels is None:
                power_levels = other
            elif other.type == "m.room.create" and create is None:
                create = other
    return Levels(create, power_levels).user(event.sender)


def _iterative_auth_checks(
    order: Iterable[EventId],
    phase: str,
    base: Split,
    changes: dict[StateKey, EventId],
    problem: Problem,
) -> Steps[None]:
    """Try each event on the state, and let it take its place if the rules allow it.

    The state is `base` with `changes` on top; it is grown in `changes`.
    """
    known, trace = problem.known, problem.trace
    rejected, skip_rejected = problem.rejected, problem.skip_rejected
    # Invariant: the events of the state as far as a check has looked at it, and the keys that were
    # looked at and had none. One dict that grows, and not a new one for each check, saves a tenth
    # of a resolution that is mostly checks.
    state: dict[StateKey, Event] = {}
    absent: set[StateKey] = set()
    for event_id in order:
        if skip_rejected and event_id in rejected:
            continue
        event = known.events[event_id]
        state_key = event.state_key
        # The list is one of state events: a message that some event cites against the rules is none.
        if state_key is None:
            continue
        needed: Collection[StateKey] = select_auth_types(event)
        if not event.room_version.create_in_auth_events:
            needed = {CREATE, *needed}
        seen: Mapping[StateKey, Event] = state
        lacking = [key for key in needed if key not in state]
        if lacking:
            current: dict[StateKey, EventId] = {}
            for key in lacking:
                if key not in absent:
                    current_id = changes.get(key) or base.get(key)
                    if current_id is None:
                        absent.add(key)
                    else:
                        current[key] = current_id
            if current:
                if known.lacks(current.values()):
                    yield from known.need(current.values())
                events = known.events
                found = []
                for key, current_id in current.items():
                    other = events.get(current_id)
                    if other is None or (skip_rejected and current_id in rejected):
                        absent.add(key)
                    else:
                        found.append(current_id)
                        state[key] = other
                known.check_room(found)
            events = known.events
            if not absent.isdisjoint(lacking):
                # If a key that is required for the rules is not in the state, the event's own auth
                # event is used, if that is not rejected. In version 12 the create event counts as one.
                own: dict[StateKey, Event] = {}
                for parent in auth_parents(event):
                    other = events.get(parent)
                    if other is not None and other.state_key is not None and parent not in rejected:
                        own.setdefault((other.type, other.state_key), other)
                own.update((key, state[key]) for key in needed if key in state)
                seen = own
        verdict = check_against_state(event, seen)
        key = (event.type, state_key)
        if trace is not None:
            replaced = changes.get(key) or base.get(key)
            trace.checks.append(
                Check(event_id, key, phase, verdict, verdict.allowed, replaced if verdict.allowed else None)
            )
        # If the state event is not allowed by the rules, then it is ignored.
        if verdict.allowed:
            changes[key] = event_id
            state[key] = event


def _power_levels_cited(event_id: EventId, known: Known) -> Steps[EventId | None]:
    """The m.room.power_levels event in an event's auth events: that of the room, with state key ""."""
    parents = known.events[event_id].auth_event_ids
    if known.lacks(parents):
        yield from known.need(parents)
    return _first_power_levels(parents, known.events)


def _first_power_levels(parents: Iterable[EventId], events: Mapping[EventId, Event]) -> EventId | None:
    for parent in parents:
        other = events.get(parent)
        if other is not None and other.type == "m.room.power_levels" and other.state_key == "":
            return parent
    return None


def _mainline(power_levels: EventId | None, known: Known) -> Steps[list[EventId]]:
    """The mainline of P: P, the power levels that it cites, and so on, newest first. Empty without P: in
    version 2.1 the partial state may have none, and then what the states agree on does not count.

    Raises:
        CyclicGraph: if power levels cite each other. Where the graph is the caller's, nothing before
            this has looked at them.
    """
    mainline: dict[EventId, None] = {}
    current = power_levels
    while current is not None:
        if current in mainline:
            raise CyclicGraph(mainline)
        yield from known.need((current,))
        if current not in known.events:
            break
        mainline[current] = None
        current = yield from _power_levels_cited(current, known)
    return list(mainline)


def _mainline_order(
    event_ids: Iterable[EventId], mainline: list[EventId], known: Known
) -> Steps[list[EventId]]:
    """Step 3: events in mainline ordering.

    Raises:
        CyclicGraph: if power levels cite each other.
    """
    # An event that rests on no power levels of the mainline has position infinity, and so comes
    # before all others: also before those that rest on the oldest.
    position: dict[EventId, Level] = {event_id: index for index, event_id in enumerate(mainline)}
    keys = []
    for event_id in event_ids:
        # The auth events of these are known: they were asked for with the full conflicted set.
        event = known.events[event_id]
        current = _first_power_levels(event.auth_event_ids, known.events)
        found = inf if current is None else position.get(current)
        if found is None:
            found = yield from _find_position(current, position, known)
        keys.append((-found, event.origin_server_ts, event_id))
    keys.sort()
    return [event_id for _, _, event_id in keys]


def _find_position(current: EventId | None, position: dict[EventId, Level], known: Known) -> Steps[Level]:
    """The position of the first power levels of the mainline that some power levels lead to; it is noted
    for all on the way."""
    # Invariant: no power levels on the path have a position yet; all get the one that ends it.
    path: dict[EventId, None] = {}
    while current is not None and current not in position and current in known.events:
        if current in path:
            raise CyclicGraph(path)
        path[current] = None
        current = yield from _power_levels_cited(current, known)
    found = inf if current is None else position.get(current, inf)
    position.update(dict.fromkeys(path, found))
    return found
