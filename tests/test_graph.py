"""The graph of integers, compared with its definitions by brute force on small graphs."""

import copy
import pickle
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomver import MissingEvents
from roomver.errors import CyclicGraph
from roomver.graph import Dag
from roomver.ordering import in_order, lexicographic_topological_sort

Parents = dict[str, list[str]]


@st.composite
def dags(draw: st.DrawFn, most: int = 9) -> Parents:
    """Draw keys with their parents, parents first. The keys are not in alphabetical order."""
    size = draw(st.integers(1, most))
    names = draw(st.permutations([chr(97 + n) for n in range(size)]))
    graph: Parents = {}
    for n, name in enumerate(names):
        count = draw(st.integers(0, min(n, 4)))
        # Possibly the same parent twice.
        graph[name] = [names[draw(st.integers(0, n - 1))] for _ in range(count)] if n else []
    return graph


def filled(graph: Parents) -> Dag:
    dag = Dag()
    for key, parents in graph.items():
        dag.add(key, parents)
    return dag


def ancestors(key: str, graph: Parents) -> set[str]:
    """Return the ancestors of a key, and the key itself."""
    return {key}.union(*(ancestors(parent, graph) for parent in graph[key]))


def names(dag: Dag, nodes: Collection[int]) -> set[str]:
    return {dag.keys[node] for node in nodes}


# Adding


@given(dags())
def test_a_node_has_its_key_and_its_parents(graph: Parents) -> None:
    dag = filled(graph)
    assert len(dag) == len(graph)
    assert dag.keys == list(graph)
    for number, (key, parents) in enumerate(graph.items()):
        assert key in dag
        assert dag.nodes([key])[0] == number
        assert [dag.keys[parent] for parent in dag.parents(number)] == parents


def test_adding_a_key_again_changes_nothing() -> None:
    dag = filled({"a": [], "b": ["a"]})
    assert dag.add("b", ["no", "such"]) == 1
    assert list(dag.parents(1)) == [0]


def test_parents_that_are_not_in_the_graph_are_named() -> None:
    dag = filled({"a": []})
    with pytest.raises(MissingEvents) as caught:
        dag.add("b", ["z", "a", "y"])
    assert caught.value.event_ids == ("y", "z")
    assert "b" not in dag
    with pytest.raises(MissingEvents) as caught:
        dag.nodes(["c", "a", "b"])
    assert caught.value.event_ids == ("b", "c")


def test_a_node_that_is_its_own_parent_is_a_cycle() -> None:
    dag = filled({"a": []})
    with pytest.raises(CyclicGraph) as caught:
        dag.add("b", ["a", "b"])
    assert caught.value.event_ids == ("b",)
    assert "b" not in dag


@given(dags(), st.data())
def test_nodes_can_be_added_in_any_order_and_in_parts(graph: Parents, data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(graph.items()))))
    whole = Dag()
    whole.extend(shuffled)
    # In two parts: first the ancestors of a key, then the rest.
    first = ancestors(data.draw(st.sampled_from(sorted(graph))), graph)
    parts = Dag()
    parts.extend({key: parents for key, parents in shuffled.items() if key in first})
    parts.extend({key: parents for key, parents in shuffled.items() if key not in first})
    again = Dag()
    again.extend({key: parents for key, parents in shuffled.items() if key in first})
    again.extend(shuffled)
    for dag in (whole, parts, again):
        assert set(dag.keys) == set(graph)
        for key, parents in graph.items():
            node = dag.nodes([key])[0]
            assert [dag.keys[parent] for parent in dag.parents(node)] == parents
            assert all(parent < node for parent in dag.parents(node))


