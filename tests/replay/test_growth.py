"""The cost of rooms that were made to be expensive grows no faster than the rooms."""

import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from roomver import Event, UnknownState, replay_room
from roomver.replay import Replay, current_checks, ends

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.crafted import BOB, CRAFTED, tangle

# A tangle costs the same per event from the size on at which all keys differ between all branches.
ROOMS: dict[str, tuple[Callable[[int], list[Event]], int]] = {
    **{name: (make, 200) for name, make in CRAFTED.items() if name != "tangle"},
    "tangle": (partial(tangle, keys=20), 100),
}
FACTOR = 4
# A linear cost grows by the factor, a quadratic one by its square.
AT_MOST = 1.4 * FACTOR


def cost(events: list[Event]) -> tuple[int, int]:
    """Return how many calls the replay of a room makes, and how many bytes it needs."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        replay_room(events)
    finally:
        sys.setprofile(before)
    tracemalloc.start()
    replay_room(events)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return calls, peak


@pytest.mark.parametrize("name", ROOMS)
def test_calls_and_memory_grow_with_the_room(name: str) -> None:
    make, size = ROOMS[name]
    (calls, peak), (more_calls, more_peak) = cost(make(size)), cost(make(FACTOR * size))
    assert more_calls <= AT_MOST * calls
    assert more_peak <= AT_MOST * peak


def replayed(name: str, size: int) -> Replay:
    return replay_room(CRAFTED[name](size))


def test_many_ends_leave_no_check_out() -> None:
    room = replayed("many ends", 300)
    assert room.unchecked == {}
    assert len(room.forward_extremities) == 300
    assert room.current_state is not None
    assert len([key for key in room.current_state if key[0] == "x.thing"]) == 300
    assert room.extremities_known


def test_what_a_bound_leaves_out_is_named() -> None:
    room = replayed("soft-failed", 300)
    assert set(room.unchecked.values()) == {current_checks.TOO_COSTLY, ends.AFTER_UNCHECKED}
    assert room.soft_failed
    assert not room.soft_failed.keys() & room.unchecked.keys()
    # What was not checked may be soft-failed. It decides nothing.
    assert not room.extremities_known
    assert room.current_unknown == [*room.unchecked]
    with pytest.raises(UnknownState, match="a bound prevented their checks"):
        room.resolution_at(None)
    assert {room.events[event_id].sender for event_id in room.unchecked} == {BOB}
    room = replayed("tangle", 300)
    assert room.unsought
    assert set(room.unsought) <= {merge.event_id for merge in room.merges}
    again = replay_room(CRAFTED["tangle"](300), resets=False)
    assert again.unsought == []
    assert again.resets() == []
    assert again.current_state == room.current_state
