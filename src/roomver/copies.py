"""Compare copies of one event: whole, redacted, or altered so that the content hash does not match."""

from typing import Final, cast

from .contributions import DifferenceKind
from .event import Event, build_unverified
from .findings import EventCheck, FindingKind
from .hashing import SYNAPSE_NOT_HASHED, content_digest, essential_bytes
from .types import JsonObject, JsonValue
from .versions import EventIdForm

__all__ = ["ALTERED_COPY", "compare_copies", "copy_text", "is_whole", "with_signatures_of"]

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
        # Of two signatures under one key ID, at most one is valid. Which one counts must not vary.
        both = {
            **one,
            **other,
            **{key_id: min(one[key_id], other[key_id]) for key_id in one.keys() & other.keys()},
        }
        signatures[server] = cast(JsonValue, both)
    return build_unverified({**event.pdu, "signatures": signatures}, event.room_version, event.event_id)
