"""The format of events: https://spec.matrix.org/latest/rooms/v12/#event-format and
https://spec.matrix.org/latest/client-server-api/#size-limits"""

from typing import Any

import pytest
from event_pdus import ABSENT, ROOM_12, defects, every_version, pdu_of
from hypothesis import given
from reference.canonical import canonical_json
from strategies import (
    CHOSEN_ID_VERSIONS,
    HASH_ID_VERSIONS,
    LENIENT_VERSIONS,
    STRICT_VERSIONS,
    VERSIONS,
    JsonObject,
    versions_and_pdus,
)

from roomver import MalformedEvent, get_room_version, parse_event
from roomver.errors import Defect
from roomver.event import find_defects


class TestIdentifiers:
    @every_version
    @pytest.mark.parametrize("sender", ["@:x.org", "@ü \n:x.org", "@a:[::1]:80", "@" + "a" * 252 + ":x"])
    def test_a_sender_has_the_historical_grammar(self, version: str, sender: str) -> None:
        assert defects(pdu_of(version, sender=sender), version) == []

    @every_version
    @pytest.mark.parametrize(
        "sender",
        ["@a", "a:x", "@a:", "@a:x y", "@" + "a" * 253 + ":x", "@a\0:x", "", 5, None, ["@a:x"], ABSENT],
    )
    def test_anything_else_is_not_a_sender(self, version: str, sender: Any) -> None:
        assert defects(pdu_of(version, sender=sender), version) == ["sender"]

    @every_version
    def test_the_lenient_switch_requires_only_a_colon_in_255_bytes(self, version: str) -> None:
        def lenient(**changes: Any) -> list[str]:
            return defects(pdu_of(version, **changes), version, lenient_identifiers=True)

        assert lenient(sender="a:") == []
        assert lenient(sender="a") == lenient(sender=5) == lenient(sender=":" + "a" * 255) == ["sender"]
        if version != "12":
            assert lenient(room_id="r:") == []
            assert lenient(room_id="r") == lenient(room_id=None) == ["room_id"]

    @pytest.mark.parametrize("version", VERSIONS[:11])
    @pytest.mark.parametrize("room_id", ["!r", "r:x", "@r:x", "!r:", "!" + "a" * 253 + ":x", 5, None, ABSENT])
    def test_a_room_id_has_a_server_name_up_to_version_11(self, version: str, room_id: Any) -> None:
        assert defects(pdu_of(version, room_id=room_id), version) == ["room_id"]

    @pytest.mark.parametrize("room_id", ["foo", "", "!", "$a", "!" + "a" * 255, 5, None, ABSENT])
    def test_in_version_12_it_is_a_sigil_and_a_name(self, room_id: Any) -> None:
        assert defects(pdu_of("12", room_id=room_id), "12") == ["room_id"]
        assert defects(pdu_of("12", room_id=ROOM_12), "12") == []

    @pytest.mark.parametrize("version", CHOSEN_ID_VERSIONS)
    @pytest.mark.parametrize("event_id", ["$a", "a:x", "$a:", "$" + "a" * 253 + ":x", 5, None, ABSENT])
    def test_versions_1_and_2_carry_an_event_id_with_a_server_name(self, version: str, event_id: Any) -> None:
        assert defects(pdu_of(version, event_id=event_id), version) == ["event_id"]

    @pytest.mark.parametrize("version", HASH_ID_VERSIONS)
    @pytest.mark.parametrize("event_id", ["$a:x", "$" + "A" * 43, None, 5])
    def test_later_versions_must_not_carry_one(self, version: str, event_id: Any) -> None:
        assert defects(pdu_of(version, event_id=event_id), version) == ["event_id"]


