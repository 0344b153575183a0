"""Whether a user may do something, and who may otherwise."""

from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Room, versions_from
from played_rooms import played
from replay.rooms import base_room

from roomver import PartialState, check_against_state
from roomver.explain.actions import Action, draft_of, parse_action
from roomver.explain.answered import Answered, May
from roomver.explain.may import may, present
from roomver.explain.said import said, user
from roomver.replay import replay_room
from roomver.state import EventsOf, Unknown

EVE = "@eve:e.example"


def asked(room: Room, who: str, *words: str, **options: Any) -> May:
    state = {key: one.event_id for key, one in room.state.items()}
    return may(who, parse_action(words, room.state, **options), state, room.events)


def text(answer: May) -> str:
    return "".join(str(part.value) for part in answer.why)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_level_that_is_too_low_names_the_level_needed_and_who_has_it(version: str) -> None:
    room = base_room(version)
    levels = room.power(
        {"users": {BOB: 50} if version == "12" else {ALICE: 100, BOB: 50}, "events": {"m.room.topic": 60}}
    )
    answer = asked(room, BOB, "send", "m.room.topic")
    assert answer.answered is Answered.NO
    assert f"m.room.topic needs level 60 (for this type in {levels.event_id})" in text(answer)
    assert f"{BOB} has level 50" in text(answer)
    assert [one.user for one in answer.able] == [ALICE]
    assert asked(room, ALICE, "send", "m.room.topic").answered is Answered.YES


