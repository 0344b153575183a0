"""The answer of a command comes first. What was left out or not checked on the way is said after it."""

from pathlib import Path

import pytest
from builder import ALICE, BOB
from command_line import KEYS, Write, entries, header, public_room, run

# Each command that answers a question about a room, with a part of its answer.
QUESTIONS = {
    "explain ROOM EVENT": "was accepted",
    "auth --room ROOM EVENT": "against its auth events",
    "state ROOM": "m.room.create",
    "resolve ROOM": "resolved state",
    "history ROOM m.room.topic": "the topic",
    "may ROOM @bob:b.example join": "may join",
    "graph ROOM": "the topic",
    "resets ROOM": "reset",
    "compare ROOM ROOM": "agree",
    "repair ROOM": "entries",
    "keys ROOM": "a.example",
}


@pytest.fixture
def room(write: Write) -> tuple[str, str]:
    """Return a room without the keys of its servers and with an event that is dropped, and its topic."""
    built = public_room()
    topic = built.add("m.room.topic", ALICE, {"topic": "the topic"}, state_key="")
    lines = entries(built)
    bad = built.add("m.room.message", BOB, {"body": "x"})
    lines.append({"event_id": bad.event_id, "pdu": {**bad.pdu, "depth": "x"}})
    return write("room.jsonl", [{**header(), "keys": {}}, *lines]), topic.event_id


@pytest.mark.parametrize("call", QUESTIONS)
def test_notes_follow_the_answer(call: str, room: tuple[str, str]) -> None:
    words = {"ROOM": room[0], "EVENT": room[1]}
    result = run(*(words.get(word, word) for word in call.split()))
    assert QUESTIONS[call] in result.stdout
    # `output` has both streams in the order in which they were written.
    assert result.output.startswith(result.stdout)
    notes = result.output.removeprefix(result.stdout)
    assert "1 event is left out" in notes
    assert "the signatures of 6 events could not be checked" in notes


def test_notes_follow_the_message_that_there_is_no_answer(room: tuple[str, str]) -> None:
    told = run("explain", room[0], "$nothing").stderr
    assert "no event ID is or starts with $nothing" in told.splitlines()[0]
    assert "1 event is left out" in told
    assert "could not be checked" not in told  # it is about an answer


def test_a_cached_room_has_its_notes_after_the_answer(room: tuple[str, str], tmp_path: Path) -> None:
    call = ("explain", room[0], room[1], "--cache", str(tmp_path / "kept"))
    first, again = run(*call), run(*call)
    assert again.output == first.output
    assert "1 event is left out" in again.output.removeprefix(again.stdout)


def test_a_wrong_call_has_no_notes(room: tuple[str, str]) -> None:
    told = run("may", room[0], ALICE, "nonsense").stderr
    assert "is not an action" in told
    assert "could not be checked" not in told


def test_a_report_of_check_ends_with_the_verdict(room: tuple[str, str], write: Write) -> None:
    odd = write("keys.json", {**KEYS, "c.example": {"ed25519:1": {"key": "?"}}})
    result = run("check", room[0], "--keys", odd)
    assert "not used" in result.stderr
    assert result.output.endswith(result.stdout)


def test_a_state_is_printed_before_what_is_unknown_in_it(write: Write) -> None:
    built = public_room()
    state = [event.pdu for event in built.state.values()]
    bad = {**built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="").pdu, "depth": "x"}
    result = run("state", write("answer.json", {"pdus": [*state, bad], "auth_chain": []}))
    assert "known in part" in result.stderr
    assert "m.room.create" in result.stdout
    assert result.output.startswith(result.stdout)
