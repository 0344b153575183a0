"""Check 7: an event without the signature of the room's policy server is soft-failed."""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, server_name
from unpaddedbase64 import encode_base64

from roomver import Event, SigningKey, parse_event, replay_room, sign_event
from roomver.policy import PolicyRefusal
from roomver.replay import Replay, ends
from roomver.replay import recommended as bounds
from roomver.signature_results import POLICY_SERVER_KEY
from roomver.state import PartialState, Unknown

from .rooms import Branches, base_room, ids

SERVER = server_name(BOB)
KEY = SigningKey.from_seed(POLICY_SERVER_KEY, encode_base64(b"the secret of a policy server !!"))
CONTENT = {"via": SERVER, "public_keys": {"ed25519": encode_base64(KEY.verify_key.key)}}

every_version = pytest.mark.parametrize("version", VERSIONS)


def with_policy(version: str, content: Any = CONTENT) -> tuple[Room, Event]:
    room = base_room(version)
    return room, room.add("m.room.policy", ALICE, content, state_key="")


def replayed(room: Room, *signed: Event, **options: Any) -> Replay:
    """Replay a room in which the policy server has signed some events."""
    version = room.version.identifier
    copies = {
        event.event_id: parse_event(sign_event(event.pdu, version, SERVER, KEY), version) for event in signed
    }
    return replay_room([copies.get(e.event_id, e) for e in room.events.values()], **options)


@every_version
def test_an_event_without_the_signature_is_soft_failed(version: str) -> None:
    room, policy = with_policy(version)
    good = room.add("m.room.message", ALICE, {"body": "ok"})
    bad = room.add("m.room.message", ALICE, {"body": "spam"})
    result = replayed(room, good)
    assert result.soft_failed.keys() == {bad.event_id}
    refusal = result.soft_failed[bad.event_id]
    assert isinstance(refusal, PolicyRefusal)
    assert refusal.server.event_id == policy.event_id
    assert result.forward_extremities == (good.event_id,)
    assert result.rejected == set()
    checked = result.current_check(bad.event_id)
    assert (checked.allowed, checked.failure) == (False, refusal)
    assert result.current_check(good.event_id).allowed is True
    # The events before it, and the m.room.policy event itself, need no signature.
    assert replayed(room, good, bad).soft_failed == {}


def test_state_events_need_the_signature_too_but_not_the_policy_event() -> None:
    room, _ = with_policy("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    elsewhere = room.add("m.room.policy", ALICE, {}, state_key="x")
    off = room.add("m.room.policy", ALICE, {}, state_key="")
    free = room.add("m.room.message", ALICE, {"body": "free"})
    result = replayed(room)
    # The event that turns it off follows soft-failed events, and counts all the same.
    assert result.soft_failed.keys() == {topic.event_id, elsewhere.event_id}
    assert result.forward_extremities == (free.event_id,)
    assert isinstance(result.current_state, dict)
    assert result.current_state["m.room.policy", ""] == off.event_id


def test_the_policy_server_may_leave() -> None:
    room, _ = with_policy("11")
    leave = room.member(BOB, "leave")
    after = room.add("m.room.message", ALICE, {"body": "x"})
    # The leave needs a signature itself. Soft-failed, it leaves the current state as it is.
    assert replayed(room, leave).soft_failed == {}
    assert replayed(room).soft_failed.keys() == {leave.event_id, after.event_id}


def test_the_current_state_counts_and_not_the_state_before() -> None:
    room = base_room("11")
    fork = Branches(room)
    fork.branch()
    policy = room.add("m.room.policy", ALICE, CONTENT, state_key="")
    fork.branch()
    late = room.add("m.room.message", CAROL, {"body": "sent before the policy server was in use"})
    result = replayed(room)
    assert result.soft_failed.keys() == {late.event_id}
    assert replayed(room, late).soft_failed == {}
    # If it arrives first, no policy server is in use yet.
    events = [event for event in room.events.values() if event != policy]
    assert replay_room([*events, policy]).soft_failed == {}


def test_the_rules_come_first() -> None:
    room, _ = with_policy("11")
    room.member(CAROL, "ban", by=ALICE)
    banned = room.add("m.room.message", CAROL, {"body": "x"})
    result = replayed(room, *room.events.values())
    assert banned.event_id in result.rejected
    assert result.soft_failed == {}


def test_the_check_can_be_left_out() -> None:
    room, _ = with_policy("11")
    room.add("m.room.message", ALICE, {"body": "x"})
    assert replayed(room).soft_failed
    assert replayed(room, policy_server=False).soft_failed == {}
    assert replayed(room, soft_failure=False).soft_failed == {}


@pytest.mark.parametrize("known", [True, False])
def test_where_members_are_unknown_so_is_the_policy_server(known: bool) -> None:
    room, _ = with_policy("11")
    state = ids(room.state)
    if not known:
        del state["m.room.member", BOB]
    given = PartialState(state, [Unknown.members()])
    gap = room.add("m.room.message", ALICE, {"body": "not received"})
    del room.events[gap.event_id]
    first = room.add("m.room.message", ALICE, {"body": "the room is entered here"})
    second = room.add("m.room.message", ALICE, {"body": "x"})
    result = replayed(room, given={first.event_id: given})
    check = result.current_check(second.event_id)
    assert check.allowed is (False if known else None)
    assert result.extremities_known is known
    # With the signature nothing is open.
    assert replayed(room, second, given={first.event_id: given}).current_check(second.event_id).allowed


def test_a_search_among_many_users_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_COST", 3)
    monkeypatch.setattr(bounds, "_COST_PER_EVENT", 0)
    room, _ = with_policy("11", {**CONTENT, "via": "d.example"})
    for number in range(3):
        user = f"@u{number}:d.example"
        room.join(user)
        room.member(user, "leave")
    last = room.add("m.room.message", ALICE, {"body": "x"})
    result = replayed(room)
    first, *others = result.unchecked.items()
    assert first[1] == bounds.TOO_MANY_USERS
    assert result.current_check(first[0]).why == bounds.TOO_MANY_USERS
    # The first one may be soft-failed, so the later ones are not certain either.
    assert {why for _, why in others} == {ends.AFTER_UNCHECKED}
    assert result.current_check(last.event_id).allowed is None
    assert not result.extremities_known
