"""Anonymise a recorded room: the same graph, decisions and order of times, and nobody's names or words.

Every event is made anew, parents first (`.events`). So its ID changes, and with it what cites it. What is
unknown stays unknown: missing events, keys that nobody has, and what a server does not know of a state.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from ..entry import Entry
from ..identifiers import is_server_name
from ..keys import KeyRing, VerifyKey
from ..known_states import KnownStates
from ..ordering import in_order
from ..recording import Recording
from ..room_check import Beliefs
from ..state import Unknown, entries_of, known_in_part, unknown_of
from ..types import EventId, JsonObject, JsonValue, StateMap
from .changes import Changes, compare
from .events import Making, Source
from .names import Names

__all__ = ["Anonymised", "Changes", "anonymise", "compare"]

# Reasons why an entry of a state is unknown, which say nothing of the room.
_REASONS: Final = frozenset(
    {"members omitted", "no member is in the state", "the input gives a part of the state"}
)


@dataclass(frozen=True, slots=True)
class Anonymised:
    """An anonymised room.

    Attributes:
        recording: the room.
        names: the made-up names. Its `events` has the new ID of each event.
        left_out: the number of entries that could not be anonymised: they are malformed, and would not be so
            any more; or they would become larger than an event may be.
    """

    recording: Recording
    names: Names
    left_out: int


def anonymise(recording: Recording) -> Anonymised:
    """Return a room with other people, servers and words in it, but with the same graph and decisions.

    Args:
        recording: the room. Its keys tell which signatures are valid. Whether a signature by an unknown key
            is valid stays unknown.

    Raises:
        CyclicGraph: if events cite each other in a cycle, so that none of them can be made first.

    Cost: a hash, a verification and a signature for each event, and a few more hashes for each event that has
    the same time as others.
    """
    source = Source(recording)
    source.read()
    order = in_order({event_id: list(source.parents(event_id)) for event_id in source.copies})
    servers = {name for name in source.servers() if is_server_name(name)}
    names = Names(recording.version, servers, source.copies)
    making = Making(source, names)
    entries, left_out = making.make(order)
    return Anonymised(_Header(recording, names, making).recording(entries), names, left_out)


class _Header:
    """What a recording says beside its events."""

    def __init__(self, old: Recording, names: Names, making: Making) -> None:
        self._old = old
        self._names = names
        self._making = making

    def recording(self, entries: Sequence[Entry]) -> Recording:
        """Return the recording with new entries."""
        old, names = self._old, self._names
        held = old.beliefs
        fields: JsonObject = {"in_order": False} if old.fields.get("in_order") is False else {}
        if type(redactions := old.fields.get("redacted_by")) is dict:
            by_id = cast(dict[EventId, list[EventId]], redactions)
            fields["redacted_by"] = {
                names.event(target): cast(JsonValue, [*map(names.event, by)]) for target, by in by_id.items()
            }
        return Recording(
            old.version,
            entries,
            None if old.room_id is None else names.room(old.room_id),
            self._keys(),
            Beliefs(
                self._ids(held.rejected),
                self._ids(held.soft_failed),
                self._ids(held.state),
                extremities=self._ids(held.extremities),
                partial=held.partial,
            ),
            self._ids(old.not_judged) or frozenset(),
            self._states(old.states),
            fields,
        )

    def _keys(self) -> KeyRing:
        rings = []
        for server, by_id in sorted(self._old.keys.keys.items()):
            for key_id, known in sorted(by_id.items()):
                for number, key in enumerate(known):
                    public = self._making.key(server, key_id, number).verify_key.key
                    new = VerifyKey(public, self._at(key.valid_until_ts), self._at(key.expired_ts))
                    rings.append(KeyRing.of({self._names.server(server): {self._names.key_id(key_id): new}}))
        return KeyRing.joined(rings)

    def _at(self, time: int | None) -> int | None:
        return None if time is None else self._making.time(time)

    def _ids(self, ids: Iterable[EventId] | None) -> frozenset[EventId] | None:
        # In order, because missing events are numbered.
        return None if ids is None else frozenset([self._names.event(one) for one in sorted(ids)])

    def _states(self, old: KnownStates) -> KnownStates:
        event = self._names.event
        return KnownStates(
            {event(one): self._state(state) for one, state in old.given.items()},
            {event(one): self._ids(ids) or frozenset() for one, ids in old.accepted.items()},
            outliers=self._ids(old.outliers),
            extremities=self._ids(old.extremities),
            apart=self._ids(old.apart) or frozenset(),
            backfilled=self._ids(old.backfilled) or frozenset(),
            unplaced=self._ids(old.unplaced) or frozenset(),
            unsettled=self._ids(old.unsettled),
            unknown={event(one): "the server does not know the state" for one in old.unknown},
            current=None if old.current is None else self._state(old.current),
            accepted_now=self._ids(old.accepted_now) or frozenset(),
        )

    def _state(self, state: StateMap[EventId]) -> StateMap[EventId]:
        names, entries = self._names, sorted(entries_of(state).items())
        known = {names.state_key(key): names.event(one) for key, one in entries}
        return known_in_part(known, [self._unknown(one) for one in unknown_of(state)])

    def _unknown(self, one: Unknown) -> Unknown:
        return Unknown(
            one.reason if one.reason in _REASONS else "unknown to the server",
            None if one.types is None else frozenset([self._names.type(kind) for kind in sorted(one.types)]),
            frozenset([self._names.state_key(key) for key in sorted(one.keys)]),
            lack=one.lack,
        )
