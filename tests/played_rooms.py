"""Random rooms whose branches part and meet, smaller and smaller parts of them, and what must agree.

Whatever is decided with less knowledge of a room is decided with more. A whole room is replayed as the
reference replays it.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from builder import ALICE, BOB, CAROL, DAVE, Room, State
from reference.replay import Replayed, replay

from roomver import Event, replay_room
from roomver.replay import Replay, Status
from roomver.replay.given import VOUCHED_AND_REFUSED
from roomver.state import PartialState, Unknown, entries_of, known_in_part
from roomver.types import EventId, StateMap

USERS = [ALICE, BOB, CAROL, DAVE]
PLACES = [("m.room.topic", ""), ("m.room.name", ""), ("x.thing", "a")]
STRANGE = ("x.nobody", "sent this")


# Rooms


class Sent(NamedTuple):
    """An event for `played` to send."""

    kind: str
    content: Any
    state_key: str | None = None
    sender: str | None = None
    redacts: bool = False


def played(
    rng: Random,
    version: str,
    length: int,
    *,
    odd: bool = False,
    signed: bool = False,
    more: Callable[[Random], Sent | None] | None = None,
) -> list[Event]:
    """Return a room whose branches part and meet, in the order of arrival. The rules refuse some events.

    Args:
        rng: the room is drawn from it.
        version: the room version.
        length: the number of events after the first six.
        odd: events also cite entries that were replaced or are of other branches, and events that the rules
            refuse.
        signed: the events are signed. That takes long, and the event IDs are the same without it.
        more: draws other events to send now and then; None sends one as ever.
    """
    room = Room(version, signed=signed)
    states: dict[str, State] = {}

    def send(
        prev: list[Event], kind: str, sender: str, content: Any, state_key: str | None, **fields: Any
    ) -> Event:
        room.state = {}
        for event in prev:
            room.state.update(states[event.event_id])
        ts = rng.choice([1, 2, 3, 4, 5])
        options: Any = {
            "state_key": state_key,
            "prev": prev,
            "origin_server_ts": ts,
            "n": len(states),
            **fields,
        }
        event = room.make(kind, sender, content, **options)
        if odd and rng.random() < 0.4:
            cited = [room.events[one] for one in event.auth_event_ids]
            others = [one for one in room.events.values() if any(map(_like(one), cited)) and one not in cited]
            if others:
                other = rng.choice(others)
                auth = [other if _like(other)(one) else one for one in cited]
                event = room.make(kind, sender, content, auth=auth, **options)
        before = dict(room.state)
        if state_key is not None:
            allowed = room.verdict(event).allowed and room.against_state(event).allowed
            if allowed or (odd and rng.random() < 0.1):
                before[kind, state_key] = event
        states[event.event_id] = before
        room.events[event.event_id] = event
        return event

    states[room.create.event_id] = dict(room.state)
    last = send([room.create], "m.room.member", ALICE, {"membership": "join"}, ALICE)
    levels: dict[str, Any] = {} if version == "12" else {ALICE: 100}
    last = send([last], "m.room.power_levels", ALICE, {"users": {**levels, BOB: 50, CAROL: 50}}, "")
    last = send([last], "m.room.join_rules", ALICE, {"join_rule": "public"}, "")
    for user in (BOB, CAROL):
        last = send([last], "m.room.member", user, {"membership": "join"}, user)
    tips = [last]
    for number in range(length):
        prev = rng.sample(tips, min(len(tips), rng.choice([1, 1, 1, 2, 2, 3])))
        sender = rng.choice(USERS[:3])
        drawn = None if more is None else more(rng)
        what = rng.randrange(100)
        if drawn is not None:
            fields = {"redacts": rng.choice(sorted(room.events))} if drawn.redacts else {}
            event = send(prev, drawn.kind, drawn.sender or sender, drawn.content, drawn.state_key, **fields)
        elif what < 30:
            user = rng.choice(USERS)
            membership = rng.choice(["join", "join", "leave", "ban", "invite"])
            sender = user if membership == "join" else sender
            event = send(prev, "m.room.member", sender, {"membership": membership, "n": number}, user)
        elif what < 45:
            users = {**levels, BOB: rng.choice([0, 50, 100]), CAROL: rng.choice([0, 50])}
            event = send(prev, "m.room.power_levels", sender, {"users": users}, "")
        elif what < 50:
            rule = rng.choice(["public", "invite", *(["restricted"] if odd else [])])
            event = send(prev, "m.room.join_rules", sender, {"join_rule": rule}, "")
        elif what < 80:
            kind, state_key = rng.choice(PLACES)
            event = send(prev, kind, sender, {"n": number}, state_key)
        else:
            event = send(prev, "m.room.message", sender, {"n": number}, None)
        if rng.randrange(100) < 60 or len(tips) > 4:
            for old in prev:
                tips.remove(old)
        tips.append(event)
    return list(room.events.values())


def _like(event: Event) -> Callable[[Event], bool]:
    """Return a function that tells whether an event is for the same key."""
    return lambda other: (event.type, event.state_key) == (other.type, other.state_key)


def forget(rng: Random, state: StateMap[EventId], gone: Iterable[EventId] = ()) -> StateMap[EventId]:
    """Make some entries of a state unknown: in any case those of events that are gone."""
    known = dict(entries_of(state))
    unknown = list(state.unknown) if isinstance(state, PartialState) else []
    lost = {key for key, event_id in known.items() if event_id in set(gone)}
    match rng.randrange(5):
        case 0:
            unknown.append(Unknown.members())
            lost |= {key for key in known if key[0] == "m.room.member" and rng.randrange(3)}
        case 1:
            unknown.append(Unknown.everything("stripped state"))
            lost |= {key for key in known if rng.randrange(2)}
        case 2:
            lost |= {key for key in known if rng.randrange(4) == 0} | {STRANGE}
        case _:
            pass
    if lost:
        unknown.append(Unknown("dropped", keys=frozenset(lost)))
    return known_in_part({key: e for key, e in known.items() if key not in lost}, unknown)


@dataclass
class Part:
    """A part of a room: some events, states before some of them, and what those servers accepted."""

    events: list[Event]
    given: dict[EventId, StateMap[EventId]]
    accepted: dict[EventId | None, set[EventId]]

    def less(self, rng: Random, gone: set[EventId]) -> "Part":
        """A part of this part."""
        given = {e: forget(rng, state, gone) for e, state in self.given.items() if e not in gone}
        accepted = {
            e: {one for one in sorted(answer) if rng.randrange(4)}
            for e, answer in self.accepted.items()
            if e not in gone
        }
        return Part([event for event in self.events if event.event_id not in gone], given, accepted)

    def replay(self, **options: Any) -> Replay:
        return replay_room(self.events, given=self.given, accepted=self.accepted, **options)


def arrived_late(events: list[Event], gone: set[EventId]) -> list[Event]:
    """The events in another order of arrival: each that will be gone comes just before what follows it."""
    by_id = {event.event_id: event for event in events}
    order: dict[EventId, None] = {}

    def take(event: Event) -> None:
        for parent in (*event.prev_event_ids, *event.auth_event_ids):
            if parent in gone and parent not in order:
                take(by_id[parent])
        order[event.event_id] = None

    for event in events:
        if event.event_id not in gone:
            take(event)
    return [by_id[event_id] for event_id in order]


def drawn(seed: int, version: str) -> tuple[Random, list[Event], Replay, set[EventId]]:
    """Draw a room, and the events of it that a part does not have."""
    rng = Random(f"{version}/{seed}")
    events = played(rng, version, rng.randrange(3, 30))
    whole = replay_room(events)
    gone: set[EventId] = set()
    if rng.randrange(2):
        some = followed(whole)
        gone = set(rng.sample(some, min(len(some), rng.choice([1, 1, 2, 3, 5]))))
        events = arrived_late(events, gone)
        whole = replay_room(events)
    return rng, events, whole, gone


def drawn_history(rng: Random, events: list[Event]) -> set[EventId]:
    """Draw the events that a server fetched from the history: all before its join, or any others."""
    match rng.randrange(3):
        case 0:
            join = rng.choice(events).event_id
            return ancestors(events, join) - {join}
        case 1:
            return {event.event_id for event in events if rng.randrange(2)}
        case _:
            return {event.event_id for event in events if not rng.randrange(5)}


def followed(whole: Replay) -> list[EventId]:
    """Return the events that an accepted event follows, directly or by way of rejected events.

    Nothing tells of other events that are missing.
    """
    found: set[EventId] = set()
    todo = [event_id for event_id, outcome in whole.outcomes.items() if outcome.accepted]
    while todo:
        new = {*whole.events[todo.pop()].prev_event_ids} - found
        found |= new
        todo += [parent for parent in new if not whole.outcomes[parent].accepted]
    return sorted(found)


def parts(rng: Random, events: list[Event], whole: Replay, gone: set[EventId]) -> list[Part]:
    """The whole room, and smaller and smaller parts of it."""
    good = [e for e in whole.order[1:] if whole.outcomes[e].accepted and e not in gone]
    chosen = rng.sample(good, min(len(good), rng.choice([0, 1, 1, 2, 3])))
    if gone and rng.randrange(3):
        chosen += [e.event_id for e in events if set(e.prev_event_ids) & gone and e.event_id in good]
    given: dict[EventId, StateMap[EventId]] = {e: whole.state_before(e) or {} for e in chosen}
    accepted: dict[EventId | None, set[EventId]] = {}
    for event_id in given:
        if rng.randrange(2):
            before = {one for one in ancestors(events, event_id) if whole.outcomes[one].accepted}
            accepted[event_id] = {one for one in sorted(before) if rng.randrange(2)}
    first = Part(events, given, accepted)
    second = first.less(rng, gone)
    return [Part(events, {}, {}), first, second, second.less(rng, set())]


def ancestors(events: list[Event], event_id: EventId) -> set[EventId]:
    """Return an event and all that it comes after."""
    by_id = {event.event_id: event for event in events}
    found: set[EventId] = set()
    todo = [event_id]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += by_id[one].prev_event_ids
    return found


# What an answer with less knowledge says, and one with more must say too


def agree_on_state(less: StateMap[EventId] | None, more: StateMap[EventId] | None) -> None:
    """Whatever the state that is known less says is so in the other."""
    if less is None:
        return
    assert more is not None
    known, known_more = entries_of(less), entries_of(more)
    for key in {*known, *known_more, STRANGE, ("m.room.member", DAVE)}:
        if isinstance(less, PartialState) and less.why_unknown(key) is not None:
            continue
        assert not isinstance(more, PartialState) or more.why_unknown(key) is None, key
        assert known.get(key) == known_more.get(key), key


def agree(less: Replay, more: Replay, *, ends: bool = True) -> None:
    """Whatever a replay with less knowledge says is so in the other.

    Args:
        less: the replay with less knowledge.
        more: the replay with more knowledge.
        ends: compare the forward extremities, and what depends on them.
    """
    for event_id, outcome in less.outcomes.items():
        other = more.outcomes[event_id]
        if outcome.status is not Status.UNDECIDED:
            assert other.status is outcome.status
        # Under a server's decisions, a given state may have an event that the rules refuse. Whoever does not
        # know that the server accepted it can tell; the others have two servers that contradict each other.
        if other.ours is not None and other.why_unknown.startswith(VOUCHED_AND_REFUSED):
            continue
        # For the same reason, such an event may count as accepted.
        trusted = outcome.own is Status.ACCEPTED and outcome.by_state is None
        if outcome.own is not Status.UNDECIDED and not trusted:
            assert other.own is outcome.own
        if outcome.by_auth_events is not None:
            assert other.by_auth_events == outcome.by_auth_events
        if outcome.by_state is not None:
            assert other.by_state == outcome.by_state
    for event_id in less.outcomes:
        agree_on_state(less.state_before(event_id), more.state_before(event_id))
        agree_on_state(less.state_after(event_id), more.state_after(event_id))
    if not ends:
        return
    agree_on_state(less.current_state, more.current_state)
    assert less.soft_failed.items() <= more.soft_failed.items()
    for event_id in less.outcomes:
        check, other_check = less.current_check(event_id), more.current_check(event_id)
        assert check.allowed is None or other_check.allowed in (check.allowed, None)
    if less.extremities_known:
        assert more.extremities_known
        assert less.forward_extremities == more.forward_extremities


def same_as_reference(events: list[Event], backfilled: Collection[EventId] = ()) -> Replayed:
    """Replay a room with the library and the reference, and compare everything that both say."""
    replayed, expected = replay_room(events, backfilled=backfilled), replay(events, backfilled)
    assert replayed.order == [event.event_id for event in events]
    statuses = {event.event_id: Status.ACCEPTED for event in events}
    statuses |= dict.fromkeys(expected.by_auth_events, Status.REJECTED_BY_AUTH_EVENTS)
    statuses |= dict.fromkeys(expected.by_state, Status.REJECTED_BY_STATE)
    assert {event_id: outcome.status for event_id, outcome in replayed.outcomes.items()} == statuses
    for event_id, after in expected.after.items():
        assert replayed.state_before(event_id) == expected.before[event_id]
        assert replayed.state_after(event_id) == after
    assert replayed.soft_failed == expected.soft_failed
    assert replayed.unchecked == {}
    assert replayed.forward_extremities == tuple(sorted(expected.extremities))
    if backfilled and not expected.extremities:
        # A server that fetched the history is in the room, so it had ends. They are not among the events.
        assert (replayed.extremities_known, replayed.current_state) == (False, None)
        return expected
    assert replayed.extremities_known
    assert replayed.current_state == expected.current_state()
    return expected
