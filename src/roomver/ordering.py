"""Topological orders of keys: parents before children.

This module knows nothing of Matrix. Keys are whatever the caller has, and their parents come from a mapping
or from a function.

The topological sort has a heap of sort keys. A heap of ranks and a `SortedList` were slower with 100,000
events: ``benchmarks/NOTES.md`` has the figures ("Where the time of `sort` goes").
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from heapq import heapify, heappop, heappush, heappushpop
from typing import Any, TypeVar

from .errors import CyclicGraph, MissingEvents

K = TypeVar("K", bound=Hashable)


def in_order(parents_of: Mapping[K, Iterable[K]], placed: Collection[K] = ()) -> list[K]:
    """Return keys in a topological order: parents before children.

    Args:
        parents_of: key to the keys of its parents.
        placed: keys that come before all of these: they may be parents without being in the mapping.

    Returns:
        All keys of the mapping. The order depends on the order of the mapping only.

    Raises:
        MissingEvents: naming all parents that are in neither.
        CyclicGraph: naming the keys on a cycle or between two cycles.

    Cost: linear in the edges, without recursion.
    """
    waiting: dict[K, int] = {}
    children: dict[K, list[K]] = {}
    missing = set()
    for key, parents in parents_of.items():
        count = 0
        for parent in parents:
            if parent in parents_of:
                children.setdefault(parent, []).append(key)
                count += 1
            elif parent not in placed:
                missing.add(parent)
        waiting[key] = count
    if missing:
        raise MissingEvents(map(str, missing))
    order = [key for key, count in waiting.items() if not count]
    # Invariant: every key in `order` has all its parents before it. The loop also visits what it appends.
    for key in order:
        for child in children.get(key, ()):
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    if len(order) < len(waiting):
        raise CyclicGraph(map(str, _on_cycles(waiting, children)))
    return order


def in_order_despite_cycles(parents_of: Mapping[str, Iterable[str]]) -> list[str]:
    """Return keys, parents before children. Parents that are not in the mapping are ignored.

    Keys on a cycle, or between two cycles, come before all others: no order has all of their parents first.
    """
    here = {key: [one for one in parents if one in parents_of] for key, parents in parents_of.items()}
    try:
        return in_order(here)
    except CyclicGraph as error:
        cycles = {*error.event_ids}
        left = {key: parents for key, parents in here.items() if key not in cycles}
        return [*error.event_ids, *in_order(left, cycles)]


def _on_cycles(waiting: Mapping[K, int], children: Mapping[K, Collection[K]]) -> list[K]:
    """Return the keys that could not be ordered, without those that are only descendants of a cycle."""
    # The children of a key that could not be ordered could not be ordered either, so they are all here.
    left = [key for key, count in waiting.items() if count]
    below = {key: len(children.get(key, ())) for key in left}
    parents: dict[K, list[K]] = {}
    for key in left:
        for child in children.get(key, ()):
            parents.setdefault(child, []).append(key)
    ends = [key for key, count in below.items() if not count]
    for key in ends:
        for parent in parents.get(key, ()):
            below[parent] -= 1
            if not below[parent]:
                ends.append(parent)
    return [key for key in left if below[key]]


def lexicographic_topological_sort(
    parents: Mapping[K, int], children: Mapping[K, Collection[K]], sort_key: Callable[[K], tuple[Any, ...]]
) -> list[K]:
    """Return the lexicographically smallest topological order, by Kahn's algorithm.

    Each step takes, among the keys whose parents have all been taken, the one with the smallest sort key.

    Args:
        parents: each key to the number of its parents.
        children: each key that has children to these. A child that names a parent twice is in it twice.
        sort_key: returns what a key is compared by: a tuple whose last item is the key itself, so that no two
            are equal.

    Returns:
        All keys, parents before children.

    Raises:
        CyclicGraph: naming the keys on a cycle.

    Cost: linear in the edges, plus a heap of the keys that could come next.

    >>> lexicographic_topological_sort({"a": 1, "b": 0, "c": 0}, {"b": ["a"]}, lambda key: (key,))
    ['b', 'a', 'c']
    """
    waiting = dict(parents)
    # Invariant: `heap` has the sort keys of all that could come next, except `following`. A key that could
    # come next alone needs no sort key: in a chain, none is made.
    ready = [key for key, count in waiting.items() if not count]
    following = ready.pop() if ready else None
    heap = [sort_key(key) for key in ready]
    heapify(heap)
    order = []
    while True:
        if following is None:
            if not heap:
                break
            key = heappop(heap)[-1]
        elif heap:
            key = heappushpop(heap, sort_key(following))[-1]
        else:
            key = following
        order.append(key)
        following = None
        if key in children:
            for child in children[key]:
                left = waiting[child] = waiting[child] - 1
                if left:
                    continue
                if following is None:
                    following = child
                else:
                    heappush(heap, sort_key(child))
    if len(order) < len(waiting):
        raise CyclicGraph(map(str, _on_cycles(waiting, children)))
    return order
