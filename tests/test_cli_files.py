"""What the commands do with files of every form, and with calls that cannot be meant."""

import gzip
import json

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from command_line import Write, run
from forms import FORMS, pairs, small_room

from roomver import redact

ROOM = small_room()
EVENTS = pairs(ROOM)
MESSAGE_ID, MESSAGE = EVENTS[5]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_checked_like_json_lines(form: str, write: Write) -> None:
    plain = json.loads(run("check", "--json", write("room.jsonl", [pdu for _, pdu in EVENTS])).stdout)
    result = run("check", "--json", write("room.txt", FORMS[form](EVENTS)))
    assert result.exit_code == 0, result.stdout
    (found,), (expected,) = json.loads(result.stdout)["files"], plain["files"]
    assert {**found, "file": ""} == {**expected, "file": ""}
    assert run("state", "--type", "m.room.topic", write("room.txt", FORMS[form](EVENTS))).exit_code == 1


def test_a_wrong_id_inside_of_an_event_is_a_finding(write: Write) -> None:
    lines = [{**pdu, "event_id": event_id} for event_id, pdu in EVENTS]
    lines[5]["event_id"] = "$" + "A" * 43
    result = run("check", write("room.jsonl", lines))
    assert result.exit_code == 1
    assert (
        f'event_id: the input says "${"A" * 43}", but the reference hash gives "{MESSAGE_ID}"'
        in result.stdout
    )
    # Two claims, of which one is true.
    for wrapped in (
        {"event_id": MESSAGE_ID, "pdu": {**MESSAGE, "event_id": "$x"}},
        {"event_id": "$x", "pdu": {**MESSAGE, "event_id": MESSAGE_ID}},
    ):
        result = run("check", "--json", write("room.jsonl", [pdu for _, pdu in EVENTS[:5]] + [wrapped]))
        (event,) = json.loads(result.stdout)["files"][0]["events"]
        assert [finding["kind"] for finding in event["findings"]] == ["event-id"]
        assert len(event["findings"][0]["reasons"]) == 1
        assert '"$x"' in event["findings"][0]["reasons"][0]["text"]


def test_a_wrong_room_id_inside_of_a_create_event_is_a_finding(write: Write) -> None:
    built = small_room("12")
    create = built.create
    rest = [pdu for _, pdu in pairs(built)[1:]]
    good = [{**create.pdu, "room_id": create.room_id, "event_id": create.event_id}, *rest]
    assert run("check", write("room.jsonl", good)).exit_code == 0
    bad = [{**create.pdu, "room_id": "!" + "A" * 43, "event_id": "$x"}, *rest]
    result = run("check", "--json", write("room.jsonl", bad))
    event = json.loads(result.stdout)["files"][0]["events"][0]
    (finding,) = event["findings"]
    assert finding["kind"] == "event-id"
    assert [reason["path"] for reason in finding["reasons"]] == ["event_id", "room_id"]


def test_an_event_that_is_dropped_is_named_by_the_id_that_others_cite(write: Write) -> None:
    built = small_room()
    long = built.power({"users": {ALICE: 100}})
    built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    lines = [pdu for _, pdu in pairs(built)]
    lines[6] = {**lines[6], "unsigned": {"x": "y" * 70_000}}
    result = run("check", write("room.jsonl", lines))
    assert result.exit_code == 1
    assert f"line 7  {long.event_id}  m.room.power_levels" in result.stdout
    assert f"auth_events: {long.event_id} was dropped (line 7: malformed)" in result.stdout


@pytest.mark.parametrize("version", [v for v in VERSIONS if int(v) <= 10])
@pytest.mark.parametrize("how", ["redacted", "broken"])
def test_a_create_event_that_is_not_as_it_was_made(version: str, how: str, write: Write) -> None:
    built = small_room(version)
    create, *rest = (pdu for _, pdu in pairs(built))
    if how == "redacted":
        create = redact(create, version)
        assert create["content"] == {"creator": ALICE}
    else:
        create = {**create, "content": {**create["content"], "m.federate": True}}
    head = {"format": "roomver-room/1", "room_version": version}
    for text, options in (([head, create, *rest], ()), ([create, *rest], ("--room-version", version))):
        result = run("check", "--json", *options, write("room.jsonl", text))
        assert result.exit_code == (how == "broken"), result.stdout
        (found,) = json.loads(result.stdout)["files"]
        assert found["room_version"] == version
        assert found["room"]["state_size"] == 5
        notes = [note for event in found["events"] for note in event["notes"]]
        assert notes == []
        assert run("state", *options, write("room.jsonl", text)).exit_code == 0


