"""Databases that are broken, locked, hostile or only for reading: a clear error, and never a change."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import cast

import pytest
import synapse_db
from command_line import run

from roomver import Event
from roomver.cli.progress import room_progress
from roomver.cli.sources import Choice, opened_room
from roomver.entry import Entry
from roomver.readers import InputError, database, is_database, open_synapse
from roomver.readers.synapse_state import GroupState, StateGroups
from roomver.state import PartialState

BIG = 16 * 2**20 + 1


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synapse_db.unpacked(tmp_path_factory.mktemp("hostile") / "homeserver.db")


@pytest.fixture
def copy(base: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return Path(shutil.copyfile(base, folder / "homeserver.db"))


@pytest.fixture
def room_id(base: Path) -> str:
    """Return the smallest room."""
    db = sqlite3.connect(base)
    sql = "SELECT room_id FROM events GROUP BY room_id ORDER BY count(*) LIMIT 1"
    ((found,),) = db.execute(sql)
    db.close()
    assert isinstance(found, str)
    return found


def change(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Nothing is written

COMMANDS: tuple[Callable[[str, str], list[str]], ...] = (
    lambda path, _: ["rooms", path],
    lambda path, room: ["check", path, "--room", room],
    lambda path, room: ["state", path, "--room", room],
    lambda path, room: ["resolve", path, "--room", room],
)


def test_nothing_is_written(copy: Path, room_id: str) -> None:
    before = contents(copy.parent)
    for command in COMMANDS:
        assert run(*command(str(copy), room_id)).exit_code == 0
    assert contents(copy.parent) == before
    source = open_synapse(str(copy))
    with pytest.raises(InputError, match="readonly"):
        list(source._database.rows("DELETE FROM rooms"))
    source.close()
    assert contents(copy.parent) == before


AS_NOBODY = """
import os, sys
from roomver.cli import main
commands = {!r}
for command in commands:
    main(command, standalone_mode=False)  # now everything is imported that nobody might not read
