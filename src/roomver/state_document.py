"""The states that documents give, while their entries arrive.

What cannot be used is noted: its key is unknown in the state.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .canonical import shorten
from .contributions import Origin
from .entry import Entry, Part, Place
from .errors import Lack, NotAState, listed
from .event import Event
from .findings import Action, EventCheck, Finding, FindingKind, Reason
from .power import CREATE
from .state import Unknown, known_in_part
from .types import EventId, JsonValue, RoomId, StateKey, StateMap

__all__ = [
    "NOT_USABLE",
    "OF_STATE",
    "Documents",
    "StateDocument",
    "add_to_state",
    "claimed_key",
    "is_message",
    "main_room",
    "state_of_ids",
    "why_dropped",
]

OF_STATE: Final = frozenset({Part.STATE, Part.STATE_WITHOUT_MEMBERS, Part.PART_OF_STATE})
"""The parts of an input that are entries of a state."""

OTHER_ROOM: Final = Finding(FindingKind.OTHER_ROOM, (Reason("room_id", "it is of another room"),))
"""The finding of an entry of another room that is left out."""

NOT_USABLE: Final = "not among the usable events"
"""The reason of an `Unknown` whose entries a source gives as events that are missing or dropped."""


@dataclass(slots=True)
class StateDocument:
    """A state that one document gives, while its entries arrive.

    Attributes:
        place: of the first entry; None if there is none yet.
        entries: the usable entries.
        parts: what the input says that the entries are.
        dropped: the entries that cannot be used, as event ID and key, each with how often it occurs. What
            cannot be read is None.
    """

    place: Place | None = None
    entries: dict[StateKey, EventId] = field(default_factory=dict)
    parts: set[Part] = field(default_factory=set)
    dropped: Counter[tuple[EventId | None, StateKey | None]] = field(default_factory=Counter)
    # The place of the first of each, with the kind of the finding.
    _where: dict[tuple[EventId | None, StateKey | None], str] = field(default_factory=dict)

    def drop(self, entry: Entry, check: EventCheck) -> None:
        """Note an entry that cannot be used."""
        one = (check.event_id, claimed_key(entry.pdu))
        self.dropped[one] += 1
        self._where.setdefault(one, f"{entry.place}: {why_dropped(check).kind.value}")

    def lost_keys(self) -> dict[StateKey, str]:
        """Return the keys of the entries that cannot be used, each with a place and the kind of the finding.

        A bad copy of a usable entry does not count.
        """
        found: dict[StateKey, str] = {}
        for event_id, key in self.dropped:
            if key is not None and (event_id is None or self.entries.get(key) != event_id):
                found.setdefault(key, self._where[event_id, key])
        return found

    def as_map(self) -> StateMap[EventId]:
        """Return the state, as far as it is known."""
        lost = self.lost_keys()
        return known_in_part({key: e for key, e in self.entries.items() if key not in lost}, self.unknown())

    def _has_members(self) -> bool:
        return any(kind == "m.room.member" for kind, _ in (*self.entries, *self.lost_keys()))

    def unknown(self) -> Iterable[Unknown]:
        """Say what is unknown in the state."""
        if Part.PART_OF_STATE in self.parts:
            yield Unknown.everything("the input gives a part of the state")
        if Part.STATE_WITHOUT_MEMBERS in self.parts:
            yield Unknown.members()
        elif self.parts and self.entries.keys() > {CREATE} and not self._has_members():
            # The creator joined before anything else happened.
            yield Unknown.members("no member is in the state")
        yield from self.lost()

    def lost(self) -> Iterable[Unknown]:
        """Say what is unknown because entries cannot be used."""
        unreadable = [one for one in self.dropped if one[1] is None]
        if unreadable:
            number = sum(self.dropped[one] for one in unreadable)
            yield Unknown.everything(_dropped(number, self._where[unreadable[0]]), lack=Lack.DROPPED)
        keys = self.lost_keys()
        if keys:
            why = _dropped(len(keys), next(iter(keys.values())))
            yield Unknown(why, keys=frozenset(keys), lack=Lack.DROPPED)


DocumentKey: TypeAlias = tuple[int, int]
"""The numbers of a source and of a document in it."""


@dataclass(slots=True)
class Documents:
    """The documents of an input that give states, while their entries arrive.

    Attributes:
        states: the states.
        joined: the ID of the event that a document answers for; None if it cannot be read.
        invited: the documents that ask to accept that event.
        accepted: the usable events of states and auth chains.
        strange: the entries of states that are of other rooms, with their checks.
    """

    states: dict[DocumentKey, StateDocument] = field(default_factory=dict)
    joined: dict[DocumentKey, EventId | None] = field(default_factory=dict)
    invited: set[DocumentKey] = field(default_factory=set)
    accepted: dict[DocumentKey, set[EventId]] = field(default_factory=dict)
    strange: dict[DocumentKey, list[tuple[Entry, EventCheck]]] = field(default_factory=dict)

    def leave_out(self, entry: Entry, check: EventCheck) -> None:
        """Take an entry of another room. `finish` finds out whether the whole state is of that room."""
        document = (entry.source, entry.document)
        if entry.part in (Part.JOINED, Part.INVITED):
            self.add(entry, check)
        elif entry.part in OF_STATE:
            self.strange.setdefault(document, []).append((entry, check))

    def finish(self) -> None:
        """Drop the states of other rooms. In a state of the room, the key of a strange entry is unknown."""
        for document, entries in self.strange.items():
            state = self.states.get(document, StateDocument())
            own = len(state.entries) + state.dropped.total()
            made = any(claimed_key(entry.pdu) == CREATE for entry, _ in entries)
            if CREATE not in state.entries and (made or len(entries) > own):
                self.states.pop(document, None)
                self.accepted.pop(document, None)
                self.joined.pop(document, None)
                continue
            for entry, check in entries:
                state.drop(entry, check._replace(findings=(OTHER_ROOM,)))

    def add(self, entry: Entry, check: EventCheck) -> None:
        """Take an entry of a state, of an auth chain, or the event that the state is before."""
        event, part, document = check.usable, entry.part, (entry.source, entry.document)
        if part in (Part.JOINED, Part.INVITED):
            self.joined[document] = check.event_id
            if part is Part.INVITED:
                self.invited.add(document)
            return
        if part in OF_STATE:
            state = self.states.setdefault(document, StateDocument(place=entry.place))
            state.parts.add(part)
            if event is None:
                state.drop(entry, check)
            else:
                add_to_state(state.entries, event)
        if event is not None:
            self.accepted.setdefault(document, set()).add(event.event_id)

    def answers_for(self, document: DocumentKey, events: Container[EventId]) -> EventId | None:
        """Return the usable event that a document answers for; None if there is none."""
        event_id = self.joined.get(document)
        return event_id if event_id in events else None

    def names(self, origins: Sequence[Origin]) -> dict[DocumentKey, str]:
        """Return what messages call the state of each document: its place, if its source has several."""
        number = Counter(source for source, _ in self.states)
        return {
            (source, n): origins[source].name if number[source] == 1 else str(state.place)
            for (source, n), state in self.states.items()
        }


def _dropped(number: int, first: str) -> str:
    """Say how many entries were dropped, and where and why the first one was."""
    return f"{number:,} dropped, {'' if number == 1 else 'the first at '}{first}"


def why_dropped(check: EventCheck) -> Finding:
    """Return the finding for which an event is left out."""
    return next(one for one in check.findings if one.kind.action in (Action.DROP, Action.REPLACE))


def claimed_key(pdu: JsonValue) -> StateKey | None:
    """Return the state key that an entry claims; None if it cannot be read."""
    if (
        type(pdu) is dict
        and type(kind := pdu.get("type")) is str
        and type(key := pdu.get("state_key")) is str
    ):
        return kind, key
    return None


def is_message(pdu: JsonValue) -> bool:
    """Tell whether an entry claims to be a message."""
    return type(pdu) is dict and type(pdu.get("type")) is str and "state_key" not in pdu


def add_to_state(state: dict[StateKey, EventId], event: Event) -> None:
    """Add an event to a state.

    Raises:
        NotAState: if it is a message, or the state has another event for its key.
    """
    if event.state_key is None:
        raise NotAState(f"{event.event_id} is a message, not a state event")
    key = (event.type, event.state_key)
    if state.setdefault(key, event.event_id) != event.event_id:
        raise NotAState(f"two events for {key[0]} {shorten(key[1])}: {state[key]} and {event.event_id}")


def state_of_ids(ids: Iterable[EventId], events: Mapping[EventId, Event]) -> StateMap[EventId]:
    """Return a state that is given as event IDs, as far as its events are usable.

    Raises:
        NotAState: if two events have the same key, or one is a message.
    """
    state = StateDocument(parts={Part.STATE})
    missing = []
    for event_id in ids:
        if event_id in events:
            add_to_state(state.entries, events[event_id])
        else:
            missing.append(event_id)
    unknown = [*state.unknown()]
    if missing:
        named = listed(sorted({*missing}))
        unknown.append(Unknown.everything(f"events of the state are missing: {named}"))
    return known_in_part(state.entries, unknown)


def main_room(events: Collection[Event], wanted: RoomId | None = None) -> RoomId:
    """Return the room of the first create event, or without one the room that most events belong to.

    If a room is wanted, and an event is of it, it is that room.
    """
    if wanted is not None and any(event.room_id == wanted for event in events):
        return wanted
    for event in events:
        if event.type == "m.room.create" and event.state_key == "":
            return event.room_id
    rooms = Counter(event.room_id for event in events)
    return rooms.most_common(1)[0][0] if rooms else ""
