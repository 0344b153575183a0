"""Anonymised rooms: nobody's names and words in them, and every decision as it was."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, key_of, public_key, signed_block, versions_from
from command_line import Write, case, entries, header, public_room, run
from played_rooms import played
from random_rooms import random_case
from synapse_db import FIXTURE

from roomver import Event, parse_event, redact, sign_event
from roomver.anonymous import Anonymised, Changes, anonymise, compare
from roomver.anonymous import events as events_module
from roomver.anonymous import ties as ties_module
from roomver.anonymous.names import KEYS, TYPES, WORDS, Names, signing_key
from roomver.anonymous.ties import find_places, make_times
from roomver.entry import Entry, Place
from roomver.errors import CyclicGraph, WrongRoom
from roomver.hashing import content_digest
from roomver.keys import KeyRing, SigningKey, VerifyKey
from roomver.known_states import KnownStates
from roomver.recording import Recording
from roomver.room_check import Beliefs, RoomCheck, check_room
from roomver.state import PartialState, Unknown
from roomver.versions import get_room_version

ROOMS = Path(__file__).parents[1] / "vectors" / "rooms"
SERVERS = ["a.example", "b.example", "d.example:8448", "a.example:443"]
RING = KeyRing.of({server: {"ed25519:1": key_of(server).verify_key} for server in SERVERS})


def recording_of(events: Iterable[Event | dict[str, Any]], version: str, **more: Any) -> Recording:
    found = [
        Entry(Place(None, ""), None, event.pdu if isinstance(event, Event) else event) for event in events
    ]
    return Recording(get_room_version(version), found, **more)


def checked(recording: Recording, *, unsigned: bool = False) -> RoomCheck:
    keys = None if unsigned else recording.keys
    return check_room(
        recording.entries,
        recording.version,
        keys=keys,
        beliefs=recording.beliefs,
        find_states=lambda events: recording.states,
    )


def anonymised(recording: Recording, *, unsigned: bool = False) -> tuple[Anonymised, RoomCheck, RoomCheck]:
    """Anonymise a room, and compare everything that is decided."""
    made = anonymise(recording)
    old, new = checked(recording, unsigned=unsigned), checked(made.recording, unsigned=unsigned)
    changes = compare(old, new, made.names)
    assert changes.none, changes
    if not made.left_out:
        assert counts(new) == counts(old)
    for event_id, findings in old.findings.items():
        if event_id in made.names.events:
            found = new.findings[made.names.events[event_id]]
            assert [one.kind for one in found] == [one.kind for one in findings]
    return made, old, new


def pdus_of(made: Anonymised) -> list[Any]:
    return [entry.pdu for entry in made.recording.entries]


def counts(found: RoomCheck) -> dict[str, Any]:
    summary = found.summary
    return {
        "kinds": dict(summary.kinds),
        "signatures": dict(summary.signatures),
        "redacted": summary.redacted,
        "intact": summary.intact,
        "undecided": summary.undecided,
        "resets": len(found.resets),
        "merges": len(found.replay.merges),
        "gaps": len(found.replay.gaps),
        "missing": len(found.replay.missing),
        "state_differs": len(found.state_differs),
    }


# Nothing survives

# What a room may call itself by chance.
MADE_UP = re.compile(r"(user|server|room|event|text|key|k)[0-9]+")
WORDS_KEPT = KEYS | TYPES | {word for words in WORDS.values() for word in words}


def strings_in(value: Any) -> Iterable[str]:
    """Yield all strings, keys included, and the parts of identifiers."""
    if isinstance(value, str):
        yield value
        yield from value.lstrip("@!$#").split(":")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings_in(key)
            yield from strings_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)


def surviving(old: Any, new: Any) -> set[str]:
    """Return the strings of a room that are in another. Words of the specification, and numbers, may be."""
    kept = WORDS_KEPT | {"ed25519", "policy_server", "ed25519:policy_server", "event_id", "pdu", "example"}
    found = {text for text in strings_in(old) if not MADE_UP.fullmatch(text)} - kept
    found = {text for text in found if text.strip(" +-.0123456789")}
    words = set(strings_in(new)) - kept
    text = "\n".join(sorted(words))
    # A short one may be part of a longer one.
    return (found & words) | {one for one in found if len(one) > 3 and one in text}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recorded_room_keeps_its_decisions_and_nothing_else(version: str, tmp_path: Path) -> None:
    source, target = ROOMS / f"v{version}.jsonl", tmp_path / "out.jsonl"
    result = run("record", str(source), "--anonymise", "-o", str(target))
    written = len(target.read_bytes().splitlines()) - 1
    assert (result.exit_code, result.stderr) == (0, f"roomver: {written} events written to {target}\n")
    old = [json.loads(line) for line in source.read_text().split("\n") if line]
    said = [old[0]["room_id"], list(old[0]["keys"]), *old[1:]]
    new = [json.loads(line) for line in target.read_text().split("\n") if line]
    assert surviving(said, [new[0]["room_id"], list(new[0]["keys"]), *new[1:]]) == set()
    reports = [json.loads(run("check", "--json", str(path)).stdout)["files"][0] for path in (source, target)]
    for report in reports:
        report["room"] = {
            key: len(value) if isinstance(value, list | dict) else value
            for key, value in report["room"].items()
        }
    assert reports[1]["summary"] == reports[0]["summary"]
    assert reports[1]["room"] == reports[0]["room"]
    assert [line["pdu"]["depth"] for line in new[1:]] == [line["pdu"]["depth"] for line in old[1:]]
    times = [[line["pdu"]["origin_server_ts"] for line in lines[1:]] for lines in (old, new)]
    assert [time - min(times[1]) for time in times[1]] == [time - min(times[0]) for time in times[0]]
    assert min(times[1]) == ties_module.START_MS
    assert len(new[0]["state"]) == len(old[0]["state"])
    old[0]["unsettled"] = []  # version 1 of the format knows none
    assert {key: len(value) for key, value in new[0].items() if isinstance(value, list | dict)} == {
        key: len(value) for key, value in old[0].items() if isinstance(value, list | dict)
    }


def test_an_anonymised_room_is_the_same_in_every_run(tmp_path: Path) -> None:
    texts = set()
    for seed in ("0", "1", "12345"):
        done = subprocess.run(
            [sys.executable, "-m", "roomver", "record", ROOMS / "v6.jsonl", "--anonymise", "-o", "-"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        texts.add(done.stdout)
    assert len(texts) == 1


def test_an_anonymised_room_is_anonymised_into_a_room_with_the_same_decisions(tmp_path: Path) -> None:
    target, again = tmp_path / "out.jsonl", tmp_path / "again.jsonl"
    assert run("record", str(ROOMS / "v10.jsonl"), "--anonymise", "-o", str(target)).exit_code == 0
    assert run("record", str(target), "--anonymise", "-o", str(again)).exit_code == 0
    first, second = (run("check", "--json", str(path)).stdout for path in (target, again))
    assert json.loads(first)["files"][0]["summary"] == json.loads(second)["files"][0]["summary"]


# Decisions


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("seed", range(6))
def test_random_rooms_keep_their_decisions(seed: int, version: str) -> None:
    rng = Random(f"{seed}/{version}")
    events = played(rng, version, 25, odd=True)
    if seed % 2:
        gone = {event.event_id for event in rng.sample(events[6:], 3)}
        events = [event for event in events if event.event_id not in gone]
    recording = recording_of(events, version)
    made, old, _ = anonymised(recording, unsigned=True)
    if not old.gathered.dropped:
        assert surviving([e.pdu for e in events], pdus_of(made)) <= {"x"}


@pytest.mark.parametrize("version", VERSIONS)
def test_states_with_random_values_keep_their_verdicts(version: str) -> None:
    """Odd power levels, members, third-party invites and create events are judged as they were."""
    rng = Random(version)
    judged = 0
    for _ in range(60):
        drawn = random_case(rng, version)
        events = {event.event_id: event for event in (*drawn.events.values(), drawn.event)}
        recording = recording_of(events.values(), version)
        try:
            made, old, new = anonymised(recording, unsigned=True)
        except WrongRoom:  # a create event of another version
            continue
        for event_id, outcome in old.replay.outcomes.items():
            verdict = outcome.by_auth_events
            other = new.replay.outcomes[made.names.events[event_id]].by_auth_events
            assert (verdict is None) is (other is None)
            if verdict is not None and other is not None:
                assert other.rule is verdict.rule
                judged += 1
    assert judged > 500


@pytest.mark.parametrize("version", versions_from(1))
def test_ids_that_break_ties_keep_their_order(version: str) -> None:
    built = Room(version)
    built.join(ALICE)
    same: Any = {"origin_server_ts": 1_700_000_000_000, "depth": 50}
    topics = [
        built.make("m.room.topic", ALICE, {"topic": f"{n}"}, state_key="", prev=[built.last or ""], **same)
        for n in range(40)
    ]
    made = anonymise(recording_of([*built.events.values(), *topics], version))
    if version == "1":  # by SHA-1, as state resolution orders them
        old = sorted((topic.event_id for topic in topics), key=ties_module.sha1_fraction)
        new = sorted((made.names.events[one] for one in old), key=ties_module.sha1_fraction)
    else:
        old = sorted(topic.event_id for topic in topics)
        new = sorted(made.names.events[one] for one in old)
    assert new == [made.names.events[one] for one in old]


def changed_by_ties(monkeypatch: pytest.MonkeyPatch) -> tuple[Recording, Changes]:
    """Return a room of which the new IDs change something, since they are not kept in order."""
    monkeypatch.setattr(ties_module, "_LARGEST_TIE", 1)
    for seed in range(200):
        recording = recording_of(played(Random(seed), "11", 30), "11")
        made = anonymise(recording)
        old, new = checked(recording, unsigned=True), checked(made.recording, unsigned=True)
        changes = compare(old, new, made.names)
        if changes.events and changes.keys and changes.merges:
            return recording, changes
    raise AssertionError


def test_where_a_tie_is_broken_otherwise_it_is_said(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    recording, changes = changed_by_ties(monkeypatch)
    result = run(
        "record",
        write("room.jsonl", [entry.pdu for entry in recording.entries]),
        "--unsigned",
        "--anonymise",
        "-o",
        "-",
    )
    assert result.exit_code == 1
    assert "the anonymised room differs: event IDs break ties, and they are new" in result.stderr
    event_id, (was, now) = next(iter(changes.events.items()))
    assert f"  {event_id}: was {was}, is {now}" in result.stderr
    assert "another event in the current state:\n" in result.stderr
    assert changes.merges[0] in result.stderr
    assert event_id in result.stdout
    monkeypatch.undo()
    assert anonymised(recording, unsigned=True)


# Hashes and signatures


def room_of(version: str = "11") -> Room:
    built = public_room(version)
    built.add("m.room.message", BOB, {"body": "a secret", "url": "mxc://a.example/x"})
    return built


@pytest.mark.parametrize("version", ["1", "3", "6", "12"])
def test_signatures_stay_valid_invalid_missing_and_unknown(version: str) -> None:
    built = room_of(version)
    pdus: list[Any] = [event.pdu for event in built.events.values()]

    def message(**signatures: Any) -> dict[str, Any]:
        pdu: dict[str, Any] = dict(built.make("m.room.message", ALICE, {"body": "x"}).pdu)
        pdu["signatures"] = {**pdu["signatures"], **signatures}
        return pdu

    zero = "A" * 86
    pdus += [
        message(**{"a.example": {"ed25519:1": zero}}),
        message(**{"a.example": {"ed25519:1": "short"}}),
        message(**{"a.example": {"ed25519:unknown": zero}}),
        message(**{"a.example": {"rot13:1": zero}}),
        message(**{"a.example": {}}),
        message(**{"c.example": {"ed25519:1": zero}, "not a server": {"ed25519:1": "x"}}),
    ]
    del (no_signatures := message())["signatures"]
    pdus.append(no_signatures)
    made, old, new = anonymised(recording_of(pdus, version, keys=RING))
    assert old.summary.signatures == new.summary.signatures
    assert len(old.summary.signatures) == 4
    assert old.summary.kinds
    found = pdus_of(made)
    assert "signatures" not in found[-1]
    assert surviving(pdus, found) == set()


def test_keys_stay_expired_and_lapsed() -> None:
    built = room_of("11")
    at = built.create.origin_server_ts
    key = key_of("a.example").verify_key.key
    for until, expired in [(at - 1, None), (at + 2, None), (None, at - 1), (None, at + 2), (at - 1, at + 9)]:
        ring = RING | KeyRing.of({})
        keys = {"ed25519:1": VerifyKey(key, until, expired)}
        ring = KeyRing.joined(
            [KeyRing.of({"a.example": keys}), KeyRing.of({"b.example": dict(one_key("b.example"))})]
        )
        made, old, _ = anonymised(recording_of(built.events.values(), "11", keys=ring))
        assert len(old.summary.signatures) > 1 or expired == at + 9
        assert set(made.recording.keys.keys) == {"server1.example", "server2.example"}


def one_key(server: str) -> dict[str, VerifyKey]:
    return {"ed25519:1": key_of(server).verify_key}


def test_the_right_one_of_two_keys_under_one_id_signs() -> None:
    built = room_of("11")
    other = key_of("another").verify_key
    ring = RING | KeyRing.of({"a.example": {"ed25519:1": other}})
    made, _, new = anonymised(recording_of(built.events.values(), "11", keys=ring))
    assert {status.value for status in new.summary.signatures} == {"valid"}
    assert len(made.recording.keys.find("server1.example", "ed25519:k1")) == 2


@pytest.mark.parametrize("version", ["1", "5", "11"])
def test_broken_hashes_stay_broken_and_redacted_events_redacted(version: str) -> None:
    built = room_of(version)
    message = built.last
    assert message is not None
    pdus: list[Any] = [event.pdu for event in built.events.values()]
    whole = dict(built.make("m.room.message", BOB, {"body": "gone"}).pdu)
    pdus[-1] = redact(message)
    pdus.append({**whole, "content": {"body": "changed"}})
    pdus.insert(
        -2,
        {**whole, "hashes": {"sha256": "unreadable"}}
        | ({"event_id": "$u:b.example"} if version == "1" else {}),
    )
    made, old, _ = anonymised(recording_of(pdus, version))
    assert old.summary.redacted == 1
    found = {kind.value: count for kind, count in old.summary.kinds.items()}
    assert found == {"content-hash": 1, "no-content-hash": 1}
    first, second = pdus_of(made)[-2:]
    assert (first["content"], list(second["content"])) == ({}, ["body"])


@pytest.mark.parametrize("version", ["2", "3", "11"])
@pytest.mark.parametrize("redacted_first", [False, True])
def test_the_redacted_copy_of_an_event_has_the_id_of_the_whole_one(
    version: str, redacted_first: bool
) -> None:
    built = room_of(version)
    pdus: list[Any] = [event.pdu for event in built.events.values()]
    copy = redact(pdus[-1], version)
    unsigned = {**pdus[-1], "unsigned": {"age": 5}}
    pdus = [*pdus[:-1], copy, pdus[-1], unsigned] if redacted_first else [*pdus, unsigned, copy]
    made, old, new = anonymised(recording_of(pdus, version, keys=RING))
    assert old.gathered.repeated == new.gathered.repeated == 2
    found = pdus_of(made)
    assert len({parse_event(pdu, version).event_id for pdu in found[-3:]}) == 1


def test_what_the_rules_verify_inside_of_events_is_made_anew() -> None:
    built = room_of("11")
    keys = {
        "public_key": public_key("id.example"),
        "public_keys": [{"public_key": public_key("id.other")}, 5],
    }
    built.add("m.room.third_party_invite", ALICE, {"display_name": "D", **keys}, state_key="tok")
    for target, signer in ((CAROL, "id.example"), ("@e:b.example", "id.other"), ("@f:b.example", "id.wrong")):
        block = signed_block(target, "tok", signer)
        invite = {"third_party_invite": {"display_name": "D", "signed": block}}
        built.make_member(target, "invite", by=ALICE, more=invite)
        built.member(target, "invite", by=ALICE, more=invite)
    made, old, _ = anonymised(recording_of(built.events.values(), "11", keys=RING))
    rejected = {"by the rules": sorted(one.value for one in old.summary.kinds)}
    assert rejected == {"by the rules": ["rejected"]}
    assert len(old.findings) == 1
    text = json.dumps(pdus_of(made))
    for secret in ("tok", "id.example", "id.other", public_key("id.example"), public_key("id.other")):
        assert f'"{secret}"' not in text


def test_a_restricted_join_is_signed_by_the_authorising_server() -> None:
    built = Room("11")
    built.join(ALICE)
    built.add(
        "m.room.join_rules",
        ALICE,
        {"join_rule": "restricted", "allow": [{"room_id": "!s:a.example"}]},
        state_key="",
    )
    joins = []
    for signers in (("a.example",), ()):
        pdu = built.pdu(
            "m.room.member",
            BOB,
            {"membership": "join", "join_authorised_via_users_server": ALICE},
            state_key=BOB,
        )
        for signer in signers:
            pdu = dict(sign_event(pdu, "11", signer, key_of(signer)))
        joins.append(pdu)
    made, old, _ = anonymised(
        recording_of([*(event.pdu for event in built.events.values()), *joins], "11", keys=RING)
    )
    assert {kind.value for kind in old.summary.kinds} == {"signature-missing"}
    servers = [set(pdu["signatures"]) for pdu in pdus_of(made)[-2:]]
    assert servers == [{"server1.example", "server2.example"}, {"server2.example"}]


def test_a_policy_server_s_signatures_are_made_anew() -> None:
    built = public_room("11")
    key = key_of("policy")
    policy = {"via": "b.example", "public_keys": {"ed25519": public_key("policy")}}
    built.add("m.room.policy", ALICE, policy, state_key="")
    secret = SigningKey("ed25519:policy_server", key._secret)
    signed: list[dict[str, Any]] = [
        dict(built.make("m.room.message", BOB, {"body": body}).pdu) for body in "abc"
    ]
    pdus: list[Any] = [
        sign_event(signed[0], "11", "b.example", secret),
        signed[1],
        {
            **signed[2],
            "signatures": {**signed[2]["signatures"], "b.example": {"ed25519:policy_server": "A" * 86}},
        },
    ]
    pdus[2]["signatures"]["b.example"] |= signed[2]["signatures"]["b.example"]
    made, old, new = anonymised(
        recording_of([*(event.pdu for event in built.events.values()), *pdus], "11", keys=RING)
    )
    assert {kind.value: count for kind, count in old.summary.kinds.items()} == {"policy-server": 2}
    assert len(new.replay.soft_failed) == 2
    text = json.dumps(pdus_of(made))
    assert public_key("policy") not in text


# What is unknown


@pytest.mark.parametrize("version", ["1", "10", "12"])
def test_missing_events_stay_missing(version: str) -> None:
    built = room_of(version)
    last = built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    after = built.add("m.room.message", BOB, {"body": "x", "m.relates_to": {"event_id": last.event_id}})
    redaction = built.add("m.room.redaction", ALICE, {}, redacts=last.event_id)
    pdus = [event for event in built.events.values() if event is not last]
    made, old, _ = anonymised(recording_of(pdus, version, keys=RING))
    assert old.summary.undecided
    found = {e.claimed_id or "": e for e in made.recording.entries}
    events = [parse_event(pdu, version) for pdu in pdus_of(made)]
    missing = {one for event in events for one in event.prev_event_ids} - {event.event_id for event in events}
    assert len(missing) == 1
    assert events[-1].redacts in missing
    related: Any = events[-2].content["m.relates_to"]
    assert related["event_id"] in missing
    assert found
    assert after.event_id in made.names.events
    assert redaction.event_id in made.names.events


def test_states_outliers_and_beliefs_are_anonymised() -> None:
    built = room_of("11")
    first, *_, last = built.events.values()
    state = {key: event.event_id for key, event in built.state.items() if key[1] != BOB}
    unknown = Unknown(
        "a secret reason", frozenset({"x.secret"}), frozenset({("m.room.member", "@secret:b.example")})
    )
    given = PartialState(state, [unknown, Unknown.members()])
    states = KnownStates(
        {last.event_id: given, "$absent": {}},
        {last.event_id: {first.event_id}},
        outliers=frozenset({"$absent"}),
        apart=frozenset({"$apart"}),
        unknown={"$other": "a secret reason"},
        current=state,
        accepted_now=frozenset({first.event_id}),
    )
    beliefs = Beliefs(
        frozenset({"$absent"}), frozenset(), frozenset({last.event_id}), extremities=frozenset()
    )
    made = anonymise(
        recording_of(
            built.events.values(),
            "11",
            keys=RING,
            states=states,
            beliefs=beliefs,
            not_judged=frozenset({last.event_id}),
            fields={"server": "secret 1.2", "redacted_by": {last.event_id: ["$absent"]}},
        )
    )
    ids, new = made.names.events, made.recording
    (found, absent) = new.states.given
    assert found == ids[last.event_id]
    mapped = new.states.given[found]
    assert isinstance(mapped, PartialState)
    assert sorted(mapped.known.values()) == sorted(ids[one] for one in state.values())
    assert [one.reason for one in mapped.unknown] == ["unknown to the server", "members omitted"]
    assert mapped.unknown[0].types == frozenset({"org.example.type1"})
    ((kind, key),) = mapped.unknown[0].keys
    assert (kind, key[:5]) == ("m.room.member", "@user")
    assert new.states.accepted == {found: frozenset({ids[first.event_id]})}
    assert new.states.outliers == frozenset({absent})
    assert new.states.accepted_now == {ids[first.event_id]}
    assert new.states.current == {made.names.state_key(k): ids[one] for k, one in state.items()}
    assert new.beliefs.rejected == frozenset({absent})
    assert new.beliefs.soft_failed == frozenset()
    assert new.not_judged == {found}
    assert new.fields == {"redacted_by": {found: [absent]}}
    assert "secret" not in repr(new)


@pytest.mark.parametrize("name", ["b_sendjoin_partial.json", "b_sendjoin_full.json"])
def test_the_state_at_a_join_is_kept(name: str, tmp_path: Path) -> None:
    target = str(tmp_path / "out.jsonl")
    result = run("record", case(name), "--anonymise", "-o", target)
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    assert result.stderr.endswith(f" written to {target}\n")
    old, new = (json.loads(run("check", "--json", path).stdout)["files"][0] for path in (case(name), target))
    for key in ("state_size", "gaps", "state_unknown"):
        assert str(new["room"][key])[:1] == str(old["room"][key])[:1]
    for report in (old, new):
        report["summary"]["keys_to_fetch"] = len(report["summary"]["keys_to_fetch"])
    assert new["summary"] == old["summary"]


def test_a_database_is_anonymised(tmp_path: Path) -> None:
    database = tmp_path / "homeserver.db"
    database.write_bytes(gzip.decompress(FIXTURE.read_bytes()))
    room = json.loads(run("rooms", "--json", str(database)).stdout)[-1]["room_id"]
    result = run("record", str(database), "--room", room, "--anonymise", "-o", "-")
    assert result.exit_code == 0
    assert result.stderr == f"roomver: {len(result.stdout.splitlines()) - 1} events written\n"
    assert room not in result.stdout


# Hostile input


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_cycle_is_an_error(version: str, write: Write) -> None:
    built = room_of(version)
    one = built.make("m.room.message", BOB, {}, prev=["$b:b.example"], event_id="$a:b.example")
    other = built.make("m.room.message", BOB, {}, prev=["$a:b.example"], event_id="$b:b.example")
    with pytest.raises(CyclicGraph):
        anonymise(recording_of([*built.events.values(), one, other], version))
    path = write("room.jsonl", [header(version), *entries(built), one.pdu, other.pdu])
    result = run("record", path, "--anonymise", "-o", "-")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "events cite each other in a cycle: $a:b.example, $b:b.example" in result.stderr
    assert run("record", path, "-o", "-").exit_code == 0


def test_malformed_events_stay_so_or_are_left_out(write: Write) -> None:
    built = room_of("11")
    message = dict(built.make("m.room.message", BOB, {"body": "x"}).pdu)
    deep: Any = "deep"
    for _ in range(150):
        deep = [deep]
    odd: list[Any] = [
        {**message, "sender": 5},
        {**message, "sender": "nobody"},
        {**message, "type": ["x"]},
        {**message, "prev_events": "x", "auth_events": [5]},
        {**message, "signatures": "x", "hashes": "secret"},
        {**message, "content": {"n": 1.5}},
        {**message, "state_key": "x" * 300},
        {**message, "content": {"body": "x" * 70_000}},
        {**message, "depth": -1},
        {**message, "content": {"x": deep}},
        {"type": "secret"},
    ]
    made, old, _ = anonymised(recording_of([*built.events.values(), *odd, "text", None], "11", keys=RING))  # type: ignore[list-item]
    assert old.gathered.dropped == 13
    assert made.left_out == 3  # the float, and what is too long or too large
    assert "secret" not in json.dumps(pdus_of(made))
    result = run("record", write("room.jsonl", [header(), *entries(built), *odd]), "--anonymise", "-o", "-")
    assert result.exit_code == 0
    assert "3 entries are left out: malformed, or too large when it is anonymised" in result.stderr


def test_an_event_that_becomes_too_large_is_left_out_and_said(write: Write) -> None:
    built = room_of("11")
    large = built.add("m.room.message", BOB, {"a": [f"{n:x}" for n in range(9_000)]})
    made = anonymise(recording_of(built.events.values(), "11", keys=RING))
    assert made.left_out == 1
    result = run("record", write("room.jsonl", [header(), *entries(built)]), "--anonymise", "-o", "-")
    assert result.exit_code == 1
    assert "1 entry is left out: malformed, or too large when it is anonymised" in result.stderr
    assert f"{made.names.events[large.event_id]}: was accepted, is dropped" in result.stderr


def test_wrong_ids_stay_wrong(write: Write, tmp_path: Path) -> None:
    built = room_of("12")
    lines = [{**line["pdu"], "event_id": line["event_id"]} for line in entries(built)]
    lines[0]["room_id"] = built.room_id
    lines[2]["event_id"] = "$wrong"
    target = str(tmp_path / "out.jsonl")
    keys = write("keys.json", header()["keys"])
    source = write("room.jsonl", lines)
    assert run("record", source, "--anonymise", "--keys", keys, "-o", target).exit_code == 0
    old, new = (json.loads(run("check", "--json", path).stdout)["files"][0] for path in (source, target))
    assert new["summary"]["kinds"] == old["summary"]["kinds"]
    assert old["summary"]["kinds"]["event-id"] == 1


def test_a_redaction_whose_target_comes_later_is_not_a_cycle() -> None:
    """The target of a redaction whose hash does not match is not part of the event."""
    built = room_of("6")
    redaction = built.make("m.room.redaction", ALICE, {}, redacts="$x")
    built.take(redaction)
    after = built.add("m.room.message", BOB, {})
    pdus: list[Any] = [event.pdu for event in built.events.values()]
    pdus[-2] = {**pdus[-2], "redacts": after.event_id}
    anonymised(recording_of(pdus, "6", keys=RING))


@pytest.mark.parametrize("version", ["5", "6"])
def test_times_that_cannot_be_shifted_keep_their_order(version: str) -> None:
    record = get_room_version(version)
    shift = make_times([5, 3, 3], record)
    assert [shift(time) for time in (3, 5, 10)] == [ties_module.START_MS + n for n in (0, 2, 7)]
    far = [-(2**63), 0, 2**63 - 1]
    times = make_times(far, record)
    assert [times(time) for time in far] == [ties_module.START_MS + n for n in (0, 1000, 2000)]
    assert times(-1) < times(0) == times(1) < times(2**63 - 1)
    assert make_times([], record)(7) == 7


def test_a_room_in_which_all_times_are_the_same_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    built = room_of("11")
    events = [built.make("m.room.message", BOB, {"n": n}, origin_server_ts=5) for n in range(300)]
    copies = {event.event_id: [event] for event in events}
    assert find_places(copies, built.version) == {}
    some = dict(list(copies.items())[:256])
    assert len(find_places(some, built.version)) == 256
    # And the number of tries is bounded, whatever happens.
    hashed: list[int] = []
    real = content_digest

    def counting(pdu: Any) -> bytes:
        hashed.append(1)
        return real(pdu)

    monkeypatch.setattr(events_module, "content_digest", counting)
    monkeypatch.setattr(ties_module.Place, "holds", lambda *_: False)
    anonymise(recording_of(events[:20], "11", keys=RING))
    assert len(hashed) < 50 * 20 + 10_000 + 40


# Names


def test_identifiers_stay_valid_or_invalid_and_keep_their_servers() -> None:
    names = Names(get_room_version("11"), {"a.example"}, set())
    assert names.text("@alice:a.example") == "@user1:server1.example"
    assert names.text("@bob:a.example") == "@user2:server1.example"
    assert names.text("@alice:a.example:443") == "@user3:server2.example"
    assert names.user("@a\0:a.example") == "@odd4\0:server1.example"
    assert names.user("@a:no server") == "@odd5:odd server 3"
    assert [names.user(name) for name in ("@odd", "odd", "")] == ["@odd6", "odd7", ""]
    assert names.user("odd:a.example") == "odd8\0:server1.example"
    assert names.text("a.example") == "server1.example"
    assert names.text("b.example") == "text1"
    assert names.text("!r:a.example") == "!room1:server1.example"
    assert names.text("$e:a.example") == "$missing1:server1.example"
    assert len(names.text("$hash")) == len(names.text("!hash")) == 44
    assert names.key("@alice:a.example") == "@user1:server1.example"
    assert (names.key("body"), names.key("secret"), names.type("m.secret")) == (
        "body",
        "key1",
        "org.example.type1",
    )
    assert names.key_id("rot13:x") == "other:k1"


def test_levels_are_kept_and_other_numbers_are_not() -> None:
    names = Names(get_room_version("9"), (), ())
    content = {
        "users": {ALICE: 100, BOB: " +050 ", "odd": None, "@x:y": "secret"},
        "events": {"m.room.name": 1.5, "x.y": True},
        "notifications": {"room": 20, "secret": 5},
        "ban": [5],
        "kick": 7,
        "secret": 5,
        "invite": {"a": 1},
    }
    assert names.content("m.room.power_levels", content) == {  # type: ignore[arg-type]
        "users": {"@user1:server1.example": 100, "@user2:server2.example": " +050 ", "text1": None}
        | {"@user3:server3.example": "text2"},
        "events": {"m.room.name": 1.5, "org.example.type1": True},
        "notifications": {"room": 20, "key1": 5},
        "ban": [0],
        "kick": 7,
        "key1": 0,
        "invite": {"key2": 0},
    }
    assert names.value({"a": [5, 1.5, True, None]}) == {"key2": [0, 0, True, None]}


def test_made_up_keys_are_derived_from_their_names() -> None:
    assert signing_key("server1.example").verify_key == signing_key("server1.example").verify_key
    assert signing_key("server1.example").verify_key != signing_key("server2.example").verify_key
    built = room_of()
    made = anonymise(recording_of(built.events.values(), "11", keys=RING))
    other = anonymise(recording_of(room_of("12").events.values(), "12", keys=RING))
    assert made.recording.keys == other.recording.keys
