"""Cases of ``auth_types``: the keys that the auth events selection picks, by event type and version."""

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
from .observed import OBSERVED_NOTHING_TO_SELECT
from .rooms import ALICE, BOB, CAROL, HELLO, plain_room
from .suite import SPEC, Dispute
from .versions import ALL, Versions

FILE = "auth_types"

SELECTION = f"{SPEC}/server-server-api/#auth-events-selection"


def member(user: str) -> Key:
    """Return the state key of a user's membership, with its type."""
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
        *,
        versions: Versions,
        disputed: Dispute | None = None,
    ) -> None:
        identifier = room.make(sender, kind, content, state_key)
        keys = [] if alone else sorted({*always, member(sender), *picked})
        book.write(
            "auth_types",
            name,
            {"event": room.events[identifier]},
            {"keys": [list(key) for key in keys]},
            SELECTION,
            notes=notes,
            versions=versions,
            disputed=disputed,
        )

    case("create", [], CREATE, room.events[room.create]["content"], "", alone=True, versions=ALL)
    notes = "From version 12 on, the create event is not picked." if book.number >= 12 else ""
    case("message", [], MESSAGE, HELLO, notes=notes, versions=ALL)
    case("state", [], TOPIC, {"topic": "Vectors"}, "", versions=ALL)
    case("power_levels", [], POWER_LEVELS, {}, "", versions=ALL)
    case("join_rules", [], JOIN_RULES, {"join_rule": "public"}, "", versions=ALL)
    case("redaction", [], REDACTION, {}, versions=ALL)
    case("aliases", [], ALIASES, {"aliases": []}, "a.example.org", versions=ALL)
    case("third_party_invite", [], THIRD_PARTY_INVITE, {"public_keys": []}, "token", versions=ALL)

    join: dict[str, Any] = {"membership": "join"}
    case(
        "join",
        [JOIN_RULES_KEY],
        MEMBER,
        join,
        ALICE,
        "The sender and the target are the same user, so their membership is one key.",
        versions=ALL,
    )
    case("join_for_other", [JOIN_RULES_KEY, member(BOB)], MEMBER, join, BOB, versions=ALL)
    authorised = {**join, AUTHORISER: BOB}
    picked = [JOIN_RULES_KEY, *([member(BOB)] if book.number >= 8 else [])]
    notes = (
        "From version 8 on, the authorising user's membership is picked. This depends only on the event, not"
        " on the join rule."
    )
    case("join_authorised", picked, MEMBER, authorised, ALICE, notes, versions=ALL)
    notes = "The value is not a string, so it names nobody. We select by the keys that are present."
    case(
        "join_authoriser_number",
        [JOIN_RULES_KEY],
        MEMBER,
        {**join, AUTHORISER: 42},
        ALICE,
        notes,
        versions=ALL,
        disputed=OBSERVED_NOTHING_TO_SELECT,
    )
    case("invite", [JOIN_RULES_KEY, member(BOB)], MEMBER, {"membership": "invite"}, BOB, versions=ALL)
    notes = "The authorising user's membership is picked only for joins."
    content = {"membership": "invite", AUTHORISER: CAROL}
    case("invite_authoriser", [JOIN_RULES_KEY, member(BOB)], MEMBER, content, BOB, notes, versions=ALL)
    offer = (THIRD_PARTY_INVITE, "token")
    taken: dict[str, Any] = {"third_party_invite": {"signed": signed()}}
    content = {"membership": "invite", **taken}
    case("invite_third_party", [JOIN_RULES_KEY, member(BOB), offer], MEMBER, content, BOB, versions=ALL)
    case(
        "join_third_party",
        [JOIN_RULES_KEY],
        MEMBER,
        {**join, **taken},
        ALICE,
        "The key third_party_invite is read only in invites.",
        versions=ALL,
    )
    broken: list[tuple[str, Any]] = [
        ("null", None),
        ("not_signed", {}),
        ("signed_null", {"signed": None}),
        ("no_token", {"signed": {"mxid": BOB}}),
        ("token_number", {"signed": {"mxid": BOB, "token": 5}}),
    ]
    for label, value in broken:
        disputed = None if label == "null" else OBSERVED_NOTHING_TO_SELECT
        content = {"membership": "invite", "third_party_invite": value}
        notes = (
            "The event names no m.room.third_party_invite event. The auth rules reject the event; we still"
            " select by the keys that are present."
        )
        case(
            f"invite_third_party_{label}",
            [JOIN_RULES_KEY, member(BOB)],
            MEMBER,
            content,
            BOB,
            notes,
            versions=ALL,
            disputed=disputed,
        )
    notes = "The join rules are picked for a knock in every version, even if the version has no knocks."
    case("knock", [JOIN_RULES_KEY], MEMBER, {"membership": "knock"}, ALICE, notes, versions=ALL)
    notes = "A leave, kick or ban does not depend on the join rules."
    case("leave", [], MEMBER, {"membership": "leave"}, ALICE, notes, versions=ALL)
    case("kick", [member(BOB)], MEMBER, {"membership": "leave"}, BOB, notes, versions=ALL)
    case("ban", [member(BOB)], MEMBER, {"membership": "ban"}, BOB, notes, versions=ALL)
    notes = "The authorising user's membership is picked only for joins."
    for membership, also in (("leave", []), ("ban", []), ("knock", [JOIN_RULES_KEY])):
        content = {"membership": membership, AUTHORISER: CAROL}
        if membership == "knock":
            notes += " As for every knock, the join rules are picked."
        case(f"{membership}_authoriser", [*also, member(BOB)], MEMBER, content, BOB, notes, versions=ALL)
    case("unknown_membership", [member(BOB)], MEMBER, {"membership": "sit"}, BOB, versions=ALL)
    broken_event = OBSERVED_NOTHING_TO_SELECT
    case("no_membership", [member(BOB)], MEMBER, {}, BOB, versions=ALL, disputed=broken_event)
    notes = "The event has no state key, so there is no target whose membership could be picked."
    case("no_state_key", [JOIN_RULES_KEY], MEMBER, join, None, notes, versions=ALL, disputed=broken_event)
