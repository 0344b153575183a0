"""The rooms of the example homeserver in SQLite: each is a `roomver.federation.AsyncFederationStore`."""

# pyright: strict

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from sqlite3 import Row

import aiosqlite

from roomver import Event, EventId, JsonObject, PartialState, StateKey, UnknownState, redact
from roomver.federation import AnswerKeys, Ask, Complete, Keep, LocalRoom, Wait
from roomver.state import RoomState, State, Unknown
from roomver.steps import Current, Stored

Value = str | int | None
Statement = tuple[str, Sequence[Value]]
MARKS = ("rejected", "soft_failed", "from_history")
SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS rooms (room_id TEXT PRIMARY KEY, version TEXT, servers TEXT, extremities TEXT);
CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, event_id TEXT, room_id TEXT, pdu TEXT,
    rejected INT, soft_failed INT, from_history INT, redacts TEXT, state TEXT, UNIQUE (event_id, room_id));
CREATE TABLE IF NOT EXISTS states (position INTEGER PRIMARY KEY, state TEXT, room_id TEXT,
    previous TEXT, delta TEXT, unknown TEXT, UNIQUE (state, room_id));
CREATE TABLE IF NOT EXISTS edges (room_id TEXT, prev TEXT, event_id TEXT, UNIQUE (room_id, prev, event_id));
CREATE TABLE IF NOT EXISTS waiting (room_id TEXT, event_id TEXT, pdu TEXT, UNIQUE (room_id, event_id));
CREATE TABLE IF NOT EXISTS outbox (position INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT, pdu TEXT);
CREATE INDEX IF NOT EXISTS events_of_room ON events (room_id, redacts);
"""


class Database:
    """Two connections to one file: nobody reads what a transaction writes before it is committed."""

    def __init__(self, reader: aiosqlite.Connection, writer: aiosqlite.Connection) -> None:
        self.reader, self.writer, self.lock = reader, writer, asyncio.Lock()

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Read committed rows."""
        return [*await self.reader.execute_fetchall(sql, values)]

    async def write(self, *statements: Statement) -> None:
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
async def opened(path: str) -> AsyncGenerator[Database, None]:
    """Open a database, and create its tables if it is new."""
    connect = aiosqlite.connect
    # Without an isolation level, a transaction begins where we say.
    async with connect(path, isolation_level=None) as writer, connect(path, isolation_level=None) as reader:
        reader.row_factory = Row
        await writer.executescript(SCHEMA)
        yield Database(reader, writer)


def put(table: str, **row: Value) -> Statement:
    """Return the statement that inserts a row, or changes the one with its key, which keeps its position."""
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    changes = ", ".join(f"{column} = excluded.{column}" for column in row)
    sql = f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO UPDATE SET {changes}"
    return sql, [*row.values()]


def dumped(delta: Mapping[StateKey, EventId | None]) -> str:
    """Return the changes between two states as JSON."""
    return json.dumps([[*key, event_id] for key, event_id in delta.items()])


