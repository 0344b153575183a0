"""Inputs of public reports, each with the answer that the commands must give."""

import json
from pathlib import Path

import click
import pytest
from command_line import Write, run

from roomver.cli.app import main

CASES = Path(__file__).parent / "data" / "cases"

FORGED = "$rwDOdIDX9n7HMdR7Qoug2CMlCUtiSAPYJj5T21jEaAU"
UNSIGNED = "$-_AnH4VKzMXZ_LNUGknbxwJIwdjJOYLcNX5cDi4nUrY"


def case(name: str) -> str:
    return str(CASES / name)


# Answers without members


def test_an_answer_without_members_leaves_an_event_of_a_member_undecided() -> None:
    partial, full, event = (case(f"b_{name}.json") for name in ("sendjoin_partial", "sendjoin_full", "after"))
    keys = ("--keys", case("b_room.keys.json"))
    assert run("check", case("b_room.jsonl"), *keys).exit_code == 0
    assert run("check", full, *keys).exit_code == 0
    assert "known in part: members omitted" in run("check", partial, *keys).stdout
    for command, code in (("check", 3), ("state", 3), ("resolve", 3)):
        assert run(command, partial, "--also", event, *keys).exit_code == code
    judged = run("auth", "--state", partial, event, *keys)
    assert judged.exit_code == 3
    assert 'm.room.member "@bob:two.example" is unknown (members omitted)' in judged.stdout
    judged = run("auth", "--room", partial, event, *keys)
    assert judged.exit_code == 3
    assert "undecided" in judged.stdout
    assert run("auth", "--state", full, event, *keys).exit_code == 0


# A forged entry of a state


def test_a_forged_entry_of_a_state_is_named_and_left_out() -> None:
    options = (case("o_1407_sendjoin.json"), "--keys", case("o_1407.keys.json"))
    result = run("check", "--json", *options)
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)["files"]
    assert found["room"]["state_size"] == 6
    (event,) = found["events"]
    assert event["event_id"] == FORGED
    assert [one["kind"] for one in event["findings"]] == ["signature"]
    printed = run("state", *options)
    assert printed.exit_code == 3  # what the room has there is unknown
    assert len(printed.stdout.splitlines()) == 6
    assert FORGED not in printed.stdout
    assert f"  {FORGED}: " in printed.stderr


def test_a_state_with_dropped_entries_is_not_said_to_be_as_given(write: Write) -> None:
    answer = json.loads(Path(case("o_1407_sendjoin.json")).read_text())
    state = write("state.json", {"pdus": answer["state"], "auth_chain": []})
    keys = ("--room-version", "10", "--keys", case("o_1407.keys.json"))
    text = run("check", state, *keys).stdout
    assert "state of 5 entries, known in part: 1 dropped" in text
    assert "as given" not in text
    answer["state"] = [pdu for pdu in answer["state"] if pdu["state_key"] != "@cat:three.example"]
    state = write("state.json", {"pdus": answer["state"], "auth_chain": []})
    assert "state of 5 entries, as given" in run("check", state, *keys).stdout


def test_an_entry_of_another_room_is_named() -> None:
    checked = json.loads(run("check", "--json", case("o_7012_state.json")).stdout)["files"][0]
    (event,) = checked["events"]
    assert [one["kind"] for one in event["findings"]] == ["other-room"]
    printed = run("state", case("o_7012_state.json"))
    assert printed.exit_code == 3
    assert len(printed.stdout.splitlines()) == checked["room"]["state_size"] == 5
    assert f"m.room.topic '' ({event['event_id']} of another room)" in printed.stderr


# Keys


def test_an_unknown_key_drops_nothing() -> None:
    """The recording has two servers, and the keys file has the key of one."""
    file, keys = case("partial-keys-v11.jsonl"), ("--keys", case("one-server-key.json"))
    result = run("check", "--json", file, *keys)
    assert result.exit_code == 0, result.stdout
    (found,) = json.loads(result.stdout)["files"]
    counts = found["summary"]["signatures"]
    assert counts["valid"] > 0
    assert counts["key_unknown"] > 0
    assert counts["valid"] + counts["key_unknown"] == found["summary"]["events"]
    assert found["summary"]["keys_to_fetch"] == [
        {"server": "remote.example", "key_id": "ed25519:a_rem1", "events": counts["key_unknown"]}
    ]
    text = run("check", file, *keys).stdout
    assert f"the signatures of {counts['key_unknown']} events could not be checked" in text
    assert run("check", file, *keys, "--require-signatures").exit_code == 1


def test_an_expired_key_is_named_with_both_times() -> None:
    text = run("check", case("c1_room.jsonl"), "--keys", case("c1_keys.json")).stdout
    assert "the key expired 2025-04-12T08:53:20Z (1744448000000)" in text
    assert "the event was made 2025-10-09T08:53:25Z (1760000005000)" in text


def test_two_keys_of_one_id_are_both_tried_in_either_order() -> None:
    files = [case("c3_keys_a.json"), case("c3_keys_b.json")]
    results = [
        run("check", case("c3_room.jsonl"), "--keys", first, "--keys", second)
        for first, second in (files, files[::-1])
    ]
    for result in results:
        assert result.exit_code == 0
        assert "6 valid" in result.stdout
        assert "twice.example has different keys ed25519:auto, and each is tried" in result.stderr
        for file in files:
            assert f" in {file}" in result.stderr
    assert results[0].stdout == results[1].stdout
    for file in files:
        assert run("check", case("c3_room.jsonl"), "--keys", file).exit_code == 1


