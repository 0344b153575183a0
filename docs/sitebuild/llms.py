"""`llms.txt`: the pages of the site for programs that read it, in the order of the navigation."""

import html
import re
from pathlib import Path

from .navigation import SECTIONS, Page

_SUMMARY = (
    "The rules of Matrix room versions 1 to 12 as a Python library, a command-line tool and a suite of test"
    " vectors: event format, hashes, signatures, redaction, authorisation and state resolution. Every answer"
    " comes with its reason."
)
_TITLE = re.compile(r"<h1>(.*?)<a class=\"headerlink\"", re.DOTALL)
_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)


def write(folder: Path) -> None:
    """Write `llms.txt` beside the pages of a built site."""
    lines = ["# roomver", "", f"> {_SUMMARY}", ""]
    for section in SECTIONS:
        lines += [f"## {section.caption}", "", section.about, ""]
        for page in section.pages:
            lines += [entry(folder, one) for one in page.walk()]
        lines.append("")
    (folder / "llms.txt").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def entry(folder: Path, page: Page) -> str:
    """Return the line of a page: its title, its address and its first sentence."""
    text = (folder / f"{page.name}.html").read_text(encoding="utf-8")
    title, end = _TITLE.search(text), 0
    if title is None:
        raise ValueError(f"{page.name}: the page has no title")
    end = title.end()
    first = _PARAGRAPH.search(text, end)
    about = _plain(first[1]) if first else ""
    sentence = re.match(r".*?[^.][.?](?= [A-Z]|$)", about)
    told = (sentence[0] if sentence else about).rstrip(".:")
    return f"- [{_plain(title[1])}]({page.name}.html): {told}"


def _plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())
