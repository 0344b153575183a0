"""Which signatures an event needs, and which count:
https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events"""

import copy
from dataclasses import replace
from random import Random
from typing import Any

import generator
import pytest
from builder import public_key
from command_line import public_room
from hypothesis import given
from hypothesis import strategies as st
from signed import (
    KEY,
    KEYS,
    OTHER,
    PUBLIC,
    TABLE,
    TIME,
    every_version,
    member,
    sign_event,
    signed_by,
    statuses,
)
from strategies import LENIENT_VERSIONS, VERSIONS, JsonObject, hostile, versions, versions_and_pdus

from roomver import KeyRing, MalformedEvent, RoomverError, VerifyKey, redact, verify_signatures
from roomver.event import build_unverified
from roomver.keys import NO_KEYS, VALIDITY_CAP_MS, format_time
from roomver.signature_results import SignatureReport, SignatureStatus, SigningStatus
from roomver.signatures import count_verified, list_required_signers
from roomver.unpadded import decode_unpadded


class TestRequiredSigners:
    @every_version
    def test_the_server_of_the_sender_must_sign(self, version: str) -> None:
        pdu = member(version, {"membership": "join"}, sender="@u:a")
        assert list_required_signers(pdu, version) == ("a",)

    @every_version
    def test_in_versions_1_and_2_so_must_the_server_in_the_event_id(self, version: str) -> None:
        if version in ("1", "2"):
            pdu = member(version, {"membership": "join"}, event_id="$e:b")
            assert list_required_signers(pdu, version) == ("a", "b")
            assert not verify_signatures(signed_by(pdu, version, "a"), KEYS, version).valid
            assert not verify_signatures(signed_by(pdu, version, "b"), KEYS, version).valid
            assert verify_signatures(signed_by(pdu, version, "a", "b"), KEYS, version).valid
        else:
            pdu = member(version, {"membership": "join"})
            assert verify_signatures(signed_by(pdu, version, "a"), KEYS, version).valid

    @every_version
    @pytest.mark.parametrize("invite", [{"signed": {}}, {}, None, "x", []])
    def test_a_third_party_invite_needs_no_signature_of_the_sender(self, version: str, invite: Any) -> None:
        pdu = member(version, {"membership": "invite", "third_party_invite": invite})
        assert list_required_signers(pdu, version) == (("a",) if version in ("1", "2") else ())
        report = verify_signatures(pdu, KEYS, version)
        assert report.valid is (version not in ("1", "2"))
        if report.valid:
            assert str(report) == "no signature is needed"

    @every_version
    def test_its_redacted_copy_needs_one_up_to_version_10(self, version: str) -> None:
        pdu = member(version, {"membership": "invite", "third_party_invite": {"signed": {}}})
        needed = () if version in ("11", "12") else ("a",)
        assert list_required_signers(redact(pdu, version), version) == needed

    @every_version
    @pytest.mark.parametrize("membership", ["join", "leave", "knock", "ban", None, 5])
    def test_the_key_exempts_invites_only(self, version: str, membership: Any) -> None:
        pdu = member(version, {"membership": membership, "third_party_invite": {"signed": {}}})
        assert list_required_signers(pdu, version) == ("a",)
        pdu = member(version, {"membership": "invite", "third_party_invite": {}}, type="X")
        assert list_required_signers(pdu, version) == ("a",)

    @every_version
    def test_from_version_8_on_the_authorising_server_must_sign_a_join(self, version: str) -> None:
        pdu = member(version, {"membership": "join", "join_authorised_via_users_server": "@v:b"})
        on = int(version) >= 8
        assert list_required_signers(pdu, version) == (("a", "b") if on else ("a",))
        assert verify_signatures(signed_by(pdu, version, "a"), KEYS, version).valid is not on
        assert verify_signatures(signed_by(pdu, version, "a", "b"), KEYS, version).valid

    @every_version
    @pytest.mark.parametrize("membership", ["leave", "invite", "ban", "knock", None])
    def test_the_key_counts_on_a_join_only(self, version: str, membership: Any) -> None:
        # The specification says it of any membership. Servers apply it to joins.
        pdu = member(version, {"membership": membership, "join_authorised_via_users_server": "@v:b"})
        assert list_required_signers(pdu, version) == ("a",)

    @pytest.mark.parametrize("version", VERSIONS[7:])
    @pytest.mark.parametrize("user", [None, 5, "", "v:b", "@v", "@v:", "@v:b c", "@" + "v" * 300 + ":b"])
    def test_an_invalid_authorising_user_is_a_defect(self, version: str, user: Any) -> None:
        pdu = member(version, {"membership": "join", "join_authorised_via_users_server": user})
        with pytest.raises(MalformedEvent) as caught:
            list_required_signers(pdu, version)
        report = verify_signatures(signed_by(pdu, version, "a"), KEYS, version)
        assert not report.valid
        assert caught.value.defects == (report.defect,)
        assert str(report) == str(report.defect)
        assert caught.value.defects[0].path == "content.join_authorised_via_users_server"

    @pytest.mark.parametrize("key", ["sender", "event_id"])
    @pytest.mark.parametrize("value", [None, 5, "", "@a"])
    def test_an_identifier_without_a_server_is_a_defect(self, key: str, value: Any) -> None:
        with pytest.raises(MalformedEvent) as caught:
            list_required_signers(member("1", {}) | {key: value}, "1")
        assert caught.value.defects[0].path == key
        without = member("1", {})
        del without[key]
        with pytest.raises(MalformedEvent, match="found nothing"):
            list_required_signers(without, "1")

    def test_servers_are_compared_with_case_and_port(self) -> None:
        for other in ("A", "a:80"):
            pdu = sign_event(member("11", {"membership": "join"}), "11", other, KEY)
            assert not verify_signatures(pdu, KEYS | KeyRing.of({other: TABLE["a"]}), "11").valid


