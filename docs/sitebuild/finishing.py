"""What the theme and Sphinx leave out of their HTML and a screen reader or a keyboard needs."""

import re
from pathlib import Path

_SIGNATURE = re.compile(r"<dl>\n((?:<dd><em class=\"sig-param\">.*?</em>,?</dd>\n)+)</dl>\n")
_PARAMETER = re.compile(r"<dd>(<em class=\"sig-param\">.*?</em>,?)</dd>\n")
_REPLACED = (
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="All pages">'),
    ('<aside class="toc-drawer">', '<aside class="toc-drawer" aria-label="This page">'),
    # Code and tables scroll sideways, so a keyboard must reach them.
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper ', '<div tabindex="0" role="group" aria-label="Table" class="table-wrapper '),
)


def finish(folder: Path) -> None:
    """Change the pages of a built site in place."""
    for path in folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for old, new in _REPLACED:
            text = text.replace(old, new)
        text = _SIGNATURE.sub(_lines, text)
        if path == folder / "search.html":
            text = text.replace('id="furo-main-content">', 'id="furo-main-content">\n<h1>Search</h1>')
        path.write_text(text, encoding="utf-8")


def _lines(match: re.Match[str]) -> str:
    """Return the parameters of a signature, which Sphinx writes as a list without terms."""
    lines = _PARAMETER.sub(r'<span class="sig-line">\1</span>', match[1])
    return f'<span class="sig-lines">{lines}</span>'
