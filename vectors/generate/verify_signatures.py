"""Checking the signatures of an event."""

from collections.abc import Callable
from typing import Any

from .constants import AUTHORISER, MEMBER, REDACTION, START
from .events import (
    KEY_ID,
    OTHER_SERVER,
    OTHER_USER,
    SERVER,
    USER,
    bare,
    key_entry,
    keys,
    made_up_id,
    signed,
    whole,
)
from .independent import Object, base64, redacted, seed_of, signature, unbase64
from .observed import OBSERVED_EXPIRY_IGNORED, OBSERVED_ID_SERVER_HAS_NOT_SIGNED
from .required_signers import SIGNATURES, third_party_invite
from .suite import SPEC, Dispute, File, page
from .versions import ALL, since, spread

OTHER_KEY = "ed25519:b_2"
# The order L of the curve's group. If S is not checked to be less than L, (R, S + L) verifies like (R, S).
_ORDER = 2**252 + 27742317777372353535851937790883648493


def also(event: Object, server: str, key_id: str, text: Any) -> Object:
    """Add a signature, valid or not."""
    old = event["signatures"]
    return {**event, "signatures": {**old, server: {**old.get(server, {}), key_id: text}}}


def also_signed(version: str, event: Object, server: str, key_id: str = KEY_ID) -> Object:
    """Add a valid signature."""
    return also(event, server, key_id, signature(redacted(event, version), seed_of(server, key_id)))


def wrong(version: str) -> str:
    """Return a valid signature of another event."""
    return str(whole(version, content={}, depth=13)["signatures"][SERVER][KEY_ID])


class _Area:
    def __init__(self, file: File) -> None:
        self.file = file

    def check(
        self,
        slug: str,
        version: str,
        event: Object,
        valid: bool,
        notes: str,
        table: Object | None = None,
        spec: str = "",
        disputed: Dispute | None = None,
    ) -> None:
        given = {"event": event, "keys": keys(SERVER) if table is None else table}
        self.file.add(
            f"verify_signatures.{slug}",
            version,
            given,
            {"valid": valid},
            spec=spec or SIGNATURES,
            notes=notes,
            disputed=disputed,
        )


def _every_version(area: _Area) -> None:
    for version in ALL:
        event = whole(version)
        area.check("good", version, event, True, "")
        loose = {**event, "content": {"body": "Something else"}, "unsigned": {"age": 1}, "org.example.key": 1}
        notes = (
            "Keys that redaction removes are not signed. The content hash protects them, not the signature."
        )
        area.check("loose_content", version, loose, True, notes)
        area.check(
            "redacted",
            version,
            redacted(event, version),
            True,
            "The signatures of a redacted copy are valid as well.",
        )
        redaction = whole(version, REDACTION, {"reason": "Spam"}, redacts=made_up_id(version, "x"))
        notes = "A redaction's `redacts` at the top level is not signed, also where it names the target."
        other = {**redaction, "redacts": made_up_id(version, "y")}
        area.check("redaction_target_changed", version, other, True, notes)
        area.check("depth_changed", version, {**event, "depth": 13}, False, "A signed key was changed.")
        hashes = {"hashes": {"sha256": base64(bytes(32))}}
        area.check(
            "hashes_changed", version, {**event, **hashes}, False, "`hashes` is signed and was changed."
        )
        member = whole(version, MEMBER, {"membership": "join", "displayname": "A"}, state_key=USER)
        changed = {**member, "content": {"membership": "ban", "displayname": "A"}}
        area.check(
            "membership_changed",
            version,
            changed,
            False,
            "Content that redaction keeps is signed and was changed.",
        )
        area.check("none", version, {**event, "signatures": {}}, False, "The event has no signatures.")
        by_other = signed(version, bare(version), OTHER_SERVER)
        area.check(
            "by_other",
            version,
            by_other,
            False,
            "Only the wrong server has signed the event.",
            keys(SERVER, OTHER_SERVER),
        )
        origin = whole(version, origin="example.org", prev_state=[])
        changed = {**origin, "origin": "example.com", "prev_state": ["x"]}
        kept = version in since("1", "10")
        notes = (
            "Top-level `origin` and `prev_state` are signed up to version 10. From version 11 on, they are"
            " removed before signing."
        )
        area.check("origin_changed", version, changed, not kept, notes, spec=page(version, "redactions"))


