"""The authorisation rule on changes of power levels. Tests are named after the specification's sentences."""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Content, Room, allows, refuses, versions_from

from roomver import MalformedEvent, Verdict, rules
from roomver.power import DEFAULTS
from roomver.rules import Rule

NAMED = sorted(DEFAULTS)


def change(version: str, old: Content | None, new: Content, sender: str = BOB, **options: Any) -> Verdict:
    """Check new power levels by a sender who is in the room. Sending them takes level 0."""
    additional = {"additional_creators": [DAVE]} if version == "12" else {}
    content: Content = {"room_version": version, "creator": ALICE, **additional}
    room = Room(version, content=content, signed=False)
    room.join(ALICE)
    if old is not None:
        events = old.get("events", {})
        if type(events) is dict:
            old = {**old, "events": {"m.room.power_levels": 0, **events}}
            if type(new.get("events", {})) is dict:
                new = {**new, "events": {"m.room.power_levels": 0, **new.get("events", {})}}
        room.power(old)
    room.take(room.make_member(sender, "join", auth=[]))
    return room.against_state(room.make_power(new, sender, **options))


def first(version: str, content: Content, **options: Any) -> Verdict:
    return change(version, None, content, ALICE, **options)


# The form of the event


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("users", [None, [], "x", 5, True, [BOB]])
def test_if_the_users_property_is_not_an_object_reject(version: str, users: Any) -> None:
    refuses(first(version, {"users": users}), rules.POWER_LEVELS_USERS)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "user",
    [
        "foo",
        "@foo",
        "foo:b.example",
        "",
        "@",
        "@a:",
        "@a:b c",
        "@a\0:b",
        "@a:b\n",
        "@a:[x]",
        "@" + "a" * 255 + ":b",
    ],
)
def test_if_users_has_keys_that_are_not_valid_user_ids_reject(version: str, user: str) -> None:
    refuses(first(version, {"users": {user: 1}}), rules.POWER_LEVELS_USERS)
    refuses(first(version, {"users": {BOB: 1, user: 1}}), rules.POWER_LEVELS_USERS)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("user", ["@:b.example", "@\u00fc b:b.example", "@A/B=C:b.example:80", "@a:[::1]"])
def test_users_may_have_keys_of_the_historical_grammar(version: str, user: str) -> None:
    allows(first(version, {"users": {user: 1}}), rules.POWER_LEVELS_FIRST)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "value", [None, True, False, [], {}, "", "abc", "50.5", "1_000", "\u0663", "0x10", [1]]
)
def test_if_users_has_values_that_are_no_integers_reject(version: str, value: Any) -> None:
    refuses(first(version, {"users": {BOB: value}}), rules.POWER_LEVELS_USERS)


@pytest.mark.parametrize("version", VERSIONS)
def test_users_need_not_be_there(version: str) -> None:
    allows(first(version, {}), rules.POWER_LEVELS_FIRST)
    allows(first(version, {"users": {}, "events": {}, "notifications": {}}), rules.POWER_LEVELS_FIRST)


@pytest.mark.parametrize("version", versions_from(1, 9))
@pytest.mark.parametrize("value", ["50", " +050 ", "-5", "000100", "\t7\n"])
def test_up_to_version_9_a_string_that_is_an_integer_is_a_level(version: str, value: str) -> None:
    for content in ({"users": {BOB: value}}, {"ban": value}, {"events": {"m.x": value}}):
        allows(first(version, content), rules.POWER_LEVELS_FIRST)


@pytest.mark.parametrize("version", versions_from(10))
def test_from_version_10_on_a_string_is_not_a_level(version: str) -> None:
    refuses(first(version, {"users": {BOB: "50"}}), rules.POWER_LEVELS_USERS)
    refuses(first(version, {"ban": "50"}), rules.POWER_LEVELS_NOT_INTEGER)
    refuses(first(version, {"events": {"m.x": "50"}}), rules.POWER_LEVELS_MAP_NOT_INTEGERS)


