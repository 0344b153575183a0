"""Cases of ``auth_types``: what the auth events selection may pick for an event, by type and version."""

from typing import Any

from .auth_cases import Book
from .auth_third_party import signed
from .constants import (
    ALIASES,
    AUTHORISER,
    CREATE,
    CREATE_KEY,
    JOIN_RULES,
    JOIN_RULES_KEY,
    MEMBER,
    MESSAGE,
    POWER_LEVELS,
    POWER_LEVELS_KEY,
    REDACTION,
    THIRD_PARTY_INVITE,
    TOPIC,
    Key,
)
from .rooms import ALICE, BOB, CAROL, HELLO, plain_room
from .suite import SPEC

FILE = "auth_types"

SELECTION = f"{SPEC}/server-server-api/#auth-events-selection"


def member(user: str) -> Key:
    """Return the key of a user's membership."""
    return (MEMBER, user)


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    room = plain_room(book.version)
    always = [POWER_LEVELS_KEY, *([CREATE_KEY] if book.number <= 11 else [])]

    def case(
        name: str,
        picked: list[Key],
        kind: str,
        content: Any,
        state_key: str | None = None,
        notes: str = "",
        sender: str = ALICE,
        alone: bool = False,
    ) -> None:
        identifier = room.make(sender, kind, content, state_key)
        keys = [] if alone else sorted({*always, member(sender), *picked})
        book.write(
            f"auth_types.v{book.version}.{name}",
            "auth_types",
            {"event": room.events[identifier]},
            {"keys": [list(key) for key in keys]},
            SELECTION,
            notes=notes,
        )

    case("create", [], CREATE, room.events[room.create]["content"], "", alone=True)
    case("message", [], MESSAGE, HELLO)
    case("state", [], TOPIC, {"topic": "Vectors"}, "")
    case("power_levels", [], POWER_LEVELS, {}, "")
    case("join_rules", [], JOIN_RULES, {"join_rule": "public"}, "")
    case("redaction", [], REDACTION, {})
    case("aliases", [], ALIASES, {"aliases": []}, "a.example.org")
    case("third_party_invite", [], THIRD_PARTY_INVITE, {"public_keys": []}, "token")

    join: dict[str, Any] = {"membership": "join"}
    case("join", [JOIN_RULES_KEY], MEMBER, join, ALICE, "Sender and target are one key.")
    case("join_for_other", [JOIN_RULES_KEY, member(BOB)], MEMBER, join, BOB)
    authorised = {**join, AUTHORISER: BOB}
    picked = [JOIN_RULES_KEY, *([member(BOB)] if book.number >= 8 else [])]
    notes = "An authoriser is picked from version 8 on, by the event alone: the join rule is not asked."
    case("join_authorised", picked, MEMBER, authorised, ALICE, notes)
    notes = "What is no string names nobody, and must not make the selection fail."
    case(
        "join_authoriser_number",
        [JOIN_RULES_KEY],
        MEMBER,
        {**join, AUTHORISER: 42},
        ALICE,
        notes,
    )
    case("invite", [JOIN_RULES_KEY, member(BOB)], MEMBER, {"membership": "invite"}, BOB)
    notes = "An authoriser is picked for joins only."
    content = {"membership": "invite", AUTHORISER: CAROL}
    case("invite_authoriser", [JOIN_RULES_KEY, member(BOB)], MEMBER, content, BOB, notes)
    offer = (THIRD_PARTY_INVITE, "token")
    taken: dict[str, Any] = {"third_party_invite": {"signed": signed()}}
    content = {"membership": "invite", **taken}
    case("invite_third_party", [JOIN_RULES_KEY, member(BOB), offer], MEMBER, content, BOB)
    case("join_third_party", [JOIN_RULES_KEY], MEMBER, {**join, **taken}, ALICE, "Looked at in invites only.")
    broken: list[tuple[str, Any]] = [
        ("null", None),
        ("not_signed", {}),
        ("signed_null", {"signed": None}),
        ("no_token", {"signed": {"mxid": BOB}}),
        ("token_number", {"signed": {"mxid": BOB, "token": 5}}),
    ]
    for label, value in broken:
        content = {"membership": "invite", "third_party_invite": value}
        notes = "It names no offer; the rules refuse the event, and the selection must not fail."
        case(f"invite_third_party_{label}", [JOIN_RULES_KEY, member(BOB)], MEMBER, content, BOB, notes)
    notes = "For a knock the join rules are picked in every version, whether or not it knows knocks."
    case("knock", [JOIN_RULES_KEY], MEMBER, {"membership": "knock"}, ALICE, notes)
    notes = "Neither leaving nor banning depends on the join rules."
    case("leave", [], MEMBER, {"membership": "leave"}, ALICE, notes)
    case("kick", [member(BOB)], MEMBER, {"membership": "leave"}, BOB, notes)
    case("ban", [member(BOB)], MEMBER, {"membership": "ban"}, BOB, notes)
    notes = "An authoriser is picked for joins only."
    for membership, also in (("leave", []), ("ban", []), ("knock", [JOIN_RULES_KEY])):
        content = {"membership": membership, AUTHORISER: CAROL}
        case(f"{membership}_authoriser", [*also, member(BOB)], MEMBER, content, BOB, notes)
    case("unknown_membership", [member(BOB)], MEMBER, {"membership": "sit"}, BOB)
    case("no_membership", [member(BOB)], MEMBER, {}, BOB)
    case("no_state_key", [JOIN_RULES_KEY], MEMBER, join, None, "There is no target to pick for.")
