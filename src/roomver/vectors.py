"""Test vectors: read a document of them, run its cases in process, compare what came.

A document comes in as data and results go out as data: files, processes and output are for the command
line. What a case means stands in ``vectors/FORMAT.md``, which is written for implementers in any
language; this module is the one place that knows it in Python. A new operation is one line in
`OPERATIONS`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from .auth import check_auth, redaction_applies
from .canonical import canonical_json, join_path, parse_json, shorten
from .errors import MissingEvents, RoomverError
from .event import Event, find_defects, parse_event
from .hashing import content_hash, event_id
from .keys import key_table
from .redaction import redact
from .selection import auth_types
from .signing import required_signers, sign_event, sign_json, signing_key, verify_signatures
from .types import EventId, JsonObject, JsonValue, StateKey
from .versions import ROOM_VERSIONS, EventIdForm, RoomVersion, room_version

FORMAT: Final = "roomver-vectors/1"
"""The value of ``format`` in a document that this module reads."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CASE_KEYS = frozenset({"name", "operation", "room_version", "input", "expected", "spec", "rule", "notes"})


class BadVectors(RoomverError):
    """A vector document that is none, or a case in it that cannot be run.

    Attributes:
        where: the case's name or place, and the path inside it.
        reason: what is wrong there.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(where, reason)

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


@dataclass(frozen=True, slots=True)
class Acceptable:
    """One outcome that a case accepts.

    Attributes:
        outcome: the keys that the output must have, with these values.
        reason: who gives this outcome and on what reading; only where a case accepts several.
    """

    outcome: JsonObject
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One test vector.

    Attributes:
        expected: what is accepted, this package's own choice first. More than one only where honest
            readings of the specification differ.
    """

    name: str
    operation: str
    room_version: str
    input: JsonObject = field(repr=False)
    expected: tuple[Acceptable, ...] = field(repr=False)
    spec: str = ""
    rule: str = ""
    notes: str = ""

    @property
    def disputed(self) -> bool:
        """More than one outcome is accepted."""
        return len(self.expected) > 1


class Outcome(Enum):
    """What became of a case."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case and what became of it.

    Attributes:
        got: the output; None where there was none to compare.
        reason: why there was none.
        accepted: the index of the expected outcome that came, if one did.
    """

    case: Case
    outcome: Outcome
    got: JsonObject | None = None
    reason: str = ""
    accepted: int | None = None


# The operations


def _canonical_json(given: JsonObject, version: RoomVersion) -> JsonObject:
    strict = version.strict_canonical_json
    value = parse_json(_text(given, "json"), strict=strict)
    return {"canonical": canonical_json(value, strict=strict).decode()}


def _event_format(given: JsonObject, version: RoomVersion) -> JsonObject:
    defects = find_defects(given["event"], version)
    return {"valid": not defects, "defects": [str(defect) for defect in defects]}


def _content_hash(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"sha256": content_hash(_object(given, "event"), version)}


def _event_id(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"event_id": event_id(_object(given, "event"), version)}


def _redact(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"event": redact(_object(given, "event"), version)}


def _required_signers(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"servers": list(required_signers(_object(given, "event"), version))}


def _verify_signatures(given: JsonObject, version: RoomVersion) -> JsonObject:
    report = verify_signatures(_object(given, "event"), key_table(given["keys"]), version)
    return {"valid": report.valid, "detail": str(report)}


def _sign_json(given: JsonObject, version: RoomVersion) -> JsonObject:
    key = signing_key(_text(given, "key_id"), _text(given, "seed"))
    strict = version.strict_canonical_json
    return {"object": sign_json(_object(given, "object"), _text(given, "server"), key, strict=strict)}


def _sign_event(given: JsonObject, version: RoomVersion) -> JsonObject:
    key = signing_key(_text(given, "key_id"), _text(given, "seed"))
    return {"event": sign_event(_object(given, "event"), version, _text(given, "server"), key)}


def _auth_types(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"keys": [list(key) for key in sorted(auth_types(parse_event(_object(given, "event"), version)))]}


