"""`roomver may`, `keys`, `compare` and `repair`: text, JSON by its schema, hostile and partial rooms."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, Room, public_key
from click.testing import Result
from command_line import KEYS, Write, case, entries, header, public_room, run
from explain.rooms import NASTY, nasty_room
from homeservers import room_named, unpacked_sqlite
from jsonschema import Draft202012Validator
from played_rooms import played
from test_cli_why import SCHEMAS, ask, assert_safe, flat

RESET = (case("m_16629_reset.jsonl"), "--keys", case("m_16629_reset.keys.json"))


def followed(result: Result) -> Result:
    """Run the call that the last line of an output names."""
    last = result.stdout.splitlines()[-1]
    assert last.startswith("more: roomver "), last
    return run(*shlex.split(last)[2:])


def assert_fits(result: Result) -> None:
    assert [line for line in result.stdout.splitlines() if len(line) > 80 and "roomver " not in line] == []


def random_room(write: Write, version: str, seed: int) -> str:
    """Write a random room from which events are missing."""
    events = played(Random(f"{version}/{seed}"), version, 40, odd=True)
    events = [one for number, one in enumerate(events) if number < 8 or number % 11]
    lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in events]
    return write(f"room{seed}.jsonl", [header(version), *lines])


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_every_object_of_a_schema_is_closed_and_described(path: Any) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    todo = [schema]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo += one
        elif isinstance(one, dict):
            if one.get("type") == "object":
                assert one.get("additionalProperties") is not None
            todo += one.values()


# may


def test_a_refused_join_names_the_join_rule_and_who_may_invite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text, data = ask("may", *RESET, "@m00:x0.example", "join")
    assert (text.exit_code, data["answer"], data["able_to"]) == (1, "no", "invite")
    assert flat(text).startswith(
        "No: @m00:x0.example may not join, because the join rule is invite (@mod:two"
    )
    assert [one["user"] for one in data["able"]] == ["@ann:one.example", "@mod:two.example"]
    assert_fits(text)
    assert followed(text).exit_code == 0


def test_the_state_after_an_event_is_asked_about() -> None:
    arguments = ("@m00:x0.example", "send", "m.room.message")
    assert ask("may", *RESET, *arguments)[0].exit_code == 1
    text, data = ask("may", *RESET, *arguments, "--at", "$Wq7RicAE")
    assert (text.exit_code, data["answer"]) == (0, "yes")
    assert data["at"].startswith("$Wq7RicAE")
    assert text.stdout.startswith("In the state after @m00:x0.example's join ($Wq7RicAE")


def test_content_is_judged_if_it_is_given() -> None:
    arguments = ("@mod:two.example", "send", "m.room.power_levels")
    assert ask("may", *RESET, *arguments)[0].exit_code == 0
    assert ask("may", *RESET, *arguments, "--content", '{"ban": 90}')[0].exit_code == 1
    for wrong in ("[]", "{", "[" * 99_999):
        assert run("may", *RESET, *arguments, "--content", wrong).exit_code == 2


def test_an_omitted_member_leaves_the_answer_unknown() -> None:
    room = (case("b_sendjoin_partial.json"), "--keys", case("b_room.keys.json"))
    text, data = ask("may", *room, "@bob:two.example", "send", "m.room.topic")
    assert (text.exit_code, data["answer"]) == (3, "unknown")
    assert data["unknown"] == [["m.room.member", "@bob:two.example"]]
    assert "the whole state decides this" in flat(text)


def test_a_gap_leaves_the_answer_unknown_and_names_the_missing_event(write: Write) -> None:
    _, mine, _ = server_behind(write)
    text, data = ask("may", mine, BOB, "send", "m.room.topic")
    assert (text.exit_code, data["answer"], data["draft"]) == (3, "unknown", None)
    assert data["missing"]
    assert f"missing events:\n    {data['missing'][0]}" in text.stdout
    assert run("may", mine, BOB, "fly").exit_code == 2


def test_a_message_can_be_asked_about_where_the_state_is_known_in_part(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    words = ("may", database, room_named("partial-v11"), "@alice:hs.example", "send")
    text, data = ask(*words, "m.room.message")
    assert (text.exit_code, data["answer"]) == (3, "unknown")
    assert "may send m.room.message" in flat(text)
    # Whether other types are state is unknown, and decides which level is needed.
    assert run(*words, "org.example.x").exit_code == 2


def test_questions_about_nothing_end_with_2() -> None:
    for words in (
        ("bob", "join"),
        ("@bob:b", "fly"),
        ("@bob:b",),
        ("@bob:b", "kick", "x"),
        ("@bob:b", "redact", "$nothing"),
        ("@bob:b", "send", "m.room.member"),
        ("@bob:b", "send", "x" * 300),
    ):
        assert run("may", *RESET, *words).exit_code == 2


@pytest.mark.parametrize("seed", range(3))
def test_no_form_of_a_hostile_room_reaches_the_terminal_of_may(seed: int, write: Write) -> None:
    built = nasty_room(seed, ["11", "12", "1"][seed % 3])
    room = write("room.jsonl", [header(built.version.identifier), *entries(built)])
    some = [one for one in built.events.values() if one.type == "m.room.message"]
    kinds = {one.type for one in built.events.values() if one.type.startswith("x.")}
    for words in (
        ("join",),
        ("leave",),
        ("kick", ALICE),
        ("unban", ALICE),
        ("set-level", ALICE, "5"),
        *(("send", kind) for kind in sorted(kinds)),
        *(("redact", one.event_id) for one in some[:2]),
    ):
        for who in (BOB, "@e\u0301\u202e\x1b[2J:x.example"):
            text, data = ask("may", room, "--unsigned", who, *words)
            assert text.exit_code in (0, 1, 3)
            assert_safe(text.stdout)
            assert_safe(data["summary"])


@pytest.mark.parametrize("version", ["1", "6", "11", "12"])
def test_may_answers_in_random_rooms(version: str, write: Write) -> None:
    for seed in range(2):
        room = random_room(write, version, seed)
        for words in (("join",), ("send", "m.room.topic"), ("ban", ALICE), ("knock",), ("invite", "@x:y")):
            text, data = ask("may", room, "--unsigned", BOB, *words)
            assert text.exit_code == {"yes": 0, "no": 1}.get(data["answer"], 3)


# keys


def test_the_request_for_a_key_that_is_missing_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text, data = ask("keys", case("partial-keys-v11.jsonl"), "--keys", case("one-server-key.json"))
    assert text.exit_code == 3
    assert flat(text).startswith(
        "The room needs 2 keys of 2 servers: 1 known, 1 unknown. 8 of 100 events wait for a key."
    )
    assert "https://HOMESERVER/_matrix/key/v2/query/remote.example\n" in text.stdout
    assert len(data["keys"][0]["events"]) == 8
    assert_fits(text)
    assert followed(text).exit_code == 0


def test_an_expired_key_and_a_forged_event_are_named() -> None:
    text, _ = ask("keys", case("c1_room.jsonl"), "--keys", case("c1_keys.json"))
    assert text.exit_code == 1
    assert "2 made after the key had expired: $r1Yk01ug, $8xW74iRi" in flat(text)
    text, data = ask("keys", case("o_1407_sendjoin.json"), "--keys", case("o_1407.keys.json"))
    assert text.exit_code == 1
    assert data["keys"][0]["counts"]["does not verify"] == 1
    assert run("keys", case("c1_room.jsonl"), "--unsigned").exit_code == 2


def test_a_lapsed_key_asks_for_a_newer_response(write: Write) -> None:
    built = public_room()
    keys = {"a.example": {"ed25519:1": {"key": public_key("a.example"), "valid_until_ts": 1}}}
    lines = [{**header(), "keys": {**KEYS, **keys}}, *entries(built)]
    text, data = ask("keys", write("room.jsonl", lines))
    assert text.exit_code == 3
    last = data["keys"][0]["last"]
    assert f"/_matrix/key/v2/query/a.example?minimum_valid_until_ts={last}" in text.stdout


@pytest.mark.parametrize("seed", range(3))
def test_hostile_server_names_and_key_ids_stay_on_their_lines(seed: int, write: Write) -> None:
    built = nasty_room(seed)
    lines = entries(built)
    for line, text_ in zip(lines[2:], NASTY, strict=False):
        pdu = line["pdu"]
        pdu["signatures"] = {server: {f"ed25519:{text_}": "A" * 86} for server in pdu["signatures"]}
    text, _ = ask("keys", write("room.jsonl", [header(), *lines]))
    assert text.exit_code in (1, 3)
    assert_safe(text.stdout)


def test_a_ban_is_lifted_with_the_ban_level_and_as_by_a_kick(write: Write) -> None:
    built = public_room()
    levels = {"users": {ALICE: 100, BOB: 50}, "ban": 60, "kick": 40}
    built.power(levels)
    carol, dave = "@carol:a.example", "@dave:a.example"
    built.join(carol)
    built.member(carol, "ban", by=ALICE)
    built.power({**levels, "users": {**levels["users"], dave: 70}})  # type: ignore[dict-item]
    built.join(dave)
    room = write("room.jsonl", [header(), *entries(built)])
    words = "lifting a ban needs the ban level 60 (set by"
    text, _ = ask("may", room, ALICE, "unban", carol, "--unsigned")
    assert text.exit_code == 0
    assert words in flat(text)
    assert "and, like a kick, the kick level 40 (set by" in flat(text)
    text, _ = ask("may", room, BOB, "unban", carol, "--unsigned")
    assert text.exit_code == 1
    assert words in flat(text)
    text, _ = ask("may", room, ALICE, "kick", BOB, "--unsigned")
    assert "a kick needs level 40" in flat(text)
    assert "ban" not in flat(text).partition("more:")[0].partition("the check")[0]
    built.power({**levels, "kick": 80, "users": {ALICE: 100, dave: 70}})
    text, _ = ask("may", write("room.jsonl", [header(), *entries(built)]), dave, "unban", carol, "--unsigned")
    assert text.exit_code == 1
    assert "and, like a kick, the kick level 80 (" in flat(text)


# compare


def test_the_first_event_that_one_source_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    sources = (case("f4_recording.jsonl"), case("f4_until_sf2.jsonl"), "--unsigned")
    text, data = ask("compare", *sources)
    assert (text.exit_code, data["parting"]["kind"], data["parting"]["lacks"]) == (1, "missing event", "B")
    assert data["parting"]["event_id"].startswith("$a0rYuIYb")
    part = (
        "B is a part of A: it has 9 of its 11 events, with the same outcomes, the current state is the same."
    )
    assert flat(text).startswith(part)
    assert_fits(text)
    assert followed(text).exit_code in (0, 1)
    text, data = ask("compare", sources[0], sources[0], "--unsigned")
    assert (text.exit_code, data["parting"]) == (0, None)
    assert "The sources agree. They have the same 11 events" in flat(text)


@pytest.mark.parametrize("turned", [False, True])
def test_one_event_is_a_part_of_its_room_and_has_its_version(turned: bool) -> None:
    whole, event = case("b_room.jsonl"), case("b_after.json")
    text, data = ask("compare", *((event, whole) if turned else (whole, event)), "--unsigned")
    one, other = "AB" if turned else "BA"
    told = f"{one} is a part of {other}: it has 1 of its 10 events. The event of both is undecided in {one}"
    assert (text.exit_code, data["room_versions"]) == (1, ["11", "11"])
    assert flat(text).startswith(told)
    # The other source has what this one lacks: nobody need be asked for it.
    assert "GET" not in text.stdout
    assert followed(text).exit_code == 0
    neither = run("compare", event, event, "--unsigned")
    assert (neither.exit_code, "give --room-version" in neither.stderr) == (2, True)


def test_a_database_is_compared_with_what_was_recorded_from_it(tmp_path: Path) -> None:
    database, room = str(unpacked_sqlite(tmp_path)), room_named("local-v11")
    recording = str(tmp_path / "room.jsonl")
    assert run("record", database, room, "-o", recording).exit_code == 0
    for sources in ((database, recording, room), (recording, database), (database, room, recording)):
        text, data = ask("compare", *sources)
        assert text.exit_code in (0, 3), text.stdout
        assert (data["only"], data["state"]) == ([[], []], [])
    assert run("compare", recording, database, room, "--also", recording).exit_code == 2
    assert run("compare", recording, database, "x").exit_code == 2
    assert run("compare", recording).exit_code == 2


def test_an_event_that_one_source_drops_leads_to_the_keys() -> None:
    forged, keys = case("o_1407_sendjoin.json"), case("o_1407.keys.json")
    text, data = ask("compare", forged, case("b_sendjoin_full.json"), "--keys", keys)
    assert text.exit_code == 1
    assert data["parting"] is not None
    text, data = ask("compare", forged, forged, "--keys", keys)
    assert text.exit_code == 3


@pytest.mark.parametrize("seed", range(3))
def test_hostile_rooms_are_compared(seed: int, write: Write) -> None:
    built = nasty_room(seed, ["11", "12", "1"][seed % 3])
    lines = entries(built)
    one = write("one.jsonl", [header(built.version.identifier), *lines])
    for cut in (lines[:-1], lines[:6] + lines[8:], [*lines[:4], *reversed(lines[4:])]):
        other = write("other.jsonl", [header(built.version.identifier), *cut])
        text, data = ask("compare", one, other, "--unsigned")
        assert_safe(text.stdout)
        assert_safe(data["parted"] or "")


# repair


def test_the_source_whose_state_is_judged_is_named(write: Write) -> None:
    _, mine, theirs = server_behind(write)
    for sources in ((mine, theirs), (theirs, mine)):  # one of them records a state
        text, data = ask("repair", sources[0], "--also", sources[1])
        assert f"of the server's state in {mine} would change" in data["summary"]
        assert f"of the server's state in {mine} would change" in flat(text)
    ids = write("ids.txt", "\n".join(data["pdu_ids"]))
    text, data = ask("repair", mine, "--also", theirs, "--against", ids)
    assert data["summary"].startswith("Nothing would change")
    assert f"the server's state in {ids} agrees." in data["summary"]


def server_behind(write: Write, *, gap: bool = False) -> tuple[Room, str, str]:
    """Write what a server recorded that lacks a topic, and what another source has."""
    built = public_room()
    state = [one.event_id for one in built.state.values()]
    gone = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    built.add("m.room.message", ALICE, {"body": "x"})
    lines = [one for one in entries(built) if one["event_id"] != gone.event_id]
    mine = write("mine.jsonl", [header(rejected=[], soft_failed=[], state=state), *lines])
    theirs = write("theirs.jsonl", entries(built)[-2 if not gap else -1 :])
    return built, mine, theirs


def test_the_repaired_state_is_told_and_resolve_reads_its_ids(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    built, mine, theirs = server_behind(write)
    text, data = ask("repair", mine, "--also", theirs)
    assert text.exit_code == 1
    assert flat(text).startswith(
        f"1 entry of the server's state in {mine} would change: by the events, the room's state has"
    )
    topic = built.state["m.room.topic", ""].event_id
    (change,) = data["changes"]
    assert (change["type"], change["before"], change["after"]) == ("m.room.topic", None, topic)
    assert sorted(data["pdu_ids"]) == sorted(one.event_id for one in built.state.values())
    assert [
        line
        for line in text.stdout.splitlines()
        if len(line) > 80 and not {"roomver", mine} & {*line.split()}
    ] == []
    assert followed(text).exit_code == 0
    ids = run("repair", mine, "--also", theirs, "--ids")
    assert ids.exit_code == 1
    assert ids.stdout.split() == data["pdu_ids"]
    for form in (write("ids.txt", ids.stdout), write("repair.json", data)):
        resolved = run("resolve", mine, "--also", theirs, "--sets", form, "--sets", form)
        assert resolved.exit_code == 0, resolved.output
        assert run("repair", mine, "--also", theirs, "--against", form).exit_code == 0


def test_a_gap_that_nothing_fills_leaves_the_state_unknown(write: Write) -> None:
    _, mine, theirs = server_behind(write, gap=True)
    for more in ((), ("--also", theirs)):
        text, data = ask("repair", mine, *more)
        assert text.exit_code == 3
        assert data["pdu_ids"] is None
        assert data["missing"]
        ids = run("repair", mine, *more, "--ids")
        assert (ids.exit_code, ids.stdout) == (3, "")


def test_the_answer_of_another_server_tells_what_the_events_do_not(write: Write) -> None:
    """A message is missing. So the state at the end is unknown, until another server gives it."""
    built = public_room()
    state = [one.event_id for one in built.state.values()]
    gone = built.add("m.room.message", ALICE, {"body": "x"})
    topic = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    lines = [one for one in entries(built) if one["event_id"] != gone.event_id]
    mine = write("mine.jsonl", [header(rejected=[], soft_failed=[], state=state), *lines])
    assert ask("repair", mine)[0].exit_code == 3
    pdus = [one.pdu for one in built.state.values()]
    answer = write("state.json", {"pdus": pdus, "auth_chain": []})
    text, data = ask("repair", mine, "--also", answer)
    assert (text.exit_code, data["basis"], data["sources"]) == (1, "answers", [answer])
    assert [one["after"] for one in data["changes"]] == [topic.event_id]
    less = write("less.json", {"pdus": [one for one in pdus if one is not topic.pdu], "auth_chain": []})
    text, data = ask("repair", mine, "--also", answer, "--also", less)
    assert (text.exit_code, data["pdu_ids"]) == (3, None)
    assert "m.room.topic" not in {one["type"] for one in data["known"]}
    ids = write("ids.json", {"pdu_ids": [one.event_id for one in built.state.values()], "auth_chain_ids": []})
    text, data = ask("repair", mine, "--also", ids)
    assert (text.exit_code, data["basis"]) == (1, "answers")


def test_changes_that_come_from_a_state_reset_are_told_first_and_at_each_entry(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server still has the members that a merge removed. Nobody should remove them unseen."""
    monkeypatch.setenv("COLUMNS", "80")
    _, resets = ask("resets", *RESET)
    _, state = ask("repair", *RESET)
    lost = [one["lost"] for one in resets["resets"]]
    ids = write("ids.txt", "\n".join([*state["pdu_ids"], *lost]))
    text, data = ask("repair", *RESET, "--against", ids)
    assert text.exit_code == 1
    paragraph = " ".join(text.stdout.split("\n\n")[1].split())
    assert paragraph.startswith("12 of these changes come from state resets, at the merge before")
    assert "12 unintended." in paragraph
    assert paragraph.endswith(f"roomver resets {shlex.join(RESET)}")
    assert flat(text).count("State reset: state resolution undid it at the merge before") == 12
    assert paragraph.split(" to explain them:")[0] in data["summary"]
    assert {one["reset"]["class"] for one in data["changes"]} == {"unintended"}
    assert {one["reset"]["merge"] for one in data["changes"]} == {resets["resets"][0]["merge"]}
    assert_fits(text)


