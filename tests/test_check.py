"""Checks of one event, and the texts and data of their findings."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, key_of, public_key, server_name, signed_block

from roomver import Event, UnknownRoomVersion, encode_canonical, redact, sign_event
from roomver.canonical import shorten
from roomver.check import check_event, check_events, unreadable
from roomver.cli.escaped import printable
from roomver.cli.features import FEATURES, feature_markdown, feature_rows
from roomver.cli.wording import ACTION_TEXT, FINDING_TEXT, findings_data, summary_data
from roomver.entry import Entry, Place
from roomver.findings import Action, EventCheck, FindingKind, Summary
from roomver.keys import NO_KEYS, KeyRing, format_time, read_key_table
from roomver.room_check import check_room, gather_events
from roomver.signature_results import SigningStatus

SERVERS = ("a.example", "b.example", "d.example:8448")
KEYS = read_key_table({server: {"ed25519:1": public_key(server)} for server in SERVERS})
Pdu = dict[str, Any]

MESSAGE = {"msgtype": "m.text", "body": "hello"}


def kinds(check: EventCheck) -> list[str]:
    return [finding.kind.value for finding in check.findings]


def reasons(check: EventCheck) -> list[str]:
    return [str(reason) for finding in check.findings for reason in finding.reasons]


def message(version: str, **fields: Any) -> Event:
    room = Room(version)
    room.join(ALICE)
    return room.make("m.room.message", ALICE, MESSAGE, **fields)


def resigned(pdu: dict[str, Any], version: str) -> dict[str, Any]:
    server = server_name(pdu["sender"])
    return sign_event(pdu, version, server, key_of(server))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_genuine_event_is_good(version: str) -> None:
    room = Room(version)
    room.join(ALICE, BOB)
    room.power({"users": {}})
    for event in room.events.values():
        check = check_event(event.pdu, version, claimed_id=event.event_id, keys=KEYS)
        assert check.ok
        assert (check.event_id, check.signatures, check.redacted, check.notes) == (
            event.event_id,
            SigningStatus.VALID,
            False,
            (),
        )
        assert check.event is not None
        assert check.event.pdu is event.pdu


def test_a_genuine_event_is_good_without_its_id_and_without_keys() -> None:
    event = message("11")
    check = check_event(event.pdu, "11")
    assert check.ok
    assert (check.event_id, check.signatures) == (event.event_id, SigningStatus.KEY_UNKNOWN)
    assert check.unknown_keys == (("a.example", "ed25519:1"),)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_with_a_false_id_is_a_finding(version: str) -> None:
    event = message(version)
    check = check_event(event.pdu, version, claimed_id="$false", keys=KEYS)
    assert kinds(check) == ["event-id"]
    assert check.event_id == event.event_id
    assert '"$false"' in reasons(check)[0]
    assert event.event_id in reasons(check)[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_content_that_the_hash_does_not_cover_is_a_finding(version: str) -> None:
    event = message(version)
    pdu: Pdu = {**event.pdu, "content": {**MESSAGE, "body": "changed"}}
    check = check_event(pdu, version, claimed_id=event.event_id, keys=KEYS)
    assert kinds(check) == ["content-hash"]
    assert check.findings[0].kind.action is Action.REDACT
    assert event.pdu["hashes"]["sha256"] in reasons(check)[0]  # type: ignore[index, operator, call-overload]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_redacted_copy_is_not_a_finding(version: str) -> None:
    event = message(version)
    pdu: Pdu = {**redact(event), "unsigned": {"redacted_because": {}}}
    check = check_event(pdu, version, claimed_id=event.event_id, keys=KEYS)
    assert check.ok
    assert check.redacted


def test_an_intact_event_that_redaction_does_not_change_is_not_redacted() -> None:
    create = Room("11").create
    assert redact(create) == create.pdu
    assert not check_event(create.pdu, "11").redacted


@pytest.mark.parametrize("version", ["3", "11", "12"])
def test_a_changed_kept_key_is_three_findings(version: str) -> None:
    event = message(version)
    check = check_event({**event.pdu, "depth": 7}, version, claimed_id=event.event_id, keys=KEYS)
    assert kinds(check) == ["event-id", "signature", "content-hash"]


@pytest.mark.parametrize("key", ["age_ts", "outlier", "destinations"])
def test_a_hash_that_is_right_by_synapses_rule_says_so(key: str) -> None:
    event = message("11")
    check = check_event({**event.pdu, key: 1}, "11", keys=KEYS)
    assert kinds(check) == ["content-hash"]
    assert reasons(check)[1] == f"matches without {key}, which Synapse does not hash"
    other = check_event({**event.pdu, key: 1, "prev_state": []}, "11", keys=KEYS)
    assert len(reasons(other)) == 1


@pytest.mark.parametrize("digest", ["", "abc", "A" * 42, "A" * 44, "!" * 43])
def test_an_unreadable_content_hash(digest: str) -> None:
    pdu: Pdu = {**message("11").pdu, "hashes": {"sha256": digest}}
    check = check_event(pdu, "11")
    assert kinds(check) == ["no-content-hash"]
    assert check.findings[0].kind.action is Action.DROP
    assert reasons(check) == [f'hashes.sha256: expected base64 of 32 bytes, found "{digest}"']


def test_a_content_hash_may_be_padded() -> None:
    pdu = message("11").pdu
    digest: str = pdu["hashes"]["sha256"]  # type: ignore[index, call-overload, assignment]
    assert check_event({**pdu, "hashes": {"sha256": digest + "="}}, "11").ok


def test_every_defect_of_the_format_is_a_reason() -> None:
    pdu = {**message("11").pdu, "depth": -1, "sender": "nobody", "event_id": "$x"}
    check = check_event(pdu, "11", keys=KEYS)
    assert kinds(check) == ["malformed"]
    assert [reason.path for reason in check.findings[0].reasons] == ["sender", "depth", "event_id"]
    assert (check.event, check.event_id, check.signatures) == (None, "$x", None)
    assert check_event(pdu, "11", claimed_id="$y").event_id == "$y"


def test_text_is_not_an_event() -> None:
    text = encode_canonical(message("11").pdu).decode()
    assert reasons(check_event(text, "11")) == [f"expected a JSON object, found {shorten(text)}"]


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", b"{}", [], {}, '{"type": "m.room.create"}'])
def test_any_value_has_a_check(value: Any) -> None:
    assert kinds(check_event(value, "11")) == ["malformed"]


def test_an_unknown_room_version_is_an_error() -> None:
    with pytest.raises(UnknownRoomVersion):
        check_event({}, "13")


def restricted_join() -> Event:
    """Return a join that the authoriser's server has not signed."""
    room = Room("11")
    room.join(ALICE)
    return room.make_member(BOB, "join", more={"join_authorised_via_users_server": ALICE})


