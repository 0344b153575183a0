"""``roomver vectors report``: the results of several implementations, in one document."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import click

from ..operations import OPERATIONS
from ..types import JsonObject
from ..versions import ROOM_VERSIONS

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


class BadResults(Exception):
    """A file holds no results. The text names the file and what is wrong."""


def read_results(path: Path) -> JsonObject:
    """Read what ``roomver vectors run --json`` printed.

    Raises:
        BadResults: naming the file.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BadResults(f"{path}: not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadResults(f"{path}: no results: `format` is not {FORMAT}")
    for key, kind in (("implementation", str), ("operations", dict), ("cases", list)):
        if not isinstance(document.get(key), kind):
            raise BadResults(f"{path}: {key} is not as it must be")
    for number, case in enumerate(document["cases"]):
        if not isinstance(case, dict) or not all(
            isinstance(case.get(key), str) for key in ("name", "operation", "room_version", "outcome")
        ):
            raise BadResults(f"{path}: cases[{number}] is not as it must be")
    return document


def _cell(results: JsonObject, operation: str, version: str) -> tuple[str, str]:
    """What a table shows of one operation in one room version, and of which kind it is."""
    by_version: Any = results["operations"]
    counts: Mapping[str, int] = by_version.get(operation, {}).get(version, {})
    tried = counts.get("passed", 0) + counts.get("failed", 0)
    if not tried:
        return ("-" if counts else ""), "none"
    if counts.get("failed"):
        return f"{counts['passed']}/{tried}", "failed"
    return str(tried), "passed"


def _rows(results: JsonObject) -> list[tuple[str, list[tuple[str, str]]]]:
    by_version: Any = results["operations"]
    return [
        (operation, [_cell(results, operation, version) for version in ROOM_VERSIONS])
        for operation in OPERATIONS
        if operation in by_version
    ]


def _failed(results: JsonObject) -> list[Any]:
    cases: Any = results["cases"]
    return [case for case in cases if case["outcome"] == "failed"]


def _brief(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _lines(case: Mapping[str, Any]) -> tuple[str, str]:
    """What was expected, and what came."""
    came = case.get("got")
    return _brief(case.get("expected")), str(case.get("reason") or "") if came is None else _brief(came)


def _summary(results: JsonObject) -> str:
    counts = [f"{results.get(kind, 0)} {kind}" for kind in ("passed", "failed", "unsupported")]
    return ", ".join(counts)


def as_markdown(all_results: Sequence[JsonObject]) -> str:
    """Return the report as Markdown: a table for each implementation, then its failed cases."""
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
            out.append(f"- `{case['name']}`: expected `{expected}`, came `{came}`".replace("\n", " "))
        if failed:
            out.append("")
    return "\n".join(out)


def as_html(all_results: Sequence[JsonObject]) -> str:
    """Return the report as one page that needs nothing else."""
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
                link = f'<a href="#{index}-{escape(operation)}">{text}</a>' if kind == "failed" else text
                row += f'<td class="{kind}">{link}</td>'
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
                out.append(
                    f"<dt><code>{escape(case['name'])}</code></dt><dd>expected"
                    f" <code>{escape(expected)}</code><br>came <code>{escape(came)}</code></dd>"
                )
            out.append("</dl></details>")
    out.append("</body></html>")
    return "\n".join(out)


@click.command()
@click.argument("paths", metavar="RESULTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the report as Markdown here.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the report as one HTML page here.")
def report(paths: tuple[Path, ...], markdown: Path | None, html: Path | None) -> None:
    """Report the results of several implementations.

    RESULTS are files that hold what `roomver vectors run --json` printed. Without --markdown and --html
    the report is printed as Markdown. Exit codes: 0 done, 2 a file could not be read or written.
    """
    try:
        read = [read_results(path) for path in paths]
        for target, write in ((markdown, as_markdown), (html, as_html)):
            if target is not None:
                target.write_text(write(read) + "\n", encoding="utf-8")
    except BadResults as error:
        click.echo(f"roomver: {error}", err=True)
        raise click.exceptions.Exit(2) from None
    except OSError as error:
        click.echo(f"roomver: {error.filename}: {error.strerror}", err=True)
        raise click.exceptions.Exit(2) from None
    if markdown is None and html is None:
        click.echo(as_markdown(read))
