"""One bit of a room is flipped, and exactly that event is reported, for the right reason.

The rooms are the recorded ones, and one of each room version that is made here. The expected findings are
computed from the two texts: whether the new one is an event, and whether its essential part, its content or
its signatures differ.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, key_of, public_key
from hypothesis import given
from hypothesis import strategies as st

from roomver import encode_canonical, get_room_version, redact, sign_event
from roomver.canonical import load_json
from roomver.check import check_event, is_redacted_form, unreadable
from roomver.errors import MalformedEvent, NotCanonical
from roomver.event import find_defects
from roomver.findings import EventCheck, FindingKind
from roomver.hashing import content_digest
from roomver.keys import KeyRing
from roomver.readers import read_room
from roomver.signature_results import SigningStatus
from roomver.signatures import list_required_signers
from roomver.unpadded import decode_unpadded
from roomver.versions import RoomVersion

RECORDED = sorted((Path(__file__).parents[1] / "vectors" / "rooms").glob("v*.jsonl"))

Pdu = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """An event of a room as text: its ID, and each top-level key with its value."""

    event_id: str
    pdu: Pdu
    head: bytes
    parts: tuple[tuple[str, bytes], ...]

    @property
    def raw(self) -> bytes:
        return self.head + b"".join(b"," + part for _, part in self.parts)[1:] + b"}}"


def line_of(event_id: str, pdu: Pdu, strict: bool) -> Line:
    def text(value: Any) -> bytes:
        return encode_canonical(value, strict=strict)

    parts = tuple((key, text(key) + b":" + text(value)) for key, value in sorted(pdu.items()))
    return Line(event_id, pdu, b'{"event_id":' + text(event_id) + b',"pdu":{', parts)


@dataclass(frozen=True)
class RoomText:
    """A room as text: its header and its events."""

    version: RoomVersion
    header: bytes
    lines: tuple[Line, ...]

    def with_line(self, index: int, raw: bytes, around: int = 1000) -> tuple[bytes, int]:
        """Return the text with one line replaced, and the number of that line.

        Of a long room, only `around` lines before and after it are kept, because each example checks all.
        """
        start = max(0, index - around)
        raws = [line.raw for line in self.lines[start : index + around]]
        raws[index - start] = raw
        return b"\n".join([self.header, *raws]) + b"\n", index - start + 2


def recorded(path: Path) -> RoomText:
    header, *lines = map(
        json.loads, path.read_bytes().splitlines()
    )  # not of str, which would end a line at U+2028
    version = get_room_version(header["room_version"])
    strict = version.strict_canonical_json
    events = tuple(line_of(entry["event_id"], entry["pdu"], strict) for entry in lines)
    return RoomText(version, json.dumps(header).encode(), events)


def made(identifier: str) -> RoomText:
    room = Room(identifier)
    room.join(ALICE, BOB)
    room.power({"users": {ALICE: 100, "@é:b.example": 50}, "events": {"m.room.name": 50}, "ban": 50})
    room.join_rule("public")
    text: Pdu = {"body": 'Grüße "\\/" 😀\n\x7f\u2028', "n": [-1, 0, 2**53 - 1, True, None, {"a": []}]}
    spoken = room.add("m.room.message", BOB, text, unsigned={"age": 5})
    room.add("m.room.redaction", ALICE, {"reason": "x"}, redacts=spoken.event_id)
    gone = room.add("m.room.message", ALICE, text)
    events = [(event.event_id, event.pdu) for event in room.events.values() if event is not gone]
    events.append((gone.event_id, redact(gone)))
    if room.version.authorising_server_signs:
        join = room.make_member(CAROL, "join", more={"join_authorised_via_users_server": BOB})
        signed = sign_event(join.pdu, identifier, "b.example", key_of("b.example"))
        events.append((join.event_id, signed))
    keys = {s: {"ed25519:1": {"key": public_key(s)}} for s in ("a.example", "b.example")}
    header = {"format": "roomver-room/1", "room_version": identifier, "keys": keys}
    strict = room.version.strict_canonical_json
    lines = tuple(line_of(event_id, pdu, strict) for event_id, pdu in events)
    return RoomText(room.version, json.dumps(header).encode(), lines)


@cache
def room_named(name: str) -> RoomText:
    return made(name) if name in VERSIONS else recorded(next(p for p in RECORDED if p.stem == name))


ROOMS = [*VERSIONS, *(path.stem for path in RECORDED)]


def checked(text: bytes) -> Iterator[tuple[int, EventCheck]]:
    """Yield the line and the check of each event. Signatures that cannot be checked are findings."""
    room = read_room(io.BytesIO(text), "room")
    keys = room.keys | KeyRing(required=True)
    for entry in room.entries:
        assert entry.place.line is not None
        if entry.error is not None:
            yield entry.place.line, unreadable(entry.error)
        else:
            check = check_event(entry.pdu, room.version, claimed_id=entry.claimed_id, keys=keys)
            yield entry.place.line, check


def essential(pdu: Pdu, version: RoomVersion) -> bytes:
    kept = {key: value for key, value in redact(pdu, version).items() if key != "signatures"}
    return encode_canonical(kept, strict=version.strict_canonical_json)


def signature_kinds(old: Pdu, new: Pdu, room: RoomText) -> set[FindingKind]:
    """Return the findings of the signatures. All were made over the essential part of the old text."""
    version, found = room.version, set()
    try:
        servers = list_required_signers(new, version)
    except MalformedEvent:
        return {FindingKind.SIGNATURE}
    changed = essential(new, version) != essential(old, version)
    table = json.loads(room.header)["keys"]
    for server in servers:
        by_id: dict[str, Any] = new.get("signatures", {}).get(server, {})
        before: dict[str, Any] = old.get("signatures", {}).get(server, {})
        mine = {key_id: text for key_id, text in by_id.items() if key_id.startswith("ed25519:")}
        known = [key_id for key_id in mine if counts(table.get(server, {}).get(key_id), new, version)]
        if not mine:
            found.add(FindingKind.SIGNATURE_MISSING)
        elif not known:
            found.add(FindingKind.SIGNATURE_UNCHECKED)
        elif changed or any(
            key_id not in before or decode_unpadded(mine[key_id]) != decode_unpadded(before[key_id])
            for key_id in known
        ):
            found.add(FindingKind.SIGNATURE)
    return found


def counts(key: Any, pdu: Pdu, version: RoomVersion) -> bool:
    """Tell whether there is such a key that is known to be valid at the time of the event."""
    if key is None:
        return False
    until = key.get("valid_until_ts")
    return not version.key_validity_enforced or until is None or pdu["origin_server_ts"] <= until


def expected_kinds(line: Line, raw: bytes, room: RoomText) -> set[FindingKind]:
    """Return the kinds of findings that the line must have if its text is `raw`."""
    version = room.version
    try:
        entry = load_json(raw)
    except NotCanonical:
        return {FindingKind.UNREADABLE}
    assert type(entry) is dict
    claimed, new = entry["event_id"], entry["pdu"]
    if find_defects(new, version):
        return {FindingKind.MALFORMED}
    assert type(new) is dict
    found = set()
    changed = essential(new, version) != essential(line.pdu, version)
    if version.event_id_server_signs:  # the versions in which an event carries its ID
        if claimed != new["event_id"]:
            found.add(FindingKind.EVENT_ID)
    elif changed or claimed != line.event_id:
        found.add(FindingKind.EVENT_ID)
    found |= signature_kinds(line.pdu, new, room)
    digest = decode_unpadded(new["hashes"]["sha256"])  # type: ignore[index, call-overload, arg-type]
    if digest is None or len(digest) != 32:
        found.add(FindingKind.NO_CONTENT_HASH)
    elif digest != content_digest(new) and not is_redacted_form(new, version):
        found.add(FindingKind.CONTENT_HASH)
    return found


@pytest.mark.parametrize("name", ROOMS)
def test_an_unchanged_room_has_no_findings(name: str) -> None:
    room = room_named(name)
    results = list(checked(room.with_line(0, room.lines[0].raw)[0]))
    assert len(results) == len(room.lines)
    assert [(line, check.findings) for line, check in results if not check.ok] == []
    # Third-party invites with a signed block need no signature of the sender's server.
    assert {check.signatures for _, check in results} <= {SigningStatus.VALID, SigningStatus.NOT_REQUIRED}
    valid = sum(check.signatures is SigningStatus.VALID for _, check in results)
    assert valid > 0.9 * len(results)


@pytest.mark.parametrize("name", ROOMS)
@given(data=st.data())
def test_one_flipped_bit_is_reported_for_that_event_only(name: str, data: st.DataObject) -> None:
    room = room_named(name)
    index = data.draw(st.integers(0, len(room.lines) - 1), label="event")
    line = room.lines[index]
    kept = room.version.redaction_keeps | {"content", "signatures"}
    parts = ["", *(key for key, _ in line.parts if key in kept)]
    part = data.draw(st.sampled_from(parts), label="part")
    raw = line.raw
    if part:
        before = [text for key, text in line.parts if key < part]
        start = len(line.head) + sum(map(len, before)) + len(before)
        end = start + len(dict(line.parts)[part])
    else:
        start = raw.index(b":") + 2  # within the quotes of the ID
        end = start + len(line.event_id.encode())
    position = data.draw(st.integers(start, end - 1), label="byte")
    bit = data.draw(st.integers(0, 7), label="bit")
    flipped = raw[:position] + bytes([raw[position] ^ (1 << bit)]) + raw[position + 1 :]

    text, number = room.with_line(index, flipped, around=5)
    bad = {line_number: check for line_number, check in checked(text) if not check.ok}
    if b"\n" in flipped:
        # The line becomes two lines, neither of which is an event.
        assert set(bad) == {number, number + 1}
        assert all(c.findings[0].kind is FindingKind.UNREADABLE for c in bad.values())
        return
    expected = expected_kinds(line, flipped, room)
    assert set(bad) == ({number} if expected else set())
    if expected:
        assert {finding.kind for finding in bad[number].findings} == expected


def test_a_change_in_each_part_has_its_findings() -> None:
    """The most common cases by hand, because the expectations above are computed."""
    room = room_named("11")
    index = next(i for i, line in enumerate(room.lines) if line.pdu["type"] == "m.room.message")
    raw = room.lines[index].raw
    for old, new, kinds in [
        (b'"body":"Gr', b'"body":"gr', ["content-hash"]),
        (b'"depth":6', b'"depth":4', ["event-id", "signature", "content-hash"]),
        (b'{"event_id":"$', b'{"event_id":"%', ["event-id"]),
        (b'"ed25519:1":"', b'"ed25519:9":"', ["signature-unchecked"]),
        (b'"b.example":{"', b'"b.exampme":{"', ["signature-missing"]),
        (b'"type":', b'"tyqe":', ["malformed"]),
        (b'"body":"', b'"body:"', ["unreadable"]),
        (b'"age":5', b'"age":4', []),
    ]:
        assert old in raw
        text, number = room.with_line(index, raw.replace(old, new, 1))
        found = [
            (line, [f.kind.value for f in check.findings]) for line, check in checked(text) if not check.ok
        ]
        assert found == ([(number, kinds)] if kinds else [])
