"""What ``roomver auth`` says: the checks of one event, as text for people and as JSON for programs."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from rich import box
from rich.table import Table

from ..auth.compared import Compared, list_compared
from ..contributions import Difference
from ..errors import SHOWN, Lack, UnknownState
from ..event import Event
from ..findings import Finding, FindingKind
from ..policy import PolicyRefusal, PolicyServer
from ..redacted import Redacted
from ..replay import CurrentCheck
from ..rules import Verdict
from ..types import EventId, JsonObject, StateMap
from ..undecided import Dropped, lacks_among
from .common import console, display_name
from .escaped import printable
from .lacking import advice_for, dropped_data, missing_text
from .merged import differences_data, lines_about
from .tables import print_stripped, wrapped
from .wording import FINDING_TEXT, POLICY_ADVICE, action_text, findings_data

AUTH_EVENTS: Final = "its auth events"
BEFORE: Final = "the state before it"
CURRENT: Final = "the current state at its arrival"
POLICY_SERVER: Final = "the policy server"
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
        lack: what would tell these entries, beside missing events.
        instead: why the check is not made; empty if it is.
        because: the contradictions between sources that leave it undecided, in words.
    """

    against: str
    event: Event
    verdict: Verdict | None
    state: StateMap[Event]
    missing: Sequence[EventId] = ()
    unknown: UnknownState | None = None
    lack: Lack | None = None
    instead: str = ""
    because: Sequence[str] = ()

    @property
    def allowed(self) -> bool | None:
        """What the verdict says; None without one."""
        return None if self.verdict is None else self.verdict.allowed

    @property
    def result(self) -> str:
        """The result in words."""
        if self.allowed is None:
            return "not checked" if self.instead else "undecided"
        return "allowed" if self.allowed else "refused"


class Third(NamedTuple):
    """The result of checking the event against the current state (checks 6 and 7).

    Attributes:
        against: what the event was checked against.
        event: the event.
        check: the result.
        state: what the check read; None if that is unknown, or if the check is not made.
        policy_server: the policy server whose signature counted, if there is one.
        lack: what would tell the result, if it is unknown, beside missing events.
        because: as in `Row`.
    """

    against: str
    event: Event
    check: CurrentCheck
    state: StateMap[Event] | None = None
    policy_server: PolicyServer | None = None
    lack: Lack | None = None
    because: Sequence[str] = ()

    @property
    def result(self) -> str:
        """The result in words."""
        if self.check.allowed is None:
            return "unknown" if self.check.made else "not checked"
        return "allowed" if self.check.allowed else "soft-failed"


class Answer(NamedTuple):
    """What the event's checks came to.

    Attributes:
        rows: the checks against its auth events and states. There is at least one.
        third: the check against the current state, or only against the policy server that a given state
            names; None if there is no such check.
        findings: why a server judges the redacted form of the event. It is the event of the rows.
        is_draft: whether the event is a draft.
        dropped: the events of the input that were dropped.
        recorded: what the server that recorded the room did with the event; empty if it does not say.
        redacted: the redactions that name the event.
        differences: where the sources of the room differ on the event.
        unchecked: how many events of the room have signatures whose keys are unknown.
    """

    rows: list[Row]
    third: Third | None = None
    findings: tuple[Finding, ...] = ()
    is_draft: bool = False
    dropped: Mapping[EventId, Dropped] = MappingProxyType({})
    recorded: str = ""
    redacted: Sequence[Redacted] = ()
    differences: Sequence[Difference] = ()
    unchecked: int = 0


class Refused(Exception):
    """The event is refused, or cannot be read, before any rule is applied.

    Attributes:
        event_id: its ID, if that is known.
        finding: the reason.
        recorded: as in `Answer`.
    """

    def __init__(self, event_id: EventId | None, finding: Finding, recorded: str = "") -> None:
        self.event_id = event_id
        self.finding = finding
        self.recorded = recorded
        super().__init__(event_id, finding, recorded)

    @property
    def decided(self) -> bool:
        """Whether a server must refuse the event. A damaged row tells nothing about its event."""
        return self.finding.kind is not FindingKind.DAMAGED_ROW


