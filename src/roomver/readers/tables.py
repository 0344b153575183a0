"""Tables in text: what psql, COPY and CSV exports print, one event per row.

A row is split into fields from left to right. A field that begins like JSON must be exactly one JSON
object. So a row whose JSON is damaged or cut off is unreadable: nothing is guessed. JSON text that a
database stores has no line ends in it, so a row is a line. Checked with psql 15.18 and sqlite3 3.40.1.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ..canonical import load_json
from ..entry import Place
from ..errors import NotCanonical
from ..hashing import HashCheck, check_content_hash
from ..types import EventId, JsonValue
from .entries import Read, is_pdu, line_error, unwrap
from .lines import Line, check_line, load_bounded
from .unreadable import EXPORT

NOT_A_TABLE: Final = (
    "it looks like a table whose rows cannot be read back. Give an SQLite database itself, or export the"
    f" events with {EXPORT}"
)

_RULE: Final = re.compile(r"-+(\+-+)*")
_NAMES: Final = re.compile(r"[a-z_][a-z0-9_]*")
_MAX_COLUMNS: Final = 1000  # PostgreSQL allows no more than 1,600
_TOO_MANY: Final = f"there are more than {_MAX_COLUMNS} columns"
_JSON_COLUMNS: Final = frozenset({"json", "jsonb", "event_json", "row_to_json", "to_json", "to_jsonb", "pdu"})
_FOOTER: Final = re.compile(r"\([0-9]+ rows?\)")
_RECORD: Final = re.compile(r"-\[ RECORD [0-9]+ \]")
_BORDER: Final = re.compile(r"\+-[-+]*-\+|[┌╔]")
_COLUMNS_RULE: Final = re.compile(r"-{2,}( {2,}-{2,})+ *")  # `sqlite3 -column`
_MARKDOWN_RULE: Final = re.compile(r"\|(-+\|)+")
_QUOTED: Final = re.compile(r"'[^']*'(,|$)")  # `sqlite3 -quote`
_ASCII: Final = "\x1e"  # after each row of `sqlite3 -ascii`
_ASSIGNED: Final = re.compile(r" *[a-z_]+ = ")  # `sqlite3 -line`
_COPY: Final = re.compile(r"COPY [^;]+ FROM stdin;", re.IGNORECASE)
_SEPARATOR: Final = re.compile(r"[|\t,]")
_EVENT_ID: Final = re.compile(r"\$\S+")

# In COPY text a backslash begins an escape.
_COPY_ESCAPE: Final = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_COPY_LETTERS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# JSON text in which each backslash is doubled, as COPY writes it; other JSON has single ones.
_SINGLE_BACKSLASH: Final = re.compile(rb"(?<!\\)(?:\\\\)*+\\(?!\\)")

_STRING_BODY: Final = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKET_OR_STRING: Final = re.compile(r'["{}\[\]]')


class _Damaged(Exception):
    """A row that does not have the form of its table. The text says why."""


class Table(NamedTuple):
    """The form of a table.

    Attributes:
        split: splits a row into its fields.
        names: the names of the columns; None if the table has no heading.
        heading: how many lines come before the first row.
    """

    split: Callable[[str], list[str]]
    names: Sequence[str] | None
    heading: int

    def read(self, lines: Iterable[Line]) -> Iterator[Read]:
        """Yield the value of each row, or why it cannot be read."""
        for line in lines:
            if line.number > self.heading and not is_footer(line.raw):
                yield self.read_row(line)

    def read_row(self, line: Line) -> Read:
        """Return the event in a row, with the ID that another column gives."""
        place = Place(line.number, "")
        try:
            check_line(line)
            fields = self.split(_text(line.raw))
            if self.names is not None and len(fields) != len(self.names):
                raise _Damaged(f"expected {len(self.names)} columns, found {len(fields)}")
            return Read(_pdu(fields), place, self._event_id(fields))
        except _Damaged as error:
            return Read(None, place, error=f"not a row of this table: {error}")
        except NotCanonical as error:
            return Read(None, place, error=line_error(error))

    def _event_id(self, fields: Sequence[str]) -> EventId | None:
        if self.names is not None:
            return fields[self.names.index("event_id")] if "event_id" in self.names else None
        ids = [field for field in fields if _EVENT_ID.fullmatch(field)]
        return ids[0] if len(ids) == 1 else None


def find_table(first: Sequence[Line]) -> Table | None:
    """Return the form of the table that these lines begin; None if they begin no known table.

    A form is taken only if the first row can be read in it.
    """
    try:
        texts = [_text(line.raw) for line in first[:3]]
    except NotCanonical:
        return None
    for table, row in _forms(texts, [line.number for line in first]):
        if row < len(first) and table.read_row(first[row]).error is None:
            return table
    return None


def _forms(texts: Sequence[str], numbers: Sequence[int]) -> Iterator[tuple[Table, int]]:
    """Yield the forms that the first lines allow, each with the index of its first row."""
    if len(texts) > 1 and _RULE.fullmatch(texts[1].strip()):
        names = [name.strip() for name in texts[0].split("|", _MAX_COLUMNS)]
        if len(names) == texts[1].count("+") + 1 <= _MAX_COLUMNS:
            yield Table(_split_aligned, names, numbers[1]), 2
    for split, separator in ((_split_bars, "|"), (_split_tabs, "\t"), (_split_commas, ",")):
        names = texts[0].split(separator, _MAX_COLUMNS)
        # A single word is a heading only if it is what psql calls a column of JSON.
        if all(map(_NAMES.fullmatch, names)) and (len(names) > 1 or names[0] in _JSON_COLUMNS):
            yield Table(split, names, numbers[0]), 1
        yield Table(split, None, 0), 0
    yield Table(_split_aligned, None, 0), 0  # `psql -t`


def is_table(first: Sequence[Line]) -> bool:
    """Tell whether lines look like the beginning of a table of any form, readable or not."""
    try:
        texts = [_text(line.raw) for line in first[:3]]
    except NotCanonical:
        return False
    return (
        any(_RULE.fullmatch(text.strip()) and len(text) > 3 for text in texts[1:2])
        or any(pattern.match(text) for text in texts for pattern in (_RECORD, _BORDER, _COPY))
        or any(pattern.fullmatch(text) for text in texts[1:2] for pattern in (_COLUMNS_RULE, _MARKDOWN_RULE))
        or bool(_QUOTED.match(texts[0]))
        or _ASCII in texts[0]
        or any("|{" in text or "| {" in text for text in texts)
        or all(map(_ASSIGNED.match, texts))
    )


def is_footer(raw: bytes) -> bool:
    """Tell whether a line comes after the last row: ``(6 rows)``, or COPY's ``\\.``."""
    return raw == b"\\." or (raw.startswith(b"(") and bool(_FOOTER.fullmatch(raw.decode("ascii", "replace"))))


