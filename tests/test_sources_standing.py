"""Where a server stands in a room: ``state`` says on standard error what ``check`` says about it."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE
from command_line import Write, entries, header, public_room, run
from homeservers import room_named, unpacked_sqlite

DATA = Path(__file__).parent / "data"
ROOMS: dict[str, Any] = json.loads((DATA / "homeserver.json").read_text(encoding="utf-8"))["rooms"]
PARTIAL = room_named("partial-v11")
INVITED = room_named("invited-v11")
TURNED_DOWN = room_named("turned-down-v12")
LEFT = room_named("left-v10")

UNFINISHED = (
    "the join is not finished: the server does not have all members yet",
    "it fetches them by itself: check again later; if it does not finish, see its log",
)
SENTENCES = {
    PARTIAL: UNFINISHED,
    INVITED: (
        "the server was only invited: it has 1 event and no state",
        "who invited whom is known; whether the rules allow it, a server in the room can tell",
    ),
    TURNED_DOWN: ("the server is not in the room: it has 2 events and no state",),
    LEFT: ("the server left the room on 2026-11-29, with $kY81YPWwVMw8jayuhRgG80tvbZ6kJhsCyIsK_QJPAK0:",),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(unpacked_sqlite(tmp_path_factory.mktemp("homeserver")))


@pytest.mark.parametrize("room_id", SENTENCES)
def test_state_says_where_the_server_stands_as_check_does(database: str, room_id: str) -> None:
    checked, state = run("check", database, room_id), run("state", database, room_id)
    for sentence in SENTENCES[room_id]:
        assert f"  {sentence}" in checked.stdout
        assert f"roomver: {database}: {sentence}" in state.stderr or f"\n  {sentence}" in state.stderr
    assert sum(sentence in state.stderr for sentence in SENTENCES[room_id]) == len(SENTENCES[room_id])


@pytest.mark.parametrize("room_id", [PARTIAL, INVITED])
def test_the_verdict_says_that_the_server_does_not_have_the_room_and_what_to_do(
    database: str, room_id: str
) -> None:
    verdict = run("check", database, room_id).stdout.split(f"\n{room_id}: undecided\n")[1]
    for sentence in SENTENCES[room_id]:
        assert sentence in verdict


def test_a_server_in_the_room_has_nothing_to_say_about_that(database: str) -> None:
    told = [sentence for sentences in SENTENCES.values() for sentence in sentences]
    for room_id in (one for one in ROOMS if one not in SENTENCES):
        state = run("state", database, room_id)
        assert state.exit_code == 0
        assert not any(sentence in state.stderr for sentence in told)
        assert "differs" not in state.stderr
    (report,) = json.loads(run("check", database, PARTIAL, "--json").stdout)["files"]
    assert (report["server"]["membership"], report["server"]["partial"]) == ("join", True)


def test_a_recording_says_that_the_join_is_not_finished(database: str, tmp_path: Path) -> None:
    path = str(tmp_path / "room.jsonl")
    assert run("record", database, "--room", PARTIAL, "-o", path).exit_code == 0
    assert f"  {UNFINISHED[0]}" in run("check", path).stdout
    assert UNFINISHED[0] in run("state", path).stderr
    (report,) = json.loads(run("check", path, "--json").stdout)["files"]
    assert (report["server"]["membership"], report["server"]["partial"]) == (None, True)


def test_the_state_at_an_event_is_not_about_where_the_server_stands_now(database: str) -> None:
    before = run("state", database, "--at", "$kY81YPWwVMw8jayuhRgG80tvbZ6kJhsCyIsK_QJPAK0", "--before")
    assert (before.exit_code, "the server left" in before.stderr) == (0, False)
    undecided = ROOMS[PARTIAL]["partial_state_events"][-1]
    assert UNFINISHED[0] in run("state", database, "--at", undecided).stderr


def test_state_says_that_the_server_has_another_current_state(database: str, tmp_path: Path) -> None:
    room_id = "!xWjVNmliGLPGHEVxiN:far.example"
    copy = shutil.copyfile(database, tmp_path / "copy.db")
    db = sqlite3.connect(copy)
    sql = "DELETE FROM current_state_events WHERE room_id = ? AND type IN ('m.room.topic', 'm.room.name')"
    db.execute(sql, (room_id,))
    db.commit()
    db.close()
    sentence = "state-differs: the current state differs from the recording server's in 2 entries"
    assert f"  {sentence}\n" in run("check", str(copy), room_id).stdout
    state = run("state", str(copy), room_id)
    assert state.exit_code == 0, "the state was printed"
    assert (
        f"roomver: {copy}: {sentence}; to list them: roomver check {copy} --room '{room_id}'" in state.stderr
    )
    at = run("state", str(copy), "--at", "$XQEosjYOiNiGiL8v3guKo3zRX3Jg10tC_2q2x5Ec-6o")
    assert "differs" not in at.stderr
    # Without the entries that were lost.
    one = run("state", str(copy), room_id, "--type", "m.room.create")
    assert sentence in one.stderr


def test_an_event_on_a_cycle_that_the_server_rejected_too_is_explained(write: Write) -> None:
    built = public_room("1")
    lines = entries(built)
    base = built.last
    assert base is not None
    ring = []
    for number, other in ((1, 2), (2, 1)):
        event = built.make("m.room.message", ALICE, {"body": "x"})
        pdu = {**event.pdu, "event_id": f"${number}:a.example"}
        pdu["prev_events"] = [[f"${other}:a.example", {"sha256": "x"}]]
        ring.append({"event_id": pdu["event_id"], "pdu": pdu})
    path = write("room.jsonl", [header("1", rejected=["$1:a.example", "$2:a.example"]), *lines, *ring])
    for options in ((), ("--as-recorded",)):
        result = run("auth", "--room", path, "--unsigned", *options, "$1:a.example")
        assert result.exit_code == 1
        assert "cycle: the event cites itself, directly or through others" in result.stdout