@pytest.mark.parametrize("version", versions_from(1, 5))
@pytest.mark.parametrize("value", [50.57, 50.0, -0.9, 1e300])
def test_up_to_version_5_a_float_is_a_level(version: str, value: float) -> None:
    # Clarified in 1.18 (#2297).
    for content in ({"users": {BOB: value}}, {"ban": value}, {"events": {"m.x": value}}):
        allows(first(version, content), rules.POWER_LEVELS_FIRST)


@pytest.mark.parametrize("version", versions_from(6))
def test_from_version_6_on_an_event_with_a_float_is_malformed(version: str) -> None:
    with pytest.raises(MalformedEvent) as caught:
        first(version, {"users": {BOB: 50.0}})
    assert [defect.path for defect in caught.value.defects] == [f'content.users["{BOB}"]']


@pytest.mark.parametrize("version", versions_from(10))
@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("value", [None, True, "50", "x", [], {}])
def test_if_any_of_the_seven_properties_is_present_and_not_an_integer_reject(
    version: str, name: str, value: Any
) -> None:
    refuses(first(version, {name: value, "users": None}), rules.POWER_LEVELS_NOT_INTEGER)


@pytest.mark.parametrize("version", versions_from(10))
@pytest.mark.parametrize("name", ["events", "notifications"])
@pytest.mark.parametrize("value", [None, True, "50", 5, [], {"x": None}, {"x": "50"}, {"x": True}, {"x": {}}])
def test_if_events_or_notifications_is_present_and_not_an_object_of_integers_reject(
    version: str, name: str, value: Any
) -> None:
    refuses(first(version, {name: value, "users": None}), rules.POWER_LEVELS_MAP_NOT_INTEGERS)


@pytest.mark.parametrize("version", versions_from(1, 9))
@pytest.mark.parametrize("name", [*NAMED, "events"])
@pytest.mark.parametrize("value", [None, True, "x", [], {"x": None}])
def test_up_to_version_9_an_invalid_level_outside_users_is_refused_by_the_rule_on_users(
    version: str, name: str, value: Any
) -> None:
    # The rule names only users. Synapse accepts such a level in a room's first power levels, and then fails
    # on every event that needs it. ruma and gomatrixserverlib refuse it.
    refuses(first(version, {name: value}), rules.POWER_LEVELS_USERS)


@pytest.mark.parametrize("version", VERSIONS)
def test_notifications_matter_from_version_6_on(version: str) -> None:
    verdict = first(version, {"notifications": {"room": None}})
    if int(version) <= 5:
        allows(verdict, rules.POWER_LEVELS_FIRST)
    elif int(version) <= 9:
        refuses(verdict, rules.POWER_LEVELS_USERS)
    else:
        refuses(verdict, rules.POWER_LEVELS_MAP_NOT_INTEGERS)


@pytest.mark.parametrize("version", VERSIONS)
def test_other_properties_are_not_checked(version: str) -> None:
    allows(first(version, {"historical": "x", "m.other": None}), rules.POWER_LEVELS_FIRST)


@pytest.mark.parametrize("creator", [ALICE, DAVE])
def test_if_users_contains_a_creator_reject(creator: str) -> None:
    users = {"users": {creator: 100}}
    refuses(first("12", users), rules.POWER_LEVELS_CREATOR_LISTED)
    # Even unchanged: the rule comes before the previous power levels.
    refuses(change("12", users, users, ALICE), rules.POWER_LEVELS_CREATOR_LISTED)
    for version in versions_from(1, 11):
        allows(first(version, users), rules.POWER_LEVELS_FIRST)


def test_additional_creators_that_are_not_strings_are_ignored() -> None:
    room = Room("12", content={"room_version": "12", "additional_creators": [5, None, [BOB]]}, signed=False)
    room.take(room.make_member(ALICE, "join", auth=[]))
    allows(room.against_state(room.make_power({"users": {BOB: 1}})), rules.POWER_LEVELS_FIRST)


