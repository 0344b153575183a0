"""Synapse's database, in SQLite or PostgreSQL: its rooms, and what it knows of each.

Checked with Synapse 1.163.2, whose schema has version 94. Only one room is read at a time, by its index, and
its events one after another.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from ..canonical import shorten
from ..contributions import Origin
from ..entry import Entry, Place
from ..errors import RoomverError, UnknownRoomVersion
from ..event import Event
from ..known_states import Beliefs, KnownStates
from ..merging import forget_events
from ..state import entries_of
from ..types import EventId, JsonObject, RoomId, StateMap
from ..versions import RoomVersion, version_named
from .database import Database, number_of, open_database, text_of
from .entries import InputError, Read, entry_of, with_advice
from .lines import MAX_LINE_BYTES, load_bounded
from .rooms import Room, RoomPart
from .several import RoomSummary, quoted
from .source import NoSuchRoom, choose_room
from .synapse_keys import object_of, read_keys_of
from .synapse_schema import check_schema, missing_state_table
from .synapse_state import StateGroups, Stored, find_gaps, states_before

_LONGEST_ID: Final = 255
_DOUBTFUL: Final = "accepted while the server had a partial state"


def _only(column: str, table: str) -> str:
    """Return a query for a column of an event's row in another table.

    It takes one row if a damaged database has several: a join would multiply them.
    """
    return f"(SELECT x.{column} FROM {table} x WHERE x.event_id = e.event_id LIMIT 1)"


_EVENTS: Final = (
    f"SELECT e.event_id, e.outlier, e.rejection_reason, {_only('event_id', 'rejections')},"
    f" {_only('state_group', 'event_to_state_groups')}, {_only('event_id', 'event_json')},"
    f" {_only('json', 'event_json')} FROM events e WHERE e.room_id = ?"
)
# Events that were fetched later lie before the others. The order of their arrival is not known.
_IN_ORDER: Final = (
    _EVENTS + " AND e.stream_ordering < 0 ORDER BY e.topological_ordering, e.stream_ordering DESC",
    _EVENTS + " AND e.stream_ordering >= 0 ORDER BY e.stream_ordering",
)
_JOINS: Final = "SELECT join_event_id FROM partial_state_rooms WHERE room_id = ?"
_PARTIAL: Final = "SELECT event_id FROM partial_state_events WHERE room_id = ?"
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
            self.notes.append(f"it has no table {missing}: no state at a gap of a room is known")

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
        partial = {text_of(room_id) for (room_id,) in rows("SELECT room_id FROM partial_state_rooms")}
        found = [
            RoomSummary(
                room_id,
                text_of(version),
                events.get(room_id, 0),
                joined.get(room_id, 0),
                ends.get(room_id, 0),
                room_id in partial,
            )
            for raw, version in rows("SELECT room_id, room_version FROM rooms")
            if (room_id := text_of(raw)) is not None
        ]
        return sorted(found, key=lambda room: (-(room.events or 0), room.room_id))

    def _counts(self, sql: str) -> dict[RoomId, int]:
        counted = ((text_of(room_id), number) for room_id, number in self._database.rows(sql))
        return {room_id: number for room_id, number in counted if room_id is not None}

    def open_room(self, room_id: RoomId | None, version: RoomVersion | None, said_by: str = "") -> Room:
        """Begin to read a room. Arguments are those of `RoomSource.open_room`.

        Raises:
            NoSuchRoom: if there is no such room, or it has no events.
            InputError: if it cannot be read, or if a room must be chosen.
        """
        chosen, said = self._choose(room_id)
        known = self._version(chosen, said, version, f" as {said_by} says" if said_by else "")
        reading = _Reading(self._database, chosen, known, has_states=self._has_states)
        if not reading.has_events():
            raise NoSuchRoom(self.name, f"it has no events of {quoted(chosen)}")
        what = f"Synapse's database (schema {self.schema})"
        origin = Origin(
            self.name,
            what,
            read_keys_of(self._database, chosen),
            reading.beliefs(),
            reading.find_states,
            reading.states_at,
            in_order=True,
        )
        return Room.of([RoomPart(origin, reading.entries(), database=what)], known, chosen)

    def _choose(self, room_id: RoomId | None) -> tuple[RoomId, str | None]:
        if room_id is not None:
            for (said,) in self._database.rows("SELECT room_version FROM rooms WHERE room_id = ?", room_id):
                return room_id, text_of(said)
        room = choose_room(self.name, self.list_rooms(), room_id)
        return room.room_id, room.version

    def _version(
        self, room_id: RoomId, said: str | None, version: RoomVersion | None, says: str
    ) -> RoomVersion:
        if said is None:
            if version is None:
                reason = f"it does not give the room version of {quoted(room_id)}: give --room-version"
                raise InputError(self.name, reason)
            return version
        try:
            known = version_named(said, version)
        except UnknownRoomVersion as error:
            raise InputError(self.name, f"{quoted(room_id)}: {with_advice(error)}") from None
        if version is not None and version is not known:
            raise InputError(
                self.name, f"it says that {quoted(room_id)} has room version {known}, not {version}{says}"
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
    """

    database: Database
    room_id: RoomId
    version: RoomVersion
    has_states: bool
    stored: dict[EventId, Stored] = field(default_factory=dict)

    # Events

    def has_events(self) -> bool:
        """Tell whether there are any."""
        return any(self.database.rows("SELECT 1 FROM events WHERE room_id = ? LIMIT 1", self.room_id))

    def entries(self) -> Iterator[Entry]:
        """Yield an entry for each event: first those fetched later, then the others as they came."""
        number = 0
        for sql in _IN_ORDER:
            for row in self.database.rows(sql, self.room_id):
                number += 1
                yield self._entry(row, number)

    def _entry(self, row: tuple[object, ...], number: int) -> Entry:
        raw_id, outlier, reason, rejection, group, has_json, raw = row
        event_id = text_of(raw_id)
        if event_id is None:
            place = Place(None, f"events, row {number}")
            return Entry(place, None, None, "its event ID is not text")
        place = Place(None, f"event_json, {event_id if len(event_id) <= _LONGEST_ID else shorten(event_id)}")
        rejected = reason is not None or rejection is not None
        error = None
        value = None
        text = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw
        if has_json is None:
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
        unsigned = value.get("unsigned") if type(value) is dict else None
        noted = unsigned.get("replaces_state") if type(unsigned) is dict else None
        replaces = noted if type(noted) is str else None
        self.stored[event_id] = Stored(number_of(group), bool(outlier), rejected, replaces)
        return entry_of(Read(value, place, event_id, error), self.version)

    # What the server decided

    def beliefs(self) -> Beliefs:
        """Return what the server decided about the room's events."""
        rejected = self._ids(
            "SELECT e.event_id FROM events e LEFT JOIN rejections r ON r.event_id = e.event_id"
            " WHERE e.room_id = ? AND (r.event_id IS NOT NULL OR e.rejection_reason IS NOT NULL)"
        )
        marked = self.database.rows(
            "SELECT j.event_id, j.internal_metadata FROM events e"
            " JOIN event_json j ON j.event_id = e.event_id"
            " WHERE e.room_id = ? AND j.internal_metadata LIKE '%soft_failed%'",
            self.room_id,
        )
        soft_failed = frozenset(
            event_id
            for raw, metadata in marked
            if (event_id := text_of(raw)) is not None and _metadata(metadata).get("soft_failed") is True
        )
        # Without members, the server is not in the room, and keeps no current state.
        state = self._ids("SELECT event_id FROM current_state_events WHERE room_id = ?")
        ends = self._ids(_ENDS)
        return Beliefs(rejected, soft_failed - rejected, state or None, extremities=ends or None)

    def _ids(self, sql: str) -> frozenset[EventId]:
        rows = self.database.rows(sql, self.room_id)
        return frozenset(event_id for (raw,) in rows if (event_id := text_of(raw)) is not None)

    # States

    def find_states(self, events: Mapping[EventId, Event]) -> KnownStates:
        """Return the states before the events after gaps, and what is kept beside the room's graph."""
        stored = self.stored
        outliers = [event_id for event_id in events if event_id in stored and stored[event_id].outlier]
        if len(outliers) == len(events):
            # The server is not in the room.
            return KnownStates(unsettled=frozenset(outliers), tells_states=self.has_states)
        gaps = find_gaps(events, stored)
        partial = self._ids(_PARTIAL)
        joins = self._ids(_JOINS)
        given, unknown = self._states_before(gaps, events, partial, joins)
        accepted, reached = self._reached(events, set(outliers), given)
        for join in joins:
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
            unknown,
            unsettled=kept | partial,
            partial=bool(joins),
            tells_states=self.has_states,
        )

    def states_at(
        self, event_ids: Collection[EventId], events: Mapping[EventId, Event]
    ) -> Mapping[EventId, StateMap[EventId]]:
        """Return the states that the server had before some events, as far as it has them."""
        stored = self.stored
        mine = [e for e in event_ids if e in stored and not stored[e].outlier and e in events]
        partial = self._ids(_PARTIAL)
        return self._states_before(mine, events, partial, self._ids(_JOINS))[0]

    def _states_before(
        self,
        event_ids: Sequence[EventId],
        events: Mapping[EventId, Event],
        partial: frozenset[EventId],
        joins: frozenset[EventId],
    ) -> tuple[dict[EventId, StateMap[EventId]], dict[EventId, str]]:
        if not event_ids or not self.has_states:
            return {}, {}
        groups = StateGroups(self.database, self.room_id, events)
        given, unknown = states_before(event_ids, self.stored, groups, partial)
        # An event that was accepted against a partial state vouches for nothing.
        doubtful = partial - joins
        return {e: forget_events(state, doubtful, _DOUBTFUL) for e, state in given.items()}, unknown

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


def _metadata(raw: object) -> JsonObject:
    with suppress(RoomverError):
        return object_of(text_of(raw))
    return {}
