"""Content hash, reference hash, event ID:
https://spec.matrix.org/latest/server-server-api/#calculating-the-content-hash-for-an-event"""

import base64
import copy
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import hashing as reference
from strategies import HASH_ID_VERSIONS, VERSIONS, JsonObject, signatures, strict_json, versions_and_pdus

from roomver import MalformedEvent, NotCanonical, compute_event_id, get_room_version, parse_event, redact
from roomver.hashing import (
    SYNAPSE_NOT_HASHED,
    HashCheck,
    check_content_hash,
    compute_content_hash,
    compute_reference_hash,
    essential_bytes,
)
from roomver.unpadded import decode_unpadded

every_version = pytest.mark.parametrize("version", VERSIONS)

# A message whose IDs are printed in the tests of Synapse (rust/src/events/utils.rs).
MESSAGE: JsonObject = {
    "type": "m.room.message",
    "room_id": "!r:x",
    "sender": "@u:x",
    "content": {"body": "b"},
    "depth": 3,
    "origin_server_ts": 1000000,
    "prev_events": [],
    "auth_events": [],
    "origin": "x",
    "hashes": {"sha256": "A" * 43},
}

CREATE_12: JsonObject = {
    "type": "m.room.create",
    "state_key": "",
    "sender": "@alice:example.org",
    "content": {"room_version": "12"},
    "depth": 1,
    "prev_events": [],
    "auth_events": [],
    "origin_server_ts": 1700000000000,
}