def read_copied(raw: bytes, value: "JsonValue | NotCanonical") -> "JsonValue | NotCanonical":
    """Return the value of a line of JSON that COPY may have written, with each backslash doubled.

    Often only one of the two readings is JSON. If both are, the event's content hash decides.

    Args:
        raw: the line.
        value: the line parsed as plain JSON, or the error.
    """
    if b"\\\\" not in raw or _SINGLE_BACKSLASH.search(raw):
        return value
    try:
        copied = load_bounded(raw.replace(b"\\\\", b"\\"))
    except NotCanonical:
        return value
    if isinstance(value, NotCanonical):
        return copied
    return copied if _is_intact(copied) and not _is_intact(value) else value


def _is_intact(value: JsonValue) -> bool:
    try:
        return type(value) is dict and check_content_hash(value, "1") is HashCheck.INTACT
    except NotCanonical:
        return False


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotCanonical("", f"not UTF-8: {error.reason} at byte {error.start}") from None


def _pdu(fields: Sequence[str]) -> JsonValue:
    """Return the one event among the fields of a row."""
    values = [load_json(field) for field in fields if field.startswith("{")]
    events = [value for value in values if type(pdu := unwrap(value)[0]) is dict and is_pdu(pdu)]
    if len(events) != 1:
        raise _Damaged(f"expected one column with the JSON of an event, found {len(events)}")
    return events[0]


def _object_end(text: str, start: int) -> int:
    """Return where the JSON object that begins at a position ends."""
    depth = 0
    at = start
    while (found := _BRACKET_OR_STRING.search(text, at)) is not None:
        at = found.end()
        match found[0]:
            case '"':
                string = _STRING_BODY.match(text, at)
                if string is None:
                    break
                at = string.end()
            case "{" | "[":
                depth += 1
            case _:
                depth -= 1
                if not depth:
                    return at
    raise _Damaged("the JSON in it is cut off")


