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


# The integers that are written as floats, by the name of the case.
AS_INTEGER = {
    "fraction_zero": "1",
    "zero_fraction": "0",
    "exponent": "100",
    "upper_exponent": "100000",
    "exponent_zero": "0",
    "minus_zero_fraction": "0",
    "nested": '{"a":[{"b":1}]}',
    "spelled_appendix": '{"a":0,"b":10000000000}',
}


def _text(file: File, slug: str, version: str, text: str, expected: Any, notes: str) -> None:
    file.add(f"canonical_json.{slug}", version, {"json": text}, expected, spec=CANONICAL, notes=notes)


def _canonical() -> File:
    file = File("disputed/canonical_json.json", "Canonical JSON: cases where interpretations differ")
    appendix = '{"a":0,"b":10000000000}'
    for version in ALL:
        lenient = version in since("1", "5")
        ours = (
            ({"canonical": '{"a":0,"b":10000000000.0}'}, "as Synapse writes a float")
            if lenient
            else (ERROR, "the text forbids floats, and servers reject them")
        )
        expected = either(
            ours,
            ({"canonical": appendix}, "the form that the appendix prints"),
            (ERROR, "a parser that does not read floats"),
        )
        notes = "The appendix has this example, but its text allows neither -0 nor floats."
        _text(file, "appendix.number", version, '{\n    "a": -0,\n    "b": 1e10\n}', expected, notes)
    for version in ("1", "4", "7", "10"):
        expected = either(
            ({"canonical": "0"}, "the value is the integer 0, however it is written"),
            (ERROR, "negative zero is forbidden"),
            ({"canonical": "-0"}, "kept as written, where canonical JSON is not enforced"),
        )
        _text(file, "minus_zero", version, "-0", expected, "The text is negative zero as an integer.")
        expected = either(
            ({"canonical": '{"a":2}'}, "the last value wins (Synapse, ruma)"),
            (ERROR, "not canonical JSON, because the key would appear twice"),
        )
        notes = (
            "The specification does not say which value counts. The first must never win, and the key must"
            " never be written twice."
        )
        _text(file, "key_twice", version, '{"a":1,"a":2}', expected, notes)
        expected = either(
            (ERROR, "too deep for the JSON parsers of servers"),
            ({"canonical": "[" * 200 + "]" * 200}, "the specification sets no limit"),
        )
        _text(
            file,
            "deep",
            version,
            "[" * 200 + "]" * 200,
            expected,
            "The arrays are nested 200 levels deep. The outcome must be an answer, not a crash.",
        )
        expected = either(
            (ERROR, "the text is not JSON"),
            ({"canonical": "{}"}, "RFC 8259 allows a parser to ignore the byte order mark"),
        )
        _text(file, "byte_order_mark", version, "\ufeff{}", expected, "A byte order mark precedes the text.")
    for index, (slug, text, notes) in enumerate(INTEGRAL_FLOATS):
        for version in spread(index, since("1", "5"), 2):
            value = json.loads(text)
            try:
                ours = ({"canonical": canonical(value).decode()}, "as Synapse writes a float")
            except ValueError:
                ours = (ERROR, "the number does not fit into 64 bits (Synapse)")
            readings = [
                ours,
                ({"canonical": text}, "kept as written"),
                (ERROR, "a parser that does not read floats"),
            ]
            if (whole_number := AS_INTEGER.get(slug)) is not None:
                reason = "read as the integer that it is, as an example in the appendix does"
                readings.append(({"canonical": whole_number}, reason))
            _text(file, f"integral_float.{slug}", version, text, either(*readings), notes)
    index, (slug, text, notes) = next(
        (index, row) for index, row in enumerate(INTEGRAL_FLOATS) if row[0] == "spelled_appendix"
    )
    for version in spread(index, since("6"), 2):
        expected = either(
            (ERROR, "the text forbids floats, and servers reject them"),
            ({"canonical": AS_INTEGER[slug]}, "the form that the appendix prints"),
        )
        _text(file, f"integral_float.{slug}", version, text, expected, notes)
    return file


INVALID, VALID = {"valid": False}, {"valid": True}


