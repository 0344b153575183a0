"""The data of the page holds what the replay found: states, verdicts, merges, members and lanes."""

import json
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, Room
from command_line import CASES, entries, header, public_room
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import drawn, parts, played

from roomver.auth import state_of_auth_events
from roomver.auth.compared import list_compared
from roomver.cli.loading import load_room
from roomver.compact import Events
from roomver.entry import Entry, Place
from roomver.errors import MissingEvents
from roomver.event import Event
from roomver.explain import merge_steps, page_checks, page_words
from roomver.explain.event import explain_event
from roomver.explain.page import STATUSES, UNKNOWN, Page, page_of
from roomver.explain.resets import explain_resets
from roomver.explain.room_facts import members_of
from roomver.explain.tables import Table
from roomver.findings import EventCheck
from roomver.gathering import Gathered
from roomver.keys import NO_KEYS
from roomver.replay import Replay
from roomver.replay.again import Resolved
from roomver.resolution import Resolution, resolve
from roomver.room_check import RoomCheck, check_room
from roomver.state import EventsOf, PartialState, Unknown, entries_of, unknown_of
from roomver.versions import StateResolution
from roomver.versions.lookup import version_record


def checked(events: Any, version: str, **options: Any) -> RoomCheck:
    found = [Entry(Place(number, ""), None, event.pdu) for number, event in enumerate(events, 1)]
    return check_room(found, version, keys=None, **options)


def state_of(data: dict[str, Any], group: int) -> dict[tuple[str, str], str] | None:
    """Build a state as the page does."""
    if group == UNKNOWN:
        return None
    deltas = []
    while group >= 0:
        group, delta = data["groups"][group]
        deltas.append(delta)
    state: dict[tuple[str, str], str] = {}
    for delta in reversed(deltas):
        for key, event in zip(delta[::2], delta[1::2], strict=True):
            name = tuple(data["keys"][key])
            if event < 0:
                state.pop(name, None)
            else:
                state[name] = data["ids"][event]
    return state


versions = st.sampled_from(["1", "2", "6", "10", "11", "12"])


@given(st.integers(0, 2**32), versions, st.booleans())
def test_the_states_of_the_page_are_those_of_the_replay(seed: int, version: str, odd: bool) -> None:
    found = checked(played(Random(seed), version, 14, odd=odd), version)
    page = page_of(found)
    data = json.loads(json.dumps(page.to_dict()))
    for number, event in enumerate(page.order):
        assert data["ids"][number] == event.event_id
        for name, state in (
            ("before", found.replay.state_before(event.event_id)),
            ("after", found.replay.state_after(event.event_id)),
        ):
            built = state_of(data, data[name][number])
            assert built == (None if state is None else dict(entries_of(state)))
            known_in_part = str(data[name][number]) in data["unknown"]
            assert known_in_part == isinstance(state, PartialState)


@given(st.integers(0, 2**32), versions, st.booleans())
def test_the_checks_of_the_page_are_those_of_the_replay(seed: int, version: str, odd: bool) -> None:
    found = checked(played(Random(seed), version, 14, odd=odd), version)
    page = page_of(found)
    tables = page.tables
    for number, event in enumerate(page.order):
        outcome = found.replay.outcomes[event.event_id]
        checks = {one.against: one for one, _ in checks_of(page, number)}
        for against, verdict in (
            (page_checks.AUTH_EVENTS, outcome.by_auth_events),
            (page_checks.BEFORE, outcome.by_state),
        ):
            kept = checks[against].verdict
            assert (kept >= 0) == (verdict is not None)
            if verdict is not None:
                one = tables.verdicts.values[kept]
                assert one.allowed == verdict.allowed
                assert tables.rules.values[one.rule].name == verdict.rule.name
        current = found.replay.current_check(event.event_id)
        result = page_checks.RESULTS[checks[page_checks.CURRENT].result]
        expected = {True: "allowed", False: "soft-failed", None: "undecided"}[current.allowed]
        assert result == (expected if current.made else "not made")


