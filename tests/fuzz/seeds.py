"""What a run that coverage guides begins with: cases of each target, most of them made of the vectors."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final
from zlib import crc32

from . import corpus
from .promises import Target
from .specs import of_bytes, size_of

_VERSION: Final = re.compile(r"\.v\d+(?=\.|$)")
_LARGEST: Final = 30_000  # size of a case: `python -m tests.fuzz` runs larger ones
_DRAWN: Final = 120  # cases of a target that vectors cannot be made into


def is_quick(case: Any) -> bool:
    """Tell whether a case is small enough for a run that counts what code it reaches."""
    return size_of(case) <= _LARGEST


@cache
def one_of_each() -> Mapping[str, list[Any]]:
    """Return cases of the suite by operation: of a case that several room versions have, that of one."""
    chosen: dict[str, Any] = {}
    for path in sorted(corpus.VECTORS.glob("*/*.json")):
        if path.parent.name not in ("auth", "base", "disputed", "receipt", "resolution"):
            continue
        for case in corpus.cases(path):
            name = _VERSION.sub("", case["name"])
            number = crc32(case["name"].encode())
            if name not in chosen or number < chosen[name][0]:
                chosen[name] = (number, case)
    found: dict[str, list[Any]] = {}
    for _, case in chosen.values():
        found.setdefault(case["operation"], []).append(case)
    return found


def _texts() -> Iterator[Any]:
    for case in one_of_each()["canonical_json"]:
        text = case["input"]["json"].encode("utf-8", "surrogatepass")
        yield {"version": case["room_version"], "text": of_bytes(text)}


def _pdus() -> Iterator[Any]:
    for cases in one_of_each().values():
        for case in cases:
            if type(case["input"].get("event")) is dict:
                yield {"version": case["room_version"], "pdu": case["input"]["event"]}


def _rules() -> Iterator[Any]:
    for operation in ("auth", "redaction_applies", "resolve", "check"):
        for case in one_of_each()[operation]:
            events = dict(case["input"]["events"])
            if not events:
                continue
            name = case["input"].get("event")
            judged = events.pop(name if type(name) is str else [*events][-1])
            yield {
                "version": case["room_version"],
                "judged": judged,
                "events": [[event_id, pdu] for event_id, pdu in events.items()],
            }


def _files() -> Iterator[Any]:
    for version in ("1", "6", "12"):
        for file in corpus.files_of_a_room(version).values():
            yield {"version": version, "file": of_bytes(file)}
    for cases in one_of_each().values():
        document = {"format": "roomver-vectors/1", "title": "fuzz", "cases": cases[:1]}
        yield {"version": None, "file": of_bytes(json.dumps(document).encode())}
    for case in one_of_each()["check"]:
        lines = [json.dumps(pdu) for pdu in case["input"]["events"].values()]
        yield {"version": case["room_version"], "file": of_bytes("\n".join(lines).encode())}


_OF_VECTORS: Final[Mapping[str, Callable[[], Iterator[Any]]]] = {
    "text": _texts,
    "pdus": _pdus,
    "rules": _rules,
    "files": _files,
}


def seeds(target: Target) -> Iterator[Any]:
    """Yield the cases that a run of a target begins with: the same in each run.

    Rooms and stores are drawn by number, and a command line is drawn with its files, which hold vectors.
    """
    made = _OF_VECTORS.get(target.name)
    if made is not None:
        yield from filter(is_quick, made())
        return
    for number in range(_DRAWN):
        case = target.draw(Random(f"seeds/{target.name}/{number}"))
        if is_quick(case):
            yield case


def write_seeds(target: Target, folder: Path) -> int:
    """Write the first corpus of a target, a file for each case, and return their number."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for number, case in enumerate(seeds(target), 1):
        (folder / f"{number:04}.json").write_text(json.dumps(case), encoding="utf-8")
    return number
