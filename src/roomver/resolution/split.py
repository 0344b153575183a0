"""Splitting room states into what they agree on and what they do not.

Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Unconflicted state map and conflicted
state set", and https://spec.matrix.org/latest/rooms/v1/#state-resolution for version 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, islice
from operator import ne
from typing import NamedTuple

from ..types import EventId, StateKey, StateMap

_CHUNK = 2048


class Split(NamedTuple):
    """What some room states agree on, and what they do not.

    Attributes:
        unconflicted: keys that have the same event in every state (in version 1: that have no two
            different ones).
        conflicted: each other key, with its events and the states they are in: bit i of an event's
            mask stands for the i-th state. Sorted by key, events sorted by ID.
    """

    unconflicted: dict[StateKey, EventId]
    conflicted: dict[StateKey, dict[EventId, int]]

    @property
    def conflicted_ids(self) -> set[EventId]:
        """The conflicted state set."""
        return {event_id for masks in self.conflicted.values() for event_id in masks}


def split_states(state_sets: Sequence[StateMap[EventId]], *, absent_conflicts: bool = True) -> Split:
    """Split room states into the unconflicted state map and the conflicted events.

    Args:
        state_sets: at least one room state.
        absent_conflicts: whether a key that only some states have is in conflict, as it is from
            version 2 on. In version 1 it is not.

    Cost: for states that are dicts, some C-level passes over each; Python code runs for the keys that
    differ alone.
    """
    base, *others = state_sets
    differing: set[StateKey] = set()
    for other in others:
        if other is not base:
            differing.update(differing_keys(base, other))
    unconflicted = dict(base)
    conflicted: dict[StateKey, dict[EventId, int]] = {}
    for key in sorted(differing):
        masks: dict[EventId, int] = {}
        bit = 1
        for state in state_sets:
            event_id = state.get(key)
            if event_id is not None:
                masks[event_id] = masks.get(event_id, 0) | bit
            bit <<= 1
        if not absent_conflicts and len(masks) == 1:
            unconflicted[key] = next(iter(masks))
            continue
        unconflicted.pop(key, None)
        conflicted[key] = {event_id: masks[event_id] for event_id in sorted(masks)}
    return Split(unconflicted, conflicted)


def differing_keys(one: StateMap[EventId], other: StateMap[EventId]) -> set[StateKey]:
    """Return the keys that two room states do not both have with the same event."""
    shared = getattr(one, "differing_keys", None)
    if shared is not None and type(one) is type(other):
        # States that know how they were made from each other, such as replay's.
        return set(shared(other))
    differing: set[StateKey] = set()
    # Two states of one room mostly have the same entries in the same order. Lists of pointers compare
    # in C at a few nanoseconds an entry, where looking a key up costs fifty: so chunks are compared
    # first, and keys are looked up only where a chunk differs.
    keys, values = iter(one), iter(one.values())
    other_keys, other_values = iter(other), iter(other.values())
    remaining = True
    while remaining:
        chunk = list(islice(keys, _CHUNK))
        events = list(islice(values, _CHUNK))
        other_chunk = list(islice(other_keys, _CHUNK))
        other_events = list(islice(other_values, _CHUNK))
        remaining = bool(chunk or other_chunk)
        if events == other_events and chunk == other_chunk:
            continue
        # `get` of a key that is not there gives None, which is no event ID.
        differing.update(compress(chunk, map(ne, map(other.get, chunk), events)))
        differing.update(compress(other_chunk, map(ne, map(one.get, other_chunk), other_events)))
    return differing


def state_of(event_ids: Iterable[EventId], keys: Mapping[EventId, StateKey]) -> dict[StateKey, EventId]:
    """Return the room state that a list of event IDs makes up."""
    return {keys[event_id]: event_id for event_id in event_ids}
