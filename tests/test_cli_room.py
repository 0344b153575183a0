"""``roomver check``, ``auth``, ``state`` and ``resolve`` on whole rooms: the rules, states and reasons."""

import json
import re
import shlex
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from command_line import Write, entries, header, public_room, run

from roomver import Event


def recording(built: Room, **more: Any) -> list[dict[str, Any]]:
    return [header(str(built.version), **more), *entries(built)]


def checked(write: Write, lines: list[Any], code: int) -> dict[str, Any]:
    """Return what ``check --json`` reports about a file, after asserting its exit code."""
    result = run("check", "--json", write("room.jsonl", lines))
    assert result.exit_code == code, result.stdout
    (found,) = json.loads(result.stdout)["files"]
    assert isinstance(found, dict)
    return found


def findings(found: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return the findings by event ID: the kind of each, with its first reason."""
    result: dict[str, list[tuple[str, str]]] = {}
    for event in found["events"]:
        for finding in event["findings"]:
            text = finding["reasons"][0]["text"]
            result.setdefault(event["event_id"], []).append((finding["kind"], text))
    return result


# roomver check


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_that_the_rules_refuse_is_a_finding_with_its_rule(version: str, write: Write) -> None:
    built = public_room(version)
    topic = built.add("m.room.topic", BOB, {"topic": "mine"}, state_key="")
    built.add("m.room.message", ALICE, {"body": "hello"})
    found = checked(write, recording(built), 1)
    ((kind, reason),) = findings(found)[topic.event_id]
    assert kind == "rejected"
    said = "the sender does not have the required power level (sender @bob:b.example, sender level 0"
    assert f"(required_level): {said}" in reason
    assert list(findings(found)) == [topic.event_id]
    assert found["room"]["state_size"] == 5, "the rejected topic is not in the state"


def test_an_event_that_cites_a_rejected_event_is_rejected_for_that(write: Write) -> None:
    built = public_room()
    refused = built.power({"users": {BOB: 100}}, by=BOB)
    citing = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    found = findings(checked(write, recording(built), 1))
    assert {event_id: kinds[0][0] for event_id, kinds in found.items()} == {
        refused.event_id: "rejected",
        citing.event_id: "auth-event-rejected",
    }
    assert refused.event_id in found[citing.event_id][0][1], "the reason names the auth event"


def test_a_missing_auth_event_is_named_and_events_that_cite_it_are_undecided(write: Write) -> None:
    built = public_room()
    message = built.add("m.room.message", BOB, {"body": "hello"})
    join = built.state["m.room.member", BOB]
    lines = [line for line in recording(built) if line.get("event_id") != join.event_id]
    kicks = built.member(BOB, "leave", auth=[built.create, join])
    lines += entries(built)[-1:]
    found = checked(write, lines, 3)
    assert findings(found) == {
        message.event_id: [("auth-event-missing", f"{join.event_id} is missing")],
        kicks.event_id: [("auth-event-missing", f"{join.event_id} is missing")],
    }
    assert found["room"]["undecided_lack"] == found["room"]["state_lacks"] == [join.event_id]
    assert found["room"]["missing"] == {join.event_id: [message.event_id, kicks.event_id]}


def test_one_missing_event_is_named_once_however_many_events_depend_on_it(write: Write) -> None:
    built = public_room()
    join = built.state["m.room.member", BOB]
    topic = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="", auth=[built.create, join])
    for number in range(40):
        built.add("m.room.message", BOB, {"body": str(number)}, auth=[built.create, topic])
    lines = [line for line in recording(built, state=[]) if line.get("event_id") != join.event_id]
    found = checked(write, lines, 3)
    assert len(found["events"]) == 41
    assert {kind for kinds in findings(found).values() for kind, _ in kinds} == {"auth-event-missing"}
    reasons = {reason for kinds in findings(found).values() for _, reason in kinds}
    assert reasons == {
        f"{join.event_id} is missing",
        f"{topic.event_id} is undecided: {join.event_id} is missing",
    }
    assert found["room"]["state_size"] is None
    # A state that cannot be compared is reported neither as different nor as equal.
    assert found["room"]["state_differs"] == []
    assert found["room"]["state_not_compared"] is True
    text = run("check", write("room.jsonl", lines)).stdout
    assert "current state unknown" in text
    assert "41 events undecided; missing events:" in text
    assert f"{join.event_id}, cited by {topic.event_id}\n" in text
    assert "31 more undecided events: --all lists them" in text
    assert text.count("is undecided: $") == 9


def test_an_event_that_only_the_state_refuses_is_a_finding(write: Write) -> None:
    built = public_room()
    before = dict(built.state)
    built.member(BOB, "ban", by=ALICE)
    built.state = before
    late = built.add("m.room.message", BOB, {"body": "still here"})
    found = findings(checked(write, recording(built), 1))
    assert [kind for kind, _ in found[late.event_id]] == ["rejected-by-state"]
    assert "sender.not_joined" in found[late.event_id][0][1]


def test_an_event_beside_a_ban_is_soft_failed(write: Write) -> None:
    built = public_room()
    head, before = built.last, dict(built.state)
    assert head is not None
    built.member(BOB, "ban", by=ALICE)
    built.state = before
    beside = built.add("m.room.message", BOB, {"body": "beside"}, prev=[head])
    found = checked(write, recording(built), 1)
    assert [kind for kind, _ in findings(found)[beside.event_id]] == ["soft-failed"]


def test_where_no_source_tells_the_order_of_arrival_soft_failure_says_so(write: Write) -> None:
    built = public_room()
    head, before = built.last, dict(built.state)
    assert head is not None
    built.member(BOB, "ban", by=ALICE)
    built.state = before
    built.add("m.room.message", BOB, {"body": "beside"}, prev=[head])
    said = "  no source tells the order of arrival: soft-failed if it is that of the input\n"
    recorded = recording(built)
    for lines, known in ((recorded, True), ([line["pdu"] for line in recorded[1:]], False)):
        file = write("room.jsonl", lines)
        arguments = ["check", file, "--room-version", "11", "--unsigned"]
        assert (said in run(*arguments).stdout) is not known
        (found,) = json.loads(run(*arguments, "--json").stdout)["files"]
        assert found["room"]["order_of_arrival_known"] is known
    # Where nothing is soft-failed, nothing is said.
    assert said not in run("check", write("all.jsonl", [e.pdu for e in public_room().events.values()])).stdout


def test_events_that_cite_each_other_are_a_finding(write: Write) -> None:
    # Only in versions 1 and 2 can a sender choose event IDs, and so build a cycle.
    built = public_room("1")
    first = built.make(
        "m.room.message", ALICE, {"body": "1"}, prev=["$second:a.example"], event_id="$first:a.example"
    )
    second = built.make("m.room.message", ALICE, {"body": "2"}, prev=[first], event_id="$second:a.example")
    built.take(first)
    built.take(second)
    found = findings(checked(write, recording(built), 1))
    assert found == {
        first.event_id: [("cycle", f"{second.event_id} is on the cycle too")],
        second.event_id: [("cycle", f"{first.event_id} is on the cycle too")],
    }
    assert list(found) == sorted(found), "in the same order in every run"


@pytest.mark.parametrize("version", ["1", "11", "12"])
def test_the_order_of_the_file_does_not_matter(version: str, write: Write) -> None:
    built = public_room(version)
    built.add("m.room.topic", BOB, {"topic": "mine"}, state_key="")
    lines = recording(built)
    forward = checked(write, lines, 1)
    backward = checked(write, [lines[0], *reversed(lines[1:])], 1)
    assert findings(forward) == findings(backward)
    assert forward["room"] == backward["room"]


def test_the_recording_servers_results_are_compared(write: Write) -> None:
    built = public_room()
    topic = built.add("m.room.topic", BOB, {"topic": "mine"}, state_key="")
    state = [event.event_id for event in built.state.values() if event is not topic]
    agreed = checked(write, recording(built, rejected=[topic.event_id], state=state), 0)
    assert (agreed["summary"]["rejected"], agreed["events"]) == (1, [])

    join = built.state["m.room.member", BOB].event_id
    differs = checked(write, recording(built, rejected=[join], state=[*state, topic.event_id]), 1)
    assert findings(differs)[join] == [
        ("server-differs", "the recording server rejected it, but the rules allow it")
    ]
    assert [kind for kind, _ in findings(differs)[topic.event_id]] == ["rejected", "server-differs"]


def forked(version: str = "11") -> tuple[Room, dict[str, Event]]:
    """Let Bob set a topic while Alice takes his power to do so, and merge both branches."""
    built = Room(version)
    built.join(ALICE)
    levels = {} if version == "12" else {ALICE: 100}
    built.power({"users": {**levels, BOB: 50}})
    built.join_rule("public")
    built.join(BOB)
    old = built.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = dict(built.state)
    new = built.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    built.state = dict(fork)
    demoted = built.power({"users": levels}, prev=[old])
    merge = built.add("m.room.message", ALICE, {"body": "both"}, prev=[new, demoted])
    return built, {"old": old, "new": new, "demoted": demoted, "merge": merge}


def test_resets_and_forward_extremities_are_reported(write: Write) -> None:
    built, event = forked()
    found = checked(write, recording(built), 0)
    assert found["room"]["forward_extremities"] == [event["merge"].event_id]
    assert found["room"]["merges"] == 1
    assert found["room"]["resets"] == [
        {
            "merge": event["merge"].event_id,
            "type": "m.room.topic",
            "state_key": "",
            "lost": event["new"].event_id,
            "restored": event["old"].event_id,
            "kept_by_v2_1": False,
            "class": "as designed",
        }
    ]
    text = run("check", write("again.jsonl", recording(built))).stdout
    assert "current state: 6 entries, resolved from 1 forward extremity" in text
    assert "1 merge of differing states: state resolution undid 1 change; version 12's" in text
    assert "12's algorithm would have undone it too\n" in text
    assert (
        'state reset of m.room.topic "": as designed; version 12\'s algorithm would undo the change' in text
    )
    assert f"at the merge before {event['merge'].event_id}" in text
    assert f"lost {event['new'].event_id}, back to {event['old'].event_id}" in text
    # The command that it names explains it.
    (line,) = [line for line in text.splitlines() if "to explain it: " in line]
    program, *arguments = shlex.split(line.partition(": ")[2])
    assert program == "roomver"
    explained = run(*arguments)
    assert explained.exit_code in (0, 1)
    assert f"lost      {ALICE}'s topic" in explained.stdout or f"lost      {BOB}'s topic" in explained.stdout
    (line,) = [line for line in explained.stdout.splitlines() if "step by step: roomver resolve " in line]
    traced = run(*shlex.split(line.partition("roomver ")[2]))
    assert traced.exit_code == 0
    assert re.search(rf"{re.escape(event['new'].event_id)} in state \d: refused", traced.stdout)


def test_a_room_with_a_gap_reports_where_the_state_is_unknown(write: Write) -> None:
    built = public_room()
    gone = built.add("m.room.message", ALICE, {"body": "lost"})
    after = built.add("m.room.message", ALICE, {"body": "kept"})
    lines = [line for line in recording(built) if line.get("event_id") != gone.event_id]
    found = checked(write, lines, 3)
    assert findings(found) == {after.event_id: [("state-unknown", f"{gone.event_id} is missing")]}
    assert (found["summary"]["undecided"], found["summary"]["bad"]) == (1, 0)
    assert found["room"]["gaps"] == {after.event_id: [gone.event_id]}
    assert found["room"]["extremities_known"] is False
    file = write("room.jsonl", lines)
    text = run("check", file).stdout
    assert "1 event undecided; missing events:" in text
    assert "allowed by their auth events, while the state before is unknown: 1" in text
    assert f"{gone.event_id}, cited by {after.event_id}" in text
    # No command guesses the state.
    for command in (["state"], ["resolve"], ["state", "--at", after.event_id]):
        result = run(command[0], file, *command[1:])
        assert (result.exit_code, result.stdout) == (3, "")
        assert gone.event_id in result.stderr
    result = run("auth", "--room", file, after.event_id)
    assert result.exit_code == 3
    assert "against its auth events: allowed" in result.stdout
    assert "against the state before it: undecided" in result.stdout
    assert f"missing events: {gone.event_id}" in result.stdout
    both = json.loads(run("auth", "--json", "--room", file, after.event_id).stdout)
    assert [one["allowed"] for one in both] == [True, None, None]
    assert both[1]["missing"] == both[2]["missing"] == [gone.event_id]


def test_where_the_state_is_unknown_no_difference_is_reported(write: Write) -> None:
    built = public_room()
    gone = built.add("m.room.message", ALICE, {"body": "lost"})
    after = built.add("m.room.message", BOB, {"body": "refused there"})
    lines = [
        line for line in recording(built, rejected=[after.event_id]) if line.get("event_id") != gone.event_id
    ]
    assert findings(checked(write, lines, 3)) == {
        after.event_id: [("state-unknown", f"{gone.event_id} is missing")]
    }


def test_a_recording_that_was_cut_cannot_be_compared_with_its_servers_state(write: Write) -> None:
    built = public_room()
    state = [event.event_id for event in built.state.values()]
    lines = recording(built, state=state)
    checked(write, lines, 0)
    for kept in (lines[:3], lines[:-1]):
        found = checked(write, kept, 3)
        here = {line["event_id"] for line in kept[1:]}
        missing = {one["event_id"] for one in found["room"]["recorded_missing"] if one["in"] == ["state"]}
        assert (missing, found["room"]["state_differs"]) == (set(state) - here, [])
    text = run("check", write("room.jsonl", lines[:3])).stdout
    assert "missing events of the recording server's state: " in text


def test_without_a_usable_event_the_current_state_is_unknown(write: Write) -> None:
    built = public_room()
    header, *lines = recording(built, state=[event.event_id for event in built.state.values()])
    dropped = [{**line, "pdu": {**line["pdu"], "signatures": {}}} for line in lines]
    for kept, code, why in ((dropped, 1, "every event was dropped"), ([], 3, "there are no events")):
        found = checked(write, [header, *kept], code)["room"]
        assert (found["state_size"], found["state_differs"], found["state_not_compared"]) == (None, [], True)
        text = run("check", write("room.jsonl", [header, *kept])).stdout
        assert f"  current state unknown: {why}\n" in text
        assert "cannot be compared: the state here is unknown\n" in text


def _answer(built: Room, form: str) -> Any:
    """Return what a server answers to Bob's join: the state before it and the auth chain of that state."""
    join = built.state["m.room.member", BOB]
    state = [event.pdu for event in built.state.values() if event is not join]
    cited = {event_id for event in built.state.values() for event_id in event.auth_event_ids}
    chain = [built.events[event_id].pdu for event_id in sorted(cited)]
    match form:
        case "/send_join":
            return {"state": state, "auth_chain": chain, "event": join.pdu}
        case "/send_join v1":
            return [200, {"state": state, "auth_chain": chain}]
        case _:
            return {"pdus": state, "auth_chain": chain}


@pytest.mark.parametrize("form", ["/send_join", "/send_join v1", "/state"])
def test_the_current_state_of_a_servers_answer_is_the_one_that_it_gives(form: str, write: Write) -> None:
    built = Room("11")
    built.join(ALICE)
    built.power({"users": {ALICE: 100}})
    built.join_rule("public")
    # The events between are not in the answer, so its prev events do not say which event follows which.
    for _ in range(3):
        built.add("m.room.message", ALICE, {"body": "x"})
        built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    messages = [event for event in built.events.values() if event not in built.state.values()]
    built.join(BOB)
    join = built.state["m.room.member", BOB]
    for event in messages:
        del built.events[event.event_id]
    file = write("answer.json", json.dumps(_answer(built, form)))
    expected = {event.event_id for event in built.state.values()}
    if form != "/send_join":
        expected.remove(join.event_id)
    result = run("state", "--json", "--room-version", "11", file)
    assert result.exit_code == 0
    assert {entry["event_id"] for entry in json.loads(result.stdout)} == expected
    # `resolve` gives the same, because there is nothing else to resolve.
    resolved = json.loads(run("resolve", "--json", "--room-version", "11", file).stdout)
    assert {entry["event_id"] for entry in resolved["state"]} == expected
    before = run("resolve", "--json", "--at", join.event_id, "--room-version", "11", file)
    if form == "/send_join":
        there = {entry["event_id"] for entry in json.loads(before.stdout)["state"]}
        assert there == expected - {join.event_id}
    checked_answer = run("check", "--json", "--room-version", "11", file)
    assert checked_answer.exit_code == 0
    (found,) = json.loads(checked_answer.stdout)["files"]
    assert found["room"]["state_size"] == len(expected)
    assert found["room"]["forward_extremities"] == ([join.event_id] if form == "/send_join" else [])
    assert found["room"]["repeated"] == len({"create", "join", "levels", "join rules"})


def test_an_answer_with_two_events_for_a_key_is_an_error(write: Write) -> None:
    built = public_room()
    twice = [*built.state.values(), built.add("m.room.power_levels", ALICE, {}, state_key="")]
    file = write("answer.json", {"state": [event.pdu for event in twice], "auth_chain": []})
    for command in ("check", "state"):
        result = run(command, "--room-version", "11", file)
        assert result.exit_code == 2
        assert 'two events for m.room.power_levels "": ' in result.stderr
    message = built.add("m.room.message", ALICE, {})
    file = write("answer.json", {"state": [message.pdu], "auth_chain": []})
    assert "is a message, not a state event" in run("state", "--room-version", "11", file).stderr


def test_auth_reads_the_output_of_state(write: Write) -> None:
    built = public_room()
    message = built.make("m.room.message", BOB, {"body": "x"})
    printed = run("state", "--json", write("room.jsonl", recording(built))).stdout
    state, event = write("state.json", json.loads(printed)), write("event.json", message.pdu)
    assert run("auth", "--state", state, "--room-version", "11", event).exit_code == 0
    nothing = write("state.json", [{"event_id": "$a", "pdu": {}}])
    result = run("auth", "--state", nothing, "--room-version", "11", event)
    assert result.exit_code == 2
    assert "it has no usable event (line 1: " in result.stderr


# roomver auth


def test_auth_in_a_room_shows_the_rule_and_the_source_of_the_levels(write: Write) -> None:
    built = public_room()
    topic = built.add("m.room.topic", BOB, {"topic": "mine"}, state_key="")
    levels = built.state["m.room.power_levels", ""].event_id
    file = write("room.jsonl", recording(built))
    result = run("auth", "--room", file, topic.event_id)
    assert result.exit_code == 1
    assert "against its auth events: REFUSED" in result.stdout
    assert "against the state before it: REFUSED" in result.stdout
    assert "v11 rule 7 (required_level)" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    assert any(row[:3] == ["required", "level", "50"] and row[-1] == levels for row in rows)

    short = run("auth", "--json", "--room", file, topic.event_id[:8])
    judged = json.loads(short.stdout)
    assert [(one["against"], one["allowed"], one.get("rule")) for one in judged] == [
        ("its auth events", False, "7"),
        ("the state before it", False, "7"),
        ("the current state at its arrival", None, None),
    ]
    assert judged[2]["why"] == "the event is rejected"
    assert {
        key: value
        for row in judged[0]["compared"]
        if row["what"] == "required level"
        for key, value in row.items()
        if key != "source"
    } == {"what": "required level", "value": 50}
    allowed = run("auth", "--room", file, built.create.event_id)
    assert (allowed.exit_code, "allowed" in allowed.stdout) == (0, True)


def test_auth_of_a_new_event_against_a_state(write: Write) -> None:
    built = public_room()
    state = write("state.json", [event.pdu for event in built.state.values()])
    good = write("good.json", built.make("m.room.message", BOB, {"body": "x"}).pdu)
    bad = write("bad.json", built.make_member(ALICE, "ban", by=BOB).pdu)
    assert run("auth", "--state", state, "--room-version", "11", good).exit_code == 0
    refused = run("auth", "--state", state, "--room-version", "11", bad)
    assert refused.exit_code == 1
    assert "v11 rule 4.6.3 (member.ban.otherwise)" in refused.stdout


def test_auth_says_what_is_missing(write: Write) -> None:
    built = public_room()
    message = built.add("m.room.message", BOB, {"body": "hello"})
    join = built.state["m.room.member", BOB]
    lines = [line for line in recording(built) if line.get("event_id") != join.event_id]
    file = write("room.jsonl", lines)
    result = run("auth", "--room", file, message.event_id)
    assert result.exit_code == 3
    assert "against its auth events: undecided" in result.stdout
    assert f"missing events: {join.event_id}" in result.stdout
    for wrong in ([], ["--room", file, "--state", file]):
        assert run("auth", *wrong, message.event_id).exit_code == 2
    assert run("auth", "--room", file, "$nothing").exit_code == 2


# roomver state and roomver resolve


def test_state_now_and_at_an_event(write: Write) -> None:
    built, event = forked()
    file = write("room.jsonl", recording(built))

    def topic_at(*options: str) -> str:
        result = run("state", file, "--type", "m.room.topic", "--key", "", "--json", *options)
        assert result.exit_code == 0, result.stderr
        (entry,) = json.loads(result.stdout)
        return str(entry["event_id"])

    assert topic_at() == event["old"].event_id, "Bob lost the power to set the topic"
    assert topic_at("--at", event["new"].event_id) == event["new"].event_id
    assert topic_at("--at", event["new"].event_id[:9], "--before") == event["old"].event_id
    everything = run("state", file)
    assert len(everything.stdout.splitlines()) == 6
    none = run("state", file, "--type", "m.room.name")
    assert none.exit_code == 1
    assert run("state", file, "--at", "$nothing").exit_code == 2


def test_resolve_says_why(write: Write) -> None:
    built, event = forked()
    file = write("room.jsonl", recording(built))
    at = ("resolve", file, "--at", event["merge"].event_id)
    why = run(*at, "--why", "m.room.topic", "")
    assert why.exit_code == 0
    lines = why.stdout.splitlines()
    assert lines[0] == f"m.room.topic '': {event['old'].event_id}"
    assert any(event["new"].event_id in line and "refused" in line and "rule 7" in line for line in lines)

    plain = run(*at).stdout
    assert "resolved state: 6 entries from 2 states" in plain
    assert f"against {event['new'].event_id}: 2 entries differ" in plain
    assert f'm.room.topic "": {event["new"].event_id} -> {event["old"].event_id}' in plain

    trace = json.loads(run(*at, "--trace", "--json").stdout)["trace"]
    assert event["demoted"].event_id in trace["power_order"]
    tried = {check["event_id"]: check["accepted"] for check in trace["checks"]}
    assert (tried[event["demoted"].event_id], tried[event["new"].event_id]) == (True, False)
    text = run(*at, "--trace").stdout
    assert f"{event['new'].event_id} REFUSED - v11 rule 7 (required_level)" in text


def test_resolve_given_sets_and_another_algorithm(write: Write) -> None:
    built, event = forked()
    file = write("room.jsonl", recording(built))
    shared = [e.event_id for e in built.events.values() if e.state_key is not None][:2]
    sets = [
        write("a.json", json.dumps([*shared, event["old"].event_id])),
        write("b.json", json.dumps([*shared, event["new"].event_id])),
    ]
    given = [option for one in sets for option in ("--sets", one)]
    # The newer topic brings its auth events with it, except in version 1.
    cited = [built.state[key].event_id for key in (("m.room.join_rules", ""), ("m.room.member", BOB))]
    for algorithm, expected in (
        ("v1", [event["old"].event_id]),
        ("v2", [event["new"].event_id, *cited]),
        ("v2.1", [event["new"].event_id, *cited]),
    ):
        result = run("resolve", file, *given, "--algorithm", algorithm, "--json")
        assert result.exit_code == 0, result.stderr
        ids = {entry["event_id"] for entry in json.loads(result.stdout)["state"]}
        assert ids == {*shared, *expected}
    twice = write("c.json", json.dumps([event["old"].event_id, event["new"].event_id]))
    wrong = run("resolve", file, "--sets", twice, "--sets", sets[0])
    assert wrong.exit_code == 2
    assert "two events for m.room.topic ''" in wrong.stderr


def test_the_first_findings_are_listed_and_all_of_them_if_asked(write: Write) -> None:
    built = public_room()
    built.join(BOB)
    topics = [built.add("m.room.topic", BOB, {"topic": str(number)}, state_key="") for number in range(8)]
    file = write("room.jsonl", recording(built, rejected=[topic.event_id for topic in topics]))
    short, whole = run("check", file).stdout, run("check", "--all", file).stdout
    assert "8 events rejected here and by the recording server:" in short
    assert "and 3 more: --all lists them" in short
    assert [topic.event_id in short for topic in topics] == [True] * 5 + [False] * 3
    assert all(topic.event_id in whole for topic in topics)
    assert "(required_level): the sender does not have the required power level" in short


def test_the_first_missing_events_are_named_and_all_of_them_if_asked(write: Write) -> None:
    built, cited = public_room(), [f"${number:043}" for number in range(12)]
    last = built.last
    assert last is not None
    undecided = [built.add("m.room.message", ALICE, {"body": "x"}, prev=[one]) for one in cited]
    file = write("room.jsonl", recording(built))
    short, whole = run("check", file).stdout, run("check", "--all", file).stdout
    assert [f"    {one}, cited by" in short for one in cited] == [True] * 10 + [False] * 2
    assert "    and 2 more: `roomver check --all` lists them" in short
    assert all(f"    {one}, cited by" in whole for one in cited)
    assert "--all" not in whole
    assert "  and 2 more: `roomver check --all` lists them" in run("state", file).stderr
    for event in undecided:
        del built.events[event.event_id]
    # The recording server's state has them.
    file = write("room.jsonl", recording(built, rejected=[], state=cited))
    short, whole = run("check", file).stdout, run("check", "--all", file).stdout
    said = "missing events of the recording server's state: "
    assert f"{said}{', '.join(cited[:10])} and 2 more: --all lists them\n" in short
    assert f"{said}{', '.join(cited)}\n" in whole
    assert "--all" not in whole


def test_events_that_the_server_soft_failed_are_all_named_if_asked(write: Write) -> None:
    built = public_room()
    sent = [built.add("m.room.message", ALICE, {"body": str(number)}).event_id for number in range(12)]
    file = write("room.jsonl", recording(built, rejected=[], soft_failed=sent, state=[]))
    short, whole = run("check", file).stdout, run("check", "--all", file).stdout
    said = "12 events soft-failed there, accepted here; the order of arrival may explain it: "
    assert f"{said}{', '.join(sorted(sent)[:10])} and 2 more: --all lists them\n" in short
    assert f"{said}{', '.join(sorted(sent))}\n" in whole
