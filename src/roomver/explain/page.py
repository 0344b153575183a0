"""What the page of ``roomver report`` shows of a room, as plain data.

Everything is in columns: one entry per event, newest first, with numbers that stand for what events share.
States are kept as a replay keeps them, by their changes from other states, so the page builds the one that it
shows. The words for people are added by the command.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..event import Event
from ..findings import Finding
from ..identifiers import server_of
from ..replay import Replay
from ..replay.groups import KeptStates, kept_states
from ..room_check import RoomCheck
from ..state import entries_of, unknown_of
from ..types import EventId, StateKey
from .judged import Judged, judge
from .lanes import LANES, lay_out, stretches
from .merge_steps import MOST_MERGES, MergeSteps, merge_steps, steps_data
from .page_checks import Checks, CheckTables
from .page_words import explain_events, said_numbers
from .resets import ExplainedReset, explain_resets, unsearched
from .room_facts import Member, Server, members_of, servers_of
from .said import Said
from .tables import Table

STATUSES = tuple(
    one.value for one in (Judged.ACCEPTED, Judged.SOFT_FAILED, Judged.REJECTED, Judged.UNDECIDED)
)
"""The statuses of events on the page. Their places in this tuple are their numbers."""

UNKNOWN = -2
"""The number of a state that is unknown."""


class LeftOut(NamedTuple):
    """An entry of the input that is not among the events: its ID, where it is, and why it is left out."""

    event_id: EventId
    place: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Page:
    """A room as the page shows it.

    Attributes:
        found: the room.
        order: the events by number, newest first: event 0 is the newest.
        ids: event IDs by number: those of `order`, then those that are cited and missing.
        keys: state keys by number.
        senders, servers, types: by number.
        status: for each event, its place in `STATUSES`.
        checks: for each event, its set in `tables`.
        tables: what the checks share.
        states: the states of the replay.
        lanes: for each event, its lane.
        stretches: the straight parts of the lanes: lane, top, bottom and parent.
        merges: the merges step by step, and how many are left out.
        members: the members in the current state.
        taking_part: the servers.
        left_out: what is not among the events.
        resets: the resets, the least expected first.
        explained: why some of the events have their outcomes.
    """

    found: RoomCheck
    order: tuple[Event, ...]
    ids: Table[EventId]
    keys: Table[StateKey]
    senders: Table[str]
    servers: Table[str]
    types: Table[str]
    status: tuple[int, ...]
    checks: tuple[int, ...]
    tables: CheckTables
    states: KeptStates
    lanes: tuple[int, ...]
    stretches: tuple[tuple[int, int, int, int], ...]
    merges: tuple[list[MergeSteps], int]
    members: tuple[Member, ...]
    taking_part: tuple[Server, ...]
    left_out: tuple[LeftOut, ...]
    resets: tuple[ExplainedReset, ...]
    explained: dict[EventId, Said]

    def number(self, event_id: EventId | None) -> int:
        """Return the number of an event ID; -1 for None. One that is new gets the next number."""
        return -1 if event_id is None else self.ids(event_id)

    def sentence(self, said: Said, shown: Callable[[object], str]) -> list[Any]:
        """Return a sentence as JSON."""
        return said_numbers(said, self.number, self.keys, shown)

    def to_dict(self, shown: Callable[[object], str] = str) -> dict[str, Any]:
        """Return the page as JSON values.

        Args:
            shown: makes text from events safe to show.
        """
        replay = self.found.replay
        data: dict[str, Any] = {
            "format": 1,
            "room": _room_data(self.found, shown),
            "events": len(self.order),
            **_columns(self),
            "groups": [
                [base, [number for key, e in delta for number in (self.keys(key), self.number(e))]]
                for base, delta in self.states.groups
            ],
            "unknown": {
                str(group): [shown(str(one)) for one in unknown]
                for group, unknown in self.states.unknown.items()
            },
            "current": _current_data(self, shown),
            "extremities": [self.number(one) for one in replay.forward_extremities],
            "extremities_known": replay.extremities_known,
            "lanes": self.lanes,
            "stretches": [number for one in self.stretches for number in one],
            "tables": self.tables.to_dict(shown),
            "findings": {
                str(self.number(event_id)): _findings_data(findings, shown)
                for event_id, findings in _findings(self.found).items()
            },
            "left_out": [
                [shown(one.event_id), shown(one.place), *_findings_data((one.finding,), shown)]
                for one in self.left_out
            ],
            "merges": [_merge_data(self, merge, shown) for merge in self.merges[0]],
            "all_merges": [self.number(merge.event_id) for merge in replay.merges],
            "merges_left_out": self.merges[1],
            "resets": [
                [
                    self.number(reset.merge),
                    self.keys(reset.key),
                    self.number(reset.lost),
                    self.number(reset.restored),
                    reset.kept_by_v2_1,
                    reset.intent.value,
                    self.sentence(reset.why, shown),
                    reset.now.value,
                    self.number(reset.current),
                    self.sentence(reset.cause, shown),
                ]
                for reset in self.resets
            ],
            "resets_unsearched": unsearched(self.found),
            "explained": {
                str(self.number(event_id)): self.sentence(why, shown)
                for event_id, why in self.explained.items()
            },
            "members": [
                [shown(one.user), self.number(one.event_id), shown(one.membership), one.level]
                for one in self.members
            ],
            "servers_and_keys": [_shown_all(one.to_dict(), shown) for one in self.taking_part],
        }
        # Last, because everything above may add to them.
        data["ids"] = [shown(one) for one in self.ids.values]
        data["keys"] = [[shown(kind), shown(key)] for kind, key in self.keys.values]
        return data


_MERGE = 100  # a merge counts like this many events, for the progress


def page_of(found: RoomCheck, progress: Callable[[int, int], None] | None = None) -> Page:
    """Return what the page shows of a room.

    Args:
        found: the room, checked and replayed.
        progress: called periodically with the work done, and all work: about the number of events.

    Cost: linear in the events and in the changes of states, and the resolutions of `merge_steps`.
    """
    replay = found.replay
    here = [*replay.order]
    placed = {*here}
    here = [*(e for e in replay.outcomes if e not in placed), *here]
    order = tuple(replay.events[event_id] for event_id in reversed(here))
    ids = Table(event.event_id for event in order)
    tables = CheckTables(ids)
    states = kept_states(replay)
    events = len(replay.order)
    total = events + _MERGE * min(MOST_MERGES, len(replay.merges))

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, total)

    checked = Checks(replay, states, tables).collect(tell)
    no_checks = tables.sets(())
    rows = [*lay_out(_parents(order, ids, placed))]
    members = members_of(found)
    status = tuple(_status(replay, event.event_id) for event in order)
    return Page(
        found,
        order,
        ids,
        Table(),
        Table(event.sender for event in order),
        Table(server_of(event.sender) for event in order),
        Table(event.type for event in order),
        status,
        tuple(checked.get(event.event_id, no_checks) for event in order),
        tables,
        states,
        tuple(row.lane for row in rows),
        # Lanes beyond the limit are not drawn, and there may be any number of them.
        tuple((one.lane, one.top, one.bottom, one.parent) for one in stretches(rows) if one.lane < LANES),
        merge_steps(replay, tables, lambda done: tell(events + _MERGE * done)),
        tuple(members),
        tuple(servers_of(found, members)),
        tuple(LeftOut(e, str(one.place), one.finding) for e, one in found.dropped.items()),
        explain_resets(found),
        explain_events(found, order, status),
    )


def _parents(order: Iterable[Event], ids: Table[EventId], placed: set[EventId]) -> Iterable[list[int]]:
    """Yield the numbers of each event's prev events that are drawn. An event on a cycle is drawn without."""
    for event in order:
        if event.event_id in placed:
            yield [ids(prev) for prev in event.prev_event_ids if prev in placed]
        else:
            yield []


