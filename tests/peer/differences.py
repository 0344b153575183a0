"""Every known difference from Synapse in hashes, redaction and format, in one place.

A difference that the peer tests find and that is not here fails them, and so does a row here that
Synapse no longer shows. All were seen by running the wheel; the reason says who follows the
specification. Rows named D are those of the project's table of differences between implementations.

Of event IDs and redactions there is no row: they are the same. The specification leaves open what a
redaction makes of a ``third_party_invite`` that is no object (D7), of floats (D3) and of great integers
(D4), and there the library does what Synapse does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from canonicaljson import encode_canonical_json
from strategies import CHOSEN_ID_VERSIONS, LENIENT_VERSIONS, STRICT_VERSIONS, VERSIONS, JsonObject

from roomver.errors import Defect
from roomver.hashing import SYNAPSE_NOT_HASHED


def plain(version: str, **changes: Any) -> JsonObject:
    """An event that both take."""
    chosen = version in CHOSEN_ID_VERSIONS
    pdu: JsonObject = {
        "type": "X",
        "content": {},
        "sender": "@a:x.org",
        "room_id": "!" + "A" * 43 if version == "12" else "!r:x.org",
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
    """A difference in what is said of an event that has the format."""

    row: str
    """A short name, for the counts at the end of the run."""
    reason: str
    versions: list[str]
    """The room versions that show it."""
    example: Callable[[str], JsonObject]
    """An event of a version that shows it."""
    explains: Callable[[JsonObject, str], bool]
    """Whether it accounts for a difference on this event of this room version."""


class Refusal(NamedTuple):
    """A format that the library refuses and Synapse takes."""

    row: str
    reason: str
    versions: list[str]
    example: Callable[[str], JsonObject]
    explains: Callable[[Defect, JsonObject], bool]
    """Whether it accounts for this defect of this event."""


def levels(value: Any) -> int:
    """How deep arrays and objects are nested in a value."""
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
    """The event with a body that makes it so many bytes long."""
    pdu["content"]["body"] = ""
    pdu["content"]["body"] = "a" * (size - len(encode_canonical_json(pdu)))
    return pdu


def _reference_hashes(pdu: JsonObject) -> list[Any]:
    return [pair[1] for key in ("prev_events", "auth_events") for pair in pdu[key] if isinstance(pair, list)]


def _odd_number(value: object) -> bool:
    """A number that serde_json does not keep in 64 bits: to its parser it looks like an object."""
    return type(value) is float or (type(value) is int and not -(2**63) <= value < 2**64)


def _number_for_object(defect: Defect, pdu: JsonObject) -> bool:
    if defect.path in ("content", "hashes"):
        return _odd_number(pdu[defect.path])
    if defect.path == "hashes.sha256" or not defect.expected.startswith("a pair"):
        return False
    key, _, index = defect.path.rstrip("]").partition("[")
    pair = pdu[key][int(index)]
    return isinstance(pair, list) and len(pair) == 2 and type(pair[0]) is str and _odd_number(pair[1])


CONTENT_HASH = [
    Difference(
        "D10",
        "Synapse leaves age_ts, outlier and destinations out of the content hash. The specification names "
        "only unsigned, signatures and hashes.",
        VERSIONS,
        lambda version: plain(version, age_ts=1),
        lambda pdu, _: not SYNAPSE_NOT_HASHED.isdisjoint(pdu),
    ),
]

HASH_CHECK = [
    Difference(
        "D11: length",
        "A hash that is base64, but not of 32 bytes, is a mismatch to Synapse: it uses the redacted form. To "
        "the library it is no SHA-256, and the event is dropped as for one that is no base64. The "
        "specification names only the mismatch.",
        VERSIONS,
        lambda version: plain(version, hashes={"sha256": "A" * 40}),
        lambda pdu, _: isinstance(pdu["hashes"].get("sha256"), str),
    ),
]

SYNAPSE_REFUSES = [
    Difference(
        "D5",
        "Synapse drops an event of a depth above 2^53 - 1 in every version; up to version 5 the "
        "specification allows 2^63 - 1.",
        LENIENT_VERSIONS,
        lambda version: plain(version, depth=2**53),
        lambda pdu, _: bool(pdu["depth"] > 2**53 - 1),
    ),
    Difference(
        "D11: other hashes",
        "Synapse wants a string for every algorithm in hashes; the specification only speaks of sha256.",
        VERSIONS,
        lambda version: plain(version, hashes={"sha256": "A" * 43, "md5": 5}),
        lambda pdu, _: not all(isinstance(value, str) for value in pdu["hashes"].values()),
    ),
    Difference(
        "hashes of references",
        "Synapse wants strings in the hashes beside a reference, as the format has it. Nobody uses them and "
        "they are in no later version, so the library does not look at them.",
        CHOSEN_ID_VERSIONS,
        lambda version: plain(version, prev_events=[["$p:x.org", {"sha256": 5}]]),
        lambda pdu, _: (
            not all(isinstance(value, str) for hashes in _reference_hashes(pdu) for value in hashes.values())
        ),
    ),
    Difference(
        "depth of nesting",
        "serde_json stops at 127 levels, the library at 128; the specification has no limit.",
        VERSIONS,
        lambda version: plain(version, content={"a": nested(126)}),
        lambda pdu, _: levels(pdu) > 127,
    ),
    Difference(
        "D1: added keys",
        "Both take 65536 bytes, but Synapse counts an empty signatures and an empty unsigned that the event "
        "it received may not have had.",
        VERSIONS,
        lambda version: of_size(plain(version), 65536),
        lambda pdu, _: len(encode_canonical_json({"signatures": {}, "unsigned": {}} | pdu)) > 65536,
    ),
    Difference(
        "ten auth events in version 12",
        "Synapse counts the create event as well, which the event must not name.",
        ["12"],
        lambda version: plain(version, auth_events=["$" + "B" * 43] * 10),
        lambda pdu, version: version == "12" and len(pdu["auth_events"]) == 10,
    ),
    Difference(
        "create event cited",
        "In version 12 Synapse drops an event whose auth_events name the create event of its room; by the "
        "specification that is for the authorisation rules, which reject it.",
        ["12"],
        lambda version: plain(version, auth_events=["$" + "A" * 43]),
        lambda pdu, version: version == "12" and "$" + pdu.get("room_id", "")[1:] in pdu["auth_events"],
    ),
]

SYNAPSE_ACCEPTS = [
    Refusal(
        "D11: no sha256",
        "To Synapse's parser hashes may be empty; such an event is dropped when its hash is looked at.",
        VERSIONS,
        lambda version: plain(version, hashes={}),
        lambda defect, pdu: defect.path == "hashes.sha256" and defect.found == "nothing",
    ),
    Refusal(
        "D18: sender",
        "Synapse asks for no more than a colon in a sender; the specification for the historical grammar.",
        VERSIONS,
        lambda version: plain(version, sender="a:"),
        lambda defect, pdu: defect.path == "sender" and isinstance(pdu.get("sender"), str),
    ),
    Refusal(
        "D18: room ID",
        "Synapse takes any string for a room ID up to version 11, and any with the sigil in version 12: it "
        "is only ever looked up.",
        VERSIONS,
        lambda version: plain(version, room_id="!" if version == "12" else ""),
        lambda defect, pdu: defect.expected == "a room ID" and isinstance(pdu.get("room_id"), str),
    ),
    Refusal(
        "D18: event ID",
        "Synapse takes any string for an event ID when it parses an event of version 1 or 2.",
        CHOSEN_ID_VERSIONS,
        lambda version: plain(version, event_id=""),
        lambda defect, pdu: defect.path == "event_id" and isinstance(pdu.get("event_id"), str),
    ),
    Refusal(
        "unsigned",
        "Synapse empties unsigned, but for age and a room's stripped state, before it looks at the event. By "
        "the specification the whole event is canonical JSON.",
        VERSIONS,
        lambda version: plain(version, unsigned={"a": 1.5 if version in STRICT_VERSIONS else "\ud800"}),
        lambda defect, pdu: defect.expected == "canonical JSON" and defect.path.startswith("unsigned"),
    ),
    Refusal(
        "number for an object",
        "With its arbitrary_precision, serde_json reads a float or an integer of more than 64 bits where an "
        "object is wanted. From version 6 on none gets that far.",
        LENIENT_VERSIONS,
        lambda version: plain(version, content=1.5),
        _number_for_object,
    ),
]
