"""Copies and pickles of what the package returns, in every protocol."""

import copy
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from builder import ALICE, BOB, Room

from roomver import MissingEvents, RoomGraph, check_auth, replay_room, resolve
from roomver.check import check_event
from roomver.replay import Replay
from roomver.state import PartialState, RoomState, Unknown

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


def _copies(value: Any) -> Iterator[Any]:
    yield copy.copy(value)
    yield copy.deepcopy(value)
    for protocol in PROTOCOLS:
        yield pickle.loads(pickle.dumps(value, protocol))


def test_copies_do_not_change_either() -> None:
    event = list(EVENTS.values())[-1]
    for again in _copies(event):
        assert again == event
        assert again.pdu == event.pdu
        assert again.event_id == event.event_id
        with pytest.raises(AttributeError, match="an Event is read-only"):
            again.depth = 5
    verdict = check_auth(event, None, EVENTS)
    for again in _copies(verdict):
        assert again == verdict
        assert again.rule is verdict.rule
        assert again.room_version is verdict.room_version
        assert str(again) == str(verdict)
        with pytest.raises(AttributeError):
            again.allowed = not verdict.allowed
    state = RoomState({("m.room.name", ""): "$a"}).changed({("m.room.topic", ""): "$b"})
    in_part = PartialState(state, [Unknown.members()])
    for kept in (state, in_part):
        for again in _copies(kept):
            assert again == kept
            assert again.changes_since(again) == {}
            again.changed({("m.room.topic", ""): None})
            assert again == kept
            with pytest.raises(TypeError):
                again["m.room.topic", ""] = "$c"


def test_a_copied_state_is_the_state_itself() -> None:
    # It never changes, so a copy of something that holds many states need not copy their entries.
    state = RoomState({("m.room.name", ""): "$a"})
    assert copy.copy(state) is copy.deepcopy(state) is state
    assert copy.deepcopy([state, state.changed({("m.room.name", ""): "$b"})])[1].shares_with(state)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_states_that_are_pickled_together_go_on_sharing(protocol: int) -> None:
    state = RoomState({("m.room.name", ""): "$a"})
    states = [state, state.changed({("m.room.name", ""): "$b"}), PartialState(state, [Unknown.members()])]
    one, other, part = pickle.loads(pickle.dumps(states, protocol))
    assert one.shares_with(other)
    assert one.shares_with(part.known)
    assert [one, other, part] == states


def test_another_process_resolves_and_checks() -> None:
    # A new interpreter, in which nothing is inherited.
    replayed = _replayed()
    last = list(EVENTS)[-1]
    states = RoomState.sharing(replayed.states_met(last).values())
    graph = RoomGraph(EVENTS.values())
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        resolved = pool.submit(resolve, states, EVENTS, graph=graph).result()
        checked = pool.submit(check_auth, EVENTS[last], resolved.state.events(EVENTS), EVENTS).result()
        with pytest.raises(MissingEvents) as caught:
            pool.submit(check_auth, EVENTS[last], None, {}).result()
    assert resolved == resolve(states, EVENTS, graph=graph)
    assert isinstance(resolved.state, RoomState)
    assert checked == check_auth(EVENTS[last], resolved.state.events(EVENTS), EVENTS)
    assert checked.allowed
    assert set(caught.value.event_ids) == set(EVENTS[last].auth_event_ids)


def test_a_copy_of_a_replay_has_all_of_it() -> None:
    replayed = _replayed()
    for again in _copies(replayed):
        assert type(again) is Replay
        assert vars(again).keys() == vars(replayed).keys()
        assert again.outcomes == replayed.outcomes
        assert again.rejected == replayed.rejected
        assert repr(again) == repr(replayed)
        assert again.current_state == replayed.current_state
        for event_id in EVENTS:
            assert again.state_before(event_id) == replayed.state_before(event_id)
            assert again.state_after(event_id) == replayed.state_after(event_id)
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
