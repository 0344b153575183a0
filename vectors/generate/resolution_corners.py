"""Cases of ``resolve`` that a single step of the algorithm decides and that no common dispute reaches."""

from .constants import JOIN_RULES, MEMBER, MESSAGE, TOPIC
from .rooms import ALICE, BOB
from .scenes import Scene, Scenes, with_bob
from .versions import since

ENTRY = "org.example.entry"


def cases(book: Scenes) -> None:
    """Write the cases, from version 2 on."""
    for version in since("2"):
        _kick(book, version)
        _chain_of_a_power_event(book, version)
        _creator_behind_join_rules(book, version)
        _off_the_mainline(book, version)
        _message(book, version)
    for version in since("2", "11"):
        _no_create(book, version)
    _wide(book, "11")


def _kick(book: Scenes, version: str) -> None:
    scene = with_bob(version)
    scene.topic("TB", 6, "P0", "MB", sender=BOB)
    scene.member("kickB", BOB, "leave", 7, "P0", "MB", sender=ALICE)
    book.case(
        "corner.kick_before_topic",
        scene,
        ["C MA P0 JR MB TB", "C MA P0 JR kickB"],
        "A kick is a power event, like a ban. It is checked before the topic of the kicked user, although"
        " the topic is older.",
        state="C MA P0 JR kickB",
        power_order="MB kickB",
        mainline_order="TB",
    )


def _chain_of_a_power_event(book: Scenes, version: str) -> None:
    scene = Scene(version)
    scene.levels("P1", 3, b=50)
    scene.rule("JR0", "public", 4, "P1")
    scene.member("MB0", BOB, "join", 5, "P1", "JR0")
    scene.rule("JR", "invite", 6, "P1")
    scene.member("kickB", BOB, "leave", 7, "P1", "MB0", sender=ALICE)
    scene.member("inviteB", BOB, "invite", 8, "P1", "JR", "kickB", sender=ALICE)
    scene.member("MB", BOB, "join", 9, "P1", "JR", "inviteB")
    scene.levels("P2", 10, "P1", "MB", sender=BOB, b=50, c=20)
    book.case(
        "corner.chain_of_a_power_event",
        scene,
        ["C MA P1 JR kickB", "C MA P2 JR MB"],
        "Bob's power levels depend on his join, and the join depends on an invite that is in no state. All"
        " events of this chain in the full conflicted set are checked before the power levels. If the"
        " invite were left for later, the join after the kick would be rejected, and so would the power"
        " levels.",
        state="C MA P2 JR MB",
    )


def _creator_behind_join_rules(book: Scenes, version: str) -> None:
    scene = Scene(version)
    scene.rule("JR", "public", 3)
    scene.member("MB", BOB, "join", 4, "JR")
    scene.rule("JRB", "invite", 5, "MB", sender=BOB)
    # This event cites the join rules before the create event.
    content = {"membership": "join", "displayname": "A"}
    created = [scene.ids["C"]] if int(version) <= 11 else []
    cited = [scene.ids["JR"], *created, scene.ids["MA"]]
    scene.ids["MA2"] = scene.room.make(ALICE, MEMBER, content, ALICE, auth=cited)
    scene.put("JRA", JOIN_RULES, {"join_rule": "private"}, 2, "MA2")
    book.case(
        "corner.creator_behind_join_rules",
        scene,
        ["C MA2 JRA MB", "C MA JRB MB"],
        "Without power levels the creator has the greatest level of all, and the create event says who the"
        " creator is. JRA depends on MA2, which cites the join rules before the create event. MA2 is"
        " checked before Bob's JRB, although JRB is older. Then comes JRA, and JRB comes last.",
        state="C MA2 JRA MB",
        # In version 12 the set includes the events between conflicted events.
        power_order="MA JR MA2 JRA MB JRB" if version == "12" else "MA MA2 JRA JRB",
    )