class TestSizes:
    @every_version
    @pytest.mark.parametrize("form", ["ascii", "escapes", "long characters"])
    def test_the_complete_event_must_not_be_larger_than_65536_bytes(self, version: str, form: str) -> None:
        filler = {"ascii": "a", "escapes": '"', "long characters": "é"}[form]

        def of_size(size: int) -> JsonObject:
            pdu = pdu_of(version, signatures={"x": {"ed25519:1": "s"}}, content={"body": ""})
            missing = size - len(canonical_json(pdu))
            count = missing // 2 if form != "ascii" else missing
            pdu["content"]["body"] = filler * count
            pdu["content"]["body"] += "a" * (size - len(canonical_json(pdu)))
            assert len(canonical_json(pdu)) == size
            return pdu

        assert defects(of_size(65536), version) == []
        (found,) = find_defects(of_size(65537), get_room_version(version))
        assert found == Defect("", "at most 65536 bytes of canonical JSON", "65537 bytes")

    @every_version
    def test_unsigned_and_signatures_count(self, version: str) -> None:
        for key in ("unsigned", "signatures"):
            pdu = pdu_of(version) | {key: {"x": {"y": "a" * 65536}}}
            assert defects(pdu, version) == [""]

    @every_version
    @pytest.mark.parametrize("key", ["type", "state_key"])
    def test_a_type_or_state_key_must_not_exceed_255_bytes(self, version: str, key: str) -> None:
        assert defects(pdu_of(version) | {key: "a" * 255}, version) == []
        assert defects(pdu_of(version) | {key: "é" * 127 + "a"}, version) == []
        (found,) = find_defects(pdu_of(version) | {key: "é" * 128}, get_room_version(version))
        assert found == Defect(key, "at most 255 bytes", "256 bytes")

    @every_version
    @pytest.mark.parametrize(("key", "most"), [("prev_events", 20), ("auth_events", 10)])
    def test_20_previous_and_10_auth_events_are_the_most(self, version: str, key: str, most: int) -> None:
        one = ["$a:x", {}] if version in CHOSEN_ID_VERSIONS else "$a"
        assert defects(pdu_of(version) | {key: [one] * most}, version) == []
        assert defects(pdu_of(version) | {key: []}, version) == []
        assert defects(pdu_of(version) | {key: [one] * (most + 1)}, version) == [key]