def _auth(given: JsonObject, version: RoomVersion) -> JsonObject:
    judged = _text(given, "event")
    pdu = _object(given, "events").get(judged)
    if pdu is None:
        raise MissingEvents([judged])
    defects = find_defects(pdu, version)
    if defects:  # it was dropped before any rule: not allowed. (A malformed event beside it is an error.)
        return {"allowed": False, "malformed": [str(defect) for defect in defects]}
    events = _events(given, version)
    state = _state(given, events) if "state" in given else None
    rejected = frozenset(_ids(given, "rejected")) if "rejected" in given else frozenset()
    verdict = check_auth(events[judged], state, events, rejected=rejected)
    return {"allowed": verdict.allowed, "rule": verdict.number, "detail": str(verdict)}


def _redaction_applies(given: JsonObject, version: RoomVersion) -> JsonObject:
    events = _events(given, version)
    redaction, target = _event(given, "redaction", events), _event(given, "target", events)
    decision = redaction_applies(redaction, target, _state(given, events))
    return {"applies": decision.applies, "detail": decision.reason}


def _events(given: JsonObject, version: RoomVersion) -> dict[EventId, Event]:
    """The events of a case under the IDs that it gives them, which are believed from version 3 on."""
    events = {}
    for key, pdu in _object(given, "events").items():
        if type(pdu) is not dict:
            raise BadVectors(join_path("input.events", key), f"must be an object, is {shorten(pdu)}")
        event = parse_event(pdu, version, event_id=key)
        if version.event_id_form is EventIdForm.CHOSEN and event.event_id != key:
            raise BadVectors(join_path("input.events", key), "must have its own event_id as its key")
        events[key] = event
    return events


def _event(given: JsonObject, key: str, events: Mapping[EventId, Event]) -> Event:
    wanted = _text(given, key)
    if wanted not in events:
        raise MissingEvents([wanted])
    return events[wanted]


def _ids(given: JsonObject, key: str) -> list[EventId]:
    value = given[key]
    if type(value) is not list:
        raise BadVectors(f"input.{key}", f"must be an array of event IDs, is {shorten(value)}")
    ids = [item for item in value if type(item) is str]
    if len(ids) != len(value):
        raise BadVectors(f"input.{key}", "must be an array of event IDs")
    return ids


def _state(given: JsonObject, events: Mapping[EventId, Event]) -> dict[StateKey, Event]:
    """A state, which a case gives as a list of event IDs."""
    state: dict[StateKey, Event] = {}
    ids = _ids(given, "state")
    missing = [one for one in ids if one not in events]
    if missing:
        raise MissingEvents(missing)
    for one in ids:
        event = events[one]
        if event.state_key is None or (event.type, event.state_key) in state:
            why = "is no state event" if event.state_key is None else "is the second of its key"
            raise BadVectors("input.state", f"{shorten(one)} {why}")
        state[event.type, event.state_key] = event
    return state


def _text(given: JsonObject, key: str) -> str:
    value = given[key]
    if type(value) is not str:
        raise BadVectors(f"input.{key}", f"must be a string, is {shorten(value)}")
    return value


def _object(given: JsonObject, key: str) -> JsonObject:
    value = given[key]
    if type(value) is not dict:
        raise BadVectors(f"input.{key}", f"must be an object, is {shorten(value)}")
    return value


_Run: TypeAlias = Callable[[JsonObject, RoomVersion], JsonObject]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a case can ask for.

    Attributes:
        run: takes the input and the room version's record, and gives the output.
        needs: the keys that the input must have.
        answers: the keys that a case may expect of the output.
        may_have: the keys that the input may have besides.
    """

    run: _Run
    needs: frozenset[str]
    answers: frozenset[str]
    may_have: frozenset[str] = frozenset()


def _operation(run: _Run, needs: str, answers: str, may_have: str = "") -> Operation:
    return Operation(run, *(frozenset(keys.split()) for keys in (needs, answers, may_have)))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "canonical_json": _operation(_canonical_json, "json", "canonical"),
    "event_format": _operation(_event_format, "event", "valid"),
    "content_hash": _operation(_content_hash, "event", "sha256"),
    "event_id": _operation(_event_id, "event", "event_id"),
    "redact": _operation(_redact, "event", "event"),
    "required_signers": _operation(_required_signers, "event", "servers"),
    "verify_signatures": _operation(_verify_signatures, "event keys", "valid"),
    "sign_json": _operation(_sign_json, "object server key_id seed", "object"),
    "sign_event": _operation(_sign_event, "event server key_id seed", "event"),
    "auth_types": _operation(_auth_types, "event", "keys"),
    "auth": _operation(_auth, "events event", "allowed", "state rejected"),
    "redaction_applies": _operation(_redaction_applies, "events redaction target state", "applies"),
}
"""Every operation of the format that this package runs, by name."""


def error_code(error: RoomverError) -> str:
    """Return the code of an error, as a case may expect it: its class in ``snake_case``.

    >>> from roomver.errors import NotCanonical
    >>> error_code(NotCanonical("a", "a float"))
    'not_canonical'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()


