"""Compare copies of one event: whole, redacted, or altered so that the content hash does not match."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from .check import check_event
from .contributions import DifferenceKind
from .event import Event, build_unverified
from .findings import EventCheck, FindingKind
from .hashing import SYNAPSE_NOT_HASHED, content_digest, essential_bytes
from .keys import KeyRing
from .policy import POLICY, check_policy_signature, named_policy_server
from .signature_results import POLICY_SERVER_KEY
from .types import EventId, JsonObject, JsonValue, ServerName
from .versions import EventIdForm

__all__ = [
    "ALTERED_COPY",
    "PolicySignatures",
    "check_again",
    "compare_copies",
    "copy_text",
    "is_altered",
    "is_whole",
    "with_signatures_of",
]

ALTERED_COPY: Final = "has a copy that is altered"
"""What a source says whose copy of an event does not match its content hash."""


def compare_copies(one: EventCheck, event: Event, other: EventCheck, copy: Event) -> DifferenceKind | None:
    """Compare two usable copies of an event, except for ``signatures`` and ``unsigned``.

    Args:
        one, other: their checks.
        event, copy: the events. Of an altered copy it is the redacted form.
    """
    version = event.room_version
    if version.event_id_form is EventIdForm.CHOSEN:
        if essential_bytes(event.pdu, version) != essential_bytes(copy.pdu, version):
            return DifferenceKind.CONTENT
        if is_whole(one) and is_whole(other):
            digests = {content_digest(copied.pdu, SYNAPSE_NOT_HASHED) for copied in (event, copy)}
            return DifferenceKind.CONTENT if len(digests) > 1 else None
    if is_whole(one) and is_whole(other):
        return None  # the event ID covers the content hash, and that covers the content
    if is_altered(one) != is_altered(other):
        return DifferenceKind.ALTERED
    return DifferenceKind.REDACTED if is_whole(one) != is_whole(other) else None


def is_altered(check: EventCheck) -> bool:
    """Tell whether an event does not match its content hash."""
    return any(finding.kind is FindingKind.CONTENT_HASH for finding in check.findings)


def is_whole(check: EventCheck) -> bool:
    """Tell whether an event has all of its content."""
    return not check.redacted and not is_altered(check)


def copy_text(check: EventCheck) -> str:
    """Say which copy of an event a source has."""
    if is_altered(check):
        return ALTERED_COPY
    return f"has a copy that is {'redacted' if check.redacted else 'whole'}"


def with_signatures_of(event: Event, copy: Event) -> Event:
    """Return an event with the signatures of another copy of it too. The order of the two does not matter."""
    mine, others = event.signatures, copy.signatures
    if mine == others:
        return event
    signatures: JsonObject = {}
    for server in sorted({*mine, *others}):
        one, other = (cast(dict[str, str], found.get(server, {})) for found in (mine, others))
        # Of two signatures under one key ID, at most one is valid. Which one counts must not vary. If the key
        # of a required signature is known, both are valid: a server drops a copy that is not validly signed.
        both = {
            **one,
            **other,
            **{key_id: min(one[key_id], other[key_id]) for key_id in one.keys() & other.keys()},
        }
        signatures[server] = cast(JsonValue, both)
    return build_unverified({**event.pdu, "signatures": signatures}, event.room_version, event.event_id)


_OF_SIGNATURES = (FindingKind.SIGNATURE, FindingKind.SIGNATURE_MISSING, FindingKind.SIGNATURE_UNCHECKED)


def check_again(check: EventCheck, event: Event, keys: KeyRing | None) -> EventCheck:
    """Return the check of an event with the signatures that all of its copies have.

    Args:
        check: of one of the copies.
        event: with the signatures.
        keys: as in `check_event`.
    """
    fresh = check_event(event.pdu, event.room_version, keys=keys)
    findings = [one for one in fresh.findings if one.kind in _OF_SIGNATURES]
    findings += [one for one in check.findings if one.kind not in _OF_SIGNATURES]
    return check._replace(
        findings=tuple(findings),
        signatures=fresh.signatures,
        unknown_keys=fresh.unknown_keys,
        keys_tried=fresh.keys_tried,
    )


@dataclass(slots=True)
class PolicySignatures:
    """The signatures of policy servers that differ between the copies of an event.

    The key that such a signature must be by is in the room. So which one counts is chosen once all events are
    known: a copy with a signature that does not verify takes nothing from one that does.
    """

    _found: dict[tuple[EventId, ServerName], set[str]] = field(default_factory=dict)

    def note(self, event: Event, copy: Event) -> None:
        """Note where two copies differ."""
        for server in event.signatures.keys() & copy.signatures.keys():
            both = {
                cast(dict[str, str], one.signatures[server]).get(POLICY_SERVER_KEY) for one in (event, copy)
            }
            both.discard(None)
            if len(both) > 1:
                self._found.setdefault((event.event_id, server), set()).update(cast(set[str], both))

    def choose(self, events: dict[EventId, Event]) -> None:
        """Put the signatures that count into events: those that verify with most of the server's keys.

        Of those that verify alike, the first one counts, sorted as text.

        Args:
            events: the events of the room, by ID.
        """
        if not self._found:
            return
        policies = [event for event in events.values() if (event.type, event.state_key) == POLICY]
        named = [server for event in policies if (server := named_policy_server(event)) is not None]
        for (event_id, name), signatures in self._found.items():
            if event_id not in events:
                continue
            copies = [_signed(events[event_id], name, signature) for signature in sorted(signatures)]
            servers = {server.key: server for server in named if server.name == name}.values()
            refused = [sum(check_policy_signature(one, s) is not None for s in servers) for one in copies]
            events[event_id] = copies[refused.index(min(refused))]


def _signed(event: Event, server: ServerName, signature: str) -> Event:
    """Return an event with another signature of a policy server."""
    mine = cast(Mapping[str, JsonValue], event.signatures[server])
    signatures: JsonObject = {**event.signatures, server: {**mine, POLICY_SERVER_KEY: signature}}
    return build_unverified({**event.pdu, "signatures": signatures}, event.room_version, event.event_id)