def test_a_type_is_state_if_the_specification_or_the_room_says_so() -> None:
    room = base_room("11")
    assert asked(room, BOB, "send", "x.state").draft == {"type": "x.state", "content": {}}
    room.add("x.state", ALICE, {}, state_key="")
    assert asked(room, BOB, "send", "x.state").draft == {"type": "x.state", "content": {}, "state_key": ""}
    assert asked(room, BOB, "send", "x.other", "").draft == {
        "type": "x.other",
        "content": {},
        "state_key": "",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_who_may_not_ban_is_told_who_may(version: str) -> None:
    room = base_room(version, **{CAROL: 50})
    room.join(CAROL)
    answer = asked(room, CAROL, "ban", BOB)
    assert answer.answered is Answered.NO
    assert f"{BOB} has level 50" in text(answer)
    assert [one.user for one in answer.able] == [ALICE]
    assert asked(room, ALICE, "ban", BOB).answered is Answered.YES


def test_a_user_with_the_level_who_left_may_after_joining() -> None:
    room = base_room("11", **{CAROL: 60})
    room.member(CAROL, "leave")
    answer = asked(room, EVE, "send", "m.room.topic")
    (carol,) = [one for one in answer.able if one.user == CAROL]
    assert (carol.joined, carol.membership) == (False, "leave")
    assert not answer.able[-1].joined
    room.member(CAROL, "ban", by=ALICE)
    assert CAROL not in {one.user for one in asked(room, EVE, "send", "m.room.topic").able}


def test_a_banned_user_learns_who_may_lift_the_ban_and_an_uninvited_one_who_may_invite() -> None:
    room = base_room("11")
    room.join_rule("invite")
    answer = asked(room, EVE, "join")
    assert (answer.answered, answer.able_to) == (Answered.NO, "invite")
    assert ALICE in {one.user for one in answer.able}
    room.member(EVE, "ban", by=ALICE)
    answer = asked(room, EVE, "join")
    assert (answer.answered, answer.able_to) == (Answered.NO, "unban")
    assert EVE + " is banned" in text(answer)


@pytest.mark.parametrize("version", versions_from(8))
def test_a_restricted_join_depends_on_another_room_and_on_who_vouches(version: str) -> None:
    room = base_room(version)
    allow = [{"type": "m.room_membership", "room_id": "!space:a.example"}, 5, {"type": "x.other"}]
    room.add("m.room.join_rules", ALICE, {"join_rule": "restricted", "allow": allow}, state_key="")
    answer = asked(room, EVE, "join")
    assert (answer.answered, answer.rooms) == (Answered.DEPENDS, ("!space:a.example",))
    assert answer.able_to == "vouch"
    assert ALICE in {one.user for one in answer.able}
    assert "x.other" in str(answer.notes)
    room.member(EVE, "invite", by=ALICE)
    assert asked(room, EVE, "join").answered is Answered.YES


def test_a_restricted_join_by_an_unknown_condition_names_no_room() -> None:
    room = base_room("11")
    rule = {"join_rule": "restricted", "allow": [{"type": "x.other"}]}
    room.add("m.room.join_rules", ALICE, rule, state_key="")
    answer = asked(room, EVE, "join")
    assert (answer.answered, answer.rooms, answer.able_to) == (Answered.DEPENDS, (), "vouch")
    assert "below" not in text(answer)
    assert "if they meet the conditions of the join rule" in text(answer)


def test_nobody_joins_a_restricted_room_in_which_nobody_may_invite() -> None:
    """The room of a public report: its creator may not invite, so nobody can join."""
    room = base_room("11")
    allow = [{"type": "m.room_membership", "room_id": "!space:a.example"}]
    room.add("m.room.join_rules", ALICE, {"join_rule": "restricted", "allow": allow}, state_key="")
    room.power({"users": {ALICE: 100}, "invite": 101})
    answer = asked(room, EVE, "join")
    assert (answer.answered, answer.able) == (Answered.NO, ())
    assert "no joined user may invite" in text(answer)


def test_a_restricted_room_without_a_room_is_for_invited_users() -> None:
    room = base_room("11")
    room.add("m.room.join_rules", ALICE, {"join_rule": "restricted"}, state_key="")
    answer = asked(room, EVE, "join")
    assert (answer.answered, answer.able_to) == (Answered.NO, "invite")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_redaction_that_servers_do_not_apply_is_a_no(version: str) -> None:
    room = base_room(version, **{DAVE: 0})
    message = room.add("m.room.message", ALICE, {"body": "x"})
    room.join(DAVE)
    answer = asked(room, DAVE, "redact", message.event_id, redacts=message)
    assert answer.answered is Answered.NO
    assert ALICE in {one.user for one in answer.able}
    own = room.add("m.room.message", DAVE, {"body": "x"})
    if version not in ("1", "2"):
        assert asked(room, DAVE, "redact", own.event_id, redacts=own).answered is Answered.YES
    assert asked(room, ALICE, "redact", own.event_id, redacts=own).answered is Answered.YES


@pytest.mark.parametrize("version", versions_from(3))
def test_who_may_send_a_redaction_that_servers_do_not_apply_is_not_among_those_who_may(version: str) -> None:
    levels = {"users": {BOB: 30} if version == "12" else {ALICE: 100, BOB: 30}}
    room = base_room(version)
    room.power({**levels, "events": {"m.room.redaction": 30}, "redact": 50})
    target = room.add("m.room.message", ALICE, {})
    answer = asked(room, EVE, "redact", target.event_id, redacts=target)
    assert (answer.answered, answer.able_to) == (Answered.NO, "do it")
    assert [one.user for one in answer.able] == [ALICE]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who", [ALICE, BOB, EVE])
def test_nobody_may_create_a_room_again(version: str, who: str) -> None:
    room = base_room(version)
    for key in ("", "x"):
        content = {**room.create.content}
        answer = asked(room, who, "send", "m.room.create", key, content=content)
        assert (answer.answered, answer.able) == (Answered.NO, ())


def test_levels_above_ones_own_are_refused_and_the_present_ones_are_kept() -> None:
    room = base_room("11", **{BOB: 50})
    assert asked(room, BOB, "set-level", CAROL, "51").answered is Answered.NO
    answer = asked(room, BOB, "set-level", CAROL, "50")
    assert answer.answered is Answered.YES
    assert answer.draft is not None
    now: Any = room.state["m.room.power_levels", ""].content
    assert answer.draft["content"] == {**now, "users": {**now["users"], CAROL: 50}}
    assert asked(room, BOB, "set-level", "ban", "60").answered is Answered.NO
    assert asked(room, ALICE, "set-level", "m.room.topic", "60").answered is Answered.YES


@pytest.mark.parametrize(
    "words",
    [
        ("fly",),
        ("kick",),
        ("kick", "bob"),
        ("join", "@a:b"),
        ("set-level", "@x:y", "high"),
        ("set-level", "@x", "1"),
        ("set-level", "ban", str(2**60)),
        ("send", "m.room.member", "@a:b"),
        ("send",),
    ],
)
def test_an_action_that_is_not_one_says_so(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"action|expected|not a|memberships?"):
        parse_action(words, {})


def test_unknown_entries_leave_the_answer_unknown_and_others_do_not() -> None:
    room = base_room("11")
    known = {key: one.event_id for key, one in room.state.items() if key != ("m.room.member", BOB)}
    state = PartialState(known, [Unknown("members omitted", keys=frozenset([("m.room.member", BOB)]))])
    action = parse_action(("send", "m.room.topic"), room.state)
    answer = may(BOB, action, state, room.events)
    assert (answer.answered, answer.unknown) == (Answered.UNKNOWN, (("m.room.member", BOB),))
    assert may(ALICE, action, state, room.events).answered is Answered.YES
    answer = may(EVE, action, state, room.events)
    assert (answer.answered, answer.able_known) == (Answered.NO, False)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_users_who_may_are_those_whom_the_rules_allow_one_by_one(version: str) -> None:
    """The rules are asked for one user of each level. Here they are asked for each."""
    for seed in range(4):
        events = played(Random(f"{version}/may/{seed}"), version, 40, odd=True)
        replayed = replay_room(events)
        state = replayed.current_state
        assert isinstance(state, dict)
        here = EventsOf(state, replayed.events)
        create = here["m.room.create", ""]
        joined = [
            u
            for (k, u), e in state.items()
            if k == "m.room.member" and here[k, u].content.get("membership") == "join"
        ]
        for words in (
            ("send", "m.room.topic"),
            ("send", "m.room.message"),
            ("send", "x.y", BOB),
            ("kick", BOB),
            ("ban", CAROL),
            ("invite", EVE),
            ("set-level", BOB, "30"),
        ):
            action: Action = parse_action(words, here)
            answer = may(EVE, action, state, replayed.events)
            right = {
                u for u in joined if check_against_state(draft_of(action, u, here, create), here).allowed
            }
            assert answer.answered is Answered.YES or {one.user for one in answer.able if one.joined} == right


def test_words_of_others_keep_their_tense() -> None:
    sentence = present(said("{who} was joined and had level 0", who=user("@was:had")))
    assert [part.value for part in sentence] == ["@was:had", " is joined and has level 0"]
