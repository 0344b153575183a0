"""Cases for the values in power levels: which of them are levels, by version and place."""

from typing import Any

from .auth_cases import Book
from .auth_power_levels import NAMED
from .constants import POWER_LEVELS
from .rooms import ALICE, BOB, Room
from .suite import Dispute, differ
from .versions import ALL, Versions, since

FILE = "power_level_values"

# The first and the last version of each set of rules on what a level is (1 to 5, 6 to 9, 10 to 12).
LEVEL_SAMPLE: Versions = ("1", "5", "6", "7", "9", "10", "11", "12")

_EVERYBODY = "Synapse, ruma and gomatrixserverlib"
_POISON = differ("ruma and gomatrixserverlib", "Synapse, for a room's first power levels")

ODD: tuple[tuple[str, Any], ...] = (
    ("true", True),
    ("string", "50"),
    ("null", None),
    ("list", []),
    ("object", {}),
)


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _users(book)
    if book.number >= 10:
        _checked(book)
    else:
        _strings(book)
        _unchecked(book)
    if book.number >= 6:
        _fraction(book)


def _put(
    book: Book,
    name: str,
    content: Any,
    rule_name: str,
    notes: str = "",
    *,
    versions: Versions,
    disputed: Dispute | None = None,
) -> None:
    """Write a case of a room's first power levels. They are allowed if they are well formed."""
    room = Room(book.version)
    room.member(ALICE, "join")
    event = room.make(ALICE, POWER_LEVELS, content, "")
    full = f"power_levels.values.{name}"
    if rule_name == "first":
        book.allow(full, room, event, "power_levels.first", notes, versions=versions, disputed=disputed)
    else:
        whole = f"power_levels.{rule_name}" if rule_name else ""
        twin = "power_levels.first.plain"
        book.reject(full, room, event, whole, notes, versions=versions, twin=twin, disputed=disputed)


def _users(book: Book) -> None:
    maps: list[tuple[str, Any, Versions]] = [
        ("null", None, ALL),
        ("list", [], ALL),
        ("string", BOB, LEVEL_SAMPLE),
        ("number", 5, LEVEL_SAMPLE),
    ]
    for label, value, versions in maps:
        _put(book, f"users_{label}", {"users": value}, "users", versions=versions)
    for label, user, versions in (
        ("word", "foo", ALL),
        ("no_server", "@foo", ALL),
        ("no_sigil", "bob:b.example.org", LEVEL_SAMPLE),
        ("empty", "", LEVEL_SAMPLE),
    ):
        _put(
            book,
            f"user_id_{label}",
            {"users": {user: 1}},
            "users",
            "The key in `users` is not a user ID.",
            versions=versions,
        )
    _put(book, "users_empty", {"users": {}}, "first", versions=ALL)
    _put(
        book,
        "user_id_historical",
        {"users": {"@B o/b:b.example.org": 1}},
        "first",
        "The key in `users` is a historical user ID, which is valid.",
        versions=LEVEL_SAMPLE,
    )
    notes = (
        "Disputed: is a user ID with an empty localpart valid? It is in the historical grammar, which"
        " servers must accept. Synapse, ruma and gomatrixserverlib allow it."
    )
    _put(
        book,
        "user_id_no_localpart",
        {"users": {"@:b.example.org": 1}},
        "first",
        notes,
        disputed=differ(_EVERYBODY, ""),
        versions=ALL,
    )
    notes = (
        "Disputed: must the server name of a user ID be valid? ruma rejects this. Synapse requires only an @"
        " and a colon and allows it. gomatrixserverlib allows it too, except for what its caller looks up."
    )
    _put(
        book,
        "user_id_bad_server",
        {"users": {"@bob:b example": 1}},
        "users",
        notes,
        disputed=differ("ruma", "Synapse"),
        versions=ALL,
    )
    for label, value in ODD:
        if label == "string" and book.number <= 9:
            continue
        versions = ("10", "12") if label == "string" else ALL if label == "null" else LEVEL_SAMPLE
        notes = "Synapse treats true as 1 up to version 9." if label == "true" and book.number <= 9 else ""
        _put(book, f"users_level_{label}", {"users": {BOB: value}}, "users", notes, versions=versions)


