"""The mainline ordering of a room whose power levels are kept from one resolution to the next.

`v2` walks the mainline anew in each resolution. A replay resolves thousands of times in one room. If the
power levels of the room changed often, each resolution would cost as much as there are power levels.

Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Mainline ordering"
"""

from collections.abc import Iterable, Mapping
from math import inf

from ..event import Event
from ..forest import Forest
from ..power import Level
from ..types import EventId


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