def of_replay(replay: Replay, version: str) -> RoomCheck:
    gathered = Gathered(version_record(version), Events(replay.events))
    for event_id, event in replay.events.items():
        gathered.checks[event_id] = EventCheck(event_id, event, ())
    return RoomCheck(gathered, replay, resets=replay.resets())


@given(st.integers(0, 2**32), versions)
def test_a_part_of_a_room_has_a_page_that_says_what_is_unknown(seed: int, version: str) -> None:
    rng, events, whole, gone = drawn(seed, version)
    for part in parts(rng, events, whole, gone):
        replay = part.replay()
        page = page_of(of_replay(replay, version))
        data = json.loads(json.dumps(page.to_dict()))
        for number, event in enumerate(page.order):
            state = replay.state_before(event.event_id)
            assert state_of(data, data["before"][number]) == (
                None if state is None else dict(entries_of(state))
            )
            undecided = event.event_id in replay.undecided
            assert (STATUSES[page.status[number]] == "undecided") == undecided
        assert (data["current"] is None) == (replay.current_state is None)
        if replay.current_state is not None:
            assert len(data["current"]["unknown"]) == len(unknown_of(replay.current_state))
        for merge in page.merges[0]:
            for steps in merge.by_algorithm.values():
                assert steps.error or len(steps.result) == len(merge.conflicts)
        for merge in data["merges"]:
            for steps in merge["by"].values():
                assert "error" in steps or len(steps["result"]) == len(merge["conflicts"])


@given(st.integers(0, 2**32), versions, st.booleans())
def test_the_page_names_all_that_was_compared(seed: int, version: str, odd: bool) -> None:
    found = checked(played(Random(seed), version, 14, odd=odd), version)
    page = page_of(found)
    tables, replay = page.tables, found.replay
    for number, event in enumerate(page.order):
        for one, compared in checks_of(page, number):
            if one.verdict < 0 or one.against == page_checks.CURRENT:
                continue
            if one.against == page_checks.BEFORE:
                before = replay.state_before(event.event_id)
                assert before is not None
                state: Any = EventsOf(before, replay.events)
            else:
                state = state_of_auth_events(event, replay.events)
            expected = [(row.what, str(row.value), row.source) for row in list_compared(event, state)]
            numbers = () if compared < 0 else tables.rows.values[compared]
            rows = [tables.compared.values[row] for row in numbers]
            assert expected == [(row.what, row.value, source_of(page, event, row)) for row in rows]


def checks_of(page: Page, number: int) -> list[tuple[page_checks.KeptCheck, int]]:
    """Return the checks of an event, each with the number of what it compared."""
    numbers = page.tables.sets.values[page.checks[number]]
    return [
        (page.tables.checks.values[check], compared)
        for check, compared in zip(numbers[::2], numbers[1::2], strict=True)
    ]


def source_of(page: Page, event: Event, row: page_checks.KeptCompared) -> str:
    """Return in words where a value comes from, as the page does."""
    words = f"{event.sender if row.of_sender else ''}{row.words}"
    return words if row.source < 0 else f"{words} {page.ids.values[row.source]}".strip()


@given(st.integers(0, 2**32), versions)
def test_each_merge_has_the_result_of_the_replay_by_each_algorithm(seed: int, version: str) -> None:
    found = checked(played(Random(seed), version, 20), version)
    page = page_of(found)
    merges, left_out = page.merges
    assert left_out == 0
    assert {one.event_id for one in merges} == {one.event_id for one in found.replay.merges}
    for merge in merges:
        for algorithm in StateResolution:
            steps = merge.by_algorithm[algorithm.value]
            again = found.replay.resolution_at(merge.event_id, algorithm=algorithm)
            trace = again.steps
            assert trace is not None
            assert not steps.error
            assert [*steps.result] == [again.state.get(one.key) for one in merge.conflicts]
            assert [one.event_id for one in steps.checks] == [one.event_id for one in trace.checks]
            assert [one.accepted for one in steps.checks] == [one.accepted for one in trace.checks]
            assert steps.power_order == trace.power_order
            assert {key: tried for key, tried, _ in steps.restored} == trace.restored
        own = merge.by_algorithm[page.found.gathered.version.state_resolution.value]
        if merge.event_id is not None:
            before = found.replay.state_before(merge.event_id)
            assert before is not None
            entries_before = entries_of(before)
            assert [*own.result] == [entries_before.get(one.key) for one in merge.conflicts]


