"""The report that the generator prints: cases per file, cases left out or moved, and what is new."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

from .suite import File
from .versions import ALL


class Difference(NamedTuple):
    """How a file differs from the one that it replaces.

    Attributes:
        path: the file, below the folder of vectors.
        created: whether there was no such file.
        new, changed, gone: the names of the cases.
    """

    path: str
    created: bool
    new: list[str]
    changed: list[str]
    gone: list[str]


def difference(file: File, folder: Path) -> Difference:
    """Return how a file differs from the file in the folder that it will replace."""
    target = folder / file.path
    if not target.exists():
        return Difference(file.path, True, [], [], [])
    document: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    before = {case["name"]: case for case in document["cases"]}
    now = {case["name"]: case for case in file.cases}
    return Difference(
        file.path,
        False,
        [name for name in now if name not in before],
        [name for name in now if name in before and now[name] != before[name]],
        [name for name in before if name not in now],
    )


def lines(files: Sequence[File], differences: Sequence[Difference]) -> Iterator[str]:
    """Yield the lines of the report."""
    for file in files:
        yield f"{len(file.cases):5} {file.path}"
    yield from _elsewhere(files)
    yield from _left_out(files)
    yield from _differences(differences)


def _elsewhere(files: Sequence[File]) -> Iterator[str]:
    """Yield the cases that went into another file, and why."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for file in files:
        for one in file.moved:
            groups.setdefault((file.path, one.target, one.reason), []).append(one.name)
    if groups:
        yield ""
        yield "Moved to another file:"
    for (path, target, reason), names in groups.items():
        yield f"  {path} -> {target}: {reason}"
        yield from _listed(names)


def _left_out(files: Sequence[File]) -> Iterator[str]:
    """Yield the cases that are written in only some of the versions in which they were built."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for file in files:
        absent: dict[str, list[str]] = {}
        for name in file.left_out:
            label, version = _split(name)
            absent.setdefault(label, []).append(version)
        written: dict[str, list[str]] = {}
        for name in [*(case["name"] for case in file.cases), *(one.name for one in file.moved)]:
            label, version = _split(name)
            written.setdefault(label, []).append(version)
        for label, versions in absent.items():
            kept = written.get(label, [])
            every = sorted([*kept, *versions], key=ALL.index)
            groups.setdefault((file.path, _ranges(kept), _ranges(every)), []).append(label)
    if groups:
        yield ""
        yield "Written in some of the room versions that have the rule, as `versions` of the case says:"
    for (path, kept_in, possible), labels in groups.items():
        yield f"  {path}: in {kept_in} (of {possible})"
        yield from _wrapped(", ".join(_braced(labels)))


def _differences(differences: Sequence[Difference]) -> Iterator[str]:
    """Yield the cases that are new, changed or gone."""
    yield ""
    if not any(one.created or one.new or one.changed or one.gone for one in differences):
        yield "Nothing is new, changed or gone since the files were last written."
        return
    yield "Since the files were last written:"
    for one in differences:
        if one.created:
            yield f"  {one.path}: a new file"
        for what in ("new", "changed", "gone"):
            names: list[str] = getattr(one, what)
            if names:
                yield f"  {one.path}: {len(names)} {what}"
                yield from _listed(names)


def _listed(names: Iterable[str]) -> Iterator[str]:
    """Yield the names of cases, grouped by their room versions."""
    versions: dict[str, list[str]] = {}
    for name in names:
        label, version = _split(name)
        versions.setdefault(label, []).append(version)
    by_versions: dict[str, list[str]] = {}
    for label, found in versions.items():
        by_versions.setdefault(_ranges(found), []).append(label)
    for found_in, labels in by_versions.items():
        yield from _wrapped(f"{', '.join(_braced(labels))} ({found_in})")


def _wrapped(text: str) -> list[str]:
    return wrap(text, 110, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)


def _split(name: str) -> tuple[str, str]:
    """Split the name of a case into the name without room version, and the version."""
    found = re.search(r"\.v(\d+)(?=\.|$)", name)
    assert found is not None, name
    return name[: found.start()] + name[found.end() :], found[1]


def _ranges(versions: Iterable[str]) -> str:
    """Return room versions as text, such as ``1-5, 8``."""
    found: list[list[int]] = []
    for version in sorted(map(int, versions)):
        if found and version == found[-1][1] + 1:
            found[-1][1] = version
        else:
            found.append([version, version])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def _braced(labels: Iterable[str]) -> list[str]:
    """Combine names that differ only in the last part, as in ``a.{b, c}``."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        start, _, last = label.rpartition(".")
        groups.setdefault(start, []).append(last)
    return [
        f"{start}.{last[0]}" if len(last) == 1 else f"{start}.{{{', '.join(last)}}}"
        for start, last in groups.items()
    ]


# The links of the results


_NAME_LINE = re.compile(r'\s*"name": "([^"\\]+)",?')
_LINKS = (
    re.compile(r"(?P<before>\[`(?P<name>[^`]+)`\]\()(?P<address>[^)]+#L[0-9]+)"),
    re.compile(r'(?P<address>\.\./[^"]+#L[0-9]+)(?P<after>"><code>(?P<name>[^<]+)</code>)'),
)


def relink(folder: Path) -> None:
    """Let the links in ``results/report.md`` and ``report.html`` lead to the cases where they are now.

    Args:
        folder: of vectors. A folder without results is left as it is.
    """
    pages = [folder / "results" / name for name in ("report.md", "report.html")]
    if not all(page.is_file() for page in pages):
        return
    places = {}
    for file in sorted(folder.glob("*/*.json")):
        # The report has the names of the cases, too.
        if file.parent.name == "results":
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
            if (found := _NAME_LINE.fullmatch(line)) is not None:
                places[found[1]] = f"../{file.relative_to(folder).as_posix()}#L{number}"
    for page, link in zip(pages, _LINKS, strict=True):

        def linked(found: re.Match[str]) -> str:
            address = places.get(found["name"], found["address"])
            parts = found.groupdict()
            return f"{parts.get('before', '')}{address}{parts.get('after', '')}"

        page.write_bytes(link.sub(linked, page.read_text(encoding="utf-8")).encode())
