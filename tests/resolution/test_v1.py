"""State resolution version 1, by example."""

from hashlib import sha1

import builder
import pytest
from builder import versions_from
from random_forks import hostile_event

from roomver import resolve, rules
from roomver.versions import StateResolution

from .labelled import ALICE, Room
from .restricted import authorised_join


def _room_1() -> Room:
    room = Room("1")
    room.levels("P1", 3, m=50)
    room.rule("JR0", "public", 4, "P1")
    return room


@pytest.mark.parametrize("states", [("C MA P1 T1", "C MA P1"), ("C MA P1", "C MA P1 T1")])
def test_version_1_keeps_an_event_that_only_one_state_has(states: tuple[str, str]) -> None:
    room = _room_1()
    room.topic("T1", 5, "P1", sender="@nobody:x")
    resolution = room.resolve(*states)
    assert room.of(resolution) == {"C", "MA", "P1", "T1"}
    assert str(resolution.why(("m.room.topic", ""))) == (
        "m.room.topic '': $T1:x\n  unconflicted: no state has a different event"
    )


def test_version_1_takes_the_lowest_depth_first_and_stops_at_the_first_that_fails() -> None:
    room = _room_1()
    room.rule("J1", "public", 5, "P1", sender="@nobody:x", depth=1)
    room.rule("J2", "invite", 6, "P1", sender="@nobody:x", depth=2)
    room.rule("J3", "knock", 7, "P1", depth=3)
    resolution = room.resolve("C MA P1 J1", "C MA P1 J2", "C MA P1 J3")
    assert room.of(resolution) == {"C", "MA", "P1", "J1"}
    why = resolution.why(("m.room.join_rules", ""))
    assert [(room.labels[c.event_id], c.outcome) for c in why.candidates] == [
        ("J1", "won"),
        ("J2", "refused"),
        ("J3", "not tried"),
    ]
    assert why.reason == "conflicted: the first event is taken, then each allowed one until one is refused"
    # Without the event that fails, the last one is reached.
    assert room.of(room.resolve("C MA P1 J1", "C MA P1 J3")) == {"C", "MA", "P1", "J3"}


def test_version_1_breaks_ties_of_depth_by_the_digest_of_the_id() -> None:
    def digest(label: str) -> str:
        return sha1(f"${label}:x".encode(), usedforsecurity=False).hexdigest()

    low, high = sorted(["e1", "e2"], key=digest)
    for put in ("rule", "topic"):
        for able in (low, high, None):
            room = _room_1()
            for label in (low, high):
                sender = ALICE if able in (label, None) else "@nobody:x"
                if put == "rule":
                    room.rule(label, "knock", 5, "P1", sender=sender)
                else:
                    room.topic(label, 5, "P1", sender=sender)
            resolution = room.resolve(f"C MA P1 {low}", f"C MA P1 {high}")
            # Join rules: the higher digest is first, and the lower is checked against it. Topics: the lower
            # digest is checked first, and the first that is allowed stays.
            assert room.of(resolution) == {"C", "MA", "P1", high if able == high else low}


def test_version_1_resolves_each_member_without_the_other_members_of_the_pass() -> None:
    room = _room_1()
    room.member("MM1", "@m:x", "join", 5, "P1", "JR0", depth=1)
    room.member("MM2", "@m:x", "join", 6, "P1", "JR0", depth=2)
    room.member("MU1", "@u:x", "join", 7, "P1", "JR0", depth=1)
    room.member("BU", "@u:x", "ban", 8, "P1", "MM1", sender="@m:x", depth=2)
    resolution = room.resolve("C MA P1 JR0 MM1 MU1", "C MA P1 JR0 MM2 BU")
    # The membership of the sender of the ban is in conflict until the end of the pass.
    assert room.of(resolution) == {"C", "MA", "P1", "JR0", "MM2", "MU1"}
    refused = resolution.why(("m.room.member", "@u:x")).candidates[1]
    assert refused.check is not None
    assert refused.check.verdict is not None
    assert (refused.outcome, refused.check.phase) == ("refused", "m.room.member")


