"""`Room`: receive and make events of one room, in memory.

For tools, tests and bots that follow a room without a database. Events may come in any order: an undecided
one waits until what it lacks has come. Nothing here checks anything: `roomver.receive` and `roomver.make` do.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from .canonical import shorten
from .errors import MissingEvents, WrongRoom
from .findings import Finding, FindingKind, Reason
from .hashing import compute_reference_hash
from .keys import NO_KEYS, KeyRing
from .make import Made, make_steps
from .receive import (
    MemoryStore,
    Receipt,
    ReceiptStatus,
    receive_checked_steps,
    receive_steps,
    state_before_steps,
)
from .state import State
from .steps import run
from .types import EventId, RoomId, StateKey, UserId
from .versions import RoomVersion, version_record

__all__ = ["Room"]


class Room:
    """A room in memory, to which events come in any order.

    Args:
        version: the version of the room.
        ring: the verify keys, and the time.
        room_id: the room ID; None to take it from the first event that is accepted, which is a create event.
        signatures: check the signatures. Leave this out only for made-up events, which have none.

    Attributes:
        version: the record of the room version.
        room_id: the room ID; None before the first event, if it was not given.
        receipts: the receipt of each stored event, by event ID, in the order in which they were decided.
        waiting: the receipts of the events that are not stored yet, by event ID: undecided ones, and rejected
            ones before which the state is unknown. Each is received again when something that it lacks comes.

    >>> room = Room("11", signatures=False)
    >>> receipt = room.receive({"type": "m.room.message"})
    >>> receipt.status.value, room.extremities, len(room.current_state)
    ('dropped', frozenset(), 0)
    """

    def __init__(
        self,
        version: RoomVersion | str,
        ring: KeyRing = NO_KEYS,
        *,
        room_id: RoomId | None = None,
        signatures: bool = True,
    ) -> None:
        self.version: RoomVersion = version_record(version)
        self.room_id: RoomId | None = room_id
        self.receipts: dict[EventId, Receipt] = {}
        self.waiting: dict[EventId, Receipt] = {}
        self._store = MemoryStore(ring)
        self._signatures = signatures
        # PDUs that wait for keys.
        self._unsigned: dict[EventId, object] = {}
        # Missing event to the events that wait for it.
        self._followers: dict[EventId, dict[EventId, None]] = {}

    @property
    def ring(self) -> KeyRing:
        """The verify keys. Assign a larger ring to decide the events that wait for keys."""
        return self._store.ring

    @ring.setter
    def ring(self, ring: KeyRing) -> None:
        self._store.ring = ring
        for event_id, pdu in [*self._unsigned.items()]:
            del self._unsigned[event_id]
            del self.waiting[event_id]
            self.receive(pdu)

    @property
    def extremities(self) -> frozenset[EventId]:
        """The IDs of the forward extremities."""
        return self._store.extremities

    @property
    def current_state(self) -> State[EventId]:
        """The current state: the state after the forward extremities, resolved."""
        found = run(state_before_steps(self.extremities, graph=self._store.graph), self._store)
        assert found.state is not None  # the extremities are stored, with the states before them
        return found.state

    def state_before(self, event_id: EventId) -> State[EventId] | None:
        """Return the state before a stored event; None if it is unknown.

        Raises:
            MissingEvents: if the event is not stored.
        """
        return self._receipt(event_id).state_before

    def state_after(self, event_id: EventId) -> State[EventId] | None:
        """Return the state after a stored event; None if it is unknown.

        Raises:
            MissingEvents: if the event is not stored.
        """
        return self._receipt(event_id).state_after

    def history(self, kind: str, state_key: str) -> list[Receipt]:
        """Return the receipts of all stored events for a key of the state, in the order of `receipts`."""
        key: StateKey = (kind, state_key)
        stored = self._store.stored
        return [
            receipt
            for event_id, receipt in self.receipts.items()
            if (stored[event_id].event.type, stored[event_id].event.state_key) == key
        ]

    def receive(self, pdu: object, *, claimed_id: EventId | None = None) -> Receipt:
        """Receive an event, and then every waiting event that it decides.

        Args:
            pdu, claimed_id: as in `roomver.receive.receive_steps`.

        Returns:
            The receipt of this event. It is also in `receipts` if the event was stored, and in `waiting` if
            it waits. Of an event that is stored already, the earlier receipt.

        Raises:
            WrongRoom: if the event is of another room.
            CyclicGraph: as in `roomver.receive.receive_steps`.
        """
        store = self._store
        receipt = run(
            receive_steps(
                pdu,
                self.version,
                claimed_id=claimed_id,
                graph=store.graph,
                signatures=self._signatures,
            ),
            store,
        )
        event = receipt.event
        if event is None:
            return receipt
        if self.room_id is not None and event.room_id != self.room_id:
            raise WrongRoom(f"{event.event_id} is in room {event.room_id}, not in {self.room_id}")
        earlier = store.stored.get(event.event_id)
        if earlier is not None:
            if compute_reference_hash(earlier.event) == compute_reference_hash(event):
                return self.receipts[event.event_id]
            # In versions 1 and 2 the sender's server chooses the ID.
            reason = Reason("event_id", f"another event has the ID {shorten(event.event_id, 300)}")
            found = (*receipt.check.findings, Finding(FindingKind.SAME_ID, (reason,)))
            return Receipt(
                status=ReceiptStatus.DROPPED, check=receipt.check._replace(event=None, findings=found)
            )
        if receipt.lacking.keys and not receipt.decided:
            self._unsigned[event.event_id] = pdu
            self.waiting[event.event_id] = receipt
            return receipt
        self._take(event.event_id, receipt)
        return receipt

    def receive_all(self, pdus: Iterable[object]) -> None:
        """Receive events in any order."""
        for pdu in pdus:
            self.receive(pdu)

    def make(self, kind: str, sender: UserId, content: Mapping[str, object], **options: Any) -> Made:
        """Make an event. It is not received. The arguments are those of `roomver.make.make_steps`."""
        steps = make_steps(self.version, kind, sender, content, graph=self._store.graph, **options)
        return run(steps, self._store)

    def _take(self, event_id: EventId, receipt: Receipt) -> None:
        """Store an event or let it wait, and decide again what waits for it."""
        self._keep(event_id, receipt)
        todo = [event_id] if event_id in self.receipts else []
        while todo:
            for follower in self._followers.pop(todo.pop(), ()):
                waits = self.waiting.get(follower)
                if waits is None:
                    continue
                # One at a time: each that is stored changes what the next is checked against.
                self._keep(
                    follower, run(receive_checked_steps(waits.check, graph=self._store.graph), self._store)
                )
                if follower in self.receipts:
                    todo.append(follower)

    def _keep(self, event_id: EventId, receipt: Receipt) -> None:
        """Store an event, or let it wait for what it lacks."""
        if receipt.decided and (receipt.state_before is not None or receipt.cites_itself):
            self.waiting.pop(event_id, None)
            self._store.take(receipt)
            self.receipts[event_id] = receipt
            event = receipt.event
            if self.room_id is None and event is not None and receipt.status is ReceiptStatus.ACCEPTED:
                self.room_id = event.room_id
            return
        self.waiting[event_id] = receipt
        lacking = receipt.lacking
        for missing in (*lacking.auth_events, *lacking.prev_events, *lacking.events, *lacking.current):
            self._followers.setdefault(missing, {})[event_id] = None

    def _receipt(self, event_id: EventId) -> Receipt:
        receipt = self.receipts.get(event_id)
        if receipt is None:
            raise MissingEvents([event_id], "the room")
        return receipt