# If there is no previous m.room.power_levels event in the room, allow


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_power_levels_may_hold_anything(version: str) -> None:
    high = 2**53 - 1
    content = {"users": {BOB: high}, "ban": high, "events": {"m.x": high}, "notifications": {"room": high}}
    allows(first(version, content), rules.POWER_LEVELS_FIRST)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_power_levels_require_the_default_level_for_state(version: str) -> None:
    refuses(change(version, None, {}), rules.REQUIRED_LEVEL)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("state_key", ["x", BOB, None])
def test_the_previous_power_levels_are_the_rooms_whatever_the_state_key(
    version: str, state_key: str | None
) -> None:
    # Synapse searches under the event's own state key, where it finds nothing.
    old = {"users": {BOB: 50}, "ban": 60, "state_default": 0, "events_default": 0}
    new = {**old, "ban": 0}
    refuses(change(version, old, new, state_key=state_key), rules.POWER_LEVELS_LEVEL_CURRENT)
    allows(first(version, {}, state_key=None), rules.POWER_LEVELS_FIRST)


# Alterations


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        # The sender has 50.
        (50, 50, None),
        (60, 60, None),  # too high, but not altered
        (50, 49, None),
        (49, 50, None),
        (51, 50, rules.POWER_LEVELS_LEVEL_CURRENT),
        (50, 51, rules.POWER_LEVELS_LEVEL_NEW),
        (51, 52, rules.POWER_LEVELS_LEVEL_CURRENT),
        # If one side is absent, only the other is compared, as in Synapse. ruma and gomatrixserverlib use
        # the default instead.
        (None, 0, None),
        (None, 50, None),
        (None, 51, rules.POWER_LEVELS_LEVEL_NEW),
        (50, None, None),
        (51, None, rules.POWER_LEVELS_LEVEL_CURRENT),
        (0, None, None),
    ],
)
def test_for_the_seven_properties_check_if_they_were_added_changed_or_removed(
    version: str, name: str, old: int | None, new: int | None, rule: Rule | None
) -> None:
    def content(level: int | None) -> Content:
        rest = {"users": {BOB: 50}}
        return rest if level is None else {**rest, name: level}

    verdict = change(version, content(old), content(new))
    if rule is None:
        allows(verdict, rules.POWER_LEVELS_ALLOWED)
    else:
        refuses(verdict, rule)
        detail = dict(verdict.detail)
        assert detail["entry"] == name
        assert detail["current"] == ("absent" if old is None else old)
        assert detail["new"] == ("absent" if new is None else new)
        assert detail["sender_level"] == 50


@pytest.mark.parametrize("version", VERSIONS)
def test_a_sender_below_the_default_adds_and_removes_levels_up_to_their_own(version: str) -> None:
    users = {"users": {BOB: 40}}
    allows(change(version, users, {**users, "kick": 0}), rules.POWER_LEVELS_ALLOWED)
    refuses(change(version, users, {**users, "kick": 50}), rules.POWER_LEVELS_LEVEL_NEW)
    allows(change(version, {**users, "kick": 30}, users), rules.POWER_LEVELS_ALLOWED)
    refuses(change(version, {**users, "kick": 50}, users), rules.POWER_LEVELS_LEVEL_CURRENT)


