"""Check one event by itself: its format, event ID, signatures and content hash.

These are the checks on receipt of a PDU that need no other event. The result is data: findings of stable
kinds, each with its reasons and with what a server must do. A bad event never raises an exception.

Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from .canonical import MAX_INTEGER, join_path, plain_object, scan, shorten
from .entry import Entry
from .errors import SHOWN, Defect, MalformedEvent, NotCanonical
from .event import Event, parse_event, set_event_id
from .findings import EventCheck, Finding, FindingKind, Reason
from .hashing import (
    SYNAPSE_NOT_HASHED,
    HashCheck,
    check_content_hash,
    compare_content_hash,
    content_digest,
    essential_bytes,
    event_id_of_bytes,
)
from .identifiers import server_of
from .keys import NO_KEYS, KeyRing
from .redaction import kept, redact
from .rules import MEMBER_AUTHORISER_SIGNATURE, Verdict
from .signature_results import ServerResult, SignatureReport, SignatureStatus, SigningStatus
from .signatures import check_signatures
from .types import EventId, JsonObject, KeyId, ServerName
from .unpadded import decode_unpadded, encode_unpadded
from .versions import EventIdForm, RoomVersion, version_record

__all__ = ["check_entries", "check_event", "check_events"]


def unreadable(reason: str, event_id: EventId | None = None, *, is_row: bool = False) -> EventCheck:
    """Return the check of an entry, or of a row of a database, that cannot be read as an event."""
    kind = FindingKind.DAMAGED_ROW if is_row else FindingKind.UNREADABLE
    return EventCheck(event_id, None, (Finding(kind, (Reason("", reason),)),))


def check_event(
    pdu: object,
    version: RoomVersion | str,
    *,
    claimed_id: EventId | None = None,
    keys: KeyRing | None = NO_KEYS,
) -> EventCheck:
    """Check one event by itself.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu,
    checks 1 to 3.

    Args:
        pdu: the PDU as it is on the wire: a mapping. Any other value is malformed.
        version: the version of its room.
        claimed_id: the event ID that the input gives. It is compared with the ID of the event.
        keys: the servers' keys, and the current time. A signature by a key that is not among them leaves the
            signing status open: it is neither valid nor a finding. A missing signature is a finding even
            without any keys. With None, signatures are not checked: this is for made-up events, which have
            none.

    Raises:
        UnknownRoomVersion: if there is no such version.

    Cost: one visit to each value, two encodings and hashes, and a verification for each signature of a
    server that must sign.

    >>> check = check_event({"type": "m.room.message"}, "11", claimed_id="$x")
    >>> check.findings[0].kind.value, str(check.findings[0].reasons[0])
    ('malformed', 'content: expected an object, found nothing')
    """
    return next(check_events([(pdu, claimed_id)], version, keys=keys))


def check_events(
    pdus: Iterable[tuple[object, EventId | None]],
    version: RoomVersion | str,
    *,
    keys: KeyRing | None = NO_KEYS,
) -> Iterator[EventCheck]:
    """Check many events, each by itself.

    The results are those of `check_event`, in the same order, but this is faster.

    Args:
        pdus: pairs of a PDU and the event ID that the input gives, or None. They are taken in batches. If the
            iterator raises, the events before that are checked first.
        version, keys: as in `check_event`.

    Raises:
        UnknownRoomVersion: if there is no such version.
    """
    record = version_record(version)
    for batch in _batches(pdus):
        yield from _check_batch(batch, record, keys)


def check_entries(
    entries: Iterable[Entry],
    version: RoomVersion | str,
    *,
    keys: KeyRing | None = NO_KEYS,
) -> Iterator[tuple[Entry, EventCheck]]:
    """Check the entries of an input, each by itself, and yield each entry with its check, in order.

    An entry that could not be read keeps its place among the others: it is a finding.

    Args:
        entries: taken in batches. If the iterator raises, the entries before that are checked first.
        version, keys: as in `check_event`.

    Raises:
        UnknownRoomVersion: if there is no such version.
    """
    record = version_record(version)
    for batch in _batches(entries):
        pdus: list[tuple[object, EventId | None]] = [
            (entry.pdu, entry.claimed_id) for entry in batch if entry.error is None
        ]
        yield from with_checks(batch, iter(_check_batch(pdus, record, keys)))


def with_checks(entries: Iterable[Entry], checks: Iterator[EventCheck]) -> Iterator[tuple[Entry, EventCheck]]:
    """Yield entries with the checks of those that could be read, which are given in their order."""
    for entry in entries:
        if entry.error is not None:
            yield entry, unreadable(entry.error, entry.claimed_id, is_row=entry.is_row)
        else:
            yield entry, _compare_claims(entry, next(checks))


_T = TypeVar("_T")


def _batches(items: Iterable[_T]) -> Iterator[list[_T]]:
    """Yield items a few at a time. An exception from them comes after the items before it."""
    source = iter(items)
    more = True
    while more:
        batch: list[_T] = []
        failure = None
        try:
            batch.extend(islice(source, _BATCH))
        except Exception as error:
            failure = error
        more = len(batch) == _BATCH
        yield batch
        if failure is not None:
            raise failure


def _compare_claims(entry: Entry, check: EventCheck) -> EventCheck:
    """Compare the IDs that a dump puts inside the event, where the wire format has no key for them."""
    event = check.event
    if event is None or (entry.carried_id is None and entry.claimed_room_id is None):
        return check
    reasons: tuple[Reason, ...] = ()
    if entry.carried_id not in (None, entry.claimed_id, event.event_id):
        reasons = _wrong_id(entry.carried_id or "", event.event_id, event.room_version).reasons
    if entry.claimed_room_id is not None and entry.claimed_room_id != event.room_id:
        claimed, computed = shorten(entry.claimed_room_id, 300), shorten(event.room_id, 300)
        reasons += (Reason("room_id", f"the input says {claimed}, but the reference hash gives {computed}"),)
    if not reasons:
        return check
    found = [finding for finding in check.findings if finding.kind is FindingKind.EVENT_ID]
    others = [finding for finding in check.findings if finding.kind is not FindingKind.EVENT_ID]
    reasons = sum((finding.reasons for finding in found), ()) + reasons
    return check._replace(findings=(Finding(FindingKind.EVENT_ID, reasons), *others))


# A batch of events goes through each stage together, so that the code and data of a stage stay in the
# processor's caches. Checking events one by one takes 20 % longer; longer batches gain nothing.
_BATCH = 32


def _check_batch(
    batch: list[tuple[object, EventId | None]], version: RoomVersion, keys: KeyRing | None
) -> list[EventCheck]:
    parsed = [_parsed(pdu, version, claimed_id) for pdu, claimed_id in batch]
    good = [one for one in parsed if not isinstance(one, EventCheck)]
    strict = version.strict_canonical_json  # and so they were scanned
    essentials = [essential_bytes(event.pdu, version, strict=strict) for event in good]
    digests = [content_digest(event.pdu, strict=strict) for event in good]
    reports: list[SignatureReport | None] = [None] * len(good)
    if keys is not None:
        reports = [
            check_signatures(event.pdu, version, essential, keys)
            for event, essential in zip(good, essentials, strict=True)
        ]
    required = keys is not None and keys.required
    stages = zip(essentials, digests, reports, strict=True)
    return [
        one if isinstance(one, EventCheck) else _judged(one, claimed_id, *next(stages), required)
        for one, (_, claimed_id) in zip(parsed, batch, strict=True)
    ]


# "Whenever a server receives an event from a remote server, the receiving server must ensure that the event:
#
# 1. Is a valid event, otherwise it is dropped. (`_parsed`)
# 2. Passes signature checks, otherwise it is dropped. (`_judged`)
# 3. Passes hash checks, otherwise it is redacted before being processed further." (`_judged`)
#
# Checks 4 to 6 are in `roomver.replay`.


def _parsed(pdu: object, version: RoomVersion, claimed_id: EventId | None) -> Event | EventCheck:
    plain = plain_object(pdu)
    if plain is None:
        # parse_event would read a string as JSON text.
        return _malformed(pdu, (Defect("", "a JSON object", shorten(pdu)),), claimed_id)
    try:
        # Without the claimed ID, which parse_event would trust.
        return parse_event(plain, version)
    except MalformedEvent as error:
        return _malformed(plain, error.defects, claimed_id or _computed_id(plain, version))


def _computed_id(pdu: JsonObject, version: RoomVersion) -> EventId | None:
    """Return the event ID of a malformed PDU, by which other events may cite it; None if it has none.

    If the PDU has an ``event_id`` inside, servers disagree about what the reference hash covers.
    """
    if version.event_id_form is EventIdForm.CHOSEN:
        return None
    if "event_id" in pdu or type(pdu.get("type")) is not str:
        return None
    try:
        # Only what redaction keeps: the ID does not depend on the rest, whatever is wrong with it.
        scan(kept(pdu, version), strict=version.strict_canonical_json)
    except NotCanonical:
        return None
    return event_id_of_bytes(essential_bytes(pdu, version), version)


def _judged(
    event: Event,
    claimed_id: EventId | None,
    essential: bytes,
    computed: bytes,
    report: SignatureReport | None,
    required: bool,
) -> EventCheck:
    """Combine the results of the stages for a well-formed event."""
    pdu, version = event.pdu, event.room_version
    findings: list[Finding] = []
    if version.event_id_form is EventIdForm.CHOSEN:
        event_id = event.event_id
    else:
        event_id = event_id_of_bytes(essential, version)
        set_event_id(event, event_id)
    if claimed_id is not None and claimed_id != event_id:
        findings.append(_wrong_id(claimed_id, event_id, version))

    status = None if report is None else report.status
    unknown_keys: tuple[tuple[ServerName, KeyId], ...] = ()
    tried = () if report is None else _shared(report.keys_tried)
    if report is not None and status is not SigningStatus.VALID and not report.valid:
        findings += _not_signed(event, report, required)
        unknown_keys = _unknown_keys(report)

    redacted = False
    usable: Event | None = event
    match compare_content_hash(pdu, computed):
        case HashCheck.UNREADABLE:
            found = shorten(event.hashes["sha256"])
            text = f"expected base64 of {len(computed)} bytes, found {found}"
            findings.append(Finding(FindingKind.NO_CONTENT_HASH, (Reason("hashes.sha256", text),)))
        case HashCheck.MISMATCH if is_redacted_form(pdu, version):
            redacted = True
        case HashCheck.MISMATCH:
            findings.append(_content_not_hashed(event, computed))
            try:
                usable = parse_event(redact(event), version, event_id=event_id)
            except MalformedEvent as error:
                usable = None
                findings.append(_malformed_once_redacted(error.defects))
    return EventCheck(event_id, usable, tuple(findings), redacted, status, _notes(event), unknown_keys, tried)


def is_redacted_form(pdu: JsonObject, version: RoomVersion) -> bool:
    """Tell whether redaction would remove only ``unsigned`` from a PDU."""
    return kept(pdu, version) == {key: value for key, value in pdu.items() if key != "unsigned"}


def _malformed(pdu: object, defects: tuple[Defect, ...], claimed_id: EventId | None) -> EventCheck:
    reasons = [Reason(d.path, f"expected {d.expected}, found {d.found}") for d in defects]
    event_id = claimed_id
    if event_id is None and type(pdu) is dict and type(carried := pdu.get("event_id")) is str:
        event_id = carried
    return EventCheck(event_id, None, (Finding(FindingKind.MALFORMED, tuple(reasons)),))


def _malformed_once_redacted(defects: tuple[Defect, ...]) -> Finding:
    # Redaction goes by the type alone. From version 12 on it removes the room ID of an m.room.create event
    # with any state key, and the format asks for a room ID unless the state key is "".
    text = "expected {} in the redacted form, found {}"
    reasons = [Reason(d.path, text.format(d.expected, d.found)) for d in defects]
    return Finding(FindingKind.MALFORMED, tuple(reasons))


def _wrong_id(claimed: EventId, event_id: EventId, version: RoomVersion) -> Finding:
    chosen = version.event_id_form is EventIdForm.CHOSEN
    what = "the event says" if chosen else "the reference hash gives"
    reason = Reason(
        "event_id", f"the input says {shorten(claimed, 300)}, but {what} {shorten(event_id, 300)}"
    )
    return Finding(FindingKind.EVENT_ID, (reason,))


_NOT_SIGNED = {
    SigningStatus.INVALID: FindingKind.SIGNATURE,
    SigningStatus.MISSING: FindingKind.SIGNATURE_MISSING,
    SigningStatus.KEY_UNKNOWN: FindingKind.SIGNATURE_UNCHECKED,
}


def _not_signed(event: Event, report: SignatureReport, required: bool) -> list[Finding]:
    """Return the findings about the signatures: one for each kind of fault."""
    if report.defect is not None:
        defect = report.defect
        text = f"expected {defect.expected}, found {defect.found}"
        return [Finding(FindingKind.SIGNATURE, (Reason(defect.path, text),))]
    findings = []
    for status, kind in _NOT_SIGNED.items():
        if status is SigningStatus.KEY_UNKNOWN and not required:
            continue
        servers = [server for server in report.servers if server.status is status]
        reasons = [Reason(join_path("signatures", server.server), _why_not(server)) for server in servers]
        # An authorisation rule also requires one of these signatures, and takes it as verified.
        authoriser = event.content.get("join_authorised_via_users_server")
        if (
            status.decided
            and event.room_version.authorising_server_signs
            and type(authoriser) is str
            and any(server.server == server_of(authoriser) for server in servers)
        ):
            compared: JsonObject = {"authoriser": authoriser}
            verdict = Verdict(False, MEMBER_AUTHORISER_SIGNATURE, event.room_version, compared)
            reasons.append(Reason("content.join_authorised_via_users_server", str(verdict)))
        if reasons:
            findings.append(Finding(kind, tuple(reasons)))
    return findings


def _why_not(server: ServerResult) -> str:
    if not server.signatures:
        return f"{server.server} must sign, but its signature is missing"
    unhelpful = [one for one in server.signatures if one.status is not SignatureStatus.VERIFIED]
    each = "; ".join(str(one._replace(key_id=shorten(one.key_id))) for one in unhelpful[:SHOWN])
    if len(unhelpful) > SHOWN:
        each += f"; and {len(unhelpful) - SHOWN:,} more"
    if server.status is SigningStatus.KEY_UNKNOWN:
        return f"the signature from {server.server} cannot be checked ({each})"
    return f"no valid signature from {server.server} ({each})"


@lru_cache(maxsize=1024)
def _shared(tried: tuple[tuple[ServerName, KeyId, bool], ...]) -> tuple[tuple[ServerName, KeyId, bool], ...]:
    """Return an equal value that was returned before, if any: most events of a server have the same."""
    return tried


def _unknown_keys(report: SignatureReport) -> tuple[tuple[ServerName, KeyId], ...]:
    keys = ((server.server, key_id) for server in report.servers for key_id in server.unknown_keys)
    return tuple(islice(keys, SHOWN))


def _content_not_hashed(event: Event, computed: bytes) -> Finding:
    pdu, carried = event.pdu, decode_unpadded(str(event.hashes["sha256"])) or b""
    text = f"carried {encode_unpadded(carried)}, computed {encode_unpadded(computed)}"
    reasons = [Reason("hashes.sha256", text)]
    stray = sorted(SYNAPSE_NOT_HASHED & pdu.keys())
    if stray and content_digest(pdu, stray) == carried:
        reasons.append(Reason("", f"matches without {', '.join(stray)}, which Synapse does not hash"))
    return Finding(FindingKind.CONTENT_HASH, tuple(reasons))


def _has_lost_its_version(event: Event) -> bool:
    """Tell whether a create event has been changed, so that its room version may have been redacted."""
    return "room_version" not in event.content and check_content_hash(event) is not HashCheck.INTACT


def _notes(event: Event) -> tuple[Reason, ...]:
    notes: tuple[Reason, ...] = ()
    if event.depth > MAX_INTEGER:
        notes += (Reason("depth", f"{event.depth} is legal here, but Synapse drops events above 2^53 - 1"),)
    if event.type == "m.room.create" and event.state_key == "" and not _has_lost_its_version(event):
        named = event.content.get("room_version", "1")
        checked = event.room_version.identifier
        if named != checked:
            text = f"says {shorten(named)}, but the event was checked as room version {checked}"
            notes += (Reason("content.room_version", text),)
    return notes
