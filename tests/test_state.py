"""Room states that are known in part: what they answer, and that no other code takes them for whole."""

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room
from hypothesis import given
from hypothesis import strategies as st
from random_rooms import random_case

from roomver import (
    Event,
    MissingEvents,
    UnknownState,
    check_against_state,
    check_auth,
    resolve,
    select_auth_types,
)
from roomver.auth import redaction_applies
from roomver.auth.compared import list_compared
from roomver.resolution import RoomState
from roomver.state import EventsOf, PartialState, Unknown, entries_of, known_in_part, unknown_of
from roomver.types import StateKey

NAME, TOPIC, MEMBER = ("m.room.name", ""), ("m.room.topic", ""), ("m.room.member", BOB)
CREATE = ("m.room.create", "")


def test_a_state_known_in_part_answers_for_what_it_knows() -> None:
    state = PartialState({NAME: "$n"}, [Unknown.members()])
    assert state.get(NAME) == state[NAME] == "$n"
    assert NAME in state
    assert state.get(TOPIC) is None
    assert state.get(TOPIC, "$default") == "$default"
    assert TOPIC not in state
    with pytest.raises(KeyError):
        state[TOPIC]
    assert state.why_unknown(NAME) is None
    assert state.why_unknown(TOPIC) is None
    assert state.why_unknown(MEMBER) is state.unknown[0]


READS: list[Callable[[PartialState[str]], object]] = [
    lambda state: state.get(MEMBER),
    lambda state: state.get(MEMBER, "$default"),
    lambda state: state[MEMBER],
    lambda state: MEMBER in state,
]


@pytest.mark.parametrize("read", READS)
def test_reading_an_unknown_key_raises(read: Callable[[PartialState[str]], object]) -> None:
    state = PartialState({NAME: "$n"}, [Unknown.members()])
    with pytest.raises(UnknownState) as caught:
        read(state)
    assert (caught.value.keys, caught.value.reason) == ((MEMBER,), "members omitted")
    assert read(PartialState({MEMBER: "$b"}, [Unknown.members()])) in ("$b", True)


WHOLE_READS: list[Callable[[PartialState[str]], object]] = [
    list,
    len,
    bool,
    dict,
    lambda state: {**state},
    lambda state: list(state.items()),
    lambda state: list(state.values()),
    lambda state: state.keys() | {NAME},
    RoomState,
]


@pytest.mark.parametrize("read", WHOLE_READS)
def test_reading_a_state_known_in_part_as_a_whole_raises(read: Callable[[PartialState[str]], object]) -> None:
    state = PartialState({NAME: "$n"}, [Unknown.members(), Unknown("dropped", keys=frozenset([TOPIC]))])
    with pytest.raises(UnknownState) as caught:
        read(state)
    assert caught.value.keys == ()
    assert "m.room.member entries (members omitted); m.room.topic '' (dropped)" in str(caught.value)
    assert dict(state.known) == {NAME: "$n"}


def test_which_keys_are_unknown() -> None:
    everything, members = Unknown.everything("why"), Unknown.members()
    single = Unknown("dropped", keys=frozenset([TOPIC]))
    assert [everything.covers(key) for key in (NAME, TOPIC, MEMBER)] == [True, True, True]
    assert [members.covers(key) for key in (NAME, TOPIC, MEMBER)] == [False, False, True]
    assert [single.covers(key) for key in (NAME, TOPIC, MEMBER)] == [False, True, False]
    for kind, key in [(None, None), ("m.room.topic", None), (None, ""), ("m.room.topic", "")]:
        assert everything.may_hold(kind, key)
        assert single.may_hold(kind, key)
    assert not single.may_hold("m.room.name", None)
    assert not single.may_hold(None, "x")
    assert members.may_hold(None, None)
    assert members.may_hold(None, BOB)
    assert members.may_hold("m.room.member", None)
    assert not members.may_hold("m.room.topic", None)
    assert str(everything) == "all other entries (why)"
    many = Unknown("dropped", frozenset("t"), frozenset(("m", str(n)) for n in range(10, 23)))
    assert str(many).startswith("t entries, m '10', ")
    assert str(many).endswith("m '19', 3 more entries (dropped)")
    assert members.to_dict() == {"reason": "members omitted", "types": ["m.room.member"], "keys": []}
    assert everything.to_dict() == {"reason": "why", "types": None, "keys": []}
    assert single.to_dict() == {"reason": "dropped", "types": [], "keys": [["m.room.topic", ""]]}


