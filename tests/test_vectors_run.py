"""``roomver vectors run`` in a CI: chosen cases, known failures, readable differences, TAP and JUnit."""

import json
import re
import shlex
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result
from command_line import run as call

from roomver.cli.vectors.difference import difference_lines
from roomver.cli.vectors.summary import failure_lines
from roomver.readers.suite import load_suite
from roomver.suite.document import FORMAT, Case, CaseResult, Expectation, Outcome, compare

NAMES = ("a.one", "a.two", "b.one", "b.two", "c")


def case(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "operation": "canonical_json",
        "room_version": "11",
        "input": {"json": f'"{name}"'},
        "expected": {"canonical": f'"{name}"'},
        **more,
    }


def write(file: Path, *cases: dict[str, Any]) -> Path:
    file.write_text(json.dumps({"format": FORMAT, "title": "Made up", "cases": cases}))
    return file


@pytest.fixture
def five(tmp_path: Path) -> Path:
    return write(tmp_path / "v.json", *map(case, NAMES))


@pytest.fixture
def failing(tmp_path: Path, five: Path) -> Callable[..., Result]:
    """Run the five cases against a program that gives a wrong answer to those named.

    It dies of the cases in `dying`, and does not answer those in `silent`.
    """

    def run(
        names: str, *arguments: object, dying: str = "", silent: str = "", paths: tuple[object, ...] = (five,)
    ) -> Result:
        program = tmp_path / "program.py"
        program.write_text(
            "import json, sys\n"
            "for line in sys.stdin:\n"
            "    request = json.loads(line)\n"
            "    text = request['input']['json']\n"
            f"    wrong = json.loads(text) in {names.split()!r}\n"
            f"    if json.loads(text) in {dying.split()!r}: sys.exit(3)\n"
            f"    if json.loads(text) in {silent.split()!r}: continue\n"
            "    output = {'canonical': 'wrong' if wrong else text}\n"
            "    print(json.dumps({'id': request['id'], 'output': output}), flush=True)\n"
        )
        command = shlex.join([sys.executable, str(program)])
        options = ("--impl", command, "--name", "mine")
        return call("vectors", "run", *options, *map(str, arguments), *map(str, paths))

    return run


@pytest.fixture
def release(tmp_path: Path, five: Path) -> Path:
    """A folder that holds the five cases as a release of the suite does: they are a whole suite."""
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"suite": "roomver-vectors"}))
    (folder / "v.json").write_bytes(five.read_bytes())
    return folder


def ran(result: Result) -> list[str]:
    return [entry["name"] for entry in json.loads(result.stdout)["cases"]]


# Which cases are run


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (["a.*"], ["a.one", "a.two"]),
        (["c"], ["c"]),
        (["*.one", "c"], ["a.one", "b.one", "c"]),
        (["[ab].t?o"], ["a.two", "b.two"]),
    ],
)
def test_cases_are_chosen_by_name(five: Path, globs: list[str], names: list[str]) -> None:
    options = [word for glob in globs for word in ("--case", glob)]
    assert ran(call("vectors", "run", "--json", *options, str(five))) == names
    listed = call("vectors", "list", *options, str(five)).stdout
    assert [line.split()[0] for line in listed.splitlines()] == names


def test_a_glob_that_matches_no_case_is_an_error(five: Path) -> None:
    done = call("vectors", "run", "--case", "A.*", str(five))
    assert (done.exit_code, done.stderr) == (2, f"roomver: {five}: no case matches\n")


def test_shards_are_disjoint_and_complete(five: Path) -> None:
    shards = [ran(call("vectors", "run", "--json", "--shard", f"{n}/3", str(five))) for n in (1, 2, 3)]
    assert sorted(name for shard in shards for name in shard) == sorted(NAMES)
    assert all(shards)
    # The heavy cases of a file are spread over the shards.
    assert shards[0] == ["a.one", "b.two"]


@pytest.mark.parametrize(
    "shard", ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/2", "1/", " 1/2", "\u0661/\u0662"]
)
def test_a_shard_that_does_not_exist_is_a_wrong_call(five: Path, shard: str) -> None:
    done = call("vectors", "run", "--shard", shard, str(five))
    assert done.exit_code == 2
    assert "'--shard': must be I/N, with I from 1 to N" in done.stderr