def test_nothing_is_added_if_a_parent_is_missing_or_there_is_a_cycle() -> None:
    dag = filled({"a": []})
    with pytest.raises(MissingEvents) as missing:
        dag.extend({"b": ["a"], "c": ["y"], "d": ["x", "b"]})
    assert missing.value.event_ids == ("x", "y")
    with pytest.raises(CyclicGraph) as cyclic:
        dag.extend({"b": ["a"], "c": ["d"], "d": ["c"]})
    assert cyclic.value.event_ids == ("c", "d")
    assert dag.keys == ["a"]


def test_a_cycle_is_named_without_its_ancestors_and_descendants() -> None:
    graph = {
        "top": [],
        "p": ["q", "top"],
        "q": ["p", "p"],
        "between": ["q"],
        "r": ["r", "between"],
        "below": ["r"],
        "far below": ["below", "below", "between"],
    }
    with pytest.raises(CyclicGraph) as caught:
        in_order(graph)
    # Keys between two cycles are named with them.
    assert caught.value.event_ids == ("between", "p", "q", "r")


@given(dags(), st.data())
def test_parents_come_before_children(graph: Parents, data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(graph.items()))))
    order = in_order(shuffled)
    assert sorted(order) == sorted(graph)
    assert all(order.index(parent) < order.index(key) for key in graph for parent in graph[key])
    assert order == in_order(shuffled)


# Walks


@given(dags(), st.lists(st.sets(st.sampled_from("abcdefghi")), min_size=2, max_size=6))
def test_the_difference_is_the_union_of_all_ancestors_without_their_intersection(
    graph: Parents, drawn: list[set[str]]
) -> None:
    dag = filled(graph)
    sets: list[set[str]] = [chosen & set(graph) for chosen in drawn]
    full = (1 << len(sets)) - 1
    masks = {
        dag.nodes([key])[0]: mask
        for key in graph
        if (mask := sum(1 << bit for bit, chosen in enumerate(sets) if key in chosen)) != full
    }
    shared = sets[0].intersection(*sets)
    above: list[set[str]] = [set().union(*(ancestors(key, graph) for key in chosen)) for chosen in sets]
    found = dag.difference(masks, full, lambda node: dag.keys[node] in shared)
    assert names(dag, found) == set().union(*above) - above[0].intersection(*above)
    assert sorted(found, reverse=True) == found, "children before parents"


@given(dags(), st.sets(st.sampled_from("abcdefghi")))
def test_between_gives_the_nodes_on_paths_between_given_nodes(graph: Parents, drawn: set[str]) -> None:
    dag = filled(graph)
    given_keys = drawn & set(graph)
    expected = {
        key
        for key in graph
        if any(key in ancestors(start, graph) for start in given_keys) and given_keys & ancestors(key, graph)
    }
    assert names(dag, dag.between(dag.nodes(given_keys))) == expected


@given(dags(), st.data())
def test_the_difference_calls_is_shared_at_most_once_per_node_and_edge(
    graph: Parents, data: st.DataObject
) -> None:
    dag = filled(graph)
    masks = {node: data.draw(st.integers(0, 2)) for node in range(len(graph))}
    asked: list[int] = []

    def is_shared(node: int) -> bool:
        asked.append(node)
        return False

    dag.difference(masks, 3, is_shared)
    assert len(asked) <= len(graph) + sum(map(len, graph.values()))


def test_without_nodes_the_difference_and_the_nodes_between_are_empty() -> None:
    dag = filled({"a": []})
    assert dag.difference({}, 3, lambda _: False) == []
    assert dag.difference({0: 0}, 3, lambda _: False) == []
    assert dag.between([]) == set()


# The sort


def sort(parents_of: Mapping[str, Iterable[str]], sort_key: Callable[[str], tuple[Any, ...]]) -> list[str]:
    """Sort the keys of a mapping to their parents. Parents that are not keys are ignored."""
    counts = {}
    children: dict[str, list[str]] = {}
    for key, parents in parents_of.items():
        inside = [parent for parent in parents if parent in parents_of]
        counts[key] = len(inside)
        for parent in inside:
            children.setdefault(parent, []).append(key)
    before = counts.copy()
    try:
        return lexicographic_topological_sort(counts, children, sort_key)
    finally:
        assert counts == before


