"""Cases for invites, leaving, kicks, bans and unbans."""

from typing import Any

from .auth_cases import Book
from .constants import MAX_INTEGER
from .rooms import ALICE, BOB, CAROL, MEMBERSHIPS, Room, plain_room
from .versions import ALL, SAMPLE, since

FILE = "invite_leave_ban"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _invites(book)
    _leaves(book)
    _by_whom(book)
    _levels(book)
    _ranks(book)
    _unbans(book)
    _no_power_levels(book)
    if book.number >= 12:
        _creators(book)


def _invites(book: Book) -> None:
    for before, known in MEMBERSHIPS.items():
        if book.version not in known:
            continue
        room = plain_room(book.version)
        room.was(BOB, before)
        event = room.try_member(BOB, "invite", ALICE)
        name = f"member.invite.{before}"
        if before in ("join", "ban"):
            book.reject(
                name, room, event, "member.invite.target_in_room", twin="member.invite.none", versions=ALL
            )
        else:
            versions = known if before in ("none", "knock") else SAMPLE
            book.allow(name, room, event, "member.invite.level", versions=versions)


def _leaves(book: Book) -> None:
    for before, known in MEMBERSHIPS.items():
        if book.version not in known:
            continue
        room = plain_room(book.version)
        room.was(BOB, before)
        event = room.try_member(BOB, "leave")
        name = f"member.leave.self.{before}"
        if before in ("invite", "join", "knock"):
            book.allow(name, room, event, "member.leave.self", versions=known)
        else:
            notes = (
                "A user who has already left cannot leave again. gomatrixserverlib allows this."
                if before == "leave"
                else ""
            )
            book.reject(
                name, room, event, "member.leave.self", notes, twin="member.leave.self.join", versions=ALL
            )
        versions = known if before in ("none", "knock") else SAMPLE
        kick = room.try_member(BOB, "leave", ALICE)
        notes = (
            "A kick does not require that the target is in the room." if before in ("none", "leave") else ""
        )
        book.allow(f"member.leave.kick.{before}", room, kick, "member.leave.level", notes, versions=versions)
        ban = room.try_member(BOB, "ban", ALICE)
        book.allow(f"member.ban.{before}", room, ban, "member.ban.level", versions=versions)
    if book.number < 7:
        room = plain_room(book.version)
        room.member(BOB, "knock")
        event = room.try_member(BOB, "leave")
        notes = (
            "Knocking exists only from version 7 on. No server would accept the knock that is in this state."
        )
        name = "member.leave.self.knock"
        book.reject(
            name,
            room,
            event,
            "member.leave.self",
            notes,
            twin="member.leave.self.join",
            odd=True,
            versions=since("1", "6"),
        )


def _by_whom(book: Book) -> None:
    """Invites, kicks and bans by a sender who has the level but is not in the room."""
    for membership in ("invite", "leave", "ban"):
        start = f"member.{'leave.kick' if membership == 'leave' else membership}.sender"
        for before in ("none", "leave", "invite", "join"):
            room = plain_room(book.version, {CAROL: 60})
            room.was(CAROL, before)
            event = room.try_member(BOB, membership, CAROL)
            if before == "join":
                book.allow(f"{start}.{before}", room, event, f"member.{membership}.level", versions=ALL)
            else:
                rule_name = f"member.{membership}.sender_not_joined"
                versions = ALL if before == "none" else SAMPLE
                book.reject(
                    f"{start}.{before}", room, event, rule_name, twin=f"{start}.join", versions=versions
                )


def _levels(book: Book) -> None:
    """Levels of the sender just below, at and above the required level, explicit and by default."""
    for membership, name, default in (("invite", "invite", 0), ("leave", "kick", 50), ("ban", "ban", 50)):
        start = f"member.{'leave.kick' if membership == 'leave' else membership}.level"
        for label, by in (("below", -1), ("equal", 0), ("above", 1)):
            for where, needed in (("given", 30), ("default", default)):
                if where == "default" and by == 1:
                    continue
                level = needed + by
                named = {name: needed} if where == "given" else {}
                room = plain_room(book.version, {CAROL: level, BOB: -10}, joined=[CAROL], **named)
                event = room.try_member(BOB, membership, CAROL)
                versions = ALL if where == "given" and by <= 0 else SAMPLE
                if by < 0:
                    rule_name = f"member.{membership}.otherwise"
                    book.reject(
                        f"{start}.{where}.{label}",
                        room,
                        event,
                        rule_name,
                        twin=f"{start}.{where}.equal",
                        versions=versions,
                    )
                else:
                    book.allow(
                        f"{start}.{where}.{label}",
                        room,
                        event,
                        f"member.{membership}.level",
                        versions=versions,
                    )


