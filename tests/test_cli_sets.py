"""`resolve --sets` on rooms with undecided events: more events decide more and reverse nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room, versions_from
from command_line import Write, entries, header, run, write_into
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import played

from roomver import Event, replay_room
from roomver.power import CREATE
from roomver.types import EventId


def forked(version: str) -> tuple[Room, Event, Event, list[list[EventId]]]:
    """Return a room in which Bob joins, sets the topic and leaves, while Alice sets another topic.

    Returns:
        The room, the message before the fork, Bob's join, and the states of the two branches.
    """
    users = {} if version == "12" else {ALICE: 100}
    built = Room(version)
    built.join(ALICE)
    built.power({"users": users, "state_default": 0})
    built.join_rule("public")
    fork = built.add("m.room.message", ALICE, {"body": "x"})
    state = dict(built.state)

    def own(ts: int) -> dict[str, Any]:
        return {"origin_server_ts": ts}

    joined = built.add("m.room.member", BOB, {"membership": "join"}, state_key=BOB, **own(50))
    built.add("m.room.topic", BOB, {"topic": "bob"}, state_key="", **own(20))
    built.add("m.room.member", BOB, {"membership": "leave"}, state_key=BOB, **own(60))
    left = [event.event_id for event in built.state.values()]
    built.state = dict(state)
    built.add("m.room.topic", ALICE, {"topic": "alice"}, state_key="", prev=[fork], **own(10))
    return built, fork, joined, [left, [event.event_id for event in built.state.values()]]


def resolved(write: Write, built: Room, sets: list[list[EventId]], *options: str) -> Any:
    file = write("room.jsonl", [header(str(built.version)), *entries(built)])
    given = [one for n, ids in enumerate(sets) for one in ("--sets", write(f"{n}.txt", "\n".join(ids)))]
    return run("resolve", file, *given, "--json", *options)


def topic(result: Any) -> str:
    (entry,) = (one for one in json.loads(result.stdout)["state"] if one["pdu"]["type"] == "m.room.topic")
    return str(entry["pdu"]["content"]["topic"])


@pytest.mark.parametrize("version", versions_from(2))
def test_a_result_that_depends_on_an_undecided_auth_event_is_undecided(version: str, write: Write) -> None:
    """Bob is not in the state when the checks come to his leave. It falls back on his join."""
    built, fork, joined, sets = forked(version)
    whole = resolved(write, built, sets)
    assert (whole.exit_code, topic(whole)) == (0, "bob")
    del built.events[fork.event_id]
    for options in ((), ("--why", "m.room.topic", "")):
        part = resolved(write, built, sets, *options)
        assert (part.exit_code, part.stdout) == (3, "")
        assert f"the result depends on undecided events: {joined.event_id}" in part.stderr
        assert f"  {fork.event_id}, cited by {joined.event_id} and 1 more" in part.stderr


def test_undecided_events_that_no_check_falls_back_on_leave_the_result_known(write: Write) -> None:
    """The algorithm of version 1 never falls back on auth events."""
    built, fork, _, sets = forked("1")
    whole = resolved(write, built, sets)
    del built.events[fork.event_id]
    part = resolved(write, built, sets)
    assert (whole.exit_code, part.exit_code) == (0, 0)
    assert topic(whole) == topic(part) == "alice"
    # Here only the topics are in conflict. Bob's join is undecided, but it is in both states.
    built, fork, joined, sets = forked("11")
    del built.events[fork.event_id]
    left = next(e for e in built.events.values() if e.content == {"membership": "leave"})
    both = [[e for e in (*ids, joined.event_id) if e != left.event_id] for ids in (sets[0], sets[1])]
    both = [list(dict.fromkeys(ids)) for ids in both]
    part = resolved(write, built, both)
    assert (part.exit_code, topic(part)) == (0, "bob")


@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_more_events_reverse_no_resolution_of_sets(version: str, seed: int) -> None:
    """The states are made up: entries are left out of them, so that checks fall back on auth events."""
    rng = Random(f"{version}/{seed}")
    room = {event.event_id: event for event in played(rng, version, rng.randrange(5, 25), odd=True)}
    whole = replay_room(room.values())
    states = [whole.state_after(event_id) or {} for event_id in rng.sample(whole.order[1:], 2)]
    sets = [[e for key, e in dict(state).items() if key == CREATE or rng.randrange(2)] for state in states]
    chains = chains_of(sets, room)
    others = [event_id for event_id in room if event_id not in chains]
    gone = set(rng.sample(others, max(0, len(others) - rng.randrange(3))))
    built = Room(version, signed=False)
    with TemporaryDirectory() as folder:
        write = write_into(Path(folder))
        built.events = room
        more = resolved(write, built, sets, "--unsigned")
        built.events = {event.event_id: event for event in room.values() if event.event_id not in gone}
        less = resolved(write, built, sets, "--unsigned")
    assert more.exit_code == 0
    assert less.exit_code in {0, 3}
    if less.exit_code == 0:
        assert json.loads(less.stdout)["state"] == json.loads(more.stdout)["state"]


def chains_of(sets: list[list[EventId]], events: Mapping[EventId, Event]) -> set[EventId]:
    """Return the events of some states, and their auth chains."""
    found: set[EventId] = set()
    todo = [event_id for ids in sets for event_id in ids]
    while todo:
        event_id = todo.pop()
        if event_id not in found:
            found.add(event_id)
            todo += events[event_id].auth_event_ids
    return found
