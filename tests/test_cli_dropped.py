"""What an undecided answer waits for: missing events, copies of dropped ones, or the whole of a state."""

import json
from typing import Any

from builder import ALICE, BOB, Room
from command_line import Write, ban_beside_a_message, case, entries, header, public_room, report, run

from roomver import Event

DROPPED = "get valid copies of the dropped events"
MISSING = "fetch the missing events"


def forged(pdu: dict[str, Any]) -> dict[str, Any]:
    return {**pdu, "signatures": {}}


def lines_of(built: Room, *dropped: Event, missing: tuple[Event, ...] = ()) -> list[Any]:
    """Return a recording in which some events lack their signatures, and others are missing."""
    ids, gone = [e.event_id for e in dropped], [e.event_id for e in missing]
    found = [line for line in entries(built) if line["event_id"] not in gone]
    for line in found:
        if line["event_id"] in ids:
            line["pdu"] = forged(line["pdu"])
    return [header(), *found]


def advice(text: str, event: Event) -> str:
    """Return what `check` says that a server must do about an event."""
    return text.partition(f"  {event.event_id}  ")[2].partition("A server must ")[2].partition(".\n")[0]


def table_row(text: str, kind: str) -> str:
    """Return the row of a kind in the table of findings."""
    return next(line.rstrip() for line in text.splitlines() if line.startswith(f"{kind} "))


def finding(found: dict[str, Any], event: Event) -> dict[str, Any]:
    (one,) = [e for e in found["events"] if e["event_id"] == event.event_id]
    (only,) = one["findings"]
    assert isinstance(only, dict)
    return only


# An auth event that was dropped


def test_a_dropped_auth_event_is_not_called_missing(write: Write) -> None:
    built = public_room()
    join = built.state["m.room.member", BOB]
    message = built.add("m.room.message", BOB, {"body": "x"})
    later = built.add(
        "m.room.topic",
        ALICE,
        {"topic": "x"},
        state_key="",
        auth=[*built.make("m.room.topic", ALICE, {}, state_key="").auth_event_ids, message.event_id],
    )
    lines = lines_of(built, join)
    number = [line.get("event_id") for line in lines].index(join.event_id) + 1
    file = write("room.jsonl", lines)
    where = f"line {number}: signature-missing"

    found, text = report(file, code=1), run("check", file).stdout
    one = finding(found, message)
    assert one["lacks"] == ["dropped events"]
    assert one["reasons"][0] == {"path": "auth_events", "text": f"{join.event_id} was dropped ({where})"}
    assert finding(found, later)["reasons"][0]["text"].endswith(f"{join.event_id} was dropped")
    assert advice(text, message) == advice(text, later) == DROPPED
    dropped = found["room"]["dropped"][join.event_id]
    assert (dropped["line"], dropped["kind"]) == (number, "signature-missing")
    assert dropped["reasons"] == [
        'signatures["b.example"]: b.example must sign, but its signature is missing'
    ]
    assert "2 events undecided; dropped events:" in text
    assert f"{join.event_id}, dropped ({where}), cited by" in text
    assert "missing events" not in text

    judged = run("auth", "--room", file, message.event_id)
    assert judged.exit_code == 3
    assert f"dropped events: {join.event_id} (dropped, {where})" in judged.stdout
    first, _, third = json.loads(run("auth", "--json", "--room", file, message.event_id).stdout)
    for row in (first, third):
        assert row["missing"] == [join.event_id]
        assert row["dropped"] == {join.event_id: dropped}
        assert row["lacks"] == ["dropped events"]

    for command in (("state", file), ("state", file, "--at", message.event_id), ("resolve", file)):
        result = run(*command)
        assert result.exit_code == 3
        assert "; dropped events:\n" in result.stderr
        assert f"  {join.event_id}, dropped ({where}), cited by {message.event_id}" in result.stderr
        assert "missing events" not in result.stderr


def test_missing_and_dropped_events_are_told_apart(write: Write) -> None:
    built = public_room()
    join, levels = built.state["m.room.member", BOB], built.state["m.room.power_levels", ""]
    message = built.add("m.room.message", BOB, {"body": "x"})
    lines = lines_of(built, join, missing=(levels,))
    file = write("room.jsonl", lines)
    found, text = report(file, code=1), run("check", file).stdout
    assert finding(found, message)["lacks"] == ["missing events", "dropped events"]
    assert advice(text, message) == f"{MISSING} and {DROPPED}"
    assert [*found["room"]["dropped"]] == [join.event_id]
    assert set(found["room"]["missing"]) == {join.event_id, levels.event_id}
    assert "missing or dropped events:" in run("auth", "--room", file, message.event_id).stdout
    # Only missing ones.
    only = write("only.jsonl", lines_of(built, missing=(join,)))
    found, text = report(only, code=3), run("check", only).stdout
    assert (finding(found, message)["lacks"], found["room"]["dropped"]) == (["missing events"], {})
    assert advice(text, message) == MISSING


