"""What the package finds, in words for people and as JSON for programs. Nothing is decided here."""

from collections.abc import Mapping
from shlex import quote
from types import MappingProxyType
from typing import Final, cast

from ..canonical import shorten
from ..errors import SHOWN, listed
from ..findings import Action, Finding, FindingKind, Reason, Summary
from ..keys import KeyRing
from ..replay import Replay, Reset, Status
from ..room_check import RoomCheck
from ..signature_results import SigningStatus
from ..state import entries_of, unknown_of
from ..types import EventId, JsonObject, JsonValue, StateKey, StateMap
from .escaped import printable
from .unknown_checks import bound_lines, counted, unknown_checks_data

FINDING_TEXT: Final[Mapping[FindingKind, str]] = MappingProxyType(
    {
        FindingKind.UNREADABLE: "cannot be read",
        FindingKind.MALFORMED: "is not in the event format of its room version",
        FindingKind.EVENT_ID: "does not have the event ID that the input gives",
        FindingKind.SIGNATURE: "lacks a valid required signature",
        FindingKind.SIGNATURE_MISSING: "lacks a required signature",
        FindingKind.SIGNATURE_UNCHECKED: "has a required signature that cannot be checked",
        FindingKind.CONTENT_HASH: "does not match its content hash",
        FindingKind.NO_CONTENT_HASH: "has no readable content hash",
        FindingKind.OTHER_ROOM: "is not from the same room as the others",
        FindingKind.CYCLE: "cites itself, directly or through others",
        FindingKind.AUTH_EVENT_MISSING: "is undecided: auth events are missing or undecided",
        FindingKind.STATE_UNKNOWN: "is undecided: its auth events allow it; the state before it is unknown",
        FindingKind.AUTH_EVENT_REJECTED: "cites an auth event that was rejected",
        FindingKind.REJECTED: "fails the auth rules against its own auth events",
        FindingKind.REJECTED_BY_STATE: "fails the auth rules against the state before it",
        FindingKind.SOFT_FAILED: "fails the auth rules against the current state",
        FindingKind.POLICY_SERVER: "is not validly signed by the room's policy server",
        FindingKind.SERVER_DIFFERS: "was decided differently by the recording server",
    }
)
"""What was found, as it follows the words "the event"."""

ACTION_TEXT: Final[Mapping[Action, str]] = MappingProxyType(
    {
        Action.DROP: "drop the event",
        Action.REDACT: "use the redacted form of the event",
        Action.FETCH: "fetch the missing events",
        Action.FETCH_KEY: "fetch the missing keys",
        Action.REJECT: "reject the event",
        Action.SOFT_FAIL: "soft-fail the event",
        Action.LOOK: "do nothing; a person must look at it",
    }
)
"""What a server must do, as it follows the words "a server must"."""


def reason_data(reason: Reason) -> JsonObject:
    """Return a reason as a JSON object."""
    return {"path": reason.path, "text": reason.text}


def findings_data(
    event_id: EventId | None, findings: tuple[Finding, ...], notes: tuple[Reason, ...] = ()
) -> JsonObject:
    """Return the findings about one event as a JSON object."""
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
        "undecided": summary.undecided,
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
    """Return the result of checking the events of a room together as a JSON object."""
    replayed = result.replay
    return {
        "state_size": None if replayed.current_state is None else len(entries_of(replayed.current_state)),
        "state_unknown": _unknown_data(replayed.current_state),
        "forward_extremities": list(replayed.forward_extremities),
        "extremities_known": replayed.extremities_known,
        "too_many_states": replayed.too_many_states,
        "soft_failure_unchecked": dict(replayed.unchecked),
        "current_unknown": unknown_checks_data(replayed),
        "resets_unsought": list(replayed.unsought),
        "merges": len(replayed.merges),
        "gaps": {event_id: list(missing) for event_id, missing in replayed.gaps.items()},
        "missing": {event_id: list(citing) for event_id, citing in replayed.missing.items()},
        "outliers": [*sorted(replayed.outliers)],
        "state_lacks": list(replayed.lacking(None)),
        "undecided_lack": list(replayed.lacking(*_undecided(result))),
        "agreed": [findings_data(event_id, (finding,)) for event_id, finding in result.agreed.items()],
        "follow": [*sorted(result.follow)],
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
        "state_compared_in_part": result.compared_in_part,
        "extremities_differ": None
        if result.extremities_differ is None
        else dict(zip(("ours", "theirs"), map(list, result.extremities_differ), strict=True)),
        "apart": [*sorted(result.gathered.apart)],
        "unknown_states": dict(result.gathered.unknown_states),
        "repeated": result.gathered.repeated,
    }


def _unknown_data(state: StateMap[EventId] | None) -> JsonValue:
    """Return what is unknown in a state that is known in part, as JSON; None if the state is unknown."""
    return None if state is None else [cast(JsonValue, one.to_dict()) for one in unknown_of(state)]