@given(dags(6), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_the_lexicographically_smallest_topological_ordering(graph: Parents, ranks: list[int]) -> None:
    def sort_key(key: str) -> tuple[int, str]:
        return ranks[ord(key) - 97], key

    topological = [
        order
        for order in permutations(graph)
        if all(order.index(parent) < order.index(key) for key in graph for parent in graph[key])
    ]
    smallest = min(topological, key=lambda order: [sort_key(key) for key in order])
    assert sort(graph, sort_key) == list(smallest)


@given(dags(), st.data())
def test_the_order_of_the_keys_does_not_matter(graph: Parents, data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.sampled_from(sorted(graph)), unique=True))
    order = sort({key: graph[key] for key in keys}, lambda key: (key,))
    assert sorted(order) == sorted(keys)
    again = data.draw(st.permutations(keys))
    assert sort({key: graph[key] for key in again}, lambda key: (key,)) == order


def test_a_key_that_could_come_next_alone_needs_no_sort_key() -> None:
    asked = []

    def sort_key(key: str) -> tuple[str]:
        asked.append(key)
        return (key,)

    # Before "d" there is one key at a time, then there are two.
    graph = {"a": [], "b": ["a"], "c": ["b"], "e": ["c"], "d": ["c"], "f": ["d", "e", "d"]}
    assert sort(graph, sort_key) == ["a", "b", "c", "d", "e", "f"]
    assert sorted(asked) == ["d", "e"]


def test_a_cycle_among_the_sorted_keys_is_named() -> None:
    graph = {"a": [], "b": ["c"], "c": ["b", "a"], "d": ["c"]}
    with pytest.raises(CyclicGraph) as caught:
        sort(graph, lambda key: (key,))
    assert caught.value.event_ids == ("b", "c")


# Depth and size


def walk_a_chain(length: int) -> None:
    keys = [f"{n:07}" for n in range(length)]
    parents = {key: [keys[n - 1]] if n else [] for n, key in enumerate(keys)}
    dag = Dag()
    dag.extend(dict(reversed(parents.items())))
    assert len(dag) == length
    last = length - 1
    # The whole chain is in the difference, and between its ends.
    assert len(dag.difference({last: 1}, 3, lambda _: False)) == length
    assert len(dag.between([0, last])) == length
    # If its last node is shared, the difference is empty; finding out walks the whole chain.
    assert dag.difference({0: 1}, 3, lambda node: node == last) == []
    assert sort(parents, lambda key: (key,)) == keys
    parents[keys[0]] = [keys[last]]
    with pytest.raises(CyclicGraph) as caught:
        in_order(parents)
    assert len(caught.value.event_ids) == length


def test_a_chain_of_100_000_is_walked_without_recursion() -> None:
    walk_a_chain(100_000)


@pytest.mark.slow
def test_a_chain_of_1_000_000_is_walked_without_recursion() -> None:
    walk_a_chain(1_000_000)


class _Counting(Dag):
    """A graph that counts how often the parents of a node are read."""

    __slots__ = ("reads",)

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self._parents: Any = _CountedReads(self, self._parents)


class _CountedReads:
    def __init__(self, dag: _Counting, array: Any) -> None:
        self._dag = dag
        self._array = array

    def __getitem__(self, place: Any) -> Any:
        self._dag.reads += 1
        return self._array[place]

    def __len__(self) -> int:
        return len(self._array)

    def extend(self, values: Any) -> None:
        self._array.extend(values)


