"""`auth` answers alike in words and in JSON, for each of its checks and for a policy server in the state."""

import json
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, Room, server_name
from command_line import Write, case, entries, header, public_room, run
from unpaddedbase64 import encode_base64

from roomver import Event, SigningKey, sign_event
from roomver.signature_results import POLICY_SERVER_KEY

CURRENT = "the current state at its arrival"
POLICY = "the policy server"
SERVER = server_name(BOB)
KEY = SigningKey.from_seed(POLICY_SERVER_KEY, encode_base64(b"the secret of a policy server !!"))
CONTENT = {"via": SERVER, "public_keys": {"ed25519": encode_base64(KEY.verify_key.key)}}
WORDS = {"refused": "REFUSED", "soft-failed": "REFUSED (soft-failed)", "dropped": "REFUSED"}


def judged(*arguments: str, code: int) -> dict[str, dict[str, Any]]:
    """Return what `auth` prints, by what was checked. Its text has the same exit code and says the same."""
    result, text = run("auth", "--json", *arguments), run("auth", *arguments)
    assert (result.exit_code, text.exit_code) == (code, code), result.output
    rows = {row["against"]: row for row in json.loads(result.stdout)}
    said = dict(line[8:].split(": ", 1) for line in text.stdout.splitlines() if line.startswith("against "))
    assert said.keys() == rows.keys()
    for against, row in rows.items():
        if against != "the checks on receipt" or row["result"] == "dropped":
            assert said[against] == WORDS.get(row["result"], row["result"])
        for one in row.get("compared", ()):
            assert one["what"] in text.stdout
            assert one["source"].rpartition(" ")[2] in text.stdout
    return rows


def state_of(write: Write, built: Room) -> str:
    return write("state.json", [event.pdu for event in built.state.values()])


# The five statuses


def test_each_status_is_the_same_in_words_and_in_json(write: Write) -> None:
    built = public_room()
    fork, base = dict(built.state), built.last
    assert base is not None
    built.member(BOB, "ban", by=ALICE)
    built.state = fork
    late = built.add("m.room.message", BOB, {"body": "x"}, prev=[base])
    fine = built.add("m.room.message", ALICE, {"body": "y"})
    topic = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    lost = built.add("m.room.message", ALICE, {"body": "z"}, auth=[built.create, "$gone"])
    forged = built.add("m.room.message", ALICE, {"body": "f"})
    lines = entries(built)
    lines[-1]["pdu"] = {**forged.pdu, "signatures": {}}
    room = write("room.jsonl", [header(), *lines])
    wanted: dict[Event, tuple[int, list[str]]] = {
        fine: (0, ["allowed", "allowed", "allowed"]),
        late: (1, ["allowed", "allowed", "soft-failed"]),
        topic: (1, ["refused", "refused", "not checked"]),
        lost: (3, ["undecided", "not checked", "unknown"]),
        forged: (1, ["dropped"]),
    }
    for event, (code, statuses) in wanted.items():
        rows = judged("--room", room, event.event_id, code=code)
        assert [row["result"] for row in rows.values()] == statuses
    state = ("--room-version", "11", "--state", state_of(write, built))
    for event, code, status in ((fine, 0, "allowed"), (topic, 1, "refused")):
        assert judged(*state, write("event.json", event.pdu), code=code)["the state"]["result"] == status
    (row,) = judged(*state, write("event.json", lines[-1]["pdu"]), code=1).values()
    assert (row["result"], row["allowed"]) == ("dropped", False)
    partial = ("--state", case("b_sendjoin_partial.json"), case("b_after.json"))
    assert judged(*partial, code=3)["the state"]["result"] == "undecided"


def test_the_help_says_that_a_dropped_event_ends_with_1() -> None:
    text = " ".join(run("auth", "--help").output.split())
    assert "because it is malformed or forged, is refused before any rule is applied: exit code 1" in text
    assert "1 refused, dropped or soft-failed" in text


# What the third check compared


def test_the_third_check_says_what_it_compared(write: Write) -> None:
    """Its values are those of the current state, and not of the state before the event."""
    built = public_room()
    fork, base = dict(built.state), built.last
    assert base is not None
    levels = built.power({"users": {ALICE: 100}, "events_default": 50})
    built.state = fork
    late = built.add("m.room.message", BOB, {"body": "x"}, prev=[base])
    room = write("room.jsonl", [header(), *entries(built)])
    rows = judged("--room", room, late.event_id, code=1)
    before, current = rows["the state before it"]["compared"], rows[CURRENT]["compared"]
    assert [one["what"] for one in current] == [one["what"] for one in before]
    required = {row["what"]: (row["value"], row["source"]) for row in current}["required level"]
    assert required == (50, f"events_default in {levels.event_id}")
    assert levels.event_id not in json.dumps(before)
    # Also of an event that it allows, where the current state is the state before.
    rows = judged("--room", room, levels.event_id, code=0)
    assert rows[CURRENT]["compared"] == rows["the state before it"]["compared"] != []


