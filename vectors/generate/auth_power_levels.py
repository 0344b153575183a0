"""Cases for changes of power levels. What a level may be is the subject of ``auth_power_values``."""

from typing import Any

from .auth_cases import Book
from .constants import MAX_INTEGER, POWER_LEVELS, TOPIC
from .rooms import ALICE, BOB, CAROL, DAN, Room, plain_room
from .suite import Dispute, differ
from .versions import ALL, SAMPLE, Versions, since

FILE = "power_levels"

NAMED = ("users_default", "events_default", "state_default", "ban", "redact", "kick", "invite")


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _first(book)
    _named(book)
    _added_or_removed(book)
    _entries(book)
    _users(book)
    _spelled_alike(book)
    if book.number >= 12:
        _creators(book)


def change(
    book: Book,
    name: str,
    before: dict[str, Any],
    after: dict[str, Any],
    rule_name: str,
    notes: str = "",
    *,
    versions: Versions,
    level: int = 50,
    twin: str = "",
    disputed: Dispute | None = None,
) -> None:
    """Write a case in which Bob changes the power levels. The levels always let him send the event.

    Args:
        before: further content of the current power levels. ``users`` are added to the usual ones; a level
            of None removes a user.
        after: the same for the new power levels.
        rule_name: the rule that decides, without ``power_levels.``. All rules but ``allowed`` reject.
        versions: the room versions that get the case.
        level: the level of Bob.
        twin: the twin of a rejecting case, without ``power_levels.``; by default a case that lowers a level.
    """

    def content(room: Room, more: dict[str, Any]) -> dict[str, Any]:
        users = room.levels({BOB: level, **more.get("users", {})})["users"]
        return {
            **more,
            "events": {POWER_LEVELS: 0, **more.get("events", {})},
            "users": {user: value for user, value in users.items() if value is not None},
        }

    room = Room(book.version)
    room.member(ALICE, "join")
    room.put(ALICE, POWER_LEVELS, content(room, before), "")
    room.join_rule("public")
    room.member(BOB, "join")
    event = room.make(BOB, POWER_LEVELS, content(room, after), "")
    full = f"power_levels.{name}"
    if rule_name == "allowed":
        book.allow(full, room, event, "power_levels.allowed", notes, disputed=disputed, versions=versions)
    else:
        repaired = f"power_levels.{twin or 'named.kick.down'}"
        book.reject(
            full,
            room,
            event,
            f"power_levels.{rule_name}",
            notes,
            twin=repaired,
            disputed=disputed,
            versions=versions,
        )


def _first(book: Book) -> None:
    room = Room(book.version)
    room.member(ALICE, "join")
    rule_name = "power_levels.first"
    book.allow(
        "power_levels.first.plain",
        room,
        room.make(ALICE, POWER_LEVELS, room.levels(), ""),
        rule_name,
        versions=ALL,
    )
    notes = "A room's first power levels may contain any levels if they are well formed."
    event = room.make(ALICE, POWER_LEVELS, room.levels({BOB: 1000}, kick=2000, events={"x": 3000}), "")
    book.allow("power_levels.first.high", room, event, rule_name, notes, versions=ALL)
    notes = "The key `users` may be absent."
    book.allow(
        "power_levels.first.empty",
        room,
        room.make(ALICE, POWER_LEVELS, {}, ""),
        rule_name,
        notes,
        versions=ALL,
    )

    room = plain_room(book.version, {BOB: 50}, joined=[BOB])
    event = room.make(BOB, POWER_LEVELS, room.levels({BOB: 100}), "other")
    notes = (
        "Disputed: the event has a non-empty state key, so no rule reads it later. The room's current power"
        " levels have the empty state key; ruma and gomatrixserverlib compare with these and reject. Synapse"
        " looks for current power levels under the event's own state key, finds none and allows it."
    )
    twin = "power_levels.users.own.down"
    book.reject(
        "power_levels.first.state_key",
        room,
        event,
        "power_levels.users_new",
        notes,
        twin=twin,
        disputed=differ("ruma and gomatrixserverlib", "Synapse"),
        versions=ALL,
    )


def _named(book: Book) -> None:
    for name in NAMED:
        start = f"named.{name}"
        versions = ALL if name == "users_default" else SAMPLE
        change(book, f"{start}.down", {name: 50}, {name: 49}, "allowed", versions=versions)
        change(book, f"{start}.up", {name: 49}, {name: 50}, "allowed", versions=versions)
        twin = f"{start}.up"
        change(book, f"{start}.new_above", {name: 49}, {name: 51}, "level_new", twin=twin, versions=versions)
        change(
            book,
            f"{start}.current_above",
            {name: 51},
            {name: 50},
            "level_current",
            twin=f"{start}.down",
            versions=versions,
        )
    notes = "Unchanged levels are not compared with the sender's level."
    change(
        book,
        "named.untouched",
        {"ban": 99, "kick": 50},
        {"ban": 99, "kick": 49},
        "allowed",
        notes,
        versions=SAMPLE,
    )
    notes = "The rules ignore unknown keys."
    change(book, "named.unknown_key", {}, {"org.example.level": 99}, "allowed", notes, versions=SAMPLE)


