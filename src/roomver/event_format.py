"""The checks of the event format: is a PDU an event of its room version?

Only `find_defects` and its helpers belong here. `roomver.event` makes the events.

Source: https://spec.matrix.org/latest/rooms/v12/#event-format, and the same section of the other room
versions' pages; sizes in https://spec.matrix.org/latest/client-server-api/#size-limits
"""

from typing import Any, Final, cast

from .canonical import encode_scanned, join_path, scan, shorten
from .errors import SHOWN, Defect, NotCanonical
from .identifiers import (
    MAX_BYTES,
    byte_length,
    fits,
    is_chosen_event_id,
    is_domain_room_id,
    is_hash_room_id,
    is_user_id,
)
from .types import JsonObject
from .versions import EventIdForm, RoomIdForm, RoomVersion

__all__ = ["MAX_AUTH_EVENTS", "MAX_EVENT_BYTES", "MAX_PREV_EVENTS", "find_defects"]

MAX_EVENT_BYTES: Final = 65536
"""The maximum length of an event's canonical JSON, signatures included, in bytes."""
MAX_PREV_EVENTS: Final = 20
MAX_AUTH_EVENTS: Final = 10
_FAR_TOO_LARGE: Final = 32 * MAX_EVENT_BYTES
_INT64: Final = 2**63


def find_defects(pdu: object, version: RoomVersion, *, lenient_identifiers: bool = False) -> list[Defect]:
    """Return the violations of the event format in a PDU; an empty list if it is well formed.

    This is all of check 1 on receipt of a PDU. The order of the defects is fixed. For the entries of
    ``signatures``, and for each list of events, at most `SHOWN` defects are returned, followed by one that
    counts the others.

    Cost: one visit to each value. A PDU that is far too large is not encoded.
    """
    if type(pdu) is not dict:
        return [Defect("", "a JSON object", shorten(pdu))]
    found: list[Defect] = []
    get = pdu.get

    try:
        bound = scan(pdu, strict=version.strict_canonical_json)
    except NotCanonical as error:
        found.append(Defect(error.path, "canonical JSON", error.reason))
    else:
        # For nearly every event the bound is enough, and nothing is encoded.
        if bound > MAX_EVENT_BYTES and (size := _size(pdu, bound)):
            found.append(Defect("", f"at most {MAX_EVENT_BYTES} bytes of canonical JSON", size))

    kind = get("type")
    if type(kind) is not str:
        found.append(_defect(pdu, "type", "a string"))
    elif not fits(kind):
        found.append(_too_long("type", kind))
    content = get("content")
    if type(content) is not dict:
        found.append(_defect(pdu, "content", "an object"))
    if "state_key" in pdu:
        state_key = pdu["state_key"]
        if type(state_key) is not str:
            found.append(_defect(pdu, "state_key", "a string or nothing"))
        elif not fits(state_key, version.max_state_key_bytes):
            found.append(_too_long("state_key", state_key, version.max_state_key_bytes))

    sender = get("sender")
    if type(sender) is not str or not (is_user_id(sender) or (lenient_identifiers and _lenient(sender))):
        found.append(_defect(pdu, "sender", "a user ID"))
    _check_room_id(pdu, version, lenient_identifiers, found)

    depth = get("depth")
    if type(depth) is not int or not 0 <= depth <= version.max_depth:
        exponent = version.max_depth.bit_length()
        found.append(_defect(pdu, "depth", f"an integer from 0 to 2^{exponent} - 1"))
    timestamp = get("origin_server_ts")
    # A negative time is odd but an integer. Synapse accepts it, others do not.
    if type(timestamp) is not int or not -_INT64 <= timestamp < _INT64:
        found.append(_defect(pdu, "origin_server_ts", "a 64-bit integer"))

    hashes = get("hashes")
    if type(hashes) is not dict:
        found.append(_defect(pdu, "hashes", "an object"))
    elif type(hashes.get("sha256")) is not str:
        found.append(_defect(hashes, "sha256", "a string", "hashes"))
    if "signatures" in pdu:
        _check_signatures(pdu, found)
    if "unsigned" in pdu and type(pdu["unsigned"]) is not dict:
        found.append(_defect(pdu, "unsigned", "an object or nothing"))

    _check_references(pdu, "prev_events", MAX_PREV_EVENTS, version, found)
    _check_references(pdu, "auth_events", MAX_AUTH_EVENTS, version, found)
    if version.event_id_form is EventIdForm.CHOSEN:
        chosen = get("event_id")
        if type(chosen) is not str or not is_chosen_event_id(chosen):
            found.append(_defect(pdu, "event_id", "an event ID with a server name"))
    elif "event_id" in pdu:
        # Synapse refuses the key, ruma hashes it and gomatrixserverlib removes it: three different events.
        found.append(_defect(pdu, "event_id", "nothing (the ID is the reference hash)"))
    return found