def signature_lines(summary: Summary, keys: KeyRing | None, most: int | None = SHOWN) -> list[str]:
    """Return which signatures were not checked, and why, as lines of text.

    Args:
        summary: counts over the events.
        keys: the keys that signatures were checked with; None if they were not checked.
        most: how many keys are named at most; None for all.
    """
    if keys is None:
        return ["signatures were not checked (--unsigned)"]
    unchecked = summary.signatures[SigningStatus.KEY_UNKNOWN]
    if not unchecked:
        return []
    said = f"the signatures of {counted(unchecked, 'event', 'events')} could not be checked"
    if not any(keys.keys.values()):
        return [f"{said}: no keys are given (--keys)"]
    wanted = summary.keys_to_fetch
    lines = [f"{said}; these keys are unknown, or not known to be valid at the time of the event:"]
    lines += [
        f"  {server} {key_id}, needed for {counted(events, 'event', 'events')}"
        for server, key_id, events in wanted[:most]
    ]
    if len(wanted) > len(lines) - 1:
        lines.append(f"  and {len(wanted) - len(lines) + 1:,} more: `roomver check --all` lists them")
    return [printable(line) for line in lines]


def _undecided(result: RoomCheck) -> list[EventId]:
    return [e for e, outcome in result.replay.outcomes.items() if outcome.own is Status.UNDECIDED]


def room_lines(result: RoomCheck, source: str, most: int | None) -> list[str]:
    """Return the result of checking the events of a room together, as lines of text.

    Args:
        result: the result.
        source: the arguments that name the room, quoted, for the commands that explain more.
        most: list at most this many state resets and differences; None for all.
    """
    replayed = result.replay
    ends = counted(len(replayed.forward_extremities), "forward extremity", "forward extremities")
    if replayed.too_many_states:
        lines = [f"current state not resolved: too many states, after {ends}"]
    elif replayed.current_state is None:
        lines = [f"current state unknown; {ends}"]
    else:
        size = counted(len(entries_of(replayed.current_state)), "entry", "entries")
        unknown = unknown_of(replayed.current_state)
        lines = [f"current state: {size}"]
        if not replayed.current_is_given:
            lines[0] += f", resolved from {ends}"
        elif not unknown:
            lines[0] += ", as given"
        if unknown:
            lines[0] += f", known in part: {'; '.join(dict.fromkeys(one.reason for one in unknown))}"
            lines += [f"  unknown: {one}" for one in unknown]
    lines += _lacking_lines(result, most)
    if replayed.merges:
        merges = counted(len(replayed.merges), "merge", "merges")
        undid = "undid no change"
        if result.resets:
            changes = counted(len(result.resets), "change", "changes")
            undid = f"undid {changes}; {_of_version_12(result)}"
        lines.append(f"{merges} of differing states: state resolution {undid}")
    lines += _reset_lines(result, source, most) + bound_lines(replayed)
    gone = []
    differing = []
    for key, (ours, theirs) in result.state_differs.items():
        if theirs and theirs not in replayed.events:
            gone.append(theirs)
            if ours is None:
                continue
        differing.append(
            f"the recording server's state differs in {_key(key)}: {ours or 'absent'} here,"
            f" {theirs or 'absent'} there"
        )
    if gone:
        lines.append(f"missing events of the recording server's state: {_all_listed(gone, most)}")
    lines += _capped(differing, most)
    if result.follow:
        events = counted(len(result.follow), "event", "events")
        lines.append(
            f"{events} rejected only for citing an event that the recording server accepted: --as-recorded"
            " follows that server"
        )
    if result.not_compared:
        lines.append("the recording server's state cannot be compared: the state here is unknown")
    if result.compared_in_part:
        lines.append("the recording server's state is compared as far as the state here is known")
    if result.extremities_differ is not None:
        for where, event_ids in zip(
            ("here", "on the recording server"), result.extremities_differ, strict=True
        ):
            if event_ids:
                lines.append(f"forward extremities only {where}: {_all_listed(list(event_ids), most)}")
    if result.soft_failed_there and not (result.state_agrees and result.extremities_differ is None):
        lines.append(
            "accepted in the order of the file, soft-failed by the recording server, which may have received"
            f" them later: {_all_listed(sorted(result.soft_failed_there), most)}"
        )
    return [printable(line) for line in lines]


def _of_version_12(result: RoomCheck) -> str:
    """Say how many of the undone changes room version 12's algorithm would have undone."""
    kept = sum(reset.kept_by_v2_1 is True for reset in result.resets)
    undone = sum(reset.kept_by_v2_1 is False for reset in result.resets)
    them = "it" if len(result.resets) == 1 else "them"
    if undone == len(result.resets):
        return f"version 12's algorithm would have undone {them} too"
    if kept == len(result.resets):
        return f"version 12's algorithm would have kept {them}"
    return f"version 12's algorithm would have kept {kept:,} and undone {undone:,}"


# A reset of one of these matters more than the others, in this order.
_IMPORTANT: Final = ("m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.member")


_KEPT: Final = {
    True: "version 12's algorithm would keep the change",
    False: "version 12's algorithm would undo the change too",
    None: "version 12: unknown, events are missing",
}


