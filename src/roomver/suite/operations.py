"""The operations of the test vectors: what a case can ask for, and the answer.

What each means stands in ``vectors/FORMAT.md``. A new operation is one line in `OPERATIONS`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, cast

from ..auth import check_auth, redaction_applies
from ..canonical import encode_canonical, join_path, parse_json, shorten
from ..entry import Entry, Place
from ..errors import MissingEvents, RoomverError
from ..event import Event, find_defects, parse_event
from ..findings import EventCheck
from ..hashing import compute_content_hash, compute_event_id
from ..keys import SigningKey, read_key_table
from ..redaction import redact
from ..resolution import Resolution, RoomGraph, resolve
from ..room_check import check_room
from ..selection import select_auth_types
from ..signatures import list_required_signers, verify_signatures
from ..signing import sign_event, sign_json
from ..types import EventId, JsonObject, JsonValue, StateKey
from ..versions import EventIdForm, RoomVersion, get_room_version


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


def _canonical_json(given: JsonObject, version: RoomVersion) -> JsonObject:
    strict = version.strict_canonical_json
    value = parse_json(_text(given, "json"), strict=strict)
    return {"canonical": encode_canonical(value, strict=strict).decode()}


def _event_format(given: JsonObject, version: RoomVersion) -> JsonObject:
    defects = find_defects(given["event"], version)
    return {"valid": not defects, "defects": [str(defect) for defect in defects]}


def _content_hash(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"sha256": compute_content_hash(_object(given, "event"), version)}


def _event_id(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"event_id": compute_event_id(_object(given, "event"), version)}


def _redact(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"event": redact(_object(given, "event"), version)}


def _required_signers(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {"servers": list(list_required_signers(_object(given, "event"), version))}


def _verify_signatures(given: JsonObject, version: RoomVersion) -> JsonObject:
    # A case has all the keys that there are.
    keys = replace(read_key_table(given["keys"]), complete=True)
    report = verify_signatures(_object(given, "event"), keys, version)
    return {"valid": report.valid, "detail": str(report)}


def _sign_json(given: JsonObject, version: RoomVersion) -> JsonObject:
    key = SigningKey.from_seed(_text(given, "key_id"), _text(given, "seed"))
    strict = version.strict_canonical_json
    return {"object": sign_json(_object(given, "object"), _text(given, "server"), key, strict=strict)}


def _sign_event(given: JsonObject, version: RoomVersion) -> JsonObject:
    key = SigningKey.from_seed(_text(given, "key_id"), _text(given, "seed"))
    return {"event": sign_event(_object(given, "event"), version, _text(given, "server"), key)}


def _auth_types(given: JsonObject, version: RoomVersion) -> JsonObject:
    return {
        "keys": [
            list(key) for key in sorted(select_auth_types(parse_event(_object(given, "event"), version)))
        ]
    }


def _auth(given: JsonObject, version: RoomVersion) -> JsonObject:
    judged = _text(given, "event")
    pdu = _object(given, "events").get(judged)
    if pdu is None:
        raise MissingEvents([judged])
    defects = find_defects(pdu, version)
    if defects:  # it was dropped before any rule: not allowed. (A malformed event beside it is an error.)
        return {"allowed": False, "malformed": [str(defect) for defect in defects]}
    events = events_of(given, version)
    state = _state(given, events) if "state" in given else None
    verdict = check_auth(events[judged], state, events, rejected=rejected_of(given))
    return {"allowed": verdict.allowed, "rule": verdict.number, "detail": str(verdict)}


def _redaction_applies(given: JsonObject, version: RoomVersion) -> JsonObject:
    events = events_of(given, version)
    redaction, target = _event(given, "redaction", events), _event(given, "target", events)
    decision = redaction_applies(redaction, target, _state(given, events))
    return {"applies": decision.applies, "detail": decision.reason}


def resolution_of(
    given: JsonObject, events: Mapping[EventId, Event], graph: RoomGraph | None = None
) -> Resolution:
    """Return the resolution, with its steps, that a case of the operation ``resolve`` asks for.

    Args:
        given: the input of the case.
        events: its events, from `events_of`.
        graph: of all of them, for a server that keeps one; without it the events alone are looked at.

    Raises:
        RoomverError: as the operation does.
    """
    rejected = rejected_of(given)
    return resolve(states_of(given, events), events, graph=graph, rejected=rejected, trace=True)


def rejected_of(given: JsonObject) -> frozenset[EventId]:
    """Return the events that a case says were rejected.

    Raises:
        BadVectors: if they are no list of event IDs.
    """
    return frozenset(_ids(given, "rejected")) if "rejected" in given else frozenset()


def states_of(given: JsonObject, events: Mapping[EventId, Event]) -> list[dict[StateKey, EventId]]:
    """Return the states that a case gives as lists of event IDs.

    Raises:
        RoomverError: if one is no state of these events.
    """
    sets = given["state_sets"]
    if type(sets) is not list:
        raise BadVectors("input.state_sets", f"must be an array of states, is {shorten(sets)}")
    return [{key: event.event_id for key, event in _state({"state": one}, events).items()} for one in sets]


def _resolve(given: JsonObject, version: RoomVersion) -> JsonObject:
    resolution = resolution_of(given, events_of(given, version))
    output: JsonObject = {"state": _sorted(resolution.state.values())}
    steps = resolution.steps
    if steps is not None:
        output |= {
            "conflicted": _sorted({one for by_id in steps.conflicted.values() for one in by_id}),
            "auth_difference": _sorted(steps.auth_difference),
            "conflicted_subgraph": _sorted(steps.conflicted_subgraph),
            "full_conflicted": _sorted(steps.full_conflicted_set),
            "power_order": list(steps.power_order),
            "partial_state": _sorted(steps.partial_state.values()),
            "mainline_order": list(steps.mainline_order),
        }
    return output


def _check(given: JsonObject, version: RoomVersion) -> JsonObject:
    # A case has all the keys that there are. Without any, signatures play no part.
    keys = replace(read_key_table(given["keys"]), complete=True) if "keys" in given else None
    rejected: JsonObject = {}

    def note_dropped(entry: Entry, check: EventCheck) -> None:
        if check.usable is None and entry.claimed_id is not None:
            rejected[entry.claimed_id] = True

    entries = (
        Entry(Place(None, join_path("events", claimed_id)), claimed_id, pdu)
        for claimed_id, pdu in _object(given, "events").items()
    )
    # An object has no order, and so there is no order of arrival that an event could be soft-failed by.
    replayed = check_room(entries, version, keys=keys, soft_failure=False, on_check=note_dropped).replay
    if replayed.current_state is None:
        raise MissingEvents(replayed.lacking(None))
    for identifier, outcome in replayed.outcomes.items():
        if not outcome.accepted:
            verdict = outcome.deciding
            rejected[identifier] = True if verdict is None else verdict.number
    return {"rejected": rejected, "state": _sorted(replayed.current_state.values())}


def _sorted(event_ids: Iterable[EventId]) -> JsonValue:
    return cast(JsonValue, sorted(event_ids))


def events_of(given: JsonObject, version: RoomVersion) -> dict[EventId, Event]:
    """Return the events of a case under the IDs that it gives them, which are believed from version 3 on.

    Raises:
        RoomverError: if there are none, or one is malformed.
    """
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
    "resolve": _operation(
        _resolve,
        "events state_sets",
        "state conflicted auth_difference conflicted_subgraph full_conflicted power_order mainline_order"
        " partial_state",
        "rejected",
    ),
    "check": _operation(_check, "events", "rejected state", "keys"),
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
        check_keys(given, known, "input")
        return known.run(given, get_room_version(version))
    except RoomverError as error:
        return {"error": error_code(error), "message": str(error)}


def check_keys(given: JsonObject, operation: Operation, where: str) -> None:
    """Check that an input has the keys that an operation needs, and no unknown ones.

    Raises:
        BadVectors: naming them.
    """
    missing = operation.needs - given.keys()
    if missing:
        raise BadVectors(where, f"lacks {', '.join(sorted(missing))}")
    unknown = given.keys() - operation.needs - operation.may_have
    if unknown:
        raise BadVectors(where, f"has unknown {', '.join(sorted(unknown))}")
