"""Signatures are checked with the keys that are known: more keys decide more, and reverse nothing.

The specification makes three exceptions, which are tested by themselves: see `SigningStatus`.
"""

from dataclasses import replace
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, key_of, server_name
from hypothesis import given
from hypothesis import strategies as st
from strategies import often

from roomver import KeyRing, SigningKey, VerifyKey, sign_event, verify_signatures
from roomver.check import check_event
from roomver.entry import Entry, Part, Place
from roomver.event import Event
from roomver.findings import FindingKind
from roomver.room_check import RoomCheck, check_room
from roomver.signature_results import ServerResult, SignatureReport, SignatureStatus, SigningStatus
from roomver.state import entries_of, unknown_of

TIME = 1_700_000_000_000
SERVERS = ("a", "b")
NAMES = ("1", "2", "3")
SEEDS = {name: name * 43 for name in ("A", "B", "C")}
SIGNERS = {
    f"ed25519:{name}": SigningKey.from_seed(f"ed25519:{name}", seed)
    for name, seed in zip(NAMES, SEEDS.values(), strict=True)
}
TEXTS = ("good", "bad", "unreadable")
Pdu = dict[str, Any]


def unsigned(version: str) -> Pdu:
    """A restricted join, which both servers must sign from version 8 on."""
    pdu: Pdu = {
        "type": "m.room.member",
        "state_key": "@u:a",
        "sender": "@u:a",
        "room_id": "!r:a",
        "content": {"membership": "join", "join_authorised_via_users_server": "@v:b"},
        "origin_server_ts": TIME,
        "depth": 5,
        "prev_events": [],
        "auth_events": [],
    }
    if version in ("1", "2"):
        pdu["event_id"] = "$e:b"
    return pdu


def signed(version: str, forms: dict[tuple[str, str], str]) -> Pdu:
    """The event with a signature by each of these servers and keys, in this form."""
    pdu: Pdu = sign_event(unsigned(version), version, "nobody", SIGNERS["ed25519:1"])
    signatures: dict[str, dict[str, Any]] = {}
    for (server, key_id), form in forms.items():
        whole: Pdu = sign_event(pdu, version, server, SIGNERS[key_id])
        text = {"good": whole["signatures"][server][key_id], "bad": "A" * 86, "unreadable": "!"}[form]
        signatures.setdefault(server, {})[key_id] = text
    return {**pdu, "signatures": signatures}


places = st.sampled_from([(server, key_id) for server in SERVERS for key_id in SIGNERS])
forms = st.dictionaries(places, st.sampled_from(TEXTS))
# What a server says of a key in the end, and may have said of it earlier.
validities = st.sampled_from([(None, None), (TIME, None), (TIME - 1, None), (None, TIME), (None, TIME - 1)])


@st.composite
def more_and_less(draw: st.DrawFn) -> tuple[KeyRing, KeyRing]:
    """Two key rings that do not contradict each other. The first has all that the second has."""
    more: dict[str, dict[str, VerifyKey]] = {}
    less: dict[str, dict[str, VerifyKey]] = {}
    for (server, key_id), (until, expired) in draw(st.dictionaries(places, validities)).items():
        key = VerifyKey(SIGNERS[key_id].verify_key.key, until, expired)
        more.setdefault(server, {})[key_id] = key
        if draw(st.booleans()):
            if until is not None and draw(st.booleans()):
                key = replace(key, valid_until_ts=until - 5)  # an earlier answer
            less.setdefault(server, {})[key_id] = key
    now = draw(st.sampled_from([None, TIME, 0]))
    return KeyRing.of(more, now=now), KeyRing.of(less, now=now)


def turned(before: ServerResult, after: ServerResult) -> bool:
    """Whether a signature that was ignored, since its key was unknown or not known to be valid, fails."""
    then = {result.key_id: result.status for result in before.signatures}
    return any(
        then[result.key_id].open and result.status in (SignatureStatus.FAILED, SignatureStatus.UNREADABLE)
        for result in after.signatures
    )


@often
@given(st.sampled_from(VERSIONS), forms, more_and_less())
def test_more_keys_reverse_no_decided_status(
    version: str, texts: dict[tuple[str, str], str], rings: tuple[KeyRing, KeyRing]
) -> None:
    more, less = rings
    event = signed(version, texts)
    after, before = verify_signatures(event, more, version), verify_signatures(event, less, version)
    assert [result.server for result in after.servers] == [result.server for result in before.servers]
    for old, new in zip(before.servers, after.servers, strict=True):
        if not old.status.decided:
            assert new.status is not SigningStatus.MISSING
        elif old.status is not new.status:
            assert (old.status, new.status) == (SigningStatus.VALID, SigningStatus.INVALID)
            assert turned(old, new)
    # What a server drops with few keys, it drops with more.
    if before.status in (SigningStatus.INVALID, SigningStatus.MISSING):
        assert after.status in (SigningStatus.INVALID, SigningStatus.MISSING)


