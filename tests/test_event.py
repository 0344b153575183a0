"""Events: their attributes, how they are read, and the errors that other input ends in."""

import copy
import json
import pickle
import re
from collections import ChainMap, OrderedDict, UserDict
from random import Random
from types import MappingProxyType
from typing import Any

import generator
import pytest
from event_pdus import ABSENT, ROOM_12, create_12, defects, every_version, pdu_of
from hypothesis import given
from hypothesis import strategies as st
from reference import hashing as reference
from strategies import (
    CHOSEN_ID_VERSIONS,
    HASH_ID_VERSIONS,
    VERSIONS,
    JsonObject,
    OddDict,
    OddList,
    as_text,
    hostile,
    hostile_json,
    mutated,
    often,
    pdus,
    versions,
    versions_and_pdus,
)

from roomver import (
    Event,
    MalformedEvent,
    UnknownRoomVersion,
    encode_canonical,
    get_room_version,
    parse_event,
    redact,
)
from roomver.event import MAX_EVENT_BYTES, find_defects, remember


class TestFields:
    @every_version
    def test_an_event_has_the_values_of_its_pdu(self, version: str) -> None:
        pdu = pdu_of(version, signatures={"x": {"ed25519:1": "s"}}, unsigned={"age": 1}, state_key="k")
        event = parse_event(pdu, version)
        assert event.pdu is pdu
        assert event.room_version is get_room_version(version)
        assert (event.type, event.sender, event.state_key) == ("m.room.message", "@alice:example.org", "k")
        assert event.content == {"body": "hello"}
        assert (event.depth, event.origin_server_ts) == (5, 1700000000000)
        assert event.room_id == pdu["room_id"]
        assert event.hashes == {"sha256": "A" * 43}
        assert event.signatures == {"x": {"ed25519:1": "s"}}
        assert event.redacts is None

    @pytest.mark.parametrize("version", CHOSEN_ID_VERSIONS)
    def test_references_of_versions_1_and_2_lose_their_hashes(self, version: str) -> None:
        event = parse_event(pdu_of(version), version)
        assert (event.prev_event_ids, event.auth_event_ids) == (("$p:x",), ("$a:x", "$b:x"))
        assert event.event_id == "$event:example.org"

    @pytest.mark.parametrize("version", HASH_ID_VERSIONS)
    def test_from_version_3_on_the_event_id_is_the_reference_hash(self, version: str) -> None:
        pdu = pdu_of(version)
        event = parse_event(pdu, version)
        assert (event.prev_event_ids, event.auth_event_ids) == (("$p",), ("$a", "$b"))
        assert event.event_id == reference.event_id(pdu, version)
        assert event.event_id is event.event_id  # computed once

    @every_version
    def test_what_a_pdu_may_leave_out(self, version: str) -> None:
        event = parse_event(pdu_of(version), version)
        assert (event.state_key, event.signatures) == (None, {})

    @pytest.mark.parametrize("version", HASH_ID_VERSIONS)
    def test_an_id_that_the_caller_gives_is_used(self, version: str) -> None:
        assert parse_event(pdu_of(version), version, event_id="$known").event_id == "$known"

    @pytest.mark.parametrize("version", CHOSEN_ID_VERSIONS)
    def test_but_not_where_the_event_carries_its_own(self, version: str) -> None:
        assert parse_event(pdu_of(version), version, event_id="$known").event_id == "$event:example.org"

    @every_version
    def test_the_target_of_a_redaction_is_where_the_version_keeps_it(self, version: str) -> None:
        pdu = pdu_of(version, type="m.room.redaction", redacts="$top", content={"redacts": "$content"})
        expected = "$content" if version in ("11", "12") else "$top"
        assert parse_event(pdu, version).redacts == expected
        for target in (5, None, ["$a"], ABSENT):
            content = {} if target is ABSENT else {"redacts": target}
            odd = pdu_of(version, type="m.room.redaction", redacts=target, content=content)
            assert parse_event(odd, version).redacts is None
        only_top = pdu_of(version, type="m.room.redaction", redacts="$top")
        assert parse_event(only_top, version).redacts == (None if version in ("11", "12") else "$top")
        message = pdu_of(version, redacts="$top", content={"redacts": "$content"})
        assert parse_event(message, version).redacts is None

    def test_the_version_may_be_a_name_or_a_record(self) -> None:
        pdu = pdu_of("11")
        assert parse_event(pdu, "11").event_id == parse_event(pdu, get_room_version("11")).event_id
        with pytest.raises(UnknownRoomVersion):
            parse_event(pdu, "13")


