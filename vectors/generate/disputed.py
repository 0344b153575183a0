"""Cases that were known to be disputed when they were written.

Interpretations of the specification diverge, or implementations do. Each case accepts several outcomes, and
each outcome names who gives it; the first is this project's choice. The reasons refer to the source of
Synapse 1.163.2, ruma and gomatrixserverlib as of mid-2026.
"""

import json
from typing import Any

from .canonical_json import INTEGRAL_FLOATS
from .constants import AUTHORISER, CREATE, MEMBER, POWER_LEVELS, START
from .event_format_rows import ABSENT, Change, many, put, references
from .event_id import LENIENT_CONTENTS
from .events import KEY_ID, OTHER_USER, SERVER, USER, bare, key_entry, made_up_id, whole
from .independent import Object, canonical, content_hash, event_id, redacted, signed_object, unbase64
from .required_signers import SIGNATURES
from .signing import LENIENT_OBJECTS, WITH_KEY
from .suite import CANONICAL, ERROR, SPEC, File, either, page
from .versions import ALL, since, spread

BASE64 = f"{SPEC}/appendices/#unpadded-base64"


def _text(file: File, slug: str, version: str, text: str, expected: Any, notes: str) -> None:
    file.add(f"canonical_json.{slug}", version, {"json": text}, expected, spec=CANONICAL, notes=notes)


def _canonical() -> File:
    file = File("disputed/canonical_json.json", "Canonical JSON on which readings differ")
    appendix = '{"a":0,"b":10000000000}'
    for version in ALL:
        lenient = version in since("1", "5")
        ours = (
            ({"canonical": '{"a":0,"b":10000000000.0}'}, "as Synapse writes a float")
            if lenient
            else (ERROR, "the prose forbids floats, and servers refuse them")
        )
        expected = either(
            ours,
            ({"canonical": appendix}, "the example as the appendix prints it"),
            (ERROR, "a parser without floats"),
        )
        notes = "The appendix has this example, though its prose permits neither -0 nor floats."
        _text(file, "appendix.number", version, '{\n    "a": -0,\n    "b": 1e10\n}', expected, notes)
    for version in ("1", "4", "7", "10"):
        expected = either(
            ({"canonical": "0"}, "it is the integer 0, however it is spelt"),
            (ERROR, "it must not appear"),
            ({"canonical": "-0"}, "kept as it was written, where canonical JSON is not enforced"),
        )
        _text(file, "minus_zero", version, "-0", expected, "Negative zero as an integer.")
        expected = either(
            ({"canonical": '{"a":2}'}, "the last wins: Synapse, ruma"),
            (ERROR, "no canonical JSON, for it would have the key twice"),
        )
        notes = "The specification does not say; the first must never win, and both must never be written."
        _text(file, "key_twice", version, '{"a":1,"a":2}', expected, notes)
        expected = either(
            (ERROR, "deeper than parsers of servers go"),
            ({"canonical": "[" * 200 + "]" * 200}, "the specification names no limit"),
        )
        _text(file, "deep", version, "[" * 200 + "]" * 200, expected, "200 levels: an answer, not a crash.")
        expected = either(
            (ERROR, "the text is no JSON"),
            ({"canonical": "{}"}, "RFC 8259 lets a parser ignore it"),
        )
        _text(file, "byte_order_mark", version, "\ufeff{}", expected, "A byte order mark before the text.")
    for index, (slug, text, notes) in enumerate(INTEGRAL_FLOATS):
        for version in spread(index, since("1", "5"), 2):
            value = json.loads(text)
            try:
                ours = ({"canonical": canonical(value).decode()}, "as Synapse writes a float")
            except ValueError:
                ours = (ERROR, "no number of 64 bits: Synapse")
            expected = either(
                ours,
                ({"canonical": text}, "as it was written"),
                (ERROR, "a parser without floats"),
            )
            _text(file, f"integral_float.{slug}", version, text, expected, notes)
    return file


INVALID, VALID = {"valid": False}, {"valid": True}


