"""Merge what several sources know of one room, and find where they differ.

Nothing is decided by the order of the sources: what they contradict each other on becomes unknown.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from .contributions import (
    MAX_ENTRIES,
    Contribution,
    Difference,
    DifferenceKind,
    DifferingEntry,
    Matter,
    Origin,
    Saying,
)
from .entry import NO_SOURCE, Entry, Part
from .errors import Lack
from .event import Event
from .keys import KeyRing
from .known_states import KnownStates
from .state import Unknown, changed_entries, completed_from, entries_of, known_in_part, unknown_of
from .types import EventId, StateKey, StateMap
from .unpadded import encode_unpadded

__all__ = [
    "DISPUTED",
    "SAME_ID",
    "Claim",
    "Tally",
    "find_differences",
    "forget_events",
    "merge_states",
]

SAME_ID: Final = Unknown("different events have its ID", lack=Lack.AGREEMENT)
"""Why the key of an event is unknown if another event has its ID too."""

DISPUTED: Final = Unknown("sources contradict each other on whether it was rejected", lack=Lack.AGREEMENT)
"""Why the key of an event is unknown that only some of the servers rejected."""

# The parts of an input whose events are in the graph of the room.
_LISTED: Final = frozenset({Part.EVENT, Part.JOINED, Part.INVITED})


# States


class Claim(NamedTuple):
    """A state that a source gives."""

    source: int
    """The number of the source."""
    name: str
    """What messages call the state: its source, and its place if that has several."""
    state: StateMap[EventId]


Contested: TypeAlias = Mapping[StateKey, tuple[tuple[str, EventId | None], ...]]
"""Keys on which states contradict each other, each with what the states say, by their names."""


def find_contested(claims: Sequence[Claim]) -> Contested:
    """Return the keys on which states contradict each other, sorted, with what each of the states says.

    Cost: one look at each entry of each state.
    """
    known = [entries_of(claim.state) for claim in claims]
    unknown = [unknown_of(claim.state) for claim in claims]
    differing: set[StateKey] = set()
    first = known[0]
    for entries in known[1:]:
        differing.update(key for key, event_id in entries.items() if first.get(key) != event_id)
        differing.update(key for key in first if key not in entries)
    contested = {}
    for key in sorted(differing):
        says = [
            (claims[n].name, entries.get(key))
            for n, entries in enumerate(known)
            if key in entries or not any(one.covers(key) for one in unknown[n])
        ]
        if any(event_id != says[0][1] for _, event_id in says):
            contested[key] = tuple(says)
    return contested


def merge_states(claims: Sequence[Claim], contested: Contested) -> StateMap[EventId]:
    """Return what several sources say of one state together.

    What one leaves unknown, another tells. A key on which two of them contradict each other is unknown,
    whatever a third one says. The order of the claims does not matter.

    Args:
        claims: at least one.
        contested: what `find_contested` finds in them.
    """
    first = claims[0].state
    if len(claims) == 1:
        return first
    gone = dict.fromkeys(contested)
    merged: StateMap[EventId] | None = None
    for claim in claims:
        state = claim.state
        if contested:
            state = known_in_part(changed_entries(entries_of(state), gone), unknown_of(state))
        merged = state if merged is None else completed_from(merged, state)
    assert merged is not None  # there is at least one claim
    if not contested:
        return merged
    names = {name: None for says in contested.values() for name, _ in says}
    reason = f"{' and '.join(names)} contradict each other"
    unknown = Unknown(reason, keys=frozenset(contested), lack=Lack.AGREEMENT)
    return known_in_part(entries_of(merged), (*(one.renewed() for one in unknown_of(merged)), unknown))


def forget_events(
    state: StateMap[EventId], forgotten: Collection[EventId], why: Unknown
) -> StateMap[EventId]:
    """Return a state in which the keys of some events are unknown.

    Args:
        state: the state.
        forgotten: the events.
        why: with the reason, and what would tell. Its keys are not used.
    """
    keys = frozenset(key for key, event_id in entries_of(state).items() if event_id in forgotten)
    if not keys:
        return state
    unknown = replace(why, keys=keys)
    entries = changed_entries(entries_of(state), dict.fromkeys(keys))
    return known_in_part(entries, (*(one.renewed() for one in unknown_of(state)), unknown))


# Sources


@dataclass(slots=True)
class Tally:
    """What each source has, while its entries arrive.

    Attributes:
        origins: the sources.
        has: for each, the IDs of its usable events.
        listed: for each, those that are not only in a state or an auth chain.
        dropped: for each, how many entries a server must drop.
        added: for each, how many events no earlier entry of another source has.
        vouched: for each, the IDs of the events that its answers say that a server has accepted.
    """

    origins: Sequence[Origin]
    has: list[set[EventId]] = field(default_factory=list)
    listed: list[set[EventId]] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    vouched: list[set[EventId]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.has = [set() for _ in self.origins]
        self.listed = [set() for _ in self.origins]
        self.dropped = [0] * len(self.origins)
        self.added = [0] * len(self.origins)
        self.vouched = [set() for _ in self.origins]

    def count(self, entry: Entry, event: Event | None) -> None:
        """Count an entry, with its usable event."""
        if entry.source == NO_SOURCE:
            return
        if event is None:
            self.dropped[entry.source] += 1
            return
        event_id = event.event_id
        self.added[entry.source] += not any(event_id in held for held in self.has)
        self.has[entry.source].add(event_id)
        if entry.part in _LISTED:
            self.listed[entry.source].add(event_id)

    def contributions(
        self, claims: Mapping[EventId | None, Sequence[Claim]], knowns: Sequence[KnownStates]
    ) -> list[Contribution]:
        """Return what each source adds to those before it."""
        found = []
        keys: set[tuple[str, str, bytes]] = set()
        gives = [{e for e, all_of in claims.items() if any(c.source == n for c in all_of)} for n in self._all]
        earlier: set[EventId | None] = set()
        for n, origin in enumerate(self.origins):
            mine = {
                (server, key_id, key.key)
                for server, by_id in origin.keys.keys.items()
                for key_id, held in by_id.items()
                for key in held
            }
            held_by, current = origin.beliefs, None in gives[n]
            states = gives[n] - {None}
            tells = {
                Matter.ORDER: origin.in_order,
                Matter.REJECTED: held_by is not None and held_by.rejected is not None,
                Matter.SOFT_FAILED: held_by is not None and held_by.soft_failed is not None,
                Matter.CURRENT_STATE: current or (held_by is not None and held_by.state is not None),
                Matter.EXTREMITIES: held_by is not None and held_by.extremities is not None,
                Matter.STATES: bool(states) or knowns[n].tells_states,
                Matter.KEYS: bool(mine),
            }
            found.append(
                Contribution(
                    origin.name,
                    origin.what,
                    origin.has_room,
                    len(self.has[n]),
                    self.added[n],
                    len(self.has[n]) - self.added[n],
                    self.dropped[n],
                    len(mine),
                    len(mine - keys),
                    len(states),
                    len(states - earlier),
                    tells[Matter.CURRENT_STATE],
                    None if held_by is None or held_by.rejected is None else len(held_by.rejected),
                    None if held_by is None or held_by.soft_failed is None else len(held_by.soft_failed),
                    tuple(matter for matter, told in tells.items() if not told),
                )
            )
            keys |= mine
            earlier |= states
        return found

    def ask_others(
        self, claims: Mapping[EventId | None, list[Claim]], events: Mapping[EventId, Event]
    ) -> None:
        """Add the states that servers had where only others give one, because they have a gap there."""
        for n, origin in enumerate(self.origins):
            if origin.states_at is None:
                continue
            asked = [
                event_id
                for event_id, all_of in claims.items()
                if event_id in self.has[n] and all(c.source != n for c in all_of)
            ]
            for event_id, state in origin.states_at(asked, events).items():
                claims[event_id].append(Claim(n, origin.name, state))

    @property
    def _all(self) -> range:
        return range(len(self.origins))

    def disputed(self, knowns: Sequence[KnownStates]) -> dict[EventId, list[tuple[int, str]]]:
        """Return the events that one server rejected and another one accepted.

        Each has the numbers of the sources that say so, with what they say.
        """
        found: dict[EventId, list[tuple[int, str]]] = {}
        everywhere = [_rejected(origin) for origin in self.origins]
        for event_id in sorted(set().union(*everywhere)):
            says = [(n, self._decision(n, event_id, knowns[n])) for n in self._all]
            told = [(n, text) for n, text in says if text]
            if any(text != "rejected" for _, text in told):
                found[event_id] = told
        return found

    def soft_failed_in_part(self, knowns: Sequence[KnownStates]) -> dict[EventId, list[tuple[int, str]]]:
        """Return the events that one server soft-failed and another one accepted otherwise."""
        found: dict[EventId, list[tuple[int, str]]] = {}
        speak = [
            n for n in self._all if (b := self.origins[n].beliefs) is not None and b.soft_failed is not None
        ]
        for event_id in sorted(set().union(*(_soft_failed(self.origins[n]) for n in speak))):
            told = [(n, text) for n in speak if (text := self._decision(n, event_id, knowns[n]))]
            if {text for _, text in told} >= {"soft-failed", "accepted"}:
                found[event_id] = told
        return found

    def _decision(self, n: int, event_id: EventId, known: KnownStates) -> str:
        """Return what a source's server did with an event; empty if it does not say."""
        held = self.origins[n].beliefs
        if event_id in _rejected(self.origins[n]):
            return "rejected"
        if event_id in _soft_failed(self.origins[n]):
            return "soft-failed"
        if event_id in self.vouched[n]:
            return "accepted"
        if held is None or held.rejected is None or event_id in held.unspoken:
            return ""
        settled = known.unsettled is not None and event_id not in known.unsettled
        return "accepted" if settled and event_id in self.has[n] else ""

    def in_graph(self, n: int, event_id: EventId, known: KnownStates) -> bool:
        """Tell whether a source may have an event in its graph of the room, not beside it."""
        if event_id not in self.listed[n]:
            return False
        return known.unsettled is None or event_id not in known.unsettled


