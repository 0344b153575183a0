"""The findings of ``roomver check`` in short: tables of rooms and kinds, and whether a room is all right."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from ..errors import SHOWN, Lack, counted
from ..explain.resets import ExplainedReset, Intent, reset_numbers
from ..findings import Action, FindingKind, Summary
from ..room_check import Beliefs, RoomCheck
from ..signature_results import SigningStatus
from ..types import EventId, ServerName
from ..undecided import is_part_of_room
from .escaped import printable
from .lacking import IN_PART
from .recorded import refused_there, standing_lines
from .wording import ACTION_TEXT, FINDING_TEXT, lacks_text

_REFUSED: Final = (
    FindingKind.REJECTED,
    FindingKind.REJECTED_BY_STATE,
    FindingKind.AUTH_EVENT_REJECTED,
    FindingKind.SOFT_FAILED,
)

# What the order of arrival decides.
_AT_ARRIVAL: Final = (FindingKind.SOFT_FAILED, FindingKind.POLICY_SERVER)

CODES: Final = {0: "no problems found", 1: "problems found", 3: "undecided"}
"""What an exit code says about a room."""


@dataclass(slots=True)
class Verdict:
    """What one room comes to.

    Attributes:
        code: the exit code that the room alone would have.
        summary: counts of its events.
        found: the room checked as a whole; None if its events were only checked alone.
        beliefs: what the room's server decided; None if the input does not say.
        resets: the state resets, explained.
        removable: servers whose keys are probably wrong and were given in the call.
        bad, undecided: the first event with a finding, and the first whose findings are that something is
            missing.
    """

    code: int
    summary: Summary
    found: RoomCheck | None = None
    beliefs: Beliefs | None = None
    resets: Sequence[ExplainedReset] = ()
    bad: EventId | None = None
    undecided: EventId | None = None
    removable: frozenset[ServerName] = frozenset()

    def lines(self, call: str | None) -> list[str]:
        """Return the verdict as lines of text: an answer, what is behind it, and how to explain an event.

        Args:
            call: the arguments that name the room, quoted; None if it cannot be read again.
        """
        lines = [f"{CODES[self.code]}{self._resets()}", *(f"  {line}" for line in self._reasons())]
        if self.resets and call is not None:
            what = "state reset" if len(self.resets) == 1 else "state resets"
            lines.append(f"  to explain the {what}: roomver resets {call}")
        event_id = self._to_explain()
        if event_id is not None and call is not None and not self.removable:
            lines.append(f"  to explain one event: roomver explain {call} '{event_id}'")
        return [printable(line) for line in lines]

    def _resets(self) -> str:
        """Say how many state resets there are of each class."""
        return f"; {reset_numbers(self.resets)}" if self.resets else ""

    def _reasons(self) -> list[str]:
        summary, found = self.summary, self.found
        lines = [
            f"the key of {server} is probably wrong: "
            + ("run again without it" if server in self.removable else "see above")
            for server in dict.fromkeys(server for server, _, _ in summary.keys_in_doubt[:SHOWN])
        ]
        if lines:
            lines.append("everything below may follow from that")
        if summary.bad:
            kinds = [kind for kind in FindingKind if summary.kinds[kind] and kind.action is not Action.FETCH]
            named = ", ".join(f"{summary.kinds[kind]:,} {kind.value}" for kind in kinds)
            lines.append(f"{counted(summary.bad, 'event', 'events')} with findings: {named}")
        if any(one.intent is Intent.UNINTENDED for one in self.resets):
            lines.append("an unintended state reset: the rules were followed, and nobody meant the loss")
        if found is not None:
            lines += self._compared(found)
        if found is not None and found.replay.unsought:
            merges = counted(len(found.replay.unsought), "merge was", "merges were")
            lines.append(f"{merges} not searched for state resets: it costs too much")
        if found is not None and found.lost:
            number = sum(len(one.event_ids) for one in found.lost)
            events = counted(number, "newer event is", "newer events are")
            changed = "it" if number == 1 else "they"
            lines.append(f"{events} lost: what {changed} changed in the current state is unknown")
        if found is not None and is_part_of_room(found.replay):
            missing = counted(len(found.replay.lacking(None)), "event", "events")
            are = "is" if missing.startswith("1 ") else "are"
            lines.append(
                f"{IN_PART}: {missing} that it cites {are} missing, and the current state is unknown"
            )
        if found is not None and self.code == 3:
            lines += standing_lines(self.beliefs, found)
        if summary.undecided:
            events = counted(summary.undecided, "event", "events")
            needed = "" if summary.keys_in_doubt else ": more of the room is needed to tell"
            lines.append(f"{events} undecided{needed}")
        if found is not None and found.replay.current_unknown:
            events = counted(len(found.replay.current_unknown), "accepted event", "accepted events")
            lines.append(f"{events} that may be soft-failed: the current state at arrival is unknown")
        unchecked = summary.signatures[SigningStatus.KEY_UNKNOWN]
        if unchecked:
            events = counted(unchecked, "event", "events")
            lines.append(f"the signatures of {events} could not be checked: keys are missing")
        return lines

    def _compared(self, found: RoomCheck) -> list[str]:
        """Return how the room compares with what its server decided."""
        lines = []
        kinds = Counter(finding.kind.action for finding in found.agreed.values())
        refused = [
            f"{kinds[action]:,} {word}"
            for action, word in ((Action.REJECT, "rejected"), (Action.SOFT_FAIL, "soft-failed"))
            if kinds[action]
        ]
        if refused:
            events = "event" if refused[0].startswith("1 ") else "events"
            number, _, word = refused[0].partition(" ")
            lines.append(" and ".join([f"{number} {events} {word}", *refused[1:]]) + ", as the server did")
        for action, event_ids in refused_there(found).items():
            did = "rejected" if action is Action.REJECT else "soft-failed"
            events = counted(len(event_ids), "event", "events")
            lines.append(f"{events} that the server {did}: the check is unknown here")
        told = self.beliefs is not None and self.beliefs.rejected is not None
        refused_here = [one for one in _REFUSED if self.summary.kinds[one]]
        if refused_here and not told:
            lines.append(
                "no server's decisions to compare with: rejected events may be as their server rejected them"
            )
        if any(self.summary.kinds[one] for one in _AT_ARRIVAL) and not found.gathered.in_order:
            lines.append("no source tells the order of arrival: soft-failed if it is that of the input")
        if contradictions := found.gathered.contradictions:
            differ = counted(len(contradictions), "contradiction", "contradictions")
            lines.append(f"{differ} between the sources")
        if contradicted := found.replay.contradicted:
            lines.append(
                f"{counted(len(contradicted), 'given state', 'given states')} contradicted by the events"
            )
        if found.state_differs:
            entries = counted(len(found.state_differs), "entry", "entries")
            lines.append(f"the current state differs from the server's in {entries}")
        if found.not_compared or found.keys_not_compared:
            lines.append("the server's current state cannot be compared")
        elif found.compared_in_part:
            lines.append("the server's current state was compared in part")
        dropped = sum(event_id in found.dropped for event_id in found.recorded_missing)
        for count, one, many in (
            (len(found.recorded_missing) - dropped, "is missing", "are missing"),
            (dropped, "was dropped", "were dropped"),
        ):
            if count:
                events = counted(count, "event", "events")
                what = one if count == 1 else many
                lines.append(f"{events} that the server decided about or has in its state {what}")
        if self._agrees(found):
            what = "everything" if found.ok or self.code == 0 else "all that is decided"
            lines.append(f"{what} agrees with what the server decided")
        return lines

    def _agrees(self, found: RoomCheck) -> bool:
        """Tell whether something is compared with what the server decided, and nothing of it differs."""
        if self.beliefs is None or self.beliefs.rejected is None:
            return False
        decided = self.summary.events - self.summary.undecided
        # The server has an event that is dropped here.
        differs = self.summary.kinds[FindingKind.SERVER_DIFFERS] or found.gathered.dropped
        return decided > 0 and not differs and not found.state_differs

    def _to_explain(self) -> EventId | None:
        if self.bad is not None or self.undecided is not None:
            return self.bad or self.undecided
        if self.found is None:
            return None
        if about := [one.event_id for one in self.found.gathered.contradictions if one.event_id is not None]:
            return about[0]
        agreed = self.found.agreed
        rejected = (one for one, finding in agreed.items() if finding.kind.action is Action.REJECT)
        return next(rejected, None) or next(iter(agreed), None)


def kinds_table(total: Summary) -> Table:
    """Return the table of the kinds of findings, with what a server must do about each."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("finding")
    table.add_column("events", justify="right")
    table.add_column("the event")
    table.add_column("a server must")
    for kind in FindingKind:
        if count := total.kinds[kind]:
            action = ACTION_TEXT[kind.action]
            if kind.action is Action.FETCH:
                action = lacks_text([lack for lack in Lack if total.lacks[kind, lack]])
            table.add_row(kind.value, f"{count:,}", FINDING_TEXT[kind], action)
    return table


