"""Rooms in Synapse's database: what a real server left, and the same with its history cut off."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import synapse_db
from command_line import only_resets, run
from played_rooms import agree_on_state
from rich.cells import cell_len
from synapse_db import Change, changed_in

from roomver.readers import open_synapse
from roomver.readers.synapse_schema import NEWEST_SCHEMA
from roomver.replay import Status
from roomver.room_check import RoomCheck, check_room
from roomver.state import PartialState, entries_of
from roomver.unpadded import encode_unpadded


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synapse_db.unpacked(tmp_path_factory.mktemp("synapse") / "homeserver.db")


@pytest.fixture
def changed(base: Path, tmp_path: Path) -> Callable[[Change], str]:
    return changed_in(base, tmp_path)


def room_ids(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    found = [room_id for (room_id,) in db.execute("SELECT room_id FROM rooms ORDER BY room_version, room_id")]
    db.close()
    return found


def ids(path: Path | str, sql: str, *values: object) -> set[str]:
    db = sqlite3.connect(path)
    found = {event_id for (event_id,) in db.execute(sql, values)}
    db.close()
    return found


def checked(path: str | Path, room_id: str, **options: Any) -> RoomCheck:
    source = open_synapse(str(path))
    room = source.open_room(room_id, None)
    found = check_room(
        room.entries,
        room.version,
        keys=None,
        beliefs=room.beliefs,
        find_states=room.find_states,
        **options,
    )
    source.close()
    return found


def soft_failed(path: Path, room_id: str) -> set[str]:
    mark = '"soft_failed":true'
    sql = "SELECT event_id FROM event_json WHERE room_id = ? AND instr(internal_metadata, ?)"
    return ids(path, sql, room_id, mark)


REJECTED = "SELECT r.event_id FROM rejections r JOIN events e USING (event_id) WHERE e.room_id = ?"
STATE = "SELECT event_id FROM current_state_events WHERE room_id = ?"
ENDS = "SELECT event_id FROM event_forward_extremities WHERE room_id = ?"


# As the server left it


def test_rooms_lists_the_rooms_of_the_server_in_80_columns(base: Path) -> None:
    result = run("rooms", str(base), "--json")
    listed = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {room["room_id"] for room in listed} == set(room_ids(base))
    for room in listed:
        of_room = room["room_id"]
        assert room["events"] == len(ids(base, "SELECT event_id FROM events WHERE room_id = ?", of_room))
        assert room["joined"] == len(ids(base, f"{STATE} AND membership = 'join'", of_room))
        assert room["extremities"] == len(ids(base, ENDS, of_room))
        assert room["rejected"] == len(ids(base, REJECTED, of_room))
        assert room["partial"] is False
    assert [room["events"] for room in listed] == sorted((room["events"] for room in listed), reverse=True)
    text = run("rooms", str(base)).stdout
    assert all(room["room_id"] in text for room in listed)
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= 80


NAMES = {
    '{"name": "a\\u001b[2J\\nb"}': "a\\u001b[2J\\u000ab",
    json.dumps({"name": "x" * 3000}): "x" * 39 + "…",
    json.dumps({"name": "\u754c" * 30}): "\u754c" * 19 + " …",
    '{"name": " "}': None,
    '{"name": 5}': None,
    '{"name": "': None,
    json.dumps({"name": "x" * 2**17}): None,
}


@pytest.mark.parametrize("content", NAMES, ids=range(len(NAMES)))
def test_a_rooms_name_is_escaped_and_shortened(
    content: str, changed: Callable[[Change], str], base: Path
) -> None:
    of_room = room_ids(base)[0]
    pdu = '{"type": "m.room.name", "content": ' + content + "}"

    def rename(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM current_state_events WHERE type IN ('m.room.name', 'm.room.canonical_alias')")
        synapse_db.insert(db, "current_state_events", ("$name", of_room, "m.room.name", "", None))
        synapse_db.insert(db, "event_json", ("$name", of_room, "{}", pdu))

    path, expected = changed(rename), NAMES[content]
    names = {room["room_id"]: room["name"] for room in json.loads(run("rooms", path, "--json").stdout)}
    shown = [line.rstrip() for line in run("rooms", path).stdout.splitlines() if line.startswith("  ")]
    assert shown == ([] if expected is None else [f'  "{expected}"'])
    assert set(names.values()) == {None, *([json.loads(content)["name"]] if expected else [])}


def test_an_alias_stands_for_a_name(changed: Callable[[Change], str], base: Path) -> None:
    of_room = room_ids(base)[0]

    def set_alias(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM current_state_events WHERE type = 'm.room.name'")
        for number, kind, content in (
            (1, "m.room.canonical_alias", "alias"),
            (2, "m.room.name", "name"),
        ):
            event_id = f"${number}"
            row = (event_id, of_room, kind, "" if number == 1 else "not empty", None)
            synapse_db.insert(db, "current_state_events", row)
            pdu = {"type": kind, "content": {content: "#a:b"}}
            synapse_db.insert(db, "event_json", (event_id, of_room, "{}", json.dumps(pdu)))

    listed = json.loads(run("rooms", changed(set_alias), "--json").stdout)
    assert {room["name"] for room in listed if room["room_id"] == of_room} == {"#a:b"}


@pytest.fixture(scope="module", params=range(4))
def room_id(base: Path, request: pytest.FixtureRequest) -> str:
    number: int = request.param
    return room_ids(base)[number]


def test_check_agrees_with_the_server(base: Path, room_id: str) -> None:
    assert only_resets(str(base), "--room", room_id)
    result = run("check", str(base), "--room", room_id, "--json")
    (report,) = json.loads(result.stdout)["files"]
    assert report["room_id"] == room_id
    assert report["source"] == f"Synapse's database (schema {NEWEST_SCHEMA})"
    room = report["room"]
    assert set(room["forward_extremities"]) == ids(base, ENDS, room_id)
    assert (room["state_differs"], room["state_not_compared"], room["extremities_differ"]) == (
        [],
        False,
        None,
    )
    agreed = {event["event_id"] for event in room["agreed"]}
    assert agreed == ids(base, REJECTED, room_id) | soft_failed(base, room_id)
    assert report["summary"]["kinds"] == {}
    # The remote server's keys are in the database, and the server's own are not.
    assert {one["server"] for one in report["summary"]["keys_to_fetch"]} == {"hs.example"}
    assert report["summary"]["signatures"]["valid"] > 0
    assert "Synapse's database" in run("check", str(base), "--room", room_id).stdout


def test_state_and_resolve_give_the_servers_state(base: Path, room_id: str) -> None:
    result = run("state", str(base), "--room", room_id, "--json")
    assert result.exit_code == 0
    assert {entry["event_id"] for entry in json.loads(result.stdout)} == ids(base, STATE, room_id)
    resolved = run("resolve", str(base), "--room", room_id, "--json")
    assert resolved.exit_code == 0
    assert {entry["event_id"] for entry in json.loads(resolved.stdout)["state"]} == ids(base, STATE, room_id)


def test_auth_says_why_an_event_was_rejected_or_soft_failed(base: Path, room_id: str) -> None:
    rejected, soft = ids(base, REJECTED, room_id), soft_failed(base, room_id)
    for event_id in [*sorted(rejected)[:2], *sorted(soft)[:1]]:
        result = run("auth", "--room", str(base), "--room", room_id, event_id)
        assert result.exit_code == 1
        assert "REFUSED" in result.stdout
    end = sorted(ids(base, ENDS, room_id) - soft)[0]
    assert run("auth", "--room", str(base), "--room", room_id, end).exit_code == 0


def test_the_database_is_followed_as_recorded(base: Path, room_id: str) -> None:
    assert only_resets(str(base), "--room", room_id, "--as-recorded")


def test_a_room_must_be_chosen(base: Path) -> None:
    for command in ("check", "state", "resolve"):
        result = run(command, str(base))
        assert result.exit_code == 2
        assert "4 rooms: choose one with --room '!…'" in result.stderr
        assert all(f"'{room_id}'" in result.stderr for room_id in room_ids(base))
        for strange in ("!nowhere:x", "!' OR 1=1 --", '!"; DROP TABLE rooms; --', "!\0", "!\udcff"):
            result = run(command, str(base), "--room", strange)
            assert result.exit_code == 2
            assert "it has no room" in result.stderr
        result = run(command, str(base), "--room", "#alias:x")
        assert result.exit_code == 2
        assert "it has no alias '#alias:x'" in result.stderr
    result = run("auth", "--room", room_ids(base)[0], "$event")
    assert (result.exit_code, "once for the file or database" in result.stderr) == (2, True)
    result = run("auth", "--state", str(base), "$event")
    assert (result.exit_code, "--room" in result.stderr) == (2, True)
    result = run("event-id", "--room-version", "11", str(base))
    assert (result.exit_code, "roomver check FILE --room" in result.stderr) == (2, True)


def test_the_only_room_needs_no_option(changed: Callable[[Change], str], base: Path) -> None:
    only = room_ids(base)[2]
    path = changed(lambda db: db.execute("DELETE FROM rooms WHERE room_id != ?", (only,)))
    assert run("check", path).exit_code == 0
    path = changed(lambda db: db.execute("DELETE FROM rooms"))
    result = run("check", path)
    assert (result.exit_code, "no rooms" in result.stderr) == (2, True)
    result = run("rooms", path)
    assert (result.exit_code, "no rooms" in result.stderr) == (1, True)


def test_a_file_has_one_room(tmp_path: Path, base: Path) -> None:
    of_room = room_ids(base)[2]
    db = sqlite3.connect(base)
    lines = [text for (text,) in db.execute("SELECT json FROM event_json WHERE room_id = ?", (of_room,))]
    (version,) = db.execute("SELECT room_version FROM rooms WHERE room_id = ?", (of_room,)).fetchone()
    db.close()
    path = tmp_path / "room.jsonl"
    path.write_text("\n".join(lines))
    assert run("check", str(path), "--room", of_room).exit_code == 0
    for command in ("check", "state", "resolve"):
        result = run(command, str(path), "--room", "!other:x")
        assert result.exit_code == 2
        assert f"its room is '{of_room}', not '!other:x'" in result.stderr
    (listed,) = json.loads(run("rooms", str(path), "--json").stdout)
    assert (listed["room_id"], listed["version"], listed["events"]) == (of_room, version, len(lines))
    assert (listed["joined"], listed["partial"]) == (None, None)


def test_files_add_events_of_which_the_server_does_not_speak(base: Path, tmp_path: Path) -> None:
    of_room = room_ids(base)[2]
    db = sqlite3.connect(base)
    sql = "SELECT json FROM event_json j JOIN events e USING (event_id) WHERE e.room_id = ?"
    lines = [text for (text,) in db.execute(sql + " ORDER BY stream_ordering", (of_room,))]
    db.close()
    path = tmp_path / "more.jsonl"
    path.write_text("\n".join(lines))
    found = run("check", str(base), "--room", of_room, "--also", str(path))
    assert found.exit_code == 0
    assert f"{len(lines):,} events repeat an earlier one" in found.stdout
    result = run("check", str(base), "--room", of_room, "--also", str(base))
    assert (result.exit_code, "contradiction" in result.stdout) == (0, False)


# With its history cut off


def joins(base: Path, room_id: str) -> list[str]:
    db = sqlite3.connect(base)
    sql = "SELECT event_id FROM events WHERE room_id = ? ORDER BY stream_ordering"
    found = [event_id for (event_id,) in db.execute(sql, (room_id,))]
    db.close()
    return found[3::37]


def test_a_room_joined_late_agrees_with_the_server(
    changed: Callable[[Change], str], base: Path, room_id: str
) -> None:
    for first in joins(base, room_id):
        gaps: list[str] = []

        def join(db: sqlite3.Connection, first: str = first, gaps: list[str] = gaps) -> None:
            gaps += synapse_db.join_late(db, room_id, first)

        found = checked(changed(join), room_id)
        assert set(found.gathered.given) == set(gaps)
        assert found.gathered.unknown_states == {}
        assert found.findings == {}
        assert found.state_differs == {}
        assert found.extremities_differ is None
        outcomes = found.replay.outcomes
        assert {e for e, one in outcomes.items() if one.status is Status.UNDECIDED} == set()


@pytest.mark.parametrize("whole", [True, False])
def test_fetched_history_is_not_checked_against_the_current_state(
    changed: Callable[[Change], str], base: Path, room_id: str, whole: bool, tmp_path: Path
) -> None:
    refused = ids(base, REJECTED, room_id)
    for first in joins(base, room_id)[::2]:
        db = sqlite3.connect(base)
        sql = "SELECT event_id FROM events WHERE room_id = ? ORDER BY stream_ordering"
        listed = [event_id for (event_id,) in db.execute(sql, (room_id,))]
        db.close()
        before = listed[: listed.index(first)]
        # What the server soft-failed, it has received.
        fetched = [one for one in before if one not in soft_failed(base, room_id)]
        fetched = fetched if whole else fetched[: len(fetched) // 2]

        def fetch(db: sqlite3.Connection, first: str = first, fetched: list[str] = fetched) -> None:
            synapse_db.join_late(db, room_id, first)
            synapse_db.fetch_history(db, room_id, base, fetched)

        path = changed(fetch)
        found = checked(path, room_id)
        assert found.gathered.backfilled == set(fetched)
        assert found.findings == {}
        assert found.state_differs == {}
        assert found.extremities_differ is None
        replayed = found.replay
        assert {e for e in fetched if not replayed.outcomes[e].accepted} == refused & set(fetched)
        assert replayed.current_unknown == []
        accepted = next(one for one in reversed(fetched) if one not in refused)
        check = replayed.current_check(accepted)
        assert (check.made, check.why) == (False, "it was fetched from the history")
        # In a recording it is the same.
        copy = tmp_path / "copy.jsonl"
        assert run("record", path, "--room", room_id, "-o", str(copy)).exit_code == 0
        read = json.loads(run("check", str(copy), "--json").stdout)["files"]
        again = json.loads(run("check", path, "--room", room_id, "--json").stdout)["files"]
        assert read[0]["room"] == again[0]["room"]
        assert set(read[0]["room"]["backfilled"]) == set(fetched)
        text = run("auth", "--room", str(copy), accepted).stdout
        assert "at its arrival: not checked\n  it was fetched from the history\n" in text
        copy.unlink()


def received(path: Path, room_id: str) -> list[str]:
    db = sqlite3.connect(path)
    sql = "SELECT event_id FROM events WHERE room_id = ? ORDER BY stream_ordering"
    found = [event_id for (event_id,) in db.execute(sql, (room_id,))]
    db.close()
    return found


def test_an_outlier_that_was_received_later_has_its_place_in_the_order_of_arrival(
    changed: Callable[[Change], str], base: Path, room_id: str
) -> None:
    wanted = checked(base, room_id)
    marked = [one for one in received(base, room_id)[3::4] if one not in soft_failed(base, room_id)]
    found = checked(changed(lambda db: synapse_db.become_outliers_first(db, marked)), room_id)
    assert found.gathered.backfilled == found.gathered.unplaced == frozenset()
    assert found.replay.order == wanted.replay.order
    assert found.replay.soft_failed == wanted.replay.soft_failed
    assert found.replay.forward_extremities == wanted.replay.forward_extremities
    assert (found.findings, found.state_differs, found.extremities_differ) == ({}, {}, None)


def test_an_outlier_that_was_fetched_again_with_the_history_is_backfilled(
    changed: Callable[[Change], str], base: Path, room_id: str
) -> None:
    """An invite comes above zero, as an outlier. With the history, it gets a place below zero."""
    first = joins(base, room_id)[-1]
    before = received(base, room_id)[: received(base, room_id).index(first)]
    fetched = [one for one in before if one not in soft_failed(base, room_id)]

    def change(db: sqlite3.Connection) -> None:
        synapse_db.join_late(db, room_id, first)
        synapse_db.fetch_history(db, room_id, base, fetched)
        for number, one in enumerate(fetched[3::3], 1):
            synapse_db.insert(db, "ex_outlier_stream", (-number, one, None))
            db.execute("UPDATE events SET stream_ordering = ? WHERE event_id = ?", (number, one))

    found = checked(changed(change), room_id)
    assert found.gathered.backfilled == set(fetched)
    assert found.gathered.unplaced == frozenset()
    assert (found.findings, found.state_differs, found.extremities_differ) == ({}, {}, None)


@pytest.mark.parametrize("how", ["an extremity below zero", "soft-failed below zero", "two places"])
def test_an_event_of_which_a_database_does_not_tell_how_it_came_leaves_the_extremities_uncertain(
    how: str, changed: Callable[[Change], str], base: Path, room_id: str, tmp_path: Path
) -> None:
    doubtful = sorted(ids(base, ENDS, room_id))[0]

    def change(db: sqlite3.Connection) -> None:
        synapse_db.become_outliers_first(db, [doubtful])
        if how == "two places":
            synapse_db.insert(db, "ex_outlier_stream", (-7, doubtful, None))
            return
        db.execute("DELETE FROM ex_outlier_stream")  # as an administrator may have done
        if how == "soft-failed below zero":
            db.execute("DELETE FROM event_forward_extremities WHERE event_id = ?", (doubtful,))
            metadata = '{"soft_failed":true}'
            db.execute("UPDATE event_json SET internal_metadata = ? WHERE event_id = ?", (metadata, doubtful))

    path = changed(change)
    found = checked(path, room_id)
    assert found.gathered.unplaced == {doubtful}
    assert found.gathered.backfilled == set()
    replayed = found.replay
    assert not replayed.extremities_known
    assert isinstance(replayed.current_state, PartialState)
    assert found.extremities_differ is None
    check = replayed.current_check(doubtful)
    assert (check.allowed, check.why) == (None, "nothing tells when the server received the event")
    agree_on_state(replayed.current_state, checked(base, room_id).replay.current_state)
    # In a recording it is the same.
    copy = tmp_path / "copy.jsonl"
    assert run("record", path, "--room", room_id, "-o", str(copy)).exit_code == 0
    (read,) = json.loads(run("check", str(copy), "--json").stdout)["files"]
    (again,) = json.loads(run("check", path, "--room", room_id, "--json").stdout)["files"]
    assert read["room"] == again["room"]


def test_what_the_key_of_an_event_was_is_unknown_if_only_the_state_after_it_is_left(
    changed: Callable[[Change], str], base: Path, room_id: str
) -> None:
    unknown = 0
    for first in joins(base, room_id):
        path = changed(lambda db, first=first: synapse_db.join_late(db, room_id, first, own_groups=False))  # type: ignore[misc]
        found = checked(path, room_id)
        # Whatever is decided is decided as the server did.
        assert {
            e for e, one in found.replay.outcomes.items() if one.status is Status.REJECTED_BY_STATE
        } <= ids(base, REJECTED, room_id)
        assert found.state_differs == {}
        assert all(one.kind.action.value == "fetch" for some in found.findings.values() for one in some)
        for event_id, state in found.gathered.given.items():
            event = found.gathered.events[event_id]
            if isinstance(state, PartialState):
                unknown += 1
                assert state.why_unknown((event.type, event.state_key or "")) is not None
            elif event.state_key is not None and found.replay.outcomes[event_id].accepted:
                # The server has noted which event it replaced.
                replaced = entries_of(state)[event.type, event.state_key]
                assert event.pdu["unsigned"]["replaces_state"] == replaced  # type: ignore[index,call-overload]
    assert unknown or len(joins(base, room_id)) == 1


def partial_join(base: Path, room_id: str) -> tuple[str, Change]:
    """Return a remote user's join, and what makes it the join of a server that has no members yet."""
    db = sqlite3.connect(base)
    sql = (
        "SELECT event_id FROM events WHERE room_id = ? AND type = 'm.room.member' AND sender = state_key"
        " AND rejection_reason IS NULL AND sender LIKE '%remote.example' ORDER BY stream_ordering LIMIT 1"
    )
    ((join,),) = db.execute(sql, (room_id,))
    db.close()

    def change(db: sqlite3.Connection) -> None:
        synapse_db.join_late(db, room_id, join)
        sql = (
            "SELECT state_group FROM event_to_state_groups WHERE event_id = ?"
            " UNION SELECT prev_state_group FROM state_group_edges WHERE state_group ="
            " (SELECT state_group FROM event_to_state_groups WHERE event_id = ?)"
        )
        groups = [group for (group,) in db.execute(sql, (join, join))]
        for group in groups:
            db.execute(
                "DELETE FROM state_groups_state WHERE state_group = ? AND type = 'm.room.member'"
                " AND event_id != ?",
                (group, join),
            )
        synapse_db.insert(db, "partial_state_rooms", (room_id, join))
        synapse_db.insert(db, "partial_state_events", (room_id, join))

    return join, change


