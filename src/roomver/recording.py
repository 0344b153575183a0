"""The project's recording format: a room as JSON Lines, with what a server knew of it beside the events.

This module writes the format. `roomver.readers` reads it. vectors/README.md describes it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from .contributions import DifferenceKind
from .entry import Entry
from .errors import RoomverError
from .event_format import find_defects
from .findings import EventCheck
from .gathering import Gathered
from .hashing import compute_event_id
from .keys import NO_KEYS, KeyRing, VerifyKey
from .known_states import KnownStates
from .room_check import Beliefs
from .state import entries_of, unknown_of
from .types import EventId, JsonObject, JsonValue, RoomId, StateMap
from .unpadded import encode_unpadded
from .versions import RoomVersion

__all__ = [
    "FORMATS",
    "NotRecorded",
    "Recording",
    "agreed_beliefs",
    "entries_once",
    "read_states_of",
    "recording_lines",
]

FORMATS: Final = ("roomver-room/1", "roomver-room/2")
"""The values of ``format`` that can be read. The last one is written."""

MAX_STATE_ENTRIES: Final = 5_000_000
"""The most entries that the states of one recording may have together."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A room, as it is recorded.

    Attributes:
        version: the room version.
        entries: in the order of arrival.
        room_id: the room's ID, if it is known.
        keys: the verify keys of servers.
        beliefs: what the room's server decided.
        not_judged: the events about which the server did not decide: it did not have them.
        states: what the server knew beside the events.
        fields: more fields of the header.
    """

    version: RoomVersion
    entries: Sequence[Entry]
    room_id: RoomId | None = None
    keys: KeyRing = NO_KEYS
    beliefs: Beliefs = field(default_factory=Beliefs)
    not_judged: frozenset[EventId] = frozenset()
    states: KnownStates = field(default_factory=KnownStates)
    fields: JsonObject = field(default_factory=dict)


class NotRecorded(RoomverError):
    """A room that is too large for the format.

    Attributes:
        reason: what is too large.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return self.reason


def read_states_of(gathered: Gathered) -> KnownStates:
    """Return what an input gave beside its events."""
    accepted = {key: frozenset(ids) for key, ids in gathered.accepted.items() if key is not None}
    return KnownStates(
        gathered.given,
        accepted,
        outliers=gathered.outliers,
        extremities=gathered.extremities,
        apart=gathered.apart,
        backfilled=gathered.backfilled,
        unplaced=gathered.unplaced,
        unsettled=gathered.unsettled,
        unknown=gathered.unknown_states,
        current=gathered.current,
        accepted_now=frozenset(gathered.accepted.get(None, ())),
    )


def entries_once(checked: Iterable[tuple[Entry, EventCheck]], gathered: Gathered) -> list[Entry]:
    """Return the entries of an input, each event once: in the gathered copy, at its first place.

    A copy that was not gathered adds its signatures. Entries that cannot be used, and different events with
    one ID, are kept: they tell that something is unknown. Those that an earlier source has are left out.

    Args:
        checked: the entries in input order, each with its check.
        gathered: what was gathered from them.
    """
    found: list[Entry | None] = []
    first: dict[EventId, int] = {}
    chosen: dict[EventId, Entry] = {}
    repeated: set[EventId] = set()
    unusable: dict[tuple[EventId, bytes], int] = {}
    for entry, check in checked:
        event_id = check.event_id
        if event_id is None:
            found.append(entry)
        elif check.usable is None or event_id not in gathered.events:
            line = _entry_line(entry, gathered.version)
            if line is None or unusable.setdefault((event_id, line), entry.source) == entry.source:
                found.append(entry)
        else:
            if event_id in first:
                repeated.add(event_id)
            else:
                first[event_id] = len(found)
                found.append(None)
            if event_id not in chosen or entry.place == gathered.places[event_id]:
                chosen[event_id] = entry
    for event_id, index in first.items():
        entry = chosen[event_id]
        if event_id in repeated and type(entry.pdu) is dict:
            signatures = cast(JsonValue, gathered.events[event_id].signatures)
            entry = entry._replace(pdu={**entry.pdu, "signatures": signatures})
        found[index] = entry
    return [entry for entry in found if entry is not None]


def agreed_beliefs(beliefs: Beliefs, gathered: Gathered) -> Beliefs:
    """Return what a server decided, without what another source contradicts. That is then unknown."""
    kinds = {one.kind for one in gathered.contradictions}
    disputed = {
        one.event_id
        for one in gathered.contradictions
        if one.kind is DifferenceKind.REJECTED and one.event_id is not None
    }
    return replace(
        beliefs,
        rejected=None if beliefs.rejected is None else beliefs.rejected - disputed,
        soft_failed=None if beliefs.soft_failed is None else beliefs.soft_failed - disputed,
        state=None if DifferenceKind.CURRENT_STATE in kinds else beliefs.state,
        unspoken=beliefs.unspoken | disputed,
    )


def recording_lines(recording: Recording, left_out: list[Entry] | None = None) -> Iterator[bytes]:
    """Yield the lines of a recording, each with its line end.

    Args:
        recording: the room.
        left_out: the entries that are not JSON values are added to this list. In place of each, the recording
            has null: whoever reads it is told that an event cannot be read.

    Raises:
        NotRecorded: if the states have too many entries.
    """
    yield _line(_header(recording))
    for entry in recording.entries:
        line = None if entry.error is not None else _entry_line(entry, recording.version)
        if line is None:
            if left_out is not None:
                left_out.append(entry)
            line = _line(_wrapped(entry.claimed_id, None))
        yield line


