"""A verdict that is kept for the next events is the one that the rules give each of them."""

from contextlib import suppress
from random import Random
from typing import Any

import pytest
from builder import VERSIONS
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import played
from strategies import often

from roomver import Event, UnknownState, WrongRoom, check_against_state, check_auth, replay_room
from roomver.replay.verdicts import Allowed, AuthVerdicts
from roomver.rules import Verdict
from roomver.state import EventsOf, PartialState, Unknown
from roomver.versions import RoomIdForm, version_record

ROOM = "!r:a.example"
USERS = ["@a:a.example", "@b:a.example", "@c:b.example", "@d:b.example", "@e:c.example"]
KINDS = ["m.room.message", "x.thing", "m.room.redaction", "m.room.member", "m.room.name"]
PLAIN = ["m.room.message"] * 8 + ["m.room.topic"] * 3 + [*KINDS[2:4], "m.room.third_party_invite"]


def drawn_events(rng: Random, version: str) -> list[Event]:
    """Return a room, and copies of its events that differ in content, sender, type or what they cite."""
    events = played(rng, version, 25, odd=True)
    for event in list(events):
        if event.type == "m.room.create":
            continue
        changed = {**event.pdu, "depth": rng.randrange(50)}
        if rng.randrange(3) == 0:
            changed["sender"] = rng.choice(events).sender
        if rng.randrange(3) == 0:
            changed["type"] = rng.choice(KINDS)
        if rng.randrange(4) == 0:
            changed["auth_events"] = rng.choice(events).pdu["auth_events"]
        if "event_id" in changed:
            changed["event_id"] = f"$copy{len(events)}:a.example"
        events.append(Event.trusted(changed, version, f"$copy{len(events)}:a.example"))
    return events


@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_kept_verdicts_are_those_of_the_rules(version: str, seed: int) -> None:
    rng = Random(seed)
    events = drawn_events(rng, version)
    by_id = {event.event_id: event for event in events}
    replayed = replay_room(events)
    order = [by_id[event_id] for event_id in replayed.order]
    rejected = {one for one, outcome in replayed.outcomes.items() if not outcome.accepted}
    kept = AuthVerdicts(by_id, rejected)
    states = [replayed.state_before(event.event_id) for event in order]
    for event in order * 2:
        found = kept.check(event)
        expected = check_auth(event, None, by_id, rejected=rejected)
        assert (found.verdict if isinstance(found, Allowed) else found) == expected
        assert isinstance(found, Verdict) is not expected.allowed
        if not isinstance(found, Allowed):
            continue
        for group in rng.sample(range(len(states)), min(5, len(states))):
            state = states[group]
            if state is None:
                continue
            if rng.randrange(5) == 0:
                key = rng.choice([*state, ("m.room.member", event.sender)])
                one = Unknown("unknown", keys=frozenset([key]), event_id=event.event_id)
                state = PartialState({k: e for k, e in state.items() if k != key}, [one])
                group = -1 - rng.randrange(2**60)  # noqa: PLW2901 - another state, so another group
            if found.are_in(state, group):
                try:
                    assert check_against_state(event, EventsOf(state, by_id)) == expected
                except UnknownState as error:
                    raise AssertionError("a verdict was kept for a state that does not decide") from error