def _signers(area: _Area) -> None:
    both = keys(SERVER, OTHER_SERVER)
    for version in ("1", "2", "3", "4"):
        old = version in ("1", "2")
        event = whole(version, event_id="$event:example.com") if old else whole(version)
        notes = "In versions 1 and 2 the server in the event ID must also sign."
        area.check("event_id_server_missing", version, event, not old, notes, both)
        area.check("event_id_server", version, also_signed(version, event, OTHER_SERVER), True, notes, both)
    for version in ALL:
        content = {"membership": "join", AUTHORISER: OTHER_USER}
        event = whole(version, MEMBER, content, state_key=USER)
        spec = page(version, "authorisation-rules")
        notes = "From version 8 on, the authorising user's server must also sign a restricted join."
        area.check("restricted_one", version, event, version in since("1", "7"), notes, both, spec)
        area.check(
            "restricted_both", version, also_signed(version, event, OTHER_SERVER), True, "", both, spec
        )
        notes = "The signature under the authorising user's server name was not made by that server."
        area.check(
            "restricted_wrong",
            version,
            also(event, OTHER_SERVER, KEY_ID, wrong(version)),
            version in since("1", "7"),
            notes,
            both,
            spec,
        )
        invite = signed(version, third_party_invite(version), "x.example")
        old = version in ("1", "2")
        notes = "From version 3 on, a third-party invite needs no server's signature."
        disputed = OBSERVED_ID_SERVER_HAS_NOT_SIGNED if old else None
        area.check("third_party", version, invite, not old, notes, both, disputed=disputed)


# Name, key ID, note. Signatures by such keys are ignored.
IGNORED = (
    ("unknown_key", "ed25519:unknown", "The key is unknown, so its signature is ignored."),
    ("unknown_algorithm", "rot13:1", "The algorithm is unknown, so the signature is ignored."),
    (
        "policy_server",
        "ed25519:policy_server",
        "A policy server signs under the sender's server name. Its signature is ignored here.",
    ),
    ("no_algorithm", "a_1", "This is not a key ID, so the signature is ignored."),
    ("algorithm_only", "ed25519", "This is not a key ID, so the signature is ignored."),
    ("upper_algorithm", "ED25519:a_1", "The algorithm is unknown, so the signature is ignored."),
)

# Name, the event with signatures by two known keys, whether it is validly signed, note.
TWO_KEYS: tuple[tuple[str, Callable[[str], Object], bool, str], ...] = (
    ("both_good", lambda v: also_signed(v, whole(v), SERVER, OTHER_KEY), True, ""),
    (
        "one_bad",
        lambda v: also(whole(v), SERVER, OTHER_KEY, wrong(v)),
        False,
        "All signatures by known keys must be valid. gomatrixserverlib accepts the event if one is valid.",
    ),
    (
        "first_bad",
        lambda v: also(also_signed(v, whole(v), SERVER, OTHER_KEY), SERVER, KEY_ID, wrong(v)),
        False,
        "All signatures by known keys must be valid, in any order.",
    ),
    (
        "one_garbage",
        lambda v: also(whole(v), SERVER, OTHER_KEY, "!!"),
        False,
        "The signature is not base64, so it is not valid.",
    ),
    (
        "other_key",
        lambda v: signed(v, bare(v), key_id=OTHER_KEY),
        True,
        "A signature by any of the server's keys is enough.",
    ),
    (
        "keys_swapped",
        lambda v: {
            **whole(v),
            "signatures": {SERVER: {OTHER_KEY: whole(v)["signatures"][SERVER][KEY_ID]}},
        },
        False,
        "The signature is valid, but its key ID names a different key.",
    ),
)


