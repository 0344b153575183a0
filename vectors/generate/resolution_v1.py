"""Cases of ``resolve`` in room version 1: its passes, and the orders by depth and SHA-1 within them."""

from hashlib import sha1

from .auth_third_party import TOKEN, key, signed
from .constants import IDENTITY, THIRD_PARTY_INVITE
from .rooms import ALICE, BOB, CAROL
from .scenes import DAVE, Scene, Scenes, with_bob


def cases(book: Scenes) -> None:
    """Write the cases."""
    _keys(book)
    _chains(book)
    _rest(book)
    _members(book)
    _passes(book)
    _third_party(book)


def _digest(scene: Scene, label: str) -> bytes:
    return sha1(scene.ids[label].encode(), usedforsecurity=False).digest()


def _keys(book: Scenes) -> None:
    scene = with_bob("1")
    scene.topic("T1", 6, "P0", depth=6)
    agreed = "C MA P0 JR MB"
    notes = "A key that only one state has is not conflicted and is kept."
    book.case("key_of_one", scene, [f"{agreed} T1", agreed], notes, state=f"{agreed} T1", conflicted="")
    scene.levels("P1", 7, "P0", b=0, depth=7)
    scene.topic("TB", 8, "P0", "MB", sender=BOB, depth=8)
    notes = "The event is kept without a check, although the power levels no longer allow it."
    sets = ["C MA P1 JR MB TB", "C MA P1 JR MB"]
    book.case("key_of_one.unchecked", scene, sets, notes, state=sets[0])
    book.case("sets.none", scene, [], "An empty list of states resolves to the empty state.", state="")
    book.case(
        "sets.equal",
        scene,
        [sets[0], sets[0]],
        "The states are equal, so nothing is conflicted.",
        state=sets[0],
    )


def _chains(book: Scenes) -> None:
    scene = with_bob("1", 100)
    scene.member("MC", CAROL, "join", 6, "P0", "JR", depth=6)
    scene.levels("P1", 7, "P0", b=100, depth=10)
    scene.levels("P2", 8, "P1", "MB", sender=BOB, b=100, depth=11)
    scene.levels("P3", 9, "P0", "MC", sender=CAROL, b=100, c=100, depth=12)
    scene.levels("P4", 10, "P0", b=100, d=5, depth=13)
    agreed = "C MA JR MB MC"
    book.case(
        "power.ascending",
        scene,
        [f"{agreed} P2", f"{agreed} P1"],
        "The power levels with the lowest depth are used first, and the next ones are checked against them.",
        state=f"{agreed} P2",
    )
    book.case(
        "power.stops",
        scene,
        [f"{agreed} P1", f"{agreed} P3", f"{agreed} P4"],
        "P3 is rejected, and the pass ends there. P4 would be allowed, but it is not checked.",
        state=f"{agreed} P1",
    )
    book.case(
        "power.first_unchecked",
        scene,
        [f"{agreed} P3", f"{agreed} P4"],
        "The first power levels are used without a check. They are P3, by Carol, who has no power. P3 gives"
        " her the same level as Alice, who cannot take it away again, so P4 is rejected.",
        state=f"{agreed} P3",
    )

    scene = with_bob("1")
    scene.rule("J1", "invite", 6, "P0", depth=9)
    scene.rule("J2", "private", 7, "P0", depth=9)
    low, high = sorted(("J1", "J2"), key=lambda label: _digest(scene, label))
    book.case(
        "rules.same_depth",
        scene,
        ["C MA P0 MB J1", "C MA P0 MB J2"],
        "At the same depth, the event whose ID has the greater SHA-1 comes first, and the other replaces it.",
        state=f"C MA P0 MB {low}",
    )
    assert low != high


def _rest(book: Scenes) -> None:
    scene = with_bob("1")
    scene.member("MC", CAROL, "join", 6, "P0", "JR", depth=6)
    agreed = "C MA P0 JR MB MC"
    scene.topic("T1", 7, "P0", depth=10)
    scene.topic("T2", 8, "P0", "MB", sender=BOB, depth=11)
    scene.topic("T3", 9, "MC", sender=CAROL, depth=12)
    book.case(
        "rest.descending",
        scene,
        [f"{agreed} T1", f"{agreed} T2"],
        "Among other events, the deepest one that is allowed is used.",
        state=f"{agreed} T2",
    )
    book.case(
        "rest.first_allowed",
        scene,
        [f"{agreed} T3", f"{agreed} T1", f"{agreed} T2"],
        "T3 is the deepest and is rejected. T2 is next and is allowed.",
        state=f"{agreed} T2",
    )
    scene.topic("T4", 10, "P0", depth=11)
    low = min(("T2", "T4"), key=lambda label: _digest(scene, label))
    book.case(
        "rest.same_depth",
        scene,
        [f"{agreed} T2", f"{agreed} T4"],
        "At the same depth, the event whose ID has the smaller SHA-1 is checked first.",
        state=f"{agreed} {low}",
    )

    scene = with_bob("1")
    scene.topic("T1", 6, "P0", "MB", sender=BOB, depth=8)
    scene.topic("T2", 7, "P0", "MB", sender=BOB, depth=9)
    scene.levels("P1", 8, "P0", b=0, depth=10)
    book.disputed(
        "rest.none_allowed",
        scene,
        ["C MA P1 JR MB T2", "C MA P1 JR MB T1"],
        "The power levels of the states allow neither topic. The specification does not say which one is"
        " used then.",
        ({"state": "C MA P1 JR MB T1"}, "the event with the lowest depth, which was checked last (Synapse)"),
        ({"state": "C MA P1 JR MB T2"}, "the event with the greatest depth (gomatrixserverlib)"),
    )


