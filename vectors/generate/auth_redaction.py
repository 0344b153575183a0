"""Cases for redactions: rule 11 of versions 1 and 2, and in every version whether a redaction applies."""

from typing import Any

from .auth_cases import Book
from .constants import CREATE, MAX_INTEGER, MESSAGE, POWER_LEVELS, POWER_LEVELS_KEY, REDACTION, TOPIC
from .rooms import ALICE, BOB, CAROL, DAN, HELLO, Room, plain_room
from .suite import Dispute, differ, page
from .versions import ALL, Versions, since

FILE = "redaction"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    if book.number <= 2:
        _rule(book)
        _no_target(book)
        _chosen_ids(book)
    _levels(book)
    _servers(book)
    _targets(book)
    _states(book)
    if book.number >= 11:
        _creators(book)


def redaction(room: Room, sender: str, target: Any, **more: Any) -> str:
    """Build a redaction. The room version decides where its target stands."""
    if room.number >= 11:
        return room.make(sender, REDACTION, {"redacts": target}, **more)
    return room.make(sender, REDACTION, {}, top={"redacts": target}, **more)


def topic(room: Room, sender: str = ALICE, **more: Any) -> str:
    """Build a topic to redact."""
    return room.make(sender, TOPIC, {"topic": "Vectors"}, "", **more)


def _rule(book: Book) -> None:
    """Write the cases of rule 11, whose event IDs name different servers."""
    level, otherwise = "redaction.level", "redaction.otherwise"
    for where, needed in (("given", 30), ("default", 50)):
        named = {"redact": 30} if where == "given" else {}
        for label, by in (("below", -1), ("equal", 0), ("above", 1)):
            room = plain_room(book.version, {BOB: needed + by}, joined=[BOB], **named)
            event = redaction(room, BOB, topic(room))
            name = f"redaction.{where}.{label}"
            if by < 0:
                book.reject(
                    name, room, event, otherwise, twin=f"redaction.{where}.equal", versions=since("1", "2")
                )
            else:
                book.allow(name, room, event, level, versions=since("1", "2"))

    room = plain_room(book.version, joined=[BOB, DAN])
    domain = "redaction.same_domain"
    book.allow(domain, room, redaction(room, DAN, topic(room)), domain, versions=since("1", "2"))
    notes = (
        "The servers in the event IDs are compared, not the servers of the senders. gomatrixserverlib uses"
        " the sender's server."
    )
    event = redaction(room, BOB, topic(room), id_server="a.example.org")
    book.allow("redaction.same_id_domain", room, event, domain, notes, versions=since("1", "2"))
    event = redaction(room, DAN, topic(room, id_server="c.example.org"))
    book.reject(
        "redaction.same_sender_domain", room, event, otherwise, notes, twin=domain, versions=since("1", "2")
    )
    event = redaction(room, DAN, "$unknown:a.example.org")
    book.allow(
        "redaction.unknown_target",
        room,
        event,
        domain,
        "The rule needs only the target's event ID. The target itself may be unknown.",
        versions=since("1", "2"),
    )
    event = redaction(room, DAN, "$unknown:a.example.org:8448")
    book.reject(
        "redaction.port",
        room,
        event,
        otherwise,
        "The port is part of the server name.",
        twin=domain,
        versions=since("1", "2"),
    )
    event = redaction(room, DAN, "$unknown")
    book.reject("redaction.id_without_domain", room, event, otherwise, twin=domain, versions=since("1", "2"))
    room = plain_room(book.version, joined=[DAN], events={REDACTION: 1})
    event = redaction(room, DAN, topic(room))
    notes = "The rule on the level that the event type requires comes first."
    book.reject(
        "redaction.events", room, event, "required_level", notes, twin=domain, versions=since("1", "2")
    )


def _no_target(book: Book) -> None:
    room = plain_room(book.version, joined=[BOB])
    notes = (
        "Disputed: the redaction has no target whose event ID could name the same server, so no rule allows"
        " it. Synapse allows a redaction whose target is missing or not a string. ruma has been seen to"
        " allow one whose target is missing."
    )
    for label, top in (("missing", {}), ("number", {"redacts": 5})):
        event = room.make(BOB, REDACTION, {}, top=top)
        name = f"redaction.target_{label}"
        twin = "redaction.same_domain"
        book.reject(
            name,
            room,
            event,
            "redaction.otherwise",
            notes,
            twin=twin,
            disputed=differ("", "Synapse"),
            versions=since("1", "2"),
        )


def _applies(
    book: Book,
    name: str,
    room: Room,
    event: str,
    target: str,
    applies: bool,
    notes: str = "",
    *,
    versions: Versions,
    disputed: Dispute | None = None,
) -> None:
    # Only the state events that matter, so that rooms stay small.
    bearing = [
        one for one in sorted(room.state.values()) if room.events[one]["type"] in (CREATE, POWER_LEVELS)
    ]
    section = "handling-redactions" if book.number >= 3 else "authorisation-rules"
    given = {
        "events": room.chain([event, target, *bearing]),
        "redaction": event,
        "target": target,
        "state": bearing,
    }
    book.write(
        "redaction_applies",
        name,
        given,
        {"applies": applies},
        page(book.version, section),
        notes=notes,
        disputed=disputed,
        versions=versions,
    )


