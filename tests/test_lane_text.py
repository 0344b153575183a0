"""A graph as lines of text: they are followed back, and each leads from a row to the rows of its parents."""

import pytest
from drawn import drawn_lines, traced
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from test_lanes import graphs

from roomver.cli.fitted import cut_to, fit, fit_words
from roomver.cli.graph_words import RowText
from roomver.cli.lane_text import LaneText
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
    first = RowText(
        "!", "text", "$a", "2023-01-01", "00:00:00", notes=("merge of this and that and more and more",)
    )
    said = zip(rows, [first, *[RowText("*", "x")] * 2], strict=True)
    lines = ["".join(part.text for part in line) for line in LaneText(4, 24).lines(said)]
    assert lines[:5] == [
        "  2023-01-01 UTC",
        "! $a 00:00:00 text",
        "│   merge of this and",
        "│     that and more and",
        "│     more",
    ]


def shown(width: int, *said: RowText) -> list[str]:
    """The lines of rows that follow each other in one lane."""
    rows = lay_out([*([number + 1] for number in range(len(said) - 1)), []], 4)
    lines = LaneText(4, width).lines(zip(rows, said, strict=True))
    return ["".join(part.text for part in line).rstrip() for line in lines]


def row(text: str, day: str = "2023-01-02", time: str = "10:00:00") -> RowText:
    return RowText("*", text, "$abcdefgh", day, time)


def test_the_day_is_said_where_it_changes() -> None:
    several = RowText(":", "9 events", "", "2023-01-01", "09:00:00", since=("2023-01-01", "08:00:00"))
    longer = RowText(":", "9 events", "", "2022-12-31", "09:00:00", since=("2022-12-30", "08:00:00"))
    assert shown(
        80, row("a"), row("b"), row("c", "", "-1 ms"), row("d"), several, longer, row("e", "2022-12-30")
    ) == [
        "  2023-01-02 UTC",
        "* $abcdefgh 10:00:00 a",
        "* $abcdefgh 10:00:00 b",
        "* $abcdefgh -1 ms c",
        "* $abcdefgh 10:00:00 d",
        "│ 2023-01-01 UTC",
        ": 9 events, 08:00:00 to 09:00:00",
        "│ 2022-12-31 UTC",
        ": 9 events, 2022-12-30 08:00:00 to 09:00:00",
        "│ 2022-12-30 UTC",
        "* $abcdefgh 10:00:00 e",
    ]
    assert longer.lines == ["9 events, 2022-12-30 08:00:00 to 2022-12-31 09:00:00"]
    assert row("a").lines == ["$abcdefgh 2023-01-02 10:00:00", "a"]


def test_who_did_what_goes_on_below_and_words_of_people_are_cut() -> None:
    lines = shown(
        50,
        row("@mallory:remote.example: invite of @victor:other.example"),
        row('@alice:a.example: topic "one two three four five six"'),
        row(f"@alice:a.example: {'w' * 300}"),
    )
    assert lines[1:] == [
        "* $abcdefgh 10:00:00 @mallory:remote.example:",
        "│     invite of @victor:other.example",
        "* $abcdefgh 10:00:00 @alice:a.example: topic",
        '│     "one two three four five six"',
        "* $abcdefgh 10:00:00 @alice:a.example:",
        f"      {'w' * 44}",
        f"      {'w' * 43}…",
    ]
    assert shown(60, row('@alice:a.example: topic "one two three four five six"'))[1:] == [
        '* $abcdefgh 10:00:00 @alice:a.example: topic "one two three…'
    ]


@given(st.text('ab 宽"', max_size=200), st.integers(1, 60), st.integers(1, 60), st.integers(1, 4))
def test_fitted_text_fits(text: str, first: int, rest: int, most: int) -> None:
    for lines in (fit(text, first, rest, most), fit_words(text, first, rest, most)):
        assert 1 <= len(lines) <= most
        # One cell of a character that takes two may be too many.
        assert all(cell_len(line) <= max(2, first if not n else rest) for n, line in enumerate(lines))
        said = "".join(lines).replace(" ", "").removesuffix("…")
        assert text.replace(" ", "").startswith(said)
        assert lines[-1].endswith("…") or '"' in text or said == text.replace(" ", "")
