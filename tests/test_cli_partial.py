"""The commands on states that are known in part, and on recordings whose server is followed."""

import json
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, Room
from command_line import Write, case, entries, header, kinds, public_room, report, run

MEMBERS = "m.room.member entries (members omitted)"
BOBS_KEY = {"type": "m.room.member", "state_key": "@bob:two.example"}


# An answer to a join with members_omitted


def test_an_answer_without_members_is_a_state_known_in_part() -> None:
    file = case("b_sendjoin_partial.json")
    result = run("state", file)
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 6
    assert f"the current state is known in part. Unknown: {MEMBERS}" in result.stderr
    # What is known of it can be asked for, and what is not is not called absent.
    assert run("state", file, "--type", "m.room.topic").exit_code == 0
    assert run("state", file, "--type", "m.room.name").exit_code == 1
    assert run("state", file, "--type", "m.room.member", "--key", "@ann:one.example").exit_code == 0
    unknown = run("state", file, "--type", "m.room.member", "--key", "@bob:two.example")
    assert (unknown.exit_code, unknown.stdout) == (3, "")
    assert MEMBERS in unknown.stderr
    assert run("state", file, "--type", "m.room.member").exit_code == 3
    assert run("state", case("b_sendjoin_full.json")).exit_code == 0


def test_a_rule_that_needs_an_omitted_member_decides_nothing() -> None:
    partial, event = case("b_sendjoin_partial.json"), case("b_after.json")
    result = run("auth", "--state", partial, event)
    assert result.exit_code == 3
    assert "against the state: undecided" in result.stdout
    assert 'm.room.member "@bob:two.example" is unknown (members omitted)' in result.stdout
    (data,) = json.loads(run("auth", "--json", "--state", partial, event).stdout)
    assert data["allowed"] is None
    assert data["unknown"] == [BOBS_KEY]
    assert data["why"] == "members omitted"
    assert run("auth", "--state", case("b_sendjoin_full.json"), event).exit_code == 0


def test_the_missing_member_from_another_file_decides(write: Write) -> None:
    lines = [json.loads(line) for line in Path(case("b_room.jsonl")).read_text().splitlines()]
    bob = write("bob.jsonl", [pdu for pdu in lines if pdu.get("state_key") == "@bob:two.example"])
    partial, event = case("b_sendjoin_partial.json"), case("b_after.json")
    assert run("auth", "--state", partial, "--also", bob, event).exit_code == 0


def test_check_says_which_part_is_known() -> None:
    found = report(case("b_sendjoin_partial.json"), code=0)
    assert found["room"]["state_size"] == 6
    assert found["room"]["state_unknown"] == [
        {"reason": "members omitted", "types": ["m.room.member"], "keys": []}
    ]
    text = run("check", case("b_sendjoin_partial.json")).stdout
    assert (
        "current state: 6 entries, resolved from 1 forward extremity, known in part: members omitted" in text
    )
    assert "\n    unknown: m.room.member entries\n" in text
    assert report(case("b_sendjoin_full.json"), code=0)["room"]["state_unknown"] == []


def test_an_event_that_needs_an_omitted_member_is_undecided(write: Write) -> None:
    lines = [json.loads(line) for line in Path(case("b_room.jsonl")).read_text().splitlines()]
    # Bob's join is here, but whether he is still joined is not.
    bob = [pdu for pdu in lines if pdu.get("state_key") == "@bob:two.example"]
    more = write("more.json", [*bob, json.loads(Path(case("b_after.json")).read_text())])
    found = report(case("b_sendjoin_partial.json"), "--also", more, code=3)
    message = "$Cjh6fTI0vNxq0fvK3XqWmsGOmb_TwAPbhmd4nvTCw8Q"
    assert kinds(found) == {message: ["state-unknown"]}
    (finding,) = found["events"][0]["findings"]
    assert finding["action"] == "fetch"
    assert finding["reasons"][0]["text"] == (
        'the state before it is known in part: m.room.member "@bob:two.example" is unknown (members omitted)'
    )
    assert (found["summary"]["undecided"], found["summary"]["bad"]) == (1, 0)
    assert "1 event undecided" in run("check", case("b_sendjoin_partial.json"), "--also", more).stdout
    # The current state is not known while the message may be a forward extremity.
    assert found["room"]["extremities_known"] is False


