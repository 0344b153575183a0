"""The differences between the room versions, as data.

Each room version is one frozen record. The stable ones and some unstable ones are here; `RoomVersion.derive`
makes others. These modules hold data, find it and check it: a module that implements an algorithm reads the
record to choose a branch.

Source: https://spec.matrix.org/latest/rooms/
"""

from .checks import RULE_LISTS
from .forms import EventIdForm, RoomIdForm, StateResolution
from .lookup import derived, get_room_version, is_known, list_changes, version_named, version_record
from .record import FIELDS, RoomVersion
from .stable import ROOM_VERSIONS, V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12
from .unstable import UNSTABLE_ROOM_VERSIONS

__all__ = [
    "FIELDS",
    "ROOM_VERSIONS",
    "RULE_LISTS",
    "UNSTABLE_ROOM_VERSIONS",
    "V1",
    "V2",
    "V3",
    "V4",
    "V5",
    "V6",
    "V7",
    "V8",
    "V9",
    "V10",
    "V11",
    "V12",
    "EventIdForm",
    "RoomIdForm",
    "RoomVersion",
    "StateResolution",
    "derived",
    "get_room_version",
    "is_known",
    "list_changes",
    "version_named",
    "version_record",
]
