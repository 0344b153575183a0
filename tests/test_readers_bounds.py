"""What a reader does with input of any length, broken anywhere: bounded memory, and never another error."""

import bz2
import gzip
import io
import json
import lzma
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from forms import FORMS, pairs, small_room, stored
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import hostile
from test_readers import Pipe, failure, json_lines, read

from roomver import RoomverError, check_room, get_room_version
from roomver.check import check_entries
from roomver.entry import Entry, Part
from roomver.errors import NotCanonical
from roomver.readers import InputError, read_room, read_state_ids, rooms_in
from roomver.readers import lines as lines_module
from roomver.readers import values as values_module
from roomver.readers.streams import Source
from roomver.readers.values import Values

ROOM = pairs(small_room())
PDUS = [pdu for _, pdu in ROOM]
ELEVEN = get_room_version("11")


def got(text: str | bytes) -> list[tuple[Any, ...]]:
    return [(e.claimed_id, e.pdu, e.error, e.part) for e in read(text)]


DOCUMENTS = {
    "an array": PDUS,
    "pdus": {"pdus": PDUS, "origin": "x"},
    "events by ID": {"state": [ROOM[0][0]], "events": dict(ROOM)},
    "a join": {"room_version": "11", "state": PDUS[:1], "auth_chain": PDUS[1:5], "event": PDUS[5]},
    "a state": {"auth_chain": PDUS[1:3], "pdus": PDUS[:1]},
    "empty lists": {"pdus": [], "events": {}, "state": PDUS},
}


@pytest.mark.parametrize("limit", [values_module._CHUNK, 1500])
@pytest.mark.parametrize("chunk", [1, 7, values_module._CHUNK])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_reads_alike_in_pieces_of_any_size(
    name: str, indent: int | None, chunk: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(DOCUMENTS[name], indent=indent)
    expected = got(text)
    assert len(text) > 1500 > max(len(json.dumps(pdu, indent=2)) for pdu in PDUS)
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", limit)
    monkeypatch.setattr(values_module, "_CHUNK", chunk)
    assert got(text) == expected
    assert got("\ufeff \n" + text + "\n \n") == expected
    room = read_room(Pipe(text.encode()), "input")
    assert [entry.pdu for entry in room.entries] == [row[1] for row in expected]


def test_a_long_answer_gives_the_state_that_it_gave_when_it_was_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1500)
    parts = [entry.part for entry in read(json.dumps(DOCUMENTS["a join"]))]
    assert parts == [Part.STATE, *[Part.AUTH_CHAIN] * 4, Part.JOINED]
    room = read_room(io.BytesIO(json.dumps({"pdus": PDUS[1:], "room_version": "9"}).encode()), "input")
    assert room.version.identifier == "9"


@pytest.mark.parametrize("form", ["jq", "jq, no line ends", "federation, an answer over many lines"])
@pytest.mark.parametrize("chunk", [1, 2, 3, 64])
def test_documents_read_alike_in_pieces_of_any_size(
    form: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values_module, "_CHUNK", chunk)
    assert [row[1] for row in got(FORMS[form](ROOM))] == PDUS


def test_a_value_that_is_too_long_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1500)
    long = {**PDUS[5], "content": {"body": "x" * 2000}}
    for text in (json.dumps([*PDUS, long, PDUS[5]]), json.dumps({"pdus": [*PDUS, long, PDUS[5]]})):
        entries = read(text)
        assert [entry.pdu for entry in entries] == [*PDUS, None, PDUS[5]]
        assert entries[6].error == "it has more than 1500 bytes"
    entries = read("\n".join(json.dumps(one, indent=1) for one in [*PDUS, long, PDUS[5]]))
    assert [entry.pdu for entry in entries] == [*PDUS, None, PDUS[5]]
    # One event that is too long is told as one.
    (entry,) = read(json.dumps(long, indent=1), ELEVEN)
    assert entry.error == "it has more than 1500 bytes"


def test_a_value_that_is_broken_inside_leaves_the_rest() -> None:
    texts = [json.dumps(pdu, indent=1) for pdu in PDUS]
    texts.insert(3, '{"a": tru}')
    entries = read("\n".join(texts))
    assert [entry.pdu for entry in entries] == [*PDUS[:3], None, *PDUS[3:]]
    line = sum(text.count("\n") + 1 for text in texts[:3]) + 1
    assert entries[3].error == f"not JSON: Expecting value at line {line}, column 7"
    assert str(entries[3].place) == f"line {line}"


def test_what_comes_before_the_end_of_the_json_is_read_and_then_the_end_is_told() -> None:
    text = "\n".join(json.dumps(pdu, indent=1) for pdu in PDUS) + "\n}\n" + json.dumps(PDUS[0], indent=1)
    room = read_room(io.BytesIO(text.encode()), "input")
    found: list[Entry] = []
    with pytest.raises(InputError, match="not JSON: Expecting value at line ") as caught:
        found.extend(room.entries)
    assert caught.value.reason.endswith("only the values before that were read")
    room = read_room(io.BytesIO(text.encode()), "input")
    assert [next(room.entries).pdu for _ in PDUS] == PDUS


def test_a_broken_line_behind_the_first_is_no_document() -> None:
    good = json_lines(PDUS).decode()
    first, rest = good.split("\n", 1)
    for broken in ('{"a": 1} x', "x", '{"a": '):
        for text in (f"{first}\n{broken}\n{rest}", f"{broken}\nx\n{good}", f"{broken}\n[]\n{good}"):
            entries = read(text)
            assert [entry.pdu for entry in entries if type(entry.pdu) is dict and "type" in entry.pdu] == PDUS
            assert any(entry.error for entry in entries)


