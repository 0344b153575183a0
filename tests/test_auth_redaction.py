"""Who may redact: rule 11 of versions 1 and 2, and "Handling redactions" in later versions. Tests are named
after the specification's sentences."""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Content, Room, allows, refuses, versions_from

from roomver import Event, MissingEvents, WrongRoom, parse_event, rules
from roomver.auth import RedactionDecision, redaction_applies


def room_of(version: str, **power: Any) -> Room:
    """Return a public room with ALICE, BOB and CAROL in it."""
    room = Room(version, signed=False)
    room.join(ALICE)
    room.power({"users": {} if version == "12" else {ALICE: 100}, **power})
    room.join_rule("public")
    room.join(BOB, CAROL)
    return room


def redact(room: Room, sender: str, target: Event | str, **options: Any) -> Event:
    redacts = target if isinstance(target, str) else target.event_id
    return room.make("m.room.redaction", sender, redacts=redacts, **options)


def decide(room: Room, sender: str, target: Event, **options: Any) -> RedactionDecision:
    return redaction_applies(redact(room, sender, target, **options), target, room.state)


# Rule 11 of versions 1 and 2


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(("level", "enough"), [(49, False), (50, True), (51, True)])
def test_if_the_senders_power_level_is_at_least_the_redact_level_allow(
    version: str, level: int, enough: bool
) -> None:
    for power in ({}, {"redact": 50}):
        room = room_of(version, users={BOB: level}, **power)
        verdict = room.verdict(redact(room, BOB, "$x:a.example"))
        if enough:
            allows(verdict, rules.REDACTION_LEVEL)
        else:
            refuses(verdict, rules.REDACTION_OTHERWISE)


@pytest.mark.parametrize("version", ["1", "2"])
def test_if_the_domains_of_both_event_ids_are_the_same_allow(version: str) -> None:
    room = room_of(version)
    allows(room.verdict(redact(room, BOB, "$x:b.example")), rules.REDACTION_SAME_DOMAIN)
    for other in ("$x:a.example", "$x:B.example", "$x:b.example:80", "$x", "b.example", ""):
        refuses(room.verdict(redact(room, BOB, other)), rules.REDACTION_OTHERWISE)
    # The event IDs are compared, not the senders.
    event = redact(room, BOB, "$x:b.example", event_id="$y:a.example")
    refuses(room.verdict(event), rules.REDACTION_OTHERWISE)
    event = redact(room, BOB, "$x:a.example", event_id="$y:a.example")
    allows(room.verdict(event), rules.REDACTION_SAME_DOMAIN)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("redacts", [None, 5, True, [], {}, ["$x:b.example"]])
def test_a_redaction_of_nothing_is_rejected(version: str, redacts: Any) -> None:
    # Synapse allows it.
    room = room_of(version)
    refuses(room.verdict(room.make("m.room.redaction", BOB, redacts=redacts)), rules.REDACTION_OTHERWISE)
    allows(room.verdict(room.make("m.room.redaction", ALICE, redacts=redacts)), rules.REDACTION_LEVEL)


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_required_level_comes_before_the_rule_on_redactions(version: str) -> None:
    room = room_of(version, users={BOB: 60}, events={"m.room.redaction": 70})
    refuses(room.verdict(redact(room, BOB, "$x:b.example")), rules.REQUIRED_LEVEL)


@pytest.mark.parametrize("version", versions_from(3))
def test_redactions_are_always_accepted_by_the_authorisation_rules(version: str) -> None:
    room = room_of(version, redact=100)
    for redacts in ("$x", room.create.event_id, None, 5):
        allows(room.verdict(room.make("m.room.redaction", BOB, redacts=redacts)), rules.OTHERWISE)


# Whether a redaction is applied


@pytest.mark.parametrize("version", versions_from(3))
@pytest.mark.parametrize(("level", "enough"), [(49, False), (50, True), (51, True)])
def test_the_power_level_of_the_redactions_sender_is_at_least_the_redact_level(
    version: str, level: int, enough: bool
) -> None:
    for power in ({}, {"redact": 50}):
        room = room_of(version, users={BOB: level}, **power)
        message = room.add("m.room.message", ALICE)
        decision = decide(room, BOB, message)
        levels = f"sender level {level}, redact level 50"
        reason = levels if enough else f"{levels}, and the senders are on different servers"
        assert decision == (enough, reason)


@pytest.mark.parametrize("version", versions_from(3))
def test_the_domain_of_the_redactions_sender_matches_that_of_the_original_events_sender(version: str) -> None:
    room = room_of(version)
    message = room.add("m.room.message", ALICE)
    # Any user of the server.
    decision = decide(room, CAROL, message)
    assert decision == (True, "both senders are on a.example")
    assert not decide(room, BOB, message).applies
    assert not decide(room, "@x:a.example:80", message).applies


