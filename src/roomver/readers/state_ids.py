"""States as lists of event IDs, in the forms in which servers and databases give them."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO, Final

from ..errors import NotCanonical
from ..types import EventId, JsonValue
from .entries import InputError
from .lines import Line, Lines, check_line
from .streams import Source
from .tables import heading_of_ids, ids_in_row, is_footer
from .values import Values

_LISTS: Final = ("pdu_ids", "event_ids", "state")


def read_state_ids(stream: BinaryIO, name: str) -> list[EventId]:
    """Read the IDs of the events of a state.

    Args:
        stream: a JSON array of IDs, or of objects with ``event_id``; an answer to ``/state_ids``; or text
            with one ID per line, alone or as a column of what psql prints.
        name: what messages call the input.

    Raises:
        InputError: if it is none of these.
        OSError: if it cannot be read.
    """
    source = Source(stream, name)
    try:
        lines = Lines(source)
        first = next(lines, None)
        if first is not None and first.start in (b"[", b"{"):
            source.restart()
            found = [*_ids_of_json(Values(source), name)]
        else:
            found = [] if first is None else [*_ids_of_text(first, lines, name)]
    except NotCanonical as error:
        raise InputError(name, str(error)) from None
    if not found:
        raise InputError(name, "there are no event IDs in it")
    return found


def _ids_of_json(values: Values, name: str) -> Iterator[EventId]:
    if values.peek() == b"[":
        for piece in values.elements():
            yield _id_of(piece.load(), name)
    else:
        for key in values.members():
            if key in _LISTS and values.peek() == b"[":
                for piece in values.elements():
                    yield _id_of(piece.load(), name)
            else:
                values.value()
    if values.peek():
        raise NotCanonical("", f"not JSON: Extra data at {values.position()}")


def _id_of(value: JsonValue, name: str) -> EventId:
    if type(value) is dict:
        value = value.get("event_id")
    if type(value) is not str:
        raise InputError(name, "expected event IDs: a JSON array, an answer to /state_ids, or one per line")
    return value


def _ids_of_text(first: Line, lines: Lines, name: str) -> Iterator[EventId]:
    ahead = [first, *islice(lines, 1)]
    heading = heading_of_ids(ahead)
    for line in chain(ahead, lines):
        if line.number <= heading or is_footer(line.raw):
            continue
        check_line(line)
        ids = ids_in_row(line.raw)
        if len(ids) != 1:
            raise InputError(name, f"line {line.number}: expected one event ID, found {len(ids)}")
        yield ids[0]
