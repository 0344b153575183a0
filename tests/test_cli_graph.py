"""``roomver graph``: what it draws of made-up and recorded rooms, on a terminal and in a pipe."""

import json
import os
import re
import select
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from builder import ALICE, BOB, CAROL, Room
from command_line import CASES, Write, entries, header, public_room, run
from homeservers import room_named, unpacked_sqlite
from rich.cells import cell_len

from roomver.explain.drawing import SMALL

RESET = str(CASES / "m_16629_reset.jsonl")
SOFT = str(CASES / "f4_soft_fail.jsonl")


def forked(version: str = "11", *, run_of: int = SMALL) -> Room:
    """A room with a run that is folded, a fork, a merge and a rejected event."""
    built = public_room(version)
    for number in range(run_of):
        built.add("m.room.message", BOB, {"body": str(number)})
    fork = built.last
    assert fork is not None
    left = built.add("m.room.topic", ALICE, {"topic": "left"}, state_key="", prev=[fork])
    right = built.add("m.room.name", ALICE, {"name": "right"}, state_key="", prev=[fork])
    built.add("m.room.name", BOB, {"name": "no"}, state_key="", prev=[fork])
    built.add("m.room.message", BOB, {"body": "both"}, prev=[left, right])
    return built


@pytest.fixture
def file(write: Write) -> str:
    return write("room.jsonl", [header(), *entries(forked())])


