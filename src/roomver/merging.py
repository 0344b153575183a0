"""Count what each source has of one room, and find where the sources differ.

Nothing is decided by the order of the sources: what they contradict each other on becomes unknown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from .claims import Claim, Contested, find_contested
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
from .differing_keys import find_differing_keys
from .entry import NO_SOURCE, Entry, Part
from .event import Event
from .known_states import KnownStates
from .newest import Newest, listed_state
from .state import entries_of
from .types import EventId

__all__ = [
    "Tally",
    "differing_states",
    "find_differences",
]

# The parts of an input whose events are in the graph of the room.
_LISTED: Final = frozenset({Part.EVENT, Part.JOINED, Part.INVITED})


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
        self,
        claims: Mapping[EventId | None, Sequence[Claim]],
        knowns: Sequence[KnownStates],
        other_rooms: Mapping[int, int],
    ) -> list[Contribution]:
        """Return what each source adds to those before it, with its number of entries of other rooms."""
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
                    other_rooms.get(n, 0),
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


def find_differences(  # noqa: PLR0913, PLR0917 - all that is compared
    tally: Tally,
    claims: Mapping[EventId | None, Sequence[Claim]],
    contested: Mapping[EventId | None, Contested],
    told: Sequence[Claim],
    knowns: Sequence[KnownStates],
    newest: Sequence[Newest],
    events: Mapping[EventId, Event],
) -> Iterable[Difference]:
    """Yield where the sources differ on decisions, states, forward extremities and keys.

    `told` are the current states that may be older than the newest events.
    """
    names = [origin.name for origin in tally.origins]
    decided = (
        (DifferenceKind.REJECTED, tally.disputed(knowns)),
        (DifferenceKind.SOFT_FAILED, tally.soft_failed_in_part(knowns)),
    )
    for event_id, keys in contested.items():
        kind = DifferenceKind.CURRENT_STATE if event_id is None else DifferenceKind.STATE_BEFORE
        yield from differing_states(kind, event_id, claims[event_id], keys)
    yield from _of_servers(tally, [*claims.get(None, ()), *told], newest, events)
    for kind, found in decided:
        for event_id, says in found.items():
            yield Difference(kind, tuple(Saying(names[n], None, f"{text} it") for n, text in says), event_id)
    yield from find_differing_keys(tally.origins, events.values())


def differing_states(
    kind: DifferenceKind, event_id: EventId | None, claims: Sequence[Claim], contested: Contested
) -> Iterable[Difference]:
    """Yield where states differ, if they do."""
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
    tally: Tally, given: Sequence[Claim], newest: Sequence[Newest], events: Mapping[EventId, Event]
) -> Iterable[Difference]:
    """Yield where the servers' forward extremities and current states differ, also from a given state."""
    ends = {n: one.extremities for n, one in enumerate(newest) if one.extremities is not None}
    states = {
        n: listed_state(one, events)
        for n, one in enumerate(newest)
        if one.state is not None and not one.partial
    }
    names = [origin.name for origin in tally.origins]
    if len({*ends.values()}) > 1:
        says = tuple(Saying(names[n], None, ", ".join(sorted(ids))) for n, ids in ends.items())
        yield Difference(DifferenceKind.EXTREMITIES, says)
    listed = [Claim(n, names[n], state) for n, state in states.items()]
    pairs = [*combinations(listed, 2), *((one, other) for one in listed for other in given)]
    for one, other in pairs:
        if one.source != other.source:
            yield from _of_moments(one, other, ends)


def _of_moments(one: Claim, other: Claim, ends: Mapping[int, frozenset[EventId]]) -> Iterable[Difference]:
    """Yield where two current states differ. Only those of one moment contradict each other.

    Servers that have received different events have different states. Without the forward extremities of
    both, nothing tells whether they have.
    """
    sources = (one.source, other.source)
    told = [ends[source] for source in sources if source in ends]
    if len(told) == len(sources) and told[0] != told[1]:
        return
    kind = DifferenceKind.CURRENT_STATE if len(told) == len(sources) else DifferenceKind.MOMENT
    yield from differing_states(kind, None, (one, other), find_contested((one, other)))