def _visits(members: int) -> tuple[int, int]:
    """Find the difference of the same small fork in a room of some members. Return the number of calls of
    `is_shared`, and how often parents were read."""
    dag = _Counting()
    dag.add("create", [])
    dag.add("creator", ["create"])
    dag.add("levels", ["create", "creator"])
    dag.add("rules", ["create", "creator", "levels"])
    for n in range(members):
        dag.add(f"member {n}", ["create", "levels", "rules"])
    fork = {}
    for bit in (1, 2):
        above = [f"member {members // 2}", "levels", "create"]
        for n in range(10):
            key = f"branch {bit} event {n}"
            fork[dag.add(key, above)] = bit
            above = [key, f"member {n}", "levels", "create"]
    shared = {"create", "creator", "levels", "rules", *(f"member {n}" for n in range(members))}
    asked = 0

    def is_shared(node: int) -> bool:
        nonlocal asked
        asked += 1
        return dag.keys[node] in shared

    assert names(dag, dag.difference(fork, 3, is_shared)) == {dag.keys[node] for node in fork}
    return asked, dag.reads


def test_the_difference_does_not_walk_shared_nodes() -> None:
    small = _visits(1_000)
    assert _visits(10_000) == small
    assert _visits(100_000) == small
    assert max(small) < 200


def test_between_does_not_walk_shared_nodes() -> None:
    def reads(members: int) -> int:
        dag = _Counting()
        dag.add("create", [])
        for n in range(members):
            dag.add(f"member {n}", ["create"])
        ends = [dag.add("one", ["create", "member 0"]), dag.add("other", ["one", "create"])]
        assert dag.between(ends) == set(ends)
        return dag.reads

    assert reads(1_000) == reads(100_000)


# A search from both sides


@given(dags(most=14), st.data())
def test_a_search_from_both_sides_finds_the_same(graph: Parents, data: st.DataObject) -> None:
    dag = filled(graph)
    sets = data.draw(st.lists(st.sets(st.sampled_from(list(graph))), min_size=2, max_size=3))
    shared = set.intersection(*sets)
    masks = {
        dag.nodes([key])[0]: sum(1 << number for number, one in enumerate(sets) if key in one)
        for key in set().union(*sets) - shared
    }
    full = (1 << len(sets)) - 1
    expected = dag.difference(masks, full, _in(dag, shared))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("roomver.graph._PATIENCE", data.draw(st.integers(0, 5)))
        assert dag.difference(masks, full, _in(dag, shared), [*shared, "nowhere"]) == expected


def test_many_descendants_that_nothing_shares_are_not_searched() -> None:
    def asked_below(size: int, *, listed: bool) -> int:
        dag = Dag()
        dag.add("top", [])
        dag.add("shared", ["top"])
        for side in "ab":
            dag.add(side, ["top"])
        for number in range(size):
            dag.add(str(number), ["a", "shared"])
        asked = 0

        def is_shared(node: int) -> bool:
            nonlocal asked
            asked += 1
            return dag.keys[node] == "shared"

        masks = {dag.nodes(["a"])[0]: 1, dag.nodes(["b"])[0]: 2}
        assert names(dag, dag.difference(masks, 3, is_shared, ["shared"] if listed else None)) == {"a", "b"}
        return asked

    assert asked_below(50_000, listed=False) >= 50_000
    assert asked_below(50_000, listed=True) == asked_below(5_000, listed=True) < 2_000


def test_a_long_way_down_and_a_long_way_up_take_turns() -> None:
    # Below the node there is a long chain that leads nowhere, and one that leads to what is shared; between
    # it and the shared node there are many nodes that only the shared one cites.
    for ends_shared in (False, True):
        dag = Dag()
        dag.add("asked", [])
        last = "asked"
        for number in range(9_000):
            last = dag.keys[dag.add(f"down {number}", [last])]
        up = ["asked"] if ends_shared else []
        for number in range(9_000):
            up = [dag.keys[dag.add(f"up {number}", up)]]
        dag.add("other", [])
        node = dag.nodes(["asked"])[0]
        found = dag.difference({node: 1}, 3, _in(dag, set(up)), up)
        assert names(dag, found) == (set() if ends_shared else {"asked"})


# Threads, copies


