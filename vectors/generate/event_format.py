"""The event format: check 1 on receipt of a PDU."""

from collections.abc import Callable
from typing import Any

from .constants import CREATE, MAX_INTEGER, MEMBER, MESSAGE, POWER_LEVELS
from .events import KEY_ID, SERVER, USER, made_up_id, reference, whole
from .independent import Object, canonical
from .suite import SPEC, File, page
from .versions import ALL, since, spread

SIZES = f"{SPEC}/client-server-api/#size-limits"
USER_IDS = f"{SPEC}/appendices/#historical-user-ids"
ROOM_IDS = f"{SPEC}/appendices/#room-ids"

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


def _defects(file: File) -> None:
    for index, (slug, change, notes) in enumerate(DEFECTS):
        for version in spread(index):
            event = change(whole(version), version)
            _add(file, slug, version, event, False, notes)


def _sound(file: File) -> None:
    for version in ALL:
        for kind, content, key in (
            (MESSAGE, None, None),
            (CREATE, {"creator": USER, "room_version": version}, ""),
            (MEMBER, {"membership": "join"}, USER),
            (POWER_LEVELS, {"users": {USER: 100}}, ""),
        ):
            notes = "An event as servers send it."
            _add(file, f"good.{kind}", version, whole(version, kind, content, state_key=key), True, notes)
    for index, (slug, change, notes) in enumerate(SOUND):
        for version in spread(index):
            _add(file, slug, version, change(whole(version), version), True, notes)
    for version in ALL:
        event = put("depth", MAX_INTEGER)(whole(version), version)
        notes = "The ceiling of version 6 and later is inclusive."
        _add(file, "depth.greatest_of_53_bits", version, event, True, notes)
    for version in since("1", "11"):
        event = references("auth_events", many(10))(whole(version), version)
        _add(file, "auth_events.10", version, event, True, "10 are still allowed.")


def _identifiers(file: File) -> None:
    for index, (slug, sender, notes) in enumerate(SENDERS):
        for version in spread(index):
            _add(file, f"sender.{slug}", version, whole(version, sender=sender), True, notes, USER_IDS)
    for version in ("1", "5", "6", "12"):
        _add(file, "sender.256_bytes", version, whole(version, sender="@a" + LONGEST[1:]), False, "", SIZES)
        wide = "@" + "é" * 150 + ":example.org"
        notes = "Bytes are counted, not code points: 313 of them."
        _add(file, "sender.313_bytes", version, whole(version, sender=wide), False, notes, SIZES)
        for key in ("type", "state_key"):
            for slug, text, valid, notes in LENGTHS:
                _add(
                    file,
                    f"{key}.{slug}",
                    version,
                    put(key, text)(whole(version), version),
                    valid,
                    notes,
                    SIZES,
                )
    domains = since("1", "11")
    for index, (slug, room, valid, notes) in enumerate(ROOMS):
        for version in domains if slug == "no_server" else spread(index, domains):
            event = put("room_id", room)(whole(version), version)
            _add(file, f"room_id.{slug}", version, event, valid, notes, ROOM_IDS)
    for version in ALL:
        event = put("room_id", ABSENT)(whole(version), version)
        _add(
            file,
            "room_id.absent",
            version,
            event,
            False,
            "Only a create event of version 12 has none.",
            ROOM_IDS,
        )


def _versions(file: File) -> None:
    for version in ("1", "2"):
        for slug, value, notes in (
            ("absent", ABSENT, "Versions 1 and 2 carry the event ID in the event."),
            ("hash", made_up_id("4", "x"), "An event ID of version 4 in an event of this one."),
            ("null", None, ""),
            ("number", 1, ""),
            ("no_sigil", "x:example.org", ""),
        ):
            _add(
                file,
                f"event_id.{slug}",
                version,
                put("event_id", value)(whole(version), version),
                False,
                notes,
            )
        for slug, entry in (
            ("bare_id", made_up_id(version, "a")),
            ("no_hashes", [made_up_id(version, "a")]),
            ("three", [*reference(version, "a"), {}]),
            ("swapped", reference(version, "a")[::-1]),
            ("hash_string", [made_up_id(version, "a"), "x"]),
            ("hash_null", [made_up_id(version, "a"), None]),
        ):
            for key in ("prev_events", "auth_events"):
                event = {**whole(version), key: [entry]}
                _add(
                    file, f"{key}.{slug}", version, event, False, "Entries are pairs of an ID and an object."
                )
    for version in since("3"):
        for key in ("prev_events", "auth_events"):
            event = {**whole(version), key: [reference("2", "a")]}
            notes = "Pairs are of versions 1 and 2; from version 3 on entries are event IDs."
            _add(file, f"{key}.pair", version, event, False, notes)
    content = {"creator": USER, "room_version": "11"}
    for version in since("1", "11"):
        event = put("room_id", ABSENT)(whole(version, CREATE, content, state_key=""), version)
        notes = "Up to version 11 a create event carries its room ID."
        _add(file, "create.no_room_id", version, event, False, notes)
    for slug, room in (
        ("domain", "!room:example.org"),
        ("hash", "!" + made_up_id("12", "x")[1:]),
        ("null", None),
    ):
        event = {**whole("12", CREATE, {"room_version": "12"}, state_key=""), "room_id": room}
        notes = "The room ID is this event's own ID: it cannot carry it."
        _add(file, f"create.room_id_{slug}", "12", event, False, notes)
    for slug, room in (
        ("text", "foo"),
        ("empty", ""),
        ("sigil_only", "!"),
        ("null", None),
        ("event_id", made_up_id("12", "x")),
    ):
        event = {**whole("12"), "room_id": room}
        _add(file, f"room_id.{slug}", "12", event, False, "A room ID begins with '!'.", ROOM_IDS)