def _formats() -> File:
    file = File("disputed/event_format.json", "Event formats on which readings differ")

    def add(slug: str, version: str, change: Change | Object, expected: Any, notes: str) -> None:
        event = change if isinstance(change, dict) else change(whole(version), version)
        spec = page(version, "event-format")
        file.add(f"event_format.{slug}", version, {"event": event}, expected, spec=spec, notes=notes)

    for version in since("3"):
        expected = either(
            (INVALID, "the format of these versions has no such key: Synapse refuses it"),
            (VALID, "ruma keeps it and hashes it, gomatrixserverlib takes it away"),
        )
        notes = "Three implementations make three different events of it."
        add("event_id.present", version, put("event_id", "$event:example.org"), expected, notes)
    silent = either(
        (INVALID, "no depth can be negative: Synapse and ruma drop it"),
        (VALID, "the specification does not say"),
    )
    missing = either(
        (VALID, "the signature check fails later"), (INVALID, "`signatures` is required by the format")
    )
    before = either((VALID, "a 64-bit integer: Synapse"), (INVALID, "an unsigned one"))
    servers = either(
        (INVALID, "no server name"),
        (VALID, "Synapse tests for a colon only, gomatrixserverlib for sigil, colon and length"),
    )
    rows: tuple[tuple[str, Change, Any, str], ...] = (
        ("depth.negative", put("depth", -1), silent, ""),
        ("signatures.absent", put("signatures", ABSENT), missing, ""),
        ("origin_server_ts.negative", put("origin_server_ts", -1), before, "Before 1970."),
        ("sender.no_server", put("sender", "@alice:"), servers, ""),
        ("sender.space_in_server", put("sender", "@alice:example org"), servers, ""),
        (
            "sender.newline_after",
            put("sender", "@alice:example.org\n"),
            servers,
            "A '$' in a pattern matches before it.",
        ),
        (
            "sender.nul",
            put("sender", "@a\0b:example.org"),
            servers,
            "NUL is the one character besides ':' that may not be.",
        ),
        (
            "sender.long_port",
            put("sender", "@alice:example.org:844800"),
            servers,
            "A port has one to five digits.",
        ),
        (
            "sender.wide_digits",
            put("sender", "@alice:example.org:\uff18\uff14\uff14\uff18"),
            servers,
            "Digits are ASCII.",
        ),
        (
            "sender.underscore",
            put("sender", "@alice:a_b.example"),
            servers,
            "Not in the grammar, though found in names.",
        ),
        ("sender.open_bracket", put("sender", "@alice:[2001:db8::1"), servers, ""),
    )
    for index, (slug, change, expected, notes) in enumerate(rows):
        for version in spread(index):
            add(slug, version, change, expected, notes)
    for version in ("1", "2"):
        for key in ("prev_events", "auth_events"):
            change = references(key, lambda v: [[made_up_id(v, "a"), {}]])
            expected = either(
                (VALID, "real rooms hold such entries, and nobody checks the hash"),
                (INVALID, "the schema requires `sha256`"),
            )
            add(f"{key}.no_sha256", version, change, expected, "")
    expected = either(
        (VALID, "at most 10 entries"),
        (INVALID, "Synapse counts the create event, which the room ID implies"),
    )
    add("auth_events.10", "12", references("auth_events", many(10)), expected, "")
    event = whole("12", CREATE, {"room_version": "12"}, state_key="x")
    expected = either(
        (INVALID, "only the create event, whose state key is empty, is without a room ID: Synapse"),
        (VALID, "the room ID is omitted from events of this type"),
    )
    add(
        "create.other_key",
        "12",
        event,
        expected,
        "Whatever the format says, the authorisation rules reject it.",
    )
    return file


