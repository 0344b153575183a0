"""Which rooms `roomver check --rooms` finds, in which order, and what it prints."""

import io
import json
import os
import re
import shlex
import shutil
import sqlite3
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import homeservers
import pytest
from builder import ALICE, BOB, Room
from command_line import CASES, KEYS, Write, entries, header, public_room, run

from all_rooms.calls import LINE, SUMMARY, VECTORS, by_room, checked, lines_of, setup, summary
from roomver.cli.all_rooms import options
from roomver.cli.all_rooms.find import find_rooms
from roomver.cli.all_rooms.totals import STATUS, Totals
from roomver.cli.all_rooms.words import _about, rooms_progress
from roomver.cli.all_rooms.worker import Order, Several, check_order
from roomver.cli.heard import hushed

needs_parquet = pytest.mark.skipif(find_spec("pyarrow") is None, reason="writes Parquet")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(homeservers.unpacked_sqlite(tmp_path_factory.mktemp("server")))


def bad_room() -> Room:
    """Return a room with an event that the rules reject."""
    built = public_room("12")
    built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    return built


def pdus(built: Room) -> list[dict[str, Any]]:
    return [event.pdu for event in built.events.values()]


# Which rooms there are


def test_the_largest_room_is_first_whatever_its_source(database: str) -> None:
    found = find_rooms([database, str(VECTORS)], [], immutable=False)
    assert len(found) == 15 + 12
    assert [one.events for one in found] == sorted((one.events for one in found), reverse=True)
    assert {one.source for one in found} == {database, *map(str, VECTORS.iterdir())}