class TestVersion12Create:
    def test_the_room_id_is_the_event_id_with_another_sigil(self) -> None:
        pdu = create_12()
        event = parse_event(pdu, "12")
        assert event.room_id == "!" + event.event_id[1:] == event.room_id
        assert event.event_id == reference.event_id(pdu, "12")

    def test_the_derived_room_id_never_reaches_the_pdu_or_a_hash(self) -> None:
        pdu = create_12()
        before = copy.deepcopy(pdu)
        event = parse_event(pdu, "12")
        assert event.room_id.startswith("!")
        assert event.pdu == before
        assert parse_event(event.pdu, "12").event_id == event.event_id
        assert pickle.loads(pickle.dumps(event)).room_id == event.room_id

    @pytest.mark.parametrize("room_id", [ROOM_12, "!room:example.org", "", None, 5])
    def test_it_must_not_carry_one(self, room_id: Any) -> None:
        assert defects(create_12(room_id=room_id), "12") == ["room_id"]

    def test_a_create_event_with_another_state_key_needs_one_by_format(self) -> None:
        assert defects(create_12(state_key="x"), "12") == ["room_id"]
        assert defects(create_12(state_key=ABSENT), "12") == ["room_id"]
        assert defects(create_12(state_key="x", room_id=ROOM_12), "12") == []

    @pytest.mark.parametrize("version", VERSIONS[:11])
    def test_in_earlier_versions_it_must(self, version: str) -> None:
        pdu = pdu_of(version, type="m.room.create", state_key="")
        assert defects(pdu, version) == []
        assert defects(pdu | {"room_id": ROOM_12}, version) == ["room_id"]


class TestReadOnly:
    @pytest.mark.parametrize("name", ["content", "event_id", "_event_id", "depth", "anything"])
    def test_an_event_cannot_be_changed(self, name: str) -> None:
        event = parse_event(pdu_of("11"), "11")
        with pytest.raises(AttributeError, match="read-only"):
            setattr(event, name, 1)
        with pytest.raises(AttributeError, match="read-only"):
            delattr(event, name)

    def test_only_parse_event_makes_an_event(self) -> None:
        with pytest.raises(TypeError, match="parse_event"):
            Event()

    def test_an_event_has_no_dictionary(self) -> None:
        assert not hasattr(parse_event(pdu_of("11"), "11"), "__dict__")

    @given(versions_and_pdus, st.booleans())
    def test_an_event_survives_pickling_and_copying(self, drawn: tuple[str, JsonObject], known: bool) -> None:
        version, pdu = drawn
        event = parse_event(pdu, version, event_id="$known" if known else None)
        for again in (pickle.loads(pickle.dumps(event)), copy.copy(event), copy.deepcopy(event)):
            assert type(again) is Event
            assert again.pdu == pdu
            assert again.room_version is event.room_version
            for name in (
                "event_id",
                "room_id",
                "type",
                "sender",
                "state_key",
                "content",
                "origin_server_ts",
                "depth",
                "prev_event_ids",
                "auth_event_ids",
                "auth_parents",
                "redacts",
                "hashes",
                "signatures",
            ):
                assert getattr(again, name) == getattr(event, name)
        assert copy.deepcopy(event).pdu is not pdu

    @given(versions_and_pdus)
    def test_events_are_equal_by_event_id_and_room_version(self, drawn: tuple[str, JsonObject]) -> None:
        version, pdu = drawn
        event = parse_event(pdu, version)
        for again in (pickle.loads(pickle.dumps(event)), parse_event(copy.deepcopy(pdu), version)):
            assert again == event
            assert hash(again) == hash(event)
            assert {event: 1}[again] == 1
        if event.type != "m.room.create":  # in version 12 redaction takes its room ID, if it has one
            assert parse_event(redact(event), version) == event
        changed = {**pdu, "depth": 5 if pdu["depth"] != 5 else 6}
        same_id = version in ("1", "2")
        assert (parse_event(changed, version) == event) is same_id
        assert event != event.event_id
        assert event != pdu

    def test_events_of_two_room_versions_differ(self) -> None:
        one, other = (parse_event(pdu_of("6"), version, event_id="$x") for version in ("6", "7"))
        assert one.event_id == other.event_id
        assert one != other

    def test_what_is_remembered_with_an_event_is_not_copied(self) -> None:
        event = parse_event(pdu_of("11"), "11")
        remember(event, "a derived value")
        assert event._memo == "a derived value"
        assert copy.copy(event)._memo is None

    @given(versions_and_pdus)
    def test_parsing_and_reading_change_nothing(self, drawn: tuple[str, JsonObject]) -> None:
        version, pdu = drawn
        before = copy.deepcopy(pdu)
        event = parse_event(pdu, version)
        repr((event, event.event_id, event.room_id, event.signatures))
        event.signatures.get("x")
        assert pdu == before