def _entry_line(entry: Entry, version: RoomVersion) -> bytes | None:
    """Return the line of an entry; None if its value is not JSON, such as NaN."""
    pdu = entry.pdu
    event_id = entry.claimed_id
    if type(pdu) is dict:
        if event_id is None and not find_defects(pdu, version):
            event_id = compute_event_id(pdu, version)
        # A reader takes these out again.
        if entry.carried_id is not None:
            pdu = {**pdu, "event_id": entry.carried_id}
        if entry.claimed_room_id is not None:
            pdu = {**pdu, "room_id": entry.claimed_room_id}
    try:
        return _line(_wrapped(event_id, pdu))
    except (TypeError, ValueError, RecursionError):
        return None


def _wrapped(event_id: EventId | None, pdu: JsonValue) -> JsonObject:
    return {"pdu": pdu} if event_id is None else {"event_id": event_id, "pdu": pdu}


def _line(value: JsonObject) -> bytes:
    """Return a JSON object as a line.

    Raises:
        TypeError, ValueError, RecursionError: if it cannot be written as JSON.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _header(recording: Recording) -> JsonObject:
    header: JsonObject = {"format": FORMATS[-1], "room_version": recording.version.identifier}
    if recording.room_id is not None:
        header["room_id"] = recording.room_id
    header.update(recording.fields)
    tables = key_tables(recording.keys)
    if tables:
        header["keys"] = tables[0]
    if tables[1:]:
        header["more_keys"] = cast(JsonValue, tables[1:])
    beliefs, states = recording.beliefs, recording.states
    for name, ids in (
        ("forward_extremities", states.extremities if beliefs.extremities is None else beliefs.extremities),
        ("state", beliefs.state),
        ("rejected", beliefs.rejected),
        ("soft_failed", beliefs.soft_failed),
        ("not_judged", recording.not_judged or None),
        ("outliers", states.outliers),
        ("apart", states.apart or None),
        ("backfilled", states.backfilled or None),
        ("unplaced", states.unplaced or None),
        # Only of a server that decided.
        ("unsettled", None if beliefs.rejected is None else states.unsettled),
    ):
        if ids is not None:
            header[name] = cast(JsonValue, sorted(ids))
    if beliefs.partial:
        header["partial_state"] = True
    if states.current is not None or states.accepted_now:
        current = {} if states.current is None else _state(states.current)
        if states.accepted_now:
            current["accepted"] = cast(JsonValue, sorted(states.accepted_now))
        header["current"] = current
    if known := _states(states):
        header["states"] = known
    return header


def _states(states: KnownStates) -> JsonObject:
    """Return the states at events. Each is written as its changes from the one before, if that is shorter."""
    found: JsonObject = {}
    base: EventId | None = None
    before: frozenset[EventId] = frozenset()
    count = 0
    for event_id in dict.fromkeys((*states.given, *states.accepted, *states.unknown)):
        one: JsonObject = {}
        if event_id in states.given:
            state = states.given[event_id]
            one = _state(state)
            ids = frozenset(entries_of(state).values())
            count += len(ids)
            if base is not None and len(ids ^ before) < len(ids):
                one["state"] = cast(JsonValue, sorted(ids - before))
                one = {"base": base, "without": cast(JsonValue, sorted(before - ids)), **one}
            base, before = event_id, ids
        if event_id in states.accepted:
            one["accepted"] = cast(JsonValue, sorted(states.accepted[event_id]))
        if event_id in states.unknown:
            one["why_unknown"] = states.unknown[event_id]
        found[event_id] = one
    if count > MAX_STATE_ENTRIES:
        raise NotRecorded(
            f"the states before events have {count:,} entries together; a recording may have at most"
            f" {MAX_STATE_ENTRIES:,}"
        )
    return found


def _state(state: StateMap[EventId]) -> JsonObject:
    one: JsonObject = {"state": cast(JsonValue, sorted(entries_of(state).values()))}
    if unknown := unknown_of(state):
        one["unknown"] = cast(JsonValue, [part.to_dict() for part in unknown])
    return one


def key_tables(keys: KeyRing) -> list[JsonObject]:
    """Return the tables of keys. There is more than one if a server has different keys under one ID."""
    most = max((len(found) for by_id in keys.keys.values() for found in by_id.values()), default=0)
    return [_key_table(keys.keys, number) for number in range(most)]


def _key_table(keys: Mapping[str, Mapping[str, Sequence[VerifyKey]]], number: int) -> JsonObject:
    table: JsonObject = {}
    for server, by_id in sorted(keys.items()):
        mine: JsonObject = {
            key_id: _key(found[number]) for key_id, found in sorted(by_id.items()) if number < len(found)
        }
        if mine:
            table[server] = mine
    return table


def _key(key: VerifyKey) -> JsonObject:
    times: Iterable[tuple[str, int | None]] = (
        ("valid_until_ts", key.valid_until_ts),
        ("expired_ts", key.expired_ts),
    )
    return {
        "key": encode_unpadded(key.key),
        **{name: time for name, time in times if time is not None},
    }
