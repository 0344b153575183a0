"""The events that one computation has got from a store so far."""

from collections.abc import Generator, Iterable
from typing import Any, TypeVar

from ..errors import MissingEvents
from ..event import Event
from ..steps import NeedEvents, Steps, Stored
from ..types import EventId

T = TypeVar("T")


class Known:
    """Events by ID, with what was decided about each.

    Attributes:
        events: the events.
        rejected, soft_failed: the IDs of those that were rejected, or accepted and soft-failed.
        from_history: the IDs of those that were fetched from the history of the room.
    """

    __slots__ = ("_missing", "events", "from_history", "rejected", "soft_failed")

    def __init__(self) -> None:
        self.events: dict[EventId, Event] = {}
        self.rejected: set[EventId] = set()
        self.soft_failed: set[EventId] = set()
        self.from_history: set[EventId] = set()
        self._missing: set[EventId] = set()

    def fetch(self, event_ids: Iterable[EventId]) -> Steps[None]:
        """Ask for those of some events that are not known yet, in one batch. Each is asked for once.

        Raises:
            ValueError: if an event is sent under the ID of another event.
        """
        wanted = frozenset(e for e in event_ids if e not in self.events and e not in self._missing)
        if not wanted:
            return
        answer = yield NeedEvents(wanted)
        for event_id in wanted:
            stored: Stored | None = answer.get(event_id)
            if stored is None:
                self._missing.add(event_id)
                continue
            if stored.event.event_id != event_id:
                raise ValueError(f"asked for {event_id}, was sent {stored.event.event_id}")
            self.add(stored)

    def add(self, stored: Stored) -> None:
        """Add an event, with what was decided about it."""
        event_id = stored.event.event_id
        self.events[event_id] = stored.event
        self._missing.discard(event_id)
        if stored.rejected:
            self.rejected.add(event_id)
        elif stored.soft_failed:
            self.soft_failed.add(event_id)
        if stored.from_history:
            self.from_history.add(event_id)

    def need(self, event_ids: Iterable[EventId]) -> Steps[None]:
        """Fetch events, all of which are needed.

        Raises:
            MissingEvents: naming all of them that the store does not have.
        """
        wanted = list(event_ids)
        yield from self.fetch(wanted)
        missing = [event_id for event_id in wanted if event_id not in self.events]
        if missing:
            raise MissingEvents(missing)

    def served(self, steps: Generator[frozenset[EventId], Any, T]) -> Steps[T]:
        """Run the steps of a resolution with these events, fetching those that are not known yet.

        The resolution reads `rejected` while it runs. So it must hold what was decided about an event before
        the resolution sees the event.
        """
        try:
            wanted = next(steps)
            while True:
                yield from self.fetch(wanted)
                wanted = steps.send({e: self.events[e] for e in wanted if e in self.events})
        except StopIteration as done:
            result: T = done.value  # typeshed says Any
            return result
