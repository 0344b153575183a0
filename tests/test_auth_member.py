"""The authorisation rules on memberships other than joins, without third-party invites. Tests are named
after the specification's sentences on the pages of the room versions."""

from typing import Any

import pytest
from auth_rooms import JOIN_RULES, MEMBERSHIPS, levels, room_with
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Content, Room, allows, refuses, versions_from

from roomver import Verdict, rules

# Form


@pytest.mark.parametrize("version", VERSIONS)
def test_if_there_is_no_state_key_property_or_no_membership_property_reject(version: str) -> None:
    room = room_with(version)
    for content, state_key in (({"membership": "join"}, None), ({}, BOB), ({"reason": "join"}, BOB)):
        event = room.make("m.room.member", BOB, content, state_key=state_key)
        refuses(room.verdict(event), rules.MEMBER_MALFORMED)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["", "JOIN", "joined", None, 5, True, [], ["join"], {"join": 1}])
def test_otherwise_the_membership_is_unknown(version: str, membership: Any) -> None:
    room = room_with(version, bob="join")
    for sender in (BOB, ALICE):
        refuses(room.verdict(room.make_member(BOB, membership, by=sender)), rules.MEMBER_UNKNOWN)


@pytest.mark.parametrize("version", versions_from(1, 6))
@pytest.mark.parametrize("join_rule", ["public", "knock", "knock_restricted"])
def test_before_version_7_a_knock_is_unknown(version: str, join_rule: str) -> None:
    room = room_with(version, join_rule)
    refuses(room.verdict(room.make_member(BOB, "knock")), rules.MEMBER_UNKNOWN)


# If membership is invite


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["absent", "invite", "leave", "ban", "knock", "other", None])
def test_an_inviter_whose_membership_state_is_not_join_is_rejected(version: str, membership: Any) -> None:
    room = room_with(version, power=levels(bob=100), bob=membership)
    refuses(room.verdict(room.make_member(CAROL, "invite", by=BOB)), rules.INVITE_SENDER_NOT_JOINED)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", [*MEMBERSHIPS, "other", None])
@pytest.mark.parametrize("join_rule", ["public", "invite", "private", "absent"])
def test_if_the_target_users_membership_state_is_join_or_ban_reject(
    version: str, membership: Any, join_rule: str
) -> None:
    room = room_with(version, join_rule, carol=membership)
    verdict = room.verdict(room.make_member(CAROL, "invite", by=ALICE))
    if membership in ("join", "ban"):
        refuses(verdict, rules.INVITE_TARGET_IN_ROOM)
    else:
        # The join rule does not matter, and an invite may follow a knock or another invite.
        allows(verdict, rules.INVITE_LEVEL)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("level", "allowed"), [(29, False), (30, True), (31, True)])
def test_if_the_senders_power_level_is_at_least_the_invite_level_allow(
    version: str, level: int, allowed: bool
) -> None:
    room = room_with(version, power=levels(bob=level, invite=30), bob="join")
    verdict = room.verdict(room.make_member(CAROL, "invite", by=BOB))
    if allowed:
        allows(verdict, rules.INVITE_LEVEL)
    else:
        refuses(verdict, rules.INVITE_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("power", [{}, {"users": {}}])
def test_the_invite_level_defaults_to_0(version: str, power: Content) -> None:
    room = room_with(version, power=power, bob="join")
    allows(room.verdict(room.make_member(CAROL, "invite", by=BOB)), rules.INVITE_LEVEL)
    room.power({"users_default": -1})
    refuses(room.verdict(room.make_member(CAROL, "invite", by=BOB)), rules.INVITE_OTHERWISE)


# If membership is leave


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", [*MEMBERSHIPS, "other", None])
def test_a_user_may_leave_if_and_only_if_it_is_invited_or_joined_or_knocking(
    version: str, membership: Any
) -> None:
    room = room_with(version, power=levels(bob=100), bob=membership)
    may = membership in ("invite", "join") or (membership == "knock" and int(version) >= 7)
    check = allows if may else refuses
    check(room.verdict(room.make_member(BOB, "leave")), rules.LEAVE_SELF)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["absent", "invite", "leave", "ban", "knock", None])
