"""The report of ``roomver check``: as text for people, and as JSON for programs.

Both are written event by event. Findings are never held in memory.
"""

import sys
from collections.abc import Sequence
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol, TypeAlias

import click

from ..contributions import Contribution
from ..entry import Entry, Place
from ..errors import counted
from ..event import Event
from ..explain.resets import ExplainedReset
from ..findings import Action, EventCheck, Finding, Reason, Summary
from ..keys import KeyRing
from ..known_states import Standing
from ..readers import Room
from ..readers.addresses import shown
from ..room_check import Beliefs, RoomCheck
from ..types import EventId, JsonObject, JsonValue, ServerName
from .common import console, display_name, event_title
from .escaped import ascii_json, printable
from .heard import say
from .listing import Keys, Listing, failed_keys
from .merged import (
    contradicted_lines,
    difference_lines,
    other_room_lines,
    sources_data,
    sources_table,
)
from .recorded import agreed_lines, open_lines, recorded_data, recorded_lines, standing_lines
from .sources import room_call
from .tables import print_table, wrapped
from .unknown_checks import doubt_lines, no_signer_lines, removable_keys, signature_lines, unknown_check_lines
from .verdict import Row, Verdict, files_table, kinds_table
from .wording import FINDING_TEXT, action_text, findings_data, room_data, room_lines, summary_data

Resets: TypeAlias = Sequence[ExplainedReset]

_SPOOL_BYTES = 8 * 2**20  # of findings are kept in memory; beyond that, they go to a temporary file
_COPY_CHARACTERS = 2**16
_MOST_LINES = 5  # per list about a room


class Report(Protocol):
    """What is reported about each file, in this order: start, events with findings or notes, the room unless
    events were checked alone, end or error.

    Attributes:
        written_late: whether nothing is written before `close`, so that progress can be shown meanwhile.
    """

    written_late: bool

    def start(self, file: str, room: Room) -> None:
        """Begin a file."""

    def event(self, entry: Entry, check: EventCheck) -> None:
        """Report an event that has findings or notes by itself."""

    def event_in_room(self, place: Place, event: Event, findings: tuple[Finding, ...]) -> None:
        """Report the findings from checking an event with its room."""

    def room(self, found: RoomCheck, beliefs: Beliefs | None, resets: Resets) -> None:
        """Report the room as a whole, compared with what its server decided, if the input says so.

        Args:
            found: the checked room.
            beliefs: what its server decided; None if the input does not say.
            resets: its state resets, explained.
        """

    def end(self, summary: Summary, keys: KeyRing | None, code: int) -> None:
        """End a file.

        Args:
            summary: counts of its events.
            keys: its signatures were checked with these keys; None if they were not checked.
            code: the exit code that it would have alone.
        """

    def error(self, file: str, name: str, reason: str) -> None:
        """Report why a room could not be checked.

        Args:
            file: the room's file.
            name: what messages call the file with the fault, which may be another file of the room.
            reason: what is wrong with it.
        """

    def close(self) -> None:
        """Write the rest of the report."""


class JsonReport:
    """Writes one JSON object, with each event that has findings on a line of its own."""

    written_late = False

    def __init__(self) -> None:
        self._files = 0
        self._events = 0
        self._open = False
        self._good = True
        self._room = ""

    def start(self, file: str, room: Room) -> None:
        """Begin a file."""
        head: JsonObject = {"file": shown(file)}
        if room.database:
            head["source"] = room.database
        if room.beliefs is not None and (room.beliefs.standing is not None or room.beliefs.partial):
            told = {} if room.beliefs.standing is None else room.beliefs.standing._asdict()
            unknown: JsonObject = dict.fromkeys(Standing._fields)
            head["server"] = {**unknown, **told, "partial": room.beliefs.partial}
        if room.header is None and room.room_id is not None:
            head["room_id"] = room.room_id
        head["room_version"] = room.version.identifier
        self._begin(head)
        click.echo(', "events": [', nl=False)
        self._open = True
        self._events = 0

    def event(self, entry: Entry, check: EventCheck) -> None:
        """Report an event that has findings or notes by itself."""
        data = findings_data(check.event_id, check.findings, check.notes)
        self._event(entry.place, entry.claimed_id, entry.pdu, data)

    def event_in_room(self, place: Place, event: Event, findings: tuple[Finding, ...]) -> None:
        """Report the findings from checking an event with its room."""
        self._event(place, None, event.pdu, findings_data(event.event_id, findings))

    def _event(self, place: Place, claimed_id: EventId | None, pdu: JsonValue, data: JsonObject) -> None:
        where: JsonObject = {
            "file": place.file,
            "line": place.line,
            "path": place.path,
            "claimed_id": claimed_id,
        }
        line = ascii_json({**where, **heading_of(pdu), **data})
        click.echo(("," if self._events else "") + "\n" + line, nl=False)
        self._events += 1

    def room(self, found: RoomCheck, beliefs: Beliefs | None, resets: Resets) -> None:
        """Report the room as a whole. Arguments are those of `Report.room`."""
        del beliefs
        data = {**room_data(found, resets), **recorded_data(found)}
        self._room = f', "room": {ascii_json(data)}'
        if (sources := sources_data(found.gathered)) is not None:
            self._room += f', "sources": {ascii_json(sources)}'

    def end(self, summary: Summary, keys: KeyRing | None, code: int) -> None:
        """End a file. Arguments are those of `Report.end`."""
        del keys
        self._good &= code == 0
        end = f'{chr(10) if self._events else ""}], "summary": {ascii_json(summary_data(summary))}'
        click.echo(f"{end}{self._room}}}", nl=False)
        self._room = ""
        self._open = False

    def error(self, file: str, name: str, reason: str) -> None:
        """Report why a room could not be checked."""
        self._good = False
        error = {"error": reason, "error_in": name}
        if self._open:
            click.echo(f"], {ascii_json(error)[1:]}", nl=False)
            self._open = False
        else:
            self._begin({"file": display_name(file), **error})
            click.echo("}", nl=False)

    def close(self) -> None:
        """Write the rest of the report."""
        if not self._files:
            click.echo('{"files": [', nl=False)
        click.echo(f'\n], "ok": {ascii_json(self._good)}}}')

    def _begin(self, head: JsonObject) -> None:
        click.echo('{"files": [\n' if not self._files else ",\n", nl=False)
        click.echo(ascii_json(head)[:-1], nl=False)
        self._files += 1