@often
@given(st.sampled_from(VERSIONS), forms)
def test_without_keys_a_signature_is_missing_or_open(version: str, texts: dict[tuple[str, str], str]) -> None:
    report = verify_signatures(signed(version, texts), KeyRing(), version)
    for server in report.servers:
        there = any(name == server.server for name, _ in texts)
        assert server.status is (SigningStatus.KEY_UNKNOWN if there else SigningStatus.MISSING)


@often
@given(st.sampled_from(VERSIONS), forms, more_and_less())
def test_that_a_signature_is_missing_does_not_depend_on_the_keys(
    version: str, texts: dict[tuple[str, str], str], rings: tuple[KeyRing, KeyRing]
) -> None:
    event = signed(version, texts)

    def missing(report: SignatureReport) -> list[str]:
        return [server.server for server in report.servers if server.status is SigningStatus.MISSING]

    bare = missing(verify_signatures(event, KeyRing(), version))
    for ring in rings:
        assert missing(verify_signatures(event, ring, version)) == bare
        assert missing(verify_signatures(event, replace(ring, complete=True), version)) == bare


@often
@given(st.sampled_from(VERSIONS), st.sets(places), more_and_less())
def test_a_good_event_is_never_dropped_unless_a_key_had_expired(
    version: str, signers: set[tuple[str, str]], rings: tuple[KeyRing, KeyRing]
) -> None:
    signers |= {(server, "ed25519:1") for server in SERVERS}
    event = signed(version, dict.fromkeys(signers, "good"))
    for ring in rings:
        report = verify_signatures(event, replace(ring, now=None), version)
        if report.status is not SigningStatus.INVALID:
            assert report.status in (SigningStatus.VALID, SigningStatus.KEY_UNKNOWN)
            continue
        statuses = [
            {result.status for result in server.signatures}
            for server in report.servers
            if server.status is SigningStatus.INVALID
        ]
        assert statuses == [{SignatureStatus.KEY_EXPIRED}] * len(statuses)


@pytest.mark.parametrize("version", VERSIONS)
def test_exception_1_the_specification_skips_unknown_keys(version: str) -> None:
    # "Any unknown keys are ignored." So who knows one of the two keys takes the event, and who knows both
    # does not.
    forms = {("a", "ed25519:1"): "good", ("a", "ed25519:2"): "bad", ("b", "ed25519:1"): "good"}
    event = signed(version, forms)
    table = {server: {"ed25519:1": SIGNERS["ed25519:1"].verify_key} for server in SERVERS}
    one = KeyRing.of(table)
    both = one | KeyRing.of({"a": {"ed25519:2": SIGNERS["ed25519:2"].verify_key}})
    assert verify_signatures(event, one, version).status is SigningStatus.VALID
    assert verify_signatures(event, both, version).status is SigningStatus.INVALID


@pytest.mark.parametrize("version", VERSIONS)
def test_exception_2_a_server_says_later_that_a_key_had_expired(version: str) -> None:
    event = signed(version, {(server, "ed25519:1"): "good" for server in SERVERS})
    key = SIGNERS["ed25519:1"].verify_key
    in_use = KeyRing.of({server: {"ed25519:1": replace(key, valid_until_ts=TIME)} for server in SERVERS})
    expired = KeyRing.of({server: {"ed25519:1": replace(key, expired_ts=TIME - 1)} for server in SERVERS})
    assert verify_signatures(event, in_use, version).status is SigningStatus.VALID
    assert verify_signatures(event, in_use | expired, version).status is SigningStatus.INVALID
    assert verify_signatures(event, expired | in_use, version).status is SigningStatus.INVALID


@pytest.mark.parametrize("version", VERSIONS)
def test_exception_3_two_sources_give_different_keys_under_one_id(version: str) -> None:
    event = signed(version, {(server, "ed25519:1"): "good" for server in SERVERS})
    right = KeyRing.of({server: {"ed25519:1": SIGNERS["ed25519:1"].verify_key} for server in SERVERS})
    wrong = KeyRing.of({server: {"ed25519:1": SIGNERS["ed25519:2"].verify_key} for server in SERVERS})
    assert verify_signatures(event, wrong, version).status is SigningStatus.INVALID
    for both in (right | wrong, wrong | right):
        assert verify_signatures(event, both, version).status is SigningStatus.VALID
        assert [clash.server for clash in both.clashes] == list(SERVERS)