@given(st.integers(0, 2**32), versions, st.booleans())
def test_every_event_is_on_the_page_once_and_parents_are_below(seed: int, version: str, odd: bool) -> None:
    found = checked(played(Random(seed), version, 14, odd=odd), version)
    page = page_of(found)
    ids = [event.event_id for event in page.order]
    assert sorted(ids) == sorted(found.replay.outcomes)
    assert len(page.lanes) == len(ids) == len(page.status) == len(page.checks)
    data = page.to_dict()
    for number, prev in enumerate(data["prev"]):
        assert all(one > number for one in prev)
    # Each edge has a stretch that is open below its row and leads to its parent.
    for number, prev in enumerate(data["prev"]):
        for parent in prev:
            if parent < len(ids):
                assert any(to == parent and top <= number < end for _, top, end, to in page.stretches)


def test_statuses_and_members_and_servers() -> None:
    built = public_room()
    built.add("m.room.message", BOB, {"body": "x"})
    refused = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    del built.state["m.room.topic", ""]
    page = page_of(checked(built.events.values(), "11"))
    status = {event.event_id: STATUSES[page.status[n]] for n, event in enumerate(page.order)}
    assert [one for one, name in status.items() if name != "accepted"] == [refused.event_id]
    assert status[refused.event_id] == "rejected"
    assert [(one.user, one.membership, one.level) for one in page.members] == [
        (ALICE, "join", 100),
        (BOB, "join", 0),
    ]
    assert [(one.name, one.events, one.joined) for one in page.taking_part] == [
        ("a.example", 4, 1),
        ("b.example", 3, 1),
    ]


def test_a_creator_of_version_12_has_an_infinite_level() -> None:
    page = page_of(checked(public_room("12").events.values(), "12"))
    assert [one.level for one in page.members] == ["infinite", 0]


def test_levels_are_unknown_where_the_power_levels_are() -> None:
    built = public_room()
    events = [*built.events.values()]
    ids = {("m.room.member", ALICE): events[1].event_id, ("m.room.create", ""): events[0].event_id}
    page = page_of(checked(events, "11"))
    state = PartialState(ids, (Unknown.everything("test"),))
    page.found.replay.current_state = state

    assert [one.level for one in members_of(page.found)] == [None]


def test_what_is_left_out_is_told(write: Any) -> None:
    built = public_room()
    lines = [header(), *entries(built)]
    lines[-1]["pdu"] = {**lines[-1]["pdu"], "depth": "x"}
    page = page_of(load_room(write("room.jsonl", lines), None, None).found)
    ((event_id, place, finding),) = page.left_out
    assert "line 6" in place
    assert finding.kind.value == "malformed"
    assert event_id


def test_the_most_merges_are_kept_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_room(str(CASES / "m_16629_reset.jsonl"), None, None).found
    assert [len(page_of(found).merges[0]), page_of(found).merges[1]] == [1, 0]
    monkeypatch.setattr(merge_steps, "MOST_KEYS", 3)
    monkeypatch.setattr(merge_steps, "MOST_CHECKS", 4)
    ((merge,), _) = page_of(found).merges
    steps = merge.by_algorithm["v2"]
    assert (len(merge.conflicts), merge.more_keys) == (3, 10)
    assert (len(steps.checks), len(steps.result)) == (4, 3)
    assert steps.more_checks > 0
    monkeypatch.setattr(merge_steps, "MOST_MERGES", 0)
    assert page_of(found).merges == ([], 1)
    monkeypatch.setattr(merge_steps, "MOST_MERGES", 10)
    monkeypatch.setattr(merge_steps, "MOST_ENTRIES", 0)
    assert page_of(found).merges == ([], 1)