class TestTypes:
    @every_version
    @pytest.mark.parametrize("depth", [-1, True, 1.0, "1", None, [], ABSENT])
    def test_depth_is_an_integer_from_0_on(self, version: str, depth: Any) -> None:
        # A float is not canonical JSON either, so some versions list it twice.
        assert set(defects(pdu_of(version, depth=depth), version)) == {"depth"}

    @pytest.mark.parametrize("version", LENIENT_VERSIONS)
    def test_the_greatest_depth_is_2_63_minus_1_up_to_version_5(self, version: str) -> None:
        assert defects(pdu_of(version, depth=2**63 - 1), version) == []
        assert defects(pdu_of(version, depth=2**63), version) == ["depth"]

    @pytest.mark.parametrize("version", STRICT_VERSIONS)
    def test_and_2_53_minus_1_from_version_6_on(self, version: str) -> None:
        assert defects(pdu_of(version, depth=2**53 - 1), version) == []
        # Twice, because it is not canonical JSON either.
        assert defects(pdu_of(version, depth=2**53), version) == ["depth", "depth"]

    @every_version
    @pytest.mark.parametrize("timestamp", [True, 1.5, "1", None, ABSENT])
    def test_a_timestamp_is_an_integer(self, version: str, timestamp: Any) -> None:
        assert set(defects(pdu_of(version, origin_server_ts=timestamp), version)) == {"origin_server_ts"}

    @every_version
    @pytest.mark.parametrize("timestamp", [0, -1, 2**53 - 1, -(2**53) + 1])
    def test_it_may_be_negative(self, version: str, timestamp: int) -> None:
        assert defects(pdu_of(version, origin_server_ts=timestamp), version) == []

    @pytest.mark.parametrize("version", LENIENT_VERSIONS)
    def test_it_has_64_bits(self, version: str) -> None:
        for timestamp in (2**63 - 1, -(2**63)):
            assert defects(pdu_of(version, origin_server_ts=timestamp), version) == []
        for timestamp in (2**63, -(2**63) - 1):
            assert defects(pdu_of(version, origin_server_ts=timestamp), version) == ["origin_server_ts"]

    @every_version
    @pytest.mark.parametrize("key", ["type", "content", "hashes", "prev_events", "auth_events"])
    @pytest.mark.parametrize("value", [None, 5, True, ABSENT])
    def test_keys_that_must_be_there_with_their_type(self, version: str, key: str, value: Any) -> None:
        assert defects(pdu_of(version, **{key: value}), version) == [key]

    @every_version
    @pytest.mark.parametrize(
        ("key", "value"), [("type", []), ("content", []), ("content", "x"), ("hashes", [])]
    )
    def test_and_no_other_type(self, version: str, key: str, value: Any) -> None:
        assert defects(pdu_of(version, **{key: value}), version) == [key]

    @every_version
    def test_an_absent_state_key_is_neither_empty_nor_null(self, version: str) -> None:
        assert parse_event(pdu_of(version), version).state_key is None
        assert parse_event(pdu_of(version, state_key=""), version).state_key == ""
        odd: list[Any] = [None, 5, [], {}]
        for value in odd:
            assert defects(pdu_of(version, state_key=value), version) == ["state_key"]

    @every_version
    @pytest.mark.parametrize("value", [None, 5, [], ABSENT, {}])
    def test_hashes_holds_a_sha256_string(self, version: str, value: Any) -> None:
        hashes = {} if value is ABSENT else {"sha256": value}
        assert defects(pdu_of(version, hashes=hashes), version) == ["hashes.sha256"]
        assert defects(pdu_of(version, hashes={"sha256": "not base64!", "md5": 5}), version) == []

    @every_version
    @pytest.mark.parametrize(
        ("value", "paths"),
        [
            ({}, []),
            ({"x": {}}, []),
            ({"x": {"ed25519:1": "$"}}, []),
            (None, ["signatures"]),
            ([], ["signatures"]),
            ({"x": 1, "a b": []}, ["signatures.x", 'signatures["a b"]']),
            ({"x": {"k": 1, "ed25519:1": None, "l": ""}}, ["signatures.x.k", 'signatures.x["ed25519:1"]']),
        ],
    )
    def test_signatures_is_an_object_of_objects_of_strings(
        self, version: str, value: Any, paths: list[str]
    ) -> None:
        assert defects(pdu_of(version, signatures=value), version) == paths

    @every_version
    @pytest.mark.parametrize("value", [None, [], 5, "x"])
    def test_unsigned_is_an_object(self, version: str, value: Any) -> None:
        assert defects(pdu_of(version, unsigned=value), version) == ["unsigned"]

    @pytest.mark.parametrize("version", CHOSEN_ID_VERSIONS)
    @pytest.mark.parametrize("key", ["prev_events", "auth_events"])
    @pytest.mark.parametrize(
        "value",
        ["$a:x", [], ["$a:x"], ["$a:x", {}, {}], ["$a:x", "h"], ["$a:x", None], [5, {}], {"$a:x": {}}],
    )
    def test_references_of_versions_1_and_2_are_pairs(self, version: str, key: str, value: Any) -> None:
        assert defects(pdu_of(version) | {key: [["$a:x", {}], value]}, version) == [f"{key}[1]"]

    @pytest.mark.parametrize("version", HASH_ID_VERSIONS)
    @pytest.mark.parametrize("key", ["prev_events", "auth_events"])
    @pytest.mark.parametrize("value", [["$a:x", {}], [], None, 5, {}])
    def test_later_ones_are_event_ids(self, version: str, key: str, value: Any) -> None:
        assert defects(pdu_of(version) | {key: ["$a", value]}, version) == [f"{key}[1]"]

    @pytest.mark.parametrize("version", STRICT_VERSIONS)
    @pytest.mark.parametrize("key", ["content", "unsigned"])
    @pytest.mark.parametrize("value", [1.5, 1.0, 2**53, -(2**53)])
    def test_from_version_6_on_the_whole_pdu_is_canonical_json(
        self, version: str, key: str, value: Any
    ) -> None:
        assert defects(pdu_of(version) | {key: {"a": [value]}}, version) == [f"{key}.a[0]"]

    @pytest.mark.parametrize("version", LENIENT_VERSIONS)
    @pytest.mark.parametrize("value", [1.5, 2**70, -(2**53)])
    def test_before_it_need_not_be(self, version: str, value: Any) -> None:
        assert defects(pdu_of(version, content={"a": [value]}), version) == []

    @every_version
    def test_every_defect_is_listed_with_what_was_expected_and_found(self, version: str) -> None:
        with pytest.raises(MalformedEvent) as caught:
            parse_event(
                {"depth": -1, "state_key": None, "content": {"a": float("nan")}, "hashes": {}}, version
            )
        found = {defect.path: (defect.expected, defect.found) for defect in caught.value.defects}
        assert found["content.a"] == ("canonical JSON", "nan is not a JSON number")
        assert found["state_key"] == ("a string or nothing", "null")
        assert found["hashes.sha256"] == ("a string", "nothing")
        assert found["depth"][1] == "-1"
        missing = {"type", "sender", "room_id", "origin_server_ts", "prev_events", "auth_events"}
        assert missing | {"content.a", "state_key", "depth", "hashes.sha256"} == set(found) - {"event_id"}
        assert ("event_id" in found) is (version in CHOSEN_ID_VERSIONS)


@given(versions_and_pdus)
def test_an_event_of_the_format_has_no_defects(drawn: tuple[str, JsonObject]) -> None:
    version, pdu = drawn
    assert find_defects(pdu, get_room_version(version)) == []
    assert find_defects(pdu, get_room_version(version), lenient_identifiers=True) == []
