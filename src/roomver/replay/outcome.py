"""The outcome of one event in a replay, and what a server decided about the events."""

from collections.abc import Collection, Container
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, TypeAlias, cast

from ..errors import Lack, MissingEvents
from ..policy import PolicyRefusal
from ..rules import Verdict
from ..types import EventId, StateKey


class Status(Enum):
    """The outcome of an event, in one word."""

    ACCEPTED = "accepted"
    REJECTED_BY_AUTH_EVENTS = "rejected by its auth events"
    REJECTED_BY_STATE = "rejected by the state before it"
    UNDECIDED = "undecided"
    REJECTED_AS_RECORDED = "rejected, as recorded"
    CYCLIC = "rejected: it cites itself, directly or through other events"


@dataclass(slots=True)
class Outcome:
    """The outcome of one event, and why.

    Attributes:
        event_id: the event.
        status: the outcome.
        by_auth_events: the verdict against its own auth events; None if they leave it undecided, or if it is
            cyclic. An event that only its auth events allow is undecided: the state before it may reject it.
        by_state: the verdict against the state before it; None if that state is unknown, if an unknown key of
            it is needed, or if the auth events decided already.
        missing: the auth events that leave it undecided: they are missing, or undecided themselves.
        unknown: the keys of the state before it that its check may read and that are unknown, sorted. Empty
            if the check did not need them, and if that state is unknown as a whole.
        why_unknown: why these keys are unknown.
        lack: what would tell them.
        ours: if the replay follows a server's decisions, the status without them; otherwise None.
    """

    event_id: EventId
    status: Status
    by_auth_events: Verdict | None = None
    by_state: Verdict | None = None
    missing: tuple[EventId, ...] = ()
    unknown: tuple[StateKey, ...] = ()
    why_unknown: str = ""
    ours: Status | None = None
    lack: Lack = Lack.STATE

    def __reduce__(self) -> tuple[Any, ...]:
        # Without this, the slots are not pickled in the old protocols.
        return Outcome, tuple(getattr(self, name) for name in self.__slots__)

    @property
    def accepted(self) -> bool:
        """Whether the event is accepted. False for one that is undecided, so it does not mean rejected."""
        return self.status is Status.ACCEPTED

    @property
    def own(self) -> Status:
        """The status by the rules alone, whatever a server decided."""
        return self.status if self.ours is None else self.ours

    @property
    def deciding(self) -> Verdict | None:
        """The verdict that decided: the one against the state if there is one; None if undecided."""
        if self.own is Status.UNDECIDED:
            return None
        return self.by_auth_events if self.by_state is None else self.by_state


SoftFailure: TypeAlias = Verdict | PolicyRefusal
"""Why an event is soft-failed: the current state refuses it, or the policy server has not signed it."""


class CurrentCheck(NamedTuple):
    """The result of checking an event against the current state at its arrival (checks 6 and 7).

    Attributes:
        allowed: whether the event passes; None if that is unknown, or if the check is not made.
        failure: why it does not pass; None otherwise, and if the recording server decided.
        why: why the result is unknown or the check is not made, or that the recording server soft-failed the
            event; empty otherwise.
        missing: the missing events that leave the result unknown.
        made: whether a server that received the events in this order would make the check.
        lack: what would tell the current state where it is known in part.
    """

    allowed: bool | None
    failure: SoftFailure | None = None
    why: str = ""
    missing: tuple[EventId, ...] = ()
    made: bool = True
    lack: Lack = Lack.STATE


class KnownRejected(Container[EventId]):
    """The rejected events, for a resolution. Nothing tells whether an undecided event is one of them."""

    def __init__(self, rejected: Collection[EventId], undecided: Collection[EventId]) -> None:
        self._rejected = rejected
        self._undecided = undecided

    def __contains__(self, event_id: object) -> bool:
        """Tell whether an event is rejected.

        Raises:
            MissingEvents: if it is undecided.
        """
        if event_id in self._undecided:
            raise MissingEvents([cast(EventId, event_id)])
        return event_id in self._rejected


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a server decided about the events of a room.

    Attributes:
        rejected: the IDs of the events that it rejected.
        soft_failed: the IDs of the accepted events that it soft-failed.
        events: the IDs of all events that it decided about; None for all events of the room. It accepted
            those that it did not reject. The rules decide about the other events of the room.
    """

    rejected: Collection[EventId] = frozenset()
    soft_failed: Collection[EventId] = frozenset()
    events: Collection[EventId] | None = None

    def frozen(self) -> "Decisions":
        """Return the same decisions in sets."""
        events = None if self.events is None else frozenset(self.events)
        return Decisions(frozenset(self.rejected), frozenset(self.soft_failed), events)

    def made_for(self, event_id: EventId) -> bool:
        """Tell whether the server decided about an event."""
        return self.events is None or any(
            event_id in some for some in (self.events, self.rejected, self.soft_failed)
        )
