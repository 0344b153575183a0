"""Cases for events whose content looks like that of an event for which the selection picks more auth events.

The auth events selection picks a third-party invite only for invites, an authorising user only for joins, and
join rules and members other than the sender only for member events.
"""

from typing import Any

from .auth_cases import Book
from .auth_third_party import offered, signed
from .constants import AUTHORISER, JOIN_RULES_KEY, MEMBER, THIRD_PARTY_INVITE
from .rooms import BOB, CAROL, plain_room
from .suite import SPEC
from .versions import ALL, since

FILE = "citing_content"

SELECTION = f"{SPEC}/server-server-api/#auth-events-selection"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    room = offered(book)
    content: dict[str, Any] = {"third_party_invite": {"display_name": "b...", "signed": signed()}}
    good = room.try_member(BOB, "join", content=content)
    usual = room.select(BOB, MEMBER, {"membership": "join"}, BOB)
    bad = room.try_member(
        BOB, "join", content=content, auth=[*usual, room.state[THIRD_PARTY_INVITE, "token"]]
    )
    book.pair(
        "auth_events.not_selected.token_of_join",
        room,
        bad,
        good,
        ("auth_events.not_selected", "member.join.public"),
        "The event cites an m.room.third_party_invite event and has its token, but it is a join.",
        versions=ALL,
        spec=SELECTION,
    )

    room = plain_room(book.version, {BOB: 50}, joined=[BOB])
    content = {"membership": "join"}
    usual = room.select(BOB, "org.example.state", {}, BOB)
    good = room.make(BOB, "org.example.state", content, BOB, auth=usual)
    cited = [*usual, room.state[JOIN_RULES_KEY]]
    bad = room.make(BOB, "org.example.state", content, BOB, auth=cited)
    book.pair(
        "auth_events.not_selected.like_a_join",
        room,
        bad,
        good,
        ("auth_events.not_selected", "otherwise"),
        "The event cites the join rules. Its content is that of a join, but it is not a member event.",
        versions=ALL,
        spec=SELECTION,
    )

    if book.number >= 8:
        room = plain_room(book.version, joined=[BOB, CAROL])
        content = {AUTHORISER: CAROL}
        usual = room.select(BOB, MEMBER, {"membership": "leave"}, BOB)
        good = room.try_member(BOB, "leave", content=content)
        bad = room.try_member(BOB, "leave", content=content, auth=[*usual, room.state[MEMBER, CAROL]])
        book.pair(
            "auth_events.not_selected.authoriser_of_leave",
            room,
            bad,
            good,
            ("auth_events.not_selected", "member.leave.self"),
            "The event cites the membership of an authorising user, but it is not a join.",
            versions=since("8"),
            spec=SELECTION,
        )