def _formats() -> File:
    file = File("disputed/event_format.json", "Event format: cases where interpretations differ")

    def add(slug: str, version: str, change: Change | Object, expected: Any, notes: str) -> None:
        event = change if isinstance(change, dict) else change(whole(version), version)
        spec = page(version, "event-format")
        file.add(f"event_format.{slug}", version, {"event": event}, expected, spec=spec, notes=notes)

    for version in since("3"):
        expected = either(
            (INVALID, "the format of these versions has no such key (Synapse rejects it)"),
            (VALID, "ruma keeps and hashes it, gomatrixserverlib removes it"),
        )
        notes = "Three implementations turn this into three different events."
        add("event_id.present", version, put("event_id", "$event:example.org"), expected, notes)
    silent = either(
        (INVALID, "a depth cannot be negative (Synapse and ruma drop the event)"),
        (VALID, "the specification does not say"),
    )
    missing = either(
        (VALID, "the signature check fails later"), (INVALID, "the format requires `signatures`")
    )
    before = either((VALID, "any 64-bit integer (Synapse)"), (INVALID, "unsigned integers only"))
    servers = either(
        (INVALID, "the server name is not valid"),
        (VALID, "Synapse checks only for a colon; gomatrixserverlib checks sigil, colon and length"),
    )
    rows: tuple[tuple[str, Change, Any, str], ...] = (
        ("depth.negative", put("depth", -1), silent, ""),
        ("signatures.absent", put("signatures", ABSENT), missing, ""),
        ("origin_server_ts.negative", put("origin_server_ts", -1), before, "The time is before 1970."),
        ("sender.no_server", put("sender", "@alice:"), servers, ""),
        ("sender.space_in_server", put("sender", "@alice:example org"), servers, ""),
        (
            "sender.newline_after",
            put("sender", "@alice:example.org\n"),
            servers,
            "A newline follows the user ID. In many regular expressions '$' also matches before it.",
        ),
        (
            "sender.nul",
            put("sender", "@a\0b:example.org"),
            servers,
            "A localpart may contain any character except ':' and NUL.",
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
            "Digits must be ASCII.",
        ),
        (
            "sender.underscore",
            put("sender", "@alice:a_b.example"),
            servers,
            "The grammar has no underscore, but existing server names contain it.",
        ),
        ("sender.open_bracket", put("sender", "@alice:[2001:db8::1"), servers, ""),
    )
    for index, (slug, change, expected, notes) in enumerate(rows):
        # The schema of each event format requires `signatures`.
        more = ("3", "4", "11", "12") if slug == "signatures.absent" else ()
        for version in (*spread(index), *more):
            add(slug, version, change, expected, notes)
    for version in ("1", "2"):
        for key in ("prev_events", "auth_events"):
            change = references(key, lambda v: [[made_up_id(v, "a"), {}]])
            expected = either(
                (VALID, "real rooms contain such entries, and nobody checks the hash"),
                (INVALID, "the schema requires `sha256`"),
            )
            add(f"{key}.no_sha256", version, change, expected, "")
    expected = either(
        (VALID, "at most 10 entries"),
        (INVALID, "Synapse also counts the create event, which the room ID implies"),
    )
    add("auth_events.10", "12", references("auth_events", many(10)), expected, "")
    event = whole("12", CREATE, {"room_version": "12"}, state_key="x")
    expected = either(
        (INVALID, "only the create event with the empty state key has no room ID (Synapse)"),
        (VALID, "no event of this type has a room ID"),
    )
    add(
        "create.other_key",
        "12",
        event,
        expected,
        "The auth rules reject the event, whatever the format allows.",
    )
    return file


def _events() -> File:
    file = File("disputed/hashes.json", "Hashes, event IDs and redaction: cases where interpretations differ")
    for version in ("1", "3", "5", "7", "9", "11"):
        event = bare(version, age_ts=START, outlier=True, destinations=[])
        short = {k: v for k, v in event.items() if k not in ("age_ts", "outlier", "destinations")}
        expected = either(
            ({"sha256": content_hash(event)}, "the hash covers all keys except three"),
            ({"sha256": content_hash(short)}, "Synapse removes these keys as well"),
        )
        spec = f"{SPEC}/server-server-api/#calculating-the-content-hash-for-an-event"
        notes = "The event has old top-level keys, which a server may have left on it."
        file.add("content_hash.old_keys", version, {"event": event}, expected, spec=spec, notes=notes)
    for version in since("11"):
        for slug, value in (("text", "x"), ("null", None), ("array", [])):
            content: Object = {"membership": "invite", "third_party_invite": value}
            event = bare(version, MEMBER, content, state_key=OTHER_USER)
            dropped = {**event, "content": {"membership": "invite"}}
            readings = (
                (dropped, "the key is removed (Synapse, gomatrixserverlib)"),
                (event, "the value is kept (ruma)"),
                (
                    {**event, "content": {"membership": "invite", "third_party_invite": {}}},
                    "only `signed` is kept, inside an object",
                ),
            )
            notes = "`third_party_invite` is not an object, so it cannot contain `signed`."
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
        ({"event": without}, "the room ID is removed (Synapse)"),
        ({"event": redacted(event, "12")}, "the room ID is kept (ruma, gomatrixserverlib)"),
    )
    file.add("redact.create_room_id", "12", {"event": event}, expected, spec=spec, notes=notes)
    expected = either(
        (
            {"event_id": event_id(without, "12")},
            "the event ID is computed without the room ID",
        ),
        ({"event_id": event_id(event, "12")}, "the room ID is hashed (ruma, gomatrixserverlib)"),
        (ERROR, "the event is malformed"),
    )
    file.add(
        "event_id.create_room_id", "12", {"event": event}, expected, spec=page("12", "event-ids"), notes=notes
    )
    return file