MIXED = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(b"{}[],:|\t\n\r\\ \"$'"[i : i + 1] for i in range(15)),
                b'{"',
                b'":',
                b"\\\\",
                b'\\"',
                b"\x00",
                b"\xff",
                b"\xef\xbb\xbf",
                b"\x1f\x8b\x08",
                b"1" * 5000,
                b"[" * 200,
                b"----+----",
                b"(6 rows)",
                b"event_id|json\n",
                b" json \n------\n",
                b'"pdus":',
                b'"events":',
                b'"state":',
                b'"event":',
                b'"json":',
                b'"event_id":',
                b'"type":',
                b'"rooms":{"join":{"!a:b":{"timeline":{"events":',
                b'"next_batch":"s",',
                b'"$a":{',
                b'"invite_room_state":',
                b'"pdu_ids":["$a"],"auth_chain_ids":',
                b'"room_version":"11",',
                b"\n```json\n",
                b"\n```\n",
                b"[200,",
                b"\xfd7zXZ\0",
                b"\x28\xb5\x2f\xfd",
                b"BZh9",
                b'{"format":"roomver-room/1"}',
                b"m.room.create",
                b"NaN",
                b"\\u0000",
                b"\\N",
                b"COPY x FROM stdin;",
                stored(PDUS[0]).encode(),
                stored(PDUS[5]).encode(),
                json.dumps(PDUS, indent=1).encode(),
            ]
        ),
        st.binary(max_size=4),
    ),
    max_size=12,
).map(b"".join)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@hostile
@given(MIXED, st.booleans(), st.sampled_from(["", *PACKED]), st.sampled_from(["11", "12", "1", None]))
@example(b'{"a":' + b"1" * 5000 + b", oops\n{}", False, "", "11")
@example(b'{"a":' + b"1" * 5000 + b"," + b"[" * 100_000, False, "", "11")
@example(b"[],[]", False, "", None)
def test_any_bytes_end_in_entries_or_an_input_error(
    data: bytes, pipe: bool, packed: str, version: str | None
) -> None:
    data = PACKED[packed](data) if packed else data
    known = None if version is None else get_room_version(version)
    with suppress(InputError):
        room = read_room(Pipe(data) if pipe else io.BytesIO(data), "input", known)
        for _ in check_entries(room.entries, room.version):
            pass
        again = read_room(io.BytesIO(data), "input", room.version, "!room:a.example")
        entries = list(again.entries)
        with suppress(RoomverError):
            check_room(entries, room.version, unhashed=True)
    with suppress(InputError):
        rooms_in([(io.BytesIO(data), "input")])
    with suppress(InputError):
        read_state_ids(io.BytesIO(data), "ids")


@hostile
@given(MIXED, st.integers(1, 9))
def test_a_cursor_finds_the_same_values_in_pieces_of_any_size(data: bytes, chunk: int) -> None:
    def values() -> list[Any]:
        found: list[Any] = []
        cursor = Values(Source(io.BytesIO(b" " + data), "input"))
        try:
            while cursor.peek():
                piece = cursor.value()
                found.append(piece)
        except NotCanonical as error:
            found.append(str(error))
        return found

    whole = values()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values_module, "_CHUNK", chunk)
        assert values() == whole


# Memory.


def peak(data: bytes) -> int:
    """The peak of memory while each entry of an input is checked and dropped."""
    tracemalloc.start()
    try:
        with suppress(InputError):
            room = read_room(io.BytesIO(data), "input", ELEVEN)
            for _ in check_entries(room.entries, room.version):
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "begin",
    ['{"a":\n[]\n', '{"a":\n{}\n[]\n', "[\n", '{"pdus": [\n', "hello\n", "$a|{\n", "", "{}\n{\n{\n"],
)
def test_no_beginning_makes_a_reader_hold_the_whole_input(begin: str) -> None:
    comma = "," if begin.startswith(("[", '{"pdus"')) else ""
    row = stored(PDUS[5]) + comma + "\n"

    def text(rows: int) -> bytes:
        return (begin + row * rows + (stored(PDUS[5]) if comma else "")).encode()

    peak(text(10))  # what is imported and cached on first use
    with pytest.MonkeyPatch.context() as patch:
        # As if a document of this length were too long to be parsed whole.
        patch.setattr(lines_module, "MAX_LINE_BYTES", 20_000)
        short, long = peak(text(400)), peak(text(1600))
    assert long < short * 1.5 + 50_000


@pytest.mark.parametrize("around", ["[{}]", "{}", '{{"a": [{}]}}', '{{"pdus": [{}]}}'])
def test_a_line_of_very_many_small_values_is_not_parsed(around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_VALUES", 5_000)
    line = around.format("[]," * 50_000 + "[]").encode()
    lines = json_lines(PDUS)
    # An empty list takes 56 bytes and its place in another one 8 more.
    for data in (lines + line, line + b"\n" + lines, lines + line + b"\n" + lines):
        assert peak(data) < 20 * 50_000
    entries = read(lines + line + b"\n" + lines)
    assert entries[6].error == "it holds more than 5,000 values"
    assert [entry.pdu for entry in entries[7:]] == PDUS


def test_an_array_of_very_many_small_values_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_VALUES", 5_000)
    monkeypatch.setattr(values_module, "_CHUNK", 2**12)
    assert peak(b"[" + b"[]," * 20_000 + b"[]]") < 20 * 20_000


def test_what_is_packed_small_and_unpacked_large_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 2**17)
    for unpacked in (b"\0" * 2**22, b'{"a":"' + b" " * 2**22, b"[" * 2**18, b"\n" * 2**18):
        assert peak(gzip.compress(unpacked, 9)) < 8 * 2**17
    assert failure(gzip.compress(b"\0" * 2**22)).endswith("(the line has more than 131072 bytes)")
