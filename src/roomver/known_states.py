"""What the server of a room knows beside the events: states at gaps, outliers and forward extremities.

A database tells it, and so does a recording. It is data only; `roomver.gathering` adds it to the events.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from .event import Event
from .types import EventId, StateMap

__all__ = ["FindStates", "KnownStates", "Redaction", "Standing"]


class Standing(NamedTuple):
    """Where a server stands in a room, by its own users."""

    membership: str
    """``join`` if one of them is joined, otherwise ``invite``, ``knock`` or ``leave``."""
    event_id: EventId | None = None
    """The last member event that tells it, if the server has that."""
    at: int | None = None
    """When the server received that event, in milliseconds since 1970."""


class Redaction(NamedTuple):
    """A redaction that a server has stored."""

    event_id: EventId
    cut: bool
    """Whether the server has already removed the content of the event that it names."""


@dataclass(frozen=True, slots=True)
class KnownStates:
    """What a server knows of a room beside its events.

    Attributes:
        given: states before events whose prev events are missing, by event ID. Each has only usable events.
        accepted: as in `roomver.gathering.Gathered`.
        outliers: as in `roomver.replay_room`.
        extremities: the forward extremities that the server has. If the events have others, the server has
            received events that it no longer has, and `outliers` does not count.
        apart: outliers that no event of the room's graph is based on. They are not replayed, unless a state
            that the input gives holds them.
        backfilled: as in `roomver.replay_room`.
        unknown: for events whose state the server should know and does not, the reason.
        current: the current state, if it is to be used as given; it may be a `PartialState`.
        accepted_now: the events of that state and its auth chain.
    """

    given: Mapping[EventId, StateMap[EventId]] = field(default_factory=dict)
    accepted: Mapping[EventId, Collection[EventId]] = field(default_factory=dict)
    outliers: frozenset[EventId] | None = None
    extremities: frozenset[EventId] | None = None
    apart: frozenset[EventId] = frozenset()
    backfilled: frozenset[EventId] = frozenset()
    unknown: Mapping[EventId, str] = field(default_factory=dict)
    current: StateMap[EventId] | None = None
    accepted_now: frozenset[EventId] = frozenset()


FindStates: TypeAlias = Callable[[Mapping[EventId, Event]], KnownStates]
"""Takes the usable events of a room, by ID, and returns what its server knows beside them."""