def _added_or_removed(book: Book) -> None:
    notes = (
        "Disputed: when a level is added or removed, only one of the two events has it, and the"
        " specification does not say what the other value is. Synapse compares only the value that is"
        " present; ruma and gomatrixserverlib use the default, here 50, for the absent value;"
        " gomatrixserverlib then sees no change at 50."
    )
    twin = "named.added_or_removed.add_low"
    low = differ("Synapse", "ruma and gomatrixserverlib")
    default = differ("Synapse and ruma", "gomatrixserverlib")
    for label, before, after, rule_name, disputed in (
        ("add_low", {}, {"kick": 0}, "allowed", low),
        ("remove_low", {"kick": 30}, {}, "allowed", low),
        ("add_default", {}, {"kick": 50}, "level_new", default),
        ("remove_default", {"kick": 50}, {}, "level_current", default),
    ):
        name = f"named.added_or_removed.{label}"
        change(
            book, name, before, after, rule_name, notes, level=40, twin=twin, disputed=disputed, versions=ALL
        )
    twin = "named.added_or_removed.add_equal"
    notes = "Adding or removing a level is a change. Here it does not matter how an absent level is read."
    change(book, twin, {}, {"invite": 40}, "allowed", notes, level=40, versions=ALL)
    change(
        book,
        "named.added_or_removed.remove_equal",
        {"invite": 40},
        {},
        "allowed",
        notes,
        level=40,
        versions=ALL,
    )
    name = "named.added_or_removed.add_high"
    change(book, name, {}, {"invite": 41}, "level_new", notes, level=40, twin=twin, versions=ALL)
    name = "named.added_or_removed.remove_high"
    change(book, name, {"invite": 41}, {}, "level_current", notes, level=40, twin=twin, versions=ALL)


def _entries(book: Book) -> None:
    for kind, known, sample in (("events", ALL, SAMPLE), ("notifications", since("6"), since("6"))):
        if book.version not in known:
            continue
        key = TOPIC if kind == "events" else "room"
        for label, before, after, rule_name in (
            ("change.up", 49, 50, "allowed"),
            ("change.down", 50, 49, "allowed"),
            ("change.new_above", 49, 51, "events_new"),
            ("change.current_above", 51, 49, "events_current"),
            ("add.equal", None, 50, "allowed"),
            ("add.above", None, 51, "events_new"),
            ("remove.equal", 50, None, "allowed"),
            ("remove.above", 51, None, "events_current"),
            ("untouched", 51, 51, "allowed"),
        ):
            old: dict[str, int] = {} if before is None else {key: before}
            new: dict[str, int] = {} if after is None else {key: after}
            notes = ""
            if kind == "notifications" and 50 in (before, after):
                notes = (
                    "A level equal to the sender's is not above it. gomatrixserverlib rejects an equal level"
                    " in notifications."
                )
            elif kind == "events" and None in (before, after):
                notes = "An absent entry has no value. gomatrixserverlib uses events_default for it."
            versions = sample if label == "change.down" else known
            twin = f"{kind}.{label.split('.')[0]}.{'equal' if 'change' not in label else 'up'}"
            change(
                book,
                f"{kind}.{label}",
                {kind: old},
                {kind: new},
                rule_name,
                notes,
                twin=twin,
                versions=versions,
            )
        notes = "Removing the whole map removes every entry in it."
        change(
            book,
            f"{kind}.all_gone",
            {kind: {key: 51}},
            {},
            "events_current",
            notes,
            twin=f"{kind}.remove.equal",
            versions=sample,
        )
    if book.number <= 5:
        notes = "The levels in notifications are checked only from version 6 on."
        low, high = ({"notifications": {"room": level}} for level in (60, 70))
        change(book, "notifications.unguarded", low, high, "allowed", notes, versions=since("1", "5"))


