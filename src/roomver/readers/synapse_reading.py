"""One room in Synapse's database: its events one after another, and what the server knows beside them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from ..canonical import shorten
from ..claims import forget_events
from ..entry import Entry, Place
from ..errors import RoomverError
from ..event import Event
from ..known_states import Beliefs, KnownStates
from ..state import Unknown, entries_of
from ..types import EventId, JsonValue, RoomId, StateMap
from ..versions import RoomVersion
from .database import AT_ONCE, Database, number_of, object_of, rows_among, text_of
from .entries import Read, entry_of
from .lines import MAX_LINE_BYTES, load_bounded
from .synapse_apart import check_belongs
from .synapse_arrival import Arrived, rows_in_order
from .synapse_gaps import Stored, find_gaps, states_before
from .synapse_room import read_redactions, read_standing
from .synapse_state import StateGroups

_LONGEST_ID: Final = 255
_DOUBTFUL: Final = Unknown("accepted while the server had a partial state")


_JOINS: Final = "SELECT join_event_id FROM partial_state_rooms WHERE room_id = ?"
_PARTIAL: Final = "SELECT event_id FROM partial_state_events WHERE room_id = ?"
_ENDS: Final = "SELECT event_id FROM event_forward_extremities WHERE room_id = ?"


@dataclass(slots=True)
class Reading:
    """The reading of one room.

    Attributes:
        database: the one that has the events.
        states: the one that has the state groups; None if that is unknown.
        stored: what the database says of each event that has been read.
        soft_failed: the events that the server soft-failed, once `beliefs` was called.
    """

    database: Database
    room_id: RoomId
    version: RoomVersion
    states: Database | None
    stored: dict[EventId, Stored] = field(default_factory=dict)
    soft_failed: frozenset[EventId] = frozenset()

    # Events

    def has_events(self) -> bool:
        """Tell whether there are any."""
        return any(self.database.rows("SELECT 1 FROM events WHERE room_id = ? LIMIT 1", self.room_id))

    def entries(self) -> Iterator[Entry]:
        """Yield an entry for each event: first those received, as they came, then those fetched."""
        number = 0
        rows = rows_in_order(self.database, self.room_id)
        while some := list(islice(rows, AT_ONCE)):
            yield from self._entries(some, number)
            number += len(some)

    def _entries(self, rows: Sequence[Arrived], before: int) -> Iterator[Entry]:
        """Yield the entries of some rows of events.

        Args:
            rows: the rows.
            before: how many rows of the room came before them.
        """
        ids = [row.event_id for row in rows if row.event_id is not None]
        groups = self._of_events("state_group", "event_to_state_groups", ids)
        rejections = self._of_events("event_id", "rejections", ids)
        texts = self._of_events("json", "event_json", ids)
        for number, row in enumerate(rows, before + 1):
            event_id = row.event_id
            if event_id is None:
                place = Place(None, f"events, row {number}")
                yield Entry(place, None, None, "its event ID is not text", is_row=True)
                continue
            entry = self._entry(event_id, texts)
            self.stored[event_id] = Stored(
                number_of(groups.get(event_id)),
                row.outlier,
                row.rejected or event_id in rejections,
                _replaced_by(entry.pdu),
                row.fetched,
            )
            yield entry

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
            else:
                error = None if type(value) is dict else "expected a JSON object"
        return entry_of(Read(value, place, event_id, error), self.version)._replace(is_row=True)

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
            partial=bool(self._ids(_JOINS)),
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
            # The server is not in the room.
            return KnownStates(unsettled=frozenset(outliers), tells_states=self.states is not None)
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
            *self._how_they_came(events, ends or frozenset()),
            unknown,
            unsettled=kept | partial,
            tells_states=self.states is not None,
        )

    def _how_they_came(
        self, events: Mapping[EventId, Event], ends: frozenset[EventId]
    ) -> tuple[frozenset[EventId], frozenset[EventId]]:
        """Return the events that the server fetched from the history, and those that it may have fetched.

        An event that it fetched is neither an end nor soft-failed. If it is one of these, the server received
        it after all, and the place at which it did is not known.
        """
        stored = [(e, self.stored[e]) for e in events if e in self.stored and not self.stored[e].outlier]
        fetched = {event_id for event_id, row in stored if row.fetched}
        doubtful = (fetched & (ends | self.soft_failed)).union(e for e, row in stored if row.fetched is None)
        return frozenset(fetched - doubtful), frozenset(doubtful)

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
        if not event_ids or self.states is None:
            return {}, {}
        if self.states is not self.database:
            check_belongs(self.states, self.database, self.room_id, events, self.stored)
        groups = StateGroups(self.states, self.room_id, events)
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


def _replaced_by(pdu: JsonValue) -> EventId | None:
    """Return the event that an event replaced in the state, as the server noted on receipt."""
    unsigned = pdu.get("unsigned") if type(pdu) is dict else None
    noted = unsigned.get("replaces_state") if type(unsigned) is dict else None
    return noted if type(noted) is str else None
