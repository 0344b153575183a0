"""Room states: of event IDs and of events, known in whole or in part, and the changes between them.

A room state maps ``(type, state_key)`` to an event ID, or to an event where rules read it. Any mapping will
do. `RoomState` makes the next state at little cost. `PartialState` is known in part. Both are a `State`,
whose `State.events` reads a state of IDs as a state of events, and whose `State.changes_since` gives the
changes that a store keeps.
"""

from .base import State
from .events_of import EventsOf
from .partial import PartialState, entries_of, known_in_part, unknown_of

# For the other modules of this package; private.
from .partial import apply_changes as apply_changes
from .partial import changed_entries as changed_entries
from .partial import completed_from as completed_from
from .partial import contradict as contradict
from .partial import forget_strange as forget_strange
from .partial import lack_of as lack_of
from .partial import refuse_unknown as refuse_unknown
from .partial import same_unknown as same_unknown
from .room_state import RoomState
from .unknown import Unknown

__all__ = [
    "EventsOf",
    "PartialState",
    "RoomState",
    "State",
    "Unknown",
    "entries_of",
    "known_in_part",
    "unknown_of",
]
