"""Reading rooms, states and keys from files, streams and databases.

Apart from the command line, this is the only part of the package that reads input. It passes on JSON values;
lower floors decide whether a value is a valid event.
"""

from .database import is_database
from .entries import InputError, NoRoom
from .headers import Header
from .keys import ReadKeys, read_keys, read_signing_keys
from .listing import named_room, rooms_in
from .rooms import (
    Room,
    RoomPart,
    fit_entry,
    read_event,
    read_parts,
    read_room,
    read_rooms,
)
from .several import RoomSummary
from .source import NoSuchRoom, RoomSource, SeveralRooms
from .state_ids import read_state_ids
from .synapse import SynapseSource, open_synapse, open_synapses
from .version_files import read_version

__all__ = [
    "Header",
    "InputError",
    "NoRoom",
    "NoSuchRoom",
    "ReadKeys",
    "Room",
    "RoomPart",
    "RoomSource",
    "RoomSummary",
    "SeveralRooms",
    "SynapseSource",
    "fit_entry",
    "is_database",
    "named_room",
    "open_synapse",
    "open_synapses",
    "read_event",
    "read_keys",
    "read_parts",
    "read_room",
    "read_rooms",
    "read_signing_keys",
    "read_state_ids",
    "read_version",
    "rooms_in",
]
