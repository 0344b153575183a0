"""Several databases and files in one call: a homeserver's database, changed copies of it, recordings."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import report, run
from homeservers import unpacked_sqlite

DATA = Path(__file__).parent / "data"
ROOMS: dict[str, Any] = json.loads((DATA / "homeserver.json").read_text(encoding="utf-8"))["rooms"]
BY_NAME = {room["name"]: room_id for room_id, room in ROOMS.items()}
LATE = BY_NAME["late-v10"]
LOCAL = BY_NAME["local-v11"]

Change = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(unpacked_sqlite(tmp_path_factory.mktemp("homeserver")))


@pytest.fixture
def copy(database: str, tmp_path: Path) -> Callable[..., str]:
    def make(name: str, *changes: Change) -> str:
        path = tmp_path / name
        shutil.copyfile(database, path)
        db = sqlite3.connect(path)
        for change in changes:
            change(db)
        db.commit()
        db.close()
        return str(path)

    return make


def accepts(event_id: str) -> Change:
    """Make a server have accepted an event that it rejected."""

    def change(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM rejections WHERE event_id = ?", (event_id,))
        db.execute("UPDATE events SET rejection_reason = NULL WHERE event_id = ?", (event_id,))

    return change


def together(*sources: str, room_id: str, code: int = 0) -> dict[str, Any]:
    first, *others = sources
    also = [argument for other in others for argument in ("--also", other)]
    return report(first, "--room", room_id, *also, code=code)


def told(found: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["kind"], one["event_id"]) for one in found["sources"]["contradictions"]]


def differing(found: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in found["sources"]["differences"]]


@pytest.mark.parametrize(
    "name", ["late-v1", "local-v1", "late-v10", "finished-v12", "purged-v9", "local-v12"]
)
def test_a_copy_and_a_recording_add_nothing_and_contradict_nothing(
    database: str, copy: Callable[..., str], tmp_path: Path, name: str
) -> None:
    room_id = BY_NAME[name]
    recording = str(tmp_path / "recording.jsonl")
    assert run("record", database, "--room", room_id, "-o", recording).exit_code == 0
    alone = report(database, "--room", room_id)
    assert "sources" not in alone
    other = copy("other.db")
    for sources in (
        (database, other),
        (database, recording),
        (recording, database),
        (other, recording, database),
    ):
        found = together(*sources, room_id=room_id)
        assert (told(found), differing(found)) == ([], [])
        first, *others = found["sources"]["parts"]
        assert first["name"] == sources[0]
        assert (first["events"], first["added"]) == (len(ROOMS[room_id]["events"]),) * 2
        # None of the keys of this room's servers is in the database.
        assert first["cannot_tell"] == (["keys"] if name == "purged-v9" else [])
        for part in others:
            assert (part["added"], part["keys_added"], part["states_added"]) == (0, 0, 0)
            assert (part["events"], part["repeated"]) == (first["events"],) * 2
            for same in ("keys", "states", "rejected", "soft_failed", "current_state", "cannot_tell"):
                assert part[same] == first[same]
        for same in ("forward_extremities", "state_size", "agreed", "outliers", "apart", "gaps"):
            assert found["room"][same] == alone["room"][same]


def test_the_shape_of_the_sources_in_json(database: str, copy: Callable[..., str]) -> None:
    event_id = sorted(ROOMS[LOCAL]["rejected"])[0]
    other = copy("other.db", accepts(event_id))
    found = together(database, other, room_id=LOCAL, code=1)
    assert found["sources"].keys() == {"parts", "contradictions", "differences"}
    assert [part["what"] for part in found["sources"]["parts"]] == ["Synapse's database (schema 94)"] * 2
    for part in found["sources"]["parts"]:
        assert part.keys() == {
            "name",
            "what",
            "has_room",
            "events",
            "added",
            "repeated",
            "dropped",
            "other_rooms",
            "keys",
            "keys_added",
            "states",
            "states_added",
            "current_state",
            "rejected",
            "soft_failed",
            "cannot_tell",
        }
    (one,) = found["sources"]["contradictions"]
    assert one == {
        "kind": "rejected",
        "event_id": event_id,
        "server": None,
        "key_id": None,
        "says": [
            {"source": database, "place": None, "text": "rejected it"},
            {"source": other, "place": None, "text": "accepted it"},
        ],
        "entries": [],
        "more_entries": 0,
    }


def test_the_first_servers_decisions_are_compared_with_the_rules(
    database: str, copy: Callable[..., str]
) -> None:
    event_id = sorted(ROOMS[LOCAL]["rejected"])[0]
    other = copy("other.db", accepts(event_id))
    found = together(database, other, room_id=LOCAL, code=1)
    assert found["summary"]["bad"] == 0
    found = together(other, database, room_id=LOCAL, code=1)
    (event,) = found["events"]
    assert (event["event_id"], [one["kind"] for one in event["findings"]][-1]) == (event_id, "server-differs")


def test_a_contradiction_is_listed_and_told_by_every_command(
    database: str, copy: Callable[..., str], tmp_path: Path
) -> None:
    event_id = sorted(ROOMS[LOCAL]["rejected"])[0]
    other = copy("other.db", accepts(event_id))
    listed = run("check", database, "--room", LOCAL, "--also", other).stdout
    assert "1 contradiction between the sources:" in listed
    assert f"  rejected: {event_id}: one server rejected it, another accepted it" in listed
    assert f"{other}: accepted it" in listed
    command = f"roomver check {database} --room '{LOCAL}' --also {other}"
    line = f"1 contradiction between the sources; to list them: {command}"
    out = str(tmp_path / "out.jsonl")
    for arguments in (
        ("state", database, "--room", LOCAL),
        ("resolve", database, "--room", LOCAL),
        ("auth", "--room", database, "--room", LOCAL, event_id),
        ("record", database, "--room", LOCAL, "--force", "-o", out),
    ):
        assert run(*arguments, "--also", other).stderr.count(line) == 1, arguments
        told = run(*arguments).stderr.replace(str(tmp_path), "")  # the name of the test is in it
        assert "contradiction" not in told
    result = run("auth", "--room", database, "--room", LOCAL, event_id, "--also", other)
    assert "the sources contradict each other about this event:" in result.stdout
    rows = json.loads(
        run("auth", "--room", database, "--room", LOCAL, event_id, "--also", other, "--json").stdout
    )
    assert [one["kind"] for row in rows for one in row["differences"]] == ["rejected"] * len(rows)
    quiet = sorted(ROOMS[LOCAL]["rejected"])[1]
    result = run("auth", "--room", database, "--room", LOCAL, quiet, "--also", other)
    assert "about this event" not in result.stdout


def test_more_than_ten_contradictions_are_counted(database: str, copy: Callable[..., str]) -> None:
    rejecting = [*ROOMS[LOCAL]["events"]][-20:]
    fresh = [one for one in rejecting if one not in ROOMS[LOCAL]["rejected"]]

    def reject(db: sqlite3.Connection) -> None:
        for event_id in fresh:
            db.execute("UPDATE events SET rejection_reason = 'x' WHERE event_id = ?", (event_id,))

    result = run("check", database, "--room", LOCAL, "--also", copy("other.db", reject))
    assert result.exit_code == 1
    contradictions = int(result.stdout.split(" contradictions between the sources")[0].split()[-1])
    assert contradictions > 10
    assert f"and {contradictions - 10:,} more: --json lists all" in result.stdout
    whole = run("check", "--all", database, "--room", LOCAL, "--also", copy("other.db", reject)).stdout
    assert whole.count("one server rejected it, another accepted it") == contradictions


def test_two_servers_give_different_states_before_one_event(database: str, copy: Callable[..., str]) -> None:
    db = sqlite3.connect(database)
    kinds = [
        k for (k,) in db.execute("SELECT DISTINCT type FROM state_groups_state WHERE room_id = ?", (LATE,))
    ]
    db.close()
    kind = next(one for one in kinds if one in ("m.room.name", "m.room.topic", "m.room.history_visibility"))

    def forget(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM state_groups_state WHERE room_id = ? AND type = ?", (LATE, kind))

    other = copy("other.db", forget)
    found = together(database, other, room_id=LATE, code=1)
    assert {one[0] for one in told(found)} == {"state-before"}
    for one in found["sources"]["contradictions"]:
        (entry,) = one["entries"]
        assert entry["type"] == kind
        assert {said["source"]: said["event_id"] is None for said in entry["says"]} == {
            database: False,
            other: True,
        }
        result = run(
            "state",
            database,
            "--room",
            LATE,
            "--also",
            other,
            "--before",
            "--at",
            one["event_id"],
            "--type",
            kind,
        )
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"{database} and {other} contradict each other" in result.stderr
    backwards = together(other, database, room_id=LATE, code=1)
    assert sorted(told(backwards)) == sorted(told(found))


def test_what_one_server_lost_the_other_has(database: str, copy: Callable[..., str]) -> None:
    """A server that purged its history, with one that has it."""
    refused = {*ROOMS[LOCAL]["rejected"], *ROOMS[LOCAL]["soft_failed"]}
    cut = sorted({*ROOMS[LOCAL]["events"]} - refused)[::3]

    def purge(db: sqlite3.Connection) -> None:
        for event_id in cut:
            for table in ("events", "event_json", "event_to_state_groups", "rejections"):
                db.execute(f"DELETE FROM {table} WHERE event_id = ?", (event_id,))

    other = copy("purged.db", purge)
    whole = report(database, "--room", LOCAL)
    for sources in ((database, other), (other, database)):
        found = together(*sources, room_id=LOCAL)
        assert told(found) == []
        assert found["room"]["state_size"] == whole["room"]["state_size"]
        assert found["summary"]["undecided"] == 0
        by_name = {part["name"]: part for part in found["sources"]["parts"]}
        assert by_name[other]["events"] == len(ROOMS[LOCAL]["events"]) - len(cut)
        assert sum(part["added"] for part in found["sources"]["parts"]) == len(ROOMS[LOCAL]["events"])


def test_a_database_without_the_room_is_named_and_does_not_stop_the_reading(
    database: str, copy: Callable[..., str], tmp_path: Path
) -> None:
    def forget(db: sqlite3.Connection) -> None:
        for table in ("rooms", "events"):
            db.execute(f"DELETE FROM {table} WHERE room_id = ?", (LOCAL,))

    other = copy("other.db", forget)
    only_events = copy("events.db", lambda db: db.execute("DELETE FROM events WHERE room_id = ?", (LOCAL,)))
    for lacking, said in ((other, "it has no room"), (only_events, "it has no events of")):
        result = run("check", database, "--room", LOCAL, "--also", lacking)
        assert result.exit_code == 0
        assert f"roomver: {lacking}: {said}" in result.stderr
        assert "it does not have the room" in result.stdout
        parts = together(database, lacking, room_id=LOCAL)["sources"]["parts"]
        assert [part["has_room"] for part in parts] == [True, False]
        result = run("check", lacking, "--room", LOCAL, "--also", database)
        assert (result.exit_code, f"roomver: {lacking}: {said}" in result.stderr) == (2, True)
    recording = str(tmp_path / "recording.jsonl")
    run("record", database, "--room", LOCAL, "-o", recording)
    assert run("check", recording, "--room", LOCAL, "--also", other).exit_code == 0


def test_another_room_version_is_an_error_that_names_both(
    database: str, copy: Callable[..., str], tmp_path: Path
) -> None:
    def change(db: sqlite3.Connection) -> None:
        db.execute("UPDATE rooms SET room_version = '9' WHERE room_id = ?", (LOCAL,))

    other = copy("other.db", change)
    result = run("check", database, "--room", LOCAL, "--also", other)
    assert result.exit_code == 2
    assert f"{other}: it says that '{LOCAL}' has room version 9, not 11 as {database} says" in result.stderr
    recording = tmp_path / "recording.jsonl"
    run("record", database, "--room", LOCAL, "-o", str(recording))
    result = run("check", other, "--room", LOCAL, "--also", str(recording))
    assert result.exit_code == 2
    assert f"{recording}: it says that it has room version 11, not 9 as {other} says" in result.stderr


def test_the_table_fits_a_terminal(
    database: str, copy: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What quotes no event ID is at most 80 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("roomver.cli.common.WIDE", 80)
    copy("a.db")
    (tmp_path / "b.json").write_text(json.dumps([]))
    text = run("check", "a.db", "--room", LOCAL, "--also", "b.json").stdout
    table = text.split("sources of ")[1].split("\n\n")[0].splitlines()
    assert table[1].split() == ["source", "events", "added", "keys", "states", "cannot", "tell"]
    assert "".join(table[4:]).split()[-1] == "keys"
    assert [line.split()[:5] for line in table[3:5]] == [
        ["a.db", "40", "40", "1", "0"],
        ["b.json", "0", "0", "0", "0"],
    ]
    assert max(map(len, table)) <= 80


def test_what_two_servers_contradict_each_other_on_is_recorded_as_unknown(
    database: str, copy: Callable[..., str], tmp_path: Path
) -> None:
    rejected = next(iter(ROOMS[LOCAL]["rejected"]))
    other = copy("other.db", accepts(rejected))
    path = tmp_path / "recording.jsonl"
    for sources in ((database, "--also", other), (other, "--also", database)):
        result = run("record", *sources, "--room", LOCAL, "-o", str(path), "--force")
        assert result.exit_code == 0
        assert "1 contradiction between the sources; to list them" in result.stderr
        assert f"rejected: {rejected}: one server rejected it, another accepted it" in result.stderr
        header, *lines = map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1])
        assert rejected not in header["rejected"]
        assert header["not_judged"] == [rejected]
        assert [(one["kind"], one["event_id"]) for one in header["contradictions"]] == [
            ("rejected", rejected)
        ]
        ids = [line["event_id"] for line in lines]
        assert len(ids) == len(set(ids))
        # The rules reject it, and that nobody knows what the server did is not an excuse.
        result = run("check", str(path))
        assert (result.exit_code, "1 event with findings: 1 rejected" in result.stdout) == (1, True)
        assert "its sources contradict each other on 1 point, which its header names" in result.stderr
    # Without an anonymised name of the sources.
    result = run("record", database, "--also", other, "--room", LOCAL, "-o", "-", "--anonymise")
    assert "contradictions" not in json.loads(result.stdout.split("\n")[0])
