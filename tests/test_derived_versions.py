"""Room versions that a user defines: what is refused, how records are kept, and what takes them."""

import copy
import gc
import json
import multiprocessing
import pickle
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from builder import ALICE, BOB, Room, key_of
from strategies import UNSTABLE_VERSIONS, VERSIONS

import roomver
from roomver import (
    KeyRing,
    RoomGraph,
    RoomVersion,
    UnknownRoomVersion,
    WrongRoom,
    check_auth,
    check_event,
    check_events,
    check_room,
    check_state_independent,
    compute_event_id,
    get_room_version,
    parse_event,
    redact,
    replay_room,
    resolve,
    sign_event,
    verify_signatures,
)
from roomver.entry import Entry, Place
from roomver.errors import BadRoomVersion
from roomver.rules import RULES, list_rules
from roomver.state import entries_of
from roomver.versions import (
    FIELDS,
    EventIdForm,
    RoomIdForm,
    StateResolution,
    list_changes,
    lookup,
    version_named,
)
from roomver.versions.checks import KEPT_ALWAYS, KINDS

X = "org.example.x"


def derive(base: str = "12", **changes: object) -> RoomVersion:
    return RoomVersion.derive(X, base=base, **changes)


# Defining one


def test_a_derived_version_is_its_base_with_the_changes() -> None:
    version = derive("11", knock=False, knock_restricted=False)
    base = get_room_version("11")
    changed = {"identifier", "based_on", "knock", "knock_restricted"}
    assert {name for name in FIELDS if getattr(version, name) != getattr(base, name)} == changed
    assert (version.identifier, version.based_on, str(version)) == (X, "11", X)


def test_a_base_may_be_a_record_or_an_unstable_version() -> None:
    first = derive("org.matrix.msc3757.11", key_validity_enforced=False)
    second = RoomVersion.derive("org.example.y", first, max_depth=2**32 - 1)
    assert (second.based_on, second.owned_state_keys, second.key_validity_enforced) == (X, True, False)


def test_forms_and_sets_may_be_texts_and_lists() -> None:
    version = derive(
        "10",
        event_id_form="hash",
        state_resolution="v2.1",
        redaction_keeps=[*KEPT_ALWAYS, "origin"],
        redaction_keeps_all_content=("org.example.kept",),
    )
    assert version.event_id_form is EventIdForm.HASH
    assert version.state_resolution is StateResolution.V2_1
    assert version.redaction_keeps == KEPT_ALWAYS | {"origin"}
    assert version == derive("10", **{**_as_values(version), "event_id_form": EventIdForm.HASH})
    assert derive("12", room_id_form="create_hash").room_id_form is RoomIdForm.CREATE_HASH


def _as_values(version: RoomVersion) -> dict[str, object]:
    return {name: getattr(version, name) for name in FIELDS if name not in ("identifier", "based_on")}


def test_of_what_redaction_keeps_only_the_named_types_change() -> None:
    base = get_room_version("12").redaction_keeps_content
    version = derive(redaction_keeps_content={"m.room.redaction": [], "org.example.a": {"x", "y"}})
    expected = {kind: keys for kind, keys in base.items() if kind != "m.room.redaction"}
    assert version.redaction_keeps_content == {**expected, "org.example.a": frozenset({"x", "y"})}
    with pytest.raises(TypeError):
        version.redaction_keeps_content["x"] = frozenset()  # type: ignore[index]


