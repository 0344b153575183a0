"""More knowledge decides more and reverses nothing: rooms and states that are known in part.

A whole room is replayed. Then events are taken away, and states with unknown entries are given instead.
Whatever a replay of such a part decides, the replay of the whole room decides too.
"""

from itertools import pairwise
from random import Random
from typing import Any

from builder import VERSIONS
from hypothesis import example, given
from hypothesis import strategies as st
from played_rooms import STRANGE, agree, agree_on_state, ancestors, drawn, drawn_history, parts, played
from random_forks import hostile_fork, likely_fork
from strategies import often

from roomver import RoomGraph, RoomverError, UnknownState, replay_room, resolve
from roomver.replay import CurrentCheck, Replay
from roomver.resolution import RoomState
from roomver.state import PartialState, Unknown, entries_of
from roomver.types import StateMap
from roomver.versions import StateResolution


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32), st.booleans())
def test_more_knowledge_of_a_room_reverses_nothing(version: str, seed: int, soft_failure: bool) -> None:
    rng, events, whole, gone = drawn(seed, version)
    algorithm = rng.choice([None, None, *StateResolution])
    if algorithm is not None:
        whole = replay_room(events, algorithm=algorithm)
    replays = [
        part.replay(soft_failure=soft_failure, algorithm=algorithm)
        for part in parts(rng, events, whole, gone)
    ]
    for more, less in pairwise(replays):
        agree(less, more)
    agree(replays[-1], replays[0])


@often
@example("12", 1460)  # a given state tells an entry of one of two branches that the other one leaves unknown
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_more_knowledge_of_a_room_with_fetched_history_reverses_nothing(version: str, seed: int) -> None:
    rng, events, whole, gone = drawn(seed, version)
    fetched = drawn_history(rng, events)
    found = replay_room(events, backfilled=fetched)
    assert {e: one.status for e, one in found.outcomes.items()} == {
        e: one.status for e, one in whole.outcomes.items()
    }
    assert fetched.isdisjoint(found.soft_failed.keys() | {*found.forward_extremities})
    soft_failure = rng.random() < 0.75
    replays = [
        part.replay(backfilled=fetched, soft_failure=soft_failure) for part in parts(rng, events, whole, gone)
    ]
    for more, less in pairwise(replays):
        agree(less, more)
    agree(replays[-1], replays[0])


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_knowing_how_events_came_reverses_nothing(version: str, seed: int) -> None:
    """Of some events nothing tells how they came. Each of them may have been received, or fetched."""
    rng, events, whole, gone = drawn(seed, version)
    unplaced = drawn_history(rng, events)
    fetched = {one for one in sorted(unplaced) if rng.randrange(2)}
    for part in parts(rng, events, whole, gone):
        agree(part.replay(unplaced=unplaced), part.replay(backfilled=fetched))
        agree(part.replay(unplaced=unplaced), part.replay(unplaced=unplaced - fetched, backfilled=fetched))
        agree(part.replay(unplaced=unplaced), part.replay())


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32), st.booleans())
def test_history_that_a_server_fetches_reverses_nothing(version: str, seed: int, returned: bool) -> None:
    _fetch_history(version, seed, returned)


def test_the_ends_are_mostly_known_after_a_server_fetched_history() -> None:
    found = {s: _fetch_history(VERSIONS[s % len(VERSIONS)], s, s % 2 == 0) for s in range(120)}
    unclear = {seed for seed, replayed in found.items() if not replayed.extremities_known}
    assert unclear == {115}
    # An event after a gap is undecided there, and nothing that is decided follows it.
    (last,) = found[115].undecided - {e for event in found[115].events.values() for e in event.prev_event_ids}
    assert last == found[115].order[-1]