class TestPublishedValues:
    @pytest.mark.parametrize(
        ("data", "encoded"),
        # The examples of https://spec.matrix.org/latest/appendices/#unpadded-base64
        [
            (b"", ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (b"fooba", "Zm9vYmE"),
            (b"foobar", "Zm9vYmFy"),
        ],
    )
    def test_unpadded_base64(self, data: bytes, encoded: str) -> None:
        assert reference.unpadded_base64(data) == encoded
        assert decode_unpadded(encoded) == data
        assert decode_unpadded(encoded + "=" * (-len(encoded) % 4)) == data

    def test_a_version_12_create_event(self) -> None:
        digest = compute_content_hash(CREATE_12, "12")
        assert digest == "ksIHpUTLAqMJ08CadfgV5Ok2rT07vMUFBo7XdGP8STE"
        pdu = CREATE_12 | {"hashes": {"sha256": digest}}
        assert compute_event_id(pdu, "12") == "$37iwD-DyT01UTC3QaO2Ot9nDS1G-rmVcGz0DYMPzG6c"
        assert parse_event(pdu, "12").room_id == "!37iwD-DyT01UTC3QaO2Ot9nDS1G-rmVcGz0DYMPzG6c"
        # A room ID that servers add for clients is not hashed into the event ID.
        assert compute_event_id(pdu | {"room_id": "!x"}, "12") == compute_event_id(pdu, "12")

    def test_the_event_of_the_appendix(self) -> None:
        pdu: JsonObject = {
            "room_id": "!x:domain",
            "sender": "@a:domain",
            "origin": "domain",
            "origin_server_ts": 1000000,
            "signatures": {},
            "hashes": {},
            "type": "X",
            "content": {},
            "prev_events": [],
            "auth_events": [],
            "depth": 3,
            "unsigned": {"age_ts": 1000000},
        }
        for version in VERSIONS:
            assert compute_content_hash(pdu, version) == "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"

    def test_the_event_of_the_appendix_with_redactable_content(self) -> None:
        pdu: JsonObject = {
            "content": {"body": "Here is the message content"},
            "event_id": "$0:domain",
            "origin": "domain",
            "origin_server_ts": 1000000,
            "type": "m.room.message",
            "room_id": "!r:domain",
            "sender": "@u:domain",
            "signatures": {},
            "unsigned": {"age_ts": 1000000},
        }
        assert compute_content_hash(pdu, "1") == "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"


@given(versions_and_pdus)
def test_the_hashes_follow_the_specifications_steps(drawn: tuple[str, JsonObject]) -> None:
    version, pdu = drawn
    event = parse_event(pdu, version)
    for either, named in ((pdu, version), (event, None)):
        assert compute_content_hash(either, named) == reference.content_hash(pdu)
        digest = reference.unpadded_base64(reference.reference_hash(pdu, version))
        assert compute_reference_hash(either, named) == digest
        assert compute_event_id(either, named) == reference.event_id(pdu, version)
    assert event.event_id == reference.event_id(pdu, version)
    assert essential_bytes(pdu, get_room_version(version)) == reference.signed_bytes(pdu, version)


@given(versions_and_pdus, signatures, strict_json)
def test_an_event_id_is_the_same_before_and_after_redaction_and_signing(
    drawn: tuple[str, JsonObject], added: JsonObject, unsigned: Any
) -> None:
    version, pdu = drawn
    expected = compute_event_id(pdu, version)
    assert compute_event_id(redact(pdu, version), version) == expected
    assert compute_event_id(pdu | {"signatures": added, "unsigned": {"a": unsigned}}, version) == expected
    bare = {k: v for k, v in pdu.items() if k not in ("signatures", "unsigned")}
    assert compute_event_id(bare, version) == expected
    assert compute_reference_hash(bare, version) == compute_reference_hash(pdu, version)


@given(versions_and_pdus, signatures, strict_json)
def test_the_content_hash_leaves_out_unsigned_signatures_and_hashes(
    drawn: tuple[str, JsonObject], added: JsonObject, unsigned: Any
) -> None:
    version, pdu = drawn
    other = pdu | {"signatures": added, "unsigned": {"a": unsigned}, "hashes": {"sha256": "x"}}
    assert compute_content_hash(other, version) == compute_content_hash(pdu, version)


@given(versions_and_pdus, st.sampled_from(["foo", "age_ts", "outlier", "destinations", "origin", "redacts"]))
def test_the_content_hash_covers_every_other_key(drawn: tuple[str, JsonObject], key: str) -> None:
    version, pdu = drawn
    pdu.pop(key, None)
    added = pdu | {key: "another value"}
    assert compute_content_hash(added, version) != compute_content_hash(pdu, version)
    left_out = compute_content_hash(added, version, leave_out=SYNAPSE_NOT_HASHED)
    if key in SYNAPSE_NOT_HASHED:
        assert left_out == compute_content_hash(pdu, version, leave_out=SYNAPSE_NOT_HASHED)
    else:
        assert left_out != compute_content_hash(pdu, version, leave_out=SYNAPSE_NOT_HASHED)


@given(versions_and_pdus)
def test_hashing_changes_nothing(drawn: tuple[str, JsonObject]) -> None:
    version, pdu = drawn
    before = copy.deepcopy(pdu)
    compute_content_hash(pdu, version)
    compute_reference_hash(pdu, version)
    compute_event_id(pdu, version)
    check_content_hash(pdu, version)
    assert pdu == before


class TestEventIds:
    def test_version_3_has_the_standard_alphabet_and_later_ones_the_url_safe_one(self) -> None:
        # Find a digest that shows the difference.
        pdu, digest = next(
            (pdu, digest)
            for pdu in ({**MESSAGE, "depth": depth} for depth in range(100))
            for digest in [reference.unpadded_base64(reference.reference_hash(pdu, "3"))]
            if "+" in digest and "/" in digest
        )
        assert compute_event_id(pdu, "3") == "$" + digest
        for version in HASH_ID_VERSIONS[1:8]:
            assert compute_event_id(pdu, version) == "$" + digest.replace("+", "-").replace("/", "_")

    def test_a_stray_origin_is_hashed_into_the_id_up_to_version_10(self) -> None:
        without = {k: v for k, v in MESSAGE.items() if k != "origin"}
        for version in HASH_ID_VERSIONS:
            same = compute_event_id(without, version) == compute_event_id(MESSAGE, version)
            assert same is (version in ("11", "12"))

    @pytest.mark.parametrize("version", ["1", "2"])
    def test_events_of_versions_1_and_2_carry_their_ids(self, version: str) -> None:
        assert compute_event_id({"event_id": "$anything"}, version) == "$anything"
        odd: list[Any] = [None, 5, {}]
        for value in odd:
            with pytest.raises(MalformedEvent) as caught:
                compute_event_id({"event_id": value}, version)
            assert caught.value.defects[0].path == "event_id"
        with pytest.raises(MalformedEvent, match="found nothing"):
            compute_event_id({}, version)

    @pytest.mark.parametrize("version", ["3", "4", "5"])
    def test_floats_and_large_integers_are_hashed_as_python_prints_them(self, version: str) -> None:
        users = {"@a:x": 1e10, "@b:x": 1e16, "@c:x": 1e-7, "@d:x": 50.57, "@e:x": 2**70, "@f:x": -0.0}
        pdu: JsonObject = {"type": "m.room.power_levels", "content": {"users": users}}
        text = (
            '{"content":{"users":{"@a:x":10000000000.0,"@b:x":1e+16,"@c:x":1e-07,"@d:x":50.57,'
            '"@e:x":1180591620717411303424,"@f:x":-0.0}},"type":"m.room.power_levels"}'
        )
        digest = hashlib.sha256(text.encode()).digest()
        altchars = b"+/" if version == "3" else b"-_"
        assert compute_event_id(pdu, version) == "$" + base64.b64encode(digest, altchars).decode().rstrip("=")
        assert compute_content_hash(pdu, version) == base64.b64encode(digest).decode().rstrip("=")


class TestCheckHashes:
    @staticmethod
    def hashed(version: str, **changes: Any) -> JsonObject:
        pdu = MESSAGE | {"hashes": {"sha256": compute_content_hash(MESSAGE, version)}}
        return pdu | changes

    @every_version
    def test_an_event_that_its_hash_covers_is_intact(self, version: str) -> None:
        assert check_content_hash(self.hashed(version), version) is HashCheck.INTACT
        assert (
            check_content_hash(self.hashed(version, unsigned={"a": 1}, signatures={}), version)
            is HashCheck.INTACT
        )

    @every_version
    def test_if_the_hash_check_fails_the_redacted_copy_is_used(self, version: str) -> None:
        for changes in ({"content": {"body": "tampered"}}, {"foo": 1}, {"depth": 4}):
            assert check_content_hash(self.hashed(version, **changes), version) is HashCheck.MISMATCH
        pdu = self.hashed(version)
        tampered = pdu | {"content": {"body": "tampered"}}
        if version in HASH_ID_VERSIONS:
            assert compute_event_id(tampered, version) == compute_event_id(pdu, version)
        assert check_content_hash(redact(pdu, version), version) is HashCheck.MISMATCH

    @every_version
    @pytest.mark.parametrize(
        "hashes", [None, [], "x", {}, {"sha256": 5}, {"sha256": None}, {"md5": "A" * 43}]
    )
    def test_a_missing_hash_drops_the_event(self, version: str, hashes: Any) -> None:
        assert check_content_hash(self.hashed(version, hashes=hashes), version) is HashCheck.UNREADABLE
        without = {k: v for k, v in MESSAGE.items() if k != "hashes"}
        assert check_content_hash(without, version) is HashCheck.UNREADABLE

    @pytest.mark.parametrize(
        "text", ["", "$" * 43, "A" * 42, "A" * 44, "A" * 41, "A" * 43 + "\n", "é" * 43, "A=B"]
    )
    def test_a_hash_that_is_not_32_bytes_of_base64_is_unreadable(self, text: str) -> None:
        assert check_content_hash(self.hashed("11", hashes={"sha256": text}), "11") is HashCheck.UNREADABLE

    def test_digests_are_compared_not_their_spelling(self) -> None:
        # Find a digest whose base64 shows the alphabet.
        pdu, digest = next(
            (pdu, digest)
            for pdu in ({**MESSAGE, "depth": depth} for depth in range(100))
            for digest in [compute_content_hash(pdu, "11")]
            if "+" in digest and "/" in digest
        )
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        trailing = digest[:-1] + last[last.index(digest[-1]) + 1]
        url_safe = digest.replace("+", "-").replace("/", "_")
        for spelling in (digest, digest + "=", url_safe, url_safe + "=", trailing):
            checked = check_content_hash(pdu | {"hashes": {"sha256": spelling}}, "11")
            assert checked is HashCheck.INTACT, spelling
        junk = digest[:10] + "$" + digest[10:]
        assert check_content_hash(pdu | {"hashes": {"sha256": junk}}, "11") is HashCheck.UNREADABLE

    def test_the_keys_that_synapse_leaves_out_can_be_left_out(self) -> None:
        pdu = self.hashed("11", age_ts=5)
        assert check_content_hash(pdu, "11") is HashCheck.MISMATCH
        assert check_content_hash(pdu, "11", leave_out=SYNAPSE_NOT_HASHED) is HashCheck.INTACT


class TestBase64:
    @given(st.binary(max_size=70), st.booleans(), st.booleans())
    def test_padding_and_alphabet_do_not_matter(self, data: bytes, padded: bool, url_safe: bool) -> None:
        text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
        assert decode_unpadded(text if padded else text.rstrip("=")) == data

    @given(st.text(max_size=20) | st.text(st.sampled_from("Aa0+/-_=$ \n"), max_size=20))
    def test_any_text_is_decoded_or_gives_none(self, text: str) -> None:
        data = decode_unpadded(text)
        digits = text.rstrip("=").replace("-", "+").replace("_", "/")
        good = (
            all(c in reference.ALPHABET for c in digits)
            and len(text) - len(text.rstrip("=")) <= 2
            and len(digits) % 4 != 1
        )
        assert (data is not None) is good
        if data is not None:
            assert len(data) == len(digits) * 6 // 8

    @pytest.mark.parametrize("text", ["Y", "YQ===", "Y=Q", "Y Q", "YQ\n", "Y$Q", "YQé", "=", "=Y"])
    def test_foreign_characters_and_impossible_lengths_are_refused(self, text: str) -> None:
        expected = b"" if text == "=" else None
        assert decode_unpadded(text) == expected

    def test_unused_bits_at_the_end_may_be_set(self) -> None:
        assert decode_unpadded("YQ") == decode_unpadded("YR") == b"a"


@pytest.mark.parametrize(
    "call", [compute_content_hash, compute_reference_hash, compute_event_id, check_content_hash]
)
class TestInput:
    @pytest.mark.parametrize("value", [[], None, "{}", 5])
    def test_a_value_that_is_not_an_object_is_malformed(self, call: Any, value: Any) -> None:
        with pytest.raises(MalformedEvent, match="expected a JSON object"):
            call(value, "11")

    def test_a_value_without_canonical_json_is_refused(self, call: Any) -> None:
        with pytest.raises(NotCanonical, match=r"content\.a: the number 1\.5 is a float"):
            call({"content": {"a": 1.5}}, "11")
        with pytest.raises(NotCanonical, match=r"content\.a: .* lone surrogate"):
            call({"event_id": "$a", "content": {"a": "\ud800"}}, "1")

    def test_a_raw_pdu_needs_its_version(self, call: Any) -> None:
        with pytest.raises(TypeError, match="needs its room version"):
            call({})