def test_an_unknown_current_state_has_no_table(write: Write) -> None:
    built = public_room()
    gap = built.make("m.room.message", ALICE, {"body": "not received"})
    last = built.add("m.room.message", ALICE, {"body": "x"}, prev=[gap, *[e for e in [built.last] if e]])
    rows = judged("--room", write("room.jsonl", [header(), *entries(built)]), last.event_id, code=3)
    assert "compared" not in rows[CURRENT]


# A policy server


def policed(*, joined: bool = True) -> Room:
    built = public_room()
    if not joined:
        built.member(BOB, "leave")
    built.add("m.room.policy", ALICE, CONTENT, state_key="")
    return built


def signed(event: Event) -> dict[str, Any]:
    return sign_event(event.pdu, event.room_version, SERVER, KEY)


def test_a_policy_server_in_the_given_state_must_have_signed_the_event(write: Write) -> None:
    built = policed()
    policy = built.state["m.room.policy", ""].event_id
    message = built.add("m.room.message", ALICE, {"body": "x"})
    options = ("--room-version", "11", "--state", state_of(write, built))
    rows = judged(*options, write("event.json", message.pdu), code=1)
    assert (rows["the state"]["result"], rows[POLICY]["result"]) == ("allowed", "soft-failed")
    said = f'the policy server has not signed the event (policy server "{SERVER}", from {policy})'
    assert rows[POLICY]["why"] == said
    assert rows[POLICY]["compared"] == [{"what": "policy server", "value": SERVER, "source": policy}]
    assert said in run("auth", *options, write("event.json", message.pdu)).stdout
    # As for the room, where the table has what the rules compared too.
    room = judged("--room", write("room.jsonl", [header(), *entries(built)]), message.event_id, code=1)
    assert room[CURRENT]["why"] == said
    assert room[CURRENT]["compared"][-1] == rows[POLICY]["compared"][-1]
    assert len(room[CURRENT]["compared"]) == len(room["the state before it"]["compared"]) + 1
    # With the signature it is allowed; a broken one does not count.
    assert judged(*options, write("event.json", signed(message)), code=0)[POLICY]["result"] == "allowed"
    broken = signed(message)
    broken["signatures"][SERVER][POLICY_SERVER_KEY] = "A" * 86
    rows = judged(*options, write("event.json", broken), code=1)
    assert rows[POLICY]["why"].startswith("the policy server's signature does not verify")


def test_a_policy_server_that_is_not_in_use_asks_for_nothing(write: Write) -> None:
    built = policed(joined=False)
    message = built.add("m.room.message", ALICE, {"body": "x"})
    options = ("--room-version", "11", "--state", state_of(write, built))
    assert judged(*options, write("event.json", message.pdu), code=0).keys() == {"the state"}
    room = judged("--room", write("room.jsonl", [header(), *entries(built)]), message.event_id, code=0)
    assert "policy server" not in [one["what"] for one in room[CURRENT]["compared"]]
    refused = built.make("m.room.topic", CAROL, {}, state_key="")
    options = ("--room-version", "11", "--state", state_of(write, policed()))
    assert judged(*options, write("event.json", refused.pdu), code=1).keys() == {"the state"}
    off = policed().add("m.room.policy", ALICE, {}, state_key="")
    assert judged(*options, write("event.json", off.pdu), code=0).keys() == {"the state"}


def test_what_is_not_signed_on_purpose_is_not_checked(write: Write) -> None:
    built = policed()
    options = ("--room-version", "11", "--state", state_of(write, built))
    draft = write("draft.json", {"type": "m.room.message", "sender": ALICE, "content": {"body": "x"}})
    row = judged(*options, draft, code=0)[POLICY]
    assert (row["result"], row["why"]) == ("not checked", "a draft has no signatures")
    message = write("event.json", built.make("m.room.message", ALICE, {"body": "x"}).pdu)
    row = judged(*options, "--unsigned", message, code=0)[POLICY]
    assert (row["result"], row["why"]) == ("not checked", "signatures were not checked (--unsigned)")


@pytest.mark.parametrize("lost", ["m.room.policy", "m.room.member"])
def test_a_policy_server_that_may_be_in_use_leaves_it_unknown(lost: str, write: Write) -> None:
    """The event that names it, or its joined user, is in the file but cannot be used."""
    built = policed()
    message = built.add("m.room.message", ALICE, {"body": "x"})
    key = (lost, BOB if lost == "m.room.member" else "")
    pdus = [e.pdu if at != key else {**e.pdu, "signatures": {}} for at, e in built.state.items()]
    options = ("--room-version", "11", "--state", write("state.json", pdus))
    rows = judged(*options, write("event.json", message.pdu), code=3)
    assert (rows["the state"]["result"], rows[POLICY]["result"]) == ("allowed", "unknown")
    assert "whether the room uses one is unknown" in rows[POLICY]["why"]
    with_it = judged(*options, write("event.json", signed(message)), code=0 if lost == "m.room.member" else 3)
    assert with_it[POLICY]["result"] == ("allowed" if lost == "m.room.member" else "unknown")
