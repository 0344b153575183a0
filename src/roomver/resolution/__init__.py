"""State resolution: compute the state of a room after its history has forked.

Source: https://spec.matrix.org/latest/rooms/v1/#state-resolution (version 1),
https://spec.matrix.org/latest/rooms/v2/#state-resolution (versions 2 to 11) and
https://spec.matrix.org/latest/rooms/v12/#state-resolution (version 12)
"""

from collections.abc import Collection, Container, Mapping, Sequence

from ..event import Event
from ..state import RoomState
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .mainlines import Mainlines
from .need import KnownEvents, Steps, run_steps, run_steps_async
from .problem import Problem
from .room_graph import RoomGraph
from .split import Split, split_states
from .trace import Candidate, Check, NotTraced, Resolution, Trace, Why
from .v1 import resolve_v1
from .v2 import resolve_v2

__all__ = [
    "Candidate",
    "Check",
    "KnownEvents",
    "Mainlines",
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


def resolve(  # noqa: PLR0913 - all but two are keyword-only options
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
        state_sets: the states, ``(type, state_key)`` to event ID, each event under its own key. Their
            order does not affect the resolved state. An empty sequence resolves to the empty state. A state
            may be a `PartialState`.
        events: event ID to event. It must hold the states' events and their auth chains; with a graph,
            only the conflicted events, their auth events and the few others that the checks read.
        graph: the room's `RoomGraph`, kept from one resolution to the next. Without one, a graph of the
            conflicted events' auth chains is built, and the auth chains of all other events are visited.
        auth_difference, conflicted_subgraph: precomputed sets, if the caller has them. The graph is then not
            used.
        rejected: the IDs of rejected events. A check never falls back on them as auth events.
        skip_rejected: leave out rejected events, as Synapse does. The specification checks them again
            like any other event.
        ignore_missing: skip events that are not in `events`, instead of raising. A missing state event counts
            as absent. Synapse skips events too where it orders them, but may raise where it reads them.
        algorithm: the algorithm to use instead of the room version's, or its value, for example
            ``"v2.1"``.
        trace: keep the steps, for `Resolution.steps` and `Resolution.why`.

    Returns:
        The resolution. Its state is a `RoomState`, or a `PartialState` of one if the states are known in
        part. If the first state is a `RoomState`, the resolved state is derived from it and shares with it.

    Raises:
        UnknownState: if more knowledge of states that are known in part could change the result: a key that
            one state has is unknown in another; the rules read an unknown key; or an event is in the full
            conflicted set only because of the auth difference, which unknown entries would change.
        MissingEvents: naming all missing events that were found together.
        CyclicGraph: if events cite each other.
        WrongRoom: if the conflicted events, and the events that the rules read from the states, are not
            all in one room and room version.
        ValueError: if there is no such algorithm.

    Cost: a few C-level passes over states that are dicts. With a graph, everything else is proportional
    to the differences. Equal states cost these passes only, and identical objects nothing. `RoomState`s
    that share a dict cost about √entries. A state with too many changes gets a new dict; until states
    share one again, they cost as much as dicts.
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
    return run_steps(steps, lambda _: {})  # an event that is not in `events` is missing


def resolve_steps(  # noqa: PLR0913 - all but two are keyword-only options
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
    """Resolve like `resolve`, but ask for events as they are needed.

    This is a generator. It yields sets of event IDs and must be sent a mapping from event ID to event; an
    event that does not exist is left out or None. It returns the `Resolution`. If the caller passes a
    graph, or the auth difference (and in version 12 the conflicted subgraph), the generator asks for little
    more than the conflicted events and their auth events.
    It may be sent `roomver.steps.FoundEvents`, as `roomver.steps.run` does: what these call rejected is
    rejected, as if it were in `rejected`.
    `run_steps` and `run_steps_async` run it, and know the type of the result.

    The arguments and errors are those of `resolve`; `events` holds the events that the caller has already.

    >>> def resolve_from(store, state_sets):
    ...     return run_steps(resolve_steps(state_sets), lambda ids: {e: store[e] for e in ids if e in store})
    >>> resolve_from({}, [{("m.room.name", ""): "$a"}, {("m.room.name", ""): "$a"}]).state.as_dict()
    {('m.room.name', ''): '$a'}
    """
    if algorithm is not None:
        algorithm = StateResolution(algorithm)
    if not state_sets:
        return Resolution(RoomState(), _trace(algorithm, Split({}, {}), 0) if trace else None)
    split = split_states(state_sets)
    problem = Problem(
        split=split,
        states=len(state_sets),
        known=KnownEvents(events, ignore_missing=ignore_missing),
        algorithm=algorithm,
        graph=graph,
        auth_difference=auth_difference,
        conflicted_subgraph=conflicted_subgraph,
        rejected=rejected,
        skip_rejected=skip_rejected,
        trace=_trace(algorithm, split, len(state_sets)) if trace else None,
    )
    changes = yield from resolve_split(problem)
    return Resolution(split.resolved(changes), problem.trace)


def resolve_split(problem: Problem) -> Steps[dict[StateKey, EventId]]:
    """Resolve states that have been split, and return only the entries that they do not agree on.

    Use this if your states share structure and you do not need a whole new state.

    Returns:
        The resolved event of each key that is conflicted or new. A conflicted key that is not in it has no
        event in the resolved state.
    """
    split, known = problem.split, problem.known
    conflicted = split.conflicted_ids
    if not conflicted:
        return {}
    yield from known.need(conflicted)
    present = conflicted - known.lost
    sample = min(present, default=None)
    if sample is not None:
        # Take the room of the smallest ID, so that errors are reproducible.
        known.check_room((sample,))
    if problem.algorithm is None:
        # Here every conflicted event is missing. Any other event gives the room version, and so the
        # algorithm: version 1 keeps the event of a key that only one state has, even if it is missing.
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
        known.check_room(present)
        return (yield from resolve_v1(problem))
    return (yield from resolve_v2(problem, present))


def _trace(algorithm: StateResolution | None, split: Split, states: int) -> Trace:
    # Without a conflict no algorithm runs, so it does not matter which one is named here.
    return Trace(algorithm or StateResolution.V2, split.unconflicted, split.conflicted, states=states)
