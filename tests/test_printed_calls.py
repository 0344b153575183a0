"""The calls that commands print: each is a call, whatever the names of files and what is in events."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from builder import ALICE
from click.testing import Result
from command_line import CASES, Write, entries, header, public_room, run
from homeservers import room_named, unpacked_sqlite

from roomver.cli.common import call_name
from roomver.cli.escaped import call_word

RESET = CASES / "m_16629_reset.jsonl"
NAMES = (
    "a b.jsonl",
    "it's $(touch harmed) `id`.jsonl",
    "-rf.jsonl",
    "--all",
    'two\nlines "x".jsonl',
    "\x1b[2J\u202egpj.jsonl",
    "\u0301\u0301\u0301\u0301.jsonl",
    "back\\slash'.jsonl",
    "#room.jsonl",
)


def printed(result: Result) -> list[str]:
    """Return the words of the call that a command printed last."""
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("more: ")]
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    told = subprocess.run(
        [bash, "-c", f"printf '%s\\0' {line.removeprefix('more: ')}"], capture_output=True, check=True
    )
    return told.stdout.decode(errors="surrogateescape").split("\0")[:-1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["resets", "explain", "history", "keys", "repair", "may", "graph"])
def test_the_next_call_reads_the_same_file(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(RESET, name if name.startswith("/") else f"./{name}")
    rest = {"explain": ["$_c-dBCPk"], "history": ["m.room.topic"], "may": [ALICE, "join"]}.get(command, [])
    cache = ["--cache", f"./{name}.kept"] if command != "keys" else []
    result = run(command, *cache, "--now", "1760000000000", "--room-version", "10", "--", name, *rest)
    assert result.exit_code in (0, 1, 3), result.output
    assert all(line.isprintable() for line in result.stdout.splitlines())
    roomver, *words = printed(result)
    assert roomver == "roomver"
    again = run(*words)
    assert again.exit_code in (0, 1, 3), (words, again.output)
    assert not Path("harmed").exists()
    for option in ("--now", "1760000000000", "--room-version", "10"):
        assert option in words


def test_the_next_call_reads_a_stopped_database_without_a_lock(tmp_path: Path) -> None:
    database = unpacked_sqlite(tmp_path)
    words = printed(run("resets", str(database), room_named("local-v11"), "--immutable"))
    assert "--immutable" in words
    assert run(*words[1:]).exit_code in (0, 1, 3)


def test_a_type_that_looks_like_a_room_is_not_in_a_call(write: Write) -> None:
    for kind in ("!type:a.example", "#type"):
        room = public_room()
        one = room.add(kind, ALICE, {}, state_key="")
        file = write("room.jsonl", [header(), *entries(room)])
        words = printed(run("explain", file, one.event_id))
        assert run(*words[1:]).exit_code in (0, 1, 3), words


def test_names_in_other_scripts_stay_as_they_are() -> None:
    assert call_word("房间数据.db") == "'房间数据.db'"
    assert call_word("комната.db") == "'комната.db'"


@pytest.mark.parametrize("text", [*NAMES, "", "\udcff\udc00", "\ud800", "postgresql:///x"])
def test_a_word_is_that_word_in_a_shell(text: str) -> None:
    word = call_word(text)
    assert word.isprintable()
    assert call_name("-") == "-"
    if "$'" not in word:
        assert shlex.split(word) == [text]


@pytest.mark.parametrize("form", [(), ("--png",)])
def test_a_report_does_not_overwrite_what_it_reads(form: tuple[str, ...], tmp_path: Path) -> None:
    room, link = tmp_path / "room.jsonl", tmp_path / "link.html"
    shutil.copy(RESET, room)
    link.symlink_to(room)
    for target in (room, link):
        result = run("report", str(room), *form, "-o", str(target))
        assert result.exit_code == 2
        assert "this is the input" in result.stderr
    assert room.read_bytes() == RESET.read_bytes()
