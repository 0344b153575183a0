"""The unstable room versions: what each differs in, from the texts of the proposals.

Sources: https://github.com/matrix-org/matrix-spec-proposals/pull/ 2870, 3389, 3757 and, for what was tried as
``org.matrix.hydra.11``, 4304.
"""

import copy
from random import Random
from typing import Any

import generator
import pytest
from builder import ALICE, BOB, CAROL, Room
from random_forks import owned_fork
from reference import redaction as reference
from strategies import OWNED_KEY_VERSIONS, UNSTABLE_VERSIONS, VERSIONS

from roomver import MalformedEvent, Verdict, check_auth, compute_event_id, get_room_version, redact, resolve
from roomver.errors import Defect
from roomver.versions import FIELDS, ROOM_VERSIONS, UNSTABLE_ROOM_VERSIONS, RoomVersion

HYDRA, ACL, RELATION = "org.matrix.hydra.11", "org.matrix.msc2870", "org.matrix.msc3389.10"

owned = pytest.mark.parametrize("version", OWNED_KEY_VERSIONS)


def test_they_are_found_by_their_identifiers_and_are_not_in_the_stable_table() -> None:
    assert list(UNSTABLE_ROOM_VERSIONS) == [HYDRA, ACL, RELATION, *OWNED_KEY_VERSIONS] == UNSTABLE_VERSIONS
    assert all(get_room_version(name) is record for name, record in UNSTABLE_ROOM_VERSIONS.items())
    assert list(ROOM_VERSIONS) == VERSIONS


@pytest.mark.parametrize(
    ("name", "base", "fields"),
    [
        (HYDRA, "12", set()),
        (ACL, "11", {"redaction_keeps_content"}),
        (RELATION, "10", {"redaction_keeps_relation"}),
        ("org.matrix.msc3757.10", "10", {"owned_state_keys", "max_state_key_bytes"}),
        ("org.matrix.msc3757.11", "11", {"owned_state_keys", "max_state_key_bytes"}),
    ],
)
def test_what_differs_from_the_base(name: str, base: str, fields: set[str]) -> None:
    version, of = get_room_version(name), get_room_version(base)
    assert version.based_on == base
    assert {field for field in FIELDS if getattr(version, field) != getattr(of, field)} == fields | {
        "identifier",
        "based_on",
    }


# Redaction


def redacted(version: str, kind: str, content: Any) -> Any:
    return redact({"type": kind, "content": content}, version)["content"]


@pytest.mark.parametrize("version", UNSTABLE_VERSIONS)
def test_redaction_is_that_of_the_text(version: str) -> None:
    for number in range(500):
        pdu = generator.pdu(Random(f"redaction/{version}/{number}"), version)
        before = copy.deepcopy(pdu)
        assert redact(pdu, version) == reference.redact(pdu, version)
        assert pdu == before


def test_server_acls_are_protected_from_redaction() -> None:
    content = {"allow": ["*"], "deny": ["evil.example"], "allow_ip_literals": False, "x": 1}
    kept = {"allow": ["*"], "deny": ["evil.example"], "allow_ip_literals": False}
    assert redacted(ACL, "m.room.server_acl", content) == kept
    assert redacted("11", "m.room.server_acl", content) == {}
    assert redacted(ACL, "m.room.message", content) == {}
    for key, value in kept.items():
        assert redacted(ACL, "m.room.server_acl", {key: value}) == {key: value}


@pytest.mark.parametrize("kind", ["m.room.message", "m.reaction", "m.room.topic"])
@pytest.mark.parametrize(
    ("relation", "kept"),
    [
        ({"rel_type": "m.thread", "event_id": "$a", "key": "x"}, {"rel_type": "m.thread", "event_id": "$a"}),
        ({"rel_type": "m.thread"}, {"rel_type": "m.thread"}),
        ({"event_id": "$a", "m.in_reply_to": {"event_id": "$b"}}, {"event_id": "$a"}),
        ({"rel_type": None, "event_id": [1]}, {"rel_type": None, "event_id": [1]}),
        ({"m.in_reply_to": {"event_id": "$b"}}, None),
        ({}, None),
        ([], None),
        ("x", None),
        (None, None),
    ],
)
def test_relations_are_preserved_over_redactions(kind: str, relation: Any, kept: Any) -> None:
    content = {"m.relates_to": relation, "body": "x", "rel_type": "x", "event_id": "y"}
    assert redacted(RELATION, kind, content) == ({} if kept is None else {"m.relates_to": kept})
    assert redacted("10", kind, content) == {}


