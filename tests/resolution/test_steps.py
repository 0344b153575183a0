"""Resolution that requests events as it needs them: from a store that answers, from one that is awaited,
and with sets from an index of the caller."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from random import Random

import pytest
from builder import VERSIONS
from hypothesis import assume, example, given
from hypothesis import strategies as st
from random_forks import Fork, likely_fork

from roomver import Event, MissingEvents, RoomGraph, parse_event, resolve, resolve_steps
from roomver.canonical import encode_canonical, load_json
from roomver.resolution import Resolution, run_steps, run_steps_async, split_states
from roomver.types import EventId, StateMap
from roomver.versions import RoomVersion, get_room_version

forks = st.builds(
    lambda version, seed: likely_fork(Random(f"{version}/{seed}"), version),
    st.sampled_from(VERSIONS),
    st.integers(0, 2**32),
)


# A store that answers at once: a table of events


class Table:
    """Events in a database, by ID."""

    def __init__(self, fork: Fork) -> None:
        self.version: RoomVersion = get_room_version(fork.version)
        self.asked = 0
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE events (event_id TEXT PRIMARY KEY, pdu BLOB)")
        rows = [(e, encode_canonical(event.pdu, strict=False)) for e, event in fork.events.items()]
        self.database.executemany("INSERT INTO events VALUES (?, ?)", rows)

    def get(self, event_ids: Collection[EventId]) -> dict[EventId, Event]:
        self.asked += 1
        found = {}
        for event_id in event_ids:
            row = self.database.execute("SELECT pdu FROM events WHERE event_id = ?", (event_id,)).fetchone()
            if row is not None:
                pdu = load_json(row[0])
                assert isinstance(pdu, dict)
                found[event_id] = parse_event(pdu, self.version)
        return found


def resolve_from_table(
    table: Table, state_sets: list[StateMap[EventId]], rejected: Collection[EventId]
) -> Resolution:
    return run_steps(resolve_steps(state_sets, rejected=rejected), table.get)


def count_levels(event_ids: Iterable[EventId], fork: Fork) -> int:
    """Count the levels of auth chains: some events, their new auth events, the new auth events of these."""
    level, found, count = {*event_ids}, set[EventId](), 0
    while level:
        count += 1
        found |= level
        level = {parent for event_id in level for parent in fork.events[event_id].auth_parents} - found
    return count


@given(forks)
@example(likely_fork(Random("6/1366"), "6"))
@example(likely_fork(Random("12/282"), "12"))
def test_a_store_that_answers_at_once(fork: Fork) -> None:
    table = Table(fork)
    resolution = resolve_from_table(table, list(fork.state_sets), fork.rejected)
    assert resolution == resolve(fork.state_sets, fork.events, rejected=fork.rejected)
    table.database.close()
    # One request per level of the auth chains, not one per event. The first request is for the conflicted
    # events alone: only they tell whether other events are needed, and by which algorithm. The second one is
    # for the next level of their auth chains and for the first level of the unconflicted ones.
    split = split_states(fork.state_sets)
    conflicted, others = (
        count_levels(ids, fork) for ids in (split.conflicted_ids, split.unconflicted.values())
    )
    assert table.asked <= (max(conflicted, 1 + others) if conflicted else 0)


# A store that is awaited


class Remote:
    """Events that take a moment to arrive."""

    def __init__(self, events: Mapping[EventId, Event]) -> None:
        self.events = events
        self.at_once = 0

    async def fetch(self, event_id: EventId) -> Event | None:
        self.at_once += 1
        await asyncio.sleep(0)
        self.at_once -= 1
        return self.events.get(event_id)


async def resolve_from_remote(
    remote: Remote, state_sets: list[StateMap[EventId]], rejected: Collection[EventId]
) -> Resolution:
    async def fetch(wanted: frozenset[EventId]) -> dict[EventId, Event | None]:
        event_ids = list(wanted)
        events = await asyncio.gather(*[remote.fetch(event_id) for event_id in event_ids])
        return dict(zip(event_ids, events, strict=True))

    return await run_steps_async(resolve_steps(state_sets, rejected=rejected), fetch)


@given(forks, forks)
def test_a_store_that_two_resolutions_await_at_once(one: Fork, other: Fork) -> None:
    async def both() -> tuple[Resolution, Resolution]:
        return await asyncio.gather(
            resolve_from_remote(Remote(one.events), list(one.state_sets), one.rejected),
            resolve_from_remote(Remote(other.events), list(other.state_sets), other.rejected),
        )

    for fork, resolution in zip((one, other), asyncio.run(both()), strict=True):
        assert resolution == resolve(fork.state_sets, fork.events, rejected=fork.rejected)


@given(forks)
def test_an_event_that_the_store_lacks_is_an_error(fork: Fork) -> None:
    conflicted = {e for s in fork.state_sets for e in s.values()} - {
        e for e in fork.state_sets[0].values() if all(e in s.values() for s in fork.state_sets)
    }
    assume(fork.version != "1" and conflicted)
    gone = min(conflicted)
    few = {e: event for e, event in fork.events.items() if e != gone}
    with pytest.raises(MissingEvents) as caught:
        asyncio.run(resolve_from_remote(Remote(few), list(fork.state_sets), fork.rejected))
    assert caught.value.event_ids == (gone,)


# An index of the caller's


def _asked(
    fork: Fork,
    events: Mapping[EventId, Event] | None,
    *,
    graph: RoomGraph | None = None,
    of: Resolution | None = None,
) -> tuple[Resolution, set[EventId]]:
    """Resolve, with the sets of another resolution if one is given, and return what was requested too."""
    difference = subgraph = None
    if of is not None:
        assert of.steps is not None
        difference, subgraph = of.steps.auth_difference, of.steps.conflicted_subgraph
    asked: set[EventId] = set()
    steps = resolve_steps(
        fork.state_sets,
        events,
        graph=graph,
        auth_difference=difference,
        conflicted_subgraph=subgraph,
        rejected=fork.rejected,
        trace=True,
    )
    try:
        wanted = next(steps)
        while True:
            asked |= wanted
            wanted = steps.send({e: fork.events[e] for e in wanted if e in fork.events})
    except StopIteration as done:
        return done.value, asked


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_an_index_or_a_graph_saves_requests(version: str) -> None:
    without_either = with_either = 0
    for seed in range(20):
        fork = likely_fork(Random(f"{version}/{seed}"), version, 60)
        whole, everything = _asked(fork, None)
        assert whole.steps is not None
        by_index, with_index = _asked(fork, None, of=whole)
        by_graph, with_graph = _asked(fork, None, graph=RoomGraph(fork.events.values()))
        assert by_index == by_graph == whole
        assert with_index == with_graph
        assert with_index <= everything
        assert whole.steps.full_conflicted_set <= with_index
        without_either += len(everything)
        with_either += len(with_index)
    assert with_either < without_either


@given(forks, st.randoms(use_true_random=False))
def test_events_at_hand_are_not_requested(fork: Fork, rng: Random) -> None:
    at_hand = {e: event for e, event in fork.events.items() if rng.randrange(2)}
    before = dict(at_hand)
    resolution, asked = _asked(fork, at_hand)
    whole, _ = _asked(fork, None)
    assert resolution == whole
    assert asked.isdisjoint(at_hand)
    assert at_hand == before
    again, nothing = _asked(fork, fork.events)
    assert again == whole
    assert nothing == set()


def test_a_store_may_send_more_than_was_requested() -> None:
    fork = likely_fork(Random("3"), "11")
    seen: list[EventId] = []

    def resolution() -> Resolution:
        steps = resolve_steps(fork.state_sets)
        try:
            wanted = next(steps)
            while True:
                seen.extend(wanted)
                wanted = steps.send(fork.events)
        except StopIteration as done:
            result: Resolution = done.value
            return result

    assert resolution() == resolve(fork.state_sets, fork.events)
    assert len(seen) == len(set(seen))


# What a store may send


def _sent(fork: Fork, answer: Callable[[frozenset[EventId]], Mapping[EventId, Event | None]]) -> Resolution:
    steps = resolve_steps(fork.state_sets, rejected=fork.rejected)
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(answer(wanted))
    except StopIteration as done:
        resolution: Resolution = done.value
        return resolution


def test_none_stands_for_an_event_that_the_store_lacks() -> None:
    fork = likely_fork(Random("3"), "11")
    expected = resolve(fork.state_sets, fork.events, rejected=fork.rejected)
    assert _sent(fork, lambda wanted: {e: fork.events.get(e) for e in wanted}) == expected
    with pytest.raises(MissingEvents) as caught:
        _sent(fork, dict.fromkeys)
    assert set(caught.value.event_ids) == next(resolve_steps(fork.state_sets, rejected=fork.rejected))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_that_sends_an_event_under_another_id_is_an_error(version: str) -> None:
    fork = next(
        fork
        for seed in range(20)
        if (fork := likely_fork(Random(seed), version)).state_sets[0] != fork.state_sets[1]
    )
    ids = sorted(fork.events)
    wrong = dict(zip(ids, [*ids[1:], ids[0]], strict=True))
    with pytest.raises(ValueError, match=r"asked for .*, was sent "):
        _sent(fork, lambda wanted: {e: fork.events[wrong[e]] for e in wanted})


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_with_a_graph_at_most_four_requests_are_made_beside_the_mainline(version: str) -> None:
    counts = []
    for seed in range(30):
        fork = likely_fork(Random(f"{version}/{seed}"), version, 60)
        steps = resolve_steps(fork.state_sets, graph=RoomGraph(fork.events.values()), rejected=fork.rejected)
        asked, levels = 0, 0
        try:
            wanted = next(steps)
            while True:
                asked += 1
                # The mainline has to be followed from one power-levels event to the next.
                levels += any(fork.events[e].type == "m.room.power_levels" for e in wanted)
                wanted = steps.send({e: fork.events[e] for e in wanted})
        except StopIteration:
            counts.append(asked - levels)
    assert max(counts) <= 4
