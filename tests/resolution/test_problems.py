"""Common disputes about state resolution: the classic problems, those that version 2.1 solves, and orders
that only one reading of the definitions gives."""

import pytest
from builder import versions_from

from roomver import rules
from roomver.resolution import Resolution, Trace

from .labelled import ALICE, BEFORE_12, BOB, CAROL, LATER, Room

DAVE = "@d:x"
EVE = "@e:x"


def steps_of(resolution: Resolution) -> Trace:
    assert resolution.steps is not None
    return resolution.steps


def refused(room: Room, resolution: Resolution) -> dict[str, rules.Rule | None]:
    """Return the labels of the events that were refused, each with the rule that refused it."""
    return {
        room.labels[check.event_id]: check.verdict.rule if check.verdict is not None else None
        for check in steps_of(resolution).checks
        if not check.accepted
    }


def ordered(room: Room, resolution: Resolution, *labels: str) -> list[str]:
    """Return these labels in the order in which their events are checked."""
    steps = steps_of(resolution)
    return [label for label in room.named([*steps.power_order, *steps.mainline_order]) if label in labels]


# The classic problems


def _room_with_moderator(version: str, level: int = 50) -> Room:
    room = Room(version)
    room.levels("P0", 3, b=level)
    room.rule("JR", "public", 4, "P0")
    room.member("MB", BOB, "join", 5, "P0", "JR")
    return room


@pytest.mark.parametrize("version", LATER)
def test_a_ban_wins_against_power_levels_that_the_banned_user_sets(version: str) -> None:
    room = _room_with_moderator(version)
    room.levels("PA", 6, "P0", b=50, c=50)
    room.levels("PB", 7, "PA", "MB", sender=BOB, b=50, d=50)
    room.member("ban", BOB, "ban", 8, "PA", "MB", sender=ALICE)
    resolution = room.resolve("C MA JR PA ban", "C MA JR PB MB")
    assert room.of(resolution) == {"C", "MA", "JR", "PA", "ban"}
    assert refused(room, resolution) == {"PB": rules.SENDER_NOT_JOINED}


@pytest.mark.parametrize("version", LATER)
def test_a_join_does_not_evade_a_join_rule_set_at_the_same_time(version: str) -> None:
    room = Room(version)
    room.levels("P", 3)
    room.rule("J0", "public", 4, "P")
    room.rule("J1", "invite", 6, "P")
    room.member("MX", "@x:x", "join", 5, "P", "J0")
    resolution = room.resolve("C MA P J1", "C MA P J0 MX")
    assert room.of(resolution) == {"C", "MA", "P", "J1"}
    assert refused(room, resolution) == {"MX": rules.JOIN_OTHERWISE}


@pytest.mark.parametrize("version", LATER)
def test_a_topic_is_undone_if_its_sender_was_banned_on_the_other_side(version: str) -> None:
    room = _room_with_moderator(version)
    room.topic("T1", 6, "P0")
    room.topic("T2", 9, "P0", "MB", sender=BOB)
    room.member("ban", BOB, "ban", 8, "P0", "MB", sender=ALICE)
    resolution = room.resolve("C MA P0 JR MB T2", "C MA P0 JR ban T1")
    assert room.of(resolution) == {"C", "MA", "P0", "JR", "ban", "T1"}


@pytest.mark.parametrize("version", LATER)
def test_of_two_changes_of_power_levels_the_more_powerful_senders_comes_first(
    version: str,
) -> None:
    room = _room_with_moderator(version, 99)
    room.levels("PA", 100, "P0", b=0)
    room.levels("PB", 6, "P0", "MB", sender=BOB, b=99, c=10)
    resolution = room.resolve("C MA JR MB PA", "C MA JR MB PB")
    assert ordered(room, resolution, "PA", "PB") == ["PA", "PB"]
    # The second change is no longer allowed.
    assert refused(room, resolution) == {"PB": rules.REQUIRED_LEVEL}
    assert room.of(resolution) == {"C", "MA", "JR", "MB", "PA"}


@pytest.mark.parametrize("version", versions_from(1))
def test_joins_at_the_same_time_all_stay(version: str) -> None:
    room = Room(version)
    room.levels("P", 3)
    room.rule("JR", "public", 4, "P")
    users = [BOB, CAROL, DAVE, EVE]
    for ts, user in enumerate(users, 5):
        room.member(f"M{user[1]}", user, "join", ts, "P", "JR")
    states = [f"C MA P JR M{user[1]}" for user in users]
    assert room.of(room.resolve(*states)) == {"C", "MA", "P", "JR", "Mb", "Mc", "Md", "Me"}


# What version 2.1 solves
# https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4297-state-resolution-v2_1.md


