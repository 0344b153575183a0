"""Properties of the authorisation rules: on hostile input, on what they read, and compared with the
transcription of the specification in ``reference/auth.py``."""

import contextlib
import copy
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, State, public_key
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rooms import Case, random_case
from reference import auth as reference
from strategies import CONTENT_KEYS, LENIENT_VERSIONS, UNSTABLE_VERSIONS, hostile, number_of

from roomver import (
    Event,
    RoomverError,
    Verdict,
    check_against_state,
    check_auth,
    check_state_independent,
    parse_event,
    select_auth_types,
)
from roomver.auth import Checker, redaction_applies
from roomver.rules import Decision
from roomver.selection import SHARED_KEYS, list_auth_types, selects_only_sender

CREATE = ("m.room.create", "")

randoms = st.randoms(use_true_random=False)
versions = st.sampled_from([*VERSIONS, *UNSTABLE_VERSIONS])
# The content keys that rules read, and values that they allow there.
_PLACES: dict[str, list[Any]] = {
    "membership": ["join", "invite", "leave", "ban", "knock"],
    "join_rule": ["public", "invite", "knock", "restricted", "knock_restricted"],
    "join_authorised_via_users_server": [ALICE, BOB],
    "third_party_invite": [{"signed": {"mxid": BOB, "token": "token"}}, {"signed": {"mxid": BOB}}],
    "creator": [ALICE, BOB],
    "additional_creators": [[BOB], []],
    "m.federate": [False, True],
    "public_key": [public_key("id.one")],
}
_KEYS = sorted({*CONTENT_KEYS, *_PLACES, "public_keys", "room_version"})
_TYPES = [
    "m.room.create",
    "m.room.member",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.aliases",
    "m.room.third_party_invite",
    "m.room.redaction",
    "m.room.message",
]
_NAMES = [
    ALICE,
    BOB,
    "foo",
    "",
    "m.room.message",
    "signed",
    "mxid",
    "token",
    "signatures",
    "public_key",
    "\ufb33",
]