class TestWhichSignaturesCount:
    PDU = member("11", {"membership": "join"})
    SIGNED = sign_event(PDU, "11", "a", KEY)
    GOOD = SIGNED["signatures"]["a"]["ed25519:1"]
    BAD = "A" * 86

    def check(self, signatures: Any, keys: KeyRing = KEYS) -> SignatureReport:
        pdu = self.SIGNED | {"signatures": {"a": signatures}}
        report = verify_signatures(pdu, keys, "11")
        with pytest.raises(TypeError, match=r"use \.valid"):
            bool(report)
        return report

    def test_one_that_verifies_is_enough(self) -> None:
        report = self.check({"ed25519:1": self.GOOD})
        assert report.valid
        assert str(report) == "a: signed"

    def test_all_by_known_keys_must_verify(self) -> None:
        report = self.check({"ed25519:1": self.GOOD, "ed25519:2": self.BAD})
        assert not report.valid
        assert str(report) == "a: ed25519:2 does not verify"

    @pytest.mark.parametrize(
        ("key_id", "status"),
        [
            ("ed25519:unknown", SignatureStatus.UNKNOWN_KEY),
            ("ed25519:policy_server", SignatureStatus.UNKNOWN_KEY),
            ("rot13:1", SignatureStatus.UNKNOWN_ALGORITHM),
            ("ed25519", SignatureStatus.UNKNOWN_ALGORITHM),
            ("", SignatureStatus.UNKNOWN_ALGORITHM),
        ],
    )
    @pytest.mark.parametrize("signature", ["A" * 86, "junk", 5, None])
    def test_one_by_an_unknown_key_or_algorithm_is_ignored(
        self, key_id: str, status: SignatureStatus, signature: Any
    ) -> None:
        report = self.check({"ed25519:1": self.GOOD, key_id: signature})
        assert report.valid
        assert statuses(report) == {"ed25519:1": SignatureStatus.VERIFIED, key_id: status}
        assert status.ignored

    @pytest.mark.parametrize(
        ("key_id", "status"),
        [("ed25519:unknown", SigningStatus.KEY_UNKNOWN), ("rot13:1", SigningStatus.MISSING)],
    )
    def test_but_one_must_remain(self, key_id: str, status: SigningStatus) -> None:
        report = self.check({key_id: self.GOOD})
        assert not report.valid
        assert report.status is status
        why = "unknown key" if status is SigningStatus.KEY_UNKNOWN else "unknown algorithm"
        assert str(report) == f"a: {key_id} ignored: {why}"

    @pytest.mark.parametrize("keys", [KEYS, NO_KEYS])
    @pytest.mark.parametrize("signatures", [{}, None, [], "x", 5])
    def test_no_signature_is_missing_whatever_the_keys(self, signatures: Any, keys: KeyRing) -> None:
        report = self.check(signatures, keys)
        assert not report.valid
        assert report.status is SigningStatus.MISSING
        assert str(report) == "a: no signature"
        others: list[Any] = [{}, None, [], "x", {"b": {"ed25519:1": self.GOOD}}]
        for whole in others:
            report = verify_signatures(self.SIGNED | {"signatures": whole}, keys, "11")
            assert report.status is SigningStatus.MISSING
        assert verify_signatures(self.PDU, keys, "11").status is SigningStatus.MISSING

    @pytest.mark.parametrize("signature", ["", "A" * 84, "A" * 88, "A" * 87, "$" * 86, "é", None, 5, [], {}])
    def test_one_that_is_not_64_bytes_of_base64_fails_and_never_raises(self, signature: Any) -> None:
        report = self.check({"ed25519:1": self.GOOD, "ed25519:2": signature})
        assert not report.valid
        assert statuses(report)["ed25519:2"] is SignatureStatus.UNREADABLE
        assert str(report) == "a: ed25519:2 is not 64 bytes of base64"

    def test_the_spelling_of_a_signature_does_not_matter(self) -> None:
        url_safe = self.GOOD.replace("+", "-").replace("/", "_")
        for spelling in (self.GOOD + "==", url_safe, url_safe + "=="):
            assert self.check({"ed25519:1": spelling}).valid

    def test_signatures_of_servers_that_need_not_sign_are_not_checked(self) -> None:
        signatures: JsonObject = {"a": {"ed25519:1": self.GOOD}, "b": {"ed25519:1": self.BAD}, "c": 5}
        report = verify_signatures(self.SIGNED | {"signatures": signatures}, KEYS, "11")
        assert report.valid
        assert [server.server for server in report.servers] == ["a"]

    def test_a_key_of_another_length_verifies_nothing(self) -> None:
        for length in (0, 31, 33, 64):
            keys = KeyRing.of({"a": {"ed25519:1": VerifyKey(bytes(length))}})
            assert not verify_signatures(self.SIGNED, keys, "11").valid

    def test_signatures_are_listed_by_key_id(self) -> None:
        report = self.check({"z:1": "", "ed25519:2": self.BAD, "ed25519:1": self.GOOD, "a:1": ""})
        assert list(statuses(report)) == ["a:1", "ed25519:1", "ed25519:2", "z:1"]

    def test_without_a_key_it_is_open_unless_the_keys_are_complete(self) -> None:
        (open_,) = verify_signatures(self.SIGNED, NO_KEYS, "11").servers
        assert (open_.status, open_.valid, open_.status.decided) == (SigningStatus.KEY_UNKNOWN, False, False)
        assert open_.unknown_keys == ("ed25519:1",)
        (closed,) = verify_signatures(self.SIGNED, KeyRing(complete=True), "11").servers
        assert (closed.status, closed.valid, closed.status.decided) == (SigningStatus.INVALID, False, True)
        assert closed.unknown_keys == ()

    def test_a_policy_servers_key_is_not_among_the_keys_to_fetch(self) -> None:
        policy = "ed25519:policy_server"
        (server,) = self.check({policy: self.GOOD, "ed25519:9": self.GOOD, "x:1": ""}, NO_KEYS).servers
        assert server.unknown_keys == ("ed25519:9",)
        (server,) = self.check({policy: self.GOOD}, NO_KEYS).servers
        assert server.unknown_keys == (policy,)

    def test_the_worst_of_the_servers_is_the_status_of_the_event(self) -> None:
        pdu = member("11", {"membership": "join", "join_authorised_via_users_server": "@v:b"})
        good = signed_by(pdu, "11", "a", "b")
        for theirs, keys, status in (
            (good["signatures"]["b"], KEYS, SigningStatus.VALID),
            (good["signatures"]["b"], KeyRing.of({"a": TABLE["a"]}), SigningStatus.KEY_UNKNOWN),
            ({}, KEYS, SigningStatus.MISSING),
            ({}, KeyRing.of({"b": TABLE["b"]}), SigningStatus.MISSING),
            ({"ed25519:1": self.BAD}, KEYS, SigningStatus.INVALID),
            ({"ed25519:1": self.BAD}, KeyRing.of({"b": TABLE["b"]}), SigningStatus.INVALID),
        ):
            event = {**good, "signatures": {**good["signatures"], "b": theirs}}
            report = verify_signatures(event, keys, "11")
            assert report.status is status
            assert report.valid is (status is SigningStatus.VALID)
        # Missing from one server, and invalid from the other.
        event = {**good, "signatures": {"a": {"ed25519:1": self.BAD}}}
        assert verify_signatures(event, KEYS, "11").status is SigningStatus.INVALID

    @pytest.mark.parametrize("order", [1, -1])
    def test_of_two_keys_with_one_id_each_is_tried(self, order: int) -> None:
        rings = [KeyRing.of({"a": {"ed25519:1": key.verify_key}}) for key in (KEY, OTHER)]
        keys = KeyRing.joined(rings[::order])
        for signer in (KEY, OTHER):
            text = sign_event(self.PDU, "11", "a", signer)["signatures"]["a"][signer.key_id]
            assert self.check({"ed25519:1": text}, keys).valid
        assert self.check({"ed25519:1": self.BAD}, keys).status is SigningStatus.INVALID

    def test_a_server_result_has_no_truth_value(self) -> None:
        (result,) = self.check({"ed25519:1": self.GOOD}).servers
        assert result.valid
        with pytest.raises(TypeError, match=r"ServerResult has no truth value: use \.valid"):
            bool(result)