class Drawing:
    """Draw the events of a room whose rules tell some senders apart, without a history that makes sense."""

    def __init__(self, rng: Random, version: str) -> None:
        self.rng, self.version = rng, version_record(version)
        self.by_id: dict[str, Event] = {}
        self.room_id = ROOM
        self.strange = 40  # one event of so many is of another room
        self.create = self._create()
        if self.version.room_id_form is RoomIdForm.CREATE_HASH:
            self.room_id = self.create.room_id
        self.creates = [self.create, self._create()]
        self.levels = [self._levels() for _ in range(2)]
        self.members = [self._member(rng.choice(USERS[:4])) for _ in range(6)]

    def add(
        self, kind: str, sender: str, content: Any, auth: list[Event], *, state_key: str | None = None
    ) -> Event:
        rng, event_id = self.rng, f"${len(self.by_id)}:a.example"
        v12 = self.version.room_id_form is RoomIdForm.CREATE_HASH
        pdu: dict[str, Any] = {"type": kind, "sender": sender, "content": content, "room_id": self.room_id}
        if kind == "m.room.create" and v12:
            del pdu["room_id"]
        elif self.strange and self.by_id and not rng.randrange(self.strange):
            pdu["room_id"] = "!other:a.example" if not v12 else f"!{event_id[1:]}"
        pdu |= {"depth": 1, "origin_server_ts": 1, "hashes": {}, "event_id": event_id}
        hashes = self.version.references_carry_hashes
        cited = [[one.event_id, {}] if hashes else one.event_id for one in auth]
        pdu |= {"prev_events": [], "auth_events": cited}
        if state_key is not None:
            pdu["state_key"] = state_key
        event = self.by_id[event_id] = Event.trusted(pdu, self.version, event_id)
        return event

    def _create(self) -> Event:
        rng = self.rng
        content: dict[str, Any] = {"room_version": self.version.identifier, "creator": rng.choice(USERS)}
        if not rng.randrange(3):
            content["m.federate"] = False
        if not rng.randrange(2):
            content["additional_creators"] = [rng.choice(USERS)]
        return self.add("m.room.create", rng.choice(USERS), content, [], state_key="")

    def _levels(self) -> Event:
        rng = self.rng
        content: dict[str, Any] = {"users": {rng.choice(USERS[:4]): rng.choice([0, 50, 100])}}
        if rng.randrange(2):
            content["users_default"] = rng.choice([0, 50])
        if rng.randrange(2):
            content["events"] = {rng.choice(PLAIN): rng.choice([50, 60])}
        return self.add("m.room.power_levels", USERS[0], content, [], state_key="")

    def _member(self, user: str) -> Event:
        membership = self.rng.choice(["join"] * 9 + ["leave", "ban", "invite"])
        return self.add("m.room.member", user, {"membership": membership}, [], state_key=user)

    def plain(self) -> Event:
        """Draw an event that cites more or less what it should."""
        rng = self.rng
        sender = rng.choice(USERS[:4])
        cited = [one for one in self.members if one.state_key == sender or not rng.randrange(20)]
        auth = rng.sample(cited, min(len(cited), 1 + (not rng.randrange(10))))
        if rng.randrange(3):
            auth.append(rng.choice(self.levels))
        if self.version.create_in_auth_events or not rng.randrange(20):
            auth.append(rng.choice(self.creates))
        if not rng.randrange(9):
            rng.shuffle(auth)
        key = rng.choice([None] * 5 + ["", "x"] + [USERS[1]] * 3 + [f"{sender}_x"])
        return self.add(rng.choice(PLAIN), sender, {}, auth, state_key=key)


@often
@given(st.sampled_from([*VERSIONS, "org.matrix.msc3757.11"]), st.integers(0, 2**32))
def test_a_verdict_for_one_sender_is_that_for_every_sender_who_is_not_told_apart(
    version: str, seed: int
) -> None:
    rng = Random(seed)
    room = Drawing(rng, version)
    rejected = {event_id for event_id in room.by_id if not rng.randrange(16)}
    undecided = {event_id for event_id in room.by_id if not rng.randrange(16)} - rejected
    kept = AuthVerdicts(room.by_id, rejected)
    for _ in range(80):
        event = room.plain()
        cited = [room.by_id[one] for one in event.auth_parents]
        state = {(one.type, one.state_key): one.event_id for one in cited if one.state_key is not None}
        if not rng.randrange(3):
            other = rng.choice([room.create, *room.levels, *room.members])
            state[other.type, other.state_key or ""] = other.event_id
        by_state = None
        with suppress(WrongRoom):
            by_state = check_against_state(event, EventsOf(state, room.by_id))
        expected = check_auth(event, None, room.by_id, rejected=rejected)
        both = kept.in_both(event, state, rng.randrange(2**60))
        if not undecided.isdisjoint(event.auth_event_ids):
            assert both is None
            continue  # a replay does not check it
        assert both is None or (both == expected == by_state and both.allowed)
        found = kept.check(event)
        assert (found.verdict if isinstance(found, Allowed) else found) == expected
        if isinstance(found, Allowed) and found.are_in(state, rng.randrange(2**60)):
            assert by_state == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_a_verdict_is_kept_for_other_senders_of_a_later_state(version: str) -> None:
    """Without this, the test above holds for a way that keeps nothing."""
    room = Drawing(Random(0), version)
    room.strange = 0
    content = {"room_version": version, "creator": USERS[0]}
    create = room.add("m.room.create", USERS[0], content, [], state_key="")
    room.room_id = create.room_id
    levels = [room.add("m.room.power_levels", USERS[0], {"n": n}, [], state_key="") for n in range(2)]
    joins = [room.add("m.room.member", user, {"membership": "join"}, [], state_key=user) for user in USERS]
    rejected: set[str] = set()
    kept = AuthVerdicts(room.by_id, rejected)

    def in_both(user: int, level: int) -> bool:
        auth = [joins[user], levels[level]]
        cited = [*auth, create] if room.version.create_in_auth_events else auth
        event = room.add("m.room.message", USERS[user], {}, cited)
        state = {(one.type, one.state_key or ""): one.event_id for one in (*auth, create)}
        found = kept.in_both(event, state, len(room.by_id))
        assert isinstance(kept.check(event), Allowed)
        return found is not None

    # The first event of a sender, or after a change of the power levels, is checked by the rules.
    assert [in_both(*one) for one in [(1, 0), (1, 0), (2, 0), (2, 1)]] == [False, True, False, False]
    assert [in_both(*one) for one in [(1, 1), (2, 1), (3, 1), (3, 0)]] == [True, True, False, True]
    rejected.add(create.event_id)
    assert isinstance(kept.check([*room.by_id.values()][-1]), Verdict)
