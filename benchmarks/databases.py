"""How long do the commands take with a server's database of 1,000,000 events, and how much memory?

`python -m benchmarks.databases` makes a database like Synapse's in SQLite and in a PostgreSQL server of its
own, runs `roomver` on both as a process, and prints a table. Wall time and peak memory include Python and the
imports. CPU time and memory are those of `roomver` alone.

One room has 50,000 events. The others have 1,000 each. In the rooms that are read, events have genuine hashes
and IDs, and signatures by keys that are not in the database. A tenth of the events are state events. Each
makes a state group, which is kept as changes; each hundredth is kept in whole. In the large room, a few
events follow missing ones.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from roomver.event import parse_event
from roomver.hashing import compute_content_hash, compute_event_id
from roomver.types import JsonObject
from roomver.unpadded import encode_unpadded

from .measure import machine
from .run import ROOT

sys.path.insert(0, str(ROOT / "tests"))

import postgres_server
import synapse_db

VERSION: Final = "11"
LARGE: Final = 50_000
SMALL: Final = 1_000
STATE_EVERY: Final = 10  # one event of so many is a state event
GAP_EVERY: Final = 2_500
WHOLE_EVERY: Final = 100  # one state group of so many is kept in whole, as in Synapse
SIGNATURE: Final = encode_unpadded(bytes(64))
SCHEMA: Final = 94


class _Room:
    """A room as rows of the tables. Message follows message; now and then a user joins."""

    def __init__(self, room_id: str, length: int, first_group: int) -> None:
        self.room_id = room_id
        self.events: list[tuple[Any, ...]] = []
        self.texts: list[tuple[Any, ...]] = []
        self.groups: list[tuple[Any, ...]] = []
        self.edges: list[tuple[int, int]] = []
        self.changes: list[tuple[Any, ...]] = []
        self.of_events: list[tuple[str, int]] = []
        self.state: dict[tuple[str, str], str] = {}
        self.group = first_group
        self._depth = 0
        self._last: list[str] = []
        self._hops = 0
        admin = "@admin:a.example"
        self._send(admin, "m.room.create", {"room_version": VERSION}, "")
        self._send(admin, "m.room.member", {"membership": "join"}, admin)
        levels: JsonObject = {"users": {admin: 100}, "users_default": 0}
        self._send(admin, "m.room.power_levels", levels, "")
        self._send(admin, "m.room.join_rules", {"join_rule": "public"}, "")
        joined = [admin]
        while len(self.events) < length:
            number = len(self.events)
            if number % GAP_EVERY == 0:
                self._last = [*self._last, f"${encode_unpadded(number.to_bytes(32), urlsafe=True)}"]
            if number % STATE_EVERY == 0:
                user = f"@user{number}:{'abcdefgh'[number % 8]}.example"
                joined.append(user)
                self._send(
                    user, "m.room.member", {"membership": "join", "displayname": f"User {number}"}, user
                )
            else:
                body = f"Message {number}: " + "x" * (number * 37 % 200)
                sender = joined[number * 7919 % len(joined)]
                self._send(sender, "m.room.message", {"msgtype": "m.text", "body": body}, None)

    def _send(self, sender: str, kind: str, content: JsonObject, state_key: str | None) -> None:
        self._depth += 1
        wanted = [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", sender)]
        if kind == "m.room.member":
            wanted.append(("m.room.join_rules", ""))
        pdu: JsonObject = {
            "type": kind,
            "sender": sender,
            "room_id": self.room_id,
            "content": content,
            "depth": self._depth,
            "origin_server_ts": 1_700_000_000_000 + self._depth * 1_000,
            "prev_events": [*self._last],
            "auth_events": [self.state[key] for key in wanted if key in self.state],
        }
        if state_key is not None:
            pdu["state_key"] = state_key
        pdu["hashes"] = {"sha256": compute_content_hash(pdu, VERSION)}
        pdu, event_id = self.finished(pdu, sender.partition(":")[2])
        before = self.group
        if state_key is not None:
            self._add_group(event_id, (kind, state_key))
        self.of_events.append((event_id, self.group))
        self._last = [event_id]
        order = self._depth
        row = (order, order, event_id, kind, self.room_id, 0, order, sender, state_key, None)
        self.events.append(row)
        text = json.dumps(pdu, separators=(",", ":"))
        self.texts.append((event_id, self.room_id, '{"stream_ordering": 1}', text))
        assert before <= self.group

    def finished(self, pdu: JsonObject, server: str) -> tuple[JsonObject, str]:
        """Return an event with its signature, and its ID."""
        pdu["signatures"] = {server: {"ed25519:1": SIGNATURE}}
        return pdu, compute_event_id(pdu, VERSION)

    def _add_group(self, event_id: str, key: tuple[str, str]) -> None:
        old = self.group
        self.group += 1
        if not self.state:
            # The empty state before the create event.
            self.groups.append((self.group, self.room_id, event_id))
            old, self.group = self.group, self.group + 1
        self.state[key] = event_id
        self.groups.append((self.group, self.room_id, event_id))
        self._hops += 1
        changed = [key]
        if self._hops % WHOLE_EVERY:
            self.edges.append((self.group, old))
        else:
            changed = list(self.state)
        self.changes += [(self.group, self.room_id, *one, self.state[one]) for one in changed]

    def copied(self, room_id: str, number: int, order: int, groups: int) -> Iterator[tuple[str, list[Any]]]:
        """Yield the rows of another room that is like this one, by table. Its hashes are not genuine."""

        def renamed(event_id: str) -> str:
            return f"${number:06}{event_id[7:]}"

        def text(value: str) -> str:
            return value.replace(self.room_id, room_id)

        events = [(one[0] + order, one[1], renamed(one[2]), one[3], room_id, *one[5:]) for one in self.events]
        yield "events", events
        yield "event_json", [(renamed(e), room_id, meta, text(pdu)) for e, _, meta, pdu in self.texts]
        yield "event_to_state_groups", [(renamed(e), group + groups) for e, group in self.of_events]
        yield "state_groups", [(group + groups, room_id, renamed(e)) for group, _, e in self.groups]
        yield "state_group_edges", [(one + groups, other + groups) for one, other in self.edges]
        yield (
            "state_groups_state",
            [(one[0] + groups, room_id, *one[2:4], renamed(one[4])) for one in self.changes],
        )
        yield (
            "current_state_events",
            [
                (renamed(e), room_id, *key, "join" if key[0] == "m.room.member" else None)
                for key, e in self.state.items()
            ],
        )
        yield "event_forward_extremities", [(renamed(one), room_id) for one in self._last]
        yield "rooms", [(room_id, VERSION)]

    def rows(self, order: int) -> Iterator[tuple[str, list[Any]]]:
        """Yield the rows of this room, by table."""
        yield "events", [(one[0] + order, *one[1:]) for one in self.events]
        yield "event_json", self.texts
        yield "event_to_state_groups", self.of_events
        yield "state_groups", self.groups
        yield "state_group_edges", self.edges
        yield "state_groups_state", self.changes
        yield (
            "current_state_events",
            [
                (e, self.room_id, *key, "join" if key[0] == "m.room.member" else None)
                for key, e in self.state.items()
            ],
        )
        yield "event_forward_extremities", [(one, self.room_id) for one in self._last]
        yield "rooms", [(self.room_id, VERSION)]


def make(path: Path, events: int, large: int) -> tuple[_Room, _Room]:
    """Write an SQLite database; return its large room and one of the others."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    tables = [*synapse_db.make_tables()]
    for statement in tables:
        if not statement.startswith("CREATE INDEX"):
            db.execute(statement)
    small = _Room("!small:a.example", min(SMALL, large), 0)
    great = _Room("!large:a.example", large, small.group)
    order = 0

    def insert(rows: Iterable[tuple[str, list[Any]]]) -> None:
        for table, some in rows:
            synapse_db.insert(db, table, *some)

    insert([("schema_version", [(SCHEMA,)]), ("schema_compat_version", [(SCHEMA,)])])
    for room in (small, great):
        insert(room.rows(order))
        order += len(room.events)
    groups = great.group
    number = 0
    while order < events:
        number += 1
        insert(small.copied(f"!room{number}:a.example", number, order, groups))
        order += len(small.events)
        groups += small.group
    for statement in tables:
        if statement.startswith("CREATE INDEX"):
            db.execute(statement)
    db.commit()
    db.execute("ANALYZE")
    db.commit()
    db.close()
    return small, great