@pytest.mark.parametrize("keys", [NO_KEYS, KEYS, KeyRing(required=True)])
def test_a_server_that_has_not_signed_is_a_finding_whatever_the_keys(keys: KeyRing) -> None:
    event = restricted_join()
    check = check_event(event.pdu, "11", keys=keys)
    assert [kind for kind in kinds(check) if kind != "signature-unchecked"] == ["signature-missing"]
    assert check.signatures is SigningStatus.MISSING
    assert check.usable is None
    assert [str(reason) for reason in check.findings[0].reasons] == [
        'signatures["a.example"]: a.example must sign, but its signature is missing',
        "content.join_authorised_via_users_server: v11 rule 4.2.1 (member.authoriser_signature):"
        f" the server of the user who authorises the join did not sign the event (authoriser {ALICE})",
    ]
    signed = sign_event(event.pdu, "11", "a.example", key_of("a.example"))
    assert check_event(signed, "11", keys=KEYS).ok


def test_a_signature_by_an_unknown_key_is_a_finding_only_if_signatures_are_required() -> None:
    event = message("11")
    for keys in (NO_KEYS, read_key_table({"b.example": {"ed25519:1": public_key("b.example")}})):
        check = check_event(event.pdu, "11", keys=keys)
        assert check.ok
        assert check.usable is check.event is not None
        required = check_event(event.pdu, "11", keys=keys | KeyRing(required=True))
        assert kinds(required) == ["signature-unchecked"]
        assert required.findings[0].kind.action is Action.FETCH_KEY
        assert required.usable is not None
        assert reasons(required) == [
            'signatures["a.example"]: the signature from a.example cannot be checked'
            ' ("ed25519:1" ignored: unknown key)'
        ]
        for found in (check, required):
            assert found.signatures is SigningStatus.KEY_UNKNOWN
            assert found.unknown_keys == (("a.example", "ed25519:1"),)