def test_a_state_known_in_part_is_written_and_read_as_such(write: Write) -> None:
    printed = run("state", "--json", case("b_sendjoin_partial.json"))
    data = json.loads(printed.stdout)
    assert len(data["state"]) == 6
    assert data["unknown"] == [{"reason": "members omitted", "types": ["m.room.member"], "keys": []}]
    file = write("state.json", data)
    again = run("state", "--room-version", "11", file)
    assert again.exit_code == 3
    assert len(again.stdout.splitlines()) == 6
    assert run("auth", "--room-version", "11", "--state", file, case("b_after.json")).exit_code == 3


def test_resolve_says_that_its_result_is_known_in_part() -> None:
    result = run("resolve", "--json", case("b_sendjoin_partial.json"))
    assert result.exit_code == 3
    assert len(json.loads(result.stdout)["state"]) == 6
    assert json.loads(result.stdout)["unknown"][0]["reason"] == "members omitted"
    assert f"the result is known in part. Unknown: {MEMBERS}" in result.stderr
    assert run("resolve", case("b_sendjoin_partial.json"), "--why", "m.room.topic", "").exit_code == 0
    assert run("resolve", case("b_sendjoin_full.json")).exit_code == 0


# Other answers


def joined_room() -> Room:
    built = public_room()
    built.add("m.room.topic", ALICE, {"topic": "t"}, state_key="")
    return built


def answer(built: Room, *left_out: str, **more: Any) -> dict[str, Any]:
    """Return an answer to a request for the state, without entries of some types."""
    state = [event.pdu for event in built.state.values() if event.type not in left_out]
    chain = [built.create.pdu, built.state["m.room.member", ALICE].pdu]
    return {"pdus": state, "auth_chain": chain, **more}


def unknown_in(write: Write, document: dict[str, Any], code: int = 3) -> list[str]:
    """Return the reasons for which a part of the state is unknown, as ``state --json`` gives them."""
    result = run("state", "--json", "--room-version", "11", write("answer.json", document))
    assert result.exit_code == code, result.stderr
    data = json.loads(result.stdout)
    return [] if code == 0 else [one["reason"] for one in data["unknown"]]