# A room.


def forged(event: Event, other: Event) -> Pdu:
    """The event with the signatures of another one of the same sender."""
    return {**event.pdu, "signatures": other.pdu["signatures"]}


def checked(version: str, names: set[str]) -> tuple[RoomCheck, str]:
    """Check a room with the keys of some servers; also give the ID of its forged event, which is Bob's."""
    room = Room(version)
    room.join(ALICE)
    room.join_rule("public")
    room.join(BOB, CAROL)
    room.add("m.room.message", CAROL, {"body": "hello"})
    topic = room.make("m.room.message", BOB, {"body": "forged"})
    entries = [Entry(Place(None, ""), event.event_id, event.pdu) for event in room.events.values()]
    entries.append(Entry(Place(None, ""), topic.event_id, forged(topic, room.state["m.room.member", BOB])))
    keys = KeyRing.of({name: {"ed25519:1": key_of(name).verify_key} for name in names})
    return check_room(entries, version, keys=keys), topic.event_id


@pytest.mark.parametrize("version", VERSIONS)
@given(st.sets(st.sampled_from(sorted({server_name(user) for user in (ALICE, BOB, CAROL)}))))
def test_in_a_room_only_what_the_keys_show_to_be_forged_is_left_out(version: str, names: set[str]) -> None:
    found, event_id = checked(version, names)
    known = server_name(BOB) in names
    assert set(found.gathered.left_out) == ({event_id} if known else set())
    assert set(found.summary.kinds) == ({FindingKind.SIGNATURE} if known else set())
    assert found.ok is not known
    unknown = {server for server, _, _ in found.summary.keys_to_fetch}
    assert unknown == {server_name(user) for user in (ALICE, BOB, CAROL)} - names
    assert found.summary.signatures[SigningStatus.KEY_UNKNOWN] == sum(
        events for _, _, events in found.summary.keys_to_fetch
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_before_a_forged_event_is_not_the_current_state(version: str) -> None:
    """Two servers answer with states. With the key, the event of one answer turns out to be forged."""
    room = Room(version)
    room.join(ALICE)
    room.join_rule("public")
    here = Place(None, "")
    entries = [Entry(here, None, event.pdu) for event in room.events.values()]
    for number, user in enumerate((CAROL, BOB), 1):
        state = [event.pdu for event in room.state.values()]
        entries += [Entry(here, None, pdu, part=Part.STATE, document=number) for pdu in state]
        joined = room.member(user, "join")
        other = room.make("m.room.message", user, {})
        pdu = forged(joined, other) if user == BOB else joined.pdu
        entries.append(Entry(here, None, pdu, part=Part.JOINED, document=number))
    ids = [room.state["m.room.member", user].event_id for user in (CAROL, BOB)]
    keys = KeyRing.of({server_name(BOB): {"ed25519:1": key_of(server_name(BOB)).verify_key}})
    few, many = check_room(entries, version), check_room(entries, version, keys=keys)
    assert [*few.gathered.given] == ids
    assert set(many.gathered.left_out) == {ids[1]}
    assert [*many.gathered.given] == ids[:1]
    assert few.gathered.current is many.gathered.current is None
    assert few.replay.outcomes[ids[0]].accepted
    assert many.replay.outcomes[ids[0]].accepted
    alone = check_room([entry for entry in entries if entry.document == 2], version, keys=keys).gathered
    assert alone.current is None
    assert set(entries_of(alone.as_state())) == room.state.keys() - {("m.room.member", BOB)}
    assert unknown_of(alone.as_state())[0].keys == {("m.room.member", BOB)}
    # With a good copy of the event, the state is the one before that.
    copied = check_room(
        [*entries, Entry(here, None, room.state["m.room.member", BOB].pdu)], version, keys=keys
    )
    assert copied.gathered.given == few.gathered.given


@pytest.mark.parametrize("version", VERSIONS)
def test_a_room_holds_the_redacted_form_of_what_was_tampered_with(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    event = room.make("m.room.message", ALICE, {"body": "hello"})
    check = check_event({**event.pdu, "content": {"body": "other"}}, version)
    assert [finding.kind for finding in check.findings] == [FindingKind.CONTENT_HASH]
    assert check.usable is check.event is not None
    assert check.event.content == {}
