"""State resolution versions 2 and 2.1, by example.

Each room tells two readings of the specification apart.
"""

from typing import Any

import builder
import pytest
from builder import allows, refuses
from random_forks import hostile_event

from roomver import MissingEvents, check_auth, resolve, rules
from roomver.resolution import Resolution

from .labelled import ALICE, BEFORE_12, BOB, CAROL, GREATEST, LATER, Room
from .restricted import authorised_join

# Rooms that servers resolve differently


@pytest.mark.parametrize("version", LATER)
def test_the_auth_chain_of_a_state_includes_its_own_events(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3)
    room.rule("JR1", "public", 4, "P1")
    room.member("MX", "@x:x", "join", 5, "P1", "JR1")
    room.rule("JR2", "invite", 6, "P1")
    room.member("IY", "@y:x", "invite", 7, "P1", "JR2", sender=ALICE)
    room.member("MY", "@y:x", "join", 8, "P1", "JR2", "IY")
    resolution = room.resolve("C MA P1 JR2 MY", "C MA P1 JR2 MX")
    assert room.of(resolution) == {"C", "MA", "P1", "JR2", "MX", "MY"}
    assert resolution.steps is not None
    # JR2 is an auth event in one state only, but an event of both.
    assert room.id("JR2") not in resolution.steps.auth_difference
    assert room.id("JR1") in resolution.steps.auth_difference


@pytest.mark.parametrize("version", LATER)
def test_the_mainline_starts_at_the_partial_state_which_may_have_no_power_levels(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3)
    room.levels("P2", 4, "P1")
    room.topic("Ta", 100, "P1")
    room.topic("Tb", 50, "P2")
    resolution = room.resolve("C MA P2 Ta", "C MA P2 Tb")
    winner = "Ta" if version == "12" else "Tb"
    assert room.of(resolution) == {"C", "MA", "P2", winner}
    assert resolution.steps is not None
    assert room.named(resolution.steps.mainline) == ([] if version == "12" else ["P2", "P1"])
    expected = ["Tb", "Ta"] if version == "12" else ["Ta", "Tb"]
    assert room.named(resolution.steps.mainline_order) == expected


@pytest.mark.parametrize("version", BEFORE_12)
def test_an_event_without_power_levels_comes_before_events_on_the_oldest_power_levels(version: str) -> None:
    room = Room(version)
    room.topic("T0", 1000)
    room.levels("P1", 3)
    room.topic("T1", 10, "P1")
    resolution = room.resolve("C MA P1 T0", "C MA P1 T1")
    assert room.of(resolution) == {"C", "MA", "P1", "T1"}


def _through_an_unconflicted_event(version: str) -> tuple[Room, Resolution]:
    room = Room(version)
    room.levels("PL1", 3, b=60)
    room.rule("JR1", "public", 4, "PL1")
    room.member("MB1", BOB, "join", 50, "PL1", "JR1")
    room.member("MB2", BOB, "join", 10, "PL1", "JR1", "MB1")
    room.levels("PL2", 60, "PL1", "MB1", sender=BOB, b=60)
    room.rule("JR2", "public", 70, "PL2")
    return room, room.resolve("C MA PL2 JR2 MB2", "C MA PL2 JR1 MB1")


@pytest.mark.parametrize("version", BEFORE_12)
def test_power_events_are_followed_inside_the_full_conflicted_set_only(version: str) -> None:
    room, resolution = _through_an_unconflicted_event(version)
    assert room.of(resolution) == {"C", "MA", "PL2", "JR2", "MB1"}
    assert resolution.steps is not None
    assert "MB1" not in room.named(resolution.steps.power_order)


def test_version_12_checks_the_events_between_conflicted_events() -> None:
    room, resolution = _through_an_unconflicted_event("12")
    assert room.of(resolution) == {"C", "MA", "PL2", "JR2", "MB2"}
    assert resolution.steps is not None
    assert "PL2" in room.named(resolution.steps.conflicted_subgraph)
    assert "PL2" not in room.named(resolution.steps.auth_difference)
    assert "PL2" in room.named(check.event_id for check in resolution.steps.checks)