class TextReport:
    """Writes a table of the files, a summary of each room, and each event that has findings."""

    written_late = True

    def __init__(
        self,
        *,
        all_findings: bool = False,
        options: str = "",
        key_files: Sequence[str] = (),
        key_servers: Sequence[ServerName] = (),
    ) -> None:
        """Make a report.

        Args:
            all_findings: list all, not only the first.
            options: of the call, quoted: other calls about the same room need them too.
            key_files: what messages call the files of keys in the call.
            key_servers: the servers that the call names with their files of keys.
        """
        self._key_servers = key_servers
        self._options = options
        self._key_files = key_files
        self._all = all_findings
        self._listing = Listing()
        self._most_lines = None if all_findings else _MOST_LINES
        spool = SpooledTemporaryFile(_SPOOL_BYTES, "w+", encoding="utf-8")  # noqa: SIM115 - until close()
        self._details: IO[str] = spool
        out = console()
        self._coloured = out.color_system is not None and not out.no_color
        self._width = out.width
        self._rows: list[Row] = []
        self._differs = False
        self._rooms: list[tuple[str, list[str]]] = []
        self._sources: list[tuple[str, list[Contribution]]] = []
        self._verdict = Verdict(0, Summary())  # about the current file
        self._verdicts: list[str] = []
        self._lines: list[str] = []  # about the current file as a whole
        self._file = self._call = self._database = ""
        self._beliefs: Beliefs | None = None
        self._version = ""
        self._named = self._is_stdin = False

    def start(self, file: str, room: Room) -> None:
        """Begin a file."""
        self._file, self._named = display_name(file), False
        self._database, self._is_stdin = room.database, file == "-"
        self._beliefs = room.beliefs
        if room.database and room.room_id is not None:
            self._file = printable(room.room_id)
        self._call = room_call(file, room, self._options)
        self._version = room.version.identifier
        self._listing = Listing()
        self._differs = False
        self._lines = []
        self._verdict = Verdict(0, Summary())

    def event(self, entry: Entry, check: EventCheck) -> None:
        """Report an event that has findings or notes by itself."""
        failed = failed_keys(check)
        self._event(entry.place, check.event_id, entry.pdu, check.findings, check.notes, failed)

    def event_in_room(self, place: Place, event: Event, findings: tuple[Finding, ...]) -> None:
        """Report the findings from checking an event with its room."""
        if all(finding.kind.action is Action.FETCH for finding in findings):
            self._verdict.undecided = self._verdict.undecided or event.event_id
        self._event(place, event.event_id, event.pdu, findings)

    def _event(
        self,
        place: Place,
        event_id: EventId | None,
        pdu: JsonValue,
        findings: tuple[Finding, ...],
        notes: tuple[Reason, ...] = (),
        failed: Keys | None = None,
    ) -> None:
        undecided = all(finding.kind.action is Action.FETCH for finding in findings) and bool(findings)
        if event_id is not None and findings and not undecided:
            self._verdict.bad = self._verdict.bad or event_id
        if not self._all and not self._listing.wants(failed, undecided=undecided):
            return
        # Not through rich: it would take half an hour for a million events, and these lines need no layout.
        lines = []
        heading = heading_of(pdu)
        title = event_title(place, event_id, heading["type"], heading["sender"])
        lines += ["", self._styled(wrapped(title, self._width), bold=True)]
        for finding in findings:
            kind = finding.kind.value
            line = wrapped(f"  {kind}: the event {FINDING_TEXT[finding.kind]}", self._width)
            lines.append(line.replace(kind, self._styled(kind, fg="red"), 1))
            lines += [wrapped(f"    {printable(str(reason))}", self._width) for reason in finding.reasons]
        told = [wrapped(f"  note: {printable(str(note))}", self._width) for note in notes]
        lines += [self._styled(note, fg="yellow") for note in told]
        if findings:
            must = wrapped(f"  A server must {action_text(findings)}.", self._width)
            lines.append(self._styled(must, bold=True))
        text = "\n".join(lines) + "\n"
        if self._all:
            self._write_details(text)
        else:
            self._listing.add(text, failed, undecided=undecided)

    def _write_details(self, text: str) -> None:
        """Write a part of the list of events, the first one below the name of the file."""
        if not self._named:
            self._details.write(f"\n{self._styled(self._file, bold=True)}\n")
            self._named = True
        self._details.write(text)

    def room(self, found: RoomCheck, beliefs: Beliefs | None, resets: Resets) -> None:
        """Report the room as a whole. Arguments are those of `Report.room`."""
        self._differs = bool(found.state_differs)
        self._verdict.found, self._verdict.beliefs, self._verdict.resets = found, beliefs, resets
        lines = []
        if self._database:
            lines.append(f"read from {self._database}, which also tells what its server decided")
        lines += standing_lines(self._beliefs, found)
        lines += agreed_lines(found, self._most_lines) + open_lines(found, self._most_lines)
        lines += room_lines(found, resets, self._call, self._most_lines)
        lines += recorded_lines(found, self._most_lines)
        if found.gathered.repeated:
            lines.append(
                f"{counted(found.gathered.repeated, 'event repeats', 'events repeat')} an earlier one"
            )
        more = self._listing.more_undecided(in_doubt=bool(found.summary.keys_in_doubt))
        if more:
            lines.append(
                f"{counted(more, 'more undecided event', 'more undecided events')}: --all lists them"
            )
        lines += unknown_check_lines(found, self._most_lines)
        lines += other_room_lines(found.gathered)
        lines += difference_lines(found.gathered, self._most_lines)
        self._lines = lines + contradicted_lines(found.replay, self._most_lines)
        if found.gathered.contributions:
            self._sources.append((self._file, found.gathered.contributions))

    def end(self, summary: Summary, keys: KeyRing | None, code: int) -> None:
        """End a file. Arguments are those of `Report.end`."""
        self._verdict.code, self._verdict.summary = code, summary
        if keys is not None:
            self._verdict.removable = removable_keys(summary, keys, self._key_files)
        first, *lines = self._verdict.lines(None if self._is_stdin else self._call)
        self._verdicts += [self._styled(f"{self._file}: {first}", bold=True), *lines]
        self._rows.append(Row(self._file, self._version, summary, self._differs))
        self._lines[:0] = doubt_lines(summary, keys, self._most_lines)
        if self._verdict.found is not None:
            self._lines[:0] = no_signer_lines(self._verdict.found, self._key_servers)
        self._lines += signature_lines(summary, keys, self._most_lines, database=self._database != "")
        if self._lines:
            self._rooms.append((self._file, self._lines))
        for text in self._listing.texts({(server, key_id) for server, key_id, _ in summary.keys_in_doubt}):
            self._write_details(text)

    def error(self, file: str, name: str, reason: str) -> None:
        """Report why a room could not be checked."""
        say(f"roomver: {name}: {printable(reason)}")

    def close(self) -> None:
        """Write the rest of the report."""
        out = console()
        total = Summary()
        for row in self._rows:
            total.merge(row.summary)
        if self._rows:
            print_table(files_table(self._rows, total))
        for file, contributions in self._sources:
            out.print(f"\nsources of {file}", style="bold", soft_wrap=True)
            print_table(sources_table(contributions))
        for file, lines in self._rooms:
            out.print()
            out.print(file, style="bold", soft_wrap=True)
            for line in lines:
                out.print(wrapped(f"  {line}", out.width), soft_wrap=True)
        if total.kinds:
            out.print()
            print_table(kinds_table(total))
        self._details.seek(0)
        while text := self._details.read(_COPY_CHARACTERS):
            sys.stdout.write(text)
        self._details.close()
        if self._verdicts:
            click.echo("\n" + "\n".join(wrapped(line, out.width) for line in self._verdicts))

    def _styled(self, text: str, **style: Any) -> str:
        return click.style(text, **style) if self._coloured else text


def heading_of(pdu: JsonValue) -> JsonObject:
    """Return the fields by which people recognise an event."""
    fields: JsonObject = pdu if type(pdu) is dict else {}
    return {
        key: value if type(value := fields.get(key)) is str else None
        for key in ("type", "state_key", "sender")
    }