def run_operation(operation: str, version: str, given: JsonObject) -> JsonObject:
    """Run one operation of the format, and return its output.

    Args:
        operation: its name.
        version: the identifier of the room version.
        given: the case's ``input``. It is not changed.

    Returns:
        The output; ``{"error": code, "message": text}`` where the operation fails, and also for an
        unknown room version or a malformed input; ``{"unsupported": True}`` for an operation that is
        not in `OPERATIONS`.

    >>> run_operation("canonical_json", "11", {"json": '{"b": 1, "a": 2}'})
    {'canonical': '{"a":2,"b":1}'}
    >>> run_operation("canonical_json", "11", {"json": "1.5"})["error"]
    'not_canonical'
    """
    known = OPERATIONS.get(operation)
    if known is None:
        return {"unsupported": True}
    try:
        _check_keys(given, known, "input")
        return known.run(given, room_version(version))
    except RoomverError as error:
        return {"error": error_code(error), "message": str(error)}


def _check_keys(given: JsonObject, operation: Operation, where: str) -> None:
    missing = operation.needs - given.keys()
    if missing:
        raise BadVectors(where, f"lacks {', '.join(sorted(missing))}")
    unknown = given.keys() - operation.needs - operation.may_have
    if unknown:
        raise BadVectors(where, f"has unknown {', '.join(sorted(unknown))}")


# Comparing


def same(one: JsonValue, other: JsonValue) -> bool:
    """Tell whether two JSON values are the same: ``1``, ``1.0`` and ``true`` are three.

    Cost: one visit to each value. Recursion is as deep as the value that is expected.
    """
    if type(one) is not type(other):
        return False
    if type(one) is dict and type(other) is dict:
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def meets(output: JsonObject, outcome: JsonObject) -> bool:
    """Tell whether an output is the outcome that a case expects.

    Keys that the outcome does not name are ignored, but an output that reports an error is never a
    success. An expected ``{"error": true}`` is met by any error.

    >>> meets({"valid": True, "detail": "…"}, {"valid": True})
    True
    >>> meets({"error": "not_canonical"}, {"error": True})
    True
    """
    if ("error" in output) is not ("error" in outcome):
        return False
    if outcome.get("error") is True:
        return True
    return all(key in output and same(output[key], value) for key, value in outcome.items())


def compare(case: Case, output: JsonObject) -> CaseResult:
    """Compare an implementation's output with what a case expects."""
    if output.get("unsupported") is True:
        return CaseResult(case, Outcome.UNSUPPORTED)
    for index, acceptable in enumerate(case.expected):
        if meets(output, acceptable.outcome):
            return CaseResult(case, Outcome.PASSED, output, accepted=index)
    return CaseResult(case, Outcome.FAILED, output)


def run_case(case: Case) -> CaseResult:
    """Run a case in process, and compare.

    Of a disputed case this package must give the first outcome, which is its own choice.
    """
    try:
        output = run_operation(case.operation, case.room_version, case.input)
    except Exception as error:  # a defect of this package: one failed case among the others, not the end
        return CaseResult(case, Outcome.FAILED, None, f"raised {type(error).__name__}: {error}")
    result = compare(case, output)
    if result.accepted:
        reason = "an accepted outcome, but not the one that this package has chosen"
        return CaseResult(case, Outcome.FAILED, result.got, reason, result.accepted)
    return result


# Reading


def is_vectors(document: JsonValue) -> bool:
    """Tell whether a JSON document means to be a vector document, whole or broken.

    Other JSON may lie in the same folder; what has one of a vector document's own keys is none of it.
    """
    return type(document) is dict and ("cases" in document or "format" in document)


