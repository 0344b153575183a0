"""The drivers: each need is answered by a store, and an event loop keeps turning while steps work."""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from hypothesis import given
from hypothesis import strategies as st
from random_forks import Fork, likely_fork

from roomver import Event, KeyRing, MissingEvents, federation, resolve, resolve_steps
from roomver.federation import Keep
from roomver.resolution import Resolution, run_steps
from roomver.resolution import Steps as ResolutionSteps
from roomver.steps import (
    AsyncEventStore,
    AsyncStore,
    Current,
    EventStore,
    FoundEvents,
    Need,
    NeedCurrent,
    NeedEvents,
    NeedKeys,
    NeedStates,
    Steps,
    Store,
    Stored,
    run,
    run_async,
)
from roomver.types import EventId, KeyId, ServerName, StateMap
from roomver.versions import StateResolution

STATE = {("m.room.name", ""): "$a"}


class Asked:
    """A store that notes what it is asked for, and where."""

    def __init__(self, events: Mapping[EventId, Event] | None = None) -> None:
        self.table = {event_id: Stored(event) for event_id, event in (events or {}).items()}
        self.asked: list[object] = []
        self.threads: set[int] = set()

    def note(self, what: object) -> None:
        self.asked.append(what)
        self.threads.add(threading.get_ident())

    def events(self, event_ids: frozenset[EventId]) -> Mapping[EventId, Stored]:
        self.note(event_ids)
        return {event_id: self.table[event_id] for event_id in event_ids if event_id in self.table}

    def keys(self, keys: frozenset[tuple[ServerName, KeyId]]) -> KeyRing:
        self.note(keys)
        return KeyRing(now=5)

    def states_after(self, event_ids: frozenset[EventId]) -> Mapping[EventId, StateMap[EventId]]:
        self.note(event_ids)
        return dict.fromkeys(event_ids, STATE)

    def current(self) -> Current:
        self.note("current")
        return Current(["$a"], STATE)


class Awaited:
    """The same store, awaited."""

    def __init__(self, store: Asked) -> None:
        self.store = store

    async def events(self, event_ids: frozenset[EventId]) -> Mapping[EventId, Stored]:
        await asyncio.sleep(0)
        return self.store.events(event_ids)

    async def keys(self, keys: frozenset[tuple[ServerName, KeyId]]) -> KeyRing:
        await asyncio.sleep(0)
        return self.store.keys(keys)

    async def states_after(self, event_ids: frozenset[EventId]) -> Mapping[EventId, StateMap[EventId]]:
        await asyncio.sleep(0)
        return self.store.states_after(event_ids)

    async def current(self) -> Current:
        await asyncio.sleep(0)
        return self.store.current()


def made_room() -> Room:
    room = Room("11", signed=False)
    room.join(ALICE, BOB)
    return room


NEEDS: list[Need] = [
    NeedEvents(frozenset(["$no"])),
    NeedKeys(frozenset([("a.example", "ed25519:1")])),
    NeedStates(frozenset(["$a", "$b"])),
    NeedCurrent(),
    frozenset(["$no"]),
]


def ask_all(needs: list[Need]) -> Steps[list[object]]:
    answers = []
    for need in needs:
        answers.append((yield need))  # noqa: PERF401 - a comprehension cannot yield
    return answers


def check_answers(store: Asked, answers: list[object]) -> None:
    assert answers == [{}, KeyRing(now=5), {"$a": STATE, "$b": STATE}, Current(["$a"], STATE), {}]
    assert store.asked == [{"$no"}, {("a.example", "ed25519:1")}, {"$a", "$b"}, "current", {"$no"}]


def test_each_need_is_answered_by_its_method() -> None:
    store = Asked()
    as_store: Store = store
    check_answers(store, run(ask_all(NEEDS), as_store))


@pytest.mark.parametrize("executor", [None, asyncio.to_thread])
def test_each_need_is_answered_by_its_method_when_awaited(executor: Any) -> None:
    store = Asked()
    awaited: AsyncStore = Awaited(store)
    check_answers(store, asyncio.run(run_async(ask_all(NEEDS), awaited, executor=executor)))
    assert store.threads == {threading.get_ident()}  # the store stays in the caller's thread


