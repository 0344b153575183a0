"""The forms in which people hold a room: each is read like JSON Lines, and no row is guessed."""

import bz2
import gzip
import io
import json
import lzma
from typing import Any

import pytest
from builder import ALICE, Room, public_key
from forms import BODY, FORMS, TABLES, copied, lines, pairs, small_room, stored
from test_readers import Pipe, failure, json_lines, read

from roomver import get_room_version
from roomver.entry import Entry
from roomver.readers import InputError, read_room, read_rooms, read_state_ids

ROOM = pairs(small_room())
PDUS = [pdu for _, pdu in ROOM]
ELEVEN = get_room_version("11")
WITHOUT_IDS = {
    "psql, one column",
    "psql -A, one column",
    "COPY, one column",
    "jq",
    "jq, no line ends",
    "one array after another",
    "one line, and then jq",
    "federation, an answer per line",
    "federation, an answer over many lines",
}


def claims(entries: list[Entry]) -> list[tuple[str | None, Any]]:
    return [(entry.claimed_id, entry.pdu) for entry in entries]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_events(form: str, packed: bool) -> None:
    text = FORMS[form](ROOM).encode()
    if packed:
        text = gzip.compress(text, mtime=0)
    expected = [(None if form in WITHOUT_IDS else event_id, pdu) for event_id, pdu in ROOM]
    for make in (io.BytesIO, Pipe):
        for version in (None, ELEVEN):
            room = read_room(make(text), "input", version)
            assert room.version is ELEVEN
            assert claims(list(room.entries)) == expected


@pytest.mark.parametrize("form", TABLES)
def test_a_damaged_row_is_unreadable_and_leaves_the_rest(form: str) -> None:
    good = FORMS[form](ROOM)
    rows = good.splitlines()
    (at,) = [index for index, row in enumerate(rows) if "m.room.join_rules" in row]
    cut = rows[at][: rows[at].index('"public"') + 3]
    extra = rows[at].replace('"public"', '"public"}', 1)
    for damaged in (cut, extra, "hello", "{}"):
        entries = read("\n".join([*rows[:at], damaged, *rows[at + 1 :]]))
        bad = [entry for entry in entries if entry.error is not None]
        assert [entry.place.line for entry in bad] == [at + 1], damaged
        assert [entry.pdu for entry in entries if entry.error is None] == PDUS[:3] + PDUS[4:]


def test_a_row_with_two_events_is_unreadable() -> None:
    text = lines([f"{stored(PDUS[0])}|$a", f"{stored(PDUS[1])}|{stored(PDUS[2])}"])
    (first, second) = read(text)
    assert first.pdu == PDUS[0]
    assert second.error == ("not a row of this table: expected one column with the JSON of an event, found 2")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a\t{}\\101", "an escape that is not supported: \\101"),
        ("a", "expected several columns"),
        ("a\t" * 2000, "there are more than 1000 columns"),
    ],
)
def test_a_row_of_copy_that_is_none(row: str, reason: str) -> None:
    entries = read(lines([f"$a\t{copied(stored(PDUS[0]))}", row]))
    assert entries[1].error == f"not a row of this table: {reason}"


@pytest.mark.parametrize("copy", [True, False])
def test_tabs_without_the_escapes_of_copy_are_read(copy: bool) -> None:
    """`sqlite3 -tabs` escapes nothing, so that the same text may mean two things."""
    built = Room("11")
    built.join(ALICE)
    for body in ("a\nb" if copy else "a\\nb", 'a "b"', "\\", "\\\\n\t"):
        built.add("m.room.message", ALICE, {"body": body})
    room = pairs(built)
    text = lines(f"{e}\t{copied(stored(pdu)) if copy else stored(pdu)}" for e, pdu in room)
    assert [(entry.claimed_id, entry.pdu) for entry in read(text)] == room


@pytest.mark.parametrize("copy", [True, False])
def test_where_two_readings_are_json_the_content_hash_tells(copy: bool) -> None:
    # COPY writes a line end in JSON like JSON writes a backslash before an n.
    built = Room("11")
    built.join(ALICE)
    built.add("m.room.message", ALICE, {"body": "a\nb" if copy else "a\\nb"})
    room = pairs(built)
    text = [copied(stored(pdu)) if copy else stored(pdu) for _, pdu in room]
    assert text[2].count("\\\\n") == 1
    assert [entry.pdu for entry in read(lines(text))] == [pdu for _, pdu in room]
    # With neither hash it is what the text says.
    room[2][1]["hashes"] = {"sha256": "A" * 43}
    text = [copied(stored(pdu)) if copy else stored(pdu) for _, pdu in room]
    assert read(lines(text))[2].pdu["content"] == {"body": "a\\nb"}  # type: ignore[call-overload, index]


