"""State resolution by example: each room is one in which two readings of the specification part.

The rooms are small, written out, and the same in several room versions; their events have IDs by label.
"""

from hashlib import sha1
from random import Random
from typing import Any

import builder
import pytest
from builder import versions_from
from random_forks import hash_id, hostile_event, likely_fork

from roomver import (
    CyclicGraph,
    Event,
    MissingEvents,
    RoomGraph,
    WrongRoom,
    check_auth,
    get_room_version,
    resolve,
    resolve_steps,
    rules,
)
from roomver.resolution import NotTraced, Resolution
from roomver.versions import StateResolution

ALICE = "@a:x"
BOB = "@b:x"
CAROL = "@c:x"
GREATEST = 2**53 - 1

LATER = versions_from(2)
BEFORE_12 = versions_from(2, 11)


class Room:
    """A room of events by label; `ALICE` makes it, as C, and joins it, as MA."""

    def __init__(self, version: str) -> None:
        self.version = get_room_version(version)
        self.creators_are_above_all = version == "12"
        self.events: dict[str, Event] = {}
        self.labels: dict[str, str] = {}
        self.room_id = "!" + self.id("C")[1:] if self.creators_are_above_all else "!r:x"
        self.put("C", "m.room.create", 1, content={"room_version": version, "creator": ALICE}, base=())
        self.put("MA", "m.room.member", 2, state_key=ALICE, content={"membership": "join"}, base=("C",))

    def id(self, label: str) -> str:
        return f"${label}:x" if self.version.references_carry_hashes else hash_id(label)

    def put(  # noqa: PLR0913 - each is a part of an event
        self,
        label: str,
        kind: str,
        ts: int,
        *cited: str,
        sender: str = ALICE,
        state_key: str | None = "",
        content: dict[str, Any] | None = None,
        base: tuple[str, ...] | None = None,
        depth: int = 1,
    ) -> Event:
        """Add an event. It cites C, in version 12 by its room ID, and MA if it is by alice."""
        if base is None:
            base = ("C", "MA") if sender == ALICE else ("C",)
        auth = [self.id(one) for one in (*base, *cited) if one != "C" or not self.creators_are_above_all]
        event = hostile_event(
            self.version,
            self.id(label),
            self.room_id,
            kind,
            sender,
            state_key,
            {} if content is None else content,
            auth,
            # A creator's first join is one that follows the create event alone.
            prev=(self.id("C"),) if label == "MA" else (),
            timestamp=ts,
            depth=depth,
        )
        self.events[event.event_id] = event
        self.labels[event.event_id] = label
        return event

    def levels(self, label: str, ts: int, *cited: str, sender: str = ALICE, **users: int) -> Event:
        """Add power levels; up to version 11 they name alice, whom version 12 must not name."""
        content: dict[str, Any] = {"users": {f"@{name}:x": level for name, level in users.items()}}
        if not self.creators_are_above_all:
            content["users"] = {ALICE: 100, **content["users"]}
        return self.put(label, "m.room.power_levels", ts, *cited, sender=sender, content=content)

    def rule(self, label: str, rule: str, ts: int, *cited: str, sender: str = ALICE, depth: int = 1) -> Event:
        content = {"join_rule": rule}
        return self.put(label, "m.room.join_rules", ts, *cited, sender=sender, content=content, depth=depth)

    def member(
        self,
        label: str,
        user: str,
        membership: Any,
        ts: int,
        *cited: str,
        sender: str | None = None,
        depth: int = 1,
    ) -> Event:
        content = {"membership": membership}
        by = user if sender is None else sender
        return self.put(
            label, "m.room.member", ts, *cited, sender=by, state_key=user, content=content, depth=depth
        )

    def topic(self, label: str, ts: int, *cited: str, sender: str = ALICE, depth: int = 1) -> Event:
        return self.put(label, "m.room.topic", ts, *cited, sender=sender, depth=depth)

    def state(self, labels: str) -> dict[tuple[str, str], str]:
        state = {}
        for label in labels.split():
            event = self.events[self.id(label)]
            assert event.state_key is not None
            state[event.type, event.state_key] = event.event_id
        return state

    def resolve(self, *states: str, **options: Any) -> Resolution:
        """Resolve states of labels, with a graph, without one, and in the other order: all the same."""
        sets = [self.state(labels) for labels in states]
        resolution = resolve(sets, self.events, trace=True, **options)
        if "graph" not in options:
            graph = RoomGraph(self.events.values())
            assert resolve(sets, self.events, graph=graph, trace=True, **options) == resolution
        assert resolve(sets[::-1], self.events, **options).state == resolution.state
        return resolution

    def of(self, resolution: Resolution) -> set[str]:
        """The labels of a resolved state."""
        return set(self.named(resolution.state.values()))

    def named(self, event_ids: Any) -> list[str]:
        return [self.labels[event_id] for event_id in event_ids]