def test_a_user_who_is_not_in_the_room_removes_nobody(version: str, membership: Any) -> None:
    room = room_with(version, power=levels(bob=100), bob=membership, carol="join")
    refuses(room.verdict(room.make_member(CAROL, "leave", by=BOB)), rules.LEAVE_SENDER_NOT_JOINED)


def removal(version: str, target: str = "join", **power: Any) -> Verdict:
    room = room_with(version, power=levels(**power), bob="join", carol=target)
    return room.verdict(room.make_member(CAROL, "leave", by=BOB))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("target", ["absent", "join", "invite", "leave", "knock"])
def test_a_removal_takes_the_kick_level_and_a_higher_level_than_the_targets(
    version: str, target: str
) -> None:
    # The target's membership does not matter: even a user who never joined can be removed.
    allows(removal(version, target, bob=40, carol=39, kick=40), rules.LEAVE_LEVEL)
    refuses(removal(version, target, bob=40, carol=40, kick=40), rules.LEAVE_OTHERWISE)
    refuses(removal(version, target, bob=40, carol=41, kick=40), rules.LEAVE_OTHERWISE)
    refuses(removal(version, target, bob=39, carol=0, kick=40), rules.LEAVE_OTHERWISE)
    # The ban level does not matter if the target is not banned.
    allows(removal(version, target, bob=40, carol=0, kick=40, ban=90), rules.LEAVE_LEVEL)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_kick_level_defaults_to_50(version: str) -> None:
    allows(removal(version, bob=50), rules.LEAVE_LEVEL)
    refuses(removal(version, bob=49), rules.LEAVE_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
def test_to_unban_somebody_takes_the_kick_and_ban_levels_and_a_higher_level_than_the_targets(
    version: str,
) -> None:
    refuses(removal(version, "ban", bob=59, ban=60, kick=10), rules.LEAVE_BANNED)
    allows(removal(version, "ban", bob=60, ban=60, kick=10), rules.LEAVE_LEVEL)
    refuses(removal(version, "ban", bob=60, ban=60, kick=61), rules.LEAVE_OTHERWISE)
    refuses(removal(version, "ban", bob=60, carol=60, ban=60, kick=10), rules.LEAVE_OTHERWISE)
    allows(removal(version, "ban", bob=60, carol=59, ban=60, kick=60), rules.LEAVE_LEVEL)


def test_creators_cannot_remove_or_ban_each_other_and_nobody_else_can() -> None:
    room = Room("12", content={"room_version": "12", "additional_creators": [BOB, CAROL]})
    room.join(ALICE)
    room.power({"users": {DAVE: 2**53 - 1}})
    room.join_rule("public")
    room.join(BOB, CAROL, DAVE)
    for sender, target in ((ALICE, BOB), (BOB, ALICE), (BOB, CAROL), (DAVE, ALICE), (DAVE, BOB)):
        refuses(room.verdict(room.make_member(target, "leave", by=sender)), rules.LEAVE_OTHERWISE)
        refuses(room.verdict(room.make_member(target, "ban", by=sender)), rules.BAN_OTHERWISE)
    for sender in (ALICE, BOB):
        allows(room.verdict(room.make_member(DAVE, "leave", by=sender)), rules.LEAVE_LEVEL)
        allows(room.verdict(room.make_member(DAVE, "ban", by=sender)), rules.BAN_LEVEL)


# If membership is ban


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["absent", "invite", "leave", "ban", "knock", None])
def test_a_user_who_is_not_in_the_room_bans_nobody(version: str, membership: Any) -> None:
    room = room_with(version, power=levels(bob=100), bob=membership)
    refuses(room.verdict(room.make_member(CAROL, "ban", by=BOB)), rules.BAN_SENDER_NOT_JOINED)


def ban(version: str, target: str = "join", **power: Any) -> Verdict:
    room = room_with(version, power=levels(**power), bob="join", carol=target)
    return room.verdict(room.make_member(CAROL, "ban", by=BOB))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("target", MEMBERSHIPS)
