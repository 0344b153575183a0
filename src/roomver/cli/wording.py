"""What the package finds, in words for people and as JSON for programs. Nothing is decided here."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

from ..canonical import shorten
from ..errors import SHOWN, Lack, counted, listed
from ..explain.resets import ExplainedReset, unsearched
from ..findings import Action, Finding, FindingKind, Reason, Summary
from ..replay import Replay, Status
from ..room_check import RoomCheck
from ..signature_results import SigningStatus
from ..state import entries_of, unknown_of
from ..types import EventId, JsonObject, JsonValue, StateKey, StateMap
from ..undecided import find_vouched, is_part_of_room
from .escaped import call_word, printable
from .lacking import IN_PART, dropped_data, follows_server, in_part_lines, missing_lines, missing_words
from .unknown_checks import unknown_checks_data

FINDING_TEXT: Final[Mapping[FindingKind, str]] = MappingProxyType(
    {
        FindingKind.UNREADABLE: "cannot be read",
        FindingKind.DAMAGED_ROW: "cannot be read: the row in the database is damaged",
        FindingKind.MALFORMED: "is not in the event format of its room version",
        FindingKind.EVENT_ID: "does not have the event ID that the input gives",
        FindingKind.SIGNATURE: "lacks a valid required signature",
        FindingKind.SIGNATURE_MISSING: "lacks a required signature",
        FindingKind.SIGNATURE_UNCHECKED: "has a required signature that cannot be checked",
        FindingKind.CONTENT_HASH: "does not match its content hash",
        FindingKind.NO_CONTENT_HASH: "has no readable content hash",
        FindingKind.SAME_ID: "has the same event ID as another one",
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
        Action.REPLACE: "get a valid copy of the event",
        Action.DROP: "drop the event",
        Action.REDACT: "use the redacted form of the event",
        Action.FETCH: "fetch what is missing",
        Action.FETCH_KEY: "fetch the missing keys",
        Action.REJECT: "reject the event",
        Action.SOFT_FAIL: "soft-fail the event",
        Action.LOOK: "do nothing; a person must look at it",
    }
)
"""What a server must do, as it follows the words "a server must"."""


POLICY_ADVICE: Final = (
    "Only the policy server's signature is missing or wrong; the rules allow it.",
    "A server can ask for it (POST /_matrix/policy/v1/sign) and may be refused.",
    "If later events lack it too, m.room.policy names a wrong key or server.",
)
"""What it means that the policy server of a room has not validly signed an event."""


STATE_DIFFERS: Final = "state-differs"
"""The finding about a room whose current state is not the one that the recording gives."""


LACK_TEXT: Final[Mapping[Lack, str]] = MappingProxyType(
    {
        Lack.MISSING: "fetch the missing events",
        Lack.DROPPED: "get valid copies of the dropped events",
        Lack.STATE: "get the whole state",
        Lack.AGREEMENT: "find out which of the contradicting sources is right",
        Lack.ORDER: "find out when the events arrived",
    }
)
"""What would decide an undecided event, as it follows the words "a server must"."""


_WHERE_STATES_ARE: Final = ", for example from /state or from /send_join without omitted members"


def lacks_text(lacks: Collection[Lack]) -> str:
    """Return what would decide undecided events, as it follows the words "a server must"."""
    if not lacks:
        return ACTION_TEXT[Action.FETCH]
    return " and ".join(text for lack, text in LACK_TEXT.items() if lack in lacks)


def action_text(findings: Iterable[Finding]) -> str:
    """Return what a server must do about an event, as it follows the words "a server must"."""
    # Dropping an event comes before everything else that could be done with it.
    actions = {finding.kind.action for finding in findings}
    action = next(action for action in ACTION_TEXT if action in actions)
    lacks = {lack for finding in findings for lack in finding.lacks}
    if action is not Action.FETCH:
        return ACTION_TEXT[action]
    return lacks_text(lacks) + (_WHERE_STATES_ARE if Lack.STATE in lacks else "")


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
                "lacks": [lack.value for lack in finding.lacks],
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
        "soft_failed": summary.soft_failed,
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
        "keys_in_doubt": [
            {"server": server, "key_id": key_id, "signatures": number}
            for server, key_id, number in summary.keys_in_doubt
        ],
        "noted": summary.notes,
        "kinds": {kind.value: summary.kinds[kind] for kind in FindingKind if summary.kinds[kind]},
    }


def room_data(result: RoomCheck, resets: Sequence[ExplainedReset]) -> JsonObject:
    """Return the result of checking the events of a room together, and its resets, as a JSON object."""
    replayed = result.replay
    # Without a usable event, nothing is known.
    state = replayed.current_state if replayed.events else None
    return {
        "state_size": None if state is None else len(entries_of(state)),
        "state_unknown": _unknown_data(state),
        "forward_extremities": list(replayed.forward_extremities),
        "extremities_known": replayed.extremities_known,
        "too_many_states": replayed.too_many_states,
        "soft_failure_unchecked": dict(replayed.unchecked),
        "current_unknown": unknown_checks_data(result),
        "order_of_arrival_known": result.gathered.in_order,
        "resets_unsought": list(replayed.unsought),
        "merges": len(replayed.merges),
        "gaps": {event_id: list(missing) for event_id, missing in replayed.gaps.items()},
        "lost": [{"events": list(one.event_ids), "reason": one.reason} for one in result.lost],
        "contradicted": {
            event_id: [list(key) for key in keys] for event_id, keys in replayed.contradicted.items()
        },
        "missing": {event_id: list(citing) for event_id, citing in replayed.missing.items()},
        "dropped": dropped_data(replayed.missing, result.dropped),
        "outliers": [*sorted(replayed.outliers)],
        "state_lacks": list(replayed.lacking(None)),
        "undecided_lack": list(replayed.lacking(*_undecided(result))),
        "resets": [
            {
                "merge": reset.merge,
                "type": reset.key[0],
                "state_key": reset.key[1],
                "lost": reset.lost,
                "restored": reset.restored,
                "kept_by_v2_1": reset.kept_by_v2_1,
                "class": reset.intent.value,
            }
            for reset in resets
        ],
        "findings": _room_findings(result),
        "apart": [*sorted(result.gathered.apart)],
        "backfilled": [*sorted(replayed.backfilled & replayed.outcomes.keys())],
        "unknown_states": dict(result.gathered.unknown_states),
        "repeated": result.gathered.repeated,
    }


def _room_findings(result: RoomCheck) -> list[JsonValue]:
    """Return the findings about the room as a whole, as JSON."""
    if not result.state_differs:
        return []
    return [{"kind": STATE_DIFFERS, "action": Action.LOOK.value, "entries": len(result.state_differs)}]


def _unknown_data(state: StateMap[EventId] | None) -> JsonValue:
    """Return what is unknown in a state that is known in part, as JSON; None if the state is unknown."""
    return None if state is None else [cast(JsonValue, one.to_dict()) for one in unknown_of(state)]


def _undecided(result: RoomCheck) -> list[EventId]:
    return [e for e, outcome in result.replay.outcomes.items() if outcome.own is Status.UNDECIDED]


def room_lines(
    result: RoomCheck, resets: Sequence[ExplainedReset], source: str, most: int | None
) -> list[str]:
    """Return the result of checking the events of a room together, as lines of text.

    Args:
        result: the result.
        resets: its state resets, explained.
        source: the arguments that name the room, quoted, for the commands that explain more.
        most: list at most this many state resets and differences; None for all.
    """
    replayed = result.replay
    ends = counted(len(replayed.forward_extremities), "forward extremity", "forward extremities")
    if not replayed.events:
        why = "every event was dropped" if result.gathered.dropped else "there are no events"
        lines = [f"current state unknown: {why}"]
    elif replayed.too_many_states:
        lines = [f"current state not resolved: too many states, after {ends}"]
    elif replayed.current_state is None:
        lines = [f"current state unknown; {ends}"]
    else:
        size = counted(len(entries_of(replayed.current_state)), "entry", "entries")
        unknown = unknown_of(replayed.current_state)
        lines = [f"current state: {size}"]
        if not replayed.current_is_given:
            lines[0] += f", resolved from {ends}" if replayed.extremities_known else ""
        elif not unknown:
            lines[0] += ", as given"
        if unknown:
            why, *parts = in_part_lines(result, unknown)
            lines[0] += f", {why}"
            lines += parts
    said = set()
    if replayed.current_state is not None:
        said = {one.reason for one in unknown_of(replayed.current_state)}
    lines += [f"{one.reason}: what it changed is unknown" for one in result.lost if one.reason not in said]
    lines += _lacking_lines(result, source, most)
    if replayed.merges:
        merges = counted(len(replayed.merges), "merge", "merges")
        undid = "undid no known change" if unsearched(result) else "undid no change"
        if result.resets:
            changes = counted(len(result.resets), "change", "changes")
            undid = f"undid {changes}; {_of_version_12(result)}"
        lines.append(f"{merges} of differing states: state resolution {undid}")
    lines += _reset_lines(resets, source, most) + _bound_lines(replayed) + _policy_lines(result)
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


_KEPT: Final = {
    True: "version 12's algorithm would keep the change",
    False: "version 12's algorithm would undo the change too",
    None: "version 12: unknown, events are missing",
}


def _reset_lines(resets: Sequence[ExplainedReset], source: str, most: int | None) -> list[str]:
    """Name each state reset with its class and its merge, and the command that explains them."""
    lines = []
    for reset in resets:
        where = "at the forward extremities" if reset.merge is None else f"at the merge before {reset.merge}"
        lines += [
            f"state reset of {key_text(reset.key)}: {reset.intent.value}; {_KEPT[reset.kept_by_v2_1]}",
            f"  {where}",
            f"  lost {reset.lost}, back to {reset.restored or 'nothing'}",
        ]
    lines = capped(lines, None if most is None else 3 * most, 3)
    if resets:
        lines.append(f"to explain {'it' if len(resets) == 1 else 'them'}: roomver resets {source}")
    return lines


def _policy_lines(result: RoomCheck) -> list[str]:
    """Say what it means that events lack the signature of the policy server, once for all of them."""
    found = [*result.agreed.values(), *(one for some in result.findings.values() for one in some)]
    number = sum(finding.kind is FindingKind.POLICY_SERVER for finding in found)
    if not number:
        return []
    events = counted(number, "event", "events")
    return [
        f"{events} not validly signed by the room's policy server:",
        *(f"  {line}" for line in POLICY_ADVICE),
    ]


def _bound_lines(replayed: Replay) -> list[str]:
    """Say what the bounds on a replay left out, and what was not checked because a server would not."""
    lines = [
        f"{counted(number, 'event', 'events')} not checked against the current state: {why}"
        for why, number in Counter(replayed.unchecked.values()).items()
    ]
    fetched = sum(replayed.outcomes[one].accepted for one in replayed.backfilled & replayed.outcomes.keys())
    if fetched:
        events = counted(fetched, "event", "events")
        lines.append(f"{events} fetched from the history, so not checked on arrival")
    if replayed.unsought:
        merges = counted(len(replayed.unsought), "merge", "merges")
        lines.append(f"state resets not sought at {merges}: the search costs too much")
    return lines


def capped(lines: list[str], most: int | None, each: int = 1) -> list[str]:
    """Return at most `most` lines, and say how many more entries there are."""
    if most is None or len(lines) <= most:
        return lines
    return [*lines[:most], f"and {(len(lines) - most) // each:,} more: --all lists them"]


def _lacking_lines(result: RoomCheck, source: str, most: int | None) -> list[str]:
    """Name what is missing once, with its consequences."""
    replayed = result.replay
    undecided = _undecided(result)
    lines = []
    in_part = is_part_of_room(replayed)
    if undecided or in_part:
        lacking = replayed.lacking(*undecided, *([None] if in_part else []))
        lacks = missing_lines(result, lacking, None if most is None else SHOWN)
        heading = f"; {missing_words(lacking, result.dropped)}:" if lacks else ""
        what = f"{counted(len(undecided), 'event', 'events')} undecided" if undecided else IN_PART
        lines += [f"{what}{heading}", *lacks]
        if follows_server(replayed):
            lines.append("  with --as-recorded they count as the server decided; the rules cannot tell")
        absent = [event_id for event_id in lacking if event_id not in result.dropped]
        if absent:
            lines.append("  if another file has them, add it with --also FILE")
            if not f"{source} ".startswith("- "):  # standard input, which is read only once
                lines.append(f"  how to get one: roomver explain {source} {call_word(absent[0])}")
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
    if unchecked := len(find_vouched(replayed)):
        of = counted(unchecked, "event", "events")
        lines.append(
            f"{of} of a given state or auth chain accepted only because the server that gave it did: the"
            " state before is unknown"
        )
    return lines


def all_listed(event_ids: list[EventId], most: int | None) -> str:
    """Return event IDs as text: the first ones and how many more there are. None lists all."""
    if most is None or len(event_ids) <= SHOWN:
        return ", ".join(event_ids)
    return f"{listed(event_ids)}: --all lists them"


def key_text(key: StateKey) -> str:
    """Return a state key as text."""
    return f"{key[0]} {shorten(key[1])}"
