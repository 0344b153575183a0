"""Calls of `roomver check --rooms`, and what they wrote."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from command_line import run
from schemas import validator

from roomver import __version__
from roomver.cli.all_rooms.find import find_rooms
from roomver.cli.all_rooms.worker import Order, Setup, check_order
from roomver.cli.one_room import Checks
from roomver.keys import KeyRing

VECTORS = Path(__file__).parents[2] / "vectors" / "rooms"
LINE = validator("check-rooms-line")
SUMMARY = validator("check-rooms")


def lines_of(path: str | Path) -> list[dict[str, Any]]:
    """Return the results in a file, each valid by the schema, without the header."""
    header, *answers = map(json.loads, Path(path).read_text("ascii").splitlines())
    for one in (header, *answers):
        LINE.validate(one)
    assert "format" in header
    return answers


def by_room(answers: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return results by source and room, without what differs between two runs."""
    found = {f"{one['source']} {one['room_id']}": one | {"seconds": 0} for one in answers}
    assert len(found) == len(answers), "a room has two results"
    return found


def summary(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Return what `roomver check --rooms --json` prints, valid by the schema."""
    result = run("check", "--rooms", "--json", *arguments)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    SUMMARY.validate(found)
    return found


def setup(version: str = __version__, options: str = "", **checks: Any) -> bytes:
    """Return what is the same for all rooms of a run, as it travels."""
    how = Checks(**{"keys": KeyRing(), "hidden": True, **checks})
    return pickle.dumps(Setup(version, how, immutable=False, options=options))


def checked(*sources: str, more: tuple[str, ...] = (), **checks: Any) -> list[dict[str, Any]]:
    """Check all rooms of sources as the workers do, but in this process."""
    same = setup(options="".join(f" --also {one}" for one in more), **checks)
    answers = []
    for one in find_rooms(sources, more, immutable=False):
        order = Order(same, (one.source, *more), one.room_id, one.events)
        answer = check_order(pickle.loads(pickle.dumps(order)))
        assert isinstance(answer, dict)
        answers.append(answer)
    return answers


def started(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """Start `roomver check --rooms` in a group of processes of its own, as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-m", "roomver", "check", "--rooms", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "COLUMNS": "80"},
        **options,
    )
