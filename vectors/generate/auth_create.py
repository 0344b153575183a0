"""Cases for create events, ``m.federate`` and aliases: rules 1 and 3, and rule 4 of versions 1 to 5."""

from typing import Any

from .auth_cases import Book
from .constants import ALIASES, CREATE
from .observed import OBSERVED_VERSION_DECIDED_BEFORE
from .rooms import ALICE, BOB, DAN, MALLORY, Room, plain_room
from .suite import differ
from .versions import ALL, since

FILE = "create"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _create(book)
    if book.number <= 10:
        _creator(book)
    if book.number >= 11:
        room = Room(book.version, {"creator": 5})
        book.allow(
            "create.creator_ignored",
            room,
            room.create,
            "create.allowed",
            "The key `creator` has no meaning from version 11 on.",
            versions=since("11"),
        )
    _additional_creators(book)
    _federation(book)
    if book.number <= 5:
        _aliases(book)
    else:
        _aliases_ordinary(book)


def _create(book: Book) -> None:
    version, number = book.version, book.number
    room = Room(version)
    content = dict(room.events[room.create]["content"])
    book.allow("create.plain", room, room.create, "create.allowed", versions=ALL)
    notes = "The rules on a create event end before any of them reads the room state, whatever that is."
    book.allow(
        "create.state", room, room.create, "create.allowed", notes, versions=ALL, state=room.state.values()
    )

    bad = room.make(ALICE, CREATE, content, "", prev=[room.create])
    book.reject("create.prev_events", room, bad, "create.has_prev_events", twin="create.plain", versions=ALL)

    values: list[tuple[str, Any]] = [("unknown", "99"), ("null", None), ("number", number), ("empty", "")]
    values += [("list", [version]), ("object", {version: version})]
    for label, value in values:
        room = Room(version, {"room_version": value})
        # In version 11 only Synapse rejects the number and the empty string. Only Synapse rejects the
        # unknown version there, too, but the rule needs one undisputed case: see observed.py.
        alone = label == "null" or (label != "unknown" and number == 11)
        notes = (
            "An absent room_version means version 1. A value that is present must be a known room version."
            " Null, numbers and unknown strings are not."
        )
        book.reject(
            f"create.room_version.{label}",
            room,
            room.create,
            "create.room_version",
            notes,
            twin="create.plain",
            versions=ALL,
            disputed=OBSERVED_VERSION_DECIDED_BEFORE if alone else None,
        )
    if number == 1:
        room = Room(version, without=["room_version"])
        book.allow(
            "create.room_version.absent",
            room,
            room.create,
            "create.allowed",
            "An absent room_version means version 1.",
            versions=("1",),
        )

    if number <= 11:
        room = Room(version)
        for label, domain in (("other", "b.example.org"), ("port", "a.example.org:8448")):
            bad = room.make(ALICE, CREATE, content, "", prev=[], top={"room_id": f"!r:{domain}"})
            notes = "The port is part of the server name." if label == "port" else ""
            name = f"create.room_id_domain.{label}"
            book.reject(
                name,
                room,
                bad,
                "create.room_id_domain",
                notes,
                twin="create.plain",
                versions=since("1", "11"),
            )
        room = Room(version)
        odd = room.make(ALICE, CREATE, content, "x", prev=[])
        notes = (
            "Disputed: no rule requires an empty state key, although an event with another state key never"
            " becomes the room's create event. Synapse and ruma allow it; gomatrixserverlib rejects it."
        )
        book.allow(
            "create.state_key",
            room,
            odd,
            "create.allowed",
            notes,
            disputed=differ("Synapse and ruma", "gomatrixserverlib"),
            versions=since("1", "11"),
        )
    else:
        room = Room(version)
        derived = "!" + room.create[1:]
        for label, state_key in (("plain", ""), ("state_key", "x")):
            bad = room.make(ALICE, CREATE, content, state_key, prev=[], top={"room_id": derived})
            notes = (
                "The room ID is derived from the create event's own ID, so the event must not contain one."
                " Most implementations already reject the event in the format check."
                if label == "plain"
                else (
                    "In the event format, a create event with a non-empty state key has a room ID. This rule"
                    " rejects the event."
                )
            )
            name = f"create.room_id.{label}"
            book.reject(
                name, room, bad, "create.has_room_id", notes, twin="create.plain", versions=since("12")
            )


