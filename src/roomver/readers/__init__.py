"""Reading rooms, states and keys from files and streams.

Besides the command line this is the only part of the package that does input. It hands on JSON values:
whether a value is an event, and a good one, is decided on lower floors.
"""

from .entries import InputError
from .headers import Header
from .keys import ReadKeys, read_keys
from .rooms import Room, fit_entry, read_event, read_room, read_rooms
from .state_ids import read_state_ids

__all__ = [
    "Header",
    "InputError",
    "ReadKeys",
    "Room",
    "fit_entry",
    "read_event",
    "read_keys",
    "read_room",
    "read_rooms",
    "read_state_ids",
]