ENTRIES = [
    # The sender has 50.
    (50, 50, None),
    (60, 60, None),
    (50, 49, None),
    (50, None, None),
    (None, 50, None),
    (49, 50, None),
    (51, 50, "current"),
    (51, None, "current"),
    (51, 52, "current"),
    (50, 51, "new"),
    (None, 51, "new"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["events", "notifications"])
@pytest.mark.parametrize(("old", "new", "refused"), ENTRIES)
def test_for_each_entry_of_events_or_notifications(
    version: str, name: str, old: int | None, new: int | None, refused: str | None
) -> None:
    def content(level: int | None) -> Content:
        return {"users": {BOB: 50}, name: {} if level is None else {"m.x": level}}

    verdict = change(version, content(old), content(new))
    if refused is None or (name == "notifications" and int(version) <= 5):
        allows(verdict, rules.POWER_LEVELS_ALLOWED)
    else:
        both = {"current": rules.POWER_LEVELS_EVENTS_CURRENT, "new": rules.POWER_LEVELS_EVENTS_NEW}
        refuses(verdict, both[refused])
        assert verdict.detail["entry"] == f'{name}["m.x"]'


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        # The sender, BOB, has 50; this is CAROL's entry.
        (50, 50, None),
        (60, 60, None),
        (49, 50, None),
        (49, 0, None),
        (49, None, None),
        (None, 50, None),
        (None, 0, None),
        (50, 49, rules.POWER_LEVELS_USERS_CURRENT),
        (50, None, rules.POWER_LEVELS_USERS_CURRENT),
        (60, 0, rules.POWER_LEVELS_USERS_CURRENT),
        (49, 51, rules.POWER_LEVELS_USERS_NEW),
        (None, 51, rules.POWER_LEVELS_USERS_NEW),
        (50, 51, rules.POWER_LEVELS_USERS_CURRENT),
    ],
)
def test_for_each_entry_of_users_other_than_the_senders_own(
    version: str, old: int | None, new: int | None, rule: Rule | None
) -> None:
    def content(level: int | None) -> Content:
        return {"users": {BOB: 50} if level is None else {BOB: 50, CAROL: level}}

    verdict = change(version, content(old), content(new))
    if rule is None:
        allows(verdict, rules.POWER_LEVELS_ALLOWED)
    else:
        refuses(verdict, rule)
        assert verdict.detail["entry"] == f'users["{CAROL}"]'


@pytest.mark.parametrize("version", VERSIONS)
def test_the_senders_own_entry_may_be_lowered_or_removed_but_not_raised(version: str) -> None:
    own = {"users": {BOB: 50}}
    allows(change(version, own, {"users": {BOB: 40}}), rules.POWER_LEVELS_ALLOWED)
    allows(change(version, own, {"users": {}}), rules.POWER_LEVELS_ALLOWED)
    allows(change(version, own, {}), rules.POWER_LEVELS_ALLOWED)
    refuses(change(version, own, {"users": {BOB: 51}}), rules.POWER_LEVELS_USERS_NEW)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_user_without_an_entry_is_not_compared_by_the_default_for_users(version: str) -> None:
    old = {"users_default": 100, "users": {BOB: 50}}
    allows(change(version, old, {**old, "users": {BOB: 50, CAROL: 0}}), rules.POWER_LEVELS_ALLOWED)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_sender_whose_level_is_the_default_for_users_is_compared_by_it(version: str) -> None:
    old = {"users_default": 50}
    allows(change(version, old, {**old, "ban": 50}), rules.POWER_LEVELS_ALLOWED)
    refuses(change(version, old, {**old, "ban": 51}), rules.POWER_LEVELS_LEVEL_NEW)


def test_a_creator_may_change_everything() -> None:
    high = 2**53 - 1
    old = {"users": {BOB: high}, "ban": high, "events": {"m.x": high}, "notifications": {"room": high}}
    for creator in (ALICE, DAVE):
        allows(change("12", old, {}, creator), rules.POWER_LEVELS_ALLOWED)
        allows(change("12", {}, old, creator), rules.POWER_LEVELS_ALLOWED)
    refuses(change("12", {**old, "users": {BOB: 1}}, {}), rules.POWER_LEVELS_LEVEL_CURRENT)