@pytest.mark.parametrize("base", [*VERSIONS, *UNSTABLE_VERSIONS])
def test_the_changes_that_are_listed_make_the_same_version(base: str) -> None:
    changes: Mapping[str, Any] = {
        "max_state_key_bytes": 300,
        "redaction_keeps_content": {"m.room.member": [], "org.example.a": ["x"]},
        "state_resolution": "v2.1",
        "page_url": "https://example.org/rooms/x/",
    }
    version = derive(base, **changes)
    assert RoomVersion.derive(X, base, **list_changes(version)) is version
    assert list_changes(get_room_version("org.matrix.msc2870")) == {
        "redaction_keeps_content": {"m.room.server_acl": ["allow", "allow_ip_literals", "deny"]}
    }
    assert list_changes(derive()) == {}
    forms = {"event_id_form": "hash", "redaction_keeps": sorted({*KEPT_ALWAYS, "origin"})}
    assert json.loads(json.dumps(list_changes(derive("11", **forms)))) == forms
    # Without its base, all fields are listed.
    other = RoomVersion.derive("org.example.y", version)
    changes = list_changes(other)
    assert changes.keys() == set(FIELDS) - {"identifier", "based_on"}
    again = RoomVersion.derive("org.example.y", base, **changes)
    assert again.redaction_keeps_content == other.redaction_keeps_content


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"knok": True}, '"knok" is not a field; did you mean knock?'),
        ({"zzz": True}, '"zzz" is not a field'),
        # `based_on` is not a field that can change, so it is not suggested.
        ({"base_on": True}, '"base_on" is not a field'),
        ({"identifier": "org.y"}, '"identifier" is not a field'),
        ({"based_on": "11"}, '"based_on" is not a field'),
        ({"knock": 1}, "knock: expected true or false, found 1"),
        ({"knock": "yes"}, 'knock: expected true or false, found "yes"'),
        ({"knock": None}, "knock: expected true or false, found null"),
        ({"rule_list": "13"}, 'rule_list: expected one of 1, 3, 6, 7, 8, 10, 11, 12, found "13"'),
        ({"rule_list": 12}, "rule_list: expected one of 1, 3, 6, 7, 8, 10, 11, 12, found 12"),
        (
            {"event_id_form": "uuid"},
            'event_id_form: expected one of chosen, hash, urlsafe_hash, found "uuid"',
        ),
        ({"room_id_form": True}, "room_id_form: expected one of domain, create_hash, found true"),
        (
            {"room_id_form": EventIdForm.HASH},
            "room_id_form: expected one of domain, create_hash, found a Python",
        ),
        ({"state_resolution": "v3"}, 'state_resolution: expected one of v1, v2, v2.1, found "v3"'),
        ({"max_depth": 1000}, "max_depth: expected 2^n - 1, with n from 1 to 63, found 1000"),
        ({"max_depth": 0}, "max_depth: expected 2^n - 1, with n from 1 to 63, found 0"),
        ({"max_depth": 2**64 - 1}, "max_depth: expected 2^n - 1, with n from 1 to 63"),
        ({"max_depth": True}, "max_depth: expected 2^n - 1, with n from 1 to 63, found true"),
        (
            {"max_state_key_bytes": 254},
            "max_state_key_bytes: expected an integer from 255 to 65536, found 254",
        ),
        ({"max_state_key_bytes": 65537}, "max_state_key_bytes: expected an integer from 255 to 65536"),
        ({"page_url": "example.org"}, 'page_url: expected an http or https address, found "example.org"'),
        ({"page_url": "https://a b"}, "page_url: expected an http or https address"),
        ({"redaction_keeps": "type"}, 'redaction_keeps: expected an array of strings, found "type"'),
        ({"redaction_keeps": ["type", 5]}, "redaction_keeps: expected an array of strings, found an array"),
        ({"redaction_keeps_all_content": 5}, "redaction_keeps_all_content: expected an array of strings"),
        (
            {"redaction_keeps_content": ["a"]},
            "redaction_keeps_content: expected arrays of strings by event type",
        ),
        ({"redaction_keeps_content": {"m.a": "a"}}, "redaction_keeps_content: expected arrays of strings"),
        (
            {"redaction_keeps_content": {"m": {"a": ["a"]}}},
            "redaction_keeps_content: expected arrays of strings",
        ),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(BadRoomVersion) as caught:
        derive("12", **changes)
    assert caught.value.version == X
    (found,) = caught.value.reasons
    assert found.startswith(reason)
    assert ("did you mean" in found) is ("did you mean" in reason)


@pytest.mark.parametrize("identifier", ["", "A", "x" * 33, "a_b", "a b", "a\n", "é", 5, None, ["x"]])
def test_an_identifier_must_follow_the_grammar(identifier: Any) -> None:
    with pytest.raises(BadRoomVersion, match="identifier: expected 1 to 32 of the characters"):
        RoomVersion.derive(identifier, "12")


@pytest.mark.parametrize("identifier", ["13", "x" * 32, "0", "org.example-2.x"])
def test_an_identifier_that_follows_the_grammar_is_accepted(identifier: str) -> None:
    assert RoomVersion.derive(identifier, "12").identifier == identifier


@pytest.mark.parametrize("identifier", [*VERSIONS, *UNSTABLE_VERSIONS])
def test_an_identifier_that_roomver_has_is_refused(identifier: str) -> None:
    with pytest.raises(BadRoomVersion, match="choose another name"):
        RoomVersion.derive(identifier, "12")


