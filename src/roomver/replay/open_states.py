"""The states after the ends of a room, and the entries on which they agree.

An event is checked against the merge of these states. Mostly they agree on what its check reads, and then the
merge need not be made. `OpenStates` remembers what it has compared: a state is read once for a key, until the
states no longer agree on it. So many ends cost little.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import UnknownState
from ..event import Event
from ..types import EventId, StateKey
from .states import Grouped

# Bounds on what a hostile room can make expensive. An honest room does not come near them.
_READS: Final = 100_000
_READS_PER_EVENT: Final = 256


@dataclass(slots=True)
class Open:
    """The ends after which the state is the same."""

    state: Grouped | None
    """That state; None if it is unknown."""
    number: int = 0
    """The states are numbered in the order in which they are added."""
    ends: dict[EventId, None] = field(default_factory=dict)


class _Agreed(NamedTuple):
    """All states up to a number have the same event for a key, or none of them has one."""

    value: EventId | None
    number: int


class _Differing(NamedTuple):
    """Two states differ on a key, or one of them is unknown there."""

    one: Open
    other: Open


class TooManyReads(Exception):
    """Comparing the states would cost more than the size of the room allows."""


class OpenStates:
    """The ends of a room, by the group of the state after them; None is the group of an unknown state.

    Args:
        keys: of state events that a resolution may put into a state although they have not arrived.
    """

    def __init__(self, keys: Iterable[StateKey]) -> None:
        self.by_group: dict[int | None, Open] = {}
        self.number: int = 0
        """That of the last state that was added."""
        self._found: dict[StateKey, _Agreed | _Differing] = {}
        # The keys for which an event has arrived. Nothing puts an event into a state for any other key.
        self._keys: set[StateKey] = {*keys}
        self._left = _READS

    def __len__(self) -> int:
        return len(self.by_group)

    @property
    def states(self) -> list[Grouped | None]:
        """The states; None if it is unknown."""
        return [here.state for here in self.by_group.values()]

    def arrive(self, event: Event) -> None:
        """Take an event that has arrived, whatever became of it."""
        self._left += _READS_PER_EVENT
        if event.state_key is not None:
            self._keys.add((event.type, event.state_key))

    def add(self, event_id: EventId, after: Grouped | None) -> None:
        """Add an end, and the state after it."""
        group = None if after is None else after[1]
        here = self.by_group.get(group)
        if here is None:
            self.number += 1
            here = self.by_group[group] = Open(after, self.number)
        here.ends[event_id] = None

    def remove(self, event_id: EventId, group: int | None) -> None:
        """Remove an end. The group is that of the state after it."""
        here = self.by_group[group]
        del here.ends[event_id]
        if not here.ends:
            del self.by_group[group]
            if not self.by_group:
                self._found.clear()

    def follow(self, event: Event, event_id: EventId, group: int, after: Grouped) -> None:
        """Take an event that takes the place of the only end. It does what `remove`, `add` and `arrive` do.

        Args:
            event: the event.
            event_id: its ID.
            group: that of the state after the end.
            after: the state after the event.
        """
        self._left += _READS_PER_EVENT
        if event.state_key is not None:
            self._keys.add((event.type, event.state_key))
        if self._found:
            self._found.clear()
        self.number += 1
        if after[1] == group:
            here = self.by_group[group]
            here.number, here.ends = self.number, {event_id: None}
        else:
            del self.by_group[group]
            self.by_group[after[1]] = Open(after, self.number, {event_id: None})

    def agreed(self, keys: Collection[StateKey]) -> dict[StateKey, EventId] | None:
        """Return the entries of the merged state for some keys, if they are the same whatever is merged.

        No algorithm changes an entry that all states agree on. If no state has an event for a key, a
        resolution may still put one there that has arrived.

        Returns:
            The entries; None if the states differ on a key, or one of them is unknown there.

        Raises:
            TooManyReads: if that is too expensive to find out.
        """
        agreed: dict[StateKey, EventId] = {}
        for key in keys:
            found = self._agree_on(key)
            if isinstance(found, _Differing) or (
                found.value is None and len(self.by_group) > 1 and key in self._keys
            ):
                return None
            if found.value is not None:
                agreed[key] = found.value
        return agreed

    def all_have(self, key: StateKey, value: EventId | None) -> bool:
        """Tell whether all states have an event for a key, or none of them if it is None.

        Raises:
            TooManyReads: as in `agreed`.
        """
        found = self._agree_on(key) if self.by_group else None
        return found is None or (isinstance(found, _Agreed) and found.value == value)

    def _agree_on(self, key: StateKey) -> _Agreed | _Differing:
        found = self._found.get(key)
        if isinstance(found, _Differing):
            if self._is_open(found.one) and self._is_open(found.other):
                return found
            found = None
        first = next(iter(self.by_group.values()))
        if found is not None and found.number < first.number:
            found = None  # none of the states that were compared is open any more
        made = self._found[key] = self._compare(key, first, found)
        return made

    def _compare(self, key: StateKey, first: Open, found: _Agreed | None) -> _Agreed | _Differing:
        here = first
        try:
            value, number = (self._read(first, key), first.number) if found is None else found
            for here in self.newer(number):
                if self._read(here, key) != value:
                    return _Differing(first, here)
        except UnknownState:
            return _Differing(first, here)
        return _Agreed(value, self.number)

    def newer(self, number: int) -> Iterator[Open]:
        """Yield the states that were added after one, the last of them first."""
        for here in reversed(self.by_group.values()):
            if here.number <= number:
                return
            yield here

    def spend(self, reads: int) -> None:
        """Count what was compared.

        Raises:
            TooManyReads: if that is too much.
        """
        self._left -= reads
        if self._left < 0:
            raise TooManyReads

    def _read(self, here: Open, key: StateKey) -> EventId | None:
        self.spend(1)
        assert here.state is not None  # otherwise nothing is compared
        return here.state[0].get(key)

    def _is_open(self, here: Open) -> bool:
        return here.state is not None and self.by_group.get(here.state[1]) is here
