"""Write ``bugs.md`` from ``bugs.json``, the catalogue of public bugs in implementations.

``bugs.json`` is written by hand: it says what people found in the threads.
"""

import json
from pathlib import Path
from typing import Any


def as_markdown(catalogue: dict[str, Any]) -> str:
    """Return the catalogue as Markdown."""
    lines = [
        "# Public bugs of implementations",
        "",
        "These are public bugs of implementations, and of the specification, in what this suite tests. Each",
        "has the thread or the commit in which it was found or fixed, and the cases that catch it. `*` in",
        "the name of a case matches any text. This page is generated from [bugs.json](bugs.json), which has",
        "the same for programs. Its schema is [schemas/bugs.schema.json](schemas/bugs.schema.json).",
        "",
        "We welcome bugs of your own, with their threads: each is worth a case to all implementations.",
    ]
    for bug in catalogue["bugs"]:
        versions = bug["room_versions"]
        spoken = versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
        threads = ", ".join(f"[{thread_name(thread)}]({thread})" for thread in bug["threads"])
        facts = [f"room version{'s' if len(versions) > 1 else ''} {spoken}", f"seen on {bug['reported']}"]
        if bug["fixed"]:
            facts.append(f"fixed in {bug['fixed']}")
        lines += [
            "",
            f"## {bug['title']}",
            "",
            f"{', '.join(bug['implementations'])}; {'; '.join(facts)}; {threads}",
            "",
            bug["what"],
            "",
            f"Caught by {', '.join(f'`{case}`' for case in bug['cases'])}.",
        ]
    return "\n".join(lines) + "\n"


def thread_name(thread: str) -> str:
    """Return a short name for the address of a thread, a commit, an advisory or a list of changes.

    >>> thread_name("https://github.com/owner/name/pull/5")
    'owner/name#5'
    >>> thread_name("https://github.com/owner/name/commit/0123456789abcdef")
    'owner/name@01234567'
    >>> thread_name("https://github.com/owner/name/blob/v1.2/CHANGELOG.md")
    'owner/name v1.2'
    """
    owner, name, kind, what, *rest = thread.removeprefix("https://github.com/").split("/")
    match kind:
        case "commit":
            return f"{owner}/{name}@{what[:8]}"
        case "security":
            return rest[0]
        case "blob":
            return f"{owner}/{name} {what}"
        case _:
            return f"{owner}/{name}#{what}"


def write(folder: Path) -> None:
    """Write ``bugs.md`` into a folder of vectors; do nothing if the folder has no ``bugs.json``."""
    source = folder / "bugs.json"
    if source.exists():
        catalogue = json.loads(source.read_text(encoding="utf-8"))
        (folder / "bugs.md").write_text(as_markdown(catalogue), encoding="utf-8")