def test_a_shard_without_cases_is_an_error(five: Path) -> None:
    done = call("vectors", "run", "--shard", "6/6", str(five))
    assert (done.exit_code, done.stderr) == (2, f"roomver: {five}: shard 6/6 has no case\n")


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_run_can_stop_at_the_first_failure(failing: Callable[..., Result], jobs: str) -> None:
    done = failing("a.two b.two", "-x", "--jobs", jobs)
    assert done.exit_code == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("FAILED")] == [
        "FAILED a.two: canonical_json, room version 11"
    ]
    assert done.stdout.splitlines()[-1] == (
        "mine: 2 cases, 1 passed, 1 failed; stopped at a failure, 3 cases were not run"
    )
    assert failing("", "-x", "--jobs", jobs).exit_code == 0
    assert ran(failing("b.one", "--exitfirst", "--json", "--jobs", jobs)) == ["a.one", "a.two", "b.one"]


# Known failures


def test_known_failures_pass_and_new_ones_fail(failing: Callable[..., Result], tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("# ours\na.two  # issue 7\n\nc\n")
    done = failing("a.two c", "--known-failures", known)
    assert done.exit_code == 0, done.output
    assert "FAILED" not in done.stdout
    assert done.stdout.splitlines()[-1] == "mine: 5 cases, 3 passed, 2 failed as known"
    done = failing("a.two b.one c", "--known-failures", known)
    assert done.exit_code == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("FAILED")] == [
        "FAILED b.one: canonical_json, room version 11"
    ]
    assert done.stdout.splitlines()[-1] == "mine: 5 cases, 2 passed, 1 failed, 2 failed as known"


def test_an_entry_that_passes_fails_the_run(failing: Callable[..., Result], tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("a.two\nc\n")
    done = failing("c", "--known-failures", known)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "These known failures pass; remove them, or use --write-known-failures:" in lines
    assert f"  {known}:1: a.two" in lines
    assert lines[-1] == "mine: 5 cases, 4 passed, 1 failed as known; 1 known failure passes"


def test_entries_of_cases_that_did_not_run_are_not_judged(
    failing: Callable[..., Result], tmp_path: Path
) -> None:
    known = tmp_path / "known.txt"
    known.write_text("a.two\nelsewhere\n")
    assert failing("", "--known-failures", known, "--case", "b.*").exit_code == 0
    assert failing("a.two", "--known-failures", known, "--case", "a.two").exit_code == 0
    assert failing("a.two b.two", "--known-failures", known, "-x").stdout.splitlines()[-1] == (
        "mine: 4 cases, 2 passed, 1 failed, 1 failed as known; stopped at a failure, 1 case was not run"
    )


def test_unsupported_entries_are_not_judged(five: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("a.two\n")
    program = tmp_path / "none.py"
    program.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n"
        "    answer = {'output': {'canonical': request['input']['json']}}\n"
        "    if 'two' in line: answer = {'unsupported': True}\n"
        "    print(json.dumps({'id': request['id'], **answer}), flush=True)\n"
    )
    command = shlex.join([sys.executable, str(program)])
    done = call("vectors", "run", "--impl", command, "--known-failures", str(known), str(five))
    assert done.exit_code == 0, done.output


def test_known_failures_are_written(failing: Callable[..., Result], tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    arguments = ("--write-known-failures", "--known-failures", known)
    done = failing("c a.two", *arguments)
    assert done.exit_code == 0, done.output
    assert known.read_text() == "a.two\nc\n"
    assert f"{known}: 2 known failures written: 2 new, 0 removed" in done.stdout
    assert failing("c a.two", "--known-failures", known).exit_code == 0
    known.write_text("# why\na.two  # issue 7\nelsewhere\nc\n")
    done = failing("a.two b.two", *arguments)
    assert done.exit_code == 0
    assert known.read_text() == "# why\na.two  # issue 7\nelsewhere\nb.two\n", "comments and other names stay"
    assert f"{known}: 3 known failures written: 1 new, 1 removed" in done.stdout
    before = known.read_bytes()
    failing("a.two b.two", *arguments)
    assert known.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a b\n", "line 1: not the name of a case: a b"),
        (b"a\n$b\n", "line 2: not the name of a case: $b"),
        (b"a\na\n", "line 2: a is listed twice"),
        (b"\xff\n", "not UTF-8"),
        (None, "No such file or directory; --write-known-failures makes it"),
    ],
)
def test_a_list_of_known_failures_that_cannot_be_read_is_an_error(
    failing: Callable[..., Result], tmp_path: Path, content: bytes | None, message: str
) -> None:
    known = tmp_path / "known.txt"
    if content is not None:
        known.write_bytes(content)
    done = failing("", "--known-failures", known)
    assert done.exit_code == 2
    assert done.stderr == f"roomver: {known}: {message}\n" or (
        content == b"\xff\n" and message in done.stderr
    )