@pytest.mark.parametrize("base", ["13", "", 12, None])
def test_a_base_must_exist(base: Any) -> None:
    with pytest.raises(UnknownRoomVersion):
        RoomVersion.derive(X, base)


# For each contradiction: a base, the changes that make it, and the words that name it. A second change each
# time removes it again.
CONTRADICTIONS: list[tuple[str, dict[str, object], str, dict[str, object]]] = [
    (
        "3",
        {"event_id_server_signs": True},
        "event_id_server_signs needs event_id_form",
        {"event_id_form": "chosen"},
    ),
    ("3", {"redaction_rule": True}, "redaction_rule needs event_id_form chosen", {"event_id_form": "chosen"}),
    (
        "12",
        {"event_id_form": "chosen"},
        "create_hash excludes event_id_form chosen",
        {"room_id_form": "domain", "create_in_auth_events": True},
    ),
    ("12", {"create_in_auth_events": True}, "create_hash needs create_in_auth", {"room_id_form": "domain"}),
    ("11", {"create_in_auth_events": False}, "domain needs create_in_auth", {"room_id_form": "create_hash"}),
    ("6", {"max_depth": 2**54 - 1}, "needs strict_canonical_json false", {"strict_canonical_json": False}),
    (
        "6",
        {"float_power_levels": True},
        "needs strict_canonical_json false",
        {"strict_canonical_json": False},
    ),
    (
        "10",
        {"string_power_levels": True},
        "power_level_types_checked excludes string_power_levels",
        {"power_level_types_checked": False},
    ),
    (
        "10",
        {"float_power_levels": True, "strict_canonical_json": False},
        "power_level_types_checked excludes float_power_levels",
        {"power_level_types_checked": False},
    ),
    (
        "10",
        {"notification_levels_checked": False},
        "power_level_types_checked needs notification_levels_checked",
        {"power_level_types_checked": False},
    ),
    ("7", {"authorising_server_signs": True}, "needs restricted_joins", {"restricted_joins": True}),
    ("7", {"restricted_joins": True}, "needs authorising_server_signs", {"authorising_server_signs": True}),
    (
        "7",
        {"knock_restricted": True},
        "knock_restricted needs restricted_joins",
        {"restricted_joins": True, "authorising_server_signs": True},
    ),
    ("10", {"knock": False}, "knock_restricted needs knock", {"knock_restricted": False}),
    ("11", {"additional_creators": True}, "needs infinite_creator_level", {"infinite_creator_level": True}),
    (
        "11",
        {"redaction_keeps": KEPT_ALWAYS - {"auth_events", "hashes"}},
        "redaction_keeps lacks auth_events, hashes",
        {"redaction_keeps": KEPT_ALWAYS},
    ),
    (
        "11",
        {"redaction_keeps_content": {"m.room.create": ["x"]}},
        'redaction_keeps_content names "m.room.create"',
        {"redaction_keeps_all_content": []},
    ),
    (
        "12",
        {"redaction_keeps_all_content": []},
        "to keep room_version of m.room.create",
        {"redaction_keeps_content": {"m.room.create": ["room_version"]}},
    ),
]


@pytest.mark.parametrize(("base", "changes", "reason", "cure"), CONTRADICTIONS)
def test_fields_that_contradict_each_other_are_refused(
    base: str, changes: dict[str, object], reason: str, cure: dict[str, object]
) -> None:
    with pytest.raises(BadRoomVersion) as caught:
        derive(base, **changes)
    (found,) = caught.value.reasons
    assert reason in found
    # The reason names the fields by which a user can mend it.
    assert any(name in found for name in cure)
    assert derive(base, **{**changes, **cure}).based_on == base


def test_a_record_is_checked_however_it_is_made() -> None:
    with pytest.raises(BadRoomVersion):
        replace(get_room_version("12"), identifier=X, knock=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="room_id_form domain needs create_in_auth_events"):
        replace(get_room_version("12"), identifier=X, room_id_form=RoomIdForm.DOMAIN)


def test_every_field_has_a_check() -> None:
    switches = {name for name in FIELDS if type(getattr(get_room_version("1"), name)) is bool}
    assert switches | set(KINDS) == set(FIELDS)
    assert not switches & set(KINDS)


# One object per value


def test_equal_definitions_are_one_object() -> None:
    assert derive(knock=True) is derive()
    assert derive() is not derive(key_validity_enforced=False)
    assert derive() != derive(key_validity_enforced=False)
    assert derive() != X