@pytest.mark.parametrize("make", [dict, RoomState])
def test_a_changed_state_knows_what_was_set(make: Any) -> None:
    members = Unknown.members()
    state: PartialState[str] = PartialState(make({NAME: "$n"}), [members])
    after = state.changed({MEMBER: "$b", NAME: None})
    assert isinstance(after, PartialState)
    assert after.unknown[0] is members, "the rest is unknown in the same way"
    assert after.get(MEMBER) == "$b"
    assert after.get(NAME) is None
    assert dict(state.known) == {NAME: "$n"}, "the state before is as it was"
    assert type(after.known) is type(state.known)
    # A removed entry whose key is covered cannot be told from one that was never known. It is unknown in
    # another way than in the states before.
    nothing: dict[StateKey, str | None] = {MEMBER: None}
    removed = after.changed(nothing)
    assert isinstance(removed, PartialState)
    assert removed.why_unknown(MEMBER) is not None
    assert removed.unknown == state.unknown
    assert removed.unknown[0] is not members


def test_a_state_whose_unknown_keys_are_all_set_is_known_in_whole() -> None:
    state: PartialState[str] = PartialState({}, [Unknown("dropped", keys=frozenset([NAME, TOPIC]))])
    half = state.changed({NAME: "$n"})
    assert isinstance(half, PartialState)
    whole = half.changed({TOPIC: "$t"})
    assert whole == {NAME: "$n", TOPIC: "$t"}
    assert unknown_of(whole) == ()
    assert known_in_part({NAME: "$n"}, [Unknown("dropped", keys=frozenset([NAME]))]) == {NAME: "$n"}
    # There may always be one more member.
    assert unknown_of(PartialState({NAME: "$n"}, [Unknown.members()]).changed({MEMBER: "$b"}))


def test_states_known_in_part_are_values() -> None:
    state = PartialState({NAME: "$n"}, [Unknown.members()])
    same = PartialState({NAME: "$n"}, [Unknown.members()])
    assert state == same
    assert state != PartialState({NAME: "$o"}, [Unknown.members()])
    assert state != PartialState({NAME: "$n"}, [Unknown.members("why")])
    assert state != {NAME: "$n"}, "it is not the state of its known entries"
    assert state.unknown[0].renewed() == state.unknown[0]
    assert state.unknown[0].renewed() is not state.unknown[0]
    with pytest.raises(TypeError):
        hash(state)
    for made in (copy.deepcopy(state), pickle.loads(pickle.dumps(state))):
        assert made == state
        with pytest.raises(UnknownState, match="may differ in what is unknown"):
            resolve([made, state], {})
    for together in ([copy.copy(state), state], pickle.loads(pickle.dumps([copy.copy(state), state]))):
        assert resolve(together, {}).state == state
    assert repr(state) == (
        "<PartialState of 1 known entry; unknown: m.room.member entries (members omitted)>"
    )
    assert entries_of(state) == {NAME: "$n"}
    with pytest.raises(ValueError, match="not known in part"):
        PartialState({}, [])


# The rules read every state through `get`


class OnlyGet(Mapping[StateKey, Event]):
    """A room state that can be read key by key and in no other way."""

    def __init__(self, events: Mapping[StateKey, Event]) -> None:
        self.events = events
        self.read: set[StateKey] = set()

    def get(self, key: StateKey, default: Any = None) -> Any:
        self.read.add(key)
        return self.events.get(key, default)

    def __getitem__(self, key: StateKey) -> Event:
        raise AssertionError("read by []")

    def __contains__(self, key: object) -> bool:
        raise AssertionError("read by in")

    def __iter__(self) -> Iterator[StateKey]:
        raise AssertionError("read as a whole")

    def __len__(self) -> int:
        raise AssertionError("read as a whole")


@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_a_verdict_with_unknown_keys_is_the_one_with_all_keys_or_there_is_none(
    version: str, seed: int
) -> None:
    rng = Random(seed)
    case = random_case(rng, version)
    if not case.of_this_room:
        return
    event = case.event
    state = OnlyGet(case.state)
    verdict = check_against_state(event, state)
    assert state.read <= {CREATE, *select_auth_types(event)}
    hidden = {key for key in {CREATE, *select_auth_types(event)} if rng.randrange(3) == 0}
    known = {key: other for key, other in case.state.items() if key not in hidden}
    part = PartialState(known, [Unknown("hidden", keys=frozenset(hidden | {("x", "")}))])
    if hidden & state.read:
        with pytest.raises(UnknownState) as caught:
            check_against_state(event, part)
        assert set(caught.value.keys) <= hidden & state.read
        assert caught.value.reason == "hidden"
    else:
        assert check_against_state(event, part) == verdict


def room() -> Room:
    built = Room("11", signed=False)
    built.join(ALICE)
    built.power({"users": {ALICE: 100}})
    built.join_rule("public")
    built.join(BOB)
    return built