def test_a_join_with_partial_state_leaves_members_unknown(
    changed: Callable[[Change], str], base: Path
) -> None:
    of_room = room_ids(base)[1]
    join, change = partial_join(base, of_room)
    path = changed(change)
    found = checked(path, of_room)
    given = found.gathered.given[join]
    assert isinstance(given, PartialState)
    assert given.why_unknown(("m.room.member", "@nobody:x")) is not None
    assert given.get(("m.room.topic", "?")) is None
    # The server that it was joined through had the full state.
    assert found.replay.outcomes[join].accepted
    assert not [one for some in found.findings.values() for one in some if one.kind.action.value != "fetch"]
    assert found.state_differs == {}
    assert run("check", path, "--room", of_room).exit_code == 3
    result = run("state", path, "--room", of_room)
    assert result.exit_code == 3
    assert "unknown" in result.stderr
    assert "unfinished" in run("rooms", path).stdout


def test_an_outlier_that_nothing_is_based_on_is_not_replayed(
    changed: Callable[[Change], str], base: Path
) -> None:
    of_room = room_ids(base)[1]
    events = checked(base, of_room).gathered.events
    cited = {one for event in events.values() for one in (*event.prev_event_ids, *event.auth_event_ids)}
    outlier = next(event_id for event_id in events if event_id not in cited)
    other = next(event_id for event_id in reversed(events) if event_id in cited)

    def change(db: sqlite3.Connection) -> None:
        for event_id in (outlier, other):
            db.execute("UPDATE events SET outlier = 1 WHERE event_id = ?", (event_id,))
            db.execute("DELETE FROM event_to_state_groups WHERE event_id = ?", (event_id,))

    path = changed(change)
    found = checked(path, of_room)
    assert found.gathered.apart == {outlier}
    assert outlier not in found.replay.outcomes
    assert other in found.replay.outcomes
    result = run("auth", "--room", path, "--room", of_room, outlier)
    assert (result.exit_code, "outlier" in result.stderr) == (2, True)
    assert "1 event not replayed" in run("check", path, "--room", of_room).stdout


