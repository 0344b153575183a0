"""What the recording server decided and the rules did, compared: in words and as JSON."""

from datetime import UTC, datetime
from typing import Final

from ..errors import counted
from ..findings import Action
from ..known_states import Beliefs
from ..room_check import RoomCheck
from ..types import EventId, JsonObject
from .common import event_title
from .escaped import printable
from .wording import STATE_DIFFERS, all_listed, capped, findings_data, key_text


def recorded_data(result: RoomCheck) -> JsonObject:
    """Return the comparison with the recording server as a JSON object."""
    return {
        "agreed": [findings_data(event_id, (finding,)) for event_id, finding in result.agreed.items()],
        "follow": [*sorted(result.follow)],
        "soft_failed_there": [*sorted(result.soft_failed_there)],
        "refused_there": [
            {"event_id": event_id, "action": action.value}
            for event_id, action in result.refused_there.items()
        ],
        "state_differs": [
            {"type": key[0], "state_key": key[1], "ours": ours, "theirs": theirs}
            for key, (ours, theirs) in result.state_differs.items()
        ],
        "state_not_compared": result.not_compared,
        "state_keys_not_compared": [
            {"type": key[0], "state_key": key[1]} for key in result.keys_not_compared
        ],
        "recorded_missing": [
            {"event_id": event_id, "in": list(named), "dropped": event_id in result.dropped}
            for event_id, named in result.recorded_missing.items()
        ],
        "state_compared_in_part": result.compared_in_part,
        "extremities_differ": None
        if result.extremities_differ is None
        else dict(zip(("ours", "theirs"), map(list, result.extremities_differ), strict=True)),
    }


def recorded_lines(result: RoomCheck, most: int | None) -> list[str]:
    """Return where the recording server differs, as lines of text: at most `most` of a list, or all of it."""
    lines = _missing_lines(result, most)
    if result.state_differs:
        lines.append(state_differs_text(result))
    differing = [
        f"the recording server's state differs in {key_text(key)}: {ours or 'absent'} here,"
        f" {theirs or 'absent'} there"
        for key, (ours, theirs) in result.state_differs.items()
    ]
    lines += capped(differing, most)
    if result.follow:
        events = counted(len(result.follow), "event", "events")
        lines.append(
            f"{events} rejected only for citing an event that the recording server accepted: --as-recorded"
            " follows that server"
        )
    if result.not_compared:
        lines.append("the recording server's state cannot be compared: the state here is unknown")
    if result.compared_in_part:
        lines.append("the recording server's state is compared as far as both states are known")
    for where, event_ids in zip(_WHERE, result.extremities_differ or (), strict=False):
        if event_ids:
            lines.append(f"forward extremities only {where}: {all_listed(list(event_ids), most)}")
    if result.soft_failed_there:
        events = counted(len(result.soft_failed_there), "event", "events")
        lines.append(
            f"{events} soft-failed there, accepted here; the order of arrival may explain it:"
            f" {all_listed(sorted(result.soft_failed_there), most)}"
        )
    return [printable(line) for line in lines]


def state_differs_text(result: RoomCheck) -> str:
    """Say in how many entries the current state differs from the recording server's."""
    entries = counted(len(result.state_differs), "entry", "entries")
    return f"{STATE_DIFFERS}: the current state differs from the recording server's in {entries}"


def standing_lines(beliefs: Beliefs | None, result: RoomCheck) -> list[str]:
    """Say where the server stands in the room, if that limits what it has, and what to do about it.

    Args:
        beliefs: what the source tells of its server; None if it tells nothing.
        result: of checking the room.
    """
    if beliefs is None:
        return []
    if beliefs.partial:
        return [
            "the join is not finished: the server does not have all members yet",
            "  it fetches them by itself: check again later; if it does not finish, see its log",
        ]
    standing = beliefs.standing
    if standing is None:
        return []
    events = counted(len(result.gathered.events), "event", "events")
    has_state = bool(result.replay.forward_extremities)
    match standing.membership:
        case "leave" if not has_state:
            return [f"the server is not in the room: it has {events} and no state"]
        case "leave":
            when = "" if standing.at is None else f" on {_date(standing.at)}"
            by = "" if standing.event_id is None else f", with {standing.event_id}"
            return [printable(f"the server left the room{when}{by}: what came later was not received")]
        case "invite":
            return [
                f"the server was only invited: it has {events} and no state",
                "  who invited whom is known; whether the rules allow it, a server in the room can tell",
            ]
        case "knock":
            return [
                f"the server has only knocked: it has {events} and no state",
                "  who knocked is known; whether the rules allow it, a server in the room can tell",
            ]
        case _:
            return []


