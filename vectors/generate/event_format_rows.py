"""The tables of the event format's cases: ways to change an event, and the rows that use them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from .events import KEY_ID, SERVER, USER, made_up_id, reference
from .independent import Object
from .observed import (
    OBSERVED_ANY_CONTENT,
    OBSERVED_ANY_ROOM_ID,
    OBSERVED_HASHED_LATER,
    OBSERVED_SIGNED_LATER,
    OBSERVED_TAKEN_ON_RECEIPT,
    OBSERVED_UNSIGNED_NOT_READ,
)
from .suite import Dispute
from .versions import ALL, FORMATS, Versions, spread

Change = Callable[[Object, str], Any]
ABSENT = object()


def put(key: str, value: Any) -> Change:
    """Set a key of the event, or remove it if the value is `ABSENT`."""

    def change(event: Object, version: str) -> Object:
        rest = {name: item for name, item in event.items() if name != key}
        return rest if value is ABSENT else {**rest, key: value}

    return change


def instead(value: Any) -> Change:
    """Replace the event."""
    return lambda event, version: value


def references(key: str, entries: Callable[[str], Any]) -> Change:
    """Set ``prev_events`` or ``auth_events`` to entries in the form of the room version."""
    return lambda event, version: {**event, key: entries(version)}


def many(count: int) -> Callable[[str], list[Any]]:
    """Return a function that gives ``count`` references in the form of a room version."""
    return lambda version: [reference(version, f"event{index}") for index in range(count)]


class Row(NamedTuple):
    """A case of the event format.

    Attributes:
        slug: its name.
        change: the change to a well-formed message event.
        notes: why the case exists.
        disputed: why the case accepts a second outcome, if it does.
        in_each_format: whether each event format has the case, and not only a few room versions. Each
            sentence of a format has such a row.
    """

    slug: str
    change: Change
    notes: str = ""
    disputed: Dispute | None = None
    in_each_format: bool = False

    def versions(self, index: int) -> Versions:
        """Return the room versions of the row with an index in its table."""
        some = spread(index)
        if not self.in_each_format:
            return some
        more = {form[index % len(form)] for form in FORMATS if not {*form} & {*some}}
        return tuple(version for version in ALL if version in {*some, *more})


# Changes to a message event that make it malformed, one defect each.
DEFECTS = (
    Row("not_object.array", instead([])),
    Row("not_object.string", instead("x")),
    Row("not_object.null", instead(None)),
    Row("not_object.number", instead(1)),
    Row("type.absent", put("type", ABSENT), in_each_format=True),
    Row("type.null", put("type", None)),
    Row("type.number", put("type", 1), in_each_format=True),
    Row("type.object", put("type", {})),
    Row("content.absent", put("content", ABSENT), in_each_format=True),
    Row("content.null", put("content", None), disputed=OBSERVED_ANY_CONTENT),
    Row("content.array", put("content", []), in_each_format=True),
    Row("content.string", put("content", "{}")),
    Row("sender.absent", put("sender", ABSENT), in_each_format=True),
    Row("sender.null", put("sender", None)),
    Row("sender.number", put("sender", 1), in_each_format=True),
    Row("sender.empty", put("sender", "")),
    Row("sender.no_colon", put("sender", "@alice")),
    Row(
        "sender.no_sigil",
        put("sender", "alice:example.org"),
        "Synapse checks only for a colon.",
    ),
    Row(
        "sender.wrong_sigil",
        put("sender", "!alice:example.org"),
        "Synapse checks only for a colon.",
    ),
    Row(
        "state_key.null",
        put("state_key", None),
        "Null is not the same as absent. gomatrixserverlib treats it as absent.",
    ),
    Row("state_key.number", put("state_key", 1), in_each_format=True),
    Row("state_key.false", put("state_key", False)),
    Row("state_key.object", put("state_key", {})),
    Row("depth.absent", put("depth", ABSENT), in_each_format=True),
    Row("depth.null", put("depth", None)),
    Row("depth.string", put("depth", "1"), in_each_format=True),
    Row("depth.true", put("depth", True), "A boolean is not an integer. In Python it is an int."),
    Row("origin_server_ts.absent", put("origin_server_ts", ABSENT), in_each_format=True),
    Row("origin_server_ts.null", put("origin_server_ts", None)),
    Row("origin_server_ts.string", put("origin_server_ts", "1700000000000"), in_each_format=True),
    Row(
        "origin_server_ts.true",
        put("origin_server_ts", True),
        "A boolean is not an integer. In Python it is an int.",
    ),
    Row("hashes.absent", put("hashes", ABSENT), disputed=OBSERVED_HASHED_LATER, in_each_format=True),
    Row("hashes.null", put("hashes", None), disputed=OBSERVED_HASHED_LATER),
    Row("hashes.array", put("hashes", [])),
    Row("hashes.string", put("hashes", "x")),
    Row("hashes.sha256_absent", put("hashes", {}), disputed=OBSERVED_TAKEN_ON_RECEIPT, in_each_format=True),
    Row("hashes.sha256_number", put("hashes", {"sha256": 1}), in_each_format=True),
    Row("hashes.sha256_null", put("hashes", {"sha256": None}), disputed=OBSERVED_HASHED_LATER),
    Row("signatures.null", put("signatures", None), disputed=OBSERVED_SIGNED_LATER),
    Row("signatures.array", put("signatures", []), in_each_format=True),
    Row("signatures.of_server_string", put("signatures", {SERVER: "x"}), in_each_format=True),
    Row("signatures.of_server_null", put("signatures", {SERVER: None}), disputed=OBSERVED_SIGNED_LATER),
    Row("signatures.of_key_number", put("signatures", {SERVER: {KEY_ID: 1}}), in_each_format=True),
    Row(
        "signatures.of_key_null",
        put("signatures", {SERVER: {KEY_ID: None}}),
        disputed=OBSERVED_SIGNED_LATER,
    ),
    Row("unsigned.array", put("unsigned", []), disputed=OBSERVED_UNSIGNED_NOT_READ, in_each_format=True),
    Row("unsigned.string", put("unsigned", "x"), disputed=OBSERVED_UNSIGNED_NOT_READ),
    Row("prev_events.absent", put("prev_events", ABSENT), in_each_format=True),
    Row("prev_events.null", put("prev_events", None)),
    Row("prev_events.object", put("prev_events", {}), in_each_format=True),
    Row("prev_events.number_entry", put("prev_events", [1]), in_each_format=True),
    Row("prev_events.null_entry", put("prev_events", [None])),
    Row("prev_events.object_entry", put("prev_events", [{}])),
    Row(
        "prev_events.bad_second",
        references("prev_events", lambda v: [reference(v, "a"), 1]),
        "Every entry is checked, including the last.",
    ),
    Row(
        "prev_events.21",
        references("prev_events", many(21)),
        "At most 20 previous events are allowed.",
        in_each_format=True,
    ),
    Row("auth_events.absent", put("auth_events", ABSENT), in_each_format=True),
    Row("auth_events.null", put("auth_events", None)),
    Row("auth_events.string", put("auth_events", "$a"), in_each_format=True),
    Row("auth_events.number_entry", put("auth_events", [1]), in_each_format=True),
    Row(
        "auth_events.11",
        references("auth_events", many(11)),
        "At most 10 auth events are allowed.",
        in_each_format=True,
    ),
)

# Changes to a message event that leave it well formed.
SOUND = (
    Row("content.empty", put("content", {})),
    Row("content.any_json", put("content", {"a": [None, True, {"": "\u2028"}], "b": -1})),
    Row("content.deep", put("content", {"a": [[[[[[[[[[]]]]]]]]]]})),
    Row("type.empty", put("type", ""), "The specification limits only the length of the type."),
    Row("type.unknown", put("type", "org.example.thing")),
    Row(
        "state_key.empty",
        put("state_key", ""),
        "An empty state key is a state key, so this is a state event.",
    ),
    Row("state_key.text", put("state_key", "@ü 😀\n"), "A state key may be any text."),
    Row("depth.zero", put("depth", 0)),
    Row("origin_server_ts.zero", put("origin_server_ts", 0)),
    Row(
        "prev_events.none",
        put("prev_events", []),
        "The auth rules, not the format, decide whether prev_events may be empty.",
    ),
    Row(
        "prev_events.20",
        references("prev_events", many(20)),
        "Up to 20 previous events are allowed.",
        in_each_format=True,
    ),
    Row("auth_events.none", put("auth_events", [])),
    Row("unknown_key", put("org.example.key", {"a": 1}), "Unknown top-level keys are allowed."),
    Row("old_keys", put("prev_state", []), "Early events had this key."),
    Row("unsigned.empty", put("unsigned", {})),
    Row("unsigned.any", put("unsigned", {"age": 1, "x": [None]})),
    Row(
        "hashes.further",
        lambda e, v: {**e, "hashes": {**e["hashes"], "sha512": "x"}},
        "Other hashes may be present as well.",
    ),
    Row(
        "signatures.empty",
        put("signatures", {}),
        "The event has too few signatures, but its format is valid. The signature check fails later.",
    ),
    Row("signatures.further", put("signatures", {SERVER: {KEY_ID: "x", "rot13:1": "y"}, "": {}})),
    Row("redacts.top", put("redacts", "$x")),
)

LABEL = "a" * 63
LONG_SERVER = f"{LABEL}.{LABEL}.{LABEL}.example"  # 199 bytes
LONGEST = "@" + "a" * (255 - 2 - len(LONG_SERVER)) + ":" + LONG_SERVER

# Name, sender, note.
SENDERS = (
    ("plain", USER, ""),
    ("empty_localpart", "@:example.org", "The historical grammar allows an empty localpart."),
    (
        "historical",
        "@Ü mlaut/\n\t😀:example.org",
        "Any code points except ':' and NUL are allowed. The modern character set does not apply to events.",
    ),
    ("upper_case", "@Alice:Example.ORG", ""),
    ("port", "@alice:example.org:8448", "The server name is everything after the first colon."),
    ("ipv4", "@alice:192.0.2.1", ""),
    ("ipv4_port", "@alice:192.0.2.1:8448", ""),
    ("ipv6", "@alice:[2001:db8::1]", ""),
    ("ipv6_port", "@alice:[2001:db8::1]:8448", ""),
    ("255_bytes", LONGEST, "The user ID has the greatest length, 255 bytes."),
)

# Name, event type or state key, whether it is short enough, note.
LENGTHS = (
    ("255_bytes", "a" * 255, True, ""),
    ("256_bytes", "a" * 256, False, ""),
    (
        "255_wide",
        "é" * 127 + "a",
        True,
        "The value is 127 times é and one byte. The length is counted in bytes, not in code points.",
    ),
    (
        "256_wide",
        "é" * 128,
        False,
        "128 times é are 256 bytes. The length is counted in bytes, not in code points.",
    ),
)

# Name, room ID in versions 1 to 11, whether it is valid, note, dispute.
ROOMS: tuple[tuple[str, Any, bool, str, Dispute | None], ...] = (
    ("port", "!room:example.org:8448", True, "", None),
    (
        "other_server",
        "!room:example.com",
        True,
        "Only the room ID of a create event must have the sender's server name.",
        None,
    ),
    (
        "no_server",
        "!" + made_up_id("12", "create")[1:],
        False,
        "Room IDs of version 12 have this form.",
        OBSERVED_ANY_ROOM_ID,
    ),
    (
        "no_sigil",
        "room:example.org",
        False,
        "Synapse checks only for a colon.",
        None,
    ),
    ("null", None, False, "", None),
    ("number", 1, False, "", None),
)
