"""A kept replay: the same answers, only for the same question, and never code."""

import json
import os
import pickle
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from command_line import CASES, Write, run, write_into
from homeservers import SQLITE, facts_of, packed, unpacked

from roomver.cli import loading, sources
from roomver.cli.cache import Kept, question, read_kept, write_kept
from roomver.readers import InputError

RESET = CASES / "m_16629_reset.jsonl"
KEYS = CASES / "m_16629_reset.keys.json"
NOT_A_CACHE = "this is not a cache of roomver, so it is neither read nor overwritten"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (file,) = packed(SQLITE)
    return unpacked(file, tmp_path_factory.mktemp("cache"))


def both(*arguments: str, cache: Path) -> None:
    """Check that a command says the same without a cache, when it makes one, and when it uses it."""
    plain = run(*arguments)
    made = run(*arguments, "--cache", str(cache))
    written = cache.stat().st_mtime_ns
    used = run(*arguments, "--cache", str(cache))
    assert cache.stat().st_mtime_ns == written
    for other in (made, used):
        assert (other.exit_code, other.stdout, other.stderr) == (plain.exit_code, plain.stdout, plain.stderr)


@pytest.mark.parametrize(
    "file",
    sorted(
        path.name
        for path in CASES.iterdir()
        if path.suffix in {".json", ".jsonl"} and "keys" not in path.name and "room" in path.name
    ),
)
def test_a_cached_file_gives_the_same_state(file: str, tmp_path: Path) -> None:
    keys = CASES / f"{file.rsplit('.', 1)[0]}.keys.json"
    known = ("--keys", str(keys)) if keys.exists() else ()
    both("state", str(CASES / file), *known, "--json", cache=tmp_path / "kept")


@pytest.mark.parametrize("name", sorted(room["name"] for room in facts_of(SQLITE)["rooms"].values()))
@pytest.mark.parametrize("options", [(), ("--as-recorded",)])
def test_a_cached_room_of_a_database_gives_the_same_answers(
    name: str, options: tuple[str, ...], database: Path, tmp_path: Path
) -> None:
    rooms: dict[str, Any] = facts_of(SQLITE)["rooms"]
    (room_id,) = (one for one, room in rooms.items() if room["name"] == name)
    both("state", str(database), room_id, *options, "--json", cache=tmp_path / "kept")
    both("resolve", str(database), room_id, *options, "--json", cache=tmp_path / "kept too")


def test_the_same_cache_serves_every_event_of_a_room(database: Path, tmp_path: Path) -> None:
    rooms: dict[str, Any] = facts_of(SQLITE)["rooms"]
    room_id = next(one for one, room in rooms.items() if room["name"] == "local-v11")
    event_ids = sorted(rooms[room_id]["current_state"])[:3]
    cache = tmp_path / "kept"
    times = set()
    for event_id in event_ids:
        plain = run("auth", str(database), event_id)
        kept = run("auth", str(database), event_id, "--cache", str(cache))
        assert (kept.exit_code, kept.output) == (plain.exit_code, plain.output)
        times.add(cache.stat().st_mtime_ns)
    assert len(times) == 1
    absent = run("auth", str(database), room_id, "$" + "A" * 43, "--cache", str(cache))
    assert absent.output == run("auth", str(database), room_id, "$" + "A" * 43).output


def test_a_source_that_has_changed_is_read_again(tmp_path: Path) -> None:
    room, cache = tmp_path / "room.jsonl", tmp_path / "kept"
    lines = RESET.read_text().splitlines(keepends=True)
    room.write_text("".join(lines[:-1]))
    both("state", str(room), "--json", cache=cache)
    room.write_text("".join(lines))
    both("state", str(room), "--json", cache=cache)