class TestKeyValidity:
    @staticmethod
    def report(version: str, key: VerifyKey, now: int | None = None) -> SignatureReport:
        pdu = sign_event(member(version, {"membership": "join"}), version, "a", KEY)
        return verify_signatures(pdu, KeyRing.of({"a": {"ed25519:1": key}}, now=now), version)

    @every_version
    def test_a_key_must_be_known_to_be_valid_from_version_5_on(self, version: str) -> None:
        assert self.report(version, VerifyKey(PUBLIC, valid_until_ts=TIME)).valid
        report = self.report(version, VerifyKey(PUBLIC, valid_until_ts=TIME - 1))
        enforced = version not in LENIENT_VERSIONS[:4]
        assert report.valid is not enforced
        if enforced:
            # A later answer of the server may say that the key was valid for longer.
            assert report.status is SigningStatus.KEY_UNKNOWN
            assert report.servers[0].unknown_keys == ("ed25519:1",)
            assert statuses(report) == {"ed25519:1": SignatureStatus.KEY_LAPSED}
            assert str(report) == (
                "a: ed25519:1 ignored: the key is not known to be valid at the time of the event (the key is"
                f" known to be valid until {format_time(TIME - 1)},"
                f" the event was made at {format_time(TIME)})"
            )

    @every_version
    def test_a_key_that_expired_before_the_event_is_ignored_in_every_version(self, version: str) -> None:
        assert self.report(version, VerifyKey(PUBLIC, expired_ts=TIME)).valid
        report = self.report(version, VerifyKey(PUBLIC, expired_ts=TIME - 1))
        assert report.status is SigningStatus.INVALID
        assert statuses(report) == {"ed25519:1": SignatureStatus.KEY_EXPIRED}
        assert str(report) == (
            f"a: ed25519:1 ignored: the key had expired (the key expired at {format_time(TIME - 1)},"
            f" the event was made at {format_time(TIME)})"
        )

    @every_version
    @pytest.mark.parametrize(
        ("expired", "other", "status"),
        [
            ("good", None, SigningStatus.INVALID),
            ("bad", None, SigningStatus.INVALID),
            ("good", "good", SigningStatus.VALID),
            ("bad", "good", SigningStatus.VALID),
            ("unreadable", "good", SigningStatus.VALID),
            ("good", "bad", SigningStatus.INVALID),
            ("good", "unknown", SigningStatus.KEY_UNKNOWN),
        ],
    )
    def test_an_expired_key_counts_neither_for_nor_against_the_event(
        self, version: str, expired: str, other: str | None, status: SigningStatus
    ) -> None:
        pdu = sign_event(member(version, {"membership": "join"}), version, "a", KEY)
        pdu = sign_event(pdu, version, "a", OTHER)
        mine = pdu["signatures"]["a"]
        texts = {"good": mine["ed25519:1"], "bad": "A" * 86, "unreadable": "!"}
        signatures = {"ed25519:1": texts[expired]}
        if other is not None:
            signatures["ed25519:2"] = "A" * 86 if other == "bad" else mine["ed25519:2"]
        keys = {"ed25519:1": VerifyKey(PUBLIC, expired_ts=TIME - 1)}
        if other != "unknown":
            keys["ed25519:2"] = OTHER.verify_key
        event = {**pdu, "signatures": {"a": signatures}}
        assert verify_signatures(event, KeyRing.of({"a": keys}), version).status is status

    @every_version
    def test_an_event_from_further_ahead_than_7_days_is_not_validly_signed_from_version_5_on(
        self, version: str
    ) -> None:
        key = VerifyKey(PUBLIC, valid_until_ts=TIME * 2)
        assert self.report(version, key, TIME - VALIDITY_CAP_MS).valid
        report = self.report(version, key, TIME - VALIDITY_CAP_MS - 1)
        enforced = version not in LENIENT_VERSIONS[:4]
        assert report.valid is not enforced
        if enforced:
            assert report.status is SigningStatus.INVALID
            assert f"now is {format_time(TIME - VALIDITY_CAP_MS - 1)}" in str(report)

    def test_a_raw_pdu_without_a_usable_timestamp_counts_as_made_at_0(self) -> None:
        pdu = member("11", {"membership": "join"})
        for timestamp in (None, "5", True):
            signed = sign_event(pdu | {"origin_server_ts": timestamp}, "11", "a", KEY)
            for until, expected in ((0, True), (-1, False)):
                keys = KeyRing.of({"a": {"ed25519:1": VerifyKey(PUBLIC, valid_until_ts=until)}})
                assert verify_signatures(signed, keys, "11").valid is expected

    def test_of_two_keys_with_one_id_what_is_open_goes_before_what_is_decided(self) -> None:
        pdu = sign_event(member("11", {"membership": "join"}), "11", "a", KEY)
        lapsed = KeyRing.of({"a": {"ed25519:1": VerifyKey(PUBLIC, valid_until_ts=TIME - 1)}})
        for raw in (bytes(32), b"\xff" * 32):  # sorted before the other key, and after it
            expired = KeyRing.of({"a": {"ed25519:1": VerifyKey(raw, expired_ts=TIME - 1)}})
            assert verify_signatures(pdu, expired, "11").status is SigningStatus.INVALID
            assert verify_signatures(pdu, lapsed | expired, "11").status is SigningStatus.KEY_UNKNOWN