# The graphs in which servers and readings part


@pytest.mark.parametrize("version", LATER)
def test_the_auth_chain_of_a_state_has_its_own_events(version: str) -> None:
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
    # JR2 is in one auth chain as an auth event, and in both as an event of the state.
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
def test_an_event_without_power_levels_comes_before_those_on_the_oldest(version: str) -> None:
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
def test_power_events_are_followed_through_the_full_conflicted_set_alone(version: str) -> None:
    room, resolution = _through_an_unconflicted_event(version)
    assert room.of(resolution) == {"C", "MA", "PL2", "JR2", "MB1"}
    assert resolution.steps is not None
    assert "MB1" not in room.named(resolution.steps.power_order)


def test_version_12_replays_what_is_between_conflicted_events() -> None:
    room, resolution = _through_an_unconflicted_event("12")
    assert room.of(resolution) == {"C", "MA", "PL2", "JR2", "MB2"}
    assert resolution.steps is not None
    assert "PL2" in room.named(resolution.steps.conflicted_subgraph)
    assert "PL2" not in room.named(resolution.steps.auth_difference)
    assert "PL2" in room.named(check.event_id for check in resolution.steps.checks)


@pytest.mark.parametrize("version", LATER)
def test_who_is_below_is_applied_later_and_so_wins(version: str) -> None:
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


# Version 1


def _room_1() -> Room:
    room = Room("1")
    room.levels("P1", 3, m=50)
    room.rule("JR0", "public", 4, "P1")
    return room


