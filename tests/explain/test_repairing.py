"""Which state a room would have if nothing were missing."""

from random import Random

import pytest
from builder import ALICE, BOB, VERSIONS
from played_rooms import played
from replay.rooms import TOPIC, Branches, base_room

from roomver.explain.repairing import Basis, repair
from roomver.explain.resets import Intent
from roomver.replay import replay_room
from roomver.state import entries_of, unknown_of

from .rooms import checked


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_said_to_be_known_is_what_the_whole_room_has(version: str) -> None:
    """Events are missing that others cite. Nothing that more events change may be told."""
    told = 0
    for seed in range(12):
        rng = Random(f"{version}/{seed}")
        events = played(rng, version, 40, odd=True)
        cited = {one for event in events for one in event.prev_event_ids}
        whole = replay_room(events).current_state
        assert isinstance(whole, dict)
        gone = {
            one.event_id
            for one in rng.sample([e for e in events[4:] if e.event_id in cited], rng.randrange(4))
        }
        found = checked([one for one in events if one.event_id not in gone], version)
        repaired = repair(found, whole.values())
        told += len(repaired.state)
        for key, event_id in repaired.state.items():
            if event_id not in found.replay.rejected:
                assert whole.get(key) == event_id, (seed, key)
        if not gone:
            assert (repaired.whole, repaired.state, repaired.changes) == (True, whole, ())
            assert repaired.ids == [whole[key] for key in sorted(whole)]
        if repaired.whole:
            assert repaired.state == whole
        else:
            assert repaired.ids is None
            assert repaired.missing or any(unknown_of(found.replay.current_state or {}))
    assert told


def test_an_entry_that_the_server_has_wrong_is_told_with_the_reason() -> None:
    room = base_room("11")
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    server = {one.event_id for one in room.state.values()}
    new = room.add("m.room.topic", ALICE, {"topic": "new"}, state_key="")
    found = checked(room.events.values(), "11")
    has = {*room.events} - {new.event_id}
    (change,) = repair(found, server, has=has).changes
    assert (change.key, change.before, change.after) == (TOPIC, old.event_id, new.event_id)
    assert "The server does not have" in str(change.why[0].value)
    assert repair(found, {one.event_id for one in room.state.values()}).changes == ()


def test_an_event_that_the_rules_reject_is_not_in_the_state() -> None:
    room = base_room("11")
    wrong = room.add("m.room.topic", "@eve:e.example", {"topic": "x"}, state_key="")
    server = {one.event_id for one in room.state.values()}
    (change,) = repair(checked(room.events.values(), "11"), server).changes
    assert (change.before, change.after) == (wrong.event_id, None)
    text = "".join(str(part.value) for part in change.why)
    assert text.startswith(f"{wrong.event_id} was rejected by")
    assert not text.endswith("..")


def test_events_of_the_servers_state_that_no_source_has_keep_their_keys_unknown() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    server = {one.event_id for one in room.state.values()} - {topic.event_id} | {"$elsewhere"}
    repaired = repair(checked(room.events.values(), "11"), server)
    assert repaired.lost == ("$elsewhere",)
    assert repaired.changes == ()  # the server may have the topic under an event that is missing here
    assert repaired.basis is Basis.EVENTS
    assert entries_of(repaired.state)[TOPIC] == topic.event_id


def test_an_entry_that_a_state_reset_undid_is_told_as_such() -> None:
    room = base_room("10")
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = Branches(room)
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    with fork.side():
        room.add("m.room.topic", BOB, {"topic": "newer"}, state_key="")
        server = {one.event_id for one in room.state.values()}
        lost = room.state[TOPIC]
    fork.merge()
    found = checked(room.events.values(), "10")
    (reset,) = found.replay.resets()
    repaired = repair(found, server)
    assert repaired.resets == 1
    (change,) = [one for one in repaired.changes if one.key == TOPIC]
    assert (change.before, change.after) == (lost.event_id, old.event_id)
    assert change.reset is not None
    assert (change.reset.merge, change.reset.intent) == (reset.merge, Intent.DESIGNED)
    assert "".join(str(part.value) for part in change.why).startswith(
        "State reset: state resolution undid it"
    )
    others = [one for one in repaired.changes if one.key != TOPIC]
    assert [(one.key[0], one.reset) for one in others] == [("m.room.member", None)]

    # A topic that was set after the reset is no consequence of it.
    room.add("m.room.topic", ALICE, {"topic": "newest"}, state_key="")
    repaired = repair(checked(room.events.values(), "10"), server)
    assert [one.reset for one in repaired.changes] == [None, None]
    assert repaired.resets == 1
