"""One room in SQLite, for `roomver.receive` and `roomver.make`: the example of docs/servers.md."""

import json
import sqlite3
from collections.abc import Collection, Mapping

from roomver import Event, EventId, KeyRing, RoomGraph
from roomver.receive import Receipt
from roomver.state import RoomState
from roomver.steps import Current, Stored

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, event_id TEXT UNIQUE, pdu TEXT,
    rejected INT, soft_failed INT, from_history INT);
CREATE TABLE IF NOT EXISTS states (position INTEGER PRIMARY KEY, event_id TEXT UNIQUE,
    previous TEXT, changes TEXT);
CREATE TABLE IF NOT EXISTS extremities (event_id TEXT PRIMARY KEY);
"""


class SqliteStore:
    """What a server has stored of one room: a `roomver.steps.Store`.

    The state after an event is stored as its changes from the state after one of its prev events.
    """

    def __init__(self, path: str, version: str, ring: KeyRing) -> None:
        self.version, self.ring = version, ring
        self.database = sqlite3.connect(path)
        self.database.executescript(SCHEMA)
        self.states: dict[EventId, RoomState] = {}
        self.graph = RoomGraph()
        for event_id, previous, changes in self.database.execute(
            "SELECT event_id, previous, changes FROM states ORDER BY position"
        ):
            delta = {(kind, key): one for kind, key, one in json.loads(changes)}
            self.states[event_id] = self._state(previous).changed(delta)
        for stored in self._stored("SELECT * FROM events ORDER BY position").values():
            self._add_to_graph(stored)

    def take(self, receipt: Receipt) -> None:
        """Store what a receipt says is to be stored, in one transaction."""
        if receipt.stored is None:
            return  # undecided or dropped
        event, rejected, soft_failed, from_history = receipt.stored
        row = (event.event_id, json.dumps(event.pdu), rejected, soft_failed, from_history)
        after = receipt.state_after
        if event.event_id in self.states or (after is None and self.events([event.event_id])):
            return  # it was received before, and nothing more is known
        if after is not None and not isinstance(after, RoomState):
            raise NotImplementedError("this example cannot store a state that is known in part")
        with self.database:
            self.database.execute("INSERT OR IGNORE INTO events VALUES (NULL, ?, ?, ?, ?, ?)", row)
            if after is not None:
                previous = next((one for one in event.prev_event_ids if one in self.states), None)
                delta = after.changes_since(self._state(previous))
                changes = json.dumps([[*key, one] for key, one in delta.items()])
                values = (event.event_id, previous, changes)
                self.database.execute("INSERT INTO states VALUES (NULL, ?, ?, ?)", values)
            if receipt.forward_extremities is not None:  # None: they stay as they are
                self.database.execute("DELETE FROM extremities")
                ends = [(one,) for one in receipt.forward_extremities]
                self.database.executemany("INSERT INTO extremities VALUES (?)", ends)
        if after is not None:
            self.states[event.event_id] = after
        self._add_to_graph(receipt.stored)

    def events(self, event_ids: Collection[EventId], /) -> dict[EventId, Stored]:
        """Return the stored ones of some events."""
        sql = "SELECT * FROM events WHERE event_id IN (SELECT value FROM json_each(?))"
        found = self._stored(sql, json.dumps([*event_ids]))
        return {one: found[one] for one in event_ids if one in found}

    def keys(self, keys: Collection[tuple[str, str]], /) -> KeyRing:
        """Return the known verify keys, and the time."""
        return self.ring

    def states_after(self, event_ids: Collection[EventId], /) -> Mapping[EventId, RoomState]:
        """Return the states after some events, where they are known."""
        return {one: self.states[one] for one in event_ids if one in self.states}

    def current(self) -> Current:
        """Return the forward extremities. roomver resolves the states after them."""
        return Current([one for (one,) in self.database.execute("SELECT event_id FROM extremities")])

    def _state(self, event_id: EventId | None) -> RoomState:
        return RoomState() if event_id is None else self.states[event_id]

    def _stored(self, sql: str, *values: str) -> dict[EventId, Stored]:
        found = {}
        for _, event_id, pdu, *marks in self.database.execute(sql, values):
            # The event was checked before it was stored.
            event = Event.trusted(json.loads(pdu), self.version, event_id)
            found[event_id] = Stored(event, *map(bool, marks))
        return found

    def _add_to_graph(self, stored: Stored) -> None:
        if stored.event.state_key is not None and not stored.rejected:
            self.graph.add(stored.event)
