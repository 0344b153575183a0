"""A key that is not the server's: its events are dropped for that, and no output calls them missing."""

import json
from pathlib import Path

import pytest
from command_line import run
from homeservers import room_named, unpacked_sqlite

LATE = room_named("late-v10")
JOIN = "$LReK-jOToSHKVZRc-VdCWcJEGTC8HdafBiuWhLuQbT4"  # of alice of hs.example
GONE = "$_i4uXBc57bhEZwkx0pyf846PMBZZunD21WHZobg1koI"  # before the history that the server fetched
FETCHED = "$cS8BQlRgesYgKm9vN-9JNS-UtOVzQ5DxPIoSjzXb5Lc"  # the oldest event of that
BOB = "$5F0-xWtZFylLpT3FEAe4pghRxqaYzXzPpGnvuMWMYl4"  # his join
WRONG = {"hs.example": {"ed25519:a_hs01": {"key": "SDQp9JlC3Idka1uprvsYbZkTpnJ4OwHbtqaqe+TDIl8"}}}
WHY = 'signature, no valid signature from hs.example ("ed25519:a_hs01" does not verify)'


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Return the arguments that name the room and the wrong key."""
    folder = tmp_path_factory.mktemp("homeserver")
    database, keys = unpacked_sqlite(folder), folder / "wrong.json"
    key = {"valid_until_ts": 1_796_060_879_587, **WRONG["hs.example"]["ed25519:a_hs01"]}
    keys.write_text(json.dumps({"hs.example": {"ed25519:a_hs01": key}}))
    return (str(database), LATE, "--keys", str(keys))


def test_check_says_dropped_where_the_servers_state_has_such_events(call: tuple[str, ...]) -> None:
    result = run("check", *call)
    assert result.exit_code == 1
    assert "missing events" not in result.stdout
    line = next(one for one in result.stdout.splitlines() if "events of the recording server's state" in one)
    assert line.startswith(f"  dropped events of the recording server's state: {BOB}, {JOIN}")
    verdict = result.stdout.split(f"\n{LATE}: problems found\n")[1]
    assert "  2 events that the server decided about or has in its state were dropped\n" in verdict
    assert "the key of hs.example is probably wrong" in verdict
    (report,) = json.loads(run("check", *call, "--json").stdout)["files"]
    assert [one["dropped"] for one in report["room"]["recorded_missing"]] == [True, True]


@pytest.mark.parametrize("command", ["state", "resolve"])
def test_the_state_is_unknown_for_dropped_events_with_the_key_as_the_reason(
    call: tuple[str, ...], command: str
) -> None:
    result = run(command, *call)
    assert result.exit_code == 3
    # The notes come after the answer, and begin with the name of the program.
    listed = result.stderr.split("missing or dropped events:\n")[1].split("\nroomver: ")[0].splitlines()
    missing = [line for line in listed if line.startswith("  $") and ", dropped (" not in line]
    assert missing == [f"  {GONE}, cited by {FETCHED}"]
    assert f"  {JOIN}, dropped (event_json, {JOIN}: {WHY}), cited by " in result.stderr


def test_what_a_given_state_lacks_was_dropped(call: tuple[str, ...]) -> None:
    database, _, *keys = call
    event_id = "$XQEosjYOiNiGiL8v3guKo3zRX3Jg10tC_2q2x5Ec-6o"
    result = run("resolve", database, "--at", event_id, *keys)
    assert result.exit_code == 3
    assert "m.room.member '@alice:hs.example'" in result.stderr
    assert "  valid copies of the dropped events decide this" in result.stderr
    assert "/send_join" not in result.stderr


def test_with_events_missing_and_dropped_each_is_called_so(call: tuple[str, ...], tmp_path: Path) -> None:
    recording = tmp_path / "room.jsonl"
    assert run("record", *call[:2], "-o", str(recording)).exit_code == 0
    header, *lines = recording.read_text().splitlines()
    fields = json.loads(header)
    assert JOIN in fields["state"]
    lost = next(e for e in sorted(fields["state"]) if e not in (JOIN, BOB))
    kept = [line for line in lines if json.loads(line)["event_id"] != lost]
    recording.write_text("\n".join([header, *kept]) + "\n")
    result = run("check", str(recording), *call[2:])
    assert f"  missing events of the recording server's state: {lost}\n" in result.stdout
    assert f"  dropped events of the recording server's state: {BOB}, {JOIN}\n" in result.stdout
    assert "  2 events that the server decided about or has in its state were dropped\n" in result.stdout
    assert "  1 event that the server decided about or has in its state is missing\n" in result.stdout


def test_a_room_of_which_little_is_left_is_not_called_free_of_resets(call: tuple[str, ...]) -> None:
    """Without the key, the room has a reset. With a wrong one, its events are left out or undecided."""
    database, *_, keys = call
    room = (database, room_named("local-v11"), "--keys", keys)
    result = run("resets", *room)
    assert result.exit_code == 3
    assert result.stdout.startswith(
        "No state reset is known in 0 merges of differing states. A part of the room could not be searched.\n"
    )
    assert "a key is probably wrong, and the events that it does not verify are left out" in result.stdout
    assert "19 events are undecided: resets of what they set are not seen" in result.stdout
    assert json.loads(run("resets", *room, "--json").stdout)["notes"]
    # Nor does another command answer as if it knew.
    members = run("history", *room, "m.room.member")
    assert members.exit_code == 3
    assert members.stdout.startswith("m.room.member: 3 keys; 0 have current values, 3 unknown.")
    assert run("history", *room, "m.room.topic").exit_code == 3
    assert run("may", *room, "@alice:hs.example", "kick", "@zoe:remote.example").exit_code == 3
    assert run("repair", *room).exit_code == 3
    assert "undid no change" not in run("check", *room).stdout
