"""Several sources of one room: what each adds, and what becomes of what they contradict each other on."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, key_of, public_key, server_name
from command_line import Write, run
from hypothesis import given
from hypothesis import strategies as st
from random_knowledge import Knowledge, drawn_knowledge
from strategies import seldom

from roomver import KeyRing, SigningKey, redact, sign_event
from roomver.contributions import Difference, DifferenceKind, Matter, Origin
from roomver.entry import Entry, GivenIds, Part, Place
from roomver.findings import FindingKind
from roomver.gathering import Gathered, gather_events
from roomver.hashing import compute_content_hash
from roomver.keys import read_key_table
from roomver.known_states import Beliefs, KnownStates
from roomver.replay import Status
from roomver.room_check import RoomCheck, check_room
from roomver.state import PartialState, Unknown, entries_of
from roomver.types import StateMap

Pdu = Mapping[str, Any]


def public_room(version: str = "11") -> Room:
    room = Room(version)
    room.join(ALICE)
    room.power({"users": {} if version == "12" else {ALICE: 100}})
    room.join_rule("public")
    room.join(BOB)
    room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    room.add("m.room.message", BOB, {"body": "x"})
    return room


def pdus_of(room: Room) -> list[Pdu]:
    return [event.pdu for event in room.events.values()]


def entries(*sources: Iterable[Pdu | Entry]) -> list[Entry]:
    """Return the entries of sources, numbered."""
    return [
        (one if isinstance(one, Entry) else Entry(Place(line, ""), None, dict(one)))._replace(
            place=Place(line, "", "abc"[number]),
            source=number,
        )
        for number, source in enumerate(sources)
        for line, one in enumerate(source, 1)
    ]


def merged(*sources: Iterable[Pdu | Entry], origins: Sequence[Origin] = (), version: str = "11") -> Gathered:
    origins = origins or [origin(name) for name in "ab"[: len(sources)]]
    return gather_events(entries(*sources), version, keys=None, origins=origins)


def origin(name: str, known: KnownStates | None = None, **more: Any) -> Origin:
    return Origin(name, "a source", find_states=None if known is None else lambda _: known, **more)


def kinds(found: Gathered) -> list[DifferenceKind]:
    return [one.kind for one in found.differences]


def both_ways(
    one: Iterable[Pdu], other: Iterable[Pdu], origins: Sequence[Origin] = (), version: str = "11"
) -> list[Gathered]:
    return [
        merged(one, other, origins=origins, version=version),
        merged(other, one, origins=origins[::-1], version=version),
    ]


# What each source adds


def test_each_source_says_what_it_added_and_what_it_cannot_tell() -> None:
    room = public_room()
    pdus = pdus_of(room)
    ring = read_key_table({"a.example": {"ed25519:1": {"key": public_key("a.example")}}})
    last = list(room.events)[-1]
    state = {key: event.event_id for key, event in room.state.items()}
    beliefs = Beliefs(frozenset(), frozenset(), frozenset(state.values()), extremities=frozenset({last}))
    tells = origin("a", KnownStates({last: state}, tells_states=True), keys=ring, beliefs=beliefs)
    found = merged(pdus[:4], [*pdus[2:], {"x": 1}], origins=[replace(tells, in_order=True), origin("b")])
    a, b = found.contributions
    assert (a.events, a.added, a.repeated, a.dropped) == (4, 4, 0, 0)
    assert (b.events, b.added, b.repeated, b.dropped) == (5, 3, 2, 1)
    assert (a.keys, a.keys_added, a.states, a.states_added, a.current) == (1, 1, 1, 1, True)
    assert (a.rejected, a.soft_failed, a.cannot_tell) == (0, 0, ())
    assert (b.keys, b.states, b.current, b.rejected, b.soft_failed) == (0, 0, False, None, None)
    assert b.cannot_tell == tuple(Matter)
    assert found.differences == []


def test_one_source_is_not_compared() -> None:
    found = merged(pdus_of(public_room()))
    assert (found.contributions, found.differences, found.server_has) == ([], [], None)


# The content of events


@pytest.mark.parametrize("version", ["1", "2"])
def test_two_events_with_one_chosen_id_are_both_left_out(version: str) -> None:
    room = public_room(version)
    pdus = pdus_of(room)
    topic = room.state["m.room.topic", ""]
    other: dict[str, Any] = {**topic.pdu, "content": {"topic": "y"}}
    other["hashes"] = {"sha256": compute_content_hash(other, version)}
    for found in both_ways(pdus, [other], version=version):
        assert kinds(found) == [DifferenceKind.CONTENT]
        (one,) = found.differences
        assert (one.event_id, [said.source for said in one.says]) == (topic.event_id, ["a", "b"])
        assert topic.event_id not in found.events
        assert found.left_out[topic.event_id].kind is FindingKind.SAME_ID
        assert (found.dropped, found.repeated) == (2, 0)
        assert found.contradictions == found.differences
        # What the key has is unknown.
        state = found.as_state()
        assert isinstance(state, PartialState)
        assert state.why_unknown(("m.room.topic", "")) is not None
    assert merged(pdus, [other, other], version=version).dropped == 3
    checks = [
        check_room(entries(*order), version, keys=None, origins=[origin("a"), origin("b")])
        for order in ((pdus, [other]), ([other], pdus))
    ]
    last = list(room.events)[-1]
    assert [one.replay.outcomes[last].status for one in checks] == [Status.UNDECIDED] * 2
    assert not any(one.ok for one in checks)


def test_a_state_that_holds_one_of_two_events_with_one_id_is_known_in_part() -> None:
    room = public_room("1")
    topic = room.state["m.room.topic", ""]
    other: dict[str, Any] = {**topic.pdu, "content": {"topic": "y"}}
    other["hashes"] = {"sha256": compute_content_hash(other, "1")}
    state = [Entry(Place(1, ""), None, dict(one.pdu), part=Part.STATE) for one in room.state.values()]
    found = merged([*state], [other], version="1")
    assert isinstance(found.current, PartialState)
    assert found.current.why_unknown(("m.room.topic", "")) is not None
    assert topic.event_id not in entries_of(found.current).values()
    assert topic.event_id not in set().union(*found.accepted.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_whole_copy_of_a_redacted_event_is_used(version: str) -> None:
    room = public_room(version)
    pdus = pdus_of(room)
    topic = room.state["m.room.topic", ""]
    for found in both_ways(pdus, [redact(topic.pdu, version)], version=version):
        assert kinds(found) == [DifferenceKind.REDACTED]
        assert found.contradictions == []
        assert found.events[topic.event_id].content == {"topic": "x"}
        assert not found.checks[topic.event_id].redacted


@pytest.mark.parametrize("version", VERSIONS)
def test_the_whole_copy_of_an_altered_event_is_used(version: str) -> None:
    room = public_room(version)
    topic = room.state["m.room.topic", ""]
    altered = {**topic.pdu, "content": {"topic": "y"}}
    for found in both_ways(pdus_of(room), [altered], version=version):
        assert kinds(found) == [DifferenceKind.ALTERED]
        assert found.contradictions == found.differences
        assert found.events[topic.event_id].content == {"topic": "x"}
        assert [said.text for said in found.differences[0].says].count("has a copy that is altered") == 1


def test_two_altered_copies_are_findings_only() -> None:
    room = public_room()
    topic = room.state["m.room.topic", ""]
    pdus = [one for one in pdus_of(room) if one != topic.pdu]
    for found in both_ways([*pdus, {**topic.pdu, "content": {"a": 1}}], [{**topic.pdu, "content": {"b": 1}}]):
        assert found.differences == []
        assert found.events[topic.event_id].content == {}


@pytest.mark.parametrize("version", ["1", "11"])
def test_unsigned_and_signatures_are_not_compared(version: str) -> None:
    room = public_room(version)
    pdus = pdus_of(room)
    changed = [{**pdu, "unsigned": {"age": n}, "signatures": {"x": {"y": "z"}}} for n, pdu in enumerate(pdus)]
    if version == "1":
        changed = [{**pdu, "age_ts": 5} for pdu in changed]  # Synapse does not hash it
    for found in both_ways(pdus, changed, version=version):
        assert DifferenceKind.CONTENT not in kinds(found)
        assert version == "1" or found.differences == []
        assert len(found.events) == len(pdus)


def test_the_signatures_of_all_copies_count(room: Room) -> None:
    """A policy server's signature is not lost, whichever copy comes first."""
    pdus, last = pdus_of(room), list(room.events)[-1]
    mine = {"b.example": {"ed25519:1": "x", "ed25519:2": "b"}}
    other = {"b.example": {"ed25519:2": "a"}, "policy.example": {"ed25519:policy_server": "y"}}
    copies = [[*pdus[:-1], {**pdus[-1], "signatures": one}] for one in (mine, other, {})]
    for some in permutations(copies):
        found = gather_events(entries(*some), "11", keys=None, origins=[*map(origin, "aba")])
        assert found.events[last].signatures == {
            "b.example": {"ed25519:1": "x", "ed25519:2": "a"},
            "policy.example": {"ed25519:policy_server": "y"},
        }


