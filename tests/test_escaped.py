"""Text from input is escaped for the form of output that shows it."""

import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, Room
from command_line import Write, entries, header, run, write_into

from roomver import encode_canonical
from roomver.cli.escaped import html_text, json_text, markdown_code, markdown_text, printable

# A title of the window, a link of the terminal, the C1 form of both, bidi controls, invisible characters.
HOSTILE = (
    "\x1b]0;owned\x07 \x1b]8;;http://e.example\x1b\\x \x9d0;y\x9c \u202eabc\u2066 a\u200bb\u2060\ufeff\u200d"
    " \u3164\u115f\u034f\ufe0f\U000e0101\U000e0041 \r\n\u2028\x85\x7f <script>alert(1)</script>"
    " `` ` [a](b) | *c*"
)
SAFE = re.compile(
    "[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u3164\u115f\u034f\ufe0f\U000e0000-\U000e0fff]*"
)


@pytest.fixture
def write(tmp_path: Any) -> Write:
    return write_into(tmp_path)


def is_safe(text: str) -> bool:
    return SAFE.fullmatch(text.replace("\n", "")) is not None


@pytest.mark.parametrize("form", [printable, markdown_text, markdown_code, html_text])
def test_no_form_shows_a_control_or_invisible_character(form: Any) -> None:
    assert not is_safe(HOSTILE)
    shown = form(HOSTILE)
    assert is_safe(shown)
    assert "\n" not in shown
    assert all(f"u{ord(c):04x}" in shown for c in "\x1b\u202e\u200b\u3164\x9d")


def test_letters_and_marks_that_show_are_kept() -> None:
    text = "é漢😀 שלום नमस्ते ก็ e\u0301"
    assert printable(text) == html_text(text) == markdown_text(text) == text


def test_json_keeps_its_value_when_it_is_shown() -> None:
    text = json.dumps({"a": HOSTILE, "b": "é😀"}, ensure_ascii=False)
    shown = json_text(text)
    assert is_safe(shown)
    assert json.loads(shown) == json.loads(text)
    assert "é😀" in shown


def test_markdown_has_no_markup_of_the_input() -> None:
    assert markdown_text("<b> [a](b) `c` *d* _e_ www.f.example http://g @h a|b \\") == (
        r"\<b\> \[a\](b) \`c\` \*d\* \_e\_ www\.f.example http\://g \@h a\|b \\"
    )


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a", "`a`"),
        ("a `b` c", "`` a `b` c ``"),
        ("``", "``` `` ```"),
        ("`a", "`` `a ``"),
        ("", "`   `"),
        (" ", "`   `"),
    ],
)
def test_a_code_span_cannot_be_left(text: str, span: str) -> None:
    assert markdown_code(text) == span


def vectors(**more: Any) -> dict[str, Any]:
    case = {
        "name": "redact.odd.v11",
        "operation": "redact",
        "room_version": "11",
        "input": {"event": {"type": HOSTILE, HOSTILE: 1}},
        "expected": [
            {"outcome": {"event": {HOSTILE: HOSTILE}}, "reason": HOSTILE},
            {"outcome": {"event": {}}, "reason": HOSTILE},
        ],
        **dict.fromkeys(("notes", "rule", "spec"), HOSTILE),
        **more,
    }
    return {"format": "roomver-vectors/1", "title": HOSTILE, "cases": [case]}


@pytest.mark.parametrize("arguments", [("run",), ("list",), ("show", "redact.odd.v11"), ("show", HOSTILE)])
def test_vectors_are_shown_safely(arguments: tuple[str, ...], write: Write) -> None:
    result = run("vectors", *arguments, write("odd.json", vectors()))
    assert result.stdout + result.stderr
    assert is_safe(result.stdout + result.stderr)
    assert "title" not in result.stderr


@pytest.mark.parametrize(
    "more", [{HOSTILE: 1}, {"name": HOSTILE}, {"operation": HOSTILE}, {"input": {"event": {}, HOSTILE: 1}}]
)
def test_errors_of_vectors_are_shown_safely(more: dict[str, Any], write: Write) -> None:
    result = run("vectors", "run", write("odd.json", vectors(**more)))
    assert result.exit_code == 2
    assert "u001b" in result.stderr
    assert is_safe(result.stdout + result.stderr)


