"""Cases for joins, and for member events that are malformed or have an unknown membership."""

from typing import Any

from .auth_cases import Book
from .constants import JOIN_RULES, JOIN_RULES_KEY, MEMBER, MESSAGE
from .rooms import ALICE, BOB, CAROL, HELLO, MALLORY, MEMBERSHIPS, Room, plain_room
from .suite import differ
from .versions import ALL, Versions, since

FILE = "join"

# One version for each set of join rules.
JOIN_SAMPLE: Versions = ("1", "7", "8", "10", "12")

RULES = ("public", "invite", "private", "knock", "restricted", "knock_restricted")

_WHO = {
    "private": "No room version has this join rule. gomatrixserverlib lets invited and joined users join.",
    "knock": (
        "This join rule exists from version 7 on. In earlier versions nobody can join, not even invited"
        " users."
    ),
    "restricted": (
        "This join rule exists from version 8 on. In earlier versions nobody can join, not even invited"
        " users."
    ),
    "knock_restricted": (
        "This join rule exists from version 10 on. In earlier versions nobody can join, not even invited"
        " users. gomatrixserverlib supports it from version 7 on."
    ),
}


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _first(book)
    for rule in RULES:
        for before, known in MEMBERSHIPS.items():
            if book.version in known:
                _one(book, rule, before, versions=known)
    _odd_rules(book)
    _other(book)
    _malformed(book)


def _first(book: Book) -> None:
    version, number = book.version, book.number
    room = Room(version)
    book.allow("member.join.first", room, room.try_member(ALICE, "join"), "member.join.creator", versions=ALL)
    notes = (
        "The rule checks the target, not the sender, and comes before the rule on the sender."
        " gomatrixserverlib rejects this."
    )
    event = room.try_member(ALICE, "join", MALLORY)
    book.allow("member.join.first.by_other", room, event, "member.join.creator", notes, versions=ALL)
    bad = room.try_member(ALICE, "join", prev=[room.create, room.create])
    notes = (
        "The create event is listed twice in prev_events, so it is not the only entry. Synapse and ruma"
        " count the entries."
    )
    book.reject(
        "member.join.first.twice",
        room,
        bad,
        "member.join.otherwise",
        notes,
        twin="member.join.first",
        versions=ALL,
    )
    bad = room.try_member(BOB, "join")
    book.reject(
        "member.join.first.stranger",
        room,
        bad,
        "member.join.otherwise",
        twin="member.join.first",
        versions=ALL,
    )
    bad = room.try_member(ALICE, "join", prev=[room.make(ALICE, MESSAGE, {}), room.create])
    notes = "The create event is not the only previous event."
    book.reject(
        "member.join.first.late",
        room,
        bad,
        "member.join.otherwise",
        notes,
        twin="member.join.first",
        versions=ALL,
    )

    room = plain_room(version)
    room.join_rule("invite")
    room.member(ALICE, "leave")
    bad = room.try_member(ALICE, "join")
    notes = "Its only previous event is not the create event. The creator needs an invite to come back."
    book.reject(
        "member.join.first.later",
        room,
        bad,
        "member.join.otherwise",
        notes,
        twin="member.join.first",
        versions=ALL,
    )

    if number <= 10:
        room = Room(version, {"creator": BOB})
        notes = (
            "The creator is the user in the content of the create event. gomatrixserverlib uses the sender."
        )
        book.allow(
            "member.join.first.named",
            room,
            room.try_member(BOB, "join"),
            "member.join.creator",
            notes,
            versions=since("1", "10"),
        )
        bad = room.try_member(ALICE, "join")
        twin = "member.join.first.named"
        book.reject(
            "member.join.first.sender",
            room,
            bad,
            "member.join.otherwise",
            notes,
            twin=twin,
            versions=since("1", "10"),
        )
    else:
        room = Room(version, {"creator": BOB})
        notes = (
            "The creator is the sender of the create event. The creator in the content has no meaning from"
            " version 11 on."
        )
        book.allow(
            "member.join.first.sender",
            room,
            room.try_member(ALICE, "join"),
            "member.join.creator",
            notes,
            versions=since("11"),
        )
        bad = room.try_member(BOB, "join")
        twin = "member.join.first.sender"
        book.reject(
            "member.join.first.named",
            room,
            bad,
            "member.join.otherwise",
            notes,
            twin=twin,
            versions=since("11"),
        )
    if number >= 12:
        room = Room(version, {"additional_creators": [BOB]})
        bad = room.try_member(BOB, "join")
        notes = "The rule on the creator's first join does not apply to additional creators."
        twin = "member.join.first"
        book.reject(
            "member.join.first.additional",
            room,
            bad,
            "member.join.otherwise",
            notes,
            twin=twin,
            versions=since("12"),
        )


def _one(book: Book, rule: str, before: str, *, versions: Versions) -> None:
    """Write a join under one join rule and with one previous membership."""
    number = book.number
    room = plain_room(book.version)
    room.was(BOB, before)
    current = room.events[room.state[JOIN_RULES_KEY]]["content"]["join_rule"]
    if rule != current:
        room.join_rule(rule, **({"allow": []} if "restricted" in rule else {}))
    event = room.try_member(BOB, "join")
    name = f"member.join.{rule}.{before}"
    inside = before in ("invite", "join")
    restricted = (rule == "restricted" and number >= 8) or (rule == "knock_restricted" and number >= 10)
    if before == "ban":
        book.reject(
            name, room, event, "member.join.banned", twin="member.join.public.none", versions=versions
        )
    elif rule == "public":
        book.allow(name, room, event, "member.join.public", versions=versions)
    elif (rule == "invite" or (rule == "knock" and number >= 7)) and inside:
        book.allow(name, room, event, "member.join.invited", versions=versions)
    elif restricted and inside:
        book.allow(name, room, event, "member.join.restricted.already_in", versions=versions)
    else:
        rule_name = "member.join.restricted.authoriser" if restricted else "member.join.otherwise"
        notes = "" if restricted else _WHO.get(rule, "")
        book.reject(
            name, room, event, rule_name, notes, twin=f"member.join.public.{before}", versions=versions
        )


