"""Reading rooms, states and keys from files and streams.

Apart from the command line, this is the only part of the package that reads input. It passes on JSON values;
lower floors decide whether a value is a valid event.
"""

from .entries import InputError
from .headers import Header
from .keys import ReadKeys, read_keys
from .rooms import Room, fit_entry, read_event, read_room, read_rooms, rooms_in
from .several import ListedRoom
from .state_ids import read_state_ids

__all__ = [
    "Header",
    "InputError",
    "ListedRoom",
    "ReadKeys",
    "Room",
    "fit_entry",
    "read_event",
    "read_keys",
    "read_room",
    "read_rooms",
    "read_state_ids",
    "rooms_in",
]
