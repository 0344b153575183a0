"""Disputes that were found when the cases were run against other implementations.

These were Synapse 1.163.2, ruma-state-res 0.18.0 and gomatrixserverlib of August 2025. A case that their
answers make disputed names one of these records as its ``disputed``. It keeps its name and goes into a file
of ``disputed/``. `Kind` explains when a case is observed and when it is unconfirmed.

There is one exception. Only Synapse confirms ``auth.v11.create.room_version.unknown``, but without this case
a rule of version 11 would have none.
"""

from .suite import ERROR, Dispute, Kind

_ID_COUNTS = "the server in the event ID created the event, although the sender's server need not sign (ruma)"
_ID_DOES_NOT = "the server in the event ID is also the sender's server, so the two do not differ (Synapse)"

OBSERVED_NOTHING_TO_SELECT = Dispute(
    Kind.OBSERVED,
    ERROR,
    "the selection uses the keys that are present",
    "the event is malformed, so there is nothing to select",
)
OBSERVED_CITES_ITSELF = Dispute(
    Kind.OBSERVED,
    {"allowed": True},
    "an event is not accepted before it is received, so this one cites an event that is not accepted",
    "the state that it cites contains its own join (Synapse, ruma, gomatrixserverlib)",
)
OBSERVED_ODD_ENTRY = Dispute(
    Kind.OBSERVED,
    {"allowed": False},
    "a signature matches a key, and an entry of another type is neither",
    "an entry of another type makes the whole content malformed (ruma, gomatrixserverlib)",
)
OBSERVED_TAKEN_ON_RECEIPT = Dispute(
    Kind.OBSERVED,
    {"valid": True},
    "the event format forbids it",
    "not checked on receipt (Synapse, ruma and gomatrixserverlib, or two of them)",
)
OBSERVED_ID_SERVER_MUST_SIGN = Dispute(Kind.OBSERVED, {"servers": []}, _ID_COUNTS, _ID_DOES_NOT)
OBSERVED_ID_SERVER_HAS_NOT_SIGNED = Dispute(Kind.OBSERVED, {"valid": True}, _ID_COUNTS, _ID_DOES_NOT)
OBSERVED_EXPIRY_IGNORED = Dispute(
    Kind.OBSERVED,
    None,
    "keys that are known to have expired before the event are ignored, in every room version",
    "versions 1 to 4 do not enforce the validity of keys, which includes their expiry (Synapse, ruma)",
)

_BY_SYNAPSE = "the specification as we read it; of three implementations, only Synapse agrees"
_BY_RUMA = "the specification as we read it; of three implementations, only ruma agrees"
_NO_FORM = "the value has no canonical JSON form"
_LET_BY = "the check on receipt accepts it"

UNCONFIRMED_RUMA_REJECTS = Dispute(
    Kind.UNCONFIRMED, ERROR, _BY_RUMA, "the event cannot be checked, so this is an error"
)
"""Only ruma answers (it rejects the event, or selects keys for it); the others report an error."""
UNCONFIRMED_ROOM_VERSION = Dispute(
    Kind.UNCONFIRMED,
    {"allowed": True},
    _BY_SYNAPSE,
    "the room version is decided before the auth rules are applied",
)
UNCONFIRMED_NOTIFICATIONS = Dispute(
    Kind.UNCONFIRMED,
    {"allowed": False},
    _BY_SYNAPSE,
    "in every version the levels in notifications are checked like other levels",
)
UNCONFIRMED_BAD_SIGNATURE = Dispute(
    Kind.UNCONFIRMED, {"allowed": False}, _BY_RUMA, "a malformed signature invalidates the whole block"
)
UNCONFIRMED_SYNAPSE_ENCODES = Dispute(Kind.UNCONFIRMED, ERROR, _BY_SYNAPSE, _NO_FORM)
UNCONFIRMED_SYNAPSE_HASHES = Dispute(
    Kind.UNCONFIRMED,
    ERROR,
    "the specification as we read it; of two implementations, only Synapse agrees",
    _NO_FORM,
)
UNCONFIRMED_GOMATRIXSERVERLIB_REFUSES = Dispute(
    Kind.UNCONFIRMED,
    {"valid": True},
    "the specification as we read it; of three implementations, only gomatrixserverlib agrees",
    _LET_BY,
)
UNCONFIRMED_SYNAPSE_REFUSES = Dispute(Kind.UNCONFIRMED, {"valid": True}, _BY_SYNAPSE, _LET_BY)