def test_threads_may_add_at_the_same_time() -> None:
    size, workers = 1_000, 4
    dag = Dag()
    dag.add("top", [])
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(worker: int) -> None:
        last = "top"
        for number in range(size):
            key = f"{worker} {number}"
            node = dag.add(key, [last, "top"], leaf=number % 3 == 0)
            assert dag.keys[node] == key
            # A walk sees all that was added before it.
            assert dag.nodes([key, last]) == [node, dag.nodes([last])[0]]
            if number % 50 == 0:
                assert names(dag, dag.difference({node: 1}, 3, lambda _: False)) >= {key, last}
            last = key

    try:
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(work, worker) for worker in range(workers)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)
    assert len(dag) == size * workers + 1
    for worker in range(workers):
        last = "top"
        for number in range(size):
            key = f"{worker} {number}"
            assert [dag.keys[parent] for parent in dag.parents(dag.nodes([key])[0])] == [last, "top"]
            last = key


@given(dags(), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_a_copy_shares_nothing(graph: Parents, protocol: int) -> None:
    dag = Dag()
    for number, (key, parents) in enumerate(graph.items()):
        dag.add(key, parents, leaf=number % 2 == 1)
    copies = [copy.copy(dag), copy.deepcopy(dag), pickle.loads(pickle.dumps(dag, protocol))]
    for other in copies:
        other.add("new", list(graph))
        assert "new" not in dag
    assert dag.keys == list(graph)
    dag.add("new", list(graph))
    last = dag.nodes(["new"])[0]
    for other in copies:
        assert other.keys == dag.keys
        assert [other.parents(node) for node in range(last)] == [dag.parents(node) for node in range(last)]
        for node in range(last):
            assert other.difference({node: 1}, 3, lambda n: n == last) == []
            assert other.between([node, last]) == dag.between([node, last])


# Leaves


@given(dags(), st.data())
def test_leaves_that_not_all_sides_share_change_no_result(graph: Parents, data: st.DataObject) -> None:
    sets = data.draw(st.lists(st.sets(st.sampled_from(list(graph))), min_size=2, max_size=4))
    shared = set.intersection(*sets)
    leaves = data.draw(st.sets(st.sampled_from(list(graph)))) - shared
    masks = {
        key: sum(1 << number for number, one in enumerate(sets) if key in one)
        for key in set().union(*sets)
        if key not in shared
    }
    full = (1 << len(sets)) - 1
    plain, with_leaves = filled(graph), Dag()
    for key, parents in graph.items():
        # Some leaves get children all the same.
        with_leaves.add(key, parents, leaf=key in leaves)
    answers = [
        names(dag, dag.difference({dag.nodes([k])[0]: m for k, m in masks.items()}, full, _in(dag, shared)))
        for dag in (plain, with_leaves)
    ]
    assert answers[0] == answers[1]
    conflicted = list(masks)
    assert names(plain, plain.between(plain.nodes(conflicted))) == names(
        with_leaves, with_leaves.between(with_leaves.nodes(conflicted))
    )


def _in(dag: Dag, keys: Collection[str]) -> Callable[[int], bool]:
    return lambda node: dag.keys[node] in keys


def test_the_difference_does_not_visit_leaves() -> None:
    counts = []
    for size in (10, 1000):
        dag = Dag()
        dag.add("top", [])
        dag.add("shared", ["top"])
        for side in "ab":
            dag.add(side, ["top"])
        for number in range(size):
            dag.add(str(number), ["a", "shared"], leaf=True)
        asked: list[int] = []

        def is_shared(node: int, dag: Dag = dag, asked: list[int] = asked) -> bool:
            asked.append(node)
            return dag.keys[node] == "shared"

        found = dag.difference({dag.nodes(["a"])[0]: 1, dag.nodes(["b"])[0]: 2}, 3, is_shared)
        assert names(dag, found) == {"a", "b"}
        counts.append(len(asked))
    assert counts[0] == counts[1]
