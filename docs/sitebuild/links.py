"""The links of a built site: each target exists, and nothing is loaded from elsewhere.

External addresses are checked by their form only. There is no network.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Elements that the browser loads by themselves, and the attribute that says from where.
_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
# `link` elements that only tell something, such as where the search page is.
_TOLD = frozenset({"index", "search", "next", "prev", "author", "canonical", "genindex", "top", "up"})
_CSS = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class _Page(HTMLParser):
    """What a page has: anchors, links, and what the browser loads for it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: set[str] = set()
        self.twice: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        name = values.get("id")
        if name is not None:
            (self.twice if name in self.anchors else self.anchors).add(name)
        if tag == "a" and "name" in values:
            self.anchors.add(values["name"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in _LOADED and _LOADED[tag] in values:
            told = tag == "link" and set(values.get("rel", "").split()) <= _TOLD
            (self.links if told else self.loaded).append(values[_LOADED[tag]])


def find_problems(folder: Path) -> list[str]:
    """Return what is wrong with the links of a site, one line each.

    Args:
        folder: the folder of the site. Every `.html` and `.css` file in it is read.
    """
    pages = {
        path.relative_to(folder): _Page(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
    }
    problems = [
        f"{path}: the id {name!r} is there twice" for path, one in pages.items() for name in one.twice
    ]
    for path, one in pages.items():
        for address in one.loaded:
            problems += [f"{path}: {told}" for told in _loaded(folder, path, address)]
        for address in one.links:
            problems += [f"{path}: {told}" for told in _linked(folder, path, address, pages)]
    for path in sorted(folder.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        for match in _CSS.finditer(text):
            address = match[1] or match[2]
            where = path.relative_to(folder)
            problems += [f"{where}: {told}" for told in _loaded(folder, where, address)]
    return problems


def _loaded(folder: Path, path: Path, address: str) -> Iterator[str]:
    """Yield what is wrong with something that a page or a style loads."""
    parts = urlsplit(address)
    if parts.scheme == "data":
        return
    if parts.scheme or parts.netloc:
        yield f"loads {address} from elsewhere"
    elif parts.path and not (folder / path.parent / unquote(parts.path)).is_file():
        yield f"loads {address}, which does not exist"


def _linked(folder: Path, path: Path, address: str, pages: dict[Path, _Page]) -> Iterator[str]:
    """Yield what is wrong with a link."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        host = parts.hostname or ""
        if parts.scheme not in ("https", "http") or not re.fullmatch(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", host):
            yield f"links to {address}, which is not a web address"
        elif re.search(r"[\s<>\"`{}|\\^]", address):
            yield f"links to {address}, which has characters that an address cannot have"
        return
    target = (folder / path.parent / unquote(parts.path)).resolve() if parts.path else folder / path
    if not target.is_file():
        yield f"links to {address}, which does not exist"
        return
    where = target.relative_to(folder.resolve()) if parts.path else path
    if parts.fragment and where in pages and unquote(parts.fragment) not in pages[where].anchors:
        yield f"links to {address}, and that page has no such anchor"