def _events() -> File:
    file = File("disputed/hashes.json", "Hashes, IDs and redaction on which readings differ")
    for version in ("1", "3", "5", "7", "9", "11"):
        event = bare(version, age_ts=START, outlier=True, destinations=[])
        short = {k: v for k, v in event.items() if k not in ("age_ts", "outlier", "destinations")}
        expected = either(
            ({"sha256": content_hash(event)}, "all keys but three are covered"),
            ({"sha256": content_hash(short)}, "Synapse leaves these out as well"),
        )
        spec = f"{SPEC}/server-server-api/#calculating-the-content-hash-for-an-event"
        notes = "Old top-level keys that a server may have left on an event."
        file.add("content_hash.old_keys", version, {"event": event}, expected, spec=spec, notes=notes)
    for version in since("11"):
        for slug, value in (("text", "x"), ("null", None), ("array", [])):
            content: Object = {"membership": "invite", "third_party_invite": value}
            event = bare(version, MEMBER, content, state_key=OTHER_USER)
            dropped = {**event, "content": {"membership": "invite"}}
            readings = (
                (dropped, "the key is dropped: Synapse, gomatrixserverlib"),
                (event, "the value is kept: ruma"),
                (
                    {**event, "content": {"membership": "invite", "third_party_invite": {}}},
                    "only `signed` is kept of it",
                ),
            )
            notes = "`third_party_invite` is no object, so that it can have no `signed`."
            spec = page(version, "redactions")
            expected = either(*(({"event": result}, reason) for result, reason in readings))
            file.add(
                f"redact.third_party_{slug}", version, {"event": event}, expected, spec=spec, notes=notes
            )
    event = {
        **whole("12", CREATE, {"room_version": "12"}, state_key=""),
        "room_id": "!" + made_up_id("12", "x")[1:],
    }
    without = redacted({k: v for k, v in event.items() if k != "room_id"}, "12")
    notes = "A create event of this version has no room ID, but clients are shown one."
    spec = page("12", "redactions")
    expected = either(
        ({"event": without}, "taken away: Synapse"),
        ({"event": redacted(event, "12")}, "kept like that of other events: ruma, gomatrixserverlib"),
    )
    file.add("redact.create_room_id", "12", {"event": event}, expected, spec=spec, notes=notes)
    expected = either(
        (
            {"event_id": event_id(without, "12")},
            "the room ID is no part of what it is computed from",
        ),
        ({"event_id": event_id(event, "12")}, "hashed like that of other events: ruma, gomatrixserverlib"),
        (ERROR, "the event is malformed"),
    )
    file.add(
        "event_id.create_room_id", "12", {"event": event}, expected, spec=page("12", "event-ids"), notes=notes
    )
    return file


def _lenient_numbers() -> File:
    title = "Numbers that versions 1 to 5 have, and not every server"
    file = File("disputed/lenient_numbers.json", title)
    for version in since("1", "5"):
        for slug, depth in (("2_to_53", 2**53), ("greatest", 2**63 - 1)):
            expected = either(
                (VALID, "the ceiling is 2^63 - 1"),
                (INVALID, "Synapse and ruma drop a depth above 2^53 - 1 in every version"),
            )
            event = whole(version, depth=depth)
            spec = page(version, "event-format")
            file.add(f"event_format.depth.{slug}", version, {"event": event}, expected, spec=spec, notes="")
    for version in since("3", "5"):
        event = whole(version, content={"a": [1e10, 1e16, 1e-7, 1e22], "b": 1.0})
        expected = either(
            ({"sha256": content_hash(event)}, "over floats as Synapse writes them"),
            (ERROR, "a parser without floats"),
        )
        spec = page(version, "canonical-json")
        notes = "Floats that are written in several ways: the bytes that are hashed are Python's."
        file.add("content_hash.floats", version, {"event": event}, expected, spec=spec, notes=notes)
    return file


def _strict_numbers() -> File:
    title = "Numbers that versions 6 and later do not have, given to what hashes and signs"
    file = File("disputed/strict_numbers.json", title)
    reasons = ("there is no canonical JSON of it", "done all the same: the event format is checked elsewhere")
    for version in since("6"):
        spec = page(version, "canonical-json")
        for slug, content in LENIENT_CONTENTS:
            event = whole(version, POWER_LEVELS, content, state_key="")
            for operation, outcome in (
                ("content_hash", {"sha256": content_hash(event)}),
                ("event_id", {"event_id": event_id(event, version)}),
            ):
                expected = either((ERROR, reasons[0]), (outcome, reasons[1]))
                file.add(f"{operation}.{slug}", version, {"event": event}, expected, spec=spec, notes="")
        for slug, value in LENIENT_OBJECTS:
            signed = {"object": signed_object(value, SERVER, KEY_ID, WITH_KEY["seed"])}
            expected = either((ERROR, reasons[0]), (signed, reasons[1]))
            given = {"object": value, **WITH_KEY}
            file.add(f"sign_json.{slug}", version, given, expected, spec=spec, notes="")
        event = {**whole(version), "unsigned": {"a": 1.5}}
        expected = either(
            (INVALID, "what is unsigned is part of the event all the same"),
            (VALID, "Synapse takes away nearly all that is unsigned before it looks"),
        )
        file.add("event_format.unsigned_float", version, {"event": event}, expected, spec=spec, notes="")
    return file


