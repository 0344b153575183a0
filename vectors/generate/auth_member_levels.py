"""Cases for member events, which do not obey ``events``, ``events_default`` and ``state_default``.

"Membership events are not subject to ``events``, ``events_default``, or ``state_default``." The specification
says so in the description of ``m.room.power_levels`` since 1.17. The rules always said so: a member event is
decided before the event type's required level is compared.
"""

from typing import Any

from .auth_cases import Book
from .auth_third_party import invite, offered, signed
from .constants import AUTHORISER, MEMBER
from .rooms import BOB, CAROL, Room, plain_room
from .suite import SPEC
from .versions import ALL, SAMPLE, Versions, since

FILE = "member_levels"

SENTENCE = f"{SPEC}/client-server-api/#mroompower_levels"

HIGH: dict[str, Any] = {"events": {MEMBER: 100}, "events_default": 100, "state_default": 100}
LOW: dict[str, Any] = {"events": {MEMBER: 0}, "events_default": 0, "state_default": 0}


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    for source, level in HIGH.items():
        for what in ("join", "kick"):
            _allow(
                book,
                source,
                what,
                {source: level},
                f"Only {source} is above the sender's level. It does not apply to member events.",
                SAMPLE,
            )
    notes = (
        "The sender is below events, events_default and state_default. These do not apply to member events."
    )
    for what in ("join", "profile", "invite", "third_party", "leave", "kick", "ban", "unban"):
        _allow(book, "all", what, HIGH, notes, ALL)
    if book.number >= 7:
        _allow(book, "all", "knock", HIGH, notes, since("7"))
    if book.number >= 8:
        _allow(book, "all", "restricted", HIGH, notes, since("8"))

    notes = "The sender reaches events, events_default and state_default, but these do not replace {}."
    for what, name, rule_name in (
        ("invite", "invite", "member.invite.otherwise"),
        ("kick", "kick", "member.leave.otherwise"),
        ("ban", "ban", "member.ban.otherwise"),
        ("unban", "ban and kick", "member.leave.banned"),
    ):
        room, event, _ = _attempt(book, what, {**LOW, "invite": 50}, level=0)
        book.reject(
            f"member.levels.low.{what}",
            room,
            event,
            rule_name,
            notes.format(name),
            twin=f"member.levels.all.{what}",
            versions=ALL,
            spec=SENTENCE,
        )


def _allow(
    book: Book, source: str, what: str, levels: dict[str, Any], notes: str, versions: Versions
) -> None:
    room, event, rule_name = _attempt(book, what, levels, level=50)
    name = f"member.levels.{source}.{what}"
    book.allow(name, room, event, rule_name, notes, versions=versions, spec=SENTENCE)


def _attempt(book: Book, what: str, levels: dict[str, Any], *, level: int) -> tuple[Room, str, str]:
    """Return a room, a member event in it, and the rule that decides.

    Args:
        levels: further content of the power levels.
        level: the level of Carol, who acts on Bob. Bob has level 0.
    """
    if what == "third_party":
        room = offered(book, **levels)
        return room, invite(room, signed()), "member.invite.third_party.signed"
    room = plain_room(book.version, {CAROL: level}, joined=[CAROL], **levels)
    if what == "join":
        return room, room.try_member(BOB, "join"), "member.join.public"
    if what == "invite":
        return room, room.try_member(BOB, "invite", CAROL), "member.invite.level"
    if what == "knock":
        room.join_rule("knock")
        return room, room.try_member(BOB, "knock"), "member.knock.allowed"
    if what == "restricted":
        room.join_rule("restricted")
        event = room.try_member(BOB, "join", content={AUTHORISER: CAROL})
        return room, event, "member.join.restricted.allowed"
    if what == "unban":
        room.was(BOB, "ban")
        return room, room.try_member(BOB, "leave", CAROL), "member.leave.level"
    room.was(BOB, "join")
    if what == "profile":
        return room, room.try_member(BOB, "join", content={"displayname": "Bob"}), "member.join.public"
    if what == "leave":
        return room, room.try_member(BOB, "leave"), "member.leave.self"
    membership = {"kick": "leave", "ban": "ban"}[what]
    return room, room.try_member(BOB, membership, CAROL), f"member.{membership}.level"