def test_one_bad_answer_does_not_lose_the_others() -> None:
    result = run("check", case("c1_room.jsonl"), "--keys", case("c5_keys.json"))
    assert result.exit_code == 0
    assert "6 valid" in result.stdout
    assert "not used: answer 2 of 3: two.example: " in result.stderr


# An event that its server has not signed


@pytest.mark.parametrize("file", ["f1_recording.jsonl", "f1_foreign_signature.jsonl"])
@pytest.mark.parametrize("keys", [(), ("--keys", case("f1_foreign_signature.keys.json"))])
def test_an_event_that_its_server_has_not_signed_is_refused(file: str, keys: tuple[str, ...]) -> None:
    result = run("auth", "--room", case(file), "$-_AnH4VKzMXZ", *keys)
    assert result.exit_code == 1
    assert "against the checks on receipt: REFUSED" in result.stdout
    assert "one.example must sign and has not" in result.stdout
    checked = run("check", "--json", case(file), *keys)
    assert checked.exit_code == 1
    found = {
        event["event_id"]: event["findings"] for event in json.loads(checked.stdout)["files"][0]["events"]
    }
    assert [one["kind"] for one in found[UNSIGNED]] == ["signature-missing"]
    for command in ("state", "resolve"):
        result = run(command, case(file), *keys)
        assert UNSIGNED not in result.stdout
        assert f"  {UNSIGNED}: " in result.stderr


# One event that a server accepts and the rules refuse


def test_one_refused_event_does_not_take_others_with_it() -> None:
    followed = run("check", "--json", "--as-recorded", case("l_10715_recording.jsonl"))
    assert followed.exit_code == 1
    (event,) = json.loads(followed.stdout)["files"][0]["events"]
    assert [one["kind"] for one in event["findings"]] == ["rejected", "server-differs"]
    plain = run("check", case("l_10715_recording.jsonl")).stdout
    assert "5 events rejected only for citing an event that the recording server accepted" in plain
    # A file without decisions has nothing to follow.
    assert run("check", case("l_10715_room.jsonl")).exit_code == 1
    assert run("check", "--as-recorded", case("l_10715_room.jsonl")).exit_code == 2


# Exit codes


@pytest.mark.parametrize("command", ["check", "auth", "state", "resolve"])
def test_the_help_tells_every_exit_code(command: str) -> None:
    text = " ".join(run(command, "--help").stdout.split())
    codes = text.split("Exit code: ")[1]
    assert codes.startswith("0 ")
    assert "2 wrong call or unreadable file" in codes
    assert "3 undecided" in codes
    if command != "resolve":  # it finds nothing and refuses nothing
        assert ", 1 " in codes


def test_the_help_of_every_command_has_exit_codes() -> None:
    todo: list[tuple[tuple[str, ...], click.Command]] = [((), main)]
    leaves = 0
    while todo:
        names, command = todo.pop()
        if isinstance(command, click.Group):
            todo += [((*names, name), one) for name, one in command.commands.items()]
        else:
            leaves += 1
            assert "Exit code" in run(*names, "--help").stdout, names
    assert leaves > 15


def test_the_exit_code_of_several_files_is_that_of_the_worst(write: Write) -> None:
    fine, undecided = case("b_room.jsonl"), write("part.jsonl", Path(case("b_after.json")).read_text())
    findings, unreadable = case("c3_room.jsonl"), write("bad.jsonl", "")
    options = ("--room-version", "11", "--keys", case("c3_keys_a.json"))
    for files, code in (
        ([fine], 0),
        ([fine, undecided], 3),
        ([undecided, findings, fine], 1),
        ([findings, unreadable, undecided], 2),
    ):
        assert run("check", *options, *files).exit_code == code, files


# Soft failures


SOFT_FAILED = [
    "$4hXAeMmBsqsmbalTzV8RAE9tRpJMW_BfElrI53LH8ws",
    "$4x2veUKd0GL-RolFBxhTxG8bhymANFPOEImNZkt1lB4",
]


@pytest.mark.parametrize(
    ("file", "code"), [("f4_recording.jsonl", 0), ("f4_soft_fail.jsonl", 1), ("f4_until_sf2.jsonl", 1)]
)
def test_a_soft_failed_event_is_named_wherever_the_room_ends(file: str, code: int) -> None:
    """In the first file the recording's header names both events. In the last, they are ends of the room."""
    result = run("check", case(file))
    assert result.exit_code == code
    for event_id in SOFT_FAILED:
        assert event_id in result.stdout
    why = "soft-failed: v10 rule 7 (required_level): the sender does not have the required power level"
    assert result.stdout.count(why) == (2 if code == 0 else 0)
    (found,) = json.loads(run("check", "--json", case(file)).stdout)["files"]
    listed = found["room"]["agreed"] if code == 0 else found["events"]
    assert sorted(event["event_id"] for event in listed) == SOFT_FAILED
    for event in listed:
        ((kind, reasons),) = [(one["kind"], one["reasons"]) for one in event["findings"]]
        assert kind == "soft-failed"
        assert "required level 50" in json.dumps(reasons)