def _users(book: Book) -> None:
    def users(
        name: str,
        before: Any,
        after: Any,
        rule_name: str,
        notes: str = "",
        *,
        versions: Versions,
        twin: str = "",
    ) -> None:
        full = f"users.{name}"
        change(
            book, full, {"users": before}, {"users": after}, rule_name, notes, versions=versions, twin=twin
        )

    users(
        "own.down",
        {},
        {BOB: 40},
        "allowed",
        "Senders may lower their own entry, although it is as high as their level.",
        versions=ALL,
    )
    users("own.removed", {}, {BOB: None}, "allowed", versions=ALL)
    users("own.up", {}, {BOB: 51}, "users_new", twin="users.own.down", versions=ALL)
    users("change.up", {CAROL: 49}, {CAROL: 50}, "allowed", versions=ALL)
    users("change.down", {CAROL: 49}, {CAROL: 48}, "allowed", versions=ALL)
    users("change.new_above", {CAROL: 49}, {CAROL: 51}, "users_new", twin="users.change.up", versions=ALL)
    users(
        "change.equal",
        {CAROL: 50},
        {CAROL: 49},
        "users_current",
        "The sender cannot change the level of a user who has the same level.",
        twin="users.change.down",
        versions=ALL,
    )
    users("change.above", {CAROL: 51}, {CAROL: 49}, "users_current", twin="users.change.down", versions=ALL)
    users("add.equal", {}, {CAROL: 50}, "allowed", versions=ALL)
    users("add.above", {}, {CAROL: 51}, "users_new", twin="users.add.equal", versions=ALL)
    users("remove.below", {CAROL: 49}, {}, "allowed", versions=SAMPLE)
    users("remove.equal", {CAROL: 50}, {}, "users_current", twin="users.remove.below", versions=SAMPLE)
    users("remove.above", {CAROL: 51}, {}, "users_current", twin="users.remove.below", versions=SAMPLE)
    users(
        "untouched",
        {CAROL: 99},
        {CAROL: 99, DAN: 1},
        "allowed",
        "Unchanged levels are not compared with the sender's level.",
        versions=SAMPLE,
    )
    notes = "An absent entry has no value, so users_default is not compared. gomatrixserverlib rejects this."
    before: dict[str, Any] = {"users_default": 99}
    after: dict[str, Any] = {"users_default": 99, "users": {CAROL: 0}}
    change(book, "users.add.under_default", before, after, "allowed", notes, versions=ALL)


def _spelled_alike(book: Book) -> None:
    """A level that is only spelled differently is not changed, however high it is."""
    texts, floats = since("1", "9"), since("1", "5")
    if book.version not in texts:
        return
    notes = "Levels are compared as numbers, so another spelling of the same level is not a change."
    change(book, "alike.named", {"kick": "60"}, {"kick": 60}, "allowed", notes, versions=texts)
    change(
        book,
        "alike.users",
        {"users": {CAROL: 60}},
        {"users": {CAROL: " +060"}},
        "allowed",
        notes,
        versions=texts,
    )
    change(
        book, "alike.events", {"events": {"x": "60"}}, {"events": {"x": 60}}, "allowed", notes, versions=texts
    )
    if book.version in floats:
        notes = "The levels are equal when their fractions are dropped. ruma rejects every float."
        change(book, "alike.float", {"kick": 60}, {"kick": 60.9}, "allowed", notes, versions=floats)
        change(
            book,
            "alike.float_users",
            {"users": {CAROL: 60.1}},
            {"users": {CAROL: 60.9}},
            "allowed",
            notes,
            versions=floats,
        )
        notes = "The new level is compared without its fraction. ruma rejects every float."
        change(book, "alike.float_equal", {"kick": 10}, {"kick": 50.9}, "allowed", notes, versions=floats)
        change(
            book,
            "alike.float_above",
            {"kick": 10},
            {"kick": 51.0},
            "level_new",
            notes,
            twin="alike.float_equal",
            versions=floats,
        )


def _creators(book: Book) -> None:
    start, newest = "power_levels.creators", since("12")
    room = Room(book.version, {"additional_creators": [BOB]})
    room.member(ALICE, "join")
    rule_name = "power_levels.creator_listed"
    twin = f"{start}.none"
    book.allow(
        twin,
        room,
        room.make(ALICE, POWER_LEVELS, {"users": {CAROL: 100}}, ""),
        "power_levels.first",
        versions=newest,
    )
    notes = "Power levels must not list a creator, not even a room's first power levels."
    for label, user in (("sender", ALICE), ("additional", BOB)):
        bad = room.make(ALICE, POWER_LEVELS, {"users": {user: 100}}, "")
        book.reject(f"{start}.first.{label}", room, bad, rule_name, notes, twin=twin, versions=newest)
    room.power({CAROL: MAX_INTEGER})
    room.join_rule("public")
    room.member(BOB, "join")
    room.member(CAROL, "join")
    for label, sender, user in (("own", BOB, BOB), ("other", BOB, ALICE), ("by_user", CAROL, ALICE)):
        bad = room.make(sender, POWER_LEVELS, {"users": {user: 0, CAROL: MAX_INTEGER}}, "")
        book.reject(
            f"{start}.later.{label}",
            room,
            bad,
            rule_name,
            "",
            twin=f"{start}.demotes_highest",
            versions=newest,
        )
    listing = Room(book.version)
    listing.member(ALICE, "join")
    listing.put(ALICE, POWER_LEVELS, {"users": {ALICE: 100}}, "")
    bad = listing.make(ALICE, POWER_LEVELS, {"users": {ALICE: 100}}, "")
    notes = "The current power levels list a creator, which should not happen. The new ones still must not."
    book.reject(
        f"{start}.listed_before", listing, bad, rule_name, notes, twin=twin, odd=True, versions=newest
    )
    notes = "A creator may change every level."
    good = room.make(BOB, POWER_LEVELS, {"users": {CAROL: 0}, "ban": MAX_INTEGER}, "")
    book.allow(f"{start}.demotes_highest", room, good, "power_levels.allowed", notes, versions=newest)