@pytest.mark.parametrize("states", [("C MA P1 T1", "C MA P1"), ("C MA P1", "C MA P1 T1")])
def test_version_1_keeps_what_only_one_state_has(states: tuple[str, str]) -> None:
    room = _room_1()
    room.topic("T1", 5, "P1", sender="@nobody:x")
    resolution = room.resolve(*states)
    assert room.of(resolution) == {"C", "MA", "P1", "T1"}
    assert str(resolution.why(("m.room.topic", ""))) == (
        "m.room.topic '': $T1:x\n  unconflicted: no state has another"
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
    assert why.reason == ("conflicted: the first event is taken, then each allowed one until one is refused")
    # Without the one that fails the last is reached.
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
            # Join rules: the higher digest is first, and the lower is tried on it. Topics: the lower
            # digest is tried first, and the first that is allowed stays.
            assert room.of(resolution) == {"C", "MA", "P1", high if able == high else low}


def test_version_1_resolves_each_member_alone_and_none_sees_another_of_the_pass() -> None:
    room = _room_1()
    room.member("MM1", "@m:x", "join", 5, "P1", "JR0", depth=1)
    room.member("MM2", "@m:x", "join", 6, "P1", "JR0", depth=2)
    room.member("MU1", "@u:x", "join", 7, "P1", "JR0", depth=1)
    room.member("BU", "@u:x", "ban", 8, "P1", "MM1", sender="@m:x", depth=2)
    resolution = room.resolve("C MA P1 JR0 MM1 MU1", "C MA P1 JR0 MM2 BU")
    # The ban is by one whose own membership is in conflict until the end of the pass.
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
    # By P1 the second topic would not be allowed.
    assert room.of(resolution) == {"C", "MA", "P2", "JR0", "MM", "T2"}
    assert resolution.why(("m.room.topic", "")).reason == "conflicted: the first event that was allowed stays"


def test_version_1_takes_the_last_of_the_rest_if_none_is_allowed() -> None:
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


# Versions 2 to 12


@pytest.mark.parametrize("version", LATER)
def test_power_levels_are_ordered_by_the_level_of_their_sender_before_them(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3, b=60, c=55)
    room.rule("JR0", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR0")
    room.member("MC", CAROL, "join", 5, "P1", "JR0")
    # Bob demotes himself, later than carol does something.
    room.levels("PD", 20, "P1", "MB", sender=BOB, b=0, c=55)
    room.rule("JC", "invite", 10, "P1", "MC", sender=CAROL)
    resolution = room.resolve("C MA MB MC PD JR0", "C MA MB MC P1 JC")
    assert resolution.steps is not None
    order = room.named(resolution.steps.power_order)
    assert order.index("P1") < order.index("PD") < order.index("JC")
    assert room.of(resolution) == {"C", "MA", "MB", "MC", "PD", "JC"}


@pytest.mark.parametrize(("version", "level"), [("11", 99), ("11", 101), ("10", 99), ("12", GREATEST)])
def test_without_power_levels_the_creator_has_100_and_in_version_12_more_than_any(
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
def test_at_each_step_the_smallest_of_what_can_be_taken(version: str) -> None:
    """Levels low to high go against the edges: sorted from the other end the order would be another."""
    room = Room(version)
    room.levels("P1", 3, b=40, c=60)
    room.rule("JR0", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR0")
    room.member("MC", CAROL, "join", 5, "P1", "JR0")
    # w is by alice and cites y, which is by the lowest; z stands alone, in the middle.
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
def test_what_every_state_has_has_the_last_word(version: str) -> None:
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
    assert why.reason == "unconflicted: every state has it, so it replaces the event that was allowed"
    (candidate,) = why.candidates
    assert (candidate.outcome, candidate.by, candidate.states) == ("restored", room.id("MX2"), ())
    text = f"{room.id('MX1')} in no state, but among the auth events: restored by {room.id('MX2')}"
    assert text in str(why)


@pytest.mark.parametrize("version", LATER)
@pytest.mark.parametrize("membership", [5, None, [], {"a": 1}, "strange"])
def test_a_membership_that_is_none_is_passed_over(version: str, membership: Any) -> None:
    room = Room(version)
    room.levels("P1", 3)
    room.rule("JR", "public", 4, "P1")
    room.member("MX", "@x:x", "join", 5, "P1", "JR")
    room.member("MZ", "@x:x", membership, 6, "P1", "JR")
    resolution = room.resolve("C MA P1 JR MX", "C MA P1 JR MZ")
    assert room.of(resolution) == {"C", "MA", "P1", "JR", "MX"}


@pytest.mark.parametrize("rejected", [False, True])
def test_version_12_falls_back_on_the_events_own_auth_events_unless_rejected(rejected: bool) -> None:
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
    # Nothing but the conflicted events was replayed, and the first phase began with nothing.
    verdicts = {room.labels[c.event_id]: c.verdict for c in resolution.steps.checks}
    verdict = verdicts["JB"]
    assert verdict is not None
    assert verdict.allowed is not rejected
    assert "MB" not in verdicts


def test_in_version_12_a_rejected_create_event_is_not_fallen_back_on() -> None:
    room = Room("12")
    room.topic("T1", 5)
    resolution = room.resolve("C MA T1", "C MA", rejected={room.id("C")})
    assert room.of(resolution) == {"C", "MA"}


def test_in_version_12_the_room_id_must_name_a_create_event() -> None:
    room = Room("12")
    topic = room.topic("T1", 5)
    assert check_auth(topic, None, room.events).allowed
    assert not check_auth(topic, None, room.events, rejected={room.id("C")}).allowed
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
    refused = check_auth(topic, None, {**without, room.id("C"): other})
    assert not refused.allowed


@pytest.mark.parametrize("version", LATER)
def test_power_levels_of_another_state_key_are_no_power_event_and_on_no_mainline(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3)
    content = room.events[room.id("P1")].content
    room.put("PF", "m.room.power_levels", 4, "P1", state_key="foo", content=content)
    room.put("T1", "m.room.topic", 10, "P1")
    room.put("T2", "m.room.topic", 5, "PF")
    resolution = room.resolve("C MA P1 PF T1", "C MA P1 T2")
    assert resolution.steps is not None
    assert "PF" not in room.named(resolution.steps.power_order)
    assert "PF" in room.named(resolution.steps.mainline_order)
    assert "PF" not in room.named(resolution.steps.mainline)
    if version != "12":
        # T2 rests on no power levels of the mainline, and comes before all others.
        assert room.named(resolution.steps.mainline_order) == ["T2", "PF", "T1"]


@pytest.mark.parametrize("version", LATER)
def test_a_rejected_event_in_a_state_is_tried_again_or_left_out(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3)
    room.topic("T1", 5, "P1")
    room.topic("T2", 6, "P1")
    states = ("C MA P1 T1", "C MA P1 T2")
    rejected = {room.id("T2")}
    assert room.of(room.resolve(*states, rejected=rejected)) == {"C", "MA", "P1", "T2"}
    resolution = room.resolve(*states, rejected=rejected, skip_rejected=True)
    assert room.of(resolution) == {"C", "MA", "P1", "T1"}
    outcomes = {room.labels[c.event_id]: c.outcome for c in resolution.why(("m.room.topic", "")).candidates}
    assert outcomes == {"T1": "won", "T2": "not tried"}


def test_a_rejected_event_that_every_state_has_does_not_count_if_left_out() -> None:
    room = Room("11")
    room.levels("P1", 3, b=50)
    room.rule("JR", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR")
    room.member("BB", BOB, "ban", 6, "P1", "JR", sender=ALICE)
    room.topic("T1", 7, "P1", "MB", sender=BOB)
    states = ("C MA P1 JR BB T1", "C MA P1 JR BB")
    rejected = {room.id("BB")}
    assert "T1" not in room.of(room.resolve(*states, rejected=rejected))
    assert "T1" in room.of(room.resolve(*states, rejected=rejected, skip_rejected=True))


# Trivial ones


class _Untouched:
    """What nothing may be asked of."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


@pytest.mark.parametrize("version", versions_from(1))
def test_one_state_and_equal_states_are_the_answer(version: str) -> None:
    room = Room(version)
    state = room.state("C MA")
    for states in ([state], [state, state], [state, dict(state), dict(reversed(state.items()))]):
        # Neither events nor a graph are looked at.
        resolution = resolve(states, _Untouched(), graph=_Untouched(), trace=True)  # type: ignore[arg-type]
        assert resolution.state == state
        assert resolution.state is not state
        assert resolution.steps is not None
        assert resolution.steps.unconflicted == state
        assert resolution.why(("m.room.create", "")).reason == "unconflicted: every state has it"
        assert resolution.why(("x", "")).reason == "no state has it"
    resolution = resolve([state], {}, algorithm=StateResolution.V1, trace=True)
    assert resolution.why(("m.room.create", "")).reason == "unconflicted: no state has another"


def test_no_states_and_empty_states_are_empty() -> None:
    assert resolve([], {}).state == {}
    assert resolve([{}], {}).state == {}
    assert resolve([{}, {}], {}).state == {}
    traced = resolve([], {}, trace=True)
    assert traced.steps is not None
    assert traced.steps.checks == []


@pytest.mark.parametrize("version", LATER)
def test_a_state_against_an_empty_one_is_all_in_conflict(version: str) -> None:
    room = Room(version)
    room.rule("JR", "public", 4)
    resolution = resolve([room.state("C MA JR"), {}], room.events)
    assert room.of(resolution) == {"C", "MA", "JR"}


# Reasons


def test_reasons_are_not_kept_unless_asked_for() -> None:
    resolution = resolve([{}], {})
    assert resolution.steps is None
    with pytest.raises(NotTraced) as caught:
        resolution.why(("m.room.topic", ""))
    assert str(caught.value) == "the resolution was not traced: run it with trace=True"


def test_reasons_say_who_was_tried_refused_and_overwritten() -> None:
    room = Room("11")
    room.levels("P1", 3)
    room.topic("T1", 5, "P1")
    room.topic("T2", 6, "P1")
    room.topic("T3", 7, "P1", sender="@nobody:x")
    resolution = room.resolve("C MA P1 T1", "C MA P1 T2", "C MA P1 T3", "C MA P1 T3")
    why = resolution.why(("m.room.topic", ""))
    assert why.event_id == room.id("T2")
    assert why.reason == "conflicted: of the events that were allowed, the one tried last stays"
    first, second, third = why.candidates
    assert (first.event_id, first.states, first.outcome, first.by) == (
        room.id("T1"),
        (0,),
        "overwritten",
        room.id("T2"),
    )
    assert (second.event_id, second.states, second.outcome, second.by) == (room.id("T2"), (1,), "won", None)
    assert (third.event_id, third.states, third.outcome) == (room.id("T3"), (2, 3), "refused")
    assert third.check is not None
    assert third.check.verdict is not None
    assert third.check.verdict.rule == rules.SENDER_NOT_JOINED
    lines = str(why).split("\n")
    assert lines[0] == f"m.room.topic '': {room.id('T2')}"
    assert lines[1] == f"  {why.reason}"
    prefix = f"  1. {room.id('T1')} in state 1: overwritten by {room.id('T2')} (tried in phase mainline) - "
    assert lines[2] == prefix + str(first.check.verdict if first.check else None)
    assert lines[4].startswith(f"  3. {room.id('T3')} in state 3, 4: refused (tried in phase mainline) - ")
    listed = why.to_dict()
    assert listed["event_id"] == room.id("T2")
    assert listed["candidates"] == [
        {
            "event_id": candidate.event_id,
            "states": list(candidate.states),
            "outcome": candidate.outcome,
            "by": candidate.by,
            "phase": "mainline",
            "verdict": verdict.to_dict(),
        }
        for candidate in why.candidates
        if candidate.check is not None and (verdict := candidate.check.verdict) is not None
    ]


def test_reasons_for_a_key_that_no_state_has() -> None:
    room = Room("11")
    room.levels("P1", 3, b=50, c=50)
    room.rule("JR", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR")
    room.member("MC", CAROL, "join", 5, "P1")  # by one state's auth events no join was open
    room.topic("T1", 7, "P1", "MB", sender=BOB)
    room.put("N1", "m.room.name", 8, "P1", "MC", sender=CAROL)
    # A state that lacks the members that what it holds rests on.
    resolution = room.resolve("C MA P1 T1 N1", "C MA P1")
    came = resolution.why(("m.room.member", BOB))
    assert came.event_id == room.id("MB")
    assert came.reason == ("no state has it, but an event from the auth chains was tried and allowed")
    # Of one that is refused nothing is left.
    room.rule("JR2", "invite", 4, "P1")
    room.member("MD", "@dave:x", "join", 6, "P1")
    room.put("N2", "m.room.name", 9, "P1", "MD", sender="@dave:x")
    kept_out = room.resolve("C MA P1 JR2 N2", "C MA P1 JR2").why(("m.room.member", "@dave:x"))
    assert kept_out.event_id is None
    assert kept_out.reason == "no state has it, and every event tried was refused"


# What is missing, or of another room


@pytest.mark.parametrize("version", versions_from(1))
def test_all_conflicted_events_that_are_missing_are_named(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3)
    for label in ("T1", "T2", "T3"):
        room.topic(label, 5, "P1")
    states = [room.state(f"C MA P1 {label}") for label in ("T1", "T2", "T3")]
    few = {e: event for e, event in room.events.items() if e not in (room.id("T1"), room.id("T3"))}
    with pytest.raises(MissingEvents) as caught:
        resolve(states, few)
    assert caught.value.event_ids == tuple(sorted([room.id("T1"), room.id("T3")]))
    assert room.id("T2") in resolve(states, few, ignore_missing=True).state.values()


@pytest.mark.parametrize("version", LATER)
def test_with_nothing_known_only_what_is_agreed_on_is_left(version: str) -> None:
    room = Room(version)
    room.topic("T1", 5)
    room.topic("T2", 6)
    states = [room.state("C MA T1"), room.state("C MA T2")]
    assert room.of(resolve(states, {}, ignore_missing=True)) == {"C", "MA"}


@pytest.mark.parametrize("version", LATER)
def test_missing_power_levels_end_the_mainline_if_passed_over(version: str) -> None:
    room = Room(version)
    room.levels("P0", 3)
    room.levels("P1", 4, "P0")
    room.topic("T1", 5, "P1")
    room.topic("T2", 6, "P0")
    states = [room.state("C MA P1 T1"), room.state("C MA P1 T2")]
    for gone in ({"P0"}, {"P0", "P1"}, {"P1"}):
        few = {e: event for e, event in room.events.items() if room.labels[e] not in gone}
        with pytest.raises(MissingEvents):
            resolve(states, few)
        resolution = resolve(states, few, ignore_missing=True, auth_difference=(), trace=True)
        assert resolution.steps is not None
        expected = [] if version == "12" or "P1" in gone else ["P1"]
        assert room.named(resolution.steps.mainline) == expected


def test_events_of_another_room_or_version_are_refused() -> None:
    one, other = Room("11"), Room("11")
    other.room_id = "!other:x"
    one.topic("T1", 5)
    other.topic("T2", 5)
    states = [one.state("C MA T1"), {**one.state("C MA"), **other.state("T2")}]
    with pytest.raises(WrongRoom, match=r"is of room !.*, version 11; others are of room !"):
        resolve(states, {**other.events, **one.events})
    third = Room("10")
    third.topic("T3", 5)
    states[1] = {**one.state("C MA"), **third.state("T3")}
    with pytest.raises(WrongRoom, match="version 10"):
        resolve(states, {**third.events, **one.events})


def test_a_create_event_of_another_room_in_an_auth_chain_is_refused() -> None:
    room = Room("11")
    room.levels("P1", 3)
    event = hostile_event(room.version, room.id("JX"), "!other:x", "m.room.join_rules", ALICE, "", {}, [])
    room.events[event.event_id] = event
    room.topic("T1", 5, "P1", "JX")
    with pytest.raises(WrongRoom, match="!other:x"):
        resolve([room.state("C MA P1 T1"), room.state("C MA P1")], room.events)


def test_events_that_cite_each_other_are_named() -> None:
    room = Room("2")
    room.topic("T1", 5, "T2")
    room.topic("T2", 5, "T1")
    with pytest.raises(CyclicGraph) as caught:
        resolve([room.state("C MA T1"), room.state("C MA T2")], room.events)
    assert caught.value.event_ids == ("$T1:x", "$T2:x")


# Length


@pytest.mark.parametrize("version", ["11", "12"])
def test_a_long_chain_of_power_levels_is_no_recursion(version: str) -> None:
    length = 5_000
    room = Room(version)
    room.levels("P0", 3)
    for number in range(1, length):
        room.levels(f"P{number}", 3 + number, f"P{number - 1}")
    room.topic("T1", 5, "P0")
    room.topic("T2", 6, f"P{length - 1}")
    first, last = room.state("C MA P0 T1"), room.state(f"C MA P{length - 1} T2")
    resolution = resolve([first, last], room.events, trace=True)
    assert resolution.state == {**first, **last}
    assert resolution.steps is not None
    assert len(resolution.steps.mainline) == length
    # And as the mainline of an event alone.
    again = resolve([{**last, **room.state("T1")}, last], room.events)
    assert again.state[("m.room.topic", "")] == room.id("T2")


# Other algorithms, and the generator


def test_the_algorithm_can_be_chosen() -> None:
    room = Room("11")
    room.levels("P1", 3)
    room.levels("P2", 4, "P1")
    room.topic("Ta", 100, "P1")
    room.topic("Tb", 50, "P2")
    states = ("C MA P2 Ta", "C MA P2 Tb")
    assert "Tb" in room.of(room.resolve(*states))
    assert "Ta" in room.of(room.resolve(*states, algorithm=StateResolution.V2_1))
    resolution = room.resolve(*states, algorithm=StateResolution.V1)
    assert resolution.steps is not None
    assert resolution.steps.algorithm is StateResolution.V1


def test_a_generator_that_needs_nothing_ends_at_once() -> None:
    with pytest.raises(StopIteration) as done:
        next(resolve_steps([]))
    assert done.value.value == Resolution({})


@pytest.mark.parametrize("version", ["1", "11", "12"])
def test_an_algorithm_by_its_value_and_no_other_text(version: str) -> None:
    fork = likely_fork(Random("3"), version)
    for algorithm in StateResolution:
        by_value = resolve(fork.state_sets, fork.events, algorithm=algorithm.value, trace=True)
        assert by_value == resolve(fork.state_sets, fork.events, algorithm=algorithm, trace=True)
        assert by_value.steps is not None
        assert by_value.steps.algorithm is algorithm
    for wrong in ("v9", "", 5):
        with pytest.raises(ValueError, match="is not a valid StateResolution"):
            resolve(fork.state_sets, fork.events, algorithm=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", versions_from(8))
def test_version_1_looks_at_the_authoriser_of_a_restricted_join(version: str) -> None:
    room = builder.Room(version, signed=False)
    room.join(builder.ALICE)
    room.power({"users": {builder.BOB: 100} if version == "12" else {builder.ALICE: 100, builder.BOB: 100}})
    room.join_rule("public")
    room.join(builder.BOB)
    room.join_rule("restricted")
    before = dict(room.state)
    states = []
    # Carol was invited and left; on another branch she joined by Bob's leave, later.
    room.member(builder.CAROL, "invite", by=builder.ALICE)
    room.member(builder.CAROL, "leave", depth=5)
    states.append({key: event.event_id for key, event in room.state.items()})
    room.state = before
    joined = room.member(
        builder.CAROL, "join", more={"join_authorised_via_users_server": builder.BOB}, depth=9
    )
    states.append({key: event.event_id for key, event in room.state.items()})
    resolution = resolve(states, room.events, algorithm=StateResolution.V1, trace=True)
    why = resolution.why(("m.room.member", builder.CAROL))
    assert why.event_id == joined.event_id
    assert "restricted.allowed" in str(why)


def test_version_1_looks_at_the_third_party_invite_of_an_invite() -> None:
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
    # It is refused for its signature, which is not there, and not for want of the third party's event.
    assert invite.check.verdict is not None
    assert invite.check.verdict.rule is rules.INVITE_THIRD_PARTY_OTHERWISE


@pytest.mark.parametrize("version", ["1", "2", "11", "12"])
def test_rejected_events_are_tried_again_or_left_out(version: str) -> None:
    room = Room(version)
    room.topic("T1", 5)
    room.topic("T2", 6)
    states = [room.state("C MA T1"), room.state("C MA T2")]
    rejected = {room.id("T2")}
    tried = resolve(states, room.events, rejected=rejected, trace=True)
    assert room.of(tried) == {"C", "MA", "T2"}
    left_out = resolve(states, room.events, rejected=rejected, skip_rejected=True, trace=True)
    assert room.of(left_out) == {"C", "MA", "T1"}
    why = left_out.why(("m.room.topic", ""))
    assert {c.event_id: c.outcome for c in why.candidates} == {
        room.id("T1"): "won",
        room.id("T2"): "not tried",
    }


def test_version_1_keeps_an_unknown_event_that_no_state_contradicts() -> None:
    room = Room("1")
    room.topic("T1", 5)
    room.topic("T2", 6)
    unknown = ("x.y", "")
    agreed = room.state("C MA")
    # Whatever else is in conflict.
    for one, other in ((agreed, agreed), (room.state("C MA T1"), room.state("C MA T2"))):
        resolution = resolve([{**one, unknown: "$nobody:x"}, other], room.events, ignore_missing=True)
        assert resolution.state[unknown] == "$nobody:x"
