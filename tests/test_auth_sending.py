"""The authorisation rules on federation, aliases and sending. Tests are named after the specification's
sentences."""

from typing import Any

import pytest
from auth_rooms import open_room
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Room, allows, refuses, versions_from

from roomver import Verdict, rules

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
    # Synapse treats every value but true as closed. ruma refuses every event if it is not a boolean.
    for version in VERSIONS:
        allows(federating(version, value), rules.OTHERWISE)


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_the_domain_of_the_create_events_sender_counts_not_the_creators(version: str) -> None:
    room = open_room(version, **{"m.federate": False, "creator": BOB})
    refuses(room.against_state(room.make("m.room.message", BOB)), rules.FEDERATION_CLOSED)
    allows(room.against_state(room.make("m.room.message", ALICE)), rules.OTHERWISE)


def test_additional_creators_of_other_servers_are_locked_out_of_a_closed_room() -> None:
    room = open_room("12", **{"m.federate": False, "additional_creators": [BOB]})
    refuses(room.against_state(room.make("m.room.message", BOB)), rules.FEDERATION_CLOSED)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_target_of_a_membership_may_be_of_another_domain(version: str) -> None:
    # The rule is on the sender. Synapse checks the target as well.
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
def test_from_version_6_on_aliases_are_treated_as_any_state_event(version: str) -> None:
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
def test_a_creator_who_is_not_in_the_room_sends_nothing(version: str) -> None:
    room = Room(version)
    refuses(room.verdict(room.make("m.room.topic", ALICE, state_key="")), rules.SENDER_NOT_JOINED)


# If type is m.room.third_party_invite


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("level", "allowed"), [(-1, True), (0, True), (1, False)])
def test_allow_if_and_only_if_the_senders_level_is_at_least_the_invite_level(
    version: str, level: int, allowed: bool
) -> None:
    room = open_room(version)
    # Neither the level for the type nor a state key with @ counts. gomatrixserverlib checks the key.
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
def test_empty_power_levels_remove_the_creators_level(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    room.power({})
    refuses(room.verdict(room.make("m.room.topic", ALICE, state_key="")), rules.REQUIRED_LEVEL)


def test_in_version_12_empty_power_levels_keep_the_creators_level() -> None:
    room = Room("12")
    room.join(ALICE)
    room.power({})
    allows(room.verdict(room.make("m.room.topic", ALICE, state_key="")), rules.OTHERWISE)


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_the_creator_is_named_in_the_content_and_need_not_be_the_sender(version: str) -> None:
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
def test_from_version_3_on_the_rules_do_not_read_the_redact_level(version: str) -> None:
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
    # Even ALICE, who has the highest level, may not.
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
