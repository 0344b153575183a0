"""The header of a recorded room: its first line, which is not an event."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from ..canonical import join_path, scan, shorten
from ..entry import Entry, Place
from ..errors import Lack, NotAState, NotCanonical, RoomverError
from ..event import Event
from ..keys import NO_KEYS, KeyRing, read_key_table
from ..known_states import KnownStates
from ..recording import FORMATS, MAX_STATE_ENTRIES
from ..state import Unknown, known_in_part
from ..state_document import claimed_key
from ..types import EventId, JsonObject, JsonValue, RoomId, StateKey, StateMap
from ..versions import RoomVersion, version_named
from .entries import InputError, find_wrapper, is_pdu, with_advice

_ID_LISTS: Final = (
    "forward_extremities",
    "state",
    "rejected",
    "soft_failed",
    "not_judged",
    "outliers",
    "apart",
    "backfilled",
    "unplaced",
    "unsettled",
)


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line of a recorded room says about it.

    Attributes:
        fields: all its fields, including what the recording server believed about the room: ``state``,
            ``rejected`` and others.
        states: what it gives beside the events; None in version 1 of the format.
    """

    version: RoomVersion
    room_id: RoomId | None
    keys: KeyRing
    fields: JsonObject
    states: "RecordedStates | None" = None


def header_of(value: JsonValue, name: str, given: RoomVersion | None = None) -> Header | None:
    """Return the header of a recorded room, if that is what the value is.

    Args:
        value: the first value of the input.
        name: what messages call the input.
        given: the room version that was passed in with the input, which the header may name.

    Raises:
        InputError: if it is a header that cannot be used, or starts another format of roomver.
    """
    if type(value) is not dict or type(form := value.get("format")) is not str:
        return None
    if is_pdu(value) or find_wrapper(value) is not None:
        return None
    if form.startswith("roomver-vectors/"):
        raise InputError(name, "this is a file of test vectors, not a room: see `roomver vectors run`")
    if form not in FORMATS:
        raise InputError(name, f"unknown format {shorten(form)}; expected {' or '.join(FORMATS)}")
    try:
        scan(value, strict=False)
        version = version_named(value.get("room_version"), given)
        keys = read_key_table(value["keys"], source=name) if "keys" in value else NO_KEYS
        _check_fields(value)
        states = None
        if form != FORMATS[0]:
            keys = KeyRing.joined([keys, *_more_keys(value, name)])
            states = _recorded_states(value)
    except RoomverError as error:
        raise InputError(name, f"the header: {with_advice(error)}") from None
    room_id = value.get("room_id")
    return Header(version, room_id if type(room_id) is str else None, keys, value, states)


def _more_keys(header: JsonObject, name: str) -> Iterator[KeyRing]:
    for table in _array(header.get("more_keys", []), "more_keys", "tables of keys"):
        yield read_key_table(table, source=name)


def _check_fields(header: JsonObject) -> None:
    """Check the types of the header's fields, which are compared with the room later.

    Raises:
        NotCanonical: naming the field.
    """
    for key in ("room_id", "server"):
        if key in header and type(header[key]) is not str:
            raise NotCanonical(key, f"expected a string, found {shorten(header[key])}")
    for key in ("partial_state", "in_order"):
        if type(header.get(key, False)) is not bool:
            raise NotCanonical(key, f"expected true or false, found {shorten(header[key])}")
    for key in _ID_LISTS:
        if key in header:
            _check_ids(key, header[key])
    redacted_by = header.get("redacted_by", {})
    if type(redacted_by) is not dict:
        raise NotCanonical("redacted_by", f"expected an object, found {shorten(redacted_by)}")
    for event_id, redactions in redacted_by.items():
        _check_ids(join_path("redacted_by", event_id), redactions)


def _check_ids(path: str, value: JsonValue, what: str = "event ID") -> list[EventId]:
    items = _array(value, path, f"{what}s")
    for index, item in enumerate(items):
        if type(item) is not str:
            article = "an" if what[0] in "aeiou" else "a"
            raise NotCanonical(join_path(path, index), f"expected {article} {what}, found {shorten(item)}")
    return cast(list[EventId], items)


