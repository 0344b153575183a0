"""``roomver vectors show``: one case as people read it, its events in the order of their graph."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...canonical import shorten
from ...errors import CyclicGraph, RoomverError
from ...graph import in_order
from ...suite.document import Case, CaseResult
from ...suite.operations import events_of, resolution_of
from ...types import EventId, JsonObject, JsonValue
from ...versions import get_room_version
from ..wording import trace_lines

_CONTENT = 100  # characters of a content

Words = Callable[[str], str]


def show_lines(result: CaseResult, expected: JsonValue) -> Iterator[str]:
    """Yield a case, what it expects, what roomver gives, and what decides it, as lines of text.

    Where a case has events by ID they are numbered, parents first, and called by their numbers.

    Args:
        result: of the case, run by roomver.
        expected: what it expects, as JSON.
    """
    case = result.case
    yield case.name
    yield f"{case.operation}, room version {case.room_version}"
    yield from filter(None, (case.notes, case.rule and f"rule {case.rule}", case.spec))
    events = case.input.get("events")
    numbered: Words = str
    rest = case.input
    if isinstance(events, dict):
        order, acyclic = _order(events)
        numbered = _numbering(order)
        rest = {key: value for key, value in case.input.items() if key != "events"}
        yield ""
        yield "events, parents first" if acyclic else "events, in the order of the file: some cite each other"
        first = min(filter(None, (_timestamp(events[event_id]) for event_id in order)), default=0)
        for number, event_id in enumerate(order, 1):
            yield f"  {number:>3}  {event_id}"
            yield from (f"       {line}" for line in _event_lines(events[event_id], numbered, first))
    if rest:
        yield ""
        yield "input" if rest is case.input else "input besides"
        yield from _value_lines(rest, numbered)
    yield ""
    yield "expected" if not case.disputed else "expected: one of"
    yield from _value_lines(expected, numbered)
    yield ""
    yield f"roomver {result.outcome.value}{result.reason and ': '}{result.reason}"
    if result.got is not None:
        yield from _value_lines(result.got, numbered)
    if case.operation == "resolve":
        yield from map(numbered, _resolution_lines(case))


def _order(events: JsonObject) -> tuple[list[EventId], bool]:
    """Return the IDs, parents first; as they come, and false, if some cite each other."""
    parents = {
        event_id: [e for e in _cited(pdu, "auth_events") + _cited(pdu, "prev_events") if e in events]
        for event_id, pdu in events.items()
    }
    try:
        return in_order(parents), True
    except CyclicGraph:
        return list(events), False


def _cited(pdu: JsonValue, field: str) -> list[EventId]:
    """The events that a PDU cites, in either form, as far as it can be read."""
    cited = pdu.get(field) if type(pdu) is dict else None
    if type(cited) is not list:
        return []
    ids = [one[0] if type(one) is list and one else one for one in cited]
    return [one for one in ids if type(one) is str]


def _timestamp(pdu: JsonValue) -> int | None:
    stamp = pdu.get("origin_server_ts") if type(pdu) is dict else None
    return stamp if type(stamp) is int else None


def _numbering(order: Iterable[EventId]) -> Words:
    """Return what replaces every event ID in a text by ``[number]``."""
    numbers = {event_id: f"[{number}]" for number, event_id in enumerate(order, 1)}
    if not numbers:
        return str
    # The longest first: where senders choose the IDs, one may begin with another.
    known = re.compile("|".join(map(re.escape, sorted(numbers, key=len, reverse=True))))
    return lambda text: known.sub(lambda found: numbers[found[0]], text)


def _event_lines(pdu: JsonValue, numbered: Words, first: int) -> Iterator[str]:
    if type(pdu) is not dict:
        yield shorten(pdu)
        return
    key = f" {shorten(pdu['state_key'])}" if "state_key" in pdu else ""
    yield f"{_text(pdu.get('type'))}{key} by {_text(pdu.get('sender'))}"
    content = numbered(json.dumps(pdu.get("content"), ensure_ascii=False))
    yield content if len(content) <= _CONTENT else f"{content[: _CONTENT - 1]}…"
    cites = [
        f"{field} {numbered(' '.join(ids)) or '-'}"
        for field in ("auth_events", "prev_events")
        if (ids := _cited(pdu, field)) or field in pdu
    ]
    stamp = _timestamp(pdu)
    cites.append(f"origin_server_ts {'first' if stamp == first else f'+{stamp - first}'}" if stamp else "")
    cites.append(f"depth {shorten(pdu['depth'])}" if "depth" in pdu else "")
    yield ", ".join(filter(None, cites))


def _text(value: JsonValue) -> str:
    return value if type(value) is str else shorten(value)


def _value_lines(value: JsonValue, numbered: Words, indent: str = "  ") -> Iterator[str]:
    """Yield an object field by field, lists of event IDs on a line each, and the rest as JSON."""
    if type(value) is list and value and all(type(one) is dict for one in value):
        for one in value:
            yield from _value_lines(one, numbered, indent)
        return
    if type(value) is not dict:
        yield f"{indent}{_inline(value, numbered)}"
        return
    for name, field in value.items():
        nested = field if type(field) is list else []
        if nested and all(type(one) is list for one in nested):
            for index, one in enumerate(nested):
                yield f"{indent}{name}[{index}] {_inline(one, numbered)}"
        elif type(field) is dict and field:
            text = numbered(json.dumps(field, indent=2, ensure_ascii=False))
            yield from (f"{indent}{line}" for line in f"{name} {text}".splitlines())
        else:
            yield f"{indent}{name} {_inline(field, numbered)}"


def _inline(value: JsonValue, numbered: Words) -> str:
    if type(value) is list and value:
        named = [numbered(one) for one in value if type(one) is str]
        if len(named) == len(value) and named != value:
            return " ".join(named)
    if type(value) is str and numbered(value) != value:
        return numbered(value)
    return json.dumps(value, ensure_ascii=False)


def _resolution_lines(case: Case) -> Iterator[str]:
    try:
        events = events_of(case.input, get_room_version(case.room_version))
        resolution = resolution_of(case.input, events)
    except RoomverError:
        return  # what roomver gave says so
    steps = resolution.steps
    if steps is None:
        return
    yield ""
    yield from trace_lines(steps)
    for key in sorted(steps.conflicted):
        yield ""
        yield from str(resolution.why(key)).splitlines()


def as_document(result: CaseResult, expected: JsonValue) -> dict[str, Any]:
    """Return a case with roomver's answer as JSON."""
    case = result.case
    return {
        "name": case.name,
        "operation": case.operation,
        "room_version": case.room_version,
        "notes": case.notes,
        "rule": case.rule,
        "spec": case.spec,
        "input": case.input,
        "expected": expected,
        "outcome": result.outcome.value,
        "got": result.got,
        "reason": result.reason,
    }
