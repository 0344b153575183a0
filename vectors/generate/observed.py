"""Cases that were written as if there were one answer, and turned out to be disputed.

Run against Synapse 1.163.2, ruma-state-res 0.18.0 and gomatrixserverlib of August 2025, they have another
one too: so they are disputed, under the names that they have. `OBSERVED` are those where an honest reading
gives it. `UNCONFIRMED` are those to which the specification has one answer, as far as we can read, which
fewer than two of the three confirm although two or all of them offer the operation: what the suite asks of
everybody rests on more than one reader. One is left where it was: ``auth.v11.create.room_version.unknown``,
without which a rule of version 11 would have no case, and which Synapse alone confirms.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .auth_cases import EventsFile
from .suite import ERROR, File, either


class Observed(NamedTuple):
    """What others answer, and why each answer can be held."""

    cases: str
    other: dict[str, Any]
    ours: str
    theirs: str


_MALFORMED = "the event is malformed, and there is nothing to select for"
_INVALID_BUT_TAKEN = "not looked at on receipt: Synapse, ruma and gomatrixserverlib, or two of them"
_ID_COUNTS = "the server of the event ID made the event, whoever need not sign as the sender's: ruma"
_ID_DOES_NOT = "it is the sender's server as well, so that it does not differ from that: Synapse"

OBSERVED = (
    Observed(
        r"auth_types\.v\d+\.(invite_third_party_(not_signed|signed_null|no_token|token_number)"
        r"|no_membership|no_state_key|join_authoriser_number)",
        ERROR,
        "the selection looks at what is there",
        _MALFORMED,
    ),
    Observed(
        r"auth\.v\d+\.auth_events\.itself",
        {"allowed": True},
        "an event was not accepted before it came, and so cites one that was not",
        "its own join is in the state that it cites: Synapse, ruma, gomatrixserverlib",
    ),
    Observed(
        r"event_format\.(hashes\.sha256_absent|event_id\.(hash|no_sigil)|room_id\.sigil_only)",
        {"valid": True},
        "the format of events asks for it",
        _INVALID_BUT_TAKEN,
    ),
    Observed(
        r"required_signers\.third_party_invite\.v[12]",
        {"servers": []},
        _ID_COUNTS,
        _ID_DOES_NOT,
    ),
    Observed(r"verify_signatures\.third_party\.v[12]", {"valid": True}, _ID_COUNTS, _ID_DOES_NOT),
)

_BY_SYNAPSE = "the specification's, as we read it; of three implementations Synapse alone gives it"
_BY_RUMA = "the specification's, as we read it; of three implementations ruma alone gives it"
_BY_GOMATRIXSERVERLIB = (
    "the specification's, as we read it; of three implementations gomatrixserverlib alone gives it"
)
_FAILS = "it cannot be judged, and is an error"
_NO_FORM = "there is no canonical JSON of it"
_LET_BY = "the check on receipt lets it by"

UNCONFIRMED = (
    Observed(
        r"auth\.v\d+\.auth_events\.not_selected\.(message|no_state_key)|auth_types\.v12\.invite_third_party_null"
        r"|auth\.v\d+\.power_levels\.values\.users_null",
        ERROR,
        _BY_RUMA,
        _FAILS,
    ),
    Observed(
        r"auth\.v\d+\.create\.room_version\.null|auth\.v11\.create\.room_version\.(number|empty)",
        {"allowed": True},
        _BY_SYNAPSE,
        "which room version it is, is decided before the rules are asked",
    ),
    Observed(
        r"auth\.v\d+\.power_levels\.values\.unchecked_notifications",
        {"allowed": False},
        _BY_SYNAPSE,
        "notifications are levels like others in every version",
    ),
    Observed(
        r"auth\.v\d+\.member\.invite\.third_party\.bad_signatures",
        {"allowed": False},
        _BY_RUMA,
        "a signature that is none spoils the block",
    ),
    Observed(r"(canonical_json\.fraction\.minus|event_id\.float)\.v[1-5]", ERROR, _BY_SYNAPSE, _NO_FORM),
    Observed(
        r"content_hash\.(float|big)",
        ERROR,
        "the specification's, as we read it; of two implementations Synapse alone gives it",
        _NO_FORM,
    ),
    Observed(
        r"event_format\.(sender\.(no_sigil|wrong_sigil)|room_id\.(no_server|no_sigil))",
        {"valid": True},
        _BY_GOMATRIXSERVERLIB,
        _LET_BY,
    ),
    Observed(
        r"event_format\.(content\.(absent|null)|origin_server_ts\.(absent|null)"
        r"|hashes\.(absent|null|array|string|sha256_number|sha256_null)"
        r"|signatures\.(null|array|of_server_string|of_server_null|of_key_number|of_key_null)"
        r"|unsigned\.(array|string)|prev_events\.(null_entry|hash_null)|auth_events\.hash_null"
        r"|create\.room_id_(domain|hash|null))",
        {"valid": True},
        _BY_SYNAPSE,
        _LET_BY,
    ),
)


_KINDS = (
    ("observed", OBSERVED, "that no other implementation, or one alone, gives"),
    ("unconfirmed", UNCONFIRMED, "that fewer than two of those who offer it confirm"),
)


def _listed(name: str) -> tuple[str, Observed, str] | None:
    """What is known of a case, with the kind of dispute and its title."""
    for kind, disputes, title in _KINDS:
        for one in disputes:
            if re.fullmatch(rf"({one.cases})(\.v\d+)?", name):
                return kind, one, title
    return None


def settled(files: Iterable[File]) -> Iterator[File]:
    """Yield files without the cases that turned out to be disputed, and then these in files of their own,
    for each kind one an operation."""
    disputed: dict[str, File] = {}
    for file in files:
        kept = []
        for case in file.cases:
            found = _listed(case["name"])
            if found is None or isinstance(case["expected"], list):
                kept.append(case)
                continue
            kind, one, title = found
            # What is hashed holds numbers that not every parser reads: files of them end so.
            odd = "_numbers" if case["operation"] in ("content_hash", "event_id") else ""
            name = f"disputed/{kind}_{case['operation']}{odd}.json"
            if name not in disputed:
                disputed[name] = EventsFile(name, f"Answers of {case['operation']} {title}")
            expected = either((case["expected"], one.ours), (one.other, one.theirs))
            disputed[name].cases.append({**case, "expected": expected})
        file.cases = kept
        yield file
    yield from disputed.values()
