"""The mainline ordering, in two ways.

`mainline_of` and `order_by_mainline` walk the mainline anew in each resolution, and ask for missing events. A
replay resolves thousands of times in one room. If the power levels of the room changed often, each resolution
would cost as much as there are power levels. `Mainlines` keeps them from one resolution to the next.

Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Mainline ordering"
"""

from collections.abc import Iterable, Mapping
from math import inf

from ..errors import CyclicGraph
from ..event import Event
from ..forest import Forest
from ..power import Level
from ..types import EventId
from .need import KnownEvents, Steps


class Mainlines:
    """The power levels of one room, each below the power levels that it cites.

    The mainline of a power-levels event is its path to the root. The mainline position of another event
    follows from where the path of the power levels that it cites meets the mainline.

    It grows as it is asked, so it belongs to one thread.
    """

    __slots__ = ("_events", "_forest")

    def __init__(self, events: Mapping[EventId, Event]) -> None:
        self._events = events
        self._forest: Forest[EventId] = Forest()

    def order(self, event_ids: Iterable[EventId], power_levels: EventId | None) -> list[EventId] | None:
        """Return events in mainline ordering, smallest first.

        Args:
            event_ids: the events, which are known.
            power_levels: the event from which the mainline starts; None if there is none.

        Returns:
            The order. None if events are missing or power levels cite each other: then the mainline must be
            walked, which raises or skips what is missing.

        Cost: logarithmic in the number of power levels, for each event.
        """
        events, forest = self._events, self._forest
        if power_levels is not None and not self._add(power_levels):
            return None
        keys: list[tuple[Level, int, EventId]] = []
        for event_id in event_ids:
            event = events[event_id]
            position: Level = -inf
            cited = first_power_levels(event.auth_event_ids, events)
            if cited is not None:
                if not self._add(cited):
                    return None
                met = None if power_levels is None else forest.meet(cited, power_levels)
                # The greater the depth at which they meet, the smaller is the mainline position.
                position = -inf if met is None else forest.depth(met)
            keys.append((position, event.origin_server_ts, event_id))
        keys.sort()
        return [event_id for _, _, event_id in keys]

    def _add(self, event_id: EventId) -> bool:
        """Add power levels, and all that they are based on; return False if something is missing."""
        forest, events = self._forest, self._events
        path: dict[EventId, None] = {}
        current: EventId | None = event_id
        while current is not None and current not in forest:
            event = events.get(current)
            if current in path or event is None or any(e not in events for e in event.auth_event_ids):
                return False
            path[current] = None
            current = first_power_levels(event.auth_event_ids, events)
        for one in reversed(path):
            forest.add(one, current)
            current = one
        return True


def first_power_levels(cited: Iterable[EventId], events: Mapping[EventId, Event]) -> EventId | None:
    """Return the room's power levels among some events: those with the state key ""."""
    for event_id in cited:
        event = events.get(event_id)
        if event is not None and event.type == "m.room.power_levels" and event.state_key == "":
            return event_id
    return None


def _cited_power_levels(event_id: EventId, known: KnownEvents) -> Steps[EventId | None]:
    """Return the m.room.power_levels event in an event's auth_events; ask for these if need be."""
    cited = known.events[event_id].auth_event_ids
    if known.lacks(cited):
        yield from known.need(cited)
    return first_power_levels(cited, known.events)


# "Mainline ordering. Let P = P_0 be an m.room.power_levels event. Starting with i = 0, repeatedly fetch
# P_(i+1), the m.room.power_levels event in the auth_events of P_i. Increment i and repeat until P_i has no
# m.room.power_levels event in its auth_events. The mainline of P_0 is the list of events
# [P_0, P_1, ..., P_n], fetched in this way."
def mainline_of(power_levels: EventId | None, known: KnownEvents) -> Steps[list[EventId]]:
    """Return the mainline of a power-levels event P, newest first; empty without P.

    Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Mainline ordering"

    P is the power-levels event of the partially resolved state. In version 2.1 that state may have no power
    levels even though all states agree on some.

    Raises:
        CyclicGraph: if power levels cite each other. A graph that the caller keeps may not have these
            events, so nothing has checked them before.
    """
    mainline: dict[EventId, None] = {}
    # Events that power levels cite and that are not power levels, or missing. Most are cited again and again.
    others: set[EventId] = set()
    current = power_levels
    events = known.events
    while current is not None:
        if current in mainline:
            raise CyclicGraph(mainline)
        if current not in events:
            yield from known.need((current,))
            events = known.events
            if current not in events:
                break
        mainline[current] = None
        cited = events[current].auth_event_ids
        current = None
        # This is `first_power_levels` without the call for each step, with which the walk takes half as long
        # again.
        for one in cited:
            if one in others:
                continue
            event = events.get(one)
            if event is None:
                yield from known.need(cited)
                events = known.events
                event = events.get(one)
            if event is None or event.type != "m.room.power_levels" or event.state_key != "":
                others.add(one)
            elif current is None:
                current = one
    return list(mainline)


