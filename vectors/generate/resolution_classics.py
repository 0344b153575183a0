"""Cases of ``resolve`` for common disputes between users: bans, kicks, joins, demotions."""

from .rooms import ALICE, BOB, CAROL
from .scenes import DAVE, Scene, Scenes, with_bob


def cases(book: Scenes, version: str) -> None:
    """Write the cases of one room version."""
    newest = version == "12"

    scene = with_bob(version)
    scene.levels("PA", 6, "P0", b=50, c=50)
    scene.levels("PB", 7, "PA", "MB", sender=BOB, b=50, d=50)
    scene.member("ban", BOB, "ban", 8, "PA", "MB", sender=ALICE)
    book.case(
        "ban_against_power_levels",
        scene,
        ["C MA JR PA ban", "C MA JR PB MB"],
        "Alice bans Bob while Bob changes the power levels. Alice's event is checked first, and then Bob is"
        " banned.",
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
        "A ban is a power event. It is checked before the topic that the banned user sets on the other"
        " branch.",
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
        "A join does not evade the join rule that is set on the other branch.",
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
        "The admin removes the moderator's power while he gives some of it away. The admin's event is"
        " checked first, although it is later.",
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
        "All users who joined at the same time are in the room.",
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
        "The user who set the join rules has since left. "
        + (
            "The checks start from an empty state, so both join rules are allowed, and the room keeps one of"
            " them."
            if newest
            else (
                "The checks start from the unconflicted state, so neither join rule is allowed, and the room"
                " loses both (MSC4297)."
            )
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
        "Alice promotes Bob, who promotes Carol. One state has the oldest power levels. "
        + (
            "P1 lies between P0 and P2 and is replayed, so P2 is allowed."
            if newest
            else (
                "P1 is in no state, but MD puts it into both auth chains. Without P1, P2 is rejected"
                " (MSC4297)."
            )
        ),
        state="C MA JR MB MC MD P2" if newest else "C MA JR MB MC MD P0",
        auth_difference="",
    )