@pytest.mark.parametrize("version", versions_from(1, 9))
def test_levels_are_compared_as_read(version: str) -> None:
    def of(value: Any) -> Content:
        return {"users": {BOB: 50, CAROL: value}, "ban": value, "events": {"m.x": value}}

    allows(change(version, of("90"), of(90)), rules.POWER_LEVELS_ALLOWED)
    allows(change(version, of(90), of(" +090 ")), rules.POWER_LEVELS_ALLOWED)
    refuses(change(version, of(90), of("91")), rules.POWER_LEVELS_LEVEL_CURRENT)
    if int(version) <= 5:
        # Clarified in 1.18 (#2297): 50 and 50.57 are the same level wherever a level is needed.
        allows(change(version, of(90), of(90.9)), rules.POWER_LEVELS_ALLOWED)
        allows(change(version, of("90"), of(90.57)), rules.POWER_LEVELS_ALLOWED)
        refuses(change(version, of(90.9), of(91.0)), rules.POWER_LEVELS_LEVEL_CURRENT)


@pytest.mark.parametrize("version", versions_from(1, 5))
@pytest.mark.parametrize(("level", "enough"), [(49.99, False), (50.0, True), (50.57, True)])
def test_a_float_level_is_truncated_where_an_event_is_sent(version: str, level: float, enough: bool) -> None:
    room = Room(version, signed=False)
    room.join(ALICE)
    room.power({"users": {BOB: level}, "state_default": 50})
    room.take(room.make_member(BOB, "join", auth=[]))
    check = allows if enough else refuses
    check(
        room.against_state(room.make("m.room.topic", BOB, state_key="")),
        rules.OTHERWISE if enough else rules.REQUIRED_LEVEL,
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_invalid_levels_in_the_states_power_levels_count_as_absent(version: str) -> None:
    # The rules refuse such power levels, but a caller may have them in a state.
    old = {"ban": None, "users": {BOB: 50, CAROL: []}, "events": {"m.x": None}}
    allows(change(version, old, {"users": {BOB: 50, CAROL: 50}}), rules.POWER_LEVELS_ALLOWED)
    refuses(change(version, old, {"users": {BOB: 50}, "ban": 51}), rules.POWER_LEVELS_LEVEL_NEW)


# The order of the rules


def test_the_rules_on_power_levels_are_checked_in_order() -> None:
    old: Content = {
        "users": {BOB: 50, CAROL: 60, DAVE + "0": 0},
        "ban": 60,
        "kick": 0,
        "events": {"m.old": 60, "m.x": 0},
    }
    new: Content = {
        "users": {BOB: 50, CAROL: "x", "foo": 1, ALICE: 1, DAVE + "0": 70},
        "ban": 70,
        "kick": 70,
        "state_default": None,
        "events": {"m.new": 70, "m.bad": None},
    }
    expected = []

    def expect(rule: Rule, version: str = "12") -> None:
        refuses(change(version, old, new), rule)
        expected.append(rule.number(Room(version).version))

    expect(rules.POWER_LEVELS_NOT_INTEGER)
    del new["state_default"]
    expect(rules.POWER_LEVELS_MAP_NOT_INTEGERS)
    del new["events"]["m.bad"]
    expect(rules.POWER_LEVELS_USERS)
    new["users"][CAROL] = 70
    expect(rules.POWER_LEVELS_USERS)
    del new["users"]["foo"]
    expect(rules.POWER_LEVELS_CREATOR_LISTED)
    del new["users"][ALICE]
    expect(rules.POWER_LEVELS_LEVEL_CURRENT)
    new["ban"] = 60
    expect(rules.POWER_LEVELS_LEVEL_NEW)
    new["kick"] = 0
    expect(rules.POWER_LEVELS_EVENTS_CURRENT)
    new["events"]["m.old"] = 60
    expect(rules.POWER_LEVELS_EVENTS_NEW)
    new["events"].pop("m.new")
    expect(rules.POWER_LEVELS_USERS_CURRENT)
    new["users"][CAROL] = 60
    expect(rules.POWER_LEVELS_USERS_NEW)
    new["users"][DAVE + "0"] = 50
    allows(change("12", old, new), rules.POWER_LEVELS_ALLOWED)
    assert expected == [
        *["10.1", "10.2", "10.3", "10.3", "10.4", "10.6.1", "10.6.2", "10.7.1", "10.8.1", "10.9.1", "10.10.1"]
    ]
