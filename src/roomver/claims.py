"""The states that sources give: where they contradict each other, and what they say together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from .errors import SHOWN, Lack, listed
from .state import Unknown, changed_entries, completed_from, entries_of, known_in_part, unknown_of
from .types import EventId, StateKey, StateMap

__all__ = [
    "SAME_ID",
    "Claim",
    "Contested",
    "disputed_text",
    "find_contested",
    "forget_disputed",
    "forget_events",
    "forget_keys",
    "merge_states",
]

SAME_ID: Final = Unknown("different events have its ID", lack=Lack.AGREEMENT)
"""Why the key of an event is unknown if another event has its ID too."""


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


def disputed_text(event_ids: Sequence[EventId]) -> str:
    """Say why events that one server rejected and another one accepted are unknown in a state."""
    were = "was" if len(event_ids) == 1 else "were"
    return f"sources contradict each other on whether {listed(event_ids)} {were} rejected"


def forget_disputed(state: StateMap[EventId], disputed: Collection[EventId]) -> StateMap[EventId]:
    """Return a state in which the keys of disputed events are unknown: each with its own reason, if few."""
    held = sorted({*disputed}.intersection(entries_of(state).values()))
    for some in [[one] for one in held] if len(held) <= SHOWN else [held]:
        state = forget_events(state, some, Unknown(disputed_text(some), lack=Lack.AGREEMENT))
    return state


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
    return forget_keys(state, keys, why) if keys else state


def forget_keys(state: StateMap[EventId], keys: frozenset[StateKey], why: Unknown) -> StateMap[EventId]:
    """Return a state in which some keys are unknown, also if it says that it has no entry for one of them."""
    unknown = replace(why, keys=keys)
    entries = changed_entries(entries_of(state), dict.fromkeys(keys & entries_of(state).keys()))
    return known_in_part(entries, (*(one.renewed() for one in unknown_of(state)), unknown))
