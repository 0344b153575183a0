"""Rooms to replay: recorded ones, random ones, and small ones made by hand."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from builder import ALICE, BOB, CAROL, VERSIONS, Room
from hypothesis import strategies as st
from random_forks import citing, hash_id, hostile_event, hostile_fork, likely_fork

from roomver import Event, StateMap, parse_event

ROOMS = Path(__file__).parents[2] / "vectors" / "rooms"
TOPIC = ("m.room.topic", "")
LEVELS = ("m.room.power_levels", "")


def ids(state: Any) -> dict[tuple[str, str], str]:
    """Return a state of event IDs for a state of events."""
    return {key: event.event_id for key, event in state.items()}


def in_whole(state: StateMap[str] | None) -> dict[tuple[str, str], str]:
    """Return a state that must be known in whole."""
    assert isinstance(state, dict)
    return state


# Recorded rooms


def recorded(version: str) -> tuple[dict[str, Any], list[Event]]:
    """Return the header of the recorded room of a version, and its events in the order of arrival."""
    with (ROOMS / f"v{version}.jsonl").open("rb") as lines:
        header = json.loads(next(lines))
        entries = [json.loads(line) for line in lines]
    events = [parse_event(entry["pdu"], version) for entry in entries]
    assert [event.event_id for event in events] == [entry["event_id"] for entry in entries]
    return header, events


# Random rooms


@st.composite
def hostile_rooms(draw: st.DrawFn) -> list[Event]:
    """Draw events that follow and cite any others, including missing ones."""
    version, length = draw(st.sampled_from(VERSIONS)), draw(st.integers(1, 14))
    rng = draw(st.randoms(use_true_random=False))
    fork = hostile_fork(rng, version, length)
    order = list(fork.events.values())
    events = []
    for number, event in enumerate(order):
        prev = (
            [rng.choice(order[:number]).event_id for _ in range(rng.choice([1, 1, 2, 3]))] if number else []
        )
        auth = list(event.auth_event_ids)
        if rng.randrange(12) == 0:
            auth.append(rng.choice(order).event_id)
        if rng.randrange(12) == 0:
            prev.append(rng.choice([rng.choice(order).event_id, hash_id("nowhere")]))
        made = citing(event, auth, prev=tuple(prev), depth=event.depth)
        if rng.randrange(15):
            events.append(made)
    rng.shuffle(events)
    return events


@st.composite
def merged_rooms(draw: st.DrawFn) -> list[Event]:
    """Draw a room of allowed events whose branches sometimes merge. A few of its events may be missing, and
    some merges cite arbitrary events."""
    version, seed = draw(st.sampled_from(VERSIONS)), draw(st.integers(0, 2**32))
    rng = Random(f"{version}/{seed}")
    fork = likely_fork(rng, version, draw(st.integers(5, 40)))
    events = list(fork.events.values())
    create, join = events[:2]
    levels = [event for event in events if event.type == LEVELS[0] and event.state_key == ""]
    chosen = create.room_version.references_carry_hashes
    for number in range(draw(st.integers(1, 6))):
        auth = [join, *rng.sample(levels, min(len(levels), 1))]
        if version != "12":
            auth.append(create)
        if rng.randrange(4) == 0:
            auth.append(rng.choice(events))
        prev = rng.sample(events, min(len(events), rng.choice([2, 2, 3, 4])))
        kind, state_key = rng.choice([("m.room.message", None), TOPIC, ("x.thing", "a")])
        merge = hostile_event(
            create.room_version,
            f"$merge{number}:x" if chosen else hash_id(f"merge {number}"),
            create.room_id,
            kind,
            ALICE,
            state_key,
            {},
            [event.event_id for event in auth],
            prev=tuple(event.event_id for event in prev),
        )
        events.append(merge)
    if draw(st.booleans()):
        events.remove(rng.choice(events))
    if draw(st.booleans()):
        rng.shuffle(events)
    return events


# Rooms made by hand


class Branches:
    """Branches from one point of a room, and merges of them."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.state = dict(room.state)
        self.last = room.last
        self.ends: list[Event] = []

    def branch(self) -> None:
        """Begin a branch at the point where the room forks."""
        self.room.state = dict(self.state)
        self.room.last = self.last

    def end(self) -> None:
        """End a branch at the last event."""
        assert self.room.last is not None
        self.ends.append(self.room.last)

    @contextmanager
    def side(self) -> Iterator[None]:
        """Begin a branch, and end it after the events that the block adds."""
        self.branch()
        yield
        self.end()

    def merge(self) -> Event:
        """Add a message after all branches. Its auth events are selected from the state at the fork."""
        self.branch()
        return self.room.add("m.room.message", ALICE, {}, prev=self.ends)


def base_room(version: str, **users: int) -> Room:
    """Return a public room that Alice made, with Bob and Carol, who may set the topic."""
    room = Room(version, signed=False)
    room.join(ALICE)
    levels = {ALICE: 100, BOB: 50, CAROL: 50, **users}
    if version == "12":
        del levels[ALICE]
    room.power({"users": levels})
    room.join_rule("public")
    room.join(BOB, CAROL)
    return room


def banned_beside_a_topic(room: Room) -> tuple[Branches, Event, Event]:
    """Ban Bob on one branch, and let him set a topic on another. Return the topic and the merge too."""
    fork = Branches(room)
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    with fork.side():
        topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    return fork, topic, fork.merge()
