"""Synapse's database, in SQLite or PostgreSQL: its rooms, and what it knows of each.

Checked with Synapse 1.163.2, whose schema has version 94. Only one room is read at a time, by its index, and
its events one after another.
"""

from collections.abc import Sequence
from typing import Final

from ..contributions import Origin
from ..errors import UnknownRoomVersion
from ..types import EventId, RoomId
from ..versions import RoomVersion, version_named
from .database import Database, text_of
from .entries import InputError, NoVersion, with_advice
from .rooms import Room, RoomPart
from .several import RoomSummary, quoted
from .source import NoSuchRoom, choose_room, find_named
from .synapse_apart import open_together
from .synapse_events import how_named, room_of_alias, room_of_event
from .synapse_keys import read_keys
from .synapse_reading import Reading
from .synapse_room import read_standings
from .synapse_rooms import count_by_room, count_rejected, find_names
from .synapse_schema import NO_STATES, check_schema, missing_state_table
from .synapse_stamp import stamp_database

_EVENTS: Final = "SELECT room_id, count(*) FROM events GROUP BY room_id"


class SynapseSource:
    """A Synapse database.

    Attributes:
        name: what messages call it.
        notes: what a reader should be told about it.
    """

    def __init__(self, database: Database, states: Database | None = None) -> None:
        """Take a database and check that it is one of Synapse.

        Args:
            database: the one that has the events.
            states: the one that has the state groups, if that is another one.

        Raises:
            InputError: if it is not, or has a schema that cannot be read here.
        """
        self._database = database
        self.name: str = database.name
        self.notes: list[str] = database.notes
        self.schema: int = check_schema(database)
        self._states = states
        missing = missing_state_table(database)
        if states is not None:
            self.notes += [*states.notes, f"its states are read from {states.name}"]
        elif missing is None:
            self._states = database
        else:
            self.notes.append(f"it has no table {missing}: {NO_STATES}")

    def list_rooms(self) -> list[RoomSummary]:
        """Return its rooms, those with the most events first.

        Cost: one pass over an index of the events, and two over the current states.
        """
        rows, database = self._database.rows, self._database
        events = count_by_room(database, _EVENTS)
        joined = count_by_room(
            database,
            "SELECT room_id, sum(CASE WHEN type = 'm.room.member' AND membership = 'join' THEN 1 ELSE 0 END)"
            " FROM current_state_events GROUP BY room_id",
        )
        ends = count_by_room(
            database, "SELECT room_id, count(*) FROM event_forward_extremities GROUP BY room_id"
        )
        names, rejected, standings = find_names(database), count_rejected(database), read_standings(database)
        partial = {text_of(room_id) for (room_id,) in rows("SELECT room_id FROM partial_state_rooms")}
        # Of a room that the server is not in, or has joined in part, it does not know who is joined now.
        for room_id in partial.union(one for one, membership in standings.items() if membership != "join"):
            joined.pop(room_id or "", None)
        found = [
            RoomSummary(
                room_id,
                text_of(version),
                events.get(room_id, 0),
                joined.get(room_id),
                ends.get(room_id),
                room_id in partial,
                standings.get(room_id),
                names.get(room_id),
                rejected.get(room_id, 0),
            )
            for raw, version in rows("SELECT room_id, room_version FROM rooms")
            if (room_id := text_of(raw)) is not None
        ]
        return sorted(found, key=lambda room: (-(room.events or 0), room.room_id))

    def count_events(self) -> dict[RoomId, int]:
        """Return its rooms, each with the number of its events, which may be none.

        A room that has events, but is missing from the table of rooms, is among them: it cannot be read.

        Cost: one pass over an index of the events. This is the part of `list_rooms` that millions of rooms
        need.
        """
        events = count_by_room(self._database, _EVENTS)
        for (raw,) in self._database.rows("SELECT room_id FROM rooms"):
            if (room_id := text_of(raw)) is not None:
                events.setdefault(room_id, 0)
        return events

    def open_room(
        self,
        room_id: RoomId | None,
        version: RoomVersion | None,
        said_by: str = "",
        event_id: EventId | None = None,
    ) -> Room:
        """Begin to read a room. Arguments are those of `RoomSource.open_room`.

        Raises:
            NoSuchRoom: if there is no such room, or it has no events.
            InputError: if it cannot be read, if a room must be chosen, or if the event is in another room.
        """
        chosen, said = self._chosen(room_id, event_id)
        known = self._version(chosen, said, version, f" as {said_by} says" if said_by else "")
        reading = Reading(self._database, chosen, known, self._states)
        if not reading.has_events():
            raise NoSuchRoom(self.name, f"it has no events of {quoted(chosen)}")
        what = f"Synapse's database (schema {self.schema})"
        origin = Origin(
            self.name,
            what,
            read_keys(self._database, chosen),
            reading.beliefs(),
            reading.find_states,
            reading.states_at,
            in_order=True,
        )
        part = RoomPart(origin, reading.entries(), database=what)
        if event_id is not None and (how := how_named(self._database, event_id, chosen)):
            named = f"{quoted(chosen)} names the event {quoted(event_id)} {' and '.join(how)}"
            part.notes = [f"{self.name}: {named}, but the database has no row for it"]
            part.lacked = event_id
        return Room.of([part], known, chosen)

    def stamp(self, room_id: RoomId | None, event_id: EventId | None = None) -> list[object]:
        """Return what tells whether a room has changed since. Arguments are those of `open_room`.

        Raises:
            NoSuchRoom, InputError: as `open_room`.
        """
        chosen, _ = self._chosen(room_id, event_id)
        return [chosen, *stamp_database(self._database, self._states, chosen)]

    def _chosen(self, room_id: RoomId | None, event_id: EventId | None) -> tuple[RoomId, str | None]:
        """Return the room that is meant, and the version that the database says it has."""
        if room_id is not None and room_id.startswith("#"):
            room_id = room_of_alias(self._database, room_id)
        elif room_id is not None:
            room_id = self._whole_id(room_id)
        if event_id is not None:
            room_id = room_of_event(self._database, event_id, room_id)
        return self._choose(room_id)

    def _choose(self, room_id: RoomId | None) -> tuple[RoomId, str | None]:
        if room_id is not None:
            for (said,) in self._database.rows("SELECT room_version FROM rooms WHERE room_id = ?", room_id):
                return room_id, text_of(said)
            choose_room(self.name, self._named_rooms(), room_id)  # it says what is meant instead
        room = choose_room(self.name, self.list_rooms(), None)
        return room.room_id, room.version

    def _whole_id(self, wanted: str) -> RoomId:
        """Return the ID of the only room that is meant by a prefix of its ID or by its name, or the text."""
        if any(self._database.rows("SELECT room_id FROM rooms WHERE room_id = ?", wanted)):
            return wanted
        found = find_named(self._named_rooms(), wanted)
        return found[0].room_id if len(found) == 1 else wanted

    def must_mean_room(self, text: str) -> bool:
        """Tell whether a text is what a room is called here, in a call that has to choose one of several.

        Cost: the names of all rooms, if there are several.
        """
        if len(list(self._database.rows("SELECT room_id FROM rooms LIMIT 2"))) < 2:
            return False
        return bool(find_named(self._named_rooms(), text))

    def _named_rooms(self) -> list[RoomSummary]:
        """Return the rooms with no more than their names."""
        names = find_names(self._database)
        ids = [text_of(raw) for (raw,) in self._database.rows("SELECT room_id FROM rooms")]
        return [RoomSummary(one, None, None, name=names.get(one)) for one in ids if one is not None]

    def _version(
        self, room_id: RoomId, said: str | None, version: RoomVersion | None, says: str
    ) -> RoomVersion:
        if said is None:
            if version is None:
                reason = f"it does not give the room version of {quoted(room_id)}: give --room-version"
                raise NoVersion(self.name, reason)
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
        """Close the database, and the one that has its states."""
        self._database.close()
        if self._states is not None:
            self._states.close()


def open_synapse(name: str, *, immutable: bool = False) -> SynapseSource:
    """Open the database of a Synapse server for reading.

    Args:
        name: the path of an SQLite file, or the address of a PostgreSQL database.
        immutable: see `open_database`.

    Raises:
        InputError: if it cannot be opened, or is not Synapse's.
    """
    (source,) = open_synapses([name], immutable=immutable)
    assert source is not None  # None stands beside another one
    return source


def open_synapses(names: Sequence[str], *, immutable: bool = False) -> list[SynapseSource | None]:
    """Open the databases of Synapse servers for reading.

    Args:
        names: paths and addresses, as in `open_synapse`. One of them may have only the states of another.
        immutable: see `open_database`.

    Returns:
        A source for each name; None for the database that has only states, and is a part of another source.

    Raises:
        InputError: if one cannot be opened, or is not Synapse's.
    """
    opened = open_together(names, immutable=immutable)
    try:
        return [None if one is None else SynapseSource(*one) for one in opened]
    except BaseException:
        for one in opened:
            for database in one or ():
                if database is not None:
                    database.close()
        raise
