"""Lanes of a drawn graph: edges lead to their parents' rows, and share a lane only if they merge."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomver.explain.lanes import OpenLanes, Row, Stretch, lay_out, stretches, widest


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    """Rows from the top, each with the numbers of its parents' rows, which are further down."""
    size = draw(st.integers(1, 40))
    far = draw(st.sampled_from([1, 3, size]))
    most = draw(st.sampled_from([1, 2, 6, 20]))
    rows = []
    for number in range(size):
        last = min(size - 1, number + far)
        parents = st.lists(st.integers(number + 1, last), max_size=most) if number < last else st.just([])
        rows.append(draw(parents))
    return rows


LIMITS = st.sampled_from([1, 2, 3, 5, 100])


@given(graphs(), LIMITS)
def test_each_edge_leads_down_its_lane_to_the_row_of_its_parent(graph: list[list[int]], limit: int) -> None:
    rows = list(lay_out(graph, limit))
    cited = {parent for parents in graph for parent in parents}
    below: dict[int, int] = {}  # a row that edges lead to, and the lane that leads there
    for row in rows:
        assert [edge.parent for edge in row.edges] == sorted(set(graph[row.number]))
        assert row.tip == (row.number not in cited)
        if row.tip:
            assert row.lane not in below.values() or row.lane == limit
        else:
            assert below.pop(row.number) == row.lane
        for edge in row.edges:
            there = below.get(edge.parent)
            if there not in (None, edge.lane):
                assert (row.lane, row.moved) == (edge.lane, there)
            below[edge.parent] = edge.lane
        drawn = [lane for lane in below.values() if lane != limit]
        assert len(drawn) == len(set(drawn))  # edges that share a lane lead to the same row
        assert all(lane < limit for lane in drawn)
        assert row.beyond == len(below) - len(drawn)
    assert not below


@given(graphs(), LIMITS)
def test_a_lane_is_left_undrawn_only_if_all_are_taken(graph: list[list[int]], limit: int) -> None:
    open_lanes = OpenLanes(limit)
    seen: set[int] = set()
    for row in lay_out(graph, limit):
        assert row.lane < limit or not row.tip or len(open_lanes.leads_to) == limit
        open_lanes.pass_row(row)
        assert len(open_lanes.leads_to) <= limit
        if any(edge.lane == limit and edge.parent not in seen for edge in row.edges):
            kept = {row.lane, *([] if row.moved is None else [row.moved])}
            assert set(range(limit)) <= {*open_lanes.leads_to, *kept}
        seen |= {edge.parent for edge in row.edges}


@given(graphs(), LIMITS)
def test_stretches_and_open_lanes_say_the_same(graph: list[list[int]], limit: int) -> None:
    rows = list(lay_out(graph, limit))
    parts = list(stretches(rows))
    open_lanes = OpenLanes(limit)
    for row in rows:
        open_lanes.pass_row(row)
        overlapping = [one for one in parts if one.top <= row.number < one.bottom and one.lane < limit]
        assert {one.lane: one.parent for one in overlapping} == open_lanes.leads_to
        assert len(overlapping) == len(open_lanes.leads_to)
    by_parent: dict[int, list[Stretch]] = {}
    for one in parts:
        by_parent.setdefault(one.parent, []).append(one)
    for parent, chain in by_parent.items():
        assert all(above.bottom == one.top for above, one in pairwise(chain))
        assert chain[-1].bottom == parent
        assert chain[-1].lane == rows[parent].lane


@given(graphs(), LIMITS)
def test_the_main_line_stays_left(graph: list[list[int]], limit: int) -> None:
    """A row without edges to the left has one straight down."""
    for row in lay_out(graph, limit):
        lanes = [edge.lane for edge in row.edges]
        assert not lanes or min(lanes) <= row.lane
        assert row.lane == limit or not lanes or row.lane in lanes or max(lanes) < row.lane


def test_a_straight_line_and_a_fork_with_a_merge() -> None:
    assert [row.lane for row in lay_out([[1], [2], []])] == [0, 0, 0]
    merge, left, right, fork = lay_out([[1, 2], [3], [3], []])
    assert [row.lane for row in (merge, left, right, fork)] == [0, 0, 1, 0]
    assert (right.edges[0].lane, right.moved) == (0, None)
    merge, right, left, fork = lay_out([[2, 1], [3], [3], []])
    assert [row.lane for row in (merge, right, left, fork)] == [0, 0, 1, 0]


def test_the_edges_of_a_lane_to_the_right_move_to_the_row_that_meets_them() -> None:
    rows = list(lay_out([[2], [3], [3], []]))
    assert [row.lane for row in rows] == [0, 1, 0, 0]
    assert rows[2].moved == 1
    assert list(stretches(rows)) == [Stretch(0, 0, 2, 2), Stretch(1, 1, 2, 3), Stretch(0, 2, 3, 3)]


def test_hundreds_of_branches_are_counted_beyond_the_lanes_that_are_drawn() -> None:
    graph = [list(range(1, 501)), *([501] for _ in range(500)), []]
    rows = list(lay_out(graph, 8))
    assert rows[0].beyond == 492
    assert widest(rows) == 9
    assert widest(lay_out(graph, 1000)) == 500
    assert rows[-1].beyond == 0
    assert rows[-1].lane == 0


@pytest.mark.parametrize("graph", [[[0]], [[1], [0]], [[], [0]]])
def test_a_parent_above_its_row_is_refused(graph: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="not below"):
        list(lay_out(graph))


def test_no_lanes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        list(lay_out([[]], 0))


def test_rows_come_as_soon_as_their_parents_are_given() -> None:
    given_rows = iter([[1], []])
    rows = lay_out(given_rows)
    assert next(rows).number == 0
    assert next(given_rows) == []


def test_a_row_as_json() -> None:
    (row, _) = lay_out([[1], []])
    assert isinstance(row, Row)
    assert row.to_dict() == {
        "row": 0,
        "lane": 0,
        "edges": [{"row": 1, "lane": 0}],
        "tip": True,
        "moved": None,
        "beyond": 0,
    }
