"""The vectors of what a server does on receipt of events, compared with what the reference says.

Nothing of the library decides here: the rules are those of `reference.auth`, the resolution is that of
`reference.resolution`, hashes, redaction and the signatures of policy servers are those of the reference too.
The library only parses events.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey
from reference import auth, hashing, policy, redaction, replay, resolution

from roomver import Event, get_room_version, parse_event
from roomver.readers.suite import load_cases
from roomver.suite.document import Case, run_case
from roomver.suite.operations import run_operation
from roomver.versions import ROOM_VERSIONS

SUITE = Path(__file__).parents[1] / "vectors"

Pdu = dict[str, Any]
Key = tuple[str, str]
State = Mapping[Key, tuple[str, Pdu]]


@cache
def cases(operation: str) -> tuple[Case, ...]:
    return tuple(case for case in load_cases([SUITE / "receipt"]) if case.operation == operation)


def named(operation: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases(operation), ids=lambda case: case.name)


def key_of(pdu: Pdu) -> Key:
    return pdu["type"], pdu["state_key"]


def auth_ids(pdu: Pdu, version: str) -> list[str]:
    cited: list[Any] = pdu["auth_events"]
    return [one[0] for one in cited] if int(version) <= 2 else cited


def judge(  # noqa: PLR0913 - one by keyword
    pdu: Pdu,
    event_id: str,
    version: str,
    events: Mapping[str, Pdu],
    state: State,
    rejected: frozenset[str] = frozenset(),
    *,
    by_state_alone: bool = False,
) -> bool:
    """Tell whether the reference's rules allow an event in a state."""
    named = None
    if int(version) >= 12 and "room_id" in pdu:
        create = "$" + pdu["room_id"][1:]
        named = (create, events[create]) if create in events else None
    given = auth.Given(
        version=int(version),
        event_id=event_id,
        event=pdu,
        auth_events=[(one, events[one]) for one in auth_ids(pdu, version)],
        state=state,
        named_create=named,
        rejected=rejected,
    )
    return (auth.check_against_state if by_state_alone else auth.check_auth)(given)[0] == auth.ALLOW


# auth_partial_state


def fillings(key: Key, events: Mapping[str, Pdu], room: Pdu) -> Iterator[Pdu | None]:
    """Yield what may stand at an unknown key of a state: nothing, an event of the case, a made-up event."""
    yield None
    yield from (pdu for pdu in events.values() if "state_key" in pdu and key_of(pdu) == key)
    kind, state_key = key
    made: list[Pdu] = []
    if kind == "m.room.member":
        made = [{"membership": one} for one in ("join", "leave", "ban", "invite")]
    elif kind == "m.room.power_levels":
        made = [{"events_default": 90, "state_default": 90, "invite": 90}, {"users_default": 60}]
    elif kind == "m.room.join_rules":
        made = [{"join_rule": one} for one in ("public", "invite", "knock")]
    yield from (
        {"type": kind, "state_key": state_key, "sender": room["sender"], "content": one} for one in made
    )


def states(case: Case) -> Iterator[State]:
    """Yield states that a state of a case may be, with every combination of unknown entries that matter."""
    given: Any = case.input
    events, judged = given["events"], given["events"][given["event"]]
    known = {key_of(events[one]): (one, events[one]) for one in given["state"]}
    # What the rules may read; in version 12 also the create event, which every case lists.
    wanted: list[Key] = [(kind, key) for kind, key in auth.selected(judged, int(case.room_version))]
    unknown = [
        key
        for key in dict.fromkeys(wanted)
        if key not in known
        and any(kind in (None, key[0]) and name in (None, key[1]) for kind, name in given["unknown"])
    ]
    create = next(pdu for pdu in events.values() if pdu["type"] == "m.room.create")
    for chosen in product(*(list(fillings(key, events, create)) for key in unknown)):
        filled = {
            key: (f"$made{number}", pdu)
            for number, (key, pdu) in enumerate(zip(unknown, chosen, strict=True))
            if pdu is not None
        }
        yield {**known, **filled}


@named("auth_partial_state")
def test_unknown_entries_decide_nothing_and_known_ones_decide(case: Case) -> None:
    given: Any = case.input
    (expectation,) = case.expected
    event = given["events"][given["event"]]
    answers = {judge(event, given["event"], case.room_version, given["events"], one) for one in states(case)}
    if "undecided" in expectation.outcome:
        assert answers == {True, False}
    else:
        assert answers == {expectation.outcome["allowed"]}


# policy


@named("policy")
def test_the_policy_server_is_as_the_reference_says(case: Case) -> None:
    given: Any = case.input
    (expectation,) = case.expected
    state = [given["events"][one] for one in given["state"]]
    assert len({key_of(pdu) for pdu in state}) == len(state)
    passes = policy.passes(given["events"][given["event"]], state, case.room_version)
    assert {"passes": passes} == expectation.outcome


