"""Files without an event: they end soon, in an error that names the first place."""

import gzip
from collections.abc import Callable
from time import process_time

import pytest
from command_line import run

COUNT = 90_000
SEVERAL = "none of its first 10,000 values is an event: "

# By name: the file, and what is said of it.
JUNK: dict[str, tuple[Callable[[], bytes], str]] = {
    "lines": (lambda: b'{"a":1}\n' * COUNT, f"{SEVERAL}line 1: expected an event, found an object"),
    "lines after a header": (
        lambda: b'{"format":"roomver-room/2","room_version":"11"}\n' + b"[]\n" * COUNT,
        f"{SEVERAL}line 2: expected an event, found []",
    ),
    "an array": (
        lambda: b"[" + b'{"a":1},' * 5 * COUNT + b"{}]",
        f"{SEVERAL}[0]: expected an event, found an object",
    ),
    "an array of numbers": (
        lambda: b"[" + b"1," * 5 * COUNT + b"1]",
        f"{SEVERAL}[0]: expected an event, found 1",
    ),
    "a list of PDUs": (
        lambda: b'{"pdus":[' + b'{"a":1},' * 5 * COUNT + b"{}]}",
        f"{SEVERAL}pdus[0]: expected an event, found an object",
    ),
    "documents": (lambda: b'{"a":1}' * COUNT, f"{SEVERAL}line 1: expected an event, found an object"),
    "words after JSON": (lambda: b"{}\n" + b"x\n" * COUNT, f"{SEVERAL}line 1: expected an event, found {{}}"),
    "words": (lambda: b"hello\n" * COUNT, "neither JSON nor JSON Lines"),
    "unknown keys": (
        lambda: b"{" + b",".join(b'"k%d":1' % n for n in range(5 * COUNT)) + b"}",
        "a JSON object that is not an event",
    ),
    "deep arrays": (lambda: b"[" * 10**6, "nested deeper than 10,000 levels"),
    "deep objects": (lambda: b'{"a":' * 10**5, "nested deeper than 10,000 levels"),
    "compressed deep arrays": (lambda: gzip.compress(b"[" * 10**7, 1), "nested deeper than 10,000 levels"),
    "compressed spaces": (lambda: gzip.compress(b" " * 10**7 * 4, 1), "neither JSON nor JSON Lines"),
}


@pytest.mark.parametrize("name", JUNK)
@pytest.mark.parametrize("options", [[], ["--room-version", "11"]])
def test_a_file_without_an_event_ends_soon(name: str, options: list[str]) -> None:
    make, said = JUNK[name]
    data = make()
    begin = process_time()
    result = run("check", "-", "--json", *options, stdin=data)
    assert (result.exit_code, said in result.stdout) == (2, True)
    assert process_time() - begin < 20  # on a slow machine; most end in a second


def test_junk_before_an_event_is_bounded_and_after_it_is_not() -> None:
    event = b'{"type":"m.room.create","state_key":"","content":{"room_version":"11"},"hashes":{}}\n'
    junk = b'{"a":1}\n'
    assert run("check", "-", stdin=junk * 9_999 + event).exit_code == 1
    result = run("check", "-", stdin=junk * 10_000 + event)
    assert (result.exit_code, f"standard input: {SEVERAL}line 1" in result.stderr) == (2, True)
    assert run("check", "-", stdin=event + junk * 10_001).exit_code == 1
