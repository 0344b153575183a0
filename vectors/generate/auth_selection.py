"""Cases of ``auth_types``: what the auth events selection may pick for an event, by type and version."""

from typing import Any

from .auth_cases import Book
from .auth_third_party import signed
from .rooms import ALICE, BOB, CAROL, CREATE, POWER, RULES, Key, plain_room

FILE = "auth_types"

SPEC = "https://spec.matrix.org/latest/server-server-api/#auth-events-selection"


def member(user: str) -> Key:
    """Return the key of a user's membership."""
    return ("m.room.member", user)


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    room = plain_room(book.version)
    always = [POWER, *([CREATE] if book.number <= 11 else [])]

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
            SPEC,
            notes=notes,
        )

    case("create", [], "m.room.create", room.events[room.create]["content"], "", alone=True)
    case("message", [], "m.room.message", {"body": "Hello", "msgtype": "m.text"})
    case("state", [], "m.room.topic", {"topic": "Vectors"}, "")
    case("power_levels", [], POWER[0], {}, "")
    case("join_rules", [], RULES[0], {"join_rule": "public"}, "")
    case("redaction", [], "m.room.redaction", {})
    case("aliases", [], "m.room.aliases", {"aliases": []}, "a.example.org")
    case("third_party_invite", [], "m.room.third_party_invite", {"public_keys": []}, "token")

    join: dict[str, Any] = {"membership": "join"}
    case("join", [RULES], "m.room.member", join, ALICE, "Sender and target are one key.")
    case("join_for_other", [RULES, member(BOB)], "m.room.member", join, BOB)
    authorised = {**join, "join_authorised_via_users_server": BOB}
    picked = [RULES, *([member(BOB)] if book.number >= 8 else [])]
    notes = "An authoriser is picked from version 8 on, by the event alone: the join rule is not asked."
    case("join_authorised", picked, "m.room.member", authorised, ALICE, notes)
    notes = "What is no string names nobody, and must not make the selection fail."
    case(
        "join_authoriser_number",
        [RULES],
        "m.room.member",
        {**join, "join_authorised_via_users_server": 42},
        ALICE,
        notes,
    )
    case("invite", [RULES, member(BOB)], "m.room.member", {"membership": "invite"}, BOB)
    notes = "An authoriser is picked for joins only."
    content = {"membership": "invite", "join_authorised_via_users_server": CAROL}
    case("invite_authoriser", [RULES, member(BOB)], "m.room.member", content, BOB, notes)
    offer = ("m.room.third_party_invite", "token")
    taken: dict[str, Any] = {"third_party_invite": {"signed": signed()}}
    content = {"membership": "invite", **taken}
    case("invite_third_party", [RULES, member(BOB), offer], "m.room.member", content, BOB)
    case("join_third_party", [RULES], "m.room.member", {**join, **taken}, ALICE, "Looked at in invites only.")
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
        case(f"invite_third_party_{label}", [RULES, member(BOB)], "m.room.member", content, BOB, notes)
    notes = "For a knock the join rules are picked in every version, whether or not it knows knocks."
    case("knock", [RULES], "m.room.member", {"membership": "knock"}, ALICE, notes)
    notes = "Neither leaving nor banning depends on the join rules."
    case("leave", [], "m.room.member", {"membership": "leave"}, ALICE, notes)
    case("kick", [member(BOB)], "m.room.member", {"membership": "leave"}, BOB, notes)
    case("ban", [member(BOB)], "m.room.member", {"membership": "ban"}, BOB, notes)
    notes = "An authoriser is picked for joins only."
    for membership, also in (("leave", []), ("ban", []), ("knock", [RULES])):
        content = {"membership": membership, "join_authorised_via_users_server": CAROL}
        case(f"{membership}_authoriser", [*also, member(BOB)], "m.room.member", content, BOB, notes)
    case("unknown_membership", [member(BOB)], "m.room.member", {"membership": "sit"}, BOB)
    case("no_membership", [member(BOB)], "m.room.member", {}, BOB)
    case("no_state_key", [RULES], "m.room.member", join, None, "There is no target to pick for.")