def _lenient_numbers() -> File:
    title = "Numbers that versions 1 to 5 allow and not every server accepts"
    file = File("disputed/lenient_numbers.json", title)
    for version in since("1", "5"):
        for slug, depth in (("2_to_53", 2**53), ("greatest", 2**63 - 1)):
            expected = either(
                (VALID, "the greatest depth is 2^63 - 1"),
                (INVALID, "Synapse and ruma drop events with a depth above 2^53 - 1 in every version"),
            )
            event = whole(version, depth=depth)
            spec = page(version, "event-format")
            file.add(f"event_format.depth.{slug}", version, {"event": event}, expected, spec=spec, notes="")
    for version in since("3", "5"):
        event = whole(version, content={"a": [1e10, 1e16, 1e-7, 1e22], "b": 1.0})
        expected = either(
            ({"sha256": content_hash(event)}, "hashed with floats as Synapse writes them"),
            (ERROR, "a parser that does not read floats"),
        )
        spec = page(version, "canonical-json")
        notes = "Floats can be written in several ways. The hash covers the bytes that Python writes."
        file.add("content_hash.floats", version, {"event": event}, expected, spec=spec, notes=notes)
    return file


def _strict_numbers() -> File:
    title = "Hashing and signing numbers that versions 6 and later do not allow"
    file = File("disputed/strict_numbers.json", title)
    reasons = ("the value has no canonical JSON form", "done anyway; the event format is checked elsewhere")
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
            (INVALID, "`unsigned` is also part of the event"),
            (VALID, "Synapse removes nearly all of `unsigned` before this check"),
        )
        file.add("event_format.unsigned_float", version, {"event": event}, expected, spec=spec, notes="")
    return file


def _signatures() -> File:
    file = File("disputed/signatures.json", "Signatures: cases where interpretations differ")

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
            (VALID, "both alphabets are accepted (Synapse, gomatrixserverlib)"),
            (INVALID, "unpadded base64 uses the standard alphabet (ruma)"),
        )
        check("form_url", version, url, table, expected, "The base64 alphabet is the URL-safe one.", BASE64)
        # The last of 86 digits holds four bits of the signature and two unused bits.
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        loose = text[:-1] + digits[digits.index(text[-1]) | 3]
        assert unbase64(loose) == unbase64(text)
        event = {**event, "signatures": {SERVER: {KEY_ID: loose}}}
        expected = either((VALID, "the decoded bytes are the same"), (INVALID, "a strict decoder rejects it"))
        check(
            "form_trailing_bits",
            version,
            event,
            table,
            expected,
            "The last digit has bits set that belong to no byte.",
            BASE64,
        )
        table = {SERVER: {KEY_ID: {"key": "AAAA"}}}
        expected = either(
            (ERROR, "the key table is malformed"), (INVALID, "no usable key, so nothing is valid")
        )
        notes = "The key has three bytes. The outcome must be an answer, not a crash."
        check("key_short", version, whole(version), table, expected, notes, SIGNATURES)
    for version in ALL:
        content = {"membership": "invite", "third_party_invite": None}
        event = bare(version, MEMBER, content, state_key=OTHER_USER)
        old = version in ("1", "2")
        none: Object = {"servers": []}
        one = {"servers": [SERVER]}
        if not old:
            expected = either(
                (none, "the content has the key (Synapse)"),
                (one, "null is not a third-party invite"),
                (ERROR, "the value must be an object (ruma)"),
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
                "required on any event that has the key (ruma)"
                if kind != MEMBER
                else "required on any member event that has the key (the letter of the rule; ruma)"
            )
            expected = either((one, "required on a join only (Synapse, gomatrixserverlib)"), (both, wide))
            notes = "The event has the key of a restricted join, but it is not a join."
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
