"""A verdict that is kept for the next events is the one that the rules give each of them."""

from random import Random

from builder import VERSIONS
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import played

from roomver import Event, UnknownState, check_against_state, check_auth, replay_room
from roomver.replay.verdicts import Allowed, AuthVerdicts
from roomver.rules import Verdict
from roomver.state import EventsOf, PartialState, Unknown

KINDS = ["m.room.message", "x.thing", "m.room.redaction", "m.room.member", "m.room.name"]


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