def _reset_lines(result: RoomCheck, source: str, most: int | None) -> list[str]:
    """Name each state reset with its merge, the most important first, and the command that explains it."""

    def rank(reset: Reset) -> tuple[bool, int]:
        kind = reset.key[0]
        return not reset.kept_by_v2_1, _IMPORTANT.index(kind) if kind in _IMPORTANT else len(_IMPORTANT)

    ordered = sorted(result.resets, key=rank)
    lines = []
    for reset in ordered:
        where = "at the forward extremities" if reset.merge is None else f"at the merge before {reset.merge}"
        lines += [
            f"state reset of {_key(reset.key)}; {_KEPT[reset.kept_by_v2_1]}",
            f"  {where}",
            f"  lost {reset.lost}, back to {reset.restored or 'nothing'}",
        ]
    lines = _capped(lines, None if most is None else 3 * most, 3)
    if ordered:
        first = ordered[0]
        at = "" if first.merge is None else f" --at {quote(first.merge)}"
        why = f"{quote(first.key[0])} {quote(first.key[1])}"
        lines.append(f"to explain the first: roomver resolve {source}{at} --why {why}")
    return lines


def agreed_lines(result: RoomCheck, most: int | None) -> list[str]:
    """Return the events that the rules and the recording server both reject or soft-fail, with reasons."""
    if not result.agreed:
        return []
    lines = [
        f"{counted(len(result.agreed), 'event', 'events')} accepted neither here nor by the recording server:"
    ]
    for event_id, finding in list(result.agreed.items())[:most]:
        place, event = result.gathered.places[event_id], result.gathered.events[event_id]
        lines += [
            f"{place}  {event_id}  {event.type}  {event.sender}",
            f"  {finding.kind.value}: {'; '.join(map(str, finding.reasons))}",
        ]
    if most is not None and len(result.agreed) > most:
        lines.append(f"and {len(result.agreed) - most:,} more: --all lists them")
    return [printable(line) for line in lines]


def _capped(lines: list[str], most: int | None, each: int = 1) -> list[str]:
    """Return at most `most` lines, and say how many more entries there are."""
    if most is None or len(lines) <= most:
        return lines
    return [*lines[:most], f"and {(len(lines) - most) // each:,} more: --all lists them"]


def _lacking_lines(result: RoomCheck, most: int | None) -> list[str]:
    """Name what is missing once, with its consequences."""
    replayed = result.replay
    undecided = _undecided(result)
    lines = []
    if undecided:
        lacks = missing_lines(replayed, replayed.lacking(*undecided), None if most is None else SHOWN)
        missing = "; missing events:" if lacks else ""
        lines += [f"{counted(len(undecided), 'event', 'events')} undecided{missing}", *lacks]
        allowed = sum(replayed.outcomes[event_id].by_auth_events is not None for event_id in undecided)
        if allowed:
            lines.append(f"  allowed by their auth events, while the state before is unknown: {allowed:,}")
    if result.gathered.apart:
        events = counted(len(result.gathered.apart), "event", "events")
        lines.append(f"{events} not replayed: outliers that no event of the room is based on")
    for event_id, why in list(result.gathered.unknown_states.items())[:most]:
        lines.append(f"the server's state before {event_id} cannot be read: {why}")
    beyond = replayed.gaps.keys() - replayed.outliers - set(undecided)
    if beyond:
        gaps = counted(len(beyond), "event", "events")
        lines += [f"state unknown before {gaps} that the auth events or the recording server decide"]
    unchecked = [
        event_id
        for event_id in replayed.outliers
        if replayed.outcomes[event_id].own is Status.ACCEPTED
        and (event_id in replayed.gaps or replayed.outcomes[event_id].unknown)
    ]
    if unchecked:
        of = counted(len(unchecked), "event", "events")
        lines.append(
            f"{of} of a given state or auth chain accepted only because the server that gave it did: the"
            " state before is unknown"
        )
    return lines


def missing_lines(replayed: Replay, lacks: list[EventId], most: int | None = SHOWN) -> list[str]:
    """Return missing events as lines of text, each with an event that cites it. None lists all."""
    lines = []
    for event_id in lacks[:most]:
        citing = replayed.missing.get(event_id)
        if citing is None:
            lines.append(f"  {event_id}, which lies on a cycle")
        else:
            more = f" and {len(citing) - 1:,} more" if len(citing) > 1 else ""
            lines.append(f"  {event_id}, cited by {citing[0]}{more}")
    if len(lacks) > len(lines):
        lines.append(f"  and {len(lacks) - len(lines):,} more: `roomver check --all` lists them")
    return lines


def _all_listed(event_ids: list[EventId], most: int | None) -> str:
    """Return event IDs as text: the first ones and how many more there are. None lists all."""
    if most is None or len(event_ids) <= SHOWN:
        return ", ".join(event_ids)
    return f"{listed(event_ids)}: --all lists them"


def _key(key: StateKey) -> str:
    return f"{key[0]} {shorten(key[1])}"
