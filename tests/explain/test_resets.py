"""State resets: which check decided, and whether somebody meant it."""

from random import Random

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Room
from played_rooms import played
from replay.rooms import TOPIC, Branches, banned_beside_a_topic, base_room, ids

from roomver import Event, check_against_state
from roomver.explain.intent import IntentFinder, MergeIntents
from roomver.explain.resets import ExplainedReset, Intent, Now, explain_resets, unsearched
from roomver.explain.tried import TriedStates
from roomver.replay import replay_room
from roomver.resolution import Resolution
from roomver.room_check import RoomCheck

from .rooms import checked

LEVELS = ("m.room.power_levels", "")


def found_in(room: Room) -> RoomCheck:
    return checked(room.events.values(), room.version.identifier)


def only(found: RoomCheck, key: tuple[str, str]) -> ExplainedReset:
    (one,) = [one for one in explain_resets(found) if one.key == key]
    return one


def words(one: ExplainedReset) -> str:
    return "".join(str(part.value) for part in one.why)


def cause_words(one: ExplainedReset) -> str:
    return "".join(str(part.value) for part in one.cause)


def users(room: Room, **levels: int) -> dict[str, int]:
    found = {ALICE: 100, BOB: 50, CAROL: 50} | {{"bob": BOB, "carol": CAROL}[k]: v for k, v in levels.items()}
    if room.version.identifier == "12":
        del found[ALICE]
    return found