def test_the_cases_on_policy_servers_give_both_answers_for_each_reason() -> None:
    reasons = {"enabled": 0, "disabled": 0, "exempt": 0, "refused": 0}
    for case in cases("policy"):
        given: Any = case.input
        event, state = given["events"][given["event"]], [given["events"][one] for one in given["state"]]
        passes = case.expected[0].outcome["passes"]
        if not policy.is_enabled(state):
            reasons["disabled"] += 1
        elif not passes:
            reasons["refused"] += 1
        else:
            reasons["exempt" if event["type"] == "m.room.policy" else "enabled"] += 1
    assert min(reasons.values()) >= 12, reasons


# receive


@dataclass
class Answer:
    """A verdict of the reference, as `reference.replay` and `reference.resolution` read it."""

    allowed: bool


@pytest.fixture
def without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reference decide where `reference.replay` and `reference.resolution` call the library."""

    def by_state(event: Event, state: Mapping[Key, Event]) -> Answer:
        pdus = {key: (one.event_id, dict(one.pdu)) for key, one in state.items()}
        version = event.room_version.identifier
        # The rules on the state do not read the auth events.
        return Answer(
            judge(
                {**event.pdu, "auth_events": []},
                event.event_id,
                version,
                dict(pdus.values()),
                pdus,
                by_state_alone=True,
            )
        )

    def by_auth_events(event: Event, _: None, events: Mapping[str, Event], rejected: Any) -> Answer:
        known = {event_id: dict(one.pdu) for event_id, one in events.items()}
        version = event.room_version.identifier
        cited = auth_ids(dict(event.pdu), version)
        state = {key_of(known[one]): (one, known[one]) for one in cited if "state_key" in known[one]}
        if version == "12" and event.type != "m.room.create":
            create = "$" + str(event.room_id)[1:]
            state["m.room.create", ""] = (create, known[create])
        return Answer(judge(dict(event.pdu), event.event_id, version, known, state, frozenset(rejected)))

    def refusal(event: Event, state: Mapping[Key, Event]) -> str | None:
        version = event.room_version.identifier
        pdus = [dict(one.pdu) for one in state.values()]
        return None if policy.passes(dict(event.pdu), pdus, version) else "not signed"

    def selected(event: Event) -> set[Key]:
        return {
            (kind, key) for kind, key in auth.selected(dict(event.pdu), int(event.room_version.identifier))
        }

    monkeypatch.setattr(replay, "check_auth", by_auth_events)
    monkeypatch.setattr(replay, "check_against_state", by_state)
    monkeypatch.setattr(replay, "check_policy", refusal)
    monkeypatch.setattr(resolution, "check_against_state", by_state)
    monkeypatch.setattr(resolution, "select_auth_types", selected)


def arrived(event_id: str, pdu: Pdu, version: str, keys: Any) -> Pdu | None:
    """Apply checks 1 to 3: return the event to use, or None if it is dropped."""
    if hashing.event_id(pdu, version) != event_id:
        return None
    if keys is not None:
        server = auth.domain(pdu["sender"])
        (found,) = pdu["signatures"][server].items()
        key, signature = (auth.decode_base64(one) for one in (keys[server][found[0]]["key"], found[1]))
        assert key is not None
        assert signature is not None
        try:
            VerifyKey(key).verify(hashing.signed_bytes(pdu, version), signature)
        except CryptoError:
            return None
    return pdu if hashing.content_hash(pdu) == pdu["hashes"]["sha256"] else redaction.redact(pdu, version)


def received(case: Case, state: Mapping[Key, str], made: Mapping[str, Pdu]) -> dict[str, Any]:
    """Receive the events of a case, with a state that is given before the one event that has one."""
    given: Any = case.input
    version = get_room_version(case.room_version)
    pdus = {**given["events"], **made}
    used = {one: arrived(one, pdus[one], case.room_version, given.get("keys")) for one in given["order"]}
    events = {
        one: parse_event(pdu, version, event_id=one)
        for one, pdu in {**pdus, **used}.items()
        if pdu is not None
    }
    room = replay.Replayed(events, given=dict.fromkeys(given.get("given", {}), state))
    outcomes = {}
    for one in given["order"]:
        if used[one] is None:
            outcomes[one] = "dropped"
            continue
        room.receive(events[one])
        outcomes[one] = (
            "rejected" if one in room.rejected else "soft-failed" if one in room.soft_failed else "accepted"
        )
    return {
        "outcomes": outcomes,
        "state": room.current_state(),
        "forward_extremities": sorted(room.extremities),
    }


def given_states(case: Case) -> Iterator[tuple[Mapping[Key, str], Mapping[str, Pdu]]]:
    """Yield what the given state of a case may be, with made-up events in it; once if nothing is given."""
    given: Any = case.input
    (one,) = given.get("given", {"": {"state": []}}).values()
    events = given["events"]
    known = {key_of(events[event_id]): event_id for event_id in one["state"]}
    if "unknown" not in one:
        yield known, {}
        return
    assert one["unknown"] == [["m.room.member", None]]
    create = next(pdu for pdu in events.values() if pdu["type"] == "m.room.create")
    held = {event_id: pdu for event_id, pdu in events.items() if event_id not in given["order"]}
    users = sorted({pdu["state_key"] for pdu in held.values() if pdu["type"] == "m.room.member"})
    choices: list[list[tuple[Key, str, Pdu] | None]] = []
    for user in users:
        key = ("m.room.member", user)
        if key in known:
            continue
        ban: Pdu = {
            **next(pdu for pdu in held.values() if pdu["type"] == "m.room.member"),
            **{"state_key": user, "sender": create["sender"], "content": {"membership": "ban"}},
        }
        ban_id = f"$ban-{user[1:].partition(':')[0]}:a.example.org" if int(case.room_version) <= 2 else ""
        if ban_id:
            ban["event_id"] = ban_id
        mine = [(key, i, pdu) for i, pdu in held.items() if "state_key" in pdu and key_of(pdu) == key]
        choices.append([None, *mine, (key, ban_id or hashing.event_id(ban, case.room_version), ban)])
    for chosen in product(*choices):
        filled = [entry for entry in chosen if entry is not None]
        yield (
            {**known, **{key: event_id for key, event_id, _ in filled}},
            {event_id: pdu for _, event_id, pdu in filled},
        )


def cites(case: Case, event_id: str, among: set[str]) -> bool:
    """Tell whether an event cites one of some events."""
    pdu: Any = case.input["events"][event_id]  # type: ignore[index, call-overload]
    cited: Sequence[Any] = [*pdu["prev_events"], *pdu["auth_events"]]
    return bool(among & {one[0] if isinstance(one, list) else one for one in cited})


@pytest.mark.usefixtures("without_the_library")
@named("receive")
def test_the_reference_receives_the_events_as_expected(case: Case) -> None:
    (expectation,) = case.expected
    expected: Any = expectation.outcome
    found = [received(case, state, made) for state, made in given_states(case)]
    undecided: set[str] = set()
    order: Any = case.input["order"]
    assert set(order) == expected["outcomes"].keys()
    for event_id in order:
        outcome = expected["outcomes"][event_id]
        answers = {one["outcomes"][event_id] for one in found}
        if outcome == "undecided":
            assert len(answers) > 1 or cites(case, event_id, undecided), event_id
            undecided.add(event_id)
        else:
            assert answers == {outcome}, event_id
    # What every possible state has is known.
    shared = set.intersection(*({*one["state"].values()} for one in found))
    if not undecided:
        assert sorted(shared) == expected["state"]
        if "forward_extremities" in expected:
            assert [one["forward_extremities"] for one in found] == [expected["forward_extremities"]]
    assert set(expected["state"]) <= shared


def test_every_outcome_occurs_in_every_version_that_can_have_it() -> None:
    seen: dict[str, set[str]] = {}
    for case in cases("receive"):
        outcomes: Any = case.expected[0].outcome["outcomes"]
        for outcome in outcomes.values():
            seen.setdefault(outcome, set()).add(case.room_version)
    assert seen["accepted"] == seen["soft-failed"] == set(ROOM_VERSIONS)
    assert {"rejected", "dropped", "undecided"} <= seen.keys()


def test_the_events_of_a_case_arrive_after_those_that_they_cite() -> None:
    for case in cases("receive"):
        given: Any = case.input
        held = given["events"].keys() - set(given["order"])
        seen = set(held)
        for event_id in given["order"]:
            pdu = given["events"][event_id]
            cited = [*auth_ids(pdu, case.room_version)]
            if event_id not in given.get("given", {}):
                cited += [one[0] if isinstance(one, list) else one for one in pdu["prev_events"]]
            assert set(cited) <= seen, case.name
            seen.add(event_id)


@pytest.mark.parametrize("operation", ["receive", "policy", "auth_partial_state"])
def test_the_library_gives_what_is_expected(operation: str) -> None:
    results = [run_case(case) for case in cases(operation)]
    assert [(one.case.name, one.got, one.reason) for one in results if one.outcome.value != "passed"] == []
    assert {one.case.room_version for one in results} == set(ROOM_VERSIONS)


def test_a_state_is_given_only_before_an_event_that_arrives() -> None:
    case = next(one for one in load_cases([SUITE / "receipt"]) if "given" in one.input)
    given: Any = case.input["given"]
    (state,) = given.values()
    wrong = {**case.input, "given": {"$unknown": state}}
    output = run_operation(case.operation, case.room_version, wrong)
    assert output["error"] == "bad_vectors"
    assert "not in order" in str(output["message"])
