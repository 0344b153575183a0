"""``python -m tests.release [TAG]``: tell what keeps this checkout from being released as it is.

Exits 1 if anything does. The release workflow runs it with the tag before it builds.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
URLS: Final = ("Source", "Issues", "Changelog")
_VERSION: Final = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_HEADING: Final = re.compile(
    r"^## \[?([^\]\n]+)\]?(?: - (\d{4}-\d{2}-\d{2}))?\n(.*?)(?=^## |\Z)", re.S | re.M
)
# Names that are reserved for examples, and so are nobody's.
_RESERVED: Final = re.compile(r"https://([\w.-]+\.)?(example(\.\w+)?|invalid|localhost|test)(/|$)")
# What the documents say as long as the project has no name on an index.
_UNRELEASED: Final = ("not on a package index", "not on the package index", "Nothing is released yet")
# The folders whose pages are for users. The changelog tells what was so when it was written.
_PAGES: Final = ("*.md", "docs/**/*.md", "vectors/*.md", "vectors/adapters/*.md", "vectors/examples/*/*.md")


def version_of(root: Path) -> str:
    """Return the version in the source of the package."""
    match = _VERSION.search((root / "src/roomver/__init__.py").read_text(encoding="utf-8"))
    return match[1] if match else ""


def problems(root: Path, tag: str | None = None) -> Iterator[str]:
    """Yield what is wrong, a sentence each."""
    version = version_of(root)
    if tag not in (None, f"v{version}"):
        yield f"the tag is {tag}, the version is {version}"
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = {name: (date, body.strip()) for name, date, body in _HEADING.findall(text)}
    date, body = sections.get(version, ("", ""))
    if not date or not body:
        yield f"CHANGELOG.md has no dated section for {version} with an entry"
    if sections.get("Unreleased", ("", ""))[1]:
        yield "CHANGELOG.md has entries under Unreleased"
    citation: dict[str, Any] = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    if citation["version"] != version:
        yield f"CITATION.cff has version {citation['version']}, the package {version}"
    if date and citation["date-released"] != date:
        yield f"CITATION.cff was released on {citation['date-released']}, CHANGELOG.md says {date}"
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    addresses = project.get("urls", {})
    for name in URLS:
        if name not in addresses:
            yield f"pyproject.toml has no address for {name}"
    for name, address in addresses.items():
        if not address.startswith("https://") or _RESERVED.match(address):
            yield f"pyproject.toml: the address for {name} is nobody's: {address}"
    if addresses.get("Source", "https://") not in (root / "SECURITY.md").read_text(encoding="utf-8"):
        yield "SECURITY.md does not say how to report at the address of the source"
    for path in sorted({path for pattern in _PAGES for path in root.glob(pattern)}):
        text = " ".join(path.read_text(encoding="utf-8").split())
        for words in _UNRELEASED:
            if words in text and path.name != "CHANGELOG.md":
                yield f"{path.relative_to(root).as_posix()} says: {words}"


def main() -> int:
    """Print the problems, and return the exit code."""
    found = list(problems(ROOT, *sys.argv[1:2]))
    for problem in found:
        print(problem)
    print(f"{version_of(ROOT)}: {len(found)} problems" if found else f"{version_of(ROOT)} can be released")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
