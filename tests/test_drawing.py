"""The rows that are drawn of a room: each event once or counted, edges as in the room, runs folded."""

from collections.abc import Sequence
from typing import Any

import pytest
from builder import ALICE, BOB, Room
from command_line import public_room
from drawn import above, braided, checked, random_room
from hypothesis import given
from hypothesis import strategies as st

from roomver import Event
from roomver.explain.drawing import SMALL, Drawing, Kind, Node, draw, drawn_order
from roomver.explain.folding import LONG
from roomver.explain.judged import Judged
from roomver.explain.lanes import lay_out
from roomver.explain.marks import PLAIN, Mark, find_marks
from roomver.findings import FindingKind
from roomver.room_check import RoomCheck
from roomver.types import EventId

ROOMS = st.builds(random_room, st.integers(0, 10_000), st.sampled_from(["2", "6", "11", "12"]))
BRAIDS = st.builds(braided, st.integers(0, 1000))


def prevs(found: RoomCheck) -> dict[EventId, set[EventId]]:
    """The prev events of each event that are in the room."""
    events = found.replay.events
    return {one: {prev for prev in event.prev_event_ids if prev in events} for one, event in events.items()}


def all_events(nodes: Sequence[Node]) -> list[EventId]:
    return [one for node in nodes if node.kind is not Kind.JUNCTION for one in node.events]


def parents(drawing: Drawing) -> list[tuple[int, ...]]:
    return [node.parents for node in drawing.nodes]


@given(ROOMS)
def test_all_events_are_drawn_newest_first_with_their_prev_events(found: RoomCheck) -> None:
    drawing = draw(found, fold=False)
    assert all_events(drawing.nodes) == drawn_order(found.replay)
    assert sorted(all_events(drawing.nodes)) == sorted(found.replay.events)
    edges = {node.events[0]: {drawing.nodes[p].events[0] for p in node.parents} for node in drawing.nodes}
    assert edges == prevs(found)
    assert drawing.merges == sum(len(some) > 1 for some in edges.values())
    assert list(lay_out(parents(drawing)))
    assert drawing.hidden == 0


@given(st.one_of(ROOMS, BRAIDS))
def test_a_run_is_straight_and_says_all_of_its_events(found: RoomCheck) -> None:
    drawing = draw(found)
    assert sorted(all_events(drawing.nodes)) == sorted(found.replay.events)
    before = prevs(found)
    after: dict[EventId, set[EventId]] = {one: set() for one in before}
    for one, some in before.items():
        for prev in some:
            after[prev].add(one)
    for node in drawing.nodes:
        reached = {drawing.nodes[parent].events[0] for parent in node.parents}
        if node.kind is Kind.EVENT:
            assert before[node.events[0]] == reached
            continue
        assert len(node.events) >= LONG
        marks = {drawing.marks.get(one, PLAIN) for one in node.events}
        folded = drawing.folded(node)
        assert (folded.events, folded.newest) == (len(node.events), node.events[0])
        if node.kind is Kind.APART:
            assert not any(before[one] or after[one] for one in node.events)
            assert {Mark(mark.judged, mark.unsure) for mark in marks} == {node.mark}
            continue
        assert node.kind is Kind.RUN
        assert marks == {node.mark}
        assert node.mark.judged_only
        for one, following in zip(node.events, [*node.events[1:], *reached], strict=True):
            assert before[one] == {following}
            assert len(after[one]) == 1


@given(ROOMS, st.integers(1, 5), st.booleans())
def test_edges_lead_through_what_was_not_asked_for(found: RoomCheck, part: int, fold: bool) -> None:
    order = drawn_order(found.replay)
    wanted = {one for number, one in enumerate(order) if number % part == 0}
    drawing = draw(found, wanted=lambda event: event.event_id in wanted, fold=fold)
    assert sorted(all_events(drawing.nodes)) == sorted(wanted)
    assert drawing.hidden == len(order) - len(wanted)
    if fold:
        return
    place = {one: number for number, one in enumerate(order)}
    whole = above([[place[prev] for prev in prevs(found)[one]] for one in order])
    some = above(parents(drawing))
    for number, node in enumerate(drawing.nodes):
        reaching = {drawing.nodes[row].events[0] for row in some[number]}
        expected = {order[row] for row in whole[place[node.events[0]]]}
        assert reaching & wanted == expected & wanted
        if node.kind is Kind.JUNCTION:
            assert len(node.parents) > 1
            assert reaching & wanted


