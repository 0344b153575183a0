"""Content hashes and event IDs."""

from typing import Any

from .constants import (
    ALIASES,
    CREATE,
    JOIN_RULES,
    MAX_INTEGER,
    MEMBER,
    MESSAGE,
    POWER_LEVELS,
    REDACTION,
    START,
)
from .events import OTHER_USER, USER, bare, made_up_id, signed, whole
from .independent import SPEC_EVENTS, Object, content_hash, event_id, redacted, without
from .observed import OBSERVED_NO_CANONICAL_FORM
from .redact import CONTENTS, EXTRA
from .suite import ERROR, SPEC, Dispute, File, page
from .versions import ALL, since

HASH = f"{SPEC}/server-server-api/#calculating-the-content-hash-for-an-event"

# A create event of version 12, its content hash and its event ID, computed with Synapse 1.163.2.
CREATE_V12: Object = {
    "type": CREATE,
    "state_key": "",
    "sender": "@alice:example.org",
    "content": {"room_version": "12"},
    "depth": 1,
    "prev_events": [],
    "auth_events": [],
    "origin_server_ts": START,
}
CREATE_V12_HASH = "ksIHpUTLAqMJ08CadfgV5Ok2rT07vMUFBo7XdGP8STE"
CREATE_V12_ID = "$37iwD-DyT01UTC3QaO2Ot9nDS1G-rmVcGz0DYMPzG6c"

# An event of version 1 and its content hash, from Synapse's own tests.
SMALL_V1: Object = {
    "event_id": "$0:domain",
    "origin_server_ts": 1000000,
    "signatures": {},
    "type": "X",
    "content": {},
    "unsigned": {"age_ts": 1000000},
}
SMALL_V1_HASH = "mq4QfPPpC+QsBd6eqfVsmJIEz8uvMSVK0+AU67PLESk"

# Name and content of power levels that strict canonical JSON forbids.
LENIENT_CONTENTS: tuple[tuple[str, Object], ...] = (
    ("float", {"users": {USER: 50.57, OTHER_USER: -0.5}}),
    ("big", {"users": {USER: 2**53, OTHER_USER: -(2**53)}, "x": [2**70]}),
)


# The redacted form of an event that was published together with its IDs.
PUBLISHED: Object = {
    "auth_events": [
        "$gbHO7IPUHybc7ULFnT7P0r3iWlZFHGmr6zBfEYCUyKw",
        "$hy1eZFYcgNxMFNNBgCD5fyOzyWRcBkxfNcrUI5ZpZlE",
        "$Nt_z68EwFfPqBeHjzEHGsp461Z4EfNEzR-KH5bOYdOY",
    ],
    "content": {},
    "depth": 24,
    "hashes": {"sha256": "FoYV1w3TW/B2mVT0gX2/BZKpCwrrvGXqXFdUhN9LZYU"},
    "origin": "localhost:8008",
    "origin_server_ts": 1731769874137,
    "prev_events": ["$4FbpZrgPQTwoLD9H5y7jcikucCypUOn78mXhQX7WliY"],
    "room_id": "!DHmIIVvxFASSFgDGzr:localhost:8008",
    "sender": "@tester_b:localhost:8008",
    "type": MESSAGE,
}
PUBLISHED_ID = "$zRz9jjiT9wZc3Hl9ij_74aCmTjqV3YMlj9sj3Uqxg6o"
PUBLISHED_V11_ID = "$XEy9wBUPnTswE8-xZHYlz4NEt7JPyjV5J4RJ1Vl9Tf0"


def _hashed(
    file: File,
    slug: str,
    version: str,
    event: Any,
    expected: str,
    notes: str,
    disputed: Dispute | None = None,
) -> None:
    name, outcome = f"content_hash.{slug}", {"sha256": expected}
    file.add(name, version, {"event": event}, outcome, spec=HASH, notes=notes, disputed=disputed)


def _named(
    file: File,
    slug: str,
    version: str,
    event: Any,
    expected: str | None,
    notes: str,
    disputed: Dispute | None = None,
) -> None:
    name, outcome = f"event_id.{slug}", ERROR if expected is None else {"event_id": expected}
    spec = page(version, "event-ids")
    file.add(name, version, {"event": event}, outcome, spec=spec, notes=notes, disputed=disputed)


def _content_hashes() -> File:
    file = File("base/content_hash.json", "Content hashes")
    for event, digest, _ in SPEC_EVENTS:
        for version in ALL:
            notes = "An event from the specification's cryptographic test vectors."
            slug = f"spec.{'minimal' if event['type'] == 'X' else 'message'}"
            _hashed(file, slug, version, event, digest, notes)
    _hashed(
        file, "small", "1", SMALL_V1, SMALL_V1_HASH, "The hash does not cover `unsigned` and `signatures`."
    )
    _hashed(file, "create", "12", CREATE_V12, CREATE_V12_HASH, "In version 12 a create event has no room ID.")
    for version in ALL:
        plain = bare(version)
        digest = content_hash(plain)
        _hashed(file, "plain", version, plain, digest, "")
        full = {**signed(version, plain), "unsigned": {"age": 5}}
        notes = (
            "The hash does not cover `hashes`, `signatures` and `unsigned`, so it is the hash of case"
            " `plain`."
        )
        _hashed(file, "not_covered", version, full, digest, notes)
        event = bare(version, MEMBER, CONTENTS[MEMBER], **EXTRA, state_key=USER)
        notes = "The hash covers unknown and old top-level keys, although redaction removes them."
        _hashed(
            file,
            "top_level",
            version,
            without(event, "age_ts"),
            content_hash(without(event, "age_ts")),
            notes,
        )
        inner = bare(version, content={"unsigned": {"a": 1}, "hashes": {"b": 2}, "signatures": {"c": 3}})
        notes = "The three keys are left out only at the top level."
        _hashed(file, "nested", version, inner, content_hash(inner), notes)
        wide = bare(version, content={"\ufb33": "é", "😀": ["\u2028", "\x7f", "<&>"], "\n": "/"})
        if version in ("1", "4", "7", "10"):
            _hashed(
                file,
                "wide",
                version,
                wide,
                content_hash(wide),
                "The content is not ASCII. The hash is computed over its canonical JSON.",
            )
    return file