@pytest.fixture
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def drawn(*arguments: str) -> list[str]:
    result = run("graph", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def shapes(lines: list[str]) -> list[str]:
    """Lines without short IDs, times and days, up to the empty line before the calls."""
    lines = lines[: next(n for n, line in enumerate(lines) if line.startswith(("resets: ", "more: "))) - 1]
    rows = [re.sub(r" \$\S+ \d\d:\d\d:\d\d", "", line) for line in lines]
    return [line for line in rows if not re.fullmatch(r"[ │]*\d{4}-\d\d-\d\d UTC", line)]


@pytest.mark.usefixtures("_narrow")
def test_a_room_is_drawn(file: str) -> None:
    lines = drawn(file)
    assert lines[0] == f"!room:a.example (version 11): {SMALL + 9} events"
    assert lines[1] == "1 fork, 1 merge, 1 forward extremity; 1 rejected"
    assert shapes(lines)[2:] == [
        '* @bob:b.example: message "both"',
        "│   merge with 2 keys in conflict",
        "├─╮",
        '│ │ x rejected: @bob:b.example: room name "no"',
        '* │ │ @alice:a.example: room name "right"',
        "├─│─╯",
        '│ * @alice:a.example: topic "left"',
        "├─╯",
        f'* @bob:b.example: message "{SMALL - 1}"',
        f": {SMALL + 3} events of 2 senders, 4 of state, 22:13:20 to 22:13:20",
        "* @alice:a.example: creation of the room",
        "x rejected, : several events",
        "folded events: --all shows each",
    ]
    assert all(cell_len(line) <= 80 for line in lines[:-1])
    assert lines[2] == "  2023-11-14 UTC"
    assert "".join(lines).count("2023-11-14") == 1
    assert lines[-2] == ""
    (refused,) = (line.split()[3] for line in lines if '"no"' in line)
    assert lines[-1] == f"more: roomver explain {file} '{refused}'"


def test_all_events_are_drawn_if_asked_for(file: str) -> None:
    lines = drawn(file, "--all")
    assert sum(line.startswith(("* ", "│ *", "│ │ x")) for line in lines) == SMALL + 9
    assert not any("folded" in line for line in lines)


def test_short_ids_are_taken_by_other_commands(file: str) -> None:
    (line,) = (line for line in drawn(file) if '"left"' in line)
    short = re.search(r"\$\S+", line)
    assert short is not None
    result = run("auth", short[0], "--room", file)
    assert result.exit_code == 0
    assert "m.room.topic" in result.stdout


def test_a_merge_that_was_not_asked_for_joins_what_was(write: Write) -> None:
    built = forked(run_of=5)
    built.add("m.room.topic", ALICE, {"topic": "last"}, state_key="")
    kinds = ("--type", "m.room.topic", "--type", "m.room.name")
    lines = shapes(drawn(write("room.jsonl", [header(), *entries(built)]), *kinds))
    assert lines[2:] == [
        '* @alice:a.example: topic "last"',
        "o merge",
        "│   merge with 2 keys in conflict",
        "├─╮",
        '│ │ x rejected: @bob:b.example: room name "no"',
        '* │ @alice:a.example: room name "right"',
        '  * @alice:a.example: topic "left"',
        "11 other events are not shown (--type m.room.topic, --type m.room.name)",
        "x rejected, o a merge that was not asked for",
    ]


@pytest.mark.usefixtures("_narrow")
def test_resets_are_marked_where_they_happen() -> None:
    lines = drawn(RESET)
    assert lines[1] == "1 fork, 1 merge, 1 forward extremity; 12 resets"
    assert lines[3].startswith("! $")
    assert lines[4].startswith("│   merge with 13 keys in conflict; reset: m.room.member @m00:x0.example,")
    assert sum(": join" in line and "│ - $" in line and " undone: " in line for line in lines) == 12
    assert lines[-4:] == [
        "! reset here, - undone by a reset",
        "",
        f"resets: roomver resets {RESET}",
        f"more: roomver explain {RESET} '{lines[3].split()[1]}'",
    ]


def test_resets_in_the_current_state_are_said_first(write: Write) -> None:
    lines = Path(RESET).read_text(encoding="utf-8").splitlines()
    last = run("graph", RESET, "--count", "1", "--json")
    (merge, *_) = json.loads(last.stdout)["rows"]
    kept = [line for line in lines if merge["event"]["event_id"] not in line and '"merge"' not in line]
    file = write("ends.jsonl", "\n".join(kept))
    shown = drawn(file)
    assert "2 forward extremities; 12 resets" in shown[1]
    assert shown[2].startswith("reset in the current state: m.room.member @m00:x0.example, ")
    assert shown[2].endswith(", 9 more")
    document = json.loads(run("graph", file, "--json").stdout)
    assert len(document["resets_now"]) == 12
    assert not any(row["mark"]["resets"] for row in document["rows"])


def test_soft_failed_and_unchecked_events_are_marked(write: Write) -> None:
    lines = drawn(SOFT)
    assert sum(line.startswith("~ │ $") and " soft-failed: " in line for line in lines) == 2
    result = run("graph", str(CASES / "l_10715_recording.jsonl"), "--as-recorded")
    assert result.exit_code == 0
    assert "x $" not in result.stdout


def test_what_is_missing_is_said(write: Write) -> None:
    built = forked(run_of=5)
    gone = [event for event in built.events.values() if event.content.get("body") == "3"]
    lines = [one for one in entries(built) if one["event_id"] != gone[0].event_id]
    shown = drawn(write("part.jsonl", [header(), *lines]))
    assert "1 missing" in shown[1]
    assert f"missing before it: {gone[0].event_id[:9]}" in " ".join(shown)
    lines[5]["pdu"]["depth"] = -1  # and this one is malformed
    result = run("graph", write("part.jsonl", [header(), *lines]))
    assert f"left out before it: {lines[5]['event_id'][:9]}" in result.stdout
    assert "1 event is left out" in result.stderr


def test_events_that_nothing_connects_are_one_row_and_stand_apart(write: Write) -> None:
    built = public_room()
    kept = [header(), *entries(built)]
    for number in range(SMALL):
        built.add("m.room.message", ALICE, {})  # missing below
        sent = built.add("m.room.message", ALICE, {"body": str(number)})
        kept.append({"event_id": sent.event_id, "pdu": sent.pdu})
    lines = drawn(write("parts.jsonl", kept))
    assert lines[1].endswith(f"; {SMALL} undecided, {SMALL} missing")
    assert lines[2:4] == [
        f": {SMALL} undecided events of 1 sender; what came before each is missing here",
        "  2023-11-14 UTC",
    ]


def test_events_that_cite_each_other_say_so(write: Write) -> None:
    built = public_room("1")
    first, second = "$one:a.example", "$two:a.example"
    lines = [header("1"), *entries(built)]
    for own, other in ((first, second), (second, first)):
        event = built.make("m.room.message", ALICE, {}, event_id=own, prev=[other, built.create])
        lines.append({"event_id": own, "pdu": event.pdu})
    shown = drawn(write("cycle.jsonl", lines))
    assert sum(line.startswith("x ") and " rejected: " in line for line in shown) == 2
    assert sum("it cites itself, directly or through other events" in line for line in shown) == 2


@pytest.mark.usefixtures("_narrow")
def test_a_part_is_drawn_around_an_event(file: str) -> None:
    left = next(line for line in drawn(file) if '"left"' in line).split()[2]
    lines = shapes(drawn(file, "--around", left, "--count", "1"))
    assert lines[2:] == [
        ": 2 newer events",
        "├─┬─╮",
        '* │ │ @alice:a.example: room name "right"',
        "├─│─╯",
        '│ * @alice:a.example: topic "left"',
        "├─╯",
        f'* @bob:b.example: message "{SMALL - 1}"',
        f": {SMALL + 4} older events",
        ": several events",
        "more rows: --count 20",
    ]
    # The event that was asked for is the one to explain, whatever else is drawn.
    assert drawn(file, "--around", left)[-1] == f"more: roomver explain {file} '{left}'"
    lines = shapes(drawn(file, "--count", "1"))
    assert lines[2:7] == [
        '* @bob:b.example: message "both"',
        "│   merge with 2 keys in conflict",
        f": {SMALL + 8} older events",
        ": several events",
        "more rows: --count 20",
    ]


def test_events_are_chosen_by_type_and_time(write: Write) -> None:
    built = public_room()
    times = {}
    for hour, sender in enumerate([ALICE, BOB, ALICE], 10):
        moment = 1_700_000_000_000 + hour
        event = built.add("x.note", sender, {}, origin_server_ts=moment)
        times[moment] = event.event_id
    file = write("room.jsonl", [header(), *entries(built)])
    lines = drawn(file, "--type", "m.room.member", "--type", "m.room.create")
    assert shapes(lines)[2:] == [
        "* @bob:b.example: join",
        "* @alice:a.example: join",
        "* @alice:a.example: creation of the room",
        "5 other events are not shown (--type m.room.member, --type m.room.create)",
    ]
    (last, middle, _) = reversed(times)
    lines = drawn(file, "--since", str(middle))
    assert [line.split()[1] for line in lines if line.startswith("* ")] == [
        times[last][:9],
        times[middle][:9],
    ]
    assert shapes(drawn(file, "--since", times[middle]))[:-1] == shapes(lines)[:-1]
    for since, shown in {
        "2023-11-14T22:13:20Z": 8,
        "2023-11-14 23:13:20.012+01:00": 1,
        "2100-01-01": 0,
        "20000101": 8,
    }.items():
        assert sum(line.startswith("* ") for line in drawn(file, "--since", since)) == shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "yesterday"], "neither a time, such as 2026-11-29T12:00, nor an event ID"),
        (["--since", "\x1b[2J"], "neither a time"),
        (["--since", "9" * 18], ""),
        (["--svg", "--dot"], "choose one of --dot, --svg"),
        (["--json", "--tardis"], "choose one of --tardis, --json"),
        (["--count", "0"], "0 is not in the range"),
        (["--around", "$nothing"], "no event ID is or starts with"),
        (["--since", "$nothing"], "no event ID is or starts with"),
        (["--since", ""], "--since is empty; put an event ID in single quotes"),
        (["--since", "1700000000"], "looks like seconds: milliseconds would be 1700000000000"),
        (["--since", "2026-13-01"], "neither a time, such as 2026-11-29T12:00, nor an event ID"),
        (["--around", ""], "the event ID is empty; put an event ID in single quotes"),
        (["--around", "$"], f"{SMALL + 9} event IDs start with $: $"),
        (["--since", "$", "--around", "$nothing"], "no event ID is or starts with $nothing"),
        (["$stray"], "no event ID is or starts with $stray"),  # as --around
        (["$stray", "$other"], "too many arguments"),
        (["--around", "$other", "$stray"], "too many arguments"),
        (["stray"], "too many arguments"),
    ],
)
def test_what_cannot_be_drawn_is_said(arguments: list[str], said: str, file: str) -> None:
    result = run("graph", file, *arguments)
    assert result.exit_code == (2 if said else 0)
    assert said in re.sub(r"\s+", " ", result.stderr)
    assert "\x1b" not in result.stderr