def topics(version: str) -> tuple[Room, Event, Branches]:
    """A room with a topic by Alice, and branches from there."""
    room = base_room(version)
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    return room, old, Branches(room)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("act", ["ban", "kick", "leave", "demotion"])
def test_a_change_is_undone_as_designed_if_its_sender_lost_the_right_elsewhere(
    version: str, act: str
) -> None:
    room, old, fork = topics(version)
    with fork.side():
        match act:
            case "ban":
                cause = room.member(BOB, "ban", by=ALICE)
            case "kick":
                cause = room.member(BOB, "leave", by=ALICE)
            case "leave":
                cause = room.member(BOB, "leave")
            case _:
                cause = room.power({"users": users(room, bob=0)})
                # Another change of the levels does not hide the demotion.
                room.power({"users": users(room, bob=0, carol=49)})
    with fork.side():
        new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    merge = fork.merge()
    one = only(found_in(room), TOPIC)
    assert (one.lost, one.restored, one.merge) == (new.event_id, old.event_id, merge.event_id)
    assert (one.intent, one.act) == (Intent.DESIGNED, cause.event_id)
    assert one.checked == new.event_id
    assert one.verdict is not None
    assert one.verdict.rule.name == ("required_level" if act == "demotion" else "sender.not_joined")
    assert {(side.known, side.value) for side in one.sides} == {(True, old.event_id), (True, new.event_id)}
    assert [side.after for side in one.sides] == [end.event_id for end in fork.ends]
    told = {
        "ban": f"{ALICE} banned {BOB}",
        "kick": f"{ALICE} removed {BOB}",
        "leave": f"{BOB} left",
        "demotion": f"{ALICE} demoted {BOB} from 50 to 0",
    }
    assert cause_words(one) == f"{told[act]} on another branch ({cause.event_id})"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kick_is_undone_as_designed_if_its_sender_was_banned_elsewhere(version: str) -> None:
    room = base_room(version)
    joined = room.member(DAVE, "join")
    fork = Branches(room)
    with fork.side():
        ban = room.member(BOB, "ban", by=ALICE)
    with fork.side():
        kick = room.member(DAVE, "leave", by=BOB)
    fork.merge()
    one = only(found_in(room), ("m.room.member", DAVE))
    assert (one.lost, one.restored) == (kick.event_id, joined.event_id)
    if version == "1":
        # The members are resolved in one pass, during which the state does not have Bob's at all.
        assert (one.intent, one.act) == (Intent.UNINTENDED, None)
        assert "had no member event" in words(one)
        assert "because version 1 resolves it in the same pass" in words(one)
    else:
        assert (one.intent, one.act) == (Intent.DESIGNED, ban.event_id)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_an_invite_is_undone_as_designed_if_its_sender_was_banned_elsewhere(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    with fork.side():
        ban = room.member(BOB, "ban", by=ALICE)
    with fork.side():
        invite = room.member(DAVE, "invite", by=BOB)
    fork.merge()
    one = only(found_in(room), ("m.room.member", DAVE))
    assert (one.lost, one.restored) == (invite.event_id, None)
    assert (one.intent, one.act) == (Intent.DESIGNED, ban.event_id)


@pytest.mark.parametrize("version", VERSIONS)
def test_nobody_meant_to_undo_the_change_of_a_user_whose_promotion_lost(version: str) -> None:
    """Alice promotes Dave on one branch, and changes something else on the other. The latter wins."""
    room, old, fork = topics(version)
    room.member(DAVE, "join")
    fork = Branches(room)
    with fork.side():
        promoted = room.power({"users": {**users(room), DAVE: 50}}, origin_server_ts=1)
        new = room.add("m.room.topic", DAVE, {"topic": "new"}, state_key="")
    with fork.side():
        for _ in range(4):  # version 1 prefers the deeper one
            room.add("m.room.message", ALICE, {})
        other = room.power({"users": users(room), "kick": 49}, origin_server_ts=2)
    fork.merge()
    one = only(found_in(room), TOPIC)
    assert (one.lost, one.restored) == (new.event_id, old.event_id)
    assert (one.intent, one.act) == (Intent.UNINTENDED, None)
    assert promoted.event_id in words(one)
    assert other.event_id in words(one)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_change_falls_as_designed_with_a_promotion_that_was_refused_as_designed(version: str) -> None:
    """Bob, who may, promotes Dave on one branch. On the other one Alice bans Bob."""
    room = base_room(version, **{BOB: 90})
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    room.member(DAVE, "join")
    fork = Branches(room)
    with fork.side():
        room.power({"users": {**users(room, bob=90), DAVE: 50}}, by=BOB)
        new = room.add("m.room.topic", DAVE, {"topic": "new"}, state_key="")
    with fork.side():
        ban = room.member(BOB, "ban", by=ALICE)
    fork.merge()
    explained = explain_resets(found_in(room))
    assert [(one.key, one.intent, one.act) for one in explained] == [
        (LEVELS, Intent.DESIGNED, ban.event_id),
        (TOPIC, Intent.DESIGNED, ban.event_id),
    ]
    assert (explained[1].lost, explained[1].restored) == (new.event_id, old.event_id)


@pytest.mark.parametrize("version", VERSIONS)
def test_nobody_meant_to_remove_those_who_joined_before_a_join_rule(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    with fork.side():
        joined = room.member(DAVE, "join")
    with fork.side():
        rule = room.join_rule("invite")
    merge = fork.merge()
    found = found_in(room)
    if version == "1":  # a key that only one branch has is not in conflict
        assert explain_resets(found) == ()
        return
    one = only(found, ("m.room.member", DAVE))
    assert (one.lost, one.restored, one.merge) == (joined.event_id, None, merge.event_id)
    assert (one.intent, one.act) == (Intent.UNINTENDED, None)
    assert rule.event_id in words(one)
    assert cause_words(one) == f"{ALICE} set the join rule to invite on another branch ({rule.event_id})"


@pytest.mark.parametrize("version", VERSIONS[1:11])
def test_nobody_meant_to_check_a_change_against_a_state_that_is_newer(version: str) -> None:
    """Problem A of MSC4297: Carol's topic is tried on a state in which she has left, after it."""
    room = base_room(version)
    old = room.add("m.room.topic", BOB, {"topic": "old"}, state_key="")
    fork = Branches(room)
    new = room.add("m.room.topic", CAROL, {"topic": "new"}, state_key="")
    left = room.member(CAROL, "leave")
    fork.end()
    with fork.side():
        other = room.take(room.make("m.room.message", ALICE, {}, prev=[left, "$gone"]))
    there = {**ids(fork.state), ("m.room.member", CAROL): left.event_id, TOPIC: old.event_id}
    room.state = dict(fork.state)
    room.take(room.make("m.room.message", ALICE, {}, prev=fork.ends))
    found = found_in(room)
    found.replay = replay_room(room.events.values(), given={other.event_id: there})
    one = only(found, TOPIC)
    assert (one.lost, one.intent, one.act, one.kept_by_v2_1) == (new.event_id, Intent.UNINTENDED, None, True)
    assert left.event_id in words(one)


@pytest.mark.parametrize("version", ["2", "11", "12"])
def test_nobody_meant_an_order_that_puts_the_older_value_last(version: str) -> None:
    """The new topic relies on older power levels, so it is tried first, and the old one replaces it."""
    room = base_room(version)
    first = room.state[LEVELS]
    second = room.power({"users": users(room), "kick": 40})
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = Branches(room)
    with fork.side():
        cited = [room.state["m.room.member", BOB], *([] if version == "12" else [room.create])]
        new = room.add(
            "m.room.topic", BOB, {"topic": "new"}, state_key="", auth=[*cited, first], origin_server_ts=1
        )
    with fork.side():
        room.member(CAROL, "leave")
    fork.merge()
    one = only(found_in(room), TOPIC)
    assert second.event_id != first.event_id
    assert (one.lost, one.restored, one.intent) == (new.event_id, old.event_id, Intent.UNINTENDED)
    assert one.verdict is None
    assert one.checked == old.event_id
    assert "in its place" in words(one)


def test_version_1_stops_at_the_first_event_that_it_refuses() -> None:
    """Bob's power levels are refused, because his membership is in conflict. Alice's are deeper."""
    room = base_room("1")
    old = room.state[LEVELS]
    fork = Branches(room)
    with fork.side():
        refused = room.power({"users": users(room), "kick": 40}, by=BOB)
    with fork.side():
        room.add("m.room.message", ALICE, {})
        new = room.power({"users": users(room), "kick": 41})
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    fork.merge()
    explained = {one.lost: one for one in explain_resets(found_in(room)) if one.key == LEVELS}
    assert {*explained} == {refused.event_id, new.event_id}
    one = explained[new.event_id]
    assert (one.restored, one.intent, one.checked) == (old.event_id, Intent.UNINTENDED, refused.event_id)
    assert one.verdict is not None
    assert one.verdict.rule.name == "sender.not_joined"
    assert "did not try" in words(one)


def test_nobody_meant_to_undo_a_promotion_that_an_older_state_forgot() -> None:
    """A state from elsewhere has the oldest power levels. Those that came between are not tried."""
    room, _, fork = topics("11")
    old = dict(room.state)
    room.power({"users": {**users(room), BOB: 75}})
    lost = room.power({"users": {**users(room), BOB: 75, CAROL: 60}}, BOB)
    room.member(DAVE, "join")
    fork = Branches(room)
    with fork.side():
        room.add("m.room.message", ALICE, {})
    with fork.side():
        message = room.add("m.room.message", DAVE, {}, prev=["$gone"])
        room.state = {**room.state, LEVELS: old[LEVELS]}
        state = ids(room.state)
    fork.merge()
    found = found_in(room)
    found.replay = replay_room(room.events.values(), given={message.event_id: state})
    one = only(found, LEVELS)
    assert (one.lost, one.intent, one.act) == (lost.event_id, Intent.UNINTENDED, None)
    assert words(one).endswith(". No ban, removal or demotion of another branch took that right away")


def test_a_bound_leaves_resets_unclassified() -> None:
    room, _, _ = topics("11")
    banned_beside_a_topic(room)
    (one,) = explain_resets(found_in(room), 0)
    assert (one.intent, one.sides, one.act) == (Intent.UNKNOWN, (), None)


def traced(found: RoomCheck) -> list[Resolution]:
    return [found.replay.resolution_at(merge.event_id) for merge in found.replay.merges]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_of_each_check_is_rebuilt(version: str) -> None:
    """The rules say the same about an event in the rebuilt state as they said in the resolution."""
    rebuilt = 0
    for seed in range(12):
        found = checked(played(Random(f"{version}/{seed}"), version, 40, odd=seed % 2 == 1), version)
        for resolution in traced(found):
            assert resolution.steps is not None
            tried = TriedStates(resolution.steps, found.replay.events, found.replay.rejected)
            for check in resolution.steps.checks:
                if check.verdict is None or tried.check_of(check.event_id) is not check:
                    continue
                state = tried.state_of(check)
                assert state is not None
                event = found.replay.events[check.event_id]
                assert check_against_state(event, state) == check.verdict
                rebuilt += 1
    assert rebuilt > 20


@pytest.mark.parametrize("version", VERSIONS)
def test_every_reset_of_random_rooms_is_explained(version: str) -> None:
    classes = set()
    for seed in range(30):
        found = checked(played(Random(f"{version}/{seed}"), version, 50, odd=seed % 2 == 1), version)
        explained = explain_resets(found)
        assert sorted((one.merge or "", one.key, one.lost) for one in explained) == sorted(
            (one.merge or "", one.key, one.lost) for one in found.replay.resets()
        )
        for one in explained:
            classes.add(one.intent)
            assert (one.act is not None) == (one.intent is Intent.DESIGNED)
            if one.act is not None:
                act = found.replay.events[one.act]
                assert act.type in ("m.room.member", "m.room.power_levels")
    assert Intent.DESIGNED in classes
    assert Intent.UNKNOWN not in classes


def test_what_missing_events_leave_open_is_not_classified() -> None:
    room, old, fork = topics("11")
    with fork.side():
        ban = room.member(BOB, "ban", by=ALICE)
    with fork.side():
        assert room.last is not None
        message = room.add("m.room.message", ALICE, {}, prev=[room.last, "$gone"])
        state = ids(room.state)
        new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    fork.merge()
    found = found_in(room)
    found.replay = replay_room(room.events.values(), given={message.event_id: state})
    one = only(found, TOPIC)
    assert (one.lost, one.restored) == (new.event_id, old.event_id)
    # The missing event may have followed the ban.
    assert (one.intent, one.act) == (Intent.UNKNOWN, None)
    assert ban.event_id in words(one)
    assert "because events are missing" in words(one)


def test_the_searches_for_ancestors_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    room, _, _ = topics("11")
    banned_beside_a_topic(room)
    monkeypatch.setattr("roomver.explain.branches._STEPS", 0)
    assert only(found_in(room), TOPIC).intent is Intent.UNKNOWN


def test_version_1_takes_the_deepest_event_first_whatever_its_depth_means() -> None:
    room, old, fork = topics("1")
    with fork.side():
        new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="", depth=1)
    with fork.side():
        room.add("m.room.name", ALICE, {"name": "x"}, state_key="")
    fork.merge()
    one = only(found_in(room), TOPIC)
    assert (one.lost, one.restored, one.intent) == (new.event_id, old.event_id, Intent.UNINTENDED)
    assert (one.checked, one.verdict) == (old.event_id, None)
    assert f"because it took {old.event_id} first" in words(one)


@pytest.mark.parametrize("version", ["2", "11"])
def test_a_long_chain_of_promotions_falls_with_its_first(version: str) -> None:
    """Bob, whom Alice bans on the other branch, promotes Dave, who changes the levels again and again."""
    room = base_room(version, **{BOB: 90})
    room.member(DAVE, "join")
    fork = Branches(room)
    with fork.side():
        for number in range(60):
            by = BOB if not number else DAVE
            room.power({"users": {**users(room, bob=90), DAVE: 80}, "kick": 20 + number}, by=by)
    with fork.side():
        ban = room.member(BOB, "ban", by=ALICE)
    fork.merge()
    one = only(found_in(room), LEVELS)
    # Only so many refusals are followed.
    assert (one.intent, one.act) in ((Intent.UNKNOWN, None), (Intent.DESIGNED, ban.event_id))
    assert len(words(one)) < 3_000


@pytest.mark.parametrize("version", ["1", "11"])
def test_a_demotion_that_replaced_missing_levels_is_not_classified(version: str) -> None:
    """Without them, the defaults would say whether the sender had the right before."""
    room = base_room(version, **{BOB: 50})
    fork = Branches(room)
    with fork.side():
        topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    with fork.side():
        demotion = room.power({"users": {ALICE: 100}})
    fork.merge()
    finder = IntentFinder(found_in(room))
    levels = demotion.auth_event_ids
    state = {(e.type, e.state_key or ""): e for e in room.events.values() if e.state_key is not None}
    for gone, expected in (((), (demotion.event_id, True)), (levels, (None, False))):
        judging = MergeIntents.__new__(MergeIntents)
        judging._branches = finder.branches
        judging._events = {e: one for e, one in room.events.items() if e not in gone}
        assert judging._act(topic, demotion, state) == expected


def test_a_raised_level_is_told_as_the_cause() -> None:
    room, _, fork = topics("11")
    with fork.side():
        raised = room.power({"users": users(room), "events": {"m.room.topic": 60}})
    with fork.side():
        room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    fork.merge()
    one = only(found_in(room), TOPIC)
    told = f"{ALICE} raised the level for m.room.topic from 50 to 60 on another branch ({raised.event_id})"
    assert cause_words(one) == told


def test_a_raised_level_for_members_is_told_by_its_name() -> None:
    room, _, fork = topics("11")
    with fork.side():
        raised = room.power({"users": users(room), "invite": 60})
    with fork.side():
        room.member(DAVE, "invite", by=BOB)
    fork.merge()
    one = only(found_in(room), ("m.room.member", DAVE))
    told = f"{ALICE} raised the level for invite from 0 to 60 on another branch ({raised.event_id})"
    assert (cause_words(one), one.act) == (told, raised.event_id)


def test_whether_a_lost_change_still_matters() -> None:
    room, old, fork = topics("11")
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    with fork.side():
        new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    merge = fork.merge()
    one = only(found_in(room), TOPIC)
    assert (one.now, one.current) == (Now.LOST, old.event_id)
    # Somebody sets a value after the merge.
    room.state[TOPIC] = old
    room.last = merge
    later = room.add("m.room.topic", ALICE, {"topic": "later"}, state_key="")
    found = found_in(room)
    one = only(found, TOPIC)
    assert (one.lost, one.now, one.current) == (new.event_id, Now.REPLACED, later.event_id)
    assert unsearched(found) == []
    # The state after a missing event is unknown.
    room.add("m.room.message", ALICE, {}, prev=[later, "$gone"])
    found = found_in(room)
    one = only(found, TOPIC)
    assert (one.now, one.current) == (Now.UNKNOWN, None)
    assert unsearched(found)


def test_a_change_that_a_later_merge_brought_back_is_in_force_again() -> None:
    room, old, fork = topics("11")
    with fork.side():
        new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    merge = fork.merge()
    end = room.add("m.room.message", ALICE, {}, prev=[merge, "$gone"])
    for value, now in ((new, Now.BACK), (old, Now.LOST)):
        found = found_in(room)
        entries = {**ids(fork.state), TOPIC: value.event_id}
        found.replay = replay_room(room.events.values(), given={end.event_id: entries})
        one = only(found, TOPIC)
        assert (one.lost, one.now, one.current) == (new.event_id, now, value.event_id)
