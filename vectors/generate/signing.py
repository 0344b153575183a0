"""Signing objects and events."""

from .constants import CREATE, MEMBER, MESSAGE, POWER_LEVELS
from .event_id import CREATE_V12, SMALL_V1, SMALL_V1_HASH
from .events import KEY_ID, SERVER, USER, bare
from .independent import (
    SPEC_EVENTS,
    SPEC_KEY_ID,
    SPEC_OBJECTS,
    SPEC_SEED,
    SPEC_SERVER,
    Object,
    base64,
    seed_of,
    signed_event,
    signed_object,
)
from .redact import CONTENTS, EXTRA
from .suite import SPEC, File
from .versions import ALL, since, spread

SIGNING = f"{SPEC}/appendices/#signing-details"
VECTORS = f"{SPEC}/appendices/#cryptographic-test-vectors"
OUTGOING = f"{SPEC}/server-server-api/#adding-hashes-and-signatures-to-outgoing-events"

SEED = seed_of(SERVER, KEY_ID)
WITH_KEY = {"server": SERVER, "key_id": KEY_ID, "seed": SEED}
WITH_SPEC_KEY = {"server": SPEC_SERVER, "key_id": SPEC_KEY_ID, "seed": SPEC_SEED}
STRANGE = {"x.example": {"ed25519:1": base64(bytes(64))}}

# Signature of SMALL_V1 by the specification's key, from Synapse's own tests.
SMALL_V1_SIGNATURE = "18rGIkd4JJXxw9m+1j3BtN+TmqmLip4VHvFbyXLngpBLXOqbxlQViQABRzep2cODQ2aa5FnFgz+Llt2P03WiAw"

# Name, object, note.
OBJECTS: tuple[tuple[str, Object, str], ...] = (
    ("unsigned", {"a": 1, "unsigned": {"b": 2}}, "`unsigned` is not covered by the signature and is kept."),
    (
        "unsigned_null",
        {"a": 1, "unsigned": None},
        "`unsigned` is not covered by the signature, whatever its value.",
    ),
    ("other_server", {"a": 1, "signatures": STRANGE}, "The signatures of other servers are kept."),
    (
        "other_key",
        {"a": 1, "signatures": {SERVER: {"ed25519:old": "AA"}}},
        "The server's other signatures are kept.",
    ),
    ("again", {"a": 1, "signatures": {SERVER: {KEY_ID: "AA"}}}, "A signature by the same key is replaced."),
    (
        "nested",
        {"a": {"signatures": {"b": 1}, "unsigned": {"c": 2}}},
        "The two keys are left out only at the top level.",
    ),
    (
        "wide",
        {"\ufb33": "é", "😀": ["\u2028", "\x7f", "<&>"], "\n": "/"},
        "The canonical JSON of the object is signed.",
    ),
    ("literals", {"a": [None, True, False, 0, -1, "", {}]}, ""),
)

# Name and object, with numbers that strict canonical JSON forbids.
LENIENT_OBJECTS: tuple[tuple[str, Object], ...] = (("float", {"a": 0.5}), ("big", {"a": [2**53]}))


def _objects() -> File:
    file = File("base/sign_json.json", "Signing objects")
    for value, text in SPEC_OBJECTS:
        for version in ALL:
            result = {**value, "signatures": {SPEC_SERVER: {SPEC_KEY_ID: text}}}
            slug = f"sign_json.spec.{'data' if value else 'empty'}"
            given = {"object": value, **WITH_SPEC_KEY}
            file.add(
                slug,
                version,
                given,
                {"object": result},
                spec=VECTORS,
                notes="A test vector from the specification.",
            )
    for index, (slug, value, notes) in enumerate(OBJECTS):
        for version in spread(index):
            result = signed_object(value, SERVER, KEY_ID, SEED)
            given = {"object": value, **WITH_KEY}
            file.add(f"sign_json.{slug}", version, given, {"object": result}, spec=SIGNING, notes=notes)
    return file


def _numbers() -> File:
    title = "Signing objects: numbers that only versions 1 to 5 accept and not every parser reads"
    file = File("base/sign_numbers.json", title)
    for version in since("1", "5"):
        for slug, value in LENIENT_OBJECTS:
            outcome = {"object": signed_object(value, SERVER, KEY_ID, SEED)}
            notes = (
                "The numbers are signed as they were written. From version 6 on, they are not canonical JSON."
            )
            given = {"object": value, **WITH_KEY}
            file.add(f"sign_json.{slug}", version, given, outcome, spec=SIGNING, notes=notes)
    return file


def _events() -> File:
    file = File("base/sign_event.json", "Signing events")
    for event, digest, text in SPEC_EVENTS:
        for version in ALL:
            notes = "A test vector from the specification."
            result = {**event, "hashes": {"sha256": digest}, "signatures": {SPEC_SERVER: {SPEC_KEY_ID: text}}}
            if version in ("11", "12"):
                notes += (
                    " From version 11 on, `origin` is removed before signing, so the signature is different."
                )
                result = signed_event(event, version, SPEC_SERVER, SPEC_KEY_ID, SPEC_SEED)
                assert result["signatures"][SPEC_SERVER][SPEC_KEY_ID] != text
            slug = f"sign_event.spec.{'minimal' if event['type'] == 'X' else 'message'}"
            given = {"event": event, **WITH_SPEC_KEY}
            file.add(slug, version, given, {"event": result}, spec=VECTORS, notes=notes)
    signatures = {SPEC_SERVER: {SPEC_KEY_ID: SMALL_V1_SIGNATURE}}
    given = {"event": SMALL_V1, **WITH_SPEC_KEY}
    result = {**SMALL_V1, "hashes": {"sha256": SMALL_V1_HASH}, "signatures": signatures}
    file.add("sign_event.small", "1", given, {"event": result}, spec=OUTGOING, notes="")
    given = {"event": CREATE_V12, **WITH_KEY}
    result = signed_event(CREATE_V12, "12", SERVER, KEY_ID, SEED)
    notes = "In version 12 a create event has no room ID."
    file.add("sign_event.create", "12", given, {"event": result}, spec=OUTGOING, notes=notes)
    for version in ALL:
        for kind in (MESSAGE, MEMBER, CREATE, POWER_LEVELS):
            key = None if kind == MESSAGE else USER if kind == MEMBER else ""
            event = bare(version, kind, CONTENTS[kind], state_key=key, **EXTRA)
            event.pop("age_ts")  # Synapse leaves it out of the content hash, which is a dispute of its own
            if kind == CREATE and version == "12":
                assert "room_id" not in event
            given = {"event": event, **WITH_KEY}
            result = signed_event(event, version, SERVER, KEY_ID, SEED)
            notes = "Hash the whole event, sign its redacted form, and add the signature to the whole event."
            file.add(f"sign_event.{kind}", version, given, {"event": result}, spec=OUTGOING, notes=notes)
    before: tuple[tuple[str, Object, str], ...] = (
        ("signed_before", {"signatures": STRANGE}, "Existing signatures are kept."),
        ("hashed_before", {"hashes": {"sha256": "AA"}}, "The content hash is computed again."),
    )
    for index, (slug, more, notes) in enumerate(before):
        for version in spread(index):
            event = bare(version, **more)
            given = {"event": event, **WITH_KEY}
            result = signed_event(event, version, SERVER, KEY_ID, SEED)
            file.add(f"sign_event.{slug}", version, given, {"event": result}, spec=OUTGOING, notes=notes)
    return file


def files() -> list[File]:
    """Return the files of this area."""
    return [_objects(), _numbers(), _events()]
