"""What the server of a room knows beside the events: its decisions, states at gaps, outliers, extremities.

A database tells it, and so does a recording. It is data only; `roomver.gathering` adds it to the events.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, cast

from .entry import Place
from .event import Event
from .types import EventId, JsonObject, StateMap

__all__ = ["Beliefs", "FindStates", "KnownStates", "Redaction", "Standing"]


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


# The fields of a header that say what a server decided.
_BELIEFS: Final = ("rejected", "soft_failed", "state", "forward_extremities")


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What the server that recorded a room decided. A field is None if the recording does not say.

    Attributes:
        rejected, soft_failed: the IDs of events.
        state: the IDs of the events of the current state.
        extremities: the IDs of the forward extremities.
        unspoken: the IDs of events that the recording does not speak of either.
        others: what `Place.file` is for the events that the recording does not speak of.
        standing: where the server stands in the room.
        redactions: the redactions that the server has stored, by the event that each names.
        partial: whether the server does not have the whole current state yet: `state` may lack members and
            may change.
    """

    rejected: frozenset[EventId] | None = None
    soft_failed: frozenset[EventId] | None = None
    state: frozenset[EventId] | None = None
    others: frozenset[str] = frozenset()
    extremities: frozenset[EventId] | None = None
    unspoken: frozenset[EventId] = frozenset()
    standing: Standing | None = None
    redactions: Mapping[EventId, tuple[Redaction, ...]] = field(default_factory=dict)
    partial: bool = False

    def speak_of(self, place: Place, event_id: EventId | None = None) -> bool:
        """Tell whether the server decided about the event at a place of the input."""
        return event_id not in self.unspoken and (place.file is None or place.file not in self.others)

    def of_another_room(self) -> "Beliefs":
        """Return what a server that decided so much about another room decided about this one: nothing."""
        return Beliefs(
            None if self.rejected is None else frozenset(),
            None if self.soft_failed is None else frozenset(),
            others=self.others,
        )

    @classmethod
    def of_header(cls, fields: JsonObject, others: frozenset[str] = frozenset()) -> "Beliefs | None":
        """Return the beliefs in the header of a recorded room. The reader has checked its fields.

        Args:
            fields: of the header.
            others: the other files of the input.

        Returns:
            The beliefs; None if the header does not say what its server decided.
        """
        if fields.keys().isdisjoint(_BELIEFS):
            return None

        def ids(name: str) -> frozenset[EventId] | None:
            return frozenset(cast(list[EventId], fields[name])) if name in fields else None

        unspoken = ids("not_judged") or frozenset()
        ends = ids("forward_extremities")
        partial = fields.get("partial_state") is True
        return cls(ids("rejected"), ids("soft_failed"), ids("state"), others, ends, unspoken, partial=partial)


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
        backfilled, unplaced: as in `roomver.replay_room`.
        unknown: for events whose state the server should know and does not, the reason.
        current: the current state, if it is to be used as given; it may be a `PartialState`.
        accepted_now: the events of that state and its auth chain.
        unsettled: the events that the server has not judged against a whole state: outliers, and those that
            it took while it had a partial state. That it did not reject them decides nothing. None if the
            source does not tell which these are.
        tells_states: whether the source tells the states at gaps.
    """

    given: Mapping[EventId, StateMap[EventId]] = field(default_factory=dict)
    accepted: Mapping[EventId, Collection[EventId]] = field(default_factory=dict)
    outliers: frozenset[EventId] | None = None
    extremities: frozenset[EventId] | None = None
    apart: frozenset[EventId] = frozenset()
    backfilled: frozenset[EventId] = frozenset()
    unplaced: frozenset[EventId] = frozenset()
    unknown: Mapping[EventId, str] = field(default_factory=dict)
    current: StateMap[EventId] | None = None
    accepted_now: frozenset[EventId] = frozenset()
    unsettled: frozenset[EventId] | None = frozenset()
    tells_states: bool = False


FindStates: TypeAlias = Callable[[Mapping[EventId, Event]], KnownStates]
"""Takes the usable events of a room, by ID, and returns what its server knows beside them."""
