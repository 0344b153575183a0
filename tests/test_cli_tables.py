"""Tables on a narrow terminal: every word of the wide table is there, and no line is too long."""

import re
from pathlib import Path

import pytest
from builder import BOB
from command_line import Write, header, public_room, run
from command_line import entries as lines_of
from homeservers import unpacked_sqlite
from rich.table import Table

from roomver.cli.tables import print_table, wrapped

BROKEN = "join_authorised_via_users_server"  # one letter too long for `versions` in 80 columns
COMMANDS = {
    "versions": ["versions"],
    "rules": ["rules"],
    "rules of a version": ["rules", "--room-version", "12"],
    "coverage": ["vectors", "coverage"],
    "run": ["vectors", "run", "--operation", "redact", "--operation", "required_signers"],
    "list": ["vectors", "list", "--operation", "redact"],
}


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\s─:,]+", text))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_is_lost(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = run(*COMMANDS[name]).stdout
    monkeypatch.setattr("roomver.cli.common.WIDE", width)
    narrow = run(*COMMANDS[name]).stdout
    assert "…" not in narrow
    lost = words(wide) - words(narrow)
    # The first column has no title where its cells are headings.
    assert lost <= {"Feature", "rule", "operation", BROKEN}
    assert BROKEN not in lost or BROKEN[:-1] in narrow
    if name != "list":  # its lines are not a table: the terminal breaks them
        # The definitions below the table of versions are for a file. Only 80 columns are promised.
        table, _, definitions = narrow.partition("# Unstable room versions")
        assert max(map(len, table.splitlines())) <= width
        assert max(map(len, definitions.splitlines()), default=0) <= 80


@pytest.mark.parametrize("width", [30, 80, 120])
def test_nothing_of_a_check_is_lost(width: int, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *rest = lines_of(public_room())
    bad = [{**one, "pdu": {**one["pdu"], "depth": 99}} for one in rest]
    files = [
        write("good.jsonl", [header(state=["$" + "A" * 43]), first, *rest]),
        write("a-long-name-without-spaces-" + "x" * 60 + ".jsonl", [header(), first, *bad]),
        write("none.jsonl", [header(), first, *rest, "x", {"pdu": {**first["pdu"], "signatures": {}}}]),
    ]
    wide = run("check", *files).stdout
    monkeypatch.setattr("roomver.cli.common.WIDE", width)
    narrow = run("check", *files).stdout
    tables = narrow.split(f"\n\n{files[0]}\n")[0]
    assert "…" not in tables
    assert max(map(len, tables.splitlines())) <= width
    squeezed = re.sub(r"\s", "", narrow)
    for word in words(wide.split("\n\n")[0]) - set(files):
        assert word in squeezed
    for kind in ("malformed", "event-id", "signature-missing"):
        assert kind in narrow


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        (
            "the sender leaves, but is neither in the room nor invited (nor knocking)",
            ["sender @zoe:remote.example", "membership ban"],
        ),
        (
            "the event sets an entry of events (or notifications) above the sender's level",
            ["entry events[m.room.name]", "new 60", "sender level from users_default default, not set in $A"],
        ),
        ("the sender is not joined", ['membership "ban, or (so) they say"', "sender @zoe:remote.example"]),
        ("users is not an object that maps user IDs to levels", ['not a user id "@odd (1), @odd (2)"']),
    ],
)
def test_each_value_that_a_rule_compared_has_its_own_line(reason: str, values: list[str]) -> None:
    said = f"v11 rule 4.5.1 (a.rule): {reason}"
    narrow = wrapped(f"    rejected: {said} ({', '.join(values)})", 60).split("\n")
    told = [line.strip() for line in narrow if line.startswith("      ") and not line.startswith("        ")]
    assert told == values
    assert " ".join(line.strip() for line in narrow if line.strip() not in values) == f"rejected: {said}"


def test_the_rows_of_a_table_that_does_not_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roomver.cli.common.WIDE", 22)
    table = Table()
    table.add_column("name", no_wrap=True)
    for number in range(5):
        table.add_column(f"v{number}", no_wrap=True)
    table.add_column("when")
    table.add_row("a rule", "1.1.1", "1.1.1", "", "1.1.1", "1.1.1", "the event is not there")
    print_table(table)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "a rule",
        "  v0 1.1.1, v1 1.1.1,",
        "  v3 1.1.1, v4 1.1.1",
        "  when: the event is",
        "  not there",
    ]


def test_columns_sets_the_width_of_a_pipe_and_no_id_is_broken(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = public_room()
    topic = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    file = write("room.jsonl", [header(), *lines_of(built)])
    wide = run("check", file).stdout
    monkeypatch.setenv("COLUMNS", "80")
    narrow = run("check", file).stdout
    folded = [line for line in narrow.splitlines() if "roomver auth" not in line and file not in line]
    assert max(map(len, folded)) <= 80
    assert not {word.strip("()") for word in words(wide)} - {word.strip("()") for word in words(narrow)}
    reason = narrow.split(f"{topic.event_id}  m.room.topic")[1]
    assert "\n      sender @bob:b.example\n      sender level 0\n" in reason
    levels = built.state["m.room.power_levels", ""].event_id
    assert f"\n      sender level from users_default default, not set in\n        {levels}\n" in reason
    for nothing in ("", "x", "-80", "99999999"):
        monkeypatch.setenv("COLUMNS", nothing)
        assert run("check", file).stdout == wide


@pytest.mark.parametrize(
    "call", [("check", "{room}"), ("history", "{room}", "m.room.member"), ("versions",), ("rooms", "{room}")]
)
def test_no_line_of_a_table_ends_with_a_space(call: tuple[str, ...]) -> None:
    room = str(Path(__file__).parents[1] / "vectors" / "rooms" / "v6.jsonl")
    lines = run(*(one.format(room=room) for one in call)).stdout.splitlines()
    assert len(lines) > 2
    assert [line for line in lines if line != line.rstrip()] == []


ROOMS_APART = ("!BLKWRAyFuuiIzErQHp:far.example", "!5rh9C88XB5f8HQe1N2t9hJcv3C8ng9aJYgdq-8mlrc4")


@pytest.mark.parametrize("room_id", ROOMS_APART)
def test_a_table_does_not_break_a_room_id(
    room_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = run("check", str(unpacked_sqlite(tmp_path)), room_id).stdout.split("\n\n")[0]
    assert room_id in table
    assert max(map(len, table.splitlines())) <= 80


def test_a_state_fits_the_width_and_says_what_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = str(unpacked_sqlite(tmp_path))
    wide = run("state", database, "local-v11")
    told = "roomver: contents that end with … are cut: --json has them whole"
    assert told in wide.stderr.splitlines()
    assert len(wide.stdout.splitlines()) == 13
    for columns in (40, 80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        narrow = run("state", database, "local-v11")
        assert max(len(line) for line in narrow.stdout.splitlines() if "$" not in line) <= columns
        assert all(len(line.split()) == 1 for line in narrow.stdout.splitlines() if len(line) > columns)
        ids = set(re.findall(r"[$][A-Za-z0-9_-]{43}", narrow.stdout))
        assert ids == set(re.findall(r"[$][A-Za-z0-9_-]{43}", wide.stdout))
        assert told in narrow.stderr.splitlines()
    few = run("state", database, "local-v11", "--type", "m.room.topic")
    assert told not in few.stderr
    assert told not in run("state", database, "local-v11", "--json").stderr
