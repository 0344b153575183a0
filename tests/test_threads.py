"""What threads may share: one graph that grows, and everything that does not change."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import pairwise

import pytest
from builder import ALICE, BOB, Room

from roomver import Event, RoomGraph, Verdict, WrongRoom, check_auth, parse_event, resolve
from roomver.state import RoomState

WORKERS = 4


@pytest.fixture(autouse=True)
def _often() -> Iterator[None]:
    """Let threads take turns as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def together(calls: list[Callable[[], object]]) -> list[Future[object]]:
    """Call functions at the same time, each in a thread of its own."""
    barrier = threading.Barrier(len(calls))

    def work(call: Callable[[], object]) -> object:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(work, call) for call in calls]
        wait(futures)
    return futures


def _room(topics: int) -> Room:
    room = Room("11", signed=False)
    room.join(ALICE)
    room.power({"users": {ALICE: 100}})
    room.join_rule("public")
    room.join(BOB)
    for number in range(topics):
        room.add("m.room.topic", ALICE, {"topic": str(number)}, state_key="")
    return room


def test_threads_add_to_one_graph() -> None:
    room = _room(400)
    events = list(room.events.values())
    base, rest = events[:5], events[5:]
    graph = RoomGraph(base)
    # All threads add all events, each in another order. Their auth events are there already.
    orders = [rest[n * 100 :] + rest[: n * 100] for n in range(WORKERS)]

    def add(order: list[Event]) -> None:
        for event in order:
            graph.add(event)

    for done in together([partial(add, order) for order in orders]):
        done.result()
    assert len(graph) == len(events)
    kept = RoomGraph.load(graph.dump())  # checks all of it
    topics = [event.event_id for event in rest]
    for one, other in pairwise(topics):
        found = kept.auth_difference({one: 1, other: 2}, 3, lambda _: False)
        assert found >= {one, other}


def test_only_one_room_gets_into_a_graph() -> None:
    creates = [next(iter(Room("11", signed=False, creator=user).events.values())) for user in (ALICE, BOB)]
    assert creates[0].room_id != creates[1].room_id
    for _ in range(50):
        graph = RoomGraph()
        done = together([partial(graph.add, event) for event in creates])
        assert len(graph) == 1
        assert sorted(type(one.exception()).__name__ for one in done) == ["NoneType", "WrongRoom"]
        graph = RoomGraph()
        done = together([partial(graph.add_all, [event]) for event in creates])
        assert len(graph) == 1
        with pytest.raises(WrongRoom):
            graph.add_all(creates)


def test_threads_resolve_while_another_adds() -> None:
    room = _room(200)
    events = dict(room.events)
    *_, one, other = events
    state = {key: event.event_id for key, event in room.state.items()}
    states = RoomState.sharing([{**state, ("m.room.topic", ""): event_id} for event_id in (one, other)])
    expected = resolve(states, events, graph=RoomGraph(events.values()), trace=True)
    for _ in range(200):
        room.add("m.room.topic", ALICE, {"topic": "later"}, state_key="")
    later = [event for event_id, event in room.events.items() if event_id not in events]
    graph = RoomGraph(events.values())

    def add() -> None:
        for event in later:
            graph.add(event)

    def resolve_often() -> bool:
        return all(resolve(states, events, graph=graph, trace=True) == expected for _ in range(30))

    added, *resolved = together([add, *[resolve_often] * 3])
    assert added.result() is None
    assert [one.result() for one in resolved] == [True] * 3
    assert len(graph) == len(events) + len(later)


def test_threads_share_events_and_states() -> None:
    # Some values of an event are computed when they are first read: its ID, the levels in power levels.
    room = _room(3)
    for _ in range(30):
        fresh = [parse_event(event.pdu, "11") for event in room.events.values()]
        lookup = dict(zip(room.events, fresh, strict=True))
        state = RoomState({key: event.event_id for key, event in room.state.items()})

        def check(
            fresh: list[Event] = fresh, lookup: dict[str, Event] = lookup, state: RoomState = state
        ) -> list[Verdict]:
            verdicts = [check_auth(event, state.events(lookup), lookup) for event in fresh]
            assert [event.event_id for event in fresh] == list(lookup)
            assert state.changed({("m.room.name", ""): "$n"}).changes_since(state)
            return verdicts

        one, *others = [done.result() for done in together([check] * WORKERS)]
        assert all(other == one for other in others)


@pytest.mark.parametrize("without_gil", [False, True])
def test_walks_wait_for_additions_only_without_the_gil(
    without_gil: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roomver.resolution.room_graph.WITHOUT_GIL", without_gil)
    graph = RoomGraph()
    graph.extend({"$c": [], "$p": ["$c"]})
    with ThreadPoolExecutor(2) as pool:
        with graph._dag.lock:
            walks = [
                pool.submit(graph.conflicted_subgraph, ["$p"]),
                pool.submit(graph.auth_difference, {"$p": 1}, 3, lambda _: False),
            ]
            done = wait(walks, 0.3 if without_gil else 30).done
        assert [walk.result() for walk in walks] == [{"$p"}, {"$p", "$c"}]
    assert len(done) == (0 if without_gil else 2)
