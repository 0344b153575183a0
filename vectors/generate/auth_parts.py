"""Cases for single sentences about levels that no other case tells apart."""

from .auth_cases import Book
from .auth_levels import message, topic
from .constants import MAX_INTEGER, TOPIC
from .rooms import ALICE, BOB, CAROL, Room, plain_room
from .versions import since

FILE = "parts"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    if book.number <= 9:
        _text(book)
    if book.number <= 5:
        _float(book)
    if book.number >= 12:
        _creators(book)


def _text(book: Book) -> None:
    sample = ("1", "5", "6", "7", "9")
    for label, level in (("plus", "+1"), ("minus", "-1")):
        room = plain_room(book.version, {BOB: level}, joined=[BOB])
        notes = f"The level of the sender is the text {level!r}. A message requires 0."
        if label == "plus":
            name = "levels.text.plus"
            book.allow(name, room, message(room, BOB), "otherwise", notes, versions=sample)
        else:
            book.reject(
                "levels.text.minus",
                room,
                message(room, BOB),
                "required_level",
                notes,
                twin="levels.text.plus",
                versions=sample,
            )


def _float(book: Book) -> None:
    room = plain_room(book.version, {BOB: 1e16}, joined=[BOB])
    notes = "The level of the sender is the number 1e+16, written with an exponent. A topic requires 50."
    book.allow("levels.float.exponent", room, topic(room, BOB), "otherwise", notes, versions=("1", "3", "5"))


def _creators(book: Book) -> None:
    room = Room(book.version, {"additional_creators": [CAROL, BOB]})
    room.member(ALICE, "join")
    room.power(events={TOPIC: MAX_INTEGER})
    room.join_rule("public")
    room.member(BOB, "join")
    notes = "All additional creators have an infinite level, not only the first."
    book.allow("creators.second", room, topic(room, BOB), "otherwise", notes, versions=since("12"))