def any_json(rng: Random, version: str, depth: int = 0) -> Any:
    """Draw any JSON value that an event of the version may hold."""
    kind = rng.randrange(10 if depth < 3 else 7)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice([0, 1, -1, 50, 100, 2**53 - 1, -(2**53) + 1])
    if kind == 2 and version in LENIENT_VERSIONS:
        return rng.choice([0.0, -0.9, 50.57, 1e300, 5e-324, 2**53, 2**70, -(10**40)])
    if kind <= 4:
        return rng.choice([*_NAMES, "50", " +050 ", "1_0", "9" * 4001, "\x00", "\U0010ffff", "@" * 300])
    if kind <= 6:
        return rng.randrange(-5, 105)
    if kind <= 7:
        return [any_json(rng, version, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(_NAMES): any_json(rng, version, depth + 1) for _ in range(rng.randrange(4))}


def any_content(rng: Random, version: str) -> dict[str, Any]:
    """Draw any content at the keys that rules read. Some of the values are ones that a rule allows."""
    content = {}
    for key in rng.sample(_KEYS, rng.randrange(7)):
        sound = _PLACES.get(key)
        content[key] = rng.choice(sound) if sound and rng.randrange(2) else any_json(rng, version)
    return content


def hostile_case(rng: Random) -> Case:
    """Draw a room whose state events have any content, and an event with any content to check in it."""
    version = rng.choice(VERSIONS)
    content = any_content(rng, version)
    if number_of(version) == 12 and rng.randrange(10):
        content["room_version"] = "12"  # otherwise the room ID decides everything
    room = Room(version, content=content, signed=False)
    for kind, state_key in (
        ("m.room.power_levels", ""),
        ("m.room.join_rules", ""),
        ("m.room.member", ALICE),
        ("m.room.member", BOB),
        ("m.room.third_party_invite", "token"),
    ):
        if rng.randrange(3):
            content = any_content(rng, version)
            if kind == "m.room.member" and rng.randrange(3):
                content["membership"] = "join"
            room.add(kind, ALICE, content, state_key=state_key, auth=[])
    options: dict[str, Any] = {"state_key": rng.choice([None, "", ALICE, BOB, "@x", "a.example"])}
    if rng.randrange(2):
        options["prev"] = [room.create]
    if not rng.randrange(4):
        options["auth"] = rng.sample(sorted(room.events), rng.randrange(len(room.events) + 1))
    kind = rng.choice(_TYPES)
    if kind == "m.room.member" and rng.randrange(4):
        options["state_key"] = rng.choice([ALICE, BOB])
    event = room.make(kind, rng.choice([ALICE, BOB]), any_content(rng, version), **options)
    here = event.type == "m.room.create" or event.room_id == room.room_id
    return Case(version, event, room.events, frozenset(), room.state, here)


# Hypothesis draws only the seeds. It would take most of an hour to draw rooms like these.
seeds = st.integers(0, 2**64)


@hostile
@given(seeds)
def test_any_json_as_any_content_ends_in_a_verdict_or_a_roomver_error(seed: int) -> None:
    case = hostile_case(Random(seed))
    for state in (None, case.state):
        try:
            holds_together(check_auth(case.event, state, case.events))
        except RoomverError:
            continue
    # The answer is the specification's.
    assert judged(case, by_state=False) == truly_judged(case, by_state=False)
    assert judged(case, by_state=True) == truly_judged(case, by_state=True)
    target = next(iter(case.events.values()))
    with contextlib.suppress(RoomverError):
        assert type(redaction_applies(case.event, target, case.state).applies) is bool


def holds_together(verdict: Verdict) -> None:
    """Assert what holds for every verdict: it cites a rule of its version that decides so, and it prints."""
    assert type(verdict.allowed) is bool
    assert verdict.number is not None
    if verdict.rule.decision is not Decision.EITHER:
        assert verdict.allowed is (verdict.rule.decision is Decision.ALLOW)
    cited = f"{verdict.room_version.label} rule {verdict.number} ({verdict.rule.name}): "
    assert str(verdict).startswith(cited)
    json.dumps(verdict.to_dict(), allow_nan=False)


# Compared with the transcription


def judged(case: Case, *, by_state: bool) -> tuple[str, str] | str:
    """Return the library's answer: the decision and the rule's number, or the name of the error."""
    try:
        if by_state:
            verdict = check_against_state(case.event, case.state)
        else:
            verdict = check_auth(case.event, None, case.events, rejected=case.rejected)
    except RoomverError as error:
        return type(error).__name__
    holds_together(verdict)
    return ("allow" if verdict.allowed else "reject"), str(verdict.number)


def truly_judged(case: Case, *, by_state: bool) -> tuple[str, str] | str:
    """Return the same by the transcription of the specification."""
    event = case.event
    version = number_of(case.version)
    unstable = case.version if case.version in UNSTABLE_VERSIONS else ""
    if by_state:
        if not case.of_this_room and CREATE in case.state:
            return "WrongRoom"
        state = {key: (e.event_id, e.pdu) for key, e in case.state.items()}
        given_ = reference.Given(version, event.event_id, event.pdu, state=state, unstable=unstable)
        return reference.check_against_state(given_)
    wanted = list(event.auth_event_ids)
    if version == 12 and event.type != "m.room.create":
        wanted.append("$" + event.room_id[1:])
    if any(event_id not in case.events for event_id in wanted):
        return "MissingEvents"
    found = [(event_id, case.events[event_id]) for event_id in wanted]
    known = [(event_id, e.pdu) for event_id, e in found]
    own = known[: len(event.auth_event_ids)]
    state = {(e.type, e.state_key): (i, e.pdu) for i, e in found if e.state_key is not None}
    given_ = reference.Given(
        version, event.event_id, event.pdu, own, state, known[-1] if known else None, case.rejected, unstable
    )
    return reference.check_auth(given_)


@pytest.mark.parametrize("version", [*VERSIONS, *UNSTABLE_VERSIONS])
def test_the_verdict_and_its_rule_are_those_of_the_specification(version: str) -> None:
    # Cases by seed are cheap, and easy to run again.
    for number in range(400):
        case = random_case(Random(f"reference/{version}/{number}"), version)
        for by_state in (False, True):
            ours = judged(case, by_state=by_state)
            truth = truly_judged(case, by_state=by_state)
            assert ours == truth, f"case {version}/{number}: {case.event.pdu}"


@given(versions, randoms)
def test_the_verdict_and_its_rule_are_those_of_the_specification_whatever_is_drawn(
    version: str, rng: Random
) -> None:
    case = random_case(rng, version)
    assert judged(case, by_state=False) == truly_judged(case, by_state=False)
    if case.of_this_room:
        assert judged(case, by_state=True) == truly_judged(case, by_state=True)


# Compared with the ways that state resolution takes


def checked_in_turn(rng: Random, case: Case, turns: int) -> None:
    """Check events of a room against a state that changes, by the rules and by a `Checker` that is kept."""
    state: State = {}
    checker = Checker(state)
    events = [case.event, *case.events.values(), *case.state.values()]
    entries = [(key, event) for key, event in case.state.items()]
    entries += [((e.type, e.state_key), e) for e in events if e.state_key is not None]
    state.update(entry for entry in entries if rng.randrange(4))
    for _ in range(turns):
        key, event = rng.choice(entries)
        if rng.randrange(3):
            state[key] = event
        else:
            state.pop(key, None)
        one = rng.choice(events)
        try:
            expected: Any = check_against_state(one, state).allowed
        except RoomverError as error:
            expected = repr(error)
        try:
            answer: Any = checker.allows(one)
        except RoomverError as error:
            answer = repr(error)
        assert answer == expected


@pytest.mark.parametrize("version", [*VERSIONS, *UNSTABLE_VERSIONS])
def test_a_checker_allows_what_the_rules_allow_while_its_state_changes(version: str) -> None:
    for number in range(60):
        rng = Random(f"checker/{version}/{number}")
        checked_in_turn(rng, random_case(rng, version), 20)


@hostile
@given(seeds)
def test_a_checker_allows_what_the_rules_allow_with_any_json_as_content(seed: int) -> None:
    rng = Random(seed)
    checked_in_turn(rng, hostile_case(rng), 20)


@hostile
@given(seeds)
def test_an_event_that_selects_only_its_sender_selects_no_other_key(seed: int) -> None:
    rng = Random(seed)
    case = hostile_case(rng) if rng.randrange(2) else random_case(rng, rng.choice(VERSIONS))
    for event in (case.event, *case.events.values()):
        selected = select_auth_types(event)
        assert set(list_auth_types(event)) == selected
        if selects_only_sender(event):
            assert selected <= {*SHARED_KEYS, ("m.room.member", event.sender)}


# What is read, and what is not changed


class Recording(Mapping[Any, Any]):
    """A mapping that only allows look-ups, and records their keys."""

    def __init__(self, content: Mapping[Any, Any]) -> None:
        self.content = content
        self.asked: set[Any] = set()

    def __getitem__(self, key: Any) -> Any:
        self.asked.add(key)
        return self.content[key]

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("walked")

    def __len__(self) -> int:
        raise AssertionError("measured")


def _cases(name: str, version: str, number: int) -> Iterator[Case]:
    for n in range(number):
        yield random_case(Random(f"{name}/{version}/{n}"), version)


def _against_state(case: Case, state: Mapping[Any, Event]) -> Any:
    try:
        return check_against_state(case.event, state)
    except RoomverError as error:
        return error


@pytest.mark.parametrize("version", VERSIONS)
def test_only_the_keys_of_the_selection_and_the_create_event_are_read(version: str) -> None:
    for case in _cases("read", version, 100):
        state = Recording(case.state)
        answer = _against_state(case, state)
        assert state.asked <= select_auth_types(case.event) | {CREATE}
        # A state of these keys alone gives the same answer, and so does a larger one.
        fewer = {key: case.state[key] for key in state.asked if key in case.state}
        assert _against_state(case, fewer) == answer
        more: State = {("m.other", str(n)): event for n, event in enumerate(case.state.values())}
        assert _against_state(case, {**more, **case.state}) == answer


@pytest.mark.parametrize("version", VERSIONS)
def test_adding_unrelated_state_never_changes_a_verdict(version: str) -> None:
    for case in _cases("unrelated", version, 100):
        room = Room(version, signed=False)
        unrelated = {
            ("m.room.member", "@zoe:z.example"): room.make_member("@zoe:z.example", "ban"),
            ("m.room.power_levels", "x"): room.make_power({"users_default": 100}, state_key="x"),
            ("m.room.create", "x"): room.make("m.room.create", BOB, {}, state_key="x"),
            ("m.room.join_rules", "x"): room.make("m.room.join_rules", BOB, {}, state_key="x"),
            ("m.room.server_acl", ""): room.make("m.room.server_acl", BOB, {}, state_key=""),
        }
        assert _against_state(case, {**unrelated, **case.state}) == _against_state(case, case.state)


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_that_is_passed_in_is_changed(version: str) -> None:
    for case in _cases("unchanged", version, 60):
        everything = [case.event, *case.events.values(), *case.state.values()]
        before = copy.deepcopy([event.pdu for event in everything])
        state, events = dict(case.state), dict(case.events)
        for by_state in (False, True):
            judged(case, by_state=by_state)
        assert [event.pdu for event in everything] == before
        assert (case.state, case.events) == (state, events)


def _reordered(value: Any) -> Any:
    """Return the same JSON value with the keys of every object in reverse order."""
    if isinstance(value, dict):
        return {key: _reordered(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return [_reordered(item) for item in value]
    return value


def _again(event: Event) -> Event:
    return parse_event(_reordered(event.pdu), event.room_version)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_answer_does_not_depend_on_the_order_of_any_mapping(version: str) -> None:
    for case in _cases("order", version, 60):
        events = {i: _again(case.events[i]) for i in reversed(list(case.events))}
        state = {key: _again(case.state[key]) for key in reversed(list(case.state))}
        other = Case(version, _again(case.event), events, case.rejected, state, case.of_this_room)
        for by_state in (False, True):
            assert judged(other, by_state=by_state) == judged(case, by_state=by_state)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_second_answer_is_the_first_one(version: str) -> None:
    # Levels are cached with their event. The cache must not depend on what was checked first.
    for case in _cases("again", version, 60):
        first = [judged(case, by_state=by_state) for by_state in (False, True)]
        assert [judged(case, by_state=by_state) for by_state in (False, True)] == first
        fresh = {key: parse_event(e.pdu, e.room_version) for key, e in case.state.items()}
        assert _against_state(case, fresh) == _against_state(case, case.state)


@pytest.mark.parametrize("version", VERSIONS)
def test_check_auth_is_the_state_independent_rules_and_then_those_on_the_state(version: str) -> None:
    for case in _cases("halves", version, 100):
        event = case.event
        first: Verdict | RoomverError | None
        try:
            first = check_state_independent(event, case.events, rejected=case.rejected)
        except RoomverError as error:
            first = error
        if isinstance(first, RoomverError):
            with pytest.raises(type(first)) as caught:
                check_auth(event, case.state, case.events, rejected=case.rejected)
            assert caught.value == first
        elif case.of_this_room:
            whole = check_auth(event, case.state, case.events, rejected=case.rejected)
            assert whole == (first if first is not None else check_against_state(event, case.state))


@settings(max_examples=50)
@given(randoms)
def test_a_lower_level_never_allows_more(rng: Random) -> None:
    version = rng.choice(VERSIONS)
    room = Room(version, signed=False)
    room.join(ALICE)
    room.take(room.make_member(BOB, "join", auth=[]))
    levels = [rng.choice([0, 25, 50, 75, 100]) for _ in range(4)]
    content = {"ban": levels[0], "kick": levels[1], "invite": levels[2], "state_default": levels[3]}
    events = [
        room.make_member(CAROL, "ban", by=BOB, auth=[]),
        room.make_member(CAROL, "leave", by=BOB, auth=[]),
        room.make_member(CAROL, "invite", by=BOB, auth=[]),
        room.make("m.room.topic", BOB, state_key="", auth=[]),
    ]
    passed = []
    for level in (0, 24, 25, 49, 50, 74, 75, 99, 100):
        room.power({**content, "users": {BOB: level}}, auth=[])
        passed.append([room.against_state(event).allowed for event in events])
    for earlier, later in pairwise(passed):
        assert all(b or not a for a, b in zip(earlier, later, strict=True))