def answer_data(answer: Answer) -> list[dict[str, object]]:
    """Return the checks of an event as JSON, one object for each."""
    event_id = None if answer.is_draft else answer.rows[0].event.event_id
    data: list[dict[str, object]] = []
    if answer.findings:
        found = findings_data(event_id, answer.findings)
        data.append({**found, "against": _ON_RECEIPT, "result": "allowed", "allowed": True})
    data += [
        {"event_id": event_id, "against": row.against, "result": row.result, **_data(row, answer.dropped)}
        for row in answer.rows
    ]
    if answer.third is not None:
        head = {"event_id": event_id, "against": answer.third.against, "result": answer.third.result}
        data.append({**head, **_third_data(answer.third, answer.dropped)})
    more: dict[str, object] = {"recorded": answer.recorded} if answer.recorded else {}
    if answer.redacted:
        more["redactions"] = [one._asdict() for one in answer.redacted]
    if answer.differences:
        more["differences"] = differences_data(answer.differences)
    return [{**row, **more} for row in data]


def _data(row: Row, dropped: Mapping[EventId, Dropped]) -> dict[str, object]:
    if row.verdict is not None:
        compared = _compared(row.event, row.state)
        return {**row.verdict.to_dict(), "compared": [one._asdict() for one in compared]}
    unknown = row.unknown
    keys = () if unknown is None else unknown.keys
    return {
        "allowed": None,
        "missing": list(row.missing),
        "dropped": dropped_data(row.missing, dropped),
        "lacks": _lacks_data(row.missing, dropped, row.lack),
        "unknown": [{"type": kind, "state_key": key} for kind, key in keys],
        "why": row.instead if unknown is None else unknown.reason,
        "made": not row.instead,
        **_because_data(row.because),
    }


def _third_data(third: Third, dropped: Mapping[EventId, Dropped]) -> dict[str, object]:
    current = third.check
    data: dict[str, object] = {"allowed": current.allowed}
    if isinstance(current.failure, Verdict):
        data |= current.failure.to_dict()
    if current.allowed is not True:
        why = current.why if current.failure is None else str(current.failure)
        data |= {"why": why, "made": current.made, "missing": list(current.missing)}
        data |= {
            "dropped": dropped_data(current.missing, dropped),
            "lacks": _lacks_data(current.missing, dropped, third.lack),
            **_because_data(third.because),
        }
    if third.state is not None:
        data["compared"] = [one._asdict() for one in _third_compared(third)]
    return data


def _because_data(because: Sequence[str]) -> dict[str, object]:
    return {"contradictions": list(because)} if because else {}


def _lacks_data(
    missing: Sequence[EventId], dropped: Mapping[EventId, Dropped], lack: Lack | None
) -> list[str]:
    """Return what would decide a check: the values of `Lack`."""
    return [one.value for one in (*lacks_among(missing, dropped), *(() if lack is None else (lack,)))]


def refused_data(refused: Refused) -> list[JsonObject]:
    """Return why an event is refused, as JSON."""
    found = findings_data(refused.event_id, (refused.finding,))
    result: JsonObject = {"result": "dropped", "allowed": False}
    if not refused.decided:
        result = {"result": "undecided", "allowed": None}
    recorded: JsonObject = {"recorded": refused.recorded} if refused.recorded else {}
    return [{**found, "against": _ON_RECEIPT, **result, **recorded}]


def print_refused(refused: Refused, name: str) -> None:
    """Print why an event is refused.

    Args:
        refused: the event and the reason.
        name: the file of the event, for an event without an ID.
    """
    console().print(printable(refused.event_id or display_name(name)), soft_wrap=True)
    _print_findings((refused.finding,), "REFUSED" if refused.decided else "undecided")
    if refused.recorded:
        _print_recorded(refused.recorded)


def _print_recorded(recorded: str) -> None:
    console().print(f"\nthe recording server {recorded} it", style="bold")


def _print_findings(findings: Sequence[Finding], word: str) -> None:
    out = console()
    out.print(f"\nagainst {_ON_RECEIPT}: {word}", style="bold")
    for finding in findings:
        out.print(f"  {finding.kind.value}: the event {FINDING_TEXT[finding.kind]}", soft_wrap=True)
        for reason in finding.reasons:
            out.print(printable(f"    {reason}"), soft_wrap=True)
        out.print(f"  A server must {action_text([finding])}.", soft_wrap=True)