def test_with_complete_keys_an_unknown_key_is_a_bad_one() -> None:
    check = check_event(message("11").pdu, "11", keys=KeyRing(complete=True))
    assert (kinds(check), check.signatures) == (["signature"], SigningStatus.INVALID)
    assert check.unknown_keys == ()


def test_where_signatures_are_not_looked_at_none_is_missing() -> None:
    check = check_event(restricted_join().pdu, "11", keys=None)
    assert check.ok
    assert (check.signatures, check.unknown_keys) == (None, ())


def test_one_server_is_missing_and_another_invalid() -> None:
    event = restricted_join()
    swapped = read_key_table({"b.example": {"ed25519:1": public_key("a.example")}})
    check = check_event(event.pdu, "11", keys=swapped)
    assert kinds(check) == ["signature", "signature-missing"]
    assert check.signatures is SigningStatus.INVALID
    assert reasons(check)[0] == (
        'signatures["b.example"]: no valid signature from b.example ("ed25519:1" does not verify)'
    )


def test_a_false_signature_and_a_key_out_of_time() -> None:
    event = message("11")
    made = format_time(event.origin_server_ts)
    swapped = read_key_table({"a.example": {"ed25519:1": public_key("b.example")}})
    assert "does not verify" in reasons(check_event(event.pdu, "11", keys=swapped))[0]
    key = {"key": public_key("a.example")}
    old = check_event(
        event.pdu, "11", keys=read_key_table({"a.example": {"ed25519:1": {**key, "expired_ts": 5}}})
    )
    assert kinds(old) == ["signature"]
    assert f"the key expired at {format_time(5)}, the event was made at {made}" in reasons(old)[0]
    lapsed = read_key_table({"a.example": {"ed25519:1": {**key, "valid_until_ts": 5}}})
    check = check_event(event.pdu, "11", keys=lapsed)
    assert (check.ok, check.signatures) == (True, SigningStatus.KEY_UNKNOWN)
    assert check.unknown_keys == (("a.example", "ed25519:1"),)
    required = check_event(event.pdu, "11", keys=lapsed | KeyRing(required=True))
    assert f"valid until {format_time(5)}, the event was made at {made}" in reasons(required)[0]
    early = check_event(event.pdu, "11", keys=KEYS | KeyRing(now=5))
    assert f"the event was made at {made}, now is {format_time(5)}" in reasons(early)[0]
    assert check_event(event.pdu, "11", keys=KEYS | KeyRing(now=event.origin_server_ts)).ok


def test_a_reason_lists_few_of_many_signatures() -> None:
    pdu: Pdu = {**message("11").pdu, "signatures": {"a.example": {f"ed25519:{n:02}": "x" for n in range(30)}}}
    check = check_event(pdu, "11", keys=KeyRing(required=True))
    assert reasons(check)[0].endswith('"ed25519:09" ignored: unknown key; and 20 more)')
    assert check.unknown_keys == tuple(("a.example", f"ed25519:{n:02}") for n in range(10))


def test_a_third_party_invite_needs_no_servers_signature() -> None:
    room = Room("11")
    block = {"signed": signed_block(BOB, "token", "id.example"), "display_name": "B"}
    event = room.make_member(BOB, "invite", by=CAROL, more={"third_party_invite": block})
    check = check_event({**event.pdu, "signatures": {}}, "11")
    assert check.ok
    assert check.signatures is SigningStatus.NOT_REQUIRED


def test_an_invalid_authorising_user_is_a_reason() -> None:
    room = Room("11")
    event = room.make_member(BOB, "join", more={"join_authorised_via_users_server": 5})
    check = check_event(event.pdu, "11", keys=KEYS)
    assert kinds(check) == ["signature"]
    assert reasons(check) == ["content.join_authorised_via_users_server: expected a user ID, found 5"]


