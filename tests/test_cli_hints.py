"""Hints about event IDs that a shell or a person has quoted."""

import pytest
from builder import ALICE
from command_line import Write, entries, header, public_room, run

HINT = "an event ID starts with $: "


@pytest.mark.parametrize("given", ["$gone", "'$gone'", '"$gone"', r"\$gone", "$$gone", "gone", "'gone'"])
def test_a_hint_names_the_id_once_with_one_dollar(given: str, write: Write) -> None:
    room = write("room.jsonl", [header(), *entries(public_room())])
    state = write("state.json", [event.pdu for event in public_room().state.values()])
    commands = [
        ("auth", "--room", room, given),
        ("auth", "--state", state, given),
        ("state", room, "--at", given),
        ("resolve", room, "--at", given),
    ]
    for command in commands:
        result = run(*command)
        assert result.exit_code == 2
        for line in result.stderr.splitlines():
            hint = line.partition(HINT)[2]
            assert hint in ("", "'$gone'"), line
        if command[1] != "--state" and given == "$gone":
            assert HINT not in result.stderr


def test_an_event_id_with_a_state_names_the_option_that_takes_it(write: Write) -> None:
    state = write("state.json", [event.pdu for event in public_room().state.values()])
    for given in ("$gone", "'$gone'"):
        result = run("auth", "--state", state, given)
        assert "with --state, EVENT is a file; --room takes an event ID" in result.stderr


def test_a_quoted_id_is_found_by_the_hint(write: Write) -> None:
    built = public_room()
    message = built.add("m.room.message", ALICE, {"body": "x"})
    room = write("room.jsonl", [header(), *entries(built)])
    quoted = f"'{message.event_id}'"
    for command in (("auth", "--room", room, quoted), ("state", room, "--at", quoted)):
        assert f"{HINT}{quoted}\n" in run(*command).stderr
