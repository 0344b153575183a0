"""The tables of the event format's cases: ways to change an event, and the rows that use them."""

from collections.abc import Callable
from typing import Any

from .events import KEY_ID, SERVER, USER, made_up_id, reference
from .independent import Object

Change = Callable[[Object, str], Any]
ABSENT = object()


def put(key: str, value: Any) -> Change:
    """Set a key of the event, or take it away."""

    def change(event: Object, version: str) -> Object:
        rest = {name: item for name, item in event.items() if name != key}
        return rest if value is ABSENT else {**rest, key: value}

    return change


def instead(value: Any) -> Change:
    """Give something else than an event."""
    return lambda event, version: value


def references(key: str, entries: Callable[[str], Any]) -> Change:
    """Set ``prev_events`` or ``auth_events`` to what the room version makes of it."""
    return lambda event, version: {**event, key: entries(version)}


def many(count: int) -> Callable[[str], list[Any]]:
    """Return so many references."""
    return lambda version: [reference(version, f"event{index}") for index in range(count)]


# Name, change to a message event, note. One defect each.
DEFECTS: tuple[tuple[str, Change, str], ...] = (
    ("not_object.array", instead([]), ""),
    ("not_object.string", instead("x"), ""),
    ("not_object.null", instead(None), ""),
    ("not_object.number", instead(1), ""),
    ("type.absent", put("type", ABSENT), ""),
    ("type.null", put("type", None), ""),
    ("type.number", put("type", 1), ""),
    ("type.object", put("type", {}), ""),
    ("content.absent", put("content", ABSENT), ""),
    ("content.null", put("content", None), ""),
    ("content.array", put("content", []), ""),
    ("content.string", put("content", "{}"), ""),
    ("sender.absent", put("sender", ABSENT), ""),
    ("sender.null", put("sender", None), ""),
    ("sender.number", put("sender", 1), ""),
    ("sender.empty", put("sender", ""), ""),
    ("sender.no_colon", put("sender", "@alice"), ""),
    ("sender.no_sigil", put("sender", "alice:example.org"), "Synapse tests for a colon only."),
    ("sender.wrong_sigil", put("sender", "!alice:example.org"), "Synapse tests for a colon only."),
    (
        "state_key.null",
        put("state_key", None),
        "Null is not the same as absent: gomatrixserverlib takes it so.",
    ),
    ("state_key.number", put("state_key", 1), ""),
    ("state_key.false", put("state_key", False), ""),
    ("state_key.object", put("state_key", {}), ""),
    ("depth.absent", put("depth", ABSENT), ""),
    ("depth.null", put("depth", None), ""),
    ("depth.string", put("depth", "1"), ""),
    ("depth.true", put("depth", True), "In Python a bool is an int."),
    ("origin_server_ts.absent", put("origin_server_ts", ABSENT), ""),
    ("origin_server_ts.null", put("origin_server_ts", None), ""),
    ("origin_server_ts.string", put("origin_server_ts", "1700000000000"), ""),
    ("origin_server_ts.true", put("origin_server_ts", True), "In Python a bool is an int."),
    ("hashes.absent", put("hashes", ABSENT), ""),
    ("hashes.null", put("hashes", None), ""),
    ("hashes.array", put("hashes", []), ""),
    ("hashes.string", put("hashes", "x"), ""),
    ("hashes.sha256_absent", put("hashes", {}), ""),
    ("hashes.sha256_number", put("hashes", {"sha256": 1}), ""),
    ("hashes.sha256_null", put("hashes", {"sha256": None}), ""),
    ("signatures.null", put("signatures", None), ""),
    ("signatures.array", put("signatures", []), ""),
    ("signatures.of_server_string", put("signatures", {SERVER: "x"}), ""),
    ("signatures.of_server_null", put("signatures", {SERVER: None}), ""),
    ("signatures.of_key_number", put("signatures", {SERVER: {KEY_ID: 1}}), ""),
    ("signatures.of_key_null", put("signatures", {SERVER: {KEY_ID: None}}), ""),
    ("unsigned.array", put("unsigned", []), ""),
    ("unsigned.string", put("unsigned", "x"), ""),
    ("prev_events.absent", put("prev_events", ABSENT), ""),
    ("prev_events.null", put("prev_events", None), ""),
    ("prev_events.object", put("prev_events", {}), ""),
    ("prev_events.number_entry", put("prev_events", [1]), ""),
    ("prev_events.null_entry", put("prev_events", [None]), ""),
    ("prev_events.object_entry", put("prev_events", [{}]), ""),
    (
        "prev_events.bad_second",
        references("prev_events", lambda v: [reference(v, "a"), 1]),
        "The last entry counts too.",
    ),
    ("prev_events.21", references("prev_events", many(21)), "At most 20."),
    ("auth_events.absent", put("auth_events", ABSENT), ""),
    ("auth_events.null", put("auth_events", None), ""),
    ("auth_events.string", put("auth_events", "$a"), ""),
    ("auth_events.number_entry", put("auth_events", [1]), ""),
    ("auth_events.11", references("auth_events", many(11)), "At most 10."),
)

