"""``roomver graph``: what it draws of made-up and recorded rooms, in each form."""

import re

import pytest
from builder import ALICE, BOB, Room
from command_line import CASES, Write, entries, header, public_room, run
from rich.cells import cell_len

from roomver.explain.drawing import LONG

RESET = str(CASES / "m_16629_reset.jsonl")
SOFT = str(CASES / "f4_soft_fail.jsonl")


def forked(version: str = "11") -> Room:
    """A room with a fork, a merge, a rejected event and a run that is folded."""
    built = public_room(version)
    for number in range(LONG + 2):
        built.add("m.room.message", BOB, {"body": str(number)})
    fork = built.last
    left = built.add("m.room.topic", ALICE, {"topic": "left"}, state_key="", prev=[fork])
    right = built.add("m.room.name", ALICE, {"name": "right"}, state_key="", prev=[fork])
    built.add("m.room.name", BOB, {"name": "no"}, state_key="", prev=[fork])
    built.add("m.room.message", BOB, {"body": "both"}, prev=[left, right])
    return built


@pytest.fixture
def file(write: Write) -> str:
    return write("room.jsonl", [header(), *entries(forked())])


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def drawn(*arguments: str) -> list[str]:
    result = run("graph", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.usefixtures("narrow")
def test_a_room_is_drawn(file: str) -> None:
    built = forked()
    lines = drawn(file)
    assert re.fullmatch(rf"{built.room_id} \(version 11\): \d+ events", lines[0])
    assert lines[1] == "1 fork, 1 merge, 1 forward extremity; 1 rejected"
    shapes = [re.sub(r" \$\S+ \S+ \S+", "", line) for line in lines[2:]]
    assert (
        shapes
        == [
            '* @bob:b.example: message "both"',
            "├─╮",
            '│ │ x rejected: @bob:b.example: room name "no"',
            '* │ │ @alice:a.example: room name "right"',
            '│ * │ @alice:a.example: topic "left"',
            "├─┴─╯",
            '* @bob:b.example: message "9"',
            shapes[7],
            "* @alice:a.example: creation of the room",
            "x rejected, : several events",
            "Folded events: --all, or --around EVENT",
            f"One event: roomver explain {file} 'EVENT'",
        ]
        or shapes
    )
    assert all(cell_len(line) <= 80 for line in lines[:-1])