def _ranks(book: Book) -> None:
    """Levels of the target just below, at and above the sender's."""
    for membership in ("leave", "ban"):
        start = f"member.{'leave.kick' if membership == 'leave' else 'ban'}.rank"
        rule_name = f"member.{membership}.otherwise"
        for label, level in (("below", 59), ("equal", 60), ("above", 61)):
            room = plain_room(book.version, {CAROL: 60, BOB: level}, joined=[CAROL])
            event = room.try_member(BOB, membership, CAROL)
            if level < 60:
                book.allow(f"{start}.{label}", room, event, f"member.{membership}.level", versions=ALL)
            else:
                notes = (
                    "The target has the same level as the sender, so the sender cannot remove them."
                    if label == "equal"
                    else ""
                )
                versions = ALL if label == "equal" and membership == "leave" else SAMPLE
                book.reject(
                    f"{start}.{label}",
                    room,
                    event,
                    rule_name,
                    notes,
                    twin=f"{start}.below",
                    versions=versions,
                )
        room = plain_room(book.version, {CAROL: 60}, joined=[CAROL], users_default=60)
        event = room.try_member(BOB, membership, CAROL)
        notes = "The target has no entry in users, so users_default is their level."
        book.reject(
            f"{start}.users_default", room, event, rule_name, notes, twin=f"{start}.below", versions=SAMPLE
        )
    room = plain_room(book.version, {CAROL: 60}, joined=[CAROL])
    event = room.try_member(CAROL, "ban")
    notes = "The sender's level is not above their own, so they cannot ban themselves."
    book.reject(
        "member.ban.self",
        room,
        event,
        "member.ban.otherwise",
        notes,
        twin="member.ban.rank.below",
        versions=ALL,
    )


def _unbans(book: Book) -> None:
    def lifting(level: int, target: int = 0, **named: Any) -> tuple[Room, str]:
        room = plain_room(book.version, {CAROL: level}, joined=[CAROL], **named)
        room.member(BOB, "ban", ALICE)
        if target:
            room.power({CAROL: level, BOB: target}, **named)
        return room, room.try_member(BOB, "leave", CAROL)

    start = "member.leave.unban"
    for label, level in (("below", 59), ("equal", 60), ("above", 61)):
        room, event = lifting(level, ban=60, kick=50)
        if level < 60:
            book.reject(
                f"{start}.ban_{label}",
                room,
                event,
                "member.leave.banned",
                twin=f"{start}.ban_equal",
                versions=ALL,
            )
        else:
            book.allow(f"{start}.ban_{label}", room, event, "member.leave.level", versions=ALL)
    notes = (
        "An unban requires the kick level as well as the ban level. gomatrixserverlib checks only the ban"
        " level."
    )
    for label, level in (("below", 59), ("equal", 60)):
        room, event = lifting(level, ban=50, kick=60)
        if level < 60:
            book.reject(
                f"{start}.kick_{label}",
                room,
                event,
                "member.leave.otherwise",
                notes,
                twin=f"{start}.kick_equal",
                versions=ALL,
            )
        else:
            book.allow(f"{start}.kick_{label}", room, event, "member.leave.level", notes, versions=ALL)
    notes = "An unban requires a level above the banned user's. gomatrixserverlib does not check this."
    for label, target in (("below", 59), ("equal", 60)):
        room, event = lifting(60, target)
        if target < 60:
            book.allow(f"{start}.rank_{label}", room, event, "member.leave.level", notes, versions=ALL)
        else:
            rule_name = "member.leave.otherwise"
            book.reject(
                f"{start}.rank_{label}",
                room,
                event,
                rule_name,
                notes,
                twin=f"{start}.rank_below",
                versions=ALL,
            )


def _no_power_levels(book: Book) -> None:
    """Without power levels the creator has level 100 and everyone else 0."""
    room = Room(book.version)
    room.member(ALICE, "join")
    room.join_rule("public")
    room.member(CAROL, "join")
    for membership in ("invite", "leave", "ban"):
        start = f"member.{'leave.kick' if membership == 'leave' else membership}.no_power_levels"
        event = room.try_member(BOB, membership, ALICE)
        book.allow(f"{start}.creator", room, event, f"member.{membership}.level", versions=SAMPLE)
        event = room.try_member(BOB, membership, CAROL)
        if membership == "invite":
            book.allow(f"{start}.other", room, event, "member.invite.level", versions=SAMPLE)
        else:
            book.reject(
                f"{start}.other",
                room,
                event,
                f"member.{membership}.otherwise",
                twin=f"{start}.creator",
                versions=SAMPLE,
            )
        if membership != "invite":
            event = room.try_member(ALICE, membership, CAROL)
            rule_name = f"member.{membership}.otherwise"
            book.reject(
                f"{start}.against_creator", room, event, rule_name, twin=f"{start}.creator", versions=SAMPLE
            )


def _creators(book: Book) -> None:
    """In version 12 every creator is above every integer level, and creators are equals."""
    room = Room(book.version, {"additional_creators": [BOB]})
    room.member(ALICE, "join")
    room.power({CAROL: MAX_INTEGER})
    room.join_rule("public")
    room.member(BOB, "join")
    room.member(CAROL, "join")
    for membership in ("leave", "ban"):
        start = f"member.{'leave.kick' if membership == 'leave' else 'ban'}.creators"
        for label, sender, target, may in (
            ("over_all", ALICE, CAROL, True),
            ("additional_over_all", BOB, CAROL, True),
            ("by_highest", CAROL, ALICE, False),
            ("additional_by_highest", CAROL, BOB, False),
            ("by_additional", BOB, ALICE, False),
            ("of_additional", ALICE, BOB, False),
        ):
            event = room.try_member(target, membership, sender)
            if may:
                book.allow(
                    f"{start}.{label}", room, event, f"member.{membership}.level", versions=since("12")
                )
            else:
                notes = (
                    "Every creator is above 2^53 - 1, the greatest integer. Creators are equal to each other."
                )
                rule_name = f"member.{membership}.otherwise"
                book.reject(
                    f"{start}.{label}",
                    room,
                    event,
                    rule_name,
                    notes,
                    twin=f"{start}.over_all",
                    versions=since("12"),
                )
