"""Cases of ``resolve`` for single sentences of the algorithms that no other case tells apart."""

from hashlib import sha1

from .constants import MEMBER, NAME, POWER_LEVELS
from .rooms import ALICE, BOB, CAROL
from .scenes import Scene, Scenes, with_bob
from .versions import since


def cases(book: Scenes) -> None:
    """Write the cases."""
    _first(book)
    for version in since("2"):
        _power_order(book, version)
        _mainline(book, version)
        _checks(book, version)
    _subgraph(book)


def _first(book: Scenes) -> None:
    """Cases of version 1: the order of its passes, and of SHA-1."""
    scene = with_bob("1", 0)
    scene.member("MC", CAROL, "join", 6, "P0", "JR", depth=6)
    scene.levels("P1", 7, "P0", b=50, depth=7)
    scene.member("banC", CAROL, "ban", 8, "P1", "MB", "MC", sender=BOB, depth=9)
    book.case(
        "passes.power_levels_before_members",
        scene,
        ["C MA P0 JR MB MC", "C MA P1 JR MB banC"],
        "The power levels are resolved before the memberships. P1 gives Bob the level to ban, so Carol is"
        " banned.",
        state="C MA P1 JR MB banC",
    )
    scene.rule("JB", "invite", 9, "P1", "MB", sender=BOB, depth=9)
    book.case(
        "passes.power_levels_before_join_rules",
        scene,
        ["C MA P0 JR MB MC", "C MA P1 JB MB MC"],
        "The power levels are resolved before the join rules. P1 gives Bob the level for his join rule.",
        state="C MA P1 JB MB MC",
    )

    scene = with_bob("1")
    labels = [f"T{number}" for number in range(8)]
    for number, label in enumerate(labels):
        scene.topic(label, 6 + number, "P0", depth=9)

    def digest(label: str) -> bytes:
        return sha1(scene.ids[label].encode(), usedforsecurity=False).digest()

    low, high = next(
        (one, other)
        for one in labels
        for other in labels
        if digest(one) < digest(other) and scene.ids[one] > scene.ids[other]
    )
    book.case(
        "rest.sha1_not_event_id",
        scene,
        [f"C MA P0 JR MB {high}", f"C MA P0 JR MB {low}"],
        "At the same depth, the event whose ID has the smaller SHA-1 is checked first. Here it has the"
        " greater event ID.",
        state=f"C MA P0 JR MB {low}",
    )


def _power_order(book: Scenes, version: str) -> None:
    scene = with_bob(version)
    scene.rule("J1", "invite", 6, "P0")
    scene.rule("J2", "private", 6, "P0")
    first, last = sorted(("J1", "J2"), key=scene.ids.__getitem__)
    book.case(
        "tie.power_event_id",
        scene,
        ["C MA P0 MB J1", "C MA P0 MB J2"],
        "Two power events by one sender have the same time, so the one with the greater event ID is checked"
        " last, and stays.",
        state=f"C MA P0 MB {last}",
        power_order=f"{first} {last}",
    )

    scene = with_bob(version)
    scene.rule("J1", "invite", 6, "P0", depth=20)
    scene.rule("J2", "private", 7, "P0", depth=10)
    book.case(
        "order.time_not_depth",
        scene,
        ["C MA P0 MB J1", "C MA P0 MB J2"],
        "J1 is older and has the greater depth. The depth does not matter: J2 is checked last, and stays.",
        state="C MA P0 MB J2",
        power_order="J1 J2",
    )

    scene = Scene(version)
    scene.levels("P0", 3, b=50, c=50)
    scene.rule("JR", "public", 4, "P0")
    scene.member("MB", BOB, "join", 5, "P0", "JR")
    scene.member("MC", CAROL, "join", 6, "P0", "JR")
    scene.levels("P1", 7, "P0", b=60, c=50)
    scene.rule("JC", "invite", 8, "P0", "MC", sender=CAROL)
    scene.rule("JB", "private", 9, "P1", "MB", sender=BOB)
    book.case(
        "order.by_cited_power_levels",
        scene,
        ["C MA P1 MB MC JB", "C MA P1 MB MC JC"],
        "The level of a sender is the one in the power levels that the event cites. JB cites P1, in which Bob"
        " has more than Carol has in P0, so JB is checked before the older JC.",
        state="C MA P1 MB MC JC",
        power_order="JB JC",
    )

    scene = Scene(version)
    content = scene.room.levels({CAROL: 50}, users_default=60)
    scene.put("P0", POWER_LEVELS, content, 3, "MA")
    scene.rule("JR", "public", 4, "P0")
    scene.member("MB", BOB, "join", 5, "P0", "JR")
    scene.member("MC", CAROL, "join", 6, "P0", "JR")
    scene.rule("JC", "invite", 7, "P0", "MC", sender=CAROL)
    scene.rule("JB", "private", 8, "P0", "MB", sender=BOB)
    book.case(
        "order.by_users_default",
        scene,
        ["C MA P0 MB MC JB", "C MA P0 MB MC JC"],
        "Bob is not listed, so he has the default level for users, 60. That is more than Carol's 50: JB is"
        " checked before the older JC.",
        state="C MA P0 MB MC JC",
        power_order="JB JC",
    )


