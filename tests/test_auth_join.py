"""The authorisation rules on joins. Tests are named after the specification's sentences on the
pages of the room versions."""

from typing import Any

import pytest
from auth_rooms import JOIN_RULES, MEMBERSHIPS, levels, room_with
from builder import ALICE, BOB, CAROL, VERSIONS, Room, allows, refuses, versions_from

from roomver import Verdict, rules
from roomver.rules import Rule

# If membership is join


@pytest.mark.parametrize("version", VERSIONS)
def test_if_the_only_previous_event_is_the_create_event_and_the_state_key_is_the_creator_allow(
    version: str,
) -> None:
    room = Room(version)
    allows(room.verdict(room.make_member(ALICE, "join")), rules.JOIN_CREATOR)
    # The sender may be anyone. gomatrixserverlib requires the creator.
    allows(room.verdict(room.make_member(ALICE, "join", by=BOB)), rules.JOIN_CREATOR)
    # The rule is only on joins of the creator.
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
    # After another event the common rules apply, and allow the join of a member.
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
    # The rule does not apply to additional creators.
    refuses(room.verdict(room.make_member(BOB, "join")), rules.JOIN_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_banned_creator_may_come_back_right_after_the_create_event(version: str) -> None:
    # This follows from the order of the rules. Only a fork from the very start of the room can do it.
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
    """Return the rule that decides on a join, by join rule and version."""
    is_in = membership in ("join", "invite")
    if membership == "ban":
        return rules.JOIN_BANNED
    if join_rule in ("absent", "missing"):
        # The specification is silent. Synapse and gomatrixserverlib do this.
        join_rule = "invite"
    if join_rule == "public":
        return rules.JOIN_PUBLIC
    if join_rule == "invite" or (join_rule == "knock" and version >= 7):
        return rules.JOIN_INVITED if is_in else rules.JOIN_OTHERWISE
    if (join_rule == "restricted" and version >= 8) or (join_rule == "knock_restricted" and version >= 10):
        if is_in:
            return rules.JOIN_RESTRICTED_ALREADY_IN
        return rules.JOIN_RESTRICTED_ALLOWED if authorised else rules.JOIN_RESTRICTED_AUTHORISER
    # An unknown join rule lets nobody in, invited or not. Synapse and ruma do the same.
    return rules.JOIN_OTHERWISE


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
def test_an_unknown_join_rule_lets_nobody_in(version: str, join_rule: Any) -> None:
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
def test_the_authoriser_is_joined_whatever_their_level(version: str, join_rule: str, membership: Any) -> None:
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
def test_an_invalid_user_id_authorises_nobody_even_if_it_is_joined(version: str, join_rule: str) -> None:
    room = room_with(version, join_rule)
    room.take(room.make("m.room.member", ALICE, {"membership": "join"}, state_key="foo"))
    refuses(authorised_join(room, "foo"), rules.JOIN_RESTRICTED_AUTHORISER)


@pytest.mark.parametrize(("version", "join_rule"), RESTRICTED)
def test_without_an_authoriser_only_invited_and_joined_users_join(version: str, join_rule: str) -> None:
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
    # The room's state has it; a server checks against both.
    allows(room.verdict(event, room.state), rules.JOIN_RESTRICTED_ALLOWED)