@pytest.mark.parametrize("more", [("--unsigned",), ("--keys", str(KEYS)), ("--algorithm", "v2.1")])
def test_a_cache_answers_only_the_same_options(more: tuple[str, ...], tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    both("state", str(RESET), "--json", cache=cache)
    both("state", str(RESET), "--json", *more, cache=cache)


def test_a_database_that_was_written_is_read_again(database: Path, tmp_path: Path) -> None:
    copy, cache = tmp_path / "copy.db", tmp_path / "kept"
    shutil.copy(database, copy)
    room_id = next(iter(facts_of(SQLITE)["rooms"]))
    run("state", str(copy), room_id, "--cache", str(cache))
    before = cache.read_bytes()
    os.utime(copy, ns=(1, 1))
    run("state", str(copy), room_id, "--cache", str(cache))
    assert cache.read_bytes()[:100] != before[:100]


def test_a_database_whose_time_was_set_back_is_read_again(database: Path, tmp_path: Path) -> None:
    copy, cache = tmp_path / "copy.db", tmp_path / "kept"
    shutil.copy(database, copy)
    room_id = next(iter(facts_of(SQLITE)["rooms"]))
    run("state", str(copy), room_id, "--cache", str(cache))
    before, time = cache.read_bytes(), copy.stat().st_mtime_ns
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE event_json SET json = replace(json, 'local', 'LOCAL')")
    connection.close()
    os.utime(copy, ns=(time, time))
    run("state", str(copy), room_id, "--cache", str(cache))
    assert cache.read_bytes()[:100] != before[:100]


def test_a_room_that_changed_while_it_was_read_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, cache = tmp_path / "room.jsonl", tmp_path / "kept"
    lines = RESET.read_text().splitlines(keepends=True)
    room.write_text("".join(lines[:-1]))
    stamped = sources.stamp_sources

    def stamp_then_change(*arguments: Any) -> list[object]:
        stamps = stamped(*arguments)
        room.write_text("".join(lines))
        return stamps

    monkeypatch.setattr(loading, "stamp_sources", stamp_then_change)
    assert run("state", str(room), "--json", "--cache", str(cache)).exit_code == 0
    assert not cache.exists()
    monkeypatch.undo()
    room.write_text("".join(lines[:-1]))
    both("state", str(room), "--json", cache=cache)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names need POSIX")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = run("state", str(RESET), "--cache", str(tmp_path / "pipe"))
    assert found.exit_code == 2
    assert "must be a regular file" in found.stderr


def test_a_file_that_is_not_a_cache_is_kept(tmp_path: Path) -> None:
    precious = tmp_path / "homeserver.yaml"
    precious.write_text("secret")
    found = run("state", str(RESET), "--cache", str(precious))
    assert found.exit_code == 2
    assert NOT_A_CACHE in found.stderr
    assert precious.read_text() == "secret"


@pytest.mark.parametrize("cut", [3, 40, 60, 500, -1])
def test_a_cache_that_was_cut_off_is_made_anew(cut: int, tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    both("state", str(RESET), cache=cache)
    whole = cache.read_bytes()
    cache.write_bytes(whole[:cut])
    found = run("state", str(RESET), "--cache", str(cache))
    assert found.exit_code == (2 if cut == 3 else 0)
    if cut != 3:
        assert cache.read_bytes()[:100] == whole[:100]


def test_a_cache_that_others_may_write_is_refused(tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    run("state", str(RESET), "--cache", str(cache))
    assert cache.stat().st_mode & 0o777 == 0o600
    cache.chmod(0o620)
    found = run("state", str(RESET), "--cache", str(cache))
    assert found.exit_code == 2
    assert "other users may write it" in found.stderr


class Evil:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call = call
        self.arguments = arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


@pytest.mark.parametrize("call", [os.system, eval, open, getattr, shutil.rmtree, read_kept])
def test_nothing_in_a_cache_is_called(call: Any, tmp_path: Path) -> None:
    cache, marker = tmp_path / "kept", tmp_path / "marker"
    asked = question(["a"], ["b"])
    write_kept(cache, asked, Kept(Evil(call, f"touch {marker}"), []))
    with pytest.raises(InputError, match=r"it cannot be read as a cache \(it holds .*\): delete it"):
        read_kept(cache, asked)
    assert not marker.exists()


def test_what_a_cache_holds_must_be_a_room(tmp_path: Path) -> None:
    cache, asked = tmp_path / "kept", question(["a"], ["b"])
    write_kept(cache, asked, Kept(1, []))
    whole = cache.read_bytes()
    assert pickle.loads(whole[80:]).room == 1
    write_kept(cache, asked, [1])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="delete it"):
        read_kept(cache, asked)


def test_standard_input_cannot_be_kept(tmp_path: Path) -> None:
    found = run("state", "-", "--cache", str(tmp_path / "kept"), stdin=RESET.read_bytes())
    assert found.exit_code == 2
    assert "--cache needs a file or a database" in found.stderr


def test_a_failed_call_leaves_no_file(tmp_path: Path) -> None:
    write: Write = write_into(tmp_path)
    bad = write("bad.json", "{")
    assert run("state", bad, "--cache", str(tmp_path / "kept")).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["bad.json"]
    missing = tmp_path / "no" / "such" / "folder"
    found = run("state", str(RESET), "--cache", str(missing))
    assert found.exit_code == 2
    assert f"{missing}: it cannot be written: No such file" in found.stderr


def test_a_derived_version_is_kept(tmp_path: Path) -> None:
    write = write_into(tmp_path)
    version = write("v.toml", 'identifier = "org.example.x"\nbased_on = "11"\n')
    lines = []
    for line in RESET.read_text().splitlines():
        value = json.loads(line)
        pdu = value.get("pdu", value)
        if pdu.get("type") == "m.room.create":
            pdu["content"]["room_version"] = "org.example.x"
        lines.append(value)
    room = write("room.jsonl", lines)
    both("state", room, "--room-version-file", version, "--unsigned", cache=tmp_path / "kept")