def test_a_folder_has_its_files_in_any_depth_and_its_databases(database: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    shutil.copyfile(database, tmp_path / "a" / "homeserver.db")
    for name in ("a/homeserver.db-wal", "a/b/room.jsonl", "a/.hidden", ".git/config", "a/else-wal"):
        (tmp_path / name).write_bytes(b"")
    found = {
        str(Path(one.source).relative_to(tmp_path)) for one in find_rooms([str(tmp_path)], [], immutable=True)
    }
    assert found == {"a/homeserver.db", "a/b/room.jsonl", "a/else-wal"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a named pipe")
def test_what_is_not_a_file_is_left_out_of_a_folder(tmp_path: Path) -> None:
    """Nobody may ever write to a pipe, and a device may have no end."""
    (tmp_path / "room.jsonl").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe\x1b[2J")
    (tmp_path / "device").symlink_to(os.devnull)
    (tmp_path / "link").symlink_to("room.jsonl")
    (tmp_path / "broken").symlink_to("nowhere")
    with hushed() as heard:
        found = {Path(one.source).name for one in find_rooms([str(tmp_path)], [], immutable=False)}
    assert found == {"room.jsonl", "link", "broken"}
    assert len(heard) == 2
    assert all(line.endswith("it is not a file, so it is left out") and line.isprintable() for line in heard)


@pytest.mark.parametrize("name", ["out.jsonl", pytest.param("out.parquet", marks=needs_parquet)])
def test_the_file_of_results_is_not_a_room_of_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copyfile(VECTORS / "v1.jsonl", tmp_path / "in" / "v1.jsonl")
    out = tmp_path / "in" / name
    other = tmp_path / "in" / "." / name
    assert summary(str(tmp_path / "in"), "-o", str(out), code=1)["rooms"] == 1
    assert summary(str(tmp_path / "in"), "-o", str(other), "--resume", code=1)["rooms"] == 1


def test_a_source_that_is_given_twice_is_checked_once(database: str) -> None:
    assert find_rooms([database, database], [], immutable=False) == find_rooms(
        [database], [], immutable=False
    )


def test_a_folder_that_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()

    def refuse(folder: str, **rest: Any) -> Any:
        rest["onerror"](PermissionError(13, "Permission denied", folder))
        return iter(())

    monkeypatch.setattr("os.walk", refuse)
    result = run("check", "--rooms", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == f"roomver: {tmp_path}: Permission denied\n"


def test_each_room_of_a_file_with_several_is_checked(write: Write, tmp_path: Path) -> None:
    good, bad = public_room(), bad_room()
    mixed = [pdu for pair in zip(pdus(good), pdus(bad), strict=False) for pdu in pair]
    mixed += pdus(bad)[len(pdus(good)) :]
    file = write("both.jsonl", mixed)
    assert good.room_id != bad.room_id
    out = tmp_path / "out.jsonl"
    summary(file, "--unsigned", "-o", str(out), code=1)
    found = {one["room_id"]: one for one in lines_of(out)}
    for built, status in ((good, "ok"), (bad, "findings")):
        one = found.pop(built.room_id)
        assert (one["status"], one["chosen"], one["events"]) == (status, True, len(built.events))
        again = run("check", file, "--room", built.room_id, "--unsigned")
        assert again.exit_code == one["code"]
        assert one["command"] == f"roomver check {file} --room '{built.room_id}' --unsigned"
    assert not found
    # One of them was done when the run was interrupted.
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:2]))
    summary(file, "--unsigned", "-o", str(out), "--resume", code=1)
    assert sorted(one["room_id"] for one in lines_of(out)) == sorted([good.room_id, bad.room_id])


def test_a_file_whose_first_room_is_unreadable_still_has_the_others(write: Write) -> None:
    create = {
        "type": "m.room.create",
        "room_id": "!odd:a",
        "state_key": "",
        "content": {"room_version": "odd"},
    }
    good = public_room()
    file = write("both.jsonl", [create, *pdus(good)])
    (found,) = find_rooms([file], [], immutable=False)
    order = Order(setup(), (file,), None, 1)
    several = check_order(order)
    assert isinstance(several, Several)
    assert dict(several.rooms).keys() == {"!odd:a", good.room_id}
    assert found.room_id is None


def test_a_room_without_events_is_empty_and_no_fault(database: str, tmp_path: Path) -> None:
    path = tmp_path / "changed.db"
    shutil.copyfile(database, path)
    db = sqlite3.connect(path)
    db.execute("DELETE FROM rooms WHERE room_id = ?", (homeservers.room_named("late-v10"),))
    db.execute("INSERT INTO rooms (room_id, room_version) VALUES ('!purged:hs.example', '10')")
    db.commit()
    db.close()
    found = {one["room_id"]: one for one in checked(str(path))}
    empty = found["!purged:hs.example"]
    assert (empty["status"], empty["code"], empty["events"]) == ("empty", 0, 0)
    # Events of a room that the table of rooms lacks are not passed over.
    lost = found[homeservers.room_named("late-v10")]
    assert (lost["status"], lost["code"], lost["events"]) == ("unreadable", 2, 40)


def test_a_database_that_cannot_be_read_is_a_result(tmp_path: Path, database: str) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(Path(database).read_bytes()[:50_000])
    out = tmp_path / "out.jsonl"
    result = run("check", "--rooms", str(broken), str(VECTORS / "v1.jsonl"), "-o", str(out))
    assert result.exit_code == 2
    bad, good = lines_of(out)
    assert (bad["status"], bad["room_id"], bad["source"]) == ("unreadable", None, str(broken))
    assert "the database cannot be read" in bad["reason"]
    assert (good["status"], good["bad"]) == ("findings", 0)


def test_a_password_is_shown_nowhere(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    address = "postgresql://me:hunter2@127.0.0.1:1/synapse"
    for extra in ([], ["--json"], ["-o", str(out)], ["-o", str(out), "--resume"], ["-o", "-"]):
        result = run("check", "--rooms", address, *extra)
        assert result.exit_code == 2
        assert "postgresql://me@127.0.0.1:1/synapse" in result.output
        assert "hunter2" not in result.output
    assert "hunter2" not in out.read_text()
    (answer,) = lines_of(out)
    assert answer["command"] == "roomver check postgresql://me@127.0.0.1:1/synapse"


# Options


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume"], "--resume goes with --rooms"),
        (["--output", "x"], "--output goes with --rooms"),
        (["--scheduler", "local"], "--scheduler goes with --rooms"),
        (["--rooms", "--resume"], "--resume goes on with a file of results: name it with --output"),
        (["--rooms", "--resume", "-o", "-"], "--resume goes on with a file of results"),
        (["--rooms", "--room", "!a:b"], "--rooms checks all rooms, so it excludes --room"),
        (["--rooms", "--memory", "much"], "much is not a size"),
        (["--rooms", "--jobs", "0"], "0 is not in the range"),
        (["--rooms", "--also", "x.jsonl"], "--also is for the database that has the states"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], said: str) -> None:
    result = run("check", str(VECTORS / "v1.jsonl"), *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("source", "said"), [("-", "a worker reads its room by itself"), ("no.db", "No such file or directory")]
)
def test_sources_that_no_worker_can_read_are_refused(source: str, said: str) -> None:
    result = run("check", "--rooms", source)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_empty_folder_has_no_rooms(tmp_path: Path) -> None:
    result = run("check", "--rooms", str(tmp_path))
    assert (result.exit_code, result.stderr) == (
        2,
        f"roomver: {tmp_path}: there are no rooms: neither files nor a room in a database\n",
    )


@pytest.mark.parametrize("form", ["lines", "document"])
def test_events_behind_something_else_are_not_passed_over(form: str, write: Write, tmp_path: Path) -> None:
    """Only the beginning of a file tells what it is."""
    events = (VECTORS / "v11.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    if form == "lines":
        write("x.jsonl", "".join(f"{line}\n" for line in ("$abc", "$def", "$ghi", *events)))
    else:
        write("x.json", f'{{"server_keys": [], "pdus": [{",".join(events)}]}}')
    result = run("check", "--rooms", str(tmp_path), "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["status"]["no-room"], told["status"]["unreadable"]) == (2, 0, 1)


def test_files_that_hold_no_room_are_named_and_no_fault(write: Write, tmp_path: Path) -> None:
    room = write("room.jsonl", [header(), *entries(public_room())])
    write("keys.json", KEYS)
    write("ids.json", ["$a", "$b"])
    write("hs.signing.key", "ed25519 a_hs01 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1\n")
    text = run("check", "--rooms", "--jobs", "1", str(tmp_path))
    assert text.exit_code == 0, text.output
    assert text.stdout.startswith("1 room, ")
    assert "3 files that hold no room: hs.signing.key, ids.json, keys.json" in text.stdout
    assert "unreadable" not in text.stdout
    told = summary("--jobs", "1", str(tmp_path))
    assert (told["rooms"], told["status"]["no-room"]) == (1, 3)
    assert all("FILE" in one["reason"] or "IDS" in one["reason"] for one in told["lists"]["no_room"])
    # What may be a damaged room is still a fault, and so is a call that names no room.
    bad = write("bad.json", b'{"auth_chain": [')
    assert run("check", "--rooms", "--jobs", "1", room, bad).exit_code == 2
    assert run("check", "--rooms", "--jobs", "1", str(tmp_path / "keys.json")).exit_code == 2


def test_a_reset_leads_to_the_command_that_explains_it(tmp_path: Path) -> None:
    room = shutil.copy(CASES / "m_16629_reset.jsonl", tmp_path / "room.jsonl")
    calls = (("--unsigned",), ("--require-signatures",), ("--unsigned", "--algorithm", "v2"))
    for more in calls:
        text = run("check", "--rooms", "--jobs", "1", str(room), *more).stdout
        # They come first, and count as findings.
        heading = "rooms with unintended state resets: 1\n"
        assert text.index(heading) == min(map(text.index, re.findall("^rooms with .*", text, re.M)))
        after = text.partition(heading)[2].splitlines()
        call = shlex.split(after[2].strip())
        assert call[1] == ("check" if "--algorithm" in more else "resets")
        assert run(*call[1:]).exit_code in (0, 1)
        assert after[0] == "  12 state resets: 12 unintended"
        assert after[1].startswith('    m.room.member for "@m00:x0.example", at the merge of 2025-10-09 08:5')
        assert after[1].endswith("Z: unintended; 11 more")
        assert "1 findings problems found, or state resets that nobody meant" in " ".join(text.split())
        assert ("rooms with findings: 1" in text) == ("--require-signatures" in more)


@pytest.mark.parametrize(
    ("text", "size"), [("5", 5), ("2k", 2048), ("8G", 8 << 30), ("1 MiB", 1 << 20), ("1TB", 1 << 40)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert options._as_bytes(None, None, text) == size  # type: ignore[arg-type]


# What is printed


def test_the_summary_names_the_rooms_to_look_at(write: Write) -> None:
    bad, good = bad_room(), public_room()
    (rejected,) = [one.event_id for one in bad.events.values() if one.type == "m.room.topic"]
    beliefs: dict[str, list[str]] = {"rejected": [], "soft_failed": []}
    files = [
        write("good.jsonl", [header(), *entries(good)]),
        write("bad.jsonl", [header("12", **beliefs), *entries(bad)]),
        write("unread.jsonl", b"\0"),
    ]
    result = run("check", "--rooms", *files)
    assert result.exit_code == 2
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    events = len(good.events) + len(bad.events)
    assert lines[0] == f"3 rooms, {events} events"
    assert "    1   findings     problems found, or state resets that nobody meant" in lines
    at = lines.index("rooms with findings: 1")
    assert lines[at + 1].strip() == f"1 rejected, 1 server-differs ({len(bad.events)} events)"
    assert lines[at + 2] == f"    roomver check {files[1]}"
    at = lines.index("rooms on which the server differs: 1")
    assert lines[at + 1 : at + 3] == ["  1 event", f"    roomver check {files[1]}"]
    assert lines[lines.index("rooms without a result: 1") + 1].startswith("  unreadable: ")
    data = summary(*files, code=2)
    assert data["status"] == {**dict.fromkeys(STATUS, 0), "ok": 1, "findings": 1, "unreadable": 1}
    (one,) = data["lists"]["findings"]
    assert one["first"] == [{"event_id": rejected, "kinds": ["rejected", "server-differs"]}]
    assert data["kinds"] == {
        "rejected": {"events": 1, "rooms": 1},
        "server-differs": {"events": 1, "rooms": 1},
    }


def test_rooms_that_the_server_is_not_in_come_last_and_are_outside_the_exit_code(
    database: str, tmp_path: Path, write: Write
) -> None:
    result = run("check", "--rooms", database)
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    at = lines.index("rooms that the server is not in, or not yet: 3")
    room = "!YGAJdctWjcfxKpwlGj:far.example"
    told = f'  "partial-v11" {room}: joining, 25 events'
    assert lines[at + 1 : at + 3] == [told, f"    roomver check {database} --room '{room}'"]
    assert at + 7 == len(lines)
    assert not any(line.startswith("undecided rooms") for line in lines)
    found = summary(database)
    listed = found["lists"]["not_joined"]
    assert [(one["status"], one["undecided"]) for one in listed] == [
        ("joining", 8),
        ("not-in-room", 2),
        ("invited", 1),
    ]
    assert (found["lists"]["undecided"], found["status"]["undecided"], found["code"]) == ([], 0, 0)
    # Alone, each is undecided.
    for one in listed:
        assert one["code"] == run("check", database, "--room", one["room_id"]).exit_code == 3
    # A room that the server has knocked at is one of them. One whose check is undecided is not.
    path = tmp_path / "changed.db"
    shutil.copyfile(database, path)
    db = sqlite3.connect(path)
    db.execute(
        "UPDATE room_memberships SET membership = 'knock' WHERE room_id = '!BLKWRAyFuuiIzErQHp:far.example'"
    )
    db.execute(
        "UPDATE local_current_membership SET membership = 'knock'"
        " WHERE room_id = '!BLKWRAyFuuiIzErQHp:far.example'"
    )
    db.commit()
    db.close()
    assert summary(str(path))["status"]["knocked"] == 1
    built = public_room()
    gone, _ = built.add("m.room.message", BOB, {}), built.add("m.room.message", BOB, {})
    rest = [one for one in entries(built) if one["event_id"] != gone.event_id]
    file = write("part.jsonl", [header(), *rest])
    assert summary(database, file, code=3)["status"]["undecided"] == 1


def test_the_name_of_a_room_is_beside_its_id(write: Write) -> None:
    """It is the one in the current state, and a hostile one stays in its line."""
    built = public_room()
    built.add("m.room.name", ALICE, {"name": "The\n\x1b[2Jroom"}, state_key="")
    built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    file = write("named.jsonl", [header(), *entries(built)])
    (one,) = checked(file)
    assert one["name"] == "The\n\x1b[2Jroom"
    text = run("check", "--rooms", file).stdout
    assert "\x1b" not in text
    assert re.search(rf'^  "The.*room" {re.escape(built.room_id)}: 1 rejected', text, re.M)
    unnamed = checked(write("unnamed.jsonl", [header(), *entries(public_room())]))
    assert [one["name"] for one in unnamed] == [None]


def test_the_summary_names_the_undecided_rooms(write: Write) -> None:
    built = public_room()
    gone, _ = built.add("m.room.message", BOB, {}), built.add("m.room.message", BOB, {})
    rest = [one for one in entries(built) if one["event_id"] != gone.event_id]
    file = write("part.jsonl", [header(), *rest])
    lines = [line.rstrip() for line in run("check", "--rooms", file).stdout.splitlines()]
    at = lines.index("undecided rooms: 1")
    assert lines[at + 1 : at + 3] == ["  1 event undecided", f"    roomver check {file}"]


def test_an_undecided_room_without_undecided_events_says_why() -> None:
    (answer,) = checked(str(VECTORS / "v1.jsonl"))
    one = answer | {"status": "undecided", "code": 3, "undecided": 0, "checks_unknown": 0}
    said = {
        "2 events with an unknown check": one | {"checks_unknown": 2},
        "a state is missing": one | {"reason": "a state is missing"},
        "decisions of the server cannot be compared": one,
    }
    for words, undecided in said.items():
        totals = Totals(10)
        totals.add(undecided)
        assert totals.lists["undecided"].number == 1
        assert _about(undecided, "undecided") == words


def test_results_can_go_to_standard_output(database: str) -> None:
    result = run("check", "--rooms", database, "-o", "-")
    assert result.exit_code == 0
    first, *answers = map(json.loads, result.stdout.splitlines())
    for one in (first, *answers):
        LINE.validate(one)
    assert by_room(answers) == by_room(checked(database))
    assert result.stderr == "roomver: 15 rooms, exit code 0\n"


def test_lists_have_the_greatest_first_and_are_bounded() -> None:
    (answer,) = checked(str(VECTORS / "v1.jsonl"))
    few, everything = Totals(10), Totals(None)
    for number in range(50):
        one = answer | {
            "room_id": f"!{number}",
            "resets": number * 7 % 50,
            "resets_unintended": 0,
            "seconds": 1.0,
        }
        few.add(one)
        everything.add(one)
    listed = [one["resets"] for one in few.lists["resets"].answers]
    assert listed == [*range(49, 39, -1)]
    assert few.lists["resets"].number == len(everything.lists["resets"].answers) == 49
    assert [one["room_id"] for one in few.lists["slowest"].answers] == [f"!{n}" for n in range(10)]
    SUMMARY.validate({"interrupted": False, "seconds": 1.5, **few.data()})


def test_a_message_of_a_hostile_room_is_one_printable_line(write: Write) -> None:
    file = write("odd\x1b[2J\n.jsonl", b"{")
    result = run("check", "--rooms", file)
    assert result.exit_code == 2
    assert "\x1b" not in result.output
    assert "odd\\u001b[2J\\u000a.jsonl" in result.stdout or "$'" in result.stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_shows_rooms_events_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with rooms_progress(3, 1_000) as step:
        step(500, 0)
        step(0, 2)  # a file had several rooms
        step(250, 0)
    text = shown.getvalue()
    assert "2/5 rooms" in text
    assert "750 events" in text
    assert "75%" in text


def test_nothing_is_shown_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with rooms_progress(3, 1_000) as step:
        step(500, 0)
    assert capsys.readouterr() == ("", "")


def test_signatures_that_nobody_could_check_are_said(database: str) -> None:
    result = run("check", "--rooms", database, "--json")
    found = json.loads(result.stdout)
    known = checked(database)
    unknown = [one["signatures"]["key_unknown"] for one in known]
    assert found["signatures_unchecked"] == {"rooms": sum(map(bool, unknown)), "events": sum(unknown)}
    assert sum(unknown)


def test_what_cannot_be_checked_is_named_once_and_its_reason_ends_after_a_word(
    write: Write, tmp_path: Path
) -> None:
    built = public_room()
    write("room.jsonl", [header(), *entries(built)])
    write("event.json", entries(built)[2]["pdu"])
    client = json.loads((CASES / "a_client_event.json").read_text(encoding="utf-8"))
    path = write("client.json", client)
    result = run("check", "--rooms", str(tmp_path))
    # An event alone is not judged, so it is not passed over.
    assert "this is one event of" in " ".join(result.stdout.split())
    # The path once, no call that would fail likewise, and an end after a word.
    assert result.stdout.count(path) == 1
    assert f"roomver check {path}" not in result.stdout
    (told,) = re.findall(r"unreadable: (.*) …\n", result.stdout, re.DOTALL)
    whole = run("check", path).stderr
    assert f"{' '.join(told.split())} " in f"{' '.join(whole.split())} "


def test_a_server_that_is_in_no_room_has_decided_nothing() -> None:
    (answer,) = checked(str(VECTORS / "v1.jsonl"))
    totals = Totals(10)
    assert totals.code == 0
    totals.add(answer | {"status": "invited", "code": 3})
    assert totals.code == 3
