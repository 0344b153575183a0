"""Disputes that were found when the cases were run against other implementations.

These are Synapse 1.163.2, ruma-state-res 0.18.0, gomatrixserverlib of August 2025, mautrix-go 0.32.0 and
rezzy 0.5.2. A case that their answers make disputed names one of these records as its ``disputed``. It keeps
its name and goes into a file of ``disputed/``. A case is disputed if at least two of the five offer it and
fewer than two confirm it. Each record says why the other outcome is as honest, and who gives it.

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

OBSERVED_VERSION_DECIDED_BEFORE = Dispute(
    Kind.OBSERVED,
    {"allowed": True},
    "the value is not a recognised version (Synapse)",
    "the room version is decided before these rules are applied (ruma, gomatrixserverlib, mautrix-go, rezzy)",
)
OBSERVED_NO_STATE_EVENT = Dispute(
    Kind.OBSERVED,
    ERROR,
    "the auth events selection never picks an event without a state key (ruma)",
    "an event without a state key has no place in a state, so this is an error (Synapse, gomatrixserverlib)",
)
OBSERVED_BAD_SIGNATURE = Dispute(
    Kind.OBSERVED,
    {"allowed": False},
    "a malformed signature is one that matches no key (ruma)",
    "a malformed signature invalidates the whole block (Synapse, gomatrixserverlib)",
)
OBSERVED_NO_CANONICAL_FORM = Dispute(
    Kind.OBSERVED,
    ERROR,
    "these versions do not forbid such numbers, and rooms have them (Synapse)",
    "such numbers have no canonical form in any version (ruma, mautrix-go)",
)

# What the event format forbids, and what two of Synapse, ruma and gomatrixserverlib let pass. Neither
# mautrix-go nor rezzy checks the event format.
_FORMAT = "the event format requires another value (Synapse)"
_PASSES = {"valid": True}
OBSERVED_ANY_CONTENT = Dispute(
    Kind.OBSERVED, _PASSES, _FORMAT, "null passes as the content (ruma, gomatrixserverlib)"
)
OBSERVED_HASHED_LATER = Dispute(
    Kind.OBSERVED,
    _PASSES,
    _FORMAT,
    "this is found when the content hash is checked, after the event format (ruma, gomatrixserverlib)",
)
OBSERVED_SIGNED_LATER = Dispute(
    Kind.OBSERVED,
    _PASSES,
    _FORMAT,
    "this is found when the signatures are checked, after the event format (ruma, gomatrixserverlib)",
)
OBSERVED_UNSIGNED_NOT_READ = Dispute(
    Kind.OBSERVED,
    _PASSES,
    _FORMAT,
    "a receiving server need not read what the sender put into `unsigned` (ruma, gomatrixserverlib)",
)
OBSERVED_HASH_NOT_READ = Dispute(
    Kind.OBSERVED,
    _PASSES,
    _FORMAT,
    "nobody reads the hash in a reference to an event (ruma, gomatrixserverlib)",
)
OBSERVED_RULE_DECIDES = Dispute(
    Kind.OBSERVED,
    _PASSES,
    "an event with a room ID is not in the event format of version 12 (Synapse)",
    "an authorisation rule rejects the event, after its format is checked (ruma, gomatrixserverlib)",
)
OBSERVED_ANY_ROOM_ID = Dispute(
    Kind.OBSERVED,
    _PASSES,
    "a room ID of these versions has a server name (gomatrixserverlib)",
    "a room ID is opaque; the rule on the create event rejects the room (Synapse, ruma)",
)