def _rejected(origin: Origin) -> frozenset[EventId]:
    held = origin.beliefs
    return frozenset() if held is None or held.rejected is None else held.rejected


def _soft_failed(origin: Origin) -> frozenset[EventId]:
    held = origin.beliefs
    return frozenset() if held is None or held.soft_failed is None else held.soft_failed


def find_differences(
    tally: Tally,
    claims: Mapping[EventId | None, Sequence[Claim]],
    contested: Mapping[EventId | None, Contested],
    knowns: Sequence[KnownStates],
    events: Mapping[EventId, Event],
) -> Iterable[Difference]:
    """Yield where the sources differ on decisions, states, forward extremities and keys."""
    names = [origin.name for origin in tally.origins]
    decided = (
        (DifferenceKind.REJECTED, tally.disputed(knowns)),
        (DifferenceKind.SOFT_FAILED, tally.soft_failed_in_part(knowns)),
    )
    for event_id, keys in contested.items():
        kind = DifferenceKind.CURRENT_STATE if event_id is None else DifferenceKind.STATE_BEFORE
        yield from _differing_states(kind, event_id, claims[event_id], keys)
    yield from _of_servers(tally, claims.get(None, ()), knowns, events)
    for kind, found in decided:
        for event_id, says in found.items():
            yield Difference(kind, tuple(Saying(names[n], None, f"{text} it") for n, text in says), event_id)
    yield from _differing_keys(tally.origins)


