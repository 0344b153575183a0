"""Signing JSON and events: https://spec.matrix.org/latest/appendices/#signing-json"""

import copy
import json
import pickle
from random import Random
from typing import Any

import generator
import nacl.signing
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import hashing as reference
from reference.redaction import redact as redact_by_the_page
from signed import (
    KEY,
    KEYS,
    OTHER,
    PUBLIC,
    SEED,
    TABLE,
    every_version,
    member,
    sign_event,
    sign_json,
    signed_by,
)
from strategies import (
    HASH_ID_VERSIONS,
    JsonObject,
    hostile_json,
    often,
    strict_json,
    versions,
    versions_and_pdus,
)
from unpaddedbase64 import decode_base64

from roomver import (
    BadKey,
    MalformedEvent,
    NotCanonical,
    RoomverError,
    VerifyKey,
    compute_event_id,
    parse_event,
    redact,
    verify_signatures,
)
from roomver.hashing import compute_content_hash
from roomver.keys import SigningKey
from roomver.signatures import verify_bytes, verify_json


class TestPublishedVectors:
    @pytest.mark.parametrize(
        ("value", "signature"),
        [
            ({}, "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
            (
                {"one": 1, "two": "Two"},
                "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
            ),
        ],
    )
    def test_json_signing(self, value: JsonObject, signature: str) -> None:
        signed = sign_json(value, "domain", KEY)
        assert signed == value | {"signatures": {"domain": {"ed25519:1": signature}}}
        assert verify_json(signed, "domain", {"ed25519:1": VerifyKey(PUBLIC)}).valid

    def test_event_signing_of_the_minimally_sized_event(self) -> None:
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
        # Redaction keeps `origin` in this version, so it is signed.
        assert sign_event(pdu, "1", "domain", KEY) == pdu | {
            "hashes": {"sha256": "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},
            "signatures": {
                "domain": {
                    "ed25519:1": "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTR"
                    "l16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
                }
            },
        }

    def test_event_signing_of_the_event_with_redactable_content(self) -> None:
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
        assert sign_event(pdu, "1", "domain", KEY) == pdu | {
            "hashes": {"sha256": "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"},
            "signatures": {
                "domain": {
                    "ed25519:1": "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu"
                    "6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"
                }
            },
        }

    def test_event_signing_of_the_event_that_synapse_tests_with(self) -> None:
        pdu: JsonObject = {
            "event_id": "$0:domain",
            "origin_server_ts": 1000000,
            "signatures": {},
            "type": "X",
            "content": {},
            "unsigned": {"age_ts": 1000000},
        }
        signed = sign_event(pdu, "1", "domain", KEY)
        assert signed["hashes"] == {"sha256": "mq4QfPPpC+QsBd6eqfVsmJIEz8uvMSVK0+AU67PLESk"}
        assert signed["signatures"]["domain"] == {
            "ed25519:1": "18rGIkd4JJXxw9m+1j3BtN+TmqmLip4VHvFbyXLngpBL"
            "XOqbxlQViQABRzep2cODQ2aa5FnFgz+Llt2P03WiAw"
        }


class TestSignJson:
    def test_signatures_and_unsigned_are_not_covered_at_the_top_only(self) -> None:
        inner: JsonObject = {"a": {"signatures": {"x": {}}, "unsigned": {"y": 1}}}
        signed = sign_json(inner | {"unsigned": {"age": 1}}, "a", KEY)
        assert verify_json(signed | {"unsigned": {"age": 2}}, "a", TABLE["a"]).valid
        assert verify_json({k: v for k, v in signed.items() if k != "unsigned"}, "a", TABLE["a"]).valid
        tamperings: list[JsonObject] = [
            {"a": {"signatures": {}, "unsigned": {"y": 1}}},
            {"a": {"signatures": {"x": {}}}},
        ]
        for changed in tamperings:
            assert not verify_json(signed | changed, "a", TABLE["a"]).valid

    def test_existing_signatures_are_kept(self) -> None:
        signed = sign_json(sign_json(sign_json({"x": 1}, "a", KEY), "b", KEY), "a", OTHER)
        assert {server: set(by_key) for server, by_key in signed["signatures"].items()} == {
            "a": {"ed25519:1", "ed25519:2"},
            "b": {"ed25519:1"},
        }
        for server in "ab":
            assert verify_json(signed, server, TABLE[server]).valid

    @given(st.dictionaries(st.text(), strict_json, max_size=3))
    def test_the_input_is_not_changed_and_nothing_is_shared(self, value: JsonObject) -> None:
        value.pop("signatures", None)
        before = copy.deepcopy(value)
        signed = sign_json(value, "a", KEY)
        assert value == before
        assert verify_json(signed, "a", TABLE["a"]).valid
        for item in signed.values():
            if isinstance(item, list):
                item.append("spoilt")
            elif isinstance(item, dict):
                item["spoilt"] = 1
        assert value == before

    @pytest.mark.parametrize("signatures", [None, [], "x", {"a": []}, {"a": None}, {"a": "x"}])
    def test_signatures_of_another_form_cannot_be_added_to(self, signatures: Any) -> None:
        with pytest.raises(MalformedEvent) as caught:
            sign_json({"signatures": signatures}, "a", KEY)
        path = "signatures.a" if isinstance(signatures, dict) else "signatures"
        assert [defect.path for defect in caught.value.defects] == [path]

    @pytest.mark.parametrize("value", [None, [], "x", 5])
    def test_only_an_object_can_be_signed(self, value: Any) -> None:
        with pytest.raises(NotCanonical, match="expected a JSON object"):
            sign_json(value, "a", KEY)
        with pytest.raises(NotCanonical, match="expected a JSON object"):
            verify_json(value, "a", TABLE["a"])

    def test_a_value_without_canonical_json_cannot_be_signed(self) -> None:
        for value in ({"a": 1.5}, {"a": 2**53}):
            for refused in (
                lambda value=value: sign_json(value, "a", KEY),
                lambda value=value: verify_json(value, "a", TABLE["a"]),
            ):
                with pytest.raises(NotCanonical) as caught:
                    refused()
                assert caught.value.path == "a"
            signed = sign_json(value, "a", KEY, strict=False)
            assert verify_json(signed, "a", TABLE["a"], strict=False).valid


class TestKeys:
    @pytest.mark.parametrize("key_id", ["ed25519", "ed25519:", "rsa:1", "", ":1", "1"])
    def test_a_key_id_is_an_algorithm_and_an_identifier(self, key_id: str) -> None:
        with pytest.raises(BadKey) as caught:
            SigningKey.from_seed(key_id, SEED)
        assert caught.value.where == key_id

    @pytest.mark.parametrize("seed", ["", "A", "A" * 42, "A" * 44, "$" * 43, None, 5])
    def test_a_seed_is_32_bytes_of_base64(self, seed: Any) -> None:
        with pytest.raises(BadKey, match="32 bytes"):
            SigningKey.from_seed("ed25519:1", seed)

    def test_the_spelling_of_a_seed_does_not_matter(self) -> None:
        again = SigningKey.from_seed("ed25519:1", SEED.replace("+", "-") + "=")
        assert again == KEY
        assert again != OTHER

    def test_a_key_has_its_id_and_its_public_key_and_does_not_show_its_seed(self) -> None:
        assert KEY.key_id == "ed25519:1"
        assert KEY.verify_key == VerifyKey(nacl.signing.SigningKey(decode_base64(SEED)).verify_key.encode())
        assert repr(KEY) == "SigningKey(key_id='ed25519:1')"

    def test_a_copy_of_a_key_signs_like_the_key(self) -> None:
        for copied in (pickle.loads(pickle.dumps(KEY)), copy.deepcopy(KEY)):
            assert copied == KEY
            assert copied.sign(b"message") == KEY.sign(b"message")

    def test_a_signature_holds_for_its_message_and_key_only(self) -> None:
        signature = KEY.sign(b"message")
        assert verify_bytes(PUBLIC, b"message", signature)
        assert not verify_bytes(PUBLIC, b"Message", signature)
        assert not verify_bytes(PUBLIC, b"message", bytes(64))
        assert not verify_bytes(OTHER.verify_key.key, b"message", signature)
        assert not verify_bytes(PUBLIC[:31], b"message", signature)
        assert not verify_bytes(PUBLIC, b"message", signature[:63])


class TestSignEvent:
    @given(versions_and_pdus)
    def test_the_event_is_hashed_redacted_and_signed_and_the_signature_is_copied_back(
        self, drawn: tuple[str, JsonObject]
    ) -> None:
        version, pdu = drawn
        before = copy.deepcopy(pdu)
        signed = sign_event(pdu, version, "a", KEY)
        assert pdu == before
        assert signed["hashes"] == {"sha256": compute_content_hash(pdu, version)}
        assert {k: v for k, v in signed.items() if k not in ("hashes", "signatures")} == {
            k: v for k, v in pdu.items() if k not in ("hashes", "signatures")
        }
        signature = signed["signatures"]["a"].pop("ed25519:1")
        expected = KEY.sign(reference.signed_bytes(signed, version))
        assert signature == reference.unpadded_base64(expected)
        # All other signatures are kept.
        rest = {server: by_key for server, by_key in signed["signatures"].items() if by_key}
        assert rest == {
            server: kept
            for server, by_key in before.get("signatures", {}).items()
            if (kept := {k: v for k, v in by_key.items() if (server, k) != ("a", "ed25519:1")})
        }

    @given(versions_and_pdus)
    def test_the_redacted_copy_is_validly_signed_too(self, drawn: tuple[str, JsonObject]) -> None:
        version, pdu = drawn
        # Other signatures and invalid authorising users have their own tests.
        pdu["signatures"] = {}
        pdu["sender"] = "@u:a"
        for key in ("join_authorised_via_users_server", "third_party_invite"):
            pdu["content"].pop(key, None)
        if "event_id" in pdu:
            pdu["event_id"] = "$e:a"
        signed = sign_event(pdu, version, "a", KEY)
        assert verify_signatures(signed, KEYS, version).valid
        assert verify_signatures(redact(signed, version), KEYS, version).valid
        assert verify_signatures(parse_event(signed, version), KEYS).valid
        assert compute_event_id(signed, version) == compute_event_id(redact(signed, version), version)

    @given(versions, st.integers(0, 2**32), st.integers(0, 2**32))
    def test_any_change_of_a_kept_key_breaks_the_signature(
        self, version: str, seed: int, choice: int
    ) -> None:
        pdu = generator.pdu(Random(seed), version)
        pdu["sender"], pdu["signatures"] = "@u:a", {}
        pdu["content"].pop("join_authorised_via_users_server", None)
        if "event_id" in pdu:
            pdu["event_id"] = "$e:a"
        signed = sign_event(pdu, version, "a", KEY)
        report = verify_signatures(signed, KEYS, version)
        assert report.valid
        kept = redact_by_the_page(signed, version)
        key = sorted(set(kept) - {"signatures", "content", "sender", "event_id", "type"})
        name = key[choice % len(key)]
        tampered = signed | {name: "changed"}
        # A third-party invite needs no signature, so none is checked.
        assert verify_signatures(tampered, KEYS, version).valid is not bool(report.servers)

    @pytest.mark.parametrize("value", [None, [], "x"])
    def test_only_an_object_can_be_signed(self, value: Any) -> None:
        with pytest.raises(MalformedEvent, match="expected a JSON object"):
            sign_event(value, "11", "a", KEY)

    def test_signatures_of_another_form_cannot_be_added_to(self) -> None:
        with pytest.raises(MalformedEvent, match="signatures: expected an object, found "):
            sign_event({"type": "X", "content": {}, "signatures": []}, "11", "a", KEY)


@every_version
def test_a_tampered_body_keeps_id_and_signature_and_a_tampered_kept_key_does_not(version: str) -> None:
    pdu = signed_by(member(version, {"membership": "join", "displayname": "A"}), version, "a")
    body = pdu | {"content": {"membership": "join", "displayname": "B"}}
    assert verify_signatures(body, KEYS, version).valid
    assert compute_event_id(body, version) == compute_event_id(pdu, version)
    kept = pdu | {"content": {"membership": "leave", "displayname": "A"}}
    assert not verify_signatures(kept, KEYS, version).valid
    if version in HASH_ID_VERSIONS:
        assert compute_event_id(kept, version) != compute_event_id(pdu, version)


@often
@given(hostile_json)
def test_any_signatures_end_in_a_result(signatures: Any) -> None:
    values: list[JsonObject] = [{"signatures": signatures}, {"signatures": {"a": signatures}}]
    for value in values:
        try:
            json.dumps(value).encode()
            result = verify_json(value, "a", TABLE["a"], strict=False)
        except RoomverError:
            continue
        assert not result.valid
