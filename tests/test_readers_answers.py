"""Answers of servers: their events are those of JSON Lines, or a message says what they are."""

import gzip
import io
import json
import re
from contextlib import suppress
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from command_line import Write, run
from forms import pairs, small_room
from server_answers import answers, block, client, stripped, synced, template, text_of, with_ids
from test_readers import Pipe, failure, json_lines, read

from roomver import check_room, get_room_version
from roomver.contributions import Origin
from roomver.entry import GivenIds, Part
from roomver.errors import UnknownState
from roomver.gathering import gather_events
from roomver.readers import InputError, read_event, read_room, read_rooms
from roomver.readers import lines as lines_module
from roomver.readers import values as values_module

ELEVEN = get_room_version("11")
ROOM = pairs(small_room())
PDUS = [pdu for _, pdu in ROOM]
IDS = [event_id for event_id, _ in ROOM]


@pytest.mark.parametrize("version", ["2", "11", "12"])
@pytest.mark.parametrize("name", answers())
def test_an_answer_gives_the_events_that_json_lines_give(name: str, version: str) -> None:
    value, pdus, parts = answers(version)[name]
    assert [entry.pdu for entry in read(json_lines(pdus), get_room_version(version))] == pdus
    for indent in (None, 2):
        text = text_of(value, indent)
        for data in (text, gzip.compress(text)):
            for make in (io.BytesIO, Pipe):
                room = read_room(make(data), "input")
                assert room.version is get_room_version(version)
                entries = list(room.entries)
                assert [entry.pdu for entry in entries] == pdus
                assert [entry.part for entry in entries] == parts
                assert [entry.error for entry in entries] == [None] * len(pdus)