# Decisions


def decided(event_ids: Iterable[str] = (), softly: Iterable[str] = (), **more: Any) -> Beliefs:
    return Beliefs(frozenset(event_ids), frozenset(softly), **more)


@pytest.fixture
def room() -> Room:
    return public_room()


def test_rejected_by_one_server_and_accepted_by_another(room: Room) -> None:
    pdus, last = pdus_of(room), list(room.events)[-1]
    origins = [origin("a", beliefs=decided([last])), origin("b", beliefs=decided())]
    for found in both_ways(pdus, pdus, origins):
        (one,) = found.differences
        assert (one.kind, one.event_id) == (DifferenceKind.REJECTED, last)
        assert {(said.source, said.text) for said in one.says} == {("a", "rejected it"), ("b", "accepted it")}


def test_that_a_server_does_not_reject_an_outlier_says_nothing(room: Room) -> None:
    pdus, last = pdus_of(room), list(room.events)[-1]
    for unsettled in (frozenset({last}), None):
        beside = origin("b", KnownStates(unsettled=unsettled), beliefs=decided())
        assert merged(pdus, pdus, origins=[origin("a", beliefs=decided([last])), beside]).differences == []
    for silent in (
        origin("b"),
        origin("b", beliefs=Beliefs()),
        origin("b", beliefs=decided(unspoken=frozenset({last}))),
    ):
        assert merged(pdus, pdus, origins=[origin("a", beliefs=decided([last])), silent]).differences == []
    missing = merged(
        pdus, pdus[:-1], origins=[origin("a", beliefs=decided([last])), origin("b", beliefs=decided())]
    )
    assert missing.differences == []


