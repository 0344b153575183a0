"""The reference as an implementation of the suite: what it answers to a case.

It does not answer every case. Left out are cases that expect an error, since the reference does not say which
input is wrong; and operations that no sentence of `sentences` is about.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from roomver import Event, get_room_version, parse_event
from roomver.errors import RoomverError
from roomver.readers.suite import load_cases
from roomver.suite.document import Case

from . import ROOT

Modules = Mapping[str, ModuleType]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """A case, read for the reference.

    Attributes:
        answer: takes the modules of the reference, and returns what they answer.
        expected: the outcome that the suite expects of roomver; of a disputed case, the first.
    """

    name: str
    operation: str
    version: str
    disputed: bool
    answer: Callable[[Modules], Answer]
    expected: Answer


@cache
def prepared_cases() -> tuple[Prepared, ...]:
    """Return the cases that the reference answers, in the order of the suite."""
    found = []
    for case in load_cases([ROOT / "vectors"]):
        expected: Any = case.expected[0].outcome
        make = _ANSWERS.get(case.operation)
        answer = None if make is None or "error" in expected else make(case)
        if answer is not None:
            found.append(
                Prepared(case.name, case.operation, case.room_version, case.disputed, answer, expected)
            )
    return tuple(found)


def agrees(case: Prepared, answer: Answer) -> bool:
    """Tell whether an answer is what a case expects, in all that the reference answers."""
    expected = case.expected
    if case.operation == "check":  # the reference does not say which rule rejects
        expected = {**expected, "rejected": sorted(expected["rejected"])}
    return all(answer[key] == expected[key] for key in answer if key in expected)


_Make = Callable[[Case], Callable[[Modules], Answer] | None]


def _event_format(case: Case) -> Callable[[Modules], Answer]:
    event, version = case.input["event"], case.room_version
    return lambda m: {"valid": m["event_format"].is_valid(event, version)}


def _redact(case: Case) -> Callable[[Modules], Answer]:
    event, version = case.input["event"], case.room_version
    return lambda m: {"event": m["redaction"].redact(event, version)}


def _content_hash(case: Case) -> Callable[[Modules], Answer]:
    event = case.input["event"]
    return lambda m: {"sha256": m["hashing"].content_hash(event)}


def _event_id(case: Case) -> Callable[[Modules], Answer]:
    event, version = case.input["event"], case.room_version
    return lambda m: {"event_id": m["hashing"].event_id(event, version)}


def _required_signers(case: Case) -> Callable[[Modules], Answer]:
    event, version = case.input["event"], case.room_version
    return lambda m: {"servers": m["signatures"].required_signers(event, version)}


def _verify_signatures(case: Case) -> Callable[[Modules], Answer]:
    event, keys, version = case.input["event"], case.input["keys"], case.room_version
    return lambda m: {"valid": m["signatures"].is_signed(event, version, keys)}


def _auth_types(case: Case) -> Callable[[Modules], Answer]:
    event, version = case.input["event"], int(case.room_version)
    return lambda m: {"keys": [list(key) for key in sorted(set(m["auth"].selected(event, version)))]}


def _auth(case: Case) -> Callable[[Modules], Answer] | None:
    version = int(case.room_version)
    given: Any = case.input
    events = given["events"]
    event_id = given["event"]
    event = events[event_id]
    if not isinstance(event["content"], dict) or case.name.endswith("float_malformed"):
        return None  # it is malformed
    cited = [one[0] if version <= 2 else one for one in event["auth_events"]]
    wanted = [*cited, *(["$" + event["room_id"][1:]] if version >= 12 and "room_id" in event else [])]
    if any(one not in events for one in wanted):
        return None
    known = [(one, events[one]) for one in wanted]
    ids = given.get("state")
    pairs = known if ids is None else [(one, events[one]) for one in ids]
    state = {(pdu["type"], pdu["state_key"]): (one, pdu) for one, pdu in pairs if "state_key" in pdu}
    rejected = frozenset(given.get("rejected", []))
    named = known[-1] if known else None

    def answer(m: Modules) -> Answer:
        auth = m["auth"]
        asked = auth.Given(version, event_id, event, known[: len(cited)], state, named, rejected)
        decided = auth.evaluate(auth.Rules(asked).all_rules())
        return {"allowed": decided is not None and decided[0] == auth.ALLOW}

    return answer


def _redaction_applies(case: Case) -> Callable[[Modules], Answer]:
    version = int(case.room_version)
    given: Any = case.input
    events = given["events"]
    state = {(events[one]["type"], events[one]["state_key"]): (one, events[one]) for one in given["state"]}
    redaction, target = given["redaction"], given["target"]

    def answer(m: Modules) -> Answer:
        asked = m["auth"].Given(version, redaction, events[redaction], [], state)
        return {"applies": m["handling"].applies(asked, (target, events[target]))}

    return answer


def _resolve(case: Case) -> Callable[[Modules], Answer] | None:
    given: Any = case.input
    record = get_room_version(case.room_version)
    try:
        events = {i: parse_event(pdu, record, event_id=i) for i, pdu in given["events"].items()}
    except RoomverError:
        return None
    states = [{_key(events[one]): one for one in ids} for ids in given["state_sets"]]
    rejected = frozenset(given.get("rejected", []))
    version = case.room_version
    if not states:
        return lambda m: {"state": []}

    def answer(m: Modules) -> Answer:
        resolution = m["resolution"]
        if version == "1":
            return {"state": sorted(resolution.resolve_v1(states, events).values())}
        found = resolution.Resolution(states, events, v2_1=version == "12", rejected=rejected)
        return {
            "state": sorted(found.state.values()),
            "conflicted": sorted(found.conflicted),
            "auth_difference": sorted(found.auth_difference),
            "conflicted_subgraph": sorted(found.subgraph),
            "full_conflicted": sorted(found.full_conflicted_set),
            "power_order": found.power_order,
            "mainline_order": found.mainline_order,
            "partial_state": sorted(found.partial_state.values()),
        }

    return answer


def _key(event: Event) -> tuple[str, str]:
    assert event.state_key is not None
    return event.type, event.state_key


def _check(case: Case) -> Callable[[Modules], Answer]:
    given: Any = case.input
    version, keys = case.room_version, given.get("keys")

    def answer(m: Modules) -> Answer:
        pdus: dict[str, Any] = {}
        dropped = []
        for event_id, pdu in given["events"].items():
            is_event = m["event_format"].is_valid(pdu, version)
            if not is_event or (keys is not None and not m["signatures"].is_signed(pdu, version, keys)):
                dropped.append(event_id)
            elif pdu["hashes"]["sha256"] != m["hashing"].content_hash(pdu):
                pdus[event_id] = m["redaction"].redact(pdu, version)
            else:
                pdus[event_id] = pdu
        events = {event_id: parse_event(pdu, version) for event_id, pdu in pdus.items()}
        replayed = m["replay"].Replayed(events, soft_failure=False)
        waiting = dict(events)
        while waiting:
            ready = [
                event
                for event in waiting.values()
                if not waiting.keys() & {*event.prev_event_ids, *event.auth_event_ids}
            ]
            for event in ready:
                replayed.receive(event)
                del waiting[event.event_id]
            assert ready
        return {
            "rejected": sorted([*dropped, *replayed.rejected]),
            "state": sorted(replayed.current_state().values()),
        }

    return answer


_ANSWERS: Mapping[str, _Make] = {
    "event_format": _event_format,
    "redact": _redact,
    "content_hash": _content_hash,
    "event_id": _event_id,
    "required_signers": _required_signers,
    "verify_signatures": _verify_signatures,
    "auth_types": _auth_types,
    "auth": _auth,
    "redaction_applies": _redaction_applies,
    "resolve": _resolve,
    "check": _check,
}
