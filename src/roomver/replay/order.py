"""What a replay finds out before it begins: the order of the events, the missing ones, and the outliers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from ..errors import CyclicGraph
from ..event import Event
from ..ordering import in_order
from ..types import EventId

# Stands for all events on cycles. It is not an event ID.
_CYCLES: Final = ""

HOLES: Final = 4_096
"""How many missing events have a bit of their own in a mask. All others share one bit, and are never taken to
come before an event."""
_ALL_OTHERS: Final = 1 << HOLES


def joined(mask: int, other: int) -> int:
    """Return the bits of both masks; if one of them has them all, that one.

    A mask takes up to half a kilobyte, and most events have the same mask as one of their parents.
    """
    if not other & ~mask:
        return mask
    return mask | other if mask & ~other else other


def find_outliers(
    events: Mapping[EventId, Event],
    held: Iterable[Iterable[EventId]],
) -> frozenset[EventId]:
    """Return the events of given states and answers, and the events of the auth chains of all these.

    Args:
        events: of the room.
        held: the events of each state and each answer.
    """
    found: set[EventId] = set().union(*held)
    todo = list(found)
    while todo:
        for cited in events[todo.pop()].auth_event_ids:
            if cited not in found and cited in events:
                found.add(cited)
                todo.append(cited)
    return frozenset(found)


def find_absorbed(
    events: Mapping[EventId, Event],
    given: Mapping[EventId, Collection[EventId]],
    answered: Mapping[EventId, Collection[EventId]],
    outliers: Collection[EventId],
    places: Mapping[EventId, int],
) -> tuple[dict[EventId, list[EventId]], set[tuple[EventId, EventId]], set[EventId], set[EventId]]:
    """Find the events that take the place of outliers, as if these were among their prev events.

    Only an event after a gap takes an outlier's place: the prev events of any other event tell what it
    follows. They also tell it if the outlier comes after all missing events that the event comes after: none
    of these can follow it. It is the first one in the order for which a state is given that has the outlier,
    or has it in its auth chain. Before that event, the outlier may be an end like any other event.

    An event may cite auth events of another branch. So only an outlier after a gap is taken to come after
    its auth events. An outlier that is only in an auth chain, and not after a gap, also has its place taken
    by the first event for which a state is given that has it.

    Returns:
        The outliers by the event that takes their place; the pairs of an event and such an outlier that is
        only in its auth chain, and not after a gap; the outliers whose place the prev events tell; and those
        of them that an event after a gap has.
    """
    absorbed: dict[EventId, list[EventId]] = {}
    reached: set[EventId] = set()
    chained: set[EventId] = set()
    pairs: set[tuple[EventId, EventId]] = set()
    told: set[EventId] = set()
    placed: set[EventId] = set()
    behind, after = _find_gaps(events, places) if given else ({}, {})
    for event_id in sorted(given.keys() & places.keys(), key=places.__getitem__):
        stated = {*given[event_id], *answered.get(event_id, ())}
        if not behind[event_id]:
            placed |= stated & places.keys()
            continue
        first = sorted(stated)
        todo: list[tuple[EventId, EventId]] = []
        while todo or first:
            one, citing = todo.pop() if todo else (first.pop(), event_id)
            only_chained = one not in stated and not behind.get(one)
            if one in reached or (only_chained and one in chained) or one not in outliers:
                continue
            if not behind.get(citing, 0) & ~after.get(one, 0):
                # It comes after all that is missing before the event that has it. So the prev events tell.
                if one not in told:
                    told.add(one)
                    if behind.get(one):
                        todo += [(cited, one) for cited in events[one].auth_event_ids]
                continue
            if only_chained:
                chained.add(one)
                pairs.add((event_id, one))
            else:
                reached.add(one)
            if behind.get(one):
                todo += [(cited, one) for cited in events[one].auth_event_ids]
            else:
                placed.update(events[one].auth_event_ids)
            if places.get(one, len(places)) < places[event_id]:
                absorbed.setdefault(event_id, []).append(one)
    placed |= told & places.keys()
    left = list(placed)
    while left:
        one = left.pop()
        new = set(events[one].auth_event_ids) - placed if one in places else set()
        placed |= new
        left += new
    return absorbed, pairs, (placed - reached - chained) & places.keys(), told


def _find_gaps(
    events: Mapping[EventId, Event], places: Mapping[EventId, int]
) -> tuple[dict[EventId, int], dict[EventId, int]]:
    """Return masks with one bit for each missing prev event; all beyond a bound share one.

    Args:
        events: of the room.
        places: their places in the order, in this order.

    Returns:
        The missing events that each event follows, by prev events; and those that it is known to come after,
        also by auth events, without those beyond the bound.
    """
    numbers: dict[EventId, int] = {}
    behind: dict[EventId, int] = {}
    after: dict[EventId, int] = {}
    for event_id in places:
        mask, known = 0, 0
        for prev in events[event_id].prev_event_ids:
            if prev in places:
                mask = joined(mask, behind[prev])
                known = joined(known, after.get(prev, 0))
            else:
                if len(numbers) < HOLES:
                    numbers.setdefault(prev, len(numbers))
                if (number := numbers.get(prev)) is None:
                    mask = joined(mask, _ALL_OTHERS)
                else:
                    mask, known = joined(mask, 1 << number), joined(known, 1 << number)
        for cited in events[event_id].auth_parents:
            known = joined(known, after.get(cited, 0))
        behind[event_id] = mask
        if known:
            after[event_id] = known
    return behind, after


def find_missing(events: Mapping[EventId, Event]) -> dict[EventId, tuple[EventId, ...]]:
    """Return the IDs of missing events, each with the events that cite it."""
    missing: dict[EventId, tuple[EventId, ...]] = {}
    # Most missing events are cited by one event. The others get a list, so that adding to it is cheap.
    several: dict[EventId, list[EventId]] = {}
    for event_id, event in events.items():
        for cited in (*event.auth_parents, *event.prev_event_ids):
            if cited in events:
                continue
            if cited not in missing:
                missing[cited] = (event_id,)
            elif (citing := several.setdefault(cited, [*missing[cited]]))[-1] != event_id:
                citing.append(event_id)
    for cited, citing in several.items():
        missing[cited] = tuple(citing)
    return missing


def find_order(
    events: Mapping[EventId, Event], held: Mapping[EventId, Collection[EventId]]
) -> tuple[list[EventId], tuple[EventId, ...]]:
    """Return the events in topological order, and the events on cycles, which are not in the order.

    Input order is kept, but a parent comes before the first event that needs it.

    Args:
        events: of the room.
        held: for some events, the events of the state that is given for it. They come before it. Where the
            states of several events tell that these come before each other, they do not order them.
    """
    if not held and _is_in_order(events):
        return list(events), ()
    needed = {event_id: _parents(event, events) for event_id, event in events.items()}
    if held:
        cited = {event_id: needed[event_id] for event_id in held if event_id in needed}
        for event_id in cited:
            needed[event_id] = list(dict.fromkeys((*needed[event_id], *held[event_id])))
        try:
            return _in_order(needed), ()
        except CyclicGraph as error:
            cyclic = {*error.event_ids}
        for event_id in cited.keys() & cyclic:
            others = [one for one in held[event_id] if one not in cyclic]
            needed[event_id] = list(dict.fromkeys((*cited[event_id], *others)))
    try:
        return _in_order(needed), ()
    except CyclicGraph as error:
        # A cycle is possible only in versions 1 and 2, where the sender chooses the event ID.
        on_cycles = error.event_ids
    # The other events come after those that they reach through a cycle. None of them lies between two cycles,
    # so all cycles together can take one place in the order.
    above = [parent for event_id in on_cycles for parent in needed.pop(event_id)]
    left: dict[EventId, Collection[EventId]] = {_CYCLES: dict.fromkeys(p for p in above if p in needed)}
    for event_id, parents in needed.items():
        left[event_id] = dict.fromkeys(parent if parent in needed else _CYCLES for parent in parents)
    return [event_id for event_id in _in_order(left) if event_id != _CYCLES], on_cycles


def _is_in_order(events: Mapping[EventId, Event]) -> bool:
    """Tell whether each event of the input comes after the events of the input that it cites, and in version
    12 after the create event that its room ID names.

    Cost: linear in the edges. It takes a fraction of the time of making an order.
    """
    before: set[EventId] = set()
    for event_id, event in events.items():
        for cited in (event.auth_parents, event.prev_event_ids):
            if not before.issuperset(cited) and any(one in events and one not in before for one in cited):
                return False
        before.add(event_id)
    return True


def _parents(event: Event, events: Collection[EventId]) -> Sequence[EventId]:
    """Return the cited events that are not missing, each once: those that must be decided first.

    In version 12 the create event is one of them: the room ID names it.

    The rules on create events read no auth event. So these need not come first. But an event that cites
    itself is on a cycle.
    """
    if event.type == "m.room.create":
        itself = [event.event_id] if event.event_id in event.auth_event_ids else []
        return list(dict.fromkeys(one for one in (*event.prev_event_ids, *itself) if one in events))
    cited = dict.fromkeys((*event.auth_parents, *event.prev_event_ids))
    found = [parent for parent in cited if parent in events]
    # In the state of a room most prev events are missing. Then no list need be kept.
    auth_parents = event.auth_parents
    return auth_parents if len(found) == len(auth_parents) and (*found,) == auth_parents else found


def _in_order(needed: Mapping[EventId, Collection[EventId]]) -> list[EventId]:
    """Return events in topological order: input order, with late parents just before what needs them.

    So the order of the other events does not depend on where in the input a late event is.

    Raises:
        CyclicGraph: naming the events on a cycle or between two cycles.

    Cost: linear in the edges, apart from sorting the late parents of an event, without recursion.
    """
    place = {event_id: number for number, event_id in enumerate(needed)}
    done: dict[EventId, None] = {}
    for event_id in needed:
        if event_id in done:
            continue
        # The way from this event to the parent that is placed next, each with the parents left, last first.
        way = [(event_id, _late(needed[event_id], done, place))]
        on_way = {event_id}
        while way:
            last, late = way[-1]
            while late and late[-1] in done:
                late.pop()
            if not late:
                way.pop()
                done[last] = None
                continue
            parent = late.pop()
            if parent in on_way:
                return in_order(needed)  # it raises
            on_way.add(parent)
            way.append((parent, _late(needed[parent], done, place)))
    return list(done)


def _late(
    parents: Collection[EventId], done: Collection[EventId], place: Mapping[EventId, int]
) -> list[EventId]:
    """Return the parents that have no place in the order yet, the last of the input first."""
    return sorted((one for one in parents if one not in done), key=place.__getitem__, reverse=True)
