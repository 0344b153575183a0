"""A vector file while it is put together, and how it is written."""

import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = "roomver-vectors/1"

ERROR = {"error": True}

SPEC = "https://spec.matrix.org/latest"
CANONICAL = f"{SPEC}/appendices/#canonical-json"

# Code points that nobody sees, or that reorder what is seen, are escaped in the files.
_INVISIBLE = re.compile(
    "[\x7f-\xa0\xad\u0300-\u036f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ue000-\uf8ff\ufeff\ufffe\uffff]"
)


@dataclass
class File:
    """One vector file: cases are added in order."""

    path: str
    title: str
    cases: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        name: str,
        version: str,
        given: dict[str, Any],
        expected: Any,
        *,
        spec: str,
        notes: str,
        operation: str = "",
    ) -> None:
        """Add a case: its operation, if not named, is the first part of the name."""
        case: dict[str, Any] = {
            "name": f"{name}.v{version}",
            "operation": operation or name.partition(".")[0],
            "room_version": version,
            "input": deepcopy(given),
            "expected": deepcopy(expected),
        }
        if spec:
            case["spec"] = spec
        if notes:
            case["notes"] = notes
        self.cases.append(case)

    def text(self) -> str:
        """Return the file as text, without the last line end."""
        document = {"format": FORMAT, "title": self.title, "cases": self.cases}
        return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)


def page(version: str, section: str) -> str:
    """Return the address of a section of a room version's page."""
    return f"{SPEC}/rooms/v{version}/#{section}"


def either(*outcomes: tuple[dict[str, Any], str]) -> list[dict[str, Any]]:
    """Return what a disputed case expects: outcomes with their reasons, this project's choice first."""
    return [{"outcome": outcome, "reason": reason} for outcome, reason in outcomes]


def write(file: File, folder: Path) -> None:
    """Write a vector file: the same cases always give the same bytes."""
    text = _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", file.text())
    target = folder / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode("utf-8") + b"\n")
