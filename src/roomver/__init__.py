"""The rules of Matrix rooms, for room versions 1 to 12. Every answer comes with its reason.

These are pure functions over JSON values: canonical JSON, the event format, event IDs, hashes,
signatures, redaction, authorisation rules, state resolution and the replay of whole rooms. Nothing here
reads a file, reads the clock or opens a connection.

This package exports the functions and types that most programs need. The rest of the public interface is
in these modules:

- `roomver.types`: type aliases.
- `roomver.errors`: the exceptions.
- `roomver.versions`: the room versions, and how they differ.
- `roomver.canonical`: JSON text and canonical JSON.
- `roomver.redaction`: the redacted form of an event.
- `roomver.hashing`: content hash, reference hash and event ID.
- `roomver.event`: the class `Event`, and `parse_event`.
- `roomver.event_format`: the checks of the event format, `find_defects`.
- `roomver.keys`: signing keys, verify keys, and which keys are known.
- `roomver.signing`: making signatures.
- `roomver.signatures`: verifying signatures.
- `roomver.signature_results`: the results of verifying signatures.
- `roomver.rules`: the authorisation rules as values, and verdicts.
- `roomver.power`: power levels.
- `roomver.selection`: the auth events selection.
- `roomver.state`: room states, known in whole or in part, and the changes between them.
- `roomver.auth`: the checks of the authorisation rules.
- `roomver.policy`: policy servers.
- `roomver.steps`: what a computation needs from outside, and the drivers that fetch it.
- `roomver.resolution`: state resolution.
- `roomver.receive`: the seven checks on receipt of an event.
- `roomver.make`: making events, and the handshakes between servers.
- `roomver.federation`: the protocol between servers, without I/O.
- `roomver.room`: a room in memory, to which events come in any order.
- `roomver.replay`: the replay of a whole room.
- `roomver.entry`: one input entry: a PDU, its claimed ID and its place.
- `roomver.findings`: kinds of findings, and counts.
- `roomver.check`: the checks of one event by itself.
- `roomver.parallel`: the same checks in several processes.
- `roomver.unhashed`: made-up events, of which nothing is verified.
- `roomver.known_states`: what the server of a room knows beside the events.
- `roomver.contributions`: what each source of a room adds, and where the sources differ.
- `roomver.gathering`: the usable events of an input.
- `roomver.kept`: their places and checks, by event ID.
- `roomver.undecided`: what undecided events wait for, and the events that were dropped.
- `roomver.room_check`: the checks of a room's events together.
- `roomver.room_result`: what one room comes to, as a few numbers.
- `roomver.redacted`: the redactions that name an event, and whether they apply.
- `roomver.recording`: a room as a recording, in the project's format.
- `roomver.anonymous`: a room without the people and servers in it.

In these modules, names that are in `__all__` are public. Every other module and every other name is
private and may change in any release.
"""

from .auth import check_against_state, check_auth, check_state_independent
from .canonical import encode_canonical
from .check import check_event, check_events
from .errors import (
    BadKey,
    CyclicGraph,
    MalformedEvent,
    MissingEvents,
    NotAState,
    NotCanonical,
    RoomverError,
    UnknownRoomVersion,
    UnknownState,
    WrongRoom,
)
from .event import Event, parse_event
from .hashing import compute_event_id
from .keys import KeyRing, SigningKey, VerifyKey
from .redaction import redact
from .replay import replay_room
from .resolution import RoomGraph, resolve, resolve_steps
from .room_check import check_room
from .rules import Verdict
from .selection import select_auth_types
from .signatures import verify_signatures
from .signing import sign_event, sign_json
from .state import PartialState
from .types import EventId, JsonObject, StateKey, StateMap
from .versions import RoomVersion, get_room_version

__version__ = "0.2.0"

__all__ = [
    "BadKey",
    "CyclicGraph",
    "Event",
    "EventId",
    "JsonObject",
    "KeyRing",
    "MalformedEvent",
    "MissingEvents",
    "NotAState",
    "NotCanonical",
    "PartialState",
    "RoomGraph",
    "RoomVersion",
    "RoomverError",
    "SigningKey",
    "StateKey",
    "StateMap",
    "UnknownRoomVersion",
    "UnknownState",
    "Verdict",
    "VerifyKey",
    "WrongRoom",
    "check_against_state",
    "check_auth",
    "check_event",
    "check_events",
    "check_room",
    "check_state_independent",
    "compute_event_id",
    "encode_canonical",
    "get_room_version",
    "parse_event",
    "redact",
    "replay_room",
    "resolve",
    "resolve_steps",
    "select_auth_types",
    "sign_event",
    "sign_json",
    "verify_signatures",
]
