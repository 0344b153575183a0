"""A state that is given before an event whose prev events are known too.

The state over the prev events is computed, so nobody has to be believed about it. A given state can add to it
what it leaves unknown. Where the two differ, nothing tells which is right, so these entries are unknown.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from ..errors import Lack
from ..state import RoomState, Unknown, changed_entries, entries_of, known_in_part, unknown_of
from ..state.room_state import differing_keys
from ..types import EventId, StateKey, StateMap

# A given state that differs in more entries than this leaves everything unknown. So states without entries,
# which cost their sender nothing, make no large changes to a large state.
_MOST: Final = 1_000

CONTRADICTED: Final = "the given state and the prev events contradict each other"
"""Why entries are unknown on which a given state and the state over the prev events differ."""

VOUCHED_AND_REFUSED: Final = "a server has accepted the event, but a given state refuses it"
"""Why an event is undecided that an answer vouches for."""


class Filled(NamedTuple):
    """What a given state told of a state that is otherwise computed.

    Branches that leave the computed state have the same unknown entries, so a merge of them may be known.
    Where a given state tells these entries of one branch only, nothing can be compared. Then the branches are
    merged without what it told.
    """

    keys: frozenset[StateKey]
    """The keys of the entries that it told, as far as they were not replaced."""
    unknown: tuple[Unknown, ...]
    """What was unknown without it."""
    left: int
    """How many reasons it left."""

    def replaced(self, key: StateKey) -> "Filled":
        """Return what is left of it if an event replaces the entry of a key."""
        return self._replace(keys=self.keys - {key}) if key in self.keys else self

    def taken_from(self, state: StateMap[EventId]) -> StateMap[EventId]:
        """Return a state that follows, without what the given state told."""
        entries = changed_entries(entries_of(state), dict.fromkeys(self.keys))
        return known_in_part(entries, (*self.unknown, *unknown_of(state)[self.left :]))


def agree(
    event_id: EventId, given: StateMap[EventId], computed: StateMap[EventId], *, adds: bool
) -> tuple[StateMap[EventId], Sequence[StateKey]]:
    """Return what a given state and the state over the prev events tell together.

    Args:
        event_id: the event before which both are.
        given: the given state, which may be known in part.
        computed: the state over the prev events, which may be known in part.
        adds: whether the given state may tell what the other one leaves unknown.

    Returns:
        The state, and the keys on which the two contradict each other, sorted. The state is `computed` itself
        if the given state tells nothing else. An entry that one of the two tells is known; it is unknown if
        the other one tells something else.
    """
    entries, known = entries_of(computed), entries_of(given)
    unknown, unknown_there = unknown_of(computed), unknown_of(given)
    left = tuple(one.narrowed(unknown_there) for one in unknown) if adds else unknown
    added: dict[StateKey, EventId | None] = {}
    contested: list[StateKey] = []
    for key in sorted(differing_keys(entries, known)):
        if key not in known and _covers(unknown_there, key):
            continue
        if key not in entries and _covers(unknown, key):
            if adds:
                added[key] = known[key]
        else:
            contested.append(key)
    if not adds:
        left = (*_disputed(unknown_there, entries, unknown), *left)
    if not added and not contested and left == unknown:
        return computed, ()
    if len(contested) > _MOST:
        return known_in_part(
            RoomState(), [Unknown.everything(CONTRADICTED, event_id, Lack.AGREEMENT)]
        ), contested
    if contested:
        added.update(dict.fromkeys(contested))
        left = (
            *(one.renewed() for one in left),
            Unknown(CONTRADICTED, keys=frozenset(contested), event_id=event_id, lack=Lack.AGREEMENT),
        )
    return known_in_part(changed_entries(entries, added), left), contested


def _disputed(
    there: Sequence[Unknown], entries: StateMap[EventId], unknown: Sequence[Unknown]
) -> list[Unknown]:
    """Return why a given state does not tell some of the unknown entries: sources contradict each other."""
    named = [
        replace(one, keys=frozenset(key for key in one.keys if key not in entries and _covers(unknown, key)))
        for one in there
        if one.lack is Lack.AGREEMENT
    ]
    return [one for one in named if one.keys]


def _covers(unknown: Sequence[Unknown], key: StateKey) -> bool:
    return any(one.covers(key) for one in unknown)
