"""Make a case of the vectors from what happened in a room: an event was judged, or states were resolved.

A case has only the events that decide it. `capture_auth` and `capture_resolution` choose them. `anonymised`
gives the events and everything that names them new names, and checks that the outcome is the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ..anonymous import anonymise
from ..entry import Entry, Place
from ..errors import MissingEvents, RoomverError, UnknownState
from ..event import Event, parse_event
from ..power import CREATE
from ..recording import Recording
from ..replay import Replay, Status
from ..resolution import Resolution, resolve
from ..selection import select_auth_types
from ..state import PartialState
from ..types import EventId, JsonObject, JsonValue, StateKey, StateMap
from ..versions import RoomVersion
from .operations import run_operation

__all__ = ["Captured", "NotCaptured", "anonymised", "capture_auth", "capture_resolution"]


class NotCaptured(RoomverError):
    """What happened cannot be made a case. The message says why."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A case without a name.

    Attributes:
        operation: ``auth`` or ``resolve``.
        version: the room version.
        events: the events that decide it.
        names: the other values of the input: each names events by ID.
        expected: the outcome, whose IDs are of these events.
    """

    operation: str
    version: RoomVersion
    events: Sequence[Event]
    names: JsonObject
    expected: JsonObject

    def input(self, pdus: Mapping[EventId, JsonObject]) -> JsonObject:
        """Return the input of the case with these PDUs, by their IDs."""
        return {"events": dict(pdus), **self.names}

    def to_input(self) -> JsonObject:
        """Return the input of the case with its own events."""
        return self.input({event.event_id: event.pdu for event in self.events})


def capture_auth(room: Replay, event_id: EventId) -> Captured:
    """Capture how an event was judged by its own auth events and by the state before it.

    Raises:
        MissingEvents: if there is no such event, or if it is undecided because events are missing.
        NotCaptured: if it is undecided for another reason, or on a cycle.
    """
    before = room.state_before(event_id)
    event, outcome = room.events[event_id], room.outcomes[event_id]
    verdict = outcome.deciding
    if verdict is None or outcome.status is Status.CYCLIC:
        if lacking := room.lacking(event_id):
            raise MissingEvents(lacking)
        raise NotCaptured(f"{event_id} has no verdict to capture: it is undecided, or on a cycle")
    needed = dict.fromkeys([*event.auth_parents, event_id])
    names: JsonObject = {"event": event_id}
    if outcome.by_state is not None and before is not None:
        if isinstance(before, PartialState):
            raise NotCaptured(f"the state before {event_id} is known only in part")
        chosen = [before[key] for key in (CREATE, *select_auth_types(event)) if key in before]
        names["state"] = cast(JsonValue, sorted(set(chosen)))
        needed.update(dict.fromkeys(chosen))
    elif outcome.by_auth_events is not None and outcome.by_auth_events.allowed:
        raise NotCaptured(f"the state before {event_id} is unknown")
    if rejected := sorted(room.rejected.intersection(event.auth_parents)):
        names["rejected"] = cast(JsonValue, rejected)
    expected: JsonObject = {"allowed": verdict.allowed}
    return Captured("auth", event.room_version, [room.events[one] for one in needed], names, expected)


def capture_resolution(room: Replay, event_id: EventId | None) -> Captured:
    """Capture how the states before an event were resolved.

    Args:
        room: the room.
        event_id: the event; None stands for the forward extremities.

    Raises:
        MissingEvents: naming the events that leave a state unknown.
        UnknownState: if a state is known only in part.
        NotCaptured: if there are not two states that differ.
    """
    states: list[StateMap[EventId]] = []
    for state in room.states_met(event_id).values():
        if isinstance(state, PartialState):
            raise UnknownState((), "one of the states is known only in part")
        states.append(state)
    if len({frozenset(state.items()) for state in states}) < 2:
        raise NotCaptured("there are no two states that differ here: nothing is resolved")
    rejected = room.rejected
    whole = resolve(states, room.events, rejected=rejected, trace=True)
    steps = whole.steps
    assert steps is not None  # it was asked for
    read = {CREATE, *steps.conflicted}
    for one in steps.full_conflicted_set:
        read.update(select_auth_types(room.events[one]))
    cut: list[StateMap[EventId]] = [{key: e for key, e in state.items() if key in read} for state in states]
    if _differs(resolve(cut, room.events, rejected=rejected, trace=True), whole, read):
        # Entries on which the states agree also say which events are in every auth chain.
        cut, read = states, {key for state in states for key in state}
    chain = _auth_chain(room.events, {e for state in cut for e in state.values()})
    names: JsonObject = {"state_sets": [cast(JsonValue, sorted(state.values())) for state in cut]}
    if known := sorted(rejected & chain):
        names["rejected"] = cast(JsonValue, known)
    resolved = sorted(e for key, e in whole.state.items() if key in read)
    version = next(iter(room.events.values())).room_version
    events = [event for e, event in room.events.items() if e in chain]
    return Captured("resolve", version, events, names, {"state": cast(JsonValue, resolved)})


def _differs(cut: Resolution, whole: Resolution, read: Iterable[StateKey]) -> bool:
    assert cut.steps is not None  # both were traced
    assert whole.steps is not None
    same_set = cut.steps.full_conflicted_set == whole.steps.full_conflicted_set
    return not same_set or any(cut.state.get(key) != whole.state.get(key) for key in read)


def _auth_chain(events: Mapping[EventId, Event], start: Iterable[EventId]) -> set[EventId]:
    found = set(start)
    todo = [*found]
    missing = set()
    while todo:
        event = events.get(todo.pop())
        if event is None:
            continue
        for parent in event.auth_parents:
            if parent not in events:
                missing.add(parent)
            elif parent not in found:
                found.add(parent)
                todo.append(parent)
    if missing:
        raise MissingEvents(missing)
    return found


def anonymised(captured: Captured) -> Captured:
    """Return the case with other people, servers, words and IDs in it, and with the same outcome.

    Raises:
        NotCaptured: if the outcome changes with the names, which an ID that breaks a tie can do, or if an
            event cannot be anonymised.
        CyclicGraph: if events cite each other in a cycle.
    """
    entries = [
        Entry(Place(None, ""), event.event_id, event.pdu, claimed_room_id=None) for event in captured.events
    ]
    made = anonymise(Recording(captured.version, entries))
    if made.left_out:
        raise NotCaptured("an event of the case cannot be anonymised")
    new_id = made.names.event
    events = {new_id(event.event_id): event for event in captured.events}
    pdus = {
        new: cast(JsonObject, entry.pdu) for new, entry in zip(events, made.recording.entries, strict=True)
    }
    names = cast(JsonObject, _renamed(captured.names, made.names.events))
    expected = cast(JsonObject, _renamed(captured.expected, made.names.events))
    renamed = Captured(
        captured.operation,
        captured.version,
        [parse_event(pdu, captured.version, event_id=new) for new, pdu in pdus.items()],
        names,
        expected,
    )
    output = run_operation(captured.operation, captured.version.identifier, renamed.to_input())
    if any(output.get(key) != value for key, value in expected.items()):
        raise NotCaptured("with other names the outcome is another one: an ID or a time breaks a tie")
    return renamed


def _renamed(value: JsonValue, new: Mapping[EventId, EventId]) -> JsonValue:
    """Return a value with new event IDs. An array of IDs stays sorted."""
    if type(value) is str:
        return new.get(value, value)
    if type(value) is list:
        items = [_renamed(one, new) for one in value]
        return (
            cast(JsonValue, sorted(cast(list[str], items))) if all(type(i) is str for i in items) else items
        )
    if type(value) is dict:
        return {key: _renamed(one, new) for key, one in value.items()}
    return value
