"""What a replay finds out before it begins: the order of the events, the missing ones, and the outliers."""

from collections.abc import Collection, Mapping
from typing import Final

from ..errors import CyclicGraph
from ..event import Event
from ..ordering import in_order
from ..state import entries_of
from ..types import EventId, StateMap

# Stands for all events on cycles. It is not an event ID.
_CYCLES: Final = ""


def find_outliers(
    events: Mapping[EventId, Event],
    given: Mapping[EventId, StateMap[EventId]],
    current: StateMap[EventId] | None,
    answered: Mapping[EventId | None, Collection[EventId]],
) -> frozenset[EventId]:
    """Return the events of given states and answers, and the events of the auth chains of all these."""
    found: set[EventId] = set().union(*answered.values())
    if current is not None:
        found.update(entries_of(current).values())
    for event_id, state in given.items():
        found.update(other for other in entries_of(state).values() if other != event_id)
    todo = list(found)
    while todo:
        for cited in events[todo.pop()].auth_event_ids:
            if cited not in found and cited in events:
                found.add(cited)
                todo.append(cited)
    return frozenset(found)


def find_absorbed(
    events: Mapping[EventId, Event],
    given: Mapping[EventId, StateMap[EventId]],
    answered: Mapping[EventId | None, Collection[EventId]],
    outliers: Collection[EventId],
    places: Mapping[EventId, int],
) -> tuple[dict[EventId, list[EventId]], set[tuple[EventId, EventId]], set[EventId]]:
    """Find the events that take the place of outliers, as if these were among their prev events.

    Only an event after a gap takes an outlier's place: the prev events of any other event tell what it
    follows. It is the first one in the order for which a state is given that has the outlier, or has it in
    its auth chain. Before that event, the outlier may be an end like any other event.

    An event may cite auth events of another branch. So only an outlier after a gap is taken to come after
    its auth events. An outlier that is only in an auth chain, and not after a gap, also has its place taken
    by the first event for which a state is given that has it.

    Returns:
        The outliers by the event that takes their place; the pairs of an event and such an outlier that is
        only in its auth chain, and not after a gap; and the outliers whose place the prev events tell.
    """
    absorbed: dict[EventId, list[EventId]] = {}
    reached: set[EventId] = set()
    chained: set[EventId] = set()
    pairs: set[tuple[EventId, EventId]] = set()
    placed: set[EventId] = set()
    after_a_gap: set[EventId] = set()
    for event_id in places if given else ():
        if any(prev not in places or prev in after_a_gap for prev in events[event_id].prev_event_ids):
            after_a_gap.add(event_id)
    for event_id in sorted(given.keys() & places.keys(), key=places.__getitem__):
        stated = {*entries_of(given[event_id]).values(), *answered.get(event_id, ())}
        if event_id not in after_a_gap:
            placed |= stated & places.keys()
            continue
        todo = sorted(stated)
        while todo:
            one = todo.pop()
            only_chained = one not in stated and one not in after_a_gap
            if one in reached or (only_chained and one in chained) or one not in outliers:
                continue
            if only_chained:
                chained.add(one)
                pairs.add((event_id, one))
            else:
                reached.add(one)
            if one in after_a_gap:
                todo += events[one].auth_event_ids
            else:
                placed.update(events[one].auth_event_ids)
            if places.get(one, len(places)) < places[event_id]:
                absorbed.setdefault(event_id, []).append(one)
    todo = list(placed)
    while todo:
        one = todo.pop()
        new = set(events[one].auth_event_ids) - placed if one in places else set()
        placed |= new
        todo += new
    return absorbed, pairs, (placed - reached - chained) & places.keys()


def find_missing(events: Mapping[EventId, Event]) -> dict[EventId, tuple[EventId, ...]]:
    """Return the IDs of missing events, each with the events that cite it."""
    missing: dict[EventId, dict[EventId, None]] = {}
    for event_id, event in events.items():
        for cited in (*event.auth_parents, *event.prev_event_ids):
            if cited not in events:
                missing.setdefault(cited, {})[event_id] = None
    return {event_id: tuple(citing) for event_id, citing in missing.items()}


def find_order(
    events: Mapping[EventId, Event],
    given: Mapping[EventId, StateMap[EventId]],
) -> tuple[list[EventId], tuple[EventId, ...]]:
    """Return the events in topological order, and the events on cycles, which are not in the order.

    Input order is kept if it is already topological.
    """
    needed = {
        event_id: [
            parent
            for parent in dict.fromkeys((*event.auth_event_ids, *event.prev_event_ids))
            if parent in events
        ]
        for event_id, event in events.items()
    }
    # The events of a given state come before the event that it is given for, unless they cite it.
    if given:
        before = {**needed}
        for event_id, state in given.items():
            if event_id in needed:
                held = [other for other in entries_of(state).values() if other != event_id]
                before[event_id] = list(dict.fromkeys((*needed[event_id], *held)))
        try:
            return _in_order(before), ()
        except CyclicGraph:
            pass
    try:
        return _in_order(needed), ()
    except CyclicGraph as error:
        # A cycle is possible only in versions 1 and 2, where the sender chooses the event ID.
        cyclic = error.event_ids
    # The other events come after those that they reach through a cycle. None of them lies between two cycles,
    # so all cycles together can take one place in the order.
    above = [parent for event_id in cyclic for parent in needed.pop(event_id)]
    left: dict[EventId, Collection[EventId]] = {_CYCLES: dict.fromkeys(p for p in above if p in needed)}
    for event_id, parents in needed.items():
        left[event_id] = dict.fromkeys(parent if parent in needed else _CYCLES for parent in parents)
    return [event_id for event_id in in_order(left) if event_id != _CYCLES], cyclic


def _in_order(needed: Mapping[EventId, Collection[EventId]]) -> list[EventId]:
    """Return events in topological order. Input order is kept if it is already topological."""
    seen: set[EventId] = set()
    for event_id, parents in needed.items():
        if not seen.issuperset(parents):
            return in_order(needed)
        seen.add(event_id)
    return list(needed)
