"""``roomver vectors run`` with a program that is broken, and a run that ends early."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result
from command_line import run as call

from roomver.suite.document import FORMAT


def case(name: str, text: str = "1", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "operation": "canonical_json",
        "room_version": "11",
        "input": {"json": text},
        "expected": {"canonical": text},
        **more,
    }


def write(file: Path, *cases: dict[str, Any]) -> Path:
    file.write_text(json.dumps({"format": FORMAT, "title": "Made up", "cases": cases}))
    return file


def many(file: Path, number: int = 30) -> Path:
    return write(file, *(case(f"c{at:02}", str(at), notes=f"Why {at}") for at in range(number)))


GOOD = "print(json.dumps({'id': request['id'], 'output': {'canonical': text}}), flush=True)"


def program(tmp_path: Path, body: str) -> str:
    """Return the command of a program that runs `body` for each request."""
    file = tmp_path / "program.py"
    file.write_text(
        "import json, os, pathlib, sys, time\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n"
        "    text = request['input']['json']\n" + "".join(f"    {line}\n" for line in body.splitlines())
    )
    return shlex.join([sys.executable, str(file)])


def run(command: str, *arguments: object) -> Result:
    return call("vectors", "run", "--impl", command, "--name", "mine", *map(str, arguments))


# A program that never gives a valid answer


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_run_gives_up_on_a_program_that_never_answers(tmp_path: Path, jobs: str) -> None:
    command = program(tmp_path, "print('thread main panicked', file=sys.stderr); sys.exit(3)")
    done = run(command, "--jobs", jobs, many(tmp_path / "v.json"))
    assert done.exit_code == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1] == (
        "mine: 10 cases, 0 passed, 10 failed; stopped, because no case had a valid answer,"
        " 20 cases were not run"
    )
    assert "The program has not given a valid answer: 10 requests, which ended like this:" in lines
    assert "  10: died with exit code 3" in lines
    assert "  | thread main panicked" in lines
    file = shlex.quote(str(tmp_path / "v.json"))
    assert f"  roomver vectors show c00 --request {file} | {command}" in lines
    assert len(lines) < 60
    assert "expected" not in done.stdout


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("continue", "Does it flush its output after each answer"),
        ("print('reading ...', flush=True)", "Does it print anything but answers to standard output?"),
        ("sys.exit(0)", "Does it start at all?"),
        ("sys.exit('ReferenceError: require is not defined in ES module scope')", "CommonJS module"),
    ],
)
def test_the_advice_depends_on_how_the_requests_ended(tmp_path: Path, body: str, hint: str) -> None:
    done = run(program(tmp_path, body), "--timeout", "0.5", many(tmp_path / "v.json", 2))
    assert hint in done.stdout
    hints = [line for line in done.stdout.splitlines() if line.startswith("- ")]
    assert len(hints) == (3 if "flush" in hint or "CommonJS" in hint else 2)


@pytest.mark.parametrize("answer", [GOOD, "print(json.dumps({'id': request['id'], 'unsupported': True}))"])
def test_a_program_that_has_answered_once_is_not_given_up(tmp_path: Path, answer: str) -> None:
    body = f"if text == '9':\n    {answer}\n    sys.stdout.flush()\nelse: sys.exit(3)"
    done = run(program(tmp_path, body), many(tmp_path / "v.json"), "--json")
    assert len(json.loads(done.stdout)["cases"]) == 30


def test_a_run_that_gave_up_does_not_write_known_failures(tmp_path: Path) -> None:
    known = tmp_path / "known.txt"
    known.write_text("c00\nelsewhere\n")
    arguments = ("--known-failures", known, "--write-known-failures", "--tap", tmp_path / "tap")
    done = run(program(tmp_path, "sys.exit(3)"), *arguments, many(tmp_path / "v.json"))
    assert (done.exit_code, known.read_text()) == (1, "c00\nelsewhere\n")
    assert "Bail out! stopped, because no case had a valid answer" in (tmp_path / "tap").read_text()


# Standard error


def test_the_end_of_standard_error_is_printed_with_the_case(tmp_path: Path) -> None:
    body = (
        f"for at in range(40): print(text, 'line', at, '\\x1b[31m', file=sys.stderr)\n"
        f"sys.stderr.flush()\nif text == '1': sys.exit(2)\n{GOOD}"
    )
    junit, tap = tmp_path / "junit.xml", tmp_path / "run.tap"
    files = ("--junit", junit, "--tap", tap)
    done = run(program(tmp_path, body), *files, many(tmp_path / "v.json", 3))
    assert done.stderr == ""
    shown = [line for line in done.stdout.splitlines() if line.startswith("  | ")]
    assert shown == [f"  | 1 line {at} \\u001b[31m" for at in range(20, 40)]
    (failure,) = ET.parse(junit).getroot().iter("failure")
    assert "standard error:\n| 1 line 20 \\u001b[31m\n" in str(failure.text)
    assert "expected" not in str(failure.text)
    (line,) = [line for line in tap.read_text(encoding="ascii").splitlines() if line.startswith("  stderr: ")]
    assert json.loads(line.removeprefix("  stderr: "))[0] == "1 line 20 \x1b[31m"


def test_standard_error_is_bounded_and_printed_once(tmp_path: Path) -> None:
    body = "sys.stderr.write('x' * 10**6 + '\\nlast\\n'); sys.exit(2)"
    done = run(program(tmp_path, body), many(tmp_path / "v.json", 2))
    assert [line for line in done.stdout.splitlines() if line.startswith("  | ")] == ["  | last"]
    assert "  standard error: as above" in done.stdout


def test_standard_error_can_be_passed_through(tmp_path: Path) -> None:
    command = program(tmp_path, f"print('told', text, file=sys.stderr)\nif text == '1': sys.exit(2)\n{GOOD}")
    file = many(tmp_path / "v.json", 2)
    options = ["vectors", "run", "--impl", command, str(file)]
    started = [sys.executable, "-m", "roomver", *options]
    for more, told in (([], ""), (["--show-stderr"], "told 0\ntold 1\n")):
        done = subprocess.run([*started, *more], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, told)
        assert ("  | told 1" in done.stdout) is not bool(told)


# How a request ended


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit(0)", "ended without an answer (exit code 0)"),
        ("sys.exit(4)", "died with exit code 4"),
        pytest.param(
            "os.kill(os.getpid(), 11)",
            "died of signal 11 (SIGSEGV)",
            marks=pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX"),
        ),
        ("sys.stdin.close(); os.close(1); time.sleep(60)", "closed its output"),
    ],
)
def test_how_a_program_ended_is_said(tmp_path: Path, body: str, reason: str) -> None:
    done = run(program(tmp_path, body), write(tmp_path / "v.json", case("a")), "--json")
    assert [entry["reason"] for entry in json.loads(done.stdout)["cases"]] == [reason]


@pytest.mark.parametrize(
    ("length", "rest"),
    [
        (1_000, ""),
        (20_000, "; the request has 20,082 bytes"),
        (65_536, "; the request has 65,618 bytes: does the program read such long lines? Go's"),
    ],
)
def test_the_length_of_a_long_request_without_an_answer_is_said(
    tmp_path: Path, length: int, rest: str
) -> None:
    file = write(tmp_path / "v.json", case("a", '"' + "x" * length + '"'))
    done = run(program(tmp_path, "sys.exit(0)"), file, "--json")
    (entry,) = json.loads(done.stdout)["cases"]
    told = "ended without an answer (exit code 0)" + rest
    assert entry["reason"].startswith(told)
    assert (entry["reason"] == told) is ("Go's" not in rest)


# A run that stops early


@pytest.mark.parametrize("more", [(), ("--jobs", "1")])
def test_no_request_is_sent_after_the_first_failure(tmp_path: Path, more: tuple[str, ...]) -> None:
    asked = tmp_path / "asked"
    body = f"pathlib.Path({str(asked)!r}).open('a').write(text + '\\n')\nif text == '1': sys.exit(2)\n{GOOD}"
    done = run(program(tmp_path, body), "-x", *more, many(tmp_path / "v.json"))
    assert done.exit_code == 1
    assert asked.read_text() == "0\n1\n"


@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
def test_an_interrupted_run_prints_what_it_has(tmp_path: Path) -> None:
    known, mark = tmp_path / "known.txt", tmp_path / "mark"
    known.write_text("elsewhere\n")
    body = (
        f"if text == '2':\n    pathlib.Path({str(mark)!r}).touch()\n    time.sleep(60)\n"
        f"if text == '1': text = 'wrong'\n{GOOD}"
    )
    command = program(tmp_path, body)
    arguments = ["--known-failures", str(known), "--write-known-failures", "--timeout", "60"]
    options = ["vectors", "run", "--impl", command, "--name", "mine", *arguments]
    started = subprocess.Popen(
        [sys.executable, "-m", "roomver", *options, str(many(tmp_path / "v.json"))],
        stdout=subprocess.PIPE,
        text=True,
    )
    _wait_for(mark.exists)
    time.sleep(0.2)
    started.send_signal(signal.SIGINT)
    output, _ = started.communicate(timeout=20)
    assert started.returncode == 130
    lines = output.splitlines()
    assert "FAILED c01: canonical_json, room version 11" in lines
    assert lines[-1] == "mine: 2 cases, 1 passed, 1 failed; interrupted, 28 cases were not run"
    assert known.read_text() == "elsewhere\n"


def _wait_for(done: Callable[[], bool]) -> None:
    for _ in range(400):
        if done():
            return
        time.sleep(0.05)
    pytest.fail("the program was not started in time")


def test_an_interrupt_in_process_ends_with_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("roomver.cli.vectors.run.run_case", stop)
    done = call("vectors", "run", str(many(tmp_path / "v.json", 2)))
    assert done.exit_code == 130
    assert done.stdout.splitlines()[-1].endswith("0 cases, 0 passed; interrupted, 2 cases were not run")
