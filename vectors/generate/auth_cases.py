"""The book in which the authorisation generators write their cases.

A rejecting case has a twin. The twin is an accepting case with the repaired event in the same kind of room.
This shows that the event has the one defect that the case names, and no other. The generators state the
expected outcomes, read off the specification. Nothing here asks the library for a verdict.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .about import about
from .auth_numbers import RULE_NUMBERS
from .rooms import Room
from .suite import Dispute, Kind, page
from .versions import ALL, Versions


@dataclass(frozen=True, slots=True)
class Made:
    """A case as a generator made it.

    Attributes:
        file: the name of its file, without folder and extension.
        rule_name: the name of the rule that decides; empty if the case is not about a rule.
        twin: the full name of the accepting case with the repaired event; empty for an accepting case, and
            for a rejecting case that cannot be repaired.
        disputed: why the case accepts a second outcome, if it does.
        odd: whether the setup needs events that the rules would have rejected.
    """

    file: str
    name: str
    operation: str
    version: str
    input: dict[str, Any]
    expected: dict[str, Any]
    spec: str
    rule_name: str
    notes: str
    twin: str
    odd: bool
    disputed: Dispute | None

    def document(self) -> dict[str, Any]:
        """Return the case as it is written to its file."""
        case: dict[str, Any] = {
            "name": self.name,
            "operation": self.operation,
            "room_version": self.version,
            "input": self.input,
            "expected": self.expected if self.disputed is None else self.disputed.outcomes(self.expected),
            "spec": self.spec,
        }
        if self.rule_name:
            case["rule"] = RULE_NUMBERS[self.version][self.rule_name]
        case["notes"] = self.notes or about(self)
        return case


class Book:
    """The cases of one file in one room version.

    A generator's ``cases`` function runs once for each room version, with a book for that version. Each case
    names the room versions that it is for. The book keeps the case if its own version is one of them.

    Args:
        file: the name of the file, without folder and extension.
        version: the room version.

    Attributes:
        made: the cases, in order.
        stated: the versions that each case named, by the name of the case without its version.
        left_out: the full names of the cases that were built here and are not for this version.
    """

    def __init__(self, file: str, version: str) -> None:
        self.file = file
        self.version = version
        self.number = int(version)
        self.made: list[Made] = []
        self.stated: dict[str, Versions] = {}
        self.left_out: list[str] = []

    def allow(
        self,
        name: str,
        room: Room,
        event: str,
        rule_name: str,
        notes: str = "",
        *,
        versions: Versions,
        **more: Any,
    ) -> None:
        """Write a case in which the rule ``rule_name`` allows the event.

        Args:
            versions: the room versions that get the case.
            more: ``state``, the IDs of the room state; ``rejected``, the IDs of rejected events; ``spec``,
                the address of the paragraph that decides; further fields of `Made`.
        """
        self._auth(name, room, event, {"allowed": True}, rule_name, notes, versions=versions, **more)

    def reject(
        self,
        name: str,
        room: Room,
        event: str,
        rule_name: str,
        notes: str = "",
        *,
        versions: Versions,
        twin: str,
        **more: Any,
    ) -> None:
        """Write a case in which the rule ``rule_name``, and no other, rejects the event.

        Args:
            versions: the room versions that get the case.
            twin: the name of the case with the repaired event, which must be written in the same versions;
                empty if the event cannot be repaired.
        """
        full = self.full_name("auth", twin) if twin else ""
        self._auth(
            name, room, event, {"allowed": False}, rule_name, notes, versions=versions, twin=full, **more
        )

    def pair(
        self,
        name: str,
        room: Room,
        bad: str,
        good: str,
        rule_names: tuple[str, str],
        notes: str = "",
        *,
        versions: Versions,
        **more: Any,
    ) -> None:
        """Write a rejecting case, and its accepting twin with the repaired event in the same room.

        Args:
            rule_names: the rule that rejects, and the rule that allows.
            versions: the room versions that get both cases.
        """
        repaired = f"{name}.repaired"
        self.reject(name, room, bad, rule_names[0], notes, versions=versions, twin=repaired, **more)
        self.allow(
            repaired, room, good, rule_names[1], "The same event without its defect.", versions=versions
        )

    def error(
        self, name: str, room: Room, event: str, notes: str, hidden: Sequence[str], *, versions: Versions
    ) -> None:
        """Write a case that cannot be decided because the ``hidden`` events are missing."""
        self._auth(name, room, event, {"error": True}, "", notes, hidden=hidden, versions=versions)

    def written(self) -> set[str]:
        """Return the names of the cases that are for this version, without the version."""
        return {label for label, versions in self.stated.items() if self.version in versions}

    def full_name(self, group: str, name: str) -> str:
        """Return the full name of a case in this book's room version."""
        return f"{group}.v{self.version}.{name}"

    def _auth(
        self,
        name: str,
        room: Room,
        event: str,
        expected: dict[str, Any],
        rule_name: str,
        notes: str,
        *,
        versions: Versions,
        state: Iterable[str] | None = None,
        rejected: Sequence[str] = (),
        hidden: Sequence[str] = (),
        twin: str = "",
        odd: bool = False,
        disputed: Dispute | None = None,
        spec: str = "",
    ) -> None:
        given: dict[str, Any] = {"event": event}
        roots = [event, *rejected]
        if state is not None:
            given["state"] = sorted(state)
            roots += given["state"]
        if rejected:
            given["rejected"] = sorted(rejected)
        events = {one: pdu for one, pdu in room.chain(roots).items() if one not in hidden}
        self.write(
            "auth",
            name,
            {"events": events, **given},
            expected,
            spec or page(self.version, "authorisation-rules"),
            versions=versions,
            rule_name=rule_name,
            notes=notes,
            twin=twin,
            odd=odd,
            disputed=disputed,
        )

    def write(
        self,
        group: str,
        name: str,
        given: dict[str, Any],
        expected: dict[str, Any],
        spec: str,
        *,
        versions: Versions,
        rule_name: str = "",
        notes: str = "",
        twin: str = "",
        odd: bool = False,
        disputed: Dispute | None = None,
    ) -> None:
        """Write a case of any operation.

        Args:
            group: the part of the full name before the room version. Its first word is the operation.
            versions: the room versions that get the case.
        """
        if disputed is not None and disputed.kind is Kind.DIFFER:
            assert notes.startswith("Disputed:"), name
        label = f"{group}.{name}"
        if label in self.stated:
            raise ValueError(f"{label} is written twice in room version {self.version}")
        if unknown := set(versions) - set(ALL):
            raise ValueError(f"{label} is for room versions that do not exist: {', '.join(sorted(unknown))}")
        self.stated[label] = versions
        if self.version not in versions:
            self.left_out.append(self.full_name(group, name))
            return
        self.made.append(
            Made(
                self.file,
                self.full_name(group, name),
                group.partition(".")[0],
                self.version,
                given,
                expected,
                spec,
                rule_name,
                notes,
                twin,
                odd,
                disputed,
            )
        )
