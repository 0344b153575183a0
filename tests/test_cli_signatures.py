"""``roomver auth``, ``state`` and ``resolve`` look at signatures as ``check`` does."""

import json
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room, key_of, public_key
from command_line import KEYS, Write, entries, header, run

from roomver import Event, sign_event, sign_json
from roomver.keys import format_time

Line = dict[str, Any]


def public_room(version: str = "11") -> Room:
    """Alice's room, public, with Bob in it."""
    built = Room(version)
    built.join(ALICE)
    built.join_rule("public")
    built.join(BOB)
    return built


def with_signatures(event: Event, signatures: Any) -> Line:
    """The line of an event with other signatures, which are not part of its ID."""
    return {"event_id": event.event_id, "pdu": {**event.pdu, "signatures": signatures}}


def forged(built: Room, form: str) -> tuple[Event, Line]:
    """A topic of Alice's that she has not signed, or with a signature of another event."""
    topic = built.make("m.room.topic", ALICE, {"topic": "forged"}, state_key="")
    mine = built.create.pdu["signatures"]
    assert isinstance(mine, dict)
    signatures = {
        "missing": {},
        "of another server": {"b.example": mine["a.example"]},
        "of an unknown algorithm": {"a.example": {"rot13:1": "A" * 86}},
        "invalid": mine,
    }[form]
    return topic, with_signatures(topic, signatures)


