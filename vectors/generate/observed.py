"""Disputes that were found when the cases were run against other implementations.

These were Synapse 1.163.2, ruma-state-res 0.18.0 and gomatrixserverlib of August 2025. A case that their
answers make disputed names one of these records as its ``disputed``. It keeps its name and goes into a file
of ``disputed/``. `Kind` explains when a case is observed and when it is unconfirmed.

There is one exception. Only Synapse confirms ``auth.v11.create.room_version.unknown``, but without this case
a rule of version 11 would have none.
"""

from .suite import ERROR, Dispute, Kind

_ID_COUNTS = "the server of the event ID made the event, whoever need not sign as the sender's: ruma"
_ID_DOES_NOT = "it is the sender's server as well, so that it does not differ from that: Synapse"

OBSERVED_NOTHING_TO_SELECT = Dispute(
    Kind.OBSERVED,
    ERROR,
    "the selection looks at what is there",
    "the event is malformed, and there is nothing to select for",
)
OBSERVED_CITES_ITSELF = Dispute(
    Kind.OBSERVED,
    {"allowed": True},
    "an event was not accepted before it came, and so cites one that was not",
    "its own join is in the state that it cites: Synapse, ruma, gomatrixserverlib",
)
OBSERVED_ODD_ENTRY = Dispute(
    Kind.OBSERVED,
    {"allowed": False},
    "a signature matches a key, and an entry of another type is neither",
    "an entry of another type makes the whole malformed: ruma, gomatrixserverlib",
)
OBSERVED_TAKEN_ON_RECEIPT = Dispute(
    Kind.OBSERVED,
    {"valid": True},
    "the format of events asks for it",
    "not looked at on receipt: Synapse, ruma and gomatrixserverlib, or two of them",
)
OBSERVED_ID_SERVER_MUST_SIGN = Dispute(Kind.OBSERVED, {"servers": []}, _ID_COUNTS, _ID_DOES_NOT)
OBSERVED_ID_SERVER_HAS_NOT_SIGNED = Dispute(Kind.OBSERVED, {"valid": True}, _ID_COUNTS, _ID_DOES_NOT)

_BY_SYNAPSE = "the specification's, as we read it; of three implementations Synapse alone gives it"
_BY_RUMA = "the specification's, as we read it; of three implementations ruma alone gives it"
_NO_FORM = "there is no canonical JSON of it"
_LET_BY = "the check on receipt lets it by"

UNCONFIRMED_RUMA_REJECTS = Dispute(Kind.UNCONFIRMED, ERROR, _BY_RUMA, "it cannot be judged, and is an error")
"""Only ruma answers (it rejects the event, or selects keys for it); the others report an error."""
UNCONFIRMED_ROOM_VERSION = Dispute(
    Kind.UNCONFIRMED,
    {"allowed": True},
    _BY_SYNAPSE,
    "which room version it is, is decided before the rules are asked",
)
UNCONFIRMED_NOTIFICATIONS = Dispute(
    Kind.UNCONFIRMED,
    {"allowed": False},
    _BY_SYNAPSE,
    "notifications are levels like others in every version",
)
UNCONFIRMED_BAD_SIGNATURE = Dispute(
    Kind.UNCONFIRMED, {"allowed": False}, _BY_RUMA, "a signature that is none spoils the block"
)
UNCONFIRMED_SYNAPSE_ENCODES = Dispute(Kind.UNCONFIRMED, ERROR, _BY_SYNAPSE, _NO_FORM)
UNCONFIRMED_SYNAPSE_HASHES = Dispute(
    Kind.UNCONFIRMED,
    ERROR,
    "the specification's, as we read it; of two implementations Synapse alone gives it",
    _NO_FORM,
)
UNCONFIRMED_GOMATRIXSERVERLIB_REFUSES = Dispute(
    Kind.UNCONFIRMED,
    {"valid": True},
    "the specification's, as we read it; of three implementations gomatrixserverlib alone gives it",
    _LET_BY,
)
UNCONFIRMED_SYNAPSE_REFUSES = Dispute(Kind.UNCONFIRMED, {"valid": True}, _BY_SYNAPSE, _LET_BY)