def test_what_a_program_answers_is_shown_safely(write: Write) -> None:
    program = write("program.py", f"print({HOSTILE!r})")
    result = run("vectors", "run", write("odd.json", vectors()), "--impl", f"{sys.executable} {program}")
    assert "is not JSON" in result.stdout
    assert is_safe(result.stdout + result.stderr)


def test_a_report_is_safe_in_both_forms(write: Write, tmp_path: Path) -> None:
    case = {"operation": HOSTILE, "room_version": HOSTILE, "name": HOSTILE, "outcome": "failed"}
    cases = [{**case, "reason": HOSTILE}, {**case, "expected": {"a": "``"}, "got": {HOSTILE: HOSTILE}}]
    document = {"format": "roomver-results/1", "implementation": HOSTILE, "cases": cases}
    page = tmp_path / "page.html"
    file = write("results.json", document)
    markdown = run("vectors", "report", file).stdout
    assert is_safe(markdown)
    outside = re.sub(r"(`+)[^`].*?[^`]\1", "", re.sub(r"\\.", "", markdown))
    assert "`" not in outside
    assert "<" not in outside
    assert "](" not in outside
    assert run("vectors", "report", file, "--html", str(page)).exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert is_safe(html)
    assert "<script" not in html
    assert "<script>" in unescape(html)


def hostile_room(version: str) -> list[dict[str, Any]]:
    """A room of versions 1 or 2, in which an event cites IDs that a sender chose, and which are missing."""
    built = Room(version)
    built.join(ALICE)
    references = {name: [[f"${name} {HOSTILE}", {}]] for name in ("auth_events", "prev_events")}
    fields: dict[str, Any] = {**references, "event_id": "$\x1b]0;owned\x07\u202e\u200b:a.example"}
    built.add("m.room.topic", ALICE, {"topic": HOSTILE}, state_key="", **fields)
    return [header(version), *entries(built)]


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "--json"),
        ("state",),
        ("state", "--at"),
        ("resolve",),
        ("resolve", "--at"),
        ("auth",),
    ],
    ids=" ".join,
)
def test_commands_show_the_ids_of_missing_events_safely(
    arguments: tuple[str, ...], version: str, write: Write
) -> None:
    lines = hostile_room(version)
    last = str(lines[-1]["event_id"])
    command, *rest = arguments
    given = [write("room.jsonl", lines)]
    given += ["--at", last] if rest == ["--at"] else rest
    if command == "auth":
        given = [last, "--room", *given]
    result = run(command, "--unsigned", *given)
    assert result.exit_code in (0, 1, 2, 3)
    assert result.stdout + result.stderr
    assert is_safe(result.stdout + result.stderr)


def test_a_name_of_a_file_is_shown_safely(tmp_path: Path) -> None:
    name = str(tmp_path / "a\x1b]0;b\u202e")
    for arguments in (
        ("check", name),
        ("vectors", "run", name),
        ("vectors", "export", name, name),
        ("state", f"--{name}"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert re.search(r"\\x1b|\\u001b", result.stderr)
        assert is_safe(result.stderr)


@pytest.mark.skipif(os.name != "posix", reason="opens a terminal of its own")
def test_canonical_json_is_escaped_on_a_terminal_only(write: Write) -> None:
    value = {"a": "\x9b2J\u202e é", "b": "\x7f\U000e0041"}
    file = write("value.json", json.dumps(value))
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "roomver", "canonical", file]
    done = subprocess.run(command, stdout=terminal, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(terminal)
    shown = os.read(controller, 10_000).decode()
    os.close(controller)
    assert (done.returncode, done.stderr) == (0, b"")
    assert is_safe(shown.replace("\r", ""))
    assert "é" in shown
    assert json.loads(shown) == value
    assert run("canonical", file).stdout_bytes == encode_canonical(value) + b"\n"
