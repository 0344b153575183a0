"""A store in memory, for tools, tests and examples."""

from collections.abc import Mapping

from ..canonical import shorten
from ..hashing import compute_reference_hash
from ..keys import NO_KEYS, KeyRing
from ..resolution import RoomGraph
from ..state import State
from ..steps import Current, Stored
from ..types import EventId, KeyId, ServerName
from .receipt import Receipt


class MemoryStore:
    """What was received of one room, in memory: a `roomver.steps.Store`.

    It keeps the state after every event; the states share their entries.

    Attributes:
        ring: the verify keys, and the time. Assign another one when more is known.
        stored: the events, each with what was decided about it, by event ID, in the order in which they came.
        states: the state after each event, where it is known.
        extremities: the forward extremities.
        current_state: the current state; None to resolve it from the states after the extremities.
        graph: the room's graph, for `roomver.receive.receive_steps`.

    >>> from roomver.receive import receive_steps
    >>> from roomver.steps import run
    >>> store = MemoryStore()
    >>> store.take(run(receive_steps({"type": "m.room.message"}, "11"), store))
    >>> store.stored, store.extremities
    ({}, frozenset())
    """

    def __init__(self, ring: KeyRing = NO_KEYS) -> None:
        self.ring: KeyRing = ring
        self.stored: dict[EventId, Stored] = {}
        self.states: dict[EventId, State[EventId]] = {}
        self.extremities: frozenset[EventId] = frozenset()
        self.current_state: State[EventId] | None = None
        self.graph: RoomGraph = RoomGraph()

    def take(self, receipt: Receipt) -> None:
        """Store what a receipt says is to be stored: nothing if the event is undecided or dropped.

        Raises:
            ValueError: if another event is stored under its ID, which versions 1 and 2 allow.
        """
        stored, after = receipt.stored, receipt.state_after
        if stored is None:
            return
        event = stored.event
        earlier = self.stored.get(event.event_id)
        if earlier is not None and compute_reference_hash(earlier.event) != compute_reference_hash(event):
            raise ValueError(f"another event is stored under the ID {shorten(event.event_id, 300)}")
        self.stored[event.event_id] = stored
        if after is not None:
            self.states[event.event_id] = after
        if receipt.forward_extremities is not None:
            self.extremities = receipt.forward_extremities
        if event.state_key is not None:
            # A rejected event may cite messages, or events that are not here. No state rests on it then.
            parents = [parent for parent in event.auth_parents if parent in self.graph]
            self.graph.extend({event.event_id: parents})

    def events(self, event_ids: frozenset[EventId], /) -> Mapping[EventId, Stored]:
        """Return those of some events that are stored."""
        return {event_id: self.stored[event_id] for event_id in event_ids if event_id in self.stored}

    def keys(self, keys: frozenset[tuple[ServerName, KeyId]], /) -> KeyRing:
        """Return all known keys."""
        return self.ring

    def states_after(self, event_ids: frozenset[EventId], /) -> Mapping[EventId, State[EventId]]:
        """Return the states after some events, where they are known."""
        return {event_id: self.states[event_id] for event_id in event_ids if event_id in self.states}

    def current(self) -> Current:
        """Return the forward extremities, and the current state if it is kept."""
        return Current(self.extremities, self.current_state)
