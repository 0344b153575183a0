"""Cases for the rules that end a branch: without them, an event would reach the rules for other events.

A member event that no rule of its branch allows is rejected there. Its sender is joined and has the level for
state events, and its state key is the sender or has no ``@``. So the rules after the branch would allow it.
"""

from .auth_cases import Book
from .constants import MEMBER
from .rooms import ALICE, BOB, CAROL, MALLORY, plain_room
from .versions import ALL, since

FILE = "last_resort"

NOBODY = "carol:c.example.org"
"""The target of some member events. No rule requires that a target is a user ID."""


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _ends(book)
    _without_state_key(book)
    _unknown(book)
    if book.number >= 7:
        _knocks(book)


def _ends(book: Book) -> None:
    notes = "The rules after those on member events would allow it."
    room = plain_room(book.version, {BOB: 50}, joined=[BOB], kick=60, ban=60, invite=60)
    for membership, twin in (
        ("invite", "member.invite.none"),
        ("leave", "member.leave.kick.rank.below"),
        ("ban", "member.ban.rank.below"),
    ):
        event = room.try_member(NOBODY, membership, BOB)
        name = f"member.{membership}.last_resort"
        rule_name = f"member.{membership}.otherwise"
        book.reject(name, room, event, rule_name, notes, twin=twin, versions=ALL)
    room.join_rule("private")
    event = room.try_member(BOB, "join")
    twin = "member.join.profile.last_resort"
    book.reject(
        "member.join.last_resort", room, event, "member.join.otherwise", notes, twin=twin, versions=ALL
    )
    room.join_rule("public")
    book.allow(twin, room, room.try_member(BOB, "join"), "member.join.public", versions=ALL)


def _without_state_key(book: Book) -> None:
    """Member events without a state key, which name no target at all."""
    notes = "Nobody is the target, so nobody is above the sender or banned. That does not make it allowed."
    room = plain_room(book.version)
    for membership, twin in (
        ("invite", "member.invite.none"),
        ("leave", "member.leave.kick.rank.below"),
        ("ban", "member.ban.rank.below"),
    ):
        event = room.make(ALICE, MEMBER, {"membership": membership})
        name = f"member.no_state_key.{membership}"
        book.reject(name, room, event, "member.malformed", notes, twin=twin, versions=ALL)


def _unknown(book: Book) -> None:
    """Memberships that no rule names, by senders whom the rules on other memberships would allow it."""
    room = plain_room(book.version, {BOB: 50}, joined=[BOB])
    notes = "The rules after those on member events would allow it."
    event = room.try_member(BOB, "sit")
    twin = "member.join.profile.last_resort"
    book.reject("member.unknown.last_resort", room, event, "member.unknown", notes, twin=twin, versions=ALL)
    notes = "The sender may ban the target. That does not make it a ban."
    event = room.try_member(BOB, "sit", ALICE)
    twin = "member.ban.rank.below"
    book.reject("member.unknown.by_powerful", room, event, "member.unknown", notes, twin=twin, versions=ALL)


def _knocks(book: Book) -> None:
    versions = since("7")
    room = plain_room(book.version, {BOB: 50}, joined=[BOB])
    room.join_rule("knock")
    notes = "The rules after those on member events would allow it."
    event, twin = room.try_member(BOB, "knock"), "member.knock.knock.none"
    name, rule_name = "member.knock.last_resort", "member.knock.otherwise"
    book.reject(name, room, event, rule_name, notes, twin=twin, versions=versions)
    notes = "The sender could knock, and knocks for somebody else."
    event, rule_name = room.try_member(CAROL, "knock", MALLORY), "member.knock.sender_is_target"
    book.reject(
        "member.knock.for_other.stranger", room, event, rule_name, notes, twin=twin, versions=versions
    )
    notes = "The sender could knock. That does not make it a knock."
    event, state = room.try_member(MALLORY, "sit"), list(room.state.values())
    name = "member.unknown.by_stranger"
    book.reject(name, room, event, "member.unknown", notes, twin=twin, state=state, versions=versions)