def test_a_depth_that_synapse_drops_is_noted() -> None:
    check = check_event(message("5", depth=2**53).pdu, "5")
    assert check.ok
    assert [note.path for note in check.notes] == ["depth"]
    assert not check_event(message("5", depth=2**53 - 1).pdu, "5").notes


def test_a_create_event_of_another_room_version_is_noted() -> None:
    pdu = Room("11", content={"room_version": "10"}).create.pdu
    check = check_event(pdu, "11")
    assert check.ok
    expected = 'content.room_version: says "10", but the event was checked as room version 11'
    assert [str(note) for note in check.notes] == [expected]
    assert not check_event(Room("1", content={"creator": ALICE}).create.pdu, "1").notes


def test_the_input_is_not_changed() -> None:
    pdu = {**message("11").pdu, "age_ts": 5}
    before = encode_canonical(pdu)
    check_event(pdu, "11", claimed_id="$x", keys=KEYS)
    assert encode_canonical(pdu) == before


def test_a_summary_counts_each_event_once() -> None:
    event = message("11")
    summary = Summary()
    summary.add(check_event(event.pdu, "11", keys=KEYS))
    summary.add(check_event(redact(event), "11"))
    summary.add(check_event({**redact(event), "depth": 9}, "11", keys=KEYS, claimed_id="$x"))
    summary.add(unreadable("no JSON"))
    summary.add(check_event(Room("11", content={}).create.pdu, "11"))
    twice = Summary()
    twice.merge(summary)
    twice.merge(summary)
    assert (twice.events, twice.bad, twice.notes) == (10, 4, 2)
    assert summary_data(summary) == {
        "events": 5,
        "intact": 2,
        "rejected": 0,
        "soft_failed": 0,
        "redacted": 1,
        "undecided": 0,
        "bad": 2,
        "signatures": {
            "valid": 1,
            "invalid": 1,
            "missing": 0,
            "key_unknown": 2,
            "not_required": 0,
            "not_checked": 1,
        },
        "keys_to_fetch": [{"server": "a.example", "key_id": "ed25519:1", "events": 2}],
        "keys_in_doubt": [],
        "noted": 1,
        "kinds": {"unreadable": 1, "event-id": 1, "signature": 1},
    }


def test_a_check_as_data() -> None:
    check = unreadable("no JSON", "$x")
    data = findings_data(check.event_id, check.findings, check.notes)
    assert json.loads(json.dumps(data)) == {
        "event_id": "$x",
        "findings": [
            {
                "kind": "unreadable",
                "action": "drop",
                "reasons": [{"path": "", "text": "no JSON"}],
                "lacks": [],
            }
        ],
        "notes": [],
    }


def test_every_kind_of_finding_has_a_text() -> None:
    assert set(FINDING_TEXT) == set(FindingKind)
    assert set(ACTION_TEXT) == set(Action) == {kind.action for kind in FindingKind}


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("m.room.member", "m.room.member"),
        ("é漢😀", "é漢😀"),
        ("\x1b[2J\n\r", "\\u001b[2J\\u000a\\u000d"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("x" * 1001, "x" * 999 + "…"),
        (None, "null"),
        ({"a": 1}, "an object"),
    ],
)
def test_text_is_safe_on_a_terminal(text: object, safe: str) -> None:
    assert printable(text) == safe


def test_the_feature_table_has_a_cell_for_each_version() -> None:
    rows = feature_rows()
    assert len(rows) == len(FEATURES) == 43
    assert len({label for label, _ in rows}) == 43
    assert all(len(cells) == 12 and all(0 < len(cell) <= 4 for cell in cells) for _, cells in rows)
    markdown = feature_markdown().splitlines()
    assert len(markdown) == 45
    assert {line.count("|") for line in markdown} == {14}