def test_a_need_of_events_tells_what_was_decided_and_a_plain_one_only_what_was_rejected() -> None:
    store = Asked(made_room().events)
    event_id, (event, *_) = next(iter(store.table.items()))
    store.table[event_id] = Stored(event, rejected=True)
    wanted = frozenset([event_id, "$no"])
    needs: list[Need] = [NeedEvents(wanted), wanted]
    answers = run(ask_all(needs), store)
    assert answers == [{event_id: Stored(event, True)}, {event_id: event}]
    assert isinstance(answers[1], FoundEvents)
    assert answers[1].rejected == {event_id}


def test_steps_without_a_need_have_a_result() -> None:
    assert run(ask_all([]), Asked()) == []
    assert asyncio.run(run_async(ask_all([]), Awaited(Asked()), executor=asyncio.to_thread)) == []


forks = st.builds(
    lambda version, seed: likely_fork(Random(f"{version}/{seed}"), version),
    st.sampled_from(VERSIONS),
    st.integers(0, 2**32),
)


@given(forks)
def test_a_resolution_is_the_same_with_every_driver(fork: Fork) -> None:
    expected = resolve(fork.state_sets, fork.events, rejected=fork.rejected)
    store = Asked(fork.events)

    def steps() -> Any:
        return resolve_steps(fork.state_sets, rejected=fork.rejected)

    assert run(steps(), store) == expected
    assert asyncio.run(run_async(steps(), Awaited(store))) == expected


class EventsAlone:
    """A store with one method, as a resolution needs it, which says what was rejected."""

    def __init__(self, fork: Fork) -> None:
        self.fork = fork

    def events(self, event_ids: frozenset[EventId]) -> Mapping[EventId, Stored]:
        return {
            event_id: Stored(self.fork.events[event_id], rejected=event_id in self.fork.rejected)
            for event_id in event_ids
            if event_id in self.fork.events
        }


class AwaitedEvents:
    """The same, awaited."""

    def __init__(self, fork: Fork) -> None:
        self.store = EventsAlone(fork)

    async def events(self, event_ids: frozenset[EventId]) -> Mapping[EventId, Stored]:
        return self.store.events(event_ids)


# "Rejected auth events are deliberately excluded from use in the iterative auth checks, as auth events aren't
# re-authed [...] during the iterative auth checks."
@given(forks, st.booleans(), st.sampled_from([None, *StateResolution]))
def test_a_resolution_heeds_what_the_store_says_was_rejected(
    fork: Fork, skip: bool, algorithm: StateResolution | None
) -> None:
    expected = resolve(
        fork.state_sets, fork.events, rejected=fork.rejected, skip_rejected=skip, algorithm=algorithm
    )

    def steps() -> ResolutionSteps[Resolution]:
        return resolve_steps(fork.state_sets, skip_rejected=skip, algorithm=algorithm)

    store: EventStore = EventsAlone(fork)
    awaited: AsyncEventStore = AwaitedEvents(fork)
    assert run(steps(), store) == expected
    assert asyncio.run(run_async(steps(), awaited)) == expected


def test_a_rejected_auth_event_of_the_store_is_not_fallen_back_on() -> None:
    """In version 2.1 the checks begin with no state: the member event that an event cites decides."""
    room = Room("12", signed=False)
    room.join(ALICE)
    base = {key: event.event_id for key, event in room.state.items()}
    rejected = room.make("m.room.member", ALICE, {"membership": "join", "n": 1}, state_key=ALICE)
    room.events[rejected.event_id] = rejected
    cited = [rejected.event_id if key == ("m.room.member", ALICE) else e for key, e in base.items()]
    cited.remove(base["m.room.create", ""])
    sides = []
    for n in range(2):
        one = room.make("x.thing", ALICE, {"n": n}, state_key="", auth=cited)
        room.events[one.event_id] = one
        sides.append({**base, ("x.thing", ""): one.event_id})
    store = Asked(room.events)
    assert ("x.thing", "") in run(resolve_steps(sides), store).state
    store.table[rejected.event_id] = Stored(rejected, rejected=True)
    assert ("x.thing", "") not in run(resolve_steps(sides), store).state


def test_an_error_of_the_steps_or_of_the_store_reaches_the_caller() -> None:
    states = [{("m.room.name", ""): "$a"}, {("m.room.name", ""): "$b"}]
    with pytest.raises(MissingEvents):
        run(resolve_steps(states), Asked())
    with pytest.raises(MissingEvents):
        asyncio.run(run_async(resolve_steps(states), Awaited(Asked()), executor=asyncio.to_thread))

    class Broken(Awaited):
        async def events(self, event_ids: frozenset[EventId]) -> Mapping[EventId, Stored]:
            raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        asyncio.run(run_async(resolve_steps(states), Broken(Asked()), executor=asyncio.to_thread))


