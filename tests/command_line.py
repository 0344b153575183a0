"""The command line in this process, and files for it to read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builder import Room, public_key
from click.testing import CliRunner, Result

from roomver.cli import main

KEYS = {server: {"ed25519:1": {"key": public_key(server)}} for server in ("a.example", "b.example")}

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


def header(version: str = "11", **more: Any) -> dict[str, Any]:
    return {"format": "roomver-room/1", "room_version": version, "keys": KEYS, **more}


def entries(built: Room) -> list[dict[str, Any]]:
    """Return the lines of a recording of a room, without its header."""
    return [{"event_id": event.event_id, "pdu": event.pdu} for event in built.events.values()]
