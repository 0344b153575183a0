"""`State`: what the room states of this package have in common."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from ..event import Event
from ..types import EventId, StateKey, StateMap
from .events_of import EventsOf

if TYPE_CHECKING:
    from .unknown import Unknown

V = TypeVar("V")


class State(Mapping[StateKey, V], Generic[V]):
    """A room state that never changes: a `RoomState`, or a `PartialState` if it is known in part.

    It is a mapping, so every function that takes a state takes one. `Resolution.state` is always a ``State``
    of event IDs.

    Threads may share a state.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def known(self) -> StateMap[V]:
        """The known entries: the state itself if it is known in whole."""

    @property
    @abstractmethod
    def unknown(self) -> "tuple[Unknown, ...]":
        """Which other entries are unknown; empty if the state is known in whole."""

    @abstractmethod
    def changed(self, changes: Mapping[StateKey, V | None]) -> "State[V]":
        """Return a state with some entries set; those whose value is None are removed."""

    @abstractmethod
    def changes_since(self, other: StateMap[V]) -> dict[StateKey, V | None]:
        """Return the changes that make this state from another one, sorted by key.

        ``other.changed(state.changes_since(other))`` equals ``state``. The value of a removed entry is None.

        Raises:
            UnknownState: if a state is known in part, unless both are unknown in the same way.

        Cost: for states that share their dict, proportional to their changes; see `RoomState`. For others, a
        few C-level passes over both.
        """

    @abstractmethod
    def as_dict(self) -> dict[StateKey, V]:
        """Return a new dict with the same entries. It is faster than ``dict(state)``.

        Raises:
            UnknownState: if the state is known in part.
        """

    @abstractmethod
    def __eq__(self, other: object) -> bool:
        """Tell whether another mapping has the same entries, and the same are unknown."""

    __hash__ = None  # type: ignore[assignment]

    def events(self: "State[EventId]", lookup: Mapping[EventId, Event | None]) -> EventsOf:
        """Return this state of event IDs as a state of events, for `check_auth`.

        Args:
            lookup: event ID to event. It must hold the events that the rules read.

        The result is a view: see `EventsOf`.
        """
        return EventsOf(self, lookup)