def _odd_rules(book: Book) -> None:
    values: list[tuple[str, dict[str, Any]]] = [
        ("null", {"join_rule": None}),
        ("number", {"join_rule": 5}),
        ("list", {"join_rule": ["public"]}),
        ("case", {"join_rule": "Public"}),
    ]
    for label, content in values:
        room = plain_room(book.version)
        room.put(ALICE, JOIN_RULES, content, "")
        room.member(BOB, "invite", ALICE)
        notes = "The value is not one of the join rules, so an invite does not help."
        event = room.try_member(BOB, "join")
        name = f"member.join.rule_{label}"
        book.reject(
            name,
            room,
            event,
            "member.join.otherwise",
            notes,
            twin="member.join.invite.invite",
            versions=JOIN_SAMPLE,
        )
    for label in ("no_event", "no_key"):
        room = Room(book.version)
        room.member(ALICE, "join")
        room.power()
        if label == "no_key":
            room.put(ALICE, JOIN_RULES, {}, "")
        bad = room.try_member(BOB, "join")
        notes = "No implementation treats a missing join rule as public."
        name = f"member.join.{label}"
        twin = "member.join.public.none"
        book.reject(
            f"{name}.stranger", room, bad, "member.join.otherwise", notes, twin=twin, versions=JOIN_SAMPLE
        )
        room.member(BOB, "invite", ALICE)
        notes = (
            "Disputed: the specification does not say what a missing join rule means. Synapse and"
            " gomatrixserverlib treat it as invite and allow this; ruma rejects every join."
        )
        good = room.try_member(BOB, "join")
        book.allow(
            f"{name}.invited",
            room,
            good,
            "member.join.invited",
            notes,
            disputed=differ("Synapse and gomatrixserverlib", "ruma"),
            versions=ALL,
        )


def _other(book: Book) -> None:
    room = plain_room(book.version, joined=[BOB])
    for label, sender, versions in (
        ("joined", BOB, ALL),
        ("creator", ALICE, JOIN_SAMPLE),
        ("stranger", MALLORY, JOIN_SAMPLE),
    ):
        bad = room.try_member(CAROL, "join", sender)
        name = f"member.join.for_other.{label}"
        book.reject(
            name, room, bad, "member.join.sender_is_target", twin="member.join.public.none", versions=versions
        )
    notes = "The key third_party_invite has no meaning in a join."
    event = room.try_member(CAROL, "join", content={"third_party_invite": {}})
    book.allow(
        "member.join.with_third_party_invite", room, event, "member.join.public", notes, versions=JOIN_SAMPLE
    )
    room.member(BOB, "join")
    event = room.try_member(BOB, "join", content={"displayname": "Bob"})
    book.allow(
        "member.join.profile",
        room,
        event,
        "member.join.public",
        "A profile change is a join event.",
        versions=JOIN_SAMPLE,
    )
    odd = {"displayname": False, "avatar_url": 5, "is_direct": "no"}
    notes = "No rule reads the display name, the avatar or is_direct, so their types do not matter."
    event = room.try_member(BOB, "join", content=odd)
    book.allow("member.join.odd_profile", room, event, "member.join.public", notes, versions=JOIN_SAMPLE)


def _malformed(book: Book) -> None:
    room = plain_room(book.version)
    twin = "member.join.public.none"
    bad = room.make(BOB, MEMBER, {"membership": "join"})
    book.reject("member.no_state_key", room, bad, "member.malformed", twin=twin, versions=ALL)
    bad = room.make(BOB, MEMBER, {}, BOB)
    book.reject("member.no_membership", room, bad, "member.malformed", twin=twin, versions=JOIN_SAMPLE)
    room.put(BOB, MEMBER, {}, BOB)
    event = room.make(BOB, MESSAGE, HELLO)
    notes = (
        "The state contains a member event without a membership, which should not happen. The sender does"
        " not count as joined."
    )
    book.reject(
        "member.no_membership.in_state",
        room,
        event,
        "sender.not_joined",
        notes,
        twin="state.joined",
        odd=True,
        versions=ALL,
    )
    room = plain_room(book.version)
    values: list[tuple[str, Any, Versions]] = [
        ("word", "sit", ALL),
        ("case", "Join", JOIN_SAMPLE),
        ("empty", "", JOIN_SAMPLE),
        ("null", None, JOIN_SAMPLE),
        ("number", 5, JOIN_SAMPLE),
        ("list", ["join"], JOIN_SAMPLE),
    ]
    for label, value, versions in values:
        notes = "The membership is present, but it is not one that the rules know."
        bad = room.make(BOB, MEMBER, {"membership": value}, BOB)
        book.reject(
            f"member.unknown.{label}", room, bad, "member.unknown", notes, twin=twin, versions=versions
        )
    if book.number < 7:
        for rule in ("public", "knock"):
            room.join_rule(rule)
            bad = room.try_member(BOB, "knock")
            notes = "Knocking exists only from version 7 on."
            book.reject(
                f"member.unknown.knock_{rule}", room, bad, "member.unknown", notes, twin=twin, versions=("1",)
            )
