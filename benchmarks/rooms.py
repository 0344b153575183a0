"""How fast does `roomver check --rooms` check 1,000 rooms: on one core, on two, and on a Dask cluster of two?

`python -m benchmarks.rooms` makes databases like Synapse's, runs `roomver check --rooms` on them as a process
with its workers, and prints a table. Goals: two processes take at most 1/1.8 of the time of one, and a
cluster of two workers on this machine at most 1.1 times the time of two processes.

Each room has 1,000 events with genuine hashes, IDs and signatures, whose keys are in the database. A tenth of
the events are state events. A database has 50 different rooms. The same
database is read under several names, until there are 1,000 rooms: so the reading is from memory.

The ways take turns, and of each the fastest round counts: other work on the machine only makes it slower. CPU
time is that of all processes together. The peak of memory is that of the largest process.
"""

import argparse
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from roomver import sign_event
from roomver.hashing import compute_event_id
from roomver.keys import SigningKey
from roomver.types import JsonObject

from .databases import SCHEMA, VERSION, _Room
from .measure import machine
from .run import ROOT

sys.path.insert(0, str(ROOT / "tests"))

import synapse_db

DISTINCT: Final = 50
KEY: Final = SigningKey.from_seed("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
SERVERS: Final = tuple(f"{letter}.example" for letter in "abcdefgh")
UNTIL: Final = 4_000_000_000_000  # milliseconds

WAYS: Final = {
    "one process": ["--jobs", "1"],
    "two processes": ["--jobs", "2"],
    "Dask, two workers": ["--jobs", "2", "--scheduler", "local"],
}


class _SignedRoom(_Room):
    """A room of `benchmarks.databases` whose signatures are genuine."""

    def finished(self, pdu: JsonObject, server: str) -> tuple[JsonObject, str]:
        """Return an event with its signature, and its ID."""
        signed = sign_event(pdu, VERSION, server, KEY)
        return dict(signed), compute_event_id(signed, VERSION)


def make(path: Path, rooms: int, events: int) -> None:
    """Write a database with rooms whose events are signed."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    for statement in synapse_db.make_tables():
        db.execute(statement)
    synapse_db.insert(db, "schema_version", (SCHEMA,))
    synapse_db.insert(db, "schema_compat_version", (SCHEMA,))
    key = KEY.verify_key.key
    synapse_db.insert(db, "server_signature_keys", *((one, KEY.key_id, key, UNTIL) for one in SERVERS))
    order = groups = 0
    for number in range(rooms):
        room = _SignedRoom(f"!room{number}:a.example", events, groups)
        for table, rows in room.rows(order):
            synapse_db.insert(db, table, *rows)
        order += len(room.events)
        groups = room.group
    db.commit()
    db.execute("ANALYZE")
    db.commit()
    db.close()


class Measured(NamedTuple):
    """What one run took: seconds on the wall, seconds of all processes, bytes of the largest one."""

    wall: float
    worked: float
    peak: int


def measured(folder: Path, way: list[str], rooms: int) -> Measured:
    """Run a command, and check that it has a result for each room."""
    out = folder.parent / "out.jsonl"
    out.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = perf_counter()
    call = [sys.executable, "-m", "roomver", "check", "--rooms", str(folder), "-o", str(out), *way]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=ROOT)
    wall = perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or out.read_bytes().count(b'"status": "ok"') != rooms:
        raise SystemExit(f"{call}: exit code {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(wall, worked, after.ru_maxrss * 1024)


def main(argv: list[str] | None = None) -> None:
    """Make the rooms, measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rooms")
    parser.add_argument("--rooms", type=int, default=1_000, help="how many rooms (default 1,000)")
    parser.add_argument("--events", type=int, default=1_000, help="how many events each has (default 1,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way runs (default 3)")
    given = parser.parse_args(argv)
    ways = dict(WAYS)
    if not _has_dask():
        del ways["Dask, two workers"]
        Console(stderr=True).print("Dask, the extra `cluster`, is not installed: left out")
    distinct = min(DISTINCT, given.rooms)
    times = max(1, given.rooms // distinct)
    with TemporaryDirectory(prefix="roomver-rooms-") as name:
        first, folder = Path(name, "first.db"), Path(name, "rooms")
        folder.mkdir()
        make(first, distinct, given.events)
        for number in range(times):
            _link(first, folder / f"{number}.db")
        rooms = times * distinct
        rounds: dict[str, list[Measured]] = {way: [] for way in ways}
        for _ in range(given.rounds):
            for way, options in ways.items():
                rounds[way].append(measured(folder, options, rooms))
                print(f"{way}: {rounds[way][-1]}", file=sys.stderr, flush=True)
    _print(rounds, rooms, given.events)


def _has_dask() -> bool:
    try:
        import distributed  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return False
    return True


def _link(first: Path, other: Path) -> None:
    try:
        os.link(first, other)
    except OSError:  # a file system without links
        shutil.copyfile(first, other)


def _print(rounds: dict[str, list[Measured]], rooms: int, events: int) -> None:
    best = {way: min(some) for way, some in rounds.items()}
    base = best["one process"].wall
    found = Table(
        "", "wall time", "CPU time", "events per second", "speed", "largest process", box=box.MARKDOWN
    )
    for way, one in best.items():
        found.add_row(
            way,
            f"{one.wall:.1f} s",
            f"{one.worked:.1f} s",
            f"{rooms * events / one.wall:,.0f}",
            f"{base / one.wall:.2f}",
            f"{max(other.peak for other in rounds[way]) / 2**20:,.0f} MB",
        )
    console = Console(width=110)
    console.print(found)
    console.print(
        f"{rooms:,} rooms of {events:,} events; {', '.join(f'{k}: {v}' for k, v in machine().items())}"
    )


if __name__ == "__main__":
    main()
