"""Cases of ``resolve``: state resolution by the algorithms of version 2 (versions 2 to 11) and 2.1 (12).

What is expected is reasoned from the definitions, and the notes give the reason. Versions share an
algorithm, but not the form of events and IDs, so every scene is there in every version that it applies to.
"""

from collections.abc import Iterator
from typing import Any

from .auth_cases import EventsFile
from .constants import AUTHORISER, JOIN_RULES, MAX_INTEGER, MEMBER, NAME, POWER_LEVELS
from .resolution_corners import cases as cases_of_corners
from .resolution_v1 import cases as cases_of_version_1
from .rooms import ALICE, BOB, CAROL
from .scenes import DAVE, EVE, Scene, with_bob
from .suite import ERROR, File, either, page
from .versions import since


class Scenes:
    """The book of one file: each scene becomes a case.

    Args:
        file: where cases go.
        disputed: where cases go that accept several outcomes.
    """

    def __init__(self, file: File, disputed: File | None = None) -> None:
        self.file = file
        self.disputed_file = disputed

    def case(  # what a case has, by keyword
        self,
        name: str,
        scene: Scene,
        sets: list[str],
        notes: str,
        rejected: str = "",
        as_written: bool = False,
        **outcome: str,
    ) -> None:
        """Add a case; the outcome is in labels."""
        given = scene.given(sets, rejected, as_written)
        self._add(self.file, name, scene.version, given, scene.expected(outcome), notes)

    def disputed(
        self,
        name: str,
        scene: Scene,
        sets: list[str],
        notes: str,
        *outcomes: tuple[dict[str, str] | None, str],
        rejected: str = "",
    ) -> None:
        """Add a case that accepts several outcomes, each in labels (None: an error) and with who gives it."""
        assert self.disputed_file is not None
        accepted = [(ERROR if one is None else scene.expected(one), reason) for one, reason in outcomes]
        given = scene.given(sets, rejected)
        self._add(self.disputed_file, name, scene.version, given, either(*accepted), notes)

    @staticmethod
    def _add(file: File, name: str, version: str, given: Any, expected: Any, notes: str) -> None:
        spec = page(version, "state-resolution")
        file.add(f"resolve.{name}", version, given, expected, spec=spec, notes=notes)


def files() -> Iterator[File]:
    """Yield the vector files."""
    first = EventsFile("resolution/version_1.json", "State resolution of room version 1")
    disputed = EventsFile("disputed/resolution.json", "State resolution on which readings differ")
    cases_of_version_1(Scenes(first, disputed))
    yield first
    readings = EventsFile(
        "resolution/readings.json", "State resolution where readings of the definitions part"
    )
    classics = EventsFile("resolution/classics.json", "State resolution: what people quarrel about")
    shapes = EventsFile(
        "resolution/shapes.json", "State resolution: sets, holes, ties, rejected events, chains"
    )
    for version in since("2"):
        _readings(Scenes(readings, disputed), version)
        _power_events(Scenes(readings, disputed), version)
        _classics(Scenes(classics), version)
        _shapes(Scenes(shapes, disputed), version)
    corners = EventsFile("resolution/corners.json", "State resolution: what one step alone decides")
    cases_of_corners(Scenes(corners, disputed))
    yield from (readings, classics, shapes, corners, disputed)


