"""Inputs of public reports, each with the answer that the commands must give."""

import json
import shlex
from pathlib import Path

import click
import pytest
from builder import ALICE, Room
from click.testing import Result
from command_line import CASES, Write, case, kinds, report, run

from roomver.cli.app import main

FORGED = "$rwDOdIDX9n7HMdR7Qoug2CMlCUtiSAPYJj5T21jEaAU"
UNSIGNED = "$-_AnH4VKzMXZ_LNUGknbxwJIwdjJOYLcNX5cDi4nUrY"


def answer(result: Result) -> str:
    """Return the output as one line, whatever its width."""
    return answer_of(result.output)


def answer_of(text: str) -> str:
    return " ".join(text.split())


def state_ids(*arguments: str) -> dict[tuple[str, str], str]:
    result = run("state", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return {(e["pdu"]["type"], e["pdu"]["state_key"]): e["event_id"] for e in json.loads(result.stdout)}


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
    assert "current state: 5 entries, known in part: 1 dropped" in text
    assert "as given" not in text
    answer["state"] = [pdu for pdu in answer["state"] if pdu["state_key"] != "@cat:three.example"]
    state = write("state.json", {"pdus": answer["state"], "auth_chain": []})
    assert "current state: 5 entries, as given" in run("check", state, *keys).stdout


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
    assert "the key expired at 2025-04-12 08:53:20Z (1744448000000)" in text
    assert "the event was made at 2025-10-09 08:53:25Z (1760000005000)" in text


def test_two_keys_of_one_id_are_both_tried_in_either_order() -> None:
    files = [case("c3_keys_a.json"), case("c3_keys_b.json")]
    results = [
        run("check", case("c3_room.jsonl"), "--keys", first, "--keys", second)
        for first, second in (files, files[::-1])
    ]
    for result in results:
        assert result.exit_code == 0
        assert "6 valid" in result.stdout
        assert "twice.example has different keys under the ID ed25519:auto; each is tried" in result.stderr
        for file in files:
            assert f" in {file}" in result.stderr
    assert results[0].stdout == results[1].stdout
    for file in files:
        assert run("check", case("c3_room.jsonl"), "--keys", file).exit_code == 1


def test_one_bad_answer_does_not_lose_the_others() -> None:
    result = run("check", case("c1_room.jsonl"), "--keys", case("c5_keys.json"))
    assert result.exit_code == 0
    assert "6 valid" in result.stdout
    assert "not used: response 2 of 3: two.example: " in result.stderr


# An event that its server has not signed


@pytest.mark.parametrize("file", ["f1_recording.jsonl", "f1_foreign_signature.jsonl"])
@pytest.mark.parametrize("keys", [(), ("--keys", case("f1_foreign_signature.keys.json"))])
def test_an_event_that_its_server_has_not_signed_is_refused(file: str, keys: tuple[str, ...]) -> None:
    result = run("auth", "--room", case(file), "$-_AnH4VKzMXZ", *keys)
    assert result.exit_code == 1
    assert "against the checks on receipt: REFUSED" in result.stdout
    assert "one.example must sign, but its signature is missing" in result.stdout
    explained = run("explain", case(file), "$-_AnH4VKzMXZ", *keys)
    assert explained.exit_code == 1
    said = " ".join(explained.stdout.split())
    assert said.startswith(
        '@ann:one.example\'s message "* b" ($-_AnH4VK, 2025-10-09 08:53:27Z) lacks a required'
    )
    assert said.count("one.example must sign, but its signature is missing") == 1
    assert "It is signed only by two.example." in said
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
    assert "2 usage error or unreadable file" in codes
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


# What a file may look like

FETCHED = "$fccrVToyzxiDQuu9lCDwLO4P2Eq7J5iv8o_1wjZnPCU"


@pytest.mark.parametrize(
    ("name", "carries_its_id"),
    [("a_admin_fetch_event_real.json", True), ("a_admin_unwrapped.json", True), ("a_fed_event.json", False)],
)
def test_an_event_from_an_api_has_its_id(name: str, carries_its_id: bool) -> None:
    result = run("event-id", "--room-version", "11", case(name))
    assert (result.exit_code, result.stdout) == (0, f"{FETCHED}\n")
    assert ("the event_id in it is right" in result.stderr) is carries_its_id


def test_an_event_with_its_id_inside_is_verified_and_hashed_without_it() -> None:
    options, file = ("--room-version", "11"), case("a_admin_unwrapped.json")
    verified = run("verify", *options, "--keys", case("a_room.keys.json"), file)
    assert (verified.exit_code, verified.stdout) == (0, "two.example: signed\n")
    hashed = run("hash", *options, "--json", file)
    assert json.loads(hashed.stdout)["check"] == "intact"


@pytest.mark.parametrize("name", ["a_client_event.json", "a_client_state.json"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("state",),
        ("resolve",),
        ("event-id", "--room-version", "11"),
        ("hash", "--room-version", "11"),
        ("redact", "--room-version", "11"),
        ("verify", "--room-version", "11", "--keys", case("a_room.keys.json")),
    ],
    ids=lambda arguments: arguments[0],
)
def test_client_server_json_gets_one_message(name: str, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, case(name))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    for words in ("client-server JSON", "lack auth_events, prev_events, depth, hashes and signatures"):
        assert words in result.stderr
    for place in ("fetch_event", "event_json", "/_matrix/federation/v1/event/"):
        assert place in result.stderr


@pytest.mark.parametrize("command", ["check", "state"])
def test_a_list_of_ids_is_a_state_and_not_a_room(command: str) -> None:
    result = run(command, case("a_state_ids.json"))
    assert result.exit_code == 2
    assert "this file has only event IDs" in result.stderr
    assert "--sets" in result.stderr
    sets = ("--sets", case("a_state_ids.json"))
    resolved = run("resolve", case("a_room.jsonl"), *sets, *sets)
    assert resolved.exit_code == 0
    assert "resolved state: 5 entries from 2 states" in resolved.stdout


@pytest.mark.parametrize(
    "name", ["a_copy.txt", "a_psql_default.txt", "a_psql_At.txt", "a_row_to_json.jsonl", "a_room.jsonl"]
)
def test_an_export_of_a_database_is_read_like_json_lines(name: str) -> None:
    keys = ("--keys", case("a_room.keys.json"))
    found = report(case(name), *keys)
    assert found["events"] == []
    assert found["summary"]["intact"] == found["summary"]["events"] == 6
    assert found["summary"]["signatures"]["valid"] == 6
    assert state_ids(case(name), *keys) == state_ids(case("a_room.jsonl"), *keys)


def test_concatenated_json_values_are_read() -> None:
    found = report(case("jq-concatenated.json"))
    assert found["summary"]["intact"] == found["summary"]["events"] == 5


@pytest.mark.parametrize(
    ("name", "kind"), [("create-redacted-v10.jsonl", None), ("create-hash-broken-v10.jsonl", "content-hash")]
)
def test_a_create_event_that_lost_its_version_is_read_as_the_header_says(name: str, kind: str | None) -> None:
    # The recording gives a state whose events are not all in the file, so it cannot be compared.
    code = 3 if kind is None else 1
    found = report(case(name), code=code)
    assert found["room_version"] == "10"
    assert list(kinds(found).values()) == ([] if kind is None else [[kind]])
    # The file has three events. The server's state has two of them: its newer power levels are lost.
    assert (len(found["room"]["lost"]), found["room"]["state_size"]) == (1, 2)
    table = run("check", case(name))
    assert table.exit_code == code
    assert name in table.stdout


@pytest.mark.parametrize("event", ["p_whatif_event.json", "p_whatif_padded.json"])
def test_a_draft_is_judged_by_what_the_rules_read(event: str) -> None:
    result = run("auth", "--state", case("p_whatif_state.json"), case(event))
    assert result.exit_code == 1
    assert "a draft m.room.power_levels '' by @mod:two.example" in answer(result)
    assert "v11 rule 9.8.1 (power_levels.users_current)" in result.stdout


@pytest.mark.parametrize("one", ["q_set_a.json", "q_set_a.txt", "q_state_groups.txt"])
def test_a_state_is_a_list_of_ids_in_any_of_three_forms(one: str) -> None:
    room = case("m_16629_reset.jsonl")
    result = run("resolve", room, "--sets", case(one), "--sets", case("q_set_b.txt"))
    assert result.exit_code == 0
    assert "resolved state: 5 entries from 2 states" in result.stdout
    assert "against " + case("q_set_b.txt") in result.stdout


def test_an_auth_chain_is_a_part_of_a_room_and_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    chain = case("s_event_auth_gaps.json")
    missing = ("$N6CJL__wNrbXTYI_LEhf-CIqoGNK9AGFDRCcOpS1oAQ", "$VuRj0PYQrySvMog3zvOfThHOilEev1_UR2K8SZiIb6g")
    found = report(chain, "--unsigned", code=3)
    assert sorted(found["room"]["missing"]) == [*missing]
    text = run("check", chain, "--unsigned").stdout
    assert "only a part of the room is here; missing events:" in text
    assert all(f"\n    {one}, cited by\n" in text for one in missing)
    assert "no problems found" not in text
    assert "2 events that it cites are missing, and the current state is unknown" in answer_of(text)
    # The call that is printed says who can get it, and how.
    call = next(line for line in text.splitlines() if "how to get one: " in line)
    told = run(*shlex.split(call.partition("roomver ")[2]))
    assert told.exit_code == 3
    for words in (f"/_matrix/federation/v1/event/{missing[0]}", "signed by a server in the room (X-Matrix)"):
        assert words in told.stdout
    for words in (f"/_synapse/admin/v1/fetch_event/{missing[0]}", "clients cannot get it"):
        assert words in told.stdout
    assert all(len(line) <= 80 for line in told.stdout.splitlines() if not line.startswith("more: "))


def test_an_unknown_answer_leads_to_what_would_decide_it() -> None:
    chain, part = case("s_event_auth_gaps.json"), case("b_sendjoin_partial.json")
    bob = "@bob:two.example"
    for call in (("may", chain, bob, "send", "m.room.topic"), ("history", chain, "m.room.power_levels")):
        told = run(*call, "--unsigned")
        assert told.exit_code == 3
        more = told.stdout.splitlines()[-1]
        assert (
            more == f"more: roomver explain {chain} --unsigned '$N6CJL__wNrbXTYI_LEhf-CIqoGNK9AGFDRCcOpS1oAQ'"
        )
    assert "--also adds a source" in run("may", chain, bob, "join", "--unsigned").stdout
    # Here no event is missing, but a part of a given state.
    told = run("may", part, bob, "send", "m.room.topic", "--unsigned")
    assert told.exit_code == 3
    assert told.stdout.splitlines()[-1] == f"more: roomver repair {part} --unsigned"


def test_an_auth_chain_of_which_nothing_is_missing_is_a_room(write: Write) -> None:
    built = Room("11")
    built.join(ALICE)
    built.join_rule("public")
    chain = write("chain.json", {"auth_chain": [event.pdu for event in built.events.values()]})
    report(chain, "--unsigned", code=0)


def test_an_event_and_its_auth_chain_come_from_two_responses() -> None:
    chain, event = case("s_event_auth_gaps.json"), case("s_event_auth_gaps_event.json")
    found = report(chain, "--also", event, code=3)
    assert (found["summary"]["events"], found["summary"]["bad"]) == (7, 0)
    alone = run("auth", "--room", chain, event)
    assert "against its auth events: allowed" in alone.stdout


# Keys and signatures


def test_a_dropped_event_is_named_by_the_id_that_others_cite(write: Write) -> None:
    room = Room("11")
    room.join(ALICE)
    levels = room.add("m.room.power_levels", ALICE, {"users": {ALICE: 100}}, state_key="")
    room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    # The limit counts "unsigned", which the event ID does not cover.
    unsigned = {levels.event_id: {"unsigned": {"a": "x" * 65_536}}}
    file = write("room.jsonl", [{**e.pdu, **unsigned.get(e.event_id, {})} for e in room.events.values()])
    found = report(file, code=1)
    assert kinds(found)[levels.event_id] == ["malformed"]
    assert levels.event_id in run("check", file).stdout


# What is said


def test_a_missing_create_event_is_not_called_present() -> None:
    result = run("auth", "--room", case("f6_no_create_cited.jsonl"), "$-Z5omSv9")
    assert result.exit_code == 1
    assert "v9 rule 2.4 (auth_events.no_create): the event does not cite the create event" in answer(result)


def test_each_state_reset_is_named_with_its_merge() -> None:
    options = (case("m_16629_reset.jsonl"), "--keys", case("m_16629_reset.keys.json"))
    result = run("check", "--all", *options)
    assert result.exit_code == 1
    merge = "$fYNbD3w5xOmVyeBaoO2C00P2FEzfK0tSZ-Otzy1MNZk"
    for number in range(12):
        user = f"@m{number:02}:x{number % 3}.example"
        assert (
            f'state reset of m.room.member "{user}": unintended; version 12\'s algorithm would undo the'
            " change too at the merge" in answer(result)
        )
    assert result.stdout.count(f"at the merge before {merge}") == 12
    assert f"to explain them: roomver resets {options[0]}" in result.stdout
    few = run("check", *options)
    assert "and 7 more: --all lists them" in few.stdout


# Soft failure


@pytest.mark.parametrize(
    ("file", "event_id", "reason"),
    [
        ("f4_recording.jsonl", "$4hXAeMmBs", "v10 rule 7 (required_level)"),
        ("f4_soft_fail.jsonl", "$4x2veUKd0", "v10 rule 7 (required_level)"),
        ("k_policy.jsonl", "$bhWXicHLH", "the policy server has not signed the event"),
    ],
)
def test_a_soft_failed_event_passes_two_checks_of_three(file: str, event_id: str, reason: str) -> None:
    result = run("auth", "--room", case(file), event_id)
    assert result.exit_code == 1
    for one in ("its auth events: allowed", "the state before it: allowed"):
        assert f"against {one}\n" in result.stdout
    last = result.stdout.partition("against the current state at its arrival: REFUSED (soft-failed)")[2]
    assert reason in last
    data = json.loads(run("auth", "--json", "--room", case(file), event_id).stdout)
    assert [one["allowed"] for one in data] == [True, True, False]


def test_an_event_that_the_policy_server_has_not_signed_is_soft_failed() -> None:
    keys = ("--keys", case("k_policy.keys.json"))
    found = report(case("k_policy.jsonl"), *keys, code=1)
    event_id = "$bhWXicHLHL7ybtbZQHXdmo_R9jMR_WImD8BZULnSxgs"
    assert kinds(found) == {event_id: ["policy-server"]}
    assert found["events"][0]["findings"][0]["action"] == "soft-fail"
    assert found["room"]["forward_extremities"] == ["$Rze3VXV3EgTZ-4QRZwmFaRgBUYWCzJtWJvNh8JBHgm0"]
    told = "Only the policy server's signature is missing or wrong; the rules allow it."
    lines = run("check", case("k_policy.jsonl"), *keys).stdout.splitlines()
    at = lines.index("  1 event not validly signed by the room's policy server:")
    assert lines[at + 1] == f"    {told}"
    judged = run("auth", "--room", case("k_policy.jsonl"), *keys, event_id).stdout
    assert f"\n  {told}\n" in judged
    assert told not in run("check", case("k_policy.jsonl"), "--unsigned").stdout
    assert report(case("k_policy.jsonl"), "--unsigned")["events"] == []


# The same question as that of another file.
ASKED_WITH = {
    "a_client_state.json": "a_client_event.json",
    "b_room.jsonl": "b_sendjoin_partial.json",
    "b_sendjoin_full.json": "b_sendjoin_partial.json",
    "f1_recording.jsonl": "f1_foreign_signature.jsonl",
    "l_10715_room.jsonl": "l_10715_recording.jsonl",
    "p_whatif.jsonl": "p_whatif_event.json",
}


def test_every_reported_input_has_its_question_in_the_documentation() -> None:
    text = (CASES.parents[2] / "docs" / "explaining.md").read_text(encoding="utf-8")
    files = {path.name for path in CASES.iterdir()}
    lacking = {name for name in files if name not in text}
    assert lacking == ASKED_WITH.keys()
    assert {*ASKED_WITH.values()} <= files - lacking