def _creator(book: Book) -> None:
    room = Room(book.version, without=["creator"])
    book.reject(
        "create.no_creator",
        room,
        room.create,
        "create.no_creator",
        twin="create.plain",
        versions=since("1", "10"),
    )
    room = Room(book.version, {"creator": BOB})
    book.allow(
        "create.other_creator",
        room,
        room.create,
        "create.allowed",
        "The creator does not have to be the sender.",
        versions=since("1", "10"),
    )
    room = Room(book.version, {"creator": None})
    notes = (
        "Disputed: the property is present although it is null, so the rule on a missing creator does not"
        " apply. Synapse allows it; ruma and gomatrixserverlib treat null as missing and reject it."
    )
    book.allow(
        "create.creator_null",
        room,
        room.create,
        "create.allowed",
        notes,
        disputed=differ("Synapse", "ruma and gomatrixserverlib"),
        versions=since("1", "10"),
    )


def _additional_creators(book: Book) -> None:
    longest = "@" + "x" * (254 - len(":b.example.org")) + ":b.example.org"
    good: list[tuple[str, Any]] = [
        ("empty", []),
        ("one", [BOB]),
        ("twice", [BOB, BOB]),
        ("sender", [ALICE]),
        ("255_bytes", [longest]),
    ]
    bad: list[tuple[str, Any]] = [
        ("null", None),
        ("string", BOB),
        ("object", {}),
        ("number", [42]),
        ("null_inside", [None]),
        ("no_user_id", ["foo"]),
        ("no_sigil", ["bob:b.example.org"]),
        ("no_server", ["@bob"]),
        ("bad_server", ["@bob:b$"]),
        ("256_bytes", [longest.replace("@", "@x")]),
        ("second", [BOB, "foo"]),
    ]
    if book.number < 12:
        room = Room(book.version, {"additional_creators": [42]})
        notes = "Only version 12 uses this key. Earlier versions do not validate it."
        book.allow(
            "create.additional_creators.ignored",
            room,
            room.create,
            "create.allowed",
            notes,
            versions=since("1", "11"),
        )
        return
    for label, value in good:
        room = Room(book.version, {"additional_creators": value})
        book.allow(
            f"create.additional_creators.{label}", room, room.create, "create.allowed", versions=since("12")
        )
    for label, value in bad:
        room = Room(book.version, {"additional_creators": value})
        name = f"create.additional_creators.{label}"
        twin = "create.additional_creators.one"
        book.reject(name, room, room.create, "create.additional_creators", twin=twin, versions=since("12"))


def _closed(book: Book, value: Any, **content: Any) -> Room:
    room = Room(book.version, {"m.federate": value, **content})
    room.member(ALICE, "join")
    room.join_rule("public")
    return room