# Name, change to a message event, note.
SOUND: tuple[tuple[str, Change, str], ...] = (
    ("content.empty", put("content", {}), ""),
    ("content.any_json", put("content", {"a": [None, True, {"": "\u2028"}], "b": -1}), ""),
    ("content.deep", put("content", {"a": [[[[[[[[[[]]]]]]]]]]}), ""),
    ("type.empty", put("type", ""), "The specification sets only a greatest length."),
    ("type.unknown", put("type", "org.example.thing"), ""),
    ("state_key.empty", put("state_key", ""), "An empty key is a key: this is a state event."),
    ("state_key.text", put("state_key", "@ü 😀\n"), "Any text."),
    ("depth.zero", put("depth", 0), ""),
    ("origin_server_ts.zero", put("origin_server_ts", 0), ""),
    ("prev_events.none", put("prev_events", []), "Whether that is allowed is for the authorisation rules."),
    ("prev_events.20", references("prev_events", many(20)), "20 are still allowed."),
    ("auth_events.none", put("auth_events", []), ""),
    ("unknown_key", put("org.example.key", {"a": 1}), "Unknown top-level keys are no defect."),
    ("old_keys", put("prev_state", []), "A key of early events."),
    ("unsigned.empty", put("unsigned", {}), ""),
    ("unsigned.any", put("unsigned", {"age": 1, "x": [None]}), ""),
    (
        "hashes.further",
        lambda e, v: {**e, "hashes": {**e["hashes"], "sha512": "x"}},
        "Further hashes may stand beside it.",
    ),
    (
        "signatures.empty",
        put("signatures", {}),
        "Too few, but of the right form: the signature check fails later.",
    ),
    ("signatures.further", put("signatures", {SERVER: {KEY_ID: "x", "rot13:1": "y"}, "": {}}), ""),
    ("redacts.top", put("redacts", "$x"), ""),
)

LABEL = "a" * 63
LONG_SERVER = f"{LABEL}.{LABEL}.{LABEL}.example"  # 199 bytes
LONGEST = "@" + "a" * (255 - 2 - len(LONG_SERVER)) + ":" + LONG_SERVER

# Name, sender, note.
SENDERS = (
    ("plain", USER, ""),
    ("empty_localpart", "@:example.org", "The historical grammar lets the localpart be empty."),
    (
        "historical",
        "@Ü mlaut/\n\t😀:example.org",
        "Any code points but ':' and NUL: the modern charset is not for events.",
    ),
    ("upper_case", "@Alice:Example.ORG", ""),
    ("port", "@alice:example.org:8448", "What follows the first colon is the server name."),
    ("ipv4", "@alice:192.0.2.1", ""),
    ("ipv4_port", "@alice:192.0.2.1:8448", ""),
    ("ipv6", "@alice:[2001:db8::1]", ""),
    ("ipv6_port", "@alice:[2001:db8::1]:8448", ""),
    ("255_bytes", LONGEST, "The greatest length."),
)

# Name, event type or state key, whether it is short enough, note.
LENGTHS = (
    ("255_bytes", "a" * 255, True, ""),
    ("256_bytes", "a" * 256, False, ""),
    ("255_wide", "é" * 127 + "a", True, "127 times é and one byte: bytes are counted, not code points."),
    ("256_wide", "é" * 128, False, "128 times é are 256 bytes: bytes are counted, not code points."),
)

# Name, room ID in versions 1 to 11, whether it is one, note.
ROOMS = (
    ("port", "!room:example.org:8448", True, ""),
    (
        "other_server",
        "!room:example.com",
        True,
        "Only that of a create event must be of the sender's server.",
    ),
    ("no_server", "!" + made_up_id("12", "create")[1:], False, "Version 12 has room IDs of this form."),
    ("no_sigil", "room:example.org", False, "Synapse tests for a colon only."),
    ("null", None, False, ""),
    ("number", 1, False, ""),
)
