"""Results of implementations as Markdown and as HTML: a table for each, then its failed cases."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ...suite.document import Outcome
from ...suite.operations import OPERATIONS
from ...types import JsonObject
from ...versions import ROOM_VERSIONS
from ..escaped import html_text, markdown_code, markdown_text
from .results import Cell, brief, make_cell

Link: TypeAlias = Callable[[str], str | None]
"""Returns the address of a case by its name, or None."""

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

# The parts of both pages


def _rows(results: JsonObject) -> Iterator[tuple[str, list[Cell]]]:
    """Yield each operation that has cases, with a cell for each room version."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    cases: Any = results["cases"]
    for case in cases:
        counts.setdefault((case["operation"], case["room_version"]), Counter())[case["outcome"]] += 1
    present = {operation for operation, _ in counts}
    for operation in OPERATIONS:
        if operation in present:
            yield (
                operation,
                [make_cell(counts.get((operation, version), {})) for version in ROOM_VERSIONS],
            )


def _failed(results: JsonObject) -> list[Any]:
    cases: Any = results["cases"]
    return [case for case in cases if case["outcome"] == "failed"]


def _expected_and_got(case: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a failed case expected, and the output or why there is none."""
    got = case.get("got")
    shown = str(case.get("reason") or "") if got is None else brief(got, _SHOWN)
    return brief(case.get("expected"), _SHOWN), shown


def _summary(results: JsonObject) -> str:
    cases: Any = results["cases"]
    counts = Counter(case["outcome"] for case in cases)
    return ", ".join(f"{counts[outcome.value]} {outcome.value}" for outcome in Outcome)


# Markdown


def as_markdown(all_results: Sequence[JsonObject], link: Link) -> str:
    """Return the report as Markdown.

    Args:
        all_results: results documents.
        link: for the names of failed cases.
    """
    out = ["# Results of the test vectors", ""]
    for results in all_results:
        out += [f"## {markdown_text(results['implementation'])}", "", f"{_summary(results)}.", ""]
        out.append("| operation | " + " | ".join(f"v{version}" for version in ROOM_VERSIONS) + " |")
        out.append("| --- |" + " ---: |" * len(ROOM_VERSIONS))
        for operation, cells in _rows(results):
            out.append(f"| `{operation}` | " + " | ".join(cell.text for cell in cells) + " |")
        out.append("")
    for results in all_results:
        failed = _failed(results)
        if failed:
            out += [f"## Failed: {markdown_text(results['implementation'])}", ""]
            out += [_markdown_failure(case, link) for case in failed]
            out.append("")
    return "\n".join(out)


def _markdown_failure(case: Mapping[str, Any], link: Link) -> str:
    expected, got = _expected_and_got(case)
    address = link(case["name"])
    name = markdown_code(case["name"])
    if address is not None:
        name = f"[{name}]({address})"
    return f"- {name}: expected {markdown_code(expected)}, got {markdown_code(got)}"


# HTML


def as_html(all_results: Sequence[JsonObject], link: Link) -> str:
    """Return the report as one HTML page that loads nothing.

    Args:
        all_results: results documents.
        link: for the names of failed cases.
    """
    out = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Results of the test vectors</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><h1>Results of the test vectors</h1>",
    ]
    for index, results in enumerate(all_results):
        out.append(f"<h2>{html_text(results['implementation'])}</h2><p>{_summary(results)}.</p>")
        out += _html_table(results, index)
        failed = _failed(results)
        for operation in dict.fromkeys(case["operation"] for case in failed):
            mine = [case for case in failed if case["operation"] == operation]
            out.append(
                f'<details id="{index}-{html_text(operation)}"><summary>{html_text(operation)}:'
                f" {len(mine)} failed</summary><dl>"
            )
            out += [_html_failure(case, link) for case in mine]
            out.append("</dl></details>")
    out.append("</body></html>")
    return "\n".join(out)


def _html_table(results: JsonObject, index: int) -> Iterator[str]:
    """Yield the lines of a table. A cell with failed cases links to their list."""
    heads = "".join(f"<th>v{version}</th>" for version in ROOM_VERSIONS)
    yield f'<div class="wide"><table><tr><th>operation</th>{heads}</tr>'
    for operation, cells in _rows(results):
        row = f"<td>{html_text(operation)}</td>"
        for text, kind in cells:
            shown = f'<a href="#{index}-{html_text(operation)}">{text}</a>' if kind == "failed" else text
            row += f'<td class="{kind}">{shown}</td>'
        yield f"<tr>{row}</tr>"
    yield "</table></div>"


def _html_failure(case: Mapping[str, Any], link: Link) -> str:
    expected, got = _expected_and_got(case)
    name = f"<code>{html_text(case['name'])}</code>"
    address = link(case["name"])
    if address is not None:
        name = f'<a href="{html_text(address)}">{name}</a>'
    texts = f"expected <code>{html_text(expected)}</code><br>got <code>{html_text(got)}</code>"
    return f"<dt>{name}</dt><dd>{texts}</dd>"