def print_answer(answer: Answer) -> None:
    """Print the checks of an event."""
    out = console()
    event = answer.rows[0].event
    name = "a draft" if answer.is_draft else event.event_id
    key = "" if event.state_key is None else f" {event.state_key!r}"
    out.print(printable(f"{name}  {event.type}{key}  by {event.sender}"), soft_wrap=True)
    if answer.findings:
        _print_findings(answer.findings, "allowed in its redacted form")
    said: tuple[Verdict, list[Compared]] | None = None
    for one in answer.rows:
        verdict = one.verdict
        word = one.instead or ("REFUSED" if one.allowed is False else one.result)
        out.print(f"\nagainst {one.against}: {word}", style="bold")
        if verdict is None:
            for line in _undecided_lines(one, answer.dropped):
                out.print(printable(line), soft_wrap=True)
            continue
        compared = _compared(one.event, one.state)
        if said == (verdict, compared):
            out.print("  the same rule and the same values")
            continue
        said = verdict, compared
        out.print(wrapped(printable(f"  {verdict}"), out.width), soft_wrap=True)
        out.print(f"  {verdict.url}", soft_wrap=True)
        _print_compared(compared)
    if answer.third is not None:
        _print_third(answer.third, answer.dropped, said)
    if answer.recorded:
        _print_recorded(answer.recorded)
    for redaction in answer.redacted:
        _print_redaction(redaction)
    for line in lines_about(answer.differences):
        out.print(printable(line), soft_wrap=True)


_REDACTED: Final[Mapping[bool | None, str]] = MappingProxyType(
    {
        True: "redacted by",
        False: "not redacted by",
        None: "perhaps redacted by",
    }
)


def _print_redaction(redaction: Redacted) -> None:
    out = console()
    named = printable(f"{_REDACTED[redaction.applies]} {redaction.event_id}")
    out.print(f"\n{named}", style="bold", soft_wrap=True)
    out.print(printable(f"  {redaction.reason}"), soft_wrap=True)
    if redaction.cut is not None:
        done = "has already removed" if redaction.cut else "has not yet removed"
        out.print(f"  the server {done} the content")


def _print_compared(rows: Sequence[Compared]) -> None:
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for column in ("compared", "value", "from"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row.what, printable(str(row.value)), printable(row.source))
    print_stripped(table, console())


def _print_third(
    third: Third, dropped: Mapping[EventId, Dropped], said: tuple[Verdict, list[Compared]] | None
) -> None:
    out = console()
    current = third.check
    word = "REFUSED (soft-failed)" if current.allowed is False else third.result
    out.print(f"\nagainst {third.against}: {word}", style="bold")
    if current.failure is not None:
        out.print(wrapped(printable(f"  {current.failure}"), out.width), soft_wrap=True)
        if isinstance(current.failure, Verdict):
            out.print(f"  {current.failure.url}", soft_wrap=True)
    if isinstance(current.failure, PolicyRefusal):
        for line in POLICY_ADVICE:
            out.print(f"  {line}", soft_wrap=True)
    if current.why:
        out.print(printable(f"  {current.why}"), soft_wrap=True)
    for line in _lacks_lines(current.missing, dropped, third.lack, third.because):
        out.print(printable(line), soft_wrap=True)
    compared = _third_compared(third)
    if compared and said is not None and said[1] == compared:
        out.print("  the same values")
    else:
        _print_compared(compared)


def _compared(event: Event, state: StateMap[Event]) -> list[Compared]:
    """Return what was compared; empty if one of the values is unknown, which did not affect the verdict."""
    try:
        return list_compared(event, state)
    except UnknownState:
        return []


def _third_compared(third: Third) -> list[Compared]:
    """Return what the check against the current state compared, with the policy server if that counted."""
    if third.state is None:
        return []
    rows = [] if third.against == POLICY_SERVER else _compared(third.event, third.state)
    server = third.policy_server
    return rows if server is None else [*rows, Compared("policy server", server.name, server.event_id)]


def _undecided_lines(row: Row, dropped: Mapping[EventId, Dropped]) -> list[str]:
    lines = [f"  {row.unknown}"] if row.unknown is not None else []
    return lines + _lacks_lines(row.missing, dropped, row.lack, row.because)


def _lacks_lines(
    missing: Sequence[EventId],
    dropped: Mapping[EventId, Dropped],
    lack: Lack | None,
    because: Sequence[str],
) -> list[str]:
    lines = [f"  {missing_text(missing, dropped)}"] if missing else []
    lines += [] if lack is None else [f"  {advice_for(lack)}"]
    return lines + [f"  behind it: {one}" for one in because[:SHOWN]]