def _split_bars(text: str) -> list[str]:
    """Split a row of ``psql -A``: fields with ``|`` between them, and no escapes."""
    fields: list[str] = []
    at = 0
    while len(fields) < _MAX_COLUMNS:
        if text.startswith("{", at):
            end = _object_end(text, at)
            if end < len(text) and text[end] != "|":
                raise _Damaged("there is text after the JSON in it")
        else:
            end = text.find("|", at)
            end = len(text) if end < 0 else end
        fields.append(text[at:end])
        if end >= len(text):
            return fields
        at = end + 1
    raise _Damaged(_TOO_MANY)


def _split_aligned(text: str) -> list[str]:
    """Split a row of psql's default output: fields padded with spaces, and ``|`` between them."""
    fields: list[str] = []
    at = 0
    while len(fields) < _MAX_COLUMNS:
        while text.startswith(" ", at):
            at += 1
        if text.startswith("{", at):
            end = _object_end(text, at)
            bar = text.find("|", end)
            bar = len(text) if bar < 0 else bar
            if text[end:bar].strip(" "):
                raise _Damaged("there is text after the JSON in it")
        else:
            bar = text.find("|", at)
            bar = len(text) if bar < 0 else bar
            end = bar
        fields.append(text[at:end].rstrip(" "))
        if bar >= len(text):
            return fields
        at = bar + 1
    raise _Damaged(_TOO_MANY)


def _split_tabs(text: str) -> list[str]:
    """Split a row of COPY's text form: fields with tabs between them, special characters escaped.

    ``sqlite3 -tabs`` prints the same without escapes.
    """
    fields = text.split("\t", _MAX_COLUMNS)
    if not 1 < len(fields) <= _MAX_COLUMNS:
        raise _Damaged(_TOO_MANY if len(fields) > 1 else "expected several columns")
    return [_unescaped(field) for field in fields]


def _unescaped(field: str) -> str:
    """Return a field as it was before COPY escaped it. JSON that COPY cannot have written is not changed.

    If it is JSON with the escapes and without, the event's content hash decides.
    """
    if "\\" not in field:
        return field
    plain = _parsed(field) if field.startswith("{") else None
    if plain is not None and _SINGLE_BACKSLASH.search(field.encode()):
        return field
    copied = _COPY_ESCAPE.sub(_unescape, field)
    return field if plain is not None and _is_intact(plain) and not _is_intact(_parsed(copied)) else copied


def _parsed(text: str) -> JsonValue:
    try:
        return load_json(text)
    except NotCanonical:
        return None


def _unescape(match: re.Match[str]) -> str:
    octal, hexadecimal, character = match.groups()
    if octal is not None or hexadecimal is not None:
        # COPY itself writes no such escapes, and one would be a byte, not a character.
        raise _Damaged(f"an escape that is not supported: {match[0]}")
    return _COPY_LETTERS.get(character, character)


def _split_commas(text: str) -> list[str]:
    """Split a row of CSV: fields with commas between them, in quotation marks where needed."""
    fields: list[str] = []
    at = 0
    while len(fields) < _MAX_COLUMNS:
        if text.startswith('"', at):
            end = at + 1
            while True:
                end = text.find('"', end)
                if end < 0:
                    raise _Damaged("a quotation mark is not closed")
                if not text.startswith('""', end):
                    break
                end += 2
            fields.append(text[at + 1 : end].replace('""', '"'))
            end += 1
            if end < len(text) and text[end] != ",":
                raise _Damaged("there is text after a quotation mark")
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            fields.append(text[at:end])
        if end >= len(text):
            return fields
        at = end + 1
    raise _Damaged(_TOO_MANY)


def ids_in_row(raw: bytes) -> list[EventId]:
    """Return the event IDs in a row, each a field of its own between ``|``, tabs or commas."""
    fields = _SEPARATOR.split(_text(raw), _MAX_COLUMNS)
    return [field for one in fields if _EVENT_ID.fullmatch(field := one.strip(" \r"))]


def holds_ids_only(first: Sequence[Line]) -> bool:
    """Tell whether the first lines of a file are rows with one event ID each, or lines before such rows."""
    try:
        heading = heading_of_ids(first)
        rows = [ids_in_row(line.raw) for line in first if line.number > heading and not is_footer(line.raw)]
    except NotCanonical:
        return False
    return bool(rows) and all(len(ids) == 1 for ids in rows) and not any(b"{" in line.raw for line in first)


def heading_of_ids(first: Sequence[Line]) -> int:
    """Return how many lines come before the rows of a table of IDs."""
    if len(first) > 1 and _RULE.fullmatch(_text(first[1].raw).strip()):
        return first[1].number
    names = _SEPARATOR.split(_text(first[0].raw), _MAX_COLUMNS)
    return first[0].number if all(map(_NAMES.fullmatch, names)) else 0