def test_an_event_that_only_one_server_rejected_is_not_vouched_for(room: Room) -> None:
    """An answer says that its events were accepted. A server that rejected one contradicts that."""
    pdus, topic = pdus_of(room), room.state["m.room.topic", ""]
    answer = [Entry(Place(1, ""), None, dict(one.pdu), part=Part.STATE) for one in room.state.values()]
    trusting = merged(pdus, answer, origins=[origin("a", beliefs=decided()), origin("b")])
    assert topic.event_id in trusting.accepted[None]
    found = merged(pdus, answer, origins=[origin("a", beliefs=decided([topic.event_id])), origin("b")])
    assert kinds(found) == [DifferenceKind.REJECTED]
    assert topic.event_id not in found.accepted[None]
    assert isinstance(found.current, PartialState)
    assert found.current.why_unknown(("m.room.topic", "")) is not None


def test_soft_failed_by_one_only_is_told_softly(room: Room) -> None:
    pdus, last = pdus_of(room), list(room.events)[-1]
    origins = [origin("a", beliefs=decided((), [last])), origin("b", beliefs=decided())]
    for found in both_ways(pdus, pdus, origins):
        assert (kinds(found), found.contradictions) == ([DifferenceKind.SOFT_FAILED], [])
    rejected = [origin("a", beliefs=decided((), [last])), origin("b", beliefs=decided([last]))]
    assert kinds(merged(pdus, pdus, origins=rejected)) == [DifferenceKind.REJECTED]


# States


def state_of(room: Room, **changes: str | None) -> StateMap[str]:
    state: dict[tuple[str, str], str] = {key: event.event_id for key, event in room.state.items()}
    for name, event_id in changes.items():
        if event_id is None:
            del state[f"m.room.{name}", ""]
        else:
            state[f"m.room.{name}", ""] = event_id
    return state