class Row(NamedTuple):
    """One room in the table of the files."""

    file: str
    version: str
    summary: Summary
    differs: bool
    """Whether the current state differs from the one in the recording."""


def files_table(rows: list[Row], total: Summary) -> Table:
    """Return the table of the rooms, with the counts of each."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_footer=len(rows) > 1)
    # The name of a file may be broken, but not a room ID, which somebody may want to copy.
    of_database = any(row.file.startswith("!") for row in rows)
    table.add_column("room", "total", overflow="ellipsis" if of_database else "fold")
    table.add_column("version", justify="right", no_wrap=True)
    # Only some rooms need these columns.
    left_out = [
        name
        for name in ("rejected", "soft-failed", "undecided")
        if not getattr(total, name.replace("-", "_"))
    ]
    for name, count in _counts(total).items():
        if name in left_out:
            continue
        table.add_column(name, count, justify="right", no_wrap=name != "signatures")
    differ = any(row.differs for row in rows)
    if differ:
        table.add_column("state")
    for row in rows:
        cells = [count for name, count in _counts(row.summary).items() if name not in left_out]
        if differ:
            cells.append("differs" if row.differs else "-")
        table.add_row(Text(row.file), row.version, *cells)
    return table


def _counts(summary: Summary) -> dict[str, str]:
    signatures = {
        **{status.value: summary.signatures[status] for status in SigningStatus},
        "not checked": summary.signatures_not_checked,
    }
    return {
        "events": f"{summary.events:,}",
        "intact": f"{summary.intact:,}",
        "redacted": f"{summary.redacted:,}",
        "rejected": f"{summary.rejected:,}",
        "soft-failed": f"{summary.soft_failed:,}",
        "undecided": f"{summary.undecided:,}",
        "bad": f"{summary.bad:,}",
        "signatures": ", ".join(f"{count:,} {what}" for what, count in signatures.items() if count) or "-",
    }