def _readings(book: Scenes, version: str) -> None:
    newest = version == "12"

    scene = Scene(version)
    scene.levels("P1", 3)
    scene.rule("JR1", "public", 4, "P1")
    scene.member("MX", DAVE, "join", 5, "P1", "JR1")
    scene.rule("JR2", "invite", 6, "P1")
    scene.member("IY", EVE, "invite", 7, "P1", "JR2", sender=ALICE)
    scene.member("MY", EVE, "join", 8, "P1", "JR2", "IY")
    book.disputed(
        "chains_with_their_states",
        scene,
        ["C MA P1 JR2 MY", "C MA P1 JR2 MX"],
        "JR2 is in both states, and an auth event of one of them only. Does the auth chain of a state take in"
        " the state's own events?",
        (
            {
                "state": "C MA P1 JR2 MX MY",
                "conflicted": "MX MY",
                "auth_difference": "MX MY JR1 IY",
            },
            "It does: JR2 is in both chains, and not replayed. Synapse",
        ),
        (
            {"state": "C MA P1 JR2 MY", "conflicted": "MX MY"},
            "It does not, by the letter of the definition of auth chains: JR2 is in one chain alone, is"
            " replayed after JR1, and MX is refused",
        ),
    )

    scene = Scene(version)
    scene.levels("P1", 3)
    scene.levels("P2", 4, "P1")
    scene.topic("Ta", 100, "P1")
    scene.topic("Tb", 50, "P2")
    notes = (
        "The first auth checks begin with no state, and no power levels are replayed: the mainline is empty,"
        " and the topics are ordered by time alone."
        if newest
        else "The mainline begins with P2, which all states have: Tb rests on it, and comes after Ta."
    )
    order = "Tb Ta" if newest else "Ta Tb"
    book.case(
        "mainline.of_the_partial_state",
        scene,
        ["C MA P2 Ta", "C MA P2 Tb"],
        notes,
        state="C MA P2 Ta" if newest else "C MA P2 Tb",
        power_order="",
        mainline_order=order,
    )

    scene = Scene(version)
    scene.topic("T0", 1000)
    scene.levels("P1", 3)
    scene.topic("T1", 10, "P1")
    notes = (
        "The mainline is empty, and time decides."
        if newest
        else "T0 rests on no power levels: it comes before T1, which rests on the oldest, and not beside it."
    )
    book.case(
        "mainline.without_power_levels",
        scene,
        ["C MA P1 T0", "C MA P1 T1"],
        notes,
        state="C MA P1 T0" if newest else "C MA P1 T1",
        mainline_order="T1 T0" if newest else "T0 T1",
    )

    scene = Scene(version)
    scene.levels("PL1", 3, b=60)
    scene.rule("JR1", "public", 4, "PL1")
    scene.member("MB1", BOB, "join", 50, "PL1", "JR1")
    scene.member("MB2", BOB, "join", 10, "PL1", "JR1", "MB1", displayname="Bob")
    scene.levels("PL2", 60, "PL1", "MB1", sender=BOB, b=60)
    scene.rule("JR2", "public", 70, "PL2")
    name, sets = "chain_through_the_unconflicted", ["C MA PL2 JR2 MB2", "C MA PL2 JR1 MB1"]
    if newest:
        book.case(
            name,
            scene,
            sets,
            "PL2 lies between JR2 and MB1, and is in the conflicted subgraph: so MB1 is in the chain of a"
            " power event, is tried with it, and MB2 comes later.",
            state="C MA PL2 JR2 MB2",
        )
    else:
        book.disputed(
            name,
            scene,
            sets,
            "The auth chain of the power event JR2 leads to MB1 through PL2 only, which all states have.",
            (
                {"state": "C MA PL2 JR2 MB1"},
                "A chain is followed within the full conflicted set: both joins are ordinary, and MB1, the"
                " later by time, stays. Synapse, ruma",
            ),
            (
                {"state": "C MA PL2 JR2 MB2"},
                "A chain is followed wherever it leads, by the letter of the text: MB1 is tried with JR2, and"
                " MB2 comes later",
            ),
        )

    scene = Scene(version)
    scene.levels("P1", 3, b=MAX_INTEGER if newest else 50)
    scene.rule("JR0", "public", 4, "P1")
    scene.member("MB", BOB, "join", 5, "P1", "JR0")
    scene.rule("JA", "invite", 500, "P1")
    scene.rule("JB", "knock" if int(version) >= 7 else "private", 6, "P1", "MB", sender=BOB)
    book.case(
        "greater_power_comes_first",
        scene,
        ["C MA P1 MB JA", "C MA P1 MB JB"],
        "Who has more power is tried first, whatever the time, and who is tried last stays."
        + (" A creator is above the greatest integer." if newest else ""),
        state="C MA P1 MB JB",
        power_order="JA JB",
    )