def _event_ids() -> File:
    file = File("base/event_id.json", "Event IDs")
    create = {**CREATE_V12, "hashes": {"sha256": CREATE_V12_HASH}}
    _named(
        file,
        "create",
        "12",
        create,
        CREATE_V12_ID,
        "The room ID is this event ID with '!' in place of '$'.",
    )
    for version in since("3", "11"):
        expected = PUBLISHED_V11_ID if version == "11" else PUBLISHED_ID
        if version == "3":
            expected = expected.replace("_", "/")
        notes = (
            "This is a real event, published together with its event ID. `origin` is part of the ID up to"
            " version 10."
        )
        _named(file, "published", version, PUBLISHED, expected, notes)
    for version in ("1", "2"):
        for slug, chosen in (
            ("plain", "$event:example.org"),
            ("odd", "$😀 /+:[::1]:8448"),
            ("empty", "$:x.example"),
        ):
            notes = "The sending server chooses the event ID and puts it into the event. Nothing is computed."
            _named(file, f"chosen.{slug}", version, whole(version, event_id=chosen), chosen, notes)
        _named(
            file,
            "chosen.absent",
            version,
            whole(version, event_id=None),
            None,
            "The event has no event ID.",
        )
    for version in since("3"):
        for kind in (MESSAGE, MEMBER, CREATE, POWER_LEVELS, REDACTION, ALIASES, JOIN_RULES):
            key = None if kind in (MESSAGE, REDACTION) else USER if kind == MEMBER else ""
            event = whole(version, kind, CONTENTS[kind], state_key=key)
            _named(file, f"type.{kind}", version, event, event_id(event, version), "")
        event = whole(version, REDACTION, {"reason": "Spam"}, redacts=made_up_id(version, "x"))
        notes = "The event ID of a redaction does not cover `redacts` at the top level."
        _named(file, "redaction.top_level_redacts", version, event, event_id(event, version), notes)
        event = whole(version, MEMBER, CONTENTS[MEMBER], state_key=USER)
        expected = event_id(event, version)
        short = redacted(event, version)
        _named(file, "same.redacted", version, short, expected, "A redacted copy has the same ID.")
        more = {
            **event,
            "unsigned": {"age": 1},
            "signatures": {**event["signatures"], "x.example": {"ed25519:1": "AA"}},
        }
        notes = "The event ID does not depend on signatures or `unsigned`."
        _named(file, "same.more", version, more, expected, notes)
        _named(file, "same.unsigned_event", version, without(event, "signatures"), expected, notes)
        other = {**event, "hashes": {**event["hashes"], "sha256": content_hash(bare(version))}}
        notes = "The event ID depends on `hashes` as it is. The content hash is neither checked nor computed."
        _named(file, "hashes", version, other, event_id(other, version), notes)
        event = whole(version, **EXTRA)
        notes = "Keys that redaction removes affect the event ID only through the content hash."
        _named(file, "top_level", version, event, event_id(event, version), notes)
        for slug, letters in (("plus_slash", "+/"), ("minus_underscore", "-_")):
            if (version == "3") is (slug == "plus_slash"):
                event = _with_letters(version, letters)
                notes = (
                    "Version 3 uses the standard base64 alphabet. Later versions use the URL-safe alphabet."
                )
                _named(file, f"alphabet.{slug}", version, event, event_id(event, version), notes)
    for version in ("3", "6", "9", "12"):
        event = whole(version, POWER_LEVELS, {"users": {"\ufb33:x": 1, "😀": 2, OTHER_USER: 3}}, state_key="")
        _named(file, "wide", version, event, event_id(event, version), "Keys are sorted by code point.")
    return file


def _with_letters(version: str, letters: str) -> Object:
    """Return the earliest event whose ID contains these letters."""
    for tick in range(10_000):
        event = whole(version, origin_server_ts=START + tick)
        if all(letter in event_id(event, version) for letter in letters):
            return event
    raise AssertionError(letters)


def _numbers() -> File:
    title = "Hashes and event IDs: numbers that only versions 1 to 5 accept and not every parser reads"
    file = File("base/hash_numbers.json", title)
    for version in since("1", "5"):
        for slug, content in LENIENT_CONTENTS:
            event = whole(version, POWER_LEVELS, content, state_key="")
            notes = (
                "The numbers are hashed as they were written. From version 6 on, they are not canonical JSON."
            )
            digest = content_hash(event)
            _hashed(file, slug, version, event, digest, notes, OBSERVED_NO_CANONICAL_FORM)
            if version not in ("1", "2"):
                _named(file, slug, version, event, event_id(event, version), notes)
    for version in ("6", "8", "10", "12"):
        event = whole(version, content={"a": [MAX_INTEGER, -(2**53) + 1]})
        _hashed(
            file,
            "greatest",
            version,
            event,
            content_hash(event),
            "The content has the greatest and the least integer in range.",
        )
    return file


def files() -> list[File]:
    """Return the files of this area."""
    return [_content_hashes(), _event_ids(), _numbers()]
