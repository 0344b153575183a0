"""Events of which nothing tells how the server came by them, and reasons that name no event."""

from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, Room
from command_line import Write, entries, header, public_room, run
from played_rooms import agree_on_state

from roomver.entry import Entry, Place
from roomver.known_states import KnownStates
from roomver.readers import read_room
from roomver.replay import Status
from roomver.room_check import RoomCheck, check_room
from roomver.state import PartialState, Unknown


def checked(*lines: dict[str, Any], write: Write) -> RoomCheck:
    with Path(write("room.jsonl", [*lines])).open("rb") as file:
        room = read_room(file, "room.jsonl")
        options: Any = {"beliefs": room.beliefs, "find_states": room.find_states}
        return check_room(room.entries, room.version, keys=None, **options)


def forked() -> tuple[Room, list[str]]:
    """Return a room, and a branch of it that a later event merges with the other."""
    built = public_room()
    base = built.last
    branch = [built.add("m.room.message", BOB, {"n": n}).event_id for n in range(2)]
    built.last = base
    other = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    built.add("m.room.message", ALICE, {}, prev=[built.events[branch[-1]], other])
    return built, branch


FORMAT = {"format": "roomver-room/2"}


def test_a_recording_without_a_servers_decisions_cannot_make_an_event_backfilled(write: Write) -> None:
    built, branch = forked()
    without = checked(header() | FORMAT, *entries(built), write=write)
    assert without.replay.extremities_known
    # As the server tells it, what the backfilled event follows is still an end.
    fields = {"rejected": [], "soft_failed": [], "backfilled": branch[1:]}
    told = checked(header() | FORMAT | fields, *entries(built), write=write)
    assert told.gathered.backfilled == {branch[1]}
    assert branch[0] in told.replay.forward_extremities
    assert told.replay.extremities_known
    # From somebody else, it leaves that open.
    made_up = checked(header() | FORMAT | {"backfilled": branch[1:]}, *entries(built), write=write)
    assert made_up.gathered.unplaced == {branch[1]}
    assert made_up.gathered.backfilled == set()
    assert not made_up.replay.extremities_known
    assert isinstance(made_up.replay.current_state, PartialState)
    assert made_up.replay.current_unknown == [branch[1]]
    assert not made_up.ok
    for other in (without, told):
        agree_on_state(made_up.replay.current_state, other.replay.current_state)


def test_a_second_file_cannot_make_an_event_backfilled(write: Write) -> None:
    built, branch = forked()
    first = [line for line in entries(built) if line["event_id"] != branch[1]]
    files = [
        write("first.jsonl", [header(rejected=[], soft_failed=[]) | FORMAT, *first]),
        write(
            "second.jsonl",
            [header(rejected=[], soft_failed=[], backfilled=branch[1:]) | FORMAT, *entries(built)],
        ),
    ]
    result = run("check", files[0], "--also", files[1])
    assert "the forward extremities are not certain" in result.stdout
    assert "nothing tells when the server received the event; the database of a server, or" in result.stdout
    # The second one, alone, tells how its server came by the event.
    assert "the forward extremities are not certain" not in run("check", files[1]).stdout


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_reason_lists_events_only_if_there_are_some(length: int) -> None:
    """Every event of the chain waits for the first one, which waits for an entry of a given state."""
    built = public_room()
    gone = built.add("m.room.message", ALICE, {})
    state = {key: event.event_id for key, event in built.state.items()}
    del state["m.room.join_rules", ""]
    chain = [
        built.add("m.room.member", CAROL, {"membership": "join", "n": n}, state_key=CAROL)
        for n in range(length)
    ]
    last = built.add("m.room.message", CAROL, {})
    unknown = Unknown("omitted", keys=frozenset({("m.room.join_rules", "")}))
    given = {chain[0].event_id: PartialState(state, [unknown])}
    lines = [Entry(Place(None, ""), None, event.pdu) for event in built.events.values() if event is not gone]
    found = check_room(lines, "11", keys=None, find_states=lambda events: KnownStates(given))
    assert found.replay.outcomes[last.event_id].status is Status.UNDECIDED
    reasons = [
        str(reason)
        for event in (*chain, last)
        for finding in found.findings[event.event_id]
        for reason in finding.reasons
    ]
    assert len(reasons) > length
    assert [text for text in reasons if ":  " in text] == []
