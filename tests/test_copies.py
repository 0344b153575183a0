"""Copies and pickles of what the package returns, in every protocol."""

import copy
import pickle
from collections.abc import Callable

import pytest
from builder import ALICE, BOB, Room

from roomver import RoomGraph, check_auth, replay_room, resolve
from roomver.check import check_event
from roomver.replay import Replay
from roomver.resolution import RoomState

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def _forked() -> Room:
    room = Room("11", signed=False)
    room.join(ALICE)
    room.power({"users": {ALICE: 100}})
    room.join_rule("public")
    room.join(BOB)
    fork, last = dict(room.state), room.last
    room.add("m.room.topic", ALICE, {"topic": "1"}, state_key="")
    one = room.last
    room.state, room.last = dict(fork), last
    other = room.add("m.room.topic", ALICE, {"topic": "2"}, state_key="")
    assert one is not None
    room.add("m.room.message", ALICE, {}, prev=[one, other])
    return room


ROOM = _forked()
EVENTS = ROOM.events


def _replayed() -> Replay:
    return replay_room(EVENTS.values())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: RoomState({("m.room.name", ""): "$a"}).changed({("m.room.topic", ""): "$b"}),
        lambda: next(iter(EVENTS.values())),
        lambda: check_event(next(iter(EVENTS.values())).pdu, "11"),
        lambda: check_auth(list(EVENTS.values())[-1], None, EVENTS),
        lambda: list(_replayed().outcomes.values()),
        lambda: _replayed().merges,
    ],
)
def test_values_are_equal_after_pickling(make: Callable[[], object], protocol: int) -> None:
    value = make()
    assert pickle.loads(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_replay_is_pickled_whole(protocol: int) -> None:
    replayed = _replayed()
    again = pickle.loads(pickle.dumps(replayed, protocol))
    assert again.current_state == replayed.current_state
    for event_id in EVENTS:
        assert again.state_before(event_id) == replayed.state_before(event_id)
        assert again.resolution_at(event_id).state == replayed.resolution_at(event_id).state


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_copy_of_a_graph_shares_nothing_with_it(protocol: int) -> None:
    events = list(EVENTS.values())
    replayed = _replayed()
    last = events[-1].event_id
    states = list(replayed.states_met(last).values())

    def unpickled(graph: RoomGraph) -> RoomGraph:
        again: RoomGraph = pickle.loads(pickle.dumps(graph, protocol))
        return again

    copies: list[Callable[[RoomGraph], RoomGraph]] = [copy.copy, copy.deepcopy, unpickled]
    for make in copies:
        graph = RoomGraph(events[:-1])
        other = make(graph)
        other.add(events[-1])
        assert last not in graph
        assert len(other) == len(graph) + 1
        for one in (graph, other):
            assert resolve(states, EVENTS, graph=one).state == replayed.state_before(last)
