"""Vector files: how cases are collected, set aside as disputed, and written."""

import json
import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from .about_one import about_one

FORMAT = "roomver-vectors/2"

# Of the suite. Its first number is that of the format; CHANGELOG.md says what the others mean.
VERSION = "2.0.0"

ERROR = {"error": True}

SPEC = "https://spec.matrix.org/latest"
CANONICAL = f"{SPEC}/appendices/#canonical-json"

# The files escape code points that are invisible or that reorder the text around them.
_INVISIBLE = re.compile(
    "[\x7f-\xa0\xad\u0300-\u036f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ue000-\uf8ff\ufeff\ufffe\uffff]"
)


class Kind(Enum):
    """How a case came to be disputed. The value is the title of its file, or the end of the title."""

    DIFFER = "Authorisation rules where implementations differ"
    """Known when the case was written: some implementations allow what others reject."""
    OBSERVED = "on which implementations differ"
    """Found when the case was run: others answer differently, and their answer is a fair interpretation."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """Why a case accepts a second outcome. The case goes into a file in ``disputed/``.

    Attributes:
        kind: how it came to be disputed.
        other: the second outcome; None for the opposite of a yes or no.
        ours: the reason for the expected outcome.
        theirs: the reason for the second outcome, or who gives it.
    """

    kind: Kind
    other: dict[str, Any] | None
    ours: str
    theirs: str

    def outcomes(self, expected: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the accepted outcomes, of which ``expected`` is the first."""
        other = self.other
        if other is None:
            ((key, value),) = expected.items()
            other = {key: not value}
        return either((expected, self.ours), (other, self.theirs))

    def file_of(self, operation: str) -> tuple[str, str]:
        """Return the path and the title of the file for a disputed case of an operation."""
        if self.kind is Kind.DIFFER:
            return "disputed/auth.json", self.kind.value
        # These cases hold numbers that not every parser reads, and the names of such files end like this.
        numbers = "_numbers" if operation in ("content_hash", "event_id") else ""
        path = f"disputed/{self.kind.name.lower()}_{operation}{numbers}.json"
        return path, f"Answers of {operation} {self.kind.value}"


def differ(ours: str, theirs: str) -> Dispute:
    """Return a dispute over a yes or no of the authorisation rules.

    Args:
        ours: the implementations that give the expected answer; empty if none does.
        theirs: the implementations that give the opposite; empty if none does.
    """
    return Dispute(
        Kind.DIFFER,
        None,
        f"roomver's choice, and the answer of {ours}" if ours else "roomver's choice",
        f"the answer of {theirs}" if theirs else "also possible by the letter of the specification",
    )


class Moved(NamedTuple):
    """A case that went into another file. The generator's report lists it."""

    name: str
    target: str
    reason: str


@dataclass
class File:
    """One vector file: cases are added in order.

    Attributes:
        path: the path below the folder of vectors.
        title: what the file is about.
        cases: the cases as they are written.
        disputed: the cases that go into a file of ``disputed/`` instead, each with its dispute.
        moved: the cases that went into another file, for the report.
        left_out: the full names of cases that were built and not written, for the report.
    """

    path: str
    title: str
    cases: list[dict[str, Any]] = field(default_factory=list)
    disputed: list[tuple[dict[str, Any], Dispute]] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        version: str,
        given: dict[str, Any],
        expected: Any,
        *,
        spec: str,
        notes: str,
        disputed: Dispute | None = None,
    ) -> None:
        """Add a case.

        Args:
            name: the name without the room version. The first part, up to the first full stop, is the
                operation.
            version: the room version of the case.
            given: the input.
            expected: the expected outcome, or in a file of ``disputed/`` a list as `either` returns it.
            notes: why the case exists. If empty, `about_one` says what it is about.
            disputed: why the case accepts a second outcome, if it does. It then goes into another file.

        Raises:
            ValueError: if there are no notes, and nothing to say about the case.
        """
        case: dict[str, Any] = {
            "name": f"{name}.v{version}",
            "operation": name.partition(".")[0],
            "room_version": version,
            "input": deepcopy(given),
            "expected": deepcopy(expected if disputed is None else disputed.outcomes(expected)),
        }
        case["spec"] = spec
        case["notes"] = notes or about_one(name, given)
        if disputed is None:
            self.cases.append(case)
        else:
            self.disputed.append((case, disputed))

    def text(self) -> str:
        """Return the text of the file, without the final newline."""
        document = {"format": FORMAT, "title": self.title, "cases": self.cases}
        return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)


@dataclass
class EventsFile(File):
    """A vector file that has each event on one line, since most of its content is events."""

    def text(self) -> str:
        """Return the text of the file, without the final newline."""
        head = json.dumps({"format": FORMAT, "title": self.title}, indent=1)[:-2]
        return head + ',\n "cases": [\n' + ",\n".join(map(_case_text, self.cases)) + "\n ]\n}"


def _case_text(case: dict[str, Any]) -> str:
    lines = []
    for key, value in case.items():
        if key == "input" and "events" in value:
            events = ",\n".join(f"     {_line(one)}:{_line(pdu)}" for one, pdu in value["events"].items())
            rest = "".join(
                f",\n    {_line(name)}: {_line(v)}" for name, v in value.items() if name != "events"
            )
            lines.append(f'   "input": {{\n    "events": {{\n{events}\n    }}{rest}\n   }}')
        else:
            lines.append(f"   {_line(key)}: {_line(value)}")
    return "  {\n" + ",\n".join(lines) + "\n  }"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def settled(files: Iterable[File]) -> Iterator[File]:
    """Yield the files, and after them the files for the disputed cases of them all."""
    apart: dict[str, File] = {}
    for file in files:
        for case, dispute in file.disputed:
            path, title = dispute.file_of(case["operation"])
            apart.setdefault(path, EventsFile(path, title)).cases.append(case)
            file.moved.append(Moved(case["name"], path, f"also accepted: {dispute.theirs}"))
        yield file
    yield from apart.values()


def page(version: str, section: str) -> str:
    """Return the address of a section of a room version's page."""
    return f"{SPEC}/rooms/v{version}/#{section}"


def either(*outcomes: tuple[dict[str, Any], str]) -> list[dict[str, Any]]:
    """Return the accepted outcomes of a disputed case. This project's choice comes first.

    The reasons for the same outcome are joined.
    """
    reasons: dict[str, list[str]] = {}
    for outcome, reason in outcomes:
        reasons.setdefault(json.dumps(outcome, sort_keys=True), []).append(reason)
    return [{"outcome": json.loads(text), "reason": "; ".join(found)} for text, found in reasons.items()]


def write(file: File, folder: Path) -> None:
    """Write a vector file. The same cases always give the same bytes."""
    text = _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", file.text())
    target = folder / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode("utf-8") + b"\n")
