"""Target: rooms in part. More events and more keys decide more, and reverse nothing."""

from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any

from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Room, State, public_key, server_name

from roomver import Event, KeyRing, RoomverError, check_event, check_room, replay_room
from roomver.entry import Entry, Place
from roomver.keys import read_key_table
from roomver.replay import Status

from .promises import answer, in_case, promised, version_in

_USERS = (ALICE, BOB, CAROL, DAVE)
_SERVERS = sorted({server_name(user) for user in _USERS})
_OPEN = (Status.UNDECIDED,)


def draw_room(rng: Random) -> Any:
    """Draw a random room, and what is missing of it."""
    length = rng.randrange(3, 26)
    return {
        "version": rng.choice(VERSIONS),
        "seed": rng.randrange(1000),
        "length": length,
        "gone": [rng.randrange(length + 6) for _ in range(rng.choice([0, 0, 1, 2, 8]))],
        "gone_restrictions": [rng.randrange(length) for _ in range(rng.choice([0, 1, 1, 2]))],
        "keys": [server for server in _SERVERS if rng.random() < 0.6],
        "shuffled": rng.random() < 0.3,
    }


@lru_cache(64)
def _played(seed: int, version: str, length: int) -> list[Event]:
    """Return a room whose branches part and meet, in the order of arrival. The rules refuse some events."""
    rng = Random(f"{seed}/{version}")
    room = Room(version)
    states: dict[str, State] = {}

    def send(prev: list[Event], kind: str, sender: str, content: Any, state_key: str | None) -> Event:
        room.state = {}
        for event in prev:
            room.state.update(states[event.event_id])
        options: Any = {"state_key": state_key, "prev": prev, "origin_server_ts": rng.randrange(1, 6)}
        event = room.make(kind, sender, content, n=len(states), **options)
        if rng.random() < 0.4:
            # It cites an entry of another branch, or one that was replaced.
            cited = [room.events[one] for one in event.auth_event_ids]
            others = [one for one in room.events.values() if any(map(_like(one), cited)) and one not in cited]
            if others:
                other = rng.choice(others)
                auth = [other if _like(other)(one) else one for one in cited]
                event = room.make(kind, sender, content, n=len(states), auth=auth, **options)
        state = dict(room.state)
        allowed = room.verdict(event).allowed and room.against_state(event).allowed
        if state_key is not None and (allowed or rng.random() < 0.1):
            state[kind, state_key] = event  # now and then a server that does not check cites it
        states[event.event_id] = state
        room.events[event.event_id] = event
        return event

    states[room.create.event_id] = dict(room.state)
    levels: dict[str, Any] = {} if version == "12" else {ALICE: 100}
    last = send([room.create], "m.room.member", ALICE, {"membership": "join"}, ALICE)
    last = send([last], "m.room.power_levels", ALICE, {"users": {**levels, BOB: 50, CAROL: 50}}, "")
    last = send([last], "m.room.join_rules", ALICE, {"join_rule": "public"}, "")
    for user in (BOB, CAROL):
        last = send([last], "m.room.member", user, {"membership": "join"}, user)
    tips = [last]
    for number in range(length):
        prev = rng.sample(tips, min(len(tips), rng.choice([1, 1, 1, 2, 2, 3])))
        sender = rng.choice([ALICE, BOB, BOB, CAROL])
        match rng.randrange(12):
            case 0 | 1 | 2 | 10 | 11:
                user, membership = (
                    rng.choice([BOB, BOB, CAROL, DAVE]),
                    rng.choice(["join", "join", "leave", "ban", "ban", "invite"]),
                )
                sender = user if membership == "join" else sender
                event = send(prev, "m.room.member", sender, {"membership": membership}, user)
            case 3 | 4:
                users = {**levels, BOB: rng.choice([0, 50, 100]), CAROL: rng.choice([0, 50])}
                event = send(prev, "m.room.power_levels", sender, {"users": users}, "")
            case 5:
                rule = rng.choice(["public", "invite", "restricted"])
                event = send(prev, "m.room.join_rules", sender, {"join_rule": rule}, "")
            case 6 | 7:
                event = send(prev, rng.choice(["m.room.topic", "x.thing"]), sender, {"n": number}, "")
            case _:
                event = send(prev, "m.room.message", sender, {"n": number}, None)
        if rng.random() < 0.6 or len(tips) > 4:
            tips = [tip for tip in tips if tip not in prev]
        tips.append(event)
    return list(room.events.values())


def _like(event: Event) -> Callable[[Event], bool]:
    """Return a function that tells whether an event is for the same key."""
    return lambda other: (event.type, event.state_key) == (other.type, other.state_key)


def run_room(case: Any) -> None:
    """Replay a room whole and in part, with all keys and with some."""
    version, seed = version_in(case), in_case(case, "seed", int)
    events = _played(seed, version, max(0, min(in_case(case, "length", int), 60)))
    gone = {events[one % len(events)].event_id for one in in_case(case, "gone", list) if type(one) is int}
    restricting = [event for event in events if event.content.get("membership") in ("ban", "leave")]
    if restricting:
        chosen = [one for one in in_case(case, "gone_restrictions", list) if type(one) is int]
        gone |= {restricting[one % len(restricting)].event_id for one in chosen}
    left = [event for event in events if event.event_id not in gone]
    if case.get("shuffled"):
        left = left[::2] + left[1::2]
    _keys_decide_more(events[seed % len(events)], in_case(case, "keys", list))
    whole = replay_room(events)
    part = answer(lambda: replay_room(left))
    if isinstance(part, RoomverError):
        raise part
    for event_id, outcome in part.outcomes.items():
        truth = whole.outcomes[event_id]
        if outcome.status is Status.ACCEPTED and outcome.by_state is not None:
            promised(truth.status is Status.ACCEPTED, f"{outcome.status} stays, not {truth.status}")
        elif outcome.status in (Status.REJECTED_BY_AUTH_EVENTS, Status.REJECTED_BY_STATE):
            promised(not truth.accepted, "what is rejected stays rejected")
        before = part.state_before(event_id)
        if before is not None and truth.status is not Status.CYCLIC:
            promised(before == whole.state_before(event_id), "a state that is known stays")
    entries = [Entry(Place(number, ""), event.event_id, event.pdu) for number, event in enumerate(left, 1)]
    checked = answer(lambda: check_room(entries, version, keys=_ring(_SERVERS)))
    if isinstance(checked, RoomverError):
        raise checked
    for event_id, one in checked.replay.outcomes.items():
        promised(one.status is part.outcomes[event_id].status, "check and replay agree")


def _ring(servers: list[str]) -> KeyRing:
    return read_key_table({server: {"ed25519:1": {"key": public_key(server)}} for server in servers})


def _keys_decide_more(event: Event, servers: list[Any]) -> None:
    """More keys may decide a signature that was open, and reverse none."""
    some = check_event(event.pdu, event.room_version, keys=_ring([one for one in servers if one in _SERVERS]))
    every = check_event(event.pdu, event.room_version, keys=_ring(_SERVERS))
    assert some.signatures is not None
    assert every.signatures is not None
    promised(every.signatures.decided, "all keys decide")
    promised(not some.signatures.decided or some.signatures is every.signatures, "keys reverse nothing")
