"""Cases of ``verify_signatures`` for the signature of the authorising user's server.

The operation ``auth`` assumes that an event's own signatures have been verified, so the cases of this one
rule are cases of ``verify_signatures``.
"""

from typing import Any

from .auth_cases import Book
from .auth_third_party import key
from .constants import AUTHORISER
from .rooms import BOB, CAROL, ROOM_KEY_ID, Room, plain_room, server_of
from .suite import page
from .versions import Versions, since

FILE = "authoriser_signature"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    content = {AUTHORISER: BOB}
    if book.number < 8:
        room = plain_room(book.version, joined=[BOB])
        event = room.try_member(CAROL, "join", content=content)
        notes = "Before version 8 the key has no meaning, and only the sender's server must sign."
        _verify(book, "ignored", room, event, True, notes, versions=since("1", "7"))
        return
    for rule in ("public", "restricted"):
        room = plain_room(book.version, joined=[BOB])
        if rule != "public":
            room.join_rule(rule)
        event = room.try_member(CAROL, "join", content=content)
        notes = "The signature is required under every join rule."
        _verify(book, f"{rule}.both", room, event, True, notes, versions=since("8"))
        _verify(
            book, f"{rule}.without", room, event, False, notes, without=server_of(BOB), versions=since("8")
        )
        _verify(book, f"{rule}.forged", room, event, False, notes, forged=server_of(BOB), versions=since("8"))


def _verify(
    book: Book,
    label: str,
    room: Room,
    event: str,
    valid: bool,
    notes: str,
    *,
    versions: Versions,
    without: str = "",
    forged: str = "",
) -> None:
    pdu: dict[str, Any] = {**room.events[event]}
    pdu["signatures"] = {server: by for server, by in pdu["signatures"].items() if server != without}
    if forged:
        pdu["signatures"][forged] = pdu["signatures"][server_of(CAROL)]
    servers = sorted(
        {server_of(BOB), server_of(CAROL), *([server_of(pdu["event_id"])] if "event_id" in pdu else [])}
    )
    group = "verify_signatures.authoriser"
    book.write(
        group,
        label,
        {"event": pdu, "keys": {server: {ROOM_KEY_ID: {"key": key(server)}} for server in servers}},
        {"valid": valid},
        page(book.version, "authorisation-rules"),
        rule_name="" if valid else "member.authoriser_signature",
        notes=notes,
        twin="" if valid else book.full_name(group, f"{label.partition('.')[0]}.both"),
        versions=versions,
    )