def test_a_state_after_resets_is_not_told_as_the_one_that_people_meant() -> None:
    """The server may have been reset too."""
    text, data = ask("repair", *RESET)
    assert data["resets"] == 12
    assert "State resolution undid 12 changes in this room (state resets)." in data["summary"]
    assert "it does not bring back what was lost" in flat(text)


def test_a_state_that_is_not_compared_is_listed() -> None:
    text, data = ask("repair", *RESET)
    assert not data["compared"]
    _, _, listed = text.stdout.partition("\nthe state\n")
    assert listed.count("($") == len(data["known"])


def test_a_database_whose_state_is_right_needs_no_repair(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    text, data = ask("repair", database, room_named("local-v11"))
    assert (text.exit_code, data["changes"], data["basis"]) == (0, [], "events")
    text, data = ask("repair", database, room_named("partial-v11"))
    assert text.exit_code == 3
    assert "The server joined with partial state" in data["summary"]
    assert "No server's state is given" not in data["summary"]
    assert run("repair", database, room_named("local-v11"), "--ids", "--json").exit_code == 2


@pytest.mark.parametrize("seed", range(3))
def test_hostile_rooms_are_repaired(seed: int, write: Write) -> None:
    built = nasty_room(seed, ["11", "12", "1"][seed % 3])
    state = [one.event_id for one in [*built.events.values()][:5]]
    top = header(built.version.identifier, rejected=[], state=state)
    for number, lines in enumerate((entries(built), entries(built)[:6] + entries(built)[8:])):
        text, data = ask("repair", write(f"{number}.jsonl", [top, *lines]), "--unsigned")
        assert_safe(text.stdout)
        assert_safe(data["summary"])


def test_the_answers_are_the_same_whatever_the_hash_seed(write: Write) -> None:
    events = played(Random("asks"), "11", 50, odd=True)
    lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in events]
    state = [one.event_id for one in events[:9] if one.state_key is not None]
    room = write("room.jsonl", [header(rejected=[], state=state), *lines])
    other = write("other.jsonl", [header(), *lines[:20], *lines[21:]])

    def answers(seed: str) -> list[bytes]:
        calls = (
            ["may", room, "--unsigned", BOB, "send", "m.room.topic", "--json"],
            ["keys", *RESET, "--json"],
            ["compare", room, other, "--unsigned", "--json"],
            ["repair", room, "--unsigned", "--json"],
        )
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return [
            subprocess.run(
                [sys.executable, "-m", "roomver", *call],
                check=False,
                capture_output=True,
                env=environment,
                timeout=120,
            ).stdout
            for call in calls
        ]

    first = answers("1")
    assert all(first)
    assert first == answers("2")


