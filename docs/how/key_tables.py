"""Tables of the keys of an event: what redaction keeps, and what each hash covers, in which room versions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any, Final

from roomver.hashing import compute_content_hash, compute_reference_hash
from roomver.power import DEFAULTS
from roomver.redaction import redact
from roomver.versions import ROOM_VERSIONS, EventIdForm, RoomIdForm, RoomVersion

from .merge_tables import table

_KEYS: Final = (
    *("type", "state_key", "sender", "room_id", "content", "origin_server_ts", "depth"),
    *("prev_events", "auth_events", "hashes", "signatures", "unsigned"),
    *("redacts", "origin", "membership", "prev_state"),
)
_TYPES: Final = (
    *("m.room.create", "m.room.member", "m.room.join_rules", "m.room.power_levels"),
    *("m.room.history_visibility", "m.room.redaction", "m.room.aliases"),
)


def spans(versions: Iterable[str]) -> str:
    """Return room versions as spans.

    >>> spans(["1", "2", "3", "6", "11", "12"])
    '1-3, 6, 11-12'
    """
    runs: list[list[int]] = []
    for number in sorted(map(int, versions)):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _in_versions(test: Callable[[RoomVersion], bool]) -> str:
    found = [name for name, version in ROOM_VERSIONS.items() if test(version)]
    if len(found) == len(ROOM_VERSIONS):
        return "all"
    return spans(found) if found else "none"


def _example(key: str = "") -> dict[str, Any]:
    """Return a PDU with all the keys of the tables; with another value of one of them, if it is named."""
    pdu: dict[str, Any] = {
        "type": "m.room.topic",
        "state_key": "",
        "sender": "@alice:a.example",
        "room_id": "!room:a.example",
        "content": {"topic": "We read Emma"},
        "origin_server_ts": 1_700_000_240_000,
        "depth": 5,
        "prev_events": ["$before"],
        "auth_events": ["$create"],
        "hashes": {"sha256": "A" * 43},
        "signatures": {"a.example": {"ed25519:1": "A" * 86}},
        "unsigned": {"age": 1},
        "redacts": "$other",
        "origin": "a.example",
        "membership": "join",
        "prev_state": [],
    }
    if key:
        value = deepcopy(pdu[key])
        pdu[key] = {**value, "more": {}} if isinstance(value, dict) else [value, value]
        if key == "type":
            pdu[key] = "m.room.name"
    return pdu


def covered_table() -> str:
    """Return what the hashes and the signatures cover, found by changing each key of an event."""
    rows = []
    for name, one, other in _changed():
        content = _in_versions(_tells_apart(compute_content_hash, one, other))
        reference = _in_versions(_tells_apart(compute_reference_hash, one, other))
        rows.append((name, content, reference))
    return table(("Key", "Content hash", "Reference hash and signatures"), rows)


def _changed() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield pairs of events that differ in one key, with the name of what differs."""
    for key in _KEYS:
        if key != "content":
            yield f"`{key}`", _example(), _example(key)
            continue
        member = {
            **_example(),
            "type": "m.room.member",
            "content": {"membership": "join", "displayname": "A"},
        }
        banned = {**member, "content": {**member["content"], "membership": "ban"}}
        renamed = {**member, "content": {**member["content"], "displayname": "B"}}
        yield "`content`: a key that redaction keeps", member, banned
        yield "`content`: any other key", member, renamed


def _tells_apart(
    hashed: Callable[..., str], one: dict[str, Any], other: dict[str, Any]
) -> Callable[[RoomVersion], bool]:
    return lambda version: hashed(one, version) != hashed(other, version)


def kept_keys_table() -> str:
    """Return the top-level keys that redaction keeps, found by redacting an event that has them."""
    rows = []
    for key in _KEYS:
        kept = [name for name in ROOM_VERSIONS if key in redact(_example(), name)]
        rows.append((f"`{key}`", "all" if len(kept) == len(ROOM_VERSIONS) else spans(kept) or "none"))
    return table(("Key", "Kept in versions"), rows)


def kept_content_table() -> str:
    """Return the keys of `content` that redaction keeps, by type."""
    rows = []
    for kind in _TYPES:
        if whole := [name for name, one in ROOM_VERSIONS.items() if kind in one.redaction_keeps_all_content]:
            rows.append((f"`{kind}`", "everything", spans(whole)))
        for key in _content_keys(kind):
            some = [
                name
                for name, one in ROOM_VERSIONS.items()
                if key in one.redaction_keeps_content.get(kind, ())
            ]
            rows.append((f"`{kind}`", f"`{key}`", "all" if len(some) == len(ROOM_VERSIONS) else spans(some)))
        if kind == "m.room.member":
            signed = [name for name, one in ROOM_VERSIONS.items() if one.redaction_keeps_signed_invite]
            rows.append((f"`{kind}`", "`third_party_invite.signed`", spans(signed)))
    return table(("Type", "Key of `content`", "Kept in versions"), rows)


_NEEDED_TO: Final = {
    "ban": "ban a user",
    "kick": "remove a user, and, with `ban`, lift a ban",
    "invite": "invite a user",
    "redact": "redact events of users of other servers",
    "events_default": "send a message, and any other event that is not a state event",
    "state_default": "send a state event, except member events",
    "users_default": "— (it is the level of users who are not listed)",
}


def level_table() -> str:
    """Return the named levels, with their defaults."""
    return table(
        ("Level", "Default", "Needed to"),
        [(f"`{name}`", str(DEFAULTS[name]), _NEEDED_TO[name]) for name in DEFAULTS],
    )


def _content_keys(kind: str) -> Sequence[str]:
    return sorted(
        {key for one in ROOM_VERSIONS.values() for key in one.redaction_keeps_content.get(kind, ())}
    )


def format_table() -> str:
    """Return what differs between the room versions in the format of events and IDs."""
    forms = {
        EventIdForm.CHOSEN: "chosen by the sender's server, with its name",
        EventIdForm.HASH: "reference hash in base64",
        EventIdForm.URLSAFE_HASH: "reference hash in URL-safe base64",
    }
    rooms = {
        RoomIdForm.DOMAIN: "chosen by the creator's server, with its name",
        RoomIdForm.CREATE_HASH: "reference hash of the create event",
    }
    rows = [
        ("Event ID", *_by_value(lambda version: forms[version.event_id_form])),
        (
            "Entries of `prev_events` and `auth_events`",
            *_by_value(
                lambda version: "pairs of an ID and hashes" if version.references_carry_hashes else "IDs"
            ),
        ),
        ("Room ID", *_by_value(lambda version: rooms[version.room_id_form])),
        (
            "Numbers",
            *_by_value(
                lambda version: (
                    "integers within ±(2^53 - 1)" if version.strict_canonical_json else "any of JSON"
                )
            ),
        ),
        ("Greatest `depth`", *_by_value(lambda version: f"2^{version.max_depth.bit_length()} - 1")),
        (
            "A redaction names its target in",
            *_by_value(lambda version: "`content.redacts`" if version.redacts_in_content else "`redacts`"),
        ),
    ]
    return table(("Rule", "By room version"), rows)


def _by_value(value: Callable[[RoomVersion], str]) -> tuple[str]:
    found: dict[str, list[str]] = {}
    for name, version in ROOM_VERSIONS.items():
        found.setdefault(value(version), []).append(name)
    return ("; ".join(f"{spans(names)}: {one}" for one, names in found.items()),)
