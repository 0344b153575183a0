"""The operations of the test vectors: each takes the input of a case and returns an output.

``vectors/FORMAT.md`` defines them. An operation is a function here and a line in `OPERATIONS`.
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
from ..keys import KeyRing, SigningKey, read_key_table
from ..redaction import redact
from ..resolution import Resolution, RoomGraph, resolve
from ..room_check import check_room
from ..selection import select_auth_types
from ..signatures import list_required_signers, verify_signatures
from ..signing import sign_event, sign_json
from ..types import EventId, JsonObject, JsonValue, StateKey
from ..versions import EventIdForm, RoomVersion, get_room_version


class BadVectors(RoomverError):
    """An invalid vector document, or a case that cannot be run.

    Attributes:
        where: the case, by name or by its place in the document, and the path inside it.
        reason: what is wrong there.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(where, reason)

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


def _canonical_json(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    strict = version.strict_canonical_json
    value = parse_json(_text(case_input, "json"), strict=strict)
    return {"canonical": encode_canonical(value, strict=strict).decode()}


def _event_format(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    defects = find_defects(case_input["event"], version)
    return {"valid": not defects, "defects": [str(defect) for defect in defects]}


def _content_hash(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {"sha256": compute_content_hash(_object(case_input, "event"), version)}


def _event_id(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {"event_id": compute_event_id(_object(case_input, "event"), version)}


def _redact(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {"event": redact(_object(case_input, "event"), version)}


def _required_signers(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {"servers": list(list_required_signers(_object(case_input, "event"), version))}


def _verify_signatures(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    report = verify_signatures(_object(case_input, "event"), _keys(case_input), version)
    return {"valid": report.valid, "detail": str(report)}


def _keys(case_input: JsonObject) -> KeyRing:
    """Return the keys of a case, which has all the keys there are."""
    return replace(read_key_table(case_input["keys"]), complete=True)


def _sign_json(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    key = SigningKey.from_seed(_text(case_input, "key_id"), _text(case_input, "seed"))
    strict = version.strict_canonical_json
    return {
        "object": sign_json(_object(case_input, "object"), _text(case_input, "server"), key, strict=strict)
    }


def _sign_event(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    key = SigningKey.from_seed(_text(case_input, "key_id"), _text(case_input, "seed"))
    return {"event": sign_event(_object(case_input, "event"), version, _text(case_input, "server"), key)}


def _auth_types(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {
        "keys": [
            list(key) for key in sorted(select_auth_types(parse_event(_object(case_input, "event"), version)))
        ]
    }


def _auth(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    judged = _text(case_input, "event")
    pdu = _object(case_input, "events").get(judged)
    if pdu is None:
        raise MissingEvents([judged])
    defects = find_defects(pdu, version)
    # A malformed event is dropped before any rule. It is not allowed; any other malformed event is an error.
    if defects:
        return {"allowed": False, "malformed": [str(defect) for defect in defects]}
    events = read_events(case_input, version)
    state = _state(case_input, events) if "state" in case_input else None
    verdict = check_auth(events[judged], state, events, rejected=read_rejected(case_input))
    return {"allowed": verdict.allowed, "rule": verdict.number, "detail": str(verdict)}


def _redaction_applies(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    events = read_events(case_input, version)
    redaction, target = _event(case_input, "redaction", events), _event(case_input, "target", events)
    decision = redaction_applies(redaction, target, _state(case_input, events))
    return {"applies": decision.applies, "detail": decision.reason}


def resolve_case(
    case_input: JsonObject, events: Mapping[EventId, Event], graph: RoomGraph | None = None
) -> Resolution:
    """Resolve the states of a case of the operation ``resolve``, and keep the steps.

    Args:
        case_input: the input of the case.
        events: its events, from `read_events`.
        graph: the graph of these events, as a server keeps it. If None, the resolution builds its own.

    Raises:
        RoomverError: if the input is invalid or the states cannot be resolved.
    """
    rejected = read_rejected(case_input)
    return resolve(read_states(case_input, events), events, graph=graph, rejected=rejected, trace=True)


def read_rejected(case_input: JsonObject) -> frozenset[EventId]:
    """Return the IDs of the events that a case lists as rejected.

    Raises:
        BadVectors: if the value is not an array of event IDs.
    """
    return frozenset(_ids(case_input, "rejected")) if "rejected" in case_input else frozenset()


def read_states(case_input: JsonObject, events: Mapping[EventId, Event]) -> list[dict[StateKey, EventId]]:
    """Return the states of a case of the operation ``resolve``, in the order of ``state_sets``.

    Raises:
        MissingEvents: if a state names an event that is not in `events`.
        BadVectors: if a state is not an array of the IDs of state events with different keys.
    """
    sets = case_input["state_sets"]
    if type(sets) is not list:
        raise BadVectors("input.state_sets", f"must be an array of states, is {shorten(sets)}")
    return [{key: event.event_id for key, event in _state({"state": one}, events).items()} for one in sets]


def _resolve(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    resolution = resolve_case(case_input, read_events(case_input, version))
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


def _check(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    # Without keys, signatures play no part.
    keys = _keys(case_input) if "keys" in case_input else None
    rejected: JsonObject = {}

    def note_dropped(entry: Entry, check: EventCheck) -> None:
        if check.usable is None and entry.claimed_id is not None:
            rejected[entry.claimed_id] = True

    entries = (
        Entry(Place(None, join_path("events", claimed_id)), claimed_id, pdu)
        for claimed_id, pdu in _object(case_input, "events").items()
    )
    # A JSON object has no order, so there is no order of arrival, which soft failure depends on.
    replayed = check_room(entries, version, keys=keys, soft_failure=False, on_check=note_dropped).replay
    state = replayed.current_state
    if not isinstance(state, dict):  # unknown, as a whole or in part
        raise MissingEvents(replayed.lacking(None))
    for identifier, outcome in replayed.outcomes.items():
        if not outcome.accepted:
            verdict = outcome.deciding
            rejected[identifier] = True if verdict is None else verdict.number
    return {"rejected": rejected, "state": _sorted(state.values())}


def _sorted(event_ids: Iterable[EventId]) -> JsonValue:
    return cast(JsonValue, sorted(event_ids))


def read_events(case_input: JsonObject, version: RoomVersion) -> dict[EventId, Event]:
    """Return the events of a case by event ID.

    From room version 3 on the keys of ``events`` are taken as the IDs: a case may use readable ones.

    Raises:
        BadVectors: if ``events`` is not an object of objects, or an ID in a PDU is not its key.
        RoomverError: if an event is malformed.
    """
    events = {}
    for key, pdu in _object(case_input, "events").items():
        if type(pdu) is not dict:
            raise BadVectors(join_path("input.events", key), f"must be an object, is {shorten(pdu)}")
        event = parse_event(pdu, version, event_id=key)
        if version.event_id_form is EventIdForm.CHOSEN and event.event_id != key:
            raise BadVectors(join_path("input.events", key), "must have its own event_id as its key")
        events[key] = event
    return events


def _event(case_input: JsonObject, key: str, events: Mapping[EventId, Event]) -> Event:
    wanted = _text(case_input, key)
    if wanted not in events:
        raise MissingEvents([wanted])
    return events[wanted]


def _ids(case_input: JsonObject, key: str) -> list[EventId]:
    value = case_input[key]
    if type(value) is not list:
        raise BadVectors(f"input.{key}", f"must be an array of event IDs, is {shorten(value)}")
    ids = [item for item in value if type(item) is str]
    if len(ids) != len(value):
        raise BadVectors(f"input.{key}", "must be an array of event IDs")
    return ids


def _state(case_input: JsonObject, events: Mapping[EventId, Event]) -> dict[StateKey, Event]:
    """Return the state that a case lists by event IDs."""
    state: dict[StateKey, Event] = {}
    ids = _ids(case_input, "state")
    missing = [one for one in ids if one not in events]
    if missing:
        raise MissingEvents(missing)
    for one in ids:
        event = events[one]
        if event.state_key is None or (event.type, event.state_key) in state:
            why = "is not a state event" if event.state_key is None else "has the key of an earlier event"
            raise BadVectors("input.state", f"{shorten(one)} {why}")
        state[event.type, event.state_key] = event
    return state


def _text(case_input: JsonObject, key: str) -> str:
    value = case_input[key]
    if type(value) is not str:
        raise BadVectors(f"input.{key}", f"must be a string, is {shorten(value)}")
    return value


def _object(case_input: JsonObject, key: str) -> JsonObject:
    value = case_input[key]
    if type(value) is not dict:
        raise BadVectors(f"input.{key}", f"must be an object, is {shorten(value)}")
    return value


_Run: TypeAlias = Callable[[JsonObject, RoomVersion], JsonObject]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: a function, and the keys of its input and output.

    Attributes:
        run: takes the input and the room version, and returns the output.
        required: the keys that an input must have.
        output_keys: the keys that an expectation may name.
        optional: the keys that an input may have too.
    """

    run: _Run
    required: frozenset[str]
    output_keys: frozenset[str]
    optional: frozenset[str] = frozenset()


def _operation(run: _Run, required: str, output_keys: str, optional: str = "") -> Operation:
    return Operation(run, *(frozenset(keys.split()) for keys in (required, output_keys, optional)))


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
"""The operations of the format, by name."""


def error_code(error: RoomverError) -> str:
    """Return the code of an error, which is the name of its class in ``snake_case``.

    >>> from roomver.errors import NotCanonical
    >>> error_code(NotCanonical("a", "a float"))
    'not_canonical'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()


def run_operation(operation: str, version: str, case_input: JsonObject) -> JsonObject:
    """Run an operation, and return its output.

    Args:
        operation: the name of the operation.
        version: the identifier of the room version.
        case_input: the ``input`` of the case. It is not changed.

    Returns:
        The output of the operation. ``{"error": code, "message": text}`` if it fails, if the room version
        is unknown or if the input is invalid. ``{"unsupported": True}`` if it is not in `OPERATIONS`.

    >>> run_operation("canonical_json", "11", {"json": '{"b": 1, "a": 2}'})
    {'canonical': '{"a":2,"b":1}'}
    >>> run_operation("canonical_json", "11", {"json": "1.5"})["error"]
    'not_canonical'
    """
    known = OPERATIONS.get(operation)
    if known is None:
        return {"unsupported": True}
    try:
        check_keys(case_input, known, "input")
        return known.run(case_input, get_room_version(version))
    except RoomverError as error:
        return {"error": error_code(error), "message": str(error)}


def check_keys(case_input: JsonObject, operation: Operation, where: str) -> None:
    """Check that an input has every required key of an operation and no unknown key.

    Raises:
        BadVectors: naming the missing or the unknown keys.
    """
    missing = operation.required - case_input.keys()
    if missing:
        raise BadVectors(where, f"lacks {', '.join(sorted(missing))}")
    unknown = case_input.keys() - operation.required - operation.optional
    if unknown:
        raise BadVectors(where, f"has unknown {', '.join(sorted(unknown))}")