# The event loop


def test_an_executor_runs_the_work_between_needs_elsewhere() -> None:
    here = threading.get_ident()
    seen: list[int] = []

    def steps() -> Steps[None]:
        for _ in range(3):
            seen.append(threading.get_ident())
            yield NeedCurrent()

    async def in_a_pool(pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        await run_async(steps(), Awaited(Asked()), executor=lambda work: loop.run_in_executor(pool, work))

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(in_a_pool(pool))
    assert len(seen) == 3
    assert here not in seen
    seen.clear()
    asyncio.run(run_async(steps(), Awaited(Asked())))
    assert seen == [here] * 3


def test_an_event_loop_turns_while_steps_work_in_an_executor() -> None:
    turned = threading.Event()

    def steps() -> Steps[bool]:
        yield NeedCurrent()
        # If the loop did not turn, nothing would set this.
        return turned.wait(timeout=60)

    async def both() -> bool:
        running = asyncio.create_task(run_async(steps(), Awaited(Asked()), executor=asyncio.to_thread))
        while not running.done():
            await asyncio.sleep(0.001)
            turned.set()
        return await running

    assert asyncio.run(both())


def large_fork() -> tuple[list[dict[tuple[str, str], EventId]], dict[EventId, Event]]:
    """Two branches that each set the same 1,500 keys."""
    room = made_room()
    base = {key: event.event_id for key, event in room.state.items()}
    last = room.last
    sides = []
    for side in range(2):
        state = dict(base)
        for number in range(1_500):
            event = room.make("x.thing", ALICE, {"side": side}, state_key=str(number), prev=[last or ""])
            room.events[event.event_id] = event
            state["x.thing", str(number)] = event.event_id
        sides.append(state)
    return sides, room.events


async def turns_during(executor: Any) -> tuple[Resolution, int]:
    """Resolve a large fork, and count how often an event loop turns meanwhile."""
    states, events = large_fork()
    store = Awaited(Asked(events))
    running = asyncio.create_task(run_async(resolve_steps(states), store, executor=executor))
    turns = 0
    while not running.done():
        await asyncio.sleep(0)
        turns += 1
    return await running, turns


def test_an_event_loop_turns_while_a_large_resolution_runs() -> None:
    blocked, few = asyncio.run(turns_during(None))
    resolution, many = asyncio.run(turns_during(asyncio.to_thread))
    assert resolution == blocked
    assert len(resolution.state) == 1_500 + 3
    # Without an executor the loop turns only when the store is awaited.
    assert few < 30 < many


class Late:
    """A store for `run_async`, which is passed to `run` by mistake."""

    async def events(self, event_ids: frozenset[EventId]) -> Mapping[EventId, Stored]:
        raise AssertionError("it is not awaited")

    async def keep(self, need: Keep) -> None:
        raise AssertionError("it is not awaited")


def asking(need: Any) -> Steps[object]:
    return (yield need)


def test_a_store_that_is_awaited_is_refused_by_name() -> None:
    """Otherwise what it returns is taken for the answer, and nothing is stored."""
    late: Any = Late()
    for need in (NeedEvents(frozenset(["$x"])), frozenset(["$x"])):
        with pytest.raises(TypeError, match=r"must be awaited: use roomver\.steps\.run_async"):
            run(asking(need), late)
    keep: Any = Keep(stored=Stored(next(iter(made_room().events.values()))))
    for need in (NeedEvents(frozenset(["$x"])), keep):
        with pytest.raises(TypeError, match=r"must be awaited: use roomver\.federation\.run_async"):
            federation.run(asking(need), late)
    steps: Any = asking(frozenset(["$x"]))
    with pytest.raises(TypeError, match=r"must be awaited: use roomver\.resolution\.run_steps_async"):
        run_steps(steps, late.events)


def test_an_answer_that_is_awaited_need_not_be_a_coroutine() -> None:
    loop = asyncio.new_event_loop()
    late: Any = Asked()
    late.keys = lambda _: loop.create_future()
    with pytest.raises(TypeError, match="must be awaited"):
        run(asking(NeedKeys(frozenset())), late)
    loop.close()


def test_a_need_of_the_protocol_between_servers_is_refused_by_name() -> None:
    need: Any = federation.NeedWaiting()
    with pytest.raises(TypeError, match=r"NeedWaiting: run these steps with roomver\.federation\.run"):
        run(asking(need), Asked())