def _the_setter_has_left(version: str) -> tuple[Room, Resolution]:
    """All states agree that the sender of the join rules has left. One state has an old join rule."""
    room = Room(version)
    room.levels("P", 3, b=75)
    room.rule("JR1", "public", 4, "P")
    room.member("MB", BOB, "join", 5, "P", "JR1")
    room.rule("JR2", "invite", 6, "P", "JR1")
    room.member("leave", ALICE, "leave", 7, "P")
    room.topic("T1", 8, "P", "MB", sender=BOB)
    room.topic("T2", 9, "P", "MB", sender=BOB)
    return room, room.resolve("C P MB leave JR2 T1", "C P MB leave JR1 T2")


@pytest.mark.parametrize("version", BEFORE_12)
def test_conflicting_events_can_be_unauthorised_by_the_unconflicted_state_before_version_12(
    version: str,
) -> None:
    room, resolution = _the_setter_has_left(version)
    assert room.of(resolution) == {"C", "P", "MB", "leave", "T2"}, "the room has lost its join rule"
    assert refused(room, resolution) == dict.fromkeys(["JR1", "JR2"], rules.SENDER_NOT_JOINED)


def test_version_12_begins_with_an_empty_state_map() -> None:
    room, resolution = _the_setter_has_left("12")
    assert room.of(resolution) == {"C", "P", "MB", "leave", "JR2", "T2"}
    # Bob's join is between the conflicting events, so it is checked again, against the join rule that won,
    # and refused. But it is unconflicted, so it is restored at the end.
    assert refused(room, resolution) == {"MB": rules.JOIN_OTHERWISE}
    why = resolution.why(("m.room.member", BOB))
    assert why.event_id == room.id("MB")
    (candidate,) = why.candidates
    assert (candidate.states, candidate.outcome) == ((0, 1), "won")
    assert "in states 1, 2: won (refused when it was tried in phase mainline)" in str(why)


def _promotions(version: str) -> tuple[Room, Resolution]:
    """Alice promotes Bob, who promotes Carol. One state has the oldest power levels, together with a member
    event that cites the newest."""
    room = _room_with_moderator(version, 0)
    room.member("MC", CAROL, "join", 6, "P0", "JR")
    room.levels("P1", 7, "P0", b=75)
    room.levels("P2", 8, "P1", "MB", sender=BOB, b=75, c=50)
    room.member("MD", DAVE, "join", 9, "P2", "JR")
    return room, room.resolve("C MA JR MB MC MD P2", "C MA JR MB MC MD P0")


@pytest.mark.parametrize("version", BEFORE_12)
def test_conflicting_events_need_extra_unconflicted_events_before_version_12(version: str) -> None:
    room, resolution = _promotions(version)
    assert steps_of(resolution).auth_difference == frozenset(), (
        "MD is in both states, and its auth chain has all of them"
    )
    assert room.of(resolution) == {"C", "MA", "JR", "MB", "MC", "MD", "P0"}, "the oldest: the rest is lost"
    assert refused(room, resolution) == {"P2": rules.REQUIRED_LEVEL}


def test_version_12_replays_the_events_between() -> None:
    room, resolution = _promotions("12")
    assert room.of(resolution) == {"C", "MA", "JR", "MB", "MC", "MD", "P2"}
    assert {"P0", "P1", "P2"} <= set(room.named(steps_of(resolution).conflicted_subgraph))
    assert ordered(room, resolution, "P0", "P1", "P2") == ["P0", "P1", "P2"]
    assert refused(room, resolution) == {}


# Orders


@pytest.mark.parametrize("version", LATER)
def test_the_auth_difference_of_three_states_is_not_that_of_pairs(version: str) -> None:
    room = _room_with_moderator(version)
    for number in range(3):
        room.topic(f"T{number}", 10 + number, "P0")
    for number in range(2):
        room.put(f"N{number}", "m.room.name", 20 + number, "P0", "MB", sender=BOB)
    resolution = room.resolve("C MA P0 JR N0", "C MA P0 JR N1", "C MA P0 JR T0")
    # MB is in the auth chains of two states: an even number.
    assert set(room.named(steps_of(resolution).auth_difference)) == {"MB", "N0", "N1", "T0"}


@pytest.mark.parametrize("version", LATER)
def test_among_equal_levels_the_smaller_timestamp_is_first(version: str) -> None:
    room = Room(version)
    room.levels("P", 3)
    room.rule("J1", "public", 20, "P")
    room.rule("J2", "invite", 10, "P")
    resolution = room.resolve("C MA P J1", "C MA P J2")
    assert ordered(room, resolution, "J1", "J2") == ["J2", "J1"]
    assert room.of(resolution) == {"C", "MA", "P", "J1"}


@pytest.mark.parametrize("kind", ["m.room.join_rules", "m.room.topic"])
def test_among_equal_timestamps_the_smaller_event_id_is_first(kind: str) -> None:
    room = Room("2")
    # By code points: "B" < "b" < "é" < "\uffff" < "😀"; by UTF-16 units the last two trade places.
    labels = ["😀", "é", "b", "\uffff", "B"]
    for label in labels:
        room.put(label, kind, 5, content={"join_rule": "public"})
    resolution = room.resolve(*[f"C MA {label}" for label in labels])
    assert ordered(room, resolution, *labels) == ["B", "b", "é", "\uffff", "😀"]
    assert room.of(resolution) == {"C", "MA", "😀"}, "the last one that is allowed stays"


