"""Cases for the sender's membership, the level that an event type requires, and state keys with an @."""

from typing import Any

from .auth_cases import Book
from .constants import JOIN_RULES, MAX_INTEGER, MESSAGE, POWER_LEVELS, REDACTION, TOPIC
from .rooms import ALICE, BOB, CAROL, HELLO, MALLORY, MEMBERSHIPS, Room, plain_room
from .versions import ALL, ONE_PER_LIST, SAMPLE, Versions, since

FILE = "levels"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _senders(book)
    _required(book)
    _no_power_levels(book)
    _creator_listed_or_not(book)
    _state_keys(book)
    _spellings(book)
    if book.number >= 3:
        _redactions(book)
    if book.number >= 12:
        _creators(book)


def message(room: Room, sender: str) -> str:
    """Build a message."""
    return room.make(sender, MESSAGE, HELLO)


def topic(room: Room, sender: str) -> str:
    """Build a topic."""
    return room.make(sender, TOPIC, {"topic": "Vectors"}, "")


def _senders(book: Book) -> None:
    for before, known in MEMBERSHIPS.items():
        if book.version not in known:
            continue
        room = plain_room(book.version, {BOB: 100 if before != "ban" else 99})
        room.was(BOB, before)
        for label, event in (("message", message(room, BOB)), ("state", topic(room, BOB))):
            name = f"sender.{label}.{before}"
            if before == "join":
                versions = ALL if label == "message" else SAMPLE
                book.allow(name, room, event, "otherwise", versions=versions)
            elif label == "message" or before == "leave":
                versions = known if before in ("none", "knock") else SAMPLE
                book.reject(
                    name, room, event, "sender.not_joined", twin=f"sender.{label}.join", versions=versions
                )
    room = Room(book.version)
    notes = "The creator must also join before sending other events."
    book.reject(
        "sender.creator",
        room,
        topic(room, ALICE),
        "sender.not_joined",
        notes,
        twin="sender.state.join",
        versions=SAMPLE,
    )


def _required(book: Book) -> None:
    """Levels of the sender just below, at and above the required level, each from every possible source."""

    def one(name: str, level: int, needed: int, state: bool, *, versions: Versions, **named: Any) -> None:
        listed = {} if "users_default" in named else {BOB: level}
        room = plain_room(book.version, listed, joined=[BOB], **named)
        event = topic(room, BOB) if state else message(room, BOB)
        label = "below" if level < needed else "equal" if level == needed else "above"
        full = f"required.{name}.{label}"
        if level < needed:
            book.reject(full, room, event, "required_level", twin=f"required.{name}.equal", versions=versions)
        else:
            book.allow(full, room, event, "otherwise", versions=versions)

    for level in (29, 30, 31):
        versions = ALL if level <= 30 else SAMPLE
        one("state_default", level, 30, True, state_default=30, versions=versions)
        one("events_default", level, 30, False, events_default=30, versions=SAMPLE)
        one(
            "events_state", level, 30, True, events={TOPIC: 30, MESSAGE: 0}, state_default=99, versions=SAMPLE
        )
        one(
            "events_message",
            level,
            30,
            False,
            events={MESSAGE: 30, TOPIC: 0},
            events_default=99,
            versions=SAMPLE,
        )
    for level in (29, 30):
        one("users_default", level, 30, True, users_default=level, events={TOPIC: 30}, versions=ONE_PER_LIST)
    for level in (49, 50):
        one("default_state", level, 50, True, versions=SAMPLE)
    for level in (-1, 0):
        one("default_message", level, 0, False, versions=SAMPLE)
    notes = (
        "events_default is for every type of message that events does not list, not only for m.room.message."
    )
    room = plain_room(book.version, {BOB: -1, CAROL: 0}, joined=[BOB, CAROL])
    sent = [room.make(user, "m.sticker", {"body": "Hi"}) for user in (CAROL, BOB)]
    name = "required.other_message.equal"
    book.allow(name, room, sent[0], "otherwise", notes, versions=SAMPLE)
    book.reject(
        "required.other_message.below", room, sent[1], "required_level", notes, twin=name, versions=SAMPLE
    )


