"""Redaction: https://spec.matrix.org/latest/rooms/v12/#redactions and the same section of each version"""

import copy
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import redaction as reference
from strategies import (
    CONTENT_KEYS,
    EVENT_TYPES,
    STRAY_KEYS,
    VERSIONS,
    JsonObject,
    pdus,
    versions,
    versions_and_pdus,
)

from roomver import MalformedEvent, NotCanonical, UnknownRoomVersion, get_room_version, parse_event, redact
from roomver.redaction import kept


def since(first: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("version", "on"), [(v, int(v) >= first) for v in VERSIONS])


def content(kind: str, version: str, **values: Any) -> Any:
    return redact({"type": kind, "content": values}, version)["content"]


@given(versions_and_pdus)
def test_all_keys_that_the_page_does_not_list_are_stripped(drawn: tuple[str, JsonObject]) -> None:
    version, pdu = drawn
    assert redact(pdu, version) == reference.redact(pdu, version)
    assert redact(parse_event(pdu, version)) == reference.redact(pdu, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_key_is_kept_or_stripped_as_the_page_says(version: str, kind: str) -> None:
    # All known keys at once, so that no key depends on what is drawn.
    invite = {"signed": {"token": "t"}, "display_name": "d"}
    values = dict.fromkeys([*CONTENT_KEYS, "signed"], 1) | {"third_party_invite": invite}
    keys = [*reference.PAGES["1"][0], *STRAY_KEYS, "unsigned", "foo"]
    pdu: JsonObject = dict.fromkeys(keys, 1) | {"type": kind, "content": values}
    if version == "12" and kind == "m.room.create":
        del pdu["room_id"]
    assert redact(pdu, version) == reference.redact(pdu, version)


@given(versions_and_pdus)
def test_redacting_twice_is_redacting_once(drawn: tuple[str, JsonObject]) -> None:
    version, pdu = drawn
    once = redact(pdu, version)
    assert redact(once, version) == once


def spoil(value: Any) -> None:
    """Change every object and array in a JSON value."""
    if isinstance(value, dict):
        for item in value.values():
            spoil(item)
        value["spoilt"] = True
    elif isinstance(value, list):
        for item in value:
            spoil(item)
        value.append("spoilt")


@given(versions_and_pdus)
def test_the_input_is_not_changed_and_nothing_of_it_is_shared(drawn: tuple[str, JsonObject]) -> None:
    version, pdu = drawn
    before = copy.deepcopy(pdu)
    result = redact(pdu, version)
    assert pdu == before
    spoil(result)
    assert pdu == before


@given(versions.flatmap(lambda v: st.tuples(st.just(v), pdus(v))), st.booleans())
def test_redaction_is_by_type_only(drawn: tuple[str, JsonObject], is_state: bool) -> None:
    version, pdu = drawn
    # The room ID of a create event of version 12 has its own tests.
    pdu.pop("room_id", None)
    pdu.pop("state_key", None)
    expected = redact(pdu, version)["content"]
    if is_state:
        pdu["state_key"] = "anything"
    assert redact(pdu, version)["content"] == expected


class TestTopLevel:
    @since(11)
    @pytest.mark.parametrize("key", ["origin", "membership", "prev_state"])
    def test_origin_membership_and_prev_state_are_kept_up_to_version_10(
        self, version: str, on: bool, key: str
    ) -> None:
        assert (key not in redact({"type": "X", "content": {}, key: 1}, version)) is on

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("key", ["redacts", "unsigned", "age_ts", "foo", "room_version"])
    def test_no_version_keeps_other_keys(self, version: str, key: str) -> None:
        pdu: JsonObject = {"type": "m.room.redaction", "content": {}, key: {}}
        assert redact(pdu, version) == {"type": "m.room.redaction", "content": {}}


class TestContent:
    @since(11)
    def test_redacts_in_content_is_kept_from_version_11_on(self, version: str, on: bool) -> None:
        assert content("m.room.redaction", version, redacts="$a", reason="r") == (
            {"redacts": "$a"} if on else {}
        )

    @since(11)
    def test_the_invite_level_is_kept_from_version_11_on_and_notifications_never(
        self, version: str, on: bool
    ) -> None:
        result = content("m.room.power_levels", version, invite=50, notifications={"room": 1}, ban=None)
        assert result == ({"invite": 50, "ban": None} if on else {"ban": None})

    @since(11)
    def test_a_create_event_keeps_all_content_from_version_11_on_and_before_only_the_creator(
        self, version: str, on: bool
    ) -> None:
        values = {"creator": "@a:x", "room_version": version, "predecessor": {"a": 1}, "junk": [1]}
        expected = values if on else {"creator": "@a:x"}
        assert content("m.room.create", version, **values) == expected

    @since(6)
    def test_aliases_are_kept_up_to_version_5(self, version: str, on: bool) -> None:
        assert content("m.room.aliases", version, aliases=["#a:x"]) == ({} if on else {"aliases": ["#a:x"]})

    @since(8)
    def test_allow_is_kept_from_version_8_on(self, version: str, on: bool) -> None:
        values = {"join_rule": "restricted", "allow": [{"type": "m.room_membership"}]}
        expected = values if on else {"join_rule": "restricted"}
        assert content("m.room.join_rules", version, **values) == expected

    @since(9)
    def test_the_authorising_user_is_kept_from_version_9_on(self, version: str, on: bool) -> None:
        values = {"membership": "join", "join_authorised_via_users_server": "@b:x"}
        expected = values if on else {"membership": "join"}
        assert content("m.room.member", version, displayname="A", **values) == expected

    @since(11)
    @pytest.mark.parametrize(
        ("invite", "left"),
        [
            ({"display_name": "d", "signed": {"a": 1}}, {"signed": {"a": 1}}),
            ({"signed": "s"}, {"signed": "s"}),
            ({"display_name": "d"}, {}),
            ({}, {}),
        ],
    )
    def test_signed_of_a_third_party_invite_is_kept_from_version_11_on(
        self, version: str, on: bool, invite: JsonObject, left: JsonObject
    ) -> None:
        result = content("m.room.member", version, membership="invite", third_party_invite=invite)
        assert result == {"membership": "invite"} | ({"third_party_invite": left} if on else {})

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("invite", ["str", None, [], ["signed"], 5, True])
    def test_a_third_party_invite_that_is_not_an_object_is_stripped(self, version: str, invite: Any) -> None:
        result = content("m.room.member", version, membership="invite", third_party_invite=invite)
        assert result == {"membership": "invite"}

    @pytest.mark.parametrize("version", VERSIONS)
    def test_a_third_party_invite_is_kept_on_no_other_type(self, version: str) -> None:
        assert content("m.room.third_party_invite", version, third_party_invite={"signed": 1}) == {}

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("value", [None, 1, "s", [{"a": [{}]}], {"users": {"users": 1}}])
    def test_a_kept_value_is_kept_whole_whatever_its_type(self, version: str, value: Any) -> None:
        assert content("m.room.power_levels", version, users=value, x=value) == {"users": value}

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize(
        "kind",
        ["m.room.encrypted", "m.room.topic", "m.room.name", "m.room.tombstone", "m.room.server_acl", ""],
    )
    def test_other_types_keep_no_content(self, version: str, kind: str) -> None:
        assert content(kind, version, **dict.fromkeys(CONTENT_KEYS, 1)) == {}


class TestRoomIdOfCreate:
    def test_a_version_12_create_event_loses_a_room_id_that_was_added_for_clients(self) -> None:
        pdu: JsonObject = {"type": "m.room.create", "state_key": "", "content": {"a": 1}, "room_id": "!a"}
        assert redact(pdu, "12") == {"type": "m.room.create", "state_key": "", "content": {"a": 1}}
        assert redact(pdu, "11")["room_id"] == "!a"

    def test_other_events_keep_theirs(self) -> None:
        assert redact({"type": "X", "content": {}, "room_id": "!a"}, "12")["room_id"] == "!a"


class TestInput:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_a_raw_pdu_without_a_type_or_content_is_redacted_too(self, version: str) -> None:
        assert redact({}, version) == {}
        assert redact({"type": 5, "content": {"membership": 1}}, version) == {"type": 5, "content": {}}
        assert redact({"type": ["m.room.create"], "content": {"creator": 1}}, version)["content"] == {}

    @pytest.mark.parametrize("value", [[], None, "{}", 5, b"{}", ()])
    def test_a_value_that_is_not_an_object_is_malformed(self, value: Any) -> None:
        with pytest.raises(MalformedEvent, match="expected a JSON object"):
            redact(value, "11")

    def test_a_value_without_canonical_json_is_refused(self) -> None:
        pdu: JsonObject = {"type": "X", "content": {"a": [1.5]}}
        with pytest.raises(NotCanonical) as caught:
            redact(pdu, "6")
        assert caught.value.path == "content.a[0]"
        assert redact(pdu, "5") == {"type": "X", "content": {}}

    def test_a_raw_pdu_needs_its_version_and_an_event_has_its_own(self) -> None:
        with pytest.raises(TypeError, match="needs its room version"):
            redact({})
        with pytest.raises(UnknownRoomVersion):
            redact({}, "13")
        pdu: JsonObject = {
            "type": "X",
            "content": {},
            "sender": "@a:x",
            "room_id": "!r:x",
            "depth": 1,
            "origin_server_ts": 1,
            "hashes": {"sha256": "A" * 43},
            "prev_events": [],
            "auth_events": [],
        }
        event = parse_event(pdu, "11")
        assert redact(event, "11") == redact(event) == redact(event, get_room_version("11"))
        with pytest.raises(TypeError, match="has room version 11, not 10"):
            redact(event, "10")


def test_kept_shares_values_with_the_pdu_and_redact_copies_them() -> None:
    # `redact` copies the result of `kept`. Hashing relies on the two being equal.
    pdu: JsonObject = {"type": "m.room.member", "content": {"membership": ["x"]}, "hashes": {}}
    assert kept(pdu, get_room_version("11")) == redact(pdu, "11")
    assert kept(pdu, get_room_version("11"))["hashes"] is pdu["hashes"]


def test_a_deep_event_is_redacted_below_a_deep_caller() -> None:
    value: Any = {}
    for level in range(124):
        value = {"a": value} if level % 2 else [value]
    pdu: dict[str, Any] = {"type": "m.room.create", "content": {"deep": value, "wide": [[{}], 1, "x"]}}

    def below(frames: int) -> dict[str, Any]:
        return below(frames - 1) if frames else redact(pdu, "11")

    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    assert below(sys.getrecursionlimit() - depth - 20) == pdu
    content: Any = redact(pdu, "11")["content"]
    assert content["wide"][0][0] is not pdu["content"]["wide"][0][0]
