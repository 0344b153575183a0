"""The authorisation rules on memberships but for third-party invites. Tests are named after the
specification's sentences, as they stand on the pages of the room versions."""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Content, Room, allows, refuses, versions_from

from roomver import Verdict, rules
from roomver.rules import Rule

MEMBERSHIPS = ["absent", "join", "invite", "leave", "ban", "knock"]


def room_with(version: str, join_rule: Any = "public", power: Content | None = None, **members: Any) -> Room:
    """A room that ALICE made and is in, with others in given membership states: ``bob="ban"``."""
    users = {"bob": BOB, "carol": CAROL, "dave": DAVE}
    room = Room(version, signed=False)
    room.join(ALICE)
    content: Content = {"users": {} if version == "12" else {ALICE: 100}, **(power or {})}
    room.power(content)
    if join_rule != "absent":
        room.join_rule(join_rule)
    for name, membership in members.items():
        if membership != "absent":
            # Cited by hand: how they came to be so is no matter here.
            room.member(users[name], membership, auth=[])
    return room


def levels(**users: Any) -> Content:
    """Power levels with ``bob=50`` and the like in ``users``, the rest by name."""
    ids = {"alice": ALICE, "bob": BOB, "carol": CAROL, "dave": DAVE}
    listed = {ids[name]: level for name, level in users.items() if name in ids}
    return {"users": listed, **{name: level for name, level in users.items() if name not in ids}}


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


# If membership is join


