"""How a resolution asks for events: it yields the IDs that it lacks and is sent the events.

So one core serves a caller that has every event in memory, one that reads a database, and one that
awaits it.
"""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping
from typing import TypeAlias, TypeVar

from ..errors import MissingEvents, WrongRoom
from ..event import Event
from ..types import EventId

T = TypeVar("T")

Fetched: TypeAlias = Mapping[EventId, Event] | Mapping[EventId, Event | None]
"""The events among those that were asked for that exist. None stands for one that does not."""
Steps: TypeAlias = Generator[frozenset[EventId], Fetched, T]
"""Yields IDs of events, is sent those of them that exist, and returns its result."""


def run_steps(steps: Steps[T], fetch: Callable[[frozenset[EventId]], Fetched]) -> T:
    """Run the steps of a resolution, and return its result.

    Args:
        steps: what `resolve_steps` returns.
        fetch: is called with the IDs of events, and returns those of them that exist.

    >>> from roomver.resolution import resolve_steps
    >>> same = {("m.room.name", ""): "$a"}
    >>> run_steps(resolve_steps([same, same]), lambda wanted: {}).state
    {('m.room.name', ''): '$a'}
    """
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(fetch(wanted))
    except StopIteration as done:
        result: T = done.value  # typeshed says Any
        return result


async def run_steps_async(steps: Steps[T], fetch: Callable[[frozenset[EventId]], Awaitable[Fetched]]) -> T:
    """Run the steps of a resolution with a `fetch` that is awaited, and return its result.

    The arguments are those of `run_steps`.
    """
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(await fetch(wanted))
    except StopIteration as done:
        result: T = done.value  # typeshed says Any
        return result


class Known:
    """The events of a resolution that are known, and those that nobody has.

    Attributes:
        events: ID to event. A mapping that was handed in is never changed: what is fetched on top of
            it is kept apart.
        lost: IDs that were asked for in vain, and are passed over.
    """

    __slots__ = ("_fetched", "_ignore_missing", "_room", "events", "lost")

    def __init__(self, events: Mapping[EventId, Event] | None, *, ignore_missing: bool) -> None:
        self._fetched: dict[EventId, Event] = {}
        self.events: Mapping[EventId, Event] = self._fetched if events is None else events
        self.lost: set[EventId] = set()
        self._ignore_missing = ignore_missing
        self._room: tuple[str, str] | None = None

    def lacks(self, event_ids: Iterable[EventId]) -> bool:
        """Tell whether there is anything to ask for: `need` without its cost where there is not."""
        events = self.events
        for event_id in event_ids:  # noqa: SIM110 - any() would cost a generator for each event
            if event_id not in events and event_id not in self.lost:
                return True
        return False

    def need(self, event_ids: Iterable[EventId]) -> Steps[None]:
        """See to it that events are known or lost.

        Raises:
            MissingEvents: with all of these that nobody has, unless they are to be passed over.
            ValueError: if an event is sent under another's ID.
        """
        events = self.events
        # A list first: nearly always it is empty.
        unknown = [event_id for event_id in event_ids if event_id not in events]
        if not unknown:
            return
        wanted = frozenset(unknown) - self.lost
        if not wanted:
            return
        found = yield from self._asked(wanted)
        missing = wanted.difference(found)
        if missing and not self._ignore_missing:
            raise MissingEvents(missing)
        self.lost.update(missing)

    def prefetch(self, event_ids: Callable[[], Iterable[EventId]]) -> Steps[None]:
        """Ask, where events are asked for at all, for such as will probably be needed: in one question
        and not in many. That one of them is not there means nothing yet."""
        if not self._fetched:
            return
        wanted = frozenset(e for e in event_ids() if e not in self.events) - self.lost
        if wanted:
            yield from self._asked(wanted)

    def _asked(self, wanted: frozenset[EventId]) -> Steps[dict[EventId, Event]]:
        answer = yield wanted
        found = {}
        for event_id in wanted:
            event = answer.get(event_id)
            if event is not None:
                if event.event_id != event_id:
                    raise ValueError(f"asked for {event_id}, was sent {event.event_id}")
                found[event_id] = event
        if found and not self._fetched and self.events is not self._fetched:
            self.events = ChainMap(self._fetched, self.events)  # type: ignore[arg-type]
        self._fetched.update(found)
        return found

    def check_room(self, event_ids: Collection[EventId]) -> None:
        """Check that known events are of one room and room version: that of the first one ever given."""
        events = self.events
        room_id, version = self._room or ("", "")
        for event_id in event_ids:
            event = events[event_id]
            if self._room is None:
                self._room = _room_of(event)
                room_id, version = self._room
            elif event.room_id != room_id or event.room_version.identifier != version:
                # The smallest ID is named, for the order of a set is another in every run.
                strange = min(i for i in event_ids if _room_of(events[i]) != self._room)
                room = _room_of(events[strange])
                raise WrongRoom(
                    f"{strange} is of room {room[0]}, version {room[1]}; others are of room"
                    f" {room_id}, version {version}"
                )


def _room_of(event: Event) -> tuple[str, str]:
    return event.room_id, event.room_version.identifier
