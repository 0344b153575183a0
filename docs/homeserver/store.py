"""The rooms of the example homeserver in SQLite: events, states as deltas, forward extremities, the outbox."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from sqlite3 import Row
from typing import Any

import aiosqlite

from roomver import Event, EventId, KeyRing, PartialState, RoomGraph, redact
from roomver.receive import Receipt, ReceiptStatus, check_redaction_steps
from roomver.state import RoomState, State, Unknown
from roomver.steps import Current, Stored, run_async
from roomver.types import KeyId, RoomId, ServerName

Value = str | int | None
AnswerKeys = Callable[[frozenset[tuple[ServerName, KeyId]]], Coroutine[Any, Any, KeyRing]]
SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS keys (server TEXT PRIMARY KEY, response TEXT);
CREATE TABLE IF NOT EXISTS rooms (room_id TEXT PRIMARY KEY, version TEXT, servers TEXT, extremities TEXT);
CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, event_id TEXT UNIQUE, room_id TEXT, pdu TEXT,
    rejected INT, soft_failed INT, redacts TEXT, state TEXT);
CREATE TABLE IF NOT EXISTS states (position INTEGER PRIMARY KEY, state TEXT UNIQUE, room_id TEXT, previous TEXT,
    delta TEXT, partial INT);
CREATE TABLE IF NOT EXISTS waiting (event_id TEXT PRIMARY KEY, room_id TEXT, origin TEXT, pdu TEXT);
CREATE TABLE IF NOT EXISTS outbox (position INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT, pdu TEXT);
CREATE INDEX IF NOT EXISTS events_of_room ON events (room_id, redacts);
"""


class Database:
    """Two connections to one file: nobody reads what a transaction writes before it is committed."""

    def __init__(self, reader: aiosqlite.Connection, writer: aiosqlite.Connection) -> None:
        self.reader, self.writer, self.lock = reader, writer, asyncio.Lock()

    async def rows(self, sql: str, *values: Value) -> Iterable[Row]:
        """Read committed rows."""
        return await self.reader.execute_fetchall(sql, values)

    async def write(self, *statements: tuple[str, tuple[Value, ...]]) -> None:
        """Run statements in one transaction: all of them, or none."""
        async with self.lock:
            try:
                await self.writer.execute("BEGIN IMMEDIATE")
                for sql, values in statements:
                    await self.writer.execute(sql, values)
                await self.writer.commit()
            finally:
                await self.writer.rollback()  # does nothing after a commit


@asynccontextmanager
async def opened(path: str) -> AsyncIterator[Database]:
    """Open a database, and create its tables if it is new."""
    connect = aiosqlite.connect
    # Without an isolation level, a transaction begins where we say.
    async with connect(path, isolation_level=None) as writer, connect(path, isolation_level=None) as reader:
        reader.row_factory = Row
        await writer.executescript(SCHEMA)
        yield Database(reader, writer)