def test_a_record_is_pickled_and_copied_by_its_value() -> None:
    version = derive(redaction_keeps_content={"org.example.a": ["x"]})
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(version, protocol)) is version
    assert copy.copy(version) is version
    assert copy.deepcopy([version])[0] is version
    made = replace(version, knock=version.knock)
    assert made is not version
    assert (made == version, hash(made) == hash(version)) == (True, True)


def test_a_record_that_nobody_uses_is_not_kept() -> None:
    text = pickle.dumps(derive(max_depth=2**17 - 1))
    gc.collect()
    assert all(one.max_depth != 2**17 - 1 for one in lookup._MADE.values())
    assert pickle.loads(text).max_depth == 2**17 - 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_events_that_were_pickled_one_by_one_are_of_one_room(protocol: int) -> None:
    version = derive(owned_state_keys=True)
    room = _room(version)
    events = {i: pickle.loads(pickle.dumps(event, protocol)) for i, event in room.events.items()}
    assert {id(event.room_version) for event in events.values()} == {id(version)}
    assert all(check_auth(event, None, events).allowed for event in events.values())


def test_records_that_are_equal_but_not_the_same_are_of_one_room() -> None:
    version = derive()
    room = _room(version)
    other = replace(version)
    assert other is not version
    events = {
        event_id: parse_event(event.pdu, other if number % 2 else version, event_id=event_id)
        for number, (event_id, event) in enumerate(room.events.items())
    }
    assert all(check_auth(event, None, events).allowed for event in events.values())
    assert RoomGraph(events.values()) is not None
    assert redact(room.create, other) == redact(room.create)
    assert list(events.values()) == list(room.events.values())


def test_a_process_pool_takes_events_of_a_derived_version() -> None:
    room = _room(derive(owned_state_keys=True, max_state_key_bytes=511))
    event = room.add("m.room.topic", ALICE, {}, state_key=f"{ALICE}_x")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        verdict = pool.submit(check_auth, event, None, room.events).result(60)
    assert verdict == check_auth(event, None, room.events)
    assert verdict.allowed


# Rules


def _room(version: RoomVersion) -> Room:
    room = Room(version)
    room.join(ALICE)
    users = {} if version.infinite_creator_level else {ALICE: 100}
    room.power({"users": users})
    room.join_rule("public")
    room.join(BOB)
    return room


def test_rule_1_3_recognises_the_version_that_was_passed_in_and_no_other() -> None:
    version, other = derive(), RoomVersion.derive("org.example.y", "12")
    room = Room(version)
    assert check_auth(room.create, None, {}).allowed
    # The versions that roomver has are recognised in every room, as the rule says.
    for named in ("11", "org.matrix.msc2870"):
        assert check_auth(Room(version, content={"room_version": named}).create, None, {}).allowed
    for record in (other, get_room_version("12")):
        event = parse_event(room.create.pdu, record)
        verdict = check_state_independent(event, {})
        assert verdict is not None
        assert (verdict.allowed, verdict.number, verdict.rule.name) == (False, "1.3", "create.room_version")
        assert verdict.detail == {"room_version": f'"{X}"'}


@pytest.mark.parametrize("named", [X, "11", "org.matrix.msc2870"])
def test_a_create_event_that_names_another_version_makes_no_room_of_this_one(named: str) -> None:
    version = derive()
    room = Room(version, content={"room_version": named})
    room.join(ALICE)
    join = list(room.events.values())[-1]
    verdict = check_auth(join, None, room.events)
    assert verdict.allowed is (named == X)
    if named != X:
        assert verdict.rule.name == "room_id.of_create"
        with pytest.raises(WrongRoom, match=f"makes a room of version {named}"):
            replay_room(room.events.values())


def test_an_input_may_name_the_version_that_was_passed_in_with_it() -> None:
    version = derive()
    assert version_named(X, version) is version
    assert version_named("11", version) is version_named("11", None) is get_room_version("11")
    for given in (None, RoomVersion.derive("org.example.y", "12")):
        with pytest.raises(UnknownRoomVersion):
            version_named(X, given)
    with pytest.raises(UnknownRoomVersion):
        version_named(11, version)


def test_nothing_finds_a_derived_version_by_its_identifier() -> None:
    derived = derive()
    with pytest.raises(UnknownRoomVersion):
        get_room_version(derived.identifier)
    with pytest.raises(UnknownRoomVersion):
        check_event(Room(derived).create.pdu, X)


