"""Hashes, redaction, signatures and format, compared with the Synapse wheel on random events."""

import copy
import json
import warnings
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from random import Random
from typing import Any

import generator
import pytest
from signedjson.key import decode_signing_key_base64, decode_verify_key_bytes
from signedjson.sign import SignatureVerifyException, verify_signed_json
from strategies import HASH_ID_VERSIONS, OWNED_KEY_VERSIONS, PEER_VERSIONS, JsonObject, number_of
from unpaddedbase64 import encode_base64

from peer.differences import (
    CONTENT_HASH,
    HASH_CHECK,
    SYNAPSE_ACCEPTS,
    SYNAPSE_REFUSES,
    Difference,
    Refusal,
    nested,
    of_size,
    plain,
)
from roomver import compute_event_id, get_room_version, redact, sign_event, verify_signatures
from roomver.event import find_defects
from roomver.hashing import (
    SYNAPSE_NOT_HASHED,
    HashCheck,
    check_content_hash,
    compute_content_hash,
    compute_reference_hash,
)
from roomver.keys import KeyRing, SigningKey

pytest.importorskip("synapse", reason="matrix-synapse is not installed (pip install --group peer)")
with warnings.catch_warnings():
    # Its dependencies warn about their own deprecated parts.
    warnings.simplefilter("ignore")
    import synapse.server  # noqa: F401 - first, to break an import cycle
    from synapse.api.errors import SynapseError
    from synapse.crypto.event_signing import (
        add_hashes_and_signatures,
        check_event_content_hash,
        compute_event_reference_hash,
    )
    from synapse.crypto.event_signing import compute_content_hash as compute_synapse_hash
    from synapse.event_auth import _check_size_limits
    from synapse.events import make_event_from_dict
    from synapse.federation.federation_base import parse_events_from_pdu_json
    from synapse.synapse_rust.events import redact_event_dict
    from synapse.types import get_domain_from_id

from peer.store import synapse_version

pytestmark = pytest.mark.peer
every_version = pytest.mark.parametrize("version", PEER_VERSIONS)

SEED = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"
KEY = SigningKey.from_seed("ed25519:1", SEED)


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--peer-examples"))


def events(version: str, count: int) -> Iterator[JsonObject]:
    for number in range(count):
        yield generator.pdu(Random(f"{version}/{number}"), version)


def explained(rows: list[Difference], pdu: JsonObject, version: str, tally: Counter[str]) -> bool:
    for row in rows:
        if row.explains(pdu, version):
            tally[f"difference {row.row}"] += 1
            return True
    return False


def as_json(value: Any) -> str:
    """Return text in which 1 differs from True and 0.0 from -0.0."""
    return json.dumps(value, sort_keys=True)


def parsed_by_synapse(pdu: JsonObject, version: str) -> Any:
    # No hash covers `unsigned`, and Synapse's parser checks the types of some keys in it.
    bare = {key: value for key, value in pdu.items() if key != "unsigned"}
    return make_event_from_dict(bare, synapse_version(version))


def cannot_be_redacted_by_synapse(pdu: JsonObject, version: str) -> bool:
    """Tell whether Synapse fails on its own redacted form of an event.

    In version 12 a create event with a non-empty state key must have a room ID, but redaction strips the room
    ID of every create event. The rules reject such an event in any case.
    """
    return number_of(version) == 12 and pdu["type"] == "m.room.create" and pdu.get("state_key") != ""


@every_version
def test_event_ids_and_reference_hashes_are_the_same(
    version: str, examples: int, tally: Counter[str]
) -> None:
    for pdu in events(version, examples):
        event = parsed_by_synapse(pdu, version)
        assert event.event_id == compute_event_id(pdu, version), pdu
        tally["event IDs compared"] += 1
        if not cannot_be_redacted_by_synapse(pdu, version):
            _, digest = compute_event_reference_hash(event)
            assert encode_base64(digest) == compute_reference_hash(pdu, version), pdu


