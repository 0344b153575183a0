"""Which room of a source is meant: by an event, an alias, the header of a file, or its ID in any place."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from command_line import run
from homeservers import room_named, unpacked_sqlite

DATA = Path(__file__).parent / "data"
LATE = room_named("late-v10")
REJECTED = "$XQEosjYOiNiGiL8v3guKo3zRX3Jg10tC_2q2x5Ec-6o"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("homeserver")
    path = unpacked_sqlite(folder)
    db = sqlite3.connect(path)
    db.execute("INSERT INTO room_aliases VALUES ('#late:hs.example', ?, '@alice:hs.example')", (LATE,))
    db.commit()
    db.close()
    return str(path)


# Events that no room has


@pytest.mark.parametrize("call", ["auth", "state", "resolve"])
def test_an_event_that_no_room_has_is_named_with_what_that_can_mean(database: str, call: str) -> None:
    strange = "$WVdKtqXmkMXq3hmkEcBPWYHQ8K0PxSTXrAyK6A8ZzZz"
    options = ("--room", database, strange) if call == "auth" else (database, "--at", strange)
    result = run(call, *options)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"roomver: {database}: none of its 15 rooms has the event '{strange}': the server never received it,"
        " or purged it, or the ID is mistyped"
    ]


def test_an_event_id_with_a_slip_is_answered_with_the_nearest_one(database: str) -> None:
    slip = f"{REJECTED[:-3]}xyz"
    result = run("auth", "--room", database, slip)
    assert result.exit_code == 2
    assert f"or the ID is mistyped; the nearest ID is '{REJECTED}', in the room '{LATE}'" in result.stderr
    # In a room that was chosen, and in a file.
    chosen = run("auth", "--room", database, "--room", LATE, slip)
    assert f"or the ID is mistyped; the nearest ID is '{REJECTED}'" in chosen.stderr
    v11 = str(DATA.parent.parent / "vectors" / "rooms" / "v11.jsonl")
    in_file = run("auth", "--room", v11, "$9o6hxi5I7ZsnUDTsfEM_RTAl8bRpBA7x_idMY6jWqgX")
    assert in_file.exit_code == 2
    assert "no event ID is or starts with $9o6hxi5I7Zsn" in in_file.stderr
    assert "the nearest ID is '$9o6hxi5I7ZsnUDTsfEM_RTAl8bRpBA7x_idMY6jWqgk'" in in_file.stderr


def test_a_missing_event_that_others_follow_finds_their_room(database: str) -> None:
    db = sqlite3.connect(database)
    sql = (
        "SELECT x.event_id FROM event_backward_extremities x WHERE x.room_id = ?"
        " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = x.event_id)"
    )
    (missing,), *_ = db.execute(sql, (LATE,))
    db.close()
    result = run("auth", "--room", database, missing)
    assert (result.exit_code, f"events missing from {database}: {missing}" in result.stderr) == (3, True)


# A file that names its room


def test_a_recording_names_the_room_for_a_database_beside_it(database: str, tmp_path: Path) -> None:
    recording = str(tmp_path / "room.jsonl")
    assert run("record", database, "--room", LATE, "-o", recording).exit_code == 0
    for sources in ((database, "--also", recording), (recording, "--also", database)):
        found = run("check", *sources, "--json")
        assert found.exit_code == 0
        (report,) = json.loads(found.stdout)["files"]
        assert [part["has_room"] for part in report["sources"]["parts"]] == [True, True]
    other = run("check", database, "--room", "!cyVIwoicGNLlhMfvVO:hs.example", "--also", recording)
    assert (other.exit_code, f"its room is '{LATE}'" in other.stderr) == (2, True)


# An ID in another place


def test_a_room_may_be_named_after_its_source(database: str) -> None:
    for call in ("check", "state", "resolve"):
        named, option = run(call, database, LATE), run(call, database, "--room", LATE)
        assert (named.exit_code, named.stdout) == (0, option.stdout)
    option = run("auth", "--room", database, "--room", LATE, REJECTED)
    for places in ((database, REJECTED), (database, LATE, REJECTED), ("--room", LATE, database, REJECTED)):
        named = run("auth", *places)
        assert (named.exit_code, named.stdout) == (1, option.stdout)
    assert run("rooms", database, LATE).exit_code == 2


def test_an_alias_of_the_server_stands_for_its_room(database: str) -> None:
    by_id = run("check", database, "--room", LATE)
    assert by_id.exit_code == 0
    for call in ((database, "#late:hs.example"), (database, "--room", "#late:hs.example")):
        result = run("check", *call)
        assert (result.exit_code, result.stdout) == (0, by_id.stdout)
    assert run("state", database, "#late:hs.example").stdout == run("state", database, LATE).stdout
    assert run("auth", database, "#late:hs.example", REJECTED).exit_code == 1
    unknown = run("check", database, "#late:far.example")
    assert unknown.exit_code == 2
    assert "it has no alias '#late:far.example': Synapse stores only its own server's" in unknown.stderr
    in_file = run("check", str(DATA.parent.parent / "vectors" / "rooms" / "v11.jsonl"), "#late:hs.example")
    assert in_file.exit_code == 2
    assert "it is a room alias. Its room ID is in Synapse's table room_aliases" in in_file.stderr


def test_an_old_database_without_aliases_says_so(database: str, tmp_path: Path) -> None:
    copy = shutil.copyfile(database, tmp_path / "copy.db")
    db = sqlite3.connect(copy)
    db.execute("DROP TABLE room_aliases")
    db.commit()
    db.close()
    result = run("check", str(copy), "#late:hs.example")
    assert (result.exit_code, "it has no alias '#late:hs.example'" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "DB", REJECTED),
        ("state", "DB", REJECTED),
    ],
)
def test_an_event_id_where_a_room_is_read_leads_to_auth(database: str, arguments: tuple[str, ...]) -> None:
    result = run(*(database if one == "DB" else one for one in arguments))
    assert result.exit_code == 2
    assert f"'{REJECTED}' is an event ID. To judge it: roomver auth {database} '{REJECTED}'" in result.stderr