@pytest.mark.parametrize("version", VERSIONS)
def test_if_the_only_previous_event_is_the_create_event_and_the_state_key_is_the_creator_allow(
    version: str,
) -> None:
    room = Room(version)
    allows(room.verdict(room.make_member(ALICE, "join")), rules.JOIN_CREATOR)
    # Whoever the sender is: gomatrixserverlib asks for the creator.
    allows(room.verdict(room.make_member(ALICE, "join", by=BOB)), rules.JOIN_CREATOR)
    # The rule is on joins and on the creator.
    refuses(room.verdict(room.make_member(BOB, "join")), rules.JOIN_OTHERWISE)
    refuses(room.verdict(room.make_member(ALICE, "invite")), rules.INVITE_SENDER_NOT_JOINED)
    refuses(room.verdict(room.make_member(ALICE, "leave")), rules.LEAVE_SELF)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_create_event_twice_is_not_the_only_previous_event(version: str) -> None:
    room = Room(version)
    for prev in ([room.create, room.create], [], [room.create, "$other:a.example"], ["$other:a.example"]):
        event = room.make_member(ALICE, "join", prev=prev)
        refuses(room.verdict(event), rules.JOIN_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_previous_event_must_be_the_create_event_of_the_room(version: str) -> None:
    room = room_with(version, "invite")
    # Right after another event: by the common rules, which let one in who is in.
    allows(room.verdict(room.make_member(ALICE, "join")), rules.JOIN_INVITED)
    odd = room.make("m.room.create", ALICE, {"creator": ALICE}, state_key="x", auth=[], prev=[])
    event = room.make_member(ALICE, "join", prev=[odd], by=BOB)
    refuses(room.verdict(event), rules.JOIN_SENDER_IS_TARGET)


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_up_to_version_10_the_creator_is_the_one_in_the_content(version: str) -> None:
    room = Room(version, content={"creator": BOB})
    allows(room.verdict(room.make_member(BOB, "join")), rules.JOIN_CREATOR)
    refuses(room.verdict(room.make_member(ALICE, "join")), rules.JOIN_OTHERWISE)


@pytest.mark.parametrize("version", versions_from(11))
def test_from_version_11_on_the_creator_is_the_sender_of_the_create_event(version: str) -> None:
    content = {"room_version": version, "creator": BOB, "additional_creators": [BOB]}
    room = Room(version, content=content)
    allows(room.verdict(room.make_member(ALICE, "join")), rules.JOIN_CREATOR)
    # Additional creators have no such pass.
    refuses(room.verdict(room.make_member(BOB, "join")), rules.JOIN_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_banned_creator_may_come_back_right_after_the_create_event(version: str) -> None:
    # By the order of the rules: only a fork from the very start of the room gets there.
    room = room_with(version)
    room.member(ALICE, "ban", by=ALICE)
    allows(room.against_state(room.make_member(ALICE, "join", prev=[room.create])), rules.JOIN_CREATOR)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("join_rule", ["public", "invite"])
def test_if_the_sender_does_not_match_state_key_reject(version: str, join_rule: str) -> None:
    room = room_with(version, join_rule, bob="invite")
    refuses(room.verdict(room.make_member(BOB, "join", by=ALICE)), rules.JOIN_SENDER_IS_TARGET)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("join_rule", ["public", "invite", "knock", "restricted", "knock_restricted", "x"])
def test_if_the_sender_is_banned_reject(version: str, join_rule: str) -> None:
    room = room_with(version, join_rule, bob="ban")
    refuses(room.verdict(room.make_member(BOB, "join")), rules.JOIN_BANNED)


def expected_join(version: int, join_rule: str, membership: str, authorised: bool) -> Rule:
    """The rule that decides about a join, by the table of join rules and versions."""
    is_in = membership in ("join", "invite")
    if membership == "ban":
        return rules.JOIN_BANNED
    if join_rule in ("absent", "missing"):
        # Silent in the specification: as Synapse and gomatrixserverlib have it.
        join_rule = "invite"
    if join_rule == "public":
        return rules.JOIN_PUBLIC
    if join_rule == "invite" or (join_rule == "knock" and version >= 7):
        return rules.JOIN_INVITED if is_in else rules.JOIN_OTHERWISE
    if (join_rule == "restricted" and version >= 8) or (join_rule == "knock_restricted" and version >= 10):
        if is_in:
            return rules.JOIN_RESTRICTED_ALREADY_IN
        return rules.JOIN_RESTRICTED_ALLOWED if authorised else rules.JOIN_RESTRICTED_AUTHORISER
    # A rule that the version does not know lets nobody in, invited or not: so do Synapse and ruma.
    return rules.JOIN_OTHERWISE


JOIN_RULES = [
    "absent",
    "missing",
    "public",
    "invite",
    "knock",
    "restricted",
    "knock_restricted",
    "private",
    5,
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("join_rule", JOIN_RULES)
@pytest.mark.parametrize("membership", [*MEMBERSHIPS, "other", None])
@pytest.mark.parametrize("authorised", [False, True])
def test_a_join_under_every_join_rule_from_every_membership(
    version: str, join_rule: Any, membership: Any, authorised: bool
) -> None:
    room = room_with(version, "absent" if join_rule == "missing" else join_rule, bob=membership)
    if join_rule == "missing":
        room.add("m.room.join_rules", ALICE, {}, state_key="")
    more = {"join_authorised_via_users_server": ALICE} if authorised else {}
    verdict = room.verdict(room.make_member(BOB, "join", more=more))
    rule = expected_join(int(version), str(join_rule), str(membership), authorised)
    check = allows if rule.decision.value == "allow" else refuses
    check(verdict, rule)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("join_rule", [None, True, 0, [], ["public"], {"public": 1}, "", "PUBLIC"])
def test_a_join_rule_of_another_kind_lets_nobody_in(version: str, join_rule: Any) -> None:
    room = room_with(version, join_rule, bob="invite")
    refuses(room.verdict(room.make_member(BOB, "join")), rules.JOIN_OTHERWISE)


# If the join_rule is restricted (or knock_restricted): clarified in 1.17 (#2220)

RESTRICTED = [(v, "restricted") for v in versions_from(8)] + [
    (v, "knock_restricted") for v in versions_from(10)
]


def authorised_join(room: Room, authoriser: Any) -> Verdict:
    return room.verdict(room.make_member(BOB, "join", more={"join_authorised_via_users_server": authoriser}))


@pytest.mark.parametrize(("version", "join_rule"), RESTRICTED)
@pytest.mark.parametrize(("level", "allowed"), [(29, False), (30, True), (31, True)])
def test_the_authoriser_has_sufficient_permission_to_invite(
    version: str, join_rule: str, level: int, allowed: bool
) -> None:
    room = room_with(version, join_rule, levels(carol=level, invite=30), carol="join")
    verdict = authorised_join(room, CAROL)
    if allowed:
        allows(verdict, rules.JOIN_RESTRICTED_ALLOWED)
    else:
        refuses(verdict, rules.JOIN_RESTRICTED_AUTHORISER)


@pytest.mark.parametrize(("version", "join_rule"), RESTRICTED)
def test_the_authorisers_level_may_come_from_the_default_for_users(version: str, join_rule: str) -> None:
    room = room_with(version, join_rule, levels(users_default=50, invite=50), carol="join")
    allows(authorised_join(room, CAROL), rules.JOIN_RESTRICTED_ALLOWED)


@pytest.mark.parametrize(("version", "join_rule"), RESTRICTED)
@pytest.mark.parametrize("membership", ["absent", "leave", "invite", "ban", "knock", "other", None, ["join"]])
def test_the_authoriser_is_a_joined_member_whatever_its_level(
    version: str, join_rule: str, membership: Any
) -> None:
    room = room_with(version, join_rule, levels(carol=100), carol=membership)
    refuses(authorised_join(room, CAROL), rules.JOIN_RESTRICTED_AUTHORISER)


@pytest.mark.parametrize("membership", ["absent", "leave", "invite", "ban", "knock"])
def test_a_creator_who_is_not_in_the_room_authorises_nobody(membership: str) -> None:
    content = {"room_version": "12", "additional_creators": [CAROL]}
    room = Room("12", content=content)
    room.join(ALICE)
    room.power({"invite": 50})
    room.join_rule("restricted")
    if membership != "absent":
        room.member(CAROL, membership)
    refuses(authorised_join(room, CAROL), rules.JOIN_RESTRICTED_AUTHORISER)
    room.member(CAROL, "join")
    allows(authorised_join(room, CAROL), rules.JOIN_RESTRICTED_ALLOWED)


@pytest.mark.parametrize(("version", "join_rule"), RESTRICTED)
@pytest.mark.parametrize("authoriser", [None, 5, True, "", "alice", "@alice", "alice:a.example", [ALICE], {}])
def test_the_authoriser_is_a_user(version: str, join_rule: str, authoriser: Any) -> None:
    room = room_with(version, join_rule)
    refuses(authorised_join(room, authoriser), rules.JOIN_RESTRICTED_AUTHORISER)


@pytest.mark.parametrize(("version", "join_rule"), RESTRICTED)
def test_a_text_that_is_no_user_id_authorises_nobody_even_if_it_is_a_joined_member(
    version: str, join_rule: str
) -> None:
    room = room_with(version, join_rule)
    room.take(room.make("m.room.member", ALICE, {"membership": "join"}, state_key="foo"))
    refuses(authorised_join(room, "foo"), rules.JOIN_RESTRICTED_AUTHORISER)


@pytest.mark.parametrize(("version", "join_rule"), RESTRICTED)
def test_without_an_authoriser_only_the_invited_and_joined_come_in(version: str, join_rule: str) -> None:
    for membership in ("absent", "leave", "knock"):
        room = room_with(version, join_rule, bob=membership)
        refuses(room.verdict(room.make_member(BOB, "join")), rules.JOIN_RESTRICTED_AUTHORISER)
    for membership in ("invite", "join"):
        room = room_with(version, join_rule, bob=membership)
        allows(room.verdict(room.make_member(BOB, "join")), rules.JOIN_RESTRICTED_ALREADY_IN)


@pytest.mark.parametrize(("version", "join_rule"), RESTRICTED)
def test_the_authorisers_join_must_be_among_the_auth_events(version: str, join_rule: str) -> None:
    room = room_with(version, join_rule)
    more = {"join_authorised_via_users_server": ALICE}
    full = room.make_member(BOB, "join", more=more)
    own = room.state["m.room.member", ALICE].event_id
    cited = [event_id for event_id in full.auth_event_ids if event_id != own]
    event = room.make_member(BOB, "join", more=more, auth=cited)
    refuses(room.verdict(event), rules.JOIN_RESTRICTED_AUTHORISER)
    # In the room's state it would be; both are asked.
    allows(room.verdict(event, room.state), rules.JOIN_RESTRICTED_ALLOWED)


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
        # The join rule has no say, and an invite may follow a knock or another invite.
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
def test_who_is_not_in_the_room_removes_nobody(version: str, membership: Any) -> None:
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
    # Whatever the target's membership: who was never in the room can be removed.
    allows(removal(version, target, bob=40, carol=39, kick=40), rules.LEAVE_LEVEL)
    refuses(removal(version, target, bob=40, carol=40, kick=40), rules.LEAVE_OTHERWISE)
    refuses(removal(version, target, bob=40, carol=41, kick=40), rules.LEAVE_OTHERWISE)
    refuses(removal(version, target, bob=39, carol=0, kick=40), rules.LEAVE_OTHERWISE)
    # The ban level has no say where nobody is banned.
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
def test_who_is_not_in_the_room_bans_nobody(version: str, membership: Any) -> None:
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
    # The kick level has no say.
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
def test_who_knocks_for_another_is_rejected(version: str) -> None:
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


@pytest.mark.parametrize("version", VERSIONS)
def test_third_party_invite_in_what_is_no_invite_means_nothing(version: str) -> None:
    room = room_with(version, bob="absent")
    allows(room.verdict(room.make_member(BOB, "join", more={"third_party_invite": None})), rules.JOIN_PUBLIC)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_target_of_a_membership_need_not_be_a_user_id(version: str) -> None:
    # No rule asks for it. Synapse asks for a colon where the domain of the target is looked at.
    room = room_with(version)
    allows(room.verdict(room.make_member("foo", "invite", by=ALICE)), rules.INVITE_LEVEL)
    allows(room.verdict(room.make_member("", "ban", by=ALICE)), rules.BAN_LEVEL)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_member_event_without_a_membership_is_in_no_membership_state(version: str) -> None:
    # The rules refuse such an event; whoever has it in a state gets an answer all the same.
    room = room_with(version, "invite", power=levels(bob=100))
    room.take(room.make("m.room.member", BOB, {}, state_key=BOB, auth=[]))
    refuses(room.against_state(room.make_member(BOB, "join")), rules.JOIN_OTHERWISE)
    refuses(room.against_state(room.make_member(BOB, "leave")), rules.LEAVE_SELF)
    refuses(room.against_state(room.make("m.room.message", BOB)), rules.SENDER_NOT_JOINED)
    allows(room.against_state(room.make_member(BOB, "invite", by=ALICE)), rules.INVITE_LEVEL)
    refuses(room.against_state(room.make_member(CAROL, "ban", by=BOB)), rules.BAN_SENDER_NOT_JOINED)