def test_no_more_steps_are_kept_than_the_page_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(played(Random(3), "11", 60), "11")
    assert len(found.replay.merges) > 3
    monkeypatch.setattr(merge_steps, "_TOGETHER", 2)
    whole, left_out = page_of(found).merges
    assert left_out == 0
    monkeypatch.setattr(merge_steps, "MOST_STEPS", sum(map(merge_steps._size, whole[:2])) + 1)
    kept, left_out = page_of(found).merges
    assert [one.event_id for one in kept] == [one.event_id for one in whole[:3]]
    assert left_out == len(whole) - 3


def test_merges_that_govern_the_room_come_before_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    built = public_room()
    for kind, contents in (
        ("m.room.power_levels", [{"users": {ALICE: 100}, "ban": n} for n in (60, 70)]),
        ("m.room.topic", [{"topic": n} for n in "ab"]),
    ):
        fork = built.last
        assert fork is not None
        ends = [built.add(kind, ALICE, one, state_key="", prev=[fork]) for one in contents]
        built.state[kind, ""] = ends[-1]
        built.add("m.room.message", ALICE, {"body": kind}, prev=ends)
    found = checked(built.events.values(), "11")
    assert not found.resets
    monkeypatch.setattr(merge_steps, "MOST_MERGES", 1)
    ((merge,), left_out) = page_of(found).merges
    assert left_out == 1
    assert [one.key[0] for one in merge.conflicts] == ["m.room.power_levels"]


def test_merges_with_resets_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    events = None
    for seed in range(200):
        found = checked(played(Random(seed), "2", 30), "2")
        if found.resets and len({one.event_id for one in found.replay.merges}) > 2:
            events = found
            break
    assert events is not None
    monkeypatch.setattr(merge_steps, "MOST_MERGES", 1)
    ((merge,), left_out) = page_of(events).merges
    assert merge.event_id in {reset.merge for reset in events.resets}
    assert left_out > 0


def test_every_event_of_a_small_room_is_explained_as_the_command_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = public_room()
    refused = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    found = checked(built.events.values(), "11")
    page = page_of(found)
    assert page.explained == {e: explain_event(found, e).why for e in found.replay.order}
    data = page.to_dict()
    assert {*data["explained"]} == {str(number) for number in range(len(page.order))}
    words = data["explained"][str(page.number(refused.event_id))]
    assert ["event", page.number(refused.event_id)] in words
    assert ["user", BOB] in words
    # Of a large room, those that are not accepted are explained first.
    monkeypatch.setattr(page_words, "MOST_STEPS", 0)
    for _ in range(40):
        built.add("m.room.message", ALICE, {"body": "x"})
    page = page_of(checked(built.events.values(), "11"))
    assert len(page.explained) == 20
    assert next(iter(page.explained)) == refused.event_id


def test_the_resets_are_those_of_the_command() -> None:
    found = load_room(str(CASES / "m_16629_reset.jsonl"), None, None).found
    page = page_of(found)
    assert page.resets == explain_resets(found)
    assert [one[5] for one in page.to_dict()["resets"]] == [one.intent.value for one in page.resets]
    assert {(one[7], one[8]) for one in page.to_dict()["resets"]} == {("still lost", -1)}
    assert all(one[9] for one in page.to_dict()["resets"])
    assert page.to_dict()["resets_unsearched"] == []


def test_the_progress_grows_to_the_whole() -> None:
    built = public_room()
    for _ in range(600):
        built.add("m.room.message", BOB, {"body": "x"})
    last = built.last
    assert last is not None
    for name in ("a", "b"):
        built.add("m.room.topic", ALICE, {"topic": name}, state_key="", prev=[last])
    told: list[tuple[int, int]] = []
    page_of(checked(built.events.values(), "11"), lambda *one: told.append(one))
    assert told == sorted(told)
    assert {total for _, total in told} == {607 + 100}
    assert [done for done, _ in told] == [256, 512, 607]