@pytest.mark.parametrize("absent", [False, True])
def test_different_states_before_one_event_are_unknown_where_they_differ(room: Room, absent: bool) -> None:
    topic = room.state["m.room.topic", ""]
    other = room.add("m.room.topic", ALICE, {"topic": "y"}, state_key="")
    last = room.add("m.room.message", BOB, {}, prev=["$gone"])
    one = state_of(room, topic=topic.event_id)
    two = state_of(room, topic=None if absent else other.event_id)
    pdus = pdus_of(room)
    origins = [origin("a", KnownStates({last.event_id: one})), origin("b", KnownStates({last.event_id: two}))]
    for found in both_ways(pdus, pdus, origins):
        (difference,) = found.differences
        assert (difference.kind, difference.event_id) == (DifferenceKind.STATE_BEFORE, last.event_id)
        (entry,) = difference.entries
        assert entry.key == ("m.room.topic", "")
        assert dict(entry.says) == {"a": topic.event_id, "b": None if absent else other.event_id}
        state = found.given[last.event_id]
        assert isinstance(state, PartialState)
        why = state.why_unknown(("m.room.topic", ""))
        assert why is not None
        assert {"a", "b"} <= {*why.reason.split()}
        same = {key: event_id for key, event_id in one.items() if key != ("m.room.topic", "")}
        assert entries_of(state) == same
        assert state.why_unknown(("m.room.name", "")) is None


def test_a_third_state_does_not_decide(room: Room) -> None:
    """Two against one, and a state that is known in part: what two contradict each other on stays unknown."""
    topic = room.state["m.room.topic", ""]
    other = room.add("m.room.topic", ALICE, {"topic": "y"}, state_key="")
    last = room.add("m.room.message", BOB, {}, prev=["$gone"])
    states = [
        state_of(room, topic=topic.event_id),
        state_of(room, topic=other.event_id),
        PartialState(state_of(room, topic=topic.event_id), [Unknown.members()]),
    ]
    results = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)):
        origins = [origin("ab"[n % 2], KnownStates({last.event_id: states[n]})) for n in order]
        found = gather_events(entries(pdus_of(room)), "11", keys=None, origins=origins)
        state = found.given[last.event_id]
        assert isinstance(state, PartialState)
        assert state.why_unknown(("m.room.topic", "")) is not None
        assert state.why_unknown(("m.room.member", "@new:x")) is None
        results.append(entries_of(state))
    assert all(one == results[0] for one in results)


def test_different_current_states_are_unknown_where_they_differ(room: Room) -> None:
    ids = [event.event_id for event in room.state.values()]
    pdus = pdus_of(room)
    origins = [
        origin("a", state_ids=[GivenIds(ids)]),
        origin(
            "b", state_ids=[GivenIds([one for one in ids if one != room.state["m.room.topic", ""].event_id])]
        ),
    ]
    for found in both_ways(pdus, [], origins):
        assert kinds(found) == [DifferenceKind.CURRENT_STATE]
        assert isinstance(found.current, PartialState)
        assert found.current.why_unknown(("m.room.topic", "")) is not None
        assert len(entries_of(found.current)) == len(ids) - 1


def test_states_at_different_moments_do_not_contradict_each_other(room: Room) -> None:
    pdus = pdus_of(room)
    ids = frozenset(event.event_id for event in room.state.values())
    topic, last = room.state["m.room.topic", ""].event_id, list(room.events)[-1]
    before_topic = list(room.events)[-3]
    now = origin("a", beliefs=decided(state=ids, extremities=frozenset({last})))
    before = origin("b", beliefs=decided(state=ids - {topic}, extremities=frozenset({before_topic})))
    for found in both_ways(pdus, pdus[:-2], [now, before]):
        assert (kinds(found), found.contradictions) == ([DifferenceKind.EXTREMITIES], [])
    same = origin("b", beliefs=decided(state=ids - {topic}, extremities=frozenset({last})))
    # Nothing tells of which moment this state is.
    silent = origin("b", beliefs=decided(state=ids - {topic}))
    for other, kind in ((same, DifferenceKind.CURRENT_STATE), (silent, DifferenceKind.MOMENT)):
        for found in both_ways(pdus, pdus, [now, other]):
            assert kinds(found) == [kind]
            assert len(found.contradictions) == (kind is DifferenceKind.CURRENT_STATE)
            (entry,) = found.differences[0].entries
            assert entry.key == ("m.room.topic", "")
    partial = origin("b", beliefs=decided(state=ids - {topic}, extremities=frozenset({last}), partial=True))
    assert merged(pdus, pdus, origins=[now, partial]).differences == []


