"""Homeservers that vectors/recorder/database.py recorded: their databases, and what each server believed."""

import json
import lzma
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import postgres_server

DATA = Path(__file__).parent / "data"
RECORDER = Path(__file__).parents[1] / "vectors" / "recorder" / "database.py"

SQLITE = "sqlite"
POSTGRES = "postgres"
KINDS = (SQLITE, "sqlite-apart", POSTGRES)
"""The kinds of databases whose files are kept. In the second, the state groups are in another database."""


class Recorded(NamedTuple):
    """A recorded homeserver.

    Attributes:
        databases: the path or address of its database; then that of the states, if they are in another one.
        facts: what vectors/recorder/README.md says of homeserver.json.
    """

    databases: list[str]
    facts: dict[str, Any]

    @property
    def main(self) -> str:
        return self.databases[0]

    @property
    def rooms(self) -> dict[str, Any]:
        rooms: dict[str, Any] = self.facts["rooms"]
        return rooms

    @property
    def also(self) -> list[str]:
        """The arguments that go with the main database."""
        return [argument for one in self.databases[1:] for argument in ("--also", one)]

    def room_id(self, name: str) -> str:
        (found,) = (room_id for room_id, room in self.rooms.items() if room["name"] == name)
        return found


def stem_of(kind: str) -> str:
    return "homeserver" if kind == SQLITE else f"homeserver-{kind}"


def facts_of(kind: str, folder: Path = DATA) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / f"{stem_of(kind)}.json").read_text(encoding="utf-8"))
    return facts


def packed(kind: str, folder: Path = DATA) -> list[Path]:
    """Return the files with the databases of a kind, the main one first."""
    ends = ("", "-state") if kind.endswith("-apart") else ("",)
    suffix = ".sql.xz" if kind.startswith(POSTGRES) else ".db.xz"
    return [folder / f"{stem_of(kind)}{end}{suffix}" for end in ends]


def unpacked(file: Path, folder: Path) -> Path:
    """Write what a file has packed into a folder, and return the path."""
    path = folder / file.stem
    path.write_bytes(lzma.decompress(file.read_bytes()))
    return path


def room_named(name: str) -> str:
    """Return the ID of a room of the homeserver in SQLite."""
    rooms: dict[str, Any] = facts_of(SQLITE)["rooms"]
    (found,) = (room_id for room_id, room in rooms.items() if room["name"] == name)
    return found


def unpacked_sqlite(folder: Path) -> Path:
    """Write the database of the homeserver in SQLite into a folder, and return its path."""
    (file,) = packed(SQLITE)
    return unpacked(file, folder)


@contextmanager
def opened(kind: str, folder: Path, files: Path = DATA) -> Iterator[Recorded]:
    """Make the databases of a kind: files in a folder, or those of a PostgreSQL server of their own."""
    facts = facts_of(kind, files)
    paths = [unpacked(file, folder) for file in packed(kind, files)]
    if kind.startswith("sqlite"):
        yield Recorded([str(path) for path in paths], facts)
        return
    with postgres_server.started() as server:
        names = [path.stem.replace("-", "_") for path in paths]
        yield Recorded(
            [postgres_server.restored(server, *one) for one in zip(names, paths, strict=True)], facts
        )


def record(kind: str, folder: Path, python: str) -> None:
    """Make the files of a kind anew, with the Synapse that is installed."""
    done = subprocess.run(
        [python, RECORDER, kind, "--out", folder], check=False, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
