"""One folder with all pages of the site, from which Sphinx builds it.

The pages are copies of the Markdown files of the checkout, at the same paths, so that the links between them
hold. Three things are changed: comments are left out, links to folders lead to their README, and the
navigation is added. Files to which a page links, such as schemas, are copied too.
"""

import posixpath
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from docs.how.links import case_folders

from . import command_pages, python_pages, schema_pages
from .navigation import SECTIONS, pages

ROOT = Path(__file__).parents[2]
FIRST = "docs/index"
"""The first page of the site. It is built at the top of the site, as `index`."""

_CASES = tuple(f"vectors/{folder}/" for folder in case_folders())
"""The folders of the vector files. The site does not have them: it would be 27 MB larger."""

_BUILT = frozenset({"target", "venv"})
"""Folders in which the adapters of the vectors are built. They hold pages of other projects."""

_FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!-- .*? -->\n?", re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#)([^)#\s]*)(#[^)]*)?\)")


def stage(folder: Path) -> list[str]:
    """Write all pages into a folder, which is emptied first.

    Returns:
        What is wrong with the sources, one line each: links without a target, pages without a place in the
        navigation.
    """
    shutil.rmtree(folder, ignore_errors=True)
    names = {page.name for page in pages()}
    written = {**python_pages.write(), **command_pages.write(), **schema_pages.write()}
    written["reference/recording.md"] = _recording()
    written["reference/homeserver.md"] = _homeserver()
    problems: list[str] = []
    for name, text in written.items():
        _write(folder / name, text)
    for name in sorted(names | {FIRST}):
        if (folder / f"{name}.md").exists() or (folder / f"{name}.rst").exists():
            continue
        source = ROOT / f"{name}.md"
        if not source.is_file():
            problems.append(f"{name}: in the navigation, but there is no such page")
            continue
        text, told = staged(name, source.read_text(encoding="utf-8"), names, folder)
        problems += told
        if name == "docs/commands":
            text = command_pages.linked(text)
        _write(folder / ("index.md" if name == FIRST else f"{name}.md"), text)
    for page in pages():
        if page.children:
            with (folder / f"{page.name}.md").open("a", encoding="utf-8") as file:
                file.write(_toctree(child.name for child in page.children))
    with (folder / "index.md").open("a", encoding="utf-8") as file:
        for section in SECTIONS:
            file.write(_toctree([page.name for page in section.pages], section.caption))
    problems += [f"{name}: not in the navigation" for name in sorted(_documents() - names)]
    return problems


def staged(name: str, text: str, names: set[str], folder: Path) -> tuple[str, list[str]]:
    """Return the text of a page as it is built, and what is wrong with its links."""
    problems: list[str] = []

    def follow(match: re.Match[str]) -> str:
        image, label, path, anchor = match[1], match[2], match[3], match[4] or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        found = _target(target, names)
        if found is None and target.startswith(_CASES):
            return label  # 27 MB; `roomver vectors show` prints a case
        if found is None and (ROOT / target).is_file():
            _copy(ROOT / target, folder / target)
            found = target
        elif found is None and (ROOT / target).is_dir():
            return label  # a folder of the checkout that the site does not have
        elif found is None:
            problems.append(f"{name}: links to {path}, which does not exist")
            return label
        start = "" if name == FIRST else posixpath.dirname(name)
        return f"{image}[{label}]({posixpath.relpath(found, start or '.')}{anchor})"

    return _outside_code(text, lambda part: _LINK.sub(follow, _COMMENT.sub("", part))), problems


def _target(target: str, names: set[str]) -> str | None:
    """Return the page to which a path of the checkout leads, or None."""
    if target in ("README.md", f"{FIRST}.md"):
        return "index.md"
    # A page that the checkout also has as HTML is the same page here.
    for name in (target.removesuffix(".md"), target.removesuffix(".html"), f"{target}/README"):
        if name in names:
            return f"{name}.md"
    return None


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change the parts of a page that are outside fenced code."""
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(text[end:])])


def _toctree(names: Iterable[str], caption: str = "") -> str:
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *(f"/{name}" for name in names), "```", ""])


def _documents() -> set[str]:
    """Return the names of the pages that the navigation must have."""
    folders = ("docs", "vectors", "benchmarks")
    found = {path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.md")}
    names = {
        path.with_suffix("").as_posix()
        for path in found
        if _BUILT.isdisjoint(path.parts) and not any(part.startswith(".") for part in path.parts)
    }
    return (names | {"CONTRIBUTING", "CHANGELOG"}) - {FIRST}


def _recording() -> str:
    """Return the page about recordings: the section of the README of the vectors."""
    text = (ROOT / "vectors" / "README.md").read_text(encoding="utf-8")
    _, found, section = text.partition("\n## Recorded rooms\n")
    if not found or "\n## " in section:
        raise ValueError("vectors/README.md does not end with the section 'Recorded rooms'")
    return f"# The recording format\n{section}"


def _homeserver() -> str:
    """Return the page with the whole source of the example."""
    lines = ["# The source of the small homeserver", ""]
    lines += ["[A small homeserver](../docs/homeserver.md) explains these files. Tests run them.", ""]
    for name in ("server.py", "store.py", "__main__.py"):
        text = (ROOT / "docs" / "homeserver" / name).read_text(encoding="utf-8")
        lines += [
            f"## {name.replace('__', chr(92) + '_' + chr(92) + '_')}",
            "",
            "```python",
            text.rstrip(),
            "```",
            "",
        ]
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