def _copy_rows(connection: Any, base: Path) -> None:
    """Make the tables in a database, and copy the rows of an SQLite database into them."""
    rows = sqlite3.connect(base)
    for statement in synapse_db.make_tables(1):
        connection.execute(statement)
    for table, columns in synapse_db.TABLES.items():
        kinds = [kind for _, kind in columns.values()]
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows.execute(f"SELECT {', '.join(columns)} FROM {table}"):
                copy.write_row([bool(v) if k == "boolean" else v for v, k in zip(row, kinds, strict=True)])
    rows.close()
    connection.commit()


def commands(source: str, small: _Room, great: _Room) -> Iterator[tuple[str, list[str]]]:
    """Yield what is measured: its name, and the arguments."""
    last = great.events[-1][2]
    large, other = len(great.events), len(small.events)
    yield "rooms", ["rooms", source]
    yield f"check, room of {large:,}", ["check", source, "--room", great.room_id]
    yield f"check, room of {other:,}", ["check", source, "--room", small.room_id]
    yield f"auth, room of {large:,}", ["auth", "--room", source, "--room", great.room_id, last]
    yield f"auth, room of {other:,}", ["auth", "--room", source, "--room", small.room_id, small.events[-1][2]]
    yield f"state, room of {large:,}", ["state", source, "--room", great.room_id]