def test_an_event_after_the_room_is_what_the_graph_is_drawn_around(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    drawn = run("graph", database, "local-v11", "--around", "$ldkeMfVY")
    assert drawn.exit_code == 0
    for words in (["local-v11", "$ldkeMfVY"], ["$ldkeMfVY"], ["--room", "local-v11", "$ldkeMfVY"]):
        assert run("graph", database, *words).stdout.splitlines()[:9] == drawn.stdout.splitlines()[:9]


@pytest.mark.usefixtures("_narrow")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--type", "m.room.topik"], "no event has the type m.room.topik; did you mean m.room.topic?"),
        (["--type", "x.y", "--type", "x.z"], "no event has the type x.y, x.z"),
        (["--type", "x.y", "--since", "2023-01-01"], "no event has the type x.y"),
        (
            ["--since", "2100-01-01"],
            "no event is of 2100-01-01 00:00:00Z or later; the latest is of 2023-11-14 22:13:20Z, as"
            " its server claims",
        ),
        (
            ["--since", "2100-01-01T00:00+01:00", "--type", "m.room.topic"],
            "no event of the type is of 2099-12-31 23:00:00Z or later; the latest is of 2023-11-14"
            " 22:13:20Z, as its server claims",
        ),
        (["--since", "LAST", "--type", "m.room.topic"], "no event of the type came since LAST"),
    ],
)
def test_an_empty_drawing_says_why(arguments: list[str], said: str, file: str) -> None:
    last = drawn(file)[3].split()[1]
    arguments = [last if word == "LAST" else word for word in arguments]
    said = f"nothing to draw: {said.replace('LAST', last)}"
    lines = drawn(file, *arguments)
    assert all(len(line) <= 80 for line in lines[:-1])
    assert " ".join(line.strip() for line in lines[2:-2]) == said
    assert lines[-1] == f"more: roomver graph {file}"
    for form in ("--json", "--svg", "--dot", "--mermaid", "--tardis"):
        result = run("graph", file, *arguments, form)
        assert result.exit_code == 0
        assert said in " ".join(result.stderr.split())