# Rows by the start of their labels, as the pages of the specification have them.
@pytest.mark.parametrize(
    ("label", "cells"),
    [
        ("State resolution algorithm", "v1 v2 v2 v2 v2 v2 v2 v2 v2 v2 v2 v2.1"),
        ("Event ID: C chosen", "C C S U U U U U U U U U"),
        ("Room ID:", "D D D D D D D D D D D H"),
        ("Maximum depth", "63 63 63 63 63 53 53 53 53 53 53 53"),
        ("redacts is at", "T T T T T T T T T T C C"),
        ("The creator:", "C C C C C C C C C C S S"),
        ("Creators' power level", "100 100 100 100 100 100 100 100 100 100 100 ∞"),
        ("Redaction of m.room.create", "C C C C C C C C C C all all"),
        ("Redaction keeps m.room.member join_auth", "- - - - - - - - ● ● ● ●"),
        ("State resolution: first", "- U U U U U U U U U U ∅"),
    ],
)
def test_rows_of_the_feature_table(label: str, cells: str) -> None:
    found = [row for name, row in feature_rows() if name.startswith(label)]
    assert found == [tuple(cells.split())]


def test_many_events_are_checked_as_each_event_alone() -> None:
    good = message("11")
    changed = {**good.pdu, "content": {"body": "changed"}}
    some: list[tuple[Any, str | None]] = [
        (good.pdu, good.event_id),
        ("no event", "$x"),
        (changed, good.event_id),
        ({**good.pdu, "depth": -1}, None),
        (good.pdu, "$false"),
    ]
    pdus = some * 20  # good and bad events on both sides of the end of a batch
    alone = [check_event(pdu, "11", claimed_id=claimed, keys=KEYS) for pdu, claimed in pdus]
    for count in (0, 1, 31, 32, 33, 64, 100):
        together = list(check_events(pdus[:count], "11", keys=KEYS))
        assert [check._replace(event=None) for check in together] == [
            check._replace(event=None) for check in alone[:count]
        ]


def test_events_before_a_source_fails_are_checked() -> None:
    def source() -> Iterator[tuple[Any, str | None]]:
        for _ in range(40):
            yield message("11").pdu, None
        raise OSError("gone")

    checks = check_events(source(), "11")
    assert [next(checks).ok for _ in range(40)] == [True] * 40
    with pytest.raises(OSError, match="gone"):
        next(checks)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_whose_redacted_form_is_malformed_is_dropped(version: str) -> None:
    # Redaction goes by the type, the event format by the type and the state key.
    unusable = set()
    types = {e.type for e in Room(version).events.values()} | {"m.room.member", "m.room.aliases", "m.room.x"}
    for kind in sorted(types | {"m.room.power_levels", "m.room.redaction", "m.room.join_rules"}):
        for state_key in (None, "", "x"):
            pdu = {**message(version).pdu, "type": kind, "stray": 1, "prev_state": [], "membership": "x"}
            if state_key is not None:
                pdu["state_key"] = state_key
            if version == "12" and (kind, state_key) == ("m.room.create", ""):
                del pdu["room_id"]
            check = check_event(pdu, version)
            if check.event is None:
                unusable.add((kind, state_key))
                assert kinds(check) == ["content-hash", "malformed"]
                assert "room_id: expected a room ID in the redacted form, found nothing" in reasons(check)
                assert check.usable is None
            else:
                assert kinds(check) == ["content-hash"]
                assert check.event.pdu == redact(pdu, version)
    assert unusable == ({("m.room.create", None), ("m.room.create", "x")} if version == "12" else set())


@pytest.mark.parametrize("version", VERSIONS)
def test_such_an_event_does_not_stop_the_check_of_its_room(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    bad = {**room.make("m.room.message", ALICE, MESSAGE).pdu, "type": "m.room.create", "state_key": "x"}
    entries = [Entry(Place(number, ""), None, event.pdu) for number, event in enumerate(room.events.values())]
    found = check_room([Entry(Place(9, ""), None, {**bad, "stray": 1}), *entries], version)
    assert found.summary.events == 3
    assert found.summary.kinds[FindingKind.CONTENT_HASH] == 1
    assert found.summary.kinds[FindingKind.MALFORMED] == (version == "12")
    assert len(found.replay.current_state or ()) == 2
    if version == "12":
        alone = gather_events([Entry(Place(9, ""), None, {**bad, "stray": 1})], version)
        assert alone.first_dropped is not None
        assert alone.first_dropped[1].kind is FindingKind.MALFORMED