def test_a_server_that_left_keeps_no_current_state(changed: Callable[[Change], str], base: Path) -> None:
    of_room = room_ids(base)[1]
    found = checked(changed(lambda db: db.execute("DELETE FROM current_state_events")), of_room)
    assert (found.not_compared, found.state_differs) == (False, {})


def test_a_server_that_was_only_invited_has_no_timeline(changed: Callable[[Change], str], base: Path) -> None:
    of_room = room_ids(base)[1]

    def change(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM events WHERE type != 'm.room.member'")
        db.execute("UPDATE events SET outlier = 1")

    assert run("check", changed(change), "--room", of_room).exit_code == 3


def test_a_decision_that_the_rules_do_not_share_is_found(
    changed: Callable[[Change], str], base: Path
) -> None:
    of_room = room_ids(base)[1]
    wrong = sorted(ids(base, REJECTED, of_room))[0]

    def accept(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM rejections WHERE event_id = ?", (wrong,))
        db.execute("UPDATE events SET rejection_reason = NULL WHERE event_id = ?", (wrong,))

    result = run("check", changed(accept), "--room", of_room)
    assert result.exit_code == 1
    assert "the recording server accepted it" in result.stdout

    end = sorted(ids(base, ENDS, of_room))[0]
    path = changed(lambda db: db.execute("DELETE FROM event_forward_extremities WHERE event_id = ?", (end,)))
    result = run("check", path, "--room", of_room)
    assert f"forward extremities only here: {end}" in result.stdout


# Its form


def test_a_database_of_another_kind_is_refused_in_one_sentence(
    changed: Callable[[Change], str], tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE events (a, b)")
    db.commit()
    db.close()
    for command in ("rooms", "check", "state", "resolve"):
        result = run(command, str(other))
        assert result.exit_code == 2
        assert "not one of Synapse" in result.stderr
    for version, compatible in ((60, 60), (95, 95), (120, 100), (None, None), ("x", "x")):
        path = changed(
            lambda db, values=(version, compatible): (  # type: ignore[misc]
                db.execute("UPDATE schema_version SET version = ?", values[:1]),
                db.execute("UPDATE schema_compat_version SET compat_version = ?", values[1:]),
            )
        )
        result = run("rooms", path)
        assert result.exit_code == 2
        assert "Synapse's schema versions 73 to 94 (Synapse 1.163.2)" in result.stderr
    # A later server that says that it is compatible.
    assert (
        run("rooms", changed(lambda db: db.execute("UPDATE schema_version SET version = 99"))).exit_code == 0
    )
    result = run("rooms", changed(lambda db: db.execute("DROP TABLE rejections")))
    assert (result.exit_code, "not as expected: rejections" in result.stderr) == (2, True)
    # A view may run anything.
    result = run(
        "rooms",
        changed(
            lambda db: db.executescript(
                "ALTER TABLE rooms RENAME TO r; CREATE VIEW rooms AS WITH RECURSIVE x(n) AS"
                " (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT n AS room_id, n AS room_version FROM x"
            )
        ),
    )
    assert (result.exit_code, "not as expected: rooms" in result.stderr) == (2, True)


def test_without_the_tables_of_states_the_rest_is_read(changed: Callable[[Change], str], base: Path) -> None:
    of_room = room_ids(base)[1]
    path = changed(lambda db: db.execute("DROP TABLE state_groups_state"))
    result = run("check", path, "--room", of_room)
    assert only_resets(path, "--room", of_room)
    assert "it has no table state_groups_state: states at gaps of rooms are unknown" in result.stderr
    assert "(`databases:` in homeserver.yaml), give that one with --also" in result.stderr


def test_a_room_version_that_is_not_known_is_named(changed: Callable[[Change], str], base: Path) -> None:
    of_room = room_ids(base)[1]
    path = changed(lambda db: db.execute("UPDATE rooms SET room_version = 'org.strange'"))
    result = run("check", path, "--room", of_room)
    assert (result.exit_code, "org.strange" in result.stderr) == (2, True)
    assert "org.strange" in run("rooms", path).stdout
    path = changed(lambda db: db.execute("UPDATE rooms SET room_version = NULL"))
    result = run("check", path, "--room", of_room)
    assert (result.exit_code, "give --room-version" in result.stderr) == (2, True)
    result = run("check", str(base), "--room", of_room, "--room-version", "2")
    assert (result.exit_code, "not 2" in result.stderr) == (2, True)


def test_a_key_that_cannot_be_used_is_left_out(changed: Callable[[Change], str], base: Path) -> None:
    of_room = room_ids(base)[1]

    def change(db: sqlite3.Connection) -> None:
        db.execute("UPDATE server_signature_keys SET verify_key = x'00'")
        db.execute("UPDATE server_keys_json SET key_json = 5")
        db.execute("INSERT INTO server_keys_json VALUES ('remote.example', 'x', '[]'), (NULL, NULL, NULL)")

    (report,) = json.loads(run("check", changed(change), "--room", of_room, "--json").stdout)["files"]
    wanted = {one["server"] for one in report["summary"]["keys_to_fetch"]}
    assert wanted == {"hs.example", "remote.example"}
    assert report["summary"]["kinds"] == {}


@pytest.mark.parametrize("until", ["NULL", "'x'", "x'00'", "0"])
def test_a_key_without_a_time_does_not_vouch(
    changed: Callable[[Change], str], base: Path, until: str
) -> None:
    of_room = room_ids(base)[3]  # from version 5 on, the time counts

    def change(db: sqlite3.Connection) -> None:
        db.execute(f"UPDATE server_signature_keys SET ts_valid_until_ms = {until}")
        db.execute("DELETE FROM server_keys_json")

    def signatures(path: str) -> dict[str, int]:
        (report,) = json.loads(run("check", path, "--room", of_room, "--json").stdout)["files"]
        found: dict[str, int] = report["summary"]["signatures"]
        return found

    whole, found = signatures(str(base)), signatures(changed(change))
    assert whole["valid"] > 0
    assert found == {**whole, "valid": 0, "key_unknown": whole["key_unknown"] + whole["valid"]}


def test_the_cure_for_the_servers_own_unknown_key_is_named(
    changed: Callable[[Change], str], base: Path, room_id: str
) -> None:
    where_to_get = "https://HOMESERVER/_matrix/key/v2/query/hs.example"
    cure = f"it lacks its own keys: save {where_to_get} as a file for --keys"
    where = "any homeserver has them: save GET /_matrix/key/v2/query/<server>"
    result = run("check", str(base), "--room", room_id)
    assert (cure in result.stdout, where in result.stdout) == (True, False)
    (note,) = run("state", str(base), "--room", room_id, "--type", "m.room.create").stderr.splitlines()
    assert note.endswith(f"could not be checked; save {where_to_get} as FILE, and give --keys FILE")
    # Another server's key is unknown too.
    path = changed(
        lambda db: db.executescript("DELETE FROM server_keys_json; DELETE FROM server_signature_keys")
    )
    result = run("check", path, "--room", room_id)
    assert (cure in result.stdout, where in result.stdout) == (True, True)


def test_the_servers_own_key_comes_from_its_file_of_signing_keys(
    base: Path, room_id: str, tmp_path: Path
) -> None:
    # vectors/recorder/homeserver.py makes the key from this seed.
    seed = encode_unpadded(hashlib.sha256(b"roomver recorder: hs.example").digest())
    path = tmp_path / "signing.key"
    path.write_text(f"ed25519 a_hs01 {seed}\n")
    call = (str(base), "--room", room_id, "--keys", f"hs.example={path}")
    assert only_resets(*call)
    result = run("check", *call, "--json")
    (report,) = json.loads(result.stdout)["files"]
    assert report["summary"]["signatures"]["key_unknown"] == 0
    assert report["summary"]["keys_to_fetch"] == []
    result = run("check", str(base), "--room", room_id, "--keys", str(path))
    assert (result.exit_code, f"SERVER={path}" in result.stderr) == (2, True)
    for text in ("", "ed25519 a secret", "{}", f"ed25519 a b {seed}"):
        path.write_text(text)
        result = run("check", str(base), "--room", room_id, "--keys", f"hs.example={path}")
        assert result.exit_code == 2
        assert "secret" not in result.stderr
        assert seed not in result.stderr


def test_an_event_of_a_file_is_judged_in_a_room_joined_late(
    changed: Callable[[Change], str], base: Path, tmp_path: Path
) -> None:
    of_room = room_ids(base)[1]
    first = joins(base, of_room)[3]
    last = max(ids(base, ENDS, of_room))  # the server has accepted it
    texts = ids(base, "SELECT json FROM event_json WHERE event_id = ?", last)
    file = tmp_path / "event.json"
    file.write_text(texts.pop())

    def change(db: sqlite3.Connection) -> None:
        synapse_db.join_late(db, of_room, first)
        for table in ("events", "event_json", "event_to_state_groups", "event_forward_extremities"):
            db.execute(f"DELETE FROM {table} WHERE event_id = ?", (last,))

    path = changed(change)
    result = run("auth", "--room", path, "--room", of_room, str(file))
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "unknown" not in result.stdout
    assert run("check", path, "--room", of_room, "--alone").exit_code == 0


def test_events_that_the_server_no_longer_has_may_leave_extremities_unknown(
    changed: Callable[[Change], str], base: Path
) -> None:
    of_room = room_ids(base)[1]
    gone = sorted(ids(base, ENDS, of_room))[0]
    known = []
    for first in joins(base, of_room):

        def change(db: sqlite3.Connection, first: str = first) -> None:
            synapse_db.join_late(db, of_room, first)
            # As if a later event, which is gone, had followed it.
            db.execute("DELETE FROM event_forward_extremities WHERE event_id = ?", (gone,))

        (report,) = json.loads(run("check", changed(change), "--room", of_room, "--json").stdout)["files"]
        known.append(report["room"]["extremities_known"])
        assert report["room"]["state_differs"] == []
        # Where no missing event can follow it, the server is wrong.
        differ = {"ours": [gone], "theirs": []} if known[-1] else None
        assert report["room"]["extremities_differ"] == differ
    assert set(known) == {True, False}