# The call in the last line


def test_the_last_line_names_the_room_that_a_database_found_by_an_event(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    room = room_named("local-v11")
    drawn = run("graph", database, room)
    assert drawn.stdout.splitlines()[-2].startswith("resets: roomver resets ")
    assert drawn.stdout.splitlines()[-1].startswith("more: roomver explain ")
    found = json.loads(run("resets", database, room, "--json").stdout)["resets"][0]
    for words in (
        ("explain", database, found["lost"]),
        ("explain", database, found["merge"]),
        ("explain", database, found["restored"]),
        ("may", database, "@alice:hs.example", "join", "--at", found["merge"]),
    ):
        text = run(*words)
        assert f"--room '{room}'" in text.stdout.splitlines()[-1]
        assert followed(text).exit_code in (0, 1), text.stdout
    resets, last = run("graph", database, "--around", found["merge"]).stdout.splitlines()[-2:]
    assert run(*shlex.split(resets.removeprefix("resets: roomver "))).exit_code == 0
    assert run(*shlex.split(last.removeprefix("more: roomver "))).exit_code in (0, 1)


def test_the_last_line_has_every_option_that_read_the_room() -> None:
    options = ("--now", "1760000100000", "--room-version", "10")
    for words in (
        ("resets", *RESET),
        ("keys", *RESET),
        ("explain", *RESET, "$Wq7RicAE"),
        ("may", *RESET, "@m00:x0.example", "join"),
    ):
        text = run(*words, *options, "--immutable")
        call = shlex.split(text.stdout.splitlines()[-1])
        assert [call[call.index(one) + 1] for one in options[::2]] == [*options[1::2]]
        assert "--immutable" in call
        assert followed(text).exit_code in (0, 1), text.stdout


def test_the_last_line_names_the_file_that_defines_the_room_version(tmp_path: Path) -> None:
    version = tmp_path / "a version.toml"
    version.write_text('identifier = "org.example.x"\nbased_on = "10"\n', encoding="utf-8")
    lines = [json.loads(line) for line in Path(RESET[0]).read_text(encoding="utf-8").splitlines()]
    events = [one.get("pdu", one) for one in lines if "type" in one.get("pdu", one)]
    room = tmp_path / "room.jsonl"
    # Without the create event, which names another version.
    room.write_text("".join(f"{json.dumps(one)}\n" for one in events[1:]), encoding="utf-8")
    text = run("history", str(room), "m.room.topic", "--room-version-file", str(version))
    call = text.stdout.splitlines()[-1]
    assert f"--room-version-file {shlex.quote(str(version))}" in call
    assert followed(text).exit_code in (0, 3), text.stdout


def test_the_last_line_names_the_cache_only_to_commands_that_have_one(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    for words in (("resets", case("f4_recording.jsonl")), ("explain", RESET[0], "$Wq7RicAE")):
        text = run(*words, "--cache", cache)
        call = text.stdout.splitlines()[-1]
        assert ("--cache" in call) == (" check " not in call)
        assert followed(text).exit_code in (0, 1), text.stdout


def test_a_server_that_did_not_follow_the_rules_is_named_though_the_sources_agree() -> None:
    files = case("l_10715_room.jsonl"), case("l_10715_recording.jsonl")
    text, data = ask("compare", *files, "--unsigned")
    assert text.exit_code == 1  # as `check` of that source has
    assert flat(text).startswith("The sources agree.")
    assert "The server of B decided 6 events otherwise than the rules." in flat(text)
    assert [len(ids) for ids in data["otherwise"]] == [0, 6]
    last = followed(text)
    assert last.exit_code == 1
    assert "6 events with findings" in last.stdout
    assert ask("compare", files[1], files[0], "--unsigned")[1]["otherwise"] == data["otherwise"][::-1]
    assert ask("compare", files[0], files[0], "--unsigned")[1]["otherwise"] == [[], []]


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_what_became_of_an_event_is_its_outcome_in_every_schema(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    todo, names = [schema], set()
    while todo:
        one = todo.pop()
        todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
        if isinstance(one, dict) and isinstance(one.get("properties"), dict):
            names |= one["properties"].keys()
    if path.stem.startswith("check-rooms"):
        names.discard("status")  # of a room: whether it could be checked
    if path.stem.startswith("resolve"):
        names.discard("verdict")  # of a check that the algorithm makes, not of the event
    assert not names & {"status", "statuses", "computed", "judged", "verdict", "verdicts"}


def test_too_few_and_too_many_arguments_are_told_apart() -> None:
    few, many = run("explain", RESET[0]), run("explain", RESET[0], "$a", "$b")
    assert "too few arguments: expected SOURCE ['!ROOM'] EVENT" in few.stderr
    assert "too many arguments: expected SOURCE ['!ROOM'] EVENT" in many.stderr
    assert (few.exit_code, many.exit_code) == (2, 2)
    # The shell has made nothing of an ID without quotes.
    assert "If EVENT was given: put an event ID in single quotes" in " ".join(few.stderr.split())
    assert "single quotes" not in many.stderr
    assert "single quotes" not in run("may", RESET[0]).stderr
