"""Reading rooms and keys in all their forms."""

import io
import json
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import pytest
from builder import ALICE, BOB, VERSIONS, Room, key_of, public_key

from roomver import RoomVersion, VerifyKey, get_room_version, sign_json
from roomver.check import check_event
from roomver.entry import Entry
from roomver.findings import Summary
from roomver.readers import InputError, read_keys, read_room
from roomver.readers import lines as lines_module

KEYS = {"a.example": {"ed25519:1": {"key": public_key("a.example")}}}


class Pipe(io.BytesIO):
    """A stream that cannot be read twice."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation("seek")

    def tell(self) -> int:
        raise io.UnsupportedOperation("tell")


def events(version: str = "11") -> list[tuple[str, dict[str, Any]]]:
    room = Room(version)
    room.join(ALICE, BOB)
    room.add("m.room.message", ALICE, {"body": "é"})
    return [(event.event_id, event.pdu) for event in room.events.values()]


def header(version: str = "11", **more: Any) -> dict[str, Any]:
    return {"format": "roomver-room/1", "room_version": version, "room_id": "!r:x", "keys": KEYS, **more}


def wrapped(version: str = "11") -> list[dict[str, Any]]:
    return [{"event_id": event_id, "pdu": pdu} for event_id, pdu in events(version)]


def json_lines(values: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def read(text: bytes | str, version: RoomVersion | None = None) -> list[Entry]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(read_room(io.BytesIO(data), "input", version).entries)


def pdus(entries: Iterable[Entry]) -> list[Any]:
    return [entry.pdu for entry in entries]


def failure(text: bytes | str, version: RoomVersion | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read(text, version)
    assert str(caught.value) == f"input: {caught.value.reason}"
    return caught.value.reason


PDUS = [pdu for _, pdu in events()]


def test_a_recorded_room() -> None:
    room = read_room(io.BytesIO(json_lines([header(state=["$x"]), *wrapped()])), "input")
    assert room.version is get_room_version("11")
    assert room.header is not None
    assert (room.header.room_id, room.header.fields["state"]) == ("!r:x", ["$x"])
    (key,) = room.keys.find("a.example", "ed25519:1")
    assert key == key_of("a.example").verify_key
    assert key.sources == ("input",)
    entries = list(room.entries)
    assert [(entry.claimed_id, entry.pdu) for entry in entries] == events()
    assert [str(entry.place) for entry in entries] == ["line 2", "line 3", "line 4", "line 5"]


def test_a_header_alone_is_an_empty_room() -> None:
    room = read_room(io.BytesIO(json_lines([header()])), "input")
    assert list(room.entries) == []
    assert room.keys.find("a.example", "ed25519:1")


def test_a_header_without_keys_gives_no_keys() -> None:
    head = header()
    del head["keys"]
    assert read_room(io.BytesIO(json_lines([head])), "input").keys.keys == {}


def document(**more: Any) -> str:
    return json.dumps(more)


ONE = events()[0][1]

FORMS = {
    "JSON Lines": (json_lines(PDUS), ["line 1", "line 2", "line 3", "line 4"]),
    "JSON Lines with IDs": (json_lines(wrapped()), ["line 1", "line 2", "line 3", "line 4"]),
    "blank lines": (
        b"\n\r\n" + json_lines(PDUS).replace(b"\n", b"\r\n \n"),
        ["line 3", "line 5", "line 7", "line 9"],
    ),
    "an array": (json.dumps(PDUS).encode(), ["[0]", "[1]", "[2]", "[3]"]),
    "an array over many lines": (json.dumps(PDUS, indent=1).encode(), ["[0]", "[1]", "[2]", "[3]"]),
    "an array, an element a line": (
        b"[\n" + b",\n".join(json.dumps(pdu).encode() for pdu in PDUS) + b"\n]\n",
        ["[0]", "[1]", "[2]", "[3]"],
    ),
    "pdus": (document(origin="x", pdus=PDUS).encode(), [f"pdus[{i}]" for i in range(4)]),
    "events": (document(events=PDUS).encode(), [f"events[{i}]" for i in range(4)]),
    "events by ID": (
        document(events=dict(events()), state=[events()[0][0]]).encode(),
        [f'events["{event_id}"]' for event_id, _ in events()],
    ),
    "an answer to a join": (
        document(state=PDUS[:1], auth_chain=PDUS[1:3], event=PDUS[3], origin="x").encode(),
        ["state[0]", "auth_chain[0]", "auth_chain[1]", "event"],
    ),
    "an object over many lines": (
        json.dumps({"pdus": PDUS}, indent=2).encode(),
        [f"pdus[{i}]" for i in range(4)],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_events(form: str) -> None:
    text, places = FORMS[form]
    for stream in (io.BytesIO(text), Pipe(text)):
        room = read_room(stream, "input")
        assert room.version is get_room_version("11")
        entries = list(room.entries)
        assert pdus(entries) == PDUS
        assert [str(entry.place) for entry in entries] == places
        assert room.bytes_read == len(text)


@pytest.mark.parametrize("indent", [None, 2])
def test_one_event_alone(indent: int | None) -> None:
    assert pdus(read(json.dumps(ONE, indent=indent))) == [ONE]
    (entry,) = read(json.dumps({"event_id": "$x", "pdu": ONE}, indent=indent))
    assert (entry.claimed_id, entry.pdu) == ("$x", ONE)


def test_an_event_id_that_is_not_a_string_is_an_error() -> None:
    (entry,) = read(json_lines([{"event_id": 5, "pdu": ONE}]), get_room_version("11"))
    assert (entry.pdu, entry.error) == (None, "event_id: expected a string, found 5")


# The room version


@pytest.mark.parametrize("version", VERSIONS)
def test_the_create_event_says_the_room_version(version: str) -> None:
    lines = [pdu for _, pdu in events(version)]
    for values in (lines, lines[::-1], wrapped(version)[::-1]):
        for stream in (io.BytesIO(json_lines(values)), Pipe(json_lines(values))):
            room = read_room(stream, "input")
            assert room.version is get_room_version(version)
            assert len(list(room.entries)) == len(values)
        assert read_room(io.BytesIO(json.dumps(values).encode()), "input").version is get_room_version(
            version
        )


def test_a_create_event_that_names_no_version_is_of_version_1() -> None:
    pdu = {"type": "m.room.create", "state_key": "", "content": {}}
    assert read_room(io.BytesIO(json_lines([{}, pdu])), "input").version is get_room_version("1")


def test_the_search_for_the_create_event_skips_broken_lines() -> None:
    text = (
        b'{"type": "m.room.create"\n'
        + json_lines([{"type": "m.room.create", "content": {}}])
        + json_lines(PDUS)
    )
    for stream in (io.BytesIO(text), Pipe(text)):
        room = read_room(stream, "input")
        assert room.version is get_room_version("11")
        assert [entry.place.line for entry in room.entries] == [1, 2, 3, 4, 5, 6]


def test_the_callers_version_counts_for_an_input_without_a_header() -> None:
    ten = get_room_version("10")
    for text in (json_lines(PDUS), json.dumps(PDUS).encode(), json_lines(PDUS[1:])):
        assert read_room(io.BytesIO(text), "input", ten).version is ten


def test_a_document_may_name_its_room_version() -> None:
    text = document(room_version="9", pdus=PDUS[1:], keys=KEYS)
    room = read_room(io.BytesIO(text.encode()), "input")
    assert room.version is get_room_version("9")
    assert room.keys.find("a.example", "ed25519:1")
    assert failure(text, get_room_version("10")) == "it says that it has room version 9, not 10"


@pytest.mark.parametrize("text", [json_lines(PDUS[1:]), json.dumps(PDUS[1:]).encode()])
def test_an_input_without_a_room_version_is_an_error(text: bytes) -> None:
    expected = "neither a header nor a create event gives the room version: give --room-version"
    assert failure(text) == expected
    with pytest.raises(InputError, match="give --room-version"):
        read_room(Pipe(text), "input")


@pytest.mark.parametrize("named", ["13", 11, None, ["11"]])
def test_a_create_event_of_an_unknown_version_is_an_error(named: Any) -> None:
    pdu = {**ONE, "content": {"room_version": named}}
    for text in (json_lines([pdu, pdu]), json.dumps([pdu]).encode()):
        expected = (
            f"unknown room version {named!r}; known versions: 1 to 12"
            if isinstance(named, str)
            else f'a room version must be a string such as "11", not {named!r}'
        )
        assert failure(text).startswith(f"its create event: {expected}")


@pytest.mark.parametrize("stream", [io.BytesIO, Pipe])
@pytest.mark.parametrize(
    "text", [json_lines([header(), *wrapped()]), json_lines(PDUS), json.dumps(PDUS, indent=1).encode()]
)
def test_a_byte_order_mark_at_the_start_is_ignored(text: bytes, stream: Callable[[bytes], BinaryIO]) -> None:
    plain, marked = read_room(stream(text), "input"), read_room(stream(b"\xef\xbb\xbf" + text), "input")
    assert marked.version is plain.version
    assert (marked.keys, marked.header) == (plain.keys, plain.header)
    assert list(marked.entries) == list(plain.entries)


@pytest.mark.parametrize("keys", [{}, None])
def test_an_empty_table_of_keys_is_no_table(keys: Any) -> None:
    fields = {} if keys is None else {"keys": keys}
    first = {key: value for key, value in header().items() if key != "keys"}
    assert read_room(io.BytesIO(json_lines([{**first, **fields}, *wrapped()])), "input").keys.keys == {}
    assert read_room(io.BytesIO(json.dumps({"pdus": PDUS, **fields}).encode()), "input").keys.keys == {}
    with pytest.raises(InputError, match="it contains no keys"):
        read_keys(b"{}", "keys.json")


# Inputs that cannot be read


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the input is empty"),
        (b" \n\n\t\n", "the input is empty"),
        (b"hello", "neither JSON nor JSON Lines (not JSON: Expecting value at column 1)"),
        (b"hello\nworld\n", "neither JSON nor JSON Lines (not JSON: Expecting value at line 1, column 1)"),
        (b"\xff{", "neither JSON nor JSON Lines (not UTF-8: invalid start byte at byte 0)"),
        (b"\x00" * 100, "this is not text, and not compressed in a way that can be read; give JSON"),
        (b"5", "expected events, found 5"),
        (b'"text"', 'expected events, found "text"'),
        (b"{}", "a JSON object that is not an event and has none of pdus, events, state, auth_chain"),
        (b'{"pdus": 5}', "a JSON object that is not an event and has none of pdus, events, state,"),
        (
            b'{"format": "roomver-room/3"}\n{}',
            'unknown format "roomver-room/3"; expected roomver-room/1 or roomver-room/2',
        ),
        (
            b'{"format": "roomver-vectors/1", "cases": []}',
            "this is a file of test vectors, not a room: see `roomver vectors run`",
        ),
        (b'{"pdus": [], "keys": {"x": 5}}', "x: must be an object, not 5"),
        (b'{"pdus": [], "room_version": "x"}', "unknown room version 'x'; known versions:"),
    ],
)
def test_an_input_that_is_not_a_room_is_an_error(text: bytes, reason: str) -> None:
    assert failure(text).startswith(reason)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"room_version": "13"}, "the header: unknown room version '13'"),
        ({"room_version": 11}, 'the header: a room version must be a string such as "11", not 11'),
        ({"keys": []}, "the header: keys: must be an object, not []"),
        ({"keys": {"x": {"ed25519:1": "A"}}}, "the header: x ed25519:1: key must be 32 bytes"),
        ({"state": float("nan")}, "the header: state: NaN is not a JSON number"),
        ({"state": 5}, "the header: state: expected an array of event IDs, found 5"),
        ({"rejected": {"$a": 1}}, "the header: rejected: expected an array of event IDs, found an object"),
        ({"soft_failed": ["$a", 1]}, "the header: soft_failed[1]: expected an event ID, found 1"),
        ({"forward_extremities": [[]]}, "the header: forward_extremities[0]: expected an event ID, found"),
        ({"room_id": []}, "the header: room_id: expected a string, found []"),
        ({"server": 5}, "the header: server: expected a string, found 5"),
        ({"redacted_by": []}, "the header: redacted_by: expected an object, found []"),
        ({"redacted_by": {"$a": "$b"}}, 'the header: redacted_by["$a"]: expected an array of event IDs'),
    ],
)
def test_a_broken_header_is_an_error(fields: Any, reason: str) -> None:
    assert failure(json_lines([header(**fields), *wrapped()])).startswith(reason)


def test_a_header_of_another_version_than_the_callers_is_an_error() -> None:
    text = json_lines([header(), *wrapped()])
    assert failure(text, get_room_version("10")) == "it says that it has room version 11, not 10"
    assert len(read(text, get_room_version("11"))) == 4


# Broken lines


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        (b'{"a": "\xff"}', "not UTF-8: invalid start byte at byte 7"),
        (b'\xef\xbb\xbf{"a": 1}', "the text begins with a byte order mark"),
        (b"[" * 100_000, "nested deeper than 128 levels"),
        (b"{} {}", "not JSON: Extra data at column 4"),
    ],
)
@pytest.mark.parametrize("at", [0, 1, 3, 4])
def test_a_broken_line_does_not_stop_the_rest(broken: bytes, error: str, at: int) -> None:
    # At the start of the input, a byte order mark is ignored.
    expected = None if at == 0 and broken.startswith(b"\xef\xbb\xbf") else error
    good = json_lines(PDUS).splitlines()
    lines = [*good[:at], broken, *good[at:]]
    for stream in (io.BytesIO(b"\n".join(lines)), Pipe(b"\n".join(lines))):
        entries = list(read_room(stream, "input").entries)
        assert [entry.place.line for entry in entries] == [1, 2, 3, 4, 5]
        assert entries[at].error == expected
        assert pdus(entries[:at] + entries[at + 1 :]) == PDUS


def test_a_broken_first_line_of_two() -> None:
    (first, second) = read(b'{"type": \n' + json_lines(PDUS[:1]))
    assert (first.place.line, second.place.line) == (1, 2)
    assert first.error is not None
    assert second.pdu == PDUS[0]


def test_a_broken_document_over_many_lines_is_an_error() -> None:
    text = json.dumps({"pdus": PDUS}, indent=2)[:-5]
    assert failure(text).startswith("neither JSON nor JSON Lines (not JSON: ")


def test_a_line_that_is_too_long_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 2000)
    lines = json_lines(PDUS).splitlines()
    assert max(map(len, lines)) < 2000
    for length in (1999, 2000, 2001, 5000):
        text = b"\n".join([lines[0], b" " * (length - 2) + b"{}", *lines[1:]])
        entries = read(text)
        assert [entry.place.line for entry in entries] == [1, 2, 3, 4, 5]
        if length > 2000:
            assert entries[1].error is not None
            assert entries[1].error.startswith("the line has more than")
        else:
            assert entries[1].pdu == {}
        assert pdus([entries[0], *entries[2:]]) == PDUS


def peak(lines: int, *, version: bool, seekable: bool = True) -> int:
    """Return the peak of memory while a room of that many events is checked."""
    value = json.dumps({"event_id": "$x", "pdu": PDUS[3]}).encode() + b"\n"
    create = json_lines([{"event_id": "$x", "pdu": ONE}])

    class Stream(io.RawIOBase):
        """A stream that makes its lines as they are read, so that the input takes no memory."""

        at = 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return seekable

        def tell(self) -> int:
            return self.at

        def seek(self, offset: int, whence: int = 0) -> int:
            assert whence == 0
            self.at = offset
            return offset

        def readline(self, size: int | None = -1, /) -> bytes:
            self.at += 1
            return value if self.at <= lines else create if self.at == lines + 1 else b""

    tracemalloc.start()
    try:
        room = read_room(Stream(), "input", get_room_version("11") if version else None)  # type: ignore[arg-type]
        summary = Summary()
        for entry in room.entries:
            summary.add(check_event(entry.pdu, room.version, claimed_id=entry.claimed_id))
        assert summary.events == lines + 1
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("version", [True, False])
def test_json_lines_are_checked_in_bounded_memory(version: bool) -> None:
    peak(1000, version=version)  # what is imported and cached on first use
    short, long = peak(100, version=version), peak(4000, version=version)
    assert long < short * 1.5 + 20_000


# Keys


def answer(server: str, **more: Any) -> dict[str, Any]:
    published = {
        "server_name": server,
        "valid_until_ts": 1000,
        "verify_keys": {"ed25519:1": {"key": public_key(server)}},
        "old_verify_keys": {},
        **more,
    }
    return sign_json(published, server, key_of(server))


def keys_of(value: Any) -> dict[str, dict[str, VerifyKey]]:
    """Return the keys of a file. All can be used, and no two have the same ID."""
    read = read_keys(json.dumps(value).encode(), "keys.json")
    assert read.refused == ()
    return {server: {i: key for i, (key,) in by_id.items()} for server, by_id in read.keys.keys.items()}


def test_keys_as_a_table() -> None:
    assert keys_of(KEYS) == {"a.example": {"ed25519:1": key_of("a.example").verify_key}}
    assert keys_of(KEYS)["a.example"]["ed25519:1"].sources == ("keys.json",)


@pytest.mark.parametrize("form", ["one", "list", "query"])
def test_keys_as_answers_of_servers(form: str) -> None:
    one = answer("a.example")
    value = {"one": one, "list": [one], "query": {"server_keys": [one]}}[form]
    key = VerifyKey(key_of("a.example").verify_key.key, 1000)
    assert keys_of(value) == {"a.example": {"ed25519:1": key}}


def test_several_answers_of_one_server() -> None:
    old = {"old": {"expired_ts": 5, "key": public_key("old")}}
    early, late = answer("a.example"), answer("a.example", valid_until_ts=2000)
    other = answer("b.example", old_verify_keys={"ed25519:0": old["old"]})
    for order in ([early, late, other], [other, late, early]):
        table = keys_of(order)
        assert table["a.example"]["ed25519:1"].valid_until_ts == 2000
        assert table["b.example"]["ed25519:0"].expired_ts == 5
    again = answer("c.example")
    in_use = {"ed25519:0": {"key": public_key("old")}, **again["verify_keys"]}
    first = answer("c.example", verify_keys=in_use)
    second = answer("c.example", old_verify_keys={"ed25519:0": old["old"]})
    for order in ([first, second], [second, first]):
        assert keys_of(order)["c.example"]["ed25519:0"].expired_ts == 5


def test_two_answers_that_contradict_each_other() -> None:
    in_use = {"ed25519:1": {"key": public_key("a.example")}}
    answers = [
        answer("a.example", verify_keys={**in_use, "ed25519:2": {"key": public_key(name)}}) for name in "bc"
    ]
    read = read_keys(json.dumps(answers).encode(), "keys.json")
    (clash,) = read.keys.clashes
    assert (clash.server, clash.key_id) == ("a.example", "ed25519:2")
    sources = {key.sources for key in clash.keys}
    assert sources == {("keys.json (response 1 of 2)",), ("keys.json (response 2 of 2)",)}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([5], "response 1 of 1 is not a JSON object"),
        (5, "keys: must be an object, not 5"),
        ({}, "it contains no keys"),
        ({"x": {}}, "it contains no keys"),
        ({"x": {"rsa:1": "A"}}, "it contains no keys"),
        ({"x": {"ed25519:1": "A"}}, "x ed25519:1: key must be 32 bytes"),
        ([{}], "response 1 of 1: server_name: must be a server name"),
        ([{}, 5, {}], "response 1 of 3: server_name: must be a server name, not null (and 2 more like this)"),
    ],
)
def test_invalid_keys_are_an_error(value: Any, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        keys_of(value)
    assert str(caught.value).startswith(f"keys.json: {reason}")


def test_one_bad_answer_does_not_lose_the_others() -> None:
    forged = {**answer("a.example"), "valid_until_ts": 9999}
    for answers in ([answer("b.example"), forged, 5], {"server_keys": [answer("b.example"), forged, 5]}):
        read = read_keys(json.dumps(answers).encode(), "keys.json")
        assert list(read.keys.keys) == ["b.example"]
        first, second = read.refused
        assert first.startswith(
            "response 2 of 3: a.example: the response is not signed by the server's own keys"
        )
        assert second == "response 3 of 3 is not a JSON object"
    with pytest.raises(InputError, match=r"not signed by the server's own keys"):
        read_keys(json.dumps(forged).encode(), "keys.json")


def test_one_bad_key_of_a_table_does_not_lose_the_others() -> None:
    good = public_key("a.example")
    table = {"a": {"ed25519:1": good, "ed25519:2": "A"}, "b": 5, "c": {"ed25519:1": good}}
    read = read_keys(json.dumps(table).encode(), "keys.json")
    assert {server: list(by_id) for server, by_id in read.keys.keys.items()} == {
        "a": ["ed25519:1"],
        "c": ["ed25519:1"],
    }
    assert [reason.split(":")[0] for reason in read.refused] == ["a ed25519", "b"]


def test_keys_that_are_not_json_are_an_error() -> None:
    with pytest.raises(InputError, match=r"keys\.json: not JSON"):
        read_keys(b"hello", "keys.json")