class RoomStore:
    """What is stored of one room.

    A state is stored as its changes from another one, under the first event that it is the state before.
    """

    def __init__(self, room: LocalRoom, database: Database, keys: AnswerKeys, ask: Ask) -> None:
        self.room, self.database, self.keys, self.response = room, database, keys, ask
        self.lock = asyncio.Lock()  # held while an event is received or made
        self.states: dict[EventId, State[EventId]] = {}
        self.extremities: frozenset[EventId] = frozenset()

    async def load(self) -> None:
        """Read what is kept in memory: the forward extremities, the states, and the graph of auth events."""
        for row in await self.rows("SELECT * FROM rooms WHERE room_id = ?"):
            self.extremities = frozenset(json.loads(row["extremities"]))
        for row in await self.rows("SELECT * FROM states WHERE room_id = ? ORDER BY position"):
            before = self.states[row["previous"]] if row["previous"] else RoomState()
            changes = {(kind, key): event_id for kind, key, event_id in json.loads(row["delta"])}
            state = before.changed(changes)
            unknown = [Unknown.from_dict(one) for one in json.loads(row["unknown"])]
            self.states[row["state"]] = PartialState(state, unknown) if unknown else state
        rows = await self.rows("SELECT * FROM events WHERE room_id = ? ORDER BY position")
        for stored in self.stored(rows).values():
            self.add(stored)

    def add(self, stored: Stored) -> None:
        """Add an event to the graph of auth events, if others may cite it."""
        if stored.event.state_key is not None and not stored.rejected:
            self.room.graph.add(stored.event)

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Return rows of the room."""
        return await self.database.rows(sql, self.room.room_id, *values)

    async def named(self, event_ids: Collection[EventId]) -> list[Row]:
        """Return the rows of some events."""
        sql = "SELECT * FROM events WHERE room_id = ? AND event_id IN (SELECT value FROM json_each(?))"
        return await self.rows(sql, json.dumps([*event_ids]))

    def stored(self, rows: list[Row]) -> dict[EventId, Stored]:
        """Return the events of rows. They were checked before they were stored."""
        version = self.room.version
        events = [Event.trusted(json.loads(row["pdu"]), version, row["event_id"]) for row in rows]
        return {
            event.event_id: Stored(event, *(bool(row[name]) for name in MARKS))
            for event, row in zip(events, rows, strict=True)
        }

    async def events(self, event_ids: Collection[EventId], /) -> dict[EventId, Stored]:
        """Return the stored ones of some events."""
        return self.stored(await self.named(event_ids))

    async def states_before(self, event_ids: Collection[EventId], /) -> dict[EventId, State[EventId]]:
        """Return the states before some events."""
        return {
            row["event_id"]: self.states[row["state"]] for row in await self.named(event_ids) if row["state"]
        }

    async def states_after(self, event_ids: Collection[EventId], /) -> dict[EventId, State[EventId]]:
        """Return the states after some events: the states before them, with their own entries."""
        states, events = await self.states_before(event_ids), await self.events(event_ids)
        return {event_id: events[event_id].state_after(state) for event_id, state in states.items()}

    async def current(self) -> Current:
        """Return the forward extremities. roomver resolves the states after them."""
        return Current(self.extremities)

    async def followed(self, event_ids: Collection[EventId], /) -> set[EventId]:
        """Return the events that are prev events of a stored event."""
        sql = "SELECT prev FROM edges WHERE room_id = ? AND prev IN (SELECT value FROM json_each(?))"
        return {row["prev"] for row in await self.rows(sql, json.dumps([*event_ids]))}

    async def redactions(self, event_id: EventId, /) -> dict[EventId, Stored]:
        """Return the stored events that redact an event."""
        sql = "SELECT * FROM events WHERE room_id = ? AND redacts = ?"
        return self.stored(await self.rows(sql, event_id))

    async def waiting(self) -> list[JsonObject]:
        """Return the events that wait for others, in the order in which they came."""
        rows = await self.rows("SELECT pdu FROM waiting WHERE room_id = ? ORDER BY rowid")
        return [json.loads(row["pdu"]) for row in rows]

    async def wait(self, need: Wait, /) -> None:
        """Store an event that waits for others."""
        pdu = json.dumps(need.pdu)
        await self.database.write(put("waiting", event_id=need.event_id, room_id=self.room.room_id, pdu=pdu))

    async def keep(self, need: Keep, /) -> None:
        """Store an event and all that belongs to it in one transaction."""
        (event, *marks), before, room_id = need.stored, need.state_before, self.room.room_id
        event_id, pdu, state, statements = event.event_id, json.dumps(event.pdu), None, list[Statement]()
        here: dict[str, Value] = {"event_id": event_id, "room_id": room_id}
        if before is not None:
            near = [row["state"] for row in await self.named(event.prev_event_ids[:1])]
            previous, unknown = near[0] if near else None, list[Unknown]()
            try:
                changes = before.changes_since(self.states[previous] if previous else RoomState())
            except UnknownState:  # other entries are unknown than in that state: members were left out
                previous, changes, unknown = None, {**before.known}, [*before.unknown]
            state = previous if previous and not changes else event_id
            if state != previous:
                row = {"previous": previous, "delta": dumped(changes), "room_id": room_id}
                row["unknown"] = json.dumps([one.to_dict() for one in unknown])
                statements.append(put("states", state=state, **row))
        if not any(marks[:2]) and (before is not None or need.stored.from_history):
            statements += [put("edges", prev=prev, **here) for prev in event.prev_event_ids]
        row = {**here, "redacts": event.redacts, "state": state}
        statements.append(put("events", pdu=pdu, **dict(zip(MARKS, marks, strict=True)), **row))
        for one in need.redacted:
            form = [json.dumps(redact(one)), one.event_id, room_id]
            statements.append(("UPDATE events SET pdu = ? WHERE event_id = ? AND room_id = ?", form))
        if need.forward_extremities is not None:
            ends = [json.dumps([*need.forward_extremities]), room_id]
            statements.append(("UPDATE rooms SET extremities = ? WHERE room_id = ?", ends))
        statements += [put("outbox", server=server, pdu=pdu) for server in sorted(need.destinations)]
        statements.append(("DELETE FROM waiting WHERE event_id = ? AND room_id = ?", [event_id, room_id]))
        await self.database.write(*statements)
        if before is not None and state is not None:
            self.states.setdefault(state, before)
        if need.forward_extremities is not None:
            self.extremities = need.forward_extremities
        self.add(need.stored)

    async def complete(self, need: Complete, /) -> None:
        """Add entries to a state. The states that are stored as changes from it have them then, too."""
        delta = dumped({**self.states[need.event_id].known, **need.added})
        sql = "UPDATE states SET delta = ?, unknown = '[]' WHERE state = ? AND room_id = ?"
        await self.database.write((sql, [delta, need.event_id, self.room.room_id]))
        await self.load()
