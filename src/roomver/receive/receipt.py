"""The result of receiving an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, NoReturn

from ..canonical import shorten
from ..errors import Lack, listed, refuse_truth
from ..event import Event
from ..findings import Action, EventCheck, Finding, FindingKind, Reason
from ..policy import PolicyRefusal
from ..rules import Verdict
from ..state import State
from ..steps import Stored
from ..types import EventId, KeyId, ServerName, StateKey


class ReceiptStatus(Enum):
    """What becomes of a received event, in one word."""

    ACCEPTED = "accepted"
    """It passes all checks that can be made. Store it, and show it to clients."""
    SOFT_FAILED = "soft-failed"
    """It fails check 6 or 7. Store it, and use it in states. Do not show it to clients, and make no event
    that follows it."""
    REJECTED = "rejected"
    """It fails check 4 or 5. Store it, so that others may follow it, and leave it out of the states."""
    UNDECIDED = "undecided"
    """Something is missing. Store nothing; get what `Receipt.lacking` names, and receive the event again."""
    DROPPED = "dropped"
    """It fails check 1 or 2. Store nothing: it is not known whose event it is, if it is an event at all."""


class Lacking(NamedTuple):
    """What is missing or unknown.

    If the event is undecided, this is why. If it is decided, more of this would tell the state before it.
    """

    keys: tuple[tuple[ServerName, KeyId], ...] = ()
    """Verify keys that would decide check 2: up to 10 pairs of a server name and a key ID."""
    auth_events: tuple[EventId, ...] = ()
    """Missing auth events, in version 12 also the create event."""
    prev_events: tuple[EventId, ...] = ()
    """Prev events that are missing, or after which the state is unknown."""
    events: tuple[EventId, ...] = ()
    """Other missing events: of the auth chains of states, or of a state."""
    current: tuple[EventId, ...] = ()
    """Forward extremities after which the state is unknown."""
    entries: tuple[StateKey, ...] = ()
    """Entries of a state known in part that a check reads and that are unknown."""
    why: str = ""
    """Why a state is known in part; empty otherwise."""
    lack: Lack = Lack.STATE
    """What would tell these entries."""

    def __str__(self) -> str:
        parts = []
        if self.keys:
            parts.append(f"keys {listed([f'{server} {key_id}' for server, key_id in self.keys])}")
        for name, event_ids in (
            ("auth events", self.auth_events),
            ("prev events", self.prev_events),
            ("events", self.events),
            ("states after forward extremities", self.current),
        ):
            if event_ids:
                parts.append(f"{name} {listed(event_ids)}")
        if self.entries:
            parts.append(f"state entries {listed([f'{kind} {key!r}' for kind, key in self.entries])}")
        if self.why and self.entries:
            parts[-1] += f" ({self.why})"
        elif self.why:
            parts.append(f"part of a state ({self.why})")
        return "; ".join(parts)


NOTHING_LACKING = Lacking()


def same_id_finding(event_id: EventId) -> Finding:
    """Return the finding on an event that has the ID of another one.

    In versions 1 and 2 the sender's server chooses the ID.
    """
    return Finding(
        FindingKind.SAME_ID, (Reason("event_id", f"another event has the ID {shorten(event_id, 300)}"),)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The result of receiving an event: what becomes of it, and the result of each check.

    It is called a receipt because the specification speaks of the "checks performed on receipt of a PDU".
    `roomver.replay.Outcome` is something else: it has two of these checks, of an event of a whole room. A
    receipt has no truth value: use `status`.

    Attributes:
        status: what becomes of the event.
        check: the result of checks 1 to 3, on the format, the signatures and the content hash.
        by_auth_events: check 4, the verdict against the event's own auth events; None if it is not reached.
        by_state: check 5, the verdict against the state before the event; None if it is not reached.
        by_current: check 6, the verdict against the current state; None if it is not reached, or not made:
            for the first event of a room, and for one from the history.
        refusal: check 7, why the room's policy server does not recommend the event; None if it does, if the
            room uses none, or if the check is not reached.
        state_before: the state before the event; None if it is unknown or the event was dropped.
        delta: the changes that make the state after the event: its own entry if it is a state event that was
            not rejected, otherwise empty.
        forward_extremities: the new forward extremities of the room; None if they stay as they are.
        lacking: what is missing.
        from_history: whether the server fetched the event from the history of the room.
        cites_itself: whether the event has itself among its auth events or prev events. It is rejected then.
    """

    status: ReceiptStatus
    check: EventCheck
    by_auth_events: Verdict | None = None
    by_state: Verdict | None = None
    by_current: Verdict | None = None
    refusal: PolicyRefusal | None = None
    state_before: State[EventId] | None = None
    delta: Mapping[StateKey, EventId] = field(default_factory=dict)
    forward_extremities: frozenset[EventId] | None = None
    lacking: Lacking = NOTHING_LACKING
    from_history: bool = False
    cites_itself: bool = False

    @property
    def event_id(self) -> EventId | None:
        """The event ID, or the one that the caller gave for a PDU that is not an event; None without one."""
        return self.check.event_id

    @property
    def event(self) -> Event | None:
        """The event to use, redacted if its content hash does not match; None if it was dropped."""
        return self.check.usable

    @property
    def redacted(self) -> bool:
        """Whether check 3 failed, so that `event` is the redacted form of what was received."""
        kinds = {finding.kind for finding in self.check.findings}
        return self.event is not None and FindingKind.CONTENT_HASH in kinds

    @property
    def decided(self) -> bool:
        """Whether more knowledge changes nothing."""
        return self.status is not ReceiptStatus.UNDECIDED

    @property
    def stored(self) -> Stored | None:
        """What a store keeps of the event; None if nothing is to be stored."""
        event = self.event
        if event is None or not self.decided:
            return None
        rejected, soft_failed = (
            self.status is status for status in (ReceiptStatus.REJECTED, ReceiptStatus.SOFT_FAILED)
        )
        return Stored(event, rejected, soft_failed, self.from_history)

    @property
    def state_after(self) -> State[EventId] | None:
        """The state after the event; None if it is unknown, or nothing is to be stored."""
        if self.state_before is None or self.stored is None:
            return None
        return self.state_before.changed(self.delta) if self.delta else self.state_before

    @property
    def deciding(self) -> Verdict | PolicyRefusal | Finding | None:
        """The result that decided: of the check that failed, or of the last one that was made.

        None if the event is undecided, and if it cites itself.
        """
        match self.status:
            case ReceiptStatus.UNDECIDED:
                return None
            case ReceiptStatus.DROPPED:
                return next(found for found in self.check.findings if found.kind.action is Action.DROP)
        made = (self.refusal, self.by_current, self.by_state, self.by_auth_events)
        return next((one for one in made if one is not None), None)

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".status")

    def __str__(self) -> str:
        decided_by: Any = self.deciding
        if self.status is ReceiptStatus.UNDECIDED:
            why = f"missing: {self.lacking}"
        elif self.cites_itself:
            why = "it cites itself"
        elif isinstance(decided_by, Finding):
            why = f"{decided_by.kind.value}: {'; '.join(map(str, decided_by.reasons))}"
        else:
            why = str(decided_by)
        return f"{self.status.value}: {why}"


def dropped_for_its_id(check: EventCheck) -> Receipt:
    """Return the receipt of an event that has the ID of another one, from its checks 1 to 3."""
    found = (*check.findings, same_id_finding(str(check.event_id)))
    return Receipt(status=ReceiptStatus.DROPPED, check=check._replace(event=None, findings=found))