def _signatures() -> File:
    file = File("disputed/signatures.json", "Signatures on which readings differ")

    def check(
        slug: str, version: str, event: Object, table: Any, expected: Any, notes: str, spec: str
    ) -> None:
        given = {"event": event, "keys": table}
        file.add(f"verify_signatures.{slug}", version, given, expected, spec=spec, notes=notes)

    alphabet = str.maketrans("+/", "-_")
    for version in ("2", "6", "11"):
        for tick in range(100):
            event = whole(version, origin_server_ts=START + tick)
            text = event["signatures"][SERVER][KEY_ID]
            if "+" in text and "/" in text:
                break
        table = {SERVER: {KEY_ID: key_entry()}}
        url = {**event, "signatures": {SERVER: {KEY_ID: text.translate(alphabet)}}}
        expected = either(
            (VALID, "both alphabets are read: Synapse, gomatrixserverlib"),
            (INVALID, "unpadded base64 has the standard one: ruma"),
        )
        check("form_url", version, url, table, expected, "The alphabet for URLs.", BASE64)
        # The last of 86 digits holds four bits of the signature and two unused bits.
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        loose = text[:-1] + digits[digits.index(text[-1]) | 3]
        assert unbase64(loose) == unbase64(text)
        event = {**event, "signatures": {SERVER: {KEY_ID: loose}}}
        expected = either((VALID, "the bytes are the same"), (INVALID, "a strict decoder refuses it"))
        check(
            "form_trailing_bits",
            version,
            event,
            table,
            expected,
            "Bits are set that belong to no byte.",
            BASE64,
        )
        table = {SERVER: {KEY_ID: {"key": "AAAA"}}}
        expected = either((ERROR, "the table is broken"), (INVALID, "no such key, so that nothing holds"))
        notes = "A key of three bytes: an answer, not a crash."
        check("key_short", version, whole(version), table, expected, notes, SIGNATURES)
    for version in ALL:
        content = {"membership": "invite", "third_party_invite": None}
        event = bare(version, MEMBER, content, state_key=OTHER_USER)
        old = version in ("1", "2")
        none: Object = {"servers": []}
        one = {"servers": [SERVER]}
        if not old:
            expected = either(
                (none, "content has the key: Synapse"),
                (one, "null is no third-party invite"),
                (ERROR, "it must be an object: ruma"),
            )
            notes = "`third_party_invite` is null."
            file.add(
                "required_signers.third_party_null",
                version,
                {"event": event},
                expected,
                spec=SIGNATURES,
                notes=notes,
            )
    for version in since("8"):
        spec = page(version, "authorisation-rules")
        for slug, kind, membership in (
            ("leave", MEMBER, "leave"),
            ("ban", MEMBER, "ban"),
            ("other_type", "org.example.thing", "join"),
        ):
            event = bare(version, kind, {"membership": membership, AUTHORISER: OTHER_USER}, state_key=USER)
            one, both = {"servers": [SERVER]}, {"servers": sorted([SERVER, "example.com"])}
            wide = (
                "any event that has the key: ruma"
                if kind != MEMBER
                else "any member event that has the key: the rule's letter, ruma"
            )
            expected = either((one, "a join only: Synapse, gomatrixserverlib"), (both, wide))
            notes = "The key of restricted joins on an event that is none."
            file.add(
                f"required_signers.authoriser_on_{slug}",
                version,
                {"event": event},
                expected,
                spec=spec,
                notes=notes,
            )
    return file


def files() -> list[File]:
    """Return the files of this area."""
    return [_canonical(), _formats(), _events(), _lenient_numbers(), _strict_numbers(), _signatures()]
