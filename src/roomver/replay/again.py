"""Many merges of a replay, resolved once more with a trace, without building each state from the beginning.

A replay keeps each state as changes from an earlier one. One pass makes the states that are needed, each from
the one that it derives from, so that they share structure. A state leaves memory after its last use.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from ..errors import MissingEvents, UnknownState
from ..resolution import Resolution, RoomState, resolve
from ..types import EventId, StateMap
from .outcome import KnownRejected

if TYPE_CHECKING:
    from .result import Replay


class Resolved(NamedTuple):
    """A merge that was resolved once more.

    Attributes:
        event_id: the event before which the states are merged; None for the forward extremities.
        states: the states that are merged, by the event that each follows; a given state is under None.
        resolution: the resolution, with its trace; None if missing events or unknown entries leave it open.
    """

    event_id: EventId | None
    states: dict[EventId | None, StateMap[EventId]]
    resolution: Resolution | None


def resolve_again(replayed: "Replay", event_ids: Collection[EventId | None]) -> Iterator[Resolved]:
    """Resolve merges once more. They come in the order in which the replay made their states.

    Args:
        replayed: the replay.
        event_ids: the events before which states are merged; None stands for the forward extremities.

    Cost: one pass over the changes of all states, and a resolution for each merge.
    """
    rejected = KnownRejected(replayed.rejected, replayed.undecided)
    waiting: dict[int, list[EventId | None]] = {}
    groups: dict[EventId | None, dict[EventId | None, int]] = {}
    for event_id in dict.fromkeys(event_ids):
        found = _groups_met(replayed, event_id)
        if found is None:
            yield _slowly(replayed, event_id, rejected)
        else:
            groups[event_id] = found
            waiting.setdefault(max(found.values()), []).append(event_id)
    for group, states in _states(replayed, {group: groups_of(groups, of) for group, of in waiting.items()}):
        for event_id in waiting[group]:
            met: dict[EventId | None, StateMap[EventId]] = {
                parent: states[one] for parent, one in groups[event_id].items()
            }
            yield Resolved(event_id, met, _resolved(replayed, met, rejected))


def groups_of(
    groups: dict[EventId | None, dict[EventId | None, int]], event_ids: Collection[EventId | None]
) -> set[int]:
    """Return the groups of the states that are merged before some events."""
    return {group for event_id in event_ids for group in groups[event_id].values()}


def _groups_met(replayed: "Replay", event_id: EventId | None) -> dict[EventId | None, int] | None:
    """Return the groups of the states that are merged; None if one is given, unknown or known in part."""
    if event_id is None:
        if replayed.current_is_given or replayed.too_many_states or not replayed.extremities_known:
            return None
        parents = replayed.forward_extremities
    else:
        if event_id in replayed._given or event_id not in replayed.events:
            return None
        parents = replayed.events[event_id].prev_event_ids
    found: dict[EventId | None, int] = {}
    for parent in dict.fromkeys(parents):
        group = replayed._after.get(parent)
        if group is None or group in replayed._unknown:
            return None
        found[parent] = group
    return found or None


def _slowly(replayed: "Replay", event_id: EventId | None, rejected: KnownRejected) -> Resolved:
    """Resolve a merge of states that are not all known in whole."""
    try:
        met: dict[EventId | None, StateMap[EventId]] = {**replayed.states_met(event_id)}
    except (MissingEvents, UnknownState):
        return Resolved(event_id, {}, None)
    return Resolved(event_id, met, _resolved(replayed, met, rejected))


def _resolved(
    replayed: "Replay", met: dict[EventId | None, StateMap[EventId]], rejected: KnownRejected
) -> Resolution | None:
    try:
        return resolve(
            list(met.values()),
            replayed.events,
            graph=replayed.graph,
            rejected=rejected,
            skip_rejected=replayed._skip_rejected,
            algorithm=replayed._algorithm,
            trace=True,
        )
    except (MissingEvents, UnknownState):
        return None


def _states(replayed: "Replay", wanted: dict[int, set[int]]) -> Iterator[tuple[int, dict[int, RoomState]]]:
    """Yield states by group, whenever the last one of a wanted set is made."""
    bases = replayed._groups
    # How often each state is still needed: to derive another one, or for a wanted set.
    uses: dict[int, int] = {}
    needed: set[int] = set()
    for some in wanted.values():
        for group in some:
            uses[group] = uses.get(group, 0) + 1
            one = group
            while one >= 0 and one not in needed:
                needed.add(one)
                one = bases[one][0]
                if one >= 0:
                    uses[one] = uses.get(one, 0) + 1
    made: dict[int, RoomState] = {}

    def used(group: int) -> None:
        uses[group] -= 1
        if not uses[group]:
            del made[group]

    for group in sorted(needed):
        base, changes = bases[group]
        made[group] = (RoomState() if base < 0 else made[base]).changed(dict(changes))
        if base >= 0:
            used(base)
        if group in wanted:
            yield group, {one: made[one] for one in wanted[group]}
            for one in wanted[group]:
                used(one)
