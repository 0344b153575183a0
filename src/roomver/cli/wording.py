"""What the package knows and finds, as plain data and as text.

The feature table of the room versions stands here, each cell made from a version's record alone, and the
words for what `check` finds. Nothing is decided here.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from ..canonical import shorten
from ..errors import SHOWN, listed
from ..findings import Action, Finding, FindingKind, Reason, Summary
from ..keys import KeyRing
from ..replay import Replay, Status
from ..resolution import Trace
from ..room_check import RoomCheck
from ..signature_results import SigningStatus
from ..types import EventId, JsonObject, StateKey
from ..versions import ROOM_VERSIONS, EventIdForm, RoomIdForm, RoomVersion, StateResolution

YES: Final = "●"
NO: Final = "-"


class Feature(NamedTuple):
    """One row of the feature table."""

    label: str
    cell: Callable[[RoomVersion], str]
    """The text of the cell for a room version."""


def _mark(holds: bool) -> str:
    return YES if holds else NO


def _event_id_form(v: RoomVersion) -> str:
    match v.event_id_form:
        case EventIdForm.CHOSEN:
            return "C"
        case EventIdForm.HASH:
            return "S"
        case EventIdForm.URLSAFE_HASH:
            return "U"


def _first_phase(v: RoomVersion) -> str:
    match v.state_resolution:
        case StateResolution.V1:
            return NO
        case StateResolution.V2:
            return "U"
        case StateResolution.V2_1:
            return "∅"


def _keeps(event_type: str, key: str) -> Callable[[RoomVersion], str]:
    return lambda v: _mark(key in v.redaction_keeps_content.get(event_type, ()))


def _keeps_create(v: RoomVersion) -> str:
    return "all" if "m.room.create" in v.redaction_keeps_all_content else "C"


_LEGACY_KEYS = frozenset({"origin", "membership", "prev_state"})

FEATURES: Final[tuple[Feature, ...]] = (
    Feature("State resolution algorithm", lambda v: v.state_resolution.value),
    Feature("Event ID: C chosen by the sender, S hash in base64, U in URL-safe base64", _event_id_form),
    Feature("Events carry event_id", lambda v: _mark(v.event_id_form is EventIdForm.CHOSEN)),
    Feature(
        "auth_events, prev_events: P pairs of ID and hashes, I IDs", lambda v: "IP"[v.references_carry_hashes]
    ),
    Feature(
        "Room ID: D with a server name, H hash of the create event",
        lambda v: "D" if v.room_id_form is RoomIdForm.DOMAIN else "H",
    ),
    Feature(
        "Create event carries room_id (- must not)", lambda v: _mark(v.room_id_form is RoomIdForm.DOMAIN)
    ),
    Feature("All other events carry room_id", lambda _: YES),
    Feature("Server in the event ID must sign", lambda v: _mark(v.event_id_server_signs)),
    Feature(
        "Server of join_authorised_via_users_server must sign", lambda v: _mark(v.authorising_server_signs)
    ),
    Feature("Signing keys must be valid at origin_server_ts", lambda v: _mark(v.key_validity_enforced)),
    Feature(
        "Canonical JSON is strict: no floats, integers within ±(2^53 - 1)",
        lambda v: _mark(v.strict_canonical_json),
    ),
    Feature("Greatest depth is 2^n - 1, with n", lambda v: str(v.max_depth.bit_length())),
    Feature("Power levels may be floats, cut to integers", lambda v: _mark(v.float_power_levels)),
    Feature("Power levels may be decimal strings", lambda v: _mark(v.string_power_levels)),
    Feature("Power level event: all levels must be integers", lambda v: _mark(v.power_level_types_checked)),
    Feature("Power level change: notifications guarded too", lambda v: _mark(v.notification_levels_checked)),
    Feature("m.room.aliases has an authorisation rule", lambda v: _mark(v.aliases_rule)),
    Feature("Redactions judged by the authorisation rules", lambda v: _mark(v.redaction_rule)),
    Feature("Redactions judged when they are applied", lambda v: _mark(not v.redaction_rule)),
    Feature("redacts stands: T at the top, C in content", lambda v: "TC"[v.redacts_in_content]),
    Feature("Membership and join rule knock", lambda v: _mark(v.knock)),
    Feature("Join rule restricted", lambda v: _mark(v.restricted_joins)),
    Feature("Join rule knock_restricted", lambda v: _mark(v.knock_restricted)),
    Feature("Create event must have content.creator", lambda v: _mark(v.creator_in_content)),
    Feature("The creator: C content.creator, S sender", lambda v: "SC"[v.creator_in_content]),
    Feature(
        "Create event's room_id must be of the sender's server",
        lambda v: _mark(v.room_id_form is RoomIdForm.DOMAIN),
    ),
    Feature("auth_events must cite the create event (- must not)", lambda v: _mark(v.create_in_auth_events)),
    Feature(
        "room_id must name an accepted create event",
        lambda v: _mark(v.room_id_form is RoomIdForm.CREATE_HASH),
    ),
    Feature("additional_creators honoured", lambda v: _mark(v.additional_creators)),
    Feature(
        "Creators' power level (100: until a power level event says otherwise)",
        lambda v: "∞" if v.infinite_creator_level else "100",
    ),
    Feature("Power level event must not list creators", lambda v: _mark(v.infinite_creator_level)),
    Feature("Auth events must be of the same room", lambda _: YES),
    Feature(
        "Redaction keeps top-level origin, membership, prev_state",
        lambda v: _mark(v.redaction_keeps >= _LEGACY_KEYS),
    ),
    Feature("Redaction keeps of m.room.create: C only creator, or all", _keeps_create),
    Feature("Redaction keeps m.room.aliases aliases", _keeps("m.room.aliases", "aliases")),
    Feature("Redaction keeps m.room.join_rules allow", _keeps("m.room.join_rules", "allow")),
    Feature(
        "Redaction keeps m.room.member join_authorised_via_users_server",
        _keeps("m.room.member", "join_authorised_via_users_server"),
    ),
    Feature(
        "Redaction keeps m.room.member third_party_invite.signed",
        lambda v: _mark(v.redaction_keeps_signed_invite),
    ),
    Feature("Redaction keeps m.room.power_levels invite", _keeps("m.room.power_levels", "invite")),
    Feature("Redaction keeps m.room.redaction redacts", _keeps("m.room.redaction", "redacts")),
    Feature(
        "State resolution: a key that only some states have is a conflict",
        lambda v: _mark(v.state_resolution is not StateResolution.V1),
    ),
    Feature(
        "State resolution: first auth checks start from U unconflicted state, ∅ nothing",
        _first_phase,
    ),
    Feature(
        "State resolution: conflicted subgraph joins the full conflicted set",
        lambda v: _mark(v.state_resolution is StateResolution.V2_1),
    ),
)
"""Every feature in which room versions differ, and three in which one might think so."""


def feature_rows() -> list[tuple[str, tuple[str, ...]]]:
    """Return the feature table: label, and a cell for each room version, oldest first."""
    versions = tuple(ROOM_VERSIONS.values())
    return [(feature.label, tuple(map(feature.cell, versions))) for feature in FEATURES]


def feature_markdown() -> str:
    """Return the feature table in Markdown."""
    head = ["Feature", *ROOM_VERSIONS]
    lines = [f"| {' | '.join(head)} |", f"|---|{':-:|' * len(ROOM_VERSIONS)}"]
    lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in feature_rows()]
    return "\n".join(lines)


FINDING_TEXT: Final[Mapping[FindingKind, str]] = MappingProxyType(
    {
        FindingKind.UNREADABLE: "cannot be read",
        FindingKind.MALFORMED: "has not the format of its room version",
        FindingKind.EVENT_ID: "is not the event that it is said to be",
        FindingKind.SIGNATURE: "lacks a valid signature of a server that must sign",
        FindingKind.SIGNATURE_MISSING: "is not signed by a server that must sign",
        FindingKind.SIGNATURE_UNCHECKED: "has a signature that cannot be checked without further keys",
        FindingKind.CONTENT_HASH: "carries content that its content hash does not cover",
        FindingKind.NO_CONTENT_HASH: "carries no readable content hash",
        FindingKind.OTHER_ROOM: "is of another room than the rest",
        FindingKind.CYCLE: "cites itself, or events that cite it in turn",
        FindingKind.AUTH_EVENT_MISSING: "rests on auth events that are not here",
        FindingKind.AUTH_EVENT_REJECTED: "cites an event that was rejected",
        FindingKind.REJECTED: "is refused by the rules, by its own auth events",
        FindingKind.REJECTED_BY_STATE: "is refused by the rules, by the state before it",
        FindingKind.SOFT_FAILED: "is refused by the rules, by the current state of the room",
        FindingKind.SERVER_DIFFERS: "is judged otherwise by the server that recorded it",
    }
)
"""What was found, to stand after "the event"."""

ACTION_TEXT: Final[Mapping[Action, str]] = MappingProxyType(
    {
        Action.DROP: "drop the event",
        Action.REDACT: "use the redacted form of the event",
        Action.FETCH: "fetch the events that are missing",
        Action.FETCH_KEY: "fetch the keys and check the signatures",
        Action.REJECT: "reject the event",
        Action.SOFT_FAIL: "soft-fail the event: neither relay it nor build on it",
        Action.LOOK: "do nothing: find out which of the two is wrong",
    }
)
"""What a server must do, to stand after "a server must"."""


_LONGEST = 1000  # longer than any identifier and any sentence made here


def printable(text: object) -> str:
    """Return a text as one line that is safe on a terminal.

    Texts in events come from other people's servers: control characters, line ends and marks that
    change the direction of writing are escaped.

    >>> printable("m.room.\\x1b[2Jmessage")
    'm.room.\\\\u001b[2Jmessage'
    """
    if type(text) is not str:
        return shorten(text)
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def reason_data(reason: Reason) -> JsonObject:
    """Return a reason as a JSON object."""
    return {"path": reason.path, "text": reason.text}


def findings_data(
    event_id: EventId | None, findings: tuple[Finding, ...], notes: tuple[Reason, ...] = ()
) -> JsonObject:
    """Return what was found of one event as a JSON object."""
    return {
        "event_id": event_id,
        "findings": [
            {
                "kind": finding.kind.value,
                "action": finding.kind.action.value,
                "reasons": [reason_data(reason) for reason in finding.reasons],
            }
            for finding in findings
        ],
        "notes": [reason_data(note) for note in notes],
    }


def summary_data(summary: Summary) -> JsonObject:
    """Return a summary as a JSON object."""
    return {
        "events": summary.events,
        "intact": summary.intact,
        "redacted": summary.redacted,
        "rejected": summary.rejected,
        "bad": summary.bad,
        "signatures": {
            **{status.value.replace(" ", "_"): summary.signatures[status] for status in SigningStatus},
            "not_checked": summary.signatures_not_checked,
        },
        "keys_to_fetch": [
            {"server": server, "key_id": key_id, "events": events}
            for server, key_id, events in summary.keys_to_fetch
        ],
        "noted": summary.notes,
        "kinds": {kind.value: summary.kinds[kind] for kind in FindingKind if summary.kinds[kind]},
    }


def room_data(result: RoomCheck) -> JsonObject:
    """Return what came of checking the events of a room together as a JSON object."""
    replayed = result.replay
    return {
        "state_size": None if replayed.current_state is None else len(replayed.current_state),
        "forward_extremities": list(replayed.forward_extremities),
        "merges": len(replayed.merges),
        "gaps": {event_id: list(missing) for event_id, missing in replayed.gaps.items()},
        "missing": {event_id: list(citing) for event_id, citing in replayed.missing.items()},
        "outliers": [*sorted(replayed.outliers)],
        "state_lacks": list(replayed.lacking(None)),
        "undecided_lack": list(replayed.lacking(*_undecided(result))),
        "soft_failed_there": [*sorted(result.soft_failed_there)],
        "resets": [
            {
                "merge": reset.merge,
                "type": reset.key[0],
                "state_key": reset.key[1],
                "lost": reset.lost,
                "restored": reset.restored,
                "kept_by_v2_1": reset.kept_by_v2_1,
            }
            for reset in result.resets
        ],
        "state_differs": [
            {"type": key[0], "state_key": key[1], "ours": ours, "theirs": theirs}
            for key, (ours, theirs) in result.state_differs.items()
        ],
        "state_not_compared": result.not_compared,
        "repeated": result.gathered.repeated,
    }


def signature_lines(summary: Summary, keys: KeyRing | None) -> list[str]:
    """Return what was not checked of the signatures, and why, as lines of text.

    Args:
        summary: counts over the events.
        keys: the keys they were checked with; None if signatures were not looked at.
    """
    if keys is None:
        return ["signatures were not looked at, as --unsigned asks"]
    unchecked = summary.signatures[SigningStatus.KEY_UNKNOWN]
    if not unchecked:
        return []
    said = f"the signatures of {_counted(unchecked, 'event', 'events')} could not be checked"
    if not any(keys.keys.values()):
        return [f"{said}: no keys are given (--keys)"]
    wanted = summary.keys_to_fetch
    lines = [f"{said}: these keys are unknown, or not known to be valid at that time"]
    lines += [
        f"  {server} {key_id}, needed for {_counted(events, 'event', 'events')}"
        for server, key_id, events in wanted[:SHOWN]
    ]
    if len(wanted) > SHOWN:
        lines.append(f"  and {len(wanted) - SHOWN:,} more: --json has them all")
    return [printable(line) for line in lines]


def _undecided(result: RoomCheck) -> list[EventId]:
    return [e for e, outcome in result.replay.outcomes.items() if outcome.status is Status.UNDECIDED]


def room_lines(result: RoomCheck) -> list[str]:
    """Return what came of checking the events of a room together, beyond its events, as lines of text."""
    replayed = result.replay
    avoidable = [reset for reset in result.resets if reset.kept_by_v2_1]
    ends = _counted(len(replayed.forward_extremities), "forward extremity", "forward extremities")
    if replayed.current_state is None:
        said = f"current state not known; {ends}"
    else:
        said = f"state of {_counted(len(replayed.current_state), 'entry', 'entries')}"
        said += ", as given" if replayed.current_is_given else f" over {ends}"
    if replayed.merges:
        said += f"; {_counted(len(replayed.merges), 'merge', 'merges')} of states that differed"
    if result.resets:
        said += (
            f"; {_counted(len(result.resets), 'change', 'changes')} undone in these, {len(avoidable)} of"
            " which the algorithm of room version 12 would have kept"
        )
    lines = [said, *_lacking_lines(result)]
    for reset in avoidable:
        where = "at the end" if reset.merge is None else f"before {reset.merge}"
        lines.append(
            f"state reset {where}: {_key(reset.key)} went back from {reset.lost} to"
            f" {reset.restored or 'nothing'}"
        )
    gone = []
    differing = []
    for key, (ours, theirs) in result.state_differs.items():
        if theirs and theirs not in replayed.events:
            gone.append(theirs)
            if ours is None:
                continue
        both = f"{ours or 'absent'} here, {theirs or 'absent'} there"
        differing.append(f"the recording server's state differs: {_key(key)} is {both}")
    if gone:
        events = _counted(len(gone), "event", "events")
        lines.append(f"the recording server's state has {events} that are not here: {listed(gone)}")
    lines += differing
    if result.not_compared:
        lines.append("the recording server's state cannot be compared")
    if result.soft_failed_there and not result.state_agrees:
        lines.append(
            "accepted in the order of the file, soft-failed by the recording server, to which they may have"
            f" come later: {listed(sorted(result.soft_failed_there))}"
        )
    return [printable(line) for line in lines]


def _lacking_lines(result: RoomCheck) -> list[str]:
    """Say what is missing, once, with what follows from it."""
    replayed = result.replay
    undecided = _undecided(result)
    lines = []
    if undecided:
        lacks = missing_lines(replayed, replayed.lacking(*undecided))
        lines += [f"{_counted(len(undecided), 'event', 'events')} undecided for lack of", *lacks]
    beyond = replayed.gaps.keys() - replayed.outliers - set(undecided)
    if beyond:
        gaps = _counted(len(beyond), "event", "events")
        lacks = missing_lines(replayed, replayed.lacking(*beyond))
        lines += [
            f"state not known before {gaps} (judged by their auth events alone), for lack of",
            *lacks,
        ]
    if outliers := replayed.gaps.keys() & replayed.outliers:
        of = _counted(len(outliers), "event", "events")
        lines.append(f"{of} of the given state and of its auth chain, judged by their auth events alone")
    return lines


def missing_lines(replayed: Replay, lacks: list[EventId]) -> list[str]:
    """Return what `Replay.lacking` gives as lines of text, with who cites it; not more than a few."""
    lines = []
    for event_id in lacks[:SHOWN]:
        citing = replayed.missing.get(event_id)
        if citing is None:
            lines.append(f"  {event_id}, which lies on a cycle")
        else:
            more = f" and {len(citing) - 1:,} more" if len(citing) > 1 else ""
            lines.append(f"  {event_id}, cited by {citing[0]}{more}")
    if len(lacks) > SHOWN:
        lines.append(f"  and {len(lacks) - SHOWN:,} more: --json has them all")
    return lines


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _key(key: StateKey) -> str:
    return f"{key[0]} {shorten(key[1])}"


def trace_lines(steps: Trace) -> list[str]:
    """Return the steps of a resolution as lines of text."""
    sections: list[tuple[str, Iterable[EventId]]] = [
        ("conflicted state set", (event_id for by_id in steps.conflicted.values() for event_id in by_id)),
        ("auth difference", sorted(steps.auth_difference)),
        ("conflicted state subgraph", sorted(steps.conflicted_subgraph)),
        ("power events, in order", steps.power_order),
        ("mainline, newest first", steps.mainline),
        ("remaining events, in order", steps.mainline_order),
    ]
    lines = [f"algorithm {steps.algorithm.value}"]
    for title, event_ids in sections:
        listed = [f"  {event_id}" for event_id in event_ids]
        lines += ["", f"{title} ({len(listed)})", *listed]
    lines += ["", f"checks, in order ({len(steps.checks)})"]
    for check in steps.checks:
        word = "allowed" if check.accepted else "REFUSED"
        # A verdict that refuses is false, so None is what is asked for.
        said = "not asked" if check.verdict is None else str(check.verdict)
        lines.append(f"  {check.phase}: {check.event_id} {word} - {said}")
    return lines