def _status(replay: Replay, event_id: EventId) -> int:
    return STATUSES.index(judge(replay, event_id).value)


def _room_data(found: RoomCheck, shown: Callable[[object], str]) -> dict[str, Any]:
    replay, version = found.replay, found.gathered.version
    state = replay.current_state
    return {
        "id": shown(found.gathered.room_id),
        "version": shown(version.label),
        "algorithm": version.state_resolution.value,
        "name": shown(_content_of(found, "m.room.name", "name")),
        "topic": shown(_content_of(found, "m.room.topic", "topic")),
        "missing": len(replay.missing),
        "merges": len(replay.merges),
        "resets": len(found.resets),
        "known": state is not None and not unknown_of(state),
    }


def _content_of(found: RoomCheck, kind: str, field: str) -> str:
    state = found.replay.current_state
    event_id = None if state is None else entries_of(state).get((kind, ""))
    value = None if event_id is None else found.replay.events[event_id].content.get(field)
    return value if type(value) is str else ""


def _columns(page: Page) -> dict[str, Any]:
    order, number = page.order, page.number
    before, after = page.states.before, page.states.after
    return {
        "types": page.types.values,
        "senders": page.senders.values,
        "servers": page.servers.values,
        "statuses": STATUSES,
        "type": [page.types(event.type) for event in order],
        "sender": [page.senders(event.sender) for event in order],
        "server_of": [page.servers(server_of(sender)) for sender in page.senders.values],
        "key": [
            -1 if event.state_key is None else page.keys((event.type, event.state_key)) for event in order
        ],
        "ts": [_exact(event.origin_server_ts) for event in order],
        "depth": [_exact(event.depth) for event in order],
        "status": page.status,
        "check": page.checks,
        "prev": [[number(one) for one in event.prev_event_ids] for event in order],
        "auth": [[number(one) for one in event.auth_event_ids] for event in order],
        "before": [before.get(event.event_id, UNKNOWN) for event in order],
        "after": [after.get(event.event_id, UNKNOWN) for event in order],
    }