class TestRepr:
    def test_it_identifies_the_event_in_one_line(self) -> None:
        event = parse_event(pdu_of("1", state_key="", type="a\nb"), "1")
        assert repr(event) == ('<Event $event:example.org v1 "a\\nb" state_key="" by "@alice:example.org">')
        message = parse_event(pdu_of("11"), "11", event_id="$x")
        assert repr(message) == '<Event $x v11 "m.room.message" by "@alice:example.org">'

    @given(versions_and_pdus)
    def test_it_is_always_short(self, drawn: tuple[str, JsonObject]) -> None:
        version, pdu = drawn
        assert len(repr(parse_event(pdu, version))) < 700


class TestText:
    @every_version
    def test_a_pdu_may_be_text_or_utf_8(self, version: str) -> None:
        pdu = pdu_of(version, content={"body": "é"})
        for text in (json.dumps(pdu), json.dumps(pdu, ensure_ascii=False).encode()):
            assert parse_event(text, version).pdu == pdu

    @pytest.mark.parametrize("text", ["", "{", b"\xff", "\ufeff{}", "[" * 100_000])
    def test_text_that_is_not_json_is_malformed(self, text: str | bytes) -> None:
        with pytest.raises(MalformedEvent) as caught:
            parse_event(text, "11")
        (defect,) = caught.value.defects
        assert (defect.path, defect.expected) == ("", "JSON")

    @pytest.mark.parametrize("value", ["[]", "5", "null", b'"a"', None, [], 5, OddList(), bytearray(b"{}")])
    def test_a_value_that_is_not_an_object_is_malformed(self, value: Any) -> None:
        with pytest.raises(MalformedEvent) as caught:
            parse_event(value, "11")
        (defect,) = caught.value.defects
        assert (defect.path, defect.expected) == ("", "a JSON object")

    @pytest.mark.parametrize("mapping", [MappingProxyType, OrderedDict, ChainMap, UserDict, OddDict])
    def test_any_mapping_is_read_as_the_dict_it_copies_to(self, mapping: Any) -> None:
        pdu = pdu_of("11")
        event = parse_event(mapping(pdu), "11")
        assert type(event.pdu) is dict
        assert event.pdu == pdu
        assert event == parse_event(pdu, "11")
        assert redact(mapping(pdu), "11") == redact(pdu, "11")
        # Only the PDU itself: the values in it are of JSON's types.
        with pytest.raises(MalformedEvent, match="not a JSON value"):
            parse_event({**pdu, "content": mapping({})}, "11")

    @pytest.mark.parametrize("value", [[], None, 5, "{}"])
    def test_the_checker_alone_says_the_same(self, value: Any) -> None:
        (defect,) = find_defects(value, get_room_version("11"))
        assert (defect.path, defect.expected) == ("", "a JSON object")

    def test_of_a_repeated_key_the_last_counts_unless_refused(self) -> None:
        text = json.dumps(pdu_of("11"))[:-1] + ', "depth": 7}'
        assert parse_event(text, "11").depth == 7
        with pytest.raises(MalformedEvent, match="the key occurs twice"):
            parse_event(text, "11", unique_keys=True)
        with pytest.raises(MalformedEvent, match="the key occurs twice"):
            parse_event('{"a": {"b": 1, "b": 1}}', "11", unique_keys=True)


def ends_in_an_event_or_malformed(pdu: Any, version: str) -> None:
    try:
        event = parse_event(pdu, version)
    except MalformedEvent as error:
        str(error).encode()  # the message can be printed
        return
    assert isinstance(event, Event)
    assert event.event_id.startswith("$")
    assert event.room_id.startswith("!")
    repr(event).encode()