def _fetch_history(version: str, seed: int, returned: bool) -> Replay:
    """A server joins, perhaps for a second time, and fetches some of the history between.

    Returns:
        The replay of what the server has.
    """
    rng = Random(f"{version}/{seed}")
    events = played(rng, version, rng.randrange(3, 30))
    whole = replay_room(events, soft_failure=False)
    accepted = [event_id for event_id in whole.order if whole.outcomes[event_id].accepted]
    join, left = rng.choice(accepted), rng.choice(accepted)
    history = ancestors(events, join) - {join} - (ancestors(events, left) if returned else set())
    gone = {event_id for event_id in sorted(history) if rng.randrange(2)}

    def states(without: set[str]) -> dict[str, StateMap[str]]:
        return {
            event.event_id: whole.state_before(event.event_id) or {}
            for event in events
            if event.event_id not in without and gone.intersection(event.prev_event_ids)
        }

    # The server keeps as outliers what the states hold that it was given, with its auth chain.
    outliers: set[str] = set()
    todo = [one for state in states(gone).values() for one in entries_of(state).values()]
    todo += [cited for e in events if e.event_id not in gone for cited in e.auth_event_ids]
    while todo:
        one = todo.pop()
        if one in gone and one not in outliers:
            outliers.add(one)
            todo += whole.events[one].auth_event_ids
    less = replay_room(
        [event for event in events if event.event_id not in gone - outliers],
        given=states(gone),
        backfilled=history - outliers,
        outliers=outliers,
    )
    agree(less, replay_room(events, backfilled=history, outliers=()))
    return less


def test_a_good_share_of_the_parts_is_decided() -> None:
    """Otherwise, agreeing with them proves nothing."""
    made: list[CurrentCheck] = []
    ends: list[bool] = []
    for seed in range(60):
        rng, events, whole, gone = drawn(seed, VERSIONS[seed % len(VERSIONS)])
        for part in parts(rng, events, whole, gone)[1:]:
            replayed = part.replay()
            made += (check for e in replayed.outcomes if (check := replayed.current_check(e)).made)
            ends.append(replayed.extremities_known)
    decided = [check.allowed for check in made if check.allowed is not None]
    assert len(decided) > len(made) / 2
    assert decided.count(False) > len(made) / 200
    assert ends.count(True) > len(ends) / 3


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32), st.booleans())
def test_more_knowledge_of_the_states_reverses_no_resolution(version: str, seed: int, hostile: bool) -> None:
    _resolve_in_part(version, seed, hostile)


def test_a_good_share_of_the_states_in_part_is_resolved() -> None:
    for hostile in (False, True):
        resolved = [_resolve_in_part(version, seed, hostile) for version in VERSIONS for seed in range(10)]
        assert resolved.count(True) > len(resolved) / 8


def _resolve_in_part(version: str, seed: int, hostile: bool) -> bool:
    """States that are unknown in the same way are resolved as if they were known, or not at all.

    Returns:
        Whether they are resolved.
    """
    rng = Random(f"{version}/{seed}")
    fork = (hostile_fork if hostile else likely_fork)(rng, version)
    options: Any = {"rejected": fork.rejected, "skip_rejected": rng.random() < 0.5}
    try:
        whole = resolve(fork.state_sets, fork.events, **options).state
    except RoomverError:
        return False
    first, *others = fork.state_sets
    agreed = sorted(key for key, e in first.items() if all(other.get(key) == e for other in others))
    hidden = set(rng.sample(agreed, rng.randrange(len(agreed) + 1)))
    kinds = frozenset(rng.sample(["m.room.member", "m.room.topic", "x.thing"], rng.randrange(3)))
    unknown = Unknown("hidden", kinds, frozenset(hidden | {STRANGE}))
    parts = [
        PartialState({key: e for key, e in state.items() if key not in hidden}, [unknown])
        for state in fork.state_sets
    ]
    if rng.random() < 0.5:
        options["graph"] = RoomGraph()
        try:
            options["graph"].add_all(fork.events.values())
        except RoomverError:
            del options["graph"]
    if rng.random() < 0.5:
        parts = [PartialState(RoomState(part.known), part.unknown) for part in parts]
    try:
        found = resolve(parts, fork.events, **options).state
    except UnknownState:
        return False
    assert isinstance(found, PartialState)
    agree_on_state(found, whole)
    assert isinstance(found.known, RoomState)
    return True
