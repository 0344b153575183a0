"""Cases for knocks and for restricted joins."""

from typing import Any

from .auth_cases import Book
from .constants import AUTHORISER, JOIN_RULES, JOIN_RULES_KEY, MAX_INTEGER, MEMBER
from .rooms import ALICE, BOB, CAROL, Room, plain_room
from .versions import Versions, since

FILE = "knock_restricted"


# For each join rule, the versions that have it, and a sample with one version for each set of join rules.
KNOCK, KNOCK_SAMPLE = since("7"), ("7", "8", "10", "12")
RESTRICTED, RESTRICTED_SAMPLE = since("8"), ("8", "10", "12")
KNOCK_RESTRICTED, KNOCK_RESTRICTED_SAMPLE = since("10"), ("10", "12")


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    if book.version in KNOCK:
        _knocks(book)
    if book.version in RESTRICTED:
        _restricted(book, "restricted", RESTRICTED, RESTRICTED_SAMPLE)
    if book.version in KNOCK_RESTRICTED:
        _restricted(book, "knock_restricted", KNOCK_RESTRICTED, KNOCK_RESTRICTED_SAMPLE)
    if book.version in RESTRICTED:
        _authoriser_levels(book)
    if book.number >= 12:
        _creators(book)


def _knocks(book: Book) -> None:
    for rule, known, sample in (
        ("knock", KNOCK, KNOCK_SAMPLE),
        ("knock_restricted", KNOCK_RESTRICTED, KNOCK_RESTRICTED_SAMPLE),
    ):
        if book.version not in known:
            continue
        # One case of each membership that the rule names is in every version that has the rule.
        whole = ("none", "knock", "invite", "join", "ban") if rule == "knock" else ("knock",)
        for before in ("none", "leave", "knock", "invite", "join", "ban"):
            room = plain_room(book.version)
            room.was(BOB, before)
            if room.events[room.state[JOIN_RULES_KEY]]["content"]["join_rule"] != rule:
                room.join_rule(rule)
            event = room.try_member(BOB, "knock")
            name = f"member.knock.{rule}.{before}"
            versions = known if before in whole else sample
            if before in ("none", "leave", "knock"):
                book.allow(name, room, event, "member.knock.allowed", versions=versions)
            else:
                book.reject(
                    name,
                    room,
                    event,
                    "member.knock.otherwise",
                    twin=f"member.knock.{rule}.none",
                    versions=versions,
                )
    for rule, versions in (
        ("public", KNOCK),
        ("invite", KNOCK_SAMPLE),
        ("private", ("7", "8", "10", "11", "12")),
        ("restricted", KNOCK_SAMPLE),
        ("knock_restricted", ("7", "8")),
    ):
        if rule == "knock_restricted" and book.version in KNOCK_RESTRICTED:
            continue
        room = plain_room(book.version)
        if rule != "public":
            room.join_rule(rule)
        event = room.try_member(BOB, "knock")
        notes = (
            "gomatrixserverlib supports this join rule from version 7 on."
            if rule == "knock_restricted"
            else ""
        )
        name = f"member.knock.{rule}"
        book.reject(
            name,
            room,
            event,
            "member.knock.join_rule",
            notes,
            twin="member.knock.knock.none",
            versions=versions,
        )
    room = Room(book.version)
    room.member(ALICE, "join")
    room.power()
    notes = "Without a join rules event nobody may knock."
    event = room.try_member(BOB, "knock")
    book.reject(
        "member.knock.no_rules",
        room,
        event,
        "member.knock.join_rule",
        notes,
        twin="member.knock.knock.none",
        versions=KNOCK_SAMPLE,
    )
    room = plain_room(book.version, joined=[CAROL])
    room.join_rule("knock")
    bad = room.try_member(BOB, "knock", CAROL)
    twin = "member.knock.knock.none"
    book.reject(
        "member.knock.for_other", room, bad, "member.knock.sender_is_target", twin=twin, versions=KNOCK
    )


