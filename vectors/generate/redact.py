"""Redaction: what it keeps, by event type and room version."""

from typing import Any

from .constants import (
    ALIASES,
    AUTHORISER,
    CREATE,
    JOIN_RULES,
    MEMBER,
    MESSAGE,
    NAME,
    POWER_LEVELS,
    REDACTION,
    START,
    THIRD_PARTY_INVITE,
    TOPIC,
)
from .events import OTHER_USER, USER, made_up_id, third_party_signed, whole
from .independent import Object, redacted, without
from .suite import File, page
from .versions import ALL, since, spread

# For each event type, content with every key that some version keeps, and further keys.
CONTENTS: dict[str, Object] = {
    MEMBER: {
        "membership": "join",
        "displayname": "Alice",
        "avatar_url": "mxc://example.org/a",
        "is_direct": True,
        "reason": "Hello",
        AUTHORISER: OTHER_USER,
        "third_party_invite": {"display_name": "A. L.", "signed": third_party_signed(USER), "more": 1},
        "org.example.key": {"membership": "ban"},
    },
    CREATE: {
        "creator": USER,
        "room_version": "1",
        "m.federate": True,
        "predecessor": {"room_id": "!old:example.org", "event_id": "$old:example.org"},
        "type": "m.space",
        "additional_creators": [OTHER_USER],
        "org.example.key": 1,
    },
    JOIN_RULES: {
        "join_rule": "restricted",
        "allow": [{"type": "m.room_membership", "room_id": "!other:example.org", "more": [1]}],
        "org.example.key": 1,
    },
    POWER_LEVELS: {
        "ban": 51,
        "events": {NAME: 52},
        "events_default": 1,
        "invite": 2,
        "kick": 53,
        "notifications": {"room": 54},
        "redact": 55,
        "state_default": 56,
        "users": {USER: 100},
        "users_default": 3,
        "org.example.key": 1,
    },
    ALIASES: {"aliases": ["#a:example.org"], "org.example.key": 1},
    "m.room.history_visibility": {"history_visibility": "shared", "org.example.key": 1},
    REDACTION: {"redacts": "$target:example.org", "reason": "Spam", "org.example.key": 1},
    MESSAGE: {"msgtype": "m.text", "body": "Good morning", "membership": "join", "creator": USER},
    "m.room.encrypted": {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "y"},
    "m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_ms": 1},
    TOPIC: {"topic": "About"},
    NAME: {"name": "Room"},
    "m.room.canonical_alias": {"alias": "#a:example.org", "aliases": ["#b:example.org"]},
    "m.room.tombstone": {"body": "Moved", "replacement_room": "!new:example.org"},
    "m.room.server_acl": {"allow": ["*"], "deny": ["bad.example"], "allow_ip_literals": False},
    "m.room.guest_access": {"guest_access": "can_join"},
    THIRD_PARTY_INVITE: {
        "display_name": "B",
        "public_key": "x",
        "key_validity_url": "https://x.example",
    },
    "org.example.thing": {
        "membership": "join",
        "creator": USER,
        "join_rule": "public",
        "users": {},
        "redacts": "$x",
    },
}

NO_STATE = frozenset({REDACTION, MESSAGE, "m.room.encrypted"})

# Top-level keys: some versions keep some of them, and no version keeps the rest.
EXTRA: Object = {
    "origin": "example.org",
    "membership": "join",
    "prev_state": [],
    "redacts": "$target:example.org",
    "replaces_state": "$old:example.org",
    "age_ts": START,
    "user_id": USER,
    "unsigned": {"age": 5, "redacted_because": {}},
    "org.example.key": {"type": CREATE},
}

