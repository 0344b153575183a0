"""`Room`: receive and make events of one room, in memory.

For tools, tests and bots that follow a room without a database. Events may come in any order: an undecided
one waits until what it lacks has come. Nothing here checks anything: `roomver.receive` and `roomver.make` do.

A room that was joined without its members is known in part. Its events are received again, in the same order,
once the whole state is known. `roomver.receive.unclear` tells what can be decided until then.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .errors import Defect, MissingEvents, WrongRoom
from .findings import EventCheck
from .hashing import compute_reference_hash
from .keys import NO_KEYS, KeyRing
from .make import JoinCheck, Made, make_steps
from .receive import (
    GivenState,
    MemoryStore,
    Receipt,
    ReceiptStatus,
    check_state_steps,
    receive_checked_steps,
    receive_steps,
    state_before_steps,
)
from .receive.receipt import dropped_for_its_id
from .receive.unclear import follow_decided, follow_undecided, may_follow, state_after_undecided
from .state import PartialState, State, completed_from, contradict
from .steps import run
from .types import EventId, RoomId, StateKey, UserId
from .versions import RoomVersion, version_record

__all__ = ["Room"]


class _Begun(NamedTuple):
    """What a room began with that was joined, and what came since."""

    join: EventCheck
    state: State[EventId]
    """The state before the join."""
    told: dict[EventId, Receipt]
    """The events that other servers told with the state, by event ID."""
    came: dict[EventId, tuple[object, EventCheck]]
    """The PDUs that were received since, with checks 1 to 3, by event ID, in their order."""


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
        waiting: the receipts of the events that are not stored yet, by event ID, in the order in which they
            came: undecided ones, and rejected ones before which the state is unknown. Each is received again
            when something that it lacks comes. They are found by what they lack, so no other order is kept.

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
        # None if no state before a join is known in part.
        self._begun: _Begun | None = None

    @classmethod
    def joined(cls, checked: JoinCheck, ring: KeyRing = NO_KEYS, *, signatures: bool = True) -> "Room":
        """Begin a room with the response to a join: the state before it, and the join.

        The receipts of the events of the response have no state before them, and the room has no other events
        before the join. If the state is known in part, for example because members were omitted, events that
        depend on the rest are undecided, and so may be the join. They wait until `complete` gives the state.

        Args:
            checked: the result of `roomver.make.check_send_join_steps`.
            ring, signatures: as for any room.

        Raises:
            ValueError: unless ``checked.refused`` is False.
        """
        if checked.refused is not False or checked.state is None:
            raise ValueError("a room begins with a response that is not refused: see checked.refused")
        room = cls(checked.join.room_version, ring, room_id=checked.join.room_id, signatures=signatures)
        room._begin(_Begun(checked.check, checked.state, _stored(checked.given), {}))
        return room

    @property
    def partial(self) -> bool:
        """Whether the state before the join is known in part: see `complete`."""
        return self._begun is not None

    def complete(self, response: object) -> GivenState:
        """Complete the state before the join, and decide again what was undecided.

        All events that came since the join are received again, in the same order. So the room is as if it had
        been joined with the whole state. No decision is reversed.

        Args:
            response: the body of the response to ``/state`` for the join: see
                `roomver.receive.check_state_steps`. It is not trusted.

        Returns:
            The result of the check. If `GivenState.refused` is not False, the room stays as it is. A state
            that contradicts what is known of it is refused. If some of its events cannot be used, the room
            is still `partial`.

        Raises:
            ValueError: if the room is not `partial`.
        """
        begun, room_id = self._begun, self.room_id
        if begun is None or room_id is None:
            raise ValueError("the room has no state before a join that is known in part")
        steps = check_state_steps(response, self.version, room_id=room_id, signatures=self._signatures)
        given = run(steps, self._store)
        if given.refused is not False or given.state is None:
            return given
        if contradict(begun.state, given.state):
            defect = Defect(
                "pdus", "the state before the join", "a state that contradicts what is known of it"
            )
            return given._replace(state=None, defects=(defect,))
        state = completed_from(begun.state, given.state)
        assert isinstance(state, State)  # because both are
        self._store = MemoryStore(self.ring)
        for kept in (self.receipts, self.waiting, self._unsigned, self._followers):
            kept.clear()
        self._begin(_Begun(begun.join, state, {**begun.told, **_stored(given)}, {}))
        for pdu, check in begun.came.values():
            self._received(pdu, run(receive_checked_steps(check, graph=self._store.graph), self._store))
        return given

    def _begin(self, begun: _Begun) -> None:
        """Begin with the state before a join, and the join."""
        store, event = self._store, begun.join.usable
        assert event is not None  # the response to the join is not refused
        for event_id, told in begun.told.items():
            store.take(told)
            self.receipts[event_id] = told
        steps = receive_checked_steps(begun.join, state_before=begun.state, graph=store.graph)
        receipt = run(steps, store)
        before = receipt.state_before
        assert before is not None  # it is given
        self._begun = None
        self._keep(event.event_id, receipt)
        # Even if the join is rejected: the room has nothing that it could follow.
        store.extremities = frozenset([event.event_id])
        if isinstance(before, PartialState):
            self._begun = begun
        if not receipt.decided:
            store.states[event.event_id] = store.current_state = state_after_undecided(event, before)

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
            if self._begun is not None:
                self._begun.came.pop(event_id, None)
            self.receive(pdu)

    @property
    def extremities(self) -> frozenset[EventId]:
        """The IDs of the forward extremities. While the room is `partial`, they may be undecided events."""
        return self._store.extremities

    @property
    def current_state(self) -> State[EventId]:
        """The current state: the state after the forward extremities, resolved.

        It is a `roomver.PartialState` if events that are undecided may change it.
        """
        if self._store.current_state is not None:
            return self._store.current_state
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
        receipt = run(
            receive_steps(
                pdu,
                self.version,
                claimed_id=claimed_id,
                graph=self._store.graph,
                signatures=self._signatures,
            ),
            self._store,
        )
        return self._received(pdu, receipt)

    def _received(self, pdu: object, receipt: Receipt) -> Receipt:
        """Store an event or let it wait, and decide what waits for it."""
        event = receipt.event
        if event is None:
            return receipt
        if self.room_id is not None and event.room_id != self.room_id:
            raise WrongRoom(f"{event.event_id} is in room {event.room_id}, not in {self.room_id}")
        earlier = self._earlier(event.event_id)
        if earlier is not None and earlier.event is not None:
            if compute_reference_hash(earlier.event) != compute_reference_hash(event):
                return dropped_for_its_id(receipt.check)
            if event.event_id in self.receipts:
                return earlier
        if self._begun is not None:
            self._begun.came.setdefault(event.event_id, (pdu, receipt.check))
        if receipt.lacking.keys and not receipt.decided:
            self._unsigned[event.event_id] = pdu
            self.waiting[event.event_id] = receipt
            return receipt
        self._take(event.event_id, receipt)
        return receipt

    def _earlier(self, event_id: EventId) -> Receipt | None:
        """Return the receipt of an event that was received before, if its signatures were checked."""
        receipt = self.receipts.get(event_id)
        if receipt is None and event_id not in self._unsigned:
            receipt = self.waiting.get(event_id)
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
        todo = [event_id] if self._keep(event_id, receipt) else []
        while todo:
            for follower in self._followers.pop(todo.pop(), ()):
                waits = self.waiting.get(follower)
                if waits is None:
                    continue
                # One at a time: each that is stored changes what the next is checked against.
                again = run(receive_checked_steps(waits.check, graph=self._store.graph), self._store)
                if self._keep(follower, again):
                    todo.append(follower)

    def _keep(self, event_id: EventId, receipt: Receipt) -> bool:
        """Store an event, or let it wait for what it lacks.

        Return whether the state after it has become known, at least in part, or it is stored.
        """
        event, store = receipt.event, self._store
        assert event is not None  # it was not dropped
        if receipt.decided and (receipt.state_before is not None or receipt.cites_itself):
            self.waiting.pop(event_id, None)
            store.take(receipt)
            follow_decided(store, receipt)
            self.receipts[event_id] = receipt
            if self.room_id is None and receipt.status is ReceiptStatus.ACCEPTED:
                self.room_id = event.room_id
            return True
        self.waiting[event_id] = receipt
        lacking = receipt.lacking
        for missing in (*lacking.auth_events, *lacking.prev_events, *lacking.events, *lacking.current):
            self._followers.setdefault(missing, {})[event_id] = None
        before = receipt.state_before
        if self._begun is None or before is None or event_id in store.states:
            return False
        if not may_follow(lacking, store):
            return False
        follow_undecided(store, event, before)
        return True

    def _receipt(self, event_id: EventId) -> Receipt:
        receipt = self.receipts.get(event_id)
        if receipt is None:
            raise MissingEvents([event_id], "the room")
        return receipt


def _stored(given: GivenState) -> dict[EventId, Receipt]:
    """Return the receipts of the events that are to be stored, by event ID."""
    return {one.stored.event.event_id: one for one in given.receipts if one.stored is not None}