def _levels(book: Book) -> None:
    for where, needed in (("given", 30), ("default", 50)):
        named = {"redact": 30} if where == "given" else {}
        for label, by in (("below", -1), ("equal", 0), ("above", 1)):
            room = plain_room(book.version, {BOB: needed + by}, joined=[BOB], **named)
            target = topic(room)
            _applies(
                book, f"{where}.{label}", room, redaction(room, BOB, target), target, by >= 0, versions=ALL
            )
    room = plain_room(book.version, {BOB: 50}, joined=[BOB], events={TOPIC: 100, REDACTION: 10})
    target = topic(room)
    notes = (
        "The level that is required to send the target's event type does not matter. Matrix 1.17 clarified"
        " this."
    )
    _applies(book, "type_level", room, redaction(room, BOB, target), target, True, notes, versions=ALL)
    target = room.state[POWER_LEVELS_KEY]
    notes = "A moderator may redact an administrator's power levels. Matrix 1.17 clarified this."
    _applies(book, "power_levels", room, redaction(room, BOB, target), target, True, notes, versions=ALL)
    room = Room(book.version)
    room.member(ALICE, "join")
    room.join_rule("public")
    room.member(BOB, "join")
    target = room.put(BOB, MESSAGE, HELLO)
    _applies(
        book, "no_power_levels.creator", room, redaction(room, ALICE, target), target, True, versions=ALL
    )
    target = topic(room)
    _applies(book, "no_power_levels.other", room, redaction(room, BOB, target), target, False, versions=ALL)


def _servers(book: Book) -> None:
    room = plain_room(book.version, joined=[BOB, DAN])
    target = topic(room)
    notes = "Any user of the same server may redact the event."
    _applies(book, "same_server", room, redaction(room, DAN, target), target, True, notes, versions=ALL)
    own = room.make(BOB, MESSAGE, HELLO)
    _applies(book, "own", room, redaction(room, BOB, own), own, True, versions=ALL)
    port = "@dan:a.example.org:8448"
    room.member(port, "join")
    notes = "The port is part of the server name."
    _applies(book, "port", room, redaction(room, port, target), target, False, notes, versions=ALL)


def _chosen_ids(book: Book) -> None:
    room = plain_room(book.version, joined=[BOB, DAN])
    notes = (
        "Versions 1 and 2 compare the servers in the event IDs. From version 3 on, the servers of the"
        " senders are compared."
    )
    target = topic(room)
    event = redaction(room, BOB, target, id_server="a.example.org")
    _applies(book, "same_id_server", room, event, target, True, notes, versions=since("1", "2"))
    target = topic(room, id_server="c.example.org")
    _applies(
        book,
        "other_id_server",
        room,
        redaction(room, DAN, target),
        target,
        False,
        notes,
        versions=since("1", "2"),
    )


def _targets(book: Book) -> None:
    room = plain_room(book.version, {BOB: 60}, joined=[BOB])
    target, other = topic(room), topic(room)
    _applies(
        book,
        "target.other",
        room,
        redaction(room, BOB, other),
        target,
        False,
        "The redaction names another event.",
        versions=ALL,
    )
    _applies(book, "target.number", room, redaction(room, BOB, 5), target, False, versions=ALL)
    if book.number >= 11:
        wrong = room.make(BOB, REDACTION, {}, top={"redacts": target})
        both = room.make(BOB, REDACTION, {"redacts": target}, top={"redacts": other})
        notes = "From version 11 on, the target is read only from the content."
    else:
        wrong = room.make(BOB, REDACTION, {"redacts": target})
        both = room.make(BOB, REDACTION, {"redacts": other}, top={"redacts": target})
        notes = "Up to version 10 the target is read only from the top level of the event."
    _applies(book, "target.wrong_place", room, wrong, target, False, notes, versions=ALL)
    _applies(book, "target.both_places", room, both, target, True, notes, versions=ALL)
    body = {"redacts": target, **HELLO}
    message = room.make(BOB, MESSAGE, body, top={"redacts": target})
    _applies(
        book, "target.message", room, message, target, False, "The event is not a redaction.", versions=ALL
    )

    foreign = Room(book.version, {"m.federate": True}, name="other")
    foreign.member(ALICE, "join")
    target = topic(foreign)
    room.events.update(foreign.events)
    notes = (
        "A redaction does not apply to an event of another room. The specification does not say so, but"
        " every server does this."
    )
    _applies(
        book, "target.other_room", room, redaction(room, BOB, target), target, False, notes, versions=ALL
    )
    notes = (
        "Disputed: the specification makes no exception for create events. Synapse never redacts one; up to"
        " version 10 it would lose its room version. ruma and gomatrixserverlib leave this to their callers."
    )
    event = redaction(room, BOB, room.create)
    _applies(
        book,
        "target.create",
        room,
        event,
        room.create,
        False,
        notes,
        disputed=differ("Synapse", ""),
        versions=ALL,
    )


def _states(book: Book) -> None:
    room = plain_room(book.version, {BOB: 50}, joined=[BOB])
    target = topic(room)
    event = redaction(room, BOB, target)
    notes = "The levels come from the given state, which is the state before the redaction."
    _applies(book, "state.before", room, event, target, True, notes, versions=ALL)
    room.power({BOB: 0})
    _applies(book, "state.after", room, event, target, False, notes, versions=ALL)


def _creators(book: Book) -> None:
    room = Room(book.version, {"additional_creators": [BOB]})
    room.member(ALICE, "join")
    room.join_rule("public")
    for user in (BOB, CAROL):
        room.member(user, "join")
    room.put(ALICE, POWER_LEVELS, {"redact": MAX_INTEGER}, "")
    target = room.make(CAROL, MESSAGE, HELLO)
    notes = (
        "A creator has every level."
        if book.number >= 12
        else "Up to version 11 a creator who is not listed in the power levels has no level of their own."
    )
    for label, sender in (("sender", ALICE), ("additional", BOB)):
        event = redaction(room, sender, target)
        _applies(
            book, f"creator.{label}", room, event, target, book.number >= 12, notes, versions=since("11")
        )
