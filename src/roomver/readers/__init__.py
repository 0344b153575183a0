"""Reading rooms, states and keys from files, streams and databases.

Apart from the command line, this is the only part of the package that reads input. It passes on JSON values;
lower floors decide whether a value is a valid event.
"""

from .database import is_database
from .entries import InputError
from .headers import Header
from .keys import ReadKeys, read_keys, read_signing_keys
from .rooms import Room, fit_entry, join_rooms, read_event, read_room, read_rooms
from .source import RoomSource, RoomSummary
from .state_ids import read_state_ids
from .synapse import open_synapse

__all__ = [
    "Header",
    "InputError",
    "ReadKeys",
    "Room",
    "RoomSource",
    "RoomSummary",
    "fit_entry",
    "is_database",
    "join_rooms",
    "open_synapse",
    "read_event",
    "read_keys",
    "read_room",
    "read_rooms",
    "read_signing_keys",
    "read_state_ids",
]
