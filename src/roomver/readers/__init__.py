"""Reading rooms and keys from files and streams.

The only place of the package, besides the command line, that does input. What it hands on is JSON values:
whether an entry is an event, and a good one, is for the floors below to say.
"""

from .entries import InputError
from .keys import ReadKeys, read_keys
from .rooms import Header, Room, read_room

__all__ = ["Header", "InputError", "ReadKeys", "Room", "read_keys", "read_room"]