def test_a_list_may_have_the_line_ends_of_windows(failing: Callable[..., Result], tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_bytes(b"\xef\xbb\xbfa.two\r\nc # x\r\n")
    assert failing("a.two c", "--known-failures", known).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [("--write-known-failures",), ("--write-known-failures", "--known-failures", "known", "-x")],
)
def test_what_excludes_another_option_is_a_wrong_call(
    failing: Callable[..., Result], arguments: tuple[str, ...]
) -> None:
    assert failing("", *arguments).exit_code == 2


# When nothing passes


NARROWED = (("--case", "*"), ("--operation", "canonical_json"), ("--room-version", "11"))


@pytest.mark.parametrize("shard", [(), ("--shard", "1/4"), ("--shard", "2/2")])
def test_a_whole_run_in_which_nothing_passes_fails_also_with_a_list(
    failing: Callable[..., Result], tmp_path: Path, release: Path, shard: tuple[str, ...]
) -> None:
    known = tmp_path / "known.txt"
    known.write_text("".join(f"{name}\n" for name in NAMES))
    names = " ".join(NAMES)
    done = failing(names, "--known-failures", known, *shard, paths=(release,))
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1].endswith(" failed as known; no case passed")
    for narrowed in NARROWED:
        done = failing(names, "--known-failures", known, *shard, *narrowed, paths=(release,))
        assert done.exit_code == 0, "these cases are asked for, and do what the list says"
    assert failing(names, "--known-failures", known, *shard).exit_code == 0, "one file is asked for"
    assert failing(names, *shard).exit_code == 1, "without a list, each failure is a new one"


@pytest.mark.parametrize("narrowed", NARROWED)
def test_a_run_of_exactly_the_listed_cases_does_what_the_list_says(
    failing: Callable[..., Result], tmp_path: Path, release: Path, narrowed: tuple[str, ...]
) -> None:
    write(release / "v.json", case("a.one"))
    known = tmp_path / "known.txt"
    known.write_text("a.one\n")
    assert failing("a.one", "--known-failures", known, *narrowed, paths=(release,)).exit_code == 0


def test_the_suite_of_the_package_is_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Case("a", "canonical_json", "11", {"json": "1"}, (Expectation({"canonical": "2"}),))
    monkeypatch.setattr("roomver.cli.vectors.selection.load_suite", lambda **_: [one])
    known = tmp_path / "known.txt"
    known.write_text("a\n")
    assert call("vectors", "run", "--known-failures", str(known)).exit_code == 1
    assert call("vectors", "run", "--known-failures", str(known), "--case", "a").exit_code == 0


# A program that does not answer


@pytest.mark.parametrize("how", ["dying", "silent"])
def test_a_case_without_an_answer_is_never_a_known_failure(
    failing: Callable[..., Result], tmp_path: Path, how: str
) -> None:
    known, junit, tap = (tmp_path / name for name in ("known.txt", "junit.xml", "run.tap"))
    known.write_text("a.two\nc\n")
    arguments = ("--timeout", "1", "--known-failures", known)
    done = failing("a.two", *arguments, **{how: "c"})
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("FAILED")] == [
        "FAILED c: canonical_json, room version 11"
    ]
    assert "A case without a valid answer is never a known failure." in lines
    assert lines[-1] == "mine: 5 cases, 3 passed, 1 failed, 1 failed as known"
    written = ("--json", "--junit", junit, "--tap", tap)
    entries = json.loads(failing("a.two", *arguments, *written, **{how: "c"}).stdout)["cases"]
    assert [entry["name"] for entry in entries if entry.get("known")] == ["a.two"]
    (suite,) = ET.parse(junit).getroot()
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "1")
    assert "not ok 5 - c\n" in tap.read_text()


