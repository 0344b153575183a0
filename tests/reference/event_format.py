"""The event format, as the schema of each page lists it: check 1 on receipt of a PDU.

Source: https://spec.matrix.org/latest/rooms/v1/#event-format, and the same section of the page of each other
version; https://spec.matrix.org/latest/client-server-api/#size-limits for the sizes, and
https://spec.matrix.org/latest/appendices/#identifier-grammar for identifiers. Every page has a complete
schema, and so does this module: no schema is written as a difference from another version.

A schema says what each value must be, by its path. ``*`` stands for every key of an object or every entry of
an array. A value that is absent is only missed if its path is required.

Where the pages are silent, or real servers do not do what they say, this module follows the library:

- ``signatures`` may be absent: an event without them fails check 2.
- The hash beside an event ID in ``auth_events`` and ``prev_events`` may be absent.
- The type of ``redacts`` and of ``unsigned.age`` is not checked.
- A depth is not negative. A timestamp is a 64-bit integer with a sign.
- From version 3 on an event that has an ``event_id`` is malformed, and so is a create event of version 12
  that has a ``room_id``.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from .canonical import canonical_json, has_canonical_form

Check = Callable[[Any], bool]
Schema = dict[str, list[Check]]


def string(value: Any) -> bool:
    return isinstance(value, str)


def integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def object_(value: Any) -> bool:
    return isinstance(value, dict)


def array(value: Any) -> bool:
    return isinstance(value, list)


def int64(value: int) -> bool:
    return -(2**63) <= value <= 2**63 - 1


def up_to(limit: int) -> Check:
    """Return a check of a depth."""
    return lambda value: 0 <= value <= limit


def at_most(count: int) -> Check:
    """ "Must contain less than or equal to 10 events." """
    return lambda value: len(value) <= count


def at_least(count: int) -> Check:
    return lambda value: len(value) >= count


SERVER_NAME = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[-0-9A-Za-z.]{1,255})(:[0-9]{1,5})?")


def has_domain(sigil: str) -> Check:
    """Return a check of an identifier with a server name: "!opaque_id:domain" """

    def check(value: str) -> bool:
        localpart, colon, server = value.partition(":")
        return (
            localpart.startswith(sigil)
            and colon == ":"
            and "\0" not in localpart
            and SERVER_NAME.fullmatch(server) is not None
        )

    return check


def is_hash(sigil: str) -> Check:
    """Return a check of an identifier without a server name. The hash is not checked here."""
    return lambda value: value.startswith(sigil) and len(value) > 1 and "\0" not in value


# Versions 1 and 2.
PDU_1: Schema = {
    "sender": [string, has_domain("@")],
    "origin_server_ts": [integer, int64],
    "type": [string],
    "state_key": [string],
    "content": [object_],
    "hashes": [object_],
    "hashes.sha256": [string],
    "signatures": [object_],
    "signatures.*": [object_],
    "signatures.*.*": [string],
    "unsigned": [object_],
    "room_id": [string, has_domain("!")],
    "event_id": [string, has_domain("$")],
    "depth": [integer, up_to(2**63 - 1)],
    "auth_events": [array, at_most(10)],
    "auth_events.*": [array, at_most(2), at_least(2)],
    "auth_events.*.0": [string],
    "auth_events.*.1": [object_],
    "prev_events": [array, at_most(20)],
    "prev_events.*": [array, at_most(2), at_least(2)],
    "prev_events.*.0": [string],
    "prev_events.*.1": [object_],
}
REQUIRED_1 = [
    "sender",
    "origin_server_ts",
    "type",
    "content",
    "depth",
    "hashes",
    "hashes.sha256",
    "room_id",
    "event_id",
    "auth_events",
    "prev_events",
]

PDU_3: Schema = {
    "sender": [string, has_domain("@")],
    "origin_server_ts": [integer, int64],
    "type": [string],
    "state_key": [string],
    "content": [object_],
    "hashes": [object_],
    "hashes.sha256": [string],
    "signatures": [object_],
    "signatures.*": [object_],
    "signatures.*.*": [string],
    "unsigned": [object_],
    "room_id": [string, has_domain("!")],
    "depth": [integer, up_to(2**63 - 1)],
    "auth_events": [array, at_most(10)],
    "auth_events.*": [string],
    "prev_events": [array, at_most(20)],
    "prev_events.*": [string],
}
REQUIRED_3 = [
    "sender",
    "origin_server_ts",
    "type",
    "content",
    "depth",
    "hashes",
    "hashes.sha256",
    "room_id",
    "auth_events",
    "prev_events",
]

# Versions 4 and 5. The schema says that it is also that of versions 6 to 10, whose pages show the next one.
PDU_4: Schema = {
    "sender": [string, has_domain("@")],
    "origin_server_ts": [integer, int64],
    "type": [string],
    "state_key": [string],
    "content": [object_],
    "hashes": [object_],
    "hashes.sha256": [string],
    "signatures": [object_],
    "signatures.*": [object_],
    "signatures.*.*": [string],
    "unsigned": [object_],
    "auth_events": [array, at_most(10)],
    "auth_events.*": [string],
    "prev_events": [array, at_most(20)],
    "prev_events.*": [string],
    "room_id": [string, has_domain("!")],
    "depth": [integer, up_to(2**63 - 1)],
}
REQUIRED_4 = [
    "sender",
    "origin_server_ts",
    "type",
    "content",
    "depth",
    "hashes",
    "hashes.sha256",
    "auth_events",
    "prev_events",
    "room_id",
]

# Versions 6 to 10.
PDU_6: Schema = {
    "sender": [string, has_domain("@")],
    "origin_server_ts": [integer, int64],
    "type": [string],
    "state_key": [string],
    "content": [object_],
    "hashes": [object_],
    "hashes.sha256": [string],
    "signatures": [object_],
    "signatures.*": [object_],
    "signatures.*.*": [string],
    "unsigned": [object_],
    "auth_events": [array, at_most(10)],
    "auth_events.*": [string],
    "prev_events": [array, at_most(20)],
    "prev_events.*": [string],
    "room_id": [string, has_domain("!")],
    "depth": [integer, up_to(2**53 - 1)],
}
REQUIRED_6 = [
    "sender",
    "origin_server_ts",
    "type",
    "content",
    "depth",
    "hashes",
    "hashes.sha256",
    "auth_events",
    "prev_events",
    "room_id",
]

PDU_11: Schema = {
    "sender": [string, has_domain("@")],
    "origin_server_ts": [integer, int64],
    "type": [string],
    "state_key": [string],
    "content": [object_],
    "hashes": [object_],
    "hashes.sha256": [string],
    "signatures": [object_],
    "signatures.*": [object_],
    "signatures.*.*": [string],
    "unsigned": [object_],
    "auth_events": [array, at_most(10)],
    "auth_events.*": [string],
    "prev_events": [array, at_most(20)],
    "prev_events.*": [string],
    "room_id": [string, has_domain("!")],
    "depth": [integer, up_to(2**53 - 1)],
}
REQUIRED_11 = [
    "sender",
    "origin_server_ts",
    "type",
    "content",
    "depth",
    "hashes",
    "hashes.sha256",
    "auth_events",
    "prev_events",
    "room_id",
]

PDU_12: Schema = {
    "sender": [string, has_domain("@")],
    "origin_server_ts": [integer, int64],
    "type": [string],
    "state_key": [string],
    "content": [object_],
    "hashes": [object_],
    "hashes.sha256": [string],
    "signatures": [object_],
    "signatures.*": [object_],
    "signatures.*.*": [string],
    "unsigned": [object_],
    "auth_events": [array, at_most(10)],
    "auth_events.*": [string],
    "prev_events": [array, at_most(20)],
    "prev_events.*": [string],
    "depth": [integer, up_to(2**53 - 1)],
    "room_id": [string, is_hash("!")],
}
REQUIRED_12 = [
    "sender",
    "origin_server_ts",
    "type",
    "content",
    "depth",
    "hashes",
    "hashes.sha256",
    "auth_events",
    "prev_events",
    "room_id",
]

PAGES: dict[str, tuple[Schema, list[str]]] = {
    "1": (PDU_1, REQUIRED_1),
    "2": (PDU_1, REQUIRED_1),
    "3": (PDU_3, REQUIRED_3),
    "4": (PDU_4, REQUIRED_4),
    "5": (PDU_4, REQUIRED_4),
    "6": (PDU_6, REQUIRED_6),
    "7": (PDU_6, REQUIRED_6),
    "8": (PDU_6, REQUIRED_6),
    "9": (PDU_6, REQUIRED_6),
    "10": (PDU_6, REQUIRED_6),
    "11": (PDU_11, REQUIRED_11),
    "12": (PDU_12, REQUIRED_12),
}


def values_at(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield the values at a path of a value. One that is absent, or below a value of another type, is not."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    if step == "*":
        inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    elif step.isdigit():
        place = int(step)
        inside = [value[place]] if isinstance(value, list) and place < len(value) else []
    else:
        inside = [value[step]] if isinstance(value, dict) and step in value else []
    for one in inside:
        yield from values_at(one, rest)


def matches(event: dict[str, Any], schema: Schema, required: list[str]) -> bool:
    """Tell whether an event is what a schema says."""
    for path in required:
        if not list(values_at(event, path.split("."))):
            return False
    for path, checks in schema.items():
        for value in values_at(event, path.split(".")):
            if not all(check(value) for check in checks):
                return False
    return True


def size(text: Any) -> int:
    """Return the bytes of a text. Another value has none: the schema refuses it."""
    return len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else 0


def has_right_sizes(event: dict[str, Any]) -> bool:
    """https://spec.matrix.org/latest/client-server-api/#size-limits"""
    # "The complete event MUST NOT be larger than 65536 bytes, when formatted with the federation event
    # format, including any signatures, and encoded as Canonical JSON."
    if len(canonical_json(event)) > 65536:
        return False
    # "`sender` MUST NOT exceed the size limit for user IDs." Those of the others are the same.
    if size(event.get("sender")) > 255:
        return False
    if size(event.get("room_id")) > 255:
        return False
    if size(event.get("state_key")) > 255:
        return False
    if size(event.get("type")) > 255:
        return False
    return size(event.get("event_id")) <= 255


def is_valid(event: Any, version: str) -> bool:
    """Tell whether a value is an event of a room version."""
    if not isinstance(event, dict):
        return False
    # From version 6 on "Servers MUST strictly enforce the JSON format specified in the appendices."
    strict = version not in ("1", "2", "3", "4", "5")
    if not has_canonical_form(event, strict=strict):
        return False
    schema, required = PAGES[version]
    # "When events are sent over federation, the `event_id` field is no longer included."
    if version not in ("1", "2") and "event_id" in event:
        return False
    if version == "12" and event.get("type") == "m.room.create" and event.get("state_key") == "":
        # "Omitted from `m.room.create` events."
        if "room_id" in event:
            return False
        required = [path for path in required if path != "room_id"]
    return matches(event, schema, required) and has_right_sizes(event)
