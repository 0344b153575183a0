"""What a record of a room version must satisfy: the types of its fields, and which of them go together.

A combination is refused only if it contradicts itself: no room of such a version could work, or a rule would
decide by something that does not exist. What is merely unwise is allowed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from ..canonical import shorten
from .forms import EventIdForm, RoomIdForm, StateResolution

if TYPE_CHECKING:
    from .record import RoomVersion

RULE_LISTS: Final = ("1", "3", "6", "7", "8", "10", "11", "12")
"""The room version that introduced each list of rules. Later versions use it until the next list."""

KEPT_ALWAYS: Final = frozenset(
    {
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "auth_events",
        "origin_server_ts",
    }
)
"""The top-level keys that redaction keeps in every version. Without them, what is left is not an event."""

# Source: https://spec.matrix.org/latest/rooms/#room-version-grammar
_IDENTIFIER: Final = re.compile(r"[0-9a-z.-]{1,32}")
_ADDRESS: Final = re.compile(r"https?://[!-~]+")

_MOST_DEPTH: Final = 2**63 - 1
_MOST_EXACT: Final = 2**53 - 1
_LEAST_STATE_KEY: Final = 255  # the state key of a member event is a user ID
_MOST_STATE_KEY: Final = 65536


class Kind(NamedTuple):
    """What the value of a field must be: in words, and as a check."""

    expected: str
    holds: Callable[[object], bool]


def _is_names(value: object) -> bool:
    return type(value) is frozenset and all(type(name) is str for name in value)


def _is_keys_by_type(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        type(kind) is str and _is_names(keys) for kind, keys in value.items()
    )


def texts_of(form: type[Enum]) -> dict[str, Enum]:
    """Return the texts by which a form can be named, each with the form."""
    return {one.value if form is StateResolution else one.name.lower(): one for one in form}


def _one_of(form: type[Enum]) -> Kind:
    return Kind(f"one of {', '.join(texts_of(form))}", lambda value: isinstance(value, form))


BOOLEAN: Final = Kind("true or false", lambda value: type(value) is bool)
NAMES: Final = Kind("an array of strings", _is_names)
KEYS_BY_TYPE: Final = Kind(
    'arrays of strings by event type, as in {"m.room.topic": ["topic"]}', _is_keys_by_type
)

KINDS: Final[Mapping[str, Kind]] = {
    "identifier": Kind(
        "1 to 32 of the characters a-z, 0-9, . and -",
        lambda value: type(value) is str and _IDENTIFIER.fullmatch(value) is not None,
    ),
    "based_on": Kind("a string or nothing", lambda value: value is None or type(value) is str),
    "page_url": Kind(
        "an http or https address", lambda value: type(value) is str and _ADDRESS.fullmatch(value) is not None
    ),
    "event_id_form": _one_of(EventIdForm),
    "room_id_form": _one_of(RoomIdForm),
    "state_resolution": _one_of(StateResolution),
    "max_depth": Kind(
        "2^n - 1, with n from 1 to 63",
        lambda value: type(value) is int and 0 < value <= _MOST_DEPTH and not value & (value + 1),
    ),
    "max_state_key_bytes": Kind(
        f"an integer from {_LEAST_STATE_KEY} to {_MOST_STATE_KEY}",
        lambda value: type(value) is int and _LEAST_STATE_KEY <= value <= _MOST_STATE_KEY,
    ),
    "redaction_keeps": NAMES,
    "redaction_keeps_all_content": NAMES,
    "redaction_keeps_content": KEYS_BY_TYPE,
    "rule_list": Kind(f"one of {', '.join(RULE_LISTS)}", lambda value: value in RULE_LISTS),
}
"""What each field must be. A field that is not here is a `BOOLEAN`."""


def find_faults(version: "RoomVersion") -> list[str]:
    """Return what is wrong with a record, each as a sentence without its full stop; empty if nothing is."""
    # The slots of the class are its fields, and one for weak references.
    names = [name for name in type(version).__slots__ if not name.startswith("__")]
    faults = [
        f"{name}: expected {kind.expected}, found {shorten(value)}"
        for name in names
        if not (kind := KINDS.get(name, BOOLEAN)).holds(value := getattr(version, name))
    ]
    return faults or [*_contradictions(version)]


def _contradictions(v: "RoomVersion") -> Iterator[str]:
    yield from _in_identifiers(v)
    yield from _in_redaction(v)
    if v.event_id_server_signs and v.event_id_form is not EventIdForm.CHOSEN:
        yield "event_id_server_signs needs event_id_form chosen: a hash names no server"
    if v.strict_canonical_json and v.max_depth > _MOST_EXACT:
        yield "max_depth above 2^53 - 1 needs strict_canonical_json false: no larger integer is canonical"
    if v.float_power_levels and v.strict_canonical_json:
        yield "float_power_levels needs strict_canonical_json false: no float is canonical"
    for name in ("float_power_levels", "string_power_levels"):
        if v.power_level_types_checked and getattr(v, name):
            yield f"power_level_types_checked excludes {name}: its rules require integers"
    if v.power_level_types_checked and not v.notification_levels_checked:
        yield "power_level_types_checked needs notification_levels_checked: its rules read notifications"
    if v.redaction_rule and v.event_id_form is not EventIdForm.CHOSEN:
        # Two hashes would count as IDs from the same server, and anyone could redact anything.
        yield "redaction_rule needs event_id_form chosen: it compares the servers in event IDs"
    for name, needed in (
        ("authorising_server_signs", "restricted_joins"),
        ("restricted_joins", "authorising_server_signs"),
        ("knock_restricted", "restricted_joins"),
        ("knock_restricted", "knock"),
        ("additional_creators", "infinite_creator_level"),
    ):
        if getattr(v, name) and not getattr(v, needed):
            yield f"{name} needs {needed}: {_REASONS[name]}"


_REASONS: Final = {
    "authorising_server_signs": "no other join has a user who authorises it",
    "restricted_joins": "without it anyone could name a user who authorises the join",
    "knock_restricted": "this join rule lets users knock, and lets others authorise joins",
    "additional_creators": "nothing else tells additional creators from other users",
}


def _in_identifiers(v: "RoomVersion") -> Iterator[str]:
    by_hash = v.room_id_form is RoomIdForm.CREATE_HASH
    if by_hash and v.event_id_form is EventIdForm.CHOSEN:
        yield "room_id_form create_hash excludes event_id_form chosen: the room ID is the create event's hash"
    if by_hash and v.create_in_auth_events:
        yield "room_id_form create_hash needs create_in_auth_events false: the room ID names the create event"
    if not by_hash and not v.create_in_auth_events:
        yield "room_id_form domain needs create_in_auth_events: nothing else leads to the create event"


def _in_redaction(v: "RoomVersion") -> Iterator[str]:
    lacking = KEPT_ALWAYS - v.redaction_keeps
    if lacking:
        yield f"redaction_keeps lacks {', '.join(sorted(lacking))}: what is left would not be an event"
    for kind in sorted(v.redaction_keeps_all_content & v.redaction_keeps_content.keys()):
        yield f"redaction_keeps_content names {shorten(kind)}, which redaction_keeps_all_content keeps whole"
    kept = v.redaction_keeps_content.get("m.room.create", frozenset())
    if v.room_id_form is RoomIdForm.CREATE_HASH and not (
        "m.room.create" in v.redaction_keeps_all_content or "room_version" in kept
    ):
        yield (
            "room_id_form create_hash needs redaction_keeps_content or redaction_keeps_all_content to keep"
            " room_version of m.room.create: a room ID must name a create event of its version"
        )
