"""What an undecided answer waits for, in words and as JSON: events that are missing or were dropped."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote as quote_url

from ..errors import SHOWN, Lack, listed
from ..replay import ENDS_UNCERTAIN, Replay
from ..room_check import RoomCheck
from ..state import Unknown
from ..types import EventId, JsonValue
from ..undecided import Dropped, lacks_among

WHOLE_STATE: Final = "the whole state decides this, such as /state or /send_join without omitted members"
"""What to do where no event is missing, and a given state is known in part."""

VALID_COPIES: Final = "valid copies of the dropped events decide this"
"""What to do where no event is missing, and entries of a given state were dropped."""


_AGREEMENT: Final = "the sources contradict each other: find out which one is right"

_ORDER: Final = "the database of a server, or a recording of it, tells the order of arrival"

NO_STATES: Final = "--as-recorded follows the server's decisions; it does not make up for missing events"
"""What to say where a server's decisions are followed and something is unknown all the same."""


IN_PART: Final = "only a part of the room is here"
"""What to say of an input such as an auth chain, which may have no undecided event."""

OTHER_SOURCES: Final = (
    "--also adds a source that has them: another server's database, or its answer to /state or /event"
)
"""How to add missing events to a room."""


def fetch_lines(event_id: EventId) -> list[str]:
    """Return the paths that get a missing event, and who can ask for them. Each fits 80 columns."""
    named = quote_url(event_id, safe="$:._-")
    return [
        f"  /_matrix/federation/v1/event/{named}",
        "    signed by a server in the room (X-Matrix): Synapse's federation_client.py",
        f"  /_synapse/admin/v1/fetch_event/{named}",
        "    to a Synapse server that has it, with the access token of an administrator",
        "  clients cannot get it: what they are given lacks hashes and signatures.",
    ]


def follows_server(replay: Replay) -> bool:
    """Tell whether a replay follows the decisions of a server."""
    return any(outcome.ours is not None for outcome in replay.outcomes.values())


def advice_for(lack: Lack) -> str:
    """Return what to do where a given state is known in part."""
    advice = {Lack.DROPPED: VALID_COPIES, Lack.AGREEMENT: _AGREEMENT, Lack.ORDER: _ORDER}
    return advice.get(lack, WHOLE_STATE)


def dropped_data(missing: Iterable[EventId], dropped: Mapping[EventId, Dropped]) -> dict[str, JsonValue]:
    """Return, as JSON, those of the missing events that are in the input and were dropped: where, and why."""
    return {
        event_id: {
            "file": one.place.file,
            "line": one.place.line,
            "path": one.place.path,
            "kind": one.finding.kind.value,
            "reasons": [str(reason) for reason in one.finding.reasons],
        }
        for event_id in missing
        if (one := dropped.get(event_id)) is not None
    }


def missing_words(missing: Iterable[EventId], dropped: Mapping[EventId, Dropped]) -> str:
    """Return what missing events are called: ``missing events``, ``dropped events`` or both."""
    return {
        (Lack.DROPPED,): "dropped events",
        (Lack.MISSING, Lack.DROPPED): "missing or dropped events",
    }.get(lacks_among(missing, dropped), "missing events")


def missing_text(missing: Sequence[EventId], dropped: Mapping[EventId, Dropped]) -> str:
    """Return missing events in one line of text, each dropped one with its place and the reason."""
    words = [f"{e} (dropped, {dropped[e]})" if e in dropped else e for e in missing[:SHOWN]]
    return f"{missing_words(missing, dropped)}: {listed([*words, *missing[SHOWN:]])}"


def missing_lines(result: RoomCheck, lacks: Sequence[EventId], most: int | None = SHOWN) -> list[str]:
    """Return missing events as lines of text, each with an event that cites it. None lists all.

    An event that is in the input and was dropped has its place and the reason.
    """
    lines = []
    for event_id in lacks[:most]:
        citing = result.replay.missing.get(event_id)
        dropped = result.dropped.get(event_id)
        words = event_id if dropped is None else f"{event_id}, dropped ({dropped})"
        if citing is None:
            lies = ", which lies on a cycle" if event_id in result.replay.events else ""
            lines.append(f"  {words}{lies}")
        else:
            more = f" and {len(citing) - 1:,} more" if len(citing) > 1 else ""
            lines.append(f"  {words}, cited by {citing[0]}{more}")
    if len(lacks) > len(lines):
        lines.append(f"  and {len(lacks) - len(lines):,} more: `roomver check --all` lists them")
    return lines


def in_part_lines(result: RoomCheck, unknown: Sequence[Unknown]) -> list[str]:
    """Return why the current state is known in part, and a line for each part that is unknown.

    A reason that all parts share is said once.
    """
    reasons = list(dict.fromkeys(one.reason for one in unknown))
    causes = [f"{one}{_cause_text(result) if one == ENDS_UNCERTAIN else ''}" for one in reasons]
    once = f" ({reasons[0]})" if len(reasons) == 1 else ""
    return [
        f"known in part: {'; '.join(causes)}",
        *(f"  unknown: {str(one).removesuffix(once)}" for one in unknown),
    ]


def _cause_text(result: RoomCheck) -> str:
    """Return what leaves the forward extremities uncertain; empty if that is not found."""
    if missing := result.replay.lacking(None):
        return f" ({missing_text(missing, result.dropped)})"
    behind = result.replay.unknown_behind(None)
    return f" ({behind[0].reason})" if behind else ""
