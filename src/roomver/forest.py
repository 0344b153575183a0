"""A growing forest: each key has at most one parent, which was added before it.

This module knows nothing of Matrix. It tells where the paths of two keys to the root meet, in a time
that grows with the logarithm of their depth.

Each key keeps its parent and one *jump* to an ancestor further up. The length of a jump depends on the
depth only, so two keys at the same depth can jump together. (E. W. Myers, "An applicative random-access
stack", 1983, has jumps of these lengths.)
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Forest(Generic[K]):
    """A growing forest of keys.

    Cost: `add` takes constant time; everything else is logarithmic in the depth.

    >>> forest = Forest()
    >>> for key, parent in [("a", None), ("b", "a"), ("c", "b"), ("d", "b"), ("e", None)]:
    ...     forest.add(key, parent)
    >>> forest.meet("c", "d"), forest.meet("c", "b"), forest.meet("c", "e")
    ('b', 'b', None)
    >>> forest.depth("c"), forest.is_above("a", "c"), forest.is_above("c", "d")
    (2, True, False)
    """

    __slots__ = ("_depth", "_jump", "_parent")

    def __init__(self) -> None:
        self._parent: dict[K, K | None] = {}
        # A root jumps to itself.
        self._jump: dict[K, K] = {}
        self._depth: dict[K, int] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._parent

    def add(self, key: K, parent: K | None) -> None:
        """Add a key below its parent, which must be in the forest. A key that is there is not changed."""
        if key in self._parent:
            return
        if parent is None:
            self._depth[key] = 0
            self._jump[key] = key
        else:
            depth, jump = self._depth, self._jump
            depth[key] = depth[parent] + 1
            # If the parent's jump and the next one are equally long, this jump spans both; else one step.
            first = jump[parent]
            second = jump[first]
            alike = depth[parent] - depth[first] == depth[first] - depth[second]
            jump[key] = second if alike else parent
        self._parent[key] = parent

    def depth(self, key: K) -> int:
        """Return the number of keys above a key."""
        return self._depth[key]

    def is_above(self, key: K, other: K) -> bool:
        """Tell whether a key is another key, or above it."""
        return self._depth[key] <= self._depth[other] and self._climb(other, self._depth[key]) == key

    def meet(self, key: K, other: K) -> K | None:
        """Return the deepest key that is above both of two keys, or is one of them; None if none is."""
        depth, parent, jump = self._depth, self._parent, self._jump
        least = min(depth[key], depth[other])
        one, two = self._climb(key, least), self._climb(other, least)
        # Invariant: both are at the same depth. So both jump to the same depth, and are roots together.
        while one != two:
            if jump[one] != jump[two]:
                if not depth[one]:
                    return None
                one, two = jump[one], jump[two]
                continue
            above, beside = parent[one], parent[two]
            assert above is not None  # two roots have different jumps
            assert beside is not None
            one, two = above, beside
        return one

    def _climb(self, key: K, depth: int) -> K:
        """Return the key above a key at some depth, which is not greater than its own."""
        depths = self._depth
        while depths[key] > depth:
            further = self._jump[key]
            if depths[further] >= depth:
                key = further
            else:
                above = self._parent[key]
                assert above is not None  # a key that is not at depth 0 has a parent
                key = above
        return key
