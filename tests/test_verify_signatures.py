"""Which signatures an event needs, and which count:
https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events"""

import copy
from random import Random
from typing import Any

import generator
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed import KEY, KEYS, PUBLIC, TIME, every_version, member, sign_event, signed_by, statuses
from strategies import LENIENT_VERSIONS, VERSIONS, JsonObject, hostile, versions, versions_and_pdus

from roomver import MalformedEvent, RoomverError, VerifyKey, redact, verify_signatures
from roomver.keys import VALIDITY_CAP_MS
from roomver.signatures import (
    ServerResult,
    SignatureReport,
    SignatureResult,
    SignatureStatus,
    list_required_signers,
)


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
            assert not verify_signatures(pdu, KEYS | {other: KEYS["a"]}, "11").valid


class TestWhichSignaturesCount:
    PDU = member("11", {"membership": "join"})
    SIGNED = sign_event(PDU, "11", "a", KEY)
    GOOD = SIGNED["signatures"]["a"]["ed25519:1"]
    BAD = "A" * 86

    def check(self, signatures: Any, **switches: Any) -> SignatureReport:
        pdu = self.SIGNED | {"signatures": {"a": signatures}}
        report = verify_signatures(pdu, KEYS, "11", **switches)
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

    def test_but_one_must_remain(self) -> None:
        for key_id, why in (("ed25519:unknown", "unknown key"), ("rot13:1", "unknown algorithm")):
            report = self.check({key_id: self.GOOD})
            assert not report.valid
            assert str(report) == f"a: {key_id} ignored: {why}"

    @pytest.mark.parametrize("signatures", [{}, None, [], "x", 5])
    def test_without_a_signature_an_event_is_not_signed(self, signatures: Any) -> None:
        report = self.check(signatures)
        assert not report.valid
        assert str(report) == "a: no signature"
        others: list[Any] = [{}, None, [], "x", {"b": {"ed25519:1": self.GOOD}}]
        for whole in others:
            assert not verify_signatures(self.SIGNED | {"signatures": whole}, KEYS, "11").valid
        assert not verify_signatures(self.PDU, KEYS, "11").valid

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
            keys = {"a": {"ed25519:1": VerifyKey(bytes(length))}}
            assert not verify_signatures(self.SIGNED, keys, "11").valid

    def test_signatures_are_listed_by_key_id(self) -> None:
        report = self.check({"z:1": "", "ed25519:2": self.BAD, "ed25519:1": self.GOOD, "a:1": ""})
        assert list(statuses(report)) == ["a:1", "ed25519:1", "ed25519:2", "z:1"]

    def test_ignored_signatures_are_not_enough(self) -> None:
        (unknown,) = verify_signatures(self.SIGNED, {}, "11").servers
        assert not unknown.valid
        assert not ServerResult("a", ()).valid
        assert not ServerResult("a", (SignatureResult("x:1", SignatureStatus.UNKNOWN_ALGORITHM),)).valid

    def test_a_server_result_has_no_truth_value(self) -> None:
        (result,) = self.check({"ed25519:1": self.GOOD}).servers
        assert result.valid
        with pytest.raises(TypeError, match=r"ServerResult has no truth value: use \.valid"):
            bool(result)


class TestKeyValidity:
    @staticmethod
    def report(version: str, key: VerifyKey, **switches: Any) -> SignatureReport:
        pdu = sign_event(member(version, {"membership": "join"}), version, "a", KEY)
        return verify_signatures(pdu, {"a": {"ed25519:1": key}}, version, **switches)

    @every_version
    def test_a_key_must_have_been_valid_from_version_5_on(self, version: str) -> None:
        enforced = version not in LENIENT_VERSIONS[:4]
        assert self.report(version, VerifyKey(PUBLIC, valid_until_ts=TIME)).valid
        for key in (VerifyKey(PUBLIC, valid_until_ts=TIME - 1), VerifyKey(PUBLIC, expired_ts=TIME - 1)):
            report = self.report(version, key)
            assert report.valid is not enforced
            if enforced:
                assert statuses(report) == {"ed25519:1": SignatureStatus.KEY_NOT_VALID}
                assert str(report) == "a: ed25519:1 ignored: the key was not valid at the time of the event"

    @every_version
    def test_expiry_is_honoured_in_versions_1_to_4_on_request(self, version: str) -> None:
        assert not self.report(version, VerifyKey(PUBLIC, expired_ts=TIME - 1), honour_expired=True).valid
        assert self.report(version, VerifyKey(PUBLIC, expired_ts=TIME), honour_expired=True).valid

    @every_version
    def test_an_event_from_further_ahead_than_7_days_is_not_validly_signed_from_version_5_on(
        self, version: str
    ) -> None:
        key = VerifyKey(PUBLIC, valid_until_ts=TIME * 2)
        assert self.report(version, key, now=TIME - VALIDITY_CAP_MS).valid
        enforced = version not in LENIENT_VERSIONS[:4]
        assert self.report(version, key, now=TIME - VALIDITY_CAP_MS - 1).valid is not enforced

    def test_a_raw_pdu_without_a_usable_timestamp_counts_as_made_at_0(self) -> None:
        pdu = member("11", {"membership": "join"})
        for timestamp in (None, "5", True):
            signed = sign_event(pdu | {"origin_server_ts": timestamp}, "11", "a", KEY)
            for until, expected in ((0, True), (-1, False)):
                keys = {"a": {"ed25519:1": VerifyKey(PUBLIC, valid_until_ts=until)}}
                assert verify_signatures(signed, keys, "11").valid is expected


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
        report = verify_signatures(pdu, KEYS, version, now=TIME)
    except RoomverError:
        return
    assert report.valid is (not report.servers and report.defect is None)
    str(report).encode()
