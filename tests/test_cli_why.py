"""`roomver explain`, `history` and `resets`: text for people, JSON by its schema, hostile rooms."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
import unicodedata
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB
from click.testing import Result
from command_line import Write, case, entries, header, public_room, run
from explain.rooms import nasty_room
from homeservers import room_named, unpacked_sqlite
from played_rooms import played
from replay.rooms import Branches, base_room
from schemas import validator

from roomver.cli.escaped import printable
from roomver.hashing import content_digest
from roomver.unpadded import encode_unpadded

SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"
VECTORS = Path(__file__).parents[1] / "vectors"


def valid(command: str, result: Result) -> Any:
    """Return what a command printed, which must be as its schema says."""
    data = json.loads(result.stdout)
    validator(command).validate(data)
    return data


def ask(command: str, *arguments: str) -> tuple[Result, Any]:
    """Run a command as text and as JSON. Both have the same exit code."""
    text, as_json = run(command, *arguments), run(command, *arguments, "--json")
    assert text.exit_code == as_json.exit_code, text.output
    return text, valid(command, as_json)


def flat(result: Result) -> str:
    """Return the output as one line, whatever its width."""
    return " ".join(result.stdout.split())


def assert_safe(text: str) -> None:
    """Assert that a terminal shows text line by line, and nothing is hidden or executed."""
    for line in text.split("\n"):
        assert printable(line, len(line)) == line, ascii(line)
        marks = 0
        for character in line:
            marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
            assert marks <= 2, ascii(line)


def test_every_schema_is_closed_and_described() -> None:
    def look(value: Any, where: str) -> None:
        if isinstance(value, dict):
            if value.get("type") == "object":
                assert value["additionalProperties"] is False, where
                for name, inner in value["properties"].items():
                    assert "description" in inner or "$ref" in inner or "const" in inner, f"{where}.{name}"
            for name, inner in value.items():
                look(inner, f"{where}.{name}")
        elif isinstance(value, list):
            for inner in value:
                look(inner, where)

    for command in ("explain", "history", "resets"):
        path = SCHEMAS / f"{command}.schema.json"
        look(json.loads(path.read_text(encoding="utf-8")), command)


# Reported rooms


def test_a_soft_failed_event_of_a_recording_is_explained() -> None:
    room = case("f4_soft_fail.jsonl")
    text, data = ask("explain", room, "--unsigned", "$4hXAeMmB")
    assert text.exit_code == 1
    assert data["outcome"] == "soft-failed"
    assert "was soft-failed: when it arrived, the current state already said that m.room.message.sf" in flat(
        text
    )
    assert "needs level 50 (for this type in @ann:one.example's power levels event ($_2lpc2DY" in flat(text)
    assert text.stdout.splitlines()[-1].startswith("more: roomver auth ")


def test_the_first_rejected_event_of_a_chain_is_named_with_the_call_for_it() -> None:
    room = case("l_10715_recording.jsonl")
    text, data = ask("explain", room, "--unsigned", "$kDcwiked")
    assert text.exit_code == 1
    root = data["refused"][-1]
    assert root.startswith("$bk9IUr5q")
    assert "The server that recorded the room decided otherwise: it accepted it." in flat(text)
    assert f"'{root}'" in text.stdout.splitlines()[-1]


def test_a_dropped_event_is_explained() -> None:
    text, data = ask("explain", case("o_1407_sendjoin.json"), "--keys", case("o_1407.keys.json"), "$rwDOdIDX")
    assert text.exit_code == 1
    assert data["outcome"] == "dropped"
    assert "lacks a valid required signature" in flat(text)
    assert "A server drops it" in flat(text)


def test_an_event_without_the_signature_of_the_policy_server_is_explained() -> None:
    options = (case("k_policy.jsonl"), "--keys", case("k_policy.keys.json"))
    found = json.loads(run("check", *options, "--json").stdout)["files"][0]["events"]
    softly = [e["event_id"] for e in found if any(f["kind"] == "policy-server" for f in e["findings"])]
    text, data = ask("explain", *options, softly[0])
    assert (text.exit_code, data["outcome"]) == (1, "soft-failed")
    assert "The policy server is" in flat(text)


RESET = (case("m_16629_reset.jsonl"), "--keys", case("m_16629_reset.keys.json"))


def test_the_members_of_a_room_whose_join_rule_was_reset_were_removed_unintentionally() -> None:
    text, data = ask(
        "resets", case("m_16629_reset.jsonl"), "--keys", case("m_16629_reset.keys.json"), "--all"
    )
    assert text.exit_code == 1
    assert flat(text).startswith("12 state resets in 1 merge of differing states: 12 unintended.")
    assert {one["class"] for one in data["resets"]} == {"unintended"}
    *_, steps, more = text.stdout.splitlines()
    assert steps.startswith("step by step: roomver resolve ")
    assert more == f"more: roomver may {shlex.join(RESET)} @m00:x0.example join"
    assert text.stdout.count("  why ") == 12
    assert text.stdout.count("  now       still lost\n") == 12
    assert (
        flat(text).count("cause @mod:two.example set the join rule to invite on another branch ($nnlCc-Fi)")
        == 12
    )
    assert text.stdout.count(": unintended (nobody meant it)\n") == 12
    assert {(one["now"], one["current"]) for one in data["resets"]} == {("still lost", None)}
    # Since when: the time of the message that follows both branches.
    since = "was lost at the merge of 2025-10-09 08:53:40Z. When the resolution tried "
    assert since in flat(text)
    assert since in data["summary"]


def test_a_change_that_is_lost_again_is_told_with_the_first_merge_that_lost_it() -> None:
    text, data = ask("resets", str(VECTORS / "rooms" / "v11.jsonl"))
    lost = [one["lost"] for one in data["resets"]]
    (again,) = {one for one in lost if lost.count(one) > 1}
    first, second = (one["merge"] for one in data["resets"] if one["lost"] == again)
    told = text.stdout.split("\n\n")
    of_it = [one for one in told if f"({again[:9]}, " in one]
    (at_first,) = (one for one in of_it if f"({first[:9]}, " in one)
    (at_second,) = (one for one in of_it if f"({second[:9]}, " in one)
    assert "  since " not in at_first
    assert "  since     2026-11-24 20:03:55Z, the merge at which it was lost first\n" in at_second
    assert text.stdout.count("  since ") == 1


def test_the_merge_of_the_newest_events_has_no_time(write: Write) -> None:
    room = base_room("10")
    fork = Branches(room)
    with fork.side():
        room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    with fork.side():
        room.member(BOB, "ban", by=ALICE)
    lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in room.events.values()]
    file = write("room.jsonl", [header("10"), *lines])
    text, _ = ask("resets", file, "--unsigned")
    assert "was lost at the merge of the newest events. When the resolution tried " in flat(text)
    text, _ = ask("history", file, "m.room.topic", "--unsigned")
    assert f'RESET {BOB}\'s topic "x"' in flat(text)
    assert "was undone: the key went back to having no event as designed: when the resolution" in flat(text)


def test_the_history_says_what_a_change_was_lost_to_and_why(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    text, _ = ask("history", database, room_named("local-v12"), "m.room.topic")
    _, _, told = flat(text).partition("RESET ")
    assert told.startswith('@yan:remote.example\'s topic "Fork 3, of a moderator" ($480y1VcK, ')
    assert 'was undone: the key went back to @mallory:remote.example\'s topic "Fork 1, there" (' in told
    assert "as designed: when the resolution tried $480y1VcK, it refused it: m.room.topic needs" in told
    assert "came on another branch. soft-failed " in told


def test_resets_with_the_same_reason_are_told_once() -> None:
    text, data = ask("resets", case("m_16629_reset.jsonl"), "--keys", case("m_16629_reset.keys.json"))
    first, *others = data["resets"]
    why = first["text"].split("refused it: ")[1][:25]
    paragraph, _, rest = text.stdout.partition("\n\n")
    assert why in " ".join(paragraph.split())
    assert "11 others have the same reason, at the same merge." in " ".join(paragraph.split())
    assert text.stdout.count("  why ") == 1
    assert "likewise  11 more changes lost here, for the same reason:" in rest
    for one in others:
        assert f"    {one['state_key']}'s join (" in rest


def test_resets_of_other_keys_and_merges_are_told_apart(write: Write) -> None:
    room = base_room("10")
    for kind in ("m.room.topic", "m.room.name", "m.room.topic"):
        room.add(kind, ALICE, {"x": 1}, state_key="")
        fork = Branches(room)
        with fork.side():
            room.member(BOB, "ban", by=ALICE)
        with fork.side():
            room.add(kind, BOB, {"x": 2}, state_key="")
        fork.merge()
        room.member(BOB, "leave", by=ALICE)
        room.member(BOB, "invite", by=ALICE)
        room.member(BOB, "join")
    lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in room.events.values()]
    text = run("resets", write("room.jsonl", [header("10"), *lines]), "--unsigned")
    assert text.stdout.count("  why ") == 3, text.stdout
    assert "likewise" not in text.stdout


def test_the_history_of_the_power_levels_says_what_each_event_changed(write: Write) -> None:
    room = base_room("10")
    room.power({"users": {ALICE: 100, BOB: 50}, "events": {"a\u202e\x1b[2J": 1}})
    room.power({"users": {ALICE: 100, **{f"@u{n}:b.example": 1 for n in range(9)}}})
    lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in room.events.values()]
    file = write("room.jsonl", [header("10"), *lines])
    text, _ = ask("history", file, "m.room.power_levels", "--unsigned")
    assert f'changed users["{BOB}"] from 50 to the default 0, ' in flat(text)
    # Whoever lost or got a level finds their name. Of the other entries, a few are enough.
    for n in range(9):
        assert f'users["@u{n}:b.example"] from the default 0 to 1' in flat(text)
    assert " and 1 more replaced" in flat(text)
    assert_safe(text.stdout)


def test_a_missing_event_is_told_by_what_cites_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    database, room = str(unpacked_sqlite(tmp_path)), room_named("late-v1")
    text, data = ask("explain", database, room, "$179597448317")
    assert text.exit_code == 3
    assert (data["outcome"], data["missing"]) == ("missing", ["$179597448317UMJFu:far.example"])
    (citing,) = data["cited_by"]
    assert f"({citing[:12]}" in flat(text)
    first, *_, last = text.stdout.splitlines()
    assert first.startswith("$179597448317UMJFu:far.example is missing: no source has it")
    assert "1 event cites it: @alice:hs.example's join ($17959744830" in flat(text)
    assert "  /_matrix/federation/v1/event/$179597448317UMJFu:far.example\n" in text.stdout
    assert "signed by a server in the room (X-Matrix)" in text.stdout
    assert run(*shlex.split(last)[2:]).exit_code == 0


def test_the_last_line_is_a_call_that_works() -> None:
    def follow(result: Result) -> Result:
        last = result.stdout.splitlines()[-1]
        assert last.startswith("more: roomver "), last
        return run(*shlex.split(last)[2:])

    options = (case("m_16629_reset.jsonl"), "--keys", case("m_16629_reset.keys.json"))
    for result in (
        run("resets", *options),
        run("history", *options, "m.room.join_rules"),
        run("history", *options, "m.room.member"),
        run("explain", *options, "$Wq7RicAE"),
        run("explain", case("f4_soft_fail.jsonl"), "--unsigned", "$4hXAeMmB"),
        run("explain", case("l_10715_recording.jsonl"), "--unsigned", "$kDcwiked"),
    ):
        assert follow(result).exit_code in (0, 1)


def test_rooms_of_a_database_are_explained(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    room = room_named("local-v12")
    text, data = ask("resets", database, room)
    assert text.exit_code == 0
    assert [one["class"] for one in data["resets"]] == ["as designed"]
    # What was lost has a newer value, so there is nothing to do.
    (one,) = data["resets"]
    assert one["now"] == "replaced"
    current = json.loads(run("history", database, room, "m.room.topic", "--json").stdout)["now"]
    assert one["current"] == current
    assert "now replaced since by @mallory:remote.example's topic" in flat(text)
    told = "cause @mallory:remote.example demoted @yan:remote.example from 50 to 0 on another branch"
    assert told in flat(text)
    assert text.stdout.splitlines()[-1].startswith("more: roomver history ")
    text, data = ask("history", database, room, "m.room.topic")
    assert text.exit_code == 0
    assert "RESET" in text.stdout
    lost = next(one for step in data["steps"] if step["kind"] == "merge" for one in step["lost"])
    text, data = ask("explain", database, room, lost)
    assert data["change"]["undone"]
    assert text.stdout.splitlines()[-1].startswith("more: roomver resets ")


def test_an_outlier_that_nothing_is_based_on_is_not_judged(tmp_path: Path) -> None:
    options = (str(unpacked_sqlite(tmp_path)), room_named("purged-v9"))
    (found,) = json.loads(run("check", *options, "--json").stdout)["files"]
    text, data = ask("explain", *options, found["room"]["apart"][0])
    assert (text.exit_code, data["outcome"]) == (3, "not judged")
    assert "is an outlier: no event of the room is based on it" in flat(text)


# Partial rooms


def test_an_undecided_event_ends_with_3_and_names_what_is_missing(write: Write) -> None:
    built = public_room()
    gone = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    message = built.add("m.room.message", BOB, {"body": "x"})
    lines = [one for one in entries(built) if one["event_id"] != gone.event_id]
    room = write("room.jsonl", [header(), *lines])
    text, data = ask("explain", room, message.event_id)
    assert text.exit_code == 3
    assert data["missing"] == [gone.event_id]
    assert f"missing events:\n    {gone.event_id}" in text.stdout
    text, data = ask("history", room, "m.room.topic")
    assert text.exit_code == 3
    assert "Its current value is unknown" in text.stdout
    text, data = ask("resets", room)
    assert text.exit_code == 3
    assert data["notes"]


def test_omitted_members_leave_an_event_undecided(tmp_path: Path) -> None:
    options = (str(unpacked_sqlite(tmp_path)), room_named("partial-v11"))
    (found,) = json.loads(run("check", *options, "--json").stdout)["files"]
    undecided = [
        one["event_id"]
        for one in found["events"]
        if any(finding["kind"] == "state-unknown" for finding in one["findings"])
    ]
    text, data = ask("explain", *options, undecided[0])
    assert (text.exit_code, data["outcome"], data["missing"]) == (3, "undecided", [])
    assert "its check needs entries of the state before it that are unknown: m.room.member for" in flat(text)
    assert "the whole state decides this" in flat(text)
    assert "The server that recorded the room accepted it." in flat(text)


def test_an_event_whose_auth_event_is_missing_names_it() -> None:
    options = ("--also", case("b_after.json"), "--keys", case("b_room.keys.json"))
    text, data = ask("explain", case("b_sendjoin_partial.json"), *options, "$Cjh6fTI0")
    (gone,) = data["missing"]
    assert (text.exit_code, data["outcome"]) == (3, "undecided")
    assert f"of the events that it cites as auth events, {gone} is missing" in flat(text)


def test_an_unknown_value_leads_to_the_undecided_event_that_may_have_set_it(write: Write) -> None:
    built = public_room()
    gone = built.add("m.room.message", ALICE, {})
    topic = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    lines = [one for one in entries(built) if one["event_id"] != gone.event_id]
    room = write("room.jsonl", [header(), *lines])
    told = run("history", room, "m.room.topic")
    assert told.exit_code == 3
    assert told.stdout.splitlines()[-1] == f"more: roomver explain {room} '{topic.event_id}'"


# Requests that cannot be answered


def test_a_type_that_the_room_does_not_have_is_answered(write: Write) -> None:
    room = write("room.jsonl", [header(), *entries(public_room())])
    text, data = ask("history", room, "m.room.topi")
    assert (text.exit_code, data["steps"]) == (0, [])
    # Not that it never had a value: events may be missing.
    assert "m.room.topi: no event here sets it. It has no current value." in text.stdout
    assert "Did you mean" not in text.stdout  # the room has no topic
    for near in ("m.room.join_rule", "join_rules"):
        assert "Did you mean m.room.join_rules?" in run("history", room, near).stdout
    assert run("history", room).exit_code == 2
    assert run("explain", room).exit_code == 2
    assert run("explain", room, "$nothing").exit_code == 2
    assert run("resets", room).stdout.startswith("No state reset in 0 merges")


# Hostile rooms


@pytest.mark.parametrize("seed", range(6))
def test_no_form_of_a_hostile_room_reaches_the_terminal(seed: int, write: Write) -> None:
    built = nasty_room(seed, ["11", "12", "1"][seed % 3])
    room = write("room.jsonl", [header(built.version.identifier), *entries(built)])
    for event_id in [*built.events][::3]:
        text, data = ask("explain", room, event_id)
        assert_safe(text.stdout)
        assert_safe(data["summary"])
    kinds = {one.type for one in built.events.values() if one.state_key is not None}
    for kind in sorted(kinds):
        text, _ = ask("history", room, kind)
        assert_safe(text.stdout)
    text, _ = ask("resets", room)
    assert_safe(text.stdout)


def test_64_kb_of_combining_marks_stay_short(write: Write) -> None:
    built = public_room()
    topic = built.add("m.room.topic", ALICE, {"topic": "a" + "\u0301" * 30_000}, state_key="")
    room = write("room.jsonl", [header(), *entries(built)])
    for result in (run("explain", room, topic.event_id), run("history", room, "m.room.topic")):
        assert_safe(result.stdout)
        assert len(result.stdout) < 5_000


# Random rooms


@pytest.mark.parametrize("version", ["1", "2", "6", "11", "12"])
def test_json_of_random_rooms_is_as_the_schemas_say(version: str, write: Write) -> None:
    for seed in range(3):
        events = played(Random(f"{version}/{seed}"), version, 40, odd=True)
        events = [one for number, one in enumerate(events) if number < 8 or number % 11]
        lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in events]
        room = write("room.jsonl", [header(version), *lines])
        for one in events[::4]:
            ask("explain", room, "--unsigned", one.event_id)
        for key in (["m.room.topic"], ["m.room.member"], ["m.room.member", BOB]):
            ask("history", room, "--unsigned", *key)
        ask("resets", room, "--unsigned")


def test_text_fits_80_columns(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    built = base_room("11")
    built.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = Branches(built)
    with fork.side():
        built.member(BOB, "ban", by=ALICE)
    with fork.side():
        new = built.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    fork.merge()
    room = write("room.jsonl", [header(), *entries(built)])
    for arguments in (
        ("explain", room, new.event_id),
        ("history", room, "m.room.topic"),
        ("history", room, "m.room.member"),
        ("resets", room),
    ):
        lines = run(*arguments, "--unsigned").stdout.splitlines()
        assert len(lines) > 5
        assert [line for line in lines if len(line) > 80 and "roomver " not in line] == []


def test_the_answer_is_the_same_whatever_the_hash_seed(write: Write) -> None:
    events = played(Random("1"), "11", 50, odd=True)
    lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in events]
    room = write("room.jsonl", [header(), *lines])

    def answers(seed: str) -> list[bytes]:
        calls = (["resets", room], ["history", room, "m.room.topic"], ["explain", room, events[-1].event_id])
        program = [sys.executable, "-m", "roomver"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return [
            subprocess.run(
                [*program, *call, "--unsigned"], check=False, capture_output=True, env=environment, timeout=60
            ).stdout
            for call in calls
        ]

    assert answers("1") == answers("2")


def followed(result: Result) -> Result:
    """Run the call that an output names last."""
    last = result.stdout.splitlines()[-1]
    return run(*shlex.split(last[last.index("roomver ") :])[1:])


@pytest.mark.parametrize(
    "words",
    [("explain", "{event}"), ("history", "m.room.topic"), ("resets",), ("keys",), ("graph",), ("repair",)],
    ids=lambda words: str(words[0]),
)
def test_the_call_for_more_reads_the_room_as_this_one_did(
    words: tuple[str, ...], write: Write, tmp_path: Path
) -> None:
    """The file does not give its room version, and `check` has no cache."""
    built = public_room()
    topic = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    room = write("room.jsonl", entries(built))
    unsigned = [] if words[0] == "keys" else ["--unsigned"]
    for more in (
        ["--room-version", "11", "--cache", str(tmp_path / "kept")],
        ["--room-version", "11", "--now", "1790000000000"],
    ):
        arguments = [topic.event_id if word == "{event}" else word for word in words[1:]]
        result = run(words[0], room, *arguments, *more, *unsigned)
        assert result.exit_code in (0, 1, 3), result.output
        last = result.stdout.splitlines()[-1]
        assert "--now 1790000000000" in last or "--now" not in more
        if words[0] != "graph":  # its call has a place for an event
            assert followed(result).exit_code in (0, 1, 3), (last, followed(result).output)


def test_the_call_for_more_names_the_file_that_defines_the_room_version(write: Write) -> None:
    version = write("a version.toml", 'identifier = "org.example.new"\nbased_on = "11"\n')
    pdu: dict[str, Any] = {**next(iter(public_room().events.values())).pdu}
    pdu = {**pdu, "content": {**pdu["content"], "room_version": "org.example.new"}}
    pdu["hashes"] = {"sha256": encode_unpadded(content_digest(pdu))}
    room = write("room.jsonl", [pdu])
    result = run("history", room, "m.room.create", "--unsigned", "--room-version-file", version)
    assert result.exit_code == 0, result.output
    assert "--room-version-file" in result.stdout.splitlines()[-1]
    assert followed(result).exit_code == 0, followed(result).output


def test_the_call_for_more_names_the_room_that_a_database_found(tmp_path: Path) -> None:
    source = str(unpacked_sqlite(tmp_path))
    with closing(sqlite3.connect(source)) as database:
        query = "SELECT event_id FROM state_events WHERE type = 'm.room.topic' AND room_id = ? LIMIT 1"
        ((event_id,),) = database.execute(query, [room_named("local-v11")]).fetchall()
    for words in (
        ("explain", source, event_id),
        ("may", source, "@eve:e.example", "send", "m.room.topic", "--at", event_id),
    ):
        result = run(*words)
        assert result.exit_code in (0, 1), result.output
        assert followed(result).exit_code == 0, result.stdout


@pytest.mark.parametrize(
    ("header_fields", "expected"),
    [({"rejected": []}, None), ({"rejected": [], "soft_failed": []}, "accepted")],
)
def test_a_server_that_does_not_say_what_it_soft_failed_did_not_decide_otherwise(
    header_fields: dict[str, Any], expected: str | None, write: Write
) -> None:
    built = base_room("11")
    fork = Branches(built)
    built.member(BOB, "ban", by=ALICE)
    fork.branch()
    topic = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    room = write("room.jsonl", [header(**header_fields), *entries(built)])
    text, data = ask("explain", room, topic.event_id, "--unsigned")
    assert (data["outcome"], data["recorded"]) == ("soft-failed", expected)
    assert ("decided otherwise" in flat(text)) == (expected is not None)


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_the_whole_id_of_the_event_has_a_line_of_its_own(
    columns: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    database = str(unpacked_sqlite(tmp_path))
    for short in ("$480y1VcK", "$XQEosjYO"):  # accepted, and its last line names no event; rejected
        text, data = ask("explain", database, short)
        assert data["event_id"].startswith(short)
        assert f"event ID: {data['event_id']}" in text.stdout.splitlines()
    room = case("b_after.json")
    (missing,) = json.loads(Path(room).read_text(encoding="utf-8"))["prev_events"][:1]
    text = run("explain", room, missing, "--room-version", "11", "--unsigned")
    assert (text.exit_code, f"event ID: {missing}" in text.stdout.splitlines()) == (3, True), text.output


def test_events_without_a_valid_copy_leave_resets_unknown(write: Write) -> None:
    built = public_room()
    lines = entries(built)
    lines.append({"event_id": "$" + "b" * 43, "pdu": {**lines[-1]["pdu"], "depth": "deep"}})
    text, _ = ask("resets", write("room.jsonl", [header(), *lines]), "--unsigned")
    assert text.exit_code == 3
    assert "1 event is left out, because no copy is valid" in flat(text)