def test_a_time_without_a_zone_is_in_utc_and_said_so(file: str) -> None:
    lines = drawn(file, "--since", "2023-11-14T22:13:20.020")
    assert "(--since 2023-11-14 22:13:20Z)" in " ".join(lines)


def test_options_together_choose_what_all_of_them_choose(file: str) -> None:
    lines = drawn(file)
    left = next(line for line in lines if '"left"' in line).split()[2]
    together = ("--type", "m.room.name", "--since", left, "--around", left)
    found = shapes(drawn(file, *together))[2:]
    assert found[0].endswith('rejected: @bob:b.example: room name "no"')
    assert sum("*" in line for line in found) == 2
    assert found[-2] == f"{SMALL + 6} other events are not shown (--type m.room.name, --since {left})"


@pytest.mark.usefixtures("_narrow")
def test_a_call_has_an_id_that_a_shell_takes(write: Write) -> None:
    built = public_room("1")
    rows = [header("1"), *entries(built)]
    event = built.make("m.room.topic", BOB, {"topic": "no"}, state_key="", event_id="$\u5bbd:b.example")
    rows.append({"event_id": event.event_id, "pdu": event.pdu})
    lines = drawn(write("room.jsonl", rows))
    assert "rejected: " in lines[3]
    call = shlex.split(lines[-1].removeprefix("more: roomver "))
    assert run(*call).exit_code == 0
    assert call[-1].isascii()


def test_a_missing_event_ends_undecided(write: Write) -> None:
    built = forked(run_of=5)
    gone = next(event for event in built.events.values() if event.content.get("body") == "3")
    kept = [one for one in entries(built) if one["event_id"] != gone.event_id]
    result = run("graph", write("part.jsonl", [header(), *kept]), "--around", gone.event_id)
    assert result.exit_code == 3
    assert gone.event_id in result.stderr


@pytest.mark.usefixtures("_narrow")
def test_hundreds_of_branches_and_prev_events_are_counted(write: Write) -> None:
    built = public_room()
    start = built.last
    assert start is not None
    tips = [built.add("m.room.message", BOB, {"n": n}, prev=[start]) for n in range(60)]
    for first in range(0, 60, 20):
        built.add("m.room.message", ALICE, {"merge": first}, prev=tips[first : first + 20])
    result = run("graph", write("wide.jsonl", [header(), *entries(built)]))
    lines = result.stdout.splitlines()
    assert all(cell_len(line) <= 80 for line in lines[:-1])
    assert max(int(found) for found in re.findall(r"\+(\d+) \$", result.stdout)) >= 40
    assert "+N lanes that are not drawn" in lines[-4]
    assert lines[-3] == "more lanes: COLUMNS=240 roomver graph … | less -S, or --svg"


@pytest.mark.usefixtures("_narrow")
def test_all_lanes_are_drawn_in_the_width_that_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = public_room()
    start = built.last
    assert start is not None
    tips = [built.add("m.room.message", BOB, {"n": number}, prev=[start]) for number in range(12)]
    for tip in tips:
        built.add("m.room.message", ALICE, {}, prev=[tip])
    room = write("wide.jsonl", [header(), *entries(built)])
    told = run("graph", room).stdout
    assert "+N lanes" in told
    width = re.search("COLUMNS=([0-9]+) ", told)
    assert width is not None
    monkeypatch.setenv("COLUMNS", width[1])
    assert "+N lanes" not in run("graph", room).stdout


