"""What ``roomver auth`` says: the checks of one event, as text for people and as JSON for programs."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich import box
from rich.table import Table

from ..auth.compared import Compared, list_compared
from ..errors import UnknownState, listed
from ..event import Event
from ..findings import Finding
from ..replay import CurrentCheck
from ..rules import Verdict
from ..types import EventId, JsonObject, StateMap
from .common import console, display_name
from .escaped import printable
from .wording import ACTION_TEXT, FINDING_TEXT, findings_data

AUTH_EVENTS: Final = "its auth events"
BEFORE: Final = "the state before it"
_CURRENT: Final = "the current state at its arrival"
APART: Final = (
    "is an outlier that no event of the room is based on: the server has no state for it, so it is not judged"
)
_ON_RECEIPT: Final = "the checks on receipt"
VOUCHED: Final = "accepted by the server that gave the state"


class Row(NamedTuple):
    """The result of one check of the event.

    Attributes:
        against: what the event was checked against.
        event: the event.
        verdict: the verdict; None if it is undecided, or if the check is not made.
        state: the state that the rules read.
        missing: the missing events that leave it undecided.
        unknown: why it is undecided, if entries of the state are unknown.
        instead: why the check is not made; empty if it is.
    """

    against: str
    event: Event
    verdict: Verdict | None
    state: StateMap[Event]
    missing: Sequence[EventId] = ()
    unknown: UnknownState | None = None
    instead: str = ""

    @property
    def allowed(self) -> bool | None:
        """What the verdict says; None without one."""
        return None if self.verdict is None else self.verdict.allowed


class Answer(NamedTuple):
    """What the event's checks came to.

    Attributes:
        rows: the checks against its auth events and states. There is at least one.
        current: the check against the current state, if the event is one of a room.
        findings: why a server judges the redacted form of the event. It is the event of the rows.
        is_draft: whether the event is a draft.
    """

    rows: list[Row]
    current: CurrentCheck | None = None
    findings: tuple[Finding, ...] = ()
    is_draft: bool = False


class Refused(Exception):
    """The event is refused before any rule is applied."""

    def __init__(self, event_id: EventId | None, finding: Finding) -> None:
        self.event_id = event_id
        self.finding = finding
        super().__init__(event_id, finding)


def answer_data(answer: Answer) -> list[dict[str, object]]:
    """Return the checks of an event as JSON, one object for each."""
    event_id = None if answer.is_draft else answer.rows[0].event.event_id
    data: list[dict[str, object]] = []
    if answer.findings:
        data.append({**findings_data(event_id, answer.findings), "against": _ON_RECEIPT, "allowed": True})
    data += [{"event_id": event_id, "against": row.against, **_data(row)} for row in answer.rows]
    if answer.current is not None:
        data.append({"event_id": event_id, "against": _CURRENT, **_current_data(answer.current)})
    return data


def _data(row: Row) -> dict[str, object]:
    if row.verdict is not None:
        return {**row.verdict.to_dict(), "compared": [one._asdict() for one in _compared(row)]}
    unknown = row.unknown
    keys = () if unknown is None else unknown.keys
    return {
        "allowed": None,
        "missing": list(row.missing),
        "unknown": [{"type": kind, "state_key": key} for kind, key in keys],
        "why": row.instead if unknown is None else unknown.reason,
        "made": not row.instead,
    }


def _current_data(current: CurrentCheck) -> dict[str, object]:
    data: dict[str, object] = {"allowed": current.allowed}
    if isinstance(current.failure, Verdict):
        data |= current.failure.to_dict()
    if current.allowed is not True:
        why = current.why if current.failure is None else str(current.failure)
        data |= {"why": why, "made": current.made, "missing": list(current.missing)}
    return data


def refused_data(refused: Refused) -> list[JsonObject]:
    """Return why an event is refused, as JSON."""
    found = findings_data(refused.event_id, (refused.finding,))
    return [{**found, "against": _ON_RECEIPT, "allowed": False}]


def print_refused(refused: Refused, name: str) -> None:
    """Print why an event is refused.

    Args:
        refused: the event and the reason.
        name: the file of the event, for an event without an ID.
    """
    console().print(printable(refused.event_id or display_name(name)), soft_wrap=True)
    _print_findings((refused.finding,), "REFUSED")


def _print_findings(findings: Sequence[Finding], word: str) -> None:
    out = console()
    out.print(f"\nagainst {_ON_RECEIPT}: {word}", style="bold")
    for finding in findings:
        out.print(f"  {finding.kind.value}: the event {FINDING_TEXT[finding.kind]}", soft_wrap=True)
        for reason in finding.reasons:
            out.print(printable(f"    {reason}"), soft_wrap=True)
        out.print(f"  A server must {ACTION_TEXT[finding.kind.action]}.", soft_wrap=True)


def print_answer(answer: Answer) -> None:
    """Print the checks of an event."""
    out = console()
    event = answer.rows[0].event
    name = "a draft" if answer.is_draft else event.event_id
    key = "" if event.state_key is None else f" {event.state_key!r}"
    out.print(printable(f"{name}  {event.type}{key}  by {event.sender}"), soft_wrap=True)
    if answer.findings:
        _print_findings(answer.findings, "allowed in its redacted form")
    for one in answer.rows:
        verdict = one.verdict
        word = one.instead or {True: "allowed", False: "REFUSED", None: "undecided"}[one.allowed]
        out.print(f"\nagainst {one.against}: {word}", style="bold")
        if verdict is None:
            for line in _undecided_lines(one):
                out.print(printable(line), soft_wrap=True)
            continue
        out.print(printable(f"  {verdict}"), soft_wrap=True)
        out.print(f"  {verdict.url}", soft_wrap=True)
        rows = _compared(one)
        if not rows:
            continue
        table = Table(box=box.SIMPLE_HEAD, show_edge=False)
        for column in ("compared", "value", "from"):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(row.what, printable(str(row.value)), printable(row.source))
        out.print(table)
    if answer.current is not None:
        _print_current(answer.current)


def _print_current(current: CurrentCheck) -> None:
    out = console()
    word = {
        True: "allowed",
        False: "REFUSED (soft-failed)",
        None: "unknown" if current.made else "not checked",
    }
    out.print(f"\nagainst {_CURRENT}: {word[current.allowed]}", style="bold")
    if current.failure is not None:
        out.print(printable(f"  {current.failure}"), soft_wrap=True)
        if isinstance(current.failure, Verdict):
            out.print(f"  {current.failure.url}", soft_wrap=True)
    if current.why:
        out.print(f"  {current.why}", soft_wrap=True)
    if current.missing:
        out.print(printable(f"  missing events: {listed(current.missing)}"), soft_wrap=True)


def _compared(row: Row) -> list[Compared]:
    """Return what was compared; empty if one of the values is unknown, which did not affect the verdict."""
    try:
        return list_compared(row.event, row.state)
    except UnknownState:
        return []


def _undecided_lines(row: Row) -> list[str]:
    lines = [f"  {row.unknown}"] if row.unknown is not None else []
    if row.missing:
        lines.append(f"  missing events: {listed(row.missing)}")
    return lines