@pytest.mark.parametrize(
    "text",
    [
        "-[ RECORD 1 ]---\nevent_id | $a\njson     | {}\n",
        "+----------+------+\n| event_id | json |\n+----------+------+\n| $a | {} |\n",
        "COPY public.event_json (event_id, json) FROM stdin;\n$a\t{}\n",
        ' json \n------\n {"type": +\n',
        '$a|{"type": "m.room.cre\n',
    ],
)
def test_a_table_that_cannot_be_read_back_names_the_command_that_works(text: str) -> None:
    assert failure(text).startswith("it looks like a table whose rows cannot be read back")
    assert "psql -At -c" in failure(text)


# What stands inside of an event or beside it.


def test_an_id_inside_of_an_event_is_its_claim() -> None:
    event_id, pdu = ROOM[5]
    (entry,) = read(json.dumps({**pdu, "event_id": event_id}), ELEVEN)
    assert (entry.pdu, entry.claimed_id, entry.carried_id) == (pdu, event_id, event_id)
    (entry,) = read(json.dumps({"event_id": "$x", "pdu": {**pdu, "event_id": "$y"}}), ELEVEN)
    assert (entry.pdu, entry.claimed_id, entry.carried_id) == (pdu, "$x", "$y")
    # What is not a string is a defect, and versions 1 and 2 have the key.
    (entry,) = read(json.dumps({**pdu, "event_id": 5}), ELEVEN)
    assert (entry.pdu, entry.claimed_id) == ({**pdu, "event_id": 5}, None)
    old = small_room("2").create.pdu
    (entry,) = read(json.dumps(old))
    assert (entry.pdu, entry.claimed_id, entry.carried_id) == (old, None, None)


def test_the_room_id_inside_of_a_create_event_of_version_12_is_its_claim() -> None:
    create = small_room("12").create
    (entry,) = read(json.dumps({**create.pdu, "room_id": create.room_id, "event_id": create.event_id}))
    assert entry.pdu == create.pdu
    assert (entry.claimed_room_id, entry.claimed_id) == (create.room_id, create.event_id)
    (entry,) = read(json.dumps(PDUS[0]))
    assert (entry.pdu, entry.claimed_room_id) == (PDUS[0], None)


def test_a_column_that_is_not_json_is_a_broken_entry() -> None:
    rows = [{"json": stored(PDUS[0])}, {"json": "{"}, {"json": 5}]
    good, broken, number = read(json_lines(rows))
    assert good.pdu == PDUS[0]
    assert broken.error == "not JSON: Expecting property name enclosed in double quotes at column 2"
    assert (number.pdu, number.error) == (5, None)


# What is not a room.


def client(pdu: dict[str, Any], event_id: str = "$a") -> dict[str, Any]:
    kept = ("type", "state_key", "room_id", "sender", "content", "origin_server_ts")
    return {**{key: pdu[key] for key in kept if key in pdu}, "event_id": event_id, "unsigned": {"age": 5}}


def sync(events: list[Any], section: str = "timeline", membership: str = "join") -> dict[str, Any]:
    empty: dict[str, Any] = {name: {"events": []} for name in ("timeline", "state") if name != section}
    rooms = {membership: {"!a:a.example": {**empty, section: {"events": events}}}}
    return {"next_batch": "s", "account_data": {"events": []}, "rooms": rooms}


@pytest.mark.parametrize(
    "value",
    [
        client(PDUS[5]),
        {"event": client(PDUS[5])},
        [client(pdu) for pdu in PDUS],
        {"state": [client(pdu) for pdu in PDUS]},
        {"chunk": [client(pdu) for pdu in PDUS], "start": "s"},
        {"next_batch": "s", "rooms": {}},
        sync([client(pdu) for pdu in PDUS]),
        {"rooms": sync([client(pdu) for pdu in PDUS])["rooms"]},
        sync([client(pdu) for pdu in PDUS])["rooms"]["join"]["!a:a.example"],
        [sync([client(PDUS[5])])] * 3,
        [client(PDUS[5])] * 1000,
    ],
)
def test_client_server_json_is_told_once(value: Any) -> None:
    said = failure(json.dumps(value))
    assert said.startswith("this is client-server JSON: its events lack auth_events, prev_events, depth")
    for way in ("/_synapse/admin/v1/fetch_event/", "event_json", "debug get-pdu", "/federation/v1/event/"):
        assert way in said
    if type(value) is list:
        assert failure(json_lines([*value, *value])) == said
        assert failure(json_lines([*value, *value]), ELEVEN) == said


