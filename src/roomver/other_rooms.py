"""Leave out entries of other rooms, if several sources are read.

If no room was asked for, it is that of the first source. Then all entries of that source are kept: those of
other rooms are findings.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .contributions import Origin
from .entry import NO_SOURCE, Entry
from .event import Event
from .findings import EventCheck
from .state_document import main_room
from .types import EventId, RoomId

__all__ = ["OtherRooms"]


@dataclass(slots=True)
class OtherRooms:
    """The entries of other rooms, while the entries of several sources arrive.

    Attributes:
        room_id: the room to read; None if it is that of the first source that has usable events.
        events: the usable events that were left out, by ID.
        numbers: how many entries were left out, by the number of their source.
        strange: the sources that have only other rooms, once all entries have arrived.
    """

    room_id: RoomId | None = None
    events: dict[EventId, Event] = field(default_factory=dict)
    numbers: Counter[int] = field(default_factory=Counter)
    strange: frozenset[int] = frozenset()
    # The source whose room it is. None if the room was asked for, or if no usable event has arrived yet.
    _first: int | None = None

    def leave_out(self, entry: Entry, check: EventCheck, usable: Mapping[EventId, Event]) -> bool:
        """Tell whether an entry is of another room, and note it if so.

        Args:
            entry: the next entry. The sources come one after another.
            check: its check.
            usable: the usable events of the entries before it.
        """
        if entry.source == NO_SOURCE:
            return False
        event = check.usable
        if self.room_id is None:
            if self._first is None and event is not None:
                self._first = entry.source
            if self._first in (None, entry.source):
                return False
            self.room_id = main_room(usable.values())
        if entry.source == self._first:
            return False
        if _room_of(entry, event) in (None, self.room_id):
            return False
        self.numbers[entry.source] += 1
        if event is not None:
            self.events[event.event_id] = event
        return True

    def without_strange(
        self, origins: Sequence[Origin], has: Sequence[Collection[EventId]]
    ) -> Sequence[Origin]:
        """Return the sources, of which those that have only other rooms say nothing but keys.

        Args:
            origins: the sources.
            has: the usable events of each.
        """
        self.strange = frozenset(n for n in self.numbers if not has[n])
        return [
            Origin(one.name, one.what, one.keys, has_room=False) if n in self.strange else one
            for n, one in enumerate(origins)
        ]


def _room_of(entry: Entry, event: Event | None) -> RoomId | None:
    """Return the room that an entry names; None if it names none."""
    if event is not None:
        return event.room_id
    if entry.claimed_room_id is not None:
        return entry.claimed_room_id
    named = entry.pdu.get("room_id") if type(entry.pdu) is dict else None
    return named if type(named) is str else None