def _several(area: _Area) -> None:
    two = {SERVER: {KEY_ID: key_entry(), OTHER_KEY: key_entry(key_id=OTHER_KEY)}}
    for index, (slug, key_id, notes) in enumerate(IGNORED):
        for version in spread(index):
            text = wrong(version)
            area.check(f"also_{slug}", version, also(whole(version), SERVER, key_id, text), True, notes)
            only = {**whole(version), "signatures": {SERVER: {key_id: text}}}
            area.check(f"only_{slug}", version, only, False, "No signature is left that could be checked.")
    for index, (slug, event_of, valid, notes) in enumerate(TWO_KEYS):
        for version in spread(index):
            area.check(f"two_keys_{slug}", version, event_of(version), valid, notes, two)
    for version in ("2", "5", "8", "11"):
        event = also(whole(version), OTHER_SERVER, KEY_ID, wrong(version))
        notes = "The invalid signature is by a server that does not have to sign, so it is not checked."
        area.check("not_asked", version, event, True, notes, keys(SERVER, OTHER_SERVER))
        area.check("no_keys", version, whole(version), False, "No key is known.", {})
        area.check(
            "no_keys_of_server", version, whole(version), False, "No key is known.", keys(OTHER_SERVER)
        )
        area.check("empty_keys_of_server", version, whole(version), False, "No key is known.", {SERVER: {}})
        other = {SERVER: {KEY_ID: key_entry(OTHER_SERVER)}}
        area.check("another_key", version, whole(version), False, "The key belongs to another server.", other)
        event = whole(version, sender="@alice:Example.org")
        notes = "Server names are case-sensitive."
        area.check("server_case", version, event, False, notes, keys(SERVER, "Example.org"))


def _forms(area: _Area) -> None:
    def text(version: str) -> str:
        return str(whole(version)["signatures"][SERVER][KEY_ID])

    def raw(version: str) -> bytes:
        return unbase64(text(version))

    def malleated(version: str) -> bytes:
        scalar = int.from_bytes(raw(version)[32:], "little") + _ORDER
        return raw(version)[:32] + scalar.to_bytes(32, "little")

    forms: tuple[tuple[str, Callable[[str], str], bool, str], ...] = (
        (
            "padded",
            lambda v: text(v) + "==",
            True,
            "Padding should be accepted. gomatrixserverlib rejects it.",
        ),
        (
            "foreign_character",
            lambda v: text(v)[:40] + "$" + text(v)[40:],
            False,
            "Python's decoder skips such a character by default.",
        ),
        (
            "white_space",
            lambda v: text(v) + "\n",
            False,
            "Python's decoder skips such a character by default.",
        ),
        ("truncated", lambda v: base64(raw(v)[:63]), False, "The signature has 63 bytes."),
        ("too_long", lambda v: base64(raw(v) + b"\0"), False, "The signature has 65 bytes."),
        ("odd_length", lambda v: text(v)[:85], False, "No number of bytes gives 85 base64 digits."),
        ("empty", lambda v: "", False, ""),
        ("zeros", lambda v: base64(bytes(64)), False, ""),
        ("hex", lambda v: raw(v).hex(), False, ""),
        (
            "malleated",
            lambda v: base64(malleated(v)),
            False,
            "The signature has S + L in place of S. RFC 8032 forbids it.",
        ),
        ("one_bit", lambda v: base64(bytes([raw(v)[0] ^ 1]) + raw(v)[1:]), False, ""),
    )
    for index, (slug, text_of, valid, notes) in enumerate(forms):
        for version in spread(index):
            event = {**whole(version), "signatures": {SERVER: {KEY_ID: text_of(version)}}}
            area.check(f"form_{slug}", version, event, valid, notes)
    others: tuple[tuple[str, Any], ...] = (("number", 1), ("null", None), ("array", []), ("object", {}))
    for index, (slug, value) in enumerate(others):
        for version in spread(index, count=2):
            event = {**whole(version), "signatures": {SERVER: {KEY_ID: value}}}
            area.check(
                f"form_{slug}",
                version,
                event,
                False,
                "The signature is not a string. It is invalid, and must not cause an exception.",
            )
            event = {**whole(version), "signatures": {SERVER: value}}
            area.check(
                f"form_server_{slug}",
                version,
                event,
                False,
                "The entry of the server contains no signatures.",
            )
    for version in ("3", "4", "11"):
        event = whole(version)
        table = {SERVER: {KEY_ID: {**key_entry(), "key": key_entry()["key"] + "="}}}
        area.check("key_padded", version, event, True, "Padding should be accepted.", table)