@pytest.mark.parametrize("version", versions_from(3))
@pytest.mark.parametrize("kind", ["m.room.power_levels", "m.room.name", "m.room.message"])
def test_a_user_with_the_redact_level_redacts_event_types_that_they_may_not_send(
    version: str, kind: str
) -> None:
    # Clarified in 1.17 (#2249): "even when the sender doesn't have a high enough power level to send
    # the type of event that they're redacting". Nor does the level of its sender matter.
    room = room_of(version, users={BOB: 50}, events={kind: 100}, state_default=100, events_default=0)
    target = room.make(kind, ALICE, state_key="")
    refuses(room.verdict(room.make(kind, BOB, state_key="")), rules.REQUIRED_LEVEL)
    assert decide(room, BOB, target).applies


@pytest.mark.parametrize("version", ["1", "2"])
def test_in_versions_1_and_2_a_redaction_applies_exactly_if_the_rules_allow_it(version: str) -> None:
    room = room_of(version)
    ours = room.add("m.room.message", CAROL, event_id="$m1:b.example")
    theirs = room.add("m.room.message", BOB, event_id="$m2:c.example")
    assert decide(room, BOB, ours).applies
    refused = decide(room, BOB, theirs)
    assert not refused.applies
    with pytest.raises(TypeError, match=r"a RedactionDecision has no truth value: use \.applies"):
        bool(refused)
    assert "rule 11.3 (redaction.otherwise)" in refused.reason
    assert decide(room, ALICE, theirs).applies


def test_from_version_3_on_the_domains_of_the_senders_are_compared() -> None:
    # Versions 1 and 2 compare those of the event IDs.
    room = room_of("3")
    assert decide(room, CAROL, room.add("m.room.message", ALICE)).applies
    assert not decide(room, CAROL, room.add("m.room.message", BOB)).applies


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_up_to_version_10_the_target_is_named_at_the_top_level(version: str) -> None:
    room = room_of(version)
    message = room.add("m.room.message", ALICE)
    event = room.make("m.room.redaction", ALICE, {"redacts": message.event_id})
    assert redaction_applies(event, message, room.state) == (False, "the redaction names no event")
    assert decide(room, ALICE, message).applies


@pytest.mark.parametrize("version", versions_from(11))
def test_from_version_11_on_the_target_is_named_in_the_content(version: str) -> None:
    room = room_of(version)
    message = room.add("m.room.message", ALICE)
    pdu = {**room.pdu("m.room.redaction", ALICE), "redacts": message.event_id}
    event = parse_event(pdu, version)
    assert redaction_applies(event, message, room.state) == (False, "the redaction names no event")
    assert decide(room, ALICE, message).applies


@pytest.mark.parametrize("version", VERSIONS)
def test_a_redaction_is_of_the_event_that_it_names(version: str) -> None:
    room = room_of(version)
    one, two = room.add("m.room.message", ALICE), room.add("m.room.message", ALICE)
    decision = redaction_applies(redact(room, ALICE, one), two, room.state)
    assert decision == (False, f"the redaction names another event, {one.event_id}")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_redaction_is_of_its_own_type(version: str) -> None:
    room = room_of(version)
    message = room.add("m.room.message", ALICE)
    content: Content = {"redacts": message.event_id}
    other = room.make("m.room.message", ALICE, content)
    decision = redaction_applies(other, message, room.state)
    assert decision == (False, f"{other.event_id} has type m.room.message")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_target_is_in_the_same_room(version: str) -> None:
    room, other = room_of(version), Room(version, name="other", creator=BOB, signed=False)
    message = other.add("m.room.message", ALICE)
    decision = decide(room, ALICE, message)
    assert decision == (False, f"the event is in another room, {other.room_id}")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_create_event_is_never_redacted(version: str) -> None:
    # Up to version 10 it would lose its room version.
    room = room_of(version)
    assert decide(room, ALICE, room.create) == (False, "a create event is never redacted")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_is_of_the_redactions_room(version: str) -> None:
    room, other = room_of(version), Room(version, name="other", creator=BOB, signed=False)
    message = room.add("m.room.message", DAVE)
    event = redact(room, ALICE, message)
    with pytest.raises(MissingEvents, match=r"m\.room\.create"):
        redaction_applies(event, message, {})
    with pytest.raises(WrongRoom, match="the state is from room"):
        redaction_applies(event, message, other.state)


def test_a_creator_redacts_whatever_the_level() -> None:
    room = room_of("12", redact=2**53 - 1)
    message = room.add("m.room.message", BOB)
    decision = decide(room, ALICE, message)
    assert decision.applies
    assert decision.reason.startswith("sender level infinite, redact level ")
