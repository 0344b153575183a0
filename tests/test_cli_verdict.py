"""The verdict at the end of ``check``, and keys that are probably wrong."""

import json
import shlex
from base64 import b64encode
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from builder import ALICE, BOB, public_key
from command_line import KEYS, Write, ban_beside_a_message, entries, header, public_room, run
from homeservers import room_named, unpacked_sqlite

from roomver.explain.resets import explain_resets

ROOMS = Path(__file__).parents[1] / "vectors" / "rooms"


def verdict(*arguments: str) -> tuple[int, list[str]]:
    """Return the exit code of ``check``, and its last lines: those after the last empty one."""
    result = run("check", *arguments)
    return result.exit_code, result.stdout.rpartition("\n\n")[2].splitlines()


def test_a_room_without_decisions_of_its_server(write: Write) -> None:
    file = write("room.jsonl", [header(), *entries(public_room())])
    assert verdict(file) == (0, [f"{file}: no problems found"])
    assert verdict(file, "--alone") == (0, [f"{file}: no problems found"])


def test_a_room_that_agrees_with_its_server_and_the_call_that_explains_an_event() -> None:
    file = str(ROOMS / "v11.jsonl")
    code, (first, *lines, last) = verdict(file)
    assert (code, first) == (1, f"{file}: problems found; 7 state resets: 3 unintended, 4 as designed")
    assert lines == [
        "  an unintended state reset: the rules were followed, and nobody meant the loss",
        "  34 events rejected and 5 soft-failed, as the server did",
        "  everything agrees with what the server decided",
        f"  to explain the state resets: roomver resets {file}",
    ]
    words = shlex.split(last.partition(": roomver ")[2])
    assert run(*words).exit_code == 1


def test_unintended_state_resets_are_findings() -> None:
    room = Path(__file__).parent / "data" / "cases" / "m_16629_reset.jsonl"
    call = (str(room), "--keys", str(room.with_suffix(".keys.json")))
    code, (first, *_, last) = verdict(*call)
    assert (code, first) == (1, f"{room}: problems found; 12 state resets: 12 unintended")
    assert last.strip() == f"to explain the state resets: roomver resets {shlex.join(call)}"
    assert run("resets", *call).exit_code == 1
    # What is checked alone is in no state.
    assert verdict(*call, "--alone")[1][0] == f"{room}: no problems found"


def test_a_state_reset_as_designed_is_not_a_finding(tmp_path: Path) -> None:
    database, room = str(unpacked_sqlite(tmp_path)), room_named("local-v12")
    code, (first, *_) = verdict(database, "--room", room)
    assert (code, first) == (0, f"{room}: no problems found; 1 state reset, as designed")
    assert json.loads(run("check", database, "--room", room, "--json").stdout)["ok"] is True


def test_a_state_reset_that_cannot_be_classified_or_was_not_searched_for_leaves_a_room_undecided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database, room = str(unpacked_sqlite(tmp_path)), room_named("local-v12")
    with monkeypatch.context() as patch:
        patch.setattr("roomver.cli.one_room.explain_resets", partial(explain_resets, most=0))
        code, (first, *_) = verdict(database, "--room", room)
        assert (code, first) == (3, f"{room}: undecided; 1 state reset, not classified")
    monkeypatch.setattr("roomver.replay.resets._STEPS", 0)
    monkeypatch.setattr("roomver.replay.resets._STEPS_PER_EVENT", 0)
    code, (first, *lines) = verdict(database, "--room", room)
    assert (code, first) == (3, f"{room}: undecided")
    assert any(line.endswith("not searched for state resets: it costs too much") for line in lines)


def test_a_difference_is_a_problem(write: Write) -> None:
    built, ban, _, message = ban_beside_a_message()
    lines = [header(rejected=[ban.event_id], soft_failed=[]), *entries(built)]
    code, (first, *reasons, last) = verdict(write("room.jsonl", lines))
    assert (code, first.rpartition(": ")[2]) == (1, "problems found")
    assert reasons == ["  2 events with findings: 1 soft-failed, 2 server-differs"]
    assert last.endswith(f"'{ban.event_id}'") or last.endswith(f"'{message.event_id}'")
    # Nothing is compared where the header does not say it.
    code, (_, *reasons) = verdict(write("room.jsonl", [header(soft_failed=[]), *entries(built)]))
    assert not any("agree" in line for line in reasons)