def _validity(area: _Area) -> None:
    for version in ALL:
        enforced = version in since("5")
        spec = page("5", "signing-key-validity-period")
        for slug, until, valid, notes in (
            ("equal", START, True, "The key is valid up to the event's own time, inclusive."),
            ("before", START - 1, not enforced, "Versions 1 to 4 ignore `valid_until_ts`."),
            ("long_before", 0, not enforced, "Versions 1 to 4 ignore `valid_until_ts`."),
            ("after", START + 1, True, ""),
        ):
            table = {SERVER: {KEY_ID: key_entry(valid_until=until)}}
            area.check(f"valid_until_{slug}", version, whole(version), valid, notes, table, spec)
    for version in ("4", "5", "12"):
        table = {SERVER: {KEY_ID: key_entry(valid_until=0), OTHER_KEY: key_entry(key_id=OTHER_KEY)}}
        event = also(also_signed(version, whole(version), SERVER, OTHER_KEY), SERVER, KEY_ID, wrong(version))
        notes = (
            "The signature is invalid, and its key was no longer valid. It is ignored from version 5 on;"
            " before, the key counts."
        )
        spec = page("5", "signing-key-validity-period")
        area.check("expired_bad", version, event, version != "4", notes, table, spec)
        table = {SERVER: {KEY_ID: key_entry(valid_until=None)}}
        area.check(
            "valid_until_absent",
            version,
            whole(version),
            True,
            "The key has no `valid_until_ts`, so its validity is not limited.",
            table,
            spec,
        )


def _expired(area: _Area) -> None:
    spec = f"{SPEC}/server-server-api/#validating-hashes-and-signatures-on-received-events"
    rule = "Keys that expired before the event's `origin_server_ts` are ignored."
    for version in ALL:
        old = OBSERVED_EXPIRY_IGNORED if version in since("1", "4") else None
        for slug, at, valid, notes, disputed in (
            ("at", START, True, f"{rule} This one expired at that time.", None),
            ("after", START + 1, True, f"{rule} This one expired later.", None),
            ("before", START - 1, False, f"{rule} No signature is left.", old),
        ):
            table = {SERVER: {KEY_ID: key_entry(expired=at)}}
            area.check(f"expired_{slug}", version, whole(version), valid, notes, table, spec, disputed)
        table = {SERVER: {KEY_ID: key_entry(expired=START - 1), OTHER_KEY: key_entry(key_id=OTHER_KEY)}}
        good = also_signed(version, whole(version), SERVER, OTHER_KEY)
        area.check("expired_beside_good", version, good, True, rule, table, spec)
        bad = also(good, SERVER, KEY_ID, wrong(version))
        notes = f"{rule} The signature by such a key is invalid, which does not matter."
        area.check("expired_bad_beside_good", version, bad, True, notes, table, spec, disputed=old)
        bad = also(good, SERVER, OTHER_KEY, wrong(version))
        notes = f"{rule} The other signature is invalid."
        area.check("expired_beside_bad", version, bad, False, notes, table, spec)


def files() -> list[File]:
    """Return the files of this area."""
    area = _Area(File("base/verify_signatures.json", "Checking the signatures of an event"))
    for add in (_every_version, _signers, _several, _forms, _validity, _expired):
        add(area)
    return [area.file]