def test_a_create_event_that_was_never_of_the_version_is_still_told(write: Write) -> None:
    built = Room("10", content={"creator": ALICE})
    result = run("check", "--room-version", "10", write("room.jsonl", [built.create.pdu] * 2))
    assert result.exit_code == 2
    assert "makes a room of version 1, but it is read as version 10" in result.stderr


@pytest.mark.parametrize("command", ["check", "state", "resolve", "auth"])
def test_a_row_of_another_room_leaves_the_rest(command: str, write: Write) -> None:
    other = Room("11", name="other", creator=BOB)
    state = [event.pdu for event in ROOM.state.values()]
    foreign = other.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    file = write("state.json", json.dumps({"pdus": [*state, foreign.pdu], "auth_chain": []}))
    if command == "auth":
        result = run("auth", "--json", "--room", file, ROOM.state["m.room.member", BOB].event_id)
        assert result.exit_code == 0
        assert json.loads(result.stdout)[0]["allowed"] is True
        return
    result = run(command, "--json", file)
    # The topic of this room is unknown, so its state is known in part.
    assert result.exit_code == (1 if command == "check" else 3)
    found = json.loads(result.stdout)
    if command == "check":
        (event,) = found["files"][0]["events"]
        assert (event["event_id"], event["findings"][0]["kind"]) == (foreign.event_id, "other-room")
        assert found["files"][0]["room"]["state_size"] == 5
    else:
        assert len(found["state"]) == 5
        (unknown,) = found["unknown"]
        assert unknown["keys"] == [["m.room.topic", ""]]


# --also and --sets.


def test_several_answers_make_one_room(write: Write) -> None:
    chain = write("chain.json", json.dumps({"auth_chain": [pdu for _, pdu in EVENTS[:5]]}))
    event = write("event.json", MESSAGE)
    result = run("auth", "--room", chain, "--also", event, MESSAGE_ID)
    assert "against its auth events: allowed" in result.stdout
    found = json.loads(run("check", "--json", chain, "--also", event).stdout)["files"][0]
    assert found["summary"]["events"] == 6
    broken = write("event.json", {**MESSAGE, "depth": "x"})
    assert f"\n{broken}, line 1  $" in run("check", chain, "--also", broken).stdout
    assert len(json.loads(run("state", "--json", event, "--also", chain).stdout)) == 5
    state = write("state.json", json.dumps([event.pdu for event in [*ROOM.state.values()][:4]]))
    more = write("more.json", json.dumps([event.pdu for event in [*ROOM.state.values()][4:]]))
    draft = write("draft.json", MESSAGE)
    assert run("auth", "--state", state, draft).exit_code == 1
    assert run("auth", "--state", state, "--also", more, draft).exit_code == 0
    result = run("check", chain, chain, "--also", event)
    assert (result.exit_code, "--also adds to one room" in result.stderr) == (2, True)
    result = run("check", "-", "--also", "-")
    assert (result.exit_code, "it can be read only once" in result.stderr) == (2, True)


def test_each_answer_gives_its_own_state(write: Write) -> None:
    built = Room("11")
    built.join(ALICE)
    built.join_rule("public")
    answers = []
    for user in (BOB, "@carol:c.example"):
        state = [event.pdu for event in built.state.values()]
        for _ in range(2):
            built.add("m.room.message", ALICE, {})
        built.join(user)
        join = built.state["m.room.member", user]
        answers.append(
            write(f"{user[1]}.json", json.dumps({"state": state, "auth_chain": [], "event": join.pdu}))
        )
    result = run("check", "--json", answers[0], "--also", answers[1])
    found = json.loads(result.stdout)["files"][0]
    assert found["room"]["gaps"] == {}, "the states given bridge them"
    states = [
        json.dumps({"pdus": [event.pdu for event in built.state.values()][:n], "auth_chain": []})
        for n in (3, 2)
    ]
    files = [write(f"{n}.json", text) for n, text in enumerate(states)]
    result = run("state", files[0], "--also", files[1])
    assert result.exit_code == 3
    assert f"{files[0]} and {files[1]} contradict each other" in result.stderr
    assert "find out which one is right" in result.stderr
    assert run("state", files[0], "--also", files[0]).exit_code == 0


