"""A second source that lies: it adds knowledge or makes something unknown, and reverses nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import synapse_db
from builder import ALICE, BOB, Room, public_key, server_name
from command_line import Write, run
from command_line import public_room as small_room
from replay.test_policy_server import CONTENT, KEY, SERVER
from synapse_db import Change, changed_in
from test_sources_merged import public_room
from test_sources_synapse import checked as check_database
from test_sources_synapse import partial_join, room_ids
from test_sources_together import answer_to_join

from roomver import sign_event
from roomver.known_states import Beliefs
from roomver.signature_results import POLICY_SERVER_KEY


def lines_of(room: Room, **header: Any) -> list[dict[str, Any]]:
    """Return the lines of a recording."""
    first = {"format": "roomver-room/2", "room_version": room.version.identifier, **header}
    return [first, *({"event_id": event.event_id, "pdu": dict(event.pdu)} for event in room.events.values())]


def checked(*files: str) -> dict[str, Any]:
    result = run("check", "--unsigned", files[0], *(a for f in files[1:] for a in ("--also", f)), "--json")
    (found,) = json.loads(result.stdout)["files"]
    assert "error" not in found, found
    return {**found, "exit_code": result.exit_code}


def state_ids(room: Room) -> list[str]:
    return sorted(event.event_id for event in room.state.values())


# States


def banned_room() -> tuple[Room, list[str], str]:
    """Return a room, the state before Bob was banned, and what he sent after that."""
    room = public_room()
    state = state_ids(room)
    member = room.state["m.room.member", BOB]
    room.member(BOB, "ban", by=ALICE)
    room.state["m.room.member", BOB] = member
    return room, state, room.add("m.room.message", BOB, {"body": "after the ban"}).event_id


def test_a_state_that_a_second_source_gives_lets_no_banned_user_in(write: Write) -> None:
    room, state, sent = banned_room()
    first = write("first.jsonl", lines_of(room))
    other = write("other.jsonl", lines_of(room, states={sent: {"state": state}}))
    (event,) = checked(first)["events"]
    assert [one["kind"] for one in event["findings"]] == ["rejected-by-state"]
    for files in ((first, other), (other, first)):
        found = checked(*files)
        (event,) = found["events"]
        assert event["event_id"] == sent
        assert [one["kind"] for one in event["findings"]] == ["state-unknown"]
        assert found["room"]["contradicted"] == {sent: [["m.room.member", BOB]]}
        assert found["exit_code"] == 1
    result = run("check", "--unsigned", first, "--also", other)
    assert f'before {sent}: m.room.member "{BOB}"' in result.stdout
    assert "1 given state contradicted by the events" in result.stdout
    assert "find out which of the contradicting sources is right" in " ".join(result.stdout.split())


def findings(found: dict[str, Any]) -> dict[str, list[str]]:
    return {one["event_id"]: [each["kind"] for each in one["findings"]] for one in found["events"]}


def test_a_state_of_a_second_source_does_not_change_the_order_of_arrival(write: Write) -> None:
    """It moved the ban before a message that had arrived before the ban."""
    room = small_room()
    start, state = room.last, dict(room.state)
    topic = room.add("m.room.topic", ALICE, {"topic": "E"}, state_key="", prev=[start])
    room.add("m.room.topic", ALICE, {"topic": "T2"}, state_key="", prev=[topic])
    room.state = dict(state)
    room.add("m.room.message", BOB, {"body": "before the ban"}, prev=[start])
    ban = room.member(BOB, "ban", by=ALICE, prev=[start])
    late = room.add("m.room.topic", ALICE, {"topic": "L"}, state_key="", prev=[ban])
    first = write("first.jsonl", lines_of(room))
    false = sorted([*(event.event_id for event in state.values()), late.event_id])
    other = write("other.jsonl", lines_of(room, states={topic.event_id: {"state": false}}))
    alone = checked(first)
    assert findings(alone) == {}
    for files in ((first, other), (other, first)):
        found = checked(*files)
        assert findings(found) == {}
        assert found["room"]["forward_extremities"] == alone["room"]["forward_extremities"]
        assert found["room"]["contradicted"] == {topic.event_id: [["m.room.topic", ""]]}


@pytest.mark.parametrize("told", [False, True])
def test_a_false_state_does_not_decide_that_a_banned_user_is_in(write: Write, told: bool) -> None:
    """It moved his event before the ban, so that it was not soft-failed."""
    room = small_room()
    start, state = room.last, dict(room.state)
    ban = room.member(BOB, "ban", by=ALICE, prev=[start])
    banned = state_ids(room)
    room.state = dict(state)
    again = room.member(BOB, "join", more={"displayname": "again"}, prev=[start])
    server = {"rejected": [], "soft_failed": [again.event_id], "state": banned}
    first = write(
        "first.jsonl", lines_of(room, **(server | {"forward_extremities": [ban.event_id]} if told else {}))
    )
    false = [event.event_id for key, event in state.items() if key != ("m.room.member", BOB)]
    other = write(
        "other.jsonl", lines_of(room, states={ban.event_id: {"state": sorted([*false, again.event_id])}})
    )
    alone = checked(first)
    assert (findings(alone) == {again.event_id: ["soft-failed"]}) is not told
    assert alone["room"]["forward_extremities"] == [ban.event_id]
    found = checked(first, other)
    assert found["exit_code"] == 1
    assert found["room"]["contradicted"] == {ban.event_id: [["m.room.member", BOB]]}
    # The state in which both events arrived is that after the event before them, which no source doubts.
    assert findings(found) == findings(alone)
    assert found["room"]["extremities_known"]
    assert found["room"]["forward_extremities"] == alone["room"]["forward_extremities"]
    shown = run("state", "--unsigned", first, "--also", other, "--type", "m.room.member", "--key", BOB)
    assert (shown.exit_code, '"membership": "ban"' in shown.stdout) == (0, True)


@pytest.mark.parametrize("header", ["plain", "ends", "server"])
@pytest.mark.parametrize("lie", ["accepted", "false state", "newer state", "no state"])
def test_what_a_second_source_calls_accepted_takes_no_end_away(write: Write, header: str, lie: str) -> None:
    """The newest event became an outlier: the current state was empty, and counted as known."""
    room = small_room()
    start, ids = room.last, [*room.events]
    assert start is not None
    before = sorted(e.event_id for e in room.state.values() if e is not start)
    room.member(BOB, "ban", by=ALICE)
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    last = room.add("m.room.message", ALICE, {"body": "newest"}).event_id
    told: dict[str, dict[str, Any]] = {
        "plain": {},
        "ends": {"forward_extremities": [last]},
        "server": {
            **{"forward_extremities": [last], "rejected": [], "soft_failed": []}, "state": state_ids(room),
        },
    }  # fmt: skip
    lies: dict[str, dict[str, Any]] = {
        "accepted": {},
        "false state": {"state": [one for one in before if one != ids[3]]},
        "newer state": {"state": sorted([*before, topic.event_id])},
        "no state": {"state": [], "unknown": [{"reason": "x", "types": None}]},
    }
    first = write("first.jsonl", lines_of(room, **told[header]))
    other = write("other.jsonl", lines_of(room, states={start.event_id: {**lies[lie], "accepted": [last]}}))
    assert checked(first)["room"]["forward_extremities"] == [last]
    for files in ((first, other), (other, first)):
        found = checked(*files)
        assert found["room"]["forward_extremities"] == [last]
        # Bob's join lacks the join rules, so the join and the ban are undecided.
        assert found["room"]["state_size"] == (
            len(room.state) - 2 if lie == "false state" else len(room.state)
        )
    if lie != "false state":
        assert (
            run("state", "--unsigned", first).stdout
            == run("state", "--unsigned", *_also(first, other)).stdout
        )


def _also(first: str, *others: str) -> list[str]:
    return [first, *(word for other in others for word in ("--also", other))]


@pytest.mark.parametrize("told", [False, True])
def test_what_a_second_source_calls_accepted_hides_no_soft_failure(write: Write, told: bool) -> None:
    room = small_room()
    start, state = room.last, dict(room.state)
    assert start is not None
    ban = room.member(BOB, "ban", by=ALICE, prev=[start])
    banned = state_ids(room)
    room.state = dict(state)
    sent = room.add("m.room.message", BOB, {"body": "evading"}, prev=[start]).event_id
    last = room.add("m.room.message", ALICE, {"body": "n"}, prev=[ban]).event_id
    server = {"rejected": [], "soft_failed": [sent], "forward_extremities": [last], "state": banned}
    first = write("first.jsonl", lines_of(room, **(server if told else {})))
    other = write("other.jsonl", lines_of(room, states={start.event_id: {"accepted": [sent]}}))
    for files in ((first,), (first, other), (other, first)):
        found = checked(*files)
        assert findings(found) == ({} if told else {sent: ["soft-failed"]})
        assert [one["event_id"] for one in found["room"]["agreed"]] == ([sent] if told else [])
        assert found["room"]["forward_extremities"] == [last]


def test_what_follows_an_event_does_not_come_before_it(write: Write) -> None:
    """A state after a gap is believed, but not that it has what follows the event."""
    room = small_room()
    state, gone = state_ids(room), room.add("m.room.message", ALICE, {"body": "missing"})
    after = room.add("m.room.message", ALICE, {"body": "after the gap"})
    last = room.add("m.room.topic", ALICE, {"topic": "newest"}, state_key="").event_id
    kept = [line for line in lines_of(room)[1:] if line["event_id"] != gone.event_id]

    def source(name: str, given: dict[str, Any]) -> str:
        return write(name, [{**lines_of(room)[0], "states": {after.event_id: given}}, *kept])

    first = source("first.jsonl", {"state": state})
    alone = checked(first)
    assert (alone["room"]["forward_extremities"], alone["room"]["extremities_known"]) == ([last], True)
    for given in ({"accepted": [last]}, {"state": sorted([*state, last])}):
        other = source("other.jsonl", given)
        for files in ((first, other), (other, first)):
            found = checked(*files)
            assert (found["room"]["forward_extremities"], found["room"]["extremities_known"]) == (
                [last],
                True,
            )


def test_a_second_source_does_not_close_the_gaps_of_the_first(write: Write) -> None:
    """An empty list of outliers counted as the word of a server that had received nothing else."""
    room = small_room()
    room.add(
        "m.room.join_rules", ALICE, {"join_rule": "public"}, state_key="", origin_server_ts=1_800_000_000_000
    )
    state, gone = state_ids(room), room.add("m.room.message", ALICE, {"body": "missing"})
    last = room.add(
        "m.room.join_rules", ALICE, {"join_rule": "invite"}, state_key="", origin_server_ts=1_700_000_000_100
    )
    kept = [line for line in lines_of(room)[1:] if line["event_id"] != gone.event_id]
    head = lines_of(room)[0]
    first = write("first.jsonl", [{**head, "states": {last.event_id: {"state": state}}}, *kept])
    other = write("other.jsonl", [{**head, "outliers": []}, *kept])
    alone, whole = checked(first), checked(write("whole.jsonl", lines_of(room)))
    assert whole["room"]["forward_extremities"] == [last.event_id]
    for files in ((first, other), (first,)):
        found = checked(*files)
        for same in ("forward_extremities", "extremities_known", "state_size"):
            assert found["room"][same] == alone["room"][same], files


@pytest.mark.parametrize("form", ["recording", "answer"])
def test_a_given_current_state_does_not_replace_what_the_events_decide(
    write: Write, tmp_path: Path, form: str
) -> None:
    """It replaced the ban silently."""
    room = small_room()
    old, ids = [dict(event.pdu) for event in room.state.values()], state_ids(room)
    room.member(BOB, "ban", by=ALICE)
    first = write("first.jsonl", lines_of(room))
    other = (
        write("other.jsonl", lines_of(room, current={"state": ids}))
        if form == "recording"
        else write("state.json", {"pdus": old, "auth_chain": []})
    )
    assert run("state", "--unsigned", first, "--type", "m.room.member").stdout.count("ban") == 1
    for files in ((first, other), (other, first)):
        result = run("state", "--unsigned", *_also(*files), "--type", "m.room.member")
        assert (result.exit_code, result.stdout.count(ALICE), result.stdout.count(BOB)) == (3, 1, 0)
        assert "the given current state differs from the events'" in result.stderr
        found = checked(*files)
        assert found["room"]["state_size"] == len(room.state) - 1
        (moment,) = found["sources"]["differences"]
        (entry,) = moment["entries"]
        assert (moment["kind"], entry["type"], entry["state_key"]) == ("moment", "m.room.member", BOB)
        recorded = str(tmp_path / "recorded.jsonl")
        assert run("record", "--unsigned", *_also(*files), "-o", recorded, "--force").exit_code == 0
        result = run("state", "--unsigned", recorded, "--type", "m.room.member")
        assert (result.exit_code, result.stdout.count(ALICE), result.stdout.count(BOB)) == (3, 1, 0)
    # A state by itself is as it was given.
    alone = run("state", "--unsigned", "--room-version", "11", other, "--type", "m.room.member")
    assert (alone.exit_code, alone.stdout.count(BOB)) == (0, 1)


# Events beside the graph, and beliefs


def test_a_second_source_takes_no_event_out_of_the_room(write: Write) -> None:
    room = public_room()
    ids = [*room.events]
    first = write("first.jsonl", [dict(event.pdu) for event in room.events.values()])
    beside = {"outliers": ids, "apart": ids, "unsettled": ids}
    for header in (beside, {**beside, "rejected": [], "soft_failed": []}):
        other = write("other.jsonl", lines_of(room, **header))
        for files in ((first, other), (other, first)):
            found = checked(*files)
            assert found["room"]["apart"] == []
            for same in ("forward_extremities", "state_size", "extremities_known"):
                assert found["room"][same] == checked(first)["room"][same]


def test_a_header_that_says_nothing_of_decisions_is_no_belief(write: Write) -> None:
    """It counted as a server that had accepted everything."""
    assert Beliefs.of_header({"format": "roomver-room/2", "not_judged": [], "outliers": []}) is None
    for name in ("rejected", "soft_failed", "state", "forward_extremities"):
        assert Beliefs.of_header({name: []}) is not None
    room, _, sent = banned_room()
    empty = write("empty.jsonl", lines_of(room))
    told = write("told.jsonl", lines_of(room, rejected=[sent]))
    for files in ((empty, told), (told, empty)):
        found = checked(*files)
        assert found["sources"]["contradictions"] == []
        assert [one["event_id"] for one in found["room"]["agreed"]] == [sent]
    assert run("check", "--unsigned", "--as-recorded", empty).exit_code == 2


# Partial joins


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synapse_db.unpacked(tmp_path_factory.mktemp("lies") / "homeserver.db")


@pytest.fixture
def changed(base: Path, tmp_path: Path) -> Callable[[Change], str]:
    return changed_in(base, tmp_path)


def test_an_unfinished_partial_join_differs_from_nothing_also_once_recorded(
    changed: Callable[[Change], str], base: Path, write: Write, tmp_path: Path
) -> None:
    of_room = room_ids(base)[1]
    join, partial = partial_join(base, of_room)

    def change(db: Any) -> None:
        partial(db)
        db.execute(
            "DELETE FROM current_state_events WHERE room_id = ? AND type = 'm.room.member' AND event_id != ?",
            (of_room, join),
        )

    path, recorded = changed(change), str(tmp_path / "recorded.jsonl")
    assert run("record", path, "--room", of_room, "-o", recorded).exit_code == 0
    header = json.loads(Path(recorded).read_text().partition("\n")[0])
    assert header["partial_state"] is True
    assert join in header["unsettled"]
    answer = write("answer.json", answer_to_join(check_database(base, of_room), join))
    reports, in_part = [], []
    for source in (path, recorded):
        for more in ((), ("--also", answer), ("--also", str(base))):
            result = run("check", source, "--room", of_room, *more, "--json")
            (found,) = json.loads(result.stdout)["files"]
            assert found["room"]["state_differs"] == []
            in_part.append(found["room"]["state_compared_in_part"])
            room = {k: v for k, v in found["room"].items() if k != "dropped"}
            told = found.get("sources") or {"contradictions": [], "differences": []}
            about = [(one["kind"], one["event_id"]) for name in told for one in told[name] if name != "parts"]
            reports.append((result.exit_code, room, about))
            assert ("current-state", None) not in about
    assert reports[:3] == reports[3:]
    # Without the members, the state is unknown here.
    assert in_part == [False, True, True] * 2
    broken = write("broken.jsonl", [{**header, "partial_state": "yes"}])
    assert "partial_state: expected true or false" in run("check", broken).stderr
    not_told = write("order.jsonl", [{**header, "in_order": 3}])
    assert "in_order: expected true or false" in run("check", not_told).stderr


# Signatures


@pytest.mark.parametrize("junk", ["A" * 86, "z" * 86, "?"])
def test_a_copy_takes_away_no_signature_of_the_policy_server(write: Write, junk: str) -> None:
    room = public_room()
    room.add("m.room.policy", ALICE, CONTENT, state_key="")
    sent = room.add("m.room.message", ALICE, {"body": "recommended"})
    pdus: list[dict[str, Any]] = [dict(event.pdu) for event in room.events.values()]
    pdus[-1] = sign_event(pdus[-1], "11", SERVER, KEY)
    copy = {**pdus[-1], "signatures": {**pdus[-1]["signatures"], SERVER: {POLICY_SERVER_KEY: junk}}}
    keys = {name: {"ed25519:1": {"key": public_key(name)}} for name in ("a.example", "b.example")}
    options = ("--keys", write("keys.json", keys), "--room-version", "11")
    first, other = write("first.jsonl", pdus), write("other.jsonl", [*pdus[:-1], copy])
    assert run("check", first, *options).exit_code == 0
    assert f"{sent.event_id}  m.room.message" in run("check", other, *options).stdout
    for files in ((first, other), (other, first)):
        assert run("check", files[0], "--also", files[1], *options).exit_code == 0, files


def test_what_the_signatures_of_all_copies_show_does_not_depend_on_their_order(write: Write) -> None:
    room = public_room()
    pdus: list[dict[str, Any]] = [dict(event.pdu) for event in room.events.values()]
    strange = [{**pdu, "signatures": {server_name(pdu["sender"]): {"ed25519:new": "A" * 86}}} for pdu in pdus]
    keys = {name: {"ed25519:1": {"key": public_key(name)}} for name in ("a.example", "b.example")}
    options = ("--keys", write("keys.json", keys), "--room-version", "11", "--require-signatures", "--json")
    first, other = write("first.jsonl", pdus), write("other.jsonl", strange)
    assert run("check", other, *options).exit_code != 0
    reports = []
    for files in ((first, other), (other, first)):
        result = run("check", files[0], "--also", files[1], *options)
        (found,) = json.loads(result.stdout)["files"]
        reports.append((result.exit_code, found["summary"]))
    assert reports[0] == reports[1]
    assert reports[0][1]["signatures"]["valid"] == len(pdus)
