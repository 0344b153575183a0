"""``roomver vectors report``: the results of several implementations, in one document."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import click

from ...readers import InputError
from ...suite.document import Outcome
from ...suite.operations import OPERATIONS
from ...types import JsonObject
from ...versions import ROOM_VERSIONS
from ..common import display_name, opened, write_line

FORMAT: Final = "roomver-results/1"
_SHOWN: Final = 300  # characters of an outcome

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border: 1px solid #ccc; padding: .2em .6em; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
td.failed { background: #fdd; }
td.none { color: #999; }
code { overflow-wrap: anywhere; }
"""


def read_results(file: str) -> JsonObject:
    """Read what ``roomver vectors run --json`` printed.

    Raises:
        InputError: naming the file.
    """
    with opened(file) as stream:
        raw = stream.read()
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InputError(display_name(file), f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(display_name(file), f"no results: `format` is not {FORMAT}")
    for key, kind in (("implementation", str), ("cases", list)):
        if not isinstance(document.get(key), kind):
            raise InputError(display_name(file), f"{key} is not as it must be")
    for number, case in enumerate(document["cases"]):
        if not isinstance(case, dict) or not all(
            isinstance(case.get(key), str) for key in ("name", "operation", "room_version", "outcome")
        ):
            raise InputError(display_name(file), f"cases[{number}] is not as it must be")
    return document


def cell(counts: Mapping[str, int]) -> tuple[str, str]:
    """Return what a table shows of one operation in one room version, and of which kind it is:
    ``failed``, ``passed`` or ``none``.

    Args:
        counts: numbers of cases by outcome; empty where there are none.
    """
    passed, failed = counts.get("passed", 0), counts.get("failed", 0)
    if failed:
        return f"{passed}/{passed + failed}", "failed"
    if passed:
        return str(passed), "passed"
    return ("-" if counts else ""), "none"


def brief(value: Any, most: int) -> str:
    """Return a JSON value as text, cut where it has more characters than that."""
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _rows(results: JsonObject) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The table: the operations that there are cases of, and a cell for each room version."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    cases: Any = results["cases"]
    for case in cases:
        counts.setdefault((case["operation"], case["room_version"]), Counter())[case["outcome"]] += 1
    there = {operation for operation, _ in counts}
    for operation in OPERATIONS:
        if operation in there:
            yield operation, [cell(counts.get((operation, version), {})) for version in ROOM_VERSIONS]


def _failed(results: JsonObject) -> list[Any]:
    cases: Any = results["cases"]
    return [case for case in cases if case["outcome"] == "failed"]


def _lines(case: Mapping[str, Any]) -> tuple[str, str]:
    """What was expected, and what came."""
    came = case.get("got")
    return brief(case.get("expected"), _SHOWN), str(case.get("reason") or "") if came is None else brief(
        came, _SHOWN
    )


def _summary(results: JsonObject) -> str:
    cases: Any = results["cases"]
    counts = Counter(case["outcome"] for case in cases)
    return ", ".join(f"{counts[outcome.value]} {outcome.value}" for outcome in Outcome)


_Link: TypeAlias = Callable[[str], str | None]

# A line of its own, as the generators write them. No name of a case has an escape.
_NAME: Final = re.compile(r'\s*"name": "([^"\\]+)",?\s*')


def find_cases(folder: Path) -> dict[str, tuple[Path, int]]:
    """Return in which file of a folder of vectors each case stands, and in which line, by name."""
    found: dict[str, tuple[Path, int]] = {}
    for file in sorted(folder.rglob("*.json")):
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            match = _NAME.fullmatch(line)
            if match is not None:
                found.setdefault(match[1], (file.resolve(), number))
    return found


def _links(cases: Mapping[str, tuple[Path, int]], document: Path) -> _Link:
    """Give the address of a case, as seen from a document."""
    folder = document.resolve().parent

    def link(name: str) -> str | None:
        if name not in cases:
            return None
        file, line = cases[name]
        return f"{quote(os.path.relpath(file, folder).replace(os.sep, '/'))}#L{line}"

    return link


def as_markdown(all_results: Sequence[JsonObject], link: _Link) -> str:
    """Return the report as Markdown: a table for each implementation, then its failed cases.

    Args:
        link: gives the address of a case by its name, or None.
    """
    out = ["# Results of the test vectors", ""]
    for results in all_results:
        out += [f"## {results['implementation']}", "", f"{_summary(results)}.", ""]
        out.append("| operation | " + " | ".join(f"v{version}" for version in ROOM_VERSIONS) + " |")
        out.append("| --- |" + " ---: |" * len(ROOM_VERSIONS))
        for operation, cells in _rows(results):
            out.append(f"| `{operation}` | " + " | ".join(text for text, _ in cells) + " |")
        out.append("")
    for results in all_results:
        failed = _failed(results)
        if failed:
            out += [f"## Failed: {results['implementation']}", ""]
        for case in failed:
            expected, came = _lines(case)
            address = link(case["name"])
            name = f"`{case['name']}`" if address is None else f"[`{case['name']}`]({address})"
            out.append(f"- {name}: expected `{expected}`, came `{came}`".replace("\n", " "))
        if failed:
            out.append("")
    return "\n".join(out)


def as_html(all_results: Sequence[JsonObject], link: _Link) -> str:
    """Return the report as one page that needs nothing else.

    Args:
        link: gives the address of a case by its name, or None.
    """
    out = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Results of the test vectors</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><h1>Results of the test vectors</h1>",
    ]
    for index, results in enumerate(all_results):
        out.append(f"<h2>{escape(str(results['implementation']))}</h2><p>{_summary(results)}.</p>")
        heads = "".join(f"<th>v{version}</th>" for version in ROOM_VERSIONS)
        out.append(f'<div class="wide"><table><tr><th>operation</th>{heads}</tr>')
        for operation, cells in _rows(results):
            row = f"<td>{escape(operation)}</td>"
            for text, kind in cells:
                shown = f'<a href="#{index}-{escape(operation)}">{text}</a>' if kind == "failed" else text
                row += f'<td class="{kind}">{shown}</td>'
            out.append(f"<tr>{row}</tr>")
        out.append("</table></div>")
        failed = _failed(results)
        for operation in dict.fromkeys(case["operation"] for case in failed):
            mine = [case for case in failed if case["operation"] == operation]
            out.append(
                f'<details id="{index}-{escape(operation)}"><summary>{escape(operation)}:'
                f" {len(mine)} failed</summary><dl>"
            )
            for case in mine:
                expected, came = _lines(case)
                name = f"<code>{escape(case['name'])}</code>"
                address = link(case["name"])
                if address is not None:
                    name = f'<a href="{escape(address)}">{name}</a>'
                out.append(
                    f"<dt>{name}</dt><dd>expected"
                    f" <code>{escape(expected)}</code><br>came <code>{escape(came)}</code></dd>"
                )
            out.append("</dl></details>")
    out.append("</body></html>")
    return "\n".join(out)


@click.command()
@click.argument("files", metavar="RESULTS...", nargs=-1, required=True)
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the report as Markdown here.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the report as one HTML page here.")
@click.option(
    "--cases",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Link failed cases to the vector files in this folder.",
)
def report(files: tuple[str, ...], markdown: Path | None, html: Path | None, cases: Path | None) -> None:
    """Report the results of several implementations.

    RESULTS are files that hold what `roomver vectors run --json` printed. Without --markdown and --html
    the report is printed as Markdown. Exit codes: 0 done, 2 a file could not be read or written.
    """
    read = [read_results(file) for file in files]
    where = {} if cases is None else find_cases(cases)
    if markdown is None and html is None:
        write_line(_encoded(as_markdown(read, _links(where, Path("report.md")))))
    if markdown is not None:
        markdown.write_bytes(_encoded(as_markdown(read, _links(where, markdown))) + b"\n")
    if html is not None:
        html.write_bytes(_encoded(as_html(read, _links(where, html))) + b"\n")


def _encoded(text: str) -> bytes:
    # A program's own words may hold a lone surrogate, which UTF-8 has no form of.
    return text.encode("utf-8", "backslashreplace")
