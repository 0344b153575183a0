"""What the states after the ends agree on, however they came and went."""

from random import Random

import pytest
from builder import ALICE, Room
from hypothesis import given
from hypothesis import strategies as st
from strategies import often

from roomver.replay import open_states
from roomver.replay.open_states import OpenStates, TooManyReads
from roomver.replay.states import Grouped
from roomver.resolution import RoomState
from roomver.state import PartialState, Unknown

KEYS = [("x.thing", name) for name in "abc"]


def drawn(rng: Random, group: int) -> Grouped:
    known = {key: f"${rng.randrange(2)}" for key in KEYS if rng.randrange(4)}
    if rng.randrange(6):
        return RoomState(known), group
    return PartialState(known, [Unknown("dropped", keys=frozenset(KEYS) - known.keys())]), group


def agreed(states: list[Grouped], arrived: set[tuple[str, str]]) -> dict[tuple[str, str], str] | None:
    """Read every state for every key."""
    found = {}
    for key in KEYS:
        here = {state.known.get(key) for state, _ in states}
        unknown = any(isinstance(s, PartialState) and s.why_unknown(key) is not None for s, _ in states)
        if len(here) > 1 or unknown or (here == {None} and len(states) > 1 and key in arrived):
            return None
        if here != {None}:
            found[key] = here.pop() or ""
    return found


@often
@given(st.integers(0, 2**32))
def test_states_agree_as_if_each_was_read_every_time(seed: int) -> None:
    rng = Random(seed)
    told = {key for key in KEYS if not rng.randrange(3)}
    opened, states = OpenStates(told), dict[str, Grouped]()
    for number in range(25):
        if len(states) > 1 and rng.randrange(2):
            gone = rng.choice(sorted(states))
            opened.remove(gone, states.pop(gone)[1])
        else:
            # Several ends may have the same state after them.
            state = rng.choice([*states.values(), drawn(rng, number)])
            states[f"$end{number}"] = state
            opened.add(f"$end{number}", state)
        distinct = list({group: (state, group) for state, group in states.values()}.values())
        assert len(opened) == len(distinct)
        if rng.randrange(3):
            assert opened.agreed(KEYS) == agreed(distinct, told)
        for key in KEYS:
            values = {state.known.get(key) for state, _ in distinct}
            unknown = any(isinstance(s, PartialState) and s.why_unknown(key) for s, _ in distinct)
            for value in ("$0", "$1", None):
                assert opened.all_have(key, value) is (values == {value} and not unknown)


@given(st.integers(0, 2**32))
def test_following_the_only_end_is_removing_and_adding(seed: int) -> None:
    rng = Random(seed)
    room = Room("11", signed=False)
    one, other = OpenStates([]), OpenStates([])
    state = drawn(rng, 0)
    for opened in (one, other):
        opened.add("$end0", state)
    for number in range(1, 12):
        key = rng.choice([None, "a", "b"])
        event = room.make("x.thing", ALICE, {}, state_key=key)
        after = state if key is None else drawn(rng, number)
        one.follow(event, f"$end{number}", state[1], after)
        other.remove(f"$end{number - 1}", state[1])
        other.add(f"$end{number}", after)
        other.arrive(event)
        assert vars(one) == vars(other)
        state = after
        read = KEYS[: rng.randrange(3)]
        assert one.agreed(read) == other.agreed(read)


def test_comparing_states_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_states, "_READS", 3)
    monkeypatch.setattr(open_states, "_READS_PER_EVENT", 2)
    opened = OpenStates([])
    for number in range(4):
        opened.add(f"${number}", (RoomState({KEYS[0]: "$x"}), number))
    with pytest.raises(TooManyReads):
        opened.agreed(KEYS[:1])
    event = Room("11", signed=False).make("x.thing", ALICE, {}, state_key="a")
    for _ in range(3):
        opened.arrive(event)
    assert opened.agreed(KEYS[:1]) == {KEYS[0]: "$x"}
    # They were read for this key. No state need be read again.
    assert opened.agreed(KEYS[:1]) == {KEYS[0]: "$x"}