@given(ROOMS, st.integers(1, 6), st.data())
def test_a_part_counts_the_rows_above_and_below(found: RoomCheck, count: int, data: st.DataObject) -> None:
    order = drawn_order(found.replay)
    around = data.draw(st.sampled_from([None, *order]))
    drawing = draw(found, around=around, count=count)
    assert sorted(all_events(drawing.nodes)) == sorted(order)
    kinds = [node.kind for node in drawing.nodes]
    shown = [node for node in drawing.nodes if node.kind not in (Kind.NEWER, Kind.OLDER)]
    assert Kind.NEWER not in kinds[1:]
    assert Kind.OLDER not in kinds[:-1]
    if around is None:
        assert len(shown) == min(count, len(shown))
        assert Kind.NEWER not in kinds
    else:
        assert len(shown) <= 2 * count + 1
        assert any(node.events == (around,) for node in shown)
    list(lay_out(parents(drawing)))  # each edge leads down, inside the drawing
    # An edge of the room between shown events is drawn, and what is above or below is joined.
    at = {one: number for number, node in enumerate(drawing.nodes) for one in node.events}
    for one, some in prevs(found).items():
        for prev in some:
            if at[one] != at[prev]:
                assert at[prev] in drawing.nodes[at[one]].parents


@given(ROOMS)
def test_marks_say_what_the_check_found(found: RoomCheck) -> None:
    marks = find_marks(found)
    replayed = found.replay
    softly = {FindingKind.SOFT_FAILED, FindingKind.POLICY_SERVER}
    for one in replayed.events:
        mark = marks.get(one, PLAIN)
        assert one not in marks or mark != PLAIN
        assert (mark.judged is Judged.REJECTED) == (one in replayed.rejected)
        assert (mark.judged is Judged.UNDECIDED) == (one in replayed.undecided)
        soft = any(finding.kind in softly for finding in found.findings.get(one, ()))
        assert (mark.judged is Judged.SOFT_FAILED) == soft
        assert mark.unsure == (one in replayed.current_unknown)
        missing = [prev for prev in replayed.events[one].prev_event_ids if prev not in replayed.events]
        assert mark.missing == tuple(dict.fromkeys(missing))
        assert mark.resets == tuple(sorted({reset.key for reset in found.resets if reset.merge == one}))
        assert mark.undone == any(reset.lost == one for reset in found.resets)


def long_room(number: int) -> tuple[Room, list[Event]]:
    built = public_room()
    return built, [built.add("m.room.message", BOB, {"body": str(n)}) for n in range(number)]


def test_a_long_run_is_folded_and_a_short_one_is_not() -> None:
    built, sent = long_room(SMALL)
    drawing = draw(checked(built.events.values(), "11"))
    assert [node.kind for node in drawing.nodes] == [Kind.EVENT, Kind.RUN, Kind.EVENT]
    folded = drawing.folded(drawing.nodes[1])
    assert (folded.senders, folded.states, folded.marked) == (2, 4, 0)
    assert folded.newest == sent[-2].event_id
    assert folded.to_dict()["events"] == SMALL + 3
    drawing = draw(checked(built.events.values(), "11"), around=sent[2].event_id, count=100)
    assert [len(node.events) for node in drawing.nodes] == [1, SMALL - 4, *[1] * 8]


def test_branches_of_a_braid_are_folded_each() -> None:
    found = [draw(braided(seed)) for seed in range(10)]
    runs = [sum(node.kind is Kind.RUN for node in drawing.nodes) for drawing in found]
    assert max(runs) > 2
    assert sum(drawing.forks for drawing in found) > 10


def test_events_that_nothing_connects_are_one_row() -> None:
    built, _ = long_room(2)
    kept = list(built.events.values())
    for number in range(2 * SMALL):
        built.add("m.room.message", ALICE, {})  # missing below
        sender = ALICE if number < SMALL else "@nobody:a.example"
        kept.append(built.add("m.room.message", sender, {"body": str(number)}))
    nodes = draw(checked(kept, "11")).nodes
    apart = [(node.mark, node.parents) for node in nodes if node.kind is Kind.APART]
    assert apart == [(Mark(Judged.REJECTED), ()), (Mark(Judged.UNDECIDED), ())]
    assert [len(node.events) for node in nodes if node.kind is Kind.APART] == [SMALL, SMALL]


