"""The authorisation rules outside membership and power levels: create events, auth events, federation,
aliases, and the rules on every other event. Tests are named after the specification's sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Content, Room, allows, refuses, versions_from

from roomver import (
    Event,
    MissingEvents,
    Verdict,
    WrongRoom,
    check_against_state,
    check_auth,
    check_state_independent,
    parse_event,
    rules,
    select_auth_types,
)
from roomver.versions import V11, V12

HASHED = versions_from(3)


def open_room(version: str, **create: Any) -> Room:
    """A public room that ALICE made, with BOB in it, and power levels under which ALICE is above all."""
    content: Content = {"room_version": version, **create}
    if int(version) <= 10:
        content.setdefault("creator", ALICE)
    room = Room(version, content=content, signed=False)
    room.join(ALICE)
    room.power({"users": {} if version == "12" else {ALICE: 100}})
    room.join_rule("public")
    room.join(BOB)
    return room


def create_of(version: str, content: Content, **options: Any) -> Verdict:
    room = Room(version)
    options = {"state_key": "", "auth": [], "prev": [], **options}
    sender = options.pop("sender", ALICE)
    event = room.make("m.room.create", sender, content, **options)
    verdict = check_auth(event, None, {})
    # The state has no say.
    assert verdict == check_state_independent(event, {}) == check_against_state(event, {})
    return verdict


def created(version: str, **content: Any) -> Content:
    """The content of a good create event, but for what is given; None takes a key away."""
    full = {"room_version": version, "creator": ALICE, **content}
    return {key: value for key, value in full.items() if value != "absent"}


# If type is m.room.create


@pytest.mark.parametrize("version", VERSIONS)
def test_a_create_event_is_allowed(version: str) -> None:
    allows(create_of(version, created(version)), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_a_create_event_has_any_prev_events_reject(version: str) -> None:
    refuses(create_of(version, created(version), prev=["$any:a.example"]), rules.CREATE_HAS_PREV_EVENTS)


@pytest.mark.parametrize("version", versions_from(1, 11))
@pytest.mark.parametrize("sender", [BOB, "@alice:a.example:443", "@alice:A.example", "@alice:sub.a.example"])
def test_if_the_domain_of_the_room_id_does_not_match_the_domain_of_the_sender_reject(
    version: str, sender: str
) -> None:
    refuses(create_of(version, created(version), sender=sender), rules.CREATE_ROOM_ID_DOMAIN)


def test_domains_are_split_at_the_first_colon() -> None:
    verdict = create_of("11", created("11"), sender=DAVE, room_id="!a:d.example:8448")
    allows(verdict, rules.CREATE_ALLOWED)


def test_in_version_12_if_the_event_has_a_room_id_reject() -> None:
    # With the state key "" the format refuses a room ID already; with another it asks for one.
    for state_key in ("x", None):
        refuses(create_of("12", created("12"), state_key=state_key), rules.CREATE_HAS_ROOM_ID)
    allows(create_of("12", created("12")), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", versions_from(1, 11))
@pytest.mark.parametrize("state_key", ["x", ALICE, None])
def test_a_create_event_with_another_state_key_is_allowed_and_is_not_the_rooms(
    version: str, state_key: str | None
) -> None:
    # The specification asks for no state key here; gomatrixserverlib does.
    allows(create_of(version, created(version), state_key=state_key), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "named", [None, 1, 12, True, "", "0", "99", "1.0", " 1", "\uff11", [], {}, ["1"], {"1": 1}]
)
def test_if_content_room_version_is_present_and_is_not_a_recognised_version_reject(
    version: str, named: Any
) -> None:
    refuses(create_of(version, created(version, room_version=named)), rules.CREATE_ROOM_VERSION)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("named", ["absent", "1", "7", "12"])
def test_a_recognised_version_need_not_be_the_one_that_the_event_is_judged_by(
    version: str, named: str
) -> None:
    allows(create_of(version, created(version, room_version=named)), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_if_content_has_no_creator_property_reject(version: str) -> None:
    refuses(create_of(version, created(version, creator="absent")), rules.CREATE_NO_CREATOR)
    # A null is a property; ruma and gomatrixserverlib take it as none.
    for creator in (None, 5, "", BOB):
        allows(create_of(version, created(version, creator=creator)), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", versions_from(11))
def test_from_version_11_on_a_creator_is_not_asked_for(version: str) -> None:
    allows(create_of(version, created(version, creator="absent")), rules.CREATE_ALLOWED)


@pytest.mark.parametrize(
    "creators",
    [
        None,
        "x",
        {},
        5,
        True,
        [42],
        [None],
        [[BOB]],
        ["foo"],
        ["@foo"],
        ["foo:b.example"],
        ["@a:b$"],
        ["@a:"],
        [BOB, "x"],
        ["@a\x00:b.example"],
        ["@" + "a" * 250 + ":b.org"],
        ["@a:b.example\n"],
        [""],
    ],
)
def test_if_additional_creators_is_not_an_array_of_strings_that_are_user_ids_reject(creators: Any) -> None:
    verdict = create_of("12", created("12", additional_creators=creators))
    refuses(verdict, rules.CREATE_ADDITIONAL_CREATORS)
    for version in versions_from(1, 11):
        allows(create_of(version, created(version, additional_creators=creators)), rules.CREATE_ALLOWED)


@pytest.mark.parametrize(
    "creators", [[], [ALICE], [BOB, BOB], ["@:b.example"], ["@\u00fc \n:b.example:80"], [DAVE]]
)
def test_additional_creators_pass_the_same_validation_as_a_sender(creators: list[str]) -> None:
    allows(create_of("12", created("12", additional_creators=creators)), rules.CREATE_ALLOWED)


def test_the_rules_on_a_create_event_stand_in_order() -> None:
    bad: Content = {"room_version": "99"}
    refuses(create_of("10", bad, prev=["$x"], sender=BOB), rules.CREATE_HAS_PREV_EVENTS)
    refuses(create_of("10", bad, sender=BOB), rules.CREATE_ROOM_ID_DOMAIN)
    refuses(create_of("10", bad), rules.CREATE_ROOM_VERSION)
    refuses(create_of("10", {}), rules.CREATE_NO_CREATOR)
    bad["additional_creators"] = None
    refuses(create_of("12", bad, state_key="x"), rules.CREATE_HAS_ROOM_ID)
    refuses(create_of("12", bad), rules.CREATE_ROOM_VERSION)


# Considering the event's auth_events


@pytest.mark.parametrize("version", VERSIONS)
def test_the_selected_events_are_accepted(version: str) -> None:
    room = open_room(version)
    for event in list(room.events.values()):
        verdict = room.verdict(event)
        assert verdict.allowed, str(verdict)
        independent = check_state_independent(event, room.events)
        assert independent is None or event is room.create


@pytest.mark.parametrize("version", VERSIONS)
def test_if_there_are_duplicate_entries_for_a_type_and_state_key_reject(version: str) -> None:
    room = open_room(version)
    first = room.state["m.room.power_levels", ""]
    second = room.power({"users": {}, "ban": 50})
    member = room.state["m.room.member", BOB]
    cited: list[Event] = [first, second, member]
    for auth in (cited, [first, first, member], [member, member]):
        refuses(room.verdict(room.make("m.room.message", BOB, auth=auth)), rules.AUTH_EVENTS_DUPLICATE)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_there_are_entries_that_the_selection_does_not_specify_reject(version: str) -> None:
    room = open_room(version)
    topic = room.add("m.room.topic", ALICE, state_key="")
    message = room.add("m.room.message", ALICE)
    wrong_key = room.make_power({}, state_key="x")
    room.take(wrong_key)
    # A message of a type that is selected is no state event.
    no_state = room.take(room.make_power({}, state_key=None))
    for extra in (
        room.state["m.room.join_rules", ""],
        room.state["m.room.member", ALICE],
        topic,
        message,
        wrong_key,
        no_state,
    ):
        good = [room.state[key] for key in sorted(select_auth_types(topic)) if key in room.state]
        cited = [e for e in good if (e.type, e.state_key) != ("m.room.member", ALICE)]
        event = room.make("m.room.message", BOB, auth=[*cited, room.state["m.room.member", BOB], extra])
        refuses(room.verdict(event), rules.AUTH_EVENTS_NOT_SELECTED)


def test_in_version_12_the_create_event_must_not_be_selected() -> None:
    room = open_room("12")
    auth = [room.create, room.state["m.room.member", BOB]]
    refuses(room.verdict(room.make("m.room.message", BOB, auth=auth)), rules.AUTH_EVENTS_NOT_SELECTED)


@pytest.mark.parametrize("version", versions_from(1, 7))
def test_an_authoriser_is_not_selected_where_there_are_no_restricted_rooms(version: str) -> None:
    room = open_room(version)
    event = room.make_member(CAROL, "join", more={"join_authorised_via_users_server": BOB})
    allows(room.verdict(event), rules.JOIN_PUBLIC)
    cited = [*event.auth_event_ids, room.state["m.room.member", BOB]]
    event = room.make_member(CAROL, "join", more={"join_authorised_via_users_server": BOB}, auth=cited)
    refuses(room.verdict(event), rules.AUTH_EVENTS_NOT_SELECTED)


@pytest.mark.parametrize("version", versions_from(8))
def test_an_authoriser_is_selected_whatever_the_join_rule(version: str) -> None:
    room = open_room(version)
    event = room.make_member(CAROL, "join", more={"join_authorised_via_users_server": BOB})
    assert room.state["m.room.member", BOB].event_id in event.auth_event_ids
    allows(room.verdict(event), rules.JOIN_PUBLIC)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_there_are_entries_which_were_themselves_rejected_reject(version: str) -> None:
    room = open_room(version)
    event = room.make("m.room.message", BOB)
    for cited in event.auth_event_ids:
        refuses(room.verdict(event, rejected={cited}), rules.AUTH_EVENTS_REJECTED)
    allows(room.verdict(event, rejected={room.state["m.room.join_rules", ""].event_id}), rules.OTHERWISE)


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_event_that_cites_itself_is_not_authorised_by_itself(version: str) -> None:
    room = open_room(version)
    own = "$self:d.example:8448"
    cited = [room.create, room.state["m.room.join_rules", ""], own]
    event = room.make_member(DAVE, "join", auth=cited, event_id=own)
    room.take(event)
    refuses(room.verdict(event), rules.AUTH_EVENTS_REJECTED)


@pytest.mark.parametrize("version", versions_from(1, 11))
def test_if_there_is_no_create_event_among_the_entries_reject(version: str) -> None:
    room = open_room(version)
    auth = [room.state["m.room.power_levels", ""], room.state["m.room.member", BOB]]
    refuses(room.verdict(room.make("m.room.message", BOB, auth=auth)), rules.AUTH_EVENTS_NO_CREATE)
    refuses(room.verdict(room.make("m.room.message", BOB, auth=[])), rules.AUTH_EVENTS_NO_CREATE)


def test_in_version_12_no_entry_is_needed_for_the_create_event() -> None:
    room = Room("12")
    join = room.make_member(ALICE, "join")
    assert join.auth_event_ids == ()
    allows(room.verdict(join), rules.JOIN_CREATOR)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_any_event_in_auth_events_has_another_room_id_reject(version: str) -> None:
    # MSC4307, in the specification since 1.16: servers did so before, for every version.
    room, other = open_room(version), Room(version, name="other", creator=BOB)
    other.member(BOB, "join")
    member = other.state["m.room.member", BOB]
    room.events.update(other.events)
    cited = [] if version == "12" else [room.create]
    event = room.make("m.room.message", BOB, auth=[*cited, room.state["m.room.power_levels", ""], member])
    refuses(room.verdict(event), rules.AUTH_EVENTS_OTHER_ROOM)
    # Also where it is the create event that is of another room.
    if version != "12":
        event = room.make("m.room.message", BOB, auth=[other.create, room.state["m.room.member", BOB]])
        refuses(room.verdict(event), rules.AUTH_EVENTS_OTHER_ROOM)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_rules_on_auth_events_stand_in_order(version: str) -> None:
    room, other = open_room(version), Room(version, name="other", creator=BOB)
    room.events.update(other.events)
    stranger = other.member(BOB, "join")
    room.events[stranger.event_id] = stranger
    topic = room.add("m.room.topic", ALICE, state_key="")
    own = room.state["m.room.member", BOB]
    create = [] if version == "12" else [room.create]
    rejected = {topic.event_id, own.event_id, stranger.event_id}

    def judge(*auth: Event) -> Verdict:
        return room.verdict(room.make("m.room.message", BOB, auth=list(auth)), rejected=rejected)

    refuses(judge(stranger, own, topic), rules.AUTH_EVENTS_DUPLICATE)
    refuses(judge(stranger, topic), rules.AUTH_EVENTS_NOT_SELECTED)
    refuses(judge(stranger), rules.AUTH_EVENTS_REJECTED)
    rejected.clear()
    if version != "12":
        refuses(judge(stranger), rules.AUTH_EVENTS_NO_CREATE)
    refuses(judge(*create, stranger), rules.AUTH_EVENTS_OTHER_ROOM)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_unknown_auth_event_is_asked_for_and_never_taken_as_allowed(version: str) -> None:
    room = open_room(version)
    event = room.make("m.room.message", BOB, auth=["$b:x.org", room.create, "$a:x.org", "$b:x.org"])
    for judge in (room.verdict, lambda e: check_state_independent(e, room.events)):
        with pytest.raises(MissingEvents) as raised:
            judge(event)
        assert raised.value.event_ids == ("$a:x.org", "$b:x.org")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_that_omits_an_auth_event_is_judged_without_it(version: str) -> None:
    # Check 4 on receipt looks at the state that the event's own auth events make up.
    room = open_room(version)
    room.power({"users": {} if version == "12" else {ALICE: 100}, "events": {"m.room.message": 50}})
    full = room.make("m.room.message", BOB)
    refuses(room.verdict(full), rules.REQUIRED_LEVEL)
    create = [] if version == "12" else [room.create]
    # Without the power levels the defaults hold: that is what check 5, on the state, is for.
    event = room.make("m.room.message", BOB, auth=[*create, room.state["m.room.member", BOB]])
    allows(room.verdict(event), rules.OTHERWISE)
    refuses(room.verdict(event, room.state), rules.REQUIRED_LEVEL)
    # Without its own member event its sender is not in the room.
    event = room.make("m.room.message", BOB, auth=[*create, room.state["m.room.power_levels", ""]])
    refuses(room.verdict(event), rules.SENDER_NOT_JOINED)
    refuses(room.verdict(event, room.state), rules.REQUIRED_LEVEL)


# Version 12: the event's room_id


def test_if_the_room_id_is_not_an_event_id_for_an_accepted_create_event_reject() -> None:
    room = open_room("12")
    allows(room.verdict(room.make("m.room.message", BOB)), rules.OTHERWISE)
    event = room.make("m.room.message", BOB)
    refuses(room.verdict(event, rejected={room.create.event_id}), rules.ROOM_ID_OF_CREATE)
    # An event that is no create event.
    topic = room.add("m.room.topic", ALICE, state_key="")
    event = room.make("m.room.message", BOB, room_id="!" + topic.event_id[1:])
    refuses(room.verdict(event), rules.ROOM_ID_OF_CREATE)
    # A create event that is not the state's.
    odd = room.make("m.room.create", ALICE, {"room_version": "12"}, state_key="x", auth=[], prev=[])
    room.events[odd.event_id] = odd
    event = room.make("m.room.message", BOB, room_id="!" + odd.event_id[1:])
    refuses(room.verdict(event), rules.ROOM_ID_OF_CREATE)


@pytest.mark.parametrize("named", ["absent", "11", "1"])
def test_a_create_event_that_names_another_version_makes_no_room_of_version_12(named: str) -> None:
    content: Content = {} if named == "absent" else {"room_version": named}
    room = Room("12", content=content)
    refuses(room.verdict(room.make_member(ALICE, "join")), rules.ROOM_ID_OF_CREATE)


def test_an_unknown_create_event_is_asked_for() -> None:
    room = open_room("12")
    event = room.make("m.room.message", BOB, room_id="!unknown")
    assert event.auth_parents == (*event.auth_event_ids, "$unknown")
    with pytest.raises(MissingEvents) as raised:
        room.verdict(event)
    assert raised.value.event_ids == ("$unknown",)


@pytest.mark.parametrize("version", versions_from(1, 11))
def test_up_to_version_11_the_auth_parents_are_the_auth_events(version: str) -> None:
    room = open_room(version)
    assert room.create.auth_parents == ()
    event = room.make("m.room.message", BOB)
    assert event.auth_parents == event.auth_event_ids
    assert room.create.event_id in event.auth_parents


def test_in_version_12_a_create_event_is_not_its_own_auth_parent() -> None:
    room = open_room("12")
    assert room.create.auth_parents == ()
    # Whatever its state key: one that has a state key is not the room's create event, and has a room ID.
    odd = room.make("m.room.create", ALICE, {"room_version": "12"}, state_key="x", auth=[], prev=[])
    assert odd.auth_parents == ()


def test_the_room_id_comes_before_the_auth_events() -> None:
    room = open_room("12")
    event = room.make("m.room.message", BOB, auth=[room.create, room.create])
    refuses(room.verdict(event, rejected={room.create.event_id}), rules.ROOM_ID_OF_CREATE)


def test_a_create_event_needs_no_room_to_be_judged_in() -> None:
    room = Room("12")
    assert check_state_independent(room.create, {}) == room.verdict(room.create)


# If the content of the m.room.create event has m.federate set to false


def federating(version: str, value: Any, sender: str = BOB, kind: str = "m.room.message") -> Verdict:
    room = open_room(version, **{"m.federate": value})
    return room.against_state(room.make(kind, sender))


@pytest.mark.parametrize("version", VERSIONS)
def test_if_m_federate_is_false_and_the_senders_domain_is_not_the_creators_reject(version: str) -> None:
    refuses(federating(version, False), rules.FEDERATION_CLOSED)
    allows(federating(version, False, ALICE), rules.OTHERWISE)
    # Another port is another domain.
    refuses(federating(version, False, "@alice:a.example:443"), rules.FEDERATION_CLOSED)


@pytest.mark.parametrize("value", [True, None, 0, "", "false", [], {}])
def test_m_federate_that_is_anything_but_false_leaves_the_room_open(value: Any) -> None:
    # Synapse takes all but true as closed; ruma refuses every event where it is no boolean.
    for version in VERSIONS:
        allows(federating(version, value), rules.OTHERWISE)


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_the_domain_is_that_of_the_create_events_sender_not_of_the_creator(version: str) -> None:
    room = open_room(version, **{"m.federate": False, "creator": BOB})
    refuses(room.against_state(room.make("m.room.message", BOB)), rules.FEDERATION_CLOSED)
    allows(room.against_state(room.make("m.room.message", ALICE)), rules.OTHERWISE)


def test_additional_creators_of_other_servers_are_locked_out_of_a_closed_room() -> None:
    room = open_room("12", **{"m.federate": False, "additional_creators": [BOB]})
    refuses(room.against_state(room.make("m.room.message", BOB)), rules.FEDERATION_CLOSED)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_target_of_a_membership_may_be_of_another_domain(version: str) -> None:
    # The rule is on the sender. Synapse looks at the target as well.
    room = open_room(version, **{"m.federate": False})
    allows(room.against_state(room.make_member(DAVE, "invite", by=ALICE)), rules.INVITE_LEVEL)


@pytest.mark.parametrize("version", versions_from(1, 5))
def test_m_federate_comes_before_aliases_and_membership(version: str) -> None:
    room = open_room(version, **{"m.federate": False})
    aliases = room.make("m.room.aliases", BOB, state_key="b.example")
    refuses(room.against_state(aliases), rules.FEDERATION_CLOSED)
    refuses(room.against_state(room.make("m.room.member", BOB)), rules.FEDERATION_CLOSED)


# If type is m.room.aliases


@pytest.mark.parametrize("version", versions_from(1, 5))
def test_aliases_need_a_state_key_that_is_the_senders_domain(version: str) -> None:
    room = open_room(version)

    def judge(sender: str, state_key: str | None) -> Verdict:
        return room.verdict(room.make("m.room.aliases", sender, state_key=state_key))

    refuses(judge(BOB, None), rules.ALIASES_NO_STATE_KEY)
    for other in ("", "a.example", "B.example", "b.example:80", BOB):
        refuses(judge(BOB, other), rules.ALIASES_OTHER_DOMAIN)
    allows(judge(BOB, "b.example"), rules.ALIASES_ALLOWED)
    # The sender need not be in the room, and needs no level.
    allows(judge(DAVE, "d.example:8448"), rules.ALIASES_ALLOWED)


@pytest.mark.parametrize("version", versions_from(6))
def test_from_version_6_on_aliases_are_as_any_state_event(version: str) -> None:
    room = open_room(version)
    event = room.make("m.room.aliases", DAVE, state_key="d.example:8448")
    refuses(room.verdict(event), rules.SENDER_NOT_JOINED)
    refuses(room.verdict(room.make("m.room.aliases", BOB, state_key="b.example")), rules.REQUIRED_LEVEL)
    allows(room.verdict(room.make("m.room.aliases", ALICE, state_key="x")), rules.OTHERWISE)


# If the sender's current membership state is not join, reject


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["invite", "leave", "ban", "knock", "other", None, 5, ["join"]])
@pytest.mark.parametrize(
    "kind",
    [
        "m.room.message",
        "m.room.topic",
        "m.room.power_levels",
        "m.room.third_party_invite",
        "m.room.redaction",
    ],
)
def test_if_the_senders_current_membership_state_is_not_join_reject(
    version: str, membership: Any, kind: str
) -> None:
    room = open_room(version)
    room.member(BOB, membership)
    refuses(room.against_state(room.make(kind, BOB, state_key="")), rules.SENDER_NOT_JOINED)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_creators_level_makes_up_for_not_being_in_the_room(version: str) -> None:
    room = Room(version)
    refuses(room.verdict(room.make("m.room.topic", ALICE, state_key="")), rules.SENDER_NOT_JOINED)


# If type is m.room.third_party_invite


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("level", "allowed"), [(-1, True), (0, True), (1, False)])
def test_allow_if_and_only_if_the_senders_level_is_at_least_the_invite_level(
    version: str, level: int, allowed: bool
) -> None:
    room = open_room(version)
    # Neither the level for the type nor a state key with @ counts; gomatrixserverlib looks at the key.
    room.power({"invite": level, "events": {"m.room.third_party_invite": 100}, "state_default": 100})
    for state_key in ("token", "@zz:x", None):
        verdict = room.verdict(room.make("m.room.third_party_invite", BOB, state_key=state_key))
        (allows if allowed else refuses)(verdict, rules.THIRD_PARTY_INVITE_LEVEL)


# If the event type's required power level is greater than the sender's power level, reject


@pytest.mark.parametrize("version", VERSIONS)
def test_the_required_level_without_power_levels(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    room.join_rule("public")
    room.join(BOB)
    # "Only the creator may set state, and the first power levels": the default for state is 50.
    refuses(room.verdict(room.make("m.room.topic", BOB, state_key="")), rules.REQUIRED_LEVEL)
    refuses(room.verdict(room.make_power({}, BOB)), rules.REQUIRED_LEVEL)
    allows(room.verdict(room.make("m.room.message", BOB)), rules.OTHERWISE)
    allows(room.verdict(room.make("m.room.topic", ALICE, state_key="")), rules.OTHERWISE)
    allows(room.verdict(room.make_power({})), rules.POWER_LEVELS_FIRST)


@pytest.mark.parametrize("version", versions_from(1, 11))
def test_empty_power_levels_take_the_creators_level_away(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    room.power({})
    refuses(room.verdict(room.make("m.room.topic", ALICE, state_key="")), rules.REQUIRED_LEVEL)


def test_in_version_12_empty_power_levels_leave_the_creators_level() -> None:
    room = Room("12")
    room.join(ALICE)
    room.power({})
    allows(room.verdict(room.make("m.room.topic", ALICE, state_key="")), rules.OTHERWISE)


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_the_creator_is_the_one_in_the_content_not_the_sender(version: str) -> None:
    room = Room(version, content={"creator": BOB})
    for user in (ALICE, BOB):
        room.take(room.make_member(user, "join", auth=[room.create]))
    allows(room.against_state(room.make("m.room.topic", BOB, state_key="")), rules.OTHERWISE)
    refuses(room.against_state(room.make("m.room.topic", ALICE, state_key="")), rules.REQUIRED_LEVEL)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("level", "allowed"), [(24, False), (25, True), (26, True)])
def test_a_level_that_is_equal_to_the_required_one_is_enough(version: str, level: int, allowed: bool) -> None:
    room = open_room(version)
    for content in (
        {"state_default": 25},
        {"events": {"m.room.topic": 25}, "state_default": 100},
        {"state_default": 25, "events_default": 100},
    ):
        room.power({"users": {BOB: level}, **content})
        verdict = room.verdict(room.make("m.room.topic", BOB, state_key=""))
        if allowed:
            allows(verdict, rules.OTHERWISE)
        else:
            refuses(verdict, rules.REQUIRED_LEVEL)
            detail = dict(verdict.detail)
            assert (detail["sender_level"], detail["required_level"]) == (level, 25)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_member_event_needs_no_required_level(version: str) -> None:
    room = open_room(version)
    room.power({"events": {"m.room.member": 100}, "state_default": 100, "users_default": 0})
    allows(room.verdict(room.make_member(CAROL, "join")), rules.JOIN_PUBLIC)


@pytest.mark.parametrize("version", versions_from(3))
def test_from_version_3_on_the_rules_do_not_look_at_the_redact_level(version: str) -> None:
    room = open_room(version)
    room.power({"redact": 100})
    event = room.make("m.room.redaction", BOB, redacts=room.create.event_id)
    allows(room.verdict(event), rules.OTHERWISE)
    room.power({"redact": 0, "events": {"m.room.redaction": 50}})
    event = room.make("m.room.redaction", BOB, redacts=room.create.event_id)
    refuses(room.verdict(event), rules.REQUIRED_LEVEL)


# If the event has a state_key that starts with an @ and does not match the sender, reject


@pytest.mark.parametrize("version", VERSIONS)
def test_if_a_state_key_starts_with_an_at_and_is_not_the_sender_reject(version: str) -> None:
    room = open_room(version)
    # Whatever the level: ALICE has all there is.
    for other in (BOB, "@", "@foo", ALICE + " ", ALICE.upper(), ALICE + "_x"):
        event = room.make("m.room.topic", ALICE, state_key=other)
        refuses(room.verdict(event), rules.STATE_KEY_OF_OTHER_USER)
    for own in (ALICE, "", "x@", " @", "alice:a.example"):
        allows(room.verdict(room.make("m.room.topic", ALICE, state_key=own)), rules.OTHERWISE)


def test_the_required_level_comes_before_the_state_key() -> None:
    room = open_room("11")
    refuses(room.verdict(room.make("m.room.topic", BOB, state_key=ALICE)), rules.REQUIRED_LEVEL)


def test_the_state_key_comes_before_the_power_levels() -> None:
    room = open_room("11")
    event = room.make_power({"users": None}, state_key=BOB)
    refuses(room.verdict(event), rules.STATE_KEY_OF_OTHER_USER)


# The state that is handed in


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_without_a_create_event_refuses_everything(version: str) -> None:
    room = open_room(version)
    rule = rules.ROOM_ID_OF_CREATE if version == "12" else rules.AUTH_EVENTS_NO_CREATE
    for event in (room.make("m.room.message", ALICE), room.make_member(ALICE, "join")):
        refuses(check_against_state(event, {}), rule)
        state = {key: e for key, e in room.state.items() if key[0] != "m.room.create"}
        refuses(check_against_state(event, state), rule)
        refuses(room.verdict(event, state), rule)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_of_another_room_is_an_error(version: str) -> None:
    room, other = open_room(version), Room(version, name="other", creator=BOB)
    event = room.make("m.room.message", ALICE)
    with pytest.raises(WrongRoom, match=r"the state is of room"):
        check_against_state(event, other.state)
    with pytest.raises(WrongRoom):
        room.verdict(event, other.state)


def test_a_state_of_another_version_is_an_error() -> None:
    room, other = open_room("11"), open_room("10")
    assert room.room_id == other.room_id
    with pytest.raises(WrongRoom):
        check_against_state(room.make("m.room.message", ALICE), other.state)


def test_an_auth_event_of_another_version_is_an_error() -> None:
    room, other = open_room("11"), open_room("10")
    event = room.make("m.room.message", ALICE, auth=[other.create])
    with pytest.raises(WrongRoom, match="is of room version 11"):
        check_auth(event, None, other.events)


class Recording(Mapping[Any, Any]):
    """A mapping that keeps what it was asked for."""

    def __init__(self, content: Mapping[Any, Any]) -> None:
        self.content = content
        self.asked: set[Any] = set()

    def __getitem__(self, key: Any) -> Any:
        self.asked.add(key)
        return self.content[key]

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("a room state is looked up in, never walked")

    def __len__(self) -> int:
        raise AssertionError("a room state is looked up in, never measured")


@pytest.mark.parametrize("version", VERSIONS)
def test_of_a_state_only_what_the_selection_picks_and_the_create_event_is_read(version: str) -> None:
    room = open_room(version)
    for event in (
        room.make_member(DAVE, "join", more={"join_authorised_via_users_server": BOB}),
        room.make_member(BOB, "ban", by=ALICE),
        room.make("m.room.topic", ALICE, state_key=""),
        room.make_power({}, ALICE),
    ):
        state = Recording(room.state)
        check_against_state(event, state)
        assert state.asked <= select_auth_types(event) | {("m.room.create", "")}


def test_the_events_may_be_any_mapping_and_any_order() -> None:
    room = open_room("11")
    event = room.make("m.room.topic", ALICE, state_key="")
    backwards = dict(reversed(list(room.events.items())))
    assert check_auth(event, None, backwards) == room.verdict(event)
    assert check_auth(event, dict(reversed(list(room.state.items()))), room.events) == room.verdict(event)


def test_versions_hold_their_own_rules_for_the_same_event() -> None:
    assert V11.rule_list != V12.rule_list
    pdu = Room("11").create.pdu
    assert check_auth(parse_event(pdu, "11"), None, {}).number == "1.4"
    refuses(check_auth(parse_event(pdu, "10"), None, {}), rules.CREATE_NO_CREATOR)