def test_a_run_stops_at_a_case_without_an_answer(failing: Callable[..., Result], tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("a.one\na.two\n")
    done = failing("a.one", "-x", "--known-failures", known, "--json", dying="a.two")
    assert ran(done) == ["a.one", "a.two"]


def test_what_has_no_answer_is_not_written_to_the_list(
    failing: Callable[..., Result], tmp_path: Path, release: Path
) -> None:
    known = tmp_path / "known.txt"
    known.write_text("a.one # why\na.two\n")
    arguments = ("--known-failures", known, "--write-known-failures")
    done = failing("a.two b.one", *arguments, dying="a.one c")
    assert done.exit_code == 1
    assert known.read_text() == "a.one # why\na.two\nb.one\n", "a listed case keeps its line and its reason"
    known.unlink()
    dead = failing("", *arguments, dying=" ".join(NAMES), paths=(release,))
    assert dead.exit_code == 1
    assert known.read_text() == ""
    assert failing("", "--known-failures", known, "--shard", "1/4", dying="a.one c").exit_code == 1


# Entries whose case does not exist


def test_entries_without_a_case_are_named_and_dropped(
    failing: Callable[..., Result], tmp_path: Path, release: Path
) -> None:
    known = tmp_path / "known.txt"
    text = "# ours\nold.one\na.two\nold.two # why\n"
    known.write_text(text)
    for options in ((), ("--shard", "1/4"), ("--json",), ("--tap", "-")):
        done = failing("a.two", "--known-failures", known, *options, paths=(release,))
        assert done.exit_code == 0, "they do not fail a run"
        assert done.stderr == (
            f"roomver: {known}: these cases do not exist; remove them, or use --write-known-failures:\n"
            f"  {known}:2: old.one\n"
            f"  {known}:4: old.two\n"
        )
    arguments = ("--known-failures", known, "--write-known-failures")
    for options, paths in ((("--case", "*"), (release,)), ((), (release / "v.json",))):
        done = failing("a.two", *arguments, *options, paths=paths)
        assert (done.stderr, known.read_text()) == ("", text), "they may be elsewhere"
    done = failing("a.two", *arguments, paths=(release,))
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"{known}: 1 known failure written: 0 new, 2 removed" in done.stdout
    assert known.read_text() == "# ours\na.two\n"


# Files that a run writes


@pytest.mark.parametrize("option", ["--junit", "--tap", "--known-failures"])
@pytest.mark.parametrize(
    ("place", "reason"), [("missing/file", "No such file or directory"), ("folder", "Is a directory")]
)
def test_a_file_that_cannot_be_written_is_refused_before_the_run(
    failing: Callable[..., Result], tmp_path: Path, option: str, place: str, reason: str
) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / place
    if option == "--known-failures":
        if place == "folder":
            return  # a list is read first, which says the same
        arguments: tuple[object, ...] = (option, target, "--write-known-failures")
    else:
        arguments = (option, target)
    done = failing("", *arguments, "--impl", "no-such-program-to-start")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"roomver: {target}: it cannot be written: {reason}\n"


def test_a_list_that_is_written_again_is_complete_or_as_it_was(
    failing: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known.txt"
    known.write_text("a.two\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    done = failing("a.two c", "--known-failures", known, "--write-known-failures")
    assert (done.exit_code, known.read_text()) == (2, "a.two\n")
    assert done.stderr == f"roomver: {known}: it cannot be written: No space left on device\n"


def test_known_failures_are_marked_as_such(failing: Callable[..., Result], tmp_path: Path) -> None:
    known, junit, tap = (tmp_path / name for name in ("known.txt", "junit.xml", "run.tap"))
    known.write_text("a.two\nc\n")
    done = failing("a.two b.two", "--known-failures", known, "--junit", junit, "--tap", tap, "--json")
    by_name = {entry["name"]: entry for entry in json.loads(done.stdout)["cases"]}
    assert [name for name, entry in by_name.items() if entry.get("known")] == ["a.two", "c"]
    (suite,) = ET.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "2", "1")
    found = {one.get("name"): [child.tag for child in one] for one in suite}
    assert found == {"a.one": [], "a.two": ["skipped"], "b.one": [], "b.two": ["failure"], "c": ["failure"]}
    lines = [line for line in tap.read_text().splitlines() if line.lstrip() == line]
    assert lines == [
        "TAP version 13",
        "1..5",
        "ok 1 - a.one",
        "not ok 2 - a.two # TODO known failure",
        "ok 3 - b.one",
        "not ok 4 - b.two",
        "not ok 5 - c",
    ]


# TAP


def test_tap_says_what_a_failed_case_is_about(failing: Callable[..., Result], tmp_path: Path) -> None:
    write(tmp_path / "v.json", case("a.one", notes='Say "why": # all', spec="https://example.org/#x"))
    tap = tmp_path / "run.tap"
    failing("a.one", "--tap", tap)
    text = tap.read_text(encoding="ascii")
    block = text.split("  ---\n")[1].split("  ...\n")[0]
    # Each value is JSON, which is YAML too.
    found = {
        key: json.loads(value)
        for key, _, value in (line.strip().partition(": ") for line in block.splitlines())
    }
    assert found == {
        "about": 'Say "why": # all',
        "operation": "canonical_json",
        "room_version": "11",
        "spec": "https://example.org/#x",
        "expected": {"canonical": '"a.one"'},
        "got": {"canonical": "wrong"},
        "differences": [
            "canonical: the texts differ from character 1 on",
            '  expected "a.one"',
            "  got      wrong",
        ],
    }


def test_tap_can_be_the_output(failing: Callable[..., Result]) -> None:
    done = failing("c", "--tap", "-")
    assert done.stdout.startswith("TAP version 13\n1..5\nok 1 - a.one\n")
    assert done.exit_code == 1
    assert failing("c", "--tap", "-", "--json").exit_code == 2


def test_unsupported_cases_are_skipped_in_tap(five: Path, tmp_path: Path) -> None:
    program = (
        "import json\nwhile True: print(json.dumps({'id': json.loads(input())['id'], 'unsupported': True}))"
    )
    command = shlex.join([sys.executable, "-u", "-c", program])
    done = call("vectors", "run", "--impl", command, "--tap", "-", "--case", "c", str(five))
    assert done.stdout == "TAP version 13\n1..1\nok 1 - c # SKIP unsupported\n"


# What a failure says


@cache
def suite() -> tuple[Case, ...]:
    return tuple(load_suite())


def suite_case(name: str) -> Case:
    return next(one for one in suite() if one.name == name)


def failed(name: str, **output: Any) -> CaseResult:
    result = compare(suite_case(name), output)
    assert result.outcome is Outcome.FAILED
    return result


def test_a_failure_says_first_what_the_case_is_about(failing: Callable[..., Result], tmp_path: Path) -> None:
    why = "A long note that says why the case exists. " * 4
    write(tmp_path / "v.json", case("a.one", notes=why, spec="https://example.org/#x", rule="4.1"))
    lines = failing("a.one").stdout.splitlines()
    at = lines.index("FAILED a.one: canonical_json, room version 11")
    assert " ".join(" ".join(lines[at + 1 : at + 4]).split()) == why.strip()
    assert lines[at + 4 : at + 9] == [
        "  rule 4.1: https://example.org/#x",
        '  expected {"canonical": "\\"a.one\\""}',
        '  got      {"canonical": "wrong"}',
        "",
        "--diff shows how each output differs",
    ]


def test_what_a_run_prints_fits_80_columns(failing: Callable[..., Result], tmp_path: Path) -> None:
    cases = [
        case("x" * 60 + str(version), room_version=str(version), notes="why " * 60, spec="https://x.org/")
        for version in range(1, 13)
    ]
    many = [
        case(f"many.{number}.v{version}", room_version=str(version), expected={"canonical": "y " * 3000})
        for version in range(1, 13)
        for number in range(100)
    ]
    file = write(tmp_path / "v.json", *cases, *many, case("z"))
    for options in ([], ["--diff"]):
        done = call("vectors", "run", *options, str(file))
        lines = done.stdout.splitlines()
        # A call is left whole, to be copied.
        assert [line for line in lines if len(line) > 80 and not line.startswith("  see: ")] == []
    for version in range(1, 13):
        assert f"v{version}" in done.stdout.split("FAILED")[0]


@pytest.mark.parametrize("operations", [("redact",), ("redact", "auth", "redaction_applies")])
def test_the_table_of_the_suite_fits_80_columns(operations: tuple[str, ...]) -> None:
    chosen = [word for one in operations for word in ("--operation", one)]
    lines = call("vectors", "run", *chosen).stdout.splitlines()
    assert [line for line in lines if len(line.rstrip()) > 80] == []
    heads = [line for line in lines if line.startswith(" operation")]
    assert heads[0].split()[1:] == [f"v{version}" for version in range(1, 13)], "one table is enough"


def diff(result: CaseResult) -> list[str]:
    return list(difference_lines(result))


def test_the_difference_of_states_names_events_as_show_does() -> None:
    name = "resolve.topic_against_ban.v11"
    expected: Any = suite_case(name).expected[0].outcome["state"]
    shown = call("vectors", "show", name).stdout
    numbers = {event: number for number, event in re.findall(r"^ +(\d+)  (\$\S+)$", shown, re.MULTILINE)}
    events: Any = suite_case(name).input["events"]
    other = next(event for event in events if event not in expected)
    lines = diff(failed(name, state=sorted({*expected[1:], other})))
    assert lines[0] == "state: 1 entry is missing, 1 entry is wrong"
    assert lines[1].startswith(f"  - [{numbers[expected[0]]}] {events[expected[0]]['type']} ")
    assert lines[2].startswith(f"  + [{numbers[other]}] {events[other]['type']} ")
    assert len(lines) == 3
    (line,) = diff(failed(name, state=expected[::-1]))
    assert line == "state: the entries are right, but not in the expected order, which is sorted"


def test_the_difference_of_orders_shows_both() -> None:
    name, orders = next(
        (one.name, one.expected[0].outcome)
        for one in suite()
        if len(one.expected[0].outcome.get("power_order", ())) > 2  # type: ignore[arg-type] # a list
    )
    output: Any = {**orders}
    output["power_order"] = output["power_order"][::-1]
    first, *rest = diff(failed(name, **output))
    assert first == "power_order: the entries are right, in another order"
    assert [line.split()[0] for line in rest] == ["expected", "got"]
    assert rest[0].split()[1:] == rest[1].split()[:0:-1]


def test_the_difference_of_events_names_each_path() -> None:
    case = next(one for one in suite() if one.operation == "redact" and one.room_version == "11")
    event: Any = dict(case.expected[0].outcome["event"])  # type: ignore[arg-type] # an object
    del event["type"]
    event["depth"] = 1.0
    event["more"] = "x"
    lines = diff(compare(case, {"event": event}))
    assert "event.type: missing, expected " + json.dumps(case.expected[0].outcome["event"]["type"]) in lines  # type: ignore[call-overload,index] # an object
    assert any(re.fullmatch(r"event\.depth: expected \d+, got 1\.0", line) for line in lines)
    assert 'event.more: not expected, got "x"' in lines
    assert len(lines) == 3


def test_the_difference_of_texts_shows_where_they_part() -> None:
    one = Case("x", "canonical_json", "11", {"json": "1"}, (Expectation({"canonical": "a" * 500 + "bc"}),))
    lines = diff(compare(one, {"canonical": "a" * 500 + "dc"}))
    assert lines == [
        "canonical: the texts differ from character 501 on",
        f"  expected …{'a' * 20}bc",
        f"  got      …{'a' * 20}dc",
    ]
    assert diff(compare(one, {"canonical": "a" * 500}))[0] == (
        "canonical: 2 characters are missing at the end"
    )


@pytest.mark.parametrize(
    ("expected", "output", "line"),
    [
        ({"allowed": True}, {"allowed": False}, "allowed: expected true, got false"),
        ({"allowed": True}, {}, "allowed: missing, expected true"),
        (
            {"allowed": True},
            {"error": "oh", "message": "no"},
            'expected {"allowed": true}, got the error oh: no',
        ),
        ({"error": True}, {"allowed": True}, 'expected an error, got {"allowed": true}'),
        ({"error": "ah"}, {"error": "oh"}, "expected the error ah, got the error oh"),
        ({"allowed": True}, {"allowed": 1}, "allowed: expected true, got 1"),
        (
            {"rejected": {"$a": True, "$b": "4.1", "$c": "5"}},
            {"rejected": {"$d": "1", "$b": "4.2", "$c": "5"}},
            'rejected["$a"]: missing, expected any rule|rejected["$b"]: expected "4.1", got "4.2"'
            '|rejected["$d"]: not expected, got "1"',
        ),
        ({"keys": [["a", ""], ["b", ""]]}, {"keys": [["a", ""]]}, 'keys: 1 entry is missing|  - ["b", ""]'),
        ({"servers": ["a"]}, {"servers": {}}, 'servers: expected ["a"], got {}'),
        (
            {"servers": ["a", "a"]},
            {"servers": ["a"]},
            'servers: 1 entry is missing|  - "a"',
        ),
    ],
)  # fmt: skip
def test_differences(expected: Any, output: Any, line: str) -> None:
    one = Case("x", "auth", "11", {"events": {}}, (Expectation(expected),))
    assert diff(compare(one, output)) == line.split("|")


def test_the_difference_of_a_disputed_case_is_shown_for_each_outcome() -> None:
    accepted = (Expectation({"canonical": "1"}, "we"), Expectation({"error": True}, "they"))
    one = Case("x", "canonical_json", "11", {"json": "1"}, accepted)
    assert diff(compare(one, {"canonical": "2"})) == [
        "from outcome 1 of 2, we:",
        "  canonical: the texts differ from character 1 on",
        "    expected 1",
        "    got      2",
        "from outcome 2 of 2, they:",
        '  expected an error, got {"canonical": "2"}',
    ]


def test_a_long_difference_is_cut() -> None:
    one = Case("x", "redact", "11", {"event": {}}, (Expectation({"event": {}}),))
    lines = diff(compare(one, {"event": {str(number): 1 for number in range(100)}}))
    assert len(lines) == 21
    assert lines[-1] == "and 80 more differences"


def test_the_event_in_question_is_named() -> None:
    case = next(one for one in suite() if one.operation == "auth" and one.rule)
    allowed = case.expected[0].outcome["allowed"]
    lines = list(failure_lines(compare(case, {"allowed": not allowed}), diff=True, paths=()))
    events: Any = case.input["events"]
    event: Any = events[case.input["event"]]
    (line,) = [line for line in lines if line.startswith("  the event: [")]
    assert f"] {event['type']} " in line


def test_the_command_that_shows_a_case_can_be_copied(failing: Callable[..., Result], five: Path) -> None:
    done = failing("a.two", "--diff")
    (command,) = re.findall(r"^  see: (roomver .*)$", done.stdout, re.MULTILINE)
    assert shlex.split(command) == ["roomver", "vectors", "show", "a.two", str(five)]
    assert call(*shlex.split(command)[1:]).exit_code == 0
    assert "  canonical: expected" in done.stdout or "  canonical: the texts differ" in done.stdout


def test_any_wrong_output_can_be_compared() -> None:
    for case in suite()[::23]:
        outcome = case.expected[0].outcome
        wrongs: list[Any] = [{}, {"error": "x"}]
        values: list[Any] = [[], {"a": [1.5, None]}]
        wrongs += [{key: value for key in outcome} for value in values]  # noqa: C420 - one object for each
        for wrong in wrongs:
            result = compare(case, {**wrong})
            if result.outcome is Outcome.FAILED:
                assert diff(result)
                assert [line for line in failure_lines(result, diff=True, paths=()) if "\x1b" in line] == []