def _power_events(book: Scenes, version: str) -> None:
    newest = version == "12"

    scene = with_bob(version)
    scene.put("P0x", POWER_LEVELS, scene.room.levels({BOB: 50, CAROL: 10}, state_default=10), 6, "P0", "MA")
    scene.member("MC", CAROL, "join", 7, "P0x", "JR")
    scene.member("z", EVE, "ban", 8, "P0x", "MB", sender=BOB)
    lower = scene.room.levels({BOB: 50, CAROL: 10}, state_default=10, events={NAME: 10})
    scene.put("y", POWER_LEVELS, lower, 9, "P0x", "MC", sender=CAROL)
    scene.rule("x", "invite", 10, "y")
    book.case(
        "order.forward",
        scene,
        ["C MA P0x JR MB MC z", "C MA y x MB MC"],
        "Of the events whose chain has been taken, the most powerful is next: z (50) before y (10), and x"
        " (100) only after y, on which it rests. "
        + (
            "The joins of Bob (50) and Carol (10) lie between conflicted events and are ordered with them."
            if newest
            else "Ordered from the other end, x would come before z."
        ),
        state="C MA y x MB MC z",
        power_order="JR P0x MB z MC y x" if newest else "JR P0x z y x",
    )

    scene = with_bob(version)
    scene.put("PF", POWER_LEVELS, scene.room.levels({BOB: 50}), 6, "P0", "MA", state_key="foo")
    scene.topic("T1", 7, "P0")
    book.case(
        "power_levels_of_another_key",
        scene,
        ["C MA P0 JR MB PF", "C MA P0 JR MB T1"],
        "Power levels under another state key than the empty one are no power event.",
        state="C MA P0 JR MB PF T1",
        power_order="",
    )

    scene = Scene(version)
    scene.levels("P0", 3, b=60, c=55)
    scene.rule("JR", "public", 4, "P0")
    scene.member("MB", BOB, "join", 5, "P0", "JR")
    scene.member("MC", CAROL, "join", 6, "P0", "JR")
    scene.rule("JC", "invite", 10, "P0", "MC", sender=CAROL)
    scene.levels("PB", 20, "P0", "MB", sender=BOB, c=55)
    book.case(
        "order.by_the_level_before",
        scene,
        ["C MA P0 JC MB MC", "C MA PB JR MB MC"],
        "Bob gives up his power. His event is ordered by the level that he had (60), before Carol's (55).",
        state="C MA PB JC MB MC",
        power_order="P0 JR MB PB MC JC" if newest else "P0 JR PB JC",
    )

    scene = Scene(version)
    scene.rule("JR", "public", 3)
    scene.member("MB", BOB, "join", 4, "JR")
    scene.rule("JA", "invite", 500)
    scene.rule("JB", "private", 6, "MB", sender=BOB)
    book.case(
        "order.without_power_levels",
        scene,
        ["C MA MB JA", "C MA MB JB"],
        "Without power levels the creator has "
        + ("infinite power" if newest else "100")
        + " and everyone else none: JA is tried first, whatever the time, and JB is refused.",
        state="C MA MB JA",
        power_order="JA JB",
    )

    scene = with_bob(version)
    scene.rule("JA", "invite", 6, "P0")
    scene.rule("JB", "private", 7, "P0", "MB", sender=BOB)
    sets = ["C MA P0 MB JA", "C MA P0 MB JB"]
    notes = "Bob's join was rejected when it came, though the states have it. "
    if newest:
        book.case(
            "rejected.no_fallback",
            scene,
            sets,
            notes + "Tried from an empty state, his join rule would fall back on it, and is refused.",
            rejected="MB",
            state="C MA P0 MB JA",
        )
    else:
        book.disputed(
            "rejected.no_fallback",
            scene,
            sets,
            notes + "Is his join rule tried on it?",
            (
                {"state": "C MA P0 MB JB"},
                "It is: the states agree on it, and only auth events must not be rejected. gomatrixserverlib",
            ),
            (
                {"state": "C MA P0 MB JA"},
                "It is not: what was rejected authorises nothing. Synapse, ruma",
            ),
            rejected="MB",
        )

    scene = with_bob(version)
    for number, content in enumerate(({"membership": 5}, {"membership": "lurk"}, {}), 1):
        scene.put(f"X{number}", MEMBER, content, 5 + number, "P0", sender=CAROL, state_key=CAROL)
    scene.member("MC", CAROL, "join", 5, "P0", "JR")
    agreed = "C MA P0 JR MB"
    book.case(
        "malformed_member",
        scene,
        [f"{agreed} MC", f"{agreed} X1", f"{agreed} X2", f"{agreed} X3"],
        "Memberships that are no string, unknown or absent are no power events; the rules refuse them, and"
        " the join stays. (Synapse fails on one that is absent.)",
        state=f"{agreed} MC",
        power_order="",
        mainline_order="MC X1 X2 X3",
    )

    scene = with_bob(version)
    scene.member("leave", BOB, "leave", 6, "P0", "MB")
    book.case(
        "leaving_is_no_power_event",
        scene,
        ["C MA P0 JR MB", "C MA P0 JR leave"],
        "Who goes takes no one's power: only a leave or ban by another is a power event.",
        state="C MA P0 JR leave",
        power_order="",
        mainline_order="MB leave",
    )


