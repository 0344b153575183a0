"""The event format: check 1 on receipt of a PDU."""

from collections.abc import Callable
from typing import Any

from .constants import CREATE, MAX_INTEGER, MEMBER, MESSAGE, POWER_LEVELS
from .event_format_rows import (
    ABSENT,
    DEFECTS,
    LENGTHS,
    LONGEST,
    ROOMS,
    SENDERS,
    SOUND,
    Row,
    many,
    put,
    references,
)
from .events import USER, made_up_id, reference, whole
from .independent import canonical
from .observed import OBSERVED_HASH_NOT_READ, OBSERVED_RULE_DECIDES, OBSERVED_TAKEN_ON_RECEIPT
from .suite import SPEC, Dispute, File, page
from .versions import ALL, since, spread

SIZES = f"{SPEC}/client-server-api/#size-limits"
USER_IDS = f"{SPEC}/appendices/#historical-user-ids"
ROOM_IDS = f"{SPEC}/appendices/#room-ids"


def _defects(file: File) -> None:
    for index, row in enumerate(DEFECTS):
        for version in row.versions(index):
            event = row.change(whole(version), version)
            _add(file, row.slug, version, event, False, row.notes, disputed=row.disputed)


def _sound(file: File) -> None:
    for version in ALL:
        for kind, content, key in (
            (MESSAGE, None, None),
            (CREATE, {"creator": USER, "room_version": version}, ""),
            (MEMBER, {"membership": "join"}, USER),
            (POWER_LEVELS, {"users": {USER: 100}}, ""),
        ):
            notes = "A well-formed event, as servers send it."
            _add(file, f"good.{kind}", version, whole(version, kind, content, state_key=key), True, notes)
    for index, row in enumerate(SOUND):
        for version in row.versions(index):
            event = row.change(whole(version), version)
            _add(file, row.slug, version, event, True, row.notes, disputed=row.disputed)
    for version in ALL:
        event = put("depth", MAX_INTEGER)(whole(version), version)
        notes = "From version 6 on, the greatest depth is 2^53 - 1, inclusive."
        _add(file, "depth.greatest_of_53_bits", version, event, True, notes)
    for version in since("1", "11"):
        event = references("auth_events", many(10))(whole(version), version)
        _add(file, "auth_events.10", version, event, True, "Up to 10 auth events are allowed.")


def _identifiers(file: File) -> None:
    for index, (slug, sender, notes) in enumerate(SENDERS):
        for version in spread(index):
            _add(file, f"sender.{slug}", version, whole(version, sender=sender), True, notes, USER_IDS)
    for version in ("1", "5", "6", "12"):
        _add(file, "sender.256_bytes", version, whole(version, sender="@a" + LONGEST[1:]), False, "", SIZES)
        wide = "@" + "é" * 150 + ":example.org"
        notes = "The length is counted in bytes, not in code points. This user ID has 313 bytes."
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
    for version in ("1", "5", "6", "11"):
        for key in ("room_id", "event_id") if version == "1" else ("room_id",):
            sigil = "!" if key == "room_id" else "$"
            for slug, rest, valid in (
                ("255_bytes", LONGEST[1:], True),
                ("256_bytes", "a" + LONGEST[1:], False),
                ("313_bytes", "é" * 150 + ":example.org", False),
            ):
                event = put(key, sigil + rest)(whole(version), version)
                notes = "The longest identifier has 255 bytes, counted in bytes and not in code points."
                _add(file, f"{key}.{slug}", version, event, valid, notes, SIZES)
    domains = since("1", "11")
    for index, (slug, room, valid, notes, disputed) in enumerate(ROOMS):
        some = spread(index, domains)
        more = ("3", "5", "6", "11") if slug == "number" else ()
        for version in domains if slug == "no_server" else sorted({*some, *more}, key=domains.index):
            event = put("room_id", room)(whole(version), version)
            _add(file, f"room_id.{slug}", version, event, valid, notes, ROOM_IDS, disputed)
    for version in ALL:
        event = put("room_id", ABSENT)(whole(version), version)
        _add(
            file,
            "room_id.absent",
            version,
            event,
            False,
            "Only a create event of version 12 has no room ID.",
            ROOM_IDS,
        )


def _versions(file: File) -> None:
    for version in ("1", "2"):
        for row in (
            Row("absent", put("event_id", ABSENT), "In versions 1 and 2 an event contains its event ID."),
            Row(
                "hash",
                put("event_id", made_up_id("4", "x")),
                "The event ID has the format of version 4.",
                OBSERVED_TAKEN_ON_RECEIPT,
            ),
            Row("null", put("event_id", None)),
            Row("number", put("event_id", 1)),
            Row("no_sigil", put("event_id", "x:example.org"), disputed=OBSERVED_TAKEN_ON_RECEIPT),
        ):
            event = row.change(whole(version), version)
            _add(file, f"event_id.{row.slug}", version, event, False, row.notes, disputed=row.disputed)
        for slug, entry, disputed in (
            ("bare_id", made_up_id(version, "a"), None),
            ("no_hashes", [made_up_id(version, "a")], None),
            ("number_id", [1, {}], None),
            ("three", [*reference(version, "a"), {}], None),
            ("swapped", reference(version, "a")[::-1], None),
            ("hash_string", [made_up_id(version, "a"), "x"], None),
            ("hash_null", [made_up_id(version, "a"), None], OBSERVED_HASH_NOT_READ),
        ):
            for key in ("prev_events", "auth_events"):
                event = {**whole(version), key: [entry]}
                notes = "Each entry must be a pair of an event ID and an object."
                _add(file, f"{key}.{slug}", version, event, False, notes, disputed=disputed)
    for version in since("3"):
        for key in ("prev_events", "auth_events"):
            event = {**whole(version), key: [reference("2", "a")]}
            notes = "Entries are pairs only in versions 1 and 2. From version 3 on, they are event IDs."
            _add(file, f"{key}.pair", version, event, False, notes)
    content = {"creator": USER, "room_version": "11"}
    for version in since("1", "11"):
        event = put("room_id", ABSENT)(whole(version, CREATE, content, state_key=""), version)
        notes = "Up to version 11 a create event contains its room ID."
        _add(file, "create.no_room_id", version, event, False, notes)
    for slug, room in (
        ("domain", "!room:example.org"),
        ("hash", "!" + made_up_id("12", "x")[1:]),
        ("null", None),
    ):
        event = {**whole("12", CREATE, {"room_version": "12"}, state_key=""), "room_id": room}
        notes = "The room ID is derived from this event's own ID, so the event cannot contain it."
        _add(file, f"create.room_id_{slug}", "12", event, False, notes, disputed=OBSERVED_RULE_DECIDES)
    for slug, room, disputed in (
        ("text", "foo", None),
        ("empty", "", None),
        ("sigil_only", "!", OBSERVED_TAKEN_ON_RECEIPT),
        ("null", None, None),
        ("event_id", made_up_id("12", "x"), None),
    ):
        event = {**whole("12"), "room_id": room}
        notes = "The value is not a room ID. A room ID starts with '!'."
        _add(file, f"room_id.{slug}", "12", event, False, notes, ROOM_IDS, disputed)