@given(versions_and_pdus)
def test_checking_changes_nothing(drawn: tuple[str, JsonObject]) -> None:
    version, pdu = drawn
    before = copy.deepcopy(pdu)
    verify_signatures(pdu, KEYS, version)
    assert pdu == before


@hostile
@given(versions, st.integers(0, 2**64))
def test_any_raw_object_ends_in_a_report_or_a_roomver_error(version: str, seed: int) -> None:
    rng = Random(seed)
    pdu = generator.mutate(rng, generator.pdu(rng, version))
    try:
        report = verify_signatures(pdu, replace(KEYS, now=TIME), version)
    except RoomverError:
        return
    assert report.valid is (not report.servers and report.defect is None)
    str(report).encode()


class TestCountVerified:
    def test_signatures_under_one_key_id_are_counted_by_whether_a_key_verifies_them(self) -> None:
        room = public_room()
        events = [*room.events.values()]
        signed = sum("a.example" in event.signatures for event in events)
        right, wrong = (decode_unpadded(public_key(name)) for name in ("a.example", "b.example"))
        assert right is not None
        assert wrong is not None
        assert signed > 1
        assert count_verified(events, "a.example", "ed25519:1", right) == (signed, signed)
        assert count_verified(events, "a.example", "ed25519:1", wrong) == (0, signed)
        assert count_verified(events, "a.example", "ed25519:2", right) == (0, 0)
        assert count_verified(events, "c.example", "ed25519:1", right) == (0, 0)

    @pytest.mark.parametrize("signature", ["", "AAAA", "no base64", 5, None])
    def test_what_is_not_a_signature_is_not_counted(self, signature: object) -> None:
        event = next(iter(public_room().events.values()))
        pdu: JsonObject = {**event.pdu, "signatures": {"a.example": {"ed25519:1": signature}}}
        strange = build_unverified(pdu, event.room_version, event.event_id)
        assert count_verified([strange], "a.example", "ed25519:1", bytes(32)) == (0, 0)
