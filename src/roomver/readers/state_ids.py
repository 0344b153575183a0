"""States as lists of event IDs, in the forms in which servers and databases give them.

Checked with ``/state_ids`` of Synapse 1.163.2, psql 15.18 and sqlite3 3.40.1.
"""

from collections.abc import Iterator
from itertools import chain, count, islice
from typing import BinaryIO, Final

from ..entry import GivenIds
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
        stream: a JSON array of IDs, or of objects with ``event_id``; JSON Lines of these; a response to
            ``/state_ids``; or text with one ID per line, alone or as a column of what psql prints.
        name: what messages call the input.

    Raises:
        InputError: if it has none of these forms.
        OSError: if it cannot be read.
    """
    return [*read_given_ids(Source(stream, name)).state]


def read_given_ids(source: Source) -> GivenIds:
    """Read the IDs of the events of a state and, if the input has them, of its auth chain.

    Args:
        source: as the stream of `read_state_ids`.

    Raises:
        InputError: if it has none of these forms.
        OSError: if it cannot be read.
    """
    source.restart()
    auth_chain: list[EventId] = []
    try:
        lines = Lines(source)
        first = next(lines, None)
        if first is not None and first.start in (b"[", b"{", b'"'):
            source.restart()
            found = [*_ids_of_json(Values(source), source.name, auth_chain)]
        else:
            found = [] if first is None else [*_ids_of_text(first, lines, source.name)]
    except NotCanonical as error:
        raise InputError(source.name, str(error)) from None
    if not found:
        raise InputError(source.name, "it contains no event IDs")
    return GivenIds(found, auth_chain)


def _ids_of_json(values: Values, name: str, auth_chain: list[EventId]) -> Iterator[EventId]:
    """Yield the IDs of a state, and append those of its auth chain to a list.

    Only IDs and rows with an ID may follow each other: two lists would be two states.
    """
    for number in count():
        is_row = False
        match values.peek():
            case b"[":
                for piece in values.elements():
                    yield _id_of(piece.load(), name)
            case b'"':
                is_row = True
                yield _id_of(values.value().load(), name)
            case _:
                for key in values.members():
                    if key == "event_id":
                        is_row = True
                        yield _id_of(values.value().load(), name)
                    elif key in _LISTS and values.peek() == b"[":
                        for piece in values.elements():
                            yield _id_of(piece.load(), name)
                    elif key == "auth_chain_ids" and values.peek() == b"[":
                        auth_chain.extend(_id_of(piece.load(), name) for piece in values.elements())
                    else:
                        values.value()
        if not is_row and (number or values.peek()):
            raise NotCanonical("", f"not JSON: Extra data at {values.position()}")
        if not values.peek():
            return


def _id_of(value: JsonValue, name: str) -> EventId:
    if type(value) is dict:
        value = value.get("event_id")
    if type(value) is not str:
        raise InputError(name, "expected event IDs: a JSON array, a response to /state_ids, or one per line")
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