def _no_power_levels(book: Book) -> None:
    room = Room(book.version)
    room.member(ALICE, "join")
    room.join_rule("public")
    room.member(BOB, "join")
    book.allow("no_power_levels.creator_state", room, topic(room, ALICE), "otherwise", versions=ALL)
    book.allow("no_power_levels.other_message", room, message(room, BOB), "otherwise", versions=ALL)
    notes = "State events require level 50 if the room has no power levels. Old implementations required 0."
    twin = "no_power_levels.creator_state"
    book.reject(
        "no_power_levels.other_state",
        room,
        topic(room, BOB),
        "required_level",
        notes,
        twin=twin,
        versions=ALL,
    )
    bad = room.make(BOB, POWER_LEVELS, {"users": {BOB: 100}}, "")
    twin = "power_levels.first.plain"
    book.reject(
        "no_power_levels.other_power_levels", room, bad, "required_level", notes, twin=twin, versions=ALL
    )

    named = Room(book.version, {"creator": BOB})
    named.member(BOB if book.number <= 10 else ALICE, "join")
    content = {"join_rule": "public"}
    named.put(BOB if book.number <= 10 else ALICE, JOIN_RULES, content, "")
    named.member(ALICE if book.number <= 10 else BOB, "join")
    creator, other = (BOB, ALICE) if book.number <= 10 else (ALICE, BOB)
    notes = (
        "The creator is the user in the content of the create event, not its sender."
        if book.number <= 10
        else "The creator is the sender of the create event, not the user in its content."
    )
    book.allow(
        "no_power_levels.named.creator", named, topic(named, creator), "otherwise", notes, versions=ALL
    )
    twin = "no_power_levels.named.creator"
    book.reject(
        "no_power_levels.named.other",
        named,
        topic(named, other),
        "required_level",
        notes,
        twin=twin,
        versions=ALL,
    )


def _creator_listed_or_not(book: Book) -> None:
    room = Room(book.version)
    room.member(ALICE, "join")
    room.put(ALICE, POWER_LEVELS, {}, "")
    if book.number <= 11:
        notes = "Once the room has power levels, the creator has only the level that they give."
        twin = "no_power_levels.creator_state"
        book.reject(
            "creator.not_listed",
            room,
            topic(room, ALICE),
            "required_level",
            notes,
            twin=twin,
            versions=since("1", "11"),
        )
    else:
        notes = "A creator has every level, whatever the power levels say."
        book.allow("creator.not_listed", room, topic(room, ALICE), "otherwise", notes, versions=since("12"))


def _state_keys(book: Book) -> None:
    room = plain_room(book.version, {BOB: 50}, joined=[BOB])
    kind = "org.example.state"
    for label, key, versions in (
        ("own", BOB, ALL),
        ("not_first", "_@alice:a.example.org", SAMPLE),
        ("empty", "", SAMPLE),
    ):
        book.allow(f"state_key.{label}", room, room.make(BOB, kind, {}, key), "otherwise", versions=versions)
    longer = BOB + "x"
    for label, sender, key, versions in (
        ("other", BOB, ALICE, ALL),
        ("powerful", ALICE, BOB, SAMPLE),
        ("no_user_id", BOB, "@foo", ALL),
        ("at_alone", BOB, "@", SAMPLE),
        ("longer", BOB, longer, SAMPLE),
        ("case", BOB, BOB.replace("bob", "Bob"), SAMPLE),
    ):
        notes = "The sender's higher level does not help." if label == "powerful" else ""
        bad = room.make(sender, kind, {}, key)
        book.reject(
            f"state_key.{label}",
            room,
            bad,
            "state_key.of_other_user",
            notes,
            twin="state_key.own",
            versions=versions,
        )