@pytest.mark.parametrize("number", [SMALL, SMALL + 1])
def test_a_drawing_that_fits_a_screen_is_not_folded(number: int) -> None:
    built, _ = long_room(number - 5)
    nodes = draw(checked(built.events.values(), "11")).nodes
    assert len(nodes) == (SMALL if number == SMALL else 3)


@pytest.mark.parametrize("number", [LONG - 1, LONG, 300])
def test_events_that_nothing_follows_are_one_row_if_they_follow_the_same(number: int) -> None:
    built = public_room()
    for one in range(SMALL):
        built.add("m.room.message", ALICE, {"body": str(one)})
    start = built.last
    assert start is not None
    for one in range(number):
        built.add("m.room.message", BOB, {"body": str(one)}, prev=[start])
        built.last = start
    for one in range(number):
        built.add("m.room.name", BOB, {"name": str(one)}, state_key="", prev=[start])  # rejected
    found = checked(built.events.values(), "11")
    drawing = draw(found)
    fans = [node for node in drawing.nodes if node.kind is Kind.FAN]
    if number < LONG:
        assert not fans
        return
    rejected, accepted = fans
    assert [node.mark for node in fans] == [Mark(Judged.REJECTED), Mark()]
    assert len(rejected.events) == len(accepted.events) == number
    (at,) = accepted.parents
    assert rejected.parents == (at,)
    assert drawing.nodes[at].events[0] == start.event_id
    assert sum(len(node.events) for node in drawing.nodes) == len(found.replay.events)
    # One that was asked for stands alone.
    middle = accepted.events[number // 2]
    around = draw(found, around=middle, count=5)
    assert [node.events for node in around.nodes if node.events[0] == middle] == [(middle,)]


def test_a_run_of_rejected_events_is_folded_apart_from_the_others() -> None:
    built, _ = long_room(2)
    for number in range(SMALL):
        built.add("m.room.message", "@nobody:b.example", {"body": str(number)})
    built.add("m.room.message", BOB, {"body": "last"})
    drawing = draw(checked(built.events.values(), "11"))
    assert [(node.kind, node.mark.judged) for node in drawing.nodes[:2]] == [
        (Kind.EVENT, Judged.ACCEPTED),
        (Kind.RUN, Judged.REJECTED),
    ]


@pytest.mark.parametrize("cited", [True, False])
def test_events_on_cycles_are_drawn_once(cited: bool) -> None:
    built = public_room("1")
    first, second = "$one:a.example", "$two:a.example"
    events: list[Any] = []
    for own, other in ((first, second), (second, first)):
        options: Any = {"event_id": own, "prev": [other, built.last]}
        events.append(built.make("m.room.message", ALICE, {}, **options))
    if cited:
        events.append(built.make("m.room.message", ALICE, {}, event_id="$three:a.example", prev=[second]))
    found = checked([*built.events.values(), *events], "1")
    drawing = draw(found, fold=False)
    assert sorted(all_events(drawing.nodes)) == sorted(found.replay.events)
    on_cycle = [node for node in drawing.nodes if node.mark.cyclic]
    assert {node.events[0] for node in on_cycle} == {first, second}
    assert all(node.mark.judged is Judged.REJECTED for node in on_cycle)
    list(lay_out(parents(drawing)))
    if cited:
        assert drawing.nodes[0].events == ("$three:a.example",)
        assert len(drawing.nodes[0].parents) == 1


def test_a_mark_as_json() -> None:
    mark = Mark(Judged.SOFT_FAILED, missing=("$a",), resets=(("m.room.topic", ""),))
    assert mark.to_dict() == {
        "outcome": "soft-failed",
        "unsure": False,
        "cyclic": False,
        "missing": ["$a"],
        "merged": 0,
        "resets": [["m.room.topic", ""]],
        "undone": False,
    }
    assert not mark.judged_only
    assert Mark(Judged.REJECTED).judged_only
