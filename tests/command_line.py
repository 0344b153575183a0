"""The command line in this process, and files for it to read."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from builder import ALICE, BOB, Room, public_key
from click.testing import CliRunner, Result

from roomver import Event
from roomver.cli import main

KEYS = {server: {"ed25519:1": {"key": public_key(server)}} for server in ("a.example", "b.example")}

CASES = Path(__file__).parent / "data" / "cases"

Write = Callable[..., str]
"""Write a file and return its path: the type of the fixture `write`."""


def write_into(folder: Path) -> Write:
    """Return a function that writes files: bytes as they are, a list as JSON Lines, other values as JSON."""

    def write_file(name: str, content: Any) -> str:
        if isinstance(content, list):
            content = "".join(json.dumps(value) + "\n" for value in content)
        elif not isinstance(content, bytes | str):
            content = json.dumps(content)
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write_file


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def only_resets(*arguments: str) -> bool:
    """Tell whether `roomver check` finds nothing but state resets, and its exit code says just that."""
    result = run("check", *arguments, "--json")
    (report,) = json.loads(result.stdout)["files"]
    unintended = any(one["class"] == "unintended" for one in report["room"]["resets"])
    return not report["summary"]["bad"] and result.exit_code == (1 if unintended else 0)


def header(version: str = "11", **more: Any) -> dict[str, Any]:
    """Return a header of a recording. Its keys are a copy of its own, for a test may change them."""
    return {"format": "roomver-room/1", "room_version": version, "keys": deepcopy(KEYS), **more}


def entries(built: Room) -> list[dict[str, Any]]:
    """Return the lines of a recording of a room, without its header."""
    return [{"event_id": event.event_id, "pdu": event.pdu} for event in built.events.values()]


def public_room(version: str = "11") -> Room:
    """Return Alice's public room, with Bob in it."""
    built = Room(version)
    built.join(ALICE)
    built.power({"users": {} if version == "12" else {ALICE: 100}})
    built.join_rule("public")
    built.join(BOB)
    return built


def case(name: str) -> str:
    """Return the path of a reported input."""
    return str(CASES / name)


def report(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Return what ``check --json`` says about one file. As text, ``check`` has the same exit code."""
    result = run("check", "--json", *arguments)
    assert (result.exit_code, run("check", *arguments).exit_code) == (code, code), result.output
    (found,) = json.loads(result.stdout)["files"]
    assert isinstance(found, dict)
    return found


def kinds(found: dict[str, Any]) -> dict[str, list[str]]:
    """Return event ID to the kinds of its findings."""
    return {event["event_id"]: [one["kind"] for one in event["findings"]] for event in found["events"]}


def ban_beside_a_message() -> tuple[Room, Event, Event, Event]:
    """Make a room with a ban of BOB, a message after it, and a message of BOB beside both."""
    built = public_room()
    fork, base = dict(built.state), built.last
    assert base is not None
    ban = built.member(BOB, "ban", by=ALICE)
    after = built.add("m.room.message", ALICE, {"body": "y"})
    built.state = fork
    return built, ban, after, built.add("m.room.message", BOB, {"body": "x"}, prev=[base])