def _classics(book: Scenes, version: str) -> None:
    newest = version == "12"

    scene = with_bob(version)
    scene.levels("PA", 6, "P0", b=50, c=50)
    scene.levels("PB", 7, "PA", "MB", sender=BOB, b=50, d=50)
    scene.member("ban", BOB, "ban", 8, "PA", "MB", sender=ALICE)
    book.case(
        "ban_against_power_levels",
        scene,
        ["C MA JR PA ban", "C MA JR PB MB"],
        "Alice bans Bob, who changes the power levels beside that. Hers is tried first, and then he is out.",
        state="C MA JR PA ban",
    )

    scene = with_bob(version)
    scene.topic("T0", 6, "P0")
    scene.member("ban", BOB, "ban", 8, "P0", "MB", sender=ALICE)
    scene.topic("TB", 9, "P0", "MB", sender=BOB)
    book.case(
        "topic_against_ban",
        scene,
        ["C MA P0 JR ban T0", "C MA P0 JR MB TB"],
        "A ban is a power event and is tried before the topic that the banned sets beside it.",
        state="C MA P0 JR ban T0",
        power_order="MB ban",
        mainline_order="T0 TB",
    )

    scene = Scene(version)
    scene.levels("P0", 3)
    scene.rule("JR1", "public", 4, "P0")
    scene.rule("JR2", "invite", 6, "P0")
    scene.member("MB", BOB, "join", 7, "P0", "JR1")
    book.case(
        "join_rules_against_join",
        scene,
        ["C MA P0 JR2", "C MA P0 JR1 MB"],
        "A join does not evade the join rule that is set beside it.",
        state="C MA P0 JR2",
        power_order="JR1 JR2",
        mainline_order="MB",
    )

    scene = with_bob(version)
    scene.levels("PA", 500, "P0")
    scene.levels("PB", 6, "P0", "MB", sender=BOB, b=50, c=50)
    book.case(
        "admin_against_moderator",
        scene,
        ["C MA JR MB PA", "C MA JR MB PB"],
        "The admin takes the moderator's power while he gives some away: hers is tried first, though later.",
        state="C MA JR MB PA",
    )

    scene = Scene(version)
    scene.levels("P0", 3)
    scene.rule("JR", "public", 4, "P0")
    for ts, (letter, user) in enumerate((("b", BOB), ("c", CAROL), ("d", DAVE)), 5):
        scene.member(f"M{letter}", user, "join", ts, "P0", "JR")
    book.case(
        "concurrent_joins",
        scene,
        ["C MA P0 JR Mb", "C MA P0 JR Mc", "C MA P0 JR Md"],
        "All who joined at the same time are in the room.",
        state="C MA P0 JR Mb Mc Md",
        conflicted="Mb Mc Md",
    )

    scene = Scene(version)
    scene.levels("P", 3, b=75)
    scene.rule("JR1", "public", 4, "P")
    scene.member("MB", BOB, "join", 5, "P", "JR1")
    scene.rule("JR2", "invite", 6, "P")
    scene.member("leave", ALICE, "leave", 7, "P", "MA")
    scene.topic("T1", 8, "P", "MB", sender=BOB)
    scene.topic("T2", 9, "P", "MB", sender=BOB)
    book.case(
        "setter_has_left",
        scene,
        ["C P MB leave JR2 T1", "C P MB leave JR1 T2"],
        "Who set the join rules has left since. "
        + (
            "Tried from an empty state, both join rules are allowed, and the room keeps one."
            if newest
            else "Tried from what the states agree on, neither is allowed, and the room loses both (MSC4297)."
        ),
        state="C P MB leave JR2 T2" if newest else "C P MB leave T2",
    )

    scene = with_bob(version, 0)
    scene.member("MC", CAROL, "join", 6, "P0", "JR")
    scene.levels("P1", 7, "P0", b=75)
    scene.levels("P2", 8, "P1", "MB", sender=BOB, b=75, c=50)
    scene.member("MD", DAVE, "join", 9, "P2", "JR")
    book.case(
        "promotions",
        scene,
        ["C MA JR MB MC MD P2", "C MA JR MB MC MD P0"],
        "Alice promotes Bob, who promotes Carol; one state has the oldest power levels. "
        + (
            "P1 lies between P0 and P2, is replayed, and so P2 is allowed."
            if newest
            else "P1 is in no state and, through MD, in both chains: P2 is refused without it (MSC4297)."
        ),
        state="C MA JR MB MC MD P2" if newest else "C MA JR MB MC MD P0",
        auth_difference="",
    )