def has_right_types(pdu: JsonObject, version: RoomVersion) -> bool:
    """Tell whether the keys that the rules read have the right types. If not, `find_defects` says why."""
    # One subscript per key, chained comparisons and `join` for the type of each entry: this takes half as
    # long as the plain form, and it is half of what `Event.trusted` does.
    try:
        previous: Any = pdu["prev_events"]
        authorising: Any = pdu["auth_events"]
        if not (
            type(pdu["type"]) is type(pdu["sender"]) is str
            and type(pdu["content"]) is type(pdu["hashes"]) is dict
            and type(pdu["depth"]) is type(pdu["origin_server_ts"]) is int
            and type(previous) is type(authorising) is list
        ):
            return False
        if "state_key" in pdu and type(pdu["state_key"]) is not str:
            return False
        if "signatures" in pdu and type(pdu["signatures"]) is not dict:
            return False
        if "room_id" in pdu:
            if type(pdu["room_id"]) is not str:
                return False
        elif version.room_id_form is RoomIdForm.DOMAIN or pdu["type"] != "m.room.create":
            return False
        if version.event_id_form is EventIdForm.CHOSEN and type(pdu["event_id"]) is not str:
            return False
        if version.references_carry_hashes:
            for pair in previous + authorising:
                if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
                    return False
        else:
            "".join(previous + authorising)
    except (KeyError, TypeError):
        return False
    return True


def _size(pdu: JsonObject, bound: int) -> str:
    """Return the size of a PDU that is too large, in words; empty if it is not too large."""
    # The bound allows at most 25 bytes for a number, which takes at least two with its comma.
    if bound > _FAR_TOO_LARGE:
        return f"more than {bound // 25} bytes"
    size = len(encode_scanned(pdu))
    return f"{size} bytes" if size > MAX_EVENT_BYTES else ""


def _check_room_id(pdu: JsonObject, version: RoomVersion, lenient: bool, found: list[Defect]) -> None:
    room_id = pdu.get("room_id")
    if version.room_id_form is RoomIdForm.DOMAIN:
        if type(room_id) is not str or not (is_domain_room_id(room_id) or (lenient and _lenient(room_id))):
            found.append(_defect(pdu, "room_id", "a room ID"))
    elif pdu.get("type") == "m.room.create" and pdu.get("state_key") == "":
        if "room_id" in pdu:
            found.append(_defect(pdu, "room_id", "nothing (the ID is derived from the event ID)"))
    elif type(room_id) is not str or not is_hash_room_id(room_id):
        found.append(_defect(pdu, "room_id", "a room ID"))


class _Entries:
    """The defects in the entries of one array or object: the first few of them, and a count of the others.

    An event of a few kilobytes can have thousands of bad entries, each of which would cost more to describe
    than to send.
    """

    __slots__ = ("_found", "_more", "_most")

    def __init__(self, found: list[Defect]) -> None:
        self._found = found
        self._most = len(found) + SHOWN
        self._more = 0

    def full(self) -> bool:
        """Count the next defect, and tell whether it is only counted, not described."""
        if len(self._found) < self._most:
            return False
        self._more += 1
        return True

    def end(self, path: str, expected: str) -> None:
        """Add the count of the defects that were left out."""
        if self._more:
            self._found.append(Defect(path, expected, f"{self._more} more that are not"))


def _check_signatures(pdu: JsonObject, found: list[Defect]) -> None:
    signatures = pdu["signatures"]
    if type(signatures) is not dict:
        found.append(_defect(pdu, "signatures", "an object"))
        return
    entries = _Entries(found)
    for server, by_key in signatures.items():
        if type(by_key) is not dict:
            if not entries.full():
                found.append(_defect(signatures, server, "an object", "signatures"))
            continue
        for key_id, signature in by_key.items():
            if type(signature) is not str and not entries.full():
                found.append(_defect(by_key, key_id, "a string", join_path("signatures", server)))
    entries.end("signatures", "objects of strings")


def _check_references(
    pdu: JsonObject, name: str, most: int, version: RoomVersion, found: list[Defect]
) -> None:
    references = pdu.get(name)
    if type(references) is not list:
        found.append(_defect(pdu, name, "an array"))
        return
    if len(references) > most:
        found.append(Defect(name, f"at most {most} events", f"{len(references)} events"))
    pairs = version.references_carry_hashes
    if not (pairs or found) and len(references) <= most:
        # Nearly every list ends here. `join` looks at the type of each entry, without a loop in Python. It
        # takes subclasses of str too, but `scan` has refused these.
        try:
            "".join(cast(list[str], references))
            return
        except TypeError:
            pass
    entries = _Entries(found)
    # No server checks what is in the object of hashes, and in real rooms it may be empty.
    expected = "a pair of an event ID and an object of hashes" if pairs else "an event ID"
    for index, reference in enumerate(references):
        if pairs:
            good = (
                type(reference) is list
                and len(reference) == 2
                and type(reference[0]) is str
                and type(reference[1]) is dict
            )
        else:
            good = type(reference) is str
        if not good and not entries.full():
            found.append(Defect(f"{name}[{index}]", expected, shorten(reference)))
    entries.end(name, f"{expected} at each place")


def _lenient(identifier: str) -> bool:
    return ":" in identifier and fits(identifier)


def _defect(owner: JsonObject, key: str, expected: str, path: str = "") -> Defect:
    found = shorten(owner[key]) if key in owner else "nothing"
    return Defect(join_path(path, key), expected, found)


def _too_long(path: str, text: str, most: int = MAX_BYTES) -> Defect:
    return Defect(path, f"at most {most} bytes", f"{byte_length(text)} bytes")
