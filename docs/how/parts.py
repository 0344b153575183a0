"""The parts of the pages that are made from rooms, cases, rules and room versions.

A page has ``<!-- made: NAME ARGUMENTS -->`` before such a part, and ``<!-- end of made -->`` after it.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from . import key_tables, merge_tables, rule_tables
from .merges import Merge, case_merge, room_merge

FOLDER: Final = Path(__file__).parent
_MADE: Final = re.compile(r"(<!-- made: (.+?) -->\n\n).*?(<!-- end of made -->\n)", re.DOTALL)


def _merge(name: str) -> Merge:
    """Return a merge by its name on a page: a case, or the room whose last event follows the branches."""
    return case_merge(name) if name.startswith("resolve.") else room_merge(name, "end")


def _results(name: str, *algorithms: str) -> str:
    return merge_tables.result_table(_merge(name), *([algorithms] if algorithms else []))


PARTS: Final[Mapping[str, Callable[..., str]]] = {
    "events": lambda name: merge_tables.event_table(_merge(name)),
    "states": lambda name: merge_tables.state_table(_merge(name)),
    "results": _results,
    "sets": lambda name, algorithm: merge_tables.sets_table(_merge(name), algorithm),
    "order": lambda name, algorithm: merge_tables.order_table(_merge(name), algorithm),
    "checks": lambda name, algorithm: merge_tables.check_table(_merge(name), algorithm),
    "mainline": lambda name, algorithm: merge_tables.mainline_words(_merge(name), algorithm),
    "mainline-order": lambda name, algorithm: merge_tables.mainline_table(_merge(name), algorithm),
    "rules": rule_tables.rule_table,
    "levels": key_tables.level_table,
    "covered": key_tables.covered_table,
    "kept-keys": key_tables.kept_keys_table,
    "kept-content": key_tables.kept_content_table,
    "formats": key_tables.format_table,
}
"""What makes a part, by the first word after `made:`. The other words are its arguments."""


def made(words: str) -> str:
    """Return a part."""
    name, *arguments = words.split()
    return PARTS[name](*arguments)


def pages() -> list[Path]:
    """Return the pages of this folder."""
    return sorted(FOLDER.glob("*.md"))


def parts_of(text: str) -> list[tuple[str, str]]:
    """Return the words of each part of a page, with the whole part."""
    return [(match[2], match[0]) for match in _MADE.finditer(text)]


def remade(text: str) -> str:
    """Return a page with its parts made anew."""
    return _MADE.sub(lambda match: f"{match[1]}{made(match[2])}\n\n{match[3]}", text)
