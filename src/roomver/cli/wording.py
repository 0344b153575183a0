"""What the package finds, in words for people and as JSON for programs. Nothing is decided here."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ..canonical import shorten
from ..errors import SHOWN, listed
from ..findings import Action, Finding, FindingKind, Reason, Summary
from ..replay import Replay, Status
from ..resolution import Trace
from ..room_check import RoomCheck
from ..types import EventId, JsonObject, StateKey

FINDING_TEXT: Final[Mapping[FindingKind, str]] = MappingProxyType(
    {
        FindingKind.UNREADABLE: "cannot be read",
        FindingKind.MALFORMED: "has not the format of its room version",
        FindingKind.EVENT_ID: "is not the event that it is said to be",
        FindingKind.SIGNATURE: "lacks a valid signature of a server that must sign",
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
            "valid": summary.signed,
            "not_valid": summary.not_signed,
            "not_checked": summary.signatures_not_checked,
        },
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