@pytest.mark.parametrize("section", ["timeline", "state", "state_after"])
@pytest.mark.parametrize("membership", ["join", "leave"])
def test_a_part_of_a_response_to_sync_is_told_once(section: str, membership: str) -> None:
    for pdus in (PDUS, [{**pdu, "event_id": "$a"} for pdu in PDUS]):
        whole = sync(pdus, section, membership)
        assert [entry.pdu for entry in read(json.dumps(whole))] == PDUS
        rooms = {"rooms": whole["rooms"]}
        (room,) = whole["rooms"][membership].values()
        said = {failure(json.dumps(value, indent=i)) for value in (rooms, room, [whole]) for i in (None, 1)}
        (one,) = {*said, failure(json_lines([room, room]))}
        assert one.startswith("this is a part of a response to /sync, or several in one array. Give whole")


def test_one_event_of_a_client_does_not_hide_the_others() -> None:
    entries = read(json_lines([*[client(PDUS[0])] * 3, *PDUS]))
    assert [entry.pdu for entry in entries[3:]] == PDUS


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"pdu_ids": ["$a"], "auth_chain_ids": ["$b"]}),
        json.dumps(["$a", "$b"]),
        json.dumps({"pdus": ["$a"]}),
        "$a\n$b\n",
        "77|m.room.create||$a\n77|m.room.member|@a:x|$b\n",
        " event_id \n----------\n $a\n $b\n(2 rows)\n",
    ],
)
def test_event_ids_alone_are_told_and_are_a_state(text: str) -> None:
    assert failure(text).startswith("this file has only event IDs. Give a file with the events")
    if "pdus" not in text:
        assert read_state_ids(io.BytesIO(text.encode()), "ids")[0] == "$a"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"SQLite format 3\0" + b"\0" * 84,
            "this is an SQLite database; if it is Synapse's, read a room of it: roomver check",
        ),
        (b"PGDMP\1\16", "this is a pg_dump archive; restore it (pg_restore -d DATABASE FILE) and read"),
        (b"\xfd7zXZ\0\0", "the xz data is damaged: it ends too early"),
        (b"\xfd7zXZ\0" + b"\xff" * 20, "the xz data is damaged: "),
        (lzma.compress(b"{}")[:-20], "the xz data is damaged: it ends too early"),
        (lzma.compress(b"{}") + b"hello", "the xz data is damaged: "),
        (b"BZh91AY&SY", "the bzip2 data is damaged: it ends too early"),
        (b"BZhello", "the bzip2 data is damaged: "),
        (
            gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0),
            "this is compressed twice; unpack it first: gzip -dc",
        ),
        (lzma.compress(bz2.compress(b"{}")), "this is compressed twice; unpack it first: bzip2 -dc"),
        (b"PK\3\4", "this is a zip archive; unpack it first: unzip -p"),
        *(
            (json.dumps(PDUS[0]).encode(encoding), f"this is {encoding[:6].upper()}; convert it: iconv -f")
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
        ),
        (gzip.compress(b"SQLite format 3\0", mtime=0), "this is an SQLite database"),
        (gzip.compress(b"", mtime=0), "the input is empty"),
        (
            gzip.compress(stored(PDUS).encode(), mtime=0)[:-20],
            "the gzip data is damaged: Compressed file ended",
        ),
        (b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 20, "the gzip data is damaged: "),
    ],
)
def test_what_is_not_text_is_told_in_one_sentence(data: bytes, reason: str) -> None:
    assert failure(data).startswith(reason)
    with pytest.raises(InputError) as caught:
        read_room(Pipe(data), "input")
    assert caught.value.reason == failure(data)


# The room version.


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_create_event_without_a_version_is_of_version_1(version: str) -> None:
    built = Room(version, content={"creator": ALICE})
    assert read_room(io.BytesIO(json.dumps([built.create.pdu]).encode()), "input").version.identifier == "1"


