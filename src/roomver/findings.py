"""Findings as data: their kinds, their reasons, and counts over many events.

Nothing is checked here. `roomver.check` finds what is wrong with one event. `roomver.room_check` finds what
is wrong with the events of a room.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from .errors import Lack
from .event import Event
from .signature_results import SigningStatus
from .types import EventId, KeyId, ServerName

__all__ = ["Action", "EventCheck", "Finding", "FindingKind", "Reason", "Summary"]


class Action(Enum):
    """What a server must do with an event."""

    DROP = "drop"
    """Drop the event, as if it had never been received."""
    REDACT = "redact"
    """Use the redacted form of the event."""
    REJECT = "reject"
    """Reject the event: keep it out of the room state, and do not relay it to clients."""
    SOFT_FAIL = "soft-fail"
    """Soft-fail the event: do not relay it to clients, and do not make new events follow it."""
    FETCH = "fetch"
    """Fetch the missing events. Nothing is decided without them."""
    FETCH_KEY = "fetch-key"
    """Fetch the missing keys, and check the signatures with them."""
    REPLACE = "replace"
    """Get a valid copy of the event. Nothing is decided about it."""
    LOOK = "look"
    """Do nothing. A person must look at it."""


class FindingKind(Enum):
    """The kinds of findings. The values are stable, so programs may match on them."""

    UNREADABLE = "unreadable"
    """The entry cannot be read as an event, for example because the line is not JSON."""
    DAMAGED_ROW = "damaged-row"
    """The event's row in a server's database cannot be read. Its server had an event there."""
    MALFORMED = "malformed"
    """The event is not in the event format of its room version. Nothing else was checked."""
    EVENT_ID = "event-id"
    """The event ID that the input gives is not the ID of the event."""
    SIGNATURE = "signature"
    """A server that must sign has signed, but not validly."""
    SIGNATURE_MISSING = "signature-missing"
    """A server that must sign has not signed. No key is needed to see this."""
    SIGNATURE_UNCHECKED = "signature-unchecked"
    """A required signature cannot be checked, because a key is unknown. Found only on request."""
    CONTENT_HASH = "content-hash"
    """The content hash in the event does not match the event."""
    NO_CONTENT_HASH = "no-content-hash"
    """The content hash in the event is not 32 bytes of base64."""
    SAME_ID = "same-id"
    """Another event of the input, with other content, has its event ID. Nothing tells which is right."""
    OTHER_ROOM = "other-room"
    """The event is not from the same room as the other events."""
    CYCLE = "cycle"
    """The event cites itself, directly or through other events."""
    AUTH_EVENT_MISSING = "auth-event-missing"
    """One of its auth events is missing, was dropped or is undecided itself. So the event is undecided."""
    STATE_UNKNOWN = "state-unknown"
    """The event's auth events allow it. It is undecided, because the state before it is unknown, or because
    that state is known in part and the auth rules need an unknown entry."""
    AUTH_EVENT_REJECTED = "auth-event-rejected"
    """The event cites an auth event that was rejected."""
    REJECTED = "rejected"
    """The event fails the auth rules when checked against its own auth events."""
    REJECTED_BY_STATE = "rejected-by-state"
    """The event fails the auth rules when checked against the state before it."""
    SOFT_FAILED = "soft-failed"
    """The event fails the auth rules when checked against the current state of the room."""
    POLICY_SERVER = "policy-server"
    """The room uses a policy server, and that server has not validly signed the event."""
    SERVER_DIFFERS = "server-differs"
    """The server that recorded the room decided differently."""

    @property
    def action(self) -> Action:
        """What a server must do with an event that has such a finding."""
        return _ACTIONS[self]


_ACTIONS: Mapping[FindingKind, Action] = MappingProxyType(
    {
        FindingKind.UNREADABLE: Action.DROP,
        FindingKind.DAMAGED_ROW: Action.REPLACE,
        FindingKind.MALFORMED: Action.DROP,
        FindingKind.EVENT_ID: Action.DROP,
        FindingKind.SIGNATURE: Action.DROP,
        FindingKind.SIGNATURE_MISSING: Action.DROP,
        FindingKind.SIGNATURE_UNCHECKED: Action.FETCH_KEY,
        FindingKind.CONTENT_HASH: Action.REDACT,
        FindingKind.NO_CONTENT_HASH: Action.DROP,
        FindingKind.SAME_ID: Action.DROP,
        FindingKind.OTHER_ROOM: Action.DROP,
        FindingKind.CYCLE: Action.REJECT,
        FindingKind.AUTH_EVENT_MISSING: Action.FETCH,
        FindingKind.STATE_UNKNOWN: Action.FETCH,
        FindingKind.AUTH_EVENT_REJECTED: Action.REJECT,
        FindingKind.REJECTED: Action.REJECT,
        FindingKind.REJECTED_BY_STATE: Action.REJECT,
        FindingKind.SOFT_FAILED: Action.SOFT_FAIL,
        FindingKind.POLICY_SERVER: Action.SOFT_FAIL,
        FindingKind.SERVER_DIFFERS: Action.LOOK,
    }
)


class Reason(NamedTuple):
    """One fact about an event: a reason for a finding, or a note."""

    path: str
    """Where in the event, for example ``content.membership``; ``""`` is the whole event."""
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class Finding(NamedTuple):
    """A kind of finding, with all its reasons. There is at least one reason."""

    kind: FindingKind
    reasons: tuple[Reason, ...]
    lacks: tuple[Lack, ...] = ()
    """What would decide an undecided event; empty if that was not searched for."""


class EventCheck(NamedTuple):
    """The result of checking one event by itself."""

    event_id: EventId | None
    """The event ID. For a malformed or unreadable event, the ID that the input gives, else the computed
    one, if any."""
    event: Event | None
    """The event; None if it is malformed or unreadable. If the content hash does not match, this is the
    redacted form: a server uses and stores only that."""
    findings: tuple[Finding, ...]
    """All findings, in the order of the checks."""
    redacted: bool = False
    """Whether the event is in its redacted form, so that its content hash cannot match. Not a finding."""
    signatures: SigningStatus | None = None
    """Whether the event has all required signatures; None if signatures were not checked, or if the event
    is malformed or unreadable."""
    notes: tuple[Reason, ...] = ()
    """Facts that are worth knowing but are not findings."""
    unknown_keys: tuple[tuple[ServerName, KeyId], ...] = ()
    """The keys that are needed to check the signatures: up to 10 pairs of a server name and a key ID."""
    keys_tried: tuple[tuple[ServerName, KeyId, bool], ...] = ()
    """The known keys that the signatures were checked with, and whether these verify: up to 10."""

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    @property
    def usable(self) -> Event | None:
        """The event that a server uses; None if a server must drop it."""
        for finding in self.findings:
            if finding.kind.action is Action.DROP:
                return None
        return self.event


_KEYS_COUNTED = 10_000  # at most: the key IDs come from events, which may name any number of them


@dataclass(slots=True)
class Summary:
    """Counts over many events. Each event is intact, redacted, rejected, soft-failed, undecided or bad.

    Attributes:
        events: all events.
        bad: events with findings, without the undecided ones.
        undecided: events whose only findings are that something is missing.
        redacted: events without findings, in their redacted form.
        rejected: events that the rules reject, as the recording server did.
        soft_failed: events that the rules soft-fail, as the recording server did.
        notes: events with notes.
        kinds: the number of events by kind of finding.
        lacks: the number of events by kind of finding and by what would decide them.
        signatures: the number of events by the status of their required signatures, if these were checked.
        unknown_keys: the number of events by the keys that are needed to check their signatures.
        keys_tried: the number of signatures by the known key, and by whether they verify.
    """

    events: int = 0
    bad: int = 0
    undecided: int = 0
    redacted: int = 0
    rejected: int = 0
    soft_failed: int = 0
    notes: int = 0
    kinds: Counter[FindingKind] = field(default_factory=Counter)
    lacks: Counter[tuple[FindingKind, Lack]] = field(default_factory=Counter)
    signatures: Counter[SigningStatus] = field(default_factory=Counter)
    unknown_keys: Counter[tuple[ServerName, KeyId]] = field(default_factory=Counter)
    keys_tried: Counter[tuple[ServerName, KeyId, bool]] = field(default_factory=Counter)

    def add(
        self,
        check: EventCheck,
        among_others: tuple[Finding, ...] = (),
        *,
        agreed: Finding | None = None,
    ) -> None:
        """Count one more event.

        Args:
            check: the check of the event by itself.
            among_others: the findings of the event in its room.
            agreed: why the rules reject or soft-fail it, if the recording server did so too.
        """
        self.events += 1
        if check.signatures is not None:
            self.signatures[check.signatures] += 1
        for key in check.unknown_keys:
            if key in self.unknown_keys or len(self.unknown_keys) < _KEYS_COUNTED:
                self.unknown_keys[key] += 1
        for tried in check.keys_tried:
            if tried in self.keys_tried or len(self.keys_tried) < _KEYS_COUNTED:
                self.keys_tried[tried] += 1
        findings = (*check.findings, *among_others)
        if findings:
            if all(finding.kind.action is Action.FETCH for finding in findings):
                self.undecided += 1
            else:
                self.bad += 1
            self.kinds.update(finding.kind for finding in findings)
            self.lacks.update((finding.kind, lack) for finding in findings for lack in finding.lacks)
        elif agreed is not None and agreed.kind.action is Action.SOFT_FAIL:
            self.soft_failed += 1
        elif agreed is not None:
            self.rejected += 1
        elif check.redacted:
            self.redacted += 1
        if check.notes:
            self.notes += 1

    def merge(self, other: "Summary") -> None:
        """Add the counts of another summary."""
        self.events += other.events
        self.bad += other.bad
        self.undecided += other.undecided
        self.redacted += other.redacted
        self.rejected += other.rejected
        self.soft_failed += other.soft_failed
        self.notes += other.notes
        self.kinds.update(other.kinds)
        self.lacks.update(other.lacks)
        self.signatures.update(other.signatures)
        self.unknown_keys.update(other.unknown_keys)
        self.keys_tried.update(other.keys_tried)

    @property
    def intact(self) -> int:
        """Events without findings that are neither redacted, rejected nor soft-failed."""
        refused = self.rejected + self.soft_failed
        return self.events - self.redacted - refused - self.undecided - self.bad

    @property
    def signatures_not_checked(self) -> int:
        """Events whose signatures were not checked, because the events are malformed or on request."""
        return self.events - self.signatures.total()

    @property
    def keys_in_doubt(self) -> list[tuple[ServerName, KeyId, int]]:
        """The known keys with which two or more signatures fail and none verifies, with their number, sorted.

        Such a key is probably not the server's. But all of these events may be forged.
        """
        tried = self.keys_tried.items()
        failed = [(server, key_id, n) for (server, key_id, good), n in tried if not good and n > 1]
        return sorted(one for one in failed if not self.keys_tried[*one[:2], True])

    @property
    def keys_to_fetch(self) -> list[tuple[ServerName, KeyId, int]]:
        """The unknown keys, each with the number of events that need it. The most needed come first."""
        ordered = sorted(self.unknown_keys.items(), key=lambda item: (-item[1], item[0]))
        return [(server, key_id, events) for (server, key_id), events in ordered]