def _federation(book: Book) -> None:
    room = _closed(book, True)
    book.allow("federation.open", room, room.try_member(BOB, "join"), "member.join.public", versions=ALL)
    room = _closed(book, False)
    book.reject(
        "federation.closed",
        room,
        room.try_member(BOB, "join"),
        "federation.closed",
        twin="federation.open",
        versions=ALL,
    )
    book.allow(
        "federation.own_server", room, room.try_member(DAN, "join"), "member.join.public", versions=ALL
    )
    port = "@dan:a.example.org:8448"
    notes = "The port is part of the server name."
    bad = room.try_member(port, "join")
    book.reject(
        "federation.port", room, bad, "federation.closed", notes, twin="federation.own_server", versions=ALL
    )
    notes = (
        "The rule checks only the sender's server. Synapse also checks the target's server and rejects this."
    )
    invite = room.try_member(BOB, "invite", ALICE)
    book.allow("federation.invites_foreigner", room, invite, "member.invite.level", notes, versions=ALL)
    values: list[tuple[str, Any]] = [("null", None), ("string", "false"), ("zero", 0)]
    for label, value in values:
        room = _closed(book, value)
        disputed = differ("", "Synapse, ruma and gomatrixserverlib")
        if value is None:
            disputed = differ("ruma and gomatrixserverlib", "Synapse")
        notes = (
            "Disputed: by the letter of the rule, only the value false closes a room. Synapse treats every"
            " value except true as closed and rejects this; ruma and gomatrixserverlib treat null as open"
            " and fail on any other value."
        )
        book.allow(
            f"federation.{label}",
            room,
            room.try_member(BOB, "join"),
            "member.join.public",
            notes,
            disputed=disputed,
            versions=ALL,
        )
    if book.number <= 10:
        notes = "The rule uses the sender of the create event, not the creator in its content."
        room = Room(book.version, {"m.federate": True, "creator": BOB})
        book.allow(
            "federation.creator.open",
            room,
            room.try_member(BOB, "join"),
            "member.join.creator",
            versions=since("1", "10"),
        )
        room = Room(book.version, {"m.federate": False, "creator": BOB})
        bad = room.try_member(BOB, "join")
        book.reject(
            "federation.creator",
            room,
            bad,
            "federation.closed",
            notes,
            twin="federation.creator.open",
            versions=since("1", "10"),
        )
    if book.number >= 12:
        room = _closed(book, False, additional_creators=[BOB])
        notes = "An additional creator on another server is rejected like any other user of that server."
        bad = room.try_member(BOB, "join")
        book.reject(
            "federation.additional_creator",
            room,
            bad,
            "federation.closed",
            notes,
            twin="federation.open",
            versions=since("12"),
        )


def _aliases(book: Book) -> None:
    room = plain_room(book.version)

    def aliases(sender: str, state_key: str | None, room: Room = room) -> str:
        return room.make(sender, ALIASES, {"aliases": []}, state_key)

    notes = (
        "The sender does not have to be joined and needs no power level. Later versions do not have this"
        " rule."
    )
    book.allow(
        "aliases.stranger",
        room,
        aliases(BOB, "b.example.org"),
        "aliases.allowed",
        notes,
        versions=since("1", "5"),
    )
    book.allow(
        "aliases.creator", room, aliases(ALICE, "a.example.org"), "aliases.allowed", versions=since("1", "5")
    )
    for label, state_key in (("empty", ""), ("other", "a.example.org"), ("port", "b.example.org:8448")):
        bad = aliases(BOB, state_key)
        book.reject(
            f"aliases.{label}",
            room,
            bad,
            "aliases.other_domain",
            twin="aliases.stranger",
            versions=since("1", "5"),
        )
    book.reject(
        "aliases.no_state_key",
        room,
        aliases(BOB, None),
        "aliases.no_state_key",
        twin="aliases.stranger",
        versions=since("1", "5"),
    )
    room = _closed(book, False)
    notes = "The rule on m.federate comes before the rule on aliases."
    bad = aliases(BOB, "b.example.org", room)
    book.reject(
        "aliases.closed_room",
        room,
        bad,
        "federation.closed",
        notes,
        twin="aliases.stranger",
        versions=since("1", "5"),
    )


def _aliases_ordinary(book: Book) -> None:
    room = plain_room(book.version, {DAN: 50}, joined=[BOB, DAN])
    content: dict[str, list[str]] = {"aliases": []}
    notes = (
        "From version 6 on, aliases events are ordinary state events. gomatrixserverlib still applies the"
        " old rule."
    )
    good = room.make(DAN, ALIASES, content, "z.example.org")
    book.allow("aliases.any_domain", room, good, "otherwise", notes, versions=since("6"))
    bad = room.make(MALLORY, ALIASES, content, "m.example.org")
    book.reject(
        "aliases.stranger",
        room,
        bad,
        "sender.not_joined",
        notes,
        twin="aliases.any_domain",
        versions=since("6"),
    )
    bad = room.make(BOB, ALIASES, content, "b.example.org")
    book.reject(
        "aliases.level", room, bad, "required_level", notes, twin="aliases.any_domain", versions=since("6")
    )
