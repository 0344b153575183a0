"""State resolution: what the state of a room is where its history has forked.

Source: https://spec.matrix.org/latest/rooms/v1/#state-resolution (version 1),
https://spec.matrix.org/latest/rooms/v2/#state-resolution (versions 2 to 11) and
https://spec.matrix.org/latest/rooms/v12/#state-resolution (version 12)
"""

from collections.abc import Collection, Container, Mapping, Sequence

from ..event import Event
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .need import Known, Steps, run_steps, run_steps_async
from .problem import Problem
from .room_graph import RoomGraph
from .room_state import RoomState
from .split import Split, split_states
from .trace import Candidate, Check, NotTraced, Resolution, Trace, Why
from .v1 import resolve_v1
from .v2 import resolve_v2

__all__ = [
    "Candidate",
    "Check",
    "Known",
    "NotTraced",
    "Problem",
    "Resolution",
    "RoomGraph",
    "RoomState",
    "Split",
    "Steps",
    "Trace",
    "Why",
    "resolve",
    "resolve_split",
    "resolve_steps",
    "run_steps",
    "run_steps_async",
    "split_states",
]

_NOTHING: frozenset[EventId] = frozenset()


def resolve(  # noqa: PLR0913 - all but two are options by keyword
    state_sets: Sequence[StateMap[EventId]],
    events: Mapping[EventId, Event],
    *,
    graph: RoomGraph | None = None,
    auth_difference: Collection[EventId] | None = None,
    conflicted_subgraph: Collection[EventId] | None = None,
    rejected: Container[EventId] = _NOTHING,
    skip_rejected: bool = False,
    ignore_missing: bool = False,
    algorithm: StateResolution | str | None = None,
    trace: bool = False,
) -> Resolution:
    """Resolve several states of a room into one.

    Args:
        state_sets: the states, ``(type, state_key)`` to event ID, each event under its own key; their
            order does not matter to what they resolve to. None at all resolve to the empty state.
        events: where events are looked up; all of the states' events and of their auth chains, or with
            a graph those that the disagreement touches.
        graph: the room's `RoomGraph`, kept from one resolution to the next. Without one a graph of the
            conflicted events' auth chains is made, and everything that the states agree on is visited.
        auth_difference, conflicted_subgraph: if an index of the caller's has them; the graph is then
            not asked.
        rejected: the IDs of events that were rejected. They are never fallen back on as auth events.
        skip_rejected: leave out rejected events, as Synapse does; the specification tries them again
            like any other.
        ignore_missing: pass over events that are not in `events`, as Synapse does, instead of raising.
        algorithm: another one than the room version's; its value, such as ``"v2.1"``, will do.
        trace: keep the steps, for `Resolution.steps` and `Resolution.why`.

    Returns:
        The resolution. Its state is a new dict, or a `RoomState` if all the states are: that comes of the
        first of them by `RoomState.changed`.

    Raises:
        MissingEvents: with all the events that could be told to be missing.
        CyclicGraph: if events cite each other.
        WrongRoom: if the events in conflict, and those that the rules look at in the states, are not all
            of one room and room version.
        ValueError: if there is no such algorithm.

    Cost: some C-level passes over states that are dicts; beyond that, with a graph, it follows the
    disagreement. States that are equal cost the passes alone, and identical objects nothing.
    `RoomState`s that share the dict below cost no passes either, but about the square root of their
    entries; now and then one gets a dict of its own, and they cost what dicts cost until they share again.
    """
    steps = resolve_steps(
        state_sets,
        events,
        graph=graph,
        auth_difference=auth_difference,
        conflicted_subgraph=conflicted_subgraph,
        rejected=rejected,
        skip_rejected=skip_rejected,
        ignore_missing=ignore_missing,
        algorithm=algorithm,
        trace=trace,
    )
    return run_steps(steps, lambda _: {})  # what is not in `events` is nowhere


def resolve_steps(  # noqa: PLR0913 - all but two are options by keyword
    state_sets: Sequence[StateMap[EventId]],
    events: Mapping[EventId, Event] | None = None,
    *,
    graph: RoomGraph | None = None,
    auth_difference: Collection[EventId] | None = None,
    conflicted_subgraph: Collection[EventId] | None = None,
    rejected: Container[EventId] = _NOTHING,
    skip_rejected: bool = False,
    ignore_missing: bool = False,
    algorithm: StateResolution | str | None = None,
    trace: bool = False,
) -> Steps[Resolution]:
    """Resolve like `resolve`, asking for events as they are needed.

    A generator: it yields sets of event IDs, and wants to be sent a mapping with those of the events
    that exist (None stands for one that does not); it returns the `Resolution`. With a graph, or with the
    auth difference (and in version 12 the conflicted subgraph) handed in, it asks for little more than
    the disagreement. `run_steps` and `run_steps_async` run it, with the type of the result known.

    The arguments and errors are those of `resolve`; `events` are those already at hand.

    >>> def resolve_from(store, state_sets):
    ...     return run_steps(resolve_steps(state_sets), lambda ids: {e: store[e] for e in ids if e in store})
    >>> resolve_from({}, [{("m.room.name", ""): "$a"}, {("m.room.name", ""): "$a"}]).state
    {('m.room.name', ''): '$a'}
    """
    if algorithm is not None:
        algorithm = StateResolution(algorithm)
    if not state_sets:
        return Resolution({}, _trace(algorithm, Split({}, {}), 0) if trace else None)
    split = split_states(state_sets)
    problem = Problem(
        split,
        len(state_sets),
        algorithm,
        graph,
        auth_difference,
        conflicted_subgraph,
        rejected,
        skip_rejected,
        Known(events, ignore_missing=ignore_missing),
        _trace(algorithm, split, len(state_sets)) if trace else None,
    )
    changes = yield from resolve_split(problem)
    kept = all(isinstance(state, RoomState) for state in state_sets)
    return Resolution(split.resolved(changes, as_room_state=kept), problem.trace)


def resolve_split(problem: Problem) -> Steps[dict[StateKey, EventId]]:
    """Resolve states that have been split, and return only what they do not agree on: the resolved
    event of each key that is in conflict or new. Keys in conflict that it lacks end without an event.

    For a caller whose states share structure, and who does not want a whole new one.
    """
    split, known = problem.split, problem.known
    conflicted = split.conflicted_ids
    if not conflicted:
        return {}
    yield from known.need(conflicted)
    present = conflicted - known.lost
    sample = min(present, default=None)
    if sample is not None:
        known.check_room((sample,))  # the room is that of the smallest ID: the order of a set is chance
        known.check_room(present)
    if problem.algorithm is None:
        # Version 1 keeps an event that no state contradicts, known or not: any event says which it is.
        if sample is None:
            sample = next(filter(known.events.get, split.unconflicted.values()), None)
        if sample is None:
            return {}
        problem.algorithm = known.events[sample].room_version.state_resolution
    if not present and problem.algorithm is not StateResolution.V1:
        return {}
    if problem.trace is not None:
        problem.trace.algorithm = problem.algorithm
    if problem.algorithm is StateResolution.V1:
        return (yield from resolve_v1(problem))
    return (yield from resolve_v2(problem))


def _trace(algorithm: StateResolution | None, split: Split, states: int) -> Trace:
    # Without a conflict no algorithm runs; the name of one is then of no consequence.
    return Trace(algorithm or StateResolution.V2, split.unconflicted, split.conflicted, states=states)