def read_vectors(document: JsonValue) -> tuple[Case, ...]:
    """Read the cases of a vector document, in its order.

    Args:
        document: the parsed JSON.

    Raises:
        BadVectors: naming the first case and the path in it that is not as the format has it.

    >>> read_vectors({"format": "roomver-vectors/1", "title": "None", "cases": []})
    ()
    """
    if type(document) is not dict:
        raise BadVectors("", f"a vector document must be an object, is {shorten(document)}")
    if document.get("format") != FORMAT:
        raise BadVectors("format", f"must be {FORMAT!r}, is {shorten(document.get('format'))}")
    unknown = document.keys() - {"format", "title", "cases"}
    if unknown:
        raise BadVectors("", f"unknown keys: {', '.join(sorted(unknown))}")
    if type(document.get("title")) is not str:
        raise BadVectors("title", "must be a string")
    cases = document.get("cases")
    if type(cases) is not list:
        raise BadVectors("cases", "must be an array")
    read = tuple(_read_case(case, f"cases[{index}]") for index, case in enumerate(cases))
    check_unique(read)
    return read


def check_unique(cases: Iterable[Case]) -> None:
    """Check that no two cases have the same name, within a document or across several.

    Raises:
        BadVectors: naming the first that is there twice.
    """
    names: set[str] = set()
    for case in cases:
        if case.name in names:
            raise BadVectors(case.name, "there is another case of this name")
        names.add(case.name)


def _read_case(case: JsonValue, place: str) -> Case:
    if type(case) is not dict:
        raise BadVectors(place, f"must be an object, is {shorten(case)}")
    name = case.get("name")
    if type(name) is not str or not _NAME.fullmatch(name):
        raise BadVectors(f"{place}.name", f"must be letters, digits, '.', '_' and '-', is {shorten(name)}")
    place = f"{place} ({name})"
    unknown = case.keys() - _CASE_KEYS
    if unknown:
        raise BadVectors(place, f"unknown keys: {', '.join(sorted(unknown))}")
    for key in ("spec", "rule", "notes"):
        if key in case and type(case[key]) is not str:
            raise BadVectors(f"{place}.{key}", "must be a string")
    operation, version, given = case.get("operation"), case.get("room_version"), case.get("input")
    if type(operation) is not str or operation not in OPERATIONS:
        raise BadVectors(f"{place}.operation", f"unknown operation {shorten(operation)}")
    if type(version) is not str or version not in ROOM_VERSIONS:
        raise BadVectors(f"{place}.room_version", f"unknown room version {shorten(version)}")
    if type(given) is not dict:
        raise BadVectors(f"{place}.input", f"must be an object, is {shorten(given)}")
    _check_keys(given, OPERATIONS[operation], f"{place}.input")
    expected = _read_expected(case.get("expected"), OPERATIONS[operation], f"{place}.expected")
    texts: dict[str, Any] = {key: case.get(key, "") for key in ("spec", "rule", "notes")}
    return Case(name, operation, version, given, expected, **texts)


def _read_expected(value: JsonValue, operation: Operation, place: str) -> tuple[Acceptable, ...]:
    if type(value) is not list:
        return (Acceptable(_read_outcome(value, operation, place)),)
    if len(value) < 2:
        raise BadVectors(place, "a list must name two acceptable outcomes or more")
    found = []
    for index, item in enumerate(value):
        here = join_path(place, index)
        if type(item) is not dict or item.keys() != {"outcome", "reason"} or type(item["reason"]) is not str:
            raise BadVectors(here, "must be an object of an outcome and its reason")
        outcome = _read_outcome(item["outcome"], operation, f"{here}.outcome")
        found.append(Acceptable(outcome, item["reason"]))
    return tuple(found)


def _read_outcome(value: JsonValue, operation: Operation, place: str) -> JsonObject:
    if type(value) is not dict or not value:
        raise BadVectors(place, f"must be an object with a key to compare, is {shorten(value)}")
    if "error" in value:
        error = value["error"]
        if len(value) > 1 or not (error is True or (type(error) is str and error)):
            raise BadVectors(place, 'an error must stand alone, as {"error": true} or {"error": code}')
        return value
    unknown = value.keys() - operation.answers
    if unknown:
        raise BadVectors(place, f"the operation does not answer {', '.join(sorted(unknown))}")
    return value
