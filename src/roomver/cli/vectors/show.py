"""``roomver vectors show``: one case, with its events in the order of their graph."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ...canonical import shorten
from ...errors import RoomverError
from ...readers import InputError
from ...suite.document import Case, CaseResult, run_case
from ...suite.inputs import read_events, read_version
from ...suite.operations import resolve_case
from ...types import EventId, JsonObject, JsonValue
from ..common import example
from ..escaped import printable
from ..trace import absent_steps, trace_lines
from .covered import covered_lines
from .implementation import request_for, to_line
from .numbering import Renumber, cited_ids, event_words, numbers_of, order_events, renumbering
from .results import expected_json
from .selection import paths_argument, read_cases

_SHOWN = 100  # characters of a content
_ORDERS = frozenset({"order", "power_order", "mainline_order"})  # lists that are not sets


@click.command("show", epilog=example("roomver vectors show resolve.topic_against_ban.v11"))
@click.argument("name")
@paths_argument()
@click.option("--json", "as_json", is_flag=True, help="Print the case as JSON, with complete events.")
@click.option(
    "--request",
    "as_request",
    is_flag=True,
    help="Print the request for the case: one line, to be piped into a program that answers it.",
)
def show_command(name: str, paths: tuple[Path, ...], as_json: bool, as_request: bool) -> None:
    """Show the test vector NAME, or the only one whose name begins so.

    Prints the events of the case, parents first, then what the case expects, what roomver returns, and what
    decided. Without a FILE or FOLDER it is looked up in the suite that ships with roomver.

    Exit codes: 0 the case was shown, 2 usage error, no such case, or unreadable file.
    """
    if as_json and as_request:
        raise click.UsageError("--json and --request are both printed; give one of them")
    found = {case.name: case for case in read_cases(paths, optional=True) if case.name.startswith(name)}
    if name not in found and len(found) != 1:
        begin = f"; {len(found):,} names begin so" if found else ""
        reason = f"no case has the name {shorten(name)}{begin}"
        raise InputError(", ".join(map(str, paths)) or "the suite", reason)
    case = found[name] if name in found else next(iter(found.values()))
    if as_request:
        click.echo(to_line(request_for(case, 1)), nl=False)
        return
    result = run_case(case)
    if as_json:
        click.echo(json.dumps(case_document(result), indent=1))
        return
    for line in show_lines(result):
        click.echo(line)


def show_lines(result: CaseResult) -> Iterator[str]:
    """Yield the lines of text that show a case, safe to print.

    A long line is cut, unless it has the bytes that are hashed or signed: they are there to be compared.

    If a case has events by ID, they are numbered, parents first. Their numbers replace their IDs
    elsewhere in the text.

    Args:
        result: the case, run by roomver.
    """
    yield from map(printable, _case_lines(result))
    if steps := list(covered_lines(result.case)):
        yield ""
        yield "step by step"
        yield from (printable(f"  {line}", len(line) + 2) for line in steps)
    if result.case.operation == "resolve":
        yield from map(printable, _resolution_lines(result.case))


def _case_lines(result: CaseResult) -> Iterator[str]:
    case = result.case
    yield case.name
    yield f"{case.operation}, room version {case.room_version}"
    if case.definition is not None:
        yield f"based on {case.definition['based_on']}: {json.dumps(case.definition['changes'])}"
    yield from filter(None, (case.notes, case.rule and f"rule {case.rule}", case.spec))
    events = case.input.get("events")
    renumber: Renumber = str
    ranks: Mapping[EventId, int] = {}
    rest = case.input
    if isinstance(events, dict):
        order, acyclic = order_events(events)
        renumber = renumbering(numbers_of(order))
        ranks = {event_id: rank for rank, event_id in enumerate(order)}
        rest = {key: value for key, value in case.input.items() if key != "events"}
        yield ""
        yield "events, parents first" if acyclic else "events, in the order of the file: they cite each other"
        yield from _events_lines(events, order, renumber)
        if (create := _create_by_room_id(case, events)) is not None:
            yield ""
            yield f"create event: {renumber(create)}, by the room ID"
    if rest:
        yield ""
        yield "input" if rest is case.input else "rest of the input"
        yield from _value_lines(rest, renumber, ranks)
    yield ""
    yield "expected" if not case.disputed else "expected: one of"
    yield from _value_lines(expected_json(case), renumber, ranks)
    yield ""
    yield f"roomver {result.outcome.value}{result.reason and ': '}{result.reason}"
    if result.got is not None:
        yield from _value_lines(_of_algorithm(case, result.got), renumber, ranks)


def _create_by_room_id(case: Case, events: JsonObject) -> EventId | None:
    """Return the ID of the create event that the event of a case names by its room ID, from version 12 on."""
    event = events.get(event_id) if type(event_id := case.input.get("event")) is str else None
    room_id = event.get("room_id") if type(event) is dict else None
    if type(room_id) is not str or not room_id.startswith("!"):
        return None
    create = f"${room_id[1:]}"
    cited = type(event) is dict and create in cited_ids(event, "auth_events")
    return create if create in events and not cited and create != event_id else None


def _of_algorithm(case: Case, output: JsonObject) -> JsonObject:
    """Return the output of roomver without steps that the algorithm of the room version does not have."""
    if case.operation != "resolve" or "error" in output:
        return output
    absent = absent_steps(read_version(case.room_version, case.definition).state_resolution)
    return {key: value for key, value in output.items() if key not in absent or value}


def _timestamp(pdu: JsonValue) -> int | None:
    stamp = pdu.get("origin_server_ts") if type(pdu) is dict else None
    return stamp if type(stamp) is int else None


def _events_lines(events: JsonObject, order: Sequence[EventId], renumber: Renumber) -> Iterator[str]:
    first = min(filter(None, (_timestamp(events[event_id]) for event_id in order)), default=0)
    for number, event_id in enumerate(order, 1):
        yield f"  {number:>3}  {event_id}"
        yield from (f"       {line}" for line in _event_lines(events[event_id], renumber, first))


def _event_lines(pdu: JsonValue, renumber: Renumber, first: int) -> Iterator[str]:
    yield event_words(pdu)
    if type(pdu) is not dict:
        return
    content = renumber(json.dumps(pdu.get("content"), ensure_ascii=False))
    yield content if len(content) <= _SHOWN else f"{content[: _SHOWN - 1]}…"
    cites = [
        f"{field} {renumber(' '.join(ids)) or '-'}"
        for field in ("auth_events", "prev_events")
        if (ids := cited_ids(pdu, field)) or field in pdu
    ]
    stamp = _timestamp(pdu)
    cites.append(f"origin_server_ts {'first' if stamp == first else f'+{stamp - first}'}" if stamp else "")
    cites.append(f"depth {shorten(pdu['depth'])}" if "depth" in pdu else "")
    yield ", ".join(filter(None, cites))


def _value_lines(
    value: JsonValue, renumber: Renumber, ranks: Mapping[EventId, int], indent: str = "  "
) -> Iterator[str]:
    """Yield the fields of an object, each list of event IDs on one line and the rest as JSON.

    Lists of event IDs that are sets are in the order of the numbers.
    """
    if type(value) is list and value and all(type(one) is dict for one in value):
        for one in value:
            yield from _value_lines(one, renumber, ranks, indent)
        return
    if type(value) is not dict:
        yield f"{indent}{_inline(value, renumber)}"
        return
    for name, field in value.items():
        nested = field if type(field) is list else []
        if nested and all(type(one) is list for one in nested):
            for index, one in enumerate(nested):
                yield f"{indent}{name}[{index}] {_inline(_in_order(name, one, ranks), renumber)}"
        elif type(field) is dict and field:
            text = renumber(json.dumps(field, indent=2, ensure_ascii=False))
            yield from (f"{indent}{line}" for line in f"{name} {text}".splitlines())
        else:
            yield f"{indent}{name} {_inline(_in_order(name, field, ranks), renumber)}"


def _in_order(name: str, value: JsonValue, ranks: Mapping[EventId, int]) -> JsonValue:
    """Return a list of event IDs in the order of their numbers, unless its own order means something."""
    if type(value) is not list or name in _ORDERS:
        return value
    ids = [one for one in value if type(one) is str and one in ranks]
    return [*sorted(ids, key=ranks.__getitem__)] if len(ids) == len(value) else value


def _inline(value: JsonValue, renumber: Renumber) -> str:
    if type(value) is list and value:
        named = [renumber(one) for one in value if type(one) is str]
        if len(named) == len(value) and named != value:
            return " ".join(named)
    if type(value) is str and renumber(value) != value:
        return renumber(value)
    return json.dumps(value, ensure_ascii=False)


def _resolution_lines(case: Case) -> Iterator[str]:
    try:
        events = read_events(case.input, read_version(case.room_version, case.definition))
        resolution = resolve_case(case.input, events)
    except RoomverError:
        return  # the output of roomver shows the error
    steps = resolution.steps
    if steps is None:
        return
    given = case.input.get("events")
    order = order_events(given)[0] if type(given) is dict else []
    renumber = renumbering(numbers_of(order))
    ranks = {event_id: rank for rank, event_id in enumerate(order)}
    yield ""
    yield from map(renumber, trace_lines(steps, ranks))
    for key in sorted(steps.conflicted):
        yield ""
        yield from map(renumber, str(resolution.why(key)).splitlines())


def case_document(result: CaseResult) -> dict[str, Any]:
    """Return a case and the output of roomver as JSON."""
    case = result.case
    return {
        "name": case.name,
        "operation": case.operation,
        "room_version": case.room_version,
        **({} if case.definition is None else {"version": case.definition}),
        "notes": case.notes,
        "rule": case.rule,
        "spec": case.spec,
        "input": case.input,
        "expected": expected_json(case),
        "outcome": result.outcome.value,
        "got": result.got,
        "reason": result.reason,
    }