def test_a_relation_is_kept_beside_what_else_is_kept() -> None:
    relation = {"rel_type": "a", "event_id": "$a"}
    content = {"membership": "join", "displayname": "A", "m.relates_to": relation}
    assert redacted(RELATION, "m.room.member", content) == {"membership": "join", "m.relates_to": relation}


def test_what_redaction_keeps_is_part_of_the_event_id() -> None:
    def ids(version: str, kind: str, *contents: dict[str, Any]) -> int:
        room = Room(version)
        pdus = [room.pdu(kind, ALICE, content, state_key="") for content in contents]
        # Only the content is to differ, and the content hash is not.
        alike = [{**pdus[0], "content": pdu["content"]} for pdu in pdus]
        return len({compute_event_id(pdu, version) for pdu in alike})

    acls: list[dict[str, Any]] = [{"allow": ["*"]}, {"allow": []}]
    relations: list[dict[str, Any]] = [
        {"m.relates_to": {"rel_type": one, "event_id": "$a"}} for one in ("a", "b")
    ]
    assert (ids("11", "m.room.server_acl", *acls), ids(ACL, "m.room.server_acl", *acls)) == (1, 2)
    assert (ids("10", "m.reaction", *relations), ids(RELATION, "m.reaction", *relations)) == (1, 2)


# Owned state keys


def room(version: str, levels: dict[str, int]) -> Room:
    """Return a room with Alice, Bob and Carol in it, in which anyone may send any state."""
    made = Room(version)
    made.join(ALICE)
    made.power({"users": {ALICE: 100, **levels}, "state_default": 0})
    made.join_rule("public")
    made.join(BOB, CAROL)
    return made


def verdict(
    version: str, sender: str, state_key: str | None, levels: dict[str, int] | None = None
) -> Verdict:
    made = room(version, levels or {})
    event = made.make("org.example.owned", sender, {}, state_key=state_key)
    return check_auth(event, None, made.events)


def outcome(version: str, sender: str, state_key: str | None, levels: dict[str, int] | None = None) -> str:
    """Return ``allow``, or the number of the rule that rejects."""
    found = verdict(version, sender, state_key, levels)
    assert found.allowed is (found.rule.name == "otherwise")
    return "allow" if found.allowed else str(found.number)


LONG = ALICE + "_" + "x" * 255