def test_an_event_of_another_room_was_dropped_too(write: Write) -> None:
    built, other = public_room(), Room("11", name="other")
    foreign = other.member(ALICE, "join")
    lost = built.add("m.room.message", BOB, {}, prev=[foreign])
    line = {"event_id": foreign.event_id, "pdu": foreign.pdu}
    lines = [header(), *entries(built), line]
    found = report(write("both.jsonl", lines), code=1)
    text = f"{foreign.event_id} was dropped (line {len(lines)}: other-room)"
    assert finding(found, lost)["reasons"][0]["text"] == text


def test_an_unknown_third_check_says_what_was_dropped(write: Write) -> None:
    built, ban, _, beside = ban_beside_a_message()
    file = write("room.jsonl", lines_of(built, ban))
    (unknown,) = report(file, code=1)["room"]["current_unknown"]
    assert (unknown["event_id"], [*unknown["dropped"]]) == (beside.event_id, [ban.event_id])
    assert f"dropped events: {ban.event_id} (dropped, line 7: signature-missing)" in run("check", file).stdout


def test_the_list_of_events_that_were_left_out_says_where(write: Write) -> None:
    built = public_room()
    topic = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    file = write("room.jsonl", lines_of(built, topic))
    for command in (("state", file), ("resolve", file)):
        assert f"  {topic.event_id}: " in run(*command).stderr
        assert "its signature is missing (line 7)\n" in run(*command).stderr


# A state that is known in part


WHOLE = "the whole state decides this, such as /state or /send_join without omitted members"


def test_where_members_were_omitted_the_whole_state_is_asked_for(write: Write) -> None:
    built = public_room()
    message = built.add("m.room.message", BOB, {"body": "x"})
    join = built.make_member("@dave:d.example", "join")
    document = {
        "state": [e.pdu for (kind, _), e in built.state.items() if kind != "m.room.member"],
        "auth_chain": [built.state["m.room.member", ALICE].pdu, built.state["m.room.member", BOB].pdu],
        "event": join.pdu,
        "members_omitted": True,
    }
    after = built.add("m.room.message", BOB, {"body": "y"}, prev=[join])
    answer, more = write("answer.json", document), write("more.json", [after.pdu])
    options = ("--room-version", "11", "--unsigned", "--also", more)
    found = json.loads(run("check", "--json", answer, *options).stdout)["files"][0]
    (one,) = [e for e in found["events"] if e["event_id"] == after.event_id]
    assert [(f["kind"], f["lacks"]) for f in one["findings"]] == [("state-unknown", ["whole state"])]
    text = run("check", answer, *options).stdout
    assert table_row(text, "state-unknown").endswith("get the whole state")
    assert advice(text, after).startswith("get the whole state, for example from /state or from /send_join")
    assert "missing events" not in text
    judged = run("auth", "--room", answer, *options, after.event_id)
    assert (judged.exit_code, WHOLE in judged.stdout) == (3, True)
    assert "missing events" not in judged.stdout
    rows = json.loads(run("auth", "--json", "--room", answer, *options, after.event_id).stdout)
    assert next(row["lacks"] for row in rows if row["allowed"] is None) == ["whole state"]
    for command in (("state", answer), ("resolve", answer), ("resolve", answer, "--at", after.event_id)):
        result = run(*command, *options)
        assert result.exit_code == 3
        assert WHOLE in result.stderr
        assert "events missing" not in result.stderr
    assert message.event_id not in text


def test_a_given_state_in_part_asks_for_the_whole_or_for_what_was_dropped(write: Write) -> None:
    result = run("auth", "--state", case("b_sendjoin_partial.json"), case("b_after.json"))
    assert f"  {WHOLE}\n" in result.stdout
    assert WHOLE in run("state", case("b_sendjoin_partial.json")).stderr
    built = public_room()
    message = write("event.json", built.make("m.room.message", BOB, {"body": "x"}).pdu)
    state = [forged(e.pdu) if key[1] == BOB else e.pdu for key, e in built.state.items()]
    file = write("state.json", state)
    options = ("--room-version", "11", "--state", file, message)
    result = run("auth", *options)
    assert result.exit_code == 3
    assert "is unknown (1 dropped, line 5: signature-missing)" in result.stdout
    assert "  valid copies of the dropped events decide this\n" in result.stdout
    (row,) = json.loads(run("auth", "--json", *options).stdout)
    assert row["lacks"] == ["dropped events"]
    printed = run("state", "--room-version", "11", write("answer.json", {"pdus": state, "auth_chain": []}))
    assert "valid copies of the dropped events decide this" in printed.stderr


def test_two_answers_with_the_same_dropped_entry_are_one_state(write: Write) -> None:
    """The places differ, and the states do not."""
    built = public_room()
    state = [forged(e.pdu) if key[1] == BOB else e.pdu for key, e in built.state.items()]
    files = [
        write("a.json", {"pdus": state, "auth_chain": []}),
        write("b.json", {"pdus": state[::-1], "auth_chain": []}),
    ]
    result = run("check", files[0], "--also", files[1], "--room-version", "11")
    assert (result.exit_code, "different" in result.stderr) == (1, False)