def _numbers(file: File) -> None:
    for version in since("6"):
        event = whole(version, depth=2**53)
        notes = "From version 6 on, the greatest depth is 2^53 - 1. Up to version 5 it is 2^63 - 1."
        _add(file, "depth.2_to_53", version, event, False, notes)
    for version in since("1", "5"):
        _add(
            file,
            "depth.2_to_63",
            version,
            whole(version, depth=2**63),
            False,
            "The greatest depth is 2^63 - 1.",
        )
    for version in ALL:
        lenient = version in since("1", "5")
        for slug, content in (
            ("float", {"a": 1.5}),
            ("nested_float", {"a": [{"b": [0.5]}]}),
            ("big", {"a": 2**53}),
            ("big_negative", {"a": [-(2**53)]}),
        ):
            notes = "Canonical JSON is enforced from version 6 on, and not up to version 5."
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
        _add(file, "depth.float", version, event, False, "A float is not an integer in any version.")
        event = {**whole(version), "origin_server_ts": 1700000000000.5}
        _add(
            file,
            "origin_server_ts.float",
            version,
            event,
            False,
            "A float is not an integer in any version.",
        )
        for slug, number in (("2_to_53", 2**53), ("int64", 2**63 - 1)):
            event = {**whole(version), "origin_server_ts": number}
            _add(
                file, f"origin_server_ts.{slug}", version, event, lenient, "", page(version, "canonical-json")
            )
    for version in ("1", "3", "4", "5"):
        event = {**whole(version), "origin_server_ts": 2**63}
        _add(
            file,
            "origin_server_ts.2_to_63",
            version,
            event,
            False,
            "The value does not fit into a 64-bit integer.",
        )


def _sizes(file: File, numbers: File) -> None:
    for version in ("2", "5", "6", "11", "12"):
        for slug, size, valid, notes in (
            (
                "65536",
                65536,
                True,
                "The event has the greatest size, including signatures. ruma allows one byte less.",
            ),
            ("65537", 65537, False, "The event is one byte larger than allowed."),
        ):
            # With `unsigned`, since Synapse adds it to every event before it measures the size.
            event = {**whole(version, content={"body": ""}), "unsigned": {}}
            event["content"]["body"] = "x" * (size - len(canonical(event)))
            assert len(canonical(event)) == size
            _add(file, f"size.{slug}", version, event, valid, notes, SIZES)
    event = whole("11", content={"body": ""})
    room = 65537 - len(canonical(event))
    event["content"]["body"] = "é" * (room // 2) + "x" * (room % 2)
    assert len(canonical(event)) == 65537
    _add(
        file,
        "size.wide_65537",
        "11",
        event,
        False,
        "The size is counted in bytes, not in characters.",
        SIZES,
    )
    for slug, version, part in _FILLINGS:
        event = whole(version, content={"fill": part(0), "body": ""})
        unit = len(canonical(part(1000))) / 1000
        event["content"]["fill"] = part(int((65500 - len(canonical(event))) / unit))
        event["content"]["body"] = "x" * (65537 - len(canonical(event)))
        assert len(canonical(event)) == 65537
        assert len(event["content"]["body"]) < 1000
        notes = (
            "The event is one byte too large and contains hardly any strings. The size is that of the"
            " canonical JSON."
        )
        # Version 5 allows numbers that not every parser reads.
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
"""Name, version, and a function that returns ``count`` values to fill an event with."""


def _add(
    file: File,
    slug: str,
    version: str,
    event: Any,
    valid: bool,
    notes: str,
    spec: str = "",
    disputed: Dispute | None = None,
) -> None:
    name, given, expected = f"event_format.{slug}", {"event": event}, {"valid": valid}
    spec = spec or page(version, "event-format")
    file.add(name, version, given, expected, spec=spec, notes=notes, disputed=disputed)


def files() -> list[File]:
    """Return the files of this area."""
    form = File("base/event_format.json", "Event format: keys, types, identifiers, references")
    _sound(form)
    _defects(form)
    _identifiers(form)
    _versions(form)
    numbers = File(
        "base/event_numbers.json",
        "Event format: numbers that not every room version allows or not every parser reads",
    )
    _numbers(numbers)
    sizes = File("base/event_size.json", "Event format: the size limit")
    _sizes(sizes, numbers)
    return [form, numbers, sizes]