def test_what_cannot_be_decided(write: Write) -> None:
    built = public_room()
    built.add("m.room.message", ALICE, {})
    built.add("m.room.message", BOB, {})
    lines = entries(built)
    file = write("room.jsonl", [header(rejected=[]), *lines[:-2], lines[-1]])
    code, (first, *reasons, last) = verdict(file)
    assert (code, first) == (3, f"{file}: undecided")
    assert reasons == [
        "  all that is decided agrees with what the server decided",
        "  1 event undecided: more of the room is needed to tell",
    ]
    assert last == f"  to explain one event: roomver explain {file} '{lines[-1]['event_id']}'"
    # Of an event by itself, nothing is decided.
    alone = write("alone.jsonl", [header(rejected=[]), lines[-1]])
    assert verdict(alone)[1][1:-1] == ["  1 event undecided: more of the room is needed to tell"]


def test_the_call_has_the_options_that_it_needs(write: Write) -> None:
    built = public_room()
    built.add("m.room.message", "@nobody:b.example", {})
    lines = entries(built)
    keys = write("keys.json", KEYS)
    file, more = write("a.json", [one["pdu"] for one in lines[1:]]), write("b.json", lines[0]["pdu"])
    options = ["--also", more, "--keys", keys, "--room-version", "11", "--room", built.room_id]
    code, reasons = verdict(file, *options)
    assert code == 1
    words = shlex.split(reasons[-1].partition(": roomver ")[2])
    assert words[:4] == ["explain", file, "--room", built.room_id]
    assert words[4:] == ["--also", more, "--keys", keys, "--room-version", "11", lines[-1]["event_id"]]
    result = run(*words)
    assert (result.exit_code, result.stderr) == (1, "")


def test_without_a_servers_decisions_rejected_events_may_be_as_it_rejected_them(write: Write) -> None:
    header_line, *lines = (ROOMS / "v11.jsonl").read_bytes().splitlines()
    said = "\n  no server's decisions to compare with: rejected events may be as their server rejected them\n"
    plain = [json.loads(line)["pdu"] for line in lines]
    text = run("check", write("plain.jsonl", plain)).stdout
    assert said in text.split(": problems found; 7 state resets: 3 unintended, 4 as designed\n")[1]
    assert said not in run("check", str(ROOMS / "v11.jsonl")).stdout
    # Without rejected events, there is nothing to say.
    good = public_room()
    assert said not in run("check", write("good.jsonl", [e.pdu for e in good.events.values()])).stdout
    partial = {**json.loads(header_line), "soft_failed": []}
    del partial["rejected"]
    recorded = write("part.jsonl", [partial, *map(json.loads, lines)])
    assert said in run("check", recorded).stdout


# Keys that are probably wrong


def test_a_wrong_key_is_said_to_be_wrong_before_its_events_are_called_forged(write: Write) -> None:
    built = public_room()
    bare = {key: value for key, value in header().items() if key != "keys"}
    file = write("room.jsonl", [bare, *entries(built)])
    wrong = {"a.example": {"ed25519:1": {"key": public_key("other")}}, "b.example": KEYS["b.example"]}
    keys = write("keys.json", wrong)
    number = sum(event.sender == ALICE for event in built.events.values())
    told = (
        f"the key a.example ed25519:1 (from {keys}) verifies none of its {number} signatures: it is probably"
        " not the key of a.example"
    )
    result = run("check", file, "--keys", keys)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[4:6] == [file, f"  {told}"]
    verdict = lines[lines.index(f"{file}: problems found") + 1 :]
    assert verdict[:2] == [
        "  the key of a.example is probably wrong: run again without it",
        "  everything below may follow from that",
    ]
    assert not any("roomver auth" in line for line in verdict)
    assert "the key of a.example is probably wrong" not in run("check", file).stdout
    for command in (("state", file), ("auth", "--room", file, "$x")):
        stderr = run(*command, "--keys", keys).stderr.splitlines()
        assert f"roomver: {file}: {told}" in stderr
    state = write("state.json", [event.pdu for event in built.state.values()])
    draft = write("draft.json", {"type": "x", "sender": BOB, "content": {}, "room_id": built.room_id})
    assert told in run("auth", "--state", state, "--room-version", "11", "--keys", keys, draft).stderr


