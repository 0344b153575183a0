"""In which keys do two state maps differ? The answer by looking at as few keys as possible."""

from collections.abc import Collection
from itertools import compress, islice
from operator import ne
from typing import TypeVar

from ..types import StateKey, StateMap

V = TypeVar("V")

_CHUNK = 128


def differing_among(keys: Collection[StateKey], one: StateMap[V], other: StateMap[V]) -> set[StateKey]:
    """Return those keys for which two room states do not have the same event."""
    return {key for key in keys if one.get(key) != other.get(key)}


def differing_by_place(one: StateMap[V], other: StateMap[V]) -> set[StateKey]:
    """Return the keys that differ between two mappings."""
    # Two states of one room mostly have the same entries in the same order. Lookups miss the CPU cache,
    # so compare event IDs position by position first, and look up a key only where they differ. An event has
    # one key: equal event IDs have equal keys.
    places = min(len(one), len(other))
    unlike = list(compress(one, map(ne, one.values(), other.values())))
    if len(unlike) > places // 64 + 16:
        return _differing_in_chunks(one, other)
    # Keys at matching positions are in both states. Only the remaining keys need a lookup.
    alike = places - len(unlike)
    unlike += islice(one, places, None)
    others = {key for key in unlike if key in other}
    others.update(islice(other, places, None))
    if len(others) < len(other) - alike:  # a key at an unlike place of `other` that `one` lacks
        others.update(compress(other, map(ne, one.values(), other.values())))
    others.update(unlike)
    return differing_among(others, one, other)


def _differing_in_chunks(one: StateMap[V], other: StateMap[V]) -> set[StateKey]:
    """Return the keys that differ, if many places do: for example after an entry that only one state has.

    Chunks of event IDs are compared first, as lists of pointers. Keys are visited only where chunks differ.
    (For 323,368 entries and 100 changes this takes a third of the time of looking up every key. Chunks of
    64 to 128 are fastest; chunks of 2,048 take three times as long.)
    """
    differing: set[StateKey] = set()
    keys, events, other_events = iter(one), iter(one.values()), iter(other.values())
    done = 0  # invariant: up to here both states have the same keys in the same order,
    walked = 0  # and this many of `keys` have been taken.
    while True:
        chunk, other_chunk = list(islice(events, _CHUNK)), list(islice(other_events, _CHUNK))
        if chunk != other_chunk:
            chunk_keys = list(islice(keys, done - walked, done - walked + len(chunk)))
            walked = done + len(chunk_keys)
            if len(chunk) != len(other_chunk) or list(map(other.get, chunk_keys)) != other_chunk:
                break
            differing.update(compress(chunk_keys, map(ne, chunk, other_chunk)))
        elif not chunk:
            return differing
        done += len(chunk)
    # The order differs from here on. `get` gives None for a missing key, and None is never an event ID.
    for state, against in ((one, other), (other, one)):
        rest = list(islice(state, done, None))
        rest_events = islice(state.values(), done, None)
        differing.update(compress(rest, map(ne, map(against.get, rest), rest_events)))
    return differing