def test_version_1_sees_power_levels_and_join_rules_of_earlier_passes() -> None:
    room = _room_1()
    room.levels("P2", 5, "P1", m=100)
    room.events[room.id("P2")] = hostile_event(
        room.version,
        room.id("P2"),
        "!r:x",
        "m.room.power_levels",
        ALICE,
        "",
        {"users": {ALICE: 100, "@m:x": 100}, "state_default": 100},
        [],
        depth=2,
    )
    room.member("MM", "@m:x", "join", 6, "P1", "JR0")
    room.topic("T1", 6, "P1", depth=1)
    room.topic("T2", 7, "P2", "MM", sender="@m:x", depth=2)
    resolution = room.resolve("C MA P1 JR0 MM T1", "C MA P2 JR0 MM T2")
    # P1 would not allow the second topic.
    assert room.of(resolution) == {"C", "MA", "P2", "JR0", "MM", "T2"}
    assert resolution.why(("m.room.topic", "")).reason == "conflicted: the first event that was allowed stays"


def test_version_1_keeps_the_event_checked_last_if_none_is_allowed() -> None:
    room = _room_1()
    room.topic("T1", 5, "P1", sender="@nobody:x", depth=1)
    room.topic("T2", 6, "P1", sender="@nobody:x", depth=2)
    resolution = room.resolve("C MA P1 T1", "C MA P1 T2")
    assert room.of(resolution) == {"C", "MA", "P1", "T1"}
    why = resolution.why(("m.room.topic", ""))
    assert why.reason == "conflicted: no event was allowed, so the one tried last stays"
    assert [(room.labels[c.event_id], c.outcome) for c in why.candidates] == [
        ("T2", "refused"),
        ("T1", "refused"),
        ("T1", "won"),
    ]


@pytest.mark.parametrize("version", versions_from(8))
def test_version_1_reads_the_authoriser_of_a_restricted_join(version: str) -> None:
    room, joined, states = authorised_join(version)
    resolution = resolve(states, room.events, algorithm=StateResolution.V1, trace=True)
    why = resolution.why(("m.room.member", builder.CAROL))
    assert why.event_id == joined.event_id
    assert "restricted.allowed" in str(why)


def test_version_1_reads_the_third_party_invite_event_of_an_invite() -> None:
    room = builder.Room("1", signed=False)
    room.join(builder.ALICE)
    room.power({"users": {builder.ALICE: 100}})
    token = {"public_key": builder.public_key("x.example"), "key_validity_url": "x", "display_name": "x"}
    room.add("m.room.third_party_invite", builder.ALICE, token, state_key="t")
    before = dict(room.state)
    states = []
    signed = {"mxid": builder.BOB, "token": "t"}
    for depth, content in ((5, {"membership": "leave"}), (9, {"third_party_invite": {"signed": signed}})):
        room.state = dict(before)
        sender = builder.ALICE
        room.member(builder.BOB, content.get("membership", "invite"), by=sender, more=content, depth=depth)
        states.append({key: event.event_id for key, event in room.state.items()})
    resolution = resolve(states, room.events, trace=True)
    (_, invite) = resolution.why(("m.room.member", builder.BOB)).candidates
    assert invite.check is not None
    # It is refused because its signature is missing, not because the third-party-invite event is.
    assert invite.check.verdict is not None
    assert invite.check.verdict.rule is rules.INVITE_THIRD_PARTY_OTHERWISE


def test_version_1_keeps_an_unknown_event_that_no_state_contradicts() -> None:
    room = Room("1")
    room.topic("T1", 5)
    room.topic("T2", 6)
    unknown = ("x.y", "")
    agreed = room.state("C MA")
    # With and without other conflicts.
    for one, other in ((agreed, agreed), (room.state("C MA T1"), room.state("C MA T2"))):
        resolution = resolve([{**one, unknown: "$nobody:x"}, other], room.events, ignore_missing=True)
        assert resolution.state[unknown] == "$nobody:x"
