"""What can be found of an event, as data: kinds of findings, reasons, and counts over many events.

Nothing is checked here. `roomver.check` finds what is wrong with one event, `roomver.room_check` what is
wrong with the events of a room.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from .event import Event
from .signature_results import SigningStatus
from .types import EventId, KeyId, ServerName

__all__ = ["Action", "EventCheck", "Finding", "FindingKind", "Reason", "Summary"]


class Action(Enum):
    """What a server must do with an event."""

    DROP = "drop"
    """Drop it: it was never received."""
    REDACT = "redact"
    """Use its redacted form instead."""
    REJECT = "reject"
    """Reject it: keep it out of the state, and do not relay it."""
    SOFT_FAIL = "soft-fail"
    """Neither relay it nor build on it, until other events do."""
    FETCH = "fetch"
    """Fetch what is missing before anything is decided."""
    FETCH_KEY = "fetch-key"
    """Fetch the keys of servers that must sign, and check the signatures."""
    LOOK = "look"
    """Nothing: it is for people to find out."""


class FindingKind(Enum):
    """What is wrong with an event. The values are stable: programs may match on them."""

    UNREADABLE = "unreadable"
    """There is no event to check: a line that is no JSON, say."""
    MALFORMED = "malformed"
    """It has not the format of its room version. Nothing else was checked."""
    EVENT_ID = "event-id"
    """It is not the event that it is said to be."""
    SIGNATURE = "signature"
    """A server that must sign has signed, and not validly."""
    SIGNATURE_MISSING = "signature-missing"
    """A server that must sign has not signed. No key is needed to see it."""
    SIGNATURE_UNCHECKED = "signature-unchecked"
    """A signature cannot be checked, because a key is unknown. A finding only if signatures are required."""
    CONTENT_HASH = "content-hash"
    """It carries content that its content hash does not cover."""
    NO_CONTENT_HASH = "no-content-hash"
    """Its content hash is no base64 of 32 bytes."""
    OTHER_ROOM = "other-room"
    """It is of another room than the rest."""
    CYCLE = "cycle"
    """It cites itself, or events that cite it in turn."""
    AUTH_EVENT_MISSING = "auth-event-missing"
    """Events that it cites as auth events are not here, so that nothing can be decided."""
    AUTH_EVENT_REJECTED = "auth-event-rejected"
    """It cites an event that was rejected."""
    REJECTED = "rejected"
    """The rules refuse it by its own auth events."""
    REJECTED_BY_STATE = "rejected-by-state"
    """The rules refuse it by the state before it."""
    SOFT_FAILED = "soft-failed"
    """The rules refuse it by the current state of the room."""
    SERVER_DIFFERS = "server-differs"
    """The server that recorded the room decided otherwise."""

    @property
    def action(self) -> Action:
        """What a server must do with an event of which this was found."""
        return _ACTIONS[self]


_ACTIONS: Mapping[FindingKind, Action] = MappingProxyType(
    {
        FindingKind.UNREADABLE: Action.DROP,
        FindingKind.MALFORMED: Action.DROP,
        FindingKind.EVENT_ID: Action.DROP,
        FindingKind.SIGNATURE: Action.DROP,
        FindingKind.SIGNATURE_MISSING: Action.DROP,
        FindingKind.SIGNATURE_UNCHECKED: Action.FETCH_KEY,
        FindingKind.CONTENT_HASH: Action.REDACT,
        FindingKind.NO_CONTENT_HASH: Action.DROP,
        FindingKind.OTHER_ROOM: Action.DROP,
        FindingKind.CYCLE: Action.REJECT,
        FindingKind.AUTH_EVENT_MISSING: Action.FETCH,
        FindingKind.AUTH_EVENT_REJECTED: Action.REJECT,
        FindingKind.REJECTED: Action.REJECT,
        FindingKind.REJECTED_BY_STATE: Action.REJECT,
        FindingKind.SOFT_FAILED: Action.SOFT_FAIL,
        FindingKind.SERVER_DIFFERS: Action.LOOK,
    }
)


class Reason(NamedTuple):
    """One thing that makes a finding, or that is worth knowing."""

    path: str
    """The place in the event: ``content.membership``; ``""`` is the event as a whole."""
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class Finding(NamedTuple):
    """One kind of thing that is wrong with an event, with every reason; there is at least one."""

    kind: FindingKind
    reasons: tuple[Reason, ...]


class EventCheck(NamedTuple):
    """What came of checking one event."""

    event_id: EventId | None
    """The ID that the event has; of one that is malformed or unreadable, the ID it is said to have."""
    event: Event | None
    """The event; None if it is malformed or unreadable. Where the content hash does not cover the content
    it is the redacted form: what a server goes on with and may store."""
    findings: tuple[Finding, ...]
    """Everything that is wrong with it, in the order of the checks."""
    redacted: bool = False
    """It is in its redacted form, which its content hash was not made for. That is no finding."""
    signatures: SigningStatus | None = None
    """Whether every server that must sign has; None if signatures were not looked at, or the event is
    malformed or unreadable."""
    notes: tuple[Reason, ...] = ()
    """What is no finding and still worth a look."""
    unknown_keys: tuple[tuple[ServerName, KeyId], ...] = ()
    """The keys that would decide about the signatures, if that is open: at most `SHOWN`."""

    @property
    def ok(self) -> bool:
        """Nothing is wrong with it."""
        return not self.findings

    @property
    def usable(self) -> Event | None:
        """The event that a server goes on with; None if it must be dropped."""
        dropped = any(finding.kind.action is Action.DROP for finding in self.findings)
        return None if dropped else self.event


_KEYS_COUNTED = 10_000  # different ones: the names come from events, and there may be any number of them


@dataclass(slots=True)
class Summary:
    """Counts over the checks of many events: each is good, redacted, rejected or bad.

    Attributes:
        signatures: how many events have each signing status. Events that are not among them were not
            looked at.
        unknown_keys: the keys without which signatures are open, with how many events need each.
    """

    events: int = 0
    bad: int = 0
    redacted: int = 0
    rejected: int = 0
    notes: int = 0
    kinds: Counter[FindingKind] = field(default_factory=Counter)
    signatures: Counter[SigningStatus] = field(default_factory=Counter)
    unknown_keys: Counter[tuple[ServerName, KeyId]] = field(default_factory=Counter)

    def add(
        self, check: EventCheck, among_others: tuple[Finding, ...] = (), *, rejected: bool = False
    ) -> None:
        """Count one more event.

        Args:
            check: what was found of the event by itself.
            among_others: what was found of it in its room.
            rejected: the recording server rejected or soft-failed it, and the rules refuse it too.
        """
        self.events += 1
        if check.signatures is not None:
            self.signatures[check.signatures] += 1
        for key in check.unknown_keys:
            if key in self.unknown_keys or len(self.unknown_keys) < _KEYS_COUNTED:
                self.unknown_keys[key] += 1
        if check.findings or among_others:
            self.bad += 1
            self.kinds.update(finding.kind for finding in (*check.findings, *among_others))
        elif rejected:
            self.rejected += 1
        elif check.redacted:
            self.redacted += 1
        if check.notes:
            self.notes += 1

    def merge(self, other: "Summary") -> None:
        """Count the events of another summary as well."""
        self.events += other.events
        self.bad += other.bad
        self.redacted += other.redacted
        self.rejected += other.rejected
        self.notes += other.notes
        self.kinds.update(other.kinds)
        self.signatures.update(other.signatures)
        self.unknown_keys.update(other.unknown_keys)

    @property
    def intact(self) -> int:
        """Events of which nothing is wrong and nothing is missing."""
        return self.events - self.redacted - self.rejected - self.bad

    @property
    def signatures_not_checked(self) -> int:
        """Events whose signatures were not looked at: malformed and unreadable ones, or all of them."""
        return self.events - self.signatures.total()

    @property
    def keys_to_fetch(self) -> list[tuple[ServerName, KeyId, int]]:
        """The unknown keys, each with the number of events that need it. The most needed come first."""
        ordered = sorted(self.unknown_keys.items(), key=lambda item: (-item[1], item[0]))
        return [(server, key_id, events) for (server, key_id), events in ordered]
