"""Cases of ``resolve`` where interpretations of its definitions diverge, and for power events."""

from .constants import MAX_INTEGER, MEMBER, NAME, POWER_LEVELS
from .rooms import ALICE, BOB, CAROL
from .scenes import DAVE, EVE, Scene, Scenes, with_bob


def cases(book: Scenes, version: str) -> None:
    """Write the cases of one room version."""
    _readings(book, version)
    _power_events(book, version)


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
        "JR2 is in both states, but only one of them has an event that cites it. Does the auth chain of a"
        " state include the state's own events?",
        (
            {
                "state": "C MA P1 JR2 MX MY",
                "conflicted": "MX MY",
                "auth_difference": "MX MY JR1 IY",
            },
            "It does, so JR2 is in both chains and is not replayed (Synapse)",
        ),
        (
            {"state": "C MA P1 JR2 MY", "conflicted": "MX MY"},
            "It does not, by the letter of the definition of auth chains. JR2 is in only one chain and is"
            " replayed after JR1, and MX is rejected",
        ),
    )

    scene = Scene(version)
    scene.levels("P1", 3)
    scene.levels("P2", 4, "P1")
    scene.topic("Ta", 100, "P1")
    scene.topic("Tb", 50, "P2")
    notes = (
        "The first auth checks start from an empty state, and no power levels are replayed. The mainline is"
        " empty, so the topics are ordered only by time."
        if newest
        else "The mainline starts at P2, which is in all states. Tb cites P2, so it comes after Ta."
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
        "The mainline is empty, so time decides."
        if newest
        else (
            "T0 does not depend on any power levels. It comes before T1, which depends on the oldest ones;"
            " the two do not have the same position."
        )
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
            "PL2 lies between JR2 and MB1, so it is in the conflicted state subgraph. MB1 is therefore in"
            " the auth chain of a power event and is checked with it. MB2 comes later.",
            state="C MA PL2 JR2 MB2",
        )
    else:
        book.disputed(
            name,
            scene,
            sets,
            "The auth chain of the power event JR2 leads to MB1 only through PL2, which is in all states.",
            (
                {"state": "C MA PL2 JR2 MB1"},
                "The chain is followed only within the full conflicted set. Both joins are ordinary events,"
                " and MB1, the later one, stays (Synapse, ruma)",
            ),
            (
                {"state": "C MA PL2 JR2 MB2"},
                "The chain is followed everywhere, by the letter of the text. MB1 is checked with JR2, and"
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
        "The event of the more powerful sender is checked first, whatever its time. The event that is"
        " checked last stays." + (" A creator is above the greatest integer." if newest else ""),
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
        "Among the events whose auth chains are done, the most powerful sender's event is next: z (50) comes"
        " before y (10). x (100) comes after y, because it cites y. "
        + (
            "The joins of Bob (50) and Carol (10) lie between conflicted events and are ordered with them."
            if newest
            else "If the events were ordered from the other end, x would come before z."
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
        "Power levels with a non-empty state key are not a power event.",
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
        "Bob gives up his power. His event is ordered by the level that he had before (60), so it comes"
        " before Carol's (55).",
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
        + " and everyone else has 0. JA is checked first, whatever the time, and JB is rejected.",
        state="C MA MB JA",
        power_order="JA JB",
    )

    scene = with_bob(version)
    scene.rule("JA", "invite", 6, "P0")
    scene.rule("JB", "private", 7, "P0", "MB", sender=BOB)
    sets = ["C MA P0 MB JA", "C MA P0 MB JB"]
    notes = "Bob's join was rejected on receipt, but it is in the states. "
    if newest:
        book.case(
            "rejected.no_fallback",
            scene,
            sets,
            notes
            + (
                "The checks start from an empty state, so Bob's join rule would need the rejected join as an"
                " auth event. The join rule is rejected."
            ),
            rejected="MB",
            state="C MA P0 MB JA",
        )
    else:
        book.disputed(
            "rejected.no_fallback",
            scene,
            sets,
            notes + "Is his join rule checked against it?",
            (
                {"state": "C MA P0 MB JB"},
                "It is, because the states agree on it, and only auth events must not be rejected"
                " (gomatrixserverlib)",
            ),
            (
                {"state": "C MA P0 MB JA"},
                "It is not, because a rejected event authorises nothing (Synapse, ruma)",
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
        "A member event whose membership is missing, unknown or not a string is not a power event. The auth"
        " rules reject it, and the join stays. Synapse fails if the membership is missing.",
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
        "A user who leaves takes nobody's power. Only a leave or ban that another user sends is a power"
        " event.",
        state="C MA P0 JR leave",
        power_order="",
        mainline_order="MB leave",
    )