@pytest.mark.parametrize(("version", "order"), [("11", ["JB", "JC"]), ("12", ["JC", "JB"])])
def test_in_version_12_additional_creators_stand_above_all_levels(version: str, order: list[str]) -> None:
    room = Room(version)
    create = {"room_version": version, "creator": ALICE, "additional_creators": [CAROL]}
    room.put("C", "m.room.create", 1, content=create, base=())
    room.levels("P", 3, b=2**53 - 1)
    room.rule("J0", "public", 4, "P")
    room.member("MB", BOB, "join", 5, "P", "J0")
    room.member("MC", CAROL, "join", 5, "P", "J0")
    room.rule("JB", "knock", 20, "P", "MB", sender=BOB)
    room.rule("JC", "invite", 30, "P", "MC", sender=CAROL)
    resolution = room.resolve("C MA P MB MC JB", "C MA P MB MC JC")
    assert ordered(room, resolution, "JB", "JC") == order


def test_in_version_12_a_second_create_event_makes_its_sender_no_creator() -> None:
    room = Room("12")
    room.put("other", "m.room.create", 1, "MA", sender=BOB, state_key="x", content={"room_version": "12"})
    room.rule("J1", "public", 3, "other")
    room.rule("J2", "invite", 2)
    resolution = room.resolve("C MA J1", "C MA J2")
    # Its sender has no power, so events that do not cite it come first.
    assert ordered(room, resolution, "other", "J1", "J2") == ["J2", "other", "J1"]
    assert refused(room, resolution) == {"other": rules.CREATE_HAS_ROOM_ID}


@pytest.mark.parametrize("version", LATER)
def test_kicks_bans_and_unbans_are_power_events_but_leaves_are_not(version: str) -> None:
    room = _room_with_moderator(version)
    for user in (CAROL, DAVE, EVE):
        room.member(f"M{user[1]}", user, "join", 5, "P0", "JR")
    room.member("kick", CAROL, "leave", 10, "P0", "Mc", sender=ALICE)
    room.member("leave", DAVE, "leave", 11, "P0", "Md")
    room.member("ban", EVE, "ban", 12, "P0", "Me", sender=ALICE)
    room.member("unban", EVE, "leave", 13, "P0", "ban", sender=ALICE)
    room.member("invite", "@f:x", "invite", 14, "P0", "JR", sender=ALICE)
    resolution = room.resolve("C MA P0 JR MB kick leave unban invite", "C MA P0 JR MB Mc Md Me")
    steps = steps_of(resolution)
    # The conflicted auth chain of a power event is sorted with it.
    assert set(room.named(steps.power_order)) == {"Mc", "Me", "kick", "ban", "unban"}
    assert set(room.named(steps.mainline_order)) == {"Md", "leave", "invite"}


@pytest.mark.parametrize("version", BEFORE_12)
def test_an_event_takes_the_smallest_index_among_its_mainline_ancestors(version: str) -> None:
    room = Room(version)
    room.levels("P0", 2)
    room.levels("P1", 3, "P0", b=1)
    room.levels("P2", 4, "P1", b=2)
    room.levels("Q1", 5, "P0", b=3)
    room.levels("Q2", 6, "Q1", b=4)
    for label, ts, levels in (("T0", 90, "Q2"), ("T1", 80, "P1"), ("T2", 70, "P2"), ("T3", 60, "Q1")):
        room.topic(label, ts, levels)
    resolution = room.resolve(*[f"C MA P2 T{number}" for number in range(4)])
    # Q1 and Q2 are checked after the power levels that all states have, and become the mainline.
    assert room.named(steps_of(resolution).mainline) == ["Q2", "Q1", "P0"]
    assert room.named(steps_of(resolution).mainline_order) == ["T2", "T1", "T3", "T0"]


@pytest.mark.parametrize("version", LATER)
def test_only_state_events_are_checked(version: str) -> None:
    """A message can be in the full conflicted set if a state event cites it, which the rules forbid."""
    room = Room(version)
    room.put("message", "m.room.topic", 5, state_key=None)
    room.put("kick", "m.room.member", 5, state_key=None, content={"membership": "leave"})
    room.put("N1", "m.room.name", 6, "message")
    room.put("N2", "m.room.name", 7, "kick")
    resolution = room.resolve("C MA N1", "C MA N2")
    assert room.of(resolution) == {"C", "MA", "N2"}
    steps = steps_of(resolution)
    assert {"message", "kick"} <= set(room.named(steps.full_conflicted_set))
    assert steps.power_order == ()
    assert room.named(check.event_id for check in steps.checks) == ["N1", "N2"]
