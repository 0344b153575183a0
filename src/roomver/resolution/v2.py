"""State resolution of room versions 2 to 11 (version 2) and of version 12 (version 2.1).

Source: https://spec.matrix.org/latest/rooms/v2/#state-resolution and
https://spec.matrix.org/latest/rooms/v12/#state-resolution

How it works: `resolve_v2` is the specification's section "Algorithm", step by step. Each other function is
one of its definitions, which is quoted above the function. Where the servers interpret a definition
differently, a comment says so.

* The states are already split (`split`), so the work is proportional to the differences.
* `_full_conflicted_set` takes the auth difference and the conflicted state subgraph from the room's
  `RoomGraph`. Without one, it builds a graph of the auth chains of the conflicted events.
* The resolved state is never built here. It is `base`, the state that the checks start from, with `changes`
  on top; the result is these changes.
* `_power_order` and `order_by_mainline` sort. `iterative_auth_checks` applies the sorted events to the state.
* Every function that may need an event which is not known yet is a generator: it asks by yielding event IDs
  (`need`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ..errors import UnknownState
from ..event import Event
from ..ordering import lexicographic_topological_sort
from ..power import CREATE, POWER_LEVELS, Level, Levels
from ..selection import select_auth_types
from ..state import lack_of
from ..types import EventId, StateKey
from ..versions import RoomIdForm, RoomVersion, StateResolution
from .iterative import StateView, iterative_auth_checks
from .mainlines import mainline_of, order_by_mainline
from .need import KnownEvents, Steps, room_of
from .problem import Problem
from .room_graph import RoomGraph
from .split import Split

_NO_STATE = Split({}, {})


def resolve_v2(problem: Problem, conflicted: set[EventId]) -> Steps[dict[StateKey, EventId]]:
    """Resolve by the algorithm of version 2 or 2.1.

    Args:
        problem: what to resolve.
        conflicted: the conflicted state set, without missing events. All others are known.

    Returns:
        The resolved event of each key that the states do not agree on. That includes a key that no state
        has, if one of its events was in the auth difference or the subgraph and was allowed.
    """
    known, trace, split = problem.known, problem.trace, problem.split
    power_events: set[EventId] = set()
    parents: set[EventId] = set()
    _visit(conflicted, known, power_events, parents)
    full = yield from _full_conflicted_set(problem, conflicted)
    yield from known.need(full)
    full -= known.lost
    _visit(full - conflicted, known, power_events, parents)
    # The senders' levels, and the events that a check falls back on, come from the auth events.
    if parents:
        yield from known.need(parents)

    # 1. Select the set X of all power events that appear in the full conflicted set. For each such
    #    power event P, enlarge X by adding the events in the auth chain of P which also belong to the
    #    full conflicted set. Sort X into a list using the reverse topological power ordering.
    power_order = _power_order(power_events, full, known)

    # 2. Apply the iterative auth checks algorithm, starting from the unconflicted state map (in
    #    version 2.1: from an empty state map), to the list of events from the previous step to get a
    #    partially resolved state.
    base = _NO_STATE if problem.algorithm is StateResolution.V2_1 else split
    changes: dict[StateKey, EventId] = {}
    yield from known.prefetch(lambda: _event_ids_read(full, base, known))
    view = StateView(base, changes, problem)
    yield from iterative_auth_checks(power_order, "power", view)

    # 3. Take all remaining events that weren't picked in step 1 and order them by the mainline
    #    ordering based on the power level in the partially resolved state obtained in step 2.
    picked = set(power_order)
    remaining = [event_id for event_id in full if event_id not in picked]
    power_levels = changes.get(POWER_LEVELS) or base.get(POWER_LEVELS)
    mainline_order = None
    if problem.mainlines is not None and trace is None:
        mainline_order = problem.mainlines.order(remaining, power_levels)
    if mainline_order is None:
        mainline = yield from mainline_of(power_levels, known)
        mainline_order = yield from order_by_mainline(remaining, mainline, known)
    if trace is not None:
        trace.power_order = tuple(power_order)
        trace.partial_state = {**base.unconflicted, **changes}
        trace.mainline = tuple(mainline)
        trace.mainline_order = tuple(mainline_order)

    # 4. Apply the iterative auth checks algorithm on the partial resolved state and the list of
    #    events from the previous step.
    yield from iterative_auth_checks(mainline_order, "mainline", view)

    # 5. Update the result by replacing any event with the event with the same key from the
    #    unconflicted state map, if such an event exists, to get the final resolved state.
    result = {}
    in_conflict = split.conflicted
    for key, event_id in changes.items():
        agreed = None if key in in_conflict else split.get(key)
        if agreed is None:
            result[key] = event_id
        elif trace is not None and agreed != event_id:
            trace.restored[key] = event_id
    return result


def _visit(
    event_ids: Collection[EventId], known: KnownEvents, power_events: set[EventId], unknown: set[EventId]
) -> None:
    """Visit events of the full conflicted set: find the power events, and the auth events that are not known.

    Each event is visited once: in a large conflict, fetching it from memory takes longer than what is done
    with it.

    Args:
        event_ids: the events to visit, which are known.
        known: the events.
        power_events: those that are power events are added.
        unknown: their auth events that are not known are added.

    Raises:
        WrongRoom: if the events are not in the room of the conflicted events.
    """
    events, in_room = known.events, known.room
    room_id = None if in_room is None else in_room[0]
    version: RoomVersion | None = None
    for event_id in event_ids:
        event = events[event_id]
        # Mostly these are the same objects, and no call is needed.
        if event.room_version is not version or event._room_id != room_id:
            if room_of(event) != in_room:
                known.check_room(event_ids)
            version = event.room_version
        if _is_power_event(event):
            power_events.add(event_id)
        for parent in event.auth_parents:
            if parent not in events:
                unknown.add(parent)


def _event_ids_read(event_ids: Iterable[EventId], base: Split, known: KnownEvents) -> set[EventId]:
    """Return the IDs of the events that the checks of some events will read from the initial state."""
    keys = {key for event_id in event_ids for key in select_auth_types(known.events[event_id])}
    return {event_id for key in keys if (event_id := base.known(key)) is not None}


# "Full conflicted set. The full conflicted set is the union of the conflicted state set and the auth
# difference." In version 12: "The full conflicted set is the union of the conflicted state set, the
# conflicted state subgraph, and the auth difference." (The two others are defined in `room_graph`.)
def _full_conflicted_set(problem: Problem, conflicted: set[EventId]) -> Steps[set[EventId]]:
    """Return the full conflicted set, given the conflicted state set.

    Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Full conflicted set"
    """
    known, trace = problem.known, problem.trace
    subgraph_wanted = problem.algorithm is StateResolution.V2_1
    difference = problem.auth_difference
    subgraph = problem.conflicted_subgraph if subgraph_wanted else ()
    if difference is None or subgraph is None:
        masks: dict[EventId, int] = {}
        for by_id in problem.split.conflicted.values():
            masks.update(by_id)
        for event_id in known.lost.intersection(masks):
            del masks[event_id]
        graph = problem.graph
        shared: Collection[EventId] | None = None
        if graph is None:
            graph, is_shared = yield from _build_graph(problem, conflicted, known)
            # Here `is_shared` counts the auth chains too, so it may count conflicted events. These are in
            # every full auth chain, and `auth_difference` does not ask about what it is given.
            masks = {event_id: mask for event_id, mask in masks.items() if not is_shared(event_id)}
        else:
            is_shared = _is_in_every_state(problem.split, known)
            shared = problem.split.shared_ids()
        if difference is None:
            difference = graph.auth_difference(masks, (1 << problem.states) - 1, is_shared, shared)
        if subgraph is None:
            subgraph = graph.conflicted_subgraph(conflicted)
    if problem.split.unknown:
        _refuse_vague(problem, conflicted.union(subgraph), difference)
    if trace is not None:
        trace.auth_difference = frozenset(difference)
        trace.conflicted_subgraph = frozenset(subgraph)
        trace.full_conflicted_set = frozenset(conflicted.union(difference, subgraph))
    return conflicted.union(difference, subgraph)


def _refuse_vague(problem: Problem, certain: set[EventId], difference: Collection[EventId]) -> None:
    """Raise `UnknownState` if the unknown entries of the states could change the full conflicted set.

    All states have the same unknown entries. The auth chains of these are in every full auth chain, so they
    can take events out of the auth difference, but can add none.
    """
    vague = set(difference) - certain
    if vague:
        reasons = "; ".join(dict.fromkeys(str(one) for one in problem.split.unknown))
        raise UnknownState((), f"the auth difference depends on {reasons}", lack_of(problem.split.unknown))


def _is_in_every_state(split: Split, known: KnownEvents) -> Callable[[EventId], bool]:
    """Return a function that tells whether an event is in every state.

    It looks up the event's key. It builds a set of all IDs in the unconflicted state map only when it meets
    an unknown event.
    """
    events, conflicted, base = known.events, split.conflicted, split.base
    ids: set[EventId] | None = None

    def is_shared(event_id: EventId) -> bool:
        nonlocal ids
        event = events.get(event_id)
        if event is not None:
            if event.state_key is None:
                return False
            key = (event.type, event.state_key)
            return key not in conflicted and base.get(key) == event_id
        if ids is None:
            ids = set(split.unconflicted.values())
        return event_id in ids

    return is_shared


def _build_graph(
    problem: Problem, conflicted: Collection[EventId], known: KnownEvents
) -> Steps[tuple[RoomGraph, Callable[[EventId], bool]]]:
    """Build a graph of the conflicted events and their auth chains, where the caller has no `RoomGraph`.

    The events that all states share, with their auth chains, need no graph: a set of their IDs is enough.
    """
    chains, shared = yield from _with_auth_chains((conflicted, problem.split.unconflicted.values()), known)
    events = known.events
    graph = RoomGraph()
    graph.extend({e: [p for p in events[e].auth_parents if p in events] for e in chains})
    return graph, shared.__contains__


# "Auth chain. The auth chain of an event E is the set containing all of E's auth events, all of their auth
# events, and so on recursively, stretching back to the start of the room."
def _with_auth_chains(starts: Sequence[Iterable[EventId]], known: KnownEvents) -> Steps[list[set[EventId]]]:
    """Return events with their auth chains, for each of several collections of events.

    One request asks for the next level of all of them: a request to a distant store takes longer than
    anything else here.
    """
    reached: list[set[EventId]] = [set() for _ in starts]
    levels = [set(event_ids) for event_ids in starts]
    while True:
        levels = [_reach(level, found, known) for level, found in zip(levels, reached, strict=True)]
        wanted = set().union(*levels)
        if not wanted:
            return reached
        yield from known.need(wanted)


def _reach(level: set[EventId], reached: set[EventId], known: KnownEvents) -> set[EventId]:
    """Add events and their auth chains to those reached, up to a level with an event that is not known yet.

    They are found level by level so that set operations do the work.

    Returns:
        That level; empty at the end of the auth chains.
    """
    events, lost = known.events, known.lost
    while level and not known.lacks(level):
        level -= lost
        reached |= level
        level = set().union(*[events[event_id].auth_parents for event_id in level])
        level -= reached
        level -= lost
    return level


# "Power events. A power event is a state event with type m.room.power_levels or m.room.join_rules,
# or a state event with type m.room.member where the membership is leave or ban and the sender does not
# match the state_key. The idea behind this is that power events are events that might remove someone's
# ability to do something in the room."
def _is_power_event(event: Event) -> bool:
    """Tell whether an event is a power event.

    Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Power events"

    Unlike the definition, Synapse and ruma require the state key "" of power levels and join rules, and
    count the create event as a power event. So does this function.
    """
    kind, state_key = event.type, event.state_key
    if kind == "m.room.member":
        banned_or_kicked = event.content.get("membership") in ("leave", "ban")
        return banned_or_kicked and state_key is not None and event.sender != state_key
    return state_key == "" and kind in ("m.room.power_levels", "m.room.join_rules", "m.room.create")


# "Reverse topological power ordering. The reverse topological power ordering of a set of events is the
# lexicographically smallest topological ordering based on the DAG formed by auth events. The reverse
# topological power ordering is ordered from earliest event to latest. For comparing two topological
# orderings to determine which is the lexicographically smallest, the following comparison relation on
# events is used: for events x and y, x < y if
# 1. x's sender has greater power level than y's sender, when looking at their respective auth_events; or
# 2. the senders have the same power level, but x's origin_server_ts is less than y's origin_server_ts; or
# 3. the senders have the same power level and the events have the same origin_server_ts,
#    but x's event_id is less than y's event_id.
# The reverse topological power ordering can be found by sorting the events using Kahn's algorithm for
# topological sorting, and at each step selecting, among all the candidate vertices, the smallest vertex
# using the above comparison relation."
def _power_order(power_events: set[EventId], full: set[EventId], known: KnownEvents) -> list[EventId]:
    """Return the events of step 1, earliest first: the set X in reverse topological power ordering.

    Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Reverse topological power ordering"
    """
    events = known.events
    picked = dict.fromkeys(power_events, 0)
    children: dict[EventId, list[EventId]] = {}
    # Auth chains are followed inside the full conflicted set only, as in Synapse and ruma. A chain that
    # leaves the set is not followed back into it. This matters if it runs through an unconflicted event.
    # Each event is visited once, for its parents and for their children, also the events that are appended.
    found = list(picked)
    for event_id in found:
        count = 0
        for parent in events[event_id].auth_parents:
            if parent in full:
                count += 1
                if parent in children:
                    children[parent].append(event_id)
                else:
                    children[parent] = [event_id]
                    if parent not in picked:
                        picked[parent] = 0
                        found.append(parent)
        if count:
            picked[event_id] = count

    def sort_key(event_id: EventId) -> tuple[Level, int, EventId]:
        event = events[event_id]
        return -_sender_level(event, events), event.origin_server_ts, event_id

    return lexicographic_topological_sort(picked, children, sort_key)


# "x's sender has greater power level than y's sender, when looking at their respective auth_events":
# point 1 of the reverse topological power ordering.
def _sender_level(event: Event, events: Mapping[EventId, Event]) -> Level:
    """Return the power level of an event's sender according to the event's own auth events.

    For a power-levels event this is the sender's level before the event.
    """
    power_levels = create = None
    by_room_id = event.room_version.room_id_form is RoomIdForm.CREATE_HASH
    if by_room_id and (event.type, event.state_key) == CREATE:
        create = event
    for parent in event.auth_parents:
        other = events.get(parent)
        if other is None:
            continue
        if other.state_key == "":
            if other.type == "m.room.power_levels" and power_levels is None:
                power_levels = other
            elif other.type == "m.room.create" and create is None:
                create = other
    return Levels(create, power_levels).user(event.sender)