class RoomStore:
    """What is stored of one room. The first four methods are the `roomver.steps.AsyncStore`.

    A state is stored as its changes from another one, under the ID of the first event that it is the state before.
    """

    def __init__(self, database: Database, keys: AnswerKeys, room_id: RoomId, version: str) -> None:
        self.database, self.keys, self.room_id, self.version = database, keys, room_id, version
        self.lock = asyncio.Lock()  # held to receive events, one at a time
        self.graph = RoomGraph()
        self.states: dict[EventId, State[EventId]] = {}
        self.extremities: frozenset[EventId] = frozenset()
        self.told_servers: frozenset[ServerName] = frozenset()  # by the server through which we joined

    async def events(self, event_ids: Collection[EventId], /) -> dict[EventId, Stored]:
        """Return those of some events that are stored."""
        sql = "SELECT * FROM events WHERE room_id = ? AND event_id IN (SELECT value FROM json_each(?))"
        rows = await self.database.rows(sql, self.room_id, json.dumps([*event_ids]))
        return {row["event_id"]: self.stored(row) for row in rows}

    async def states_after(self, event_ids: frozenset[EventId], /) -> dict[EventId, State[EventId]]:
        """Return the states after some events, where they are known."""
        sql = "SELECT * FROM events WHERE state IS NOT NULL AND event_id IN (SELECT value FROM json_each(?))"
        rows = await self.database.rows(sql, json.dumps([*event_ids]))
        return {row["event_id"]: self.state_after(row) for row in rows}

    async def current(self) -> Current:
        """Return the forward extremities. roomver resolves the states after them."""
        return Current(self.extremities)

    def stored(self, row: Row) -> Stored:
        """Return the event of a row. It was checked when it was received."""
        event = Event.trusted(json.loads(row["pdu"]), self.version, row["event_id"])
        return Stored(event, bool(row["rejected"]), bool(row["soft_failed"]))

    def state_after(self, row: Row) -> State[EventId]:
        """Return the state after the event of a row: the state before it, and its own entry."""
        before, (event, rejected, _) = self.states[row["state"]], self.stored(row)
        if rejected or event.state_key is None:
            return before
        return before.changed({(event.type, event.state_key): event.event_id})

    async def load(self) -> None:
        """Read what is kept in memory: the forward extremities, all states, and the graph of auth events."""
        for row in await self.database.rows("SELECT * FROM rooms WHERE room_id = ?", self.room_id):
            self.told_servers = frozenset(json.loads(row["servers"]))
            self.extremities = frozenset(json.loads(row["extremities"]))
        sql = "SELECT * FROM states WHERE room_id = ? ORDER BY position"
        for row in await self.database.rows(sql, self.room_id):
            before = self.states[row["previous"]] if row["previous"] else RoomState()
            state = before.changed(
                {(kind, key): event_id for kind, key, event_id in json.loads(row["delta"])}
            )
            self.states[row["state"]] = (
                PartialState(state, [Unknown.everything("members omitted")]) if row["partial"] else state
            )
        sql = "SELECT * FROM events WHERE room_id = ? AND NOT rejected"
        events = [self.stored(row).event for row in await self.database.rows(sql, self.room_id)]
        self.graph.add_all(event for event in events if event.state_key is not None)

    async def keep(
        self,
        receipt: Receipt,
        extremities: frozenset[EventId] | None = None,
        destinations: Iterable[ServerName] = (),
    ) -> None:
        """Store an event, its state, the forward extremities, and where to send it, in one transaction."""
        stored, before, state = receipt.stored, receipt.state_before, None
        assert stored is not None
        event, statements = stored.event, list[tuple[str, tuple[Value, ...]]]()
        if before is not None:
            sql = "SELECT state FROM events WHERE event_id = ? AND state IS NOT NULL"
            near = await self.database.rows(sql, min(event.prev_event_ids, default=None))
            previous = next((row["state"] for row in near), None)
            changes = before.changes_since(self.states[previous]) if previous else dict(before.known)
            state = previous if previous and not changes else event.event_id
            if state != previous:
                delta = json.dumps([[*key, event_id] for key, event_id in changes.items()])
                sql = "INSERT INTO states (state, room_id, previous, delta, partial) VALUES (?, ?, ?, ?, ?)"
                partial = bool(before.unknown) and not previous
                statements.append((sql, (state, self.room_id, previous, delta, partial)))
        sql = (
            "INSERT OR REPLACE INTO events (event_id, room_id, pdu, rejected, soft_failed, redacts, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        flags = (stored.rejected, stored.soft_failed)
        pdu = json.dumps(event.pdu)
        statements.append((sql, (event.event_id, self.room_id, pdu, *flags, event.redacts, state)))
        async for target in self.redacted(receipt, event):
            sql = "UPDATE events SET pdu = ? WHERE event_id = ?"
            statements.append((sql, (json.dumps(redact(target)), target.event_id)))
        if extremities is not None:
            sql = "UPDATE rooms SET extremities = ? WHERE room_id = ?"
            statements.append((sql, (json.dumps([*extremities]), self.room_id)))
        for server in destinations:
            statements.append(("INSERT INTO outbox (destination, pdu) VALUES (?, ?)", (server, pdu)))
        statements.append(("DELETE FROM waiting WHERE event_id = ?", (event.event_id,)))
        await self.database.write(*statements)
        if before is not None:
            self.states.setdefault(state or "", before)
        self.extremities = self.extremities if extremities is None else extremities
        if event.state_key is not None and not stored.rejected:
            self.graph.add(event)

    async def redacted(self, receipt: Receipt, event: Event) -> AsyncIterator[Event]:
        """Find the event that a new event redacts, and the new event if a redaction of it came earlier."""
        pairs = list[tuple[Event, Event, State[EventId]]]()
        sql = "SELECT * FROM events WHERE redacts = ? AND room_id = ? AND NOT rejected AND NOT soft_failed"
        for row in await self.database.rows(f"{sql} AND state IS NOT NULL", event.event_id, self.room_id):
            pairs.append((self.stored(row).event, event, self.states[row["state"]]))
        if event.redacts and receipt.status is ReceiptStatus.ACCEPTED and receipt.state_before is not None:
            targets = await self.events([event.redacts])
            pairs += [(event, stored.event, receipt.state_before) for stored in targets.values()]
        for redaction, target, state in pairs:
            if (await run_async(check_redaction_steps(redaction, target, state), self)).applies:
                yield target

    async def complete(self, state: EventId, whole: State[EventId]) -> None:
        """Add the members that a state lacks. All states that were made from it have them then."""
        added = {key: event_id for key, event_id in whole.items() if key not in self.states[state].known}
        delta = {**self.states[state].known, **added}
        rows = json.dumps([[*key, event_id] for key, event_id in delta.items()])
        await self.database.write(("UPDATE states SET partial = 0, delta = ? WHERE state = ?", (rows, state)))
        await self.load()

    async def servers(self, state: State[EventId]) -> set[ServerName]:
        """Return the servers with a joined user in a state."""
        members = [event_id for (kind, _), event_id in state.known.items() if kind == "m.room.member"]
        events = [stored.event for stored in (await self.events(members)).values()]
        joined = [event.sender for event in events if event.content.get("membership") == "join"]
        return {user.split(":", 1)[1] for user in joined} | (self.told_servers if state.unknown else set())

    async def walk(
        self,
        start: Iterable[EventId],
        parents: Callable[[Event], Iterable[EventId]],
        stop: Collection[EventId] = (),
        limit: int = 100_000,
    ) -> list[Event]:
        """Return some events and those before them, the newest first, along prev events or auth events."""
        found, todo = dict[EventId, Event](), set(start).difference(stop)
        while todo and len(found) < limit:
            new = {event_id: stored.event for event_id, stored in (await self.events(todo)).items()}
            found |= new
            todo = {parent for event in new.values() for parent in parents(event)}.difference(found, stop)
        return [*found.values()][:limit]