@every_version
def test_redactions_are_the_same(version: str, examples: int, tally: Counter[str]) -> None:
    for pdu in events(version, examples):
        theirs = redact_event_dict(synapse_version(version), copy.deepcopy(pdu))
        # Synapse keeps part of it for its own use, and does not hash it.
        theirs.pop("unsigned", None)
        assert as_json(theirs) == as_json(redact(pdu, version)), pdu
        tally["redactions compared"] += 1


@every_version
def test_content_hashes_are_the_same_except_for_listed_differences(
    version: str, examples: int, tally: Counter[str]
) -> None:
    for pdu in events(version, examples):
        theirs = encode_base64(compute_synapse_hash(pdu, sha256)[1])
        if theirs != compute_content_hash(pdu, version):
            assert explained(CONTENT_HASH, pdu, version, tally), pdu
        assert theirs == compute_content_hash(pdu, version, leave_out=SYNAPSE_NOT_HASHED), pdu
        tally["content hashes compared"] += 1


@pytest.mark.parametrize("row", CONTENT_HASH, ids=lambda row: row.row)
def test_a_listed_difference_of_content_hashes_exists(row: Difference) -> None:
    for version in PEER_VERSIONS:
        pdu = row.example(version)
        theirs = encode_base64(compute_synapse_hash(pdu, sha256)[1])
        assert (theirs != compute_content_hash(pdu, version)) is (version in row.versions)
        assert row.explains(pdu, version)


def synapse_hash_check(pdu: JsonObject, version: str) -> HashCheck:
    try:
        good = check_event_content_hash(parsed_by_synapse(pdu, version))
    except SynapseError:
        return HashCheck.UNREADABLE
    return HashCheck.INTACT if good else HashCheck.MISMATCH


HASH_SPELLINGS = {
    "as computed": lambda h: h,
    "padded": lambda h: h + "=",
    "padded too much": lambda h: h + "==",
    "url-safe": lambda h: h.replace("+", "-").replace("/", "_"),
    "another digest": lambda h: "A" * 43,
    "too short": lambda h: h[:40],
    "too long": lambda h: h + "A",
    "empty": lambda h: "",
    "impossible length": lambda h: h[:41],
    "with junk": lambda h: h[:5] + "$" + h[5:],
    "with a newline": lambda h: h + "\n",
}


@every_version
@pytest.mark.parametrize("spelling", HASH_SPELLINGS)
def test_a_content_hash_is_checked_the_same_way(version: str, spelling: str, tally: Counter[str]) -> None:
    for pdu in events(version, 50):
        digest = compute_content_hash(pdu, version, leave_out=SYNAPSE_NOT_HASHED)
        pdu["hashes"] = {"sha256": HASH_SPELLINGS[spelling](digest)}  # type: ignore[no-untyped-call]
        ours = check_content_hash(pdu, version, leave_out=SYNAPSE_NOT_HASHED)
        if ours is not synapse_hash_check(pdu, version):
            assert spelling in ("too short", "too long", "empty")
            assert explained(HASH_CHECK, pdu, version, tally)


@every_version
@pytest.mark.parametrize("row", HASH_CHECK, ids=lambda row: row.row)
def test_a_listed_difference_of_hash_checks_exists(row: Difference, version: str) -> None:
    pdu = row.example(version)
    differs = check_content_hash(pdu, version) is not synapse_hash_check(pdu, version)
    assert differs is (version in row.versions)
    assert row.explains(pdu, version)