@pytest.mark.parametrize("chunk", [1, 50, values_module._CHUNK])
@pytest.mark.parametrize("name", answers())
def test_a_long_answer_is_read_like_a_short_one(
    name: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long answer is never parsed whole: each event is parsed by itself."""
    value, pdus, parts = answers()[name]
    if isinstance(value, str) or len(pdus) == 1:
        return
    monkeypatch.setattr(values_module, "_CHUNK", chunk)
    short = read(text_of(value, 1), ELEVEN)
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1200)
    assert max(len(json.dumps(pdu, indent=8)) for pdu in PDUS) < 1200 < len(text_of(value))
    for indent in (None, 1):
        entries = read(text_of(value, indent))
        assert [entry.pdu for entry in entries] == pdus
        assert [entry.part for entry in entries] == parts
        assert [str(entry.place) for entry in entries] == [str(entry.place) for entry in short]
        assert [entry.claimed_id for entry in entries] == [entry.claimed_id for entry in short]


def test_an_array_that_begins_with_a_number_is_no_answer_to_a_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1200)
    for value in ([5, *PDUS], [200, {"pdus": PDUS}, PDUS[0]], [PDUS[0], 5, *PDUS]):
        entries = read(json.dumps(value))
        assert len(entries) == len(value)
        assert PDUS[0] in [entry.pdu for entry in entries]


@pytest.mark.parametrize("version", VERSIONS)
def test_events_of_sync_get_the_room_that_they_are_listed_under(version: str) -> None:
    built = small_room(version)
    room = pairs(built)
    without = [{key: held for key, held in pdu.items() if key != "room_id"} for pdu in with_ids(room)]
    entries = read(json.dumps(synced(built.room_id, without, [])))
    assert [entry.pdu for entry in entries] == [pdu for _, pdu in room]
    # In the wrong room the content hash does not match. The create event of version 12 names no room.
    wrong = read(json.dumps(synced("!wrong:a.example", without, [])), built.version)
    assert sum(entry.pdu != pdu for entry, (_, pdu) in zip(wrong, room, strict=True)) == 6 - (version == "12")


def test_sync_gives_no_state(write: Write) -> None:
    """Its state may lack members, or be what changed since the last response."""
    file = write("sync.json", synced("!room:a.example", with_ids(ROOM[2:5]), with_ids(ROOM[5:])))
    result = run("state", "--room-version", "11", file)
    assert (result.exit_code, result.stdout) == (3, "")
    whole = write("sync.json", synced("!room:a.example", with_ids(ROOM[:5]), with_ids(ROOM[5:])))
    assert run("check", whole).exit_code == 0


# State IDs with the events elsewhere.


def state_ids(number: int = 5) -> dict[str, Any]:
    return {"pdu_ids": IDS[:number], "auth_chain_ids": IDS[:3]}


@pytest.mark.parametrize(
    "ids",
    [
        json.dumps(state_ids()),
        json.dumps(IDS[:5], indent=1),
        "".join(f"{event_id}\n" for event_id in IDS[:5]),
        " event_id \n----------\n" + "".join(f" {event_id}\n" for event_id in IDS[:5]) + "(5 rows)\n",
    ],
)
def test_event_ids_and_their_events_are_a_state(ids: str, write: Write) -> None:
    # One of several branches, which the events alone would resolve.
    later = small_room()
    later.add("m.room.topic", ALICE, {"topic": "later"}, state_key="")
    events = write("events.jsonl", [event.pdu for event in later.events.values()])
    answer = write("state.json", {"pdus": PDUS[:5], "auth_chain": PDUS[:3]})
    expected = run("state", "--json", answer)
    assert expected.exit_code == 0
    file = write("ids.json", ids)
    for files in ((file, "--also", events), (events, "--also", file)):
        result = run("state", "--json", *files)
        assert (result.exit_code, result.stdout) == (0, expected.stdout), result.output
    draft = write("draft.json", {"type": "m.room.topic", "state_key": "", "sender": BOB, "content": {}})
    result = run("auth", "--state", file, "--also", events, draft)
    assert result.exit_code == 1
    assert "send.state_level" in result.stdout or "state_default" in result.stdout
    assert run("check", file, "--also", events).exit_code == 0


def test_event_ids_whose_events_are_missing_are_a_state_known_in_part(write: Write) -> None:
    ids = write("ids.json", state_ids())
    events = write("events.jsonl", PDUS[:4])
    result = run("state", "--json", ids, "--also", events)
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert [entry["event_id"] for entry in found["state"]] == sorted(
        IDS[:4], key=lambda e: (PDUS[IDS.index(e)]["type"], PDUS[IDS.index(e)]["state_key"])
    )
    assert found["unknown"][0]["reason"] == f"events of the state are missing: {IDS[4]}"
    assert found["unknown"][0]["types"] is None
    # A dropped event is as good as missing.
    events = write("events.jsonl", [*PDUS[:4], {**PDUS[4], "depth": "x"}])
    assert run("state", ids, "--also", events).exit_code == 3
    assert run("auth", "--state", ids, "--also", events, write("e.json", PDUS[5])).exit_code == 3


def test_the_key_of_an_event_of_another_room_is_unknown_in_a_state_of_ids(write: Write) -> None:
    other = Room("11", name="other")
    other.join(ALICE)
    foreign = other.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    events = write("events.jsonl", [*PDUS, foreign.pdu])
    ids = write("ids.json", {"pdu_ids": [*IDS[:5], foreign.event_id]})
    result = run("state", "--type", "m.room.topic", ids, "--also", events)
    assert (result.exit_code, f"{foreign.event_id} of another room" in result.stderr) == (3, True)
    gathered = gather_events(
        read(json_lines([*PDUS, foreign.pdu])),
        ELEVEN,
        origins=[Origin("ids", "a list of event IDs", state_ids=[GivenIds([*IDS[:5], foreign.event_id])])],
    )
    with pytest.raises(UnknownState, match=f"m.room.topic.*{re.escape(foreign.event_id)} of another room"):
        gathered.as_state()["m.room.topic", ""]


def test_event_ids_that_are_no_state_are_told(write: Write) -> None:
    events = write("events.jsonl", PDUS)
    ids = write("ids.json", [IDS[0], IDS[5]])
    result = run("state", write("a.json", json.dumps([IDS[0], IDS[5]])), "--also", events)
    assert (result.exit_code, f"{IDS[5]} is a message" in result.stderr) == (2, True)
    both = [write(f"{n}.json", state_ids(n)) for n in (4, 5)]
    result = run("state", events, "--also", both[0], "--also", both[1])
    assert (result.exit_code, f"{both[0]} and {both[1]} contradict each other" in result.stderr) == (3, True)
    assert run("state", events, "--also", both[1], "--also", both[1]).exit_code == 0
    for files in ((ids,), (ids, "--also", both[0])):
        result = run("state", *files)
        assert (result.exit_code, "this file has only event IDs" in result.stderr) == (2, True)
    broken = write("broken.json", '{"pdu_ids": ["$a"], "auth_chain_ids": ["$b"')
    assert run("state", events, "--also", broken).exit_code == 2


# Templates, invites and knocks.


@pytest.mark.parametrize("version", VERSIONS)
def test_a_template_is_judged_as_a_draft(version: str, write: Write) -> None:
    built = small_room(version)
    pdu = built.pdu("m.room.member", "@carol:c.example", {"membership": "join"}, state_key="@carol:c.example")
    file = write("template.json", template(pdu, version))
    state = write("state.jsonl", [event.pdu for event in built.state.values()])
    result = run("auth", "--state", state, file)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("allowed\na draft  m.room.member")
    pdu["content"] = {"membership": "invite"}
    assert run("auth", "--state", state, write("template.json", template(pdu, version))).exit_code == 1
    other = "10" if version == "11" else "11"
    result = run("auth", "--state", state, write("template.json", template(pdu, other)))
    assert (result.exit_code, f"it says that it has room version {other}" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("state",),
        ("resolve",),
        ("event-id", "--room-version", "11"),
        ("hash", "--room-version", "11"),
        ("redact", "--room-version", "11"),
        ("auth", "--room", "ROOM"),
    ],
)
def test_other_commands_say_that_it_is_a_template(command: tuple[str, ...], write: Write) -> None:
    room = write("room.jsonl", PDUS)
    file = write("template.json", template(PDUS[4], "11"))
    result = run(*[room if word == "ROOM" else word for word in command], file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "this is the template of an event, as a server answers /make_join" in result.stderr
    assert "roomver auth --state" in result.stderr


def test_stripped_state_beside_an_event_is_not_read_and_leaves_its_state_in_part(write: Write) -> None:
    invited = small_room()
    invite = invited.member("@carol:c.example", "invite", by=ALICE).pdu
    request = {"event": invite, "room_version": "11", "invite_room_state": [*map(stripped, PDUS[:5])]}
    result = run("check", write("invite.json", request))
    assert result.exit_code == 3
    assert "5 events of its state are stripped" in result.stderr
    assert "malformed" not in result.stdout
    # With PDUs (MSC4311) the state is known as far as they go: whether Carol is banned is not.
    request["invite_room_state"] = PDUS[:5]
    file = write("invite.json", request)
    result = run("check", "--json", file)
    assert result.exit_code == 3
    (found,) = json.loads(result.stdout)["files"][0]["events"]
    assert found["findings"][0]["kind"] == "state-unknown"
    assert "@carol:c.example" in found["findings"][0]["reasons"][0]["text"]
    assert "stripped" not in result.stderr
    assert run("state", file).exit_code == 3
    draft = {"type": "m.room.message", "sender": ALICE, "content": {}}
    request.pop("event")
    file = write("invite.json", request)
    assert run("auth", "--state", file, write("draft.json", draft)).exit_code == 0


@pytest.mark.parametrize("key", ["invite_room_state", "knock_room_state"])
def test_stripped_state_alone_is_told(key: str) -> None:
    said = failure(json.dumps({key: [stripped(pdu) for pdu in PDUS[:5]]}))
    assert said.startswith("this is stripped state: its events have only a type, a state key, a sender")
    assert "GET /_matrix/federation/v1/state/" in said
    # A PDU among them is read.
    mixed = {key: [PDUS[0], *[stripped(pdu) for pdu in PDUS[1:5]]]}
    assert [(entry.pdu, entry.part) for entry in read(json.dumps(mixed))] == [(PDUS[0], Part.PART_OF_STATE)]
    # What is neither is a finding.
    broken = {key: [PDUS[0], {"type": "m.room.name"}, 5]}
    assert len(read(json.dumps(broken))) == 3


# Code blocks.


def test_a_code_block_that_cannot_be_read_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    good = block("PDU found in our database", PDUS[0])
    broken = 'Hello\n```json\n{\n "a": tru\n}\n```\n'
    entries = read(good + broken + good + "```rust\nlet x = 1;\n```\n")
    assert [entry.pdu for entry in entries] == [PDUS[0], None, PDUS[0]]
    line = good.count("\n") + 3
    assert str(entries[1].place) == f"line {line}"
    assert entries[1].error == f"not JSON: Expecting value at line {line + 1}, column 7"
    entries = read(good + "```\n{")
    assert entries[1].error == "the code block does not end"
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1500)
    entries = read(good + "```\n" + "[\n" * 2000 + "```\n" + good + "```\n" + "x" * 2000 + "\n```\n")
    assert [entry.pdu for entry in entries] == [PDUS[0], None, PDUS[0], None]
    assert entries[1].error == "it has more than 1500 bytes"
    assert entries[3].error == "the line has more than 1500 bytes"


def test_a_code_block_after_long_talk_is_found() -> None:
    talk = "Could you look at this event?\n" * 50
    assert [entry.pdu for entry in read(talk + block("It is:", PDUS[0]))] == [PDUS[0]]
    assert failure(talk).startswith("neither JSON nor JSON Lines")
    event = read_event(io.BytesIO((talk + block("It is:", PDUS[5])).encode()), "input", ELEVEN)
    assert event.pdu == PDUS[5]


# What is not a room.


@pytest.mark.parametrize(
    "value",
    [
        {"state": [client(*pair) for pair in ROOM[:5]]},  # Synapse's admin API
        synced("!room:a.example", [client(*pair) for pair in ROOM[:5]], [client(*ROOM[5])]),
        {"chunk": [client(*pair) for pair in ROOM], "start": "s", "end": "t"},  # /messages
        {"event": client(*ROOM[5]), "events_before": [], "events_after": [], "state": [], "start": "s"},
        client(*ROOM[5]),  # /rooms/{id}/event/{id}
        [client(*pair) for pair in ROOM[:5]],  # /rooms/{id}/state
        {"next_batch": "s", "rooms": {"join": {"!a:b": {"timeline": {"events": []}}}}},
        {"next_batch": "s", "rooms": {"join": 5}},
    ],
)
def test_client_json_of_every_api_is_told(value: Any) -> None:
    for data in (json.dumps(value), json.dumps(value, indent=1)):
        said = failure(data)
        assert said.startswith("this is client-server JSON: its events lack auth_events")
        assert "/_synapse/admin/v1/fetch_event/" in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '{"errcode": "M_NOT_FOUND", "error": "Event not found"}',
            "this is a server's error, not its answer: M_NOT_FOUND: Event not found",
        ),
        ('{"errcode": "M_UNKNOWN"}', "this is a server's error, not its answer: M_UNKNOWN"),
        ('{"pdus": {"$a": {}, "$b": {"error": "no"}}}', "this is a server's response to a transaction: it"),
        ("<html><body>502 Bad Gateway</body></html>", "this is HTML, perhaps the error page of a proxy"),
        ("\n\n<!DOCTYPE html>\n<html>\n", "this is HTML, perhaps the error page of a proxy"),
        ('{\n "tardis_version": 1,\n "events": [{},],\n}', "this is JSON5, as a scenario of TARDIS may be"),
        ('{"$a": 5}', "a JSON object that is not an event"),
    ],
)
def test_what_is_not_an_answer_is_told(text: str, reason: str) -> None:
    assert failure(text).startswith(reason)
    with pytest.raises(InputError, match=r"^input: "):
        read_rooms([(io.BytesIO(text.encode()), "input")])


@pytest.mark.parametrize(
    "text",
    [
        '{"rooms": {"join": {"!a": {"timeline": {"events": [5, {}, null, {"type": 5}]}}}}, "next_batch": 1}',
        '{"rooms": {"join": [1], "leave": {"x": {"state": {"events": {}}}, "y": 5}}, "next_batch": "s"}',
        '{"invite_room_state": [5, {}, {"type": "x", "sender": 5}], "event": {}}',
        '{"$a": {}, "$b": {"type": "x"}}',
        "```\n```\n```json\n[]\n```",
        '{"event": {"type": []}, "room_version": []}',
        '{"pdu_ids": [5], "auth_chain_ids": {}}',
        '[200, {"state": 5}]',
        "[200, 5]",
    ],
)
def test_answers_of_the_wrong_types_end_in_entries_or_an_error(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in (lines_module.MAX_LINE_BYTES, 20):
        monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", limit)
        with suppress(InputError):
            check_room(read(text, ELEVEN), ELEVEN)
