"""How a resolution asks for events: it yields the IDs of the events that it needs and is sent the events.

So one core serves a caller that has every event in memory, a caller that reads a database, and a caller
that awaits one. `roomver.steps` has the drivers for a store that answers other needs too.
"""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping
from typing import TypeAlias, TypeVar

from ..errors import MissingEvents, WrongRoom
from ..event import Event
from ..steps import FoundEvents, drive, drive_async, not_awaited
from ..types import EventId

T = TypeVar("T")

Fetched: TypeAlias = Mapping[EventId, Event] | Mapping[EventId, Event | None]
"""The requested events that exist. None stands for one that does not exist. `FoundEvents` also tells which
were rejected."""
Steps: TypeAlias = Generator[frozenset[EventId], Fetched, T]
"""A generator that yields event IDs, is sent the events that exist, and returns its result. It belongs to one
thread at a time."""


def run_steps(steps: Steps[T], fetch: Callable[[frozenset[EventId]], Fetched]) -> T:
    """Run the steps of a resolution, and return its result.

    Args:
        steps: what `resolve_steps` returns.
        fetch: is called with the IDs of events, and returns the events that exist.

    Raises:
        TypeError: if `fetch` is awaited.
        Exception: whatever the steps or `fetch` raise.

    >>> from roomver.resolution import resolve_steps
    >>> same = {("m.room.name", ""): "$a"}
    >>> run_steps(resolve_steps([same, same]), lambda wanted: {}).state.as_dict()
    {('m.room.name', ''): '$a'}
    """
    return drive(steps, lambda wanted: not_awaited(fetch(wanted), "roomver.resolution.run_steps_async"))


async def run_steps_async(steps: Steps[T], fetch: Callable[[frozenset[EventId]], Awaitable[Fetched]]) -> T:
    """Run the steps of a resolution with a `fetch` that is awaited, and return its result.

    The arguments are those of `run_steps`.
    """
    return await drive_async(steps, fetch)


class KnownEvents:
    """The events that a resolution knows, and the IDs of events that do not exist.

    Attributes:
        events: ID to event. The caller's mapping is never changed: fetched events are kept in another
            dict.
        lost: the IDs of missing events, which are skipped.
        rejected: the IDs of events that the store says were rejected, known when the event is.
        room: the room ID and the version of the events that were checked; None if none was.
    """

    __slots__ = ("_fetched", "_given", "_ignore_missing", "events", "lost", "rejected", "room")

    def __init__(self, events: Mapping[EventId, Event] | None, *, ignore_missing: bool) -> None:
        self._fetched: dict[EventId, Event] = {}
        self.events: Mapping[EventId, Event] = self._fetched if events is None else events
        self.lost: set[EventId] = set()
        self.rejected: set[EventId] = set()
        self._given = events
        self._ignore_missing = ignore_missing
        self.room: tuple[str, str] | None = None

    def lacks(self, event_ids: Iterable[EventId]) -> bool:
        """Tell whether `need` would ask for any of these events; cheaper than `need` if it would not."""
        events = self.events
        for event_id in event_ids:  # noqa: SIM110 - any() would cost a generator for each event
            if event_id not in events and event_id not in self.lost:
                return True
        return False

    def need(self, event_ids: Iterable[EventId]) -> Steps[None]:
        """Ask for the events that are not known yet. Afterwards each event is known or missing.

        Raises:
            MissingEvents: naming the events that were not sent, unless missing events are to be ignored.
            ValueError: if an event is sent under the ID of another event.
        """
        events = self.events
        # This list is almost always empty, and cheaper than a set.
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
        """Request events that are likely to be needed, in one batch.

        Does nothing if the caller has not had to send any event so far. An event that is not sent is not
        marked as missing yet: it may turn out not to be needed.
        """
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
        if isinstance(answer, FoundEvents):
            self.rejected.update(answer.rejected.intersection(found))
        self._fetched.update(found)
        self._keep(found)
        return found

    def _keep(self, found: Collection[EventId]) -> None:
        """Put fetched events into `events`: into one dict if that costs little, as it is read a lot."""
        given = self._given
        if given is None or self.events is self._fetched:
            return
        # The caller may have put them into its own mapping as well.
        if self.events is given and all(event_id in given for event_id in found):
            return
        if type(given) is dict and len(given) <= len(self._fetched):
            # The same dict, because a ChainMap of it may be in use.
            self._fetched.update(given)
            self.events = self._fetched
        elif self.events is given:
            self.events = ChainMap(self._fetched, given)  # type: ignore[arg-type]

    def check_room(self, event_ids: Collection[EventId]) -> None:
        """Check that known events have one room and room version: those of the first event checked.

        Raises:
            WrongRoom: naming the smallest ID of an event in another room.
        """
        events = self.events
        for event_id in event_ids:
            if self.room is None:
                self.room = room_of(events[event_id])
            elif room_of(events[event_id]) != self.room:
                # Name the smallest ID, because set order varies between runs.
                strange = min(i for i in event_ids if room_of(events[i]) != self.room)
                room = room_of(events[strange])
                raise WrongRoom(
                    f"{strange} is in room {room[0]}, version {room[1]}; others are in room"
                    f" {self.room[0]}, version {self.room[1]}"
                )


def room_of(event: Event) -> tuple[str, str]:
    """Return the room ID and the room version of an event."""
    return event.room_id, event.room_version.identifier