@every_version
def test_synapse_verifies_signatures_of_the_library(version: str, examples: int, tally: Counter[str]) -> None:
    key = decode_verify_key_bytes(KEY.key_id, KEY.verify_key.key)
    for pdu in events(version, examples // 5):
        pdu.pop("unsigned", None)
        signed = sign_event(pdu, version, "x.org", KEY)
        pruned = redact_event_dict(synapse_version(version), signed)
        verify_signed_json(pruned, "x.org", key)
        tampered = pruned | {"depth": pruned["depth"] + 1}
        with pytest.raises(SignatureVerifyException):
            verify_signed_json(tampered, "x.org", key)
        assert synapse_hash_check(signed, version) is (
            HashCheck.INTACT if SYNAPSE_NOT_HASHED.isdisjoint(pdu) else HashCheck.MISMATCH
        )
        tally["signatures verified by Synapse"] += 1


@every_version
def test_the_library_verifies_signatures_of_synapse(version: str, examples: int, tally: Counter[str]) -> None:
    keys = KeyRing.of({"x.org": {"ed25519:1": KEY.verify_key}})
    key = decode_signing_key_base64("ed25519", "1", SEED)
    for pdu in events(version, examples // 5):
        pdu |= {"signatures": {}, "sender": "@a:x.org"}
        # Synapse would keep existing hashes.
        pdu["hashes"] = {}
        # Only the sender's server must sign.
        pdu["content"].pop("join_authorised_via_users_server", None)
        if "event_id" in pdu:
            pdu["event_id"] = "$e:x.org"
        signed = copy.deepcopy(pdu)
        add_hashes_and_signatures(synapse_version(version), signed, "x.org", key)
        assert verify_signatures(signed, keys, version).valid, pdu
        assert check_content_hash(signed, version, leave_out=SYNAPSE_NOT_HASHED) is HashCheck.INTACT, pdu
        if SYNAPSE_NOT_HASHED.isdisjoint(pdu):
            assert as_json(sign_event(pdu, version, "x.org", KEY)) == as_json(signed)
        tally["signatures by Synapse verified"] += 1


def accepted_by_synapse(pdu: JsonObject, version: str) -> bool:
    """Tell whether Synapse accepts an event before it checks signatures and rules."""
    try:
        parsed = parse_events_from_pdu_json([copy.deepcopy(pdu)], synapse_version(version))
        if not parsed:
            return False  # dropped silently, for its depth
        (event,) = parsed
        get_domain_from_id(event.sender)
        _check_size_limits(event)
        return len(event.prev_event_ids()) <= 20 and len(event.auth_event_ids()) <= 10
    except Exception:
        # Not only SynapseError: a malformed event may raise any Python error.
        return False


def compare_formats(pdu: JsonObject, version: str, tally: Counter[str]) -> None:
    defects = find_defects(pdu, get_room_version(version))
    theirs = accepted_by_synapse(pdu, version)
    tally["formats compared"] += 1
    if defects and theirs:
        for defect in defects:
            reasons = [row.row for row in SYNAPSE_ACCEPTS if row.explains(defect, pdu)]
            assert reasons, (defect, pdu)
            tally[f"refused by the library alone: {reasons[0]}"] += 1
    elif not defects and not theirs:
        reasons = [row.row for row in SYNAPSE_REFUSES if row.explains(pdu, version)]
        assert reasons, pdu
        tally[f"refused by Synapse alone: {reasons[0]}"] += 1
    else:
        tally["formats refused by both" if defects else "formats accepted by both"] += 1


@every_version
def test_formats_are_checked_the_same_way_except_for_listed_differences(
    version: str, examples: int, tally: Counter[str]
) -> None:
    for number in range(examples):
        rng = Random(f"format {version}/{number}")
        pdu = generator.pdu(rng, version)
        compare_formats(pdu, version, tally)
        compare_formats(generator.mutate(rng, pdu), version, tally)


@every_version
@pytest.mark.parametrize("row", SYNAPSE_REFUSES, ids=lambda row: row.row)
def test_a_listed_refusal_of_synapse_exists(row: Difference, version: str) -> None:
    if version in row.versions:
        pdu = row.example(version)
        assert find_defects(pdu, get_room_version(version)) == []
        assert not accepted_by_synapse(pdu, version)
        assert row.explains(pdu, version)
    assert not row.explains(plain(version), version)


@every_version
@pytest.mark.parametrize("row", SYNAPSE_ACCEPTS, ids=lambda row: row.row)
def test_a_listed_leniency_of_synapse_exists(row: Refusal, version: str) -> None:
    pdu = row.example(version)
    defects = find_defects(pdu, get_room_version(version))
    assert defects
    assert accepted_by_synapse(pdu, version) is (version in row.versions)
    if version in row.versions:
        assert all(row.explains(defect, pdu) for defect in defects)


@every_version
@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        pytest.param({}, True, id="plain"),
        pytest.param({"type": "a" * 255}, True, id="type of 255 bytes"),
        pytest.param({"type": "é" * 128}, False, id="type of 256 bytes"),
        pytest.param({"state_key": "é" * 128}, False, id="state key of 256 bytes"),
        pytest.param({"state_key": None}, False, id="null state key"),
        pytest.param({"depth": -1}, False, id="negative depth"),
        pytest.param({"depth": True}, False, id="boolean depth"),
        pytest.param({"depth": 1.0}, False, id="float depth"),
        pytest.param({"depth": 2**53 - 1}, True, id="greatest depth"),
        pytest.param({"origin_server_ts": -1}, True, id="negative timestamp"),
        pytest.param({"origin_server_ts": 1.5}, False, id="float timestamp"),
        pytest.param({"signatures": {"x": {"ed25519:1": 5}}}, False, id="signature that is not a string"),
        pytest.param({"signatures": {"x": []}}, False, id="signatures that are not an object"),
        pytest.param({"unsigned": []}, False, id="unsigned that is not an object"),
        pytest.param({"hashes": {"sha256": 5}}, False, id="hash that is not a string"),
        pytest.param({"content": []}, False, id="content that is not an object"),
        pytest.param({"content": {"a": nested(125)}}, True, id="127 levels"),
        pytest.param({"content": {"a": nested(127)}}, False, id="129 levels"),
    ],
)
def test_the_limits_are_the_same(version: str, changes: JsonObject, accepted: bool) -> None:
    pdu = plain(version, **copy.deepcopy(changes))
    assert accepted_by_synapse(pdu, version) is accepted
    if version in OWNED_KEY_VERSIONS and "state_key" in changes and type(changes["state_key"]) is str:
        return  # a listed difference
    assert (find_defects(pdu, get_room_version(version)) == []) is accepted