def test_count_is_of_all_rows_and_around_an_event_of_those_on_each_side(file: str) -> None:
    ids = [line.split()[1] for line in drawn(file, "--all") if line.startswith("* ")]
    for count in (2, 5):
        rows = [line for line in drawn(file, "--all", "--count", str(count)) if " $" in line.split("more")[0]]
        assert len(rows) == count
        lines = drawn(file, "--all", "--around", ids[15], "--count", str(count))
        rows = [line for line in lines if " $" in line.split("more")[0]]
        assert len(rows) == 2 * count + 1
        assert ids[15] in rows[count]
        assert f"more rows: --count {2 * max(count, 10)}" in lines
    assert "more rows: --count 40" in drawn(file, "--all", "--around", ids[25])


@pytest.mark.usefixtures("_narrow")
def test_thousands_of_forward_extremities_fit_a_screen(write: Write) -> None:
    built = public_room()
    start = built.last
    for number in range(2_000):
        built.add("m.room.message", ALICE, {"body": str(number)}, prev=[start])
    lines = drawn(write("ends.jsonl", [header(), *entries(built)]))
    assert "2,000 forward extremities" in lines[1]
    assert lines[3].startswith(": 2,000 events of 1 sender, each a branch of its own, ")
    assert len(lines) < 20
    assert all(cell_len(line) <= 80 for line in lines[:-1])


# A terminal, and programs that read the output


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}
    return {**kept, "TERM": "xterm-256color", **more}


@pytest.mark.skipif(os.name != "posix", reason="opens a terminal of its own")
@pytest.mark.parametrize("colour", [True, False])
def test_lanes_and_marks_have_colours_on_a_terminal_only(colour: bool, file: str) -> None:
    controller, terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "roomver", "graph", file],
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env=environment(**({} if colour else {"NO_COLOR": "1"})),
    )
    os.close(terminal)
    shown = b""
    while select.select([controller], [], [], 60)[0]:
        try:
            shown += os.read(controller, 65536)
        except OSError:
            break
    process.wait()
    os.close(controller)
    codes = set(re.findall(rb"\x1b\[([\d;]+)m", shown))
    assert ({b"32", b"34", b"1;31"} <= codes) == colour
    assert not (codes & {b"32", b"34", b"31", b"1;31", b"33"}) or colour
    text = re.sub(rb"\x1b\[[\d;]*m", b"", shown).decode()
    assert "\x1b" not in text
    assert [line.rstrip() for line in text.splitlines()] == drawn_wide(file)


def drawn_wide(file: str) -> list[str]:
    """What a terminal of 80 columns shows, without colours."""
    done = subprocess.run(
        [sys.executable, "-m", "roomver", "graph", file],
        capture_output=True,
        env=environment(COLUMNS="80"),
        check=True,
    )
    assert b"\x1b" not in done.stdout
    return done.stdout.decode().splitlines()


def test_a_pipe_that_knows_only_ascii_gets_ascii(file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "roomver", "graph", file],
        capture_output=True,
        env=environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0"),
        check=True,
    )
    assert done.stdout.isascii()
    assert b"\n+-|-'\n" in done.stdout
    assert b"\\u" not in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="uses a shell")
@pytest.mark.parametrize("form", ["", "--json", "--dot", "--mermaid", "--svg", "--tardis"])
def test_a_reader_that_leaves_ends_it_quietly(form: str, write: Write) -> None:
    file = write("room.jsonl", [header(), *entries(forked(run_of=400))])
    command = f"{sys.executable} -m roomver graph --all {form} {file} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=environment(), check=True)
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


def test_rooms_of_a_database_are_drawn(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    lines = drawn(database, room_named("local-v11"))
    assert lines[1] == "7 forks, 5 merges, 2 forward extremities; 4 rejected, 2 soft-failed, 1 reset"
    room = run("graph", database, "--room", "partial-v11").stdout
    assert "8 undecided" in room
    assert "at least 1 forward extremity" in room
    event = re.search(r"\$\S+", lines[6])
    assert event is not None
    assert drawn(database, "--around", event[0], "--count", "1")[0] == lines[0]


def test_people_who_come_and_go_are_drawn_with_their_rooms_version(write: Write) -> None:
    for version in ("1", "3", "12"):
        built = forked(version)
        built.join(CAROL)
        lines = drawn(write(f"{version}.jsonl", [header(version), *entries(built)]))
        assert f"(version {version})" in lines[0]
        assert any("@carol:a.example: join" in line for line in lines)