os.geteuid() or os.seteuid(65534)
for command in commands:
    main(command, standalone_mode=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such modes")
@pytest.mark.parametrize("options", [[], ["--immutable"]])
def test_a_folder_that_cannot_be_written_is_read(base: Path, room_id: str, options: list[str]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "homeserver.db"
        shutil.copyfile(base, path)
        if options:
            change(path, "PRAGMA journal_mode = WAL")
        before = contents(folder)
        path.chmod(0o444)
        folder.chmod(0o555)
        # The superuser may write everywhere, so the commands run as somebody else.
        code = AS_NOBODY.format([[*command(str(path), room_id), *options] for command in COMMANDS])
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
        folder.chmod(0o755)
        assert done.returncode == 0, done.stderr
        assert contents(folder) == before


# SQLite's files


def test_in_wal_mode_no_file_is_made_beside_it(copy: Path, room_id: str) -> None:
    change(copy, "PRAGMA journal_mode = WAL")
    before = contents(copy.parent)
    assert list(before) == ["homeserver.db"]
    for command in COMMANDS:
        result = run(*command(str(copy), room_id))
        assert (result.exit_code, "--immutable" in result.stderr) == (2, True)
        result = run(*command(str(copy), room_id), "--immutable")
        assert result.exit_code == 0
    assert contents(copy.parent) == before


SERVER = """
import sqlite3, sys
path, mode = sys.argv[1:]
db = sqlite3.connect(path, isolation_level=None)
db.execute(f"PRAGMA journal_mode = {mode}")
db.execute("PRAGMA wal_autocheckpoint = 0")
db.execute("UPDATE rooms SET room_version = 'new'")
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN")
db.execute("UPDATE rooms SET room_version = 'later'")
print("ready", flush=True)
if sys.stdin.readline():
    db.execute("DELETE FROM event_json")  # more than the cache holds, so the file is changed
    print("spilt", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def server(path: Path, mode: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program that has committed a change, and not another one. It is killed at the end."""
    command = [sys.executable, "-c", SERVER, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def spill(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "spilt\n"


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes of each file, and when it was changed."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("mode", "files"),
    [("WAL", {"homeserver.db-wal", "homeserver.db-shm"}), ("DELETE", {"homeserver.db-journal"})],
)
def test_a_database_that_a_server_writes_is_read_as_of_the_last_commit(
    copy: Path, room_id: str, mode: str, files: set[str]
) -> None:
    with server(copy, mode):
        before = snapshot(copy.parent)
        assert before.keys() == {"homeserver.db", *files}
        copy.parent.chmod(0o555)  # the superuser may write all the same, so the files are compared
        result = run("rooms", str(copy))
        assert (result.exit_code, " new " in result.stdout, "later" in result.stdout) == (0, True, False)
        result = run("check", str(copy), "--room", room_id)
        assert (result.exit_code, "unknown room version 'new'" in result.stderr) == (2, True)
        copy.parent.chmod(0o755)
        assert snapshot(copy.parent) == before


def test_what_a_killed_server_left_in_a_log_is_read(copy: Path) -> None:
    with server(copy, "WAL"):
        pass
    before = snapshot(copy.parent)
    assert before.keys() == {"homeserver.db", "homeserver.db-wal", "homeserver.db-shm"}
    result = run("rooms", str(copy))
    assert (result.exit_code, " new " in result.stdout, "later" in result.stdout) == (0, True, False)
    assert snapshot(copy.parent) == before
    result = run("rooms", str(copy), "--immutable")
    assert (result.exit_code, result.stderr) == (
        2,
        f"roomver: {copy}: homeserver.db-wal holds changes that are not in homeserver.db yet; leave out"
        " --immutable to read them\n",
    )
    # SQLite looks for the files beside the database that a link names.
    link = copy.parent / "link.db"
    link.symlink_to(copy)
    for options in ([], ["--immutable"]):
        assert run("rooms", str(link), *options).exit_code == (2 if options else 0)
    link.unlink()
    # A copy of two of the three files.
    (copy.parent / "homeserver.db-shm").unlink()
    before = snapshot(copy.parent)
    for options in ([], ["--immutable"]):
        result = run("rooms", str(copy), *options)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert 'finish a copy of both files: sqlite3 COPY "PRAGMA quick_check"' in result.stderr
        assert snapshot(copy.parent) == before
    finish(copy)
    assert " new " in run("rooms", str(copy), "--immutable").stdout


def finish(path: Path) -> None:
    """Do what the message says."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA quick_check").fetchall()
    db.close()


def test_a_transaction_that_has_not_ended_is_not_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.01)
    with server(copy, "DELETE") as process:
        spill(process)
        # It holds the lock that nobody reads beside.
        before = snapshot(copy.parent)
        result = run("rooms", str(copy))
        assert (result.exit_code, "another program is writing it" in result.stderr) == (2, True)
        result = run("rooms", str(copy), "--immutable")
        assert (result.exit_code, "a transaction that has not ended" in result.stderr) == (2, True)
        assert snapshot(copy.parent) == before
    before = snapshot(copy.parent)
    assert before.keys() == {"homeserver.db", "homeserver.db-journal"}
    for options in ([], ["--immutable"]):
        result = run("rooms", str(copy), *options)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert "homeserver.db-journal holds a transaction that has not ended" in result.stderr
        assert snapshot(copy.parent) == before
    finish(copy)
    for options in ([], ["--immutable"]):
        assert " new " in run("rooms", str(copy), *options).stdout


def test_a_finished_journal_is_nothing_to_finish(copy: Path) -> None:
    for content in (b"", bytes(512)):
        (copy.parent / "homeserver.db-journal").write_bytes(content)
        (copy.parent / "homeserver.db-wal").write_bytes(b"")
        before = snapshot(copy.parent)
        for options in ([], ["--immutable"]):
            assert run("rooms", str(copy), *options).exit_code == 0
        assert snapshot(copy.parent) == before


def test_the_lock_is_kept_while_a_room_is_read(copy: Path, room_id: str) -> None:
    taken = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN EXCLUSIVE')"

    def can_be_written() -> bool:
        done = subprocess.run([sys.executable, "-c", taken, str(copy)], check=False, capture_output=True)
        return done.returncode == 0

    with opened_room([str(copy)], None, Choice(room_id)) as room:
        assert not can_be_written()
        with room_progress([str(copy)], room) as shown:
            assert not can_be_written()
            assert sum(1 for _ in shown.entries) == 9
            assert not can_be_written()
    assert can_be_written()


def test_a_locked_database_is_named(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.01)
    server = sqlite3.connect(copy, isolation_level=None)
    server.execute("BEGIN EXCLUSIVE")
    result = run("rooms", str(copy))
    assert (result.exit_code, "another program is writing it" in result.stderr) == (2, True)
    server.close()


def test_odd_names_of_files_are_no_options(base: Path, tmp_path: Path) -> None:
    for name in ("a?mode=rwc", "b#c", "d%20e", "f;g", "h&immutable=1"):
        path = tmp_path / name
        shutil.copyfile(base, path)
        assert run("rooms", str(path)).exit_code == 0
    assert not is_database("\0")
    assert not is_database(str(tmp_path))
    with pytest.raises(InputError, match="No such file"):
        open_synapse(str(tmp_path / "none"))


# Rows


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE event_json SET json = NULL WHERE event_id = ?", "its JSON is not text"),
        ("UPDATE event_json SET json = 5 WHERE event_id = ?", "expected a JSON object"),
        ("UPDATE event_json SET json = x'ff' WHERE event_id = ?", "not UTF-8"),
        ("UPDATE event_json SET json = CAST(x'ff' AS TEXT) WHERE event_id = ?", "not UTF-8"),
        ("UPDATE event_json SET json = '{' WHERE event_id = ?", "not JSON"),
        ("UPDATE event_json SET json = '[]' WHERE event_id = ?", "expected a JSON object"),
        (f"UPDATE event_json SET json = hex(zeroblob({BIG})) WHERE event_id = ?", "more than 16777216 bytes"),
        ("UPDATE event_json SET json = '[' || replace(hex(zeroblob(300000)), '0', '1,') || '1]'"
         " WHERE event_id = ?", "more than 400,000 values"),
        ("UPDATE event_json SET json = replace(hex(zeroblob(50000)), '0', '[') WHERE event_id = ?", "deep"),
        ("DELETE FROM event_json WHERE event_id = ?", "none in event_json"),
        ("UPDATE events SET event_id = NULL WHERE event_id = ?", "its event ID is not text"),
        ("UPDATE events SET event_id = x'ff' WHERE event_id = ?", "its event ID is not text"),
        ("UPDATE events SET event_id = 'x' WHERE event_id = ?", "none in event_json"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_does_not_end_the_room(
    copy: Path, room_id: str, statement: str, said: str
) -> None:
    db = sqlite3.connect(copy)
    sql = "SELECT event_id FROM events WHERE room_id = ? ORDER BY stream_ordering"
    events = [event_id for (event_id,) in db.execute(sql, (room_id,))]
    assert db.execute(statement, (events[-1],)).rowcount == 1
    db.commit()
    db.close()
    result = run("check", str(copy), "--room", room_id)
    assert result.exit_code == 1
    assert said in result.stdout
    (report,) = json.loads(run("check", str(copy), "--room", room_id, "--json").stdout)["files"]
    assert (report["summary"]["events"], report["summary"]["bad"]) == (len(events), 1)


def test_json_in_a_column_for_bytes_is_read(copy: Path, room_id: str) -> None:
    change(copy, "UPDATE event_json SET json = CAST(json AS BLOB), event_id = CAST(event_id AS TEXT)")
    assert run("check", str(copy), "--room", room_id).exit_code == 0


def test_other_columns_may_have_any_type(copy: Path, room_id: str) -> None:
    change(
        copy,
        "UPDATE event_json SET internal_metadata = '[\"soft_failed\"]'",
        "UPDATE events SET outlier = 'x', sender = x'ff', rejection_reason = 5 WHERE type = 'm.room.topic'",
        "UPDATE event_to_state_groups SET state_group = 'x'",
        "UPDATE server_signature_keys SET ts_valid_until_ms = 'x', key_id = 7",
        "INSERT INTO rooms VALUES (NULL, NULL), (5, 5), (x'ff', x'ff')",
        "INSERT INTO current_state_events VALUES (NULL, NULL, NULL, NULL, NULL)",
        "INSERT INTO event_forward_extremities VALUES (5, 5)",
        "INSERT INTO partial_state_rooms VALUES (5, 5)",
    )
    assert run("check", str(copy), "--room", room_id).exit_code == 0
    assert run("rooms", str(copy)).exit_code == 0


def test_generated_columns_are_read_and_virtual_tables_are_not(copy: Path) -> None:
    change(
        copy,
        "ALTER TABLE rooms ADD COLUMN short TEXT GENERATED ALWAYS AS (substr(room_id, 2)) VIRTUAL",
    )
    assert run("rooms", str(copy)).exit_code == 0
    change(
        copy,
        "ALTER TABLE rooms RENAME TO r",
        "create virtual table rooms USING fts5(room_id, room_version)",
    )
    result = run("rooms", str(copy))
    assert (result.exit_code, "not as expected: rooms" in result.stderr) == (2, True)


# State groups


@pytest.fixture
def groups(copy: Path, room_id: str) -> Iterator[Callable[..., StateGroups]]:
    """Return a function that reads the groups after it changed them."""
    opened = []

    def make(*statements: str) -> StateGroups:
        change(copy, *statements)
        source = open_synapse(str(copy))
        opened.append(source)
        return StateGroups(source._database, room_id, {})

    yield make
    for source in opened:
        source.close()


def last_group(copy: Path, room_id: str) -> int:
    db = sqlite3.connect(copy)
    ((found,),) = db.execute("SELECT max(id) FROM state_groups WHERE room_id = ?", (room_id,))
    db.close()
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE state_group_edges SET prev_state_group = {} WHERE state_group = {}", "derives from itself"),
        (
            "INSERT INTO state_group_edges SELECT min(id), {} FROM state_groups WHERE room_id = '{room}'",
            "derives from itself",
        ),
        ("UPDATE state_group_edges SET prev_state_group = 99999 WHERE state_group = {}", "99999 is missing"),
        ("DELETE FROM state_groups WHERE id = {}", "is missing"),
        ("UPDATE state_groups SET room_id = '!other:x' WHERE id = {}", "is of another room"),
        ("INSERT INTO state_group_edges VALUES ({}, 1)", "or from several"),
        ("UPDATE state_group_edges SET prev_state_group = 'x' WHERE state_group = {}", "from no group"),
        ("UPDATE state_groups_state SET type = NULL WHERE state_group = {}", "a row without a key"),
        ("DELETE FROM state_group_edges WHERE state_group = {}", "no create event"),
        ("DELETE FROM state_group_edges", "no create event"),
        ("DELETE FROM state_groups_state WHERE type = 'm.room.create'", "no create event"),
        ("UPDATE state_groups_state SET state_key = 'x' WHERE type = 'm.room.create'", "no create event"),
        ("DELETE FROM state_groups_state", "has no entries"),
    ],
)
def test_a_broken_state_group_is_unknown(
    copy: Path, room_id: str, groups: Callable[..., StateGroups], statement: str, said: str
) -> None:
    last = last_group(copy, room_id)
    made = groups(statement.format(last, last, room=room_id))
    (state,) = made.states([last]).values()
    assert isinstance(state, str)
    assert said in state


def test_a_state_group_without_members_has_unknown_members(
    copy: Path, room_id: str, groups: Callable[..., StateGroups]
) -> None:
    last = last_group(copy, room_id)
    source = open_synapse(str(copy))
    (whole,) = StateGroups(source._database, room_id, {}).states([last]).values()
    source.close()
    assert isinstance(whole, GroupState)
    assert whole.has_members
    # The last group adds a member, but those before are gone.
    change(copy, f"INSERT INTO state_groups VALUES (99999, '{room_id}', '$x')")
    change(copy, f"INSERT INTO state_group_edges VALUES (99999, {last})")
    change(copy, f"INSERT INTO state_groups_state VALUES (99999, '{room_id}', 'm.room.member', '@a:b', '$x')")
    made = groups("DELETE FROM state_groups_state WHERE type = 'm.room.member' AND state_group != 99999")
    for number in (last, 99999):
        (state,) = made.states([number]).values()
        assert isinstance(state, GroupState)
        known = state.as_map()
        assert isinstance(known, PartialState)
        why = known.why_unknown(("m.room.member", "@nobody:x"))
        assert why is not None
        assert why.reason == "no member is in the state"


def test_the_state_before_a_gap_says_why_it_is_unknown(copy: Path) -> None:
    db = sqlite3.connect(copy)
    ((room_id,),) = db.execute("SELECT room_id FROM rooms WHERE room_version = '11' ORDER BY 1 LIMIT 1")
    sql = "SELECT event_id FROM events WHERE room_id = ? ORDER BY stream_ordering"
    join = [event_id for (event_id,) in db.execute(sql, (room_id,))][150]
    synapse_db.join_late(db, room_id, join)
    db.execute("UPDATE state_groups SET room_id = '!other:x'")
    db.commit()
    db.close()
    result = run("check", str(copy), "--room", room_id)
    assert result.exit_code == 3
    assert f"the server's state before {join} cannot be read: state group" in result.stdout


@pytest.mark.parametrize("usable", [True, False])
def test_many_groups_share_their_state(
    copy: Path, room_id: str, groups: Callable[..., StateGroups], usable: bool
) -> None:
    entries, count, first = 20_000, 2_000, 10**6
    db = sqlite3.connect(copy)
    synapse_db.insert(
        db, "state_groups_state", *((first, room_id, "x", str(n), f"${n}") for n in range(entries))
    )
    begin = (("m.room.create", ""), ("m.room.member", "@a:b"))
    synapse_db.insert(db, "state_groups_state", *((first, room_id, *key, "$lost") for key in begin))
    synapse_db.insert(db, "state_groups", *((first + n, room_id, "$x") for n in range(count)))
    synapse_db.insert(db, "state_group_edges", *((first + n, first + n - 1) for n in range(1, count)))
    changes = ((first + n, room_id, "x", "0", f"${n % 2}") for n in range(1, count))
    synapse_db.insert(db, "state_groups_state", *changes)
    db.commit()
    db.close()
    made = groups()
    some = {f"${n}": SimpleNamespace(event_id=f"${n}", type="x", state_key=str(n)) for n in range(entries)}
    if usable:
        made.events = cast(Mapping[str, Event], some)
    states = made.states(range(first, first + count))
    assert len(states) == count
    for state in states.values():
        assert isinstance(state, GroupState)
        # Half of the changes are events of another key.
        assert len(state.entries) in ((entries, entries - 1) if usable else (0,))
        assert len(state.entries) + len(state.lost) == entries + len(begin)
    kept = {id(state.entries._base) for state in states.values() if isinstance(state, GroupState)}
    assert len(kept) == 1


@pytest.mark.parametrize("how", ["without indexes", "with wrong statistics"])
def test_without_a_usable_index_the_work_grows_with_the_tables(
    copy: Path, room_id: str, groups: Callable[..., StateGroups], how: str
) -> None:
    # The steps of SQLite's virtual machine do not depend on the machine that counts them.
    if how == "without indexes":
        db = sqlite3.connect(copy)
        listed = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")]
        db.close()
        change(copy, *(f"DROP INDEX {name}" for name in listed))
    else:
        change(copy, "ANALYZE", "UPDATE sqlite_stat1 SET stat = '1000000000 1000000000'")
    first, count = 10**6, 12_000
    db = sqlite3.connect(copy)
    synapse_db.insert(db, "state_groups", *((first + n, room_id, "$x") for n in range(count)))
    synapse_db.insert(db, "state_group_edges", *((first + n, first + n - 1) for n in range(1, count)))
    rows = [
        (first, room_id, "m.room.create", "", "$lost"),
        (first, room_id, "m.room.member", "@a:b", "$lost"),
    ]
    rows += [(first + n, room_id, "x", "0", "$lost") for n in range(1, count)]
    synapse_db.insert(db, "state_groups_state", *rows)
    names = ", ".join(synapse_db.TABLES["events"])
    copied = names.replace("stream_ordering", "n", 1).replace("event_id", "'$' || n")
    db.execute(
        "WITH RECURSIVE c(n) AS (SELECT 1000000 UNION ALL SELECT n + 1 FROM c LIMIT ?)"
        f" INSERT INTO events ({names}) SELECT {copied} FROM c,"
        " (SELECT * FROM events WHERE room_id = ? LIMIT 1)",
        (count, room_id),
    )
    db.execute(
        "INSERT INTO event_json SELECT event_id, room_id, '{}', '{}' FROM events"
        " WHERE stream_ordering >= 1000000"
    )
    db.commit()
    ((in_all,),) = db.execute("SELECT count(*) FROM events")
    db.close()
    made = groups()
    steps = 0

    def count_steps() -> None:
        nonlocal steps
        steps += 100

    def work(what: Callable[[], object]) -> int:
        nonlocal steps
        steps = 0
        what()
        return steps

    source = open_synapse(str(copy))
    for reading in (source._database, made.database):
        reading._connection.set_progress_handler(count_steps, 100)  # type: ignore[attr-defined]
    last = [first + count - 1]
    assert work(lambda: made.states(last)) < 20 * 128 * count
    assert isinstance(made.states(last)[last[0]], GroupState)
    # Each query for some hundred events goes through a few tables once.
    most = 20 * in_all * (in_all // 500 + 1)
    assert work(lambda: source.open_room(room_id, None)) < most
    room = source.open_room(room_id, None)
    assert work(lambda: list(room.entries)) < most
    source.close()


# Files


ADVICE = 'Copy it again, with sqlite3 ORIGINAL ".backup COPY", or restore a backup'


def test_a_file_that_is_cut_off_says_so_and_what_to_do(copy: Path, room_id: str) -> None:
    whole = copy.read_bytes()
    for length in (100, 4096, 4097, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        copy.write_bytes(whole[:length])
        for command in COMMANDS:
            for options in ([], ["--immutable"]):
                result = run(*command(str(copy), room_id), *options)
                assert (result.exit_code, result.stderr) == (
                    2,
                    f"roomver: {copy}: the database cannot be read: it is cut off: it has {length:,} of"
                    f" {len(whole):,} bytes. {ADVICE}\n",
                )
    copy.write_bytes(whole[:99])
    result = run("rooms", str(copy))
    assert (result.exit_code, "it is cut off: it has 99 of 100 bytes" in result.stderr) == (2, True)


def test_a_damaged_table_says_what_to_do(copy: Path, room_id: str) -> None:
    db = sqlite3.connect(copy)
    ((page,),) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'")
    ((size,),) = db.execute("PRAGMA page_size")
    db.close()
    data = bytearray(copy.read_bytes())
    data[(page - 1) * size : page * size] = bytes(size)
    copy.write_bytes(data)
    for command in COMMANDS:
        result = run(*command(str(copy), room_id))
        assert (result.exit_code, result.stderr) == (
            2,
            f"roomver: {copy}: the database cannot be read: database disk image is malformed. {ADVICE}\n",
        )


def test_a_corrupt_file_is_read_as_before_or_its_damage_is_told(copy: Path, room_id: str) -> None:
    whole = copy.read_bytes()
    sound = run("check", str(copy), "--room", room_id)
    assert sound.exit_code == 0
    rng = Random(16)
    codes = Counter[int]()
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 20, 2000])):
            data[rng.randrange(16, len(data))] = rng.randrange(256)
        copy.write_bytes(data)
        result = run("check", str(copy), "--room", room_id)
        codes[result.exit_code] += 1
        match result.exit_code:
            case 0:
                assert result.stdout == sound.stdout
            case 2:
                assert result.stderr.startswith(f"roomver: {copy}: ")
                assert result.stderr.count("\n") == 1
            case _:
                assert result.stdout != sound.stdout
        for other in set(copy.parent.iterdir()) - {copy}:
            other.unlink()
    assert codes.keys() == {0, 1, 2, 3}  # so each of the above was met


def test_a_bad_entry_names_its_row(copy: Path, room_id: str) -> None:
    change(copy, "UPDATE event_json SET json = '{'")
    source = open_synapse(str(copy))
    entries: list[Entry] = list(source.open_room(room_id, None).entries)
    source.close()
    for entry in entries:
        assert entry.claimed_id is not None
        assert str(entry.place) == f"event_json, {entry.claimed_id}"
        assert entry.error is not None


def test_rows_that_repeat_an_event_do_not_multiply(copy: Path, room_id: str) -> None:
    command = ("check", str(copy), "--room", room_id, "--json")
    (before,) = json.loads(run(*command).stdout)["files"]
    change(
        copy,
        "CREATE TABLE many AS SELECT * FROM rejections",
        "DROP TABLE rejections",
        "ALTER TABLE many RENAME TO rejections",
        *["INSERT INTO rejections SELECT DISTINCT * FROM rejections"] * 3,
    )
    (after,) = json.loads(run(*command).stdout)["files"]
    assert after["summary"] == before["summary"]
    assert after["events"] == before["events"]