def _numbers(file: File) -> None:
    for version in since("6"):
        event = whole(version, depth=2**53)
        notes = "The ceiling is 2^53 - 1 from version 6 on; up to version 5 it is 2^63 - 1."
        _add(file, "depth.2_to_53", version, event, False, notes)
    for version in since("1", "5"):
        _add(file, "depth.2_to_63", version, whole(version, depth=2**63), False, "The ceiling is 2^63 - 1.")
    for version in ALL:
        lenient = version in since("1", "5")
        for slug, content in (
            ("float", {"a": 1.5}),
            ("nested_float", {"a": [{"b": [0.5]}]}),
            ("big", {"a": 2**53}),
            ("big_negative", {"a": [-(2**53)]}),
        ):
            notes = "Up to version 5 canonical JSON is not enforced; from version 6 on it is."
            _add(
                file,
                f"content.{slug}",
                version,
                whole(version, content=content),
                lenient,
                notes,
                page(version, "canonical-json"),
            )
        if version in ("1", "5"):
            event = {**whole(version), "unsigned": {"a": 1.5}}
            _add(file, "unsigned.float", version, event, True, "", page(version, "canonical-json"))
        event = {**whole(version), "depth": 12.5}
        _add(file, "depth.float", version, event, False, "No integer in any version.")
        event = {**whole(version), "origin_server_ts": 1700000000000.5}
        _add(file, "origin_server_ts.float", version, event, False, "No integer in any version.")
        for slug, number in (("2_to_53", 2**53), ("int64", 2**63 - 1)):
            event = {**whole(version), "origin_server_ts": number}
            _add(
                file, f"origin_server_ts.{slug}", version, event, lenient, "", page(version, "canonical-json")
            )
    for version in ("1", "5"):
        event = {**whole(version), "origin_server_ts": 2**63}
        _add(file, "origin_server_ts.2_to_63", version, event, False, "A 64-bit integer.")


def _sizes(file: File, numbers: File) -> None:
    for version in ("2", "5", "6", "11", "12"):
        for slug, size, valid, notes in (
            ("65536", 65536, True, "The greatest size, signatures included: ruma allows one byte less."),
            ("65537", 65537, False, "One byte more than the greatest size."),
        ):
            # With `unsigned`, which Synapse puts on every event before it measures.
            event = {**whole(version, content={"body": ""}), "unsigned": {}}
            event["content"]["body"] = "x" * (size - len(canonical(event)))
            assert len(canonical(event)) == size
            _add(file, f"size.{slug}", version, event, valid, notes, SIZES)
    event = whole("11", content={"body": ""})
    room = 65537 - len(canonical(event))
    event["content"]["body"] = "é" * (room // 2) + "x" * (room % 2)
    assert len(canonical(event)) == 65537
    _add(file, "size.wide_65537", "11", event, False, "Bytes are counted, not characters.", SIZES)
    for slug, version, part in _FILLINGS:
        event = whole(version, content={"fill": part(0), "body": ""})
        unit = len(canonical(part(1000))) / 1000
        event["content"]["fill"] = part(int((65500 - len(canonical(event))) / unit))
        event["content"]["body"] = "x" * (65537 - len(canonical(event)))
        assert len(canonical(event)) == 65537
        assert len(event["content"]["body"]) < 1000
        notes = "Too large by one byte, with hardly a string in it: what is counted is the canonical JSON."
        # What strict versions do not have, not every parser reads.
        into = numbers if version == "5" else file
        _add(into, f"size.{slug}_65537", version, event, False, notes, SIZES)


_FILLINGS: tuple[tuple[str, str, Callable[[int], Any]], ...] = (
    ("true", "11", lambda count: [True] * count),
    ("numbers", "11", lambda count: [MAX_INTEGER] * count),
    ("arrays", "11", lambda count: [[]] * count),
    ("keys", "11", lambda count: {f"{number:04x}": {} for number in range(count)}),
    ("long_keys", "11", lambda count: {f"{number:060x}": {} for number in range(count)}),
    ("large_numbers", "5", lambda count: [10**50] * count),
    ("fractions", "5", lambda count: [-1.2345678901234567e-300] * count),
)
"""What fills an event: with so many of it."""


def _add(
    file: File, slug: str, version: str, event: Any, valid: bool, notes: str, spec: str | None = None
) -> None:
    address = page(version, "event-format") if spec is None else spec
    file.add(f"event_format.{slug}", version, {"event": event}, {"valid": valid}, spec=address, notes=notes)


def files() -> list[File]:
    """Return the files of this area."""
    form = File("base/event_format.json", "Event format: keys, types, identifiers, references")
    _sound(form)
    _defects(form)
    _identifiers(form)
    _versions(form)
    numbers = File(
        "base/event_numbers.json", "Event format: numbers that not every version has, or every parser"
    )
    _numbers(numbers)
    sizes = File("base/event_size.json", "Event format: the greatest size of an event")
    _sizes(sizes, numbers)
    return [form, numbers, sizes]