MISSING = ["missing", "of another server", "of an unknown algorithm"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", [*MISSING, "invalid"])
def test_check_state_and_auth_agree_on_a_forged_event(version: str, form: str, write: Write) -> None:
    built = public_room(version)
    topic, line = forged(built, form)
    keys = ["--keys", write("keys.json", KEYS)] if form == "invalid" else []
    file = write("room.jsonl", [*entries(built), line])
    reason = (
        'no valid signature from a.example ("ed25519:1" does not verify)'
        if form == "invalid"
        else 'no valid signature from a.example ("rot13:1" ignored: unknown algorithm)'
        if "algorithm" in form
        else "a.example must sign, but its signature is missing"
    )
    (found,) = json.loads(run("check", "--json", *keys, file).stdout)["files"]
    (event,) = found["events"]
    assert event["event_id"] == topic.event_id
    (finding,) = event["findings"]
    assert finding["kind"] == ("signature" if form == "invalid" else "signature-missing")
    assert finding["action"] == "drop"
    assert finding["reasons"][0]["text"] == reason

    place = f"line {event['line']}"
    left_out = f'  {topic.event_id}: signatures["a.example"]: {reason} ({place})\n'
    state = run("state", "--json", *keys, file)
    assert state.exit_code == 0
    assert topic.event_id not in state.stdout
    assert len(json.loads(state.stdout)) == found["room"]["state_size"]
    assert f"roomver: {file}: 1 event is left out: see `roomver check`\n{left_out}" in state.stderr
    resolved = run("resolve", "--json", *keys, file)
    assert topic.event_id not in resolved.stdout
    assert left_out in resolved.stderr
    at = run("state", "--at", topic.event_id, *keys, file)
    assert (at.exit_code, at.stdout) == (2, "")
    assert f'{topic.event_id} is left out: signatures["a.example"]: {reason}\n' in at.stderr

    for name in (topic.event_id, topic.event_id[:12], write("event.json", line["pdu"])):
        auth = run("auth", "--room", file, *keys, name)
        assert auth.exit_code == 1
        assert auth.stdout.startswith(f"{topic.event_id}\n\nagainst the checks on receipt: REFUSED\n")
        assert f'    signatures["a.example"]: {reason}\n  A server must drop the event.\n' in auth.stdout
        (data,) = json.loads(run("auth", "--json", "--room", file, *keys, name).stdout)
        assert (data["event_id"], data["allowed"]) == (topic.event_id, False)
        assert data["findings"] == [finding]


@pytest.mark.parametrize("version", ["8", "9", "10", "11", "12"])
def test_auth_cites_the_rule_on_the_authorising_server(version: str, write: Write) -> None:
    built = public_room(version)
    join = built.make_member("@c:c.example", "join", more={"join_authorised_via_users_server": BOB})
    file = write("room.jsonl", [header(version), *entries(built)])
    result = run("auth", "--room", file, write("join.json", join.pdu))
    assert result.exit_code == 1
    assert '    signatures["b.example"]: b.example must sign, but its signature is missing\n' in result.stdout
    assert "(member.authoriser_signature)" in result.stdout
    signed = sign_event(join.pdu, version, "b.example", key_of("b.example"))
    assert run("auth", "--room", file, write("join.json", signed)).exit_code == 0


def test_a_signed_copy_of_an_event_does_not_save_an_unsigned_one(write: Write) -> None:
    built = public_room()
    message = built.add("m.room.message", ALICE, {"body": "hello"})
    file = write("room.jsonl", [header(), *entries(built)])
    assert run("auth", "--room", file, message.event_id).exit_code == 0
    copy = write("copy.json", with_signatures(message, {})["pdu"])
    assert run("auth", "--room", file, copy).exit_code == 1
    # In the room the signed copy counts, wherever the other one stands.
    unsigned = with_signatures(message, {})
    for lines in ([unsigned, *entries(built)], [*entries(built), unsigned]):
        file = write("both.jsonl", [header(), *lines])
        assert run("auth", "--room", file, message.event_id).exit_code == 0


@pytest.mark.parametrize("form", ["missing", "invalid"])
def test_auth_against_a_state_looks_at_the_events_signatures(form: str, write: Write) -> None:
    built = public_room()
    _, line = forged(built, form)
    event = write("event.json", line["pdu"])
    state = write("state.jsonl", [header(), *entries(built)])
    result = run("auth", "--state", state, event)
    assert result.exit_code == 1
    assert "against the checks on receipt: REFUSED" in result.stdout
    assert run("auth", "--state", state, "--unsigned", event).exit_code == 0


def test_what_could_not_be_checked_is_said_with_the_keys_to_fetch(write: Write) -> None:
    built = public_room()
    file = write("room.jsonl", entries(built))
    some = write("keys.json", {"a.example": KEYS["a.example"]})
    message = built.make("m.room.message", BOB, {"body": "hello"})
    event = write("event.json", message.pdu)
    commands = {
        "state": ["state", file],
        "resolve": ["resolve", file],
        "auth": ["auth", "--room", file, built.create.event_id],
        "against": ["auth", "--state", file, event],
    }
    for name, arguments in commands.items():
        none = run(*arguments)
        assert none.exit_code == 0
        if name == "auth":  # it says so after the answer, in one line
            said = "could not be checked: keys are missing; `roomver check` names them\n"
            assert none.stderr == f"roomver: the signatures of 4 events {said}"
            partly = run(*arguments, "--keys", some)
            assert partly.stderr == f"roomver: the signatures of 1 event {said}"
            assert run(*arguments, "--keys", write("all.json", KEYS)).stderr == ""
            continue
        without = "the signatures of 4 events could not be checked: no keys are given (--keys)"
        assert none.stderr == f"roomver: {file}: {without}\n"
        partly = run(*arguments, "--keys", some)
        assert partly.stdout == none.stdout
        assert partly.stderr.splitlines() == [
            f"roomver: {file}: the signatures of 1 event could not be checked; save"
            " https://HOMESERVER/_matrix/key/v2/query/b.example as FILE, and give --keys FILE"
        ]
        whole = run(*arguments, "--keys", write("all.json", KEYS))
        assert (whole.stdout, whole.stderr) == (none.stdout, "")
        unsigned = run(*arguments, "--unsigned")
        assert unsigned.stdout == none.stdout
        assert unsigned.stderr == f"roomver: {file}: signatures were not checked (--unsigned)\n"


def test_the_keys_of_several_servers_and_of_odd_names_are_left_to_another_command(write: Write) -> None:
    built = public_room()
    built.join("@carol:c.example")
    some = write("keys.json", {"a.example": KEYS["a.example"]})
    told = run("state", write("room.jsonl", entries(built)), "--keys", some).stderr
    assert told.endswith("2 events could not be checked; `roomver keys` says which keys to fetch\n")
    assert told.count("\n") == 1
    odd = public_room()
    odd.join("@carol:c.example")
    lines = [one for one in entries(odd) if one["pdu"]["sender"] != BOB]
    for line in lines:
        if line["pdu"]["sender"].startswith("@carol"):
            line["pdu"]["sender"] = line["pdu"]["state_key"] = "@carol:x;y"
            del line["event_id"]
    told = run("state", write("odd.jsonl", lines), "--keys", some).stderr
    assert "https://x;y" not in told


def test_an_answer_that_fails_has_no_note_on_signatures(write: Write) -> None:
    file = write("room.jsonl", entries(public_room()))
    assert "could not be checked" in run("explain", file, public_room().create.event_id).stderr
    failed = run("explain", file, "$gone")
    assert failed.exit_code != 0
    assert failed.stderr
    assert "could not be checked" not in failed.stderr


def test_check_without_keys_says_whose_keys_are_needed(write: Write) -> None:
    built = public_room()
    file = write("room.jsonl", entries(built))
    told = [
        "  the signatures of 4 events could not be checked: no keys are given (--keys)",
        "    needed: the keys of 2 servers: a.example, b.example",
        "    any homeserver has them: save GET /_matrix/key/v2/query/<server> as a file for --keys",
    ]
    assert "\n".join(["", *told, ""]) in run("check", file).stdout
    every = run("check", "--all", file).stdout.splitlines()
    first = every.index(f"{told[0]}; these are needed:")
    assert every[first : first + 4] == [
        f"{told[0]}; these are needed:",
        "    a.example ed25519:1, needed for 3 events",
        "    b.example ed25519:1, needed for 1 event",
        "",
    ]
    users = [f"@u:s{n}.example" for n in range(8)]
    built.join(*users)
    many = run("check", write("many.jsonl", entries(built))).stdout
    named = "a.example, b.example, s0.example, s1.example, s2.example and 5 more (`roomver check --all`)"
    assert f"    needed: the keys of 10 servers: {named}\n" in many


def test_the_keys_of_the_header_are_used(write: Write) -> None:
    built = public_room()
    topic, line = forged(built, "invalid")
    file = write("room.jsonl", [header(), *entries(built), line])
    result = run("state", "--type", "m.room.topic", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no valid signature from a.example" in result.stderr
    assert run("state", "--type", "m.room.topic", "--unsigned", file).exit_code == 0
    assert run("auth", "--room", file, topic.event_id).exit_code == 1


def test_now_counts_for_state_as_for_check(write: Write) -> None:
    file = write("room.jsonl", [header(), *entries(public_room())])
    assert run("state", "--now", "1700000000000", file).exit_code == 0
    result = run("state", "--now", "1600000000000", file)
    assert result.exit_code == 2
    assert "it has no usable event" in result.stderr
    assert "the event is more than 7 days ahead of now" in result.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_expired_before_the_event_is_named_with_both_times(version: str, write: Write) -> None:
    built = public_room(version)
    topic = built.add("m.room.topic", ALICE, {"topic": "late"}, state_key="")
    expired = topic.origin_server_ts - 1
    key = {"key": public_key("a.example"), "expired_ts": expired}
    keys = write("keys.json", {**KEYS, "a.example": {"ed25519:1": key}})
    file = write("room.jsonl", entries(built))
    (found,) = json.loads(run("check", "--json", "--keys", keys, file).stdout)["files"]
    (event,) = found["events"]
    assert event["event_id"] == topic.event_id
    assert event["findings"][0]["reasons"][0]["text"] == (
        'no valid signature from a.example ("ed25519:1" ignored: the key had expired (the key expired at'
        f" {format_time(expired)}, the event was made at {format_time(topic.origin_server_ts)}))"
    )
    assert topic.event_id not in run("state", "--json", "--keys", keys, file).stdout


def test_one_bad_answer_of_several_is_named_and_the_others_are_used(write: Write) -> None:
    file = write("room.jsonl", entries(public_room()))

    def answer(server: str, signer: str) -> Any:
        published = {"server_name": server, "valid_until_ts": 2**45, "verify_keys": KEYS[server]}
        return sign_json(published, server, key_of(signer))

    answers = [answer("a.example", "a.example"), answer("b.example", "c.example")]
    for command in ("check", "state", "resolve"):
        result = run(command, "--keys", write("keys.json", {"server_keys": answers}), file)
        assert result.exit_code == 0
        first = result.stderr.splitlines()[0]
        assert first.startswith(
            f"roomver: {write('keys.json', {'server_keys': answers})}: not used: response 2"
        )
        assert "b.example: the response is not signed by the server's own keys" in first
        needed = "b.example ed25519:1, needed for 1 event"
        assert (needed if command == "check" else "/query/b.example ") in result.stdout + result.stderr
        result = run(command, "--keys", write("bad.json", answers[1:]), file)
        assert (result.exit_code, result.stdout) == (2, "")
    # The first ten are named, and the others are counted.
    answers += answers[1:] * 12
    stderr = run("check", "--keys", write("keys.json", {"server_keys": answers}), file).stderr
    assert stderr.count(": not used: response ") == 10
    assert "roomver: and 3 more like this\n" in stderr


def test_verify_is_open_without_the_key(write: Write) -> None:
    event = public_room().create
    keys = write("keys.json", {"b.example": KEYS["b.example"]})
    result = run("verify", "--room-version", "11", "--keys", keys, write("event.json", event.pdu))
    assert (result.exit_code, result.stdout) == (3, "a.example: ed25519:1 ignored: unknown key\n")


def test_verify_reads_an_event_in_its_wrapper(write: Write) -> None:
    event = public_room().create
    file = write("event.json", {"event_id": event.event_id, "pdu": event.pdu})
    keys = write("keys.json", KEYS)
    result = run("verify", "--room-version", "11", "--keys", keys, file)
    assert (result.exit_code, result.stdout) == (0, "a.example: signed\n")
    keys = write("keys.json", {"b.example": KEYS["b.example"]})
    assert run("verify", "--room-version", "11", "--keys", keys, file).exit_code == 3


def test_the_signatures_of_a_draft_are_not_looked_at(write: Write) -> None:
    built = public_room()
    state = write("state.jsonl", [header(), *entries(built)])
    draft = {"type": "m.room.message", "sender": BOB, "content": {"body": "hello"}}
    for more in ({}, {"signatures": {"b.example": {"ed25519:1": "A" * 86}}}):
        result = run("auth", "--state", state, write("draft.json", {**draft, **more}))
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("allowed\na draft  m.room.message  by @bob:b.example\n")


def test_an_event_that_carries_its_id_is_refused_without_its_signatures(write: Write) -> None:
    built = public_room()
    topic, line = forged(built, "missing")
    file = write("room.jsonl", [header(), *entries(built)])
    carried = write("event.json", {**line["pdu"], "event_id": topic.event_id})
    for where in ("--room", "--state"):
        result = run("auth", where, file, carried)
        assert result.exit_code == 1
        assert result.stdout.startswith(f"{topic.event_id}\n\nagainst the checks on receipt: REFUSED\n")
        assert run("auth", where, file, "--unsigned", carried).exit_code == 0


def test_the_keys_and_events_of_several_files_count_together(write: Write) -> None:
    built = public_room()
    topic, line = forged(built, "invalid")
    one = write("one.jsonl", entries(built))
    other = write("other.jsonl", [header(), line])
    for files in ([one, "--also", other], [other, "--also", one]):
        checked = run("check", "--json", *files)
        (found,) = json.loads(checked.stdout)["files"]
        assert found["summary"]["signatures"]["key_unknown"] == 0
        assert [event["findings"][0]["kind"] for event in found["events"]] == ["signature"]
        state = run("state", "--json", *files)
        assert state.exit_code == 0
        assert topic.event_id not in state.stdout
        assert f"  {topic.event_id}: " in state.stderr
        for target in ("--room", "--state"):
            file, *more = files
            auth = run("auth", target, file, *more, write("event.json", line["pdu"]))
            assert auth.exit_code == 1
            assert "against the checks on receipt: REFUSED" in auth.stdout
