"""The operations of the test vectors: each takes the input of a case and returns an output.

``vectors/FORMAT.md`` defines them. An operation is a function here and a line in `OPERATIONS`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from ..auth import check_auth, redaction_applies
from ..canonical import encode_canonical, join_path, parse_json
from ..entry import Entry, Place
from ..errors import MissingEvents, RoomverError
from ..event import Event, find_defects, parse_event
from ..findings import EventCheck
from ..hashing import compute_content_hash, compute_event_id
from ..keys import SigningKey
from ..redaction import redact
from ..resolution import Resolution, RoomGraph, resolve
from ..room_check import check_room
from ..selection import select_auth_types
from ..signatures import list_required_signers, verify_signatures
from ..signing import sign_event, sign_json
from ..types import EventId, JsonObject, JsonValue
from ..versions import RoomVersion
from .inputs import (
    BadVectors,
    read_event,
    read_events,
    read_keys,
    read_object,
    read_rejected,
    read_state,
    read_states,
    read_text,
    read_version,
)
from .receiving import auth_partial_state, policy, receive


def _canonical_json(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    strict = version.strict_canonical_json
    value = parse_json(read_text(case_input, "json"), strict=strict)
    return {"canonical": encode_canonical(value, strict=strict).decode()}


def _event_format(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    defects = find_defects(case_input["event"], version)
    return {"valid": not defects, "defects": [str(defect) for defect in defects]}


def _content_hash(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {"sha256": compute_content_hash(read_object(case_input, "event"), version)}


def _event_id(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {"event_id": compute_event_id(read_object(case_input, "event"), version)}


def _redact(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {"event": redact(read_object(case_input, "event"), version)}


def _required_signers(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {"servers": list(list_required_signers(read_object(case_input, "event"), version))}


def _verify_signatures(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    report = verify_signatures(read_object(case_input, "event"), read_keys(case_input), version)
    return {"valid": report.valid, "detail": str(report)}


def _sign_json(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    key = SigningKey.from_seed(read_text(case_input, "key_id"), read_text(case_input, "seed"))
    strict = version.strict_canonical_json
    return {
        "object": sign_json(
            read_object(case_input, "object"), read_text(case_input, "server"), key, strict=strict
        )
    }


def _sign_event(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    key = SigningKey.from_seed(read_text(case_input, "key_id"), read_text(case_input, "seed"))
    return {
        "event": sign_event(read_object(case_input, "event"), version, read_text(case_input, "server"), key)
    }


def _auth_types(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    return {
        "keys": [
            list(key)
            for key in sorted(select_auth_types(parse_event(read_object(case_input, "event"), version)))
        ]
    }


def _auth(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    judged = read_text(case_input, "event")
    pdu = read_object(case_input, "events").get(judged)
    if pdu is None:
        raise MissingEvents([judged])
    defects = find_defects(pdu, version)
    # If the event to judge is malformed, it is dropped before any rule, so it is not allowed. Any other
    # malformed event is an error.
    if defects:
        return {"allowed": False, "malformed": [str(defect) for defect in defects]}
    events = read_events(case_input, version)
    state = read_state(case_input, events) if "state" in case_input else None
    verdict = check_auth(events[judged], state, events, rejected=read_rejected(case_input))
    return {"allowed": verdict.allowed, "rule": verdict.number, "detail": str(verdict)}


def _redaction_applies(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    events = read_events(case_input, version)
    redaction, target = read_event(case_input, "redaction", events), read_event(case_input, "target", events)
    decision = redaction_applies(redaction, target, read_state(case_input, events))
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
    keys = read_keys(case_input) if "keys" in case_input else None
    rejected: JsonObject = {}

    def note_dropped(entry: Entry, check: EventCheck) -> None:
        if check.usable is None and entry.claimed_id is not None:
            rejected[entry.claimed_id] = True

    entries = (
        Entry(Place(None, join_path("events", claimed_id)), claimed_id, pdu)
        for claimed_id, pdu in read_object(case_input, "events").items()
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
    "redact": _operation(_redact, "event", "event"),
    "event_id": _operation(_event_id, "event", "event_id"),
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
    "receive": _operation(receive, "events order", "outcomes forward_extremities state", "keys given"),
    "policy": _operation(policy, "events event state", "passes"),
    "auth_partial_state": _operation(
        auth_partial_state, "events event state unknown", "allowed undecided", "rejected"
    ),
}
"""The operations of the format, by name, in the order in which they build on each other."""


def error_code(error: RoomverError) -> str:
    """Return the code of an error, which is the name of its class in ``snake_case``.

    >>> from roomver.errors import NotCanonical
    >>> error_code(NotCanonical("a", "a float"))
    'not_canonical'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()


def run_operation(
    operation: str, version: str, case_input: JsonObject, definition: JsonValue = None
) -> JsonObject:
    """Run an operation, and return its output.

    Args:
        operation: the name of the operation.
        version: the identifier of the room version.
        case_input: the ``input`` of the case. It is not changed.
        definition: the definition of the room version, if the case has one.

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
        return known.run(case_input, read_version(version, definition))
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
