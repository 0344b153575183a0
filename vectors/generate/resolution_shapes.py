"""Cases of ``resolve`` for the shapes of its input: sets of states, missing keys, ties, long chains."""

from typing import Any

from .constants import AUTHORISER, JOIN_RULES, NAME
from .rooms import ALICE, BOB, CAROL
from .scenes import DAVE, Scene, Scenes, with_bob
from .suite import ERROR, either, page


def cases(book: Scenes, version: str) -> None:
    """Write the cases of one room version."""
    newest = version == "12"

    scene = with_bob(version)
    for number in range(1, 5):
        scene.topic(f"T{number}", 10 + number, "P0")
    scene.topic("same", 14, "P0")
    agreed = "C MA P0 JR MB"
    book.case(
        "tie.time", scene, [f"{agreed} T2", f"{agreed} T1"], "The later topic stays.", state=f"{agreed} T2"
    )
    last = max(("T4", "same"), key=scene.ids.__getitem__)
    book.case(
        "tie.event_id",
        scene,
        [f"{agreed} same", f"{agreed} T4"],
        "The times are equal, so the topic with the greater event ID stays.",
        state=f"{agreed} {last}",
    )
    book.case(
        "sets.three",
        scene,
        [f"{agreed} T1", f"{agreed} T3", f"{agreed} T2"],
        "Three states have three different topics.",
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
        "MB is in the auth chains of two of three states, so it is in the auth difference. An event in an"
        " even number of chains is not left out.",
        state="C MA P0 JR MB N1 T1",
        auth_difference="MB N0 N1 T1",
    )
    book.case(
        "sets.alike_in_two_of_three",
        scene,
        ["C MA P0 JR N0", "C MA P0 JR N1", "C MA P0 JR N1"],
        "MB is in no state, but in the auth chains of all three: through N0 in one and through N1 in two."
        " It is not in the auth difference and does not enter the state.",
        state="C MA P0 JR N1",
        auth_difference="N0 N1",
    )
    book.case(
        "sets.one_alone_of_four",
        scene,
        [agreed, agreed, f"{agreed} T1", agreed],
        "A key that only one state has is conflicted, and its event is checked.",
        state=f"{agreed} T1",
        conflicted="T1",
    )
    for name, sets, notes in (
        ("sets.none", [], "An empty list of states resolves to the empty state."),
        ("sets.one", [f"{agreed} T1"], "A single state resolves to itself."),
        ("sets.equal", [f"{agreed} T1", f"{agreed} T1"], "The states are equal, so nothing is conflicted."),
    ):
        book.case(name, scene, sets, notes, state=sets[0] if sets else "")
    book.case(
        "hole.tried",
        *_hole(version),
        "A key that only one state has is conflicted, and its event is checked. "
        + (
            "The checks start from an empty state, so the event's own auth events decide. They give Bob the"
            " power, and the event stays."
            if newest
            else "It is checked against the power levels that the states agree on, which give Bob no power."
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
        "An event that was rejected on receipt is checked again like any other. Synapse leaves it out,"
        " knowingly and against the specification.",
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
            "No power levels are replayed, so time decides."
            if newest
            else "The topic that depends on the newer power levels stays."
        ),
        state=f"C MA L{length} JR MB {'old' if newest else 'new'}",
    )
    ends = [f"C MA L{length} JR MB", "C MA L1 JR MB"]
    book.case(
        "deep.chain",
        scene,
        ends,
        "One state has the first of sixty power levels, and the other has the last. Each cites the one"
        " before it.",
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
    authorised: dict[str, Any] = {AUTHORISER: ALICE}
    scene.member("MC", CAROL, "join", 8, "P0", "JR", "MA", **authorised)
    book.case(
        "restricted_joins",
        scene,
        ["C MA P0 JR MB2", "C MA P0 JR MB MC"],
        "Two joins are under the same restricted join rule. Checking the first changes nothing for the"
        " second.",
        state="C MA P0 JR MB2 MC",
    )

    scene = Scene(version)
    scene.levels("P0", 3, b=50)
    scene.rule("JR0", "public", 4, "P0")
    scene.put("JR", JOIN_RULES, {"join_rule": "restricted", "allow": []}, 5, "P0", "MA")
    scene.member("MC", CAROL, "join", 6, "P0", "JR", "MA", **authorised)
    scene.member("MD", DAVE, "join", 7, "P0", "JR0")
    book.case(
        "restricted_joins.unauthorised",
        scene,
        ["C MA P0 JR MC", "C MA P0 JR0 MD"],
        "One state has restricted join rules and a join that Alice authorised. In the other state the room is"
        " still public, and Dave has joined without an authorising user. The restricted rules win. They allow"
        " the first join and reject Dave's, which is checked after it.",
        state="C MA P0 JR MC",
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
            (ERROR, "the events have no order, and a sort that leaves them out would lose them"),
            (
                scene.expected({"state": "C MA P0 MB two"}),
                "neither event waits for the other, or both wait forever (Synapse, ruma)",
            ),
        ),
        spec=page("2", "state-resolution"),
        notes=(
            "Two events cite each other, which is possible where servers choose event IDs. gomatrixserverlib"
            " overflows its stack."
        ),
    )


def _hole(version: str) -> tuple[Scene, list[str]]:
    scene = with_bob(version)
    scene.levels("P1", 6, "P0", b=0)
    scene.topic("TB", 7, "P0", "MB", sender=BOB)
    return scene, ["C MA P1 JR MB", "C MA P1 JR MB TB"]