def _shapes(book: Scenes, version: str) -> None:
    newest = version == "12"

    scene = with_bob(version)
    for number in range(1, 5):
        scene.topic(f"T{number}", 10 + number, "P0")
    scene.topic("same", 14, "P0")
    agreed = "C MA P0 JR MB"
    book.case("tie.time", scene, [f"{agreed} T2", f"{agreed} T1"], "The later stays.", state=f"{agreed} T2")
    last = max(("T4", "same"), key=scene.ids.__getitem__)
    book.case(
        "tie.event_id",
        scene,
        [f"{agreed} same", f"{agreed} T4"],
        "At the same time, the one with the greater event ID stays.",
        state=f"{agreed} {last}",
    )
    book.case(
        "sets.three",
        scene,
        [f"{agreed} T1", f"{agreed} T3", f"{agreed} T2"],
        "Three states, three topics.",
        state=f"{agreed} T3",
        conflicted="T1 T2 T3",
        auth_difference="T1 T2 T3",
        mainline_order="T1 T2 T3",
    )
    for number in range(2):
        scene.put(f"N{number}", NAME, {"name": f"{number}"}, 20 + number, "P0", "MB", sender=BOB)
    book.case(
        "sets.two_of_three",
        scene,
        ["C MA P0 JR N0", "C MA P0 JR N1", "C MA P0 JR T1"],
        "MB is in the chains of two states of three, and so in the difference: an event in an even number of"
        " chains is not left out.",
        state="C MA P0 JR MB N1 T1",
        auth_difference="MB N0 N1 T1",
    )
    book.case(
        "sets.alike_in_two_of_three",
        scene,
        ["C MA P0 JR N0", "C MA P0 JR N1", "C MA P0 JR N1"],
        "MB is in no state, and in the chains of all three: through N0 in one, through N1 in two. It is in no"
        " difference, and does not come into the state.",
        state="C MA P0 JR N1",
        auth_difference="N0 N1",
    )
    book.case(
        "sets.one_alone_of_four",
        scene,
        [agreed, agreed, f"{agreed} T1", agreed],
        "A key that one state has and others lack is a conflict, and its event is tried.",
        state=f"{agreed} T1",
        conflicted="T1",
    )
    for name, sets, notes in (
        ("sets.none", [], "No states at all make an empty state."),
        ("sets.one", [f"{agreed} T1"], "One state is its own resolution."),
        ("sets.equal", [f"{agreed} T1", f"{agreed} T1"], "Nothing is in conflict."),
    ):
        book.case(name, scene, sets, notes, state=sets[0] if sets else "")
    book.case(
        "hole.tried",
        *_hole(version),
        "A key that only one state has is in conflict, and its event is tried. "
        + (
            "It is tried on no state, and so by its own auth events, which give Bob the power: it stays."
            if newest
            else "It is tried on the power levels that the states agree on, by which Bob has no power."
        ),
        state="C MA P1 JR MB TB" if newest else "C MA P1 JR MB",
        conflicted="TB",
    )
    scene = with_bob(version)
    scene.topic("T1", 10, "P0")
    scene.topic("TB", 11, "P0", "MB", sender=BOB)
    book.case(
        "rejected.tried_again",
        scene,
        [f"{agreed} T1", f"{agreed} TB"],
        "An event that was rejected when it came is tried again like any other. (Synapse leaves it out,"
        " against the specification and knowingly.)",
        rejected="TB",
        state=f"{agreed} TB",
    )

    length = 60
    scene = with_bob(version)
    scene.levels("L1", 6, "P0", b=50)
    for number in range(2, length + 1):
        scene.levels(f"L{number}", 5 + number, f"L{number - 1}", b=50)
    scene.topic("old", 900, "L3")
    scene.topic("new", 800, f"L{length - 3}")
    book.case(
        "deep.mainline",
        scene,
        [f"C MA L{length} JR MB old", f"C MA L{length} JR MB new"],
        "A chain of sixty power levels. "
        + (
            "No power levels are replayed: time decides."
            if newest
            else "The topic that rests on the newer stays."
        ),
        state=f"C MA L{length} JR MB {'old' if newest else 'new'}",
    )
    ends = [f"C MA L{length} JR MB", "C MA L1 JR MB"]
    book.case(
        "deep.chain",
        scene,
        ends,
        "One state has the first of sixty power levels, one the last: each follows from the one before.",
        state=ends[0],
        power_order=" ".join(f"L{number}" for number in range(1, length + 1)),
    )

    if int(version) >= 8:
        _restricted(book, version)
    if version == "2":
        _circle(book)


