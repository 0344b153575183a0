"""A server of Synapse that keeps its states in a database of their own (`databases:` in homeserver.yaml).

The main database has the events and says which state group each has; the other one has the groups. Which
of several databases is the other one is told by their tables. Checked with Synapse 1.163.2.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from ..event import Event
from ..types import EventId, RoomId
from .database import Database, number_of, open_database, rows_among, text_of
from .entries import InputError
from .several import quoted
from .synapse_gaps import Stored
from .synapse_schema import has_only_states, missing_state_table

_WHICH: Final = "give it with the one database that it belongs to"


class Together(NamedTuple):
    """A database, and the one that has its states, if that is another one."""

    database: Database
    states: Database | None


def open_together(names: Sequence[str], *, immutable: bool = False) -> list[Together | None]:
    """Open databases. One may have only the states of another.

    That one is opened after the others. A server stores a state before the event that has it: so the groups
    of all events are there, although two databases cannot be read as of one moment.

    Args:
        names: paths and addresses.
        immutable: see `open_database`.

    Returns:
        For each name the database, with the one that has its states if that is another one; None for that
        one. A database with only states that comes without its server's events stands alone.

    Raises:
        InputError: if one cannot be opened, or if it cannot be told to which one the states belong.
    """
    opened: list[Database] = []
    with ExitStack() as stack:
        for name in names:
            opened.append(open_database(name, immutable=immutable))
            stack.callback(opened[-1].close)
        apart = [place for place, database in enumerate(opened) if has_only_states(database)]
        if not apart or len(apart) == len(opened):
            stack.pop_all()
            return [Together(database, None) for database in opened]
        owner = _owner([database for place, database in enumerate(opened) if place not in apart])
        if owner is None or len(apart) > 1:
            raise InputError(opened[apart[0]].name, f"it has only the state groups of a server; {_WHICH}")
        opened[apart[0]].close()
        states = opened[apart[0]] = open_database(names[apart[0]], immutable=immutable)
        stack.pop_all()
        return [
            None if database is states else Together(database, states if database is owner else None)
            for database in opened
        ]


def _owner(mains: Sequence[Database]) -> Database | None:
    """Return the database without state groups, or the only one. Its own may be from before they moved."""
    lacking = [database for database in mains if missing_state_table(database) is not None]
    found = lacking or mains
    return found[0] if len(found) == 1 else None


def check_belongs(
    states: Database,
    main: Database,
    room_id: RoomId,
    events: Mapping[EventId, Event],
    stored: Mapping[EventId, Stored],
) -> None:
    """Check that the state groups of one database are those of another's events.

    The group of an accepted state event was made for it. Groups of another server have the same numbers, and
    were made for other events.

    Args:
        states: the database with the state groups.
        main: the one with the events.
        room_id: the room.
        events: the usable events of the room.
        stored: what the main database says of them.

    Raises:
        InputError: if a group was made for another event.
    """
    made_for = {
        row.group: event_id
        for event_id, row in stored.items()
        if row.group is not None
        and not row.outlier
        and not row.rejected
        and event_id in events
        and events[event_id].state_key is not None
    }
    sql = "SELECT id, room_id, event_id FROM state_groups WHERE id"
    for raw, raw_room, raw_event in rows_among(states, sql, made_for):
        number, room, event_id = number_of(raw), text_of(raw_room), text_of(raw_event)
        if number in made_for and (room, event_id) != (room_id, made_for[number]):
            raise InputError(
                states.name,
                f"these are not the state groups of {main.name}: group {number} is of {event_id} in"
                f" {quoted(room or '')} here, and of {made_for[number]} in {quoted(room_id)} there",
            )
