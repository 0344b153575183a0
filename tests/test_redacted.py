"""Which redactions name an event of a replayed room, and whether they apply."""

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room

from roomver import Event, replay_room
from roomver.known_states import Redaction
from roomver.redacted import Redacted, find_redactions
from roomver.state import PartialState, Unknown


def message_in(version: str) -> tuple[Room, Event]:
    room = Room(version, signed=False)
    room.join(ALICE)
    room.join_rule("public")
    room.join(BOB, CAROL)
    return room, room.add("m.room.message", BOB, {"body": "x"})


def found(room: Room, target: Event, *stored: Redaction, without: tuple[Event, ...] = ()) -> list[Redacted]:
    events = [event for event in room.events.values() if event not in without]
    return find_redactions(replay_room(events), target.event_id, stored)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_redaction_says_whether_it_applies(version: str) -> None:
    room, target = message_in(version)
    own = room.add("m.room.redaction", BOB, redacts=target.event_id)
    other = room.add("m.room.redaction", BOB, redacts="$other")
    by_level = room.add("m.room.redaction", ALICE, redacts=target.event_id)
    without_right = room.add("m.room.redaction", CAROL, redacts=target.event_id)
    # Without a join, it is refused.
    refused = room.add("m.room.redaction", "@dave:d.example:8448", redacts=target.event_id)
    stored = [Redaction(own.event_id, True), Redaction("$gone", False)]
    named = {one.event_id: one for one in found(room, target, *stored)}
    assert [*named] == [one.event_id for one in (own, by_level, without_right, refused)] + ["$gone"]
    assert other.event_id not in named
    assert (named[own.event_id].applies, named[own.event_id].cut) == (True, True)
    assert (named[by_level.event_id].applies, named[by_level.event_id].cut) == (True, None)
    assert named[without_right.event_id].applies is False
    assert named[refused.event_id][1:] == (False, "it is rejected", None)
    assert named["$gone"][1:] == (None, "it is not among the replayed events", False)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_missing_leaves_it_unknown(version: str) -> None:
    room, target = message_in(version)
    gap = room.add("m.room.message", BOB, {"body": "y"})
    late = room.add("m.room.redaction", ALICE, redacts=target.event_id)
    (one,) = found(room, target, without=(gap,))
    assert one == Redacted(late.event_id, None, "it is undecided")
    events = [event for event in room.events.values() if event is not gap]
    # The server that gave a state has accepted its events. Here it says nothing else of the state before.
    vouched = replay_room(events, accepted={None: {late.event_id}})
    (one,) = find_redactions(vouched, target.event_id)
    assert one == Redacted(late.event_id, None, "the state before it is unknown")
    known = replay_room(room.events.values()).state_before(late.event_id)
    assert known is not None
    part = {key: event_id for key, event_id in known.items() if key[0] == "m.room.create"}
    given = {late.event_id: PartialState(part, [Unknown.everything("lost")])}
    told = replay_room(events, given=given, accepted={late.event_id: {late.event_id}})
    (one,) = find_redactions(told, target.event_id)
    assert (one.event_id, one.applies) == (late.event_id, None)
    assert "unknown" in one.reason