def test_a_servers_state_and_a_given_one_are_compared(room: Room) -> None:
    pdus = pdus_of(room)
    ids = [event.event_id for event in room.state.values()]
    now = origin("a", beliefs=decided(state=frozenset(ids)))
    given_ids = origin("b", state_ids=[GivenIds(ids[:-1])])
    assert kinds(merged(pdus, [], origins=[now, given_ids])) == [DifferenceKind.MOMENT]
    assert kinds(merged(pdus, [], origins=[now, origin("b", state_ids=[GivenIds(ids)])])) == []


def test_a_state_of_some_moment_is_not_the_current_state_of_a_graph(room: Room) -> None:
    """A source that tells the forward extremities has newer events than a state may have."""
    pdus, last = pdus_of(room), list(room.events)[-1]
    ids = [event.event_id for event in room.state.values()]
    old = origin("b", state_ids=[GivenIds(ids[:-1])])
    for now in (
        origin("a", beliefs=decided(state=frozenset(ids), extremities=frozenset({last}))),
        origin("a", KnownStates(extremities=frozenset({last}))),
    ):
        for found in both_ways(pdus, [], [now, old]):
            assert (found.current, found.contradictions) == (None, [])
            told = [DifferenceKind.MOMENT] if now.beliefs is not None else []
            assert kinds(found) == told
            (state,) = [one for one in found.contributions if one.name == "b"]
            assert state.current
            # The document alone is still a state.
            assert {event.event_id for event in found.as_state().values()} == {*ids[:-1]}


def test_current_states_of_different_moments_are_not_merged(room: Room) -> None:
    pdus, (*_, before, last) = pdus_of(room), room.events
    state = state_of(room)
    old = {key: event_id for key, event_id in state.items() if key != ("m.room.topic", "")}
    for ends, current, found_kinds in (
        (before, type(None), [DifferenceKind.EXTREMITIES]),
        (last, PartialState, [DifferenceKind.CURRENT_STATE]),
    ):
        origins = [
            origin("a", KnownStates(current=state, extremities=frozenset({last}))),
            origin("b", KnownStates(current=old, extremities=frozenset({ends}))),
        ]
        for found in both_ways(pdus, pdus, origins):
            assert (kinds(found), type(found.current)) == (found_kinds, current)


def test_many_differing_entries_are_counted(room: Room) -> None:
    events = [room.add("x", ALICE, {}, state_key=str(n)) for n in range(130)]
    last = room.add("m.room.message", BOB, {}, prev=["$gone"])
    state = state_of(room)
    less = {key: one for key, one in state.items() if key[0] != "x"}
    origins = [
        origin("a", KnownStates({last.event_id: state})),
        origin("b", KnownStates({last.event_id: less})),
    ]
    (one,) = merged(pdus_of(room), [], origins=origins).differences
    assert (len(one.entries), one.more_entries) == (100, len(events) - 100)


def test_two_answers_with_different_states_before_one_event(room: Room, write: Write) -> None:
    join = room.member(CAROL, "join", prev=["$gone"])
    state = [dict(one.pdu) for one in room.state.values() if one is not join]
    answers = [
        write(name, {"event": dict(join.pdu), "state": given, "auth_chain": []})
        for name, given in (("a.json", state), ("b.json", state[:-1]))
    ]
    for first, other in (answers, answers[::-1]):
        result = run("check", "--unsigned", first, "--also", other, "--json")
        (found,) = json.loads(result.stdout)["files"]
        assert result.exit_code == 1
        (one,) = found["sources"]["contradictions"]
        assert (one["kind"], one["event_id"]) == ("state-before", join.event_id)
        at = ("--at", join.event_id, "--before", "--unsigned")
        result = run("state", first, "--also", other, *at)
        assert result.exit_code == 3
        assert f"{first} and {other} contradict each other" in result.stderr
        assert len(result.stdout.splitlines()) == len(state) - 1
        assert run("state", first, "--also", first, *at).exit_code == 0