def _restricted(book: Book, rule: str, known: Versions, sample: Versions) -> None:
    """Joins by a user who is not in the room, for each membership of the authoriser.

    Args:
        known: the versions that have the join rule.
        sample: some of these versions, for cases whose answer does not change between versions.
    """
    start = f"member.join.{rule}.authoriser"

    def room_with(authoriser: str) -> Room:
        room = plain_room(book.version, {BOB: 10}, invite=10)
        if authoriser == "left":
            room.was(BOB, "leave")
        elif authoriser != "absent":
            room.was(
                BOB, {"joined": "join", "invited": "invite", "banned": "ban"}.get(authoriser, authoriser)
            )
        room.join_rule(rule, allow=[{"type": "m.room_membership", "room_id": "!other:a.example.org"}])
        return room

    clarified = (
        "Only a joined user can authorise a join, whatever the user's level. Matrix 1.17 clarified this."
    )
    good = room_with("joined")
    book.allow(
        f"{start}.joined",
        good,
        good.try_member(CAROL, "join", content={AUTHORISER: BOB}),
        "member.join.restricted.allowed",
        versions=known,
    )
    for authoriser in ("left", "invited", "banned", "absent", "knock"):
        room = room_with(authoriser)
        bad = room.try_member(CAROL, "join", content={AUTHORISER: BOB})
        name = f"{start}.{authoriser}"
        rule_name = "member.join.restricted.authoriser"
        book.reject(name, room, bad, rule_name, clarified, twin=f"{start}.joined", versions=known)
    values: list[tuple[str, dict[str, Any], str]] = [
        ("no_key", {}, "The join names no authorising user."),
        ("null", {AUTHORISER: None}, ""),
        (
            "number",
            {AUTHORISER: 42},
            "The value is not a user ID, so it names nobody. The event must be rejected without any other"
            " failure.",
        ),
        ("no_user_id", {AUTHORISER: "bob"}, ""),
        ("list", {AUTHORISER: [BOB]}, "An array with a user ID is not a user ID."),
        ("object", {AUTHORISER: {"user_id": BOB}}, "An object with a user ID is not a user ID."),
        (
            "joiner",
            {AUTHORISER: CAROL},
            "Users cannot authorise their own join, because they are not joined.",
        ),
    ]
    for label, content, notes in values:
        room = room_with("joined")
        bad = room.try_member(CAROL, "join", content=content)
        name = f"{start}.{label}"
        versions = known if label == "no_key" else sample
        book.reject(
            name,
            room,
            bad,
            "member.join.restricted.authoriser",
            notes,
            twin=f"{start}.joined",
            versions=versions,
        )
    if book.number <= 10:
        # The create event may name any text as the creator, whose join anybody can send.
        room = Room(book.version, {"creator": "bob"})
        room.member("bob", "join", ALICE)
        room.put(ALICE, JOIN_RULES, {"join_rule": rule}, "")
        bad = room.try_member(CAROL, "join", content={AUTHORISER: "bob"})
        notes = (
            "bob is a joined member and has the level, but bob is not a user ID, so no user authorises it."
        )
        book.reject(
            f"{start}.joined_no_user_id",
            room,
            bad,
            "member.join.restricted.authoriser",
            notes,
            twin=f"{start}.joined",
            odd=True,
            versions=since("8", "10") if rule == "restricted" else ("10",),
        )
    room = room_with("joined")
    cited = room.select(CAROL, MEMBER, {"membership": "join"}, CAROL)
    bad = room.try_member(CAROL, "join", content={AUTHORISER: BOB}, auth=cited)
    notes = "The authorising user is joined, but their membership is not among the event's auth events."
    book.reject(
        f"{start}.not_cited",
        room,
        bad,
        "member.join.restricted.authoriser",
        notes,
        twin=f"{start}.joined",
        versions=sample,
    )
    for before in ("leave", "knock"):
        room = room_with("joined")
        room.join_rule("public")
        room.was(CAROL, before)
        room.join_rule(rule)
        event = room.try_member(CAROL, "join", content={AUTHORISER: BOB})
        book.allow(f"{start}.joiner_{before}", room, event, "member.join.restricted.allowed", versions=sample)
    room = room_with("left")
    room.member(CAROL, "invite", ALICE)
    notes = "An invited user needs no authorising user, so an invalid one does not matter."
    event = room.try_member(CAROL, "join", content={AUTHORISER: BOB})
    versions = known if rule == "restricted" else sample
    book.allow(
        f"{start}.needless", room, event, "member.join.restricted.already_in", notes, versions=versions
    )


def _authoriser_levels(book: Book) -> None:
    """Levels of the authoriser just below, at and above the invite level, each explicit or by default."""
    rule_name = "member.join.restricted.authoriser"
    start = "member.join.restricted.level"

    def attempt(users: dict[str, int], **named: int) -> tuple[Room, str]:
        room = plain_room(book.version, users, joined=[BOB], **named)
        room.join_rule("restricted")
        return room, room.try_member(CAROL, "join", content={AUTHORISER: BOB})

    for label, level in (("below", 49), ("equal", 50), ("above", 51)):
        room, event = attempt({BOB: level}, invite=50)
        if level < 50:
            book.reject(
                f"{start}.{label}", room, event, rule_name, twin=f"{start}.equal", versions=RESTRICTED
            )
        else:
            book.allow(f"{start}.{label}", room, event, "member.join.restricted.allowed", versions=RESTRICTED)
    room, event = attempt({}, invite=50, users_default=50)
    book.allow(f"{start}.users_default", room, event, "member.join.restricted.allowed", versions=RESTRICTED)
    room, event = attempt({}, users_default=-1)
    notes = "The invite level is 0 if the power levels do not set it."
    book.reject(
        f"{start}.default_invite",
        room,
        event,
        rule_name,
        notes,
        twin=f"{start}.default_both",
        versions=RESTRICTED,
    )
    room, event = attempt({})
    book.allow(
        f"{start}.default_both", room, event, "member.join.restricted.allowed", notes, versions=RESTRICTED
    )


def _creators(book: Book) -> None:
    start = "member.join.restricted.creator"
    for label, joins in (("joined", True), ("not_joined", False)):
        room = Room(book.version, {"additional_creators": [BOB]})
        room.member(ALICE, "join")
        room.power(invite=MAX_INTEGER)
        room.join_rule("public")
        if joins:
            room.member(BOB, "join")
        room.join_rule("restricted")
        event = room.try_member(CAROL, "join", content={AUTHORISER: BOB})
        if joins:
            book.allow(
                f"{start}.{label}", room, event, "member.join.restricted.allowed", versions=since("12")
            )
        else:
            notes = (
                "A creator has every level, but can authorise a join only while joined. Matrix 1.17"
                " clarified this."
            )
            rule_name = "member.join.restricted.authoriser"
            book.reject(
                f"{start}.{label}",
                room,
                event,
                rule_name,
                notes,
                twin=f"{start}.joined",
                versions=since("12"),
            )
