"""One room in every form in which people hold it: for the readers, and for the commands.

The content of its last event has what separates and escapes columns: ``|``, a comma, quotation marks, a
backslash, a tab and a line end.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from builder import ALICE, BOB, Room

BODY = 'say "hi"\nthere | and, "so"\ton \\ \\n é {"a": [1, "}"]}'


def small_room(version: str = "11") -> Room:
    """Alice's public room, with Bob in it and a message."""
    built = Room(version)
    built.join(ALICE)
    built.power({"users": {} if version == "12" else {ALICE: 100}})
    built.join_rule("public")
    built.join(BOB)
    built.add("m.room.message", BOB, {"body": BODY})
    return built


def pairs(built: Room) -> list[tuple[str, dict[str, Any]]]:
    """The events of a room: IDs and PDUs."""
    return [(event.event_id, event.pdu) for event in built.events.values()]


def stored(pdu: Any) -> str:
    """JSON as a database has it."""
    return json.dumps(pdu, ensure_ascii=False)


def lines(rows: Iterable[str]) -> str:
    return "".join(row + "\n" for row in rows)


def copied(field: str) -> str:
    """A field of COPY's text form."""
    return field.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def quoted(field: str) -> str:
    """A field of CSV."""
    return '"' + field.replace('"', '""') + '"'


def aligned(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """What psql prints: the last column is not padded, and headings are centred."""
    widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names))]
    # psql counts what a terminal shows; its own widths of JSON do not matter.
    head = "|".join(f" {name.center(width)} " for name, width in zip(names, widths, strict=True))
    rule = "+".join("-" * (width + 2) for width in widths)
    body = [
        "|".join(f" {field.ljust(width)} " for field, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return lines([head, rule, *body, f"({len(rows)} rows)", ""])


def table_row(event_id: str, pdu: Any) -> dict[str, Any]:
    """A row of a server's table of events, as row_to_json writes it."""
    return {
        "event_id": event_id,
        "room_id": "!room:a.example",
        "internal_metadata": json.dumps({"stream_ordering": 5}),
        "json": stored(pdu),
        "format_version": 3,
    }


Form = Callable[[list[tuple[str, dict[str, Any]]]], str]

_META = '{"stream_ordering": 5, "out": "|"}'

TABLES: dict[str, Form] = {
    "psql": lambda room: aligned(["event_id", "json"], [(e, stored(pdu)) for e, pdu in room]),
    "psql, one column": lambda room: aligned(["json"], [(stored(pdu),) for _, pdu in room]),
    "psql, JSON in the middle": lambda room: aligned(
        ["room_id", "internal_metadata", "json", "event_id"],
        [("!room:a.example", _META, stored(pdu), e) for e, pdu in room],
    ),
    "psql -t": lambda room: lines(f" {e} | {stored(pdu)}" for e, pdu in room),
    "psql -At": lambda room: lines(f"{e}|{stored(pdu)}" for e, pdu in room),
    "psql -At, all columns": lambda room: lines(
        f"{e}|!room:a.example|{_META}|{stored(pdu)}|3" for e, pdu in room
    ),
    "psql -At, JSON first": lambda room: lines(f"{stored(pdu)}|{e}" for e, pdu in room),
    "psql -A": lambda room: lines(
        ["event_id|json", *(f"{e}|{stored(pdu)}" for e, pdu in room), f"({len(room)} rows)"]
    ),
    "psql -A, one column": lambda room: lines(["json", *(stored(pdu) for _, pdu in room), "(6 rows)"]),
    "COPY, several columns": lambda room: lines(f"{e}\t{copied(stored(pdu))}\t\\N" for e, pdu in room),
    "COPY, to its end": lambda room: lines([*(f"{e}\t{copied(stored(pdu))}" for e, pdu in room), "\\."]),
    "COPY, JSON first": lambda room: lines(f"{copied(stored(pdu))}\t{e}" for e, pdu in room),
    "CSV": lambda room: lines(f"{e},{quoted(stored(pdu))}" for e, pdu in room),
    "CSV with a heading": lambda room: lines(
        ["event_id,json,rest", *(f"{e},{quoted(stored(pdu))}," for e, pdu in room)]
    ),
}
"""Tables, whose rows give an event ID in another column or none."""

JSON_FORMS: dict[str, Form] = {
    "COPY, one column": lambda room: lines(copied(stored(pdu)) for _, pdu in room),
    "row_to_json": lambda room: lines(json.dumps(table_row(*pair)) for pair in room),
    "row_to_json through psql": lambda room: aligned(
        ["row_to_json"], [(json.dumps(table_row(*pair)),) for pair in room]
    ),
    "row_to_json through COPY": lambda room: lines(copied(json.dumps(table_row(*pair))) for pair in room),
    "json_agg": lambda room: json.dumps([table_row(*pair) for pair in room]),
    "jq": lambda room: lines(json.dumps(pdu, indent=2) for _, pdu in room),
    "jq, no line ends": lambda room: "".join(stored(pdu) for _, pdu in room),
    "one array after another": lambda room: lines(json.dumps([pdu], indent=1) for _, pdu in room),
    "one line, and then jq": lambda room: lines(
        [stored(room[0][1]), *(json.dumps(pdu, indent=2) for _, pdu in room[1:])]
    ),
    "administration": lambda room: lines(json.dumps({"event": {**pdu, "event_id": e}}) for e, pdu in room),
    "dump with IDs": lambda room: lines(json.dumps({**pdu, "event_id": e}) for e, pdu in room),
    "federation, an answer per line": lambda room: lines(
        json.dumps({"origin": "a.example", "origin_server_ts": 1, "pdus": [pdu]}) for _, pdu in room
    ),
    "federation, an answer over many lines": lambda room: json.dumps(
        {"origin": "a.example", "origin_server_ts": 1, "pdus": [pdu for _, pdu in room]}, indent=2
    ),
}
"""Forms that are JSON, or rows of it."""

FORMS = {**TABLES, **JSON_FORMS}
