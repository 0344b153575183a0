"""The forest, compared with what the words say."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from roomver.forest import Forest


@st.composite
def forests(draw: st.DrawFn) -> dict[int, int | None]:
    """Draw keys with their parents, parents first."""
    size = draw(st.integers(1, 40))
    rng = draw(st.randoms(use_true_random=False))
    straight = draw(st.booleans())
    parents: dict[int, int | None] = {}
    for key in range(size):
        above = [None, *range(key)]
        parents[key] = key - 1 if straight and key and rng.random() < 0.9 else rng.choice(above)
    return parents


def way_up(key: int | None, parents: dict[int, int | None]) -> Iterator[int]:
    while key is not None:
        yield key
        key = parents[key]


@given(forests())
def test_two_keys_meet_at_the_deepest_key_above_both(parents: dict[int, int | None]) -> None:
    forest: Forest[int] = Forest()
    for key, parent in parents.items():
        assert key not in forest
        forest.add(key, parent)
        assert key in forest
    for one in parents:
        ways = list(way_up(one, parents))
        assert forest.depth(one) == len(ways) - 1
        for other in parents:
            beside = list(way_up(other, parents))
            assert forest.meet(one, other) == next((key for key in ways if key in beside), None)
            assert forest.is_above(one, other) == (one in beside)


def test_a_key_that_is_there_is_not_changed() -> None:
    forest: Forest[str] = Forest()
    forest.add("a", None)
    forest.add("b", "a")
    forest.add("b", None)
    assert forest.depth("b") == 1


def test_a_long_chain_is_climbed_in_few_steps() -> None:
    class Counted(dict[int, int]):
        reads = 0

        def __getitem__(self, key: int) -> int:
            self.reads += 1
            return super().__getitem__(key)

    forest: Forest[int] = Forest()
    size = 100_000
    for key in range(size):
        forest.add(key, key - 1 if key else None)
    forest._jump = counted = Counted(forest._jump)
    for depth in (0, 1, 5_000, 77_777, size - 1):
        assert forest.meet(depth, size - 1) == depth
    assert counted.reads < 5 * 100