@hostile
@given(versions, st.integers(0, 2**64))
def test_any_mutated_event_ends_in_an_event_or_malformed_event(version: str, seed: int) -> None:
    rng = Random(seed)
    pdu = generator.mutate(rng, generator.pdu(rng, version))
    ends_in_an_event_or_malformed(pdu, version)
    ends_in_an_event_or_malformed(as_text(pdu), version)


@given(versions.flatmap(lambda v: st.tuples(st.just(v), pdus(v).flatmap(mutated))))
def test_so_does_any_mutated_event_that_can_be_shrunk(drawn: tuple[str, JsonObject]) -> None:
    version, pdu = drawn
    ends_in_an_event_or_malformed(pdu, version)


_TOP_LEVEL = [*pdu_of("1"), "state_key", "unsigned", "signatures"]


@hostile
@given(versions, st.integers(0, 2**64))
def test_any_json_value_ends_in_an_event_or_malformed_event(version: str, seed: int) -> None:
    rng = Random(seed)
    value: Any = generator.hostile_value(rng)
    if rng.random() < 0.9:
        names = rng.sample(_TOP_LEVEL, rng.randrange(len(_TOP_LEVEL) + 1))
        value = {name: generator.hostile_value(rng) for name in names}
    ends_in_an_event_or_malformed(value, version)
    ends_in_an_event_or_malformed(as_text(value), version)
    ends_in_an_event_or_malformed(as_text(value).encode(), version)


@often
@given(hostile_json | st.dictionaries(st.sampled_from(_TOP_LEVEL), hostile_json, max_size=12), versions)
def test_so_does_any_that_can_be_shrunk(value: Any, version: str) -> None:
    ends_in_an_event_or_malformed(value, version)


@hostile
@given(st.text(max_size=60) | st.binary(max_size=60), versions)
def test_any_text_ends_in_an_event_or_malformed_event(text: str | bytes, version: str) -> None:
    ends_in_an_event_or_malformed(text, version)


# Many defects


@pytest.mark.parametrize("version", ["1", "11"])
@pytest.mark.parametrize(
    ("name", "bad", "rest"),
    [
        ("prev_events", lambda count: [0] * count, "prev_events: expected at each place "),
        ("auth_events", lambda count: [[]] * count, "auth_events: expected at each place "),
        ("signatures", lambda count: {str(n): 0 for n in range(count)}, "signatures: expected objects of"),
        ("signatures", lambda count: {"a": {str(n): 0 for n in range(count)}}, "signatures: expected objec"),
    ],
)
def test_of_many_bad_entries_a_few_are_described_and_the_others_are_counted(
    version: str, name: str, bad: Any, rest: str
) -> None:
    record = get_room_version(version)
    for count in (1, 10, 11, 5000, 400_000):
        defects = [d for d in find_defects({name: bad(count)}, record) if d.path.startswith(name)]
        defects = [d for d in defects if "at most" not in d.expected]
        assert len(defects) == min(count, 11)
        assert (defects[-1].found == f"{count - 10} more that are not") == (count > 10)
        assert str(defects[-1]).startswith(rest) == (count > 10)
    # With all of them bad, an error is still short.
    every = {key: [0] * 10**5 for key in ("prev_events", "auth_events")}
    with pytest.raises(MalformedEvent) as caught:
        parse_event({**every, "signatures": {str(n): 0 for n in range(10**5)}}, version)
    assert len(str(caught.value)) < 10_000
    assert len(caught.value.defects) < 50


def test_a_pdu_that_is_far_too_large_is_measured_without_encoding_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> bytes:
        raise AssertionError

    record = get_room_version("11")
    large = {"content": {"a": "x" * 65536}}
    assert str(find_defects(large, record)[0]).endswith(" found 65556 bytes")
    monkeypatch.setattr("roomver.event_format.encode_scanned", refused)
    values: list[list[Any]] = [[0] * 10**6, ["x" * 10**6], [0.5] * 10**6, [[]] * 10**6]
    for value in values:
        many = {"a": value}
        found = str(find_defects(many, get_room_version("5"))[0])
        least = re.search("found more than ([0-9]+) bytes", found)
        assert least is not None
        assert MAX_EVENT_BYTES < int(least[1]) < len(encode_canonical(many, strict=False))