def test_one_file_may_contradict_itself(room: Room, write: Write) -> None:
    state = [dict(one.pdu) for one in room.state.values()]
    both = write("both.jsonl", [{"pdus": state, "auth_chain": []}, {"pdus": state[:-1], "auth_chain": []}])
    result = run("check", "--unsigned", both)
    assert (result.exit_code, "1 contradiction in the input:" in result.stdout) == (1, True)
    assert "absent in line 2, pdus[0]" in result.stdout
    assert "sources of" not in result.stdout
    (found,) = json.loads(run("check", "--unsigned", both, "--json").stdout)["files"]
    assert found["sources"]["parts"] == []
    assert [one["kind"] for one in found["sources"]["contradictions"]] == ["current-state"]
    result = run("state", "--unsigned", both)
    assert (result.exit_code, "1 contradiction in the input; to list" in result.stderr) == (3, True)
    assert "line 1, pdus[0] and line 2, pdus[0] contradict each other" in result.stderr


# Keys


def test_different_keys_under_one_id(room: Room) -> None:
    def ring(name: str, *servers: str) -> KeyRing:
        keys = {server: {"ed25519:1": {"key": public_key(name)}} for server in servers}
        return read_key_table(keys, source=name)

    pdus = pdus_of(room)
    origins = [
        origin("a", keys=ring("a", "a.example", "b.example")),
        origin("b", keys=ring("b", "a.example") | ring("a", "b.example")),
    ]
    for found in both_ways(pdus, pdus, origins):
        (one,) = found.differences
        assert (one.kind, one.server, one.key_id) == (DifferenceKind.KEY, "a.example", "ed25519:1")
        # The events are signed with another key.
        number = sum("a.example" in event.signatures for event in room.events.values())
        assert {(said.source, said.text) for said in one.says} == {
            (name, f"{public_key(name)} verifies 0 of {number} signatures") for name in "ab"
        }
    # Both sources have both keys: neither contradicts the other.
    clashing = ring("a", "a.example") | ring("b", "a.example")
    both = [origin(name, keys=clashing) for name in "ab"]
    assert merged(pdus, pdus, origins=both).differences == []


# Outliers


def test_what_one_server_keeps_apart_another_has_in_its_graph(room: Room) -> None:
    pdus, last = pdus_of(room), list(room.events)[-1]
    alone = frozenset({last})
    beside = KnownStates(outliers=alone, apart=alone, unsettled=alone)
    for known, apart in (
        (KnownStates(), frozenset[str]()),
        (beside, alone),
        # It does not say that no event is based on it.
        (KnownStates(unsettled=alone), frozenset()),
    ):
        origins = [origin("a", beside, beliefs=decided()), origin("b", known, beliefs=decided())]
        first, second = both_ways(pdus, pdus, origins)
        assert (first.apart, second.apart) == (apart, apart)
        assert first.outliers == (alone if known.unsettled else None)
        # Only the first server tells that it has received nothing else.
        assert second.outliers == (None if known.outliers is None else alone)
    # A file that has it in the room takes it as an event of the graph. Nothing hides it.
    for found in both_ways(pdus, pdus, [origin("a", beside, beliefs=decided()), origin("b")]):
        assert (found.apart, found.outliers) == (frozenset(), None)
    # A file, or a database that does not have the event, says nothing.
    for other in (origin("b"), origin("b", KnownStates(), beliefs=decided())):
        found = merged(pdus, pdus[:-1], origins=[origin("a", beside, beliefs=decided()), other])
        assert (found.apart, found.outliers) == (alone, alone)
        found = merged(pdus[:-1], pdus, origins=[other, origin("a", beside, beliefs=decided())])
        assert found.apart == alone


def test_only_the_first_server_is_compared(room: Room) -> None:
    """It does not speak of the events that only others have, wherever these are in the input."""
    pdus, ids = pdus_of(room), list(room.events)
    origins = [origin("a", beliefs=decided([ids[-1]])), origin("b", beliefs=decided(ids))]
    found = check_room(entries(pdus[:-1], pdus), "11", keys=None, origins=origins, beliefs=origins[0].beliefs)
    assert found.gathered.server_has == frozenset(ids[:-1])
    assert [one.kind for findings in found.findings.values() for one in findings] == [
        FindingKind.SERVER_DIFFERS
    ]
    assert not found.gathered.narrowed(decided()).speak_of(Place(1, "", "b"), ids[-1])