def _members(book: Scenes) -> None:
    scene = with_bob("1")
    scene.member("MC", CAROL, "join", 6, "P0", "JR", depth=6)
    scene.member("MD", DAVE, "join", 7, "P0", "JR", depth=7)
    scene.member("banD", DAVE, "ban", 8, "P0", "MB", "MD", sender=BOB, depth=9)
    scene.member("banC", CAROL, "ban", 9, "P0", "MC", sender=ALICE, depth=9)
    book.case(
        "members.each_alone",
        scene,
        ["C MA P0 JR MB MC MD", "C MA P0 JR MB banC banD"],
        "Memberships are resolved user by user, from the lowest depth up: first the joins, and then the"
        " bans replace them.",
        state="C MA P0 JR MB banC banD",
    )
    scene.member("kickC", CAROL, "leave", 10, "P0", "MD", "MC", sender=DAVE, depth=8)
    book.case(
        "members.stops",
        scene,
        ["C MA P0 JR MB MD MC", "C MA P0 JR MB MD kickC", "C MA P0 JR MB MD banC"],
        "Dave may not kick, and the pass ends there. The ban would be allowed, but it is not checked.",
        state="C MA P0 JR MB MD MC",
    )


def _passes(book: Scenes) -> None:
    """Cases in which a pass uses the result of the pass before."""
    scene = with_bob("1")
    scene.levels("P1", 6, "P0", b=0, depth=7)
    scene.topic("T1", 7, "P0", depth=8)
    scene.topic("T2", 8, "P0", "MB", sender=BOB, depth=9)
    book.case(
        "passes.power_levels_seen",
        scene,
        ["C MA P0 JR MB T2", "C MA P1 JR MB T1"],
        "The power levels are resolved first, and they take Bob's power. So his topic, which is deeper, is"
        " rejected.",
        state="C MA P1 JR MB T1",
    )

    scene = with_bob("1")
    scene.member("MC", CAROL, "join", 6, "P0", "JR", depth=6)
    scene.member("leaveC", CAROL, "leave", 7, "P0", "MC", depth=8)
    scene.member("againC", CAROL, "join", 8, "P0", "JR", "leaveC", depth=9)
    book.case(
        "passes.members_by_join_rules",
        scene,
        ["C MA P0 JR MB leaveC", "C MA P0 JR MB againC"],
        "The join is checked against the leave before it and against the join rules that the states agree"
        " on. It is allowed.",
        state="C MA P0 JR MB againC",
    )
    scene.rule("J1", "invite", 9, "P0", depth=10)
    scene.rule("J2", "public", 10, "P0", depth=11)
    book.case(
        "passes.join_rules_seen",
        scene,
        ["C MA P0 J1 MB leaveC", "C MA P0 J2 MB againC"],
        "The join rules are resolved before the memberships, and the result is public. So the join is"
        " allowed.",
        state="C MA P0 J2 MB againC",
    )
    book.case(
        "passes.join_rules_seen.three",
        scene,
        ["C MA P0 J2 MB againC", "C MA P0 JR MB leaveC", "C MA P0 J1 MB leaveC"],
        "The join rules are resolved from the lowest depth up: JR, J1, J2. The result is public, the"
        " deepest one that is allowed.",
        state="C MA P0 J2 MB againC",
    )

    scene = with_bob("1")
    scene.member("MC", CAROL, "join", 6, "P0", "JR", depth=6)
    scene.member("leaveB", BOB, "leave", 7, "P0", "MB", depth=7)
    scene.member("MB2", BOB, "join", 8, "P0", "JR", "leaveB", depth=8)
    scene.member("kickC", CAROL, "leave", 9, "P0", "MB2", "MC", sender=BOB, depth=9)
    book.case(
        "passes.members_unseen",
        scene,
        ["C MA P0 JR MB MC", "C MA P0 JR MB2 kickC"],
        "The result of a pass is used only after the pass ends. Bob's and Carol's memberships are decided"
        " in the same pass. The state that his kick is checked against does not contain Bob's membership,"
        " so the kick is rejected, although Bob is joined in all states.",
        state="C MA P0 JR MB2 MC",
    )


def _third_party(book: Scenes) -> None:
    scene = with_bob("1")
    scene.member("MC", CAROL, "join", 6, "P0", "JR", depth=6)
    scene.member("leaveC", CAROL, "leave", 7, "P0", "MC", depth=7)
    offer = {
        "display_name": "c...",
        "key_validity_url": f"https://{IDENTITY}/valid",
        "public_key": key("one"),
        "public_keys": [{"public_key": key("one")}],
    }
    scene.put("offer", THIRD_PARTY_INVITE, offer, 8, "P0", "MB", sender=BOB, state_key=TOKEN, depth=8)
    taken = {"display_name": "c...", "signed": signed(CAROL)}
    cited = ("P0", "MB", "leaveC", "offer")
    scene.member("inviteC", CAROL, "invite", 9, *cited, sender=BOB, depth=9, third_party_invite=taken)
    agreed = "C MA P0 JR MB offer"
    book.case(
        "members.third_party_invite",
        scene,
        [f"{agreed} leaveC", f"{agreed} inviteC"],
        "The invite is allowed by the m.room.third_party_invite event, which is in all states.",
        state=f"{agreed} inviteC",
    )