# "Given mainline positions calculated from P, the mainline ordering based on P of a set of events is the
# ordering, from smallest to largest, using the following comparison relation on events:
# for events x and y, x < y if
# 1. the mainline position of x is greater than the mainline position of y (i.e. the auth chain of x is
#    based on an earlier event in the mainline than y); or
# 2. the mainline positions of the events are the same, but x's origin_server_ts is less than y's
#    origin_server_ts; or
# 3. the mainline positions of the events are the same and the events have the same origin_server_ts,
#    but x's event_id is less than y's event_id."
def order_by_mainline(
    event_ids: Iterable[EventId], mainline: list[EventId], known: KnownEvents
) -> Steps[list[EventId]]:
    """Return the events of step 3 in mainline ordering, smallest first.

    Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Mainline ordering"

    Raises:
        CyclicGraph: if power levels cite each other.
    """
    # An event with mainline position infinity comes before all others, including the events that are based on
    # the oldest power levels of the mainline.
    positions: dict[EventId, Level] = {event_id: index for index, event_id in enumerate(mainline)}
    # Mainline position -> timestamp -> event ID. Only where two events have both in common, their IDs are
    # compared. (Sorting tuples of all three takes half as long again.)
    by_position: dict[Level, dict[int, EventId]] = {}
    equal: dict[tuple[Level, int], list[EventId]] = {}
    # Auth events that are not the room's power levels. Most of them are cited often.
    others: set[EventId] = set()
    events = known.events
    for event_id in event_ids:
        # The auth events of these are known: they were asked for with the full conflicted set.
        event = events[event_id]
        found = None
        for cited in event.auth_event_ids:
            found = positions.get(cited)
            if found is None and cited not in others:
                if first_power_levels((cited,), events) is None:
                    others.add(cited)
                    continue
                found = yield from _mainline_position(cited, positions, known)
                events = known.events
            if found is not None:
                break
        position = inf if found is None else found
        timestamp = event.origin_server_ts
        by_time = by_position.get(position)
        if by_time is None:
            by_position[position] = {timestamp: event_id}
        else:
            other = by_time.setdefault(timestamp, event_id)
            if other is not event_id:
                equal.setdefault((position, timestamp), [other]).append(event_id)
    order = []
    for position in sorted(by_position, reverse=True):
        by_time = by_position[position]
        for timestamp in sorted(by_time):
            same = equal.get((position, timestamp)) if equal else None
            if same is None:
                order.append(by_time[timestamp])
            else:
                order += sorted(same)
    return order


# "Let e = e_0 be another event (possibly another m.room.power_levels event). We can compute a similar list
# of events [e_1, ..., e_m], where e_(j+1) is the m.room.power_levels event in the auth_events of e_j and
# where e_m has no m.room.power_levels event in its auth_events. [...]
# - Find the smallest index j >= 1 for which e_j belongs to the mainline of P.
# - If such a j exists, then e_j = P_i for some unique index i >= 0. Otherwise set i = infinity, where
#   infinity is a sentinel value greater than any integer.
# - In both cases, the mainline position of e is i."
def _mainline_position(
    cited: EventId | None, positions: dict[EventId, Level], known: KnownEvents
) -> Steps[Level]:
    """Return the mainline position of an event that cites these power levels, caching it along the path.

    Args:
        cited: e_1, the power levels in the event's auth_events.
        positions: the index of each event of the mainline. Power levels that are not in the mainline are
            added: events that cite these have the same position.
        known: the events.

    Raises:
        CyclicGraph: if power levels cite each other.
    """
    # Invariant: no event on the path has a position yet. All get the one at which the path ends.
    path: dict[EventId, None] = {}
    current = cited
    while current is not None and current not in positions and current in known.events:
        if current in path:
            raise CyclicGraph(path)
        path[current] = None
        current = yield from _cited_power_levels(current, known)
    position = inf if current is None else positions.get(current, inf)
    positions.update(dict.fromkeys(path, position))
    return position