@pytest.mark.parametrize("flag", ["members_omitted", "org.matrix.msc3706.partial_state"])
def test_an_answer_may_say_that_it_omits_members(
    flag: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = joined_room()
    assert unknown_in(write, answer(built), 0) == []
    assert unknown_in(write, answer(built, **{flag: True})) == ["members omitted"]
    for value in (False, "true", None):
        assert unknown_in(write, answer(built, **{flag: value}), 0) == []
    # In a document that is too long to be parsed whole, and with the flag behind the events.
    long = answer(built, **{flag: True})
    monkeypatch.setattr("roomver.readers.lines.MAX_VALUES", 60)
    assert json.dumps(long).count(",") > 60
    assert unknown_in(write, long) == ["members omitted"]


def test_a_state_without_any_member_is_known_in_part(write: Write) -> None:
    built = joined_room()
    document = answer(built, "m.room.member")
    assert unknown_in(write, document) == ["no member is in the state"]
    # Before the creator joins there is no member.
    only = {"pdus": [built.create.pdu], "auth_chain": []}
    assert unknown_in(write, only, 0) == []


def test_a_dropped_entry_is_unknown_and_not_absent(write: Write) -> None:
    built = joined_room()
    document = answer(built)
    for pdu in document["pdus"]:
        if pdu["type"] == "m.room.topic":
            pdu["depth"] = "deep"
    file = write("answer.json", document)
    result = run("state", "--room-version", "11", file, "--type", "m.room.topic")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "m.room.topic '' (1 dropped, pdus[5]: malformed)" in result.stderr
    assert run("state", "--room-version", "11", file, "--type", "m.room.join_rules").exit_code == 0
    text = run("check", "--room-version", "11", file).stdout
    assert "current state: 5 entries, known in part: 1 dropped" in text
    # Its key cannot be read: then it may be any.
    document["pdus"] = [pdu for pdu in document["pdus"] if pdu["type"] != "m.room.topic"] + [{"type": 5}, 7]
    file = write("answer.json", document)
    for kind in ("m.room.topic", "m.room.name"):
        result = run("state", "--room-version", "11", file, "--type", kind)
        assert result.exit_code == 3
        assert "all other entries (2 dropped, the first at pdus[5]: malformed)" in result.stderr


def test_a_dropped_entry_leaves_a_verdict_undecided(write: Write) -> None:
    built = joined_room()
    message = write("event.json", built.make("m.room.message", BOB, {"body": "x"}).pdu)
    state = [event.pdu for event in built.state.values()]
    assert run("auth", "--room-version", "11", "--state", write("s.json", state), message).exit_code == 0
    broken = [{**pdu, "depth": "deep"} if pdu.get("state_key") == BOB else pdu for pdu in state]
    result = run("auth", "--room-version", "11", "--state", write("s.json", broken), message)
    assert result.exit_code == 3
    where = broken.index({**built.state["m.room.member", BOB].pdu, "depth": "deep"}) + 1
    assert f'm.room.member "{BOB}" is unknown (1 dropped, line {where}: malformed)' in result.stdout
    # A message is not an entry of a state.
    bad = {"type": "m.room.message", "sender": BOB}
    assert (
        run("auth", "--room-version", "11", "--state", write("s.json", [*state, bad]), message).exit_code == 0
    )


@pytest.mark.parametrize("given", [False, True])
def test_a_dropped_event_beside_the_state_leaves_its_key_unknown(given: bool, write: Write) -> None:
    """Carol has no other event, and Bob has an older one that can be used."""
    built = joined_room()
    state: Any = answer(built) if given else [event.pdu for event in built.state.values()]
    file = write("s.json", state)
    for user, membership, code in ((CAROL, "join", 1), (BOB, "ban", 0)):
        message = write("event.json", built.make("m.room.message", user, {"body": "x"}).pdu)
        judge = ("auth", "--room-version", "11", "--state", file, message)
        assert run(*judge).exit_code == code
        bad = {**built.make_member(user, membership, by=ALICE).pdu, "depth": "deep"}
        also = write("bad.json", bad)
        result = run(*judge, "--also", also)
        assert result.exit_code == 3
        said = f'm.room.member "{user}" is unknown (1 dropped, {also}, line 1: malformed)'
        assert said in result.stdout
        # Neither an event of the auth chain nor a message is an entry of the state.
        chain = write("chain.json", {"auth_chain": [built.create.pdu, bad]})
        assert run(*judge, "--also", chain).exit_code == (code if given else 3)
        bad.pop("state_key")
        assert run(*judge, "--also", write("bad.json", bad)).exit_code == code


def test_a_bad_copy_of_an_entry_leaves_its_key_known(write: Write) -> None:
    built = joined_room()
    message = write("event.json", built.make("m.room.message", BOB, {"body": "x"}).pdu)
    bob = built.state["m.room.member", BOB]
    file = write("s.json", answer(built))
    judge = ("auth", "--room-version", "11", "--state", file, message)
    copy = {"event_id": bob.event_id, "pdu": {**bob.pdu, "depth": "deep"}}
    assert run(*judge, "--also", write("copy.jsonl", [copy])).exit_code == 0
    without_id = {"pdu": copy["pdu"]}
    assert run(*judge, "--also", write("copy.jsonl", [without_id])).exit_code == 3


def test_a_good_copy_replaces_an_entry_that_was_dropped(write: Write) -> None:
    built = joined_room()
    message = write("event.json", built.make("m.room.message", BOB, {"body": "x"}).pdu)
    bob = built.state["m.room.member", BOB]
    bad = {**bob.pdu, "depth": "deep"}
    document = answer(built)
    document["pdus"] = [bad if pdu is bob.pdu else pdu for pdu in document["pdus"]]
    judge = ("auth", "--room-version", "11", "--state", write("s.json", document), message)
    assert run(*judge).exit_code == 3
    assert run(*judge, "--also", write("good.jsonl", [{"pdu": bob.pdu}])).exit_code == 0
    # Two entries of one state have the same key.
    document["pdus"].append(bob.pdu)
    file = write("s.json", document)
    assert run("auth", "--room-version", "11", "--state", file, message).exit_code == 3


@pytest.mark.parametrize("key", ["invite_room_state", "knock_room_state"])
def test_the_stripped_state_of_an_invite_is_a_part_of_the_state(key: str, write: Write) -> None:
    built = joined_room()
    invite = built.make_member("@carol:c.example", "invite", by=ALICE)
    some = [
        event.pdu for event in built.state.values() if event.type in ("m.room.create", "m.room.join_rules")
    ]
    file = write("invite.json", {"room_version": "11", key: some, "event": invite.pdu})
    result = run("state", file, "--at", invite.event_id, "--before")
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 2
    assert "all other entries (the input gives a part of the state)" in result.stderr


def test_an_entry_of_another_room_leaves_its_key_unknown(write: Write) -> None:
    built, other = joined_room(), Room("11", name="other")
    other.join(ALICE)
    foreign = other.add("m.room.topic", ALICE, {"topic": "foreign"}, state_key="")
    document = answer(built, "m.room.topic")
    document["pdus"].append(foreign.pdu)
    result = run("state", "--room-version", "11", write("answer.json", document))
    assert result.exit_code == 3
    assert f"m.room.topic '' ({foreign.event_id} of another room)" in result.stderr


def test_two_given_states_are_not_one_state(write: Write) -> None:
    built = joined_room()
    carol = built.make_member("@carol:c.example", "join")
    one = {"state": [e.pdu for e in built.state.values()], "auth_chain": [], "event": carol.pdu}
    files = [write("a.json", one), write("b.json", answer(built))]
    event = write("event.json", built.make("m.room.message", BOB, {"body": "x"}).pdu)
    result = run("auth", "--room-version", "11", "--state", files[0], "--also", files[1], event)
    assert result.exit_code == 2
    assert "several states" in result.stderr
    assert run("auth", "--room-version", "11", "--state", files[0], event).exit_code == 0


# Following the server


def test_one_disagreement_is_one_difference() -> None:
    file = case("l_10715_recording.jsonl")
    plain = report(file, code=1)
    disagreed = "$bk9IUr5qOzNBNDye1INAdmXP0byYTtpXyhk8jjLU224"
    assert kinds(plain)[disagreed] == ["rejected", "server-differs"]
    others = {event_id: found for event_id, found in kinds(plain).items() if event_id != disagreed}
    assert len(others) == 5
    assert set(map(tuple, others.values())) == {("auth-event-rejected",)}
    assert plain["room"]["follow"] == sorted(others)
    text = run("check", file).stdout
    assert "5 events rejected only for citing an event that the recording server accepted" in text

    followed = report(file, "--as-recorded", code=1)
    assert kinds(followed) == {disagreed: ["rejected", "server-differs"]}
    assert followed["room"]["state_differs"] == []
    assert followed["room"]["follow"] == []
    assert followed["room"]["state_size"] == 5


def test_the_commands_follow_the_server() -> None:
    file, disagreed = case("l_10715_recording.jsonl"), "$bk9IUr5qOzNBNDye1INAdmXP0byYTtpXyhk8jjLU224"
    levels = ("--type", "m.room.power_levels", "--json")
    before = json.loads(run("state", file, *levels).stdout)
    after = json.loads(run("state", file, "--as-recorded", *levels).stdout)
    assert before[0]["event_id"] != disagreed
    assert after[0]["event_id"] == disagreed
    last = "$XceXe8VABOAMn48sXwxdzcbEwM20iRe-kv1QBq8zTcg"
    assert run("auth", "--room", file, last).exit_code == 1
    assert run("auth", "--room", file, "--as-recorded", last).exit_code == 0
    assert run("auth", "--room", file, "--as-recorded", disagreed).exit_code == 1
    plain = run("resolve", file, "--json", "--at", last)
    followed = run("resolve", file, "--json", "--as-recorded", "--at", last)
    assert [len(json.loads(result.stdout)["state"]) for result in (plain, followed)] == [4, 5]


def test_there_must_be_a_server_to_follow(write: Write) -> None:
    room, event = case("l_10715_room.jsonl"), case("b_after.json")
    silent = write("silent.jsonl", [header(), *entries(joined_room())])
    soft = write("soft.jsonl", [header(soft_failed=[]), *entries(joined_room())])
    assert 'the header has no field "rejected", which says' in run("state", "--as-recorded", soft).stderr
    for file in (room, silent, soft):
        for command in ("check", "state", "resolve"):
            result = run(command, "--as-recorded", file)
            assert result.exit_code == 2
            assert "which events were rejected, so --as-recorded has nothing to follow" in result.stderr
    assert run("auth", "--state", case("b_sendjoin_full.json"), "--as-recorded", event).exit_code == 2
    assert run("check", "--alone", "--as-recorded", case("l_10715_recording.jsonl")).exit_code == 2


def test_a_state_of_the_server_is_compared_as_far_as_it_is_known(write: Write) -> None:
    built = joined_room()
    stranger = "@dave:b.example"
    built.state["m.room.member", stranger] = built.make_member(stranger, "join")
    undecided = built.add("m.room.name", stranger, {"name": "n"}, state_key="")
    del built.state["m.room.name", ""], built.state["m.room.member", stranger]
    built.add("m.room.message", ALICE, {"body": "x"})
    theirs = [event.event_id for event in built.state.values()]
    lines = [header("11", rejected=[], state=[*theirs, undecided.event_id]), *entries(built)]
    found = report(write("room.jsonl", lines), code=3)
    assert kinds(found) == {undecided.event_id: ["auth-event-missing"]}
    assert found["room"]["state_differs"] == []
    text = run("check", write("room.jsonl", lines)).stdout
    assert "the recording server's state is compared as far as both states are known" in text
    # The server has another name, which may be the unknown entry.
    missing = built.make("m.room.name", ALICE, {"name": "n"}, state_key="")
    lines[0] = header("11", rejected=[], state=[*theirs, missing.event_id])
    found = report(write("room.jsonl", lines), code=3)
    assert found["room"]["state_differs"] == []
    # Its topic may be the missing event.
    topic = built.state["m.room.topic", ""].event_id
    others = [event_id for event_id in theirs if event_id != topic]
    lines[0] = header("11", rejected=[], state=[*others, missing.event_id])
    path = write("room.jsonl", lines)
    found = report(path, code=3)
    assert (found["room"]["state_differs"], found["room"]["state_keys_not_compared"]) == ([], [])
    result = run("state", path, "--type", "m.room.topic", "--unsigned")
    assert (result.exit_code, result.stdout) == (3, "")
    # If all of its newest events are here, the topic is known, and cannot be compared.
    last = list(built.events)[-1]
    lines[0] = header("11", rejected=[], state=[*others, missing.event_id], forward_extremities=[last])
    found = report(write("room.jsonl", lines), code=3)
    assert found["room"]["state_differs"] == []
    assert found["room"]["state_keys_not_compared"] == [{"type": "m.room.topic", "state_key": ""}]
    # Without a missing event its topic is surely another one, since the topic here is known.
    lines[0] = header("11", rejected=[], state=others)
    (differs,) = report(write("room.jsonl", lines), code=1)["room"]["state_differs"]
    assert differs == {"type": "m.room.topic", "state_key": "", "ours": topic, "theirs": None}


# Another algorithm


def test_a_room_is_replayed_with_another_algorithm(write: Write) -> None:
    """Two topics compete; version 1's algorithm takes the deeper one, the others the later one."""
    built = Room("2")
    built.join(ALICE)
    built.power({"users": {ALICE: 100}})
    fork, base = dict(built.state), built.last
    assert base is not None
    ends = []
    for depth, ts in ((9, 1), (8, 2)):
        built.state = dict(fork)
        ends.append(
            built.add("m.room.topic", ALICE, {}, state_key="", prev=[base], depth=depth, origin_server_ts=ts)
        )
    built.add("m.room.message", ALICE, {"body": "both"}, prev=ends)
    file = write("room.jsonl", [header("2"), *entries(built)])

    def topic(*options: str) -> str:
        result = run("state", file, "--type", "m.room.topic", "--json", *options)
        assert result.exit_code == 0
        return str(json.loads(result.stdout)[0]["event_id"])

    assert topic() == topic("--algorithm", "v2") == ends[1].event_id
    assert topic("--algorithm", "v1") == ends[0].event_id
    assert run("state", file, "--algorithm", "v3").exit_code == 2
    state = [event.event_id for event in {**built.state, ("m.room.topic", ""): ends[0]}.values()]
    recorded = write("recorded.jsonl", [header("2", rejected=[], state=state), *entries(built)])
    assert len(report(recorded, code=1)["room"]["state_differs"]) == 1
    assert report(recorded, "--algorithm", "v1", code=0)["room"]["state_differs"] == []
