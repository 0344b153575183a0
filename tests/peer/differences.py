"""Every known difference from Synapse in hashes, redaction and format.

The peer tests fail on a difference that is not listed here, and on a row that Synapse no longer shows. All
were seen by running the wheel. The reason says which side follows the specification. Rows named D are those
of the project's table of differences between implementations.

Event IDs and redactions have no rows, because they do not differ. The specification leaves open how redaction
treats a ``third_party_invite`` that is not an object (D7), floats (D3) and large integers (D4). There the
library does what Synapse does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from canonicaljson import encode_canonical_json
from strategies import (
    CHOSEN_ID_VERSIONS,
    LENIENT_VERSIONS,
    OWNED_KEY_VERSIONS,
    PEER_VERSIONS,
    JsonObject,
    number_of,
)

from roomver.errors import Defect
from roomver.hashing import SYNAPSE_NOT_HASHED

ROOM_ID_HASH_VERSIONS = [version for version in PEER_VERSIONS if number_of(version) == 12]


def plain(version: str, **changes: Any) -> JsonObject:
    """Return an event that both accept."""
    chosen = version in CHOSEN_ID_VERSIONS
    pdu: JsonObject = {
        "type": "X",
        "content": {},
        "sender": "@a:x.org",
        "room_id": "!" + "A" * 43 if number_of(version) == 12 else "!r:x.org",
        "depth": 1,
        "origin_server_ts": 1,
        "hashes": {"sha256": "A" * 43},
        "prev_events": [["$p:x.org", {"sha256": "A"}]] if chosen else ["$" + "B" * 43],
        "auth_events": [["$p:x.org", {"sha256": "A"}]] if chosen else ["$" + "B" * 43],
    }
    if chosen:
        pdu["event_id"] = "$e:x.org"
    return pdu | changes


class Difference(NamedTuple):
    """A difference on an event in the event format."""

    row: str
    """A short name, for the counts at the end of the run."""
    reason: str
    versions: list[str]
    """The room versions that show it."""
    example: Callable[[str], JsonObject]
    """An event of a version that shows it."""
    explains: Callable[[JsonObject, str], bool]
    """Whether the row explains a difference on this event of this room version."""


class Refusal(NamedTuple):
    """A format that the library refuses and Synapse accepts."""

    row: str
    reason: str
    versions: list[str]
    example: Callable[[str], JsonObject]
    explains: Callable[[Defect, JsonObject], bool]
    """Whether the row explains this defect of this event."""


def levels(value: Any) -> int:
    """Return how deep arrays and objects are nested in a value."""
    deepest = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        deepest += 1
        level = [i for item in level for i in (item.values() if isinstance(item, dict) else item)]
    return deepest


def nested(count: int) -> Any:
    value: Any = 0
    for _ in range(count):
        value = [value]
    return value


def of_size(pdu: JsonObject, size: int) -> JsonObject:
    """Return the event with a body that makes it this many bytes long."""
    pdu["content"]["body"] = ""
    pdu["content"]["body"] = "a" * (size - len(encode_canonical_json(pdu)))
    return pdu


def _reference_hashes(pdu: JsonObject) -> list[Any]:
    return [pair[1] for key in ("prev_events", "auth_events") for pair in pdu[key] if isinstance(pair, list)]


def _odd_number(value: object) -> bool:
    """Tell whether serde_json cannot keep a number in 64 bits. Its parser treats it as an object."""
    return type(value) is float or (type(value) is int and not -(2**63) <= value < 2**64)


def _number_for_object(defect: Defect, pdu: JsonObject) -> bool:
    if defect.path in ("content", "hashes"):
        return _odd_number(pdu[defect.path])
    if defect.path == "hashes.sha256" or not defect.expected.startswith("a pair"):
        return False
    key, _, index = defect.path.rstrip("]").partition("[")
    pair = pdu[key][int(index)]
    return isinstance(pair, list) and len(pair) == 2 and type(pair[0]) is str and _odd_number(pair[1])


def _too_large_with_unsigned(defect: Defect, pdu: JsonObject) -> bool:
    if defect.path or not defect.expected.startswith("at most 65536 bytes"):
        return False
    return len(encode_canonical_json({**pdu, "unsigned": {}})) <= 65536


CONTENT_HASH = [
    Difference(
        "D10",
        "Synapse leaves age_ts, outlier and destinations out of the content hash. The specification names "
        "only unsigned, signatures and hashes.",
        PEER_VERSIONS,
        lambda version: plain(version, age_ts=1),
        lambda pdu, _: not SYNAPSE_NOT_HASHED.isdisjoint(pdu),
    ),
]

HASH_CHECK = [
    Difference(
        "D11: length",
        "Synapse treats a base64 hash that is not of 32 bytes as a mismatch, and uses the redacted form. The "
        "library treats it as unreadable, like a hash that is not base64, and drops the event. The "
        "specification mentions only the mismatch.",
        PEER_VERSIONS,
        lambda version: plain(version, hashes={"sha256": "A" * 40}),
        lambda pdu, _: isinstance(pdu["hashes"].get("sha256"), str),
    ),
]

SYNAPSE_REFUSES = [
    Difference(
        "D5",
        "Synapse drops an event with a depth above 2^53 - 1 in every version. Up to version 5 the "
        "specification allows 2^63 - 1.",
        LENIENT_VERSIONS,
        lambda version: plain(version, depth=2**53),
        lambda pdu, _: bool(pdu["depth"] > 2**53 - 1),
    ),
    Difference(
        "D11: other hashes",
        "Synapse requires a string for every algorithm in hashes. The specification mentions only sha256.",
        PEER_VERSIONS,
        lambda version: plain(version, hashes={"sha256": "A" * 43, "md5": 5}),
        lambda pdu, _: not all(isinstance(value, str) for value in pdu["hashes"].values()),
    ),
    Difference(
        "hashes of references",
        "Synapse requires strings in the hashes beside a reference, as the format does. Nobody uses these "
        "hashes and later versions lack them, so the library does not check them.",
        CHOSEN_ID_VERSIONS,
        lambda version: plain(version, prev_events=[["$p:x.org", {"sha256": 5}]]),
        lambda pdu, _: (
            not all(isinstance(value, str) for hashes in _reference_hashes(pdu) for value in hashes.values())
        ),
    ),
    Difference(
        "depth of nesting",
        "serde_json stops at 127 levels, the library at 128. The specification has no limit.",
        PEER_VERSIONS,
        lambda version: plain(version, content={"a": nested(126)}),
        lambda pdu, _: levels(pdu) > 127,
    ),
    Difference(
        "D1: added keys",
        "Both accept 65536 bytes, but Synapse also counts an empty signatures and an empty unsigned that the "
        "received event may lack.",
        PEER_VERSIONS,
        lambda version: of_size(plain(version), 65536),
        lambda pdu, _: len(encode_canonical_json({"signatures": {}, "unsigned": {}} | pdu)) > 65536,
    ),
    Difference(
        "ten auth events in version 12",
        "Synapse also counts the create event, which the event must not cite.",
        ROOM_ID_HASH_VERSIONS,
        lambda version: plain(version, auth_events=["$" + "B" * 43] * 10),
        lambda pdu, version: number_of(version) == 12 and len(pdu["auth_events"]) == 10,
    ),
    Difference(
        "create event cited",
        "In version 12 Synapse drops an event whose auth_events cite the create event of its room. In the "
        "specification the authorisation rules reject it.",
        ROOM_ID_HASH_VERSIONS,
        lambda version: plain(version, auth_events=["$" + "A" * 43]),
        lambda pdu, version: (
            number_of(version) == 12 and "$" + pdu.get("room_id", "")[1:] in pdu["auth_events"]
        ),
    ),
]

SYNAPSE_REFUSES.append(
    Difference(
        "MSC3757: size of state keys",
        "Synapse drops an event whose state key has more than 255 bytes. MSC3757 allows 511, and its rules "
        "check the parts.",
        OWNED_KEY_VERSIONS,
        lambda version: plain(version, state_key="@a:x.org_" + "x" * 255),
        lambda pdu, version: (
            version in OWNED_KEY_VERSIONS
            and isinstance(pdu.get("state_key"), str)
            and len(pdu["state_key"].encode()) > 255
        ),
    )
)

SYNAPSE_ACCEPTS = [
    Refusal(
        "D11: no sha256",
        "Synapse's parser accepts empty hashes. It drops such an event when it checks the hash.",
        PEER_VERSIONS,
        lambda version: plain(version, hashes={}),
        lambda defect, pdu: defect.path == "hashes.sha256" and defect.found == "nothing",
    ),
    Refusal(
        "D18: sender",
        "Synapse requires only a colon in a sender. The specification requires the historical grammar.",
        PEER_VERSIONS,
        lambda version: plain(version, sender="a:"),
        lambda defect, pdu: defect.path == "sender" and isinstance(pdu.get("sender"), str),
    ),
    Refusal(
        "D18: room ID",
        "Synapse accepts any string as a room ID up to version 11, and any string with the sigil in version "
        "12, because it only looks rooms up.",
        PEER_VERSIONS,
        lambda version: plain(version, room_id="!" if number_of(version) == 12 else ""),
        lambda defect, pdu: defect.expected == "a room ID" and isinstance(pdu.get("room_id"), str),
    ),
    Refusal(
        "D18: event ID",
        "Synapse accepts any string as an event ID when it parses an event of version 1 or 2.",
        CHOSEN_ID_VERSIONS,
        lambda version: plain(version, event_id=""),
        lambda defect, pdu: defect.path == "event_id" and isinstance(pdu.get("event_id"), str),
    ),
    Refusal(
        "unsigned",
        "Synapse strips unsigned, except age and stripped room state, before it checks the event. In the "
        "specification the whole event is canonical JSON.",
        PEER_VERSIONS,
        lambda version: plain(version, unsigned={"a": "\ud800" if version in LENIENT_VERSIONS else 1.5}),
        lambda defect, pdu: defect.expected == "canonical JSON" and defect.path.startswith("unsigned"),
    ),
    Refusal(
        "D1: unsigned",
        "Synapse strips unsigned before it measures the event. In the specification the complete event may "
        "have 65536 bytes.",
        PEER_VERSIONS,
        lambda version: plain(version, unsigned={"a": "a" * 65536}),
        _too_large_with_unsigned,
    ),
    Refusal(
        "number for an object",
        "With arbitrary_precision, serde_json accepts a float or an integer of more than 64 bits in place of "
        "an object. From version 6 on such numbers are refused before.",
        LENIENT_VERSIONS,
        lambda version: plain(version, content=1.5),
        _number_for_object,
    ),
]