def _checked(book: Book) -> None:
    """From version 10 on every level must be an integer."""
    strict, sample = since("10"), ("10", "12")
    for place in NAMED:
        for label, value in ODD:
            first = place == NAMED[0] and label == "true"
            versions = strict if first or label == "null" else sample
            notes = (
                "A level that is null is not an integer. gomatrixserverlib treats null as absent."
                if label == "null"
                else ""
            )
            _put(book, f"{place}_{label}", {place: value}, "not_integer", notes, versions=versions)
    for place, whole, few in (("events", strict, sample), ("notifications", strict, strict)):
        for label, value in ODD:
            versions = whole if label in ("true", "null") else few
            _put(book, f"{place}_level_{label}", {place: {"x": value}}, "map_not_integers", versions=versions)
        for label, value in (("null", None), ("list", []), ("string", "50"), ("number", 5)):
            versions = whole if label == "null" else few
            _put(book, f"{place}_{label}", {place: value}, "map_not_integers", versions=versions)
        _put(book, f"{place}_empty", {place: {}}, "first", versions=few)
    _put(
        book,
        "unknown_key",
        {"org.example.level": "50"},
        "first",
        "The rules ignore unknown keys.",
        versions=sample,
    )


def _strings(book: Book) -> None:
    for label, text in (
        ("zeros", "000100"),
        ("zero", "0"),
        ("minus_zeros", "-000"),
        ("plus", "+100"),
        ("minus", "-100"),
        ("spaces", "  100  "),
        ("plus_spaces", " +0100 "),
        ("tab", "\t100\n"),
    ):
        _put(book, f"text_{label}", {"users": {BOB: text}}, "first", versions=("1", "5", "6", "7", "9"))
    for label, text in (
        ("empty", ""),
        ("space", " "),
        ("fraction", "50.5"),
        ("exponent", "1e2"),
        ("hexadecimal", "0x10"),
        ("sign_alone", "-"),
        ("sign_apart", "- 5"),
        ("two_signs", "+-5"),
        ("space_inside", "1 000"),
        ("comma", "1,000"),
        ("word", "admin"),
    ):
        _put(book, f"text_{label}", {"users": {BOB: text}}, "users", versions=("1", "5", "6", "7", "9"))
    notes = "An underscore is not a digit. Synapse parses the string as Python does and allows it."
    _put(
        book, "text_underscore", {"users": {BOB: "1_000"}}, "users", notes, versions=("1", "5", "6", "7", "9")
    )
    notes = (
        "Disputed: may a base 10 integer use digits of other scripts? Synapse parses the string as Python"
        " does and allows it; ruma and gomatrixserverlib reject it."
    )
    _put(
        book,
        "text_arabic",
        {"users": {BOB: "\u0663"}},
        "users",
        notes,
        disputed=differ("ruma and gomatrixserverlib", "Synapse"),
        versions=since("1", "9"),
    )
    if book.number <= 5:
        notes = (
            "Up to version 5 the fraction of a level is dropped, as Matrix 1.18 clarified. ruma rejects"
            " every float."
        )
        for label, value in (("fraction", 50.57), ("negative", -0.9), ("large", 1e10)):
            _put(book, f"float_{label}", {"users": {BOB: value}}, "first", notes, versions=("1", "5"))
            _put(book, f"float_named_{label}", {"ban": value}, "first", notes, versions=("1", "5"))


def _unchecked(book: Book) -> None:
    """Up to version 9 the rules check only ``users``. A bad level elsewhere breaks later checks."""
    notes = (
        "Disputed: up to version 9 no rule checks this level, and its value is not a level. Synapse allows"
        " the room's first power levels with it and then fails on every event that needs it; ruma and"
        " gomatrixserverlib reject it."
    )
    more: list[tuple[str, Any]] = [("ban", "abc"), ("kick", None), ("state_default", True), ("invite", [])]
    for place, value in more:
        _put(
            book, f"unchecked_{place}", {place: value}, "", notes, disputed=_POISON, versions=since("1", "9")
        )
    _put(
        book,
        "unchecked_events_level",
        {"events": {"x": "abc"}},
        "",
        notes,
        disputed=_POISON,
        versions=since("1", "9"),
    )
    _put(book, "unchecked_events", {"events": []}, "", notes, disputed=_POISON, versions=since("1", "9"))
    if book.number <= 5:
        notes = "Before version 6 no rule checks notifications."
        _put(
            book,
            "unchecked_notifications",
            {"notifications": {"room": "abc"}},
            "first",
            notes,
            versions=since("1", "5"),
        )


def _fraction(book: Book) -> None:
    notes = "From version 6 on, a fraction is not canonical JSON, so no event can contain it."
    _put(book, "float_malformed", {"users": {BOB: 50.57}}, "", notes, versions=("6", "9", "10", "11", "12"))