def test_a_verdict_cites_the_page_of_the_version() -> None:
    version = derive("11", page_url="https://example.org/rooms/x/")
    verdict = check_auth(Room(version).create, None, {})
    assert verdict.url == "https://example.org/rooms/x/#authorisation-rules"
    assert str(verdict) == f"{X} rule 1.4 (create.allowed): the create event breaks no rule on create events"
    assert verdict.to_dict()["room_version"] == X
    # By default the page is that of the base, whose numbers the rules have.
    inherited = check_auth(Room(derive("11")).create, None, {})
    assert inherited.url == "https://spec.matrix.org/latest/rooms/v11/#authorisation-rules"


def test_a_rule_that_the_list_does_not_have_is_cited_by_its_name() -> None:
    version = derive("11", infinite_creator_level=True)
    room = Room(version)
    room.join(ALICE)
    event = room.power({"users": {ALICE: 100}})
    verdict = check_auth(event, None, room.events)
    assert (verdict.allowed, verdict.number) == (False, None)
    assert str(verdict).startswith(f"{X} rule power_levels.creator_listed: users names a creator")
    assert verdict.to_dict()["rule"] is None


def test_a_version_has_the_rules_of_its_fields() -> None:
    def names(version: RoomVersion) -> set[str]:
        return {rule.name for rule in list_rules(version)}

    without = names(get_room_version("11")) - names(derive("11", knock=False, knock_restricted=False))
    assert without == {name for name in RULES if name.startswith("member.knock.")}
    assert names(derive("11")) == names(get_room_version("11"))
    with_aliases = names(derive("11", aliases_rule=True)) - names(get_room_version("11"))
    assert with_aliases == {name for name in RULES if name.startswith("aliases.")}


@pytest.mark.parametrize("identifier", VERSIONS)
def test_a_stable_version_has_the_rules_of_its_list(identifier: str) -> None:
    version = get_room_version(identifier)
    by_fields = {rule.name for rule in RULES.values() if rule.applies(version) and not rule.url}
    assert by_fields == {rule.name for rule in RULES.values() if version.rule_list in rule.numbers} - {
        rule.name for rule in RULES.values() if rule.url
    }


# Everything takes one

BASES = [*VERSIONS, *UNSTABLE_VERSIONS]


@pytest.mark.parametrize("base", BASES)
def test_a_room_of_a_derived_version_is_like_one_of_its_base(base: str) -> None:
    def seen(version: RoomVersion) -> list[Any]:
        room = _room(version)
        room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
        room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
        replayed = replay_room(room.events.values())
        states = [entries_of(replayed.state_before(event_id) or {}) for event_id in room.events]
        merged = resolve(states[-2:], room.events, graph=RoomGraph(room.events.values()))
        place = {event_id: number for number, event_id in enumerate(room.events)}
        keys = KeyRing.of(
            {name: {"ed25519:1": key_of(name).verify_key} for name in ("a.example", "b.example")}
        )
        found = check_room(
            (Entry(Place(n, ""), e.event_id, e.pdu) for n, e in enumerate(room.events.values())), version
        )
        raw = [event.pdu for event in room.events.values()]
        assert [compute_event_id(pdu, version) for pdu in raw] == list(room.events)
        assert [
            check.event.event_id for check in check_events(((p, None) for p in raw), version) if check.event
        ] == list(room.events)
        return [
            [outcome.status.value for outcome in replayed.outcomes.values()],
            [
                verdict.rule.name
                for verdict in (check_auth(e, None, room.events) for e in room.events.values())
            ],
            {key: place[event_id] for key, event_id in merged.state.items()},
            [verify_signatures(pdu, keys, version).valid for pdu in raw],
            [redact(pdu, version)["content"] for pdu in raw[1:]],
            [sorted(sign_event(pdu, version, "c.example", key_of("c.example"))["signatures"]) for pdu in raw],  # type: ignore[arg-type]
            [found.replay.outcomes[event_id].status.value for event_id in room.events],
            len(found.gathered.events),
        ]

    ours, theirs = seen(derive(base)), seen(get_room_version(base))
    assert ours == theirs
    assert set(ours[3]) == {True}
    assert ours[0][-2:] == ["accepted", "rejected by its auth events"]


def test_the_error_is_a_roomver_error_and_a_value_error() -> None:
    with pytest.raises(roomver.RoomverError):
        derive(x=1)
    with pytest.raises(ValueError, match="is not a field"):
        derive(x=1)