def server_lines(beliefs: Beliefs | None, result: RoomCheck, call: str | None) -> list[str]:
    """Say what limits a state that is printed: where the server stands, and that its own state is another.

    Args:
        beliefs: what the source tells of its server; None if it tells nothing.
        result: of checking the room.
        call: of `roomver check` for the current state; None for the state at an event, which depends only on
            whether the server has joined the room completely.
    """
    if call is None:
        return standing_lines(beliefs, result) if beliefs is not None and beliefs.partial else []
    differs = [f"{state_differs_text(result)}; to list them: {call}"] if result.state_differs else []
    return standing_lines(beliefs, result) + differs


def _date(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds:,} ms"


_WHERE: Final = ("here", "on the recording server")

_NAMED_IN: Final = {
    "state": "of the recording server's state",
    "rejected": "that the recording server rejected",
    "soft_failed": "that the recording server soft-failed",
}


def _missing_lines(result: RoomCheck, most: int | None) -> list[str]:
    """Say which events a recording names and cannot be used, and what was not compared for that reason."""
    lines = []
    for name, said in _NAMED_IN.items():
        absent = [event_id for event_id, named in result.recorded_missing.items() if name in named]
        for word, dropped in (("missing", False), ("dropped", True)):
            if event_ids := [event_id for event_id in absent if (event_id in result.dropped) is dropped]:
                lines.append(f"{word} events {said}: {all_listed(event_ids, most)}")
    keys = [key_text(key) for key in result.keys_not_compared]
    if keys:
        lines.append(f"not compared with the recording server's state: {all_listed(keys, most)}")
    return lines


def agreed_lines(result: RoomCheck, most: int | None) -> list[str]:
    """Return the events that the rules and the recording server both refuse: the rejected ones first.

    At most `most` are listed of each kind, so that neither hides the other; None lists all.
    """
    lines: list[str] = []
    for word, soft in (("rejected", False), ("soft-failed", True)):
        found = [
            (event_id, finding)
            for event_id, finding in result.agreed.items()
            if (finding.kind.action is Action.SOFT_FAIL) is soft
        ]
        if not found:
            continue
        lines.append(f"{counted(len(found), 'event', 'events')} {word} here and by the recording server:")
        for event_id, finding in found[:most]:
            place, event = result.gathered.places[event_id], result.gathered.events[event_id]
            lines += [
                event_title(place, event_id, event.type, event.sender),
                f"  {finding.kind.value}: {'; '.join(map(str, finding.reasons))}",
            ]
        if most is not None and len(found) > most:
            lines.append(f"and {len(found) - most:,} more: --all lists them")
    return [printable(line) for line in lines]


_DID: Final = {Action.REJECT: "rejected", Action.SOFT_FAIL: "soft-failed"}


def open_lines(result: RoomCheck, most: int | None) -> list[str]:
    """Return the events that the recording server refused and that are open here, as `agreed_lines` does."""
    lines: list[str] = []
    for action, event_ids in refused_there(result).items():
        events = counted(len(event_ids), "event", "events")
        whose = "which is" if len(event_ids) == 1 else "which are"
        what = f"{whose} undecided" if action is Action.REJECT else "whose check is unknown"
        lines.append(f"{events} the server {_DID[action]}, {what} here:")
        for event_id in event_ids[:most]:
            place, event = result.gathered.places[event_id], result.gathered.events[event_id]
            lines.append(event_title(place, event_id, event.type, event.sender))
            here = result.replay.current_check(event_id).why or "undecided"
            lines.append(f"  the server {_DID[action]} it; here: {here}")
        if most is not None and len(event_ids) > most:
            lines.append(f"and {len(event_ids) - most:,} more: --all lists them")
    return [printable(line) for line in lines]


def refused_there(result: RoomCheck) -> dict[Action, list[EventId]]:
    """Return the events that the recording server refused and that are open here, by what it did."""
    found = {action: [e for e, did in result.refused_there.items() if did is action] for action in _DID}
    return {action: event_ids for action, event_ids in found.items() if event_ids}
