"""Cases that no other implementation answers as this project does, or that malformed input alone makes.

They were written as if there were one answer. Run against Synapse 1.163.2, ruma-state-res 0.18.0 and
gomatrixserverlib of August 2025, they have another one too, which an honest reading gives: so they are
disputed, under the names that they have.
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


def settled(files: Iterable[File]) -> Iterator[File]:
    """Yield files without the cases that were observed to be disputed, and then these in files of their
    own, one an operation."""
    disputed: dict[str, File] = {}
    for file in files:
        kept = []
        for case in file.cases:
            found = next(
                (one for one in OBSERVED if re.fullmatch(rf"{one.cases}(\.v\d+)?", case["name"])), None
            )
            if found is None or isinstance(case["expected"], list):
                kept.append(case)
                continue
            operation = case["operation"]
            if operation not in disputed:
                title = f"Answers of {operation} that no other implementation, or one alone, gives"
                disputed[operation] = EventsFile(f"disputed/observed_{operation}.json", title)
            expected = either((case["expected"], found.ours), (found.other, found.theirs))
            disputed[operation].cases.append({**case, "expected": expected})
        file.cases = kept
        yield file
    yield from disputed.values()
