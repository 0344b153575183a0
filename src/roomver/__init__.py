"""The rules of a Matrix room, for room versions 1 to 12, each answer with its reason.

Pure functions over JSON values: canonical JSON, event format, event IDs, hashes, signatures,
redaction, authorisation rules, state resolution, and the replay of whole rooms. Nothing here reads a
file, asks the time or opens a connection.
"""

from .auth import (
    RedactionDecision,
    check_against_state,
    check_auth,
    check_state_independent,
    redaction_applies,
)
from .canonical import encode_canonical, parse_json
from .errors import (
    BadKey,
    CyclicGraph,
    Defect,
    MalformedEvent,
    MissingEvents,
    NotCanonical,
    RoomverError,
    UnknownRoomVersion,
    WrongRoom,
)
from .event import Event, parse_event
from .hashing import HashCheck, check_hashes, compute_content_hash, compute_event_id, compute_reference_hash
from .keys import KeyTable, VerifyKey, read_key_table
from .redaction import redact
from .replay import Merge, Outcome, Replay, Reset, Status, replay_room
from .resolution import (
    NotTraced,
    Resolution,
    RoomGraph,
    RoomState,
    Trace,
    Why,
    resolve,
    resolve_steps,
    split_states,
)
from .rules import RULES, Decision, Rule, Verdict, list_rules
from .selection import select_auth_types
from .signing import (
    ServerResult,
    SignatureReport,
    SignatureResult,
    SignatureStatus,
    list_required_signers,
    read_server_keys,
    sign_event,
    sign_json,
    signing_key,
    verify_json,
    verify_signatures,
)
from .versions import ROOM_VERSIONS, RoomVersion, StateResolution, get_room_version

__version__ = "0.1.0"

__all__ = [
    "ROOM_VERSIONS",
    "RULES",
    "BadKey",
    "CyclicGraph",
    "Decision",
    "Defect",
    "Event",
    "HashCheck",
    "KeyTable",
    "MalformedEvent",
    "Merge",
    "MissingEvents",
    "NotCanonical",
    "NotTraced",
    "Outcome",
    "RedactionDecision",
    "Replay",
    "Reset",
    "Resolution",
    "RoomGraph",
    "RoomState",
    "RoomVersion",
    "RoomverError",
    "Rule",
    "ServerResult",
    "SignatureReport",
    "SignatureResult",
    "SignatureStatus",
    "StateResolution",
    "Status",
    "Trace",
    "UnknownRoomVersion",
    "Verdict",
    "VerifyKey",
    "Why",
    "WrongRoom",
    "check_against_state",
    "check_auth",
    "check_hashes",
    "check_state_independent",
    "compute_content_hash",
    "compute_event_id",
    "compute_reference_hash",
    "encode_canonical",
    "get_room_version",
    "list_required_signers",
    "list_rules",
    "parse_event",
    "parse_json",
    "read_key_table",
    "read_server_keys",
    "redact",
    "redaction_applies",
    "replay_room",
    "resolve",
    "resolve_steps",
    "select_auth_types",
    "sign_event",
    "sign_json",
    "signing_key",
    "split_states",
    "verify_json",
    "verify_signatures",
]