# "8. If the event has a state_key:
#    1. If the state_key starts with an @:
#       1. If the prefix of the state_key before the first _ that follows the first : (or end of string) is
#          not a valid user ID, reject.
#       2. If the size of the state_key without its leading user ID is greater than 256 bytes, reject.
#       3. If the leading user ID does not match the sender, and the sender's power level is not greater than
#          that of the user denoted by that ID, reject.
#    2. Otherwise, if size the state_key is greater than 255 bytes, reject."
@owned
@pytest.mark.parametrize(
    ("sender", "state_key", "levels", "expected"),
    [
        # The owner, whatever follows.
        (BOB, BOB, {}, "allow"),
        (BOB, f"{BOB}_device", {}, "allow"),
        (BOB, f"{BOB}_", {}, "allow"),
        (BOB, f"{BOB}_a_b:c@d", {}, "allow"),
        # Another user needs a higher level than the owner: greater, not equal.
        (BOB, CAROL, {}, "8.1.3"),
        (BOB, f"{CAROL}_device", {}, "8.1.3"),
        (BOB, f"{CAROL}_device", {BOB: 1}, "allow"),
        (BOB, CAROL, {BOB: 1}, "allow"),
        (BOB, f"{CAROL}_device", {BOB: 1, CAROL: 1}, "8.1.3"),
        (BOB, f"{CAROL}_device", {BOB: 1, CAROL: 2}, "8.1.3"),
        (BOB, f"{CAROL}_device", {CAROL: -1}, "allow"),
        (BOB, "@nobody:x.example_x", {BOB: 1}, "allow"),
        (BOB, "@nobody:x.example_x", {}, "8.1.3"),
        # The owner may have a higher level than the sender, if it is the sender.
        (ALICE, f"{ALICE}_x", {}, "allow"),
        # "A pure prefix match will not be sufficient": the user ID ends at the underscore only.
        (BOB, f"{BOB}.evil.example_x", {}, "8.1.3"),
        (BOB, f"{BOB}:80_x", {}, "8.1.3"),
        (BOB, f"{BOB}-x", {}, "8.1.3"),
        # Not a user ID before the first _ after the first colon. No level helps.
        (ALICE, "@", {}, "8.1.1"),
        (ALICE, "@alice", {}, "8.1.1"),
        (ALICE, "@alice_a.example", {}, "8.1.1"),
        (ALICE, "@alice:", {}, "8.1.1"),
        (ALICE, "@alice:_a.example", {}, "8.1.1"),
        (ALICE, "@alice:a b_x", {}, "8.1.1"),
        (ALICE, f"{ALICE} _x", {}, "8.1.1"),
        (ALICE, "@" + "a" * 254 + ":b", {}, "8.1.1"),
        # An underscore in the localpart does not end the user ID.
        (ALICE, "@b_b:b.example_x", {}, "allow"),
        (BOB, "@b_b:b.example_x", {}, "8.1.3"),
        # "the size limit of 256 bytes after a leading user ID includes the separating _", in bytes.
        (ALICE, LONG, {}, "allow"),
        (ALICE, LONG + "x", {}, "8.1.2"),
        (ALICE, f"{ALICE}_" + "é" * 127 + "x", {}, "allow"),
        (ALICE, f"{ALICE}_" + "é" * 128, {}, "8.1.2"),
        (BOB, LONG + "x", {}, "8.1.2"),
        # Without an owner: 255 bytes. No level is compared.
        (BOB, "x" * 255, {}, "allow"),
        (BOB, "x" * 256, {}, "8.2"),
        (BOB, "é" * 127 + "x", {}, "allow"),
        (BOB, "é" * 128, {}, "8.2"),
        (BOB, f"x{CAROL}", {}, "allow"),
        (BOB, "_", {}, "allow"),
        (BOB, "", {}, "allow"),
        (BOB, None, {}, "allow"),
    ],
)
def test_a_state_key_may_have_an_owner(
    version: str, sender: str, state_key: str | None, levels: dict[str, int], expected: str
) -> None:
    assert outcome(version, sender, state_key, levels) == expected


@owned
@pytest.mark.parametrize("state_key", [BOB, f"{BOB}_x", CAROL, f"{CAROL}_x", "@", "x"])
def test_in_the_base_only_the_user_itself_may_set_it(version: str, state_key: str) -> None:
    base = get_room_version(version).based_on or ""
    expected = "allow" if state_key in (BOB, "x") else "8"
    assert outcome(base, BOB, state_key, {BOB: 75}) == expected


@owned
def test_a_verdict_on_an_owned_state_key_says_what_was_compared(version: str) -> None:
    found = verdict(version, BOB, f"{CAROL}_x", {BOB: 5, CAROL: 5})
    assert found.rule.name == "state_key.owner"
    source = str(found.detail["sender_level_from"])
    assert source.startswith("users in $")
    assert found.detail == {
        "state_key": f"{CAROL}_x",
        "sender": BOB,
        "sender_level": 5,
        "sender_level_from": source,
        "owner": CAROL,
        "owner_level": 5,
        "owner_level_from": source,
    }
    assert found.url == "https://github.com/matrix-org/matrix-spec-proposals/pull/3757"
    assert str(found).startswith(f"{version} rule 8.1.3 (state_key.owner): another user owns the state key")
    assert verdict(version, ALICE, LONG + "x").detail == {"owner": ALICE, "bytes_after_owner": 257}
    assert verdict(version, ALICE, "x" * 256).detail == {"state_key_bytes": 256}
    assert verdict(version, ALICE, "@a").detail == {"state_key": "@a"}


