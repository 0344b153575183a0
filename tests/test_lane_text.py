"""A graph as lines of text: they are followed back, and each leads from a row to the rows of its parents."""

import pytest
from drawn import drawn_lines, traced
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from test_lanes import graphs

from roomver.cli.graph_words import RowText
from roomver.cli.lane_text import LaneText, cut_to
from roomver.explain.lanes import lay_out


@given(graphs())
def test_the_lines_lead_from_each_row_to_its_parents(graph: list[list[int]]) -> None:
    lines = drawn_lines(LaneText(100, 500), lay_out(graph, 100))
    assert traced(lines, len(graph)) == [sorted(set(parents)) for parents in graph]


@given(graphs(), st.sampled_from([1, 2, 4]), st.sampled_from([30, 80]))
def test_lines_fit_the_width_and_count_what_is_left_out(
    graph: list[list[int]], limit: int, width: int
) -> None:
    text = LaneText(limit, width)
    rows = list(lay_out(graph, limit))
    lines = drawn_lines(text, rows)
    assert all(cell_len(line.rstrip()) <= width for line in lines)
    assert sum("*" in line for line in lines) == len(graph)
    assert text.most_hidden <= max(row.beyond for row in rows)
    assert bool(text.most_hidden) == any("+" in line for line in lines)


@given(graphs())
def test_ascii_has_the_same_shape(graph: list[list[int]]) -> None:
    lines = drawn_lines(LaneText(100, 500), lay_out(graph, 100))
    plain = drawn_lines(LaneText(100, 500, ascii_only=True), lay_out(graph, 100))
    assert [len(line) for line in plain] == [len(line) for line in lines]
    assert all(line.isascii() for line in plain)


def drawing(graph: list[list[int]], limit: int = 10) -> list[str]:
    return [line.rstrip() for line in drawn_lines(LaneText(limit, 80), lay_out(graph, limit))]


def test_a_merge_and_a_fork() -> None:
    assert drawing([[1, 2], [3], [3], []]) == ["* 0", "├─╮", "* │ 1", "│ * 2", "├─╯", "* 3"]


def test_a_lane_that_is_crossed_and_one_that_is_joined() -> None:
    lines = drawing([[3], [4], [3, 5], [5], [5], []])
    assert lines == ["* 0", "│ * 1", "│ │ * 2", "├─│─┤", "* │ │ 3", "├─│─╯", "│ * 4", "├─╯", "* 5"]


def test_a_row_that_follows_nothing_is_not_drawn_below_another_one() -> None:
    assert drawing([[], [2], []]) == ["* 0", "", "* 1", "* 2"]


def test_lanes_beyond_the_last_are_counted() -> None:
    lines = drawing([[1, 2, 3, 4], [5], [5], [5], [5], []], limit=2)
    assert lines == [
        "* 0",
        "├─┬─╮",
        "* │ +2 1",
        "│ * +2 2",
        "├─╯ │",
        "│   * +1 3",
        "├───╯",
        "│   * 4",
        "├───╯",
        "* 5",
    ]


@pytest.mark.parametrize(
    ("text", "cells", "cut"), [("宽宽宽", 5, "宽宽…"), ("宽宽宽", 4, "宽…"), ("ab", 2, "ab")]
)
def test_text_is_cut_by_the_cells_that_it_takes(text: str, cells: int, cut: str) -> None:
    assert cut_to(text, cells) == cut


def test_notes_are_broken_between_words_beside_the_lanes() -> None:
    rows = lay_out([[1, 2], [2], []], 4)
    first = RowText("!", "$a 2023-01-01 00:00:00", "text", ("merge of this and that and more and more",))
    said = zip(rows, [first, *[RowText("*", "", "x")] * 2], strict=True)
    lines = ["".join(part.text for part in line) for line in LaneText(4, 24).lines(said)]
    assert lines[:2] == ["! $a 2023-01-01 00:00:0…", "│   merge of this and"]
    assert lines[2:4] == ["│     that and more and", "│     more"]