def test_what_a_wrong_key_makes_of_many_events_is_told_once(write: Write) -> None:
    built = public_room()
    bare = {key: value for key, value in header().items() if key != "keys"}
    lines = entries(built)
    malformed = {"event_id": "$" + "B" * 43, "pdu": {**lines[-1]["pdu"], "depth": "x"}}
    file = write("room.jsonl", [bare, *lines, malformed])
    keys = write("keys.json", {"a.example": {"ed25519:1": {"key": public_key("other")}}})
    number = sum(event.sender == ALICE for event in built.events.values())
    text = run("check", file, "--keys", keys).stdout
    assert text.count("  signature: the event lacks a valid required signature\n") == 1
    assert f"\n{number - 1} more events with the same finding, by the same key: --all lists them\n" in text
    assert text.count("  auth-event-missing: ") == 0, "these follow from the key"
    assert f"  {len(lines) - number} more undecided event: --all lists them\n" in text
    assert text.count("  malformed: ") == 1
    whole = run("check", file, "--keys", keys, "--all").stdout
    assert whole.count("  signature: the event lacks a valid required signature\n") == number
    assert "--all lists them" not in whole


def test_a_wrong_key_of_the_recording_itself_cannot_be_left_out(write: Write) -> None:
    built = public_room()
    keys = {**KEYS, "a.example": {"ed25519:1": {"key": public_key("other")}}}
    text = run("check", write("room.jsonl", [header(keys=keys), *entries(built)])).stdout
    assert "\n  the key of a.example is probably wrong: see above\n" in text
    assert "run again" not in text


def test_a_forged_event_beside_good_ones_does_not_put_the_key_in_doubt(write: Write) -> None:
    built = public_room()
    for _ in range(3):
        built.add("m.room.message", ALICE, {})
    lines = json.loads(json.dumps(entries(built)))
    for line in lines[-2:]:
        signature = line["pdu"]["signatures"]["a.example"]["ed25519:1"]
        line["pdu"]["signatures"]["a.example"]["ed25519:1"] = "AAAA" + signature[4:]
    result = run("check", write("room.jsonl", [header(), *lines]))
    assert (result.exit_code, "probably" in result.stdout) == (1, False)


def test_one_event_alone_does_not_put_the_key_in_doubt(write: Write) -> None:
    built = public_room()
    keys = {**KEYS, "b.example": {"ed25519:1": {"key": public_key("other")}}}
    result = run("check", write("room.jsonl", [header(keys=keys), *entries(built)]))
    assert (result.exit_code, "probably" in result.stdout) == (1, False)


@pytest.mark.parametrize("command", ["check", "state"])
def test_a_key_under_another_id_is_named(command: str, write: Write) -> None:
    built = public_room()
    bare = {key: value for key, value in header().items() if key != "keys"}
    file = write("room.jsonl", [bare, *entries(built)])
    seed = b64encode(sha256(b"a.example").digest()).decode().rstrip("=")
    key = write("signing.key", f"ed25519 other {seed}\n")
    result = run(command, file, "--keys", f"a.example={key}")
    assert f"no signature is by a.example ed25519:other (from {key}): has it another key ID?" in result.output


def test_a_server_that_signs_nothing_here_is_named(write: Write) -> None:
    built = public_room()
    file = write("room.jsonl", [header(), *entries(built)])
    signing = write("signing.key", f"ed25519 other {'A' * 43}\n")
    line = "  no event here is signed by a.exmaple: its keys (--keys) are not used\n"
    assert line in run("check", file, "--keys", f"a.exmaple={signing}").stdout
    assert "no event here is signed by" not in run("check", file, "--keys", f"a.example={signing}").stdout
    # A file of many servers may have more than this room needs.
    table = write("table.json", {"a.exmaple": KEYS["a.example"]})
    assert "no event here is signed by" not in run("check", file, "--keys", table).stdout


def test_a_key_response_in_place_of_a_signing_key_is_recognised(write: Write) -> None:
    built = public_room()
    file = write("room.jsonl", [header(), *entries(built)])
    table = write("pub.json", {"server_name": "a.example", "verify_keys": {}})
    result = run("check", file, "--keys", f"a.example={table}")
    assert result.exit_code == 2
    said = f"this is a key response, or a table of verify keys: --keys {table}"
    assert result.stderr == f"roomver: {table}: {said}\n"