# The peak that a parent sees includes its own memory, from before the program was loaded.
_RUN: Final = """
import atexit, sys
from benchmarks.measure import status_bytes
from roomver.__main__ import main
atexit.register(lambda: print("peak", status_bytes("VmHWM"), file=sys.stderr))
sys.argv[0] = "roomver"
main()
"""


def measured(
    arguments: Sequence[str],
    codes: Collection[int] = (0, 3),
    environment: Mapping[str, str] | None = None,
) -> tuple[float, float, int]:
    """Run a command, and return its wall time and CPU time in seconds, and its peak memory in bytes.

    Args:
        arguments: of `roomver`.
        codes: the exit codes that it may end with. If events are missing, some of the room is undecided.
        environment: its environment variables; None for those of this process.
    """
    begin = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    taken = perf_counter() - begin
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    lines = said.decode(errors="replace").splitlines()
    if code not in codes or not lines or not lines[-1].startswith("peak "):
        raise SystemExit(f"{arguments}: exit code {code}: {said.decode(errors='replace')}")
    return taken, usage.ru_utime + usage.ru_stime, int(lines[-1].split()[1])


def table_of(kind: str, source: str, small: _Room, great: _Room) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table for one database."""
    for name, arguments in commands(source, small, great):
        taken, worked, peak = measured(arguments)
        yield kind, name, f"{taken:.1f} s", f"{worked:.1f} s", f"{peak / 2**20:,.0f} MB"


def main(argv: Sequence[str] | None = None) -> None:
    """Make the databases, measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.databases")
    parser.add_argument("--events", type=int, default=1_000_000, help="how many events the database has")
    parser.add_argument("--large", type=int, default=LARGE, help="how many of these are in one room")
    given = parser.parse_args(argv)
    found = Table("database", "roomver", "wall time", "CPU time", "peak memory", box=box.MARKDOWN)
    with TemporaryDirectory(prefix="roomver-db-") as folder:
        path = Path(folder) / "homeserver.db"
        begin = perf_counter()
        small, great = make(path, given.events, given.large)
        # What is read must be what it says.
        parse_event(json.loads(great.texts[-1][3]), VERSION)
        size = path.stat().st_size / 2**20
        Console(stderr=True).print(f"made {size:,.0f} MB of SQLite in {perf_counter() - begin:.0f} s")
        for row in table_of("SQLite", str(path), small, great):
            found.add_row(*row)
        if postgres_server.is_installed():
            import psycopg  # noqa: PLC0415 - an extra

            with postgres_server.started() as address:
                with psycopg.connect(address) as connection:
                    _copy_rows(connection, path)
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")
                for row in table_of("PostgreSQL", address, small, great):
                    found.add_row(*row)
        else:
            Console(stderr=True).print("PostgreSQL is not installed: left out")
    console = Console(width=100)
    console.print(found)
    console.print(f"{given.events:,} events; {', '.join(f'{k}: {v}' for k, v in machine().items())}")


if __name__ == "__main__":
    main()
