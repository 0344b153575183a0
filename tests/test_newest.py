"""A source that names newer events than it has: what its own state confirms of the current state is known."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import synapse_db
from builder import ALICE, BOB, VERSIONS, Room
from command_line import Write, entries, header, kinds, public_room, report, run
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import STRANGE, played
from strategies import often
from synapse_db import Change, changed_in
from test_sources_synapse import checked, room_ids

from roomver import Event, replay_room
from roomver.entry import Entry, Place
from roomver.known_states import Beliefs, KnownStates
from roomver.replay import Replay
from roomver.room_check import RoomCheck, check_room
from roomver.state import PartialState, entries_of

BANNED = ("m.room.member", BOB)


def banned_room() -> tuple[Room, Event]:
    """Return a room whose newest event is a ban of BOB."""
    room = public_room()
    room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    room.add("m.room.message", BOB, {"body": "x"})
    return room, room.member(BOB, "ban", by=ALICE)


def join_of(room: Room) -> Event:
    return next(event for event in room.events.values() if (event.type, event.state_key) == BANNED)


def said(room: Room, *names: str) -> dict[str, Any]:
    """Return what the header of a recording says of the newest events."""
    assert room.last is not None
    fields = {
        "forward_extremities": [room.last.event_id],
        "state": sorted(event.event_id for event in room.state.values()),
    }
    return {name: fields[name] for name in names or fields}


def without(room: Room, event: Event) -> list[dict[str, Any]]:
    return [line for line in entries(room) if line["event_id"] != event.event_id]


def unreadable(room: Room, event: Event) -> list[dict[str, Any]]:
    return [*without(room, event), {"event_id": event.event_id, "pdu": None}]


def forged(room: Room, event: Event) -> list[dict[str, Any]]:
    signatures = {"a.example": {"ed25519:1": "A" * 86}}
    return [
        *without(room, event),
        {"event_id": event.event_id, "pdu": {**event.pdu, "signatures": signatures}},
    ]


def known(*arguments: str) -> dict[tuple[str, str], str]:
    """Return what ``state --json`` prints as known; some of the state is unknown."""
    result = run("state", *arguments, "--json")
    assert result.exit_code == 3
    if not result.stdout:
        return {}
    printed = json.loads(result.stdout)
    assert printed["unknown"]
    return {(one["pdu"]["type"], one["pdu"]["state_key"]): one["event_id"] for one in printed["state"]}


@pytest.mark.parametrize("lose", [without, unreadable, forged])
@pytest.mark.parametrize("names", [(), ("state",)])
def test_an_older_state_is_not_the_current_one(
    lose: Callable[[Room, Event], list[Any]], names: tuple[str, ...], write: Write
) -> None:
    room, ban = banned_room()
    path = write("room.jsonl", [header(**said(room, *names)), *lose(room, ban)])
    state = {key: event.event_id for key, event in room.state.items() if key != BANNED}
    assert known(path) == state
    result = run("state", path, "--type", "m.room.member", "--key", BOB)
    assert (result.exit_code, result.stdout) == (3, "")
    what = f"the newest event {ban.event_id}" if not names else f"{ban.event_id} of the current state"
    assert what in result.stderr
    assert run("state", path, "--type", "m.room.topic", "--key", "").exit_code == 0
    found = report(path, code=3 if lose is without else 1)
    (lost,) = found["room"]["lost"]
    assert (lost["events"], lost["reason"].startswith(what)) == ([ban.event_id], True)
    assert (found["room"]["extremities_known"], found["room"]["state_differs"]) == (False, [])
    assert found["room"]["state_lacks"] == [ban.event_id]
    resolved = run("resolve", path)
    assert (resolved.exit_code, ban.event_id in resolved.stderr) == (3, True)


def test_an_empty_list_of_newest_events_tells_nothing(write: Write) -> None:
    room, ban = banned_room()
    fields: dict[str, Any] = {**said(room, "state"), "forward_extremities": []}
    path = write("room.jsonl", [header(**fields), *without(room, ban)])
    assert BANNED not in known(path)


def test_without_a_state_nothing_is_known_of_the_current_one(write: Write) -> None:
    room, ban = banned_room()
    path = write("room.jsonl", [header(**said(room, "forward_extremities")), *without(room, ban)])
    assert known(path) == {}
    assert f"missing events:\n  {ban.event_id}" in run("state", path).stderr
    text = run("check", path).stdout
    assert "current state unknown" in text
    assert f"the newest event {ban.event_id} of {path} is missing" in text


def test_a_lost_message_changes_no_state(write: Write) -> None:
    room, _ = banned_room()
    message = room.add("m.room.message", ALICE, {"body": "y"})
    path = write("room.jsonl", [header(**said(room)), *without(room, message)])
    result = run("state", path)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, len(room.state))
    assert f"the newest event {message.event_id} of {path} is missing" in result.stderr
    found = report(path, code=3)
    assert found["room"]["state_unknown"] == []
    assert f"the newest event {message.event_id} of {path} is missing" in run("check", path).stdout


def test_a_server_whose_newest_events_are_here_has_lost_none(write: Write) -> None:
    room, ban = banned_room()
    path = write("room.jsonl", [header(**said(room)), *entries(room)])
    found = report(path)
    assert (found["room"]["lost"], found["room"]["extremities_known"]) == ([], True)
    result = run("state", path, "--type", "m.room.member", "--key", BOB)
    assert (result.exit_code, ban.event_id in result.stdout) == (0, True)


def test_another_source_may_have_the_newest_event(write: Write) -> None:
    room, ban = banned_room()
    path = write("room.jsonl", [header(**said(room)), *without(room, ban)])
    more = write("more.jsonl", [dict(ban.pdu)])
    assert report(path, "--also", more, "--unsigned")["room"]["lost"] == []
    # What another source has lost counts too.
    all_of = write("all.jsonl", [dict(event.pdu) for event in room.events.values() if event is not ban])
    for one, other in ((path, all_of), (all_of, path)):
        assert BANNED not in known(one, "--also", other)


def test_events_are_not_checked_against_a_current_state_that_may_be_newer(write: Write) -> None:
    """The ban, or an event that it follows and that is lost too, may have come before any of the others."""
    room, ban = banned_room()
    room.state[BANNED] = join_of(room)
    (before,) = ban.prev_event_ids
    later = room.add("m.room.message", BOB, {"body": "later"}, prev=[room.events[before]])
    lines = entries(room)
    assert kinds(report(write("all.jsonl", [header(), *lines]), code=1)) == {later.event_id: ["soft-failed"]}
    fields: dict[str, Any] = {
        "forward_extremities": [ban.event_id],
        "rejected": [],
        "soft_failed": [later.event_id],
    }
    for lose, code in ((without, 3), (unreadable, 1)):
        path = write("lost.jsonl", [header(**fields), *lose(room, ban)])
        for event_id in (before, later.event_id):
            result = run("auth", "--room", path, event_id)
            assert result.exit_code == 3
            assert "against the current state at its arrival: unknown" in result.stdout
            assert ban.event_id in result.stdout
        unknown = {one["event_id"] for one in report(path, code=code)["room"]["current_unknown"]}
        assert unknown == {*room.events} - {ban.event_id, room.create.event_id}
        checks = f"unknown for {len(unknown)} accepted events: newer events are lost"
        assert checks in run("check", path).stdout


def test_a_new_event_is_not_judged_against_an_older_state(write: Write) -> None:
    room, ban = banned_room()
    path = write("room.jsonl", [header(**said(room)), *without(room, ban)])
    (before,) = ban.prev_event_ids
    room.state[BANNED] = join_of(room)
    message = room.add("m.room.message", BOB, {"body": "y"}, prev=[room.events[before]])
    event = write("event.json", dict(message.pdu))
    result = run("auth", "--room", path, event)
    assert result.exit_code == 3
    assert "against the state before it: allowed" in result.stdout
    assert "against the current state at its arrival: unknown" in result.stdout
    # As a state, the recording does not have its newest event either.
    messages = [line for line in without(room, ban) if line["pdu"]["type"] != "m.room.message"]
    state = write("state.jsonl", [header(**said(room)), *messages])
    assert run("auth", "--state", state, event).exit_code == 0
    state = write("state.jsonl", [header(forward_extremities=[ban.event_id]), *messages])
    assert run("auth", "--state", state, event).exit_code == 3


def test_a_state_that_was_recorded_as_the_current_one_may_be_older_too(write: Write) -> None:
    room, ban = banned_room()
    old = [line["event_id"] for line in without(room, ban) if line["pdu"].get("state_key") is not None]
    fields = {**said(room), "format": "roomver-room/2", "current": {"state": old}}
    path = write("room.jsonl", [{**header(), **fields}, *without(room, ban)])
    assert BANNED not in known(path)
    assert run("resolve", path).exit_code == 3


def test_a_recording_of_a_room_that_lost_its_newest_event_says_so_too(write: Write, tmp_path: Path) -> None:
    room, ban = banned_room()
    path = write("room.jsonl", [header(**said(room)), *without(room, ban)])
    old = write("old.json", {"pdus": [line["pdu"] for line in without(room, ban)[:5]], "auth_chain": []})
    for more in ((), ("--also", old)):
        made = tmp_path / "made.jsonl"
        run("record", path, *more, "-o", str(made), "--force", "--unsigned")
        assert "state" not in json.loads(made.read_bytes().splitlines()[0]).get("current", {})
        assert known(str(made)) == known(path)


def test_a_recording_of_several_sources_says_what_any_of_them_has_lost(write: Write, tmp_path: Path) -> None:
    room, ban = banned_room()
    lost = write("lost.jsonl", [header(**said(room)), *without(room, ban)])
    assert room.last is ban
    older = banned_room()[0]
    del older.events[ban.event_id]
    older.last, older.state[BANNED] = room.events[ban.prev_event_ids[0]], join_of(room)
    whole = write("whole.jsonl", [header(**said(older)), *entries(older)])
    plain = write("plain.jsonl", [dict(event.pdu) for event in older.events.values()])
    for one in (whole, plain):
        assert run("state", one, "--unsigned").exit_code == 0
        assert BANNED not in known(one, "--also", lost)
        made = tmp_path / "made.jsonl"
        run("record", one, "--also", lost, "-o", str(made), "--force", "--unsigned")
        assert BANNED not in known(str(made))


# A database


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synapse_db.unpacked(tmp_path_factory.mktemp("newest") / "homeserver.db")


@pytest.fixture(scope="module")
def whole(base: Path) -> RoomCheck:
    return checked(base, room_ids(base)[1])


def _deleted(event_id: str) -> Change:
    return lambda db: db.execute("DELETE FROM events WHERE event_id = ?", (event_id,))


def _unreadable(event_id: str) -> Change:
    return lambda db: db.execute("UPDATE event_json SET json = '{' WHERE event_id = ?", (event_id,))


def _without_json(event_id: str) -> Change:
    return lambda db: db.execute("DELETE FROM event_json WHERE event_id = ?", (event_id,))


def _outlier(event_id: str) -> Change:
    return lambda db: db.execute("UPDATE events SET outlier = 1 WHERE event_id = ?", (event_id,))


@pytest.mark.parametrize("change", [_deleted, _unreadable, _without_json, _outlier])
def test_a_database_without_its_newest_event(
    change: Callable[[str], Change], base: Path, whole: RoomCheck, tmp_path: Path
) -> None:
    room_id = room_ids(base)[1]
    current = entries_of(whole.replay.current_state or {})
    for end in whole.replay.forward_extremities:
        event = whole.gathered.events[end]
        assert event.state_key is not None
        path = changed_in(base, tmp_path)(change(end))
        found = known(path, "--room", room_id)
        assert found.items() < current.items()
        assert (event.type, event.state_key) not in found
        checked = run("check", path, "--room", room_id, "--json")
        (answer,) = json.loads(checked.stdout)["files"]
        unintended = [one for one in answer["room"]["resets"] if one["class"] == "unintended"]
        code = 1 if unintended or change in (_unreadable, _without_json) else 3
        assert checked.exit_code == code
        assert run("resolve", path, "--room", room_id).exit_code == 3


def test_a_database_whose_newest_event_is_undecided(base: Path, whole: RoomCheck, tmp_path: Path) -> None:
    room_id, replayed = room_ids(base)[1], whole.replay
    current = entries_of(replayed.current_state or {})
    for end in replayed.forward_extremities:
        event = whole.gathered.events[end]
        cited = Counter(one for each in whole.gathered.events.values() for one in each.auth_event_ids)
        least = min(event.auth_event_ids, key=lambda one: cited[one])
        path = changed_in(base, tmp_path)(_deleted(least))
        result = run("state", path, "--room", room_id, "--json")
        assert result.exit_code == 3
        state = json.loads(result.stdout)["state"] if result.stdout else []
        assert {one["event_id"] for one in state} < {*current.values()} - {end}


# Whatever is lost


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_whatever_newest_events_are_lost_what_is_known_is_so_in_the_whole_room(
    version: str, seed: int
) -> None:
    lose(version, seed)


def test_a_good_share_of_the_current_state_stays_known() -> None:
    """Otherwise, the property proves nothing."""
    found = [lose(VERSIONS[seed % len(VERSIONS)], seed) for seed in range(120)]
    lost = [one for one in found if one.lost]
    assert len(lost) > len(found) / 3
    states = [one.replay.current_state for one in lost]
    in_part = [state for state in states if isinstance(state, PartialState)]
    assert len(in_part) > len(lost) / 4
    assert sum(len(state.known) for state in in_part) > 4 * len(in_part)
    assert sum(state is not None for state in states) > len(in_part)  # all of it is known, too


def lose(version: str, seed: int) -> RoomCheck:
    """Check a room that has lost some of its newest events, of which its server tells more or less."""
    rng = Random(f"{version}/{seed}")
    events = played(rng, version, rng.randrange(3, 30))
    whole = replay_room(events)
    gone: set[str] = set()
    for event in reversed(events[1:]):
        after = {e.event_id for e in events if event.event_id in (*e.prev_event_ids, *e.auth_event_ids)}
        if after <= gone and len(gone) < 6 and rng.randrange(3):
            gone.add(event.event_id)
    lines = []
    for line, event in enumerate(events, 1):
        place, event_id = Place(line, ""), event.event_id
        if event_id not in gone:
            lines.append(Entry(place, event_id, dict(event.pdu)))
        elif rng.randrange(2):
            lines.append(Entry(place, event_id, None, "not JSON"))
    current = frozenset(entries_of(whole.current_state or {}).values())
    ends = frozenset(whole.forward_extremities)
    beliefs = Beliefs(state=current if rng.randrange(4) else None, extremities=ends)
    kept = KnownStates(outliers=frozenset() if rng.randrange(2) else None, extremities=ends)
    found = check_room(lines, version, keys=None, beliefs=beliefs, find_states=lambda _: kept)
    assert {event_id for one in found.lost for event_id in one.event_ids} == ends & gone
    agree_on_what_is_known(found.replay, whole)
    return found


def agree_on_what_is_known(less: Replay, whole: Replay) -> None:
    """What a replay without the newest events tells of the state at the end is so in the whole room."""
    state, more = less.current_state, whole.current_state
    assert more is not None
    if state is not None:
        for key in {*entries_of(state), *entries_of(more), STRANGE, BANNED}:
            if not (isinstance(state, PartialState) and state.why_unknown(key)):
                assert state.get(key) == more.get(key), key
    assert less.soft_failed.items() <= whole.soft_failed.items()
    for event_id in less.outcomes:
        check = less.current_check(event_id)
        assert check.allowed in (None, whole.current_check(event_id).allowed), event_id
    if less.extremities_known:
        assert less.forward_extremities == whole.forward_extremities
