"""Why an event has its outcome."""

from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import played
from replay.rooms import TOPIC, Branches, base_room, ids

from roomver import Event, parse_event, replay_room
from roomver.explain.event import explain_event, explain_left_out
from roomver.explain.explained import Explained
from roomver.explain.judged import Judged
from roomver.explain.said import PartKind
from roomver.findings import Finding, FindingKind, Reason
from roomver.known_states import Beliefs
from roomver.replay import Status
from roomver.room_check import RoomCheck

from .rooms import checked


def text(explained: Explained) -> str:
    return "".join(
        f"<{part.value}>" if part.kind is PartKind.EVENT else str(part.value) for part in explained.why
    )


def found_in(room: Room) -> RoomCheck:
    return checked(room.events.values(), room.version.identifier)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_soft_failed_event_names_what_the_current_state_had(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    ban = room.member(BOB, "ban", by=ALICE)
    fork.branch()
    topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    explained = explain_event(found_in(room), topic.event_id)
    assert explained.judged is Judged.SOFT_FAILED
    assert text(explained).startswith(
        f"<{topic.event_id}> was soft-failed: when it arrived, the current state already said that {BOB} was"
        f" banned (<{ban.event_id}>), and only joined users may send it."
    )
    assert [check.result for check in explained.checks] == ["allowed", "allowed", "refused"]
    (member,) = [fact for fact in explained.checks[2].facts if fact.what == "sender's membership"]
    assert (member.user, member.value, member.event_id) == (BOB, "ban", ban.event_id)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chain_of_rejected_events_goes_back_to_the_first(version: str) -> None:
    room = base_room(version)
    levels = room.make_power({"users": {BOB: 100}}, by=BOB)
    room.take(levels)
    room.member(CAROL, "leave", by=BOB)
    last = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    chain = explain_event(found_in(room), last.event_id)
    assert chain.judged is Judged.REJECTED
    assert chain.refused[-1] == levels.event_id
    assert f"because it cites <{levels.event_id}>, which was rejected too. That one was rejected" in text(
        chain
    )
    longer = room.add("m.room.message", CAROL, {})
    explained = explain_event(found_in(room), longer.event_id)
    assert explained.refused[-1] == levels.event_id
    assert f"the first: <{levels.event_id}>" in text(explained) or len(explained.refused) == 1


def test_a_join_that_was_refused_explains_why_its_sender_is_not_in_the_room() -> None:
    room = base_room("11")
    room.join_rule("invite")
    join = room.member("@eve:e.example", "join")
    room.state.pop(("m.room.member", "@eve:e.example"))
    message = room.add("m.room.message", "@eve:e.example", {})
    explained = explain_event(found_in(room), message.event_id)
    assert explained.judged is Judged.REJECTED
    assert f"An earlier join, <{join.event_id}>, did not count" in text(explained)
    assert "That one was rejected by its own auth events: the join rule was invite" in text(explained)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_change_that_a_merge_undid_says_so(version: str) -> None:
    room = base_room(version)
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = Branches(room)
    new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    fork.end()
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    merge = fork.merge()
    explained = explain_event(found_in(room), new.event_id)
    assert explained.judged is Judged.ACCEPTED
    assert explained.change is not None
    assert explained.change.key == TOPIC
    assert (explained.change.before, explained.change.now) == (old.event_id, old.event_id)
    assert explained.change.undone == ((merge.event_id, old.event_id),)
    undone = f"State resolution undid it at the merge before <{merge.event_id}>: <{old.event_id}> came back."
    assert undone in text(explained)
    joint = explain_event(found_in(room), merge.event_id).joint
    assert joint is not None
    assert (joint.conflicted, joint.resets) == (2, 1)


def test_a_soft_failed_event_did_not_replace_the_current_value() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    fork = Branches(room)
    room.member(BOB, "ban", by=ALICE)
    fork.branch()
    failed = room.add("m.room.topic", BOB, {"topic": "y"}, state_key="")
    found = found_in(room)
    assert failed.event_id in found.replay.soft_failed
    explained = explain_event(found, topic.event_id)
    assert text(explained).endswith("had no value before it. It is the current value.")
    assert explained.change is not None
    assert explained.change.replaced_by == ()


def test_a_value_that_was_replaced_on_one_branch_only_is_current_all_the_same() -> None:
    room = base_room("11")
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = Branches(room)
    room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    fork.end()
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    fork.merge()
    assert text(explain_event(found_in(room), old.event_id)).endswith("It is the current value all the same.")


def test_a_refused_join_before_a_later_kick_is_not_why_its_sender_is_not_in_the_room() -> None:
    room = base_room("11")
    room.join_rule("invite")
    state = dict(room.state)
    refused = room.member("@eve:e.example", "join")
    room.state = state
    room.member("@eve:e.example", "invite", by=ALICE)
    kick = room.member("@eve:e.example", "leave", by=ALICE)
    message = room.add("m.room.message", "@eve:e.example", {})
    found = found_in(room)
    assert not found.replay.outcomes[refused.event_id].accepted
    explained = explain_event(found, message.event_id)
    assert explained.judged is Judged.REJECTED
    assert f"<{kick.event_id}>" in text(explained)
    assert "An earlier join" not in text(explained)


def test_an_undecided_event_names_what_is_missing() -> None:
    room = base_room("11")
    gone = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    message = room.add("m.room.message", ALICE, {})
    events = [one for one in room.events.values() if one is not gone]
    explained = explain_event(checked(events, "11"), message.event_id)
    assert (explained.judged, explained.missing) == (Judged.UNDECIDED, (gone.event_id,))
    assert f"the state before it is unknown: <{gone.event_id}> is missing" in text(explained)
    assert explained.lacks


def test_what_a_server_recorded_is_followed_and_told() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    levels = room.add("m.room.power_levels", BOB, {"users": {BOB: 100}}, state_key="")
    held = Beliefs(rejected=frozenset([topic.event_id]), soft_failed=frozenset())
    events = list(room.events.values())
    found = checked(events, "11", beliefs=held, as_recorded=True)
    rejected = explain_event(found, topic.event_id, "rejected")
    assert rejected.judged is Judged.REJECTED
    assert "counts as rejected, because the server that recorded the room did so" in text(rejected)
    assert f"By the rules, it was accepted: {ALICE} was joined" in text(rejected)
    accepted = explain_event(found, levels.event_id, "accepted")
    assert accepted.judged is Judged.ACCEPTED
    assert "By the rules, it was rejected by its own auth events" in text(accepted)
    differs = explain_event(checked(events, "11", beliefs=held), topic.event_id, "rejected")
    assert "decided otherwise: it rejected it" in text(differs)


def test_a_redacted_event_names_the_redaction() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    redaction = room.add("m.room.redaction", ALICE, {}, redacts=topic.event_id)
    room.add("m.room.redaction", CAROL, {}, redacts="$other")
    explained = explain_event(found_in(room), topic.event_id)
    assert explained.redacted_by == (redaction.event_id,)
    assert f"<{redaction.event_id}> redacted it." in text(explained)


def test_an_event_of_another_room_is_dropped() -> None:
    room, other = base_room("11"), Room("11", name="other", signed=False)
    found = checked([*room.events.values(), other.create], "11")
    explained = explain_event(found, other.create.event_id)
    assert explained.judged is Judged.DROPPED


@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_every_event_of_a_random_room_is_explained_as_it_was_judged(version: str, seed: int) -> None:
    rng = Random(seed)
    events = played(rng, version, 25, odd=True)
    if rng.randrange(2):
        events = [one for one in events if rng.randrange(15)] or events
    found = checked(events, version)
    expected = {
        Status.ACCEPTED: {Judged.ACCEPTED, Judged.SOFT_FAILED},
        Status.UNDECIDED: {Judged.UNDECIDED},
    }
    for event_id, outcome in found.replay.outcomes.items():
        explained = explain_event(found, event_id)
        assert explained.judged in expected.get(outcome.status, {Judged.REJECTED})
        assert (explained.judged is Judged.SOFT_FAILED) == (event_id in found.replay.soft_failed)
        assert text(explained).startswith(f"<{event_id}> ")
        for refused in explained.refused:
            assert not found.replay.outcomes[refused].accepted
        assert explained.judged is not Judged.UNDECIDED or explained.lacks
        assert explained == explain_event(found, event_id)


def test_what_is_left_out_is_dropped_or_undecided() -> None:
    malformed = Finding(FindingKind.MALFORMED, tuple(Reason("x", str(n)) for n in range(5)))
    dropped = explain_left_out(None, malformed)
    assert (dropped.judged, dropped.event_id) == (Judged.DROPPED, None)
    assert text(dropped).startswith("The event malformed: x: 0; x: 1; x: 2; and 2 more.")
    damaged = Finding(FindingKind.DAMAGED_ROW, (Reason("", "it ends early"),))
    undecided = explain_left_out("$x", damaged, "accepted")
    assert undecided.judged is Judged.UNDECIDED
    assert "Nothing tells what its server had there. The server that recorded the room accepted it." in text(
        undecided
    )


@pytest.mark.parametrize(
    ("signatures", "told"),
    [
        ({"one.example": {"ed25519:1": "A"}}, "It is signed only by one.example."),
        ({name: {"ed25519:1": "A"} for name in ("b", "a")}, "It is signed by a, b."),
        ({f"{n}.example": {"ed25519:1": "A"} for n in range(12)}, "7.example and 2 more."),
        ({}, "It has no signature."),
        ({"one.example": {}, "a.example": {}}, "It has no signature."),
    ],
)
def test_an_event_that_is_left_out_for_its_signatures_says_who_signed_it(signatures: Any, told: str) -> None:
    message = base_room("11").add("m.room.message", ALICE, {"body": "hello"})
    missing = Finding(FindingKind.SIGNATURE_MISSING, (Reason("signatures", "a.example must sign"),))
    unsigned = Event.trusted({**message.pdu, "signatures": signatures}, "11", message.event_id)
    said = text(explain_left_out(message.event_id, missing, "", unsigned))
    assert "as if it had never been received." in said
    assert said.endswith(told)


def test_an_event_of_a_given_state_was_accepted_by_the_server_that_gave_it() -> None:
    room = base_room("11")
    name = room.add("m.room.name", ALICE, {"name": "x"}, state_key="", prev=["$gone"])
    message = room.add("m.room.message", ALICE, {}, prev=["$away"])
    found = found_in(room)
    found.replay = replay_room(room.events.values(), given={message.event_id: ids(room.state)})
    explained = explain_event(found, name.event_id)
    assert explained.judged is Judged.ACCEPTED
    assert "was accepted: a server gave a state that has it" in text(explained)
    assert [check.result for check in explained.checks][:2] == ["allowed", "not made"]


def test_a_change_that_several_merges_undid_says_how_many() -> None:
    room = base_room("11")
    room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = Branches(room)
    new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    fork.end()
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    fork.merge()
    room.add("m.room.message", ALICE, {}, prev=fork.ends)
    explained = explain_event(found_in(room), new.event_id)
    assert explained.change is not None
    assert len(explained.change.undone) == 2
    assert "1 other merge undid it too." in text(explained)


def test_a_content_that_does_not_match_its_hash_is_said() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    changed = parse_event({**topic.pdu, "content": {"topic": "y"}}, "11", event_id=topic.event_id)
    room.events[topic.event_id] = changed
    explained = explain_event(found_in(room), topic.event_id)
    assert explained.judged is Judged.ACCEPTED
    assert explained.checks[0].result == "redacted form used"
    assert "only its redacted form is used" in text(explained)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_that_does_not_cite_what_allows_it_names_that(version: str) -> None:
    room = base_room(version)
    levels = room.state["m.room.power_levels", ""].event_id
    join = room.state["m.room.member", BOB].event_id
    auth = [] if version == "12" else [room.state["m.room.create", ""].event_id]
    message = room.add("m.room.message", BOB, {"body": "x"}, auth=[*auth, levels])
    explained = explain_event(found_in(room), message.event_id)
    assert explained.judged is Judged.REJECTED
    assert f"The state before it would allow it: it should also have cited <{join}>." in text(explained)
    room.member(BOB, "leave", by=ALICE)
    message = room.add("m.room.message", BOB, {"body": "x"}, auth=[*auth, levels])
    assert "The state before it would allow it" not in text(explain_event(found_in(room), message.event_id))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_levels_that_an_event_changed_are_named(version: str) -> None:
    room = base_room(version)
    users = {} if version == "12" else {ALICE: 100}
    room.power({"users": {**users, BOB: 50}, "x": [1]})
    levels = room.power({"users": {**users, BOB: 0}, "ban": 60, "x": [2]})
    explained = explain_event(found_in(room), levels.event_id)
    assert f'It changed users["{BOB}"] from 50 to 0, ban from absent to 60.' in text(explained)
    again = room.power({"users": {**users, BOB: 0}, "ban": 60})
    assert "It changed" not in text(explain_event(found_in(room), again.event_id))


def test_a_power_levels_event_is_spoken_of_in_the_singular() -> None:
    room = base_room("10")
    levels = room.make_power({"users": {ALICE: 100, BOB: 100}}, by=BOB)
    room.take(levels)
    explained = text(explain_event(found_in(room), levels.event_id))
    assert explained.startswith(f"<{levels.event_id}> was rejected by its own auth events: ")