def test_a_ban_takes_the_ban_level_and_a_higher_level_than_the_targets(version: str, target: str) -> None:
    allows(ban(version, target, bob=40, carol=39, ban=40), rules.BAN_LEVEL)
    refuses(ban(version, target, bob=40, carol=40, ban=40), rules.BAN_OTHERWISE)
    refuses(ban(version, target, bob=40, carol=41, ban=40), rules.BAN_OTHERWISE)
    refuses(ban(version, target, bob=39, carol=0, ban=40), rules.BAN_OTHERWISE)
    # The kick level does not matter.
    allows(ban(version, target, bob=40, carol=0, ban=40, kick=90), rules.BAN_LEVEL)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_ban_level_defaults_to_50(version: str) -> None:
    allows(ban(version, bob=50), rules.BAN_LEVEL)
    refuses(ban(version, bob=49), rules.BAN_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
def test_nobody_can_ban_themselves(version: str) -> None:
    room = room_with(version, power=levels(bob=100), bob="join")
    refuses(room.verdict(room.make_member(BOB, "ban")), rules.BAN_OTHERWISE)
    refuses(room.verdict(room.make_member(ALICE, "ban")), rules.BAN_OTHERWISE)


# If membership is knock


@pytest.mark.parametrize("version", versions_from(7))
@pytest.mark.parametrize("join_rule", JOIN_RULES)
def test_if_the_join_rule_is_anything_other_than_knock_reject(version: str, join_rule: Any) -> None:
    room = room_with(version, "absent" if join_rule == "missing" else join_rule)
    if join_rule == "missing":
        room.add("m.room.join_rules", ALICE, {}, state_key="")
    verdict = room.verdict(room.make_member(BOB, "knock"))
    if join_rule == "knock" or (join_rule == "knock_restricted" and int(version) >= 10):
        allows(verdict, rules.KNOCK_ALLOWED)
    else:
        refuses(verdict, rules.KNOCK_JOIN_RULE)


@pytest.mark.parametrize("version", versions_from(7))
def test_a_knock_for_another_user_is_rejected(version: str) -> None:
    room = room_with(version, "knock")
    refuses(room.verdict(room.make_member(BOB, "knock", by=ALICE)), rules.KNOCK_SENDER_IS_TARGET)


@pytest.mark.parametrize("version", versions_from(7))
@pytest.mark.parametrize("membership", [*MEMBERSHIPS, "other", None])
def test_if_the_senders_membership_is_not_ban_invite_or_join_allow(version: str, membership: Any) -> None:
    room = room_with(version, "knock", bob=membership)
    verdict = room.verdict(room.make_member(BOB, "knock"))
    if membership in ("ban", "invite", "join"):
        refuses(verdict, rules.KNOCK_OTHERWISE)
    else:
        allows(verdict, rules.KNOCK_ALLOWED)


# Any membership


@pytest.mark.parametrize("version", VERSIONS)
def test_third_party_invite_has_no_meaning_outside_invites(version: str) -> None:
    room = room_with(version, bob="absent")
    allows(room.verdict(room.make_member(BOB, "join", more={"third_party_invite": None})), rules.JOIN_PUBLIC)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_target_of_a_membership_need_not_be_a_user_id(version: str) -> None:
    # No rule requires it. Synapse requires a colon where it checks the domain of the target.
    room = room_with(version)
    allows(room.verdict(room.make_member("foo", "invite", by=ALICE)), rules.INVITE_LEVEL)
    allows(room.verdict(room.make_member("", "ban", by=ALICE)), rules.BAN_LEVEL)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_member_event_without_a_membership_is_in_no_membership_state(version: str) -> None:
    # The rules refuse such an event, but a caller may have it in a state.
    room = room_with(version, "invite", power=levels(bob=100))
    room.take(room.make("m.room.member", BOB, {}, state_key=BOB, auth=[]))
    refuses(room.against_state(room.make_member(BOB, "join")), rules.JOIN_OTHERWISE)
    refuses(room.against_state(room.make_member(BOB, "leave")), rules.LEAVE_SELF)
    refuses(room.against_state(room.make("m.room.message", BOB)), rules.SENDER_NOT_JOINED)
    allows(room.against_state(room.make_member(BOB, "invite", by=ALICE)), rules.INVITE_LEVEL)
    refuses(room.against_state(room.make_member(CAROL, "ban", by=BOB)), rules.BAN_SENDER_NOT_JOINED)