def _array(value: JsonValue, path: str, of: str) -> list[JsonValue]:
    if type(value) is not list:
        raise NotCanonical(path, f"expected an array of {of}, found {shorten(value)}")
    return value


def _object(value: JsonValue, path: str) -> JsonObject:
    if type(value) is not dict:
        raise NotCanonical(path, f"expected an object, found {shorten(value)}")
    return value


@dataclass(frozen=True, slots=True)
class _Given:
    """What a header gives for one event, or for the current state.

    Attributes:
        state: the IDs of the events of the state; None if no state is given.
        unknown: what is unknown in it.
        accepted: the IDs of events that the server had accepted.
        why_unknown: why the server does not know the state; None if nothing is said.
    """

    state: frozenset[EventId] | None
    unknown: tuple[Unknown, ...]
    accepted: frozenset[EventId]
    why_unknown: str | None


@dataclass(slots=True)
class RecordedStates:
    """What a header gives beside the events.

    Attributes:
        by_event: for events, the state before them.
        current: for the current state; None if nothing is given.
        outliers, extremities, apart, backfilled, unplaced, unsettled: as in `KnownStates`.
    """

    by_event: Mapping[EventId, _Given]
    current: _Given | None
    outliers: frozenset[EventId] | None
    extremities: frozenset[EventId] | None
    apart: frozenset[EventId]
    backfilled: frozenset[EventId]
    unplaced: frozenset[EventId]
    unsettled: frozenset[EventId] | None
    # The IDs that the lines give. For those in a state also the keys and places: an event may be unusable.
    _seen: set[EventId] = field(default_factory=set)
    _keys: dict[EventId, tuple[StateKey | None, Place]] = field(default_factory=dict)

    def watch(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield entries, and note the keys that those of states have."""
        given = [*self.by_event.values(), *([] if self.current is None else [self.current])]
        wanted = frozenset[EventId]().union(*(one.state for one in given if one.state is not None))
        for entry in entries:
            if entry.claimed_id is not None:
                self._seen.add(entry.claimed_id)
                if entry.claimed_id in wanted:
                    self._keys.setdefault(entry.claimed_id, (claimed_key(entry.pdu), entry.place))
            yield entry

    def find(self, events: Mapping[EventId, Event]) -> KnownStates:
        """Return the states, as far as their events are usable.

        Raises:
            NotAState: if a state has two events for a key, or a message.
        """
        here = {event_id: given for event_id, given in self.by_event.items() if event_id in events}
        states = {
            event_id: self._state(given.state, given.unknown, events)
            for event_id, given in here.items()
            if given.state is not None
        }
        accepted = {event_id: given.accepted & events.keys() for event_id, given in here.items()}
        current, now = None, frozenset[EventId]()
        if self.current is not None:
            now = self.current.accepted & events.keys()
            if self.current.state is not None:
                current = self._state(self.current.state, self.current.unknown, events)
        # Other files may add events that the server has not received, and that follow missing ones.
        outliers = None
        added = [event for event_id, event in events.items() if event_id not in self._seen]
        if self.outliers is not None and all(one in events for e in added for one in e.prev_event_ids):
            outliers = self.outliers & events.keys()
        return KnownStates(
            states,
            {event_id: ids for event_id, ids in accepted.items() if ids},
            outliers=outliers,
            extremities=self.extremities,
            apart=self._apart(events),
            backfilled=self.backfilled & events.keys(),
            unplaced=self.unplaced & events.keys(),
            unknown={e: given.why_unknown for e, given in here.items() if given.why_unknown is not None},
            current=current,
            accepted_now=now,
            unsettled=self.unsettled,
            tells_states=True,
        )

    def _apart(self, events: Mapping[EventId, Event]) -> frozenset[EventId]:
        """Return the events on which no event is based, events that other files add included."""
        apart = self.apart & events.keys()
        todo = [event for event_id, event in events.items() if apart and event_id not in self._seen]
        based_on: set[EventId] = set()
        while todo:
            event = todo.pop()
            for one in (*event.auth_event_ids, *event.prev_event_ids):
                if one in apart and one not in based_on:
                    based_on.add(one)
                    todo.append(events[one])
        return apart - based_on

    def _state(
        self, ids: Iterable[EventId], unknown: Sequence[Unknown], events: Mapping[EventId, Event]
    ) -> StateMap[EventId]:
        entries: dict[StateKey, EventId] = {}
        dropped: dict[StateKey, Place] = {}
        lost = 0
        for event_id in sorted(ids):
            event = events.get(event_id)
            if event is None:
                key, place = self._keys.get(event_id, (None, None))
                if key is None or place is None:
                    lost += 1
                else:
                    dropped[key] = place
                continue
            if event.state_key is None:
                raise NotAState(f"{event_id} is a message, not a state event")
            key = (event.type, event.state_key)
            if entries.setdefault(key, event_id) != event_id:
                raise NotAState(f"two events for {key[0]} {shorten(key[1])}: {entries[key]} and {event_id}")
        # Each state has an identity of its own for what is unknown in it.
        more = [one.renewed() for one in unknown]
        if lost:
            more.append(Unknown.everything(f"{lost:,} missing"))
        if dropped:
            entries = {key: event_id for key, event_id in entries.items() if key not in dropped}
            first = next(iter(dropped.values()))
            why = f"{len(dropped):,} dropped, {first}"
            more.append(Unknown(why, keys=frozenset(dropped), lack=Lack.DROPPED))
        return known_in_part(entries, more)


def _recorded_states(header: JsonObject) -> RecordedStates:
    """Read what a header gives beside the events.

    Raises:
        NotCanonical: naming the field that cannot be read.
    """
    by_event: dict[EventId, _Given] = {}
    count = 0
    for event_id, value in _object(header.get("states", {}), "states").items():
        given = _given(value, join_path("states", event_id), by_event)
        by_event[event_id] = given
        count += len(given.state or ())
        if count > MAX_STATE_ENTRIES:
            raise NotCanonical("states", f"they have more than {MAX_STATE_ENTRIES:,} entries together")
    current = _given(header["current"], "current", {}) if "current" in header else None

    def ids(name: str) -> frozenset[EventId] | None:
        return frozenset(_check_ids(name, header[name])) if name in header else None

    ends = ids("forward_extremities")
    apart, backfilled = ids("apart") or frozenset(), ids("backfilled") or frozenset()
    unplaced = ids("unplaced") or frozenset()
    if "rejected" not in header:
        # No server decided about the events, so nothing vouches for how they came.
        backfilled, unplaced = frozenset(), unplaced | backfilled
    outliers, unsettled = ids("outliers"), ids("unsettled")
    if unsettled is None and outliers is not None:
        unsettled = outliers | apart
    return RecordedStates(
        by_event, current, outliers, ends, apart, backfilled, unplaced - backfilled, unsettled
    )


def _given(value: JsonValue, path: str, before: Mapping[EventId, _Given]) -> _Given:
    fields = _object(value, path)

    def ids(name: str) -> frozenset[EventId]:
        return frozenset(_check_ids(join_path(path, name), fields.get(name, [])))

    state = ids("state") if "state" in fields else None
    if "base" in fields:
        base = fields["base"]
        known = before.get(base) if type(base) is str else None
        if state is None or known is None or known.state is None:
            reason = f"expected an event before it that has a state, found {shorten(base)}"
            raise NotCanonical(join_path(path, "base"), reason)
        state = (known.state - ids("without")) | state
    why = fields.get("why_unknown")
    if why is not None and type(why) is not str:
        raise NotCanonical(join_path(path, "why_unknown"), f"expected a string, found {shorten(why)}")
    where = join_path(path, "unknown")
    parts = _array(fields.get("unknown", []), where, "objects")
    unknown = tuple(Unknown.from_dict(part, path=join_path(where, index)) for index, part in enumerate(parts))
    return _Given(state, unknown, ids("accepted"), why)