def test_checks_against_a_state_without_members() -> None:
    built = room()
    known = {key: event for key, event in built.state.items() if key[0] != "m.room.member"}
    state = PartialState(known, [Unknown.members()])
    message = built.make("m.room.message", BOB, {})
    redaction = built.make("m.room.redaction", BOB, {}, redacts=message.event_id)
    for check in (
        lambda: check_against_state(message, state),
        lambda: check_auth(message, state, built.events),
        lambda: list_compared(message, state),
    ):
        with pytest.raises(UnknownState) as caught:
            check()
        assert caught.value.keys == (MEMBER,)
    # Where the rules on the auth events decide, the state does not matter.
    assert not check_auth(message, state, built.events, rejected={built.create.event_id}).allowed
    # Whether a redaction applies depends on no member.
    assert redaction_applies(redaction, message, state).applies
    without = PartialState(known, [Unknown.members(), Unknown("dropped", keys=frozenset([CREATE]))])
    del known[CREATE]
    with pytest.raises(UnknownState):
        redaction_applies(redaction, message, without)
    with pytest.raises(UnknownState):
        check_against_state(message, without)


def test_a_view_of_a_state_known_in_part_is_known_in_part() -> None:
    built = room()
    ids = {key: event.event_id for key, event in built.state.items()}
    view = EventsOf(PartialState({CREATE: ids[CREATE]}, [Unknown.members()]), built.events)
    assert view[CREATE] is view.get(CREATE) is built.create
    assert CREATE in view
    assert view.get(NAME) is None
    for read in (lambda: view.get(MEMBER), lambda: view[MEMBER], lambda: MEMBER in view, lambda: dict(view)):
        with pytest.raises(UnknownState):
            read()
    whole = EventsOf(ids, built.events)
    assert dict(whole) == built.state
    assert len(whole) == len(ids)
    assert ("m.room.member", CAROL) not in whole


def test_one_state_serves_resolution_and_authorisation() -> None:
    built = room()
    ids = {key: event.event_id for key, event in built.state.items()}
    resolved = resolve([ids, ids], built.events).state
    message = built.add("m.room.message", BOB, {})
    in_part = PartialState(ids, [Unknown.members()])
    for state in (resolved, RoomState(ids), in_part, resolve([in_part, in_part], built.events).state):
        events = state.events(built.events)
        assert isinstance(events, EventsOf)
        assert check_auth(message, events, built.events) == check_auth(message, built.state, built.events)
    assert repr(resolved.events({})) == f"<events of <RoomState of {len(ids)} entries>>"


@pytest.mark.parametrize("lookup", [{}, dict[str, Event | None].fromkeys(["$x"])])
def test_an_event_that_the_lookup_lacks_is_not_absent(lookup: dict[str, Event | None]) -> None:
    built = room()
    view = RoomState({MEMBER: "$x"}).events(lookup)
    assert MEMBER in view
    assert view.get(NAME) is None
    for read in (lambda: view[MEMBER], lambda: view.get(MEMBER), lambda: dict(view)):
        with pytest.raises(MissingEvents) as caught:
            read()
        assert caught.value.event_ids == ("$x",)
    with pytest.raises(KeyError):
        view[NAME]
    message = built.add("m.room.message", BOB, {})
    lost = {**built.events}
    ban = built.add("m.room.member", ALICE, {"membership": "ban"}, state_key=BOB).event_id
    state = RoomState({key: event.event_id for key, event in built.state.items()})
    assert state["m.room.member", BOB] == ban
    with pytest.raises(MissingEvents, match="events missing from the events of the state"):
        check_auth(message, state.events(lost), built.events)


EVERYTHING, MEMBERS = Unknown.everything("x"), Unknown.members("x")
SOME = Unknown("x", keys=frozenset([TOPIC, MEMBER]))


@pytest.mark.parametrize(
    ("one", "others", "types", "keys"),
    [
        (EVERYTHING, [EVERYTHING], None, set()),
        (EVERYTHING, [MEMBERS, SOME], {"m.room.member"}, {TOPIC, MEMBER}),
        (MEMBERS, [EVERYTHING], {"m.room.member"}, set()),
        (MEMBERS, [SOME], set(), {MEMBER}),
        (SOME, [MEMBERS], set(), {MEMBER}),
        (SOME, [Unknown("y", keys=frozenset([TOPIC]))], set(), {TOPIC}),
        (SOME, [], set(), set()),
    ],
)
def test_what_is_unknown_here_and_there(
    one: Unknown, others: list[Unknown], types: set[str] | None, keys: set[StateKey]
) -> None:
    narrowed = one.narrowed(others)
    assert narrowed == Unknown("x", None if types is None else frozenset(types), frozenset(keys))
    for key in (TOPIC, MEMBER, ("m.room.member", "@other:x"), ("m.room.name", "")):
        assert narrowed.covers(key) == (one.covers(key) and any(other.covers(key) for other in others))