def _restricted(book: Scenes, version: str) -> None:
    scene = Scene(version)
    scene.levels("P0", 3, b=50)
    scene.put("JR", JOIN_RULES, {"join_rule": "restricted", "allow": []}, 4, "P0", "MA")
    scene.member("IB", BOB, "invite", 5, "P0", "JR", sender=ALICE)
    scene.member("MB", BOB, "join", 6, "P0", "JR", "IB")
    scene.member("MB2", BOB, "join", 7, "P0", "JR", "MB", displayname="Bob")
    authorised = {AUTHORISER: ALICE}
    scene.member("MC", CAROL, "join", 8, "P0", "JR", "MA", **authorised)
    book.case(
        "restricted_joins",
        scene,
        ["C MA P0 JR MB2", "C MA P0 JR MB MC"],
        "Two joins under one restricted join rule: the check of the first changes nothing for the second.",
        state="C MA P0 JR MB2 MC",
    )


def _circle(book: Scenes) -> None:
    scene = with_bob("2")
    agreed = [scene.ids[label] for label in ("C", "P0", "MA")]
    names = {"one": "$one:a.example.org", "two": "$two:a.example.org"}
    for label, other in (("one", "two"), ("two", "one")):
        references = [[one, {"sha256": ""}] for one in (*agreed, names[other])]
        scene.ids[label] = scene.room.make(
            ALICE,
            JOIN_RULES,
            {"join_rule": "invite", "label": label},
            "",
            auth=agreed,
            top={"event_id": names[label], "auth_events": references},
        )
    assert book.disputed_file is not None
    book.disputed_file.add(
        "resolve.circle",
        "2",
        scene.given(["C MA P0 MB one", "C MA P0 MB two"]),
        either(
            (ERROR, "they have no order, and a sort that leaves them out would lose them"),
            (
                scene.expected({"state": "C MA P0 MB two"}),
                "neither waits for the other, or both do for ever: Synapse, ruma",
            ),
        ),
        spec=page("2", "state-resolution"),
        notes="Two events that cite each other, as chosen IDs allow. (gomatrixserverlib runs out of stack.)",
    )


def _hole(version: str) -> tuple[Scene, list[str]]:
    scene = with_bob(version)
    scene.levels("P1", 6, "P0", b=0)
    scene.topic("TB", 7, "P0", "MB", sender=BOB)
    return scene, ["C MA P1 JR MB", "C MA P1 JR MB TB"]
