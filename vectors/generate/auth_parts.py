"""Cases for single sentences and small slips that no other case tells apart."""

from .auth_cases import Book
from .auth_levels import message, topic
from .constants import CREATE, MAX_INTEGER, POWER_LEVELS, TOPIC
from .rooms import ALICE, BOB, CAROL, Room, plain_room
from .versions import ONE_PER_LIST, since

FILE = "parts"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _beside(book)
    _create(book)
    if book.number <= 9:
        _text(book)
    if book.number <= 5:
        _float(book)
    if book.number >= 12:
        _creators(book)


def _beside(book: Book) -> None:
    """Changes up to the sender's level, in power levels that have a higher one."""
    events = {POWER_LEVELS: 0, TOPIC: 100}
    room = plain_room(book.version, {BOB: 50}, joined=[BOB], events=events, ban=40, users_default=0)
    for label, named, what in (
        ("raised", {"ban": 50, "users_default": 0}, "Bob raises the ban level to his own, 50."),
        ("removed", {"users_default": 0}, "Bob removes the ban level, 40."),
    ):
        content = room.levels({BOB: 50}, events=events, **named)
        event = room.make(BOB, POWER_LEVELS, content, "")
        notes = f"{what} The level for topics is above his, and stays as it is."
        name = f"power_levels.beside_above.{label}"
        book.allow(name, room, event, "power_levels.allowed", notes, versions=ONE_PER_LIST)


def _create(book: Book) -> None:
    room = Room(book.version)
    notes = "The state before a create event is empty. No rule for create events reads it."
    name = "create.against_empty_state"
    book.allow(name, room, room.create, "create.allowed", notes, state=[], versions=ONE_PER_LIST)
    content = {**room.events[room.create]["content"], "m.federate": True}
    event = room.make(ALICE, CREATE, content, "", prev=[room.create])
    book.reject(
        f"{name}.prev_events",
        room,
        event,
        "create.has_prev_events",
        "It follows another event, whatever the state is.",
        twin=name,
        state=[],
        versions=ONE_PER_LIST,
    )

    other = "10" if book.version != "10" else "9"
    room = Room(book.version, {"room_version": other})
    notes = (
        f"The event names room version {other}, which is a recognised one. No rule requires that it names the"
        " version whose rules are applied."
    )
    name = "create.room_version.recognised"
    book.allow(name, room, room.create, "create.allowed", notes, versions=ONE_PER_LIST)


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
