"""Synapse's database, in SQLite or PostgreSQL: its rooms, and what it knows of each.

Checked with Synapse 1.163.2, whose schema has version 94. Only one room is read at a time, by its index, and
its events one after another.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from ..canonical import shorten
from ..entry import Entry, Place
from ..errors import RoomverError, UnknownRoomVersion
from ..event import Event
from ..known_states import KnownStates
from ..room_check import Beliefs
from ..state import Unknown, changed_entries, entries_of, known_in_part, unknown_of
from ..types import EventId, RoomId, StateMap
from ..versions import RoomVersion, get_room_version
from .database import AT_ONCE, Database, Row, number_of, object_of, open_database, rows_among, text_of
from .entries import InputError, Read, entry_of
from .lines import MAX_LINE_BYTES, load_bounded
from .rooms import Room
from .several import RoomSummary, quoted
from .source import choose_room
from .synapse_gaps import Stored, find_gaps, states_before
from .synapse_keys import read_keys
from .synapse_room import read_redactions, read_standing, read_standings, room_of_event
from .synapse_schema import NO_STATES, check_schema, missing_state_table
from .synapse_state import StateGroups

_LONGEST_ID: Final = 255


_EVENTS: Final = (
    "SELECT event_id, outlier, rejection_reason, stream_ordering < 0 FROM events WHERE room_id = ?"
)
# First the events that were received, in the order of their arrival. The others were fetched, from the
# history of the room or as auth events, and are below zero. When they came is not known. A replay puts each
# before the first event that needs it.
_IN_ORDER: Final = (
    _EVENTS + " AND stream_ordering >= 0 ORDER BY stream_ordering",
    _EVENTS + " AND stream_ordering < 0 ORDER BY topological_ordering, stream_ordering DESC",
)
_JOINS: Final = "SELECT join_event_id FROM partial_state_rooms WHERE room_id = ?"
_ENDS: Final = "SELECT event_id FROM event_forward_extremities WHERE room_id = ?"


class SynapseSource:
    """A Synapse database.

    Attributes:
        name: what messages call it.
        notes: what a reader should be told about it.
    """

    def __init__(self, database: Database) -> None:
        """Take a database and check that it is one of Synapse.

        Raises:
            InputError: if it is not, or has a schema that cannot be read here.
        """
        self._database = database
        self.name: str = database.name
        self.notes: list[str] = database.notes
        self.schema: int = check_schema(database)
        missing = missing_state_table(database)
        self._has_states = missing is None
        if missing is not None:
            self.notes.append(f"it has no table {missing}: {NO_STATES}")

    def list_rooms(self) -> list[RoomSummary]:
        """Return its rooms, those with the most events first.

        Cost: one pass over an index of the events, and one over the current states.
        """
        rows = self._database.rows
        events = self._counts("SELECT room_id, count(*) FROM events GROUP BY room_id")
        joined = self._counts(
            "SELECT room_id, count(*) FROM current_state_events"
            " WHERE type = 'm.room.member' AND membership = 'join' GROUP BY room_id"
        )
        ends = self._counts("SELECT room_id, count(*) FROM event_forward_extremities GROUP BY room_id")
        standings = read_standings(self._database)
        partial = {text_of(room_id) for (room_id,) in rows("SELECT room_id FROM partial_state_rooms")}
        found = [
            RoomSummary(
                room_id,
                text_of(version),
                events.get(room_id, 0),
                joined.get(room_id, 0),
                ends.get(room_id, 0),
                room_id in partial,
                standings.get(room_id),
            )
            for raw, version in rows("SELECT room_id, room_version FROM rooms")
            if (room_id := text_of(raw)) is not None
        ]
        return sorted(found, key=lambda room: (-(room.events or 0), room.room_id))

    def _counts(self, sql: str) -> dict[RoomId, int]:
        counted = ((text_of(room_id), number) for room_id, number in self._database.rows(sql))
        return {room_id: number for room_id, number in counted if room_id is not None}

    def open_room(
        self, room_id: RoomId | None, version: RoomVersion | None, event_id: EventId | None = None
    ) -> Room:
        """Begin to read a room.

        Raises:
            InputError: if it cannot be read, if there is no such room or it has no events, if a room must be
                chosen, or if the event is in another room.
        """
        if event_id is not None:
            room_id = room_of_event(self._database, event_id, room_id)
        chosen, said = self._choose(room_id)
        known = self._version(chosen, said, version)
        reading = _Reading(self._database, chosen, known, has_states=self._has_states)
        return Room(
            known,
            read_keys(self._database, chosen),
            None,
            frozenset(),
            reading.entries(),
            [],
            beliefs=reading.beliefs(),
            find_states=reading.find_states,
            room_id=chosen,
            database=f"Synapse's database (schema {self.schema})",
        )

    def _choose(self, room_id: RoomId | None) -> tuple[RoomId, str | None]:
        if room_id is not None:
            for (said,) in self._database.rows("SELECT room_version FROM rooms WHERE room_id = ?", room_id):
                return room_id, text_of(said)
        room = choose_room(self.name, self.list_rooms(), room_id)
        return room.room_id, room.version

    def _version(self, room_id: RoomId, said: str | None, version: RoomVersion | None) -> RoomVersion:
        if said is None:
            if version is None:
                reason = f"it does not give the room version of {quoted(room_id)}: give --room-version"
                raise InputError(self.name, reason)
            return version
        try:
            known = get_room_version(said)
        except UnknownRoomVersion as error:
            raise InputError(self.name, f"{quoted(room_id)}: {error}") from None
        if version is not None and version is not known:
            raise InputError(
                self.name, f"it says that {quoted(room_id)} has room version {known}, not {version}"
            )
        return known

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def open_synapse(name: str, *, immutable: bool = False) -> SynapseSource:
    """Open the database of a Synapse server for reading.

    Args:
        name: the path of an SQLite file, or the address of a PostgreSQL database.
        immutable: see `open_database`.

    Raises:
        InputError: if it cannot be opened, or is not Synapse's.
    """
    database = open_database(name, immutable=immutable)
    try:
        return SynapseSource(database)
    except BaseException:
        database.close()
        raise


@dataclass(slots=True)
class _Reading:
    """The reading of one room.

    Attributes:
        stored: what the database says of each event that has been read.
        soft_failed: the events that the server soft-failed, once `beliefs` was called.
    """

    database: Database
    room_id: RoomId
    version: RoomVersion
    has_states: bool
    stored: dict[EventId, Stored] = field(default_factory=dict)
    soft_failed: frozenset[EventId] = frozenset()

    # Events

    def entries(self) -> Iterator[Entry]:
        """Yield an entry for each event: first those received, as they came, then those fetched."""
        number = 0
        for sql in _IN_ORDER:
            rows = self.database.rows(sql, self.room_id)
            while some := list(islice(rows, AT_ONCE)):
                yield from self._entries(some, number)
                number += len(some)
        if not number:
            raise InputError(self.database.name, f"it has no events of {quoted(self.room_id)}")

    def _entries(self, rows: Sequence[Row], before: int) -> Iterator[Entry]:
        """Yield the entries of some rows of events.

        Args:
            rows: the rows.
            before: how many rows of the room came before them.
        """
        ids = [one for row in rows if (one := text_of(row[0])) is not None]
        groups = self._of_events("state_group", "event_to_state_groups", ids)
        rejections = self._of_events("event_id", "rejections", ids)
        texts = self._of_events("json", "event_json", ids)
        for number, (raw_id, outlier, reason, fetched) in enumerate(rows, before + 1):
            event_id = text_of(raw_id)
            if event_id is None:
                place = Place(None, f"events, row {number}")
                yield Entry(place, None, None, "its event ID is not text")
                continue
            rejected = reason is not None or event_id in rejections
            self.stored[event_id] = Stored(
                number_of(groups.get(event_id)), bool(outlier), rejected, bool(fetched)
            )
            yield self._entry(event_id, texts)

    def _of_events(self, column: str, table: str, ids: Iterable[EventId]) -> dict[EventId, object]:
        """Return a column of some events' rows in another table. Of several rows, the first counts."""
        found: dict[EventId, object] = {}
        sql = f"SELECT event_id, {column} FROM {table} WHERE event_id"
        for raw_id, value in rows_among(self.database, sql, ids):
            if (event_id := text_of(raw_id)) is not None:
                found.setdefault(event_id, value)
        return found

    def _entry(self, event_id: EventId, texts: Mapping[EventId, object]) -> Entry:
        place = Place(None, f"event_json, {event_id if len(event_id) <= _LONGEST_ID else shorten(event_id)}")
        error = None
        value = None
        raw = texts.get(event_id)
        text = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw
        if event_id not in texts:
            error = "it has a row in events, but none in event_json"
        elif not isinstance(text, bytes):
            error = f"its JSON is not text: {shorten(text)}"
        elif len(text) > MAX_LINE_BYTES:
            error = f"its JSON has more than {MAX_LINE_BYTES} bytes"
        else:
            try:
                value = load_bounded(text)
            except RoomverError as problem:
                error = str(problem)
        return entry_of(Read(value, place, event_id, error), self.version)

    # What the server decided

    def beliefs(self) -> Beliefs:
        """Return what the server decided about the room's events."""
        # Looked up, event by event: a database may plan a join so that it goes through all rooms' events.
        events = self._ids("SELECT event_id FROM events WHERE room_id = ?")
        rejected = self._ids(
            "SELECT event_id FROM events WHERE room_id = ? AND rejection_reason IS NOT NULL"
        ).union(self._of_events("event_id", "rejections", events))
        marked = rows_among(
            self.database,
            "SELECT event_id, internal_metadata FROM event_json"
            " WHERE internal_metadata LIKE '%soft_failed%' AND event_id",
            events,
        )
        self.soft_failed = frozenset(
            event_id
            for raw, metadata in marked
            if (event_id := text_of(raw)) is not None and object_of(metadata).get("soft_failed") is True
        )
        # Without members, the server is not in the room, and keeps no current state.
        state = self._ids("SELECT event_id FROM current_state_events WHERE room_id = ?")
        ends = self._ids(_ENDS)
        return Beliefs(
            rejected,
            self.soft_failed - rejected,
            state or None,
            extremities=ends or None,
            standing=read_standing(self.database, self.room_id),
            redactions=read_redactions(self.database, events),
        )

    def _ids(self, sql: str) -> frozenset[EventId]:
        rows = self.database.rows(sql, self.room_id)
        return frozenset(event_id for (raw,) in rows if (event_id := text_of(raw)) is not None)

    # States

    def find_states(self, events: Mapping[EventId, Event]) -> KnownStates:
        """Return the states before the events after gaps, and what is kept beside the room's graph."""
        stored = self.stored
        outliers = [event_id for event_id in events if event_id in stored and stored[event_id].outlier]
        if len(outliers) == len(events):
            return KnownStates()  # the server is not in the room
        gaps = find_gaps(events, stored)
        partial = self._ids("SELECT event_id FROM partial_state_events WHERE room_id = ?")
        given: dict[EventId, StateMap[EventId]] = {}
        unknown: dict[EventId, str] = {}
        if gaps and self.has_states:
            groups = StateGroups(self.database, self.room_id, events)
            given, unknown = states_before(gaps, stored, groups, partial)
            # An event that was accepted against a partial state vouches for nothing.
            doubtful = partial - self._ids(_JOINS)
            given = {event_id: _forget(state, doubtful) for event_id, state in given.items()}
        accepted, reached = self._reached(events, set(outliers), given)
        for join in self._ids(_JOINS):
            # The server that it was joined through had the full state, and let it in.
            if join in given and not stored[join].rejected:
                accepted.setdefault(join, set()).add(join)
        kept = frozenset(outliers)
        # Files may add events that the server has not received, and that follow missing ones.
        added = [event for event_id, event in events.items() if event_id not in stored]
        sure = all(prev in events for event in added for prev in event.prev_event_ids)
        # Without ends, nothing tells whether the server has received more events than it has now.
        ends = self._ids(_ENDS) or None
        return KnownStates(
            given,
            accepted,
            kept if sure and ends is not None else None,
            ends,
            kept - reached,
            self._backfilled(events, ends or frozenset()),
            unknown,
        )

    def _backfilled(self, events: Mapping[EventId, Event], ends: frozenset[EventId]) -> frozenset[EventId]:
        """Return the events that the server fetched from the history of the room.

        An event that it fetched as an auth event, and received later, may have been checked against the
        current state, or be an end.
        """
        stored = self.stored
        fetched = {e for e in events if e in stored and stored[e].fetched and not stored[e].outlier}
        return frozenset(fetched - ends - self.soft_failed)

    def _reached(
        self,
        events: Mapping[EventId, Event],
        outliers: Collection[EventId],
        given: Mapping[EventId, StateMap[EventId]],
    ) -> tuple[dict[EventId, set[EventId]], set[EventId]]:
        """Return the accepted outliers by the first stored event based on them, and all that have any."""
        accepted: dict[EventId, set[EventId]] = {}
        sure: set[EventId] = set()
        reached: set[EventId] = set()
        for event_id, event in events.items():
            if event_id in outliers:
                continue
            based = [*event.auth_event_ids, *event.prev_event_ids]
            if event_id in given:
                based += entries_of(given[event_id]).values()
            # The server has judged what its own events are based on. Those of files may cite anything.
            if event_id in self.stored:
                found = self._chain(based, events, outliers, sure)
                if held := {one for one in found if not self.stored[one].rejected}:
                    accepted[event_id] = held
            self._chain(based, events, outliers, reached)
        return accepted, reached

    @staticmethod
    def _chain(
        based: Iterable[EventId],
        events: Mapping[EventId, Event],
        outliers: Collection[EventId],
        seen: set[EventId],
    ) -> list[EventId]:
        """Return the new outliers among some events and in their auth chains, and add them to the seen ones.

        Cost: each outlier is walked through once for each set of seen ones.
        """
        found = []
        todo = list(based)
        while todo:
            one = todo.pop()
            if one in outliers and one not in seen:
                seen.add(one)
                found.append(one)
                todo += events[one].auth_event_ids
        return found


def _forget(state: StateMap[EventId], doubtful: Collection[EventId]) -> StateMap[EventId]:
    """Return a state in which the keys of some events are unknown."""
    keys = frozenset(key for key, event_id in entries_of(state).items() if event_id in doubtful)
    if not keys:
        return state
    unknown = Unknown("accepted while the server had a partial state", keys=keys)
    return known_in_part(
        changed_entries(entries_of(state), dict.fromkeys(keys)), (*unknown_of(state), unknown)
    )