def _mainline(book: Scenes, version: str) -> None:
    scene = Scene(version)
    scene.levels("P0", 3)
    scene.levels("P1", 4, "P0", b=1)
    scene.levels("P2", 5, "P1", b=2)
    scene.topic("T0", 10, "P0")
    scene.topic("TX", 20)
    book.case(
        "mainline.of_three",
        scene,
        ["C MA P2 TX", "C MA P0 T0"],
        "The mainline is P2, P1, P0. T0 cites the last of them. TX cites no power levels, so its position is"
        " greater than any other: it comes first, although it is younger.",
        state="C MA P2 T0",
        mainline_order="TX T0",
    )

    scene = with_bob(version)
    scene.member("MC", CAROL, "join", 6, "P0", "JR")
    scene.levels("P1", 7, "P0", b=50, c=1)
    created = ["C"] if int(version) <= 11 else []
    for label, ts, levels in (("M1", 9, "P0"), ("M2", 8, "P1")):
        content = {"membership": "join", "displayname": label}
        cited = [scene.ids[one] for one in (*created, "MC", "JR", levels)]
        top = {"origin_server_ts": scene.room.events[scene.ids["MC"]]["origin_server_ts"] + 1000 * ts}
        scene.ids[label] = scene.room.make(CAROL, MEMBER, content, CAROL, auth=cited, top=top)
    book.case(
        "mainline.cited_last",
        scene,
        ["C MA P1 JR MB M2", "C MA P0 JR MB M1"],
        "Both joins cite their power levels last, after other auth events. M1 cites the older ones, so it"
        " comes before M2, although it is younger.",
        state="C MA P1 JR MB M2",
        # In version 12 the set includes the events between conflicted events.
        mainline_order="MC M1 M2" if version == "12" else "M1 M2",
    )


def _checks(book: Scenes, version: str) -> None:
    scene = with_bob(version)
    scene.member("kickB", BOB, "leave", 6, "P0", "MB", sender=ALICE)
    scene.member("MB2", BOB, "join", 7, "P0", "JR", "kickB")
    scene.topic("TB", 8, "P0", "MB2", sender=BOB)
    book.case(
        "corner.joins_again",
        scene,
        ["C MA P0 JR kickB", "C MA P0 JR MB2 TB"],
        "The kick is a power event, and is checked first. Then Bob's new join is allowed and becomes part of"
        " the state that his topic is checked against.",
        state="C MA P0 JR MB2 TB",
        mainline_order="MB2 TB",
    )

    scene = with_bob(version)
    scene.topic("T1", 6, "P0", "MB", sender=BOB)
    scene.topic("T2", 7, "P0", "MB", sender=BOB)
    sets = ["C MA P0 JR T1", "C MA P0 JR T2"]
    notes = "No state has Bob's join, so his topics are checked against the join that they cite."
    book.case("auth_event_of_no_state", scene, sets, notes, state="C MA P0 JR T2")
    book.case(
        "rejected.auth_event_of_no_state",
        scene,
        sets,
        f"{notes} It was rejected, so it is not used, and neither topic is allowed.",
        rejected="MB",
        state="C MA P0 JR",
    )

    scene = with_bob(version)
    scene.put("NB", NAME, {"name": "NB"}, 6, "P0", "MB", sender=BOB)
    scene.topic("TB", 7, "P0", "MB", sender=BOB)
    scene.member("inviteB", BOB, "invite", 8, "P0", "JR", sender=ALICE)
    book.case(
        "auth_event_for_one_check",
        scene,
        ["C MA P0 JR TB", "C MA P0 JR NB inviteB"],
        "No state has Bob's join. His name and topic cite it, so they are checked against it. The invite does"
        " not cite it, so it is checked against a state in which Bob has never been in the room.",
        state="C MA P0 JR NB TB inviteB",
    )

    scene = with_bob(version)
    scene.topic("T1", 6, "P0")
    scene.topic("T2", 7, "P0")
    book.case(
        "create_event_of_one_state",
        scene,
        ["C MA P0 JR MB T1", "MA P0 JR MB T2"],
        "Only one state has the create event, so it is in conflict, and is checked like any other event.",
        state="C MA P0 JR MB T2",
        conflicted="C T1 T2",
    )

    scene = with_bob(version)
    scene.topic("T1", 6, "P0")
    scene.topic("T2", 7, "P0")
    agreed = "C MA P0 JR MB"
    book.case(
        "sets.two_against_one",
        scene,
        [f"{agreed} T1", f"{agreed} T1", f"{agreed} T2"],
        "Two of three states agree on a topic. It is in conflict all the same, and the later topic stays.",
        state=f"{agreed} T2",
        conflicted="T1 T2",
    )


def _subgraph(book: Scenes) -> None:
    scene = Scene("12")
    scene.levels("P0", 3, b=60)
    scene.rule("JR", "public", 4, "P0")
    scene.member("MB1", BOB, "join", 50, "P0", "JR")
    scene.member("MB2", BOB, "join", 10, "P0", "JR", "MB1", displayname="Bob")
    scene.levels("P1", 60, "P0", "MB1", sender=BOB, b=60)
    scene.levels("P2", 65, "P1", b=60)
    scene.rule("JA", "public", 70, "P2")
    book.case(
        "subgraph.two_steps",
        scene,
        ["C MA P2 JA MB2", "C MA P2 JR MB1"],
        "P2 and P1 lie between JA and MB1. Each is one step from one of them and two steps from the other,"
        " and both are in the conflicted state subgraph. So MB1 is in the auth chain of a power event and is"
        " checked with it. MB2 comes later, although it is older.",
        state="C MA P2 JA MB2",
        conflicted="JA JR MB1 MB2",
        conflicted_subgraph="JA JR MB1 MB2 P1 P2",
        power_order="JR MB1 P1 P2 JA",
    )