def _off_the_mainline(book: Scenes, version: str) -> None:
    scene = Scene(version)
    scene.levels("P1", 3)
    scene.levels("PX", 4, "P1", c=1)
    scene.levels("P2", 5, "P1", b=1)
    scene.topic("T1", 6, "P1")
    scene.topic("TX", 7, "PX")
    book.case(
        "corner.off_the_mainline",
        scene,
        ["C MA PX TX", "C MA P2 T1"],
        "TX cites power levels that are not on the mainline but depend on P1, which is on it. Both topics"
        " have the mainline position of P1, so the later one stays.",
        state="C MA P2 TX",
        mainline_order="T1 TX",
    )
    scene.topic("T2", 8, "P1")
    book.case(
        "corner.steps_to_the_mainline",
        scene,
        ["C MA PX TX", "C MA P2 T2"],
        "The number of power levels between an event and the mainline does not matter. Both topics have the"
        " same position, so the later one stays, although the other is more steps away.",
        state="C MA P2 T2",
        mainline_order="TX T2",
    )


def _message(book: Scenes, version: str) -> None:
    scene = with_bob(version)
    scene.put("M", MESSAGE, {"body": "M"}, 6, "P0", "MA", state_key=None)
    scene.levels("P1", 7, "P0", "M", b=50, c=1)
    scene.topic("TB", 8, "P0", "MB", sender=BOB)
    book.disputed(
        "corner.message_cited",
        scene,
        ["C MA P0 JR MB TB", "C MA P1 JR MB"],
        "Power levels cite a message. That is against the rules, so they must be rejected on receipt. The"
        " message is in the auth difference, but it is not a state event.",
        (
            {"state": "C MA P1 JR MB TB"},
            "an event that is not a state event cannot be part of a state (gomatrixserverlib)",
        ),
        (None, "nothing can be resolved from such input (Synapse, ruma)"),
    )


def _no_create(book: Scenes, version: str) -> None:
    scene = Scene(version)
    scene.levels("P1", 3)
    cited = [scene.ids["P1"], scene.ids["MA"]]
    for label in ("T1", "T2"):
        scene.ids[label] = scene.room.make(ALICE, TOPIC, {"topic": label}, "", auth=cited)
    book.case(
        "corner.no_create",
        scene,
        ["MA P1 T1", "MA P1 T2"],
        "Neither the states nor the topics' own auth events contain a create event, so nothing is allowed.",
        state="MA P1",
    )


def _wide(book: Scenes, version: str) -> None:
    """Write the cases of states with hundreds of entries, in different orders."""
    scene = with_bob(version)
    agreed = ["C", "MA", "P0", "JR", "MB"]
    size = 295
    replaced = {
        "p": [*range(0, 3), *range(130, 165), 270],
        "q": [*range(10, 40), 200],
        "r": [60, 120],
    }
    for number in range(size):
        scene.put(f"E{number}", ENTRY, {}, 10, "P0", "MA", state_key=str(number))
    for name, numbers in replaced.items():
        for number in numbers:
            scene.put(f"{name}{number}", ENTRY, {"in": name}, 11, "P0", "MA", state_key=str(number))
    for label, number in (("more", 900), ("most", 901)):
        scene.put(label, ENTRY, {}, 12, "P0", "MA", state_key=str(number))

    def entries(name: str) -> list[str]:
        mine = set(replaced.get(name, ()))
        return [f"{name if number in mine else 'E'}{number}" for number in range(size)]

    first = [*entries("E"), *agreed]
    # One state in the same order, one that is partly reversed, and one without the first entries.
    same = [*entries("p"), *agreed]
    turned = [*entries("q"), *agreed]
    turned = [*turned[:100], *reversed(turned[100:145]), "more", *turned[146:]]
    lacking = [*entries("r")[2:], *agreed, "most"]
    conflicts = {number for numbers in replaced.values() for number in numbers} | {0, 1, 145}
    by_number = {number: f"E{number}" for number in range(size)}
    by_number |= {number: f"{name}{number}" for name, numbers in replaced.items() for number in numbers}
    conflicted = [f"E{number}" for number in sorted(conflicts)]
    conflicted += [f"{name}{number}" for name, numbers in replaced.items() for number in numbers]
    book.case(
        "corner.wide",
        scene,
        [" ".join(labels) for labels in (first, same, turned, lacking)],
        "Four states have about three hundred entries each. The second has other events in the same order,"
        " the third has another order from some entry on, and the fourth starts later. The order does not"
        " matter. Of two conflicting events the later one stays, and entries that only some states have are"
        " kept.",
        state=" ".join([*agreed, *by_number.values(), "more", "most"]),
        conflicted=" ".join([*conflicted, "more", "most"]),
        as_written=True,
    )
