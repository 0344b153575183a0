"""Room states that share structure."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomver import UnknownState
from roomver.resolution import RoomState, split_states
from roomver.state import PartialState, State, Unknown, differing, known_in_part

keys = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "x", "y"]))
numbers = st.integers(1, 3)


def _of_its_key(entries: Mapping[tuple[str, str], int | None]) -> dict[tuple[str, str], Any]:
    """Turn numbers into event IDs that differ from key to key."""
    return {key: None if n is None else f"${key[0]}{key[1]}{n}" for key, n in entries.items()}


states = st.dictionaries(keys, numbers).map(_of_its_key)
changes = st.dictionaries(keys, st.none() | numbers).map(_of_its_key)


@given(states, st.lists(changes, max_size=6))
def test_a_room_state_behaves_like_a_dict(start: dict[Any, str], steps: list[dict[Any, Any]]) -> None:
    model = dict(start)
    state = RoomState(start)
    earlier = [(state, dict(model))]
    for step in steps:
        for key, event_id in step.items():
            if event_id is None:
                model.pop(key, None)
            else:
                model[key] = event_id
        state = state.changed(step)
        earlier.append((state, dict(model)))
    # No later change has changed an earlier state.
    for made, expected in earlier[-4:]:
        assert dict(made) == expected
        assert made == expected
        assert made.as_dict() == expected
        assert len(made) == len(expected)
        assert set(made) == set(expected)
        assert list(made) == list(made.as_dict())
        assert list(made.items()) == list(made.as_dict().items())
        assert list(made.values()) == list(made.as_dict().values())
        assert RoomState(made) == made
        for key in [(a, b) for a in "abcd" for b in ("", "x", "y")]:
            assert (key in made) == (key in expected)
            assert made.get(key) == expected.get(key)
            assert made.get(key, "$none") == expected.get(key, "$none")
            if key in expected:
                assert made[key] == expected[key]
            else:
                with pytest.raises(KeyError):
                    made[key]
    for one, dict_one in earlier[-4:]:
        for other, dict_other in earlier[:2]:
            differing = {k for k in dict_one | dict_other if dict_one.get(k) != dict_other.get(k)}
            assert one.shares_with(other)
            assert one.differing_keys(other) == differing
            assert (one == other) == (dict_one == dict_other) == (one == dict_other)
            # The same for states that share no dict.
            apart = RoomState(dict_other | {("z", ""): "$z"}).changed({("z", ""): None})
            assert not one.shares_with(apart)
            assert split_states([one, apart]).conflicted == split_states([dict_one, dict_other]).conflicted
            assert (one == apart) == (dict_one == dict_other)
            assert one.differing_keys(apart) == one.differing_keys(dict_other) == differing
            delta = {key: dict_one.get(key) for key in sorted(differing)}
            for before in (other, apart, dict_other):
                assert list(one.changes_since(before).items()) == list(delta.items())
                again = RoomState.from_deltas([delta], before)
                assert again == one
                assert again.shares_with(other) == (before is other)
            assert set(split_states([one, other]).conflicted) == differing
            assert split_states([one, other]).conflicted == split_states([dict_one, dict_other]).conflicted


def test_changes_that_are_taken_back_are_not_kept() -> None:
    # So a state that comes back to the shared dict keeps on sharing it.
    start = RoomState({("a", ""): "$a"})
    state = start
    for number in range(1_000):
        key = ("b", str(number))
        state = state.changed({key: "$b", ("a", ""): "$c", ("c", str(number)): None})
        state = state.changed({key: None, ("a", ""): "$a"})
    assert state.shares_with(start)
    assert state == start


def test_states_are_made_to_share() -> None:
    assert RoomState.sharing([]) == []
    one = {("a", str(number)): f"${number}" for number in range(1_000)}
    other = {**one, ("a", "5"): "$other", ("b", ""): "$b"}
    del other["a", "7"]
    first, second, apart = RoomState.sharing([one, other, {}])
    assert first == one
    assert second == other
    assert apart == {}
    assert second.shares_with(first)
    assert not apart.shares_with(first)  # because every entry differs
    # States that share already are returned unchanged.
    again = RoomState.sharing([second, first, apart, one])
    assert again[0] is second
    assert again[1] is first
    assert again == [other, one, {}, one]
    assert again[3].shares_with(first)


def test_many_changes_are_merged_into_a_new_dict() -> None:
    start = RoomState()
    state = start
    model: dict[tuple[str, str], str] = {}
    for number in range(1_000):
        key = ("a", str(number))
        model[key] = f"${number}"
        state = state.changed({key: f"${number}"})
    assert dict(state) == model
    assert len(state) == 1_000
    assert not state.shares_with(start)
    assert RoomState(model) == state
    assert repr(state) == "<RoomState of 1,000 entries>"
    gone = state.changed(dict.fromkeys(model))
    assert len(gone) == 0
    assert dict(gone) == {}


# Deltas


@given(st.lists(changes, max_size=6))
def test_a_state_is_made_of_the_changes_that_a_store_keeps(steps: list[dict[Any, Any]]) -> None:
    state = RoomState()
    kept = []
    for step in steps:
        following = state.changed(step)
        kept.append(following.changes_since(state))
        state = following
    assert RoomState.from_deltas(kept) == state
    assert RoomState.from_deltas(kept[2:], RoomState.from_deltas(kept[:2])) == state
    assert RoomState.from_deltas(kept, {}) == state
    assert RoomState.from_deltas([]) == {}


def test_changes_between_states_that_share_cost_as_much_as_the_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = RoomState({("a", str(number)): f"${number}" for number in range(1_000)})
    one = start.changed({("a", "5"): "$x", ("a", "6"): None})
    other = start.changed({("b", ""): "$b"})

    def compare(*_: object) -> Any:
        raise AssertionError("all entries are compared")

    monkeypatch.setattr("roomver.state.room_state.differing_by_place", compare)
    assert one.changes_since(other) == {("a", "5"): "$x", ("a", "6"): None, ("b", ""): None}
    assert one.changes_since(start) == {("a", "5"): "$x", ("a", "6"): None}
    with pytest.raises(AssertionError, match="all entries"):
        one.changes_since(RoomState(other))


NAME, TOPIC, MEMBER = ("m.room.name", ""), ("m.room.topic", ""), ("m.room.member", "@a:b")


def test_changes_of_states_that_are_known_in_part() -> None:
    unknown = Unknown.members()
    before = PartialState(RoomState({NAME: "$n", MEMBER: "$m"}), [unknown])
    after = before.changed({TOPIC: "$t", NAME: None})
    assert after.changes_since(before) == {NAME: None, TOPIC: "$t"}
    assert before.changed(after.changes_since(before)) == after
    # A member event that is gone is unknown, but not in the same way as in the other state.
    gone = before.changed({MEMBER: None})
    other = PartialState({NAME: "$n"}, [Unknown.members()])
    for state in (gone, other, {NAME: "$n"}, RoomState({NAME: "$n"})):
        with pytest.raises(UnknownState, match=r"the states may differ in what is unknown: m\.room\.member"):
            before.changes_since(state)
    with pytest.raises(UnknownState):
        RoomState({NAME: "$n"}).changes_since(before)
    with pytest.raises(UnknownState):
        before.as_dict()


def test_every_state_says_what_is_known() -> None:
    whole = RoomState({NAME: "$n"})
    unknown = Unknown("dropped", keys=frozenset({TOPIC}))
    part = known_in_part({NAME: "$n"}, [unknown])
    assert isinstance(part, State)
    assert (whole.known, whole.unknown) == (whole, ())
    assert (part.known, part.unknown) == ({NAME: "$n"}, (unknown,))
    assert whole != part
    assert part != whole
    # Once every key is known, the state is a `RoomState`, whatever held the known entries.
    assert type(part.changed({TOPIC: "$t"})) is RoomState
    assert part.changed({TOPIC: "$t"}) == {NAME: "$n", TOPIC: "$t"}


def test_the_changes_of_large_states_are_found_in_either_order() -> None:
    entries = {("a", str(number)): f"${number}" for number in range(2_000)}
    turned = dict(reversed(entries.items())) | {("a", "7"): "$other"}
    assert RoomState(turned).changes_since(entries) == {("a", "7"): "$other"}
    assert differing.differing_by_place(entries, turned) == {("a", "7")}