# Splitting


def sources_of(rng: Random, known: Knowledge) -> tuple[list[Entry], list[KeyRing]]:
    """Split what is known of a room over two sources. Some of it is in both."""
    parts: list[list[Entry]] = [[], []]

    def chosen() -> list[int]:
        return rng.choice([[0], [1], [0, 1]])

    for event_id, pdu in known.pdus.items():
        if event_id not in known.gone:
            for number in chosen():
                parts[number].append(Entry(Place(None, ""), None, pdu))
    for document, answer in enumerate(known.answers, 1):
        for number in chosen():
            parts[number] += answer.entries(known.pdus, document)
    rings: list[dict[str, Any]] = [{}, {}]
    for server, by_id in known.keys.items():
        for number in chosen():
            rings[number][server] = by_id
    return (
        [entry._replace(source=number) for number, part in enumerate(parts) for entry in part],
        [KeyRing.of(ring, now=known.now) for ring in rings],
    )


def check_split(entries: Sequence[Entry], rings: Sequence[KeyRing], version: str, order: int) -> RoomCheck:
    numbered = sorted(
        (one._replace(source=one.source if order == 1 else 1 - one.source) for one in entries),
        key=lambda one: one.source,
    )
    named = [one._replace(place=one.place._replace(file="ab"[one.source])) for one in numbered]
    origins = [Origin(name, "a file", keys=ring) for name, ring in zip("ab", rings[::order], strict=True)]
    return check_room(named, version, keys=KeyRing.joined(rings), origins=origins, soft_failure=False)


def as_known(state: StateMap[str] | None) -> object:
    """Return what a state tells, without the words of what is unknown."""
    if state is None:
        return None
    entries = entries_of(state)
    if not isinstance(state, PartialState):
        return entries, None
    keys = {*entries, ("m.room.member", "@new:x"), ("x", "")}.union(*(one.keys for one in state.unknown))
    return dict(entries), {key for key in keys if state.why_unknown(key) is not None}


@seldom
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_a_room_split_over_two_consistent_sources_is_the_same_room(version: str, seed: int) -> None:
    split(version, seed)


def test_the_split_rooms_have_states_gaps_and_dropped_events() -> None:
    """Otherwise, the property proves nothing."""
    found = [split(VERSIONS[seed % 12], seed) for seed in range(24)]
    assert sum(len(one.gathered.given) for one in found) > 20
    assert sum(len(one.replay.gaps) for one in found) > 10
    assert sum(one.gathered.dropped for one in found) > 10
    assert sum(isinstance(s, PartialState) for one in found for s in one.gathered.given.values()) > 3


def split(version: str, seed: int) -> RoomCheck:
    rng = Random(f"{version}/{seed}")
    known = drawn_knowledge(rng, version, soft_failure=False)
    if rng.randrange(2):
        known = known.with_less_state(rng)
    whole = known.check(soft_failure=False)
    assert whole.gathered.contradictions == []
    parts, rings = sources_of(rng, known)
    for order in (1, -1):
        found = check_split(parts, rings, version, order)
        assert found.gathered.differences == []
        same_room(found, whole)
        # As one source, with its events in this order, it has the same ends too.
        numbered = sorted(parts, key=lambda one: one.source * order)
        alone = [one._replace(source=0) for one in numbered]
        joined = check_room(alone, version, keys=KeyRing.joined(rings), soft_failure=False)
        assert found.replay.order == joined.replay.order
        same_room(found, joined)
        assert sum(one.added for one in found.gathered.contributions) == len(whole.gathered.events)
    return whole