def test_a_merge_that_cannot_be_resolved_again_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_room(str(CASES / "m_16629_reset.jsonl"), None, None).found

    def fail(*_: Any, **options: Any) -> Any:
        if options.get("algorithm") in (None, StateResolution.V1):
            raise MissingEvents(["$gone"])
        return resolve(*_, **options)

    with monkeypatch.context() as patched:
        patched.setattr(merge_steps, "resolve", fail)
        ((merge,), _) = page_of(found).merges
        assert "$gone" in merge.by_algorithm["v1"].error
        assert merge.by_algorithm["v2"].error == ""
        data = page_of(found).to_dict(lambda text: f"<{text}>")
        assert data["merges"][0]["by"]["v1"] == {"error": f"<{merge.by_algorithm['v1'].error}>"}
    for name, place in (("split_states", merge_steps), ("states_met", found.replay)):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, fail)
            if place is found.replay:  # which asks for them if the states are not known in whole
                patched.setattr(place, "resolve_again", lambda ids: [Resolved(one, {}, None) for one in ids])
            ((merge,), _) = page_of(found).merges
            assert "$gone" in merge.error
            assert page_of(found).to_dict()["merges"][0]["error"] == merge.error


def test_a_result_that_is_unknown_is_not_an_event() -> None:
    state = PartialState({("a", ""): "$a"}, (Unknown.everything("test"),))
    resolution = Resolution(state)
    assert merge_steps._get(resolution, ("a", "")) == "$a"
    assert merge_steps._get(resolution, ("b", "")) is None


def test_auth_events_that_make_no_state_leave_nothing_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise MissingEvents(["$gone"])

    monkeypatch.setattr(page_checks, "state_of_auth_events", fail)
    page = page_of(checked(public_room().events.values(), "11"))
    for number in range(len(page.order)):
        for check, compared in checks_of(page, number):
            assert check.against != page_checks.AUTH_EVENTS or compared == page_checks.NOTHING


def test_the_keys_of_the_servers_are_counted(write: Any) -> None:
    built = public_room()
    lines = [header(), *entries(built)]
    loaded = load_room(write("room.jsonl", lines), None, NO_KEYS)
    assert [
        [(key.key_id, key.verified) for key in one.keys] for one in page_of(loaded.found).taking_part
    ] == [
        [("ed25519:1", 4)],
        [("ed25519:1", 1)],
    ]
    assert page_of(loaded.found).taking_part[0].signatures == {"valid": 4}
    del lines[0]["keys"]["b.example"]
    loaded = load_room(write("room.jsonl", lines), None, NO_KEYS)
    (known, unknown) = page_of(loaded.found).taking_part
    assert [tuple(key) for key in unknown.keys] == [("ed25519:1", 0, 0, 1)]
    assert unknown.to_dict()["keys"] == [["ed25519:1", 0, 0, 1]]
    assert known.signatures == {"valid": 4}


def test_a_cycle_is_drawn_without_lines() -> None:
    built = Room("1")
    built.join(ALICE)
    ids = ("$one:a.example", "$two:a.example")
    one, two = (
        built.make("m.room.message", ALICE, {"body": "x"}, event_id=own, prev=[other])
        for own, other in (ids, ids[::-1])
    )
    page: Page = page_of(checked([*built.events.values(), one, two], "1"))
    data = page.to_dict()
    assert [STATUSES[one] for one in page.status] == ["accepted", "accepted", "rejected", "rejected"]
    assert [data["ids"][n] for n in (2, 3)] == ["$two:a.example", "$one:a.example"]
    assert all(top != 3 and to != 3 for _, top, _, to in page.stretches)


def test_a_table_numbers_values_in_the_order_of_their_first_use() -> None:
    table = Table(["a", "b", "a"])
    assert (table("b"), table("c"), table.find("d"), len(table)) == (1, 2, None, 3)
    assert table.rows(str.upper) == ["A", "B", "C"]
