"""Small inputs that used to be answered badly, in the form in which people hold them.

Each file was made up after a public report. The test of a file runs the command that its owner would run.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, Room
from click.testing import Result
from command_line import Write, run

CASES = Path(__file__).parent / "data" / "cases"
VECTORS = Path(__file__).parents[1] / "vectors"


def case(name: str) -> str:
    return str(CASES / name)


def answer(result: Result) -> str:
    """Return the output as one line, whatever its width."""
    return " ".join(result.output.split())


def report(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Return what ``check --json`` says about one file."""
    result = run("check", "--json", *arguments)
    assert result.exit_code == code, result.output
    (found,) = json.loads(result.stdout)["files"]
    assert isinstance(found, dict)
    return found


def kinds(found: dict[str, Any]) -> dict[str, list[str]]:
    """Return event ID to the kinds of its findings."""
    return {event["event_id"]: [one["kind"] for one in event["findings"]] for event in found["events"]}


def state_ids(*arguments: str) -> dict[tuple[str, str], str]:
    result = run("state", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return {(e["pdu"]["type"], e["pdu"]["state_key"]): e["event_id"] for e in json.loads(result.stdout)}


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
    # The recording gives a state whose events are not all in the file, so the exit code is 1.
    found = report(case(name), code=1)
    assert found["room_version"] == "10"
    assert list(kinds(found).values()) == ([] if kind is None else [[kind]])
    assert found["room"]["state_size"] == 3
    table = run("check", case(name))
    assert table.exit_code == 1
    assert name in table.stdout


def test_one_event_of_another_room_is_named_and_the_rest_is_used() -> None:
    file = case("o_7012_state.json")
    assert len(state_ids(file)) == 5
    found = report(file, code=1)
    assert list(kinds(found).values()) == [["other-room"]]
    assert found["room"]["state_size"] == 5


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


def test_an_event_and_its_auth_chain_come_from_two_responses() -> None:
    chain, event = case("s_event_auth_gaps.json"), case("s_event_auth_gaps_event.json")
    found = report(chain, "--also", event)
    assert found["summary"]["intact"] == found["summary"]["events"] == 7
    alone = run("auth", "--room", chain, event)
    assert "against its auth events: allowed" in alone.stdout


# Keys and signatures


def test_an_expired_key_is_named_with_both_times() -> None:
    result = run("check", case("c1_room.jsonl"), "--keys", case("c1_keys.json"))
    assert result.exit_code == 1
    expired = (
        '"ed25519:old1" ignored: the key had expired (the key expired 2025-04-12T08:53:20Z (1744448000000)'
    )
    assert f"{expired}, the event was made 2025-10-09T08:53:25Z (1760000005000))" in answer(result)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_two_keys_under_one_id_are_named_with_their_files(order: str) -> None:
    a, b = (f"c3_keys_{letter}.json" for letter in order)
    result = run("check", case("c3_room.jsonl"), "--keys", case(a), "--keys", case(b))
    assert result.exit_code == 0
    assert "6 valid" in answer(result)
    assert "twice.example has different keys under the ID ed25519:auto; each is tried: HH1d" in result.stderr
    assert result.stderr.index("c3_keys_a.json") < result.stderr.index("c3_keys_b.json")


def test_one_bad_response_does_not_lose_the_other_keys() -> None:
    result = run("check", case("c1_room.jsonl"), "--keys", case("c5_keys.json"))
    assert result.exit_code == 0
    assert "6 valid" in answer(result)
    assert "c5_keys.json: not used: " in result.stderr
    assert " 2 of 3: two.example: the response is not signed by the server's own keys" in result.stderr


def test_an_unknown_key_drops_nothing(write: Write) -> None:
    lines = (VECTORS / "rooms" / "v11.jsonl").read_text().split("\n")[1:-1]
    file = write("room.jsonl", [json.loads(line)["pdu"] for line in lines])
    keys = ("--keys", case("one-server-key.json"))
    found = report(file, "--alone", *keys)
    assert found["events"] == []
    counts = found["summary"]["signatures"]
    assert (counts["valid"], counts["key_unknown"], counts["invalid"], counts["missing"]) == (132, 75, 0, 0)
    # Without the header, nothing says that the recording server rejected these 37 too.
    whole = report(file, *keys, code=1)
    assert whole["summary"]["bad"] == 37
    assert not {"signature", "signature-missing"} & whole["summary"]["kinds"].keys()
    assert whole["summary"]["signatures"] == counts


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


@pytest.mark.parametrize("name", ["f1_recording.jsonl", "f1_foreign_signature.jsonl"])
@pytest.mark.parametrize("keys", [(), ("--keys", case("f1_foreign_signature.keys.json"))])
def test_an_event_that_its_server_has_not_signed_is_refused(name: str, keys: tuple[str, ...]) -> None:
    event_id = "$-_AnH4VKzMXZ_LNUGknbxwJIwdjJOYLcNX5cDi4nUrY"
    reason = "one.example must sign, but its signature is missing"
    refused = run("auth", *keys, "--room", case(name), event_id[:13])
    assert refused.exit_code == 1
    assert "against the checks on receipt: REFUSED" in refused.stdout
    assert reason in refused.stdout
    state = run("state", *keys, case(name))
    assert event_id not in state.stdout
    assert reason in state.stderr


def test_a_forged_event_is_left_out_by_all_commands() -> None:
    options = (case("o_1407_sendjoin.json"), "--keys", case("o_1407.keys.json"))
    forged = "$rwDOdIDX9n7HMdR7Qoug2CMlCUtiSAPYJj5T21jEaAU"
    found = report(*options, code=1)
    assert kinds(found) == {forged: ["signature"]}
    assert found["room"]["state_size"] == 6
    state = run("state", *options)
    assert len(state.stdout.splitlines()) == 6
    assert forged not in state.stdout
    assert forged in state.stderr


# What is said


def test_a_missing_create_event_is_not_called_present() -> None:
    result = run("auth", "--room", case("f6_no_create_cited.jsonl"), "$-Z5omSv9")
    assert result.exit_code == 1
    assert "v9 rule 2.4 (auth_events.no_create): the event does not cite the create event" in answer(result)


def test_each_state_reset_is_named_with_its_merge() -> None:
    options = (case("m_16629_reset.jsonl"), "--keys", case("m_16629_reset.keys.json"))
    result = run("check", "--all", *options)
    assert result.exit_code == 0
    merge = "$fYNbD3w5xOmVyeBaoO2C00P2FEzfK0tSZ-Otzy1MNZk"
    for number in range(12):
        user = f"@m{number:02}:x{number % 3}.example"
        assert f'state reset of m.room.member "{user}"; version 12 would undo it too at the merge' in answer(
            result
        )
    assert result.stdout.count(f"at the merge before {merge}") == 12
    assert f"--at '{merge}' --why m.room.member @m00:x0.example" in result.stdout
    few = run("check", *options)
    assert "and 7 more: --all lists them" in few.stdout
