"""Where a room is while some of its events are undecided because a state is known in part.

A room that was joined without its members decides events as far as it knows their state. An event that it
cannot decide may turn out to be accepted, rejected or soft-failed. What is said in the meantime must be right
in each case. So the state after such an event has its own key unknown, and the current state is known only
where it does not depend on such events.
"""

from ..event import Event
from ..state import PartialState, State, Unknown, changed_entries, entries_of, same_unknown, unknown_of
from ..types import EventId
from .memory import MemoryStore
from .receipt import Lacking, Receipt, ReceiptStatus

UNDECIDED = "an undecided event may change it"


def lost() -> PartialState[EventId]:
    """Return a current state of which nothing is known."""
    return PartialState({}, [Unknown.everything("undecided events may change it")])


def may_follow(lacking: Lacking, store: MemoryStore) -> bool:
    """Tell whether others may follow an undecided event, the state before which is known in part.

    They may not if it lacks events that have not come: others that follow it would not be decided either if
    that state were known in whole. Events that came are undecided for the same reason.
    """
    return all(one in store.states for one in (*lacking.auth_events, *lacking.events))


def state_after_undecided(event: Event, before: State[EventId]) -> State[EventId]:
    """Return what is known of the state after an event, whatever is decided about the event."""
    if event.state_key is None:
        return before
    key = (event.type, event.state_key)
    known = changed_entries(before.known, {key: None})
    unknown = (*(one.renewed() if one.covers(key) else one for one in before.unknown),)
    if not any(one.covers(key) for one in unknown):
        unknown += (Unknown(UNDECIDED, keys=frozenset([key]), event_id=event.event_id),)
    return PartialState(known, unknown)


def same(one: State[EventId], other: State[EventId]) -> bool:
    """Tell whether two states are the same, also in what is unknown of them."""
    return same_unknown(unknown_of(one), unknown_of(other)) and entries_of(one) == entries_of(other)


def follow_undecided(store: MemoryStore, event: Event, before: State[EventId]) -> None:
    """Note in a store that an undecided event has come.

    The state after it is known in part. If it is accepted, it is a forward extremity; otherwise it changes
    nothing.

    Invariant: if `MemoryStore.current_state` is None, the extremities of the store are those of the room.
    Otherwise they are those that the room would have if all undecided events were accepted; and either all of
    them have the current state after them, or nothing of that is known.
    """
    prev = frozenset(event.prev_event_ids)
    after = state_after_undecided(event, before)
    now = store.current_state
    if now is None:
        now = before if prev == store.extremities else _common(store)
    left = store.extremities - prev
    store.states[event.event_id] = after
    store.extremities = left | {event.event_id}
    known = now is not None and same(now, before) and (not left or event.state_key is None)
    store.current_state = after if known else lost()


def follow_decided(store: MemoryStore, receipt: Receipt) -> None:
    """Note in a store that a decided event has come, after `MemoryStore.take`."""
    after, now = receipt.state_after, store.current_state
    if now is None or receipt.status is not ReceiptStatus.ACCEPTED:
        return
    if len(store.extremities) == 1:
        # It follows all events that may be extremities, whatever is decided about them.
        store.current_state = None
    elif after is None or not same(now, after):
        store.current_state = lost()


def _common(store: MemoryStore) -> State[EventId] | None:
    """Return the state after all forward extremities; None if they do not have the same."""
    first, *others = (store.states.get(one) for one in sorted(store.extremities))
    if first is None or any(other is None or not same(first, other) for other in others):
        return None
    return first