def sets() -> dict[str, str]:
    ids = [event.event_id for event in ROOM.state.values()]
    rows = [(*key, event.event_id) for key, event in ROOM.state.items()]
    return {
        "an array": json.dumps(ids),
        "objects": json.dumps([{"event_id": one, "pdu": {}} for one in ids]),
        "/state_ids": json.dumps({"pdu_ids": ids, "auth_chain_ids": ids[:2]}, indent=1),
        "lines": "".join(one + "\n" for one in ids) + "\n",
        "one line end missing": "\n".join(ids),
        "psql -At": "".join(f"77|{kind}|{key}|{one}\n" for kind, key, one in rows),
        "psql -A": "state_group|type|state_key|event_id\n"
        + "".join(f"77|{kind}|{key}|{one}\n" for kind, key, one in rows)
        + "(5 rows)\n",
        "psql": "   type   |  event_id  \n----------+------------\n"
        + "".join(f" {kind:8} | {one}\n" for kind, key, one in rows)
        + "(5 rows)\n\n",
        "TSV": "".join(f"{kind}\t{key}\t{one}\n" for kind, key, one in rows),
        "CSV": "type,state_key,event_id\n" + "".join(f"{kind},{key},{one}\n" for kind, key, one in rows),
    }


@pytest.mark.parametrize("form", sets())
def test_a_state_is_a_list_of_ids_in_any_form(form: str, write: Write) -> None:
    room = write("room.jsonl", [pdu for _, pdu in EVENTS])
    file, other = write("a.txt", sets()[form]), write("b.txt", sets()["lines"])
    result = run("resolve", "--json", room, "--sets", file, "--sets", other)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert {entry["event_id"] for entry in found["state"]} == {e.event_id for e in ROOM.state.values()}
    assert list(found["differences"].values()) == [[], []]
    packed = write("a.gz", gzip.compress(sets()[form].encode()))
    assert run("resolve", room, "--sets", packed, "--sets", other).exit_code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the input is empty"),
        ("\n", "it contains no event IDs"),
        ("[]", "it contains no event IDs"),
        ("{}", "it contains no event IDs"),
        ("[5]", "expected event IDs: a JSON array, a response to /state_ids, or one per line"),
        ('["$a", {}]', "expected event IDs"),
        ('["$a"', "not JSON: "),
        ('["$a"] x', "not JSON: Extra data at line 1, column 8"),
        ("$a\nhello\n", "line 2: expected one event ID, found 0"),
        ("$a|$b\n", "line 1: expected one event ID, found 2"),
        ('["$a"]', "no event ID is or starts with $a"),
        ('["a"]', "no event ID is or starts with a; an event ID starts with $: '$a'"),
    ],
)
def test_a_state_that_is_none(text: str, told: str, write: Write) -> None:
    room = write("room.jsonl", [pdu for _, pdu in EVENTS])
    result = run("resolve", room, "--sets", write("a.txt", text), "--sets", write("b.txt", text))
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_an_error_names_the_file_that_it_is_in(write: Write) -> None:
    room = write("room.jsonl", [{"format": "roomver-room/1", "room_version": "11"}, *(p for _, p in EVENTS)])
    other = write("other.jsonl", [{"format": "roomver-room/1", "room_version": "10"}])
    broken = write("broken.json", "{")
    told = {
        other: f"it says that it has room version 10, not 11 as {room} says",
        broken: "neither JSON nor JSON Lines",
        write("cut.json", '[{"type": "x"}, {"type": "y"}'): "not JSON",
        room + "x": "No such file or directory",
    }
    for file, reason in told.items():
        result = run("check", room, "--also", file)
        assert (result.exit_code, result.stderr.startswith(f"roomver: {file}: ")) == (2, True), result.stderr
        assert reason in result.stderr or file.endswith("cut.json")
        (data,) = json.loads(run("check", "--json", room, "--also", file).stdout)["files"]
        assert (data["file"], data["error_in"]) == (room, file)
        for command in ("state", "resolve"):
            assert run(command, room, "--also", file).stderr == result.stderr
    # Two files that contradict each other are both named, and do not stop the reading.
    states = [
        json.dumps({"pdus": [p for _, p in EVENTS if "state_key" in p][:n], "auth_chain": []}) for n in (3, 2)
    ]
    files = [write(f"{n}.json", text) for n, text in enumerate(states)]
    for command, code in (("check", 1), ("state", 3)):
        result = run(command, files[0], "--also", files[1])
        assert result.exit_code == code
        assert f"{files[0]} and {files[1]} contradict each other" in result.output
        assert "1 contradiction between the sources" in result.output