@every_version
def test_so_is_the_size(version: str) -> None:
    for size, accepted in ((65536, True), (65537, False)):
        pdu = of_size(plain(version, signatures={}, unsigned={}), size)
        assert accepted_by_synapse(pdu, version) is accepted
        assert (find_defects(pdu, get_room_version(version)) == []) is accepted


@every_version
@pytest.mark.parametrize(("key", "most"), [("prev_events", 20), ("auth_events", 10)])
def test_so_are_the_numbers_of_references(version: str, key: str, most: int) -> None:
    if key == "auth_events" and number_of(version) == 12:
        return  # a listed difference
    for count in (most, most + 1):
        pdu = plain(version)
        pdu[key] *= count
        accepted = find_defects(pdu, get_room_version(version)) == []
        assert accepted_by_synapse(pdu, version) is accepted is (count == most)


@pytest.mark.parametrize("version", HASH_ID_VERSIONS)
@pytest.mark.parametrize("value", ["$e:x.org", "$" + "A" * 43, None])
def test_an_event_id_from_version_3_on_is_refused_by_both(version: str, value: Any) -> None:
    pdu = plain(version, event_id=value)
    assert [defect.path for defect in find_defects(pdu, get_room_version(version))] == ["event_id"]
    assert not accepted_by_synapse(pdu, version)


def test_a_room_id_on_a_version_12_create_event_is_refused_by_both() -> None:
    pdu = plain("12", type="m.room.create", state_key="")
    assert [defect.path for defect in find_defects(pdu, get_room_version("12"))] == ["room_id"]
    assert not accepted_by_synapse(pdu, "12")
    del pdu["room_id"]
    assert find_defects(pdu, get_room_version("12")) == []
    assert accepted_by_synapse(pdu, "12")