def _spellings(book: Book) -> None:
    """Levels that are not JSON integers, in the power levels of the room's state."""
    if book.number <= 9:
        for label, level, needed in (
            ("equal", "50", "50"),
            ("spaces", " +0050 ", 50),
            ("wide_spaces", "\u2003050\u2003", 50),
            ("number", 50, " 50"),
            ("negative", "-5", "-05"),
        ):
            room = plain_room(book.version, {BOB: level}, joined=[BOB], events={TOPIC: needed})
            notes = "Up to version 9 a level may be a string that contains an integer."
            book.allow(
                f"spelling.string.{label}",
                room,
                topic(room, BOB),
                "otherwise",
                notes,
                versions=since("1", "9"),
            )
        room = plain_room(book.version, {BOB: "49"}, joined=[BOB], events={TOPIC: "50"})
        twin = "spelling.string.equal"
        book.reject(
            "spelling.string.below",
            room,
            topic(room, BOB),
            "required_level",
            twin=twin,
            versions=since("1", "9"),
        )
        room = plain_room(book.version, {BOB: "9"}, joined=[BOB], events={TOPIC: "10"})
        notes = "Levels are compared as numbers, not as strings."
        book.reject(
            "spelling.string.digits",
            room,
            topic(room, BOB),
            "required_level",
            notes,
            twin=twin,
            versions=since("1", "9"),
        )
    if book.number <= 5:
        notes = (
            "Up to version 5 the fraction of a level is dropped, as Matrix 1.18 clarified. ruma rejects"
            " every float."
        )
        for label, has, needs in (
            ("fraction", 50.57, 50),
            ("both", 50.1, 50.9),
            ("negative", -0.9, 0),
            ("large", 5e1, 50),
        ):
            room = plain_room(book.version, {BOB: has}, joined=[BOB], events={TOPIC: needs})
            book.allow(
                f"spelling.float.{label}",
                room,
                topic(room, BOB),
                "otherwise",
                notes,
                versions=since("1", "5"),
            )
        room = plain_room(book.version, {BOB: 49.99}, joined=[BOB], events={TOPIC: 50})
        twin = "spelling.float.fraction"
        book.reject(
            "spelling.float.below",
            room,
            topic(room, BOB),
            "required_level",
            notes,
            twin=twin,
            versions=since("1", "5"),
        )


def _redactions(book: Book) -> None:
    def redaction(room: Room) -> str:
        target = topic(room, ALICE)
        if book.number >= 11:
            return room.make(BOB, REDACTION, {"redacts": target})
        return room.make(BOB, REDACTION, {}, top={"redacts": target})

    room = plain_room(book.version, joined=[BOB], redact=60)
    notes = (
        "From version 3 on, anyone who may send this event type may send a redaction. Whether it applies is"
        " a separate check."
    )
    book.allow("redaction.below_redact", room, redaction(room), "otherwise", notes, versions=since("3"))
    room = plain_room(book.version, joined=[BOB], redact=0, events={REDACTION: 1})
    notes = "The level that the event type requires also applies to redactions."
    twin = "redaction.below_redact"
    book.reject(
        "redaction.events", room, redaction(room), "required_level", notes, twin=twin, versions=since("3")
    )


def _creators(book: Book) -> None:
    room = Room(book.version, {"additional_creators": [BOB]})
    room.member(ALICE, "join")
    room.power({CAROL: MAX_INTEGER - 1}, events={TOPIC: MAX_INTEGER}, invite=MAX_INTEGER)
    room.join_rule("public")
    room.member(BOB, "join")
    room.member(CAROL, "join")
    book.allow("creators.sender", room, topic(room, ALICE), "otherwise", versions=since("12"))
    book.allow("creators.additional", room, topic(room, BOB), "otherwise", versions=since("12"))
    twin = "creators.additional"
    book.reject(
        "creators.highest_user", room, topic(room, CAROL), "required_level", twin=twin, versions=since("12")
    )
    book.allow(
        "creators.invite",
        room,
        room.try_member(MALLORY, "invite", BOB),
        "member.invite.level",
        versions=since("12"),
    )
    room = Room(book.version, {"additional_creators": [BOB]})
    room.member(ALICE, "join")
    room.join_rule("public")
    room.member(BOB, "join")
    notes = "An additional creator has every level even if the room has no power levels."
    book.allow("creators.no_power_levels", room, topic(room, BOB), "otherwise", notes, versions=since("12"))