@pytest.mark.parametrize("version", LATER)
def test_the_event_of_the_less_powerful_sender_is_applied_later_and_wins(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3, b=GREATEST if version == "12" else 50)
    room.rule("JR0", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR0")
    room.rule("JA", "invite", 500, "P1")
    room.rule("JB", "knock", 6, "P1", "MB", sender=BOB)
    resolution = room.resolve("C MA P1 MB JA", "C MA P1 MB JB")
    assert room.of(resolution) == {"C", "MA", "P1", "MB", "JB"}
    assert resolution.steps is not None
    order = room.named(resolution.steps.power_order)
    assert order.index("JA") < order.index("JB")


# The steps


@pytest.mark.parametrize("version", LATER)
def test_power_levels_are_ordered_by_their_senders_level_before_them(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3, b=60, c=55)
    room.rule("JR0", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR0")
    room.member("MC", CAROL, "join", 5, "P1", "JR0")
    # Bob demotes himself later than Carol changes the join rules.
    room.levels("PD", 20, "P1", "MB", sender=BOB, b=0, c=55)
    room.rule("JC", "invite", 10, "P1", "MC", sender=CAROL)
    resolution = room.resolve("C MA MB MC PD JR0", "C MA MB MC P1 JC")
    assert resolution.steps is not None
    order = room.named(resolution.steps.power_order)
    assert order.index("P1") < order.index("PD") < order.index("JC")
    assert room.of(resolution) == {"C", "MA", "MB", "MC", "PD", "JC"}


@pytest.mark.parametrize(("version", "level"), [("11", 99), ("11", 101), ("10", 99), ("12", GREATEST)])
def test_without_power_levels_the_creator_has_level_100_or_in_version_12_the_highest(
    version: str, level: int
) -> None:
    room = Room(version)
    room.levels("P1", 3, b=level)
    room.rule("JR0", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR0")
    room.rule("JA", "invite", 100)
    room.rule("JB", "invite", 5, "P1", "MB", sender=BOB)
    resolution = room.resolve("C MA P1 MB JA", "C MA P1 MB JB")
    assert resolution.steps is not None
    order = [label for label in room.named(resolution.steps.power_order) if label in ("JA", "JB")]
    assert order == (["JB", "JA"] if level == 101 else ["JA", "JB"])


@pytest.mark.parametrize("version", LATER)
def test_the_sort_takes_the_smallest_event_whose_parents_are_sorted(version: str) -> None:
    """The levels run against the edges, so sorting from the other end would give another order."""
    room = Room(version)
    room.levels("P1", 3, b=40, c=60)
    room.rule("JR0", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR0")
    room.member("MC", CAROL, "join", 5, "P1", "JR0")
    # Alice sends w, which cites y by Bob, who has the lowest level. Carol, between them, sends z.
    room.member("z", "@v:x", "ban", 8, "P1", "MC", sender=CAROL)
    room.member("y", "@u:x", "ban", 7, "P1", "MB", sender=BOB)
    room.member("w", "@u:x", "ban", 9, "P1", "y", sender=ALICE)
    resolution = room.resolve("C MA P1 JR0 MB MC w z", "C MA P1 JR0 MB MC")
    assert resolution.steps is not None
    order = [label for label in room.named(resolution.steps.power_order) if label in "wyz"]
    assert order == ["z", "y", "w"]


@pytest.mark.parametrize("version", LATER)
def test_a_key_that_one_state_has_is_in_conflict_and_tried(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3)
    room.topic("T1", 5, "P1")
    room.put("N1", "m.room.name", 5, "P1", sender="@nobody:x")
    resolution = room.resolve("C MA P1 T1 N1", "C MA P1")
    assert room.of(resolution) == {"C", "MA", "P1", "T1"}
    assert resolution.steps is not None
    assert set(resolution.steps.conflicted) == {("m.room.topic", ""), ("m.room.name", "")}
    why = resolution.why(("m.room.name", ""))
    assert why.event_id is None
    assert why.reason == "conflicted: no event was allowed"
    assert [c.outcome for c in why.candidates] == ["refused"]


@pytest.mark.parametrize("version", LATER)
def test_the_unconflicted_state_overrides_what_was_checked(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3, x=50)
    room.rule("JR", "public", 4, "P1")
    room.member("MX1", "@x:x", "join", 5, "P1", "JR")
    room.member("MX2", "@x:x", "join", 6, "P1", "JR")
    room.topic("T", 7, "P1", "MX1", sender="@x:x")
    resolution = room.resolve("C MA P1 JR MX2 T", "C MA P1 JR MX2")
    assert room.of(resolution) == {"C", "MA", "P1", "JR", "MX2", "T"}
    assert resolution.steps is not None
    key = ("m.room.member", "@x:x")
    assert resolution.steps.restored == {key: room.id("MX1")}
    why = resolution.why(key)
    assert why.event_id == room.id("MX2")
    assert why.reason == (
        "unconflicted: every state has this event, so step 5 puts it back in place of the one the checks"
        " allowed"
    )
    (candidate,) = why.candidates
    assert (candidate.outcome, candidate.by, candidate.states) == ("restored", room.id("MX2"), ())
    text = f"{room.id('MX1')} in no state; from the auth chains: restored by {room.id('MX2')}"
    assert text in str(why)


@pytest.mark.parametrize("version", LATER)
@pytest.mark.parametrize("membership", [5, None, [], {"a": 1}, "strange"])
def test_an_unknown_membership_is_refused(version: str, membership: Any) -> None:
    room = Room(version)
    room.levels("P1", 3)
    room.rule("JR", "public", 4, "P1")
    room.member("MX", "@x:x", "join", 5, "P1", "JR")
    room.member("MZ", "@x:x", membership, 6, "P1", "JR")
    resolution = room.resolve("C MA P1 JR MX", "C MA P1 JR MZ")
    assert room.of(resolution) == {"C", "MA", "P1", "JR", "MX"}
    candidates = {room.labels[c.event_id]: c for c in resolution.why(("m.room.member", "@x:x")).candidates}
    assert candidates["MX"].outcome == "won"
    check = candidates["MZ"].check
    assert check is not None
    assert check.verdict is not None
    refuses(check.verdict, rules.MEMBER_UNKNOWN)


@pytest.mark.parametrize("rejected", [False, True])
def test_version_12_falls_back_on_an_events_own_auth_events_unless_they_are_rejected(rejected: bool) -> None:
    room = Room("12")
    room.levels("P1", 3, b=100)
    room.rule("JR0", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR0")
    room.rule("JA", "invite", 6, "P1")
    room.rule("JB", "knock", 7, "P1", "MB", sender=BOB)
    options = {"rejected": {room.id("MB")}} if rejected else {}
    resolution = room.resolve("C MA P1 MB JA", "C MA P1 MB JB", **options)
    assert room.of(resolution) == {"C", "MA", "P1", "MB", "JA" if rejected else "JB"}
    assert resolution.steps is not None
    # Only the conflicted events were checked, and the first phase began with an empty state.
    verdicts = {room.labels[c.event_id]: c.verdict for c in resolution.steps.checks}
    verdict = verdicts["JB"]
    assert verdict is not None
    assert verdict.allowed is not rejected
    assert "MB" not in verdicts


def test_version_12_does_not_fall_back_on_a_rejected_create_event() -> None:
    room = Room("12")
    room.topic("T1", 5)
    resolution = room.resolve("C MA T1", "C MA", rejected={room.id("C")})
    assert room.of(resolution) == {"C", "MA"}


def test_in_version_12_the_room_id_must_name_a_create_event() -> None:
    room = Room("12")
    topic = room.topic("T1", 5)
    allows(check_auth(topic, None, room.events), rules.OTHERWISE)
    rejected = {room.id("C")}
    refuses(check_auth(topic, None, room.events, rejected=rejected), rules.ROOM_ID_OF_CREATE)
    without = {e: event for e, event in room.events.items() if e != room.id("C")}
    with pytest.raises(MissingEvents) as caught:
        check_auth(topic, None, without)
    assert caught.value.event_ids == (room.id("C"),)
    with pytest.raises(MissingEvents) as caught:
        resolve([room.state("MA T1"), room.state("MA")], without)
    assert caught.value.event_ids == (room.id("C"),)
    other = hostile_event(
        room.version, room.id("C"), "!" + room.id("MA")[1:], "m.room.topic", ALICE, "", {}, []
    )
    refuses(check_auth(topic, None, {**without, room.id("C"): other}), rules.ROOM_ID_OF_CREATE)


@pytest.mark.parametrize("version", LATER)
def test_power_levels_with_another_state_key_are_neither_a_power_event_nor_on_the_mainline(
    version: str,
) -> None:
    room = Room(version)
    room.levels("P1", 3)
    content = room.events[room.id("P1")].content
    room.put("PF", "m.room.power_levels", 4, "P1", state_key="foo", content=content)
    room.put("T1", "m.room.topic", 10, "P1")
    room.put("T2", "m.room.topic", 5, "PF")
    resolution = room.resolve("C MA P1 PF T1", "C MA P1 T2")
    assert resolution.steps is not None
    assert "PF" not in room.named(resolution.steps.power_order)
    # In version 12 the mainline is empty, so timestamps decide. In earlier versions T2, which cites no power
    # levels of the mainline, comes first.
    mainline, order = ([], ["PF", "T2", "T1"]) if version == "12" else (["P1"], ["T2", "PF", "T1"])
    assert room.named(resolution.steps.mainline) == mainline
    assert room.named(resolution.steps.mainline_order) == order


@pytest.mark.parametrize("version", builder.versions_from(8))
def test_a_check_reads_the_authoriser_of_a_restricted_join_that_no_check_read_before(version: str) -> None:
    # When her join is checked, the checks have read everything else that it needs.
    room, joined, states = authorised_join(version)
    resolution = resolve(states, room.events, trace=True)
    assert resolution.steps is not None
    assert [check.accepted for check in resolution.steps.checks] == [True, True, True]
    assert resolution.state["m.room.member", builder.CAROL] == joined.event_id
