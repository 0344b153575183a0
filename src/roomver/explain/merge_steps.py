"""Merges of a room's branches, resolved once more by each of the three algorithms, step by step.

The room's own algorithm gives what happened. The others show what another room version would make of the same
states. How many merges and how many steps of each are kept is bounded, and what is left out is counted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

from ..errors import RoomverError, UnknownState
from ..replay import Replay
from ..replay.outcome import KnownRejected
from ..resolution import Resolution, RoomState, Trace, resolve, split_states
from ..state import PartialState
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .page_checks import CheckTables

MOST_MERGES: Final = 200
"""How many merges are kept at most."""
MOST_ENTRIES: Final = 10_000_000
"""How many state entries are read for them at most."""
MOST_KEYS: Final = 300
"""How many conflicted keys of a merge are kept at most."""
MOST_CHECKS: Final = 1_000
"""How many checks, and events of an order, of one resolution are kept at most."""
MOST_STATES: Final = 100
"""How many states of a merge are told apart at most."""


class Conflict(NamedTuple):
    """A key on which the merged states differ: each event, and the numbers of the states that have it."""

    key: StateKey
    events: tuple[tuple[EventId, tuple[int, ...]], ...]


class Tried(NamedTuple):
    """One event that a resolution tried. See `roomver.resolution.Check`.

    Attributes:
        verdict: its number in `CheckTables.verdicts`; -1 if the rules were not run.
    """

    event_id: EventId
    phase: str
    verdict: int
    accepted: bool
    replaced: EventId | None


@dataclass(frozen=True, slots=True)
class Steps:
    """A resolution by one algorithm. The names are those of `roomver.resolution.Trace`.

    Attributes:
        error: why there is no resolution; empty if there is one.
        result: the event that each conflicted key has afterwards: in the order of `MergeSteps.conflicts`.
        restored: each key whose allowed event the unconflicted one replaced in the last step, with both.
        more_checks: how many checks are left out.
        auth_difference, subgraph, full: how many events the sets have.
    """

    error: str = ""
    result: tuple[EventId | None, ...] = ()
    power_order: tuple[EventId, ...] = ()
    mainline: tuple[EventId, ...] = ()
    mainline_order: tuple[EventId, ...] = ()
    checks: tuple[Tried, ...] = ()
    restored: tuple[tuple[StateKey, EventId, EventId | None], ...] = ()
    more_checks: int = 0
    auth_difference: int = 0
    subgraph: int = 0
    full: int = 0


@dataclass(frozen=True, slots=True)
class MergeSteps:
    """A merge, and its resolution by each algorithm.

    Attributes:
        event_id: the event before which states were merged; None for the forward extremities.
        parents: the events that the states follow.
        sizes: how many entries each state has.
        conflicts: the conflicted keys, sorted.
        more_keys, more_states: how many keys and states are left out.
        by_algorithm: the steps, by the value of `StateResolution`.
        error: why the states cannot be merged again; empty if they can.
    """

    event_id: EventId | None
    parents: tuple[EventId, ...]
    sizes: tuple[int, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    more_keys: int = 0
    more_states: int = 0
    by_algorithm: dict[str, Steps] = field(default_factory=dict)
    error: str = ""


def merge_steps(
    replay: Replay, tables: CheckTables, progress: Callable[[int], None] | None = None
) -> tuple[list[MergeSteps], int]:
    """Resolve the merges of a replay by each algorithm.

    Merges with resets come first, then that of the forward extremities, then the newest.

    Args:
        replay: the replay.
        tables: where the verdicts are kept.
        progress: called with the number of merges done.

    Returns:
        The merges, and how many are left out.

    Cost: three resolutions for each merge, within `MOST_MERGES` and `MOST_ENTRIES`.
    """
    undone = {reset.merge for reset in replay.resets()}
    places = {event_id: place for place, event_id in enumerate(replay.order)}

    def rank(event_id: EventId | None) -> tuple[bool, bool, int]:
        return event_id not in undone, event_id is not None, -places.get(event_id or "", -1)

    merges = sorted(
        {merge.event_id: merge for merge in replay.merges}.values(), key=lambda m: rank(m.event_id)
    )
    rejected = KnownRejected(replay.rejected, replay.undecided)
    left = MOST_ENTRIES
    found: list[MergeSteps] = []
    for merge in merges[:MOST_MERGES]:
        if left <= 0:
            break
        if progress is not None:
            progress(len(found))
        try:
            states = replay.states_met(merge.event_id)
        except RoomverError as error:
            found.append(MergeSteps(merge.event_id, merge.parents, error=str(error)))
            continue
        one = _steps(replay, merge.event_id, list(states), list(states.values()), rejected, tables)
        left -= 4 * sum(one.sizes) + 1
        found.append(one)
    return found, len(merges) - len(found)


def _steps(
    replay: Replay,
    event_id: EventId | None,
    parents: Sequence[EventId | None],
    states: list[StateMap[EventId]],
    rejected: KnownRejected,
    tables: CheckTables,
) -> MergeSteps:
    sizes = tuple(len(state.known if isinstance(state, PartialState) else state) for state in states)
    named = tuple(parent for parent in parents if parent is not None)
    if not any(isinstance(state, PartialState) for state in states):
        states = [*RoomState.sharing(states)]
    try:
        conflicted = split_states(states).conflicted
    except RoomverError as error:
        return MergeSteps(event_id, named, sizes, error=str(error))
    conflicts = tuple(
        Conflict(key, tuple((one, tuple(islice(_bits(mask), MOST_STATES))) for one, mask in masks.items()))
        for key, masks in islice(conflicted.items(), MOST_KEYS)
    )
    by_algorithm = {}
    for algorithm in StateResolution:
        try:
            resolution = resolve(
                states,
                replay.events,
                graph=replay.graph,
                rejected=rejected,
                algorithm=algorithm,
                trace=True,
            )
        except RoomverError as error:
            by_algorithm[algorithm.value] = Steps(error=str(error))
        else:
            by_algorithm[algorithm.value] = _of_resolution(resolution, conflicts, tables)
    more_keys = len(conflicted) - len(conflicts)
    more_states = max(0, len(states) - MOST_STATES)
    return MergeSteps(
        event_id, named[:MOST_STATES], sizes[:MOST_STATES], conflicts, more_keys, more_states, by_algorithm
    )


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _of_resolution(resolution: Resolution, conflicts: tuple[Conflict, ...], tables: CheckTables) -> Steps:
    trace = resolution.steps
    assert trace is not None
    checks = tuple(
        Tried(one.event_id, one.phase, tables.verdict(one.verdict), one.accepted, one.replaced)
        for one in trace.checks[:MOST_CHECKS]
    )
    restored = sorted(trace.restored.items())[:MOST_KEYS]
    return Steps(
        "",
        tuple(_get(resolution, conflict.key) for conflict in conflicts),
        trace.power_order[:MOST_CHECKS],
        trace.mainline[:MOST_CHECKS],
        trace.mainline_order[:MOST_CHECKS],
        checks,
        tuple((key, tried, _get(resolution, key)) for key, tried in restored),
        len(trace.checks) - len(checks),
        *_sizes(trace),
    )


def _get(resolution: Resolution, key: StateKey) -> EventId | None:
    try:
        return resolution.state.get(key)
    except UnknownState:
        return None


def _sizes(trace: Trace) -> tuple[int, int, int]:
    return len(trace.auth_difference), len(trace.conflicted_subgraph), len(trace.full_conflicted_set)


def steps_data(steps: Steps, number: Any, key_number: Any) -> dict[str, Any]:
    """Return steps as JSON, with events and keys as numbers.

    Args:
        steps: the steps.
        number: gives the number of an event; that of None is -1.
        key_number: gives the number of a key.
    """
    if steps.error:
        return {"error": steps.error}
    return {
        "result": [number(one) for one in steps.result],
        "power": [number(one) for one in steps.power_order],
        "mainline": [number(one) for one in steps.mainline],
        "rest": [number(one) for one in steps.mainline_order],
        "checks": [
            [number(one.event_id), one.phase, one.verdict, int(one.accepted), number(one.replaced)]
            for one in steps.checks
        ],
        "restored": [[key_number(key), number(tried), number(back)] for key, tried, back in steps.restored],
        "more": steps.more_checks,
        "sets": [steps.auth_difference, steps.subgraph, steps.full],
    }