def test_a_create_event_that_has_been_redacted_does_not_say_version_1() -> None:
    redacted = {**small_room("10").create.pdu, "content": {"creator": ALICE}}
    assert failure(json.dumps([redacted])).endswith("give --room-version")
    assert failure(json_lines([redacted, redacted])).endswith("give --room-version")
    assert len(read(json.dumps([redacted]), get_room_version("10"))) == 1


# Several files.


def several(*texts: str | bytes) -> list[tuple[io.BytesIO, str]]:
    data = [text.encode() if isinstance(text, str) else text for text in texts]
    return [(io.BytesIO(one), f"file {number}") for number, one in enumerate(data, 1)]


def test_several_files_are_one_room() -> None:
    chain, event = json.dumps({"auth_chain": PDUS[:5]}), json.dumps(PDUS[5])
    for order in ((chain, event), (event, chain)):
        room = read_rooms(several(*order))
        assert room.version is ELEVEN
        entries = list(room.entries)
        assert [entry.pdu for entry in entries] in (PDUS, PDUS[5:] + PDUS[:5])
        assert room.bytes_read == len(chain) + len(event)
    assert str(entries[0].place) == "file 1, line 1"
    assert str(entries[1].place) == "file 2, auth_chain[0]"
    # Each document gives a state of its own.
    assert len({entry.document for entry in entries}) == 2


def test_several_files_must_be_of_one_version() -> None:
    head = {"format": "roomver-room/1", "room_version": "11"}
    other = {**head, "room_version": "10"}
    with pytest.raises(InputError, match="file 2: it says that it has room version 10, not 11"):
        read_rooms(several(json_lines([head, head]), json_lines([other])))
    decided = {**head, "rejected": []}
    room = read_rooms(several(json.dumps(PDUS[1:]), json_lines([decided])))
    assert room.version is ELEVEN
    assert room.header is not None
    with pytest.raises(InputError, match="file 1: neither a header nor a create event gives"):
        read_rooms(several(json.dumps(PDUS[1:]), json.dumps(PDUS[1:])))


def test_a_message_body_holds_what_separates_columns() -> None:
    assert PDUS[5]["content"]["body"] == BODY
    assert set('|,"\t\n\\') <= set(BODY)


def test_the_keys_of_several_files_are_joined() -> None:
    def head(until: int) -> str:
        key = {"key": public_key("a.example"), "valid_until_ts": until}
        fields = {"format": "roomver-room/1", "room_version": "11"}
        return json.dumps({**fields, "keys": {"a.example": {"ed25519:1": key}}})

    other = json.dumps({"pdus": PDUS, "keys": {"b.example": {"ed25519:1": public_key("b.example")}}})
    for order in ((head(5), other, head(7)), (head(7), other, head(5)), (other, head(7), head(5))):
        keys = read_rooms(several(*order)).keys
        (key,) = keys.find("a.example", "ed25519:1")
        assert key.valid_until_ts == 7
        assert key.sources == tuple(f"file {n}" for n, text in enumerate(order, 1) if text != other)
        (key,) = keys.find("b.example", "ed25519:1")
        assert key.sources == (f"file {order.index(other) + 1}",)
        assert keys.clashes == ()


def test_a_line_that_is_json_only_with_the_escapes_of_copy_is_read_by_lines() -> None:
    """The line after it is not JSON, so the reader tries a document over several lines, and finds none."""
    data = rb'{"type":"x","body":"\\"","":3}' + b"\n{"
    room = read_room(io.BytesIO(data), "f", get_room_version("11"))
    first, second = room.entries
    assert first.error is None
    assert second.error is not None
    with pytest.raises(InputError):
        read_room(io.BytesIO(data), "f")


def test_a_recording_whose_first_event_is_broken_in_two_is_read_by_lines() -> None:
    """Two lines that are not JSON do not make it one document after another."""
    head = json_lines([{"format": "roomver-room/1", "room_version": "11"}])
    broken = b'{"event_id":"$a\nb","pdu":{}}\n'
    entries = read(head + broken + json_lines(PDUS))
    assert [entry.place.line for entry in entries] == list(range(2, 4 + len(PDUS)))
    assert [entry.error is None for entry in entries] == [False, False, *[True] * len(PDUS)]
