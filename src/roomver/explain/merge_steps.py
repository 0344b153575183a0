"""Merges of a room's branches, resolved once more by each of the three algorithms, step by step.

The room's own algorithm gives what happened. The others show what another room version would make of the same
states. How many merges and how many steps of each are kept is bounded, and what is left out is counted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

from ..auth.context import JOIN_RULES
from ..errors import RoomverError, UnknownState
from ..power import POWER_LEVELS
from ..replay import Merge, Replay
from ..replay.again import Resolved
from ..replay.outcome import KnownRejected
from ..resolution import Resolution, RoomState, Trace, resolve, split_states
from ..state import PartialState
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .page_checks import CheckTables

MOST_MERGES: Final = 1_000
"""How many merges are kept at most."""
MOST_STEPS: Final = 300_000
"""How many conflicted events and checks of all merges together are kept at most, about."""
MOST_ENTRIES: Final = 10_000_000
"""How many entries of states that are known in part are read for them at most, about."""
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

    Merges with resets come first, then the one of the forward extremities, then those whose states differ in
    power levels or join rules, then the newest.

    Args:
        replay: the replay.
        tables: where the verdicts are kept.
        progress: called with the number of merges done.

    Returns:
        The merges, and how many are left out.

    Cost: three resolutions for each merge, within `MOST_MERGES`, `MOST_STEPS` and `MOST_ENTRIES`, and a pass
    over the changes of all states for each `_TOGETHER` merges.
    """
    merges = _ordered(replay)
    rejected = KnownRejected(replay.rejected, replay.undecided)
    steps, entries = MOST_STEPS, MOST_ENTRIES
    found: list[MergeSteps] = []
    while len(found) < min(MOST_MERGES, len(merges)) and steps > 0 and entries > 0:
        some = [one.event_id for one in merges[len(found) : min(MOST_MERGES, len(found) + _TOGETHER)]]
        made: dict[EventId | None, MergeSteps] = {}
        for again in replay.resolve_again(some):
            if progress is not None:
                progress(len(found) + len(made))
            one = made[again.event_id] = _merge_steps(replay, again, rejected, tables)
            steps -= _size(one)
            if again.resolution is None:
                entries -= 4 * sum(one.sizes) + 1
            if steps <= 0 or entries <= 0:
                break
        found += [made[event_id] for event_id in some if event_id in made]
    return found, len(merges) - len(found)


_TOGETHER: Final = 500  # merges that are resolved in one pass over the states
_GOVERNING: Final = (POWER_LEVELS, JOIN_RULES)


def _ordered(replay: Replay) -> list[Merge]:
    """Return the merges, those that matter most first."""
    undone = {reset.merge for reset in replay.resets()}
    places = {event_id: place for place, event_id in enumerate(replay.order)}

    def rank(merge: Merge) -> tuple[bool, bool, bool, int]:
        event_id = merge.event_id
        governing = any(key in merge.keys for key in _GOVERNING)
        return event_id not in undone, event_id is not None, not governing, -places.get(event_id or "", -1)

    return sorted({merge.event_id: merge for merge in replay.merges}.values(), key=rank)


def _size(merge: MergeSteps) -> int:
    """Return about how many numbers are kept of a merge."""
    conflicts = sum(len(one.events) for one in merge.conflicts)
    return 1 + conflicts + sum(len(one.checks) + len(one.result) for one in merge.by_algorithm.values())


def _merge_steps(replay: Replay, again: Resolved, rejected: KnownRejected, tables: CheckTables) -> MergeSteps:
    event_id = again.event_id
    try:
        met = again.states or replay.states_met(event_id)
    except RoomverError as error:
        parents = replay.forward_extremities if event_id is None else replay.events[event_id].prev_event_ids
        return MergeSteps(event_id, tuple(parents), error=str(error))
    states: list[StateMap[EventId]] = [*met.values()]
    sizes = tuple(len(state.known if isinstance(state, PartialState) else state) for state in states)
    named = tuple(parent for parent in met if parent is not None)
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
    by_algorithm = {
        algorithm.value: _steps(replay, algorithm, states, again, rejected, conflicts, tables)
        for algorithm in StateResolution
    }
    more_keys = len(conflicted) - len(conflicts)
    more_states = max(0, len(states) - MOST_STATES)
    return MergeSteps(
        event_id, named[:MOST_STATES], sizes[:MOST_STATES], conflicts, more_keys, more_states, by_algorithm
    )


def _steps(  # noqa: PLR0913, PLR0917 - one private call
    replay: Replay,
    algorithm: StateResolution,
    states: list[StateMap[EventId]],
    again: Resolved,
    rejected: KnownRejected,
    conflicts: tuple[Conflict, ...],
    tables: CheckTables,
) -> Steps:
    own = None if again.resolution is None else again.resolution.steps
    if again.resolution is not None and own is not None and own.algorithm is algorithm:
        return _of_resolution(again.resolution, conflicts, tables)
    # Versions 2 to 12 define the auth difference alike, and to find it is most of the work. That of states
    # known in part may be too large.
    in_part = any(isinstance(state, PartialState) for state in states)
    same = own is not None and not in_part and StateResolution.V1 not in (algorithm, own.algorithm)
    try:
        resolution = resolve(
            states,
            replay.events,
            graph=replay.graph,
            auth_difference=own.auth_difference if same and own is not None else None,
            rejected=rejected,
            algorithm=algorithm,
            trace=True,
        )
    except RoomverError as error:
        return Steps(error=str(error))
    return _of_resolution(resolution, conflicts, tables)


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