def _exact(value: int) -> int | str:
    """Return an integer, as text if JavaScript cannot hold it exactly."""
    return value if abs(value) < 2**53 else str(value)


def _current_data(page: Page, shown: Callable[[object], str]) -> dict[str, Any] | None:
    state = page.found.replay.current_state
    if state is None:
        return None
    entries = sorted(entries_of(state).items())
    return {
        "entries": [number for key, e in entries for number in (page.keys(key), page.number(e))],
        "unknown": [shown(str(one)) for one in unknown_of(state)],
        "given": page.found.replay.current_is_given,
    }


def _findings(found: RoomCheck) -> dict[EventId, tuple[Finding, ...]]:
    """Return the findings of each event, with those that the recording server agrees with."""
    result = {}
    for event_id in found.replay.outcomes:
        own = found.gathered.checks[event_id].findings
        among = found.findings.get(event_id, ())
        agreed = (found.agreed[event_id],) if event_id in found.agreed else ()
        if own or among or agreed:
            result[event_id] = (*own, *among, *agreed)
    return result


def _findings_data(findings: Iterable[Finding], shown: Callable[[object], str]) -> list[list[Any]]:
    return [
        [
            one.kind.value,
            one.kind.action.value,
            [lack.value for lack in one.lacks],
            [shown(str(reason)) for reason in one.reasons],
        ]
        for one in findings
    ]


def _merge_data(page: Page, merge: MergeSteps, shown: Callable[[object], str]) -> dict[str, Any]:
    number = page.number
    return {
        "event": number(merge.event_id),
        "parents": [number(one) for one in merge.parents],
        "sizes": merge.sizes,
        "conflicts": [
            [page.keys(one.key), [[number(e), list(states)] for e, states in one.events]]
            for one in merge.conflicts
        ],
        "more_keys": merge.more_keys,
        "more_states": merge.more_states,
        "error": shown(merge.error),
        "by": {
            name: _shown_error(steps_data(steps, number, page.keys), shown)
            for name, steps in merge.by_algorithm.items()
        },
    }


def _shown_error(data: dict[str, Any], shown: Callable[[object], str]) -> dict[str, Any]:
    return {**data, "error": shown(data["error"])} if "error" in data else data


def _shown_all(value: Any, shown: Callable[[object], str]) -> Any:
    """Return JSON values with every text made safe to show."""
    if isinstance(value, dict):
        return {shown(key): _shown_all(one, shown) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown_all(one, shown) for one in value]
    return shown(value) if isinstance(value, str) else value
