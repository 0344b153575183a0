"""`EventsOf`: a state of event IDs, read as a state of events."""

from collections.abc import Iterator, Mapping

from ..errors import MissingEvents
from ..event import Event
from ..types import EventId, StateKey, StateMap


class EventsOf(Mapping[StateKey, Event]):
    """A view of a state map of event IDs as a state map of events.

    `resolve` and stores give IDs; `check_auth` reads events. The view looks up an event when a rule reads its
    key, so it costs nothing to make. If the state map is known in part, reading an unknown key raises
    `UnknownState`.

    An event that the state names and the lookup does not have raises `MissingEvents`. It does not count as
    absent, because a missing ban would then let a banned user send.

    Args:
        ids: the state. `State.events` makes the view of a `RoomState` or a `PartialState`.
        events: event ID to event. It is not copied. Only the events that the rules read are looked up.

    >>> name = ("m.room.name", "")
    >>> EventsOf({name: "$a"}, {})[name]
    Traceback (most recent call last):
    ...
    roomver.errors.MissingEvents: events missing from the events of the state: $a
    """

    __slots__ = ("_events", "_ids")

    def __init__(self, ids: StateMap[EventId], events: Mapping[EventId, Event | None]) -> None:
        self._ids = ids
        self._events = events

    def __getitem__(self, key: StateKey) -> Event:
        event = self.get(key)
        if event is None:
            raise KeyError(key)
        return event

    def get(self, key: StateKey, default: Event | None = None) -> Event | None:  # type: ignore[override]
        """Return the event of a key, or the default."""
        event_id = self._ids.get(key)
        if event_id is None:
            return default
        try:
            event = self._events[event_id]  # not `get`, which takes longer, and rules read several keys
        except KeyError:
            event = None
        if event is None:
            raise MissingEvents([event_id], "the events of the state")
        return event

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def __iter__(self) -> Iterator[StateKey]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<events of {self._ids!r}>"