def _differing_states(
    kind: DifferenceKind, event_id: EventId | None, claims: Sequence[Claim], contested: Contested
) -> Iterable[Difference]:
    if not contested:
        return
    entries = [DifferingEntry(key, says) for key, says in contested.items()]
    says = tuple(
        Saying(claim.name, None, f"gives a state of {len(entries_of(claim.state)):,} known entries")
        for claim in claims
    )
    more = max(0, len(entries) - MAX_ENTRIES)
    yield Difference(kind, says, event_id, entries=tuple(entries[:MAX_ENTRIES]), more_entries=more)


def _of_servers(
    tally: Tally, given: Sequence[Claim], knowns: Sequence[KnownStates], events: Mapping[EventId, Event]
) -> Iterable[Difference]:
    """Yield where the servers' forward extremities and current states differ, also from a given state."""
    ends: dict[int, frozenset[EventId]] = {}
    states: dict[int, StateMap[EventId]] = {}
    for n, origin in enumerate(tally.origins):
        held = origin.beliefs
        if held is not None and held.extremities is not None:
            ends[n] = held.extremities
        if held is not None and held.state is not None and not held.partial:
            states[n] = _state_of(held.state, events)
    names = [origin.name for origin in tally.origins]
    if len({*ends.values()}) > 1:
        says = tuple(Saying(names[n], None, ", ".join(sorted(ids))) for n, ids in ends.items())
        yield Difference(DifferenceKind.EXTREMITIES, says)
    found: set[tuple[int, ...]] = set()
    for n, state in states.items():
        mine = Claim(n, names[n], state)
        # Servers that have received different events have different states.
        same = [m for m in states if m == n or not (n in ends and m in ends and ends[n] != ends[m])]
        claims = [Claim(m, names[m], states[m]) for m in same]
        if tuple(same) not in found:
            found.add(tuple(same))
            yield from _differing_states(DifferenceKind.CURRENT_STATE, None, claims, find_contested(claims))
        for claim in given:
            if claim.source != n:
                both = [mine, claim]
                yield from _differing_states(DifferenceKind.CURRENT_STATE, None, both, find_contested(both))


def _state_of(ids: Iterable[EventId], events: Mapping[EventId, Event]) -> StateMap[EventId]:
    """Return the state that a server's list of event IDs stands for, as far as the events are usable."""
    state: dict[StateKey, EventId] = {}
    missing = False
    for event_id in sorted(ids):
        event = events.get(event_id)
        if event is None or event.state_key is None:
            missing = True
        else:
            state.setdefault((event.type, event.state_key), event_id)
    return known_in_part(state, [Unknown.everything("events of the state are missing")] if missing else [])


def _differing_keys(origins: Sequence[Origin]) -> Iterable[Difference]:
    for clash in KeyRing.joined(origin.keys for origin in origins).clashes:
        held = [(o.name, o.keys.find(clash.server, clash.key_id)) for o in origins]
        by_source = [(name, keys) for name, keys in held if keys]
        if len({frozenset(key.key for key in keys) for _, keys in by_source}) > 1:
            says = tuple(
                Saying(name, None, ", ".join(encode_unpadded(key.key) for key in keys))
                for name, keys in by_source
            )
            yield Difference(DifferenceKind.KEY, says, server=clash.server, key_id=clash.key_id)
