"""The page as one HTML file, which asks nothing of any server.

A Content-Security-Policy forbids every request, and every script and style but those that are in the file,
named by their hashes. What comes from events is compressed data, which the script puts into the page as text.
The raw PDUs are in parts, and the page unpacks the one that it shows.
"""

import json
import re
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

from ... import __version__
from ...explain.page import Page
from ...explain.tables import Table
from ..wording import ACTION_TEXT, FINDING_TEXT, LACK_TEXT
from .words import pdu_text, shown, words_of

CHUNK: Final = 512
"""How many raw PDUs are packed together."""

# What the list and the panels need is read at once; the rest after the first rows are shown.
_REST: Final = (
    "auth",
    "depth",
    "before",
    "after",
    "groups",
    "unknown",
    "current",
    "tables",
    "check",
    "merges",
    "explained",
)

_SCRIPTS: Final = (
    "virtual-core.js",
    "1-data.js",
    "2-elements.js",
    "3-graph.js",
    "4-list.js",
    "5-event.js",
    "6-merge.js",
    "7-panels.js",
    "8-start.js",
)


class NoTemplates(Exception):
    """Jinja2, which fills the template, is not installed."""


def document_of(
    page: Page,
    lines: Sequence[str],
    verdict: str,
    call: str,
    progress: Callable[[int, int], None] | None = None,
) -> bytes:
    """Return the page of a room as an HTML file.

    Args:
        page: the room.
        lines: the summary, in lines of text.
        verdict: the summary in one sentence.
        call: how a command of roomver is called for the room, with ``{}`` for its name.
        progress: called with the number of PDUs packed, and the number of all.

    Raises:
        NoTemplates: if Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment  # noqa: PLC0415 - an extra
        from markupsafe import Markup  # noqa: PLC0415
    except ImportError:
        raise NoTemplates from None
    data = page_data(page, lines, verdict, call)
    rest = {name: data.pop(name) for name in _REST}
    # Base64 has no character that needs an escape, and to look for one takes as long as to pack the data.
    parts = [("core", Markup(packed(data))), ("rest", Markup(packed(rest)))]
    for start in range(0, len(page.order), CHUNK):
        # One PDU per line: as texts in JSON, each quotation mark would be escaped once more.
        chunk = "\n".join([pdu_text(event.pdu) for event in page.order[start : start + CHUNK]])
        parts.append((f"pdus-{start // CHUNK}", Markup(_packed_text(_numbered(chunk, page)))))
        if progress is not None:
            progress(start, len(page.order))
    style, script = _part("page.css"), _script()
    template = Environment(autoescape=True, keep_trailing_newline=True).from_string(_part("page.html"))
    text = template.render(
        policy=policy_of(script, style),
        version=__version__,
        title=title_of(data),
        style=Markup(style),
        script=Markup(script),
        parts=parts,
    )
    return text.encode()


def page_data(page: Page, lines: Sequence[str], verdict: str, call: str) -> dict[str, Any]:
    """Return all that the page shows, as JSON values. Every text is safe to show."""
    data = page.to_dict(shown)
    for name in ("types", "senders", "servers"):
        data[name] = [shown(one) for one in data[name]]
    words = Table[str]()
    data["word"] = [words(one) for one in words_of(page.order)]
    data["words"] = words.values
    # What a kind of finding means, and what a server must do.
    for event_id, findings in data["findings"].items():
        data["findings"][event_id] = [_with_words(one) for one in findings]
    data["left_out"] = [[e, place, _with_words(finding)] for e, place, finding in data["left_out"]]
    data["finding_texts"] = _TEXTS
    data |= {"lines": [shown(line) for line in lines], "verdict": shown(verdict), "chunk": CHUNK}
    data |= {one: shown(call.format(one)) for one in ("resolve", "explain")}
    data["short"] = _length_of_short(page)
    return data


# An event ID in JSON text that the page shows as it is.
_ID: Final = re.compile(r'"([$][!#-\[\]-~]{8,})"')


def _numbered(text: str, page: Page) -> str:
    """Return the text of PDUs with numbers for event IDs, between marks that no such text has.

    An event ID cannot be compressed, and the page has them all.
    """

    def number(found: re.Match[str]) -> str:
        known = page.ids.find(found[1])
        return found[0] if known is None else f'"\x7f{known}\x7f"'

    return _ID.sub(number, text)


def _with_words(finding: list[Any]) -> list[Any]:
    kind, action, lacks, reasons = finding
    return [kind, _TEXTS[kind], " and ".join(_LACKS[one] for one in lacks) or _ACTIONS[action], reasons]


_TEXTS: Final = {kind.value: text for kind, text in FINDING_TEXT.items()}
_ACTIONS: Final = {action.value: text for action, text in ACTION_TEXT.items()}
_LACKS: Final = {lack.value: text for lack, text in LACK_TEXT.items()}


def _length_of_short(page: Page) -> int:
    """Return how many characters of each event ID tell it from all others: 9 to 16."""
    ids = sorted(page.ids.values)
    longest = 8
    for one, other in pairwise(ids):
        while longest < len(one) and one[:longest] == other[:longest]:
            longest += 1
    return min(16, max(9, longest + 1))


def title_of(data: dict[str, Any]) -> str:
    """Return what the page calls the room: its name, or its ID."""
    room = data["room"]
    return str(room["name"] or room["id"] or "A room")


def packed(data: object) -> str:
    """Return JSON values as compressed base64."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return _packed_text(text)


def _packed_text(text: str) -> str:
    return b64encode(zlib.compress(text.encode(), _LEVEL)).decode("ascii")


# Level 6 makes the page 4 % smaller and takes nearly twice as long.
_LEVEL: Final = 4


def policy_of(script: str, style: str) -> str:
    """Return the Content-Security-Policy that allows one script and one style, and no request."""
    named = ["'sha256-" + b64encode(sha256(one.encode()).digest()).decode() + "'" for one in (script, style)]
    return (
        f"default-src 'none'; script-src {named[0]}; style-src {named[1]}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _script() -> str:
    text = "\n".join(_part(name) for name in _SCRIPTS)
    return f'\n"use strict";\n(() => {{\n{text}\n}})();\n'


def _part(name: str) -> str:
    """Return the text of a file of the package. One that would end its element early is a fault."""
    text = (files(__package__) / "parts" / name).read_text(encoding="utf-8")
    assert "</script" not in text or name.endswith(".html"), name
    assert "</style" not in text or name.endswith(".html"), name
    assert "<!--" not in text, name
    return text