@owned
def test_the_required_level_comes_first_and_the_rules_on_members_are_as_they_were(version: str) -> None:
    made = Room(version)
    made.join(ALICE)
    made.power({"users": {ALICE: 100, BOB: 1}})
    made.join_rule("public")
    made.join(BOB, CAROL)
    event = made.make("org.example.owned", BOB, {}, state_key=f"{BOB}_x")
    assert check_auth(event, None, made.events).rule.name == "required_level"
    invite = made.make_member(f"{CAROL}_x", "invite", by=ALICE)
    assert check_auth(invite, None, made.events).rule.name == "member.invite.level"
    offer = made.make("m.room.third_party_invite", ALICE, {}, state_key=f"{CAROL}_x")
    assert check_auth(offer, None, made.events).rule.name == "third_party_invite.level"


def test_creators_outrank_every_owner_and_each_other_never() -> None:
    version = RoomVersion.derive("org.example.x", "12", owned_state_keys=True)
    made = Room(version, content={"room_version": "org.example.x", "additional_creators": [CAROL]})
    made.join(ALICE)
    made.power({"users": {BOB: 100}, "state_default": 0})
    made.join_rule("public")
    made.join(BOB, CAROL)

    def rule(sender: str, state_key: str) -> str | None:
        found = check_auth(made.make("org.x", sender, {}, state_key=state_key), None, made.events)
        return None if found.allowed else found.number

    assert rule(ALICE, f"{BOB}_x") is None
    assert rule(ALICE, f"{CAROL}_x") == "9.1.3"
    assert rule(BOB, f"{CAROL}_x") == "9.1.3"


@pytest.mark.parametrize(
    ("version", "most"), [*((name, 511) for name in OWNED_KEY_VERSIONS), ("11", 255), (HYDRA, 255)]
)
def test_the_longest_state_key(version: str, most: int) -> None:
    made = Room(version)
    for text in ("x" * most, "é" * (most // 2) + "x"):
        assert made.make("org.x", ALICE, {}, state_key=text).state_key == text
    for text in ("x" * (most + 1), "é" * (most // 2 + 1)):
        with pytest.raises(MalformedEvent) as caught:
            made.make("org.x", ALICE, {}, state_key=text)
        assert caught.value.defects == (Defect("state_key", f"at most {most} bytes", f"{most + 1} bytes"),)
    # Other texts keep their limit.
    with pytest.raises(MalformedEvent, match="type: expected at most 255 bytes"):
        made.make("x" * 256, ALICE, {})


@owned
def test_the_owner_of_a_state_key_counts_in_a_resolution(version: str) -> None:
    fork = owned_fork(version)
    resolved = resolve(fork.state_sets, fork.events, trace=True)
    # Bob's own key stays. Carol's does not, because Bob has lost the level for it.
    assert ("x.owned", f"{BOB}_x") in resolved.state
    assert ("x.owned", f"{CAROL}_x") not in resolved.state
    (candidate,) = resolved.why(("x.owned", f"{CAROL}_x")).candidates
    assert candidate.check is not None
    assert candidate.check.verdict is not None
    assert candidate.check.verdict.number == "8.1.3"


# Rooms


@pytest.mark.parametrize("version", UNSTABLE_VERSIONS)
def test_a_create_event_may_name_it(version: str) -> None:
    found = check_auth(Room(version).create, None, {})
    assert found.allowed
    base = get_room_version(version).based_on
    assert found.url == f"https://spec.matrix.org/latest/rooms/v{base}/#authorisation-rules"
