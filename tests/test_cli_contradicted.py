"""What ``auth`` says where sources contradict each other: which contradiction leaves an event undecided."""

import json
import shutil
import sqlite3

import pytest
from command_line import run
from homeservers import room_named, unpacked_sqlite

LATE = room_named("late-v10")
JOIN = "$5F0-xWtZFylLpT3FEAe4pghRxqaYzXzPpGnvuMWMYl4"  # of bob of hs.example, after the gap
BAN = "$cS8BQlRgesYgKm9vN-9JNS-UtOVzQ5DxPIoSjzXb5Lc"  # in the state before the server's join
MESSAGE = "$GuNiSaItt4d00vOfx7qlZb8t9oGjKLNjaGJ1zelnB0I"  # after a merge


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return a server's database, and one of a server that rejected one of its events, BAN."""
    folder = tmp_path_factory.mktemp("homeserver")
    one, other = unpacked_sqlite(folder), folder / "other.db"
    shutil.copyfile(one, other)
    db = sqlite3.connect(other)
    db.execute("UPDATE events SET rejection_reason = 'x' WHERE event_id = ?", (BAN,))
    db.execute("INSERT INTO rejections VALUES (?, 'x', '1')", (BAN,))
    db.commit()
    db.close()
    return str(one), str(other)


def test_auth_names_the_contradiction_that_leaves_an_event_undecided(databases: tuple[str, str]) -> None:
    one, other = databases
    assert run("auth", one, MESSAGE).exit_code == 0
    result = run("auth", one, "--also", other, MESSAGE)
    assert result.exit_code == 3
    before = result.stdout.split("against the state before it: undecided\n")[1].split("\n\n")[0]
    reason = (
        f"m.room.member '@xena:far.example' (sources contradict each other on whether {BAN} was rejected)"
    )
    first, *rest = before.splitlines()
    assert first.startswith('  the state is known in part: m.room.power_levels "" is unknown (')
    assert rest == [
        "  the sources contradict each other: find out which one is right",
        f"  behind it: {reason}",
    ]
    assert "/send_join" not in result.stdout
    data = json.loads(run("auth", one, "--also", other, MESSAGE, "--json").stdout)
    (row,) = [row for row in data if row["against"] == "the state before it"]
    assert row["lacks"] == ["agreement"]
    assert row["contradictions"] == [reason]


def test_auth_says_that_a_disputed_event_of_a_given_state_is_undecided_for_that(
    databases: tuple[str, str],
) -> None:
    one, other = databases
    result = run("auth", one, "--also", other, BAN)
    assert result.exit_code == 3
    before = result.stdout.split("against the state before it: undecided\n")[1].split("\n\n")[0]
    assert f"  behind it: sources contradict each other on whether {BAN} was rejected" in before.splitlines()


def test_the_current_state_that_is_unknown_for_a_contradiction_names_it(databases: tuple[str, str]) -> None:
    one, other = databases
    result = run("auth", one, "--also", other, JOIN)
    after = result.stdout.split("against the current state at its arrival: unknown\n")[1].split("\n\n")[0]
    assert "  the sources contradict each other: find out which one is right" in after.splitlines()
    assert f"on whether {BAN} was rejected" in after
    state = run("state", one, LATE, "--also", other)
    assert state.exit_code == 3
    reason = (
        f"m.room.member '@xena:far.example' (sources contradict each other on whether {BAN} was rejected)"
    )
    assert f"\n  behind it: {reason}\n" in state.stderr
    assert "/send_join" not in state.stderr
    checked = run("check", one, LATE, "--also", other)
    assert checked.exit_code == 1
    assert "A server must find out which of the contradicting sources is right." in checked.stdout
    assert "/send_join" not in checked.stdout


def test_without_a_contradiction_nothing_is_said_of_one(databases: tuple[str, str]) -> None:
    one, _ = databases
    (partial,) = (r["room_id"] for r in json.loads(run("rooms", one, "--json").stdout) if r["partial"])
    (report,) = json.loads(run("check", one, partial, "--json").stdout)["files"]
    undecided = [event["event_id"] for event in report["events"] if event["findings"]]
    assert undecided
    for event_id in undecided:
        data = json.loads(run("auth", one, event_id, "--json").stdout)
        assert not any("contradictions" in row for row in data)
        assert "contradict" not in run("auth", one, event_id).stdout