# Name, type, content, redacted content by versions (typed by hand), note.
TRAPS: tuple[tuple[str, str, Object, dict[tuple[str, ...], Object], str], ...] = (
    (
        "invite.no_signed",
        MEMBER,
        {"membership": "invite", "third_party_invite": {"display_name": "B."}},
        {
            since("10", "10"): {"membership": "invite"},
            since("11"): {"membership": "invite", "third_party_invite": {}},
        },
        "From version 11 on, an object without `signed` becomes an empty object, so the event is still"
        " marked as a third-party invite.",
    ),
    (
        "invite.signed",
        MEMBER,
        {
            "membership": "invite",
            "third_party_invite": {"display_name": "B.", "signed": {"token": "t", "x": [1]}},
        },
        {
            since("10", "10"): {"membership": "invite"},
            since("11"): {"membership": "invite", "third_party_invite": {"signed": {"token": "t", "x": [1]}}},
        },
        "From version 11 on, `signed` is kept whole. gomatrixserverlib removes it.",
    ),
    (
        "invite.signed_null",
        MEMBER,
        {"membership": "invite", "third_party_invite": {"signed": None}},
        {since("11"): {"membership": "invite", "third_party_invite": {"signed": None}}},
        "The value of a kept key is kept, whatever it is.",
    ),
    (
        "values.odd",
        POWER_LEVELS,
        {"users": "none", "events": [1, {"a": None}], "ban": None, "kick": {"x": {"y": []}}, "redact": False},
        {
            ALL: {
                "users": "none",
                "events": [1, {"a": None}],
                "ban": None,
                "kick": {"x": {"y": []}},
                "redact": False,
            }
        },
        "Only keys are filtered. Values are kept whole, whatever their type.",
    ),
    (
        "values.membership_object",
        MEMBER,
        {"membership": {"displayname": "x"}, "displayname": "y"},
        {("1", "6", "9", "12"): {"membership": {"displayname": "x"}}},
        "Only keys at the top level of content are filtered.",
    ),
    (
        "values.empty",
        MEMBER,
        {},
        {("1", "8", "11"): {}},
        "Redaction does not add missing keys.",
    ),
    (
        "create.no_creator",
        CREATE,
        {"room_version": "10", "predecessor": {}},
        {("1", "10"): {}, since("11"): {"room_version": "10", "predecessor": {}}},
        "Up to version 10 even `room_version` is removed. From version 11 on, the whole content is kept.",
    ),
    (
        "type.case",
        "m.room.Member",
        {"membership": "join"},
        {("2", "7", "11"): {}},
        "Event types are case-sensitive.",
    ),
    (
        "type.prefix",
        "m.room.member.extra",
        {"membership": "join"},
        {("3", "9", "12"): {}},
        "Event types are compared as a whole, not by prefix.",
    ),
    (
        "third_party_invite.other_type",
        "org.example.invite",
        {"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}},
        {("10", "11", "12"): {}},
        "`third_party_invite` is kept in member events only.",
    ),
    (
        "third_party_invite.join_rules",
        "m.room.join_rules",
        {"join_rule": "invite", "third_party_invite": {"signed": {"token": "t"}}},
        {("10", "11", "12"): {"join_rule": "invite"}},
        "`third_party_invite` is kept in member events only.",
    ),
)


def _expect(file: File, slug: str, version: str, event: Object, result: Any, notes: str) -> None:
    spec = page(version, "redactions")
    file.add(f"redact.{slug}", version, {"event": event}, {"event": result}, spec=spec, notes=notes)


def files() -> list[File]:
    """Return the files of this area."""
    file = File("base/redact.json", "Redaction")
    for kind, content in CONTENTS.items():
        for version in ALL:
            key = None if kind in NO_STATE else USER if kind == MEMBER else ""
            event = whole(version, kind, content, state_key=key)
            notes = "The event has every key that some version keeps, and further keys."
            _expect(file, f"type.{kind}", version, event, redacted(event, version), notes)
    for version in ALL:
        event = {**whole(version, **EXTRA), "event_id": f"$event:{version}.example.org"}
        kept = "`event_id`" if version in ("1", "2") else "`event_id`, which only clients see in this version"
        notes = f"Redaction removes the top-level keys `redacts` and `unsigned`. It keeps {kept}."
        _expect(file, "top_level", version, event, redacted(event, version), notes)
        event = redacted(whole(version, MEMBER, CONTENTS[MEMBER], state_key=USER), version)
        _expect(file, "twice", version, event, event, "Redacting a redacted event changes nothing.")
        event = whole(version, CREATE, CONTENTS[CREATE])
        notes = (
            "Only the type decides. Without a state key this is not a create event, but it is redacted like"
            " one."
        )
        _expect(file, "create.no_state_key", version, event, redacted(event, version), notes)
    for index, key in enumerate(
        ("hashes", "signatures", "depth", "prev_events", "sender", "origin_server_ts")
    ):
        for version in spread(index, count=2):
            event = whole(version)
            del event[key]
            result = {name: value for name, value in event.items() if name != "content"} | {"content": {}}
            _expect(file, f"missing.{key}", version, event, result, "Redaction does not add missing keys.")
    for slug, kind, content, results, notes in TRAPS:
        for versions, kept_content in results.items():
            for version in versions:
                event = whole(version, kind, content, state_key=OTHER_USER if kind == MEMBER else "")
                _expect(file, slug, version, event, {**event, "content": kept_content}, notes)
    for version in ALL:
        target = made_up_id(version, "x")
        event = whole(version, REDACTION, {"reason": "y"}, redacts=target)
        result = without(event, "redacts") | {"content": {}}
        notes = "A redaction loses `redacts` at the top level too, although versions 1 to 10 have it there."
        _expect(file, "redaction.top_level_redacts", version, event, result, notes)
    for version in since("11"):
        event = whole(version, REDACTION, {"redacts": made_up_id(version, "x"), "reason": "y"})
        result = {**event, "content": {"redacts": made_up_id(version, "x")}}
        _expect(
            file,
            "redaction.redacts",
            version,
            event,
            result,
            "From version 11 on, `redacts` in the content is kept.",
        )
    return [file]