def contradicting(rng: Random, known: Knowledge) -> Knowledge:
    """What another source says of the same room: with other copies of events, and other states."""
    pdus = dict(known.pdus)
    for event_id, pdu in known.pdus.items():
        if pdu["type"] == "m.room.create":
            continue
        match rng.randrange(8):
            case 0:
                pdus[event_id] = {**pdu, "content": {**pdu["content"], "altered": "here"}}
            case 1:
                pdus[event_id] = dict(redact(pdu, known.version))
            case 2 if "event_id" in pdu:
                other: dict[str, Any] = {**pdu, "content": {**pdu["content"], "other": "here"}}
                other["hashes"] = {"sha256": compute_content_hash(other, known.version)}
                pdus[event_id] = dict(sign_event(other, known.version, *signer_of(pdu)))
            case _:
                pass
    answers = []
    for answer in known.answers:
        state = {key: e for key, e in answer.state.items() if key[0] == "m.room.create" or rng.randrange(5)}
        others = [e for e, pdu in known.pdus.items() if (pdu["type"], pdu.get("state_key")) in state]
        for event_id in rng.sample(others, min(2, len(others))):
            if event_id in known.gone or rng.randrange(2):
                continue
            state[known.pdus[event_id]["type"], known.pdus[event_id]["state_key"]] = event_id
        answers.append(replace(answer, state=state))
    return replace(known, pdus=pdus, answers=tuple(answers))


def signer_of(pdu: Pdu) -> tuple[str, SigningKey]:
    server = server_name(pdu["sender"])
    return server, key_of(server)


@seldom
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_the_order_of_sources_that_contradict_each_other_decides_nothing(version: str, seed: int) -> None:
    disagree(version, seed)


def test_the_contradicting_sources_contradict_each_other_in_each_way() -> None:
    """Otherwise, the property proves nothing."""
    found = [disagree(VERSIONS[seed % 12], seed) for seed in range(36)]
    assert {kind for one in found for kind in kinds(one.gathered)} >= {
        DifferenceKind.CONTENT,
        DifferenceKind.ALTERED,
        DifferenceKind.REDACTED,
        DifferenceKind.REJECTED,
        DifferenceKind.STATE_BEFORE,
        DifferenceKind.CURRENT_STATE,
    }
    statuses = [outcome.status for one in found for outcome in one.replay.outcomes.values()]
    assert len(statuses) / 5 < statuses.count(Status.UNDECIDED) < len(statuses)


def disagree(version: str, seed: int) -> RoomCheck:
    rng = Random(f"{version}/{seed}/other")
    known = drawn_knowledge(rng, version, badly_signed=False, soft_failure=False)
    other = contradicting(rng, known)
    both = [known, other]
    decisions = [decided(rng.sample([*known.pdus], 2)) if rng.randrange(2) else None for _ in both]
    results = []
    for order in ((0, 1), (1, 0)):
        found = []
        for source, number in enumerate(order):
            held = both[number]
            parts = [Entry(Place(None, ""), None, pdu) for e, pdu in held.pdus.items() if e not in held.gone]
            for document, answer in enumerate(held.answers, 1):
                parts += answer.entries(held.pdus, document)
            found += [p._replace(source=source, place=Place(None, "", "ab"[number])) for p in parts]
        origins = [origin("ab"[n], beliefs=decisions[n]) for n in order]
        results.append(check_room(found, version, keys=known.ring, origins=origins, soft_failure=False))
    one, two = results
    assert sorted(map(subject, one.gathered.differences)) == sorted(map(subject, two.gathered.differences))
    for event_id, event in one.gathered.events.items():
        assert two.gathered.events[event_id].content == event.content
    same_room(two, one)
    return one


def subject(one: Difference) -> tuple[str, str, list[Any]]:
    return one.kind.value, one.event_id or "", sorted(entry.key for entry in one.entries)


def same_room(found: RoomCheck, whole: RoomCheck) -> None:
    assert found.gathered.events.keys() == whole.gathered.events.keys()
    assert found.gathered.left_out.keys() == whole.gathered.left_out.keys()
    assert found.gathered.accepted == whole.gathered.accepted
    assert found.findings.keys() == whole.findings.keys()
    for event_id, outcome in whole.replay.outcomes.items():
        assert found.replay.outcomes[event_id].status is outcome.status
        for state_at in ("state_before", "state_after"):
            ours, theirs = (
                getattr(found.replay, state_at)(event_id),
                getattr(whole.replay, state_at)(event_id),
            )
            assert as_known(ours) == as_known(theirs)
    for event_id, state in whole.gathered.given.items():
        assert as_known(found.gathered.given[event_id]) == as_known(state)
    # Where events are missing, the order of arrival decides which events are ends.
    if found.replay.order == whole.replay.order:
        assert as_known(found.replay.current_state) == as_known(whole.replay.current_state)
        assert found.replay.forward_extremities == whole.replay.forward_extremities
